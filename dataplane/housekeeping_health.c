/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many endpoints rest now. Ejection ends by time, so nobody could count it down: housekeeping
 * looks, a part of the groups a poll, and tells the sum when it has been through all that have a
 * policy. Thread: housekeeping.
 */
#include "core/endpoint_health.h"
#include "housekeeping_priv.h"

/* Endpoints looked at in one poll: some ten microseconds. The last group may go beyond. */
#define EJECTED_LOOKS_PER_POLL_MAX 4096u

static uint32_t count_group(const struct endpoint_group *g, uint64_t now_us)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->count; i++)
        n += __atomic_load_n(&g->health[i].ejected_until_us, __ATOMIC_RELAXED) > now_us;
    return n;
}

void housekeeping_count_ejected(struct housekeeping *h)
{
    struct ejected_count *c = &h->ejected;
    struct generation *current = generation_current(h->generations);
    if (current == NULL)
        return;
    const struct image_view *v = generation_view(current);
    if (v->header->generation != c->generation)
        *c = (struct ejected_count){.generation = v->header->generation};
    uint64_t now_us = h->now_us();
    for (uint32_t looks = 0; c->row < v->n_health && looks < EJECTED_LOOKS_PER_POLL_MAX; looks++) {
        const struct image_health *policy = &v->health[c->row++];
        const struct endpoint_group *g = endpoint_group_get(h->endpoints, policy->group);
        if (policy->failures == 0 || g == NULL)
            continue;
        c->sum += count_group(g, now_us);
        looks += g->count;
    }
    if (c->row < v->n_health)
        return;
    h->stats->counters[STAT_upstream_ejected_now] = c->sum;
    c->row = 0;
    c->sum = 0;
}
