/* SPDX-License-Identifier: Apache-2.0 */
/* What sim_tls.c and sim_tls_env.c share. */
#pragma once

#include "base/wheel.h"
#include "sim_tls.h"

#include <openssl/ssl.h>

struct sim_tls {
    struct stream stream; /* first */
    struct list_node link;
    struct sim_tls_env *env;
    struct sim_host *host;
    struct stream *lower; /* NULL: let go */
    struct sim_tls_want want;
    bool (*on_open)(struct sim_host *host, struct stream *s); /* NULL: a client */
    SSL *ssl;
    BIO *rx, *tx; /* the SSL's: what came, and what has to go out */
    struct wheel_timer kick;
    struct wheel_timer pace;
    unsigned events;
    enum stream_end end;
    enum stream_end lower_end;
    int reason;
    bool is_open;
    bool is_accepted; /* a server's: somebody has it */
    bool has_answer;  /* bytes of the peer came */
    bool is_eof;      /* close_notify came */
    bool is_shut;     /* and is said */
    bool is_lower_open;
    bool is_lower_shut;
    bool is_lower_closed;
    bool is_wanting; /* a write took less than it was given */
    bool is_cut, is_cut_told;
    bool is_released;
    bool lets_go; /* the lower stream, when all is with it */
    uint32_t piece_left;
    uint64_t first_flight; /* bytes of it */
    uint64_t sent;         /* bytes with the lower stream */
    uint64_t generation;   /* of the appliance's image, when it was begun */
    size_t at, len;        /* unread plaintext in `in` */
    char alpn[16];
    uint8_t in[16384];
};

extern const struct stream_ops sim_tls_ops;

/* Begins with `lower`. */
void sim_tls_start(struct sim_tls *t, struct stream *lower);

/* Hands are shaken: who is it? */
void sim_tls_note_open(struct sim_tls *t);
