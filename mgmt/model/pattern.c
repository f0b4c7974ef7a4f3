/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns on PCRE2's DFA matcher. See pattern.h. */
#include "model/pattern.h"

#include "base/assert.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

/* Room for the matcher's sets of states; the CRDs' patterns need less than 100 words. */
#define PATTERN_WORKSPACE_WORDS 2000

struct pattern {
    const char *text;
    pcre2_code *code;
    pcre2_match_data *match;
    struct pattern *next;
};

struct pattern_cache {
    struct pattern *first;
};

struct pattern_cache *pattern_cache_new(void)
{
    struct pattern_cache *cache = calloc(1, sizeof(*cache));
    ASSERT(cache != NULL);
    return cache;
}

void pattern_cache_free(struct pattern_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    while (cache->first != NULL) {
        struct pattern *p = cache->first;
        cache->first = p->next;
        pcre2_match_data_free(p->match);
        pcre2_code_free(p->code);
        free(p);
    }
    free(cache);
}

const struct pattern *pattern_get(struct pattern_cache *cache, const char *text)
{
    for (struct pattern *p = cache->first; p != NULL; p = p->next) {
        if (strcmp(p->text, text) == 0) {
            return p;
        }
    }
    int error;
    PCRE2_SIZE offset;
    struct pattern *p = calloc(1, sizeof(*p));
    ASSERT(p != NULL);
    p->text = text;
    /* RE2, for which the patterns were written, has no "$ before a last newline". */
    p->code =
        pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
                      PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_DOLLAR_ENDONLY | PCRE2_NO_AUTO_CAPTURE,
                      &error, &offset, NULL);
    ASSERT(p->code != NULL);
    p->match = pcre2_match_data_create(1, NULL);
    ASSERT(p->match != NULL);
    p->next = cache->first;
    cache->first = p;
    return p;
}

bool pattern_matches(const struct pattern *p, const char *text, size_t length)
{
    int workspace[PATTERN_WORKSPACE_WORDS];
    int rc = pcre2_dfa_match(p->code, (PCRE2_SPTR)text, length, 0,
                             PCRE2_DFA_SHORTEST | PCRE2_NO_UTF_CHECK, p->match, NULL, workspace,
                             PATTERN_WORKSPACE_WORDS);
    return rc >= 0;
}

const char *pattern_text(const struct pattern *p)
{
    return p->text;
}
