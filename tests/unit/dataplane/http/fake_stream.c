/* SPDX-License-Identifier: Apache-2.0 */
/* See fake_stream.h. */
#include "fake_stream.h"

#include "base/assert.h"

#include <stdlib.h>

static struct fake_stream *fake(const struct stream *s)
{
    struct fake_stream *f = (struct fake_stream *)(uintptr_t)s;
    ASSERT(!f->is_released);
    return f;
}

static void append(struct fake_bytes *b, struct slice v)
{
    if (b->len + v.len > b->room) {
        b->room = 2 * (b->len + v.len);
        b->ptr = realloc(b->ptr, b->room);
        ASSERT(b->ptr != NULL);
    }
    if (v.len > 0)
        memcpy(b->ptr + b->len, v.ptr, v.len);
    b->len += v.len;
}

static unsigned fake_peek(struct stream *s, struct slice *ret, unsigned n_max)
{
    struct fake_stream *f = fake(s);
    unsigned n = 0;
    for (size_t at = f->in.taken; at < f->in.len && n < n_max; n++) {
        size_t len = f->in.len - at < f->slice_max ? f->in.len - at : f->slice_max;
        ret[n] = slice_of(f->in.ptr + at, len);
        at += len;
    }
    return n;
}

static void fake_consume(struct stream *s, size_t bytes)
{
    struct fake_stream *f = fake(s);
    ASSERT(bytes <= f->in.len - f->in.taken);
    f->in.taken += bytes;
}

static size_t fake_readable(const struct stream *s)
{
    const struct fake_stream *f = fake(s);
    return f->in.len - f->in.taken;
}

static bool fake_is_ended(const struct stream *s)
{
    return fake(s)->is_in_ended;
}

static size_t fake_write_room(const struct stream *s)
{
    const struct fake_stream *f = fake(s);
    size_t queued = f->out.len - f->out.taken;
    if (f->is_shutdown || f->end != STREAM_END_OPEN || queued >= f->out_room)
        return 0;
    return f->out_room - queued;
}

static size_t fake_write(struct stream *s, const struct slice *v, unsigned n)
{
    struct fake_stream *f = fake(s);
    size_t done = 0;
    for (unsigned i = 0; i < n; i++) {
        size_t room = fake_write_room(s);
        size_t take = v[i].len < room ? v[i].len : room;
        append(&f->out, slice_of(v[i].ptr, take));
        done += take;
        f->is_blocked |= take < v[i].len;
    }
    return done;
}

static void fake_shutdown(struct stream *s)
{
    fake(s)->is_shutdown = true;
}

static void fake_abort(struct stream *s)
{
    struct fake_stream *f = fake(s);
    if (f->end == STREAM_END_OPEN)
        fake_stream_break(f, STREAM_END_ABORTED);
}

static void fake_release(struct stream *s)
{
    struct fake_stream *f = fake(s);
    f->is_shutdown = true;
    f->is_released = true;
    f->events = 0;
}

static enum stream_end fake_end(const struct stream *s)
{
    return fake(s)->end;
}

static void fake_addrs(const struct stream *s, struct stream_addrs *ret)
{
    *ret = fake(s)->addrs;
}

static const struct stream_ops ops = {
    .peek = fake_peek,
    .consume = fake_consume,
    .readable = fake_readable,
    .is_ended = fake_is_ended,
    .write_room = fake_write_room,
    .write = fake_write,
    .shutdown = fake_shutdown,
    .abort = fake_abort,
    .release = fake_release,
    .end = fake_end,
    .addrs = fake_addrs,
};

void fake_stream_init(struct fake_stream *f, size_t out_room)
{
    *f = (struct fake_stream){.stream = {.ops = &ops}, .out_room = out_room, .slice_max = SIZE_MAX};
}

void fake_stream_done(struct fake_stream *f)
{
    free(f->in.ptr);
    free(f->out.ptr);
    f->in = (struct fake_bytes){0};
    f->out = (struct fake_bytes){0};
}

void fake_stream_push(struct fake_stream *f, struct slice bytes)
{
    if (f->is_released || f->end != STREAM_END_OPEN)
        return;
    append(&f->in, bytes);
    f->events |= STREAM_READABLE;
}

void fake_stream_push_eof(struct fake_stream *f)
{
    if (f->is_released || f->end != STREAM_END_OPEN)
        return;
    f->is_in_ended = true;
    f->events |= STREAM_READABLE;
}

void fake_stream_break(struct fake_stream *f, enum stream_end end)
{
    ASSERT(end != STREAM_END_OPEN);
    f->end = end;
    f->in.taken = f->in.len;
    if (!f->is_released)
        f->events = STREAM_CLOSED;
}

bool fake_stream_dispatch(struct fake_stream *f)
{
    unsigned events = f->events;
    f->events = 0;
    if (events == 0 || f->is_released || f->stream.on_event == NULL)
        return false;
    f->stream.on_event(&f->stream, events);
    return true;
}

struct slice fake_stream_written(const struct fake_stream *f)
{
    return slice_of(f->out.ptr + f->out.taken, f->out.len - f->out.taken);
}

void fake_stream_take(struct fake_stream *f, size_t bytes)
{
    size_t there = f->out.len - f->out.taken;
    f->out.taken += bytes < there ? bytes : there;
    if (f->is_blocked && there > 0 && !f->is_released && f->end == STREAM_END_OPEN) {
        f->is_blocked = false;
        f->events |= STREAM_WRITABLE;
    }
}
