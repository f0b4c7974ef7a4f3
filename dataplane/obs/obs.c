/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's side of its lanes: obs/lane.h says who may touch what. */
#include "obs/obs.h"

#include "base/assert.h"

/* What the data path looks at follows the lanes. */
static void set_watching(struct obs *o)
{
    uint32_t watching = 0;
    for (unsigned i = 0; i < OBS_SLOTS_MAX; i++) {
        const struct obs_lane *lane = &o->box->lanes[i];
        if (lane->is_on)
            watching |= 1u << lane->request.kind;
    }
    o->watching = watching;
}

/* Follows what is wanted of one lane. True: it was news. */
static bool take_news(struct obs_lane *lane)
{
    uint32_t wanted = __atomic_load_n(&lane->wanted, __ATOMIC_ACQUIRE);
    if (wanted == lane->answered)
        return false;
    __atomic_store_n(&lane->is_on, (wanted & 1) != 0, __ATOMIC_RELAXED);
    __atomic_store_n(&lane->answered, wanted, __ATOMIC_RELEASE);
    return true;
}

unsigned obs_poll(struct obs *o)
{
    if (o->box == NULL)
        return 0;
    uint32_t bell = __atomic_load_n(&o->box->bell, __ATOMIC_ACQUIRE);
    if (__builtin_expect(bell == o->heard, 1))
        return 0;
    unsigned n = 0;
    o->heard = bell;
    for (unsigned i = 0; i < OBS_SLOTS_MAX; i++)
        n += take_news(&o->box->lanes[i]);
    set_watching(o);
    return n;
}

struct obs_lane *obs_lane_next(struct obs *o, enum observe_kind kind, const struct obs_lane *last)
{
    if (o->box == NULL)
        return NULL;
    unsigned i = last == NULL ? 0 : (unsigned)(last - o->box->lanes) + 1;
    for (; i < OBS_SLOTS_MAX; i++) {
        struct obs_lane *lane = &o->box->lanes[i];
        if (lane->is_on && lane->request.kind == kind)
            return lane;
    }
    return NULL;
}

void *obs_take(struct obs *o, struct obs_lane *lane, enum observe_record_type type, uint32_t bytes,
               uint64_t now_us)
{
    ASSERT_HOT(lane->is_on);
    struct observe_record *record = obs_ring_reserve(&lane->ring, type, bytes);
    if (record == NULL)
        return NULL;
    record->worker = o->box->worker;
    record->time_us = now_us;
    return record;
}

void obs_put(struct obs *o, struct obs_lane *lane, const void *record)
{
    const struct observe_record *head = record;
    ASSERT_HOT(lane->is_on);
    lane->records++;
    lane->bytes += head->bytes;
    obs_ring_commit(&lane->ring, record);
    if (lane->records >= lane->request.records_max || lane->bytes >= lane->request.bytes_max)
        obs_finish(o, lane, false);
}

void obs_finish(struct obs *o, struct obs_lane *lane, bool is_whole)
{
    ASSERT(lane->is_on);
    lane->is_whole = is_whole;
    __atomic_store_n(&lane->is_on, false, __ATOMIC_RELEASE);
    set_watching(o);
}
