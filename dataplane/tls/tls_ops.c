/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the owner of a TLS stream may do with it: core/stream.h's calls. A write encrypts whole
 * records; what the lower stream does not take of the last one waits in `out`, and nothing more is
 * encrypted until that is gone. So the lower stream always has a reason to tell us of room.
 */
#include "tls/tls_priv.h"

#include "base/assert.h"

#include <openssl/err.h>

static unsigned op_peek(struct stream *s, struct slice *ret, unsigned n_max)
{
    struct tls_stream *t = tls_of(s);
    if (t->in_n == 0 || n_max == 0)
        return 0;
    ret[0] = slice_of(t->in + t->in_at, t->in_n);
    return 1;
}

/* Room again: decrypts at once, so that a reader in a loop goes on; who stopped is told by the
 * kick. */
static void op_consume(struct stream *s, size_t bytes)
{
    struct tls_stream *t = tls_of(s);
    ASSERT(bytes <= t->in_n);
    t->in_at += bytes;
    t->in_n -= bytes;
    if (t->in_n == 0)
        t->in_at = 0;
    if (bytes > 0 && t->state == TLS_OPEN) {
        tls_pump(t);
        if (t->events != 0)
            tls_program_kick(t);
    }
}

static size_t op_readable(const struct stream *s)
{
    return tls_of(s)->in_n;
}

static bool op_is_ended(const struct stream *s)
{
    return tls_of(s)->is_eof;
}

static size_t op_write_room(const struct stream *s)
{
    const struct tls_stream *t = tls_of(s);
    if (t->state != TLS_OPEN || t->is_shutdown_wanted || t->out_n > 0)
        return 0;
    size_t below = stream_write_room(t->lower);
    size_t overhead = (below / TLS_BUFFER_BYTES + 1) * TLS_RECORD_OVERHEAD_MAX;
    return below > TLS_BUFFER_BYTES + overhead ? below - overhead : TLS_BUFFER_BYTES;
}

/* What the next record holds at most: little, as long as the peer could not use the beginning of a
 * long one for lack of its end; then all it can. */
static size_t record_bytes(struct tls_stream *t)
{
    uint64_t idle_us = (t->wheel->now_tick - t->wrote_tick) * WHEEL_TICK_US;
    if (idle_us >= TLS_FRESH_IDLE_MS * 1000ull)
        t->fresh_bytes = TLS_FRESH_BYTES;
    t->wrote_tick = t->wheel->now_tick;
    return t->fresh_bytes > 0 ? TLS_SHORT_RECORD_BYTES : TLS_BUFFER_BYTES;
}

/* Encrypts one record; the lower stream takes it or `out` does. */
static bool write_record(struct tls_stream *t, const uint8_t *from, size_t n)
{
    size_t taken = 0;
    ASSERT(n > 0 && n <= TLS_BUFFER_BYTES);
    ERR_clear_error();
    if (SSL_write_ex(t->ssl, from, n, &taken) == 1) {
        ASSERT(taken == n);
        t->fresh_bytes -= t->fresh_bytes < n ? t->fresh_bytes : (uint32_t)n;
        return true;
    }
    tls_note_error(t, "a record could not be written");
    tls_set_over(t, STREAM_END_PROTOCOL);
    return false;
}

/* Where a write is in its slices. */
struct place {
    const struct slice *v;
    unsigned left; /* slices, with the first */
    size_t at;     /* within the first */
};

/* The next `n` bytes, which are there, in one piece: where they lie, or copied if several slices
 * have them. A frame's head and its first bytes are one record, not two. */
static const uint8_t *next_bytes(struct place *p, size_t n, uint8_t *copy)
{
    const uint8_t *whole = NULL;
    for (size_t got = 0; got < n;) {
        ASSERT(p->left > 0);
        size_t part = p->v->len - p->at;
        part = part < n - got ? part : n - got;
        if (part == n)
            whole = p->v->ptr + p->at;
        else
            memcpy(copy + got, p->v->ptr + p->at, part);
        got += part;
        p->at += part;
        if (p->at == p->v->len) {
            p->v++;
            p->left--;
            p->at = 0;
        }
    }
    return whole != NULL ? whole : copy;
}

static size_t op_write(struct stream *s, const struct slice *v, unsigned n)
{
    struct tls_stream *t = tls_of(s);
    uint8_t copy[TLS_BUFFER_BYTES];
    struct place place = {.v = v, .left = n};
    size_t room = 0, wanted = 0, total = 0;
    for (unsigned i = 0; i < n; i++)
        wanted += v[i].len;
    while (total < wanted) {
        /* As much as was promised, and on until the lower stream is short of room: else it would
         * not tell us when there is more. */
        if (total == room)
            room += op_write_room(s);
        if (total == room || t->state != TLS_OPEN)
            break;
        size_t bytes = record_bytes(t);
        bytes = bytes < wanted - total ? bytes : wanted - total;
        bytes = bytes < room - total ? bytes : room - total;
        if (write_record(t, next_bytes(&place, bytes, copy), bytes))
            total += bytes;
    }
    if (total < wanted)
        t->is_room_short = t->state != TLS_OVER && !t->is_shutdown_wanted;
    return total;
}

static void op_shutdown(struct stream *s)
{
    struct tls_stream *t = tls_of(s);
    t->is_shutdown_wanted = true;
    tls_program_kick(t);
}

static void op_abort(struct stream *s)
{
    tls_set_over(tls_of(s), STREAM_END_ABORTED);
}

static void op_release(struct stream *s)
{
    struct tls_stream *t = tls_of(s);
    ASSERT(!t->is_released);
    bool is_unread = t->in_n > 0 || t->state == TLS_HANDSHAKE;
    wheel_disarm(t->wheel, &t->deadline);
    tls_crypto_leave(t);
    if (t->lower != NULL && is_unread) {
        stream_abort(t->lower); /* RFC 2525, section 2.17 */
        stream_release(t->lower);
        t->lower = NULL;
    } else if (t->lower != NULL) {
        tls_say_goodbye(t);
        tls_arm_deadline(t, TLS_LINGER_MS_MAX);
    }
    t->is_released = true;
    t->state = TLS_OVER;
    tls_finish_release(t);
    tls_free_if_done(t);
}

/* Most of many connections rest: they keep no buffer. */
static void op_rest(struct stream *s)
{
    struct tls_stream *t = tls_of(s);
    if (t->in_n == 0)
        tls_free_in(t);
    if (t->lower != NULL)
        stream_rest(t->lower);
}

static enum stream_end op_end(const struct stream *s)
{
    return tls_of(s)->end;
}

static void op_addrs(const struct stream *s, struct stream_addrs *ret)
{
    *ret = tls_of(s)->addrs;
}

const struct stream_ops tls_ops = {
    .peek = op_peek,
    .consume = op_consume,
    .readable = op_readable,
    .is_ended = op_is_ended,
    .write_room = op_write_room,
    .write = op_write,
    .shutdown = op_shutdown,
    .abort = op_abort,
    .release = op_release,
    .rest = op_rest,
    .end = op_end,
    .addrs = op_addrs,
};
