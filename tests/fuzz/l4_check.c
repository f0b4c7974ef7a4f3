/* SPDX-License-Identifier: Apache-2.0 */
/* Flows, their places in tables, their lists and timers. */
#include "l4_check.h"

#include "base/assert.h"
#include "base/container.h"
#include "l4/l4_priv.h"

#include <string.h>

/* What was counted of all flows. */
struct sums {
    uint32_t clients;
    uint32_t servers;
    uint32_t natted;
    uint32_t opening;
    uint32_t usual; /* lanes that the shortcut takes packets of */
};

/* What the shortcut goes by is what the flow is. */
static void check_lane(const struct l4_flow *flow, enum l4_side_index from)
{
    const struct l4_lane *lane = &flow->lanes[from];
    const struct flow_tuple *in = &flow->sides[from].in, *out = &flow->sides[!from].in;
    be16_t in_ports[2] = {be16(in->remote_port), be16(in->local_port)};
    be16_t out_ports[2] = {be16(out->local_port), be16(out->remote_port)};
    const uint8_t *comes = (const void *)&lane->in_addresses;
    const uint8_t *leaves = (const void *)&lane->out_addresses;
    ASSERT(lane == &flow->fwd->lanes[2 * pool_index(&flow->fwd->flows, flow) + from]);
    ASSERT(lane->proto == l4_proto_of(flow));
    if (lane->usual_max == 0)
        return;
    ASSERT(l4_state_of(flow) == L4_OPEN && !l4_is_carried(flow) && !l4_is_spliced(flow));
    ASSERT(lane->has_hop && ip_addr_is_v4(&in->remote) && ip_addr_is_v4(&out->remote));
    ASSERT(memcmp(comes, &in->remote.bytes[12], 4) == 0);
    ASSERT(memcmp(comes + 4, &in->local.bytes[12], 4) == 0);
    ASSERT(memcmp(leaves, &out->local.bytes[12], 4) == 0);
    ASSERT(memcmp(leaves + 4, &out->remote.bytes[12], 4) == 0);
    ASSERT(memcmp(&lane->in_ports, in_ports, 4) == 0);
    ASSERT(memcmp(&lane->out_ports, out_ports, 4) == 0);
}

static void check_flow(const struct l4_fwd *f, const struct l4_flow *flow)
{
    const struct flow_tuple *client = &flow->sides[L4_CLIENT].in;
    const struct flow_tuple *server = &flow->sides[L4_SERVER].in;
    ASSERT(flow->fwd == f && wheel_timer_is_armed(&flow->timer));
    ASSERT(list_is_linked(&flow->opening) == (l4_state_of(flow) == L4_OPENING));
    ASSERT(ip_addr_is_v4(&client->local) == ip_addr_is_v4(&client->remote));
    ASSERT(ip_addr_is_v4(&server->local) == ip_addr_is_v4(&server->remote));
    ASSERT(server->remote_port != 0 && (server->local_port != 0) == !l4_is_carried(flow));
    ASSERT(flow->lanes[L4_CLIENT].cksum_delta == l4_cksum_delta(client, server));
    ASSERT(flow->lanes[L4_SERVER].cksum_delta == l4_cksum_delta(server, client));
    check_lane(flow, L4_CLIENT);
    check_lane(flow, L4_SERVER);
    ASSERT(flow->sides[L4_CLIENT].way < IMAGE_FORWARDINGS &&
           flow->sides[L4_CLIENT].way != IMAGE_FORWARDING_PROXY);
}

static void check_entry(const struct l4_fwd *f, const struct flow_table *t, flow_entry_t e,
                        struct sums *sums)
{
    const struct l4_flow *flow = pool_at(&f->flows, flow_entry_index(e));
    enum l4_side_index side = flow_entry_mark(e) ? L4_SERVER : L4_CLIENT;
    const struct flow_tuple *tuple = &flow->sides[side].in;
    ASSERT(flow_entry_generation(e) == flow->generation);
    ASSERT(t == &f->tables[l4_proto_of(flow) == IPPROTO_NUM_UDP]);
    ASSERT(flow_table_find(t, flow_table_hash(t, tuple), tuple).v == e.v);
    if (side == L4_SERVER) {
        ASSERT(!l4_is_carried(flow));
        sums->servers++;
        return;
    }
    check_flow(f, flow);
    sums->clients++;
    sums->natted += !l4_is_carried(flow);
    sums->opening += l4_state_of(flow) == L4_OPENING;
    sums->usual +=
        (flow->lanes[L4_CLIENT].usual_max != 0) + (flow->lanes[L4_SERVER].usual_max != 0);
}

void check_l4_deep(const struct l4_fwd *f)
{
    struct sums sums = {0};
    for (unsigned k = 0; k < array_len(f->tables); k++) {
        const struct flow_table *t = &f->tables[k];
        uint32_t before = sums.clients + sums.servers;
        for (uint32_t i = 0; i <= t->mask && t->used > 0; i++) {
            for (unsigned p = 0; p < FLOW_TABLE_PLACES; p++) {
                if (t->buckets[i].tags[p] != 0)
                    check_entry(f, t, (flow_entry_t){t->buckets[i].entries[p]}, &sums);
            }
        }
        ASSERT(sums.clients + sums.servers - before == t->used);
    }
    ASSERT(sums.clients == f->flows.used && sums.natted == sums.servers);
    ASSERT(f->core->stats->counters[STAT_l4_flows_now] == sums.clients);
    uint32_t opening = 0, usual = 0;
    for (uint32_t i = 0; i < 2 * f->flows.capacity; i++)
        usual += f->lanes[i].usual_max != 0;
    ASSERT(usual == sums.usual); /* and of no flow that is gone */
    for (const struct list_node *at = f->opening.next; at != &f->opening; at = at->next)
        opening++;
    ASSERT(opening == sums.opening);
}
