/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What carries one exchange without being a connection of its own: a stream of HTTP/2 (RFC 9113).
 * The bodies of such an exchange are what its core/stream.h carries, without framing, each ended by
 * the end of its direction; its heads go by these calls. http knows no more of what they do.
 *
 * Owner: whoever implements them; forever. Thread: the worker of the stream.
 */
#pragma once

#include "core/stream.h"
#include "http/http_env.h"

struct http_request;
struct http_response;

struct http_carrier {
    /* Sends an informational or the final head of a response; `is_end`: no body follows. `date`:
     * for a Date that it has not; empty: none. False: it is too long, or there is no memory. */
    bool (*send_response)(struct stream *s, const struct http_response *r, struct slice date,
                          bool is_end);
    /* Sends the head of a request. Its body is none, or follows. False: as above. */
    bool (*send_request)(struct stream *s, const struct http_request *r);
    /* The next head of the response, as text that http_parse_response() takes; the caller's from
     * now on. NULL: none came yet. *ret_is_end: no body follows. */
    struct http_head_buf *(*take_head)(struct stream *s, bool *ret_is_end);
    /* What came behind the body (http_trailers.h); the caller's now. NULL: nothing. */
    struct http_head_buf *(*take_trailers)(struct stream *s);
    /* These go behind the body, which is not ended yet; they are the callee's now. */
    void (*put_trailers)(struct stream *s, struct http_head_buf *trailers);
};
