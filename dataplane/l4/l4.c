/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How it is made, and one of its two ways in: what net hands up, first packets and those with
 * something unusual (options, fragments put together, errors). The other way is l4_burst.c. Owner:
 * struct l4_fwd. Thread: the worker.
 */
#include "l4/l4.h"

#include "base/assert.h"
#include "l4/l4_priv.h"
#include "net/net_limits.h"
#include "tcp/tcp.h"

void l4_config_default(struct l4_config *config, uint32_t conns_max)
{
    uint32_t flows = conns_max < L4_FLOWS_MAX / 4 ? 4 * conns_max : L4_FLOWS_MAX;
    *config = (struct l4_config){
        .flows_max = flows,
        .opens_per_s = 200000, /* what a core can open */
        .opens_per_src_s = 20000,
        .half_open_max = flows / 8 < L4_HALF_OPEN_MAX ? flows / 8 + 1 : L4_HALF_OPEN_MAX,
        .half_open_listener_max =
            flows / 16 < L4_HALF_OPEN_MAX / 2 ? flows / 16 + 1 : L4_HALF_OPEN_MAX / 2,
        .tcp_open_ms = 15 * 1000,
        .tcp_idle_ms = 7440 * 1000, /* RFC 5382, REQ-5: two hours and four minutes */
        .tcp_half_ms = 60 * 1000,
        .tcp_closed_ms = 60 * 1000, /* TIME_WAIT of Linux */
        .udp_single_ms = 10 * 1000,
        .udp_idle_ms = 120 * 1000, /* RFC 4787, REQ-5 */
    };
}

static void init_table(struct l4_fwd *f, struct flow_table *t)
{
    uint32_t n = flow_table_buckets(2 * f->config.flows_max);
    struct flow_bucket *buckets = core_memory(f->core, n * sizeof(*buckets), "forwarded flows");
    flow_table_init(t, buckets, n, &f->core->hash_key, l4_tuple_of, f);
}

struct l4_fwd *l4_new(const struct l4_around *around, const struct l4_config *config)
{
    struct core *core = around->core;
    struct l4_fwd *f = core_memory(core, sizeof(*f), "l4");
    ASSERT(config->flows_max > 0 && config->flows_max <= L4_FLOWS_MAX);
    f->core = core;
    f->lanes = core_memory(core, 2 * config->flows_max * sizeof(*f->lanes), "forwarded flows");
    f->net = around->net;
    f->tcp = around->tcp;
    f->upstream = around->upstream;
    f->config = *config;
    for (unsigned i = 0; i < port_count(core); i++)
        f->has_lro |= port_info(core, i)->has_lro;
    list_init(&f->opening);
    core_pool(core, &f->flows, sizeof(struct l4_flow), config->flows_max, "forwarded flows");
    init_table(f, &f->tables[0]);
    init_table(f, &f->tables[1]);
    return f;
}

/* Ends all flows of a table. */
static void end_all(struct l4_fwd *f, struct flow_table *t)
{
    for (uint32_t i = 0; t->used > 0 && i <= t->mask; i++) {
        struct flow_bucket *b = &t->buckets[i];
        for (unsigned k = 0; k < FLOW_TABLE_PLACES; k++) {
            if (b->tags[k] != 0)
                l4_flow_end(l4_flow_at(f, (flow_entry_t){b->entries[k]}), STAT_l4_end_gone);
        }
    }
}

void l4_done(struct l4_fwd *f)
{
    end_all(f, &f->tables[0]);
    end_all(f, &f->tables[1]);
    ASSERT(f->flows.used == 0);
}

/* The flows whose client's side lies in the bucket. */
static void cut_bucket(struct l4_fwd *f, struct flow_bucket *b, l4_cut_fn cuts, void *owner)
{
    for (unsigned k = 0; k < FLOW_TABLE_PLACES; k++) {
        flow_entry_t e = {b->entries[k]};
        if (b->tags[k] == 0 || flow_entry_mark(e))
            continue;
        struct l4_flow *flow = l4_flow_at(f, e);
        bool is_udp = l4_proto_of(flow) == IPPROTO_NUM_UDP;
        if (cuts(owner, &flow->sides[L4_CLIENT].in, is_udp))
            l4_flow_end(flow, STAT_l4_end_denied);
    }
}

bool l4_cut_flows(struct l4_fwd *f, uint32_t *cursor, uint32_t n, l4_cut_fn cuts, void *owner)
{
    uint32_t buckets = f->tables[0].mask + 1; /* of each of the two */
    for (uint32_t i = 0; i < n && *cursor < 2 * buckets && f->flows.used > 0; i++, (*cursor)++)
        cut_bucket(f, &f->tables[*cursor / buckets].buckets[*cursor % buckets], cuts, owner);
    return f->flows.used > 0 && *cursor < 2 * buckets;
}

void l4_set_image(struct l4_fwd *f, const struct image_view *view,
                  const struct route_reader *reader)
{
    f->view = view;
    f->reader = *reader;
    f->has_binds = false;
    f->has_carried = false;
    bool may_carry = l4_may_carry(view); /* nearly never: then ten thousand binds are not asked */
    for (uint32_t i = 0; i < view->n_binds && !f->has_carried; i++) {
        uint8_t kind = view->binds[i].kind;
        bool is_tcp = kind == IMAGE_BIND_TCP;
        f->has_binds |= is_tcp || image_is_udp_bind(kind);
        f->has_carried = may_carry && is_tcp && l4_bind_is_carried(f, i);
    }
    l4_handover_set(f);
}

bool l4_has_flow(void *owner, const struct flow_tuple *ends)
{
    struct l4_fwd *f = owner;
    enum l4_side_index side;
    return f->flows.used > 0 && l4_flow_find(f, IPPROTO_NUM_TCP, ends, &side) != NULL;
}

/* ---- what net hands up ---- */

/* May a segment in the middle of a connection begin a flow? Of one that another box had until now,
 * if the client's address is kept. */
static bool may_take_over(const struct l4_fwd *f, const struct l4_call *call, uint8_t tcp_flags)
{
    return f->has_carried && (tcp_flags & TCP_RST) == 0 && !tcp_has_flow(f->tcp, &call->client);
}

/* The flow of a packet, begun if it may be. */
static enum l4_verdict flow_of(struct l4_fwd *f, struct l4_call *call, uint8_t tcp_flags,
                               struct l4_flow **ret, enum l4_side_index *ret_side)
{
    bool is_udp = call->proto == IPPROTO_NUM_UDP;
    *ret = l4_flow_find(f, call->proto, &call->client, ret_side);
    if (*ret != NULL && l4_begins_anew(*ret, *ret_side, tcp_flags)) {
        l4_flow_end(*ret, STAT_l4_end_again);
        *ret = NULL;
    }
    if (*ret != NULL)
        return L4_FORWARDED;
    *ret_side = L4_CLIENT;
    call->is_first = is_udp || (tcp_flags & TCP_FLAGS_OF_OPEN) == TCP_SYN;
    bool may_open =
        call->is_first || tcp_may_be_cookie(f->tcp, tcp_flags) || may_take_over(f, call, tcp_flags);
    return f->view != NULL && may_open ? l4_open(f, call, ret) : L4_NOT_OURS;
}

/* A client that asks its endpoint again and again gets another one. */
static void note_syn(struct l4_fwd *f, struct l4_flow *flow, enum l4_side_index side, uint8_t flags)
{
    bool is_asked = side == L4_CLIENT && l4_state_of(flow) == L4_OPENING && flow->answer_us == 0;
    if (!is_asked || (flags & TCP_SYN) == 0 || flow->syns < L4_RETARGET_SYNS)
        return;
    flow->syns = 0;
    l4_open_again(f, flow);
}

/* A segment of a flow that is spliced. */
static void input_spliced(struct l4_fwd *f, struct l4_flow *flow, enum l4_side_index side,
                          struct rte_mbuf *m, uint16_t ip_bytes, uint8_t flags)
{
    if (l4_is_first(flow, side, flags) && l4_splice_input(f, flow, side, m))
        return;
    stat_inc(f->core, STAT_l4_rx_slow);
    l4_forward_upper(f, flow, side, m, ip_bytes);
}

/* A SYN that is broken is for tcp, which counts why it drops it. */
static bool is_passable(const struct rte_mbuf *m, const struct ip_addr *src,
                        const struct ip_addr *dst, struct l4_call *call)
{
    const struct tcp_wire *w = rte_pktmbuf_mtod(m, const struct tcp_wire *);
    if ((w->flags & TCP_FLAGS_OF_OPEN) != TCP_SYN)
        return true;
    enum l4_syn syn = l4_syn_judge(m, src, dst);
    call->is_odd = syn == L4_SYN_ODD;
    return syn != L4_SYN_BROKEN;
}

static void input_tcp(void *owner, struct rte_mbuf *m, const struct ip_addr *src,
                      const struct ip_addr *dst, struct net_ip_header ip, uint64_t flow_hash)
{
    struct l4_fwd *f = owner;
    struct l4_flow *flow;
    enum l4_side_index side;
    if ((!f->has_binds && f->flows.used == 0) || m->data_len < sizeof(struct tcp_wire)) {
        tcp_input(f->tcp, m, src, dst, ip.tos, flow_hash);
        return;
    }
    const struct tcp_wire *w = rte_pktmbuf_mtod(m, const struct tcp_wire *);
    uint8_t flags = w->flags;
    struct l4_call call = {.client = {*dst, *src, be16_host(w->dst_port), be16_host(w->src_port)},
                           .proto = IPPROTO_NUM_TCP,
                           .m = m};
    enum l4_verdict verdict = L4_NOT_OURS;
    if (is_passable(m, src, dst, &call))
        verdict = flow_of(f, &call, flags, &flow, &side);
    if (verdict == L4_ANSWERED)
        return;
    if (verdict == L4_NOT_OURS) {
        tcp_input(f->tcp, m, src, dst, ip.tos, flow_hash);
        return;
    }
    if (verdict == L4_FORWARDED && l4_is_spliced(flow)) {
        input_spliced(f, flow, side, m, ip.bytes, flags);
        return;
    }
    stat_inc(f->core, STAT_l4_rx_slow);
    if (verdict == L4_REFUSED) { /* it was counted */
        rte_pktmbuf_free(m);
        return;
    }
    note_syn(f, flow, side, flags);
    l4_forward_upper(f, flow, side, m, ip.bytes);
}

static bool input_udp(void *owner, struct rte_mbuf *m, const struct net_udp_header *h)
{
    struct l4_fwd *f = owner;
    struct l4_flow *flow;
    enum l4_side_index side;
    if (!f->has_binds && f->flows.used == 0)
        return false;
    struct l4_call call = {.client = {h->dst, h->src, h->dst_port, h->src_port},
                           .proto = IPPROTO_NUM_UDP,
                           .tos = h->tos,
                           .m = m};
    enum l4_verdict verdict = flow_of(f, &call, 0, &flow, &side);
    if (verdict == L4_NOT_OURS)
        return false;
    stat_inc(f->core, STAT_l4_rx_slow);
    if (verdict == L4_ANSWERED)
        return true;
    if (verdict == L4_REFUSED) {
        rte_pktmbuf_free(m);
        return true;
    }
    if (flow->is_query && side == L4_SERVER) {
        l4_dns_answer(f, flow, m, h->ip_bytes);
        return true;
    }
    void *header = rte_pktmbuf_prepend(m, sizeof(struct wire_udp)); /* where it was taken off */
    ASSERT(header != NULL);
    l4_forward_upper(f, flow, side, m, h->ip_bytes);
    return true;
}

/* Does it say that nobody listens at its `remote`, by who has to know, or that nobody is there? */
static bool is_refusal(const struct net_icmp_error *e)
{
    bool is_own_word = e->is_port && ip_addr_eq(&e->sender, &e->remote);
    return e->kind == NET_ICMP_UNREACHABLE && (is_own_word || ip_addr_is_zero(&e->sender));
}

/* An ICMP error about a packet that we passed on: whoever sent it hears of it. False: it was not
 * one of a flow. */
static bool pass_error(struct l4_fwd *f, const struct net_icmp_error *e, uint8_t proto)
{
    struct flow_tuple ends = {e->local, e->remote, e->local_port, e->remote_port};
    enum l4_side_index side;
    struct l4_flow *flow = l4_flow_find(f, proto, &ends, &side);
    if (flow == NULL)
        return false;
    stat_inc(f->core, STAT_l4_icmp_passed);
    enum l4_side_index from = side == L4_CLIENT ? L4_SERVER : L4_CLIENT;
    if (e->kind == NET_ICMP_TOO_BIG) {
        l4_tell_too_big(f, flow, from, e->mtu, e->seq);
        return true;
    }
    l4_tell(f, &flow->sides[from].in, proto,
            (struct net_icmp_error){
                .kind = e->kind, .is_port = e->is_port, .seq = l4_splice_seq(flow, from, e->seq)});
    if (side == L4_SERVER && is_refusal(e))
        l4_flow_refuse(flow);
    return true;
}

static void tcp_error(void *owner, const struct net_icmp_error *e)
{
    struct l4_fwd *f = owner;
    if (!pass_error(f, e, IPPROTO_NUM_TCP))
        tcp_on_icmp_error(f->tcp, e);
}

static void udp_error(void *owner, const struct net_icmp_error *e)
{
    pass_error(owner, e, IPPROTO_NUM_UDP);
}

/* What went on within another packet was too long with it: its sender hears of it, less what is
 * around it, and what may be cut is from now on (RFC 2003, sections 4.1 and 5.1). All else about
 * the other packet is nothing that he could mend. */
static void carried_error(void *owner, const struct net_icmp_error *e, uint8_t proto)
{
    struct l4_fwd *f = owner;
    struct flow_tuple ends = {e->local, e->remote, e->local_port, e->remote_port};
    enum l4_side_index side;
    struct l4_flow *flow = l4_flow_find(f, proto, &ends, &side);
    if (flow == NULL || !l4_is_carried(flow) || e->kind != NET_ICMP_TOO_BIG ||
        !ip_addr_eq(&flow->sides[L4_SERVER].in.remote, &e->carrier))
        return;
    if (e->mtu != 0 && (flow->carry_mtu == 0 || e->mtu < flow->carry_mtu))
        flow->carry_mtu = e->mtu > NET_PATH_MTU_MIN ? e->mtu : NET_PATH_MTU_MIN;
    stat_inc(f->core, STAT_l4_icmp_passed);
    l4_tell_too_big(f, flow, L4_CLIENT, e->mtu, e->seq);
}

static void addresses_gone(void *owner)
{
    struct l4_fwd *f = owner;
    tcp_on_addresses_gone(f->tcp); /* flows notice with their next packet */
}

static uint64_t expect(void *owner, const struct ip_addr *src, const struct ip_addr *dst,
                       uint16_t src_port, uint16_t dst_port)
{
    return tcp_expect(((struct l4_fwd *)owner)->tcp, src, dst, src_port, dst_port);
}

static void prefetch(void *owner, uint64_t flow_hash)
{
    tcp_prefetch(((struct l4_fwd *)owner)->tcp, flow_hash);
}

const struct net_tcp_ops l4_net_ops = {.input = input_tcp,
                                       .icmp_error = tcp_error,
                                       .carried_error = carried_error,
                                       .addresses_gone = addresses_gone,
                                       .expect = expect,
                                       .prefetch = prefetch};
const struct net_udp_ops l4_udp_ops = {.input = input_udp, .icmp_error = udp_error};
