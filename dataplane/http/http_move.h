/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies between two connections without copying: what a proxy does all day. Thread: the worker of
 * both. Each moves as much as is there and as there is room for, and passes on the end of the body.
 */
#pragma once

#include "http/http_client.h"
#include "http/http_server.h"

/* Request body, client to backend. Returns bytes moved. When the body's end was reached the request
 * is ended. A fault in the body: see http_server_body_fault(). */
size_t http_move_request(struct http_client *to, struct http_server *from);

/* All of the request's body was moved, or copied: it is ended, with the trailers that came. */
void http_move_request_end(struct http_client *to, struct http_server *from);

/* Response body, backend to client. Returns bytes moved. The caller finishes the exchange when
 * http_client_body_is_done(). */
size_t http_move_response(struct http_server *to, struct http_client *from);

/* Of connections that were switched, from the client to the backend. Returns bytes moved. When the
 * source has ended and all of it is with the destination, that is shut down: out.is_ended. */
size_t http_move_up(struct http_client *to, struct http_server *from);

/* The same from the backend to the client. */
size_t http_move_down(struct http_server *to, struct http_client *from);
