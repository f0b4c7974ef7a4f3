/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of Backends, kept as DNS has them: each is asked for in each family, again when its
 * time is over, and its owner hears when something changed. While nobody answers, the last good
 * answer stands (and is called stale).
 *
 *   wanted names -> entry.c (when, and what stays) -> lookup.c (c-ares) -> on_change
 *
 * Owner: the daemon. Thread: the loop's; nothing here waits. Bound: RESOLVE_NAMES_MAX. Errors:
 * negative errno.
 */
#pragma once

#include "resolve/answer.h"

#include <stdbool.h>
#include <stdint.h>

#define RESOLVE_NAMES_MAX 2048u /* a name counts once for each family */
#define RESOLVE_ASKS_MAX 32u    /* questions on their way at once; others wait */

struct loop;
struct resolve;

struct resolve_counts {
    uint64_t questions;
    uint64_t failures; /* of them without an answer */
    uint64_t left_out; /* names that there was no room for, each time that they were wanted */
    uint64_t names;    /* that are kept now */
    uint64_t stale;    /* of them stale */
};

/* `servers` as lookup_new() has them. */
int resolve_new(struct loop *loop, const char *servers, struct resolve **ret);

/* Ends without a call. NULL is fine. */
void resolve_free(struct resolve *r);

/* Something that is said of names has changed; never from within a call of resolve's owner. */
typedef void (*resolve_fn)(void *owner);

/* Who hears of changes; NULL: nobody. */
void resolve_listen(struct resolve *r, resolve_fn on_change, void *owner);

/* From here on the names count that are wanted next; the others go with resolve_want_end(). */
void resolve_want_begin(struct resolve *r);

/* The name is wanted in this family, lower case; asked for at once if it is new. */
void resolve_want(struct resolve *r, const char *name, enum resolve_family family);

/* All were named. */
void resolve_want_end(struct resolve *r);

/* What is known of a name; the addresses are borrowed until the loop goes on. O(log names). */
struct resolve_answer resolve_find(const struct resolve *r, const char *name,
                                   enum resolve_family family);

/* The counts now. */
struct resolve_counts resolve_counts(const struct resolve *r);
