/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One worker's net between two ports that record what is sent, and a tcp that records what it is
 * given:
 *
 *   interface 0  port 0            192.0.2.1/24  2001:db8::1/64
 *                                  VIPs 203.0.113.80  2001:db8:5::80
 *   interface 1  port 0, VLAN 7    198.51.100.1/24
 *   interface 2  port 1, offloads  10.9.0.1/16
 *   routes       0.0.0.0/0 via 192.0.2.254  ::/0 via 2001:db8::fe
 *
 * Frames that come in lie in memory of just their size, so that a sanitizer sees a read past the
 * end.
 */
#pragma once

#include "core/core.h"
#include "net/net_priv.h"
#include "net/udp.h"
#include "packet.h"
#include "unit.h"

#define MAC_US "02:00:00:00:00:01"
#define MAC_PEER "02:00:00:00:00:99"
#define MAC_OTHER "02:00:00:00:00:77"
#define MAC_ALL "ff:ff:ff:ff:ff:ff"
#define US4 "192.0.2.1"
#define PEER4 "192.0.2.9"
#define US6 "2001:db8::1"
#define PEER6 "2001:db8::9"
#define LL6 "fe80::ff:fe00:1"
#define GROUP6 "ff02::1:ff00:1" /* solicited-node of US6 */
#define MAC_GROUP6 "33:33:ff:00:00:01"

#define SENT_MAX 512u
#define TO_TAP_MAX 4096u

struct sent {
    unsigned port;
    unsigned len;
    uint64_t ol_flags;
    uint8_t bytes[PACKET_BYTES_MAX];
};

struct net_fixture {
    struct core core;
    struct net *net;
    unsigned n_sent;
    struct sent sent[SENT_MAX];
    bool records_reports; /* of MLD, which otherwise count as not sent: they come beside all else */
    unsigned n_segments;  /* that tcp was given */
    uint32_t segment_bytes; /* of the last of them */
    uint8_t segment[65536]; /* its content */
    uint8_t segment_tos;
    struct { /* what tcp was asked first: expect 'e', prefetch 'p', input 'i' */
        char what;
        uint64_t flow_hash; /* of our tcp: the source port */
    } asked[256];
    unsigned n_asked;
    struct ip_addr segment_src;
    struct ip_addr segment_dst;
    unsigned n_errors;
    struct net_icmp_error error; /* the last */
    unsigned n_datagrams;        /* that udp's listener was given */
    uint32_t datagram_bytes;
    uint8_t datagram[65536];
    struct net_udp_header datagram_header;
    unsigned n_udp_errors;
    struct net_icmp_error udp_error;
    bool respreads_away; /* packets put together belong to another worker, who takes them */
    unsigned n_respread;
    struct sent respread; /* the last */
    unsigned n_to_tap;    /* frames for the kernel */
    struct sent to_tap;   /* the last */
    unsigned n_from_tap;
    struct rte_mbuf *from_tap; /* what the kernel sends next, of port 0 */
    unsigned n_gone;           /* how often addresses went */
};

#define UDP_PORT 53u /* the one that the fixture listens on */

/* The fixture, fresh: no neighbours known, announcements done and forgotten. */
struct net_fixture *net_up(uint8_t worker);

/* The same with a TAP beside port 0. */
struct net_fixture *net_up_with_tap(uint8_t worker);

/* The kernel sends `p` by the TAP of port 0. */
void net_receive_from_tap(struct net_fixture *f, const struct packet *p);

/* Ends it; nothing may be left: no mbuf, no timer, no neighbour. Its counters join the totals. */
void net_down(struct net_fixture *f);

/* The sum of a counter over all fixtures so far. */
uint64_t net_total(enum stat_id id);

/* The configuration of the picture above. */
const struct net_config *net_fixture_config(void);

/* Gives `p` to net as received by `port`. */
void net_receive(struct net_fixture *f, const struct packet *p, uint16_t port);

/* Gives a burst of packets to net at once. */
void net_receive_burst(struct net_fixture *f, const struct packet *packets, unsigned n);

/* The same as a copy for learning only, as another worker gets it. */
void net_receive_copy(struct net_fixture *f, const struct packet *p);

/* Sends `bytes` of a TCP segment to `dst` from the address that the path says. */
void net_send(struct net_fixture *f, const char *dst, unsigned bytes);

/* Time passes: timers run. */
void net_wait_ms(struct net_fixture *f, uint64_t ms);

/* A counter of this fixture. */
uint64_t net_stat(const struct net_fixture *f, enum stat_id id);

/* Forgets what was sent. */
void net_forget_sent(struct net_fixture *f);
