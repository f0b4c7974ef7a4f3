/* SPDX-License-Identifier: Apache-2.0 */
/* What explain answers to a person, and what it keeps from one who may not read a namespace. */
#include "base/container.h"
#include "compile/explain.h"
#include "compile/image_builder.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static const struct ip_addr vip = {.bytes = {[10] = 0xff, [11] = 0xff, [12] = 198, [13] = 18}};
static int64_t age; /* of the next route */
static const struct image_pair version[] = {{"version", "2"}};

static void add(struct image_builder *b, const char *name, const struct image_match_spec *match,
                bool is_redirect)
{
    REQUIRE(image_builder_route(b, name, age++) == 0);
    REQUIRE(image_builder_rule(b, 0) != IMAGE_NONE);
    if (is_redirect)
        REQUIRE(image_builder_redirect(b, &(struct image_redirect_spec){
                                              .scheme = IMAGE_SCHEME_HTTPS, .status = 301}) == 0);
    REQUIRE(image_builder_backend(b, "team-a/svc:80", 5, 3) == 0);
    REQUIRE(image_builder_backend(b, "BackendNotFound", IMAGE_NONE, 1) == 0);
    REQUIRE(image_builder_match(b, match) == 0);
    REQUIRE(image_builder_attach(b, 0, "shop.example.com") == 0);
}

/* A route whose rule has all that explain tells of. */
static void add_full(struct image_builder *b)
{
    static const uint16_t codes[] = {503, 429};
    REQUIRE(image_builder_route(b, "team-a/full", 10000) == 0);
    REQUIRE(image_builder_rule(b, 0) != IMAGE_NONE);
    REQUIRE(image_builder_timeouts(b, 90000, 1500) == 0);
    REQUIRE(image_builder_retry(
                b, &(struct image_retry_spec){
                       .attempts = 2, .backoff_ms = 100, .codes = codes, .n_codes = 2}) == 0);
    REQUIRE(image_builder_persistence(
                b, &(struct image_persistence_spec){.kind = IMAGE_SESSION_COOKIE,
                                                    .name = "sid",
                                                    .path = "/full",
                                                    .lifetime_s = 3600,
                                                    .is_permanent = true,
                                                    .token_key = {0x5ec0, 0x5ec1},
                                                    .seal_key = {0x5ec2, 0x5ec3}}) == 0);
    REQUIRE(image_builder_mirror(b, "team-a/next:80", 6, 1, 4) == 0);
    REQUIRE(image_builder_limit(b, &(struct image_limit_spec){.id = 1,
                                                              .name = "team-a/keys",
                                                              .key = IMAGE_LIMIT_HEADER,
                                                              .header = "x-api-key",
                                                              .requests = 100,
                                                              .burst = 20,
                                                              .period_ms = 60000}) == 0);
    REQUIRE(image_builder_backend(b, "team-a/svc:80", 5, 1) == 0);
    REQUIRE(image_builder_match(b, &(struct image_match_spec){.path_kind = IMAGE_PATH_PREFIX,
                                                              .path = "/full"}) == 0);
    REQUIRE(image_builder_attach(b, 0, "full.example.com") == 0);
}

static struct ip_addr ip(const char *text)
{
    struct ip_addr a;
    REQUIRE(ip_addr_parse(text, &a));
    return a;
}

static void add_guarded(struct image_builder *b)
{
    const struct image_range allowed = {ip("10.0.0.0"), ip("10.0.0.255")};
    const struct image_range denied = {ip("10.0.0.9"), ip("10.0.0.9")};
    const struct image_basic_spec basic = {.realm = "door"};
    REQUIRE(image_builder_route(b, "team-a/guarded", age++) == 0);
    REQUIRE(image_builder_rule(b, 0) != IMAGE_NONE);
    REQUIRE(image_builder_access(b, &(struct image_access_spec){.name = "team-a/office",
                                                                .allowed = &allowed,
                                                                .n_allowed = 1,
                                                                .denied = &denied,
                                                                .n_denied = 1,
                                                                .basic = &basic}) == 0);
    REQUIRE(image_builder_backend(b, "team-a/svc:80", 5, 1) == 0);
    REQUIRE(image_builder_match(b, &(struct image_match_spec){.path_kind = IMAGE_PATH_EXACT,
                                                              .path = "/guarded"}) == 0);
    REQUIRE(image_builder_attach(b, 0, "door.example.com") == 0);
}

/* Port 53 of TCP and of UDP, each with a route. */
static void add_dns(struct image_builder *b)
{
    static const struct {
        const char *listener, *group;
        enum image_protocol protocol;
        enum image_route_kind kind;
        enum image_forwarding forwarding;
        uint32_t id;
    } rows[] = {
        {"infra/gw/tcp", "team-a/dns:53/tcp", IMAGE_PROTOCOL_TCP, IMAGE_ROUTE_TCP,
         IMAGE_FORWARDING_NAT, 7},
        {"infra/gw/udp", "team-a/dns:53/udp", IMAGE_PROTOCOL_UDP, IMAGE_ROUTE_UDP,
         IMAGE_FORWARDING_GUE, 8},
    };
    for (size_t i = 0; i < array_len(rows); i++) {
        uint32_t l = image_builder_listener(b, rows[i].listener, "", rows[i].protocol, 53);
        REQUIRE(image_builder_bind(b, &vip, 53, l) == 0);
        REQUIRE(image_builder_route_of(b, rows[i].kind, "team-a/dns", 20000) == 0);
        REQUIRE(image_builder_rule(b, 0) != IMAGE_NONE);
        REQUIRE(image_builder_backend(b, rows[i].group, rows[i].id, 1) == 0);
        REQUIRE(image_builder_group_forwarding(b, rows[i].id, rows[i].forwarding) == 0);
        REQUIRE(image_builder_match(b, &(struct image_match_spec){.path_kind = IMAGE_PATH_PREFIX,
                                                                  .path = "/"}) == 0);
        REQUIRE(image_builder_attach(b, l, "") == 0);
    }
}

/* What stands before the ports of DNS. */
static void add_lists(struct image_builder *b)
{
    static struct image_range bad, good;
    ip_addr_parse("10.0.0.9", &bad.first);
    bad.last = bad.first;
    ip_addr_parse("10.0.0.0", &good.first);
    ip_addr_parse("10.0.0.255", &good.last);
    struct image_access_spec box = {.name = "box", .denied = &bad, .n_denied = 1},
                             policy = {.name = "team-a/few", .allowed = &good, .n_allowed = 1};
    REQUIRE(image_builder_gate(b, &vip, 53, true, &box) == 0);
    REQUIRE(image_builder_gate(b, &vip, 53, true, &policy) == 0);
    struct image_conn_limit_spec limit = {"team-a/few", 100, 5};
    REQUIRE(image_builder_bind_limit(b, &vip, 53, true, &limit) == 0);
}

/* A Service, with a route for all clients and one for those of team-b. */
static void add_service(struct image_builder *b)
{
    const struct ip_addr theirs = ip("10.0.0.7");
    struct image_place place = {
        .addr = ip("203.0.113.9"), .port = 8080, .set = IMAGE_NONE, .is_service = true};
    static const char *const routes[] = {"team-a/producer", "team-b/consumer"};
    static const char *const listeners[] = {"team-a/cart:8080", "team-a/cart:8080 from team-b"};
    for (size_t i = 0; i < array_len(routes); i++) {
        uint32_t l = image_builder_listener(b, listeners[i], "", IMAGE_PROTOCOL_HTTP, place.port);
        REQUIRE(image_builder_bind_at(b, &place, l) == 0);
        REQUIRE(image_builder_route(b, routes[i], 30000) == 0);
        REQUIRE(image_builder_rule(b, 0) != IMAGE_NONE);
        REQUIRE(image_builder_backend(b, "team-a/svc:80", 5, 1) == 0);
        REQUIRE(image_builder_match(b, &(struct image_match_spec){.path_kind = IMAGE_PATH_PREFIX,
                                                                  .path = "/"}) == 0);
        REQUIRE(image_builder_attach(b, l, "") == 0);
        place.set = i == 0 ? image_builder_client_set(b, "team-b") : IMAGE_NONE;
    }
    REQUIRE(image_builder_client(b, &theirs, 0) == 0);
}

static void *make_image(void)
{
    void *data;
    size_t len;
    struct image_builder *b = image_builder_new();
    REQUIRE(image_builder_listener(b, "infra/gw/http", "", IMAGE_PROTOCOL_HTTP, 80) == 0);
    REQUIRE(image_builder_bind(b, &vip, 80, 0) == 0);
    REQUIRE(image_builder_bind_congestion(b, &vip, 80, IMAGE_CONGESTION_BBR) == 0);
    REQUIRE(image_builder_bind_proxied(b, &vip, 80, NULL, 0) == 0);
    add(b, "team-a/cart",
        &(struct image_match_spec){.path_kind = IMAGE_PATH_PREFIX, .path = "/cart"}, false);
    add(b, "team-b/secret",
        &(struct image_match_spec){
            .path_kind = IMAGE_PATH_PREFIX, .path = "/cart", .headers = version, .n_headers = 1},
        false);
    add(b, "team-a/old", &(struct image_match_spec){.path_kind = IMAGE_PATH_EXACT, .path = "/old"},
        true);
    add_guarded(b);
    add_full(b);
    add_dns(b);
    add_lists(b);
    add_service(b);
    REQUIRE(image_builder_finish(b, 1, &data, &len) == 0);
    REQUIRE(image_check(data, len, NULL) == IMAGE_FAULT_OK);
    image_builder_free(b);
    return data;
}

static bool only_team_a(void *arg, const char *namespace)
{
    return strcmp(namespace, "team-a") == 0;
}

/* Explains a URL to a client (NULL: nobody); the caller drops the status. */
static json_t *explain_to(const char *client, const char *url, const json_t *headers,
                          bool is_team_a)
{
    void *image = make_image();
    json_t *spec = json_pack("{s:s,s:s,s:O*,s:s*}", "method", "GET", "url", url, "headers", headers,
                             "client", client);
    struct explain_input in = {image, spec, is_team_a ? only_team_a : NULL, NULL};
    const char *error = NULL;
    json_t *status = explain_request(&in, &error);
    CHECK((status == NULL) == (error != NULL));
    json_decref(spec);
    free(image);
    return status;
}

static json_t *explain(const char *url, const json_t *headers, bool is_team_a)
{
    return explain_to(NULL, url, headers, is_team_a);
}

static const char *field(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text == NULL ? "" : text;
}

TEST(a_request_is_explained_with_its_rule_and_backends)
{
    json_t *status = explain("http://Shop.Example.COM/x/../%63art/1?a=b", NULL, false);
    REQUIRE(status != NULL);
    CHECK_STR(field(status, "outcome"), "RULE");
    CHECK_STR(field(status, "address"), "198.18.0.0");
    CHECK_STR(field(status, "listener"), "infra/gw/http");
    CHECK_STR(field(status, "route"), "team-a/cart");
    const json_t *backends = json_object_get(status, "backends");
    REQUIRE(json_array_size(backends) == 2);
    CHECK_STR(field(json_array_get(backends, 0), "name"), "team-a/svc:80");
    CHECK_STR(field(json_array_get(backends, 0), "share"), "75%");
    CHECK_EQ(json_integer_value(json_object_get(json_array_get(backends, 1), "answer")), 500);
    CHECK_STR(field(status, "congestionControl"), "BBR");
    CHECK_STR(field(status, "proxyProtocol"), "Require");
    CHECK_STR(field(json_array_get(backends, 0), "proxyProtocol"), "");
    CHECK_STR(field(json_array_get(backends, 0), "congestionControl"), "Cubic");
    CHECK_STR(field(json_array_get(backends, 0), "balancing"), "LeastOutstanding");
    CHECK_STR(field(json_array_get(backends, 1), "congestionControl"), "");
    const json_t *candidates = json_object_get(status, "candidates");
    REQUIRE(json_array_size(candidates) == 4); /* two are of other hosts */
    CHECK_STR(field(json_array_get(candidates, 0), "route"), "team-b/secret");
    CHECK_STR(field(json_array_get(candidates, 0), "because"),
              "header version is absent or not \"2\"");
    CHECK_STR(field(json_array_get(candidates, 1), "because"), "the path is not /old");
    json_decref(status);
}

TEST(ports_of_tcp_and_udp_are_explained_with_how_packets_go_on)
{
    static const struct {
        const char *url, *kind, *backend, *forwarding, *congestion;
    } rows[] = {
        {"tcp://dns.example.com:53", "TCPRoute", "team-a/dns:53/tcp", "NAT", "Cubic"},
        {"udp://dns.example.com:53", "UDPRoute", "team-a/dns:53/udp", "GUE", ""},
    };
    for (size_t i = 0; i < array_len(rows); i++) {
        json_t *status = explain(rows[i].url, NULL, false);
        const json_t *backend = json_array_get(json_object_get(status, "backends"), 0);
        CHECK_STR(field(status, "outcome"), "RULE");
        CHECK_STR(field(status, "kind"), rows[i].kind);
        CHECK_STR(field(status, "congestionControl"), rows[i].congestion);
        CHECK_STR(field(backend, "name"), rows[i].backend);
        CHECK_STR(field(backend, "forwarding"), rows[i].forwarding);
        CHECK_STR(field(backend, "congestionControl"), rows[i].congestion);
        json_decref(status);
    }
    json_t *status = explain("udp://shop.example.com:80", NULL, false); /* is of TCP */
    CHECK_STR(field(status, "outcome"), "NO_BIND");
    json_decref(status);
}

TEST(a_client_is_told_what_stands_before_the_port)
{
    static const struct {
        const char *client, *says[2], *dropped;
    } rows[] = {
        {"10.0.0.1", {"allowed", "allowed"}, ""},
        {"10.0.0.9",
         {"denied by addresses.deny", "allowed"},
         "before anything else: the client's address is denied by addresses.deny"},
        {"10.0.1.1",
         {"allowed", "not in addresses.allow"},
         "before anything else: the client's address is not in addresses.allow"},
        {NULL, {"", ""}, ""},
    };
    for (size_t i = 0; i < array_len(rows); i++) {
        json_t *status = explain_to(rows[i].client, "udp://dns.example.com:53", NULL, false);
        const json_t *lists = json_object_get(status, "lists");
        REQUIRE(json_array_size(lists) == 2);
        CHECK_STR(field(json_array_get(lists, 0), "list"), "box");
        CHECK_STR(field(json_array_get(lists, 1), "list"), "team-a/few");
        for (size_t k = 0; k < 2; k++)
            CHECK_STR(field(json_array_get(lists, k), "says"), rows[i].says[k]);
        CHECK_STR(field(status, "dropped"), rows[i].dropped);
        const json_t *connections = json_object_get(status, "connections");
        CHECK_STR(field(connections, "policy"), "team-a/few");
        CHECK_EQ(json_integer_value(json_object_get(connections, "max")), 100);
        CHECK_EQ(json_integer_value(json_object_get(connections, "maxPerClient")), 5);
        json_decref(status);
    }
    json_t *status = explain_to("10.0.0.9", "udp://dns.example.com:53", NULL, true);
    const json_t *lists = json_object_get(status, "lists");
    CHECK_STR(field(json_array_get(lists, 0), "list"), "(not yours to read)");
    CHECK_STR(field(json_array_get(lists, 1), "list"), "team-a/few");
    json_decref(status);
    status = explain_to("10.0.0.9", "tcp://dns.example.com:53", NULL, false);
    CHECK(json_object_get(status, "lists") == NULL);
    CHECK(json_object_get(status, "connections") == NULL);
    json_decref(status);
}

TEST(a_client_is_told_what_access_policies_say_of_its_address)
{
    static const struct {
        const char *client, *says, *answer;
    } rows[] = {
        {"10.0.0.1", "allowed", "the answer of one of the backends"},
        {"10.0.0.9", "denied by addresses.deny",
         "403: the client's address is denied by addresses.deny"},
        {"2001:db8::1", "not in addresses.allow",
         "403: the client's address is not in addresses.allow"},
        {NULL, "", "the answer of one of the backends"},
    };
    for (size_t i = 0; i < array_len(rows); i++) {
        json_t *status = explain_to(rows[i].client, "http://door.example.com/guarded", NULL, false);
        REQUIRE(status != NULL);
        CHECK_STR(field(status, "answer"), rows[i].answer);
        const json_t *access = json_array_get(json_object_get(status, "access"), 0);
        CHECK_STR(field(access, "policy"), "team-a/office");
        CHECK_STR(field(access, "says"), rows[i].says);
        CHECK_STR(field(access, "realm"), "door");
        json_decref(status);
    }
    CHECK(explain_to("x", "http://door.example.com/guarded", NULL, false) == NULL);
}

TEST(a_redirect_is_explained_with_its_location)
{
    json_t *status = explain("http://shop.example.com/old?q", NULL, false);
    CHECK_STR(field(status, "answer"), "301 to https://shop.example.com/old?q");
    json_decref(status);
}

TEST(what_a_rule_does_beside_choosing_a_backend_is_told_but_no_key)
{
    json_t *status = explain("http://full.example.com/full", NULL, false);
    json_t *wanted = json_pack(
        "{s:{s:s,s:s},s:{s:i,s:[i,i],s:s},s:[{s:s,s:i,s:s,s:i,s:{s:s,s:s}}],"
        "s:{s:s,s:s,s:s,s:s,s:s},s:[{s:s,s:s}]}",
        "timeouts", "request", "90s", "backendRequest", "1500ms", "retry", "attempts", 2, "codes",
        429, 503, "backoff", "100ms", "rateLimits", "name", "team-a/keys", "requests", 100, "per",
        "1m", "burst", 20, "key", "type", "Header", "name", "x-api-key", "sessionPersistence",
        "type", "Cookie", "sessionName", "sid", "absoluteTimeout", "1h", "cookiePath", "/full",
        "lifetimeType", "Permanent", "mirrors", "name", "team-a/next:80", "share", "25%");
    const char *key;
    json_t *value;
    REQUIRE(status != NULL && wanted != NULL);
    json_object_foreach(wanted, key, value) CHECK(json_equal(json_object_get(status, key), value));
    char *text = json_dumps(status, 0);
    CHECK(strstr(text, "eal") == NULL && strstr(text, "24256") == NULL); /* 0x5ec0 */
    free(text);
    json_decref(wanted);
    json_decref(status);
}

TEST(a_rule_without_any_of_that_tells_nothing_of_it)
{
    static const char *const keys[] = {"timeouts", "retry", "rateLimits", "sessionPersistence",
                                       "mirrors"};
    json_t *status = explain("http://shop.example.com/cart", NULL, false);
    REQUIRE(status != NULL);
    for (size_t i = 0; i < array_len(keys); i++)
        CHECK(json_object_get(status, keys[i]) == NULL);
    json_decref(status);
}

TEST(who_may_not_read_a_namespace_learns_nothing_of_its_routes)
{
    json_t *headers = json_pack("[{s:s,s:s}]", "name", "Version", "value", "2");
    json_t *status = explain("http://shop.example.com/cart", headers, true);
    REQUIRE(status != NULL);
    CHECK_STR(field(status, "outcome"), "RULE");
    CHECK(strncmp(field(status, "route"), "(of a namespace", 15) == 0);
    CHECK(json_object_get(status, "backends") == NULL);
    char *text = json_dumps(status, 0);
    CHECK(strstr(text, "secret") == NULL && strstr(text, "infra") == NULL);
    CHECK(strstr(text, "team-a/cart") != NULL);
    free(text);
    json_decref(status);
    json_decref(headers);
}

/* The same at an address. */
static json_t *explain_at(const char *address, const char *client, const char *url, bool is_team_a)
{
    void *image = make_image();
    json_t *spec = json_pack("{s:s,s:s*,s:s*}", "url", url, "address", address, "client", client);
    struct explain_input in = {image, spec, is_team_a ? only_team_a : NULL, NULL};
    const char *error = NULL;
    json_t *status = explain_request(&in, &error);
    json_decref(spec);
    free(image);
    return status;
}

TEST(a_client_with_routes_of_its_own_to_a_service_is_told_those)
{
    static const char url[] = "http://cart:8080/";
    json_t *all = explain_at("203.0.113.9", "10.0.0.8", url, false);
    CHECK_STR(field(all, "route"), "team-a/producer");
    CHECK(json_object_get(all, "clientNamespace") == NULL);
    json_t *theirs = explain_at("203.0.113.9", "10.0.0.7", url, false);
    CHECK_STR(field(theirs, "route"), "team-b/consumer");
    CHECK_STR(field(theirs, "clientNamespace"), "team-b");
    json_t *hidden = explain_at("203.0.113.9", "10.0.0.7", url, true);
    CHECK_STR(field(hidden, "outcome"), "RULE");
    CHECK(json_object_get(hidden, "clientNamespace") == NULL);
    CHECK(strstr(field(hidden, "route"), "team-b") == NULL);
    json_t *nowhere = explain_at(NULL, "10.0.0.7", url, false);
    CHECK_STR(field(nowhere, "outcome"), "NO_BIND"); /* not a Gateway's */
    json_decref(all);
    json_decref(theirs);
    json_decref(hidden);
    json_decref(nowhere);
}

TEST(an_address_and_port_that_nobody_listens_on_is_said)
{
    json_t *status = explain("http://shop.example.com:81/", NULL, false);
    CHECK_STR(field(status, "outcome"), "NO_BIND");
    json_decref(status);
}

TEST(what_is_no_request_is_refused_with_a_sentence)
{
    static const char *const urls[] = {"shop.example.com/", "http://",         "http://a b/",
                                       "http://a/%zz",      "http://a:99999/", "udp://a",
                                       "tcp://a/"};
    for (size_t i = 0; i < array_len(urls); i++)
        CHECK(explain(urls[i], NULL, false) == NULL);
}

UNIT_MAIN("explain", T(a_request_is_explained_with_its_rule_and_backends),
          T(ports_of_tcp_and_udp_are_explained_with_how_packets_go_on),
          T(a_client_is_told_what_stands_before_the_port),
          T(a_client_is_told_what_access_policies_say_of_its_address),
          T(a_redirect_is_explained_with_its_location),
          T(what_a_rule_does_beside_choosing_a_backend_is_told_but_no_key),
          T(a_rule_without_any_of_that_tells_nothing_of_it),
          T(who_may_not_read_a_namespace_learns_nothing_of_its_routes),
          T(a_client_with_routes_of_its_own_to_a_service_is_told_those),
          T(an_address_and_port_that_nobody_listens_on_is_said),
          T(what_is_no_request_is_refused_with_a_sentence))
