/* SPDX-License-Identifier: Apache-2.0 */
/* create, update, patch, delete: one object in one transaction. The answer is given only after the
 * commit, and says what was stored. */
#include "api/api_priv.h"

#include "base/assert.h"
#include "base/rng.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define GENERATED_CHARS 5u

bool is_token_type(const struct resource_type *type)
{
    return strcmp(type->group, "sluice.internal") == 0 && strcmp(type->plural, "tokens") == 0;
}

/* Ends the transaction; 0, or answered with the store's error. A dry run stores nothing. */
int call_commit(struct api_call *call, struct store_txn *txn)
{
    if (call->is_dry_run) {
        store_rollback(txn);
        return 0;
    }
    int error = store_commit(txn);
    if (error != 0)
        call_fail_store(call, error);
    return error;
}

static struct store_txn *begin(struct api_call *call)
{
    struct store_txn *txn = NULL;
    int error = store_begin(call->api->store, &txn);
    if (error != 0)
        call_fail_store(call, error);
    return txn;
}

/* metadata.generateName and five characters of chance, as a cluster does it. */
static void generate_name(json_t *object)
{
    static const char digits[] = "bcdfghjklmnpqrstvwxz2456789";
    const char *prefix = meta_text(object, "generateName");
    uint8_t chance[GENERATED_CHARS];
    char tail[GENERATED_CHARS + 1] = "";
    if (prefix[0] == '\0' || meta_text(object, "name")[0] != '\0' ||
        getrandom(chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
        return;
    for (size_t i = 0; i < GENERATED_CHARS; i++)
        tail[i] = digits[chance[i] % (sizeof(digits) - 1)];
    json_object_set_new(json_object_get(object, "metadata"), "name",
                        json_sprintf("%s%s", prefix, tail));
}

static bool check_new(struct api_call *call, const struct store_txn *txn, const json_t *object)
{
    const struct target *t = &call->target;
    char resource[RESOURCE_NAME_BYTES_MAX];
    const char *name = meta_text(object, "name");
    resource_name(t->type, resource);
    if (store_txn_get(txn, resource, t->namespace_, name) == NULL)
        return true;
    call_fail_with(call, 409, "AlreadyExists", status_details(t->type, name),
                   "%s \"%s\" already exists", resource, name);
    return false;
}

/* The object as the client will see it: after a dry run with the version that is there, for nothing
 * has another one. `old`: NULL: nothing is there. */
static json_t *written_answer(struct api_call *call, json_t *stored, const json_t *old)
{
    json_t *answer = object_as(call->target.type, stored);
    if (!call->is_dry_run || answer == NULL)
        return answer;
    json_t *copy = json_copy(answer);
    json_t *metadata = json_copy(json_object_get(answer, "metadata"));
    json_t *version = json_object_get(json_object_get(old, "metadata"), "resourceVersion");
    json_decref(answer);
    if (version != NULL)
        json_object_set(metadata, "resourceVersion", version);
    else
        json_object_del(metadata, "resourceVersion");
    json_object_set_new(copy, "metadata", metadata);
    return copy;
}

/* With a new Token, this once, its secret. */
static json_t *created_answer(struct api_call *call, json_t *stored, const char *token)
{
    json_t *answer = written_answer(call, stored, NULL);
    if (token == NULL || answer == NULL)
        return answer;
    json_t *copy = json_copy(answer);
    json_decref(answer);
    if (copy != NULL)
        json_object_set_new(copy, "status", json_pack("{s:s}", "token", token));
    return copy;
}

/* Within the transaction: everything that can be refused. *ret: a new reference to the answer. */
static bool create_in(struct api_call *call, struct store_txn *txn, json_t **ret)
{
    const struct target *t = &call->target;
    char resource[RESOURCE_NAME_BYTES_MAX];
    json_t *stored = NULL;
    char *token = NULL;
    generate_name(call->body);
    if (!admit_namespace(call, txn, t->type, t->namespace_) ||
        !admit(call, t->type, t->namespace_, call->body, NULL, "") ||
        !scope_admit_token(call, txn, call->body) || !check_new(call, txn, call->body))
        return false;
    int error = store_put(txn, resource_name(t->type, resource), call->body, &stored);
    if (error == 0 && is_token_type(t->type))
        error = token_issue(txn, meta_text(stored, "name"), &token);
    if (error == 0)
        *ret = created_answer(call, stored, token);
    else
        call_fail_store(call, error);
    token_forget(token);
    return error == 0;
}

void create_run(struct api_call *call)
{
    json_t *answer = NULL;
    if (meta_text(call->body, "resourceVersion")[0] != '\0') {
        api_call_fail(call, 400, "BadRequest",
                      "resourceVersion should not be set on objects to be created");
        return;
    }
    struct store_txn *txn = begin(call);
    if (txn == NULL)
        return;
    if (!create_in(call, txn, &answer)) {
        store_rollback(txn);
        return;
    }
    if (call_commit(call, txn) == 0)
        api_call_answer(call, 201, answer);
    else
        json_decref(answer);
}

bool check_preconditions(struct api_call *call, const struct resource_type *type, const json_t *old,
                         const char *uid, const char *version)
{
    char resource[RESOURCE_NAME_BYTES_MAX];
    const char *name = meta_text(old, "name");
    resource_name(type, resource);
    if (uid[0] != '\0' && strcmp(uid, meta_text(old, "uid")) != 0)
        call_fail_with(call, 409, "Conflict", status_details(type, name),
                       "Operation cannot be fulfilled on %s \"%s\": Precondition failed: UID in"
                       " precondition: %.40s, UID in object meta: %s",
                       resource, name, uid, meta_text(old, "uid"));
    else if (version[0] != '\0' && strcmp(version, meta_text(old, "resourceVersion")) != 0)
        call_fail_with(call, 409, "Conflict", status_details(type, name),
                       "Operation cannot be fulfilled on %s \"%s\": the object has been modified;"
                       " please apply your changes to the latest version and try again",
                       resource, name);
    else
        return true;
    return false;
}

/* What the object shall be: the body, or the old object with the patch. NULL: answered. */
static json_t *wanted_object(struct api_call *call, json_t *old)
{
    if (call->target.verb == VERB_UPDATE)
        return json_incref(call->body);
    const char *error_text = "out of memory";
    int error = -ENOMEM;
    json_t *seen = object_as(call->target.type, old);
    json_t *fresh = NULL;
    if (json_is_array(call->body)) {
        error = patch_json(seen, call->body, &fresh, &error_text);
    } else {
        fresh = json_deep_copy(seen);
        error = fresh == NULL        ? -ENOMEM
                : call->is_strategic ? patch_strategic(fresh, call->body)
                                     : patch_merge(fresh, call->body);
    }
    json_decref(seen);
    if (error == 0 && json_is_object(fresh))
        return fresh;
    json_decref(fresh);
    if (error != -ENOMEM)
        api_call_fail(call, 422, "Invalid", "the patch cannot be applied: %s",
                      error == 0 ? "its result is no object" : error_text);
    else
        api_call_fail(call, 500, "InternalError", "out of memory");
    return NULL;
}

/* For /status: the old object with nothing new but its status. Takes `wanted`. */
static json_t *only_status(struct api_call *call, json_t *old, json_t *wanted)
{
    json_t *status = json_object_get(wanted, "status");
    json_t *seen = object_as(call->target.type, old);
    json_t *fresh = json_deep_copy(seen);
    json_decref(seen);
    if (status != NULL)
        json_object_set(fresh, "status", status);
    else
        json_object_del(fresh, "status");
    json_decref(wanted);
    return fresh;
}

/* Within the transaction; as create_in(). */
static bool update_in(struct api_call *call, struct store_txn *txn, json_t *old, json_t *wanted,
                      json_t **ret)
{
    const struct target *t = &call->target;
    char resource[RESOURCE_NAME_BYTES_MAX];
    json_t *stored = NULL;
    bool is_gone = false;
    if (strcmp(meta_text(wanted, "name"), t->name) != 0) {
        api_call_fail(call, 400, "BadRequest",
                      "the name of the object (%.253s) does not match the name on the URL (%s)",
                      meta_text(wanted, "name"), t->name);
        return false;
    }
    if (!check_preconditions(call, t->type, old, meta_text(wanted, "uid"),
                             meta_text(wanted, "resourceVersion")) ||
        !admit(call, t->type, t->namespace_, wanted, old, "") ||
        !scope_admit_token(call, txn, wanted))
        return false;
    int error = store_put(txn, resource_name(t->type, resource), wanted, &stored);
    json_t *answer = error == 0 ? written_answer(call, stored, old) : NULL;
    if (error == 0)
        error = remove_if_finished(txn, t->type, stored, &is_gone);
    if (error != 0) {
        json_decref(answer);
        call_fail_store(call, error);
        return false;
    }
    *ret = answer;
    return true;
}

/* Somebody must be left who can make tokens. False: answered. */
static bool check_providers(struct api_call *call, const struct store_txn *txn)
{
    if (!is_token_type(call->target.type) || !token_is_last_provider(txn, ""))
        return true;
    api_call_fail(call, 409, "Conflict",
                  "the last token of an infrastructure-provider that does not expire cannot be"
                  " removed or given another role");
    return false;
}

void update_run(struct api_call *call)
{
    const struct target *t = &call->target;
    json_t *answer = NULL;
    json_t *old = call_find_object(call);
    if (old == NULL)
        return;
    json_t *wanted = wanted_object(call, old);
    if (wanted != NULL && t->is_status &&
        check_preconditions(call, t->type, old, meta_text(wanted, "uid"),
                            meta_text(wanted, "resourceVersion")))
        wanted = only_status(call, old, wanted);
    struct store_txn *txn = wanted != NULL && call->code == 0 ? begin(call) : NULL;
    bool is_done =
        txn != NULL && update_in(call, txn, old, wanted, &answer) && check_providers(call, txn);
    json_decref(wanted);
    if (is_done && call_commit(call, txn) == 0) {
        api_call_answer(call, 200, answer);
        return;
    }
    if (txn != NULL && !is_done)
        store_rollback(txn);
    json_decref(answer);
}

/* DeleteOptions in the body: preconditions and dryRun. False: answered. */
static bool read_delete_options(struct api_call *call, const json_t *old)
{
    const json_t *preconditions = json_object_get(call->body, "preconditions");
    const char *uid = json_string_value(json_object_get(preconditions, "uid"));
    const char *version = json_string_value(json_object_get(preconditions, "resourceVersion"));
    if (json_array_size(json_object_get(call->body, "dryRun")) > 0)
        call->is_dry_run = true;
    return check_preconditions(call, call->target.type, old, uid != NULL ? uid : "",
                               version != NULL ? version : "");
}

static json_t *deleted_answer(const struct target *t, json_t *last)
{
    if (meta_text(last, "deletionTimestamp")[0] != '\0')
        return object_as(t->type, last);
    json_t *details = status_details(t->type, t->name);
    json_object_set_new(details, "uid", json_string(meta_text(last, "uid")));
    return json_pack("{s:s,s:s,s:{},s:s,s:o}", "kind", "Status", "apiVersion", "v1", "metadata",
                     "status", "Success", "details", details);
}

void delete_run(struct api_call *call)
{
    const struct target *t = &call->target;
    json_t *last = NULL;
    json_t *old = call_find_object(call);
    if (old == NULL)
        return;
    struct store_txn *txn = read_delete_options(call, old) ? begin(call) : NULL;
    if (txn == NULL)
        return;
    int error = remove_object(txn, t->type, t->namespace_, t->name, &last);
    if (error == 0 && is_token_type(t->type))
        error = token_revoke(txn, t->name);
    json_t *answer = error == 0 ? deleted_answer(t, last) : NULL;
    if (error == -EPERM)
        api_call_fail(call, 403, "Forbidden", "namespace \"%s\" may not be deleted", t->name);
    else if (error != 0)
        call_fail_store(call, error);
    if (error != 0 || !check_providers(call, txn)) {
        store_rollback(txn);
        json_decref(answer);
    } else if (call_commit(call, txn) == 0) {
        api_call_answer(call, 200, answer);
    } else {
        json_decref(answer);
    }
}
