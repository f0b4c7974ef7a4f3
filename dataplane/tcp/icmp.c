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
 * meant by it, so nothing slows down. */
static void lower_path_mtu(struct tcp_conn *c, uint16_t told)
{
    uint16_t floor = ip_addr_is_v4(&c->tuple.remote) ? TCP_PMTU_MIN_4 : TCP_PMTU_MIN_6;
    uint16_t mtu = told == 0 ? plateau_below(c->path_mtu) : told;
    if (mtu < floor)
        mtu = floor;
    if (mtu >= c->path_mtu) {
        stat_inc(c->tcp->core, STAT_tcp_icmp_ignored);
        return;
    }
    stat_inc(c->tcp->core, STAT_tcp_icmp_too_big);
    c->path_mtu = mtu;
    tcp_set_mss(c);
    if (c->tx == NULL)
        return;
    LIST_EACH_SAFE (node, next, &c->tx->board.in_flight) {
        struct tcp_sent *s = container_of(node, struct tcp_sent, by_place);
        if (s->bytes > c->mss)
            tcp_board_lose(&c->tx->board, s);
    }
    ASSERT_HOT(c->mss > 0);
    tcp_program_output(c);
}

static void input(struct tcp *t, const struct tcp_tuple *tuple, const struct net_icmp_error *e)
{
    uint64_t hash = tcp_table_hash(&t->table, tuple);
    tcp_entry_t entry = tcp_table_find(&t->table, hash, tuple);
    if (entry.v == TCP_ENTRY_NONE.v || tcp_entry_is_timewait(entry)) {
        stat_inc(t->core, STAT_tcp_icmp_ignored);
        return;
    }
    struct tcp_conn *c = tcp_conn_at(t, entry);
    seq_t seq = {e->seq};
    if (seq_lt(seq, c->snd_una) || seq_ge(seq, c->snd_nxt)) {
        stat_inc(t->core, STAT_tcp_icmp_ignored);
    } else if (e->kind == NET_ICMP_TOO_BIG) {
        lower_path_mtu(c, e->mtu);
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
    struct tcp_tuple tuple = {e->local, e->remote, e->local_port, e->remote_port};
    bool is_traced = tcp_is_traced(t);
    if (is_traced)
        tcp_trace_icmp(t, &tuple, e->kind == NET_ICMP_TOO_BIG ? e->mtu : 0, e->seq);
    input(t, &tuple, e);
    if (is_traced)
        tcp_trace_end(t);
}
