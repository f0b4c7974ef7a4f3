/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of one direction that wait for their time: a binary heap ordered by due time, then by
 * arrival, over a fixed set of frame buffers. A full queue drops the newcomer, as a link's queue
 * does.
 *
 * Owner: the link. Thread: one. Bound: IMPAIR_QUEUE_FRAMES.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define IMPAIR_QUEUE_FRAMES                                                                        \
    16384u /* a second of 100-byte frames at 13 Mbit/s, 64 ms at 3 Gbit/s                          \
            */
#define IMPAIR_FRAME_BYTES                                                                         \
    2048u /* ethernet with 1,500 bytes of payload, two VLAN tags, and room                         \
           */

struct impair_frame {
    uint64_t due_us;
    uint64_t order; /* of arrival: keeps frames of the same due time in order */
    uint32_t length;
    uint8_t bytes[IMPAIR_FRAME_BYTES];
};

struct impair_queue {
    struct impair_frame *frames; /* the buffers, never moved */
    uint32_t *heap;              /* indices of those that wait, heap[0] is due first */
    uint32_t *spare;             /* indices of the others */
    uint32_t n_waiting;
    uint64_t order_next;
};

/* Takes the memory. False: there is none. */
bool impair_queue_init(struct impair_queue *q);

/* Gives the memory back. */
void impair_queue_done(struct impair_queue *q);

/* A spare buffer to fill, or NULL when the queue is full. It stays spare until it is pushed. */
struct impair_frame *impair_queue_spare(struct impair_queue *q);

/* Puts the buffer that impair_queue_spare() just gave into the queue. */
void impair_queue_push(struct impair_queue *q, uint64_t due_us);

/* The frame that is due first, or NULL. */
const struct impair_frame *impair_queue_peek(const struct impair_queue *q);

/* Drops what impair_queue_peek() shows. */
void impair_queue_pop(struct impair_queue *q);

/* The `n` frames that are due first at `now_us`, popped, at most `max`; they stay valid until the
 * next impair_queue_spare(). Returns how many. */
uint32_t impair_queue_take_due(struct impair_queue *q, uint64_t now_us,
                               const struct impair_frame **ret, uint32_t max);
