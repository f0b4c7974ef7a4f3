/* SPDX-License-Identifier: Apache-2.0 */
/* See route_table.h. A lookup looks at all of an id's slots, so one that becomes free breaks no
 * chain. */
#include "core/route_table.h"

#include "base/assert.h"
#include "base/minmax.h"

#include <stdbool.h>
#include <string.h>

#define NAME_OTHERS "(others)" /* no name of an object has parentheses */

uint32_t route_table_slots(uint32_t n_places)
{
    uint32_t n = ROUTE_PROBES_MAX;
    while (n < 2 * n_places)
        n *= 2;
    return n;
}

/* The place becomes a route's. A reader who sees an odd version looks again. */
static void give(struct stats_route *place, uint64_t id, struct slice name, uint64_t now_us)
{
    uint64_t version = place->version;
    ASSERT(version % 2 == 0);
    __atomic_store_n(&place->version, version + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    memset(&place->id, 0, sizeof(*place) - offsetof(struct stats_route, id));
    place->id = id;
    place->used_us = now_us;
    memcpy(place->name, name.ptr, min64(name.len, STATS_ROUTE_NAME_BYTES - 1));
    __atomic_store_n(&place->version, version + 2, __ATOMIC_RELEASE);
}

void route_table_init(struct route_table *t, struct stats_route *places, uint32_t n_places,
                      struct route_slot *slots)
{
    ASSERT(n_places >= 2 && places[0].version == 0);
    *t = (struct route_table){
        .places = places,
        .n_places = n_places,
        .used = 1,
        .hand = 1,
        .slots = slots,
        .n_slots = route_table_slots(n_places),
    };
    give(&places[0], 0, SLICE_LIT(NAME_OTHERS), 0);
}

static struct route_slot *slot_at(const struct route_table *t, uint64_t id, uint32_t probe)
{
    return &t->slots[((uint32_t)id + probe) & (t->n_slots - 1)];
}

static bool is_at(const struct route_table *t, const struct route_slot *slot, uint64_t id)
{
    return slot->place != 0 && slot->tag == (uint32_t)(id >> 32) && t->places[slot->place].id == id;
}

/* The slot of an id, or a free one for it; NULL: there is none. */
static struct route_slot *find(const struct route_table *t, uint64_t id, bool is_free)
{
    for (uint32_t i = 0; i < ROUTE_PROBES_MAX; i++) {
        struct route_slot *slot = slot_at(t, id, i);
        if (is_free ? slot->place == 0 : is_at(t, slot, id))
            return slot;
    }
    return NULL;
}

struct stats_route *route_table_find(const struct route_table *t, uint64_t id)
{
    const struct route_slot *slot = find(t, id, false);
    return &t->places[slot != NULL ? slot->place : 0];
}

/* A place that no route has used for long; 0: there is none here. Its slot is free then. */
static uint32_t take_old(struct route_table *t, uint64_t now_us)
{
    for (uint32_t i = 0; i < ROUTE_LOOKS_MAX; i++) {
        uint32_t place = t->hand;
        t->hand = place + 1 < t->n_places ? place + 1 : 1;
        if (now_us < t->places[place].used_us + ROUTE_KEEP_US)
            continue;
        struct route_slot *slot = find(t, t->places[place].id, false);
        ASSERT(slot != NULL && slot->place == place);
        *slot = (struct route_slot){0};
        return place;
    }
    return 0;
}

struct stats_route *route_table_get(struct route_table *t, uint64_t id, struct slice name,
                                    uint64_t now_us, enum route_found *ret_found)
{
    ASSERT(id != 0);
    struct route_slot *slot = find(t, id, false);
    *ret_found = ROUTE_FOUND;
    if (slot != NULL)
        return &t->places[slot->place];
    slot = find(t, id, true);
    *ret_found = ROUTE_NO_PLACE;
    if (slot == NULL)
        return &t->places[0];
    bool has_free = t->used < t->n_places;
    uint32_t place = has_free ? t->used++ : take_old(t, now_us);
    if (place == 0)
        return &t->places[0];
    *ret_found = has_free ? ROUTE_NEW : ROUTE_REPLACED;
    *slot = (struct route_slot){.tag = (uint32_t)(id >> 32), .place = place};
    give(&t->places[place], id, name, now_us);
    return &t->places[place];
}
