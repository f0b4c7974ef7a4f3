/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A budget a second, for answers that strangers can provoke. Known ways: a fixed number a second, a
 * token bucket, either of them with chance in it. Chosen: with each second that something is asked
 * in, a budget by chance between a half and three halves of the mean. A fixed budget that all
 * connections share tells a stranger, by what he himself is left unanswered, whether his guess at
 * somebody else's numbers was right (CVE-2016-5696).
 *
 * Owner: whoever holds it. Thread: its worker. Cost: O(1).
 */
#pragma once

#include "base/rng.h"

#include <stdbool.h>
#include <stdint.h>

struct tcp_rate {
    uint64_t until_us; /* this second's end */
    uint32_t left;     /* of its budget */
};

/* One more in this second? `mean` > 0 is how many there are on average. */
static inline bool tcp_rate_take(struct tcp_rate *r, uint64_t now_us, struct rng *rng,
                                 uint32_t mean)
{
    if (now_us >= r->until_us) {
        r->until_us = now_us + 1000000;
        r->left = (mean + 1) / 2 + rng_below(rng, mean);
    }
    if (r->left == 0)
        return false;
    r->left--;
    return true;
}
