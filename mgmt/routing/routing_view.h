/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the objects of the store say for BIRD: peers with what is wrong with them, VIPs, whether the
 * box is drained. A snapshot; names are borrowed from the store's objects until the next commit.
 */
#pragma once

#include "routing/bird_config.h"
#include "routing/bird_routes.h"
#include "routing/keepalived_config.h"
#include "routing/routing.h"

#include <jansson.h>

#define ROUTING_PASSWORD_BYTES_MAX 80u /* the kernel's TCP_MD5SIG_MAXKEYLEN */
#define ROUTING_LINK_BYTES BIRD_LINK_BYTES

/* A BgpPeer and why it is not in the configuration. */
struct routing_peer {
    const char *name;
    int64_t generation;
    const char *reason; /* of Accepted: False; NULL: it is accepted */
    const char *message;
    uint32_t accept_limit; /* 0: it is told no routes */
    char link[ROUTING_LINK_BYTES];
    char password[ROUTING_PASSWORD_BYTES_MAX + 1];
};

/* A VirtualRouter, likewise. */
struct routing_router {
    const char *name;
    const char *interface;
    int64_t generation;
    uint32_t id;
    const char *reason;
    const char *message;
    char link[ROUTING_LINK_BYTES];
};

struct routing_view {
    struct bird_view bird; /* of the arrays below */
    bool has_young_drain;  /* one of this box that is not in effect yet */
    uint32_t n_all;        /* BgpPeers */
    struct routing_peer all[ROUTING_PEERS_MAX];
    struct bird_peer peers[ROUTING_PEERS_MAX];
    struct ip_addr vips[ROUTING_VIPS_MAX];
    bool has_read_file;
    uint32_t n_in_file; /* VIPs that BIRD has, once one of them was asked for */
    struct ip_addr in_file[ROUTING_VIPS_MAX];
    uint32_t n_all_routers; /* VirtualRouters */
    struct routing_router all_routers[ROUTING_ROUTERS_MAX];
    uint32_t n_routers;
    struct keepalived_router routers[ROUTING_ROUTERS_MAX];
};

/* Reads the store. `file`: the configuration that is in effect, for VIPs that are in doubt. */
void routing_view_read(struct routing_view *v, const struct store *store, const char *file);
