/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The segment of keys (abi/keys.h) that the image of a plan needs. What it is made of is secret:
 * keys_segment_free() wipes it.
 *
 * Thread: the caller's. Owner: the caller.
 */
#pragma once

#include "abi/keys.h"

#include <stddef.h>

struct plan;

/* All identities of served listeners, and those of `before`, a segment for images that are still in
 * use (NULL: none). 0, -ENOMEM, or -E2BIG: beyond the limits of the format. */
int keys_segment_new(const struct plan *plan, const void *before, void **ret_data, size_t *ret_len);

/* NULL is fine. */
void keys_segment_free(void *data);
