/* SPDX-License-Identifier: Apache-2.0 */
/* The pipes of fake_pair.h. */
#include "fake_pair.h"

#include "base/assert.h"

static struct fake_end *end_of(const struct stream *s)
{
    return (struct fake_end *)(uintptr_t)s;
}

static void set_over(struct fake_end *e, enum stream_end end)
{
    if (e->end != STREAM_END_OPEN)
        return;
    e->end = end;
    e->in_n = 0;
    e->events |= STREAM_CLOSED;
}

static unsigned op_peek(struct stream *s, struct slice *ret, unsigned n_max)
{
    struct fake_end *e = end_of(s);
    if (e->in_n == 0 || n_max == 0)
        return 0;
    ret[0] = slice_of(e->in, e->in_n);
    return 1;
}

static void op_consume(struct stream *s, size_t bytes)
{
    struct fake_end *e = end_of(s);
    ASSERT(bytes <= e->in_n);
    memmove(e->in, e->in + bytes, e->in_n - bytes);
    e->in_n -= bytes;
    if (e->peer->is_room_short && bytes > 0) {
        e->peer->is_room_short = false;
        e->peer->events |= STREAM_WRITABLE;
    }
}

static size_t op_readable(const struct stream *s)
{
    return end_of(s)->in_n;
}

static bool op_is_ended(const struct stream *s)
{
    return end_of(s)->is_eof;
}

static size_t op_write_room(const struct stream *s)
{
    const struct fake_end *e = end_of(s);
    if (e->is_shutdown || e->end != STREAM_END_OPEN)
        return 0;
    return e->capacity - e->peer->in_n;
}

static size_t op_write(struct stream *s, const struct slice *v, unsigned n)
{
    struct fake_end *e = end_of(s);
    size_t taken = 0;
    for (unsigned i = 0; i < n; i++) {
        size_t room = op_write_room(s);
        size_t part = v[i].len < room ? v[i].len : room;
        memcpy(e->peer->in + e->peer->in_n, v[i].ptr, part);
        e->peer->in_n += part;
        taken += part;
        if (part > 0)
            e->peer->events |= STREAM_READABLE;
        if (part < v[i].len) {
            e->is_room_short = true;
            break;
        }
    }
    return taken;
}

static void check_both_ended(struct fake_end *e)
{
    if (e->is_shutdown && e->peer->is_shutdown) {
        e->events |= STREAM_CLOSED;
        e->end = STREAM_END_ORDERLY;
        e->peer->events |= STREAM_CLOSED;
        e->peer->end = STREAM_END_ORDERLY;
    }
}

static void op_shutdown(struct stream *s)
{
    struct fake_end *e = end_of(s);
    e->is_shutdown = true;
    e->peer->is_eof = true;
    e->peer->events |= STREAM_READABLE;
    check_both_ended(e);
}

static void op_abort(struct stream *s)
{
    struct fake_end *e = end_of(s);
    set_over(e, STREAM_END_ABORTED);
    set_over(e->peer, STREAM_END_RESET);
}

static void op_release(struct stream *s)
{
    struct fake_end *e = end_of(s);
    ASSERT(!e->is_released);
    e->is_released = true;
    if (e->end != STREAM_END_OPEN)
        return;
    if (e->in_n > 0)
        set_over(e->peer, STREAM_END_RESET);
    else if (!e->is_shutdown)
        op_shutdown(s);
}

static enum stream_end op_end(const struct stream *s)
{
    return end_of(s)->end;
}

static void op_addrs(const struct stream *s, struct stream_addrs *ret)
{
    *ret = (struct stream_addrs){.local_port = 1, .remote_port = 2};
}

static const struct stream_ops fake_ops = {
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

void fake_join(struct fake_end *a, struct fake_end *b, size_t capacity)
{
    ASSERT(capacity <= FAKE_CAPACITY_MAX);
    *a = (struct fake_end){.stream.ops = &fake_ops, .peer = b, .capacity = capacity};
    *b = (struct fake_end){.stream.ops = &fake_ops, .peer = a, .capacity = capacity};
}

bool fake_dispatch(struct fake_end *e)
{
    unsigned events = e->events;
    e->events = 0;
    if (events == 0 || e->is_released || e->stream.on_event == NULL)
        return false;
    e->stream.on_event(&e->stream, events);
    return true;
}
