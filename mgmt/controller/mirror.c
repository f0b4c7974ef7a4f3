/* SPDX-License-Identifier: Apache-2.0 */
/* The cluster's side of the mirror: changes go into the graph, and what they touch is looked at. */
#include "controller/mirror_priv.h"

#include "base/assert.h"
#include "base/container.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ---- objects ---- */

struct mirrored *mirror_object(struct mirror *m, struct graph_node *node)
{
    struct mirrored *o = node->owner_data;
    if (o != NULL)
        return o;
    o = calloc(1, sizeof(*o) + m->n_appliances * sizeof(o->copies[0]));
    if (o == NULL)
        return NULL;
    o->node = node;
    for (size_t i = 0; i < m->n_appliances; i++) {
        o->copies[i].object = o;
        o->copies[i].appliance = &m->appliances[i];
    }
    node->owner_data = o;
    return o;
}

/* To be looked at after the next walk. */
static void add_news(struct mirror *m, struct graph_node *node)
{
    struct mirrored *o = mirror_object(m, node);
    if (o != NULL && !list_is_linked(&o->news_link))
        list_push_back(&m->news, &o->news_link);
    loop_task_program(m->loop, &m->settle);
}

static void on_relevance(void *owner, struct graph_node *node)
{
    add_news(owner, node);
}

static void on_gone(void *owner, struct graph_node *node)
{
    struct mirror *m = owner;
    struct mirrored *o = node->owner_data;
    if (o == NULL)
        return;
    for (size_t i = 0; i < m->n_appliances; i++)
        copy_done(&o->copies[i]);
    if (list_is_linked(&o->news_link))
        list_remove(&o->news_link);
    free(o);
}

void mirror_tell(struct mirror *m, enum mirror_news news, const struct appliance *a,
                 const struct graph_node *node)
{
    if (m->config.on_news != NULL)
        m->config.on_news(m->config.owner, news, a != NULL ? a->index : 0, node->kind,
                          node->namespace_, node->name);
}

/* ---- what has changed ---- */

/* A neighbour that was refused may be taken now. */
static void look_at_troubled(void *owner, struct graph_node *node)
{
    struct mirror *m = owner;
    struct mirrored *o = node->owner_data;
    for (size_t i = 0; o != NULL && i < m->n_appliances; i++) {
        if (o->copies[i].trouble != NULL)
            copy_look(&o->copies[i], true);
    }
}

static void look_at_copies(struct mirror *m, struct graph_node *node)
{
    struct mirrored *o = mirror_object(m, node);
    for (size_t i = 0; o != NULL && i < m->n_appliances; i++)
        copy_look(&o->copies[i], true);
}

void mirror_on_change(struct mirror *m, const struct source_change *change)
{
    struct graph_node *node = graph_node(m->graph, change->kind, change->namespace_, change->name,
                                         change->object != NULL);
    if (node == NULL)
        return;
    bool was_there = node->object != NULL;
    m->needs_walk |= graph_set(m->graph, node, change->object, &node);
    loop_task_program(m->loop, &m->settle);
    if (node == NULL)
        return;
    if (was_there != (change->object != NULL))
        graph_each_neighbour(node, look_at_troubled, m);
    if (m->needs_walk)
        add_news(m, node);
    else
        look_at_copies(m, node); /* the short way of an endpoint */
}

/* Named kinds are read while they matter. */
static void want_or_drop(struct mirror *m, struct mirrored *o)
{
    struct graph_node *node = o->node;
    if (o->is_wanted == node->is_relevant)
        return;
    if (node->is_relevant) {
        if (source_want(m->source, node->kind, node->namespace_, node->name) != 0)
            return;
        o->is_wanted = true;
        graph_pin(node);
        return;
    }
    o->is_wanted = false;
    source_drop(m->source, node->kind, node->namespace_, node->name);
    graph_unpin(m->graph, node); /* last: both may go with it */
}

static void take_news(struct mirror *m, struct mirrored *o)
{
    struct graph_node *node = o->node;
    if (o->was_told != node->is_relevant) {
        o->was_told = node->is_relevant;
        mirror_tell(m, node->is_relevant ? MIRROR_RELEVANT : MIRROR_IRRELEVANT, NULL, node);
    }
    for (size_t i = 0; i < m->n_appliances; i++)
        copy_look(&o->copies[i], true);
    if (kind_info(node->kind)->is_named)
        want_or_drop(m, o);
}

void mirror_settle(struct mirror *m)
{
    struct list_node *it;
    if (m->needs_walk) {
        m->needs_walk = false;
        graph_walk(m->graph);
    }
    while ((it = list_take_front(&m->news)) != NULL)
        take_news(m, container_of(it, struct mirrored, news_link));
}

static void on_settle(struct loop_task *task)
{
    mirror_settle(container_of(task, struct mirror, settle));
}

/* ---- life ---- */

static bool set_names(struct copy_names *names, const char *cluster)
{
    const char *name = cluster != NULL ? cluster : MIRROR_CLUSTER_DEFAULT;
    if (strlen(name) > MIRROR_CLUSTER_BYTES_MAX)
        return false;
    snprintf(names->cluster, sizeof(names->cluster), "%s", name);
    if (cluster != NULL)
        snprintf(names->prefix, sizeof(names->prefix), "%.*s-", (int)MIRROR_CLUSTER_BYTES_MAX,
                 name);
    return true;
}

int mirror_new(const struct mirror_config *config, struct mirror **ret)
{
    if (config->n_appliances > MIRROR_APPLIANCES_MAX)
        return -EINVAL;
    struct mirror *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return -ENOMEM;
    m->config = *config;
    m->loop = config->loop;
    m->settle.run = on_settle;
    list_init(&m->news);
    if (getrandom(&m->rng, sizeof(m->rng), GRND_NONBLOCK) != (ssize_t)sizeof(m->rng))
        m->rng.state = loop_now_us(m->loop);
    const struct graph_config graph = {
        .controller_name = config->controller_name,
        .has_mesh = config->has_mesh,
        .owner = m,
        .on_relevance = on_relevance,
        .on_gone = on_gone,
    };
    int error = set_names(&m->names, config->cluster) ? graph_new(&graph, &m->graph) : -EINVAL;
    while (error == 0 && m->n_appliances < config->n_appliances) {
        struct appliance *a = &m->appliances[m->n_appliances];
        a->index = m->n_appliances++;
        error = appliance_init(a, m, &config->appliances[a->index]);
    }
    if (error != 0) {
        mirror_free(m);
        return error;
    }
    *ret = m;
    return 0;
}

void mirror_free(struct mirror *m)
{
    if (m == NULL)
        return;
    loop_task_cancel(m->loop, &m->settle);
    graph_free(m->graph);
    for (size_t i = 0; i < m->n_appliances; i++)
        appliance_done(&m->appliances[i]);
    free(m);
}

void mirror_attach(struct mirror *m, struct source *source)
{
    ASSERT(m->source == NULL);
    m->source = source;
}

void mirror_resume(struct mirror *m)
{
    for (size_t i = 0; i < m->n_appliances; i++)
        loop_task_program(m->loop, &m->appliances[i].pump);
}

/* ---- questions ---- */

bool mirror_has_mesh(const struct mirror *m)
{
    return m->config.has_mesh;
}

size_t mirror_appliance_count(const struct mirror *m)
{
    return m->n_appliances;
}

const char *mirror_appliance_name(const struct mirror *m, size_t appliance)
{
    return m->appliances[appliance].name;
}

struct source *mirror_appliance_source(const struct mirror *m, size_t appliance)
{
    return m->appliances[appliance].source;
}

json_t *mirror_copy(const struct mirror *m, size_t appliance, enum kind kind,
                    const char *namespace_, const char *name)
{
    char namespace_there[254];
    char name_there[254];
    if (!copy_key_there(&m->names, kind, namespace_, name, namespace_there, name_there))
        return NULL;
    return source_get(m->appliances[appliance].source, kind, namespace_there, name_there);
}

bool mirror_origin_of(const struct mirror *m, const json_t *copy, struct mirror_origin *ret)
{
    const json_t *metadata = json_object_get(copy, "metadata");
    const json_t *annotations = json_object_get(metadata, "annotations");
    const char *cluster =
        json_string_value(json_object_get(json_object_get(metadata, "labels"), MIRROR_LABEL));
    const char *uid = json_string_value(json_object_get(annotations, MIRROR_UID));
    const char *generation = json_string_value(json_object_get(annotations, MIRROR_GENERATION));
    const char *namespace_ = kube_text_at(metadata, "namespace");
    const char *name = kube_text_at(metadata, "name");
    if (cluster == NULL || strcmp(cluster, m->names.cluster) != 0 || uid == NULL ||
        generation == NULL)
        return false;
    ret->uid = uid;
    ret->generation = strtoll(generation, NULL, 10);
    ret->copy_generation = json_integer_value(json_object_get(metadata, "generation"));
    ret->namespace_[0] = '\0';
    if (namespace_[0] == '\0')
        return copy_name_here(&m->names, name, ret->name);
    return copy_name_here(&m->names, namespace_, ret->namespace_) &&
           snprintf(ret->name, sizeof(ret->name), "%s", name) < (int)sizeof(ret->name);
}

static const struct mirrored *find(const struct mirror *m, enum kind kind, const char *namespace_,
                                   const char *name)
{
    const struct graph_node *node = graph_node(m->graph, kind, namespace_, name, false);
    return node != NULL ? node->owner_data : NULL;
}

bool mirror_is_relevant(const struct mirror *m, enum kind kind, const char *namespace_,
                        const char *name)
{
    const struct mirrored *o = find(m, kind, namespace_, name);
    return o != NULL && o->was_told;
}

const struct mirror_trouble *mirror_trouble_of(const struct mirror *m, size_t appliance,
                                               enum kind kind, const char *namespace_,
                                               const char *name)
{
    const struct mirrored *o = find(m, kind, namespace_, name);
    return o != NULL ? o->copies[appliance].trouble : NULL;
}

struct each {
    void (*fn)(void *owner, enum kind kind, json_t *object);
    void *owner;
};

static void tell_each(void *owner, struct graph_node *node)
{
    const struct each *e = owner;
    if (node->is_relevant && node->object != NULL)
        e->fn(e->owner, node->kind, node->object);
}

void mirror_foreach(const struct mirror *m, void (*fn)(void *owner, enum kind kind, json_t *object),
                    void *owner)
{
    struct each e = {fn, owner};
    for (unsigned k = 0; k < KIND_COUNT; k++)
        graph_each(m->graph, (enum kind)k, tell_each, &e);
}

bool mirror_name_there(const struct mirror *m, const char *here, char ret[254])
{
    return copy_name_there(&m->names, here, ret);
}

bool mirror_name_here(const struct mirror *m, const char *there, char ret[254])
{
    return copy_name_here(&m->names, there, ret);
}
