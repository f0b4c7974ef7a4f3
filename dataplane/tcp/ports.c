/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source ports of active opens. Problem: the reply must come to this worker, so not every port
 * will do, and a tuple must be unique, TIME_WAIT included. Known ways: solve the Toeplitz hash
 * (rte_thash), classes of ports a worker with NIC rules, or trial. Chosen: trial with the function
 * that the port facade itself spreads by. It needs as many tries as there are workers on average,
 * knows nothing about NICs, and cannot disagree with them. Each try costs a hash (and a lookup for
 * those that fit). What would change our mind: opens as a visible share of a worker's time.
 *
 * The start is a keyed hash of the destination plus a counter (RFC 6056, algorithm 4's purpose: not
 * to be guessed), so that ports towards one destination are all used before any is used again.
 */
#include "base/assert.h"
#include "core/port.h"
#include "tcp/tcp_priv.h"

#define PORTS (TCP_PORT_LAST - TCP_PORT_FIRST + 1)

static_assert(TCP_PORT_LAST <= UINT16_MAX, "ports have 16 bits");

/* Would replies come here, and is the tuple free? */
static bool fits(struct tcp *t, unsigned port_index, const struct tcp_tuple *tuple)
{
    unsigned worker = port_flow_worker(t->core, port_index, &tuple->remote, &tuple->local,
                                       tuple->remote_port, tuple->local_port);
    if (worker != t->core->worker)
        return false;
    uint64_t hash = tcp_table_hash(&t->table, tuple);
    return tcp_table_find(&t->table, hash, tuple).v == TCP_ENTRY_NONE.v;
}

bool tcp_port_choose(struct tcp *t, unsigned port_index, struct tcp_tuple *tuple)
{
    ASSERT(t->core->workers == 1 || TCP_PORT_TRIALS_MAX >= t->core->workers * 16u);
    struct tcp_tuple trial = *tuple;
    trial.local_port = 0;
    uint32_t base = (uint32_t)tcp_table_hash(&t->table, &trial) % PORTS;
    for (unsigned i = 0; i < TCP_PORT_TRIALS_MAX; i++) {
        t->port_next++;
        trial.local_port = (uint16_t)(TCP_PORT_FIRST + (base + t->port_next) % PORTS);
        if (fits(t, port_index, &trial)) {
            *tuple = trial;
            ASSERT_HOT(tuple->local_port >= TCP_PORT_FIRST);
            return true;
        }
    }
    return false;
}
