/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scoreboard: one record for each segment between SND.UNA and SND.NXT. Pure: no mbuf is
 * touched, no clock is read.
 *
 * A record is in exactly one place:
 *   IN_FLIGHT  on board.in_flight, in the order of (re)transmission: RACK's order
 *   LOST       on board.lost, in the order of detection: the order of retransmission
 *   SACKED     on neither: the peer has it, the cumulative acknowledgement has not come yet
 * and always on board.by_seq. So "what is in the pipe" is a sum, not a walk (RFC 6675's SetPipe).
 *
 *   in_flight_bytes + lost_bytes + sacked_bytes == SND.NXT - SND.UNA   (SYN not counted, FIN is)
 */
#pragma once

#include "base/list.h"
#include "base/seq.h"
#include "tcp/sack_seen.h"

#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;

enum tcp_sent_place {
    TCP_SENT_IN_FLIGHT,
    TCP_SENT_LOST,
    TCP_SENT_SACKED,
};

struct tcp_sent {
    struct list_node by_seq;
    struct list_node by_place; /* on in_flight or on lost */
    uint64_t sent_us;          /* of the last transmission */
    struct rte_mbuf *data;     /* where the first byte lies; NULL for a FIN alone */
    seq_t seq;
    uint16_t bytes;  /* payload */
    uint16_t offset; /* of the first byte, from data->buf_addr */
    uint8_t place;   /* enum tcp_sent_place */
    bool has_fin;
    bool was_resent;
};

static_assert(sizeof(struct tcp_sent) == 64, "one cache line a segment in flight");

struct tcp_board {
    struct list_node by_seq;
    struct list_node in_flight;
    struct list_node lost;
    uint32_t in_flight_bytes;
    uint32_t lost_bytes;
    uint32_t sacked_bytes;
    uint32_t sacked_count;
    seq_t sacked_end; /* the highest byte delivered, SACKed or acknowledged, and one */
    /* A block is told again by the next ACKs, and grows. Of those told last it is known that all
     * their records are SACKED; what is new is found from where the last search ended. */
    struct tcp_sack_seen seen;
    struct tcp_sent *mark; /* NULL: the first record */
};

/* What one ACK told, summed up over the records that it delivered. */
struct tcp_delivery {
    uint64_t now_us;       /* in: time of the ACK */
    uint32_t min_rtt_us;   /* in: a shorter time after a retransmission is ambiguous */
    bool is_marked;        /* in: the peer tells of congestion by ECN: nothing grows */
    bool has_echo;         /* in: echo_ms is valid */
    uint32_t echo_ms;      /* in: the sender's clock in ms as echoed by the peer */
    uint32_t acked_bytes;  /* cumulatively acknowledged, of those that were not SACKed before: */
    uint32_t sacked_bytes; /* newly SACKed */
    uint32_t una_bytes;    /* by how much SND.UNA moved */
    bool has_rtt;          /* a segment sent once was delivered: rtt_us is valid (Karn) */
    bool has_newest;       /* newest* are valid: RACK.segment */
    bool newest_was_resent;
    bool saw_original;   /* one held to be lost was delivered without having been sent again */
    bool saw_later;      /* one in flight, sent once, was delivered */
    bool saw_reordering; /* one sent once was delivered below one delivered earlier */
    uint64_t rtt_us;     /* of the oldest of them: what the RTO must survive */
    uint64_t newest_sent_us;
    seq_t newest_end;
    const struct tcp_sent *newest; /* which one: it may be free by now, only its place tells */
};

/* Sequence numbers that the record covers, FIN included. */
static inline uint32_t tcp_sent_len(const struct tcp_sent *s)
{
    return (uint32_t)s->bytes + s->has_fin;
}

/* One past the last. */
static inline seq_t tcp_sent_end(const struct tcp_sent *s)
{
    return seq_add(s->seq, tcp_sent_len(s));
}

/* Nothing sent; SND.UNA is `una`. */
void tcp_board_init(struct tcp_board *b, seq_t una);

/* True when nothing is unacknowledged. */
static inline bool tcp_board_is_empty(const struct tcp_board *b)
{
    return list_is_empty(&b->by_seq);
}

/* The lowest record; NULL: none. */
struct tcp_sent *tcp_board_first(const struct tcp_board *b);

/* The highest record; NULL: none. */
struct tcp_sent *tcp_board_last(const struct tcp_board *b);

/* What is to be sent again next; NULL: nothing. */
struct tcp_sent *tcp_board_next_lost(const struct tcp_board *b);

/* `s` (zeroed but for what it carries) is sent for the first time, right behind the last one. */
void tcp_board_sent(struct tcp_board *b, struct tcp_sent *s, uint64_t now_us);

/* `s` is sent again, whether it was LOST or IN_FLIGHT. */
void tcp_board_resent(struct tcp_board *b, struct tcp_sent *s, uint64_t now_us);

/* `s`, which is IN_FLIGHT or SACKED (reneging), is held to be lost. */
void tcp_board_lose(struct tcp_board *b, struct tcp_sent *s);

/* Splits `s` after its first `bytes`: `rest`, a record of the caller's, takes what follows, in the
 * same place. The caller sets rest->data and rest->offset. */
void tcp_board_split(struct tcp_board *b, struct tcp_sent *s, struct tcp_sent *rest,
                     uint16_t bytes);

/* Takes the next record that lies wholly below `una` off the board and adds it to `d`; NULL: there
 * is no more, and one that `una` cuts was shortened. The caller frees it. */
struct tcp_sent *tcp_board_ack(struct tcp_board *b, seq_t una, struct tcp_delivery *d);

/* Marks what lies within the block as SACKED and adds it to `d`. Blocks outside of what is
 * unacknowledged are the caller's to leave out. Cost: O(records newly marked), and at most
 * TCP_SACK_HOPS_MAX others: what lies farther away waits for the next ACK. */
void tcp_board_sack(struct tcp_board *b, const struct tcp_sack_block *block,
                    struct tcp_delivery *d);

/* What is LOST is IN_FLIGHT after all: the timeout was spurious. */
void tcp_board_unlose_all(struct tcp_board *b);

/* After a retransmission timeout: everything not SACKED is LOST; if the peer has dropped what it
 * had SACKed (the first record is SACKED: reneging, RFC 2018), that too. */
void tcp_board_lose_all(struct tcp_board *b);

/* Asserts the sums and places above. Walks all: for tests and the simulator. */
void check_tcp_board(const struct tcp_board *b, seq_t una, seq_t nxt);
