/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TLS handshake with an endpoint. It is a check of life: whose certificate it is nobody asks, for
 * a check that fails by a certificate's last day would take all endpoints away at once.
 *
 * When the verdict is there we end by close_notify and FIN, and wait for the endpoint's own end: a
 * server of TLS 1.3 sends tickets behind the handshake, and they must not find a closed port.
 *
 * Owner: the check. Thread: the worker. Memory: the heap, as for every TLS stream
 * (docs/decisions.md).
 */
#pragma once

#include "abi/image_format.h"
#include "base/slice.h"
#include "core/stream.h"
#include "health/health.h"

#include <stdbool.h>
#include <stdint.h>

struct health_tls;
struct tls_context;
struct wheel;

struct health_tls_ops {
    void (*on_verdict)(struct health_tls *t, enum health_end end); /* once */
    void (*on_gone)(struct health_tls *t); /* once, afterwards: the stream is released */
};

struct health_tls {
    struct stream *stream; /* NULL: not under way */
    const struct health_tls_ops *ops;
    bool is_judged;
    uint32_t bytes; /* that the endpoint said, and nobody wants to know */
};

/* Begins the handshake on a stream that was opened just now. `server_name` is the one that is asked
 * for (SNI), IMAGE_SERVER_NAME_BYTES_MAX at most; empty: none. False: no memory; the stream is as
 * it was. */
bool health_tls_begin(struct health_tls *t, struct tls_context *context, struct stream *stream,
                      struct core *core, struct slice server_name,
                      const struct health_tls_ops *ops);

/* Breaks it off by a reset. */
void health_tls_abort(struct health_tls *t);
