/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A burst of received frames: station between the ports and eth. The lines that a segment's look-up
 * needs lie in memory, and each is known only when the one before it has come: headers, bucket of
 * the flow table, connection. So many frames take one step at a time, and wait together, not one
 * after the other (DPDK's l3fwd, VPP's nodes and Katran's programs do likewise).
 *
 * The hash that tcp makes of a flow goes with its frame to tcp, in an array beside the frames: a
 * field of the mbuf would need a mark that says whether it is valid, and outlive its meaning when
 * the mbuf is used again.
 *
 * Owner: struct net. Thread: the worker.
 */
#include "net/net_priv.h"
#include "net/plain.h"

/* Tells tcp of the segment in the frame. Returns its flow's hash; 0: none of the plain kind. */
static uint64_t expect(struct net *n, const struct rte_mbuf *m)
{
    struct plain at;
    if (!plain_find_tcp(m, &at))
        return 0;
    struct flow_tuple ends;
    plain_ends(&at, &ends);
    return n->tcp_ops->expect(n->tcp, &ends.remote, &ends.local, ends.remote_port, ends.local_port);
}

/* Brings nearer what the segments among the frames need, step by step. All of it before the first
 * is handled: a prefetch that misses the TLB too waits for its page, with all that comes behind it,
 * and only in a row several do so at once. */
static void foresee(struct net *n, struct rte_mbuf *const *frames, unsigned count, uint64_t *ret)
{
    for (unsigned i = 0; i < count; i++)
        __builtin_prefetch(rte_pktmbuf_mtod(frames[i], const void *));
    for (unsigned i = 0; i < count; i++)
        ret[i] = expect(n, frames[i]);
    for (unsigned i = 0; i < count; i++) {
        if (ret[i] != 0)
            n->tcp_ops->prefetch(n->tcp, ret[i]);
    }
}

void net_input(struct net *n, struct rte_mbuf *const *frames, unsigned count)
{
    bool can_expect = n->tcp_ops != NULL && n->tcp_ops->expect != NULL;
    for (unsigned done = 0; done < count;) {
        unsigned together = can_expect ? count - done : 1; /* one alone waits for nobody */
        if (together > NET_TOGETHER_MAX)
            together = NET_TOGETHER_MAX;
        uint64_t flows[NET_TOGETHER_MAX] = {0};
        if (together > 1)
            foresee(n, frames + done, together, flows);
        for (unsigned i = 0; i < together; i++)
            eth_input(n, frames[done + i], flows[i]);
        done += together;
    }
}
