/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of one session within a block: pieces one behind the other, each with its length in front
 * of it. The first that is free and long enough is taken; free ones that lie side by side become
 * one when they are walked over. So a peer who makes the library keep much hurts his own session
 * only, and the whole block comes back with it.
 */
#include "base/assert.h"
#include "http2/h2_priv.h"

/* In front of each piece. */
struct piece {
    _Alignas(16) uint32_t bytes; /* with this; a multiple of 16 */
    bool is_used;
};

static struct piece *piece_at(uint8_t *block, uint32_t at)
{
    return (struct piece *)(void *)(block + at);
}

void h2_block_init(uint8_t *block, uint32_t block_bytes)
{
    ASSERT((uintptr_t)block % 16 == 0 && block_bytes % 16 == 0 &&
           block_bytes > sizeof(struct piece));
    *piece_at(block, 0) = (struct piece){.bytes = block_bytes};
}

/* Those that are free behind it are part of it. */
static void join(uint8_t *block, uint32_t block_bytes, uint32_t at)
{
    struct piece *p = piece_at(block, at);
    while (at + p->bytes < block_bytes && !piece_at(block, at + p->bytes)->is_used)
        p->bytes += piece_at(block, at + p->bytes)->bytes;
    ASSERT(at + p->bytes <= block_bytes);
}

/* It is used; what it is too long by is free. */
static void *use(uint8_t *block, uint32_t at, uint32_t whole)
{
    struct piece *p = piece_at(block, at);
    uint32_t left = p->bytes - whole;
    if (left > sizeof(struct piece)) {
        *piece_at(block, at + whole) = (struct piece){.bytes = left};
        p->bytes = whole;
    }
    p->is_used = true;
    return p + 1;
}

void *h2_block_take(uint8_t *block, uint32_t block_bytes, size_t bytes)
{
    if (bytes > block_bytes - sizeof(struct piece))
        return NULL;
    uint32_t whole = (uint32_t)(sizeof(struct piece) + ((bytes + 15) & ~(size_t)15));
    for (uint32_t at = 0; at < block_bytes; at += piece_at(block, at)->bytes) {
        if (piece_at(block, at)->is_used)
            continue;
        join(block, block_bytes, at);
        if (piece_at(block, at)->bytes >= whole)
            return use(block, at, whole);
    }
    return NULL;
}

size_t h2_block_length(const void *memory)
{
    const struct piece *p = (const struct piece *)memory - 1;
    ASSERT(p->is_used);
    return p->bytes - sizeof(*p);
}

void h2_block_give(void *memory)
{
    struct piece *p = (struct piece *)memory - 1;
    ASSERT(p->is_used);
    p->is_used = false;
}
