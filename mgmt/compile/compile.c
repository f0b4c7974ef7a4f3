/* SPDX-License-Identifier: Apache-2.0 */
/* See compile.h. The parts are compile_net.c, compile_route.c and compile_rule.c. */
#include "compile/compile_priv.h"

#include "base/assert.h"
#include "compile/regex_cache.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void compile_note(const struct compile *c, const char *format, ...)
{
    char text[2 * COMPILE_NAME_BYTES];
    va_list args;
    if (c->in->on_note == NULL)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    c->in->on_note(c->in->arg, text);
}

/* `n` indices that lead nowhere yet. */
static uint32_t *new_map(uint32_t n)
{
    uint32_t *map = malloc((n + 1) * sizeof(*map));
    if (map != NULL)
        memset(map, 0xff, (n + 1) * sizeof(*map));
    return map;
}

static const char *protocol_name(enum plan_protocol protocol)
{
    static const char *const names[] = {"HTTP", "HTTPS", "TLS", "TLS", "TCP", "UDP", "DNS"};
    return protocol < PLAN_PROTOCOL_OTHER ? names[protocol] : "another protocol";
}

static void bind_proxied(struct compile *c, const struct ip_addr *addr, uint16_t port,
                         const struct plan_proxied *proxied)
{
    struct image_prefix trusted[IMAGE_TRUSTED_PER_BIND_MAX] = {0};
    ASSERT(proxied->n_trusted <= IMAGE_TRUSTED_PER_BIND_MAX); /* the schema has the same limit */
    for (uint32_t i = 0; i < proxied->n_trusted; i++)
        compile_prefix(&proxied->trusted[i], &trusted[i].addr, &trusted[i].len);
    image_builder_bind_proxied(c->b, addr, port, trusted, proxied->n_trusted);
}

/* Puts the lists before an address and port. A list that the image cannot have would leave open
 * what it shuts; the schema has the image's limits. */
static void add_gates(struct compile *c, const struct ip_addr *addr, uint16_t port, bool is_udp,
                      const struct plan_access *const *gates, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct image_access_spec spec = compile_lists(gates[i]);
        int error = image_builder_gate(c->b, addr, port, is_udp, &spec);
        ASSERT(error != -EINVAL);
    }
}

/* Is it a VIP, and not an interface's own? */
static bool is_vip(const struct compile *c, const struct ip_addr *addr)
{
    uint32_t low = 0, high = c->plan->n_addresses;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = memcmp(c->plan->addresses[middle].addr.bytes, addr->bytes, sizeof(addr->bytes));
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* What stands before the addresses of a Gateway, whichever port is asked for. */
static void gate_addresses(struct compile *c, const struct plan_gateway *gateway)
{
    for (uint32_t i = 0; i < gateway->n_addresses && gateway->n_gates > 0; i++) {
        if (is_vip(c, &gateway->addresses[i]))
            add_gates(c, &gateway->addresses[i], 0, false, gateway->gates, gateway->n_gates);
    }
}

/* What stands before an address and port of the listener, and how many may come in. */
static void limit_listener(struct compile *c, const struct plan_listener *listener,
                           const struct ip_addr *addr, bool is_udp)
{
    add_gates(c, addr, listener->port, is_udp, listener->gates, listener->n_gates);
    if (listener->limit != NULL)
        image_builder_bind_limit(
            c->b, addr, listener->port, is_udp,
            &(struct image_conn_limit_spec){listener->limit->name, listener->limit->conns_max,
                                            listener->limit->client_conns_max});
}

/* A port of a Service. Without its set a listener for some clients would be everybody's: it is left
 * out. */
static void bind_service(struct compile *c, const struct plan_listener *listener,
                         uint32_t image_listener)
{
    const struct plan_gateway *service = &c->plan->gateways[listener->gateway];
    struct image_place place = {.port = listener->port, .set = IMAGE_NONE, .is_service = true};
    if (listener->consumer != NULL)
        place.set = compile_client_set(c, listener->consumer);
    for (uint32_t i = 0; i < service->n_addresses; i++) {
        place.addr = service->addresses[i];
        if (listener->consumer == NULL || place.set != IMAGE_NONE)
            image_builder_bind_at(c->b, &place, image_listener);
    }
}

static void bind_listener(struct compile *c, const struct plan_listener *listener, const char *name,
                          uint32_t image_listener)
{
    const struct plan_gateway *gateway = &c->plan->gateways[listener->gateway];
    for (uint32_t i = 0; i < gateway->n_addresses; i++) {
        char text[IP_ADDR_TEXT_MAX];
        const struct ip_addr *addr = &gateway->addresses[i];
        if (image_builder_bind(c->b, addr, listener->port, image_listener) == -EEXIST)
            compile_note(c, "listener %s: another listener has its hostname at %s port %u", name,
                         ip_addr_format(addr, text), listener->port);
        if (listener->protocol == PLAN_UDP || listener->protocol == PLAN_DNS)
            limit_listener(c, listener, addr, true);
        if (listener->protocol == PLAN_UDP)
            continue;
        limit_listener(c, listener, addr, false);
        image_builder_bind_congestion(c->b, addr, listener->port, listener->congestions[i]);
        if (listener->proxied[i] != NULL)
            bind_proxied(c, addr, listener->port, listener->proxied[i]);
    }
}

/* As the image has it. False: it cannot be served. */
static bool image_protocol_of(enum plan_protocol protocol, enum image_protocol *ret)
{
    static const enum image_protocol of_plan[PLAN_PROTOCOL_OTHER + 1] = {
        [PLAN_HTTP] = IMAGE_PROTOCOL_HTTP, [PLAN_HTTPS] = IMAGE_PROTOCOL_HTTPS,
        [PLAN_TLS] = IMAGE_PROTOCOL_TLS,   [PLAN_TLS_TERMINATED] = IMAGE_PROTOCOL_TLS_TERMINATED,
        [PLAN_TCP] = IMAGE_PROTOCOL_TCP,   [PLAN_UDP] = IMAGE_PROTOCOL_UDP,
        [PLAN_DNS] = IMAGE_PROTOCOL_DNS,
    };
    *ret = of_plan[protocol];
    return of_plan[protocol] != 0;
}

static uint32_t add_listener(struct compile *c, const struct plan_listener *listener,
                             const char *name)
{
    enum image_protocol protocol;
    if (!image_protocol_of(listener->protocol, &protocol))
        return IMAGE_NONE;
    uint32_t index =
        image_builder_listener(c->b, name, listener->hostname, protocol, listener->port);
    for (uint32_t i = 0; index != IMAGE_NONE && i < listener->n_identities; i++) {
        const struct plan_identity *identity = &listener->identities[i];
        if (image_builder_identity(c->b, &identity->id, identity->name) != 0)
            compile_note(c, "listener %s: certificate %s", name, identity->name);
    }
    const struct plan_identity *ours = c->plan->gateways[listener->gateway].identity;
    if (index != IMAGE_NONE && ours != NULL)
        image_builder_client_identity(c->b, &ours->id, ours->name);
    const struct plan_clients *clients = listener->clients;
    if (index != IMAGE_NONE && clients != NULL &&
        image_builder_client_auth(c->b, clients->auth, &clients->bundle.id, clients->bundle.name) ==
            -EINVAL)
        return IMAGE_NONE; /* nobody comes in unasked; cannot be: only HTTPS has clients */
    return index;
}

/* "namespace/gateway/listener"; of a ListenerSet "namespace/ListenerSet/set/listener"; of a Service
 * "namespace/service:80", and with whose it is. */
static void listener_name(const struct plan *plan, const struct plan_listener *listener,
                          char ret[COMPILE_NAME_BYTES])
{
    const struct plan_gateway *gateway = &plan->gateways[listener->gateway];
    const struct plan_set *set = listener->set;
    if (gateway->is_service)
        snprintf(ret, COMPILE_NAME_BYTES, "%s/%s:%u%s%s", gateway->namespace, gateway->name,
                 listener->port, listener->consumer != NULL ? " from " : "",
                 listener->consumer != NULL ? listener->consumer : "");
    else if (set == NULL)
        snprintf(ret, COMPILE_NAME_BYTES, "%s/%s/%s", gateway->namespace, gateway->name,
                 listener->name);
    else
        snprintf(ret, COMPILE_NAME_BYTES, "%s/ListenerSet/%s/%s", set->namespace, set->name,
                 listener->name);
}

void compile_listeners(struct compile *c)
{
    for (uint32_t i = 0; i < c->plan->n_listeners; i++) {
        const struct plan_listener *listener = &c->plan->listeners[i];
        char name[COMPILE_NAME_BYTES];
        if (!listener->is_served)
            continue;
        listener_name(c->plan, listener, name);
        c->listeners[i] = add_listener(c, listener, name);
        if (c->listeners[i] == IMAGE_NONE)
            compile_note(c, "listener %s: %s on port %u is not served", name,
                         protocol_name(listener->protocol), listener->port);
        else if (c->plan->gateways[listener->gateway].is_service)
            bind_service(c, listener, c->listeners[i]);
        else
            bind_listener(c, listener, name, c->listeners[i]);
    }
}

/* Says so if the dataplane will not fill a table for each group that wants one. */
static void note_tables(const struct compile *c)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->plan->n_groups; i++)
        n += c->plan->groups[i].balancing == IMAGE_BALANCING_MAGLEV;
    if (n > MAGLEV_GROUPS_MAX)
        compile_note(c,
                     "tables of %u of the %u ports of Services with balancing Maglev (as those of "
                     "TCPRoutes and UDPRoutes have it): most of their keys move when their "
                     "endpoints change",
                     n - MAGLEV_GROUPS_MAX, n);
}

static int compile_all(struct compile *c, void **ret_data, size_t *ret_len)
{
    if (c->in->patterns != NULL)
        image_builder_set_compiler(c->b, regex_cache_compile, c->in->patterns);
    compile_network(c);
    compile_clients(c);
    compile_listeners(c);
    for (uint32_t i = 0; i < c->plan->n_gateways; i++)
        gate_addresses(c, &c->plan->gateways[i]);
    note_tables(c);
    int error = compile_routes(c);
    return error != 0 ? error : image_builder_finish(c->b, c->in->generation, ret_data, ret_len);
}

int compile_image(const struct compile_input *in, void **ret_data, size_t *ret_len)
{
    ASSERT(in->generation != 0);
    struct compile c = {
        .in = in,
        .plan = in->plan,
        .b = image_builder_new(),
        .interfaces = new_map(in->plan->n_interfaces),
        .listeners = new_map(in->plan->n_listeners),
        .client_sets = new_map(in->plan->n_client_sets),
    };
    int error = -ENOMEM;
    if (c.b != NULL && c.interfaces != NULL && c.listeners != NULL && c.client_sets != NULL)
        error = compile_all(&c, ret_data, ret_len);
    image_builder_free(c.b);
    free(c.interfaces);
    free(c.listeners);
    free(c.client_sets);
    return error;
}
