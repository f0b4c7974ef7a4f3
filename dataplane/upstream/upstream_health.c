/* SPDX-License-Identifier: Apache-2.0 */
/* How requests went, told to what all workers know of an endpoint (core/endpoint_health.h). */
#include "core/endpoint_health.h"
#include "upstream/upstream_priv.h"

void upstream_note(struct upstream *u, const struct upstream_ask *ask,
                   const struct upstream_conn_id *id, bool is_ok)
{
    if (ask->health == NULL || ask->health->failures == 0)
        return;
    const struct endpoint_group *g = endpoint_group_get(u->table, ask->group);
    uint32_t i = g != NULL ? endpoint_group_find(g, &id->addr, id->port) : UINT32_MAX;
    if (i == UINT32_MAX)
        return; /* it is listed no more */
    if (!is_ok)
        stat_inc(u->core, STAT_upstream_failures);
    enum endpoint_noted noted = endpoint_health_note(g, i, is_ok, ask->health, u->core->now_us);
    if (noted == ENDPOINT_NOTED_EJECTED)
        stat_inc(u->core, STAT_upstream_ejected);
    else if (noted == ENDPOINT_NOTED_TOO_MANY)
        stat_inc(u->core, STAT_upstream_not_ejected);
}
