/* SPDX-License-Identifier: Apache-2.0 */
/* Housekeeping's side of the lanes: obs/lane.h says who may touch what. */
#include "obs/hub.h"

#include "base/assert.h"
#include "obs/obs.h"

#include <stdlib.h>
#include <string.h>

#define OBS_WORKERS_MAX 64u /* a request names them by the bits of a word */

struct obs_hub {
    unsigned workers;
    bool is_used[OBS_SLOTS_MAX];
    unsigned next[OBS_SLOTS_MAX]; /* whose record obs_hub_peek() gives next */
    struct obs_box *boxes[OBS_WORKERS_MAX];
};

struct obs_hub *obs_hub_new(unsigned workers)
{
    ASSERT(workers >= 1 && workers <= OBS_WORKERS_MAX);
    struct obs_hub *hub = calloc(1, sizeof(*hub));
    if (hub == NULL)
        return NULL;
    hub->workers = workers;
    for (unsigned i = 0; i < workers; i++) {
        hub->boxes[i] = aligned_alloc(64, sizeof(struct obs_box));
        if (hub->boxes[i] == NULL) {
            obs_hub_free(hub);
            return NULL;
        }
        memset(hub->boxes[i], 0, sizeof(struct obs_box)); /* no worker meets a page first */
        hub->boxes[i]->worker = (uint8_t)i;
    }
    return hub;
}

void obs_hub_free(struct obs_hub *hub)
{
    if (hub == NULL)
        return;
    for (unsigned i = 0; i < hub->workers; i++)
        free(hub->boxes[i]);
    free(hub);
}

void obs_join(struct obs_hub *hub, unsigned worker, struct obs *ret)
{
    ASSERT(worker < hub->workers);
    *ret = (struct obs){.box = hub->boxes[worker], .heard = hub->boxes[worker]->bell - 1};
}

static struct obs_lane *lane_of(struct obs_hub *hub, unsigned slot, unsigned worker)
{
    ASSERT(slot < OBS_SLOTS_MAX && worker < hub->workers);
    return &hub->boxes[worker]->lanes[slot];
}

/* Does the worker follow what is wanted? */
static bool is_followed(const struct obs_lane *lane)
{
    return __atomic_load_n(&lane->answered, __ATOMIC_ACQUIRE) == lane->wanted;
}

/* And is there nothing that it looks at? */
static bool is_over(const struct obs_lane *lane)
{
    return is_followed(lane) && !__atomic_load_n(&lane->is_on, __ATOMIC_ACQUIRE);
}

static bool is_free(const struct obs_lane *lane)
{
    return (lane->wanted & 1) == 0 && is_over(lane);
}

static void want(struct obs_hub *hub, unsigned worker, struct obs_lane *lane)
{
    struct obs_box *box = hub->boxes[worker];
    __atomic_store_n(&lane->wanted, lane->wanted + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&box->bell, box->bell + 1, __ATOMIC_RELEASE);
}

static void throw_away(struct obs_ring *ring)
{
    const struct observe_record *record;
    while ((record = obs_ring_peek(ring)) != NULL)
        obs_ring_drop(ring, record);
}

/* A slot whose lanes are all free. */
static bool find_slot(struct obs_hub *hub, unsigned *ret_slot)
{
    for (unsigned slot = 0; slot < OBS_SLOTS_MAX; slot++) {
        bool is_usable = !hub->is_used[slot];
        for (unsigned i = 0; i < hub->workers && is_usable; i++)
            is_usable = is_free(lane_of(hub, slot, i));
        if (is_usable) {
            *ret_slot = slot;
            return true;
        }
    }
    return false;
}

static void begin_lane(struct obs_lane *lane, const struct control_observe *request)
{
    ASSERT(is_free(lane));
    throw_away(&lane->ring); /* what nobody fetched of the one before */
    lane->request = *request;
    lane->is_whole = false;
    lane->cursor = 0;
    lane->records = 0;
    lane->bytes = 0;
    lane->lost = 0;
    lane->looked = 0;
}

static bool is_asked(const struct control_observe *request, unsigned worker)
{
    return (request->workers >> worker & 1) != 0;
}

bool obs_hub_begin(struct obs_hub *hub, const struct control_observe *request, unsigned *ret_slot)
{
    unsigned slot;
    if (!find_slot(hub, &slot))
        return false;
    hub->is_used[slot] = true;
    for (unsigned i = 0; i < hub->workers; i++) {
        struct obs_lane *lane = lane_of(hub, slot, i);
        begin_lane(lane, request);
        if (is_asked(request, i))
            want(hub, i, lane);
    }
    *ret_slot = slot;
    return true;
}

void obs_hub_end(struct obs_hub *hub, unsigned slot)
{
    ASSERT(hub->is_used[slot]);
    for (unsigned i = 0; i < hub->workers; i++) {
        struct obs_lane *lane = lane_of(hub, slot, i);
        if (lane->wanted & 1)
            want(hub, i, lane);
    }
}

bool obs_hub_has_begun(struct obs_hub *hub, unsigned slot)
{
    ASSERT(hub->is_used[slot]);
    for (unsigned i = 0; i < hub->workers; i++) {
        if (!is_followed(lane_of(hub, slot, i)))
            return false;
    }
    return true;
}

const struct observe_record *obs_hub_peek(struct obs_hub *hub, unsigned slot)
{
    ASSERT(hub->is_used[slot]);
    for (unsigned n = 0; n < hub->workers; n++) {
        unsigned i = (hub->next[slot] + n) % hub->workers;
        const struct observe_record *record = obs_ring_peek(&lane_of(hub, slot, i)->ring);
        if (record == NULL)
            continue;
        hub->next[slot] = i;
        return record;
    }
    return NULL;
}

void obs_hub_drop(struct obs_hub *hub, unsigned slot, const struct observe_record *record)
{
    unsigned worker = record->worker;
    obs_ring_drop(&lane_of(hub, slot, worker)->ring, record);
    hub->next[slot] = (worker + 1) % hub->workers;
}

bool obs_hub_is_over(struct obs_hub *hub, unsigned slot)
{
    ASSERT(hub->is_used[slot]);
    for (unsigned i = 0; i < hub->workers; i++) {
        if (!is_over(lane_of(hub, slot, i)))
            return false;
    }
    return obs_hub_peek(hub, slot) == NULL;
}

void obs_hub_totals(struct obs_hub *hub, unsigned slot, struct control_observed *ret)
{
    struct control_observed sum = {.is_whole = 1};
    for (unsigned i = 0; i < hub->workers; i++) {
        const struct obs_lane *lane = lane_of(hub, slot, i);
        if (!is_asked(&lane->request, i))
            continue;
        sum.records += __atomic_load_n(&lane->records, __ATOMIC_RELAXED);
        sum.bytes += __atomic_load_n(&lane->bytes, __ATOMIC_RELAXED);
        sum.lost += __atomic_load_n(&lane->lost, __ATOMIC_RELAXED);
        sum.looked += __atomic_load_n(&lane->looked, __ATOMIC_RELAXED);
        sum.is_whole &= __atomic_load_n(&lane->is_whole, __ATOMIC_RELAXED);
    }
    *ret = sum;
}

void obs_hub_release(struct obs_hub *hub, unsigned slot)
{
    obs_hub_end(hub, slot);
    hub->is_used[slot] = false;
}
