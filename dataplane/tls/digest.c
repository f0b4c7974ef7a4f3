/* SPDX-License-Identifier: Apache-2.0 */
/* The library's SHA-256 and comparison. */
#include "tls/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

bool digest_sha256(const struct slice *v, unsigned n, uint8_t ret[DIGEST_BYTES])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool done = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;
    for (unsigned i = 0; done && i < n; i++)
        done = EVP_DigestUpdate(ctx, v[i].ptr, v[i].len) == 1;
    done = done && EVP_DigestFinal_ex(ctx, ret, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return done;
}

bool digest_is_same(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}
