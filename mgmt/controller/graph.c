/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes in a tree by name, edges off the objects' contents, relevance by a walk. */
#include "controller/graph.h"

#include "base/assert.h"
#include "base/container.h"
#include "controller/kube.h"
#include "controller/refs.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_SERVICE_LABEL "kubernetes.io/service-name"
/* A Service with this label is the mesh's, whether a route names it or not. */
#define PROXY_LABEL "service.kubernetes.io/service-proxy-name"
#define PROXY_NAME "sluice.internal"
/* A node of no Pod: all of the namespace hang on it. */
#define ALL_PODS ""

/* `to` matters because `from` does. */
struct graph_edge {
    struct list_node out_link, in_link;
    struct graph_node *from, *to;
    struct graph_edge *next; /* of the same owner */
};

struct graph {
    struct graph_config config;
    char *controller_name;
    void *trees[KIND_COUNT];
    struct list_node nodes[KIND_COUNT];
    unsigned mark;
    struct graph_node **stack; /* of the walk */
    size_t stack_size, n_nodes;
};

static int compare(const void *a, const void *b)
{
    const struct graph_node *x = a;
    const struct graph_node *y = b;
    return strcmp(x->key, y->key);
}

int graph_new(const struct graph_config *config, struct graph **ret)
{
    struct graph *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return -ENOMEM;
    g->config = *config;
    g->controller_name = strdup(config->controller_name);
    for (unsigned i = 0; i < KIND_COUNT; i++)
        list_init(&g->nodes[i]);
    if (g->controller_name == NULL) {
        free(g);
        return -ENOMEM;
    }
    *ret = g;
    return 0;
}

/* ---- nodes ---- */

static bool is_lonely(const struct graph_node *n)
{
    return n->object == NULL && n->n_pins == 0 && list_is_empty(&n->out) && list_is_empty(&n->in);
}

static void free_node(struct graph *g, struct graph_node *n)
{
    tdelete(n, &g->trees[n->kind], compare);
    list_remove(&n->link);
    g->n_nodes -= 1;
    g->config.on_gone(g->config.owner, n);
    json_decref(n->object);
    free(n);
}

struct graph_node *graph_node(struct graph *g, enum kind kind, const char *namespace_,
                              const char *name, bool make)
{
    struct graph_node wanted;
    if (strlen(namespace_) > 253 || strlen(name) > 253)
        return NULL;
    int n = snprintf(wanted.key, sizeof(wanted.key), "%s/%s", namespace_, name);
    void *found = tfind(&wanted, &g->trees[kind], compare);
    if (found != NULL || !make)
        return found != NULL ? *(struct graph_node **)found : NULL;
    struct graph_node *node = calloc(1, sizeof(*node) + (size_t)n + 1);
    if (node == NULL)
        return NULL;
    char *text = (char *)(node + 1);
    memcpy(node->key, wanted.key, sizeof(node->key));
    memcpy(text, wanted.key, (size_t)n + 1);
    text[strlen(namespace_)] = '\0';
    node->kind = kind;
    node->namespace_ = text;
    node->name = text + strlen(namespace_) + 1;
    list_init(&node->out);
    list_init(&node->in);
    if (tsearch(node, &g->trees[kind], compare) == NULL) {
        free(node);
        return NULL;
    }
    list_push_back(&g->nodes[kind], &node->link);
    g->n_nodes += 1;
    return node;
}

/* ---- edges ---- */

static void cut(struct graph *g, struct graph_node *owner)
{
    while (owner->owned != NULL) {
        struct graph_edge *e = owner->owned;
        struct graph_node *other = e->from == owner ? e->to : e->from;
        owner->owned = e->next;
        list_remove(&e->out_link);
        list_remove(&e->in_link);
        free(e);
        if (other != owner && is_lonely(other))
            free_node(g, other);
    }
}

static const char *label_of(const json_t *object, const char *name)
{
    const json_t *labels = json_object_get(json_object_get(object, "metadata"), "labels");
    const char *value = json_string_value(json_object_get(labels, name));
    return value != NULL ? value : "";
}

/* Between the owner and the named one; without memory the edge is missing, and the object of the
 * other side is not mirrored: told nowhere, as nothing can be. */
static void join(struct graph *g, struct graph_node *owner, bool is_join, enum kind kind,
                 const char *namespace_, const char *name)
{
    struct graph_node *other = graph_node(g, kind, namespace_, name, true);
    struct graph_edge *e = other != NULL && other != owner ? calloc(1, sizeof(*e)) : NULL;
    if (e == NULL)
        return;
    e->from = is_join ? other : owner;
    e->to = is_join ? owner : other;
    e->next = owner->owned;
    owner->owned = e;
    list_push_back(&e->from->out, &e->out_link);
    list_push_back(&e->to->in, &e->in_link);
}

struct reading {
    struct graph *graph;
    struct graph_node *owner;
};

/* A route on a Service matters by itself, for traffic to the Service's address; one on another
 * namespace's, for that of its own namespace's Pods. */
static void take_service_parent(const struct reading *r, const char *namespace_, const char *name)
{
    struct graph_node *route = r->owner;
    if (!r->graph->config.has_mesh)
        return;
    route->is_root = true;
    join(r->graph, route, false, KIND_SERVICE, namespace_, name);
    if (strcmp(namespace_, route->namespace_) != 0)
        join(r->graph, route, false, KIND_POD, route->namespace_, ALL_PODS);
}

static void take_ref(void *arg, const struct ref *ref)
{
    const struct reading *r = arg;
    const char *namespace_ = ref->namespace_ != NULL ? ref->namespace_ : r->owner->namespace_;
    if (ref->kind == KIND_COUNT)
        return;
    if (ref->is_join && ref->kind == KIND_SERVICE && strncmp(ref->key, "parent", 6) == 0) {
        take_service_parent(r, namespace_, ref->name);
        return;
    }
    join(r->graph, r->owner, ref->is_join, ref->kind, namespace_, ref->name);
    if (!ref->is_join && ref->namespace_ != NULL && ref->namespace_[0] != '\0')
        /* its grants say whether the reference may be, also if what it names is not there */
        join(r->graph, r->owner, false, KIND_NAMESPACE, "", ref->namespace_);
}

/* Was kube-proxy told to leave the Service to us? */
static bool is_proxied(const struct graph_node *n)
{
    return n->kind == KIND_SERVICE && strcmp(label_of(n->object, PROXY_LABEL), PROXY_NAME) == 0;
}

static void link_up(struct graph *g, struct graph_node *n)
{
    struct reading r = {g, n};
    const char *class_name = kube_text_at(n->object, "spec.gatewayClassName");
    const char *service = label_of(n->object, SLICE_SERVICE_LABEL);
    n->is_root = n->kind == KIND_NODE || (g->config.has_mesh && is_proxied(n)) ||
                 (n->kind == KIND_GATEWAY_CLASS &&
                  strcmp(kube_text_at(n->object, "spec.controllerName"), g->controller_name) == 0);
    if (n->kind == KIND_GATEWAY && class_name[0] != '\0')
        join(g, n, true, KIND_GATEWAY_CLASS, "", class_name);
    if (n->kind == KIND_ENDPOINT_SLICE && service[0] != '\0')
        join(g, n, true, KIND_SERVICE, n->namespace_, service);
    if (n->kind == KIND_POD)
        join(g, n, true, KIND_POD, n->namespace_, ALL_PODS);
    if (n->namespace_[0] != '\0') /* a grant matters if its namespace does, and not the reverse */
        join(g, n, n->kind == KIND_REFERENCE_GRANT, KIND_NAMESPACE, "", n->namespace_);
    if (n->kind != KIND_SERVICE && n->kind != KIND_ENDPOINT_SLICE && n->kind != KIND_POD)
        refs_each(n->object, take_ref, &r);
}

/* Do both make the same edges? Asked of what changes often: endpoints, Services, Nodes, Pods. */
static bool has_same_edges(enum kind kind, const json_t *a, const json_t *b)
{
    if (kind == KIND_NODE || kind == KIND_POD || kind == KIND_NAMESPACE || kind == KIND_SECRET ||
        kind == KIND_CONFIG_MAP)
        return true;
    if (kind == KIND_ENDPOINT_SLICE || kind == KIND_SERVICE) {
        const char *label = kind == KIND_SERVICE ? PROXY_LABEL : SLICE_SERVICE_LABEL;
        return strcmp(label_of(a, label), label_of(b, label)) == 0;
    }
    return json_equal(json_object_get(a, "spec"), json_object_get(b, "spec"));
}

bool graph_set(struct graph *g, struct graph_node *n, json_t *object, struct graph_node **ret)
{
    json_t *old = n->object;
    bool is_same = old != NULL && object != NULL && has_same_edges(n->kind, old, object);
    n->object = json_incref(object);
    *ret = n;
    if (!is_same) {
        n->n_pins += 1; /* while its edges go */
        cut(g, n);
        n->is_root = false;
        if (object != NULL)
            link_up(g, n);
        n->n_pins -= 1;
    }
    json_decref(old);
    if (is_lonely(n) && !n->is_relevant) {
        free_node(g, n);
        *ret = NULL;
    }
    return !is_same;
}

/* ---- relevance ---- */

static bool make_stack(struct graph *g)
{
    if (g->stack_size >= g->n_nodes)
        return true;
    size_t size = 2 * g->n_nodes;
    struct graph_node **stack = realloc(g->stack, size * sizeof(stack[0]));
    if (stack == NULL)
        return false;
    g->stack = stack;
    g->stack_size = size;
    return true;
}

static void reach(struct graph *g, size_t *n, struct graph_node *node)
{
    if (node->mark == g->mark)
        return;
    node->mark = g->mark;
    g->stack[(*n)++] = node; /* each node once: it fits */
}

static void mark_all(struct graph *g)
{
    size_t n = 0;
    g->mark += 1;
    for (unsigned k = 0; k < KIND_COUNT; k++) {
        LIST_EACH (it, &g->nodes[k]) {
            struct graph_node *node = container_of(it, struct graph_node, link);
            if (node->is_root)
                reach(g, &n, node);
        }
    }
    while (n > 0) {
        struct graph_node *node = g->stack[--n];
        LIST_EACH (it, &node->out)
            reach(g, &n, container_of(it, struct graph_edge, out_link)->to);
    }
}

void graph_walk(struct graph *g)
{
    if (!make_stack(g))
        return; /* as before; the next walk will do */
    mark_all(g);
    for (unsigned k = 0; k < KIND_COUNT; k++) {
        LIST_EACH_SAFE (it, tmp, &g->nodes[k]) {
            struct graph_node *node = container_of(it, struct graph_node, link);
            bool is_relevant = node->mark == g->mark;
            bool is_news = is_relevant != node->is_relevant;
            node->is_relevant = is_relevant;
            if (is_news)
                g->config.on_relevance(g->config.owner, node);
            if (!is_relevant && is_lonely(node))
                free_node(g, node);
        }
    }
}

void graph_pin(struct graph_node *node)
{
    node->n_pins += 1;
}

void graph_unpin(struct graph *g, struct graph_node *node)
{
    ASSERT(node->n_pins > 0);
    node->n_pins -= 1;
    if (is_lonely(node) && !node->is_relevant)
        free_node(g, node);
}

void graph_each(const struct graph *g, enum kind kind,
                void (*fn)(void *owner, struct graph_node *node), void *owner)
{
    LIST_EACH (it, &g->nodes[kind])
        fn(owner, container_of(it, struct graph_node, link));
}

void graph_each_neighbour(struct graph_node *node,
                          void (*fn)(void *owner, struct graph_node *other), void *owner)
{
    LIST_EACH (it, &node->in)
        fn(owner, container_of(it, struct graph_edge, in_link)->from);
    LIST_EACH (it, &node->out)
        fn(owner, container_of(it, struct graph_edge, out_link)->to);
}

/* Calls fn for each node; it may free that one, and no other. */
static void each_node(struct graph *g, void (*fn)(struct graph *g, struct graph_node *node))
{
    for (unsigned k = 0; k < KIND_COUNT; k++) {
        LIST_EACH_SAFE (it, next, &g->nodes[k])
            fn(g, container_of(it, struct graph_node, link));
    }
}

static void pin(struct graph *g, struct graph_node *node)
{
    json_decref(node->object);
    node->object = NULL;
    node->n_pins += 1;
}

void graph_free(struct graph *g)
{
    if (g == NULL)
        return;
    each_node(g, pin); /* none goes while others have edges to it */
    each_node(g, cut);
    each_node(g, free_node);
    free(g->stack);
    free(g->controller_name);
    free(g);
}
