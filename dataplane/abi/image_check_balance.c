/* SPDX-License-Identifier: Apache-2.0 */
/* The check of what is said of a group's balancing: what only one way needs, only that has. */
#include "abi/image_check.h"

static bool is_hash_key(const struct image_balance *e)
{
    bool has_name = e->name.length != 0;
    switch (e->hash_key) {
    case IMAGE_HASH_KEY_CLIENT:
    case IMAGE_HASH_KEY_CONNECTION:
        return !has_name;
    case IMAGE_HASH_KEY_HEADER:
    case IMAGE_HASH_KEY_COOKIE:
        return has_name;
    default:
        return false;
    }
}

bool image_is_balance(const struct image_balance *e)
{
    if (e->way == IMAGE_BALANCING_MAGLEV)
        return is_hash_key(e);
    bool is_way = e->way > IMAGE_BALANCING_NONE && e->way < IMAGE_BALANCINGS;
    return is_way && e->hash_key == IMAGE_HASH_KEY_NONE && e->name.length == 0;
}

/* With no group there is nothing to say. */
static bool is_nothing(const struct image_balance *e)
{
    return e->way == IMAGE_BALANCING_NONE && e->hash_key == IMAGE_HASH_KEY_NONE &&
           e->name.length == 0;
}

enum image_fault image_check_balance(const struct image_view *v, const struct image_balance *e,
                                     bool has_group)
{
    if ((e->reserved[0] | e->reserved[1]) != 0)
        return IMAGE_FAULT_RESERVED;
    if (has_group ? !image_is_balance(e) : !is_nothing(e))
        return IMAGE_FAULT_VALUE;
    bool is_header = e->hash_key == IMAGE_HASH_KEY_HEADER;
    return image_check_text(v, e->name, is_header ? IMAGE_TEXT_TOKEN_LOWER : IMAGE_TEXT_TOKEN);
}
