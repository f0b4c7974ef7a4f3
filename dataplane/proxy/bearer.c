/* SPDX-License-Identifier: Apache-2.0 */
/* Bearer tokens as they stand in a request (RFC 6750, section 2.1), and what the verifier is told
 * of them and of their policy. */
#include "base/assert.h"
#include "proxy/proxy_priv.h"

bool bearer_read(struct slice value, struct slice *ret_token)
{
    static const struct slice scheme = {(const uint8_t *)"Bearer ", 7};
    if (value.len < scheme.len || !slice_eq_nocase(slice_of(value.ptr, scheme.len), scheme))
        return false;
    value = slice_skip(value, scheme.len);
    while (value.len > 0 && value.ptr[0] == ' ')
        value = slice_skip(value, 1);
    *ret_token = value;
    return true;
}

static void copy_text(const struct image_view *v, struct image_string from, char *ret, size_t cap)
{
    struct slice text = image_text(v, from);
    ASSERT(text.len < cap);
    memcpy(ret, text.ptr, text.len);
    ret[text.len] = '\0';
}

static void fill_policy(const struct image_view *v, const struct image_jwt *jwt,
                        struct verify_jwt *ret)
{
    copy_text(v, jwt->issuer, ret->issuer, sizeof(ret->issuer));
    ret->n_audiences = jwt->n_audiences;
    for (uint32_t i = 0; i < jwt->n_audiences; i++)
        copy_text(v, v->jwt_audiences[jwt->first_audience + i], ret->audiences[i],
                  sizeof(ret->audiences[i]));
    ret->n_keys = jwt->n_keys;
    for (uint32_t i = 0; i < jwt->n_keys; i++) {
        const struct image_jwt_key *from = &v->jwt_keys[jwt->first_key + i];
        struct verify_key *key = &ret->keys[i];
        struct slice spki = image_text(v, from->spki);
        ASSERT(spki.len <= sizeof(key->spki));
        copy_text(v, from->kid, key->kid, sizeof(key->kid));
        memcpy(key->spki, spki.ptr, spki.len);
        key->spki_len = (uint32_t)spki.len;
        key->algs = from->algs;
    }
}

bool bearer_ask(const struct image_view *v, const struct image_jwt *jwt, struct slice token,
                struct verify_lane *lane)
{
    struct verify_jwt *room = verify_lane_room(lane);
    ASSERT(token.len <= VERIFY_TOKEN_BYTES_MAX);
    if (room == NULL)
        return false;
    fill_policy(v, jwt, room);
    memcpy(room->token, token.ptr, token.len);
    room->token_len = (uint32_t)token.len;
    verify_lane_ask_token(lane);
    return true;
}
