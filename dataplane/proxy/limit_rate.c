/* SPDX-License-Identifier: Apache-2.0 */
/* See limit_rate.h. */
#include "proxy/limit_rate.h"

#include "base/assert.h"
#include "base/minmax.h"

#define NS_PER_MS 1000000u
#define NS_PER_S 1000000000u

struct limit_rate limit_rate_of(const struct image_limit *limit, unsigned worker, unsigned workers)
{
    ASSERT_HOT(worker < workers && image_is_limit(limit));
    uint64_t period_ns = (uint64_t)limit->period_ms * NS_PER_MS * workers;
    uint32_t burst = limit->burst / workers + (worker < limit->burst % workers);
    struct limit_rate r = {.interval_ns = (period_ns + limit->requests - 1) / limit->requests};
    r.slack_ns = (uint64_t)(max32(burst, 1) - 1) * r.interval_ns;
    return r;
}

bool limit_rate_allows(const struct limit_rate *r, uint64_t due_ns, uint64_t now_ns,
                       uint64_t *ret_wait_ns)
{
    uint64_t horizon_ns = now_ns + r->slack_ns;
    if (due_ns <= horizon_ns)
        return true;
    *ret_wait_ns = due_ns - horizon_ns;
    return false;
}

uint64_t limit_rate_take(const struct limit_rate *r, uint64_t due_ns, uint64_t now_ns)
{
    ASSERT_HOT(r->interval_ns > 0 && due_ns <= now_ns + r->slack_ns);
    return max64(due_ns, now_ns) + r->interval_ns;
}

uint64_t limit_wait_s(uint64_t wait_ns)
{
    return max64(wait_ns / NS_PER_S + (wait_ns % NS_PER_S != 0), 1);
}
