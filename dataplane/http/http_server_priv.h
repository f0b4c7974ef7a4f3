/* SPDX-License-Identifier: Apache-2.0 */
/* Between http_server.c (phases) and http_server_send.c (what is sent). */
#pragma once

#include "http/http_server.h"

/* A request's head is whole and right: the exchange begins. May end the connection. */
void http_server_begin(struct http_server *s);

/* Answers what could not become an exchange, and closes. May end the connection. */
void http_server_refuse(struct http_server *s, enum http_fault fault);

/* Resets it: an answer that cannot be given, or not whole. STREAM_CLOSED ends it. */
void http_server_break_off(struct http_server *s);

/* Puts the refusal's response into the stream. False: no buffer. */
bool http_server_put_refusal(struct http_server *s, enum http_fault fault);

/* Throws away what is left of the request's body and there already, so that a small one does not
 * cost the connection. */
void http_server_skip_body(struct http_server *s);

/* Is the connection to go on after this exchange, as far as is known before its end? */
bool http_server_will_keep(const struct http_server *s);
