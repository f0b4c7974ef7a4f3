/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One segment onto the wire: header, options, payload (payload.c). Checksums are net's: it knows
 * what the device can.
 *
 * Station on the path: after the stream's writer, before net_output().
 */
#include "base/assert.h"
#include "base/be.h"
#include "net/net.h"
#include "tcp/trace.h"
#include "tcp/wire.h"

#include <netinet/in.h>
#include <rte_mbuf.h>

/* Payload behind the header, by reference or copied. False: no mbuf. */
static bool put_payload(struct tcp *t, struct rte_mbuf *m, const struct tcp_outgoing *o)
{
    struct tcp_chain chain = {
        .head = m, .last = m, .mbufs_max = t->tx_mbufs_max, .segment_mbufs_max = t->tx_mbufs_max};
    bool is_chained = t->tx_mbufs_max != 0 && o->bytes > TCP_COPY_BYTES_MAX;
    return (is_chained && tcp_payload_chain(t, &chain, o)) || tcp_payload_copy(t, m, o);
}

/* An mbuf with the header in it. */
static struct rte_mbuf *new_header(struct tcp *t, const struct flow_tuple *tuple, seq_t seq,
                                   seq_t ack, uint8_t flags, uint16_t window,
                                   const struct tcp_options *options)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(t->core->mbufs);
    if (m == NULL) {
        stat_inc(t->core, STAT_tcp_tx_no_mbuf);
        return NULL;
    }
    ASSERT_HOT(rte_pktmbuf_headroom(m) >= NET_HEADER_BYTES);
    unsigned bytes = (unsigned)sizeof(struct tcp_wire) + tcp_options_bytes(options);
    struct tcp_wire *h = (struct tcp_wire *)rte_pktmbuf_append(m, (uint16_t)bytes);
    ASSERT(h != NULL);
    *h = (struct tcp_wire){
        .src_port = be16(tuple->local_port),
        .dst_port = be16(tuple->remote_port),
        .seq = be32(seq.v),
        .ack = be32((flags & TCP_ACK) != 0 ? ack.v : 0),
        .offset = (uint8_t)(bytes / 4 << 4),
        .flags = flags,
        .window = be16(window),
    };
    tcp_options_build((uint8_t *)(h + 1), options);
    m->l4_len = bytes;
    m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
    return m;
}

/* To net; counts the segments in it. */
static void hand_over(struct tcp *t, struct rte_mbuf *m, const struct flow_tuple *tuple,
                      uint8_t tos, uint32_t flow_label, unsigned n_segments)
{
    stat_add(t->core, STAT_tcp_tx_segments, n_segments);
    stat_inc(t->core, STAT_tcp_tx_packets);
    if (tcp_is_traced(t))
        tcp_trace_tx(t, tuple, m);
    net_output(t->net, m, &tuple->local, &tuple->remote, IPPROTO_TCP, tos, flow_label);
}

/* What our SYN offers; a SYN-ACK repeats what was agreed upon. */
static void syn_options(const struct tcp_conn *c, bool is_answer, struct tcp_options *o)
{
    o->has_mss = true;
    o->mss = tcp_mss_to_tell(c);
    o->has_timestamps = !is_answer || (c->flags & TCP_F_TIMESTAMPS) != 0;
    o->has_sack_permitted = !is_answer || (c->flags & TCP_F_SACK) != 0;
    o->has_wscale = !is_answer || (c->flags & TCP_F_WSCALE) != 0;
    o->wscale = tcp_scale_for(c->tcp->config.rx_window_bytes);
}

/* How many SACK blocks fit beside `bytes` of payload: a segment is never longer than the path takes
 * (RFC 6691). c->mss is counted with timestamps, without SACK. */
static unsigned sack_room(const struct tcp_conn *c, uint32_t bytes)
{
    if (bytes == 0)
        return TCP_SACK_BLOCKS_MAX;
    uint32_t room = bytes < c->mss ? c->mss - bytes : 0;
    return room < 4 ? 0 : RTE_MIN((room - 4) / 8, TCP_SACK_BLOCKS_MAX);
}

/* The options of any segment of this connection. Full segments tell no SACK: what comes out of
 * order was acknowledged as it came. */
static void fill_options(const struct tcp_conn *c, const struct tcp_outgoing *out,
                         struct tcp_options *o)
{
    uint8_t flags = out->flags;
    if (flags & TCP_SYN)
        syn_options(c, (flags & TCP_ACK) != 0, o);
    else
        o->has_timestamps = (c->flags & TCP_F_TIMESTAMPS) != 0;
    if (o->has_timestamps) {
        o->ts_value = tcp_ts_now(c);
        o->ts_echo = (flags & TCP_ACK) != 0 ? c->ts_recent : 0;
    }
    unsigned room = (c->flags & TCP_F_SACK) != 0 ? sack_room(c, out->bytes) : 0;
    if (out->duplicate != NULL && room > 0)
        o->sack[o->n_sack++] = *out->duplicate;
    if (c->oooq.head != NULL && room > o->n_sack)
        o->n_sack = (uint8_t)(o->n_sack + tcp_reasm_sack(c, o->sack + o->n_sack, room - o->n_sack));
}

/* The window field, rounded up so that it never tells less than before; rcv_adv follows. */
static uint16_t tell_window(struct tcp_conn *c, uint8_t flags)
{
    if (flags & TCP_SYN)
        return (uint16_t)seq_diff(c->rcv_adv, c->rcv_nxt);
    uint32_t unit = 1u << c->rcv_wscale;
    uint32_t field = (tcp_rcv_window(c) + unit - 1) >> c->rcv_wscale;
    ASSERT_HOT(field <= UINT16_MAX);
    c->rcv_adv = seq_add(c->rcv_nxt, field << c->rcv_wscale);
    return (uint16_t)field;
}

/* URG and its field, if urgent bytes lie behind `seq`. */
static void put_urgent(struct tcp_conn *c, struct rte_mbuf *m, seq_t seq)
{
    struct tcp_wire *h = rte_pktmbuf_mtod(m, struct tcp_wire *);
    uint16_t field = tcp_urgent_field(c, seq);
    if (field == 0 || (h->flags & TCP_SYN) != 0)
        return;
    h->flags |= TCP_URG;
    h->urgent = be16(field);
}

/* The echo of a mark on whatever acknowledges, and once the news that we have slowed down. */
static void put_ecn(struct tcp_conn *c, struct rte_mbuf *m, const struct tcp_outgoing *o)
{
    struct tcp_wire *h = rte_pktmbuf_mtod(m, struct tcp_wire *);
    if ((c->flags & TCP_F_ECN_ECHO) != 0 && (o->flags & TCP_SYN) == 0)
        h->flags |= TCP_ECE;
    if ((c->flags & TCP_F_CWR) != 0 && o->is_new) {
        h->flags |= TCP_CWR;
        c->flags &= ~(uint32_t)TCP_F_CWR;
    }
}

struct rte_mbuf *tcp_segment_build(struct tcp_conn *c, const struct tcp_outgoing *o)
{
    struct tcp_options options = {0};
    fill_options(c, o, &options);
    uint16_t window = tell_window(c, o->flags);
    struct rte_mbuf *m =
        new_header(c->tcp, &c->tuple, o->seq, c->rcv_nxt, o->flags, window, &options);
    if (m == NULL)
        return NULL;
    if (c->flags & TCP_F_URGENT_OUT)
        put_urgent(c, m, o->seq);
    if (c->flags & TCP_F_ECN)
        put_ecn(c, m, o);
    if (o->flags & TCP_ACK) { /* whatever acknowledgement was owed is paid */
        c->flags &= ~(uint32_t)(TCP_F_ACK_NOW | TCP_F_ACK_DELAYED);
        c->full_segments = 0;
        c->deadline_us[TCP_DEADLINE_DELACK] = 0;
        c->last_ack_sent = c->rcv_nxt;
    }
    return m;
}

void tcp_segment_drop(struct tcp_conn *c, struct rte_mbuf *m)
{
    rte_pktmbuf_free(m);
    c->flags |= TCP_F_ACK_NOW; /* it had one in it */
}

void tcp_segment_add_flags(struct rte_mbuf *m, uint8_t flags)
{
    rte_pktmbuf_mtod(m, struct tcp_wire *)->flags |= flags;
}

void tcp_segment_hand_over(struct tcp_conn *c, struct rte_mbuf *m, bool is_new, unsigned n_segments)
{
    bool is_ect = (c->flags & TCP_F_ECN) != 0 && is_new;
    uint8_t tos = is_ect ? c->tos | TCP_ECN_ECT0 : c->tos;
    hand_over(c->tcp, m, &c->tuple, tos, c->flow_label, n_segments);
}

bool tcp_segment_send(struct tcp_conn *c, const struct tcp_outgoing *o)
{
    struct rte_mbuf *m = tcp_segment_build(c, o);
    if (m == NULL)
        return false;
    if (o->bytes > 0 && !put_payload(c->tcp, m, o)) {
        tcp_segment_drop(c, m);
        return false;
    }
    tcp_segment_hand_over(c, m, o->is_new, 1);
    return true;
}

void tcp_bare_send(struct tcp *t, const struct flow_tuple *tuple, seq_t seq, seq_t ack,
                   uint8_t flags, uint16_t window, const struct tcp_options *options)
{
    struct rte_mbuf *m = new_header(t, tuple, seq, ack, flags, window, options);
    if (m == NULL)
        return;
    bool is_v6 = !ip_addr_is_v4(&tuple->remote); /* else nobody needs the hash */
    uint64_t secret = is_v6 ? tcp_flow_secret(&t->core->hash_key, tuple) : 0;
    hand_over(t, m, tuple, 0, tcp_flow_label(secret), 1);
}
