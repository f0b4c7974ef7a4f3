/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies from one connection to another; see h1_move.h. */
#include "http/h1_move.h"

#include "base/assert.h"

size_t h1_move_request(struct h1_client *to, struct h1_server *from)
{
    ASSERT(to->phase == H1_CLIENT_ASKING);
    if (to->out.is_ended)
        return 0;
    size_t moved = 0;
    if (to->out.kind != HTTP_BODY_NONE)
        moved = h1_body_out_move(&to->out, to->stream, &from->in, from->stream);
    h1_body_in_report(&from->in, from->env, false);
    if (from->in.is_done)
        h1_body_out_end(&to->out, to->stream);
    return moved;
}

/* Response bytes that this client must not get (HEAD is bodiless at the backend already; this is
 * for a 204 or 304 that we made of something else). */
static size_t drop_response(struct h1_client *from)
{
    size_t dropped = 0;
    size_t n;
    while ((n = h1_client_body_ready(from)) > 0) {
        h1_client_body_consume(from, n);
        dropped += n;
    }
    return dropped;
}

size_t h1_move_response(struct h1_server *to, struct h1_client *from)
{
    ASSERT(to->is_head_sent && from->is_final_head);
    if (from->in.is_done)
        return 0;
    if (to->is_body_dropped)
        return drop_response(from);
    size_t moved = h1_body_out_move(&to->out, to->stream, &from->in, from->stream);
    h1_body_in_report(&from->in, from->env, true);
    return moved;
}

static size_t move_raw(struct h1_body_out *out, struct stream *to, struct h1_body_in *in,
                       struct stream *from)
{
    ASSERT(out->kind == HTTP_BODY_UNTIL_CLOSE && in->kind == HTTP_BODY_UNTIL_CLOSE);
    if (out->is_ended)
        return 0;
    size_t moved = h1_body_out_move(out, to, in, from);
    if (in->is_done && out->spill == NULL) {
        h1_body_out_end(out, to);
        stream_shutdown(to);
    }
    return moved;
}

size_t h1_move_up(struct h1_client *to, struct h1_server *from)
{
    return move_raw(&to->out, to->stream, &from->in, from->stream);
}

size_t h1_move_down(struct h1_server *to, struct h1_client *from)
{
    return move_raw(&to->out, to->stream, &from->in, from->stream);
}
