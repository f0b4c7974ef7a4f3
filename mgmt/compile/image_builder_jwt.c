/* SPDX-License-Identifier: Apache-2.0 */
/* The builder's tokens: what AccessPolicies say of issuers, audiences and keys. */
#include "compile/image_builder_priv.h"

bool image_builder_is_jwt(const struct image_jwt_spec *jwt)
{
    if (!image_is_realm(image_arg(jwt->realm)) || !image_is_jwt_name(image_arg(jwt->issuer)) ||
        jwt->n_keys > IMAGE_JWT_KEYS_MAX || jwt->n_audiences > IMAGE_JWT_AUDIENCES_MAX)
        return false;
    for (uint32_t i = 0; i < jwt->n_audiences; i++) {
        if (!image_is_jwt_name(image_arg(jwt->audiences[i])))
            return false;
    }
    for (uint32_t i = 0; i < jwt->n_keys; i++) {
        const struct image_jwt_key_spec *key = &jwt->keys[i];
        if (!image_is_jwt_kid(image_arg(key->kid)) || !image_is_jwt_algs(key->algs) ||
            key->spki.len == 0 || key->spki.len > IMAGE_JWT_KEY_BYTES_MAX)
            return false;
    }
    return true;
}

static bool push_parts(struct image_builder *b, const struct image_jwt_spec *jwt)
{
    for (uint32_t i = 0; i < jwt->n_keys; i++) {
        struct image_jwt_key key = {.algs = jwt->keys[i].algs};
        if (!image_builder_string(b, image_arg(jwt->keys[i].kid), &key.kid) ||
            !image_builder_string(b, jwt->keys[i].spki, &key.spki) ||
            !image_vec_append(b, SECTION(b, JWT_KEYS), &key, 1))
            return false;
    }
    for (uint32_t i = 0; i < jwt->n_audiences; i++) {
        struct image_string audience = {0};
        if (!image_builder_string(b, image_arg(jwt->audiences[i]), &audience) ||
            !image_vec_append(b, SECTION(b, JWT_AUDIENCES), &audience, 1))
            return false;
    }
    return true;
}

uint32_t image_builder_push_jwt(struct image_builder *b, const struct image_jwt_spec *jwt)
{
    if (jwt == NULL)
        return IMAGE_NONE;
    struct image_jwt entry = {.id = {jwt->id[0], jwt->id[1]},
                              .first_key = SECTION(b, JWT_KEYS)->count,
                              .n_keys = jwt->n_keys,
                              .first_audience = SECTION(b, JWT_AUDIENCES)->count,
                              .n_audiences = jwt->n_audiences,
                              .hides_authorization = jwt->hides_authorization};
    if (!push_parts(b, jwt) || !image_builder_string(b, image_arg(jwt->realm), &entry.realm) ||
        !image_builder_string(b, image_arg(jwt->issuer), &entry.issuer) ||
        !image_vec_append(b, SECTION(b, JWTS), &entry, 1))
        return IMAGE_NONE;
    return SECTION(b, JWTS)->count - 1;
}
