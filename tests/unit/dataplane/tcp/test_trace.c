/* SPDX-License-Identifier: Apache-2.0 */
/* The trace of a flow: what it tells of segments, of what changed, of drops and losses, and that it
 * tells nothing of others. */
#include "abi/flow.h"
#include "harness.h"
#include "obs/hub.h"
#include "unit.h"

#include <string.h>

static struct obs_hub *hub;
static unsigned slot;

/* Traces flows with this port at either end. */
static void trace(struct world *w, uint16_t port)
{
    struct control_observe request = {.kind = OBSERVE_TRACE,
                                      .workers = 1,
                                      .records_max = UINT64_MAX,
                                      .bytes_max = UINT64_MAX,
                                      .ms_max = 1000,
                                      .n_matches = 1};
    request.matches[0].a.port = port;
    hub = obs_hub_new(1);
    obs_join(hub, 0, &w->core.obs);
    REQUIRE(obs_hub_begin(hub, &request, &slot));
    obs_poll(&w->core.obs);
}

static void forget(struct world *w)
{
    obs_hub_release(hub, slot);
    obs_poll(&w->core.obs);
    w->core.obs = (struct obs){.box = NULL};
    obs_hub_free(hub);
}

/* A point that was told. */
static union {
    struct observe_point point;
    uint8_t bytes[sizeof(struct observe_point) + OBSERVE_VALUES_MAX * 4];
} last;

/* The next point; -1: no more. It lies in `last`. */
static int next(void)
{
    const struct observe_record *record = obs_hub_peek(hub, slot);
    if (record == NULL)
        return -1;
    REQUIRE(record->type == OBSERVE_RECORD_POINT && record->bytes <= sizeof(last));
    memcpy(&last, record, record->bytes);
    obs_hub_drop(hub, slot, record);
    return last.point.point;
}

/* Goes on to the next point of this kind. False: none came. */
static bool find(enum trace_point point)
{
    int got;
    while ((got = next()) >= 0) {
        if (got == (int)point)
            return true;
    }
    return false;
}

/* Does the step that was told last count this? It is the next TRACE_counted. */
static bool counted(enum stat_id id)
{
    if (!find(TRACE_counted))
        return false;
    for (unsigned i = 0; i + 1 < last.point.n_values; i += 2) {
        if (last.point.values[i] == (uint32_t)id)
            return last.point.values[i + 1] > 0;
    }
    return false;
}

TEST(a_handshake_is_told_from_the_first_segment_to_the_accept)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    trace(w, 40000);
    world_accept(w);
    REQUIRE(next() == TRACE_rx);
    CHECK(ip_addr_eq(&last.point.local, &w->local) && ip_addr_eq(&last.point.remote, &w->remote));
    CHECK_EQ(last.point.local_port, 80);
    CHECK_EQ(last.point.remote_port, 40000);
    CHECK_EQ(last.point.values[0], TCP_SYN);
    CHECK_EQ(last.point.values[1], w->config.peer_iss);
    CHECK(counted(STAT_tcp_rx_syn));
    REQUIRE(find(TRACE_state));
    CHECK_EQ(last.point.values[0], FLOW_CLOSED);
    CHECK_EQ(last.point.values[1], FLOW_SYN_RCVD);
    REQUIRE(find(TRACE_tx));
    CHECK_EQ(last.point.values[0], TCP_SYN | TCP_ACK);
    CHECK_EQ(last.point.values[2], w->config.peer_iss + 1);
    REQUIRE(find(TRACE_rx));
    REQUIRE(find(TRACE_state));
    CHECK_EQ(last.point.values[1], FLOW_ESTABLISHED);
    REQUIRE(find(TRACE_owner));
    CHECK(counted(STAT_tcp_accepts));
    forget(w);
    world_free(w);
}

TEST(a_drop_is_told_with_its_counter_s_name)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    world_accept(w);
    trace(w, 40000);
    peer(w, SEG(.flags = A, .seq = 200000, .ack = 1, .len = 10)); /* out of the window */
    REQUIRE(next() == TRACE_rx);
    CHECK_EQ(last.point.values[3], 10);
    CHECK(counted(STAT_tcp_drop_sequence));
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 10, .is_old = true));
    REQUIRE(find(TRACE_rx));
    CHECK(counted(STAT_tcp_drop_paws));
    run(w);
    REQUIRE(find(TRACE_tx)); /* and the acknowledgement that answers */
    forget(w);
    world_free(w);
}

TEST(a_segment_of_nobody_is_told_with_the_reset_that_answers_it)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    w->knows_iss = true;
    trace(w, 40000);
    peer(w, SEG(.flags = A, .seq = 9, .ack = 9));
    REQUIRE(next() == TRACE_rx);
    REQUIRE(next() == TRACE_tx);
    CHECK_EQ(last.point.values[0], TCP_RST);
    CHECK(counted(STAT_tcp_drop_no_conn));
    CHECK_EQ(next(), -1);
    forget(w);
    world_free(w);
}

TEST(loss_recovery_and_timeout_are_told_as_they_happen)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    write_pattern(s, 1, 14480);
    run(w);
    drop_all(w);
    trace(w, 40000);
    pass(w, 100000);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .n_sack = 1, .sack = {{1449, 14481}}));
    REQUIRE(find(TRACE_rx));
    CHECK_EQ(last.point.n_values, 11);
    CHECK(counted(STAT_tcp_recoveries));
    REQUIRE(find(TRACE_flags));
    CHECK((last.point.values[0] & 1u << FLOW_FLAG_RECOVERY) != 0);
    REQUIRE(find(TRACE_flight));
    CHECK_EQ(last.point.values[0] + last.point.values[2], 1448); /* lost, or sent again */
    run(w);
    pass(w, 3000000);
    bool has_timeout = false;
    while (!has_timeout && find(TRACE_timer))
        has_timeout = last.point.values[0] == FLOW_TIMER_rto;
    CHECK(has_timeout);
    CHECK(counted(STAT_tcp_rto));
    REQUIRE(find(TRACE_flags));
    CHECK((last.point.values[0] & 1u << FLOW_FLAG_LOSS) != 0);
    CHECK((last.point.values[1] & 1u << FLOW_FLAG_RECOVERY) != 0);
    forget(w);
    world_free(w);
}

TEST(what_the_owner_does_is_told_with_what_made_it_do_so)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    w->on_event = NULL;
    trace(w, 40000);
    peer(w, SEG(.flags = A | F, .seq = 1, .ack = 1, .len = 5));
    REQUIRE(find(TRACE_state));
    CHECK_EQ(last.point.values[1], FLOW_CLOSE_WAIT);
    run(w);
    REQUIRE(find(TRACE_owner));
    CHECK_EQ(last.point.values[0], STREAM_READABLE);
    CHECK_EQ(read_pattern(s, 1), 5);
    stream_release(s);
    run(w);
    peer(w, SEG(.flags = A, .seq = 7, .ack = 2));
    REQUIRE(find(TRACE_state));
    CHECK_EQ(last.point.values[0], FLOW_LAST_ACK);
    CHECK_EQ(last.point.values[1], FLOW_CLOSED);
    forget(w);
    world_free(w);
}

/* Is what was told last a segment, or a row, like this? */
static bool is_row(uint32_t bytes, uint32_t segments, uint32_t size)
{
    const uint32_t *values = last.point.values;
    return values[3] == bytes && values[4] == segments && values[5] == size;
}

TEST(rows_that_a_device_cuts_or_merged_are_told_with_their_segments)
{
    struct world_config config = WORLD_DEFAULT;
    config.is_zero_copy = true;
    config.has_tso = true;
    config.peer_mss = 536; /* a row that one mbuf of the harness holds */
    struct world *w = world_new(&config);
    struct stream *s = world_accept(w);
    trace(w, 40000);
    CHECK_EQ(write_pattern(s, 1, 3 * 524 + 100), 3 * 524 + 100);
    run(w);
    CHECK_EQ(w->stats.counters[STAT_tcp_tx_runs], 1);
    REQUIRE(find(TRACE_tx));
    CHECK(is_row(3 * 524 + 100, 4, 524));
    CHECK_EQ(w->stats.counters[STAT_tcp_tx_packets], 2); /* and the SYN-ACK */
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 10));
    REQUIRE(find(TRACE_rx));
    CHECK(is_row(10, 1, 10));
    peer(w, SEG(.flags = A, .seq = 11, .ack = 1));
    REQUIRE(find(TRACE_rx));
    CHECK(is_row(0, 1, 0));
    peer(w, SEG(.flags = A, .seq = 11, .ack = 1, .len = 1200, .merged_bytes = 600));
    REQUIRE(find(TRACE_rx));
    CHECK(is_row(1200, 2, 600));
    peer(w, SEG(.flags = A, .seq = 1211, .ack = 1, .len = 601, .merged_bytes = 600));
    REQUIRE(find(TRACE_rx));
    CHECK(is_row(601, 2, 600));
    drop_all(w);
    forget(w);
    world_finish(w, s);
}

TEST(flows_that_are_not_meant_are_not_told_of)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    trace(w, 40001);
    struct stream *s = world_accept(w);
    write_pattern(s, 1, 3000);
    run(w);
    pass(w, 1000000);
    CHECK_EQ(next(), -1);
    forget(w);
    world_free(w);
}

TEST(a_trace_that_reaches_its_bound_in_the_middle_of_a_step_leaves_nothing_behind)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct control_observe request = {.kind = OBSERVE_TRACE,
                                      .workers = 1,
                                      .records_max = 1,
                                      .bytes_max = UINT64_MAX,
                                      .ms_max = 1000};
    hub = obs_hub_new(1);
    obs_join(hub, 0, &w->core.obs);
    for (unsigned i = 0; i < 3; i++) { /* each is told the segment, and no more */
        REQUIRE(obs_hub_begin(hub, &request, &slot));
        obs_poll(&w->core.obs);
        peer(w, SEG(.flags = A, .seq = 9, .ack = 9));
        CHECK_EQ(next(), TRACE_rx);
        CHECK_EQ(next(), -1);
    }
    obs_hub_free(hub);
    w->core.obs = (struct obs){.box = NULL};
    world_free(w);
}

UNIT_MAIN("tcp/trace", T(a_handshake_is_told_from_the_first_segment_to_the_accept),
          T(a_drop_is_told_with_its_counter_s_name),
          T(a_segment_of_nobody_is_told_with_the_reset_that_answers_it),
          T(loss_recovery_and_timeout_are_told_as_they_happen),
          T(what_the_owner_does_is_told_with_what_made_it_do_so),
          T(rows_that_a_device_cuts_or_merged_are_told_with_their_segments),
          T(flows_that_are_not_meant_are_not_told_of),
          T(a_trace_that_reaches_its_bound_in_the_middle_of_a_step_leaves_nothing_behind))
