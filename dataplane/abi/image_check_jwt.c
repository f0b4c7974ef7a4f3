/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of what AccessPolicies say of tokens (JWT). Whether a key's bytes are a key is found out
 * where it is used: one that is none has signed nothing. */
#include "abi/image_check.h"

bool image_is_jwt_algs(uint32_t algs)
{
    if (algs == IMAGE_JWT_ES256 || algs == IMAGE_JWT_ES384 || algs == IMAGE_JWT_EDDSA)
        return true;
    return algs != 0 && (algs & ~(uint32_t)IMAGE_JWT_ALGS_RSA) == 0;
}

bool image_is_jwt_name(struct slice name)
{
    return name.len > 0 && name.len <= IMAGE_JWT_NAME_BYTES_MAX &&
           image_is_text(name, IMAGE_TEXT_NAME);
}

bool image_is_jwt_kid(struct slice kid)
{
    return kid.len <= IMAGE_JWT_KID_BYTES_MAX && image_is_text(kid, IMAGE_TEXT_NAME);
}

enum image_fault image_local_jwt(const struct image_view *v, uint32_t i)
{
    const struct image_jwt *e = &v->jwts[i];
    for (size_t k = 0; k < sizeof(e->reserved); k++) {
        if (e->reserved[k] != 0)
            return IMAGE_FAULT_RESERVED;
    }
    if (e->n_keys > IMAGE_JWT_KEYS_MAX || e->n_audiences > IMAGE_JWT_AUDIENCES_MAX ||
        e->hides_authorization > 1)
        return IMAGE_FAULT_VALUE;
    if (!image_is_range(e->first_key, e->n_keys, v->n_jwt_keys) ||
        !image_is_range(e->first_audience, e->n_audiences, v->n_jwt_audiences))
        return IMAGE_FAULT_INDEX;
    enum image_fault fault = image_check_text(v, e->realm, IMAGE_TEXT_VALUE);
    if (fault == IMAGE_FAULT_OK)
        fault = image_check_text(v, e->issuer, IMAGE_TEXT_NAME);
    if (fault != IMAGE_FAULT_OK)
        return fault;
    bool is_told =
        image_is_realm(image_text(v, e->realm)) && image_is_jwt_name(image_text(v, e->issuer));
    return is_told ? IMAGE_FAULT_OK : IMAGE_FAULT_TEXT;
}

enum image_fault image_cross_jwt(const struct image_view *v, uint32_t i)
{
    static const struct image_jwt none;
    const struct image_jwt *e = &v->jwts[i];
    const struct image_jwt *before = i == 0 ? &none : &v->jwts[i - 1];
    bool follows = e->first_key == before->first_key + before->n_keys &&
                   e->first_audience == before->first_audience + before->n_audiences;
    return follows ? IMAGE_FAULT_OK : IMAGE_FAULT_OWNER;
}

enum image_fault image_whole_jwts(const struct image_view *v)
{
    static const struct image_jwt none;
    const struct image_jwt *last = v->n_jwts == 0 ? &none : &v->jwts[v->n_jwts - 1];
    bool is_all = last->first_key + last->n_keys == v->n_jwt_keys &&
                  last->first_audience + last->n_audiences == v->n_jwt_audiences;
    return is_all ? IMAGE_FAULT_OK : IMAGE_FAULT_OWNER;
}

enum image_fault image_local_jwt_key(const struct image_view *v, uint32_t i)
{
    const struct image_jwt_key *e = &v->jwt_keys[i];
    if (!image_is_jwt_algs(e->algs))
        return IMAGE_FAULT_VALUE;
    enum image_fault fault = image_check_text(v, e->kid, IMAGE_TEXT_NAME);
    if (fault == IMAGE_FAULT_OK)
        fault = image_check_text(v, e->spki, IMAGE_TEXT_ANY);
    if (fault != IMAGE_FAULT_OK)
        return fault;
    bool is_key = image_is_jwt_kid(image_text(v, e->kid)) && e->spki.length > 0 &&
                  e->spki.length <= IMAGE_JWT_KEY_BYTES_MAX;
    return is_key ? IMAGE_FAULT_OK : IMAGE_FAULT_TEXT;
}

enum image_fault image_local_jwt_audience(const struct image_view *v, uint32_t i)
{
    enum image_fault fault = image_check_text(v, v->jwt_audiences[i], IMAGE_TEXT_NAME);
    bool is_name = fault != IMAGE_FAULT_OK || image_is_jwt_name(image_text(v, v->jwt_audiences[i]));
    return is_name ? fault : IMAGE_FAULT_TEXT;
}
