/* SPDX-License-Identifier: Apache-2.0 */
/* When statuses are looked at, and how they are written. See status.h. */
#include "controller/status_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a chore's call is for. */
enum purpose { WRITE_STATUS, WRITE_FINALIZERS, READ_AGAIN };

/* Conflicts of an object in a row that are done anew at once; then the back-off holds. */
#define CONFLICTS_AT_ONCE_MAX 3u

#define MERGE_PATCH "application/merge-patch+json"

/* ---- what is sent ---- */

/* A patch that only this version of this object takes. */
static json_t *patch_of(const json_t *object)
{
    return json_pack("{s:{s:s, s:s}}", "metadata", "resourceVersion",
                     kube_text_at(object, "metadata.resourceVersion"), "uid",
                     kube_text_at(object, "metadata.uid"));
}

static bool path_of(const struct status *s, const struct chore *c, const char *subresource,
                    char path[KUBE_PATH_MAX])
{
    bool fits = source_path(s->config.source, c->kind, c->namespace_, c->name, subresource, path);
    size_t n = fits ? strlen(path) : 0;
    int more = snprintf(path + n, KUBE_PATH_MAX - n, "?fieldManager=%s", STATUS_FIELD_MANAGER);
    return fits && (size_t)more < KUBE_PATH_MAX - n;
}

static void write_status(struct status *s, struct chore *c, const json_t *object, json_t *wanted)
{
    char path[KUBE_PATH_MAX];
    if (!path_of(s, c, "status", path)) {
        return; /* the kind is not served any more */
    }
    json_t *patch = patch_of(object);
    json_t *status = json_copy(wanted);
    const char *member;
    json_t *value;
    json_object_foreach(json_object_get(object, "status"), member, value)
    {
        if (json_object_get(wanted, member) == NULL) {
            json_object_set_new(status, member, json_null()); /* a merge patch's way to remove */
        }
    }
    json_object_set_new(patch, "status", status);
    c->purpose = WRITE_STATUS;
    chore_send(c, "PATCH", path, MERGE_PATCH, patch);
    json_decref(patch);
}

static void write_finalizers(struct status *s, struct chore *c, const json_t *object,
                             json_t *finalizers)
{
    char path[KUBE_PATH_MAX];
    if (!path_of(s, c, NULL, path)) {
        return;
    }
    json_t *patch = patch_of(object);
    json_object_set(json_object_get(patch, "metadata"), "finalizers", finalizers);
    c->purpose = WRITE_FINALIZERS;
    chore_send(c, "PATCH", path, MERGE_PATCH, patch);
    json_decref(patch);
}

/* ---- one object ---- */

/* A server that makes something else of a status than what was written is asked once more, and
 * finds that it has it already: no new version, and no end of it. */
static void look_at_status(struct status *s, struct chore *c, const json_t *object)
{
    json_t *wanted = status_wanted(s, c->kind, object);
    if (wanted == NULL) {
        return;
    }
    json_decref(c->before); /* the cache may have the new one before the answer is here */
    c->before = json_incref((json_t *)(uintptr_t)object);
    write_status(s, c, object, wanted);
    json_decref(wanted);
}

static void look(void *owner, struct chore *c)
{
    struct status *s = owner;
    const json_t *object = chore_object(c);
    if (!s->is_leader || object == NULL || !source_is_all_synced(s->config.source) ||
        source_is_held(s->config.source, c->kind, c->namespace_, c->name)) {
        return;
    }
    json_t *finalizers = c->kind == KIND_GATEWAY_CLASS ? status_class_finalizers(s, object) : NULL;
    if (finalizers != NULL) {
        write_finalizers(s, c, object, finalizers);
        json_decref(finalizers);
    } else {
        look_at_status(s, c, object);
    }
}

/* Somebody else wrote in between. */
static enum chore_next read_again(struct status *s, struct chore *c)
{
    char path[KUBE_PATH_MAX];
    s->stats.conflicts++;
    if (c->failures++ >= CONFLICTS_AT_ONCE_MAX) {
        return CHORE_LATER; /* two writers that answer each other */
    }
    if (!source_path(s->config.source, c->kind, c->namespace_, c->name, NULL, path)) {
        return CHORE_OVER;
    }
    c->purpose = READ_AGAIN;
    chore_send(c, "GET", path, NULL, NULL);
    return CHORE_AGAIN;
}

static enum chore_next took(struct status *s, struct chore *c, json_t *object)
{
    if (c->purpose == WRITE_STATUS) {
        s->stats.writes++;
        status_tell(s, c->kind, c->before, object);
    }
    chore_keep(c, object);
    s->stats.finalizers += c->purpose == WRITE_FINALIZERS;
    return c->purpose == WRITE_STATUS ? CHORE_OVER : CHORE_AGAIN;
}

static enum chore_next on_done(void *owner, struct chore *c, const struct kube_answer *answer)
{
    struct status *s = owner;
    if (answer->status >= 200 && answer->status < 300 && json_is_object(answer->body)) {
        return took(s, c, answer->body);
    }
    if (answer->status == 409) {
        return read_again(s, c);
    }
    if (answer->status == 404) {
        return CHORE_OVER; /* it is gone; the watch will say so */
    }
    s->stats.failures++;
    if (answer->status == 422 || answer->status == 403) {
        s->stats.refusals++;
    }
    if (c->failures == 0) { /* once a run of failures */
        fprintf(stderr, "sluice-controller: the status of %s %s%s%s was not written: %s\n",
                kind_info(c->kind)->name, c->namespace_, c->namespace_[0] != '\0' ? "/" : "",
                c->name, answer->text);
    }
    return CHORE_LATER;
}

/* ---- who says that something is to be done ---- */

static void mark(struct status *s, enum kind kind, const char *namespace_, const char *name)
{
    enum merge_shape shape;
    if (s->is_leader && status_shape(kind, &shape) && source_is_all_synced(s->config.source) &&
        chores_mark(s->chores, kind, namespace_, name) != 0) {
        abort(); /* no memory: we are started again and begin anew */
    }
}

struct marking {
    struct status *s;
    enum kind kind;
};

static void mark_each(void *owner, json_t *object)
{
    const struct marking *m = owner;
    mark(m->s, m->kind, kube_text_at(object, "metadata.namespace"),
         kube_text_at(object, "metadata.name"));
}

static void mark_all(struct status *s)
{
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        struct marking m = {s, kind};
        enum merge_shape shape;
        if (status_shape(kind, &shape)) {
            source_foreach(s->config.source, kind, mark_each, &m);
        }
    }
}

void status_lead(struct status *s, bool is_leader)
{
    s->is_leader = is_leader;
    if (is_leader) {
        mark_all(s);
    } else {
        chores_drop_all(s->chores);
    }
}

static void mark_class_of(struct status *s, const json_t *gateway)
{
    const char *name = kube_text_at(gateway, "spec.gatewayClassName");
    if (name[0] != '\0') {
        mark(s, KIND_GATEWAY_CLASS, "", name);
    }
}

void status_on_change(struct status *s, const struct source_change *change)
{
    if (change->kind == KIND_GATEWAY) {
        mark_class_of(s, change->old);
        mark_class_of(s, change->object);
    }
    mark(s, change->kind, change->namespace_, change->name);
}

void status_on_state(struct status *s)
{
    if (s->is_leader && source_is_all_synced(s->config.source)) {
        mark_all(s);
    }
}

void status_on_news(struct status *s, enum kind kind, const char *namespace_, const char *name)
{
    mark(s, kind, namespace_, name);
}

/* ---- all ---- */

int status_new(const struct status_config *config, struct status **ret)
{
    struct status *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return -ENOMEM;
    }
    s->config = *config;
    struct chores_config chores = {
        .loop = config->loop,
        .source = config->source,
        .owner = s,
        .look = look,
        .on_done = on_done,
    };
    int error = chores_new(&chores, &s->chores);
    if (error != 0) {
        free(s);
        return error;
    }
    *ret = s;
    return 0;
}

void status_free(struct status *s)
{
    if (s != NULL) {
        chores_free(s->chores);
        free(s);
    }
}

void status_stats(const struct status *s, struct status_stats *ret)
{
    *ret = s->stats;
    ret->pending = chores_pending(s->chores);
}
