/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which client is of which namespace, where a namespace has routes of its own to another's Service
 * (consumer routes, GEP-1294, "Namespace boundaries"). What a client shows is its address, and what
 * tells whose that is are Pods, which a cluster's mirror brings of just these namespaces, and
 * EndpointSlices: an endpoint that is a Pod is of its slice's namespace. Where nobody brings Pods,
 * one that no Service selects is of none.
 *
 * An address that pods of two namespaces have (the node's, of pods on its network) tells nothing:
 * its clients get what all others get. Nor does that of a Pod that has ended: another may have it.
 */
#include "attach/attach_priv.h"

#include <stdlib.h>
#include <string.h>

/* A pod. */
struct pod {
    struct ip_addr addr;
    const char *namespace;
};

static int compare_pods(const void *x, const void *y)
{
    const struct pod *a = x, *b = y;
    int by_addr = memcmp(a->addr.bytes, b->addr.bytes, sizeof(a->addr.bytes));
    return by_addr != 0 ? by_addr : strcmp(a->namespace, b->namespace);
}

static int compare_texts(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* The namespace's place; PLAN_NONE: it has no routes of its own. O(log n). */
static uint32_t set_of(const struct attach *a, const char *namespace)
{
    const char *const *found = bsearch(&namespace, a->plan.client_sets, a->plan.n_client_sets,
                                       sizeof(a->plan.client_sets[0]), compare_texts);
    return found != NULL ? (uint32_t)(found - a->plan.client_sets) : PLAN_NONE;
}

/* The namespaces with routes of their own, each once. */
static void list_sets(struct attach *a)
{
    size_t room = 0;
    for (uint32_t i = 0; i < a->n_services; i++) {
        room += a->services[i].n_listeners;
    }
    const char **list = ARENA_ARRAY(a->arena, const char *, room);
    uint32_t n = 0, kept = 0;
    for (uint32_t i = 0; i < a->n_services; i++) {
        const struct at_gateway *g = &a->services[i];
        for (uint32_t j = 0; j < g->n_listeners; j++) {
            const struct at_listener *l = &g->listeners[j];
            if (l->consumer != NULL && l->kinds_asked != 0 && g->n_addresses > 0) {
                list[n++] = l->consumer;
            }
        }
    }
    if (n > 0) {
        qsort(list, n, sizeof(list[0]), compare_texts);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (kept == 0 || strcmp(list[kept - 1], list[i]) != 0) {
            list[kept++] = list[i];
        }
    }
    a->plan.client_sets = list;
    a->plan.n_client_sets = kept;
}

/* Has it an address of its own? */
static bool has_address(const json_t *pod)
{
    const char *phase = text_at(json_object_get(pod, "status"), "phase");
    return !json_is_true(at_path(pod, "spec", "hostNetwork")) && strcmp(phase, "Succeeded") != 0 &&
           strcmp(phase, "Failed") != 0;
}

/* The addresses of a Pod; `ret` has room for all. Returns how many. */
static size_t addresses_of(const json_t *pod, struct pod *ret)
{
    size_t n = 0, i;
    const json_t *address;
    json_array_foreach(at_path(pod, "status", "podIPs"), i, address)
    {
        if (has_address(pod) && ip_addr_parse(text_at(address, "ip"), &ret[n].addr)) {
            ret[n++].namespace = text_at(json_object_get(pod, "metadata"), "namespace");
        }
    }
    return n;
}

/* Walks the addresses of a slice's pods; `ret` has room for all. Returns how many. */
static size_t pods_of(const json_t *slice, struct pod *ret)
{
    const char *namespace = text_at(json_object_get(slice, "metadata"), "namespace");
    size_t n = 0, i, j;
    const json_t *endpoint, *address;
    json_array_foreach(json_object_get(slice, "endpoints"), i, endpoint)
    {
        if (strcmp(text_at(json_object_get(endpoint, "targetRef"), "kind"), "Pod") != 0) {
            continue;
        }
        json_array_foreach(json_object_get(endpoint, "addresses"), j, address)
        {
            if (ip_addr_parse(json_string_value(address), &ret[n].addr)) {
                ret[n++].namespace = namespace;
            }
        }
    }
    return n;
}

static size_t count_addresses(const json_t *slice)
{
    size_t n = 0, i;
    const json_t *endpoint;
    json_array_foreach(json_object_get(slice, "endpoints"), i, endpoint)
    {
        n += json_array_size(json_object_get(endpoint, "addresses"));
    }
    return n;
}

/* All pods that there are, by address. */
static struct pod *list_pods(struct attach *a, size_t *ret_n)
{
    size_t room = 0, n = 0;
    uint32_t n_objects;
    const json_t **objects = collect(a, MODEL_POD, &n_objects);
    for (uint32_t i = 0; i < a->n_slices; i++) {
        room += count_addresses(a->slices[i].obj);
    }
    for (uint32_t i = 0; i < n_objects; i++) {
        room += json_array_size(at_path(objects[i], "status", "podIPs"));
    }
    struct pod *pods = ARENA_ARRAY(a->arena, struct pod, room);
    for (uint32_t i = 0; i < a->n_slices; i++) {
        n += pods_of(a->slices[i].obj, pods + n);
    }
    for (uint32_t i = 0; i < n_objects; i++) {
        n += addresses_of(objects[i], pods + n);
    }
    if (n > 0) {
        qsort(pods, n, sizeof(pods[0]), compare_pods);
    }
    *ret_n = n;
    return pods;
}

/* Pods of one address: a client, if one namespace has them, and it has routes of its own. */
static void add_client(struct attach *a, struct plan_client *clients, const struct pod *pods,
                       size_t n)
{
    bool is_known = false;
    for (size_t i = 0; i < n; i++) {
        is_known |= set_of(a, pods[i].namespace) != PLAN_NONE;
    }
    if (!is_known) {
        return;
    }
    a->known_clients[a->n_known_clients++] = pods[0].addr;
    if (strcmp(pods[0].namespace, pods[n - 1].namespace) == 0) {
        clients[a->plan.n_clients++] =
            (struct plan_client){.addr = pods[0].addr, .set = set_of(a, pods[0].namespace)};
    }
}

void service_clients_run(struct attach *a)
{
    list_sets(a);
    if (a->plan.n_client_sets == 0) {
        return;
    }
    size_t n;
    const struct pod *pods = list_pods(a, &n);
    struct plan_client *clients = ARENA_ARRAY(a->arena, struct plan_client, n);
    a->known_clients = ARENA_ARRAY(a->arena, struct ip_addr, n);
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && ip_addr_eq(&pods[first].addr, &pods[end].addr);) {
            end++;
        }
        add_client(a, clients, &pods[first], end - first);
    }
    a->plan.clients = clients;
}

static int compare_addresses(const void *x, const void *y)
{
    return memcmp(((const struct ip_addr *)x)->bytes, ((const struct ip_addr *)y)->bytes, 16);
}

bool service_clients_know(const struct attach *a, const json_t *slice)
{
    if (a->plan.n_client_sets == 0) {
        return false;
    }
    if (set_of(a, text_at(json_object_get(slice, "metadata"), "namespace")) != PLAN_NONE) {
        return true;
    }
    size_t n = count_addresses(slice);
    struct pod *pods = calloc(n + 1, sizeof(*pods));
    bool is_known = pods == NULL;
    n = pods != NULL ? pods_of(slice, pods) : 0;
    for (size_t i = 0; i < n && !is_known && a->n_known_clients > 0; i++) {
        is_known = bsearch(&pods[i].addr, a->known_clients, a->n_known_clients,
                           sizeof(a->known_clients[0]), compare_addresses) != NULL;
    }
    free(pods);
    return is_known;
}
