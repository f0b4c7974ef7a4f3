/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool: one array, its free objects threaded by their first word. Every object is touched once
 * at start, so that no page fault is left for the fast path. Owner: one worker; thread: one.
 */
#include "base/pool.h"

#include "base/assert.h"

#include <stdbool.h>
#include <string.h>

#define POOL_ALIGN 64u

static uint32_t rounded(uint32_t object_bytes)
{
    ASSERT(object_bytes > 0 && object_bytes <= UINT32_MAX - POOL_ALIGN);
    return (object_bytes + POOL_ALIGN - 1) & ~(POOL_ALIGN - 1);
}

/* Is it the address of one of the pool's objects? */
static bool is_ours(const struct pool *p, const void *object)
{
    const uint8_t *at = object;
    size_t bytes = (size_t)p->capacity * p->object_bytes;
    if (at < p->memory || at >= p->memory + bytes)
        return false;
    return (size_t)(at - p->memory) % p->object_bytes == 0;
}

size_t pool_bytes(uint32_t object_bytes, uint32_t capacity)
{
    return (size_t)rounded(object_bytes) * capacity;
}

void pool_init(struct pool *p, void *memory, uint32_t object_bytes, uint32_t capacity)
{
    ASSERT(((uintptr_t)memory & (POOL_ALIGN - 1)) == 0);
    ASSERT(memory != NULL || capacity == 0);
    *p = (struct pool){
        .memory = memory, .object_bytes = rounded(object_bytes), .capacity = capacity};
    /* From the last to the first, so that they are given out in ascending order. */
    for (uint32_t i = capacity; i > 0; i--) {
        void *object = pool_at(p, i - 1);
        memcpy(object, &p->free, sizeof(p->free));
        p->free = object;
    }
}

void *pool_get(struct pool *p)
{
    void *object = p->free;
    if (object == NULL) {
        ASSERT_HOT(p->used == p->capacity);
        return NULL;
    }
    ASSERT_HOT(is_ours(p, object));
    memcpy(&p->free, object, sizeof(p->free));
    p->used++;
    return object;
}

void pool_put(struct pool *p, void *object)
{
    ASSERT(p->used > 0);
    ASSERT_HOT(is_ours(p, object));
    ASSERT_HOT(object != p->free); /* the double put that is cheap to see */
    memcpy(object, &p->free, sizeof(p->free));
    p->free = object;
    p->used--;
}

uint32_t pool_index(const struct pool *p, const void *object)
{
    ASSERT_HOT(is_ours(p, object));
    return (uint32_t)((size_t)((const uint8_t *)object - p->memory) / p->object_bytes);
}

void *pool_at(const struct pool *p, uint32_t index)
{
    ASSERT_HOT(index < p->capacity);
    return p->memory + (size_t)index * p->object_bytes;
}
