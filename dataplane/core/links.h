/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of a port that has several devices (active-backup) the one that is in use, and a number that
 * tells that one changed. Owner: the composer. Thread: housekeeping, which looks at their carriers,
 * writes; workers read. Two workers may see a change at different times: for a moment one of them
 * sends by a wire that is cut, as it did before the change.
 */
#pragma once

#include "core/port.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct links {
    _Atomic uint32_t version;
    _Atomic uint8_t active[PORTS_MAX];
};

/* The member that port `index` uses, by its place in struct port_setup. `l` NULL: the first. */
static inline unsigned links_active(const struct links *l, unsigned index)
{
    return l == NULL ? 0 : atomic_load_explicit(&l->active[index], memory_order_relaxed);
}

/* Grows when a port changed to another; 0 for NULL. */
static inline uint32_t links_version(const struct links *l)
{
    return l == NULL ? 0 : atomic_load_explicit(&l->version, memory_order_acquire);
}

/* Housekeeping's: port `index` uses that member from now on. */
static inline void links_set(struct links *l, unsigned index, unsigned member)
{
    atomic_store_explicit(&l->active[index], (uint8_t)member, memory_order_relaxed);
    atomic_fetch_add_explicit(&l->version, 1, memory_order_release);
}
