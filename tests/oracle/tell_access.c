/* SPDX-License-Identifier: Apache-2.0 */
/* RateLimits and AccessPolicies of an image. See tell.h. */
#include "tell.h"

static json_t *tell_limit(const struct image_view *v, const struct image_limit *l)
{
    static const char *const keys[] = {[IMAGE_LIMIT_ROUTE] = "Route",
                                       [IMAGE_LIMIT_CLIENT] = "ClientAddress",
                                       [IMAGE_LIMIT_HEADER] = "Header"};
    return json_pack("{s:o,s:o,s:I,s:I,s:I,s:s,s:o,s:[i,i]}", "id", tell_words(&l->id, 1), "name",
                     tell_text(v, l->name), "requests", (json_int_t)l->requests, "burst",
                     (json_int_t)l->burst, "per", (json_int_t)l->period_ms, "key", keys[l->key],
                     "header", tell_text(v, l->header), "prefixes", (int)l->prefix4_len,
                     (int)l->prefix6_len);
}

json_t *tell_limits(const struct image_view *v, const struct image_filter *filter)
{
    json_t *limits = json_array();
    for (uint32_t i = filter->first; i < filter->first + filter->count; i++)
        json_array_append_new(limits, tell_limit(v, &v->limits[i]));
    return limits;
}

static json_t *tell_ranges(const struct image_range *ranges, uint32_t n)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++) {
        char first[IP_ADDR_TEXT_MAX], last[IP_ADDR_TEXT_MAX];
        json_array_append_new(list, json_pack("[s,s]", ip_addr_format(&ranges[i].first, first),
                                              ip_addr_format(&ranges[i].last, last)));
    }
    return list;
}

/* {id, realm, users: [name, hash] each, hides}, or null. */
static json_t *tell_basic(const struct image_view *v, uint32_t basic)
{
    if (basic == IMAGE_NONE)
        return json_null();
    const struct image_basic *b = &v->basics[basic];
    json_t *users = json_array();
    for (uint32_t i = b->first_user; i < b->first_user + b->n_users; i++)
        json_array_append_new(users, json_pack("[o,o]", tell_text(v, v->users[i].name),
                                               tell_text(v, v->users[i].hash)));
    return json_pack("{s:o,s:o,s:o,s:b}", "id", tell_words(b->id, 2), "realm",
                     tell_text(v, b->realm), "users", users, "hides", (int)b->hides_authorization);
}

/* {id, realm, issuer, audiences, keys: [kid, algorithms, bytes] each, hides}, or null. */
static json_t *tell_jwt(const struct image_view *v, uint32_t jwt)
{
    if (jwt == IMAGE_NONE)
        return json_null();
    const struct image_jwt *j = &v->jwts[jwt];
    json_t *audiences = json_array(), *keys = json_array();
    for (uint32_t i = 0; i < j->n_audiences; i++)
        json_array_append_new(audiences, tell_text(v, v->jwt_audiences[j->first_audience + i]));
    for (uint32_t i = j->first_key; i < j->first_key + j->n_keys; i++) {
        const struct image_jwt_key *key = &v->jwt_keys[i];
        struct slice spki = image_text(v, key->spki);
        json_array_append_new(keys, json_pack("[o,i,o]", tell_text(v, key->kid), (int)key->algs,
                                              tell_bytes(spki.ptr, spki.len)));
    }
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:b}", "id", tell_words(j->id, 2), "realm",
                     tell_text(v, j->realm), "issuer", tell_text(v, j->issuer), "audiences",
                     audiences, "keys", keys, "hides", (int)j->hides_authorization);
}

static json_t *tell_access(const struct image_view *v, const struct image_access *a)
{
    const struct image_range *ranges = &v->ranges[a->first_range];
    return json_pack("[o,o,o,o,o]", tell_text(v, a->name), tell_ranges(ranges, a->n_allowed),
                     tell_ranges(ranges + a->n_allowed, a->n_denied), tell_basic(v, a->basic),
                     tell_jwt(v, a->jwt));
}

json_t *tell_accesses(const struct image_view *v, const struct image_filter *filter)
{
    json_t *accesses = json_array();
    for (uint32_t i = filter->first; i < filter->first + filter->count; i++)
        json_array_append_new(accesses, tell_access(v, &v->accesses[v->access_uses[i]]));
    return accesses;
}
