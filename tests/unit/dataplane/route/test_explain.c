/* SPDX-License-Identifier: Apache-2.0 */
/* Explain says of every candidate why it lost, and what it says of the winner is the matcher's. */
#include "base/container.h"
#include "compile/image_builder.h"
#include "route/explain.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct ip_addr vip = {.bytes = {[10] = 0xff, [11] = 0xff, [12] = 198, [13] = 18}};

/* What was told, a line a candidate: "LOSS listener hostname route/match predicate". */
struct told {
    const struct image_view *v;
    char text[2048];
};

static void add_word(struct told *t, struct image_string s)
{
    struct slice word = image_text(t->v, s);
    size_t len = strlen(t->text);
    snprintf(t->text + len, sizeof(t->text) - len, " %.*s", (int)word.len, (const char *)word.ptr);
}

static void take(void *arg, const struct route_candidate *c)
{
    struct told *t = arg;
    size_t len = strlen(t->text);
    snprintf(t->text + len, sizeof(t->text) - len, "%s", route_loss_name(c->loss));
    add_word(t, t->v->listeners[c->listener].name);
    if (c->host != IMAGE_NONE)
        add_word(t, t->v->hosts[c->host].name);
    if (c->match != IMAGE_NONE) {
        const struct image_match *match = &t->v->matches[c->match];
        add_word(t, t->v->routes[t->v->rules[match->rule].route].name);
    }
    if (c->predicate != IMAGE_NONE)
        add_word(t, t->v->predicates[c->predicate].name);
    len = strlen(t->text);
    snprintf(t->text + len, sizeof(t->text) - len, "\n");
}

static void add(struct image_builder *b, const char *name, const char *hostname,
                const struct image_match_spec *match)
{
    static int64_t age;
    REQUIRE(image_builder_route(b, name, age++) == 0);
    REQUIRE(image_builder_rule(b, 0) != IMAGE_NONE);
    REQUIRE(image_builder_match(b, match) == 0);
    REQUIRE(image_builder_attach(b, 0, hostname) == 0);
}

#define PREFIX(p) .path_kind = IMAGE_PATH_PREFIX, .path = (p)

static void *make_image(size_t *ret_len)
{
    static const struct image_pair pair[] = {{"version", "2"}};
    struct image_builder *b = image_builder_new();
    REQUIRE(image_builder_listener(b, "wild", "*.com", IMAGE_PROTOCOL_HTTP, 80) == 0);
    REQUIRE(image_builder_listener(b, "all", "", IMAGE_PROTOCOL_HTTP, 80) == 1);
    REQUIRE(image_builder_bind(b, &vip, 80, 0) == 0);
    REQUIRE(image_builder_bind(b, &vip, 80, 1) == 0);
    add(b, "n/plain", "a.com", &(struct image_match_spec){PREFIX("/x")});
    add(b, "n/younger", "a.com", &(struct image_match_spec){PREFIX("/x")});
    add(b, "n/post", "a.com", &(struct image_match_spec){PREFIX("/x"), .method = "POST"});
    add(b, "n/header", "a.com",
        &(struct image_match_spec){PREFIX("/x"), .headers = pair, .n_headers = 1});
    add(b, "n/query", "a.com",
        &(struct image_match_spec){PREFIX("/x"), .queries = pair, .n_queries = 1});
    add(b, "n/path", "a.com", &(struct image_match_spec){PREFIX("/y")});
    add(b, "n/wild", "*.com", &(struct image_match_spec){PREFIX("/")});
    add(b, "n/host", "b.com", &(struct image_match_spec){PREFIX("/x")});
    void *data;
    REQUIRE(image_builder_finish(b, 1, &data, ret_len) == 0);
    image_builder_free(b);
    return data;
}

static void explain(const char *host, const char *want, enum route_outcome outcome)
{
    size_t len;
    void *data = make_image(&len);
    struct image_view v;
    REQUIRE(image_check(data, len, NULL) == IMAGE_FAULT_OK);
    image_view_init(&v, data);
    struct told told = {.v = &v};
    struct route_request request = {
        .host = slice_of_str(host), .path = SLICE_LIT("/x/1"), .method = SLICE_LIT("GET")};
    struct route_result result, matched;
    route_explain(&v, &request, &result, take, &told);
    route_match(&v, &request, &matched);
    CHECK_EQ(result.outcome, outcome);
    CHECK_EQ(result.match, matched.match);
    CHECK_STR(told.text, want);
    free(data);
}

TEST(every_candidate_is_told_once_with_the_reason_that_it_lost)
{
    explain("a.com",
            "METHOD wild a.com n/post\n"
            "HEADER wild a.com n/header version\n"
            "QUERY wild a.com n/query version\n"
            "NONE wild a.com n/plain\n"
            "PRECEDENCE wild a.com n/younger\n"
            "PATH wild a.com n/path\n"
            "PRECEDENCE wild *.com n/wild\n"
            "HOST wild b.com\n"
            "LISTENER all\n",
            ROUTE_OUTCOME_RULE);
}

TEST(a_request_that_nobody_takes_is_explained_too)
{
    explain("a.org", "LISTENER wild\n", ROUTE_OUTCOME_NO_HOST);
}

UNIT_MAIN("route/explain", T(every_candidate_is_told_once_with_the_reason_that_it_lost),
          T(a_request_that_nobody_takes_is_explained_too))
