/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for nghttp2: the heap's, within the worker's budget. Each piece knows its size, so that
 * the budget is exact; a session whose next piece is refused ends.
 */
#include "base/assert.h"
#include "http2/h2_priv.h"

#include <stdlib.h>
#include <string.h>

/* In front of each piece. */
struct size {
    _Alignas(16) size_t bytes; /* with this */
};

static void account(struct h2 *h, size_t had, size_t has)
{
    h->heap_bytes = h->heap_bytes - had + has;
    h->core->stats->counters[STAT_h2_heap_bytes_now] = h->heap_bytes;
}

static void *resize(struct h2 *h, void *memory, size_t bytes)
{
    struct size *old = memory != NULL ? (struct size *)memory - 1 : NULL;
    size_t had = old != NULL ? old->bytes : 0;
    size_t whole = bytes + sizeof(struct size);
    bool is_over = bytes > h->config.heap_bytes_max ||
                   whole > h->config.heap_bytes_max - (h->heap_bytes - had);
    struct size *now = is_over ? NULL : realloc(old, whole);
    if (now == NULL) {
        stat_inc(h->core, STAT_h2_heap_refused);
        return NULL;
    }
    now->bytes = whole;
    account(h, had, whole);
    return now + 1;
}

void *h2_take(struct h2 *h, size_t bytes)
{
    return resize(h, NULL, bytes);
}

void h2_give(struct h2 *h, void *memory)
{
    if (memory == NULL)
        return;
    struct size *old = (struct size *)memory - 1;
    ASSERT(old->bytes <= h->heap_bytes);
    account(h, old->bytes, 0);
    free(old);
}

static void *take(size_t bytes, void *h)
{
    return h2_take(h, bytes);
}

static void give(void *memory, void *h)
{
    h2_give(h, memory);
}

static void *take_zeroed(size_t n, size_t bytes, void *h)
{
    if (bytes != 0 && n > SIZE_MAX / 2 / bytes)
        return NULL;
    void *memory = h2_take(h, n * bytes);
    if (memory != NULL)
        memset(memory, 0, n * bytes);
    return memory;
}

static void *take_more(void *memory, size_t bytes, void *h)
{
    return resize(h, memory, bytes);
}

nghttp2_mem h2_memory(struct h2 *h)
{
    return (nghttp2_mem){h, take, give, take_zeroed, take_more};
}
