/* SPDX-License-Identifier: Apache-2.0 */
/* What is taken off the front of a pattern, and that nothing is lost by it: patterns by chance,
 * each as it is and within a group, where it stays whole, are the same for every path. */
#include "base/container.h"
#include "base/rng.h"
#include "compile/image_builder.h"
#include "compile/pattern_way.h"
#include "compile/regex_cache.h"
#include "route/pattern_compile.h"
#include "route/route.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATTERNS 400u
#define PATHS 60u
#define TEXT_BYTES_MAX 96u

TEST(literal_segments_are_the_way_where_the_rest_does_not_look_back)
{
    static const struct {
        const char *pattern;
        size_t way;
    } rows[] = {
        {"/a/b/[0-9]+", 5},
        {"/a/b", 3},
        {"/a/", 0},
        {"/a.*", 0},
        {"/a/.*", 3},
        {"//.*", 2},
        {"/a/b/c/d/e/f.*", 9},
        {"/a/(b|c)/d", 3},
        {"/a/[^/]+/(?:x|y)?", 3},
        {"/a/\\d+\\.html$", 3},
        {"/a-b_c~d%20/x*", 12},
        /* the slash or the segment before it is part of something else */
        {"/a/*", 0},
        {"/a/b/{2}", 3},
        {"/a/+b", 0},
        {"/a?/b", 0},
        {"/a\\.b/c", 0},
        {"a/b/c", 0},
        /* alternatives, assertions, flags and what else is not looked through */
        {"/a/b|/c", 0},
        {"/a/^b", 0},
        {"/a/\\bx", 0},
        {"/a/(?i)x", 0},
        {"/a/(?<n>x)", 0},
        {"/a/(*UTF8)x", 0},
        {"/a/\\Qx|y\\E", 0},
        {"/a/[[:alpha:]]", 0},
        {"/a/[]x]", 0},
        {"/a/(x", 0},
        {"/a/x)", 0},
        {"/a/\\", 0},
    };
    for (size_t i = 0; i < array_len(rows); i++) {
        size_t way = pattern_way(slice_of_str(rows[i].pattern));
        CHECK_EQ(way, rows[i].way);
        if (way != rows[i].way)
            printf("%s\n", rows[i].pattern);
    }
}

/* Pieces by chance behind a slash. */
static void chance_text(struct rng *rng, const char *const *pieces, uint32_t n, char *ret)
{
    size_t len = (size_t)snprintf(ret, TEXT_BYTES_MAX, "/");
    for (unsigned i = 1 + rng_below(rng, 9); i > 0; i--)
        len += (size_t)snprintf(ret + len, TEXT_BYTES_MAX - len, "%s", pieces[rng_below(rng, n)]);
}

struct world {
    void *data;
    struct image_view v;
    struct route_patterns *patterns;
    struct route_request request;
};

/* One listener, one route; `texts` are patterns of its matches. */
static void open_world(struct world *w, struct regex_cache *cache, const char *const *texts,
                       unsigned n)
{
    struct ip_addr addr;
    char fault[128];
    size_t len;
    REQUIRE(ip_addr_parse("198.18.0.10", &addr));
    struct image_builder *b = image_builder_new();
    image_builder_set_compiler(b, regex_cache_compile, cache);
    uint32_t listener = image_builder_listener(b, "ns/gw/web", "", IMAGE_PROTOCOL_HTTP, 80);
    REQUIRE(image_builder_bind(b, &addr, 80, listener) == 0);
    REQUIRE(image_builder_route(b, "ns/r", 1) == 0);
    for (unsigned i = 0; i < n; i++) {
        struct image_match_spec spec = {.path_kind = IMAGE_PATH_REGEX, .path = texts[i]};
        REQUIRE(image_builder_rule(b, (uint16_t)i) != IMAGE_NONE);
        REQUIRE(image_builder_match(b, &spec) == 0);
    }
    REQUIRE(image_builder_attach(b, listener, NULL) == 0);
    REQUIRE(image_builder_finish(b, 1, &w->data, &len) == 0);
    image_builder_free(b);
    REQUIRE(image_check(w->data, len, NULL) == IMAGE_FAULT_OK);
    image_view_init(&w->v, w->data);
    REQUIRE(route_patterns_new(&w->v, 1, &w->patterns, fault, sizeof(fault)));
    w->request = (struct route_request){
        .host = SLICE_LIT("h"), .method = SLICE_LIT("GET"), .reader = {w->patterns, 0}};
    REQUIRE(route_bind_find(&w->v, &addr, 80, &w->request.bind));
}

static void close_world(struct world *w)
{
    route_patterns_free(w->patterns);
    free(w->data);
}

/* The number of the rule that takes the path; -1: none does. */
static int taker(struct world *w, const char *path)
{
    struct route_result result;
    w->request.path = slice_of_str(path);
    route_match(&w->v, &w->request, &result);
    return result.outcome == ROUTE_OUTCOME_RULE ? w->v.rules[result.rule].index : -1;
}

/* Is it a pattern, whole? */
static bool is_pattern(const char *text)
{
    struct slice pattern = slice_of_str(text);
    struct route_pattern_fault fault;
    void *bytes;
    size_t len;
    if (!route_patterns_compile(&pattern, 1, &bytes, &len, &fault))
        return false;
    free(bytes);
    return true;
}

static const char *const path_pieces[] = {"/", "/", "/a", "/b", "a", "b", "A", "1", "|", "\n"};

/* Each pattern alone, as it is and within a group. */
static void compare(struct regex_cache *cache, const char *text, struct rng *rng)
{
    char group[TEXT_BYTES_MAX + 8], path[TEXT_BYTES_MAX];
    const char *whole = group;
    struct world cut, kept;
    snprintf(group, sizeof(group), "(?:%s)", text);
    open_world(&cut, cache, &text, 1);
    open_world(&kept, cache, &whole, 1);
    for (unsigned i = 0; i < PATHS; i++) {
        chance_text(rng, path_pieces, array_len(path_pieces), path);
        CHECK_EQ(taker(&cut, path), taker(&kept, path));
        if (taker(&cut, path) != taker(&kept, path))
            printf("%s: %s\n", text, path);
    }
    close_world(&cut);
    close_world(&kept);
}

TEST(a_pattern_without_its_way_matches_the_same_paths)
{
    static const char *const pieces[] = {
        "/",   "/a", "/b", "/a/", "a",  "b",   "[ab]", "(a|b)", "*",   "+",    "?", ".",
        "\\d", "|",  "^",  "$",   "{2", "\\b", "(?i)", "{1,2}", "\\/", "(?:b", ")", "[^/]*"};
    struct regex_cache *cache = regex_cache_new();
    struct rng rng = {7};
    unsigned n_ways = 0, n_none = 0;
    for (unsigned i = 0; i < PATTERNS; i++) {
        char text[TEXT_BYTES_MAX];
        const char *why;
        chance_text(&rng, pieces, array_len(pieces), text);
        bool is_one = is_pattern(text);
        CHECK_EQ(regex_cache_check(cache, text, &why), is_one);
        n_none += !is_one;
        n_ways += is_one && pattern_way(slice_of_str(text)) != 0;
        if (is_one)
            compare(cache, text, &rng);
    }
    CHECK(n_ways > PATTERNS / 20 && n_none > PATTERNS / 20); /* chance made both */
    regex_cache_free(cache);
}

TEST(patterns_of_several_nodes_are_asked_in_one_order)
{
    static const char *const texts[] = {"/a/b/[a-z]", "/a/b/[a-z]+[a-z]", "/a/.*",
                                        ".*",         "/[ab]/b/[x]{2}",   "/a/b/c/d/e/.*",
                                        "/a/b/x/.",   "/a/b/x.."};
    struct regex_cache *cache = regex_cache_new();
    struct world w;
    open_world(&w, cache, texts, array_len(texts));
    CHECK_EQ(w.v.hosts[0].n_sets, 5);
    CHECK_EQ(taker(&w, "/a/b/q"), 0);
    CHECK_EQ(taker(&w, "/a/b/qq"), 1); /* 16 bytes */
    CHECK_EQ(taker(&w, "/b/b/xx"), 4);
    CHECK_EQ(taker(&w, "/a/b/"), 2);
    CHECK_EQ(taker(&w, "/a/b"), 2);
    CHECK_EQ(taker(&w, "/a"), 3);
    CHECK_EQ(taker(&w, "/a/b/c/d/e/f"), 5);
    CHECK_EQ(taker(&w, "/a/b/c/d/e"), 2);
    CHECK_EQ(taker(&w, "/a/b/x/1"), 7); /* of two nodes and as long: by their bytes */
    CHECK_EQ(taker(&w, "/a/b/x11"), 7);
    close_world(&w);
    regex_cache_free(cache);
}

UNIT_MAIN("compile/pattern_way", T(literal_segments_are_the_way_where_the_rest_does_not_look_back),
          T(a_pattern_without_its_way_matches_the_same_paths),
          T(patterns_of_several_nodes_are_asked_in_one_order))
