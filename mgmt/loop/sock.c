/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel socket as a stream. Reading fills `in` until it is full; writing fills `out`, which the
 * task at the end of the round sends. Events go out from on_ready() and from the task, never from
 * inside a call of the owner. An owner may release the stream in its event: memory is freed by the
 * task only.
 */
#include "loop/sock_priv.h"

#include "base/assert.h"
#include "base/container.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static enum stream_end end_of_errno(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return STREAM_END_REFUSED;
    case ETIMEDOUT:
        return STREAM_END_TIMEOUT;
    case EHOSTUNREACH:
    case ENETUNREACH:
        return STREAM_END_UNREACHABLE;
    case ENOMEM:
    case ENOBUFS:
        return STREAM_END_NO_RESOURCES;
    default:
        return STREAM_END_RESET;
    }
}

static void close_fd(struct sock *s, bool by_reset)
{
    if (s->fd < 0)
        return;
    if (by_reset) {
        struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
    if (s->io.loop != NULL)
        loop_io_remove(&s->io);
    close(s->fd);
    s->fd = -1;
}

void sock_set_over(struct sock *s, enum stream_end end)
{
    ASSERT(end != STREAM_END_OPEN);
    if (s->state == SOCK_OVER)
        return;
    loop_timer_disarm(s->loop, &s->timer);
    close_fd(s, end != STREAM_END_ORDERLY);
    bytes_drop(&s->in);
    bytes_drop(&s->out);
    s->state = SOCK_OVER;
    s->end = end;
    s->events = STREAM_CLOSED;
    loop_task_program(s->loop, &s->task);
}

/* What epoll should watch for. A peer that is held back is not read from. */
static void update_wanted(struct sock *s)
{
    if (s->fd < 0 || s->state == SOCK_CONNECTING)
        return;
    uint32_t wanted = 0;
    if (!s->is_eof && s->state == SOCK_OPEN && bytes_room(&s->in) > 0)
        wanted |= EPOLLIN;
    if (s->out.n > 0)
        wanted |= EPOLLOUT;
    int error = s->io.loop == NULL ? loop_io_add(s->loop, &s->io, s->fd, wanted)
                                   : loop_io_want(&s->io, wanted);
    if (error != 0)
        sock_set_over(s, STREAM_END_NO_RESOURCES);
}

/* Reads until the kernel has no more or `in` is full. Returns events. */
static unsigned fill(struct sock *s)
{
    unsigned events = 0;
    while (!s->is_eof && bytes_room(&s->in) > 0) {
        struct iovec space[2];
        if (!bytes_reserve(&s->in)) {
            sock_set_over(s, STREAM_END_NO_RESOURCES);
            return 0;
        }
        ssize_t n = readv(s->fd, space, (int)bytes_space(&s->in, space));
        if (n > 0) {
            bytes_added(&s->in, (size_t)n);
            events |= STREAM_READABLE;
        } else if (n == 0) {
            s->is_eof = true;
            events |= STREAM_READABLE;
        } else if (errno != EINTR) {
            if (errno != EAGAIN)
                sock_set_over(s, end_of_errno(errno));
            break;
        }
    }
    if (s->in.n == 0)
        bytes_drop(&s->in);
    return s->state == SOCK_OPEN ? events : 0;
}

/* Sends what is queued, then the FIN if it is wanted. Returns events. */
static unsigned flush(struct sock *s)
{
    size_t before = s->out.n;
    while (s->out.n > 0) {
        struct slice parts[2];
        unsigned n_parts = bytes_peek(&s->out, parts);
        struct iovec iov[2];
        for (unsigned i = 0; i < n_parts; i++)
            iov[i] = (struct iovec){(void *)(uintptr_t)parts[i].ptr, parts[i].len};
        struct msghdr msg = {.msg_iov = iov, .msg_iovlen = n_parts};
        ssize_t n = sendmsg(s->fd, &msg, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            sock_set_over(s, end_of_errno(errno));
        if (n < 0)
            break;
        bytes_consume(&s->out, (size_t)n);
    }
    if (s->fd >= 0 && s->out.n == 0 && s->is_shutdown_wanted && !s->is_shutdown) {
        shutdown(s->fd, SHUT_WR);
        s->is_shutdown = true;
    }
    if (s->fd < 0 || !s->is_room_short || s->out.n >= before)
        return 0;
    s->is_room_short = false;
    return STREAM_WRITABLE;
}

/* Both directions have ended and all was consumed. */
static void check_orderly(struct sock *s)
{
    if (s->state == SOCK_OPEN && s->is_eof && s->in.n == 0 && s->is_shutdown)
        sock_set_over(s, STREAM_END_ORDERLY);
}

static void deliver(struct sock *s, unsigned events)
{
    if (events != 0 && !s->is_released && s->stream.on_event != NULL)
        s->stream.on_event(&s->stream, events);
}

static void finish_connect(struct sock *s)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error != 0) {
        sock_set_over(s, end_of_errno(error));
        return;
    }
    loop_timer_disarm(s->loop, &s->timer);
    s->state = SOCK_OPEN;
    s->is_room_short = false;
    s->events |= STREAM_WRITABLE;
    loop_task_program(s->loop, &s->task);
}

/* The kernel says that the connection has failed or ended while we were not reading. Bytes that we
 * have no room for stay in the kernel; epoll cannot be told to be quiet about it, so leave it. */
static void on_hang_up(struct sock *s, uint32_t ready)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if ((ready & EPOLLERR) != 0) {
        getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        sock_set_over(s, end_of_errno(error));
    } else if (bytes_room(&s->in) == 0 || s->is_eof) {
        loop_io_remove(&s->io);
    }
}

static void on_ready(struct loop_io *io, uint32_t ready)
{
    struct sock *s = container_of(io, struct sock, io);
    unsigned events = 0;
    if (s->state == SOCK_CONNECTING) {
        finish_connect(s);
        update_wanted(s);
        return;
    }
    if (s->state == SOCK_OPEN && (ready & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        events |= fill(s);
    if (s->fd >= 0 && (ready & EPOLLOUT) != 0)
        events |= flush(s);
    if (s->fd >= 0 && (ready & (EPOLLHUP | EPOLLERR)) != 0)
        on_hang_up(s, ready);
    if (s->state == SOCK_OVER) {
        return; /* the task tells it */
    }
    if (s->is_released)
        loop_task_program(s->loop, &s->task);
    else if (s->io.loop != NULL)
        update_wanted(s);
    deliver(s, events);
    if (s->state == SOCK_OPEN)
        check_orderly(s);
}

static void sock_free(struct sock *s)
{
    loop_timer_disarm(s->loop, &s->timer);
    loop_task_cancel(s->loop, &s->task);
    close_fd(s, s->out.n > 0 || s->in.n > 0);
    bytes_drop(&s->in);
    bytes_drop(&s->out);
    if (s->listener != NULL)
        sock_listener_forget(s->listener);
    free(s);
}

/* End of the round: send, tell what a call has caused, and finish a release. */
static void on_task(struct loop_task *task)
{
    struct sock *s = container_of(task, struct sock, task);
    if (s->state == SOCK_OPEN || s->state == SOCK_LINGER)
        s->events |= flush(s);
    if (s->is_released) {
        if (s->state == SOCK_OVER || s->out.n == 0)
            sock_free(s);
        else
            update_wanted(s);
        return;
    }
    check_orderly(s);
    update_wanted(s);
    unsigned events = s->events;
    s->events = 0;
    deliver(s, events);
}

static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct sock *s = container_of(timer, struct sock, timer);
    if (s->is_released)
        sock_free(s); /* what is left of the output goes with a reset */
    else
        sock_set_over(s, STREAM_END_TIMEOUT);
}

static void read_addr(const struct sockaddr_storage *from, struct ip_addr *ret, uint16_t *ret_port)
{
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
        *ret = ip_addr_from_v4(&v4->sin_addr);
        *ret_port = ntohs(v4->sin_port);
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
        *ret = ip_addr_from_v6(&v6->sin6_addr);
        *ret_port = ntohs(v6->sin6_port);
    }
}

static void learn_addrs(struct sock *s)
{
    struct sockaddr_storage a = {0};
    socklen_t len = sizeof(a);
    if (getsockname(s->fd, (struct sockaddr *)&a, &len) == 0)
        read_addr(&a, &s->addrs.local, &s->addrs.local_port);
    a = (struct sockaddr_storage){0};
    len = sizeof(a);
    if (getpeername(s->fd, (struct sockaddr *)&a, &len) == 0)
        read_addr(&a, &s->addrs.remote, &s->addrs.remote_port);
}

void sock_set_options(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},   {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, 30}, {IPPROTO_TCP, TCP_KEEPINTVL, 10},
        {IPPROTO_TCP, TCP_KEEPCNT, 3},   {IPPROTO_TCP, TCP_USER_TIMEOUT, 60000},
    };
    for (size_t i = 0; i < array_len(options); i++) {
        setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                   sizeof(options[i].value)); /* a wish: the connection works without */
    }
}

struct sock *sock_new(struct loop *loop, int fd, enum sock_state state,
                      struct sock_listener *listener)
{
    struct sock *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        close(fd);
        return NULL;
    }
    *s = (struct sock){
        .stream.ops = &sock_ops,
        .loop = loop,
        .io.on_ready = on_ready,
        .task.run = on_task,
        .timer.on_expire = on_timer,
        .fd = fd,
        .state = state,
    };
    sock_set_options(fd);
    uint32_t wanted = state == SOCK_CONNECTING ? EPOLLOUT : EPOLLIN;
    if (loop_io_add(loop, &s->io, fd, wanted) != 0) {
        close(fd);
        free(s);
        return NULL;
    }
    s->listener = listener;
    if (state == SOCK_CONNECTING)
        loop_timer_arm(loop, &s->timer, SOCK_CONNECT_MS_MAX * 1000ull);
    learn_addrs(s);
    return s;
}
