/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens: passive (a SYN makes a half-open connection, bounded in number and time), active, and both
 * at once (RFC 9293, 3.5). What the two SYNs agree upon: MSS, window scale, timestamps, SACK.
 */
#include "base/assert.h"
#include "core/port.h"
#include "net/net.h"
#include "tcp/tcp_priv.h"

#define IP4_AND_TCP_BYTES 40u
#define IP6_AND_TCP_BYTES 60u
#define TIMESTAMP_BYTES 12u

static bool is_v4(const struct tcp_conn *c)
{
    return ip_addr_is_v4(&c->tuple.remote);
}

static uint16_t header_bytes(const struct tcp_conn *c)
{
    return is_v4(c) ? IP4_AND_TCP_BYTES : IP6_AND_TCP_BYTES;
}

/* An IP packet of this path that one mbuf can hold. */
static uint16_t usable_mtu(uint16_t mtu)
{
    return mtu > TCP_PACKET_BYTES_MAX ? TCP_PACKET_BYTES_MAX : mtu;
}

uint16_t tcp_mss_to_tell(const struct tcp_conn *c)
{
    ASSERT_HOT(c->path_mtu > header_bytes(c));
    return (uint16_t)(c->path_mtu - header_bytes(c));
}

void tcp_set_mss(struct tcp_conn *c)
{
    uint32_t mss = (uint32_t)c->path_mtu - header_bytes(c);
    if (c->peer_mss < mss)
        mss = c->peer_mss;
    if (c->flags & TCP_F_TIMESTAMPS)
        mss -= TIMESTAMP_BYTES; /* options are not part of the MSS (RFC 6691) */
    ASSERT(mss > 0 && mss <= TCP_PACKET_BYTES_MAX);
    c->mss = (uint16_t)mss;
}

/* The least scale that lets 16 bits tell the whole window. */
static uint8_t scale_for(uint32_t window_bytes)
{
    uint8_t scale = 0;
    while (scale < TCP_WSCALE_MAX && (window_bytes >> scale) > UINT16_MAX)
        scale++;
    return scale;
}

/* What both SYNs together agree upon. */
static void negotiate(struct tcp_conn *c, const struct tcp_segment *seg)
{
    const struct tcp_options *o = &seg->options;
    uint16_t mss = is_v4(c) ? TCP_MSS_DEFAULT_4 : TCP_MSS_DEFAULT_6;
    if (o->has_mss)
        mss = o->mss < TCP_MSS_MIN ? TCP_MSS_MIN : o->mss;
    c->peer_mss = mss;
    if (o->has_wscale) {
        c->flags |= TCP_F_WSCALE;
        c->snd_wscale = o->wscale;
        c->rcv_wscale = scale_for(c->tcp->config.rx_window_bytes);
    }
    if (o->has_sack_permitted)
        c->flags |= TCP_F_SACK;
    if (o->has_timestamps) {
        c->flags |= TCP_F_TIMESTAMPS;
        c->ts_recent = o->ts_value;
        c->ts_recent_ms = tcp_now_ms(c->tcp);
    }
    tcp_set_mss(c);
}

/* Takes the peer's SYN: sequence numbers and windows of both directions. */
static void take_syn(struct tcp_conn *c, const struct tcp_segment *seg)
{
    uint32_t window = c->tcp->config.rx_window_bytes;
    c->rcv_nxt = seq_add(seg->seq, 1);
    c->rcv_adv = seq_add(c->rcv_nxt, window < UINT16_MAX ? window : UINT16_MAX);
    c->last_ack_sent = c->rcv_nxt;
    c->snd_wnd = seg->window; /* in a SYN it is never scaled (RFC 7323, 2.2) */
    c->snd_wnd_max = c->snd_wnd;
    c->snd_wl1 = seg->seq;
    negotiate(c, seg);
}

/* Our own numbers: nothing sent yet. */
static void begin_sending(struct tcp_conn *c, seq_t iss)
{
    c->snd_una = iss;
    c->snd_nxt = iss;
    c->snd_end = seq_add(iss, 1); /* data begins behind the SYN */
    c->flags |= TCP_F_SEND_SYN;
    tcp_program_output(c);
}

/* Why no half-open connection can be made now; STAT_COUNT: one can. */
static enum stat_id refuses_syn(struct tcp *t, const struct tcp_segment *seg,
                                struct net_path *ret_path)
{
    if (t->half_open >= t->config.half_open_max)
        return STAT_tcp_drop_half_open_limit;
    if (tcp_mbufs_are_short(t, t->config.mbufs_low))
        return STAT_tcp_drop_mbufs_low;
    return net_path_find(t->net, &seg->tuple.remote, ret_path) ? STAT_COUNT
                                                               : STAT_tcp_drop_no_route;
}

void tcp_passive_open(struct tcp *t, const struct tcp_segment *seg, uint32_t bind,
                      const seq_t *iss_after)
{
    struct net_path path;
    enum stat_id refusal = refuses_syn(t, seg, &path);
    if (refusal != STAT_COUNT) {
        stat_inc(t->core, refusal);
        return;
    }
    bool is_table_full = false;
    struct tcp_conn *c = tcp_conn_new(t, &seg->tuple, &is_table_full);
    if (c == NULL) {
        stat_inc(t->core, is_table_full ? STAT_tcp_drop_table_full : STAT_tcp_drop_conn_limit);
        return;
    }
    c->stream.owner = (void *)(uintptr_t)bind; /* until it has one */
    c->path_mtu = usable_mtu(path.mtu);
    tcp_conn_set_state(c, TCP_SYN_RCVD);
    take_syn(c, seg);
    seq_t iss = tcp_iss(&t->core->hash_key, &c->tuple, t->core->now_us);
    if (iss_after != NULL && seq_lt(iss, *iss_after))
        iss = *iss_after;
    begin_sending(c, iss);
    stat_inc(t->core, STAT_tcp_rx_syn);
}

/* The reason and its counter. */
static enum tcp_open_fault refuse_open(struct tcp *t, enum tcp_open_fault fault, enum stat_id stat)
{
    ASSERT(fault != TCP_OPEN_OK);
    stat_inc(t->core, stat);
    return fault;
}

/* Way and source of an active open: the route's, or the one asked for if it is ours. */
static bool find_path(struct tcp *t, const struct tcp_open_args *args, struct net_path *ret)
{
    if (!net_path_find(t->net, &args->remote, ret))
        return false;
    if (!ip_addr_is_zero(&args->local)) {
        ret->source = args->local;
        return net_is_local(t->net, &args->local) &&
               ip_addr_is_v4(&args->local) == ip_addr_is_v4(&args->remote);
    }
    return !ip_addr_is_zero(&ret->source);
}

enum tcp_open_fault tcp_open(struct tcp *t, const struct tcp_open_args *args,
                             struct stream **ret_stream)
{
    struct net_path path;
    if (!find_path(t, args, &path))
        return refuse_open(t, TCP_OPEN_NO_ROUTE, STAT_tcp_open_no_route);
    if (tcp_mbufs_are_short(t, t->config.mbufs_low))
        return refuse_open(t, TCP_OPEN_NO_MBUF, STAT_tcp_open_no_mbuf);
    struct tcp_tuple tuple = {path.source, args->remote, 0, args->remote_port};
    if (!tcp_port_choose(t, path.port, &tuple))
        return refuse_open(t, TCP_OPEN_NO_PORT, STAT_tcp_open_no_port);
    bool is_table_full = false;
    struct tcp_conn *c = tcp_conn_new(t, &tuple, &is_table_full);
    if (c == NULL)
        return refuse_open(t, TCP_OPEN_NO_CONN, STAT_tcp_open_no_conn);
    c->flags = TCP_F_ACTIVE | TCP_F_OWNED;
    c->path_mtu = usable_mtu(path.mtu);
    c->peer_mss = is_v4(c) ? TCP_MSS_DEFAULT_4 : TCP_MSS_DEFAULT_6;
    tcp_set_mss(c);
    tcp_conn_set_state(c, TCP_SYN_SENT);
    begin_sending(c, tcp_iss(&t->core->hash_key, &tuple, t->core->now_us));
    uint32_t timeout_ms = args->connect_timeout_ms;
    if (timeout_ms == 0)
        timeout_ms = TCP_CONNECT_TIMEOUT_MS;
    tcp_deadline_set(c, TCP_DEADLINE_WAIT, t->core->now_us + timeout_ms * 1000ULL);
    stat_inc(t->core, STAT_tcp_opens);
    *ret_stream = &c->stream;
    return TCP_OPEN_OK;
}

/* The time of SYN to answer is the first RTT, if it was sent once. */
static void sample_handshake_rtt(struct tcp_conn *c)
{
    uint64_t due_us = c->deadline_us[TCP_DEADLINE_RETRANSMIT];
    uint64_t now_us = c->tcp->core->now_us;
    if (c->probes != 0 || due_us == 0)
        return;
    uint64_t sent_us = due_us - tcp_rtt_timeout_us(&c->rtt, 0);
    if (now_us >= sent_us)
        tcp_rtt_sample(&c->rtt, now_us - sent_us, now_us);
}

void tcp_establish(struct tcp_conn *c, const struct tcp_segment *seg)
{
    ASSERT(c->state == TCP_SYN_SENT || c->state == TCP_SYN_RCVD);
    ASSERT(seq_eq(seg->ack, c->snd_nxt));
    struct core *core = c->tcp->core;
    sample_handshake_rtt(c);
    /* A SYN lost says something about the path (RFC 5681, 3.1; RFC 6928, 2). */
    if (c->probes > 1)
        c->kept_cwnd_bytes = c->mss;
    c->probes = 0;
    c->backoff = 0;
    c->snd_una = seg->ack;
    c->snd_wl1 = seg->seq;
    if ((seg->flags & TCP_SYN) == 0)
        c->snd_wnd = (uint32_t)seg->window << c->snd_wscale;
    c->snd_wnd_max = c->snd_wnd;
    c->progress_ms = tcp_now_ms(c->tcp);
    c->retransmit_kind = TCP_RETRANSMIT_NONE;
    c->flags &= ~(uint32_t)TCP_F_SEND_SYN; /* its SYN came again in this round, before the ACK */
    tcp_deadline_set(c, TCP_DEADLINE_RETRANSMIT, 0);
    tcp_conn_set_state(c, TCP_ESTABLISHED);
    tcp_arm_wait(c);
    if (c->flags & TCP_F_ACTIVE) {
        stat_inc(core, STAT_tcp_established_active);
        if (c->flags & TCP_F_OWNED)
            tcp_program_events(c, STREAM_WRITABLE);
    } else {
        tcp_program_events(c, TCP_EVENT_ACCEPT);
    }
    if (c->flags & TCP_F_SHUTDOWN) /* closed before it was open */
        tcp_conn_set_state(c, TCP_FIN_WAIT_1);
    tcp_program_output(c);
}

void tcp_syn_sent_input(struct tcp_conn *c, struct tcp_segment *seg)
{
    struct tcp *t = c->tcp;
    ASSERT_HOT(c->state == TCP_SYN_SENT);
    bool has_ack = (seg->flags & TCP_ACK) != 0;
    bool is_acked = has_ack && seq_eq(seg->ack, c->snd_nxt) && !seq_eq(c->snd_nxt, c->snd_una);
    if (has_ack && !is_acked) { /* first */
        stat_inc(t->core, STAT_tcp_drop_handshake);
        tcp_rst_reply(t, seg);
        /* The peer's end of a connection of long ago, which the reset clears away: no need to wait
         * a second for the next try. Once: else a stranger could make us send. */
        if ((seg->flags & TCP_RST) == 0 && c->probes == 0)
            tcp_deadline_set(c, TCP_DEADLINE_RETRANSMIT, t->core->now_us + TCP_SYN_AGAIN_US);
        return;
    }
    if (seg->flags & TCP_RST) { /* second: believed only with the right acknowledgement */
        stat_inc(t->core, is_acked ? STAT_tcp_rx_slow : STAT_tcp_drop_handshake);
        if (is_acked)
            tcp_conn_end(c, STREAM_END_REFUSED);
        return;
    }
    if ((seg->flags & TCP_SYN) == 0) { /* fifth */
        stat_inc(t->core, STAT_tcp_drop_handshake);
        return;
    }
    stat_inc(t->core, STAT_tcp_rx_slow); /* fourth; text on a SYN comes again */
    c->last_rx_ms = tcp_now_ms(t);
    take_syn(c, seg);
    if (is_acked) {
        tcp_establish(c, seg);
        tcp_program_ack(c);
    } else { /* simultaneous open */
        tcp_conn_set_state(c, TCP_SYN_RCVD);
        c->flags |= TCP_F_SEND_SYN;
        tcp_program_output(c);
    }
}
