/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that is given back all at once: for results that are built, read and dropped whole (a
 * compiled schema, a plan). Running out ends the program: mgmtd cannot work on without memory, it
 * is started again, and traffic does not notice.
 *
 * Owner: whoever made it. Thread: one at a time.
 */
#pragma once

#include <stddef.h>

struct arena;

/* A new, empty arena. */
struct arena *arena_new(void);

/* Gives back everything that came from it. NULL is fine. */
void arena_free(struct arena *a);

/* Zeroed memory for `count` items of `size` bytes, aligned for any type; never NULL, also for 0. */
void *arena_alloc(struct arena *a, size_t count, size_t size);

/* A copy of the text; NULL stays NULL. */
char *arena_strdup(struct arena *a, const char *text);

/* A formatted text. */
__attribute__((format(printf, 2, 3))) char *arena_printf(struct arena *a, const char *format, ...);

/* One zeroed item of that type, and an array of them. */
#define ARENA_NEW(a, type) ((type *)arena_alloc((a), 1, sizeof(type)))
#define ARENA_ARRAY(a, type, count) ((type *)arena_alloc((a), (count), sizeof(type)))
