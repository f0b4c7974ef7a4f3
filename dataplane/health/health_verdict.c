/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the end of a check says of its endpoint, and to whom. A verdict goes into the list that is
 * in force when it falls; what is missing on our own side is none.
 */
#include "base/assert.h"
#include "health/health_priv.h"

enum verdict { VERDICT_NONE, VERDICT_GOOD, VERDICT_BAD };

/* By enum health_end. */
static const struct {
    enum stat_id counter;
    enum verdict verdict;
} ends[] = {
#define X(name, verdict, help) {STAT_health_end_##name, VERDICT_##verdict},
    HEALTH_END_LIST(X)
#undef X
};

bool health_check_place(const struct health *h, const struct health_check *c,
                        struct health_place *ret)
{
    struct health_place at;
    if (!health_place_find(h, &c->probe->id, &at) || at.policy->check != c->type)
        return false;
    *ret = at;
    return true;
}

/* What the endpoint has become, for who looks on. */
static void note_change(struct health *h, struct health_probe *p, bool is_unhealthy)
{
    if (is_unhealthy == p->is_unhealthy)
        return; /* healthy, and was not known before */
    p->is_unhealthy = is_unhealthy;
    stat_inc(h->core, is_unhealthy ? STAT_health_became_unhealthy : STAT_health_became_healthy);
    h->core->stats->counters[STAT_health_unhealthy_now] += is_unhealthy ? 1 : -1ull;
}

/* Tells those who choose endpoints. False: nobody wants to know any more. */
static bool report(struct health *h, const struct health_check *c, bool is_good)
{
    struct health_place at;
    if (!health_check_place(h, c, &at))
        return false;
    if (endpoint_health_report(at.list, at.index, is_good, at.policy, h->core->now_us)) {
        uint32_t checked = __atomic_load_n(&at.list->health[at.index].checked, __ATOMIC_RELAXED);
        note_change(h, c->probe, checked == ENDPOINT_CHECK_UNHEALTHY);
    }
    return true;
}

void health_check_decide(struct health *h, struct health_check *c, enum health_end end)
{
    ASSERT(!c->is_decided && (unsigned)end < HEALTH_END_COUNT);
    enum verdict verdict = ends[end].verdict;
    if (verdict != VERDICT_NONE && !report(h, c, verdict == VERDICT_GOOD))
        end = HEALTH_END_gone;
    c->is_decided = true;
    stat_inc(h->core, ends[end].counter);
}

enum health_end health_end_of(enum stream_end end)
{
    switch (end) {
    case STREAM_END_REFUSED:
        return HEALTH_END_refused;
    case STREAM_END_TIMEOUT:
        return HEALTH_END_timeout;
    case STREAM_END_UNREACHABLE:
        return HEALTH_END_unreachable;
    case STREAM_END_NO_RESOURCES:
        return HEALTH_END_not_asked;
    case STREAM_END_PROTOCOL:
        return HEALTH_END_fault;
    default:
        return HEALTH_END_closed;
    }
}
