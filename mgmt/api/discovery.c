/* SPDX-License-Identifier: Apache-2.0 */
/* What is served, in the words that kubectl and client libraries ask with: made from the model's
 * types at each request, so it cannot be out of date. */
#include "api/api_priv.h"

#include "base/assert.h"

#include <string.h>

/* Whose conventions and defaults we follow; kubectl warns when its own is two versions off. */
#define SERVER_MINOR "37"
#define SERVER_VERSION "v1." SERVER_MINOR ".0+sluice"

static json_t *verbs(bool is_status)
{
    return is_status ? json_pack("[s,s,s]", "get", "patch", "update")
                     : json_pack("[s,s,s,s,s,s,s]", "create", "delete", "get", "list", "patch",
                                 "update", "watch");
}

/* What "kubectl get CATEGORY" shows: as a cluster has it. NULL: it is in none. */
static const char *category_of(const struct resource_type *type)
{
    if (strcmp(type->group, "gateway.networking.k8s.io") == 0)
        return "gateway-api";
    return type->group[0] == '\0' && strcmp(type->kind, "Service") == 0 ? "all" : NULL;
}

static json_t *resource_entry(const struct resource_type *type, bool is_status)
{
    json_t *entry = json_pack("{s:s,s:s,s:b,s:s}", "name", type->plural, "singularName",
                              is_status ? "" : type->singular, "namespaced", type->namespaced,
                              "kind", type->kind);
    if (is_status)
        json_object_set_new(entry, "name", json_sprintf("%s/status", type->plural));
    json_object_set_new(entry, "verbs", verbs(is_status));
    if (!is_status && type->short_names[0] != NULL) {
        json_t *names = json_array();
        for (size_t i = 0; i < 4 && type->short_names[i] != NULL; i++)
            json_array_append_new(names, json_string(type->short_names[i]));
        json_object_set_new(entry, "shortNames", names);
    }
    if (!is_status && category_of(type) != NULL)
        json_object_set_new(entry, "categories", json_pack("[s]", category_of(type)));
    return entry;
}

static json_t *resource_list(const struct target *t)
{
    json_t *resources = json_array();
    for (size_t i = 0; i < model_type_count(); i++) {
        const struct resource_type *type = model_type_at(i);
        if (strcmp(type->group, t->group) != 0 || strcmp(type->version, t->version) != 0)
            continue;
        json_array_append_new(resources, resource_entry(type, false));
        if (type->has_status)
            json_array_append_new(resources, resource_entry(type, true));
    }
    json_t *group_version =
        t->group[0] != '\0' ? json_sprintf("%s/%s", t->group, t->version) : json_string(t->version);
    return json_pack("{s:s,s:s,s:o,s:o}", "kind", "APIResourceList", "apiVersion", "v1",
                     "groupVersion", group_version, "resources", resources);
}

/* Is it the first row of its group and version? */
static bool is_first(size_t at, bool with_version)
{
    const struct resource_type *type = model_type_at(at);
    for (size_t i = 0; i < at; i++) {
        const struct resource_type *other = model_type_at(i);
        if (strcmp(other->group, type->group) == 0 &&
            (!with_version || strcmp(other->version, type->version) == 0))
            return false;
    }
    return true;
}

static json_t *group_entry(const char *group)
{
    json_t *versions = json_array();
    for (size_t i = 0; i < model_type_count(); i++) {
        const struct resource_type *type = model_type_at(i);
        if (strcmp(type->group, group) == 0 && is_first(i, true))
            json_array_append_new(versions, json_pack("{s:s,s:s}", "groupVersion",
                                                      type->api_version, "version", type->version));
    }
    json_t *preferred = json_incref(json_array_get(versions, 0));
    return json_pack("{s:s,s:o,s:o}", "name", group, "versions", versions, "preferredVersion",
                     preferred);
}

static json_t *group_list(void)
{
    json_t *groups = json_array();
    for (size_t i = 0; i < model_type_count(); i++) {
        const char *group = model_type_at(i)->group;
        if (group[0] != '\0' && is_first(i, false))
            json_array_append_new(groups, group_entry(group));
    }
    return json_pack("{s:s,s:s,s:o}", "kind", "APIGroupList", "apiVersion", "v1", "groups", groups);
}

static json_t *one_group(const char *group)
{
    json_t *entry = group_entry(group);
    json_object_set_new(entry, "kind", json_string("APIGroup"));
    json_object_set_new(entry, "apiVersion", json_string("v1"));
    return entry;
}

static json_t *version_info(void)
{
    return json_pack("{s:s,s:s,s:s,s:s}", "major", "1", "minor", SERVER_MINOR, "gitVersion",
                     SERVER_VERSION, "platform", "sluice");
}

void discovery_run(struct api_call *call)
{
    const struct target *t = &call->target;
    json_t *answer = NULL;
    switch (t->kind) {
    case TARGET_HEALTH:
        api_call_answer_text(call, 200, "text/plain", strdup("ok"));
        return;
    case TARGET_VERSION:
        answer = version_info();
        break;
    case TARGET_CORE_VERSIONS:
        answer = json_pack("{s:s,s:[s]}", "kind", "APIVersions", "versions", "v1");
        break;
    case TARGET_GROUPS:
        answer = group_list();
        break;
    case TARGET_GROUP:
        answer = one_group(t->group);
        break;
    default:
        ASSERT(t->kind == TARGET_RESOURCES);
        answer = resource_list(t);
    }
    api_call_answer(call, 200, answer);
}
