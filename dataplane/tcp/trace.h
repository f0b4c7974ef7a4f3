/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trace of chosen flows, switched on at run time (sluicectl trace). It knows nothing of what
 * the stack decides and why: it looks at a connection and at the counters before a step and after
 * it, and tells what has changed. So no decision can be forgotten, and none has to remember to
 * tell. A step is a segment that came, a timer, a call of the owner, an output, an ICMP error.
 *
 * Owner, thread: the worker. Cost: tcp_is_traced() while nobody traces; a filter for each segment
 * of others while somebody does. RFCs: none.
 */
#pragma once

#include "abi/flow.h"
#include "tcp/tcp_priv.h"

/* Does anybody trace? Cost: a branch. */
static inline bool tcp_is_traced(const struct tcp *t)
{
    return obs_watches(&t->core->obs, OBSERVE_TRACE);
}

/* The memory of a worker's trace; in tcp_new(). */
void tcp_trace_new(struct tcp *t);

/* A step begins: a segment that starts at its TCP header came. */
void tcp_trace_rx(struct tcp *t, const struct rte_mbuf *m, const struct ip_addr *src,
                  const struct ip_addr *dst);

/* A step begins with this connection: `point` TRACE_POINTS: nothing is told but what changes. */
void tcp_trace_step(struct tcp_conn *c, enum trace_point point, uint32_t value);

/* A step begins: the connection's timer fired. */
void tcp_trace_timer(struct tcp_conn *c, uint64_t now_us);

/* A step begins: an ICMP error about the flow came; `mtu` 0: it is not about the size. */
void tcp_trace_icmp(struct tcp *t, const struct flow_tuple *tuple, uint32_t mtu, uint32_t seq);

/* The step is over: tells what it changed. Nothing if none was begun for a flow that is meant. */
void tcp_trace_end(struct tcp *t);

/* A segment that starts at its TCP header goes out; within a step or not. */
void tcp_trace_tx(struct tcp *t, const struct flow_tuple *tuple, const struct rte_mbuf *m);
