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

/* What a segment is made of. */
struct keys_segment_input {
    const struct plan *plan; /* all identities and bundles that its image names, */
    const void *before;      /* and those of a segment for images still in use; NULL: none */
    const struct keys_ticket *tickets; /* n_tickets of them */
    uint32_t n_tickets;
};

/* 0, -ENOMEM, or -E2BIG: beyond the limits of the format. */
int keys_segment_new(const struct keys_segment_input *in, void **ret_data, size_t *ret_len);

/* NULL is fine. */
void keys_segment_free(void *data);
