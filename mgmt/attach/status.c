/* SPDX-License-Identifier: Apache-2.0 */
/* Walks everything that has a status of ours. See attach_status_foreach(). */
#include "attach/status.h"

#include <stdlib.h>
#include <string.h>

/* The object as the source has it now; NULL if it is gone or another one of the same name. */
static const json_t *current(const struct attach_status_input *in, enum model_type_id type,
                             const struct at_meta *meta)
{
    const char *namespace = meta->namespace[0] != '\0' ? meta->namespace : NULL;
    const json_t *obj = in->source->get(in->source->ctx, model_type(type), namespace, meta->name);
    const json_t *uid = at_path(obj, "metadata", "uid");
    bool is_same = obj != NULL && (uid == NULL || strcmp(json_string_value(uid), meta->uid) == 0);
    return is_same ? obj : NULL;
}

static bool differs(const json_t *obj, const json_t *status)
{
    const json_t *old = json_object_get(obj, "status");
    return old == NULL || !json_equal(old, status);
}

/* Hands a status on. */
static int tell(attach_status_fn fn, void *arg, enum model_type_id type, const struct at_meta *meta,
                const json_t *obj, json_t *status, enum attach_finalizer finalizer)
{
    struct attach_status s = {
        .type = model_type(type),
        .namespace = meta->namespace[0] != '\0' ? meta->namespace : NULL,
        .name = meta->name,
        .uid = meta->uid,
        .status = status,
        .differs = differs(obj, status),
        .finalizer = finalizer,
    };
    int rc = fn(arg, &s);
    json_decref(status);
    return rc;
}

static enum attach_finalizer class_finalizer(const struct at_class *c, const json_t *obj)
{
    bool has = false;
    size_t i;
    const json_t *item;
    json_array_foreach(at_path(obj, "metadata", "finalizers"), i, item)
    {
        has |= strcmp(json_string_value(item), ATTACH_CLASS_FINALIZER) == 0;
    }
    if (has == c->in_use) {
        return ATTACH_FINALIZER_KEEP;
    }
    return c->in_use ? ATTACH_FINALIZER_ADD : ATTACH_FINALIZER_REMOVE;
}

static int tell_classes(const struct attach *a, const struct attach_status_input *in,
                        attach_status_fn fn, void *arg)
{
    int rc = 0;
    for (uint32_t i = 0; i < a->n_classes && rc == 0; i++) {
        const struct at_class *c = &a->classes[i];
        const json_t *obj = current(in, MODEL_GATEWAY_CLASS, &c->meta);
        if (obj != NULL) {
            rc = tell(fn, arg, MODEL_GATEWAY_CLASS, &c->meta, obj,
                      status_of_class(a, c, obj, in->now), class_finalizer(c, obj));
        }
    }
    return rc;
}

static bool is_served(const struct attach_status_input *in, const struct at_meta *meta)
{
    return in->is_served != NULL && in->is_served(in->is_served_arg, meta->uid, meta->generation);
}

#define DIGEST_FACTOR UINT64_C(0x9E3779B97F4A7C15)

/* Another one for each other set of numbers. */
static uint64_t attached_of(const struct at_listener *listeners, uint32_t n)
{
    uint64_t digest = 0;
    for (uint32_t i = 0; i < n; i++) {
        digest = digest * DIGEST_FACTOR + listeners[i].n_attached_routes + 1;
    }
    return digest;
}

/* The object's; 0: it has none. */
static uint64_t version_of(const json_t *obj)
{
    return strtoull(text_at(json_object_get(obj, "metadata"), "resourceVersion"), NULL, 10);
}

static int tell_gateway(const struct attach *a, struct at_gateway *g,
                        const struct attach_status_input *in, attach_status_fn fn, void *arg)
{
    const json_t *obj = current(in, MODEL_GATEWAY, &g->meta);
    bool is_now_served = is_served(in, &g->meta);
    uint64_t attached = attached_of(g->listeners, g->n_listeners);
    uint64_t now_for = (attached * DIGEST_FACTOR + g->n_sets) * 2 + is_now_served;
    uint64_t version = version_of(obj);
    bool is_settled = version != 0 && g->settled_version == version && g->settled_for == now_for;
    if (obj == NULL || is_settled) {
        return 0;
    }
    json_t *status = status_of_gateway(a, g, obj, in->now, is_now_served);
    g->settled_version = differs(obj, status) ? 0 : version;
    g->settled_for = now_for;
    return tell(fn, arg, MODEL_GATEWAY, &g->meta, obj, status, ATTACH_FINALIZER_KEEP);
}

static int tell_gateways(const struct attach *a, const struct attach_status_input *in,
                         attach_status_fn fn, void *arg)
{
    int rc = 0;
    for (uint32_t i = 0; i < a->n_gateways && rc == 0; i++) {
        rc = tell_gateway(a, &a->gateways[i], in, fn, arg);
    }
    return rc;
}

static int tell_set(struct at_set *set, const struct attach_status_input *in, attach_status_fn fn,
                    void *arg)
{
    bool is_now_served = set->is_let_in && is_served(in, &set->meta);
    uint64_t attached = attached_of(set->listeners, set->n_listeners);
    if (set->is_settled && set->was_served == is_now_served && set->attached == attached) {
        return 0;
    }
    const json_t *obj = current(in, MODEL_LISTENER_SET, &set->meta);
    if (obj == NULL) {
        return 0;
    }
    json_t *status = status_of_set(set, obj, in->now, is_now_served);
    set->was_served = is_now_served;
    set->attached = attached;
    set->is_settled = !differs(obj, status);
    if (set->is_settled) {
        json_decref(status);
        return 0;
    }
    return tell(fn, arg, MODEL_LISTENER_SET, &set->meta, obj, status, ATTACH_FINALIZER_KEEP);
}

static int tell_sets(const struct attach *a, const struct attach_status_input *in,
                     attach_status_fn fn, void *arg)
{
    int rc = 0;
    for (uint32_t i = 0; i < a->n_sets && rc == 0; i++) {
        rc = tell_set(a->sets[i], in, fn, arg);
    }
    return rc;
}

static int tell_routes(struct attach *a, const struct attach_status_input *in, attach_status_fn fn,
                       void *arg)
{
    int rc = 0;
    for (uint32_t i = 0; i < a->n_routes && rc == 0; i++) {
        struct at_route *r = a->routes[i];
        if (r->is_settled) {
            continue;
        }
        const json_t *obj = current(in, r->type, &r->meta);
        json_t *status = obj != NULL ? status_of_route(a, r, obj, in->now) : NULL;
        r->is_settled = obj != NULL && (status == NULL || !differs(obj, status));
        if (r->is_settled) {
            json_decref(status);
        } else if (status != NULL) {
            rc = tell(fn, arg, r->type, &r->meta, obj, status, ATTACH_FINALIZER_KEEP);
        }
    }
    return rc;
}

static int tell_policies(struct attach *a, const struct at_policies *policies,
                         const struct attach_status_input *in, attach_status_fn fn, void *arg)
{
    int rc = 0;
    for (uint32_t i = 0; i < policies->n && rc == 0; i++) {
        const struct at_policy *p = &policies->all[i];
        const json_t *obj = current(in, policies->type, &p->meta);
        bool is_tls = policies->type == MODEL_BACKEND_TLS_POLICY;
        json_t *(*status_of)(struct attach *, const struct at_policy *, const json_t *,
                             const char *) = is_tls ? status_of_tls_policy : status_of_policy;
        json_t *status = obj != NULL ? status_of(a, p, obj, in->now) : NULL;
        if (status != NULL) {
            rc = tell(fn, arg, policies->type, &p->meta, obj, status, ATTACH_FINALIZER_KEEP);
        }
    }
    return rc;
}

static int tell_backends(const struct attach *a, const struct attach_status_input *in,
                         attach_status_fn fn, void *arg)
{
    int rc = 0;
    for (uint32_t i = 0; i < a->n_backends && rc == 0; i++) {
        const struct at_backend *b = &a->backends[i];
        const json_t *obj = current(in, MODEL_BACKEND, &b->meta);
        if (obj != NULL) {
            rc = tell(fn, arg, MODEL_BACKEND, &b->meta, obj, status_of_backend(b, obj, in->now),
                      ATTACH_FINALIZER_KEEP);
        }
    }
    return rc;
}

int attach_status_foreach(struct attach *a, const struct attach_status_input *in,
                          attach_status_fn fn, void *arg)
{
    if (in->only == ATTACH_STATUS_BACKENDS) {
        return tell_backends(a, in, fn, arg);
    }
    bool is_gateways_only = in->only == ATTACH_STATUS_GATEWAYS;
    int rc = is_gateways_only ? 0 : tell_classes(a, in, fn, arg);
    rc = rc != 0 ? rc : tell_gateways(a, in, fn, arg);
    rc = rc != 0 ? rc : tell_sets(a, in, fn, arg);
    if (is_gateways_only) {
        return rc;
    }
    rc = rc != 0 ? rc : tell_backends(a, in, fn, arg);
    if (in->only == ATTACH_STATUS_EARLY) {
        return rc;
    }
    rc = rc != 0 ? rc : tell_routes(a, in, fn, arg);
    policy_tls_find_gateways(a);
    rc = rc != 0 ? rc : tell_policies(a, &a->tls_policies, in, fn, arg);
    rc = rc != 0 ? rc : tell_policies(a, &a->transport_policies, in, fn, arg);
    rc = rc != 0 ? rc : tell_policies(a, &a->access_policies, in, fn, arg);
    return rc != 0 ? rc : tell_policies(a, &a->health_policies, in, fn, arg);
}
