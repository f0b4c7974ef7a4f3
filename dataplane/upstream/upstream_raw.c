/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to endpoints that carry one client's bytes, whatever they are. See upstream.h. */
#include "base/assert.h"
#include "upstream/upstream_priv.h"

enum upstream_result upstream_raw_open(struct upstream *u, const struct upstream_ask *ask,
                                       struct upstream_raw *raw, struct stream **ret_stream)
{
    ASSERT(raw->endpoint == NULL);
    stat_inc(u->core, STAT_upstream_asked);
    struct upstream_conn_id id;
    enum upstream_result r = upstream_pick(u, ask, &id);
    if (r != UPSTREAM_OK)
        return upstream_count_failure(u, r);
    if (u->endpoints.used == u->endpoints.capacity && upstream_endpoint_find(u, &id) == NULL)
        upstream_close_oldest_idle(u);
    struct upstream_endpoint *e = upstream_endpoint_get(u, &id);
    if (e == NULL)
        return upstream_count_failure(u, UPSTREAM_NO_CONN);
    e->group = ask->group;
    if (!upstream_dial(u, e, ask, ret_stream)) {
        upstream_endpoint_check_end(u, e);
        return upstream_count_failure(u, UPSTREAM_OPEN_FAILED);
    }
    e->busy++;
    u->core->stats->counters[STAT_upstream_busy_now]++;
    stat_inc(u->core, STAT_upstream_opened);
    raw->endpoint = e;
    return UPSTREAM_OK;
}

const struct upstream_conn_id *upstream_raw_id(const struct upstream_raw *raw)
{
    return raw->endpoint != NULL ? &raw->endpoint->id : NULL;
}

void upstream_raw_close(struct upstream *u, struct upstream_raw *raw)
{
    struct upstream_endpoint *e = raw->endpoint;
    if (e == NULL)
        return;
    ASSERT(e->busy > 0);
    raw->endpoint = NULL;
    e->busy--;
    stat_inc(u->core, STAT_upstream_closed_raw);
    u->core->stats->counters[STAT_upstream_busy_now]--;
    upstream_endpoint_check_end(u, e);
}
