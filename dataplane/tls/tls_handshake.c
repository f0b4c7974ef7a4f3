/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A handshake, step by step. A step is one SSL_do_handshake(): as far as the bytes go that are
 * there. It may be taken on another core (tls_crypto.h), and then the stream is in two halves until
 * it comes back (`is_away`): the step has the SSL object, `raw`, `out` and what it tells of itself;
 * all else stays the worker's, who may even release the stream.
 *
 *   worker: tls_step_pack() -> core: run() -> worker: tls_step_done()
 *
 * A front's first step is the worker's, in its event: it ends when the client hello has told whom
 * the client wants (tls_front.c), for that is found in the worker's image. No key was used by then.
 */
#include "base/assert.h"
#include "base/container.h"
#include "tls/tls_crypto.h"
#include "tls/tls_priv.h"

#include <openssl/err.h>
#include <stdlib.h>

static struct tls_stream *of_job(struct job *job)
{
    return container_of(job, struct tls_stream, job);
}

/* How it went, for tls_step_end(). */
static enum tls_step_end end_of(struct tls_stream *t, int error)
{
    switch (error) {
    case SSL_ERROR_NONE:
        return TLS_STEP_OPEN;
    case SSL_ERROR_WANT_READ:
        return TLS_STEP_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_STEP_WRITE;
    case SSL_ERROR_WANT_CLIENT_HELLO_CB:
        return TLS_STEP_HELLO;
    default:
        t->step_fault = tls_handshake_fault(t);
        t->step_error = ERR_reason_error_string(ERR_peek_error()); /* text that stays */
        return TLS_STEP_FAULT;
    }
}

static enum job_step run(struct job *job)
{
    struct tls_stream *t = of_job(job);
    if (job_is_unwanted(job) && !SSL_waiting_for_async(t->ssl))
        return JOB_DONE;
    ERR_clear_error();
    int result = SSL_do_handshake(t->ssl);
    int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(t->ssl, result);
    if (error == SSL_ERROR_WANT_ASYNC || error == SSL_ERROR_WANT_ASYNC_JOB)
        return JOB_AGAIN;
    t->step_end = end_of(t, error);
    ERR_clear_error();
    return JOB_DONE;
}

void tls_step_init(struct tls_stream *t)
{
    t->job.run = run;
}

/* Room for so much in `raw`, twice of what there was at least: slow clients fill it bit by bit. */
static bool reserve(struct tls_stream *t, size_t room)
{
    if (room <= t->raw_room)
        return true;
    room = room > 2 * t->raw_room ? room : 2 * t->raw_room;
    room = room > TLS_RAW_BYTES_MIN ? room : TLS_RAW_BYTES_MIN;
    uint8_t *raw = realloc(t->raw, room);
    if (raw == NULL)
        return false;
    t->raw = raw;
    t->raw_room = room;
    return true;
}

bool tls_raw_fill(struct tls_stream *t, size_t bytes)
{
    struct slice s;
    if (!reserve(t, bytes)) {
        tls_tell_handshake(t, TLS_HANDSHAKE_lost);
        tls_note_error(t, "no memory");
        tls_set_over(t, STREAM_END_NO_RESOURCES);
        return false;
    }
    if (t->raw_at > 0)
        memmove(t->raw, t->raw + t->raw_at, t->raw_n);
    t->raw_at = 0;
    while (t->raw_n < bytes && stream_peek(t->lower, &s, 1) > 0) {
        size_t part = s.len < bytes - t->raw_n ? s.len : bytes - t->raw_n;
        memcpy(t->raw + t->raw_n, s.ptr, part);
        stream_consume(t->lower, part);
        t->raw_n += part;
    }
    return true;
}

/* What a step has left in `raw`, because it found no room for what it writes, comes first. */
bool tls_step_pack(struct tls_stream *t)
{
    ASSERT(t->state == TLS_HANDSHAKE && !t->is_packed);
    if (!tls_raw_fill(t, TLS_RAW_BYTES_MAX))
        return false;
    t->raw_is_last = stream_is_eof(t->lower);
    t->is_packed = true;
    return true;
}

/* The subject as text; NULL: no memory. */
static char *subject_of(X509 *peer)
{
    char *subject = malloc(TLS_NAME_BYTES_MAX);
    BIO *text = subject != NULL ? BIO_new(BIO_s_mem()) : NULL;
    int n = 0;
    if (text != NULL &&
        X509_NAME_print_ex(text, X509_get_subject_name(peer), 0, XN_FLAG_RFC2253) >= 0)
        n = BIO_read(text, subject, TLS_NAME_BYTES_MAX - 1);
    BIO_free(text);
    if (subject != NULL)
        subject[n > 0 ? n : 0] = '\0';
    return subject;
}

/* After the handshake: who is it, and what do we speak? */
static void learn_peer(struct tls_stream *t)
{
    const unsigned char *name = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(t->ssl, &name, &len);
    if (len < sizeof(t->alpn) && len > 0)
        memcpy(t->alpn, name, len);
    X509 *peer = SSL_get1_peer_certificate(t->ssl);
    if (peer == NULL || SSL_get_verify_result(t->ssl) != X509_V_OK) {
        X509_free(peer);
        return;
    }
    t->subject = subject_of(peer);
    X509_free(peer);
}

static void open_stream(struct tls_stream *t)
{
    wheel_disarm(t->wheel, &t->deadline);
    t->state = TLS_OPEN;
    SSL_clear_mode(t->ssl, SSL_MODE_ASYNC); /* what follows is quicker than to let go of it */
    tls_tell_handshake(t, SSL_session_reused(t->ssl) ? TLS_HANDSHAKE_resumed : TLS_HANDSHAKE_full);
    learn_peer(t);
    if (t->is_client || t->is_room_short)
        t->events |= STREAM_WRITABLE;
    t->is_room_short = false;
}

void tls_step_end(struct tls_stream *t)
{
    ASSERT(t->state == TLS_HANDSHAKE && !t->is_away);
    t->is_step_wanted = t->step_end == TLS_STEP_HELLO || t->step_end == TLS_STEP_WRITE;
    switch (t->step_end) {
    case TLS_STEP_OPEN:
        open_stream(t);
        break;
    case TLS_STEP_FAULT:
        tls_tell_handshake(t, t->step_fault);
        tls_note_error(t, t->step_error != NULL ? t->step_error : "the handshake failed");
        tls_set_over(t, STREAM_END_PROTOCOL);
        break;
    case TLS_STEP_HELLO:
        if (tls_device_is_open())
            SSL_set_mode(t->ssl, SSL_MODE_ASYNC);
        break;
    case TLS_STEP_READ:
        tls_hello_end_look(t);
        if (t->state == TLS_HANDSHAKE && t->steps > 0)
            tls_crypto_await(t);
        break;
    case TLS_STEP_WRITE:
        break;
    }
}

/* Is there what the next step needs? A client begins by itself. */
static bool has_step(const struct tls_stream *t)
{
    if (t->is_step_wanted)
        return t->out_n == 0; /* else when that has found room */
    return (t->is_client && t->steps == 0) || t->raw_n > 0 || stream_readable(t->lower) > 0 ||
           stream_is_eof(t->lower);
}

static void step_at_once(struct tls_stream *t)
{
    enum job_step step = t->job.run(&t->job);
    ASSERT(step == JOB_DONE); /* no device is asked without turns */
    tls_step_end(t);
}

void tls_pump_handshake(struct tls_stream *t)
{
    if (t->is_away || list_is_linked(&t->due))
        return;
    if (t->is_hello_due && !tls_hello_is_there(t))
        return;
    if (t->crypto == NULL) {
        step_at_once(t);
        return;
    }
    if (t->context->front != NULL && !t->is_chosen && has_step(t))
        step_at_once(t);
    if (t->state == TLS_HANDSHAKE && has_step(t) && !tls_crypto_enter(t))
        tls_step_shed(t);
}

void tls_step_shed(struct tls_stream *t)
{
    tls_tell_handshake(t, TLS_HANDSHAKE_shed);
    tls_note_error(t, "too many handshakes waited");
    tls_set_over(t, STREAM_END_NO_RESOURCES);
}
