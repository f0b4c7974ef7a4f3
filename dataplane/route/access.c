/* SPDX-License-Identifier: Apache-2.0 */
/* See access.h. */
#include "route/access.h"

#include "base/be.h"

/* An address as a number, for comparisons without calls. */
struct number {
    uint64_t high;
    uint64_t low;
};

static inline struct number number_of(const struct ip_addr *addr)
{
    be32_t words[4];
    memcpy(words, addr->bytes, sizeof(words));
    return (struct number){(uint64_t)be32_host(words[0]) << 32 | be32_host(words[1]),
                           (uint64_t)be32_host(words[2]) << 32 | be32_host(words[3])};
}

static inline bool is_less(struct number a, struct number b)
{
    return a.high < b.high || (a.high == b.high && a.low < b.low);
}

/* Is the address in one of the ranges? They are sorted and have no overlaps. With branches: where
 * the list is in no near cache, the CPU guesses the way and brings its lines while it waits;
 * without them it waits for each (tests/bench/gate). */
static bool is_in(const struct image_range *ranges, uint32_t n, const struct ip_addr *addr)
{
    struct number wanted = number_of(addr);
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (is_less(number_of(&ranges[middle].last), wanted))
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && !is_less(wanted, number_of(&ranges[low].first));
}

enum route_access route_access_of(const struct image_view *v, const struct image_access *access,
                                  const struct ip_addr *addr)
{
    const struct image_range *allowed = &v->ranges[access->first_range];
    if (is_in(allowed + access->n_allowed, access->n_denied, addr))
        return ROUTE_ACCESS_DENIED;
    if (access->n_allowed != 0 && !is_in(allowed, access->n_allowed, addr))
        return ROUTE_ACCESS_NOT_ALLOWED;
    return ROUTE_ACCESS_ALLOWED;
}

enum route_access route_access_of_all(const struct image_view *v, uint32_t first, uint32_t n,
                                      const struct ip_addr *addr, bool must_be_allowed)
{
    for (uint32_t i = first; i < first + n; i++) {
        enum route_access says = route_access_of(v, &v->accesses[v->gate_uses[i]], addr);
        if (says == ROUTE_ACCESS_DENIED || (says != ROUTE_ACCESS_ALLOWED && must_be_allowed))
            return says;
    }
    return ROUTE_ACCESS_ALLOWED;
}
