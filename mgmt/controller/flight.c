/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One write to an appliance, and what its answer means:
 *
 *   2xx               done; the cache has the answer at once
 *   409 on a change   another writer was there: read it and look again
 *   409 on a creation somebody else has the name, unless reading it shows our label
 *   404               it is gone (or its namespace is not there yet)
 *   401, 429, 5xx,    the appliance cannot do it now: all waits, then goes on
 *   no answer
 *   else              this object is refused; the others go on
 */
#include "controller/mirror_priv.h"

#include "base/assert.h"
#include "base/container.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS_MIN 500u

/* ---- troubles ---- */

static void on_retry(struct wheel_timer *timer, uint64_t now_us)
{
    copy_look(container_of(timer, struct copy, retry), true);
}

void copy_clear_trouble(struct copy *c)
{
    c->failures = 0;
    loop_timer_disarm(c->appliance->mirror->loop, &c->retry);
    if (c->trouble == NULL)
        return;
    free(c->trouble);
    c->trouble = NULL;
    c->appliance->stats.troubled -= 1;
    mirror_tell(c->appliance->mirror, MIRROR_CLEARED, c->appliance, c->object->node);
}

/* Tries in a row take longer and longer, up to MIRROR_RETRY_REFUSED_MS. */
static void arm_retry(struct copy *c)
{
    uint64_t ms = RETRY_MS_MIN;
    for (unsigned i = 0; i < c->failures && ms < MIRROR_RETRY_REFUSED_MS; i++)
        ms *= 2;
    if (ms > MIRROR_RETRY_REFUSED_MS)
        ms = MIRROR_RETRY_REFUSED_MS;
    c->failures += 1;
    c->retry.on_expire = on_retry;
    loop_timer_arm(c->appliance->mirror->loop, &c->retry, ms * 1000);
}

static void log_trouble(const struct copy *c)
{
    const struct mirror_config *config = &c->appliance->mirror->config;
    const struct graph_node *node = c->object->node;
    const struct mirror_trouble *t = c->trouble;
    char text[KUBE_TEXT_MAX + 1024];
    snprintf(text, sizeof(text), "%s%s%s is refused (%d %s): %s%s%s", node->namespace_,
             node->namespace_[0] != '\0' ? "/" : "", node->name, t->status, t->reason, t->field,
             t->field[0] != '\0' ? ": " : "", t->text);
    if (config->on_trouble != NULL)
        config->on_trouble(config->owner, c->appliance->index, node->kind, text);
}

static void set_trouble(struct copy *c, int status, const char *reason, const char *field,
                        const char *text)
{
    struct mirror_trouble *t = c->trouble;
    bool is_news = t == NULL || t->status != status || strcmp(t->text, text) != 0;
    if (t == NULL) {
        t = calloc(1, sizeof(*t));
        if (t == NULL)
            return;
        c->trouble = t;
        c->appliance->stats.troubled += 1;
    }
    t->status = status;
    t->generation = c->generation;
    snprintf(t->reason, sizeof(t->reason), "%s", reason);
    snprintf(t->field, sizeof(t->field), "%s", field);
    snprintf(t->text, sizeof(t->text), "%s", text);
    arm_retry(c);
    if (!is_news)
        return;
    log_trouble(c);
    mirror_tell(c->appliance->mirror, MIRROR_REFUSED, c->appliance, c->object->node);
}

static void set_refusal(struct copy *c, const struct kube_answer *answer)
{
    const json_t *causes = json_object_get(json_object_get(answer->body, "details"), "causes");
    const json_t *cause = json_array_get(causes, 0);
    c->appliance->stats.refusals += 1;
    set_trouble(c, answer->status, kube_text_at(answer->body, "reason"),
                kube_text_at(cause, "field"), answer->text);
}

/* ---- the air ---- */

static int64_t generation_of(const json_t *object)
{
    const json_t *metadata = json_object_get(object, "metadata");
    return json_integer_value(json_object_get(metadata, "generation"));
}

/* How many of its kind are in the air, as it is. */
static unsigned *flying(const struct copy *c)
{
    struct appliance *a = c->appliance;
    enum kind kind = c->object->node->kind;
    ASSERT((unsigned)kind < KIND_COUNT);
    if (c->is_removal)
        return &a->flying_removals[kind];
    return &a->flying_writes[kind];
}

void copy_take_off(struct copy *c, bool is_removal)
{
    struct appliance *a = c->appliance;
    c->state = COPY_FLYING;
    c->generation = generation_of(c->object->node->object);
    c->is_stale = false;
    c->is_removal = is_removal;
    graph_pin(c->object->node); /* its node stays as long as somebody may answer */
    if (c->is_urgent)
        return;
    a->n_flying += 1;
    *flying(c) += 1;
}

/* The copy and its object may be gone afterwards. */
void copy_land(struct copy *c, bool look_again)
{
    struct appliance *a = c->appliance;
    struct graph_node *node = c->object->node;
    c->state = COPY_IDLE;
    c->call = NULL;
    if (!c->is_urgent) {
        a->n_flying -= 1;
        *flying(c) -= 1;
    }
    if (look_again || c->is_stale)
        copy_look(c, true);
    loop_task_program(a->mirror->loop, &a->pump);
    graph_unpin(a->mirror->graph, node);
}

/* Where it is there. */
static void key_there(const struct copy *c, char namespace_[254], char name[254])
{
    const struct graph_node *node = c->object->node;
    if (!copy_key_there(&c->appliance->mirror->names, node->kind, node->namespace_, node->name,
                        namespace_, name))
        namespace_[0] = name[0] = '\0';
}

void copy_note(struct copy *c, json_t *object)
{
    char namespace_[254];
    char name[254];
    bool is_stale = c->is_stale; /* what we wrote ourselves is no news to us */
    key_there(c, namespace_, name);
    source_note(c->appliance->source, c->object->node->kind, namespace_, name, object);
    c->is_stale = is_stale;
}

static bool is_ours(const struct copy *c, const json_t *object)
{
    const json_t *labels = json_object_get(json_object_get(object, "metadata"), "labels");
    const char *cluster = json_string_value(json_object_get(labels, MIRROR_LABEL));
    return cluster != NULL && strcmp(cluster, c->appliance->mirror->names.cluster) == 0;
}

/* The appliance cannot do it now: nothing is wrong with the object. */
bool flight_is_for_later(int status)
{
    return status < 0 || status == 401 || status == 429 || status >= 500;
}

void flight_come_later(struct copy *c, const struct kube_answer *answer)
{
    appliance_tell_later(c->appliance, c->object->node->kind, answer);
    copy_land(c, true);
}

/* ---- what is there, after a 409 ---- */

static void on_read(void *owner, const struct kube_answer *answer)
{
    struct copy *c = owner;
    if (flight_is_for_later(answer->status)) {
        flight_come_later(c, answer);
        return;
    }
    if (answer->status == 200 && is_ours(c, answer->body)) {
        copy_note(c, answer->body);
        copy_land(c, true);
        return;
    }
    if (answer->status == 404) {
        copy_note(c, NULL);
        copy_land(c, true);
        return;
    }
    if (c->object->node->kind == KIND_NAMESPACE && answer->status == 200)
        c->is_foreign = true; /* what is in it is told apart by its label */
    else if (answer->status == 200)
        set_trouble(c, 409, "AlreadyExists", "metadata.name",
                    "the appliance has an object of this name that is not of this cluster: it is"
                    " left alone");
    else
        set_refusal(c, answer);
    copy_note(c, NULL); /* not ours, or no longer */
    copy_land(c, false);
}

int flight_send(struct copy *c, const char *method, const json_t *body, kube_done_fn on_done)
{
    char namespace_[254];
    char name[254];
    char path[KUBE_PATH_MAX];
    const struct graph_node *node = c->object->node;
    bool is_creation = strcmp(method, "POST") == 0;
    bool is_write = is_creation || strcmp(method, "PUT") == 0;
    key_there(c, namespace_, name);
    if (!source_path(c->appliance->source, node->kind, namespace_, is_creation ? NULL : name, NULL,
                     path))
        return -ENOTSUP;
    if (is_write)
        snprintf(path + strlen(path), sizeof(path) - strlen(path), "?fieldValidation=%s",
                 copy_may_lose_fields(node->kind) ? "Ignore" : "Strict");
    const struct kube_request request = {
        .method = method,
        .path = path,
        .body = body,
        .content_type = strcmp(method, "PATCH") == 0 ? "application/merge-patch+json" : NULL,
        .is_urgent = c->is_urgent,
        .on_done = on_done,
        .owner = c,
    };
    return kube_call(c->appliance->kube, &request, &c->call);
}

static void read_there(struct copy *c)
{
    c->appliance->stats.conflicts += 1;
    int error = flight_send(c, "GET", NULL, on_read);
    if (error != 0)
        flight_come_later(c, &(struct kube_answer){.status = error, .text = strerror(-error)});
}

/* ---- writes ---- */

static void on_written(void *owner, const struct kube_answer *answer)
{
    struct copy *c = owner;
    struct appliance *a = c->appliance;
    if (flight_is_for_later(answer->status)) {
        flight_come_later(c, answer);
        return;
    }
    a->failures = 0;
    if (answer->status == 409) {
        read_there(c);
        return;
    }
    if (answer->status >= 200 && answer->status < 300) {
        a->stats.writes += 1;
        c->is_single = false;
        a->batch_max += a->batch_max < BATCH_MAX ? 1 : 0;
        copy_clear_trouble(c);
        copy_note(c, answer->body);
        copy_land(c, false);
        return;
    }
    if (answer->status == 404 && copy_there(c) != NULL) {
        copy_note(c, NULL); /* removed by somebody: made anew */
        copy_land(c, true);
        return;
    }
    set_refusal(c, answer);
    copy_land(c, false);
}

static void on_removed(void *owner, const struct kube_answer *answer)
{
    struct copy *c = owner;
    if (flight_is_for_later(answer->status)) {
        flight_come_later(c, answer);
        return;
    }
    c->appliance->failures = 0;
    if (answer->status == 409) {
        read_there(c);
        return;
    }
    if (answer->status == 404 || (answer->status >= 200 && answer->status < 300)) {
        c->appliance->stats.removals += answer->status != 404;
        copy_clear_trouble(c);
        copy_note(c, NULL);
        copy_land(c, false);
        return;
    }
    set_refusal(c, answer);
    copy_land(c, false);
}

/* The versions that a change is based on, so that it meets no other. */
void copy_set_base(json_t *body, const json_t *there)
{
    static const char *const kept[] = {"resourceVersion", "uid"};
    json_t *metadata = json_object_get(body, "metadata");
    for (size_t i = 0; i < array_len(kept); i++)
        json_object_set_new(metadata, kept[i],
                            json_string(kube_text_at(json_object_get(there, "metadata"), kept[i])));
}

int flight_remove(struct copy *c)
{
    json_t *options =
        json_pack("{s:s,s:s,s:{s:s}}", "kind", "DeleteOptions", "apiVersion", "v1", "preconditions",
                  "uid", kube_text_at(copy_there(c), "metadata.uid"));
    int error = options != NULL ? flight_send(c, "DELETE", options, on_removed) : -ENOMEM;
    json_decref(options);
    return error;
}

bool copy_fly(struct copy *c)
{
    json_t *body = NULL;
    enum copy_action action = copy_decide(c, &body);
    int error = 0;
    if (action == COPY_NOTHING) {
        copy_clear_trouble(c);
        return false;
    }
    if (action != COPY_REMOVE && body == NULL) {
        c->generation = generation_of(c->object->node->object);
        set_trouble(c, 422, "Invalid", "metadata.name", "the name is too long with the prefix");
        return false;
    }
    copy_take_off(c, action == COPY_REMOVE);
    if (action == COPY_UPDATE)
        copy_set_base(body, copy_there(c));
    if (action == COPY_REMOVE && c->object->node->kind == KIND_NAMESPACE)
        guard_begin(c);
    else if (action == COPY_REMOVE)
        error = flight_remove(c);
    else
        error = flight_send(c, action == COPY_CREATE ? "POST" : "PUT", body, on_written);
    json_decref(body);
    if (error == -ENOTSUP) {
        set_trouble(c, 404, "NotServed", "kind", "the appliance does not serve this kind");
        copy_land(c, false);
    } else if (error != 0) {
        flight_come_later(c, &(struct kube_answer){.status = error, .text = strerror(-error)});
    }
    return error == 0;
}
