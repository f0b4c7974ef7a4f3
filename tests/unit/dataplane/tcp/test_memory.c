/* SPDX-License-Identifier: Apache-2.0 */
/* Shortage of mbufs and of connections: windows shrink, then nobody gets in, then the idle go. */
#include "harness.h"
#include "unit.h"

#include <rte_mbuf.h>

#define PEERS 40u
#define LOW 400u /* config.tcp.mbufs_low of these worlds */

/* A worker with `n` accepted connections, whose peers have ports from 41000 on. */
struct crowd {
    struct world *w;
    struct stream *s[PEERS];
    unsigned n;
    struct rte_mbuf *kept[2048]; /* taken from the pool to make it short */
    unsigned n_kept;
};

static void talk_to(struct crowd *g, unsigned i)
{
    g->w->remote_port = (uint16_t)(41000 + i);
    if (i < g->n) {
        g->w->our_iss = conn(g->s[i])->snd_una.v - 1;
        g->w->knows_iss = true;
    }
}

/* Drops what was sent, to whomever. */
static unsigned discard(struct world *w)
{
    unsigned n = w->n_out;
    for (unsigned i = 0; i < n; i++)
        rte_pktmbuf_free(w->out[i]);
    w->n_out = 0;
    return n;
}

static void join(struct crowd *g)
{
    struct world *w = g->w;
    w->remote_port = (uint16_t)(41000 + g->n);
    w->knows_iss = false;
    w->accepted = NULL;
    g->s[g->n++] = world_accept(w);
    discard(w);
}

static void crowd_init(struct crowd *g, const struct tcp_config *tcp, unsigned n)
{
    struct world_config config = WORLD_DEFAULT;
    config.tcp = *tcp;
    *g = (struct crowd){.w = world_new(&config)};
    while (g->n < n)
        join(g);
}

static struct tcp_config usual(void)
{
    struct tcp_config config = WORLD_DEFAULT.tcp;
    config.mbufs_low = LOW;
    return config;
}

/* Leaves `n` mbufs in the pool. */
static void leave_mbufs(struct crowd *g, unsigned n)
{
    while (g->n_kept > 0 && rte_mempool_avail_count(g->w->pool) < n)
        rte_pktmbuf_free(g->kept[--g->n_kept]);
    while (rte_mempool_avail_count(g->w->pool) > n)
        g->kept[g->n_kept++] = rte_pktmbuf_alloc(g->w->pool);
    g->w->core.now_us += TCP_MBUFS_LOOK_US;
}

/* Time passes in which the worker is there and has nothing to do. */
static void stay(struct world *w, uint64_t us)
{
    uint64_t until = w->core.now_us + us;
    while (w->core.now_us < until) {
        uint64_t left = until - w->core.now_us;
        w->core.now_us += left < TCP_ABSENCE_US / 2 ? left : TCP_ABSENCE_US / 2;
        tcp_note_presence(w->tcp);
    }
}

static bool is_open(const struct crowd *g, unsigned i)
{
    return stream_end(g->s[i]) == STREAM_END_OPEN;
}

static unsigned open_count(const struct crowd *g)
{
    unsigned n = 0;
    for (unsigned i = 0; i < g->n; i++)
        n += is_open(g, i);
    return n;
}

/* Mbufs are so short that holders are shed, and what the first look frees is looked at again. */
static void shed_in_need(struct crowd *g)
{
    leave_mbufs(g, LOW / 2 - 10);
    run(g->w);
    g->w->core.now_us += TCP_MBUFS_LOOK_US;
    run(g->w);
    discard(g->w);
}

static void crowd_free(struct crowd *g)
{
    leave_mbufs(g, g->w->config.mbufs);
    for (unsigned i = 0; i < g->n; i++) {
        if (is_open(g, i))
            stream_abort(g->s[i]);
        stream_release(g->s[i]);
    }
    for (unsigned i = 0; i < 80; i++) { /* half-open ones give up */
        pass(g->w, 1000000);
        discard(g->w);
    }
    for (unsigned id = STAT_tcp_rcvq_mbufs_now; id <= STAT_tcp_timewait_now; id++)
        CHECK_EQ(stat(g->w, id), 0);
    world_free(g->w);
}

/* The peer sends data that nobody reads. */
static void send_to(struct crowd *g, unsigned i, uint32_t seq, uint32_t len)
{
    talk_to(g, i);
    peer(g->w, SEG(.flags = A, .seq = seq, .ack = 1, .len = len));
}

/* Drops what was sent, but for one peer. */
static void discard_others(struct world *w, uint16_t port)
{
    unsigned n = 0;
    for (unsigned i = 0; i < w->n_out; i++) {
        const uint8_t *header = rte_pktmbuf_mtod(w->out[i], const uint8_t *);
        if (header[2] << 8 == (port & 0xff00) && header[3] == (port & 0xff))
            w->out[n++] = w->out[i];
        else
            rte_pktmbuf_free(w->out[i]);
    }
    w->n_out = n;
}

/* A SYN of a stranger: the window that it is told; 0: no answer. */
static uint32_t window_told(struct crowd *g, uint16_t port)
{
    struct seg s = {0};
    g->w->remote_port = port;
    g->w->knows_iss = false;
    discard(g->w);
    peer(g->w, SEG(.flags = S));
    run(g->w);
    discard_others(g->w, port);
    if (!take(g->w, &s))
        return 0;
    CHECK_EQ(s.flags, S | A);
    return s.window;
}

static enum tcp_open_fault open_one(struct crowd *g)
{
    struct tcp_open_args args = {.remote = g->w->remote, .remote_port = 9};
    struct stream *s;
    enum tcp_open_fault fault = tcp_open(g->w->tcp, &args, &s);
    if (fault == TCP_OPEN_OK)
        stream_release(s);
    return fault;
}

TEST(the_gauges_count_mbufs_and_not_bytes)
{
    struct crowd g;
    struct tcp_config config = usual();
    crowd_init(&g, &config, 1);
    send_to(&g, 0, 1, 1448);
    send_to(&g, 0, 1449, 1448);
    send_to(&g, 0, 5000, 10);
    send_to(&g, 0, 7000, 10);
    send_to(&g, 0, 9000, 10);
    CHECK_EQ(stat(g.w, STAT_tcp_rcvq_mbufs_now), 2);
    CHECK_EQ(stat(g.w, STAT_tcp_oooq_mbufs_now), 3);
    CHECK_EQ(write_pattern(g.s[0], 1, 5000), 5000);
    CHECK_EQ(stat(g.w, STAT_tcp_sndq_mbufs_now), 3);
    run(g.w); /* the harness compares the gauges with every queue */
    discard(g.w);
    peer(g.w, SEG(.flags = A, .seq = 2897, .ack = 5001));
    CHECK_EQ(stat(g.w, STAT_tcp_sndq_mbufs_now), 0);
    CHECK_EQ(read_pattern(g.s[0], 1), 2896);
    CHECK_EQ(stat(g.w, STAT_tcp_rcvq_mbufs_now), 0);
    crowd_free(&g);
}

TEST(below_half_of_the_mark_holders_are_shed_though_nobody_wants_to_get_in)
{
    struct crowd g;
    struct tcp_config config = usual();
    crowd_init(&g, &config, 4);
    struct world *w = g.w;
    for (unsigned i = 0; i < 4; i++)
        send_to(&g, i, 1, 1448);
    run(w);
    discard(w);
    stay(w, TCP_SHED_HOLDER_MS_MAX * 1000ull + 1000);
    leave_mbufs(&g, LOW / 2 + 10);
    run(w);
    CHECK_EQ(open_count(&g), 4);
    leave_mbufs(&g, LOW / 2 - 10);
    run(w);
    CHECK_EQ(open_count(&g), 0);
    discard(w);
    crowd_free(&g);
}

TEST(shortage_shrinks_windows_then_refuses_then_sheds_and_each_is_counted)
{
    struct crowd g;
    struct tcp_config config = usual();
    crowd_init(&g, &config, 4);
    struct world *w = g.w;
    for (unsigned i = 0; i < 4; i++)
        send_to(&g, i, 1, 1448);
    run(w);
    discard(w);
    stay(w, TCP_SHED_HOLDER_MS_MAX * 1000ull + 1000);
    send_to(&g, 3, 1449, 100); /* this one moves */
    static const struct {
        unsigned mbufs;
        uint32_t window;
        enum tcp_open_fault open;
        unsigned alive;
    } steps[] = {
        {LOW + 20, 65535, TCP_OPEN_OK, 4},
        {LOW - 10, TCP_WINDOW_SMALL_BYTES, TCP_OPEN_OK, 4},
        {LOW * 3 / 4 + 10, TCP_WINDOW_SMALL_BYTES, TCP_OPEN_OK, 4},
        {LOW * 3 / 4 - 10, 0, TCP_OPEN_OK, 4},
        {LOW * 5 / 8 + 10, 0, TCP_OPEN_OK, 1}, /* somebody was refused: room is made for the next */
        {LOW * 5 / 8 - 10, 0, TCP_OPEN_NO_MBUF, 1},
        {LOW / 2 - 10, 0, TCP_OPEN_NO_MBUF, 1},
        {LOW + 20, 65535, TCP_OPEN_OK, 1},
    };
    for (unsigned i = 0; i < array_len(steps); i++) {
        leave_mbufs(&g, steps[i].mbufs);
        run(w);
        CHECK_EQ(open_count(&g), steps[i].alive);
        CHECK_EQ(window_told(&g, (uint16_t)(50000 + i)), steps[i].window);
        CHECK_EQ(open_one(&g), steps[i].open);
        run(w);
        discard(w);
    }
    CHECK(is_open(&g, 3)); /* it was not in the way of progress */
    CHECK_EQ(stream_end(g.s[0]), STREAM_END_NO_RESOURCES);
    CHECK(events(w) & STREAM_CLOSED);
    CHECK_EQ(stat(w, STAT_tcp_window_small), 2);
    CHECK_EQ(stat(w, STAT_tcp_drop_mbufs_low), 4);
    CHECK_EQ(stat(w, STAT_tcp_open_no_mbuf), 2);
    CHECK_EQ(stat(w, STAT_tcp_shed_memory), 3);
    CHECK_EQ(stat(w, STAT_tcp_end_no_resources), 3);
    crowd_free(&g);
}

TEST(a_connection_that_began_small_grows_when_there_is_memory_again)
{
    struct crowd g;
    struct tcp_config config = usual();
    crowd_init(&g, &config, 0);
    leave_mbufs(&g, LOW - 10);
    join(&g);
    CHECK_EQ(seq_diff(conn(g.s[0])->rcv_adv, conn(g.s[0])->rcv_nxt), TCP_WINDOW_SMALL_BYTES);
    send_to(&g, 0, 1, 1000);
    run(g.w);
    discard(g.w);
    CHECK_EQ(read_pattern(g.s[0], 1), 1000);
    run(g.w);
    discard(g.w);
    CHECK_EQ(seq_diff(conn(g.s[0])->rcv_adv, conn(g.s[0])->rcv_nxt), TCP_WINDOW_SMALL_BYTES - 1000);
    leave_mbufs(&g, LOW + 1000);
    run(g.w);
    discard(g.w);
    CHECK(seq_diff(conn(g.s[0])->rcv_adv, conn(g.s[0])->rcv_nxt) > 30000);
    crowd_free(&g);
}

TEST(of_who_holds_memory_the_longest_resting_go_first_and_few_at_a_time)
{
    struct crowd g;
    struct tcp_config config = usual();
    crowd_init(&g, &config, 30);
    for (unsigned i = 0; i < 30; i++) {
        send_to(&g, 29 - i, 1, 100); /* the last one rests longest */
        stay(g.w, 100000);
    }
    run(g.w);
    discard(g.w);
    stay(g.w, TCP_SHED_HOLDER_MS_MAX * 1000ull);
    leave_mbufs(&g, LOW / 2 - 60);
    run(g.w);
    run(g.w); /* the same time: what was freed is not counted yet */
    CHECK_EQ(open_count(&g), 30 - TCP_SHED_CONNS_MAX);
    for (unsigned i = 0; i < 30; i++)
        CHECK_EQ(is_open(&g, i), i < 30 - TCP_SHED_CONNS_MAX);
    discard(g.w);
    g.w->core.now_us += TCP_MBUFS_LOOK_US;
    run(g.w);
    CHECK_EQ(open_count(&g), 30 - 2 * TCP_SHED_CONNS_MAX);
    crowd_free(&g);
}

/* As many rounds as it takes the hand to pass all slots. */
static void look_at_all(struct crowd *g)
{
    for (unsigned i = 0; i <= g->w->config.tcp.conns_max / TCP_SHED_LOOKS_MAX; i++) {
        run(g->w);
        discard(g->w);
        g->w->core.now_us += TCP_MBUFS_LOOK_US;
    }
}

/* What the peers said during a nap lies in the ring of the NIC, which takes many rounds to read. */
TEST(nobody_is_shed_for_silence_while_the_worker_was_away)
{
    struct crowd g;
    struct tcp_config config = usual();
    crowd_init(&g, &config, 4);
    for (unsigned i = 0; i < 4; i++)
        send_to(&g, i, 1, 100);
    run(g.w);
    discard(g.w);
    g.w->core.now_us += 10 * TCP_SHED_HOLDER_MS_MAX * 1000ull;
    leave_mbufs(&g, LOW / 2 - 10);
    stream_rest(g.s[3]);
    CHECK(!tcp_shed_slots(g.w->tcp)); /* before the round's tcp_poll() too */
    look_at_all(&g);
    CHECK_EQ(open_count(&g), 4);
    stay(g.w, TCP_SHED_HOLDER_MS_MAX * 1000ull - 10000);
    send_to(&g, 0, 101, 100); /* it is read now */
    stay(g.w, 20000);
    look_at_all(&g);
    CHECK_EQ(open_count(&g), 1);
    CHECK(is_open(&g, 0));
    crowd_free(&g);
}

TEST(peers_that_keep_their_windows_shut_lose_what_they_hold)
{
    struct crowd g;
    struct tcp_config config = usual();
    crowd_init(&g, &config, 10);
    struct world *w = g.w;
    for (unsigned i = 0; i < 9; i++) {
        talk_to(&g, i);
        peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .has_window = true, .window = 0));
        CHECK_EQ(write_pattern(g.s[i], 1, 3000), 3000);
    }
    run(w);
    discard(w);
    for (unsigned ms = 0; ms < TCP_SHED_HOLDER_MS_MAX + 1000; ms += 100) {
        stay(w, 100000);
        for (unsigned i = 0; i < 9; i++) { /* they say that they are there */
            talk_to(&g, i);
            peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .has_window = true, .window = 0));
        }
        talk_to(&g, 9); /* an honest one: slow, but it moves */
        CHECK_EQ(write_pattern(g.s[9], 1 + ms, 100), 100);
        run(w);
        discard(w);
        w->our_iss = conn(g.s[9])->snd_una.v - 1 - ms;
        peer(w, SEG(.flags = A, .seq = 1, .ack = 101 + ms));
        run(w);
        discard(w);
    }
    CHECK_EQ(open_count(&g), 10); /* nothing is short: nobody is shed */
    shed_in_need(&g);
    CHECK_EQ(open_count(&g), 1);
    CHECK(is_open(&g, 9));
    CHECK_EQ(stat(w, STAT_tcp_sndq_mbufs_now), 0);
    crowd_free(&g);
}

/* The peers take 100 bytes of 3,000 at a time; after `rounds` of 50 ms, who is still there? */
static unsigned slow_readers_left(unsigned rounds)
{
    struct crowd g;
    struct tcp_config config = usual();
    crowd_init(&g, &config, 10);
    struct world *w = g.w;
    for (unsigned i = 0; i < 10; i++)
        CHECK_EQ(write_pattern(g.s[i], 1, 3000), 3000);
    run(w);
    discard(w);
    for (unsigned n = 1; n <= rounds; n++) {
        stay(w, 50000);
        for (unsigned i = 0; i < 10; i++) {
            talk_to(&g, i);
            w->our_iss = conn(g.s[i])->snd_una.v - 1 - 100 * (n - 1);
            peer(w, SEG(.flags = A, .seq = 1, .ack = 1 + 100 * n));
        }
        run(w);
        discard(w);
    }
    shed_in_need(&g);
    unsigned left = open_count(&g);
    crowd_free(&g);
    return left;
}

TEST(peers_that_take_a_little_at_a_time_lose_what_they_hold_too)
{
    CHECK_EQ(slow_readers_left(2), 10);
    CHECK_EQ(slow_readers_left(20), 0);
}

TEST(who_acknowledged_what_was_never_sent_goes_sooner)
{
    struct crowd g;
    struct tcp_config config = usual();
    crowd_init(&g, &config, 2);
    struct world *w = g.w;
    for (unsigned i = 0; i < 2; i++)
        CHECK_EQ(write_pattern(g.s[i], 1, 3000), 3000);
    run(w);
    discard(w);
    talk_to(&g, 0);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 50000));
    stay(w, 4 * conn(g.s[0])->rtt.srtt_us + TCP_SHED_LIAR_MS * 1000);
    leave_mbufs(&g, LOW / 2 - 10);
    run(w);
    discard(w);
    CHECK(!is_open(&g, 0));
    CHECK(is_open(&g, 1));
    crowd_free(&g);
}

TEST(behind_a_closed_window_nobody_keeps_a_sender_from_others)
{
    struct crowd g;
    struct tcp_config config = usual();
    config.senders_max = 1;
    crowd_init(&g, &config, 2);
    struct world *w = g.w;
    talk_to(&g, 0);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .has_window = true, .window = 0));
    CHECK_EQ(write_pattern(g.s[0], 1, 3000), 3000);
    run(w);
    CHECK_EQ(discard(w), 0);
    CHECK(conn(g.s[0])->tx == NULL);
    CHECK_EQ(write_pattern(g.s[1], 1, 100), 100);
    run(w);
    CHECK_EQ(discard(w), 1);
    pass(w, 10 * TCP_RTO_MIN_US); /* the only sender is busy: no probe, and nobody in the line */
    CHECK(conn(g.s[0])->tx == NULL && list_is_empty(&w->tcp->waiting));
    CHECK(stat(w, STAT_tcp_tx_no_sender) > 0);
    CHECK_EQ(stat(w, STAT_tcp_window_probes), 0);
    discard(w);
    talk_to(&g, 1);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 101));
    pass(w, TCP_RTO_US_MAX);
    CHECK(stat(w, STAT_tcp_window_probes) > 0);
    discard(w);
    crowd_free(&g);
}

TEST(who_holds_a_sender_and_moves_nothing_gives_it_to_who_waits)
{
    struct crowd g;
    struct tcp_config config = usual();
    config.senders_max = 2;
    crowd_init(&g, &config, 3);
    struct world *w = g.w;
    for (unsigned i = 0; i < 2; i++)
        CHECK_EQ(write_pattern(g.s[i], 1, 3000), 3000);
    run(w);
    discard(w);
    for (unsigned i = 0; i < 2; i++) { /* neither acknowledges */
        talk_to(&g, i);
        peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .has_window = true, .window = 0));
    }
    pass(w, TCP_SHED_HOLDER_MS_MAX * 1000ull);
    discard(w);
    CHECK_EQ(write_pattern(g.s[2], 1, 100), 100);
    run(w);
    pass(w, 2000);
    CHECK(!is_open(&g, 0) && !is_open(&g, 1) && is_open(&g, 2));
    CHECK_EQ(stat(w, STAT_tcp_tx_bytes), 3000 + 3000 + 100);
    discard(w);
    crowd_free(&g);
}

/* The whole handshake by a cookie. True: it got in. */
static bool gets_in(struct crowd *g, uint16_t port)
{
    struct world *w = g->w;
    unsigned accepts = w->accepts;
    w->remote_port = port;
    w->knows_iss = false;
    peer(w, SEG(.flags = S));
    run(w);
    struct seg s = {0};
    discard_others(w, port);
    if (!take(w, &s))
        return false;
    CHECK_EQ(s.flags, S | A);
    EXPECT_NONE(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1));
    run(w);
    return w->accepts == accepts + 1;
}

/* An owner who does not let go yet. */
static void silence(struct stream *s, unsigned what)
{
}

static struct tcp_config full_of(unsigned n)
{
    struct tcp_config config = usual();
    config.conns_max = n + 4;
    config.passive_max = n;
    return config;
}

TEST(a_full_pool_sheds_the_longest_idle_before_it_refuses)
{
    struct crowd g;
    struct tcp_config config = full_of(20);
    crowd_init(&g, &config, 20);
    struct world *w = g.w;
    for (unsigned i = 0; i < 20; i++) {
        if (i % 2 == 0)
            stream_rest(g.s[i]);
        stay(w, 1000);
    }
    stay(w, TCP_SHED_IDLE_MS * 1000);
    for (unsigned i = 0; i < 20; i++)
        g.s[i]->on_event = silence;
    uint64_t resets = stat(w, STAT_tcp_tx_rst);
    w->remote_port = 50000;
    for (unsigned i = 0; i < 100; i++) /* a crowd of SYNs in one round */
        peer(w, SEG(.flags = S, .seq = i));
    CHECK_EQ(stat(w, STAT_tcp_shed_idle), TCP_SHED_CONNS_MAX);
    CHECK_EQ(stat(w, STAT_tcp_tx_rst) - resets, TCP_SHED_CONNS_MAX);
    CHECK_EQ(stat(w, STAT_tcp_drop_conn_limit), 0);
    run(w);
    discard(w);
    for (unsigned i = 0; i < 20; i++) /* of the ten that were idle, the eight that came first */
        CHECK_EQ(is_open(&g, i), i % 2 == 1 || i >= 16);
    CHECK_EQ(tcp_conn_count(w->tcp), 20); /* their owners have not let go yet */
    for (unsigned i = 0; i < 16; i += 2)
        stream_release(g.s[i]);
    run(w);
    CHECK_EQ(tcp_conn_count(w->tcp), 12);
    CHECK(gets_in(&g, 50001));
    g.s[0] = w->accepted;
    for (unsigned i = 2; i < 16; i += 2) {
        CHECK(gets_in(&g, (uint16_t)(50001 + i)));
        g.s[i] = w->accepted;
    }
    crowd_free(&g);
}

TEST(who_is_in_the_middle_of_something_is_never_shed_for_a_slot)
{
    struct crowd g;
    struct tcp_config config = full_of(6);
    crowd_init(&g, &config, 6);
    struct world *w = g.w;
    for (unsigned i = 0; i < 6; i++) {
        stream_rest(g.s[i]);
        g.s[i]->on_event = silence;
    }
    send_to(&g, 0, 1, 10);                      /* a request came */
    CHECK_EQ(write_pattern(g.s[1], 1, 10), 10); /* an answer is under way */
    send_to(&g, 2, 1, 10);                      /* it was read, and is worked on */
    CHECK_EQ(read_pattern(g.s[2], 1), 10);
    CHECK_EQ(stream_move(g.s[3], g.s[0], 10), 10); /* likewise, by moving */
    stream_shutdown(g.s[4]);
    run(w);
    discard(w);
    stay(w, TCP_SHED_IDLE_MS * 1000 - 2000);
    CHECK_EQ(window_told(&g, 50000), 0); /* the sixth was accepted just now */
    CHECK_EQ(stat(w, STAT_tcp_drop_conn_limit), 1);
    stay(w, 60000000);
    CHECK_EQ(window_told(&g, 50000), TCP_WINDOW_SMALL_BYTES);
    CHECK_EQ(open_count(&g), 5);
    CHECK(!is_open(&g, 5));
    discard(w);
    crowd_free(&g);
}

TEST(a_connection_that_nobody_owns_any_more_goes_when_slots_run_out)
{
    struct crowd g;
    struct tcp_config config = full_of(4);
    crowd_init(&g, &config, 4);
    struct world *w = g.w;
    talk_to(&g, 3);
    stream_release(g.s[3]);
    run(w);
    discard(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 2));
    g.n = 3;
    CHECK_EQ(window_told(&g, 50000), 0);
    stay(w, TCP_SHED_IDLE_MS * 1000);
    CHECK(window_told(&g, 50000) != 0);
    CHECK_EQ(stat(w, STAT_tcp_shed_idle), 1);
    CHECK_EQ(tcp_conn_count(w->tcp), 3);
    discard(w);
    crowd_free(&g);
}

TEST(the_last_connections_are_for_peers_that_gave_a_cookie_back)
{
    struct crowd g;
    struct tcp_config config = full_of(16);
    config.half_open_max = 100;
    crowd_init(&g, &config, 13);
    CHECK_EQ(stat(g.w, STAT_tcp_rx_syn_cookie), 0);
    CHECK_EQ(window_told(&g, 50000), 65535);
    CHECK_EQ(stat(g.w, STAT_tcp_half_open_now), 1);
    CHECK_EQ(window_told(&g, 50001), TCP_WINDOW_SMALL_BYTES); /* two are left */
    CHECK_EQ(stat(g.w, STAT_tcp_half_open_now), 1);
    join(&g);
    join(&g);
    CHECK_EQ(tcp_conn_count(g.w->tcp), 16);
    crowd_free(&g);
}

TEST(an_open_that_finds_the_pool_full_makes_room_for_the_next)
{
    struct crowd g;
    struct tcp_config config = usual();
    config.conns_max = 5;
    crowd_init(&g, &config, 5);
    for (unsigned i = 0; i < 5; i++) {
        stream_rest(g.s[i]);
        g.s[i]->on_event = silence;
    }
    stay(g.w, TCP_SHED_IDLE_MS * 1000);
    CHECK_EQ(open_one(&g), TCP_OPEN_NO_CONN);
    CHECK_EQ(open_count(&g), 0);
    run(g.w);
    for (unsigned i = 0; i < 5; i++)
        stream_release(g.s[i]);
    g.n = 0;
    run(g.w);
    CHECK_EQ(open_one(&g), TCP_OPEN_OK);
    discard(g.w);
    crowd_free(&g);
}

TEST(a_queue_holds_no_more_than_a_share_of_what_is_free)
{
    struct crowd g;
    struct tcp_config config = usual();
    config.tx_buffer_bytes = 100000;
    config.rx_window_bytes = 200000;
    crowd_init(&g, &config, 2);
    CHECK_EQ(stream_write_room(g.s[0]), 100000);
    leave_mbufs(&g, LOW + 20 * TCP_SHARE_OF_FREE);
    CHECK_EQ(stream_write_room(g.s[0]), 20 * MBUF_DATA_BYTES);
    leave_mbufs(&g, LOW);
    CHECK_EQ(stream_write_room(g.s[0]), TCP_SHARE_MBUFS_MIN * MBUF_DATA_BYTES);
    leave_mbufs(&g, LOW + 50 * TCP_SHARE_OF_FREE);
    send_to(&g, 0, 1, 1000);
    CHECK_EQ(read_pattern(g.s[0], 1), 1000);
    run(g.w);
    uint32_t told = (uint32_t)seq_diff(conn(g.s[0])->rcv_adv, conn(g.s[0])->rcv_nxt);
    CHECK(told <= 65535 && told >= 50 * g.w->tcp->mbuf_bytes / 2);
    discard(g.w);
    crowd_free(&g);
}

TEST(many_that_take_nothing_leave_enough_for_who_comes_after_them)
{
    struct crowd g;
    struct tcp_config config = usual();
    config.tx_buffer_bytes = 400000;
    crowd_init(&g, &config, 39);
    struct world *w = g.w;
    for (unsigned i = 0; i < 39; i++) {
        talk_to(&g, i);
        peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .has_window = true, .window = 0));
    }
    for (unsigned round = 0; round < 20; round++) { /* their answers are as long as there is room */
        for (unsigned i = 0; i < 39; i++)
            write_pattern(g.s[i], conn(g.s[i])->snd_end.v - conn(g.s[i])->snd_una.v + 1, 400000);
        run(w);
        discard(w);
        w->core.now_us += TCP_MBUFS_LOOK_US;
        CHECK(rte_mempool_avail_count(w->pool) >= LOW * 3 / 4); /* nobody is refused yet */
    }
    CHECK(stat(w, STAT_tcp_sndq_mbufs_now) > 1000); /* nothing is wasted either */
    CHECK_EQ(open_count(&g), 39);
    join(&g);
    CHECK_EQ(write_pattern(g.s[39], 1, 10000), 10000);
    run(w);
    CHECK(discard(w) >= 7);
    CHECK_EQ(stat(w, STAT_tcp_drop_mbufs_low), 0);
    crowd_free(&g);
}

TEST(who_was_cut_short_by_his_share_is_told_when_there_is_room)
{
    struct crowd g;
    struct tcp_config config = usual();
    config.tx_buffer_bytes = 200000;
    crowd_init(&g, &config, 1);
    struct world *w = g.w;
    leave_mbufs(&g, LOW + 30); /* enough for headers, not for a larger share */
    CHECK_EQ(write_pattern(g.s[0], 1, 50000), TCP_SHARE_MBUFS_MIN * MBUF_DATA_BYTES);
    run(w);
    discard(w);
    events(w);
    talk_to(&g, 0);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1 + 3 * 1448));
    run(w);
    run(w);
    CHECK((events(w) & STREAM_WRITABLE) == 0);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 1 + 6 * 1448));
    run(w);
    run(w); /* what output programs is told in the next round */
    CHECK(events(w) & STREAM_WRITABLE);
    discard(w);
    crowd_free(&g);
}

TEST(while_mbufs_are_short_who_has_unread_data_gets_no_more)
{
    struct crowd g;
    struct tcp_config config = usual();
    crowd_init(&g, &config, 2);
    struct world *w = g.w;
    for (unsigned i = 0; i < TCP_SHARE_MBUFS_MIN; i++)
        send_to(&g, 0, 1 + i * 1448, 1448);
    leave_mbufs(&g, LOW - 10);
    send_to(&g, 0, 1 + TCP_SHARE_MBUFS_MIN * 1448, 1448);
    CHECK_EQ(stat(w, STAT_tcp_rx_no_mbufs), 1);
    CHECK_EQ(stream_readable(g.s[0]), TCP_SHARE_MBUFS_MIN * 1448);
    send_to(&g, 1, 1, 1448); /* the other one has its least share still */
    CHECK_EQ(stream_readable(g.s[1]), 1448);
    run(w);
    discard(w);
    leave_mbufs(&g, LOW + 20);
    send_to(&g, 0, 1 + TCP_SHARE_MBUFS_MIN * 1448, 1448);
    CHECK_EQ(stream_readable(g.s[0]), (TCP_SHARE_MBUFS_MIN + 1) * 1448);
    run(w);
    discard(w);
    crowd_free(&g);
}

UNIT_MAIN("tcp/memory", T(below_half_of_the_mark_holders_are_shed_though_nobody_wants_to_get_in),
          T(a_queue_holds_no_more_than_a_share_of_what_is_free),
          T(many_that_take_nothing_leave_enough_for_who_comes_after_them),
          T(who_was_cut_short_by_his_share_is_told_when_there_is_room),
          T(while_mbufs_are_short_who_has_unread_data_gets_no_more),
          T(the_gauges_count_mbufs_and_not_bytes),
          T(shortage_shrinks_windows_then_refuses_then_sheds_and_each_is_counted),
          T(a_connection_that_began_small_grows_when_there_is_memory_again),
          T(of_who_holds_memory_the_longest_resting_go_first_and_few_at_a_time),
          T(nobody_is_shed_for_silence_while_the_worker_was_away),
          T(peers_that_keep_their_windows_shut_lose_what_they_hold),
          T(peers_that_take_a_little_at_a_time_lose_what_they_hold_too),
          T(who_acknowledged_what_was_never_sent_goes_sooner),
          T(behind_a_closed_window_nobody_keeps_a_sender_from_others),
          T(who_holds_a_sender_and_moves_nothing_gives_it_to_who_waits),
          T(a_full_pool_sheds_the_longest_idle_before_it_refuses),
          T(who_is_in_the_middle_of_something_is_never_shed_for_a_slot),
          T(a_connection_that_nobody_owns_any_more_goes_when_slots_run_out),
          T(the_last_connections_are_for_peers_that_gave_a_cookie_back),
          T(an_open_that_finds_the_pool_full_makes_room_for_the_next))
