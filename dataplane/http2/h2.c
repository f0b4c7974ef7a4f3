/* SPDX-License-Identifier: Apache-2.0 */
/* What all sessions of a worker share. */
#include "http2/h2.h"

#include "base/assert.h"
#include "http2/h2_priv.h"

struct h2 *h2_new(struct core *core, const struct http_env *http, const struct h2_config *config)
{
    struct h2 *h = core_memory(core, sizeof(*h), "HTTP/2");
    *h = (struct h2){.core = core, .http = http, .config = *config};
    core_pool(core, &h->sessions, sizeof(struct h2_session), config->sessions_max,
              "connections of HTTP/2");
    core_pool(core, &h->streams, sizeof(struct h2_stream), config->streams_max,
              "streams of HTTP/2");
    core_pool(core, &h->pieces, sizeof(struct h2_piece), config->pieces_max, "buffers of HTTP/2");
    if (config->session_bytes > 0)
        core_pool(core, &h->blocks, config->session_bytes, config->sessions_max,
                  "memory of connections of HTTP/2");
    int failed = nghttp2_session_callbacks_new(&h->callbacks) | nghttp2_option_new(&h->option);
    ASSERT(failed == 0); /* while the worker is made */
    h2_set_callbacks(h->callbacks);
    nghttp2_option_set_builtin_recv_extension_type(h->option, NGHTTP2_PRIORITY_UPDATE);
    nghttp2_option_set_no_auto_window_update(h->option, 1);
    nghttp2_option_set_peer_max_concurrent_streams(h->option, H2_STREAMS_UNTOLD);
    return h;
}

void h2_done(struct h2 *h)
{
    ASSERT(h->sessions.used == 0 && h->streams.used == 0 && h->pieces.used == 0);
    ASSERT(h->heap_bytes == 0 && h->blocks.used == 0);
    nghttp2_session_callbacks_del(h->callbacks);
    nghttp2_option_del(h->option);
}

size_t h2_used_bytes(const struct h2 *h)
{
    return pool_used_bytes(&h->sessions) + pool_used_bytes(&h->streams) +
           pool_used_bytes(&h->pieces) + pool_used_bytes(&h->blocks) + h->heap_bytes;
}
