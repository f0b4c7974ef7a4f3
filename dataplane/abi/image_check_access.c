/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of AccessPolicies: lists of ranges and of users that a search by halves can trust. */
#include "abi/image_check.h"

static int compare(const struct ip_addr *a, const struct ip_addr *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool image_is_range_of_addrs(const struct image_range *e)
{
    static const struct ip_addr v4_first = {.bytes = {[10] = 0xff, [11] = 0xff}};
    if (compare(&e->first, &e->last) > 0 || ip_addr_is_v4(&e->first) != ip_addr_is_v4(&e->last))
        return false;
    return ip_addr_is_v4(&e->first) || compare(&e->first, &v4_first) > 0 ||
           compare(&e->last, &v4_first) < 0;
}

enum image_fault image_local_range(const struct image_view *v, uint32_t i)
{
    return image_is_range_of_addrs(&v->ranges[i]) ? IMAGE_FAULT_OK : IMAGE_FAULT_VALUE;
}

enum image_fault image_local_access_use(const struct image_view *v, uint32_t i)
{
    return v->access_uses[i] < v->n_accesses ? IMAGE_FAULT_OK : IMAGE_FAULT_INDEX;
}

enum image_fault image_local_access(const struct image_view *v, uint32_t i)
{
    const struct image_access *e = &v->accesses[i];
    if (e->n_allowed > IMAGE_RANGES_PER_ACCESS_MAX || e->n_denied > IMAGE_RANGES_PER_ACCESS_MAX)
        return IMAGE_FAULT_VALUE;
    if (!image_is_range(e->first_range, e->n_allowed + e->n_denied, v->n_ranges))
        return IMAGE_FAULT_INDEX;
    if ((e->basic != IMAGE_NONE && e->basic >= v->n_basics) ||
        (e->jwt != IMAGE_NONE && e->jwt >= v->n_jwts))
        return IMAGE_FAULT_INDEX;
    if (e->basic != IMAGE_NONE && e->jwt != IMAGE_NONE)
        return IMAGE_FAULT_VALUE;
    return image_check_text(v, e->name, IMAGE_TEXT_NAME);
}

static bool is_sorted(const struct image_range *ranges, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        if (compare(&ranges[i - 1].last, &ranges[i].first) >= 0)
            return false;
    }
    return true;
}

/* Where the ranges of those before the i-th end. */
static uint32_t end_before(const struct image_view *v, uint32_t i)
{
    const struct image_access *before = &v->accesses[i] - 1;
    return i == 0 ? 0 : before->first_range + before->n_allowed + before->n_denied;
}

enum image_fault image_cross_access(const struct image_view *v, uint32_t i)
{
    const struct image_access *e = &v->accesses[i];
    const struct image_range *ranges = &v->ranges[e->first_range];
    if (e->first_range != end_before(v, i))
        return IMAGE_FAULT_OWNER;
    bool are_sorted =
        is_sorted(ranges, e->n_allowed) && is_sorted(ranges + e->n_allowed, e->n_denied);
    return are_sorted ? IMAGE_FAULT_OK : IMAGE_FAULT_ORDER;
}

enum image_fault image_whole_accesses(const struct image_view *v)
{
    return end_before(v, v->n_accesses) == v->n_ranges ? IMAGE_FAULT_OK : IMAGE_FAULT_OWNER;
}

enum image_fault image_local_basic(const struct image_view *v, uint32_t i)
{
    const struct image_basic *e = &v->basics[i];
    for (size_t k = 0; k < sizeof(e->reserved); k++) {
        if (e->reserved[k] != 0)
            return IMAGE_FAULT_RESERVED;
    }
    if (e->n_users > IMAGE_USERS_PER_BASIC_MAX || e->hides_authorization > 1)
        return IMAGE_FAULT_VALUE;
    if (!image_is_range(e->first_user, e->n_users, v->n_users))
        return IMAGE_FAULT_INDEX;
    enum image_fault fault = image_check_text(v, e->realm, IMAGE_TEXT_VALUE);
    bool is_told = fault != IMAGE_FAULT_OK || image_is_realm(image_text(v, e->realm));
    return is_told ? fault : IMAGE_FAULT_TEXT;
}

/* Where the users of those before the i-th end. */
static uint32_t users_end_before(const struct image_view *v, uint32_t i)
{
    const struct image_basic *before = &v->basics[i] - 1;
    return i == 0 ? 0 : before->first_user + before->n_users;
}

enum image_fault image_cross_basic(const struct image_view *v, uint32_t i)
{
    const struct image_basic *e = &v->basics[i];
    const struct image_user *users = &v->users[e->first_user];
    if (e->first_user != users_end_before(v, i))
        return IMAGE_FAULT_OWNER;
    for (uint32_t k = 1; k < e->n_users; k++) {
        if (image_user_order(image_text(v, users[k - 1].name), image_text(v, users[k].name)) >= 0)
            return IMAGE_FAULT_ORDER;
    }
    return IMAGE_FAULT_OK;
}

enum image_fault image_whole_basics(const struct image_view *v)
{
    return users_end_before(v, v->n_basics) == v->n_users ? IMAGE_FAULT_OK : IMAGE_FAULT_OWNER;
}

enum image_fault image_local_user(const struct image_view *v, uint32_t i)
{
    const struct image_user *e = &v->users[i];
    enum image_fault fault = image_check_text(v, e->name, IMAGE_TEXT_NAME);
    if (fault == IMAGE_FAULT_OK)
        fault = image_check_text(v, e->hash, IMAGE_TEXT_NAME);
    if (fault != IMAGE_FAULT_OK)
        return fault;
    bool is_user = image_is_user_name(image_text(v, e->name)) &&
                   image_is_password_hash(image_text(v, e->hash));
    return is_user ? IMAGE_FAULT_OK : IMAGE_FAULT_TEXT;
}

enum image_fault image_local_gate_use(const struct image_view *v, uint32_t i)
{
    return v->gate_uses[i] < v->n_accesses ? IMAGE_FAULT_OK : IMAGE_FAULT_INDEX;
}

enum image_fault image_cross_gate_use(const struct image_view *v, uint32_t i)
{
    const struct image_access *access = &v->accesses[v->gate_uses[i]];
    bool is_list = access->basic == IMAGE_NONE && access->jwt == IMAGE_NONE;
    return is_list ? IMAGE_FAULT_OK : IMAGE_FAULT_VALUE;
}

enum image_fault image_local_gate(const struct image_view *v, uint32_t i)
{
    const struct image_gate *e = &v->gates[i];
    if (ip_addr_is_zero(&e->addr) || e->n_uses == 0)
        return IMAGE_FAULT_VALUE;
    return image_is_range(e->first_use, e->n_uses, v->n_gate_uses) ? IMAGE_FAULT_OK
                                                                   : IMAGE_FAULT_INDEX;
}

enum image_fault image_cross_gate(const struct image_view *v, uint32_t i)
{
    bool is_behind = i == 0 || compare(&v->gates[i - 1].addr, &v->gates[i].addr) < 0;
    return is_behind ? IMAGE_FAULT_OK : IMAGE_FAULT_ORDER;
}

bool image_is_conn_limit(const struct image_conn_limit *e)
{
    return e->conns_max <= IMAGE_CONNS_MAX && e->client_conns_max <= IMAGE_CONNS_MAX &&
           (e->conns_max != 0 || e->client_conns_max != 0);
}

enum image_fault image_local_conn_limit(const struct image_view *v, uint32_t i)
{
    const struct image_conn_limit *e = &v->conn_limits[i];
    return image_is_conn_limit(e) ? image_check_text(v, e->name, IMAGE_TEXT_NAME)
                                  : IMAGE_FAULT_VALUE;
}
