/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures of tokens (RFC 7518, section 3; RFC 8037): the one place here that knows OpenSSL. */
#pragma once

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* The algorithm of that name as one of enum image_jwt_alg; 0: none that is allowed. */
uint32_t verify_alg_of(const char *name);

/* Is it the text's signature by that public key (SubjectPublicKeyInfo, DER)? A key of another type
 * signs nothing. Takes memory, and up to a millisecond. */
bool verify_signature(uint32_t alg, struct slice spki, struct slice text, struct slice signature);
