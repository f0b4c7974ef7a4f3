/* SPDX-License-Identifier: Apache-2.0 */
/* The table of sockets and what TCP tells them. */
#include "base/assert.h"
#include "drill.h"
#include "tcp/settings.h"
#include "tcp/tcp_priv.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct drill_socket *drill_socket_at(struct drill *d, int fd)
{
    for (unsigned i = 0; i < DRILL_SOCKETS_MAX; i++) {
        if (d->sockets[i].kind != DRILL_FREE && d->sockets[i].fd == fd)
            return &d->sockets[i];
    }
    errno = EBADF;
    return NULL;
}

struct drill_socket *drill_socket_new(struct drill *d, int domain)
{
    int fd = eventfd(0, EFD_CLOEXEC);
    for (unsigned i = 0; i < DRILL_SOCKETS_MAX && fd >= 0; i++) {
        if (d->sockets[i].kind != DRILL_FREE)
            continue;
        d->sockets[i] = (struct drill_socket){.kind = DRILL_NEW, .domain = domain, .fd = fd};
        return &d->sockets[i];
    }
    if (fd >= 0)
        close(fd);
    errno = EMFILE;
    return NULL;
}

static void on_event(struct stream *stream, unsigned events)
{
    struct drill_socket *s = stream->owner;
    ASSERT(s->stream == stream);
    s->is_closed |= (events & STREAM_CLOSED) != 0;
    s->is_open |= (events & STREAM_WRITABLE) != 0;
}

/* Of one that nobody has accepted yet: the stream's own state will tell. */
static void on_event_unseen(struct stream *stream, unsigned events)
{
    ASSERT(events != 0);
}

void drill_socket_apply(struct drill_socket *s)
{
    if (s->stream == NULL)
        return;
    tcp_set_tos(s->stream, s->tos);
    tcp_set_keepalive(s->stream, s->has_keepalive ? s->keepalive_ms : 0);
    if (s->user_timeout_ms != 0)
        tcp_set_user_timeout(s->stream, s->user_timeout_ms);
}

void drill_socket_own(struct drill_socket *s, struct stream *stream)
{
    ASSERT(s->stream == NULL);
    s->kind = DRILL_CONNECTED;
    s->stream = stream;
    s->is_closed = stream_end(stream) != STREAM_END_OPEN;
    stream->on_event = on_event;
    stream->owner = s;
    drill_socket_apply(s);
}

void drill_socket_close(struct drill_socket *s)
{
    for (unsigned i = 0; i < s->n_waiting; i++) {
        stream_abort(s->waiting[i]);
        stream_release(s->waiting[i]);
    }
    if (s->stream != NULL && s->resets_on_close)
        stream_abort(s->stream);
    if (s->stream != NULL)
        stream_release(s->stream);
    *s = (struct drill_socket){.kind = DRILL_FREE};
}

static bool on_listen(void *owner, const struct ip_addr *local, uint16_t port,
                      struct tcp_listening *ret)
{
    struct drill *d = owner;
    for (unsigned i = 0; i < DRILL_SOCKETS_MAX; i++) {
        if (d->sockets[i].kind != DRILL_LISTENING || d->sockets[i].port != port)
            continue;
        ret->bind = i;
        return true;
    }
    return false;
}

static bool on_accept(void *owner, struct stream *stream, uint32_t bind)
{
    struct drill *d = owner;
    struct drill_socket *s = &d->sockets[bind];
    if (s->kind != DRILL_LISTENING || s->n_waiting > s->backlog ||
        s->n_waiting == DRILL_BACKLOG_MAX)
        return false;
    stream->on_event = on_event_unseen;
    s->waiting[s->n_waiting++] = stream;
    return true;
}

void drill_upcalls(struct drill *d, struct tcp_upcalls *ret)
{
    *ret = (struct tcp_upcalls){.listen = on_listen, .accept = on_accept, .owner = d};
}

int drill_error(const struct drill_socket *s)
{
    if (s->stream == NULL || !s->is_closed)
        return 0;
    switch (stream_end(s->stream)) {
    case STREAM_END_RESET:
        return ECONNRESET;
    case STREAM_END_REFUSED:
        return ECONNREFUSED;
    case STREAM_END_TIMEOUT:
        return ETIMEDOUT;
    case STREAM_END_UNREACHABLE:
        return EHOSTUNREACH;
    case STREAM_END_NO_RESOURCES:
        return ENOBUFS;
    case STREAM_END_ABORTED:
    case STREAM_END_PROTOCOL:
        return ECONNABORTED;
    default:
        return 0;
    }
}

int drill_mss(const struct drill_socket *s)
{
    return s->stream == NULL ? (int)TCP_MSS_DEFAULT_4 : tcp_conn_of(s->stream)->mss;
}

bool drill_can_accept(void *socket)
{
    const struct drill_socket *s = socket;
    return s->kind != DRILL_LISTENING || s->n_waiting > 0;
}

bool drill_can_read(void *socket)
{
    const struct drill_socket *s = socket;
    return s->stream == NULL || s->was_shut_for_reading || s->is_closed ||
           stream_readable(s->stream) > 0 || stream_is_eof(s->stream);
}

bool drill_can_write(void *socket)
{
    const struct drill_socket *s = socket;
    return s->stream == NULL || s->is_closed || (s->is_open && stream_write_room(s->stream) > 0);
}

bool drill_is_connected(void *socket)
{
    const struct drill_socket *s = socket;
    return s->stream == NULL || s->is_open || s->is_closed;
}
