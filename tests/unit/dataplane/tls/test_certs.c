/* SPDX-License-Identifier: Apache-2.0 */
/* P-256 certificates for one day. */
#include "test_certs.h"

#include "base/assert.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

struct pair {
    EVP_PKEY *key;
    X509 *cert;
};

/* The text of `bio`, which is freed, in memory that lives as long as the program. */
static struct slice take_bytes(BIO *bio)
{
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);
    char *kept = malloc((size_t)len);
    ASSERT(len > 0 && kept != NULL);
    memcpy(kept, text, (size_t)len);
    BIO_free(bio);
    return slice_of(kept, (size_t)len);
}

static void pair_free(struct pair p)
{
    EVP_PKEY_free(p.key);
    X509_free(p.cert);
}

static void extend(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    ASSERT(e != NULL && X509_add_ext(cert, e, -1) == 1);
    X509_EXTENSION_free(e);
}

static struct pair make(const char *name, const struct pair *issuer, struct test_cert *ret)
{
    static long serial = 1;
    struct pair p = {.key = EVP_EC_gen("P-256"), .cert = X509_new()};
    X509_NAME *subject = X509_get_subject_name(p.cert);
    X509_set_version(p.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(p.cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(p.cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(p.cert), 86400);
    X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC, (const unsigned char *)"test", -1, -1,
                               0);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(p.cert, issuer != NULL ? X509_get_subject_name(issuer->cert) : subject);
    X509_set_pubkey(p.cert, p.key);
    if (issuer == NULL)
        extend(p.cert, NID_basic_constraints, "critical,CA:TRUE");
    else
        extend(p.cert, NID_subject_alt_name, "DNS:box.test,IP:127.0.0.1,URI:spiffe://test/box");
    ASSERT(X509_sign(p.cert, issuer != NULL ? issuer->key : p.key, EVP_sha256()) > 0);
    BIO *cert = BIO_new(BIO_s_mem());
    BIO *key = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(cert, p.cert);
    PEM_write_bio_PrivateKey(key, p.key, NULL, NULL, 0, NULL, NULL);
    *ret = (struct test_cert){take_bytes(cert), take_bytes(key)};
    return p;
}

const struct test_certs *test_certs(void)
{
    static struct test_certs all;
    if (all.ca.certificate.ptr != NULL)
        return &all;
    struct pair ca = make("good", NULL, &all.ca);
    struct pair bad = make("stranger", NULL, &all.stranger_ca);
    pair_free(make("box.test", &ca, &all.server));
    pair_free(make("controller", &ca, &all.client));
    pair_free(make("nobody", &bad, &all.stranger));
    pair_free(ca);
    pair_free(bad);
    return &all;
}
