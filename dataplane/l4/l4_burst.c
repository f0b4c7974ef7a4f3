/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames whose flow is known, a burst at a time, each step for all of them: so their hashes are
 * made side by side, and what they need comes from memory together. A packet of the usual kind
 * needs two lines, its place in the table and its lane. Owner: struct l4_fwd. Thread: the worker.
 */
#include "l4/l4.h"
#include "l4/l4_priv.h"

#include <string.h>

/* What is found out of a frame step by step. */
struct look {
    struct plain at;
    flow_entry_t guess;   /* what it will most likely be, */
    struct l4_lane *lane; /* and where that comes in; NULL: nowhere */
    bool is_plain;
};

/* Frames whose hashes are made at once, as many as vectors have lanes. What these ask of memory is
 * on its way while the next ones are looked at: of a burst whose 32 hashes were made in one go each
 * packet took 20 cycles more with a million flows. */
#define HASHED_AT_ONCE 8u

/* A few frames that wait for memory together. */
struct together {
    struct look looks[L4_TOGETHER_MAX];
    uint64_t addresses[L4_TOGETHER_MAX]; /* of those of IPv4, as they are hashed, */
    uint64_t ports[L4_TOGETHER_MAX];
    uint64_t hashes[L4_TOGETHER_MAX]; /* of all that are plain */
    uint64_t up_bytes;                /* of those that went by the shortcut */
    uint64_t down_bytes;
    uint64_t n_fast;
};

/* First step: whose is it? */
static void look_at(struct l4_fwd *f, const struct rte_mbuf *m, struct together *t, unsigned i)
{
    struct look *l = &t->looks[i];
    uint64_t addresses = 0;
    be32_t ports = {0};
    l->lane = NULL;
    l->is_plain = net_plain_find(f->net, m, &l->at);
    if (l->is_plain && l->at.is_ip4) {
        memcpy(&addresses, ((const struct wire_ip4 *)(const void *)l->at.l3)->src, 8);
        memcpy(&ports, l->at.l4, 4);
    }
    t->addresses[i] = addresses << 32 | addresses >> 32;
    t->ports[i] = be32_host(ports);
}

/* Second step, of those from `i` to `end`: places in the table are on their way from memory. */
static void hash(struct l4_fwd *f, struct together *t, unsigned i, unsigned end)
{
    struct flow_tuple ends;
    flow_table_hash_ip4(&f->tables[0], t->addresses + i, t->ports + i, t->hashes + i, end - i);
    for (; i < end; i++) {
        const struct look *l = &t->looks[i];
        if (!l->is_plain)
            continue;
        struct flow_table *table = l4_table_of(f, l->at.proto);
        if (!l->at.is_ip4) {
            plain_ends(&l->at, &ends);
            t->hashes[i] = flow_table_hash(table, &ends);
        }
        flow_table_prefetch(table, t->hashes[i]);
    }
}

/* Third step: the lane is on its way. */
static void foresee(struct l4_fwd *f, struct look *l, uint64_t hash)
{
    l->guess = flow_table_guess(l4_table_of(f, l->at.proto), hash);
    if (l->guess.v == FLOW_ENTRY_NONE.v)
        return;
    l->lane = l4_lane_at(f, l->guess);
    __builtin_prefetch(l->lane, 1);
}

/* Fourth step: what cannot go by the shortcut needs its flow, and gives away what moved. */
static void foresee_flow(struct l4_fwd *f, const struct look *l)
{
    if (l->lane == NULL || __builtin_expect(l4_lane_is_usual(f, l->lane), 1))
        return;
    const struct l4_flow *flow = l4_flow_at(f, l->guess);
    __builtin_prefetch(flow);
    __builtin_prefetch(&flow->lanes, 1); /* and with it the end of its sides */
    __builtin_prefetch(&flow->route, 1);
    __builtin_prefetch(&flow->is_lively, 1);
    __builtin_prefetch(l->lane + (flow_entry_mark(l->guess) ? -1 : 1), 1); /* the other side's */
}

/* Last step: it goes on, the long way. False: it is of no flow that we know, and nobody else's. */
static bool take(struct l4_fwd *f, struct rte_mbuf *m, const struct look *l, uint64_t hash)
{
    struct flow_tuple ends;
    plain_ends(&l->at, &ends);
    flow_entry_t e = flow_table_find(l4_table_of(f, l->at.proto), hash, &ends);
    struct l4_flow *flow = l4_flow_at(f, e);
    if (flow == NULL)
        return __builtin_expect(f->has_drained, 0) && l4_handover(f, m, &l->at, &ends);
    enum l4_side_index side = flow_entry_mark(e) ? L4_SERVER : L4_CLIENT;
    if (__builtin_expect(l4_state_of(flow) != L4_OPEN || l4_is_spliced(flow), 0) &&
        l4_is_first(flow, side, l4_flags_of(m, &l->at)))
        return false; /* what begins is looked at more closely */
    stat_inc(f->core, STAT_l4_rx_fast);
    l4_forward(f, flow, side, m, &l->at);
    return true;
}

/* Last step: it goes on, by the shortcut if it may. False: as take(). */
static bool take_fast(struct l4_fwd *f, struct rte_mbuf *m, struct together *t, unsigned i)
{
    const struct look *l = &t->looks[i];
    if (l->lane == NULL || !l4_fast(f, l->lane, m, &l->at))
        return take(f, m, l, t->hashes[i]);
    *(flow_entry_mark(l->guess) ? &t->down_bytes : &t->up_bytes) += l->at.packet_bytes;
    t->n_fast++;
    return true;
}

static void count_fast(struct core *core, const struct together *t)
{
    stat_add(core, STAT_l4_rx_fast, t->n_fast);
    stat_add(core, STAT_l4_tx, t->n_fast);
    stat_add(core, STAT_l4_bytes_up, t->up_bytes);
    stat_add(core, STAT_l4_bytes_down, t->down_bytes);
}

static void look_and_hash(struct l4_fwd *f, struct rte_mbuf *const *frames, struct together *t,
                          unsigned n)
{
    for (unsigned from = 0; from < n; from += HASHED_AT_ONCE) {
        unsigned end = from + HASHED_AT_ONCE < n ? from + HASHED_AT_ONCE : n;
        for (unsigned i = from; i < end; i++)
            look_at(f, frames[i], t, i);
        hash(f, t, from, end);
    }
}

/* Returns how many it left. */
static unsigned input(struct l4_fwd *f, struct rte_mbuf **frames, unsigned n,
                      struct rte_mbuf **left)
{
    struct together t;
    unsigned n_left = 0;
    t.up_bytes = t.down_bytes = t.n_fast = 0;
    for (unsigned i = 0; i < n; i++)
        __builtin_prefetch(rte_pktmbuf_mtod(frames[i], const void *));
    look_and_hash(f, frames, &t, n);
    for (unsigned i = 0; i < n; i++) {
        if (t.looks[i].is_plain)
            foresee(f, &t.looks[i], t.hashes[i]);
    }
    for (unsigned i = 0; i < n; i++)
        foresee_flow(f, &t.looks[i]);
    for (unsigned i = 0; i < n; i++) {
        struct rte_mbuf *m = frames[i]; /* `left` may lie over it */
        if (!t.looks[i].is_plain || !take_fast(f, m, &t, i))
            left[n_left++] = m;
    }
    count_fast(f->core, &t);
    return n_left;
}

unsigned l4_input(struct l4_fwd *f, struct rte_mbuf **frames, unsigned n)
{
    unsigned left = 0;
    f->now_ms = (uint32_t)(f->core->now_us / 1000);
    f->hops_version = net_hops_version(f->net);
    if (f->flows.used == 0 && !f->has_drained)
        return n;
    for (unsigned done = 0; done < n; done += L4_TOGETHER_MAX) {
        unsigned together = n - done < L4_TOGETHER_MAX ? n - done : L4_TOGETHER_MAX;
        left += input(f, frames + done, together, frames + left);
    }
    return left;
}
