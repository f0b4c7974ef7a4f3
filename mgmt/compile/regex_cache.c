/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table of chains. See regex_cache.h. */
#include "compile/regex_cache.h"

#include "abi/image_format.h"
#include "base/assert.h"
#include "base/siphash.h"
#include "compile/pattern_way.h"
#include "compile/regex_process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096u

/* Patterns and what became of them. */
struct entry {
    struct entry *next;
    uint64_t hash;
    bool is_used;   /* since the last trim */
    bool is_failed; /* its error may pass: asked again after the next trim */
    int error;      /* 0: it has a database */
    char *why;      /* with an error */
    void *bytes;
    size_t len;
    size_t key_len;
    uint8_t key[]; /* of each pattern its length and its bytes */
};

struct regex_cache {
    struct regex_process process;
    struct entry *buckets[BUCKETS];
};

struct regex_cache *regex_cache_new(void)
{
    struct regex_cache *c = calloc(1, sizeof(struct regex_cache));
    if (c != NULL)
        regex_process_init(&c->process);
    return c;
}

static void entry_free(struct entry *e)
{
    free(e->why);
    free(e->bytes);
    free(e);
}

void regex_cache_free(struct regex_cache *c)
{
    if (c != NULL)
        regex_process_done(&c->process);
    for (uint32_t i = 0; c != NULL && i < BUCKETS; i++) {
        struct entry *e;
        while ((e = c->buckets[i]) != NULL) {
            c->buckets[i] = e->next;
            entry_free(e);
        }
    }
    free(c);
}

void regex_cache_trim(struct regex_cache *c)
{
    for (uint32_t i = 0; i < BUCKETS; i++) {
        struct entry **link = &c->buckets[i];
        while (*link != NULL) {
            struct entry *e = *link;
            bool is_kept = e->is_used && !e->is_failed;
            e->is_used = false;
            if (is_kept) {
                link = &e->next;
                continue;
            }
            *link = e->next;
            entry_free(e);
        }
    }
}

/* An entry with the patterns as its key and nothing else; NULL: no memory. */
static struct entry *entry_new(const struct slice *patterns, uint32_t n)
{
    size_t len = 0;
    for (uint32_t i = 0; i < n; i++)
        len += sizeof(uint32_t) + patterns[i].len;
    struct entry *e = calloc(1, sizeof(*e) + len);
    if (e == NULL)
        return NULL;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t bytes = (uint32_t)patterns[i].len;
        memcpy(e->key + e->key_len, &bytes, sizeof(bytes));
        e->key_len += sizeof(bytes);
        if (bytes != 0)
            memcpy(e->key + e->key_len, patterns[i].ptr, bytes);
        e->key_len += bytes;
    }
    ASSERT(e->key_len == len);
    e->hash = siphash(&(struct siphash_key){0, 0}, e->key, e->key_len);
    return e;
}

/* What compiling gives. */
static void work_out(struct regex_cache *c, struct entry *e, const struct slice *patterns,
                     uint32_t n)
{
    struct route_pattern_fault fault;
    enum regex_result r =
        regex_process_compile(&c->process, patterns, n, &e->bytes, &e->len, &fault);
    if (r == REGEX_COMPILED)
        return;
    e->is_failed = r == REGEX_FAILED;
    e->error = -EINVAL;
    e->why = strdup(fault.text);
}

/* NULL: no memory. */
static const struct entry *find(struct regex_cache *c, const struct slice *patterns, uint32_t n)
{
    struct entry *fresh = entry_new(patterns, n);
    if (fresh == NULL)
        return NULL;
    struct entry **bucket = &c->buckets[fresh->hash % BUCKETS];
    for (struct entry *e = *bucket; e != NULL; e = e->next) {
        if (e->hash != fresh->hash || e->key_len != fresh->key_len ||
            memcmp(e->key, fresh->key, e->key_len) != 0)
            continue;
        e->is_used = true;
        entry_free(fresh);
        return e;
    }
    work_out(c, fresh, patterns, n);
    fresh->is_used = true;
    fresh->next = *bucket;
    *bucket = fresh;
    return fresh;
}

int regex_cache_compile(void *arg, const struct slice *patterns, uint32_t n, const void **ret_bytes,
                        size_t *ret_len)
{
    ASSERT(n > 0 && n <= IMAGE_PATTERNS_PER_SET_MAX);
    const struct entry *e = find(arg, patterns, n);
    if (e == NULL)
        return -ENOMEM;
    *ret_bytes = e->bytes;
    *ret_len = e->len;
    return e->error;
}

bool regex_cache_check(void *arg, const char *pattern, const char **ret_why)
{
    struct slice text = slice_of_str(pattern);
    if (text.len == 0 || text.len > IMAGE_PATTERN_BYTES_MAX) {
        *ret_why = text.len == 0 ? "it is empty" : "it is too long";
        return false;
    }
    struct slice rest = slice_skip(text, pattern_way(text));
    const struct entry *e = find(arg, &rest, 1);
    if (e != NULL && e->error == 0)
        return true;
    e = find(arg, &text, 1); /* for the reason as it is told of the whole */
    if (e != NULL && e->error == 0)
        e = find(arg, &rest, 1); /* what takes too long */
    *ret_why = e == NULL || e->why == NULL ? "no memory" : e->why;
    return false;
}
