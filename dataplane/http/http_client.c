/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client connection's phases and events. The rules are in http_client.h; is_over as in
 * http_server.c.
 */
#include "http/http_client.h"

#include "base/assert.h"
#include "http/h1_head.h"

static void put_response(struct http_client *c)
{
    if (c->response == NULL)
        return;
    c->env->head_put(c->env->owner, c->response);
    c->response = NULL;
}

static void let_go(struct http_client *c)
{
    ASSERT(c->stream != NULL);
    c->end = stream_end(c->stream);
    put_response(c);
    http_body_in_done(&c->in);
    http_body_out_done(&c->out, c->env);
    stream_release(c->stream);
    c->stream = NULL;
    if (c->is_over != NULL)
        *c->is_over = true;
}

static void end(struct http_client *c, enum http_client_end why)
{
    let_go(c);
    c->ops->on_end(c, why);
}

void http_client_close(struct http_client *c)
{
    stream_shutdown(c->stream);
    let_go(c);
}

void http_client_abort(struct http_client *c)
{
    stream_abort(c->stream);
    let_go(c);
}

/* The stream ended or the connection cannot go on: what that means in this phase. */
static enum http_client_end end_reason(const struct http_client *c)
{
    switch (c->phase) {
    case HTTP_CLIENT_OPENING:
        return HTTP_CLIENT_END_OPEN_FAILED;
    case HTTP_CLIENT_READY:
        return HTTP_CLIENT_END_IDLE_CLOSED;
    default:
        if (c->is_response_begun)
            return HTTP_CLIENT_END_CUT;
        /* A stream that was refused was never looked at (RFC 9113, section 8.7). */
        bool is_refused = c->carrier != NULL && stream_end(c->stream) == STREAM_END_REFUSED;
        return is_refused ? HTTP_CLIENT_END_OPEN_FAILED : HTTP_CLIENT_END_NO_RESPONSE;
    }
}

static void end_by_fault(struct http_client *c, enum http_fault fault)
{
    ASSERT(fault != HTTP_FAULT_none);
    c->fault = fault;
    c->env->on_fault(c->env->owner, fault, true);
    stream_abort(c->stream);
    end(c, HTTP_CLIENT_END_FAULT);
}

static bool get_response(struct http_client *c)
{
    if (c->response == NULL)
        c->response = c->env->head_get(c->env->owner);
    if (c->response == NULL)
        return false;
    c->response->len = 0;
    c->response->scanned = 0;
    c->response->is_skipped = false;
    return true;
}

/* The final head is there: what of a body follows? */
static void begin_body(struct http_client *c, struct http_head *head, bool is_end)
{
    if (c->carrier == NULL) {
        http_body_in_init(&c->in, head->is_bodiless ? HTTP_BODY_NONE : head->body, head->length);
        http_body_in_keep_trailers(&c->in, c->env);
        return;
    }
    /* Its end tells; and there may be trailers, and an end, though there is no byte of a body. */
    http_body_in_init(&c->in, HTTP_BODY_UNTIL_CLOSE, 0);
    if (is_end && !head->is_bodiless && head->body == HTTP_BODY_UNTIL_CLOSE)
        head->body = HTTP_BODY_LENGTH; /* of no bytes */
}

/* A whole head: informational or final. `is_end`: its carrier says that no body follows. */
static void take_head(struct http_client *c, bool is_end, const bool *is_over)
{
    struct http_head_buf *buf = c->response;
    enum http_fault fault =
        http_parse_response(buf->bytes, buf->len, c->is_head_request, &buf->head);
    bool is_informational = fault == HTTP_FAULT_none && buf->head.status < 200;
    bool is_switch = is_informational && buf->head.status == 101;
    if (is_switch && !c->is_switch_asked)
        fault = HTTP_FAULT_switching;
    if (is_informational && ++c->informationals > HTTP_INFORMATIONAL_MAX)
        fault = HTTP_FAULT_informational_many;
    if (fault != HTTP_FAULT_none) {
        end_by_fault(c, fault);
        return;
    }
    if (!is_informational) {
        c->is_final_head = true;
        c->is_keep_alive = buf->head.is_keep_alive && c->carrier == NULL;
        begin_body(c, &buf->head, is_end);
    }
    c->ops->on_response(c);
    ASSERT(*is_over || !is_switch || c->is_final_head);
    if (!*is_over && (c->is_final_head || c->carrier != NULL)) /* HTTP/1 reads the next into it */
        put_response(c);
}

/* The same as read_heads() by what carries the exchange. */
static bool take_heads(struct http_client *c, const bool *is_over)
{
    while (!c->is_final_head) {
        bool is_end;
        struct http_head_buf *head = c->carrier->take_head(c->stream, &is_end);
        if (head == NULL)
            return false;
        ASSERT(c->response == NULL);
        c->response = head;
        c->is_response_begun = true;
        take_head(c, is_end, is_over);
        if (*is_over)
            return false;
    }
    return true;
}

/* ASKING: reads heads until the final one. False: more must arrive, or it is over. */
static bool read_heads(struct http_client *c, const bool *is_over)
{
    while (!c->is_final_head) {
        if (stream_readable(c->stream) == 0)
            return false;
        bool is_new = c->response == NULL || c->response->head.status != 0;
        if (is_new && !get_response(c)) {
            end_by_fault(c, HTTP_FAULT_no_head_buffer);
            return false;
        }
        c->response->head.status = 0; /* not parsed yet */
        c->is_response_begun = true;
        enum http_fault fault = HTTP_FAULT_none;
        enum h1_head_state state = h1_head_read(c->response, c->stream, false, &fault);
        if (state == H1_HEAD_BAD)
            end_by_fault(c, fault);
        else if (state == H1_HEAD_WHOLE)
            take_head(c, false, is_over);
        if (state != H1_HEAD_WHOLE || *is_over)
            return false;
    }
    return true;
}

static void on_readable(struct http_client *c, const bool *is_over)
{
    if (c->phase != HTTP_CLIENT_ASKING) {
        bool is_bytes = stream_readable(c->stream) > 0;
        if (is_bytes || stream_is_eof(c->stream))
            end(c, is_bytes ? HTTP_CLIENT_END_IDLE_BYTES : end_reason(c));
        return;
    }
    bool is_final = c->carrier != NULL ? take_heads(c, is_over) : read_heads(c, is_over);
    if (*is_over)
        return;
    if (is_final && c->phase == HTTP_CLIENT_ASKING)
        c->ops->on_body(c);
    else if (!is_final && stream_is_eof(c->stream))
        end(c, end_reason(c));
}

static void on_stream(struct stream *stream, unsigned events)
{
    struct http_client *c = stream->owner;
    ASSERT(c->stream == stream && c->is_over == NULL);
    if ((events & STREAM_CLOSED) != 0) {
        end(c, end_reason(c));
        return;
    }
    bool is_over = false;
    c->is_over = &is_over;
    if ((events & STREAM_WRITABLE) != 0) {
        if (c->phase == HTTP_CLIENT_OPENING)
            c->phase = HTTP_CLIENT_READY;
        if (http_body_out_flush(&c->out, stream, c->env))
            c->ops->on_writable(c);
    }
    if (!is_over && (events & STREAM_READABLE) != 0)
        on_readable(c, &is_over);
    if (!is_over)
        c->is_over = NULL;
}

void http_client_init(struct http_client *c, struct stream *stream, const struct http_env *env,
                      const struct http_client_ops *ops, void *owner)
{
    *c = (struct http_client){.stream = stream, .env = env, .ops = ops, .owner = owner};
    http_body_in_init(&c->in, HTTP_BODY_NONE, 0);
    ASSERT(stream != NULL && ops->on_end != NULL);
    stream->on_event = on_stream;
    stream->owner = c;
}

void http_client_carry(struct http_client *c, struct stream *stream,
                       const struct http_carrier *carrier, const struct http_env *env,
                       const struct http_client_ops *ops, void *owner, bool is_open)
{
    http_client_init(c, stream, env, ops, owner);
    c->carrier = carrier;
    c->phase = is_open ? HTTP_CLIENT_READY : HTTP_CLIENT_OPENING;
}

static void put_request(struct h1_text *t, const struct http_request *r)
{
    ASSERT(r->body != HTTP_BODY_UNTIL_CLOSE && r->path.len > 0);
    ASSERT(!r->is_upgrade || r->body == HTTP_BODY_NONE);
    h1_text_put(t, r->preface);
    h1_text_put(t, r->method);
    h1_text_put(t, SLICE_LIT(" "));
    h1_text_put(t, r->path);
    if (r->has_query) {
        h1_text_put(t, SLICE_LIT("?"));
        h1_text_put(t, r->query);
    }
    h1_text_put(t, SLICE_LIT(" HTTP/1.1\r\nHost: "));
    h1_text_put(t, r->authority);
    h1_text_put(t, SLICE_LIT("\r\n"));
    if (r->is_upgrade)
        h1_text_put(t, SLICE_LIT(H1_UPGRADE));
    else if (r->wants_trailers)
        h1_text_put(t, SLICE_LIT("TE: trailers\r\nConnection: TE\r\n"));
    h1_text_put_fields(t, r->fields, r->n_fields);
    h1_text_put_framing(t, r->body, r->length);
    h1_text_put(t, SLICE_LIT("\r\n"));
}

/* The head as text. */
static bool send_text(struct http_client *c, const struct http_request *r)
{
    struct h1_text t;
    h1_text_init(&t);
    put_request(&t, r);
    return !t.is_full && http_body_out_head(&c->out, c->stream, c->env, slice_of(t.bytes, t.len));
}

bool http_client_send_head(struct http_client *c, const struct http_request *r)
{
    ASSERT(c->phase != HTTP_CLIENT_ASKING && c->response == NULL);
    bool is_carried = c->carrier != NULL;
    if (!(is_carried ? c->carrier->send_request(c->stream, r) : send_text(c, r)))
        return false;
    bool is_unframed = is_carried && r->body == HTTP_BODY_CHUNKED;
    http_body_out_init(&c->out, is_unframed ? HTTP_BODY_UNTIL_CLOSE : r->body, r->length);
    c->phase = HTTP_CLIENT_ASKING;
    c->is_head_request = slice_eq(r->method, SLICE_LIT("HEAD"));
    c->is_final_head = false;
    c->is_response_begun = false;
    c->is_keep_alive = false;
    c->is_switch_asked = r->is_upgrade;
    c->informationals = 0;
    c->fault = HTTP_FAULT_none;
    http_body_in_init(&c->in, HTTP_BODY_NONE, 0);
    c->requests++;
    return true;
}

size_t http_client_write_room(const struct http_client *c)
{
    bool is_waiting = c->out.spill != NULL || c->out.frame_len > 0;
    return is_waiting ? 0 : stream_write_room(c->stream);
}

size_t http_client_write(struct http_client *c, struct slice bytes)
{
    ASSERT(c->phase == HTTP_CLIENT_ASKING);
    return http_body_out_write(&c->out, c->stream, bytes);
}

void http_client_end_request(struct http_client *c)
{
    ASSERT(c->phase == HTTP_CLIENT_ASKING);
    http_body_out_end(&c->out, c->stream);
    if (c->carrier != NULL && !c->is_switch_asked) /* that one may yet have much to say */
        stream_shutdown(c->stream);
}

bool http_client_is_sent(const struct http_client *c)
{
    return c->out.is_ended && c->out.spill == NULL && c->out.frame_len == 0;
}

size_t http_client_body_ready(struct http_client *c)
{
    size_t there = http_body_in_ready(&c->in, c->stream);
    http_body_in_report(&c->in, c->env, true);
    return there;
}

unsigned http_client_body_peek(struct http_client *c, struct slice *ret, unsigned n_max)
{
    return http_body_in_peek(&c->in, c->stream, ret, n_max);
}

void http_client_body_consume(struct http_client *c, size_t bytes)
{
    stream_consume(c->stream, bytes);
    http_body_in_took(&c->in, bytes);
}

bool http_client_body_is_done(const struct http_client *c)
{
    return c->is_final_head && c->in.is_done;
}

enum http_fault http_client_body_fault(const struct http_client *c)
{
    return c->in.fault;
}

void http_client_switch(struct http_client *c)
{
    ASSERT(c->phase == HTTP_CLIENT_ASKING && c->is_switch_asked && !c->is_final_head);
    ASSERT(http_client_is_sent(c));
    c->is_final_head = true;
    http_body_in_init(&c->in, HTTP_BODY_UNTIL_CLOSE, 0);
    http_body_out_init(&c->out, HTTP_BODY_UNTIL_CLOSE, 0);
}

void http_client_refuse_switch(struct http_client *c)
{
    ASSERT(c->is_switch_asked && !c->is_final_head);
    end_by_fault(c, HTTP_FAULT_switching);
}

bool http_client_finish(struct http_client *c)
{
    ASSERT(c->phase == HTTP_CLIENT_ASKING && http_client_body_is_done(c));
    http_body_in_done(&c->in);
    bool is_clean = stream_readable(c->stream) == 0 && !stream_is_eof(c->stream);
    if (!http_client_is_sent(c) || !c->is_keep_alive || !is_clean)
        return false;
    c->phase = HTTP_CLIENT_READY;
    return true;
}

void check_http_client(const struct http_client *c)
{
    ASSERT(c->stream != NULL);
    ASSERT(c->phase == HTTP_CLIENT_ASKING || c->response == NULL);
    ASSERT(!c->is_final_head || c->phase == HTTP_CLIENT_ASKING || c->in.is_done);
    ASSERT(!c->is_final_head || c->is_response_begun);
}
