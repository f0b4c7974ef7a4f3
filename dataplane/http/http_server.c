/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server connection's phases and events. The rules are in http_server.h; what is sent is in
 * http_server_send.c.
 *
 * A callback may end the connection and free it. So each entry from outside puts a flag on its own
 * stack (s->is_over), which whoever ends the connection sets; after each callback it is looked at
 * before `s` is touched again.
 */
#include "http/http_server.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/minmax.h"
#include "http/h1_head.h"
#include "http/http_server_priv.h"
#include "http/http_trailers.h"

static void set_phase(struct http_server *s, enum http_server_phase phase)
{
    if (s->phase == phase)
        return;
    s->phase = phase;
    if (s->ops->on_phase != NULL)
        s->ops->on_phase(s, phase);
}

static void put_request(struct http_server *s)
{
    if (s->request == NULL)
        return;
    s->env->head_put(s->env->owner, s->request);
    s->request = NULL;
}

/* Gives everything back, and tells whoever runs below us on the stack. */
static void let_go(struct http_server *s)
{
    ASSERT(s->stream != NULL);
    put_request(s);
    http_body_in_done(&s->in);
    http_body_out_done(&s->out, s->env);
    stream_release(s->stream);
    s->stream = NULL;
    if (s->is_over != NULL)
        *s->is_over = true;
}

/* Ends it with a callback, after which `s` may be gone. */
static void end(struct http_server *s, enum http_server_end why)
{
    bool was_owed = s->is_owed;
    s->end = why;
    let_go(s);
    s->ops->on_end(s, was_owed);
}

void http_server_abort(struct http_server *s)
{
    stream_abort(s->stream);
    let_go(s);
}

void http_server_break_off(struct http_server *s)
{
    s->is_broken_off = true;
    stream_abort(s->stream);
}

/* Does what came of a head begin as one of HEAD? */
static bool begins_with_head(const struct http_head_buf *request)
{
    struct slice method = SLICE_LIT("HEAD ");
    return request != NULL && slice_has_prefix(slice_of(request->bytes, request->len), method);
}

void http_server_refuse(struct http_server *s, enum http_fault fault)
{
    ASSERT(fault != HTTP_FAULT_none && !s->is_owed);
    s->env->on_fault(s->env->owner, fault, false);
    if (s->ops->on_refusal != NULL)
        s->ops->on_refusal(s, fault);
    s->is_closing = true;
    s->is_head_request = begins_with_head(s->request); /* its sender waits for no content */
    put_request(s);                                    /* else what it says is not to be believed */
    s->is_modern = false;
    s->is_willing = false;
    set_phase(s, HTTP_SERVER_EXCHANGE);
    if (!http_server_put_refusal(s, fault))
        end(s, HTTP_SERVER_END_broken_off);
    else
        s->is_finishing = true;
}

/* Does the connection begin as one of HTTP/2 does, as far as it came? *ret_whole: all of it is
 * there. */
static bool begins_with_preface(struct http_server *s, bool *ret_whole)
{
    struct slice preface = SLICE_LIT(HTTP_H2_PREFACE);
    struct slice v[sizeof(HTTP_H2_PREFACE)];
    unsigned n = stream_peek(s->stream, v, array_len(v));
    for (unsigned i = 0; i < n && preface.len > 0; i++) {
        size_t part = min64(v[i].len, preface.len);
        if (memcmp(v[i].ptr, preface.ptr, part) != 0)
            return false;
        preface = slice_skip(preface, part);
    }
    *ret_whole = preface.len == 0;
    return true;
}

/* The first bytes of a connection: of HTTP/2? True: they are, or may be when more of them come. */
static bool is_h2(struct http_server *s)
{
    bool is_whole;
    bool can_be = s->ops->on_preface != NULL && s->requests == 0 && s->request == NULL;
    bool is_agreed = can_be && s->ops->is_h2_agreed(s);
    if (!can_be || (!is_agreed && !begins_with_preface(s, &is_whole)))
        return false;
    if (is_agreed || is_whole)
        s->ops->on_preface(s);
    else
        set_phase(s, HTTP_SERVER_HEAD);
    return is_agreed || is_whole || !stream_is_eof(s->stream);
}

/* IDLE or HEAD: takes what is there of a head. False: nothing more to do now. */
static bool read_head(struct http_server *s)
{
    if (stream_readable(s->stream) == 0) {
        if (!stream_is_eof(s->stream))
            return false;
        if (s->phase == HTTP_SERVER_IDLE)
            end(s, HTTP_SERVER_END_client);
        else
            http_server_refuse(s, HTTP_FAULT_head_cut);
        return true;
    }
    if (is_h2(s))
        return false;
    if (s->request == NULL) {
        s->request = s->env->head_get(s->env->owner);
        if (s->request == NULL) {
            http_server_refuse(s, HTTP_FAULT_no_head_buffer);
            return true;
        }
        s->request->len = 0;
        s->request->scanned = 0;
        s->request->is_skipped = false;
    }
    enum http_fault fault = HTTP_FAULT_none;
    enum h1_head_state state = h1_head_read(s->request, s->stream, true, &fault);
    if (state == H1_HEAD_PARTIAL) {
        set_phase(s, HTTP_SERVER_HEAD);
        return stream_is_eof(s->stream);
    }
    if (state == H1_HEAD_WHOLE)
        fault = http_parse_request(s->request->bytes, s->request->len, &s->request->head);
    if (fault != HTTP_FAULT_none)
        http_server_refuse(s, fault);
    else
        http_server_begin(s);
    return true;
}

void http_server_begin(struct http_server *s)
{
    ASSERT(s->request != NULL && !s->is_owed && !s->is_finishing);
    const struct http_head *head = &s->request->head;
    bool is_framed = s->carrier == NULL || head->body == HTTP_BODY_NONE;
    http_body_in_init(&s->in, is_framed ? head->body : HTTP_BODY_UNTIL_CLOSE, head->length);
    if (is_framed)
        http_body_in_keep_trailers(&s->in, s->env);
    s->is_owed = true;
    s->wants_trailers = http_wants_trailers(head);
    s->is_head_request = head->method == HTTP_HEAD;
    s->is_modern = head->version_minor > 0;
    s->is_willing = head->is_keep_alive;
    s->is_head_sent = false;
    s->is_body_dropped = false;
    s->requests++;
    set_phase(s, HTTP_SERVER_EXCHANGE);
    s->ops->on_request(s);
}

/* DRAIN: throws away what comes, until the peer ends too; what is too much is left where it is. */
static void drain(struct http_server *s)
{
    size_t n;
    while ((n = stream_readable(s->stream)) > 0 && s->drained_bytes < HTTP_DRAIN_BYTES_MAX) {
        stream_consume(s->stream, n);
        s->drained_bytes = (uint32_t)min64(s->drained_bytes + n, HTTP_DRAIN_BYTES_MAX);
    }
    if (n == 0 && stream_is_eof(s->stream))
        end(s, HTTP_SERVER_END_client);
}

void http_server_skip_body(struct http_server *s)
{
    size_t n;
    size_t skipped = 0;
    while (skipped < HTTP_DRAIN_BYTES_MAX && (n = http_server_body_ready(s)) > 0) {
        http_server_body_consume(s, n);
        skipped += n;
    }
}

/* The response is complete. False: what is left of it waits for room, or it is over. */
static bool finish_exchange(struct http_server *s)
{
    if (!http_body_out_flush(&s->out, s->stream, s->env))
        return false;
    if (s->carrier != NULL) {
        s->is_owed = false;
        stream_shutdown(s->stream);
        end(s, HTTP_SERVER_END_client);
        return false;
    }
    http_server_skip_body(s);
    if (!http_server_body_is_done(s) || !http_server_will_keep(s))
        s->is_closing = true;
    s->is_finishing = false;
    s->is_owed = false;
    put_request(s);
    http_body_in_done(&s->in);
    http_body_in_init(&s->in, HTTP_BODY_NONE, 0);
    if (s->is_closing) {
        stream_shutdown(s->stream);
        set_phase(s, HTTP_SERVER_DRAIN);
    } else {
        set_phase(s, HTTP_SERVER_IDLE);
        stream_rest(s->stream);
    }
    return true;
}

/* Goes on as far as it can without the owner. */
static void run(struct http_server *s, bool *is_over)
{
    bool is_going = true;
    while (is_going && !*is_over) {
        if (s->is_finishing) {
            is_going = finish_exchange(s);
        } else if (s->phase == HTTP_SERVER_IDLE || s->phase == HTTP_SERVER_HEAD) {
            is_going = read_head(s);
        } else {
            if (s->phase == HTTP_SERVER_DRAIN)
                drain(s);
            is_going = false;
        }
    }
}

/* Enters from outside; returns false when an entry is under way already, which will go on. */
static void enter(struct http_server *s)
{
    if (s->is_over != NULL)
        return;
    bool is_over = false;
    s->is_over = &is_over;
    run(s, &is_over);
    if (!is_over)
        s->is_over = NULL;
}

/* What the end of the stream means for the connection. */
static enum http_server_end end_reason(const struct http_server *s)
{
    bool is_idle = s->phase == HTTP_SERVER_IDLE || s->phase == HTTP_SERVER_DRAIN;
    if (s->is_broken_off)
        return HTTP_SERVER_END_broken_off;
    if ((is_idle || s->is_switched) && stream_end(s->stream) == STREAM_END_ORDERLY)
        return HTTP_SERVER_END_client;
    return is_idle ? HTTP_SERVER_END_lost_idle : HTTP_SERVER_END_lost_busy;
}

/* Events of an exchange that the owner works on. */
static void pass_on(struct http_server *s, unsigned events, const bool *is_over)
{
    if ((events & STREAM_WRITABLE) != 0 && http_body_out_flush(&s->out, s->stream, s->env) &&
        !s->is_finishing)
        s->ops->on_writable(s);
    if (!*is_over && (events & STREAM_READABLE) != 0 && s->phase == HTTP_SERVER_EXCHANGE &&
        !s->is_finishing)
        s->ops->on_body(s);
}

static void on_stream(struct stream *stream, unsigned events)
{
    struct http_server *s = stream->owner;
    ASSERT(s->stream == stream && s->is_over == NULL);
    if ((events & STREAM_CLOSED) != 0) {
        end(s, end_reason(s));
        return;
    }
    bool is_over = false;
    s->is_over = &is_over;
    if (s->phase == HTTP_SERVER_EXCHANGE)
        pass_on(s, events, &is_over);
    run(s, &is_over);
    if (!is_over)
        s->is_over = NULL;
}

void http_server_init(struct http_server *s, struct stream *stream, const struct http_env *env,
                      const struct http_server_ops *ops, void *owner)
{
    *s = (struct http_server){.stream = stream, .env = env, .ops = ops, .owner = owner};
    http_body_in_init(&s->in, HTTP_BODY_NONE, 0);
    ASSERT(stream != NULL && ops->on_request != NULL && ops->on_end != NULL);
    stream->on_event = on_stream;
    stream->owner = s;
    stream_rest(stream);
}

/* How long the body is only its end tells, where its sender did not say. */
static void set_carried_body(struct http_head *head, bool is_end)
{
    bool is_open = !is_end && head->body == HTTP_BODY_NONE && !head->is_upgrade_asked;
    if (is_open)
        head->body = HTTP_BODY_CHUNKED;
    else if (is_end)
        head->body = HTTP_BODY_NONE;
}

void http_server_carry(struct http_server *s, struct stream *stream,
                       const struct http_carrier *carrier, const struct http_env *env,
                       const struct http_server_ops *ops, void *owner,
                       struct http_head_buf *request, enum http_fault fault, bool is_end)
{
    bool is_over = false;
    *s = (struct http_server){.stream = stream,
                              .carrier = carrier,
                              .env = env,
                              .ops = ops,
                              .owner = owner,
                              .request = request,
                              .is_over = &is_over};
    http_body_in_init(&s->in, HTTP_BODY_NONE, 0);
    ASSERT(stream != NULL && ops->on_request != NULL && ops->on_end != NULL && request != NULL);
    stream->on_event = on_stream;
    stream->owner = s;
    if (fault == HTTP_FAULT_none)
        fault = http_parse_request(request->bytes, request->len, &request->head);
    if (fault == HTTP_FAULT_none) {
        request->head.is_h2 = true;
        set_carried_body(&request->head, is_end);
        http_server_begin(s);
    } else {
        http_server_refuse(s, fault);
    }
    if (!is_over)
        run(s, &is_over);
    if (!is_over)
        s->is_over = NULL;
}

void http_server_finish(struct http_server *s)
{
    ASSERT(s->is_owed && s->is_head_sent && !s->is_finishing);
    if (s->is_body_dropped)
        s->out.is_ended = true;
    if (!s->out.is_ended && s->out.left > 0) { /* shorter than announced: never faked as whole */
        http_server_break_off(s);
        return;
    }
    if (!s->out.is_ended)
        http_body_out_end(&s->out, s->stream);
    s->is_finishing = true;
    enter(s);
}

void http_server_close(struct http_server *s)
{
    s->is_closing = true;
    if (s->phase != HTTP_SERVER_IDLE || s->is_over != NULL)
        return;
    stream_shutdown(s->stream);
    set_phase(s, HTTP_SERVER_DRAIN);
    enter(s);
}

/* From outside, in HEAD. */
static void refuse_head(struct http_server *s, enum http_fault fault)
{
    ASSERT(s->is_over == NULL && s->phase == HTTP_SERVER_HEAD);
    bool is_over = false;
    s->is_over = &is_over;
    http_server_refuse(s, fault);
    if (!is_over)
        run(s, &is_over);
    if (!is_over)
        s->is_over = NULL;
}

void http_server_shed_head(struct http_server *s)
{
    refuse_head(s, HTTP_FAULT_head_slow);
}

void http_server_timeout(struct http_server *s)
{
    ASSERT(s->is_over == NULL);
    if (s->phase == HTTP_SERVER_IDLE) {
        http_server_close(s);
    } else if (s->phase == HTTP_SERVER_HEAD) {
        refuse_head(s, HTTP_FAULT_head_timeout);
    } else if (s->phase == HTTP_SERVER_DRAIN) {
        bool was_too_much = s->drained_bytes == HTTP_DRAIN_BYTES_MAX;
        end(s, was_too_much ? HTTP_SERVER_END_drain_bytes : HTTP_SERVER_END_drain_timeout);
    }
}

struct stream *http_server_leave(struct http_server *s)
{
    struct stream *stream = s->stream;
    ASSERT(s->request == NULL && s->out.spill == NULL && !s->is_owed && s->is_over != NULL);
    s->stream = NULL;
    *s->is_over = true;
    return stream;
}

void http_server_drop_head(struct http_server *s)
{
    ASSERT(s->phase == HTTP_SERVER_EXCHANGE);
    put_request(s);
}

size_t http_server_body_ready(struct http_server *s)
{
    size_t there = http_body_in_ready(&s->in, s->stream);
    http_body_in_report(&s->in, s->env, false);
    return there;
}

unsigned http_server_body_peek(struct http_server *s, struct slice *ret, unsigned n_max)
{
    return http_body_in_peek(&s->in, s->stream, ret, n_max);
}

void http_server_body_consume(struct http_server *s, size_t bytes)
{
    stream_consume(s->stream, bytes);
    http_body_in_took(&s->in, bytes);
}

bool http_server_body_is_done(const struct http_server *s)
{
    return s->in.is_done;
}

enum http_fault http_server_body_fault(const struct http_server *s)
{
    return s->in.fault;
}

void check_http_server(const struct http_server *s)
{
    ASSERT(s->stream != NULL);
    ASSERT(s->request != NULL || s->phase != HTTP_SERVER_HEAD || s->ops->on_preface != NULL);
    ASSERT(!s->is_owed || s->phase == HTTP_SERVER_EXCHANGE);
    ASSERT(s->phase != HTTP_SERVER_IDLE || (s->request == NULL && s->out.spill == NULL));
    ASSERT(!s->is_finishing || s->phase == HTTP_SERVER_EXCHANGE);
}
