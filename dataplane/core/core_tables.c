/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools and hash chains in a worker's memory. Apart from core_memory(), whose place a linker can
 * give to another function only for other files (tests/fuzz/stack_memory.h).
 */
#include "core/core.h"

#include "base/assert.h"

#define CORE_BUCKETS_MIN 64u
#define CORE_BUCKETS_MAX (1u << 20) /* 16 MiB; with more objects, chains grow */

void core_pool(struct core *c, struct pool *p, size_t object_bytes, uint32_t n, const char *what)
{
    uint32_t bytes = (uint32_t)object_bytes;
    ASSERT(n > 0 && bytes == object_bytes);
    pool_init(p, core_memory(c, pool_bytes(bytes, n), what), bytes, n);
}

struct list_node *core_buckets(struct core *c, uint32_t n, const char *what, uint32_t *ret_mask)
{
    uint32_t count = CORE_BUCKETS_MIN;
    while (count < n && count < CORE_BUCKETS_MAX)
        count *= 2;
    struct list_node *buckets = core_memory(c, count * sizeof(*buckets), what);
    for (uint32_t i = 0; i < count; i++)
        list_init(&buckets[i]);
    *ret_mask = count - 1;
    return buckets;
}
