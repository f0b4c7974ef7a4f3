/* SPDX-License-Identifier: Apache-2.0 */
/* See pattern_compile.h. */
#include "route/pattern_compile.h"

#include "abi/image_format.h"
#include "base/assert.h"

#include <hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each pattern is told once however often it matches; one that matches nothing at all is a pattern
 * too. */
#define FLAGS (HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY)
#define WHOLE_BEFORE "^(?:"
#define WHOLE_BEHIND ")\\z"

struct job {
    uint32_t n;
    char *texts[IMAGE_PATTERNS_PER_SET_MAX];
    unsigned flags[IMAGE_PATTERNS_PER_SET_MAX];
    unsigned ids[IMAGE_PATTERNS_PER_SET_MAX];
};

static bool fail(struct route_pattern_fault *ret, uint32_t pattern, const char *text)
{
    ret->pattern = pattern;
    snprintf(ret->text, sizeof(ret->text), "%s", text);
    return false;
}

/* Takes the error over. */
static bool fail_by(struct route_pattern_fault *ret, uint32_t pattern, hs_compile_error_t *error)
{
    fail(ret, pattern, error == NULL ? "no memory" : error->message);
    hs_free_compile_error(error);
    return false;
}

/* Is it a pattern by itself? "a)|(b" is none, but would be one within parentheses. */
static bool check_alone(const char *text, uint32_t pattern, struct route_pattern_fault *ret_fault)
{
    hs_expr_info_t *info = NULL;
    hs_compile_error_t *error = NULL;
    if (hs_expression_info(text, FLAGS, &info, &error) != HS_SUCCESS)
        return fail_by(ret_fault, pattern, error);
    free(info);
    return true;
}

/* Pattern `i` as it is compiled: so that it has to match the whole text. */
static bool add_pattern(struct job *job, struct slice pattern,
                        struct route_pattern_fault *ret_fault)
{
    uint32_t i = job->n;
    size_t bytes = sizeof(WHOLE_BEFORE) + pattern.len + sizeof(WHOLE_BEHIND);
    char *text = malloc(bytes);
    if (text == NULL)
        return fail(ret_fault, i, "no memory");
    job->texts[i] = text;
    job->flags[i] = FLAGS;
    job->ids[i] = i;
    job->n++;
    snprintf(text, bytes, "%.*s", (int)pattern.len, (const char *)pattern.ptr);
    if (!check_alone(text, i, ret_fault))
        return false;
    snprintf(text, bytes, WHOLE_BEFORE "%.*s" WHOLE_BEHIND, (int)pattern.len,
             (const char *)pattern.ptr);
    return true;
}

static bool compile(const struct job *job, void **ret_bytes, size_t *ret_len,
                    struct route_pattern_fault *ret_fault)
{
    hs_database_t *database = NULL;
    hs_compile_error_t *error = NULL;
    char *bytes = NULL;
    if (hs_compile_multi((const char *const *)job->texts, job->flags, job->ids, job->n,
                         HS_MODE_BLOCK, NULL, &database, &error) != HS_SUCCESS)
        return fail_by(ret_fault,
                       error == NULL || error->expression < 0 ? UINT32_MAX
                                                              : (uint32_t)error->expression,
                       error);
    bool is_done = hs_serialize_database(database, &bytes, ret_len) == HS_SUCCESS;
    hs_free_database(database);
    *ret_bytes = bytes;
    return is_done || fail(ret_fault, UINT32_MAX, "no memory");
}

bool route_patterns_compile(const struct slice *patterns, uint32_t n, void **ret_bytes,
                            size_t *ret_len, struct route_pattern_fault *ret_fault)
{
    struct job *job = calloc(1, sizeof(*job));
    ASSERT(n > 0 && n <= IMAGE_PATTERNS_PER_SET_MAX);
    if (job == NULL)
        return fail(ret_fault, UINT32_MAX, "no memory");
    bool is_done = true;
    for (uint32_t i = 0; i < n && is_done; i++)
        is_done = add_pattern(job, patterns[i], ret_fault);
    is_done = is_done && compile(job, ret_bytes, ret_len, ret_fault);
    for (uint32_t i = 0; i < job->n; i++)
        free(job->texts[i]);
    free(job);
    return is_done;
}
