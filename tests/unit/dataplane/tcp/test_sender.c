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

/* The script goes on with `f`, which writes `n` bytes from number `from` on. */
static void write_to(struct world *w, const struct flow *f, uint32_t from, uint32_t n)
{
    turn_to(w, f);
    CHECK_EQ(write_pattern(f->s, from, n), n);
    run(w);
}

/* The peer of the present flow has all before `number`, 10 ms later. */
static void acknowledge(struct world *w, uint32_t number)
{
    w->core.now_us += 10000;
    peer(w, SEG(.flags = A, .seq = 1, .ack = number));
    run(w);
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
    write_to(w, &a, 1, 100);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .len = 100);
    acknowledge(w, 101);
    CHECK(conn(a.s)->tx != NULL);
    uint32_t cwnd = conn(a.s)->tx->cc.cwnd_bytes;
    write_to(w, &b, 1, 100);
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
    write_to(w, &a, 1, 100);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .len = 100);
    write_to(w, &b, 1, 200);
    EXPECT_NONE(w);
    CHECK(stat(w, STAT_tcp_tx_no_sender) > 0);
    turn_to(w, &a);
    acknowledge(w, 101);
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
    write_to(w, &a, 1, 100);
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
    write_to(w, &a, 1, 10);
    drop_all(w);
    conn(a.s)->tx->cc.cwnd_bytes = 50 * conn(a.s)->mss;
    conn(a.s)->tx->cc.ssthresh_bytes = 30 * conn(a.s)->mss;
    acknowledge(w, 11);
    write_to(w, &b, 1, 10);
    drop_all(w);
    acknowledge(w, 11);
    write_to(w, &a, 11, 10);
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
    write_to(w, &a, 1, 10);
    drop_all(w);
    write_to(w, &b, 1, 10);
    drop_all(w);
    acknowledge(w, 11);
    write_to(w, &c, 1, 10);
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
