/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BIRD 2's configuration, as text. Pure: the same view gives the same text. Everything in the view
 * that strangers chose was checked before (routing_view.c), so that nothing of it can mean
 * something else to BIRD.
 */
#pragma once

#include "base/ip_addr.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Before a peer's name in BIRD's names of protocols. */
#define BIRD_PEER_PREFIX "peer-"

/* BIRD takes names of 63 letters. */
#define BIRD_PEER_NAME_MAX 58u

/* The line of BIRD's own id. */
#define BIRD_ROUTER_ID_FORMAT "router id %s;\n"

/* How long BIRD waits after an error of a session, at most: its own 300 s would keep VIPs from a
 * router that was away for a moment. */
#define BIRD_ERROR_WAIT_S_MAX 10u

/* As many prefixes as a BgpPeer accepts routes in. */
#define BIRD_ACCEPTS_MAX 64u

/* Destinations that are taken: within the prefix, and no longer than `max_length`. */
struct bird_accept {
    struct ip_addr prefix; /* bits after `length` are zero */
    uint8_t length;        /* of its own family, as the next */
    uint8_t max_length;
};

struct bird_peer {
    const char *name;
    struct ip_addr address;
    struct ip_addr local; /* without `link` */
    const char *link;     /* of the kernel's, with a link-local address; NULL: none */
    uint32_t peer_asn;
    uint32_t local_asn;
    const char *password; /* NULL: none */
    uint32_t bfd_ms;      /* 0: no BFD */
    uint32_t bfd_multiplier;
    uint32_t hold_s;
    uint32_t retry_s;
    uint32_t multihop; /* 0: on the link */
    bool has_local_preference;
    bool has_med;
    uint32_t local_preference;
    uint32_t med;
    uint32_t prepend;
    uint32_t n_communities;
    uint16_t communities[16][2];
    uint32_t accept_limit; /* routes that are taken; what comes then is not */
    uint32_t n_accepts;    /* 0: nothing is taken */
    struct bird_accept accepts[BIRD_ACCEPTS_MAX];
};

enum bird_drain {
    BIRD_DRAIN_NONE,
    BIRD_DRAIN_DEPRIORITIZE, /* as the last choice (RFC 8326), so that others are there first */
    BIRD_DRAIN_WITHDRAW,
};

/* Arrays are borrowed. */
struct bird_view {
    struct ip_addr router_id; /* an IPv4 address */
    enum bird_drain drain;
    uint32_t n_vips;
    const struct ip_addr *vips; /* sorted, each once */
    uint32_t n_peers;
    const struct bird_peer *peers; /* by name */
};

/* Writes it. */
void bird_config_write(const struct bird_view *v, FILE *to);

/* The VIPs that are in a text of bird_config_write(), `max` at most, into `ret`; returns how many.
 */
uint32_t bird_config_read_vips(const char *text, struct ip_addr *ret, uint32_t max);
