/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the lower stream to nghttp2: frame by frame, of a long one as many pieces as there is room
 * for in `chunks`; after each, what came is told, while it still lies where it came in.
 *
 * Every frame that brings nothing costs credit (h2.h), so that none of the floods known
 * (CVE-2019-9511 to 9518, CVE-2023-44487, CVE-2024-27316) costs more than it costs its sender.
 */
#include "base/assert.h"
#include "base/minmax.h"
#include "http2/h2_priv.h"

#include <string.h>

static struct h2_stream *stream_by_id(nghttp2_session *ng, int32_t id)
{
    return nghttp2_session_get_stream_user_data(ng, id);
}

static void earn(struct h2_session *s, uint64_t earned)
{
    s->credit = (uint32_t)min64(s->credit + earned, H2_CREDIT_MAX);
}

/* What time has given back. */
static void earn_by_time(struct h2_session *s)
{
    uint64_t ticks = s->h2->core->wheel.now_tick - s->credit_tick;
    uint64_t earned = ticks * WHEEL_TICK_US * H2_CREDIT_PER_SECOND / 1000000;
    if (earned == 0)
        return;
    earn(s, earned);
    s->credit_tick = s->h2->core->wheel.now_tick;
}

static uint32_t frame_cost(const struct h2_session *s, const nghttp2_frame_hd *hd)
{
    bool is_ack = (hd->flags & NGHTTP2_FLAG_ACK) != 0;
    switch (hd->type) {
    case NGHTTP2_DATA:
        return hd->length == 0 && (hd->flags & NGHTTP2_FLAG_END_STREAM) == 0 ? H2_COST_FRAME : 0;
    case NGHTTP2_HEADERS:
        return 0;
    case NGHTTP2_RST_STREAM:
        return s->is_server ? H2_COST_RESET : 0;
    case NGHTTP2_PING:
    case NGHTTP2_SETTINGS:
        return is_ack ? 0 : H2_COST_PING;
    default:
        return H2_COST_FRAME;
    }
}

/* The bit of a client's stream. */
static uint64_t *bit_word(uint64_t *bits, uint32_t number)
{
    return &bits[number / 64 % (H2_OPENED_MAX / 64)];
}

/* Numbers of streams only grow (section 5.1.1). One that was skipped cannot be opened later;
 * nghttp2 takes it for one that is closed, and does not mind. */
static bool is_skipped(struct h2_session *s, int32_t id)
{
    uint32_t number = (uint32_t)id / 2;
    uint64_t bit = 1ull << number % 64;
    if (number < s->last_opened)
        return s->last_opened - number < H2_OPENED_MAX && (*bit_word(s->opened, number) & bit) == 0;
    for (uint32_t i = s->last_opened + 1; i <= number && i <= s->last_opened + H2_OPENED_MAX; i++) {
        *bit_word(s->opened, i) &= ~(1ull << i % 64);
        *bit_word(s->ended, i) &= ~(1ull << i % 64);
    }
    s->last_opened = number;
    *bit_word(s->opened, number) |= bit;
    return false;
}

/* The client has ended the stream. */
static void note_ended(struct h2_session *s, int32_t id)
{
    if (s->is_server && (uint32_t)id / 2 <= s->last_opened)
        *bit_word(s->ended, (uint32_t)id / 2) |= 1ull << (uint32_t)id / 2 % 64;
}

/* Is it for a stream that its client has ended, and that is closed? What is under way to one that
 * we have reset does not matter. */
static bool is_late(struct h2_session *s, uint8_t type, uint32_t id)
{
    bool is_message = type == NGHTTP2_DATA || type == NGHTTP2_HEADERS;
    return s->is_server && is_message && id % 2 == 1 && id / 2 <= s->last_opened &&
           s->last_opened - id / 2 < H2_OPENED_MAX &&
           (*bit_word(s->ended, id / 2) & 1ull << id / 2 % 64) != 0 &&
           nghttp2_session_find_stream(s->ng, (int32_t)id) == NULL;
}

/* What breaks the rules (sections 5.1, 6.3), and nghttp2 does not see: without RFC 7540's
 * priorities it forgets streams that are closed. Returns the frame's length. */
static uint32_t look_at_header(struct h2_session *s)
{
    const uint8_t *h = s->header;
    uint32_t id = (uint32_t)(h[5] & 0x7f) << 24 | (uint32_t)h[6] << 16 | (uint32_t)h[7] << 8 | h[8];
    if (is_late(s, h[3], id))
        nghttp2_session_terminate_session(s->ng, NGHTTP2_STREAM_CLOSED);
    else if (h[3] == NGHTTP2_PRIORITY && id == 0)
        nghttp2_session_terminate_session(s->ng, NGHTTP2_PROTOCOL_ERROR);
    return (uint32_t)h[0] << 16 | (uint32_t)h[1] << 8 | h[2];
}

static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *user)
{
    struct h2_session *s = user;
    uint32_t cost = frame_cost(s, hd);
    if (s->is_server && hd->type == NGHTTP2_HEADERS && hd->stream_id % 2 == 1 &&
        is_skipped(s, hd->stream_id))
        h2_session_doom(s, H2_WHY_FAULT);
    if (cost == 0)
        return 0;
    earn_by_time(s);
    if (cost > s->credit) {
        h2_session_doom(s, H2_WHY_CALM);
        return 0;
    }
    s->credit -= cost;
    return 0;
}

/* The stream of a request that begins; NULL: it is refused. */
static struct h2_stream *begin_request(struct h2_session *s, int32_t id)
{
    struct h2_stream *x = s->is_goodbye ? NULL : h2_stream_new(s);
    if (x == NULL)
        return NULL;
    x->id = id;
    x->is_new = true;
    h2_priority_recall(x);
    nghttp2_session_set_stream_user_data(s->ng, id, x);
    return x;
}

/* There is no place for a head. Of a request nobody has seen anything: it may be sent again (RFC
 * 9113, section 8.7). Of an answer or of trailers that would be a lie. */
static int refuse_head(struct h2_session *s, int32_t id, bool is_request)
{
    uint32_t why = is_request ? NGHTTP2_REFUSED_STREAM : NGHTTP2_INTERNAL_ERROR;
    stat_inc(s->h2->core, STAT_h2_streams_refused);
    nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, id, why);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* A stream whose owner was never told: there is none. */
static void drop_new(struct h2_stream *x)
{
    x->is_new = false;
    x->is_released = true;
    x->session->n_streams--;
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct h2_session *s = user;
    h2_put_head(s->h2, &s->partial.buf); /* of one that was given up */
    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    int32_t id = frame->hd.stream_id;
    bool is_request = s->is_server && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
    struct h2_stream *x = is_request ? begin_request(s, id) : stream_by_id(ng, id);
    if (x == NULL || x->is_released)
        return is_request ? refuse_head(s, id, true) : 0;
    struct http_head_buf *buf = s->h2->http->head_get(s->h2->http->owner);
    if (buf == NULL && x->is_new)
        drop_new(x);
    if (buf == NULL)
        return refuse_head(s, id, is_request);
    buf->len = 0;
    s->partial = (struct h2_partial){.buf = buf, .stream = x};
    s->heads++;
    return 0;
}

/* What of a request's head is the stream's own business. */
static void note_field(struct h2_stream *x, struct slice name, struct slice value)
{
    if (slice_eq(name, SLICE_LIT("priority")))
        h2_priority_take(x, value);
    else if (slice_eq(name, SLICE_LIT(":protocol")))
        x->is_connect = true;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    struct h2_session *s = user;
    if (s->partial.buf == NULL)
        return 0;
    if (s->is_server && s->partial.stream->is_new)
        note_field(s->partial.stream, slice_of(name, name_len), slice_of(value, value_len));
    if (!h2_partial_add(&s->partial, slice_of(name, name_len), slice_of(value, value_len)))
        h2_session_doom(s, H2_WHY_CALM);
    return 0;
}

/* What nghttp2 would leave out is refused: two could read it in two ways. */
static int on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                             size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                             void *user)
{
    struct h2_session *s = user;
    stat_inc(s->h2->core, STAT_h2_streams_faulty);
    h2_put_head(s->h2, &s->partial.buf);
    nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_PROTOCOL_ERROR);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* nghttp2 found fault with a frame of a stream, and resets that. */
static int on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *user)
{
    struct h2_session *s = user;
    stat_inc(s->h2->core, STAT_h2_streams_faulty);
    h2_put_head(s->h2, &s->partial.buf);
    return 0;
}

static void take_request(struct h2_session *s, struct h2_stream *x, struct http_head_buf *buf)
{
    uint8_t key[16];
    uint64_t random[2] = {rng_next(&s->h2->core->rng), rng_next(&s->h2->core->rng)};
    memcpy(key, random, sizeof(key));
    x->fault = s->partial.fault;
    if (x->fault == HTTP_FAULT_none)
        x->fault = h2_compose_request(buf, key);
    if (x->fault != HTTP_FAULT_none)
        buf->len = 0; /* it is no text that could be shown */
    x->head = buf;
    h2_stream_tell(x, STREAM_READABLE);
}

static void take_response(struct h2_session *s, struct h2_stream *x, struct http_head_buf *buf)
{
    enum http_fault fault = s->partial.fault;
    if (fault == HTTP_FAULT_none)
        fault = x->head == NULL ? h2_compose_response(buf, x->is_connect) : HTTP_FAULT_status_line;
    if (fault != HTTP_FAULT_none) {
        s->h2->http->on_fault(s->h2->http->owner, fault, true);
        h2_put_head(s->h2, &buf);
        h2_stream_reset(x, NGHTTP2_PROTOCOL_ERROR);
        return;
    }
    s->has_answered = true;
    const uint8_t *status = buf->bytes + sizeof("HTTP/1.1 ") - 1;
    x->is_final_head = status[0] != '1' || (x->is_connect && memcmp(status, "101", 3) == 0);
    x->head = buf;
    h2_stream_tell(x, STREAM_READABLE);
}

/* What comes behind a body is passed on whole or, too long, not at all. */
static void take_trailers(struct h2_session *s, struct h2_stream *x, struct http_head_buf *buf)
{
    if (s->partial.fault != HTTP_FAULT_none || x->trailers != NULL)
        h2_put_head(s->h2, &buf);
    else
        x->trailers = buf;
}

static void take_head(struct h2_session *s, bool is_end)
{
    struct h2_stream *x = s->partial.stream;
    struct http_head_buf *buf = s->partial.buf;
    s->partial.buf = NULL;
    bool is_trailers = s->is_server ? !x->is_new : x->is_final_head;
    x->is_head_end = is_end && !is_trailers;
    if (x->is_released)
        h2_put_head(s->h2, &buf);
    else if (is_trailers)
        take_trailers(s, x, buf);
    else if (s->is_server)
        take_request(s, x, buf);
    else
        take_response(s, x, buf);
}

static void on_end_stream(struct h2_stream *x)
{
    x->is_end_received = true;
    note_ended(x->session, x->id);
    h2_stream_tell(x, STREAM_READABLE);
}

/* Requests that have to know what the peer takes can go. */
static void take_settings(struct h2_session *s)
{
    s->is_wake_due = true;
    if (s->is_server || s->has_settings)
        return;
    s->has_settings = true;
    LIST_EACH (it, &s->streams) {
        struct h2_stream *x = container_of(it, struct h2_stream, link);
        if (x->is_connect)
            h2_stream_tell(x, STREAM_WRITABLE);
    }
}

static void take_priority(struct h2_session *s, const nghttp2_ext_priority_update *said)
{
    h2_priority_update(s, said->stream_id, slice_of(said->field_value, said->field_value_len));
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct h2_session *s = user;
    bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    bool is_ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
    struct h2_stream *x = NULL;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (s->partial.buf != NULL)
            take_head(s, is_end);
        x = stream_by_id(ng, frame->hd.stream_id);
        break;
    case NGHTTP2_DATA:
        x = stream_by_id(ng, frame->hd.stream_id);
        break;
    case NGHTTP2_WINDOW_UPDATE:
        s->is_wake_due = true;
        return 0;
    case NGHTTP2_SETTINGS:
        if (!is_ack)
            take_settings(s);
        return 0;
    case NGHTTP2_RST_STREAM:
        note_ended(s, frame->hd.stream_id);
        return 0;
    case NGHTTP2_PRIORITY_UPDATE:
        take_priority(s, frame->ext.payload);
        return 0;
    case NGHTTP2_PING:
        if (is_ack)
            h2_session_say_last(s);
        return 0;
    case NGHTTP2_GOAWAY:
        s->is_goodbye |= !s->is_server;
        s->is_left = true;
        return 0;
    default:
        return 0;
    }
    if (x != NULL && is_end)
        on_end_stream(x);
    return 0;
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
                   void *user)
{
    struct h2_session *s = user;
    struct h2_stream *x = stream_by_id(ng, id);
    earn(s, len / 1024);
    if (x == NULL || x->is_released || x->is_reset) {
        nghttp2_session_consume(ng, id, len);
        return 0;
    }
    ASSERT(s->fresh == NULL || s->fresh == x);
    ASSERT(s->n_chunks < H2_CHUNKS_MAX);
    s->fresh = x;
    s->chunks[s->n_chunks++] = slice_of(data, len);
    s->chunk_bytes += len;
    if (s->h2->pieces.used > s->h2->config.pieces_max / 2)
        x->owed += len;
    else
        nghttp2_session_consume_connection(ng, len);
    h2_stream_tell(x, STREAM_READABLE);
    return 0;
}

static int on_close(nghttp2_session *ng, int32_t id, uint32_t error, void *user)
{
    struct h2_session *s = user;
    struct h2_stream *x = stream_by_id(ng, id);
    if (x == NULL)
        return 0;
    if (s->partial.stream == x)
        h2_put_head(s->h2, &s->partial.buf);
    if (x->is_new && x->head == NULL)
        drop_new(x);
    if (x->is_end_received && x->is_end_sent && !x->is_reset) /* whatever `error` a peer names */
        earn(s, H2_CREDIT_PER_STREAM);
    h2_stream_on_close(x, error);
    return 0;
}

static int on_sent(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    bool is_message = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    struct h2_stream *x = is_message ? stream_by_id(ng, frame->hd.stream_id) : NULL;
    if (x == NULL)
        return 0;
    x->has_gone = true;
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
        h2_stream_on_end_sent(x);
    return 0;
}

/* A request that could not go out: the peer says goodbye, or there are no more numbers; or it was
 * given up before it went. on_close comes, too. */
static int on_not_sent(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *user)
{
    struct h2_session *s = user;
    bool is_given_up = error == NGHTTP2_ERR_STREAM_CLOSING;
    if (!s->is_server && frame->hd.type == NGHTTP2_HEADERS && !is_given_up)
        s->is_goodbye = true;
    return 0;
}

void h2_set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_not_sent);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, h2_send_body);
}

/* How many of the next bytes belong to the frame under way. */
static size_t frame_part(struct h2_session *s, struct slice v)
{
    size_t n = 0;
    if (s->preface_left > 0) {
        n = min64(v.len, s->preface_left);
        s->preface_left -= (uint32_t)n;
        return n;
    }
    while (s->frame_left == 0 && n < v.len) {
        s->header[s->header_len++] = v.ptr[n++];
        if (s->header_len < sizeof(s->header))
            continue;
        s->header_len = 0;
        s->frame_left = look_at_header(s);
        if (s->frame_left == 0) /* it is whole */
            return n;
    }
    size_t more = min64(v.len - n, s->frame_left);
    s->frame_left -= (uint32_t)more;
    return n + more;
}

/* Gives nghttp2 the next bytes, of one frame. Returns how many; 0: the session has to end. */
static size_t feed_part(struct h2_session *s, struct slice v)
{
    size_t n = frame_part(s, v);
    ssize_t used = nghttp2_session_mem_recv(s->ng, v.ptr, n);
    if (used == (ssize_t)n)
        return s->why == H2_WHY_OPEN ? n : 0;
    enum h2_why why = used == NGHTTP2_ERR_NOMEM     ? H2_WHY_MEMORY
                      : used == NGHTTP2_ERR_FLOODED ? H2_WHY_CALM
                                                    : H2_WHY_FAULT;
    h2_session_doom(s, why);
    return 0;
}

/* Of what there is, a frame or a part of one: told, and consumed. */
static bool feed_frame(struct h2_session *s)
{
    struct slice v[H2_CHUNKS_MAX];
    unsigned n = stream_peek(s->lower, v, H2_CHUNKS_MAX);
    size_t used = 0;
    s->n_chunks = s->chunk = 0;
    s->chunk_bytes = 0;
    for (unsigned i = 0; i < n; i++) {
        size_t part = feed_part(s, v[i]);
        if (part == 0)
            return false;
        used += part;
        bool is_whole = s->frame_left == 0 && s->header_len == 0;
        if (is_whole || part < v[i].len)
            break;
    }
    h2_session_deliver(s);
    h2_stream_keep(s);
    if (s->lower == NULL || s->why != H2_WHY_OPEN)
        return false;
    stream_consume(s->lower, used);
    return used > 0;
}

bool h2_feed(struct h2_session *s)
{
    while (s->lower != NULL && stream_readable(s->lower) > 0 && feed_frame(s))
        continue;
    return s->why == H2_WHY_OPEN;
}
