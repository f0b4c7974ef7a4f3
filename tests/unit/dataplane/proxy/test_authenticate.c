/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords that access policies ask for: who waits, who is woken, what is remembered, what is full
 * or late. The test is the verifier. */
#include "base/container.h"
#include "proxy/proxy_priv.h"
#include "proxy_world.h"
#include "unit.h"

#include <stdio.h>

static struct world w;

#define WITH(method, path, more) method " " path " HTTP/1.1\r\nHost: access.example\r\n" more "\r\n"
#define AUTH(value) "Authorization: " value "\r\n"
#define ADA "Basic YWRhOnNlY3JldA==" /* ada:secret */
#define EVE "Basic YWRhOmd1ZXNz"     /* ada:guess */
#define BOB "Basic Ym9iOmI="         /* bob:b */
#define GET(value) WITH("GET", "/basic", AUTH(value))
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define NO                                                                                         \
    "HTTP/1.1 401 Unauthorized\r\n"                                                                \
    "WWW-Authenticate: Basic realm=\"the office\", charset=\"UTF-8\"\r\n"                          \
    "Content-Length: 12\r\n\r\nUnauthorized"
#define LATER                                                                                      \
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"                                       \
    "Content-Length: 19\r\n\r\nService Unavailable"

static const char *ask(struct fake_stream *c, const char *request)
{
    world_say(&w, c, request);
    return world_got(&w, c);
}

static void check_ends(void)
{
    uint64_t ends = 0;
    for (int id = STAT_proxy_end_complete; id <= STAT_proxy_end_client_gone; id++)
        ends += world_stat(&w, (enum stat_id)id);
    CHECK_EQ(ends, world_stat(&w, STAT_proxy_requests));
}

TEST(a_request_waits_until_its_password_was_looked_at_and_the_next_one_does_not)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    CHECK_STR(ask(c, GET(ADA)), "");
    CHECK_STR(verify_lane_oldest(w.lane)->password, "secret");
    CHECK_EQ(w.n_backends, 0);
    REQUIRE(world_verdict(&w, true));
    CHECK_STR(world_got(&w, c), OK);
    CHECK_STR(ask(c, GET(ADA) GET(ADA)), OK OK);
    CHECK_STR(ask(world_connect(&w), GET(ADA)), OK);
    CHECK_EQ(world_stat(&w, STAT_proxy_verifications), 1);
    check_ends();
    world_done(&w);
}

TEST(a_wrong_password_is_401_and_remembered_too)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    CHECK_STR(ask(c, GET(EVE)), "");
    REQUIRE(world_verdict(&w, false));
    CHECK_STR(world_got(&w, c), NO);
    CHECK_STR(ask(c, GET(EVE)), NO);
    CHECK_EQ(world_stat(&w, STAT_proxy_verifications), 1);
    CHECK_EQ(world_stat(&w, STAT_proxy_end_unauthenticated), 2);
    CHECK_EQ(world_stat(&w, STAT_proxy_responses_4xx), 2);
    check_ends();
    world_done(&w);
}

TEST(what_is_no_password_is_401_at_once)
{
    static const char *const rows[] = {
        WITH("GET", "/basic", ""),
        GET("Basic"),
        GET("Basic !"),
        GET("Bearer abc"),
        GET("Basic YWRh"),                          /* no colon */
        WITH("GET", "/basic", AUTH(ADA) AUTH(ADA)), /* which one does the backend believe? */
    };
    world_init(&w, NULL);
    for (size_t i = 0; i < array_len(rows); i++)
        CHECK_STR(ask(world_connect(&w), rows[i]), NO);
    CHECK_EQ(world_stat(&w, STAT_proxy_verifications), 0);
    world_done(&w);
}

TEST(somebody_who_does_not_exist_takes_as_long_and_is_never_good)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    CHECK_STR(ask(c, GET(BOB)), "");
    REQUIRE(world_verdict(&w, true));
    CHECK_STR(world_got(&w, c), NO);
    CHECK_STR(ask(c, GET(BOB)), NO);
    world_done(&w);
}

TEST(many_with_one_password_wait_for_one_look)
{
    enum { MANY = 12 };
    struct fake_stream *c[MANY];
    world_init(&w, NULL);
    for (unsigned i = 0; i < MANY; i++)
        CHECK_STR(ask(c[i] = world_connect(&w), GET(ADA)), "");
    CHECK_STR(ask(world_connect(&w), WITH("GET", "/deny", "")),
              "HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nForbidden"); /* others go on */
    REQUIRE(world_verdict(&w, true));
    for (unsigned i = 0; i < MANY; i++)
        CHECK_STR(world_got(&w, c[i]), OK);
    CHECK(!world_verdict(&w, true));
    world_done(&w);
}

TEST(a_client_that_goes_while_it_waits_leaves_nothing_behind)
{
    world_init(&w, NULL);
    struct fake_stream *one = world_connect(&w), *two = world_connect(&w);
    ask(one, GET(ADA));
    ask(two, GET(ADA));
    fake_stream_break(one, STREAM_END_RESET);
    world_run(&w);
    struct proxy_counts counts;
    proxy_counts(w.proxy, &counts);
    CHECK_EQ(counts.exchanges, 1);
    REQUIRE(world_verdict(&w, true));
    CHECK_STR(world_got(&w, two), OK);
    CHECK_EQ(world_stat(&w, STAT_proxy_end_client_gone), 1);
    check_ends();
    world_done(&w);
}

TEST(a_proxy_ends_while_somebody_waits)
{
    world_init(&w, NULL);
    ask(world_connect(&w), GET(ADA));
    ask(world_connect(&w), GET(EVE));
    world_done(&w);
}

TEST(who_waits_too_long_is_told_to_come_again_and_a_late_answer_is_still_good)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    ask(c, GET(ADA));
    world_wait(&w, PROXY_VERIFY_MS - 20);
    CHECK_STR(world_got(&w, c), "");
    world_wait(&w, 40);
    CHECK_STR(world_got(&w, c), LATER);
    CHECK_EQ(world_stat(&w, STAT_proxy_end_verify_late), 1);
    REQUIRE(world_verdict(&w, true));
    CHECK_STR(ask(c, GET(ADA)), OK);
    check_ends();
    world_done(&w);
}

TEST(a_verdict_is_not_believed_for_ever)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    ask(c, GET(ADA));
    REQUIRE(world_verdict(&w, true));
    CHECK_STR(world_got(&w, c), OK);
    w.core.now_us += PROXY_VERDICT_MS * 1000ull;
    world_wait(&w, 10);
    CHECK_STR(ask(world_connect(&w), GET(ADA)), "");
    CHECK_EQ(world_stat(&w, STAT_proxy_verifications), 2);
    world_done(&w);
}

TEST(a_changed_password_is_heard_at_once)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    ask(c, GET(ADA));
    REQUIRE(world_verdict(&w, true));
    CHECK_STR(world_got(&w, c), OK);
    w.ada = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";
    world_publish(&w, 80);
    CHECK_STR(ask(c, GET(ADA)), "");
    CHECK_STR(verify_lane_oldest(w.lane)->hash, w.ada);
    REQUIRE(world_verdict(&w, false));
    CHECK_STR(world_got(&w, c), NO);
    world_done(&w);
}

/* A request whose password is `i` for ada. */
static void ask_number(struct fake_stream *c, unsigned i)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[200]; /* "ada:" and two bytes */
    snprintf(
        text, sizeof(text),
        "GET /basic HTTP/1.1\r\nHost: access.example\r\nAuthorization: Basic YWRhOj%c%c\r\n\r\n",
        digits[i % 16 + 16], digits[i / 16 + 48]);
    world_say(&w, c, text);
}

TEST(what_is_more_than_the_verifier_takes_is_told_to_come_again)
{
    struct proxy_config config;
    struct fake_stream *c[WORLD_STREAMS_MAX];
    proxy_config_default(&config, 200);
    world_init(&w, &config);
    /* one connection asks twice: pipelined, so that its second request comes when it is woken */
    for (unsigned i = 0; i < WORLD_STREAMS_MAX; i++)
        c[i] = world_connect(&w);
    for (unsigned i = 0; i < VERIFY_JOBS_MAX; i++) {
        ask_number(c[i % WORLD_STREAMS_MAX], i);
        CHECK_EQ(world_stat(&w, STAT_proxy_verifications), i + 1);
    }
    world_say(&w, c[0], GET(ADA));     /* behind its first */
    REQUIRE(world_verdict(&w, false)); /* its next takes the place that is free now */
    CHECK_STR(world_got(&w, c[0]), NO);
    CHECK_EQ(world_stat(&w, STAT_proxy_verifications), VERIFY_JOBS_MAX + 1);
    fake_stream_break(c[1], STREAM_END_RESET); /* its job stays */
    world_run(&w);
    world_say(&w, c[2], GET(EVE)); /* behind its first, too */
    for (unsigned i = 1; i <= VERIFY_JOBS_MAX; i++)
        REQUIRE(world_verdict(&w, i == VERIFY_JOBS_MAX));
    CHECK_STR(world_got(&w, c[0]), OK);
    while (world_verdict(&w, false))
        ;
    check_ends();
    world_done(&w);
}

TEST(when_nobody_looks_it_is_503)
{
    struct proxy_config config;
    static struct fake_stream *c[VERIFY_JOBS_MAX];
    proxy_config_default(&config, 200);
    world_init(&w, &config);
    static_assert(VERIFY_JOBS_MAX == WORLD_STREAMS_MAX, "one connection is left for the last");
    for (unsigned i = 0; i + 1 < VERIFY_JOBS_MAX; i++)
        ask_number(c[i] = world_connect(&w), i);
    REQUIRE(verify_lane_ask(w.lane, "x", "x")); /* fills it behind the proxy's back */
    struct fake_stream *last = world_connect(&w);
    CHECK_STR(ask(last, GET(ADA)), LATER);
    CHECK_STR(ask(last, WITH("GET", "/allow", "")), OK);
    CHECK_EQ(world_stat(&w, STAT_proxy_end_verify_full), 1);
    world_done(&w);
}

TEST(a_preflight_needs_no_password_and_a_script_reads_the_401)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    const char *got =
        ask(c, WITH("OPTIONS", "/basic",
                    "Origin: https://a.example\r\nAccess-Control-Request-Method: GET\r\n"));
    CHECK(strncmp(got, "HTTP/1.1 2", 10) == 0);
    got = ask(c, WITH("GET", "/basic", "Origin: https://a.example\r\n"));
    CHECK(strstr(got, "HTTP/1.1 401") != NULL);
    CHECK(strstr(got, "Access-Control-Allow-Origin: *\r\n") != NULL);
    world_done(&w);
}

TEST(the_backend_gets_the_credentials_unless_the_policy_hides_them)
{
    world_init(&w, NULL);
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w), *d = world_connect(&w);
    world_say(&w, c, GET(ADA));
    REQUIRE(world_verdict(&w, true));
    CHECK(strstr(world_asked(world_last(&w)), "uthorization: " ADA "\r\n") != NULL);
    world_say(&w, d, WITH("GET", "/hidden", AUTH(BOB)));
    REQUIRE(world_verdict(&w, true));
    CHECK(strstr(world_asked(world_last(&w)), "GET /hidden ") != NULL);
    CHECK(strstr(world_asked(world_last(&w)), "uthorization") == NULL);
    world_done(&w);
}

TEST(two_policies_both_have_to_let_a_client_in)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, WITH("GET", "/two-doors", AUTH(ADA)));
    REQUIRE(world_verdict(&w, true)); /* ada is the first's ... */
    CHECK_STR(world_got(&w, c), "");
    REQUIRE(world_verdict(&w, true)); /* ... and nobody of the second's */
    const char *got = world_got(&w, c);
    CHECK(strstr(got, "HTTP/1.1 401") != NULL && strstr(got, "realm=\"b\"") != NULL);
    world_done(&w);
}

TEST(a_body_waits_with_its_request)
{
    world_init(&w, NULL);
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w);
    world_say(&w, c, WITH("POST", "/basic", AUTH(ADA) "Content-Length: 6\r\n") "abc");
    world_say(&w, c, "def");
    CHECK_EQ(w.n_backends, 0);
    REQUIRE(world_verdict(&w, true));
    CHECK(strstr(world_asked(world_last(&w)), "\r\n\r\nabcdef") != NULL);
    world_reply(&w, world_last(&w), OK);
    CHECK_STR(world_got(&w, c), OK);
    world_done(&w);
}

UNIT_MAIN("proxy/authenticate",
          T(a_request_waits_until_its_password_was_looked_at_and_the_next_one_does_not),
          T(a_wrong_password_is_401_and_remembered_too), T(what_is_no_password_is_401_at_once),
          T(somebody_who_does_not_exist_takes_as_long_and_is_never_good),
          T(many_with_one_password_wait_for_one_look),
          T(a_client_that_goes_while_it_waits_leaves_nothing_behind),
          T(a_proxy_ends_while_somebody_waits),
          T(who_waits_too_long_is_told_to_come_again_and_a_late_answer_is_still_good),
          T(a_verdict_is_not_believed_for_ever), T(a_changed_password_is_heard_at_once),
          T(what_is_more_than_the_verifier_takes_is_told_to_come_again),
          T(when_nobody_looks_it_is_503),
          T(a_preflight_needs_no_password_and_a_script_reads_the_401),
          T(the_backend_gets_the_credentials_unless_the_policy_hides_them),
          T(two_policies_both_have_to_let_a_client_in), T(a_body_waits_with_its_request))
