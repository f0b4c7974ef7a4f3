/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The size of packets without help from routers (RFC 4821, RFC 8899), beside what ICMP tells
 * (icmp.c): a path that silently eats large packets is noticed by timeouts, and what it takes is
 * found out again by probes.
 *
 *   base    two timeouts in a row of a large segment: down to 1,280, again to the family's floor
 *   search  larger segments with real data, one at a time: first the largest that the interface
 *           takes (the timeouts may have had another cause), then halves of what is left between
 *           the largest that arrived and the smallest that did not, to within 16 bytes
 *   done    after ten minutes all may be otherwise: search again (RFC 1191, 6.3; RFC 8201, 4)
 *
 * What is found out is remembered by destination (net_path_mtu_learn()), and the next connection
 * begins with it.
 *
 * A probe's bytes are data like all others: if it is lost they go again, cut to what is known to
 * work. That loss tells of the size and not of congestion, so nothing slows down (RFC 4821, 7.6.4),
 * unless something else is lost with it.
 *
 * State: struct tcp_plpmtud beside the connection, two flags in it; a connection whose packets are
 * as large as they can be pays one test a segment. Owner: the connection. Cost: O(1).
 */
#pragma once

#include "base/seq.h"

#include <stdbool.h>
#include <stdint.h>

struct tcp_conn;
struct tcp_sent;

/* path_mtu of the connection < high <= mtu_max + 1. */
struct tcp_plpmtud {
    uint16_t mtu_max;  /* of the interface */
    uint16_t high;     /* the least size that failed; mtu_max + 1: none did */
    uint16_t probe;    /* with TCP_F_MTU_PROBE: the size that is out */
    uint8_t tries;     /* probes of the present size that were lost */
    bool is_guess;     /* path_mtu was lowered by timeouts, and nothing has arrived since */
    seq_t probe_end;   /* with TCP_F_MTU_PROBE: behind its last byte */
    uint32_t probe_ms; /* with TCP_F_MTU_SEARCH: no probe before this time */
};

/* The next size to try between `low`, which works, and `high`, which does not or is beyond the
 * largest; 0: they are close enough. Pure. */
uint16_t tcp_plpmtud_next(uint16_t low, uint16_t high, uint16_t mtu_max);

/* A connection begins: path_mtu is what the interface takes, or what is remembered of the path. */
void tcp_plpmtud_init(struct tcp_conn *c, uint16_t link_mtu);

/* The first acknowledgement of new data after timeouts: if they made path_mtu smaller, they were
 * right. */
void tcp_plpmtud_on_progress(struct tcp_conn *c);

/* path_mtu was lowered, by a router or by timeouts: searches after `wait_ms`. */
void tcp_plpmtud_lowered(struct tcp_conn *c, uint32_t wait_ms);

/* The retransmission timer expired with data in flight, `c->backoff` times in a row: perhaps the
 * path eats large packets. */
void tcp_plpmtud_on_timeout(struct tcp_conn *c);

/* With TCP_F_MTU_SEARCH: sends a probe if it is time, and both windows and the data allow one.
 * True: sent. */
bool tcp_plpmtud_send(struct tcp_conn *c);

/* With TCP_F_MTU_PROBE: snd_una has moved; it may be behind the probe. */
void tcp_plpmtud_on_ack(struct tcp_conn *c);

/* Of `lost` bytes that were just found lost: is it the probe, and nothing else? */
bool tcp_plpmtud_is_probe_alone(const struct tcp_conn *c, uint32_t lost);

/* With TCP_F_MTU_PROBE: the record is about to be cut and sent again. */
void tcp_plpmtud_on_cut(struct tcp_conn *c, const struct tcp_sent *s);

/* With TCP_F_MTU_PROBE: a router tells that packets of at most `mtu` pass, and quotes `seq`. True:
 * it is about the probe, which is settled by it. */
bool tcp_plpmtud_on_too_big(struct tcp_conn *c, seq_t seq, uint16_t mtu);
