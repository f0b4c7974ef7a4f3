/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows as records, a few a round, for whoever looks from outside: behind those of tcp
 * (tcp/flows.c) in the same dump, with the same bounds. Beside the path.
 */
#include "abi/flow.h"
#include "l4/l4_priv.h"
#include "obs/dump.h"

uint8_t l4_flow_state(const struct l4_flow *flow)
{
    static_assert(L4_CLOSED - L4_OPENING == FLOW_FORWARD_CLOSED - FLOW_FORWARD_OPENING &&
                      L4_HALF - L4_OPENING == FLOW_FORWARD_HALF - FLOW_FORWARD_OPENING,
                  "both lists have one order");
    return (uint8_t)(FLOW_FORWARD_OPENING + l4_state_of(flow));
}

static bool has(const struct control_observe *request, const struct flow_tuple *ends)
{
    return obs_request_has(request, &ends->local, ends->local_port, &ends->remote,
                           ends->remote_port);
}

/* By its ends at either side. */
static bool is_meant(const struct control_observe *request, const struct l4_flow *flow)
{
    return (request->states == 0 || (request->states >> l4_flow_state(flow) & 1) != 0) &&
           (has(request, &flow->sides[L4_CLIENT].in) || has(request, &flow->sides[L4_SERVER].in));
}

static void put_ends(const struct l4_flow *flow, struct observe_forwarded *r)
{
    const struct flow_tuple *client = &flow->sides[L4_CLIENT].in;
    const struct flow_tuple *server = &flow->sides[L4_SERVER].in;
    r->client = client->remote;
    r->client_port = client->remote_port;
    r->vip = client->local;
    r->vip_port = client->local_port;
    r->source = server->local;
    r->source_port = server->local_port;
    r->endpoint = server->remote;
    r->endpoint_port = server->remote_port;
}

static void put(struct l4_flow *flow, struct observe_forwarded *r)
{
    uint32_t silent_ms = l4_flow_silent_ms(flow), kept_ms = l4_flow_kept_ms(flow);
    l4_count_give(flow);
    put_ends(flow, r);
    r->up_packets = flow->moved[L4_CLIENT].packets;
    r->up_bytes = flow->moved[L4_CLIENT].bytes;
    r->down_packets = flow->moved[L4_SERVER].packets;
    r->down_bytes = flow->moved[L4_SERVER].bytes;
    r->age_ms = (uint32_t)((flow->fwd->core->now_us - flow->begin_us) / 1000);
    r->idle_ms = silent_ms;
    r->kept_ms = kept_ms;
    r->ends_ms = silent_ms < kept_ms ? kept_ms - silent_ms : 0;
    r->answer_us = flow->answer_us;
    r->state = l4_flow_state(flow);
    r->protocol = l4_proto_of(flow);
    r->forwarding = flow->sides[L4_CLIENT].way;
    r->syns = flow->syns;
}

/* False: there is no room now. */
static bool tell(struct l4_fwd *f, struct obs_lane *lane, struct l4_flow *flow)
{
    struct obs *obs = &f->core->obs;
    struct observe_forwarded *r =
        obs_take(obs, lane, OBSERVE_RECORD_FORWARDED, sizeof(*r), f->core->now_us);
    if (r == NULL)
        return false;
    *r = (struct observe_forwarded){.head = r->head};
    put(flow, r);
    obs_put(obs, lane, r);
    return true;
}

static enum obs_look look_at(void *owner, struct obs_lane *lane, uint64_t index)
{
    struct l4_fwd *f = owner;
    struct l4_flow *flow = pool_at(&f->flows, (uint32_t)index);
    if (!wheel_timer_is_armed(&flow->timer))
        return OBS_LOOK_EMPTY;
    if (!is_meant(&lane->request, flow))
        return OBS_LOOK_PASSED;
    return tell(f, lane, flow) ? OBS_LOOK_TOLD : OBS_LOOK_FULL;
}

unsigned l4_tell_flows(struct l4_fwd *f, uint64_t first)
{
    struct obs_places places = {.first = first,
                                .n = f->flows.used == 0 ? 0 : f->flows.capacity,
                                .is_last = true,
                                .look = look_at,
                                .owner = f};
    return obs_dump(&f->core->obs, OBSERVE_FLOWS, &places);
}
