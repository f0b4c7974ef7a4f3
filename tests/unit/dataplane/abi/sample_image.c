/* SPDX-License-Identifier: Apache-2.0 */
/* See sample_image.h. */
#include "sample_image.h"

#include "base/container.h"
#include "compile/image_builder.h"
#include "route/access.h"
#include "route/cors.h"
#include "route/filter.h"
#include "route/pattern_compile.h"
#include "route/route.h"
#include "route/session.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATABASES_MAX 16u

/* What was compiled, for the builder's life: the same patterns give the same bytes. */
static struct {
    char keys[DATABASES_MAX][128];
    void *bytes[DATABASES_MAX];
    size_t lens[DATABASES_MAX];
    unsigned n;
} compiled;

static int compile(void *arg, const struct slice *patterns, uint32_t n, const void **ret_bytes,
                   size_t *ret_len)
{
    struct route_pattern_fault fault;
    unsigned at = 0;
    REQUIRE(compiled.n < DATABASES_MAX);
    char *key = compiled.keys[compiled.n];
    for (uint32_t i = 0, len = 0; i < n; i++)
        len += (uint32_t)snprintf(key + len, sizeof(compiled.keys[0]) - len, "%.*s\n",
                                  (int)patterns[i].len, (const char *)patterns[i].ptr);
    while (at < compiled.n && strcmp(compiled.keys[at], key) != 0)
        at++;
    if (at == compiled.n &&
        !route_patterns_compile(patterns, n, &compiled.bytes[at], &compiled.lens[at], &fault))
        return -EINVAL;
    compiled.n += at == compiled.n;
    *ret_bytes = compiled.bytes[at];
    *ret_len = compiled.lens[at];
    return 0;
}

static void forget_compiled(void)
{
    while (compiled.n > 0)
        free(compiled.bytes[--compiled.n]);
}

static struct ip_addr ip(const char *text)
{
    struct ip_addr a;
    REQUIRE(ip_addr_parse(text, &a));
    return a;
}

static void add_network(struct image_builder *b)
{
    uint32_t port0 = image_builder_interface(b, "front", 0, 0, 0);
    uint32_t port1 = image_builder_interface(b, "back", 1, 20, 1500);
    struct image_address addresses[] = {
        {ip("198.18.0.2"), 120, 0, (uint16_t)port0},
        {ip("198.18.0.11"), 128, 1, (uint16_t)port0},
        {ip("198.18.0.10"), 128, 1, (uint16_t)port0},
        {ip("2001:db8::2"), 64, 0, (uint16_t)port1},
    };
    for (size_t i = 0; i < array_len(addresses); i++)
        REQUIRE(image_builder_address(b, &addresses[i]) == 0);
    struct image_egress egress = {ip("0.0.0.0"), 96, IMAGE_EGRESS_PODS, (uint16_t)port0,
                                  ip("198.18.0.1")};
    REQUIRE(image_builder_egress(b, &egress) == 0);
}

static void add_limits(struct image_builder *b)
{
    static const struct image_limit_spec limits[] = {
        {.id = 1, .name = "a/all", .key = IMAGE_LIMIT_ROUTE, .requests = 1000, .burst = 500},
        {.id = 2,
         .name = "a/client",
         .key = IMAGE_LIMIT_CLIENT,
         .prefix4_len = 32,
         .prefix6_len = 64,
         .requests = 10,
         .burst = 20},
        {.id = 3,
         .name = "a/key",
         .key = IMAGE_LIMIT_HEADER,
         .header = "x-key",
         .requests = 1,
         .burst = 1},
    };
    for (size_t i = 0; i < array_len(limits); i++) {
        struct image_limit_spec spec = limits[i];
        spec.period_ms = 60000;
        REQUIRE(image_builder_limit(b, &spec) == 0);
    }
}

static void add_accesses(struct image_builder *b)
{
    const struct image_range allowed[] = {
        {ip("10.0.0.0"), ip("10.255.255.255")},
        {ip("10.1.0.0"), ip("11.0.0.0")},
        {ip("::"), ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")}};
    const struct image_range denied[] = {{ip("10.2.0.0"), ip("10.2.255.255")}};
    REQUIRE(image_builder_access(b, &(struct image_access_spec){.name = "a/some",
                                                                .allowed = allowed,
                                                                .n_allowed = array_len(allowed),
                                                                .denied = denied,
                                                                .n_denied = array_len(denied)}) ==
            0);
    static const struct image_user_spec users[] = {
        {"ada", "$2b$10$abcdefghijklmnopqrstuuqflPDzB6gcMhKa1rZqKiun2YGL5sa2u"},
        {"bob", "$5$rounds=1000$saltsalt$sLGUp8luFKe9hdONcg3wHolsGxI/oSVrUtsYNpk8Z.2"},
    };
    const struct image_basic_spec basic = {
        .id = {1, 2}, .realm = "door", .users = users, .n_users = array_len(users)};
    REQUIRE(image_builder_access(
                b, &(struct image_access_spec){.name = "a/all", .basic = &basic}) == 0);
    static const char *const audiences[] = {"api", "web"};
    const struct image_jwt_key_spec keys[] = {
        {.kid = "one", .spki = SLICE_LIT("a key"), .algs = IMAGE_JWT_RS256},
        {.spki = SLICE_LIT("another"), .algs = IMAGE_JWT_EDDSA}};
    const struct image_jwt_spec jwt = {.id = {3, 4},
                                       .realm = "tokens",
                                       .issuer = "https://issuer.me",
                                       .audiences = audiences,
                                       .n_audiences = array_len(audiences),
                                       .keys = keys,
                                       .n_keys = array_len(keys)};
    for (unsigned i = 0; i < 2; i++)
        REQUIRE(image_builder_access(
                    b, &(struct image_access_spec){.name = "a/token", .jwt = &jwt}) == 0);
}

static void add_shop(struct image_builder *b, uint32_t listener)
{
    static const struct image_pair header = {"Version", "two"}, query = {"debug", "yes"};
    static const struct image_header_op_spec ops[] = {
        {IMAGE_HEADER_SET, "X-Gateway", "sluice"},
        {IMAGE_HEADER_ADD, "Via", "one, two"},
        {IMAGE_HEADER_REMOVE, "Cookie", NULL},
    };
    static const char *const origins[] = {"https://www.example.com", "http://*.example.com:8080"};
    struct image_rewrite_spec rewrite = {"inner.example.com", "/new", IMAGE_PATH_REPLACE_PREFIX};
    struct image_cors_spec cors = {
        .origins = origins, .n_origins = 2, .methods = "PUT", .headers = "*", .max_age_s = 60};
    static const uint16_t codes[] = {400, 503, 599};
    struct image_retry_spec retry = {
        .attempts = 3, .backoff_ms = 10, .codes = codes, .n_codes = array_len(codes)};
    struct image_persistence_spec persistence = {.kind = IMAGE_SESSION_COOKIE,
                                                 .name = "sid",
                                                 .path = "/sid",
                                                 .lifetime_s = 60,
                                                 .is_permanent = true,
                                                 .token_key = {1},
                                                 .seal_key = {2}};
    static const struct image_balance_spec by_cookie = {
        .way = IMAGE_BALANCING_MAGLEV, .hash_key = IMAGE_HASH_KEY_COOKIE, .name = "Tenant"};
    struct image_match_spec prefix = {.path_kind = IMAGE_PATH_PREFIX, .path = "/shop/cart"};
    struct image_match_spec narrow = {.path_kind = IMAGE_PATH_PREFIX,
                                      .path = "/shop/cart",
                                      .method = "GET",
                                      .headers = &header,
                                      .n_headers = 1,
                                      .queries = &query,
                                      .n_queries = 1,
                                      .index = 1};
    REQUIRE(image_builder_route(b, "a/shop", 1000) == 0);
    REQUIRE(image_builder_rule(b, 0) == 0);
    REQUIRE(image_builder_headers(b, IMAGE_FILTER_REQUEST_HEADERS, ops, 3) == 0);
    REQUIRE(image_builder_headers(b, IMAGE_FILTER_RESPONSE_HEADERS, ops, 2) == 0);
    REQUIRE(image_builder_rewrite(b, &rewrite) == 0);
    REQUIRE(image_builder_cors(b, &cors) == 0);
    REQUIRE(image_builder_mirror(b, "a/cart:80", 3, 1, 3) == 0);
    REQUIRE(image_builder_mirror(b, "a/other:80", 4, 1, 1) == 0);
    REQUIRE(image_builder_group_balancing(b, 4, &by_cookie) == 0);
    add_limits(b);
    add_accesses(b);
    REQUIRE(image_builder_backend(b, "a/cart:80", 3, 9) == 0);
    REQUIRE(image_builder_backend_headers(b, IMAGE_FILTER_REQUEST_HEADERS, ops, 1) == 0);
    REQUIRE(image_builder_backend(b, "a/gone:80", IMAGE_NONE, 1) == 0);
    REQUIRE(image_builder_timeouts(b, 10000, 5000) == 0);
    REQUIRE(image_builder_retry(b, &retry) == 0);
    REQUIRE(image_builder_persistence(b, &persistence) == 0);
    REQUIRE(image_builder_match(b, &prefix) == 0);
    REQUIRE(image_builder_match(b, &narrow) == 0);
    REQUIRE(image_builder_attach(b, listener, "shop.example.com") == 0);
    REQUIRE(image_builder_attach(b, listener, "*.shop.example.com") == 0);
}

/* Patterns of paths, headers and query parameters. */
static void add_patterns(struct image_builder *b, uint32_t listener)
{
    static const struct image_pair header = {"version", "t.o", true},
                                   query = {"debug", "y.*", true};
    struct image_match_spec matches[] = {
        {.path_kind = IMAGE_PATH_REGEX, .path = "/v[0-9]+/.*"},
        {.path_kind = IMAGE_PATH_REGEX, .path = "/[a-z]+", .method = "GET", .index = 1},
        {.path_kind = IMAGE_PATH_PREFIX,
         .path = "/shop",
         .headers = &header,
         .n_headers = 1,
         .queries = &query,
         .n_queries = 1,
         .index = 2},
        {.path_kind = IMAGE_PATH_REGEX, .path = "/one/[0-9]+", .index = 3}, /* alone at a node */
    };
    REQUIRE(image_builder_route(b, "d/patterns", 4000) == 0);
    REQUIRE(image_builder_rule(b, 0) != IMAGE_NONE);
    REQUIRE(image_builder_backend(b, "a/cart:80", 3, 1) == 0);
    for (size_t i = 0; i < array_len(matches); i++)
        REQUIRE(image_builder_match(b, &matches[i]) == 0);
    REQUIRE(image_builder_attach(b, listener, "shop.example.com") == 0);
    REQUIRE(image_builder_attach(b, listener, NULL) == 0);
}

/* Calls of gRPC: enough of one path that it gets a guard for the method. */
static void add_calls(struct image_builder *b, uint32_t listener)
{
    static const char *const methods[] = {"A", "B", "C", "D", "E", "F", "G", "H", "I"};
    struct image_match_spec exact = {.path_kind = IMAGE_PATH_EXACT, .path = "/service/Method"};
    struct image_match_spec below = {.path_kind = IMAGE_PATH_PREFIX, .path = "/service"};
    REQUIRE(image_builder_route_of(b, IMAGE_ROUTE_GRPC, "e/calls", 5000) == 0);
    REQUIRE(image_builder_rule(b, 0) != IMAGE_NONE);
    REQUIRE(image_builder_backend(b, "a/calls:80", 5, 1) == 0);
    REQUIRE(image_builder_match(b, &exact) == 0);
    for (size_t i = 0; i < array_len(methods); i++) {
        below.method = methods[i];
        below.index = (uint16_t)(i + 1);
        REQUIRE(image_builder_match(b, &below) == 0);
    }
    REQUIRE(image_builder_attach(b, listener, "grpc.example.com") == 0);
}

static void add_rest(struct image_builder *b, uint32_t listener)
{
    struct image_redirect_spec redirect = {"www.example.com",  "/", IMAGE_PATH_REPLACE_FULL,
                                           IMAGE_SCHEME_HTTPS, 301, 8443};
    struct image_match_spec exact = {.path_kind = IMAGE_PATH_EXACT, .path = "/"};
    struct image_match_spec all = {.path_kind = IMAGE_PATH_PREFIX, .path = "/", .index = 1};
    struct image_match_spec rest = {.path_kind = IMAGE_PATH_EXACT, .path = "/rest", .index = 1};
    struct image_match_spec below = {.path_kind = IMAGE_PATH_PREFIX, .path = "/rest", .index = 2};
    REQUIRE(image_builder_route(b, "b/rest", 2000) == 0);
    REQUIRE(image_builder_rule(b, 0) == 1);
    REQUIRE(image_builder_redirect(b, &redirect) == 0);
    REQUIRE(image_builder_match(b, &exact) == 0);
    REQUIRE(image_builder_match(b, &rest) == 0);
    REQUIRE(image_builder_rule(b, 2) == 2);
    REQUIRE(image_builder_rule_fault(b) == 0);
    REQUIRE(image_builder_match(b, &all) == 0);
    REQUIRE(image_builder_match(b, &below) == 0);
    REQUIRE(image_builder_attach(b, listener, NULL) == 0);
    REQUIRE(image_builder_attach(b, listener, "shop.example.com") == 0);
}

/* So many matches of one path that it gets guards of every kind. */
static void add_crowd(struct image_builder *b, uint32_t listener)
{
    static const struct image_pair one = {"version", "one"}, two = {"version", "two"},
                                   yes = {"debug", "yes"};
    static const struct {
        const char *method;
        const struct image_pair *header, *query;
    } rows[] = {
        {NULL, &one, NULL},  {NULL, &two, NULL},  {"PUT", &one, NULL},  {NULL, NULL, &yes},
        {"PUT", NULL, &yes}, {"GET", NULL, NULL}, {"POST", NULL, NULL}, {"GET", &two, &yes},
        {NULL, NULL, NULL},  {NULL, &two, &yes},
    };
    REQUIRE(image_builder_route(b, "c/crowd", 3000) == 0);
    REQUIRE(image_builder_rule(b, 0) != IMAGE_NONE);
    REQUIRE(image_builder_backend(b, "a/cart:80", 3, 1) == 0);
    for (uint16_t i = 0; i < array_len(rows); i++) {
        struct image_match_spec match = {.path_kind = IMAGE_PATH_PREFIX,
                                         .path = "/crowd",
                                         .method = rows[i].method,
                                         .headers = rows[i].header,
                                         .n_headers = rows[i].header != NULL,
                                         .queries = rows[i].query,
                                         .n_queries = rows[i].query != NULL,
                                         .index = i};
        REQUIRE(image_builder_match(b, &match) == 0);
    }
    REQUIRE(image_builder_attach(b, listener, NULL) == 0);
}

/* A listener that terminates TLS, with two certificates. */
static void add_secure(struct image_builder *b, const struct ip_addr *vip)
{
    struct keys_id ids[] = {{{1}}, {{2}}};
    uint32_t secure = image_builder_listener(b, "infra/gw/tls", "", IMAGE_PROTOCOL_HTTPS, 443);
    REQUIRE(image_builder_identity(b, &ids[0], "infra/one") == 0);
    REQUIRE(image_builder_identity(b, &ids[1], "infra/two") == 0);
    REQUIRE(image_builder_client_auth(b, IMAGE_CLIENT_AUTH_REQUIRED, &ids[0], "infra/ca") == 0);
    REQUIRE(image_builder_client_identity(b, &ids[1], "infra/two") == 0);
    REQUIRE(image_builder_bind(b, vip, 443, secure) == 0);
    REQUIRE(image_builder_bind(b, vip, 80, secure) == -EPROTO);
}

/* Policies of two groups, not in their order. */
static void add_health(struct image_builder *b)
{
    struct image_health_spec seen = {
        .numbers = {.failures = 5,
                    .base_ejection_ms = 30000,
                    .max_ejection_ms = 300000,
                    .max_ejected_percent = 50,
                    .slow_start_ms = 30000,
                    .panic_percent = 50},
        .name = "a/seen",
    };
    struct image_health_spec asked = {
        .numbers = {.check = IMAGE_HEALTH_CHECK_HTTP,
                    .interval_ms = 5000,
                    .timeout_ms = 1000,
                    .healthy_checks = 2,
                    .unhealthy_checks = 3,
                    .port = 8081,
                    .n_statuses = 2,
                    .statuses = {{200, 299}, {404, 404}}},
        .name = "a/asked",
        .host = "health.example.com:8081",
        .path = "/healthz?deep",
    };
    REQUIRE(image_builder_group_health(b, 4, &seen) == 0);
    REQUIRE(image_builder_group_health(b, 3, &asked) == 0);
    static const struct image_san_spec sans[] = {{IMAGE_SAN_HOST, "cart.internal"},
                                                 {IMAGE_SAN_URI, "spiffe://internal/cart"}};
    struct image_backend_tls_spec tls = {.id = {1, 2},
                                         .name = "a/tls",
                                         .server_name = "cart.internal",
                                         .sans = sans,
                                         .n_sans = 2,
                                         .bundle = {{7}},
                                         .bundle_name = "a/cas"};
    REQUIRE(image_builder_group_tls(b, 3, &tls) == 0);
    REQUIRE(image_builder_group_tls(b, 3, &tls) == -EEXIST);
    tls.sans = &sans[1];
    tls.n_sans = 1;
    REQUIRE(image_builder_group_tls(b, 4, &tls) == 0);
    tls.server_name = "*.internal";
    REQUIRE(image_builder_group_tls(b, 5, &tls) == -EINVAL);
}

/* Two lists before a VIP, one of them before its listener, too. */
static void add_gates(struct image_builder *b, const struct ip_addr *vip,
                      const struct ip_addr *vip6)
{
    const struct image_range denied[] = {{ip("192.0.2.0"), ip("192.0.2.255")}};
    const struct image_access_spec box = {.name = "box", .denied = denied, .n_denied = 1};
    const struct image_access_spec none = {.name = "a/none"};
    REQUIRE(image_builder_gate(b, vip, 80, false, &none) == 0);
    REQUIRE(image_builder_gate(b, vip, 0, false, &none) == 0);
    REQUIRE(image_builder_gate(b, vip, 0, false, &box) == 0);
    REQUIRE(image_builder_gate(b, vip6, 0, false, &box) == 0);
    const struct image_conn_limit_spec limit = {"a/few", 100, 0};
    REQUIRE(image_builder_bind_limit(b, vip6, 80, false, &limit) == 0);
}

/* Some clients have listeners of their own, where everybody has. */
static void add_clients(struct image_builder *b, const struct ip_addr *vip, uint32_t listener)
{
    struct ip_addr web = ip("198.51.100.1"), shop = ip("198.51.100.2"), web6 = ip("2001:db8::77");
    uint32_t of_shop = image_builder_client_set(b, "shop");
    uint32_t of_web = image_builder_client_set(b, "web");
    REQUIRE(image_builder_client(b, &web, of_web) == 0);
    REQUIRE(image_builder_client(b, &shop, of_shop) == 0);
    REQUIRE(image_builder_client(b, &web6, of_web) == 0);
    struct image_place place = {.addr = *vip, .port = 80, .set = of_web, .is_service = true};
    REQUIRE(image_builder_bind_at(b, &place, listener) == 0);
    place.set = of_shop;
    REQUIRE(image_builder_bind_at(b, &place, listener) == 0);
}

void *sample_image(size_t *ret_len)
{
    struct image_builder *b = image_builder_new();
    REQUIRE(b != NULL);
    image_builder_set_compiler(b, compile, NULL);
    add_network(b);
    struct ip_addr vip = ip("198.18.0.10"), vip6 = ip("2001:db8::2");
    uint32_t all = image_builder_listener(b, "infra/gw/all", "", IMAGE_PROTOCOL_HTTP, 80);
    uint32_t wild =
        image_builder_listener(b, "infra/gw/wild", "*.example.com", IMAGE_PROTOCOL_HTTP, 80);
    REQUIRE(image_builder_bind(b, &vip, 80, all) == 0);
    REQUIRE(image_builder_bind(b, &vip, 80, wild) == 0);
    REQUIRE(image_builder_bind(b, &vip6, 80, all) == 0);
    REQUIRE(image_builder_bind_congestion(b, &vip6, 80, IMAGE_CONGESTION_BBR) == 0);
    const struct image_prefix trusted[] = {{ip("198.51.100.0"), 120, {0}},
                                           {ip("2001:db8::"), 32, {0}}};
    REQUIRE(image_builder_bind_proxied(b, &vip6, 80, trusted, 2) == 0);
    add_secure(b, &vip);
    add_clients(b, &vip, wild);
    REQUIRE(image_builder_group_congestion(b, 3, IMAGE_CONGESTION_BBR) == 0);
    REQUIRE(image_builder_group_proxy_header(b, 3, IMAGE_PROXY_HEADER_V2) == 0);
    REQUIRE(image_builder_group_protocol(b, 3, IMAGE_BACKEND_HTTP2) == 0);
    for (uint32_t group = 0; group < 16; group++)
        REQUIRE(image_builder_group_forwarding(b, group, IMAGE_FORWARDING_NAT) == 0);
    add_health(b);
    add_shop(b, wild);
    add_rest(b, all);
    add_crowd(b, all);
    add_patterns(b, all);
    add_calls(b, all);
    add_gates(b, &vip, &vip6);
    void *data;
    REQUIRE(image_builder_finish(b, 7, &data, ret_len) == 0);
    image_builder_free(b);
    forget_compiled();
    return data;
}

static void use_filter(const struct image_view *v, const struct image_match *match,
                       const struct image_filter *f, const struct route_request *request)
{
    uint8_t buf[256];
    size_t len;
    struct route_redirect_request r = {
        .listener_port = 80, .host = request->host, .path = request->path, .has_query = true};
    if (f->type == IMAGE_FILTER_REDIRECT) {
        route_redirect_location(v, match, &v->redirects[f->first], &r, buf, sizeof(buf), &len);
    } else if (f->type == IMAGE_FILTER_REWRITE) {
        const struct image_rewrite *rewrite = &v->rewrites[f->first];
        route_path_edit(v, match, rewrite->path_edit, rewrite->path, request->path, buf,
                        sizeof(buf), &len);
    } else if (f->type == IMAGE_FILTER_CORS) {
        struct slice told;
        route_cors_allows(v, &v->cors[f->first], SLICE_LIT("http://a.example.com:8080"), &told);
    } else if (f->type == IMAGE_FILTER_MIRROR) {
        for (uint32_t i = 0; i < f->count; i++)
            route_mirror_takes(&v->mirrors[f->first + i], 1u << 30);
    } else if (f->type == IMAGE_FILTER_LIMIT) {
        for (uint32_t i = 0; i < f->count; i++)
            REQUIRE(image_is_limit(&v->limits[f->first + i]));
    } else if (f->type == IMAGE_FILTER_ACCESS) {
        struct ip_addr addr = ip("10.0.0.1");
        for (uint32_t i = 0; i < f->count; i++)
            route_access_of(v, &v->accesses[v->access_uses[f->first + i]], &addr);
    } else {
        route_filter_drops(v, f, SLICE_LIT("cookie"));
    }
}

static void use_persistence(const struct image_view *v, const struct image_persistence *p)
{
    char value[ROUTE_SESSION_VALUE_BYTES], cookie[ROUTE_SESSION_COOKIE_BYTES_MAX];
    struct ip_addr addr = ip("10.0.0.1");
    struct route_session session;
    route_session_write(p, route_session_salt(1000, UINT64_MAX), &addr, 80, value);
    REQUIRE(route_session_read(p, slice_of(value, sizeof(value)), 1000, &session));
    REQUIRE(route_session_is_at(p, &session, &addr, 80));
    if (p->kind == IMAGE_SESSION_COOKIE)
        route_session_cookie(v, p, value, true, cookie);
}

static void use_rule(const struct image_view *v, const struct route_result *result,
                     const struct route_request *request)
{
    const struct image_rule *rule = &v->rules[result->rule];
    const struct image_backend *backend;
    for (uint16_t status = 0; rule->retry != IMAGE_NONE && status < 700; status++)
        image_retry_has(&v->retries[rule->retry], status);
    if (rule->persistence != IMAGE_NONE)
        use_persistence(v, &v->persistence[rule->persistence]);
    for (uint32_t chance = 0; chance < 4; chance++)
        route_backend_pick(v, rule, chance << 30, &backend);
    for (uint32_t i = 0; i < rule->n_filters; i++)
        use_filter(v, &v->matches[result->match], &v->filters[rule->first_filter + i], request);
}

void use_image(const void *data)
{
    static const char *const hosts[] = {"shop.example.com", "x.shop.example.com", "y.example.com",
                                        "z.org", ""};
    static const char *const paths[] = {"/",     "/shop/cart/1", "/shop/cart", "/shop/carts",
                                        "*",     "/crowd/1",     "/v1/",       "/abc",
                                        "/one/7"};
    static const struct route_field fields[] = {
        {{(const uint8_t *)"version", 7}, {(const uint8_t *)"two", 3}}};
    struct image_view v;
    struct route_patterns *patterns;
    char fault[128];
    image_view_init(&v, data);
    if (!route_patterns_new(&v, 1, &patterns, fault, sizeof(fault)))
        return; /* as the dataplane would refuse it */
    struct ip_addr vip = ip("198.18.0.10");
    uint32_t bind;
    route_bind_find(&v, &vip, 80, &bind);
    const struct image_gate *gate = image_gate_find(&v, &vip);
    if (gate != NULL)
        route_access_of_all(&v, gate->first_use, gate->n_uses, &vip, true);
    for (bind = 0; bind < v.n_binds; bind++) {
        const struct image_bind *at = &v.binds[bind];
        route_access_of_all(&v, at->first_gate, at->n_gates, &vip, true);
        for (uint32_t i = 0; i < v.n_clients; i++)
            image_bind_for(&v, bind, &v.clients[i].addr);
        for (size_t i = 0; i < array_len(hosts) * array_len(paths); i++) {
            struct route_request request = {
                .bind = bind,
                .host = slice_of_str(hosts[i % array_len(hosts)]),
                .path = slice_of_str(paths[i / array_len(hosts)]),
                .query = SLICE_LIT("a=b&debug=yes"),
                .method = SLICE_LIT("GET"),
                .fields = fields,
                .n_fields = 1,
                .reader = {patterns, 0},
            };
            struct route_result result;
            route_match(&v, &request, &result);
            if (result.outcome == ROUTE_OUTCOME_RULE)
                use_rule(&v, &result, &request);
        }
    }
    route_patterns_free(patterns);
}

enum image_fault fault_with(void *data, size_t len, const uint8_t *at, uint8_t byte,
                            uint32_t *ret_section)
{
    uint8_t *place = (uint8_t *)data + (at - (const uint8_t *)data);
    uint8_t before = *place;
    struct image_fault_info info;
    *place = byte;
    image_seal(data, len);
    image_check(data, len, &info);
    *place = before;
    *ret_section = info.section;
    return info.fault;
}
