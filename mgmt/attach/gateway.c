/* SPDX-License-Identifier: Apache-2.0 */
/* Our GatewayClasses and the Gateways of them: which are accepted. */
#include "attach/attach_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_classes(const void *x, const void *y)
{
    return meta_compare(&((const struct at_class *)x)->meta, &((const struct at_class *)y)->meta);
}

void class_run(struct attach *a)
{
    uint32_t n;
    const json_t **objects = collect(a, MODEL_GATEWAY_CLASS, &n);
    a->classes = ARENA_ARRAY(a->arena, struct at_class, n);
    for (uint32_t i = 0; i < n; i++) {
        const json_t *spec = json_object_get(objects[i], "spec");
        if (strcmp(text_at(spec, "controllerName"), a->controller_name) != 0) {
            continue;
        }
        struct at_class *c = &a->classes[a->n_classes++];
        meta_read(a, &c->meta, objects[i]);
        const json_t *parameters = json_object_get(spec, "parametersRef");
        if (parameters == NULL) {
            c->accepted = VERDICT("True", "Accepted", "Gateways of this class are served");
        } else {
            c->accepted = VERDICT("False", "InvalidParameters",
                                  arena_printf(a->arena,
                                               "parametersRef: %s is not a kind of parameters that "
                                               "this controller knows",
                                               text_at(parameters, "kind")));
        }
    }
    qsort(a->classes, a->n_classes, sizeof(a->classes[0]), compare_classes);
}

static struct at_class *find_class(struct attach *a, const char *name)
{
    for (uint32_t i = 0; i < a->n_classes; i++) {
        if (strcmp(a->classes[i].meta.name, name) == 0) {
            return &a->classes[i];
        }
    }
    return NULL;
}

/* What stands against the Gateway before its listeners are looked at. */
static struct verdict judge_spec(struct attach *a, const struct at_gateway *g)
{
    const json_t *spec = json_object_get(g->meta.obj, "spec");
    if (strcmp(g->class->accepted.status, "True") != 0) {
        return VERDICT(
            "Unknown", "Pending",
            arena_printf(a->arena, "GatewayClass %s is not accepted", g->class->meta.name));
    }
    if (at_path(spec, "infrastructure", "parametersRef") != NULL) {
        return VERDICT("False", "InvalidParameters",
                       "spec.infrastructure.parametersRef: no kind of parameters is known");
    }
    size_t i;
    const json_t *address;
    json_array_foreach(json_object_get(spec, "addresses"), i, address)
    {
        if (strcmp(text_at(address, "type"), "IPAddress") != 0) {
            return VERDICT("False", "UnsupportedAddress",
                           arena_printf(a->arena,
                                        "spec.addresses[%zu]: type %s is not supported, only "
                                        "IPAddress is",
                                        i, text_at(address, "type")));
        }
    }
    const char *scope = text_at(spec, "defaultScope");
    if (scope[0] != '\0' && strcmp(scope, "None") != 0) {
        return VERDICT("False", "Invalid", "spec.defaultScope is not supported");
    }
    return VERDICT("True", "Accepted", "the Gateway is valid");
}

/* The names of the listeners that have a fault, or not, with commas between. */
static const char *listener_names(struct attach *a, const struct at_gateway *g, bool with_fault)
{
    const char *names = "";
    for (uint32_t i = 0; i < g->n_listeners; i++) {
        if ((g->listeners[i].fault != PLAN_LISTENER_OK) == with_fault) {
            names = arena_printf(a->arena, "%s%s%s", names, names[0] != '\0' ? ", " : "",
                                 g->listeners[i].name);
        }
    }
    return names;
}

/* Listeners that are not accepted show in the Gateway; one good one is enough to accept it. */
static void judge_listeners(struct attach *a, struct at_gateway *g)
{
    uint32_t n_bad = 0;
    for (uint32_t i = 0; i < g->n_listeners; i++) {
        n_bad += strcmp(g->listeners[i].accepted.status, "True") != 0;
    }
    if (n_bad == 0 || strcmp(g->accepted.status, "True") != 0) {
        return;
    }
    bool is_served = n_bad < g->n_listeners;
    g->accepted = VERDICT(is_served ? "True" : "False", "ListenersNotValid",
                          arena_printf(a->arena, "listeners not valid: %s; valid: %s",
                                       listener_names(a, g, true), listener_names(a, g, false)));
}

static int compare_gateways(const void *x, const void *y)
{
    return meta_compare(&((const struct at_gateway *)x)->meta,
                        &((const struct at_gateway *)y)->meta);
}

static int compare_full_names(const void *x, const void *y)
{
    const struct at_gateway *const *a = x;
    const struct at_gateway *const *b = y;
    return strcmp((*a)->meta.full_name, (*b)->meta.full_name);
}

struct at_gateway **gateway_list_sort(struct attach *a, struct at_gateway *list, uint32_t n)
{
    struct at_gateway **by_name = ARENA_ARRAY(a->arena, struct at_gateway *, n);
    qsort(list, n, sizeof(list[0]), compare_gateways);
    for (uint32_t i = 0; i < n; i++) {
        by_name[i] = &list[i];
    }
    qsort(by_name, n, sizeof(by_name[0]), compare_full_names);
    return by_name;
}

struct at_gateway *gateway_list_find(struct at_gateway *const *by_name, uint32_t n,
                                     const char *namespace, const char *name)
{
    char full_name[512];
    int len = snprintf(full_name, sizeof(full_name), "%s/%s", namespace, name);
    if (len < 0 || (size_t)len >= sizeof(full_name) || n == 0) {
        return NULL;
    }
    struct at_gateway key = {.meta.full_name = full_name};
    const struct at_gateway *wanted = &key;
    struct at_gateway *const *found =
        bsearch(&wanted, by_name, n, sizeof(by_name[0]), compare_full_names);
    return found != NULL ? *found : NULL;
}

struct at_gateway *gateway_find(const struct attach *a, const char *namespace, const char *name)
{
    return gateway_list_find(a->gateways_by_name, a->n_gateways, namespace, name);
}

bool gateway_is_servable(const struct at_gateway *g)
{
    bool any = false;
    for (uint32_t i = 0; i < g->n_all && !any; i++) {
        any = g->all[i]->fault == PLAN_LISTENER_OK;
    }
    return any && strcmp(g->accepted.status, "True") == 0;
}

static void judge(struct attach *a, struct at_gateway *g)
{
    g->accepted = judge_spec(a, g);
    certificate_run_backend(a, g);
    g->listeners =
        listener_read_all(a, at_path(g->meta.obj, "spec", "listeners"), g, NULL, &g->n_listeners);
    listener_judge_conflicts(a, g->listeners, g->n_listeners);
    judge_listeners(a, g);
    if (strcmp(g->accepted.status, "True") != 0) {
        bool is_pending = strcmp(g->accepted.status, "Unknown") == 0;
        g->not_programmed =
            VERDICT(g->accepted.status, is_pending ? "Pending" : "Invalid", g->accepted.message);
    } else if (listener_names(a, g, false)[0] == '\0') {
        g->not_programmed = VERDICT("False", "Invalid", "no listener can be served");
    }
}

void gateway_run(struct attach *a)
{
    uint32_t n;
    const json_t **objects = collect(a, MODEL_GATEWAY, &n);
    a->gateways = ARENA_ARRAY(a->arena, struct at_gateway, n);
    for (uint32_t i = 0; i < n; i++) {
        const json_t *spec = json_object_get(objects[i], "spec");
        struct at_class *class = find_class(a, text_at(spec, "gatewayClassName"));
        if (class != NULL) {
            struct at_gateway *g = &a->gateways[a->n_gateways++];
            meta_read(a, &g->meta, objects[i]);
            g->class = class;
            class->in_use = true;
        }
    }
    a->gateways_by_name = gateway_list_sort(a, a->gateways, a->n_gateways);
    for (uint32_t i = 0; i < a->n_gateways; i++) {
        a->gateways[i].index = i;
        judge(a, &a->gateways[i]);
    }
}
