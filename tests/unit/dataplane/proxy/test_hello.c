/* SPDX-License-Identifier: Apache-2.0 */
/* Connections whose TLS hello tells whose they are: to whom it goes with all its bytes. */
#include "base/container.h"
#include "proxy_world.h"
#include "unit.h"

#include <string.h>

#define RANDOM "0123456789abcdef0123456789abcdef"
#define ALERT_UNRECOGNIZED_NAME 112

static struct world w;

/* A hello that names a server, of eleven letters; "": it names none. Returns its length. */
static size_t hello_of(const char *name, uint8_t *ret)
{
    size_t n = strlen(name);
    size_t ext = n > 0 ? 9 + n : 0;
    size_t body = 2 + 32 + 1 + 4 + 2 + 2 + ext;
    uint8_t *at = ret;
    const uint8_t head[] = {22, 3, 1, 0, (uint8_t)(body + 4), 1, 0, 0, (uint8_t)body, 3, 3};
    memcpy(at, head, sizeof(head));
    at += sizeof(head);
    memcpy(at, RANDOM "\0\0\x02\x13\x01\x01\0", 39);
    at += 39;
    *at++ = 0;
    *at++ = (uint8_t)ext;
    if (n > 0) {
        const uint8_t front[] = {0, 0, 0, (uint8_t)(n + 5), 0, (uint8_t)(n + 3), 0, 0, (uint8_t)n};
        memcpy(at, front, sizeof(front));
        memcpy(at + sizeof(front), name, n);
    }
    return (size_t)(at - ret) + ext;
}

static struct fake_stream *begin(void)
{
    world_init(&w, NULL);
    w.is_manual = true;
    world_publish_l4(&w, IMAGE_PROTOCOL_TLS);
    return world_connect(&w);
}

static void push(struct fake_stream *c, const uint8_t *bytes, size_t n)
{
    fake_stream_push(c, slice_of(bytes, n));
    world_run(&w);
}

/* What the client got is just this alert. */
static void check_alert(struct fake_stream *c, uint8_t alert)
{
    world_wait(&w, 20);
    struct slice got = fake_stream_written(c);
    REQUIRE(got.len >= 7);
    CHECK_EQ(got.ptr[0], 21);
    CHECK_EQ(got.ptr[6], alert);
}

TEST(a_name_leads_to_its_backend_with_every_byte_of_the_hello)
{
    uint8_t bytes[256];
    size_t n = hello_of("WWW.example", bytes);
    for (size_t step = 1; step <= n; step += step < 8 ? 1 : 37) {
        struct fake_stream *c = begin();
        for (size_t at = 0; at < n; at += step) {
            CHECK_EQ(w.n_backends, 0);
            push(c, bytes + at, n - at < step ? n - at : step);
        }
        REQUIRE(w.n_backends == 1);
        struct world_backend *b = world_last(&w);
        CHECK(slice_eq(fake_stream_written(&b->f), slice_of(bytes, n)));
        CHECK_EQ(fake_stream_written(c).len, 0);
        world_reply(&w, b, "whatever it says");
        CHECK_STR(world_got(&w, c), "whatever it says");
        fake_stream_push_eof(c);
        fake_stream_push_eof(&b->f);
        world_run(&w);
        CHECK_EQ(world_stat(&w, STAT_proxy_hello_whole), 1);
        CHECK_EQ(world_stat(&w, STAT_proxy_l4_end_complete), 1);
        CHECK_EQ(world_stat(&w, STAT_proxy_tls_handshakes), 0);
        world_done(&w);
    }
}

TEST(a_name_that_nobody_has_or_no_route_has_or_none_gets_an_alert)
{
    static const char *const names[] = {"", "other.example", "www.sample", "example"};
    for (size_t i = 0; i < array_len(names); i++) {
        uint8_t bytes[256];
        struct fake_stream *c = begin();
        push(c, bytes, hello_of(names[i], bytes));
        check_alert(c, ALERT_UNRECOGNIZED_NAME);
        CHECK_EQ(world_stat(&w, STAT_proxy_tls_unknown_name), 1);
        CHECK_EQ(w.n_backends, 0);
        world_done(&w);
    }
}

TEST(where_all_tls_is_passed_on_all_else_is_reset)
{
    static const char *const names[] = {"", "other.example", "a..example"};
    uint8_t bytes[256];
    for (size_t i = 0; i <= array_len(names); i++) {
        world_init(&w, NULL);
        w.is_manual = w.is_all_passed_on = true;
        world_publish_l4(&w, IMAGE_PROTOCOL_TLS);
        struct fake_stream *c = world_connect(&w);
        if (i < array_len(names))
            push(c, bytes, hello_of(names[i], bytes));
        else
            world_say(&w, c, "GET / HTTP/1.1\r\n\r\n");
        CHECK_EQ(c->end, STREAM_END_ABORTED);
        CHECK_EQ(fake_stream_written(c).len, 0);
        CHECK_EQ(world_stat(&w, STAT_proxy_hello_nobody), 1);
        CHECK_EQ(world_stat(&w, STAT_proxy_conn_end_hello), 1);
        CHECK_EQ(w.n_backends, 0);
        world_done(&w);
    }
}

TEST(what_is_no_hello_is_answered_by_the_library)
{
    uint8_t bytes[256];
    size_t n = hello_of("a..example", bytes);
    struct fake_stream *c = begin();
    push(c, bytes, n);
    check_alert(c, ALERT_UNRECOGNIZED_NAME);
    CHECK_EQ(world_stat(&w, STAT_proxy_hello_name), 1);
    world_done(&w);
    c = begin();
    world_say(&w, c, "GET / HTTP/1.1\r\n\r\n");
    world_wait(&w, 20);
    CHECK_EQ(world_stat(&w, STAT_proxy_hello_foreign), 1);
    CHECK_EQ(world_stat(&w, STAT_proxy_tls_garbage), 1);
    CHECK_EQ(world_stat(&w, STAT_proxy_requests), 0);
    world_done(&w);
}

TEST(a_hello_in_more_pieces_than_are_looked_at_is_too_long)
{
    uint8_t bytes[256];
    struct fake_stream *c = begin();
    c->slice_max = 1;
    push(c, bytes, hello_of("www.example", bytes));
    world_wait(&w, 20);
    CHECK_EQ(world_stat(&w, STAT_proxy_hello_long), 1);
    CHECK_EQ(w.n_backends, 0);
    world_done(&w);
}

TEST(a_hello_has_its_time)
{
    uint8_t bytes[256];
    size_t n = hello_of("www.example", bytes);
    struct fake_stream *c = begin();
    push(c, bytes, n - 1);
    world_wait(&w, 14900);
    CHECK(!c->is_released);
    world_wait(&w, 200);
    CHECK_EQ(c->end, STREAM_END_ABORTED);
    CHECK_EQ(world_stat(&w, STAT_proxy_hello_late), 1);
    CHECK_EQ(world_stat(&w, STAT_proxy_conn_end_hello), 1);
    world_done(&w);
}

TEST(a_hello_that_ends_within_ends_the_connection_at_once)
{
    uint8_t bytes[256];
    size_t n = hello_of("www.example", bytes);
    for (unsigned is_apart = 0; is_apart < 2; is_apart++) {
        struct fake_stream *c = begin();
        fake_stream_push(c, slice_of(bytes, n - 1));
        if (is_apart)
            world_run(&w);
        CHECK(!c->is_released);
        fake_stream_push_eof(c);
        world_run(&w);
        CHECK(c->is_released);
        CHECK_EQ(c->end, STREAM_END_ABORTED);
        CHECK_EQ(world_stat(&w, STAT_proxy_hello_cut), 1);
        CHECK_EQ(world_stat(&w, STAT_proxy_conn_end_hello), 1);
        CHECK_EQ(w.n_backends, 0);
        world_done(&w);
    }
}

TEST(a_whole_hello_with_an_end_behind_it_goes_on)
{
    uint8_t bytes[256];
    struct fake_stream *c = begin();
    fake_stream_push(c, slice_of(bytes, hello_of("www.example", bytes)));
    fake_stream_push_eof(c);
    world_run(&w);
    REQUIRE(w.n_backends == 1);
    CHECK(world_last(&w)->f.is_shutdown);
    fake_stream_push_eof(&world_last(&w)->f);
    world_run(&w);
    CHECK_EQ(world_stat(&w, STAT_proxy_l4_end_complete), 1);
    world_done(&w);
}

TEST(who_goes_without_a_word_is_no_fault)
{
    struct fake_stream *c = begin();
    fake_stream_push_eof(c);
    world_run(&w);
    CHECK_EQ(world_stat(&w, STAT_proxy_conn_end_client), 1);
    c = world_connect(&w);
    fake_stream_break(c, STREAM_END_RESET);
    world_run(&w);
    CHECK_EQ(world_stat(&w, STAT_proxy_conn_end_lost_idle), 1);
    world_connect(&w); /* and one that is there when all ends */
    world_done(&w);
}

TEST(what_the_listeners_are_when_the_hello_is_there_counts)
{
    uint8_t bytes[256];
    size_t n = hello_of("www.example", bytes);
    struct fake_stream *c = begin();
    push(c, bytes, 20);
    world_publish_nothing(&w); /* a listener of TCP, where everything is passed on */
    world_run(&w);
    push(c, bytes + 20, n - 20);
    check_alert(c, ALERT_UNRECOGNIZED_NAME);
    world_done(&w);
}

TEST(a_proxy_header_comes_before_the_hello)
{
    uint8_t bytes[256];
    size_t n = hello_of("www.example", bytes);
    world_init(&w, NULL);
    w.is_manual = w.is_proxied = true;
    w.proxy_header = IMAGE_PROXY_HEADER_V1;
    world_publish_l4(&w, IMAGE_PROTOCOL_TLS);
    struct fake_stream *c = world_connect(&w);
    fake_stream_push(c, SLICE_LIT("PROXY TCP4 203.0.113.9 198.51.100.1 1234 443\r\n"));
    push(c, bytes, n);
    REQUIRE(w.n_backends == 1);
    struct slice got = fake_stream_written(&world_last(&w)->f);
    CHECK_EQ(got.len, 46 + n);
    CHECK(slice_eq(slice_skip(got, 46), slice_of(bytes, n)));
    world_done(&w);
    CHECK_EQ(world_stat(&w, STAT_proxy_l4_end_cut), 1);
}

UNIT_MAIN("proxy/hello", T(a_name_leads_to_its_backend_with_every_byte_of_the_hello),
          T(a_name_that_nobody_has_or_no_route_has_or_none_gets_an_alert),
          T(where_all_tls_is_passed_on_all_else_is_reset),
          T(what_is_no_hello_is_answered_by_the_library),
          T(a_hello_in_more_pieces_than_are_looked_at_is_too_long), T(a_hello_has_its_time),
          T(a_hello_that_ends_within_ends_the_connection_at_once),
          T(a_whole_hello_with_an_end_behind_it_goes_on), T(who_goes_without_a_word_is_no_fault),
          T(what_the_listeners_are_when_the_hello_is_there_counts),
          T(a_proxy_header_comes_before_the_hello))
