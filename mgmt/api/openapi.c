/* SPDX-License-Identifier: Apache-2.0 */
/* OpenAPI v3 (/openapi/v3): the model's schemas, and of the operations what kubectl looks for: that
 * a patch takes fieldValidation, so that the server and not the client checks fields. */
#include "api/api_priv.h"

#include "base/assert.h"

#include <string.h>

/*
 * OpenAPI v2 without a definition. kubectl asks for it when it is given a List, of which v3 has
 * nothing, and checks what it finds a definition of: nothing, so that it is left to us, an item
 * each. As gnostic's protobuf (the only form that kubectl takes) it is
 *
 *   FIELD  DESCRIPTION
 *   1      swagger: "2.0"
 *   2      info: 1 title, 2 version
 */
#define V2_PROTOBUF_TYPE "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
#define V2_PROTOBUF                                                                                \
    "\x0a\x03"                                                                                     \
    "2.0"                                                                                          \
    "\x12\x0c"                                                                                     \
    "\x0a\x06"                                                                                     \
    "Sluice"                                                                                       \
    "\x12\x02"                                                                                     \
    "v1"

static json_t *kind_entry(const struct resource_type *type)
{
    return json_pack("{s:s,s:s,s:s}", "group", type->group, "version", type->version, "kind",
                     type->kind);
}

static json_t *operation(const struct resource_type *type, const char *action)
{
    json_t *parameters = json_array();
    if (strcmp(action, "patch") == 0 || strcmp(action, "put") == 0 || strcmp(action, "post") == 0) {
        static const char *const names[] = {"dryRun", "fieldValidation", "fieldManager"};
        for (size_t i = 0; i < array_len(names); i++)
            json_array_append_new(parameters, json_pack("{s:s,s:s,s:{s:s}}", "name", names[i], "in",
                                                        "query", "schema", "type", "string"));
    }
    return json_pack("{s:s,s:o,s:o,s:{s:{s:s}}}", "x-kubernetes-action", action,
                     "x-kubernetes-group-version-kind", kind_entry(type), "parameters", parameters,
                     "responses", "200", "description", "OK");
}

/* The path of the collection, or of one object. */
static json_t *path_of(const struct resource_type *type, bool is_one)
{
    return json_sprintf("%s/%s/%s%s%s", type->group[0] != '\0' ? "/apis" : "/api",
                        type->api_version, type->namespaced ? "namespaces/{namespace}/" : "",
                        type->plural, is_one ? "/{name}" : "");
}

static void add_paths(json_t *paths, const struct resource_type *type)
{
    static const char *const actions[2][4] = {{"list", "post"}, {"get", "put", "patch", "delete"}};
    for (int is_one = 0; is_one < 2; is_one++) {
        json_t *path = path_of(type, is_one != 0);
        json_t *operations = json_object();
        for (size_t i = 0; i < 4 && actions[is_one][i] != NULL; i++) {
            const char *action = actions[is_one][i];
            json_object_set_new(operations, strcmp(action, "list") == 0 ? "get" : action,
                                operation(type, action));
        }
        json_object_set_new(paths, json_string_value(path), operations);
        json_decref(path);
    }
}

/* "io.k8s.networking.gateway.v1.HTTPRoute" and the like are long and say no more than this. */
static void add_schema(json_t *schemas, const struct resource_type *type)
{
    json_t *name = json_sprintf("%s.%s.%s", type->group[0] != '\0' ? type->group : "core",
                                type->version, type->kind);
    json_t *schema = json_copy((json_t *)(uintptr_t)model_type_schema(type));
    json_object_set_new(schema, "x-kubernetes-group-version-kind",
                        json_pack("[o]", kind_entry(type)));
    json_object_set_new(schemas, json_string_value(name), schema);
    json_decref(name);
}

static json_t *document(const struct target *t)
{
    json_t *paths = json_object();
    json_t *schemas = json_object();
    for (size_t i = 0; i < model_type_count(); i++) {
        const struct resource_type *type = model_type_at(i);
        if (strcmp(type->group, t->group) != 0 || strcmp(type->version, t->version) != 0)
            continue;
        add_paths(paths, type);
        add_schema(schemas, type);
    }
    return json_pack("{s:s,s:{s:s,s:s},s:o,s:{s:o}}", "openapi", "3.0.0", "info", "title", "Sluice",
                     "version", t->version, "paths", paths, "components", "schemas", schemas);
}

static json_t *document_index(void)
{
    json_t *paths = json_object();
    for (size_t i = 0; i < model_type_count(); i++) {
        const struct resource_type *type = model_type_at(i);
        json_t *key =
            json_sprintf("%s/%s", type->group[0] != '\0' ? "apis" : "api", type->api_version);
        json_t *url = json_sprintf("/openapi/v3/%s", json_string_value(key));
        json_object_set_new(paths, json_string_value(key),
                            json_pack("{s:o}", "serverRelativeURL", url));
        json_decref(key);
    }
    return json_pack("{s:o}", "paths", paths);
}

static void answer_v2(struct api_call *call, const struct http_head *head)
{
    struct slice accept;
    bool is_protobuf = http_head_find(head, "accept", &accept) &&
                       memmem(accept.ptr, accept.len, "proto-openapi", 13) != NULL;
    if (is_protobuf)
        api_call_answer_text(call, 200, V2_PROTOBUF_TYPE, strdup(V2_PROTOBUF));
    else
        api_call_answer(call, 200,
                        json_pack("{s:s,s:{s:s,s:s},s:{},s:{}}", "swagger", "2.0", "info", "title",
                                  "Sluice", "version", "v1", "paths", "definitions"));
}

void openapi_run(struct api_call *call, const struct http_head *head)
{
    if (call->target.kind == TARGET_OPENAPI_V2) {
        answer_v2(call, head);
        return;
    }
    bool is_index = call->target.kind == TARGET_OPENAPI_INDEX;
    api_call_answer(call, 200, is_index ? document_index() : document(&call->target));
}
