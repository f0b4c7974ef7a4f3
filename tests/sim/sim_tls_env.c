/* SPDX-License-Identifier: Apache-2.0 */
/* TLS of hosts: contexts, sessions, and whom clients meet. */
#include "base/assert.h"
#include "base/container.h"
#include "sim.h"
#include "sim_keys.h"
#include "sim_tls_priv.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static X509 *read_certificate(struct slice pem)
{
    BIO *text = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    X509 *cert = PEM_read_bio_X509(text, NULL, NULL, NULL);
    BIO_free(text);
    ASSERT(cert != NULL);
    return cert;
}

void sim_tls_use_identity(SSL_CTX *ctx, const struct sim_pem *pem)
{
    BIO *text = BIO_new_mem_buf(pem->key.ptr, (int)pem->key.len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(text, NULL, NULL, NULL);
    BIO_free(text);
    X509 *cert = read_certificate(pem->certificate);
    int is_used = SSL_CTX_use_cert_and_key(ctx, cert, key, NULL, 1);
    ASSERT(is_used == 1);
    X509_free(cert);
    EVP_PKEY_free(key);
}

/* The first of a backend's protocols that the appliance offers. */
static int select_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
                       const unsigned char *offered, unsigned n, void *arg)
{
    static const unsigned char ours[] = "\x02h2\x08http/1.1";
    unsigned char *found = NULL;
    if (SSL_select_next_proto(&found, ret_len, ours, sizeof(ours) - 1, offered, n) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret = found;
    return SSL_TLSEXT_ERR_OK;
}

/* The last session of a host is the one that it goes on with. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct sim_tls *t = SSL_get_app_data(ssl);
    SSL_SESSION **place = &t->env->sessions[t->host->number][t->want.is_rsa];
    SSL_SESSION_free(*place);
    *place = session;
    return 1;
}

static SSL_CTX *new_client_context(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    ASSERT(ctx != NULL);
    X509_STORE *store = X509_STORE_new();
    X509 *ca = read_certificate(sim_ca());
    X509_STORE_add_cert(store, ca);
    X509_free(ca);
    SSL_CTX_set_cert_store(ctx, store);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(ctx, on_session);
    return ctx;
}

void sim_tls_init(struct sim_tls_env *env, struct sim *sim)
{
    env->sim = sim;
    list_init(&env->all);
    if (sim->plan.tls.is_on)
        env->clients = new_client_context();
}

static SSL_CTX *server_context(struct sim_tls_env *env, enum sim_cert cert)
{
    if (env->servers[cert] == NULL) {
        env->servers[cert] = SSL_CTX_new(TLS_server_method());
        ASSERT(env->servers[cert] != NULL);
        sim_tls_use_identity(env->servers[cert], sim_cert(cert));
        SSL_CTX_set_alpn_select_cb(env->servers[cert], select_alpn, NULL);
        SSL_CTX_set_num_tickets(env->servers[cert], 0);
    }
    return env->servers[cert];
}

static struct sim_tls *tls_new(struct sim_host *host, SSL_CTX *ctx)
{
    struct sim_tls_env *env = &host->sim->tls;
    struct sim_tls *t = calloc(1, sizeof(*t));
    ASSERT(t != NULL && ctx != NULL);
    t->env = env;
    t->host = host;
    t->ssl = SSL_new(ctx);
    t->rx = BIO_new(BIO_s_mem());
    t->tx = BIO_new(BIO_s_mem());
    ASSERT(t->ssl != NULL && t->rx != NULL && t->tx != NULL);
    SSL_set_bio(t->ssl, t->rx, t->tx);
    SSL_set_app_data(t->ssl, t);
    SSL_set_mode(t->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    t->generation = host->sim->box.generation;
    list_push_back(&env->all, &t->link);
    return t;
}

static void limit_versions(SSL *ssl, const struct sim_tls_want *want)
{
    if (want->is_tls11) {
        SSL_set_security_level(ssl, 0);
        SSL_set_min_proto_version(ssl, TLS1_VERSION);
        SSL_set_max_proto_version(ssl, TLS1_1_VERSION);
    } else if (want->is_tls12) {
        SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
    }
}

static void offer(SSL *ssl, const char *protocol)
{
    uint8_t list[16];
    size_t len = protocol != NULL ? strlen(protocol) : 0;
    ASSERT(len < sizeof(list));
    if (len == 0)
        return;
    list[0] = (uint8_t)len;
    memcpy(list + 1, protocol, len);
    SSL_set_alpn_protos(ssl, list, (unsigned)len + 1);
}

static void prepare(struct sim_tls *t, const struct sim_tls_want *want)
{
    SSL *ssl = t->ssl;
    SSL_SESSION *session = t->env->sessions[t->host->number][want->is_rsa];
    limit_versions(ssl, want);
    offer(ssl, want->alpn);
    if (want->server_name != NULL)
        SSL_set_tlsext_host_name(ssl, want->server_name);
    if (want->server_name != NULL)
        SSL_set1_host(ssl, want->server_name);
    if (want->is_rsa)
        SSL_set1_sigalgs_list(ssl, "rsa_pss_rsae_sha256:RSA+SHA256");
    if (want->is_rsa) /* or the appliance is verified by a signature that it may not have */
        SSL_set1_groups_list(ssl, "P-256");
    if (want->asks_twice)
        SSL_set1_groups_list(ssl, "P-521:P-256");
    if (want->trusts_nobody)
        SSL_set0_verify_cert_store(ssl, X509_STORE_new());
    if (want->resumes && session != NULL)
        SSL_set_session(ssl, session);
}

struct stream *sim_tls_connect(struct sim_host *host, struct stream *lower,
                               const struct sim_tls_want *want)
{
    struct sim_tls *t = tls_new(host, host->sim->tls.clients);
    t->want = *want;
    prepare(t, want);
    SSL_set_connect_state(t->ssl);
    sim_tls_start(t, lower);
    return &t->stream;
}

void sim_tls_accept(struct sim_host *host, struct stream *lower, enum sim_cert cert,
                    bool (*on_open)(struct sim_host *host, struct stream *s))
{
    struct sim_tls *t = tls_new(host, server_context(&host->sim->tls, cert));
    t->on_open = on_open;
    SSL_set_accept_state(t->ssl);
    sim_tls_start(t, lower);
}

/* Is it one that the appliance had when the client asked, or since? */
static void check_certificate(struct sim_tls *t)
{
    struct sim *sim = t->env->sim;
    X509 *cert = SSL_get0_peer_certificate(t->ssl);
    long serial = cert != NULL ? ASN1_INTEGER_get(X509_get0_serialNumber(cert)) : 0;
    for (uint64_t g = t->generation; g <= sim->box.generation; g++) {
        if (serial >= 2 && sim_keys_shows(&sim->box, g, (enum sim_cert)(serial - 2)))
            return;
    }
    sim_fail(sim, "host %u was shown certificate %ld of %s, which is not in force", t->host->number,
             serial, t->want.server_name);
}

void sim_tls_note_open(struct sim_tls *t)
{
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(t->ssl, &name, &len);
    snprintf(t->alpn, sizeof(t->alpn), "%.*s", (int)len, (const char *)name);
    if (t->on_open != NULL || t->want.cut_bytes > 0)
        return;
    bool is_resumed = SSL_session_reused(t->ssl) == 1;
    t->env->counts.full += !is_resumed && !t->want.is_passed_on;
    t->env->counts.resumed += is_resumed;
    if (!is_resumed)
        check_certificate(t);
    if (t->want.alpn != NULL && strcmp(t->alpn, t->want.alpn) != 0)
        sim_fail(t->env->sim, "host %u: ALPN chose '%s'", t->host->number, t->alpn);
}

static void tls_free(struct sim_tls *t)
{
    wheel_disarm(&t->host->core.wheel, &t->kick);
    wheel_disarm(&t->host->core.wheel, &t->pace);
    list_remove(&t->link);
    SSL_free(t->ssl);
    free(t);
}

void sim_tls_reap(struct sim_tls_env *env)
{
    if (env->n_dead == 0)
        return;
    LIST_EACH_SAFE (it, next, &env->all) {
        struct sim_tls *t = container_of(it, struct sim_tls, link);
        if (!t->is_released || t->lower != NULL)
            continue;
        tls_free(t);
        env->n_dead--;
    }
}

void sim_tls_free(struct sim_tls_env *env)
{
    while (!list_is_empty(&env->all))
        tls_free(container_of(list_peek_front(&env->all), struct sim_tls, link));
    for (unsigned i = 0; i < 2 * array_len(env->sessions); i++)
        SSL_SESSION_free(env->sessions[i / 2][i % 2]);
    SSL_CTX_free(env->clients);
    for (unsigned i = 0; i < array_len(env->servers); i++)
        SSL_CTX_free(env->servers[i]);
    ERR_clear_error();
}
