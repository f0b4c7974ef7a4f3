/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of grpc.health.v1.Health/Check over a stream: HTTP/2 with prior knowledge (RFC 9113,
 * section 3.3), as gRPC does it without TLS. The only file here that knows nghttp2, and none of its
 * memory comes from the heap: all that one call takes is a block, given back as a whole; what does
 * not fit is an answer that no health service gives. (It reads a clock, but for servers only.)
 *
 * Owner: the check. Thread: the worker.
 */
#pragma once

#include "abi/image_format.h"
#include "base/slice.h"
#include "core/stream.h"
#include "health/health.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nghttp2_session;
struct nghttp2_session_callbacks;

/* Memory of a call. Reason: nghttp2 takes 16 KiB for the frame that it writes and 6 KiB for its
 * tables; the rest is for the fields of the answer. */
#define HEALTH_GRPC_BYTES_MAX 40960u
/* Bytes of an answer's message that are looked at: the envelope and a status. */
#define HEALTH_GRPC_MESSAGE_BYTES_MAX 32u

struct health_grpc;

/* It is over by itself: the stream is released, and the memory can be given back. */
typedef void (*health_grpc_end_fn)(struct health_grpc *g, enum health_end end);

struct health_grpc {
    struct stream *stream; /* NULL: not under way */
    struct nghttp2_session *session;
    health_grpc_end_fn on_end;
    uint8_t *memory; /* HEALTH_GRPC_BYTES_MAX of them */
    uint32_t used;
    struct slice out; /* that nghttp2 wants to send and the stream did not take */
    uint8_t request[5 + 3 + IMAGE_GRPC_SERVICE_BYTES_MAX];
    uint32_t request_len;
    uint32_t request_at; /* of these, given to nghttp2 */
    uint8_t message[HEALTH_GRPC_MESSAGE_BYTES_MAX];
    uint32_t message_len; /* of the whole message: may be more than is kept */
    uint32_t http_status;
    uint32_t grpc_status; /* UINT32_MAX: none came */
    uint32_t error;       /* HTTP/2's, by which the stream ended */
    bool is_closed;       /* the call is over */
};

/* What all calls of a worker share, from the heap: while the worker is made. NULL: no memory. */
struct nghttp2_session_callbacks *health_grpc_callbacks_new(void);

/* Gives it back. */
void health_grpc_callbacks_free(struct nghttp2_session_callbacks *callbacks);

/* Begins the call on a stream that was opened just now. `memory` is aligned to 16. False: it was
 * not enough; the stream is as it was. `service` has IMAGE_GRPC_SERVICE_BYTES_MAX at most. */
bool health_grpc_begin(struct health_grpc *g, struct stream *stream, void *memory,
                       const struct nghttp2_session_callbacks *callbacks, struct slice authority,
                       struct slice service, health_grpc_end_fn on_end);

/* Breaks it off by a reset. */
void health_grpc_abort(struct health_grpc *g);
