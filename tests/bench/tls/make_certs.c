/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many certificates, self-signed, with one P-256 key for all, which is quicker than a key each and
 * the same work for whoever loads and shows them.
 *
 * usage: make_certs GROUPS EACH   names: cK.gN.example.com, K below EACH, N below GROUPS
 * Prints the key as PEM, then for each certificate a line `NAME BASE64`, of its PEM.
 */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

static X509 *make(EVP_PKEY *key, const char *name, long serial)
{
    char alt_name[128];
    X509 *cert = X509_new();
    X509_NAME *subject = X509_get_subject_name(cert);
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, subject);
    X509_set_pubkey(cert, key);
    snprintf(alt_name, sizeof(alt_name), "DNS:%s", name);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alt_name);
    X509_add_ext(cert, e, -1);
    X509_EXTENSION_free(e);
    X509_sign(cert, key, EVP_sha256());
    return cert;
}

static void print(const char *name, X509 *cert)
{
    static unsigned char base64[8192];
    BIO *pem = BIO_new(BIO_s_mem());
    unsigned char *text = NULL;
    PEM_write_bio_X509(pem, cert);
    long len = BIO_get_mem_data(pem, &text);
    if (len > 4096)
        abort();
    EVP_EncodeBlock(base64, text, (int)len);
    printf("%s %s\n", name, (const char *)base64);
    BIO_free(pem);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: make_certs GROUPS EACH\n");
        return 2;
    }
    int groups = atoi(argv[1]), each = atoi(argv[2]);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    PEM_write_PrivateKey(stdout, key, NULL, NULL, 0, NULL, NULL);
    for (int i = 0; i < groups * each; i++) {
        char name[64];
        snprintf(name, sizeof(name), "c%d.g%d.example.com", i % each, i / each);
        X509 *cert = make(key, name, i + 1);
        print(name, cert);
        X509_free(cert);
    }
    EVP_PKEY_free(key);
    return 0;
}
