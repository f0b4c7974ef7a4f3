/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: where their requests go, what the client is told, and what does not count. */
#include "base/container.h"
#include "proxy_world.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READY (ENDPOINT_READY | ENDPOINT_SERVING)
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Session: the backend's\r\n\r\nhi"
#define VALUE_BYTES 48

static struct world w;
static struct fake_stream *client;
static char answer[4096]; /* to the request asked last */

static void begin(void)
{
    world_init(&w, NULL);
    w.is_manual = true;
    client = world_connect(&w);
}

/* Sends a request with one more field line (or ""); returns the backend that has it. */
static struct world_backend *send(const char *path, const char *field)
{
    char text[2048];
    size_t before[WORLD_STREAMS_MAX];
    for (unsigned i = 0; i < WORLD_STREAMS_MAX; i++)
        before[i] = i < w.n_backends ? fake_stream_written(&w.backends[i].f).len : 0;
    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: www.example\r\n%s\r\n", path, field);
    world_say(&w, client, text);
    for (unsigned i = 0; i < w.n_backends; i++) {
        if (fake_stream_written(&w.backends[i].f).len > before[i])
            return &w.backends[i];
    }
    return NULL;
}

static unsigned endpoint_of(const struct world_backend *b)
{
    return b == NULL ? 0 : b->args.remote.bytes[15];
}

/* The same with an answer; returns the number of the endpoint, 0: none was asked. */
static unsigned ask(const char *path, const char *field)
{
    struct world_backend *b = send(path, field);
    if (b != NULL)
        world_reply(&w, b, OK);
    snprintf(answer, sizeof(answer), "%s", world_got(&w, client));
    CHECK(b == NULL || strncmp(answer, "HTTP/1.1 200 OK\r\n", 17) == 0);
    return endpoint_of(b);
}

/* The field line that takes the session of the last answer back; "": there is none. */
static const char *session(void)
{
    static char field[128];
    const char *cookie = strstr(answer, "Set-Cookie: sid=");
    const char *header = strstr(answer, "X-Session: ");
    field[0] = '\0';
    if (cookie != NULL)
        snprintf(field, sizeof(field), "Cookie: %.*s\r\n", 4 + VALUE_BYTES,
                 cookie + strlen("Set-Cookie: "));
    else if (header != NULL && strstr(header, "backend") == NULL)
        snprintf(field, sizeof(field), "%.*s\r\n", 11 + VALUE_BYTES, header);
    return field;
}

/* Begins a session; *ret is its field line. Returns its endpoint. */
static unsigned begin_session(const char *path, char ret[128])
{
    unsigned at = ask(path, "");
    CHECK(at != 0);
    strcpy(ret, session());
    CHECK(ret[0] != '\0');
    return at;
}

static void check_counts(uint64_t begun, uint64_t kept, uint64_t moved, uint64_t refused)
{
    CHECK_EQ(world_stat(&w, STAT_proxy_sessions_begun), begun);
    CHECK_EQ(world_stat(&w, STAT_proxy_sessions_kept), kept);
    CHECK_EQ(world_stat(&w, STAT_proxy_sessions_moved), moved);
    CHECK_EQ(world_stat(&w, STAT_proxy_session_values_refused), refused);
}

TEST(requests_of_a_session_go_where_the_first_one_went)
{
    char mine[128], other[160];
    begin();
    unsigned at = begin_session("/session", mine);
    CHECK(strstr(answer, "; Path=/; HttpOnly; SameSite=Lax\r\n") != NULL);
    snprintf(other, sizeof(other), "Cookie: a=b; %s", mine + strlen("Cookie: "));
    for (unsigned i = 0; i < 20; i++) {
        CHECK_EQ(ask("/session", mine), at);
        CHECK_STR(session(), ""); /* nothing new to tell */
        struct world_backend *b = send("/session", other);
        CHECK_EQ(endpoint_of(b), at);
        CHECK(strstr(world_asked(b), other) != NULL); /* goes on as it came */
        world_reply(&w, b, OK);
        world_got(&w, client);
    }
    check_counts(1, 40, 0, 0);
    unsigned seen = 0;
    for (unsigned i = 0; i < 20; i++)
        seen |= 1u << ask("/session", "");
    CHECK_EQ(seen, 1u << 1 | 1u << 2);
    ask("/", mine); /* a rule without sessions */
    CHECK_STR(session(), "");
    check_counts(21, 40, 0, 0);
    world_done(&w);
}

TEST(a_session_outlives_the_worker)
{
    char mine[128];
    for (unsigned i = 0; i < 8; i++) {
        begin();
        unsigned at = begin_session("/session", mine);
        world_done(&w);
        begin();
        for (unsigned k = 0; k < i; k++)
            ask("/session", "");
        CHECK_EQ(ask("/session", mine), at);
        CHECK_EQ(world_stat(&w, STAT_proxy_sessions_kept), 1);
        world_done(&w);
    }
}

TEST(a_session_moves_when_its_endpoint_may_get_no_more_requests)
{
    char mine[128];
    begin();
    unsigned at = begin_session("/session", mine);
    uint8_t left = at == 1 ? 2 : 1, both[] = {1, 2};
    world_endpoints(&w, 1, &left, 1, READY);
    CHECK_EQ(ask("/session", mine), left);
    strcpy(mine, session());
    CHECK(mine[0] != '\0');
    world_endpoints(&w, 1, both, 2, READY);
    for (unsigned i = 0; i < 10; i++)
        CHECK_EQ(ask("/session", mine), left);
    check_counts(1, 10, 1, 0);
    world_endpoints(&w, 1, both, 2, ENDPOINT_SERVING | ENDPOINT_TERMINATING);
    for (unsigned i = 0; i < 10; i++) /* nobody else may */
        CHECK_EQ(ask("/session", mine), left);
    world_endpoints(&w, 1, both, 2, 0);
    CHECK_EQ(ask("/session", mine), 0);
    CHECK(strncmp(answer, "HTTP/1.1 503 ", 13) == 0);
    CHECK(strstr(answer, "Set-Cookie") == NULL); /* it may come back */
    check_counts(1, 20, 1, 0);
    world_done(&w);
}

TEST(weights_are_for_new_sessions_but_zero_is_for_all)
{
    static const uint8_t three = 3;
    char mine[128];
    begin();
    world_endpoints(&w, 2, &three, 1, READY);
    unsigned at;
    do
        at = begin_session("/session-split", mine);
    while (at == 3);
    for (unsigned i = 0; i < 20; i++)
        CHECK_EQ(ask("/session-split", mine), at);
    CHECK_EQ(ask("/session-drained", mine), 3);
    strcpy(mine, session());
    CHECK_EQ(world_stat(&w, STAT_proxy_sessions_moved), 1);
    for (unsigned i = 0; i < 20; i++) {
        CHECK_EQ(ask("/session-split", mine), 3);
        CHECK_EQ(ask("/session-drained", mine), 3);
    }
    world_done(&w);
}

TEST(a_session_in_a_header_is_told_with_each_answer)
{
    char mine[128];
    begin();
    unsigned at = begin_session("/session-header", mine);
    CHECK(strstr(answer, "the backend's") == NULL);
    CHECK(strstr(answer, "Set-Cookie") == NULL);
    for (unsigned i = 0; i < 10; i++) {
        CHECK_EQ(ask("/session-header", mine), at);
        CHECK_STR(session(), mine);
        CHECK(strstr(answer, "the backend's") == NULL);
    }
    check_counts(1, 10, 0, 0);
    uint8_t left = at == 1 ? 2 : 1;
    world_endpoints(&w, 1, &left, 1, READY);
    CHECK_EQ(ask("/session-header", mine), left);
    CHECK(strcmp(session(), mine) != 0);
    check_counts(1, 10, 1, 0);
    world_done(&w);
}

TEST(a_session_is_over_after_its_lifetime)
{
    char mine[128], again[128];
    begin();
    proxy_set_unix_time(w.proxy, 1000000);
    unsigned at = begin_session("/session-hour", mine);
    CHECK(strstr(answer, "; Max-Age=3600; ") != NULL);
    proxy_set_unix_time(w.proxy, 1003599);
    CHECK_EQ(ask("/session-hour", mine), at);
    CHECK_STR(session(), ""); /* use does not make it longer */
    proxy_set_unix_time(w.proxy, 1003600);
    ask("/session-hour", mine);
    strcpy(again, session());
    CHECK(again[0] != '\0' && strcmp(again, mine) != 0);
    check_counts(2, 1, 0, 1);
    ask("/session-hour", again);
    check_counts(2, 2, 0, 1);
    world_done(&w);
}

TEST(values_that_are_not_ours_begin_a_session)
{
    static const char *const bad[] = {
        "Cookie: sid=\r\n",
        "Cookie: sid=10.0.0.1:8080\r\n",
        "Cookie: sid=000000000000000000000000000000000000000000000000\r\n",
        "Cookie: sid=\"; sid\r\n",
    };
    char mine[128], forged[128];
    begin();
    begin_session("/session", mine);
    for (unsigned i = 0; i < array_len(bad); i++) {
        ask("/session", bad[i]);
        CHECK(session()[0] != '\0');
    }
    for (unsigned i = 0; i < VALUE_BYTES; i++) {
        strcpy(forged, mine);
        char *digit = &forged[strlen("Cookie: sid=") + i];
        *digit = *digit == '0' ? '1' : '0';
        ask("/session", forged);
        CHECK(session()[0] != '\0');
    }
    ask("/session-header", mine); /* another name, and another key */
    check_counts(2 + array_len(bad) + VALUE_BYTES, 0, 0, array_len(bad) + VALUE_BYTES);
    world_done(&w);
}

TEST(of_many_values_the_first_good_one_counts_and_not_all_are_looked_at)
{
    char mine[128], many[256];
    begin();
    unsigned at = begin_session("/session", mine);
    const char *good = mine + strlen("Cookie: ");
    for (unsigned i = 0; i < 10; i++) {
        snprintf(many, sizeof(many), "Cookie: sid=a; sid=b\r\nCookie: x=y; sid=c; %s", good);
        CHECK_EQ(ask("/session", many), at);
    }
    check_counts(1, 10, 0, 30);
    snprintf(many, sizeof(many), "Cookie: sid=a; sid=b; sid=c; sid=d; %s", good);
    ask("/session", many);
    CHECK(session()[0] != '\0');
    check_counts(2, 10, 0, 35);
    world_done(&w);
}

TEST(a_session_moves_when_its_endpoint_refuses)
{
    char mine[128];
    begin();
    unsigned at = begin_session("/session", mine);
    world_wait(&w, 5000); /* no idle connection is left */
    w.is_opening_held = true;
    struct world_backend *first = send("/session", mine);
    CHECK(first == NULL); /* not established */
    CHECK_EQ(endpoint_of(world_last(&w)), at);
    w.is_opening_held = false;
    fake_stream_break(&world_last(&w)->f, STREAM_END_REFUSED);
    world_run(&w);
    unsigned now_at = endpoint_of(world_last(&w));
    CHECK(now_at != at);
    world_reply(&w, world_last(&w), OK);
    snprintf(answer, sizeof(answer), "%s", world_got(&w, client));
    strcpy(mine, session());
    CHECK_EQ(ask("/session", mine), now_at);
    check_counts(1, 1, 1, 0);
    world_done(&w);
}

TEST(a_connection_that_was_idle_too_long_moves_no_session)
{
    char mine[128];
    for (unsigned refuses = 0; refuses < 2; refuses++) {
        begin();
        unsigned at = begin_session("/session", mine);
        struct world_backend *idle = send("/session", mine);
        CHECK(idle == &w.backends[0]);
        w.is_opening_held = refuses;
        fake_stream_break(&idle->f, STREAM_END_RESET);
        world_run(&w);
        CHECK_EQ(w.n_backends, 2);
        CHECK_EQ(endpoint_of(world_last(&w)), at);
        if (refuses) { /* and now it is known to be gone */
            w.is_opening_held = false;
            fake_stream_break(&world_last(&w)->f, STREAM_END_REFUSED);
            world_run(&w);
            CHECK_EQ(w.n_backends, 3);
            CHECK(endpoint_of(world_last(&w)) != at);
        }
        world_reply(&w, world_last(&w), OK);
        snprintf(answer, sizeof(answer), "%s", world_got(&w, client));
        CHECK_EQ(session()[0] != '\0', refuses);
        check_counts(1, !refuses, refuses, 0);
        world_done(&w);
    }
}

UNIT_MAIN("proxy/session", T(requests_of_a_session_go_where_the_first_one_went),
          T(a_session_outlives_the_worker),
          T(a_session_moves_when_its_endpoint_may_get_no_more_requests),
          T(weights_are_for_new_sessions_but_zero_is_for_all),
          T(a_session_in_a_header_is_told_with_each_answer),
          T(a_session_is_over_after_its_lifetime), T(values_that_are_not_ours_begin_a_session),
          T(of_many_values_the_first_good_one_counts_and_not_all_are_looked_at),
          T(a_session_moves_when_its_endpoint_refuses),
          T(a_connection_that_was_idle_too_long_moves_no_session))
