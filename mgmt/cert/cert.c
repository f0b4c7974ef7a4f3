/* SPDX-License-Identifier: Apache-2.0 */
/* First-boot key and certificate, made and checked by OpenSSL. Owner: mgmtd at start; thread: one.
 */
#include "cert/cert.h"

#include "base/assert.h"
#include "base/ip_addr.h"
#include "disk/durable.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_MAX_BYTES 253u /* a DNS name, RFC 1035 section 2.3.4 */

/* "DNS:box.example,IP:192.0.2.1,..." as OpenSSL wants it. */
struct alt_names {
    char text[(NAME_MAX_BYTES + 5) * (CERT_NAMES_MAX + 3)];
    size_t len;
};

static bool is_dns_name(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= NAME_MAX_BYTES &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.*") == len;
}

static int add_name(struct alt_names *a, const char *name)
{
    struct ip_addr addr;
    bool is_address = ip_addr_parse(name, &addr);
    if (!is_address && !is_dns_name(name))
        return -EINVAL;
    int n = snprintf(a->text + a->len, sizeof(a->text) - a->len, "%s%s:%s", a->len > 0 ? "," : "",
                     is_address ? "IP" : "DNS", name);
    ASSERT(n > 0 && (size_t)n < sizeof(a->text) - a->len);
    a->len += (size_t)n;
    return 0;
}

static int collect_names(struct alt_names *a, const char *const *names, size_t n)
{
    static const char *const always[] = {"localhost", "127.0.0.1", "::1"};
    if (n > CERT_NAMES_MAX)
        return -EINVAL;
    int result = 0;
    for (size_t i = 0; i < 3 && result == 0; i++)
        result = add_name(a, always[i]);
    for (size_t i = 0; i < n && result == 0; i++)
        result = add_name(a, names[i]);
    return result;
}

static bool add_extension(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool is_added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_added;
}

static bool set_serial(X509 *certificate)
{
    uint64_t serial;
    return RAND_bytes((unsigned char *)&serial, sizeof(serial)) == 1 &&
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1) == 1;
}

static bool fill_certificate(X509 *certificate, EVP_PKEY *key, const char *alt_names)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(certificate), CERT_VALID_DAYS * 86400L) != NULL &&
           X509_set_pubkey(certificate, key) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                      (const unsigned char *)"sluice management", -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, name) == 1 &&
           add_extension(certificate, NID_subject_alt_name, alt_names) &&
           add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add_extension(certificate, NID_key_usage, "critical,digitalSignature,keyCertSign") &&
           add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
           X509_sign(certificate, key, EVP_sha256()) > 0;
}

/* What `write` writes becomes the file. */
static int write_file(const char *path, mode_t mode, bool (*write)(FILE *, void *), void *subject)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    if (file == NULL)
        return -errno;
    bool is_written = write(file, subject);
    bool is_whole = fclose(file) == 0 && is_written;
    int result = is_whole ? durable_write(path, mode, text, bytes) : -EIO;
    if (text != NULL)
        explicit_bzero(text, bytes); /* it may be a key */
    free(text);
    return result;
}

static bool write_key(FILE *file, void *key)
{
    return PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1;
}

static bool write_certificate(FILE *file, void *certificate)
{
    return PEM_write_X509(file, certificate) == 1;
}

static int make_pair(const struct cert_paths *paths, const char *alt_names)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    int result = -ENOMEM;
    if (key != NULL && certificate != NULL && fill_certificate(certificate, key, alt_names)) {
        result = write_file(paths->key, 0600, write_key, key);
        if (result == 0)
            result = write_file(paths->certificate, 0644, write_certificate, certificate);
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
    return result;
}

static int check_pair(const struct cert_paths *paths)
{
    FILE *key_file = fopen(paths->key, "re");
    FILE *certificate_file = fopen(paths->certificate, "re");
    int result = key_file == NULL || certificate_file == NULL ? -errno : -EKEYREJECTED;
    if (key_file != NULL && certificate_file != NULL) {
        EVP_PKEY *key = PEM_read_PrivateKey(key_file, NULL, NULL, NULL);
        X509 *certificate = PEM_read_X509(certificate_file, NULL, NULL, NULL);
        if (key != NULL && certificate != NULL && X509_check_private_key(certificate, key) == 1)
            result = 0;
        X509_free(certificate);
        EVP_PKEY_free(key);
    }
    if (key_file != NULL)
        fclose(key_file);
    if (certificate_file != NULL)
        fclose(certificate_file);
    return result;
}

int cert_ensure(const char *state_dir, const char *const *names, size_t n_names,
                struct cert_paths *ret_paths)
{
    struct alt_names alt_names = {.len = 0};
    struct cert_paths paths;
    char dir[CERT_PATH_MAX - 16];
    int n = snprintf(dir, sizeof(dir), "%s/tls", state_dir);
    if (n < 0 || (size_t)n >= sizeof(dir))
        return -ENAMETOOLONG;
    snprintf(paths.key, sizeof(paths.key), "%s/server.key", dir);
    snprintf(paths.certificate, sizeof(paths.certificate), "%s/server.crt", dir);
    int result = collect_names(&alt_names, names, n_names);
    if (result == 0 && mkdir(dir, 0700) != 0 && errno != EEXIST)
        result = -errno;
    /* A key alone is the trace of a power cut between the two renames: nobody has seen it yet. */
    if (result == 0 && access(paths.certificate, F_OK) != 0)
        result = make_pair(&paths, alt_names.text);
    if (result == 0)
        result = check_pair(&paths);
    if (result == 0)
        *ret_paths = paths;
    return result;
}
