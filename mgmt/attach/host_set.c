/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which hostnames the routes of each kind have on each listener: on one listener a host belongs to
 * HTTPRoutes or to GRPCRoutes (GRPCRouteSpec.hostnames), so each route has to be held against all
 * of the other kind. A name is kept with counts, and so is what is behind each of its dots; so a
 * hostname asks no more entries than it has labels, whatever the number of routes.
 */
#include "attach/attach_priv.h"

#include "base/assert.h"
#include "base/siphash.h"

#include <string.h>

void host_set_init(struct attach *a, uint32_t n_routes)
{
    a->n_host_buckets = 64;
    while (a->n_host_buckets < n_routes) {
        a->n_host_buckets *= 2;
    }
    a->hosts = ARENA_ARRAY(a->arena, struct at_host *, a->n_host_buckets);
}

/* Names of hosts are chosen by people who may configure the appliance anyway. */
static struct at_host **bucket_of(const struct attach *a, const struct at_listener *l,
                                  const char *name)
{
    const struct siphash_key key = {(uintptr_t)l, 0};
    return &a->hosts[siphash(&key, name, strlen(name)) % a->n_host_buckets];
}

static struct at_host *find(const struct attach *a, const struct at_listener *l, const char *name)
{
    struct at_host *h = *bucket_of(a, l, name);
    while (h != NULL && (h->listener != l || strcmp(h->name, name) != 0)) {
        h = h->next;
    }
    return h;
}

static struct at_host *find_or_make(struct attach *a, const struct at_listener *l, const char *name)
{
    struct at_host *h = find(a, l, name);
    if (h == NULL) {
        struct at_host **bucket = bucket_of(a, l, name);
        h = ARENA_NEW(a->arena, struct at_host);
        *h = (struct at_host){.listener = l, .name = name, .next = *bucket};
        *bucket = h;
    }
    return h;
}

/* Is it all names below what *ret_name becomes, or the name itself? */
static bool is_wild(const char *hostname, const char **ret_name)
{
    bool is = hostname == NULL || strncmp(hostname, "*.", 2) == 0;
    *ret_name = hostname == NULL ? "" : is ? hostname + 2 : hostname;
    return is;
}

/* "example.com" of "a.example.com", "" of "com". */
static const char *parent_of(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot != NULL ? dot + 1 : "";
}

static void count(struct attach *a, const struct at_attachment *at, const char *hostname,
                  uint32_t by)
{
    enum image_route_kind kind = route_kind(at->route);
    const char *name;
    bool is = is_wild(hostname, &name);
    struct at_host_use *use = &find_or_make(a, at->listener, name)->uses[kind];
    *(is ? &use->n_wild : &use->n_exact) += by;
    use->who = at->route;
    while (name[0] != '\0') {
        name = parent_of(name);
        use = &find_or_make(a, at->listener, name)->uses[kind];
        use->n_below += by;
        use->who = at->route;
    }
}

void host_set_add(struct attach *a, const struct at_attachment *at)
{
    for (uint32_t i = 0; i < at->n_hostnames; i++) {
        count(a, at, at->hostnames[i], 1);
    }
}

void host_set_remove(struct attach *a, const struct at_attachment *at)
{
    for (uint32_t i = 0; i < at->n_hostnames; i++) {
        count(a, at, at->hostnames[i], UINT32_MAX); /* one less */
    }
}

const struct at_route *host_set_find(const struct attach *a, const struct at_listener *l,
                                     enum image_route_kind kind, const char *hostname)
{
    const char *name;
    bool is = is_wild(hostname, &name);
    const struct at_host *h = find(a, l, name);
    if (h != NULL && (is ? h->uses[kind].n_wild + h->uses[kind].n_below : h->uses[kind].n_exact)) {
        return h->uses[kind].who;
    }
    while (name[0] != '\0') {
        name = parent_of(name);
        h = find(a, l, name);
        if (h != NULL && h->uses[kind].n_wild > 0) {
            return h->uses[kind].who;
        }
    }
    return NULL;
}
