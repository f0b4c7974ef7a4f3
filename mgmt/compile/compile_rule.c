/* SPDX-License-Identifier: Apache-2.0 */
/* One rule of a plan: backends, filters, matches. */
#include "compile/compile_priv.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/names.h"
#include "base/siphash.h"
#include "http/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define LIMIT_ID_BYTES 2048u /* names of 253 bytes or less, a header's of 256, and numbers */

static const char *const backend_faults[] = {PLAN_BACKEND_FAULT_LIST(X_TEXT)};

/* How the builder takes header operations: for a rule, or for its last backend. */
typedef int (*add_headers_fn)(struct image_builder *b, enum image_filter_type type,
                              const struct image_header_op_spec *ops, uint32_t n_ops);

static int add_headers(struct compile *c, const struct plan_filter *filter, add_headers_fn add)
{
    struct image_header_op_spec ops[IMAGE_HEADER_OPS_PER_FILTER_MAX];
    const struct plan_header_mod *mod = &filter->headers;
    enum image_filter_type type = filter->type == PLAN_FILTER_REQUEST_HEADERS
                                      ? IMAGE_FILTER_REQUEST_HEADERS
                                      : IMAGE_FILTER_RESPONSE_HEADERS;
    uint32_t n = 0;
    if ((uint64_t)mod->n_set + mod->n_add + mod->n_remove > array_len(ops))
        return -EINVAL;
    for (uint32_t i = 0; i < mod->n_set; i++)
        ops[n++] =
            (struct image_header_op_spec){IMAGE_HEADER_SET, mod->set[i].name, mod->set[i].value};
    for (uint32_t i = 0; i < mod->n_add; i++)
        ops[n++] =
            (struct image_header_op_spec){IMAGE_HEADER_ADD, mod->add[i].name, mod->add[i].value};
    for (uint32_t i = 0; i < mod->n_remove; i++)
        ops[n++] = (struct image_header_op_spec){IMAGE_HEADER_REMOVE, mod->remove[i], NULL};
    return add(c->b, type, ops, n);
}

static void add_backend(struct compile *c, const struct plan_backend *backend)
{
    bool is_fault = backend->fault != PLAN_BACKEND_OK || backend->group == PLAN_NONE;
    const char *name = backend_faults[backend->fault];
    uint32_t group = IMAGE_NONE;
    if (!is_fault) {
        ASSERT(backend->group < c->plan->n_groups);
        uint32_t id = c->in->group_ids[backend->group];
        name = c->plan->groups[backend->group].name;
        if (compile_group(c, &c->plan->groups[backend->group], id))
            group = id;
    }
    /* one that cannot be named, or whose filters cannot be carried out */
    if (image_builder_backend(c->b, name, group, backend->weight) == -EINVAL) {
        image_builder_rule_fault(c->b);
        return;
    }
    for (uint32_t i = 0; i < backend->n_filters; i++) {
        if (add_headers(c, &backend->filters[i], image_builder_backend_headers) == -EINVAL)
            image_builder_rule_fault(c->b);
    }
}

/* A path to be written into messages: begins with a slash, and what may not stand in a path is
 * encoded. An empty one stays empty. NULL: longer than any path can be. */
static const char *safe_path(const char *path, char buf[COMPILE_PATH_BYTES])
{
    size_t n = 0;
    if (path == NULL || path[0] == '\0')
        return "";
    if (path[0] != '/')
        buf[n++] = '/';
    for (const char *p = path; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        bool is_safe = c > 0x20 && c < 0x7f && strchr("?#\"<>\\^`{|}", c) == NULL;
        if (n + 4 > COMPILE_PATH_BYTES)
            return NULL;
        if (is_safe)
            buf[n++] = (char)c;
        else
            n += (size_t)snprintf(buf + n, 4, "%%%02X", c);
    }
    buf[n] = '\0';
    return buf;
}

static enum image_path_edit path_edit(enum plan_path_mod mod)
{
    static const enum image_path_edit edits[] = {
        [PLAN_PATH_KEEP] = IMAGE_PATH_KEEP,
        [PLAN_PATH_FULL] = IMAGE_PATH_REPLACE_FULL,
        [PLAN_PATH_PREFIX] = IMAGE_PATH_REPLACE_PREFIX,
    };
    return edits[mod];
}

static int add_redirect(struct compile *c, const struct plan_redirect *redirect)
{
    char buf[COMPILE_PATH_BYTES];
    struct image_redirect_spec spec = {
        .hostname = redirect->hostname,
        .path_edit = path_edit(redirect->path_mod),
        .status = redirect->status,
        .port = redirect->port,
    };
    if (redirect->scheme != NULL && strcmp(redirect->scheme, "http") == 0)
        spec.scheme = IMAGE_SCHEME_HTTP;
    else if (redirect->scheme != NULL && strcmp(redirect->scheme, "https") == 0)
        spec.scheme = IMAGE_SCHEME_HTTPS;
    else if (redirect->scheme != NULL)
        return -EINVAL;
    if (spec.path_edit != IMAGE_PATH_KEEP && (spec.path = safe_path(redirect->path, buf)) == NULL)
        return -EINVAL;
    return image_builder_redirect(c->b, &spec);
}

static int add_rewrite(struct compile *c, const struct plan_rewrite *rewrite)
{
    char buf[COMPILE_PATH_BYTES];
    struct image_rewrite_spec spec = {.hostname = rewrite->hostname,
                                      .path_edit = path_edit(rewrite->path_mod)};
    if (spec.path_edit != IMAGE_PATH_KEEP && (spec.path = safe_path(rewrite->path, buf)) == NULL)
        return -EINVAL;
    return image_builder_rewrite(c->b, &spec);
}

static int add_cors(struct compile *c, const struct plan_cors *cors)
{
    return image_builder_cors(c->b,
                              &(struct image_cors_spec){.origins = cors->origins,
                                                        .n_origins = cors->n_origins,
                                                        .has_credentials = cors->has_credentials,
                                                        .methods = cors->methods,
                                                        .headers = cors->headers,
                                                        .exposed = cors->exposed,
                                                        .max_age_s = cors->max_age_s});
}

static int add_mirror(struct compile *c, const struct plan_mirror *mirror)
{
    ASSERT(mirror->group < c->plan->n_groups);
    const struct plan_group *group = &c->plan->groups[mirror->group];
    uint32_t id = c->in->group_ids[mirror->group];
    if (!compile_group(c, group, id))
        return 0; /* its policy's status says so */
    return image_builder_mirror(c->b, group->name, id, mirror->numerator, mirror->denominator);
}

/*
 * What a limit's buckets are known by: the rule, the RateLimit and what it says. So they outlive
 * images that change something else; a limit that changes begins anew, with full buckets, for a
 * bucket tells a time whose meaning its numbers are. A rule without a name is known by its place.
 */
static uint64_t limit_id(const struct plan_route *route, const struct plan_rule *rule,
                         const struct plan_limit *limit)
{
    char text[LIMIT_ID_BYTES];
    int n =
        snprintf(text, sizeof(text), "%s%s/%s/%s#%u/%s/%u/%u/%u/%u/%u/%u/%s",
                 route->kind == IMAGE_ROUTE_HTTP ? "" : image_route_kind_name(route->kind),
                 route->namespace, route->name, rule->name != NULL ? rule->name : "",
                 rule->name != NULL ? 0 : rule->index, limit->name, limit->requests,
                 limit->period_ms, limit->burst, (unsigned)limit->key, (unsigned)limit->prefix4_len,
                 (unsigned)limit->prefix6_len, limit->header != NULL ? limit->header : "");
    ASSERT(n > 0 && (size_t)n < sizeof(text));
    return siphash(&(struct siphash_key){0, 0}, text, (size_t)n);
}

static int add_limit(struct compile *c, const struct plan_route *route,
                     const struct plan_rule *rule, const struct plan_limit *limit)
{
    return image_builder_limit(c->b, &(struct image_limit_spec){.id = limit_id(route, rule, limit),
                                                                .name = limit->name,
                                                                .key = limit->key,
                                                                .header = limit->header,
                                                                .prefix4_len = limit->prefix4_len,
                                                                .prefix6_len = limit->prefix6_len,
                                                                .requests = limit->requests,
                                                                .burst = limit->burst,
                                                                .period_ms = limit->period_ms});
}

static int add_filter(struct compile *c, const struct plan_route *route,
                      const struct plan_rule *rule, const struct plan_filter *filter)
{
    switch (filter->type) {
    case PLAN_FILTER_REQUEST_HEADERS:
    case PLAN_FILTER_RESPONSE_HEADERS:
        return add_headers(c, filter, image_builder_headers);
    case PLAN_FILTER_REDIRECT:
        return add_redirect(c, &filter->redirect);
    case PLAN_FILTER_REWRITE:
        return add_rewrite(c, &filter->rewrite);
    case PLAN_FILTER_CORS:
        return add_cors(c, &filter->cors);
    case PLAN_FILTER_MIRROR:
        return add_mirror(c, &filter->mirror);
    case PLAN_FILTER_LIMIT:
        return add_limit(c, route, rule, &filter->limit);
    case PLAN_FILTER_ACCESS:
        return compile_access(c, filter->access);
    }
    return -EINVAL;
}

/* `n` pairs as the builder takes them. False: too many. */
static bool take_pairs(const struct plan_pair *pairs, uint32_t n, struct image_pair *ret)
{
    if (n > IMAGE_PREDICATES_PER_MATCH_MAX)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        ret[i] =
            (struct image_pair){pairs[i].name, pairs[i].value, pairs[i].type == PLAN_MATCH_REGEX};
    }
    return true;
}

bool compile_path(const char *path, char buf[COMPILE_PATH_BYTES])
{
    size_t len = strlen(path);
    if (len >= COMPILE_PATH_BYTES)
        return false;
    memcpy(buf, path, len + 1);
    if (http_path_normalize((uint8_t *)buf, &len) != HTTP_FAULT_none)
        return false;
    buf[len] = '\0';
    return true;
}

static enum image_path_kind path_kind(enum plan_string_match type)
{
    static const enum image_path_kind kinds[] = {
        [PLAN_MATCH_EXACT] = IMAGE_PATH_EXACT,
        [PLAN_MATCH_PREFIX] = IMAGE_PATH_PREFIX,
        [PLAN_MATCH_REGEX] = IMAGE_PATH_REGEX,
    };
    return kinds[type];
}

static int add_match(struct compile *c, const struct plan_match *match)
{
    bool is_regex = match->path_type == PLAN_MATCH_REGEX;
    char path[COMPILE_PATH_BYTES];
    struct image_pair headers[IMAGE_PREDICATES_PER_MATCH_MAX];
    struct image_pair queries[IMAGE_PREDICATES_PER_MATCH_MAX];
    if ((!is_regex && !compile_path(match->path, path)) ||
        !take_pairs(match->headers, match->n_headers, headers) ||
        !take_pairs(match->queries, match->n_queries, queries))
        return -EINVAL;
    struct image_match_spec spec = {
        .path_kind = path_kind(match->path_type),
        .path = is_regex ? match->path : path,
        .method = match->method,
        .headers = headers,
        .n_headers = match->n_headers,
        .queries = queries,
        .n_queries = match->n_queries,
        .index = (uint16_t)match->index,
    };
    return image_builder_match(c->b, &spec);
}

static void add_retry(struct compile *c, const struct plan_retry *retry)
{
    image_builder_retry(c->b, &(struct image_retry_spec){.attempts = retry->attempts,
                                                         .backoff_ms = retry->backoff_ms,
                                                         .codes = retry->codes,
                                                         .n_codes = retry->n_codes});
}

void compile_rule(struct compile *c, const struct plan_route *route, const struct plan_rule *rule)
{
    if (image_builder_rule(c->b, (uint16_t)rule->index) == IMAGE_NONE) {
        compile_note(c, "route %s/%s: rule %u is left out", route->namespace, route->name,
                     rule->index);
        return;
    }
    image_builder_timeouts(c->b, rule->request_timeout_ms, rule->backend_request_timeout_ms);
    if (rule->fault != PLAN_RULE_OK)
        image_builder_rule_fault(c->b);
    if (rule->retry != NULL)
        add_retry(c, rule->retry);
    if (rule->persistence != NULL && compile_session(c, route, rule) == -EINVAL) {
        image_builder_rule_fault(c->b);
        compile_note(c, "route %s/%s: rule %u answers 500: its sessions cannot be told apart",
                     route->namespace, route->name, rule->index);
    }
    for (uint32_t i = 0; i < rule->n_filters; i++) {
        if (add_filter(c, route, rule, &rule->filters[i]) != -EINVAL)
            continue;
        image_builder_rule_fault(c->b);
        compile_note(c, "route %s/%s: rule %u answers 500: filter %u cannot be carried out",
                     route->namespace, route->name, rule->index, i);
    }
    for (uint32_t i = 0; i < rule->n_backends; i++)
        add_backend(c, &rule->backends[i]);
    for (uint32_t i = 0; i < rule->n_matches; i++) {
        if (add_match(c, &rule->matches[i]) == -EINVAL)
            compile_note(c, "route %s/%s: match %u of rule %u cannot be carried out",
                         route->namespace, route->name, rule->matches[i].index, rule->index);
    }
}
