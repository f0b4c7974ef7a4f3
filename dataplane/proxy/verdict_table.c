/* SPDX-License-Identifier: Apache-2.0 */
/* See verdict_table.h. */
#include "proxy/verdict_table.h"

#include "base/assert.h"

static_assert(sizeof(struct verdict) == 32, "two in a cache line");

size_t verdict_table_bytes(uint32_t n)
{
    return (size_t)n * sizeof(struct verdict);
}

void verdict_table_init(struct verdict_table *t, void *memory, uint32_t n)
{
    ASSERT(n >= VERDICT_WAYS && (n & (n - 1)) == 0);
    *t = (struct verdict_table){.verdicts = memory, .n = n};
}

static struct verdict *set_of(const struct verdict_table *t, const struct verdict_key *key)
{
    return &t->verdicts[(uint32_t)key->words[0] & (t->n - 1) & ~(VERDICT_WAYS - 1)];
}

bool verdict_table_find(const struct verdict_table *t, const struct verdict_key *key,
                        uint64_t now_us, struct verify_answer *ret)
{
    const struct verdict *set = set_of(t, key);
    for (unsigned i = 0; i < VERDICT_WAYS; i++) {
        if (!verdict_key_eq(&set[i].key, key) || set[i].until_us <= now_us)
            continue;
        *ret = (struct verify_answer){set[i].is_good, set[i].from_s, set[i].to_s};
        return true;
    }
    return false;
}

void verdict_table_put(struct verdict_table *t, const struct verdict_key *key, uint64_t until_us,
                       struct verify_answer answer)
{
    struct verdict *set = set_of(t, key);
    struct verdict *at = &set[0];
    ASSERT(until_us != 0 && until_us >> 63 == 0);
    for (unsigned i = 0; i < VERDICT_WAYS; i++) {
        if (verdict_key_eq(&set[i].key, key)) {
            at = &set[i];
            break;
        }
        if (set[i].until_us < at->until_us)
            at = &set[i];
    }
    *at = (struct verdict){.key = *key,
                           .until_us = until_us,
                           .is_good = answer.is_good,
                           .from_s = answer.from_s,
                           .to_s = answer.to_s};
}
