/* SPDX-License-Identifier: Apache-2.0 */
/* Headers between two ends that count differently. */
#include "tcp/shift.h"

#include "base/cksum.h"
#include "base/rng.h"
#include "tcp/options.h"
#include "tcp/wire.h"
#include "unit.h"

#include <string.h>

#define ROUNDS 200000

struct header {
    uint8_t bytes[60];
    unsigned n;
};

/* Options of any kind at any place, most of them well formed. */
static unsigned put_options(struct rng *r, uint8_t *p)
{
    static const uint8_t lengths[] = {4, 3, 2, 10, 18, 26, 10, 6};
    static const uint8_t kinds[] = {2, 3, 4, 5, 5, 5, 8, 77};
    unsigned at = 0;
    while (at < 40 && rng_below(r, 8) != 0) {
        unsigned i = rng_below(r, 9);
        if (i == 8) {
            p[at++] = TCP_OPTION_NOP;
            continue;
        }
        if (at + lengths[i] > 40)
            break;
        p[at] = kinds[i];
        p[at + 1] = rng_below(r, 50) == 0 ? (uint8_t)rng_below(r, 256) : lengths[i];
        for (unsigned k = 2; k < lengths[i]; k++)
            p[at + k] = (uint8_t)rng_next(r);
        at += lengths[i];
    }
    return (at + 3) / 4 * 4; /* padded with ends */
}

static struct header any(struct rng *r)
{
    struct header h = {0};
    for (unsigned i = 0; i < 20; i++)
        h.bytes[i] = (uint8_t)rng_next(r);
    h.n = 20 + put_options(r, h.bytes + 20);
    struct tcp_wire *w = (void *)h.bytes;
    w->offset = (uint8_t)(h.n / 4 << 4);
    w->cksum.wire = 0;
    w->cksum = cksum_close(cksum_add(0, h.bytes, h.n));
    return h;
}

TEST(the_checksum_stays_right_and_all_goes_back_to_where_it_was)
{
    struct rng r = {4711};
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct header before = any(&r), h = before;
        struct tcp_shift by = {.seq = (uint32_t)rng_next(&r),
                               .ack = (uint32_t)rng_next(&r),
                               .ts_value = (uint32_t)rng_next(&r),
                               .ts_echo = (uint32_t)rng_next(&r)};
        struct tcp_shift back = {-by.seq, -by.ack, -by.ts_value, -by.ts_echo, 0};
        tcp_header_shift(h.bytes, h.n, &by);
        CHECK(cksum_is_good(cksum_add(0, h.bytes, h.n)));
        tcp_header_shift(h.bytes, h.n, &back);
        CHECK(cksum_is_good(cksum_add(0, h.bytes, h.n)));
        memset(h.bytes + 16, 0, 2); /* 0 may be written in two ways */
        memset(before.bytes + 16, 0, 2);
        REQUIRE(memcmp(h.bytes, before.bytes, h.n) == 0);
    }
}

TEST(what_a_reader_of_options_reads_is_what_was_shifted)
{
    struct rng r = {815};
    struct tcp_shift by = {.seq = 1000, .ack = 0u - 77, .ts_value = 5, .ts_echo = 0u - 6};
    unsigned n_stamps = 0, n_sacks = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct header h = any(&r);
        struct tcp_wire *w = (void *)h.bytes;
        struct tcp_options before, after;
        w->flags |= TCP_ACK;
        uint32_t seq = be32_host(w->seq), ack = be32_host(w->ack);
        if (!tcp_options_parse(h.bytes + 20, h.n - 20, &before))
            continue;
        tcp_header_shift(h.bytes, h.n, &by);
        REQUIRE(tcp_options_parse(h.bytes + 20, h.n - 20, &after));
        CHECK(be32_host(w->seq) == seq + 1000 && be32_host(w->ack) == ack - 77);
        CHECK_EQ(after.has_timestamps, before.has_timestamps);
        if (before.has_timestamps)
            CHECK(after.ts_value == before.ts_value + 5 && after.ts_echo == before.ts_echo - 6);
        CHECK_EQ(after.n_sack, before.n_sack);
        for (unsigned k = 0; k < before.n_sack; k++)
            CHECK(after.sack[k].start.v == before.sack[k].start.v - 77 &&
                  after.sack[k].end.v == before.sack[k].end.v - 77);
        CHECK_EQ(after.mss, before.mss);
        n_stamps += before.has_timestamps;
        n_sacks += before.n_sack;
    }
    CHECK(n_stamps > 1000 && n_sacks > 1000);
}

TEST(what_acknowledges_nothing_has_nothing_but_its_own_number_shifted)
{
    struct header h = {.n = 20};
    struct tcp_wire *w = (void *)h.bytes;
    w->flags = TCP_RST;
    tcp_header_shift(h.bytes, h.n, &(struct tcp_shift){.seq = 3, .ack = 4});
    CHECK_EQ(be32_host(w->seq), 3);
    CHECK_EQ(be32_host(w->ack), 0);
}

TEST(windows_are_as_large_as_can_be_said_and_never_nothing_where_there_was_something)
{
    CHECK_EQ(tcp_window_shift(1000, 0), 1000);
    CHECK_EQ(tcp_window_shift(1000, 3), 8000);
    CHECK_EQ(tcp_window_shift(1000, 14), UINT16_MAX);
    CHECK_EQ(tcp_window_shift(1000, -3), 125);
    CHECK_EQ(tcp_window_shift(7, -3), 1);
    CHECK_EQ(tcp_window_shift(0, -3), 0);
    CHECK_EQ(tcp_window_shift(0, 14), 0);
}

UNIT_MAIN("tcp/shift", T(the_checksum_stays_right_and_all_goes_back_to_where_it_was),
          T(what_a_reader_of_options_reads_is_what_was_shifted),
          T(what_acknowledges_nothing_has_nothing_but_its_own_number_shifted),
          T(windows_are_as_large_as_can_be_said_and_never_nothing_where_there_was_something))
