/* SPDX-License-Identifier: Apache-2.0 */
/* See tls_peer.h. */
#include "tls_peer.h"

#include "test_certs.h"
#include "unit.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <string.h>

static void use_certificate(SSL *ssl)
{
    const struct test_cert *own = &test_certs()->server;
    BIO *certificate = BIO_new_mem_buf(own->certificate.ptr, (int)own->certificate.len);
    BIO *key = BIO_new_mem_buf(own->key.ptr, (int)own->key.len);
    X509 *x = PEM_read_bio_X509(certificate, NULL, NULL, NULL);
    EVP_PKEY *k = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
    REQUIRE(SSL_use_certificate(ssl, x) == 1 && SSL_use_PrivateKey(ssl, k) == 1);
    X509_free(x);
    EVP_PKEY_free(k);
    BIO_free(certificate);
    BIO_free(key);
}

void tls_peer_init(struct tls_peer *p, bool has_certificate)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    *p = (struct tls_peer){.ssl = SSL_new(context)};
    SSL_CTX_free(context);
    SSL_set_bio(p->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(p->ssl);
    if (has_certificate)
        use_certificate(p->ssl);
}

static void shake_hands(struct tls_peer *p)
{
    if (SSL_do_handshake(p->ssl) != 1)
        return;
    const char *name = SSL_get_servername(p->ssl, TLSEXT_NAMETYPE_host_name);
    snprintf(p->asked, sizeof(p->asked), "%s", name != NULL ? name : "");
    p->is_done = true;
}

static void talk(struct tls_peer *p)
{
    static const uint8_t much[4096];
    char byte;
    REQUIRE(p->talk_bytes <= sizeof(much));
    if (p->talk_bytes > 0)
        SSL_write(p->ssl, much, (int)p->talk_bytes);
    int n = SSL_read(p->ssl, &byte, 1);
    CHECK(n <= 0); /* a check says nothing */
    p->is_notified = p->talk_bytes == 0 && SSL_get_error(p->ssl, n) == SSL_ERROR_ZERO_RETURN;
    if (p->is_notified && !p->is_rude)
        SSL_shutdown(p->ssl);
}

void tls_peer_serve(struct tls_peer *p, struct fake_stream *f)
{
    char *bytes;
    struct slice written = fake_stream_written(f);
    if (p->is_over)
        return;
    BIO_write(SSL_get_rbio(p->ssl), written.ptr, (int)written.len);
    fake_stream_take(f, written.len);
    if (!p->is_done)
        shake_hands(p);
    if (p->is_done)
        talk(p);
    ERR_clear_error();
    long n = BIO_get_mem_data(SSL_get_wbio(p->ssl), &bytes);
    fake_stream_push(f, slice_of(bytes, (size_t)n));
    (void)BIO_reset(SSL_get_wbio(p->ssl));
    p->is_over = p->is_notified;
    if (p->is_over)
        fake_stream_push_eof(f);
}

void tls_peer_done(struct tls_peer *p)
{
    SSL_free(p->ssl);
}
