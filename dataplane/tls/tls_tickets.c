/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sequence lock: the writer makes the count odd, writes, makes it even; a reader whose count was
 * odd or changed reads again. The words are atomic each, so nobody reads a torn one.
 */
#include "tls/tls_tickets.h"

#include "base/assert.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdatomic.h>
#include <string.h>

#define WORDS (KEYS_TICKETS_MAX * sizeof(struct keys_ticket) / sizeof(uint64_t))

struct tls_tickets {
    _Atomic uint32_t count;
    _Atomic uint32_t n;
    _Atomic uint64_t words[WORDS];
};

struct tls_tickets *tls_tickets_new(void)
{
    return OPENSSL_secure_zalloc(
        sizeof(struct tls_tickets)); /* like private keys, where there is */
}

void tls_tickets_free(struct tls_tickets *t)
{
    OPENSSL_secure_clear_free(t, sizeof(*t));
}

void tls_tickets_set(struct tls_tickets *t, const struct keys_ticket *keys, unsigned n)
{
    uint64_t words[WORDS] = {0};
    ASSERT(n <= KEYS_TICKETS_MAX);
    if (n > 0)
        memcpy(words, keys, n * sizeof(*keys));
    uint32_t count = atomic_load_explicit(&t->count, memory_order_relaxed);
    ASSERT(count % 2 == 0);
    atomic_store_explicit(&t->count, count + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&t->n, n, memory_order_relaxed);
    for (unsigned i = 0; i < WORDS; i++)
        atomic_store_explicit(&t->words[i], words[i], memory_order_relaxed);
    atomic_store_explicit(&t->count, count + 2, memory_order_release);
    OPENSSL_cleanse(words, sizeof(words));
}

unsigned tls_tickets_get(const struct tls_tickets *t, struct keys_ticket ret[KEYS_TICKETS_MAX])
{
    uint64_t words[WORDS];
    uint32_t before, after;
    unsigned n;
    do {
        before = atomic_load_explicit(&t->count, memory_order_acquire);
        n = atomic_load_explicit(&t->n, memory_order_relaxed);
        for (unsigned i = 0; i < WORDS; i++)
            words[i] = atomic_load_explicit(&t->words[i], memory_order_relaxed);
        atomic_thread_fence(memory_order_acquire);
        after = atomic_load_explicit(&t->count, memory_order_relaxed);
    } while (before != after || before % 2 != 0);
    memcpy(ret, words, sizeof(words));
    OPENSSL_cleanse(words, sizeof(words));
    return n;
}

/* HKDF (RFC 5869) with the epoch's number as context. */
static bool derive(EVP_KDF_CTX *ctx, const uint8_t *secret, uint64_t epoch, struct keys_ticket *ret)
{
    static char digest[] = "SHA256", label[] = "sluice session tickets";
    uint8_t number[8];
    for (unsigned i = 0; i < sizeof(number); i++)
        number[i] = (uint8_t)(epoch >> (56 - 8 * i));
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret,
                                          TLS_TICKET_SECRET_BYTES),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, label, sizeof(label) - 1),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, number, sizeof(number)),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF_CTX_reset(ctx);
    return EVP_KDF_derive(ctx, (uint8_t *)ret, sizeof(*ret), params) == 1;
}

bool tls_tickets_derive(const uint8_t secret[TLS_TICKET_SECRET_BYTES], uint64_t unix_s,
                        struct keys_ticket ret[KEYS_TICKETS_MAX])
{
    uint64_t epoch = unix_s / TLS_TICKET_EPOCH_S;
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    bool done = ctx != NULL && derive(ctx, secret, epoch, &ret[0]) &&
                derive(ctx, secret, epoch - 1, &ret[1]) && derive(ctx, secret, epoch + 1, &ret[2]);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return done;
}
