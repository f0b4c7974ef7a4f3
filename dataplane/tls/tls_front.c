/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server of many names: the client hello chooses who it is, and sessions are resumed by tickets,
 * so that no state is kept and every worker, and every box with the same keys, knows them. What a
 * ticket resumes is still shown nobody's certificate but the name's: the library compares names.
 */
#include "tls/tls_priv.h"

#include "base/assert.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdlib.h>

/* Tells a ticket of ours from those of the management API, were there any. */
static const unsigned char session_context[] = "sluice front";

void tls_tell_handshake(struct tls_stream *t, enum tls_handshake end)
{
    if (t->context->front != NULL && !t->is_released)
        t->context->front->on_handshake(t->pick_arg, end);
}

enum tls_handshake tls_handshake_fault(void)
{
    int reason = ERR_GET_REASON(ERR_peek_error());
    if (reason == 0 || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return TLS_HANDSHAKE_lost;
    if (reason >= SSL_AD_REASON_OFFSET)
        return TLS_HANDSHAKE_peer_alert;
    switch (reason) {
    case SSL_R_CALLBACK_FAILED:
        return TLS_HANDSHAKE_unknown_name;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_APPLICATION_PROTOCOL:
        return TLS_HANDSHAKE_no_common;
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
        return TLS_HANDSHAKE_garbage;
    default:
        return TLS_HANDSHAKE_broken;
    }
}

/* RFC 6066, section 3: names are host names, whose case does not matter. False: no memory. */
static bool note_server_name(struct tls_stream *t)
{
    const char *name = SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name);
    if (name == NULL)
        return true;
    free(t->server_name); /* a second hello (RFC 8446, section 4.1.2) says it again */
    t->server_name = strdup(name);
    for (char *c = t->server_name; c != NULL && *c != '\0'; c++)
        *c = (char)ascii_lower((uint8_t)*c);
    return t->server_name != NULL;
}

/* The client hello has come: whom does it want? */
static int on_server_name(SSL *ssl, int *ret_alert, void *arg)
{
    struct tls_stream *t = SSL_get_app_data(ssl);
    struct tls_choice choice = {.n = 0};
    *ret_alert = SSL_AD_INTERNAL_ERROR;
    if (!note_server_name(t))
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    t->context->front->pick(t->pick_arg, tls_server_name(&t->stream), &choice);
    ASSERT(choice.n <= TLS_IDENTITIES_MAX);
    *ret_alert = SSL_AD_UNRECOGNIZED_NAME;
    for (unsigned i = 0; i < choice.n; i++) {
        const struct tls_identity *identity = choice.identities[i];
        *ret_alert = SSL_AD_INTERNAL_ERROR;
        if (SSL_use_cert_and_key(ssl, identity->leaf, identity->key, identity->chain, 1) != 1)
            return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    return choice.n > 0 ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool set_mac(EVP_MAC_CTX *mac, const struct keys_ticket *key)
{
    static char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->mac,
                                          sizeof(key->mac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int seal(const struct tls_context *context, const struct keys_ticket *key,
                unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    memcpy(name, key->name, sizeof(key->name));
    bool done = RAND_bytes(iv, EVP_CIPHER_get_iv_length(context->ticket_cipher)) == 1 &&
                EVP_EncryptInit_ex2(cipher, context->ticket_cipher, key->cipher, iv, NULL) == 1 &&
                set_mac(mac, key);
    return done ? 1 : -1;
}

/* 1: as it is; 2: and the client gets a new one, for the key is no more the first. */
static int unseal(const struct tls_context *context, const struct keys_ticket *keys, unsigned n,
                  const unsigned char *name, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
                  EVP_MAC_CTX *mac)
{
    for (unsigned i = 0; i < n; i++) {
        const struct keys_ticket *key = &keys[i];
        if (memcmp(name, key->name, sizeof(key->name)) != 0)
            continue;
        bool done =
            EVP_DecryptInit_ex2(cipher, context->ticket_cipher, key->cipher, iv, NULL) == 1 &&
            set_mac(mac, key);
        return !done ? -1 : i == 0 ? 1 : 2;
    }
    return 0; /* not ours: a full handshake */
}

int tls_on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                  EVP_MAC_CTX *mac, int is_sealing)
{
    const struct tls_stream *t = SSL_get_app_data(ssl);
    struct keys_ticket keys[KEYS_TICKETS_MAX];
    unsigned n = tls_tickets_get(t->context->tickets, keys);
    int result = 0;
    if (is_sealing && n > 0)
        result = seal(t->context, &keys[0], name, iv, cipher, mac);
    else if (!is_sealing)
        result = unseal(t->context, keys, n, name, iv, cipher, mac);
    OPENSSL_cleanse(keys, sizeof(keys));
    return result;
}

bool tls_has_tickets(const struct tls_stream *t)
{
    struct keys_ticket keys[KEYS_TICKETS_MAX];
    if (t->context->tickets == NULL)
        return false;
    unsigned n = tls_tickets_get(t->context->tickets, keys);
    OPENSSL_cleanse(keys, sizeof(keys));
    return n > 0;
}

/* One ticket a handshake: a client that wants more connections at once may use it for all. */
static bool set_tickets(struct tls_context *context)
{
    SSL_CTX *ctx = context->ssl;
    if (context->tickets == NULL)
        return true;
    context->ticket_cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    SSL_CTX_clear_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_timeout(ctx, TLS_TICKET_EPOCH_S);
    return context->ticket_cipher != NULL && SSL_CTX_set_num_tickets(ctx, 1) == 1 &&
           SSL_CTX_set_session_id_context(ctx, session_context, sizeof(session_context) - 1) == 1 &&
           SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, tls_on_ticket) == 1;
}

enum tls_fault tls_front_new(const char *alpn, const struct tls_front_ops *ops,
                             const struct tls_tickets *tickets, struct tls_context **ret)
{
    struct tls_context *context = NULL;
    enum tls_fault fault = tls_context_new(TLS_server_method(), alpn, &context);
    if (fault != TLS_FAULT_OK)
        return fault;
    context->front = ops;
    context->tickets = tickets;
    SSL_CTX_set_tlsext_servername_callback(context->ssl, on_server_name);
    if (!set_tickets(context)) {
        tls_context_free(context);
        return TLS_FAULT_CONFIG;
    }
    *ret = context;
    return TLS_FAULT_OK;
}
