/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of tls share. A TLS stream is in one of three states:
 *
 *   HANDSHAKE  from tls_accept() or tls_connect(); the owner hears nothing and can write nothing
 *   OPEN       from the end of the handshake; either direction may have ended
 *   OVER       `end` says why, or the owner has released it. The lower stream has been let go
 *              (lower == NULL), unless it still has to take what is in `out`
 *
 * Events that a call of the owner causes are delivered by the timer `kick`, so that his state does
 * not change under his feet. A release in an event frees the memory when the event has returned.
 */
#pragma once

#include "base/jobs.h"
#include "base/list.h"
#include "base/wheel.h"
#include "tls/client_hello.h"
#include "tls/digest.h"
#include "tls/tls.h"
#include "tls/tls_tickets.h"

#include <openssl/ssl.h>

/* A record's own header, nonce and tag. */
#define TLS_RECORD_OVERHEAD_MAX 64u

struct tls_context {
    SSL_CTX *ssl;
    uint8_t alpn[TLS_ALPN_LIST_BYTES_MAX]; /* wire form: length, name, length, name */
    unsigned alpn_len;
    const struct tls_front_ops *front; /* NULL: there is one identity, in `ssl` */
    const struct tls_tickets *tickets; /* NULL: no session is resumed */
    EVP_CIPHER *ticket_cipher;
};

struct tls_identity {
    X509 *leaf;
    STACK_OF(X509) * chain; /* without the leaf */
    EVP_PKEY *key;
    char *names; /* of the leaf, lower case, each with its NUL, then an empty one; NULL: by CN */
};

struct tls_trust {
    X509_STORE *store;
    STACK_OF(X509_NAME) * names;
    uint8_t digest[DIGEST_BYTES]; /* of the text */
};

/* How a step of a handshake ended. */
enum tls_step_end {
    TLS_STEP_READ,  /* it needs more bytes */
    TLS_STEP_WRITE, /* it needs room for more */
    TLS_STEP_HELLO, /* a front knows whom the client wants, and goes on */
    TLS_STEP_OPEN,  /* it was the last one */
    TLS_STEP_FAULT,
};

enum tls_state {
    TLS_HANDSHAKE,
    TLS_OPEN,
    TLS_OVER,
};

struct tls_stream {
    struct stream stream; /* first: a stream is its tls_stream */
    const struct tls_context *context;
    struct stream *lower;
    SSL *ssl;
    struct wheel *wheel;
    struct wheel_timer kick;     /* delivers `events` */
    struct wheel_timer deadline; /* of the handshake */
    struct stream_addrs addrs;
    enum tls_state state;
    enum stream_end end;
    unsigned events;
    unsigned dispatching; /* how deep we are in our own event handlers */
    bool is_client;
    bool is_eof;             /* close_notify came */
    bool is_broken;          /* nothing more can be read; what was before may still be unread */
    bool is_lower_orderly;   /* the lower stream has ended well; plaintext may still be unread */
    bool is_shutdown_wanted; /* by the owner */
    bool is_shutdown;        /* close_notify is with the lower stream */
    bool is_lower_shutdown;
    bool is_room_short;   /* a write took less than it was given */
    uint32_t n_updates;   /* of the peer's keys, since data came */
    uint32_t fresh_bytes; /* that go out in short records */
    uint64_t wrote_tick;  /* of the last record */
    bool is_released;
    uint8_t *out; /* ciphertext that the lower stream had no room for; NULL: none */
    size_t out_at, out_n;
    size_t in_at, in_n; /* unread plaintext within `in` */
    uint8_t *in;        /* TLS_BUFFER_BYTES; NULL: it rests, and nothing is unread */
    char *subject;      /* NULL: none */
    char *server_name;  /* NULL: none */
    char *sans;         /* of the peer: see tls_peer.c; NULL: none are asked for */
    void *pick_arg;
    const char *error; /* the library's or ours, forever; NULL: none */

    struct tls_crypto *crypto; /* who has the steps of the handshake taken; NULL: each at once */
    struct list_node due;      /* waits for its turn, or for a device */
    struct list_node owing;    /* waits for its client */
    bool is_away;              /* a step is under way elsewhere: see tls_handshake.c */
    bool is_step_wanted;       /* the next step needs no more bytes */
    bool is_chosen;            /* a front: its client hello was looked at */
    uint8_t none_alert;        /* not 0: what came is no hello, and the alert for it unless the
                                  library has one (tls_hello.c) */
    uint64_t hello_s;          /* when, as Unix time; 0: nobody knew */
    enum tls_handshake hello_fault; /* how the handshake ends, if that look was the end of it */
    uint16_t steps;                 /* taken in turn: without a front's first */

    /* While it is away these, `ssl` and `out` are the step's. */
    struct job job;
    bool is_hello_due; /* a front: a hello is next, which the library gets whole */
    struct client_hello_progress hello;
    bool is_packed;   /* the lower stream is not to be touched */
    bool raw_is_last; /* no bytes follow those in `raw` */
    uint8_t *raw;     /* taken from the lower stream for a step or a hello, unread; NULL: none */
    size_t raw_at, raw_n; /* within `raw` */
    size_t raw_room;
    enum tls_step_end step_end;
    enum tls_handshake step_fault;
    const char *step_error; /* forever; NULL: none */

    char alpn[TLS_ALPN_BYTES_MAX];
};

/* The tls_stream of a stream. */
static inline struct tls_stream *tls_of(const struct stream *s)
{
    return (struct tls_stream *)(uintptr_t)s;
}

/* ---- tls_context.c ---- */

/* A front's handshake has ended so. Nothing for others. */
void tls_tell_handshake(struct tls_stream *t, enum tls_handshake end);

/* Are sessions resumed? Not before the first keys came. */
bool tls_has_tickets(const struct tls_stream *t);

/* Which of the library's reasons ended the handshake; before its errors are cleared. */
enum tls_handshake tls_handshake_fault(const struct tls_stream *t);

/* The library seals or opens a ticket with the context's keys. */
int tls_on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                  EVP_MAC_CTX *mac, int is_sealing);

/* What all contexts have in common. */
enum tls_fault tls_context_new(const SSL_METHOD *ssl_method, const char *alpn,
                               struct tls_context **ret);

/* A BIO that reads the text. */
BIO *tls_pem_bio(struct slice pem);

/* For the library's readers of PEM: an encrypted key must not make it ask at the terminal. */
int tls_no_password(char *buf, int size, int for_writing, void *arg);

/* ---- tls_keylog.c, tls_keylog_none.c ---- */

/* Debug builds: secrets of the context's handshakes go to the file that SSLKEYLOGFILE names. */
void tls_keylog_use(SSL_CTX *ctx);

/* ---- tls_identity.c ---- */

/* The thread reads no key any more: gives back what that took. */
void tls_identity_thread_done(void);

/* ---- tls_trust.c ---- */

/* Has the client say who it is, as chosen, and keeps its session apart from those of other choices.
 * Before the session that it may want to resume is looked at. False: the library failed. */
bool tls_ask_client(SSL *ssl, const struct tls_choice *choice);

/* ---- tls_peer.c ---- */

/* The stream, which is new, will meet that peer and nobody else. False: the library failed. */
bool tls_expect_peer(struct tls_stream *t, const struct tls_wanted_peer *peer);

/* ---- tls_bio.c ---- */

/* A BIO that reads and writes t->lower; NULL: no memory. */
BIO *tls_bio_new(struct tls_stream *t);

/* Gives the lower stream what it had no room for. True: nothing is left. */
bool tls_flush(struct tls_stream *t);

/* ---- tls_crypto.c ---- */

/* Its next step is due. False: too many wait. */
bool tls_crypto_enter(struct tls_stream *t);

/* A step was taken, and its client has to say more. */
void tls_crypto_await(struct tls_stream *t);

/* It wants no step any more; one that is under way is still waited for. Always allowed. */
void tls_crypto_leave(struct tls_stream *t);

/* ---- tls_hello.c ---- */

/* A hello comes next, in a stream of a front. */
void tls_hello_expect(struct tls_stream *t);

/* Is it there, or whatever else the library has to see? False also when the stream is over. */
bool tls_hello_is_there(struct tls_stream *t);

/* The library wants more: if what it has seen is of no hello, the stream is over. */
void tls_hello_end_look(struct tls_stream *t);

/* ---- tls_handshake.c ---- */

/* Once, in a new stream. */
void tls_step_init(struct tls_stream *t);

/* Takes bytes from the lower stream until `raw` has so many unread, or there are no more. False: no
 * memory, and the stream is over. */
bool tls_raw_fill(struct tls_stream *t, size_t bytes);

/* Takes the bytes of the next step from the lower stream, so that it can be taken elsewhere. False:
 * no memory, and the stream is over. */
bool tls_step_pack(struct tls_stream *t);

/* It gets no turn, for too many wait: it is over. */
void tls_step_shed(struct tls_stream *t);

/* The step has ended as it says in the stream. */
void tls_step_end(struct tls_stream *t);

/* Takes the next step, or has it taken, if there is what it needs. */
void tls_pump_handshake(struct tls_stream *t);

/* ---- tls_staple.c ---- */

/* Hangs the OCSP response on the certificate, if the text has one behind the chain. */
enum tls_fault tls_staple_read(struct slice pem, X509 *leaf);

/* A client asks for one. */
int tls_on_status_request(SSL *ssl, void *arg);

/* ---- tls_device.c ---- */

/* Does a device take part? */
bool tls_device_is_open(void);

/* ---- tls_stream.c ---- */

/* A step that took its turn has ended: goes on from there, and tells the owner. */
void tls_step_done(struct tls_stream *t);

/* Moves what can be moved: handshake, plaintext, close_notify. Adds to t->events. */
void tls_pump(struct tls_stream *t);

/* The stream is over; lets the lower one go. Told by the kick. */
void tls_set_over(struct tls_stream *t, enum stream_end end);

/* The buffer of plaintext, of which nothing is unread. */
void tls_free_in(struct tls_stream *t);

/* Has t->events delivered by the loop's next step. */
void tls_program_kick(struct tls_stream *t);

/* The time by which the handshake, or the rest of a release, must be done. */
void tls_arm_deadline(struct tls_stream *t, uint64_t delay_ms);

/* Remembers why it broke: the library's oldest error, or `otherwise`. */
void tls_note_error(struct tls_stream *t, const char *otherwise);

/* Says close_notify, once. */
void tls_say_goodbye(struct tls_stream *t);

/* Lets the lower stream go when a released stream has nothing left to send. */
void tls_finish_release(struct tls_stream *t);

/* Frees what is released and not in the middle of an event. */
void tls_free_if_done(struct tls_stream *t);

/* ---- tls_ops.c ---- */

extern const struct stream_ops tls_ops;
