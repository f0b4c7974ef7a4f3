/* SPDX-License-Identifier: Apache-2.0 */
/* What the policies of Services and their ports come to. */
#include "attach/attach_priv.h"

#include <stdlib.h>
#include <string.h>

/* The Service's port of that name, or its first one for TCP (NULL); NULL: none. */
static const json_t *find_port(const json_t *service, const char *name)
{
    size_t i;
    const json_t *port;
    json_array_foreach(at_path(service, "spec", "ports"), i, port)
    {
        if (name != NULL ? strcmp(text_at(port, "name"), name) == 0 : port_is_tcp(port)) {
            return port;
        }
    }
    return NULL;
}

bool policy_service_check(struct attach *a, struct at_policy_target *t)
{
    const char *namespace = t->policy->meta.namespace;
    const json_t *service = find_object(a, MODEL_SERVICE, namespace, t->name);
    const json_t *port = find_port(service, t->section);
    const char *full_name = arena_printf(a->arena, "Service %s/%s", namespace, t->name);
    if (service == NULL) {
        t->accepted = VERDICT("False", "TargetNotFound",
                              arena_printf(a->arena, "%s does not exist", full_name));
    } else if (strcmp(text_at(json_object_get(service, "spec"), "type"), "ExternalName") == 0) {
        t->accepted = VERDICT(
            "False", "Invalid",
            arena_printf(a->arena, "%s is an ExternalName, which is not served", full_name));
    } else if (t->section != NULL && port == NULL) {
        t->accepted =
            VERDICT("False", "TargetNotFound",
                    arena_printf(a->arena, "%s has no port of name %s", full_name, t->section));
    } else if (port == NULL || !port_is_tcp(port)) {
        t->accepted = VERDICT("False", "Invalid",
                              arena_printf(a->arena, "%s has no TCP port%s%s", full_name,
                                           t->section != NULL ? " of name " : "",
                                           t->section != NULL ? t->section : ""));
    } else {
        return true;
    }
    return false;
}

/* By Service and section; the whole Service stands first. */
static int compare_places(const struct at_policy_target *x, const struct at_policy_target *y)
{
    int by_namespace = strcmp(x->policy->meta.namespace, y->policy->meta.namespace);
    int by_name = by_namespace != 0 ? by_namespace : strcmp(x->name, y->name);
    if (by_name != 0) {
        return by_name;
    }
    return strcmp(x->section != NULL ? x->section : "", y->section != NULL ? y->section : "");
}

/* Of one place, the most preferred policy's first: the policies stand in one array. */
static int compare_targets(const void *x, const void *y)
{
    const struct at_policy_target *const *t = x;
    const struct at_policy_target *const *u = y;
    int by_place = compare_places(*t, *u);
    if (by_place != 0) {
        return by_place;
    }
    return (*t)->policy < (*u)->policy ? -1 : (*t)->policy > (*u)->policy;
}

/* bsearch(): two are the same that have the same place. */
static int compare_found(const void *x, const void *y)
{
    return compare_places(x, *(const struct at_policy_target *const *)y);
}

/* The target that has the place; NULL: none has. `section` NULL: the whole Service. */
static struct at_policy_target *find_target(const struct at_policies *policies,
                                            const char *namespace, const char *service,
                                            const char *section)
{
    struct at_policy policy = {.meta.namespace = namespace};
    struct at_policy_target key = {.policy = &policy, .name = service, .section = section};
    if (policies->n_service_targets == 0) {
        return NULL;
    }
    struct at_policy_target **found =
        bsearch(&key, policies->service_targets, policies->n_service_targets,
                sizeof(policies->service_targets[0]), compare_found);
    return found != NULL ? *found : NULL;
}

/* A policy of the whole Service decides of the ports that no policy names. */
static void judge_ports(struct attach *a, const struct at_policies *policies,
                        struct at_policy_target *t)
{
    const char *namespace = t->policy->meta.namespace;
    const json_t *service = find_object(a, MODEL_SERVICE, namespace, t->name);
    size_t i;
    const json_t *port;
    json_array_foreach(at_path(service, "spec", "ports"), i, port)
    {
        const char *name = text_at(port, "name");
        const struct at_policy_target *by_name =
            name[0] != '\0' ? find_target(policies, namespace, t->name, name) : NULL;
        if (by_name != NULL) {
            policy_lose(t, arena_printf(a->arena, "port %s: %s %s targets it by name", name,
                                        policies->kind, by_name->policy->meta.full_name));
        } else if (port_is_tcp(port)) {
            t->is_in_effect = true;
        }
    }
}

void policy_service_run(struct attach *a, struct at_policies *policies)
{
    struct at_policy_target **list = policies->service_targets;
    uint32_t n = 0;
    if (policies->n_service_targets > 0) {
        qsort(list, policies->n_service_targets, sizeof(list[0]), compare_targets);
    }
    for (uint32_t i = 0; i < policies->n_service_targets; i++) {
        struct at_policy_target *t = list[i];
        struct at_policy_target *place = NULL;
        if (n > 0 && compare_places(list[n - 1], t) == 0) {
            place = list[n - 1];
        }
        policy_claim(a, &place, t);
        if (place == t) {
            list[n++] = t;
        }
    }
    policies->n_service_targets = n;
    for (uint32_t i = 0; i < n; i++) {
        if (list[i]->section == NULL) {
            judge_ports(a, policies, list[i]);
        }
    }
}

const struct at_policy *policy_of_service(const struct at_policies *policies, const char *namespace,
                                          const char *service, const char *port)
{
    const struct at_policy_target *t =
        port[0] != '\0' ? find_target(policies, namespace, service, port) : NULL;
    t = t != NULL ? t : find_target(policies, namespace, service, NULL);
    return t != NULL ? t->policy : NULL;
}
