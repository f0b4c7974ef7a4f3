/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 as requests have it (RFC 4648). Pure. */
#pragma once

#include "base/slice.h"

#include <stdbool.h>

/* What the text stands for (section 4, with padding or without), to `ret` of `cap` bytes. False: it
 * is none, or it does not fit. */
bool base64_decode(struct slice text, uint8_t *ret, size_t cap, size_t *ret_len);

/* Likewise for URLs and tokens (section 5) as RFC 7515 has it: without padding. False also if
 * another text means the same (bits that are left over are zero). */
bool base64url_decode(struct slice text, uint8_t *ret, size_t cap, size_t *ret_len);

/* Characters of the text of so many bytes (section 4, with padding). */
#define BASE64_BYTES(n) (((n) + 2) / 3 * 4)

/* Writes BASE64_BYTES(v.len) of them, without a NUL. */
void base64_encode(struct slice v, char *ret);
