/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoint groups: one a Service port, with the endpoints of its EndpointSlices. A slice's port
 * belongs to the Service's port of the same name and has the real number (targetPort is already
 * applied by whoever made the slice).
 */
#include "attach/attach_priv.h"

#include "base/siphash.h"

#include <stdlib.h>
#include <string.h>

#define SERVICE_LABEL "kubernetes.io/service-name"

static int compare_slices(const void *x, const void *y)
{
    return strcmp(((const struct at_slice *)x)->key, ((const struct at_slice *)y)->key);
}

void group_init(struct attach *a)
{
    const json_t **objects = collect(a, MODEL_ENDPOINT_SLICE, &a->n_slices);
    a->slices = ARENA_ARRAY(a->arena, struct at_slice, a->n_slices);
    for (uint32_t i = 0; i < a->n_slices; i++) {
        const json_t *meta = json_object_get(objects[i], "metadata");
        const char *service = text_at(json_object_get(meta, "labels"), SERVICE_LABEL);
        a->slices[i] = (struct at_slice){
            .obj = objects[i],
            .key = arena_printf(a->arena, "%s/%s", text_at(meta, "namespace"), service),
        };
    }
    qsort(a->slices, a->n_slices, sizeof(a->slices[0]), compare_slices);
}

/* The slices of a Service: the first, and how many. O(log slices). */
static const struct at_slice *find_slices(const struct attach *a, const char *key, uint32_t *ret_n)
{
    uint32_t low = 0;
    uint32_t high = a->n_slices;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(a->slices[middle].key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    uint32_t end = low;
    while (end < a->n_slices && strcmp(a->slices[end].key, key) == 0) {
        end++;
    }
    *ret_n = end - low;
    return &a->slices[low];
}

/* The number of the slice's TCP port with this name; 0: it has none. */
static uint16_t slice_port(const json_t *slice, const char *name)
{
    size_t i;
    const json_t *port;
    json_array_foreach(json_object_get(slice, "ports"), i, port)
    {
        if (strcmp(text_at(port, "name"), name) == 0 && port_is_tcp(port)) {
            return (uint16_t)int_at(port, "port");
        }
    }
    return 0;
}

/* Kubernetes, EndpointConditions: ready not given is true, serving not given is as ready. */
static uint32_t endpoint_flags(const json_t *endpoint)
{
    const json_t *conditions = json_object_get(endpoint, "conditions");
    const json_t *serving = json_object_get(conditions, "serving");
    bool is_ready = !json_is_false(json_object_get(conditions, "ready"));
    bool is_serving = serving != NULL ? json_is_true(serving) : is_ready;
    bool is_terminating = json_is_true(json_object_get(conditions, "terminating"));
    return (is_ready ? (uint32_t)ENDPOINT_READY : 0) |
           (is_serving ? (uint32_t)ENDPOINT_SERVING : 0) |
           (is_terminating ? (uint32_t)ENDPOINT_TERMINATING : 0);
}

static int compare_endpoints(const void *x, const void *y)
{
    const struct endpoint *a = x;
    const struct endpoint *b = y;
    int by_addr = memcmp(a->addr.bytes, b->addr.bytes, 16);
    return by_addr != 0 ? by_addr : (int)a->port - (int)b->port;
}

/* Adds the endpoints of a slice: of each the first address, others have no meaning. */
static uint32_t add_slice(const json_t *slice, const char *port_name, struct endpoint *list)
{
    uint16_t port = slice_port(slice, port_name);
    uint32_t n = 0;
    size_t i;
    const json_t *endpoint;
    json_array_foreach(json_object_get(slice, "endpoints"), i, endpoint)
    {
        const json_t *address = json_array_get(json_object_get(endpoint, "addresses"), 0);
        struct endpoint e = {.port = port, .weight = 1, .flags = endpoint_flags(endpoint)};
        if (port != 0 && address != NULL && ip_addr_parse(json_string_value(address), &e.addr) &&
            !ip_addr_is_zero(&e.addr)) {
            list[n++] = e;
        }
    }
    return n;
}

/* Sorted, each once: while slices are rebuilt an endpoint may be in two; then what either says of
 * it holds. */
static uint32_t sort_endpoints(struct endpoint *list, uint32_t n)
{
    uint32_t kept = 0;
    qsort(list, n, sizeof(list[0]), compare_endpoints);
    for (uint32_t i = 0; i < n; i++) {
        if (kept > 0 && compare_endpoints(&list[kept - 1], &list[i]) == 0) {
            list[kept - 1].flags |= list[i].flags;
        } else {
            list[kept++] = list[i];
        }
    }
    return kept < ENDPOINTS_PER_GROUP_MAX ? kept : ENDPOINTS_PER_GROUP_MAX;
}

static void read_endpoints(struct attach *a, const char *key, const char *port_name,
                           struct plan_group *ret)
{
    uint32_t n_slices;
    const struct at_slice *slices = find_slices(a, key, &n_slices);
    size_t room = 0;
    for (uint32_t i = 0; i < n_slices; i++) {
        room += json_array_size(json_object_get(slices[i].obj, "endpoints"));
    }
    struct endpoint *list = ARENA_ARRAY(a->arena, struct endpoint, room);
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_slices; i++) {
        n += add_slice(slices[i].obj, port_name, list + n);
    }
    ret->endpoints = list;
    ret->n_endpoints = sort_endpoints(list, n);
}

/* Names of Services are chosen by people who may configure the appliance anyway. */
static const struct siphash_key no_key;

uint32_t group_of(struct attach *a, const char *namespace, const json_t *service,
                  const json_t *port)
{
    const char *service_name = text_at(json_object_get(service, "metadata"), "name");
    const char *key = arena_printf(a->arena, "%s/%s", namespace, service_name);
    const char *name = arena_printf(a->arena, "%s:%lld", key, (long long)int_at(port, "port"));
    struct at_group **bucket = &a->groups[siphash(&no_key, name, strlen(name)) % AT_GROUP_BUCKETS];
    for (struct at_group *g = *bucket; g != NULL; g = g->next) {
        if (strcmp(g->plan.name, name) == 0) {
            return g->index;
        }
    }
    struct at_group *g = ARENA_NEW(a->arena, struct at_group);
    g->plan.name = name;
    g->plan.congestion = policy_of_service(a, namespace, service_name, text_at(port, "name"));
    g->index = a->n_groups++;
    g->next = *bucket;
    *bucket = g;
    read_endpoints(a, key, text_at(port, "name"), &g->plan);
    return g->index;
}
