/* SPDX-License-Identifier: Apache-2.0 */
/* Corners of RFC 9293, 3.10.7: every kind of segment in every state, and the edges of numbers. */
#include "harness.h"
#include "net/net.h"
#include "tcp/settings.h"
#include "unit.h"

#include <rte_mbuf.h>

TEST(opens_at_once_end_with_the_peers_syn_ack_and_no_further_syn)
{
    struct world_config config = WORLD_DEFAULT;
    config.peer_window = 1000;
    struct world *w = world_new(&config);
    struct stream *s = world_open(w, 10000, S);
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
    world_finish(w, s);
}

TEST(who_waits_for_memory_is_not_asked_again_in_the_same_moment)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    struct rte_mbuf *taken[4096];
    unsigned n = 0;
    run(w); /* looks at the pool, which has enough */
    while (n < array_len(taken) && (taken[n] = rte_pktmbuf_alloc(w->pool)) != NULL)
        n++;
    CHECK_EQ(write_pattern(s, 1, 100), 0);
    tcp_poll(w->tcp);
    CHECK_EQ(tcp_poll(w->tcp), 0);
    CHECK_EQ(tcp_next_us(w->tcp), w->core.now_us + TCP_MBUFS_LOOK_US);
    rte_pktmbuf_free_bulk(taken, n);
    events(w);
    w->core.now_us += TCP_MBUFS_LOOK_US;
    run(w);
    run(w);
    CHECK_EQ(events(w), STREAM_WRITABLE);
    CHECK_EQ(tcp_next_us(w->tcp), UINT64_MAX);
    world_finish(w, s);
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
    world_finish(w, s);
}

TEST(nobody_is_asked_whether_he_lives_unless_the_owner_wants_it)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    for (unsigned i = 0; i < 300; i++) { /* five hours */
        w->core.now_us += 60000000;
        run(w);
    }
    EXPECT_NONE(w);
    CHECK_EQ(stream_end(s), STREAM_END_OPEN);
    world_finish(w, s);
}

TEST(keepalive_waits_while_something_is_unacknowledged)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    tcp_set_keepalive(s, 5000);
    CHECK_EQ(write_pattern(s, 1, 10), 10);
    pass(w, 60000000);
    CHECK_EQ(stat(w, STAT_tcp_keepalive_probes), 0);
    CHECK(stat(w, STAT_tcp_rto) > 2);
    drop_all(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 11));
    run(w);
    pass(w, 11000000);
    EXPECT(w, .flags = A, .seq = 10, .ack = 1); /* no byte in it */
    CHECK_EQ(stat(w, STAT_tcp_keepalive_probes), 1);
    tcp_set_keepalive(s, 0);
    pass(w, 60000000);
    EXPECT_NONE(w);
    world_finish(w, s);
}

TEST(the_owner_says_how_long_silence_may_last)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    tcp_set_user_timeout(s, 3000);
    CHECK_EQ(write_pattern(s, 1, 10), 10);
    pass(w, 2900000);
    CHECK_EQ(stream_end(s), STREAM_END_OPEN);
    pass(w, 6000000);
    CHECK_EQ(stream_end(s), STREAM_END_TIMEOUT);
    drop_all(w);
    world_finish(w, s);
}

TEST(only_an_acknowledgement_of_new_data_proves_the_next_hop)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    unsigned before = w->confirms;
    CHECK_EQ(write_pattern(s, 1, 10), 10);
    run(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1));
    CHECK_EQ(w->confirms, before);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 11));
    CHECK_EQ(w->confirms, before + 1);
    drop_all(w);
    world_finish(w, s);
}

TEST(many_timeouts_make_the_next_hop_doubtful)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    CHECK_EQ(write_pattern(s, 1, 10), 10);
    pass(w, 1200000);
    CHECK_EQ(w->doubts, 0);
    pass(w, 3000000);
    CHECK_EQ(w->doubts, 1);
    pass(w, 100000000);
    CHECK_EQ(w->doubts, 1);
    CHECK_EQ(stream_end(s), STREAM_END_OPEN); /* R2 is beyond 100 s (SHLD-11) */
    pass(w, 60000000);
    CHECK_EQ(stream_end(s), STREAM_END_TIMEOUT);
    drop_all(w);
    world_finish(w, s);
}

TEST(an_open_without_a_timeout_of_its_own_tries_for_three_minutes)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct tcp_open_args args = {.remote = w->remote, .remote_port = 9};
    struct stream *s = NULL;
    REQUIRE(tcp_open(w->tcp, &args, &s) == TCP_OPEN_OK);
    s->on_event = world_on_event;
    w->local_port = conn(s)->tuple.local_port;
    w->remote_port = 9;
    pass(w, 180000000);
    CHECK_EQ(stream_end(s), STREAM_END_OPEN);
    pass(w, 4000000);
    CHECK_EQ(stat(w, STAT_tcp_syn_retransmits), TCP_SYN_RETRIES_MAX);
    CHECK_EQ(w->doubts, 1);
    pass(w, 7000000);
    CHECK_EQ(stream_end(s), STREAM_END_TIMEOUT);
    stream_release(s);
    run(w);
    world_free(w);
}

TEST(an_open_may_name_its_local_address)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct tcp_open_args args = {.remote = w->remote, .remote_port = 9, .local = w->remote};
    struct stream *s = NULL;
    CHECK_EQ(tcp_open(w->tcp, &args, &s), TCP_OPEN_NO_ROUTE); /* not ours */
    args.local = w->local;
    REQUIRE(tcp_open(w->tcp, &args, &s) == TCP_OPEN_OK);
    CHECK(ip_addr_eq(&conn(s)->tuple.local, &w->local));
    stream_release(s);
    run(w);
    world_free(w);
}

TEST(the_diffserv_field_is_the_owners_and_ecn_is_not)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    CHECK_EQ(w->tos, 0);
    tcp_set_tos(s, 0xbb);
    CHECK_EQ(write_pattern(s, 1, 10), 10);
    run(w);
    CHECK_EQ(w->tos, 0xb8);
    drop_all(w);
    world_finish(w, s);
}

TEST(urgent_bytes_are_told_of_at_once_even_with_a_closed_window)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    tcp_watch_urgent(s);
    peer(w, SEG(.flags = A | TCP_URG, .seq = 1, .ack = 1, .len = 10, .urgent = 60000));
    run(w);
    CHECK_EQ(events(w), STREAM_READABLE | STREAM_URGENT);
    CHECK_EQ(tcp_urgent_bytes(s), 60000); /* most are yet to come */
    CHECK_EQ(read_pattern(s, 1), 10);
    CHECK_EQ(tcp_urgent_bytes(s), 59990);
    peer(w, SEG(.flags = A | TCP_URG, .seq = 11, .ack = 1, .urgent = 100)); /* not further */
    run(w);
    CHECK_EQ(events(w), 0);
    conn(s)->rcv_adv = conn(s)->rcv_nxt; /* closed */
    peer(w, SEG(.flags = A | TCP_URG, .seq = 11, .ack = 1, .len = 1, .urgent = 65000));
    run(w);
    CHECK_EQ(events(w), STREAM_URGENT);
    CHECK_EQ(tcp_urgent_bytes(s), 65000);
    drop_all(w);
    world_finish(w, s);
}

TEST(urgent_bytes_of_ours_carry_the_pointer_until_they_are_acknowledged)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    struct seg g;
    CHECK_EQ(write_pattern(s, 1, 2000), 2000);
    tcp_write_urgent(s);
    CHECK_EQ(write_pattern(s, 2001, 2000), 2000);
    run(w);
    REQUIRE(take(w, &g));
    CHECK_EQ(g.flags, A | TCP_URG);
    CHECK_EQ(g.urgent, 2000); /* the first byte that is not urgent (3.8.5) */
    REQUIRE(take(w, &g));
    CHECK_EQ(g.flags, A | TCP_URG);
    CHECK_EQ(g.seq + g.urgent, 2001);
    REQUIRE(take(w, &g));
    CHECK_EQ(g.flags, A);
    CHECK_EQ(g.urgent, 0);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 4001));
    CHECK_EQ(write_pattern(s, 4001, 10), 10);
    run(w);
    EXPECT(w, .flags = A, .seq = 4001, .ack = 1, .len = 10);
    CHECK_EQ(conn(s)->flags & TCP_F_URGENT_OUT, 0);
    world_finish(w, s);
}

TEST(a_reset_with_text_is_believed_while_the_window_is_closed)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    conn(s)->rcv_adv = conn(s)->rcv_nxt;
    peer(w, SEG(.flags = R | A, .seq = 1, .ack = 1, .len = 20));
    run(w);
    CHECK_EQ(stream_end(s), STREAM_END_RESET);
    world_finish(w, s);
}

/* Takes every mbuf that is left; returns how many. */
static unsigned hold_all(struct world *w, struct rte_mbuf **held)
{
    unsigned n = 0;
    while ((held[n] = rte_pktmbuf_alloc(w->pool)) != NULL)
        n++;
    return n;
}

/* One step of a talk, answered as if the peer had got whatever was sent. With `is_dry` the pool has
 * one mbuf, for what the peer sends, and none afterwards until some time has passed. */
static void step(struct world *w, struct seg s, bool is_dry)
{
    static struct rte_mbuf *held[4096];
    unsigned n = is_dry ? hold_all(w, held) : 0;
    if (n > 0)
        rte_pktmbuf_free(held[--n]);
    peer(w, s);
    w->core.now_us += 1000;
    run(w);
    for (; n > 0; n--)
        rte_pktmbuf_free(held[n - 1]);
    pass(w, 1500000); /* what was put off goes out */
    drop_all(w);
}

TEST(the_pool_may_be_empty_at_any_step_of_a_connection)
{
    for (unsigned dry = 0; dry <= 5; dry++) {
        struct world_config config = WORLD_DEFAULT;
        config.mbufs = 511;
        config.tcp.mbufs_low = 0;
        struct world *w = world_new(&config);
        step(w, SEG(.flags = S), dry == 0);
        REQUIRE(w->knows_iss);
        step(w, SEG(.flags = A, .seq = 1, .ack = 1), dry == 1);
        REQUIRE(w->accepted != NULL);
        step(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 700), dry == 2);
        CHECK_EQ(read_pattern(w->accepted, 1), 700);
        CHECK_EQ(write_pattern(w->accepted, 1, 100), 100);
        step(w, SEG(.flags = A, .seq = 701, .ack = 1), dry == 3);
        step(w, SEG(.flags = F | A, .seq = 701, .ack = 101), dry == 4);
        CHECK(stream_is_eof(w->accepted));
        stream_release(w->accepted);
        run(w);
        drop_all(w);
        step(w, SEG(.flags = A, .seq = 702, .ack = 102), dry == 5);
        CHECK_EQ(tcp_conn_count(w->tcp), 0);
        CHECK_EQ(stat(w, STAT_tcp_end_orderly), 1);
        world_free(w);
    }
}

TEST(a_silly_mtu_cuts_segments_no_smaller_than_the_floor)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    CHECK_EQ(write_pattern(s, 1, 3000), 3000);
    run(w);
    drop_all(w);
    struct net_icmp_error e = {.kind = NET_ICMP_TOO_BIG,
                               .mtu = 68,
                               .local = w->local,
                               .remote = w->remote,
                               .local_port = w->local_port,
                               .remote_port = w->remote_port,
                               .seq = w->our_iss + 1};
    for (unsigned i = 0; i < 100; i++)
        tcp_on_icmp_error(w->tcp, &e);
    CHECK_EQ(conn(s)->path_mtu, TCP_PMTU_MIN_4);
    CHECK_EQ(stat(w, STAT_tcp_icmp_too_big), 1);
    e.mtu = 65535;
    tcp_on_icmp_error(w->tcp, &e);
    CHECK_EQ(conn(s)->path_mtu, TCP_PMTU_MIN_4);
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .len = TCP_PMTU_MIN_4 - 52);
    drop_all(w);
    world_finish(w, s);
}

UNIT_MAIN("tcp/corners", T(the_pool_may_be_empty_at_any_step_of_a_connection),
          T(a_silly_mtu_cuts_segments_no_smaller_than_the_floor),
          T(opens_at_once_end_with_the_peers_syn_ack_and_no_further_syn),
          T(who_waits_for_memory_is_not_asked_again_in_the_same_moment),
          T(a_half_open_connection_answers_what_is_not_its_own),
          T(an_ack_in_the_round_of_the_syn_establishes_nothing),
          T(nobody_is_asked_whether_he_lives_unless_the_owner_wants_it),
          T(keepalive_waits_while_something_is_unacknowledged),
          T(the_owner_says_how_long_silence_may_last),
          T(only_an_acknowledgement_of_new_data_proves_the_next_hop),
          T(many_timeouts_make_the_next_hop_doubtful),
          T(an_open_without_a_timeout_of_its_own_tries_for_three_minutes),
          T(an_open_may_name_its_local_address), T(the_diffserv_field_is_the_owners_and_ecn_is_not),
          T(urgent_bytes_are_told_of_at_once_even_with_a_closed_window),
          T(urgent_bytes_of_ours_carry_the_pointer_until_they_are_acknowledged),
          T(a_reset_with_text_is_believed_while_the_window_is_closed),
          T(numbers_half_a_circle_away_are_outside_of_every_window))
