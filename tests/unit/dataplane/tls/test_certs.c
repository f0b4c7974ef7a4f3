/* SPDX-License-Identifier: Apache-2.0 */
/* P-256 certificates for one day. */
#include "test_certs.h"

#include "base/assert.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
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
    static struct text {
        struct text *next;
        char bytes[];
    } * all;
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);
    struct text *kept = malloc(sizeof(*kept) + (size_t)len);
    ASSERT(len > 0 && kept != NULL);
    kept->next = all;
    all = kept;
    memcpy(kept->bytes, text, (size_t)len);
    BIO_free(bio);
    return slice_of(kept->bytes, (size_t)len);
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

static struct pair make_with(const char *name, const char *alt_names, const struct pair *issuer,
                             struct test_cert *ret)
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
    else if (alt_names != NULL)
        extend(p.cert, NID_subject_alt_name, alt_names);
    ASSERT(X509_sign(p.cert, issuer != NULL ? issuer->key : p.key, EVP_sha256()) > 0);
    BIO *cert = BIO_new(BIO_s_mem());
    BIO *key = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(cert, p.cert);
    PEM_write_bio_PrivateKey(key, p.key, NULL, NULL, 0, NULL, NULL);
    *ret = (struct test_cert){take_bytes(cert), take_bytes(key)};
    return p;
}

static struct pair make(const char *name, const struct pair *issuer, struct test_cert *ret)
{
    return make_with(name, "DNS:box.test,IP:127.0.0.1,URI:spiffe://test/box", issuer, ret);
}

struct test_cert test_cert_of(const char *common_name, const char *alt_names)
{
    struct test_cert ca, cert;
    struct pair issuer = make("issuer", NULL, &ca);
    pair_free(make_with(common_name, alt_names, &issuer, &cert));
    pair_free(issuer);
    return cert;
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

static X509 *cert_of(struct slice pem)
{
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    ASSERT(cert != NULL);
    return cert;
}

struct slice test_staple(bool of_ca, bool is_revoked, int64_t from_s, int64_t for_s)
{
    const struct test_certs *c = test_certs();
    X509 *ca = cert_of(c->ca.certificate);
    X509 *of = cert_of(of_ca ? c->ca.certificate : c->server.certificate);
    BIO *bio = BIO_new_mem_buf(c->ca.key.ptr, (int)c->ca.key.len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, of, ca);
    ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t)from_s);
    ASN1_TIME *to = ASN1_TIME_set(NULL, (time_t)(from_s + for_s));
    ASN1_TIME_to_generalizedtime(from, &from);
    OCSP_basic_add1_status(basic, id,
                           is_revoked ? V_OCSP_CERTSTATUS_REVOKED : V_OCSP_CERTSTATUS_GOOD, 0,
                           is_revoked ? from : NULL, from, to);
    OCSP_basic_sign(basic, ca, key, EVP_sha256(), NULL, 0);
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    uint8_t *der = NULL;
    int len = i2d_OCSP_RESPONSE(response, &der);
    bio = BIO_new(BIO_s_mem());
    ASSERT(len > 0 && PEM_write_bio(bio, "OCSP RESPONSE", "", der, len) > 0);
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    EVP_PKEY_free(key);
    X509_free(of);
    X509_free(ca);
    return take_bytes(bio);
}
