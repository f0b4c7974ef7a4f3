/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What flows move, and how they end, counted by their routes. A packet adds to one word in a line
 * of its flow that it reads anyway; that word goes to the flow's sums and to the route
 * (core/route_stats.h) now and then: when the way is asked for again, by the flow's timer, and at
 * its end.
 */
#include "l4/l4_priv.h"

/* Empties a side's word. */
static struct l4_moved take(struct l4_lane *lane)
{
    struct l4_moved moved = {lane->counted >> L4_COUNTED_BYTES_BITS,
                             lane->counted & (L4_COUNTED_PACKET - 1)};
    lane->counted = 0;
    return moved;
}

bool l4_count_give(struct l4_flow *flow)
{
    struct l4_moved up = take(&flow->lanes[L4_CLIENT]), down = take(&flow->lanes[L4_SERVER]);
    if (up.packets + down.packets == 0)
        return false;
    flow->moved[L4_CLIENT].packets += up.packets;
    flow->moved[L4_CLIENT].bytes += up.bytes;
    flow->moved[L4_SERVER].packets += down.packets;
    flow->moved[L4_SERVER].bytes += down.bytes;
    route_stats_moved(flow->fwd->core, flow->route,
                      &(struct route_moved){.up_bytes = up.bytes,
                                            .down_bytes = down.bytes,
                                            .up_packets = up.packets,
                                            .down_packets = down.packets});
    return true;
}

/* A flow of UDP that was never answered is no failure: some never are. */
enum stats_route_end l4_count_end_of(const struct l4_flow *flow, enum stat_id why)
{
    bool is_silence = l4_proto_of(flow) == IPPROTO_NUM_UDP || l4_is_carried(flow);
    switch (why) {
    case STAT_l4_end_answered:
        return STATS_ROUTE_END_complete;
    case STAT_l4_end_closed:
    case STAT_l4_end_again:
        return (enum stats_route_end)flow->closed;
    case STAT_l4_end_idle:
        return STATS_ROUTE_END_idle;
    case STAT_l4_end_unanswered:
        return is_silence ? STATS_ROUTE_END_idle : STATS_ROUTE_END_unreached;
    case STAT_l4_end_refused:
        return STATS_ROUTE_END_unreached;
    case STAT_l4_end_half_open:
        return STATS_ROUTE_END_client;
    case STAT_l4_end_shed:
        return STATS_ROUTE_END_refused;
    default:
        return STATS_ROUTE_END_cut;
    }
}
