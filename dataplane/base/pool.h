/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fixed number of fixed-size objects, a free list threaded through them. All memory is given at
 * start; running out is an answer (NULL), never an allocation. Owner: one worker. Cost: O(1).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct pool {
    uint8_t *memory;
    void *free; /* first free object; the first word of a free object points to the next */
    uint32_t object_bytes;
    uint32_t capacity;
    uint32_t used;
};

/* Bytes of memory for `capacity` objects of `object_bytes` (rounded up to the pool's alignment of
 * 64). */
size_t pool_bytes(uint32_t object_bytes, uint32_t capacity);

/* Makes a pool of `memory`, which has pool_bytes() bytes, aligned to 64, and outlives the pool. */
void pool_init(struct pool *p, void *memory, uint32_t object_bytes, uint32_t capacity);

/* An object, its content undefined; NULL: none left (the caller counts it). */
void *pool_get(struct pool *p);

/* Gives `object` back. It must have come from this pool. */
void pool_put(struct pool *p, void *object);

/* Bytes of the objects that are out. */
static inline size_t pool_used_bytes(const struct pool *p)
{
    return (size_t)p->used * p->object_bytes;
}

/* The object's position, 0..capacity-1: a stable small id while the object is out. */
uint32_t pool_index(const struct pool *p, const void *object);

/* The object at `index`, whether it is out or not. */
void *pool_at(const struct pool *p, uint32_t index);
