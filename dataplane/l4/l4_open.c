/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first packet of a flow: may it begin, which rule and backend, which endpoint, and which
 * address and port of ours it leaves by.
 *
 * The hash that decides is of the client's address and port and of the VIP's, or of the client's
 * address alone where a policy says so, and has no secret: workers and boxes come to the same
 * endpoint. Its upper half chooses the backend by weight, the whole the endpoint by Maglev.
 *
 * The port is one whose answers come to this worker (core/spread_aim.h), as for tcp's connections;
 * neither may take what the other has. A port whose flow is over may be used again at once when
 * others are not to be had: for TCP its endpoint may then still be in TIME_WAIT (RFC 6191).
 */
#include "base/assert.h"
#include "base/siphash.h"
#include "core/spread_aim.h"
#include "l4/l4_priv.h"
#include "route/filter.h"
#include "tcp/tcp.h"
#include "upstream/upstream.h"

/* May one more begin? Returns the counter against it, or STAT_COUNT. */
static enum stat_id admit(struct l4_fwd *f, const struct ip_addr *src)
{
    const struct l4_config *c = &f->config;
    uint64_t now_us = f->core->now_us;
    uint64_t hash = siphash(&f->core->hash_key, src->bytes, ip_addr_is_v4(src) ? 16 : 8);
    struct bucket *share = &f->sources[hash % L4_SOURCES];
    if (!bucket_take(share, now_us, c->opens_per_src_s, c->opens_per_src_s))
        return STAT_l4_drop_source_rate;
    if (!bucket_take(&f->opens, now_us, c->opens_per_s, c->opens_per_s))
        return STAT_l4_drop_rate;
    return STAT_COUNT;
}

/* Where in the image a flow leads. */
struct target {
    uint32_t bind;
    uint32_t listener;
    uint32_t rule; /* IMAGE_NONE: no route has it */
    const struct image_backend *backend;
    uint64_t hash; /* for its endpoint */
};

/* Do all flows of a client belong together? Headers and cookies are not to be seen here. */
static bool is_by_client(const struct image_backend *backend)
{
    return backend->balancing.way == IMAGE_BALANCING_MAGLEV &&
           backend->balancing.hash_key != IMAGE_HASH_KEY_CONNECTION;
}

/* What chooses a backend of the rule by weight: if the flows of a client belong together at one of
 * them, they do before it is chosen. */
static uint64_t hash_of(const struct l4_fwd *f, const struct image_rule *rule,
                        const struct l4_call *call)
{
    for (uint32_t i = 0; i < rule->n_backends; i++) {
        if (is_by_client(&f->view->backends[rule->first_backend + i]))
            return upstream_hash_client(&call->client.remote);
    }
    return upstream_hash_ends(&call->client, call->proto);
}

/* Which backend takes it; `question` is a query's, of others NULL. False: no route has it, or not
 * by a backend that works. */
static bool target_of(struct l4_fwd *f, uint32_t bind, const struct l4_call *call,
                      const struct dns_question *question, struct target *ret)
{
    struct route_result to;
    if (question != NULL)
        route_match_name(f->view, f->reader, bind, slice_of(question->path, question->path_bytes),
                         question->method, &to);
    else
        route_match_flow(f->view, f->reader, bind, "", &to);
    ret->bind = bind;
    ret->rule = IMAGE_NONE;
    if (to.outcome != ROUTE_OUTCOME_RULE)
        return false;
    const struct image_rule *rule = &f->view->rules[to.rule];
    uint64_t hash = hash_of(f, rule, call);
    ret->listener = to.listener;
    ret->rule = to.rule;
    if (!route_backend_pick(f->view, rule, (uint32_t)(hash >> 32), &ret->backend) ||
        ret->backend->group == IMAGE_NONE)
        return false;
    ret->hash = is_by_client(ret->backend) ? hash : upstream_hash_ends(&call->client, call->proto);
    return true;
}

/* One of its endpoints, not `avoid` if there is another. */
static bool endpoint_of(struct l4_fwd *f, const struct target *target,
                        const struct upstream_conn_id *avoid, struct upstream_conn_id *ret)
{
    const struct image_backend *backend = target->backend;
    bool has_policy = backend->health != IMAGE_NONE;
    struct upstream_ask ask = {.group = backend->group,
                               .balancing = backend->balancing.way,
                               .hash = target->hash,
                               .health = has_policy ? &f->view->health[backend->health] : NULL,
                               .avoid = avoid};
    return upstream_pick(f->upstream, &ask, ret) == UPSTREAM_OK;
}

/* Is the pair of ends free? One whose flow is over counts as taken; *ret_over is it. */
static bool is_free(struct l4_fwd *f, uint8_t proto, const struct flow_tuple *ends,
                    struct l4_flow **ret_over)
{
    enum l4_side_index side;
    struct l4_flow *flow = l4_flow_find(f, proto, ends, &side);
    if (flow != NULL && side == L4_SERVER && l4_state_of(flow) == L4_CLOSED)
        *ret_over = flow;
    return flow == NULL && (proto != IPPROTO_NUM_TCP || !tcp_has_flow(f->tcp, ends));
}

/* Address and port of ours towards the endpoint. Returns the counter against it, or STAT_COUNT. */
static enum stat_id choose_ends(struct l4_fwd *f, uint8_t proto, const struct upstream_conn_id *to,
                                struct flow_tuple *ret)
{
    struct net_path path;
    struct spread_aim aim;
    struct l4_flow *over = NULL;
    if (!net_path_find(f->net, &to->addr, &path) || ip_addr_is_zero(&path.source))
        return STAT_l4_drop_no_way;
    *ret = (struct flow_tuple){path.source, to->addr, 0, to->port};
    port_aim(f->core, path.port, &to->addr, &path.source, to->port, &aim);
    uint32_t trials = aim.n < L4_PORT_TRIALS_MAX ? aim.n : L4_PORT_TRIALS_MAX;
    for (uint32_t i = 0; i < trials; i++) {
        f->port_next = (f->port_next + 1) % aim.n;
        if (spread_aim_port(&aim, f->port_next, &ret->local_port) && is_free(f, proto, ret, &over))
            return STAT_COUNT;
    }
    if (over == NULL)
        return STAT_l4_drop_no_port;
    *ret = over->sides[L4_SERVER].in;
    l4_flow_end(over, STAT_l4_end_again);
    return STAT_COUNT;
}

/* The ends of what is carried: answers do not come by us, so it needs no port. */
static enum stat_id choose_carrier(struct l4_fwd *f, const struct upstream_conn_id *to,
                                   struct flow_tuple *ret)
{
    struct net_path path;
    if (!net_path_find(f->net, &to->addr, &path) || ip_addr_is_zero(&path.source))
        return STAT_l4_drop_no_way;
    *ret = (struct flow_tuple){path.source, to->addr, 0, to->port};
    return STAT_COUNT;
}

static bool is_carried(const struct image_backend *backend)
{
    return backend->forwarding == IMAGE_FORWARDING_IPIP ||
           backend->forwarding == IMAGE_FORWARDING_GUE;
}

bool l4_may_carry(const struct image_view *view)
{
    for (uint32_t i = 0; i < view->n_backends; i++) {
        if (is_carried(&view->backends[i]))
            return true;
    }
    return false;
}

bool l4_bind_is_carried(const struct l4_fwd *f, uint32_t bind)
{
    struct route_result to;
    route_match_flow(f->view, f->reader, bind, "", &to);
    if (to.outcome != ROUTE_OUTCOME_RULE)
        return false;
    const struct image_rule *rule = &f->view->rules[to.rule];
    for (uint32_t i = 0; i < rule->n_backends; i++) {
        if (is_carried(&f->view->backends[rule->first_backend + i]))
            return true;
    }
    return false;
}

/* What a first packet leads to. */
struct opening {
    struct target target;
    struct upstream_conn_id to;
    struct tcp_proof proof;
    bool has_target;
    bool has_endpoint;
    bool is_proven; /* by a cookie */
    bool is_query;  /* of DNS: */
    enum dns_fault fault;
    struct dns_question question;
};

/* Makes the flow. Returns the counter against it, or STAT_COUNT. */
static enum stat_id begin(struct l4_fwd *f, const struct l4_call *call, const struct opening *o,
                          struct l4_flow **ret_flow)
{
    struct core *core = f->core;
    const struct target *t = &o->target;
    struct l4_ends ends = {.client = call->client,
                           .listener = t->listener,
                           .rule = t->rule,
                           .backend = (uint32_t)(t->backend - f->view->backends),
                           .proto = call->proto,
                           .is_spliced = o->is_proven,
                           .is_odd = call->is_odd,
                           .is_query = o->is_query,
                           .query_id = o->question.id,
                           .way = IMAGE_FORWARDING_NAT};
    if (is_carried(t->backend) && !o->is_query)
        ends.way = (enum image_forwarding)t->backend->forwarding;
    enum stat_id fault = ends.way != IMAGE_FORWARDING_NAT
                             ? choose_carrier(f, &o->to, &ends.server)
                             : choose_ends(f, call->proto, &o->to, &ends.server);
    if (fault != STAT_COUNT)
        return fault;
    if (!census_enter(core, f->view, t->bind, &call->client.remote, &ends.census))
        return STAT_l4_drop_limit;
    *ret_flow = l4_flow_new(f, &ends);
    if (*ret_flow == NULL) {
        census_leave(core, &ends.census);
        return STAT_l4_drop_full;
    }
    if (o->is_proven)
        l4_splice_begin(f, *ret_flow, &o->proof);
    return STAT_COUNT;
}

/* What becomes of a first packet when as many flows are open as may be: tcp answers a SYN by a
 * reset, and what has no such answer is dropped. L4_FORWARDED: there is room. */
static enum l4_verdict check_limit(struct l4_fwd *f, const struct l4_call *call, uint32_t bind)
{
    enum stat_id against = census_against(f->core, f->view, bind, &call->client.remote);
    if (against == STAT_COUNT)
        return L4_FORWARDED;
    if (call->proto == IPPROTO_NUM_TCP && call->is_first)
        return L4_NOT_OURS; /* and counts it */
    stat_inc(f->core, against);
    stat_inc(f->core, STAT_l4_drop_limit);
    return L4_REFUSED;
}

/* Whoever gave a cookie back has a connection, as he sees it: it ends. */
static void reset(struct l4_fwd *f, const struct l4_call *call, const struct tcp_proof *proof)
{
    tcp_bare_send(f->tcp, &call->client, seq_add(proof->number, 1), (seq_t){0}, TCP_RST, 0,
                  &(struct tcp_options){0});
}

/* Is it a bind whose packets may be forwarded? A connection that begins with a header of the PROXY
 * protocol has to be ours. */
static bool may_forward(const struct image_bind *b)
{
    return image_is_udp_bind(b->kind) || (b->kind == IMAGE_BIND_TCP && !b->is_proxied);
}

/* Does the SYN get a cookie instead of a flow? Where answers do not come by us it cannot: nobody
 * could shift their numbers. */
static bool gets_cookie(struct l4_fwd *f, const struct l4_call *call, const struct opening *o)
{
    struct tcp_half_open_limits limits = {.max = f->config.half_open_max,
                                          .listener_max = f->config.half_open_listener_max,
                                          .used = f->flows.used,
                                          .most = f->config.flows_max};
    return call->proto == IPPROTO_NUM_TCP && !is_carried(o->target.backend) &&
           tcp_half_open_is_crowded(&f->half_open, l4_table_of(f, IPPROTO_NUM_TCP), &call->client,
                                    &limits);
}

/* Answers in the place of the endpoint. When the cookie comes back it may be another one, so the
 * client hears of segments that fit into packets of either family. */
static enum l4_verdict answer(struct l4_fwd *f, const struct l4_call *call, const struct opening *o)
{
    struct net_path path;
    const struct flow_tuple *client = &call->client;
    if (!net_path_find(f->net, &o->to.addr, &path)) {
        stat_inc(f->core, STAT_l4_drop_no_way);
        return L4_REFUSED;
    }
    uint32_t less = sizeof(struct wire_ip6) - l4_ip_header_bytes(&client->remote);
    struct tcp_stand_in as = {.mtu = (uint16_t)(path.mtu - less), .wscale = L4_SPLICE_WSCALE};
    stat_inc(f->core, STAT_l4_cookies);
    route_stats_cookie(f->core, f->view, o->target.rule);
    tcp_cookie_answer(f->tcp, call->m, &client->remote, &client->local, &as);
    return L4_ANSWERED;
}

/* Counts what begins no flow, with its route if it has one, too. */
static void refuse(struct l4_fwd *f, const struct target *target, enum stat_id why)
{
    bool is_unreached = why == STAT_l4_drop_no_endpoint || why == STAT_l4_drop_no_way;
    stat_inc(f->core, why);
    if (target->rule == IMAGE_NONE)
        return;
    uint64_t route = route_stats_begin(f->core, f->view, target->rule);
    route_stats_end(f->core, route,
                    is_unreached ? STATS_ROUTE_END_unreached : STATS_ROUTE_END_refused);
}

/* The bind that the flow's client has where it comes in; IMAGE_NONE: nobody listens there. */
static uint32_t bind_of(const struct l4_fwd *f, const struct flow_tuple *client, bool is_udp)
{
    uint32_t bind = image_bind_find(f->view, &client->local, client->local_port, is_udp);
    return bind != IMAGE_NONE ? image_bind_for(f->view, bind, &client->remote) : IMAGE_NONE;
}

/* May the packet begin a flow, and where would it lead? False: it is not ours. */
static bool look_up(struct l4_fwd *f, const struct l4_call *call, struct opening *ret)
{
    bool is_udp = call->proto == IPPROTO_NUM_UDP;
    const struct flow_tuple *client = &call->client;
    const struct image_backend *backend;
    uint32_t bind = bind_of(f, client, is_udp);
    if (bind == IMAGE_NONE || !may_forward(&f->view->binds[bind]) || (!is_udp && f->has_lro))
        return false;
    ret->is_query = f->view->binds[bind].kind == IMAGE_BIND_DNS_UDP;
    if (ret->is_query)
        ret->fault = l4_dns_read(call->m, &ret->question);
    ret->target = (struct target){.bind = bind, .rule = IMAGE_NONE};
    ret->has_target = ret->fault == DNS_FAULT_OK &&
                      target_of(f, bind, call, ret->is_query ? &ret->question : NULL, &ret->target);
    backend = ret->target.backend;
    if (!is_udp && (!ret->has_target || backend->forwarding == IMAGE_FORWARDING_PROXY))
        return false; /* tcp accepts it, and the proxy says why it cannot be passed on */
    if (!call->is_first && !is_carried(backend)) {
        ret->is_proven =
            tcp_cookie_find(f->tcp, call->m, &client->remote, &client->local, &ret->proof) &&
            !tcp_has_flow(f->tcp, client); /* it may have been a connection's, before a change */
        if (!ret->is_proven)
            return false;
    }
    ret->has_endpoint = ret->has_target && endpoint_of(f, &ret->target, NULL, &ret->to);
    return is_udp || ret->has_endpoint; /* likewise: who waits for nobody had better know */
}

/* A query that cannot be passed on is answered. */
static enum l4_verdict refuse_query(struct l4_fwd *f, const struct l4_call *call,
                                    const struct opening *o)
{
    enum stat_id why = STAT_l4_dns_malformed;
    enum dns_rcode rcode = dns_fault_rcode(o->fault);
    if (o->fault == DNS_FAULT_OK) {
        bool has_route = o->target.rule != IMAGE_NONE;
        why = has_route ? STAT_l4_dns_failed : STAT_l4_dns_refused;
        rcode = has_route ? DNS_RCODE_SERVFAIL : DNS_RCODE_REFUSED;
    }
    if (rcode != DNS_RCODE_NONE)
        stat_inc(f->core, why);
    if (o->target.rule != IMAGE_NONE)
        route_stats_end(f->core, route_stats_begin(f->core, f->view, o->target.rule),
                        STATS_ROUTE_END_unreached);
    l4_dns_refuse(f, call, &o->question, rcode);
    return L4_ANSWERED;
}

/* Is the reason one that its client is told by DNS? Rates and limits are not: those are dropped. */
static bool is_told(const struct opening *o, enum stat_id why)
{
    return o->is_query && (why == STAT_l4_drop_no_route || why == STAT_l4_drop_no_endpoint ||
                           why == STAT_l4_drop_no_way);
}

enum l4_verdict l4_open(struct l4_fwd *f, const struct l4_call *call, struct l4_flow **ret_flow)
{
    struct opening o = {0};
    if (!look_up(f, call, &o))
        return L4_NOT_OURS;
    enum l4_verdict limited = check_limit(f, call, o.target.bind);
    if (limited == L4_REFUSED && o.is_proven)
        reset(f, call, &o.proof);
    if (limited != L4_FORWARDED)
        return limited;
    if (!o.is_proven && gets_cookie(f, call, &o))
        return answer(f, call, &o);
    enum stat_id fault = admit(f, &call->client.remote);
    if (fault == STAT_COUNT && !o.has_target)
        fault = STAT_l4_drop_no_route;
    else if (fault == STAT_COUNT)
        fault = o.has_endpoint ? begin(f, call, &o, ret_flow) : STAT_l4_drop_no_endpoint;
    if (fault == STAT_COUNT)
        return L4_FORWARDED;
    if (is_told(&o, fault))
        return refuse_query(f, call, &o);
    if (fault == STAT_l4_drop_limit && o.is_proven)
        reset(f, call, &o.proof);
    refuse(f, &o.target, fault);
    return L4_REFUSED;
}

/* Another endpoint for the flow. False: there is none, or no way to it. */
static bool leave(struct l4_fwd *f, struct l4_flow *flow)
{
    struct l4_call call = {.client = flow->sides[L4_CLIENT].in, .proto = l4_proto_of(flow)};
    const struct flow_tuple *server = &flow->sides[L4_SERVER].in;
    struct upstream_conn_id silent = {server->remote, server->remote_port}, to;
    uint32_t bind = bind_of(f, &call.client, false);
    struct target target;
    struct flow_tuple ends;
    if (bind == IMAGE_NONE || l4_is_carried(flow) || !target_of(f, bind, &call, NULL, &target) ||
        !endpoint_of(f, &target, &silent, &to) ||
        choose_ends(f, l4_proto_of(flow), &to, &ends) != STAT_COUNT ||
        !l4_flow_retarget(flow, &ends))
        return false;
    flow->group = target.backend->group;
    flow->idle_ms = target.backend->idle_ms;
    return true;
}

void l4_open_again(struct l4_fwd *f, struct l4_flow *flow)
{
    bool is_judged = flow->is_judged; /* or shall not be, which holds for its next endpoint, too */
    if (!l4_is_carried(flow))
        l4_flow_judge(flow, false);
    if (leave(f, flow))
        stat_inc(f->core, STAT_l4_retargeted);
    flow->is_judged = is_judged;
}
