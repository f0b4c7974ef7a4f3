/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes of a burst's keys: see siphash13_pairs(). Pure; thread: any. */
#include "base/siphash_lanes.h"

/* NULL: this processor takes them one by one. */
static siphash_lanes_fn *lanes_of_this_processor(void)
{
    if (__builtin_cpu_supports("avx512f"))
        return siphash13_avx512;
    return __builtin_cpu_supports("avx2") ? siphash13_avx2 : NULL;
}

void siphash13_pairs(const struct siphash_key *key, const uint64_t *first, const uint64_t *second,
                     uint64_t *ret, unsigned n)
{
    siphash_lanes_fn *lanes = lanes_of_this_processor();
    struct siphash_state begin = siphash_begin(key);
    unsigned i = 0;
    for (; lanes != NULL && i + SIPHASH_LANES <= n; i += SIPHASH_LANES)
        lanes(&begin, first + i, second + i, ret + i);
    for (; i < n; i++)
        ret[i] = siphash13(key, (const uint64_t[]){first[i], second[i]}, 2);
}
