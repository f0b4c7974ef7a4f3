/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs: segments of new data that follow one another, handed down as one long segment that the
 * device cuts (TSO). What is sent when is not decided here: each segment was let go by the windows,
 * has its record on the scoreboard and its length by the MSS, so loss is found and repaired as
 * without. The device gives each the run's header with its own number, so only what has the same
 * header may join: full segments with nothing but ACK, and one last that may be shorter, or end the
 * stream.
 *
 * A run is open within one tcp_output() only, so that nothing overtakes it. Where the port cannot
 * cut, the same segments go one by one.
 */
#include "base/assert.h"
#include "core/port.h"
#include "net/net.h"
#include "tcp/tcp_priv.h"

#include <rte_mbuf.h>

/* An IP packet has at most 65,535 bytes, headers counted: IPv6 with all options of TCP. */
#define RUN_BYTES_MAX (UINT16_MAX - 40 - 60)

/* Shorter segments are copied one by one: as many pieces as bytes would not pay. */
#define RUN_MSS_MIN 512u

void tcp_run_begin(struct tcp_conn *c)
{
    struct tcp_run *r = &c->tcp->run;
    struct net_path path;
    ASSERT_HOT(r->conn == NULL && r->chain.head == NULL);
    if (!c->tcp->has_tso || c->mss < RUN_MSS_MIN || (c->flags & TCP_F_URGENT_OUT) != 0 ||
        !net_path_find(c->tcp->net, &c->tuple.remote, &path))
        return;
    const struct port_info *port = port_info(c->tcp->core, path.port);
    if (!port->has_tso)
        return;
    *r = (struct tcp_run){
        .conn = c,
        .chain = {.mbufs_max = port->tso_mbufs_max, .segment_mbufs_max = port->tx_mbufs_max}};
}

/* Hands over what has gathered. */
static void flush(struct tcp_run *r)
{
    struct tcp_conn *c = r->conn;
    struct rte_mbuf *head = r->chain.head;
    if (head == NULL)
        return;
    if (r->segments > 1) {
        ASSERT_HOT(head->pkt_len > head->l4_len + r->segment_bytes);
        head->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
        head->tso_segsz = r->segment_bytes;
        stat_inc(c->tcp->core, STAT_tcp_tx_runs);
    }
    r->chain.head = NULL;
    tcp_segment_hand_over(c, head, r->is_new, r->segments);
}

/* May the segment go behind what has gathered? */
static bool extends(const struct tcp_run *r, const struct tcp_outgoing *o)
{
    const struct tcp_conn *c = r->conn;
    return r->chain.head != NULL && !r->is_closed && seq_eq(o->seq, r->next) && o->bytes > 0 &&
           o->bytes <= r->segment_bytes && (o->flags & ~(TCP_PSH | TCP_FIN)) == TCP_ACK &&
           o->duplicate == NULL && o->is_new == r->is_new &&
           r->chain.head->pkt_len + o->bytes <= RUN_BYTES_MAX &&
           (o->bytes == r->segment_bytes || c->oooq.head == NULL); /* a short one tells of gaps */
}

/* Begins a run with a full segment. False: no mbuf. */
static bool begin(struct tcp_run *r, const struct tcp_outgoing *o)
{
    struct tcp_conn *c = r->conn;
    struct rte_mbuf *head = tcp_segment_build(c, o);
    if (head == NULL)
        return false;
    r->chain.head = r->chain.last = head;
    r->chain.source = NULL;
    r->next = seq_add(o->seq, o->bytes);
    r->segment_bytes = o->bytes;
    r->segments = 1;
    r->is_new = o->is_new;
    r->is_closed = (o->flags & (TCP_PSH | TCP_FIN)) != 0;
    if (tcp_payload_chain(c->tcp, &r->chain, o))
        return true;
    r->is_closed = true;
    if (tcp_payload_copy(c->tcp, head, o))
        return true;
    r->chain.head = NULL;
    tcp_segment_drop(c, head);
    return false;
}

bool tcp_run_send(struct tcp_conn *c, const struct tcp_outgoing *o)
{
    struct tcp_run *r = &c->tcp->run;
    if (r->conn != c)
        return tcp_segment_send(c, o);
    if (extends(r, o) && tcp_payload_chain(c->tcp, &r->chain, o)) {
        tcp_segment_add_flags(r->chain.head, o->flags & (TCP_PSH | TCP_FIN));
        r->next = seq_add(r->next, o->bytes);
        r->segments++;
        r->is_closed = o->bytes < r->segment_bytes || (o->flags & (TCP_PSH | TCP_FIN)) != 0;
        return true;
    }
    flush(r);
    /* CWR is for one segment alone (RFC 3168, 6.1.2), and not every device knows. */
    bool is_plain = (o->flags & ~(TCP_PSH | TCP_FIN)) == TCP_ACK && o->duplicate == NULL &&
                    !(o->is_new && (c->flags & TCP_F_CWR) != 0);
    return is_plain && o->bytes == c->mss ? begin(r, o) : tcp_segment_send(c, o);
}

void tcp_run_end(struct tcp_conn *c)
{
    struct tcp_run *r = &c->tcp->run;
    if (r->conn == NULL)
        return;
    ASSERT_HOT(r->conn == c);
    flush(r);
    r->conn = NULL;
}
