/* SPDX-License-Identifier: Apache-2.0 */
/* The builder's rate limits: all those of a rule are one filter. */
#include "compile/image_builder_priv.h"

#include <errno.h>

int image_builder_limit(struct image_builder *b, const struct image_limit_spec *spec)
{
    struct image_limit entry = {
        .id = spec->id,
        .requests = spec->requests,
        .burst = spec->burst,
        .period_ms = spec->period_ms,
        .key = (uint8_t)spec->key,
        .prefix4_len = spec->prefix4_len,
        .prefix6_len = spec->prefix6_len,
        .header.length = (uint32_t)image_arg(spec->header).len,
    };
    if (!image_builder_takes_entry(b, IMAGE_FILTER_LIMIT, IMAGE_LIMITS_PER_RULE_MAX) ||
        !image_is_limit(&entry) || !image_arg_is(spec->name, IMAGE_TEXT_NAME) ||
        !image_arg_is(spec->header, IMAGE_TEXT_TOKEN_LOWER))
        return -EINVAL;
    struct image_limit *e = NULL;
    if (image_builder_string(b, image_arg(spec->name), &entry.name) &&
        image_builder_string(b, image_arg(spec->header), &entry.header))
        e = image_vec_push(b, SECTION(b, LIMITS));
    if (e == NULL)
        return b->error;
    *e = entry;
    return image_builder_push_entry(b, IMAGE_FILTER_LIMIT, SECTION(b, LIMITS)->count - 1);
}
