/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets' lives: made, bound, listening, accepting, connecting, closed. */
#include "base/assert.h"
#include "base/be.h"
#include "drill.h"
#include "tcp/tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

int drill_socket(void *userdata, int domain, int type, int protocol)
{
    struct drill *d = userdata;
    bool is_tcp = (type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) == SOCK_STREAM &&
                  (protocol == 0 || protocol == IPPROTO_TCP);
    if ((domain != AF_INET && domain != AF_INET6) || !is_tcp) {
        errno = EPROTONOSUPPORT;
        return -1;
    }
    drill_enter(d);
    struct drill_socket *s = drill_socket_new(d, domain);
    int fd = s == NULL ? -1 : s->fd;
    if (s != NULL)
        s->is_nonblocking = (type & SOCK_NONBLOCK) != 0;
    drill_leave(d);
    return fd;
}

/* Address and port of a sockaddr. False: it is none, errno is set. */
static bool read_addr(const struct sockaddr *addr, socklen_t bytes, struct ip_addr *ret,
                      uint16_t *ret_port)
{
    if (bytes >= sizeof(struct sockaddr_in) && addr->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)addr;
        *ret = ip_addr_from_v4(&in->sin_addr);
        *ret_port = ntohs(in->sin_port);
        return true;
    }
    if (bytes >= sizeof(struct sockaddr_in6) && addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)addr;
        *ret = ip_addr_from_v6(&in6->sin6_addr);
        *ret_port = ntohs(in6->sin6_port);
        return true;
    }
    errno = EINVAL;
    return false;
}

/* The peer of a stream as the socket's family has it; as much as there is room for. */
static void write_addr(const struct drill_socket *s, struct sockaddr *addr, socklen_t *bytes)
{
    struct stream_addrs addrs;
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    bool is_v4 = s->domain == AF_INET;
    if (addr == NULL || bytes == NULL)
        return;
    stream_addrs(s->stream, &addrs);
    in.sin_port = in6.sin6_port = htons(addrs.remote_port);
    memcpy(&in.sin_addr, addrs.remote.bytes + 12, 4);
    memcpy(&in6.sin6_addr, addrs.remote.bytes, 16);
    socklen_t size = is_v4 ? sizeof(in) : sizeof(in6);
    memcpy(addr, is_v4 ? (void *)&in : (void *)&in6, size < *bytes ? size : *bytes);
    *bytes = size;
}

int drill_bind(void *userdata, int fd, const struct sockaddr *addr, socklen_t bytes)
{
    struct drill *d = userdata;
    struct ip_addr local;
    uint16_t port = 0;
    drill_enter(d);
    struct drill_socket *s = drill_socket_at(d, fd);
    bool is_good = s != NULL && read_addr(addr, bytes, &local, &port);
    if (is_good)
        s->port = port;
    drill_leave(d);
    return is_good ? 0 : -1;
}

int drill_listen(void *userdata, int fd, int backlog)
{
    struct drill *d = userdata;
    drill_enter(d);
    struct drill_socket *s = drill_socket_at(d, fd);
    bool is_good = s != NULL && (s->kind == DRILL_NEW || s->kind == DRILL_LISTENING);
    if (is_good) {
        s->kind = DRILL_LISTENING;
        s->backlog = backlog < 0 ? 0 : (unsigned)backlog;
    } else if (s != NULL) {
        errno = EINVAL;
    }
    drill_leave(d);
    return is_good ? 0 : -1;
}

/* Takes the oldest connection that waits at `s`; with the lock held. */
static int take_waiting(struct drill *d, struct drill_socket *s, struct sockaddr *addr,
                        socklen_t *bytes)
{
    struct drill_socket *new = drill_socket_new(d, s->domain);
    if (new == NULL)
        return -1;
    ASSERT(s->n_waiting > 0);
    struct stream *stream = s->waiting[0];
    memmove(s->waiting, s->waiting + 1, --s->n_waiting * sizeof(s->waiting[0]));
    new->tos = s->tos;
    new->has_keepalive = s->has_keepalive;
    new->keepalive_ms = s->keepalive_ms;
    new->user_timeout_ms = s->user_timeout_ms;
    new->is_open = true;
    drill_socket_own(new, stream);
    write_addr(new, addr, bytes);
    return new->fd;
}

int drill_accept(void *userdata, int fd, struct sockaddr *addr, socklen_t *bytes)
{
    struct drill *d = userdata;
    int accepted = -1;
    drill_enter(d);
    struct drill_socket *s = drill_socket_at(d, fd);
    if (s != NULL && s->kind != DRILL_LISTENING)
        errno = EINVAL;
    else if (s != NULL && s->is_nonblocking && s->n_waiting == 0)
        errno = EAGAIN;
    else if (s != NULL && !drill_wait(d, drill_can_accept, s, DRILL_WAIT_US_MAX))
        errno = EAGAIN;
    else if (s != NULL && s->n_waiting == 0)
        errno = EBADF; /* closed meanwhile */
    else if (s != NULL)
        accepted = take_waiting(d, s, addr, bytes);
    drill_leave(d);
    return accepted;
}

/* How an open goes on; with the lock held. */
static int await_connected(struct drill *d, struct drill_socket *s)
{
    stage_run(d->stage);
    if (s->is_nonblocking && !drill_is_connected(s)) {
        errno = EINPROGRESS;
        return -1;
    }
    if (!drill_wait(d, drill_is_connected, s, DRILL_WAIT_US_MAX)) {
        errno = ETIMEDOUT;
        return -1;
    }
    errno = s->stream == NULL ? EBADF : drill_error(s);
    s->was_error_told = errno != 0;
    return errno == 0 ? 0 : -1;
}

static int open_towards(struct drill *d, struct drill_socket *s, const struct ip_addr *remote,
                        uint16_t port)
{
    struct stream *stream;
    struct tcp_open_args args = {.remote = *remote, .remote_port = port};
    if (s->kind == DRILL_CONNECTED) {
        errno = drill_is_connected(s) ? EISCONN : EALREADY;
        return -1;
    }
    if (tcp_open(stage_tcp(d->stage), &args, &stream) != TCP_OPEN_OK) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    drill_socket_own(s, stream);
    return await_connected(d, s);
}

int drill_connect(void *userdata, int fd, const struct sockaddr *addr, socklen_t bytes)
{
    struct drill *d = userdata;
    struct ip_addr remote;
    uint16_t port;
    int result = -1;
    drill_enter(d);
    struct drill_socket *s = drill_socket_at(d, fd);
    if (s != NULL && read_addr(addr, bytes, &remote, &port))
        result = open_towards(d, s, &remote, port);
    drill_leave(d);
    return result;
}

int drill_close(void *userdata, int fd)
{
    struct drill *d = userdata;
    drill_enter(d);
    struct drill_socket *s = drill_socket_at(d, fd);
    if (s != NULL) {
        drill_socket_close(s);
        close(fd);
    }
    drill_leave(d);
    return s != NULL ? 0 : -1;
}

int drill_shutdown(void *userdata, int fd, int how)
{
    struct drill *d = userdata;
    drill_enter(d);
    struct drill_socket *s = drill_socket_at(d, fd);
    bool is_good = s != NULL && s->stream != NULL && !s->is_closed;
    if (s != NULL && !is_good)
        errno = ENOTCONN;
    if (is_good && how != SHUT_RD) {
        stream_shutdown(s->stream);
        s->was_shut_for_writing = true;
    }
    if (is_good && how != SHUT_WR)
        s->was_shut_for_reading = true;
    drill_leave(d);
    return is_good ? 0 : -1;
}
