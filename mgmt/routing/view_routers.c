/* SPDX-License-Identifier: Apache-2.0 */
/* VirtualRouters of the view, and why one is not in effect. */
#include "routing/view_priv.h"

#include <string.h>

/* The first by name of an interface and of a number; mgmt/attach/network.c has the same rule. */
static const char *judge_router(const struct routing_view *v, const struct routing_router *r)
{
    for (uint32_t i = 0; i + 1 < v->n_all_routers; i++) {
        const struct routing_router *other = &v->all_routers[i];
        bool is_in_effect = other->reason == NULL;
        if (is_in_effect && strcmp(other->interface, r->interface) == 0) {
            return "another VirtualRouter has the Interface";
        }
        if (is_in_effect && other->id == r->id) {
            return "another VirtualRouter has the routerID";
        }
    }
    return NULL;
}

/* Of each family the first. */
static void read_router_addresses(const json_t *list, struct keepalived_router *k)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        struct ip_addr addr;
        if (k->n_addresses == 2 || !ip_addr_parse(json_string_value(item), &addr)) {
            continue;
        }
        bool is_second = k->n_addresses == 1;
        if (!is_second || ip_addr_is_v4(&k->addresses[0]) != ip_addr_is_v4(&addr)) {
            k->addresses[k->n_addresses++] = addr;
        }
    }
}

static void read_router(const struct walk *w, const json_t *spec, struct routing_router *r,
                        struct keepalived_router *k)
{
    static const struct ip_addr none;
    struct view_local s = {.neighbour = &none, .interface = r->interface};
    view_find_local(w->store, &s);
    memcpy(r->link, s.link, sizeof(r->link));
    *k = (struct keepalived_router){
        .link = r->link,
        .id = r->id,
        .priority = view_number(spec, "priority"),
        .advert_ms = view_number(spec, "advertisementIntervalMilliseconds"),
        .is_preempting = json_is_true(json_object_get(spec, "preempt"))};
    r->message = judge_router(w->v, r);
    r->reason = r->message != NULL ? "Conflict" : NULL;
    if (s.link[0] == '\0') {
        r->reason = "NoInterface";
        r->message = "there is no such Interface";
    }
    read_router_addresses(json_object_get(spec, "addresses"), k);
}

bool view_add_router(void *arg, json_t *object)
{
    const struct walk *w = arg;
    struct routing_view *v = w->v;
    const json_t *metadata = json_object_get(object, "metadata");
    const json_t *spec = json_object_get(object, "spec");
    if (v->n_all_routers == ROUTING_ROUTERS_MAX) {
        return false;
    }
    struct routing_router *r = &v->all_routers[v->n_all_routers++];
    *r = (struct routing_router){.name = text_at(metadata, "name"),
                                 .interface = text_at(spec, "interface"),
                                 .id = view_number(spec, "routerID"),
                                 .generation =
                                     json_integer_value(json_object_get(metadata, "generation"))};
    struct keepalived_router k;
    read_router(w, spec, r, &k);
    if (r->reason == NULL) {
        v->routers[v->n_routers++] = k;
    }
    return true;
}
