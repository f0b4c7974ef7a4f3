/* SPDX-License-Identifier: Apache-2.0 */
/* See health_tls.h. The stream of tls tells nothing before the handshake is done, but its end. */
#include "health/health_tls.h"

#include "base/assert.h"
#include "health/health_priv.h"
#include "tls/tls.h"
#include "tls/tls_crypto.h"

#include <string.h>

static void release(struct health_tls *t)
{
    stream_release(t->stream);
    t->stream = NULL;
}

void health_tls_abort(struct health_tls *t)
{
    ASSERT(t->stream != NULL);
    stream_abort(t->stream);
    release(t);
}

static void judge(struct health_tls *t, enum health_end end)
{
    t->is_judged = true;
    t->ops->on_verdict(t, end);
    stream_shutdown(t->stream);
}

/* The end of a connection without a verdict. Both sides end in good order only after a handshake,
 * so it was done in the same moment. */
static enum health_end end_of(const struct stream *s)
{
    enum stream_end end = stream_end(s);
    return end == STREAM_END_ORDERLY ? HEALTH_END_ok : health_end_of(end);
}

static void throw_away(struct health_tls *t)
{
    size_t n;
    while (t->bytes <= HEALTH_BODY_BYTES_MAX && (n = stream_readable(t->stream)) > 0) {
        stream_consume(t->stream, n);
        t->bytes += n < HEALTH_BODY_BYTES_MAX ? (uint32_t)n : HEALTH_BODY_BYTES_MAX;
    }
}

static void on_event(struct stream *s, unsigned events)
{
    struct health_tls *t = s->owner;
    bool is_closed = (events & STREAM_CLOSED) != 0;
    ASSERT(t->stream == s && (is_closed || tls_is_established(s)));
    if (!t->is_judged)
        judge(t, is_closed ? end_of(s) : HEALTH_END_ok);
    if (!is_closed)
        throw_away(t);
    if (t->bytes > HEALTH_BODY_BYTES_MAX)
        health_tls_abort(t);
    else if (is_closed || stream_is_eof(s))
        release(t);
    if (t->stream == NULL)
        t->ops->on_gone(t);
}

bool health_tls_begin(struct health_tls *t, struct tls_context *context, struct stream *stream,
                      struct core *core, struct slice server_name, const struct health_tls_ops *ops)
{
    char name[IMAGE_SERVER_NAME_BYTES_MAX + 1];
    ASSERT(server_name.len < sizeof(name));
    memcpy(name, server_name.ptr, server_name.len);
    name[server_name.len] = '\0';
    struct stream *s =
        tls_connect(context, stream, &core->wheel, server_name.len > 0 ? name : NULL);
    if (s == NULL)
        return false;
    tls_use_crypto(s, core->crypto);
    *t = (struct health_tls){.stream = s, .ops = ops};
    s->on_event = on_event;
    s->owner = t;
    return true;
}
