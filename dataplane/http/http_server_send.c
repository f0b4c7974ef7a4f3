/* SPDX-License-Identifier: Apache-2.0 */
/* What a server connection sends: informational, final and own small responses. */
#include "base/assert.h"
#include "http/h1_head.h"
#include "http/http_server_priv.h"

#include <stdio.h>

bool http_server_will_keep(const struct http_server *s)
{
    return s->is_willing && !s->is_closing;
}

static void put_status_line(struct h1_text *t, uint16_t status, struct slice reason)
{
    ASSERT(status >= 100 && status <= 999);
    h1_text_put(t, SLICE_LIT("HTTP/1.1 "));
    h1_text_put_number(t, status);
    h1_text_put(t, SLICE_LIT(" "));
    h1_text_put(t, reason.ptr != NULL ? reason : slice_of_str(http_status_reason(status)));
    h1_text_put(t, SLICE_LIT("\r\n"));
}

static bool has_date(const struct http_response *r)
{
    for (uint32_t i = 0; i < r->n_fields; i++) {
        if (slice_eq_nocase(r->fields[i].name, SLICE_LIT("date")))
            return true;
    }
    return false;
}

/* The Date that is added; empty: the response has one, or there is no clock. */
static struct slice date_for(const struct http_server *s, const struct http_response *r)
{
    bool is_wanted = s->env->date[0] != '\0' && !has_date(r);
    return is_wanted ? slice_of(s->env->date, HTTP_DATE_BYTES - 1) : (struct slice){NULL, 0};
}

/* The whole head. `body` as it will be framed. */
static void put_head(const struct http_server *s, struct h1_text *t, const struct http_response *r,
                     enum http_body body)
{
    put_status_line(t, r->status, r->reason);
    h1_text_put_fields(t, r->fields, r->n_fields);
    struct slice date = date_for(s, r);
    if (date.len > 0) {
        h1_text_put(t, SLICE_LIT("Date: "));
        h1_text_put(t, date);
        h1_text_put(t, SLICE_LIT("\r\n"));
    }
    if (r->status != 204)
        h1_text_put_framing(t, body, r->length);
    if (!http_server_will_keep(s))
        h1_text_put(t, SLICE_LIT("Connection: close\r\n"));
    else if (!s->is_modern)
        h1_text_put(t, SLICE_LIT("Connection: keep-alive\r\n"));
    h1_text_put(t, SLICE_LIT("\r\n"));
}

static bool is_bodiless(const struct http_server *s, uint16_t status)
{
    return s->is_head_request || status == 204 || status == 304;
}

/* How a body of that kind goes to this client; one that ends with the connection closes it. */
static enum http_body choose_body(struct http_server *s, const struct http_response *r)
{
    if (r->body == HTTP_BODY_LENGTH || r->body == HTTP_BODY_NONE)
        return r->body;
    if (s->is_modern)
        return HTTP_BODY_CHUNKED;
    if (!is_bodiless(s, r->status))
        s->is_closing = true;
    return HTTP_BODY_UNTIL_CLOSE;
}

bool http_server_send_informational(struct http_server *s, const struct http_response *r)
{
    ASSERT(s->is_owed && !s->is_head_sent);
    ASSERT(r->status >= 100 && r->status < 200 && r->status != 101);
    if (!s->is_modern)
        return true;
    if (s->carrier != NULL)
        return s->carrier->send_response(s->stream, r, (struct slice){NULL, 0}, false);
    struct h1_text t;
    h1_text_init(&t);
    put_status_line(&t, r->status, r->reason);
    h1_text_put_fields(&t, r->fields, r->n_fields);
    h1_text_put(&t, SLICE_LIT("\r\n"));
    return !t.is_full && http_body_out_head(&s->out, s->stream, s->env, slice_of(t.bytes, t.len));
}

/* 101 as a head. */
static bool send_switch(struct http_server *s, const struct http_response *r)
{
    struct h1_text t;
    h1_text_init(&t);
    put_status_line(&t, r->status, r->reason);
    h1_text_put_fields(&t, r->fields, r->n_fields);
    h1_text_put(&t, SLICE_LIT(H1_UPGRADE "\r\n"));
    return !t.is_full && http_body_out_head(&s->out, s->stream, s->env, slice_of(t.bytes, t.len));
}

bool http_server_switch(struct http_server *s, const struct http_response *r)
{
    ASSERT(s->is_owed && !s->is_head_sent && s->is_modern && r->status == 101);
    ASSERT(http_server_body_is_done(s));
    bool is_sent = s->carrier != NULL
                       ? s->carrier->send_response(s->stream, r, (struct slice){NULL, 0}, false)
                       : send_switch(s, r);
    if (!is_sent)
        return false;
    s->is_head_sent = true;
    s->is_switched = true;
    s->is_closing = true;
    http_body_in_init(&s->in, HTTP_BODY_UNTIL_CLOSE, 0);
    http_body_out_init(&s->out, HTTP_BODY_UNTIL_CLOSE, 0);
    return true;
}

/* As send_final(), by what carries the exchange. */
static bool send_carried(struct http_server *s, const struct http_response *r, struct slice body)
{
    bool is_empty = r->body == HTTP_BODY_NONE || (r->body == HTTP_BODY_LENGTH && r->length == 0);
    bool is_end = s->is_body_dropped || is_empty;
    if (!s->carrier->send_response(s->stream, r, date_for(s, r), is_end))
        return false;
    s->is_head_sent = true;
    http_body_out_init(&s->out, is_end ? HTTP_BODY_NONE : r->body, r->length - body.len);
    return is_end || body.len == 0 || http_body_out_head(&s->out, s->stream, s->env, body);
}

/* Composes and sends the head and, for small answers, the body with it. */
static bool send_final(struct http_server *s, const struct http_response *r, struct slice body)
{
    ASSERT(s->is_owed && !s->is_head_sent && r->status >= 200);
    s->is_body_dropped = is_bodiless(s, r->status);
    if (s->carrier != NULL)
        return send_carried(s, r, body);
    struct h1_text t;
    h1_text_init(&t);
    enum http_body kind = choose_body(s, r);
    put_head(s, &t, r, kind);
    if (!s->is_body_dropped)
        h1_text_put(&t, body);
    if (t.is_full || !http_body_out_head(&s->out, s->stream, s->env, slice_of(t.bytes, t.len)))
        return false;
    s->is_head_sent = true;
    http_body_out_init(&s->out, s->is_body_dropped ? HTTP_BODY_NONE : kind, r->length - body.len);
    return true;
}

bool http_server_send_head(struct http_server *s, const struct http_response *r)
{
    return send_final(s, r, (struct slice){NULL, 0});
}

size_t http_server_write_room(const struct http_server *s)
{
    bool is_waiting = s->out.spill != NULL || s->out.frame_len > 0;
    return is_waiting ? 0 : stream_write_room(s->stream);
}

size_t http_server_write(struct http_server *s, struct slice bytes)
{
    ASSERT(s->is_head_sent && !s->is_finishing);
    return s->is_body_dropped ? bytes.len : http_body_out_write(&s->out, s->stream, bytes);
}

void http_server_answer(struct http_server *s, const struct http_response *r, struct slice body)
{
    ASSERT(body.len <= HTTP_ANSWER_BYTES_MAX);
    http_server_skip_body(s);
    if (!http_server_body_is_done(s))
        s->is_closing = true;
    struct http_response whole = *r;
    whole.body = HTTP_BODY_LENGTH;
    whole.length = body.len;
    if (!send_final(s, &whole, body)) {
        http_server_break_off(s);
        return;
    }
    http_server_finish(s);
}

/* A refusal as a head and its body. */
static bool put_refusal(struct http_server *s, const struct http_response *r, struct slice text)
{
    struct h1_text t;
    h1_text_init(&t);
    put_head(s, &t, r, HTTP_BODY_LENGTH);
    if (!s->is_head_request) /* RFC 9110, 9.3.2 */
        h1_text_put(&t, text);
    ASSERT(!t.is_full);
    return http_body_out_head(&s->out, s->stream, s->env, slice_of(t.bytes, t.len));
}

bool http_server_put_refusal(struct http_server *s, enum http_fault fault)
{
    ASSERT(s->is_closing);
    static const struct http_field type = {{(const uint8_t *)"Content-Type", 12},
                                           {(const uint8_t *)"text/plain", 10}};
    char text[HTTP_FAULT_TEXT_BYTES_MAX];
    int n = snprintf(text, sizeof(text), "%s\n", http_fault_text(fault));
    ASSERT(n > 0 && (size_t)n < sizeof(text));
    struct slice body = slice_of(text, (size_t)n);
    struct http_response r = {.status = http_fault_status(fault),
                              .fields = &type,
                              .n_fields = 1,
                              .body = HTTP_BODY_LENGTH,
                              .length = body.len};
    s->is_body_dropped = s->is_head_request;
    http_body_out_init(&s->out, HTTP_BODY_NONE, 0);
    bool is_sent = s->carrier != NULL ? send_carried(s, &r, body) : put_refusal(s, &r, body);
    s->out.is_ended = true;
    return is_sent;
}
