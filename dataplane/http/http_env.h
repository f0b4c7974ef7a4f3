/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an HTTP connection needs from the world around it, so that http depends on nothing but base
 * and core/stream.h: head buffers (the dataplane gives pooled ones, mgmt takes them from malloc), a
 * place to count, and the date. One for all connections of a worker or loop.
 *
 * Owner: the worker or the mgmt loop. Thread: its own.
 */
#pragma once

#include "http/http.h"

/* "Sun, 06 Nov 1994 08:49:37 GMT" and a NUL (RFC 9110, section 5.6.7). */
#define HTTP_DATE_BYTES 30u

struct http_env {
    /* A buffer for one head; NULL: none left (503, counted). A connection holds one from the first
     * byte of a head to the end of the exchange, and a second while the peer's window does not take
     * a head that is being sent. An idle connection holds none. */
    struct http_head_buf *(*head_get)(void *owner);
    void (*head_put)(void *owner, struct http_head_buf *buf);

    /* A buffer for what may be left out: trailers. NULL: there are not so many left that one could
     * be spared; then they are dropped. May be NULL: none ever. */
    struct http_head_buf *(*spare_get)(void *owner);

    /* A message was refused: counted where it is decided, exactly once. `is_backend`: it was a
     * response. */
    void (*on_fault)(void *owner, enum http_fault fault, bool is_backend);

    void *owner;
    char date[HTTP_DATE_BYTES]; /* "": no clock, then no Date is sent */
};

/* Sets the date that own answers carry. Cost: a few divisions; call once a second. */
void http_env_set_time(struct http_env *env, uint64_t unix_s);
