/* SPDX-License-Identifier: Apache-2.0 */
/* Delivery rate samples: what a sample is of, when it is none, and when the application made it. */
#include "tcp/delivery_rate.h"
#include "unit.h"

#define MSS 1000u

static struct tcp_bw_sample sample_of(struct tcp_bw_state *r, const struct tcp_bw_mark *mark,
                                      uint64_t sent_us, uint64_t now_us)
{
    struct tcp_bw_newest newest = {.mark = mark, .sent_us = sent_us};
    struct tcp_bw_sample s;
    CHECK(tcp_bw_take(r, &newest, now_us, 0, &s));
    return s;
}

TEST(a_sample_is_what_was_delivered_since_its_segment_was_sent)
{
    struct tcp_bw_state r = {0};
    struct tcp_bw_mark marks[4];
    /* a segment each millisecond, round trip 10 ms: a megabyte a second */
    for (unsigned i = 0; i < 4; i++)
        tcp_bw_on_sent(&r, &marks[i], 1000 * i, (i + 1) * MSS, MSS);
    CHECK_EQ(marks[3].pipe_bytes, 4 * MSS);
    struct tcp_bw_sample s = {0};
    for (unsigned i = 0; i < 4; i++) {
        tcp_bw_on_delivered(&r, MSS, 10000 + 1000 * i);
        s = sample_of(&r, &marks[i], 1000 * i, 10000 + 1000 * i);
        CHECK_EQ(s.delivered_bytes, (i + 1) * MSS);
        CHECK_EQ(s.rtt_us, 10000);
    }
    CHECK_EQ(s.bytes_per_s, 4 * MSS * 1000000ull / 13000); /* the flight began in silence */
    struct tcp_bw_mark next;
    tcp_bw_on_sent(&r, &next, 13000, 2 * MSS, MSS); /* not alone: sampled from the last ACK on */
    tcp_bw_on_delivered(&r, MSS, 14000);
    tcp_bw_on_delivered(&r, 9 * MSS, 23000);
    s = sample_of(&r, &next, 13000, 23000);
    CHECK_EQ(s.bytes_per_s, 1000000);
}

TEST(acknowledgements_that_come_in_a_bunch_show_no_more_than_what_was_sent)
{
    struct tcp_bw_state r = {0};
    struct tcp_bw_mark marks[20];
    for (unsigned i = 0; i < 19; i++)
        tcp_bw_on_sent(&r, &marks[i], 1000 * i, (i + 1) * MSS, MSS);
    tcp_bw_on_delivered(&r, MSS, 18000);
    sample_of(&r, &marks[0], 0, 18000);
    tcp_bw_on_sent(&r, &marks[19], 19000, 19 * MSS, MSS);
    tcp_bw_on_delivered(&r, 19 * MSS, 20000); /* nineteen within two milliseconds */
    struct tcp_bw_sample s = sample_of(&r, &marks[19], 19000, 20000);
    CHECK_EQ(s.delivered_bytes, 19 * MSS);
    CHECK_EQ(s.bytes_per_s, 1000000); /* but they were sent one a millisecond */
}

TEST(a_sample_shorter_than_any_round_trip_is_none)
{
    struct tcp_bw_state r = {0};
    struct tcp_bw_mark mark;
    tcp_bw_on_sent(&r, &mark, 1000, MSS, MSS);
    tcp_bw_on_delivered(&r, MSS, 1500);
    struct tcp_bw_newest newest = {.mark = &mark, .sent_us = 1000, .was_resent = true};
    struct tcp_bw_sample s;
    CHECK(tcp_bw_take(&r, &newest, 1500, 10000, &s));
    CHECK_EQ(s.bytes_per_s, 0);
    CHECK_EQ(s.rtt_us, 0); /* Karn */
    newest.mark = NULL;
    CHECK(!tcp_bw_take(&r, &newest, 1500, 0, &s));
}

TEST(samples_are_marked_until_what_was_in_flight_in_want_of_data_has_arrived)
{
    struct tcp_bw_state r = {0};
    struct tcp_bw_mark marks[3];
    tcp_bw_on_sent(&r, &marks[0], 1000, MSS, MSS);
    CHECK(!marks[0].is_app_limited);
    tcp_bw_on_app_limited(&r, MSS);
    tcp_bw_on_sent(&r, &marks[1], 2000, 2 * MSS, MSS);
    CHECK(marks[1].is_app_limited);
    tcp_bw_on_delivered(&r, MSS, 11000);
    CHECK(r.is_app_limited);
    tcp_bw_on_delivered(&r, MSS, 12000);
    CHECK(!r.is_app_limited);
    CHECK(sample_of(&r, &marks[1], 2000, 12000).is_app_limited);
    tcp_bw_on_sent(&r, &marks[2], 13000, MSS, MSS);
    CHECK(!marks[2].is_app_limited);
}

TEST(losses_since_the_transmission_count)
{
    struct tcp_bw_state r = {0};
    struct tcp_bw_mark mark;
    r.lost = 5 * MSS;
    tcp_bw_on_sent(&r, &mark, 1000, 10 * MSS, MSS);
    r.lost += 2 * MSS;
    tcp_bw_on_delivered(&r, MSS, 11000);
    struct tcp_bw_sample s = sample_of(&r, &mark, 1000, 11000);
    CHECK_EQ(s.lost_bytes, 2 * MSS);
    CHECK_EQ(s.pipe_bytes, 10 * MSS);
}

TEST(counts_and_times_wrap)
{
    struct tcp_bw_state r = {.delivered = UINT32_MAX - MSS, .lost = UINT32_MAX};
    struct tcp_bw_mark mark;
    uint64_t start_us = (1ull << 32) - 2000;
    tcp_bw_on_app_limited(&r, 5 * MSS);
    tcp_bw_on_sent(&r, &mark, start_us, MSS, MSS);
    r.lost += MSS;
    tcp_bw_on_delivered(&r, 4 * MSS, start_us + 4000);
    CHECK(r.is_app_limited);
    struct tcp_bw_sample s = sample_of(&r, &mark, start_us, start_us + 4000);
    CHECK_EQ(s.bytes_per_s, 1000000);
    CHECK_EQ(s.lost_bytes, MSS);
    CHECK(tcp_bw_has_reached(2, UINT32_MAX));
    CHECK(!tcp_bw_has_reached(UINT32_MAX, 2));
}

UNIT_MAIN("tcp/delivery_rate", T(a_sample_is_what_was_delivered_since_its_segment_was_sent),
          T(acknowledgements_that_come_in_a_bunch_show_no_more_than_what_was_sent),
          T(a_sample_shorter_than_any_round_trip_is_none),
          T(samples_are_marked_until_what_was_in_flight_in_want_of_data_has_arrived),
          T(losses_since_the_transmission_count), T(counts_and_times_wrap))
