/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that access policies ask for: what is asked of the verifier, and when a verdict holds. The
 * test is the verifier. */
#include "proxy/proxy_priv.h"
#include "proxy_world.h"
#include "unit.h"

#include <stdio.h>

static struct world w;

#define NOW_S 1000000u
#define REQUEST(path, more) "GET " path " HTTP/1.1\r\nHost: access.example\r\n" more "\r\n"
#define AUTH(value) "Authorization: " value "\r\n"
#define GET(token) REQUEST("/token", AUTH("Bearer " token))
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define NO(error)                                                                                  \
    "HTTP/1.1 401 Unauthorized\r\n"                                                                \
    "WWW-Authenticate: Bearer realm=\"api\"" error "\r\n"                                          \
    "Content-Length: 12\r\n\r\nUnauthorized"
#define NO_TOKEN NO("")
#define BAD_TOKEN NO(", error=\"invalid_token\"")
#define LATER                                                                                      \
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"                                       \
    "Content-Length: 19\r\n\r\nService Unavailable"

/* What came since the last look, without its dates: here are clocks. */
static const char *got(struct fake_stream *c)
{
    static char text[4096];
    snprintf(text, sizeof(text), "%s", world_got(&w, c));
    for (char *at; (at = strstr(text, "Date: ")) != NULL;) {
        const char *end = strstr(at, "\r\n") + 2;
        memmove(at, end, strlen(end) + 1);
    }
    return text;
}

static const char *ask(struct fake_stream *c, const char *request)
{
    world_say(&w, c, request);
    return got(c);
}

static void begin(const struct proxy_config *config)
{
    world_init(&w, config);
    proxy_set_unix_time(w.proxy, NOW_S);
    w.token_to_s = NOW_S + 1000;
}

TEST(a_request_waits_for_its_token_and_the_verifier_has_all_that_decides)
{
    begin(NULL);
    struct fake_stream *c = world_connect(&w);
    CHECK_STR(ask(c, GET("a.b.c")), "");
    const struct verify_job *job = verify_lane_oldest(w.lane);
    REQUIRE(job != NULL && job->is_token);
    CHECK(job->jwt.token_len == 5 && memcmp(job->jwt.token, "a.b.c", 5) == 0);
    CHECK_STR(job->jwt.issuer, "https://issuer.example");
    REQUIRE(job->jwt.n_audiences == 2 && job->jwt.n_keys == 2);
    CHECK_STR(job->jwt.audiences[1], "web");
    CHECK_STR(job->jwt.keys[0].kid, "k1");
    CHECK_EQ(job->jwt.keys[0].algs, IMAGE_JWT_ES256);
    CHECK(job->jwt.keys[0].spki_len == 13 &&
          memcmp(job->jwt.keys[0].spki, "not looked at", 13) == 0);
    CHECK_STR(job->jwt.keys[1].kid, "");
    REQUIRE(world_verdict(&w, true));
    CHECK_STR(got(c), OK);
    CHECK_STR(ask(c, GET("a.b.c") GET("a.b.c")), OK OK);
    CHECK_EQ(world_stat(&w, STAT_proxy_verifications), 1);
    world_done(&w);
}

TEST(what_is_no_token_is_asked_for_and_what_is_a_bad_one_is_called_so)
{
    static char longest[VERIFY_TOKEN_BYTES_MAX + 200];
    begin(NULL);
    CHECK_STR(ask(world_connect(&w), REQUEST("/token", "")), NO_TOKEN);
    CHECK_STR(ask(world_connect(&w), REQUEST("/token", AUTH("Basic YTpi"))), NO_TOKEN);
    CHECK_STR(ask(world_connect(&w), REQUEST("/token", AUTH("Bearer"))), NO_TOKEN);
    CHECK_STR(ask(world_connect(&w), REQUEST("/token", AUTH("Bearer a.b.c") AUTH("Bearer a.b.c"))),
              NO_TOKEN);
    int n = snprintf(longest, sizeof(longest),
                     "GET /token HTTP/1.1\r\nHost: access.example\r\nAuthorization: Bearer ");
    memset(longest + n, 'x', VERIFY_TOKEN_BYTES_MAX + 1);
    strcpy(longest + n + VERIFY_TOKEN_BYTES_MAX + 1, "\r\n\r\n");
    CHECK_STR(ask(world_connect(&w), longest), BAD_TOKEN);
    CHECK_EQ(world_stat(&w, STAT_proxy_verifications), 0);
    strcpy(longest + n + VERIFY_TOKEN_BYTES_MAX, "\r\n\r\n");
    CHECK_STR(ask(world_connect(&w), longest), "");
    CHECK_EQ(world_stat(&w, STAT_proxy_verifications), 1);
    world_done(&w);
}

TEST(a_bad_token_is_remembered)
{
    begin(NULL);
    struct fake_stream *c = world_connect(&w);
    CHECK_STR(ask(c, GET("x")), "");
    REQUIRE(world_verdict(&w, false));
    CHECK_STR(got(c), BAD_TOKEN);
    CHECK_STR(ask(c, REQUEST("/token", AUTH("bearer x"))), ""); /* another value */
    CHECK_STR(ask(world_connect(&w), GET("x")), BAD_TOKEN);
    CHECK_EQ(world_stat(&w, STAT_proxy_end_unauthenticated), 2);
    world_done(&w);
}

TEST(a_token_is_good_between_its_times_and_a_little_more)
{
    static const struct {
        uint64_t unix_s;
        const char *answer;
    } rows[] = {
        {NOW_S + 100 - PROXY_TOKEN_LEEWAY_S - 1, BAD_TOKEN},
        {NOW_S + 100 - PROXY_TOKEN_LEEWAY_S, OK},
        {NOW_S + 200 + PROXY_TOKEN_LEEWAY_S - 1, OK},
        {NOW_S + 200 + PROXY_TOKEN_LEEWAY_S, BAD_TOKEN},
        {NOW_S + 150, OK}, /* a clock that was set back */
    };
    begin(NULL);
    w.token_from_s = NOW_S + 100;
    w.token_to_s = NOW_S + 200;
    struct fake_stream *c = world_connect(&w);
    CHECK_STR(ask(c, GET("t")), "");
    REQUIRE(world_verdict(&w, true));
    CHECK_STR(got(c), BAD_TOKEN); /* not yet */
    for (size_t i = 0; i < array_len(rows); i++) {
        proxy_set_unix_time(w.proxy, rows[i].unix_s);
        CHECK_STR(ask(c, GET("t")), rows[i].answer);
    }
    CHECK_EQ(world_stat(&w, STAT_proxy_verifications), 1);
    world_done(&w);
}

TEST(without_a_clock_nobody_knows_whether_a_token_is_good_now)
{
    world_init(&w, NULL);
    struct fake_stream *c = world_connect(&w);
    CHECK_STR(ask(c, GET("t")), LATER);
    CHECK_EQ(world_stat(&w, STAT_proxy_end_no_clock), 1);
    CHECK_STR(ask(world_connect(&w), REQUEST("/token", "")), NO_TOKEN);
    world_done(&w);
}

TEST(a_verdict_on_a_token_is_not_believed_for_ever_and_a_changed_policy_is_heard_at_once)
{
    begin(NULL);
    struct fake_stream *c = world_connect(&w);
    ask(c, GET("t"));
    REQUIRE(world_verdict(&w, true));
    CHECK_STR(got(c), OK);
    w.token_id = 77;
    world_publish(&w, 80);
    CHECK_STR(ask(c, GET("t")), "");
    REQUIRE(world_verdict(&w, false));
    CHECK_STR(got(c), BAD_TOKEN);
    w.core.now_us += PROXY_VERDICT_MS * 1000ull;
    world_wait(&w, 10);
    CHECK_STR(ask(world_connect(&w), GET("t")), "");
    CHECK_EQ(world_stat(&w, STAT_proxy_verifications), 3);
    world_done(&w);
}

TEST(many_with_one_token_wait_for_one_look_and_one_that_goes_leaves_nothing)
{
    enum { MANY = 12 };
    struct fake_stream *c[MANY];
    begin(NULL);
    for (unsigned i = 0; i < MANY; i++)
        CHECK_STR(ask(c[i] = world_connect(&w), GET("t")), "");
    fake_stream_break(c[0], STREAM_END_RESET);
    world_run(&w);
    REQUIRE(world_verdict(&w, true));
    for (unsigned i = 1; i < MANY; i++)
        CHECK_STR(got(c[i]), OK);
    CHECK(!world_verdict(&w, true));
    CHECK_EQ(world_stat(&w, STAT_proxy_verifications), 1);
    world_done(&w);
}

TEST(when_the_lane_is_full_or_late_a_client_is_told_to_come_again)
{
    begin(NULL);
    struct fake_stream *c = world_connect(&w);
    ask(c, GET("t"));
    world_wait(&w, PROXY_VERIFY_MS + 20);
    CHECK_STR(got(c), LATER);
    CHECK_EQ(world_stat(&w, STAT_proxy_end_verify_late), 1);
    REQUIRE(world_verdict(&w, true));
    CHECK_STR(ask(c, GET("t")), OK);
    while (verify_lane_ask(w.lane, "x", "x")) /* behind the proxy's back */
        ;
    CHECK_STR(ask(c, GET("u")), LATER);
    CHECK_EQ(world_stat(&w, STAT_proxy_end_verify_full), 1);
    CHECK_STR(ask(c, GET("t")), OK);
    world_done(&w);
}

TEST(the_backend_gets_the_token_unless_the_policy_hides_it)
{
    begin(NULL);
    w.is_manual = true;
    struct fake_stream *c = world_connect(&w), *d = world_connect(&w);
    world_say(&w, c, GET("a.b.c"));
    REQUIRE(world_verdict(&w, true));
    CHECK(strstr(world_asked(world_last(&w)), "uthorization: Bearer a.b.c\r\n") != NULL);
    world_say(&w, d, REQUEST("/token-hidden", AUTH("Bearer a.b.c")));
    REQUIRE(world_verdict(&w, true));
    CHECK(strstr(world_asked(world_last(&w)), "GET /token-hidden ") != NULL);
    CHECK(strstr(world_asked(world_last(&w)), "uthorization") == NULL);
    world_done(&w);
}

UNIT_MAIN("proxy/bearer", T(a_request_waits_for_its_token_and_the_verifier_has_all_that_decides),
          T(what_is_no_token_is_asked_for_and_what_is_a_bad_one_is_called_so),
          T(a_bad_token_is_remembered), T(a_token_is_good_between_its_times_and_a_little_more),
          T(without_a_clock_nobody_knows_whether_a_token_is_good_now),
          T(a_verdict_on_a_token_is_not_believed_for_ever_and_a_changed_policy_is_heard_at_once),
          T(many_with_one_token_wait_for_one_look_and_one_that_goes_leaves_nothing),
          T(when_the_lane_is_full_or_late_a_client_is_told_to_come_again),
          T(the_backend_gets_the_token_unless_the_policy_hides_it))
