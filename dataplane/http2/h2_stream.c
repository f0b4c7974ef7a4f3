/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/stream.h for a stream of HTTP/2: its body, both ways.
 *
 * What comes lies in the lower stream's own buffers while its event runs (session->chunks); what is
 * left then is copied into pieces. Its window opens as it is consumed. The session's window opens
 * as bytes come, so that no stream waits for another, as long as there are pieces enough.
 */
#include "base/assert.h"
#include "base/minmax.h"
#include "http2/h2_priv.h"

#include <string.h>

static size_t fresh_bytes(const struct h2_stream *x)
{
    return x->session->fresh == x ? x->session->chunk_bytes : 0;
}

size_t h2_stream_readable(const struct h2_stream *x)
{
    return x->piece_bytes + fresh_bytes(x);
}

void h2_put_head(struct h2 *h, struct http_head_buf **head)
{
    if (*head != NULL)
        h->http->head_put(h->http->owner, *head);
    *head = NULL;
}

struct h2_stream *h2_stream_new(struct h2_session *s)
{
    struct h2_stream *x = pool_get(&s->h2->streams);
    if (x == NULL)
        return NULL;
    *x = (struct h2_stream){
        .stream = {.ops = &h2_stream_ops}, .session = s, .priority = H2_PRIORITY_UNSAID};
    list_push_back(&s->streams, &x->link);
    s->n_streams++;
    stat_inc(s->h2->core, STAT_h2_streams);
    s->h2->core->stats->counters[STAT_h2_streams_now]++;
    return x;
}

static void leave(struct list_node *node)
{
    if (list_is_linked(node))
        list_remove(node);
}

/* The peer may send as much more on the connection. */
static void pay_session(struct h2_stream *x, size_t bytes)
{
    ASSERT(bytes <= x->owed);
    x->owed -= bytes;
    if (bytes > 0)
        nghttp2_session_consume_connection(x->session->ng, bytes);
}

static void drop_first_piece(struct h2_stream *x)
{
    struct h2_piece *p = x->first;
    x->first = p->next;
    if (x->first == NULL)
        x->last = NULL;
    pool_put(&x->session->h2->pieces, p);
}

/* What is unread is gone. */
static void drop_unread(struct h2_stream *x)
{
    while (x->first != NULL)
        drop_first_piece(x);
    x->piece_bytes = 0;
    if (x->session->fresh == x)
        x->session->chunk_bytes = 0;
    pay_session(x, x->owed);
}

void h2_stream_free(struct h2_stream *x)
{
    struct h2_session *s = x->session;
    ASSERT(x->is_released && x->is_closed);
    drop_unread(x);
    if (s->fresh == x)
        s->fresh = NULL;
    if (s->turn == x)
        s->turn = NULL;
    leave(&x->link);
    h2_put_head(s->h2, &x->head);
    h2_put_head(s->h2, &x->trailers);
    s->h2->core->stats->counters[STAT_h2_streams_now]--;
    pool_put(&s->h2->streams, x);
}

void h2_stream_tell(struct h2_stream *x, unsigned events)
{
    x->events |= events;
    if (!x->is_released && !list_is_linked(&x->ready))
        list_push_back(&x->session->ready, &x->ready);
}

void h2_stream_reset(struct h2_stream *x, uint32_t error)
{
    if (x->is_closed || x->is_reset)
        return;
    x->is_reset = true;
    if (x->id != 0)
        nghttp2_submit_rst_stream(x->session->ng, NGHTTP2_FLAG_NONE, x->id, error);
    else
        x->is_closed = true;
    h2_session_schedule(x->session);
}

/* Both sides have said all: its end is told when all of it is read. */
static void close_orderly(struct h2_stream *x)
{
    x->end = STREAM_END_ORDERLY;
    x->session->is_close_owed = true;
    h2_stream_tell(x, STREAM_READABLE);
    h2_session_schedule(x->session);
}

enum stream_end h2_stream_end_of(const struct h2_stream *x, bool is_refused, enum stream_end end)
{
    bool is_unseen = !x->session->is_server && (is_refused || (x->id != 0 && !x->has_gone));
    return is_unseen ? STREAM_END_REFUSED : end;
}

void h2_stream_on_close(struct h2_stream *x, uint32_t error)
{
    struct h2_session *s = x->session;
    x->is_closed = true;
    leave(&x->wanting);
    s->is_wake_due = true;
    if (x->is_released) {
        h2_stream_free(x);
        return;
    }
    if (error == NGHTTP2_NO_ERROR && x->is_end_received) {
        close_orderly(x);
        return;
    }
    if (!x->is_reset)
        stat_inc(s->h2->core, STAT_h2_streams_reset);
    if (x->end == STREAM_END_OPEN)
        x->end = h2_stream_end_of(x, error == NGHTTP2_REFUSED_STREAM, STREAM_END_RESET);
    drop_unread(x);
    h2_stream_tell(x, STREAM_CLOSED);
}

void h2_stream_on_end_sent(struct h2_stream *x)
{
    x->is_end_sent = true;
    if (x->is_released && !x->is_end_received)
        h2_stream_reset(x, NGHTTP2_NO_ERROR); /* RFC 9113, section 8.1: stop sending */
}

static bool keep_bytes(struct h2_stream *x, struct slice v)
{
    while (v.len > 0) {
        struct h2_piece *p = x->last;
        if (p == NULL || p->end == sizeof(p->bytes)) {
            p = pool_get(&x->session->h2->pieces);
            if (p == NULL)
                return false;
            p->next = NULL;
            p->at = p->end = 0;
            if (x->last != NULL)
                x->last->next = p;
            else
                x->first = p;
            x->last = p;
        }
        size_t n = min64(v.len, sizeof(p->bytes) - p->end);
        memcpy(p->bytes + p->end, v.ptr, n);
        p->end += (uint32_t)n;
        x->piece_bytes += n;
        v = slice_skip(v, n);
    }
    return true;
}

void h2_stream_keep(struct h2_session *s)
{
    struct h2_stream *x = s->fresh;
    s->fresh = NULL;
    if (x == NULL || s->chunk_bytes == 0)
        return;
    for (; s->chunk < s->n_chunks; s->chunk++) {
        if (keep_bytes(x, s->chunks[s->chunk]))
            continue;
        stat_inc(s->h2->core, STAT_h2_streams_overrun);
        h2_stream_reset(x, NGHTTP2_INTERNAL_ERROR);
        break;
    }
}

static unsigned op_peek(struct stream *stream, struct slice *ret, unsigned n_max)
{
    struct h2_stream *x = h2_stream_of(stream);
    const struct h2_session *s = x->session;
    unsigned n = 0;
    for (struct h2_piece *p = x->first; p != NULL && n < n_max; p = p->next)
        ret[n++] = slice_of(p->bytes + p->at, p->end - p->at);
    if (fresh_bytes(x) > 0) {
        for (unsigned i = s->chunk; i < s->n_chunks && n < n_max; i++)
            ret[n++] = s->chunks[i];
    }
    return n;
}

static void consume_pieces(struct h2_stream *x, size_t bytes)
{
    x->piece_bytes -= bytes;
    while (bytes > 0) {
        struct h2_piece *p = x->first;
        size_t n = min64(bytes, p->end - p->at);
        p->at += (uint32_t)n;
        bytes -= n;
        if (p->at == p->end)
            drop_first_piece(x);
    }
}

static void consume_chunks(struct h2_session *s, size_t bytes)
{
    s->chunk_bytes -= bytes;
    while (bytes > 0) {
        struct slice *v = &s->chunks[s->chunk];
        size_t n = min64(bytes, v->len);
        *v = slice_skip(*v, n);
        bytes -= n;
        if (v->len == 0)
            s->chunk++;
    }
}

static void op_consume(struct stream *stream, size_t bytes)
{
    struct h2_stream *x = h2_stream_of(stream);
    ASSERT(bytes <= h2_stream_readable(x));
    if (bytes == 0)
        return;
    size_t kept = min64(bytes, x->piece_bytes);
    consume_pieces(x, kept);
    consume_chunks(x->session, bytes - kept);
    pay_session(x, min64(x->owed, bytes));
    if (!x->is_closed)
        nghttp2_session_consume_stream(x->session->ng, x->id, bytes);
    else if (h2_stream_readable(x) == 0)
        x->session->is_close_owed = true;
    h2_session_schedule(x->session);
}

static size_t op_readable(const struct stream *stream)
{
    return h2_stream_readable(h2_stream_of(stream));
}

static bool op_is_ended(const struct stream *stream)
{
    return h2_stream_of(stream)->is_end_received;
}

static bool is_writable(const struct h2_stream *x)
{
    return x->is_head_sent && !x->is_end_wanted && !x->is_closed && !x->is_reset &&
           x->session->lower != NULL;
}

static size_t op_write_room(const struct stream *stream)
{
    const struct h2_stream *x = h2_stream_of(stream);
    if (!is_writable(x))
        return 0;
    int32_t own = nghttp2_session_get_stream_remote_window_size(x->session->ng, x->id);
    int32_t all = nghttp2_session_get_remote_window_size(x->session->ng);
    int32_t least = own < all ? own : all;
    if (least <= 0)
        return 0;
    return min64(min64((uint64_t)least, h2_room(x->session)), h2_priority_share(x));
}

/* Writes so much of it. Returns how much was taken. */
static size_t write_pending(struct h2_stream *x, const struct slice *v, unsigned n, size_t bytes)
{
    struct h2_session *s = x->session;
    x->pending = v;
    x->n_pending = n;
    x->pending_at = 0;
    x->pending_bytes = bytes;
    nghttp2_session_resume_data(s->ng, x->id);
    h2_flush(s);
    size_t taken = bytes - x->pending_bytes;
    x->pending = NULL;
    x->pending_bytes = 0;
    if (s->turn == x)
        s->turn_bytes -= taken;
    return taken;
}

static size_t op_write(struct stream *stream, const struct slice *v, unsigned n)
{
    struct h2_stream *x = h2_stream_of(stream);
    size_t all = 0;
    for (unsigned i = 0; i < n; i++)
        all += v[i].len;
    if (all == 0 || !is_writable(x))
        return 0;
    size_t share = h2_priority_share(x);
    size_t taken = share > 0 ? write_pending(x, v, n, min64(all, share)) : 0;
    if (taken < all && !list_is_linked(&x->wanting))
        list_push_back(&x->session->wanting, &x->wanting);
    if (taken < all && taken == share)
        x->session->is_wake_due = true; /* it is not room that is missing */
    h2_session_schedule(x->session);    /* for what else there is to be sent or told */
    return taken;
}

static void op_shutdown(struct stream *stream)
{
    struct h2_stream *x = h2_stream_of(stream);
    if (x->is_end_wanted)
        return;
    x->is_end_wanted = true;
    if (x->id == 0 || x->is_closed)
        return;
    nghttp2_session_resume_data(x->session->ng, x->id);
    h2_session_run(x->session);
}

static void op_abort(struct stream *stream)
{
    struct h2_stream *x = h2_stream_of(stream);
    if (x->is_closed)
        return;
    x->end = STREAM_END_ABORTED;
    h2_stream_reset(x, x->session->is_server ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_CANCEL);
    drop_unread(x);
}

static void op_release(struct stream *stream)
{
    struct h2_stream *x = h2_stream_of(stream);
    struct h2_session *s = x->session;
    ASSERT(!x->is_released);
    x->is_released = true;
    x->stream.on_event = NULL;
    leave(&x->ready);
    leave(&x->wanting);
    drop_unread(x);
    h2_put_head(s->h2, &x->head);
    s->n_streams--;
    bool is_ended = x->is_end_wanted && x->is_head_sent;
    if (!is_ended)
        h2_stream_reset(x, s->is_server ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_CANCEL);
    else if (x->is_end_sent && !x->is_end_received)
        h2_stream_reset(x, s->is_server ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
    if (x->is_closed)
        h2_stream_free(x);
    h2_session_schedule(s);
}

static enum stream_end op_end(const struct stream *stream)
{
    return h2_stream_of(stream)->end;
}

static void op_addrs(const struct stream *stream, struct stream_addrs *ret)
{
    *ret = h2_stream_of(stream)->session->addrs;
}

const struct stream_ops h2_stream_ops = {
    .peek = op_peek,
    .consume = op_consume,
    .readable = op_readable,
    .is_ended = op_is_ended,
    .write_room = op_write_room,
    .write = op_write,
    .shutdown = op_shutdown,
    .abort = op_abort,
    .release = op_release,
    .end = op_end,
    .addrs = op_addrs,
};
