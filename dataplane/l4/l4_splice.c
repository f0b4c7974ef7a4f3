/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows of TCP that began with a cookie (RFC 4987, section 3.6). While too many SYNs come that
 * nobody stands behind, tcp answers them in the endpoints' place (tcp/stand_in.h), and nothing is
 * kept. Whoever gives the cookie back gets a flow, and its endpoint a SYN of ours with the client's
 * number, MSS, scale, SACK and timestamp, as the cookie and what came with it tell them:
 *
 *   client                  box                      endpoint
 *     SYN i          ->
 *                    <-  SYN-ACK c, i+1, window 0
 *     ACK i+1, c+1   ->      a flow, spliced, OPENING
 *                            SYN i                ->
 *                                                 <-  SYN-ACK e, i+1
 *                            ACK i+1, e+1         ->
 *                    <-  ACK c+1, i+1, window of e
 *     data i+1       ->      i+1                  ->
 *
 * From then on what the client says needs no other number, but for what it acknowledges; what the
 * endpoint says is shifted by c - e, timestamps by the distance of our clock to the endpoint's.
 * Windows are told in the scale that the client was told, whatever the endpoint's is. What is not
 * known when we answer, the endpoint may not have: then its SACK blocks just do not come, and its
 * segments have no timestamps (RFC 7323, 3.2, lets receivers drop these; Linux does not). Of ECN
 * nothing is promised.
 *
 * Owner: struct l4_fwd. Thread: the worker. Bound: L4_SPLICE_SYNS_MAX.
 */
#include "base/assert.h"
#include "l4/l4_priv.h"
#include "net/cksum.h"
#include "tcp/shift.h"

/* ---- while the endpoint is asked ---- */

/* The window that the client says, where windows are not scaled. */
static uint16_t unscaled_window(const struct l4_splice *s)
{
    return s->scale == TCP_COOKIE_NO_WSCALE ? s->window : tcp_window_shift(s->window, s->scale);
}

/* The client's SYN, as it must have been. */
static void send_syn(struct l4_flow *flow)
{
    const struct l4_splice *s = &flow->splice;
    bool has_wscale = s->scale != TCP_COOKIE_NO_WSCALE;
    struct tcp_options o = {.has_mss = true,
                            .mss = s->mss,
                            .has_wscale = has_wscale,
                            .wscale = has_wscale ? s->scale : 0,
                            .has_sack_permitted = s->has_sack,
                            .has_timestamps = s->has_timestamps,
                            .ts_value = s->ts_value};
    stat_inc(flow->fwd->core, STAT_l4_splice_syns);
    tcp_bare_send(flow->fwd->tcp, &flow->sides[L4_SERVER].in, (seq_t){s->peer_iss}, (seq_t){0},
                  TCP_SYN, unscaled_window(s), &o);
    flow->syns++;
    wheel_arm(&flow->fwd->core->wheel, &flow->timer,
              flow->fwd->core->now_us + (L4_SPLICE_SYN_MS << (flow->syns - 1)) * 1000ULL);
}

void l4_splice_begin(struct l4_fwd *f, struct l4_flow *flow, const struct tcp_proof *proof)
{
    const struct tcp_cookie_terms *terms = &proof->terms;
    ASSERT(l4_is_waiting(flow) && !l4_is_carried(flow));
    flow->splice = (struct l4_splice){.number = proof->number.v,
                                      .ts_echo = proof->ts_echo,
                                      .peer_iss = proof->peer_iss.v,
                                      .ts_value = proof->ts_value,
                                      .mss = terms->mss,
                                      .window = proof->window,
                                      .scale = terms->wscale & 0xf,
                                      .has_timestamps = terms->has_timestamps,
                                      .has_sack = terms->has_sack};
    stat_inc(f->core, STAT_l4_cookies_accepted);
    send_syn(flow);
}

/* A segment of ours to the client, who knows the endpoint by its cookie. */
static void tell_client(struct l4_flow *flow, uint8_t flags, uint16_t window)
{
    const struct l4_splice *s = &flow->splice;
    struct tcp_options o = {
        .has_timestamps = s->has_timestamps, .ts_value = s->ts_echo, .ts_echo = s->ts_value};
    tcp_bare_send(flow->fwd->tcp, &flow->sides[L4_CLIENT].in, (seq_t){s->number + 1},
                  (seq_t){s->peer_iss + 1}, flags, window, &o);
}

/* Nobody answers the client, or somebody refuses him. */
static void give_up(struct l4_flow *flow, enum stat_id why)
{
    l4_flow_judge(flow, false);
    tell_client(flow, TCP_RST | TCP_ACK, 0);
    l4_flow_end(flow, why);
}

void l4_splice_on_timer(struct l4_flow *flow)
{
    ASSERT(l4_is_waiting(flow));
    if (!l4_is_still_ours(flow->fwd, flow)) {
        l4_flow_end(flow, STAT_l4_end_gone);
        return;
    }
    if (flow->syns >= L4_SPLICE_SYNS_MAX) {
        give_up(flow, STAT_l4_end_unanswered);
        return;
    }
    if (flow->syns >= L4_RETARGET_SYNS)
        l4_open_again(flow->fwd, flow);
    send_syn(flow);
}

/* The client waits, too: its windows and times are noted, its data come again. */
static enum stat_id from_client(struct l4_flow *flow, const struct tcp_segment *seg)
{
    struct l4_splice *s = &flow->splice;
    if ((seg->flags & TCP_RST) != 0) {
        if (seg->seq.v != s->peer_iss + 1)
            return STAT_l4_drop_early;
        l4_flow_end(flow, STAT_l4_end_closed);
        return STAT_l4_answered;
    }
    if ((seg->flags & (TCP_SYN | TCP_ACK)) != TCP_ACK)
        return STAT_l4_drop_early;
    s->window = seg->window;
    if (s->has_timestamps && seg->options.has_timestamps &&
        seq_gt((seq_t){seg->options.ts_value}, (seq_t){s->ts_value}))
        s->ts_value = seg->options.ts_value;
    bool has_more = seg->len > 0 || (seg->flags & TCP_FIN) != 0;
    return has_more ? STAT_l4_drop_early : STAT_l4_answered;
}

/* Acknowledges the endpoint's SYN-ACK in the client's name. */
static void acknowledge(struct l4_flow *flow, const struct tcp_segment *seg, uint32_t ts_value)
{
    struct l4_splice *s = &flow->splice;
    uint16_t window = seg->options.has_wscale ? s->window : unscaled_window(s);
    struct tcp_options o = {.has_timestamps = s->has_timestamps && seg->options.has_timestamps,
                            .ts_value = ts_value,
                            .ts_echo = seg->options.ts_value};
    tcp_bare_send(flow->fwd->tcp, &flow->sides[L4_SERVER].in, seg->ack, seq_add(seg->seq, 1),
                  TCP_ACK, window, &o);
}

/* The endpoint has answered: both ends are joined. */
static void join(struct l4_fwd *f, struct l4_flow *flow, const struct tcp_segment *seg)
{
    struct l4_splice *s = &flow->splice;
    const struct tcp_options *o = &seg->options;
    bool is_v4 = ip_addr_is_v4(&seg->tuple.remote);
    bool is_scaled = s->scale != TCP_COOKIE_NO_WSCALE;
    acknowledge(flow, seg, s->ts_value);
    tell_client(flow, TCP_ACK,
                tcp_window_shift(seg->window, is_scaled ? -(int)L4_SPLICE_WSCALE : 0));
    l4_flow_note(f, flow, L4_SERVER, TCP_SYN | TCP_ACK);
    ASSERT(l4_state_of(flow) == L4_OPEN);
    s->seq_delta = s->number - seg->seq.v;
    s->ts_delta = s->has_timestamps && o->has_timestamps ? s->ts_echo - o->ts_value : 0;
    s->window_up = (int8_t)(is_scaled && !o->has_wscale ? s->scale : 0);
    s->window_down =
        (int8_t)(is_scaled ? (o->has_wscale ? o->wscale : 0) - (int)L4_SPLICE_WSCALE : 0);
    s->mss = o->has_mss ? o->mss : is_v4 ? TCP_MSS_DEFAULT_4 : TCP_MSS_DEFAULT_6;
    if (s->mss < TCP_MSS_MIN)
        s->mss = TCP_MSS_MIN;
}

/* The first word of the endpoint, if it is one to our SYN. */
static enum stat_id from_server(struct l4_fwd *f, struct l4_flow *flow,
                                const struct tcp_segment *seg)
{
    bool is_ack = (seg->flags & TCP_ACK) != 0;
    if (!is_ack || seg->ack.v != flow->splice.peer_iss + 1) {
        if (!is_ack || (seg->flags & TCP_RST) != 0)
            return STAT_l4_drop_early;
        /* It remembers another connection (RFC 9293, 3.10.7.3, first): our next SYN finds none. */
        tcp_bare_send(f->tcp, &seg->tuple, seg->ack, (seq_t){0}, TCP_RST, 0,
                      &(struct tcp_options){0});
        return STAT_l4_answered;
    }
    if ((seg->flags & TCP_RST) != 0) {
        give_up(flow, STAT_l4_end_closed);
        return STAT_l4_answered;
    }
    if ((seg->flags & TCP_SYN) == 0)
        return STAT_l4_drop_early;
    join(f, flow, seg);
    return STAT_l4_answered;
}

/* ---- and later ---- */

/* A SYN when both ends are joined: the endpoint's again, whose acknowledgement was lost? Or does it
 * answer a new connection between the same ends, of which we did not see that the old one was
 * over? Then nothing is shifted any more. */
static bool is_answer_again(struct l4_flow *flow, enum l4_side_index side, const struct rte_mbuf *m)
{
    const struct flow_tuple *in = &flow->sides[side].in;
    const struct tcp_wire *w = rte_pktmbuf_mtod(m, const struct tcp_wire *);
    if (side == L4_CLIENT || (w->flags & TCP_ACK) == 0)
        return false;
    if (be32_host(w->ack) == flow->splice.peer_iss + 1)
        return true;
    if (cksum_l4_is_good(m, &in->remote, &in->local, IPPROTO_NUM_TCP)) {
        flow->sides[L4_CLIENT].flags &= ~L4_F_SPLICED & 0x3u;
        flow->sides[L4_SERVER].flags &= ~L4_F_SPLICED & 0x3u;
    }
    return false;
}

bool l4_splice_input(struct l4_fwd *f, struct l4_flow *flow, enum l4_side_index side,
                     struct rte_mbuf *m)
{
    const struct flow_tuple *in = &flow->sides[side].in;
    struct tcp_segment seg = {.m = m};
    bool is_waiting = l4_is_waiting(flow);
    enum stat_id what = STAT_l4_answered;
    if (!is_waiting && !is_answer_again(flow, side, m))
        return false;
    if (!tcp_parse(f->tcp, &seg, &in->remote, &in->local)) {
        rte_pktmbuf_free(m); /* and counted */
        return true;
    }
    stat_inc(f->core, STAT_l4_rx_slow);
    if (!is_waiting)
        acknowledge(flow, &seg, seg.options.ts_echo);
    else if (side == L4_CLIENT)
        what = from_client(flow, &seg);
    else
        what = from_server(f, flow, &seg);
    l4_drop(f, m, what);
    return true;
}

bool l4_splice_shift(const struct l4_flow *flow, enum l4_side_index from, struct rte_mbuf *m,
                     uint32_t l4_at)
{
    const struct l4_splice *s = &flow->splice;
    uint8_t *header = rte_pktmbuf_mtod_offset(m, uint8_t *, l4_at);
    unsigned bytes = (unsigned)(((struct tcp_wire *)(void *)header)->offset >> 4) * 4;
    if (bytes < sizeof(struct tcp_wire) || l4_at + bytes > m->data_len)
        return false;
    struct tcp_shift up = {.ack = -s->seq_delta, .ts_echo = -s->ts_delta, .window = s->window_up};
    struct tcp_shift down = {
        .seq = s->seq_delta, .ts_value = s->ts_delta, .window = s->window_down};
    tcp_header_shift(header, bytes, from == L4_CLIENT ? &up : &down);
    return true;
}

uint32_t l4_splice_seq(const struct l4_flow *flow, enum l4_side_index from, uint32_t seq)
{
    bool is_shifted = from == L4_SERVER && l4_is_spliced(flow) && !l4_is_waiting(flow);
    return is_shifted ? seq - flow->splice.seq_delta : seq;
}
