/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that look at a socket: fcntl, ioctl, poll. */
#include "drill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>

int drill_fcntl(void *userdata, int fd, int cmd, ...)
{
    struct drill *d = userdata;
    va_list args;
    va_start(args, cmd);
    int value = cmd == F_SETFL ? va_arg(args, int) : 0;
    va_end(args);
    int result = -1;
    drill_enter(d);
    struct drill_socket *s = drill_socket_at(d, fd);
    if (s != NULL && cmd == F_GETFL) {
        result = O_RDWR | (s->is_nonblocking ? O_NONBLOCK : 0);
    } else if (s != NULL && cmd == F_SETFL) {
        s->is_nonblocking = (value & O_NONBLOCK) != 0;
        result = 0;
    } else if (s != NULL) {
        errno = EINVAL;
    }
    drill_leave(d);
    return result;
}

int drill_ioctl(void *userdata, int fd, unsigned long request, ...)
{
    struct drill *d = userdata;
    va_list args;
    va_start(args, request);
    int *value = va_arg(args, int *);
    va_end(args);
    drill_enter(d);
    struct drill_socket *s = drill_socket_at(d, fd);
    bool is_good = s != NULL && s->stream != NULL && request == FIONREAD;
    if (is_good)
        *value = (int)stream_readable(s->stream);
    else if (s != NULL)
        errno = EINVAL;
    drill_leave(d);
    return is_good ? 0 : -1;
}

/* What poll() tells of a socket. */
static short poll_events(struct drill_socket *s)
{
    if (s->kind == DRILL_LISTENING)
        return s->n_waiting > 0 ? POLLIN : 0;
    if (s->stream == NULL)
        return POLLOUT | POLLHUP;
    short events = 0;
    bool is_eof = s->is_closed || stream_is_eof(s->stream);
    events |= drill_can_read(s) ? POLLIN : 0;
    events |= drill_can_write(s) ? POLLOUT : 0;
    events |= is_eof ? POLLRDHUP : 0;
    events |= s->is_closed ? POLLHUP : 0;
    events |= drill_error(s) != 0 && !s->was_error_told ? POLLERR : 0;
    return events;
}

struct poll_call {
    struct drill *d;
    struct pollfd *fds;
    nfds_t n;
    int ready; /* found by the last look */
};

/* One look at all of them. True: there is one to tell of. */
static bool look_at_all(void *arg)
{
    struct poll_call *call = arg;
    call->ready = 0;
    for (nfds_t i = 0; i < call->n; i++) {
        struct pollfd *p = &call->fds[i];
        struct drill_socket *s = drill_socket_at(call->d, p->fd);
        short wanted = p->events | POLLERR | POLLHUP;
        p->revents = s == NULL ? POLLNVAL : (short)(poll_events(s) & wanted);
        call->ready += p->revents != 0;
    }
    return call->ready > 0;
}

int drill_poll(void *userdata, struct pollfd *fds, nfds_t n, int timeout_ms)
{
    struct drill *d = userdata;
    struct poll_call call = {.d = d, .fds = fds, .n = n};
    drill_enter(d);
    drill_wait(d, look_at_all, &call,
               timeout_ms < 0 ? DRILL_WAIT_US_MAX : (uint64_t)timeout_ms * 1000);
    drill_leave(d);
    return call.ready;
}
