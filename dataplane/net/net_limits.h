/* SPDX-License-Identifier: Apache-2.0 */
/* Every bound of net, with its reason. docs/limits.md is generated from these lines. */
#pragma once

/* Neighbours a worker knows or asks for. A rack's segment has tens, a flat data centre network some
 * hundreds; the least used makes place. */
#define NET_NEIGHBOURS_MAX 2048u

/* Of these, how many may be unresolved: a scan or a flood from forged on-link addresses must not
 * push out the neighbours that answer. */
#define NET_NEIGHBOURS_UNRESOLVED_MAX 256u

/* Packets that wait for one neighbour: a burst of requests opens that many connections to a backend
 * at once, and a SYN that is dropped here costs its request a second. RFC 4861, section 7.2.2 asks
 * for one. */
#define NET_NEIGHBOUR_QUEUE_MAX 32u

/* Requests before giving up, and before forgetting one that was known (RFC 4861, section 10:
 * MAX_MULTICAST_SOLICIT, MAX_UNICAST_SOLICIT). */
#define NET_NEIGHBOUR_TRIES_MAX 3u

/* RFC 4861, section 10: RETRANS_TIMER. */
#define NET_NEIGHBOUR_RETRY_US 1000000u

/* RFC 4861, section 10: REACHABLE_TIME; the jitter of section 6.3.2 is added to it. */
#define NET_NEIGHBOUR_REACHABLE_US 30000000u

/* RFC 4861, section 10: DELAY_FIRST_PROBE_TIME. */
#define NET_NEIGHBOUR_DELAY_US 5000000u

/* How long an unused neighbour is kept. */
#define NET_NEIGHBOUR_STALE_US 600000000u

/* Extension headers of an IPv6 packet that are walked: each kind may come once (RFC 8200, section
 * 4.1), and we know five. */
#define NET_IP6_EXTENSIONS_MAX 6u

/* Echo answers of a worker: monitoring needs some a second, a flood gets no more than these. */
#define NET_ECHO_PER_S_MAX 1000u
#define NET_ECHO_BURST_MAX 100u

/* New addresses announced a call of net_poll(): half of a port's burst. */
#define NET_ANNOUNCE_BURST_MAX 16u

/* How often and how far apart an address is announced (RFC 5227, section 1.1: ANNOUNCE_NUM,
 * ANNOUNCE_INTERVAL). */
#define NET_ANNOUNCE_TIMES 2u
#define NET_ANNOUNCE_INTERVAL_US 2000000u
