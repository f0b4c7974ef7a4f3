/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both SYNs agree upon (MSS, window scale, timestamps, SACK), active opens, both at once (RFC
 * 9293, 3.5). Passive opens: passive.c.
 */
#include "base/assert.h"
#include "base/minmax.h"
#include "core/port.h"
#include "net/net.h"
#include "tcp/tcp_priv.h"

#define TIMESTAMP_BYTES 12u

static bool is_v4(const struct tcp_conn *c)
{
    return ip_addr_is_v4(&c->tuple.remote);
}

/* Headers of IP and TCP without options. */
static uint16_t header_bytes(bool is_ip4)
{
    return is_ip4 ? 40 : 60;
}

uint16_t tcp_usable_mtu(const struct tcp *t, uint16_t mtu)
{
    bool has_chains = t->tx_mbufs_max >= TCP_JUMBO_MBUFS;
    uint16_t most = has_chains ? TCP_JUMBO_BYTES_MAX : TCP_PACKET_BYTES_MAX;
    return mtu > most ? most : mtu;
}

uint16_t tcp_mss_of_mtu(uint16_t mtu, bool is_ip4)
{
    ASSERT_HOT(mtu > header_bytes(is_ip4));
    return (uint16_t)(mtu - header_bytes(is_ip4));
}

uint16_t tcp_mss_to_tell(const struct tcp_conn *c)
{
    return tcp_mss_of_mtu(tcp_rare_of(c)->plpmtud.mtu_max, is_v4(c));
}

uint16_t tcp_mss_on_path(const struct tcp_conn *c, uint16_t mtu)
{
    uint16_t mss = tcp_mss_of_mtu(mtu, is_v4(c));
    if (c->peer_mss < mss)
        mss = c->peer_mss;
    if (c->flags & TCP_F_TIMESTAMPS)
        mss = (uint16_t)(mss - TIMESTAMP_BYTES); /* options are not part of the MSS (RFC 6691) */
    ASSERT(mss > 0 && mss <= TCP_JUMBO_BYTES_MAX);
    return mss;
}

void tcp_set_mss(struct tcp_conn *c)
{
    c->mss = tcp_mss_on_path(c, c->path_mtu);
}

uint16_t tcp_syn_window(struct tcp *t)
{
    return (uint16_t)min32(tcp_first_window(t), UINT16_MAX);
}

uint8_t tcp_scale_for(uint32_t window_bytes)
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
        c->rcv_wscale = tcp_scale_for(c->tcp->config.rx_window_bytes);
    }
    if (o->has_sack_permitted)
        c->flags |= TCP_F_SACK;
    tcp_ecn_take_syn(c, seg);
    if (o->has_timestamps) {
        c->flags |= TCP_F_TIMESTAMPS;
        c->ts_recent = o->ts_value;
        c->ts_recent_ms = tcp_now_ms(c->tcp);
    }
    tcp_set_mss(c);
}

void tcp_take_syn(struct tcp_conn *c, const struct tcp_segment *seg)
{
    bool is_told = (c->flags & TCP_F_ACTIVE) != 0; /* by our SYN, when rcv_nxt was not known */
    uint32_t window = is_told ? (uint32_t)seq_diff(c->rcv_adv, c->rcv_nxt) : tcp_syn_window(c->tcp);
    c->rcv_nxt = seq_add(seg->seq, 1);
    c->rcv_adv = seq_add(c->rcv_nxt, window);
    c->rcv_mark = c->rcv_nxt;
    c->rcv_mark_ms = (uint16_t)tcp_now_ms(c->tcp);
    c->last_ack_sent = c->rcv_nxt;
    c->snd_wnd = seg->window; /* in a SYN it is never scaled (RFC 7323, 2.2) */
    c->snd_wnd_max = c->snd_wnd;
    c->snd_wl1 = seg->seq;
    negotiate(c, seg);
}

void tcp_begin_sending(struct tcp_conn *c, seq_t iss)
{
    c->snd_una = iss;
    c->snd_nxt = iss;
    c->snd_end = seq_add(iss, 1); /* data begins behind the SYN */
    c->flags |= TCP_F_SEND_SYN;
    tcp_program_output(c);
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

bool tcp_has_way(const struct tcp *t, const struct ip_addr *remote)
{
    struct net_path path;
    return net_path_find(t->net, remote, &path) && !ip_addr_is_zero(&path.source);
}

enum tcp_open_fault tcp_open(struct tcp *t, const struct tcp_open_args *args,
                             struct stream **ret_stream)
{
    struct net_path path;
    if (!find_path(t, args, &path))
        return refuse_open(t, TCP_OPEN_NO_ROUTE, STAT_tcp_open_no_route);
    if (tcp_refuses_for_memory(t, true))
        return refuse_open(t, TCP_OPEN_NO_MBUF, STAT_tcp_open_no_mbuf);
    struct flow_tuple tuple = {path.source, args->remote, 0, args->remote_port};
    if (!tcp_port_choose(t, path.port, &tuple))
        return refuse_open(t, TCP_OPEN_NO_PORT, STAT_tcp_open_no_port);
    bool is_table_full = false;
    struct tcp_conn *c = tcp_conn_new(t, &tuple, &is_table_full);
    if (c == NULL) {
        tcp_shed_slots(t); /* the next one finds room */
        return refuse_open(t, TCP_OPEN_NO_CONN, STAT_tcp_open_no_conn);
    }
    c->flags = TCP_F_ACTIVE | TCP_F_OWNED;
    tcp_set_congestion(c, args->congestion);
    tcp_plpmtud_init(c, path.mtu);
    c->peer_mss = is_v4(c) ? TCP_MSS_DEFAULT_4 : TCP_MSS_DEFAULT_6;
    tcp_set_mss(c);
    tcp_conn_set_state(c, TCP_SYN_SENT);
    c->rcv_adv = seq_add(c->rcv_nxt, tcp_syn_window(t));
    tcp_begin_sending(c, tcp_iss(&t->core->hash_key, &tuple, t->core->now_us));
    uint32_t timeout_ms = args->connect_timeout_ms;
    if (timeout_ms == 0)
        timeout_ms = TCP_CONNECT_TIMEOUT_MS;
    tcp_deadline_set(c, TCP_DEADLINE_WAIT, t->core->now_us + timeout_ms * 1000ULL);
    stat_inc(t->core, STAT_tcp_opens);
    *ret_stream = &c->stream;
    return TCP_OPEN_OK;
}

/* The time of SYN to answer is the first RTT. Which of several SYNs is answered, only the echo of
 * its timestamp tells (RFC 7323, 4.1). */
static void sample_handshake_rtt(struct tcp_conn *c, const struct tcp_segment *seg)
{
    uint64_t due_us = c->deadline_us[TCP_DEADLINE_RETRANSMIT];
    uint64_t now_us = c->tcp->core->now_us;
    if (c->probes != 0 && (c->flags & TCP_F_TIMESTAMPS) != 0 && seg->options.has_timestamps) {
        uint32_t rtt_ms = tcp_ts_now(c) - seg->options.ts_echo;
        if (rtt_ms <= TCP_RTO_US_MAX / 1000) /* else it is not ours */
            tcp_rtt_sample(&c->rtt, rtt_ms * 1000ULL, now_us);
        return;
    }
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
    sample_handshake_rtt(c, seg);
    /* A SYN lost says something about the path (RFC 5681, 3.1; RFC 6928, 2). */
    if (c->probes > 1)
        c->kept_cwnd_bytes = c->mss;
    if (c->probes > 0 && c->rtt.srtt_us == 0)
        c->rtt.rto_us = TCP_RTO_SYN_LOST_US; /* RFC 6298, 5.7 */
    c->probes = 0;
    c->backoff = 0;
    c->snd_una = seg->ack;
    c->snd_wl1 = seg->seq;
    if ((seg->flags & TCP_SYN) == 0)
        c->snd_wnd = (uint32_t)seg->window << c->snd_wscale;
    c->snd_wnd_max = c->snd_wnd;
    c->progress_ms = tcp_now_ms(c->tcp);
    c->quick_acks = c->tcp->config.quick_acks;
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
    tcp_take_syn(c, seg);
    if (is_acked) {
        tcp_establish(c, seg);
        tcp_program_ack(c);
    } else { /* simultaneous open */
        tcp_conn_set_state(c, TCP_SYN_RCVD);
        c->flags |= TCP_F_SEND_SYN;
        tcp_program_output(c);
    }
}
