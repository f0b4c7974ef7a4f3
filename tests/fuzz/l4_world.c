/* SPDX-License-Identifier: Apache-2.0 */
/* l4 around the stack, and its configurations. What is always true of it is in l4_check.c. */
#include "l4_world.h"

#include "abi/image.h"
#include "base/assert.h"
#include "base/container.h"
#include "compile/image_builder.h"
#include "core/endpoint_table.h"
#include "core/rcu.h"
#include "l4/l4_priv.h"
#include "l4_check.h"
#include "net/gro.h"
#include "net/net.h"
#include "net/udp.h"
#include "stack_env.h"
#include "upstream/upstream.h"

#include <string.h>

#define GROUP_TCP 1u
#define GROUP_UDP 2u
#define CLIENTS_A_FAMILY 6u
#define HALF_OPEN_MAX 6u

/* What an image says. */
struct say {
    enum image_forwarding tcp;
    enum image_forwarding udp;
    uint16_t mtu;       /* 0: the port's */
    bool has_no_route;  /* of either */
    bool has_no_vip6;   /* and its flows end */
    bool has_no_ours6;  /* no address that speaks to endpoints of IPv6 */
    bool has_health;    /* policies that let endpoints rest */
    bool has_no_group;  /* half of the packets have a backend that is none */
    bool is_proxied;    /* connections begin with a PROXY header: the proxy's */
    bool has_no_routes; /* no way to what is behind gateways */
};

static const struct say says[L4_WORLD_IMAGES] = {
    {IMAGE_FORWARDING_NAT, IMAGE_FORWARDING_NAT},
    {IMAGE_FORWARDING_IPIP, IMAGE_FORWARDING_IPIP},
    {IMAGE_FORWARDING_GUE, IMAGE_FORWARDING_GUE},
    {IMAGE_FORWARDING_NAT, IMAGE_FORWARDING_GUE, .mtu = 1300},
    {IMAGE_FORWARDING_IPIP, IMAGE_FORWARDING_NAT, .mtu = 1300, .has_health = true},
    {IMAGE_FORWARDING_GUE, IMAGE_FORWARDING_IPIP, .mtu = 1400, .has_no_group = true},
    {IMAGE_FORWARDING_NAT, IMAGE_FORWARDING_NAT, .has_health = true, .has_no_routes = true},
    {IMAGE_FORWARDING_NAT, IMAGE_FORWARDING_NAT, .has_no_route = true},
    {IMAGE_FORWARDING_IPIP, IMAGE_FORWARDING_NAT, .has_no_vip6 = true, .has_no_ours6 = true},
    {IMAGE_FORWARDING_PROXY, IMAGE_FORWARDING_NAT, .is_proxied = true},
    {IMAGE_FORWARDING_NAT, IMAGE_FORWARDING_NAT},
    {IMAGE_FORWARDING_NAT, IMAGE_FORWARDING_NAT, .mtu = 1300, .has_health = true},
};

static const char *const endpoint_texts[L4_WORLD_ENDPOINTS] = {
    "198.18.0.101", "2001:db8::65",   "198.18.0.102", "2001:db8::66",
    "198.51.100.5", "2001:db8:51::5", "198.18.0.200", "2001:db8::c8"};

static struct image_view views[L4_WORLD_IMAGES];
static unsigned now; /* the image in effect */
static struct rcu *rcu;
static struct endpoint_table *endpoints;
static uint64_t version;
static struct l4_fwd *l4;
static struct upstream *upstream;

static struct ip_addr addr_of(const char *text)
{
    struct ip_addr a;
    bool is_good = ip_addr_parse(text, &a);
    ASSERT(is_good);
    return a;
}

struct ip_addr l4_world_vip(bool is_v6)
{
    return addr_of(is_v6 ? "2001:db8:9::80" : "198.18.9.80");
}

struct ip_addr l4_world_ours(bool is_v6)
{
    return addr_of(is_v6 ? "2001:db8::1" : "198.18.0.1");
}

struct ip_addr l4_world_peer(bool is_v6, uint8_t last)
{
    struct ip_addr a = addr_of(is_v6 ? "2001:db8::" : "198.18.0.0");
    a.bytes[15] = last;
    return a;
}

struct ip_addr l4_world_client(unsigned n)
{
    return l4_world_peer(n >= CLIENTS_A_FAMILY, (uint8_t)(10 + n % CLIENTS_A_FAMILY));
}

struct ip_addr l4_world_endpoint(unsigned n)
{
    return addr_of(endpoint_texts[n % L4_WORLD_ENDPOINTS]);
}

bool l4_world_is_client(const struct ip_addr *a)
{
    for (unsigned i = 0; i < L4_WORLD_CLIENTS; i++) {
        struct ip_addr c = l4_world_client(i);
        if (ip_addr_eq(a, &c))
            return true;
    }
    return false;
}

bool l4_world_is_endpoint(const struct ip_addr *a)
{
    for (unsigned i = 0; i < L4_WORLD_ENDPOINTS; i++) {
        struct ip_addr e = l4_world_endpoint(i);
        if (ip_addr_eq(a, &e))
            return true;
    }
    return false;
}

bool l4_world_is_ours(const struct ip_addr *a)
{
    for (int is_v6 = 0; is_v6 < 2; is_v6++) {
        struct ip_addr ours = l4_world_ours(is_v6), vip = l4_world_vip(is_v6);
        if (ip_addr_eq(a, &ours) || ip_addr_eq(a, &vip))
            return true;
    }
    return false;
}

uint8_t l4_world_next_hop(const struct ip_addr *to)
{
    struct ip_addr behind4 = l4_world_endpoint(4), behind6 = l4_world_endpoint(5);
    return ip_addr_eq(to, &behind4) || ip_addr_eq(to, &behind6) ? 3 : to->bytes[15];
}

uint16_t l4_world_mtu(void)
{
    return says[now].mtu != 0 ? says[now].mtu : 1500;
}

/* --- images --- */

static void add_network(struct image_builder *b, const struct say *say)
{
    static const struct {
        const char *prefix;
        uint8_t len;
        const char *gateway;
    } ways[] = {{"198.51.100.0", 120, "198.18.0.3"}, {"2001:db8:51::", 64, "2001:db8::3"}};
    int fault = image_builder_interface(b, "p0", 0, 0, say->mtu) == 0 ? 0 : -1;
    for (int is_v6 = 0; is_v6 < 2; is_v6++) {
        struct image_address own = {l4_world_ours(is_v6), is_v6 ? 64 : 120, 0, 0};
        struct image_address vip = {l4_world_vip(is_v6), 128, 1, 0};
        struct image_egress way = {.prefix = addr_of(ways[is_v6].prefix),
                                   .prefix_len = ways[is_v6].len,
                                   .gateway = addr_of(ways[is_v6].gateway)};
        if (!is_v6 || !say->has_no_ours6)
            fault |= image_builder_address(b, &own);
        if (!is_v6 || !say->has_no_vip6)
            fault |= image_builder_address(b, &vip);
        if (!say->has_no_routes && (!is_v6 || !say->has_no_ours6))
            fault |= image_builder_egress(b, &way);
    }
    ASSERT(fault == 0);
}

static void add_group(struct image_builder *b, uint32_t group, enum image_forwarding forwarding,
                      bool has_health)
{
    static const struct image_balance_spec hashed = {.way = IMAGE_BALANCING_MAGLEV,
                                                     .hash_key = IMAGE_HASH_KEY_CLIENT};
    static const struct image_health_spec health = {.name = "ns/health",
                                                    .numbers = {.failures = 1,
                                                                .base_ejection_ms = 200,
                                                                .max_ejection_ms = 2000,
                                                                .max_ejected_percent = 100,
                                                                .panic_percent = 20}};
    int fault = image_builder_group_forwarding(b, group, forwarding);
    fault |= image_builder_group_balancing(b, group, &hashed);
    if (has_health)
        fault |= image_builder_group_health(b, group, &health);
    ASSERT(fault == 0);
}

/* A listener of TCP or UDP at both VIPs, and its route. */
static void add_route(struct image_builder *b, const struct say *say, bool is_udp)
{
    static const struct image_match_spec all = {.path_kind = IMAGE_PATH_PREFIX, .path = "/"};
    const char *name = is_udp ? "ns/b-udp" : "ns/a-tcp";
    uint32_t listener = image_builder_listener(
        b, name, "", is_udp ? IMAGE_PROTOCOL_UDP : IMAGE_PROTOCOL_TCP, STACK_PORT);
    int fault = listener == IMAGE_NONE;
    for (int is_v6 = 0; is_v6 < (say->has_no_vip6 ? 1 : 2); is_v6++) {
        struct ip_addr vip = l4_world_vip(is_v6);
        fault |= image_builder_bind(b, &vip, STACK_PORT, listener);
        if (say->is_proxied && !is_udp)
            fault |= image_builder_bind_proxied(b, &vip, STACK_PORT, NULL, 0);
    }
    ASSERT(fault == 0);
    if (say->has_no_route)
        return;
    fault |= image_builder_route_of(b, is_udp ? IMAGE_ROUTE_UDP : IMAGE_ROUTE_TCP, name, 5);
    fault |= image_builder_rule(b, 0) == IMAGE_NONE;
    fault |= image_builder_backend(b, "ns/svc:80", is_udp ? GROUP_UDP : GROUP_TCP, 1);
    if (say->has_no_group)
        fault |= image_builder_backend(b, "ns/none:80", IMAGE_NONE, 1);
    fault |= image_builder_match(b, &all);
    fault |= image_builder_attach(b, listener, "");
    ASSERT(fault == 0);
}

static void make_image(unsigned n)
{
    void *image;
    size_t len;
    const struct say *say = &says[n];
    struct image_builder *b = image_builder_new();
    ASSERT(b != NULL);
    add_network(b, say);
    add_group(b, GROUP_TCP, say->tcp, say->has_health);
    add_group(b, GROUP_UDP, say->udp, say->has_health);
    add_route(b, say, false);
    add_route(b, say, true);
    int fault = image_builder_finish(b, n + 1, &image, &len);
    ASSERT(fault == 0 && image_check(image, len, NULL) == IMAGE_FAULT_OK);
    image_builder_free(b);
    image_view_init(&views[n], image);
}

static void configure(const struct image_view *v)
{
    struct net_interface interface = {.mtu = v->interfaces[0].mtu};
    net_configure(stack.net,
                  &(struct net_config){.interfaces = &interface,
                                       .n_interfaces = v->n_interfaces,
                                       .addresses = (const struct net_address *)v->addresses,
                                       .n_addresses = v->n_addresses,
                                       .routes = (const struct net_route *)v->egress,
                                       .n_routes = v->n_egress});
}

void l4_world_set_image(unsigned n)
{
    static const struct route_reader none;
    now = n % L4_WORLD_IMAGES;
    configure(&views[now]);
    l4_set_image(l4, &views[now], &none);
    l4->config.half_open_max = now < L4_WORLD_IMAGE_COOKIES ? HALF_OPEN_MAX : 0;
}

void l4_world_set_endpoints(bool is_udp, uint8_t there, uint8_t leaving)
{
    struct {
        struct endpoint_record record;
        struct endpoint list[L4_WORLD_ENDPOINTS];
    } r = {.record = {.group = is_udp ? GROUP_UDP : GROUP_TCP, .version = ++version}};
    for (unsigned i = 0; i < L4_WORLD_ENDPOINTS; i++) {
        bool is_leaving = (leaving >> i & 1) != 0;
        if ((there >> i & 1) == 0)
            continue;
        r.list[r.record.count++] =
            (struct endpoint){.addr = l4_world_endpoint(i),
                              .port = L4_WORLD_BACK_PORT,
                              .weight = (uint16_t)(1 + i % 2),
                              .flags = is_leaving ? ENDPOINT_SERVING | ENDPOINT_TERMINATING
                                                  : ENDPOINT_SERVING | ENDPOINT_READY};
    }
    r.record.checksum = endpoints_checksum(r.list, r.record.count);
    enum endpoints_fault fault;
    bool is_put = endpoint_table_put(endpoints, &r.record, stack.core.now_us, &fault);
    ASSERT(is_put && fault == ENDPOINTS_FAULT_OK);
    rcu_quiescent(rcu, 0);
    endpoint_table_reap(endpoints);
}

/* --- around the stack --- */

static void make(void)
{
    static const struct upstream_config backends = {
        .conns_max = 4, .endpoints_max = 16, .busy_per_endpoint_max = 4};
    static const struct l4_config config = {.flows_max = 24,
                                            .opens_per_s = 60,
                                            .opens_per_src_s = 30,
                                            .half_open_listener_max = HALF_OPEN_MAX,
                                            .tcp_open_ms = 8000,
                                            .tcp_idle_ms = 60000,
                                            .tcp_half_ms = 10000,
                                            .tcp_closed_ms = 5000,
                                            .udp_single_ms = 2000,
                                            .udp_idle_ms = 10000};
    for (unsigned i = 0; i < L4_WORLD_IMAGES; i++)
        make_image(i);
    rcu = rcu_new(1);
    endpoints = endpoint_table_new(rcu);
    ASSERT(rcu != NULL && endpoints != NULL);
    rcu_online(rcu, 0);
    upstream = upstream_new(&stack.core, endpoints, NULL, NULL, &backends);
    struct l4_around around = {&stack.core, stack.net, stack.tcp, upstream};
    l4 = l4_new(&around, &config);
    tcp_set_is_taken(stack.tcp, l4_has_flow, l4);
    net_set_tcp(stack.net, l4, &l4_net_ops);
    net_set_udp(stack.net, l4, &l4_udp_ops);
    l4_world_set_image(0);
}

static unsigned input(struct rte_mbuf **frames, unsigned n)
{
    unsigned left = l4_input(l4, frames, n);
    return gro_merge(&stack.core, frames, left);
}

static void check(void)
{
    check_l4_deep(l4);
}

/* By then each flow has timed out. */
static void end(void)
{
    ASSERT(stack_stat(STAT_l4_flows_now) == 0);
    l4_done(l4);
}

void l4_world_up(void)
{
    stack_around = (struct stack_around){make, input, l4_oracle_see, check, end};
    stack_up();
    now = 0;
    l4_oracle_begin();
    for (int is_udp = 0; is_udp < 2; is_udp++) {
        l4_world_set_endpoints(is_udp, 0, 0); /* what was known of them is forgotten */
        l4_world_set_endpoints(is_udp, 0x3f, 0);
    }
}

void l4_world_down(void)
{
    l4_world_set_image(0); /* whose addresses honest clients know */
    stack_pass(5000000);
    stack_expect_service();
    stack_down();
}
