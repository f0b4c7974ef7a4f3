/* SPDX-License-Identifier: Apache-2.0 */
/* See limit_table.h. */
#include "proxy/limit_table.h"

#include "base/assert.h"

static_assert(LIMIT_WAYS * sizeof(struct limit_bucket) == 64, "a set is a cache line");

size_t limit_table_bytes(uint32_t n)
{
    return (size_t)n * sizeof(struct limit_bucket);
}

void limit_table_init(struct limit_table *t, void *memory, uint32_t n)
{
    ASSERT(n >= LIMIT_WAYS && (n & (n - 1)) == 0);
    ASSERT((uintptr_t)memory % 64 == 0);
    *t = (struct limit_table){.buckets = memory, .n = n};
}

static struct limit_bucket *set_of(const struct limit_table *t, uint64_t key)
{
    ASSERT_HOT(key != 0);
    return &t->buckets[(uint32_t)key & (t->n - 1) & ~(LIMIT_WAYS - 1)];
}

uint64_t limit_table_due(const struct limit_table *t, uint64_t key)
{
    const struct limit_bucket *set = set_of(t, key);
    for (unsigned i = 0; i < LIMIT_WAYS; i++) {
        if (set[i].key == key)
            return set[i].due_ns;
    }
    return 0;
}

bool limit_table_put(struct limit_table *t, uint64_t key, uint64_t due_ns, uint64_t now_ns)
{
    struct limit_bucket *set = set_of(t, key);
    struct limit_bucket *at = &set[0];
    for (unsigned i = 0; i < LIMIT_WAYS; i++) {
        if (set[i].key == key) {
            set[i].due_ns = due_ns;
            return false;
        }
        if (set[i].due_ns < at->due_ns)
            at = &set[i];
    }
    bool is_lost = at->due_ns > now_ns;
    *at = (struct limit_bucket){.key = key, .due_ns = due_ns};
    return is_lost;
}
