/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS server in memory (the library's own): does the handshake of a health check, and ends. */
#pragma once

#include "fake_stream.h"

struct ssl_st;

struct tls_peer {
    struct ssl_st *ssl;
    char asked[256];     /* the name by SNI; "": none */
    unsigned talk_bytes; /* that it says behind the handshake, at each turn */
    bool is_rude;        /* ends without close_notify */
    bool is_done;        /* the handshake */
    bool is_notified;    /* close_notify came */
    bool is_over;
};

/* Begins. One with a certificate completes handshakes; another refuses them by an alert. */
void tls_peer_init(struct tls_peer *p, bool has_certificate);

/* Takes what the client wrote, and pushes what comes of it. */
void tls_peer_serve(struct tls_peer *p, struct fake_stream *f);

/* Ends. */
void tls_peer_done(struct tls_peer *p);
