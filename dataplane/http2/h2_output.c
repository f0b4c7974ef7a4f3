/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From nghttp2 to the lower stream. Small frames are gathered, so that they go down in one write,
 * which over TLS is one record; the bytes of a body go down from where they are, behind their
 * frame's header. What the lower stream does not take waits in `spill`, and nothing more is asked
 * of nghttp2 until that is gone: so the lower stream always has a reason to tell us of room, and
 * what waits is never more than two frames.
 */
#include "base/assert.h"
#include "base/minmax.h"
#include "http2/h2_priv.h"

#include <string.h>

/* Slices of one write: what was gathered, a frame's header, and pieces of a body. */
enum { BODY_SLICES_MAX = 8, SLICES_MAX = 2 + BODY_SLICES_MAX };

/* What is left of `v` after the first `skip` bytes waits. */
static void spill(struct h2_session *s, const struct slice *v, unsigned n, size_t skip, size_t left)
{
    ASSERT(s->spill == NULL && left > 0);
    s->spill = h2_take(s, left);
    s->spill_at = 0;
    s->spill_len = 0;
    if (s->spill == NULL) {
        h2_session_doom(s, H2_WHY_MEMORY);
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        size_t here = min64(skip, v[i].len);
        struct slice rest = slice_skip(v[i], here);
        skip -= here;
        if (rest.len > 0)
            memcpy(s->spill + s->spill_len, rest.ptr, rest.len);
        s->spill_len += rest.len;
    }
    ASSERT(s->spill_len == left);
}

/* A frame that nghttp2 gives in one call with the body that did not fit: the end of another stream,
 * which has no bytes of its own. */
static void spill_more(struct h2_session *s, struct slice v)
{
    struct slice waiting[] = {slice_of(s->spill + s->spill_at, s->spill_len - s->spill_at), v};
    uint8_t *had = s->spill;
    s->spill = NULL;
    spill(s, waiting, 2, 0, waiting[0].len + v.len);
    h2_give(s, had);
}

/* Writes what was gathered, and these behind it. */
static void write_out(struct h2_session *s, struct slice *v, unsigned n)
{
    struct slice all[SLICES_MAX];
    unsigned n_all = 0;
    size_t bytes = 0;
    if (s->gather_len > 0)
        all[n_all++] = slice_of(s->gather, s->gather_len);
    for (unsigned i = 0; i < n; i++)
        all[n_all++] = v[i];
    for (unsigned i = 0; i < n_all; i++)
        bytes += all[i].len;
    s->gather_len = 0;
    size_t taken = bytes > 0 ? stream_write(s->lower, all, n_all) : 0;
    ASSERT(taken <= bytes);
    if (taken < bytes)
        spill(s, all, n_all, taken, bytes - taken);
}

/* A frame that is no body. */
static void put(struct h2_session *s, struct slice v)
{
    if (s->spill != NULL) {
        spill_more(s, v);
        return;
    }
    if (v.len > H2_GATHER_BYTES - s->gather_len) {
        write_out(s, &v, 1);
        return;
    }
    memcpy(s->gather + s->gather_len, v.ptr, v.len);
    s->gather_len += v.len;
}

/* False: something still waits. */
static bool flush_spill(struct h2_session *s)
{
    if (s->spill == NULL)
        return true;
    struct slice v = slice_of(s->spill + s->spill_at, s->spill_len - s->spill_at);
    s->spill_at += stream_write(s->lower, &v, 1);
    if (s->spill_at < s->spill_len)
        return false;
    h2_give(s, s->spill);
    s->spill = NULL;
    return true;
}

size_t h2_room(const struct h2_session *s)
{
    if (s->lower == NULL || s->spill != NULL)
        return 0;
    size_t below = stream_write_room(s->lower);
    size_t used = s->gather_len + H2_FRAME_HEADER_BYTES;
    return below > used + H2_DATA_BYTES_MIN ? below - used : H2_DATA_BYTES_MIN;
}

void h2_flush(struct h2_session *s)
{
    uint8_t gather[H2_GATHER_BYTES];
    if (s->lower == NULL || !(s->is_open || s->is_early) || s->gather != NULL || !flush_spill(s))
        return;
    s->gather = gather;
    while (s->spill == NULL) {
        const uint8_t *bytes;
        ssize_t n = nghttp2_session_mem_send(s->ng, &bytes);
        if (n < 0)
            h2_session_doom(s, H2_WHY_MEMORY);
        if (n <= 0)
            break;
        put(s, slice_of(bytes, (size_t)n));
    }
    if (s->spill == NULL)
        write_out(s, NULL, 0);
    s->gather = NULL;
}

/* The end of a body: with trailers, it is theirs. */
static void end_body(struct h2_stream *x, uint32_t *flags)
{
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (x->trailers == NULL)
        return;
    nghttp2_nv fields[HTTP_FIELDS_MAX];
    struct slice name, value;
    size_t n = 0;
    for (uint32_t at = 0;
         n < HTTP_FIELDS_MAX && http_trailers_next(x->trailers, &at, &name, &value);)
        fields[n++] = (nghttp2_nv){(uint8_t *)(uintptr_t)name.ptr, (uint8_t *)(uintptr_t)value.ptr,
                                   name.len, value.len, NGHTTP2_NV_FLAG_NONE};
    if (n > 0 && nghttp2_submit_trailer(x->session->ng, x->id, fields, n) == 0)
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    h2_put_head(x->session->h2, &x->trailers);
}

/* How much of what is to be written goes into one frame. */
static size_t frame_bytes(const struct h2_stream *x)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < x->n_pending && i < BODY_SLICES_MAX; i++)
        bytes += x->pending[i].len;
    return bytes - (bytes > 0 ? x->pending_at : 0);
}

ssize_t h2_read_body(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t length, uint32_t *flags,
                     nghttp2_data_source *source, void *user)
{
    struct h2_stream *x = source->ptr;
    bool is_pending = x->pending_bytes > 0;
    size_t most = is_pending ? min64(min64(length, frame_bytes(x)), x->pending_bytes) : 0;
    size_t n = min64(most, h2_room(x->session));
    if (!is_pending && x->is_end_wanted) {
        end_body(x, flags);
        return 0;
    }
    if (n == 0)
        return NGHTTP2_ERR_DEFERRED;
    if (x->has_length && x->left == n)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    return (ssize_t)n;
}

/* The next of what is to be written, at most `bytes`; taken off. */
static struct slice take_pending(struct h2_stream *x, size_t bytes)
{
    struct slice v = slice_skip(x->pending[0], x->pending_at);
    if (v.len > bytes)
        v.len = bytes;
    x->pending_at += v.len;
    x->pending_bytes -= v.len;
    if (x->pending_at == x->pending[0].len) {
        x->pending++;
        x->n_pending--;
        x->pending_at = 0;
    }
    return v;
}

int h2_send_body(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *header, size_t length,
                 nghttp2_data_source *source, void *user)
{
    struct h2_stream *x = source->ptr;
    struct slice v[SLICES_MAX - 1] = {slice_of(header, H2_FRAME_HEADER_BYTES)};
    unsigned n = 1;
    ASSERT(frame->data.padlen == 0 && length <= x->pending_bytes);
    if (x->has_length)
        x->left -= min64(x->left, length);
    while (length > 0) {
        ASSERT(n < array_len(v));
        v[n] = take_pending(x, length);
        length -= v[n++].len;
    }
    write_out(x->session, v, n);
    return 0;
}
