/* SPDX-License-Identifier: Apache-2.0 */
/* A token bucket: at most `burst_max` at once and `per_s` in the long run. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    uint64_t full_us; /* when it will be full again; in the past: it is full */
};

/* Takes a token at `now_us`; false: none left. Counts time, not tokens: each token taken moves the
 * moment of fullness by 1/per_s, and the bucket is empty when that lies burst_max tokens ahead
 * (the generic cell rate algorithm, ITU-T I.371). */
static inline bool bucket_take(struct bucket *b, uint64_t now_us, uint32_t per_s,
                               uint32_t burst_max)
{
    uint64_t token_us = 1000000 / per_s;
    uint64_t full_us = b->full_us > now_us ? b->full_us : now_us;
    if (full_us + token_us > now_us + burst_max * token_us)
        return false;
    b->full_us = full_us + token_us;
    return true;
}
