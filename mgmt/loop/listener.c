/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets, and opening connections. */
#include "loop/sock_priv.h"

#include "base/assert.h"
#include "base/container.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Descriptors ran out: how long the listener looks away, so that the loop does not spin. */
#define ACCEPT_PAUSE_MS 100u

struct sock_listener {
    struct loop *loop;
    struct loop_io io;
    struct wheel_timer pause;
    struct sock_listen_config config;
    struct sock_listener_stats stats;
    int fd; /* -1: closed, waits for its last connection */
    uint16_t port;
};

static socklen_t fill_addr(struct sockaddr_storage *ret, const struct ip_addr *addr, uint16_t port)
{
    *ret = (struct sockaddr_storage){0};
    if (ip_addr_is_v4(addr)) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        memcpy(&v4->sin_addr, &addr->bytes[12], 4);
        return sizeof(*v4);
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    memcpy(&v6->sin6_addr, addr->bytes, 16);
    return sizeof(*v6);
}

static void listener_free(struct sock_listener *l)
{
    ASSERT(l->fd < 0 && l->stats.open == 0);
    free(l);
}

void sock_listener_forget(struct sock_listener *listener)
{
    ASSERT(listener->stats.open > 0);
    listener->stats.open -= 1;
    if (listener->stats.open == 0 && listener->fd < 0)
        listener_free(listener);
}

static void accept_one(struct sock_listener *l, int fd)
{
    if (l->stats.open >= l->config.conns_max) {
        l->stats.refused_full += 1;
        close(fd);
        return;
    }
    struct sock *s = sock_new(l->loop, fd, SOCK_OPEN, l);
    if (s == NULL) {
        l->stats.refused_full += 1;
        return;
    }
    l->stats.accepted += 1;
    l->stats.open += 1;
    l->config.on_accept(l->config.owner, &s->stream);
}

static bool is_out_of_resources(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void on_listener_ready(struct loop_io *io, uint32_t ready)
{
    struct sock_listener *l = container_of(io, struct sock_listener, io);
    for (unsigned i = 0; i < SOCK_ACCEPTS_PER_ROUND && l->fd >= 0; i++) {
        int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && is_out_of_resources(errno)) {
            l->stats.refused_full += 1;
            loop_io_want(&l->io, 0);
            loop_timer_arm(l->loop, &l->pause, ACCEPT_PAUSE_MS * 1000ull);
        }
        if (fd < 0 && errno != ECONNABORTED)
            return;
        if (fd >= 0)
            accept_one(l, fd);
    }
}

static void on_pause_over(struct wheel_timer *timer, uint64_t now_us)
{
    struct sock_listener *l = container_of(timer, struct sock_listener, pause);
    loop_io_want(&l->io, EPOLLIN);
}

static int open_listening(const struct ip_addr *addr, uint16_t port)
{
    struct sockaddr_storage a;
    socklen_t len = fill_addr(&a, addr, port);
    int fd = socket(a.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int on = 1;
    int off = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (a.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, (struct sockaddr *)&a, len) != 0 || listen(fd, 128) != 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage a = {0};
    socklen_t len = sizeof(a);
    if (getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        return 0;
    return ntohs(a.ss_family == AF_INET ? ((struct sockaddr_in *)&a)->sin_port
                                        : ((struct sockaddr_in6 *)&a)->sin6_port);
}

int sock_listen(struct loop *loop, const struct sock_listen_config *config,
                struct sock_listener **ret)
{
    ASSERT(config->on_accept != NULL && config->conns_max > 0);
    int fd = open_listening(&config->addr, config->port);
    if (fd == -EAFNOSUPPORT && ip_addr_is_zero(&config->addr)) {
        struct ip_addr any4 = ip_addr_from_v4("\0\0\0\0"); /* a kernel without IPv6 */
        fd = open_listening(&any4, config->port);
    }
    if (fd < 0)
        return fd;
    struct sock_listener *l = calloc(1, sizeof(*l));
    int error = l == NULL ? -ENOMEM : 0;
    if (l != NULL) {
        l->io.on_ready = on_listener_ready;
        error = loop_io_add(loop, &l->io, fd, EPOLLIN);
    }
    if (error != 0) {
        free(l);
        close(fd);
        return error;
    }
    l->loop = loop;
    l->pause.on_expire = on_pause_over;
    l->config = *config;
    l->fd = fd;
    l->port = port_of(fd);
    *ret = l;
    return 0;
}

void sock_listener_close(struct sock_listener *listener)
{
    ASSERT(listener->fd >= 0);
    loop_timer_disarm(listener->loop, &listener->pause);
    loop_io_remove(&listener->io);
    close(listener->fd);
    listener->fd = -1;
    if (listener->stats.open == 0)
        listener_free(listener);
}

uint16_t sock_listener_port(const struct sock_listener *listener)
{
    return listener->port;
}

void sock_listener_stats(const struct sock_listener *listener, struct sock_listener_stats *ret)
{
    *ret = listener->stats;
}

int sock_connect(struct loop *loop, const struct ip_addr *addr, uint16_t port, struct stream **ret)
{
    struct sockaddr_storage a;
    socklen_t len = fill_addr(&a, addr, port);
    int fd = socket(a.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&a, len) != 0 && errno != EINPROGRESS) {
        int error = -errno;
        close(fd);
        return error;
    }
    struct sock *s = sock_new(loop, fd, SOCK_CONNECTING, NULL);
    if (s == NULL)
        return -ENOMEM;
    s->addrs.remote = *addr;
    s->addrs.remote_port = port;
    *ret = &s->stream;
    return 0;
}
