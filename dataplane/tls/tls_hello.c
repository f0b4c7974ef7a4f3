/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A front's library gets a client hello when that is whole. It makes room for a message as soon as
 * the head says how long it will be, 128 KB for nine bytes of a client, and for the largest record
 * beside it; so what comes slowly is kept here until then, and what is longer than any hello is
 * refused unread. What is no hello is the library's, which knows the alert for it, but for one
 * look: what it would go on to wait for is none.
 *
 * A client that has brought keys of other groups only is asked for a second hello (RFC 8446,
 * section 4.1.4), and the same holds for that, behind changes of ciphers that middleboxes like to
 * see.
 */
#include "base/assert.h"
#include "tls/tls_priv.h"

#include <string.h>

#define CHANGE_BYTES 6u
/* The library does not know what a record is before it has so many bytes (SSL 2's head). */
#define LOOK_BYTES_MIN 11u

void tls_hello_expect(struct tls_stream *t)
{
    t->is_hello_due = true;
    t->hello = (struct client_hello_progress){0};
}

/* The first bytes, as many as there are of those that a change of ciphers has. */
static unsigned first_bytes(const struct slice *v, unsigned n, uint8_t *ret)
{
    unsigned got = 0;
    for (unsigned i = 0; i < n && got < CHANGE_BYTES; i++) {
        unsigned part = v[i].len < CHANGE_BYTES - got ? (unsigned)v[i].len : CHANGE_BYTES - got;
        memcpy(ret + got, v[i].ptr, part);
        got += part;
    }
    return got;
}

static void drop_first(struct slice *v, unsigned n, size_t bytes)
{
    for (unsigned i = 0; i < n && bytes > 0; i++) {
        size_t part = v[i].len < bytes ? v[i].len : bytes;
        v[i] = slice_of(v[i].ptr + part, v[i].len - part);
        bytes -= part;
    }
}

/* Leaves out changes of ciphers that are before a second hello. False: one is there in part. */
static bool skip_changes(const struct tls_stream *t, struct slice *v, unsigned n)
{
    uint8_t head[CHANGE_BYTES];
    while (t->is_chosen) {
        unsigned got = first_bytes(v, n, head);
        if (got == 0 || head[0] != SSL3_RT_CHANGE_CIPHER_SPEC)
            return true;
        if (got < CHANGE_BYTES)
            return false;
        if (head[3] != 0 || head[4] != 1 || head[5] != SSL3_MT_CCS)
            return true; /* it is none */
        drop_first(v, n, CHANGE_BYTES);
    }
    return true;
}

/* What these bytes are. */
static enum client_hello read_pieces(struct tls_stream *t, struct slice *v, unsigned n)
{
    struct client_hello_told told;
    if (!skip_changes(t, v, n))
        return CLIENT_HELLO_partial;
    return client_hello_read(&t->hello, v, n, &told);
}

/* Puts what has come behind what did before, so that it holds no packet. False: no memory. */
static bool gather(struct tls_stream *t)
{
    size_t n = t->raw_n + stream_readable(t->lower);
    n = n < CLIENT_HELLO_WIRE_BYTES_MAX ? n : CLIENT_HELLO_WIRE_BYTES_MAX;
    return tls_raw_fill(t, n);
}

/* What is there of it now. Most come whole, and are looked at where they lie. */
static enum client_hello look(struct tls_stream *t)
{
    struct slice v[CLIENT_HELLO_PIECES_MAX];
    enum client_hello r = CLIENT_HELLO_partial;
    if (t->raw_n == 0)
        r = read_pieces(t, v, stream_peek(t->lower, v, CLIENT_HELLO_PIECES_MAX));
    if (r != CLIENT_HELLO_partial || !gather(t) || t->raw_n == 0)
        return r;
    v[0] = slice_of(t->raw + t->raw_at, t->raw_n);
    r = read_pieces(t, v, 1);
    bool is_full = r == CLIENT_HELLO_partial && t->raw_n >= CLIENT_HELLO_WIRE_BYTES_MAX;
    return is_full ? CLIENT_HELLO_long : r;
}

/* Says the alert by hand, if there is room for it. */
static void refuse(struct tls_stream *t, uint8_t alert, const char *why)
{
    const uint8_t record[] = {SSL3_RT_ALERT, 3, 3, 0, 2, SSL3_AL_FATAL, alert};
    struct slice s = slice_of(record, sizeof(record));
    if (t->out_n == 0 && stream_write_room(t->lower) >= s.len)
        stream_write(t->lower, &s, 1);
    tls_tell_handshake(t, TLS_HANDSHAKE_broken);
    tls_note_error(t, why);
    tls_set_over(t, STREAM_END_PROTOCOL);
}

/* 0: it is one, or the library finds out. */
static uint8_t alert_of(enum client_hello r)
{
    switch (r) {
    case CLIENT_HELLO_record:
        return SSL_AD_RECORD_OVERFLOW; /* of those that the library waits to the end of */
    case CLIENT_HELLO_foreign:
    case CLIENT_HELLO_message:
        return SSL_AD_UNEXPECTED_MESSAGE;
    default:
        return 0;
    }
}

bool tls_hello_is_there(struct tls_stream *t)
{
    ASSERT(t->state == TLS_HANDSHAKE && t->is_hello_due && !t->is_away);
    enum client_hello r = look(t);
    if (t->state != TLS_HANDSHAKE || (r == CLIENT_HELLO_partial && !stream_is_ended(t->lower)))
        return false;
    if (r == CLIENT_HELLO_long) {
        refuse(t, SSL_AD_ILLEGAL_PARAMETER, "the client hello is too long");
        return false;
    }
    t->is_hello_due = false;
    t->none_alert = alert_of(r);
    return true;
}

void tls_hello_end_look(struct tls_stream *t)
{
    bool is_enough = t->is_chosen || BIO_number_read(SSL_get_rbio(t->ssl)) >= LOOK_BYTES_MIN;
    if (t->none_alert != 0 && is_enough)
        refuse(t, t->none_alert, "what came is no client hello");
}
