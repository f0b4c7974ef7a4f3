/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token as a stranger sends it, or as an issuer signs it who writes anything. The first byte says
 * which: even, and the rest is the token; odd, and the rest is a header and, behind a line end,
 * claims, which are signed here. A stranger's is good only if it is the one that the issuer signed;
 * an issuer's is always read as far as its JSON.
 */
#include "base/assert.h"
#include "fuzz.h"
#include "verify/verify_jwt.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#define HEADER "{\"alg\":\"EdDSA\",\"kid\":\"k\",\"typ\":\"JWT\"}"
#define CLAIMS "{\"iss\":\"i\",\"aud\":[\"x\",\"a\"],\"exp\":2000,\"nbf\":1e3}"
#define SIGNATURE_BYTES 64u

static struct verify_jwt job;
static EVP_PKEY *key;
static char signed_token[VERIFY_TOKEN_BYTES_MAX];
static size_t signed_len;

static void add_base64(const uint8_t *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = (uint32_t)bytes[i] << 16;
        bits |= i + 1 < len ? (uint32_t)bytes[i + 1] << 8 : 0;
        bits |= i + 2 < len ? bytes[i + 2] : 0;
        for (unsigned k = 0; k < 4 && i + k <= len; k++)
            job.token[job.token_len++] = digits[bits >> (18 - 6 * k) & 63];
    }
}

static void sign(const uint8_t *header, size_t header_len, const uint8_t *claims, size_t claims_len)
{
    uint8_t signature[SIGNATURE_BYTES];
    size_t len = sizeof(signature);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    job.token_len = 0;
    add_base64(header, header_len);
    job.token[job.token_len++] = '.';
    add_base64(claims, claims_len);
    bool is_done = ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
                   EVP_DigestSign(ctx, signature, &len, (uint8_t *)job.token, job.token_len) == 1;
    ASSERT(is_done);
    EVP_MD_CTX_free(ctx);
    job.token[job.token_len++] = '.';
    add_base64(signature, len);
}

static void begin(void)
{
    static const uint8_t secret[32] = {1, 2, 3};
    if (key != NULL)
        return;
    key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof(secret));
    uint8_t *at = job.keys[0].spki;
    int len = key != NULL ? i2d_PUBKEY(key, &at) : 0;
    ASSERT(len > 0);
    job.keys[0].spki_len = (uint32_t)len;
    job.keys[0].algs = IMAGE_JWT_EDDSA;
    strcpy(job.keys[0].kid, "k");
    strcpy(job.issuer, "i");
    strcpy(job.audiences[0], "a");
    job.n_keys = job.n_audiences = 1;
    sign((const uint8_t *)HEADER, strlen(HEADER), (const uint8_t *)CLAIMS, strlen(CLAIMS));
    signed_len = job.token_len;
    memcpy(signed_token, job.token, signed_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t from_s = 0, to_s = 0;
    begin();
    if (size == 0 || size > 2000)
        return 0;
    bool is_stranger = data[0] % 2 == 0;
    data++;
    size--;
    if (is_stranger) {
        job.token_len = (uint32_t)size;
        memcpy(job.token, data, size);
        bool is_good = verify_jwt(&job, &from_s, &to_s) == JWT_FAULT_OK;
        ASSERT(is_good == (size == signed_len && memcmp(data, signed_token, size) == 0));
        return 0;
    }
    const uint8_t *end = memchr(data, '\n', size);
    size_t header_len = end != NULL ? (size_t)(end - data) : 0;
    const uint8_t *claims = end != NULL ? end + 1 : data;
    size_t claims_len = size - (size_t)(claims - data);
    sign(data, header_len, claims, claims_len);
    enum jwt_fault fault = verify_jwt(&job, &from_s, &to_s);
    ASSERT(fault != JWT_FAULT_PARTS && fault != JWT_FAULT_SIGNATURE);
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *ret)
{
    static const char *const seeds[] = {
        "\x01" HEADER "\n" CLAIMS,
        "\x01{\"alg\":\"EdDSA\"}\n{\"iss\":\"i\",\"aud\":\"a\",\"exp\":1}",
        "\x01{\"alg\":\"none\",\"crit\":[]}\n[[[[]]]]"};
    begin();
    if (n > sizeof(seeds) / sizeof(seeds[0]))
        return 0;
    if (n > 0) {
        size_t len = strlen(seeds[n - 1]);
        memcpy(ret, seeds[n - 1], len);
        return len;
    }
    ret[0] = 0;
    memcpy(ret + 1, signed_token, signed_len);
    return 1 + signed_len;
}
