/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of one connection: made over a lower stream, driven by its events and two timers. Each
 * entry from the loop is one of on_lower_event(), on_kick(), on_deadline(); each moves what can be
 * moved (tls_pump) and then tells the owner once.
 */
#include "tls/tls_priv.h"

#include "base/assert.h"
#include "base/container.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

void tls_note_error(struct tls_stream *t, const char *otherwise)
{
    unsigned long code = ERR_peek_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;
    if (t->error == NULL)
        t->error = reason != NULL ? reason : otherwise;
    ERR_clear_error();
}

void tls_program_kick(struct tls_stream *t)
{
    if (!wheel_timer_is_armed(&t->kick))
        wheel_arm(t->wheel, &t->kick, 0);
}

void tls_arm_deadline(struct tls_stream *t, uint64_t delay_ms)
{
    wheel_arm(t->wheel, &t->deadline, t->wheel->now_tick * WHEEL_TICK_US + delay_ms * 1000);
}

/* What the peer has sent and nobody will read must not turn our last alert into a reset. */
static void let_lower_go(struct tls_stream *t, enum stream_end end)
{
    struct stream *lower = t->lower;
    if (lower == NULL)
        return;
    t->lower = NULL;
    if (end == STREAM_END_ABORTED || end == STREAM_END_TIMEOUT)
        stream_abort(lower);
    else if (end != STREAM_END_RESET)
        stream_consume(lower, stream_readable(lower));
    stream_release(lower);
}

void tls_set_over(struct tls_stream *t, enum stream_end end)
{
    ASSERT(end != STREAM_END_OPEN);
    if (t->state == TLS_OVER)
        return;
    wheel_disarm(t->wheel, &t->deadline);
    tls_crypto_leave(t);
    tls_flush(t);
    let_lower_go(t, end);
    t->state = TLS_OVER;
    t->end = end;
    t->in_n = 0;
    tls_free_in(t);
    t->events = STREAM_CLOSED;
    tls_program_kick(t);
}

void tls_free_in(struct tls_stream *t)
{
    ASSERT(t->in_n == 0);
    free(t->in);
    t->in = NULL;
    t->in_at = 0;
}

/* The peer makes us work and says nothing. */
static void cut_off(struct tls_stream *t)
{
    ASSERT(t->state == TLS_OPEN && !t->is_broken);
    if (t->context->front != NULL && t->context->front->on_flood != NULL && !t->is_released)
        t->context->front->on_flood(t->pick_arg);
    tls_note_error(t, "the peer took new keys, or wanted to, again and again, without data");
    t->is_broken = true;
}

/* Decrypts while there is room. New bytes at the end of `in`; what is unread moves to its front. */
static void decrypt(struct tls_stream *t)
{
    if (t->in_at > 0) {
        memmove(t->in, t->in + t->in_at, t->in_n);
        t->in_at = 0;
    }
    while (!t->is_eof && !t->is_broken && t->in_n < TLS_BUFFER_BYTES) {
        size_t n = 0;
        ERR_clear_error();
        int result = SSL_read_ex(t->ssl, t->in + t->in_n, TLS_BUFFER_BYTES - t->in_n, &n);
        if (result == 1) {
            ASSERT(n <= TLS_BUFFER_BYTES - t->in_n);
            t->in_n += n;
            t->n_updates = 0;
            t->events |= STREAM_READABLE;
            continue;
        }
        int error = SSL_get_error(t->ssl, result);
        if (t->n_updates > TLS_UPDATES_MAX) {
            cut_off(t);
        } else if (error == SSL_ERROR_ZERO_RETURN) {
            t->is_eof = true;
            t->events |= STREAM_READABLE;
        } else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
            tls_note_error(t, "the peer's end came without close_notify");
            t->is_broken = true;
        }
        return;
    }
}

static void pump_in(struct tls_stream *t)
{
    if (t->in == NULL)
        t->in = malloc(TLS_BUFFER_BYTES);
    if (t->in == NULL) {
        tls_note_error(t, "no memory");
        tls_set_over(t, STREAM_END_NO_RESOURCES);
        return;
    }
    decrypt(t);
}

void tls_say_goodbye(struct tls_stream *t)
{
    if (t->is_shutdown)
        return;
    ERR_clear_error();
    SSL_shutdown(t->ssl);
    ERR_clear_error();
    t->is_shutdown = true;
}

/* close_notify, then the lower stream's own end. RFC 8446, section 6.1: the peer may go on. */
static void pump_shutdown(struct tls_stream *t)
{
    tls_say_goodbye(t);
    if (!t->is_lower_shutdown && tls_flush(t)) {
        t->is_lower_shutdown = true;
        stream_shutdown(t->lower);
    }
}

/* Room below: first for ciphertext, then for the owner. */
static void pump_out(struct tls_stream *t)
{
    if (!tls_flush(t))
        return;
    if (t->state == TLS_OPEN && t->is_room_short) {
        t->is_room_short = false;
        t->events |= STREAM_WRITABLE;
    }
}

void tls_pump(struct tls_stream *t)
{
    if (t->state == TLS_HANDSHAKE)
        tls_pump_handshake(t);
    if (t->state == TLS_OPEN)
        pump_in(t);
    if (t->state == TLS_OPEN && t->is_broken && t->in_n == 0)
        tls_set_over(t, STREAM_END_PROTOCOL);
    if (t->state == TLS_OPEN && t->is_shutdown_wanted)
        pump_shutdown(t);
    if (t->state == TLS_OPEN && t->is_lower_orderly && t->in_n == 0)
        tls_set_over(t, t->is_eof ? STREAM_END_ORDERLY : STREAM_END_PROTOCOL);
}

void tls_finish_release(struct tls_stream *t)
{
    struct stream *lower = t->lower;
    ASSERT(t->is_released);
    if (lower == NULL || !tls_flush(t))
        return;
    t->lower = NULL;
    stream_release(lower);
}

void tls_free_if_done(struct tls_stream *t)
{
    if (!t->is_released || t->dispatching > 0 || t->lower != NULL || t->is_away)
        return;
    ASSERT(!list_is_linked(&t->due));
    wheel_disarm(t->wheel, &t->kick);
    wheel_disarm(t->wheel, &t->deadline);
    SSL_free(t->ssl);
    free(t->in);
    free(t->out);
    free(t->raw);
    free(t->subject);
    free(t->server_name);
    free(t->sans);
    free(t);
}

/* Tells the owner, once, of all that happened. */
static void deliver(struct tls_stream *t)
{
    unsigned events = t->events;
    if (t->state == TLS_HANDSHAKE)
        return;
    t->events = 0;
    if ((events & STREAM_CLOSED) != 0)
        wheel_disarm(t->wheel, &t->kick);
    if (events != 0 && !t->is_released && t->stream.on_event != NULL)
        t->stream.on_event(&t->stream, events);
}

/* What the end of the lower stream means for us. After an orderly one plaintext may be unread; the
 * pump finds out whether close_notify came, too. */
static void on_lower_closed(struct tls_stream *t)
{
    enum stream_end end = stream_end(t->lower);
    if (t->state == TLS_OPEN && end == STREAM_END_ORDERLY) {
        t->is_lower_orderly = true;
        return;
    }
    if (t->state == TLS_HANDSHAKE)
        tls_tell_handshake(t, TLS_HANDSHAKE_lost);
    tls_note_error(t, "the connection below ended");
    tls_set_over(t, end == STREAM_END_ORDERLY ? STREAM_END_PROTOCOL : end);
}

static void on_lower_event(struct stream *lower, unsigned events)
{
    struct tls_stream *t = lower->owner;
    ASSERT(t->lower == lower);
    t->dispatching += 1;
    if (t->is_released) {
        if ((events & STREAM_CLOSED) != 0)
            let_lower_go(t, STREAM_END_RESET);
        tls_finish_release(t);
    } else {
        if ((events & STREAM_CLOSED) != 0)
            on_lower_closed(t);
        pump_out(t);
        tls_pump(t);
        deliver(t);
    }
    t->dispatching -= 1;
    tls_free_if_done(t);
}

void tls_step_done(struct tls_stream *t)
{
    t->is_away = false;
    t->is_packed = false;
    t->dispatching += 1;
    t->steps += t->steps < UINT16_MAX;
    if (t->state == TLS_HANDSHAKE) {
        pump_out(t);
        tls_step_end(t);
        tls_pump(t);
        deliver(t);
    }
    t->dispatching -= 1;
    tls_free_if_done(t);
}

static void on_kick(struct wheel_timer *timer, uint64_t now_us)
{
    struct tls_stream *t = container_of(timer, struct tls_stream, kick);
    t->dispatching += 1;
    tls_pump(t);
    deliver(t);
    t->dispatching -= 1;
    tls_free_if_done(t);
}

static void on_deadline(struct wheel_timer *timer, uint64_t now_us)
{
    struct tls_stream *t = container_of(timer, struct tls_stream, deadline);
    if (t->is_released) {
        let_lower_go(t, STREAM_END_TIMEOUT);
        tls_free_if_done(t);
        return;
    }
    ASSERT(t->state == TLS_HANDSHAKE);
    tls_tell_handshake(t, TLS_HANDSHAKE_slow);
    tls_note_error(t, "the handshake took too long");
    tls_set_over(t, STREAM_END_TIMEOUT);
}

static struct tls_stream *stream_new(struct tls_context *context, struct stream *lower,
                                     struct wheel *wheel)
{
    struct tls_stream *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->ssl = SSL_new(context->ssl);
    BIO *bio = t->ssl != NULL ? tls_bio_new(t) : NULL;
    if (bio == NULL) {
        SSL_free(t->ssl);
        free(t);
        return NULL;
    }
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_msg_callback_arg(t->ssl, t);
    t->stream.ops = &tls_ops;
    t->context = context;
    t->lower = lower;
    t->wheel = wheel;
    t->fresh_bytes = TLS_FRESH_BYTES;
    t->wrote_tick = wheel->now_tick;
    t->kick.on_expire = on_kick;
    t->deadline.on_expire = on_deadline;
    tls_step_init(t);
    stream_addrs(lower, &t->addrs);
    return t;
}

/* From here on it cannot fail. */
static struct stream *start(struct tls_stream *t)
{
    t->lower->owner = t;
    t->lower->on_event = on_lower_event;
    tls_arm_deadline(t, TLS_HANDSHAKE_MS_MAX);
    tls_program_kick(t); /* bytes may be there already; a client speaks first */
    return &t->stream;
}

struct stream *tls_accept(struct tls_context *context, struct stream *lower, struct wheel *wheel)
{
    return tls_accept_by_name(context, lower, wheel, NULL);
}

struct stream *tls_accept_by_name(struct tls_context *context, struct stream *lower,
                                  struct wheel *wheel, void *pick_arg)
{
    struct tls_stream *t = stream_new(context, lower, wheel);
    if (t == NULL)
        return NULL;
    t->pick_arg = pick_arg;
    SSL_set_app_data(t->ssl, t);
    tls_hello_expect(t);
    if (!tls_has_tickets(t))
        SSL_set_options(t->ssl, SSL_OP_NO_TICKET);
    SSL_set_accept_state(t->ssl);
    return start(t);
}

/* Which name the server's certificate must have; a host name is also what we ask for. */
static bool set_server_name(SSL *ssl, const char *name)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1)
        return true;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
}

struct stream *tls_connect(struct tls_context *context, struct stream *lower, struct wheel *wheel,
                           const char *server_name)
{
    struct tls_stream *t = stream_new(context, lower, wheel);
    if (t == NULL)
        return NULL;
    if (server_name != NULL && !set_server_name(t->ssl, server_name)) {
        SSL_free(t->ssl);
        free(t);
        return NULL;
    }
    t->is_client = true;
    SSL_set_connect_state(t->ssl);
    return start(t);
}

struct stream *tls_connect_to(struct tls_context *context, struct stream *lower,
                              struct wheel *wheel, const struct tls_wanted_peer *peer)
{
    struct tls_stream *t = stream_new(context, lower, wheel);
    if (t == NULL)
        return NULL;
    SSL_set_app_data(t->ssl, t);
    if (!tls_expect_peer(t, peer)) {
        SSL_free(t->ssl);
        free(t->sans);
        free(t);
        return NULL;
    }
    t->is_client = true;
    SSL_set_connect_state(t->ssl);
    return start(t);
}

bool tls_is_established(const struct stream *s)
{
    return tls_of(s)->state == TLS_OPEN;
}

const char *tls_peer_subject(const struct stream *s)
{
    const char *subject = tls_of(s)->subject;
    return subject != NULL ? subject : "";
}

const char *tls_server_name(const struct stream *s)
{
    const char *name = tls_of(s)->server_name;
    return name != NULL ? name : "";
}

const char *tls_alpn(const struct stream *s)
{
    return tls_of(s)->alpn;
}

const char *tls_error(const struct stream *s)
{
    const char *error = tls_of(s)->error;
    return error != NULL ? error : "";
}
