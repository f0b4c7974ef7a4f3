/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply and delete. Apply makes an object equal to its manifest: create it, or put the manifest
 * over it with what the server keeps there (uid, finalizers, resourceVersion). A conflict with
 * another writer is tried again. Owner: sluicectl; thread: one.
 */
#include "base/assert.h"
#include "ctl/client.h"
#include "ctl/ctl.h"

#include <stdio.h>
#include <string.h>

#define APPLY_TRIES_MAX 5 /* against other writers of the same object */
#define JSON_TYPE "application/json"

/* Where one object lives on the server. */
struct target {
    char subject[CLIENT_PATH_MAX]; /* "httproute/ns/name", for messages */
    char path[CLIENT_PATH_MAX];
    char list_path[CLIENT_PATH_MAX];
};

static bool make_target(const struct client_resource *r, const char *namespace, const char *name,
                        struct target *t)
{
    snprintf(t->subject, sizeof(t->subject), "%.60s/%.250s%s%.250s", r->kind,
             r->namespaced ? namespace : "", r->namespaced ? "/" : "", name);
    return client_resource_path(r, namespace, name, t->path) &&
           client_resource_path(r, namespace, NULL, t->list_path);
}

/* Finds where the manifest's object lives; false: said on stderr. Fills in the namespace. */
static bool target_of(struct client *c, const struct ctl_options *o, json_t *object,
                      struct target *t)
{
    struct client_resource r;
    const char *kind = ctl_text_at(object, "kind");
    const char *name = ctl_text_at(object, "metadata.name");
    if (name[0] == '\0') {
        fprintf(stderr, "%s: metadata.name: required\n", kind);
        return false;
    }
    if (client_resource_find(c, kind, ctl_text_at(object, "apiVersion"), &r) != 0) {
        fprintf(stderr, "%s/%s: %s\n", kind, name, client_error(c));
        return false;
    }
    const char *namespace = ctl_text_at(object, "metadata.namespace");
    if (r.namespaced && namespace[0] == '\0') {
        namespace = o->namespace != NULL ? o->namespace : "default";
        json_object_set_new(json_object_get(object, "metadata"), "namespace",
                            json_string(namespace));
    }
    if (make_target(&r, namespace, name, t))
        return true;
    fprintf(stderr, "%s: metadata: there can be no such name or namespace\n", kind);
    return false;
}

/* Carries over what belongs to the server, so that putting the manifest does not take it away. */
static json_t *merge_live(json_t *manifest, const json_t *live)
{
    static const char *const kept[] = {"resourceVersion", "uid", "finalizers", "creationTimestamp"};
    json_t *merged = json_deep_copy(manifest);
    json_t *metadata = json_object_get(merged, "metadata");
    const json_t *live_metadata = json_object_get(live, "metadata");
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        json_t *value = json_object_get(live_metadata, kept[i]);
        if (value != NULL && json_object_get(metadata, kept[i]) == NULL)
            json_object_set(metadata, kept[i], value);
    }
    return merged;
}

/* One try to put the manifest over the live object. Returns the HTTP status or errno; *ret_word is
 * what to say. */
static int put_once(struct client *c, const struct target *t, json_t *manifest, json_t **ret_answer,
                    const char **ret_word)
{
    json_t *live = NULL;
    int status = client_call(c, "GET", t->path, NULL, NULL, &live);
    if (status != 200) {
        *ret_answer = live;
        return status == 404 ? 409 : status; /* deleted in between: try again from the start */
    }
    json_t *merged = merge_live(manifest, live);
    status = client_call(c, "PUT", t->path, JSON_TYPE, merged, ret_answer);
    if (status == 200) {
        bool is_same = strcmp(ctl_text_at(live, "metadata.resourceVersion"),
                              ctl_text_at(*ret_answer, "metadata.resourceVersion")) == 0;
        *ret_word = is_same ? "unchanged" : "configured";
    }
    json_decref(merged);
    json_decref(live);
    return status;
}

static bool apply_one(struct client *c, const struct target *t, json_t *manifest)
{
    json_t *answer = NULL;
    const char *word = "created";
    int status = 409;
    for (int i = 0; i < APPLY_TRIES_MAX && status == 409; i++) {
        json_decref(answer);
        answer = NULL;
        status = client_call(c, "POST", t->list_path, JSON_TYPE, manifest, &answer);
        if (status == 409) {
            json_decref(answer);
            answer = NULL;
            status = put_once(c, t, manifest, &answer, &word);
        }
    }
    bool is_done = status == 200 || status == 201;
    if (is_done)
        printf("%s %s\n", t->subject, word);
    else
        ctl_print_refusal(c, t->subject, status, answer);
    json_decref(answer);
    return is_done;
}

static bool delete_one(struct client *c, const struct ctl_options *o, const struct target *t)
{
    json_t *answer = NULL;
    int status = client_call(c, "DELETE", t->path, NULL, NULL, &answer);
    bool is_done = status == 200 || status == 202;
    bool is_gone = status == 404 && o->ignore_not_found;
    if (is_done)
        printf("%s deleted\n", t->subject);
    else if (!is_gone)
        ctl_print_refusal(c, t->subject, status, answer);
    json_decref(answer);
    return is_done || is_gone;
}

enum ctl_exit ctl_apply(struct client *c, const struct ctl_options *o)
{
    struct target t;
    bool is_all_done = true;
    if (o->file == NULL || o->n_words != 0) {
        fprintf(stderr, "sluicectl: apply wants -f FILE and nothing else\n");
        return CTL_USAGE;
    }
    json_t *objects = ctl_manifests_read(o->file);
    if (objects == NULL)
        return CTL_FAILED;
    size_t i;
    json_t *object;
    json_array_foreach(objects, i, object)
    {
        if (!target_of(c, o, object, &t) || !apply_one(c, &t, object))
            is_all_done = false;
    }
    json_decref(objects);
    return is_all_done ? CTL_DONE : CTL_FAILED;
}

static enum ctl_exit delete_file(struct client *c, const struct ctl_options *o)
{
    struct target t;
    bool is_all_done = true;
    json_t *objects = ctl_manifests_read(o->file);
    if (objects == NULL)
        return CTL_FAILED;
    for (size_t i = json_array_size(objects); i > 0; i--) { /* what was made last goes first */
        if (!target_of(c, o, json_array_get(objects, i - 1), &t) || !delete_one(c, o, &t))
            is_all_done = false;
    }
    json_decref(objects);
    return is_all_done ? CTL_DONE : CTL_FAILED;
}

enum ctl_exit ctl_delete(struct client *c, const struct ctl_options *o)
{
    struct client_resource r;
    struct target t;
    if (o->file != NULL && o->n_words == 0)
        return delete_file(c, o);
    if (o->n_words != 2 || o->file != NULL) {
        fprintf(stderr, "sluicectl: delete wants KIND NAME, or -f FILE\n");
        return CTL_USAGE;
    }
    if (client_resource_find(c, o->words[0], NULL, &r) != 0) {
        fprintf(stderr, "sluicectl: %s\n", client_error(c));
        return CTL_FAILED;
    }
    const char *namespace = o->namespace != NULL ? o->namespace : "default";
    if (!make_target(&r, namespace, o->words[1], &t)) {
        fprintf(stderr, "sluicectl: there can be no such name or namespace\n");
        return CTL_USAGE;
    }
    return delete_one(c, o, &t) ? CTL_DONE : CTL_FAILED;
}
