/* SPDX-License-Identifier: Apache-2.0 */
/* See sim_pipe.h. */
#include "sim_pipe.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/minmax.h"

#include <stdlib.h>
#include <string.h>

struct end {
    struct stream stream; /* first */
    struct sim_pipes *all;
    struct end *peer;
    unsigned events;
    enum stream_end end;
    bool is_patient;  /* reads to the end before it hears that the pipe is broken */
    bool is_in_ended; /* the peer has ended its direction */
    bool is_shut;
    bool is_wanting; /* a write took less than it was given */
    bool is_released;
    size_t at; /* of `bytes`: unread */
    size_t len;
    uint8_t bytes[SIM_PIPE_BYTES];
};

struct pipe {
    struct list_node link;
    struct end ends[2];
};

static struct end *end_of(const struct stream *s)
{
    return (struct end *)(uintptr_t)s;
}

static void tell(struct end *e, unsigned events)
{
    e->events |= events;
    e->all->is_due = true;
}

static unsigned op_peek(struct stream *s, struct slice *ret, unsigned n_max)
{
    struct end *e = end_of(s);
    if (e->len == 0 || n_max == 0)
        return 0;
    ret[0] = slice_of(e->bytes + e->at, e->len);
    return 1;
}

static void op_consume(struct stream *s, size_t bytes)
{
    struct end *e = end_of(s);
    ASSERT(bytes <= e->len);
    e->at += bytes;
    e->len -= bytes;
    if (bytes > 0 && e->peer->is_wanting) {
        e->peer->is_wanting = false;
        tell(e->peer, STREAM_WRITABLE);
    }
    if (e->len == 0 && e->end != STREAM_END_OPEN)
        tell(e, STREAM_CLOSED);
}

static size_t op_readable(const struct stream *s)
{
    return end_of(s)->len;
}

static bool op_is_ended(const struct stream *s)
{
    return end_of(s)->is_in_ended;
}

static size_t op_write_room(const struct stream *s)
{
    const struct end *e = end_of(s);
    bool is_closed = e->is_shut || e->end != STREAM_END_OPEN;
    return is_closed ? 0 : SIM_PIPE_BYTES - e->peer->len;
}

static size_t write_one(struct end *to, struct slice v)
{
    size_t n = min64(v.len, SIM_PIPE_BYTES - to->len);
    memmove(to->bytes, to->bytes + to->at, to->len);
    memcpy(to->bytes + to->len, v.ptr, n);
    to->at = 0;
    to->len += n;
    return n;
}

/* What is written to somebody who is gone is lost, as on the wire. */
static size_t op_write(struct stream *s, const struct slice *v, unsigned n)
{
    struct end *e = end_of(s);
    size_t all = 0;
    size_t taken = 0;
    if (e->is_shut || e->end != STREAM_END_OPEN)
        return 0;
    for (unsigned i = 0; i < n; i++) {
        all += v[i].len;
        if (v[i].len > 0)
            taken += e->peer->is_released ? v[i].len : write_one(e->peer, v[i]);
    }
    if (taken > 0)
        tell(e->peer, STREAM_READABLE);
    e->is_wanting = taken < all;
    return taken;
}

static void op_shutdown(struct stream *s)
{
    struct end *e = end_of(s);
    if (e->is_shut || e->end != STREAM_END_OPEN)
        return;
    e->is_shut = true;
    e->peer->is_in_ended = true;
    tell(e->peer, STREAM_READABLE);
}

static void op_abort(struct stream *s)
{
    struct end *e = end_of(s);
    struct end *peer = e->peer;
    if (e->end != STREAM_END_OPEN)
        return;
    e->end = STREAM_END_ABORTED;
    e->len = 0;
    tell(e, STREAM_CLOSED);
    if (peer->end != STREAM_END_OPEN)
        return;
    peer->end = STREAM_END_RESET;
    if (!peer->is_patient)
        peer->len = 0;
    if (peer->len == 0)
        tell(peer, STREAM_CLOSED);
}

static void op_release(struct stream *s)
{
    struct end *e = end_of(s);
    ASSERT(!e->is_released);
    op_shutdown(s);
    op_consume(s, e->len);
    e->is_released = true;
    e->all->is_due = true; /* to be freed */
}

static enum stream_end op_end(const struct stream *s)
{
    return end_of(s)->end;
}

static void op_addrs(const struct stream *s, struct stream_addrs *ret)
{
    *ret = (struct stream_addrs){.local_port = 0};
}

static const struct stream_ops ops = {
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

void sim_pipes_init(struct sim_pipes *all)
{
    *all = (struct sim_pipes){.n = 0};
    list_init(&all->all);
}

void sim_pipe_new(struct sim_pipes *all, struct stream **ret_active, struct stream **ret_passive)
{
    struct pipe *p = calloc(1, sizeof(*p));
    ASSERT(p != NULL);
    for (unsigned i = 0; i < 2; i++) {
        p->ends[i].stream.ops = &ops;
        p->ends[i].all = all;
        p->ends[i].peer = &p->ends[1 - i];
    }
    p->ends[0].is_patient = true;
    tell(&p->ends[0], STREAM_WRITABLE);
    list_push_back(&all->all, &p->link);
    all->n++;
    *ret_active = &p->ends[0].stream;
    *ret_passive = &p->ends[1].stream;
}

static void tell_end(struct end *e)
{
    unsigned events = e->events;
    e->events = 0;
    if (events != 0 && !e->is_released)
        e->stream.on_event(&e->stream, events);
}

bool sim_pipes_poll(struct sim_pipes *all)
{
    if (!all->is_due)
        return false;
    all->is_due = false;
    LIST_EACH_SAFE (it, next, &all->all) {
        struct pipe *p = container_of(it, struct pipe, link);
        tell_end(&p->ends[0]);
        tell_end(&p->ends[1]);
        if (!p->ends[0].is_released || !p->ends[1].is_released)
            continue;
        next = p->link.next; /* that may be one that was opened just now */
        list_remove(&p->link);
        all->n--;
        free(p);
    }
    return true;
}

void sim_pipes_free(struct sim_pipes *all)
{
    struct list_node *node;
    while ((node = list_take_front(&all->all)) != NULL)
        free(container_of(node, struct pipe, link));
    all->n = 0;
}
