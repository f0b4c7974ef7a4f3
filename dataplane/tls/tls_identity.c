/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates with their keys, read from PEM. */
#include "tls/tls_identity.h"

#include "base/assert.h"
#include "tls/tls_priv.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

bool tls_secure_heap_new(void)
{
    enum { SMALLEST = 64 }; /* of what is handed out: a number of 256 bits fits */
    return CRYPTO_secure_malloc_init(TLS_SECURE_HEAP_BYTES, SMALLEST) == 1;
}

/* Leaf first, then what leads to the root. */
static enum tls_fault read_chain(struct slice pem, struct tls_identity *ret)
{
    BIO *bio = tls_pem_bio(pem);
    ret->chain = sk_X509_new_null();
    if (bio == NULL || ret->chain == NULL) {
        BIO_free(bio);
        return TLS_FAULT_MEMORY;
    }
    enum tls_fault fault = TLS_FAULT_OK;
    ret->leaf = PEM_read_bio_X509_AUX(bio, NULL, tls_no_password, NULL);
    if (ret->leaf == NULL)
        fault = TLS_FAULT_CERTIFICATE;
    for (X509 *next; fault == TLS_FAULT_OK &&
                     (next = PEM_read_bio_X509(bio, NULL, tls_no_password, NULL)) != NULL;) {
        if (sk_X509_push(ret->chain, next) == 0) {
            X509_free(next);
            fault = TLS_FAULT_MEMORY;
        }
    }
    BIO_free(bio);
    return fault;
}

static enum tls_fault read_key(struct slice pem, struct tls_identity *ret)
{
    BIO *bio = tls_pem_bio(pem);
    if (bio == NULL)
        return TLS_FAULT_MEMORY;
    ret->key = PEM_read_bio_PrivateKey(bio, NULL, tls_no_password, NULL);
    BIO_free(bio);
    if (ret->key == NULL)
        return TLS_FAULT_KEY;
    return X509_check_private_key(ret->leaf, ret->key) == 1 ? TLS_FAULT_OK : TLS_FAULT_MISMATCH;
}

enum tls_fault tls_identity_new(struct slice certificate_chain, struct slice private_key,
                                struct tls_identity **ret)
{
    struct tls_identity *identity = calloc(1, sizeof(*identity));
    if (identity == NULL)
        return TLS_FAULT_MEMORY;
    enum tls_fault fault = read_chain(certificate_chain, identity);
    if (fault == TLS_FAULT_OK)
        fault = read_key(private_key, identity);
    ERR_clear_error();
    if (fault == TLS_FAULT_OK)
        *ret = identity;
    else
        tls_identity_free(identity);
    return fault;
}

void tls_identity_free(struct tls_identity *identity)
{
    if (identity == NULL)
        return;
    X509_free(identity->leaf);
    sk_X509_pop_free(identity->chain, X509_free);
    EVP_PKEY_free(identity->key);
    free(identity);
}

bool tls_identity_has_name(const struct tls_identity *identity, const char *name)
{
    return X509_check_host(identity->leaf, name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) ==
           1;
}
