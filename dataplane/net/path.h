/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which way a packet goes: on-link prefixes of our addresses and egress routes, longest prefix
 * first (RFC 1812, section 5.2.4.3). A sorted array in which every prefix knows the next shorter
 * one that holds it: a binary search finds the place, a short walk up finds the answer. Built once
 * for a configuration, then only read.
 */
#pragma once

#include "net/net.h"

#define PATH_ENTRIES_MAX (NET_ADDRESSES_MAX + NET_ROUTES_MAX)
#define PATH_NONE UINT16_MAX

struct path_entry {
    struct ip_addr prefix; /* bits beyond prefix_len are 0 */
    struct ip_addr gateway;
    struct ip_addr source; /* an address of ours on the interface that is no VIP; zero: none */
    uint8_t prefix_len;    /* of the mapped form */
    bool is_on_link;
    bool is_alternative; /* another gateway for the prefix of the entry before it */
    bool is_shared;      /* likewise, and both carry: each a share of the destinations */
    bool is_down;        /* the gateway does not answer: the next one is used */
    uint16_t interface;
    uint16_t parent; /* the longest shorter prefix that holds this one; PATH_NONE: none */
};

struct path_table {
    uint32_t n;
    bool ends_broadcast[256]; /* by last byte: an IPv4 broadcast address of ours may end so */
    struct path_entry entries[PATH_ENTRIES_MAX];
};

/* Replaces the content. Of two equal prefixes on-link beats routed; of routes the first wins while
 * its gateway answers (path_choose()). Cost: O(n log n). */
void path_build(struct path_table *t, const struct net_config *config);

/* The longest prefix that holds `dst`; NULL: none. Cost: O(log n). */
const struct path_entry *path_find(const struct path_table *t, const struct ip_addr *dst);

/* Of the routes of `e`, which path_find() found for `dst`, the first whose gateway answers; of
 * those that share with it one by `dst`, always the same: when another goes, only what went by that
 * one moves. When none answers, the first. Cost: a load for most; with several gateways a draw for
 * each (base/rendezvous.h). */
const struct path_entry *path_choose(const struct path_table *t, const struct path_entry *e,
                                     const struct ip_addr *dst);

/* Notes whether a gateway answers. False: `addr` is the gateway of no route of the interface, or it
 * is known already. Cost: O(n), for a moment that is rare. */
bool path_gateway_set(struct path_table *t, uint16_t interface, const struct ip_addr *addr,
                      bool is_down);

/* Does it mean everybody in the on-link prefix that holds it (RFC 1122, section 3.2.1.3)? Cost: a
 * load for nearly all addresses. */
bool path_is_broadcast(const struct path_table *t, const struct ip_addr *addr);

/* The on-link prefix of `interface` that holds `addr`; NULL: it is no neighbour there. */
const struct path_entry *path_find_on_link(const struct path_table *t, uint16_t interface,
                                           const struct ip_addr *addr);
