/* SPDX-License-Identifier: Apache-2.0 */
/* PROXY headers: required of clients, believed from then on, and sent to backends that want one. */
#include "proxy_world.h"
#include "unit.h"

#include <string.h>

static struct world w;

#define LINE "PROXY TCP4 203.0.113.9 198.51.100.1 1234 443\r\n"
#define REQ(path) "GET " path " HTTP/1.1\r\nHost: www.example\r\n\r\n"
#define V2 "\r\n\r\n\0\r\nQUIT\n"
static const char binary[] = V2 "\x21\x11\0\x0c\xcb\0\x71\x09\xc6\x33\x64\x01\x04\xd2\x01\xbb";

/* Clients have to begin with a header; backends are told by one. */
static void begin(bool is_proxied, enum image_proxy_header header)
{
    world_init(&w, NULL);
    w.is_proxied = is_proxied;
    w.proxy_header = header;
    world_publish(&w, 80);
}

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* It was reset without an answer, for this reason. */
static void check_refused(struct fake_stream *c, enum stat_id why)
{
    CHECK(c->is_released);
    CHECK_EQ(c->end, STREAM_END_ABORTED);
    CHECK_STR(world_got(&w, c), "");
    CHECK_EQ(world_stat(&w, why), 1);
    CHECK_EQ(world_stat(&w, STAT_proxy_conn_end_header), 1);
    CHECK_EQ(world_stat(&w, STAT_proxy_requests), 0);
    world_done(&w);
}

TEST(a_headers_client_is_the_client_from_then_on)
{
    begin(true, IMAGE_PROXY_HEADER_NONE);
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, LINE REQ("/"));
    const char *asked = world_asked(world_last(&w));
    CHECK(has(asked, "GET / HTTP/1.1\r\n") && has(asked, "X-Forwarded-For: 203.0.113.9\r\n"));
    CHECK(has(asked, "for=203.0.113.9") && !has(asked, "PROXY"));
    world_reply(&w, world_last(&w), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    CHECK(has(world_got(&w, c), "200 OK"));
    world_say(&w, c, REQ("/any")); /* the connection goes on, and its client with it */
    CHECK(has(world_asked(world_last(&w)), "GET /any HTTP/1.1\r\n"));
    CHECK_EQ(world_stat(&w, STAT_proxy_header_told), 1);
    world_done(&w);
}

TEST(a_limit_by_client_counts_the_one_that_the_header_tells)
{
    static const char *const lines[] = {"PROXY TCP4 203.0.113.9 1.1.1.1 1 2\r\n",
                                        "PROXY TCP4 203.0.114.9 1.1.1.1 1 2\r\n",
                                        "PROXY TCP4 203.0.113.8 1.1.1.1 1 2\r\n"};
    static const char *const status[] = {"200", "200", "429"};
    begin(true, IMAGE_PROXY_HEADER_NONE);
    for (unsigned i = 0; i < 3; i++) {
        struct fake_stream *c = world_connect(&w);
        world_say(&w, c, lines[i]);
        world_say(&w, c, "GET /client HTTP/1.1\r\nHost: limit.example\r\n\r\n");
        CHECK(has(world_got(&w, c), status[i]));
    }
    world_done(&w);
}

TEST(a_header_may_come_in_any_pieces_with_the_request_or_before_it)
{
    static const char line[] = LINE REQ("/");
    char both[sizeof(binary) + sizeof(REQ("/"))];
    memcpy(both, binary, sizeof(binary) - 1);
    memcpy(both + sizeof(binary) - 1, REQ("/"), sizeof(REQ("/")));
    const struct {
        const char *bytes;
        size_t len;
    } rows[] = {{line, sizeof(line) - 1}, {both, sizeof(both) - 2}};
    for (unsigned i = 0; i < 2; i++) {
        for (size_t step = 1; step <= rows[i].len; step++) {
            begin(true, IMAGE_PROXY_HEADER_NONE);
            struct fake_stream *c = world_connect(&w);
            c->slice_max = 1 + step % 7;
            for (size_t at = 0; at < rows[i].len; at += step) {
                size_t n = rows[i].len - at < step ? rows[i].len - at : step;
                fake_stream_push(c, slice_of(rows[i].bytes + at, n));
                world_run(&w);
            }
            CHECK(has(world_asked(&w.backends[0]), "X-Forwarded-For: 203.0.113.9\r\n"));
            CHECK(has(world_got(&w, c), "200 OK"));
            world_done(&w);
        }
    }
}

TEST(a_header_that_tells_nothing_leaves_the_connections_own_client)
{
    static const struct slice headers[] = {SLICE_LIT("PROXY UNKNOWN\r\n"),
                                           SLICE_LIT(V2 "\x20\0\0\0")};
    for (unsigned i = 0; i < 2; i++) {
        begin(true, IMAGE_PROXY_HEADER_NONE);
        struct fake_stream *c = world_connect(&w);
        fake_stream_push(c, headers[i]);
        world_say(&w, c, REQ("/"));
        CHECK(has(world_asked(&w.backends[0]), "X-Forwarded-For: 192.0.2.7\r\n"));
        CHECK_EQ(world_stat(&w, STAT_proxy_header_local), 1);
        world_done(&w);
    }
}

TEST(what_is_no_header_is_reset_at_once_and_never_answered)
{
    begin(true, IMAGE_PROXY_HEADER_NONE);
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, REQ("/"));
    check_refused(c, STAT_proxy_header_foreign);
    begin(true, IMAGE_PROXY_HEADER_NONE);
    c = world_connect(&w);
    world_say(&w, c, "PROXY TCP4 203.0.113.9 198.51.100.1 01 443\r\n" REQ("/"));
    check_refused(c, STAT_proxy_header_port);
    begin(true, IMAGE_PROXY_HEADER_NONE);
    c = world_connect(&w);
    world_say(&w, c, "PROXY TCP4 203.0.113.9");
    CHECK(!c->is_released);
    fake_stream_push_eof(c);
    world_run(&w);
    check_refused(c, STAT_proxy_header_cut);
}

TEST(a_header_that_does_not_come_in_time_is_a_reset)
{
    begin(true, IMAGE_PROXY_HEADER_NONE);
    struct fake_stream *c = world_connect(&w);
    world_wait(&w, 10 * 1000);
    world_say(&w, c, "PROXY ");
    world_wait(&w, 4900);
    CHECK(!c->is_released);
    world_wait(&w, 200); /* the time is the whole header's */
    check_refused(c, STAT_proxy_header_late);
}

TEST(a_connection_without_a_byte_is_no_fault)
{
    begin(true, IMAGE_PROXY_HEADER_NONE);
    struct fake_stream *c = world_connect(&w);
    fake_stream_push_eof(c);
    world_run(&w);
    CHECK(c->is_released && c->end != STREAM_END_ABORTED);
    CHECK_EQ(world_stat(&w, STAT_proxy_conn_end_client), 1);
    c = world_connect(&w);
    fake_stream_break(c, STREAM_END_RESET);
    world_run(&w);
    CHECK_EQ(world_stat(&w, STAT_proxy_conn_end_lost_idle), 1);
    c = world_connect(&w);
    world_say(&w, c, "PROXY T"); /* and one that is there when all ends */
    world_publish(&w, 81);
    world_run(&w);
    CHECK(c->is_released);
    CHECK_EQ(world_stat(&w, STAT_proxy_conns_unbound), 1);
    world_publish(&w, 80);
    c = world_connect(&w);
    world_say(&w, c, "PROXY T");
    world_done(&w);
}

/* A request in plain text, which TLS counts as garbage. */
TEST(who_waits_for_its_header_speaks_what_the_listener_speaks_when_it_is_there)
{
    for (unsigned was_tls = 0; was_tls < 2; was_tls++) {
        for (unsigned is_tls = 0; is_tls < 2; is_tls++) {
            begin(true, IMAGE_PROXY_HEADER_NONE);
            w.is_tls = was_tls != 0;
            world_publish(&w, 80);
            struct fake_stream *c = world_connect(&w);
            world_say(&w, c, "PROXY TCP4 203.0.113.9 ");
            w.is_tls = is_tls != 0;
            world_publish(&w, 80);
            world_run(&w);
            CHECK(!c->is_released);
            world_say(&w, c, "198.51.100.1 1234 443\r\n" REQ("/"));
            world_wait(&w, 20);
            CHECK_EQ(world_stat(&w, STAT_proxy_header_told), 1);
            CHECK_EQ(world_stat(&w, STAT_proxy_tls_garbage), is_tls);
            CHECK_EQ(world_stat(&w, STAT_proxy_requests), !is_tls);
            CHECK_EQ(world_stat(&w, STAT_proxy_conns_unbound), 0);
            world_done(&w);
        }
    }
}

TEST(without_a_buffer_a_header_is_refused)
{
    struct proxy_config config;
    proxy_config_default(&config, 8);
    config.head_bufs_max = 1;
    world_init(&w, &config);
    w.is_proxied = true;
    world_publish(&w, 80);
    struct fake_stream *first = world_connect(&w);
    world_say(&w, first, "PROXY ");
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, "PROXY ");
    check_refused(c, STAT_proxy_header_no_buffer);
}

TEST(who_is_not_trusted_is_refused_before_a_byte_is_read)
{
    world_init(&w, NULL);
    w.is_proxied = true;
    w.trusted = "198.51.100.0";
    world_publish(&w, 80);
    struct fake_stream *c = world_connect_from(&w, "198.51.100.200");
    world_say(&w, c, LINE REQ("/"));
    CHECK(has(world_asked(&w.backends[0]), "X-Forwarded-For: 203.0.113.9\r\n"));
    world_connect_from(&w, "198.51.101.1");
    world_connect_from(&w, "2001:db8::1");
    CHECK_EQ(world_stat(&w, STAT_proxy_conns_untrusted), 2);
    CHECK_EQ(world_stat(&w, STAT_proxy_conns_accepted), 1);
    world_done(&w);
}

TEST(a_header_is_not_looked_for_where_none_is_required)
{
    begin(false, IMAGE_PROXY_HEADER_NONE);
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, LINE REQ("/"));
    CHECK(has(world_got(&w, c), "400 "));
    world_done(&w);
}

TEST(a_backend_is_told_before_the_first_request_and_only_then)
{
    begin(false, IMAGE_PROXY_HEADER_V1);
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, REQ("/"));
    world_say(&w, c, REQ("/"));
    CHECK_EQ(w.n_backends, 1); /* the same client: the same connection */
    const char *asked = world_asked(&w.backends[0]);
    static const char line[] = "PROXY TCP4 192.0.2.7 198.18.0.1 4711 80\r\nGET / HTTP/1.1\r\n";
    CHECK(strncmp(asked, line, sizeof(line) - 1) == 0);
    CHECK(!has(asked + 1, "PROXY"));
    world_done(&w);

    begin(true, IMAGE_PROXY_HEADER_V2); /* what our client told goes on */
    c = world_connect(&w);
    world_say(&w, c, LINE REQ("/"));
    struct slice all = fake_stream_written(&w.backends[0].f);
    REQUIRE(all.len > sizeof(binary));
    CHECK(memcmp(all.ptr, binary, sizeof(binary) - 1) == 0);
    CHECK(memcmp(all.ptr + sizeof(binary) - 1, "GET / HTTP/1.1\r\n", 16) == 0);
    world_done(&w);
}

TEST(two_clients_never_share_a_connection_that_tells_one)
{
    begin(false, IMAGE_PROXY_HEADER_V1);
    struct fake_stream *one = world_connect_from(&w, "192.0.2.1");
    struct fake_stream *two = world_connect_from(&w, "192.0.2.2");
    for (unsigned i = 0; i < 3; i++) {
        world_say(&w, one, REQ("/"));
        world_say(&w, two, REQ("/"));
    }
    CHECK_EQ(w.n_backends, 2);
    CHECK(has(world_asked(&w.backends[0]), "PROXY TCP4 192.0.2.1 "));
    CHECK(has(world_asked(&w.backends[1]), "PROXY TCP4 192.0.2.2 "));
    fake_stream_push_eof(one); /* and its connection goes with the client */
    world_run(&w);
    CHECK(w.backends[0].f.is_released && !w.backends[1].f.is_released);
    CHECK_EQ(world_stat(&w, STAT_upstream_closed_client_gone), 1);
    world_done(&w);
}

TEST(a_second_try_tells_the_client_again)
{
    begin(false, IMAGE_PROXY_HEADER_V1);
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, REQ("/"));
    world_reply(&w, world_last(&w), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    world_say(&w, c, REQ("/"));
    CHECK_EQ(w.n_backends, 1);
    fake_stream_break(&w.backends[0].f, STREAM_END_RESET); /* it was idle too long */
    world_run(&w);
    CHECK_EQ(w.n_backends, 2);
    CHECK(has(world_asked(&w.backends[1]), "PROXY TCP4 192.0.2.7 198.18.0.1 4711 80\r\nGET / "));
    world_reply(&w, world_last(&w), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    CHECK(has(world_got(&w, c), "200 OK"));
    world_done(&w);
}

TEST(a_mirror_is_told_too_and_its_connection_is_nobodys_afterwards)
{
    static const uint8_t three[] = {3};
    begin(false, IMAGE_PROXY_HEADER_V1);
    world_endpoints(&w, 3, three, 1, ENDPOINT_READY | ENDPOINT_SERVING);
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, REQ("/mirror"));
    REQUIRE(w.n_backends == 2);
    for (unsigned i = 0; i < 2; i++)
        CHECK(has(world_asked(&w.backends[i]), "PROXY TCP4 192.0.2.7 198.18.0.1 4711 80\r\nGET "));
    unsigned mirror = w.backends[0].args.remote.bytes[15] == 3 ? 0 : 1;
    CHECK(w.backends[mirror].f.is_released && !w.backends[1 - mirror].f.is_released);
    world_done(&w);
}

UNIT_MAIN("proxy/conn_header", T(a_headers_client_is_the_client_from_then_on),
          T(a_limit_by_client_counts_the_one_that_the_header_tells),
          T(a_header_may_come_in_any_pieces_with_the_request_or_before_it),
          T(a_header_that_tells_nothing_leaves_the_connections_own_client),
          T(what_is_no_header_is_reset_at_once_and_never_answered),
          T(a_header_that_does_not_come_in_time_is_a_reset),
          T(a_connection_without_a_byte_is_no_fault),
          T(who_waits_for_its_header_speaks_what_the_listener_speaks_when_it_is_there),
          T(without_a_buffer_a_header_is_refused),
          T(who_is_not_trusted_is_refused_before_a_byte_is_read),
          T(a_header_is_not_looked_for_where_none_is_required),
          T(a_backend_is_told_before_the_first_request_and_only_then),
          T(two_clients_never_share_a_connection_that_tells_one),
          T(a_second_try_tells_the_client_again),
          T(a_mirror_is_told_too_and_its_connection_is_nobodys_afterwards))
