/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From objects to the routing daemons of the exception path: BIRD's configuration out of
 * Interfaces, BgpPeers, Drains and what Gateways say of themselves, and what BIRD says back as
 * statuses.
 *   store commit -> in the next round of the loop: configuration; if its text differs, the file
 *                   anew (whole, or not at all) and BIRD is told
 *   every second -> BIRD is asked how its sessions are -> statuses that differ
 *
 * A VIP is announced from the moment on that its Gateway is Programmed. It stays announced while a
 * change is on its way to the workers (Programmed is Unknown then), also over a restart of mgmtd,
 * for the file says what was; it is withdrawn when the Gateway, the address, or Programmed goes.
 * While a Drain of this box is there, nothing is announced, or as the last choice.
 *
 * mgmtd may end: BIRD keeps what it has. The dataplane may end: its TAPs go, and BIRD's sessions
 * with them. Neither is this module's to see to.
 *
 * Owner: the daemon. Thread: the loop's. Errors: negative errno.
 */
#pragma once

/* How often BIRD is asked, and a file that it did not take yet is offered again. */
#define ROUTING_ASK_US 1000000u

/* So long a Drain that names this box waits before it is in effect: all boxes are given it, and
 * flows that come to others are handed over only by those that have it. */
#define ROUTING_DRAIN_WAIT_S 3

/* Sessions: a box has two or four routers; its BIRD would take more. */
#define ROUTING_PEERS_MAX 64u

/* Virtual routers: one an interface. */
#define ROUTING_ROUTERS_MAX 64u

/* VIPs announced: as many as the dataplane has addresses (NET_ADDRESSES_MAX). */
#define ROUTING_VIPS_MAX 16384u

struct loop;
struct routing;
struct store;

struct routing_config {
    struct loop *loop;
    struct store *store;
    const char *bird_config;       /* the file; NULL: nothing is generated, BgpPeers say so */
    const char *bird_socket;       /* BIRD's control socket */
    const char *keepalived_config; /* the file; NULL: nothing is generated, VirtualRouters say so */
    const char *keepalived_pid;    /* where its number is; it is told by HUP */
    const char *run_dir;           /* of the dataplane, which listens there */
};

/* Makes it and begins. -ENOMEM. */
int routing_new(const struct routing_config *config, struct routing **ret);

/* Ends it; BIRD goes on. NULL is fine. */
void routing_free(struct routing *r);
