/* SPDX-License-Identifier: Apache-2.0 */
/* A heap of waiting frames; see queue.h. */
#include "queue.h"

#include <assert.h>
#include <stdlib.h>

bool impair_queue_init(struct impair_queue *q)
{
    *q = (struct impair_queue){
        .frames = calloc(IMPAIR_QUEUE_FRAMES, sizeof(struct impair_frame)),
        .heap = calloc(IMPAIR_QUEUE_FRAMES, sizeof(uint32_t)),
        .spare = calloc(IMPAIR_QUEUE_FRAMES, sizeof(uint32_t)),
    };
    if (q->frames == NULL || q->heap == NULL || q->spare == NULL) {
        impair_queue_done(q);
        return false;
    }
    for (uint32_t i = 0; i < IMPAIR_QUEUE_FRAMES; i++)
        q->spare[i] = IMPAIR_QUEUE_FRAMES - 1 - i;
    return true;
}

void impair_queue_done(struct impair_queue *q)
{
    free(q->frames);
    free(q->heap);
    free(q->spare);
    *q = (struct impair_queue){0};
}

static bool is_before(const struct impair_queue *q, uint32_t a, uint32_t b)
{
    const struct impair_frame *x = &q->frames[a];
    const struct impair_frame *y = &q->frames[b];
    return x->due_us != y->due_us ? x->due_us < y->due_us : x->order < y->order;
}

static void swap(uint32_t *heap, uint32_t i, uint32_t j)
{
    uint32_t held = heap[i];
    heap[i] = heap[j];
    heap[j] = held;
}

struct impair_frame *impair_queue_spare(struct impair_queue *q)
{
    if (q->n_waiting == IMPAIR_QUEUE_FRAMES)
        return NULL;
    return &q->frames[q->spare[IMPAIR_QUEUE_FRAMES - 1 - q->n_waiting]];
}

void impair_queue_push(struct impair_queue *q, uint64_t due_us)
{
    assert(q->n_waiting < IMPAIR_QUEUE_FRAMES);
    uint32_t index = q->spare[IMPAIR_QUEUE_FRAMES - 1 - q->n_waiting];
    q->frames[index].due_us = due_us;
    q->frames[index].order = q->order_next++;
    uint32_t at = q->n_waiting++;
    q->heap[at] = index;
    while (at > 0 && is_before(q, q->heap[at], q->heap[(at - 1) / 2])) {
        swap(q->heap, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

const struct impair_frame *impair_queue_peek(const struct impair_queue *q)
{
    return q->n_waiting > 0 ? &q->frames[q->heap[0]] : NULL;
}

void impair_queue_pop(struct impair_queue *q)
{
    assert(q->n_waiting > 0);
    uint32_t freed = q->heap[0];
    q->n_waiting--;
    q->heap[0] = q->heap[q->n_waiting];
    q->spare[IMPAIR_QUEUE_FRAMES - 1 - q->n_waiting] = freed;
    uint32_t at = 0;
    for (;;) {
        uint32_t first = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < q->n_waiting; child++) {
            if (is_before(q, q->heap[child], q->heap[first]))
                first = child;
        }
        if (first == at)
            return;
        swap(q->heap, at, first);
        at = first;
    }
}

uint32_t impair_queue_take_due(struct impair_queue *q, uint64_t now_us,
                               const struct impair_frame **ret, uint32_t max)
{
    uint32_t n = 0;
    const struct impair_frame *first;
    while (n < max && (first = impair_queue_peek(q)) != NULL && first->due_us <= now_us) {
        ret[n++] = first;
        impair_queue_pop(q);
    }
    return n;
}
