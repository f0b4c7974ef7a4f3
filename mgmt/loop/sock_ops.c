/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stream's owner can call on a socket: all of it moves bytes between the owner and the two
 * buffers, or notes a wish. sock.c speaks to the kernel, at the end of the round.
 */
#include "loop/sock_priv.h"

#include "base/assert.h"

#include <string.h>

static struct sock *sock_of(const struct stream *s)
{
    return (struct sock *)(uintptr_t)s;
}

static unsigned op_peek(struct stream *stream, struct slice *ret, unsigned n_max)
{
    struct slice both[2];
    unsigned n = bytes_peek(&sock_of(stream)->in, both);
    if (n > n_max)
        n = n_max;
    memcpy(ret, both, n * sizeof(both[0]));
    return n;
}

static void op_consume(struct stream *stream, size_t bytes)
{
    struct sock *s = sock_of(stream);
    bytes_consume(&s->in, bytes);
    loop_task_program(s->loop, &s->task); /* reads again, or finds that it is over */
}

static size_t op_readable(const struct stream *stream)
{
    return sock_of(stream)->in.n;
}

static bool op_is_ended(const struct stream *stream)
{
    return sock_of(stream)->is_eof;
}

static size_t op_write_room(const struct stream *stream)
{
    const struct sock *s = sock_of(stream);
    return s->state == SOCK_OPEN && !s->is_shutdown_wanted ? bytes_room(&s->out) : 0;
}

static size_t op_write(struct stream *stream, const struct slice *v, unsigned n)
{
    struct sock *s = sock_of(stream);
    size_t taken = 0;
    if (op_write_room(stream) > 0 && bytes_reserve(&s->out)) {
        for (unsigned i = 0; i < n; i++) {
            size_t part = bytes_append(&s->out, v[i]);
            taken += part;
            if (part < v[i].len) {
                s->is_room_short = true;
                break;
            }
        }
        loop_task_program(s->loop, &s->task);
    } else if (s->state == SOCK_OPEN || s->state == SOCK_CONNECTING) {
        s->is_room_short = true;
    }
    return taken;
}

static void op_shutdown(struct stream *stream)
{
    struct sock *s = sock_of(stream);
    s->is_shutdown_wanted = true;
    loop_task_program(s->loop, &s->task);
}

static void op_abort(struct stream *stream)
{
    sock_set_over(sock_of(stream), STREAM_END_ABORTED);
}

static void op_release(struct stream *stream)
{
    struct sock *s = sock_of(stream);
    ASSERT(!s->is_released);
    s->is_released = true;
    if (s->state == SOCK_OPEN && s->in.n > 0)
        sock_set_over(s, STREAM_END_RESET);
    else if (s->state == SOCK_OPEN)
        s->state = SOCK_LINGER;
    else if (s->state == SOCK_CONNECTING)
        sock_set_over(s, STREAM_END_ABORTED);
    s->is_shutdown_wanted = true;
    if (s->state == SOCK_LINGER)
        loop_timer_arm(s->loop, &s->timer, SOCK_LINGER_MS_MAX * 1000ull);
    loop_task_program(s->loop, &s->task);
}

static enum stream_end op_end(const struct stream *stream)
{
    return sock_of(stream)->end;
}

static void op_addrs(const struct stream *stream, struct stream_addrs *ret)
{
    *ret = sock_of(stream)->addrs;
}

const struct stream_ops sock_ops = {
    .peek = op_peek,
    .consume = op_consume,
    .readable = op_readable,
    .is_ended = op_is_ended,
    .write_room = op_write_room,
    .write = op_write,
    .shutdown = op_shutdown,
    .abort = op_abort,
    .release = op_release,
    .end = op_end,
    .addrs = op_addrs,
};
