/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A controller's token may be bound to one cluster (spec.cluster). Then it reaches only what the
 * controller that was started with this name mirrors: namespaces, and names of what is
 * cluster-wide, that begin with "NAME-". It can neither read nor change anything else, and what it
 * writes cannot lead to anything else: a route of one cluster attaches to no other's Gateway.
 *
 * Which appliance this is (the uid of its oldest namespace) everybody of the role may ask.
 */
#include "api/api_priv.h"

#include "model/reference.h"

#include <stdio.h>
#include <string.h>

#define NAMESPACES "namespaces"
#define TOKENS "tokens.sluice.internal"

static bool is_within(const char *scope, const char *name)
{
    size_t n = strlen(scope);
    return strncmp(scope, name, n) == 0 && (n == 0 || name[n] != '\0');
}

bool scope_has(const char *scope, const struct resource_type *type, const char *namespace_,
               const char *name)
{
    return is_within(scope, type->namespaced ? namespace_ : name);
}

static bool is_question_of_identity(const struct target *t)
{
    return t->verb == VERB_GET && strcmp(t->type->plural, NAMESPACES) == 0 &&
           (strcmp(t->name, "default") == 0 || strcmp(t->name, "kube-system") == 0);
}

bool scope_may(const struct identity *who, const struct target *t)
{
    const char *place = t->type->namespaced ? t->namespace_ : t->name;
    return place[0] == '\0' || is_within(who->scope, place) || is_question_of_identity(t);
}

/* A name that is outside. */
struct stray {
    const char *scope;
    char field[MODEL_PATH_MAX]; /* where it stands; "" there is none */
    char name[NAME_BYTES];
};

static bool look(void *arg, const char *field, const char *name)
{
    struct stray *s = arg;
    if (is_within(s->scope, name))
        return true;
    snprintf(s->field, sizeof(s->field), "%s", field);
    snprintf(s->name, sizeof(s->name), "%s", name);
    return false;
}

bool scope_admit(struct api_call *call, const struct resource_type *type, const char *namespace_,
                 const json_t *object, const char *prefix)
{
    struct stray stray = {.scope = call->who.scope};
    const char *name = meta_text(object, "name");
    if (stray.scope[0] == '\0')
        return true;
    if (type->namespaced ? look(&stray, "metadata.namespace", namespace_)
                         : look(&stray, "metadata.name", name))
        reference_each(type, object, look, &stray);
    if (stray.field[0] == '\0')
        return true;
    call_fail_with(call, 403, "Forbidden", status_details(type, name),
                   "%s%s: \"%s\" is forbidden: token \"%s\" is of the cluster whose names begin"
                   " with \"%s\"",
                   prefix, stray.field, stray.name, call->who.name, stray.scope);
    return false;
}

/* ---- Tokens themselves ---- */

struct clash {
    const char *name;    /* of the Token that is looked at */
    const char *cluster; /* its own */
    const char *other_name, *other_cluster;
};

/* Is a name of cluster `a` one of cluster `b`, too? "west-2-shop" is of "west" and of "west-2". */
static bool is_among(const char *a, const char *b)
{
    size_t n = strlen(b);
    return strncmp(a, b, n) == 0 && a[n] == '-';
}

static const char *cluster_of(const json_t *token)
{
    const char *text =
        json_string_value(json_object_get(json_object_get(token, "spec"), "cluster"));
    return text != NULL ? text : "";
}

static bool look_for_clash(void *arg, json_t *token)
{
    struct clash *c = arg;
    const char *other = cluster_of(token);
    if (other[0] == '\0' || strcmp(meta_text(token, "name"), c->name) == 0 ||
        (!is_among(other, c->cluster) && !is_among(c->cluster, other)))
        return true;
    c->other_name = meta_text(token, "name");
    c->other_cluster = other;
    return false;
}

bool scope_admit_token(struct api_call *call, const struct store_txn *txn, const json_t *token)
{
    struct clash c = {.name = meta_text(token, "name"), .cluster = cluster_of(token)};
    if (!is_token_type(call->target.type) || c.cluster[0] == '\0')
        return true;
    store_txn_foreach(txn, TOKENS, NULL, look_for_clash, &c);
    if (c.other_name == NULL)
        return true;
    call_fail_with(call, 422, "Invalid", status_details(call->target.type, c.name),
                   "spec.cluster: Invalid value: \"%s\": names of it would be names of cluster"
                   " \"%s\" (token \"%s\"), too, or the reverse",
                   c.cluster, c.other_cluster, c.other_name);
    return false;
}
