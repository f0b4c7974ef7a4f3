/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of which virtual routers (VRRP, RFC 5798) this box is the master: what keepalived told
 * housekeeping, for the workers, who have an interface's VIPs only then. A bit a router and family,
 * and a number that tells that something changed. Owner: the composer. Thread: housekeeping writes,
 * workers read; nothing hangs on the order in which two bits are seen.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct masters {
    _Atomic uint32_t version;
    _Atomic uint64_t routers[2][4]; /* of IPv6, of IPv4: 256 bits each */
};

/* Is the box the master? `m` NULL: never. */
static inline bool masters_has(const struct masters *m, uint8_t router, bool is_v4)
{
    if (m == NULL)
        return false;
    uint64_t word = atomic_load_explicit(&m->routers[is_v4][router / 64], memory_order_relaxed);
    return (word >> (router % 64) & 1) != 0;
}

/* Grows when a bit changed; 0 for NULL. */
static inline uint32_t masters_version(const struct masters *m)
{
    return m == NULL ? 0 : atomic_load_explicit(&m->version, memory_order_acquire);
}

/* Housekeeping's: it is the master from now on, or no longer. */
static inline void masters_set(struct masters *m, uint8_t router, bool is_v4, bool is_master)
{
    _Atomic uint64_t *word = &m->routers[is_v4][router / 64];
    uint64_t bit = UINT64_C(1) << (router % 64);
    uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
    atomic_store_explicit(word, is_master ? old | bit : old & ~bit, memory_order_relaxed);
    atomic_fetch_add_explicit(&m->version, 1, memory_order_release);
}
