/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's network layer as a whole: made, configured, asked, ended. A configuration is built
 * into spare tables and then takes the place of the one in use; nothing is changed in place. Owner:
 * the worker. Thread: the worker.
 */
#include "net/net.h"

#include "base/assert.h"
#include "net/gateways.h"
#include "net/net_priv.h"
#include "net/reassembly.h"

#include <string.h>

static void on_address_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct net *n = container_of(timer, struct net, address_timer);
    n->address_next = n->address_resume;
}

struct net *net_new(struct core *core)
{
    struct net *n = core_memory(core, sizeof(*n), "net");
    n->core = core;
    n->hop_limit = NET_HOP_LIMIT;
    n->now = core_memory(core, sizeof(*n->now), "net tables");
    n->spare = core_memory(core, sizeof(*n->spare), "net tables");
    n->path_mtus = core_memory(core, sizeof(*n->path_mtus), "path MTUs");
    memset(n->now->iface_of, IFACE_NONE, sizeof(n->now->iface_of));
    n->address_timer.on_expire = on_address_timer;
    gateways_init(n);
    mld_init(n);
    mld_leave_init(n);
    neighbour_init(n);
    punt_init(n);
    reassembly_init(n);
    return n;
}

void net_set_tcp(struct net *n, void *owner, const struct net_tcp_ops *ops)
{
    ASSERT(n->tcp_ops == NULL && ops->input != NULL);
    n->tcp = owner;
    n->tcp_ops = ops;
}

void net_set_denies(struct net *n, net_denies_fn denies, void *owner)
{
    ASSERT(n->denies == NULL);
    n->denies = denies;
    n->denies_owner = owner;
}

void net_done(struct net *n)
{
    neighbour_done(n);
    reassembly_done(n);
    mld_done(n);
    mld_leave_done(n);
    wheel_disarm(&n->core->wheel, &n->gateway_timer);
    wheel_disarm(&n->core->wheel, &n->address_timer);
    ASSERT(!wheel_timer_is_armed(&n->address_timer));
}

/* fe80::/64 and the EUI-64 made of the MAC (RFC 4291, section 2.5.6 and appendix A). */
static struct ip_addr link_local_of(const struct ether_mac *mac)
{
    struct ip_addr a = {{0xfe, 0x80, [11] = 0xff, [12] = 0xfe}};
    memcpy(&a.bytes[8], mac->bytes, 3);
    memcpy(&a.bytes[13], &mac->bytes[3], 3);
    a.bytes[8] ^= 2;
    return a;
}

static void build_ifaces(struct net *n, struct net_tables *t, const struct net_config *config)
{
    ASSERT(config->n_interfaces <= NET_INTERFACES_MAX);
    memset(t->iface_of, IFACE_NONE, sizeof(t->iface_of));
    t->n_ifaces = config->n_interfaces;
    for (uint32_t i = 0; i < config->n_interfaces; i++) {
        const struct net_interface *in = &config->interfaces[i];
        ASSERT(in->port < port_count(n->core) && in->vlan < VLAN_IDS);
        const struct port_info *port = port_info(n->core, in->port);
        uint16_t mtu = in->mtu != 0 && in->mtu < port->mtu ? in->mtu : port->mtu;
        t->ifaces[i] = (struct net_iface){.index = (uint16_t)i,
                                          .port = in->port,
                                          .vlan = in->vlan,
                                          .mtu = mtu,
                                          .mac = port->mac,
                                          .has_tap = port->has_tap,
                                          .virtual_router = in->virtual_router,
                                          .drained = in->drained,
                                          .link_local = link_local_of(&port->mac)};
        t->iface_of[in->port][in->vlan] = (uint8_t)i;
    }
}

void net_tell_gone(struct net *n)
{
    if (n->tcp_ops != NULL && n->tcp_ops->addresses_gone != NULL)
        n->tcp_ops->addresses_gone(n->tcp);
}

/* After the swap: tcp hears that addresses are gone, if any is. `then` is what was in use before.
 */
static void tell_gone(struct net *n, const struct net_tables *then)
{
    for (uint32_t i = 0; i < then->local.n; i++) {
        if (local_find_any(&n->now->local, &then->local.entries[i].addr) == NULL) {
            net_tell_gone(n);
            return;
        }
    }
}

static bool is_same_route(const struct net_route *a, const struct net_route *b)
{
    return a->prefix_len == b->prefix_len && a->flags == b->flags && a->interface == b->interface &&
           ip_addr_eq(&a->prefix, &b->prefix) && ip_addr_eq(&a->gateway, &b->gateway);
}

/* What a configuration says of an interface, and its port's MAC, of which link_local is made. The
 * port says has_tap, too, and is_held is what became of it here. */
static bool is_same_iface(const struct net_iface *a, const struct net_iface *b)
{
    static_assert(sizeof(struct net_iface) == 50, "a field more: is it compared here?");
    return a->port == b->port && a->vlan == b->vlan && a->mtu == b->mtu &&
           a->virtual_router == b->virtual_router && ip_addr_eq(&a->drained, &b->drained) &&
           ip_addr_eq(&a->link_local, &b->link_local);
}

/* Most images change routes of requests, not the network: then the tables, the lives of addresses
 * and what is known of gateways stay. With ten thousand addresses that saves each worker a
 * millisecond or two. */
static bool is_as_it_was(struct net *n, const struct net_config *config)
{
    const struct net_tables *now = n->now, *built = n->spare;
    static_assert(sizeof(struct net_address) == 20, "no hidden padding");
    if (now->n_ifaces != built->n_ifaces || now->local.n != config->n_addresses ||
        now->n_routes != config->n_routes)
        return false;
    for (uint32_t i = 0; i < now->n_ifaces; i++) {
        if (!is_same_iface(&now->ifaces[i], &built->ifaces[i]))
            return false;
    }
    for (uint32_t i = 0; i < now->n_routes; i++) {
        if (!is_same_route(&now->routes[i], &config->routes[i]))
            return false;
    }
    return config->n_addresses == 0 ||
           memcmp(now->local.entries, config->addresses,
                  config->n_addresses * sizeof(config->addresses[0])) == 0;
}

void net_configure(struct net *n, const struct net_config *config)
{
    for (uint32_t i = 0; i < config->n_addresses; i++)
        ASSERT(config->addresses[i].interface < config->n_interfaces);
    for (uint32_t i = 0; i < config->n_routes; i++)
        ASSERT(config->routes[i].interface < config->n_interfaces);
    struct net_tables *then = n->now;
    build_ifaces(n, n->spare, config);
    if (is_as_it_was(n, config))
        return;
    n->spare->n_routes = config->n_routes;
    if (config->n_routes > 0)
        memcpy(n->spare->routes, config->routes, config->n_routes * sizeof(config->routes[0]));
    local_build(&n->spare->local, config->addresses, config->n_addresses);
    path_build(&n->spare->paths, config);
    ASSERT(n->spare != n->now);
    n->now = n->spare;
    n->spare = then;
    n->hops_version++;
    addresses_configure(n, then, config->is_resumed);
    neighbour_prune(n);
    tell_gone(n, then);
    mld_configure(n, then);
}

unsigned net_poll(struct net *n)
{
    return addresses_poll(n) + mld_poll(n) + mld_leave_poll(n);
}

void net_set_probe(struct net *n, enum net_probe probe)
{
    n->probe = probe;
}

bool net_is_settled(const struct net *n)
{
    return addresses_are_settled(n);
}

/* One that a connection can lead to: no group, no broadcast, not nobody, not every host itself. */
static bool is_host(const struct net *n, const struct ip_addr *dst)
{
    static const struct ip_addr loopback = {{[15] = 1}};
    if (!ip_addr_is_v4(dst))
        return dst->bytes[0] != 0xff && !ip_addr_is_zero(dst) && !ip_addr_eq(dst, &loopback);
    uint8_t first = dst->bytes[12];
    return first != 0 && first != 127 && first < 224 && !path_is_broadcast(&n->now->paths, dst);
}

void net_set_hop_limit(struct net *n, uint8_t hop_limit)
{
    ASSERT(hop_limit > 0);
    n->hop_limit = hop_limit;
}

void net_doubt(struct net *n, const struct ip_addr *dst)
{
    struct net_path path;
    if (net_path_find(n, dst, &path))
        neighbour_doubt(n, &n->now->ifaces[path.interface], &path.next_hop);
}

void net_confirm(struct net *n, const struct ip_addr *dst)
{
    if (n->neighbours.n_unsure == 0 || n->core->now_us < n->confirm_us)
        return;
    n->confirm_us = n->core->now_us + NET_CONFIRM_INTERVAL_US;
    struct net_path path;
    if (net_path_find(n, dst, &path))
        neighbour_confirm(n, &n->now->ifaces[path.interface], &path.next_hop);
}

bool net_path_mtu_find(struct net *n, const struct ip_addr *dst, struct net_path_mtu *ret)
{
    uint64_t now_us = n->core->now_us;
    const struct path_mtu *known = path_mtu_find(n->path_mtus, &n->core->hash_key, now_us, dst);
    if (known == NULL)
        return false;
    stat_inc(n->core, STAT_net_path_mtu_used);
    *ret = (struct net_path_mtu){.mtu = known->mtu,
                                 .is_told = known->is_told,
                                 .left_ms = (uint32_t)((known->until_us - now_us) / 1000)};
    return true;
}

void net_path_mtu_learn(struct net *n, const struct ip_addr *dst, uint16_t mtu, bool is_told)
{
    struct path_mtu news = {.dst = *dst, .mtu = mtu, .is_told = is_told};
    stat_inc(n->core, STAT_net_path_mtu_learned);
    if (path_mtu_learn(n->path_mtus, &n->core->hash_key, n->core->now_us, &news) == PATH_MTU_PUSHED)
        stat_inc(n->core, STAT_net_path_mtu_pushed);
}

void net_path_mtu_passed(struct net *n, const struct ip_addr *dst, uint16_t bytes,
                         uint16_t link_mtu)
{
    ASSERT_HOT(bytes <= link_mtu);
    if (path_mtu_passed(n->path_mtus, &n->core->hash_key, n->core->now_us, dst, bytes, link_mtu))
        stat_inc(n->core, STAT_net_path_mtu_raised);
}

const struct path_entry *net_way(const struct net *n, const struct ip_addr *dst)
{
    const struct path_entry *e = path_find(&n->now->paths, dst);
    return e == NULL ? NULL : path_choose(&n->now->paths, e, dst);
}

bool net_path_find(struct net *n, const struct ip_addr *dst, struct net_path *ret)
{
    const struct path_entry *e = net_way(n, dst);
    if (e == NULL || !is_host(n, dst))
        return false;
    const struct net_iface *iface = &n->now->ifaces[e->interface];
    *ret = (struct net_path){.interface = e->interface,
                             .port = iface->port,
                             .mtu = iface->mtu,
                             .next_hop = e->is_on_link ? *dst : e->gateway};
    if (net_is_local(n, &e->source))
        ret->source = e->source;
    return true;
}

bool net_is_local(const struct net *n, const struct ip_addr *addr)
{
    return local_find(&n->now->local, addr) != NULL;
}

bool net_is_ours(const struct net *n, const struct ip_addr *addr)
{
    const struct net_address *a = local_find_any(&n->now->local, addr);
    return a != NULL && n->now->lives[a - n->now->local.entries].state != ADDRESS_STANDBY;
}

bool net_is_on_iface(const struct net *n, const struct net_iface *iface, const struct ip_addr *addr)
{
    const struct net_address *a = local_find(&n->now->local, addr);
    bool is_routed = a != NULL && a->is_vip == NET_VIP_ROUTED;
    return (a != NULL && a->interface == iface->index && !is_routed) || iface_is_own(iface, addr);
}

bool net_is_neighbour(const struct net *n, const struct net_iface *iface,
                      const struct ip_addr *addr)
{
    return ip6_is_link_local(addr) || path_find_on_link(&n->now->paths, iface->index, addr) != NULL;
}

void net_deliver_tcp(struct net *n, const struct net_packet *p, struct rte_mbuf *m)
{
    if (n->tcp_ops == NULL) {
        net_drop(n, m, STAT_net_drop_rx_no_tcp);
        return;
    }
    stat_inc(n->core, STAT_net_rx_tcp);
    struct net_ip_header ip = {.bytes = (uint16_t)p->header_bytes, .tos = p->tos};
    n->tcp_ops->input(n->tcp, m, &p->src, &p->dst, ip, p->frame.flow_hash);
}

void net_drop(struct net *n, struct rte_mbuf *m, enum stat_id why)
{
    stat_inc(n->core, why);
    rte_pktmbuf_free(m);
}

void net_mbuf_cut(struct rte_mbuf *m, uint32_t bytes)
{
    ASSERT_HOT(bytes <= m->pkt_len);
    uint32_t left = bytes;
    struct rte_mbuf *seg = m;
    while (left > seg->data_len) {
        left -= seg->data_len;
        seg = seg->next;
        ASSERT_HOT(seg != NULL);
    }
    seg->data_len = (uint16_t)left;
    rte_pktmbuf_free(seg->next);
    seg->next = NULL;
    m->pkt_len = bytes;
    m->nb_segs = 1;
    ASSERT_HOT(left <= UINT16_MAX);
    for (seg = m; seg->next != NULL; seg = seg->next)
        m->nb_segs++;
}
