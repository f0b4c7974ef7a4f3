/* SPDX-License-Identifier: Apache-2.0 */
/* Every bound and every time of tcp, with its unit and its reason. */
#pragma once

/* Retransmission timeout (RFC 6298); the floor is Linux's, see codebases on proxies: 1 s is too
 * slow behind a load balancer, less than a peer's delayed acknowledgement is too fast. */
#define TCP_RTO_INITIAL_US 1000000u
#define TCP_RTO_MIN_US 200000u
#define TCP_RTO_SYN_LOST_US 3000000u /* a SYN was sent again and nothing measured: 5.7 */
#define TCP_RTO_US_MAX 60000000u
#define TCP_BACKOFF_MAX 8u /* doublings of the RTO: 200 ms grow to 51 s */

#define TCP_DELACK_US_MAX 40000u /* an acknowledgement waits this long for company (RFC 1122) */
#define TCP_PEER_DELACK_US_MAX 200000u /* what a peer may wait: part of a lone tail-loss probe */
#define TCP_MIN_RTT_WINDOW_MS 10000u   /* a minimum older than this is forgotten */

#define TCP_CONNECT_TIMEOUT_MS 190000u /* default of an active open: 3 minutes of SYNs (3.8.3) */
#define TCP_SYN_RETRIES_MAX 8u         /* SYNs sent again, within the connect timeout */
#define TCP_SYN_ACK_RETRIES_MAX 5u     /* 31 s: the listener gives up sooner, half-opens are few */
/* A SYN cookie is good for 32 to 64 s: as long as a half-open connection sends its SYN-ACK again,
 * and shorter than the usual 64 to 128 s. */
#define TCP_COOKIE_EPOCH_US 32000000ULL
/* Half-open connections beyond half_open_max, as a share of it, for SYNs that take over a
 * TIME_WAIT: their number must lie beyond the old one, which no cookie can promise, and a peer that
 * has a TIME_WAIT here has shown its address. */
#define TCP_HALF_OPEN_REUSE_SHARE 4u
/* The last share of the connections that peers may open is for those who gave a cookie back. */
#define TCP_PROVEN_SHARE 8u
#define TCP_LISTENERS_COUNTED 256u /* half-open counts by listener: more listeners share some */
#define TCP_R1_TIMEOUTS 3u         /* so many in a row, and the next hop is doubted (3.8.3) */
#define TCP_SYN_AGAIN_US 2000u     /* to a peer that answered for an old connection and was reset */
#define TCP_USER_TIMEOUT_MS 120000u   /* no progress for so long: the peer is gone; a default */
#define TCP_LINGER_US_MAX 30000000u   /* after release: to send the rest and see the peer's FIN */
#define TCP_TIMEWAIT_US_MAX 30000000u /* 2 MSL of 15 s: longer than any queue on the way holds */

#define TCP_KEEPALIVE_IDLE_MS_USUAL 7200000u /* two hours (3.8.4), for who has no better idea */
#define TCP_KEEPALIVE_INTERVAL_US 15000000u
#define TCP_KEEPALIVE_PROBES_MAX 4u

#define TCP_MSS_MIN 64u /* a smaller option is taken as this: 1-byte segments are an attack */
#define TCP_MSS_DEFAULT_4 536u /* RFC 9293, 3.7.1 */
#define TCP_MSS_DEFAULT_6 1220u
#define TCP_PMTU_MIN_4 552u       /* an ICMP error cannot push the path MTU below this */
#define TCP_PMTU_MIN_6 1280u      /* RFC 8200 */
#define TCP_PMTU_BASE 1280u       /* every IPv6 link takes it, and nearly every tunnel over IPv4 */
#define TCP_PMTU_TIMEOUTS 2u      /* so many in a row of a large segment: the path may eat them */
#define TCP_PMTU_SEARCH_MS 1000u  /* after that, probes: what was lost has arrived by then */
#define TCP_PMTU_RAISE_MS 600000u /* a lowered path may be larger again (RFC 1191, 6.3; RFC 8899) */
#define TCP_PMTU_PROBE_MS 1000u   /* between a probe that was lost and the next */
#define TCP_PMTU_TRIES_MAX 3u     /* probes of one size (RFC 8899, MAX_PROBES) */
#define TCP_PMTU_CLOSE_BYTES 16u  /* a search ends when it is so close: 1 % */
#define TCP_PMTU_FOLLOWERS 3u     /* segments behind a probe, which tell soon that it was lost */
#define TCP_PACKET_BYTES_MAX 1900u /* an IP packet that one mbuf holds with all its headers */
#define TCP_JUMBO_BYTES_MAX 9216u  /* an IP packet where every port sends chains of mbufs */
#define TCP_JUMBO_MBUFS 6u         /* such a chain: a header's, and full ones */
#define TCP_WSCALE_MAX 14u         /* RFC 7323 */
#define TCP_WINDOW_BYTES_MAX (1u << 30)
#define TCP_RX_WINDOW_BYTES_MAX (UINT16_MAX * 1024u) /* ours; what is earned is kept in KiB */

#define TCP_INITIAL_WINDOW_SEGMENTS 10u /* RFC 6928 */
#define TCP_PACE_BURST_SEGMENTS 10u     /* at once after silence: what a new connection sends too */
#define TCP_PIPE_ACK_PERIOD_MS_MIN 1000u /* RFC 7661, 4.2: or three round trips */
#define TCP_NON_VALIDATED_MS_MAX 300000u /* RFC 7661, 4.4: five minutes */
#define TCP_CWND_BYTES_MAX (1u << 28)    /* arithmetic in cubic stays within 64 bits */
#define TCP_BBR_MIN_PIPE_SEGMENTS 4u     /* in flight at least: peers acknowledge every second */
#define TCP_BBR_BETA_PERCENT 70u         /* what a round of losses leaves at least, as with CUBIC */
#define TCP_BBR_QUANTUM_BYTES_MAX 65536u /* at once, whatever the rate is */
#define TCP_BBR_PACE_US_MAX 1000000u     /* a segment never waits longer for its turn */

/* A queue holds at most this share of the mbufs that are free above mbufs_low: one connection can
 * have its whole buffer, many cannot. It may always hold a few: a head, a small answer. */
#define TCP_SHARE_OF_FREE 16u
/* And this share while nothing has been drained: some hundred that never move leave half. */
#define TCP_FIRST_SHARE_OF_FREE 512u
#define TCP_SHARE_MBUFS_MIN 8u
/* See memory.c. A look costs two cache misses a slot, some microseconds. */
#define TCP_SHED_LOOKS_MAX 64u /* slots that the hand passes in one look */
#define TCP_SHED_CONNS_MAX 8u  /* connections ended by one look */
#define TCP_SHED_IDLE_MS 100u  /* a client that just got its answer asks again at once */
#define TCP_SHED_LIAR_MS                                                                           \
    10u /* who acknowledges what was never sent: some times a LAN's round trip */
#define TCP_SHED_HOLDER_MS_MAX 1000u /* patience with who moves nothing, on the longest path */
#define TCP_ABSENCE_US 20000u        /* between two rounds: a worker sleeps half a ms at most */
#define TCP_WINDOW_SMALL_BYTES                                                                     \
    8192u                         /* of a connection that begins in need: a request's head fits */
#define TCP_MBUFS_LOOK_US 100u    /* in which a worker cannot take what it keeps in reserve */
#define TCP_STARVED_LOOK_US 1000u /* between looks for memory that did not come back at once */
#define TCP_EVENTS_PER_POLL_MAX 256u  /* stream events and accepts: the rest waits a round */
#define TCP_OUTPUTS_PER_POLL_MAX 512u /* connections that send in one round */
#define TCP_BURST_SEGMENTS_MAX 64u    /* segments of one connection in one round */
#define TCP_SACK_BLOCKS_MAX 4u        /* what fits into the options */
#define TCP_SACK_HOPS_MAX 256u        /* records passed for one SACK block: some microseconds */
#define TCP_OOO_RANGES_MAX 128u       /* out of order: 10 % of a megabyte's segments lost make 70 */
#define TCP_COALESCE_BYTES_MAX 1024u  /* half an mbuf: so little is copied behind so little */
#define TCP_COPY_BYTES_MAX 255u       /* copied rather than referred to: that would cost an mbuf */

#define TCP_PORT_TRIALS_MAX                                                                        \
    1024u /* source ports looked at for one open (16 for each of 64 workers) */

/* Answers that a stranger can provoke, a worker: the mean of each second's budget (rate.h). Few,
 * for an honest peer needs one once in a while; resets as challenges. */
#define TCP_CHALLENGE_INTERVAL_MS 500u /* one challenge ACK a connection (RFC 5961, section 7) */
#define TCP_CHALLENGE_PER_SECOND_MAX 1000u /* challenge ACKs; tcp_config may say another number */
#define TCP_RST_PER_SECOND_MAX 1000u       /* resets to segments of no connection; likewise */
/* Acknowledgements of data out of the window, of keep-alive probes, and of what comes for a
 * TIME_WAIT: what a peer sends again when all of a large window's acknowledgements were lost is
 * some hundred segments; and of a hundred thousand peers that rest, each may ask every 15 s. */
#define TCP_STRAY_ACKS_PER_SECOND_MAX 10000u
#define TCP_TIMEOUTS_TOLD_MAX 4095u /* of a connection: it has 12 bits to count them */
#define TCP_PATH_REFRESH_MS 1000u   /* how old the looked-up path may get */
