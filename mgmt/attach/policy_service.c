/* SPDX-License-Identifier: Apache-2.0 */
/* What the policies of Services and Backends, and of their ports, come to. */
#include "attach/attach_priv.h"

#include "abi/image.h"

#include <stdlib.h>
#include <string.h>

static bool is_served(const json_t *port)
{
    return port_is_tcp(port) || port_is_udp(port);
}

/* The port of that name, or the first one for TCP or UDP (NULL); NULL: none. A Backend's have no
 * names. */
static const json_t *find_port(const json_t *service, const char *name)
{
    size_t i;
    const json_t *port;
    json_array_foreach(at_path(service, "spec", "ports"), i, port)
    {
        if (name != NULL ? strcmp(text_at(port, "name"), name) == 0 : is_served(port)) {
            return port;
        }
    }
    return NULL;
}

bool policy_service_check(struct attach *a, struct at_policy_target *t)
{
    const struct at_referent to = referent_find(a, t->ref, t->policy->meta.namespace);
    const json_t *service = to.service;
    const json_t *port = find_port(service, t->section);
    const char *full_name = referent_words(a, &to);
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
    } else if (port == NULL || !is_served(port)) {
        t->accepted = VERDICT("False", "Invalid",
                              arena_printf(a->arena, "%s has no port of TCP or UDP%s%s", full_name,
                                           t->section != NULL ? " of name " : "",
                                           t->section != NULL ? t->section : ""));
    } else {
        return true;
    }
    return false;
}

/* By Service or Backend and section; the whole of it stands first. */
static int compare_places(const struct at_policy_target *x, const struct at_policy_target *y)
{
    int by_namespace = strcmp(x->policy->meta.namespace, y->policy->meta.namespace);
    int by_name = by_namespace != 0 ? by_namespace : strcmp(x->name, y->name);
    int by_kind = by_name != 0 ? by_name : (int)x->is_backend - (int)y->is_backend;
    if (by_kind != 0) {
        return by_kind;
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

/* The target that has the place; NULL: none has. `section` NULL: the whole of it. */
static struct at_policy_target *find_target(const struct at_policies *policies,
                                            const struct at_referent *to, const char *section)
{
    struct at_policy policy = {.meta.namespace = to->namespace};
    struct at_policy_target key = {
        .policy = &policy, .is_backend = to->is_backend, .name = to->name, .section = section};
    if (policies->n_service_targets == 0) {
        return NULL;
    }
    struct at_policy_target **found =
        bsearch(&key, policies->service_targets, policies->n_service_targets,
                sizeof(policies->service_targets[0]), compare_found);
    return found != NULL ? *found : NULL;
}

/* The target that names the port, or else the one of the whole; NULL: there is neither. */
static struct at_policy_target *find_decider(const struct at_policies *policies,
                                             const struct at_referent *to, const char *port)
{
    struct at_policy_target *by_name = port[0] != '\0' ? find_target(policies, to, port) : NULL;
    return by_name != NULL ? by_name : find_target(policies, to, NULL);
}

/* Why a policy cannot decide of a port of UDP; NULL: it can. */
static const char *judge_udp(const struct at_policy *p)
{
    const struct image_health *health = &p->health.numbers;
    if (p->of->type == MODEL_BACKEND_TLS_POLICY) {
        return "it is of UDP, which has no connections to secure";
    }
    if (p->of->type == MODEL_HEALTH_POLICY && health->check != IMAGE_HEALTH_CHECK_NONE &&
        health->port == 0) {
        return "it is of UDP, by which nobody is asked: active.port has to name a port of TCP";
    }
    if (p->of->type == MODEL_TRANSPORT_POLICY && p->proxy_header != IMAGE_PROXY_HEADER_NONE) {
        return "it is of UDP, which has no connections that a PROXY header could begin";
    }
    return NULL;
}

/* What secures the port's connections, in words; NULL: nothing does. */
static const char *secured_by(struct attach *a, const struct at_referent *to, const json_t *port)
{
    if (to->is_backend) {
        return to->backend->has_tls ? "its spec.tls" : NULL;
    }
    const struct at_policy_target *tls = find_decider(&a->tls_policies, to, text_at(port, "name"));
    return tls != NULL ? arena_printf(a->arena, "BackendTLSPolicy %s", tls->policy->meta.full_name)
                       : NULL;
}

/* Why the target's policy cannot decide of the port; NULL: it can. */
static const char *judge_fit(struct attach *a, const struct at_policy_target *t,
                             const struct at_referent *to, const json_t *port)
{
    const struct at_policy *p = t->policy;
    if (port_is_udp(port)) {
        return judge_udp(p);
    }
    bool passes_packets = p->of->type == MODEL_TRANSPORT_POLICY && p->is_forwarding_said &&
                          p->forwarding != IMAGE_FORWARDING_PROXY;
    const char *by = passes_packets ? secured_by(a, to, port) : NULL;
    return by == NULL ? NULL
                      : arena_printf(a->arena,
                                     "%s secures its connections, so they have to be ours: "
                                     "forwarding has to be Proxy, not %s",
                                     by, image_forwarding_name(p->forwarding));
}

/* A port in words: by its name, its number, or (of a Backend) its protocol. */
static const char *port_words(struct attach *a, const struct at_referent *to, const json_t *port)
{
    const char *name = text_at(port, "name");
    if (to->is_backend) {
        return arena_printf(a->arena, "protocol %s", text_at(port, "protocol"));
    }
    return name[0] != '\0' ? arena_printf(a->arena, "port %s", name)
                           : arena_printf(a->arena, "port %lld", (long long)int_at(port, "port"));
}

/* What the target comes to at one port. */
static void judge_port(struct attach *a, const struct at_policies *policies,
                       struct at_policy_target *t, const struct at_referent *to, const json_t *port)
{
    const char *name = text_at(port, "name");
    const struct at_policy_target *by_name =
        t->section == NULL && name[0] != '\0' ? find_target(policies, to, name) : NULL;
    const char *fault = judge_fit(a, t, to, port);
    if (by_name != NULL) {
        policy_lose(t, arena_printf(a->arena, "port %s: %s %s targets it by name", name,
                                    policies->kind, by_name->policy->meta.full_name));
    } else if (fault != NULL) {
        t->is_unfit = true;
        policy_lose(t, arena_printf(a->arena, "%s: %s", port_words(a, to, port), fault));
    } else {
        t->is_in_effect = true;
    }
}

/* One of the whole decides of the ports that no policy names. */
static void judge_ports(struct attach *a, const struct at_policies *policies,
                        struct at_policy_target *t)
{
    const struct at_referent to = referent_find(a, t->ref, t->policy->meta.namespace);
    size_t i;
    const json_t *port;
    json_array_foreach(at_path(to.service, "spec", "ports"), i, port)
    {
        bool is_meant = t->section == NULL || strcmp(text_at(port, "name"), t->section) == 0;
        if (is_meant && is_served(port)) {
            judge_port(a, policies, t, &to, port);
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
        judge_ports(a, policies, list[i]);
    }
}

const struct at_policy *policy_of_port(struct attach *a, const struct at_policies *policies,
                                       const struct at_referent *to, const json_t *port)
{
    const struct at_policy_target *t = find_decider(policies, to, text_at(port, "name"));
    return t != NULL && judge_fit(a, t, to, port) == NULL ? t->policy : NULL;
}
