/* SPDX-License-Identifier: Apache-2.0 */
/* What tells the endpoint of a request whose group goes by hash, and what comes before it. */
#include "proxy_world.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define READY (ENDPOINT_READY | ENDPOINT_SERVING)
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define ENDPOINTS 5

static struct world w;
static char answer[4096]; /* to the request asked last */

/* Group 1 has ENDPOINTS endpoints and goes by hash of that. */
static void begin(enum image_hash_key key, const char *name)
{
    static const uint8_t hosts[ENDPOINTS] = {1, 2, 3, 4, 5};
    world_init(&w, NULL);
    w.is_manual = true;
    w.hash_key = key;
    w.hash_name = name;
    world_endpoints(&w, 1, hosts, ENDPOINTS, READY);
    world_publish(&w, 80);
}

/* The backend that has got something new since `before`; NULL: none. */
static struct world_backend *who_was_asked(const size_t *before)
{
    for (unsigned i = 0; i < w.n_backends; i++) {
        if (fake_stream_written(&w.backends[i].f).len > before[i])
            return &w.backends[i];
    }
    return NULL;
}

/* The endpoint that a request with these field lines goes to, with `reply` as its answer. */
static unsigned ask_on(struct fake_stream *client, const char *path, const char *fields,
                       const char *reply)
{
    char text[2048];
    size_t before[WORLD_STREAMS_MAX] = {0};
    for (unsigned i = 0; i < w.n_backends; i++)
        before[i] = fake_stream_written(&w.backends[i].f).len;
    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: www.example\r\n%s\r\n", path, fields);
    world_say(&w, client, text);
    struct world_backend *b = who_was_asked(before);
    REQUIRE(b != NULL);
    world_reply(&w, b, reply);
    snprintf(answer, sizeof(answer), "%s", world_got(&w, client));
    return b->args.remote.bytes[15];
}

/* The same over a connection of its own from there. */
static unsigned ask_for(const char *path, const char *from, const char *fields, const char *reply)
{
    char lines[1024];
    snprintf(lines, sizeof(lines), "Connection: close\r\n%s", fields);
    return ask_on(world_connect_from(&w, from), path, lines, reply);
}

static unsigned ask(const char *from, const char *fields)
{
    return ask_for("/", from, fields, OK);
}

/* Field lines with a number in the middle. */
static const char *field(const char *before, unsigned i, const char *after)
{
    static char text[256];
    snprintf(text, sizeof(text), "%s%u%s", before, i, after);
    return text;
}

/* How many endpoints have had a key, of those whose bit is set. */
static int count_bits(unsigned bits)
{
    return __builtin_popcount(bits);
}

TEST(a_client_address_leads_to_one_endpoint_whatever_the_request_says)
{
    unsigned seen = 0;
    begin(IMAGE_HASH_KEY_CLIENT, NULL);
    for (unsigned i = 0; i < 12; i++) {
        char address[32];
        snprintf(address, sizeof(address), "192.0.2.%u", i + 1);
        unsigned first = ask(address, "");
        CHECK_EQ(ask(address, "X-Key: other\r\n"), first);
        seen |= 1u << first;
    }
    CHECK(count_bits(seen) >= 3);
    CHECK_EQ(world_stat(&w, STAT_upstream_maglev_none), 0);
    world_done(&w);
}

TEST(a_header_leads_to_one_endpoint_whoever_sends_it)
{
    unsigned seen = 0;
    begin(IMAGE_HASH_KEY_HEADER, "x-key");
    for (unsigned i = 0; i < 12; i++) {
        unsigned first = ask("192.0.2.7", field("X-Key: ", i, "\r\n"));
        CHECK_EQ(ask("192.0.2.8", field("Accept: */*\r\nx-key: ", i, "\r\n")), first);
        seen |= 1u << first;
    }
    CHECK(count_bits(seen) >= 3);
    world_done(&w);
}

TEST(a_request_without_the_header_goes_by_the_client_address)
{
    unsigned differ = 0;
    begin(IMAGE_HASH_KEY_CLIENT, NULL);
    unsigned by_address = ask("192.0.2.7", "");
    world_done(&w);
    begin(IMAGE_HASH_KEY_HEADER, "x-key");
    CHECK_EQ(ask("192.0.2.7", ""), by_address);
    CHECK_EQ(ask("192.0.2.7", "X-Key:\r\n"), by_address); /* says nothing */
    for (unsigned i = 0; i < 12; i++)
        differ += ask("192.0.2.7", field("X-Key: ", i, "\r\n")) != by_address;
    CHECK(differ > 0);
    world_done(&w);
}

TEST(the_first_value_that_says_something_counts)
{
    begin(IMAGE_HASH_KEY_HEADER, "x-key");
    for (unsigned i = 0; i < 6; i++) {
        unsigned alone = ask("192.0.2.7", field("X-Key: ", i, "\r\n"));
        CHECK_EQ(ask("192.0.2.7", field("X-Key:\r\nX-Key: ", i, "\r\nX-Key: z\r\n")), alone);
    }
    world_done(&w);
    begin(IMAGE_HASH_KEY_COOKIE, "tenant");
    for (unsigned i = 0; i < 6; i++) {
        unsigned alone = ask("192.0.2.7", field("Cookie: tenant=", i, "\r\n"));
        CHECK_EQ(ask("192.0.2.7", field("Cookie: tenant=; tenant=", i, "; tenant=z\r\n")), alone);
    }
    world_done(&w);
}

TEST(a_cookie_is_found_among_others_by_its_exact_name)
{
    unsigned seen = 0;
    begin(IMAGE_HASH_KEY_COOKIE, "tenant");
    unsigned by_address = ask("192.0.2.7", "");
    for (unsigned i = 0; i < 5; i++) {
        CHECK_EQ(ask("192.0.2.7", field("Cookie: Tenant=", i, "; atenant=4\r\n")), by_address);
        CHECK_EQ(ask("192.0.2.7", field("tenant: ", i, "\r\n")), by_address);
    }
    CHECK_EQ(ask("192.0.2.7", "Cookie: tenant=\r\n"), by_address);
    for (unsigned i = 0; i < 6; i++) {
        unsigned first = ask("192.0.2.7", field("Cookie: tenant=", i, "\r\n"));
        CHECK_EQ(ask("192.0.2.8", field("Cookie: a=b; tenant=", i, "; c=d\r\n")), first);
        CHECK_EQ(ask("192.0.2.9", field("Cookie: a=b\r\nCookie: tenant=", i, "\r\n")), first);
        seen |= 1u << first;
    }
    CHECK(count_bits(seen) >= 3);
    world_done(&w);
}

TEST(a_session_goes_before_the_hash)
{
    char fields[512];
    unsigned differ = 0;
    begin(IMAGE_HASH_KEY_HEADER, "x-key");
    unsigned at = ask_for("/session", "192.0.2.7", "X-Key: first\r\n", OK);
    const char *cookie = strstr(answer, "sid=");
    REQUIRE(cookie != NULL);
    snprintf(fields, sizeof(fields), "Cookie: %.*s\r\n", (int)strcspn(cookie, ";"), cookie);
    size_t len = strlen(fields);
    for (unsigned i = 0; i < 9; i++) {
        snprintf(fields + len, sizeof(fields) - len, "X-Key: %u\r\n", i);
        CHECK_EQ(ask_for("/session", "192.0.2.8", fields, OK), at);
        differ += ask_for("/session", "192.0.2.8", fields + len, OK) != at;
    }
    CHECK(differ > 0);
    world_done(&w);
}

TEST(a_retry_goes_to_another_endpoint_and_the_key_stays_where_it_was)
{
    static const char refused[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    begin(IMAGE_HASH_KEY_HEADER, "x-key");
    unsigned at = ask("192.0.2.7", "X-Key: a\r\n");
    CHECK_EQ(ask_for("/retry", "192.0.2.7", "X-Key: a\r\n", refused), at);
    world_wait(&w, 150);
    struct world_backend *again = world_last(&w);
    CHECK(again->args.remote.bytes[15] != at);
    world_reply(&w, again, OK);
    CHECK_EQ(ask("192.0.2.7", "X-Key: a\r\n"), at);
    world_done(&w);
}

TEST(the_hash_goes_before_the_connection_that_a_client_keeps_to_be_told)
{
    unsigned wanted[12], seen = 0;
    begin(IMAGE_HASH_KEY_HEADER, "x-key");
    w.proxy_header = IMAGE_PROXY_HEADER_V1;
    world_publish(&w, 80);
    for (unsigned i = 0; i < 12; i++)
        wanted[i] = ask("192.0.2.8", field("X-Key: ", i, "\r\n"));
    struct fake_stream *client = world_connect(&w);
    for (unsigned i = 0; i < 24; i++) {
        unsigned at = ask_on(client, "/", field("X-Key: ", i / 2, "\r\n"), OK);
        CHECK_EQ(at, wanted[i / 2]);
        seen |= 1u << at;
    }
    CHECK(count_bits(seen) >= 3);
    world_done(&w);
}

UNIT_MAIN("proxy/hash_key", T(a_client_address_leads_to_one_endpoint_whatever_the_request_says),
          T(a_header_leads_to_one_endpoint_whoever_sends_it),
          T(a_request_without_the_header_goes_by_the_client_address),
          T(the_first_value_that_says_something_counts),
          T(a_cookie_is_found_among_others_by_its_exact_name), T(a_session_goes_before_the_hash),
          T(a_retry_goes_to_another_endpoint_and_the_key_stays_where_it_was),
          T(the_hash_goes_before_the_connection_that_a_client_keeps_to_be_told))
