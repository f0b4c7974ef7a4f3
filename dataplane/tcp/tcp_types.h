/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection and what is made of a received segment.
 *
 * States are those of RFC 9293, 3.3.2, but two: LISTEN is the upcall tcp_listen_fn, TIME_WAIT is a
 * record of 64 bytes (timewait.h). How a connection lives:
 *
 *   pool --SYN--> SYN_RCVD --ACK--> ESTABLISHED, accept programmed --accept--> owned
 *   pool --tcp_open--> SYN_SENT, owned --SYN,ACK--> ESTABLISHED
 *   any --end: out of the table, timer off, CLOSED programmed--> CLOSED --release--> pool
 *
 * It is in the flow table in every state but CLOSED and FREE. It is given back to the pool by
 * handle_ready() only: nobody's pointer goes stale within a call.
 */
#pragma once

#include "base/ip_addr.h"
#include "base/wheel.h"
#include "core/flow_table.h"
#include "core/stream.h"
#include "tcp/mbufq.h"
#include "tcp/options.h"
#include "tcp/rtt.h"
#include "tcp/sender.h"
#include "tcp/wire.h"

struct tcp;

#define TCP_STATE_LIST(X)                                                                          \
    X(FREE)                                                                                        \
    X(CLOSED)                                                                                      \
    X(SYN_SENT)                                                                                    \
    X(SYN_RCVD)                                                                                    \
    X(ESTABLISHED)                                                                                 \
    X(FIN_WAIT_1)                                                                                  \
    X(FIN_WAIT_2)                                                                                  \
    X(CLOSE_WAIT)                                                                                  \
    X(CLOSING)                                                                                     \
    X(LAST_ACK)

enum tcp_state {
#define X(name) TCP_##name,
    TCP_STATE_LIST(X)
#undef X
};

enum tcp_conn_flag {
    TCP_F_ACTIVE = 1u << 0,        /* opened by us: no accept */
    TCP_F_OWNED = 1u << 1,         /* somebody holds the stream */
    TCP_F_SACK = 1u << 2,          /* agreed upon in the handshake: */
    TCP_F_TIMESTAMPS = 1u << 3,    /* */
    TCP_F_SHUTDOWN = 1u << 4,      /* our direction ends after snd_end; FIN takes that number */
    TCP_F_FIN_SENT = 1u << 5,      /* snd_nxt is behind the FIN */
    TCP_F_FIN_RCVD = 1u << 6,      /* rcv_nxt is behind the peer's FIN */
    TCP_F_WANT_WRITE = 1u << 7,    /* a write took less than given: WRITABLE is owed */
    TCP_F_ACK_NOW = 1u << 8,       /* an acknowledgement goes out this round */
    TCP_F_ACK_DELAYED = 1u << 9,   /* it may wait for the timer */
    TCP_F_SEND_SYN = 1u << 10,     /* SYN or SYN-ACK goes out this round */
    TCP_F_RECOVERY = 1u << 11,     /* fast recovery until recovery_end */
    TCP_F_LOSS = 1u << 12,         /* after a timeout, until recovery_end */
    TCP_F_CWND_LIMITED = 1u << 13, /* cwnd was what stopped the last output */
    TCP_F_TLP = 1u << 14,          /* a tail-loss probe is out, up to tlp_end */
    TCP_F_TLP_RESENT = 1u << 15,   /* the probe was a retransmission */
    TCP_F_PROBE = 1u << 16,        /* the first record was sent into a closed window */
    TCP_F_STARVED = 1u << 17,      /* on tcp.starved or tcp.waiting, not on outputs */
    TCP_F_WSCALE = 1u << 19,       /* agreed upon in the handshake */
    TCP_F_FIN_AHEAD =
        1u << 20, /* the peer's FIN was seen at fin_ahead; data before it is missing */
    TCP_F_URGENT_OUT = 1u << 21,   /* the peer has yet to get urgent bytes */
    TCP_F_URGENT_IN = 1u << 22,    /* the peer told of urgent bytes */
    TCP_F_URGENT_WATCH = 1u << 23, /* STREAM_URGENT is wanted */
    TCP_F_ECN = 1u << 24,          /* agreed upon in the handshake (RFC 3168) */
    TCP_F_ECN_ECHO = 1u << 25,     /* a mark came: told until the peer has slowed down */
    TCP_F_CWR = 1u << 26,          /* we have slowed down: told with the next new data */
    TCP_F_MTU_SEARCH = 1u << 28,   /* packets could be larger: plpmtud.h */
    TCP_F_MTU_PROBE = 1u << 29,    /* one that is larger is in flight */
    TCP_F_BBR = 1u << 30,          /* its congestion control is BBR, not CUBIC */
    TCP_F_RESTING = 1u << 27,      /* the owner has nothing under way: see stream_rest() */
    TCP_F_WINDOW_SHORT = 1u << 18, /* the window is small because mbufs are short */
};

/* What is programmed for handle_ready(), beside the events of core/stream.h. */
enum {
    TCP_EVENT_ACCEPT = 1u << 6,
    TCP_EVENT_FREE = 1u << 7,
};

/* Of tcp_conn.troubles, beside enum tcp_trouble: STREAM_TROUBLE is wanted. */
#define TCP_TROUBLES_ARE_WATCHED (1u << 7)

/* The one wheel timer of a connection serves all deadlines. */
enum tcp_deadline {
    TCP_DEADLINE_RETRANSMIT, /* meaning: enum tcp_retransmit_kind */
    TCP_DEADLINE_DELACK,
    TCP_DEADLINE_WAIT, /* connect timeout, keepalive, linger: by state */
    TCP_DEADLINE_PACE, /* the next segment may go */
    TCP_DEADLINES,
};

enum tcp_retransmit_kind {
    TCP_RETRANSMIT_NONE,
    TCP_RETRANSMIT_SYN,
    TCP_RETRANSMIT_REORDER, /* RACK's reordering window ends */
    TCP_RETRANSMIT_TLP,
    TCP_RETRANSMIT_RTO,
    TCP_RETRANSMIT_PERSIST,
};

struct tcp_conn {
    /* line 0: what every received segment looks at */
    struct stream stream; /* first: a stream is a connection; owner: the bind until accepted */
    struct tcp *tcp;
    uint32_t flags; /* enum tcp_conn_flag */
    uint8_t state;  /* enum tcp_state */
    uint8_t events; /* programmed: enum stream_event, TCP_EVENT_* */
    uint8_t snd_wscale;
    uint8_t rcv_wscale;
    seq_t rcv_nxt;
    seq_t rcv_adv; /* right edge of the window that we told */
    seq_t snd_una;
    seq_t snd_nxt;
    uint32_t snd_wnd;
    uint32_t ts_recent;
    /* line 1: queues */
    struct tcp_mbufq rcvq; /* in order, unread */
    struct tcp_mbufq sndq; /* from snd_una to snd_end */
    seq_t snd_end;         /* behind the last byte written */
    uint16_t mss;          /* payload of a full segment, options counted */
    uint8_t full_segments; /* received since the last acknowledgement */
    uint8_t retransmit_kind;
    uint32_t last_rx_ms;
    uint32_t ts_offset; /* of our timestamps: not to tell our uptime */
    /* line 2: sending */
    struct tcp_sender *tx; /* NULL: nothing is in flight */
    uint16_t peer_mss;     /* as the peer told */
    uint16_t path_mtu;
    uint8_t backoff;    /* timeouts in a row */
    uint8_t probes;     /* keepalives or SYNs in a row */
    uint8_t end;        /* enum stream_end */
    uint8_t generation; /* of this use of the pool's object */
    uint8_t tos;        /* of what is sent */
    uint8_t troubles;   /* enum tcp_trouble; TCP_TROUBLES_ARE_WATCHED */
    uint8_t quick_acks; /* so many full segments more are acknowledged at once */
    uint8_t ooo_ranges; /* on oooq; see reasm.c */
    struct tcp_rtt rtt;
    uint32_t kept_cwnd_bytes;     /* for the next sender: what the last one had, */
    uint32_t kept_ssthresh_bytes; /* or what the handshake allows */
    seq_t snd_wl1;
    uint32_t snd_wnd_max;
    uint32_t progress_ms; /* when snd_una moved last, or something was first in flight */
    uint32_t ts_recent_ms;
    seq_t last_ack_sent;
    seq_t rcv_mark; /* room.c: what the owner had consumed at rcv_mark_ms */
    uint32_t challenge_ms;
    struct flow_tuple tuple;
    struct tcp_mbufq oooq;   /* out of order; see reasm.c */
    struct list_node ready;  /* on tcp.ready while events != 0 */
    struct list_node output; /* on tcp.outputs, tcp.starved or tcp.waiting */
    struct wheel_timer timer;
    uint64_t deadline_us[TCP_DEADLINES]; /* 0: off */
    uint16_t rcv_mark_ms;
    uint16_t rcv_earned_kib; /* what the window may be for what the owner consumed: room.c */
    /* for those who look */
    uint32_t created_ms;
    uint32_t retransmits;   /* segments sent again so far */
    uint32_t timeouts : 12; /* retransmission timeouts so far, TCP_TIMEOUTS_TOLD_MAX at most */
    /* not for them, but here is room */
    uint32_t flow_label : 20; /* of what is sent over IPv6 */
};

static_assert(sizeof(struct tcp_conn) <= 384, "memory of an idle connection");
static_assert(offsetof(struct tcp_conn, rcvq) == 64, "line 0 is what a segment needs first");
static_assert(offsetof(struct tcp_conn, tx) == 128, "line 1 ends here");

/* A received segment, addresses as seen by us. Lives for one tcp_input(). */
struct tcp_segment {
    struct rte_mbuf *m; /* the payload; NULL once taken */
    uint64_t flow_hash; /* of the tuple */
    struct flow_tuple tuple;
    seq_t seq;
    seq_t ack;
    uint32_t len;    /* of the payload */
    uint16_t window; /* unscaled */
    uint16_t urgent; /* with URG: how far behind seq the urgent bytes end */
    uint8_t flags;   /* enum tcp_wire_flag */
    uint8_t ecn;     /* of the IP header: enum tcp_ecn */
    bool is_ack_due; /* its acknowledgement tells the sender something: at once, and just one */
    struct tcp_sack_block again; /* with is_ack_due: what was here before; empty: nothing */
    struct tcp_options options;
};

/* The ECN field: the lower two bits of the IP header's TOS or traffic class (RFC 3168, 5). */
enum tcp_ecn {
    TCP_ECN_ECT0 = 2, /* what we send ECN-capable segments with */
    TCP_ECN_CE = 3,
    TCP_ECN_MASK = 3,
};

/* The numbers that the segment takes: SYN and FIN have one each. */
static inline uint32_t tcp_segment_len(const struct tcp_segment *seg)
{
    return seg->len + ((seg->flags & TCP_SYN) != 0) + ((seg->flags & TCP_FIN) != 0);
}

/* The name of a state. */
const char *tcp_state_name(enum tcp_state state);
