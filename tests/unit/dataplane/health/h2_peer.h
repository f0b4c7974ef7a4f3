/* SPDX-License-Identifier: Apache-2.0 */
/* A server of HTTP/2 in memory (nghttp2's server side): reads a health check strictly, and answers
 * as the test says: a GET by status and body, a call of gRPC by what its health service says. */
#pragma once

#include "fake_stream.h"

#include <stddef.h>
#include <stdint.h>

struct nghttp2_session;

struct h2_peer {
    struct nghttp2_session *session;
    char fields[512]; /* of the request: "name: value\n" each */
    uint8_t message[300];
    size_t message_len;
    const char *http_status;
    const char *grpc_status; /* in the trailers; NULL: none come */
    const uint8_t *answer;   /* the message with its envelope */
    size_t answer_len;       /* 0: trailers only */
    size_t answer_at;
    size_t extra_bytes; /* of a field that nobody asked for */
    bool has_hints;     /* 103 before the answer */
    bool resets;        /* the stream, instead of an answer */
};

/* Begins. */
void h2_peer_init(struct h2_peer *p);

/* Takes what the client wrote, and pushes what comes of it. */
void h2_peer_serve(struct h2_peer *p, struct fake_stream *f);

/* Ends. */
void h2_peer_done(struct h2_peer *p);
