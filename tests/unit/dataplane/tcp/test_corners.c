/* SPDX-License-Identifier: Apache-2.0 */
/* Corners of RFC 9293, 3.10.7: every kind of segment in every state, and the edges of numbers. */
#include "harness.h"
#include "unit.h"

#include <rte_mbuf.h>

static void finish(struct world *w, struct stream *s)
{
    stream_abort(s);
    stream_release(s);
    run(w);
    world_free(w);
}

/* Opens and hands out the SYN. */
static struct stream *open_one(struct world *w)
{
    struct tcp_open_args args = {
        .remote = w->remote, .remote_port = w->remote_port, .connect_timeout_ms = 10000};
    struct stream *s = NULL;
    REQUIRE(tcp_open(w->tcp, &args, &s) == TCP_OPEN_OK);
    s->on_event = world_on_event;
    w->local_port = conn(s)->tuple.local_port;
    run(w);
    EXPECT(w, .flags = S);
    return s;
}

TEST(opens_at_once_end_with_the_peers_syn_ack_and_no_further_syn)
{
    struct world_config config = WORLD_DEFAULT;
    config.peer_window = 1000;
    struct world *w = world_new(&config);
    struct stream *s = open_one(w);
    peer(w, SEG(.flags = S));
    run(w);
    EXPECT(w, .flags = S | A, .seq = 0, .ack = 1);
    peer(w, SEG(.flags = S | A, .seq = 0, .ack = 1));
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1);
    EXPECT_NONE(w);
    CHECK_EQ(conn(s)->state, TCP_ESTABLISHED);
    CHECK_EQ(conn(s)->snd_wnd, 1000);
    CHECK_EQ(events(w), STREAM_WRITABLE);
    finish(w, s);
}

TEST(a_half_open_connection_answers_what_is_not_its_own)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    peer(w, SEG(.flags = S));
    run(w);
    EXPECT(w, .flags = S | A, .ack = 1);
    peer(w, SEG(.flags = S, .seq = 0x40000000)); /* the peer began anew and forgot this one */
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1);
    peer(w, SEG(.flags = R, .seq = 1)); /* its answer to that */
    run(w);
    CHECK_EQ(tcp_conn_count(w->tcp), 0);
    CHECK_EQ(stat(w, STAT_tcp_half_open_now), 0);
    world_free(w);
}

TEST(an_ack_in_the_round_of_the_syn_establishes_nothing)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    peer(w, SEG(.flags = S));
    struct tcp_conn *c = pool_at(&w->tcp->conns, 0);
    w->our_iss = c->snd_nxt.v; /* guessed, before anything was sent */
    w->knows_iss = true;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 0));
    EXPECT(w, .flags = R, .seq = 0);
    CHECK_EQ(c->state, TCP_SYN_RCVD);
    run(w);
    EXPECT(w, .flags = S | A, .seq = 0, .ack = 1);
    world_free(w);
}

TEST(numbers_half_a_circle_away_are_outside_of_every_window)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    static const uint32_t far[] = {0x7fffffff, 0x80000000, 0x80000001, 0x7ffffffe, 0x7fffff00};
    for (unsigned i = 0; i < array_len(far); i++) {
        peer(w, SEG(.flags = A, .seq = 1 + far[i], .ack = 1, .len = 500));
        peer(w, SEG(.flags = F | A, .seq = 1 + far[i], .ack = 1));
        peer(w, SEG(.flags = R, .seq = 1 + far[i]));
        run(w);
        drop_all(w);
    }
    CHECK_EQ(stat(w, STAT_tcp_drop_sequence), 3 * array_len(far));
    CHECK_EQ(conn(s)->state, TCP_ESTABLISHED);
    CHECK_EQ(conn(s)->oooq.mbufs, 0);
    finish(w, s);
}

UNIT_MAIN("tcp/corners", T(opens_at_once_end_with_the_peers_syn_ack_and_no_further_syn),
          T(a_half_open_connection_answers_what_is_not_its_own),
          T(an_ack_in_the_round_of_the_syn_establishes_nothing),
          T(numbers_half_a_circle_away_are_outside_of_every_window))
