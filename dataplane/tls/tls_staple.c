/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a CA says of a certificate, told by the server itself so that clients need not ask (RFC
 * 6066, section 8; RFC 6960). It comes as a block of PEM behind the chain, hangs on the leaf as
 * long as that lives, and is shown to clients that ask, while it counts. What is over is not shown:
 * a client without an answer asks the CA or goes on, one with an old answer refuses.
 */
#include "base/assert.h"
#include "tls/tls_priv.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <time.h>

#define STAPLE_PEM "OCSP RESPONSE"
/* Without a time for the next one: RFC 6960, section 4.2.2.1, promises nothing. */
#define STAPLE_OPEN_S 86400u

/* An OCSP response, and from when until when it counts. */
struct staple {
    uint64_t from_s, to_s;
    size_t len;
    uint8_t *der; /* the library's memory */
};

static int place_on_leaf = -1;
static CRYPTO_ONCE place_once = CRYPTO_ONCE_STATIC_INIT;

static void staple_free(struct staple *s)
{
    OPENSSL_free(s->der);
    OPENSSL_free(s);
}

static void free_with_leaf(void *leaf, void *staple, CRYPTO_EX_DATA *data, int place, long number,
                           void *arg)
{
    if (staple != NULL)
        staple_free(staple);
}

static void make_place(void)
{
    place_on_leaf =
        CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_X509, 0, NULL, NULL, NULL, free_with_leaf);
}

/* Unix time; 0: it is no time. */
static uint64_t unix_s(const ASN1_GENERALIZEDTIME *time)
{
    struct tm tm;
    time_t t = time != NULL && ASN1_TIME_to_tm(time, &tm) == 1 ? timegm(&tm) : 0;
    return t > 0 ? (uint64_t)t : 0;
}

/* Is it good news of this certificate? */
static bool read_single(OCSP_SINGLERESP *single, X509 *leaf, struct staple *ret)
{
    ASN1_INTEGER *serial = NULL;
    ASN1_GENERALIZEDTIME *from = NULL, *to = NULL;
    OCSP_CERTID *id = (OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(single);
    if (OCSP_id_get0_info(NULL, NULL, NULL, &serial, id) != 1 ||
        ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) != 0 ||
        OCSP_single_get0_status(single, NULL, NULL, &from, &to) != V_OCSP_CERTSTATUS_GOOD)
        return false;
    ret->from_s = unix_s(from);
    ret->to_s = to != NULL ? unix_s(to) : ret->from_s + STAPLE_OPEN_S;
    return ret->from_s > 0 && ret->to_s > ret->from_s;
}

static bool read_response(const struct staple *s, X509 *leaf, struct staple *ret)
{
    const unsigned char *p = s->der;
    bool is_good = false;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &p, (long)s->len);
    OCSP_BASICRESP *basic = NULL;
    if (response != NULL && p == s->der + s->len &&
        OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
        basic = OCSP_response_get1_basic(response);
    for (int i = 0; basic != NULL && !is_good && i < OCSP_resp_count(basic); i++)
        is_good = read_single(OCSP_resp_get0(basic, i), leaf, ret);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    return is_good;
}

/* The block of PEM; NULL: there is none, or no memory. */
static struct staple *read_block(struct slice pem)
{
    unsigned char *der = NULL;
    long len = 0;
    BIO *bio = tls_pem_bio(pem);
    int got = bio != NULL &&
              PEM_bytes_read_bio(&der, &len, NULL, STAPLE_PEM, bio, tls_no_password, NULL) == 1;
    BIO_free(bio);
    ERR_clear_error();
    struct staple *s = got ? OPENSSL_zalloc(sizeof(*s)) : NULL;
    if (s == NULL) {
        OPENSSL_free(der);
        return NULL;
    }
    *s = (struct staple){.len = (size_t)len, .der = der};
    return s;
}

enum tls_fault tls_staple_read(struct slice pem, X509 *leaf)
{
    if (CRYPTO_THREAD_run_once(&place_once, make_place) != 1 || place_on_leaf < 0)
        return TLS_FAULT_MEMORY;
    struct staple *s = read_block(pem);
    if (s == NULL)
        return TLS_FAULT_OK;
    bool is_good = s->len <= TLS_STAPLE_BYTES_MAX && read_response(s, leaf, s);
    if (is_good && X509_set_ex_data(leaf, place_on_leaf, s) == 1)
        return TLS_FAULT_OK;
    staple_free(s);
    return is_good ? TLS_FAULT_MEMORY : TLS_FAULT_STAPLE;
}

int tls_on_status_request(SSL *ssl, void *arg)
{
    const struct tls_stream *t = SSL_get_app_data(ssl);
    const X509 *leaf = SSL_get_certificate(ssl); /* of several, the one that is shown */
    const struct staple *s = leaf != NULL ? X509_get_ex_data(leaf, place_on_leaf) : NULL;
    if (s == NULL || t->hello_s < s->from_s || t->hello_s >= s->to_s)
        return SSL_TLSEXT_ERR_NOACK;
    uint8_t *copy = OPENSSL_memdup(s->der, s->len);
    if (copy == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)s->len); /* the connection's now */
    return SSL_TLSEXT_ERR_OK;
}
