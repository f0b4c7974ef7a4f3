/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions of schemas, each compiled once. Matched by PCRE2's DFA algorithm: the time is
 * bounded by the text's length whatever the text is (several of the CRDs' patterns would take a
 * backtracking matcher exponential time).
 *
 * Private to model. Thread: mgmtd's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct pattern;
struct pattern_cache;

/* An empty cache. */
struct pattern_cache *pattern_cache_new(void);

/* Frees it with all patterns. NULL is fine. */
void pattern_cache_free(struct pattern_cache *cache);

/* The compiled form of `text` (which must outlive the cache). A pattern that does not compile is
 * our bug. */
const struct pattern *pattern_get(struct pattern_cache *cache, const char *text);

/* Does the pattern occur in the text (UTF-8)? False also if PCRE2's own limits are reached. */
bool pattern_matches(const struct pattern *p, const char *text, size_t length);

/* As written in the schema. */
const char *pattern_text(const struct pattern *p);
