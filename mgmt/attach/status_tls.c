/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status of a BackendTLSPolicy: an entry for each Gateway by which one of its targets is reached,
 * as the specification has it; so a Service that no route of ours names says nothing.
 */
#include "attach/status.h"

#include <stdio.h>
#include <string.h>

/* One Gateway, and what the policy comes to there. */
struct ancestor {
    const struct at_gateway *gateway;
    struct verdict accepted;
};

struct ancestors {
    uint32_t n;
    struct ancestor all[AT_GROUP_GATEWAYS_MAX];
};

/* Is it one that the target is about? Of a port that is not there, the whole Service's tell. */
static bool is_group_of(const struct at_group *g, const char *key, const struct at_policy_target *t)
{
    bool is_any = t->section == NULL || strcmp(t->accepted.reason, "TargetNotFound") == 0;
    bool is_udp = g->plan.carried == PLAN_CARRIED_UDP || g->plan.carried == PLAN_CARRIED_DNS;
    if (is_udp && t->is_in_effect) {
        return false; /* the policy is about the others */
    }
    return strcmp(g->key, key) == 0 && (is_any || strcmp(g->port_name, t->section) == 0);
}

/* The first target that is not accepted tells for all that the Gateway leads to. */
static void add(struct ancestors *to, const struct at_gateway *gateway, struct verdict accepted)
{
    uint32_t i = 0;
    while (i < to->n && to->all[i].gateway != gateway) {
        i++;
    }
    if (i == AT_GROUP_GATEWAYS_MAX) {
        return;
    }
    if (i == to->n) {
        to->all[to->n++] = (struct ancestor){gateway, accepted};
    } else if (strcmp(to->all[i].accepted.status, "True") == 0) {
        to->all[i].accepted = accepted;
    }
}

static void add_target(struct attach *a, const struct at_policy *p,
                       const struct at_policy_target *t, struct ancestors *to)
{
    char key[512]; /* two names of 253 bytes or less */
    snprintf(key, sizeof(key), "%s/%s", p->meta.namespace, t->name);
    bool is_good = strcmp(t->accepted.status, "True") == 0;
    struct verdict accepted =
        is_good && p->secured.unmet.reason != NULL ? p->secured.unmet : t->accepted;
    for (const struct at_group *g = group_first(a, key); g != NULL; g = g->next) {
        for (uint32_t i = 0; is_group_of(g, key, t) && i < g->n_gateways; i++) {
            add(to, g->gateways[i], accepted);
        }
    }
}

/* A ParentReference; new reference. */
static json_t *ref_to(const struct at_gateway *g)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "group", GATEWAY_API_GROUP, "kind", "Gateway",
                     "namespace", g->meta.namespace, "name", g->meta.name);
}

json_t *status_of_tls_policy(struct attach *a, const struct at_policy *p, const json_t *obj,
                             const char *now)
{
    struct ancestors ancestors = {.n = 0};
    struct status_entry entries[AT_GROUP_GATEWAYS_MAX];
    json_t *refs[AT_GROUP_GATEWAYS_MAX];
    for (uint32_t i = 0; i < p->n_targets; i++) {
        if (p->targets[i].accepted.reason != NULL) {
            add_target(a, p, &p->targets[i], &ancestors);
        }
    }
    for (uint32_t i = 0; i < ancestors.n; i++) {
        refs[i] = ref_to(ancestors.all[i].gateway);
        entries[i] = (struct status_entry){.ref = refs[i],
                                           .wanted = {{"Accepted", ancestors.all[i].accepted},
                                                      {"ResolvedRefs", p->secured.resolved}}};
    }
    const struct status_entries wanted = {
        .list = "ancestors",
        .ref_key = "ancestorRef",
        .n_max = AT_GROUP_GATEWAYS_MAX,
        .n = ancestors.n,
        .entries = entries,
        .generation = p->meta.generation,
    };
    json_t *status = status_merge(a, &wanted, obj, now);
    for (uint32_t i = 0; i < ancestors.n; i++) {
        json_decref(refs[i]);
    }
    return status;
}
