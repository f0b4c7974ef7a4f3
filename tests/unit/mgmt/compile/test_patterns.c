/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions from the builder to the match: who is asked when, and what matches. */
#include "base/container.h"
#include "compile/image_builder.h"
#include "compile/regex_cache.h"
#include "compile/regex_process.h"
#include "route/explain.h"
#include "route/pattern_compile.h"
#include "route/route.h"
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One match of a route of its own: "r00", "r01", ... in the order of precedence. */
struct row {
    enum image_path_kind kind;
    const char *path;
    const char *method;
    struct image_pair header; /* name NULL: none */
    struct image_pair query;
};

struct world {
    struct regex_cache *cache;
    void *data;
    size_t len;
    struct image_view v;
    struct route_patterns *patterns;
};

static struct ip_addr vip(void)
{
    struct ip_addr a;
    REQUIRE(ip_addr_parse("198.18.0.10", &a));
    return a;
}

static void add_row(struct image_builder *b, uint32_t listener, const struct row *row, unsigned n)
{
    char name[32];
    struct image_match_spec spec = {.path_kind = row->kind,
                                    .path = row->path,
                                    .method = row->method,
                                    .headers = &row->header,
                                    .n_headers = row->header.name != NULL,
                                    .queries = &row->query,
                                    .n_queries = row->query.name != NULL};
    snprintf(name, sizeof(name), "ns/r%02u", n);
    REQUIRE(image_builder_route(b, name, 1) == 0);
    REQUIRE(image_builder_rule(b, 0) != IMAGE_NONE);
    REQUIRE(image_builder_match(b, &spec) == 0);
    REQUIRE(image_builder_attach(b, listener, "a.example.com") == 0);
    REQUIRE(image_builder_attach(b, listener, NULL) == 0);
}

static void open_world(struct world *w, const struct row *rows, unsigned n)
{
    struct ip_addr addr = vip();
    char fault[128];
    *w = (struct world){.cache = regex_cache_new()};
    struct image_builder *b = image_builder_new();
    image_builder_set_compiler(b, regex_cache_compile, w->cache);
    uint32_t listener = image_builder_listener(b, "ns/gw/web", "", IMAGE_PROTOCOL_HTTP, 80);
    REQUIRE(image_builder_bind(b, &addr, 80, listener) == 0);
    for (unsigned i = 0; i < n; i++)
        add_row(b, listener, &rows[i], i);
    REQUIRE(image_builder_finish(b, 1, &w->data, &w->len) == 0);
    image_builder_free(b);
    CHECK_STR(image_fault_name(image_check(w->data, w->len, NULL)), "OK");
    image_view_init(&w->v, w->data);
    REQUIRE(route_patterns_new(&w->v, 2, &w->patterns, fault, sizeof(fault)));
}

static void close_world(struct world *w)
{
    route_patterns_free(w->patterns);
    free(w->data);
    regex_cache_free(w->cache);
}

/* The number of the route that takes the request; -1: none does. */
static int taker(const struct world *w, const char *path, const char *query,
                 const struct route_field *fields, uint32_t n_fields)
{
    struct ip_addr addr = vip();
    struct route_result result;
    struct route_request request = {.host = SLICE_LIT("a.example.com"),
                                    .path = slice_of_str(path),
                                    .query = slice_of_str(query),
                                    .method = SLICE_LIT("GET"),
                                    .fields = fields,
                                    .n_fields = n_fields,
                                    .reader = {w->patterns, 1}};
    REQUIRE(route_bind_find(&w->v, &addr, 80, &request.bind));
    route_match(&w->v, &request, &result);
    if (result.outcome != ROUTE_OUTCOME_RULE)
        return -1;
    struct slice name = image_text(&w->v, w->v.routes[w->v.rules[result.rule].route].name);
    return (name.ptr[4] - '0') * 10 + name.ptr[5] - '0';
}

static int taker_of(const struct world *w, const char *path)
{
    return taker(w, path, "", NULL, 0);
}

#define REGEX(p)                                                                                   \
    {                                                                                              \
        .kind = IMAGE_PATH_REGEX, .path = (p)                                                      \
    }
#define PREFIX(p)                                                                                  \
    {                                                                                              \
        .kind = IMAGE_PATH_PREFIX, .path = (p)                                                     \
    }
#define EXACT(p)                                                                                   \
    {                                                                                              \
        .kind = IMAGE_PATH_EXACT, .path = (p)                                                      \
    }

TEST(exact_comes_first_then_patterns_then_prefixes)
{
    static const struct row rows[] = {PREFIX("/a/b"), REGEX("/a/.*"), EXACT("/a/b")};
    struct world w;
    open_world(&w, rows, array_len(rows));
    CHECK_EQ(taker_of(&w, "/a/b"), 2);
    CHECK_EQ(taker_of(&w, "/a/b/c"), 1);
    CHECK_EQ(taker_of(&w, "/a"), -1);
    CHECK_EQ(taker_of(&w, "/a/"), 1);
    close_world(&w);
}

TEST(of_patterns_the_longer_is_asked_first_and_the_next_where_it_does_not_hold)
{
    static const struct row rows[] = {
        REGEX("/[a-z]+"),
        {.kind = IMAGE_PATH_REGEX, .path = "/[a-z]+[a-z]*", .method = "PUT"},
        {.kind = IMAGE_PATH_REGEX, .path = "/[a-z]+x*", .header = {"k", "v", false}},
    };
    static const struct route_field fields[] = {
        {{(const uint8_t *)"k", 1}, {(const uint8_t *)"v", 1}}};
    struct world w;
    open_world(&w, rows, array_len(rows));
    CHECK_EQ(taker_of(&w, "/abc"), 0);
    CHECK_EQ(taker(&w, "/abc", "", fields, 1), 2);
    CHECK_EQ(taker_of(&w, "/abc1"), -1);
    close_world(&w);
}

TEST(a_pattern_matches_the_whole_path_or_not_at_all)
{
    static const struct row rows[] = {REGEX("/a|/bb"), REGEX("/(?i)c+"), REGEX("/d(e|f)?"),
                                      REGEX("/\\x{41}\\.[^/]+$"), REGEX("^/g.h$")};
    struct world w;
    open_world(&w, rows, array_len(rows));
    CHECK_EQ(taker_of(&w, "/a"), 0);
    CHECK_EQ(taker_of(&w, "/bb"), 0);
    CHECK_EQ(taker_of(&w, "/ab"), -1);
    CHECK_EQ(taker_of(&w, "/x/a"), -1);
    CHECK_EQ(taker_of(&w, "/a\n"), -1);
    CHECK_EQ(taker_of(&w, "/cC"), 1);
    CHECK_EQ(taker_of(&w, "/df"), 2);
    CHECK_EQ(taker_of(&w, "/dd"), -1);
    CHECK_EQ(taker_of(&w, "/A.z"), 3);
    CHECK_EQ(taker_of(&w, "/A.z/"), -1);
    CHECK_EQ(taker_of(&w, "/g-h"), 4);
    close_world(&w);
}

TEST(a_pattern_of_a_header_is_asked_about_all_its_values)
{
    static const struct row rows[] = {
        {.kind = IMAGE_PATH_PREFIX, .path = "/", .header = {"K", "a.*, b", true}},
        {.kind = IMAGE_PATH_PREFIX, .path = "/e", .header = {"k", "|x", true}}};
    static const struct route_field one[] = {
        {{(const uint8_t *)"k", 1}, {(const uint8_t *)"aa", 2}},
        {{(const uint8_t *)"other", 5}, {(const uint8_t *)"b", 1}},
        {{(const uint8_t *)"K", 1}, {(const uint8_t *)"b", 1}},
    };
    static const struct route_field empty[] = {
        {{(const uint8_t *)"k", 1}, {(const uint8_t *)"", 0}}};
    struct world w;
    open_world(&w, rows, array_len(rows));
    CHECK_EQ(taker(&w, "/", "", one, 3), 0);
    CHECK_EQ(taker(&w, "/", "", one, 2), -1);
    CHECK_EQ(taker_of(&w, "/"), -1);
    CHECK_EQ(taker(&w, "/e", "", empty, 1), 1); /* it is there, and empty */
    CHECK_EQ(taker_of(&w, "/e"), -1);
    close_world(&w);
}

TEST(a_pattern_of_a_query_parameter_is_asked_about_the_first_decoded)
{
    static const struct row rows[] = {
        {.kind = IMAGE_PATH_PREFIX, .path = "/", .query = {"q", "a b[0-9]", true}}};
    struct world w;
    open_world(&w, rows, array_len(rows));
    CHECK_EQ(taker(&w, "/", "q=a+b%31", NULL, 0), 0);
    CHECK_EQ(taker(&w, "/", "x=1&q=a%20b2&q=no", NULL, 0), 0);
    CHECK_EQ(taker(&w, "/", "q=no&q=a+b1", NULL, 0), -1);
    CHECK_EQ(taker(&w, "/", "", NULL, 0), -1);
    close_world(&w);
}

TEST(two_hosts_with_the_same_patterns_share_a_database)
{
    static const struct row rows[] = {
        REGEX("/a.*"),
        REGEX("/b.*"),
        {.kind = IMAGE_PATH_PREFIX, .path = "/", .header = {"k", "v+", true}},
        {.kind = IMAGE_PATH_PREFIX, .path = "/x", .query = {"k", "v+", true}}};
    struct world w;
    open_world(&w, rows, array_len(rows));
    CHECK_EQ(w.v.n_hosts, 2);
    CHECK_EQ(w.v.n_pattern_sets, 3); /* one for both predicates, one a host */
    CHECK_EQ(w.v.n_databases, 2);
    CHECK_EQ(w.v.n_patterns, 5);
    close_world(&w);
}

TEST(the_same_rows_give_the_same_bytes_whoever_compiles)
{
    static const struct row rows[] = {
        REGEX("/a.*"),
        REGEX("/[^/]+/b{2,5}"),
        {.kind = IMAGE_PATH_PREFIX, .path = "/", .header = {"k", "v+", true}}};
    struct world first, second;
    open_world(&first, rows, array_len(rows));
    open_world(&second, rows, array_len(rows));
    CHECK(first.v.header->content_checksum == second.v.header->content_checksum);
    close_world(&first);
    close_world(&second);
}

TEST(more_patterns_than_one_database_takes_go_into_several)
{
    static char texts[IMAGE_PATTERNS_PER_SET_MAX + 44][32];
    struct ip_addr addr = vip();
    struct world w = {.cache = regex_cache_new()};
    char fault[128];
    struct image_builder *b = image_builder_new();
    image_builder_set_compiler(b, regex_cache_compile, w.cache);
    uint32_t listener = image_builder_listener(b, "ns/gw/web", "", IMAGE_PROTOCOL_HTTP, 80);
    REQUIRE(image_builder_bind(b, &addr, 80, listener) == 0);
    REQUIRE(image_builder_route(b, "ns/r07", 1) == 0);
    REQUIRE(image_builder_rule(b, 0) != IMAGE_NONE);
    for (unsigned i = 0; i < array_len(texts); i++) {
        snprintf(texts[i], sizeof(texts[i]), "/[a-z]*/p%03u", i);
        struct image_match_spec spec = {
            .path_kind = IMAGE_PATH_REGEX, .path = texts[i], .index = (uint16_t)i};
        REQUIRE(image_builder_match(b, &spec) == 0);
    }
    REQUIRE(image_builder_attach(b, listener, "a.example.com") == 0);
    REQUIRE(image_builder_finish(b, 1, &w.data, &w.len) == 0);
    free(w.data);
    REQUIRE(image_builder_finish(b, 1, &w.data, &w.len) == 0); /* once more, the same */
    image_builder_free(b);
    CHECK_STR(image_fault_name(image_check(w.data, w.len, NULL)), "OK");
    image_view_init(&w.v, w.data);
    CHECK_EQ(w.v.hosts[0].n_sets, 2);
    CHECK_EQ(w.v.n_patterns, array_len(texts));
    REQUIRE(route_patterns_new(&w.v, 2, &w.patterns, fault, sizeof(fault)));
    CHECK_EQ(taker_of(&w, "/a/p000"), 7);
    CHECK_EQ(taker_of(&w, "//p299"), 7);
    CHECK_EQ(taker_of(&w, "/z/p300"), -1);
    close_world(&w);
}

TEST(what_is_no_pattern_is_refused_with_the_compiler_s_reason)
{
    static const char *const bad[] = {"a)|(b", "(", "[", "(?<=a)b", "(a)\\1", "(?#", "", "a\\"};
    static const char *const good[] = {"a",    ".*",    "(a|b)?", "a{2}", "[^/]+",
                                       "\\d+", "a$|^b", "x*",     "a{2"};
    struct regex_cache *cache = regex_cache_new();
    for (unsigned i = 0; i < array_len(bad); i++) {
        const char *why = "";
        CHECK(!regex_cache_check(cache, bad[i], &why));
        CHECK(strlen(why) > 5);
    }
    for (unsigned i = 0; i < array_len(good); i++) {
        const char *why;
        CHECK(regex_cache_check(cache, good[i], &why));
    }
    regex_cache_trim(cache);
    regex_cache_trim(cache); /* nobody asked in between */
    regex_cache_free(cache);
}

TEST(a_builder_refuses_a_match_whose_pattern_does_not_compile_and_goes_on)
{
    static const struct image_pair bad = {"k", "(", true};
    struct regex_cache *cache = regex_cache_new();
    struct image_builder *b = image_builder_new();
    struct image_match_spec path = {.path_kind = IMAGE_PATH_REGEX, .path = "/("};
    struct image_match_spec header = {
        .path_kind = IMAGE_PATH_PREFIX, .path = "/", .headers = &bad, .n_headers = 1};
    struct image_match_spec fine = {.path_kind = IMAGE_PATH_REGEX, .path = "/x+"};
    REQUIRE(image_builder_route(b, "ns/r", 1) == 0);
    REQUIRE(image_builder_rule(b, 0) != IMAGE_NONE);
    CHECK(image_builder_match(b, &fine) < 0); /* nobody compiles */
    image_builder_set_compiler(b, regex_cache_compile, cache);
    CHECK(image_builder_match(b, &path) < 0);
    CHECK(image_builder_match(b, &header) < 0);
    CHECK_EQ(image_builder_match(b, &fine), 0);
    image_builder_free(b);
    regex_cache_free(cache);
}

TEST(a_database_that_is_none_is_refused_when_it_is_loaded)
{
    static const struct row rows[] = {REGEX("/a.*")};
    struct world w;
    struct route_patterns *patterns;
    char fault[128];
    open_world(&w, rows, array_len(rows));
    uint8_t *bytes = (uint8_t *)(uintptr_t)w.v.database_bytes;
    bytes[w.v.databases[0].length / 2] ^= 1;
    image_seal(w.data, w.len);
    CHECK_STR(image_fault_name(image_check(w.data, w.len, NULL)), "OK");
    CHECK(!route_patterns_new(&w.v, 1, &patterns, fault, sizeof(fault)));
    CHECK_STR(fault, "database 0 of regular expressions: damaged");
    close_world(&w);
}

static unsigned n_told[16];

static void note_candidate(void *arg, const struct route_candidate *candidate)
{
    n_told[candidate->loss]++;
}

TEST(explain_tells_of_every_pattern)
{
    static const struct row rows[] = {REGEX("/a.*"), REGEX("/a[b]*"), REGEX("/z"), PREFIX("/a"),
                                      PREFIX("/q")};
    struct ip_addr addr = vip();
    struct route_result result;
    struct world w;
    open_world(&w, rows, array_len(rows));
    struct route_request request = {.host = SLICE_LIT("a.example.com"),
                                    .path = SLICE_LIT("/ab"),
                                    .method = SLICE_LIT("GET"),
                                    .reader = {w.patterns, 0}};
    REQUIRE(route_bind_find(&w.v, &addr, 80, &request.bind));
    memset(n_told, 0, sizeof(n_told));
    route_explain(&w.v, &request, &result, note_candidate, NULL);
    CHECK_EQ(n_told[ROUTE_LOSS_NONE], 1);
    /* the same rows serve the host without a name too: there they lose by precedence */
    CHECK_EQ(n_told[ROUTE_LOSS_PRECEDENCE], 1 + 2);
    CHECK_EQ(n_told[ROUTE_LOSS_PATH], 2 * 3);
    close_world(&w);
}

/* Nested repeats that Hyperscan unrolls; each alone takes it half a second and more. */
static void write_dear_patterns(char (*texts)[64], struct slice *patterns, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        snprintf(texts[i], sizeof(texts[i]), "(%c{1,100}%c{1,2}){1,%u}", (int)('a' + i % 26),
                 (int)('b' + i % 24), 90 + i % 10);
        patterns[i] = slice_of_str(texts[i]);
    }
}

TEST(what_takes_too_long_to_compile_is_refused_and_the_next_is_not)
{
    enum { N = 64 };
    static char texts[N][64];
    struct slice patterns[N], good = SLICE_LIT("/v[0-9]+");
    struct regex_process p;
    struct route_pattern_fault fault;
    void *bytes;
    size_t len;
    regex_process_init(&p);
    write_dear_patterns(texts, patterns, N);
    CHECK_EQ(regex_process_compile(&p, patterns, N, &bytes, &len, &fault), REGEX_REFUSED);
    CHECK_STR(fault.text, "it takes too long to compile");
    CHECK_EQ(fault.pattern, UINT32_MAX);
    CHECK_EQ(p.pid, 0);
    REQUIRE(regex_process_compile(&p, &good, 1, &bytes, &len, &fault) == REGEX_COMPILED);
    free(bytes);
    pid_t first = p.pid;
    REQUIRE(regex_process_compile(&p, &good, 1, &bytes, &len, &fault) == REGEX_COMPILED);
    free(bytes);
    CHECK_EQ(p.pid, first); /* one process for all */
    regex_process_done(&p);
    regex_process_done(&p);
}

TEST(a_process_that_was_killed_is_replaced)
{
    struct slice good = SLICE_LIT("/v[0-9]+"), bad = SLICE_LIT("/(?<=r).*");
    struct regex_process p;
    struct route_pattern_fault fault;
    void *bytes;
    size_t len;
    regex_process_init(&p);
    CHECK_EQ(regex_process_compile(&p, &bad, 1, &bytes, &len, &fault), REGEX_REFUSED);
    CHECK_EQ(fault.pattern, 0);
    CHECK(strlen(fault.text) > 0);
    REQUIRE(p.pid > 0);
    kill(p.pid, SIGKILL);
    CHECK_EQ(regex_process_compile(&p, &good, 1, &bytes, &len, &fault), REGEX_FAILED);
    REQUIRE(regex_process_compile(&p, &good, 1, &bytes, &len, &fault) == REGEX_COMPILED);
    free(bytes);
    regex_process_done(&p);
}

UNIT_MAIN("compile/patterns", T(what_takes_too_long_to_compile_is_refused_and_the_next_is_not),
          T(a_process_that_was_killed_is_replaced),
          T(exact_comes_first_then_patterns_then_prefixes),
          T(of_patterns_the_longer_is_asked_first_and_the_next_where_it_does_not_hold),
          T(a_pattern_matches_the_whole_path_or_not_at_all),
          T(a_pattern_of_a_header_is_asked_about_all_its_values),
          T(a_pattern_of_a_query_parameter_is_asked_about_the_first_decoded),
          T(two_hosts_with_the_same_patterns_share_a_database),
          T(the_same_rows_give_the_same_bytes_whoever_compiles),
          T(more_patterns_than_one_database_takes_go_into_several),
          T(what_is_no_pattern_is_refused_with_the_compiler_s_reason),
          T(a_builder_refuses_a_match_whose_pattern_does_not_compile_and_goes_on),
          T(a_database_that_is_none_is_refused_when_it_is_loaded),
          T(explain_tells_of_every_pattern))
