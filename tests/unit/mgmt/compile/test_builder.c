/* SPDX-License-Identifier: Apache-2.0 */
/* The builder by itself: what it refuses, limits, size, and that cost does not grow with routes. */
#include "abi/endpoints.h"
#include "base/container.h"
#include "compile/image_builder.h"
#include "route/route.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct ip_addr vip = {.bytes = {[10] = 0xff, [11] = 0xff, [12] = 198, [13] = 18}};
static const struct image_match_spec everything = {.path_kind = IMAGE_PATH_PREFIX, .path = "/"};

/* A builder with a listener at the VIP. */
static struct image_builder *begin(void)
{
    struct image_builder *b = image_builder_new();
    REQUIRE(b != NULL);
    REQUIRE(image_builder_listener(b, "n/gw/l", NULL, IMAGE_PROTOCOL_HTTP, 80) == 0);
    REQUIRE(image_builder_bind(b, &vip, 80, 0) == 0);
    return b;
}

/* Finishes, checks, and gives the image's view; the bytes are freed by free(*ret_data). */
static struct image_view finish(struct image_builder *b, void **ret_data, size_t *ret_len)
{
    struct image_view v;
    struct image_fault_info info;
    REQUIRE(image_builder_finish(b, 1, ret_data, ret_len) == 0);
    CHECK_STR(image_fault_name(image_check(*ret_data, *ret_len, &info)), "OK");
    REQUIRE(info.fault == IMAGE_FAULT_OK);
    image_view_init(&v, *ret_data);
    return v;
}

static void begin_rule(struct image_builder *b)
{
    REQUIRE(image_builder_route(b, "n/r", 1) == 0);
    REQUIRE(image_builder_rule(b, 0) == 0);
}

TEST(what_would_spoil_the_image_is_refused_and_leaves_no_trace)
{
    static const struct image_pair twice[] = {{"X", "1"}, {"x", "2"}};
    static const struct image_pair control = {"x", "a\r\nb"}, unnamed = {"", "a"},
                                   spaced = {"x", " a"};
    static const struct image_match_spec bad[] = {
        {.path_kind = IMAGE_PATH_PREFIX, .path = "no-slash"},
        {.path_kind = IMAGE_PATH_PREFIX, .path = ""},
        {.path_kind = IMAGE_PATH_EXACT, .path = "/a b"},
        {.path_kind = IMAGE_PATH_EXACT, .path = "/a?b"},
        {.path_kind = IMAGE_PATH_EXACT, .path = "/a\n"},
        {.path_kind = IMAGE_PATH_EXACT, .path = "/", .method = "GE T"},
        {.path_kind = IMAGE_PATH_EXACT, .path = "/", .headers = twice, .n_headers = 2},
        {.path_kind = IMAGE_PATH_EXACT, .path = "/", .headers = &control, .n_headers = 1},
        {.path_kind = IMAGE_PATH_EXACT, .path = "/", .headers = &unnamed, .n_headers = 1},
        {.path_kind = IMAGE_PATH_EXACT, .path = "/", .headers = &spaced, .n_headers = 1},
        {.path_kind = IMAGE_PATH_EXACT, .path = "/", .queries = &unnamed, .n_queries = 1},
    };
    struct image_builder *b = begin();
    begin_rule(b);
    for (size_t i = 0; i < array_len(bad); i++)
        CHECK_EQ(image_builder_match(b, &bad[i]), -EINVAL);
    CHECK_EQ(image_builder_backend(b, "x", IMAGE_NONE, IMAGE_WEIGHT_MAX + 1), -EINVAL);
    CHECK_EQ(image_builder_backend(b, "x\n", IMAGE_NONE, 1), -EINVAL);
    CHECK_EQ(image_builder_rule(b, 0), IMAGE_NONE);      /* indices grow */
    CHECK_EQ(image_builder_route(b, "n/a", 1), -EINVAL); /* not after n/r */
    CHECK_EQ(image_builder_match(b, &everything), 0);
    CHECK_EQ(image_builder_match(b, &everything), -EINVAL); /* the same index */
    CHECK_EQ(image_builder_attach(b, 0, "UPPER.example.com"), -EINVAL);
    CHECK_EQ(image_builder_attach(b, 0, "a.*.com"), -EINVAL);
    CHECK_EQ(image_builder_attach(b, 1, NULL), -EINVAL);
    CHECK_EQ(image_builder_attach(b, 0, NULL), 0);
    CHECK_EQ(image_builder_attach(b, 0, ""), -EEXIST);
    void *data;
    size_t len;
    struct image_view v = finish(b, &data, &len);
    CHECK_EQ(v.n_matches, 1);
    CHECK_EQ(v.n_predicates, 0);
    CHECK_EQ(v.n_hosts, 1);
    free(data);
    image_builder_free(b);
}

TEST(what_tcp_and_balancing_do_is_said_of_binds_and_groups)
{
    struct image_builder *b = begin();
    begin_rule(b);
    CHECK_EQ(image_builder_bind_congestion(b, &vip, 81, IMAGE_CONGESTION_BBR), -ENOENT);
    CHECK_EQ(image_builder_bind_congestion(b, &vip, 80, IMAGE_CONGESTION_NONE), -EINVAL);
    CHECK_EQ(image_builder_bind_congestion(b, &vip, 80, IMAGE_CONGESTION_BBR), 0);
    CHECK_EQ(image_builder_group_congestion(b, ENDPOINT_GROUPS_MAX, IMAGE_CONGESTION_BBR), -EINVAL);
    CHECK_EQ(image_builder_group_congestion(b, 7, IMAGE_CONGESTIONS), -EINVAL);
    CHECK_EQ(image_builder_backend(b, "n/before:80", 7, 1), 0);
    CHECK_EQ(image_builder_group_congestion(b, 7, IMAGE_CONGESTION_BBR), 0);
    static const struct image_balance_spec in_turn = {.way = IMAGE_BALANCING_TURNS},
                                           no_way = {.hash_key = IMAGE_HASH_KEY_CLIENT},
                                           no_key = {.way = IMAGE_BALANCING_MAGLEV};
    struct image_balance_spec hashed = {IMAGE_BALANCING_MAGLEV, IMAGE_HASH_KEY_HEADER, "X-Upper"};
    CHECK_EQ(image_builder_group_balancing(b, ENDPOINT_GROUPS_MAX, &in_turn), -EINVAL);
    CHECK_EQ(image_builder_group_balancing(b, 7, &no_way), -EINVAL);
    CHECK_EQ(image_builder_group_balancing(b, 7, &no_key), -EINVAL);
    CHECK_EQ(image_builder_group_balancing(b, 7, &hashed), -EINVAL);
    CHECK_EQ(image_builder_group_balancing(b, 7, &in_turn), 0);
    hashed.name = "x-lower";
    CHECK_EQ(image_builder_group_balancing(b, 9, &hashed), 0);
    CHECK_EQ(image_builder_group_proxy_header(b, 7, IMAGE_PROXY_HEADERS), -EINVAL);
    CHECK_EQ(image_builder_group_proxy_header(b, ENDPOINT_GROUPS_MAX, IMAGE_PROXY_HEADER_V1),
             -EINVAL);
    CHECK_EQ(image_builder_group_proxy_header(b, 7, IMAGE_PROXY_HEADER_V1), 0);
    CHECK_EQ(image_builder_group_protocol(b, 7, IMAGE_BACKEND_PROTOCOLS), -EINVAL);
    CHECK_EQ(image_builder_group_protocol(b, ENDPOINT_GROUPS_MAX, IMAGE_BACKEND_HTTP2), -EINVAL);
    CHECK_EQ(image_builder_group_protocol(b, 7, IMAGE_BACKEND_HTTP2), 0);
    CHECK_EQ(image_builder_group_idle(b, 7, IMAGE_IDLE_MS_MIN - 1), -EINVAL);
    CHECK_EQ(image_builder_group_idle(b, 7, IMAGE_IDLE_MS_MAX + 1), -EINVAL);
    CHECK_EQ(image_builder_group_idle(b, ENDPOINT_GROUPS_MAX, 0), -EINVAL);
    CHECK_EQ(image_builder_group_idle(b, 7, 0), 0);
    hashed = (struct image_balance_spec){IMAGE_BALANCING_MAGLEV, IMAGE_HASH_KEY_CONNECTION, "x"};
    CHECK_EQ(image_builder_group_balancing(b, 9, &hashed), -EINVAL);
    struct image_prefix trusted[IMAGE_TRUSTED_PER_BIND_MAX + 1] = {{.addr = vip, .len = 128}};
    CHECK_EQ(image_builder_bind_proxied(b, &vip, 81, NULL, 0), -ENOENT);
    CHECK_EQ(image_builder_bind_proxied(b, &vip, 80, trusted, array_len(trusted)), -EINVAL);
    trusted[0].len = 129;
    CHECK_EQ(image_builder_bind_proxied(b, &vip, 80, trusted, 1), -EINVAL);
    trusted[0].len = 128;
    CHECK_EQ(image_builder_bind_proxied(b, &vip, 80, trusted, 1), 0);
    CHECK_EQ(image_builder_bind_proxied(b, &vip, 80, trusted, 1), 0);
    CHECK_EQ(image_builder_backend(b, "n/behind:80", 7, 1), 0);
    CHECK_EQ(image_builder_backend(b, "n/other:80", 8, 1), 0);
    CHECK_EQ(image_builder_backend(b, "n/fault:80", IMAGE_NONE, 1), 0);
    CHECK_EQ(image_builder_backend(b, "n/hashed:80", 9, 1), 0);
    void *data;
    size_t len;
    struct image_view v = finish(b, &data, &len);
    CHECK_EQ(v.binds[0].congestion, IMAGE_CONGESTION_BBR);
    CHECK_EQ(v.binds[0].is_proxied, 1);
    CHECK_EQ(v.n_trusted, 1); /* said twice */
    CHECK_EQ(v.binds[0].n_trusted, 1);
    static const uint8_t wanted[] = {IMAGE_CONGESTION_BBR, IMAGE_CONGESTION_BBR,
                                     IMAGE_CONGESTION_CUBIC, IMAGE_CONGESTION_NONE,
                                     IMAGE_CONGESTION_CUBIC};
    static const uint8_t turns[] = {IMAGE_BALANCING_TURNS, IMAGE_BALANCING_TURNS,
                                    IMAGE_BALANCING_LEAST, IMAGE_BALANCING_NONE,
                                    IMAGE_BALANCING_MAGLEV};
    REQUIRE(v.n_backends == array_len(wanted));
    for (size_t i = 0; i < array_len(wanted); i++) {
        CHECK_EQ(v.backends[i].congestion, wanted[i]);
        CHECK_EQ(v.backends[i].balancing.way, turns[i]);
        CHECK_EQ(v.backends[i].proxy_header,
                 i < 2 ? IMAGE_PROXY_HEADER_V1 : IMAGE_PROXY_HEADER_NONE);
        CHECK_EQ(v.backends[i].protocol, i < 2 ? IMAGE_BACKEND_HTTP2 : IMAGE_BACKEND_HTTP1);
    }
    CHECK_EQ(v.backends[4].balancing.hash_key, IMAGE_HASH_KEY_HEADER);
    CHECK(slice_eq(image_text(&v, v.backends[4].balancing.name), SLICE_LIT("x-lower")));
    free(data);
    image_builder_free(b);
}

TEST(a_health_policy_is_said_of_a_group_once_and_all_its_backends_lead_there)
{
    struct image_health_spec spec = {.numbers = {.check = IMAGE_HEALTH_CHECK_HTTP,
                                                 .interval_ms = 1000,
                                                 .timeout_ms = 1000,
                                                 .healthy_checks = 1,
                                                 .unhealthy_checks = 1,
                                                 .n_statuses = 1,
                                                 .statuses = {{200, 399}}},
                                     .name = "n/policy"};
    struct image_builder *b = begin();
    begin_rule(b);
    CHECK_EQ(image_builder_group_health(b, 7, &spec), -EINVAL); /* no path */
    spec.path = "/ok";
    CHECK_EQ(image_builder_group_health(b, ENDPOINT_GROUPS_MAX, &spec), -EINVAL);
    spec.host = "*.example.com";
    CHECK_EQ(image_builder_group_health(b, 7, &spec), -EINVAL);
    spec.host = NULL;
    CHECK_EQ(image_builder_group_health(b, 9, &spec), 0);
    CHECK_EQ(image_builder_backend(b, "n/before:80", 7, 1), 0);
    CHECK_EQ(image_builder_group_health(b, 7, &spec), 0);
    CHECK_EQ(image_builder_group_health(b, 7, &spec), -EEXIST);
    CHECK_EQ(image_builder_backend(b, "n/behind:80", 7, 1), 0);
    CHECK_EQ(image_builder_backend(b, "n/other:80", 8, 1), 0);
    CHECK_EQ(image_builder_backend(b, "n/fault:80", IMAGE_NONE, 1), 0);
    CHECK_EQ(image_builder_mirror(b, "n/mirror:80", 9, 1, 1), 0);
    void *data;
    size_t len;
    struct image_view v = finish(b, &data, &len);
    REQUIRE(v.n_health == 2 && v.n_backends == 4 && v.n_mirrors == 1);
    CHECK_EQ(v.health[0].group, 7);
    CHECK_EQ(v.health[1].group, 9);
    CHECK(slice_eq(image_text(&v, v.health[0].path), SLICE_LIT("/ok")));
    CHECK_EQ(v.backends[0].health, 0);
    CHECK_EQ(v.backends[1].health, 0);
    CHECK_EQ(v.backends[2].health, IMAGE_NONE);
    CHECK_EQ(v.backends[3].health, IMAGE_NONE);
    CHECK_EQ(v.mirrors[0].health, 1);
    free(data);
    image_builder_free(b);
}

TEST(the_same_cas_by_another_object_are_another_bundle_and_by_the_same_one_are_not)
{
    static const struct image_san_spec san = {IMAGE_SAN_HOST, "x.example.com"};
    static const char *const names[] = {"a/cas", "b/cas", "a/cas"};
    struct image_builder *b = begin();
    begin_rule(b);
    for (uint32_t i = 0; i < array_len(names); i++) {
        struct image_backend_tls_spec tls = {.id = {1, 2},
                                             .name = "n/policy",
                                             .server_name = "x.example.com",
                                             .sans = &san,
                                             .n_sans = 1,
                                             .bundle = {{7}},
                                             .bundle_name = names[i]};
        CHECK_EQ(image_builder_group_tls(b, 7 + i, &tls), 0);
        CHECK_EQ(image_builder_backend(b, "n/s:80", 7 + i, 1), 0);
    }
    void *data;
    size_t len;
    struct image_view v = finish(b, &data, &len);
    REQUIRE(v.n_backends == array_len(names) && v.n_bundles == 2);
    for (uint32_t i = 0; i < array_len(names); i++) {
        const struct image_bundle *bundle = &v.bundles[v.backend_tls[v.backends[i].tls].bundle];
        CHECK(slice_eq(image_text(&v, bundle->name), slice_of_str(names[i])));
    }
    free(data);
    image_builder_free(b);
}

TEST(filters_that_would_break_a_message_are_refused)
{
    static const struct image_header_op_spec bad_ops[] = {
        {IMAGE_HEADER_SET, "Transfer-Encoding", "chunked"},
        {IMAGE_HEADER_ADD, "content-length", "0"},
        {IMAGE_HEADER_REMOVE, "Connection", NULL},
        {IMAGE_HEADER_SET, "X-A", "1\r\nX-B: 2"},
        {IMAGE_HEADER_SET, "X A", "1"},
        {IMAGE_HEADER_REMOVE, "X-A", "1"},
    };
    static const struct image_redirect_spec bad_redirects[] = {
        {.status = 200},
        {.status = 302, .hostname = "a b"},
        {.status = 302, .hostname = "*.example.com"},
        {.status = 302, .path = "/x"},
        {.status = 302, .path = "x", .path_edit = IMAGE_PATH_REPLACE_FULL},
    };
    struct image_builder *b = begin();
    begin_rule(b);
    for (size_t i = 0; i < array_len(bad_ops); i++)
        CHECK_EQ(image_builder_headers(b, IMAGE_FILTER_REQUEST_HEADERS, &bad_ops[i], 1), -EINVAL);
    for (size_t i = 0; i < array_len(bad_redirects); i++)
        CHECK_EQ(image_builder_redirect(b, &bad_redirects[i]), -EINVAL);
    CHECK_EQ(image_builder_redirect(b, &(struct image_redirect_spec){.status = 302}), 0);
    CHECK_EQ(image_builder_redirect(b, &(struct image_redirect_spec){.status = 302}), -EINVAL);
    CHECK_EQ(image_builder_rewrite(b, &(struct image_rewrite_spec){.hostname = "a.b"}), -EINVAL);
    void *data;
    size_t len;
    struct image_view v = finish(b, &data, &len);
    CHECK_EQ(v.n_filters, 1);
    CHECK_EQ(v.n_header_ops, 0);
    free(data);
    image_builder_free(b);
}

TEST(rate_limits_are_one_filter_and_are_refused_whole)
{
    const struct image_limit_spec route = {.id = 7,
                                           .name = "n/limit",
                                           .key = IMAGE_LIMIT_ROUTE,
                                           .requests = 10,
                                           .burst = 20,
                                           .period_ms = 1000};
    struct image_limit_spec bad[10];
    for (size_t i = 0; i < array_len(bad); i++)
        bad[i] = route;
    bad[0].requests = 0;
    bad[1].requests = IMAGE_LIMIT_REQUESTS_MAX + 1;
    bad[2].burst = 0;
    bad[3].period_ms = IMAGE_LIMIT_PERIOD_MS_MIN - 1;
    bad[4].period_ms = IMAGE_LIMIT_PERIOD_MS_MAX + 1;
    bad[5].key = IMAGE_LIMIT_HEADER;
    bad[6].key = IMAGE_LIMIT_HEADER;
    bad[6].header = "X-Upper";
    bad[7].header = "x-a";
    bad[8].key = IMAGE_LIMIT_CLIENT;
    bad[9].name = "n\n";
    struct image_builder *b = begin();
    CHECK_EQ(image_builder_limit(b, &route), -EINVAL); /* no rule yet */
    begin_rule(b);
    for (size_t i = 0; i < array_len(bad); i++)
        CHECK_EQ(image_builder_limit(b, &bad[i]), -EINVAL);
    for (uint32_t i = 0; i < IMAGE_LIMITS_PER_RULE_MAX; i++)
        CHECK_EQ(image_builder_limit(b, &route), 0);
    CHECK_EQ(image_builder_limit(b, &route), -EINVAL);
    void *data;
    size_t len;
    struct image_view v = finish(b, &data, &len);
    REQUIRE(v.n_filters == 1 && v.n_limits == IMAGE_LIMITS_PER_RULE_MAX);
    CHECK_EQ(v.filters[0].type, IMAGE_FILTER_LIMIT);
    CHECK_EQ(v.filters[0].count, IMAGE_LIMITS_PER_RULE_MAX);
    CHECK_EQ(v.limits[0].id, 7);
    CHECK_EQ(v.limits[0].burst, 20);
    free(data);
    image_builder_free(b);
}

TEST(sessions_have_names_that_clients_keep_and_that_break_no_message)
{
    static const char *const bad_cookies[] = {"",    NULL,       "a b",          "a=b",
                                              "a;b", "__Host-a", "__SECURE-sid", "sid\r\nX: 1"},
                             *const bad_headers[] = {"host",
                                                     "Cookie",
                                                     "Set-Cookie",
                                                     "Connection",
                                                     "transfer-encoding",
                                                     "a:b",
                                                     "expect",
                                                     "X-Forwarded-For",
                                                     "Forwarded"},
                             *const bad_paths[] = {"", NULL, "x", "/a;b", "/a b", "/a\n"};
    static const struct image_persistence_spec good = {.kind = IMAGE_SESSION_COOKIE,
                                                       .name = "sid",
                                                       .path = "/",
                                                       .token_key = {0, 1},
                                                       .seal_key = {1, 0}};
    char longest[IMAGE_SESSION_NAME_BYTES_MAX + 2];
    struct image_persistence_spec bad;
    struct image_builder *b = begin();
    CHECK_EQ(image_builder_persistence(b, &good), -EINVAL); /* of no rule */
    begin_rule(b);
    for (size_t i = 0; i < array_len(bad_cookies); i++) {
        bad = good;
        bad.name = bad_cookies[i];
        CHECK_EQ(image_builder_persistence(b, &bad), -EINVAL);
    }
    for (size_t i = 0; i < array_len(bad_paths); i++) {
        bad = good;
        bad.path = bad_paths[i];
        CHECK_EQ(image_builder_persistence(b, &bad), -EINVAL);
    }
    for (size_t i = 0; i < array_len(bad_headers); i++) {
        bad = good;
        bad.kind = IMAGE_SESSION_HEADER;
        bad.path = NULL;
        bad.name = bad_headers[i];
        CHECK_EQ(image_builder_persistence(b, &bad), -EINVAL);
    }
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    bad = good;
    bad.name = longest;
    CHECK_EQ(image_builder_persistence(b, &bad), -EINVAL);
    bad = good;
    bad.is_permanent = true; /* for no time */
    CHECK_EQ(image_builder_persistence(b, &bad), -EINVAL);
    bad = good;
    bad.seal_key[0] = 0;
    CHECK_EQ(image_builder_persistence(b, &bad), -EINVAL);
    bad = good;
    longest[IMAGE_SESSION_NAME_BYTES_MAX] = '\0';
    bad.name = longest;
    CHECK_EQ(image_builder_persistence(b, &bad), 0);
    CHECK_EQ(image_builder_persistence(b, &good), -EINVAL); /* the second */
    void *data;
    size_t len;
    struct image_view v = finish(b, &data, &len);
    CHECK_EQ(v.n_persistence, 1);
    CHECK_EQ(v.rules[0].persistence, 0);
    free(data);
    image_builder_free(b);
}

static struct ip_addr ip(const char *text)
{
    struct ip_addr a;
    REQUIRE(ip_addr_parse(text, &a));
    return a;
}

TEST(access_policies_are_one_filter_each_is_there_once_and_is_refused_whole)
{
    static struct image_range many[IMAGE_RANGES_PER_ACCESS_MAX];
    const struct image_range one = {ip("10.0.0.0"), ip("10.0.0.9")},
                             backwards = {ip("10.0.0.9"), ip("10.0.0.0")},
                             mixed = {ip("10.0.0.0"), ip("2001::")};
    for (size_t i = 0; i < array_len(many); i++)
        many[i] = one;
    const struct image_access_spec good = {.name = "n/a", .allowed = many, .n_allowed = 8192};
    struct image_access_spec bad[5] = {good, good, good, good, good};
    bad[0].name = "n\n";
    bad[1].n_allowed = IMAGE_RANGES_PER_ACCESS_MAX;
    bad[2] = (struct image_access_spec){.name = "n/b", .denied = &backwards, .n_denied = 1};
    bad[3] = (struct image_access_spec){.name = "n/b", .allowed = &mixed, .n_allowed = 1};
    bad[4] = (struct image_access_spec){
        .name = "n/b", .denied = many, .n_denied = IMAGE_RANGES_PER_ACCESS_MAX};
    struct image_builder *b = begin();
    CHECK_EQ(image_builder_access(b, &good), -EINVAL); /* no rule yet */
    begin_rule(b);
    for (size_t i = 0; i < array_len(bad); i++)
        CHECK_EQ(image_builder_access(b, &bad[i]), -EINVAL);
    for (uint32_t i = 0; i < IMAGE_ACCESSES_PER_RULE_MAX; i++)
        CHECK_EQ(image_builder_access(b, &good), 0);
    CHECK_EQ(image_builder_access(b, &good), -EINVAL);
    void *data;
    size_t len;
    struct image_view v = finish(b, &data, &len);
    REQUIRE(v.n_filters == 1 && v.n_accesses == 1 && v.n_ranges == 1);
    CHECK_EQ(v.filters[0].type, IMAGE_FILTER_ACCESS);
    CHECK_EQ(v.filters[0].count, IMAGE_ACCESSES_PER_RULE_MAX);
    CHECK_EQ(v.n_access_uses, IMAGE_ACCESSES_PER_RULE_MAX);
    free(data);
    image_builder_free(b);
}

TEST(lists_are_before_what_they_stand_before_each_once_and_shared_by_places_alike)
{
    const struct image_range one = {ip("10.0.0.0"), ip("10.0.0.9")};
    const struct image_access_spec x = {.name = "x", .denied = &one, .n_denied = 1},
                                   y = {.name = "n/y", .allowed = &one, .n_allowed = 1};
    const struct image_basic_spec basic = {.id = {1, 2}, .realm = "r"};
    const struct image_access_spec bad[] = {{.name = "n/b", .basic = &basic}, {.name = "n\n"}};
    struct ip_addr a = ip("192.0.2.1"), c = ip("192.0.2.2"), none = {0};
    struct image_builder *b = image_builder_new();
    uint32_t web = image_builder_listener(b, "n/g/web", "", IMAGE_PROTOCOL_HTTP, 80);
    uint32_t dns = image_builder_listener(b, "n/g/dns", "", IMAGE_PROTOCOL_UDP, 80);
    REQUIRE(image_builder_bind(b, &a, 80, web) == 0 && image_builder_bind(b, &a, 80, dns) == 0);
    REQUIRE(image_builder_bind(b, &c, 80, web) == 0);
    for (size_t i = 0; i < array_len(bad); i++)
        CHECK_EQ(image_builder_gate(b, &a, 80, false, &bad[i]), -EINVAL);
    CHECK_EQ(image_builder_gate(b, &none, 80, false, &x), -EINVAL);
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQ(image_builder_gate(b, &c, 80, false, &y), 0);
        CHECK_EQ(image_builder_gate(b, &c, 80, false, &x), 0);
        CHECK_EQ(image_builder_gate(b, &a, 80, true, &x), 0);
        CHECK_EQ(image_builder_gate(b, &c, 0, false, &x), 0);
        CHECK_EQ(image_builder_gate(b, &a, 0, false, &x), 0);
    }
    CHECK_EQ(image_builder_gate(b, &a, 81, false, &y), 0); /* nobody listens there */
    void *data;
    size_t len;
    struct image_view v = finish(b, &data, &len);
    uint32_t tcp = image_bind_find(&v, &a, 80, false), udp = image_bind_find(&v, &a, 80, true),
             other = image_bind_find(&v, &c, 80, false);
    CHECK(v.n_accesses == 2 && v.n_ranges == 2);
    CHECK_EQ(v.binds[tcp].n_gates, 0);
    CHECK_EQ(v.binds[udp].n_gates, 1);
    CHECK_EQ(v.binds[other].n_gates, 2);
    REQUIRE(v.n_gates == 2);
    const struct image_gate *of_a = image_gate_find(&v, &a), *of_c = image_gate_find(&v, &c);
    REQUIRE(of_a != NULL && of_c != NULL && image_gate_find(&v, &none) == NULL);
    CHECK(of_a->n_uses == 1 && of_c->n_uses == 1);
    CHECK_EQ(of_a->first_use, v.binds[udp].first_gate); /* one entry for both */
    CHECK(slice_eq(image_text(&v, v.accesses[v.gate_uses[of_c->first_use]].name), SLICE_LIT("x")));
    free(data);
    image_builder_free(b);
}

TEST(binds_of_some_clients_come_after_that_of_everybody_and_clients_in_order)
{
    struct ip_addr a = ip("192.0.2.1"), c = ip("192.0.2.2"), zero = {0};
    struct image_builder *b = image_builder_new();
    uint32_t web = image_builder_listener(b, "n/g/web", "", IMAGE_PROTOCOL_HTTP, 80);
    uint32_t tcp = image_builder_listener(b, "n/g/tcp", "", IMAGE_PROTOCOL_TCP, 80);
    CHECK_EQ(image_builder_client_set(b, ""), IMAGE_NONE);
    CHECK_EQ(image_builder_client_set(b, "\n"), IMAGE_NONE);
    uint32_t set = image_builder_client_set(b, "team");
    CHECK_EQ(set, 0);
    CHECK_EQ(image_builder_client(b, &c, 1), -EINVAL);
    CHECK_EQ(image_builder_client(b, &c, set), 0);
    CHECK_EQ(image_builder_client(b, &c, set), -EINVAL);
    CHECK_EQ(image_builder_client(b, &a, set), -EINVAL);
    struct image_place theirs = {.addr = a, .port = 80, .set = set};
    CHECK_EQ(image_builder_bind_at(b, &theirs, tcp), -ENOENT);
    REQUIRE(image_builder_bind(b, &a, 80, web) == 0 && image_builder_bind(b, &c, 80, web) == 0);
    CHECK_EQ(image_builder_bind_at(b, &theirs, tcp), 0); /* of another kind, too */
    CHECK_EQ(image_builder_bind_at(b, &theirs, tcp), -EEXIST);
    theirs.set = 1;
    CHECK_EQ(image_builder_bind_at(b, &theirs, tcp), -EINVAL);
    theirs.addr = zero;
    CHECK_EQ(image_builder_bind_at(b, &theirs, tcp), -EINVAL);
    void *data;
    size_t len;
    struct image_view v = finish(b, &data, &len);
    REQUIRE(v.n_binds == 3 && v.n_choices == 1);
    CHECK_EQ(image_bind_for(&v, 0, &c), 2);
    CHECK_EQ(image_bind_for(&v, 0, &a), 0);
    CHECK_EQ(image_bind_for(&v, 1, &c), 1);
    CHECK_EQ(v.binds[2].kind, IMAGE_BIND_TCP);
    free(data);
    image_builder_free(b);
}

TEST(a_limit_of_connections_is_there_once_and_a_binds_first_one_holds)
{
    const struct image_conn_limit_spec few = {"n/few", 10, 0}, many = {"n/many", 100, 5};
    const struct image_conn_limit_spec bad[] = {{"n/b", 0, 0},
                                                {"n/b", IMAGE_CONNS_MAX + 1, 0},
                                                {"n/b", 1, IMAGE_CONNS_MAX + 1},
                                                {"\n", 1, 1}};
    struct ip_addr a = ip("192.0.2.1"), c = ip("192.0.2.2");
    struct image_builder *b = image_builder_new();
    uint32_t web = image_builder_listener(b, "n/g/web", "", IMAGE_PROTOCOL_HTTP, 80);
    REQUIRE(image_builder_bind(b, &a, 80, web) == 0 && image_builder_bind(b, &c, 80, web) == 0);
    for (size_t i = 0; i < array_len(bad); i++)
        CHECK_EQ(image_builder_bind_limit(b, &a, 80, false, &bad[i]), -EINVAL);
    CHECK_EQ(image_builder_bind_limit(b, &a, 81, false, &few), -ENOENT);
    CHECK_EQ(image_builder_bind_limit(b, &a, 80, true, &few), -ENOENT);
    CHECK_EQ(image_builder_bind_limit(b, &a, 80, false, &many), 0);
    CHECK_EQ(image_builder_bind_limit(b, &a, 80, false, &few), 0);
    CHECK_EQ(image_builder_bind_limit(b, &c, 80, false, &many), 0);
    void *data;
    size_t len;
    struct image_view v = finish(b, &data, &len);
    REQUIRE(v.n_conn_limits == 1);
    CHECK(v.binds[0].limit == 0 && v.binds[1].limit == 0);
    CHECK(v.conn_limits[0].conns_max == 100 && v.conn_limits[0].client_conns_max == 5);
    free(data);
    image_builder_free(b);
}

TEST(passwords_are_stored_once_or_refused_whole)
{
    static const char *const hash = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";
    const struct image_user_spec users[] = {{"ada", hash}, {"bob", hash}};
    const struct image_user_spec twice[] = {{"ada", hash}, {"ada", hash}};
    const struct image_user_spec unsorted[] = {{"bob", hash}, {"ada", hash}};
    const struct image_user_spec weak[] = {{"ada", "secret"}, {"bob", hash}};
    const struct image_basic_spec good = {.id = {1, 2}, .realm = "r", .users = users, .n_users = 2};
    struct image_basic_spec bad[5] = {good, good, good, good, good};
    bad[0].realm = "\"";
    bad[1].users = twice;
    bad[2].users = unsorted;
    bad[3].users = weak;
    bad[4].n_users = IMAGE_USERS_PER_BASIC_MAX + 1;
    struct image_builder *b = begin();
    begin_rule(b);
    struct image_access_spec spec = {.name = "n/a"};
    for (size_t i = 0; i < array_len(bad); i++) {
        spec.basic = &bad[i];
        CHECK_EQ(image_builder_access(b, &spec), -EINVAL);
    }
    spec.basic = &good;
    CHECK_EQ(image_builder_access(b, &spec), 0);
    CHECK_EQ(image_builder_access(b, &spec), 0);
    void *data;
    size_t len;
    struct image_view v = finish(b, &data, &len);
    REQUIRE(v.n_accesses == 1 && v.n_basics == 1 && v.n_users == 2);
    CHECK_EQ(v.users[0].hash.offset, v.users[1].hash.offset); /* one string */
    free(data);
    image_builder_free(b);
}

TEST(tokens_are_stored_once_or_refused_whole)
{
    static char long_key[IMAGE_JWT_KEY_BYTES_MAX + 1], long_name[IMAGE_JWT_NAME_BYTES_MAX + 2];
    const char *const audiences[] = {"api"}, *const bad_audiences[] = {""};
    const struct slice spki = SLICE_LIT("a key");
    const struct image_jwt_key_spec keys[] = {{"k", spki, IMAGE_JWT_ES256}};
    const struct image_jwt_key_spec bad_keys[][1] = {
        {{"k", spki, IMAGE_JWT_ES256 | IMAGE_JWT_RS256}},
        {{"k", spki, 0}},
        {{"k", {NULL, 0}, IMAGE_JWT_ES256}},
        {{"k", slice_of(long_key, sizeof(long_key)), IMAGE_JWT_ES256}},
        {{long_name, spki, IMAGE_JWT_ES256}},
    };
    const struct image_jwt_spec good = {.id = {1, 2},
                                        .realm = "r",
                                        .issuer = "i",
                                        .audiences = audiences,
                                        .n_audiences = 1,
                                        .keys = keys,
                                        .n_keys = 1};
    struct image_jwt_spec bad[5 + array_len(bad_keys)];
    memset(long_name, 'x', sizeof(long_name) - 1);
    for (size_t i = 0; i < array_len(bad); i++)
        bad[i] = good;
    bad[0].realm = "\"";
    bad[1].issuer = "";
    bad[2].audiences = bad_audiences;
    bad[3].n_keys = IMAGE_JWT_KEYS_MAX + 1;
    bad[4].issuer = long_name;
    for (size_t i = 0; i < array_len(bad_keys); i++)
        bad[5 + i].keys = bad_keys[i];
    struct image_builder *b = begin();
    begin_rule(b);
    struct image_access_spec spec = {.name = "n/a"};
    for (size_t i = 0; i < array_len(bad); i++) {
        spec.jwt = &bad[i];
        CHECK_EQ(image_builder_access(b, &spec), -EINVAL);
    }
    spec.jwt = &good;
    spec.basic = &(struct image_basic_spec){.id = {1, 2}, .realm = "r"};
    CHECK_EQ(image_builder_access(b, &spec), -EINVAL); /* both */
    spec.basic = NULL;
    CHECK_EQ(image_builder_access(b, &spec), 0);
    CHECK_EQ(image_builder_access(b, &spec), 0);
    void *data;
    size_t len;
    struct image_view v = finish(b, &data, &len);
    REQUIRE(v.n_accesses == 1 && v.n_jwts == 1 && v.n_jwt_keys == 1 && v.n_jwt_audiences == 1);
    CHECK(slice_eq(image_text(&v, v.jwt_keys[0].spki), spki));
    free(data);
    image_builder_free(b);
}

TEST(cors_filters_are_refused_whole)
{
    static const char *const bad_origins[] = {"",
                                              "foo",
                                              "ftp://a",
                                              "https://",
                                              "https://a:",
                                              "https://a:0",
                                              "https://a:x",
                                              "https://a:65536",
                                              "https://a b",
                                              "https://*.*.a",
                                              "https://a/b",
                                              "https://a.*"};
    static const char *const good_origins[] = {"https://a", "https://*.b:8443", "http://*"};
    static char long_list[IMAGE_CORS_LIST_BYTES_MAX + 2];
    struct image_builder *b = begin();
    begin_rule(b);
    for (size_t i = 0; i < array_len(bad_origins); i++) {
        const char *origins[] = {"https://a", bad_origins[i]};
        CHECK_EQ(
            image_builder_cors(
                b, &(struct image_cors_spec){.origins = origins, .n_origins = 2, .max_age_s = 5}),
            -EINVAL);
    }
    memset(long_list, 'a', IMAGE_CORS_LIST_BYTES_MAX + 1);
    CHECK_EQ(image_builder_cors(b, &(struct image_cors_spec){.max_age_s = 0}), -EINVAL);
    CHECK_EQ(image_builder_cors(b, &(struct image_cors_spec){.headers = long_list, .max_age_s = 5}),
             -EINVAL);
    CHECK_EQ(
        image_builder_cors(b, &(struct image_cors_spec){.methods = "A\r\nB: C", .max_age_s = 5}),
        -EINVAL);
    struct image_cors_spec good = {.origins = good_origins,
                                   .n_origins = 3,
                                   .has_credentials = true,
                                   .methods = "*",
                                   .headers = long_list + 1,
                                   .exposed = "*",
                                   .max_age_s = 5};
    CHECK_EQ(image_builder_cors(b, &good), 0);
    CHECK_EQ(image_builder_cors(b, &good), -EINVAL); /* one is enough */
    void *data;
    size_t len;
    struct image_view v = finish(b, &data, &len);
    CHECK_EQ(v.n_origins, 3);
    CHECK_EQ(v.n_cors, 1);
    CHECK_EQ(v.cors[0].flags, IMAGE_CORS_CREDENTIALS | IMAGE_CORS_ANY_METHOD);
    CHECK_EQ(v.cors[0].exposed.length, 0); /* a star must not be told with credentials */
    free(data);
    image_builder_free(b);
}

TEST(a_prefix_is_replaced_only_where_one_is_matched)
{
    struct image_builder *b = begin();
    begin_rule(b);
    struct image_rewrite_spec rewrite = {.path = "/x", .path_edit = IMAGE_PATH_REPLACE_PREFIX};
    struct image_match_spec exact = {.path_kind = IMAGE_PATH_EXACT, .path = "/a"};
    CHECK_EQ(image_builder_rewrite(b, &rewrite), 0);
    CHECK_EQ(image_builder_match(b, &exact), -EINVAL);
    CHECK_EQ(image_builder_match(b, &everything), 0);
    REQUIRE(image_builder_rule(b, 1) == 1);
    CHECK_EQ(image_builder_match(b, &exact), 0);
    CHECK_EQ(image_builder_rewrite(b, &rewrite), -EINVAL); /* too late: the match stands */
    image_builder_free(b);
}

TEST(the_deepest_path_and_the_longest_host_fit)
{
    char path[1025], longer[1026], host[256];
    memset(path, '/', 1024);
    path[1024] = '\0';
    memset(longer, '/', 1025);
    longer[1025] = '\0';
    for (int i = 0; i < 255; i++)
        host[i] = i % 2 == 0 ? 'a' : '.';
    host[255] = '\0';
    struct image_builder *b = begin();
    begin_rule(b);
    struct image_match_spec spec = {.path_kind = IMAGE_PATH_EXACT, .path = longer};
    CHECK_EQ(image_builder_match(b, &spec), -EINVAL);
    spec.path = path;
    CHECK_EQ(image_builder_match(b, &spec), 0);
    CHECK_EQ(image_builder_attach(b, 0, host), 0);
    void *data;
    size_t len;
    struct image_view v = finish(b, &data, &len);
    struct route_request request = {
        .host = slice_of_str(host), .path = slice_of_str(path), .method = SLICE_LIT("GET")};
    struct route_result result;
    route_match(&v, &request, &result);
    CHECK_EQ(result.outcome, ROUTE_OUTCOME_RULE);
    free(data);
    image_builder_free(b);
}

TEST(finishing_twice_and_going_on_between_works)
{
    struct image_builder *b = begin();
    void *first, *again, *more;
    size_t len, len_again, len_more;
    begin_rule(b);
    REQUIRE(image_builder_match(b, &everything) == 0);
    REQUIRE(image_builder_attach(b, 0, NULL) == 0);
    finish(b, &first, &len);
    finish(b, &again, &len_again);
    CHECK(len == len_again && memcmp(first, again, len) == 0);
    REQUIRE(image_builder_route(b, "n/s", 1) == 0);
    struct image_view v = finish(b, &more, &len_more);
    CHECK_EQ(v.n_routes, 2);
    free(first);
    free(again);
    free(more);
    image_builder_free(b);
}

/* `n` routes, each with a hostname and ten paths of its own. */
static struct image_builder *big(unsigned n)
{
    struct image_builder *b = begin();
    for (unsigned i = 0; i < n; i++) {
        char name[32], host[48], path[32];
        snprintf(name, sizeof(name), "n%u/r%06u", i % 7, i);
        snprintf(host, sizeof(host), "app-%u.team-%u.example.com", i, i % 97);
        REQUIRE(image_builder_route(b, name, i) == 0);
        for (uint16_t k = 0; k < 10; k++) {
            REQUIRE(image_builder_rule(b, k) != IMAGE_NONE);
            REQUIRE(image_builder_backend(b, "n/svc:80", i, 1) == 0);
            snprintf(path, sizeof(path), "/api/v%u/items", k);
            struct image_match_spec spec = {.path_kind = IMAGE_PATH_PREFIX, .path = path};
            REQUIRE(image_builder_match(b, &spec) == 0);
        }
        REQUIRE(image_builder_attach(b, 0, host) == 0);
    }
    return b;
}

/* How many places a lookup of every node looks at, at most: what the cost of a match hangs on. */
static uint32_t longest_probe(const struct image_view *v)
{
    uint32_t longest = 0, mask = v->n_nodes - 1;
    for (uint32_t i = 0; i < v->n_nodes; i++) {
        uint32_t distance = (i - image_node_place(v->node_rests[i].hash, 0, v->n_nodes)) & mask;
        if (v->nodes[i].kind != 0)
            longest = distance > longest ? distance : longest;
    }
    return longest + 1;
}

TEST(ten_thousand_routes_cost_a_request_no_more_probes_than_ten)
{
    static const unsigned sizes[] = {10, 10000};
    for (size_t s = 0; s < array_len(sizes); s++) {
        struct image_builder *b = big(sizes[s]);
        void *data;
        size_t len;
        struct image_view v = finish(b, &data, &len);
        CHECK(longest_probe(&v) <= IMAGE_PROBES_MAX);
        CHECK_EQ(v.n_matches, sizes[s] * 10);
        for (unsigned i = 0; i < sizes[s]; i += sizes[s] / 10) {
            char host[48];
            snprintf(host, sizeof(host), "app-%u.team-%u.example.com", i, i % 97);
            struct route_request request = {.host = slice_of_str(host),
                                            .path = SLICE_LIT("/api/v7/items/1"),
                                            .method = SLICE_LIT("GET")};
            struct route_result result;
            route_match(&v, &request, &result);
            CHECK_EQ(result.outcome, ROUTE_OUTCOME_RULE);
            CHECK_EQ(v.rules[result.rule].index, 7);
            CHECK_EQ(v.backends[v.rules[result.rule].first_backend].group, i);
        }
        free(data);
        image_builder_free(b);
    }
}

TEST(one_interface_or_address_too_many_is_refused_alone)
{
    struct image_builder *b = begin();
    for (uint32_t i = 0; i < 64; i++)
        REQUIRE(image_builder_interface(b, "i", 0, (uint16_t)i, 0) == i);
    CHECK_EQ(image_builder_interface(b, "i", 1, 0, 0), IMAGE_NONE);
    struct image_address address = {.addr = vip, .prefix_len = 120};
    struct image_egress egress = {.prefix = vip, .prefix_len = 128, .gateway = vip};
    for (unsigned i = 0; i < 16384; i++) {
        memcpy(&address.addr.bytes[14], &i, 2);
        REQUIRE(image_builder_address(b, &address) == 0);
        if (i < 4096)
            REQUIRE(image_builder_egress(b, &egress) == 0);
    }
    CHECK_EQ(image_builder_address(b, &address), -EEXIST);
    address.addr.bytes[13]++;
    CHECK_EQ(image_builder_address(b, &address), -ENOSPC);
    CHECK_EQ(image_builder_egress(b, &egress), -ENOSPC);
    void *data;
    size_t len;
    struct image_view v = finish(b, &data, &len);
    CHECK_EQ(v.n_addresses, 16384);
    free(data);
    image_builder_free(b);
}

TEST(more_listeners_than_the_format_holds_end_the_build)
{
    struct image_builder *b = begin();
    void *data = NULL;
    size_t len;
    for (unsigned i = 1; i < 65536; i++)
        REQUIRE(image_builder_listener(b, "l", NULL, IMAGE_PROTOCOL_HTTP, 80) == i);
    CHECK_EQ(image_builder_listener(b, "l", NULL, IMAGE_PROTOCOL_HTTP, 80), IMAGE_NONE);
    CHECK_EQ(image_builder_route(b, "n/r", 1), -E2BIG);
    CHECK_EQ(image_builder_finish(b, 1, &data, &len), -E2BIG);
    CHECK(data == NULL);
    image_builder_free(b);
}

/* A route with as many hostnames as `pick` chooses of "h0", "h1", ... */
static struct image_view many_hosts(struct image_builder *b, unsigned n, bool (*pick)(unsigned i),
                                    void **ret_data)
{
    size_t len;
    begin_rule(b);
    REQUIRE(image_builder_match(b, &everything) == 0);
    for (unsigned i = 0, found = 0; found < n; i++) {
        char host[16];
        if (!pick(i))
            continue;
        snprintf(host, sizeof(host), "h%u", i);
        REQUIRE(image_builder_attach(b, 0, host) == 0);
        found++;
    }
    return finish(b, ret_data, &len);
}

/* Where a host of listener 0, whose trie is the first node that is made, begins to be looked for
 * among 256 places. Its paths need a place each, too. */
static uint32_t place_of(uint64_t seed, unsigned i)
{
    char host[16];
    snprintf(host, sizeof(host), "h%u", i);
    uint64_t root = image_edge_hash(seed, 0, SLICE_LIT(""));
    return image_edge_hash(seed, root, slice_of_str(host)) & 254;
}

static bool wants_place_4(unsigned i)
{
    return place_of(0, i) == 4;
}

/* Hosts that crowd the first 16 of 256 places under each seed that is tried on such a table. */
static bool wants_one_of_16_places(unsigned i)
{
    for (uint64_t seed = 0; seed < 4; seed++) {
        if (place_of(seed, i) >= 16)
            return false;
    }
    return true;
}

TEST(names_chosen_to_collide_get_another_seed)
{
    struct image_builder *b = begin();
    void *data;
    struct image_view v = many_hosts(b, IMAGE_PROBES_MAX + 8, wants_place_4, &data);
    CHECK_EQ(v.n_nodes, 256);
    CHECK(v.header->hash_seed != 0);
    CHECK(longest_probe(&v) <= IMAGE_PROBES_MAX);
    free(data);
    image_builder_free(b);
}

TEST(names_that_collide_under_every_seed_get_a_larger_table)
{
    struct image_builder *b = begin();
    void *data;
    struct image_view v = many_hosts(b, IMAGE_PROBES_MAX + 16, wants_one_of_16_places, &data);
    CHECK(v.n_nodes > 256);
    CHECK(longest_probe(&v) <= IMAGE_PROBES_MAX);
    free(data);
    image_builder_free(b);
}

TEST(a_thousand_routes_that_differ_in_a_header_cost_one_question)
{
    struct image_builder *b = begin();
    for (unsigned i = 0; i < 1000; i++) {
        char name[16], value[16];
        snprintf(name, sizeof(name), "n/r%04u", i);
        snprintf(value, sizeof(value), "team-%u", i);
        struct image_pair headers[] = {{"x-stage", "preview"}, {"x-team", value}};
        struct image_match_spec match = everything;
        match.headers = headers;
        match.n_headers = 2;
        REQUIRE(image_builder_route(b, name, 1) == 0);
        REQUIRE(image_builder_rule(b, 0) == i);
        REQUIRE(image_builder_match(b, &match) == 0);
        REQUIRE(image_builder_attach(b, 0, NULL) == 0);
    }
    void *data;
    size_t len;
    struct image_view v = finish(b, &data, &len);
    CHECK_EQ(v.n_guards, 1);
    CHECK_EQ(v.n_answers, 1000);
    struct route_field fields[] = {{SLICE_LIT("X-Team"), SLICE_LIT("team-777")},
                                   {SLICE_LIT("x-stage"), SLICE_LIT("preview")}};
    struct route_request request = {
        .path = SLICE_LIT("/"), .method = SLICE_LIT("GET"), .fields = fields, .n_fields = 2};
    struct route_result result;
    route_match(&v, &request, &result);
    CHECK_EQ(result.outcome, ROUTE_OUTCOME_RULE);
    CHECK_EQ(result.rule, 777);
    request.n_fields = 1;
    route_match(&v, &request, &result);
    CHECK_EQ(result.outcome, ROUTE_OUTCOME_NO_RULE);
    free(data);
    image_builder_free(b);
}

TEST(many_addresses_are_bound_and_found)
{
    struct image_builder *b = begin();
    void *data;
    size_t len;
    for (unsigned i = 1; i < 5000; i++) {
        struct ip_addr addr = vip;
        memcpy(&addr.bytes[14], &i, 2);
        REQUIRE(image_builder_bind(b, &addr, (uint16_t)(1 + i % 3), 0) == 0);
    }
    struct image_view v = finish(b, &data, &len);
    CHECK_EQ(v.n_binds, 5000);
    for (unsigned i = 1; i < 5000; i += 7) {
        struct ip_addr addr = vip;
        uint32_t bind;
        memcpy(&addr.bytes[14], &i, 2);
        CHECK(route_bind_find(&v, &addr, (uint16_t)(1 + i % 3), &bind));
        CHECK(!route_bind_find(&v, &addr, (uint16_t)(1 + (i + 1) % 3), &bind));
    }
    free(data);
    image_builder_free(b);
}

UNIT_MAIN("image_builder", T(one_interface_or_address_too_many_is_refused_alone),
          T(more_listeners_than_the_format_holds_end_the_build),
          T(names_chosen_to_collide_get_another_seed),
          T(names_that_collide_under_every_seed_get_a_larger_table),
          T(a_thousand_routes_that_differ_in_a_header_cost_one_question),
          T(many_addresses_are_bound_and_found),
          T(what_would_spoil_the_image_is_refused_and_leaves_no_trace),
          T(what_tcp_and_balancing_do_is_said_of_binds_and_groups),
          T(a_health_policy_is_said_of_a_group_once_and_all_its_backends_lead_there),
          T(the_same_cas_by_another_object_are_another_bundle_and_by_the_same_one_are_not),
          T(filters_that_would_break_a_message_are_refused), T(cors_filters_are_refused_whole),
          T(rate_limits_are_one_filter_and_are_refused_whole),
          T(lists_are_before_what_they_stand_before_each_once_and_shared_by_places_alike),
          T(binds_of_some_clients_come_after_that_of_everybody_and_clients_in_order),
          T(a_limit_of_connections_is_there_once_and_a_binds_first_one_holds),
          T(passwords_are_stored_once_or_refused_whole), T(tokens_are_stored_once_or_refused_whole),
          T(access_policies_are_one_filter_each_is_there_once_and_is_refused_whole),
          T(sessions_have_names_that_clients_keep_and_that_break_no_message),
          T(a_prefix_is_replaced_only_where_one_is_matched),
          T(the_deepest_path_and_the_longest_host_fit),
          T(finishing_twice_and_going_on_between_works),
          T(ten_thousand_routes_cost_a_request_no_more_probes_than_ten))
