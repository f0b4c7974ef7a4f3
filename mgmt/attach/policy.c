/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TransportPolicies: which of them decides what (GEP-713, GEP-2648: direct policy attachment). A
 * listener or port that is named comes before the whole Gateway or Service; then the older policy,
 * then the one first by "namespace/name". A policy that decides nowhere is Conflicted, and its
 * status names the one that does.
 *
 *   policy.c  targets found, claimed, judged     policy_bind.c  listeners, addresses and ports
 *                                                policy_service.c  Services and their ports
 */
#include "attach/attach_priv.h"

#include "abi/image.h"
#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

void policy_claim(struct attach *a, struct at_policy_target **place, struct at_policy_target *t)
{
    if (*place == NULL) {
        *place = t;
        t->is_attached = true;
        return;
    }
    const struct at_policy *first = (*place)->policy;
    ASSERT(meta_compare(&first->meta, &t->policy->meta) <= 0);
    bool is_older = strcmp(first->meta.created, t->policy->meta.created) != 0;
    t->accepted = VERDICT("False", "Conflicted",
                          arena_printf(a->arena, "TransportPolicy %s has the same target and %s",
                                       first->meta.full_name,
                                       is_older ? "is older" : "comes first by its name"));
}

void policy_lose(struct at_policy_target *t, const char *why)
{
    t->lost = t->lost != NULL ? t->lost : why;
    t->n_lost++;
}

static struct at_listener *find_listener(const struct at_gateway *g, const char *name)
{
    for (uint32_t i = 0; i < g->n_listeners; i++) {
        if (strcmp(g->listeners[i].name, name) == 0) {
            return &g->listeners[i];
        }
    }
    return NULL;
}

static void claim_listener(struct attach *a, struct at_gateway *g, struct at_policy_target *t)
{
    struct at_listener *l = find_listener(g, t->section);
    if (l == NULL) {
        t->accepted = VERDICT(
            "False", "TargetNotFound",
            arena_printf(a->arena, "Gateway %s has no listener %s", g->meta.full_name, t->section));
    } else if (l->protocol->plan == PLAN_UDP) {
        t->accepted = VERDICT("False", "Invalid",
                              arena_printf(a->arena,
                                           "listener %s has protocol UDP: nothing controls its "
                                           "congestion",
                                           t->section));
    } else {
        policy_claim(a, &l->policy, t);
    }
}

/* A Gateway that is there and not ours is left to whose it is. */
static void claim_gateway(struct attach *a, struct at_policy_target *t)
{
    const char *namespace = t->policy->meta.namespace;
    struct at_gateway *g = gateway_find(a, namespace, t->name);
    const json_t *object = find_object(a, MODEL_GATEWAY, namespace, t->name);
    if (g != NULL && t->section != NULL) {
        claim_listener(a, g, t);
    } else if (g != NULL) {
        policy_claim(a, &g->policy, t);
    } else if (object == NULL || at_path(object, "metadata", "deletionTimestamp") != NULL) {
        t->accepted =
            VERDICT("False", "TargetNotFound",
                    arena_printf(a->arena, "Gateway %s/%s does not exist", namespace, t->name));
    }
}

static void read_targets(struct attach *a, struct at_policy *p)
{
    const json_t *refs = at_path(p->meta.obj, "spec", "targetRefs");
    p->targets = ARENA_ARRAY(a->arena, struct at_policy_target, json_array_size(refs));
    size_t i;
    const json_t *ref;
    json_array_foreach(refs, i, ref)
    {
        const char *section = text_at(ref, "sectionName");
        struct at_policy_target *t = &p->targets[p->n_targets++];
        *t = (struct at_policy_target){
            .policy = p,
            .name = text_at(ref, "name"),
            .section = section[0] != '\0' ? section : NULL,
            .ref = ref,
        };
        if (strcmp(text_at(ref, "kind"), "Gateway") == 0) {
            claim_gateway(a, t);
        } else if (policy_service_check(a, t)) {
            a->service_targets[a->n_service_targets++] = t;
        }
    }
}

/* Every place is decided: what has each target come to? */
static void judge(struct attach *a, struct at_policy_target *t)
{
    char more[32] = "";
    if (t->n_lost > 1) {
        snprintf(more, sizeof(more), " (and %u more)", t->n_lost - 1);
    }
    if (t->lost == NULL) {
        t->accepted = VERDICT("True", "Accepted", "the policy is attached");
    } else if (t->is_in_effect) {
        t->accepted = VERDICT("True", "Accepted",
                              arena_printf(a->arena,
                                           "the policy is attached, but does not decide "
                                           "everywhere: %s%s",
                                           t->lost, more));
    } else {
        t->accepted = VERDICT("False", "Conflicted", arena_printf(a->arena, "%s%s", t->lost, more));
    }
}

static int compare_policies(const void *x, const void *y)
{
    return meta_compare(&((const struct at_policy *)x)->meta, &((const struct at_policy *)y)->meta);
}

static const struct plan_proxied *read_proxied(struct attach *a, const json_t *prefixes)
{
    uint32_t n = (uint32_t)json_array_size(prefixes);
    struct plan_prefix *trusted = ARENA_ARRAY(a->arena, struct plan_prefix, n);
    for (uint32_t i = 0; i < n; i++) {
        trusted[i] = network_prefix(json_string_value(json_array_get(prefixes, i)));
    }
    struct plan_proxied *proxied = ARENA_NEW(a->arena, struct plan_proxied);
    *proxied = (struct plan_proxied){.n_trusted = n, .trusted = trusted};
    return proxied;
}

/* What it chooses; what it does not say is as without a policy. */
static void read_choices(struct attach *a, struct at_policy *p, const json_t *spec)
{
    const json_t *proxy = json_object_get(spec, "proxyProtocol");
    p->congestion = image_congestion_named(text_at(spec, "congestionControl"));
    if (p->congestion == IMAGE_CONGESTION_NONE) {
        p->congestion = IMAGE_CONGESTION_CUBIC;
    }
    p->balancing = image_balancing_named(text_at(spec, "balancing"));
    if (text_at(proxy, "accept")[0] != '\0') {
        p->proxied = read_proxied(a, json_object_get(proxy, "trustedPrefixes"));
    }
    p->proxy_header = image_proxy_header_named(text_at(proxy, "send"));
}

void policy_run(struct attach *a)
{
    const json_t **objects = collect(a, MODEL_TRANSPORT_POLICY, &a->n_policies);
    size_t n_targets = 0;
    a->policies = ARENA_ARRAY(a->arena, struct at_policy, a->n_policies);
    for (uint32_t i = 0; i < a->n_policies; i++) {
        struct at_policy *p = &a->policies[i];
        meta_read(a, &p->meta, objects[i]);
        read_choices(a, p, json_object_get(objects[i], "spec"));
        n_targets += json_array_size(at_path(objects[i], "spec", "targetRefs"));
    }
    qsort(a->policies, a->n_policies, sizeof(a->policies[0]), compare_policies);
    a->service_targets = ARENA_ARRAY(a->arena, struct at_policy_target *, n_targets);
    for (uint32_t i = 0; i < a->n_policies; i++) {
        read_targets(a, &a->policies[i]);
    }
    policy_bind_run(a);
    policy_service_run(a);
    for (uint32_t i = 0; i < a->n_policies; i++) {
        for (uint32_t j = 0; j < a->policies[i].n_targets; j++) {
            if (a->policies[i].targets[j].is_attached) {
                judge(a, &a->policies[i].targets[j]);
            }
        }
    }
}
