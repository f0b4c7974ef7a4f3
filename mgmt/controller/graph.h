/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which objects of a cluster matter to us: GatewayClasses with our controllerName (and Nodes) are
 * the roots; a Gateway matters if its class does, a route if a parent does, a policy if a target
 * does, a Service or a Secret if something that matters refers to it, an EndpointSlice if its
 * Service does, a Namespace if something in it does, and then the ReferenceGrants in it. With a
 * mesh, routes on Services and Services that kube-proxy was told to leave to us are roots, too, and
 * the Pods of a namespace matter if it has a route on another namespace's Service.
 *
 * A node is a name of a kind; it is there as long as there is an object of that name, a reference
 * to it, or a copy. Relevance is found anew by a walk from the roots when an edge or a root has
 * changed, in the loop's next task; a change of contents alone (an endpoint) needs none.
 *
 * Owner: the mirror. Thread: the loop's. Cost: a walk is linear in nodes and edges that matter.
 */
#pragma once

#include "base/list.h"
#include "controller/kinds.h"

#include <jansson.h>

struct graph;
struct graph_edge;

struct graph_node {
    struct list_node link; /* of all nodes of the kind */
    enum kind kind;
    const char *namespace_; /* "" of a cluster-wide kind */
    const char *name;
    json_t *object; /* NULL: there is none */
    bool is_root;
    bool is_relevant;
    unsigned mark;        /* of the walk that reached it */
    struct list_node out; /* edges from here to what matters because this does */
    struct list_node in;
    struct graph_edge *owned; /* edges that this object's contents make */
    unsigned n_pins;          /* by the mirror: there is a copy */
    void *owner_data;         /* the mirror's */
    char key[512];
};

struct graph_config {
    const char *controller_name; /* copied */
    bool has_mesh;               /* routes whose parent is a Service matter, too; see above */
    void *owner;
    /* is_relevant has changed. */
    void (*on_relevance)(void *owner, struct graph_node *node);
    /* The node goes; owner_data is to be freed. */
    void (*on_gone)(void *owner, struct graph_node *node);
};

/* An empty graph. 0; -ENOMEM. */
int graph_new(const struct graph_config *config, struct graph **ret);

/* Frees it with all nodes, each told to on_gone. NULL is fine. */
void graph_free(struct graph *g);

/* The node of a name; made if `make`. NULL: none, or no memory. */
struct graph_node *graph_node(struct graph *g, enum kind kind, const char *namespace_,
                              const char *name, bool make);

/* The object is this now; NULL: gone. True: relevance has to be found anew (graph_walk). The node
 * may be freed if nothing holds it: the one to go on with is returned in *ret, or NULL. */
bool graph_set(struct graph *g, struct graph_node *node, json_t *object, struct graph_node **ret);

/* Finds relevance anew and tells what has changed. */
void graph_walk(struct graph *g);

/* Something hangs on the node: it stays. */
void graph_pin(struct graph_node *node);

/* It no longer does; the node may be freed. */
void graph_unpin(struct graph *g, struct graph_node *node);

/* Calls fn for each node of a kind; fn may not change the graph. */
void graph_each(const struct graph *g, enum kind kind,
                void (*fn)(void *owner, struct graph_node *node), void *owner);

/* Calls fn for each node that refers to this one, or that this one refers to by joining it. */
void graph_each_neighbour(struct graph_node *node,
                          void (*fn)(void *owner, struct graph_node *other), void *owner);
