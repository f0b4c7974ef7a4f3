/* SPDX-License-Identifier: Apache-2.0 */
/* A plan made by hand, compiled, and asked as a worker would ask. */
#include "base/container.h"
#include "compile/compile.h"
#include "compile/regex_cache.h"
#include "route/filter.h"
#include "route/route.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 198.18.0.N and its prefixes */
#define V4(n)                                                                                      \
    {                                                                                              \
        .bytes = { [10] = 0xff, [11] = 0xff, [12] = 198, [13] = 18, [15] = (n) }                   \
    }

static const struct plan_prefix front_prefix = {V4(2), 24};
static const struct plan_interface interfaces[] = {
    {"front", "port0", 0, 1500, 1, &front_prefix, 51, V4(3)},
    {"lost", "port9", 0, 0, 0, NULL, 0, {{0}}},
};
#define ALL4(first) .bytes = {[10] = 0xff, [11] = 0xff, [12] = (first)}
static const struct plan_egress egress[] = {
    {"StaticRoute", "default", {{ALL4(0)}, 0}, V4(1), PLAN_NONE, false, false},
    {"StaticRoute", "on-link", {{ALL4(10)}, 8}, {{0}}, 0, false, false},
    {"StaticRoute", "nowhere", {{ALL4(11)}, 8}, {{[0] = 0x20}}, PLAN_NONE, false, false},
    {"StaticRoute", "nowhere", {{ALL4(11)}, 8}, V4(4), PLAN_NONE, true, false},
    {"StaticRoute", "nowhere", {{ALL4(11)}, 8}, V4(5), PLAN_NONE, true, false},
    {"Node", "a", {{ALL4(12)}, 8}, V4(6), PLAN_NONE, false, true},
    {"Node", "six", {{ALL4(13)}, 8}, {{[0] = 0x20}}, 0, false, true},
};
static const struct plan_address addresses[] = {{V4(2), PLAN_NONE}, {V4(10), PLAN_NONE}};
static const struct ip_addr gateway_addresses[] = {V4(2), V4(10)};
static const struct plan_gateway gateways[] = {
    {"infra", "gw", "uid", 1, array_len(gateway_addresses), gateway_addresses}};
static const struct plan_group groups[] = {
    {"a/one:80", .congestion = IMAGE_CONGESTION_BBR, .protocol = IMAGE_BACKEND_HTTP2},
    {"a/two:80", .congestion = IMAGE_CONGESTION_CUBIC, .proxy_header = IMAGE_PROXY_HEADER_V2}};
static const uint32_t group_ids[] = {17, 4};

static const struct plan_pair set_pair[] = {{"X-From", "sluice", PLAN_MATCH_EXACT}};
static const struct plan_pair bad_pair[] = {{"Content-Length", "1", PLAN_MATCH_EXACT}};
static const struct plan_pair regex_pair[] = {{"x", ".*", PLAN_MATCH_REGEX}};
static const struct plan_filter good_filter = {PLAN_FILTER_REQUEST_HEADERS,
                                               .headers = {.n_set = 1, .set = set_pair}};
static const struct plan_filter bad_filter = {PLAN_FILTER_REQUEST_HEADERS,
                                              .headers = {.n_set = 1, .set = bad_pair}};
static const struct plan_filter odd_rewrite = {PLAN_FILTER_REWRITE,
                                               .rewrite = {NULL, PLAN_PATH_PREFIX, "new one?/x"}};
static const struct plan_backend backends[] = {
    {3, PLAN_BACKEND_OK, 0},
    {1, PLAN_BACKEND_NOT_FOUND, PLAN_NONE},
};
static const struct plan_backend second_backend = {1, PLAN_BACKEND_OK, 1};
static const struct plan_match prefix_match = {0,   PLAN_MATCH_PREFIX, "/%61bc/", NULL, 0, 0, NULL,
                                               NULL};
static const struct plan_match bad_match = {0, PLAN_MATCH_PREFIX, "/bad", NULL, 0, 0, NULL, NULL};
static const struct plan_match edit_match = {0, PLAN_MATCH_PREFIX, "/edit", NULL, 0, 0, NULL, NULL};
static const struct plan_match regex_matches[] = {
    {0, PLAN_MATCH_REGEX, "/.*", NULL, 0, 0, NULL, NULL},
    {1, PLAN_MATCH_PREFIX, "/", NULL, 1, 0, regex_pair, NULL},
    {2, PLAN_MATCH_EXACT, "/plain", NULL, 0, 0, NULL, NULL},
};
static const struct plan_rule first_rules[] = {
    {0, NULL, PLAN_RULE_OK, 1, 1, 2, &prefix_match, &good_filter, backends, 5000, 1000},
    {2, NULL, PLAN_RULE_OK, 1, 1, 2, &bad_match, &bad_filter, backends, 0, 0},
    {3, NULL, PLAN_RULE_OK, 1, 1, 2, &edit_match, &odd_rewrite, backends, 0, 0},
};
static const struct plan_rule second_rules[] = {
    {0, NULL, PLAN_RULE_OK, 1, 0, 1, &prefix_match, NULL, &second_backend, 0, 0},
    {1, NULL, PLAN_RULE_OK, 3, 0, 1, regex_matches, NULL, &second_backend, 0, 0},
    {2, NULL, PLAN_RULE_UNSUPPORTED, 1, 0, 1, &bad_match, NULL, &second_backend, 0, 0},
};
/* Out of order on purpose: "a-b/r" comes before "a/r" by the letters, and the older before both. */
static const struct plan_route routes[] = {
    {IMAGE_ROUTE_HTTP, "a", "r", "u1", "2026-11-23T09:00:01Z", 1, 3, first_rules},
    {IMAGE_ROUTE_HTTP, "a-b", "r", "u2", "2026-11-23T09:00:01Z", 1, 3, second_rules},
    {IMAGE_ROUTE_HTTP, "z", "old", "u3", "2026-11-23T09:00:00Z", 1, 1, second_rules},
};
static const char *const any[] = {NULL};
static const char *const named[] = {"*.example.com", "a.example.org"};
static const struct plan_attachment attachments[] = {{0, 2, named}, {1, 1, any}};
static const struct plan_attachment old_attachment = {2, 1, any};
static const enum image_congestion second_bbr[] = {IMAGE_CONGESTION_CUBIC, IMAGE_CONGESTION_BBR};
static const struct plan_prefix trusted[] = {{V4(77), 24}, {{{[0] = 0x20, [15] = 1}}, 8}};
static const struct plan_proxied proxied = {2, trusted};
static const struct plan_proxied *const second_proxied[] = {NULL, &proxied};
static const struct plan_listener listeners[] = {
    {0, "http", 80, PLAN_HTTP, NULL, PLAN_LISTENER_OK, true, 2, attachments, second_bbr,
     second_proxied},
    {0, "twin", 80, PLAN_HTTP, NULL, PLAN_LISTENER_OK, true, 0, NULL, second_bbr, second_proxied},
    {0, "tls", 443, PLAN_PROTOCOL_OTHER, NULL, PLAN_LISTENER_OK, true, 1, &old_attachment,
     second_bbr, second_proxied},
    {0, "faulty", 81, PLAN_HTTP, NULL, PLAN_LISTENER_HOSTNAME_CONFLICT, false, 1, &old_attachment,
     second_bbr, second_proxied},
};
static const struct plan plan = {
    .n_gateways = array_len(gateways),
    .n_listeners = array_len(listeners),
    .n_routes = array_len(routes),
    .n_groups = array_len(groups),
    .n_interfaces = array_len(interfaces),
    .n_egress = array_len(egress),
    .n_addresses = array_len(addresses),
    .gateways = gateways,
    .listeners = listeners,
    .routes = routes,
    .groups = groups,
    .interfaces = interfaces,
    .egress = egress,
    .addresses = addresses,
};

struct notes {
    unsigned n;
    char text[4096];
};

static void take_note(void *arg, const char *text)
{
    struct notes *notes = arg;
    size_t len = strlen(notes->text);
    notes->n++;
    snprintf(notes->text + len, sizeof(notes->text) - len, "%s\n", text);
}

struct compiled {
    void *data;
    size_t len;
    struct image_view v;
    struct notes notes;
};

static void compile_with(struct compiled *c, const struct plan *p, uint64_t generation,
                         struct regex_cache *patterns)
{
    static const char *const ports[] = {"port1", "port0"};
    struct compile_input in = {.plan = p,
                               .patterns = patterns,
                               .group_ids = group_ids,
                               .port_names = ports,
                               .n_ports = array_len(ports),
                               .generation = generation,
                               .on_note = take_note,
                               .arg = &c->notes};
    memset(&c->notes, 0, sizeof(c->notes));
    REQUIRE(compile_image(&in, &c->data, &c->len) == 0);
    CHECK_STR(image_fault_name(image_check(c->data, c->len, NULL)), "OK");
    image_view_init(&c->v, c->data);
}

/* Where nobody compiles regular expressions. */
static void compile(struct compiled *c, const struct plan *p, uint64_t generation)
{
    compile_with(c, p, generation, NULL);
}

/* The rule that takes GET http://host/path at the first VIP; NULL: none. */
static const struct image_rule *rule_for(const struct compiled *c, const char *host,
                                         const char *path, struct route_result *ret)
{
    struct route_request request = {
        .host = slice_of_str(host), .path = slice_of_str(path), .method = SLICE_LIT("GET")};
    REQUIRE(route_bind_find(&c->v, &gateway_addresses[1], 80, &request.bind));
    route_match(&c->v, &request, ret);
    return ret->outcome == ROUTE_OUTCOME_RULE ? &c->v.rules[ret->rule] : NULL;
}

static bool is_of(const struct compiled *c, const struct image_rule *rule, const char *route,
                  uint16_t index)
{
    return rule != NULL && rule->index == index &&
           slice_eq(image_text(&c->v, c->v.routes[rule->route].name), slice_of_str(route));
}

TEST(the_network_is_carried_over)
{
    struct compiled c;
    compile(&c, &plan, 1);
    REQUIRE(c.v.n_interfaces == 1);
    CHECK_EQ(c.v.interfaces[0].port, 1); /* port0 is the dataplane's second */
    CHECK_EQ(c.v.interfaces[0].mtu, 1500);
    CHECK_EQ(c.v.interfaces[0].virtual_router, 51);
    CHECK_EQ(c.v.interfaces[0].drained.bytes[15], 3);
    CHECK(!image_is_drained(&c.v)); /* it is a neighbour */
    REQUIRE(c.v.n_addresses == 2);
    CHECK_EQ(c.v.addresses[0].prefix_len, 120);
    CHECK(!c.v.addresses[0].is_vip); /* a Gateway on an own address makes no VIP of it */
    CHECK(c.v.addresses[1].is_vip);
    CHECK_EQ(c.v.addresses[1].prefix_len, 128);
    REQUIRE(c.v.n_egress == 5);
    CHECK_EQ(c.v.egress[0].prefix_len, 96);
    CHECK_EQ(c.v.egress[1].prefix_len, 104);
    CHECK_EQ(c.v.egress[1].prefix.bytes[15], 0); /* bits behind the prefix are gone */
    CHECK(ip_addr_is_zero(&c.v.egress[1].gateway));
    CHECK_EQ(c.v.egress[2].flags, 0); /* the one that it would share with is left out */
    CHECK_EQ(c.v.egress[3].flags, IMAGE_EGRESS_SHARES);
    CHECK_EQ(c.v.egress[4].flags, IMAGE_EGRESS_PODS);
    free(c.data);
}

TEST(a_route_is_served_on_all_addresses_of_its_gateway)
{
    struct compiled c;
    compile(&c, &plan, 1);
    CHECK_EQ(c.v.n_binds, 2);
    uint32_t bind;
    CHECK(route_bind_find(&c.v, &gateway_addresses[0], 80, &bind));
    CHECK(route_bind_find(&c.v, &gateway_addresses[1], 80, &bind));
    CHECK(!route_bind_find(&c.v, &gateway_addresses[1], 81, &bind));
    CHECK(!route_bind_find(&c.v, &gateway_addresses[1], 443, &bind));
    free(c.data);
}

/* A plan with these listeners, of which each has the route that is passed on. */
static void compile_l4(struct compiled *c, const struct plan_listener *list, uint32_t n)
{
    static const struct plan_match all = {.path_type = PLAN_MATCH_PREFIX, .path = "/"};
    static const struct plan_rule rule = {
        .n_matches = 1, .matches = &all, .n_backends = 2, .backends = backends};
    static const struct plan_route of_kinds[] = {
        {IMAGE_ROUTE_TLS, "a", "a", "u", "2026-11-23T09:00:00Z", 1, 1, &rule},
        {IMAGE_ROUTE_TCP, "a", "a", "v", "2026-11-23T09:00:00Z", 1, 1, &rule},
        {IMAGE_ROUTE_UDP, "a", "a", "w", "2026-11-23T09:00:00Z", 1, 1, &rule},
        {IMAGE_ROUTE_DNS, "a", "a", "x", "2026-11-23T09:00:00Z", 1, 1, &rule},
    };
    struct plan l4 = plan;
    l4.n_listeners = n;
    l4.listeners = list;
    l4.n_routes = array_len(of_kinds);
    l4.routes = of_kinds;
    compile_with(c, &l4, 1, NULL);
}

TEST(what_is_passed_on_is_found_by_server_name_or_by_port_alone)
{
    static const char *const names[] = {"*.tls.example.com"};
    static const struct plan_attachment by_name = {0, 1, names}, by_port = {1, 1, any},
                                        datagrams = {2, 1, any}, queries = {3, 1, any};
    static const struct plan_identity identity = {"a/cert", {{1}}, {0}, {0}};
    static const struct plan_proxied *const none[] = {NULL, NULL};
    const struct plan_listener list[] = {
        {0, "pass", 443, PLAN_TLS, "*.tls.example.com", PLAN_LISTENER_OK, true, 1, &by_name,
         second_bbr, none},
        {0, "end", 443, PLAN_TLS_TERMINATED, NULL, PLAN_LISTENER_OK, true, 1, &by_port, second_bbr,
         none, 1, &identity},
        {0, "tcp", 5432, PLAN_TCP, NULL, PLAN_LISTENER_OK, true, 1, &by_port, second_bbr, none},
        {0, "udp", 5432, PLAN_UDP, NULL, PLAN_LISTENER_OK, true, 1, &datagrams, second_bbr, none},
        {0, "dns", 53, PLAN_DNS, NULL, PLAN_LISTENER_OK, true, 1, &queries, second_bbr, none},
    };
    static const struct {
        uint16_t port;
        const char *name;
        enum image_bind_kind bind;
        enum image_protocol protocol;
        enum image_route_kind route;
    } rows[] = {
        {443, "a.tls.example.com", IMAGE_BIND_TLS, IMAGE_PROTOCOL_TLS, IMAGE_ROUTE_TLS},
        {443, "", IMAGE_BIND_TLS, IMAGE_PROTOCOL_TLS_TERMINATED, IMAGE_ROUTE_TCP},
        {5432, "", IMAGE_BIND_TCP, IMAGE_PROTOCOL_TCP, IMAGE_ROUTE_TCP},
        {5432, "", IMAGE_BIND_UDP, IMAGE_PROTOCOL_UDP, IMAGE_ROUTE_UDP},
        {53, "", IMAGE_BIND_DNS, IMAGE_PROTOCOL_DNS, IMAGE_ROUTE_DNS},
        {53, "", IMAGE_BIND_DNS_UDP, IMAGE_PROTOCOL_DNS, IMAGE_ROUTE_DNS},
    };
    struct compiled c;
    compile_l4(&c, list, array_len(list));
    CHECK_EQ(c.v.n_routes, 4); /* of one name and age, told apart by their kinds */
    for (size_t i = 0; i < array_len(rows); i++) {
        struct route_request request = {.host = slice_of_str(rows[i].name), .path = SLICE_LIT("/")};
        struct route_result result;
        request.bind = image_bind_find(&c.v, &gateway_addresses[0], rows[i].port,
                                       image_is_udp_bind(rows[i].bind));
        REQUIRE(request.bind != IMAGE_NONE);
        route_match(&c.v, &request, &result);
        REQUIRE(result.outcome == ROUTE_OUTCOME_RULE);
        CHECK_EQ(c.v.binds[request.bind].kind, rows[i].bind);
        CHECK_EQ(c.v.listeners[result.listener].protocol, rows[i].protocol);
        CHECK_EQ(c.v.routes[c.v.rules[result.rule].route].kind, rows[i].route);
        CHECK_EQ(c.v.rules[result.rule].weight_total, 4);
    }
    free(c.data);
}

TEST(listeners_that_cannot_share_a_port_do_not)
{
    static const struct plan_proxied *const none[] = {NULL, NULL};
    static const struct plan_attachment by_port = {1, 1, any};
    const struct plan_listener list[] = {
        {0, "tcp", 80, PLAN_TCP, NULL, PLAN_LISTENER_OK, true, 1, &by_port, second_bbr, none},
        {0, "http", 80, PLAN_HTTP, NULL, PLAN_LISTENER_OK, true, 0, NULL, second_bbr, none},
    };
    struct compiled c;
    uint32_t bind;
    compile_l4(&c, list, array_len(list));
    REQUIRE(route_bind_find(&c.v, &gateway_addresses[0], 80, &bind));
    CHECK_EQ(c.v.binds[bind].kind, IMAGE_BIND_TCP);
    free(c.data);
}

TEST(packets_are_forwarded_as_the_group_says_unless_its_connections_begin_with_something)
{
    static const struct plan_backend both[] = {{1, PLAN_BACKEND_OK, 0}, {1, PLAN_BACKEND_OK, 1}};
    static const struct plan_rule rule = {
        .n_matches = 1, .matches = &prefix_match, .n_backends = array_len(both), .backends = both};
    static const struct plan_route route = {IMAGE_ROUTE_UDP,        "a", "a", "u",
                                            "2026-11-23T09:00:00Z", 1,   1,   &rule};
    static const struct plan_group ways[] = {
        {"a/one:80/udp", PLAN_CARRIED_UDP, .congestion = IMAGE_CONGESTION_CUBIC,
         .forwarding = IMAGE_FORWARDING_GUE, .idle_ms = 5000},
        {"a/two:80/tcp", PLAN_CARRIED_TCP, .congestion = IMAGE_CONGESTION_CUBIC,
         .forwarding = IMAGE_FORWARDING_NAT, .proxy_header = IMAGE_PROXY_HEADER_V2}};
    struct plan p = {.n_routes = 1, .routes = &route, .n_groups = array_len(ways), .groups = ways};
    struct compiled c;
    compile(&c, &p, 1);
    REQUIRE(c.v.n_backends == 2);
    CHECK_EQ(c.v.backends[0].forwarding, IMAGE_FORWARDING_GUE);
    CHECK_EQ(c.v.backends[1].forwarding, IMAGE_FORWARDING_PROXY);
    CHECK_EQ(c.v.backends[0].idle_ms, 5000);
    CHECK_EQ(c.v.backends[1].idle_ms, 0);
    free(c.data);
}

/* The image of two routes with these uids, each with one rule with a session "sid"; to be freed. */
static struct image_view with_sessions(const char *uid, const char *other, void **ret_data)
{
    static const struct plan_persistence p = {IMAGE_SESSION_COOKIE, "sid", 60, true};
    struct plan_rule rule = {.n_matches = 1,
                             .n_backends = 1,
                             .matches = &prefix_match,
                             .backends = backends,
                             .persistence = &p};
    struct plan_rule two = rule;
    two.n_matches = 3;
    two.matches = regex_matches;
    const struct plan_route list[] = {
        {IMAGE_ROUTE_HTTP, "a", "a", uid, "2026-11-23T09:00:00Z", 1, 1, &rule},
        {IMAGE_ROUTE_HTTP, "a", "b", other, "2026-11-23T09:00:00Z", 1, 1, &two},
    };
    struct plan small = {
        .n_routes = 2, .routes = list, .n_groups = array_len(groups), .groups = groups};
    struct compile_input in = {.plan = &small, .group_ids = group_ids, .generation = 1};
    struct image_view v;
    size_t len;
    REQUIRE(compile_image(&in, ret_data, &len) == 0);
    REQUIRE(image_check(*ret_data, len, NULL) == IMAGE_FAULT_OK);
    image_view_init(&v, *ret_data);
    return v;
}

/* The path of the cookie of a rule with this one match. */
static const char *cookie_path_of(enum plan_string_match type, const char *path)
{
    static char text[IMAGE_COOKIE_PATH_BYTES_MAX + 1];
    static const struct plan_persistence p = {IMAGE_SESSION_COOKIE, "sid", 0, false};
    const struct plan_match match = {.path_type = type, .path = path};
    const struct plan_rule rule = {.n_matches = 1, .matches = &match, .persistence = &p};
    const struct plan_route route = {IMAGE_ROUTE_HTTP, "a", "a", "u", NULL, 1, 1, &rule};
    const struct plan small = {.n_routes = 1, .routes = &route};
    void *data;
    size_t len;
    struct image_view v;
    struct compile_input in = {.plan = &small, .generation = 1};
    REQUIRE(compile_image(&in, &data, &len) == 0);
    REQUIRE(image_check(data, len, NULL) == IMAGE_FAULT_OK);
    image_view_init(&v, data);
    struct slice s = image_text(&v, v.persistence[0].path);
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    free(data);
    return text;
}

TEST(a_path_that_cannot_stand_in_a_cookie_is_all_of_the_host)
{
    char path[IMAGE_COOKIE_PATH_BYTES_MAX + 2];
    memset(path, 'a', sizeof(path));
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    CHECK_STR(cookie_path_of(PLAN_MATCH_EXACT, path), "/"); /* one byte too long */
    path[sizeof(path) - 2] = '\0';
    CHECK_STR(cookie_path_of(PLAN_MATCH_EXACT, path), path);
    CHECK_STR(cookie_path_of(PLAN_MATCH_EXACT, "/a/"), "/a/");
    CHECK_STR(cookie_path_of(PLAN_MATCH_PREFIX, "/a/"), "/a");
    CHECK_STR(cookie_path_of(PLAN_MATCH_PREFIX, "/"), "/");
    CHECK_STR(cookie_path_of(PLAN_MATCH_PREFIX, "/a;b"), "/");
    CHECK_STR(cookie_path_of(PLAN_MATCH_REGEX, "/a"), "/");
}

TEST(sessions_have_keys_of_their_routes_uid_and_the_path_of_the_only_match)
{
    void *data, *again;
    struct image_view v = with_sessions("u1", "u2", &data), w = with_sessions("u1", "", &again);
    REQUIRE(v.n_rules == 2 && v.n_persistence == 2 && w.n_persistence == 1);
    const struct image_persistence *first = &v.persistence[0], *second = &v.persistence[1];
    CHECK(memcmp(first->token_key, second->token_key, sizeof(first->token_key)) != 0);
    CHECK(memcmp(first->seal_key, second->seal_key, sizeof(first->seal_key)) != 0);
    CHECK(memcmp(first->seal_key, first->token_key, sizeof(first->seal_key)) != 0);
    CHECK(memcmp(first->token_key, w.persistence[0].token_key, sizeof(first->token_key)) == 0);
    CHECK(memcmp(first->seal_key, w.persistence[0].seal_key, sizeof(first->seal_key)) == 0);
    CHECK(slice_eq(image_text(&v, first->name), SLICE_LIT("sid")));
    CHECK(slice_eq(image_text(&v, first->path), SLICE_LIT("/abc")));
    CHECK(slice_eq(image_text(&v, second->path), SLICE_LIT("/")));
    CHECK(first->lifetime_s == 60 && first->is_permanent == 1);
    CHECK_EQ(w.rules[1].fault_status, 500); /* no uid, no keys */
    CHECK_EQ(w.rules[0].fault_status, 0);
    free(data);
    free(again);
}

TEST(rules_keep_backends_weights_faults_and_timeouts)
{
    struct compiled c;
    struct route_result result;
    compile(&c, &plan, 1);
    const struct image_rule *rule = rule_for(&c, "x.example.com", "/abc/d", &result);
    REQUIRE(is_of(&c, rule, "a/r", 0));
    CHECK_EQ(rule->request_timeout_ms, 5000);
    CHECK_EQ(rule->backend_request_timeout_ms, 1000);
    REQUIRE(rule->n_backends == 2);
    CHECK_EQ(rule->weight_total, 4);
    const struct image_backend *backend;
    REQUIRE(route_backend_pick(&c.v, rule, 0, &backend));
    CHECK_EQ(backend->group, 17);
    CHECK(slice_eq(image_text(&c.v, backend->name), SLICE_LIT("a/one:80")));
    REQUIRE(route_backend_pick(&c.v, rule, UINT32_MAX, &backend));
    CHECK_EQ(backend->group, IMAGE_NONE);
    CHECK_EQ(backend->fault_status, 500);
    free(c.data);
}

TEST(congestion_control_is_the_binds_and_the_groups)
{
    struct compiled c;
    struct route_result result;
    compile(&c, &plan, 1);
    uint32_t bind;
    REQUIRE(route_bind_find(&c.v, &gateway_addresses[0], 80, &bind));
    CHECK_EQ(c.v.binds[bind].congestion, IMAGE_CONGESTION_CUBIC);
    REQUIRE(route_bind_find(&c.v, &gateway_addresses[1], 80, &bind));
    CHECK_EQ(c.v.binds[bind].congestion, IMAGE_CONGESTION_BBR);
    const struct image_rule *rule = rule_for(&c, "x.example.com", "/abc", &result);
    CHECK_EQ(c.v.backends[rule->first_backend].congestion, IMAGE_CONGESTION_BBR);
    CHECK_EQ(c.v.backends[rule->first_backend + 1].congestion, IMAGE_CONGESTION_NONE);
    rule = rule_for(&c, "other.net", "/abc", &result);
    CHECK_EQ(c.v.backends[rule->first_backend].congestion, IMAGE_CONGESTION_CUBIC);
    free(c.data);
}

TEST(a_proxy_header_is_the_binds_and_the_groups_as_the_protocol_is)
{
    struct compiled c;
    struct route_result result;
    compile(&c, &plan, 1);
    uint32_t bind;
    REQUIRE(route_bind_find(&c.v, &gateway_addresses[0], 80, &bind));
    CHECK_EQ(c.v.binds[bind].is_proxied, 0);
    REQUIRE(route_bind_find(&c.v, &gateway_addresses[1], 80, &bind));
    CHECK_EQ(c.v.binds[bind].is_proxied, 1);
    REQUIRE(c.v.binds[bind].n_trusted == 2 && c.v.n_trusted == 2);
    CHECK_EQ(c.v.trusted[0].len, 96 + 24); /* what is behind the length goes */
    CHECK_EQ(c.v.trusted[0].addr.bytes[15], 0);
    CHECK_EQ(c.v.trusted[1].len, 8);
    CHECK_EQ(c.v.trusted[1].addr.bytes[0], 0x20);
    CHECK_EQ(c.v.trusted[1].addr.bytes[15], 0);
    const struct image_rule *rule = rule_for(&c, "x.example.com", "/abc", &result);
    CHECK_EQ(c.v.backends[rule->first_backend].proxy_header, IMAGE_PROXY_HEADER_NONE);
    CHECK_EQ(c.v.backends[rule->first_backend].protocol, IMAGE_BACKEND_HTTP2);
    rule = rule_for(&c, "other.net", "/abc", &result);
    CHECK_EQ(c.v.backends[rule->first_backend].proxy_header, IMAGE_PROXY_HEADER_V2);
    CHECK_EQ(c.v.backends[rule->first_backend].protocol, IMAGE_BACKEND_HTTP1);
    free(c.data);
}

TEST(paths_are_matched_in_the_form_of_requests)
{
    struct compiled c;
    struct route_result result;
    compile(&c, &plan, 1);
    CHECK(is_of(&c, rule_for(&c, "x.example.com", "/abc", &result), "a/r", 0));
    CHECK(is_of(&c, rule_for(&c, "other.net", "/abc", &result), "a-b/r", 0));
    free(c.data);
}

TEST(what_cannot_be_carried_out_is_500_or_left_out_but_never_widened)
{
    struct compiled c;
    struct route_result result;
    compile(&c, &plan, 1);
    const struct image_rule *rule = rule_for(&c, "x.example.com", "/bad", &result);
    REQUIRE(is_of(&c, rule, "a/r", 2));
    CHECK_EQ(rule->fault_status, 500); /* Content-Length is not a filter's to set */
    rule = rule_for(&c, "other.net", "/bad", &result);
    REQUIRE(is_of(&c, rule, "a-b/r", 2));
    CHECK_EQ(rule->fault_status, 500);
    CHECK(is_of(&c, rule_for(&c, "other.net", "/plain", &result), "a-b/r", 1));
    CHECK(rule_for(&c, "other.net", "/else", &result) == NULL); /* no regex matches by accident */
    free(c.data);
}

TEST(a_regular_expression_takes_what_it_matches_whole)
{
    struct compiled c;
    struct route_result result;
    struct route_patterns *patterns;
    char fault[128];
    struct regex_cache *cache = regex_cache_new();
    compile_with(&c, &plan, 1, cache);
    CHECK_EQ(c.v.n_databases, 2); /* a path of a host, a header's */
    REQUIRE(route_patterns_new(&c.v, 1, &patterns, fault, sizeof(fault)));
    struct route_request request = {.host = SLICE_LIT("other.net"),
                                    .path = SLICE_LIT("/else"),
                                    .method = SLICE_LIT("GET"),
                                    .reader = {patterns, 0}};
    REQUIRE(route_bind_find(&c.v, &gateway_addresses[1], 80, &request.bind));
    route_match(&c.v, &request, &result);
    REQUIRE(result.outcome == ROUTE_OUTCOME_RULE);
    CHECK(is_of(&c, &c.v.rules[result.rule], "a-b/r", 1));
    CHECK_EQ(c.v.paths[c.v.matches[result.match].path].kind, IMAGE_PATH_REGEX);
    route_patterns_free(patterns);
    free(c.data);
    regex_cache_free(cache);
}

TEST(a_replacement_is_made_safe_for_the_wire)
{
    struct compiled c;
    struct route_result result;
    uint8_t buf[64];
    size_t len;
    compile(&c, &plan, 1);
    const struct image_rule *rule = rule_for(&c, "x.example.com", "/edit/it", &result);
    REQUIRE(is_of(&c, rule, "a/r", 3));
    const struct image_filter *filter = route_filter_find(&c.v, rule, IMAGE_FILTER_REWRITE);
    REQUIRE(filter != NULL);
    const struct image_rewrite *rewrite = &c.v.rewrites[filter->first];
    REQUIRE(route_path_edit(&c.v, &c.v.matches[result.match], rewrite->path_edit, rewrite->path,
                            SLICE_LIT("/edit/it"), buf, sizeof(buf), &len));
    CHECK(slice_eq(slice_of(buf, len), SLICE_LIT("/new%20one%3F/x/it")));
    free(c.data);
}

TEST(routes_stand_by_age_and_then_by_letters)
{
    static const char *const want[] = {"z/old", "a-b/r", "a/r"};
    struct compiled c;
    compile(&c, &plan, 1);
    REQUIRE(c.v.n_routes == 3);
    for (uint32_t i = 0; i < 3; i++)
        CHECK(slice_eq(image_text(&c.v, c.v.routes[i].name), slice_of_str(want[i])));
    CHECK_EQ(c.v.routes[0].created_s, 1795424400);
    free(c.data);
}

TEST(everything_left_out_is_told)
{
    static const char *const want[] = {
        "Interface lost: the dataplane has no port port9",
        "StaticRoute nowhere: no interface leads to its gateway 2000::",
        "Node six: its gateway 2000:: is not usable for its destination",
        "listener infra/gw/twin: another listener has its hostname at 198.18.0.2 port "
        "80",
        "listener infra/gw/tls: another protocol on port 443 is not served",
        "route a/r: rule 2 answers 500: filter 0 cannot be carried out",
        "route a-b/r: match 0 of rule 1 cannot be carried out",
    };
    struct compiled c;
    compile(&c, &plan, 1);
    for (size_t i = 0; i < array_len(want); i++) {
        CHECK(strstr(c.notes.text, want[i]) != NULL);
        if (strstr(c.notes.text, want[i]) == NULL)
            printf("  not told: %s\n", want[i]);
    }
    free(c.data);
}

TEST(the_same_plan_gives_the_same_bytes_but_for_the_generation)
{
    struct compiled one, two, three;
    compile(&one, &plan, 1);
    compile(&two, &plan, 1);
    compile(&three, &plan, 2);
    CHECK(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
    CHECK(one.v.header->content_checksum == three.v.header->content_checksum);
    CHECK(one.v.header->checksum != three.v.header->checksum);
    free(one.data);
    free(two.data);
    free(three.data);
}

/* The ids of the limits of a plan with one route, whose rules have these names and one limit. */
static void limit_ids(const struct plan_limit *limit, const char *first, const char *second,
                      uint64_t ret_ids[2])
{
    struct plan_filter filters[2] = {{PLAN_FILTER_LIMIT, .limit = *limit}, good_filter};
    struct plan_rule rules[] = {
        {0, first, PLAN_RULE_OK, 1, 2, 1, &prefix_match, filters, &second_backend, 0, 0},
        {1, second, PLAN_RULE_OK, 1, 1, 1, &edit_match, filters, &second_backend, 0, 0},
    };
    struct plan_route limited = routes[0];
    struct plan p = plan;
    limited.rules = rules;
    limited.n_rules = array_len(rules);
    p.routes = &limited;
    p.n_routes = 1;
    struct plan_attachment attachment = {0, 1, any};
    struct plan_listener listener = listeners[0];
    listener.attachments = &attachment;
    listener.n_attachments = 1;
    p.listeners = &listener;
    p.n_listeners = 1;
    struct compiled c;
    compile(&c, &p, 1);
    REQUIRE(c.v.n_limits == 2);
    CHECK_EQ(c.v.limits[0].burst, limit->burst);
    ret_ids[0] = c.v.limits[0].id;
    ret_ids[1] = c.v.limits[1].id;
    free(c.data);
}

TEST(a_limits_id_is_its_rules_its_names_and_its_numbers)
{
    const struct plan_limit limit = {.name = "a/limit",
                                     .key = IMAGE_LIMIT_HEADER,
                                     .header = "x-key",
                                     .requests = 10,
                                     .burst = 20,
                                     .period_ms = 1000};
    uint64_t ids[2], again[2];
    limit_ids(&limit, NULL, "named", ids);
    CHECK(ids[0] != ids[1]);
    limit_ids(&limit, NULL, "named", again);
    CHECK(ids[0] == again[0] && ids[1] == again[1]);
    limit_ids(&limit, "named", NULL, again);
    CHECK(ids[1] == again[0]); /* a rule with a name may move */
    CHECK(ids[0] != again[1]);
    struct plan_limit others[] = {limit, limit, limit, limit, limit};
    others[0].requests++;
    others[1].burst++;
    others[2].period_ms++;
    others[3].header = "x-other";
    others[4].name = "a/other";
    for (size_t i = 0; i < array_len(others); i++) {
        limit_ids(&others[i], NULL, "named", again);
        CHECK(ids[0] != again[0] && ids[1] != again[1]);
    }
}

TEST(an_empty_plan_is_an_image_too)
{
    static const struct plan empty;
    struct compiled c;
    compile(&c, &empty, 1);
    CHECK_EQ(c.v.n_binds, 0);
    CHECK_EQ(c.notes.n, 0);
    uint32_t bind;
    CHECK(!route_bind_find(&c.v, &gateway_addresses[0], 80, &bind));
    free(c.data);
}

TEST(more_groups_that_go_by_hash_than_there_are_tables_are_told_of)
{
    static struct plan_group many[MAGLEV_GROUPS_MAX + 3];
    struct plan p = {.n_groups = MAGLEV_GROUPS_MAX, .groups = many};
    struct compiled c;
    for (size_t i = 0; i < array_len(many); i++)
        many[i] = (struct plan_group){.name = "a/one:80", .balancing = IMAGE_BALANCING_MAGLEV};
    compile(&c, &p, 1);
    CHECK_EQ(c.notes.n, 0);
    free(c.data);
    p.n_groups = array_len(many);
    compile(&c, &p, 1);
    CHECK_EQ(c.notes.n, 1);
    CHECK(strstr(c.notes.text, "tables of 3 of the 259 ports") != NULL);
    free(c.data);
}

UNIT_MAIN("compile", T(more_groups_that_go_by_hash_than_there_are_tables_are_told_of),
          T(the_network_is_carried_over), T(a_route_is_served_on_all_addresses_of_its_gateway),
          T(rules_keep_backends_weights_faults_and_timeouts),
          T(packets_are_forwarded_as_the_group_says_unless_its_connections_begin_with_something),
          T(what_is_passed_on_is_found_by_server_name_or_by_port_alone),
          T(listeners_that_cannot_share_a_port_do_not),
          T(a_path_that_cannot_stand_in_a_cookie_is_all_of_the_host),
          T(sessions_have_keys_of_their_routes_uid_and_the_path_of_the_only_match),
          T(congestion_control_is_the_binds_and_the_groups),
          T(a_proxy_header_is_the_binds_and_the_groups_as_the_protocol_is),
          T(paths_are_matched_in_the_form_of_requests),
          T(what_cannot_be_carried_out_is_500_or_left_out_but_never_widened),
          T(a_regular_expression_takes_what_it_matches_whole),
          T(a_replacement_is_made_safe_for_the_wire), T(routes_stand_by_age_and_then_by_letters),
          T(everything_left_out_is_told),
          T(the_same_plan_gives_the_same_bytes_but_for_the_generation),
          T(a_limits_id_is_its_rules_its_names_and_its_numbers), T(an_empty_plan_is_an_image_too))
