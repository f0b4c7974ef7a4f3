/* SPDX-License-Identifier: Apache-2.0 */
/* SYN cookies: the number by itself, then a worker under a flood. */
#include "tcp/syncookie.h"

#include "base/rng.h"
#include "harness.h"
#include "unit.h"

#include <rte_mbuf.h>

static const struct siphash_key boot = {11, 22};
static const uint64_t noon_us = 500 * TCP_COOKIE_EPOCH_US + 7;
static const seq_t peer_iss = {123456};

static struct flow_tuple tuple_of(bool is_v6)
{
    struct flow_tuple t = {.local_port = 443, .remote_port = 50000};
    ip_addr_parse(is_v6 ? "2001:db8::1" : "198.18.0.1", &t.local);
    ip_addr_parse(is_v6 ? "2001:db8::99" : "203.0.113.9", &t.remote);
    return t;
}

static struct tcp_cookies fresh(void)
{
    struct tcp_cookies k;
    tcp_cookies_init(&k, &boot);
    return k;
}

static const struct tcp_cookie_terms usual = {
    .mss = 1400, .wscale = 7, .has_timestamps = true, .has_sack = true};

/* Reads by a worker that has not made it: secrets are derived, not kept. */
static enum tcp_cookie_result read_back(const struct flow_tuple *t, seq_t number,
                                        const uint32_t *echo, uint64_t now_us,
                                        struct tcp_cookie_terms *ret)
{
    struct tcp_cookies k = fresh();
    return tcp_cookie_read(&k, t, peer_iss, number, echo, now_us, ret);
}

/* The MSS that comes back for one that goes in. */
static uint16_t mss_after(const struct flow_tuple *t, uint16_t mss)
{
    struct tcp_cookies k = fresh();
    struct tcp_cookie_terms in = {.mss = mss, .wscale = TCP_COOKIE_NO_WSCALE};
    struct tcp_cookie_terms out = {0};
    seq_t number = tcp_cookie_make(&k, t, peer_iss, &in, noon_us);
    CHECK_EQ(read_back(t, number, NULL, noon_us, &out), TCP_COOKIE_GOOD);
    CHECK(!out.has_timestamps && !out.has_sack && !out.has_ecn);
    CHECK_EQ(out.wscale, TCP_COOKIE_NO_WSCALE);
    return out.mss;
}

TEST(every_mss_comes_back_as_the_largest_class_that_is_not_above_it)
{
    static const uint16_t classes[2][8] = {{64, 536, 1220, 1300, 1360, 1400, 1440, 1460},
                                           {64, 536, 1220, 1300, 1360, 1400, 1420, 1440}};
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct flow_tuple t = tuple_of(v6);
        unsigned class = 0;
        for (uint16_t mss = 64; mss < 2000; mss++) {
            if (class < 7 && mss == classes[v6][class + 1])
                class ++;
            CHECK_EQ(mss_after(&t, mss), classes[v6][class]);
        }
        CHECK_EQ(class, 7);
        CHECK_EQ(mss_after(&t, 65535), classes[v6][7]);
    }
}

TEST(every_scale_and_option_comes_back_with_the_timestamp)
{
    for (unsigned bits = 0; bits < 64; bits++) {
        struct flow_tuple t = tuple_of(bits & 1);
        struct tcp_cookies k = fresh();
        struct tcp_cookie_terms out = {0};
        struct tcp_cookie_terms in = {.mss = 536,
                                      .wscale = bits & 15,
                                      .has_timestamps = true,
                                      .has_sack = (bits & 16) != 0,
                                      .has_ecn = (bits & 32) != 0};
        seq_t number = tcp_cookie_make(&k, &t, peer_iss, &in, noon_us);
        uint32_t echo = tcp_cookie_timestamp(&in, 0xdeadbeef + bits);
        CHECK_EQ(read_back(&t, number, &echo, noon_us, &out), TCP_COOKIE_GOOD);
        CHECK(out.has_timestamps);
        CHECK_EQ(out.wscale, in.wscale);
        CHECK_EQ(out.has_sack, in.has_sack);
        CHECK_EQ(out.has_ecn, in.has_ecn);
        CHECK_EQ(out.mss, 536);
    }
}

TEST(terms_without_timestamps_are_the_mss_alone)
{
    struct tcp_options syn = {
        .has_mss = true, .mss = 20, .has_wscale = true, .wscale = 9, .has_sack_permitted = true};
    struct tcp_cookie_terms terms = tcp_cookie_terms(&syn, true);
    CHECK_EQ(terms.mss, TCP_MSS_MIN);
    CHECK(!terms.has_sack && !terms.has_timestamps);
    CHECK_EQ(terms.wscale, TCP_COOKIE_NO_WSCALE);
    syn.has_timestamps = true;
    syn.has_mss = false;
    terms = tcp_cookie_terms(&syn, false);
    CHECK_EQ(terms.mss, TCP_MSS_DEFAULT_6);
    CHECK(terms.has_sack && terms.has_timestamps);
    CHECK_EQ(terms.wscale, 9);
    syn.has_wscale = false;
    CHECK_EQ(tcp_cookie_terms(&syn, true).wscale, TCP_COOKIE_NO_WSCALE);
    CHECK_EQ(tcp_cookie_terms(&syn, true).mss, TCP_MSS_DEFAULT_4);
}

TEST(a_cookie_is_good_in_its_epoch_and_the_next_then_expired_then_nothing)
{
    struct flow_tuple t = tuple_of(false);
    struct tcp_cookies k = fresh();
    struct tcp_cookie_terms out;
    uint64_t begin_us = 500 * TCP_COOKIE_EPOCH_US;
    static const enum tcp_cookie_result by_epoch[] = {
        TCP_COOKIE_GOOD,    TCP_COOKIE_GOOD,    TCP_COOKIE_EXPIRED, TCP_COOKIE_EXPIRED,
        TCP_COOKIE_INVALID, TCP_COOKIE_INVALID, TCP_COOKIE_INVALID, TCP_COOKIE_INVALID};
    uint32_t echo = tcp_cookie_timestamp(&usual, 1000);
    seq_t number = tcp_cookie_make(&k, &t, peer_iss, &usual, begin_us);
    for (unsigned e = 0; e < array_len(by_epoch); e++) {
        uint64_t first_us = begin_us + e * TCP_COOKIE_EPOCH_US;
        CHECK_EQ(read_back(&t, number, &echo, first_us, &out), by_epoch[e]);
        CHECK_EQ(read_back(&t, number, &echo, first_us + TCP_COOKIE_EPOCH_US - 1, &out),
                 by_epoch[e]);
        /* The worker that made it has derived other secrets since. */
        CHECK_EQ(tcp_cookie_read(&k, &t, peer_iss, number, &echo, first_us, &out), by_epoch[e]);
    }
    /* A clock in its first epoch looks at none before it. */
    CHECK_EQ(read_back(&t, number, &echo, 5, &out), TCP_COOKIE_INVALID);
}

TEST(secrets_rotate_and_those_of_another_boot_read_nothing)
{
    struct flow_tuple t = tuple_of(true);
    struct tcp_cookies k = fresh();
    struct tcp_cookie_terms out;
    uint32_t echo = tcp_cookie_timestamp(&usual, 1000);
    uint64_t turn_us = 77 * TCP_COOKIE_EPOCH_US;
    seq_t before = tcp_cookie_make(&k, &t, peer_iss, &usual, turn_us - 1);
    seq_t after = tcp_cookie_make(&k, &t, peer_iss, &usual, turn_us);
    CHECK(before.v != after.v);
    CHECK_EQ(tcp_cookie_make(&k, &t, peer_iss, &usual, turn_us - 2).v, before.v);
    CHECK_EQ(tcp_cookie_read(&k, &t, peer_iss, before, &echo, turn_us, &out), TCP_COOKIE_GOOD);
    CHECK_EQ(tcp_cookie_read(&k, &t, peer_iss, after, &echo, turn_us, &out), TCP_COOKIE_GOOD);
    struct siphash_key other = {11, 23};
    tcp_cookies_init(&k, &other);
    CHECK_EQ(tcp_cookie_read(&k, &t, peer_iss, after, &echo, turn_us, &out), TCP_COOKIE_INVALID);
}

TEST(a_million_forged_numbers_open_nothing)
{
    struct rng r = {4711};
    struct flow_tuple t = tuple_of(false);
    struct tcp_cookies k = fresh();
    struct tcp_cookie_terms out;
    for (unsigned i = 0; i < 1000000; i++) {
        uint32_t echo = (uint32_t)rng_next(&r);
        seq_t number = {(uint32_t)rng_next(&r)};
        t.remote_port = (uint16_t)i;
        enum tcp_cookie_result result =
            tcp_cookie_read(&k, &t, (seq_t){(uint32_t)rng_next(&r)}, number, &echo, noon_us, &out);
        REQUIRE(result == TCP_COOKIE_INVALID);
    }
}

TEST(a_cookie_is_for_one_peer_one_number_and_one_set_of_terms)
{
    struct flow_tuple t = tuple_of(false);
    struct tcp_cookies k = fresh();
    struct tcp_cookie_terms out;
    uint32_t echo = tcp_cookie_timestamp(&usual, 1000);
    seq_t number = tcp_cookie_make(&k, &t, peer_iss, &usual, noon_us);
    for (unsigned bit = 0; bit < 8 * sizeof(t); bit++) {
        struct flow_tuple other = t;
        ((uint8_t *)&other)[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK_EQ(read_back(&other, number, &echo, noon_us, &out), TCP_COOKIE_INVALID);
    }
    for (unsigned bit = 0; bit < 32; bit++) {
        seq_t wrong = {number.v ^ 1u << bit};
        seq_t other_iss = {peer_iss.v ^ 1u << bit};
        CHECK_EQ(read_back(&t, wrong, &echo, noon_us, &out), TCP_COOKIE_INVALID);
        CHECK_EQ(tcp_cookie_read(&k, &t, other_iss, number, &echo, noon_us, &out),
                 TCP_COOKIE_INVALID);
    }
    for (unsigned bit = 0; bit < TCP_COOKIE_TIMESTAMP_BITS; bit++) {
        uint32_t other = echo ^ 1u << bit; /* a scale that was not offered */
        CHECK_EQ(read_back(&t, number, &other, noon_us, &out), TCP_COOKIE_INVALID);
    }
    CHECK_EQ(read_back(&t, number, NULL, noon_us, &out), TCP_COOKIE_INVALID);
    CHECK_EQ(read_back(&t, number, &echo, noon_us, &out), TCP_COOKIE_GOOD);
}

TEST(no_part_of_the_number_can_be_told_without_the_key)
{
    struct tcp_cookies k = fresh();
    struct flow_tuple t = tuple_of(false);
    unsigned seen[32] = {0}; /* of the five bits that say epoch and class */
    for (unsigned i = 0; i < 3200; i++) {
        t.remote_port = (uint16_t)(1000 + i);
        seen[tcp_cookie_make(&k, &t, peer_iss, &usual, noon_us).v >> 27]++;
    }
    for (unsigned i = 0; i < 32; i++)
        CHECK(seen[i] > 50 && seen[i] < 150); /* 100 each, give or take five sigma */
}

TEST(the_timestamp_of_a_cookie_lies_at_most_64_behind_the_clock)
{
    for (uint32_t now = UINT32_MAX - 200; now != 200; now++) {
        uint32_t behind = now - tcp_cookie_timestamp(&usual, now);
        CHECK(behind < 64);
        CHECK((int32_t)(tcp_cookie_timestamp(&usual, now + 1) -
                        tcp_cookie_timestamp(&usual, now)) >= 0);
    }
}

/* A worker, which has its limit of half-open connections already. */
static struct world *crowded(const struct world_config *config)
{
    struct world *w = world_new(config);
    for (uint16_t port = 1; port <= config->tcp.half_open_max / 2; port++) {
        w->remote_port = port;
        peer(w, SEG(.flags = S));
        run(w);
        drop_all(w);
    }
    w->remote_port = 40000;
    w->knows_iss = false;
    return w;
}

/* The half-open ones give up. */
static void end(struct world *w)
{
    if (w->accepted != NULL) {
        stream_abort(w->accepted);
        stream_release(w->accepted);
    }
    for (unsigned i = 0; i < 70; i++) {
        pass(w, 1000000);
        for (unsigned k = 0; k < w->n_out; k++)
            rte_pktmbuf_free(w->out[k]);
        w->n_out = 0;
    }
    CHECK_EQ(tcp_conn_count(w->tcp), 0);
    CHECK_EQ(stat(w, STAT_tcp_half_open_now), 0);
    world_free(w);
}

/* SYN and cookie of the script's peer. */
static struct seg ask(struct world *w)
{
    struct seg s = {0};
    uint32_t conns = tcp_conn_count(w->tcp);
    peer(w, SEG(.flags = S));
    REQUIRE(take(w, &s));
    CHECK_EQ(s.flags, S | A);
    CHECK_EQ(s.ack, 1);
    CHECK_EQ(tcp_conn_count(w->tcp), conns);
    EXPECT_NONE(w);
    return s;
}

TEST(from_its_share_on_a_listener_gets_cookies_and_from_the_limit_on_all_do)
{
    struct world_config config = WORLD_DEFAULT;
    config.tcp.half_open_max = 6;
    config.tcp.half_open_listener_max = 4;
    struct world *w = world_new(&config);
    struct {
        uint16_t port, n, conns;
    } steps[] = {{80, 10, 4}, {81, 10, 6}, {80, 3, 6}};
    w->listens_everywhere = true;
    for (unsigned i = 0; i < array_len(steps); i++) {
        w->local_port = steps[i].port;
        for (unsigned k = 0; k < steps[i].n; k++) {
            w->remote_port++;
            peer(w, SEG(.flags = S));
            run(w);
            drop_all(w);
        }
        CHECK_EQ(stat(w, STAT_tcp_half_open_now), steps[i].conns);
        CHECK_EQ(tcp_conn_count(w->tcp), steps[i].conns);
    }
    CHECK_EQ(stat(w, STAT_tcp_rx_syn), 6);
    CHECK_EQ(stat(w, STAT_tcp_rx_syn_cookie), 17);
    end(w);
}

static void cookie_carries(bool is_v6, uint16_t peer_mss, uint16_t mss_to_be)
{
    struct world_config config = WORLD_DEFAULT;
    config.is_v6 = is_v6;
    config.peer_mss = peer_mss;
    config.peer_wscale = 7;
    struct world *w = crowded(&config);
    struct seg s = ask(w);
    CHECK(s.options.has_wscale && s.options.has_sack_permitted && s.options.has_timestamps);
    CHECK_EQ(s.options.mss, is_v6 ? 1440 : 1460);
    CHECK_EQ(s.options.wscale, 1);
    w->core.now_us += 30000;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .has_window = true, .window = 1000));
    run(w);
    REQUIRE(w->accepted != NULL);
    EXPECT_NONE(w);
    struct tcp_conn *c = conn(w->accepted);
    CHECK_EQ(c->state, TCP_ESTABLISHED);
    CHECK_EQ(c->flags & (TCP_F_SACK | TCP_F_TIMESTAMPS | TCP_F_WSCALE),
             TCP_F_SACK | TCP_F_TIMESTAMPS | TCP_F_WSCALE);
    CHECK_EQ(c->snd_wscale, 7);
    CHECK_EQ(c->rcv_wscale, 1);
    CHECK_EQ(c->snd_wnd, 1000 << 7);
    CHECK_EQ(c->mss, mss_to_be - 12);
    CHECK_EQ(write_pattern(w->accepted, 1, 3000), 3000);
    run(w);
    uint32_t cookie_ts = s.options.ts_value;
    for (uint32_t at = 1; take(w, &s); at += s.len) {
        CHECK_EQ(s.seq, at);
        CHECK((int32_t)(s.options.ts_value - cookie_ts) >= 0);
    }
    peer(w, SEG(.flags = A, .seq = 1, .ack = 3001, .len = 300));
    run(w);
    CHECK_EQ(read_pattern(w->accepted, 1), 300);
    CHECK_EQ(stat(w, STAT_tcp_cookie_accepted), 1);
    CHECK_EQ(stat(w, STAT_tcp_half_open_now), 4);
    end(w);
}

TEST(a_cookie_carries_scale_sack_and_mss_into_the_connection)
{
    cookie_carries(false, 1460, 1460);
    cookie_carries(false, 1452, 1440);
    cookie_carries(true, 1440, 1440);
    cookie_carries(true, 1232, 1220);
}

TEST(without_timestamps_a_cookie_promises_neither_scale_nor_sack)
{
    struct world_config config = WORLD_DEFAULT;
    config.has_timestamps = false;
    config.peer_wscale = 7;
    struct world *w = crowded(&config);
    struct seg s = ask(w);
    CHECK(s.options.has_mss);
    CHECK(!s.options.has_wscale && !s.options.has_sack_permitted && !s.options.has_timestamps);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .has_window = true, .window = 1000));
    run(w);
    REQUIRE(w->accepted != NULL);
    CHECK_EQ(conn(w->accepted)->flags & (TCP_F_SACK | TCP_F_TIMESTAMPS | TCP_F_WSCALE), 0);
    CHECK_EQ(conn(w->accepted)->snd_wnd, 1000);
    CHECK_EQ(conn(w->accepted)->mss, 1460);
    end(w);
}

TEST(data_comes_with_the_ack_of_a_cookie_or_in_its_place)
{
    struct world *w = crowded(&WORLD_DEFAULT);
    ask(w);
    w->core.now_us += 200000; /* the bare acknowledgement was lost */
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 700));
    CHECK_EQ(w->accepts, 0); /* never from within tcp_input() */
    peer(w, SEG(.flags = A | F, .seq = 701, .ack = 1, .len = 50));
    run(w);
    CHECK_EQ(w->accepts, 1);
    EXPECT(w, .flags = A, .seq = 1, .ack = 752);
    CHECK_EQ(read_pattern(w->accepted, 1), 750);
    CHECK(stream_is_eof(w->accepted));
    CHECK_EQ(stat(w, STAT_tcp_cookie_invalid), 0);
    end(w);
}

TEST(a_syn_sent_again_gets_the_same_cookie_and_in_the_next_epoch_another)
{
    struct world_config config = WORLD_DEFAULT;
    config.now_us = 1000 * TCP_COOKIE_EPOCH_US;
    struct world *w = crowded(&config);
    CHECK_EQ(ask(w).seq, 0);
    w->core.now_us += 1000000;
    CHECK_EQ(ask(w).seq, 0); /* counted from the first */
    w->core.now_us += TCP_COOKIE_EPOCH_US - 1000000;
    CHECK(ask(w).seq != 0);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1)); /* the first one, of the epoch before */
    run(w);
    CHECK_EQ(w->accepts, 1);
    CHECK_EQ(stat(w, STAT_tcp_rx_syn_cookie), 3);
    end(w);
}

TEST(what_acknowledges_no_cookie_or_an_old_one_is_reset)
{
    struct world *w = crowded(&WORLD_DEFAULT);
    ask(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 2));
    EXPECT(w, .flags = R, .seq = 2);
    peer(w, SEG(.flags = A, .seq = 2, .ack = 1));
    EXPECT(w, .flags = R, .seq = 1);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .no_timestamps = true));
    EXPECT(w, .flags = R, .seq = 1);
    CHECK_EQ(stat(w, STAT_tcp_cookie_invalid), 3);
    peer(w, SEG(.flags = R | A, .seq = 1, .ack = 1));
    peer(w, SEG(.flags = S | A, .seq = 1, .ack = 1));
    EXPECT(w, .flags = R, .seq = 1);
    CHECK_EQ(stat(w, STAT_tcp_cookie_invalid), 3); /* those were not looked at */
    uint32_t echo = w->ts_echo;
    w->core.now_us += TCP_COOKIE_LIFE_US - 1000; /* somebody else keeps the worker looking */
    w->remote_port++;
    for (unsigned i = 0; i < 8; i++) {
        w->remote_port++;
        peer(w, SEG(.flags = S));
        drop_all(w);
    }
    w->core.now_us += 2000;
    w->remote_port = 40000;
    w->ts_echo = echo;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1));
    EXPECT(w, .flags = R, .seq = 1);
    CHECK_EQ(stat(w, STAT_tcp_cookie_expired), 1);
    CHECK_EQ(w->accepts, 0);
    end(w);
}

TEST(nobody_looks_for_cookies_that_were_not_sent)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    w->knows_iss = true;
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1));
    EXPECT(w, .flags = R, .seq = 1);
    CHECK_EQ(stat(w, STAT_tcp_cookie_invalid), 0);
    world_free(w);
}

TEST(a_good_cookie_waits_for_a_free_connection)
{
    struct world_config config = WORLD_DEFAULT;
    config.tcp.conns_max = 5;
    struct world *w = crowded(&config);
    struct tcp_open_args args = {.remote = w->remote, .remote_port = 9};
    struct stream *other;
    ask(w);
    REQUIRE(tcp_open(w->tcp, &args, &other) == TCP_OPEN_OK); /* takes the last one */
    uint64_t dropped = stat(w, STAT_tcp_drop_conn_limit);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 10));
    CHECK_EQ(stat(w, STAT_tcp_drop_conn_limit), dropped + 1);
    stream_release(other);
    run(w);
    EXPECT_NONE(w); /* no reset: the peer tries again */
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 10));
    run(w);
    REQUIRE(w->accepted != NULL);
    CHECK_EQ(read_pattern(w->accepted, 1), 10);
    end(w);
}

TEST(a_syn_that_takes_over_a_time_wait_gets_its_number_beyond_the_old_even_in_a_crowd)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    seq_t old = conn(s)->snd_nxt;
    stream_shutdown(s);
    run(w);
    peer(w, SEG(.flags = F | A, .seq = 1, .ack = 2));
    run(w);
    stream_release(s);
    w->accepted = NULL;
    run(w);
    CHECK_EQ(tcp_timewait_count(w->tcp), 1);
    for (uint16_t port = 1; port <= 20; port++) {
        drop_all(w);
        w->remote_port = port;
        peer(w, SEG(.flags = S));
        run(w);
    }
    drop_all(w);
    CHECK_EQ(stat(w, STAT_tcp_half_open_now), 4);
    w->remote_port = 40000;
    peer(w, SEG(.flags = S, .seq = 9000));
    CHECK_EQ(stat(w, STAT_tcp_half_open_now), 5);
    run(w);
    struct seg answer;
    REQUIRE(take(w, &answer));
    CHECK(seq_gt((seq_t){answer.seq + w->our_iss}, old));
    end(w);
}

TEST(honest_peers_get_in_through_a_flood)
{
    struct world *w = crowded(&WORLD_DEFAULT);
    struct rng r = {1};
    for (unsigned i = 0; i < 20000; i++) {
        w->remote_port = (uint16_t)(50000 + rng_below(&r, 10000));
        peer(w, SEG(.flags = S, .seq = (uint32_t)rng_next(&r)));
        drop_all(w);
        if (i % 100 == 0)
            run(w);
    }
    CHECK_EQ(tcp_conn_count(w->tcp), 4);
    w->remote_port = 40000;
    w->knows_iss = false;
    ask(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 100));
    run(w);
    REQUIRE(w->accepted != NULL);
    CHECK_EQ(read_pattern(w->accepted, 1), 100);
    CHECK_EQ(stat(w, STAT_tcp_rx_syn_cookie), 20001);
    end(w);
}

UNIT_MAIN("tcp/syncookie", T(every_mss_comes_back_as_the_largest_class_that_is_not_above_it),
          T(every_scale_and_option_comes_back_with_the_timestamp),
          T(terms_without_timestamps_are_the_mss_alone),
          T(a_cookie_is_good_in_its_epoch_and_the_next_then_expired_then_nothing),
          T(secrets_rotate_and_those_of_another_boot_read_nothing),
          T(a_million_forged_numbers_open_nothing),
          T(a_cookie_is_for_one_peer_one_number_and_one_set_of_terms),
          T(no_part_of_the_number_can_be_told_without_the_key),
          T(the_timestamp_of_a_cookie_lies_at_most_64_behind_the_clock),
          T(from_its_share_on_a_listener_gets_cookies_and_from_the_limit_on_all_do),
          T(a_cookie_carries_scale_sack_and_mss_into_the_connection),
          T(without_timestamps_a_cookie_promises_neither_scale_nor_sack),
          T(data_comes_with_the_ack_of_a_cookie_or_in_its_place),
          T(a_syn_sent_again_gets_the_same_cookie_and_in_the_next_epoch_another),
          T(what_acknowledges_no_cookie_or_an_old_one_is_reset),
          T(nobody_looks_for_cookies_that_were_not_sent),
          T(a_good_cookie_waits_for_a_free_connection),
          T(a_syn_that_takes_over_a_time_wait_gets_its_number_beyond_the_old_even_in_a_crowd),
          T(honest_peers_get_in_through_a_flood))
