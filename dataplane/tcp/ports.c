/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source ports of active opens. Problem: the reply must come to this worker, so not every port
 * will do, and a tuple must be unique, TIME_WAIT included. Known ways: compute the port out of the
 * NIC's hash (rte_thash), classes of ports a worker with NIC rules, or trial. Chosen: rte_thash
 * wherever the port hashes by our key, which is everywhere but on NICs that keep their own; trial
 * by the same hash there (core/spread_aim.h). Instructions for a port, IPv4 / IPv6, by callgrind:
 *
 *   workers                                     2            8             64
 *   rte_thash                               396 / 673    396 / 673     396 /   673
 *   trial, what the port adds from a table  617 / 660    934 / 915   3,007 / 2,832
 *   trial, the whole tuple hashed a try   3,290 / 3,093 6,298 / 10,142 26,007 / 63,303
 *
 * Either way the port facade's own table of buckets decides, so the choice cannot disagree with
 * what port_rx() does. What would change our mind: NICs that hash by other than Toeplitz.
 *
 * The start is a keyed hash of the destination plus a counter (RFC 6056, algorithm 4's purpose: not
 * to be guessed), so that ports towards one destination are all used before any is used again.
 */
#include "base/assert.h"
#include "core/port.h"
#include "core/spread_aim.h"
#include "tcp/tcp_priv.h"

bool tcp_has_flow(const struct tcp *t, const struct flow_tuple *ends)
{
    uint64_t hash = flow_table_hash(&t->table, ends);
    return flow_table_find(&t->table, hash, ends).v != FLOW_ENTRY_NONE.v;
}

void tcp_set_is_taken(struct tcp *t, tcp_is_taken_fn is_taken, void *owner)
{
    t->is_taken = is_taken;
    t->is_taken_owner = owner;
}

/* Does no connection and no TIME_WAIT record have it, and nobody else? */
static bool is_free(const struct tcp *t, const struct flow_tuple *tuple)
{
    return !tcp_has_flow(t, tuple) &&
           (t->is_taken == NULL || !t->is_taken(t->is_taken_owner, tuple));
}

bool tcp_port_choose(struct tcp *t, unsigned port_index, struct flow_tuple *tuple)
{
    struct spread_aim aim;
    struct flow_tuple trial = *tuple;
    port_aim(t->core, port_index, &tuple->remote, &tuple->local, tuple->remote_port, &aim);
    trial.local_port = 0;
    uint32_t base = (uint32_t)flow_table_hash(&t->table, &trial);
    uint32_t trials = aim.n < TCP_PORT_TRIALS_MAX ? aim.n : TCP_PORT_TRIALS_MAX;
    for (uint32_t i = 0; i < trials; i++) {
        stat_inc(t->core, STAT_tcp_port_trials);
        if (spread_aim_port(&aim, (base + ++t->port_next) % aim.n, &trial.local_port) &&
            is_free(t, &trial)) {
            *tuple = trial;
            ASSERT_HOT(tuple->local_port >= SPREAD_AIM_PORT_FIRST);
            return true;
        }
    }
    return false;
}
