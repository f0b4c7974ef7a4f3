/* SPDX-License-Identifier: Apache-2.0 */
/* The builder's filters: checked whole, then stored; see image_builder.h. */
#include "compile/image_builder_priv.h"

#include "base/assert.h"

#include <errno.h>

static const struct image_filter *filter_at(const struct image_builder *b, uint32_t index)
{
    ASSERT(index < SECTION(b, FILTERS)->count);
    return &ENTRIES(b, FILTERS, const struct image_filter)[index];
}

/* The filter of that type of the rule begun last; NULL: it has none. Valid until the next. */
static struct image_filter *last_filter(const struct image_builder *b, enum image_filter_type type)
{
    const struct image_rule *rule = image_builder_last_rule(b);
    struct image_filter *filters = ENTRIES(b, FILTERS, struct image_filter);
    for (uint32_t i = 0; rule != NULL && i < rule->n_filters; i++) {
        if (filters[rule->first_filter + i].type == type)
            return &filters[rule->first_filter + i];
    }
    return NULL;
}

bool image_builder_replaces_prefix(const struct image_builder *b, const struct image_rule *rule)
{
    for (uint32_t i = 0; i < rule->n_filters; i++) {
        const struct image_filter *f = filter_at(b, rule->first_filter + i);
        uint8_t edit = IMAGE_PATH_KEEP;
        if (f->type == IMAGE_FILTER_REDIRECT)
            edit = ENTRIES(b, REDIRECTS, const struct image_redirect)[f->first].path_edit;
        if (f->type == IMAGE_FILTER_REWRITE)
            edit = ENTRIES(b, REWRITES, const struct image_rewrite)[f->first].path_edit;
        if (edit == IMAGE_PATH_REPLACE_PREFIX)
            return true;
    }
    return false;
}

bool image_builder_takes_filter(const struct image_builder *b, enum image_filter_type type)
{
    const struct image_rule *rule = image_builder_last_rule(b);
    if (rule == NULL || rule->n_filters == IMAGE_FILTERS_PER_RULE_MAX ||
        last_filter(b, type) != NULL)
        return false;
    if (rule->first_filter + rule->n_filters != SECTION(b, FILTERS)->count)
        return false; /* a backend's are behind them */
    const struct builder_match *matches = (const void *)b->matches.bytes;
    if (b->matches.count != 0 &&
        matches[b->matches.count - 1].entry.rule == SECTION(b, RULES)->count - 1)
        return false; /* matches were judged by the filters before them */
    if (type == IMAGE_FILTER_REDIRECT)
        return last_filter(b, IMAGE_FILTER_REWRITE) == NULL;
    return type != IMAGE_FILTER_REWRITE || last_filter(b, IMAGE_FILTER_REDIRECT) == NULL;
}

/* False: b->error is set. */
static bool store_filter(struct image_builder *b, enum image_filter_type type, uint32_t first,
                         uint32_t count)
{
    struct image_filter *e = image_vec_push(b, SECTION(b, FILTERS));
    if (e != NULL)
        *e = (struct image_filter){.type = (uint16_t)type, .first = first, .count = count};
    return e != NULL;
}

int image_builder_push_filter(struct image_builder *b, enum image_filter_type type, uint32_t first,
                              uint32_t count)
{
    if (!store_filter(b, type, first, count))
        return b->error;
    ASSERT(image_builder_last_rule(b)->n_filters < IMAGE_FILTERS_PER_RULE_MAX);
    image_builder_last_rule(b)->n_filters++;
    return 0;
}

static bool is_header_op(const struct image_header_op_spec *op)
{
    struct slice name = image_arg(op->name), value = image_arg(op->value);
    if (op->kind < IMAGE_HEADER_SET || op->kind > IMAGE_HEADER_REMOVE)
        return false;
    if (op->kind == IMAGE_HEADER_REMOVE && value.len != 0)
        return false;
    return name.len != 0 && image_arg_is(op->name, IMAGE_TEXT_TOKEN) &&
           !image_is_framing_field(name) && image_arg_is(op->value, IMAGE_TEXT_VALUE);
}

/* Stores the operations; *ret_first: where. -EINVAL: one is none. */
static int push_ops(struct image_builder *b, const struct image_header_op_spec *ops, uint32_t n,
                    uint32_t *ret_first)
{
    if (n > IMAGE_HEADER_OPS_PER_FILTER_MAX)
        return -EINVAL;
    for (uint32_t i = 0; i < n; i++) {
        if (!is_header_op(&ops[i]))
            return -EINVAL;
    }
    *ret_first = SECTION(b, HEADER_OPS)->count;
    for (uint32_t i = 0; i < n; i++) {
        struct image_header_op entry = {.kind = ops[i].kind};
        struct image_header_op *e = NULL;
        if (image_builder_string(b, image_arg(ops[i].name), &entry.name) &&
            image_builder_string(b, image_arg(ops[i].value), &entry.value))
            e = image_vec_push(b, SECTION(b, HEADER_OPS));
        if (e == NULL)
            return b->error;
        *e = entry;
    }
    return 0;
}

int image_builder_headers(struct image_builder *b, enum image_filter_type type,
                          const struct image_header_op_spec *ops, uint32_t n_ops)
{
    ASSERT(type == IMAGE_FILTER_REQUEST_HEADERS || type == IMAGE_FILTER_RESPONSE_HEADERS);
    uint32_t first = 0;
    if (!image_builder_takes_filter(b, type))
        return -EINVAL;
    int error = push_ops(b, ops, n_ops, &first);
    return error != 0 || n_ops == 0 ? error : image_builder_push_filter(b, type, first, n_ops);
}

int image_builder_backend_headers(struct image_builder *b, enum image_filter_type type,
                                  const struct image_header_op_spec *ops, uint32_t n_ops)
{
    ASSERT(type == IMAGE_FILTER_REQUEST_HEADERS || type == IMAGE_FILTER_RESPONSE_HEADERS);
    const struct image_rule *rule = image_builder_last_rule(b);
    uint32_t first = 0;
    if (rule == NULL || rule->n_backends == 0)
        return -EINVAL;
    struct image_backend *backend =
        &ENTRIES(b, BACKENDS, struct image_backend)[SECTION(b, BACKENDS)->count - 1];
    bool has_type = backend->n_filters > 0 && filter_at(b, backend->first_filter)->type == type;
    if (has_type || backend->n_filters == IMAGE_FILTERS_PER_BACKEND_MAX)
        return -EINVAL;
    int error = push_ops(b, ops, n_ops, &first);
    if (error != 0 || n_ops == 0)
        return error;
    if (!store_filter(b, type, first, n_ops))
        return b->error;
    if (backend->n_filters++ == 0)
        backend->first_filter = SECTION(b, FILTERS)->count - 1;
    return 0;
}

/* Hostname and path of a redirect or rewrite. */
static bool is_target(const char *hostname, enum image_path_edit edit, const char *path)
{
    return image_arg_is(hostname, IMAGE_TEXT_HOST) && image_arg(hostname).len <= 255 &&
           !slice_has_prefix(image_arg(hostname), SLICE_LIT("*")) &&
           edit <= IMAGE_PATH_REPLACE_PREFIX && image_arg_is(path, IMAGE_TEXT_PATH) &&
           (edit != IMAGE_PATH_KEEP || image_arg(path).len == 0);
}

int image_builder_redirect(struct image_builder *b, const struct image_redirect_spec *spec)
{
    struct image_redirect entry = {
        .status = spec->status,
        .port = spec->port,
        .scheme = (uint8_t)spec->scheme,
        .path_edit = (uint8_t)spec->path_edit,
    };
    if (!image_builder_takes_filter(b, IMAGE_FILTER_REDIRECT) || !image_is_redirect(&entry) ||
        !is_target(spec->hostname, spec->path_edit, spec->path))
        return -EINVAL;
    struct image_redirect *e = NULL;
    if (image_builder_string(b, image_arg(spec->hostname), &entry.hostname) &&
        image_builder_string(b, image_arg(spec->path), &entry.path))
        e = image_vec_push(b, SECTION(b, REDIRECTS));
    if (e == NULL)
        return b->error;
    *e = entry;
    return image_builder_push_filter(b, IMAGE_FILTER_REDIRECT, SECTION(b, REDIRECTS)->count - 1, 1);
}

int image_builder_rewrite(struct image_builder *b, const struct image_rewrite_spec *spec)
{
    struct image_rewrite entry = {.path_edit = (uint8_t)spec->path_edit};
    if (!image_builder_takes_filter(b, IMAGE_FILTER_REWRITE) ||
        !is_target(spec->hostname, spec->path_edit, spec->path))
        return -EINVAL;
    struct image_rewrite *e = NULL;
    if (image_builder_string(b, image_arg(spec->hostname), &entry.hostname) &&
        image_builder_string(b, image_arg(spec->path), &entry.path))
        e = image_vec_push(b, SECTION(b, REWRITES));
    if (e == NULL)
        return b->error;
    *e = entry;
    return image_builder_push_filter(b, IMAGE_FILTER_REWRITE, SECTION(b, REWRITES)->count - 1, 1);
}

bool image_builder_takes_entry(const struct image_builder *b, enum image_filter_type type,
                               uint32_t most)
{
    const struct image_filter *filter = last_filter(b, type);
    return filter == NULL ? image_builder_takes_filter(b, type) : filter->count < most;
}

int image_builder_push_entry(struct image_builder *b, enum image_filter_type type, uint32_t entry)
{
    struct image_filter *filter = last_filter(b, type);
    if (filter == NULL)
        return image_builder_push_filter(b, type, entry, 1);
    ASSERT(filter->first + filter->count == entry);
    filter->count++;
    return 0;
}

int image_builder_mirror(struct image_builder *b, const char *name, uint32_t group,
                         uint32_t numerator, uint32_t denominator)
{
    if (!image_builder_takes_entry(b, IMAGE_FILTER_MIRROR, IMAGE_MIRRORS_PER_RULE_MAX) ||
        denominator == 0 || numerator > denominator || group >= ENDPOINT_GROUPS_MAX ||
        !image_arg_is(name, IMAGE_TEXT_NAME))
        return -EINVAL;
    struct image_mirror entry = {
        .group = group, .numerator = numerator, .denominator = denominator};
    struct image_mirror *e = NULL;
    if (image_builder_string(b, image_arg(name), &entry.name))
        e = image_vec_push(b, SECTION(b, MIRRORS));
    if (e == NULL)
        return b->error;
    *e = entry;
    return image_builder_push_entry(b, IMAGE_FILTER_MIRROR, SECTION(b, MIRRORS)->count - 1);
}
