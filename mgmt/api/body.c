/* SPDX-License-Identifier: Apache-2.0 */
/* A request's body: which Content-Types a verb takes, and from bytes to one JSON value. JSON's
 * duplicate keys and broken UTF-8 are refused, as two programs would read them in two ways. */
#include "api/api_priv.h"

#include "base/assert.h"
#include "base/container.h"
#include "yaml/yaml.h"

#include <errno.h>
#include <string.h>

#define JSON_TYPE "application/json"
#define YAML_TYPE "application/yaml"
#define PROTOBUF_TYPE "application/vnd.kubernetes.protobuf"
#define MERGE_PATCH_TYPE "application/merge-patch+json"
#define JSON_PATCH_TYPE "application/json-patch+json"
#define STRATEGIC_PATCH_TYPE "application/strategic-merge-patch+json"

/* The type without parameters. */
static struct slice media_type(const struct http_head *head)
{
    struct slice value;
    if (!http_head_known(head, HTTP_KNOWN_CONTENT_TYPE, &value))
        return SLICE_LIT("");
    const uint8_t *semicolon = memchr(value.ptr, ';', value.len);
    if (semicolon != NULL)
        value.len = (size_t)(semicolon - value.ptr);
    while (value.len > 0 && (value.ptr[value.len - 1] == ' ' || value.ptr[value.len - 1] == '\t'))
        value.len -= 1;
    return value;
}

static bool is_type(struct slice type, const char *name)
{
    return slice_eq_nocase(type, slice_of_str(name));
}

/* Kinds that a cluster has as CRDs know no strategic merge there, so clients do not ask for it. */
static bool has_strategic_merge(const struct resource_type *type)
{
    return type->group[0] == '\0' || strcmp(type->group, "discovery.k8s.io") == 0;
}

static bool is_patch_type(struct api_call *call, struct slice type)
{
    const struct resource_type *kind = call->target.type;
    call->is_strategic =
        kind != NULL && has_strategic_merge(kind) && is_type(type, STRATEGIC_PATCH_TYPE);
    return call->is_strategic || is_type(type, MERGE_PATCH_TYPE) || is_type(type, JSON_PATCH_TYPE);
}

bool body_check_type(struct api_call *call, const struct http_head *head)
{
    struct slice type = media_type(head);
    bool is_patch = head->method == HTTP_PATCH;
    bool is_document = type.len == 0 || is_type(type, JSON_TYPE) || is_type(type, YAML_TYPE) ||
                       is_type(type, PROTOBUF_TYPE);
    bool is_taken = is_patch ? is_patch_type(call, type) : is_document;
    if (!is_taken)
        api_call_fail(call, 415, "UnsupportedMediaType",
                      "the body of the request was in an unknown format - accepted media types"
                      " include: %s",
                      is_patch ? JSON_PATCH_TYPE ", " MERGE_PATCH_TYPE
                               : JSON_TYPE ", " YAML_TYPE ", " PROTOBUF_TYPE);
    return is_taken;
}

/* Nesting of brackets outside of strings, without parsing: the parsers below recurse. */
static bool is_too_deep(const uint8_t *bytes, size_t len)
{
    unsigned depth = 0;
    bool is_string = false;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = bytes[i];
        if (is_string) {
            if (c == '\\')
                i += 1;
            is_string = c != '"';
        } else if (c == '"') {
            is_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > API_DEPTH_MAX)
                return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth -= 1;
        }
    }
    return false;
}

static json_t *parse_json(struct api_call *call, const uint8_t *bytes, size_t len)
{
    json_error_t where;
    if (is_too_deep(bytes, len)) {
        api_call_fail(call, 400, "BadRequest", "the body is nested more than %u levels deep",
                      API_DEPTH_MAX);
        return NULL;
    }
    json_t *value = json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES, &where);
    if (value == NULL)
        api_call_fail(call, 400, "BadRequest", "the body is no valid JSON: line %d column %d: %s",
                      where.line, where.column, where.text);
    return value;
}

static json_t *parse_yaml(struct api_call *call, const uint8_t *bytes, size_t len)
{
    json_t *documents = NULL;
    struct yaml_error where = {0};
    int error = yaml_load(bytes, len, &documents, &where);
    if (error != 0) {
        api_call_fail(call, 400, "BadRequest", "the body is no valid YAML: line %zu column %zu: %s",
                      where.line, where.column, where.text);
        return NULL;
    }
    json_t *value = NULL;
    if (json_array_size(documents) == 1)
        value = json_incref(json_array_get(documents, 0));
    else
        api_call_fail(call, 400, "BadRequest", "the body has %zu YAML documents, not one",
                      json_array_size(documents));
    json_decref(documents);
    return value;
}

static json_t *parse_protobuf(struct api_call *call, const uint8_t *bytes, size_t len)
{
    json_t *value = protobuf_read(slice_of(bytes, len));
    if (value == NULL)
        api_call_fail(call, 400, "BadRequest",
                      "the body is no protobuf of a Namespace, ConfigMap, Secret or Service with"
                      " fields that are known here: send JSON");
    return value;
}

bool body_parse(struct api_call *call, const struct http_head *head, const uint8_t *bytes,
                size_t len)
{
    ASSERT(call->body == NULL);
    struct slice type = media_type(head);
    call->body = is_type(type, YAML_TYPE)       ? parse_yaml(call, bytes, len)
                 : is_type(type, PROTOBUF_TYPE) ? parse_protobuf(call, bytes, len)
                                                : parse_json(call, bytes, len);
    if (call->body == NULL)
        return false;
    bool is_list = is_type(type, JSON_PATCH_TYPE);
    if (is_list ? json_is_array(call->body) : json_is_object(call->body))
        return true;
    api_call_fail(call, 400, "BadRequest", "the body is no JSON %s", is_list ? "array" : "object");
    return false;
}
