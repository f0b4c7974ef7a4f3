/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our addresses: a hash built once for a configuration, then only read. Open addressing, at most
 * half full; the keys are ours, so no stranger can make a probe long.
 */
#pragma once

#include "base/assert.h"
#include "net/net.h"

#define LOCAL_SLOTS 32768u
static_assert(LOCAL_SLOTS >= 2 * NET_ADDRESSES_MAX, "at most half full");

struct local_table {
    uint32_t n;
    struct net_address entries[NET_ADDRESSES_MAX];
    bool is_held[NET_ADDRESSES_MAX]; /* configured, but not to be used (addresses.h) */
    uint16_t slots[LOCAL_SLOTS];     /* position in entries + 1; 0: free */
};

/* Replaces the content. The first of two equal addresses wins. */
void local_build(struct local_table *t, const struct net_address *addresses, uint32_t n);

/* The entry of `addr`, whether it is in use or not; NULL: not ours. Cost: one or two probes. */
const struct net_address *local_find_any(const struct local_table *t, const struct ip_addr *addr);

/* The entry of `addr` if it is in use; NULL: not ours, or not yet. */
const struct net_address *local_find(const struct local_table *t, const struct ip_addr *addr);
