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

static bool op_is_eof(const struct stream *s)
{
    const struct tls_stream *t = tls_of(s);
    return t->is_eof && t->in_n == 0;
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

/* Encrypts one record's worth. Returns bytes taken. */
static size_t write_record(struct tls_stream *t, const uint8_t *from, size_t len)
{
    size_t room = op_write_room(&t->stream);
    size_t n = len < room ? len : room;
    size_t taken = 0;
    if (n > TLS_BUFFER_BYTES)
        n = TLS_BUFFER_BYTES;
    if (n == 0)
        return 0;
    ERR_clear_error();
    if (SSL_write_ex(t->ssl, from, n, &taken) == 1) {
        ASSERT(taken <= n);
        return taken;
    }
    tls_note_error(t, "a record could not be written");
    tls_set_over(t, STREAM_END_PROTOCOL);
    return 0;
}

static size_t op_write(struct stream *s, const struct slice *v, unsigned n)
{
    struct tls_stream *t = tls_of(s);
    size_t total = 0;
    for (unsigned i = 0; i < n; i++) {
        size_t at = 0;
        while (at < v[i].len) {
            size_t taken = write_record(t, v[i].ptr + at, v[i].len - at);
            at += taken;
            total += taken;
            if (taken == 0) {
                t->is_room_short = t->state != TLS_OVER && !t->is_shutdown_wanted;
                return total;
            }
        }
    }
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
    .is_eof = op_is_eof,
    .write_room = op_write_room,
    .write = op_write,
    .shutdown = op_shutdown,
    .abort = op_abort,
    .release = op_release,
    .rest = op_rest,
    .end = op_end,
    .addrs = op_addrs,
};
