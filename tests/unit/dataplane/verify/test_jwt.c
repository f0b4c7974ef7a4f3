/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens signed here by each algorithm, and each way in which one is not good. */
#include "base/container.h"
#include "base/slice.h"
#include "unit.h"
#include "verify/verify_jwt.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#define ISS "\"iss\":\"https://issuer\""
#define GOOD "{" ISS ",\"aud\":\"api\",\"exp\":2000,\"nbf\":1000}"

enum key_name { K_RSA, P256, P384, ED, OTHER, KEYS };

static EVP_PKEY *keys[KEYS];
static struct verify_jwt job;

static EVP_PKEY *key_of(enum key_name name)
{
    if (keys[name] == NULL) {
        keys[name] = name == K_RSA  ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)
                     : name == P384 ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384")
                     : name == ED   ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                    : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    }
    return keys[name];
}

static void add_key(const char *kid, enum key_name name, uint32_t algs)
{
    struct verify_key *key = &job.keys[job.n_keys++];
    uint8_t *at = key->spki;
    *key = (struct verify_key){.algs = algs};
    snprintf(key->kid, sizeof(key->kid), "%s", kid);
    key->spki_len = (uint32_t)i2d_PUBKEY(key_of(name), &at);
}

static void begin(void)
{
    memset(&job, 0, sizeof(job));
    snprintf(job.issuer, sizeof(job.issuer), "https://issuer");
    snprintf(job.audiences[0], sizeof(job.audiences[0]), "web");
    snprintf(job.audiences[1], sizeof(job.audiences[1]), "api");
    job.n_audiences = 2;
    add_key("r", K_RSA, IMAGE_JWT_ALGS_RSA);
    add_key("p", P256, IMAGE_JWT_ES256);
    add_key("q", P384, IMAGE_JWT_ES384);
    add_key("e", ED, IMAGE_JWT_EDDSA);
}

static void add_base64(const void *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const uint8_t *p = bytes;
    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = (uint32_t)p[i] << 16 | (i + 1 < len ? (uint32_t)p[i + 1] << 8 : 0) |
                        (i + 2 < len ? p[i + 2] : 0);
        for (unsigned k = 0; k < 4 && i + k <= len; k++)
            job.token[job.token_len++] = digits[bits >> (18 - 6 * k) & 63];
    }
}

static void put_text(const char *header, const char *claims)
{
    job.token_len = 0;
    add_base64(header, strlen(header));
    job.token[job.token_len++] = '.';
    add_base64(claims, strlen(claims));
}

static size_t sign(enum key_name name, const char *digest, bool is_pss, uint8_t *ret, size_t cap)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_ctx;
    size_t len = cap;
    REQUIRE(EVP_DigestSignInit_ex(ctx, &key_ctx, digest, NULL, NULL, key_of(name), NULL) == 1);
    if (is_pss) {
        EVP_PKEY_CTX_set_rsa_padding(key_ctx, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(key_ctx, RSA_PSS_SALTLEN_DIGEST);
    }
    REQUIRE(EVP_DigestSign(ctx, ret, &len, (uint8_t *)job.token, job.token_len) == 1);
    EVP_MD_CTX_free(ctx);
    return len;
}

/* DER's two numbers, one after the other. */
static size_t flatten(uint8_t *bytes, size_t len, int half)
{
    const uint8_t *at = bytes;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)len);
    REQUIRE(sig != NULL);
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), bytes, half);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), bytes + half, half);
    ECDSA_SIG_free(sig);
    return 2 * (size_t)half;
}

static enum jwt_fault judge(void)
{
    uint32_t from_s = 7, to_s = 7;
    enum jwt_fault fault = verify_jwt(&job, &from_s, &to_s);
    CHECK(fault == JWT_FAULT_OK || (from_s == 7 && to_s == 7));
    return fault;
}

/* A token signed by P-256, unless its header says otherwise. */
static enum jwt_fault judge_signed(const char *header, const char *claims, enum key_name name,
                                   const char *digest, bool is_pss)
{
    uint8_t signature[600];
    put_text(header, claims);
    size_t len = sign(name, digest, is_pss, signature, sizeof(signature));
    if (name == P256 || name == P384 || name == OTHER)
        len = flatten(signature, len, name == P384 ? 48 : 32);
    job.token[job.token_len++] = '.';
    add_base64(signature, len);
    return judge();
}

static enum jwt_fault judge_claims(const char *claims)
{
    return judge_signed("{\"alg\":\"ES256\",\"kid\":\"p\"}", claims, P256, "SHA256", false);
}

static enum jwt_fault judge_header(const char *header)
{
    return judge_signed(header, GOOD, P256, "SHA256", false);
}

TEST(each_algorithm_is_good_by_its_key_and_by_no_other)
{
    static const struct {
        const char *alg, *kid;
        enum key_name key;
        const char *digest;
        bool is_pss;
    } rows[] = {
        {"RS256", "r", K_RSA, "SHA256", false}, {"RS384", "r", K_RSA, "SHA384", false},
        {"RS512", "r", K_RSA, "SHA512", false}, {"PS256", "r", K_RSA, "SHA256", true},
        {"ES256", "p", P256, "SHA256", false},  {"ES384", "q", P384, "SHA384", false},
        {"EdDSA", "e", ED, NULL, false},
    };
    begin();
    for (size_t i = 0; i < array_len(rows); i++) {
        for (size_t k = 0; k < array_len(rows); k++) {
            char header[64], nameless[64];
            snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"%s\"}", rows[i].alg,
                     rows[k].kid);
            snprintf(nameless, sizeof(nameless), "{\"alg\":\"%s\"}", rows[i].alg);
            bool is_key = strcmp(rows[i].kid, rows[k].kid) == 0;
            CHECK_EQ(judge_signed(header, GOOD, rows[i].key, rows[i].digest, rows[i].is_pss),
                     is_key ? JWT_FAULT_OK : JWT_FAULT_KEY);
            CHECK_EQ(judge_signed(nameless, GOOD, rows[k].key, rows[k].digest, rows[k].is_pss),
                     i == k ? JWT_FAULT_OK : JWT_FAULT_SIGNATURE);
        }
    }
}

TEST(a_key_that_has_one_algorithm_signs_by_no_other)
{
    begin();
    job.keys[0].algs = IMAGE_JWT_PS256;
    CHECK_EQ(judge_signed("{\"alg\":\"RS256\",\"kid\":\"r\"}", GOOD, K_RSA, "SHA256", false),
             JWT_FAULT_KEY);
    CHECK_EQ(judge_signed("{\"alg\":\"PS256\",\"kid\":\"r\"}", GOOD, K_RSA, "SHA256", true),
             JWT_FAULT_OK);
    job.keys[1].algs = IMAGE_JWT_RS256; /* a lie of the image's: the key is of a curve */
    CHECK_EQ(judge_signed("{\"alg\":\"RS256\",\"kid\":\"p\"}", GOOD, K_RSA, "SHA256", false),
             JWT_FAULT_SIGNATURE);
    job.keys[2].algs = IMAGE_JWT_ES256; /* another: of another curve */
    CHECK_EQ(judge_signed("{\"alg\":\"ES256\",\"kid\":\"q\"}", GOOD, P256, "SHA256", false),
             JWT_FAULT_SIGNATURE);
    job.keys[3].spki_len--;
    CHECK_EQ(judge_signed("{\"alg\":\"EdDSA\"}", GOOD, ED, NULL, false), JWT_FAULT_SIGNATURE);
}

TEST(nobody_signs_by_none_or_by_what_everybody_knows)
{
    static const char *const algs[] = {"none", "None", "", "HS256", "HS512", "ES512", "es256"};
    char header[64];
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    begin();
    for (size_t i = 0; i < array_len(algs); i++) {
        snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"p\"}", algs[i]);
        CHECK_EQ(judge_header(header), JWT_FAULT_ALG);
        put_text(header, GOOD);
        HMAC(EVP_sha256(), job.keys[1].spki, (int)job.keys[1].spki_len, (uint8_t *)job.token,
             job.token_len, mac, &len);
        job.token[job.token_len++] = '.';
        add_base64(mac, len);
        CHECK_EQ(judge(), JWT_FAULT_ALG);
        put_text(header, GOOD);
        job.token[job.token_len++] = '.';
        CHECK_EQ(judge(), JWT_FAULT_ALG);
    }
    CHECK_EQ(judge_header("{\"alg\":[\"ES256\"],\"kid\":\"p\"}"), JWT_FAULT_ALG);
    CHECK_EQ(judge_header("{\"kid\":\"p\"}"), JWT_FAULT_ALG);
}

TEST(a_header_names_a_key_that_is_there_and_nothing_that_we_do_not_know)
{
    begin();
    CHECK_EQ(judge_header("{\"alg\":\"ES256\",\"kid\":\"x\"}"), JWT_FAULT_KEY);
    CHECK_EQ(judge_header("{\"alg\":\"ES256\",\"kid\":\"\"}"), JWT_FAULT_KEY);
    CHECK_EQ(judge_header("{\"alg\":\"ES256\",\"kid\":1}"), JWT_FAULT_KEY);
    CHECK_EQ(judge_header("{\"alg\":\"ES256\",\"typ\":\"JWT\"}"), JWT_FAULT_OK);
    CHECK_EQ(judge_header("{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}"), JWT_FAULT_OK);
    CHECK_EQ(judge_header("{\"alg\":\"ES256\",\"typ\":\"application/at+JWT\"}"), JWT_FAULT_OK);
    CHECK_EQ(judge_header("{\"alg\":\"ES256\",\"typ\":\"secevent+jwt\"}"), JWT_FAULT_TYPE);
    CHECK_EQ(judge_header("{\"alg\":\"ES256\",\"typ\":3}"), JWT_FAULT_TYPE);
    CHECK_EQ(judge_header("{\"alg\":\"ES256\",\"crit\":[\"b64\"]}"), JWT_FAULT_TYPE);
    CHECK_EQ(judge_header("{\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\"}}"), JWT_FAULT_OK);
    CHECK_EQ(judge_signed("{\"alg\":\"ES256\",\"kid\":\"p\"}", GOOD, OTHER, "SHA256", false),
             JWT_FAULT_SIGNATURE);
    add_key("", OTHER, IMAGE_JWT_ES256); /* now two could be meant */
    CHECK_EQ(judge_header("{\"alg\":\"ES256\"}"), JWT_FAULT_KEY);
    CHECK_EQ(judge_header("{\"alg\":\"ES256\",\"kid\":\"\"}"), JWT_FAULT_KEY);
}

TEST(claims_are_of_our_issuer_for_us_and_have_an_end)
{
    begin();
    CHECK_EQ(judge_claims(GOOD), JWT_FAULT_OK);
    CHECK_EQ(judge_claims("{\"iss\":\"https://issue\",\"aud\":\"api\",\"exp\":2000}"),
             JWT_FAULT_ISSUER);
    CHECK_EQ(judge_claims("{\"aud\":\"api\",\"exp\":2000}"), JWT_FAULT_ISSUER);
    CHECK_EQ(judge_claims("{\"iss\":[\"https://issuer\"],\"aud\":\"api\",\"exp\":2000}"),
             JWT_FAULT_ISSUER);
    CHECK_EQ(judge_claims("{" ISS ",\"aud\":[\"x\",1,\"web\"],\"exp\":2000}"), JWT_FAULT_OK);
    CHECK_EQ(judge_claims("{" ISS ",\"aud\":[\"x\"],\"exp\":2000}"), JWT_FAULT_AUDIENCE);
    CHECK_EQ(judge_claims("{" ISS ",\"aud\":\"apis\",\"exp\":2000}"), JWT_FAULT_AUDIENCE);
    CHECK_EQ(judge_claims("{" ISS ",\"aud\":{\"a\":\"api\"},\"exp\":2000}"), JWT_FAULT_AUDIENCE);
    CHECK_EQ(judge_claims("{" ISS ",\"exp\":2000}"), JWT_FAULT_AUDIENCE);
    CHECK_EQ(judge_claims("{" ISS ",\"aud\":\"api\"}"), JWT_FAULT_TIME);
    CHECK_EQ(judge_claims("{" ISS ",\"aud\":\"api\",\"exp\":\"2000\"}"), JWT_FAULT_TIME);
    CHECK_EQ(judge_claims("{" ISS ",\"aud\":\"api\",\"exp\":2000,\"nbf\":null}"), JWT_FAULT_TIME);
    job.n_audiences = 0;
    CHECK_EQ(judge_claims("{" ISS ",\"exp\":2000}"), JWT_FAULT_OK);
}

TEST(times_are_told_as_far_as_they_fit)
{
    static const struct {
        const char *claims;
        uint32_t from_s, to_s;
    } rows[] = {
        {GOOD, 1000, 2000},
        {"{" ISS ",\"aud\":\"api\",\"exp\":2000.9}", 0, 2000},
        {"{" ISS ",\"aud\":\"api\",\"exp\":-1,\"nbf\":1e300}", UINT32_MAX, 0},
        {"{" ISS ",\"aud\":\"api\",\"exp\":9999999999,\"nbf\":-5.5}", 0, UINT32_MAX},
    };
    begin();
    for (size_t i = 0; i < array_len(rows); i++) {
        uint32_t from_s, to_s;
        REQUIRE(judge_claims(rows[i].claims) == JWT_FAULT_OK);
        REQUIRE(verify_jwt(&job, &from_s, &to_s) == JWT_FAULT_OK);
        CHECK_EQ(from_s, rows[i].from_s);
        CHECK_EQ(to_s, rows[i].to_s);
    }
}

TEST(what_is_no_object_or_has_a_name_twice_is_no_token)
{
    begin();
    CHECK_EQ(judge_header("[]"), JWT_FAULT_JSON);
    CHECK_EQ(judge_header(""), JWT_FAULT_JSON);
    CHECK_EQ(judge_header("{\"alg\":\"ES256\",\"alg\":\"ES256\"}"), JWT_FAULT_JSON);
    CHECK_EQ(judge_header("{\"alg\":\"ES256\"} x"), JWT_FAULT_JSON);
    CHECK_EQ(judge_claims("1"), JWT_FAULT_JSON);
    CHECK_EQ(judge_claims("{" ISS "," ISS ",\"aud\":\"api\",\"exp\":2000}"), JWT_FAULT_JSON);
    CHECK_EQ(judge_claims("{\"iss\":\"https://issuer\\u0000\",\"aud\":\"api\",\"exp\":2000}"),
             JWT_FAULT_JSON);
    CHECK_EQ(judge_claims("{\"iss\":\"\xff\"}"), JWT_FAULT_JSON);
}

TEST(a_token_that_was_changed_or_cut_anywhere_is_none)
{
    begin();
    REQUIRE(judge_claims(GOOD) == JWT_FAULT_OK);
    struct verify_jwt whole = job;
    for (uint32_t len = 0; len < whole.token_len; len++) {
        job.token_len = len;
        CHECK(judge() != JWT_FAULT_OK);
    }
    for (uint32_t i = 0; i < whole.token_len; i++) {
        static const char others[] = {'.', '=', '+', ' ', '\0', 'A'};
        for (size_t k = 0; k < sizeof(others); k++) {
            job = whole;
            job.token[i] = others[k];
            CHECK(others[k] == whole.token[i] || judge() != JWT_FAULT_OK);
        }
    }
    job = whole;
    job.token[job.token_len++] = '.'; /* a fourth part */
    CHECK_EQ(judge(), JWT_FAULT_PARTS);
    job.token_len = 0;
    memset(job.token, '.', sizeof(job.token));
    job.token_len = sizeof(job.token);
    CHECK_EQ(judge(), JWT_FAULT_PARTS);
    memset(job.token, 'W', sizeof(job.token)); /* "[[[..." would be deep */
    CHECK_EQ(judge(), JWT_FAULT_PARTS);
}

TEST(deep_objects_are_refused)
{
    static char claims[2800];
    begin();
    memset(claims, '[', sizeof(claims) - 1);
    memcpy(claims, "{\"a\":", 5);
    CHECK_EQ(judge_claims(claims), JWT_FAULT_JSON);
}

TEST(without_keys_nobody_is_known)
{
    begin();
    job.n_keys = 0;
    CHECK_EQ(judge_claims(GOOD), JWT_FAULT_KEY);
}

UNIT_MAIN("verify/jwt", T(each_algorithm_is_good_by_its_key_and_by_no_other),
          T(a_key_that_has_one_algorithm_signs_by_no_other),
          T(nobody_signs_by_none_or_by_what_everybody_knows),
          T(a_header_names_a_key_that_is_there_and_nothing_that_we_do_not_know),
          T(claims_are_of_our_issuer_for_us_and_have_an_end), T(times_are_told_as_far_as_they_fit),
          T(what_is_no_object_or_has_a_name_twice_is_no_token),
          T(a_token_that_was_changed_or_cut_anywhere_is_none), T(deep_objects_are_refused),
          T(without_keys_nobody_is_known))
