/* SPDX-License-Identifier: Apache-2.0 */
/* See pages.h. */
#include "core/pages.h"

#include "base/assert.h"

#include <stdint.h>
#include <sys/mman.h>

/* Whole huge pages, so that the last one is one too. */
static size_t round_up(size_t bytes)
{
    return (bytes + PAGES_HUGE_BYTES - 1) & ~(size_t)(PAGES_HUGE_BYTES - 1);
}

void *pages_map(size_t bytes)
{
    ASSERT(bytes > 0);
    if (bytes > SIZE_MAX / 2)
        return NULL;
    size_t wanted = round_up(bytes);
    size_t mapped = wanted + PAGES_HUGE_BYTES; /* somewhere in it is an aligned piece */
    uint8_t *all = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED)
        return NULL;
    size_t before = round_up((uintptr_t)all) - (uintptr_t)all;
    size_t after = mapped - wanted - before;
    if (before > 0)
        munmap(all, before);
    if (after > 0)
        munmap(all + before + wanted, after);
    madvise(all + before, wanted, MADV_HUGEPAGE); /* a kernel without them gives small ones */
    return all + before;
}

void pages_unmap(void *memory, size_t bytes)
{
    ASSERT((uintptr_t)memory % PAGES_HUGE_BYTES == 0);
    munmap(memory, round_up(bytes));
}
