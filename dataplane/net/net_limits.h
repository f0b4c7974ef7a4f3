/* SPDX-License-Identifier: Apache-2.0 */
/* Every bound of net, with its reason. docs/limits.md is generated from these lines. */
#pragma once

/* Neighbours a worker knows or asks for. A rack's segment has tens, a flat data centre network some
 * hundreds; the least used makes place. */
#define NET_NEIGHBOURS_MAX 2048u

/* Of these, how many may be unresolved: a scan or a flood from forged on-link addresses must not
 * push out the neighbours that answer. */
#define NET_NEIGHBOURS_UNRESOLVED_MAX 256u

/* Of these, how many may be there because they spoke to us, and we never to them: asking for us a
 * thousand times under as many addresses must not push out who is spoken to. */
#define NET_NEIGHBOURS_HEARD_MAX 512u

/* Of those that tcp vouched for, how many are passed over before one has to go all the same. */
#define NET_NEIGHBOUR_CHANCES_MAX 16u

/* Another MAC for a known neighbour is claimed: how far apart the known one is asked, and how often
 * that is done at all. One that is gone is found out in a third of a second; a flood of claims
 * costs a frame a second. */
#define NET_NEIGHBOUR_DISPUTE_RETRY_US 100000u
#define NET_NEIGHBOUR_DISPUTE_US 1000000u

/* How often tcp's word is looked at while a neighbour waits for a proof: it has five seconds. */
#define NET_CONFIRM_INTERVAL_US 1000u

/* Frames of a burst that are looked at together before the first is handled: each asks for a line
 * of tcp's flow table and four of its connection. Twice as many gain nothing and need twice the
 * cache. */
#define NET_TOGETHER_MAX 32u

/* The least payload of a fragment that we make: every IPv6 link carries twice as much, and a packet
 * of 64 KB then has no more than 128. */
#define NET_PIECE_BYTES_MIN 512u

/* Groups in one report: what fits 1,280 bytes, the least that every link carries. */
#define NET_MLD_RECORDS_MAX 60u

/* Reports a poll: half of a port's burst. */
#define NET_MLD_REPORTS_MAX 16u

/* How often, and how far apart, groups are reported when addresses change (RFC 3810, sections 9.1
 * and 9.11: robustness variable, unsolicited report interval). */
#define NET_MLD_TIMES 2u
#define NET_MLD_INTERVAL_US 1000000u

/* How long a router of RFC 2710 is remembered (RFC 3810, section 9.12: twice its usual query
 * interval, and the time to answer). */
#define NET_MLD_V1_US 260000000u

/* Groups that we left and that are still to be told: all addresses at once. What is beyond, routers
 * and switches forget by themselves in minutes. */
#define NET_MLD_LEFT_MAX 16384u

/* Paths that are remembered to be narrower than their interface: four times this. An office has one
 * way out; a few thousand of those at a time are behind tunnels. */
#define NET_PATH_MTU_SETS_MAX 1024u

/* How long that is believed (RFC 1191, section 6.3; RFC 8201, section 5.3). */
#define NET_PATH_MTU_US 600000000u

/* The least that is remembered: every IPv6 link takes it, and nearly every tunnel over IPv4. */
#define NET_PATH_MTU_MIN 1280u

/* The longest wait before a query is answered, whatever it allows (RFC 3810, section 9.3: 10 s are
 * usual). */
#define NET_MLD_DELAY_US_MAX 10000000u

/* How often a gateway that did not answer is asked whether it is back. */
#define NET_GATEWAY_RETRY_US 10000000u

/* Packets that wait for one neighbour: a burst of requests opens that many connections to a backend
 * at once, and a SYN that is dropped here costs its request a second. Linux has room for some 250
 * small ones; RFC 4861, section 7.2.2 asks for one. */
#define NET_NEIGHBOUR_QUEUE_MAX 128u

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

/* Extension headers of an IPv6 packet that are walked: each kind may come once, destination options
 * twice (RFC 8200, section 4.1), and we know four. */
#define NET_IP6_EXTENSIONS_MAX 6u

/* Bytes of all of them: nobody sends more than some tens; a packet of nothing but options is work
 * without a purpose. */
#define NET_IP6_EXTENSION_BYTES_MAX 256u

/* Options in all of them, padding not counted (RFC 8504, section 5.3: 8 a header, of two kinds). */
#define NET_IP6_OPTIONS_MAX 16u

/* Packets a worker puts together at the same time: at 1 Gbit/s of 4 KB datagrams whose fragments
 * arrive within a millisecond of each other 32 are under way; eight times that. */
#define NET_DATAGRAMS_MAX 256u

/* Of these, how many of one share of the sources: a sender with more than this under way fights
 * with itself. */
#define NET_DATAGRAMS_PER_SHARE_MAX 32u

/* Fragments of a packet: 64 KB over the smallest MTU of IPv6 (1,280) are 54. Smaller ones are an
 * attack on whoever sorts them (CVE-2018-5391). */
#define NET_FRAGMENTS_PER_DATAGRAM_MAX 64u

/* Packets of memory (mbufs, 2 KB each) that wait in fragments of a worker: sixteen of the largest
 * packets, 2 MB. Less where that is more than a sixteenth of all mbufs for all workers. */
#define NET_FRAGMENT_MBUFS_MAX 1024u

/* Of these, how many of one share of the sources: two of the largest packets. */
#define NET_FRAGMENT_MBUFS_PER_SHARE_MAX 128u

/* Shares: sources (IPv6: /64s) are dealt out to them by a secret hash. A source that floods takes
 * one of 256 down with it. */
#define NET_FRAGMENT_SHARES_MAX 256u

/* How long a packet may take to arrive, from its first fragment on (RFC 8200, section 4.5; RFC
 * 1122, section 3.3.2). */
#define NET_REASSEMBLY_US 60000000u

/* Packets given up in one round because their time was over: a flood's end must not hold up
 * receiving. */
#define NET_REASSEMBLY_TIMEOUTS_MAX 32u

/* ICMP errors of a worker (RFC 4443, section 2.4 (f); RFC 1812, section 4.3.2.8): a person that
 * tries a port needs one, a flood gets no more than these. */
#define NET_ICMP_ERRORS_PER_S_MAX 1000u
#define NET_ICMP_ERRORS_BURST_MAX 100u

/* Of these, what one share of the destinations gets. */
#define NET_ICMP_ERRORS_PER_SHARE_PER_S_MAX 20u
#define NET_ICMP_ERRORS_PER_SHARE_BURST_MAX 10u

/* Shares: destinations are dealt out to them by a secret hash. */
#define NET_ICMP_ERROR_SHARES_MAX 256u

/* What the kernel's daemons get of one port by one worker, from neighbours and from afar: a
 * frame costs PORT_TAP_WORKER some two microseconds, so both together are 2 % of it. Strangers
 * far away have a part of their own, so that no flood of theirs takes the neighbours' (BFD,
 * VRRP, the router's BGP) away. Each kind has a rate for each share of the sources, too
 * (PUNT_LIST). */
#define NET_PUNT_NEAR_PER_S_MAX 8000u
#define NET_PUNT_FAR_PER_S_MAX 2000u
#define NET_PUNT_BURST_MAX 500u

/* Shares: sources are dealt out to them by a secret hash. A switch has some two or three of them as
 * peers; 16 keep a noisy one apart from most others. */
#define NET_PUNT_SHARES_MAX 16u

/* Frames of the kernel that are sent by a port in one round: daemons speak now and then, a table of
 * BGP is a thousand segments. */
#define NET_INJECT_FRAMES_MAX 16u

/* Echo answers of a worker: monitoring needs some a second, a flood gets no more than these. */
#define NET_ECHO_PER_S_MAX 1000u
#define NET_ECHO_BURST_MAX 100u

/* Questions before an address is used, and how far apart: a third of a second is thirty times what
 * a host on the same segment needs to answer. RFC 5227 (section 1.1) takes seconds, for links and
 * hosts of another time; RFC 4862 (section 5.1) leaves both to the node. */
#define NET_PROBE_TIMES 3u
#define NET_PROBE_INTERVAL_US 200000u

/* When there is no mbuf to ask, announce or report with, it is tried again after this. */
#define NET_NO_MBUF_RETRY_US 50000u

/* A worker that cannot ask for its addresses for want of mbufs holds up new images no longer. */
#define NET_SETTLE_US_MAX 3000000u

/* How long an address that somebody else has rests before it is asked for again (RFC 5227, section
 * 1.1: RATE_LIMIT_INTERVAL). */
#define NET_CONFLICT_US 60000000u

/* How often an address is defended at most (RFC 5227, section 1.1: DEFEND_INTERVAL). */
#define NET_DEFEND_INTERVAL_US 10000000u

/* Addresses asked for or announced a call of net_poll(): half of a port's burst. */
#define NET_ANNOUNCE_BURST_MAX 16u

/* How long nothing is asked, announced or reported after as much as one call may: ten thousand
 * VIPs that come together are told in a third of a second, at 16 Mbit/s, and not in a storm that
 * switches and their neighbours' queues drop parts of. Asked for three times, as many as there may
 * be are in use before NET_SETTLE_US_MAX. */
#define NET_ANNOUNCE_PAUSE_US 500u

/* How often and how far apart an address is announced (RFC 5227, section 1.1: ANNOUNCE_NUM,
 * ANNOUNCE_INTERVAL). */
#define NET_ANNOUNCE_TIMES 2u
#define NET_ANNOUNCE_INTERVAL_US 2000000u
