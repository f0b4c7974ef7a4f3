/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies: which of a kind decides what (GEP-713, GEP-2648: direct policy attachment). A listener
 * or port that is named comes before the whole Gateway or Service; then the older policy,
 * then the one first by "namespace/name". A policy that decides nowhere is Conflicted, and its
 * status names the one that does.
 *
 *   policy.c  targets found, claimed, judged     policy_bind.c  listeners, addresses and ports
 *   policy_health.c  what a HealthPolicy says    policy_service.c  Services and their ports
 *   policy_tls.c  what a BackendTLSPolicy says   policy_access.c  lists before Gateways
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
                          arena_printf(a->arena, "%s %s has the same target and %s",
                                       first->of->kind, first->meta.full_name,
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

static bool is_access(const struct at_policy_target *t)
{
    return t->policy->of->type == MODEL_ACCESS_POLICY;
}

static void claim_listener(struct attach *a, struct at_gateway *g, struct at_policy_target *t)
{
    struct at_listener *l = find_listener(g, t->section);
    if (l == NULL) {
        t->accepted = VERDICT(
            "False", "TargetNotFound",
            arena_printf(a->arena, "Gateway %s has no listener %s", g->meta.full_name, t->section));
    } else if (is_access(t)) {
        policy_access_claim(a, &l->lists, &l->limit, t);
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
    } else if (g != NULL && is_access(t)) {
        policy_access_claim(a, &g->lists, &g->limit, t);
    } else if (g != NULL) {
        policy_claim(a, &g->policy, t);
    } else if (object == NULL || at_path(object, "metadata", "deletionTimestamp") != NULL) {
        t->accepted =
            VERDICT("False", "TargetNotFound",
                    arena_printf(a->arena, "Gateway %s/%s does not exist", namespace, t->name));
    }
}

/* Others may give BackendTLSPolicies a meaning for other kinds: we say nothing of them. */
static bool is_others(const struct at_policies *policies, const json_t *ref)
{
    return policies->type == MODEL_BACKEND_TLS_POLICY &&
           (text_at(ref, "group")[0] != '\0' || strcmp(text_at(ref, "kind"), "Service") != 0);
}

static void claim(struct attach *a, struct at_policies *policies, struct at_policy_target *t)
{
    if (is_others(policies, t->ref)) {
        return;
    }
    if (strcmp(text_at(t->ref, "kind"), "Gateway") == 0) {
        claim_gateway(a, t);
    } else if (policy_service_check(a, t)) {
        policies->service_targets[policies->n_service_targets++] = t;
    }
}

static void read_targets(struct attach *a, struct at_policies *policies, struct at_policy *p)
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
            .is_backend = strcmp(text_at(ref, "kind"), "Backend") == 0,
            .name = text_at(ref, "name"),
            .section = section[0] != '\0' ? section : NULL,
            .ref = ref,
        };
        claim(a, policies, t);
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
        t->accepted = VERDICT("False", t->is_unfit ? "Invalid" : "Conflicted",
                              arena_printf(a->arena, "%s%s", t->lost, more));
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

/* What keys of a consistent hash are made of; without a word that depends on what is hashed. */
static void read_hash(struct attach *a, struct at_policy *p, const json_t *on)
{
    p->hash_key = image_hash_key_named(text_at(on, "type"));
    if (p->hash_key == IMAGE_HASH_KEY_HEADER) {
        p->hash_name = lower_of(a, text_at(on, "name"));
    } else if (p->hash_key == IMAGE_HASH_KEY_COOKIE) {
        p->hash_name = text_at(on, "name");
    }
}

/* What the policy says; what it does not say is NONE or NULL. */
static void read_transport(struct attach *a, struct at_policy *p)
{
    const json_t *spec = json_object_get(p->meta.obj, "spec");
    p->congestion = image_congestion_named(text_at(spec, "congestionControl"));
    p->balancing = image_balancing_named(text_at(spec, "balancing"));
    ASSERT(p->congestion != IMAGE_CONGESTION_NONE);
    read_hash(a, p, json_object_get(spec, "hashOn"));
    const json_t *proxy = json_object_get(spec, "proxyProtocol");
    if (text_at(proxy, "accept")[0] != '\0') {
        p->proxied = read_proxied(a, json_object_get(proxy, "trustedPrefixes"));
    }
    p->proxy_header = image_proxy_header_named(text_at(proxy, "send"));
    p->is_forwarding_said = json_object_get(spec, "forwarding") != NULL;
    p->forwarding = image_forwarding_named(text_at(spec, "forwarding"));
    p->tcp_idle_ms = ms_at(json_object_get(spec, "tcp"), "idleTimeout");
    p->udp_idle_ms = ms_at(json_object_get(spec, "udp"), "idleTimeout");
}

/* All of a kind, in their order; `read` takes what each says. */
static void read_policies(struct attach *a, struct at_policies *policies,
                          void (*read)(struct attach *a, struct at_policy *p))
{
    const json_t **objects = collect(a, policies->type, &policies->n);
    size_t n_targets = 0;
    policies->all = ARENA_ARRAY(a->arena, struct at_policy, policies->n);
    for (uint32_t i = 0; i < policies->n; i++) {
        struct at_policy *p = &policies->all[i];
        p->of = policies;
        meta_read(a, &p->meta, objects[i]);
        read(a, p);
        n_targets += json_array_size(at_path(objects[i], "spec", "targetRefs"));
    }
    qsort(policies->all, policies->n, sizeof(policies->all[0]), compare_policies);
    policies->service_targets = ARENA_ARRAY(a->arena, struct at_policy_target *, n_targets);
    for (uint32_t i = 0; i < policies->n; i++) {
        read_targets(a, policies, &policies->all[i]);
    }
}

static void judge_policies(struct attach *a, const struct at_policies *policies)
{
    for (uint32_t i = 0; i < policies->n; i++) {
        for (uint32_t j = 0; j < policies->all[i].n_targets; j++) {
            if (policies->all[i].targets[j].is_attached) {
                judge(a, &policies->all[i].targets[j]);
            }
        }
    }
}

void policy_run(struct attach *a)
{
    a->transport_policies =
        (struct at_policies){.type = MODEL_TRANSPORT_POLICY, .kind = "TransportPolicy"};
    a->health_policies = (struct at_policies){.type = MODEL_HEALTH_POLICY, .kind = "HealthPolicy"};
    read_policies(a, &a->transport_policies, read_transport);
    a->tls_policies =
        (struct at_policies){.type = MODEL_BACKEND_TLS_POLICY, .kind = "BackendTLSPolicy"};
    read_policies(a, &a->health_policies, policy_health_read);
    read_policies(a, &a->tls_policies, policy_tls_read);
    a->access_policies = (struct at_policies){.type = MODEL_ACCESS_POLICY, .kind = "AccessPolicy"};
    read_policies(a, &a->access_policies, policy_access_read);
    policy_access_run(a);
    policy_bind_run(a);
    policy_service_run(a, &a->tls_policies); /* the next look at what it decides */
    policy_service_run(a, &a->transport_policies);
    policy_service_run(a, &a->health_policies);
    judge_policies(a, &a->transport_policies);
    judge_policies(a, &a->health_policies);
    judge_policies(a, &a->tls_policies);
    judge_policies(a, &a->access_policies);
}
