/* SPDX-License-Identifier: Apache-2.0 */
/* Both ends are ours, over a pair of fake streams of any capacity, driven by hand. */
#include "fake_pair.h"
#include "test_certs.h"

#include "base/wheel.h"
#include "tls/tls.h"
#include "tls/tls_identity.h"
#include "tls/tls_priv.h"
#include "tls/tls_tickets.h"
#include "tls/tls_trust.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BIG_BYTES (300u * 1024u)

struct end {
    struct stream *s;
    size_t sent, send_total, received;
    unsigned events;
    bool is_reading, is_wrong;
};

struct setup {
    struct wheel wheel;
    uint64_t now_us;
    struct fake_end low_client, low_server;
    struct tls_context *client_context, *server_context;
    struct end client, server;
};

static uint8_t pattern_at(size_t i)
{
    return (uint8_t)(i * 151 + (i >> 9));
}

static void send_more(struct end *e)
{
    uint8_t piece[5000];
    while (e->sent < e->send_total) {
        size_t left = e->send_total - e->sent;
        size_t n = left < sizeof(piece) ? left : sizeof(piece);
        for (size_t i = 0; i < n; i++)
            piece[i] = pattern_at(e->sent + i);
        struct slice v = slice_of(piece, n);
        size_t taken = stream_write(e->s, &v, 1);
        e->sent += taken;
        if (taken < n)
            return;
    }
}

static void receive(struct end *e)
{
    struct slice v;
    while (stream_peek(e->s, &v, 1) > 0) {
        size_t n = v.len > 1000 ? 1000 : v.len;
        for (size_t i = 0; i < n; i++)
            e->is_wrong |= v.ptr[i] != pattern_at(e->received + i);
        e->received += n;
        stream_consume(e->s, n);
    }
}

static void on_event(struct stream *s, unsigned events)
{
    struct end *e = s->owner;
    CHECK_EQ(e->events & STREAM_CLOSED, 0); /* CLOSED is the last event */
    e->events |= events;
    if ((events & STREAM_READABLE) != 0 && e->is_reading)
        receive(e);
    if ((events & STREAM_WRITABLE) != 0)
        send_more(e);
}

static struct setup *setup_new(const struct tls_server_config *server,
                               const struct tls_client_config *client)
{
    struct setup *u = calloc(1, sizeof(*u));
    wheel_init(&u->wheel, 0);
    u->client.is_reading = u->server.is_reading = true;
    REQUIRE(tls_server_new(server, &u->server_context) == TLS_FAULT_OK);
    REQUIRE(tls_client_new(client, &u->client_context) == TLS_FAULT_OK);
    return u;
}

static struct tls_server_config server_config(void)
{
    const struct test_certs *c = test_certs();
    return (struct tls_server_config){.certificate_chain = c->server.certificate,
                                      .private_key = c->server.key,
                                      .alpn = "http/1.1"};
}

static struct tls_client_config client_config(void)
{
    return (struct tls_client_config){.ca = test_certs()->ca.certificate, .alpn = "http/1.1"};
}

static void start(struct setup *u, size_t capacity, const char *name)
{
    fake_join(&u->low_client, &u->low_server, capacity);
    u->client.s = tls_connect(u->client_context, &u->low_client.stream, &u->wheel, name);
    u->server.s = tls_accept(u->server_context, &u->low_server.stream, &u->wheel);
    REQUIRE(u->client.s != NULL && u->server.s != NULL);
    u->client.s->owner = &u->client;
    u->client.s->on_event = on_event;
    u->server.s->owner = &u->server;
    u->server.s->on_event = on_event;
}

static void run(struct setup *u, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        u->now_us += WHEEL_TICK_US;
        wheel_run(&u->wheel, u->now_us, 100);
        fake_dispatch(&u->low_client);
        fake_dispatch(&u->low_server);
    }
}

static void setup_free(struct setup *u)
{
    if (u->client.s != NULL)
        stream_release(u->client.s);
    if (u->server.s != NULL)
        stream_release(u->server.s);
    run(u, TLS_LINGER_MS_MAX * 1000 / WHEEL_TICK_US + 10);
    CHECK_EQ(u->wheel.armed, 0);
    CHECK(u->low_client.is_released && u->low_server.is_released);
    tls_context_free(u->client_context);
    tls_context_free(u->server_context);
    free(u);
}

static struct setup *plain_setup(void)
{
    struct tls_server_config server = server_config();
    struct tls_client_config client = client_config();
    return setup_new(&server, &client);
}

static void transfer_at(size_t capacity, int rounds)
{
    struct setup *u = plain_setup();
    start(u, capacity, "box.test");
    u->client.send_total = u->server.send_total = BIG_BYTES;
    send_more(&u->server); /* before the handshake: takes nothing, and is told later */
    CHECK_EQ(u->server.sent, 0);
    run(u, rounds);
    CHECK_EQ(u->client.received, BIG_BYTES);
    CHECK_EQ(u->server.received, BIG_BYTES);
    CHECK(!u->client.is_wrong && !u->server.is_wrong);
    CHECK_STR(tls_alpn(u->server.s), "http/1.1");
    CHECK_STR(tls_peer_subject(u->server.s), "");
    CHECK(tls_is_established(u->server.s));
    setup_free(u);
}

TEST(bytes_pass_both_ways_intact)
{
    transfer_at(FAKE_CAPACITY_MAX, 2000);
}

TEST(bytes_pass_through_a_lower_stream_of_seventeen_bytes)
{
    transfer_at(17, 80000);
}

TEST(bytes_pass_when_the_lower_stream_is_shorter_than_a_record)
{
    transfer_at(4001, 4000);
}

TEST(writer_is_held_back_by_a_reader_that_does_not_consume)
{
    struct setup *u = plain_setup();
    start(u, 20000, "box.test");
    u->server.is_reading = false;
    u->client.send_total = BIG_BYTES;
    run(u, 500);
    size_t stalled = u->client.sent;
    CHECK(stalled < BIG_BYTES / 3);
    CHECK_EQ(stream_write_room(u->client.s), 0);
    CHECK_EQ(stream_readable(u->server.s), TLS_BUFFER_BYTES);
    u->server.is_reading = true;
    receive(&u->server);
    run(u, 500);
    CHECK_EQ(u->server.received, BIG_BYTES);
    CHECK(!u->server.is_wrong);
    setup_free(u);
}

/* Writes all that is left in one call, and again only when it is told of room. */
static void on_room(struct stream *s, unsigned events)
{
    static uint8_t all[BIG_BYTES];
    struct end *e = s->owner;
    if ((events & STREAM_WRITABLE) == 0)
        return;
    for (size_t i = 0; i < BIG_BYTES; i++)
        all[i] = pattern_at(i);
    struct slice v = slice_of(all + e->sent, BIG_BYTES - e->sent);
    e->sent += stream_write(s, &v, 1);
}

TEST(writer_is_told_of_room_however_much_there_was)
{
    static const size_t capacities[] = {1500, 20000, 40000, FAKE_CAPACITY_MAX};
    for (unsigned i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
        struct setup *u = plain_setup();
        start(u, capacities[i], "box.test");
        u->client.s->on_event = on_room;
        run(u, 10000);
        CHECK_EQ(u->server.received, BIG_BYTES);
        CHECK(!u->server.is_wrong);
        setup_free(u);
    }
}

TEST(no_event_comes_from_inside_a_call)
{
    struct setup *u = plain_setup();
    start(u, FAKE_CAPACITY_MAX, "box.test");
    run(u, 50);
    u->client.send_total = 10;
    send_more(&u->client);
    u->server.events = u->client.events = 0;
    stream_shutdown(u->client.s);
    stream_abort(u->server.s);
    CHECK_EQ(u->client.events, 0);
    CHECK_EQ(u->server.events, 0);
    run(u, 50);
    CHECK_EQ(u->server.events, STREAM_CLOSED);
    CHECK_EQ(stream_end(u->server.s), STREAM_END_ABORTED);
    CHECK_EQ(stream_end(u->client.s), STREAM_END_RESET);
    setup_free(u);
}

TEST(close_notify_both_ways_is_an_orderly_end)
{
    struct setup *u = plain_setup();
    start(u, FAKE_CAPACITY_MAX, "box.test");
    u->client.send_total = 1000;
    run(u, 50);
    stream_shutdown(u->client.s);
    CHECK_EQ(stream_write_room(u->client.s), 0);
    run(u, 50);
    CHECK_EQ(u->server.received, 1000);
    CHECK(stream_is_eof(u->server.s));
    CHECK_EQ(stream_end(u->server.s), STREAM_END_OPEN);
    u->server.send_total = 500; /* half closed: the other direction goes on */
    send_more(&u->server);
    stream_shutdown(u->server.s);
    run(u, 50);
    CHECK_EQ(u->client.received, 500);
    CHECK_EQ(stream_end(u->server.s), STREAM_END_ORDERLY);
    CHECK_EQ(stream_end(u->client.s), STREAM_END_ORDERLY);
    setup_free(u);
}

TEST(end_without_close_notify_is_truncation)
{
    struct setup *u = plain_setup();
    start(u, FAKE_CAPACITY_MAX, "box.test");
    run(u, 50);
    u->low_server.is_eof = true;
    u->low_server.events |= STREAM_READABLE;
    run(u, 50);
    CHECK_EQ(u->server.events & STREAM_CLOSED, STREAM_CLOSED);
    CHECK_EQ(stream_end(u->server.s), STREAM_END_PROTOCOL);
    CHECK(tls_error(u->server.s)[0] != '\0');
    setup_free(u);
}

TEST(what_came_before_a_truncation_is_read_before_its_end)
{
    struct setup *u = plain_setup();
    start(u, FAKE_CAPACITY_MAX, "box.test");
    run(u, 50);
    u->server.is_reading = false;
    u->client.send_total = 5000;
    send_more(&u->client);
    fake_dispatch(&u->low_client);
    u->low_server.is_eof = true; /* with the bytes, or right behind them */
    u->low_server.events |= STREAM_READABLE;
    u->server.events = 0;
    run(u, 50);
    CHECK_EQ(stream_readable(u->server.s), 5000);
    CHECK_EQ(u->server.events, STREAM_READABLE);
    CHECK_EQ(stream_end(u->server.s), STREAM_END_OPEN);
    receive(&u->server);
    CHECK_EQ(u->server.received, 5000);
    run(u, 50);
    CHECK_EQ(u->server.events & STREAM_CLOSED, STREAM_CLOSED);
    CHECK_EQ(stream_end(u->server.s), STREAM_END_PROTOCOL);
    setup_free(u);
}

TEST(release_still_sends_what_was_written_through_a_narrow_lower_stream)
{
    struct setup *u = plain_setup();
    start(u, 300, "box.test");
    run(u, 200);
    u->server.send_total = 5000;
    send_more(&u->server);
    CHECK_EQ(u->server.sent, 5000);
    stream_release(u->server.s);
    u->server.s = NULL;
    run(u, 500);
    CHECK_EQ(u->client.received, 5000);
    CHECK(stream_is_eof(u->client.s) || stream_end(u->client.s) == STREAM_END_ORDERLY);
    CHECK(u->low_server.is_released);
    setup_free(u);
}

TEST(released_stream_whose_peer_takes_nothing_is_let_go_in_time)
{
    struct setup *u = plain_setup();
    start(u, 300, "box.test");
    run(u, 200);
    u->client.is_reading = false;
    u->low_client.stream.on_event = NULL; /* the peer's host hangs */
    u->server.send_total = 5000;
    send_more(&u->server);
    stream_release(u->server.s);
    u->server.s = NULL;
    run(u, 100);
    CHECK(!u->low_server.is_released);
    run(u, TLS_LINGER_MS_MAX * 1000 / WHEEL_TICK_US + 10);
    CHECK(u->low_server.is_released);
    CHECK_EQ(u->low_server.end, STREAM_END_ABORTED);
    setup_free(u);
}

TEST(release_with_unread_plaintext_is_a_reset)
{
    struct setup *u = plain_setup();
    start(u, FAKE_CAPACITY_MAX, "box.test");
    u->server.is_reading = false;
    u->client.send_total = 100;
    run(u, 50);
    CHECK_EQ(stream_readable(u->server.s), 100);
    stream_release(u->server.s);
    u->server.s = NULL;
    run(u, 50);
    CHECK_EQ(stream_end(u->client.s), STREAM_END_RESET);
    setup_free(u);
}

static void release_in_event(struct stream *s, unsigned events)
{
    struct end *e = s->owner;
    e->events |= events;
    e->s = NULL;
    stream_consume(s, stream_readable(s));
    stream_release(s);
}

TEST(stream_may_be_released_in_its_event)
{
    struct setup *u = plain_setup();
    start(u, FAKE_CAPACITY_MAX, "box.test");
    u->server.s->on_event = release_in_event;
    u->client.send_total = 100;
    run(u, 50);
    CHECK(u->server.events & STREAM_READABLE);
    CHECK(stream_is_eof(u->client.s) || stream_end(u->client.s) != STREAM_END_OPEN);
    setup_free(u);
}

TEST(silent_client_is_given_up_in_time)
{
    struct setup *u = plain_setup();
    fake_join(&u->low_client, &u->low_server, 1000);
    u->server.s = tls_accept(u->server_context, &u->low_server.stream, &u->wheel);
    u->server.s->owner = &u->server;
    u->server.s->on_event = on_event;
    run(u, TLS_HANDSHAKE_MS_MAX * 1000 / WHEEL_TICK_US - 10);
    CHECK_EQ(u->server.events, 0);
    run(u, 20);
    CHECK_EQ(u->server.events, STREAM_CLOSED);
    CHECK_EQ(stream_end(u->server.s), STREAM_END_TIMEOUT);
    CHECK(u->low_server.is_released);
    stream_release(&u->low_client.stream);
    setup_free(u);
}

TEST(garbage_instead_of_a_handshake_is_a_protocol_error)
{
    struct setup *u = plain_setup();
    fake_join(&u->low_client, &u->low_server, 1000);
    u->server.s = tls_accept(u->server_context, &u->low_server.stream, &u->wheel);
    u->server.s->owner = &u->server;
    u->server.s->on_event = on_event;
    struct slice v = SLICE_LIT("GET / HTTP/1.1\r\nHost: box.test\r\n\r\n");
    stream_write(&u->low_client.stream, &v, 1);
    run(u, 20);
    CHECK_EQ(u->server.events, STREAM_CLOSED);
    CHECK_EQ(stream_end(u->server.s), STREAM_END_PROTOCOL);
    stream_release(&u->low_client.stream);
    setup_free(u);
}

TEST(client_certificate_of_the_ca_is_known_by_its_subject)
{
    const struct test_certs *c = test_certs();
    struct tls_server_config server = server_config();
    struct tls_client_config client = client_config();
    server.client_auth = TLS_CLIENT_AUTH_OPTIONAL;
    server.client_ca = c->ca.certificate;
    client.certificate_chain = c->client.certificate;
    client.private_key = c->client.key;
    struct setup *u = setup_new(&server, &client);
    start(u, FAKE_CAPACITY_MAX, "box.test");
    run(u, 50);
    CHECK_STR(tls_peer_subject(u->server.s), "CN=controller,O=test");
    setup_free(u);
}

TEST(optional_client_certificate_may_be_missing)
{
    struct tls_server_config server = server_config();
    struct tls_client_config client = client_config();
    server.client_auth = TLS_CLIENT_AUTH_OPTIONAL;
    server.client_ca = test_certs()->ca.certificate;
    struct setup *u = setup_new(&server, &client);
    start(u, FAKE_CAPACITY_MAX, "127.0.0.1");
    run(u, 50);
    CHECK(tls_is_established(u->server.s));
    CHECK_STR(tls_peer_subject(u->server.s), "");
    setup_free(u);
}

/* Runs a handshake that the server must refuse. */
static void check_refused_by_server(const struct tls_server_config *server,
                                    const struct tls_client_config *client)
{
    struct setup *u = setup_new(server, client);
    start(u, FAKE_CAPACITY_MAX, "box.test");
    run(u, 50);
    CHECK(!tls_is_established(u->server.s));
    CHECK_EQ(stream_end(u->server.s), STREAM_END_PROTOCOL);
    CHECK(stream_end(u->client.s) != STREAM_END_OPEN);
    setup_free(u);
}

TEST(client_certificate_of_a_strange_ca_ends_the_handshake)
{
    const struct test_certs *c = test_certs();
    struct tls_server_config server = server_config();
    struct tls_client_config client = client_config();
    server.client_auth = TLS_CLIENT_AUTH_OPTIONAL;
    server.client_ca = c->ca.certificate;
    client.certificate_chain = c->stranger.certificate;
    client.private_key = c->stranger.key;
    check_refused_by_server(&server, &client);
    server.client_auth = TLS_CLIENT_AUTH_REQUIRED;
    client = client_config();
    check_refused_by_server(&server, &client);
}

TEST(client_without_our_protocol_is_refused)
{
    struct tls_server_config server = server_config();
    struct tls_client_config client = client_config();
    client.alpn = "h2";
    check_refused_by_server(&server, &client);
    server.alpn = "h2,http/1.1";
    client.alpn = "http/1.0,h3";
    check_refused_by_server(&server, &client);
}

TEST(of_several_protocols_the_servers_first_is_chosen)
{
    static const struct {
        const char *server, *client, *chosen;
    } rows[] = {{"h2,http/1.1", "http/1.1,h2", "h2"},
                {"h2,http/1.1", "http/1.1", "http/1.1"},
                {"http/1.1", "h2,http/1.1", "http/1.1"},
                {"h2,http/1.1", NULL, ""},
                {NULL, "h2", ""}};
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tls_server_config server = server_config();
        struct tls_client_config client = client_config();
        server.alpn = rows[i].server;
        client.alpn = rows[i].client;
        struct setup *u = setup_new(&server, &client);
        start(u, FAKE_CAPACITY_MAX, "box.test");
        run(u, 50);
        CHECK(tls_is_established(u->server.s));
        CHECK_STR(tls_alpn(u->server.s), rows[i].chosen);
        CHECK_STR(tls_alpn(u->client.s), rows[i].chosen);
        setup_free(u);
    }
}

static void check_refused_by_client(const char *name, struct slice ca)
{
    struct tls_server_config server = server_config();
    struct tls_client_config client = client_config();
    client.ca = ca;
    struct setup *u = setup_new(&server, &client);
    start(u, FAKE_CAPACITY_MAX, name);
    run(u, 50);
    CHECK(!tls_is_established(u->client.s));
    CHECK_EQ(stream_end(u->client.s), STREAM_END_PROTOCOL);
    setup_free(u);
}

TEST(client_refuses_a_wrong_name_and_a_strange_ca)
{
    check_refused_by_client("other.test", test_certs()->ca.certificate);
    check_refused_by_client("127.0.0.2", test_certs()->ca.certificate);
    check_refused_by_client("box.test", test_certs()->stranger_ca.certificate);
}

/* Does a client that wants to meet somebody of these names, by this CA, meet the server? Shows it
 * `identity` (NULL: nothing), and the server is told the subject in `ret_subject`. */
static bool meets(struct slice ca, const struct tls_san *sans, unsigned n,
                  const struct tls_identity *identity, char ret_subject[64])
{
    struct tls_server_config server = server_config();
    struct tls_client_config client = client_config();
    server.client_auth = TLS_CLIENT_AUTH_OPTIONAL;
    server.client_ca = test_certs()->ca.certificate;
    struct setup *u = setup_new(&server, &client);
    struct tls_trust *trust;
    REQUIRE(tls_trust_new(ca, &trust) == TLS_FAULT_OK);
    tls_context_free(u->client_context);
    REQUIRE(tls_back_new(&u->client_context) == TLS_FAULT_OK);
    const struct tls_wanted_peer peer = {.server_name = SLICE_LIT("asked.test"),
                                         .trust = trust,
                                         .sans = sans,
                                         .n_sans = n,
                                         .identity = identity,
                                         .alpn = "http/1.1"};
    fake_join(&u->low_client, &u->low_server, FAKE_CAPACITY_MAX);
    u->client.s = tls_connect_to(u->client_context, &u->low_client.stream, &u->wheel, &peer);
    tls_trust_free(trust); /* the connection keeps what it needs */
    u->server.s = tls_accept(u->server_context, &u->low_server.stream, &u->wheel);
    REQUIRE(u->client.s != NULL && u->server.s != NULL);
    u->client.s->owner = &u->client;
    u->client.s->on_event = on_event;
    u->server.s->owner = &u->server;
    u->server.s->on_event = on_event;
    run(u, 50);
    bool is_met = tls_is_established(u->client.s);
    CHECK_STR(tls_alpn(u->client.s), is_met ? "http/1.1" : "");
    CHECK_EQ(stream_end(u->client.s), is_met ? STREAM_END_OPEN : STREAM_END_PROTOCOL);
    snprintf(ret_subject, 64, "%s", tls_peer_subject(u->server.s));
    setup_free(u);
    return is_met;
}

TEST(a_client_meets_who_has_one_of_the_names_by_the_ca)
{
    const struct test_certs *c = test_certs();
    static const struct {
        struct tls_san sans[2];
        unsigned n;
        bool is_met;
    } rows[] = {
        {{{SLICE_LIT("box.test"), false}}, 1, true},
        {{{SLICE_LIT("asked.test"), false}}, 1, false}, /* what is asked for need not be shown */
        {{{SLICE_LIT("127.0.0.1"), false}}, 1, true},
        {{{SLICE_LIT("spiffe://test/box"), true}}, 1, true},
        {{{SLICE_LIT("spiffe://test/bo"), true}}, 1, false},
        {{{SLICE_LIT("SPIFFE://test/box"), true}}, 1, false},
        {{{SLICE_LIT("box.test"), true}}, 1, false}, /* which is no URI of it */
        {{{SLICE_LIT("other.test"), false}, {SLICE_LIT("spiffe://test/box"), true}}, 2, true},
        {{{SLICE_LIT("other.test"), false}, {SLICE_LIT("spiffe://x"), true}}, 2, false},
    };
    char subject[64];
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_EQ(meets(c->ca.certificate, rows[i].sans, rows[i].n, NULL, subject), rows[i].is_met);
    CHECK(!meets(c->stranger_ca.certificate, rows[0].sans, 1, NULL, subject));
    CHECK(meets(c->server.certificate, rows[0].sans, 1, NULL, subject)); /* itself */
}

TEST(a_client_shows_its_identity_to_who_asks)
{
    const struct test_certs *c = test_certs();
    const struct tls_san san = {SLICE_LIT("box.test"), false};
    struct tls_identity *identity;
    char subject[64];
    REQUIRE(tls_identity_new(c->client.certificate, c->client.key, &identity) == TLS_FAULT_OK);
    CHECK(meets(c->ca.certificate, &san, 1, identity, subject));
    CHECK_STR(subject, "CN=controller,O=test");
    CHECK(meets(c->ca.certificate, &san, 1, NULL, subject));
    CHECK_STR(subject, "");
    tls_identity_free(identity);
}

TEST(bad_configuration_is_refused_with_its_reason)
{
    const struct test_certs *c = test_certs();
    struct tls_context *context = NULL;
    struct tls_server_config config = server_config();
    config.certificate_chain = SLICE_LIT("no PEM");
    CHECK_EQ(tls_server_new(&config, &context), TLS_FAULT_CERTIFICATE);
    config = server_config();
    config.private_key = SLICE_LIT("no PEM");
    CHECK_EQ(tls_server_new(&config, &context), TLS_FAULT_KEY);
    config.private_key = c->client.key;
    CHECK_EQ(tls_server_new(&config, &context), TLS_FAULT_MISMATCH);
    config = server_config();
    config.client_auth = TLS_CLIENT_AUTH_REQUIRED;
    CHECK_EQ(tls_server_new(&config, &context), TLS_FAULT_CA);
    config = server_config();
    static const char *const alpns[] = {"",
                                        "h2,",
                                        ",h2",
                                        "h2,,http/1.1",
                                        "a-name-of-16-byt",
                                        "a-name-of-12,a-name-of-13,a-name-of-14,a-name-of-15"};
    for (unsigned i = 0; i < sizeof(alpns) / sizeof(alpns[0]); i++) {
        config = server_config();
        config.alpn = alpns[i];
        CHECK_EQ(tls_server_new(&config, &context), TLS_FAULT_CONFIG);
    }
    CHECK_STR(tls_fault_name(TLS_FAULT_MISMATCH), "MISMATCH");
    CHECK(context == NULL);
}

/* A server of two names, and whom it was asked for. */
struct front {
    struct tls_identity *ours, *strange;
    char asked[64];
    enum tls_client_auth client_auth; /* and the trust: of all names */
    struct tls_trust *trust;
    unsigned floods;
    unsigned ends[TLS_HANDSHAKE_lost + 1];
};

static void pick(void *arg, const char *server_name, struct tls_choice *ret)
{
    struct front *f = arg;
    strcpy(f->asked, server_name);
    if (strcmp(server_name, "box.test") == 0 || server_name[0] == '\0')
        ret->identities[ret->n++] = f->ours;
    else if (strcmp(server_name, "strange.test") == 0)
        ret->identities[ret->n++] = f->strange;
    ret->client_auth = f->client_auth;
    ret->trust = f->trust;
}

static void on_handshake(void *arg, enum tls_handshake end)
{
    struct front *f = arg;
    f->ends[end]++;
}

static void on_flood(void *arg)
{
    struct front *f = arg;
    f->floods++;
}

static const struct tls_front_ops front_ops = {
    .pick = pick, .on_handshake = on_handshake, .on_flood = on_flood};

static struct front front_new(void)
{
    const struct test_certs *c = test_certs();
    struct front f = {0};
    REQUIRE(tls_identity_new(c->server.certificate, c->server.key, &f.ours) == TLS_FAULT_OK);
    REQUIRE(tls_identity_new(c->stranger.certificate, c->stranger.key, &f.strange) == TLS_FAULT_OK);
    return f;
}

static void front_free(struct front *f)
{
    tls_identity_free(f->ours);
    tls_identity_free(f->strange);
}

/* A client of the front that asks for `name`. */
static struct setup *ask_front_as(struct front *f, const char *name,
                                  const struct tls_client_config *client)
{
    struct tls_server_config server = server_config();
    struct setup *u = setup_new(&server, client);
    tls_context_free(u->server_context);
    REQUIRE(tls_front_new("http/1.1", &front_ops, NULL, &u->server_context) == TLS_FAULT_OK);
    fake_join(&u->low_client, &u->low_server, FAKE_CAPACITY_MAX);
    u->client.s = tls_connect(u->client_context, &u->low_client.stream, &u->wheel, name);
    u->server.s = tls_accept_by_name(u->server_context, &u->low_server.stream, &u->wheel, f);
    REQUIRE(u->client.s != NULL && u->server.s != NULL);
    u->client.s->owner = &u->client;
    u->client.s->on_event = on_event;
    u->server.s->owner = &u->server;
    u->server.s->on_event = on_event;
    run(u, 20);
    return u;
}

/* The same without a certificate; a CA it does not have makes it trust anybody. */
static struct setup *ask_front(struct front *f, const char *name, bool is_trusting)
{
    struct tls_client_config client = client_config();
    if (is_trusting)
        client.ca = slice_of_str("");
    return ask_front_as(f, name, &client);
}

/* Is a client that shows this certificate (NULL: none) let in? Its subject, as the front knows it,
 * into `ret`. */
static bool lets_in(struct front *f, const struct test_cert *cert, char ret[64])
{
    struct tls_client_config client = client_config();
    if (cert != NULL) {
        client.certificate_chain = cert->certificate;
        client.private_key = cert->key;
    }
    struct setup *u = ask_front_as(f, "box.test", &client);
    bool is_in = tls_is_established(u->server.s);
    snprintf(ret, 64, "%s", tls_peer_subject(u->server.s));
    setup_free(u);
    return is_in;
}

TEST(a_front_lets_in_whom_the_trust_of_the_name_knows)
{
    const struct test_certs *c = test_certs();
    struct front f = front_new();
    char subject[64];
    REQUIRE(tls_trust_new(c->ca.certificate, &f.trust) == TLS_FAULT_OK);
    f.client_auth = TLS_CLIENT_AUTH_REQUIRED;
    CHECK(lets_in(&f, &c->client, subject));
    CHECK_STR(subject, "CN=controller,O=test");
    CHECK(!lets_in(&f, NULL, subject));
    CHECK_EQ(f.ends[TLS_HANDSHAKE_no_certificate], 1);
    CHECK(!lets_in(&f, &c->stranger, subject));
    CHECK_EQ(f.ends[TLS_HANDSHAKE_bad_certificate], 1);
    f.client_auth = TLS_CLIENT_AUTH_FALLBACK;
    CHECK(lets_in(&f, &c->client, subject));
    CHECK_STR(subject, "CN=controller,O=test");
    CHECK(lets_in(&f, NULL, subject));
    CHECK(lets_in(&f, &c->stranger, subject));
    CHECK_STR(subject, ""); /* who shows what does not verify is nobody */
    tls_trust_free(f.trust);
    f.trust = NULL;
    f.client_auth = TLS_CLIENT_AUTH_NONE;
    CHECK(lets_in(&f, &c->stranger, subject));
    CHECK_EQ(f.ends[TLS_HANDSHAKE_full], 5);
    front_free(&f);
}

TEST(a_server_s_own_certificate_is_a_bundle_and_what_is_no_pem_is_not)
{
    const struct test_certs *c = test_certs();
    struct front f = front_new();
    char subject[64], text[8192];
    REQUIRE(tls_trust_new(c->client.certificate, &f.trust) == TLS_FAULT_OK);
    f.client_auth = TLS_CLIENT_AUTH_REQUIRED;
    CHECK(lets_in(&f, &c->client, subject));
    CHECK(!lets_in(&f, &c->server, subject));
    struct tls_trust *none = NULL;
    CHECK_EQ(tls_trust_new(SLICE_LIT(""), &none), TLS_FAULT_CA);
    CHECK_EQ(tls_trust_new(c->client.key, &none), TLS_FAULT_CA);
    int n = snprintf(text, sizeof(text), "%.*s-----BEGIN CERTIFICATE-----\nx\n",
                     (int)c->ca.certificate.len, (const char *)c->ca.certificate.ptr);
    CHECK_EQ(tls_trust_new(slice_of(text, (size_t)n), &none), TLS_FAULT_CA);
    CHECK(none == NULL);
    tls_trust_free(f.trust);
    front_free(&f);
}

TEST(server_name_chooses_who_is_shown)
{
    static const struct {
        const char *name;
        bool is_trusting, is_established;
    } rows[] = {{"box.test", false, true},    {"BOX.test", false, true},
                {"strange.test", true, true}, {"strange.test", false, false},
                {"nobody.test", true, false}, {NULL, false, true}};
    struct front f = front_new();
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct setup *u = ask_front(&f, rows[i].name, rows[i].is_trusting);
        CHECK_EQ(tls_is_established(u->client.s), rows[i].is_established);
        if (rows[i].is_established)
            CHECK_STR(tls_server_name(u->server.s), f.asked);
        if (i == 1)
            CHECK_STR(f.asked, "box.test");
        if (i == 4)
            CHECK_STR(tls_error(u->client.s), "tlsv1 unrecognized name");
        setup_free(u);
    }
    CHECK_EQ(f.ends[TLS_HANDSHAKE_full], 4);
    CHECK_EQ(f.ends[TLS_HANDSHAKE_unknown_name], 1);
    CHECK_EQ(f.ends[TLS_HANDSHAKE_peer_alert], 1);
    front_free(&f);
}

TEST(each_end_of_a_handshake_is_told_once)
{
    struct front f = front_new();
    static const struct {
        const char *bytes;
        enum tls_handshake end;
    } rows[] = {{"GET / HTTP/1.1\r\n\r\n", TLS_HANDSHAKE_garbage},
                {"\x16\x03\x01", TLS_HANDSHAKE_lost},
                {"", TLS_HANDSHAKE_lost},
                {NULL, TLS_HANDSHAKE_slow}};
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tls_server_config server = server_config();
        struct tls_client_config client = client_config();
        struct setup *u = setup_new(&server, &client);
        tls_context_free(u->server_context);
        REQUIRE(tls_front_new("http/1.1", &front_ops, NULL, &u->server_context) == TLS_FAULT_OK);
        fake_join(&u->low_client, &u->low_server, FAKE_CAPACITY_MAX);
        u->server.s = tls_accept_by_name(u->server_context, &u->low_server.stream, &u->wheel, &f);
        u->server.s->owner = &u->server;
        u->server.s->on_event = on_event;
        memset(f.ends, 0, sizeof(f.ends));
        if (rows[i].bytes != NULL) {
            struct slice v = slice_of_str(rows[i].bytes);
            stream_write(&u->low_client.stream, &v, 1);
            stream_shutdown(&u->low_client.stream);
        }
        run(u, TLS_HANDSHAKE_MS_MAX * 1000 / WHEEL_TICK_US + 10);
        for (unsigned k = 0; k <= TLS_HANDSHAKE_lost; k++)
            CHECK_EQ(f.ends[k], k == rows[i].end);
        stream_release(&u->low_client.stream);
        setup_free(u);
    }
    front_free(&f);
}

static const uint8_t secret[TLS_TICKET_SECRET_BYTES] = {1, 2, 3};

/* The client takes new keys so often, one after the other; with data after each, if it is so. */
static bool is_open_after_updates(unsigned n, bool is_talking, struct front *f)
{
    struct setup *u = ask_front(f, "box.test", false);
    REQUIRE(tls_is_established(u->server.s));
    SSL *ssl = tls_of(u->client.s)->ssl;
    for (unsigned i = 0; i < n; i++) {
        CHECK_EQ(SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        CHECK_EQ(SSL_do_handshake(ssl), 1);
        struct slice byte = SLICE_LIT("x");
        if (is_talking)
            CHECK_EQ(stream_write(u->client.s, &byte, 1), 1);
        run(u, is_talking ? 2 : 0);
    }
    run(u, 4);
    bool is_open = stream_end(u->server.s) == STREAM_END_OPEN;
    CHECK_EQ(f->floods, is_open ? 0 : 1);
    setup_free(u);
    return is_open;
}

TEST(a_client_that_takes_new_keys_again_and_again_is_cut_off)
{
    struct front f = front_new();
    CHECK(is_open_after_updates(TLS_UPDATES_MAX, false, &f));
    CHECK(is_open_after_updates(2 * TLS_UPDATES_MAX, true, &f));
    CHECK(!is_open_after_updates(TLS_UPDATES_MAX + 1, false, &f));
    front_free(&f);
}

TEST(ticket_keys_of_neighbouring_epochs_overlap)
{
    struct keys_ticket now[3], later[3], other[3];
    static const uint8_t stranger[TLS_TICKET_SECRET_BYTES] = {1, 2, 4};
    REQUIRE(tls_tickets_derive(secret, 10 * TLS_TICKET_EPOCH_S, now));
    REQUIRE(tls_tickets_derive(secret, 11 * TLS_TICKET_EPOCH_S - 1, later));
    CHECK(memcmp(now, later, sizeof(now)) == 0);
    REQUIRE(tls_tickets_derive(secret, 11 * TLS_TICKET_EPOCH_S, later));
    CHECK(memcmp(&now[0], &later[1], sizeof(now[0])) == 0);
    CHECK(memcmp(&now[2], &later[0], sizeof(now[0])) == 0);
    REQUIRE(tls_tickets_derive(stranger, 10 * TLS_TICKET_EPOCH_S, other));
    CHECK(memcmp(now[0].name, other[0].name, sizeof(now[0].name)) != 0);
    CHECK(memcmp(now[0].cipher, now[0].mac, sizeof(now[0].mac)) != 0);
}

TEST(ticket_keys_are_read_as_they_were_set)
{
    struct tls_tickets *t = tls_tickets_new();
    struct keys_ticket keys[3], got[3];
    CHECK_EQ(tls_tickets_get(t, got), 0);
    REQUIRE(tls_tickets_derive(secret, 1000000, keys));
    tls_tickets_set(t, keys, 3);
    REQUIRE(tls_tickets_get(t, got) == 3);
    CHECK(memcmp(keys, got, sizeof(keys)) == 0);
    tls_tickets_set(t, keys + 1, 1);
    REQUIRE(tls_tickets_get(t, got) == 1);
    CHECK(memcmp(&keys[1], &got[0], sizeof(got[0])) == 0);
    tls_tickets_free(t);
}

TEST(connections_outlive_the_identity_that_they_were_shown)
{
    struct front f = front_new();
    struct setup *u = ask_front(&f, "box.test", false);
    front_free(&f);
    u->client.send_total = u->server.send_total = BIG_BYTES;
    send_more(&u->client);
    send_more(&u->server);
    run(u, 2000);
    CHECK_EQ(u->client.received, BIG_BYTES);
    CHECK_EQ(u->server.received, BIG_BYTES);
    setup_free(u);
}

static bool has_name(const char *common_name, const char *alt_names, const char *name)
{
    struct test_cert c = test_cert_of(common_name, alt_names);
    struct tls_identity *identity = NULL;
    REQUIRE(tls_identity_new(c.certificate, c.key, &identity) == TLS_FAULT_OK);
    bool has = tls_identity_has_name(identity, name);
    tls_identity_free(identity);
    return has;
}

TEST(identity_has_the_names_of_its_certificate_and_no_others)
{
    static const struct {
        const char *common_name, *alt_names, *name;
        bool has;
    } rows[] = {
        {"x.test", "DNS:a.test,DNS:b.test", "b.test", true},
        {"x.test", "DNS:a.test,DNS:b.test", "x.test", false}, /* RFC 6125, section 6.4.4 */
        {"x.test", "DNS:A.Test", "a.test", true},
        {"x.test", "DNS:*.a.test", "b.a.test", true},
        {"x.test", "DNS:*.a.test", "a.test", false},
        {"x.test", "DNS:*.a.test", ".a.test", false},
        {"x.test", "DNS:*.a.test", "c.b.a.test", false},
        {"x.test", "DNS:*.a.test", "*.a.test", false}, /* no host has a star */
        {"x.test", "DNS:*.test", "a.test", false},
        {"x.test", "DNS:b*.a.test", "bc.a.test", false},
        {"x.test", "IP:127.0.0.1", "x.test", true},
        {"x.test", NULL, "x.test", true},
        {"x.test", NULL, "y.test", false},
    };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_EQ(has_name(rows[i].common_name, rows[i].alt_names, rows[i].name), rows[i].has);
}

/* An established pair whose client takes nothing any more: what the server writes lies below it. */
static struct setup *records_begin(void)
{
    struct setup *u = plain_setup();
    start(u, FAKE_CAPACITY_MAX, "box.test");
    run(u, 50);
    u->low_client.stream.on_event = NULL;
    u->low_client.in_n = 0;
    return u;
}

/* The lengths of the records that the server has written since the last call, without what TLS 1.3
 * adds to each. */
static unsigned records(struct setup *u, unsigned *ret, unsigned max)
{
    enum { HEAD = 5, ADDED = 17 };
    unsigned n = 0;
    for (size_t at = 0; at < u->low_client.in_n; n++) {
        const uint8_t *head = u->low_client.in + at;
        REQUIRE(n < max && head[0] == 23);
        size_t len = (size_t)head[3] << 8 | head[4];
        ret[n] = (unsigned)len - ADDED;
        at += HEAD + len;
    }
    u->low_client.in_n = 0;
    return n;
}

TEST(first_records_are_short_and_so_they_are_after_a_pause)
{
    static const uint8_t bytes[50000];
    struct slice v = slice_of(bytes, 33000);
    unsigned sizes[40];
    struct setup *u = records_begin();
    for (unsigned round = 0; round < 2; round++) {
        CHECK_EQ(stream_write(u->server.s, &v, 1), v.len);
        CHECK_EQ(records(u, sizes, 40), 13);
        for (unsigned i = 0; i < 11; i++)
            CHECK_EQ(sizes[i], TLS_SHORT_RECORD_BYTES);
        CHECK_EQ(sizes[11], TLS_BUFFER_BYTES);
        CHECK_EQ(sizes[12], v.len - 11 * TLS_SHORT_RECORD_BYTES - TLS_BUFFER_BYTES);
        run(u, TLS_FRESH_IDLE_MS * 1000 / WHEEL_TICK_US / 2);
        CHECK_EQ(stream_write(u->server.s, &v, 1), v.len);
        CHECK_EQ(records(u, sizes, 40), 3); /* the pause was not long enough */
        run(u, TLS_FRESH_IDLE_MS * 1000 / WHEEL_TICK_US + 2);
    }
    setup_free(u);
}

TEST(slices_of_one_write_share_records)
{
    static const uint8_t bytes[4000];
    const struct slice v[] = {slice_of(bytes, 9),    slice_of(bytes, 1000), slice_of(bytes, 0),
                              slice_of(bytes, 2000), slice_of(bytes, 9),    slice_of(bytes, 300)};
    unsigned sizes[10];
    struct setup *u = records_begin();
    CHECK_EQ(stream_write(u->server.s, v, 2), 1009);
    CHECK_EQ(records(u, sizes, 10), 1);
    CHECK_EQ(sizes[0], 1009);
    CHECK_EQ(stream_write(u->server.s, v, 6), 3318);
    CHECK_EQ(records(u, sizes, 10), 3);
    CHECK_EQ(sizes[0], TLS_SHORT_RECORD_BYTES);
    CHECK_EQ(sizes[2], 3318 - 2 * TLS_SHORT_RECORD_BYTES);
    setup_free(u);
}

TEST(bytes_of_many_slices_arrive_in_their_order)
{
    uint8_t bytes[3000];
    struct slice v[60];
    struct setup *u = plain_setup();
    start(u, 700, "box.test");
    run(u, 100);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = pattern_at(i);
    for (unsigned i = 0; i < 60; i++)
        v[i] = slice_of(bytes + i * 50, 50);
    CHECK_EQ(stream_write(u->server.s, v, 60), sizeof(bytes));
    run(u, 100);
    CHECK_EQ(u->client.received, sizeof(bytes));
    CHECK(!u->client.is_wrong);
    setup_free(u);
}

TEST(identity_knows_its_names)
{
    struct front f = front_new();
    CHECK(tls_identity_has_name(f.ours, "box.test"));
    CHECK(!tls_identity_has_name(f.ours, "other.test"));
    CHECK(!tls_identity_has_name(f.ours, ""));
    front_free(&f);
}

UNIT_MAIN("dataplane/tls", T(bytes_pass_both_ways_intact),
          T(bytes_pass_through_a_lower_stream_of_seventeen_bytes),
          T(bytes_pass_when_the_lower_stream_is_shorter_than_a_record),
          T(writer_is_held_back_by_a_reader_that_does_not_consume),
          T(writer_is_told_of_room_however_much_there_was), T(no_event_comes_from_inside_a_call),
          T(close_notify_both_ways_is_an_orderly_end), T(end_without_close_notify_is_truncation),
          T(what_came_before_a_truncation_is_read_before_its_end),
          T(release_still_sends_what_was_written_through_a_narrow_lower_stream),
          T(released_stream_whose_peer_takes_nothing_is_let_go_in_time),
          T(release_with_unread_plaintext_is_a_reset), T(stream_may_be_released_in_its_event),
          T(silent_client_is_given_up_in_time),
          T(garbage_instead_of_a_handshake_is_a_protocol_error),
          T(client_certificate_of_the_ca_is_known_by_its_subject),
          T(optional_client_certificate_may_be_missing),
          T(client_certificate_of_a_strange_ca_ends_the_handshake),
          T(client_without_our_protocol_is_refused),
          T(of_several_protocols_the_servers_first_is_chosen),
          T(client_refuses_a_wrong_name_and_a_strange_ca),
          T(a_client_meets_who_has_one_of_the_names_by_the_ca),
          T(a_client_shows_its_identity_to_who_asks),
          T(bad_configuration_is_refused_with_its_reason), T(server_name_chooses_who_is_shown),
          T(a_front_lets_in_whom_the_trust_of_the_name_knows),
          T(a_server_s_own_certificate_is_a_bundle_and_what_is_no_pem_is_not),
          T(each_end_of_a_handshake_is_told_once),
          T(a_client_that_takes_new_keys_again_and_again_is_cut_off),
          T(ticket_keys_of_neighbouring_epochs_overlap), T(ticket_keys_are_read_as_they_were_set),
          T(connections_outlive_the_identity_that_they_were_shown), T(identity_knows_its_names),
          T(identity_has_the_names_of_its_certificate_and_no_others),
          T(first_records_are_short_and_so_they_are_after_a_pause),
          T(slices_of_one_write_share_records), T(bytes_of_many_slices_arrive_in_their_order))
