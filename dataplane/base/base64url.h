/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 for URLs and tokens (RFC 4648, section 5) as RFC 7515 has it: without padding. Pure. */
#pragma once

#include "base/slice.h"

#include <stdbool.h>

/* What the text stands for, to `ret` of `cap` bytes. False: it is none, it does not fit, or another
 * text means the same (bits that are left over are zero). */
bool base64url_decode(struct slice text, uint8_t *ret, size_t cap, size_t *ret_len);
