/* SPDX-License-Identifier: Apache-2.0 */
/* OCSP responses that a front shows: when they count, to who asks, of the right certificate. */
#include "fake_pair.h"
#include "test_certs.h"

#include "base/wheel.h"
#include "tls/tls.h"
#include "tls/tls_identity.h"
#include "tls/tls_priv.h"
#include "unit.h"

#include <openssl/ocsp.h>
#include <stdlib.h>
#include <string.h>

#define FROM_S 1700000000
#define FOR_S 3600

static struct tls_identity *identity;
static uint64_t now_s;

static void pick(void *arg, const char *server_name, struct tls_choice *ret)
{
    ret->identities[ret->n++] = identity;
    ret->unix_s = now_s;
}

static void on_handshake(void *arg, enum tls_handshake end)
{
    CHECK_EQ(end, TLS_HANDSHAKE_full);
}

static struct slice join(struct slice a, struct slice b)
{
    uint8_t *both = malloc(a.len + b.len);
    memcpy(both, a.ptr, a.len);
    memcpy(both + a.len, b.ptr, b.len);
    return slice_of(both, a.len + b.len);
}

/* The server's identity with that behind its chain. */
static enum tls_fault load(struct slice staple)
{
    const struct test_certs *c = test_certs();
    struct slice chain = join(c->server.certificate, staple);
    tls_identity_free(identity);
    identity = NULL;
    enum tls_fault fault = tls_identity_new(chain, c->server.key, &identity);
    free((void *)(uintptr_t)chain.ptr);
    return fault;
}

/* How many bytes of a response a client gets; 0: none. */
static size_t shown_to(bool is_asking)
{
    static const struct tls_front_ops ops = {.pick = pick, .on_handshake = on_handshake};
    struct tls_client_config config = {.ca = test_certs()->ca.certificate};
    struct tls_context *front, *client;
    struct fake_end low_client, low_server;
    struct wheel wheel;
    const unsigned char *got = NULL;
    REQUIRE(tls_front_new(NULL, &ops, NULL, &front) == TLS_FAULT_OK);
    REQUIRE(tls_client_new(&config, &client) == TLS_FAULT_OK);
    wheel_init(&wheel, 0);
    fake_join(&low_client, &low_server, FAKE_CAPACITY_MAX);
    struct stream *c = tls_connect(client, &low_client.stream, &wheel, "box.test");
    struct stream *s = tls_accept_by_name(front, &low_server.stream, &wheel, NULL);
    if (is_asking)
        SSL_set_tlsext_status_type(tls_of(c)->ssl, TLSEXT_STATUSTYPE_ocsp);
    for (unsigned i = 1; i < 10; i++) {
        wheel_run(&wheel, i * WHEEL_TICK_US, 10);
        fake_dispatch(&low_client);
        fake_dispatch(&low_server);
    }
    CHECK(tls_is_established(c) && tls_is_established(s));
    long n = SSL_get_tlsext_status_ocsp_resp(tls_of(c)->ssl, &got);
    OCSP_RESPONSE *read = got != NULL ? d2i_OCSP_RESPONSE(NULL, &got, n) : NULL;
    CHECK((n > 0) == (read != NULL));
    OCSP_RESPONSE_free(read);
    stream_release(c);
    stream_release(s);
    wheel_run(&wheel, 100 * WHEEL_TICK_US, 10);
    wheel_run(&wheel, TLS_LINGER_MS_MAX * 2000, 10);
    tls_context_free(front);
    tls_context_free(client);
    return n > 0 ? (size_t)n : 0;
}

TEST(response_is_shown_while_it_counts_to_who_asks)
{
    REQUIRE(load(test_staple(false, false, FROM_S, FOR_S)) == TLS_FAULT_OK);
    static const struct {
        uint64_t now_s;
        bool is_asking, is_shown;
    } rows[] = {{FROM_S - 1, true, false},        {FROM_S, true, true},
                {FROM_S + FOR_S - 1, true, true}, {FROM_S + FOR_S, true, false},
                {FROM_S, false, false},           {0, true, false}};
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        now_s = rows[i].now_s;
        CHECK_EQ(shown_to(rows[i].is_asking) > 0, rows[i].is_shown);
    }
    tls_identity_free(identity);
    identity = NULL;
}

TEST(identity_without_a_response_shows_none)
{
    REQUIRE(load(slice_of_str("")) == TLS_FAULT_OK);
    now_s = FROM_S;
    CHECK_EQ(shown_to(true), 0);
    tls_identity_free(identity);
    identity = NULL;
}

TEST(response_that_does_not_call_the_certificate_good_is_refused)
{
    CHECK_EQ(load(test_staple(true, false, FROM_S, FOR_S)), TLS_FAULT_STAPLE);
    CHECK_EQ(load(test_staple(false, true, FROM_S, FOR_S)), TLS_FAULT_STAPLE);
    CHECK_EQ(load(test_staple(false, false, FROM_S, -1)), TLS_FAULT_STAPLE);
    CHECK_EQ(load(slice_of_str("-----BEGIN OCSP RESPONSE-----\nAAAA\n"
                               "-----END OCSP RESPONSE-----\n")),
             TLS_FAULT_STAPLE);
    CHECK(identity == NULL);
}

UNIT_MAIN("dataplane/tls_staple", T(response_is_shown_while_it_counts_to_who_asks),
          T(identity_without_a_response_shows_none),
          T(response_that_does_not_call_the_certificate_good_is_refused))
