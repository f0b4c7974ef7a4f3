/* SPDX-License-Identifier: Apache-2.0 */
/* See sim_tls.h. What hosts share is in sim_tls_env.c. */
#include "sim_tls_priv.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/minmax.h"
#include "sim.h"

#include <openssl/err.h>
#include <string.h>

#define FEED_BYTES 4096u /* that the library gets at once */
#define PIECE_US 300u    /* from one piece of a slow handshake to the next */

static struct sim_tls *tls_of(const struct stream *s)
{
    return (struct sim_tls *)(uintptr_t)s;
}

static struct sim *sim_of(const struct sim_tls *t)
{
    return t->host->sim;
}

static void kick(struct sim_tls *t)
{
    if (!wheel_timer_is_armed(&t->kick))
        wheel_arm(&t->host->core.wheel, &t->kick, 0);
}

static size_t pending(const struct sim_tls *t)
{
    return BIO_ctrl_pending(t->tx);
}

/* How much of what waits may go out now. */
static size_t allowed(struct sim_tls *t)
{
    size_t n = pending(t);
    const struct sim_tls_want *want = &t->want;
    if (want->cut_bytes > 0) { /* of 1.3, hands are shaken when the second flight is written */
        uint64_t end = want->cut_bytes + (want->cut_flight == 2 ? t->first_flight : 0);
        bool is_there = want->cut_flight == 1 || t->has_answer;
        if (is_there && t->sent + n >= end) {
            n = end > t->sent ? end - t->sent : 0;
            t->is_cut = n == 0;
        }
    }
    return want->piece_bytes > 0 && !t->is_open ? min64(n, t->piece_left) : n;
}

static bool flush_some(struct sim_tls *t)
{
    uint8_t scrap[FEED_BYTES];
    char *bytes;
    size_t n = allowed(t);
    if (n == 0 || t->lower == NULL)
        return false;
    BIO_get_mem_data(t->tx, &bytes);
    n = min64(n, sizeof(scrap));
    struct slice v = slice_of(bytes, n);
    size_t taken = stream_write(t->lower, &v, 1);
    if (taken > 0)
        BIO_read(t->tx, scrap, (int)taken);
    t->sent += taken;
    t->piece_left -= t->piece_left < taken ? t->piece_left : (uint32_t)taken;
    return taken == n;
}

/* Lets the lower stream go when all is with it. */
static void finish_release(struct sim_tls *t)
{
    if (t->lower == NULL || !t->lets_go || (pending(t) > 0 && !t->is_cut))
        return;
    stream_release(t->lower);
    t->lower = NULL;
}

static void flush(struct sim_tls *t)
{
    while (flush_some(t))
        ;
    if (t->want.piece_bytes > 0 && !t->is_open && pending(t) > 0 && t->piece_left == 0)
        wheel_arm(&t->host->core.wheel, &t->pace, sim_of(t)->now_us + PIECE_US);
    if (pending(t) > 0)
        return;
    if (t->is_shut && !t->is_lower_shut && t->lower != NULL) {
        t->is_lower_shut = true;
        stream_shutdown(t->lower);
    }
    if (t->is_wanting && t->is_open) {
        t->is_wanting = false;
        t->events |= STREAM_WRITABLE;
    }
}

static void set_over(struct sim_tls *t, enum stream_end end)
{
    if (t->end != STREAM_END_OPEN)
        return;
    flush(t);
    t->end = end;
    t->len = 0;
    t->lets_go = true;
    t->events = STREAM_CLOSED;
    if (t->lower != NULL && end == STREAM_END_PROTOCOL) /* our alert must not become a reset */
        stream_consume(t->lower, stream_readable(t->lower));
    finish_release(t);
}

/* The library's next bytes. False: there are none now. */
static bool feed(struct sim_tls *t)
{
    struct slice v;
    if (t->lower == NULL || stream_peek(t->lower, &v, 1) == 0)
        return false;
    size_t n = min64(v.len, FEED_BYTES);
    BIO_write(t->rx, v.ptr, (int)n);
    stream_consume(t->lower, n);
    t->has_answer = true;
    return true;
}

static bool is_lower_ended(const struct sim_tls *t)
{
    return t->lower == NULL || stream_is_eof(t->lower);
}

static void open_stream(struct sim_tls *t)
{
    t->is_open = true;
    wheel_disarm(&t->host->core.wheel, &t->pace);
    sim_tls_note_open(t);
    if (t->on_open == NULL)
        t->events |= STREAM_WRITABLE;
    else
        t->is_accepted = t->on_open(t->host, &t->stream);
}

static void shake(struct sim_tls *t)
{
    for (;;) {
        ERR_clear_error();
        int result = SSL_do_handshake(t->ssl);
        if (t->first_flight == 0)
            t->first_flight = pending(t);
        if (result == 1) {
            open_stream(t);
            return;
        }
        if (SSL_get_error(t->ssl, result) != SSL_ERROR_WANT_READ) {
            t->reason = ERR_GET_REASON(ERR_peek_error());
            set_over(t, STREAM_END_PROTOCOL);
            return;
        }
        if (!feed(t)) {
            if (is_lower_ended(t))
                set_over(t, STREAM_END_PROTOCOL);
            return;
        }
    }
}

/* The end of the lower stream must have been announced: else what came may be a part. */
static void on_lower_eof(struct sim_tls *t)
{
    if (t->is_eof || !is_lower_ended(t))
        return;
    sim_fail(sim_of(t), "host %u: an end without close_notify", t->host->number);
    set_over(t, STREAM_END_PROTOCOL);
}

static void decrypt(struct sim_tls *t)
{
    if (t->at > 0)
        memmove(t->in, t->in + t->at, t->len);
    t->at = 0;
    while (!t->is_eof && t->len < sizeof(t->in)) {
        size_t n = 0;
        ERR_clear_error();
        int result = SSL_read_ex(t->ssl, t->in + t->len, sizeof(t->in) - t->len, &n);
        int error = SSL_get_error(t->ssl, result);
        t->len += n;
        if (n > 0)
            t->events |= STREAM_READABLE;
        if (result == 1)
            continue;
        if (error == SSL_ERROR_ZERO_RETURN) {
            t->is_eof = true;
            t->events |= STREAM_READABLE;
        } else if (error != SSL_ERROR_WANT_READ) {
            sim_fail(sim_of(t), "host %u: a record is damaged: %s", t->host->number,
                     ERR_reason_error_string(ERR_peek_error()));
            set_over(t, STREAM_END_PROTOCOL);
            return;
        } else if (!feed(t)) {
            on_lower_eof(t);
            return;
        }
    }
}

/* Moves what can be moved. */
static void pump(struct sim_tls *t)
{
    if (t->end == STREAM_END_OPEN && t->is_lower_open && !t->is_open && !t->is_released)
        shake(t);
    if (t->end == STREAM_END_OPEN && t->is_open && !t->is_released)
        decrypt(t);
    flush(t);
    finish_release(t);
    bool is_done = t->is_lower_closed && t->len == 0 && t->end == STREAM_END_OPEN;
    if (is_done)
        set_over(t, t->lower_end);
}

static void deliver(struct sim_tls *t)
{
    unsigned events = t->events;
    if (!t->is_open && t->end == STREAM_END_OPEN && !t->is_cut)
        return;
    t->events = 0;
    if (t->is_cut && !t->is_cut_told && t->end == STREAM_END_OPEN) {
        t->is_cut_told = true;
        events |= STREAM_READABLE;
    }
    if (t->on_open != NULL && !t->is_accepted && !t->is_released) { /* nobody has it */
        if (t->end != STREAM_END_OPEN)
            sim_tls_ops.release(&t->stream);
        return;
    }
    if (events != 0 && !t->is_released)
        t->stream.on_event(&t->stream, events);
}

static void on_lower_event(struct stream *lower, unsigned events)
{
    struct sim_tls *t = lower->owner;
    ASSERT(t->lower == lower);
    t->is_lower_open |= (events & STREAM_WRITABLE) != 0;
    if ((events & STREAM_CLOSED) != 0) {
        t->is_lower_closed = true;
        t->lower_end = stream_end(lower);
        if (t->is_released) {
            stream_release(lower);
            t->lower = NULL;
            return;
        }
        if (t->lower_end != STREAM_END_ORDERLY) /* what is unread is gone */
            set_over(t, t->lower_end);
        if (t->lower != NULL) {
            bool is_unread = t->end == STREAM_END_OPEN;
            if (is_unread && !t->is_open)
                shake(t);
            if (t->end == STREAM_END_OPEN && t->is_open)
                decrypt(t);
        }
        if (t->lower != NULL)
            stream_release(t->lower);
        t->lower = NULL;
    }
    pump(t);
    deliver(t);
}

static void on_kick(struct wheel_timer *timer, uint64_t now_us)
{
    struct sim_tls *t = container_of(timer, struct sim_tls, kick);
    pump(t);
    deliver(t);
}

static void on_pace(struct wheel_timer *timer, uint64_t now_us)
{
    struct sim_tls *t = container_of(timer, struct sim_tls, pace);
    t->piece_left = t->want.piece_bytes;
    t->host->is_awake = true;
    pump(t);
    deliver(t);
}

/* ---- what the owner may do ---- */

static unsigned op_peek(struct stream *s, struct slice *ret, unsigned n_max)
{
    struct sim_tls *t = tls_of(s);
    if (t->len == 0 || n_max == 0)
        return 0;
    ret[0] = slice_of(t->in + t->at, t->len);
    return 1;
}

static void op_consume(struct stream *s, size_t bytes)
{
    struct sim_tls *t = tls_of(s);
    ASSERT(bytes <= t->len);
    t->at += bytes;
    t->len -= bytes;
    if (bytes > 0 && t->len == 0)
        kick(t); /* more may be there */
}

static size_t op_readable(const struct stream *s)
{
    return tls_of(s)->len;
}

static bool op_is_ended(const struct stream *s)
{
    return tls_of(s)->is_eof;
}

static size_t op_write_room(const struct stream *s)
{
    const struct sim_tls *t = tls_of(s);
    bool is_closed = !t->is_open || t->is_shut || t->end != STREAM_END_OPEN || pending(t) > 0;
    return is_closed || t->lower == NULL ? 0 : sizeof(t->in);
}

/* As records of the sizes that it is written in, until the lower stream is full. */
static size_t op_write(struct stream *s, const struct slice *v, unsigned n)
{
    struct sim_tls *t = tls_of(s);
    size_t total = 0, wanted = 0;
    for (unsigned i = 0; i < n; i++) {
        wanted += v[i].len;
        for (size_t at = 0; at < v[i].len && op_write_room(s) > 0;) {
            size_t taken = 0;
            size_t part = min64(v[i].len - at, sizeof(t->in));
            ERR_clear_error();
            int result = SSL_write_ex(t->ssl, v[i].ptr + at, part, &taken);
            ASSERT(result == 1 && taken == part); /* memory takes all */
            at += taken;
            total += taken;
            flush(t);
        }
    }
    t->is_wanting |= total < wanted && !t->is_shut && t->end == STREAM_END_OPEN;
    return total;
}

static void say_goodbye(struct sim_tls *t)
{
    if (t->is_shut || !t->is_open)
        return;
    ERR_clear_error();
    SSL_shutdown(t->ssl);
    ERR_clear_error();
}

static void op_shutdown(struct stream *s)
{
    struct sim_tls *t = tls_of(s);
    if (t->end != STREAM_END_OPEN)
        return;
    say_goodbye(t);
    t->is_shut = true;
    t->is_wanting = false;
    flush(t);
}

static void op_abort(struct stream *s)
{
    struct sim_tls *t = tls_of(s);
    if (t->end != STREAM_END_OPEN)
        return;
    t->end = STREAM_END_ABORTED;
    t->len = 0;
    t->events = STREAM_CLOSED;
    kick(t);
    if (t->lower == NULL)
        return;
    stream_abort(t->lower);
    stream_release(t->lower);
    t->lower = NULL;
}

static void op_release(struct stream *s)
{
    struct sim_tls *t = tls_of(s);
    ASSERT(!t->is_released);
    wheel_disarm(&t->host->core.wheel, &t->kick);
    wheel_disarm(&t->host->core.wheel, &t->pace);
    if (t->lower != NULL && t->len > 0)
        stream_abort(t->lower);
    else if (t->lower != NULL && !t->want.is_curt && t->end == STREAM_END_OPEN)
        say_goodbye(t);
    t->is_released = true;
    t->lets_go = true;
    t->is_wanting = false;
    flush(t);
    if (t->len > 0 || !t->is_open)
        t->is_cut = true; /* what is left will not be sent */
    finish_release(t);
    t->env->n_dead++;
}

static enum stream_end op_end(const struct stream *s)
{
    return tls_of(s)->end;
}

static void op_addrs(const struct stream *s, struct stream_addrs *ret)
{
    *ret = (struct stream_addrs){.local_port = 0};
}

const struct stream_ops sim_tls_ops = {
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

void sim_tls_start(struct sim_tls *t, struct stream *lower)
{
    t->stream.ops = &sim_tls_ops;
    t->lower = lower;
    t->piece_left = t->want.piece_bytes;
    t->kick.on_expire = on_kick;
    t->pace.on_expire = on_pace;
    lower->on_event = on_lower_event;
    lower->owner = t;
    t->is_lower_open = t->on_open != NULL; /* else an event tells */
    kick(t);
}

bool sim_tls_is_open(const struct stream *s)
{
    return tls_of(s)->is_open;
}

bool sim_tls_is_cut(const struct stream *s)
{
    return tls_of(s)->is_cut;
}

int sim_tls_reason(const struct stream *s)
{
    return tls_of(s)->reason;
}

const char *sim_tls_alpn(const struct stream *s)
{
    return tls_of(s)->alpn;
}
