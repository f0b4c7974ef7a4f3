/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The builder's AccessPolicies: each is in the image once, all those of a rule are one filter. The
 * ranges of a list are put in order and those that overlap into one, so that a worker can search.
 */
#include "compile/image_builder_priv.h"

#include "base/assert.h"
#include "base/siphash.h"

#include <errno.h>
#include <stdlib.h>

static int compare_addrs(const struct ip_addr *a, const struct ip_addr *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static int compare_ranges(const void *x, const void *y)
{
    const struct image_range *a = x, *b = y;
    return compare_addrs(&a->first, &b->first);
}

/* Of a range of IPv6 with the IPv4 addresses within what is before and behind them. Returns how
 * many there are. */
static uint32_t split(const struct image_range *range, struct image_range ret[2])
{
    static const struct ip_addr before = {.bytes = {[10] = 0xff, [11] = 0xfe, 255, 255, 255, 255}};
    static const struct ip_addr behind = {.bytes = {[9] = 1}};
    ret[0] = *range;
    if (image_is_range_of_addrs(range))
        return 1;
    ret[1] = *range;
    ret[0].last = before;
    ret[1].first = behind;
    return 2;
}

static bool is_list(const struct image_range *list, uint32_t n)
{
    struct image_range parts[2];
    if (n >= IMAGE_RANGES_PER_ACCESS_MAX)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t n_parts = split(&list[i], parts);
        for (uint32_t k = 0; k < n_parts; k++) {
            if (!image_is_range_of_addrs(&parts[k]))
                return false;
        }
    }
    return true;
}

/* Sorts, and makes one of those that overlap. Returns how many are left. */
static uint32_t merge(struct image_range *list, uint32_t n)
{
    uint32_t kept = 0;
    qsort(list, n, sizeof(*list), compare_ranges);
    for (uint32_t i = 0; i < n; i++) {
        if (kept == 0 || compare_addrs(&list[kept - 1].last, &list[i].first) < 0)
            list[kept++] = list[i];
        else if (compare_addrs(&list[kept - 1].last, &list[i].last) < 0)
            list[kept - 1].last = list[i].last;
    }
    return kept;
}

/* Stores a list; returns how many ranges it came to. After failure b->error is set. */
static uint32_t push_list(struct image_builder *b, const struct image_range *list, uint32_t n)
{
    struct image_range *all = n == 0 ? NULL : malloc(2 * (size_t)n * sizeof(*all));
    uint32_t n_all = 0;
    if (n == 0 || b->error != 0) {
        free(all);
        return 0;
    }
    if (all == NULL) {
        b->error = -ENOMEM;
        return 0;
    }
    for (uint32_t i = 0; i < n; i++)
        n_all += split(&list[i], &all[n_all]);
    n_all = merge(all, n_all);
    ASSERT(n_all <= IMAGE_RANGES_PER_ACCESS_MAX);
    image_vec_append(b, SECTION(b, RANGES), all, n_all);
    free(all);
    return n_all;
}

static bool is_basic(const struct image_basic_spec *basic)
{
    if (!image_is_realm(image_arg(basic->realm)) || basic->n_users > IMAGE_USERS_PER_BASIC_MAX)
        return false;
    for (uint32_t i = 0; i < basic->n_users; i++) {
        const struct image_user_spec *user = &basic->users[i];
        if (!image_is_user_name(image_arg(user->name)) ||
            !image_is_password_hash(image_arg(user->hash)) ||
            (i > 0 && image_user_order(image_arg(user[-1].name), image_arg(user->name)) >= 0))
            return false;
    }
    return true;
}

/* Stores the passwords; returns their index. IMAGE_NONE: there are none, or b->error is set. */
static uint32_t push_basic(struct image_builder *b, const struct image_basic_spec *basic)
{
    if (basic == NULL)
        return IMAGE_NONE;
    struct image_basic entry = {.id = {basic->id[0], basic->id[1]},
                                .first_user = SECTION(b, USERS)->count,
                                .n_users = basic->n_users,
                                .hides_authorization = basic->hides_authorization};
    for (uint32_t i = 0; i < basic->n_users; i++) {
        struct image_user user = {0};
        if (!image_builder_string(b, image_arg(basic->users[i].name), &user.name) ||
            !image_builder_string(b, image_arg(basic->users[i].hash), &user.hash) ||
            !image_vec_append(b, SECTION(b, USERS), &user, 1))
            return IMAGE_NONE;
    }
    if (!image_builder_string(b, image_arg(basic->realm), &entry.realm) ||
        !image_vec_append(b, SECTION(b, BASICS), &entry, 1))
        return IMAGE_NONE;
    return SECTION(b, BASICS)->count - 1;
}

static bool is_access_equal(const struct image_builder *b, uint32_t index, const void *key)
{
    const struct image_access *e = &ENTRIES(b, ACCESSES, const struct image_access)[index];
    return slice_eq(image_builder_text(b, e->name), *(const struct slice *)key);
}

uint32_t image_builder_access_entry(struct image_builder *b, const struct image_access_spec *spec)
{
    struct slice name = image_arg(spec->name);
    struct image_index_key key = {siphash(&(struct siphash_key){0, 0}, name.ptr, name.len), &name,
                                  is_access_equal};
    uint32_t known = image_index_find(b, &b->by_access, &key);
    if (known != IMAGE_NONE)
        return known;
    struct image_access entry = {.first_range = SECTION(b, RANGES)->count};
    entry.n_allowed = push_list(b, spec->allowed, spec->n_allowed);
    entry.n_denied = push_list(b, spec->denied, spec->n_denied);
    entry.basic = push_basic(b, spec->basic);
    entry.jwt = image_builder_push_jwt(b, spec->jwt);
    struct image_access *e = NULL;
    if (image_builder_string(b, name, &entry.name))
        e = image_vec_push(b, SECTION(b, ACCESSES));
    if (e == NULL)
        return IMAGE_NONE;
    *e = entry;
    uint32_t index = SECTION(b, ACCESSES)->count - 1;
    return image_index_add(b, &b->by_access, &key, index) ? index : IMAGE_NONE;
}

bool image_builder_has_lists(const struct image_access_spec *spec)
{
    return image_arg_is(spec->name, IMAGE_TEXT_NAME) && is_list(spec->allowed, spec->n_allowed) &&
           is_list(spec->denied, spec->n_denied);
}

int image_builder_access(struct image_builder *b, const struct image_access_spec *spec)
{
    if (!image_builder_takes_entry(b, IMAGE_FILTER_ACCESS, IMAGE_ACCESSES_PER_RULE_MAX) ||
        !image_builder_has_lists(spec) || (spec->basic != NULL && !is_basic(spec->basic)) ||
        (spec->jwt != NULL && (spec->basic != NULL || !image_builder_is_jwt(spec->jwt))))
        return -EINVAL;
    uint32_t access = image_builder_access_entry(b, spec);
    uint32_t *use = access == IMAGE_NONE ? NULL : image_vec_push(b, SECTION(b, ACCESS_USES));
    if (use == NULL)
        return b->error;
    *use = access;
    return image_builder_push_entry(b, IMAGE_FILTER_ACCESS, SECTION(b, ACCESS_USES)->count - 1);
}
