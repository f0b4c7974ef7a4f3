/* SPDX-License-Identifier: Apache-2.0 */
/* Heads that go: http/http_carrier.h for a stream of HTTP/2. nghttp2 copies the fields, and makes
 * their names lower case. */
#include "base/assert.h"
#include "http2/h2_priv.h"

#include <string.h>

struct fields {
    size_t n;
    bool is_full;
    nghttp2_nv nv[H2_FIELDS_OUT_MAX];
};

/* Empty. What is not used is not touched: it is large, and one is made for each head. */
static void fields_init(struct fields *f)
{
    f->n = 0;
    f->is_full = false;
}

static void add(struct fields *f, struct slice name, struct slice value, uint8_t flags)
{
    if (f->n == H2_FIELDS_OUT_MAX) {
        f->is_full = true;
        return;
    }
    f->nv[f->n++] = (nghttp2_nv){(uint8_t *)(uintptr_t)name.ptr, (uint8_t *)(uintptr_t)value.ptr,
                                 name.len, value.len, flags};
}

/* What several clients' messages on one connection must not be compared by (RFC 7541, 7.1). */
static bool is_secret(struct slice name)
{
    return slice_eq_nocase(name, SLICE_LIT("authorization")) ||
           slice_eq_nocase(name, SLICE_LIT("cookie")) ||
           slice_eq_nocase(name, SLICE_LIT("set-cookie"));
}

static void add_all(struct fields *f, const struct http_field *fields, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        bool is_hidden = is_secret(fields[i].name);
        add(f, fields[i].name, fields[i].value,
            is_hidden ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE);
    }
}

/* Digits of a number; the bytes are in `text`. */
static struct slice digits(uint64_t v, char text[20])
{
    size_t at = 20;
    do {
        text[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    return slice_of(text + at, 20 - at);
}

/* Sent now if nothing is to follow at once; else with that, or in the loop's next step. */
static void go(struct h2_stream *x, bool is_alone)
{
    if (is_alone)
        h2_session_run(x->session);
    else
        h2_session_schedule(x->session);
}

/* `is_end`: nothing follows, so no source of a body is given. */
static bool submit_response(struct h2_stream *x, const struct fields *f, bool is_final, bool is_end)
{
    nghttp2_session *ng = x->session->ng;
    nghttp2_data_provider body = {.source = {.ptr = x}, .read_callback = h2_read_body};
    if (!is_final)
        return nghttp2_submit_headers(ng, NGHTTP2_FLAG_NONE, x->id, NULL, f->nv, f->n, NULL) == 0;
    if (nghttp2_submit_response(ng, x->id, f->nv, f->n, is_end ? NULL : &body) != 0)
        return false;
    x->is_head_sent = true;
    x->is_end_wanted = is_end;
    return true;
}

static bool send_response(struct stream *stream, const struct http_response *r, struct slice date,
                          bool is_end)
{
    struct h2_stream *x = h2_stream_of(stream);
    bool is_switch = r->status == 101; /* of WebSocket: RFC 8441, section 5 */
    bool is_final = is_switch || r->status >= 200;
    char status[20], length[20];
    struct fields f;
    fields_init(&f);
    if (x->is_closed || x->is_reset)
        return true; /* nobody is there to hear it; STREAM_CLOSED comes */
    add(&f, SLICE_LIT(":status"), digits(is_switch ? 200 : r->status, status), 0);
    for (uint32_t i = 0; i < r->n_fields; i++) {
        if (!is_switch || !slice_eq_nocase(r->fields[i].name, SLICE_LIT("sec-websocket-accept")))
            add_all(&f, &r->fields[i], 1);
    }
    if (date.len > 0)
        add(&f, SLICE_LIT("date"), date, 0);
    bool has_length = is_final && r->body == HTTP_BODY_LENGTH && r->status != 204;
    if (has_length && !(is_end && r->length == 0))
        add(&f, SLICE_LIT("content-length"), digits(r->length, length), 0);
    x->has_length = has_length && !is_end && !r->has_trailers;
    x->left = r->length;
    if (f.is_full || !submit_response(x, &f, is_final, is_end))
        return false;
    go(x, is_end);
    return true;
}

static bool submit_request(struct h2_stream *x, const struct fields *f, bool is_end)
{
    nghttp2_session *ng = x->session->ng;
    nghttp2_data_provider body = {.source = {.ptr = x}, .read_callback = h2_read_body};
    int32_t id = nghttp2_submit_request(ng, NULL, f->nv, f->n, is_end ? NULL : &body, x);
    if (id < 0)
        return false;
    x->id = id;
    x->is_head_sent = true;
    x->is_end_wanted = is_end;
    return true;
}

/* The fields of a request but the pseudo ones; `length` has to stay. */
static void add_request_fields(struct fields *f, const struct http_request *r, char length[20])
{
    for (uint32_t i = 0; i < r->n_fields; i++) { /* the key is HTTP/1.1's (RFC 8441, section 5) */
        if (!r->is_upgrade || !slice_eq_nocase(r->fields[i].name, SLICE_LIT("sec-websocket-key")))
            add_all(f, &r->fields[i], 1);
    }
    if (!r->is_upgrade)
        add(f, SLICE_LIT("te"), SLICE_LIT("trailers"), 0); /* we pass them on */
    if (r->body == HTTP_BODY_LENGTH)
        add(f, SLICE_LIT("content-length"), digits(r->length, length), 0);
}

static bool send_request(struct stream *stream, const struct http_request *r)
{
    struct h2_stream *x = h2_stream_of(stream);
    uint8_t path[HTTP_HEAD_OUT_BYTES_MAX];
    char length[20];
    struct fields f;
    fields_init(&f);
    size_t path_len = r->path.len + (r->has_query ? 1 + r->query.len : 0);
    ASSERT(r->is_upgrade == x->is_connect && x->id == 0);
    if (path_len > sizeof(path) || x->is_closed)
        return false;
    if (r->preface.len > 0 && !h2_session_put_preface(x->session, r->preface))
        return false;
    x->session->is_early |= !x->session->is_open; /* who does not wait (a mirror): TCP keeps it */
    memcpy(path, r->path.ptr, r->path.len);
    if (r->has_query) {
        path[r->path.len] = '?';
        if (r->query.len > 0)
            memcpy(path + r->path.len + 1, r->query.ptr, r->query.len);
    }
    add(&f, SLICE_LIT(":method"), r->is_upgrade ? SLICE_LIT("CONNECT") : r->method, 0);
    if (r->is_upgrade)
        add(&f, SLICE_LIT(":protocol"), SLICE_LIT("websocket"), 0);
    add(&f, SLICE_LIT(":scheme"), x->session->is_tls ? SLICE_LIT("https") : SLICE_LIT("http"), 0);
    add(&f, SLICE_LIT(":authority"), r->authority, 0);
    add(&f, SLICE_LIT(":path"), slice_of(path, path_len), 0);
    add_request_fields(&f, r, length);
    bool is_end = r->body == HTTP_BODY_NONE && !r->is_upgrade;
    if (f.is_full || !submit_request(x, &f, is_end))
        return false;
    go(x, r->body == HTTP_BODY_NONE);
    return true;
}

static struct http_head_buf *take_head(struct stream *stream, bool *ret_is_end)
{
    struct h2_stream *x = h2_stream_of(stream);
    struct http_head_buf *head = x->head;
    *ret_is_end = x->is_head_end;
    x->head = NULL;
    return head;
}

static struct http_head_buf *take_trailers(struct stream *stream)
{
    struct h2_stream *x = h2_stream_of(stream);
    struct http_head_buf *trailers = x->trailers;
    x->trailers = NULL;
    return trailers;
}

static void put_trailers(struct stream *stream, struct http_head_buf *trailers)
{
    struct h2_stream *x = h2_stream_of(stream);
    if (x->trailers != NULL || x->is_end_wanted)
        h2_put_head(x->session->h2, &trailers);
    else
        x->trailers = trailers;
}

bool h2_find_trailer(const struct stream *stream, struct slice name, struct slice *ret_value)
{
    const struct h2_stream *x = h2_stream_of(stream);
    struct slice found, value;
    for (uint32_t at = 0;
         x->trailers != NULL && http_trailers_next(x->trailers, &at, &found, &value);) {
        if (!slice_eq(found, name))
            continue;
        *ret_value = value;
        return true;
    }
    return false;
}

const struct http_carrier h2_carrier = {.send_response = send_response,
                                        .send_request = send_request,
                                        .take_head = take_head,
                                        .take_trailers = take_trailers,
                                        .put_trailers = put_trailers};
