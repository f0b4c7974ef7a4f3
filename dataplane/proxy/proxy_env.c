/* SPDX-License-Identifier: Apache-2.0 */
/* What http needs of a worker: pooled head buffers, and a counter for each fault. */
#include "base/assert.h"
#include "proxy/proxy_priv.h"

/*
 * When none is left, whoever has been at his head longest loses his: heads that come whole, as
 * those of nearly all requests do, hold one for no time, so thousands of clients that send theirs
 * byte by byte cannot keep others out. His refusal may want the buffer back, for what his window
 * does not take; so nobody else's is taken meanwhile.
 */
static struct http_head_buf *head_get(void *owner)
{
    struct proxy *p = owner;
    if (p->head_bufs.used == p->head_bufs.capacity && !p->is_shedding) {
        p->is_shedding = true;
        proxy_conn_shed_head(p);
        p->is_shedding = false;
    }
    return pool_get(&p->head_bufs);
}

/* What may be left out gets none that a head could need. */
static struct http_head_buf *spare_get(void *owner)
{
    struct proxy *p = owner;
    if (p->head_bufs.used < p->head_bufs.capacity / 2)
        return pool_get(&p->head_bufs);
    stat_inc(p->core, STAT_proxy_trailers_dropped);
    return NULL;
}

static void head_put(void *owner, struct http_head_buf *buf)
{
    struct proxy *p = owner;
    pool_put(&p->head_bufs, buf);
}

enum stat_id proxy_fault_stat(enum http_fault fault, bool is_backend)
{
    static const enum stat_id counters[][2] = {
#define STAT_http_refused_none STAT_COUNT
#define STAT_http_backend_refused_none STAT_COUNT
#define X(name, status, text) {STAT_http_refused_##name, STAT_http_backend_refused_##name},
        HTTP_FAULT_LIST(X)
#undef X
#undef STAT_http_refused_none
#undef STAT_http_backend_refused_none
    };
    ASSERT(fault != HTTP_FAULT_none && (unsigned)fault < array_len(counters));
    return counters[fault][is_backend];
}

static void on_fault(void *owner, enum http_fault fault, bool is_backend)
{
    struct proxy *p = owner;
    stat_inc(p->core, proxy_fault_stat(fault, is_backend));
}

void proxy_env_init(struct proxy *p)
{
    p->env = (struct http_env){.head_get = head_get,
                               .head_put = head_put,
                               .spare_get = spare_get,
                               .on_fault = on_fault,
                               .owner = p};
}
