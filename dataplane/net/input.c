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
#include "net/plain_tcp.h"

#include <string.h>

/* Tells tcp of the segment in the frame. Returns its flow's hash; 0: none of the plain kind. */
static uint64_t expect(struct net *n, const struct rte_mbuf *m)
{
    struct plain_tcp at;
    if (!plain_tcp_find(m, &at))
        return 0;
    struct ip_addr src = at.is_ip4 ? ip_addr_from_v4(at.l3 + offsetof(struct wire_ip4, src))
                                   : ip_addr_from_v6(at.l3 + offsetof(struct wire_ip6, src));
    struct ip_addr dst = at.is_ip4 ? ip_addr_from_v4(at.l3 + offsetof(struct wire_ip4, dst))
                                   : ip_addr_from_v6(at.l3 + offsetof(struct wire_ip6, dst));
    be16_t ports[2];
    memcpy(ports, at.l4, sizeof(ports));
    return n->tcp_ops->expect(n->tcp, &src, &dst, be16_host(ports[0]), be16_host(ports[1]));
}

/* What each of the frames needs first: its headers, and the bucket of its flow. */
static void expect_all(struct net *n, struct rte_mbuf *const *frames, unsigned count, uint64_t *ret)
{
    for (unsigned i = 0; i < count; i++)
        __builtin_prefetch(rte_pktmbuf_mtod(frames[i], const void *));
    for (unsigned i = 0; i < count; i++)
        ret[i] = expect(n, frames[i]);
}

static void prefetch(struct net *n, uint64_t flow_hash)
{
    if (flow_hash != 0)
        n->tcp_ops->prefetch(n->tcp, flow_hash);
}

/* Handles frames that wait together. */
static void input_together(struct net *n, struct rte_mbuf *const *frames, unsigned count)
{
    uint64_t flows[NET_TOGETHER_MAX];
    expect_all(n, frames, count, flows);
    for (unsigned i = 0; i < count && i < NET_AHEAD_MAX; i++)
        prefetch(n, flows[i]);
    for (unsigned i = 0; i < count; i++) {
        if (i + NET_AHEAD_MAX < count)
            prefetch(n, flows[i + NET_AHEAD_MAX]);
        eth_input(n, frames[i], flows[i]);
    }
}

void net_input(struct net *n, struct rte_mbuf *const *frames, unsigned count)
{
    bool can_expect = n->tcp_ops != NULL && n->tcp_ops->expect != NULL;
    for (unsigned done = 0; done < count;) {
        unsigned together = can_expect ? count - done : 1; /* one alone waits for nobody */
        if (together > NET_TOGETHER_MAX)
            together = NET_TOGETHER_MAX;
        if (together == 1)
            eth_input(n, frames[done], 0);
        else
            input_together(n, frames + done, together);
        done += together;
    }
}
