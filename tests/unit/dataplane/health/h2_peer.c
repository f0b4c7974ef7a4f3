/* SPDX-License-Identifier: Apache-2.0 */
/* See h2_peer.h. */
#include "h2_peer.h"

#include "base/assert.h"
#include "unit.h"

#include <nghttp2/nghttp2.h>
#include <string.h>

static int on_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                    void *owner)
{
    struct h2_peer *p = owner;
    size_t at = strlen(p->fields);
    snprintf(p->fields + at, sizeof(p->fields) - at, "%.*s: %.*s\n", (int)name_len,
             (const char *)name, (int)value_len, (const char *)value);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t bytes, void *owner)
{
    struct h2_peer *p = owner;
    REQUIRE(p->message_len + bytes <= sizeof(p->message));
    memcpy(p->message + p->message_len, data, bytes);
    p->message_len += bytes;
    return 0;
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *to, size_t bytes,
                           uint32_t *flags, nghttp2_data_source *source, void *owner)
{
    struct h2_peer *p = owner;
    size_t left = p->answer_len - p->answer_at, n = bytes < left ? bytes : left;
    memcpy(to, p->answer + p->answer_at, n);
    p->answer_at += n;
    if (n < left)
        return (ssize_t)n;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (p->grpc_status != NULL) {
        nghttp2_nv trailer = field("grpc-status", p->grpc_status);
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        REQUIRE(nghttp2_submit_trailer(session, id, &trailer, 1) == 0);
    }
    return (ssize_t)n;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
    static char much[32768];
    struct h2_peer *p = owner;
    int32_t id = frame->hd.stream_id;
    if (id == 0 || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
        return 0;
    if (p->resets) {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
        return 0;
    }
    REQUIRE(p->extra_bytes < sizeof(much));
    memset(much, 'x', p->extra_bytes);
    much[p->extra_bytes] = 0;
    nghttp2_nv hints[] = {field(":status", "103"), field("link", "</x>")};
    nghttp2_nv fields[] = {field(":status", p->http_status),
                           field("content-type", "application/grpc"), field("x-much", much),
                           field("grpc-status", p->grpc_status != NULL ? p->grpc_status : "0")};
    nghttp2_data_provider body = {.read_callback = read_answer};
    bool is_call = strstr(p->fields, ":method: POST\n") != NULL;
    if (!is_call)
        p->grpc_status = NULL; /* there are no trailers */
    if (p->has_hints)
        nghttp2_submit_headers(session, NGHTTP2_FLAG_NONE, id, NULL, hints, 2, NULL);
    bool is_message = p->answer_len > 0;
    nghttp2_submit_response(session, id, fields, is_message || !is_call ? 3 : 4,
                            is_message ? &body : NULL);
    return 0;
}

void h2_peer_init(struct h2_peer *p)
{
    nghttp2_session_callbacks *callbacks;
    REQUIRE(nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_field);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    REQUIRE(nghttp2_session_server_new(&p->session, callbacks, p) == 0);
    nghttp2_session_callbacks_del(callbacks);
    REQUIRE(nghttp2_submit_settings(p->session, NGHTTP2_FLAG_NONE, NULL, 0) == 0);
}

void h2_peer_serve(struct h2_peer *p, struct fake_stream *f)
{
    const uint8_t *bytes;
    ssize_t n;
    struct slice written = fake_stream_written(f);
    if (written.len > 0) {
        REQUIRE(nghttp2_session_mem_recv(p->session, written.ptr, written.len) ==
                (ssize_t)written.len);
        fake_stream_take(f, written.len);
    }
    while ((n = nghttp2_session_mem_send(p->session, &bytes)) > 0)
        fake_stream_push(f, slice_of(bytes, (size_t)n));
}

void h2_peer_done(struct h2_peer *p)
{
    nghttp2_session_del(p->session);
}
