/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reliable, ordered, two-way flow of bytes with back-pressure: the only thing that `http` knows
 * of what lies below it. Implementations: tcp (dataplane), tls over another stream, epoll sockets
 * (mgmt).
 *
 * Rules that every implementation keeps:
 *  - Events are delivered from the loop's dispatch step only, never from inside a stream_*() call:
 * a caller's state does not change under its feet.
 *  - STREAM_READABLE: there are bytes that were not there at the last event, or the end of the
 * peer's bytes was reached. STREAM_WRITABLE: there is room again after a write or move that took
 * less than it was given; also once when an active open is established. STREAM_CLOSED: the stream
 * is over (see stream_end()); the last event; what is unread is gone.
 *  - The peer is held back by not consuming: what is unread counts against the receive window.
 *  - After stream_release() the owner may not touch the stream; no event comes. What was written is
 * still sent, then FIN, in the background, bounded by the implementation's linger limit. Unread
 * bytes at release make it a reset (RFC 2525, section 2.17).
 *
 * Owner: whoever accepted or opened it, until stream_release(). Thread: the worker (or mgmt loop)
 * that made it.
 */
#pragma once

#include "base/ip_addr.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct stream;

enum stream_event {
    STREAM_READABLE = 1u << 0,
    STREAM_WRITABLE = 1u << 1,
    STREAM_CLOSED = 1u << 2,
    STREAM_URGENT = 1u << 3,  /* of tcp, to those who asked: tcp/settings.h */
    STREAM_TROUBLE = 1u << 4, /* likewise */
};

/* Why a stream is over. One list: enum, names, help. */
#define STREAM_END_LIST(X)                                                                         \
    X(OPEN, "not over")                                                                            \
    X(ORDERLY, "both directions ended in good order")                                              \
    X(RESET, "the peer reset it")                                                                  \
    X(REFUSED, "the peer refused the open")                                                        \
    X(TIMEOUT, "the peer did not answer in time")                                                  \
    X(UNREACHABLE, "no way to the peer")                                                           \
    X(ABORTED, "ended by stream_abort()")                                                          \
    X(NO_RESOURCES, "a pool ran out")                                                              \
    X(PROTOCOL, "the layer below broke its protocol (TLS alert, bad record)")

enum stream_end {
#define X(name, help) STREAM_END_##name,
    STREAM_END_LIST(X)
#undef X
};

struct stream_addrs {
    struct ip_addr local;
    struct ip_addr remote;
    uint16_t local_port;
    uint16_t remote_port;
};

struct stream_ops {
    unsigned (*peek)(struct stream *s, struct slice *ret, unsigned n_max);
    void (*consume)(struct stream *s, size_t bytes);
    size_t (*readable)(const struct stream *s);
    bool (*is_ended)(const struct stream *s);
    size_t (*write_room)(const struct stream *s);
    size_t (*write)(struct stream *s, const struct slice *v, unsigned n);
    size_t (*move)(struct stream *dst, struct stream *src, size_t bytes_max); /* NULL: copy */
    void (*shutdown)(struct stream *s);
    void (*abort)(struct stream *s);
    void (*release)(struct stream *s);
    void (*rest)(struct stream *s); /* NULL: never shed */
    enum stream_end (*end)(const struct stream *s);
    void (*addrs)(const struct stream *s, struct stream_addrs *ret);
};

/* `events` is a set of enum stream_event. */
typedef void (*stream_event_fn)(struct stream *s, unsigned events);

/* Embedded first in each implementation's connection. */
struct stream {
    const struct stream_ops *ops;
    stream_event_fn on_event; /* set by the owner right after accept or open */
    void *owner;
};

/* The unread bytes in order as at most `n_max` slices, valid until the next consume, move or event.
 * Returns how many slices; 0: nothing to read now. */
static inline unsigned stream_peek(struct stream *s, struct slice *ret, unsigned n_max)
{
    return s->ops->peek(s, ret, n_max);
}

/* Drops the first `bytes` unread bytes; bytes <= stream_readable(). Opens the receive window. */
static inline void stream_consume(struct stream *s, size_t bytes)
{
    s->ops->consume(s, bytes);
}

/* How many bytes are unread. */
static inline size_t stream_readable(const struct stream *s)
{
    return s->ops->readable(s);
}

/* True when the peer has ended its direction: nothing comes behind what is unread. */
static inline bool stream_is_ended(const struct stream *s)
{
    return s->ops->is_ended(s);
}

/* True when the peer has ended its direction and everything was consumed. */
static inline bool stream_is_eof(const struct stream *s)
{
    return stream_is_ended(s) && stream_readable(s) == 0;
}

/* How many bytes a write would take now. 0 after shutdown or close. */
static inline size_t stream_write_room(const struct stream *s)
{
    return s->ops->write_room(s);
}

/* Copies bytes of `n` slices into the send queue, as many as there is room for; they go out in this
 * round of the loop. Returns bytes taken; less than given: STREAM_WRITABLE will come. */
static inline size_t stream_write(struct stream *s, const struct slice *v, unsigned n)
{
    return s->ops->write(s, v, n);
}

/* Moves up to `bytes_max` unread bytes from src's receive queue to dst's send queue, without
 * copying where both can. Returns bytes moved (0: nothing to read or no room; then STREAM_WRITABLE
 * of dst comes if it was for room). */
size_t stream_move(struct stream *dst, struct stream *src, size_t bytes_max);

/* Ends our direction after what is queued. The peer's direction stays open. */
static inline void stream_shutdown(struct stream *s)
{
    s->ops->shutdown(s);
}

/* Ends both directions at once (RST). STREAM_CLOSED is delivered unless the owner releases first.
 */
static inline void stream_abort(struct stream *s)
{
    s->ops->abort(s);
}

/* The owner lets go; see the rules above. */
static inline void stream_release(struct stream *s)
{
    s->ops->release(s);
}

/* The owner has nothing under way on it until the next byte comes or is written: should connections
 * run out, it may be ended (STREAM_END_NO_RESOURCES) to make room, the longest idle first. */
static inline void stream_rest(struct stream *s)
{
    if (s->ops->rest != NULL)
        s->ops->rest(s);
}

/* Why it is over; STREAM_END_OPEN while it is not. */
static inline enum stream_end stream_end(const struct stream *s)
{
    return s->ops->end(s);
}

/* Both addresses and ports. */
static inline void stream_addrs(const struct stream *s, struct stream_addrs *ret)
{
    s->ops->addrs(s, ret);
}

/* "RESET" and so on; never NULL for a valid value. */
const char *stream_end_name(enum stream_end end);
