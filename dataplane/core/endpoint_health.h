/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the endpoints of a group are: one small struct beside each endpoint of a published list
 * (core/endpoint_table.h), shared by all workers and all routes. What is known comes from checks
 * (whoever runs them reports) and from real requests (each worker notes how they went).
 *
 * Known ways: a state of each worker (probes and failures multiply by workers, and they disagree),
 * one owner that all tell over rings (later, and one more queue to bound), shared words without a
 * lock. We take the last: every field is a word of its own that any worker may read and write,
 * relaxed. Writes can be lost, in two races: two workers count the same failure as one, or
 * housekeeping replaces the list just when a worker writes to the old one. Neither needs repair:
 * checks are repeated, and what really fails fails again. A request that goes well writes nothing
 * unless there were failures, so that the words stay in the caches of all workers.
 *
 * A policy (struct image_health) decides what of it counts: without checks nothing is unhealthy,
 * without a number of failures nothing is ejected. So a policy that goes leaves no trace.
 *
 * Times are the workers' monotonic microseconds. Thread: any, but endpoint_health_carry(). Bound:
 * ENDPOINTS_PER_GROUP_MAX.
 */
#pragma once

#include "abi/image_format.h"
#include "core/endpoint_table.h"

#include <stdbool.h>
#include <stdint.h>

/* What checks found. */
enum endpoint_checked {
    ENDPOINT_CHECK_UNKNOWN, /* counts as healthy: who is READY is so by its own word */
    ENDPOINT_CHECK_HEALTHY,
    ENDPOINT_CHECK_UNHEALTHY,
};

/* All fields by __atomic_*, relaxed. A new endpoint's are zero. */
struct endpoint_health {
    uint32_t checked;          /* enum endpoint_checked */
    int32_t streak;            /* checks in a row: so many good ones, or -so many bad ones */
    uint32_t failures;         /* requests in a row that failed */
    uint32_t ejections;        /* in a row, see endpoint_health_note() */
    uint64_t ejected_until_us; /* 0: never was */
    uint64_t since_us;         /* when it began to get requests beside others; 0: long ago */
};

/* What became of a request that was noted. */
enum endpoint_noted {
    ENDPOINT_NOTED,          /* no more */
    ENDPOINT_NOTED_EJECTED,  /* its endpoint is ejected by this */
    ENDPOINT_NOTED_TOO_MANY, /* its endpoint would be, but too many are */
};

/* A check of the endpoint at `index` ended. True: by this it became healthy or unhealthy, which
 * g->health[index].checked says. One checker an endpoint. */
bool endpoint_health_report(const struct endpoint_group *g, uint32_t index, bool is_ok,
                            const struct image_health *policy, uint64_t now_us);

/* Somebody begins to check the endpoint at `index`: what checks found before is forgotten. */
void endpoint_health_forget(const struct endpoint_group *g, uint32_t index);

/*
 * A request to the endpoint at `index` ended. policy->failures in a row eject it, for
 * base_ejection_ms times the number of its ejections in a row, max_ejection_ms at most; who kept
 * well for max_ejection_ms begins anew. While others are ejected no more than max_ejected_percent
 * of the READY ones may be; one of several always may. Workers that eject at the same moment can
 * go beyond that by one each.
 */
enum endpoint_noted endpoint_health_note(const struct endpoint_group *g, uint32_t index, bool is_ok,
                                         const struct image_health *policy, uint64_t now_us);

/* Neither unhealthy nor ejected, as far as the policy counts it? Whether it is READY is not asked.
 */
static inline bool endpoint_health_is_usable(const struct endpoint_health *h,
                                             const struct image_health *policy, uint64_t now_us)
{
    bool is_unhealthy = policy->check != IMAGE_HEALTH_CHECK_NONE &&
                        __atomic_load_n(&h->checked, __ATOMIC_RELAXED) == ENDPOINT_CHECK_UNHEALTHY;
    bool is_ejected =
        policy->failures != 0 && __atomic_load_n(&h->ejected_until_us, __ATOMIC_RELAXED) > now_us;
    return !is_unhealthy && !is_ejected;
}

/* The full share of the requests, and the least. The full share of 1,000 endpoints of the greatest
 * weight fits 32 bits. */
#define ENDPOINT_SHARE_FULL 64u
#define ENDPOINT_SHARE_LEAST 7u /* about a tenth */

/* What part of its weight the endpoint has in its slow start: it grows evenly from LEAST to FULL in
 * policy->slow_start_ms since it began, came back healthy, or was let in again. */
uint32_t endpoint_health_share(const struct endpoint_health *h, const struct image_health *policy,
                               uint64_t now_us);

/*
 * Takes over what is known of the endpoints of `old` that `list`, which nobody reads yet, has, too.
 * One that becomes READY beside others that were begins its slow start; where none was, nobody
 * does. Cost: linear where both are in the same order. Thread: housekeeping.
 */
void endpoint_health_carry(const struct endpoint_group *old, struct endpoint_group *list,
                           uint64_t now_us);
