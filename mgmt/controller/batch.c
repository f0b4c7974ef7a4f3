/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many copies at once: when an appliance is new, or was away, thousands are to be written. One by
 * one each would wait for the appliance's disk; a change set of a hundred waits once.
 *
 * A change set is applied whole or not at all. If one is refused, the object that it names goes
 * alone from then on, where its refusal is its own; if it names none, the next batch has half the
 * size, until those that are sound have gone. A change set replaces what is there: so what is to be
 * created has a uid that nothing has, and meets an object of somebody else as a conflict.
 */
#include "controller/mirror_priv.h"

#include "base/container.h"

#include <stdlib.h>
#include <string.h>

#define CHANGESETS "/apis/sluice.internal/v1/changesets"
#define NO_UID "to-be-created"
/* A whole batch takes longer than a write. */
#define BATCH_DEADLINE_MS 60000u

struct batch {
    struct appliance *appliance;
    struct kube_call *call;
    enum kind kind;
    size_t n;
    struct copy *copies[BATCH_MAX];
};

/* ---- what its answer means ---- */

/* Frees the batch; its copies are the caller's to land. */
static void end(struct batch *b)
{
    b->appliance->batch = NULL;
    free(b);
}

/* Which item a refusal names, by "items[N]" in its first cause or its message; SIZE_MAX: none. */
static size_t culprit_of(const struct kube_answer *answer)
{
    const json_t *causes = json_object_get(json_object_get(answer->body, "details"), "causes");
    const char *field = kube_text_at(json_array_get(causes, 0), "field");
    const char *at = strstr(field, "items[");
    if (at == NULL)
        at = strstr(answer->text, "items[");
    return at != NULL ? strtoul(at + strlen("items["), NULL, 10) : SIZE_MAX;
}

static void take_refusal(struct batch *b, const struct kube_answer *answer)
{
    struct appliance *a = b->appliance;
    size_t culprit = culprit_of(answer);
    if (culprit < b->n)
        b->copies[culprit]->is_single = true;
    else
        a->batch_max = b->n / 2;
    for (size_t i = 0; i < b->n; i++)
        copy_land(b->copies[i], true);
}

static void on_done(void *owner, const struct kube_answer *answer)
{
    struct batch *b = owner;
    struct appliance *a = b->appliance;
    json_t *items = json_object_get(answer->body, "items");
    bool is_done = answer->status == 200 && json_array_size(items) == b->n;
    if (!is_done && flight_is_for_later(answer->status)) {
        appliance_tell_later(a, b->kind, answer);
        for (size_t i = 0; i < b->n; i++)
            copy_land(b->copies[i], true);
        end(b);
        return;
    }
    a->failures = 0;
    if (!is_done) {
        take_refusal(b, answer);
        end(b);
        return;
    }
    a->stats.writes += b->n;
    a->batch_max = 2 * a->batch_max < BATCH_MAX ? 2 * a->batch_max : BATCH_MAX;
    for (size_t i = 0; i < b->n; i++) {
        copy_clear_trouble(b->copies[i]);
        copy_note(b->copies[i], json_array_get(items, i));
        copy_land(b->copies[i], false);
    }
    end(b);
}

/* ---- making one ---- */

/* Is it worth while? */
static bool is_long(struct list_node *list)
{
    unsigned n = 0;
    for (struct list_node *it = list->next; it != list && n < BATCH_MIN; it = it->next)
        n += container_of(it, struct copy, link)->is_single ? 0 : 1;
    return n == BATCH_MIN;
}

/* It is to be created, and meets whatever is there as a conflict. */
static void set_new(json_t *body)
{
    json_object_set_new(json_object_get(body, "metadata"), "uid", json_string(NO_UID));
}

/* Takes a copy along if there is something to be written of it. */
static void add(struct batch *b, json_t *items, struct copy *c)
{
    json_t *body = NULL;
    enum copy_action action = copy_decide(c, &body);
    if (body == NULL)
        return; /* nothing to do, or nothing that can be done: it stays for its own flight */
    if (action == COPY_UPDATE)
        copy_set_base(body, copy_there(c));
    else
        set_new(body);
    json_array_append_new(items, body);
    copy_unqueue(c);
    c->is_urgent = false;
    copy_take_off(c, false);
    b->copies[b->n++] = c;
}

static int send(struct batch *b, json_t *items)
{
    bool is_lenient = copy_may_lose_fields(b->kind);
    json_t *list = json_pack("{s:s,s:s,s:O}", "apiVersion", "v1", "kind", "List", "items", items);
    const struct kube_request request = {
        .method = "POST",
        .path = is_lenient ? CHANGESETS "?fieldValidation=Ignore"
                           : CHANGESETS "?fieldValidation=Strict",
        .body = list,
        .deadline_ms = BATCH_DEADLINE_MS,
        .on_done = on_done,
        .owner = b,
    };
    int error = kube_call(b->appliance->kube, &request, &b->call);
    json_decref(list);
    return error;
}

static void fill(struct batch *b, json_t *items, struct list_node *list)
{
    LIST_EACH_SAFE (it, tmp, list) {
        struct copy *c = container_of(it, struct copy, link);
        if (b->n >= b->appliance->batch_max)
            return;
        if (!c->is_single && c->trouble == NULL)
            add(b, items, c);
    }
}

void batch_fly(struct appliance *a, struct list_node *list)
{
    if (a->batch != NULL || a->batch_max < BATCH_MIN || !is_long(list))
        return;
    const struct copy *first = container_of(list->next, struct copy, link);
    enum kind kind = first->object->node->kind;
    if (first->is_removal || source_api_version(a->source, kind) == NULL)
        return;
    struct batch *b = calloc(1, sizeof(*b));
    json_t *items = json_array();
    if (b == NULL || items == NULL) {
        free(b);
        json_decref(items);
        return;
    }
    b->appliance = a;
    b->kind = kind;
    a->batch = b;
    fill(b, items, list);
    int error = b->n > 0 ? send(b, items) : 0;
    json_decref(items);
    for (size_t i = 0; error != 0 && i < b->n; i++)
        copy_land(b->copies[i], true);
    if (error != 0 || b->n == 0)
        end(b);
}

void batch_cancel(struct appliance *a)
{
    if (a->batch == NULL)
        return;
    kube_call_cancel(a->batch->call);
    end(a->batch);
}
