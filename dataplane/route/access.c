/* SPDX-License-Identifier: Apache-2.0 */
/* See access.h. */
#include "route/access.h"

/* Is the address in one of the ranges? They are sorted and have no overlaps. */
static bool is_in(const struct image_range *ranges, uint32_t n, const struct ip_addr *addr)
{
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (memcmp(ranges[middle].last.bytes, addr->bytes, sizeof(addr->bytes)) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && memcmp(ranges[low].first.bytes, addr->bytes, sizeof(addr->bytes)) <= 0;
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
