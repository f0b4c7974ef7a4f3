/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tcp does for connections that are not its own: those that are forwarded (l4). Where their
 * SYNs are too many it answers them by cookies in the endpoints' place, and says later which
 * acknowledgements give one back. Nothing is kept of either.
 *
 * The SYN-ACK tells a window of zero: the client waits with its data until the endpoint has
 * answered, too, and is then told a real one. Known ways: a full window and a queue for what comes
 * too early (memory that the client fills), or dropping it (its first retransmission costs 200 ms
 * at least). netfilter's SYNPROXY and pf tell a zero, too. Its terms have no ECN: whether the
 * endpoint answers to marks is not known yet.
 *
 * Owner: the worker. Thread: the worker.
 */
#pragma once

#include "tcp/syncookie.h"
#include "tcp/tcp.h"
#include "tcp/tcp_types.h"

/* What the SYN-ACK promises of the endpoint. */
struct tcp_stand_in {
    uint16_t mtu;   /* of the way to it, as far as the client's family counts */
    uint8_t wscale; /* of the windows that the client will be told */
};

/* Answers the SYN `m`, which begins at its TCP header, by a cookie. Counts it as tcp's own. Takes
 * ownership. */
void tcp_cookie_answer(struct tcp *t, struct rte_mbuf *m, const struct ip_addr *src,
                       const struct ip_addr *dst, const struct tcp_stand_in *as);

/* A peer that gave a cookie back. */
struct tcp_proof {
    seq_t peer_iss;
    seq_t number; /* the cookie: the endpoint's first number, as the peer knows it */
    struct tcp_cookie_terms terms;
    uint32_t ts_value; /* with timestamps: the peer's, */
    uint32_t ts_echo;  /* and ours, which came with the cookie */
    uint16_t window;   /* as it says it */
};

/* May a segment with these flags be the first sign of a peer that got a cookie? Not if none was
 * sent for a while. Cost: a compare. */
bool tcp_may_be_cookie(const struct tcp *t, uint8_t flags);

/* Is `m`, which begins at its TCP header, a whole acknowledgement of a cookie of ours? A probe of
 * the closed window counts, too, in case the acknowledgement was lost. Cost: two or four hashes. */
bool tcp_cookie_find(struct tcp *t, const struct rte_mbuf *m, const struct ip_addr *src,
                     const struct ip_addr *dst, struct tcp_proof *ret);

/* Header and options of seg->m into `seg`, and seg->m cut to the payload. False: no good segment;
 * counted. */
bool tcp_parse(struct tcp *t, struct tcp_segment *seg, const struct ip_addr *src,
               const struct ip_addr *dst);

/* A segment outside of any connection of ours: no payload. `window` unscaled. */
void tcp_bare_send(struct tcp *t, const struct flow_tuple *tuple, seq_t seq, seq_t ack,
                   uint8_t flags, uint16_t window, const struct tcp_options *options);
