/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles of CA certificates, read from PEM, and connections that verify by one. */
#include "tls/tls_trust.h"

#include "base/assert.h"
#include "tls/digest.h"
#include "tls/tls_priv.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

/* The certificate is believed, and its name is one that clients may be told. */
static bool add(struct tls_trust *trust, X509 *ca)
{
    X509_NAME *name = X509_NAME_dup(X509_get_subject_name(ca));
    if (name == NULL || sk_X509_NAME_push(trust->names, name) == 0) {
        X509_NAME_free(name);
        return false;
    }
    return X509_STORE_add_cert(trust->store, ca) == 1;
}

/* Is the end of the text what the reader stopped at? */
static bool is_at_end(void)
{
    unsigned long code = ERR_peek_last_error();
    return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

static enum tls_fault read_all(struct slice pem, struct tls_trust *trust)
{
    BIO *bio = tls_pem_bio(pem);
    if (bio == NULL)
        return TLS_FAULT_MEMORY;
    unsigned n = 0;
    bool failed = false;
    ERR_clear_error();
    for (X509 *ca; !failed && (ca = PEM_read_bio_X509(bio, NULL, tls_no_password, NULL)) != NULL;
         n++) {
        failed = !add(trust, ca);
        X509_free(ca);
    }
    BIO_free(bio);
    return n > 0 && !failed && is_at_end() ? TLS_FAULT_OK : TLS_FAULT_CA;
}

enum tls_fault tls_trust_new(struct slice pem, struct tls_trust **ret)
{
    struct tls_trust *trust = calloc(1, sizeof(*trust));
    if (trust == NULL)
        return TLS_FAULT_MEMORY;
    trust->store = X509_STORE_new();
    trust->names = sk_X509_NAME_new_null();
    enum tls_fault fault = TLS_FAULT_MEMORY;
    if (trust->store != NULL && trust->names != NULL && digest_sha256(&pem, 1, trust->digest) &&
        X509_STORE_set_flags(trust->store, X509_V_FLAG_PARTIAL_CHAIN) == 1)
        fault = read_all(pem, trust);
    ERR_clear_error();
    if (fault == TLS_FAULT_OK)
        *ret = trust;
    else
        tls_trust_free(trust);
    return fault;
}

void tls_trust_free(struct tls_trust *trust)
{
    if (trust == NULL)
        return;
    X509_STORE_free(trust->store);
    sk_X509_NAME_pop_free(trust->names, X509_NAME_free);
    free(trust);
}

/* What the client says is noted, and nothing more: the session's verify result tells. */
static int let_in(int is_ok, X509_STORE_CTX *store)
{
    return 1;
}

/* What a bundle is asked for in this way; a session of one is resumed by no other. */
static bool set_session_context(SSL *ssl, const struct tls_choice *choice)
{
    static const char front[] = "sluice front";
    uint8_t auth = (uint8_t)choice->client_auth;
    const struct slice parts[] = {slice_of(front, sizeof(front)), slice_of(&auth, 1),
                                  choice->trust != NULL
                                      ? slice_of(choice->trust->digest, DIGEST_BYTES)
                                      : (struct slice){NULL, 0}};
    uint8_t digest[DIGEST_BYTES];
    static_assert(DIGEST_BYTES <= SSL_MAX_SID_CTX_LENGTH, "all of it is compared");
    return digest_sha256(parts, 3, digest) &&
           SSL_set_session_id_context(ssl, digest, sizeof(digest)) == 1;
}

static bool tell_names(SSL *ssl, const struct tls_trust *trust)
{
    if (sk_X509_NAME_num(trust->names) > (int)TLS_TRUST_NAMES_MAX)
        return true;
    STACK_OF(X509_NAME) *names = SSL_dup_CA_list(trust->names);
    SSL_set_client_CA_list(ssl, names);
    return names != NULL;
}

bool tls_ask_client(SSL *ssl, const struct tls_choice *choice)
{
    bool is_asking = choice->client_auth != TLS_CLIENT_AUTH_NONE;
    bool is_required = choice->client_auth == TLS_CLIENT_AUTH_REQUIRED;
    ASSERT(is_asking == (choice->trust != NULL));
    if (!set_session_context(ssl, choice))
        return false;
    if (!is_asking)
        return true;
    SSL_set_verify(ssl, SSL_VERIFY_PEER | (is_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                   choice->client_auth == TLS_CLIENT_AUTH_FALLBACK ? let_in : NULL);
    return SSL_set1_verify_cert_store(ssl, choice->trust->store) == 1 &&
           tell_names(ssl, choice->trust);
}
