/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing. All the calls of a direction are one: pieces and flags. */
#include "base/assert.h"
#include "drill.h"
#include "tcp/settings.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

/* Copies unread bytes into the pieces; returns how many. */
static size_t take(struct drill_socket *s, const struct iovec *iov, int n, bool stays)
{
    size_t total = 0;
    struct slice parts[64];
    unsigned have = stream_peek(s->stream, parts, 64);
    size_t at = 0;
    unsigned part = 0;
    for (int i = 0; i < n; i++) {
        size_t filled = 0;
        while (filled < iov[i].iov_len && part < have) {
            size_t left = parts[part].len - at;
            size_t bytes = left < iov[i].iov_len - filled ? left : iov[i].iov_len - filled;
            memcpy((uint8_t *)iov[i].iov_base + filled, parts[part].ptr + at, bytes);
            filled += bytes;
            total += bytes;
            at += bytes;
            if (at == parts[part].len) {
                part++;
                at = 0;
            }
        }
    }
    if (!stays)
        stream_consume(s->stream, total);
    return total;
}

/* An error of the connection, told once; then as if the peer had ended. */
static ssize_t tell_error(struct drill_socket *s)
{
    int error = drill_error(s);
    if (error == 0 || s->was_error_told)
        return 0;
    s->was_error_told = true;
    errno = error;
    return -1;
}

/* A piece that lies nowhere, as scripts of bad arguments have it. */
static bool has_bad_piece(const struct iovec *iov, int n)
{
    for (int i = 0; i < n; i++) {
        if (iov[i].iov_base == NULL && iov[i].iov_len > 0)
            return true;
    }
    return false;
}

static ssize_t receive(struct drill *d, int fd, const struct iovec *iov, int n, int flags)
{
    struct drill_socket *s = drill_socket_at(d, fd);
    if (s == NULL)
        return -1;
    if (s->stream == NULL) {
        errno = ENOTCONN;
        return -1;
    }
    bool may_block = !s->is_nonblocking && (flags & MSG_DONTWAIT) == 0;
    stage_run(d->stage);
    if (!drill_wait(d, drill_can_read, s, may_block ? DRILL_WAIT_US_MAX : 0)) {
        errno = EAGAIN;
        return -1;
    }
    if (s->stream == NULL) {
        errno = EBADF; /* closed meanwhile */
        return -1;
    }
    if (has_bad_piece(iov, n)) {
        errno = EFAULT;
        return -1;
    }
    if (stream_readable(s->stream) > 0)
        return (ssize_t)take(s, iov, n, (flags & MSG_PEEK) != 0);
    return tell_error(s);
}

/* Gives one piece to TCP; returns how much was taken. */
static size_t give(struct drill_socket *s, const uint8_t *bytes, size_t len)
{
    struct slice v = slice_of(bytes, len);
    return len == 0 ? 0 : stream_write(s->stream, &v, 1);
}

/* Why nothing can be written; 0: it can. */
static int refuses_write(struct drill_socket *s)
{
    if (s->stream == NULL)
        return ENOTCONN;
    if (s->is_closed)
        return drill_error(s) != 0 && !s->was_error_told ? drill_error(s) : EPIPE;
    return s->was_shut_for_writing ? EPIPE : 0;
}

static ssize_t transmit(struct drill *d, int fd, const struct iovec *iov, int n, int flags)
{
    struct drill_socket *s = drill_socket_at(d, fd);
    if (s == NULL)
        return -1;
    bool may_block = !s->is_nonblocking && (flags & MSG_DONTWAIT) == 0;
    size_t total = 0;
    int error = has_bad_piece(iov, n) ? EFAULT : refuses_write(s);
    for (int i = 0; i < n && error == 0; i++) {
        for (size_t done = 0; done < iov[i].iov_len && error == 0;) {
            size_t taken = give(s, (const uint8_t *)iov[i].iov_base + done, iov[i].iov_len - done);
            done += taken;
            total += taken;
            if (done == iov[i].iov_len)
                break;
            stage_run(d->stage);
            if (!may_block || !drill_wait(d, drill_can_write, s, DRILL_WAIT_US_MAX))
                error = s->is_open && may_block ? EPIPE : EAGAIN;
            else
                error = refuses_write(s);
        }
    }
    if ((flags & MSG_OOB) != 0 && total > 0)
        tcp_write_urgent(s->stream);
    if (total > 0)
        return (ssize_t)total;
    s->was_error_told |= error != 0 && error == drill_error(s);
    errno = error;
    return error == 0 ? 0 : -1;
}

ssize_t drill_recvmsg(void *userdata, int fd, struct msghdr *msg, int flags)
{
    struct drill *d = userdata;
    drill_enter(d);
    ssize_t bytes = receive(d, fd, msg->msg_iov, (int)msg->msg_iovlen, flags);
    msg->msg_controllen = 0;
    msg->msg_flags = 0;
    drill_leave(d);
    return bytes;
}

ssize_t drill_readv(void *userdata, int fd, const struct iovec *iov, int n)
{
    struct drill *d = userdata;
    drill_enter(d);
    ssize_t bytes = receive(d, fd, iov, n, 0);
    drill_leave(d);
    return bytes;
}

ssize_t drill_recv(void *userdata, int fd, void *buf, size_t bytes, int flags)
{
    struct iovec iov = {buf, bytes};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    return drill_recvmsg(userdata, fd, &msg, flags);
}

ssize_t drill_read(void *userdata, int fd, void *buf, size_t bytes)
{
    return drill_recv(userdata, fd, buf, bytes, 0);
}

ssize_t drill_recvfrom(void *userdata, int fd, void *buf, size_t bytes, int flags,
                       struct sockaddr *addr, socklen_t *addr_bytes)
{
    if (addr_bytes != NULL)
        *addr_bytes = 0; /* of a connection it is known */
    return drill_recv(userdata, fd, buf, bytes, flags);
}

ssize_t drill_writev(void *userdata, int fd, const struct iovec *iov, int n)
{
    struct drill *d = userdata;
    drill_enter(d);
    ssize_t bytes = transmit(d, fd, iov, n, 0);
    drill_leave(d);
    return bytes;
}

ssize_t drill_sendmsg(void *userdata, int fd, const struct msghdr *msg, int flags)
{
    struct drill *d = userdata;
    drill_enter(d);
    ssize_t bytes = transmit(d, fd, msg->msg_iov, (int)msg->msg_iovlen, flags);
    drill_leave(d);
    return bytes;
}

ssize_t drill_send(void *userdata, int fd, const void *buf, size_t bytes, int flags)
{
    struct iovec iov = {(void *)(uintptr_t)buf, bytes};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    return drill_sendmsg(userdata, fd, &msg, flags);
}

ssize_t drill_write(void *userdata, int fd, const void *buf, size_t bytes)
{
    return drill_send(userdata, fd, buf, bytes, 0);
}

ssize_t drill_sendto(void *userdata, int fd, const void *buf, size_t bytes, int flags,
                     const struct sockaddr *addr, socklen_t addr_bytes)
{
    if ((flags & MSG_FASTOPEN) != 0) {
        errno = EOPNOTSUPP; /* RFC 7413 is not ours */
        return -1;
    }
    return drill_send(userdata, fd, buf, bytes, flags);
}
