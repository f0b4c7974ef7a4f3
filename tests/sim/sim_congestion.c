/* SPDX-License-Identifier: Apache-2.0 */
/* See sim_congestion.h. */
#include "sim_congestion.h"

#include "base/rng.h"
#include "sim_plan.h"

#define BITS 32u

uint32_t sim_congestion_plan(uint64_t seed)
{
    struct rng r = {seed ^ 0x626272};
    switch (rng_below(&r, 3)) {
    case 0:
        return 0;
    case 1:
        return UINT32_MAX;
    default:
        return rng_below(&r, UINT32_MAX);
    }
}

enum tcp_congestion sim_congestion_of(const struct sim_plan *plan, unsigned n)
{
    return (plan->bbr >> n % BITS & 1) != 0 ? TCP_CONGESTION_BBR : TCP_CONGESTION_CUBIC;
}
