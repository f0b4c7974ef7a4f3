/* SPDX-License-Identifier: Apache-2.0 */
/* See tcp/trace.h. */
#include "tcp/trace.h"

#include "base/assert.h"
#include "base/be.h"
#include "tcp/wire.h"

#include <rte_mbuf.h>
#include <string.h>

/* What is compared of a connection, in an order that groups[] uses. */
enum look_value {
    LOOK_CWND,
    LOOK_SSTHRESH,
    LOOK_LOST,
    LOOK_SACKED,
    LOOK_FLIGHT,
    LOOK_SRTT,
    LOOK_MIN_RTT,
    LOOK_RTO,
    LOOK_BACKOFF,
    LOOK_SND_WND,
    LOOK_RCV_WND,
    LOOK_MSS,
    LOOK_PATH_MTU,
    LOOK_TIMER,
    LOOK_TIMER_DUE,
    LOOK_VALUES,
};

/* A connection at one moment. */
struct look {
    uint32_t state;
    uint32_t flags;
    uint32_t values[LOOK_VALUES];
};

/* The step under way. One at a time: no step begins within another. */
struct tcp_trace {
    bool is_on;
    struct flow_tuple tuple;
    struct tcp_conn *conn; /* NULL: there was none */
    struct look before;
    uint64_t counters[STAT_COUNT];
};

/* What is told together, and when: if one of the first `n_compared` has changed. */
static const struct group {
    enum trace_point point;
    enum look_value first;
    uint8_t n;
    uint8_t n_compared;
} groups[] = {
    {TRACE_cwnd, LOOK_CWND, 2, 2}, {TRACE_flight, LOOK_LOST, 3, 2},
    {TRACE_rtt, LOOK_SRTT, 4, 4},  {TRACE_window, LOOK_SND_WND, 2, 1},
    {TRACE_path, LOOK_MSS, 2, 2},  {TRACE_armed, LOOK_TIMER, 2, 1},
};

void tcp_trace_new(struct tcp *t)
{
    t->trace = core_memory(t->core, sizeof(*t->trace), "tcp trace");
}

/* One record to one observer. */
static void tell_lane(struct tcp *t, struct obs_lane *lane, const struct flow_tuple *tuple,
                      enum trace_point point, const uint32_t *values, unsigned n)
{
    struct obs *obs = &t->core->obs;
    struct observe_point *p =
        obs_take(obs, lane, OBSERVE_RECORD_POINT, (uint32_t)(sizeof(*p) + n * sizeof(*values)),
                 t->core->now_us);
    if (p == NULL) {
        obs_lose(lane);
        return;
    }
    p->local = tuple->local;
    p->remote = tuple->remote;
    p->local_port = tuple->local_port;
    p->remote_port = tuple->remote_port;
    p->point = (uint16_t)point;
    p->n_values = (uint16_t)n;
    memcpy(p->values, values, n * sizeof(*values));
    obs_put(obs, lane, p);
}

static bool is_meant(const struct obs_lane *lane, const struct flow_tuple *tuple)
{
    return obs_request_has(&lane->request, &tuple->local, tuple->local_port, &tuple->remote,
                           tuple->remote_port);
}

/* To every observer who means the flow. */
static void tell(struct tcp *t, const struct flow_tuple *tuple, enum trace_point point,
                 const uint32_t *values, unsigned n)
{
    struct obs_lane *lane = NULL;
    ASSERT_HOT(n <= OBSERVE_VALUES_MAX);
    while ((lane = obs_lane_next(&t->core->obs, OBSERVE_TRACE, lane)) != NULL) {
        if (is_meant(lane, tuple))
            tell_lane(t, lane, tuple, point, values, n);
    }
}

static void look_at(const struct tcp_conn *c, struct look *ret)
{
    const struct tcp_sender *x = c->tx;
    uint64_t due_us = c->deadline_us[TCP_DEADLINE_RETRANSMIT];
    uint64_t now_us = c->tcp->core->now_us;
    *ret = (struct look){
        .state = tcp_flow_state(c),
        .flags = tcp_flow_flags(c),
        .values = {[LOOK_CWND] = x != NULL ? x->cc.cwnd_bytes : c->kept_cwnd_bytes,
                   [LOOK_SSTHRESH] = x != NULL ? x->cc.ssthresh_bytes : c->kept_ssthresh_bytes,
                   [LOOK_LOST] = x != NULL ? x->board.lost_bytes : 0,
                   [LOOK_SACKED] = x != NULL ? x->board.sacked_bytes : 0,
                   [LOOK_FLIGHT] = x != NULL ? x->board.in_flight_bytes : 0,
                   [LOOK_SRTT] = c->rtt.srtt_us,
                   [LOOK_MIN_RTT] = c->rtt.min_us,
                   [LOOK_RTO] = c->rtt.rto_us,
                   [LOOK_BACKOFF] = c->backoff,
                   [LOOK_SND_WND] = c->snd_wnd,
                   [LOOK_RCV_WND] = (uint32_t)seq_diff(c->rcv_adv, c->rcv_nxt),
                   [LOOK_MSS] = c->mss,
                   [LOOK_PATH_MTU] = c->path_mtu,
                   [LOOK_TIMER] = tcp_flow_timer(c),
                   [LOOK_TIMER_DUE] = due_us > now_us ? (uint32_t)(due_us - now_us) : 0}};
}

static struct tcp_conn *find_conn(const struct tcp *t, const struct flow_tuple *tuple)
{
    flow_entry_t e = flow_table_find(&t->table, flow_table_hash(&t->table, tuple), tuple);
    return e.v == FLOW_ENTRY_NONE.v || flow_entry_mark(e) ? NULL : tcp_conn_at(t, e);
}

/* A step of this flow begins, if anybody means it. */
static bool begin(struct tcp *t, const struct flow_tuple *tuple, struct tcp_conn *c)
{
    struct tcp_trace *trace = t->trace;
    struct obs_lane *lane = NULL;
    ASSERT(!trace->is_on);
    while ((lane = obs_lane_next(&t->core->obs, OBSERVE_TRACE, lane)) != NULL) {
        if (!is_meant(lane, tuple))
            continue;
        lane->looked++;
        trace->is_on = true;
    }
    if (!trace->is_on)
        return false;
    trace->tuple = *tuple;
    trace->conn = c;
    trace->before = (struct look){.state = FLOW_CLOSED};
    if (c != NULL)
        look_at(c, &trace->before);
    memcpy(trace->counters, t->core->stats->counters, sizeof(trace->counters));
    return true;
}

/* The size of each segment in `m`, but the last may be shorter: what the device cuts, or what was
 * merged. `bytes`: payload of all. */
static uint32_t segment_size(const struct rte_mbuf *m, uint32_t bytes)
{
    bool is_row = (m->ol_flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_RX_LRO)) != 0;
    return is_row && m->tso_segsz > 0 && m->tso_segsz < bytes ? m->tso_segsz : bytes;
}

/* The numbers of a segment; what is not there is 0. Returns how many. */
static unsigned read_segment(const struct rte_mbuf *m, uint32_t *ret)
{
    const struct tcp_wire *h = rte_pktmbuf_mtod(m, const struct tcp_wire *);
    struct tcp_options o = {0};
    unsigned header_bytes = (unsigned)(h->offset >> 4) * 4;
    if (header_bytes >= sizeof(*h) && header_bytes <= m->data_len)
        tcp_options_parse((const uint8_t *)(h + 1), header_bytes - (unsigned)sizeof(*h), &o);
    uint32_t bytes = header_bytes <= m->pkt_len ? m->pkt_len - header_bytes : 0;
    uint32_t size = segment_size(m, bytes);
    unsigned n = 0;
    ret[n++] = h->flags;
    ret[n++] = be32_host(h->seq);
    ret[n++] = be32_host(h->ack);
    ret[n++] = bytes;
    ret[n++] = bytes > size ? (bytes + size - 1) / size : 1;
    ret[n++] = size;
    ret[n++] = be16_host(h->window);
    ret[n++] = o.has_timestamps ? o.ts_value : 0;
    ret[n++] = o.has_timestamps ? o.ts_echo : 0;
    for (unsigned i = 0; i < o.n_sack; i++) {
        ret[n++] = o.sack[i].start.v;
        ret[n++] = o.sack[i].end.v;
    }
    return n;
}

static void tell_segment(struct tcp *t, const struct flow_tuple *tuple, enum trace_point point,
                         const struct rte_mbuf *m)
{
    uint32_t values[OBSERVE_VALUES_MAX];
    tell(t, tuple, point, values, read_segment(m, values));
}

void tcp_trace_rx(struct tcp *t, const struct rte_mbuf *m, const struct ip_addr *src,
                  const struct ip_addr *dst)
{
    const struct tcp_wire *h = rte_pktmbuf_mtod(m, const struct tcp_wire *);
    if (m->data_len < sizeof(*h))
        return; /* whose it is cannot be told */
    struct flow_tuple tuple = {*dst, *src, be16_host(h->dst_port), be16_host(h->src_port)};
    if (begin(t, &tuple, find_conn(t, &tuple)))
        tell_segment(t, &tuple, TRACE_rx, m);
}

void tcp_trace_step(struct tcp_conn *c, enum trace_point point, uint32_t value)
{
    if (begin(c->tcp, &c->tuple, c) && point != TRACE_POINTS)
        tell(c->tcp, &c->tuple, point, &value, 1);
}

void tcp_trace_timer(struct tcp_conn *c, uint64_t now_us)
{
    const uint64_t *deadlines = c->deadline_us;
    uint32_t timer = FLOW_TIMER_none; /* a deadline that was taken back */
    if (deadlines[TCP_DEADLINE_WAIT] != 0 && deadlines[TCP_DEADLINE_WAIT] <= now_us)
        timer = FLOW_TIMER_wait;
    if (deadlines[TCP_DEADLINE_DELACK] != 0 && deadlines[TCP_DEADLINE_DELACK] <= now_us)
        timer = FLOW_TIMER_delack;
    if (deadlines[TCP_DEADLINE_RETRANSMIT] != 0 && deadlines[TCP_DEADLINE_RETRANSMIT] <= now_us)
        timer = tcp_flow_timer(c);
    tcp_trace_step(c, TRACE_timer, timer);
}

void tcp_trace_icmp(struct tcp *t, const struct flow_tuple *tuple, uint32_t mtu, uint32_t seq)
{
    uint32_t values[] = {mtu, seq};
    if (begin(t, tuple, find_conn(t, tuple)))
        tell(t, tuple, TRACE_icmp, values, array_len(values));
}

void tcp_trace_tx(struct tcp *t, const struct flow_tuple *tuple, const struct rte_mbuf *m)
{
    tell_segment(t, tuple, TRACE_tx, m);
}

/* Does the counter tell of the flow, and not of gauges or of the worker's cost? */
static bool is_telling(unsigned id)
{
    const char *name = stat_name((enum stat_id)id);
    size_t len = strlen(name);
    bool is_gauge = len > 4 && strcmp(name + len - 4, "_now") == 0;
    bool is_core = strncmp(name, "core_", 5) == 0;
    return !is_gauge && (!is_core || strstr(name, "_drop_") != NULL);
}

static void tell_counters(struct tcp *t, const struct tcp_trace *trace)
{
    uint32_t values[OBSERVE_VALUES_MAX];
    unsigned n = 0;
    for (unsigned id = 0; id < STAT_COUNT && n + 2 <= OBSERVE_VALUES_MAX; id++) {
        uint64_t added = t->core->stats->counters[id] - trace->counters[id];
        if (added == 0 || !is_telling(id))
            continue;
        values[n++] = id;
        values[n++] = (uint32_t)added;
    }
    if (n > 0)
        tell(t, &trace->tuple, TRACE_counted, values, n);
}

static void tell_changes(struct tcp *t, const struct tcp_trace *trace, const struct look *now)
{
    const struct look *was = &trace->before;
    uint32_t states[] = {was->state, now->state};
    uint32_t flags[] = {now->flags & ~was->flags, was->flags & ~now->flags};
    if (states[0] != states[1])
        tell(t, &trace->tuple, TRACE_state, states, 2);
    if (was->flags != now->flags)
        tell(t, &trace->tuple, TRACE_flags, flags, 2);
    for (unsigned i = 0; i < array_len(groups); i++) {
        const struct group *g = &groups[i];
        if (memcmp(&was->values[g->first], &now->values[g->first],
                   g->n_compared * sizeof(was->values[0])) != 0)
            tell(t, &trace->tuple, g->point, &now->values[g->first], g->n);
    }
}

void tcp_trace_end(struct tcp *t)
{
    struct tcp_trace *trace = t->trace;
    struct look now;
    if (!trace->is_on)
        return;
    trace->is_on = false;
    tell_counters(t, trace);
    struct tcp_conn *c = trace->conn != NULL ? trace->conn : find_conn(t, &trace->tuple);
    if (c == NULL)
        return;
    look_at(c, &now); /* it lies in the pool, whatever has become of it */
    tell_changes(t, trace, &now);
}
