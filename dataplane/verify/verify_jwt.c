/* SPDX-License-Identifier: Apache-2.0 */
/* See verify_jwt.h. */
#include "verify/verify_jwt.h"

#include "base/base64.h"
#include "base/container.h"
#include "verify/verify_signature.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

#define PART_BYTES_MAX (VERIFY_TOKEN_BYTES_MAX / 4 * 3) /* a token that is all of one part */

/* The three parts of a token (RFC 7515, section 7.1), and what the signature is of. */
struct parts {
    json_t *header;
    json_t *claims;
    struct slice signed_text;
    size_t signature_len;
    uint8_t signature[PART_BYTES_MAX];
};

/* Cuts off `*rest` what is before the next dot, and the dot. False: there is none. */
static bool take_part(struct slice *rest, struct slice *ret)
{
    const uint8_t *dot = rest->len == 0 ? NULL : memchr(rest->ptr, '.', rest->len);
    if (dot == NULL)
        return false;
    *ret = slice_of(rest->ptr, (size_t)(dot - rest->ptr));
    *rest = slice_skip(*rest, ret->len + 1);
    return true;
}

/* *ret_object NULL: it is no JSON object, or has a name twice. False: no base64url. */
static bool read_object(struct slice text, json_t **ret_object)
{
    uint8_t bytes[PART_BYTES_MAX];
    size_t len;
    if (!base64url_decode(text, bytes, sizeof(bytes), &len))
        return false;
    json_t *json = json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(json)) {
        json_decref(json);
        json = NULL;
    }
    *ret_object = json;
    return true;
}

static enum jwt_fault read_parts(const struct verify_jwt *job, struct parts *ret)
{
    struct slice token = slice_of(job->token, job->token_len), rest = token, header, claims;
    if (!take_part(&rest, &header) || !take_part(&rest, &claims) ||
        !base64url_decode(rest, ret->signature, sizeof(ret->signature), &ret->signature_len))
        return JWT_FAULT_PARTS;
    ret->signed_text = slice_of(token.ptr, header.len + 1 + claims.len);
    if (!read_object(header, &ret->header) || !read_object(claims, &ret->claims))
        return JWT_FAULT_PARTS;
    return ret->header != NULL && ret->claims != NULL ? JWT_FAULT_OK : JWT_FAULT_JSON;
}

/* An access token (RFC 9068), or one that says nothing else; not one that somebody signed for
 * another purpose (RFC 8725, section 3.11). */
static bool is_type(const json_t *typ)
{
    static const char *const types[] = {"JWT", "at+jwt", "application/jwt", "application/at+jwt"};
    const char *text = json_string_value(typ);
    for (size_t i = 0; text != NULL && i < array_len(types); i++) {
        if (strcasecmp(text, types[i]) == 0)
            return true;
    }
    return typ == NULL;
}

/* The key that the header names; without a name the only one that signs so. NULL: none. */
static const struct verify_key *find_key(const struct verify_jwt *job, const json_t *header,
                                         uint32_t alg)
{
    const json_t *kid = json_object_get(header, "kid");
    const struct verify_key *found = NULL;
    for (uint32_t i = 0; i < job->n_keys; i++) {
        const struct verify_key *key = &job->keys[i];
        if ((key->algs & alg) == 0)
            continue;
        if (kid != NULL) {
            if (json_is_string(kid) && key->kid[0] != '\0' &&
                strcmp(json_string_value(kid), key->kid) == 0)
                return key;
            continue;
        }
        if (found != NULL)
            return NULL;
        found = key;
    }
    return found;
}

static enum jwt_fault check_header(const struct verify_jwt *job, const struct parts *parts)
{
    const char *name = json_string_value(json_object_get(parts->header, "alg"));
    uint32_t alg = name == NULL ? 0 : verify_alg_of(name);
    if (alg == 0)
        return JWT_FAULT_ALG;
    if (json_object_get(parts->header, "crit") != NULL ||
        !is_type(json_object_get(parts->header, "typ")))
        return JWT_FAULT_TYPE;
    const struct verify_key *key = find_key(job, parts->header, alg);
    if (key == NULL)
        return JWT_FAULT_KEY;
    struct slice signature = slice_of(parts->signature, parts->signature_len);
    bool is_signed =
        verify_signature(alg, slice_of(key->spki, key->spki_len), parts->signed_text, signature);
    return is_signed ? JWT_FAULT_OK : JWT_FAULT_SIGNATURE;
}

static bool is_audience(const struct verify_jwt *job, const json_t *name)
{
    for (uint32_t i = 0; json_is_string(name) && i < job->n_audiences; i++) {
        if (strcmp(json_string_value(name), job->audiences[i]) == 0)
            return true;
    }
    return false;
}

/* `aud` is a name or a list of names (RFC 7519, section 4.1.3); one of ours is enough. */
static bool is_for_us(const struct verify_jwt *job, const json_t *aud)
{
    for (size_t i = 0; i < json_array_size(aud); i++) {
        if (is_audience(job, json_array_get(aud, i)))
            return true;
    }
    return job->n_audiences == 0 || is_audience(job, aud);
}

/* Seconds as 32 bits; what does not fit is the nearest that does, fractions go. */
static bool read_time(const json_t *json, uint32_t *ret)
{
    if (!json_is_number(json))
        return false;
    double seconds = json_number_value(json);
    *ret = seconds <= 0 ? 0 : seconds >= UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
    return true;
}

static enum jwt_fault check_claims(const struct verify_jwt *job, const json_t *claims,
                                   uint32_t *ret_from_s, uint32_t *ret_to_s)
{
    const char *issuer = json_string_value(json_object_get(claims, "iss"));
    const json_t *not_before = json_object_get(claims, "nbf");
    uint32_t from_s = 0, to_s;
    if (issuer == NULL || strcmp(issuer, job->issuer) != 0)
        return JWT_FAULT_ISSUER;
    if (!is_for_us(job, json_object_get(claims, "aud")))
        return JWT_FAULT_AUDIENCE;
    if (!read_time(json_object_get(claims, "exp"), &to_s) ||
        (not_before != NULL && !read_time(not_before, &from_s)))
        return JWT_FAULT_TIME;
    *ret_from_s = from_s;
    *ret_to_s = to_s;
    return JWT_FAULT_OK;
}

enum jwt_fault verify_jwt(const struct verify_jwt *job, uint32_t *ret_from_s, uint32_t *ret_to_s)
{
    struct parts parts = {0};
    enum jwt_fault fault = read_parts(job, &parts);
    if (fault == JWT_FAULT_OK)
        fault = check_header(job, &parts);
    if (fault == JWT_FAULT_OK)
        fault = check_claims(job, parts.claims, ret_from_s, ret_to_s);
    json_decref(parts.header);
    json_decref(parts.claims);
    return fault;
}
