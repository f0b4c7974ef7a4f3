/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-1 by the library's functions that take nothing from the heap, so that workers may call it;
 * what replaced them does. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tls/digest.h"

#include <openssl/sha.h>

bool digest_sha1(const struct slice *v, unsigned n, uint8_t ret[DIGEST_SHA1_BYTES])
{
    SHA_CTX ctx;
    bool done = SHA1_Init(&ctx) == 1;
    for (unsigned i = 0; done && i < n; i++)
        done = SHA1_Update(&ctx, v[i].ptr, v[i].len) == 1;
    return done && SHA1_Final(ret, &ctx) == 1;
}
