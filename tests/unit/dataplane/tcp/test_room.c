/* SPDX-License-Identifier: Apache-2.0 */
/* What queues may hold: little at first, more for what is drained. */
#include "base/minmax.h"
#include "harness.h"
#include "unit.h"

#include <rte_mbuf.h>

#define FIRST 16384u       /* tcp_config.first_bytes of these worlds */
#define MOST (256u * 1024) /* of both queues */

static struct world *world_with_first(uint32_t mbufs)
{
    struct world_config config = WORLD_DEFAULT;
    config.mbufs = mbufs;
    config.tcp.rx_window_bytes = MOST;
    config.tcp.tx_buffer_bytes = MOST;
    config.tcp.first_bytes = FIRST;
    config.peer_wscale = 7;
    return world_new(&config);
}

static uint32_t told(const struct stream *s)
{
    const struct tcp_conn *c = tcp_conn_of(s);
    return (uint32_t)seq_diff(c->rcv_adv, c->rcv_nxt);
}

/* The peer sends `n` full segments from `from` on; the owner reads them, or not. Returns the next
 * number. */
static uint32_t feed(struct world *w, struct stream *s, uint32_t from, unsigned n, bool is_read)
{
    for (unsigned i = 0; i < n; i++)
        peer(w, SEG(.flags = A, .seq = from + i * 1448, .ack = 1, .len = 1448));
    if (is_read)
        CHECK_EQ(read_pattern(s, from), n * 1448);
    run(w);
    drop_all(w);
    return from + n * 1448;
}

/* Takes all mbufs of the pool but `left`; returns how many. */
static unsigned leave_mbufs(struct world *w, unsigned left, struct rte_mbuf **kept)
{
    unsigned n = 0;
    while (rte_mempool_avail_count(w->pool) > left)
        kept[n++] = rte_pktmbuf_alloc(w->pool);
    return n;
}

TEST(a_window_begins_small_and_stays_ahead_of_a_sender_in_slow_start)
{
    struct world *w = world_with_first(8191);
    struct stream *s = world_accept(w);
    CHECK(told(s) > FIRST / 2 && told(s) < FIRST + 4096);
    uint32_t seq = 1;
    for (unsigned n = 5; n <= 80; n *= 2) { /* a sender in slow start: the window is ahead of it */
        w->core.now_us += 10000;
        seq = feed(w, s, seq, n, true);
        CHECK(told(s) >= 2 * n * 1448);
        CHECK(told(s) <= max32(FIRST + 4096, 4 * n * 1448));
    }
    w->core.now_us += 10000;
    seq = feed(w, s, seq, 150, true);
    w->core.now_us += 10000;
    seq = feed(w, s, seq, 150, true);
    CHECK(told(s) > MOST / 10 * 9 && told(s) <= MOST);
    w->core.now_us += 10000;
    uint32_t before = told(s);
    feed(w, s, seq, 2, true); /* what was earned is kept */
    CHECK(told(s) >= before - 2 * w->tcp->mbuf_bytes);
    world_finish(w, s);
}

TEST(a_window_does_not_grow_for_what_nobody_reads)
{
    struct world *w = world_with_first(8191);
    struct stream *s = world_accept(w);
    uint32_t edge = 1 + told(s);
    uint32_t seq = 1;
    for (unsigned i = 0; i < 6; i++) {
        w->core.now_us += 10000;
        seq = feed(w, s, seq, 2, false);
    }
    CHECK(seq + told(s) <= edge + FIRST / 4); /* full segments take less than they may */
    CHECK_EQ(read_pattern(s, 1), 12 * 1448);
    run(w);
    drop_all(w);
    CHECK(told(s) > FIRST); /* now it has been */
    world_finish(w, s);
}

TEST(what_a_syn_told_holds_when_the_answer_comes)
{
    struct world_config config = WORLD_DEFAULT;
    config.tcp.first_bytes = FIRST;
    struct world *w = world_new(&config);
    struct tcp_open_args args = {.remote = w->remote, .remote_port = w->remote_port};
    struct stream *s;
    struct seg syn;
    CHECK_EQ(tcp_open(w->tcp, &args, &s), TCP_OPEN_OK);
    s->on_event = world_on_event;
    w->local_port = conn(s)->tuple.local_port;
    run(w);
    CHECK(take(w, &syn));
    CHECK(syn.window >= TCP_WINDOW_SMALL_BYTES && syn.window < 2 * FIRST);
    CHECK_EQ(told(s), syn.window);
    struct rte_mbuf *kept[2047];
    unsigned n = leave_mbufs(w, 70, kept); /* memory becomes short meanwhile */
    w->core.now_us += 10000;
    conn(s)->tcp->mbufs_look_us = 0;
    peer(w, SEG(.flags = S | A, .seq = 0, .ack = 1));
    CHECK_EQ(told(s), syn.window);
    while (n > 0)
        rte_pktmbuf_free(kept[--n]);
    run(w);
    drop_all(w);
    world_finish(w, s);
}

TEST(a_send_queue_grows_by_what_is_acknowledged_up_to_three_windows)
{
    struct world *w = world_with_first(8191);
    struct stream *s = world_accept(w);
    uint32_t first = (uint32_t)stream_write_room(s);
    CHECK(first >= FIRST && first < 3 * FIRST);
    uint32_t from = 1;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t n = (uint32_t)write_pattern(s, from, stream_write_room(s));
        run(w);
        drop_all(w);
        w->core.now_us += 10000;
        from += n;
        peer(w, SEG(.flags = A, .seq = 1, .ack = conn(s)->snd_nxt.v - w->our_iss));
        run(w);
        drop_all(w);
        w->core.now_us += 10000;
        peer(w, SEG(.flags = A, .seq = 1, .ack = conn(s)->snd_nxt.v - w->our_iss));
        CHECK(conn(s)->tx->earned_bytes <= 3 * conn(s)->tx->cc.cwnd_bytes);
    }
    CHECK(stream_write_room(s) + conn(s)->sndq.bytes > 2 * first);
    world_finish(w, s);
}

TEST(small_pieces_out_of_order_take_no_more_than_the_window_is_worth)
{
    struct world *w = world_with_first(8191);
    struct stream *s = world_accept(w);
    for (uint32_t i = 0; i < 400; i++)
        peer(w, SEG(.flags = A, .seq = 3 + 20 * i, .ack = 1, .len = 1));
    run(w);
    drop_all(w);
    CHECK(conn(s)->oooq.mbufs <= FIRST * 2 / w->tcp->mbuf_bytes + 1);
    CHECK(stat(w, STAT_tcp_rx_no_room) > 300);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 1448)); /* what is in order still comes in */
    CHECK_EQ(stream_readable(s), 1448);
    run(w);
    drop_all(w);
    world_finish(w, s);
}

TEST(while_memory_is_short_who_reads_is_told_a_small_window_and_never_none)
{
    struct world *w = world_with_first(2047);
    struct stream *s = world_accept(w);
    struct rte_mbuf *kept[2047];
    unsigned n = leave_mbufs(w, 60, kept); /* config.tcp.mbufs_low is 64 */
    uint32_t seq = 1;
    for (unsigned i = 0; i < 10; i++) {
        w->core.now_us += 10000;
        seq = feed(w, s, seq, 4, true);
        CHECK(told(s) >= 4 * 1448);
        CHECK(told(s) <= TCP_SHARE_MBUFS_MIN * w->tcp->mbuf_bytes);
    }
    CHECK_EQ(stat(w, STAT_tcp_window_short), 1);
    while (n > 0)
        rte_pktmbuf_free(kept[--n]);
    world_finish(w, s);
}

UNIT_MAIN("tcp/room", T(a_window_begins_small_and_stays_ahead_of_a_sender_in_slow_start),
          T(a_window_does_not_grow_for_what_nobody_reads),
          T(what_a_syn_told_holds_when_the_answer_comes),
          T(a_send_queue_grows_by_what_is_acknowledged_up_to_three_windows),
          T(small_pieces_out_of_order_take_no_more_than_the_window_is_worth),
          T(while_memory_is_short_who_reads_is_told_a_small_window_and_never_none))
