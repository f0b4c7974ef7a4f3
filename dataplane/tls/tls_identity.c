/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates with their keys, read from PEM. */
#include "tls/tls_identity.h"

#include "base/assert.h"
#include "tls/tls_priv.h"

#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    return fault == TLS_FAULT_OK ? tls_staple_read(pem, ret->leaf) : fault;
}

/* What OpenSSL 3.0 needs to read any key in PEM takes it ten times as long to make as a key to be
 * read (4.7 of 6.3 million instructions), and can be used again; later ones keep it themselves.
 * Of the thread, as `place` is. */
static _Thread_local OSSL_DECODER_CTX *decoder;
static _Thread_local EVP_PKEY *place; /* where it puts a key */

static void make_decoder(void)
{
    decoder =
        OSSL_DECODER_CTX_new_for_pkey(&place, "PEM", NULL, NULL, EVP_PKEY_KEYPAIR, NULL, NULL);
    if (decoder != NULL)
        OSSL_DECODER_CTX_set_pem_password_cb(decoder, tls_no_password, NULL);
}

void tls_identity_thread_done(void)
{
    OSSL_DECODER_CTX_free(decoder);
    decoder = NULL;
}

/* If the first thing in it is one; NULL: it has to be looked at more closely. */
static EVP_PKEY *read_quickly(BIO *bio)
{
    if (decoder == NULL)
        make_decoder();
    place = NULL;
    if (decoder == NULL || OSSL_DECODER_from_bio(decoder, bio) != 1) {
        EVP_PKEY_free(place);
        place = NULL;
    }
    return place;
}

static enum tls_fault read_key(struct slice pem, struct tls_identity *ret)
{
    BIO *bio = tls_pem_bio(pem);
    if (bio == NULL)
        return TLS_FAULT_MEMORY;
    ret->key = read_quickly(bio);
    if (ret->key == NULL && BIO_reset(bio) == 1)
        ret->key = PEM_read_bio_PrivateKey(bio, NULL, tls_no_password, NULL);
    BIO_free(bio);
    if (ret->key == NULL)
        return TLS_FAULT_KEY;
    return X509_check_private_key(ret->leaf, ret->key) == 1 ? TLS_FAULT_OK : TLS_FAULT_MISMATCH;
}

/* The DNS names of the certificate, for a look that is taken in handshakes; one with none of them
 * has its name in the subject, as of old. */
static enum tls_fault read_names(struct tls_identity *ret)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(ret->leaf, NID_subject_alt_name, NULL, NULL);
    char *names = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&names, &len);
    for (int i = 0; to != NULL && all != NULL && i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
        if (name->type != GEN_DNS)
            continue;
        struct slice text = slice_of(ASN1_STRING_get0_data(name->d.dNSName),
                                     (size_t)ASN1_STRING_length(name->d.dNSName));
        if (text.len == 0 || memchr(text.ptr, '\0', text.len) != NULL)
            continue; /* it would be read as another name */
        for (size_t k = 0; k < text.len; k++)
            fputc(ascii_lower(text.ptr[k]), to);
        fputc('\0', to);
    }
    bool has_any = to != NULL && ftell(to) > 0;
    bool is_whole = to != NULL && fputc('\0', to) != EOF;
    is_whole = to != NULL && fclose(to) == 0 && is_whole;
    GENERAL_NAMES_free(all);
    if (is_whole && has_any)
        ret->names = names;
    else
        free(names);
    return is_whole ? TLS_FAULT_OK : TLS_FAULT_MEMORY;
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
    if (fault == TLS_FAULT_OK)
        fault = read_names(identity);
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
    free(identity->names);
    free(identity);
}

/* RFC 6125, section 6.4.3: the star is the whole first label, of a name of three labels or more. */
static bool is_name_by(const char *pattern, const char *name)
{
    if (strcmp(pattern, name) == 0)
        return pattern[0] != '*';
    if (pattern[0] != '*' || pattern[1] != '.' || strchr(pattern + 2, '.') == NULL)
        return false;
    const char *rest = strchr(name, '.');
    return rest != NULL && rest != name && strcmp(pattern + 1, rest) == 0;
}

bool tls_identity_has_name(const struct tls_identity *identity, const char *name)
{
    if (identity->names == NULL)
        return X509_check_host(identity->leaf, name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                               NULL) == 1;
    for (const char *n = identity->names; *n != '\0'; n += strlen(n) + 1) {
        if (is_name_by(n, name))
            return true;
    }
    return false;
}
