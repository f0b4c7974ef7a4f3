/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See explain.h. The answer is route_match()'s; who is a candidate is said by the same walks, and
 * whether a match holds by the same function. Only the candidates that the matcher never comes to
 * are found in another way: by looking at every node of a trie.
 */
#include "route/explain.h"

#include "route/route_priv.h"

#include "base/assert.h"
#include "base/names.h"

static const char *const loss_names[] = {ROUTE_LOSS_LIST(X_NAME)};

static const char *const loss_helps[] = {ROUTE_LOSS_LIST(X_TEXT)};

const char *route_loss_name(enum route_loss loss)
{
    ASSERT((size_t)loss < sizeof(loss_names) / sizeof(loss_names[0]));
    return loss_names[loss];
}

const char *route_loss_help(enum route_loss loss)
{
    ASSERT((size_t)loss < sizeof(loss_helps) / sizeof(loss_helps[0]));
    return loss_helps[loss];
}

struct explain {
    const struct image_view *v;
    const struct route_request *request;
    const struct route_result *result;
    route_candidate_fn fn;
    void *arg;
};

static void tell(const struct explain *e, enum route_loss loss, uint32_t listener, uint32_t host,
                 uint32_t match, uint32_t predicate)
{
    struct route_candidate candidate = {loss, listener, host, match, predicate};
    e->fn(e->arg, &candidate);
}

static uint32_t root_of(const struct image_view *v, uint32_t node)
{
    while (v->nodes[node].parent != IMAGE_NONE)
        node = v->nodes[node].parent;
    return node;
}

/* Does the walk come to `value`? */
static bool is_walked(struct route_walk walk, uint32_t value)
{
    const struct image_value *next;
    while ((next = route_walk_next(&walk)) != NULL) {
        if (next->index == value)
            return true;
    }
    return false;
}

/* A path that holds: its matches are asked, all of them. */
static void tell_path(const struct explain *e, uint32_t host, const struct image_path *path)
{
    uint32_t listener = e->v->hosts[host].listener;
    for (uint32_t i = 0; i < path->n_matches; i++) {
        uint32_t match = path->first_match + i, predicate = IMAGE_NONE;
        enum route_loss loss;
        if (route_match_holds(e->v, &e->v->matches[match], e->request, &loss, &predicate)) {
            bool is_taker = e->result->outcome == ROUTE_OUTCOME_RULE && e->result->match == match &&
                            e->result->host == host;
            loss = is_taker ? ROUTE_LOSS_NONE : ROUTE_LOSS_PRECEDENCE;
        }
        tell(e, loss, listener, host, match, predicate);
    }
}

/* A path of the host that does not hold. */
static void tell_lost_path(const struct explain *e, uint32_t host, uint32_t path)
{
    const struct image_path *p = &e->v->paths[path];
    for (uint32_t i = 0; i < p->n_matches; i++)
        tell(e, ROUTE_LOSS_PATH, e->v->hosts[host].listener, host, p->first_match + i, IMAGE_NONE);
}

/* A node's value: tells it if the walk did not come to it. NULL: it has none. */
static void tell_other_path(const struct explain *e, uint32_t host, struct route_walk walk,
                            const struct image_value *path)
{
    if (path != NULL && !is_walked(walk, path->index))
        tell_lost_path(e, host, path->index);
}

/* Which patterns of a set match; none where the walk did not come to its node. */
static void ask_again(const struct explain *e, const struct route_paths *asked,
                      const struct image_pattern_set *s, struct route_hits *ret)
{
    *ret = (struct route_hits){0};
    for (uint32_t i = 0; i < asked->n_asked; i++) {
        if (asked->asked[i].set.node == s->node)
            route_pattern_ask(&e->request->reader, s, asked->asked[i].text, ret);
    }
}

/* Patterns of the host that do not match. */
static void tell_other_patterns(const struct explain *e, uint32_t host,
                                const struct route_paths *asked)
{
    const struct image_view *v = e->v;
    const struct image_host *h = &v->hosts[host];
    for (uint32_t set = h->first_set; set < h->first_set + h->n_sets; set++) {
        const struct image_pattern_set *s = &v->pattern_sets[set];
        struct route_hits hits;
        ask_again(e, asked, s, &hits);
        for (uint32_t i = 0; i < s->n_patterns; i++) {
            if (!route_hits_has(&hits, i))
                tell_lost_path(e, host, v->patterns[s->first_pattern + i].value.index);
        }
    }
}

/* The host that the walk came to last. */
static void tell_host(const struct explain *e, const struct route_walk *walk,
                      const struct image_value *value)
{
    const struct image_view *v = e->v;
    const struct image_value *path;
    uint32_t host = value->index;
    struct route_paths paths;
    route_paths_begin(&paths, walk, value, e->request, NULL);
    const struct route_walk start = paths.walk;
    while ((path = route_paths_next(&paths)) != NULL)
        tell_path(e, host, &v->paths[path->index]);
    tell_other_patterns(e, host, &paths);
    for (uint32_t i = 0; i < v->n_nodes; i++) {
        if (v->nodes[i].kind != IMAGE_NODE_PATHS || root_of(v, i) != v->hosts[host].root)
            continue;
        tell_other_path(e, host, start, image_node_exact(v, i));
        tell_other_path(e, host, start, image_node_subtree(v, i));
    }
}

static void tell_hosts(const struct explain *e, uint32_t listener)
{
    const struct image_view *v = e->v;
    struct route_walk walk;
    const struct image_value *value;
    route_walk_host(&walk, v, v->listeners[listener].root, e->request->host, NULL);
    const struct route_walk start = walk;
    while ((value = route_walk_next(&walk)) != NULL)
        tell_host(e, &walk, value);
    for (uint32_t host = 0; host < v->n_hosts; host++) {
        if (v->hosts[host].listener == listener && !is_walked(start, host))
            tell(e, ROUTE_LOSS_HOST, listener, host, IMAGE_NONE, IMAGE_NONE);
    }
}

/* A node's listener: tells it if it was not chosen. NULL: it has none. */
static void tell_other_listener(const struct explain *e, const struct image_value *listener)
{
    if (listener == NULL)
        return;
    bool is_chosen =
        e->result->outcome != ROUTE_OUTCOME_NO_LISTENER && listener->index == e->result->listener;
    if (!is_chosen)
        tell(e, ROUTE_LOSS_LISTENER, listener->index, IMAGE_NONE, IMAGE_NONE, IMAGE_NONE);
}

static void tell_listeners(const struct explain *e)
{
    const struct image_view *v = e->v;
    uint32_t root = v->binds[e->request->bind].root;
    for (uint32_t i = 0; i < v->n_nodes; i++) {
        if (v->nodes[i].kind != IMAGE_NODE_LISTENERS || root_of(v, i) != root)
            continue;
        tell_other_listener(e, image_node_exact(v, i));
        tell_other_listener(e, image_node_subtree(v, i));
    }
}

void route_explain(const struct image_view *v, const struct route_request *request,
                   struct route_result *ret, route_candidate_fn fn, void *arg)
{
    route_match(v, request, ret);
    struct explain e = {v, request, ret, fn, arg};
    if (ret->outcome != ROUTE_OUTCOME_NO_LISTENER)
        tell_hosts(&e, ret->listener);
    tell_listeners(&e);
}
