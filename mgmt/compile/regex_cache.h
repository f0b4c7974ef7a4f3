/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions that were compiled before: a pattern by itself (is it one?) and all patterns
 * of a host together. Compiling takes milliseconds, so what did not change is not compiled again;
 * nor is what could not be compiled.
 *
 * Owner: reconcile. Thread: mgmtd's. Bound: what two runs asked for.
 */
#pragma once

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct regex_cache;

/* NULL: no memory. */
struct regex_cache *regex_cache_new(void);

/* NULL is fine. */
void regex_cache_free(struct regex_cache *c);

/* As image_compile_fn, with the cache as `arg`. */
int regex_cache_compile(void *arg, const struct slice *patterns, uint32_t n, const void **ret_bytes,
                        size_t *ret_len);

/* Is it a pattern? If not, *ret_why is the compiler's reason, until regex_cache_trim(). */
bool regex_cache_check(void *arg, const char *pattern, const char **ret_why);

/* Forgets what nobody asked for since the last call. */
void regex_cache_trim(struct regex_cache *c);
