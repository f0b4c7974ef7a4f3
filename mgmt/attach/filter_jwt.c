/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tokens of an AccessPolicy: who signs them by which keys, a JWK Set (RFC 7517) in the policy
 * itself or in a ConfigMap. Keys are public, so a ConfigMap is right, and what is wrong with one
 * may be told. One that cannot be used is never left out in silence: its tokens would be refused,
 * and nobody would know why.
 */
#include "attach/attach_priv.h"
#include "attach/jwk.h"

#include "model/text.h"

#include "base/assert.h"
#include "tls/digest.h"

#include <string.h>

#define DEFAULT_REALM "restricted" /* as of a password */
#define DEFAULT_KEY "jwks.json"

/* The policy's name, issuer, and all audiences and keys in their order. Each part has its length
 * before it, so that no two have the same bytes. */
#define PARTS_MAX (2u * (4u + IMAGE_JWT_AUDIENCES_MAX + 3u * IMAGE_JWT_KEYS_MAX))

struct digest_parts {
    uint32_t lengths[PARTS_MAX];
    struct slice parts[PARTS_MAX];
    unsigned n;
};

static void add_part(struct digest_parts *d, struct slice part)
{
    ASSERT(d->n + 2 <= PARTS_MAX);
    uint32_t *len = &d->lengths[d->n];
    *len = (uint32_t)part.len;
    d->parts[d->n++] = slice_of(len, sizeof(*len));
    d->parts[d->n++] = part;
}

static void derive_id(const char *policy, struct plan_jwt *jwt)
{
    uint8_t digest[DIGEST_BYTES];
    struct digest_parts d = {.n = 0};
    add_part(&d, slice_of_str("sluice tokens"));
    add_part(&d, slice_of_str(policy));
    add_part(&d, slice_of_str(jwt->issuer));
    add_part(&d, slice_of(&jwt->n_audiences, sizeof(jwt->n_audiences)));
    for (uint32_t i = 0; i < jwt->n_audiences; i++) {
        add_part(&d, slice_of_str(jwt->audiences[i]));
    }
    for (uint32_t i = 0; i < jwt->n_keys; i++) {
        const struct plan_jwt_key *key = &jwt->keys[i];
        add_part(&d, slice_of_str(key->kid != NULL ? key->kid : ""));
        add_part(&d, slice_of(&key->algs, sizeof(key->algs)));
        add_part(&d, key->spki);
    }
    bool is_done = digest_sha256(d.parts, d.n, digest);
    ASSERT(is_done);
    memcpy(jwt->id, digest, sizeof(jwt->id));
}

/* Is a key of that name there already, so that a token could not say which? */
static bool is_known(const struct plan_jwt_key *keys, uint32_t n, const char *kid)
{
    for (uint32_t i = 0; kid != NULL && i < n; i++) {
        if (keys[i].kid != NULL && strcmp(keys[i].kid, kid) == 0) {
            return true;
        }
    }
    return false;
}

static const char *read_keys(struct attach *a, const json_t *list, struct plan_jwt *ret)
{
    struct plan_jwt_key *keys = ARENA_ARRAY(a->arena, struct plan_jwt_key, IMAGE_JWT_KEYS_MAX);
    uint32_t n = 0;
    size_t i;
    const json_t *json;
    json_array_foreach(list, i, json)
    {
        struct jwk jwk = {0};
        if (jwk_is_for_others(json)) {
            continue;
        }
        if (n == IMAGE_JWT_KEYS_MAX) {
            return arena_printf(a->arena, "has more than %u keys", IMAGE_JWT_KEYS_MAX);
        }
        const char *why = jwk_read(json, &jwk);
        if (why == NULL && is_known(keys, n, jwk.kid)) {
            why = "has the kid of another";
        }
        if (why != NULL) {
            return arena_printf(a->arena, "keys[%zu] %s", i, why);
        }
        uint8_t *spki = arena_alloc(a->arena, 1, jwk.spki_len);
        memcpy(spki, jwk.spki, jwk.spki_len);
        keys[n++] =
            (struct plan_jwt_key){.kid = jwk.kid != NULL ? arena_strdup(a->arena, jwk.kid) : NULL,
                                  .spki = slice_of(spki, jwk.spki_len),
                                  .algs = jwk.algs};
    }
    ret->keys = keys;
    ret->n_keys = n;
    return n > 0 ? NULL : "has no keys for signatures";
}

static const char *read_set(struct attach *a, const char *text, struct plan_jwt *ret)
{
    json_error_t error;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    const char *why = json == NULL ? arena_printf(a->arena, "is no JSON (line %d)", error.line)
                                   : read_keys(a, json_object_get(json, "keys"), ret);
    json_decref(json);
    return why;
}

/* The set's text and, in words, where it stands; NULL: *ret_why. */
static const char *find_set(struct attach *a, const char *namespace, const json_t *jwks,
                            const char **ret_where, const char **ret_why)
{
    const json_t *ref = json_object_get(jwks, "configMapRef");
    const char *key = text_at(ref, "key");
    if (ref == NULL) {
        *ret_where = "spec.jwt.jwks.inline:";
        return text_at(jwks, "inline");
    }
    key = key[0] != '\0' ? key : DEFAULT_KEY;
    *ret_where = arena_printf(a->arena, "spec.jwt.jwks.configMapRef: ConfigMap %s/%s", namespace,
                              text_at(ref, "name"));
    const json_t *obj = find_object(a, MODEL_CONFIG_MAP, namespace, text_at(ref, "name"));
    if (obj == NULL || is_going(obj)) {
        *ret_why = "does not exist";
        return NULL;
    }
    const char *text = json_string_value(json_object_get(json_object_get(obj, "data"), key));
    if (text == NULL) {
        *ret_why = arena_printf(a->arena, "has no key %s", key);
    }
    return text;
}

const char *jwt_read(struct attach *a, const char *namespace, const json_t *json,
                     struct at_access *ret)
{
    const char *realm = text_at(json, "realm"), *where = NULL, *why = NULL;
    const json_t *audiences = json_object_get(json, "audiences");
    struct plan_jwt *jwt = ARENA_NEW(a->arena, struct plan_jwt);
    jwt->realm = realm[0] != '\0' ? realm : DEFAULT_REALM;
    jwt->issuer = text_at(json, "issuer");
    jwt->hides_authorization = json_is_false(json_object_get(json, "forwardAuthorization"));
    jwt->n_audiences = (uint32_t)json_array_size(audiences);
    ASSERT(jwt->n_audiences <= IMAGE_JWT_AUDIENCES_MAX); /* the schema's bound, too */
    jwt->audiences = ARENA_ARRAY(a->arena, const char *, jwt->n_audiences);
    for (uint32_t i = 0; i < jwt->n_audiences; i++) {
        jwt->audiences[i] = json_string_value(json_array_get(audiences, i));
    }
    ret->plan.jwt = jwt;
    const char *text = find_set(a, namespace, json_object_get(json, "jwks"), &where, &why);
    ret->is_unresolved = text == NULL;
    if (text != NULL) {
        why = read_set(a, text, jwt);
        derive_id(ret->plan.name, jwt);
    }
    return why == NULL ? NULL : arena_printf(a->arena, "has %s %s", where, why);
}
