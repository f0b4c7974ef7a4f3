/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server of many names: the client hello chooses who it is, and sessions are resumed by tickets,
 * so that no state is kept and every worker, and every box with the same keys, knows them. Who has
 * a ticket is not shown a certificate again, nor asked for one: so it counts only where the same is
 * asked of clients as where it was given (tls_ask_client()).
 */
#include "tls/tls_priv.h"

#include "base/assert.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdlib.h>

void tls_tell_handshake(struct tls_stream *t, enum tls_handshake end)
{
    if (t->context->front != NULL && !t->is_released)
        t->context->front->on_handshake(t->pick_arg, end);
}

enum tls_handshake tls_handshake_fault(const struct tls_stream *t)
{
    int reason = ERR_GET_REASON(ERR_peek_error());
    if (reason == 0 || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return TLS_HANDSHAKE_lost;
    if (reason >= SSL_AD_REASON_OFFSET)
        return TLS_HANDSHAKE_peer_alert;
    switch (reason) {
    case SSL_R_CALLBACK_FAILED:
        return t->hello_fault;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_APPLICATION_PROTOCOL:
        return TLS_HANDSHAKE_no_common;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return TLS_HANDSHAKE_no_certificate;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
        return TLS_HANDSHAKE_bad_certificate;
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
        return TLS_HANDSHAKE_garbage;
    default:
        return TLS_HANDSHAKE_broken;
    }
}

/* The one name of a server_name extension (RFC 6066, section 3), which the library will look at
 * again; empty: there is none. False: it is no such extension. */
static bool read_server_name(SSL *ssl, struct slice *ret)
{
    enum { LIST = 0, TYPE = 2, LENGTH = 3, NAME = 5, NAME_BYTES_MAX = 255 };
    const unsigned char *p;
    size_t n;
    *ret = (struct slice){NULL, 0};
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &n) != 1)
        return true;
    if (n <= NAME || (size_t)(p[LIST] << 8 | p[LIST + 1]) != n - TYPE ||
        p[TYPE] != TLSEXT_NAMETYPE_host_name ||
        (size_t)(p[LENGTH] << 8 | p[LENGTH + 1]) != n - NAME)
        return false;
    *ret = slice_of(p + NAME, n - NAME);
    return ret->len <= NAME_BYTES_MAX && memchr(ret->ptr, '\0', ret->len) == NULL;
}

/* Names are host names, whose case does not matter. False: no memory. */
static bool note_server_name(struct tls_stream *t, struct slice name)
{
    ASSERT(t->server_name == NULL);
    if (name.len == 0)
        return true;
    t->server_name = strndup((const char *)name.ptr, name.len);
    for (char *c = t->server_name; c != NULL && *c != '\0'; c++)
        *c = (char)ascii_lower((uint8_t)*c);
    return t->server_name != NULL;
}

static bool use(SSL *ssl, const struct tls_choice *choice)
{
    ASSERT(choice->n <= TLS_IDENTITIES_MAX);
    for (unsigned i = 0; i < choice->n; i++) {
        const struct tls_identity *identity = choice->identities[i];
        if (SSL_use_cert_and_key(ssl, identity->leaf, identity->key, identity->chain, 1) != 1)
            return false;
    }
    return tls_ask_client(ssl, choice);
}

/*
 * The client hello has come: whom does it want? Not in the library's own callback for names, which
 * comes after a session was found for the client: by then nobody asks any more whether it was made
 * where clients have to show certificates.
 *
 * Where handshakes take turns, the worker's part ends here: the image is not asked again, neither
 * by the step that goes on nor for a second hello (RFC 8446, section 4.1.2), which says the same.
 */
static int on_client_hello(SSL *ssl, int *ret_alert, void *arg)
{
    struct tls_stream *t = SSL_get_app_data(ssl);
    struct tls_choice choice = {.n = 0};
    struct slice name;
    if (t->is_chosen)
        return SSL_CLIENT_HELLO_SUCCESS;
    ASSERT(!t->is_packed);
    t->is_chosen = true;
    t->none_alert = 0; /* a hello of SSL 2, maybe */
    *ret_alert = SSL_AD_DECODE_ERROR;
    t->hello_fault = TLS_HANDSHAKE_broken;
    if (!read_server_name(ssl, &name))
        return SSL_CLIENT_HELLO_ERROR;
    *ret_alert = SSL_AD_INTERNAL_ERROR;
    if (!note_server_name(t, name))
        return SSL_CLIENT_HELLO_ERROR;
    t->context->front->pick(t->pick_arg, tls_server_name(&t->stream), &choice);
    t->hello_s = choice.unix_s;
    *ret_alert = choice.n == 0 ? SSL_AD_UNRECOGNIZED_NAME : SSL_AD_INTERNAL_ERROR;
    t->hello_fault = choice.n == 0 ? TLS_HANDSHAKE_unknown_name : TLS_HANDSHAKE_lost;
    if (choice.n == 0 || !use(ssl, &choice))
        return SSL_CLIENT_HELLO_ERROR;
    return t->crypto != NULL ? SSL_CLIENT_HELLO_RETRY : SSL_CLIENT_HELLO_SUCCESS;
}

/* That the name counted is told to the client (RFC 6066, section 3), and kept in its session. */
static int on_server_name(SSL *ssl, int *ret_alert, void *arg)
{
    return SSL_TLSEXT_ERR_OK;
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

/* 1: as it is; 2: and the client gets a new one, for the key is no more the first, or because it
 * uses each only once (1.3: RFC 8446, appendix C.4). */
static int unseal(const struct tls_context *context, const struct keys_ticket *keys, unsigned n,
                  const unsigned char *name, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
                  EVP_MAC_CTX *mac, bool is_for_once)
{
    for (unsigned i = 0; i < n; i++) {
        const struct keys_ticket *key = &keys[i];
        if (memcmp(name, key->name, sizeof(key->name)) != 0)
            continue;
        bool done =
            EVP_DecryptInit_ex2(cipher, context->ticket_cipher, key->cipher, iv, NULL) == 1 &&
            set_mac(mac, key);
        return !done ? -1 : i == 0 && !is_for_once ? 1 : 2;
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
        result =
            unseal(t->context, keys, n, name, iv, cipher, mac, SSL_version(ssl) >= TLS1_3_VERSION);
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
    SSL_CTX_set_max_cert_list(context->ssl, TLS_CHAIN_BYTES_MAX);
    SSL_CTX_set_client_hello_cb(context->ssl, on_client_hello, NULL);
    SSL_CTX_set_tlsext_servername_callback(context->ssl, on_server_name);
    SSL_CTX_set_tlsext_status_cb(context->ssl, tls_on_status_request);
    if (!set_tickets(context)) {
        tls_context_free(context);
        return TLS_FAULT_CONFIG;
    }
    *ret = context;
    return TLS_FAULT_OK;
}
