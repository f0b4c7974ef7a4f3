/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that knows crypt(3). */
#pragma once

#include <stdbool.h>

/* Room for what crypt(3) needs, 32 KiB; yescrypt takes memory of its own besides. */
struct verify_password_scratch;

/* NULL: no memory. */
struct verify_password_scratch *verify_password_scratch_new(void);

/* Wipes and frees it. NULL: nothing. */
void verify_password_scratch_free(struct verify_password_scratch *s);

/* Has the password that hash (see image_is_password_hash())? Takes as long as the hash says: up to
 * seconds. Thread: any, each with its own scratch. */
bool verify_password(struct verify_password_scratch *s, const char *password, const char *hash);
