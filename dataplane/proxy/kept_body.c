/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request's body, kept for another try. Under a retry policy a short body of known length stays
 * where it came in, unread in the client's stream: each try gets a copy from its beginning, and it
 * is consumed once the answer is the client's, or there can be no further try. So nothing is stored
 * that would not be there anyway, and all other bodies are moved without a copy, as ever.
 *
 * What is unread keeps the client's window from opening, and each piece of it holds a packet. So a
 * body that comes in many pieces, or stops coming, is let go: from then on it is moved like others,
 * and the request cannot be sent again. Whatever becomes of it, the client gets its answer.
 *
 * Ways known: a copy in a buffer of the worker (memory for each request that might be tried again,
 * nearly none of which is), or a limit so large that it matters for uploads (they would be slow for
 * the sake of a try). Would change: streams that can be read from without being consumed in order.
 */
#include "base/assert.h"
#include "base/minmax.h"
#include "proxy/proxy_priv.h"

void kept_body_begin(struct exchange *e)
{
    const struct http_head *head = &e->client->http.request->head;
    ASSERT(!e->keeps_body && !e->has_body_moved);
    e->keeps_body = e->retry != NULL && head->body == HTTP_BODY_LENGTH && head->length > 0 &&
                    head->length <= RETRY_BODY_BYTES_MAX;
    if (!e->keeps_body)
        return;
    e->kept_bytes = (uint32_t)head->length;
    e->kept_seen = (uint32_t)http_server_body_ready(&e->client->http);
}

void kept_body_let_go(struct exchange *e)
{
    if (!e->keeps_body)
        return;
    ASSERT(e->kept_sent <= e->kept_bytes && e->kept_sent <= e->kept_most);
    e->keeps_body = false;
    e->has_body_moved = e->kept_sent > 0;
    if (e->kept_sent < e->kept_most) /* what they have more of would come to them once more */
        mirrors_cut(e);
    http_server_body_consume(&e->client->http, e->kept_sent);
}

void kept_body_on_event(struct exchange *e)
{
    if (!e->keeps_body)
        return;
    size_t there = http_server_body_ready(&e->client->http);
    e->is_kept_over = there == e->kept_seen; /* an event without bytes: the client has ended */
    e->kept_seen = (uint32_t)there;
}

bool kept_body_is_open(const struct exchange *e)
{
    return e->keeps_body && e->kept_sent < e->kept_bytes;
}

/* To the backend, and what they have not yet to the mirrors. Returns how many it took. */
static size_t copy_piece(struct exchange *e, struct http_client *to, struct slice piece)
{
    size_t n = http_client_write(to, piece);
    uint32_t end = e->kept_sent + (uint32_t)n;
    if (end > e->kept_most) {
        uint32_t known = e->kept_most - e->kept_sent;
        mirrors_write(e, slice_of(piece.ptr + known, n - known));
        e->kept_most = end;
    }
    e->kept_sent = end;
    return n;
}

/* From where this try is, as far as there is room. */
static size_t copy(struct exchange *e, struct http_client *to, const struct slice *pieces,
                   unsigned n)
{
    size_t skip = e->kept_sent;
    size_t copied = 0;
    for (unsigned i = 0; i < n; i++) {
        size_t here = min64(skip, pieces[i].len);
        struct slice piece = slice_skip(pieces[i], here);
        skip -= here;
        size_t took = piece.len > 0 ? copy_piece(e, to, piece) : 0;
        copied += took;
        if (took < piece.len)
            break;
    }
    return copied;
}

size_t kept_body_pump(struct exchange *e, struct http_client *to, struct http_server *from)
{
    struct slice pieces[RETRY_BODY_PIECES_MAX];
    size_t there = http_server_body_ready(from);
    unsigned n = http_server_body_peek(from, pieces, RETRY_BODY_PIECES_MAX);
    ASSERT(e->keeps_body && there <= e->kept_bytes);
    size_t copied = to->out.is_ended ? 0 : copy(e, to, pieces, n);
    bool is_whole = e->kept_sent == e->kept_bytes;
    bool is_stuck = n == RETRY_BODY_PIECES_MAX || e->is_kept_over;
    if (is_whole && !to->out.is_ended) {
        http_client_end_request(to);
        mirrors_end_request(e);
    } else if (!is_whole && is_stuck) {
        kept_body_let_go(e);
    }
    return copied;
}
