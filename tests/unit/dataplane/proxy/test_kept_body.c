/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies that are kept for another try: each try gets all of it, once, and the client's stream is
 * as it would be without. */
#include "proxy/proxy_priv.h"
#include "proxy_world.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct world w;

#define POST(length)                                                                               \
    "POST /retry HTTP/1.1\r\nHost: www.example\r\nContent-Length: " length "\r\n\r\n"
#define GET "GET /retry HTTP/1.1\r\nHost: www.example\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define BUSY "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"

static struct fake_stream *begin(void)
{
    world_init(&w, NULL);
    w.is_manual = true;
    return world_connect(&w);
}

/* Waits for the next try; false: it does not come. */
static bool is_tried(void)
{
    unsigned before = w.n_backends;
    world_wait(&w, 300);
    return w.n_backends > before;
}

/* What stands behind the head of the request that the backend got. */
static const char *body_of(struct world_backend *b)
{
    const char *end = strstr(world_asked(b), "\r\n\r\n");
    return end == NULL ? "(no head)" : end + 4;
}

static void check_end(enum stat_id why)
{
    CHECK_EQ(world_stat(&w, why), world_stat(&w, STAT_proxy_requests));
}

TEST(each_try_gets_the_whole_body_and_the_next_request_follows_it)
{
    struct fake_stream *c = begin();
    world_say(&w, c, POST("5") "hello" GET);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_STR(body_of(world_last(&w)), "hello");
        world_reply(&w, world_last(&w), BUSY);
        CHECK_STR(world_got(&w, c), "");
        world_wait(&w, 600);
        CHECK_EQ(w.n_backends, i + 2);
    }
    world_reply(&w, world_last(&w), OK);
    CHECK_STR(world_got(&w, c), OK);
    CHECK(strstr(world_asked(world_last(&w)), "GET /retry ") != NULL);
    world_reply(&w, world_last(&w), OK);
    CHECK_STR(world_got(&w, c), OK);
    CHECK_EQ(world_stat(&w, STAT_proxy_retries), 3);
    check_end(STAT_proxy_end_complete);
    world_done(&w);
}

TEST(a_body_may_come_while_a_try_fails_and_while_none_is_under_way)
{
    struct fake_stream *c = begin();
    world_say(&w, c, POST("6"));
    world_say(&w, c, "ab");
    CHECK_STR(body_of(world_last(&w)), "ab");
    world_reply(&w, world_last(&w), BUSY);
    world_say(&w, c, "cd"); /* the next try waits for its backoff */
    REQUIRE(is_tried());
    CHECK_STR(body_of(world_last(&w)), "abcd");
    world_say(&w, c, "ef");
    CHECK_STR(body_of(world_last(&w)), "abcdef");
    fake_stream_break(&world_last(&w)->f, STREAM_END_RESET); /* no byte of an answer: POST, too */
    world_run(&w);
    REQUIRE(is_tried());
    CHECK_STR(body_of(world_last(&w)), "abcdef");
    world_reply(&w, world_last(&w), OK);
    CHECK_STR(world_got(&w, c), OK);
    world_say(&w, c, GET);
    world_reply(&w, world_last(&w), OK);
    CHECK_STR(world_got(&w, c), OK);
    world_done(&w);
}

TEST(windows_and_slices_of_a_byte_are_no_hindrance)
{
    for (size_t room = 1; room < 400; room = room < 20 ? room + 1 : room * 2) {
        struct fake_stream *c = begin();
        w.out_room = room;
        c->slice_max = 3; /* five bytes in two pieces */
        world_say(&w, c, POST("5") "hello");
        for (unsigned try = 0; try < 2; try++) {
            char got[1024] = "";
            struct world_backend *b = world_last(&w);
            for (unsigned i = 0; i < 1000 && strlen(got) < sizeof(got) - room - 1; i++) {
                strcat(got, world_asked(b));
                fake_stream_take(&b->f, room);
                world_run(&w);
            }
            CHECK(strstr(got, "Content-Length: 5\r\n") != NULL);
            CHECK(strstr(got, "\r\n\r\nhello") != NULL);
            CHECK_STR(strstr(got, "\r\n\r\n") + 4, "hello");
            world_reply(&w, b, try == 0 ? BUSY : OK);
            CHECK(try == 1 || is_tried());
        }
        CHECK_STR(world_got(&w, c), OK);
        world_done(&w);
    }
}

/* A body of so many bytes, whole at once; is it sent again? */
static bool is_sent_again(const char *head, size_t bytes)
{
    static char body[2 * RETRY_BODY_BYTES_MAX];
    struct fake_stream *c = begin();
    memset(body, 'x', bytes);
    world_say(&w, c, head);
    fake_stream_push(c, slice_of(body, bytes));
    if (strstr(head, "chunked") != NULL)
        fake_stream_push(c, SLICE_LIT("\r\n0\r\n\r\n"));
    world_run(&w);
    world_reply(&w, world_last(&w), BUSY);
    bool is_again = is_tried();
    if (is_again) {
        CHECK_EQ(strlen(body_of(world_last(&w))), bytes);
        world_reply(&w, world_last(&w), OK);
    }
    CHECK_STR(world_got(&w, c), is_again ? OK : BUSY);
    check_end(STAT_proxy_end_complete);
    world_done(&w);
    return is_again;
}

TEST(bodies_up_to_the_limit_are_kept_longer_and_chunked_ones_are_not)
{
    static const char chunked[] = "POST /retry HTTP/1.1\r\nHost: www.example\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n5\r\n";
    CHECK(is_sent_again(POST("8192"), RETRY_BODY_BYTES_MAX));
    CHECK(!is_sent_again(POST("8193"), RETRY_BODY_BYTES_MAX + 1));
    CHECK(!is_sent_again(chunked, 5));
}

TEST(a_body_in_many_pieces_is_let_go_and_arrives)
{
    struct fake_stream *c = begin();
    c->slice_max = 1;
    world_say(&w, c, POST("40"));
    world_say(&w, c, "0123456789012345678");
    world_say(&w, c, "9");
    CHECK_EQ(c->in.len - c->in.taken, 0); /* so its window is open */
    world_say(&w, c, "01234567890123456789");
    CHECK_STR(body_of(world_last(&w)), "0123456789012345678901234567890123456789");
    world_reply(&w, world_last(&w), BUSY);
    CHECK_STR(world_got(&w, c), BUSY);
    world_done(&w);
}

TEST(a_body_that_stops_coming_is_let_go_and_its_client_is_slow_in_the_end)
{
    struct fake_stream *c = begin();
    world_say(&w, c, POST("4") "ab");
    CHECK(c->in.len - c->in.taken > 0);
    world_wait(&w, 2100);
    CHECK_EQ(c->in.len - c->in.taken, 0);
    world_say(&w, c, "cd");
    CHECK_STR(body_of(world_last(&w)), "abcd");
    world_reply(&w, world_last(&w), OK);
    CHECK_STR(world_got(&w, c), OK);
    world_say(&w, c, POST("4") "ab");
    world_wait(&w, 60100);
    CHECK(strncmp(world_got(&w, c), "HTTP/1.1 408 ", 13) == 0);
    CHECK_EQ(world_stat(&w, STAT_proxy_end_client_slow), 1);
    world_done(&w);
}

TEST(a_client_that_ends_within_its_body_is_gone_at_once)
{
    struct fake_stream *c = begin();
    world_say(&w, c, POST("4") "ab");
    fake_stream_push_eof(c);
    world_run(&w);
    check_end(STAT_proxy_end_client_gone);
    world_done(&w);
    c = begin(); /* likewise while the next try waits */
    world_say(&w, c, POST("4") "ab");
    world_say(&w, c, "c");
    world_reply(&w, world_last(&w), BUSY);
    fake_stream_push_eof(c);
    world_run(&w);
    CHECK(is_tried());
    check_end(STAT_proxy_end_client_gone);
    world_done(&w);
    c = begin(); /* its end after all of the body is none of that */
    world_say(&w, c, POST("2") "ab");
    fake_stream_push_eof(c);
    world_run(&w);
    world_reply(&w, world_last(&w), BUSY);
    REQUIRE(is_tried());
    CHECK_STR(body_of(world_last(&w)), "ab");
    world_reply(&w, world_last(&w), OK);
    CHECK(strstr(world_got(&w, c), "hi") != NULL);
    check_end(STAT_proxy_end_complete);
    world_done(&w);
}

TEST(an_answer_that_is_early_lets_the_rest_of_the_body_through)
{
    struct fake_stream *c = begin();
    world_say(&w, c, POST("4") "ab");
    world_reply(&w, world_last(&w), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh");
    CHECK_EQ(c->in.len - c->in.taken, 0);
    world_say(&w, c, "cd");
    CHECK_STR(body_of(world_last(&w)), "abcd");
    world_reply(&w, world_last(&w), "i");
    CHECK_STR(world_got(&w, c), OK);
    check_end(STAT_proxy_end_complete);
    world_done(&w);
}

TEST(the_last_try_keeps_nothing)
{
    struct fake_stream *c = begin();
    world_say(&w, c, POST("2") "ab");
    for (unsigned i = 0; i < 3; i++) {
        world_reply(&w, world_last(&w), BUSY);
        world_wait(&w, 600);
    }
    CHECK_EQ(c->in.len - c->in.taken, 0);
    CHECK_STR(body_of(world_last(&w)), "ab");
    world_reply(&w, world_last(&w), BUSY);
    CHECK_STR(world_got(&w, c), BUSY);
    world_done(&w);
}

TEST(a_mirror_gets_the_body_once_however_often_it_is_tried)
{
    static const uint8_t mirror[] = {33};
    struct fake_stream *c = begin();
    world_endpoints(&w, 3, mirror, 1, ENDPOINT_READY);
    world_say(&w, c,
              "POST /retry-mirror HTTP/1.1\r\nHost: www.example\r\nContent-Length: 4\r\n\r\nab");
    struct world_backend *at_mirror = NULL;
    for (unsigned i = 0; i < w.n_backends; i++) {
        if (w.backends[i].args.remote.bytes[15] == 33)
            at_mirror = &w.backends[i];
    }
    REQUIRE(at_mirror != NULL && w.n_backends == 2);
    world_reply(&w, at_mirror == &w.backends[0] ? &w.backends[1] : &w.backends[0], BUSY);
    world_say(&w, c, "cd");
    REQUIRE(is_tried());
    CHECK_STR(body_of(world_last(&w)), "abcd");
    CHECK_STR(body_of(at_mirror), "abcd");
    CHECK_EQ(world_stat(&w, STAT_proxy_mirrors), 1);
    world_reply(&w, at_mirror, OK);
    CHECK_EQ(world_stat(&w, STAT_proxy_mirror_end_complete), 1);
    world_reply(&w, world_last(&w), OK);
    CHECK_STR(world_got(&w, c), OK);
    world_done(&w);
}

TEST(a_mirror_that_would_get_bytes_twice_is_given_up)
{
    static const uint8_t mirror[] = {33};
    struct fake_stream *c = begin();
    world_endpoints(&w, 3, mirror, 1, ENDPOINT_READY);
    world_say(&w, c,
              "POST /retry-mirror HTTP/1.1\r\nHost: www.example\r\nContent-Length: 4\r\n\r\nab");
    REQUIRE(w.n_backends == 2);
    bool is_first = w.backends[0].args.remote.bytes[15] != 33;
    w.is_opening_held = true;
    world_reply(&w, &w.backends[is_first ? 0 : 1], BUSY);
    REQUIRE(is_tried());
    fake_stream_break(&world_last(&w)->f, STREAM_END_REFUSED); /* at once, then twice by policy */
    world_run(&w);
    world_wait(&w, 2000);
    fake_stream_break(&world_last(&w)->f, STREAM_END_REFUSED);
    world_run(&w);
    world_wait(&w, 2000);
    CHECK_EQ(w.n_backends, 5);
    world_last(&w)->f.events = STREAM_WRITABLE; /* established: the last try */
    world_run(&w);
    CHECK_EQ(world_stat(&w, STAT_proxy_mirror_end_cut), 1);
    CHECK_STR(body_of(world_last(&w)), "ab");
    world_say(&w, c, "cd");
    CHECK_STR(body_of(world_last(&w)), "abcd");
    world_reply(&w, world_last(&w), OK);
    CHECK_STR(world_got(&w, c), OK);
    world_done(&w);
}

UNIT_MAIN("proxy/kept_body", T(each_try_gets_the_whole_body_and_the_next_request_follows_it),
          T(a_body_may_come_while_a_try_fails_and_while_none_is_under_way),
          T(windows_and_slices_of_a_byte_are_no_hindrance),
          T(bodies_up_to_the_limit_are_kept_longer_and_chunked_ones_are_not),
          T(a_body_in_many_pieces_is_let_go_and_arrives),
          T(a_body_that_stops_coming_is_let_go_and_its_client_is_slow_in_the_end),
          T(a_client_that_ends_within_its_body_is_gone_at_once),
          T(an_answer_that_is_early_lets_the_rest_of_the_body_through),
          T(the_last_try_keeps_nothing), T(a_mirror_gets_the_body_once_however_often_it_is_tried),
          T(a_mirror_that_would_get_bytes_twice_is_given_up))
