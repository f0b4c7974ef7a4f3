/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of records; see obs/ring.h. Cost: O(1), a shared cache line only when it looks full. */
#include "obs/ring.h"

#include "base/assert.h"

#include <stddef.h>

#define MASK (OBS_RING_BYTES_MAX - 1)

_Static_assert((OBS_RING_BYTES_MAX & MASK) == 0, "positions are masked");
_Static_assert(sizeof(struct observe_record) % 8 == 0, "a pad of 8 bytes has a length at least");

static struct observe_record *at(struct obs_ring *r, uint64_t position)
{
    return (struct observe_record *)(r->bytes + (position & MASK));
}

static bool has_room(struct obs_ring *r, uint64_t bytes)
{
    if (r->head + bytes - r->tail_seen <= OBS_RING_BYTES_MAX)
        return true;
    r->tail_seen = __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
    ASSERT_HOT(r->tail_seen <= r->head);
    return r->head + bytes - r->tail_seen <= OBS_RING_BYTES_MAX;
}

void *obs_ring_reserve(struct obs_ring *r, enum observe_record_type type, uint32_t bytes)
{
    uint32_t whole = (bytes + 7) & ~7u;
    uint32_t before_end = OBS_RING_BYTES_MAX - (uint32_t)(r->head & MASK);
    uint32_t pad = whole > before_end ? before_end : 0;
    ASSERT_HOT(bytes >= sizeof(struct observe_record) && whole <= UINT16_MAX);
    if (!has_room(r, (uint64_t)pad + whole))
        return NULL;
    if (pad > 0) {
        struct observe_record *filler = at(r, r->head);
        filler->bytes = (uint16_t)pad; /* less than the record that it makes place for */
        filler->type = OBSERVE_RECORD_PAD;
        __atomic_store_n(&r->head, r->head + pad, __ATOMIC_RELEASE);
    }
    struct observe_record *record = at(r, r->head);
    record->bytes = (uint16_t)whole;
    record->type = (uint8_t)type;
    record->reserved = 0;
    return record;
}

void obs_ring_commit(struct obs_ring *r, const void *record)
{
    ASSERT_HOT(record == at(r, r->head));
    __atomic_store_n(&r->head, r->head + at(r, r->head)->bytes, __ATOMIC_RELEASE);
}

const struct observe_record *obs_ring_peek(struct obs_ring *r)
{
    uint64_t head = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE);
    while (r->tail != head) {
        const struct observe_record *record = at(r, r->tail);
        if (record->type != OBSERVE_RECORD_PAD)
            return record;
        obs_ring_drop(r, record);
    }
    return NULL;
}

void obs_ring_drop(struct obs_ring *r, const struct observe_record *record)
{
    ASSERT(record == at(r, r->tail));
    __atomic_store_n(&r->tail, r->tail + record->bytes, __ATOMIC_RELEASE);
}
