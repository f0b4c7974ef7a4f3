/* SPDX-License-Identifier: Apache-2.0 */
/* An arena with a copy. */
#include "stack_memory.h"

#include "base/assert.h"
#include "core/core.h"

#include <string.h>

#ifdef __SANITIZE_ADDRESS__
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif
#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#endif

#define ARENA_BYTES (8u << 20)
#define BLOCKS_MAX 64u
#define GAP_BYTES 64u

static struct {
    size_t at;
    size_t bytes;
} blocks[BLOCKS_MAX];

static unsigned n_blocks;
static size_t used;
static bool is_kept;
static _Alignas(64) uint8_t arena[ARENA_BYTES];
static uint8_t copy[ARENA_BYTES];

void *__wrap_core_memory(struct core *c, size_t bytes, const char *what);

void *__wrap_core_memory(struct core *c, size_t bytes, const char *what)
{
    size_t rounded = (bytes + 63) & ~(size_t)63;
    ASSERT(!is_kept && n_blocks < BLOCKS_MAX && rounded + GAP_BYTES <= ARENA_BYTES - used);
    uint8_t *block = arena + used;
    blocks[n_blocks].at = used;
    blocks[n_blocks++].bytes = bytes;
    ASAN_POISON_MEMORY_REGION(block + bytes, rounded - bytes + GAP_BYTES);
    used += rounded + GAP_BYTES;
    return block;
}

bool stack_memory_is_kept(void)
{
    return is_kept;
}

void stack_memory_keep(void)
{
    ASSERT(!is_kept);
    is_kept = true;
    for (unsigned i = 0; i < n_blocks; i++)
        memcpy(copy + blocks[i].at, arena + blocks[i].at, blocks[i].bytes);
}

void stack_memory_restore(void)
{
    ASSERT(is_kept);
    for (unsigned i = 0; i < n_blocks; i++)
        memcpy(arena + blocks[i].at, copy + blocks[i].at, blocks[i].bytes);
}
