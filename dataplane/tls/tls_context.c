/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What connections share: certificate, key, trust, protocol versions. TLS 1.2 and 1.3 with forward
 * secrecy and AEAD only; no renegotiation, no compression. No session is resumed: what a context
 * guards is the management API, where a handshake more costs nothing, and a ticket key is a secret
 * less to keep.
 */
#include "tls/tls_identity.h"
#include "tls/tls_priv.h"
#include "tls/tls_trust.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/names.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

/* The shorter key first: SHA-256, which goes with it, is quicker where a CPU has it built in, and a
 * handshake hashes a lot. Clients without AES in their CPU say so, and get ChaCha20. */
static const char ciphers_tls12[] = "ECDHE+AES128+AESGCM:ECDHE+AESGCM:ECDHE+CHACHA20";
static const char ciphers_tls13[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
/* OpenSSL 3.5 and later. With `*` a client sends shares of both kinds, so no server asks again. */
static const char groups_of_today[] = "*X25519MLKEM768:*X25519:P-256:P-384";
static const char groups_of_old[] = "X25519:P-256:P-384";

const char *tls_fault_name(enum tls_fault fault)
{
    static const char *const names[] = {TLS_FAULT_LIST(X_NAME)};
    ASSERT((unsigned)fault < array_len(names));
    return names[fault];
}

const char *tls_fault_help(enum tls_fault fault)
{
    static const char *const helps[] = {TLS_FAULT_LIST(X_TEXT)};
    ASSERT((unsigned)fault < array_len(helps));
    return helps[fault];
}

/* An encrypted key must not make the library ask at the terminal. */
int tls_no_password(char *buf, int size, int for_writing, void *arg)
{
    return -1;
}

BIO *tls_pem_bio(struct slice pem)
{
    return BIO_new_mem_buf(pem.ptr != NULL ? (const void *)pem.ptr : "", (int)pem.len);
}

/* What the context shows to every peer. */
static enum tls_fault use_identity(SSL_CTX *ctx, struct slice certificate_chain,
                                   struct slice private_key)
{
    struct tls_identity *identity;
    enum tls_fault fault = tls_identity_new(certificate_chain, private_key, &identity);
    if (fault != TLS_FAULT_OK)
        return fault;
    if (SSL_CTX_use_cert_and_key(ctx, identity->leaf, identity->key, identity->chain, 1) != 1)
        fault = TLS_FAULT_CERTIFICATE;
    tls_identity_free(identity);
    return fault;
}

/* What the peer's certificate must lead to. `is_server`: also tells clients which CAs we know. */
static enum tls_fault trust(SSL_CTX *ctx, struct slice pem, bool is_server)
{
    struct tls_trust *trust;
    enum tls_fault fault = tls_trust_new(pem, &trust);
    if (fault != TLS_FAULT_OK)
        return fault;
    if (SSL_CTX_set1_verify_cert_store(ctx, trust->store) != 1)
        fault = TLS_FAULT_MEMORY;
    if (is_server)
        SSL_CTX_set_client_CA_list(ctx, SSL_dup_CA_list(trust->names));
    tls_trust_free(trust);
    return fault;
}

/* The first of ours that is offered. RFC 7301, section 3.2: none in common is an alert. */
static int select_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
                       const unsigned char *offered, unsigned offered_len, void *arg)
{
    const struct tls_context *context = arg;
    unsigned char *found = NULL;
    if (SSL_select_next_proto(&found, ret_len, context->alpn, context->alpn_len, offered,
                              offered_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret = found;
    return SSL_TLSEXT_ERR_OK;
}

/* "h2,http/1.1" as it goes over the wire. */
static bool set_alpn(struct tls_context *context, const char *names)
{
    for (const char *name = names; name != NULL;) {
        const char *comma = strchr(name, ',');
        size_t len = comma != NULL ? (size_t)(comma - name) : strlen(name);
        uint8_t *to = context->alpn + context->alpn_len;
        if (len == 0 || len >= TLS_ALPN_BYTES_MAX ||
            len >= sizeof(context->alpn) - context->alpn_len)
            return false;
        to[0] = (uint8_t)len;
        memcpy(to + 1, name, len);
        context->alpn_len += (unsigned)len + 1;
        name = comma != NULL ? comma + 1 : NULL;
    }
    return true;
}

/* A library that does not know a group, or what `*` means, refuses the whole list. */
static bool set_groups(SSL_CTX *ctx)
{
    if (SSL_CTX_set1_groups_list(ctx, groups_of_today) == 1)
        return true;
    ERR_clear_error();
    return SSL_CTX_set1_groups_list(ctx, groups_of_old) == 1;
}

/* The server hello that asks for a second client hello has this for its random (RFC 8446, section
 * 4.1.3): SHA-256 of "HelloRetryRequest". */
static bool is_retry(const uint8_t *message, size_t len)
{
    static const uint8_t random[] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
                                     0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
                                     0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
                                     0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};
    enum { RANDOM = 6 }; /* behind the message's head and the version */
    return len >= RANDOM + sizeof(random) && message[0] == SSL3_MT_SERVER_HELLO &&
           memcmp(message + RANDOM, random, sizeof(random)) == 0;
}

/* The library counts empty records and warnings, but not new keys, nor how often they were refused
 * (a renegotiation of 1.2). */
static void on_message(int is_sent, int version, int type, const void *bytes, size_t len, SSL *ssl,
                       void *arg)
{
    struct tls_stream *t = arg;
    const uint8_t *message = bytes;
    if (!is_sent && type == SSL3_RT_HANDSHAKE && len > 0 && message[0] == SSL3_MT_KEY_UPDATE)
        t->n_updates++;
    if (is_sent && type == SSL3_RT_ALERT && len == 2 && message[1] == SSL_AD_NO_RENEGOTIATION)
        t->n_updates++;
    if (is_sent && type == SSL3_RT_HANDSHAKE && t->context->front != NULL && is_retry(message, len))
        tls_hello_expect(t);
}

static bool set_common(SSL_CTX *ctx)
{
    SSL_CTX_set_msg_callback(ctx, on_message);
    tls_keylog_use(ctx);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ctx, ciphers_tls12) == 1 &&
           SSL_CTX_set_ciphersuites(ctx, ciphers_tls13) == 1 && set_groups(ctx) &&
           SSL_CTX_set_num_tickets(ctx, 0) == 1;
}

enum tls_fault tls_context_new(const SSL_METHOD *ssl_method, const char *alpn,
                               struct tls_context **ret)
{
    struct tls_context *context = calloc(1, sizeof(*context));
    if (context == NULL)
        return TLS_FAULT_MEMORY;
    context->ssl = SSL_CTX_new(ssl_method);
    if (context->ssl == NULL) {
        free(context);
        return TLS_FAULT_MEMORY;
    }
    if (!set_common(context->ssl) || !set_alpn(context, alpn)) {
        tls_context_free(context);
        return TLS_FAULT_CONFIG;
    }
    if (context->alpn_len > 0)
        SSL_CTX_set_alpn_select_cb(context->ssl, select_alpn, context);
    *ret = context;
    return TLS_FAULT_OK;
}

static enum tls_fault finish(enum tls_fault fault, struct tls_context *context,
                             struct tls_context **ret)
{
    ERR_clear_error();
    if (fault == TLS_FAULT_OK)
        *ret = context;
    else
        tls_context_free(context);
    return fault;
}

enum tls_fault tls_server_new(const struct tls_server_config *config, struct tls_context **ret)
{
    struct tls_context *context = NULL;
    enum tls_fault fault = tls_context_new(TLS_server_method(), config->alpn, &context);
    if (fault != TLS_FAULT_OK)
        return fault;
    fault = use_identity(context->ssl, config->certificate_chain, config->private_key);
    if (fault == TLS_FAULT_OK && config->client_auth != TLS_CLIENT_AUTH_NONE) {
        int verify = SSL_VERIFY_PEER;
        if (config->client_auth == TLS_CLIENT_AUTH_REQUIRED)
            verify |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
        SSL_CTX_set_verify(context->ssl, verify, NULL);
        fault = trust(context->ssl, config->client_ca, true);
    }
    return finish(fault, context, ret);
}

enum tls_fault tls_client_new(const struct tls_client_config *config, struct tls_context **ret)
{
    struct tls_context *context = NULL;
    enum tls_fault fault = tls_context_new(TLS_client_method(), config->alpn, &context);
    if (fault != TLS_FAULT_OK)
        return fault;
    if (config->ca.len > 0) {
        SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, NULL);
        fault = trust(context->ssl, config->ca, false);
    }
    if (fault == TLS_FAULT_OK && config->certificate_chain.len > 0)
        fault = use_identity(context->ssl, config->certificate_chain, config->private_key);
    if (fault == TLS_FAULT_OK && context->alpn_len > 0 &&
        SSL_CTX_set_alpn_protos(context->ssl, context->alpn, context->alpn_len) != 0)
        fault = TLS_FAULT_CONFIG;
    return finish(fault, context, ret);
}

void tls_thread_done(void)
{
    tls_identity_thread_done();
    OPENSSL_thread_stop();
}

void tls_context_free(struct tls_context *context)
{
    if (context == NULL)
        return;
    SSL_CTX_free(context->ssl);
    EVP_CIPHER_free(context->ticket_cipher);
    free(context);
}
