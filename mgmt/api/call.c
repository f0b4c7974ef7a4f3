/* SPDX-License-Identifier: Apache-2.0 */
/* From a target to who does it, and what all of them share. */
#include "api/api_priv.h"

#include "base/assert.h"

#include <string.h>

const char *meta_text(const json_t *object, const char *key)
{
    const json_t *metadata = json_object_get(object, "metadata");
    const char *text = json_string_value(json_object_get(metadata, key));
    return text != NULL ? text : "";
}

json_t *object_as(const struct resource_type *type, json_t *stored)
{
    const char *version = json_string_value(json_object_get(stored, "apiVersion"));
    if (version != NULL && strcmp(version, type->api_version) == 0)
        return json_incref(stored);
    json_t *copy = json_copy(stored);
    if (copy != NULL)
        json_object_set_new(copy, "apiVersion", json_string(type->api_version));
    return copy;
}

/* dryRun=All is the only value there is. False: answered. */
static bool read_dry_run(struct api_call *call)
{
    const char *value = params_get(&call->params, "dryRun");
    if (value == NULL || value[0] == '\0')
        return true;
    call->is_dry_run = strcmp(value, "All") == 0;
    if (!call->is_dry_run)
        api_call_fail(call, 400, "BadRequest", "dryRun: Unsupported value: supported: \"All\"");
    return call->is_dry_run;
}

static void run_verb(struct api_call *call, const struct http_head *head)
{
    switch (call->target.verb) {
    case VERB_GET:
        get_run(call);
        break;
    case VERB_LIST:
        list_run(call);
        break;
    case VERB_WATCH:
        watch_run(call);
        break;
    case VERB_CREATE:
        create_run(call);
        break;
    case VERB_UPDATE:
    case VERB_PATCH:
        update_run(call);
        break;
    default:
        ASSERT(call->target.verb == VERB_DELETE);
        delete_run(call);
    }
}

static bool needs_body(const struct api_call *call)
{
    const struct target *t = &call->target;
    return t->kind == TARGET_CHANGESET || t->verb == VERB_CREATE || t->verb == VERB_UPDATE ||
           t->verb == VERB_PATCH;
}

void call_run(struct api_call *call, const struct http_head *head)
{
    const struct target *t = &call->target;
    if (needs_body(call) && call->body == NULL)
        api_call_fail(call, 400, "BadRequest", "the request has no body");
    else if (!read_dry_run(call))
        return;
    else if (t->kind == TARGET_CHANGESET)
        changeset_run(call);
    else if (t->kind == TARGET_OBJECTS)
        run_verb(call, head);
    else if (t->kind == TARGET_EXTRA)
        t->extra->handle(t->extra->owner, call);
    else if (t->kind == TARGET_OPENAPI || t->kind == TARGET_OPENAPI_INDEX ||
             t->kind == TARGET_OPENAPI_V2)
        openapi_run(call, head);
    else
        discovery_run(call);
    ASSERT(call->code != 0);
}
