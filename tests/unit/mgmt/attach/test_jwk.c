/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of JWK Sets: which can be used, and what is said of those that cannot. */
#include "attach/jwk.h"
#include "base/container.h"
#include "unit.h"

#include <string.h>

/* clang-format off */
#define N1024 \
    "4YRsZDOHRlx5RUJ5GA1F0RrmLHcwT6B3p9sS-4cXLDMw_HhTTmIZev0l27vX7XPtsKe3oR" \
    "xA7ok3UuafRHwBpaMrhYIZiO9N8hjVVONvFWCahexgmmwdZWlla-q_Nsicwy7mLp4haz2r" \
    "UtB6RthiJ6N3ZGyVbdD7qNjEgdJ1wR0"
#define N2048 \
    "lV1GbVXsqZmT-3qwCGM5hEyQwfd_vDZdflHaivAFCSkGmbOb-vbOWq8Nh1xDmdgonlbhI9" \
    "dFiz_N35uvat_DzkgDRYAgXcjfuV92-h4d473vkwFao2lAoaemAcanI2_REcHnjdvn5a-L" \
    "ay5cc50f5xLVpjlXfGofoK_tNJPY7nQQnd7pc83U3-ubOkaePfBN3QxlXW9PJ_VQ2RJ1Wq" \
    "WotuJvNyZHItO1Egzr-D3IyP8N0QoBf4DPEFFSmpvJPD0J_xwcOFTgDt9d4KTE5p8QvIre" \
    "TyUIaQGnEHuYU1-RYHepZsqxkXStHyObajr4TY3SreijBpKgXgCkle0XrRXcpQ"
#define N4096 \
    "xmapFeu962PN5SBrghbD_wLYtoPzxSCUy26gSc7PWfPz58reTCT0CLlR9Xs67lP0SEVKLn" \
    "VSsT60XqEjR9ZE3aGf4boN3pUSHb1Edaw4TmStiLwSiJWcRKJCK_kVFsAtTPluJCJAC3cY" \
    "joQNhiYiBMqWTtubeSoM6BSobZYNzQ7mcPNiKUh7f70lHcQgdk-TqvmROjYL1rKGirHSl_" \
    "Wts9jNZ_Xb-Pm35djIT42mApLxZMufAh0FOncjfuC32MV_MmpMo9Gru_mvAyZTSVF31u2G" \
    "o9bUl3yQ9PsnNtoYKXF5FD2DH-WS1z-lYAXNurwLiNeo5niyxCU2mCSuRTt3Br6WlIOm7n" \
    "AF6ZSIH66IVreeM4lGpf0yBa4-YgNOpTJTMVIwVjj0zHIvPmBgHonVwHIwU1mFPzoclDzv" \
    "xDT9Pp9QutsgiDGYBLEF7eIH8lVOUkTjcuYPR93rIQkHTXh8JuGXR5R4ABWNTJ9s_4sHgu" \
    "t6eUKCl6eqXY1QLN4qZxzk6MRrk7Gy4iYVgJSmuohgGdT7hpcRCtPhFKnpTUOipNZXP_nd" \
    "8B_5Fim861gEnZRLEc_eticmKUbDv018aNdKaB93RZ5uoHbJ0X_Mn2AvlPVYVA4yAyzCnI" \
    "k5hYjQhT3vyNK_EWxZIDYeeNmoC4cjHAXw3fwCZjGNJnZ_qHCOQtU"
/* clang-format on */
#define X384 "d7dHZNwnqoEerfn0N1WbIkKtR4L2gHUU5j-Jrb4NSGc2DIwg4Gcm3Lg6jvVp3mP8"
#define Y384 "JOSY6yEQC49JWrRZSZvJ9_X864ArCeL54892t1kAD1L92XRGL_qwBBAD4NAvqbMF"
#define X256 "rjiB3BK0rB-_ykoZDkqPEIhT8CuSX9LIKng2KCir_wA"
#define Y256 "3qq8feTcoY3F5nHD-oGuPZ2Kg1TtVxO7O9VlxiMayzI"
#define X25519 "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" /* RFC 8037, appendix A.2 */

#define KEY(text) "{" text "}"
#define KTY(kty) "\"kty\":\"" kty "\""
#define MEMBER(name, value) ",\"" name "\":\"" value "\""
#define RSA(n) KTY("RSA") MEMBER("n", n) MEMBER("e", "AQAB")
#define EC(crv, x, y) KTY("EC") MEMBER("crv", crv) MEMBER("x", x) MEMBER("y", y)
#define P256 EC("P-256", X256, Y256)
#define ED KTY("OKP") MEMBER("crv", "Ed25519") MEMBER("x", X25519)

static const char *read(const char *text, struct jwk *ret)
{
    json_t *json = json_loads(text, 0, NULL);
    REQUIRE(json != NULL);
    memset(ret, 0, sizeof(*ret));
    const char *why = jwk_read(json, ret);
    ret->kid = ret->kid != NULL ? "there" : NULL; /* it goes with the JSON */
    json_decref(json);
    return why;
}

TEST(keys_of_each_kind_sign_by_what_they_can_or_say)
{
    static const struct {
        const char *text;
        uint32_t algs, spki_len;
    } rows[] = {
        {KEY(RSA(N2048)), IMAGE_JWT_ALGS_RSA, 294},
        {KEY(RSA(N4096)), IMAGE_JWT_ALGS_RSA, 550},
        {KEY(RSA(N2048) MEMBER("alg", "RS384")), IMAGE_JWT_RS384, 294},
        {KEY(RSA(N2048) MEMBER("alg", "PS256") MEMBER("use", "sig")), IMAGE_JWT_PS256, 294},
        {KEY(P256), IMAGE_JWT_ES256, 91},
        {KEY(P256 MEMBER("alg", "ES256") MEMBER("x5t", "abc")), IMAGE_JWT_ES256, 91},
        {KEY(EC("P-384", X384, Y384)), IMAGE_JWT_ES384, 120},
        {KEY(ED), IMAGE_JWT_EDDSA, 44},
        {KEY(ED MEMBER("alg", "EdDSA")), IMAGE_JWT_EDDSA, 44},
    };
    struct jwk jwk;
    for (size_t i = 0; i < array_len(rows); i++) {
        CHECK(read(rows[i].text, &jwk) == NULL);
        CHECK_EQ(jwk.algs, rows[i].algs);
        CHECK_EQ(jwk.spki_len, rows[i].spki_len);
        CHECK(jwk.kid == NULL && jwk.spki[0] == 0x30);
    }
    CHECK(read(KEY(P256 MEMBER("kid", "k")), &jwk) == NULL);
    CHECK(jwk.kid != NULL);
}

TEST(what_is_wrong_with_a_key_is_said)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {KEY(RSA(N1024)), "less than 2048"},
        {KEY(KTY("RSA") MEMBER("n", N4096) MEMBER("e", N2048)), "long exponent"},
        {KEY(RSA(N4096 "AAAA")), "no public key"},
        {KEY(RSA("")), "no public key"},
        {KEY(RSA("!")), "no public key"},
        {KEY(KTY("RSA") MEMBER("n", N2048)), "no public key"},
        {KEY(KTY("RSA") MEMBER("n", N2048) MEMBER("e", "AQ")), "no public key"},
        {KEY(RSA(N2048) MEMBER("d", "AQAB")), "private parts"},
        {KEY(P256 MEMBER("d", "AQAB")), "private parts"},
        {KEY(KTY("oct") MEMBER("k", "AQAB")), "private parts"},
        {KEY(P256 MEMBER("use", "enc")), "use is not sig"},
        {KEY(P256 ",\"use\":1"), "use is not sig"},
        {KEY(EC("P-521", X256, Y256)), "neither of RSA"},
        {KEY(EC("secp256k1", X256, Y256)), "neither of RSA"},
        {KEY(KTY("OKP") MEMBER("crv", "X25519") MEMBER("x", X25519)), "neither of RSA"},
        {KEY(KTY("rsa")), "neither of RSA"},
        {"[]", "neither of RSA"},
        {KEY(EC("P-256", X256, X256)), "no public key"}, /* not on the curve */
        {KEY(EC("P-384", X256, Y256)), "no public key"},
        {KEY(EC("P-256", X384, Y384)), "no public key"},
        {KEY(KTY("OKP") MEMBER("crv", "Ed25519") MEMBER("x", "AQAB")), "no public key"},
        {KEY(P256 MEMBER("alg", "ES384")), "alg"},
        {KEY(P256 MEMBER("alg", "RS256")), "alg"},
        {KEY(RSA(N2048) MEMBER("alg", "RSA-OAEP")), "alg"},
        {KEY(RSA(N2048) MEMBER("alg", "HS256")), "alg"},
        {KEY(P256 MEMBER("kid", "")), "kid"},
        {KEY(P256 ",\"kid\":7"), "kid"},
        {KEY(P256 MEMBER("kid", X384 X384 X384)), "kid"},
    };
    struct jwk jwk;
    for (size_t i = 0; i < array_len(rows); i++) {
        const char *why = read(rows[i].text, &jwk);
        CHECK(why != NULL && strstr(why, rows[i].why) != NULL);
    }
}

TEST(keys_that_are_for_others_are_passed_over_but_none_with_private_parts)
{
    static const struct {
        const char *text;
        bool is_for_others;
    } rows[] = {
        {KEY(P256), false},
        {KEY(P256 MEMBER("use", "sig")), false},
        {KEY(P256 MEMBER("use", "enc")), true},
        {KEY(RSA(N2048) MEMBER("use", "enc") MEMBER("alg", "RSA-OAEP")), true},
        {KEY(EC("P-521", X256, Y256)), true},
        {KEY(KTY("AKP") MEMBER("alg", "ML-DSA-44")), true},
        {KEY(P256 MEMBER("use", "enc") MEMBER("d", "AQAB")), false},
        {KEY(KTY("oct") MEMBER("k", "AQAB")), false},
        {KEY(P256 ",\"use\":1"), false},
        {"{}", false},
        {"[]", false},
    };
    for (size_t i = 0; i < array_len(rows); i++) {
        json_t *json = json_loads(rows[i].text, 0, NULL);
        REQUIRE(json != NULL);
        CHECK_EQ(jwk_is_for_others(json), rows[i].is_for_others);
        json_decref(json);
    }
}

UNIT_MAIN("attach/jwk", T(keys_of_each_kind_sign_by_what_they_can_or_say),
          T(what_is_wrong_with_a_key_is_said),
          T(keys_that_are_for_others_are_passed_over_but_none_with_private_parts))
