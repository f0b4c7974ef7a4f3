/* SPDX-License-Identifier: Apache-2.0 */
/* Which origins a CORS filter allows, and what it tells them: HTTPCORSFilter's sentences. */
#include "base/container.h"
#include "compile/image_builder.h"
#include "route/cors.h"
#include "unit.h"

#include <stdlib.h>

struct fixture {
    struct image_builder *b;
    void *data;
    struct image_view v;
};

static void init(struct fixture *f, const char *const *origins, uint32_t n, bool has_credentials)
{
    struct image_cors_spec spec = {
        .origins = origins, .n_origins = n, .has_credentials = has_credentials, .max_age_s = 5};
    size_t len;
    f->b = image_builder_new();
    REQUIRE(f->b != NULL);
    REQUIRE(image_builder_route(f->b, "n/r", 1) == 0);
    REQUIRE(image_builder_rule(f->b, 0) == 0);
    REQUIRE(image_builder_cors(f->b, &spec) == 0);
    REQUIRE(image_builder_finish(f->b, 1, &f->data, &len) == 0);
    REQUIRE(image_check(f->data, len, NULL) == IMAGE_FAULT_OK);
    image_view_init(&f->v, f->data);
}

static void done(struct fixture *f)
{
    image_builder_free(f->b);
    free(f->data);
}

/* What one configured origin tells; NULL: it does not allow the other. */
static const char *told(const char *configured, const char *origin, bool has_credentials)
{
    static char text[300];
    struct fixture f;
    struct slice s;
    init(&f, &configured, 1, has_credentials);
    bool is_allowed = route_cors_allows(&f.v, &f.v.cors[0], slice_of_str(origin), &s);
    if (is_allowed) {
        REQUIRE(s.len < sizeof(text));
        memcpy(text, s.ptr, s.len);
        text[s.len] = '\0';
    }
    done(&f);
    return is_allowed ? text : NULL;
}

TEST(origins_are_compared_by_scheme_host_and_port)
{
    static const struct {
        const char *configured, *origin;
        bool is_allowed;
    } rows[] = {
        {"https://www.foo.com", "https://www.foo.com", true},
        {"https://www.foo.com", "https://www.foo.com:443", true},
        {"https://www.foo.com:443", "https://www.foo.com", true},
        {"https://WWW.foo.com", "https://www.FOO.com", true},
        {"https://www.foo.com", "http://www.foo.com", false},
        {"https://www.foo.com", "https://www.foo.com:8443", false},
        {"https://www.foo.com", "https://foo.com", false},
        {"https://www.foo.com", "https://www.foo.com.evil.net", false},
        {"https://www.foo.com", "https://evil.net/https://www.foo.com", false},
        {"https://www.foo.com", "https://www.foo.com/", false},
        {"https://www.foo.com", "null", false},
        {"https://www.foo.com", "", false},
        {"https://www.foo.com", "https://", false},
        {"https://www.foo.com", "https://:443", false},
        {"http://a", "http://a:80", true},
        {"http://a", "http://a:", false},
        {"http://a", "http://a:99999", false},
        {"http://a", "http://a:000080", false},
        {"https://*.bar.com", "https://www.bar.com", true},
        {"https://*.bar.com", "https://xpto.www.bar.com", true},
        {"https://*.bar.com", "https://WWW.BAR.com", true},
        {"https://*.bar.com", "https://bar.com", false},
        {"https://*.bar.com", "https://.bar.com", false},
        {"https://*.bar.com", "https://foobar.com", false},
        {"https://*.bar.com", "https://a.bar.com:444", false},
        {"https://*.bar.com:444", "https://a.bar.com:444", true},
        {"http://*", "http://anything", true},
        {"http://*", "https://anything", false},
        {"http://*:8080", "http://[2001:db8::1]:8080", true},
        {"http://*", "http://[2001:db8::1]", true},
        {"*", "https://foobar.com:12345", true},
        {"*", "null", true},
    };
    for (unsigned i = 0; i < array_len(rows); i++) {
        CHECK_EQ(told(rows[i].configured, rows[i].origin, false) != NULL, rows[i].is_allowed);
        CHECK_EQ(told(rows[i].configured, rows[i].origin, true) != NULL, rows[i].is_allowed);
    }
}

TEST(what_is_told_is_the_origin_as_it_came_or_a_star_where_that_is_allowed)
{
    CHECK_STR(told("https://www.foo.com", "https://www.foo.com", false), "https://www.foo.com");
    CHECK_STR(told("https://www.foo.com:443", "https://www.foo.com", false), "https://www.foo.com");
    CHECK_STR(told("https://*.bar.com", "https://a.bar.com", true), "https://a.bar.com");
    CHECK_STR(told("*", "https://a", false), "*");
    CHECK_STR(told("*", "https://a", true), "https://a");
}

TEST(any_of_several_origins_may_be_the_one)
{
    static const char *const origins[] = {"https://a.example", "http://*.b.example"};
    struct fixture f;
    struct slice s;
    init(&f, origins, 2, false);
    const struct image_cors *cors = &f.v.cors[0];
    CHECK(route_cors_varies(cors));
    CHECK(route_cors_allows(&f.v, cors, SLICE_LIT("https://a.example"), &s));
    CHECK(route_cors_allows(&f.v, cors, SLICE_LIT("http://x.b.example"), &s));
    CHECK(!route_cors_allows(&f.v, cors, SLICE_LIT("https://x.b.example"), &s));
    done(&f);
}

TEST(answers_differ_by_origin_but_where_all_are_told_a_star)
{
    static const char *const star[] = {"*"};
    struct fixture f;
    init(&f, star, 1, false);
    CHECK(!route_cors_varies(&f.v.cors[0]));
    done(&f);
    init(&f, star, 1, true);
    CHECK(route_cors_varies(&f.v.cors[0]));
    done(&f);
    init(&f, NULL, 0, false);
    CHECK(route_cors_varies(&f.v.cors[0]));
    done(&f);
}

UNIT_MAIN("route/cors", T(origins_are_compared_by_scheme_host_and_port),
          T(what_is_told_is_the_origin_as_it_came_or_a_star_where_that_is_allowed),
          T(any_of_several_origins_may_be_the_one),
          T(answers_differ_by_origin_but_where_all_are_told_a_star))
