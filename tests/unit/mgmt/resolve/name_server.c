/* SPDX-License-Identifier: Apache-2.0 */
/* A name server for tests. See name_server.h. */
#include "name_server.h"

#include "base/container.h"
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER 12u
#define TYPE_AAAA 28

/* Where the question ends: behind its name, type and class. */
static size_t question_end(const uint8_t *message, size_t len)
{
    size_t at = HEADER;
    while (at < len && message[at] != 0)
        at += message[at] + 1u;
    return at + 5;
}

/* One record: a pointer to the question's name, class IN, 60 seconds. */
static size_t add_record(uint8_t *to, bool is_v6, size_t number)
{
    static const uint8_t v6[15] = {0x20, 0x01, 0x0d, 0xb8};
    uint8_t head[] = {0xc0, HEADER, 0, is_v6 ? TYPE_AAAA : 1, 0, 1, 0, 0, 0, 60, 0, is_v6 ? 16 : 4};
    memcpy(to, head, sizeof(head));
    size_t at = sizeof(head);
    if (is_v6) {
        memcpy(to + at, v6, sizeof(v6));
        at += sizeof(v6);
    } else {
        memcpy(to + at, "\xc0\x00\x02", 3);
        at += 3;
    }
    to[at++] = (uint8_t)number;
    return at;
}

static void on_question(struct loop_io *io, uint32_t ready)
{
    struct name_server *s = container_of(io, struct name_server, io);
    uint8_t message[4096];
    struct sockaddr_in from;
    socklen_t from_len = sizeof(from);
    ssize_t got =
        recvfrom(io->fd, message, sizeof(message) / 2, 0, (struct sockaddr *)&from, &from_len);
    if (got < (ssize_t)HEADER)
        return;
    s->questions++;
    if (s->is_silent)
        return;
    size_t at = question_end(message, (size_t)got);
    bool is_v6 = message[at - 3] == TYPE_AAAA;
    size_t n = s->rcode != 0 ? 0 : is_v6 ? s->n_v6 : s->n_v4;
    message[2] = 0x84;
    message[3] = s->rcode;
    memset(message + 4, 0, 8);
    message[5] = 1;
    message[7] = (uint8_t)n;
    for (size_t i = 1; i <= n; i++)
        at += add_record(message + at, is_v6, i);
    at -= s->is_broken ? 3 : 0;
    CHECK_EQ(sendto(io->fd, message, at, 0, (struct sockaddr *)&from, from_len), at);
}

void name_server_open(struct name_server *s, struct loop *loop)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                               .sin_port = htons(s->port)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0);
    REQUIRE(bind(fd, (struct sockaddr *)&addr, len) == 0);
    REQUIRE(getsockname(fd, (struct sockaddr *)&addr, &len) == 0);
    s->port = ntohs(addr.sin_port);
    s->loop = loop;
    s->io = (struct loop_io){.on_ready = on_question};
    REQUIRE(loop_io_add(loop, &s->io, fd, EPOLLIN) == 0);
}

void name_server_close(struct name_server *s)
{
    loop_io_remove(&s->io);
    close(s->io.fd);
}
