/* SPDX-License-Identifier: Apache-2.0 */
/* What method and path name: Kubernetes' URL scheme. Nothing in a path needs percent-encoding: a
 * name that has one is no name. */
#include "api/api_priv.h"

#include "base/assert.h"
#include "base/container.h"

#include <stdio.h>
#include <string.h>

#define SEGMENTS_MAX 9u
#define CHANGESETS "changesets"

struct path {
    unsigned n;
    char segments[SEGMENTS_MAX][NAME_BYTES];
};

const char *target_verb_name(enum api_verb verb)
{
    static const char *const names[] = {
        [VERB_NONE] = "use",    [VERB_GET] = "get",       [VERB_LIST] = "list",
        [VERB_WATCH] = "watch", [VERB_CREATE] = "create", [VERB_UPDATE] = "update",
        [VERB_PATCH] = "patch", [VERB_DELETE] = "delete",
    };
    ASSERT((unsigned)verb < array_len(names));
    return names[verb];
}

/* False: too many or too long segments, or none. */
static bool split(struct slice path, struct path *ret)
{
    ret->n = 0;
    while (path.len > 1) {
        path = slice_skip(path, 1);
        const uint8_t *slash = memchr(path.ptr, '/', path.len);
        size_t len = slash != NULL ? (size_t)(slash - path.ptr) : path.len;
        if (ret->n == SEGMENTS_MAX || len >= NAME_BYTES || memchr(path.ptr, '%', len) != NULL)
            return false;
        memcpy(ret->segments[ret->n], path.ptr, len);
        ret->segments[ret->n][len] = '\0';
        ret->n += 1;
        path = slice_skip(path, len);
    }
    return ret->n > 0;
}

static bool is_at(const struct path *p, unsigned i, const char *text)
{
    return i < p->n && strcmp(p->segments[i], text) == 0;
}

static enum api_verb verb_of(const struct http_head *head, const struct target *t, bool is_watch)
{
    switch (head->method) {
    case HTTP_GET:
    case HTTP_HEAD:
        return t->name[0] != '\0' ? VERB_GET : is_watch ? VERB_WATCH : VERB_LIST;
    case HTTP_POST:
        return t->name[0] == '\0' ? VERB_CREATE : VERB_NONE;
    case HTTP_PUT:
        return t->name[0] != '\0' ? VERB_UPDATE : VERB_NONE;
    case HTTP_PATCH:
        return t->name[0] != '\0' ? VERB_PATCH : VERB_NONE;
    case HTTP_DELETE:
        return t->name[0] != '\0' && !t->is_status ? VERB_DELETE : VERB_NONE;
    default:
        return VERB_NONE;
    }
}

/* [namespaces/<ns>/]<plural>[/<name>[/status]] from segment `i` on. */
static bool find_objects(struct target *t, const struct path *p, unsigned i)
{
    bool is_in_namespace = is_at(p, i, "namespaces") && p->n > i + 2 && !is_at(p, i + 2, "status");
    if (is_in_namespace) {
        snprintf(t->namespace_, sizeof(t->namespace_), "%s", p->segments[i + 1]);
        i += 2;
    }
    t->type = model_type_find(t->group, t->version, p->segments[i]);
    if (t->type == NULL || (is_in_namespace && !t->type->namespaced) || p->n > i + 3)
        return false;
    if (p->n > i + 1)
        snprintf(t->name, sizeof(t->name), "%s", p->segments[i + 1]);
    t->is_status = p->n == i + 3;
    if (t->is_status && (!is_at(p, i + 2, "status") || !t->type->has_status))
        return false;
    if (t->name[0] != '\0' && t->type->namespaced && !is_in_namespace)
        return false;
    t->kind = TARGET_OBJECTS;
    return true;
}

static bool is_group(const char *group)
{
    for (size_t i = 0; i < model_type_count(); i++) {
        if (strcmp(model_type_at(i)->group, group) == 0)
            return true;
    }
    return false;
}

static bool is_group_version(const char *group, const char *version)
{
    for (size_t i = 0; i < model_type_count(); i++) {
        const struct resource_type *type = model_type_at(i);
        if (strcmp(type->group, group) == 0 && strcmp(type->version, version) == 0)
            return true;
    }
    return false;
}

/* What stands behind /api or /apis. `i`: the segment of the version. */
static bool find_versioned(struct target *t, const struct path *p, unsigned i)
{
    snprintf(t->version, sizeof(t->version), "%.63s", p->segments[i]);
    if (!is_group_version(t->group, t->version))
        return false;
    if (p->n == i + 1) {
        t->kind = TARGET_RESOURCES;
        return true;
    }
    if (strcmp(t->group, "sluice.internal") == 0 && p->n == i + 2 && is_at(p, i + 1, CHANGESETS)) {
        t->kind = TARGET_CHANGESET;
        return true;
    }
    return find_objects(t, p, i + 1);
}

/* /openapi/v2; /openapi/v3, and behind it the path of a group and version. */
static bool find_openapi(struct target *t, const struct path *p)
{
    t->kind = TARGET_OPENAPI_V2;
    if (is_at(p, 1, "v2"))
        return p->n == 2;
    if (!is_at(p, 1, "v3"))
        return false;
    t->kind = TARGET_OPENAPI_INDEX;
    if (p->n == 2)
        return true;
    bool is_core = is_at(p, 2, "api") && p->n == 4;
    if (!is_core && !(is_at(p, 2, "apis") && p->n == 5))
        return false;
    t->kind = TARGET_OPENAPI;
    if (!is_core)
        snprintf(t->group, sizeof(t->group), "%s", p->segments[3]);
    snprintf(t->version, sizeof(t->version), "%.63s", p->segments[p->n - 1]);
    return is_group_version(t->group, t->version);
}

static bool find_path(struct target *t, const struct path *p)
{
    if (p->n == 1 && (is_at(p, 0, "livez") || is_at(p, 0, "readyz") || is_at(p, 0, "healthz")))
        t->kind = TARGET_HEALTH;
    else if (p->n == 1 && is_at(p, 0, "version"))
        t->kind = TARGET_VERSION;
    else if (p->n == 1 && is_at(p, 0, "api"))
        t->kind = TARGET_CORE_VERSIONS;
    else if (p->n == 1 && is_at(p, 0, "apis"))
        t->kind = TARGET_GROUPS;
    else if (is_at(p, 0, "openapi"))
        return find_openapi(t, p);
    else if (is_at(p, 0, "api"))
        return find_versioned(t, p, 1);
    else if (!is_at(p, 0, "apis") || !is_group(p->segments[1]))
        return false;
    else {
        snprintf(t->group, sizeof(t->group), "%s", p->segments[1]);
        if (p->n > 2)
            return find_versioned(t, p, 2);
        t->kind = TARGET_GROUP;
    }
    return true;
}

/* A path that another module registered; the method may still be wrong. */
static bool find_extra(struct api_call *call, const struct http_head *head)
{
    struct target *t = &call->target;
    for (unsigned i = 0; i < call->api->extras_n; i++) {
        const struct api_extra *extra = &call->api->extras[i];
        if (!slice_eq(head->path, slice_of_str(extra->path)))
            continue;
        t->kind = TARGET_EXTRA;
        bool is_get = head->method == HTTP_HEAD && strcmp(extra->method, "GET") == 0;
        t->is_method_wrong = !slice_eq(head->method_text, slice_of_str(extra->method)) && !is_get;
        t->extra = extra;
        if (!t->is_method_wrong)
            return true;
    }
    return t->kind == TARGET_EXTRA;
}

static bool is_method_fit(const struct target *t, const struct http_head *head)
{
    switch (t->kind) {
    case TARGET_EXTRA:
        return !t->is_method_wrong;
    case TARGET_CHANGESET:
        return head->method == HTTP_POST;
    case TARGET_OBJECTS:
        /* A namespaced object is made in its namespace. */
        return t->verb != VERB_NONE &&
               !(t->verb == VERB_CREATE && t->type->namespaced && t->namespace_[0] == '\0');
    default:
        return head->method == HTTP_GET || head->method == HTTP_HEAD;
    }
}

bool target_find(struct api_call *call, const struct http_head *head)
{
    struct target *t = &call->target;
    struct path path;
    *t = (struct target){0};
    bool is_found = find_extra(call, head);
    if (!is_found)
        is_found = split(head->path, &path) && find_path(t, &path);
    if (!is_found) {
        t->kind = TARGET_UNKNOWN;
        api_call_fail(call, 404, "NotFound", "the server could not find the requested resource");
        return false;
    }
    if (t->kind == TARGET_OBJECTS)
        t->verb = verb_of(head, t, params_is_true(&call->params, "watch"));
    if (!is_method_fit(t, head)) {
        api_call_fail(call, 405, "MethodNotAllowed",
                      "the server does not allow this method on the requested resource");
        return false;
    }
    return true;
}
