/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies from one connection to another; see http_move.h. */
#include "http/http_move.h"

#include "base/assert.h"

/* What came behind the body, if something did. */
static struct http_head_buf *take_trailers(const struct http_carrier *carrier, struct stream *s,
                                           struct http_body_in *in)
{
    return carrier != NULL ? carrier->take_trailers(s) : http_body_in_take_trailers(in);
}

void http_move_request_end(struct http_client *to, struct http_server *from)
{
    struct http_head_buf *trailers = take_trailers(from->carrier, from->stream, &from->in);
    ASSERT(!to->out.is_ended);
    if (trailers == NULL)
        http_client_end_request(to);
    else if (to->carrier == NULL)
        http_body_out_end_with(&to->out, to->stream, to->env, trailers);
    else {
        to->carrier->put_trailers(to->stream, trailers);
        http_client_end_request(to);
    }
}

/* Behind a response; from one side of HTTP/2 to another always, else for who wants some. */
static void move_response_trailers(struct http_server *to, struct http_client *from)
{
    struct http_head_buf *trailers = take_trailers(from->carrier, from->stream, &from->in);
    bool is_same = to->carrier != NULL && to->carrier == from->carrier;
    if (trailers == NULL)
        return;
    if (!is_same && !to->wants_trailers)
        to->env->head_put(to->env->owner, trailers);
    else if (to->carrier != NULL)
        to->carrier->put_trailers(to->stream, trailers);
    else
        http_body_out_end_with(&to->out, to->stream, to->env, trailers);
}

size_t http_move_request(struct http_client *to, struct http_server *from)
{
    ASSERT(to->phase == HTTP_CLIENT_ASKING);
    if (to->out.is_ended)
        return 0;
    size_t moved = 0;
    if (to->out.kind != HTTP_BODY_NONE)
        moved = http_body_out_move(&to->out, to->stream, &from->in, from->stream);
    http_body_in_report(&from->in, from->env, false);
    if (!from->in.is_done)
        return moved;
    http_move_request_end(to, from);
    return moved;
}

/* Response bytes that this client must not get (HEAD is bodiless at the backend already; this is
 * for a 204 or 304 that we made of something else). */
static size_t drop_response(struct http_client *from)
{
    size_t dropped = 0;
    size_t n;
    while ((n = http_client_body_ready(from)) > 0) {
        http_client_body_consume(from, n);
        dropped += n;
    }
    return dropped;
}

size_t http_move_response(struct http_server *to, struct http_client *from)
{
    ASSERT(to->is_head_sent && from->is_final_head);
    if (from->in.is_done)
        return 0;
    if (to->out.kind == HTTP_BODY_NONE) /* the head said so, and may have ended the stream */
        return drop_response(from);
    size_t moved = http_body_out_move(&to->out, to->stream, &from->in, from->stream);
    http_body_in_report(&from->in, from->env, true);
    if (from->in.is_done)
        move_response_trailers(to, from);
    return moved;
}

static size_t move_raw(struct http_body_out *out, struct stream *to, struct http_body_in *in,
                       struct stream *from)
{
    ASSERT(out->kind == HTTP_BODY_UNTIL_CLOSE && in->kind == HTTP_BODY_UNTIL_CLOSE);
    if (out->is_ended)
        return 0;
    size_t moved = http_body_out_move(out, to, in, from);
    if (in->is_done && out->spill == NULL) {
        http_body_out_end(out, to);
        stream_shutdown(to);
    }
    return moved;
}

size_t http_move_up(struct http_client *to, struct http_server *from)
{
    return move_raw(&to->out, to->stream, &from->in, from->stream);
}

size_t http_move_down(struct http_server *to, struct http_client *from)
{
    return move_raw(&to->out, to->stream, &from->in, from->stream);
}
