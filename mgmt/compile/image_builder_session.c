/* SPDX-License-Identifier: Apache-2.0 */
/* The builder's session persistence. */
#include "compile/image_builder_priv.h"

#include <errno.h>

/* What image_check() will ask of it. */
static bool is_good(const struct image_persistence_spec *spec)
{
    bool is_cookie = spec->kind == IMAGE_SESSION_COOKIE;
    struct slice name = image_arg(spec->name), path = image_arg(spec->path);
    if (!is_cookie && spec->kind != IMAGE_SESSION_HEADER)
        return false;
    if (spec->is_permanent && (!is_cookie || spec->lifetime_s == 0))
        return false;
    if ((spec->token_key[0] | spec->token_key[1]) == 0 ||
        (spec->seal_key[0] | spec->seal_key[1]) == 0)
        return false;
    return image_is_session_name(name, spec->kind) &&
           (is_cookie ? image_is_cookie_path(path) : path.len == 0);
}

int image_builder_persistence(struct image_builder *b, const struct image_persistence_spec *spec)
{
    struct image_rule *rule = image_builder_last_rule(b);
    if (rule == NULL || rule->persistence != IMAGE_NONE || !is_good(spec))
        return -EINVAL;
    struct image_persistence entry = {.lifetime_s = spec->lifetime_s,
                                      .kind = (uint8_t)spec->kind,
                                      .is_permanent = spec->is_permanent};
    memcpy(entry.token_key, spec->token_key, sizeof(entry.token_key));
    memcpy(entry.seal_key, spec->seal_key, sizeof(entry.seal_key));
    struct image_persistence *e = NULL;
    if (image_builder_string(b, image_arg(spec->name), &entry.name) &&
        image_builder_string(b, image_arg(spec->path), &entry.path))
        e = image_vec_push(b, SECTION(b, PERSISTENCE));
    if (e == NULL)
        return b->error;
    *e = entry;
    rule->persistence = SECTION(b, PERSISTENCE)->count - 1;
    return 0;
}
