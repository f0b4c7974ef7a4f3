/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys of JSON Web Key Sets (RFC 7517; RFC 7518, section 6; RFC 8037). */
#pragma once

#include "abi/image_format.h"

#include <jansson.h>
#include <stdbool.h>

/* A key as the image has it. */
struct jwk {
    const char *kid; /* in the JSON; NULL: none */
    uint32_t algs;   /* of enum image_jwt_alg */
    uint32_t spki_len;
    uint8_t spki[IMAGE_JWT_KEY_BYTES_MAX];
};

/* Is it one that others may use, but nobody to sign what we can check: for encryption, or of a kind
 * that we do not know? Sets have them, and who reads a set passes them over (RFC 7517, section 5).
 * Not one with private parts. */
bool jwk_is_for_others(const json_t *json);

/* Reads a key that signs. NULL, or what is wrong with it, as an end to "key 3 ". */
const char *jwk_read(const json_t *json, struct jwk *ret);
