/* SPDX-License-Identifier: Apache-2.0 */
/* See sim_certs.h. */
#include "sim_certs.h"

#include "base/assert.h"
#include "base/container.h"
#include "sim_chance.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define CERTS_SEED 0x6365727473u /* one for all, as the ports' key is */
#define VALID_S (10 * 365 * 86400L)

static struct sim_pem certs[SIM_CERT_COUNT];
static struct sim_pem ca;

/* The text of `bio`, which is freed. */
static struct slice take_text(BIO *bio)
{
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);
    ASSERT(len > 0);
    void *kept = malloc((size_t)len);
    ASSERT(kept != NULL);
    memcpy(kept, text, (size_t)len);
    BIO_free(bio);
    return slice_of(kept, (size_t)len);
}

static void extend(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    ASSERT(e != NULL && X509_add_ext(cert, e, -1) == 1);
    X509_EXTENSION_free(e);
}

static X509 *describe(const char *name, long serial, EVP_PKEY *key)
{
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), VALID_S);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_pubkey(cert, key);
    return cert;
}

static void write_pem(X509 *cert, EVP_PKEY *key, struct sim_pem *ret)
{
    BIO *text = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(text, cert);
    ret->certificate = take_text(text);
    text = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(text, key, NULL, NULL, 0, NULL, NULL);
    ret->key = take_text(text);
}

static void make(unsigned i, const char *name, const char *alt_names, bool is_rsa, X509 *issuer,
                 EVP_PKEY *issuer_key)
{
    EVP_PKEY *key = is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    X509 *cert = describe(name, 2 + i, key);
    X509_set_issuer_name(cert, X509_get_subject_name(issuer));
    extend(cert, NID_subject_alt_name, alt_names);
    int n = X509_sign(cert, issuer_key, EVP_sha256());
    ASSERT(n > 0);
    write_pem(cert, key, &certs[i]);
    X509_free(cert);
    EVP_PKEY_free(key);
}

void sim_certs_make(void)
{
    static const struct {
        const char *name, *alt_names;
        bool is_rsa;
    } all[] = {
#define X(name, names, is_rsa) {#name, names, is_rsa},
        SIM_CERT_LIST(X)
#undef X
    };
    if (ca.key.len > 0)
        return;
    sim_chance_tell_time(0);
    sim_chance_begin(CERTS_SEED);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *issuer = describe("Sim CA", 1, key);
    X509_set_issuer_name(issuer, X509_get_subject_name(issuer));
    extend(issuer, NID_basic_constraints, "critical,CA:TRUE");
    int n = X509_sign(issuer, key, EVP_sha256());
    ASSERT(n > 0);
    write_pem(issuer, key, &ca);
    for (unsigned i = 0; i < array_len(all); i++)
        make(i, all[i].name, all[i].alt_names, all[i].is_rsa, issuer, key);
    X509_free(issuer);
    EVP_PKEY_free(key);
}

const struct sim_pem *sim_cert(enum sim_cert cert)
{
    ASSERT(cert < SIM_CERT_COUNT && ca.key.len > 0);
    return &certs[cert];
}

struct slice sim_ca(void)
{
    ASSERT(ca.key.len > 0);
    return ca.certificate;
}
