/* SPDX-License-Identifier: Apache-2.0 */
/* What a front does until its client's hello is whole: the library sees nothing of it. */
#include "fake_pair.h"
#include "test_certs.h"

#include "base/wheel.h"
#include "tls/tls.h"
#include "tls/tls_identity.h"
#include "tls/tls_priv.h"
#include "unit.h"

#include <string.h>

struct world {
    struct wheel wheel;
    uint64_t now_us;
    struct fake_end client, lower; /* the client is this test */
    struct stream *server;
    struct tls_context *front;
    unsigned ends[TLS_HANDSHAKE_lost + 1];
    unsigned events;
};

static struct tls_identity *identity;

static void pick(void *arg, const char *server_name, struct tls_choice *ret)
{
    ret->identities[ret->n++] = identity;
}

static void on_handshake(void *arg, enum tls_handshake end)
{
    struct world *w = arg;
    w->ends[end]++;
}

static void on_event(struct stream *s, unsigned events)
{
    struct world *w = s->owner;
    w->events |= events;
}

static void world_init(struct world *w)
{
    static const struct tls_front_ops ops = {.pick = pick, .on_handshake = on_handshake};
    const struct test_cert *cert = &test_certs()->server;
    memset(w, 0, sizeof(*w));
    wheel_init(&w->wheel, 0);
    fake_join(&w->client, &w->lower, FAKE_CAPACITY_MAX);
    REQUIRE(tls_identity_new(cert->certificate, cert->key, &identity) == TLS_FAULT_OK);
    REQUIRE(tls_front_new(NULL, &ops, NULL, &w->front) == TLS_FAULT_OK);
    w->server = tls_accept_by_name(w->front, &w->lower.stream, &w->wheel, w);
    REQUIRE(w->server != NULL);
    w->server->owner = w;
    w->server->on_event = on_event;
}

static void world_done(struct world *w)
{
    stream_release(w->server);
    if (!w->client.is_released)
        stream_release(&w->client.stream);
    tls_context_free(w->front);
    tls_identity_free(identity);
}

static void say(struct world *w, const void *bytes, size_t n)
{
    struct slice v = slice_of(bytes, n);
    REQUIRE(stream_write(&w->client.stream, &v, 1) == n);
    w->now_us += WHEEL_TICK_US;
    fake_dispatch(&w->lower);
    wheel_run(&w->wheel, w->now_us, 100);
}

static uint64_t seen_by_library(const struct world *w)
{
    return BIO_number_read(SSL_get_rbio(tls_of(w->server)->ssl));
}

/* What the front said, of which the first bytes are `first`. */
static bool has_said(struct world *w, const void *first, size_t n)
{
    fake_dispatch(&w->client);
    return w->client.in_n >= n && memcmp(w->client.in, first, n) == 0;
}

/* A hello of the library's, in one record. */
static size_t write_hello(uint8_t *ret, size_t room)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl);
    SSL_do_handshake(ssl);
    int n = BIO_read(SSL_get_wbio(ssl), ret, (int)room);
    SSL_free(ssl);
    SSL_CTX_free(context);
    return n > 0 ? (size_t)n : 0;
}

TEST(library_gets_a_hello_when_its_last_byte_is_there)
{
    static const uint8_t answer[] = {SSL3_RT_HANDSHAKE, 3, 3};
    static struct world w;
    uint8_t hello[4096];
    world_init(&w);
    size_t n = write_hello(hello, sizeof(hello));
    for (size_t i = 0; i + 1 < n; i++) {
        say(&w, hello + i, 1);
        CHECK_EQ(seen_by_library(&w), 0);
        CHECK_EQ(stream_readable(&w.lower.stream), 0); /* nor does it wait below */
    }
    CHECK(tls_of(w.server)->raw_room <= 2 * n);
    say(&w, hello + n - 1, 1);
    CHECK_EQ(seen_by_library(&w), n);
    CHECK(has_said(&w, answer, sizeof(answer)));
    CHECK(tls_of(w.server)->raw == NULL);
    world_done(&w);
}

TEST(hello_that_will_be_too_long_is_refused_by_its_head)
{
    static const uint8_t head[] = {SSL3_RT_HANDSHAKE,    3, 1,    0x40, 0,
                                   SSL3_MT_CLIENT_HELLO, 1, 0xff, 0};
    static const uint8_t alert[] = {SSL3_RT_ALERT, 3, 3, 0, 2, 2, SSL_AD_ILLEGAL_PARAMETER};
    static struct world w;
    world_init(&w);
    say(&w, head, sizeof(head) - 1);
    CHECK_EQ(w.ends[TLS_HANDSHAKE_broken], 0);
    say(&w, head + sizeof(head) - 1, 1);
    CHECK_EQ(w.ends[TLS_HANDSHAKE_broken], 1);
    CHECK_EQ(seen_by_library(&w), 0);
    CHECK(has_said(&w, alert, sizeof(alert)));
    CHECK_STR(tls_error(w.server), "the client hello is too long");
    world_done(&w);
}

TEST(library_has_one_look_at_what_is_no_hello)
{
    static const uint8_t longer[] = {SSL3_RT_HANDSHAKE, 3, 1, 0x40, 1, 1, 0, 0, 9, 3, 3};
    static const uint8_t alert[] = {SSL3_RT_ALERT, 3, 3, 0, 2, 2, SSL_AD_RECORD_OVERFLOW};
    static struct world w;
    world_init(&w);
    say(&w, longer, sizeof(longer)); /* it would wait for all 16,385 bytes of the record */
    CHECK_EQ(w.ends[TLS_HANDSHAKE_broken], 1);
    CHECK_EQ(tls_of(w.server)->state, TLS_OVER);
    CHECK(has_said(&w, alert, sizeof(alert)));
    world_done(&w);
}

UNIT_MAIN("dataplane/tls_hello", T(library_gets_a_hello_when_its_last_byte_is_there),
          T(hello_that_will_be_too_long_is_refused_by_its_head),
          T(library_has_one_look_at_what_is_no_hello))
