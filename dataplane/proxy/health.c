/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which outcomes of a try count against its endpoint (HealthPolicy, passive). A failure: it could
 * not be connected to, it ended the connection or broke HTTP's rules before its answer, it did not
 * answer in time, or it said 502, 503 or 504: those that tell of an endpoint that cannot work. Any
 * other answer, 500 too, is of one that does: an application's bug is on every endpoint alike.
 *
 * Nothing is said of an endpoint by what is not its doing: an idle connection that ended as we took
 * it (by HTTP/2: that said goodbye, and refused our stream), no buffer here, a client that went
 * away or was slow. Mirrors do not count: nobody waits for them.
 */
#include "base/assert.h"
#include "proxy/proxy_priv.h"

static void note(struct exchange *e, bool is_ok)
{
    ASSERT(e->backend != NULL && e->target != NULL);
    if (e->target->health == IMAGE_NONE)
        return;
    struct upstream_ask ask = {.group = e->target->group,
                               .health = proxy_health(e->image.view, e->target->health)};
    upstream_note(e->proxy->upstream, &ask, upstream_conn_id(e->backend), is_ok);
}

void health_note_end(struct exchange *e, enum http_client_end end)
{
    const struct http_client *h = upstream_conn_http(e->backend);
    if (e->has_response_head)
        return; /* that was noted */
    bool is_ours = end == HTTP_CLIENT_END_FAULT && h->fault == HTTP_FAULT_no_head_buffer;
    bool is_unasked = end == HTTP_CLIENT_END_NO_RESPONSE || end == HTTP_CLIENT_END_OPEN_FAILED;
    bool is_stale = is_unasked && upstream_conn_is_reused(e->backend);
    bool is_idle = end == HTTP_CLIENT_END_IDLE_CLOSED || end == HTTP_CLIENT_END_IDLE_BYTES;
    if (!is_ours && !is_stale && !is_idle)
        note(e, false);
}

void health_note_status(struct exchange *e, uint16_t status)
{
    if (status >= 200)
        note(e, status < 502 || status > 504);
}

void health_note_timeout(struct exchange *e)
{
    if (!e->has_response_head)
        note(e, false);
}
