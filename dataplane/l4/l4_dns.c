/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queries of DNSRoutes: each is a flow of its own, whichever socket it came from, for each goes
 * where its name says. So only its server's side is in the table: the port that it leaves by tells
 * its answer from all others, and one answer with its number ends it. What leads nowhere is
 * answered by the box, never longer than it was asked.
 *
 * Owner: struct l4_fwd. Thread: the worker. RFC 1035, RFC 6891, RFC 9619.
 */
#include "base/assert.h"
#include "l4/l4_priv.h"
#include "route/route.h"

#include <string.h>

enum dns_fault l4_dns_read(const struct rte_mbuf *m, struct dns_question *ret)
{
    uint8_t buf[DNS_QUESTION_BYTES_MAX];
    uint32_t len = m->pkt_len < sizeof(buf) ? m->pkt_len : (uint32_t)sizeof(buf);
    const uint8_t *message = rte_pktmbuf_read(m, 0, len, buf);
    ASSERT(message != NULL);
    return dns_question_read(message, len, ret);
}

/* A datagram with the answer; NULL: no memory, which is counted. */
static struct rte_mbuf *make_answer(struct l4_fwd *f, const struct rte_mbuf *query,
                                    const struct dns_question *q, enum dns_rcode rcode)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(f->core->mbufs);
    if (m == NULL) {
        stat_inc(f->core, STAT_core_mbuf_exhausted);
        return NULL;
    }
    uint8_t *to = (void *)rte_pktmbuf_append(m, (uint16_t)(q->bytes + dns_refusal_bytes(q)));
    ASSERT(to != NULL);
    const void *from = rte_pktmbuf_read(query, 0, q->bytes, to);
    if (from != to)
        memcpy(to, from, q->bytes);
    dns_refuse(to, q, rcode);
    return m;
}

void l4_dns_refuse(struct l4_fwd *f, const struct l4_call *call, const struct dns_question *q,
                   enum dns_rcode rcode)
{
    const struct flow_tuple *client = &call->client;
    const struct net_udp_header back = {.src = client->local,
                                        .dst = client->remote,
                                        .src_port = client->local_port,
                                        .dst_port = client->remote_port,
                                        .tos = call->tos};
    struct rte_mbuf *m = NULL;
    if (rcode != DNS_RCODE_NONE && client->remote_port != 0)
        m = make_answer(f, call->m, q, rcode);
    if (m == NULL) {
        l4_drop(f, call->m, STAT_l4_drop_dns_unanswered);
        return;
    }
    rte_pktmbuf_free(call->m);
    stat_inc(f->core, STAT_l4_answered);
    net_udp_output(f->net, m, &back);
}

/* Does the datagram answer the flow's query? Who guesses the port has to guess its number, too. */
static bool is_answer(const struct l4_flow *flow, const struct rte_mbuf *m)
{
    uint8_t buf[4];
    const uint8_t *head =
        m->pkt_len >= DNS_HEADER_BYTES ? rte_pktmbuf_read(m, 0, sizeof(buf), buf) : NULL;
    return head != NULL && (head[0] << 8 | head[1]) == flow->query_id && (head[2] & 0x80) != 0;
}

void l4_dns_answer(struct l4_fwd *f, struct l4_flow *flow, struct rte_mbuf *m, uint16_t ip_bytes)
{
    if (!is_answer(flow, m)) {
        l4_drop(f, m, STAT_l4_drop_dns_stray);
        return;
    }
    void *header = rte_pktmbuf_prepend(m, sizeof(struct wire_udp)); /* where it was taken off */
    ASSERT(header != NULL);
    uint32_t n_ended = f->n_ended;
    l4_forward_upper(f, flow, L4_SERVER, m, ip_bytes);
    if (f->n_ended == n_ended) /* it may have lost its address just now */
        l4_flow_end(flow, STAT_l4_end_answered);
}
