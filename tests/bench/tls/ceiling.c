/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many full handshakes a second OpenSSL does on one core if nobody asks anything else of it: a
 * server and a client in memory, TLS 1.3 with X25519, no names, no tickets, no answer, no network.
 * Only the server's calls are timed, with its SSL objects; by the thread's CPU time, as the proxies
 * are measured by their process'.
 *
 * usage: ceiling CERTIFICATE KEY SECONDS   prints `handshakes N` and `us MICROSECONDS` of each
 */
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WARM 50 /* what the library makes once is made by then */

static SSL_CTX *server_context, *client_context;
static double server_s;

static double now_s(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static SSL_CTX *new_context(const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
    SSL_CTX_set1_groups_list(ctx, "X25519");
    SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256");
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 0);
    return ctx;
}

static void end_with(const char *why)
{
    fprintf(stderr, "ceiling: %s\n", why);
    exit(1);
}

/* The server's part, timed. */
static int serve(SSL **ssl, BIO *in, BIO *out)
{
    double before_s = now_s(CLOCK_THREAD_CPUTIME_ID);
    if (*ssl == NULL) {
        *ssl = SSL_new(server_context);
        SSL_set_bio(*ssl, in, out);
        SSL_set_accept_state(*ssl);
    }
    int result = SSL_do_handshake(*ssl);
    server_s += now_s(CLOCK_THREAD_CPUTIME_ID) - before_s;
    return result;
}

static void shake_hands(void)
{
    BIO *up = BIO_new(BIO_s_mem()), *down = BIO_new(BIO_s_mem());
    SSL *server = NULL, *client = SSL_new(client_context);
    BIO_up_ref(up);
    BIO_up_ref(down);
    SSL_set_bio(client, down, up);
    SSL_set_connect_state(client);
    SSL_do_handshake(client); /* its hello */
    serve(&server, up, down);
    if (SSL_do_handshake(client) != 1 || serve(&server, up, down) != 1)
        end_with("no handshake");
    double before_s = now_s(CLOCK_THREAD_CPUTIME_ID);
    SSL_free(server);
    server_s += now_s(CLOCK_THREAD_CPUTIME_ID) - before_s;
    SSL_free(client);
}

int main(int argc, char **argv)
{
    unsigned long n = 0;
    if (argc != 4)
        end_with("usage: ceiling CERTIFICATE KEY SECONDS");
    server_context = new_context(TLS_server_method());
    client_context = new_context(TLS_client_method());
    if (SSL_CTX_use_certificate_chain_file(server_context, argv[1]) != 1 ||
        SSL_CTX_use_PrivateKey_file(server_context, argv[2], SSL_FILETYPE_PEM) != 1)
        end_with("the certificate cannot be read");
    for (unsigned i = 0; i < WARM; i++)
        shake_hands();
    server_s = 0;
    for (double end_s = now_s(CLOCK_MONOTONIC) + atof(argv[3]); now_s(CLOCK_MONOTONIC) < end_s; n++)
        shake_hands();
    printf("handshakes %lu\nus %.2f\n", n, 1e6 * server_s / (double)n);
    SSL_CTX_free(server_context);
    SSL_CTX_free(client_context);
    return 0;
}
