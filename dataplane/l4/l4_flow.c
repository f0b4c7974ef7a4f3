/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a flow: see l4_priv.h. */
#include "base/assert.h"
#include "base/container.h"
#include "l4/l4_priv.h"
#include "upstream/upstream.h"

static flow_entry_t entry_of(const struct l4_flow *flow, enum l4_side_index side)
{
    return flow_entry(pool_index(&flow->fwd->flows, flow), flow->generation, side == L4_SERVER);
}

const struct flow_tuple *l4_tuple_of(const void *owner, flow_entry_t e)
{
    const struct l4_fwd *f = owner;
    const struct l4_flow *flow = pool_at(&f->flows, flow_entry_index(e));
    return &flow->sides[flow_entry_mark(e)].in;
}

struct l4_flow *l4_flow_find(struct l4_fwd *f, uint8_t proto, const struct flow_tuple *tuple,
                             enum l4_side_index *ret_side)
{
    struct flow_table *t = l4_table_of(f, proto);
    flow_entry_t e = flow_table_find(t, flow_table_hash(t, tuple), tuple);
    *ret_side = flow_entry_mark(e) ? L4_SERVER : L4_CLIENT;
    return l4_flow_at(f, e);
}

static void remove_side(struct l4_flow *flow, enum l4_side_index side)
{
    struct flow_table *t = l4_table_of(flow->fwd, l4_proto_of(flow));
    flow_table_remove(t, flow_table_hash(t, &flow->sides[side].in), entry_of(flow, side));
}

static bool insert_side(struct l4_flow *flow, enum l4_side_index side)
{
    struct flow_table *t = l4_table_of(flow->fwd, l4_proto_of(flow));
    return flow_table_insert(t, flow_table_hash(t, &flow->sides[side].in), entry_of(flow, side));
}

/* Tells the access log and the route of its end, once: that is when both sides have ended it, and
 * not when it is forgotten. */
static void tell(struct l4_flow *flow, enum stat_id why)
{
    struct core *core = flow->fwd->core;
    l4_count_give(flow);
    if (flow->is_told)
        return;
    flow->is_told = true;
    route_stats_end(core, flow->route, l4_count_end_of(flow, why));
    if (obs_watches(&core->obs, OBSERVE_REQUESTS))
        l4_access_tell(flow->fwd, flow, why);
}

/* While it is OPENING it is on a list, and most count as half-open. */
static void join_opening(struct l4_flow *flow)
{
    struct l4_fwd *f = flow->fwd;
    list_push_back(&f->opening, &flow->opening);
    if (l4_counts_half_open(flow))
        tcp_half_open_count(&f->half_open, &f->tables[0], &flow->sides[L4_CLIENT].in, 1);
    f->core->stats->counters[STAT_l4_half_open_now] = f->half_open.all;
}

static void leave_opening(struct l4_flow *flow)
{
    struct l4_fwd *f = flow->fwd;
    list_remove(&flow->opening);
    if (l4_counts_half_open(flow))
        tcp_half_open_count(&f->half_open, &f->tables[0], &flow->sides[L4_CLIENT].in, -1);
    f->core->stats->counters[STAT_l4_half_open_now] = f->half_open.all;
}

void l4_flow_end(struct l4_flow *flow, enum stat_id why)
{
    struct core *core = flow->fwd->core;
    if (!flow->is_query)
        remove_side(flow, L4_CLIENT);
    if (!l4_is_carried(flow))
        remove_side(flow, L4_SERVER);
    wheel_disarm(&core->wheel, &flow->timer);
    if (l4_state_of(flow) == L4_OPENING)
        leave_opening(flow);
    tell(flow, why);
    flow->fwd->n_ended++;
    flow->lanes[L4_CLIENT].usual_max = 0;
    flow->lanes[L4_SERVER].usual_max = 0;
    census_leave(core, &flow->census);
    stat_inc(core, why);
    core->stats->counters[STAT_l4_flows_now]--;
    pool_put(&flow->fwd->flows, flow);
}

uint32_t l4_flow_kept_ms(const struct l4_flow *flow)
{
    const struct l4_config *c = &flow->fwd->config;
    const uint32_t tcp[L4_STATES] = {c->tcp_open_ms, c->tcp_idle_ms, c->tcp_half_ms,
                                     c->tcp_closed_ms};
    const uint32_t udp[L4_STATES] = {c->udp_single_ms, c->udp_idle_ms, c->udp_single_ms,
                                     c->udp_single_ms};
    enum l4_state state = l4_state_of(flow);
    bool is_udp = l4_proto_of(flow) == IPPROTO_NUM_UDP;
    uint32_t usual = is_udp ? udp[state] : tcp[state], said = flow->idle_ms;
    bool is_answered = state == L4_OPEN || (is_udp && state == L4_HALF);
    return said != 0 && (is_answered || said < usual) ? said : usual;
}

uint32_t l4_flow_silent_ms(const struct l4_flow *flow)
{
    uint32_t now_ms = flow->fwd->now_ms;
    uint32_t client_ms = now_ms - flow->lanes[L4_CLIENT].seen_ms;
    uint32_t server_ms = now_ms - flow->lanes[L4_SERVER].seen_ms;
    return client_ms < server_ms ? client_ms : server_ms;
}

void l4_flow_judge(struct l4_flow *flow, bool is_ok)
{
    const struct image_view *v = flow->fwd->view;
    if (flow->is_judged)
        return;
    flow->is_judged = l4_proto_of(flow) == IPPROTO_NUM_TCP;
    uint32_t health = v == NULL ? IMAGE_NONE : image_health_find(v, flow->group);
    if (health == IMAGE_NONE)
        return;
    struct upstream_ask ask = {.group = flow->group, .health = &v->health[health]};
    const struct flow_tuple *server = &flow->sides[L4_SERVER].in;
    struct upstream_conn_id id = {server->remote, server->remote_port};
    upstream_note(flow->fwd->upstream, &ask, &id, is_ok);
}

/* The timer comes after `ms`, or earlier where there will be something to tell. */
static void arm(struct l4_flow *flow, uint32_t ms)
{
    struct core *core = flow->fwd->core;
    uint32_t wait_ms = flow->is_lively && ms > L4_TELL_MS_MAX ? L4_TELL_MS_MAX : ms;
    wheel_arm(&core->wheel, &flow->timer, core->now_us + wait_ms * UINT64_C(1000));
}

void l4_flow_wake(struct l4_flow *flow)
{
    if (flow->is_lively)
        return;
    flow->is_lively = true;
    arm(flow, l4_flow_kept_ms(flow));
}

static void forget_hop(struct l4_flow *flow, enum l4_side_index from)
{
    flow->lanes[from].has_hop = false;
    l4_fast_set(flow, from);
}

static void forget_hops(struct l4_flow *flow)
{
    forget_hop(flow, L4_CLIENT);
    forget_hop(flow, L4_SERVER);
}

static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct l4_flow *flow = container_of(timer, struct l4_flow, timer);
    if (l4_is_waiting(flow)) {
        l4_splice_on_timer(flow);
        return;
    }
    static const enum stat_id whys[L4_STATES] = {
        [L4_OPENING] = STAT_l4_end_unanswered,
        [L4_OPEN] = STAT_l4_end_idle,
        [L4_HALF] = STAT_l4_end_idle,
        [L4_CLOSED] = STAT_l4_end_closed,
    };
    uint32_t silent = l4_flow_silent_ms(flow), kept = l4_flow_kept_ms(flow);
    flow->is_lively = l4_count_give(flow);
    if (!flow->is_lively) /* whatever comes next asks for its way, and wakes it */
        forget_hops(flow);
    if (silent < kept) {
        arm(flow, kept - silent);
        return;
    }
    bool is_unanswered = l4_state_of(flow) == L4_OPENING && flow->answer_us == 0;
    bool is_tcp = l4_proto_of(flow) == IPPROTO_NUM_TCP;
    if (is_unanswered && is_tcp && !l4_is_carried(flow))
        l4_flow_judge(flow, false);
    bool is_half_open = l4_state_of(flow) == L4_OPENING && !is_unanswered;
    l4_flow_end(flow, is_half_open ? STAT_l4_end_half_open : whys[l4_state_of(flow)]);
}

static void set_state(struct l4_flow *flow, enum l4_state state)
{
    if (l4_state_of(flow) == state)
        return;
    if (l4_state_of(flow) == L4_OPENING)
        leave_opening(flow);
    flow->sides[L4_CLIENT].state = state;
    l4_fast_set(flow, L4_CLIENT);
    l4_fast_set(flow, L4_SERVER);
    if (state == L4_CLOSED)
        tell(flow, STAT_l4_end_closed);
    arm(flow, l4_flow_kept_ms(flow));
}

/* Room for one more: the oldest that is not open yet goes, as those of a flood are. */
static struct l4_flow *get(struct l4_fwd *f)
{
    struct l4_flow *flow = pool_get(&f->flows);
    struct list_node *oldest = list_peek_front(&f->opening);
    if (flow != NULL || oldest == NULL)
        return flow;
    l4_flow_end(container_of(oldest, struct l4_flow, opening), STAT_l4_end_shed);
    return pool_get(&f->flows);
}

static void set_deltas(struct l4_flow *flow)
{
    const struct flow_tuple *client = &flow->sides[L4_CLIENT].in;
    const struct flow_tuple *server = &flow->sides[L4_SERVER].in;
    flow->lanes[L4_CLIENT].cksum_delta = l4_cksum_delta(client, server);
    flow->lanes[L4_SERVER].cksum_delta = l4_cksum_delta(server, client);
}

struct l4_flow *l4_flow_new(struct l4_fwd *f, const struct l4_ends *ends)
{
    struct l4_flow *flow = get(f);
    if (flow == NULL)
        return NULL;
    uint8_t generation = (flow->generation + 1) & FLOW_ENTRY_GENERATION_MASK;
    struct l4_lane *lanes = &f->lanes[2 * pool_index(&f->flows, flow)];
    lanes[L4_CLIENT] = (struct l4_lane){.seen_ms = f->now_ms, .proto = ends->proto};
    lanes[L4_SERVER] = lanes[L4_CLIENT];
    *flow = (struct l4_flow){
        .sides = {[L4_CLIENT] = {.in = ends->client,
                                 .flags = ends->is_spliced ? L4_F_SPLICED : 0,
                                 .state = L4_OPENING,
                                 .is_udp = ends->proto == IPPROTO_NUM_UDP,
                                 .way = ends->way},
                  [L4_SERVER] = {.in = ends->server, .flags = ends->is_spliced ? L4_F_SPLICED : 0}},
        .lanes = lanes,
        .timer = {.on_expire = on_timer},
        .fwd = f,
        .begin_us = f->core->now_us,
        .image = f->view->header->generation,
        .listener = ends->listener,
        .rule = ends->rule,
        .backend = ends->backend,
        .group = f->view->backends[ends->backend].group,
        .idle_ms = f->view->backends[ends->backend].idle_ms,
        .census = ends->census,
        .generation = generation,
        .closed = STATS_ROUTE_END_complete,
        .is_lively = true,
        .is_query = ends->is_query,
        .query_id = ends->query_id,
        .is_judged = ends->is_odd,
    };
    set_deltas(flow);
    if (!flow->is_query && !insert_side(flow, L4_CLIENT)) {
        pool_put(&f->flows, flow);
        return NULL;
    }
    if (!l4_is_carried(flow) && !insert_side(flow, L4_SERVER)) {
        if (!flow->is_query)
            remove_side(flow, L4_CLIENT);
        pool_put(&f->flows, flow);
        return NULL;
    }
    join_opening(flow);
    f->core->stats->counters[STAT_l4_flows_now]++;
    stat_inc(f->core,
             l4_proto_of(flow) == IPPROTO_NUM_UDP ? STAT_l4_opened_udp : STAT_l4_opened_tcp);
    flow->route = route_stats_begin(f->core, f->view, ends->rule);
    arm(flow, l4_flow_kept_ms(flow));
    return flow;
}

bool l4_flow_retarget(struct l4_flow *flow, const struct flow_tuple *server)
{
    struct flow_tuple before = flow->sides[L4_SERVER].in;
    ASSERT(l4_state_of(flow) == L4_OPENING);
    remove_side(flow, L4_SERVER);
    flow->sides[L4_SERVER].in = *server;
    if (!insert_side(flow, L4_SERVER)) {
        flow->sides[L4_SERVER].in = before;
        bool is_back = insert_side(flow, L4_SERVER);
        ASSERT(is_back); /* where it was a moment ago */
        return false;
    }
    flow->sides[L4_SERVER].flags &= L4_F_SPLICED;
    forget_hop(flow, L4_CLIENT); /* it leads elsewhere */
    set_deltas(flow);
    return true;
}

/* What a packet of UDP means. */
static void note_udp(struct l4_flow *flow, enum l4_side_index side)
{
    if (l4_is_carried(flow)) {
        set_state(flow, flow->syns++ == 0 ? L4_OPENING : L4_OPEN);
    } else if (l4_state_of(flow) == L4_OPENING && side == L4_SERVER) {
        set_state(flow, L4_HALF);
    } else if (l4_state_of(flow) == L4_HALF && side == L4_CLIENT) {
        set_state(flow, L4_OPEN);
    }
}

/* Which state the flags of both sides, as seen so far, add up to. */
static enum l4_state state_of_ends(const struct l4_flow *flow)
{
    unsigned n = ((flow->sides[L4_CLIENT].flags & L4_F_FIN) != 0) +
                 ((flow->sides[L4_SERVER].flags & L4_F_FIN) != 0);
    return n == 0 ? L4_OPEN : n == 1 ? L4_HALF : L4_CLOSED;
}

/* Does a flow that is OPENING stay so? By NAT it is open when the client has said something to what
 * the endpoint said: who sends SYNs in others' names never does. Of one that is carried the second
 * packet has to do. */
static bool stays_opening(struct l4_flow *flow, enum l4_side_index side, uint8_t flags)
{
    bool is_syn = (flags & TCP_SYN) != 0;
    if (side == L4_SERVER)
        return (flags & TCP_RST) == 0 && !l4_is_spliced(flow);
    flow->syns += is_syn && flow->syns < UINT8_MAX;
    return is_syn || (!l4_is_carried(flow) && flow->answer_us == 0);
}

/* One side has had enough. */
static void note_reset(struct l4_flow *flow, enum l4_side_index side)
{
    bool is_refusal = l4_state_of(flow) == L4_OPENING && side == L4_SERVER;
    if (l4_state_of(flow) != L4_CLOSED)
        flow->closed = is_refusal          ? STATS_ROUTE_END_unreached
                       : side == L4_CLIENT ? STATS_ROUTE_END_client
                                           : STATS_ROUTE_END_backend;
    set_state(flow, L4_CLOSED);
}

/* What the flags of a segment mean. It counts no more, where there is a limit, when its endpoint
 * has ended it: a client who says so may mean to go on. */
static void note_tcp(struct l4_flow *flow, enum l4_side_index side, uint8_t flags)
{
    if (l4_state_of(flow) == L4_OPENING && stays_opening(flow, side, flags))
        return;
    if ((flags & TCP_RST) != 0) {
        note_reset(flow, side);
        if (side == L4_SERVER)
            census_leave(flow->fwd->core, &flow->census);
        return;
    }
    if ((flags & TCP_FIN) != 0)
        flow->sides[side].flags |= L4_F_FIN;
    set_state(flow, state_of_ends(flow));
    if (l4_state_of(flow) == L4_CLOSED)
        census_leave(flow->fwd->core, &flow->census);
}

void l4_flow_refuse(struct l4_flow *flow)
{
    if (l4_state_of(flow) != L4_OPENING) /* whoever guesses ports would find answered ones first */
        return;
    l4_flow_judge(flow, false);
    if (l4_proto_of(flow) == IPPROTO_NUM_UDP) /* what the client says next finds another endpoint */
        l4_flow_end(flow, STAT_l4_end_refused);
}

/* A new connection begins between the ends of one that is over. */
bool l4_begins_anew(const struct l4_flow *flow, enum l4_side_index side, uint8_t flags)
{
    return side == L4_CLIENT && l4_proto_of(flow) == IPPROTO_NUM_TCP &&
           l4_state_of(flow) == L4_CLOSED && (flags & TCP_FLAGS_OF_OPEN) == TCP_SYN;
}

/* Of a flow that is not open, or spliced: is it one of the first packets, which are looked at more
 * closely? Of a client's they choose the endpoint; those of a spliced flow are not passed on. */
bool l4_is_first(const struct l4_flow *flow, enum l4_side_index side, uint8_t flags)
{
    bool is_syn = (flags & TCP_SYN) != 0;
    if (flow->is_query)
        return true; /* an answer has to be the one that was asked for */
    if (l4_is_spliced(flow))
        return l4_is_waiting(flow) || is_syn;
    bool is_opening = l4_state_of(flow) == L4_OPENING && l4_proto_of(flow) == IPPROTO_NUM_TCP;
    return side == L4_CLIENT && ((is_opening && is_syn) || l4_begins_anew(flow, side, flags));
}

/* How long the endpoint took for its first word; 0 is for none. */
static uint32_t answer_us(const struct l4_flow *flow)
{
    uint64_t us = flow->fwd->core->now_us - flow->begin_us;
    return us == 0 ? 1 : us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

void l4_flow_note(struct l4_fwd *f, struct l4_flow *flow, enum l4_side_index side,
                  uint8_t tcp_flags)
{
    flow->lanes[side].seen_ms = f->now_ms;
    if (l4_state_of(flow) == L4_OPENING && side == L4_SERVER && flow->answer_us == 0) {
        flow->answer_us = answer_us(flow);
        l4_flow_judge(flow, (tcp_flags & TCP_RST) == 0);
    }
    if (l4_proto_of(flow) == IPPROTO_NUM_UDP) {
        if (l4_state_of(flow) != L4_OPEN)
            note_udp(flow, side);
    } else if (l4_state_of(flow) != L4_OPEN || (tcp_flags & (TCP_FIN | TCP_RST)) != 0) {
        note_tcp(flow, side, tcp_flags);
    }
}
