/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer without reason: segments of any flags, numbers and lengths, near the right ones, while the
 * owner does anything that it may. Nothing is expected but that every invariant holds (run() checks
 * them all) and that nothing is left in the end.
 */
#include "base/rng.h"
#include "harness.h"
#include "unit.h"

#include <rte_mbuf.h>

static struct rng rng;
static struct stream *held;

static uint32_t below(uint32_t bound)
{
    return rng_below(&rng, bound);
}

/* A number near one that matters. */
static uint32_t near(uint32_t number)
{
    switch (below(6)) {
    case 0:
        return (uint32_t)rng_next(&rng);
    case 1:
        return number + below(5) - 2;
    case 2:
        return number + below(20000) - 10000;
    default:
        return number;
    }
}

static struct seg any_segment(struct world *w)
{
    struct seg s = {0};
    static const uint8_t usual[] = {A, A, A, A, A | P, A | F, R, S, S | A, F, R | A, A | 0x20};
    s.flags = below(8) == 0 ? (uint8_t)below(64) : usual[below(array_len(usual))];
    const struct tcp_conn *c = held == NULL ? NULL : conn(held);
    s.seq = near(c == NULL ? 0 : c->rcv_nxt.v - w->config.peer_iss);
    s.ack = near(c == NULL ? 1 : (below(2) ? c->snd_nxt.v : c->snd_una.v) - w->our_iss);
    s.len = below(3) == 0 ? 0 : below(2) == 0 ? below(1448) + 1 : below(8) + 1;
    s.has_window = below(4) == 0;
    s.window = below(3) == 0 ? 0 : below(65536);
    s.is_old = below(40) == 0;
    s.no_timestamps = below(60) == 0;
    s.n_sack = below(3) == 0 && c != NULL ? (uint8_t)below(4) : 0;
    for (unsigned i = 0; i < s.n_sack; i++) {
        s.sack[i][0] = near(c->snd_una.v - w->our_iss) + 1448 * below(8);
        s.sack[i][1] = s.sack[i][0] + 1448 * (1 + below(4));
    }
    return s;
}

static void on_event(struct stream *s, unsigned events)
{
    CHECK(events != 0);
    if ((events & STREAM_CLOSED) != 0 || below(50) == 0) {
        stream_release(s);
        held = NULL;
        return;
    }
    if (below(2) == 0)
        stream_consume(s, stream_readable(s));
}

/* What an owner may do between events. */
static void act(struct world *w)
{
    static const uint8_t bytes[3000];
    struct slice v = slice_of(bytes, 1 + below(sizeof(bytes)));
    if (w->accepted != NULL) {
        held = w->accepted;
        held->on_event = on_event;
        w->accepted = NULL;
    }
    if (held == NULL)
        return;
    switch (below(40)) {
    case 0:
        stream_shutdown(held);
        break;
    case 1:
        stream_abort(held);
        break;
    case 2:
        stream_release(held);
        held = NULL;
        break;
    case 3:
        stream_consume(held, below((uint32_t)stream_readable(held) + 1));
        break;
    default:
        stream_write(held, &v, 1);
        break;
    }
}

/* Frees what was sent without a look: the bytes are not the pattern's. */
static void forget_output(struct world *w)
{
    for (unsigned i = 0; i < w->n_out; i++) {
        const uint8_t *h = rte_pktmbuf_mtod(w->out[i], const uint8_t *);
        if ((h[13] & S) != 0)
            w->our_iss = (uint32_t)h[4] << 24 | (uint32_t)h[5] << 16 | (uint32_t)h[6] << 8 | h[7];
        rte_pktmbuf_free(w->out[i]);
    }
    w->n_out = 0;
}

static void storm(uint64_t seed)
{
    struct world_config config = WORLD_DEFAULT;
    rng.state = seed;
    held = NULL;
    config.has_sack = below(4) != 0;
    config.has_timestamps = below(3) != 0;
    config.has_wscale = below(3) != 0;
    config.is_zero_copy = below(2) == 0;
    config.peer_iss = (uint32_t)rng_next(&rng);
    config.mbufs = below(4) == 0 ? 127 : 1023;
    config.tcp.mbufs_low = below(2) == 0 ? 16 : 64;
    struct world *w = world_new(&config);
    for (unsigned i = 0; i < 600; i++) {
        if (held == NULL && w->accepted == NULL) { /* a way in */
            peer(w, SEG(.flags = S));
            run(w);
            forget_output(w);
            peer(w, SEG(.flags = A, .seq = 1, .ack = 1));
        }
        if (rte_mempool_avail_count(w->pool) > 8)
            peer(w, any_segment(w));
        forget_output(w);
        if (below(3) == 0) {
            w->core.now_us += below(20) == 0 ? below(3000000) : below(20000);
            run(w);
            act(w);
        }
        if (w->n_out > 500)
            forget_output(w);
        run(w);
        forget_output(w);
    }
    world_free(w);
}

TEST(whatever_the_peer_sends_every_invariant_holds)
{
    for (uint64_t seed = 1; seed <= 400; seed++)
        storm(seed);
}

UNIT_MAIN("tcp/storm", T(whatever_the_peer_sends_every_invariant_holds))
