/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of bytes: what a socket stream has received and not consumed, or taken and not sent.
 * Owner: its connection. Invariant: at + n never wraps twice, n <= BYTES_CAPACITY. */
#pragma once

#include "base/slice.h"

#include <stdbool.h>
#include <sys/uio.h>

#define BYTES_CAPACITY 65536u

struct bytes {
    uint8_t *memory; /* BYTES_CAPACITY; NULL until the first use, and when it ran empty */
    size_t at;       /* of the first byte */
    size_t n;
};

/* Gives memory to a ring that has none. False: there is none. */
bool bytes_reserve(struct bytes *b);

/* Frees the memory; the content is gone. */
void bytes_drop(struct bytes *b);

/* How much more fits. */
size_t bytes_room(const struct bytes *b);

/* The content in order, as at most two slices. Returns how many. */
unsigned bytes_peek(const struct bytes *b, struct slice ret[2]);

/* The free part in order, to be read into; needs memory. Returns how many. */
unsigned bytes_space(const struct bytes *b, struct iovec ret[2]);

/* `n` bytes were written into the free part. */
void bytes_added(struct bytes *b, size_t n);

/* Drops the first `n` bytes; an empty ring gives its memory back. */
void bytes_consume(struct bytes *b, size_t n);

/* Copies in as much of `s` as fits; needs memory. Returns how much. */
size_t bytes_append(struct bytes *b, struct slice s);
