/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that do full TLS handshakes, one after the other, as fast as the server lets them: each
 * connects, asks once, reads the answer and resets the connection. No session is resumed and no
 * certificate verified, which costs the clients as little as can be.
 *
 * usage: handshakes ADDRESS PORT SECONDS THREADS [NAME...]   asks for the names by chance, or none
 * Prints `connections N`, `failed N`, `full N`.
 */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 64
#define ANSWER_S_MAX 5 /* then it has failed */

static SSL_CTX *context;
static struct sockaddr_in server;
static char **names;
static int n_names;
static double end_s;

struct client {
    pthread_t thread;
    unsigned seed;
    unsigned long done, failed, full;
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int open_socket(void)
{
    struct timeval limit = {.tv_sec = ANSWER_S_MAX};
    struct linger reset = {.l_onoff = 1};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    if (connect(fd, (struct sockaddr *)&server, sizeof(server)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* A handshake and an answer. */
static bool ask(SSL *ssl, const char *name)
{
    char text[512];
    const char *host = name != NULL ? name : "a.example.com";
    int len = snprintf(text, sizeof(text), "GET /r HTTP/1.1\r\nHost: %s\r\n\r\n", host);
    if (name != NULL && SSL_set_tlsext_host_name(ssl, name) != 1)
        return false;
    return SSL_connect(ssl) == 1 && SSL_write(ssl, text, len) == len &&
           SSL_read(ssl, text, sizeof(text)) > 0;
}

static void connect_once(struct client *c)
{
    int fd = open_socket();
    SSL *ssl = fd >= 0 ? SSL_new(context) : NULL;
    bool is_good = false;
    if (ssl != NULL) {
        SSL_set_fd(ssl, fd);
        is_good = ask(ssl, n_names > 0 ? names[rand_r(&c->seed) % n_names] : NULL);
        c->full += is_good && !SSL_session_reused(ssl);
    }
    SSL_free(ssl);
    if (fd >= 0)
        close(fd);
    c->done += is_good;
    c->failed += !is_good;
}

static void *run(void *arg)
{
    while (now_s() < end_s)
        connect_once(arg);
    return NULL;
}

int main(int argc, char **argv)
{
    static struct client clients[THREADS_MAX];
    unsigned long done = 0, failed = 0, full = 0;
    if (argc < 5 || atoi(argv[4]) < 1 || atoi(argv[4]) > THREADS_MAX) {
        fprintf(stderr, "usage: handshakes ADDRESS PORT SECONDS THREADS [NAME...]\n");
        return 2;
    }
    int n = atoi(argv[4]);
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)atoi(argv[2]));
    inet_pton(AF_INET, argv[1], &server.sin_addr);
    names = argv + 5;
    n_names = argc - 5;
    end_s = now_s() + atof(argv[3]);
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set1_groups_list(context, "X25519");
    for (int i = 0; i < n; i++) {
        clients[i].seed = (unsigned)i + 1;
        pthread_create(&clients[i].thread, NULL, run, &clients[i]);
    }
    for (int i = 0; i < n; i++) {
        pthread_join(clients[i].thread, NULL);
        done += clients[i].done;
        failed += clients[i].failed;
        full += clients[i].full;
    }
    printf("connections %lu\nfailed %lu\nfull %lu\n", done, failed, full);
    return 0;
}
