/* SPDX-License-Identifier: Apache-2.0 */
/* See proxy_world.h. */
#include "proxy_world.h"

#include "base/assert.h"
#include "compile/image_builder.h"
#include "core/rcu.h"

#include <stdio.h>
#include <stdlib.h>

static const uint8_t vip[4] = {198, 18, 0, 1};

static void rule(struct image_builder *b, uint16_t index)
{
    uint32_t at = image_builder_rule(b, index);
    ASSERT(at != IMAGE_NONE);
}

static void match(struct image_builder *b, const char *path)
{
    int error = image_builder_match(
        b, &(struct image_match_spec){.path_kind = IMAGE_PATH_PREFIX, .path = path});
    ASSERT(error == 0);
}

static void add_filters(struct image_builder *b)
{
    static const struct image_header_op_spec request_ops[] = {
        {IMAGE_HEADER_SET, "X-Set", "1"},
        {IMAGE_HEADER_ADD, "X-Add", "2"},
        {IMAGE_HEADER_REMOVE, "X-Remove", NULL},
    };
    static const struct image_header_op_spec response_ops[] = {
        {IMAGE_HEADER_SET, "Server", "sluice"},
        {IMAGE_HEADER_REMOVE, "X-Secret", NULL},
    };
    rule(b, 4);
    image_builder_headers(b, IMAGE_FILTER_REQUEST_HEADERS, request_ops, 3);
    image_builder_headers(b, IMAGE_FILTER_RESPONSE_HEADERS, response_ops, 2);
    image_builder_backend(b, "ns/one:80", 1, 1);
    match(b, "/headers");
    rule(b, 5);
    image_builder_redirect(b, &(struct image_redirect_spec){.hostname = "to.example",
                                                            .scheme = IMAGE_SCHEME_HTTPS,
                                                            .status = 302});
    match(b, "/redirect");
    rule(b, 6);
    image_builder_rewrite(b, &(struct image_rewrite_spec){.hostname = "inner.example",
                                                          .path = "/new",
                                                          .path_edit = IMAGE_PATH_REPLACE_PREFIX});
    image_builder_backend(b, "ns/one:80", 1, 1);
    match(b, "/rewrite");
    rule(b, 7);
    image_builder_timeouts(b, 3000, 0);
    image_builder_backend(b, "ns/one:80", 1, 1);
    match(b, "/three-seconds");
    rule(b, 8);
    image_builder_timeouts(b, 10000, 1000);
    image_builder_backend(b, "ns/one:80", 1, 1);
    match(b, "/one-second");
}

static void add_cors(struct image_builder *b)
{
    static const char *const origins[] = {"https://a.example", "https://*.b.example"},
                             *const any[] = {"*"};
    rule(b, 9);
    image_builder_cors(b, &(struct image_cors_spec){.origins = origins,
                                                    .n_origins = 2,
                                                    .has_credentials = true,
                                                    .methods = "PUT, DELETE",
                                                    .headers = "*",
                                                    .exposed = "X-A, X-B",
                                                    .max_age_s = 60});
    image_builder_backend(b, "ns/one:80", 1, 1);
    match(b, "/cors");
    rule(b, 10);
    image_builder_cors(b, &(struct image_cors_spec){
                              .origins = any, .n_origins = 1, .methods = "*", .max_age_s = 5});
    image_builder_redirect(b, &(struct image_redirect_spec){.status = 302, .port = 8080});
    match(b, "/cors-moved");
}

static void add_mirrors(struct image_builder *b)
{
    static const struct image_header_op_spec rule_op = {IMAGE_HEADER_SET, "X-Set", "rule"},
                                             backend_op = {IMAGE_HEADER_SET, "X-Set", "backend"},
                                             answer_op = {IMAGE_HEADER_ADD, "X-From", "backend"};
    rule(b, 11);
    image_builder_headers(b, IMAGE_FILTER_REQUEST_HEADERS, &rule_op, 1);
    image_builder_mirror(b, "ns/three:80", 3, 1, 1);
    image_builder_mirror(b, "ns/four:80", 4, 1, 1);
    image_builder_mirror(b, "ns/four:80", 4, 0, 1);
    image_builder_backend(b, "ns/one:80", 1, 1);
    match(b, "/mirror");
    rule(b, 12);
    image_builder_headers(b, IMAGE_FILTER_REQUEST_HEADERS, &rule_op, 1);
    image_builder_backend(b, "ns/one:80", 1, 1);
    image_builder_backend_headers(b, IMAGE_FILTER_REQUEST_HEADERS, &backend_op, 1);
    image_builder_backend_headers(b, IMAGE_FILTER_RESPONSE_HEADERS, &answer_op, 1);
    match(b, "/backend-headers");
}

static void add_retries(struct image_builder *b)
{
    static const uint16_t codes[] = {500, 503};
    rule(b, 13);
    image_builder_retry(b, &(struct image_retry_spec){
                               .attempts = 3, .backoff_ms = 100, .codes = codes, .n_codes = 2});
    image_builder_backend(b, "ns/one:80", 1, 1);
    match(b, "/retry");
    rule(b, 14);
    image_builder_timeouts(b, 3000, 1000);
    image_builder_retry(b, &(struct image_retry_spec){.attempts = 9, .backoff_ms = 500});
    image_builder_backend(b, "ns/one:80", 1, 1);
    match(b, "/retry-late");
}

static void add_mirrored_retry(struct image_builder *b)
{
    static const uint16_t code = 503;
    rule(b, 20);
    image_builder_retry(b, &(struct image_retry_spec){
                               .attempts = 3, .backoff_ms = 100, .codes = &code, .n_codes = 1});
    image_builder_mirror(b, "ns/three:80", 3, 1, 1);
    image_builder_backend(b, "ns/one:80", 1, 1);
    match(b, "/retry-mirror");
}

/* A rule of its own for a path, with these limits. */
static void add_limited(struct image_builder *b, uint16_t index, const char *path,
                        const struct image_limit_spec *limits, unsigned n)
{
    rule(b, index);
    for (unsigned i = 0; i < n; i++) {
        int error = image_builder_limit(b, &limits[i]);
        ASSERT(error == 0);
    }
    image_builder_backend(b, "ns/one:80", 1, 1);
    match(b, path);
}

static void add_limits(struct image_builder *b, uint32_t listener)
{
    static const char *const any[] = {"*"};
    struct image_limit_spec route = {.id = 1,
                                     .key = IMAGE_LIMIT_ROUTE,
                                     .name = "ns/limit",
                                     .requests = 2,
                                     .burst = 2,
                                     .period_ms = 1000},
                            client = route, header = route, script = route;
    client.id = 2;
    client.key = IMAGE_LIMIT_CLIENT;
    client.prefix4_len = 24;
    client.prefix6_len = 64;
    client.requests = client.burst = 1;
    header.id = 3;
    header.key = IMAGE_LIMIT_HEADER;
    header.header = "x-key";
    header.requests = header.burst = 1;
    image_builder_route(b, "ns/limited", 3);
    add_limited(b, 0, "/route", &route, 1);
    add_limited(b, 1, "/client", &client, 1);
    add_limited(b, 2, "/key", &header, 1);
    route.id = 4;
    header.id = 5;
    header.period_ms = 10000;
    add_limited(b, 3, "/both", (const struct image_limit_spec[]){route, header}, 2);
    script.id = 6;
    script.requests = script.burst = 1;
    script.period_ms = 10000;
    rule(b, 4);
    image_builder_cors(b, &(struct image_cors_spec){
                              .origins = any, .n_origins = 1, .methods = "*", .max_age_s = 5});
    image_builder_limit(b, &script);
    image_builder_redirect(b, &(struct image_redirect_spec){.status = 302, .port = 8080});
    match(b, "/script");
    int error = image_builder_attach(b, listener, "limit.example");
    ASSERT(error == 0);
}

static struct image_range range_of(const char *first, const char *last)
{
    struct image_range range;
    bool ok = ip_addr_parse(first, &range.first) && ip_addr_parse(last, &range.last);
    ASSERT(ok);
    return range;
}

static void add_access(struct image_builder *b, const struct image_access_spec *spec)
{
    int error = image_builder_access(b, spec);
    ASSERT(error == 0);
}

/* Nobody asks these hashes: the test says what is good. */
#define HASH_A "$2b$10$abcdefghijklmnopqrstuuqflPDzB6gcMhKa1rZqKiun2YGL5sa2u"
#define HASH_B "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"

static void end_access_rule(struct image_builder *b, const char *path)
{
    image_builder_backend(b, "ns/one:80", 1, 1);
    match(b, path);
}

static void add_basics(const struct world *w, struct image_builder *b)
{
    static const char *const any[] = {"*"};
    struct image_user_spec ada = {"ada", w->ada != NULL ? w->ada : HASH_A}, bob = {"bob", HASH_B};
    struct image_basic_spec office = {
        .id = {(uint64_t)(w->ada != NULL), 1}, .realm = "the office", .users = &ada, .n_users = 1};
    struct image_basic_spec hidden = {
        .id = {2, 3}, .realm = "b", .hides_authorization = true, .users = &bob, .n_users = 1};
    struct image_access_spec first = {.name = "ns/office", .basic = &office};
    struct image_access_spec second = {.name = "ns/hidden", .basic = &hidden};
    rule(b, 4);
    image_builder_cors(b, &(struct image_cors_spec){
                              .origins = any, .n_origins = 1, .methods = "*", .max_age_s = 5});
    add_access(b, &first);
    end_access_rule(b, "/basic");
    rule(b, 5);
    add_access(b, &second);
    end_access_rule(b, "/hidden");
    rule(b, 6);
    add_access(b, &first);
    add_access(b, &second);
    end_access_rule(b, "/two-doors");
}

static void add_tokens(const struct world *w, struct image_builder *b)
{
    static const char *const audiences[] = {"api", "web"};
    const struct image_jwt_key_spec keys[] = {
        {.kid = "k1", .spki = SLICE_LIT("not looked at"), .algs = IMAGE_JWT_ES256},
        {.spki = SLICE_LIT("nor this"), .algs = IMAGE_JWT_ALGS_RSA}};
    struct image_jwt_spec open = {.id = {w->token_id, 4},
                                  .realm = "api",
                                  .issuer = "https://issuer.example",
                                  .audiences = audiences,
                                  .n_audiences = 2,
                                  .keys = keys,
                                  .n_keys = 2};
    struct image_jwt_spec hidden = {.id = {5, 6},
                                    .realm = "x",
                                    .issuer = "i",
                                    .hides_authorization = true,
                                    .keys = keys,
                                    .n_keys = 1};
    rule(b, 7);
    add_access(b, &(struct image_access_spec){.name = "ns/token", .jwt = &open});
    end_access_rule(b, "/token");
    rule(b, 8);
    add_access(b, &(struct image_access_spec){.name = "ns/token-hidden", .jwt = &hidden});
    end_access_rule(b, "/token-hidden");
}

static void add_accesses(struct world *w, struct image_builder *b, uint32_t listener)
{
    static const char *const any[] = {"*"};
    struct image_range net = range_of("192.0.2.0", "192.0.2.255");
    struct image_range nine = range_of("192.0.2.9", "192.0.2.9");
    struct image_access_spec deny = {.name = "ns/deny", .denied = &net, .n_denied = 1};
    struct image_access_spec allow = {
        .name = "ns/allow", .allowed = &net, .n_allowed = 1, .denied = &nine, .n_denied = 1};
    image_builder_route(b, "ns/access", 4);
    rule(b, 0);
    add_access(b, &deny);
    end_access_rule(b, "/deny");
    rule(b, 1);
    add_access(b, &allow);
    end_access_rule(b, "/allow");
    rule(b, 2);
    add_access(b, &allow);
    add_access(b, &deny);
    end_access_rule(b, "/both");
    rule(b, 3);
    image_builder_cors(b, &(struct image_cors_spec){
                              .origins = any, .n_origins = 1, .methods = "*", .max_age_s = 5});
    image_builder_limit(b, &(struct image_limit_spec){.id = 7,
                                                      .key = IMAGE_LIMIT_ROUTE,
                                                      .name = "ns/limit",
                                                      .requests = 1,
                                                      .burst = 1,
                                                      .period_ms = 10000});
    add_access(b, &allow);
    end_access_rule(b, "/script");
    add_basics(w, b);
    add_tokens(w, b);
    int error = image_builder_attach(b, listener, "access.example");
    ASSERT(error == 0);
}

/* A GRPCRoute that takes all calls of its host. */
static void add_calls(struct image_builder *b, uint32_t listener)
{
    image_builder_route_of(b, IMAGE_ROUTE_GRPC, "ns/calls", 5);
    rule(b, 0);
    image_builder_backend(b, "ns/one:80", 1, 1);
    match(b, "/");
    int error = image_builder_attach(b, listener, "calls.example");
    ASSERT(error == 0);
}

static void session_rule(struct image_builder *b, uint16_t index, const char *path,
                         const struct image_persistence_spec *spec)
{
    rule(b, index);
    int error = image_builder_persistence(b, spec);
    ASSERT(error == 0);
    match(b, path);
}

/* Rules with sessions of one key: what one told another takes. */
static void add_sessions(struct image_builder *b)
{
    struct image_persistence_spec spec = {.kind = IMAGE_SESSION_COOKIE,
                                          .name = "sid",
                                          .path = "/",
                                          .token_key = {11, 12},
                                          .seal_key = {13, 14}};
    session_rule(b, 15, "/session", &spec);
    image_builder_backend(b, "ns/one:80", 1, 1);
    session_rule(b, 16, "/session-split", &spec);
    image_builder_backend(b, "ns/one:80", 1, 1);
    image_builder_backend(b, "ns/two:80", 2, 1);
    session_rule(b, 17, "/session-drained", &spec);
    image_builder_backend(b, "ns/one:80", 1, 0);
    image_builder_backend(b, "ns/two:80", 2, 1);
    spec.lifetime_s = 3600;
    spec.is_permanent = true;
    session_rule(b, 18, "/session-hour", &spec);
    image_builder_backend(b, "ns/one:80", 1, 1);
    spec = (struct image_persistence_spec){
        .kind = IMAGE_SESSION_HEADER, .name = "X-Session", .token_key = {15}, .seal_key = {16}};
    session_rule(b, 19, "/session-header", &spec);
    image_builder_backend(b, "ns/one:80", 1, 1);
}

static void pin(void *owner)
{
    ((struct world *)owner)->pins++;
}

static void unpin(void *owner)
{
    struct world *w = owner;
    ASSERT(w->pins > 0);
    w->pins--;
}

/* It is finished, and the world's from now on. */
static void use_image(struct world *w, struct image_builder *b)
{
    void *data;
    size_t len;
    static uint64_t generation;
    int error = image_builder_finish(b, ++generation, &data, &len);
    ASSERT(error == 0 && image_check(data, len, NULL) == IMAGE_FAULT_OK);
    image_builder_free(b);
    ASSERT(w->pins == 0); /* one image at a time is enough here */
    free(w->image);
    w->image = data;
    image_view_init(&w->view, data);
    proxy_set_image(
        w->proxy, &(struct proxy_image){.view = &w->view, .owner = w, .pin = pin, .unpin = unpin});
}

/* An interface, and that the box is drained on it. */
static void drain(struct image_builder *b)
{
    struct image_address own = {.addr = ip_addr_from_v4(vip), .prefix_len = 120};
    image_builder_interface(b, "p0", 0, 0, 0);
    image_builder_address(b, &own);
    image_builder_drained(b, 0, &own.addr);
}

void world_publish(struct world *w, uint16_t port)
{
    struct image_builder *b = image_builder_new();
    struct ip_addr addr = ip_addr_from_v4(vip);
    if (w->is_drained)
        drain(b);
    enum image_protocol protocol = w->is_tls ? IMAGE_PROTOCOL_HTTPS : IMAGE_PROTOCOL_HTTP;
    uint32_t listener = image_builder_listener(b, "ns/gw/http", "", protocol, 80);
    if (w->is_tls)
        image_builder_identity(b, &(struct keys_id){{1}}, "ns/secret");
    image_builder_bind(b, &addr, port, listener);
    image_builder_bind_congestion(b, &addr, port, w->congestion);
    image_builder_group_congestion(b, 1, w->congestion);
    if (w->hash_key != IMAGE_HASH_KEY_NONE)
        image_builder_group_balancing(
            b, 1, &(struct image_balance_spec){IMAGE_BALANCING_MAGLEV, w->hash_key, w->hash_name});
    if (w->health != NULL)
        image_builder_group_health(b, 1, &(struct image_health_spec){.numbers = *w->health});
    struct image_prefix trusted = {.len = 96 + 24};
    if (w->trusted != NULL)
        ip_addr_parse(w->trusted, &trusted.addr);
    if (w->is_proxied)
        image_builder_bind_proxied(b, &addr, port, &trusted, w->trusted != NULL);
    image_builder_group_proxy_header(b, 1, w->proxy_header);
    image_builder_group_proxy_header(b, 3, w->proxy_header);
    image_builder_route(b, "ns/route", 1);
    rule(b, 0);
    image_builder_backend(b, "ns/one:80", 1, 1);
    match(b, "/");
    rule(b, 1);
    image_builder_backend(b, "ns/one:80", 1, 1);
    image_builder_backend(b, "ns/two:80", 2, 3);
    match(b, "/two");
    rule(b, 2);
    image_builder_backend(b, "ns/none:80", 9, 1);
    match(b, "/none");
    rule(b, 3);
    image_builder_rule_fault(b);
    match(b, "/fault");
    add_filters(b);
    add_cors(b);
    add_mirrors(b);
    add_retries(b);
    add_sessions(b);
    add_mirrored_retry(b);
    int error = image_builder_attach(b, listener, "www.example");
    ASSERT(error == 0);
    image_builder_route(b, "ns/without-host", 2);
    rule(b, 0);
    image_builder_backend(b, "ns/one:80", 1, 1);
    match(b, "/any");
    error = image_builder_attach(b, listener, NULL);
    ASSERT(error == 0);
    add_limits(b, listener);
    add_accesses(w, b, listener);
    add_calls(b, listener);
    use_image(w, b);
}

/* A route of one rule to that group. */
static void pass_on(struct image_builder *b, const char *name, int64_t age, uint32_t group,
                    uint32_t listener, const char *hostname)
{
    image_builder_route(b, name, age);
    rule(b, 0);
    image_builder_backend(b, "ns/some:80", group, 1);
    match(b, "/");
    int error = image_builder_attach(b, listener, hostname);
    ASSERT(error == 0);
}

void world_publish_l4(struct world *w, enum image_protocol protocol)
{
    struct image_builder *b = image_builder_new();
    struct ip_addr addr = ip_addr_from_v4(vip);
    bool is_tls = protocol != IMAGE_PROTOCOL_TCP;
    uint32_t listener =
        image_builder_listener(b, "ns/gw/l4", is_tls ? "*.example" : "", protocol, 80);
    image_builder_bind(b, &addr, 80, listener);
    if (w->is_proxied)
        image_builder_bind_proxied(b, &addr, 80, NULL, 0);
    image_builder_group_idle(b, 1, w->idle_ms);
    image_builder_group_proxy_header(b, 1, w->proxy_header);
    if (w->health != NULL)
        image_builder_group_health(b, 1, &(struct image_health_spec){.numbers = *w->health});
    if (is_tls && !w->is_all_passed_on) {
        uint32_t https = image_builder_listener(b, "ns/gw/https", "www.secure.example",
                                                IMAGE_PROTOCOL_HTTPS, 80);
        image_builder_identity(b, &(struct keys_id){{1}}, "ns/secret");
        image_builder_bind(b, &addr, 80, https);
    }
    pass_on(b, "ns/one", 1, 1, listener, is_tls ? "www.example" : NULL);
    if (is_tls)
        pass_on(b, "ns/none", 2, 9, listener, "none.example");
    use_image(w, b);
}

void world_publish_nothing(struct world *w)
{
    struct image_builder *b = image_builder_new();
    struct ip_addr addr = ip_addr_from_v4(vip);
    uint32_t listener = image_builder_listener(b, "ns/gw/l4", "", IMAGE_PROTOCOL_TCP, 80);
    image_builder_bind(b, &addr, 80, listener);
    use_image(w, b);
}

static enum tcp_open_fault dial(void *owner, const struct tcp_open_args *args,
                                struct stream **ret_stream)
{
    struct world *w = owner;
    if (w->refuse != TCP_OPEN_OK)
        return w->refuse;
    ASSERT(w->n_backends < WORLD_STREAMS_MAX);
    struct world_backend *b = &w->backends[w->n_backends++];
    *b = (struct world_backend){.args = *args};
    fake_stream_init(&b->f, w->out_room);
    if (!w->is_opening_held)
        b->f.events = STREAM_WRITABLE;
    *ret_stream = &b->f.stream;
    return TCP_OPEN_OK;
}

void world_init(struct world *w, const struct proxy_config *config)
{
    static const uint8_t two[] = {1, 2};
    struct proxy_config own;
    proxy_config_default(&own, 32);
    if (config != NULL)
        own = *config;
    memset(w, 0, sizeof(*w));
    core_init(&w->core, &(struct core_config){.now_us = 1000000,
                                              .workers = 1,
                                              .socket = -1,
                                              .stats = &w->stats,
                                              .routes = w->routes,
                                              .n_routes = WORLD_ROUTES,
                                              .rng_seed = 7});
    w->rcu = rcu_new(1);
    w->table = endpoint_table_new(w->rcu);
    w->out_room = SIZE_MAX;
    w->congestion = IMAGE_CONGESTION_CUBIC;
    w->lane = verify_lane_new();
    own.verify = w->lane;
    w->proxy = proxy_new(&w->core, w->table, &own);
    proxy_upcalls(w->proxy, &w->upcalls);
    proxy_set_dialer(w->proxy, &(struct upstream_dialer){.open = dial, .owner = w});
    world_publish(w, 80);
    world_endpoints(w, 1, two, 2, ENDPOINT_READY | ENDPOINT_SERVING);
}

void world_done(struct world *w)
{
    proxy_done(w->proxy);
    ASSERT(w->pins == 0 && w->core.wheel.armed == 0);
    for (unsigned i = 0; i < w->n_clients; i++) {
        ASSERT(w->clients[i].is_released);
        fake_stream_done(&w->clients[i]);
    }
    for (unsigned i = 0; i < w->n_backends; i++) {
        ASSERT(w->backends[i].f.is_released);
        fake_stream_done(&w->backends[i].f);
    }
    verify_lane_free(w->lane);
    endpoint_table_free(w->table);
    rcu_free(w->rcu);
    core_done(&w->core);
    free(w->image);
}

struct fake_stream *world_connect(struct world *w)
{
    return world_connect_from(w, "192.0.2.7");
}

struct fake_stream *world_connect_from(struct world *w, const char *address)
{
    ASSERT(w->n_clients < WORLD_STREAMS_MAX);
    struct fake_stream *f = &w->clients[w->n_clients++];
    fake_stream_init(f, w->out_room);
    f->addrs =
        (struct stream_addrs){.local = ip_addr_from_v4(vip), .local_port = 80, .remote_port = 4711};
    struct tcp_listening listening = {0};
    bool is_address = ip_addr_parse(address, &f->addrs.remote);
    ASSERT(is_address);
    bool is_taken = w->upcalls.listen(w->upcalls.owner, &f->addrs.local, 80, &listening) &&
                    w->upcalls.accept(w->upcalls.owner, &f->stream, listening.bind);
    if (!is_taken)
        f->is_released = true;
    return f;
}

/* Answers each whole request head (bodies by Content-Length are skipped by what follows being no
 * head: good enough for requests without a body). */
static bool answer_by_itself(struct world_backend *b)
{
    struct slice all = fake_stream_written(&b->f);
    if (b->f.is_released || all.len == b->parsed)
        return false;
    const uint8_t *end = memmem(all.ptr + b->parsed, all.len - b->parsed, "\r\n\r\n", 4);
    if (end == NULL)
        return false;
    b->parsed = (size_t)(end - all.ptr) + 4;
    fake_stream_push(&b->f, SLICE_LIT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"));
    return true;
}

void world_run(struct world *w)
{
    bool is_moving = true;
    for (unsigned round = 0; is_moving; round++) {
        ASSERT(round < 100000);
        is_moving = false;
        for (unsigned i = 0; i < w->n_clients; i++)
            is_moving |= fake_stream_dispatch(&w->clients[i]);
        for (unsigned i = 0; i < w->n_backends; i++) {
            is_moving |= fake_stream_dispatch(&w->backends[i].f);
            if (!w->is_manual)
                is_moving |= answer_by_itself(&w->backends[i]);
        }
        is_moving |= proxy_poll(w->proxy) > 0;
    }
}

void world_wait(struct world *w, unsigned ms)
{
    for (unsigned i = 0; i < ms; i += 10) {
        w->core.now_us += 10 * 1000;
        wheel_run(&w->core.wheel, w->core.now_us, 1000);
        world_run(w);
    }
}

void world_say(struct world *w, struct fake_stream *client, const char *text)
{
    fake_stream_push(client, slice_of_str(text));
    world_run(w);
}

const char *world_got(struct world *w, struct fake_stream *client)
{
    static char text[65536];
    struct slice all = fake_stream_written(client);
    ASSERT(all.len < sizeof(text));
    if (all.len > 0)
        memcpy(text, all.ptr, all.len);
    text[all.len] = '\0';
    fake_stream_take(client, all.len);
    world_run(w);
    return text;
}

struct world_backend *world_last(struct world *w)
{
    ASSERT(w->n_backends > 0);
    return &w->backends[w->n_backends - 1];
}

const char *world_asked(struct world_backend *b)
{
    static char text[65536];
    struct slice all = fake_stream_written(&b->f);
    ASSERT(all.len < sizeof(text));
    if (all.len > 0)
        memcpy(text, all.ptr, all.len);
    text[all.len] = '\0';
    return text;
}

void world_reply(struct world *w, struct world_backend *b, const char *text)
{
    fake_stream_push(&b->f, slice_of_str(text));
    world_run(w);
}

void world_endpoints(struct world *w, uint32_t group, const uint8_t *last, unsigned n,
                     uint32_t flags)
{
    static uint64_t version;
    struct endpoint_record *r = calloc(1, sizeof(*r) + n * sizeof(struct endpoint));
    r->group = group;
    r->count = (uint16_t)n;
    r->flags = group == 1 && w->hash_key != IMAGE_HASH_KEY_NONE ? ENDPOINT_RECORD_HASHED : 0;
    r->version = ++version;
    for (unsigned i = 0; i < n; i++) {
        r->endpoints[i].addr = ip_addr_from_v4((uint8_t[]){10, 0, 0, last[i]});
        r->endpoints[i].port = 8080;
        r->endpoints[i].weight = 1;
        r->endpoints[i].flags = flags;
    }
    enum endpoints_fault fault;
    bool is_put = endpoint_table_put(w->table, r, w->core.now_us, &fault);
    ASSERT(is_put && fault == ENDPOINTS_FAULT_OK);
    free(r);
    rcu_quiescent(w->rcu, 0);
    endpoint_table_reap(w->table);
}

bool world_verdict(struct world *w, bool is_good)
{
    if (verify_lane_oldest(w->lane) == NULL)
        return false;
    struct verify_answer answer = {is_good, w->token_from_s, w->token_to_s};
    verify_lane_answer(w->lane, answer);
    world_run(w);
    return true;
}

uint64_t world_stat(const struct world *w, enum stat_id id)
{
    return w->stats.counters[id];
}
