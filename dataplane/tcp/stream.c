/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/stream.h for a connection. Nothing in here delivers an event: events are programmed, and
 * tcp_poll() delivers them.
 */
#include "base/assert.h"
#include "tcp/tcp_priv.h"

#include <rte_mbuf.h>

/* The connection behind a stream that its owner may still use. */
static struct tcp_conn *owned(struct stream *s)
{
    struct tcp_conn *c = tcp_conn_of(s);
    ASSERT(s->ops == &tcp_stream_ops);
    ASSERT(c->state != TCP_FREE && (c->flags & TCP_F_OWNED) != 0);
    return c;
}

/* Can the owner still write? */
static bool is_writable(const struct tcp_conn *c)
{
    return c->state > TCP_CLOSED && (c->flags & TCP_F_SHUTDOWN) == 0;
}

/* What receive queues hold, by worker. */
static uint64_t *rcvq_held(const struct tcp_conn *c)
{
    return tcp_held(c, STAT_tcp_rcvq_mbufs_now);
}

static unsigned op_peek(struct stream *s, struct slice *ret, unsigned n_max)
{
    return tcp_mbufq_peek(&owned(s)->rcvq, ret, n_max);
}

/* What both ways of taking unread bytes out do afterwards. */
static void on_consumed(struct tcp_conn *c)
{
    if (c->state != TCP_CLOSED)
        tcp_rcvq_on_consumed(c);
    else if (c->rcvq.bytes == 0 && c->end == STREAM_END_ORDERLY)
        tcp_program_events(c, STREAM_CLOSED); /* it waited for this */
}

static void op_consume(struct stream *s, size_t bytes)
{
    struct tcp_conn *c = owned(s);
    ASSERT(bytes <= c->rcvq.bytes);
    if (bytes == 0)
        return;
    tcp_mbufq_drop(&c->rcvq, (uint32_t)bytes, rcvq_held(c));
    on_consumed(c);
}

static size_t op_readable(const struct stream *s)
{
    return tcp_conn_of(s)->rcvq.bytes;
}

static bool op_is_ended(const struct stream *s)
{
    return (tcp_conn_of(s)->flags & TCP_F_FIN_RCVD) != 0;
}

static size_t op_write_room(const struct stream *s)
{
    const struct tcp_conn *c = tcp_conn_of(s);
    return is_writable(c) ? tcp_sndq_room(c) : 0;
}

static size_t op_write(struct stream *s, const struct slice *v, unsigned n)
{
    struct tcp_conn *c = owned(s);
    if (!is_writable(c))
        return 0;
    size_t taken = 0;
    for (unsigned i = 0; i < n; i++) {
        uint32_t part = tcp_sndq_write(c, v[i]);
        taken += part;
        if (part < v[i].len) {
            c->flags |= TCP_F_WANT_WRITE;
            break;
        }
    }
    if (taken > 0) {
        c->flags &= ~(uint32_t)TCP_F_RESTING;
        tcp_program_output(c);
    }
    return taken;
}

/* The first `bytes` of src go to dst by copying. Returns how many: less if mbufs are short. */
static uint32_t copy_first(struct tcp_conn *dst, struct tcp_conn *src, uint32_t bytes)
{
    const struct rte_mbuf *m = src->rcvq.head;
    uint32_t taken = tcp_sndq_write(dst, slice_of(rte_pktmbuf_mtod(m, const uint8_t *), bytes));
    stat_add(dst->tcp->core, STAT_tcp_move_copied_bytes, taken);
    tcp_mbufq_drop(&src->rcvq, taken, rcvq_held(src));
    return taken;
}

/* The first `bytes` of src's first mbuf go to dst by reference. Returns how many; 0: no mbuf. */
static uint32_t share_first(struct tcp_conn *dst, struct tcp_conn *src, uint32_t bytes)
{
    ASSERT_HOT(bytes < src->rcvq.head->data_len);
    if (!tcp_sndq_push_part(dst, src->rcvq.head, bytes))
        return 0;
    tcp_mbufq_drop(&src->rcvq, bytes, rcvq_held(src));
    return bytes;
}

/* Moves the first mbuf of src, or what of it may be moved: whole, by reference, or, if it is little
 * and what dst has last is little too, by copying. Returns how many bytes; 0: no mbuf. */
static uint32_t move_first(struct tcp_conn *dst, struct tcp_conn *src, uint32_t bytes_max)
{
    struct tcp *t = dst->tcp;
    uint32_t all = src->rcvq.head->data_len;
    uint32_t bytes = all < bytes_max ? all : bytes_max;
    if (bytes <= TCP_COPY_BYTES_MAX && (bytes < all || tcp_mbufq_has_small_tail(&dst->sndq)))
        return copy_first(dst, src, bytes);
    if (bytes == all)
        tcp_sndq_push(dst, tcp_mbufq_take(&src->rcvq, rcvq_held(src)));
    else
        bytes = share_first(dst, src, bytes);
    stat_add(t->core, STAT_tcp_move_bytes, bytes);
    return bytes;
}

static size_t op_move(struct stream *dst_stream, struct stream *src_stream, size_t bytes_max)
{
    struct tcp_conn *dst = owned(dst_stream);
    struct tcp_conn *src = owned(src_stream);
    ASSERT(dst != src && dst->tcp == src->tcp);
    if (!is_writable(dst))
        return 0;
    size_t moved = 0;
    while (moved < bytes_max && src->rcvq.head != NULL) {
        size_t room = tcp_sndq_room(dst);
        size_t limit = bytes_max - moved < room ? bytes_max - moved : room;
        uint32_t part = room == 0 ? 0 : move_first(dst, src, (uint32_t)limit);
        if (part == 0) {
            dst->flags |= TCP_F_WANT_WRITE;
            break;
        }
        moved += part;
    }
    if (moved > 0) {
        dst->flags &= ~(uint32_t)TCP_F_RESTING;
        tcp_program_output(dst);
        on_consumed(src);
    }
    return moved;
}

static void op_shutdown(struct stream *s)
{
    struct tcp_conn *c = owned(s);
    if (c->state != TCP_CLOSED)
        tcp_shutdown(c);
}

static void op_abort(struct stream *s)
{
    struct tcp_conn *c = owned(s);
    if (c->state != TCP_CLOSED)
        tcp_abort(c, STREAM_END_ABORTED);
}

/* Nobody listens any more: what is programmed for the owner is dropped. */
static void disown(struct tcp_conn *c)
{
    c->flags &= ~(uint32_t)(TCP_F_OWNED | TCP_F_WANT_WRITE);
    c->stream.on_event = NULL;
    c->stream.owner = NULL;
    c->events = 0;
    if (list_is_linked(&c->ready))
        list_remove(&c->ready);
}

static void op_release(struct stream *s)
{
    struct tcp_conn *c = owned(s);
    disown(c);
    if (c->state == TCP_CLOSED) {
        tcp_program_events(c, TCP_EVENT_FREE);
    } else if (c->state == TCP_SYN_SENT) {
        tcp_conn_end(c, STREAM_END_ABORTED); /* RFC 9293, 3.10.4 */
    } else if (c->rcvq.bytes > 0) {
        tcp_abort(c, STREAM_END_ABORTED); /* RFC 2525, 2.17 */
    } else {
        tcp_shutdown(c);
        tcp_arm_wait(c);
    }
}

static void op_rest(struct stream *s)
{
    struct tcp_conn *c = owned(s);
    if (c->state == TCP_ESTABLISHED && c->rcvq.bytes == 0)
        c->flags |= TCP_F_RESTING;
}

static enum stream_end op_end(const struct stream *s)
{
    return (enum stream_end)tcp_conn_of(s)->end;
}

static void op_addrs(const struct stream *s, struct stream_addrs *ret)
{
    const struct flow_tuple *t = &tcp_conn_of(s)->tuple;
    *ret = (struct stream_addrs){t->local, t->remote, t->local_port, t->remote_port};
}

const struct stream_ops tcp_stream_ops = {
    .peek = op_peek,
    .consume = op_consume,
    .readable = op_readable,
    .is_ended = op_is_ended,
    .write_room = op_write_room,
    .write = op_write,
    .move = op_move,
    .shutdown = op_shutdown,
    .abort = op_abort,
    .release = op_release,
    .rest = op_rest,
    .end = op_end,
    .addrs = op_addrs,
};
