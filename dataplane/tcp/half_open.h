/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many connections a peer has begun without having shown that its address is true, in all and
 * of each listener; and the rule by which a SYN gets a cookie instead of one more. The same for
 * those that end here (passive.c) and those that are forwarded (l4).
 *
 * Pure; thread: the owner's.
 */
#pragma once

#include "base/assert.h"
#include "core/flow_table.h"
#include "tcp/tcp_limits.h"

#include <stdbool.h>
#include <stdint.h>

struct tcp_half_open {
    uint32_t all;
    uint32_t of_listener[TCP_LISTENERS_COUNTED]; /* at the hash of the listener */
};

/* From when on there are cookies. */
struct tcp_half_open_limits {
    uint32_t max;          /* half-open ones */
    uint32_t listener_max; /* likewise, of one listener */
    uint32_t used;         /* places of the pool that are taken, */
    uint32_t most;         /* of so many; the last share is for who has shown his address */
};

/* The counter of a tuple's listener: local address and port. Two listeners that share one begin
 * their cookies together, no more. */
static inline uint32_t *tcp_half_open_of(struct tcp_half_open *h, const struct flow_table *t,
                                         const struct flow_tuple *tuple)
{
    struct flow_tuple listener = {.local = tuple->local, .local_port = tuple->local_port};
    return &h->of_listener[flow_table_hash(t, &listener) % TCP_LISTENERS_COUNTED];
}

/* The listener of a half-open connection has one less or more. */
static inline void tcp_half_open_count(struct tcp_half_open *h, const struct flow_table *t,
                                       const struct flow_tuple *tuple, int change)
{
    uint32_t *of_listener = tcp_half_open_of(h, t, tuple);
    ASSERT(change == 1 || change == -1);
    ASSERT(change > 0 || (h->all > 0 && *of_listener > 0));
    h->all += (uint32_t)change;
    *of_listener += (uint32_t)change;
}

/* Does a SYN get a cookie? There are many half-open connections, in all or of this listener, or few
 * free places: those are for who has shown his address. */
static inline bool tcp_half_open_is_crowded(struct tcp_half_open *h, const struct flow_table *t,
                                            const struct flow_tuple *tuple,
                                            const struct tcp_half_open_limits *limits)
{
    return limits->used >= limits->most - limits->most / TCP_PROVEN_SHARE ||
           h->all >= limits->max || *tcp_half_open_of(h, t, tuple) >= limits->listener_max;
}
