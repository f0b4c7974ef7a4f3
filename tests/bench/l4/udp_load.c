/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams by the hundred thousand a second, for measuring what stands between: a server that
 * sends each back, and a client that always has some under way.
 *
 * usage: udp_load echo PORT
 *        udp_load ask ADDRESS PORT SOCKETS SECONDS    prints `answers N lost N`
 *        udp_load new ADDRESS PORT SOCKETS SECONDS    likewise, a new source port for each datagram
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TOGETHER 32u
#define SOCKETS_MAX 1024u
#define BYTES 18u /* with the headers a frame of 60 */
#define WAIT_MS 100

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

_Noreturn static void echo(uint16_t port)
{
    static uint8_t bytes[TOGETHER][2048];
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port)}, from[TOGETHER];
    struct iovec pieces[TOGETHER];
    struct mmsghdr all[TOGETHER];
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    if (s < 0 || bind(s, (struct sockaddr *)&here, sizeof(here)) != 0)
        die("bind");
    for (;;) {
        for (unsigned i = 0; i < TOGETHER; i++) {
            pieces[i] = (struct iovec){bytes[i], sizeof(bytes[i])};
            all[i].msg_hdr = (struct msghdr){.msg_name = &from[i],
                                             .msg_namelen = sizeof(from[i]),
                                             .msg_iov = &pieces[i],
                                             .msg_iovlen = 1};
        }
        int n = recvmmsg(s, all, TOGETHER, MSG_WAITFORONE, NULL);
        for (int i = 0; i < n; i++)
            pieces[i].iov_len = all[i].msg_len;
        if (n > 0)
            sendmmsg(s, all, (unsigned)n, 0);
        else if (errno != EINTR && errno != ECONNREFUSED)
            die("recvmmsg");
    }
}

static int open_socket(const struct sockaddr_in *to)
{
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (s < 0 || connect(s, (const struct sockaddr *)to, sizeof(*to)) != 0)
        die("connect");
    return s;
}

static void send_one(int s)
{
    static const uint8_t bytes[BYTES];
    if (send(s, bytes, sizeof(bytes), 0) < 0 && errno != EAGAIN && errno != ECONNREFUSED &&
        errno != ENOBUFS)
        die("send");
}

/* Reads what there is at the socket. Returns how many datagrams. */
static unsigned take(int s)
{
    uint8_t bytes[64];
    unsigned n = 0;
    while (recv(s, bytes, sizeof(bytes), 0) > 0)
        n++;
    return n;
}

static int ask(const struct sockaddr_in *to, unsigned n, unsigned seconds, bool is_new)
{
    static struct pollfd all[SOCKETS_MAX];
    static int64_t asked_ms[SOCKETS_MAX];
    unsigned long answers = 0, lost = 0;
    int64_t began_ms = now_ms();
    for (unsigned i = 0; i < n; i++) {
        all[i] = (struct pollfd){open_socket(to), POLLIN, 0};
        send_one(all[i].fd);
        asked_ms[i] = began_ms;
    }
    for (int64_t t = began_ms; t < began_ms + seconds * 1000LL; t = now_ms()) {
        poll(all, n, WAIT_MS);
        for (unsigned i = 0; i < n; i++) {
            unsigned got = all[i].revents != 0 ? take(all[i].fd) : 0;
            bool is_lost = got == 0 && t - asked_ms[i] > WAIT_MS;
            if (got == 0 && !is_lost)
                continue;
            answers += got;
            lost += is_lost;
            if (is_new) {
                close(all[i].fd);
                all[i].fd = open_socket(to);
            }
            send_one(all[i].fd);
            asked_ms[i] = t;
        }
    }
    printf("answers %lu lost %lu\n", answers, lost);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "echo") == 0)
        echo((uint16_t)atoi(argv[2]));
    struct sockaddr_in to = {.sin_family = AF_INET};
    if (argc != 6 || inet_pton(AF_INET, argv[2], &to.sin_addr) != 1)
        return 2;
    to.sin_port = htons((uint16_t)atoi(argv[3]));
    unsigned n = (unsigned)atoi(argv[4]);
    if (n == 0 || n > SOCKETS_MAX)
        return 2;
    return ask(&to, n, (unsigned)atoi(argv[5]), strcmp(argv[1], "new") == 0);
}
