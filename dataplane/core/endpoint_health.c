/* SPDX-License-Identifier: Apache-2.0 */
/* Words that all workers share, without a lock. See the header for why that is enough. */
#include "core/endpoint_health.h"

#include "base/assert.h"
#include "base/minmax.h"

#define STREAK_MAX ((int32_t)IMAGE_HEALTH_COUNT_MAX) /* longer ones tell no more */

static uint32_t get32(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static uint64_t get64(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static void set32(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static void set64(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* The streak with one more check. */
static int32_t streak_with(int32_t streak, bool is_ok)
{
    if (is_ok)
        return streak < 0 ? 1 : streak + (streak < STREAK_MAX);
    return streak > 0 ? -1 : streak - (streak > -STREAK_MAX);
}

bool endpoint_health_report(const struct endpoint_group *g, uint32_t index, bool is_ok,
                            const struct image_health *policy, uint64_t now_us)
{
    ASSERT(index < g->count && policy->check != IMAGE_HEALTH_CHECK_NONE);
    struct endpoint_health *h = &g->health[index];
    int32_t streak = streak_with(__atomic_load_n(&h->streak, __ATOMIC_RELAXED), is_ok);
    __atomic_store_n(&h->streak, streak, __ATOMIC_RELAXED);
    uint32_t was = get32(&h->checked);
    if (streak >= policy->healthy_checks && was != ENDPOINT_CHECK_HEALTHY) {
        if (was == ENDPOINT_CHECK_UNHEALTHY)
            set64(&h->since_us, now_us);
        set32(&h->checked, ENDPOINT_CHECK_HEALTHY);
        return true;
    }
    if (-streak >= policy->unhealthy_checks && was != ENDPOINT_CHECK_UNHEALTHY) {
        set32(&h->checked, ENDPOINT_CHECK_UNHEALTHY);
        return true;
    }
    return false;
}

void endpoint_health_forget(const struct endpoint_group *g, uint32_t index)
{
    ASSERT(index < g->count);
    __atomic_store_n(&g->health[index].streak, 0, __ATOMIC_RELAXED);
    set32(&g->health[index].checked, ENDPOINT_CHECK_UNKNOWN);
}

/* May one more of the group be ejected? */
static bool may_eject(const struct endpoint_group *g, uint32_t percent, uint64_t now_us)
{
    uint32_t ready = 0, ejected = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        if ((g->endpoints[i].flags & ENDPOINT_READY) == 0)
            continue;
        ready++;
        ejected += get64(&g->health[i].ejected_until_us) > now_us;
    }
    return ready > 1 && (ejected == 0 || (ejected + 1) * 100 <= ready * percent);
}

/* Of the workers that find it due at the same moment, one ejects. */
static enum endpoint_noted eject(struct endpoint_health *h, const struct image_health *policy,
                                 uint64_t now_us)
{
    uint64_t before_us = get64(&h->ejected_until_us);
    if (before_us > now_us)
        return ENDPOINT_NOTED;
    uint64_t max_us = (uint64_t)policy->max_ejection_ms * 1000;
    bool is_in_a_row = before_us != 0 && now_us - before_us <= max_us;
    uint64_t n = is_in_a_row ? get32(&h->ejections) + 1ull : 1;
    uint64_t until_us = now_us + min64(n * policy->base_ejection_ms * 1000, max_us);
    if (!__atomic_compare_exchange_n(&h->ejected_until_us, &before_us, until_us, false,
                                     __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        return ENDPOINT_NOTED;
    set32(&h->ejections, (uint32_t)min64(n, UINT32_MAX));
    set32(&h->failures, 0);
    return ENDPOINT_NOTED_EJECTED;
}

enum endpoint_noted endpoint_health_note(const struct endpoint_group *g, uint32_t index, bool is_ok,
                                         const struct image_health *policy, uint64_t now_us)
{
    ASSERT(index < g->count && policy->failures != 0);
    struct endpoint_health *h = &g->health[index];
    if (is_ok) {
        if (get32(&h->failures) != 0)
            set32(&h->failures, 0);
        return ENDPOINT_NOTED;
    }
    if (get64(&h->ejected_until_us) > now_us)
        return ENDPOINT_NOTED; /* it was under way, or nobody better was left */
    uint32_t n = __atomic_add_fetch(&h->failures, 1, __ATOMIC_RELAXED);
    if (n < policy->failures)
        return ENDPOINT_NOTED;
    if (!may_eject(g, policy->max_ejected_percent, now_us))
        return ENDPOINT_NOTED_TOO_MANY;
    return eject(h, policy, now_us);
}

uint32_t endpoint_health_share(const struct endpoint_health *h, const struct image_health *policy,
                               uint64_t now_us)
{
    uint64_t since_us = get64(&h->since_us);
    if (policy->failures != 0)
        since_us = max64(since_us, get64(&h->ejected_until_us));
    uint64_t window_us = (uint64_t)policy->slow_start_ms * 1000;
    if (since_us == 0 || now_us >= since_us + window_us)
        return ENDPOINT_SHARE_FULL;
    uint64_t age_us = now_us > since_us ? now_us - since_us : 0;
    uint64_t grown = (ENDPOINT_SHARE_FULL - ENDPOINT_SHARE_LEAST) * age_us / window_us;
    return ENDPOINT_SHARE_LEAST + (uint32_t)grown;
}

static struct endpoint_health copy_of(const struct endpoint_health *h)
{
    return (struct endpoint_health){.checked = get32(&h->checked),
                                    .streak = __atomic_load_n(&h->streak, __ATOMIC_RELAXED),
                                    .failures = get32(&h->failures),
                                    .ejections = get32(&h->ejections),
                                    .ejected_until_us = get64(&h->ejected_until_us),
                                    .since_us = get64(&h->since_us)};
}

/* The index in `old` of an endpoint, looked for from `at` on: that is where it is when both lists
 * are in one order. UINT32_MAX: it is not there. */
static uint32_t find_from(const struct endpoint_group *old, const struct endpoint *e, uint32_t at)
{
    for (uint32_t k = 0; k < old->count; k++) {
        uint32_t i = at + k < old->count ? at + k : at + k - old->count;
        if (old->endpoints[i].port == e->port && ip_addr_eq(&old->endpoints[i].addr, &e->addr))
            return i;
    }
    return UINT32_MAX;
}

void endpoint_health_carry(const struct endpoint_group *old, struct endpoint_group *list,
                           uint64_t now_us)
{
    ASSERT(old->group == list->group && old->health != list->health);
    bool has_stayed = false; /* somebody was READY and is */
    uint32_t at = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        uint32_t found = find_from(old, &list->endpoints[i], at);
        bool is_ready = (list->endpoints[i].flags & ENDPOINT_READY) != 0, was_ready = false;
        if (found != UINT32_MAX) {
            list->health[i] = copy_of(&old->health[found]);
            was_ready = (old->endpoints[found].flags & ENDPOINT_READY) != 0;
            at = found + 1 < old->count ? found + 1 : 0;
        }
        has_stayed |= is_ready && was_ready;
        if (is_ready && !was_ready)
            list->health[i].since_us = now_us;
    }
    for (uint32_t i = 0; !has_stayed && i < list->count; i++)
        list->health[i].since_us = 0;
}
