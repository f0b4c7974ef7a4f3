/* SPDX-License-Identifier: Apache-2.0 */
/* See jwk.h. A key that tells its private half is refused: who wrote it there has lost it. */
#include "attach/jwk.h"

#include "model/text.h"

#include "abi/image.h"
#include "base/base64.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <string.h>

#define NUMBER_BYTES_MAX 512u /* RSA of 4096 bits */
#define RSA_BITS_MIN 2048     /* RFC 7518, section 3.3 */

static const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text != NULL ? text : "";
}

/* A member's bytes. False: it is none, or too long. */
static bool bytes_of(const json_t *json, const char *name, uint8_t ret[NUMBER_BYTES_MAX],
                     size_t *ret_len)
{
    return base64url_decode(slice_of_str(text_of(json, name)), ret, NUMBER_BYTES_MAX, ret_len) &&
           *ret_len > 0;
}

/* The key of these parameters, which are freed; NULL: there is none. */
static EVP_PKEY *make_key(const char *type, OSSL_PARAM_BLD *build)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        key = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return key;
}

static EVP_PKEY *read_rsa(const json_t *json)
{
    uint8_t modulus[NUMBER_BYTES_MAX], exponent[NUMBER_BYTES_MAX];
    size_t n_len = 0, e_len = 0;
    if (!bytes_of(json, "n", modulus, &n_len) || !bytes_of(json, "e", exponent, &e_len)) {
        return NULL;
    }
    EVP_PKEY *key = NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *n = BN_bin2bn(modulus, (int)n_len, NULL);
    BIGNUM *e = BN_bin2bn(exponent, (int)e_len, NULL);
    if (build != NULL && n != NULL && e != NULL && BN_is_odd(n) && BN_is_odd(e) && !BN_is_one(e) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1) {
        key = make_key("RSA", build);
    }
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    return key;
}

/* A point of a curve whose numbers have so many bytes. OpenSSL looks whether it is on the curve. */
static EVP_PKEY *read_ec(const json_t *json, const char *curve, size_t bytes)
{
    uint8_t x[NUMBER_BYTES_MAX], y[NUMBER_BYTES_MAX], point[1 + 2 * 48];
    size_t x_len = 0, y_len = 0;
    if (!bytes_of(json, "x", x, &x_len) || !bytes_of(json, "y", y, &y_len) || x_len != bytes ||
        y_len != bytes) {
        return NULL;
    }
    point[0] = 4; /* both numbers follow (SEC 1, section 2.3.3) */
    memcpy(point + 1, x, bytes);
    memcpy(point + 1 + bytes, y, bytes);
    EVP_PKEY *key = NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    if (build != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curve, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * bytes) ==
            1) {
        key = make_key("EC", build);
    }
    OSSL_PARAM_BLD_free(build);
    return key;
}

static EVP_PKEY *read_ed25519(const json_t *json)
{
    uint8_t x[NUMBER_BYTES_MAX];
    size_t len = 0;
    return bytes_of(json, "x", x, &len)
               ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, len)
               : NULL;
}

static const struct kind {
    const char *kty;
    const char *crv; /* "": it has none */
    uint32_t algs;
} kinds[] = {
    {"RSA", "", IMAGE_JWT_ALGS_RSA},
    {"EC", "P-256", IMAGE_JWT_ES256},
    {"EC", "P-384", IMAGE_JWT_ES384},
    {"OKP", "Ed25519", IMAGE_JWT_EDDSA},
};

static const struct kind *kind_of(const json_t *json)
{
    const char *kty = text_of(json, "kty"), *crv = text_of(json, "crv");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kty, kinds[i].kty) == 0 && strcmp(crv, kinds[i].crv) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

static EVP_PKEY *read_key(const json_t *json, const struct kind *kind)
{
    switch (kind->algs) {
    case IMAGE_JWT_ES256:
        return read_ec(json, kind->crv, 32);
    case IMAGE_JWT_ES384:
        return read_ec(json, kind->crv, 48);
    case IMAGE_JWT_EDDSA:
        return read_ed25519(json);
    default:
        return read_rsa(json);
    }
}

/* Those that it signs by; 0: none that is supported. */
static uint32_t algs_of(const json_t *json, const struct kind *kind)
{
    static const struct {
        const char *name;
        uint32_t alg;
    } names[] = {{"RS256", IMAGE_JWT_RS256}, {"RS384", IMAGE_JWT_RS384}, {"RS512", IMAGE_JWT_RS512},
                 {"PS256", IMAGE_JWT_PS256}, {"ES256", IMAGE_JWT_ES256}, {"ES384", IMAGE_JWT_ES384},
                 {"EdDSA", IMAGE_JWT_EDDSA}};
    uint32_t algs = json_object_get(json, "alg") == NULL ? kind->algs : 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text_of(json, "alg"), names[i].name) == 0) {
            algs = kind->algs & names[i].alg;
        }
    }
    return algs;
}

static bool has_private_parts(const json_t *json)
{
    static const char *const secrets[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        if (json_object_get(json, secrets[i]) != NULL) {
            return true;
        }
    }
    return false;
}

bool jwk_is_for_others(const json_t *json)
{
    const char *use = text_of(json, "use");
    bool is_typed = text_of(json, "kty")[0] != '\0';
    return is_typed && !has_private_parts(json) &&
           ((use[0] != '\0' && strcmp(use, "sig") != 0) || kind_of(json) == NULL);
}

/* As what else it says allows; NULL, or what does not. */
static const char *check_use(const json_t *json)
{
    const char *use = text_of(json, "use");
    if (has_private_parts(json)) {
        return "has private parts: it has to be public only, and this one is lost";
    }
    if (json_object_get(json, "use") != NULL && strcmp(use, "sig") != 0) {
        return "is not for signatures (use is not sig)";
    }
    return NULL;
}

static const char *write_key(EVP_PKEY *key, const struct kind *kind, struct jwk *ret)
{
    uint8_t *at = ret->spki;
    if (key == NULL) {
        return "is no public key of its kty";
    }
    if (kind->algs == IMAGE_JWT_ALGS_RSA && EVP_PKEY_get_bits(key) < RSA_BITS_MIN) {
        return "is of RSA with less than 2048 bits";
    }
    int len = i2d_PUBKEY(key, NULL);
    if (len <= 0 || (uint32_t)len > IMAGE_JWT_KEY_BYTES_MAX) {
        return "is of RSA with more than 4096 bits or a long exponent";
    }
    ret->spki_len = (uint32_t)i2d_PUBKEY(key, &at);
    return NULL;
}

const char *jwk_read(const json_t *json, struct jwk *ret)
{
    const json_t *kid = json_object_get(json, "kid");
    const struct kind *kind = kind_of(json);
    const char *why = check_use(json);
    if (why != NULL) {
        return why;
    }
    if (kind == NULL) {
        return "is neither of RSA nor of P-256, P-384 or Ed25519";
    }
    ret->algs = algs_of(json, kind);
    if (ret->algs == 0) {
        return "has an alg that is not supported, or not of its kty";
    }
    ret->kid = json_string_value(kid);
    if (kid != NULL &&
        (ret->kid == NULL || ret->kid[0] == '\0' || !image_is_jwt_kid(slice_of_str(ret->kid)))) {
        return "has no kid of 1 to 128 characters";
    }
    EVP_PKEY *key = read_key(json, kind);
    why = write_key(key, kind, ret);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return why;
}
