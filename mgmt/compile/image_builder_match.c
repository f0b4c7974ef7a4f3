/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The builder's matches. Each is looked at whole before anything of it is stored: a
 * match that lost a condition would catch what it must not.
 */
#include "compile/image_builder_priv.h"

#include "base/assert.h"

#include <errno.h>

#define NAME_BYTES_MAX 256u  /* of a header, as Gateway API says */
#define PATH_BYTES_MAX 1024u /* as Gateway API says; so never more than IMAGE_DEPTH_MAX labels */

static_assert(PATH_BYTES_MAX <= IMAGE_DEPTH_MAX, "a path of slashes fits the trie");

/* Are all pairs fit for the image, and each name there once? */
static bool are_pairs(struct image_builder *b, const struct image_pair *pairs, uint32_t n,
                      bool is_header)
{
    for (uint32_t i = 0; i < n; i++) {
        struct slice name = image_arg(pairs[i].name);
        enum image_text_kind name_kind = is_header ? IMAGE_TEXT_TOKEN : IMAGE_TEXT_ANY;
        enum image_text_kind value_kind = is_header ? IMAGE_TEXT_VALUE : IMAGE_TEXT_ANY;
        if (name.len == 0 || name.len > NAME_BYTES_MAX || !image_is_text(name, name_kind))
            return false;
        if (pairs[i].is_regex ? !image_builder_is_pattern(b, pairs[i].value, false)
                              : !image_arg_is(pairs[i].value, value_kind))
            return false;
        for (uint32_t k = 0; k < i; k++) {
            struct slice other = image_arg(pairs[k].name);
            if (is_header ? slice_eq_nocase(name, other) : slice_eq(name, other))
                return false;
        }
    }
    return true;
}

/* The path as the image keeps it: a prefix without the slash at its end. */
static struct slice path_text(const struct image_match_spec *spec)
{
    struct slice path = image_arg(spec->path);
    while (spec->path_kind == IMAGE_PATH_PREFIX && path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    return path;
}

static bool is_path(struct image_builder *b, const struct image_match_spec *spec)
{
    struct slice path = path_text(spec);
    if (spec->path_kind == IMAGE_PATH_REGEX)
        return image_builder_is_pattern(b, spec->path, true);
    return path.len != 0 && path.len <= PATH_BYTES_MAX && image_is_text(path, IMAGE_TEXT_PATH);
}

static bool is_match(struct image_builder *b, const struct image_match_spec *spec)
{
    if (!is_path(b, spec))
        return false;
    if (spec->n_headers + spec->n_queries > IMAGE_PREDICATES_PER_MATCH_MAX ||
        !image_arg_is(spec->method, IMAGE_TEXT_TOKEN))
        return false;
    if (spec->path_kind != IMAGE_PATH_PREFIX &&
        image_builder_replaces_prefix(b, image_builder_last_rule(b)))
        return false;
    return are_pairs(b, spec->headers, spec->n_headers, true) &&
           are_pairs(b, spec->queries, spec->n_queries, false);
}

/* Fills the entry in; false: b->error is set. */
static bool take_pair(struct image_builder *b, const struct image_pair *pair, struct slice name,
                      bool is_header, struct image_predicate *ret)
{
    static const enum image_predicate_kind kinds[2][2] = {
        {IMAGE_PREDICATE_QUERY, IMAGE_PREDICATE_QUERY_REGEX},
        {IMAGE_PREDICATE_HEADER, IMAGE_PREDICATE_HEADER_REGEX},
    };
    *ret = (struct image_predicate){.kind = (uint16_t)kinds[is_header][pair->is_regex],
                                    .set = IMAGE_NONE};
    if (!image_builder_string(b, name, &ret->name) ||
        !image_builder_string(b, image_arg(pair->value), &ret->value))
        return false;
    if (pair->is_regex)
        ret->set = image_builder_predicate_set(b, ret->value);
    return !pair->is_regex || ret->set != IMAGE_NONE;
}

static bool push_pairs(struct image_builder *b, const struct image_pair *pairs, uint32_t n,
                       bool is_header)
{
    for (uint32_t i = 0; i < n; i++) {
        uint8_t lower[NAME_BYTES_MAX];
        struct slice name = image_arg(pairs[i].name);
        ASSERT(name.len <= sizeof(lower)); /* is_match() looked */
        for (size_t k = 0; k < name.len; k++)
            lower[k] = ascii_lower(name.ptr[k]);
        if (is_header)
            name.ptr = lower;
        struct image_predicate entry;
        struct image_predicate *e = NULL;
        if (take_pair(b, &pairs[i], name, is_header, &entry))
            e = image_vec_push(b, SECTION(b, PREDICATES));
        if (e == NULL)
            return false;
        *e = entry;
    }
    return true;
}

int image_builder_match(struct image_builder *b, const struct image_match_spec *spec)
{
    if (image_builder_last_rule(b) == NULL || !is_match(b, spec))
        return -EINVAL;
    uint32_t rule = SECTION(b, RULES)->count - 1;
    const struct builder_match *matches = (const void *)b->matches.bytes;
    uint32_t n = b->matches.count;
    if (n != 0 && matches[n - 1].entry.rule == rule && matches[n - 1].entry.index >= spec->index)
        return -EINVAL;
    struct builder_match match = {.path_kind = spec->path_kind};
    match.entry = (struct image_match){
        .path = IMAGE_NONE,
        .answer = IMAGE_NONE,
        .rule = rule,
        .first_predicate = SECTION(b, PREDICATES)->count,
        .n_headers = (uint16_t)spec->n_headers,
        .n_queries = (uint16_t)spec->n_queries,
        .index = spec->index,
        .is_grpc = image_builder_last_route(b)->kind == IMAGE_ROUTE_GRPC,
    };
    struct builder_match *e = NULL;
    if (image_builder_string(b, path_text(spec), &match.path) &&
        image_builder_string(b, image_arg(spec->method), &match.entry.method) &&
        push_pairs(b, spec->headers, spec->n_headers, true) &&
        push_pairs(b, spec->queries, spec->n_queries, false))
        e = image_vec_push(b, &b->matches);
    if (e == NULL)
        return b->error;
    *e = match;
    return 0;
}
