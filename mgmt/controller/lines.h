/* SPDX-License-Identifier: Apache-2.0 */
/* Lines out of a stream of bytes that comes in pieces, and events out of lines: the framing of a
 * watch. Pure but for the heap. Bound: `line_max` bytes a line; a longer one is an error that
 * stays. */
#pragma once

#include <jansson.h>
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

/* The event that a line is: an object with a `type` and an `object`. A new reference; NULL: it is
 * none. */
json_t *lines_event(const char *line, size_t len);

/* Frees the memory. */
void lines_done(struct lines *l);
