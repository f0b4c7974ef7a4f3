/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tcp's files share. The worker's context, and who does what:
 *
 *   in.c           a segment arrives: flow -> the steps of RFC 9293, 3.10.7
 *   parse.c        header, checksum, options
 *   established.c  the fast path         ack.c        step five: what an acknowledgement means
 *   expect.c       what a burst of segments will need
 *   plpmtud.c      paths that eat large packets, probes
 *   memory.c       shortage: who is refused, who is shed           room.c   what queues may hold
 *   passive.c      SYNs, cookies         stand_in.c   cookies for who forwards
 *   handshake.c  SYN_SENT, active open, what is agreed upon
 *   close.c        FINs, end of a connection
 *   timewait.c     after the end         rst.c        resets and challenge ACKs
 *   rcvq.c         in order, window      reasm.c      out of order, SACK blocks
 *   sndq.c         bytes to send         out.c        segments and when     segment.c  one segment
 *   payload.c      bytes behind a header run.c        segments that a device cuts (TSO)
 *   recovery.c     loss: RACK-TLP, RTO   timers.c     deadlines             conn.c  pool, table
 *   sender.c       who may send now      settings.c   knobs, urgent
 *   congestion.c   what congestion control is told
 *   trouble.c      soft errors
 *   stream.c       core/stream.h         poll.c       events, outputs       icmp.c  errors
 *   pure: options rtt sack rack cc_* cwv hystart delivery_rate pace undo iss syncookie
 *         half_open shift
 *   tables: table timewait ports; check
 *   for those who look: dump (text), flows (records), trace (one flow, step by step)
 */
#pragma once

#include "base/pool.h"
#include "core/core.h"
#include "core/flow_table.h"
#include "tcp/half_open.h"
#include "tcp/plpmtud.h"
#include "tcp/rate.h"
#include "tcp/settings.h"
#include "tcp/stand_in.h"
#include "tcp/syncookie.h"
#include "tcp/tcp.h"
#include "tcp/tcp_limits.h"
#include "tcp/tcp_types.h"
#include "tcp/timewait.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_path;

/* What few connections need, in a row beside the pool: a connection stays within eight lines. */
struct tcp_rare {
    uint32_t keepalive_ms; /* silence after which the peer is asked; 0: never */
    uint32_t user_timeout_ms;
    seq_t snd_up;        /* with TCP_F_URGENT_OUT: behind the last urgent byte */
    seq_t rcv_up;        /* with TCP_F_URGENT_IN: likewise, the peer's */
    uint32_t trouble_ms; /* when the last soft error came */
    seq_t fin_ahead;     /* with TCP_F_FIN_AHEAD: the number of the peer's FIN */
    struct tcp_plpmtud plpmtud;
};

/* Mbufs that refer to payload, behind a header. */
struct tcp_chain {
    struct rte_mbuf *head;
    struct rte_mbuf *last;
    const struct rte_mbuf *source; /* what `last` refers to; NULL: it is the header */
    uint16_t mbufs_max;            /* of the chain */
    uint16_t segment_mbufs_max;    /* of each segment in it, with the header */
};

/* The segments that gather within one tcp_output(); see run.c. */
struct tcp_run {
    struct tcp_conn *conn; /* NULL: nobody's segments gather */
    struct tcp_chain chain;
    seq_t next;             /* the number that may follow */
    uint16_t segment_bytes; /* of each, but the last may be shorter */
    uint16_t segments;
    bool is_new;    /* as in struct tcp_outgoing, of each */
    bool is_closed; /* nothing may follow */
};

/* What a kind of queue may hold by configuration; see room.c. */
struct tcp_queue_limits {
    uint32_t mbufs_max;
    uint32_t first_mbufs; /* until something was drained; UINT32_MAX: all */
};

struct tcp {
    struct core *core;
    struct net *net;
    struct tcp_config config;
    struct tcp_upcalls upcalls;
    tcp_is_taken_fn is_taken; /* NULL: nobody else sends from ports */
    void *is_taken_owner;
    struct pool conns;         /* struct tcp_conn */
    struct tcp_rare *rares;    /* at the index of the connection */
    struct pool records;       /* struct tcp_sent */
    struct tcp_bw_mark *marks; /* at the index of the record */
    struct pool senders;       /* struct tcp_sender */
    struct flow_table table;
    struct tcp_timewaits timewaits;
    struct list_node ready;   /* connections with events */
    struct list_node outputs; /* connections that may have something to send */
    struct list_node starved; /* connections that wait for mbufs or records */
    struct list_node waiting; /* connections that wait for a sender */
    struct list_node resting; /* senders that may be taken, the longest resting first */
    uint64_t starved_look_us; /* when to look again whether those on `starved` may go on */
    uint64_t mbufs_look_us;   /* when to look at the pool again: see tcp_mbufs_are_short() */
    struct tcp_rate rsts;     /* in answer to segments of no connection */
    struct tcp_rate challenges;
    struct tcp_rate strays;
    struct tcp_cookies cookies;
    uint64_t cookies_until_us;      /* when the last cookie sent has expired */
    struct tcp_half_open half_open; /* passive opens not yet established */
    uint32_t mbufs_free;            /* at the last look */
    uint32_t passives;              /* connections that are not TCP_F_ACTIVE */
    uint32_t hand;                  /* the slot that memory.c looks at next */
    uint64_t polled_us;             /* the last round, */
    uint32_t present_ms;            /* and since when they follow each other closely */
    uint64_t shed_memory_us;        /* when the hand may look again for who holds memory */
    uint64_t shed_slots_us;         /* the round in which it last looked for who is idle, */
    bool has_shed_slots;            /* and whether it found some */
    bool is_memory_wanted;          /* somebody was refused for want of mbufs */
    uint32_t ooo_arrivals;          /* segments put aside so far: which came last */
    int range_offset;               /* reasm.c's field in mbufs */
    uint32_t port_next;             /* perturbs the search of source ports (RFC 6056) */
    struct tcp_queue_limits rcvq_limits;
    struct tcp_queue_limits sndq_limits;
    uint16_t mbuf_bytes;     /* what an mbuf costs, whatever it carries */
    uint16_t tx_mbufs_max;   /* mbufs of a segment that every port sends; 0: some send no chains */
    bool has_tso;            /* some port cuts long segments */
    struct tcp_run run;      /* the segments that gather; run.c's */
    struct tcp_trace *trace; /* the step that is being traced; trace.c's */
};

/* now in the unit of a field that ends in _ms. */
static inline uint32_t tcp_now_ms(const struct tcp *t)
{
    return (uint32_t)(t->core->now_us / 1000);
}

/* What is kept apart of a connection. */
static inline struct tcp_rare *tcp_rare_of(const struct tcp_conn *c)
{
    return &c->tcp->rares[pool_index(&c->tcp->conns, c)];
}

/* The connection that embeds the stream. */
static inline struct tcp_conn *tcp_conn_of(const struct stream *s)
{
    return (struct tcp_conn *)(uintptr_t)s;
}

/* settings.c */

/* The urgent field of a segment that begins at `seq`, while TCP_F_URGENT_OUT; 0: without URG. */
uint16_t tcp_urgent_field(struct tcp_conn *c, seq_t seq);

/* Sixth: the peer's urgent bytes end before `up`. */
void tcp_urgent_input(struct tcp_conn *c, seq_t up);

/* trouble.c */

/* The connection met a soft error: remembered, and told to an owner who wants to know. */
void tcp_note_trouble(struct tcp_conn *c, enum tcp_trouble what);

/* R1 timeouts in a row (RFC 9293, 3.8.3): the next hop is doubted, the owner told. */
void tcp_on_r1(struct tcp_conn *c);

/* How a connection ends whose peer stays silent: by what was heard of it meanwhile. */
enum stream_end tcp_silent_end(const struct tcp_conn *c);

/* conn.c */

/* A connection of the pool, zeroed, for this tuple, in the table; not owned, no timer. NULL:
 * *ret_is_table_full tells which of the two ran out. */
struct tcp_conn *tcp_conn_new(struct tcp *t, const struct flow_tuple *tuple,
                              bool *ret_is_table_full);

/* Everything ends now, without a word on the wire: out of the table, timer off, queues freed (but
 * for what the owner has yet to read after an orderly end), STREAM_CLOSED or the return to the pool
 * programmed. */
void tcp_conn_end(struct tcp_conn *c, enum stream_end end);

/* As tcp_conn_end(), but the table's entry goes to a TIME_WAIT record. */
void tcp_conn_end_in_timewait(struct tcp_conn *c);

/* Sets the state; the half-open count follows. */
void tcp_conn_set_state(struct tcp_conn *c, enum tcp_state state);

/* Back to the pool; by handle_ready() and tcp_done() only. */
void tcp_conn_free(struct tcp_conn *c);

/* What an entry of the table stands for; for the table. */
const struct flow_tuple *flow_entry_tuple(const void *owner, flow_entry_t e);

/* The connection behind an entry that is not a TIME_WAIT record. */
struct tcp_conn *tcp_conn_at(const struct tcp *t, flow_entry_t e);

/* memory.c */

/* Are fewer than `reserve` mbufs left? The pool is asked every TCP_MBUFS_LOOK_US: the answer costs
 * a cache miss for each lcore that there may be. */
bool tcp_mbufs_are_short(struct tcp *t, uint32_t reserve);

/* Are mbufs too short for a new connection? `is_open`: one that we open. */
bool tcp_refuses_for_memory(struct tcp *t, bool is_open);

/* The worker's gauge of what the queues of a kind hold, in mbufs. */
static inline uint64_t *tcp_held(const struct tcp_conn *c, enum stat_id gauge)
{
    return &c->tcp->core->stats->counters[gauge];
}

/* May the connection take in one more mbuf? Not while they are short and it has some. */
bool tcp_may_hold_more(struct tcp_conn *c);

/* Notes the round: memory.c counts nobody's silence while the worker was not there to hear. */
void tcp_note_presence(struct tcp *t);

/* While mbufs or senders are very short: ends who holds some and has not moved for longest. Returns
 * how many. */
unsigned tcp_memory_poll(struct tcp *t);

/* Somebody found no free slot: ends those that are idle for longest, once a round. False: nobody is
 * idle. The slots are free when their owners have let go, at this round's end. */
bool tcp_shed_slots(struct tcp *t);

/* room.c */

/* When config and mbuf_bytes are known: the limits that follow. */
void tcp_room_init(struct tcp *t);

/* How many mbufs the receive queue of the connection may hold now. */
uint32_t tcp_rcvq_mbufs_max(struct tcp_conn *c);

/* Likewise, the send queue. */
uint32_t tcp_sndq_mbufs_max(const struct tcp_conn *c);

/* The window for which so many mbufs are enough. */
uint32_t tcp_window_of_mbufs(const struct tcp *t, uint32_t mbufs);

/* The window that a connection may begin with now. */
uint32_t tcp_first_window(struct tcp *t);

/* The owner has consumed: once a round trip, the window may grow. */
void tcp_rcvq_earn(struct tcp_conn *c);

/* If all that was in the send queue at the last mark is acknowledged, what is in it now is marked:
 * struct tcp_sender's drain_ms tells how slowly it drains. */
void tcp_sndq_mark_drained(struct tcp_conn *c);

/* So many bytes were acknowledged: the send queue may grow. */
void tcp_sndq_earn(struct tcp_conn *c, uint32_t acked_bytes);

/* poll.c */

/* Puts events on the connection; delivered by tcp_poll(). */
void tcp_program_events(struct tcp_conn *c, unsigned events);

/* The connection may have something to send: looked at by tcp_poll(). */
void tcp_program_output(struct tcp_conn *c);

/* As tcp_program_output(), with an acknowledgement. */
void tcp_program_ack(struct tcp_conn *c);

/* Nothing goes out until mbufs or records are there again. */
void tcp_program_starved(struct tcp_conn *c);

/* Nothing goes out until a sender is free. */
void tcp_program_waiting(struct tcp_conn *c);

/* passive.c */

/* A SYN for a port where somebody listens: makes a half-open connection, or answers by a cookie
 * when there are many. `iss_after`: NULL, or what a TIME_WAIT record demands (RFC 6191). Counts the
 * segment. */
void tcp_passive_open(struct tcp *t, const struct tcp_segment *seg,
                      const struct tcp_listening *listening, const seq_t *iss_after);

/* An acknowledgement of no connection to a port where somebody listens. True: it gives a cookie of
 * ours back; *ret is the connection that this makes, established, and the segment has yet to be
 * handled as its own, or NULL: there was no room for one, which is counted. False: no cookie, or an
 * old one; counted beside what else becomes of the segment. */
bool tcp_accept_cookie(struct tcp *t, const struct tcp_segment *seg,
                       const struct tcp_listening *listening, struct tcp_conn **ret);

/* Might a cookie of this worker still come back? If not, nobody looks for one. */
bool tcp_expects_cookies(const struct tcp *t);

/* Of such a segment that gives no cookie back: may it be text or a FIN that overtook the
 * acknowledgement of one on the way? A reset would end what has just begun; unanswered, it comes
 * again. Timestamps tell it from the remains of a connection that is forgotten here. */
bool tcp_may_be_ahead_of_cookie(const struct tcp *t, const struct tcp_segment *seg);

/* Why no peer at that address gets a connection now; STAT_COUNT: it may have one, and *ret_path is
 * the way to it. */
enum stat_id tcp_refuses_peer(struct tcp *t, const struct ip_addr *peer, struct net_path *ret_path);

/* What a SYN-ACK with a cookie says. */
struct tcp_cookie_offer {
    uint16_t mss;
    uint16_t window;
    uint8_t wscale;
    bool has_ecn; /* it is taken, if the SYN offers it */
};

/* Answers the SYN by a cookie, and counts it; nothing is kept. */
void tcp_cookie_send(struct tcp *t, const struct tcp_segment *seg,
                     const struct tcp_cookie_offer *offer);

/* The listener of a half-open connection has one less or more. */
void tcp_count_half_open(struct tcp *t, const struct flow_tuple *tuple, int change);

/* handshake.c */

/* Takes the peer's SYN: numbers and windows of both directions, and what it offers. */
void tcp_take_syn(struct tcp_conn *c, const struct tcp_segment *seg);

/* Our own numbers: nothing is sent yet, the SYN is programmed. */
void tcp_begin_sending(struct tcp_conn *c, seq_t iss);

/* An IP packet of a path that can be put together for every port. */
uint16_t tcp_usable_mtu(const struct tcp *t, uint16_t mtu);

/* What a segment of this connection carries in an IP packet of `mtu` bytes. */
uint16_t tcp_mss_on_path(const struct tcp_conn *c, uint16_t mtu);

/* What an IP packet of `mtu` bytes carries of TCP's payload. */
uint16_t tcp_mss_of_mtu(uint16_t mtu, bool is_ip4);

/* The window that a SYN sent now tells: never scaled (RFC 7323, section 2.2). */
uint16_t tcp_syn_window(struct tcp *t);

/* The least window scale that lets 16 bits tell the whole window. */
uint8_t tcp_scale_for(uint32_t window_bytes);

/* RFC 9293, 3.10.7.3: a segment in SYN_SENT. Counts it. */
void tcp_syn_sent_input(struct tcp_conn *c, struct tcp_segment *seg);

/* SYN_RCVD is over: the acknowledgement came. */
void tcp_establish(struct tcp_conn *c, const struct tcp_segment *seg);

/* Takes path MTU and peer's MSS into the size of a full segment. */
void tcp_set_mss(struct tcp_conn *c);

/* The MSS option that we send: what our own link brings us whole (RFC 1191, section 3.1). */
uint16_t tcp_mss_to_tell(const struct tcp_conn *c);

/* in.c */

/* The acknowledgement that a segment's text or FIN made due goes out, if there is one. */
void tcp_acknowledge(struct tcp_conn *c, struct tcp_segment *seg);

/* established.c */

/* The header prediction: true if the segment was wholly handled. */
bool tcp_fast_path(struct tcp_conn *c, struct tcp_segment *seg);

/* ack.c */

/* RFC 9293, 3.10.7.4, step five for synchronized states but for what FIN states add. False: the
 * segment was dropped and counted. */
bool tcp_ack_input(struct tcp_conn *c, const struct tcp_segment *seg);

/* recovery.c */

/* In fast recovery, or after a timeout, until recovery_end is acknowledged? */
bool tcp_is_recovering(const struct tcp_conn *c);

/* What is in the pipe; without SACK each duplicate tells that one segment has left it. */
uint32_t tcp_pipe_bytes(const struct tcp_conn *c);

/* Before tcp_recovery_on_ack(), and also when nothing was outstanding: takes back what a spurious
 * retransmission cost, if the ACK proves it. */
void tcp_recovery_try_undo(struct tcp_conn *c, const struct tcp_delivery *d, bool is_dsack,
                           bool is_dupack);

/* The scoreboard learned something (or RACK's window ended): what is lost, how much may be sent. */
void tcp_recovery_on_ack(struct tcp_conn *c, const struct tcp_delivery *d, bool is_dupack);

/* RACK's reordering window ended. */
void tcp_recovery_on_reorder_timer(struct tcp_conn *c);

/* The tail loss probe's timer expired. */
void tcp_recovery_on_tlp_timer(struct tcp_conn *c);

/* The retransmission timer expired. */
void tcp_recovery_on_rto(struct tcp_conn *c);

/* Arms the retransmission deadline by what is in flight and queued now. Idempotent. */
void tcp_recovery_arm(struct tcp_conn *c);

/* congestion.c */

/* The algorithm of this name. */
const struct tcp_cc_ops *tcp_congestion_ops(enum tcp_congestion congestion);

/* Which one the connection has. */
static inline enum tcp_congestion tcp_congestion_of(const struct tcp_conn *c)
{
    return (c->flags & TCP_F_BBR) != 0 ? TCP_CONGESTION_BBR : TCP_CONGESTION_CUBIC;
}

/* A new connection gets it: for all its life. */
static inline void tcp_set_congestion(struct tcp_conn *c, enum tcp_congestion congestion)
{
    c->flags |= congestion == TCP_CONGESTION_BBR ? TCP_F_BBR : 0;
}

/* What the congestion control of a connection with a sender is told of it. */
struct tcp_cc_look tcp_congestion_look(const struct tcp_conn *c);

/* What a segment remembers of the moment it was sent, while its algorithm measures rates. */
struct tcp_bw_mark *tcp_mark_of(const struct tcp_conn *c, const struct tcp_sent *s);

/* The record went out; the next one may have to wait for its turn. */
void tcp_congestion_on_sent(struct tcp_conn *c, const struct tcp_sent *s, bool was_resent);

/* All that may go now has gone. */
void tcp_congestion_on_output(struct tcp_conn *c);

/* An ACK was read, before it is known what it leaves lost. */
void tcp_congestion_on_delivery(struct tcp_conn *c, const struct tcp_delivery *d);

/* The last `bytes` of the scoreboard's LOST ones were found just now. */
void tcp_congestion_on_lost(struct tcp_conn *c, uint32_t bytes);

/* The retransmission timer expired: all in flight is about to be held lost. */
void tcp_congestion_on_timeout(struct tcp_conn *c, bool is_first);

/* How much may be in flight from now on. */
void tcp_congestion_on_ack(struct tcp_conn *c, const struct tcp_delivery *d, uint32_t lost,
                           bool is_dupack);

/* timers.c */

/* The wheel's callback. */
void tcp_conn_on_timer(struct wheel_timer *timer, uint64_t now_us);

/* Sets a deadline; 0: off. */
void tcp_deadline_set(struct tcp_conn *c, enum tcp_deadline which, uint64_t at_us);

/* Keepalive while owned, linger after release: the WAIT deadline of this state. */
void tcp_arm_wait(struct tcp_conn *c);

/* rcvq.c */

/* RFC 9293, 3.10.7.4, step seven: takes the payload of a segment whose first number is at or below
 * rcv_nxt or ahead of it, within the window. Sets seg->is_ack_due where the acknowledgement is not
 * to wait for the round's end. */
void tcp_text_input(struct tcp_conn *c, struct tcp_segment *seg);

/* Appends in-order payload to the receive queue; takes seg->m. */
void tcp_rcvq_append(struct tcp_conn *c, struct rte_mbuf *m);

/* The window that we may tell now: never left of what was told. */
uint32_t tcp_rcv_window(struct tcp_conn *c);

/* After the owner consumed: tells the window anew when that is worth a segment (RFC 9293,
 * 3.8.6.2.2). */
void tcp_rcvq_on_consumed(struct tcp_conn *c);

/* reasm.c */

/* Makes room in every mbuf for what the functions below keep there. Returns where; negative: there
 * is none. */
int tcp_reasm_register(void);

/* Puts a segment ahead of rcv_nxt aside; takes `m`, whose first byte is `seq`. False: all of it was
 * there already. Cost: O(ranges behind the gap), but O(1) behind the last one. */
bool tcp_reasm_insert(struct tcp_conn *c, struct rte_mbuf *m, seq_t seq);

/* Moves what has become in-order to the receive queue. */
void tcp_reasm_advance(struct tcp_conn *c);

/* The ranges put aside as SACK blocks, the one that changed last first (RFC 2018, section 4).
 * `n_max` > 0. Returns how many. Cost: O(ranges). */
unsigned tcp_reasm_sack(const struct tcp_conn *c, struct tcp_sack_block *ret, unsigned n_max);

/* Throws away the last range put aside, to make room: it is needed last. False: there is none. */
bool tcp_reasm_prune(struct tcp_conn *c);

/* Throws away all. */
void tcp_reasm_clear(struct tcp_conn *c);

/* Asserts what stands above. Walks all. */
void check_tcp_reasm(const struct tcp_conn *c);

/* sndq.c */

/* Room for bytes to write. */
uint32_t tcp_sndq_room(const struct tcp_conn *c);

/* Copies bytes in; returns how many (less: no room, or no mbuf). */
uint32_t tcp_sndq_write(struct tcp_conn *c, struct slice bytes);

/* Takes the mbuf whole, which has at most tcp_sndq_room() bytes. */
void tcp_sndq_push(struct tcp_conn *c, struct rte_mbuf *m);

/* Takes the first `bytes`, fewer than all, of `m` by reference: both hold its buffer from now on.
 * False: no mbuf. */
bool tcp_sndq_push_part(struct tcp_conn *c, struct rte_mbuf *m, uint32_t bytes);

/* `bytes` of payload at the front are acknowledged. */
void tcp_sndq_drop(struct tcp_conn *c, uint32_t bytes);

/* Room has come back: tells an owner who waits for it, when it is worth it. */
void tcp_sndq_wake(struct tcp_conn *c);

/* Moves a position (mbuf, offset from buf_addr) forward by `bytes`. */
void tcp_sndq_advance(struct rte_mbuf **m, uint16_t *offset, uint32_t bytes);

/* segment.c */

/* One segment to send: which numbers, which bytes. */
struct tcp_outgoing {
    seq_t seq;
    uint8_t flags; /* enum tcp_wire_flag */
    uint16_t bytes;
    struct rte_mbuf *data; /* where the payload begins; NULL: none */
    uint16_t offset;
    bool is_new;                            /* data that was never sent: may be ECN-capable */
    const struct tcp_sack_block *duplicate; /* to tell as D-SACK; NULL: none */
};

/* An mbuf with the header of the segment, this connection's acknowledgement, window and options in
 * it; the acknowledgement counts as sent. NULL: no mbuf (counted). */
struct rte_mbuf *tcp_segment_build(struct tcp_conn *c, const struct tcp_outgoing *o);

/* Frees one that was built and cannot be sent: no mbuf for its payload. */
void tcp_segment_drop(struct tcp_conn *c, struct rte_mbuf *m);

/* Adds flags to a header that was built. */
void tcp_segment_add_flags(struct rte_mbuf *m, uint8_t flags);

/* Hands what was built to net; it holds `n_segments`. `is_new`: as in struct tcp_outgoing. */
void tcp_segment_hand_over(struct tcp_conn *c, struct rte_mbuf *m, bool is_new,
                           unsigned n_segments);

/* Builds the segment with this connection's acknowledgement, window and options and hands it to
 * net. False: no mbuf (counted). */
bool tcp_segment_send(struct tcp_conn *c, const struct tcp_outgoing *o);

/* payload.c */

/* Copies the payload of the segment behind the header in `head`, with more mbufs if it needs them.
 * False: there are none. */
bool tcp_payload_copy(struct tcp *t, struct rte_mbuf *head, const struct tcp_outgoing *o);

/* Chains references to the payload. False: no mbufs, or it would take more than there may be; the
 * chain is as it was. Cost: an mbuf for each of the send queue's that has some of it. */
bool tcp_payload_chain(struct tcp *t, struct tcp_chain *chain, const struct tcp_outgoing *o);

/* run.c */

/* Until tcp_run_end() what tcp_run_send() sends of this connection may gather. */
void tcp_run_begin(struct tcp_conn *c);

/* As tcp_segment_send(), but a full segment may wait for those that follow it. */
bool tcp_run_send(struct tcp_conn *c, const struct tcp_outgoing *o);

/* What has gathered goes out. */
void tcp_run_end(struct tcp_conn *c);

/* out.c */

/* Sends what may be sent: SYN, retransmissions, data, FIN, acknowledgement. */
void tcp_output(struct tcp_conn *c);

/* The number of a segment without text: snd_nxt, but never beyond the peer's window. With a probe
 * of a closed window under way the peer would drop it, and with it the acknowledgement or the reset
 * that it carries. */
seq_t tcp_acceptable_seq(const struct tcp_conn *c);

/* Is there a byte, or a FIN, that was never sent? */
bool tcp_has_unsent(const struct tcp_conn *c);

/* With nothing in flight: would the first new segment go? Behind a closed or a silly window it
 * would not, and then the connection takes no sender from others. */
bool tcp_is_sender_due(const struct tcp_conn *c);

/* The value of our timestamp clock. */
uint32_t tcp_ts_now(const struct tcp_conn *c);

/* Sends one segment of new data, at most `bytes_max`, whatever cwnd says; `is_forced`: although the
 * peer's window is shut too. False: there is nothing to send, or no mbuf or record. */
bool tcp_output_new(struct tcp_conn *c, uint32_t bytes_max, bool is_forced);

/* Sends the record again. False: no mbuf. */
bool tcp_output_again(struct tcp_conn *c, struct tcp_sent *s);

/* An acknowledgement at once: where each one tells the sender something (RFC 5681, 4.2).
 * `duplicate`: NULL, or what came that was here before (D-SACK, RFC 2883). */
void tcp_output_ack(struct tcp_conn *c, const struct tcp_sack_block *duplicate);

/* An acknowledgement that is no answer to anything: seq one below, to make the peer speak. */
void tcp_output_keepalive(struct tcp_conn *c);

/* close.c */

/* Our direction ends after what is queued: RFC 9293, 3.10.4. */
void tcp_shutdown(struct tcp_conn *c);

/* RST on the wire, then the end. */
void tcp_abort(struct tcp_conn *c, enum stream_end end);

/* Our FIN was acknowledged: what step five adds in the closing states. */
void tcp_on_fin_acked(struct tcp_conn *c);

/* Step eight: the peer's FIN is next in order. */
void tcp_on_fin_received(struct tcp_conn *c);

/* ecn.c */

/* What the peer's SYN, or SYN-ACK, says of ECN. */
void tcp_ecn_take_syn(struct tcp_conn *c, const struct tcp_segment *seg);

/* ECE and CWR of our SYN or SYN-ACK. */
uint8_t tcp_ecn_syn_flags(const struct tcp_conn *c);

/* A segment that is acceptable: marks to echo, and their end. */
void tcp_ecn_input(struct tcp_conn *c, const struct tcp_segment *seg);

/* An ACK with ECE was read: slows us down, once a window. */
void tcp_ecn_on_mark(struct tcp_conn *c);

/* The window was reduced for a loss: the peer hears of that too, and echoes of that window count no
 * more. */
void tcp_ecn_on_reduced(struct tcp_conn *c);

/* rst.c */

/* Answers a segment of no connection (RFC 9293, 3.5.2), limited. */
void tcp_rst_reply(struct tcp *t, const struct tcp_segment *seg);

/* RST of a connection that we end. */
void tcp_rst_send(struct tcp_conn *c);

/* May one more acknowledgement go out in this second for a segment that is out of the window, or
 * for a TIME_WAIT? Else it is counted. */
bool tcp_may_answer_stray(struct tcp *t);

/* RFC 5961, section 7: an acknowledgement that makes an honest peer show itself; limited, by
 * connection and by worker. */
void tcp_challenge_ack(struct tcp_conn *c);

/* The answer to a peer that asks whether we are there. Limited, too, but not as strictly: as many
 * idle connections as there are may be asked within one second. */
void tcp_keepalive_ack(struct tcp_conn *c);

/* Step two: a segment with RST. */
void tcp_rst_input(struct tcp_conn *c, const struct tcp_segment *seg);

/* iss.c */

/* RFC 6528: clock of 4 us plus a keyed hash of the tuple. Pure. */
seq_t tcp_iss(const struct siphash_key *key, const struct flow_tuple *tuple, uint64_t now_us);

/* What a flow's packets show beside its numbers: a keyed hash of the tuple, of which each of the
 * following takes its own bits. Pure. */
uint64_t tcp_flow_secret(const struct siphash_key *key, const struct flow_tuple *tuple);

/* The offset of a connection's timestamps: so that our uptime stays ours. Pure. */
uint32_t tcp_ts_offset(uint64_t secret);

/* The label of a flow over IPv6, never 0: the same in all that is sent for the tuple, with or
 * without a connection. Pure. */
uint32_t tcp_flow_label(uint64_t secret);

/* ports.c */

/* Fills tuple->local_port with a port that no connection and no TIME_WAIT towards this destination
 * has and whose replies come to this worker. False: none was found in the bounded search. */
bool tcp_port_choose(struct tcp *t, unsigned port_index, struct flow_tuple *tuple);

/* stream.c */

/* The struct stream_ops of a connection. */
extern const struct stream_ops tcp_stream_ops;

/* flows.c */

/* A connection's state as enum flow_state. */
uint8_t tcp_flow_state(const struct tcp_conn *c);

/* Its flags: bit n is enum flow_flag n. */
uint32_t tcp_flow_flags(const struct tcp_conn *c);

/* What its retransmission timer is armed for: enum flow_timer. */
uint8_t tcp_flow_timer(const struct tcp_conn *c);

/* check.c */

/* Asserts the invariants of a connection. Cost: O(1). */
void check_tcp_conn(const struct tcp_conn *c);

/* Asserts those that need a walk: queues, scoreboard. For tests and the simulator. */
void check_tcp_conn_deep(const struct tcp_conn *c);
