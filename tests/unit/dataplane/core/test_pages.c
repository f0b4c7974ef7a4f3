/* SPDX-License-Identifier: Apache-2.0 */
/* Large memory, and what core_memory() makes of it. */
#include "core/core.h"
#include "core/pages.h"
#include "unit.h"
#include "unit_eal.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_zero(const uint8_t *memory, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (memory[i] != 0)
            return false;
    }
    return true;
}

/* Bytes that the process has mapped now. */
static size_t mapped_bytes(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    REQUIRE(f != NULL);
    REQUIRE(fscanf(f, "%lu", &pages) == 1);
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

TEST(large_memory_is_aligned_zeroed_and_all_there)
{
    const size_t sizes[] = {1, PAGES_HUGE_BYTES - 1, PAGES_HUGE_BYTES, PAGES_HUGE_BYTES + 1,
                            5 * (size_t)PAGES_HUGE_BYTES + 12345};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t *memory = pages_map(sizes[i]);
        REQUIRE(memory != NULL);
        CHECK((uintptr_t)memory % PAGES_HUGE_BYTES == 0);
        CHECK(is_zero(memory, sizes[i]));
        memset(memory, 0xa5, sizes[i]);
        pages_unmap(memory, sizes[i]);
    }
}

TEST(large_memory_is_given_back_whole)
{
    const size_t bytes = 3 * (size_t)PAGES_HUGE_BYTES + 1;
    pages_unmap(pages_map(bytes), bytes); /* whatever the first call needs */
    size_t before = mapped_bytes();
    for (unsigned i = 0; i < 100; i++)
        pages_unmap(pages_map(bytes), bytes);
    CHECK(mapped_bytes() < before + bytes);
}

TEST(more_memory_than_an_address_space_is_refused)
{
    CHECK(pages_map(SIZE_MAX) == NULL);
    CHECK(pages_map(SIZE_MAX / 4) == NULL);
}

TEST(a_worker_s_blocks_of_all_sizes_are_zeroed_and_aligned_to_cache_lines)
{
    static struct stats_worker stats;
    const size_t sizes[] = {
        1, 64, 4096, PAGES_HUGE_BYTES - 64, PAGES_HUGE_BYTES, 3 * (size_t)PAGES_HUGE_BYTES};
    struct core_config config = {.workers = 1, .socket = -1, .stats = &stats};
    struct core core;
    unit_eal_init();
    for (unsigned round = 0; round < 2; round++) {
        core_init(&core, &config);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            uint8_t *memory = core_memory(&core, sizes[i], "a test");
            CHECK((uintptr_t)memory % 64 == 0);
            CHECK(is_zero(memory, sizes[i]));
            memset(memory, 0xa5, sizes[i]);
        }
        core_done(&core);
    }
}

UNIT_MAIN("pages", T(large_memory_is_aligned_zeroed_and_all_there),
          T(large_memory_is_given_back_whole), T(more_memory_than_an_address_space_is_refused),
          T(a_worker_s_blocks_of_all_sizes_are_zeroed_and_aligned_to_cache_lines))
