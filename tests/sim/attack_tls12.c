/* SPDX-License-Identifier: Apache-2.0 */
/* See attack_tls12.h. */
#include "attack_tls12.h"

#include "base/assert.h"
#include "frame.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES 5u
#define NONCE_BYTES 8u /* that a record tells; four more are of the keys */
#define TAG_BYTES 16u
#define KEY_BYTES 16u
#define FIXED_BYTES 4u

static_assert(HEAD_BYTES + NONCE_BYTES + TAG_BYTES == ATTACK_TLS12_OVERHEAD, "of a record");

struct attack_tls12 {
    EVP_CIPHER_CTX *cipher;
    uint8_t fixed[FIXED_BYTES];
    uint64_t sequence;
};

void attack_tls12_only(struct ssl_ctx_st *context)
{
    SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
    int is_set = SSL_CTX_set_cipher_list(context, "ECDHE-ECDSA-AES128-GCM-SHA256");
    ASSERT(is_set == 1);
}

/* Both ends' keys, then both ends' parts of nonces; the client's first (RFC 5246, section 6.3). */
static void derive(SSL *ssl, uint8_t *ret, size_t n)
{
    static char digest[] = "SHA256";
    static const char label[] = "key expansion";
    uint8_t master[SSL_MAX_MASTER_KEY_LENGTH];
    uint8_t seed[sizeof(label) - 1 + 2 * SSL3_RANDOM_SIZE];
    size_t master_bytes = SSL_SESSION_get_master_key(SSL_get0_session(ssl), master, sizeof(master));
    memcpy(seed, label, sizeof(label) - 1);
    SSL_get_server_random(ssl, seed + sizeof(label) - 1, SSL3_RANDOM_SIZE);
    SSL_get_client_random(ssl, seed + sizeof(label) - 1 + SSL3_RANDOM_SIZE, SSL3_RANDOM_SIZE);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, master, master_bytes),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof(seed)),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    int is_derived = EVP_KDF_derive(ctx, ret, n, params);
    ASSERT(is_derived == 1);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
}

struct attack_tls12 *attack_tls12_after(struct ssl_st *ssl)
{
    uint8_t keys[2 * KEY_BYTES + 2 * FIXED_BYTES];
    struct attack_tls12 *t = calloc(1, sizeof(*t));
    ASSERT(t != NULL && SSL_version(ssl) == TLS1_2_VERSION);
    derive(ssl, keys, sizeof(keys));
    memcpy(t->fixed, keys + 2 * KEY_BYTES, FIXED_BYTES);
    t->sequence = 1; /* 0 was the Finished message */
    t->cipher = EVP_CIPHER_CTX_new();
    int is_set = EVP_EncryptInit_ex(t->cipher, EVP_aes_128_gcm(), NULL, keys, NULL);
    ASSERT(is_set == 1);
    return t;
}

void attack_tls12_free(struct attack_tls12 *t)
{
    if (t == NULL)
        return;
    EVP_CIPHER_CTX_free(t->cipher);
    free(t);
}

static void put64(uint8_t *at, uint64_t v)
{
    frame_put32(at, (uint32_t)(v >> 32));
    frame_put32(at + 4, (uint32_t)v);
}

static void put_head(uint8_t *at, uint8_t type, size_t n)
{
    at[0] = type;
    frame_put16(at + 1, TLS1_2_VERSION);
    frame_put16(at + 3, (uint32_t)n);
}

size_t attack_tls12_seal(struct attack_tls12 *t, uint8_t type, const uint8_t *from, size_t n,
                         uint8_t *ret)
{
    uint8_t nonce[FIXED_BYTES + NONCE_BYTES], aad[NONCE_BYTES + HEAD_BYTES];
    uint8_t *at = ret + HEAD_BYTES + NONCE_BYTES;
    int len = 0;
    put_head(ret, type, NONCE_BYTES + n + TAG_BYTES);
    put64(ret + HEAD_BYTES, t->sequence);
    memcpy(nonce, t->fixed, FIXED_BYTES);
    put64(nonce + FIXED_BYTES, t->sequence);
    put64(aad, t->sequence++);
    put_head(aad + NONCE_BYTES, type, n);
    bool is_sealed = EVP_EncryptInit_ex(t->cipher, NULL, NULL, NULL, nonce) == 1 &&
                     EVP_EncryptUpdate(t->cipher, NULL, &len, aad, sizeof(aad)) == 1 &&
                     EVP_EncryptUpdate(t->cipher, at, &len, from, (int)n) == 1 &&
                     EVP_EncryptFinal_ex(t->cipher, at + n, &len) == 1 &&
                     EVP_CIPHER_CTX_ctrl(t->cipher, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, at + n) == 1;
    ASSERT(is_sealed);
    return HEAD_BYTES + NONCE_BYTES + n + TAG_BYTES;
}
