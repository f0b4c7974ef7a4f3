/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields that come behind a body (RFC 9110, section 6.5), on their way from one message to the
 * next: in a head's buffer, each as four bytes of lengths, name, value. Pure.
 */
#pragma once

#include "http/http.h"

enum { HTTP_TRAILER_LENGTHS_BYTES = 4 };

/* The next field from *at on; false: there is none. */
bool http_trailers_next(const struct http_head_buf *buf, uint32_t *at, struct slice *name,
                        struct slice *value);

/* May a field of that name go on behind a body? None that says how a message is framed, whom it is
 * for, who asks, or what its content is: whoever got those behind a head could take them for a
 * part of it (section 6.5.1). */
bool http_trailer_may_pass(struct slice name);

/* Does the client say that it takes trailers (TE, section 10.1.4)? */
bool http_wants_trailers(const struct http_head *head);
