/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals as Kubernetes' Status objects: reason, code, a message for people, and a cause for each
 * field that is wrong. */
#include "api/api_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A message names at most so many fields; the causes name all. */
#define MESSAGE_FIELDS_MAX 8u

json_t *status_make(int code, const char *reason, const char *message, json_t *details)
{
    json_t *status =
        json_pack("{s:s,s:s,s:{},s:s,s:s,s:s}", "kind", "Status", "apiVersion", "v1", "metadata",
                  "status", "Failure", "message", message, "reason", reason);
    if (details != NULL)
        json_object_set_new(status, "details", details);
    json_object_set_new(status, "code", json_integer(code));
    return status;
}

json_t *status_details(const struct resource_type *type, const char *name)
{
    json_t *details = json_object();
    if (name[0] != '\0')
        json_object_set_new(details, "name", json_string(name));
    if (type->group[0] != '\0')
        json_object_set_new(details, "group", json_string(type->group));
    json_object_set_new(details, "kind", json_string(type->plural));
    return details;
}

static void fail(struct api_call *call, int code, const char *reason, json_t *details,
                 const char *format, va_list args)
{
    char message[2048];
    vsnprintf(message, sizeof(message), format, args);
    json_t *status = status_make(code, reason, message, details);
    if (status == NULL) /* the message had bytes that are no UTF-8 */
        status = status_make(code, reason, reason, NULL);
    api_call_answer(call, code, status);
}

void api_call_fail(struct api_call *call, int code, const char *reason, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail(call, code, reason, NULL, format, args);
    va_end(args);
}

void call_fail_with(struct api_call *call, int code, const char *reason, json_t *details,
                    const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail(call, code, reason, details, format, args);
    va_end(args);
}

void call_fail_store(struct api_call *call, int error)
{
    const char *text = store_error(call->api->store);
    ASSERT(error < 0);
    switch (error) {
    case -E2BIG:
        api_call_fail(call, 413, "RequestEntityTooLarge", "%s", text);
        break;
    case -EINVAL:
        api_call_fail(call, 400, "BadRequest", "%s", text);
        break;
    case -ENOSPC:
        api_call_fail(call, 507, "InsufficientStorage", "nothing was changed: %s", text);
        break;
    default:
        api_call_fail(call, 500, "InternalError", "nothing was changed: %s (%s)", text,
                      strerror(-error));
    }
}

void call_fail_missing(struct api_call *call, const struct resource_type *type, const char *name)
{
    char resource[RESOURCE_NAME_BYTES_MAX];
    call_fail_with(call, 404, "NotFound", status_details(type, name), "%s \"%s\" not found",
                   resource_name(type, resource), name);
}

json_t *call_find_object(struct api_call *call)
{
    const struct target *t = &call->target;
    char resource[RESOURCE_NAME_BYTES_MAX];
    json_t *found =
        store_get(call->api->store, resource_name(t->type, resource), t->namespace_, t->name);
    if (found == NULL)
        call_fail_missing(call, t->type, t->name);
    return found;
}

static json_t *causes_of(const struct model_errors *errors, const char *prefix)
{
    json_t *causes = json_array();
    for (size_t i = 0; i < errors->n; i++) {
        const struct model_error *e = &errors->items[i];
        json_t *cause =
            json_pack("{s:s,s:s}", "reason", model_reason_name(e->reason), "message", e->message);
        json_object_set_new(cause, "field", json_sprintf("%s%s", prefix, e->field));
        json_array_append_new(causes, cause);
    }
    return causes;
}

/* "spec.a: Required value, spec.b: Invalid value: ..." */
static void join_fields(const struct model_errors *errors, const char *prefix, char *buf,
                        size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < errors->n && i < MESSAGE_FIELDS_MAX && at < size; i++) {
        const struct model_error *e = &errors->items[i];
        at += (size_t)snprintf(buf + at, size - at, "%s%s%s: %s", i > 0 ? ", " : "", prefix,
                               e->field, e->message);
    }
    size_t more = errors->n + errors->n_more;
    if (more > MESSAGE_FIELDS_MAX && at < size)
        snprintf(buf + at, size - at, ", and %zu more", more - MESSAGE_FIELDS_MAX);
}

void call_fail_invalid(struct api_call *call, const struct resource_type *type, const char *name,
                       const struct model_errors *errors, const char *prefix)
{
    char fields[1500] = "";
    ASSERT(errors->n > 0);
    bool is_strict = true; /* nothing but fields that nobody knows */
    for (size_t i = 0; i < errors->n; i++)
        is_strict = is_strict && errors->items[i].reason == MODEL_UNKNOWN_FIELD;
    join_fields(errors, prefix, fields, sizeof(fields));
    json_t *details = status_details(type, name);
    json_object_set_new(details, "kind", json_string(type->kind));
    json_object_set_new(details, "causes", causes_of(errors, prefix));
    if (is_strict)
        call_fail_with(call, 400, "BadRequest", details, "strict decoding error: %s", fields);
    else
        call_fail_with(call, 422, "Invalid", details, "%s%s%s \"%s\" is invalid: %s", type->kind,
                       type->group[0] != '\0' ? "." : "", type->group, name, fields);
}
