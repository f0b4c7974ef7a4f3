/* SPDX-License-Identifier: Apache-2.0 */
/* Requests for WebSocket: what is asked of the backend, who becomes a tunnel, and how one ends. */
#include "base/container.h"
#include "proxy_world.h"
#include "unit.h"

#include <string.h>

#define HOST "Host: www.example\r\n"
#define ASK "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define KEY "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define REQ "GET /ws HTTP/1.1\r\n" HOST ASK KEY "\r\n"
#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define AGREED "HTTP/1.1 101 Switching Protocols\r\n" ASK ACCEPT "X-Mine: 1\r\n\r\n"

static struct world w;

static struct fake_stream *begin(struct world_backend **ret)
{
    world_init(&w, NULL);
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, REQ);
    *ret = world_last(&w);
    return c;
}

static struct fake_stream *tunnel(struct world_backend **ret)
{
    struct fake_stream *c = begin(ret);
    world_reply(&w, *ret, AGREED);
    fake_stream_take(&(*ret)->f, fake_stream_written(&(*ret)->f).len);
    CHECK_EQ(world_stat(&w, STAT_proxy_tunnels), 1);
    CHECK_EQ(world_stat(&w, STAT_proxy_tunnels_now), 1);
    CHECK(strncmp(world_got(&w, c), "HTTP/1.1 101 ", 13) == 0);
    return c;
}

static void end(enum stat_id why)
{
    CHECK_EQ(world_stat(&w, why), 1);
    CHECK_EQ(world_stat(&w, STAT_proxy_tunnels_now), 0);
    CHECK_EQ(world_stat(&w, STAT_proxy_exchanges_now), 0);
    CHECK_EQ(w.pins, 0);
    world_done(&w);
}

TEST(the_backend_is_asked_and_its_answer_passed_on)
{
    struct world_backend *b;
    struct fake_stream *c = begin(&b);
    const char *asked = world_asked(b);
    CHECK(strstr(asked, ASK) != NULL && strstr(asked, "dGhlIHNhbXBsZSBub25jZQ==") != NULL);
    CHECK_EQ(w.pins, 1);
    world_reply(&w, b, AGREED "hello");
    const char *got = world_got(&w, c);
    CHECK(strstr(got, ASK) != NULL && strstr(got, ACCEPT) != NULL);
    CHECK(strstr(got, "X-Mine: 1\r\n") != NULL && strstr(got, "\r\n\r\nhello") != NULL);
    CHECK(strstr(got, "Content-Length") == NULL && strstr(got, "Transfer-Encoding") == NULL);
    CHECK_EQ(w.pins, 0); /* the image may go */
    CHECK_EQ(world_stat(&w, STAT_proxy_tunnel_bytes_down), 5);
    fake_stream_break(c, STREAM_END_RESET);
    world_run(&w);
    CHECK_EQ(b->f.end, STREAM_END_ABORTED);
    CHECK_EQ(world_stat(&w, STAT_proxy_conn_end_lost_busy), 1);
    end(STAT_proxy_end_tunnel_client);
}

TEST(what_the_client_says_too_early_waits_for_the_answer)
{
    struct world_backend *b;
    struct fake_stream *c = begin(&b);
    fake_stream_take(&b->f, fake_stream_written(&b->f).len);
    world_say(&w, c, "GET /evil HTTP/1.1\r\n" HOST "\r\n");
    CHECK_EQ(fake_stream_written(&b->f).len, 0);
    CHECK_EQ(world_stat(&w, STAT_proxy_requests), 1);
    world_reply(&w, b, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"); /* then it is a request */
    CHECK_EQ(world_stat(&w, STAT_proxy_requests), 2);
    CHECK_EQ(world_stat(&w, STAT_proxy_tunnels), 0);
    CHECK(strstr(world_got(&w, c), "HTTP/1.1 200") != NULL);
    world_reply(&w, b, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    fake_stream_push_eof(c);
    world_run(&w);
    CHECK_EQ(world_stat(&w, STAT_proxy_end_complete), 2);
    world_done(&w);

    c = begin(&b);
    fake_stream_take(&b->f, fake_stream_written(&b->f).len);
    world_say(&w, c, "early");
    world_reply(&w, b, AGREED); /* then it is the tunnel's */
    CHECK_EQ(fake_stream_written(&b->f).len, 5);
    CHECK_EQ(world_stat(&w, STAT_proxy_requests), 1);
    world_done(&w);
}

TEST(a_101_that_does_not_fit_is_502)
{
    static const char *const fakes[] = {
        "HTTP/1.1 101 Switching\r\n" ASK "\r\n",
        "HTTP/1.1 101 Switching\r\n" ASK
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOO=\r\n\r\n",
        "HTTP/1.1 101 Switching\r\n" ASK ACCEPT ACCEPT "\r\n",
        "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n" ACCEPT "\r\n",
        "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n" ACCEPT "\r\n",
        "HTTP/1.1 101 Switching\r\n" ASK ACCEPT "Content-Length: 5\r\n\r\n",
        "HTTP/1.0 101 Switching\r\n" ASK ACCEPT "\r\n",
    };
    for (unsigned i = 0; i < array_len(fakes); i++) {
        struct world_backend *b;
        struct fake_stream *c = begin(&b);
        world_reply(&w, b, fakes[i]);
        CHECK(strncmp(world_got(&w, c), "HTTP/1.1 502 ", 13) == 0);
        CHECK_EQ(world_stat(&w, STAT_http_backend_refused_switching), 1);
        CHECK(b->f.is_released);
        fake_stream_push_eof(c);
        world_run(&w);
        end(STAT_proxy_end_backend_fault);
    }
}

TEST(what_is_not_just_a_websocket_handshake_goes_on_without_upgrade)
{
    static const char *const requests[] = {
        "GET / HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: h2c\r\n" KEY "\r\n",
        "GET / HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n" KEY "\r\n",
        "GET / HTTP/1.1\r\n" HOST ASK "Upgrade: h2c\r\n" KEY "\r\n",
        "GET / HTTP/1.1\r\n" HOST ASK "Upgrade: websocket\r\n" KEY "\r\n",
        "GET / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n" KEY "\r\n",
        "GET / HTTP/1.1\r\n" HOST ASK "Connection: close\r\n" KEY "\r\n",
        "GET / HTTP/1.1\r\n" HOST ASK "Connection: Sec-WebSocket-Key\r\n" KEY "\r\n",
        "GET / HTTP/1.1\r\n" HOST ASK KEY "Content-Length: 0\r\n\r\n",
        "GET / HTTP/1.1\r\n" HOST ASK KEY KEY "\r\n",
        "GET / HTTP/1.1\r\n" HOST ASK "Sec-WebSocket-Version: 13\r\n\r\n",
        "GET / HTTP/1.1\r\n" HOST ASK "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: abc\r\n\r\n",
        "GET / HTTP/1.1\r\n" HOST ASK
        "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "HEAD / HTTP/1.1\r\n" HOST ASK KEY "\r\n",
        "GET / HTTP/1.1\r\n" HOST ASK KEY "Expect: 100-continue\r\n\r\n",
        "GET / HTTP/1.0\r\n" HOST ASK KEY "\r\n",
    };
    for (unsigned i = 0; i < array_len(requests); i++) {
        world_init(&w, NULL);
        w.is_manual = true;
        struct fake_stream *c = world_connect(&w);
        world_say(&w, c, requests[i]);
        struct world_backend *b = world_last(&w);
        CHECK(strstr(world_asked(b), "pgrade") == NULL);
        world_reply(&w, b, AGREED);
        CHECK(strncmp(world_got(&w, c), "HTTP/1.1 502 ", 13) == 0);
        CHECK_EQ(world_stat(&w, STAT_proxy_tunnels), 0);
        fake_stream_push_eof(c);
        world_run(&w);
        end(STAT_proxy_end_backend_fault);
    }
}

TEST(each_direction_ends_by_itself)
{
    for (unsigned first = 0; first < 2; first++) {
        struct world_backend *b;
        struct fake_stream *c = tunnel(&b);
        struct fake_stream *one = first == 0 ? c : &b->f;
        struct fake_stream *other = first == 0 ? &b->f : c;
        fake_stream_push(one, SLICE_LIT("last words"));
        fake_stream_push_eof(one);
        world_run(&w);
        CHECK(other->is_shutdown && !one->is_shutdown);
        CHECK_EQ(fake_stream_written(other).len, 10);
        fake_stream_push(other, SLICE_LIT("answer"));
        world_run(&w);
        CHECK(!one->is_released && !one->is_shutdown);
        fake_stream_push_eof(other);
        world_run(&w);
        CHECK(one->is_shutdown && one->end == STREAM_END_OPEN);
        CHECK(c->is_released && b->f.is_released && b->f.end == STREAM_END_OPEN);
        CHECK_EQ(world_stat(&w, STAT_proxy_conn_end_client), 1);
        end(STAT_proxy_end_tunnel);
    }
}

/* As TCP tells it: the end of the second direction is the end of the stream. */
TEST(the_end_of_a_stream_in_good_order_is_no_accident)
{
    for (unsigned first = 0; first < 2; first++) {
        struct world_backend *b;
        struct fake_stream *c = tunnel(&b);
        struct fake_stream *one = first == 0 ? c : &b->f;
        struct fake_stream *other = first == 0 ? &b->f : c;
        fake_stream_push_eof(one);
        world_run(&w);
        fake_stream_break(other, STREAM_END_ORDERLY);
        world_run(&w);
        CHECK_EQ(one->end, STREAM_END_OPEN);
        CHECK(one->is_shutdown);
        fake_stream_break(one, STREAM_END_ORDERLY);
        world_run(&w);
        CHECK_EQ(world_stat(&w, STAT_proxy_conn_end_client), 1);
        end(STAT_proxy_end_tunnel);
    }
}

TEST(a_backend_that_resets_has_the_client_reset)
{
    struct world_backend *b;
    struct fake_stream *c = tunnel(&b);
    fake_stream_break(&b->f, STREAM_END_RESET);
    world_run(&w);
    CHECK_EQ(c->end, STREAM_END_ABORTED);
    CHECK_EQ(world_stat(&w, STAT_proxy_conn_end_cut), 1);
    end(STAT_proxy_end_tunnel_backend);
}

TEST(a_tunnel_ends_when_nothing_moves_for_an_hour)
{
    struct world_backend *b;
    struct fake_stream *c = tunnel(&b);
    world_wait(&w, 3500 * 1000);
    world_say(&w, c, "x");
    world_wait(&w, 3500 * 1000);
    CHECK_EQ(world_stat(&w, STAT_proxy_tunnels_now), 1);
    world_wait(&w, 101 * 1000);
    CHECK_EQ(c->end, STREAM_END_ABORTED);
    end(STAT_proxy_end_tunnel_idle);

    c = tunnel(&b);
    fake_stream_push_eof(c); /* who has ended waits shorter */
    world_run(&w);
    world_wait(&w, 61 * 1000);
    end(STAT_proxy_end_tunnel_idle);
}

/* A window of a few bytes: what does not fit waits where it came from. */
TEST(a_side_that_takes_nothing_holds_the_other_back)
{
    world_init(&w, NULL);
    w.is_manual = true;
    w.out_room = 7;
    struct fake_stream *c = world_connect(&w);
    w.out_room = 4096;
    world_say(&w, c, REQ);
    struct world_backend *b = world_last(&w);
    world_reply(&w, b, AGREED "0123456789");
    CHECK_EQ(stream_readable(&b->f.stream), 10); /* behind the head, which waits itself */
    char got[512];
    size_t n = 0;
    fake_stream_push_eof(&b->f);
    for (unsigned i = 0; i < 100 && !c->is_shutdown; i++) {
        struct slice v = fake_stream_written(c);
        memcpy(got + n, v.ptr, v.len);
        n += v.len;
        fake_stream_take(c, v.len);
        world_run(&w);
    }
    struct slice v = fake_stream_written(c);
    memcpy(got + n, v.ptr, v.len);
    n += v.len;
    CHECK(c->is_shutdown);
    CHECK(n > 14 && memcmp(got + n - 14, "\r\n\r\n0123456789", 14) == 0);
    fake_stream_push_eof(c);
    world_run(&w);
    end(STAT_proxy_end_tunnel);
}

TEST(a_new_image_cuts_no_tunnel)
{
    struct world_backend *b;
    struct fake_stream *c = tunnel(&b);
    world_publish(&w, 81); /* nobody listens on its port any more */
    world_run(&w);
    world_endpoints(&w, 1, NULL, 0, 0);
    world_run(&w);
    world_say(&w, c, "still here");
    CHECK_EQ(fake_stream_written(&b->f).len, 10);
    fake_stream_push_eof(c);
    fake_stream_push_eof(&b->f);
    world_run(&w);
    end(STAT_proxy_end_tunnel);
}

TEST(there_are_no_more_tunnels_than_there_may_be)
{
    struct proxy_config config;
    proxy_config_default(&config, 8);
    config.tunnels_max = 1;
    world_init(&w, &config);
    w.is_manual = true;
    struct fake_stream *first = world_connect(&w);
    struct fake_stream *second = world_connect(&w);
    world_say(&w, first, REQ);
    world_reply(&w, world_last(&w), AGREED);
    world_say(&w, second, REQ);
    CHECK(strncmp(world_got(&w, second), "HTTP/1.1 503 ", 13) == 0);
    CHECK_EQ(world_stat(&w, STAT_proxy_end_tunnels_full), 1);
    fake_stream_break(first, STREAM_END_RESET);
    world_run(&w);
    world_say(&w, second, REQ);
    world_reply(&w, world_last(&w), AGREED);
    CHECK_EQ(world_stat(&w, STAT_proxy_tunnels), 2);
    world_done(&w);
}

UNIT_MAIN("proxy/tunnel", T(the_backend_is_asked_and_its_answer_passed_on),
          T(what_the_client_says_too_early_waits_for_the_answer), T(a_101_that_does_not_fit_is_502),
          T(what_is_not_just_a_websocket_handshake_goes_on_without_upgrade),
          T(each_direction_ends_by_itself), T(the_end_of_a_stream_in_good_order_is_no_accident),
          T(a_backend_that_resets_has_the_client_reset),
          T(a_tunnel_ends_when_nothing_moves_for_an_hour),
          T(a_side_that_takes_nothing_holds_the_other_back), T(a_new_image_cuts_no_tunnel),
          T(there_are_no_more_tunnels_than_there_may_be))
