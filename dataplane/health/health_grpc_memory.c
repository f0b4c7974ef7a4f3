/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for one call's nghttp2: pieces of a block, one behind the other. A call is short and its
 * block goes back as a whole, so only the last piece is ever used again. When the block is full
 * nghttp2 hears that there is no memory, and the call fails.
 */
#include "base/assert.h"
#include "health/health_grpc_priv.h"

#include <string.h>

/* In front of each piece: the next one begins behind it. */
struct piece {
    _Alignas(16) uint32_t bytes; /* without this */
};

static void *take(size_t bytes, void *owner)
{
    struct health_grpc *g = owner;
    size_t whole = sizeof(struct piece) + ((bytes + 15) & ~(size_t)15);
    if (bytes > HEALTH_GRPC_BYTES_MAX || whole > HEALTH_GRPC_BYTES_MAX - g->used)
        return NULL;
    struct piece *p = (struct piece *)(void *)(g->memory + g->used);
    p->bytes = (uint32_t)(whole - sizeof(*p));
    g->used += (uint32_t)whole;
    return p + 1;
}

static void *take_zeroed(size_t n, size_t bytes, void *owner)
{
    if (bytes != 0 && n > HEALTH_GRPC_BYTES_MAX / bytes)
        return NULL;
    void *memory = take(n * bytes, owner);
    if (memory != NULL)
        memset(memory, 0, n * bytes);
    return memory;
}

static void give(void *memory, void *owner)
{
    struct health_grpc *g = owner;
    if (memory == NULL)
        return;
    struct piece *p = (struct piece *)memory - 1;
    uint32_t at = (uint32_t)((uint8_t *)p - g->memory);
    if (at + sizeof(*p) + p->bytes == g->used)
        g->used = at;
}

static void *take_more(void *memory, size_t bytes, void *owner)
{
    size_t had = memory == NULL ? 0 : ((struct piece *)memory - 1)->bytes;
    if (memory != NULL && bytes <= had)
        return memory;
    void *more = take(bytes, owner);
    if (more != NULL && had > 0)
        memcpy(more, memory, had);
    return more;
}

nghttp2_mem health_grpc_memory(struct health_grpc *g)
{
    ASSERT(g->memory != NULL && g->used == 0);
    return (nghttp2_mem){g, take, give, take_zeroed, take_more};
}
