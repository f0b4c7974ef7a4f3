/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An appliance's side of the mirror: what is there (a source of its own, of the objects with our
 * label), what is to be written and removed, and in which order: kinds as in kinds.def, each when
 * the one before is done; removals in the reverse order when nothing is to be written. A change of
 * endpoints waits for none of that.
 */
#include "controller/mirror_priv.h"

#include "base/assert.h"
#include "base/container.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_MS_MIN 100u
#define PAUSE_MS_MAX 15000u

/* ---- what is to be done ---- */

json_t *copy_there(const struct copy *c)
{
    const struct graph_node *node = c->object->node;
    return mirror_copy(c->appliance->mirror, c->appliance->index, node->kind, node->namespace_,
                       node->name);
}

enum copy_action copy_decide(const struct copy *c, json_t **ret_body)
{
    const struct mirror *m = c->appliance->mirror;
    const struct graph_node *node = c->object->node;
    bool is_remembered = node->object != NULL &&
                         source_is_remembered(m->source, node->kind, node->namespace_, node->name);
    json_t *there = copy_there(c);
    *ret_body = NULL;
    if (!c->appliance->is_seeded || (node->is_relevant && is_remembered))
        return COPY_NOTHING; /* what it really is, the cluster has not said yet */
    if (!node->is_relevant || node->object == NULL)
        return there != NULL ? COPY_REMOVE : COPY_NOTHING;
    if (there == NULL && c->is_foreign)
        return COPY_NOTHING;
    const char *version = source_api_version(c->appliance->source, node->kind);
    *ret_body = copy_make(&m->names, node->kind, node->object, version != NULL ? version : "",
                          source_cluster_uid(m->source));
    if (there != NULL && *ret_body != NULL && copy_is_current(node->kind, *ret_body, there)) {
        json_decref(*ret_body);
        *ret_body = NULL;
        return COPY_NOTHING;
    }
    copy_set_age(*ret_body, node->object);
    return there == NULL ? COPY_CREATE : COPY_UPDATE;
}

/* ---- queues ---- */

static bool may_fly(const struct appliance *a)
{
    const struct mirror_config *config = &a->mirror->config;
    return !wheel_timer_is_armed(&a->pause) &&
           (config->may_write == NULL || config->may_write(config->owner));
}

void copy_unqueue(struct copy *c)
{
    ASSERT(c->state == COPY_QUEUED);
    list_remove(&c->link);
    c->appliance->stats.pending -= 1;
    c->state = COPY_IDLE;
}

static void queue(struct copy *c, bool is_removal)
{
    struct appliance *a = c->appliance;
    enum kind kind = c->object->node->kind;
    if (c->state == COPY_QUEUED)
        copy_unqueue(c);
    c->state = COPY_QUEUED;
    c->is_removal = is_removal;
    list_push_back(is_removal ? &a->removals[kind] : &a->writes[kind], &c->link);
    a->stats.pending += 1;
    loop_task_program(a->mirror->loop, &a->pump);
}

/* An endpoint changes where its copy is there already: nothing has to come before it. */
static bool is_urgent(const struct copy *c, enum copy_action action)
{
    return action == COPY_UPDATE && c->object->node->kind == KIND_ENDPOINT_SLICE &&
           c->trouble == NULL;
}

void copy_look(struct copy *c, bool is_news)
{
    json_t *body = NULL;
    if (c->state == COPY_FLYING) {
        c->is_stale = true;
        return;
    }
    if (is_news)
        c->is_foreign = false;
    if (c->trouble != NULL && !is_news)
        return; /* until `retry` */
    enum copy_action action = copy_decide(c, &body);
    json_decref(body);
    if (action == COPY_NOTHING) {
        if (c->state == COPY_QUEUED)
            copy_unqueue(c);
        copy_clear_trouble(c);
        return;
    }
    queue(c, action == COPY_REMOVE);
    if (is_urgent(c, action) && may_fly(c->appliance)) {
        copy_unqueue(c);
        c->is_urgent = true;
        copy_fly(c);
    }
}

/* Starts what is queued of a kind. True: nothing of it is left, nor in the air. */
static bool pump_kind(struct appliance *a, struct list_node *list, const unsigned *flying)
{
    struct list_node *it;
    if (may_fly(a))
        batch_fly(a, list);
    while (a->n_flying < KUBE_CALLS_MAX && may_fly(a) && (it = list_peek_front(list)) != NULL) {
        struct copy *c = container_of(it, struct copy, link);
        copy_unqueue(c);
        c->is_urgent = false;
        copy_fly(c);
    }
    return list_is_empty(list) && *flying == 0;
}

static void on_pump(struct loop_task *task)
{
    struct appliance *a = container_of(task, struct appliance, pump);
    bool is_done = true;
    for (unsigned k = 0; k < KIND_COUNT && is_done; k++)
        is_done = pump_kind(a, &a->writes[k], &a->flying_writes[k]);
    for (unsigned k = KIND_COUNT; k > 0 && is_done; k--)
        is_done = pump_kind(a, &a->removals[k - 1], &a->flying_removals[k - 1]);
}

static void on_pause_over(struct wheel_timer *timer, uint64_t now_us)
{
    struct appliance *a = container_of(timer, struct appliance, pause);
    loop_task_program(a->mirror->loop, &a->pump);
}

void appliance_pause(struct appliance *a, uint64_t at_least_ms)
{
    uint64_t ms = PAUSE_MS_MIN;
    for (unsigned i = 0; i < a->failures && ms < PAUSE_MS_MAX; i++)
        ms *= 2;
    if (ms > PAUSE_MS_MAX)
        ms = PAUSE_MS_MAX;
    ms = ms / 2 + rng_below(&a->mirror->rng, (uint32_t)(ms / 2 + 1));
    a->failures += 1;
    loop_timer_arm(a->mirror->loop, &a->pause, (ms > at_least_ms ? ms : at_least_ms) * 1000);
}

void appliance_tell_later(struct appliance *a, enum kind kind, const struct kube_answer *answer)
{
    const struct mirror_config *config = &a->mirror->config;
    a->stats.failures += 1;
    if (a->failures == 0 && config->on_trouble != NULL)
        config->on_trouble(config->owner, a->index, kind, answer->text);
    appliance_pause(a, answer->retry_after_ms);
}

void copy_done(struct copy *c)
{
    if (c->state == COPY_QUEUED)
        copy_unqueue(c);
    if (c->call != NULL) /* one that flies in a batch has none of its own */
        kube_call_cancel(c->call);
    loop_timer_disarm(c->appliance->mirror->loop, &c->retry);
    if (c->trouble != NULL)
        c->appliance->stats.troubled -= 1;
    free(c->trouble);
    c->trouble = NULL;
}

/* ---- what is there ---- */

static void look_at_waiting(void *owner, struct graph_node *node)
{
    const struct appliance *a = owner;
    struct mirrored *o = node->owner_data;
    if (o != NULL && o->copies[a->index].trouble != NULL)
        copy_look(&o->copies[a->index], true);
}

static void on_change(void *owner, struct source *source, const struct source_change *change)
{
    struct appliance *a = owner;
    struct mirror *m = a->mirror;
    char namespace_[254];
    char name[254];
    if (!copy_key_here(&m->names, change->kind, change->namespace_, change->name, namespace_, name))
        return; /* somebody gave our label to something of his */
    struct graph_node *node =
        graph_node(m->graph, change->kind, namespace_, name, change->object != NULL);
    struct mirrored *o = node != NULL ? mirror_object(m, node) : NULL;
    if (o == NULL)
        return;
    struct copy *c = &o->copies[a->index];
    bool was_there = c->is_there;
    c->is_there = change->object != NULL;
    if (c->is_there && !was_there) {
        graph_pin(node);
        a->stats.copies += 1;
    }
    mirror_tell(m, MIRROR_COPY_CHANGED, a, node);
    copy_look(c, false);
    if (c->is_there == was_there)
        return;
    graph_each_neighbour(node, look_at_waiting, a);
    if (was_there) {
        a->stats.copies -= 1;
        graph_unpin(m->graph, node);
    }
}

struct seeding {
    struct appliance *appliance;
    enum kind kind;
};

static void remember(void *owner, json_t *copy)
{
    const struct seeding *s = owner;
    struct mirror *m = s->appliance->mirror;
    const json_t *annotations = json_object_get(json_object_get(copy, "metadata"), "annotations");
    json_t *object = copy_back(&m->names, s->kind, copy);
    if (object != NULL)
        source_remember(m->source, s->kind, object,
                        json_string_value(json_object_get(annotations, MIRROR_CLUSTER)));
    json_decref(object);
}

static void look(void *owner, struct graph_node *node)
{
    struct appliance *a = owner;
    struct mirrored *o = mirror_object(a->mirror, node);
    if (o != NULL)
        copy_look(&o->copies[a->index], true);
}

/*
 * All that is there is known now. What the cluster has not told of (yet), it had in an earlier life
 * of ours: it is remembered, so that nothing is removed only because we have just begun. Secrets
 * and ConfigMaps come second: they are remembered if something that is remembered refers to them.
 */
static void seed(struct appliance *a)
{
    struct mirror *m = a->mirror;
    for (int named = 0; named <= 1; named++) {
        for (unsigned k = 0; k < KIND_COUNT; k++) {
            struct seeding seeding = {a, (enum kind)k};
            if (kind_info((enum kind)k)->is_named == (named == 1))
                source_foreach(a->source, (enum kind)k, remember, &seeding);
        }
        mirror_settle(m);
    }
    a->is_seeded = true;
    for (unsigned k = 0; k < KIND_COUNT; k++)
        graph_each(m->graph, (enum kind)k, look, a);
}

static void on_state(void *owner, struct source *source, enum kind kind)
{
    struct appliance *a = owner;
    if (!a->is_seeded && source_is_all_synced(source))
        seed(a);
}

static void on_trouble(void *owner, struct source *source, enum kind kind, const char *text)
{
    const struct appliance *a = owner;
    const struct mirror_config *config = &a->mirror->config;
    if (config->on_trouble != NULL)
        config->on_trouble(config->owner, a->index, kind, text);
}

/* ---- life ---- */

int appliance_init(struct appliance *a, struct mirror *m, const struct mirror_appliance *config)
{
    char selector[128];
    a->mirror = m;
    a->pump.run = on_pump;
    a->batch_max = BATCH_MAX;
    a->pause.on_expire = on_pause_over;
    for (unsigned k = 0; k < KIND_COUNT; k++) {
        list_init(&a->writes[k]);
        list_init(&a->removals[k]);
    }
    a->name = strdup(config->name);
    if (a->name == NULL)
        return -ENOMEM;
    const struct kube_config kube = {
        .loop = m->loop, .access = config->access, .user_agent = "sluice-controller/1"};
    int error = kube_new(&kube, &a->kube);
    if (error != 0)
        return error;
    snprintf(selector, sizeof(selector), "%s=%s", MIRROR_LABEL, m->names.cluster);
    const struct source_config source = {
        .loop = m->loop,
        .kube = a->kube,
        .label_selector = selector,
        .has_mesh = true, /* what is there of an earlier life goes, too */
        .owner = a,
        .on_change = on_change,
        .on_state = on_state,
        .on_trouble = on_trouble,
    };
    return source_new(&source, &a->source);
}

void appliance_done(struct appliance *a)
{
    batch_cancel(a);
    loop_timer_disarm(a->mirror->loop, &a->pause);
    loop_task_cancel(a->mirror->loop, &a->pump);
    source_free(a->source);
    kube_free(a->kube);
    free(a->name);
}

void mirror_stats(const struct mirror *m, size_t appliance, struct mirror_stats *ret)
{
    *ret = m->appliances[appliance].stats;
}
