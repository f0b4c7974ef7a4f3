/* SPDX-License-Identifier: Apache-2.0 */
/* Lines out of a stream of bytes that comes in pieces: the framing of a watch. Pure but for the
 * heap. Bound: `line_max` bytes a line; a longer one is an error that stays. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct lines {
    char *data;
    size_t n, capacity;
    size_t at;       /* where the first line begins that was not given yet */
    size_t searched; /* no line ends between `at` and here */
    size_t line_max;
    bool is_broken; /* a line was too long, or there is no memory */
};

/* Appends what came. False: is_broken. */
bool lines_add(struct lines *l, const char *data, size_t n);

/* The next whole line without its end, NUL-terminated; valid until the next call here. NULL: none
 * yet. */
char *lines_next(struct lines *l, size_t *ret_len);

/* Bytes of a line that has not ended. */
size_t lines_rest(const struct lines *l);

/* Frees the memory. */
void lines_done(struct lines *l);
