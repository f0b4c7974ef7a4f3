/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows as records, a few a round, for whoever looks from outside: the worker itself tells, so what
 * is told of one flow is of one moment. Bounded by looks (each a cache miss) and by records.
 *
 * Owner, thread: the worker. Beside the path.
 */
#include "abi/flow.h"
#include "base/assert.h"
#include "obs/dump.h"
#include "tcp/tcp_priv.h"

#include <stdio.h>

uint8_t tcp_flow_state(const struct tcp_conn *c)
{
    static_assert(TCP_SYN_SENT - TCP_CLOSED == FLOW_SYN_SENT - FLOW_CLOSED &&
                      TCP_LAST_ACK - TCP_CLOSED == FLOW_LAST_ACK - FLOW_CLOSED,
                  "both lists have one order");
    return c->state < TCP_CLOSED ? FLOW_CLOSED : (uint8_t)(c->state - TCP_CLOSED + FLOW_CLOSED);
}

uint32_t tcp_flow_flags(const struct tcp_conn *c)
{
    uint32_t flags = 0;
#define X(name, help) flags |= (c->flags & TCP_F_##name) != 0 ? 1u << FLOW_FLAG_##name : 0;
    FLOW_FLAG_LIST(X)
#undef X
    return flags;
}

uint8_t tcp_flow_timer(const struct tcp_conn *c)
{
    static const uint8_t timers[] = {
        [TCP_RETRANSMIT_NONE] = FLOW_TIMER_none,
        [TCP_RETRANSMIT_SYN] = FLOW_TIMER_syn,
        [TCP_RETRANSMIT_REORDER] = FLOW_TIMER_reorder,
        [TCP_RETRANSMIT_TLP] = FLOW_TIMER_tlp,
        [TCP_RETRANSMIT_RTO] = FLOW_TIMER_rto,
        [TCP_RETRANSMIT_PERSIST] = FLOW_TIMER_persist,
    };
    ASSERT_HOT(c->retransmit_kind < array_len(timers));
    return c->deadline_us[TCP_DEADLINE_RETRANSMIT] == 0 ? FLOW_TIMER_none
                                                        : timers[c->retransmit_kind];
}

static uint8_t owner_of(const struct tcp_conn *c)
{
    if (c->flags & TCP_F_OWNED)
        return c->flags & TCP_F_ACTIVE ? FLOW_OWNER_backend : FLOW_OWNER_listener;
    bool is_coming = c->state == TCP_SYN_RCVD || (c->events & TCP_EVENT_ACCEPT) != 0;
    return is_coming ? FLOW_OWNER_opening : FLOW_OWNER_none;
}

/* How long until `at_us`, for a field in which 0 means off. */
static int32_t due_us(const struct tcp *t, uint64_t at_us)
{
    int64_t left = (int64_t)(at_us - t->core->now_us);
    if (at_us == 0)
        return 0;
    if (left == 0)
        return -1;
    return left > INT32_MAX ? INT32_MAX : left < INT32_MIN ? INT32_MIN : (int32_t)left;
}

static void put_timers(const struct tcp_conn *c, struct observe_flow *f)
{
    const struct tcp *t = c->tcp;
    const struct tcp_rare *rare = tcp_rare_of(c);
    f->age_ms = tcp_now_ms(t) - c->created_ms;
    f->idle_ms = tcp_now_ms(t) - c->last_rx_ms;
    f->timer = tcp_flow_timer(c);
    f->timer_due_us = due_us(t, c->deadline_us[TCP_DEADLINE_RETRANSMIT]);
    f->delack_due_us = due_us(t, c->deadline_us[TCP_DEADLINE_DELACK]);
    f->wait_due_us = due_us(t, c->deadline_us[TCP_DEADLINE_WAIT]);
    f->keepalive_ms = rare->keepalive_ms;
    f->user_timeout_ms = rare->user_timeout_ms;
    f->retransmits = c->retransmits;
    f->timeouts = c->timeouts;
    f->backoff = c->backoff;
    f->probes = c->probes;
}

static void put_path(const struct tcp_conn *c, struct observe_flow *f)
{
    f->snd_wnd_bytes = c->snd_wnd;
    f->snd_wnd_bytes_max = c->snd_wnd_max;
    f->rcv_wnd_bytes = (uint32_t)seq_diff(c->rcv_adv, c->rcv_nxt);
    f->snd_wscale = c->snd_wscale;
    f->rcv_wscale = c->rcv_wscale;
    f->mss_bytes = c->mss;
    f->peer_mss_bytes = c->peer_mss;
    f->path_mtu_bytes = c->path_mtu;
    f->srtt_us = c->rtt.srtt_us;
    f->rttvar_us = c->rtt.rttvar_us;
    f->min_rtt_us = c->rtt.min_us;
    f->rto_us = c->rtt.rto_us;
}

/* While nothing is in flight there is no sender: then what the next one begins with. */
static void put_loss(const struct tcp_conn *c, struct observe_flow *f)
{
    const struct tcp_sender *x = c->tx;
    f->cwnd_bytes = x != NULL ? x->cc.cwnd_bytes : c->kept_cwnd_bytes;
    f->ssthresh_bytes = x != NULL ? x->cc.ssthresh_bytes : c->kept_ssthresh_bytes;
    const char *name = tcp_congestion_ops(tcp_congestion_of(c))->name;
    snprintf(f->congestion_control, sizeof(f->congestion_control), "%s", name);
    if (x == NULL)
        return;
    f->flight_bytes = x->board.in_flight_bytes;
    f->lost_bytes = x->board.lost_bytes;
    f->sacked_bytes = x->board.sacked_bytes;
    f->dupacks = x->dupacks;
    struct tcp_cc_told told = x->cc.ops->tell(&x->cc);
    snprintf(f->congestion_phase, sizeof(f->congestion_phase), "%s", told.phase);
    f->bandwidth_bytes_per_s = told.bandwidth_bytes_per_s;
    f->pacing_bytes_per_s = told.pacing_bytes_per_s;
    f->bbr_min_rtt_us = told.min_rtt_us;
}

static void put_queues(const struct tcp_conn *c, struct observe_flow *f)
{
    uint32_t mbuf_bytes = c->tcp->mbuf_bytes;
    int32_t unsent = seq_diff(c->snd_end, c->snd_nxt); /* behind a FIN: -1 */
    f->unsent_bytes = unsent > 0 ? (uint32_t)unsent : 0;
    f->sndq_bytes = c->sndq.bytes;
    f->sndq_mbufs = c->sndq.mbufs;
    f->sndq_true_bytes = c->sndq.mbufs * mbuf_bytes;
    f->rcvq_bytes = c->rcvq.bytes;
    f->rcvq_mbufs = c->rcvq.mbufs;
    f->rcvq_true_bytes = c->rcvq.mbufs * mbuf_bytes;
    f->oooq_bytes = c->oooq.bytes;
    f->oooq_mbufs = c->oooq.mbufs;
    f->oooq_true_bytes = c->oooq.mbufs * mbuf_bytes;
}

static void put_tuple(const struct flow_tuple *tuple, struct observe_flow *f)
{
    f->local = tuple->local;
    f->remote = tuple->remote;
    f->local_port = tuple->local_port;
    f->remote_port = tuple->remote_port;
}

static void put_conn(const struct tcp_conn *c, struct observe_flow *f)
{
    put_tuple(&c->tuple, f);
    f->state = tcp_flow_state(c);
    f->flags = tcp_flow_flags(c);
    f->owner = owner_of(c);
    if (f->owner == FLOW_OWNER_opening)
        f->owner_id = (uintptr_t)c->stream.owner;
    put_timers(c, f);
    put_path(c, f);
    put_loss(c, f);
    put_queues(c, f);
}

static void put_timewait(const struct tcp *t, const struct tcp_timewait *w, struct observe_flow *f)
{
    put_tuple(&w->tuple, f);
    f->state = FLOW_TIME_WAIT;
    f->rcv_wnd_bytes = w->window;
    f->flags = w->has_timestamps ? 1u << FLOW_FLAG_TIMESTAMPS : 0;
    int32_t left_ms = (int32_t)(w->expires_ms - tcp_now_ms(t));
    f->wait_due_us = left_ms > 0 ? left_ms * 1000 : -1;
}

/* A place of the pool, or of the ring behind it; both NULL: nothing lies there. */
struct place {
    const struct tcp_conn *c;
    const struct tcp_timewait *w;
};

static struct place place_at(const struct tcp *t, uint64_t index)
{
    if (index < t->conns.capacity) {
        const struct tcp_conn *c = pool_at(&t->conns, (uint32_t)index);
        return (struct place){.c = c->state != TCP_FREE ? c : NULL};
    }
    const struct tcp_timewait *w = &t->timewaits.ring[index - t->conns.capacity];
    return (struct place){.w = w->is_live ? w : NULL};
}

static bool is_meant(const struct control_observe *request, const struct place *p)
{
    const struct flow_tuple *tuple = p->c != NULL ? &p->c->tuple : &p->w->tuple;
    unsigned state = p->c != NULL ? tcp_flow_state(p->c) : FLOW_TIME_WAIT;
    return (request->states == 0 || (request->states >> state & 1) != 0) &&
           obs_request_has(request, &tuple->local, tuple->local_port, &tuple->remote,
                           tuple->remote_port);
}

/* False: there is no room now. */
static bool tell(struct tcp *t, struct obs_lane *lane, const struct place *p)
{
    struct obs *obs = &t->core->obs;
    struct observe_flow *f = obs_take(obs, lane, OBSERVE_RECORD_FLOW, sizeof(*f), t->core->now_us);
    if (f == NULL)
        return false;
    *f = (struct observe_flow){.head = f->head};
    if (p->c != NULL)
        put_conn(p->c, f);
    else
        put_timewait(t, p->w, f);
    obs_put(obs, lane, f);
    return true;
}

static enum obs_look look_at(void *owner, struct obs_lane *lane, uint64_t index)
{
    struct tcp *t = owner;
    struct place p = place_at(t, index);
    if (p.c == NULL && p.w == NULL)
        return OBS_LOOK_EMPTY;
    if (!is_meant(&lane->request, &p))
        return OBS_LOOK_PASSED;
    return tell(t, lane, &p) ? OBS_LOOK_TOLD : OBS_LOOK_FULL;
}

uint64_t tcp_flow_places(const struct tcp *t)
{
    return (uint64_t)t->conns.capacity + t->timewaits.capacity;
}

unsigned tcp_tell_flows(struct tcp *t, bool is_last)
{
    struct obs_places places = {
        .n = tcp_flow_places(t), .is_last = is_last, .look = look_at, .owner = t};
    return obs_dump(&t->core->obs, OBSERVE_FLOWS, &places);
}
