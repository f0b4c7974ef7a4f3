/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for nghttp2: from the block of the session, if it has one, else from the heap, within the
 * worker's budget; there each piece knows its size, so that the budget is exact. A session whose
 * next piece is refused ends.
 */
#include "base/assert.h"
#include "http2/h2_priv.h"

#include <stdlib.h>
#include <string.h>

/* In front of each piece of the heap. */
struct size {
    _Alignas(16) size_t bytes; /* with this */
};

static void account(struct h2 *h, size_t had, size_t has)
{
    h->heap_bytes = h->heap_bytes - had + has;
    h->core->stats->counters[STAT_h2_heap_bytes_now] = h->heap_bytes;
}

static void *resize_heap(struct h2 *h, void *memory, size_t bytes)
{
    struct size *old = memory != NULL ? (struct size *)memory - 1 : NULL;
    size_t had = old != NULL ? old->bytes : 0;
    size_t whole = bytes + sizeof(struct size);
    bool is_over = bytes > h->config.heap_bytes_max ||
                   whole > h->config.heap_bytes_max - (h->heap_bytes - had);
    struct size *now = is_over ? NULL : realloc(old, whole);
    if (now == NULL)
        return NULL;
    now->bytes = whole;
    account(h, had, whole);
    return now + 1;
}

static void give_heap(struct h2 *h, void *memory)
{
    struct size *old = (struct size *)memory - 1;
    ASSERT(old->bytes <= h->heap_bytes);
    account(h, old->bytes, 0);
    free(old);
}

static void *resize_block(struct h2_session *s, void *memory, size_t bytes)
{
    size_t had = memory != NULL ? h2_block_length(memory) : 0;
    if (memory != NULL && bytes <= had)
        return memory;
    void *now = h2_block_take(s->block, s->h2->config.session_bytes, bytes);
    if (now == NULL || memory == NULL)
        return now;
    memcpy(now, memory, had);
    h2_block_give(memory);
    return now;
}

static void *resize(struct h2_session *s, void *memory, size_t bytes)
{
    void *now =
        s->block != NULL ? resize_block(s, memory, bytes) : resize_heap(s->h2, memory, bytes);
    if (now == NULL)
        stat_inc(s->h2->core, STAT_h2_heap_refused);
    return now;
}

void *h2_take(struct h2_session *s, size_t bytes)
{
    return resize(s, NULL, bytes);
}

void h2_give(struct h2_session *s, void *memory)
{
    if (memory == NULL)
        return;
    if (s->block != NULL)
        h2_block_give(memory);
    else
        give_heap(s->h2, memory);
}

static void *take(size_t bytes, void *session)
{
    return h2_take(session, bytes);
}

static void give(void *memory, void *session)
{
    h2_give(session, memory);
}

static void *take_zeroed(size_t n, size_t bytes, void *session)
{
    if (bytes != 0 && n > SIZE_MAX / 2 / bytes)
        return NULL;
    void *memory = h2_take(session, n * bytes);
    if (memory != NULL)
        memset(memory, 0, n * bytes);
    return memory;
}

static void *take_more(void *memory, size_t bytes, void *session)
{
    return resize(session, memory, bytes);
}

nghttp2_mem h2_memory(struct h2_session *s)
{
    return (nghttp2_mem){s, take, give, take_zeroed, take_more};
}
