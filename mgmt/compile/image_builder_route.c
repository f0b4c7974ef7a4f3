/* SPDX-License-Identifier: Apache-2.0 */
/* The builder's routes, rules, matches and hostnames, and their order of precedence. */
#include "compile/image_builder_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>

#define HOST_BYTES_MAX 255u /* a DNS name has at most 253, with its wildcard */

struct image_route *image_builder_last_route(const struct image_builder *b)
{
    uint32_t n = SECTION(b, ROUTES)->count;
    return n == 0 ? NULL : &ENTRIES(b, ROUTES, struct image_route)[n - 1];
}

struct image_rule *image_builder_last_rule(const struct image_builder *b)
{
    const struct image_route *route = image_builder_last_route(b);
    if (route == NULL || route->n_rules == 0)
        return NULL;
    return &ENTRIES(b, RULES, struct image_rule)[SECTION(b, RULES)->count - 1];
}

/* Does it come after the route begun last? */
static bool is_next(const struct image_builder *b, const struct image_route_key *key)
{
    const struct image_route *last = image_builder_last_route(b);
    if (last == NULL)
        return true;
    const struct image_route_key before = {last->created_s, image_builder_text(b, last->name),
                                           (enum image_route_kind)last->kind};
    return image_route_order(&before, key) < 0;
}

int image_builder_route_of(struct image_builder *b, enum image_route_kind kind, const char *name,
                           int64_t created_s)
{
    const struct image_route_key key = {created_s, image_arg(name), kind};
    if (!image_arg_is(name, IMAGE_TEXT_NAME) || !is_next(b, &key))
        return -EINVAL;
    struct image_route entry = {.created_s = created_s,
                                .id = image_route_id(image_arg(name)),
                                .first_rule = SECTION(b, RULES)->count,
                                .kind = (uint8_t)kind};
    struct image_route *e = NULL;
    if (image_builder_string(b, image_arg(name), &entry.name))
        e = image_vec_push(b, SECTION(b, ROUTES));
    if (e == NULL)
        return b->error;
    *e = entry;
    b->route_first_match = b->matches.count;
    return 0;
}

int image_builder_route(struct image_builder *b, const char *name, int64_t created_s)
{
    return image_builder_route_of(b, IMAGE_ROUTE_HTTP, name, created_s);
}

uint32_t image_builder_rule(struct image_builder *b, uint16_t index)
{
    struct image_route *route = image_builder_last_route(b);
    const struct image_rule *before = image_builder_last_rule(b);
    if (route == NULL || (before != NULL && before->index >= index))
        return IMAGE_NONE;
    struct image_rule *e = image_vec_push(b, SECTION(b, RULES));
    if (e == NULL)
        return IMAGE_NONE;
    e->route = SECTION(b, ROUTES)->count - 1;
    e->index = index;
    e->first_filter = SECTION(b, FILTERS)->count;
    e->first_backend = SECTION(b, BACKENDS)->count;
    e->retry = IMAGE_NONE;
    e->persistence = IMAGE_NONE;
    route->n_rules++;
    return SECTION(b, RULES)->count - 1;
}

int image_builder_rule_fault(struct image_builder *b)
{
    struct image_rule *rule = image_builder_last_rule(b);
    if (rule == NULL)
        return -EINVAL;
    rule->fault_status = 500;
    return 0;
}

int image_builder_timeouts(struct image_builder *b, uint32_t request_ms,
                           uint32_t backend_request_ms)
{
    struct image_rule *rule = image_builder_last_rule(b);
    if (rule == NULL)
        return -EINVAL;
    rule->request_timeout_ms = request_ms;
    rule->backend_request_timeout_ms = backend_request_ms;
    return 0;
}

int image_builder_retry(struct image_builder *b, const struct image_retry_spec *spec)
{
    struct image_retry entry = {.backoff_ms = spec->backoff_ms,
                                .attempts = (uint8_t)spec->attempts};
    struct image_rule *rule = image_builder_last_rule(b);
    if (rule == NULL || rule->retry != IMAGE_NONE || spec->attempts == 0 ||
        spec->attempts > IMAGE_RETRY_ATTEMPTS_MAX)
        return -EINVAL;
    for (uint32_t i = 0; i < spec->n_codes; i++) {
        if (spec->codes[i] < IMAGE_RETRY_CODE_MIN || spec->codes[i] > IMAGE_RETRY_CODE_MAX)
            return -EINVAL;
        unsigned bit = spec->codes[i] - IMAGE_RETRY_CODE_MIN;
        entry.codes[bit / 8] |= (uint8_t)(1u << bit % 8);
    }
    struct image_retry *e = image_vec_push(b, SECTION(b, RETRIES));
    if (e == NULL)
        return b->error;
    *e = entry;
    rule->retry = SECTION(b, RETRIES)->count - 1;
    return 0;
}

int image_builder_backend(struct image_builder *b, const char *name, uint32_t group,
                          uint32_t weight)
{
    struct image_rule *rule = image_builder_last_rule(b);
    if (rule == NULL || rule->n_backends == IMAGE_BACKENDS_PER_RULE_MAX)
        return -EINVAL;
    if (!image_arg_is(name, IMAGE_TEXT_NAME) || weight > IMAGE_WEIGHT_MAX ||
        (group != IMAGE_NONE && group >= ENDPOINT_GROUPS_MAX))
        return -EINVAL;
    struct image_backend entry = {.group = group,
                                  .weight = weight,
                                  .fault_status = group == IMAGE_NONE ? 500 : 0,
                                  .health = IMAGE_NONE,
                                  .tls = IMAGE_NONE};
    struct image_backend *e = NULL;
    if (image_builder_string(b, image_arg(name), &entry.name))
        e = image_vec_push(b, SECTION(b, BACKENDS));
    if (e == NULL)
        return b->error;
    *e = entry;
    rule->n_backends++;
    rule->weight_total += weight;
    return 0;
}

/* The host of a listener, made if it is not there; IMAGE_NONE: b->error is set. */
static uint32_t host_of(struct image_builder *b, uint32_t listener, struct image_string name)
{
    ASSERT(listener < SECTION(b, LISTENERS)->count);
    uint32_t hosts = ENTRIES(b, LISTENERS, const struct image_listener)[listener].root;
    uint32_t *value = image_builder_host_value(b, hosts, name);
    if (value == NULL || *value != IMAGE_NONE)
        return value == NULL ? IMAGE_NONE : *value;
    struct image_host entry = {
        .name = name, .listener = listener, .root = image_builder_root(b, IMAGE_NODE_PATHS)};
    struct image_host *e = image_vec_push(b, SECTION(b, HOSTS));
    uint32_t *attached = e == NULL ? NULL : image_vec_push(b, &b->attached);
    value = attached == NULL ? NULL : image_builder_host_value(b, hosts, name);
    if (value == NULL)
        return IMAGE_NONE;
    *e = entry;
    *attached = IMAGE_NONE;
    *value = SECTION(b, HOSTS)->count - 1;
    return *value;
}

/* The path of a host, made if it is not there; IMAGE_NONE: b->error is set. */
static uint32_t path_of(struct image_builder *b, uint32_t host, const struct builder_match *match)
{
    ASSERT(host < SECTION(b, HOSTS)->count);
    if (match->path_kind == IMAGE_PATH_REGEX)
        return image_builder_pattern_path(b, host, match->path);
    uint32_t root = ENTRIES(b, HOSTS, const struct image_host)[host].root;
    uint32_t *value = image_builder_path_value(b, root, match->path, match->path_kind);
    if (value == NULL || *value != IMAGE_NONE)
        return value == NULL ? IMAGE_NONE : *value;
    struct image_path *e = image_vec_push(b, SECTION(b, PATHS));
    if (e == NULL)
        return IMAGE_NONE;
    e->text = match->path;
    e->kind = match->path_kind;
    *value = SECTION(b, PATHS)->count - 1;
    return *value;
}

int image_builder_attach(struct image_builder *b, uint32_t listener, const char *hostname)
{
    struct image_string name;
    if (image_builder_last_route(b) == NULL || listener >= SECTION(b, LISTENERS)->count ||
        !image_arg_is(hostname, IMAGE_TEXT_HOST) || image_arg(hostname).len > HOST_BYTES_MAX)
        return -EINVAL;
    if (b->route_first_match == b->matches.count)
        return 0; /* serves nothing: no host without paths */
    if (!image_builder_string(b, image_arg(hostname), &name))
        return b->error;
    uint32_t host = host_of(b, listener, name);
    if (host == IMAGE_NONE)
        return b->error;
    uint32_t route = SECTION(b, ROUTES)->count - 1;
    uint32_t *attached = (uint32_t *)(void *)b->attached.bytes;
    ASSERT(b->attached.count == SECTION(b, HOSTS)->count);
    if (attached[host] == route)
        return -EEXIST;
    attached[host] = route;
    for (uint32_t i = b->route_first_match; i < b->matches.count; i++) {
        const struct builder_match *match = (const void *)b->matches.bytes;
        uint32_t path = path_of(b, host, &match[i]);
        struct builder_placement *e = path == IMAGE_NONE ? NULL : image_vec_push(b, &b->placements);
        if (e == NULL)
            return b->error;
        *e = (struct builder_placement){path, i};
    }
    return 0;
}

static int compare_placements(const void *x, const void *y, void *builder)
{
    const struct image_builder *b = builder;
    const struct builder_placement *p = x, *q = y;
    const struct builder_match *matches = (const void *)b->matches.bytes;
    if (p->path != q->path)
        return p->path < q->path ? -1 : 1;
    return image_match_order(&matches[p->match].entry, &matches[q->match].entry);
}

int image_builder_order(struct image_builder *b)
{
    struct builder_placement *placements = (void *)b->placements.bytes;
    const struct builder_match *matches = (const void *)b->matches.bytes;
    struct image_path *paths = ENTRIES(b, PATHS, struct image_path);
    uint32_t n = b->placements.count;
    if (n != 0)
        qsort_r(placements, n, sizeof(*placements), compare_placements, b);
    SECTION(b, MATCHES)->count = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct image_match *e = image_vec_push(b, SECTION(b, MATCHES));
        if (e == NULL)
            return b->error;
        *e = matches[placements[i].match].entry;
        e->path = placements[i].path;
        if (i == 0 || placements[i - 1].path != e->path) {
            paths[e->path].first_match = i;
            paths[e->path].n_matches = 0;
        }
        paths[e->path].n_matches++;
    }
    ASSERT(SECTION(b, MATCHES)->count == n);
    return 0;
}
