/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Web Tokens (RFC 7519): signed by a key of the policy (RFC 7515), from its issuer, for its
 * audience. What RFC 8725 asks for: the key says which algorithms it signs by, the token only which
 * of them; "none", secrets that are shared, and extensions that are critical are refused.
 *
 * The times are given back, not judged: who asks has the clock.
 */
#pragma once

#include "abi/image_format.h"

#include <stdbool.h>
#include <stdint.h>

/* What API gateways of others take at most, too; with the keys a job has 18 KiB. */
#define VERIFY_TOKEN_BYTES_MAX 4096u

struct verify_key {
    uint32_t algs; /* of enum image_jwt_alg */
    uint32_t spki_len;
    char kid[IMAGE_JWT_KID_BYTES_MAX + 1];
    uint8_t spki[IMAGE_JWT_KEY_BYTES_MAX];
};

/* A token, and all that decides on it. */
struct verify_jwt {
    uint32_t token_len;
    uint32_t n_audiences; /* 0: whoever it is for */
    uint32_t n_keys;
    char issuer[IMAGE_JWT_NAME_BYTES_MAX + 1];
    char audiences[IMAGE_JWT_AUDIENCES_MAX][IMAGE_JWT_NAME_BYTES_MAX + 1];
    struct verify_key keys[IMAGE_JWT_KEYS_MAX];
    char token[VERIFY_TOKEN_BYTES_MAX];
};

/* What is wrong with a token. */
enum jwt_fault {
    JWT_FAULT_OK,
    JWT_FAULT_PARTS,     /* not three of base64url */
    JWT_FAULT_JSON,      /* header or claims are no object, or one name is there twice */
    JWT_FAULT_ALG,       /* not one that we know */
    JWT_FAULT_TYPE,      /* of another type, or with a critical extension */
    JWT_FAULT_KEY,       /* no key of that name that signs so; without a name: not just one */
    JWT_FAULT_SIGNATURE, /* not by that key */
    JWT_FAULT_ISSUER,
    JWT_FAULT_AUDIENCE,
    JWT_FAULT_TIME, /* no exp, or no numbers */
};

/* Is the token good from *ret_from_s to before *ret_to_s (Unix time)? Takes memory, and up to a
 * millisecond. Thread: any that may wait. */
enum jwt_fault verify_jwt(const struct verify_jwt *job, uint32_t *ret_from_s, uint32_t *ret_to_s);
