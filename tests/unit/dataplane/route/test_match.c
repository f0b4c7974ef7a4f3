/* SPDX-License-Identifier: Apache-2.0 */
/* The matcher: the Gateway API's order of precedence sentence by sentence, and 400,000 requests by
 * chance against a matcher that looks at everything (reference.h). */
#include "base/container.h"
#include "compile/image_builder.h"
#include "reference.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLES 2000
#define REQUESTS_PER_TABLE 100

/* An image under test, and its view. */
struct fixture {
    struct image_builder *b;
    void *data;
    size_t len;
    struct image_view v;
};

static const struct ip_addr vip = {.bytes = {[10] = 0xff, [11] = 0xff, [12] = 198, [13] = 18}};

static void finish(struct fixture *f)
{
    struct image_fault_info info;
    REQUIRE(image_builder_finish(f->b, 1, &f->data, &f->len) == 0);
    CHECK_STR(image_fault_name(image_check(f->data, f->len, &info)), "OK");
    REQUIRE(info.fault == IMAGE_FAULT_OK);
    image_view_init(&f->v, f->data);
}

static void done(struct fixture *f)
{
    image_builder_free(f->b);
    free(f->data);
}

/* ---- by chance ---- */

static int compare_routes(const void *x, const void *y)
{
    const struct ref_route *a = x, *b = y;
    if (a->created_s != b->created_s)
        return a->created_s < b->created_s ? -1 : 1;
    return strcmp(a->name, b->name);
}

static void add_match(struct image_builder *b, const struct ref_match *m)
{
    struct image_pair headers[REF_PAIRS_MAX], queries[REF_PAIRS_MAX];
    for (uint32_t i = 0; i < m->n_headers; i++)
        headers[i] = (struct image_pair){m->headers[i].name, m->headers[i].value};
    for (uint32_t i = 0; i < m->n_queries; i++)
        queries[i] = (struct image_pair){m->queries[i].name, m->queries[i].value};
    struct image_match_spec spec = {
        .path_kind = m->is_exact ? IMAGE_PATH_EXACT : IMAGE_PATH_PREFIX,
        .path = m->path,
        .method = m->method,
        .headers = headers,
        .n_headers = m->n_headers,
        .queries = queries,
        .n_queries = m->n_queries,
    };
    REQUIRE(image_builder_match(b, &spec) == 0);
}

static void add_route(struct image_builder *b, const struct ref_route *r)
{
    REQUIRE(image_builder_route(b, r->name, r->created_s) == 0);
    for (uint32_t i = 0; i < r->n_matches; i++) {
        REQUIRE(image_builder_rule(b, (uint16_t)i) != IMAGE_NONE);
        add_match(b, &r->matches[i]);
    }
    for (uint32_t l = 0; l < REF_LISTENERS_MAX; l++) {
        for (uint32_t h = 0; h < r->n_hostnames && r->listeners >> l & 1; h++)
            REQUIRE(image_builder_attach(b, l, r->hostnames[h]) == 0);
    }
}

/* Sorts the table's routes as the builder wants them. */
static void build(struct fixture *f, struct ref_table *t)
{
    f->b = image_builder_new();
    REQUIRE(f->b != NULL);
    qsort(t->routes, t->n_routes, sizeof(t->routes[0]), compare_routes);
    for (uint32_t i = 0; i < t->n_listeners; i++) {
        REQUIRE(image_builder_listener(f->b, "l", t->listeners[i], IMAGE_PROTOCOL_HTTP, 80) == i);
        REQUIRE(image_builder_bind(f->b, &vip, 80, i) == 0);
    }
    for (uint32_t i = 0; i < t->n_routes; i++)
        add_route(f->b, &t->routes[i]);
    finish(f);
}

static void ask(const struct image_view *v, const struct ref_request *r, struct route_result *ret)
{
    struct route_field fields[array_len(r->fields)];
    for (uint32_t i = 0; i < r->n_fields; i++)
        fields[i] =
            (struct route_field){slice_of_str(r->fields[i].name), slice_of_str(r->fields[i].value)};
    struct route_request request = {
        .host = slice_of_str(r->host),
        .path = slice_of_str(r->path),
        .query = slice_of_str(r->query),
        .method = slice_of_str(r->method),
        .fields = fields,
        .n_fields = r->n_fields,
    };
    REQUIRE(route_bind_find(v, &vip, 80, &request.bind));
    route_match(v, &request, ret);
}

static bool is_same(const struct image_view *v, const struct route_result *got,
                    const struct ref_answer *want)
{
    if (got->outcome != want->outcome)
        return false;
    if (got->outcome != ROUTE_OUTCOME_NO_LISTENER && got->listener != want->listener)
        return false;
    const struct image_rule *rule = &v->rules[got->rule];
    return got->outcome != ROUTE_OUTCOME_RULE ||
           (rule->route == want->route && rule->index == want->match);
}

/* How requests ended, how many answers were wrong, and how many paths had guards. */
struct tally {
    unsigned outcomes[4];
    unsigned wrong;
    unsigned guarded;
};

static void compare(struct tally *tally, struct rng *rng, bool is_crowded)
{
    struct ref_table table;
    struct fixture f;
    ref_table_make(&table, rng, is_crowded);
    build(&f, &table);
    for (uint32_t i = 0; i < f.v.n_paths; i++)
        tally->guarded += f.v.paths[i].n_guards != 0;
    for (unsigned k = 0; k < REQUESTS_PER_TABLE; k++) {
        struct ref_request request;
        struct route_result got;
        struct ref_answer want;
        ref_request_make(&request, rng);
        ask(&f.v, &request, &got);
        ref_match(&table, &request, &want);
        tally->wrong += !is_same(&f.v, &got, &want);
        tally->outcomes[want.outcome]++;
    }
    done(&f);
}

TEST(the_matcher_agrees_with_one_that_looks_at_everything)
{
    struct rng rng = {3};
    struct tally tally = {0};
    for (unsigned i = 0; i < TABLES; i++)
        compare(&tally, &rng, false);
    CHECK_EQ(tally.wrong, 0);
    for (unsigned i = 0; i < array_len(tally.outcomes); i++)
        CHECK(tally.outcomes[i] > TABLES); /* every outcome was tried, and often */
}

TEST(guards_lead_to_the_match_that_asking_all_in_turn_would_find)
{
    struct rng rng = {4};
    struct tally tally = {0};
    for (unsigned i = 0; i < TABLES; i++)
        compare(&tally, &rng, true);
    CHECK_EQ(tally.wrong, 0);
    CHECK(tally.guarded > TABLES);
    CHECK(tally.outcomes[ROUTE_OUTCOME_RULE] > TABLES);
}

/* ---- the specification ---- */

struct row {
    const char *route; /* name; the rows are in the order of their age, unless `created_s` says */
    int64_t created_s;
    const char *hostname;
    struct image_match_spec match;
};

#define PREFIX(p) .path_kind = IMAGE_PATH_PREFIX, .path = (p)
#define EXACT(p) .path_kind = IMAGE_PATH_EXACT, .path = (p)

static const struct image_pair one_header[] = {{"x", "1"}};
static const struct image_pair two_headers[] = {{"x", "1"}, {"y", "2"}};
static const struct image_pair one_query[] = {{"q", "1"}};
static const struct image_pair two_queries[] = {{"q", "1"}, {"r", "2"}};
#define PAIRS(what, pairs) .what = (pairs), .n_##what = array_len(pairs)

/* A request that every row could take: the winner is the first row of the pair. */
static const struct {
    const char *sentence;
    struct row winner, loser;
} precedence[] = {
    {"exact hostname before wildcard",
     {"n/b", 2, "a.example.com", {PREFIX("/")}},
     {"n/a", 1, "*.example.com", {EXACT("/one/two")}}},
    {"longer wildcard before shorter",
     {"n/b", 2, "*.example.com", {PREFIX("/")}},
     {"n/a", 1, "*.com", {EXACT("/one/two")}}},
    {"wildcard before no hostname",
     {"n/b", 2, "*.com", {PREFIX("/")}},
     {"n/a", 1, "", {EXACT("/one/two")}}},
    {"exact path before prefix",
     {"n/b", 2, "", {EXACT("/one/two")}},
     {"n/a", 1, "", {PREFIX("/one/two"), .method = "GET", PAIRS(headers, two_headers)}}},
    {"longest prefix",
     {"n/b", 2, "", {PREFIX("/one/two")}},
     {"n/a", 1, "", {PREFIX("/one"), .method = "GET", PAIRS(headers, two_headers)}}},
    {"method before headers",
     {"n/b", 2, "", {PREFIX("/one"), .method = "GET"}},
     {"n/a", 1, "", {PREFIX("/one"), PAIRS(headers, two_headers), PAIRS(queries, two_queries)}}},
    {"more headers",
     {"n/b", 2, "", {PREFIX("/one"), PAIRS(headers, two_headers)}},
     {"n/a", 1, "", {PREFIX("/one"), PAIRS(headers, one_header), PAIRS(queries, two_queries)}}},
    {"more query parameters",
     {"n/b", 2, "", {PREFIX("/one"), PAIRS(queries, two_queries)}},
     {"n/a", 1, "", {PREFIX("/one"), PAIRS(queries, one_query)}}},
    {"older route", {"n/b", 1, "", {PREFIX("/one")}}, {"n/a", 2, "", {PREFIX("/one")}}},
    {"name in alphabetical order",
     {"a/z", 1, "", {PREFIX("/one")}},
     {"b/a", 1, "", {PREFIX("/one")}}},
};

static void add_row(struct image_builder *b, const struct row *row)
{
    REQUIRE(image_builder_route(b, row->route, row->created_s) == 0);
    REQUIRE(image_builder_rule(b, 0) != IMAGE_NONE);
    REQUIRE(image_builder_match(b, &row->match) == 0);
    REQUIRE(image_builder_attach(b, 0, row->hostname) == 0);
}

static void begin(struct fixture *f)
{
    f->b = image_builder_new();
    REQUIRE(f->b != NULL);
    REQUIRE(image_builder_listener(f->b, "n/gw/l", "", IMAGE_PROTOCOL_HTTP, 80) == 0);
    REQUIRE(image_builder_bind(f->b, &vip, 80, 0) == 0);
}

/* The name of the route that takes the request; the outcome's name if none does. */
static const char *taker(const struct fixture *f, const struct ref_request *r)
{
    static char name[64];
    struct route_result result;
    ask(&f->v, r, &result);
    if (result.outcome != ROUTE_OUTCOME_RULE)
        return route_outcome_name(result.outcome);
    struct slice s = image_text(&f->v, f->v.routes[f->v.rules[result.rule].route].name);
    snprintf(name, sizeof(name), "%.*s", (int)s.len, (const char *)s.ptr);
    return name;
}

TEST(precedence_is_as_the_specification_says)
{
    struct ref_request request = {"a.example.com", "/one/two", "q=1&r=2",
                                  "GET",           2,          {{"X", "1"}, {"Y", "2"}}};
    for (size_t i = 0; i < array_len(precedence); i++) {
        const struct row *first = &precedence[i].winner, *second = &precedence[i].loser;
        struct fixture f;
        begin(&f);
        bool is_older =
            first->created_s < second->created_s ||
            (first->created_s == second->created_s && strcmp(first->route, second->route) < 0);
        add_row(f.b, is_older ? first : second);
        add_row(f.b, is_older ? second : first);
        finish(&f);
        CHECK_STR(taker(&f, &request), first->route);
        done(&f);
    }
}

TEST(of_equal_matches_in_a_route_the_first_rule_wins)
{
    struct fixture f;
    begin(&f);
    struct image_match_spec match = {PREFIX("/")};
    REQUIRE(image_builder_route(f.b, "n/r", 1) == 0);
    for (uint16_t i = 3; i < 6; i++) {
        REQUIRE(image_builder_rule(f.b, i) != IMAGE_NONE);
        REQUIRE(image_builder_match(f.b, &match) == 0);
    }
    REQUIRE(image_builder_attach(f.b, 0, NULL) == 0);
    finish(&f);
    struct route_result result;
    ask(&f.v, &(struct ref_request){"h", "/", "", "GET", 0, {{0}}}, &result);
    REQUIRE(result.outcome == ROUTE_OUTCOME_RULE);
    CHECK_EQ(f.v.rules[result.rule].index, 3);
    done(&f);
}

/* One route per row at "/" with its own hostname or path; who takes a host and path. */
static void begin_rows(struct fixture *f, const struct row *rows, size_t n)
{
    begin(f);
    for (size_t i = 0; i < n; i++)
        add_row(f->b, &rows[i]);
    finish(f);
}

static const char *takes(const struct fixture *f, const char *host, const char *path)
{
    return taker(f, &(struct ref_request){host, path, "", "GET", 0, {{0}}});
}

TEST(a_prefix_matches_whole_segments_only)
{
    static const struct row rows[] = {
        {"n/abc", 1, "", {PREFIX("/abc")}},
        {"n/def", 2, "", {PREFIX("/def/")}},
        {"n/exact", 3, "", {EXACT("/ghi")}},
        {"n/slash", 4, "", {EXACT("/jkl/")}},
    };
    struct fixture f;
    begin_rows(&f, rows, array_len(rows));
    CHECK_STR(takes(&f, "h", "/abc"), "n/abc");
    CHECK_STR(takes(&f, "h", "/abc/"), "n/abc");
    CHECK_STR(takes(&f, "h", "/abc/def"), "n/abc");
    CHECK_STR(takes(&f, "h", "/abcd"), "NO_RULE");
    CHECK_STR(takes(&f, "h", "/Abc"), "NO_RULE");
    CHECK_STR(takes(&f, "h", "/def"), "n/def");
    CHECK_STR(takes(&f, "h", "/def/x"), "n/def");
    CHECK_STR(takes(&f, "h", "/ghi"), "n/exact");
    CHECK_STR(takes(&f, "h", "/ghi/"), "NO_RULE");
    CHECK_STR(takes(&f, "h", "/jkl"), "NO_RULE");
    CHECK_STR(takes(&f, "h", "/jkl/"), "n/slash");
    CHECK_STR(takes(&f, "h", "*"), "NO_RULE");
    done(&f);
}

TEST(a_wildcard_matches_any_number_of_labels_but_not_none)
{
    static const struct row rows[] = {
        {"n/wild", 1, "*.example.com", {PREFIX("/")}},
        {"n/exact", 2, "www.example.org", {PREFIX("/")}},
    };
    struct fixture f;
    begin_rows(&f, rows, array_len(rows));
    CHECK_STR(takes(&f, "a.example.com", "/"), "n/wild");
    CHECK_STR(takes(&f, "a.b.example.com", "/"), "n/wild");
    CHECK_STR(takes(&f, "a.example.com.", "/"), "n/wild");
    CHECK_STR(takes(&f, "example.com", "/"), "NO_HOST");
    CHECK_STR(takes(&f, "aexample.com", "/"), "NO_HOST");
    CHECK_STR(takes(&f, "www.example.org", "/"), "n/exact");
    CHECK_STR(takes(&f, "a.www.example.org", "/"), "NO_HOST");
    CHECK_STR(takes(&f, "", "/"), "NO_HOST");
    done(&f);
}

TEST(a_less_specific_hostname_is_asked_when_no_rule_of_the_first_matches)
{
    static const struct row rows[] = {
        {"n/all", 1, "", {PREFIX("/")}},
        {"n/wild", 2, "*.example.com", {PREFIX("/wild")}},
        {"n/exact", 3, "a.example.com", {PREFIX("/exact")}},
    };
    struct fixture f;
    begin_rows(&f, rows, array_len(rows));
    CHECK_STR(takes(&f, "a.example.com", "/exact"), "n/exact");
    CHECK_STR(takes(&f, "a.example.com", "/wild"), "n/wild");
    CHECK_STR(takes(&f, "a.example.com", "/other"), "n/all");
    CHECK_STR(takes(&f, "b.example.com", "/exact"), "n/all");
    done(&f);
}

TEST(another_listener_is_never_asked_after_the_most_specific_one)
{
    struct fixture f;
    begin(&f);
    REQUIRE(image_builder_listener(f.b, "n/gw/m", "a.com", IMAGE_PROTOCOL_HTTP, 80) == 1);
    REQUIRE(image_builder_bind(f.b, &vip, 80, 1) == 0);
    add_row(f.b, &(struct row){"n/r", 1, "", {PREFIX("/")}}); /* on listener 0 */
    finish(&f);
    CHECK_STR(takes(&f, "b.com", "/"), "n/r");
    CHECK_STR(takes(&f, "a.com", "/"), "NO_HOST");
    done(&f);
}

TEST(nobody_listens_elsewhere)
{
    struct fixture f;
    begin(&f);
    finish(&f);
    struct ip_addr other = vip;
    other.bytes[15] = 1;
    uint32_t bind;
    CHECK(route_bind_find(&f.v, &vip, 80, &bind));
    CHECK(!route_bind_find(&f.v, &vip, 81, &bind));
    CHECK(!route_bind_find(&f.v, &other, 80, &bind));
    done(&f);
}

UNIT_MAIN("route/match", T(the_matcher_agrees_with_one_that_looks_at_everything),
          T(guards_lead_to_the_match_that_asking_all_in_turn_would_find),
          T(precedence_is_as_the_specification_says),
          T(of_equal_matches_in_a_route_the_first_rule_wins),
          T(a_prefix_matches_whole_segments_only),
          T(a_wildcard_matches_any_number_of_labels_but_not_none),
          T(a_less_specific_hostname_is_asked_when_no_rule_of_the_first_matches),
          T(another_listener_is_never_asked_after_the_most_specific_one),
          T(nobody_listens_elsewhere))
