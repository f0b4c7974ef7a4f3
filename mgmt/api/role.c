/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may do what: the Gateway API's three personas and the cluster's mirror. What no row allows is
 * forbidden; there are no rows that forbid.
 *
 *   Ian (infrastructure-provider)   everything
 *   Chihiro (cluster-operator)      Gateways and all that teams need; reads classes; no ports
 *   Ana (application-developer)     routes and services, in her namespaces; not one look elsewhere
 *   controller                      what a cluster's mirror writes; not the appliance itself
 */
#include "api/api_priv.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/names.h"

#include <stdio.h>
#include <string.h>

#define READ (1u << VERB_GET | 1u << VERB_LIST | 1u << VERB_WATCH)
#define WRITE (1u << VERB_CREATE | 1u << VERB_UPDATE | 1u << VERB_PATCH | 1u << VERB_DELETE)
#define ALL (READ | WRITE)
#define ANY "*"
#define CORE ""
#define GATEWAY "gateway.networking.k8s.io"
#define DISCOVERY "discovery.k8s.io"
#define SLUICE "sluice.internal"

enum where {
    EVERYWHERE,
    OWN, /* the namespaces on the token */
};

struct right {
    enum api_role role;
    unsigned verbs;
    const char *group;
    const char *plural;
    enum where where;
    bool with_status; /* may write the /status subresource, too */
};

/* clang-format off */
static const struct right rights[] = {
    {API_PROVIDER,   ALL,  ANY,       ANY,                 EVERYWHERE, true},

    {API_OPERATOR,   READ, GATEWAY,   "gatewayclasses",    EVERYWHERE, false},
    {API_OPERATOR,   ALL,  GATEWAY,   "gateways",          EVERYWHERE, false},
    {API_OPERATOR,   ALL,  GATEWAY,   "listenersets",      EVERYWHERE, false},
    {API_OPERATOR,   ALL,  GATEWAY,   "httproutes",        EVERYWHERE, false},
    {API_OPERATOR,   ALL,  GATEWAY,   "grpcroutes",        EVERYWHERE, false},
    {API_OPERATOR,   ALL,  GATEWAY,   "tlsroutes",         EVERYWHERE, false},
    {API_OPERATOR,   ALL,  GATEWAY,   "tcproutes",         EVERYWHERE, false},
    {API_OPERATOR,   ALL,  GATEWAY,   "udproutes",         EVERYWHERE, false},
    {API_OPERATOR,   ALL,  GATEWAY,   "referencegrants",   EVERYWHERE, false},
    {API_OPERATOR,   ALL,  GATEWAY,   "backendtlspolicies", EVERYWHERE, false},
    {API_OPERATOR,   ALL,  SLUICE,    "transportpolicies", EVERYWHERE, false},
    {API_OPERATOR,   ALL,  SLUICE,    "healthpolicies",    EVERYWHERE, false},
    {API_OPERATOR,   ALL,  SLUICE,    "ratelimits",        EVERYWHERE, false},
    {API_OPERATOR,   ALL,  SLUICE,    "accesspolicies",    EVERYWHERE, false},
    {API_OPERATOR,   ALL,  SLUICE,    "backends",          EVERYWHERE, false},
    {API_OPERATOR,   ALL,  SLUICE,    "dnsroutes",         EVERYWHERE, false},
    {API_OPERATOR,   ALL,  CORE,      "namespaces",        EVERYWHERE, false},
    {API_OPERATOR,   ALL,  CORE,      "secrets",           EVERYWHERE, false},
    {API_OPERATOR,   ALL,  CORE,      "configmaps",        EVERYWHERE, false},
    {API_OPERATOR,   ALL,  CORE,      "services",          EVERYWHERE, false},
    {API_OPERATOR,   READ, CORE,      "nodes",             EVERYWHERE, false},
    {API_OPERATOR,   READ, CORE,      "pods",              EVERYWHERE, false},
    {API_OPERATOR,   ALL,  DISCOVERY, "endpointslices",    EVERYWHERE, false},

    {API_DEVELOPER,  READ, GATEWAY,   "gateways",          OWN,        false},
    /* a Gateway says whose it lets in */
    {API_DEVELOPER,  ALL,  GATEWAY,   "listenersets",      OWN,        false},
    {API_DEVELOPER,  ALL,  GATEWAY,   "httproutes",        OWN,        false},
    {API_DEVELOPER,  ALL,  GATEWAY,   "grpcroutes",        OWN,        false},
    {API_DEVELOPER,  ALL,  GATEWAY,   "tlsroutes",         OWN,        false},
    {API_DEVELOPER,  ALL,  GATEWAY,   "tcproutes",         OWN,        false},
    {API_DEVELOPER,  ALL,  GATEWAY,   "udproutes",         OWN,        false},
    {API_DEVELOPER,  ALL,  GATEWAY,   "referencegrants",   OWN,        false},
    {API_DEVELOPER,  ALL,  GATEWAY,   "backendtlspolicies", OWN,       false},
    /* a policy may be for a Gateway in her namespace, too: those are Chihiro's */
    {API_DEVELOPER,  READ, SLUICE,    "transportpolicies", OWN,        false},
    {API_DEVELOPER,  ALL,  SLUICE,    "healthpolicies",    OWN,        false},
    {API_DEVELOPER,  ALL,  SLUICE,    "ratelimits",        OWN,        false},
    {API_DEVELOPER,  ALL,  SLUICE,    "accesspolicies",    OWN,        false},
    {API_DEVELOPER,  ALL,  SLUICE,    "backends",          OWN,        false},
    {API_DEVELOPER,  ALL,  SLUICE,    "dnsroutes",         OWN,        false},
    {API_DEVELOPER,  ALL,  CORE,      "services",          OWN,        false},
    {API_DEVELOPER,  ALL,  DISCOVERY, "endpointslices",    OWN,        false},

    {API_CONTROLLER, ALL,  GATEWAY,   ANY,                 EVERYWHERE, true},
    {API_CONTROLLER, ALL,  CORE,      ANY,                 EVERYWHERE, true},
    {API_CONTROLLER, ALL,  DISCOVERY, ANY,                 EVERYWHERE, true},
    {API_CONTROLLER, ALL,  SLUICE,    "transportpolicies", EVERYWHERE, true},
    {API_CONTROLLER, ALL,  SLUICE,    "healthpolicies",    EVERYWHERE, true},
    {API_CONTROLLER, ALL,  SLUICE,    "ratelimits",        EVERYWHERE, false},
    {API_CONTROLLER, ALL,  SLUICE,    "accesspolicies",    EVERYWHERE, false},
    {API_CONTROLLER, ALL,  SLUICE,    "backends",          EVERYWHERE, true},
    {API_CONTROLLER, ALL,  SLUICE,    "dnsroutes",         EVERYWHERE, true},
};
/* clang-format on */

const char *api_role_name(enum api_role role)
{
    static const char *const names[] = {API_ROLE_LIST(X_TEXT)};
    ASSERT((unsigned)role < API_ROLES);
    return names[role];
}

static bool is_own(const struct identity *who, const char *namespace_)
{
    size_t i;
    const json_t *own;
    json_array_foreach(who->namespaces, i, own)
    {
        if (strcmp(json_string_value(own), namespace_) == 0)
            return true;
    }
    return false;
}

static bool is_word(const char *pattern, const char *word)
{
    return strcmp(pattern, ANY) == 0 || strcmp(pattern, word) == 0;
}

bool role_may(const struct identity *who, enum api_verb verb, const struct resource_type *type,
              const char *namespace_, bool is_status)
{
    unsigned bit = 1u << verb;
    for (size_t i = 0; i < array_len(rights); i++) {
        const struct right *r = &rights[i];
        if (r->role != who->role || (r->verbs & bit) == 0 || !is_word(r->group, type->group) ||
            !is_word(r->plural, type->plural))
            continue;
        if (is_status && (bit & WRITE) != 0 && !r->with_status)
            continue;
        if (r->where == EVERYWHERE || (namespace_[0] != '\0' && is_own(who, namespace_)))
            return true;
    }
    return false;
}

void role_refuse(struct api_call *call, enum api_verb verb, const struct resource_type *type,
                 const char *namespace_, const char *name)
{
    char resource[RESOURCE_NAME_BYTES_MAX];
    resource_name(type, resource);
    call_fail_with(
        call, 403, "Forbidden", status_details(type, name),
        "%s%s%s%s is forbidden: token \"%s\" (%s%s%s%s) cannot %s resource \"%s\" in API"
        " group \"%s\"%s%s%s",
        resource, name[0] != '\0' ? " \"" : "", name, name[0] != '\0' ? "\"" : "", call->who.name,
        api_role_name(call->who.role), call->who.scope[0] != '\0' ? " of " : "", call->who.scope,
        call->who.scope[0] != '\0' ? "*" : "", target_verb_name(verb), type->plural, type->group,
        namespace_[0] != '\0' ? " in the namespace \"" : " at the cluster scope", namespace_,
        namespace_[0] != '\0' ? "\"" : "");
}

bool role_check(struct api_call *call)
{
    const struct target *t = &call->target;
    if (t->kind == TARGET_EXTRA) {
        if ((t->extra->roles & API_ROLE_BIT(call->who.role)) != 0)
            return true;
        api_call_fail(call, 403, "Forbidden", "token \"%s\" (%s) cannot use path \"%s\"",
                      call->who.name, api_role_name(call->who.role), t->extra->path);
        return false;
    }
    if (t->kind != TARGET_OBJECTS ||
        (role_may(&call->who, t->verb, t->type, t->namespace_, t->is_status) &&
         scope_may(&call->who, t)))
        return true;
    role_refuse(call, t->verb, t->type, t->namespace_, t->name);
    return false;
}

bool api_call_may_read(const struct api_call *call, const char *namespace_)
{
    const struct identity *who = &call->who;
    if (who->role == API_DEVELOPER)
        return is_own(who, namespace_);
    return strncmp(who->scope, namespace_, strlen(who->scope)) == 0;
}

enum api_role api_call_role(const struct api_call *call)
{
    return call->who.role;
}
