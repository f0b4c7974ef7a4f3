/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, SHA-1 (FIPS 180-4) and constant-time comparison for who must not know the library. Pure;
 * thread: any. SHA-1 is for what protocols ask for (WebSocket): it proves nothing to anybody. */
#pragma once

#include "base/slice.h"

#define DIGEST_BYTES 32u

/* SHA-256 of `n` slices one after the other. False: the library failed, which it does only when
 * memory is gone. */
bool digest_sha256(const struct slice *v, unsigned n, uint8_t ret[DIGEST_BYTES]);

#define DIGEST_SHA1_BYTES 20u

/* Likewise SHA-1. Takes nothing from the heap. */
bool digest_sha1(const struct slice *v, unsigned n, uint8_t ret[DIGEST_SHA1_BYTES]);

/* Are `len` bytes the same? Takes the same time wherever they differ. */
bool digest_is_same(const void *a, const void *b, size_t len);
