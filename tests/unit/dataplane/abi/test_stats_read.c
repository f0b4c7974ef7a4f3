/* SPDX-License-Identifier: Apache-2.0 */
/* The telemetry reader: values by name, and nothing read out of bounds whatever the segment says.
 */
#include "abi/stats_read.h"
#include "unit.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define COUNTERS 2u
#define WORKERS 2u
#define STRIDE 64u

struct segment {
    struct stats_header header;
    struct stats_name names[COUNTERS];
    uint64_t values[WORKERS][STRIDE / 8];
};

static const struct segment good = {
    .header = {.magic = STATS_MAGIC,
               .version = STATS_VERSION,
               .n_counters = COUNTERS,
               .n_workers = WORKERS,
               .names_offset = 64,
               .workers_offset = 64 + COUNTERS * STATS_NAME_BYTES,
               .worker_stride = STRIDE},
    .names = {{"first"}, {"second"}},
    .values = {{1, 2}, {10, 20}},
};

static int open_segment(const struct segment *s, size_t length, struct stats_map *ret)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    REQUIRE(fd >= 0 && write(fd, s, length) == (ssize_t)length);
    int result = stats_map_open(fd, ret);
    close(fd);
    return result;
}

TEST(a_segment_is_read_by_name_and_worker)
{
    struct stats_map map;
    REQUIRE(open_segment(&good, sizeof(good), &map) == 0);
    CHECK_STR(stats_map_name(&map, 1), "second");
    CHECK_EQ(stats_map_value(&map, 1, 0), 10);
    CHECK_EQ(stats_map_sum(&map, 1), 22);
    stats_map_close(&map);
}

TEST(a_segment_cut_anywhere_is_refused)
{
    struct stats_map map;
    for (size_t length = 0; length < sizeof(good); length++)
        CHECK_EQ(open_segment(&good, length, &map), -EINVAL);
}

TEST(each_layout_field_that_lies_is_refused)
{
    struct stats_map map;
    for (size_t field = 0; field < 8; field++) {
        static const uint32_t lies[] = {0xffffffff, 0x7ffffff8, 0x10000, 3};
        for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
            struct segment s = good;
            uint32_t value = lies[i];
            memcpy((char *)&s.header + field * sizeof(uint32_t), &value, sizeof(value));
            CHECK_EQ(open_segment(&s, sizeof(s), &map), -EINVAL);
        }
    }
}

TEST(loop_times_are_read_where_the_segment_says_they_are)
{
    static struct {
        struct segment s;
        struct stats_rounds rounds[WORKERS];
    } with = {.rounds = {{.busy = {.sum_ns = 7}}}};
    struct stats_map map;
    struct stats_rounds got;
    with.s = good;
    with.s.header.workers_offset = offsetof(typeof(with), rounds) - STRIDE;
    with.s.header.worker_stride = STRIDE + sizeof(struct stats_rounds);
    with.s.header.n_workers = 1;
    with.s.header.rounds_offset = STRIDE;
    with.s.header.rounds_bytes = sizeof(struct stats_rounds);
    REQUIRE(open_segment(&with.s, sizeof(with), &map) == 0);
    CHECK(!stats_map_rounds(&map, 0, &got)); /* the last block is housekeeping's */
    stats_map_close(&map);
    with.s.header.n_workers = 2;
    CHECK_EQ(open_segment(&with.s, sizeof(with), &map), -EINVAL); /* no room for two */
    with.s.header.worker_stride = sizeof(struct stats_rounds);
    with.s.header.workers_offset = offsetof(typeof(with), rounds);
    with.s.header.rounds_offset = 8; /* behind a counter, out of the block's end */
    CHECK_EQ(open_segment(&with.s, sizeof(with), &map), -EINVAL);
    with.s.header.rounds_bytes -= 8; /* of another release: no harm */
    REQUIRE(open_segment(&with.s, sizeof(with), &map) == 0);
    CHECK(!stats_map_rounds(&map, 0, &got));
    stats_map_close(&map);
    REQUIRE(open_segment(&good, sizeof(good), &map) == 0);
    CHECK(!stats_map_rounds(&map, 0, &got)); /* there are none in it */
    stats_map_close(&map);
}

TEST(loop_times_that_are_being_written_are_not_told)
{
    static struct {
        struct segment s;
        struct stats_worker blocks[2];
    } with;
    struct stats_map map;
    struct stats_rounds got;
    with.s = good;
    with.s.header.workers_offset = offsetof(typeof(with), blocks);
    with.s.header.worker_stride = sizeof(struct stats_worker);
    with.s.header.rounds_offset = offsetof(struct stats_worker, rounds);
    with.s.header.rounds_bytes = sizeof(struct stats_rounds);
    with.blocks[0].rounds = (struct stats_rounds){.version = 2, .busy = {.sum_ns = 7}};
    REQUIRE(open_segment(&with.s, sizeof(with), &map) == 0);
    REQUIRE(stats_map_rounds(&map, 0, &got));
    CHECK_EQ(got.busy.sum_ns, 7);
    stats_map_close(&map);
    with.blocks[0].rounds.version = 3;
    REQUIRE(open_segment(&with.s, sizeof(with), &map) == 0);
    CHECK(!stats_map_rounds(&map, 0, &got));
    stats_map_close(&map);
}

TEST(a_name_without_end_is_refused)
{
    struct stats_map map;
    struct segment s = good;
    memset(s.names[1].name, 'x', STATS_NAME_BYTES);
    CHECK_EQ(open_segment(&s, sizeof(s), &map), -EINVAL);
}

UNIT_MAIN("abi/stats_read", T(a_segment_is_read_by_name_and_worker),
          T(a_segment_cut_anywhere_is_refused), T(each_layout_field_that_lies_is_refused),
          T(loop_times_are_read_where_the_segment_says_they_are),
          T(loop_times_that_are_being_written_are_not_told), T(a_name_without_end_is_refused))
