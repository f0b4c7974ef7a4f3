/* SPDX-License-Identifier: Apache-2.0 */
/* Mirrored requests: what mirrors get, and that nothing they do is felt by anybody else. */
#include "base/container.h"
#include "proxy_world.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct world w;

#define HEAD(method, more) method " /mirror HTTP/1.1\r\nHost: www.example\r\n" more "\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define ASKED(method, more)                                                                        \
    method " /mirror HTTP/1.1\r\nHost: www.example\r\nX-Forwarded-For: 192.0.2.7\r\n"              \
           "X-Forwarded-Proto: http\r\nX-Forwarded-Host: www.example\r\n"                          \
           "Forwarded: for=192.0.2.7;host=\"www.example\";proto=http\r\nVia: 1.1 sluice\r\n"       \
           "X-Set: rule\r\n" more "\r\n"

/* A world in which groups 1, 3 and 4 have an endpoint each: 10.0.0.1, 10.0.0.33, 10.0.0.44. */
static struct fake_stream *begin(const struct proxy_config *config)
{
    static const uint8_t one[] = {1}, three[] = {33}, four[] = {44};
    world_init(&w, config);
    w.is_manual = true;
    world_endpoints(&w, 1, one, 1, ENDPOINT_READY);
    world_endpoints(&w, 3, three, 1, ENDPOINT_READY);
    world_endpoints(&w, 4, four, 1, ENDPOINT_READY);
    return world_connect(&w);
}

/* The newest connection to 10.0.0.<last>; NULL: there is none. */
static struct world_backend *to(uint8_t last)
{
    for (unsigned i = w.n_backends; i > 0; i--) {
        if (w.backends[i - 1].args.remote.bytes[15] == last)
            return &w.backends[i - 1];
    }
    return NULL;
}

/* The one that is no mirror. */
static struct world_backend *main_backend(void)
{
    for (unsigned i = w.n_backends; i > 0; i--) {
        if (w.backends[i - 1].args.remote.bytes[15] < 3)
            return &w.backends[i - 1];
    }
    return NULL;
}

/* Copies begun, and each ended by one counter. */
static void check_ends(uint64_t begun, enum stat_id why, uint64_t n)
{
    uint64_t ends = 0;
    for (int id = STAT_proxy_mirror_end_complete; id <= STAT_proxy_mirror_end_cut; id++)
        ends += world_stat(&w, (enum stat_id)id);
    CHECK_EQ(world_stat(&w, STAT_proxy_mirrors), begun);
    CHECK_EQ(ends + world_stat(&w, STAT_proxy_mirrors_now), begun);
    CHECK_EQ(world_stat(&w, why), n);
}

TEST(each_mirror_gets_what_the_backend_gets_and_its_answer_goes_nowhere)
{
    struct fake_stream *c = begin(NULL);
    world_say(&w, c, HEAD("GET", ""));
    REQUIRE(w.n_backends == 3);
    CHECK_STR(world_asked(main_backend()), ASKED("GET", ""));
    CHECK_STR(world_asked(to(33)), ASKED("GET", ""));
    CHECK_STR(world_asked(to(44)), ASKED("GET", ""));
    world_reply(&w, to(33), "HTTP/1.1 500 Oops\r\nContent-Length: 3\r\n\r\nbad");
    CHECK_STR(world_got(&w, c), "");
    world_reply(&w, main_backend(), OK);
    CHECK_STR(world_got(&w, c), OK);
    world_reply(&w, to(44), "HTTP/1.1 100 Continue\r\n\r\n" OK);
    check_ends(2, STAT_proxy_mirror_end_complete, 2);
    world_say(&w, c, HEAD("GET", ""));
    CHECK_EQ(w.n_backends, 3); /* all three connections were kept */
    world_done(&w);
}

TEST(a_body_goes_to_all_whatever_its_framing)
{
    static const struct {
        const char *head, *body, *asked;
    } rows[] = {
        {HEAD("POST", "Content-Length: 6\r\n"), "abcdef",
         ASKED("POST", "Content-Length: 6\r\n") "abcdef"},
        {HEAD("POST", "Transfer-Encoding: chunked\r\n"), "6\r\nabcdef\r\n0\r\n\r\n",
         ASKED("POST", "Transfer-Encoding: chunked\r\n") "6\r\nabcdef\r\n0\r\n\r\n"},
    };
    for (unsigned i = 0; i < array_len(rows); i++) {
        struct fake_stream *c = begin(NULL);
        world_say(&w, c, rows[i].head);
        world_say(&w, c, rows[i].body);
        CHECK_STR(world_asked(main_backend()), rows[i].asked);
        CHECK_STR(world_asked(to(33)), rows[i].asked);
        CHECK_STR(world_asked(to(44)), rows[i].asked);
        world_reply(&w, to(33), OK);
        world_reply(&w, to(44), OK);
        world_reply(&w, main_backend(), OK);
        CHECK_STR(world_got(&w, c), OK);
        check_ends(2, STAT_proxy_mirror_end_complete, 2);
        world_done(&w);
    }
}

/* Establishes a connection whose opening was held. */
static void establish(struct world_backend *b)
{
    b->f.events |= STREAM_WRITABLE;
    world_run(&w);
}

TEST(a_mirror_is_not_waited_for_even_to_be_connected)
{
    struct fake_stream *c = begin(NULL);
    w.is_opening_held = true;
    world_say(&w, c, HEAD("POST", "Content-Length: 2\r\n") "ab");
    establish(main_backend());
    CHECK_EQ(w.n_backends, 3);
    world_reply(&w, main_backend(), OK);
    CHECK_STR(world_got(&w, c), OK);
    establish(to(33)); /* at last */
    CHECK_STR(world_asked(to(33)), ASKED("POST", "Content-Length: 2\r\n") "ab");
    world_reply(&w, to(33), OK);
    check_ends(2, STAT_proxy_mirror_end_complete, 1);
    fake_stream_break(&to(44)->f, STREAM_END_TIMEOUT); /* never */
    world_run(&w);
    check_ends(2, STAT_proxy_mirror_end_broken, 1);
    world_done(&w);
}

TEST(a_mirror_that_does_not_take_the_body_is_given_up)
{
    struct fake_stream *c = begin(NULL);
    world_say(&w, c, HEAD("POST", "Content-Length: 10\r\n") "abcde");
    to(33)->f.out_room = 0;
    world_say(&w, c, "fghij");
    CHECK_STR(world_asked(main_backend()), ASKED("POST", "Content-Length: 10\r\n") "abcdefghij");
    CHECK(to(33)->f.is_released);
    world_reply(&w, main_backend(), OK);
    CHECK_STR(world_got(&w, c), OK);
    check_ends(2, STAT_proxy_mirror_end_slow, 1);
    world_done(&w);
}

TEST(what_becomes_of_a_mirror_does_not_matter_to_its_request)
{
    struct fake_stream *c = begin(NULL);
    world_say(&w, c, HEAD("POST", "Content-Length: 4\r\n") "ab");
    fake_stream_break(&to(33)->f, STREAM_END_RESET);
    world_reply(&w, to(44), OK); /* before it has all of the request */
    world_say(&w, c, "cd");
    CHECK_STR(world_asked(main_backend()), ASKED("POST", "Content-Length: 4\r\n") "abcd");
    world_reply(&w, main_backend(), OK);
    CHECK_STR(world_got(&w, c), OK);
    check_ends(2, STAT_proxy_mirror_end_broken, 1);
    check_ends(2, STAT_proxy_mirror_end_early, 1);
    world_done(&w);
}

TEST(a_request_that_is_cut_cuts_its_mirrors)
{
    struct fake_stream *c = begin(NULL);
    world_say(&w, c, HEAD("POST", "Content-Length: 4\r\n") "ab");
    fake_stream_break(c, STREAM_END_RESET);
    world_run(&w);
    CHECK(to(33)->f.is_released && to(44)->f.is_released);
    check_ends(2, STAT_proxy_mirror_end_cut, 2);
    world_done(&w);
}

TEST(a_mirror_that_never_answers_is_given_up_in_time)
{
    struct fake_stream *c = begin(NULL);
    world_say(&w, c, HEAD("GET", ""));
    world_reply(&w, main_backend(), OK);
    CHECK_STR(world_got(&w, c), OK);
    world_wait(&w, 61 * 1000);
    check_ends(2, STAT_proxy_mirror_end_timeout, 2);
    world_done(&w);
}

TEST(without_place_or_endpoint_a_request_is_not_mirrored)
{
    struct proxy_config config;
    proxy_config_default(&config, 32);
    config.mirrors_max = 1;
    struct fake_stream *c = begin(&config);
    world_say(&w, c, HEAD("GET", ""));
    CHECK_EQ(world_stat(&w, STAT_proxy_mirrors_refused), 1); /* two were wanted */
    world_reply(&w, main_backend(), OK);
    CHECK_STR(world_got(&w, c), OK);
    world_done(&w);

    world_init(&w, NULL);
    c = world_connect(&w);
    world_say(&w, c, HEAD("GET", ""));
    CHECK_STR(world_got(&w, c), OK);
    CHECK_EQ(world_stat(&w, STAT_proxy_mirrors_refused), 2);
    check_ends(0, STAT_proxy_mirror_end_complete, 0);
    world_done(&w);
}

TEST(a_second_try_is_not_mirrored_again)
{
    struct fake_stream *c = begin(NULL);
    world_say(&w, c, HEAD("GET", ""));
    world_reply(&w, main_backend(), OK);
    CHECK_STR(world_got(&w, c), OK);
    world_reply(&w, to(33), OK);
    world_reply(&w, to(44), OK);
    world_say(&w, c, HEAD("GET", ""));
    CHECK_EQ(w.n_backends, 3);
    fake_stream_break(&main_backend()->f, STREAM_END_RESET); /* a reused connection */
    world_run(&w);
    world_reply(&w, main_backend(), OK);
    CHECK_STR(world_got(&w, c), OK);
    CHECK_EQ(world_stat(&w, STAT_proxy_retries), 1);
    CHECK_EQ(world_stat(&w, STAT_proxy_mirrors), 4);
    world_done(&w);
}

UNIT_MAIN("proxy/mirror", T(each_mirror_gets_what_the_backend_gets_and_its_answer_goes_nowhere),
          T(a_body_goes_to_all_whatever_its_framing),
          T(a_mirror_is_not_waited_for_even_to_be_connected),
          T(a_mirror_that_does_not_take_the_body_is_given_up),
          T(what_becomes_of_a_mirror_does_not_matter_to_its_request),
          T(a_request_that_is_cut_cuts_its_mirrors),
          T(a_mirror_that_never_answers_is_given_up_in_time),
          T(without_place_or_endpoint_a_request_is_not_mirrored),
          T(a_second_try_is_not_mirrored_again))
