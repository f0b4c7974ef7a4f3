/* SPDX-License-Identifier: Apache-2.0 */
/* The library's way to the lower stream. No bytes now, or no room, is "try again"; the end of the
 * peer's bytes is the end of file. A step that is taken on another core (`is_packed`) finds what it
 * reads in `raw` and leaves what it writes in `out`: the lower stream is the worker's. */
#include "tls/tls_priv.h"

#include "base/assert.h"

#include <openssl/bio.h>
#include <stdlib.h>

static BIO_METHOD *method;
static CRYPTO_ONCE method_once = CRYPTO_ONCE_STATIC_INIT;

/* What was taken from the lower stream for a step and not read yet. */
static size_t read_raw(struct tls_stream *t, char *to, size_t len)
{
    size_t n = t->raw_n < len ? t->raw_n : len;
    if (n == 0)
        return 0;
    memcpy(to, t->raw + t->raw_at, n);
    t->raw_at += n;
    t->raw_n -= n;
    if (t->raw_n == 0) { /* most of many connections never have it again */
        free(t->raw);
        t->raw = NULL;
        t->raw_at = t->raw_room = 0;
    }
    return n;
}

/* Has the peer said all, as far as we may look? */
static bool is_last(const struct tls_stream *t)
{
    if (t->raw_n > 0)
        return false;
    return t->is_packed ? t->raw_is_last : t->lower == NULL || stream_is_eof(t->lower);
}

static int bio_read(BIO *bio, char *to, size_t len, size_t *ret_n)
{
    struct tls_stream *t = BIO_get_data(bio);
    if (t->is_hello_due ||
        t->n_updates > TLS_UPDATES_MAX) { /* what comes is not for it, or not yet:
                                                                tls_hello.c, tls_stream.c */
        BIO_set_retry_read(bio);
        return 0;
    }
    size_t n = read_raw(t, to, len);
    BIO_clear_retry_flags(bio);
    while (!t->is_packed && t->lower != NULL && n < len) {
        struct slice s;
        if (stream_peek(t->lower, &s, 1) == 0)
            break;
        size_t part = s.len < len - n ? s.len : len - n;
        memcpy(to + n, s.ptr, part);
        stream_consume(t->lower, part);
        n += part;
    }
    *ret_n = n;
    if (n > 0)
        return 1;
    if (!is_last(t))
        BIO_set_retry_read(bio);
    return 0;
}

/* Keeps what the lower stream did not take. Returns how much. */
static size_t keep(struct tls_stream *t, const uint8_t *from, size_t len)
{
    size_t room = TLS_OUT_BYTES_MAX - t->out_at - t->out_n;
    size_t n = len < room ? len : room;
    if (t->out == NULL)
        t->out = malloc(TLS_OUT_BYTES_MAX);
    if (t->out == NULL)
        return 0;
    memcpy(t->out + t->out_at + t->out_n, from, n);
    t->out_n += n;
    return n;
}

bool tls_flush(struct tls_stream *t)
{
    if (t->is_away)
        return false;
    if (t->out_n > 0 && t->lower != NULL) {
        struct slice s = slice_of(t->out + t->out_at, t->out_n);
        size_t taken = stream_write(t->lower, &s, 1);
        ASSERT(taken <= t->out_n);
        t->out_at += taken;
        t->out_n -= taken;
    }
    if (t->out_n > 0)
        return false;
    free(t->out);
    t->out = NULL;
    t->out_at = 0;
    return true;
}

static int bio_write(BIO *bio, const char *from, size_t len, size_t *ret_n)
{
    struct tls_stream *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *ret_n = 0;
    if (!t->is_packed && t->lower == NULL)
        return 0;
    struct slice s = slice_of(from, len);
    if (!t->is_packed && t->out_n == 0)
        *ret_n = stream_write(t->lower, &s, 1);
    if (*ret_n < len)
        *ret_n += keep(t, s.ptr + *ret_n, len - *ret_n);
    if (*ret_n > 0)
        return 1;
    BIO_set_retry_write(bio);
    return 0;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    struct tls_stream *t = BIO_get_data(bio);
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return is_last(t);
    default:
        return 0;
    }
}

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sluice stream");
    if (method == NULL)
        return;
    BIO_meth_set_read_ex(method, bio_read);
    BIO_meth_set_write_ex(method, bio_write);
    BIO_meth_set_ctrl(method, bio_ctrl);
}

BIO *tls_bio_new(struct tls_stream *t)
{
    if (CRYPTO_THREAD_run_once(&method_once, make_method) != 1 || method == NULL)
        return NULL;
    BIO *bio = BIO_new(method);
    if (bio == NULL)
        return NULL;
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    return bio;
}
