/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passive opens. A SYN makes a half-open connection while there are few; from a number on, of the
 * worker or of one listener, it is answered by a cookie and forgotten (RFC 4987, section 3.6), and
 * the connection is made by the acknowledgement that gives the cookie back. So a flood of SYNs from
 * false addresses costs a worker two hashes and a segment each, and honest peers get in all along.
 *
 * Station on the path: after in.c found no connection. Owner: the worker.
 */
#include "base/assert.h"
#include "base/minmax.h"
#include "net/net.h"
#include "tcp/tcp_priv.h"

void tcp_count_half_open(struct tcp *t, const struct flow_tuple *tuple, int change)
{
    tcp_half_open_count(&t->half_open, &t->table, tuple, change);
    t->core->stats->counters[STAT_tcp_half_open_now] = t->half_open.all;
}

static bool wants_cookie(struct tcp *t, const struct flow_tuple *tuple)
{
    struct tcp_half_open_limits limits = {.max = t->config.half_open_max,
                                          .listener_max = t->config.half_open_listener_max,
                                          .used = t->passives,
                                          .most = t->config.passive_max};
    return tcp_half_open_is_crowded(&t->half_open, &t->table, tuple, &limits);
}

enum stat_id tcp_refuses_peer(struct tcp *t, const struct ip_addr *peer, struct net_path *ret_path)
{
    if (tcp_refuses_for_memory(t, false))
        return STAT_tcp_drop_mbufs_low;
    return net_path_find(t->net, peer, ret_path) ? STAT_COUNT : STAT_tcp_drop_no_route;
}

/* What a connection that begins in need may send at first. */
static uint16_t small_window(const struct tcp *t)
{
    return (uint16_t)min32(t->config.rx_window_bytes, TCP_WINDOW_SMALL_BYTES);
}

/* The clock of the timestamps that a connection of the tuple sends. */
static uint32_t ts_now(const struct tcp *t, const struct flow_tuple *tuple)
{
    return tcp_now_ms(t) + tcp_ts_offset(tcp_flow_secret(&t->core->hash_key, tuple));
}

void tcp_cookie_send(struct tcp *t, const struct tcp_segment *seg,
                     const struct tcp_cookie_offer *offer)
{
    struct core *core = t->core;
    struct tcp_cookie_terms terms =
        tcp_cookie_terms(&seg->options, ip_addr_is_v4(&seg->tuple.remote));
    terms.has_ecn = terms.has_timestamps && offer->has_ecn &&
                    (seg->flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR);
    seq_t number = tcp_cookie_make(&t->cookies, &seg->tuple, seg->seq, &terms, core->now_us);
    struct tcp_options o = {
        .has_mss = true,
        .mss = offer->mss,
        .has_sack_permitted = terms.has_sack,
        .has_wscale = terms.wscale != TCP_COOKIE_NO_WSCALE,
        .wscale = offer->wscale,
        .has_timestamps = terms.has_timestamps,
    };
    if (terms.has_timestamps) {
        o.ts_value = tcp_cookie_timestamp(&terms, ts_now(t, &seg->tuple));
        o.ts_echo = seg->options.ts_value;
    }
    t->cookies_until_us = core->now_us + TCP_COOKIE_LIFE_US;
    stat_inc(core, STAT_tcp_rx_syn_cookie);
    tcp_bare_send(t, &seg->tuple, number, seq_add(seg->seq, 1),
                  (uint8_t)(TCP_SYN | TCP_ACK | (terms.has_ecn ? TCP_ECE : 0)), offer->window, &o);
}

/* In our own name. */
static void send_cookie(struct tcp *t, const struct tcp_segment *seg, uint16_t mtu)
{
    bool is_v4 = ip_addr_is_v4(&seg->tuple.remote);
    tcp_cookie_send(t, seg,
                    &(struct tcp_cookie_offer){
                        .mss = tcp_mss_of_mtu(tcp_usable_mtu(t, mtu), is_v4),
                        .window = small_window(t),
                        .wscale = tcp_scale_for(t->config.rx_window_bytes),
                        .has_ecn = t->config.has_ecn,
                    });
}

/* A connection of the pool for a passive open; NULL: counted why not. */
static struct tcp_conn *new_conn(struct tcp *t, const struct flow_tuple *tuple,
                                 const struct tcp_listening *listening, uint16_t mtu)
{
    bool is_table_full = false;
    struct tcp_conn *c = NULL;
    if (t->passives < t->config.passive_max)
        c = tcp_conn_new(t, tuple, &is_table_full);
    if (c == NULL) {
        if (!is_table_full)
            tcp_shed_slots(t); /* the next one finds room */
        stat_inc(t->core, is_table_full ? STAT_tcp_drop_table_full : STAT_tcp_drop_conn_limit);
        return NULL;
    }
    c->stream.owner = (void *)(uintptr_t)listening->bind; /* until it has one */
    tcp_set_congestion(c, listening->congestion);
    tcp_plpmtud_init(c, mtu);
    t->passives++;
    return c;
}

/* How a SYN is answered. */
enum syn_answer { SYN_DROPPED, SYN_COOKIE, SYN_HALF_OPEN };

/* Decides; what is dropped is counted. `may_cookie`: the number is ours to choose. */
static enum syn_answer judge_syn(struct tcp *t, const struct tcp_segment *seg, bool may_cookie,
                                 struct net_path *ret_path)
{
    uint32_t most = t->config.half_open_max;
    enum stat_id refusal = tcp_refuses_peer(t, &seg->tuple.remote, ret_path);
    if (refusal == STAT_COUNT && t->passives >= t->config.passive_max && !tcp_shed_slots(t))
        refusal = STAT_tcp_drop_conn_limit; /* a cookie would promise what nobody can keep */
    bool is_crowded = refusal == STAT_COUNT && wants_cookie(t, &seg->tuple);
    if (is_crowded && may_cookie)
        return SYN_COOKIE;
    if (is_crowded && t->half_open.all >= most + most / TCP_HALF_OPEN_REUSE_SHARE)
        refusal = STAT_tcp_drop_half_open_limit;
    if (refusal == STAT_COUNT)
        return SYN_HALF_OPEN;
    stat_inc(t->core, refusal);
    return SYN_DROPPED;
}

void tcp_passive_open(struct tcp *t, const struct tcp_segment *seg,
                      const struct tcp_listening *listening, const seq_t *iss_after)
{
    struct net_path path;
    enum syn_answer answer = judge_syn(t, seg, iss_after == NULL, &path);
    if (answer == SYN_COOKIE)
        send_cookie(t, seg, path.mtu);
    struct tcp_conn *c = NULL;
    if (answer == SYN_HALF_OPEN)
        c = new_conn(t, &seg->tuple, listening, path.mtu);
    if (c == NULL)
        return;
    tcp_conn_set_state(c, TCP_SYN_RCVD);
    tcp_take_syn(c, seg);
    if (tcp_mbufs_are_short(t, t->config.mbufs_low)) {
        stat_inc(t->core, STAT_tcp_window_small);
        c->rcv_adv = seq_add(c->rcv_nxt, small_window(t));
    }
    seq_t iss = tcp_iss(&t->core->hash_key, &c->tuple, t->core->now_us);
    if (iss_after != NULL && seq_lt(iss, *iss_after))
        iss = *iss_after;
    tcp_begin_sending(c, iss);
    stat_inc(t->core, STAT_tcp_rx_syn);
}

bool tcp_expects_cookies(const struct tcp *t)
{
    return t->core->now_us < t->cookies_until_us;
}

/* The SYN as it must have been. */
static struct tcp_segment syn_of(const struct tcp_segment *seg,
                                 const struct tcp_cookie_terms *terms)
{
    struct tcp_segment syn = {
        .tuple = seg->tuple,
        .seq = seq_add(seg->seq, UINT32_MAX),
        .flags = terms->has_ecn ? TCP_SYN | TCP_ECE | TCP_CWR : TCP_SYN,
        .options = {.has_mss = true,
                    .mss = terms->mss,
                    .has_wscale = terms->wscale != TCP_COOKIE_NO_WSCALE,
                    .has_sack_permitted = terms->has_sack,
                    .has_timestamps = terms->has_timestamps,
                    .ts_value = seg->options.ts_value},
    };
    if (syn.options.has_wscale)
        syn.options.wscale = terms->wscale;
    return syn;
}

/* Is the segment the acknowledgement of a cookie of ours, and on which terms? */
static bool read_cookie(struct tcp *t, const struct tcp_segment *seg, struct tcp_cookie_terms *ret)
{
    const uint32_t *echo = seg->options.has_timestamps ? &seg->options.ts_echo : NULL;
    seq_t peer_iss = seq_add(seg->seq, UINT32_MAX);
    seq_t number = seq_add(seg->ack, UINT32_MAX);
    switch (
        tcp_cookie_read(&t->cookies, &seg->tuple, peer_iss, number, echo, t->core->now_us, ret)) {
    case TCP_COOKIE_GOOD:
        return true;
    case TCP_COOKIE_EXPIRED:
        stat_inc(t->core, STAT_tcp_cookie_expired);
        return false;
    case TCP_COOKIE_INVALID:
        break;
    }
    stat_inc(t->core, STAT_tcp_cookie_invalid);
    return false;
}

/* Does the segment echo a timestamp that a cookie may have carried? */
static bool echoes_cookie(const struct tcp *t, const struct tcp_segment *seg)
{
    return ts_now(t, &seg->tuple) - seg->options.ts_echo <= TCP_COOKIE_LIFE_US / 1000;
}

bool tcp_may_be_ahead_of_cookie(const struct tcp *t, const struct tcp_segment *seg)
{
    bool is_bare = seg->len == 0 && (seg->flags & TCP_FIN) == 0;
    return !is_bare && (!seg->options.has_timestamps || echoes_cookie(t, seg));
}

bool tcp_accept_cookie(struct tcp *t, const struct tcp_segment *seg,
                       const struct tcp_listening *listening, struct tcp_conn **ret)
{
    ASSERT_HOT((seg->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_ACK);
    struct tcp_cookie_terms terms;
    if (!read_cookie(t, seg, &terms))
        return false;
    *ret = NULL;
    struct net_path path;
    enum stat_id refusal = tcp_refuses_peer(t, &seg->tuple.remote, &path);
    if (refusal != STAT_COUNT) {
        stat_inc(t->core, refusal);
        return true;
    }
    struct tcp_conn *c = new_conn(t, &seg->tuple, listening, path.mtu);
    if (c == NULL)
        return true; /* the peer sends again, and then finds room or not */
    struct tcp_segment syn = syn_of(seg, &terms);
    stat_inc(t->core, STAT_tcp_cookie_accepted);
    tcp_conn_set_state(c, TCP_SYN_RCVD);
    tcp_take_syn(c, &syn);
    c->rcv_adv = seq_add(c->rcv_nxt, small_window(t)); /* as the cookie told */
    tcp_begin_sending(c, seq_add(seg->ack, UINT32_MAX));
    c->snd_nxt = seg->ack; /* our SYN was the cookie */
    tcp_establish(c, seg);
    ASSERT(c->state == TCP_ESTABLISHED);
    *ret = c;
    return true;
}
