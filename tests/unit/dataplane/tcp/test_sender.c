/* SPDX-License-Identifier: Apache-2.0 */
/* Fewer senders than connections: who gets one, who gives his up, who waits. */
#include "harness.h"
#include "unit.h"

/* A connection of a script that has several: what the harness knows of it. */
struct flow {
    struct stream *s;
    uint16_t remote_port;
    uint32_t our_iss;
    uint32_t ts_echo;
};

static struct world *world_with_senders(uint32_t senders)
{
    struct world_config config = WORLD_DEFAULT;
    config.tcp.senders_max = senders;
    return world_new(&config);
}

static struct flow open_flow(struct world *w, uint16_t remote_port)
{
    w->remote_port = remote_port;
    w->knows_iss = false;
    struct stream *s = world_accept(w);
    return (struct flow){s, remote_port, w->our_iss, w->ts_echo};
}

/* The script goes on with `f`. */
static void turn_to(struct world *w, const struct flow *f)
{
    w->remote_port = f->remote_port;
    w->our_iss = f->our_iss;
    w->ts_echo = f->ts_echo;
}

static void close_flow(struct world *w, struct flow *f)
{
    turn_to(w, f);
    stream_abort(f->s);
    stream_release(f->s);
    run(w);
    drop_all(w);
}

TEST(a_resting_connection_gives_its_sender_to_one_that_has_something_to_send)
{
    struct world *w = world_with_senders(1);
    struct flow a = open_flow(w, 40000);
    struct flow b = open_flow(w, 40001);
    turn_to(w, &a);
    CHECK_EQ(write_pattern(a.s, 1, 100), 100);
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .len = 100);
    w->core.now_us += 10000;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 101));
    run(w);
    CHECK(conn(a.s)->tx != NULL);
    uint32_t cwnd = conn(a.s)->tx->cc.cwnd_bytes;
    turn_to(w, &b);
    CHECK_EQ(write_pattern(b.s, 1, 100), 100);
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .len = 100);
    CHECK(conn(a.s)->tx == NULL);
    CHECK_EQ(conn(a.s)->kept_cwnd_bytes, cwnd);
    CHECK_EQ(stat(w, STAT_tcp_sender_taken), 1);
    close_flow(w, &a);
    close_flow(w, &b);
    world_free(w);
}

TEST(while_all_senders_are_busy_a_connection_waits_and_then_sends)
{
    struct world *w = world_with_senders(1);
    struct flow a = open_flow(w, 40000);
    struct flow b = open_flow(w, 40001);
    turn_to(w, &a);
    CHECK_EQ(write_pattern(a.s, 1, 100), 100);
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .len = 100);
    turn_to(w, &b);
    CHECK_EQ(write_pattern(b.s, 1, 200), 200);
    run(w);
    EXPECT_NONE(w);
    CHECK(stat(w, STAT_tcp_tx_no_sender) > 0);
    turn_to(w, &a);
    w->core.now_us += 10000;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 101));
    run(w);
    turn_to(w, &b);
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .len = 200);
    close_flow(w, &a);
    close_flow(w, &b);
    world_free(w);
}

TEST(a_connection_that_waits_for_a_sender_still_acknowledges)
{
    struct world *w = world_with_senders(1);
    struct flow a = open_flow(w, 40000);
    struct flow b = open_flow(w, 40001);
    turn_to(w, &a);
    CHECK_EQ(write_pattern(a.s, 1, 100), 100);
    run(w);
    drop_all(w);
    turn_to(w, &b);
    CHECK_EQ(write_pattern(b.s, 1, 200), 200);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 10));
    peer(w, SEG(.flags = A, .seq = 11, .ack = 1, .len = 10));
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 21);
    EXPECT_NONE(w);
    close_flow(w, &b); /* first: else it would send now */
    close_flow(w, &a);
    world_free(w);
}

TEST(who_lost_its_sender_begins_again_with_the_restart_window_and_its_threshold)
{
    struct world *w = world_with_senders(1);
    struct flow a = open_flow(w, 40000);
    struct flow b = open_flow(w, 40001);
    turn_to(w, &a);
    CHECK_EQ(write_pattern(a.s, 1, 10), 10);
    run(w);
    drop_all(w);
    conn(a.s)->tx->cc.cwnd_bytes = 50 * conn(a.s)->mss;
    conn(a.s)->tx->cc.ssthresh_bytes = 30 * conn(a.s)->mss;
    w->core.now_us += 10000;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 11));
    run(w);
    turn_to(w, &b);
    CHECK_EQ(write_pattern(b.s, 1, 10), 10);
    run(w);
    drop_all(w);
    w->core.now_us += 10000;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 11));
    run(w);
    turn_to(w, &a);
    CHECK_EQ(write_pattern(a.s, 11, 10), 10);
    run(w);
    EXPECT(w, .flags = A, .seq = 11, .ack = 1, .len = 10);
    CHECK_EQ(conn(a.s)->tx->cc.cwnd_bytes, tcp_cc_initial_window(conn(a.s)->mss));
    CHECK_EQ(conn(a.s)->tx->cc.ssthresh_bytes, 30 * conn(a.s)->mss);
    close_flow(w, &a);
    close_flow(w, &b);
    world_free(w);
}

TEST(what_has_something_unacknowledged_keeps_its_sender)
{
    struct world *w = world_with_senders(2);
    struct flow a = open_flow(w, 40000);
    struct flow b = open_flow(w, 40001);
    struct flow c = open_flow(w, 40002);
    turn_to(w, &a);
    CHECK_EQ(write_pattern(a.s, 1, 10), 10);
    run(w);
    drop_all(w);
    turn_to(w, &b);
    CHECK_EQ(write_pattern(b.s, 1, 10), 10);
    run(w);
    drop_all(w);
    w->core.now_us += 10000;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 11));
    run(w);
    turn_to(w, &c);
    CHECK_EQ(write_pattern(c.s, 1, 10), 10);
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .len = 10);
    CHECK(conn(a.s)->tx != NULL);
    CHECK(conn(b.s)->tx == NULL);
    close_flow(w, &a);
    close_flow(w, &b);
    close_flow(w, &c);
    world_free(w);
}

UNIT_MAIN("tcp/sender", T(a_resting_connection_gives_its_sender_to_one_that_has_something_to_send),
          T(while_all_senders_are_busy_a_connection_waits_and_then_sends),
          T(a_connection_that_waits_for_a_sender_still_acknowledges),
          T(who_lost_its_sender_begins_again_with_the_restart_window_and_its_threshold),
          T(what_has_something_unacknowledged_keeps_its_sender))
