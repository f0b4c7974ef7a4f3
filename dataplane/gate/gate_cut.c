/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was there before a list: after each image that has one all connections and flows are gone
 * through once, a few a round, and those of clients that may not come in end. Their packets are
 * dropped from the image's first round on, so what is left to do is to end the other side: the
 * backend, which would send to nobody, and what is queued.
 *
 * Owner: struct gate. Thread: the worker. Bound: GATE_LOOKS_PER_POLL_MAX a round.
 */
#include "core/flow_table.h"
#include "gate/gate_priv.h"
#include "l4/l4.h"
#include "tcp/tcp.h"

static bool is_denied(const struct gate *g, const struct flow_tuple *ends, bool is_udp)
{
    return gate_judge_end(g, &ends->local, ends->local_port, is_udp, &ends->remote) != STAT_COUNT;
}

static bool cuts_conn(void *owner, const struct flow_tuple *ends)
{
    struct gate *g = owner;
    if (!is_denied(g, ends, false))
        return false;
    stat_inc(g->core, STAT_gate_cut_conns);
    return true;
}

static bool cuts_flow(void *owner, const struct flow_tuple *ends, bool is_udp)
{
    struct gate *g = owner;
    if (!is_denied(g, ends, is_udp))
        return false;
    stat_inc(g->core, STAT_gate_cut_flows);
    return true;
}

unsigned gate_poll(struct gate *g)
{
    unsigned looked = 0;
    if (g->has_conns) {
        g->has_conns = tcp_cut(g->tcp, &g->next_conn, GATE_LOOKS_PER_POLL_MAX, cuts_conn, g);
        looked += GATE_LOOKS_PER_POLL_MAX;
    }
    if (g->has_flows) {
        g->has_flows = l4_cut_flows(g->l4, &g->next_flow, GATE_LOOKS_PER_POLL_MAX, cuts_flow, g);
        looked += GATE_LOOKS_PER_POLL_MAX;
    }
    return looked;
}
