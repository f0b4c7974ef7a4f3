/* SPDX-License-Identifier: Apache-2.0 */
/* Arena: a list of blocks, filled one after the other. See arena.h. */
#include "model/arena.h"

#include "base/assert.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first block is for what needs one text or two, as a route's status does; each further one is
 * twice as large. */
#define ARENA_BLOCK_BYTES_MIN 512u
#define ARENA_BLOCK_BYTES_MAX (64u * 1024u) /* malloc is rare, and the last one wastes little */

struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t size;
    alignas(max_align_t) unsigned char bytes[];
};

struct arena {
    struct arena_block *blocks; /* the first is the one that is filled now */
};

struct arena *arena_new(void)
{
    struct arena *a = calloc(1, sizeof(*a));
    ASSERT(a != NULL);
    return a;
}

void arena_free(struct arena *a)
{
    if (a == NULL) {
        return;
    }
    while (a->blocks != NULL) {
        struct arena_block *next = a->blocks->next;
        free(a->blocks);
        a->blocks = next;
    }
    free(a);
}

static void add_block(struct arena *a, size_t bytes)
{
    size_t size = a->blocks == NULL ? ARENA_BLOCK_BYTES_MIN : 2 * a->blocks->size;
    if (size > ARENA_BLOCK_BYTES_MAX) {
        size = ARENA_BLOCK_BYTES_MAX;
    }
    if (size < bytes) {
        size = bytes;
    }
    struct arena_block *b = calloc(1, sizeof(*b) + size);
    ASSERT(b != NULL);
    b->size = size;
    b->next = a->blocks;
    a->blocks = b;
}

void *arena_alloc(struct arena *a, size_t count, size_t size)
{
    ASSERT(size > 0 && count <= (SIZE_MAX / 2) / size);
    size_t align = alignof(max_align_t);
    size_t bytes = (count * size + align - 1) / align * align;
    if (a->blocks == NULL || a->blocks->size - a->blocks->used < bytes) {
        add_block(a, bytes);
    }
    struct arena_block *b = a->blocks;
    void *ret = b->bytes + b->used;
    b->used += bytes;
    ASSERT(b->used <= b->size);
    return ret;
}

char *arena_strdup(struct arena *a, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    size_t n = strlen(text) + 1;
    return memcpy(arena_alloc(a, n, 1), text, n);
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;
    char *text = NULL;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    ASSERT(n >= 0);
    char *copy = arena_strdup(a, text);
    free(text);
    return copy;
}
