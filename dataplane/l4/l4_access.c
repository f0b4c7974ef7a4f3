/* SPDX-License-Identifier: Apache-2.0 */
/* What the access log is told of a flow when it has ended: see abi/access.h. */
#include "abi/access.h"
#include "l4/l4_priv.h"
#include "obs/filter.h"

#include <string.h>

/* Was there no good end? */
static bool is_error(enum stat_id why)
{
    return why != STAT_l4_end_closed && why != STAT_l4_end_again && why != STAT_l4_end_idle;
}

static void fill(struct access_record *r, const struct l4_fwd *f, const struct l4_flow *flow,
                 enum stat_id why)
{
    const struct flow_tuple *client = &flow->sides[L4_CLIENT].in;
    const struct flow_tuple *server = &flow->sides[L4_SERVER].in;
    r->status = 0;
    r->flags = 0;
    memset(r->text_bytes, 0, sizeof(r->text_bytes));
    r->client = client->remote;
    r->client_port = client->remote_port;
    r->local = client->local;
    r->local_port = client->local_port;
    r->endpoint = server->remote;
    r->endpoint_port = server->remote_port;
    r->end = (uint16_t)why;
    r->tries = 1;
    r->listener = flow->listener;
    r->rule = flow->rule;
    r->backend = flow->backend;
    r->generation = flow->image;
    r->request_bytes = flow->moved[L4_CLIENT].bytes;
    r->response_bytes = flow->moved[L4_SERVER].bytes;
    r->total_us = f->core->now_us - flow->begin_us;
    r->head_us = ACCESS_NO_TIME;
    r->connect_us = flow->answer_us != 0 ? flow->answer_us : ACCESS_NO_TIME;
}

void l4_access_tell(struct l4_fwd *f, const struct l4_flow *flow, enum stat_id why)
{
    struct obs *o = &f->core->obs;
    const struct flow_tuple *client = &flow->sides[L4_CLIENT].in;
    uint32_t chance = (uint32_t)(rng_next(&f->core->rng) >> 32);
    for (struct obs_lane *lane = NULL; (lane = obs_lane_next(o, OBSERVE_REQUESTS, lane)) != NULL;) {
        const struct control_observe *request = &lane->request;
        if (!obs_request_wants(request, is_error(why), chance) ||
            !obs_request_has(request, &client->local, client->local_port, &client->remote,
                             client->remote_port))
            continue;
        struct access_record *r =
            obs_take(o, lane, OBSERVE_RECORD_REQUEST, (uint32_t)sizeof(*r), f->core->now_us);
        if (r == NULL) {
            obs_lose(lane);
            continue;
        }
        fill(r, f, flow, why);
        obs_put(o, lane, r);
    }
}
