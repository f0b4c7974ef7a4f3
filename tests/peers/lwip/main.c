/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer whose TCP/IP is lwIP: an HTTP server, or one HTTP request, straight on an interface whose
 * kernel has no address. README.md of the folder above has the command line, which both peers
 * share.
 */
#include "conn.h"
#include "link.h"

#include <lwip/api.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKLOG 64

static void answer(struct conn *c, const struct head *request)
{
    bool is_intact;
    if (request->expects_continue)
        conn_write_text(c, "HTTP/1.1 100 Continue\r\n\r\n");
    uint64_t length = conn_read_pattern(c, request->length, &is_intact);
    char body[128] = "";
    char head[256];
    unsigned long long wanted = 0;
    bool is_bytes = sscanf(request->start, "%*s /bytes/%llu", &wanted) == 1;
    if (!is_bytes)
        wanted = (unsigned)snprintf(body, sizeof(body), "{\"length\": %llu, \"intact\": %s}\n",
                                    (unsigned long long)length, is_intact ? "true" : "false");
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n", wanted);
    if (conn_write_text(c, head)) {
        if (is_bytes)
            conn_write_pattern(c, wanted);
        else
            conn_write_text(c, body);
    }
}

static void *serve_conn(void *netconn)
{
    struct conn c = {.netconn = netconn};
    struct head request;
    while (conn_read_head(&c, &request))
        answer(&c, &request);
    conn_done(&c);
    return NULL;
}

/* Both families; a thread a connection. */
static void serve(uint16_t port)
{
    struct netconn *listener = netconn_new(NETCONN_TCP_IPV6);
    if (listener == NULL || netconn_bind(listener, IP_ANY_TYPE, port) != ERR_OK ||
        netconn_listen_with_backlog(listener, BACKLOG) != ERR_OK)
        peer_fail("listen");
    printf("ready\n");
    fflush(stdout);
    struct netconn *accepted;
    for (;;) {
        if (netconn_accept(listener, &accepted) != ERR_OK)
            continue;
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve_conn, accepted) != 0)
            peer_fail("thread");
        pthread_detach(thread);
    }
}

static struct conn connect_to(const char *address, uint16_t port)
{
    ip_addr_t ip;
    if (!ipaddr_aton(address, &ip))
        peer_fail(address);
    struct conn c = {.netconn = netconn_new(IP_IS_V6(&ip) ? NETCONN_TCP_IPV6 : NETCONN_TCP)};
    if (c.netconn == NULL || netconn_connect(c.netconn, &ip, port) != ERR_OK)
        peer_fail("connect");
    return c;
}

/* "http://host/path" as a request; the rest of the fields is the caller's. */
static void write_request(struct conn *c, const char *method, const char *url, const char *fields)
{
    static const char scheme[] = "http://";
    const char *host =
        url + (strncmp(url, scheme, sizeof(scheme) - 1) == 0 ? sizeof(scheme) - 1 : 0);
    const char *path = strchr(host, '/');
    char head[1024];
    if (path == NULL)
        peer_fail("URL without a path");
    snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: %.*s\r\n%s\r\n", method, path,
             (int)(path - host), host, fields);
    if (!conn_write_text(c, head))
        peer_fail("send");
}

static void read_answer(struct conn *c, struct head *ret)
{
    do {
        if (!conn_read_head(c, ret))
            peer_fail("no answer");
    } while (strstr(ret->start, " 100 ") != NULL);
}

static void get(const char *url, const char *address, uint16_t port)
{
    struct conn c = connect_to(address, port);
    struct head answered;
    bool is_intact;
    write_request(&c, "GET", url, "");
    read_answer(&c, &answered);
    uint64_t length = conn_read_pattern(&c, answered.length, &is_intact);
    printf("{\"status\": %d, \"length\": %llu, \"intact\": %s}\n", atoi(answered.start + 9),
           (unsigned long long)length, is_intact ? "true" : "false");
    conn_done(&c);
}

static void post(const char *url, const char *address, uint16_t port, uint64_t length)
{
    struct conn c = connect_to(address, port);
    struct head answered;
    char text[1024];
    snprintf(text, sizeof(text), "Content-Length: %llu\r\n", (unsigned long long)length);
    write_request(&c, "POST", url, text);
    if (!conn_write_pattern(&c, length))
        peer_fail("send");
    read_answer(&c, &answered);
    size_t max = answered.length < sizeof(text) ? answered.length : sizeof(text);
    fwrite(text, 1, conn_read_text(&c, text, max), stdout);
    conn_done(&c);
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: lwip INTERFACE ADDRESS4/LEN ADDRESS6/LEN "
                        "serve PORT | get URL ADDRESS PORT | post URL ADDRESS PORT BYTES\n");
        return 2;
    }
    const char *verb = argv[4];
    peer_link_open(argv[1], argv[2], argv[3]);
    if (strcmp(verb, "serve") == 0 && argc == 6)
        serve((uint16_t)atoi(argv[5]));
    else if (strcmp(verb, "get") == 0 && argc == 8)
        get(argv[5], argv[6], (uint16_t)atoi(argv[7]));
    else if (strcmp(verb, "post") == 0 && argc == 9)
        post(argv[5], argv[6], (uint16_t)atoi(argv[7]), strtoull(argv[8], NULL, 10));
    else
        return 2;
    return 0;
}
