/* SPDX-License-Identifier: Apache-2.0 */
/* Filters: the tables of the Gateway API (HTTPPathModifier, HTTPRequestRedirectFilter), and the
 * choice of a backend by weight. */
#include "base/container.h"
#include "base/rng.h"
#include "compile/image_builder.h"
#include "route/filter.h"
#include "route/route.h"
#include "unit.h"

#include <stdlib.h>

static const struct ip_addr vip = {.bytes = {[10] = 0xff, [11] = 0xff, [12] = 198, [13] = 18}};

struct fixture {
    struct image_builder *b;
    void *data;
    struct image_view v;
};

/* A route with one rule, which the test fills in, and then a prefix match. */
static void begin(struct fixture *f)
{
    f->b = image_builder_new();
    REQUIRE(f->b != NULL);
    REQUIRE(image_builder_listener(f->b, "l", NULL, IMAGE_PROTOCOL_HTTP, 80) == 0);
    REQUIRE(image_builder_bind(f->b, &vip, 80, 0) == 0);
    REQUIRE(image_builder_route(f->b, "n/r", 1) == 0);
    REQUIRE(image_builder_rule(f->b, 0) == 0);
}

static void finish(struct fixture *f, const char *prefix)
{
    struct image_match_spec match = {.path_kind = IMAGE_PATH_PREFIX, .path = prefix};
    size_t len;
    REQUIRE(image_builder_match(f->b, &match) == 0);
    REQUIRE(image_builder_attach(f->b, 0, NULL) == 0);
    REQUIRE(image_builder_finish(f->b, 1, &f->data, &len) == 0);
    REQUIRE(image_check(f->data, len, NULL) == IMAGE_FAULT_OK);
    image_view_init(&f->v, f->data);
}

static void done(struct fixture *f)
{
    image_builder_free(f->b);
    free(f->data);
}

TEST(a_replaced_prefix_follows_the_specifications_table)
{
    static const struct {
        const char *path, *prefix, *replacement, *want;
    } rows[] = {
        {"/foo/bar", "/foo", "/xyz", "/xyz/bar"},
        {"/foo/bar", "/foo", "/xyz/", "/xyz/bar"},
        {"/foo/bar", "/foo/", "/xyz", "/xyz/bar"},
        {"/foo/bar", "/foo/", "/xyz/", "/xyz/bar"},
        {"/foo", "/foo", "/xyz", "/xyz"},
        {"/foo/", "/foo", "/xyz", "/xyz/"},
        {"/foo/bar", "/foo", "", "/bar"},
        {"/foo/", "/foo", "", "/"},
        {"/foo", "/foo", "", "/"},
        {"/foo/", "/foo", "/", "/"},
        {"/foo", "/foo", "/", "/"},
        {"/foo/bar", "/", "/xyz", "/xyz/foo/bar"},
        {"/", "/", "/xyz", "/xyz/"},
        {"/foo", "/", "", "/foo"},
    };
    for (size_t i = 0; i < array_len(rows); i++) {
        struct fixture f;
        uint8_t buf[64];
        size_t len;
        begin(&f);
        struct image_rewrite_spec spec = {.path = rows[i].replacement,
                                          .path_edit = IMAGE_PATH_REPLACE_PREFIX};
        REQUIRE(image_builder_rewrite(f.b, &spec) == 0);
        finish(&f, rows[i].prefix);
        const struct image_rewrite *rewrite = &f.v.rewrites[0];
        REQUIRE(route_path_edit(&f.v, &f.v.matches[0], rewrite->path_edit, rewrite->path,
                                slice_of_str(rows[i].path), buf, sizeof(buf), &len));
        buf[len] = '\0';
        CHECK_STR((const char *)buf, rows[i].want);
        done(&f);
    }
}

TEST(a_location_has_the_port_only_when_it_is_not_the_schemes_own)
{
    static const struct {
        struct image_redirect_spec spec;
        uint16_t listener_port;
        const char *want;
    } rows[] = {
        {{.status = 302}, 80, "http://a.com/x?q=1"},
        {{.status = 302}, 8080, "http://a.com:8080/x?q=1"},
        {{.status = 302, .scheme = IMAGE_SCHEME_HTTPS}, 8080, "https://a.com/x?q=1"},
        {{.status = 302, .scheme = IMAGE_SCHEME_HTTP}, 8080, "http://a.com/x?q=1"},
        {{.status = 302, .scheme = IMAGE_SCHEME_HTTPS, .port = 8443},
         80,
         "https://a.com:8443/x?q=1"},
        {{.status = 302, .port = 80}, 8080, "http://a.com/x?q=1"},
        {{.status = 302, .scheme = IMAGE_SCHEME_HTTPS, .port = 443}, 80, "https://a.com/x?q=1"},
        {{.status = 302, .hostname = "b.org"}, 80, "http://b.org/x?q=1"},
        {{.status = 302, .path = "/new", .path_edit = IMAGE_PATH_REPLACE_FULL},
         80,
         "http://a.com/new?q=1"},
        {{.status = 302, .path = "/new", .path_edit = IMAGE_PATH_REPLACE_PREFIX},
         80,
         "http://a.com/new?q=1"},
    };
    for (size_t i = 0; i < array_len(rows); i++) {
        struct fixture f;
        uint8_t buf[64];
        size_t len;
        begin(&f);
        REQUIRE(image_builder_redirect(f.b, &rows[i].spec) == 0);
        finish(&f, "/x");
        struct route_redirect_request request = {.listener_port = rows[i].listener_port,
                                                 .host = SLICE_LIT("a.com"),
                                                 .path = SLICE_LIT("/x"),
                                                 .query = SLICE_LIT("q=1"),
                                                 .has_query = true};
        REQUIRE(route_redirect_location(&f.v, &f.v.matches[0], &f.v.redirects[0], &request, buf,
                                        sizeof(buf), &len));
        buf[len] = '\0';
        CHECK_STR((const char *)buf, rows[i].want);
        CHECK(!route_redirect_location(&f.v, &f.v.matches[0], &f.v.redirects[0], &request, buf,
                                       len - 1, &len));
        done(&f);
    }
}

TEST(backends_get_their_share_and_a_weight_of_zero_gets_nothing)
{
    static const uint32_t weights[] = {8, 0, 1, 1};
    struct fixture f;
    struct rng rng = {1};
    unsigned counts[array_len(weights)] = {0};
    begin(&f);
    for (uint32_t i = 0; i < array_len(weights); i++)
        REQUIRE(image_builder_backend(f.b, "n/s:80", i, weights[i]) == 0);
    finish(&f, "/");
    for (unsigned i = 0; i < 100000; i++) {
        const struct image_backend *backend;
        REQUIRE(route_backend_pick(&f.v, &f.v.rules[0], (uint32_t)rng_next(&rng), &backend));
        counts[backend->group]++;
    }
    CHECK(counts[0] > 79000 && counts[0] < 81000);
    CHECK_EQ(counts[1], 0);
    CHECK(counts[2] > 9500 && counts[2] < 10500);
    done(&f);
}

TEST(a_rule_without_weight_or_with_a_fault_has_no_backend)
{
    struct fixture f;
    const struct image_backend *backend;
    begin(&f);
    REQUIRE(image_builder_backend(f.b, "n/s:80", 1, 0) == 0);
    finish(&f, "/");
    CHECK(!route_backend_pick(&f.v, &f.v.rules[0], 0, &backend));
    done(&f);
    begin(&f);
    REQUIRE(image_builder_backend(f.b, "n/s:80", 1, 1) == 0);
    REQUIRE(image_builder_rule_fault(f.b) == 0);
    finish(&f, "/");
    CHECK(!route_backend_pick(&f.v, &f.v.rules[0], 0, &backend));
    done(&f);
}

TEST(set_and_removed_fields_are_dropped_and_added_ones_are_not)
{
    static const struct image_header_op_spec ops[] = {
        {IMAGE_HEADER_SET, "X-Set", "1"},
        {IMAGE_HEADER_ADD, "X-Add", "1"},
        {IMAGE_HEADER_REMOVE, "X-Remove", NULL},
    };
    struct fixture f;
    begin(&f);
    REQUIRE(image_builder_headers(f.b, IMAGE_FILTER_REQUEST_HEADERS, ops, 3) == 0);
    finish(&f, "/");
    const struct image_filter *filter =
        route_filter_find(&f.v, &f.v.rules[0], IMAGE_FILTER_REQUEST_HEADERS);
    REQUIRE(filter != NULL);
    CHECK(route_filter_drops(&f.v, filter, SLICE_LIT("x-set")));
    CHECK(!route_filter_drops(&f.v, filter, SLICE_LIT("X-ADD")));
    CHECK(route_filter_drops(&f.v, filter, SLICE_LIT("X-REMOVE")));
    CHECK(!route_filter_drops(&f.v, filter, SLICE_LIT("X-Other")));
    CHECK(!route_filter_drops(&f.v, NULL, SLICE_LIT("X-Set")));
    CHECK(route_filter_find(&f.v, &f.v.rules[0], IMAGE_FILTER_RESPONSE_HEADERS) == NULL);
    done(&f);
}

TEST(a_mirror_takes_its_share_of_the_requests)
{
    static const struct {
        uint32_t numerator, denominator;
    } rows[] = {{0, 100}, {20, 100}, {1, 3}, {50, 100}, {100, 100}, {1, 2147483647}};
    for (unsigned i = 0; i < array_len(rows); i++) {
        struct image_mirror mirror = {.numerator = rows[i].numerator,
                                      .denominator = rows[i].denominator};
        struct even e = {7};
        uint32_t taken = 0;
        for (unsigned k = 0; k < 3000; k++)
            taken += route_mirror_takes(&mirror, even_next(&e));
        uint32_t ideal = (uint32_t)((uint64_t)3000 * rows[i].numerator / rows[i].denominator);
        CHECK(taken + 3 >= ideal && taken <= ideal + 3);
        CHECK_EQ(taken == 0, rows[i].numerator == 0 || ideal == 0);
    }
}

UNIT_MAIN("route/filter", T(a_mirror_takes_its_share_of_the_requests),
          T(a_replaced_prefix_follows_the_specifications_table),
          T(a_location_has_the_port_only_when_it_is_not_the_schemes_own),
          T(backends_get_their_share_and_a_weight_of_zero_gets_nothing),
          T(a_rule_without_weight_or_with_a_fault_has_no_backend),
          T(set_and_removed_fields_are_dropped_and_added_ones_are_not))
