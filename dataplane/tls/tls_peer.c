/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that each meet a peer of their own: one context for all, and for each connection the CAs,
 * names and identity that it is told. Names are compared here, for the library knows hosts only.
 *
 * `sans` of a stream: for each name 'H' (host) or 'U' (URI), the name, NUL; and a NUL at the end.
 */
#include "tls/tls_priv.h"

#include "base/assert.h"
#include "tls/tls_trust.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

/* Is one of the certificate's URIs this one? */
static bool has_uri(const GENERAL_NAMES *names, const char *uri)
{
    int len = (int)strlen(uri);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_URI && ASN1_STRING_length(name->d.uniformResourceIdentifier) == len &&
            memcmp(ASN1_STRING_get0_data(name->d.uniformResourceIdentifier), uri, (size_t)len) == 0)
            return true;
    }
    return false;
}

/* RFC 9525: names that are meant for it count, a subject does not. */
static bool has_host(X509 *cert, const char *host)
{
    unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
    return X509_check_host(cert, host, 0, flags, NULL) == 1 ||
           X509_check_ip_asc(cert, host, 0) == 1;
}

static bool has_name(X509 *cert, const char *sans)
{
    bool found = false;
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    for (const char *san = sans; !found && *san != '\0'; san += strlen(san) + 1)
        found = *san == 'U' ? has_uri(names, san + 1) : has_host(cert, san + 1);
    GENERAL_NAMES_free(names);
    return found;
}

static int verify(X509_STORE_CTX *store, void *arg)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const struct tls_stream *t = SSL_get_app_data(ssl);
    ASSERT(t->sans != NULL);
    if (X509_verify_cert(store) != 1)
        return 0;
    if (has_name(X509_STORE_CTX_get0_cert(store), t->sans))
        return 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);
    return 0;
}

enum tls_fault tls_back_new(struct tls_context **ret)
{
    struct tls_context *context = NULL;
    enum tls_fault fault = tls_context_new(TLS_client_method(), NULL, &context);
    if (fault != TLS_FAULT_OK)
        return fault;
    SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(context->ssl, verify, NULL);
    *ret = context;
    return TLS_FAULT_OK;
}

static char *copy_sans(const struct tls_wanted_peer *peer)
{
    size_t bytes = 1;
    ASSERT(peer->n_sans >= 1 && peer->n_sans <= TLS_SANS_MAX);
    for (unsigned i = 0; i < peer->n_sans; i++)
        bytes += peer->sans[i].text.len + 2;
    char *all = calloc(1, bytes), *to = all;
    for (unsigned i = 0; all != NULL && i < peer->n_sans; i++) {
        const struct slice *text = &peer->sans[i].text;
        ASSERT(text->len <= TLS_SAN_BYTES_MAX && memchr(text->ptr, '\0', text->len) == NULL);
        *to++ = peer->sans[i].is_uri ? 'U' : 'H';
        memcpy(to, text->ptr, text->len);
        to += text->len + 1;
    }
    return all;
}

/* RFC 6066, section 3: an address is no server name. */
static bool ask_for(SSL *ssl, struct slice server_name)
{
    char name[TLS_SAN_BYTES_MAX + 1];
    ASSERT(server_name.len < sizeof(name));
    memcpy(name, server_name.ptr, server_name.len);
    name[server_name.len] = '\0';
    ASN1_OCTET_STRING *addr = a2i_IPADDRESS(name);
    bool is_addr = addr != NULL;
    ASN1_OCTET_STRING_free(addr);
    return is_addr || SSL_set_tlsext_host_name(ssl, name) == 1;
}

static bool offer(SSL *ssl, const char *protocol)
{
    uint8_t list[1 + TLS_ALPN_BYTES_MAX];
    size_t len = protocol != NULL ? strlen(protocol) : 0;
    ASSERT(len <= TLS_ALPN_BYTES_MAX);
    if (len == 0)
        return true;
    list[0] = (uint8_t)len;
    memcpy(list + 1, protocol, len);
    return SSL_set_alpn_protos(ssl, list, (unsigned)len + 1) == 0;
}

static bool show(SSL *ssl, const struct tls_identity *identity)
{
    return identity == NULL ||
           SSL_use_cert_and_key(ssl, identity->leaf, identity->key, identity->chain, 1) == 1;
}

bool tls_expect_peer(struct tls_stream *t, const struct tls_wanted_peer *peer)
{
    ASSERT(peer->trust != NULL && t->sans == NULL);
    t->sans = copy_sans(peer);
    bool is_done = t->sans != NULL && ask_for(t->ssl, peer->server_name) &&
                   SSL_set1_verify_cert_store(t->ssl, peer->trust->store) == 1 &&
                   offer(t->ssl, peer->alpn) && show(t->ssl, peer->identity);
    ERR_clear_error();
    return is_done;
}
