/* SPDX-License-Identifier: Apache-2.0 */
/* Opens: passive, active, both at once; what is agreed upon; what runs out. */
#include "core/spread.h"
#include "harness.h"
#include "net/net.h"
#include "unit.h"

#include <rte_mbuf.h>

TEST(the_syn_ack_tells_what_we_can_and_repeats_what_was_offered)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct seg s;
    peer(w, SEG(.flags = S));
    run(w);
    REQUIRE(take(w, &s));
    CHECK_EQ(s.flags, S | A);
    CHECK_EQ(s.options.mss, 1460);
    CHECK(s.options.has_wscale && s.options.has_sack_permitted && s.options.has_timestamps);
    CHECK_EQ(s.options.wscale, 1); /* 65536 needs 17 bits */
    peer(w, SEG(.flags = R, .seq = 1));
    run(w);
    CHECK_EQ(tcp_conn_count(w->tcp), 0);
    CHECK_EQ(stat(w, STAT_tcp_half_open_now), 0);
    world_free(w);
}

TEST(a_peer_without_options_gets_none_and_the_default_mss)
{
    struct world_config config = WORLD_DEFAULT;
    config.has_sack = config.has_timestamps = config.has_wscale = false;
    config.peer_mss = 0;
    struct world *w = world_new(&config);
    struct stream *s = world_accept(w);
    CHECK_EQ(conn(s)->flags & (TCP_F_SACK | TCP_F_TIMESTAMPS | TCP_F_WSCALE), 0);
    CHECK_EQ(write_pattern(s, 1, 1000), 1000);
    run(w);
    EXPECT(w, .flags = A, .seq = 1, .ack = 1, .len = 536);
    EXPECT(w, .flags = A, .seq = 537, .ack = 1, .len = 464);
    stream_abort(s);
    stream_release(s);
    run(w);
    world_free(w);
}

TEST(ipv6_has_its_own_sizes_and_checksums)
{
    struct world_config config = WORLD_DEFAULT;
    config.is_v6 = true;
    config.peer_mss = 1440;
    struct world *w = world_new(&config);
    struct stream *s = world_accept(w);
    CHECK_EQ(conn(s)->mss, 1428);
    CHECK_EQ(stat(w, STAT_tcp_drop_cksum), 0);
    stream_abort(s);
    stream_release(s);
    run(w);
    world_free(w);
}

TEST(the_syn_ack_is_sent_again_and_given_up)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    peer(w, SEG(.flags = S));
    run(w);
    EXPECT(w, .flags = S | A, .ack = 1);
    for (unsigned i = 0; i < TCP_SYN_ACK_RETRIES_MAX; i++) {
        pass(w, (1000000ull << i) + 2000);
        EXPECT(w, .flags = S | A, .ack = 1);
        EXPECT_NONE(w);
    }
    pass(w, 40000000);
    EXPECT_NONE(w);
    CHECK_EQ(tcp_conn_count(w->tcp), 0);
    CHECK_EQ(stat(w, STAT_tcp_end_timeout), 1);
    world_free(w);
}

TEST(a_syn_that_comes_again_is_answered_again)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    peer(w, SEG(.flags = S));
    run(w);
    EXPECT(w, .flags = S | A, .ack = 1);
    peer(w, SEG(.flags = S));
    run(w);
    EXPECT(w, .flags = S | A, .ack = 1);
    CHECK_EQ(tcp_conn_count(w->tcp), 1);
    world_free(w);
}

TEST(a_wrong_ack_of_our_syn_is_answered_by_a_reset)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    peer(w, SEG(.flags = S));
    run(w);
    EXPECT(w, .flags = S | A, .ack = 1);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 500));
    EXPECT(w, .flags = R, .seq = 500);
    CHECK_EQ(w->accepts, 0);
    world_free(w);
}

TEST(nobody_listens_and_the_syn_is_reset)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    w->listening = false;
    w->knows_iss = true;
    peer(w, SEG(.flags = S));
    EXPECT(w, .flags = R | A, .seq = 0, .ack = 1);
    peer(w, SEG(.flags = A, .seq = 7, .ack = 9, .len = 5));
    EXPECT(w, .flags = R, .seq = 9);
    peer(w, SEG(.flags = R, .seq = 7));
    EXPECT_NONE(w);
    CHECK_EQ(stat(w, STAT_tcp_drop_no_listener), 1);
    CHECK_EQ(stat(w, STAT_tcp_drop_no_conn), 2);
    world_free(w);
}

TEST(an_owner_who_refuses_resets_the_connection)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    w->refuses = true;
    peer(w, SEG(.flags = S));
    run(w);
    EXPECT(w, .flags = S | A, .ack = 1);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1));
    run(w);
    EXPECT(w, .flags = R | A, .seq = 1, .ack = 1);
    run(w);
    CHECK_EQ(tcp_conn_count(w->tcp), 0);
    CHECK_EQ(stat(w, STAT_tcp_accept_refused), 1);
    world_free(w);
}

TEST(data_with_the_third_segment_is_told_right_after_the_accept)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    peer(w, SEG(.flags = S));
    run(w);
    EXPECT(w, .flags = S | A, .ack = 1);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 20));
    CHECK_EQ(w->accepts, 0); /* never from within tcp_input() */
    run(w);
    CHECK_EQ(w->accepts, 1);
    CHECK_EQ(events(w), STREAM_READABLE);
    CHECK_EQ(read_pattern(w->accepted, 1), 20);
    stream_abort(w->accepted);
    stream_release(w->accepted);
    run(w);
    world_free(w);
}

TEST(half_open_connections_have_a_limit)
{
    struct world_config config = WORLD_DEFAULT;
    config.tcp.half_open_listener_max = 100;
    struct world *w = world_new(&config);
    for (unsigned i = 0; i < 20; i++) {
        w->remote_port = (uint16_t)(40000 + i);
        peer(w, SEG(.flags = S));
    }
    CHECK_EQ(tcp_conn_count(w->tcp), 8);
    CHECK_EQ(stat(w, STAT_tcp_half_open_now), 8);
    CHECK_EQ(stat(w, STAT_tcp_rx_syn_cookie), 12);
    pass(w, 70000000);
    for (unsigned i = 0; i < w->n_out; i++)
        rte_pktmbuf_free(w->out[i]);
    w->n_out = 0;
    CHECK_EQ(tcp_conn_count(w->tcp), 0);
    CHECK_EQ(stat(w, STAT_tcp_half_open_now), 0);
    world_free(w);
}

TEST(an_empty_connection_pool_drops_syns_and_refuses_opens)
{
    struct world_config config = WORLD_DEFAULT;
    config.tcp.conns_max = 1;
    struct world *w = world_new(&config);
    struct stream *s = world_accept(w);
    w->remote_port++;
    peer(w, SEG(.flags = S));
    run(w);
    EXPECT_NONE(w);
    CHECK_EQ(stat(w, STAT_tcp_drop_conn_limit), 1);
    struct tcp_open_args args = {.remote = w->remote, .remote_port = 9};
    struct stream *other;
    CHECK_EQ(tcp_open(w->tcp, &args, &other), TCP_OPEN_NO_CONN);
    w->remote_port--;
    stream_abort(s);
    stream_release(s);
    run(w);
    world_free(w);
}

TEST(short_memory_refuses_both_kinds_of_open)
{
    struct world_config config = WORLD_DEFAULT;
    config.tcp.mbufs_low = 4000; /* more than there are */
    struct world *w = world_new(&config);
    peer(w, SEG(.flags = S));
    CHECK_EQ(stat(w, STAT_tcp_drop_mbufs_low), 1);
    struct tcp_open_args args = {.remote = w->remote, .remote_port = 9};
    struct stream *s;
    CHECK_EQ(tcp_open(w->tcp, &args, &s), TCP_OPEN_NO_MBUF);
    world_free(w);
}

TEST(an_active_open_is_established_by_the_syn_ack)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_connect(w);
    CHECK_EQ(conn(s)->state, TCP_ESTABLISHED);
    CHECK_EQ(conn(s)->rtt.srtt_us, 10000);
    struct spread_tuple reply;
    spread_tuple_of(&w->remote, &w->local, w->remote_port, conn(s)->tuple.local_port, &reply);
    CHECK_EQ(spread_worker(world_spread(), &reply), w->core.worker);
    stream_abort(s);
    stream_release(s);
    run(w);
    world_free(w);
}

static unsigned seen;
static void note(struct stream *s, unsigned what)
{
    seen |= what;
}

/* Opens and hands out the SYN; `seen` collects events. */
static struct stream *open_one(struct world *w)
{
    struct tcp_open_args args = {
        .remote = w->remote, .remote_port = w->remote_port, .connect_timeout_ms = 10000};
    struct stream *s = NULL;
    seen = 0;
    REQUIRE(tcp_open(w->tcp, &args, &s) == TCP_OPEN_OK);
    s->on_event = note;
    w->local_port = conn(s)->tuple.local_port;
    run(w);
    EXPECT(w, .flags = S);
    return s;
}

TEST(a_reset_refuses_an_open_only_with_the_right_ack)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = open_one(w);
    peer(w, SEG(.flags = R, .seq = 0));
    peer(w, SEG(.flags = R | A, .seq = 0, .ack = 77));
    run(w);
    CHECK_EQ(seen, 0);
    drop_all(w);
    peer(w, SEG(.flags = R | A, .seq = 0, .ack = 1));
    CHECK_EQ(seen, 0);
    run(w);
    CHECK_EQ(seen, STREAM_CLOSED);
    CHECK_EQ(stream_end(s), STREAM_END_REFUSED);
    stream_release(s);
    run(w);
    world_free(w);
}

TEST(a_peer_that_remembers_an_old_connection_is_reset_and_asked_again_soon)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = open_one(w);
    peer(w, SEG(.flags = A, .seq = 900, .ack = 9000)); /* from its TIME_WAIT */
    EXPECT(w, .flags = R, .seq = 9000);
    pass(w, 3000);
    EXPECT(w, .flags = S);
    peer(w, SEG(.flags = A, .seq = 900, .ack = 9000));
    EXPECT(w, .flags = R, .seq = 9000);
    pass(w, 3000);
    EXPECT_NONE(w); /* once */
    peer(w, SEG(.flags = S | A, .ack = 1));
    run(w);
    CHECK_EQ(seen, STREAM_WRITABLE);
    drop_all(w);
    stream_abort(s);
    stream_release(s);
    run(w);
    world_free(w);
}

TEST(an_open_without_answer_times_out)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = open_one(w);
    pass(w, 9900000);
    CHECK_EQ(seen, 0);
    drop_all(w);
    CHECK_EQ(stat(w, STAT_tcp_syn_retransmits), 3);
    pass(w, 300000);
    CHECK_EQ(seen, STREAM_CLOSED);
    CHECK_EQ(stream_end(s), STREAM_END_TIMEOUT);
    stream_release(s);
    run(w);
    world_free(w);
}

TEST(an_unreachable_destination_ends_the_open_when_the_quote_is_ours)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = open_one(w);
    struct net_icmp_error e = {.kind = NET_ICMP_UNREACHABLE,
                               .local = w->local,
                               .remote = w->remote,
                               .local_port = w->local_port,
                               .remote_port = w->remote_port,
                               .seq = w->our_iss + 1};
    tcp_on_icmp_error(w->tcp, &e);
    run(w);
    CHECK_EQ(seen, 0);
    e.seq = w->our_iss;
    tcp_on_icmp_error(w->tcp, &e);
    run(w);
    CHECK_EQ(stream_end(s), STREAM_END_UNREACHABLE);
    stream_release(s);
    run(w);
    world_free(w);
}

TEST(no_way_and_no_port_are_answers)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct tcp_open_args args = {.remote = w->remote, .remote_port = 9};
    struct stream *s;
    w->no_route = true;
    CHECK_EQ(tcp_open(w->tcp, &args, &s), TCP_OPEN_NO_ROUTE);
    w->no_route = false;
    w->no_port = true;
    CHECK_EQ(tcp_open(w->tcp, &args, &s), TCP_OPEN_NO_PORT);
    CHECK_EQ(stat(w, STAT_tcp_open_no_port), 1);
    world_free(w);
}

TEST(source_ports_towards_one_destination_are_all_different)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s[40];
    struct tcp_open_args args = {.remote = w->remote, .remote_port = 9};
    for (unsigned i = 0; i < 40; i++) {
        REQUIRE(tcp_open(w->tcp, &args, &s[i]) == TCP_OPEN_OK);
        for (unsigned k = 0; k < i; k++)
            CHECK(conn(s[i])->tuple.local_port != conn(s[k])->tuple.local_port);
    }
    for (unsigned i = 0; i < 40; i++)
        stream_release(s[i]);
    run(w);
    CHECK_EQ(tcp_conn_count(w->tcp), 0);
    world_free(w);
}

TEST(both_may_open_at_once)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = open_one(w);
    peer(w, SEG(.flags = S));
    run(w);
    EXPECT(w, .flags = S | A, .seq = 0, .ack = 1);
    CHECK_EQ(conn(s)->state, TCP_SYN_RCVD);
    peer(w, SEG(.flags = S | A, .seq = 0, .ack = 1));
    run(w);
    drop_all(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1));
    run(w);
    CHECK_EQ(conn(s)->state, TCP_ESTABLISHED);
    CHECK_EQ(seen, STREAM_WRITABLE);
    CHECK_EQ(w->accepts, 0);
    stream_abort(s);
    stream_release(s);
    run(w);
    world_free(w);
}

TEST(what_is_written_before_the_open_is_answered_goes_out_then)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = open_one(w);
    CHECK_EQ(write_pattern(s, 1, 100), 100);
    stream_shutdown(s);
    run(w);
    EXPECT_NONE(w);
    peer(w, SEG(.flags = S | A, .ack = 1));
    run(w);
    EXPECT(w, .flags = F | A, .seq = 1, .ack = 1, .len = 100);
    CHECK_EQ(conn(s)->state, TCP_FIN_WAIT_1);
    stream_abort(s);
    stream_release(s);
    run(w);
    world_free(w);
}

UNIT_MAIN(
    "tcp/handshake", T(the_syn_ack_tells_what_we_can_and_repeats_what_was_offered),
    T(a_peer_without_options_gets_none_and_the_default_mss),
    T(ipv6_has_its_own_sizes_and_checksums), T(the_syn_ack_is_sent_again_and_given_up),
    T(a_syn_that_comes_again_is_answered_again), T(a_wrong_ack_of_our_syn_is_answered_by_a_reset),
    T(nobody_listens_and_the_syn_is_reset), T(an_owner_who_refuses_resets_the_connection),
    T(data_with_the_third_segment_is_told_right_after_the_accept),
    T(half_open_connections_have_a_limit), T(an_empty_connection_pool_drops_syns_and_refuses_opens),
    T(short_memory_refuses_both_kinds_of_open), T(an_active_open_is_established_by_the_syn_ack),
    T(a_reset_refuses_an_open_only_with_the_right_ack),
    T(a_peer_that_remembers_an_old_connection_is_reset_and_asked_again_soon),
    T(an_open_without_answer_times_out),
    T(an_unreachable_destination_ends_the_open_when_the_quote_is_ours),
    T(no_way_and_no_port_are_answers), T(source_ports_towards_one_destination_are_all_different),
    T(both_may_open_at_once), T(what_is_written_before_the_open_is_answered_goes_out_then))
