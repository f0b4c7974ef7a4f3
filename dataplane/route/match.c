/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The match, in the order that the Gateway API gives (HTTPRouteSpec.hostnames and
 * HTTPRouteRule.matches, Listener.hostname):
 *
 *   1. The listener with the most specific hostname; the others are not asked again.
 *   2. Its routes' hostnames: exact, longest wildcard, none. "Precedence must be given to rules
 *      from the HTTPRoute with" the more specific hostname: precedence, so when none of those rules
 *      matches, the rules of the next hostname are asked.
 *   3. Within a hostname the path: exact, regular expressions (paths.c), longest prefix. When no
 *      match of a path holds, the next.
 *   4. Within a path the matches lie in order: method, number of headers, number of query
 *      parameters, older route, route's name, rule, match. The first that holds takes the request.
 *      Where there are many, guards (abi/image.h) lead to those that can hold.
 */
#include "route/route_priv.h"

#include "base/assert.h"
#include "base/names.h"

static const char *const outcome_names[] = {ROUTE_OUTCOME_LIST(X_NAME)};

const char *route_outcome_name(enum route_outcome outcome)
{
    ASSERT((size_t)outcome < sizeof(outcome_names) / sizeof(outcome_names[0]));
    return outcome_names[outcome];
}

bool route_bind_find(const struct image_view *v, const struct ip_addr *local, uint16_t port,
                     uint32_t *ret_bind)
{
    uint32_t bind = image_bind_find(v, local, port, false);
    if (bind == IMAGE_NONE)
        return false;
    *ret_bind = bind;
    return true;
}

static bool holds(const struct image_view *v, uint32_t match, const struct route_request *request)
{
    enum route_loss loss;
    uint32_t predicate;
    return route_match_holds(v, &v->matches[match], request, &loss, &predicate);
}

/* The first match that hangs on an answer, holds, and comes before `best`; else `best`. */
static uint32_t match_in_answer(const struct image_view *v, const struct image_answer *answer,
                                const struct route_request *request, uint32_t best)
{
    for (uint32_t i = 0; i < answer->count; i++) {
        ASSERT_HOT(answer->first + i < v->n_answer_matches);
        uint32_t match = v->answer_matches[answer->first + i];
        if (match >= best)
            break;
        if (holds(v, match, request))
            return match;
    }
    return best;
}

/* Matches stand in the order of precedence, so of those that the guards lead to the one with the
 * lowest index is the one that asking all in turn would find. */
static uint32_t match_by_guards(const struct image_view *v, const struct image_path *path,
                                const struct route_request *request)
{
    uint32_t best = IMAGE_NONE;
    for (uint32_t i = 0; i < path->n_guards; i++) {
        uint8_t buf[IMAGE_ANSWER_BYTES_MAX];
        uint32_t guard = path->first_guard + i;
        struct slice value;
        if (!route_guard_answer(v, &v->guards[guard], request, buf, &value))
            continue;
        uint32_t answer = image_answer_find(v, guard, value);
        if (answer != IMAGE_NONE)
            best = match_in_answer(v, &v->answers[answer], request, best);
    }
    return best;
}

/* The first match of a path that holds; IMAGE_NONE: none. */
static uint32_t match_in_path(const struct image_view *v, const struct image_path *path,
                              const struct route_request *request)
{
    if (path->n_guards != 0)
        return match_by_guards(v, path, request);
    for (uint32_t i = 0; i < path->n_matches; i++) {
        if (holds(v, path->first_match + i, request))
            return path->first_match + i;
    }
    return IMAGE_NONE;
}

/* The match of a host that takes the request; false: none does. */
static bool match_in_host(const struct route_walk *walk, const struct image_value *host,
                          const struct route_request *request, const struct route_hashes *ahead,
                          struct route_result *ret)
{
    const struct image_view *v = walk->v;
    const struct image_value *path;
    struct route_paths paths;
    route_paths_begin(&paths, walk, host, request, ahead);
    while ((path = route_paths_next(&paths)) != NULL) {
        ret->match = path->to;
        ret->rule = path->more;
        if (ret->match != IMAGE_NONE)
            return true;
        ret->match = match_in_path(v, &v->paths[path->index], request);
        if (ret->match == IMAGE_NONE)
            continue;
        ret->rule = v->matches[ret->match].rule;
        return true;
    }
    return false;
}

/* The listener of the bind with the most specific hostname that has the host; NULL: none. */
static const struct image_value *find_listener(const struct image_view *v, uint32_t bind,
                                               struct slice host)
{
    ASSERT(bind < v->n_binds);
    struct route_walk walk;
    route_walk_host(&walk, v, v->binds[bind].root, host, NULL);
    return route_walk_next(&walk);
}

bool route_listener_find(const struct image_view *v, uint32_t bind, struct slice host,
                         uint32_t *ret_listener)
{
    const struct image_value *listener = find_listener(v, bind, host);
    if (listener == NULL)
        return false;
    *ret_listener = listener->index;
    return true;
}

void route_look_ahead(const struct image_view *v, const struct route_request *request,
                      struct route_ahead *ret)
{
    ret->listener = find_listener(v, request->bind, request->host);
    if (ret->listener != NULL)
        route_walk_ahead(v, ret->listener->to, request, ret);
}

void route_match_ahead(const struct image_view *v, const struct route_request *request,
                       const struct route_ahead *ahead, struct route_result *ret)
{
    struct route_walk walk;
    const struct image_value *listener = ahead->listener, *host;
    *ret = (struct route_result){.outcome = ROUTE_OUTCOME_NO_LISTENER};
    if (listener == NULL)
        return;
    struct route_result none = {.outcome = ROUTE_OUTCOME_NO_HOST, .listener = listener->index};
    struct route_result found = {.outcome = ROUTE_OUTCOME_RULE, .listener = listener->index};
    route_walk_host(&walk, v, listener->to, request->host, &ahead->host);
    while ((host = route_walk_next(&walk)) != NULL) {
        none.outcome = ROUTE_OUTCOME_NO_RULE;
        if (!match_in_host(&walk, host, request, &ahead->path, &found))
            continue;
        ASSERT_HOT(v->hosts[host->index].listener == listener->index);
        found.host = host->index;
        *ret = found;
        return;
    }
    *ret = none;
}

void route_match(const struct image_view *v, const struct route_request *request,
                 struct route_result *ret)
{
    struct route_ahead ahead;
    route_look_ahead(v, request, &ahead);
    route_match_ahead(v, request, &ahead, ret);
}

void route_match_name(const struct image_view *v, struct route_reader reader, uint32_t bind,
                      struct slice path, const char *method, struct route_result *ret)
{
    const struct route_request request = {.bind = bind,
                                          .host = SLICE_LIT(""),
                                          .path = path,
                                          .query = SLICE_LIT(""),
                                          .method = slice_of_str(method),
                                          .reader = reader};
    route_match(v, &request, ret);
}

void route_match_flow(const struct image_view *v, struct route_reader reader, uint32_t bind,
                      const char *server_name, struct route_result *ret)
{
    const struct route_request request = {.bind = bind,
                                          .host = slice_of_str(server_name),
                                          .path = SLICE_LIT("/"),
                                          .query = SLICE_LIT(""),
                                          .method = SLICE_LIT(""),
                                          .reader = reader};
    route_match(v, &request, ret);
}
