/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys in every form of PEM that programs write, and whose certificates they fit. */
#include "base/slice.h"
#include "tls/tls_identity.h"
#include "unit.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 16384 };

struct text {
    char bytes[TEXT_BYTES];
};

/* What was written to the BIO, which is freed. */
static void take(BIO *bio, struct text *ret)
{
    char *bytes;
    long len = BIO_get_mem_data(bio, &bytes);
    REQUIRE(len > 0 && len < TEXT_BYTES);
    memcpy(ret->bytes, bytes, (size_t)len);
    ret->bytes[len] = '\0';
    BIO_free(bio);
}

/* A certificate that the key signed for itself. */
static void certify(EVP_PKEY *key, struct text *ret)
{
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_set_pubkey(cert, key);
    bool is_edwards = EVP_PKEY_is_a(key, "ED25519");
    REQUIRE(X509_sign(cert, key, is_edwards ? NULL : EVP_sha256()) > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, cert);
    X509_free(cert);
    take(bio, ret);
}

static enum tls_fault load(const struct text *certificate, const char *key)
{
    struct tls_identity *identity = NULL;
    enum tls_fault fault =
        tls_identity_new(slice_of_str(certificate->bytes), slice_of_str(key), &identity);
    CHECK((identity != NULL) == (fault == TLS_FAULT_OK));
    tls_identity_free(identity);
    return fault;
}

static void write_key(EVP_PKEY *key, bool is_traditional, struct text *ret)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (is_traditional)
        PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL);
    else
        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    take(bio, ret);
}

TEST(keys_of_every_kind_are_read_one_after_the_other)
{
    EVP_PKEY *keys[] = {EVP_EC_gen("P-256"), EVP_RSA_gen(2048),
                        EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), EVP_EC_gen("P-384")};
    enum { N = sizeof(keys) / sizeof(keys[0]) };
    struct text certificates[N], text;
    for (unsigned i = 0; i < N; i++) {
        certify(keys[i], &certificates[i]);
        write_key(keys[i], false, &text);
        CHECK_EQ(load(&certificates[i], text.bytes), TLS_FAULT_OK);
        if (!EVP_PKEY_is_a(keys[i], "ED25519")) {
            write_key(keys[i], true, &text);
            CHECK_EQ(load(&certificates[i], text.bytes), TLS_FAULT_OK);
        }
        if (i > 0)
            CHECK_EQ(load(&certificates[i - 1], text.bytes), TLS_FAULT_MISMATCH);
    }
    for (unsigned i = 0; i < N; i++)
        EVP_PKEY_free(keys[i]);
}

TEST(parameters_or_words_before_a_key_are_passed_over)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    struct text certificate, text, both;
    certify(key, &certificate);
    write_key(key, true, &text);
    static const char parameters[] = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
                                     "-----END EC PARAMETERS-----\n";
    snprintf(both.bytes, sizeof(both.bytes), "%s%.8000s", parameters, text.bytes);
    CHECK_EQ(load(&certificate, both.bytes), TLS_FAULT_OK);
    snprintf(both.bytes, sizeof(both.bytes), "Bag Attributes\n  x: y\n%.8000s", text.bytes);
    CHECK_EQ(load(&certificate, both.bytes), TLS_FAULT_OK);
    snprintf(both.bytes, sizeof(both.bytes), "%.4000s%.8000s", certificate.bytes, text.bytes);
    CHECK_EQ(load(&certificate, both.bytes), TLS_FAULT_OK);
    CHECK_EQ(load(&certificate, parameters), TLS_FAULT_KEY);
    EVP_PKEY_free(key);
}

TEST(what_is_no_key_leaves_the_next_one_alone)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    struct text certificate, text, public;
    certify(key, &certificate);
    write_key(key, false, &text);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, key);
    take(bio, &public);
    char cut[200];
    snprintf(cut, sizeof(cut), "%.100s", text.bytes);
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQ(load(&certificate, ""), TLS_FAULT_KEY);
        CHECK_EQ(load(&certificate, cut), TLS_FAULT_KEY);
        CHECK_EQ(load(&certificate, certificate.bytes), TLS_FAULT_KEY);
        CHECK_EQ(load(&certificate, public.bytes), TLS_FAULT_KEY);
        CHECK_EQ(load(&certificate, text.bytes), TLS_FAULT_OK);
    }
    EVP_PKEY_free(key);
}

TEST(a_key_behind_a_password_is_refused_and_nobody_is_asked_for_it)
{
    static unsigned char password[] = "secret";
    EVP_PKEY *key = EVP_EC_gen("P-256");
    struct text certificate, text;
    certify(key, &certificate);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_128_cbc(), (char *)password, 6, NULL, NULL);
    take(bio, &text);
    CHECK_EQ(load(&certificate, text.bytes), TLS_FAULT_KEY);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey_traditional(bio, key, EVP_aes_128_cbc(), password, 6, NULL, NULL);
    take(bio, &text);
    CHECK_EQ(load(&certificate, text.bytes), TLS_FAULT_KEY);
    EVP_PKEY_free(key);
}

UNIT_MAIN("dataplane/tls/identity", T(keys_of_every_kind_are_read_one_after_the_other),
          T(parameters_or_words_before_a_key_are_passed_over),
          T(what_is_no_key_leaves_the_next_one_alone),
          T(a_key_behind_a_password_is_refused_and_nobody_is_asked_for_it))
