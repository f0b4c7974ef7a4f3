/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The builder's regular expressions. Those of predicates get a set each as they come, those of
 * paths are gathered when the image is finished: a node's in one set, or in several where one
 * database cannot hold them.
 */
#include "compile/image_builder_priv.h"

#include "base/assert.h"
#include "base/siphash.h"
#include "compile/pattern_way.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t hash_of(uint64_t seed, struct slice text)
{
    return siphash(&(struct siphash_key){seed, 0}, text.ptr, text.len);
}

static int compile(struct image_builder *b, const struct slice *patterns, uint32_t n,
                   const void **ret_bytes, size_t *ret_len)
{
    return b->compile == NULL ? -EINVAL
                              : b->compile(b->compile_arg, patterns, n, ret_bytes, ret_len);
}

bool image_builder_is_pattern(struct image_builder *b, const char *text, bool is_path)
{
    const void *bytes;
    size_t len;
    struct slice pattern = image_arg(text);
    if (pattern.len == 0 || pattern.len > IMAGE_PATTERN_BYTES_MAX)
        return false;
    pattern = is_path ? slice_skip(pattern, pattern_way(pattern)) : pattern;
    return compile(b, &pattern, 1, &bytes, &len) == 0;
}

/* ---- databases, each once ---- */

static const struct builder_database *database_at(const struct image_builder *b, uint32_t i)
{
    return &((const struct builder_database *)(const void *)b->databases.bytes)[i];
}

static bool is_database_equal(const struct image_builder *b, uint32_t index, const void *key)
{
    return database_at(b, index)->bytes == *(const void *const *)key;
}

static uint64_t pointer_hash(const void *bytes)
{
    return hash_of(0, slice_of((const uint8_t *)&bytes, sizeof(bytes)));
}

/* The database of those bytes; IMAGE_NONE: b->error is set. */
static uint32_t database_of(struct image_builder *b, const void *bytes, size_t len)
{
    struct image_index_key key = {pointer_hash(bytes), &bytes, is_database_equal};
    uint32_t known = image_index_find(b, &b->by_database, &key);
    if (known != IMAGE_NONE)
        return database_at(b, known)->database;
    struct image_vec *all = SECTION(b, DATABASE_BYTES);
    uint32_t offset = all->count;
    if (len > IMAGE_BYTES_MAX || !image_vec_append(b, all, bytes, (uint32_t)len)) {
        if (b->error == 0)
            b->error = -E2BIG;
        return IMAGE_NONE;
    }
    struct image_database *e = image_vec_push(b, SECTION(b, DATABASES));
    struct builder_database *mine = e == NULL ? NULL : image_vec_push(b, &b->databases);
    if (mine == NULL)
        return IMAGE_NONE;
    *e = (struct image_database){offset, (uint32_t)len};
    *mine = (struct builder_database){bytes, SECTION(b, DATABASES)->count - 1};
    return image_index_add(b, &b->by_database, &key, b->databases.count - 1)
               ? SECTION(b, DATABASES)->count - 1
               : IMAGE_NONE;
}

/* ---- sets ---- */

static const struct image_value no_value = {IMAGE_NONE, IMAGE_NONE, IMAGE_NONE};

/* What the patterns of a set compiled to. */
struct compiled {
    const void *bytes;
    size_t len;
};

/* A set of `n` patterns of a node; the patterns follow. False: b->error. */
static bool push_set(struct image_builder *b, uint32_t n, uint32_t node, struct compiled c)
{
    uint32_t database = database_of(b, c.bytes, c.len);
    struct image_pattern_set *e =
        database == IMAGE_NONE ? NULL : image_vec_push(b, SECTION(b, PATTERN_SETS));
    if (e == NULL)
        return false;
    *e = (struct image_pattern_set){SECTION(b, PATTERNS)->count, n, database, node};
    return true;
}

static bool push_pattern(struct image_builder *b, const struct image_pattern *pattern)
{
    struct image_pattern *e = image_vec_push(b, SECTION(b, PATTERNS));
    if (e != NULL)
        *e = *pattern;
    return e != NULL;
}

/* What finish made goes; the sets of predicates have one pattern each. */
static void drop_host_sets(struct image_builder *b)
{
    SECTION(b, PATTERN_SETS)->count = b->n_predicate_sets;
    SECTION(b, PATTERNS)->count = b->n_predicate_sets;
}

/* ---- predicates ---- */

static bool is_predicate_set_equal(const struct image_builder *b, uint32_t index, const void *key)
{
    const struct image_pattern *e = &ENTRIES(b, PATTERNS, const struct image_pattern)[index];
    return slice_eq(image_builder_text(b, e->text), *(const struct slice *)key);
}

uint32_t image_builder_predicate_set(struct image_builder *b, struct image_string text)
{
    struct compiled c;
    struct slice pattern = image_builder_text(b, text);
    struct image_index_key key = {hash_of(0, pattern), &pattern, is_predicate_set_equal};
    uint32_t known = image_index_find(b, &b->by_predicate_set, &key);
    if (known != IMAGE_NONE)
        return known;
    drop_host_sets(b);
    int error = compile(b, &pattern, 1, &c.bytes, &c.len);
    if (error != 0) {
        b->error = error; /* it compiled a moment ago */
        return IMAGE_NONE;
    }
    if (!push_set(b, 1, IMAGE_NONE, c) ||
        !push_pattern(b, &(struct image_pattern){.text = text, .value = no_value}))
        return IMAGE_NONE;
    b->n_predicate_sets++;
    ASSERT(SECTION(b, PATTERNS)->count == b->n_predicate_sets);
    return image_index_add(b, &b->by_predicate_set, &key, b->n_predicate_sets - 1)
               ? b->n_predicate_sets - 1
               : IMAGE_NONE;
}

/* ---- paths of hosts ---- */

struct pattern_key {
    uint32_t host;
    struct image_string text;
};

static struct builder_pattern *pattern_at(const struct image_builder *b, uint32_t i)
{
    return &((struct builder_pattern *)(void *)b->patterns.bytes)[i];
}

static struct image_string text_at(const struct image_builder *b, uint32_t i)
{
    return ENTRIES(b, PATHS, const struct image_path)[pattern_at(b, i)->path].text;
}

static uint64_t pattern_hash(uint32_t host, struct image_string text)
{
    uint32_t words[] = {host, text.offset, text.length}; /* each text is in the image once */
    return hash_of(0, slice_of((const uint8_t *)words, sizeof(words)));
}

static bool is_pattern_equal(const struct image_builder *b, uint32_t index, const void *key)
{
    const struct pattern_key *k = key;
    struct image_string text = text_at(b, index);
    return pattern_at(b, index)->host == k->host && text.offset == k->text.offset &&
           text.length == k->text.length;
}

uint32_t image_builder_pattern_path(struct image_builder *b, uint32_t host,
                                    struct image_string text)
{
    struct pattern_key pattern = {host, text};
    struct image_index_key key = {pattern_hash(host, text), &pattern, is_pattern_equal};
    uint32_t known = image_index_find(b, &b->by_pattern, &key);
    if (known != IMAGE_NONE)
        return pattern_at(b, known)->path;
    uint32_t way = (uint32_t)pattern_way(image_builder_text(b, text));
    uint32_t root = ENTRIES(b, HOSTS, const struct image_host)[host].root;
    uint32_t node = image_builder_path_node(
        b, root, (struct image_string){text.offset, way == 0 ? 0 : way - 1});
    struct image_path *e = node == IMAGE_NONE ? NULL : image_vec_push(b, SECTION(b, PATHS));
    struct builder_pattern *mine = e == NULL ? NULL : image_vec_push(b, &b->patterns);
    if (mine == NULL)
        return IMAGE_NONE;
    e->text = text;
    e->kind = IMAGE_PATH_REGEX;
    *mine = (struct builder_pattern){host, node, way, SECTION(b, PATHS)->count - 1};
    return image_index_add(b, &b->by_pattern, &key, b->patterns.count - 1) ? mine->path
                                                                           : IMAGE_NONE;
}

static int compare_patterns(const void *x, const void *y, void *builder)
{
    const struct image_builder *b = builder;
    const struct builder_pattern *p = x, *q = y;
    const struct image_path *paths = ENTRIES(b, PATHS, const struct image_path);
    if (p->host != q->host)
        return p->host < q->host ? -1 : 1;
    if (p->node != q->node)
        return p->node < q->node ? -1 : 1;
    return image_pattern_order(image_builder_text(b, paths[p->path].text),
                               image_builder_text(b, paths[q->path].text));
}

/* What the database of a node's patterns has to know, all in one. -EINVAL: too many for one. */
static int compile_paths(struct image_builder *b, const struct builder_pattern *patterns,
                         uint32_t n, struct compiled *ret)
{
    struct slice texts[IMAGE_PATTERNS_PER_SET_MAX] = {0};
    const struct image_path *paths = ENTRIES(b, PATHS, const struct image_path);
    if (n > IMAGE_PATTERNS_PER_SET_MAX)
        return -EINVAL;
    for (uint32_t i = 0; i < n; i++)
        texts[i] = slice_skip(image_builder_text(b, paths[patterns[i].path].text), patterns[i].way);
    return compile(b, texts, n, &ret->bytes, &ret->len);
}

/* One set of these patterns of a node; or, if they are too much for one, two. */
static void push_node_sets(struct image_builder *b, struct image_host *host,
                           const struct builder_pattern *patterns, uint32_t n)
{
    struct compiled c;
    ASSERT(n > 0);
    int error = compile_paths(b, patterns, n, &c);
    if (error == -EINVAL && n > 1) {
        push_node_sets(b, host, patterns, n / 2);
        push_node_sets(b, host, patterns + n / 2, n - n / 2);
        return;
    }
    if (error != 0 && b->error == 0)
        b->error = error;
    if (b->error != 0 || !push_set(b, n, patterns->node, c))
        return;
    host->n_sets++;
    const struct image_path *paths = ENTRIES(b, PATHS, const struct image_path);
    for (uint32_t i = 0; i < n; i++)
        push_pattern(b, &(struct image_pattern){.text = paths[patterns[i].path].text,
                                                .value = {patterns[i].path, IMAGE_NONE, IMAGE_NONE},
                                                .way = patterns[i].way});
}

/* All sets of a host, whose patterns begin at `sorted`. Returns how many patterns it has. */
static uint32_t push_host_sets(struct image_builder *b, uint32_t host,
                               const struct builder_pattern *sorted, uint32_t n)
{
    struct image_host *e = &ENTRIES(b, HOSTS, struct image_host)[host];
    uint32_t begin = 0;
    e->first_set = SECTION(b, PATTERN_SETS)->count;
    e->n_sets = 0;
    while (begin < n && sorted[begin].host == host && b->error == 0) {
        uint32_t node = sorted[begin].node, end = begin;
        while (end < n && sorted[end].node == node)
            end++;
        image_builder_node(b, node)->first_set = SECTION(b, PATTERN_SETS)->count;
        push_node_sets(b, e, &sorted[begin], end - begin);
        begin = end;
    }
    return begin;
}

int image_builder_patterns(struct image_builder *b)
{
    uint32_t n = b->patterns.count;
    struct builder_pattern *sorted = malloc((n + 1) * sizeof(*sorted));
    if (sorted == NULL)
        return -ENOMEM;
    if (n != 0) {
        memcpy(sorted, b->patterns.bytes, n * sizeof(*sorted)); /* by_pattern names their places */
        qsort_r(sorted, n, sizeof(*sorted), compare_patterns, b);
    }
    drop_host_sets(b);
    for (uint32_t host = 0, done = 0; host < SECTION(b, HOSTS)->count && b->error == 0; host++)
        done += push_host_sets(b, host, &sorted[done], n - done);
    free(sorted);
    return b->error;
}
