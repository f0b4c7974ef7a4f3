/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP errors about segments of ours. Anybody can send one: it must quote a sequence number that is
 * in flight (RFC 5927, section 4), and even then no established connection dies of it (RFC 1122,
 * 4.2.3.9, for soft errors; hard ones are treated alike, RFC 5461).
 */
#include "base/assert.h"
#include "net/net.h"
#include "tcp/tcp_priv.h"
#include "tcp/trace.h"

/* Next lower plateau when a router does not tell its MTU (RFC 1191, section 7.1). */
static uint16_t plateau_below(uint16_t mtu)
{
    static const uint16_t plateaus[] = {1492, 1006, 552};
    for (unsigned i = 0; i < array_len(plateaus); i++) {
        if (plateaus[i] < mtu)
            return plateaus[i];
    }
    return TCP_PMTU_MIN_4;
}

/* The path takes less than was sent: what is too big goes again in smaller pieces. No congestion is
 * meant by it; but what cwnd allows is not to become more packets (RFC 5681, 3.1). */
static void cut_flight(struct tcp_conn *c, uint16_t mss_before)
{
    struct tcp_sender *x = c->tx;
    uint64_t cwnd = (uint64_t)x->cc.cwnd_bytes * c->mss / mss_before;
    x->cc.cwnd_bytes = cwnd < c->mss ? c->mss : (uint32_t)cwnd;
    LIST_EACH_SAFE (node, next, &x->board.in_flight) {
        struct tcp_sent *s = container_of(node, struct tcp_sent, by_place);
        if (s->bytes > c->mss)
            tcp_board_lose(&x->board, s);
    }
    tcp_program_output(c);
}

/* A router tells what passes; `seq` is what it quotes. */
static void on_too_big(struct tcp_conn *c, seq_t seq, uint16_t told)
{
    bool is_v4 = ip_addr_is_v4(&c->tuple.remote);
    uint16_t mtu = told == 0 ? plateau_below(c->path_mtu) : told;
    bool is_about_probe = (c->flags & TCP_F_MTU_PROBE) != 0 && tcp_plpmtud_on_too_big(c, seq, mtu);
    if (is_v4 && mtu < TCP_PMTU_MIN_4)
        mtu = TCP_PMTU_MIN_4;
    /* RFC 8201, 4: less than every link carries is discarded. */
    if (is_about_probe || mtu >= c->path_mtu || (!is_v4 && mtu < TCP_PMTU_MIN_6)) {
        stat_inc(c->tcp->core, is_about_probe ? STAT_tcp_icmp_probe : STAT_tcp_icmp_ignored);
        return;
    }
    uint16_t mss_before = c->mss;
    stat_inc(c->tcp->core, STAT_tcp_icmp_too_big);
    c->path_mtu = mtu;
    tcp_set_mss(c);
    tcp_plpmtud_lowered(c, TCP_PMTU_RAISE_MS);
    net_path_mtu_learn(c->tcp->net, &c->tuple.remote, mtu, true);
    ASSERT_HOT(c->mss > 0);
    if (c->tx != NULL)
        cut_flight(c, mss_before);
}

static void input(struct tcp *t, const struct flow_tuple *tuple, const struct net_icmp_error *e)
{
    uint64_t hash = flow_table_hash(&t->table, tuple);
    flow_entry_t entry = flow_table_find(&t->table, hash, tuple);
    if (entry.v == FLOW_ENTRY_NONE.v || flow_entry_mark(entry)) {
        stat_inc(t->core, STAT_tcp_icmp_ignored);
        return;
    }
    struct tcp_conn *c = tcp_conn_at(t, entry);
    seq_t seq = {e->seq};
    if (seq_lt(seq, c->snd_una) || seq_ge(seq, c->snd_nxt)) {
        stat_inc(t->core, STAT_tcp_icmp_ignored);
    } else if (e->kind == NET_ICMP_TOO_BIG) {
        on_too_big(c, seq, e->mtu);
    } else {
        stat_inc(t->core, STAT_tcp_icmp_soft);
        bool is_unreachable = e->kind == NET_ICMP_UNREACHABLE;
        if (c->state == TCP_SYN_SENT && is_unreachable)
            tcp_conn_end(c, STREAM_END_UNREACHABLE);
        else
            tcp_note_trouble(c, is_unreachable ? TCP_TROUBLE_UNREACHABLE : TCP_TROUBLE_OTHER);
    }
}

void tcp_on_icmp_error(struct tcp *t, const struct net_icmp_error *e)
{
    struct flow_tuple tuple = {e->local, e->remote, e->local_port, e->remote_port};
    bool is_traced = tcp_is_traced(t);
    if (is_traced)
        tcp_trace_icmp(t, &tuple, e->kind == NET_ICMP_TOO_BIG ? e->mtu : 0, e->seq);
    input(t, &tuple, e);
    if (is_traced)
        tcp_trace_end(t);
}
