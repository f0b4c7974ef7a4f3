/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backends: what each is (endpoints of its own, or a name), and where it is now. What DNS has not
 * said yet since mgmtd began, the Backend's own status remembers: so a new mgmtd takes nothing away
 * that serves.
 */
#include "attach/attach_priv.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

static int compare_endpoints(const void *x, const void *y)
{
    const struct endpoint *a = x;
    const struct endpoint *b = y;
    int by_addr = memcmp(a->addr.bytes, b->addr.bytes, 16);
    return by_addr != 0 ? by_addr : (int)a->port - (int)b->port;
}

/* Sorted, each once. */
static uint32_t sort(struct endpoint *list, uint32_t n)
{
    uint32_t kept = 0;
    if (n > 0) {
        qsort(list, n, sizeof(list[0]), compare_endpoints);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (kept == 0 || compare_endpoints(&list[kept - 1], &list[i]) != 0) {
            list[kept++] = list[i];
        }
    }
    return kept;
}

static struct endpoint endpoint_at(const struct ip_addr *addr, uint16_t port)
{
    return (struct endpoint){
        .addr = *addr, .port = port, .weight = 1, .flags = ENDPOINT_READY | ENDPOINT_SERVING};
}

/* ---- fixed endpoints ---- */

static void read_endpoints(struct attach *a, struct at_backend *b, const json_t *list)
{
    b->endpoints = ARENA_ARRAY(a->arena, struct endpoint, json_array_size(list));
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        struct ip_addr addr;
        if (ip_addr_parse(text_at(item, "address"), &addr)) {
            b->endpoints[b->n_endpoints++] = endpoint_at(&addr, (uint16_t)int_at(item, "port"));
        }
    }
    b->n_endpoints = sort(b->endpoints, b->n_endpoints);
    b->state = RESOLVE_GOOD;
}

/* ---- names ---- */

static const json_t *dns_of(const struct at_backend *b)
{
    return at_path(b->meta.obj, "spec", "dns");
}

static uint16_t port_of(const struct at_backend *b)
{
    return (uint16_t)int_at(dns_of(b), "port");
}

bool backend_wants(const struct at_backend *b, enum resolve_family family)
{
    static const char *const names[RESOLVE_FAMILIES] = {
        [RESOLVE_IPV4] = "IPv4", [RESOLVE_IPV6] = "IPv6"};
    const char *only = text_at(dns_of(b), "family");
    return strcmp(only, "Any") == 0 || strcmp(only, names[family]) == 0;
}

static void add_addr(struct at_backend *b, const struct ip_addr *addr)
{
    if (b->n_endpoints < RESOLVE_FAMILIES * RESOLVE_ADDRS_MAX) {
        b->endpoints[b->n_endpoints++] = endpoint_at(addr, port_of(b));
    }
}

/* What the status says of the same name, in one family. */
static void remember(struct at_backend *b, enum resolve_family family)
{
    const json_t *status = json_object_get(b->meta.obj, "status");
    uint32_t before = b->n_endpoints;
    if (strcmp(text_at(status, "dnsName"), b->dns_name) != 0) {
        return;
    }
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(status, "addresses"), i, item)
    {
        struct ip_addr addr;
        if (ip_addr_parse(text_at(item, "address"), &addr) && ip_addr_is_reachable(&addr) &&
            ip_addr_is_v4(&addr) == (family == RESOLVE_IPV4)) {
            add_addr(b, &addr);
        }
    }
    b->is_remembered |= b->n_endpoints > before;
}

/* Of two families, what has to be said first. */
static bool comes_first(enum resolve_state x, enum resolve_state y)
{
    static const int rank[] = {
        [RESOLVE_STALE] = 0, [RESOLVE_PENDING] = 1, [RESOLVE_GOOD] = 2, [RESOLVE_ABSENT] = 3};
    return rank[x] < rank[y];
}

static void take_answer(struct at_backend *b, enum resolve_family family,
                        const struct resolve_answer *answer, bool is_first)
{
    for (uint32_t i = 0; i < answer->n; i++) {
        add_addr(b, &answer->addrs[i]);
    }
    if (answer->state == RESOLVE_PENDING) {
        remember(b, family);
    }
    b->n_unfit += answer->n_unfit;
    if (is_first || comes_first(answer->state, b->state)) {
        b->state = answer->state;
        b->fault = answer->fault;
    }
}

bool backend_look_up(struct at_backend *b, const struct attach_input *in)
{
    bool is_first = true;
    if (b->dns_name == NULL) {
        return false;
    }
    b->n_endpoints = b->n_unfit = 0;
    b->is_remembered = false;
    for (int family = 0; family < RESOLVE_FAMILIES; family++) {
        struct resolve_answer answer = {.state = RESOLVE_PENDING};
        if (!backend_wants(b, (enum resolve_family)family)) {
            continue;
        }
        if (in->lookup != NULL) {
            answer = in->lookup(in->lookup_arg, b->dns_name, (enum resolve_family)family);
        }
        take_answer(b, (enum resolve_family)family, &answer, is_first);
        is_first = false;
    }
    b->n_endpoints = sort(b->endpoints, b->n_endpoints);
    return true;
}

bool backend_has_port(const struct at_backend *b, int64_t port)
{
    bool has = true;
    if (b->dns_name != NULL) {
        return port_of(b) == port;
    }
    for (uint32_t i = 0; i < b->n_endpoints; i++) {
        has &= b->endpoints[i].port == port;
    }
    return has;
}

/* ---- all of them ---- */

/* A Service with one port for each protocol, which all have what the Backend says of them. */
static const json_t *make_service(struct attach *a, const struct at_backend *b)
{
    const json_t *spec = json_object_get(b->meta.obj, "spec");
    json_t *ports = json_array();
    size_t i;
    const json_t *protocol;
    json_array_foreach(json_object_get(spec, "protocols"), i, protocol)
    {
        json_array_append_new(ports,
                              json_pack("{s:s, s:O*}", "protocol", json_string_value(protocol),
                                        "appProtocol", json_object_get(spec, "appProtocol")));
    }
    json_t *service = json_pack("{s:{s:o}}", "spec", "ports", ports);
    ASSERT(service != NULL);
    json_array_append_new(a->held, service);
    return service;
}

static void read_backend(struct attach *a, const struct attach_input *in, struct at_backend *b)
{
    const json_t *spec = json_object_get(b->meta.obj, "spec");
    const json_t *tls = json_object_get(spec, "tls");
    b->key = backend_key(a, b->meta.namespace, b->meta.name);
    b->as_service = make_service(a, b);
    b->has_tls = tls != NULL;
    if (b->has_tls) {
        secured_read(a, &b->meta, "Backend", "spec.tls", tls, &b->secured);
    }
    if (dns_of(b) == NULL) {
        read_endpoints(a, b, json_object_get(spec, "endpoints"));
        return;
    }
    b->dns_name = text_at(dns_of(b), "name");
    b->endpoints =
        ARENA_ARRAY(a->arena, struct endpoint, (size_t)RESOLVE_FAMILIES * RESOLVE_ADDRS_MAX);
    backend_look_up(b, in);
}

static int compare_backends(const void *x, const void *y)
{
    return strcmp(((const struct at_backend *)x)->meta.full_name,
                  ((const struct at_backend *)y)->meta.full_name);
}

void backend_kind_run(struct attach *a, const struct attach_input *in)
{
    const json_t **objects = collect(a, MODEL_BACKEND, &a->n_backends);
    a->backends = ARENA_ARRAY(a->arena, struct at_backend, a->n_backends);
    for (uint32_t i = 0; i < a->n_backends; i++) {
        meta_read(a, &a->backends[i].meta, objects[i]);
        read_backend(a, in, &a->backends[i]);
    }
    qsort(a->backends, a->n_backends, sizeof(a->backends[0]), compare_backends);
}
