/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of paths, matches, rules, routes and backends: lists lie end to end, each belongs to one
 * owner, and everything stands in the order of precedence that the matcher takes for granted.
 */
#include "abi/image_check.h"

#include "abi/endpoints.h"

enum image_fault image_local_path(const struct image_view *v, uint32_t i)
{
    const struct image_path *e = &v->paths[i];
    if (e->kind < IMAGE_PATH_EXACT || e->kind > IMAGE_PATH_REGEX)
        return IMAGE_FAULT_VALUE;
    if (e->n_matches == 0 || !image_is_range(e->first_match, e->n_matches, v->n_matches))
        return IMAGE_FAULT_INDEX;
    if (!image_is_range(e->first_guard, e->n_guards, v->n_guards))
        return IMAGE_FAULT_INDEX;
    bool is_regex = e->kind == IMAGE_PATH_REGEX;
    return e->text.length == 0
               ? IMAGE_FAULT_TEXT
               : image_check_text(v, e->text, is_regex ? IMAGE_TEXT_PATTERN : IMAGE_TEXT_PATH);
}

enum image_fault image_cross_path(const struct image_view *v, uint32_t i)
{
    const struct image_path *e = &v->paths[i];
    struct slice text = image_text(v, e->text);
    uint32_t match = i == 0 ? 0 : e[-1].first_match + e[-1].n_matches;
    uint32_t guard = i == 0 ? 0 : e[-1].first_guard + e[-1].n_guards;
    if (e->first_match != match || e->first_guard != guard)
        return IMAGE_FAULT_OWNER;
    if (e->kind == IMAGE_PATH_PREFIX && text.len > 1 && text.ptr[text.len - 1] == '/')
        return IMAGE_FAULT_TEXT;
    return IMAGE_FAULT_OK;
}

enum image_fault image_whole_paths(const struct image_view *v)
{
    uint32_t values = 0;
    for (uint32_t i = 0; i < v->n_nodes; i++) {
        if (v->nodes[i].kind == IMAGE_NODE_PATHS)
            values += (image_node_exact(v, i) != NULL) + (image_node_subtree(v, i) != NULL);
    }
    for (uint32_t i = 0; i < v->n_patterns; i++)
        values += v->patterns[i].value.index != IMAGE_NONE;
    uint32_t matches = 0, guards = 0;
    if (v->n_paths != 0) {
        const struct image_path *last = &v->paths[v->n_paths - 1];
        matches = last->first_match + last->n_matches;
        guards = last->first_guard + last->n_guards;
    }
    return values == v->n_paths && matches == v->n_matches && guards == v->n_guards
               ? IMAGE_FAULT_OK
               : IMAGE_FAULT_OWNER;
}

enum image_fault image_local_match(const struct image_view *v, uint32_t i)
{
    const struct image_match *e = &v->matches[i];
    if (e->reserved != 0)
        return IMAGE_FAULT_RESERVED;
    if (e->is_grpc > 1)
        return IMAGE_FAULT_VALUE;
    if (e->path >= v->n_paths || e->rule >= v->n_rules ||
        (e->answer != IMAGE_NONE && e->answer >= v->n_answers))
        return IMAGE_FAULT_INDEX;
    uint32_t n = (uint32_t)e->n_headers + e->n_queries;
    if (n > IMAGE_PREDICATES_PER_MATCH_MAX)
        return IMAGE_FAULT_VALUE;
    if (!image_is_range(e->first_predicate, n, v->n_predicates))
        return IMAGE_FAULT_INDEX;
    return image_check_text(v, e->method, IMAGE_TEXT_TOKEN);
}

enum image_fault image_cross_match(const struct image_view *v, uint32_t i)
{
    const struct image_match *e = &v->matches[i];
    const struct image_path *path = &v->paths[e->path];
    if (i < path->first_match || i - path->first_match >= path->n_matches)
        return IMAGE_FAULT_OWNER;
    if (i > path->first_match && image_match_order(&e[-1], e) >= 0)
        return IMAGE_FAULT_ORDER;
    if ((e->answer == IMAGE_NONE) != (path->n_guards == 0))
        return IMAGE_FAULT_OWNER;
    if (e->is_grpc != (v->routes[v->rules[e->rule].route].kind == IMAGE_ROUTE_GRPC))
        return IMAGE_FAULT_VALUE;
    for (uint32_t k = 0; k < (uint32_t)e->n_headers + e->n_queries; k++) {
        uint16_t kind = v->predicates[e->first_predicate + k].kind;
        if (image_is_about_header(kind) != (k < e->n_headers))
            return IMAGE_FAULT_VALUE;
    }
    /* there is no prefix to replace unless one was matched */
    if (path->kind != IMAGE_PATH_PREFIX && image_rule_replaces_prefix(v, &v->rules[e->rule]))
        return IMAGE_FAULT_VALUE;
    return IMAGE_FAULT_OK;
}

enum image_fault image_local_predicate(const struct image_view *v, uint32_t i)
{
    const struct image_predicate *e = &v->predicates[i];
    if (e->reserved != 0)
        return IMAGE_FAULT_RESERVED;
    if (e->kind < IMAGE_PREDICATE_HEADER || e->kind > IMAGE_PREDICATE_QUERY_REGEX)
        return IMAGE_FAULT_VALUE;
    bool is_header = image_is_about_header(e->kind);
    bool is_regex = image_has_pattern(e->kind);
    if (is_regex ? e->set >= v->n_pattern_sets : e->set != IMAGE_NONE)
        return IMAGE_FAULT_INDEX;
    if (is_header && e->name.length == 0)
        return IMAGE_FAULT_TEXT;
    enum image_fault fault =
        image_check_text(v, e->name, is_header ? IMAGE_TEXT_TOKEN_LOWER : IMAGE_TEXT_ANY);
    if (fault != IMAGE_FAULT_OK)
        return fault;
    if (is_regex)
        return image_check_text(v, e->value, IMAGE_TEXT_PATTERN);
    return image_check_text(v, e->value, is_header ? IMAGE_TEXT_VALUE : IMAGE_TEXT_ANY);
}

enum image_fault image_local_rule(const struct image_view *v, uint32_t i)
{
    const struct image_rule *e = &v->rules[i];
    if (e->route >= v->n_routes || (e->retry != IMAGE_NONE && e->retry >= v->n_retries) ||
        (e->persistence != IMAGE_NONE && e->persistence >= v->n_persistence))
        return IMAGE_FAULT_INDEX;
    if (e->fault_status != 0 && e->fault_status != 500)
        return IMAGE_FAULT_VALUE;
    if (e->n_filters > IMAGE_FILTERS_PER_RULE_MAX || e->n_backends > IMAGE_BACKENDS_PER_RULE_MAX)
        return IMAGE_FAULT_VALUE;
    bool is_in = image_is_range(e->first_filter, e->n_filters, v->n_filters) &&
                 image_is_range(e->first_backend, e->n_backends, v->n_backends);
    return is_in ? IMAGE_FAULT_OK : IMAGE_FAULT_INDEX;
}

/* At most one filter of each type. *ret_seen: a bit for each that there is. */
static enum image_fault check_filter_set(const struct image_view *v, uint32_t first, uint32_t n,
                                         unsigned *ret_seen)
{
    unsigned seen = 0;
    for (uint32_t k = 0; k < n; k++) {
        unsigned bit = 1u << v->filters[first + k].type;
        if (seen & bit)
            return IMAGE_FAULT_DUPLICATE;
        seen |= bit;
    }
    *ret_seen = seen;
    return IMAGE_FAULT_OK;
}

/* Never a redirect with a rewrite. */
static enum image_fault check_rule_filters(const struct image_view *v,
                                           const struct image_rule *rule)
{
    const unsigned both = 1u << IMAGE_FILTER_REDIRECT | 1u << IMAGE_FILTER_REWRITE;
    unsigned seen = 0;
    enum image_fault fault = check_filter_set(v, rule->first_filter, rule->n_filters, &seen);
    return fault == IMAGE_FAULT_OK && (seen & both) == both ? IMAGE_FAULT_VALUE : fault;
}

enum image_fault image_cross_backend(const struct image_view *v, uint32_t i)
{
    const struct image_backend *e = &v->backends[i];
    const unsigned headers =
        1u << IMAGE_FILTER_REQUEST_HEADERS | 1u << IMAGE_FILTER_RESPONSE_HEADERS;
    unsigned seen = 0;
    enum image_fault fault = check_filter_set(v, e->first_filter, e->n_filters, &seen);
    if (fault == IMAGE_FAULT_OK)
        fault = image_check_health_of(v, e->health, e->group, e->protocol);
    return fault == IMAGE_FAULT_OK && (seen & ~headers) != 0 ? IMAGE_FAULT_VALUE : fault;
}

enum image_fault image_cross_rule(const struct image_view *v, uint32_t i)
{
    const struct image_rule *e = &v->rules[i];
    const struct image_route *route = &v->routes[e->route];
    if (i < route->first_rule || i - route->first_rule >= route->n_rules)
        return IMAGE_FAULT_OWNER;
    if (i > route->first_rule && e[-1].index >= e->index)
        return IMAGE_FAULT_ORDER;
    uint64_t sum = 0;
    for (uint32_t k = 0; k < e->n_backends; k++)
        sum += v->backends[e->first_backend + k].weight;
    return sum == e->weight_total ? check_rule_filters(v, e) : IMAGE_FAULT_WEIGHT;
}

enum image_fault image_local_retry(const struct image_view *v, uint32_t i)
{
    const struct image_retry *e = &v->retries[i];
    if ((e->reserved[0] | e->reserved[1]) != 0)
        return IMAGE_FAULT_RESERVED;
    bool is_count = e->attempts > 0 && e->attempts <= IMAGE_RETRY_ATTEMPTS_MAX;
    return is_count ? IMAGE_FAULT_OK : IMAGE_FAULT_VALUE;
}

enum image_fault image_local_backend(const struct image_view *v, uint32_t i)
{
    const struct image_backend *e = &v->backends[i];
    if (e->reserved != 0)
        return IMAGE_FAULT_RESERVED;
    enum image_fault fault = image_check_balance(v, &e->balancing, e->group != IMAGE_NONE);
    if (fault != IMAGE_FAULT_OK)
        return fault;
    if (e->n_filters > IMAGE_FILTERS_PER_BACKEND_MAX)
        return IMAGE_FAULT_VALUE;
    if (!image_is_range(e->first_filter, e->n_filters, v->n_filters))
        return IMAGE_FAULT_INDEX;
    if (e->weight > IMAGE_WEIGHT_MAX)
        return IMAGE_FAULT_WEIGHT;
    if (e->fault_status != (e->group == IMAGE_NONE ? 500 : 0))
        return IMAGE_FAULT_VALUE;
    if (e->group == IMAGE_NONE ? e->congestion != IMAGE_CONGESTION_NONE
                               : !image_is_congestion(e->congestion))
        return IMAGE_FAULT_VALUE;
    if (e->proxy_header >= (e->group == IMAGE_NONE ? 1 : IMAGE_PROXY_HEADERS) ||
        e->protocol >= (e->group == IMAGE_NONE ? 1 : IMAGE_BACKEND_PROTOCOLS))
        return IMAGE_FAULT_VALUE;
    bool is_ours = e->group == IMAGE_NONE || e->proxy_header != 0 || e->tls != IMAGE_NONE;
    if (e->forwarding >= (is_ours ? 1 : IMAGE_FORWARDINGS))
        return IMAGE_FAULT_VALUE;
    if (e->idle_ms != 0 && (e->group == IMAGE_NONE || !image_is_idle(e->idle_ms)))
        return IMAGE_FAULT_VALUE;
    if (e->group != IMAGE_NONE && e->group >= ENDPOINT_GROUPS_MAX)
        return IMAGE_FAULT_INDEX;
    if (e->tls != IMAGE_NONE && (e->group == IMAGE_NONE || e->tls >= v->n_backend_tls))
        return IMAGE_FAULT_INDEX;
    return image_check_text(v, e->name, IMAGE_TEXT_NAME);
}

/* How connections to a group are made, as one number that is not 0. */
static uint8_t connections(uint8_t congestion, uint8_t proxy_header, uint8_t protocol)
{
    return (uint8_t)((congestion * IMAGE_PROXY_HEADERS + proxy_header) * IMAGE_BACKEND_PROTOCOLS +
                     protocol);
}

static_assert(IMAGE_CONGESTIONS * IMAGE_PROXY_HEADERS * IMAGE_BACKEND_PROTOCOLS <= UINT8_MAX,
              "see connections()");

/* Are they as was seen of the group before? `of_group`: as far as was seen. */
static bool are_same_connections(uint8_t *of_group, uint32_t group, uint8_t kind)
{
    bool is_same = of_group[group] == 0 || of_group[group] == kind;
    of_group[group] = kind;
    return is_same;
}

enum image_fault image_whole_backends(const struct image_view *v)
{
    uint8_t of_group[ENDPOINT_GROUPS_MAX] = {0};
    for (uint32_t i = 0; i < v->n_backends; i++) {
        const struct image_backend *e = &v->backends[i];
        uint8_t kind = connections(e->congestion, e->proxy_header, e->protocol);
        if (e->group != IMAGE_NONE && !are_same_connections(of_group, e->group, kind))
            return IMAGE_FAULT_VALUE;
    }
    for (uint32_t i = 0; i < v->n_mirrors; i++) {
        const struct image_mirror *e = &v->mirrors[i];
        uint8_t kind = connections(e->congestion, e->proxy_header, e->protocol);
        if (!are_same_connections(of_group, e->group, kind))
            return IMAGE_FAULT_VALUE;
    }
    return IMAGE_FAULT_OK;
}

enum image_fault image_local_route(const struct image_view *v, uint32_t i)
{
    const struct image_route *e = &v->routes[i];
    for (unsigned k = 0; k < sizeof(e->reserved); k++) {
        if (e->reserved[k] != 0)
            return IMAGE_FAULT_RESERVED;
    }
    if (e->kind >= IMAGE_ROUTE_KINDS)
        return IMAGE_FAULT_VALUE;
    if (!image_is_range(e->first_rule, e->n_rules, v->n_rules))
        return IMAGE_FAULT_INDEX;
    return image_check_text(v, e->name, IMAGE_TEXT_NAME);
}

static struct image_route_key route_key(const struct image_view *v, const struct image_route *e)
{
    return (struct image_route_key){e->created_s, image_text(v, e->name),
                                    (enum image_route_kind)e->kind};
}

enum image_fault image_cross_route(const struct image_view *v, uint32_t i)
{
    const struct image_route *e = &v->routes[i];
    uint32_t expected = i == 0 ? 0 : e[-1].first_rule + e[-1].n_rules;
    if (e->first_rule != expected)
        return IMAGE_FAULT_OWNER;
    if (e->id != image_route_id(image_text(v, e->name)))
        return IMAGE_FAULT_VALUE;
    if (i == 0)
        return IMAGE_FAULT_OK;
    const struct image_route_key before = route_key(v, &e[-1]), key = route_key(v, e);
    return image_route_order(&before, &key) < 0 ? IMAGE_FAULT_OK : IMAGE_FAULT_ORDER;
}

enum image_fault image_whole_routes(const struct image_view *v)
{
    uint32_t end = 0;
    if (v->n_routes != 0)
        end = v->routes[v->n_routes - 1].first_rule + v->routes[v->n_routes - 1].n_rules;
    return end == v->n_rules ? IMAGE_FAULT_OK : IMAGE_FAULT_OWNER;
}
