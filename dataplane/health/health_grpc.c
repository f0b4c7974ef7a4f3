/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The health service of gRPC (grpc.health.v1, health.proto):
 *
 *   request   { string service = 1; }
 *   answer    { enum status = 1; }, SERVING is 1
 *
 * Each behind five bytes: not compressed (0), length. Anything but SERVING is no.
 */
#include "health/health_grpc.h"

#include "base/assert.h"
#include "health/health_grpc_priv.h"
#include "health/health_priv.h"

#include <string.h>

enum {
    ENVELOPE_BYTES = 5,
    TAG_SERVICE = 1 << 3 | 2, /* field 1, bytes */
    TAG_STATUS = 1 << 3 | 0,  /* field 1, varint */
    SERVING = 1,
    PEEK_SLICES = 8,
};

/* The request's message. */
static void write_request(struct health_grpc *g, struct slice service)
{
    ASSERT(service.len <= IMAGE_GRPC_SERVICE_BYTES_MAX);
    uint8_t *at = g->request + ENVELOPE_BYTES;
    if (service.len > 0) {
        *at++ = TAG_SERVICE;
        if (service.len >= 0x80) /* a varint of two bytes */
            *at++ = (uint8_t)(0x80 | (service.len & 0x7f));
        *at++ = (uint8_t)(service.len >= 0x80 ? service.len >> 7 : service.len);
        memcpy(at, service.ptr, service.len);
        at += service.len;
    }
    g->request_len = (uint32_t)(at - g->request);
    uint32_t bytes = g->request_len - ENVELOPE_BYTES; /* fits 16 bits */
    g->request[3] = (uint8_t)(bytes >> 8);
    g->request[4] = (uint8_t)bytes;
}

static ssize_t read_request(nghttp2_session *session, int32_t id, uint8_t *to, size_t bytes,
                            uint32_t *flags, nghttp2_data_source *source, void *owner)
{
    struct health_grpc *g = owner;
    uint32_t left = g->request_len - g->request_at;
    uint32_t n = bytes < left ? (uint32_t)bytes : left;
    memcpy(to, g->request + g->request_at, n);
    g->request_at += n;
    if (n == left)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t bytes, void *owner)
{
    struct health_grpc *g = owner;
    for (size_t i = 0; i < bytes; i++) {
        if (g->message_len < HEALTH_GRPC_MESSAGE_BYTES_MAX)
            g->message[g->message_len++] = data[i];
    }
    return 0;
}

static uint32_t number_of(const uint8_t *text, size_t bytes)
{
    uint32_t n = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9' || i == 4)
            return UINT32_MAX;
        n = 10 * n + (text[i] - '0');
    }
    return bytes > 0 ? n : UINT32_MAX;
}

static int on_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                    void *owner)
{
    struct health_grpc *g = owner;
    struct slice field = slice_of(name, name_len);
    if (slice_eq(field, SLICE_LIT(":status")))
        g->http_status = number_of(value, value_len);
    else if (slice_eq(field, SLICE_LIT("grpc-status")))
        g->grpc_status = number_of(value, value_len);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *owner)
{
    struct health_grpc *g = owner;
    g->is_closed = true;
    g->error = error;
    return 0;
}

struct nghttp2_session_callbacks *health_grpc_callbacks_new(void)
{
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return NULL;
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_field);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    return callbacks;
}

void health_grpc_callbacks_free(struct nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_del(callbacks);
}

/* Lets go; what was sent still goes out. */
static void release(struct health_grpc *g)
{
    nghttp2_session_del(g->session);
    stream_release(g->stream);
    g->session = NULL;
    g->stream = NULL;
}

void health_grpc_abort(struct health_grpc *g)
{
    ASSERT(g->stream != NULL);
    stream_abort(g->stream);
    release(g);
}

/* Writes what nghttp2 wants to send, as far as there is room. False: it gave up. */
static bool flush(struct health_grpc *g)
{
    for (;;) {
        if (g->out.len == 0) {
            const uint8_t *bytes;
            ssize_t n = nghttp2_session_mem_send(g->session, &bytes);
            if (n <= 0)
                return n == 0;
            g->out = slice_of(bytes, (size_t)n);
        }
        size_t took = stream_write(g->stream, &g->out, 1);
        g->out = slice_skip(g->out, took);
        if (g->out.len > 0)
            return true; /* STREAM_WRITABLE will come */
    }
}

/* Gives nghttp2 what has come. False: it breaks the rules, or takes too much memory. */
static bool feed(struct health_grpc *g)
{
    struct slice v[PEEK_SLICES];
    unsigned n;
    while (!g->is_closed && (n = stream_peek(g->stream, v, PEEK_SLICES)) > 0) {
        size_t used = 0;
        for (unsigned i = 0; i < n; i++) {
            if (nghttp2_session_mem_recv(g->session, v[i].ptr, v[i].len) != (ssize_t)v[i].len)
                return false;
            used += v[i].len;
        }
        stream_consume(g->stream, used);
    }
    return true;
}

/* What the answer says. */
static enum health_end judge(const struct health_grpc *g)
{
    static const uint8_t serving[] = {0, 0, 0, 0, 2, TAG_STATUS, SERVING};
    if (g->error != NGHTTP2_NO_ERROR)
        return HEALTH_END_closed;
    bool is_serving =
        g->message_len == sizeof(serving) && memcmp(g->message, serving, sizeof(serving)) == 0;
    return g->http_status == 200 && g->grpc_status == 0 && is_serving ? HEALTH_END_ok
                                                                      : HEALTH_END_status;
}

static void end(struct health_grpc *g, enum health_end why)
{
    release(g);
    g->on_end(g, why);
}

static void end_by_fault(struct health_grpc *g)
{
    stream_abort(g->stream);
    end(g, HEALTH_END_fault);
}

static void on_event(struct stream *stream, unsigned events)
{
    struct health_grpc *g = stream->owner;
    ASSERT(g->stream == stream);
    if ((events & STREAM_CLOSED) != 0) {
        end(g, health_end_of(stream_end(stream)));
        return;
    }
    if (!feed(g) || !flush(g)) {
        end_by_fault(g);
    } else if (g->is_closed) {
        nghttp2_session_terminate_session(g->session, NGHTTP2_NO_ERROR); /* GOAWAY */
        flush(g);
        stream_shutdown(stream);
        end(g, judge(g));
    } else if (!nghttp2_session_want_read(g->session)) {
        end_by_fault(g); /* nghttp2 has said goodbye for a reason of its own */
    } else if (stream_is_eof(stream)) {
        end(g, HEALTH_END_closed);
    }
}

#define FIELD(name, value)                                                                         \
    {                                                                                              \
        (uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), sizeof(name) - 1,             \
            sizeof(value) - 1, NGHTTP2_NV_FLAG_NONE                                                \
    }

/* Into nghttp2's queue: our settings, and the request. False: no memory. */
static bool submit(struct health_grpc *g, struct slice authority)
{
    /* No table of fields would spare memory, but not every server notices. */
    static const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
    nghttp2_nv fields[] = {
        FIELD(":method", "POST"),
        FIELD(":scheme", "http"),
        FIELD(":path", "/grpc.health.v1.Health/Check"),
        FIELD(":authority", ""),
        FIELD("te", "trailers"),
        FIELD("content-type", "application/grpc"),
        FIELD("user-agent", "sluice-health"),
    };
    fields[3].value = (uint8_t *)(uintptr_t)authority.ptr;
    fields[3].valuelen = authority.len;
    nghttp2_data_provider body = {.read_callback = read_request};
    return nghttp2_submit_settings(g->session, NGHTTP2_FLAG_NONE, settings, array_len(settings)) ==
               0 &&
           nghttp2_submit_request(g->session, NULL, fields, array_len(fields), &body, NULL) > 0;
}

/* The session with all that is to be sent. False: no memory. */
static bool begin(struct health_grpc *g, const struct nghttp2_session_callbacks *callbacks,
                  struct slice authority)
{
    nghttp2_mem mem = health_grpc_memory(g);
    if (nghttp2_session_client_new3(&g->session, callbacks, g, NULL, &mem) != 0)
        return false;
    if (submit(g, authority))
        return true;
    nghttp2_session_del(g->session);
    return false;
}

bool health_grpc_begin(struct health_grpc *g, struct stream *stream, void *memory,
                       const struct nghttp2_session_callbacks *callbacks, struct slice authority,
                       struct slice service, health_grpc_end_fn on_end)
{
    *g = (struct health_grpc){.on_end = on_end, .memory = memory, .grpc_status = UINT32_MAX};
    write_request(g, service);
    if (!begin(g, callbacks, authority))
        return false;
    g->stream = stream;
    stream->on_event = on_event;
    stream->owner = g;
    return true;
}
