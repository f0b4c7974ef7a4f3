/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records from one thread to another: a ring of bytes with one writer and one reader. Records lie
 * in one piece; where one does not fit before the end, a pad record fills the rest. Nobody waits:
 * no room is an answer.
 *
 * Owner: the hub. Thread: writer's functions the worker, reader's functions housekeeping.
 */
#pragma once

#include "abi/observe.h"
#include "obs/obs_limits.h"

struct obs_ring {
    _Alignas(64) uint64_t head; /* bytes ever written; the writer's */
    uint64_t tail_seen;         /* the writer's latest look at tail */
    _Alignas(64) uint64_t tail; /* bytes ever read; the reader's */
    _Alignas(64) uint8_t bytes[OBS_RING_BYTES_MAX];
};

/* Room for a record of `bytes`, with its head filled in but for the time and the worker; NULL:
 * there is none. Seen by the reader after obs_ring_commit(). Writer. */
void *obs_ring_reserve(struct obs_ring *r, enum observe_record_type type, uint32_t bytes);

/* The record that was reserved last is whole. Writer. */
void obs_ring_commit(struct obs_ring *r, const void *record);

/* The oldest record; NULL: none is there. It stays where it is until obs_ring_drop(). Reader. */
const struct observe_record *obs_ring_peek(struct obs_ring *r);

/* Done with what obs_ring_peek() gave. Reader. */
void obs_ring_drop(struct obs_ring *r, const struct observe_record *record);
