/* SPDX-License-Identifier: Apache-2.0 */
/* See verify_signature.h. */
#include "verify/verify_signature.h"

#include "abi/image_format.h"
#include "base/container.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#define SIGNATURE_BYTES_MAX 128u /* DER of two numbers of 384 bits has 104 at most */

static const struct algorithm {
    const char *name;
    uint32_t alg;
    int type;
    int bits;           /* EC: of the curve, and so of each number of a signature */
    const char *digest; /* NULL: the algorithm has its own */
} algorithms[] = {
    {"RS256", IMAGE_JWT_RS256, EVP_PKEY_RSA, 0, "SHA256"},
    {"RS384", IMAGE_JWT_RS384, EVP_PKEY_RSA, 0, "SHA384"},
    {"RS512", IMAGE_JWT_RS512, EVP_PKEY_RSA, 0, "SHA512"},
    {"PS256", IMAGE_JWT_PS256, EVP_PKEY_RSA, 0, "SHA256"},
    {"ES256", IMAGE_JWT_ES256, EVP_PKEY_EC, 256, "SHA256"},
    {"ES384", IMAGE_JWT_ES384, EVP_PKEY_EC, 384, "SHA384"},
    {"EdDSA", IMAGE_JWT_EDDSA, EVP_PKEY_ED25519, 0, NULL},
};

uint32_t verify_alg_of(const char *name)
{
    for (size_t i = 0; i < array_len(algorithms); i++) {
        if (strcmp(algorithms[i].name, name) == 0)
            return algorithms[i].alg;
    }
    return 0;
}

/* Two numbers one after the other (RFC 7518, section 3.4) as OpenSSL wants them; 0: they are not.
 */
static size_t to_der(int bits, struct slice signature, uint8_t ret[SIGNATURE_BYTES_MAX])
{
    size_t half = (size_t)bits / 8;
    if (signature.len != 2 * half)
        return 0;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature.ptr, (int)half, NULL);
    BIGNUM *s = BN_bin2bn(signature.ptr + half, (int)half, NULL);
    int len = 0;
    if (sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
        uint8_t *end = ret;
        r = s = NULL; /* the signature's now */
        len = i2d_ECDSA_SIG(sig, NULL) <= (int)SIGNATURE_BYTES_MAX ? i2d_ECDSA_SIG(sig, &end) : 0;
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return len > 0 ? (size_t)len : 0;
}

static bool set_padding(const struct algorithm *a, EVP_PKEY_CTX *ctx)
{
    if (a->alg != IMAGE_JWT_PS256)
        return true;
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool is_signed(const struct algorithm *a, EVP_PKEY *key, struct slice text,
                      struct slice signature)
{
    EVP_PKEY_CTX *key_ctx = NULL; /* of ctx */
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool is_good = ctx != NULL &&
                   EVP_DigestVerifyInit_ex(ctx, &key_ctx, a->digest, NULL, NULL, key, NULL) == 1 &&
                   set_padding(a, key_ctx) &&
                   EVP_DigestVerify(ctx, signature.ptr, signature.len, text.ptr, text.len) == 1;
    EVP_MD_CTX_free(ctx);
    return is_good;
}

bool verify_signature(uint32_t alg, struct slice spki, struct slice text, struct slice signature)
{
    const struct algorithm *a = algorithms;
    uint8_t der[SIGNATURE_BYTES_MAX];
    const uint8_t *at = spki.ptr;
    while (a < algorithms + array_len(algorithms) && a->alg != alg)
        a++;
    if (a == algorithms + array_len(algorithms))
        return false;
    if (a->bits != 0)
        signature = slice_of(der, to_der(a->bits, signature, der));
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)spki.len);
    bool is_good = key != NULL && at == spki.ptr + spki.len && signature.len > 0 &&
                   EVP_PKEY_get_base_id(key) == a->type &&
                   (a->bits == 0 || EVP_PKEY_get_bits(key) == a->bits) &&
                   is_signed(a, key, text, signature);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return is_good;
}
