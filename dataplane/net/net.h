/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ethernet to IP of one worker: VLAN, ARP, ND, IPv4, IPv6, fragments, ICMP, neighbours, egress
 * routes, local addresses; UDP is in udp.h. Configured by the route image's network sections (see
 * net_configure()); neighbours survive a new image.
 *
 * Owner: the worker. Thread: the worker. Station on the path: after port, before tcp.
 */
#pragma once

#include "base/ip_addr.h"

#include <stdbool.h>
#include <stdint.h>

struct core;
struct net;
struct rte_mbuf;

#define NET_INTERFACES_MAX 64u
/* Addresses of ours, VIPs and all. Reason: a Gateway for each of ten thousand Services, and room to
 * grow; a worker's tables take 220 bytes for each (4 MB), and a new image costs it a walk along
 * them. */
#define NET_ADDRESSES_MAX 16384u
/* Egress routes. Reason: a cluster of two thousand nodes with pods of both families, each by a
 * route of its own; a worker's tables take 200 bytes for each. */
#define NET_ROUTES_MAX 4096u

#define NET_HOP_LIMIT 64u /* of packets, until net_set_hop_limit(): RFC 1700, IANA */

/* Headroom that net_output() needs: ethernet 14, VLAN tag 4, IPv6 40, rounded up. */
#define NET_HEADER_BYTES 64u

/* One L3 interface: a port, or a VLAN on it. */
struct net_interface {
    uint16_t port;          /* index, see core/port.h */
    uint16_t vlan;          /* 0: untagged */
    uint16_t mtu;           /* 0: the port's */
    uint8_t virtual_router; /* VRRP: VIPs are ours while we are its master; 0: always */
    struct ip_addr drained; /* an address of ours: neighbours may hand over segments to it */
};

#define NET_VIP_ROUTED 2u

/* An address of ours. A VIP has the length of a host (128). */
struct net_address {
    struct ip_addr addr;
    uint8_t
        prefix_len; /* of the mapped form: an IPv4 /24 is 120; on-link prefix of the interface */
    uint8_t
        is_vip; /* answered for, but never chosen as the source of an active open; NET_VIP_ROUTED:
                       comes by a route, neighbours hear nothing of it */
    uint16_t interface; /* index into interfaces */
};

/* The route shares the destinations of its prefix with the one before it, while both gateways
 * answer; without it the route is for when those before it do not. */
#define NET_ROUTE_SHARES 1u

/* An egress route beyond the on-link prefixes. */
struct net_route {
    struct ip_addr prefix;
    uint8_t prefix_len; /* of the mapped form */
    uint8_t flags;      /* NET_ROUTE_SHARES; others mean nothing here */
    uint16_t interface;
    struct ip_addr gateway; /* on-link on `interface`; zero: so is the whole prefix */
};

/* Borrowed arrays: net_configure() copies what it keeps. */
struct net_config {
    const struct net_interface *interfaces;
    uint32_t n_interfaces;
    const struct net_address *addresses;
    uint32_t n_addresses;
    const struct net_route *routes;
    uint32_t n_routes;
    bool is_resumed; /* what this process continues: the addresses were in use until a moment ago */
};

/* What an ICMP error says about a packet of ours. */
enum net_icmp_kind {
    NET_ICMP_TOO_BIG,     /* "fragmentation needed" or "packet too big": `mtu` is valid */
    NET_ICMP_UNREACHABLE, /* no way to the host or the port, or it is forbidden */
    NET_ICMP_TIME,        /* the hop limit ran out on the way, or pieces did not come in time */
    NET_ICMP_OTHER, /* a header was not understood, or an error of a type that we do not know */
};

/* An ICMP error about a TCP segment or a UDP datagram of ours, as far as its quote reaches. Anybody
 * on the way, and off it, can have made it: tcp checks `seq` against what is in flight (RFC 5927).
 */
struct net_icmp_error {
    enum net_icmp_kind kind;
    bool is_port;          /* UNREACHABLE: the host is there, and nobody listens */
    uint16_t mtu;          /* of the next hop, 68..65535; 0: not told (RFC 1191, section 7.1) */
    struct ip_addr sender; /* who told us; zero: we found it ourselves */
    struct ip_addr local;
    struct ip_addr remote;
    uint16_t local_port;
    uint16_t remote_port;
    uint32_t seq;           /* sequence number of the quoted segment, host order; of a datagram 0 */
    struct ip_addr carrier; /* see carried_error(); else zero */
};

/* Of the IP header of a packet for us, which was taken off and still lies in front. */
struct net_ip_header {
    uint16_t bytes; /* with options and extension headers */
    uint8_t tos;    /* traffic class, with ECN in the low two bits */
};

/*
 * What tcp, or whoever stands before it (l4), does for net, which lies below and does not know them
 * by name. The composer of the worker hands it over: tcp_net_ops, l4_net_ops. All are called from
 * net_input(); icmp_error also from timers, addresses_gone from net_configure()
 * and net_poll().
 */
struct net_tcp_ops {
    /* A segment for us: `m` starts at the TCP header and ends with the IP packet; takes ownership.
     * `flow_hash`: what expect() said of it; 0: it was not called. */
    void (*input)(void *owner, struct rte_mbuf *m, const struct ip_addr *src,
                  const struct ip_addr *dst, struct net_ip_header ip, uint64_t flow_hash);
    /* An error about a segment of ours, or our own finding that its next hop does not answer (RFC
     * 4861, section 7.2.2); NULL: they are only counted. */
    void (*icmp_error)(void *owner, const struct net_icmp_error *e);
    /* Addresses are ours no longer: net_is_ours() says which still are. Once for all that go
     * together, which may be ten thousand VIPs; NULL: nobody wants to know. */
    void (*addresses_gone)(void *owner);
    /* A segment like this lies in the burst and may come to input() soon: where its flow is looked
     * up is brought nearer, without waiting. Returns a hash of the flow, for the next two. NULL:
     * neither is wanted. */
    uint64_t (*expect)(void *owner, const struct ip_addr *src, const struct ip_addr *dst,
                       uint16_t src_port, uint16_t dst_port);
    /* A while later: what the look-up leads to. */
    void (*prefetch)(void *owner, uint64_t flow_hash);
    /* An error about a packet of ours that carried another, of `proto`, in IP or in GUE (RFC 2003,
     * section 4): the ends are those of the one within, as it came to us, and e->carrier is where
     * the other one went; NULL: they are only counted. Called from net_input(). */
    void (*carried_error)(void *owner, const struct net_icmp_error *e, uint8_t proto);
};

/* Makes the worker's network layer: no interface, no address. Memory comes from core_memory(). */
struct net *net_new(struct core *core);

/* Which new addresses are asked for before they are used: whether somebody has them already. */
enum net_probe {
    NET_PROBE_NONE, /* at first */
    NET_PROBE_OWN,  /* not VIPs: other boxes may have the same (active-active behind ECMP) */
    NET_PROBE_ALL,
};

/* Sets it for net_configure() from now on. */
void net_set_probe(struct net *n, enum net_probe probe);

/* Are all addresses that can be used in use? False while new ones are asked for: well below a
 * second, and NET_SETTLE_US_MAX where there are no mbufs to ask with. */
bool net_is_settled(const struct net *n);

/* Where TCP segments for us go. Called once by whoever composes the worker; `ops` outlives `n`.
 * Without it they are dropped and counted. */
void net_set_tcp(struct net *n, void *owner, const struct net_tcp_ops *ops);

/* Is the frame not to come in? */
typedef bool (*net_denies_fn)(void *owner, const struct rte_mbuf *frame);

/* Who is asked about frames that were put together from fragments: of these nobody knew their ports
 * when they came. Called once, or never. What he denies, he has counted. */
void net_set_denies(struct net *n, net_denies_fn denies, void *owner);

/* Gives back every mbuf that waits for a neighbour and disarms every timer. */
void net_done(struct net *n);

/* Replaces interfaces, addresses and routes; what stays the same keeps its neighbours, and where
 * nothing changed nothing is done. New
 * addresses are asked for, if net_set_probe() says so, and announced (gratuitous ARP, unsolicited
 * NA), both by worker 0 only. Values were checked by image_check(). */
void net_configure(struct net *n, const struct net_config *config);

/* Handles a burst of received frames (whole ethernet frames) in their order; takes ownership. */
void net_input(struct net *n, struct rte_mbuf *const *frames, unsigned count);

/* Once a poll: sends what the kernel's daemons have put on the TAPs, a bounded number of frames
 * each. Returns how many there were. */
unsigned net_inject(struct net *n);

/* Once a poll: asks for and announces addresses that are new, a bounded number a call. All else
 * happens at once or by timers on core->wheel. Returns how many frames it made. */
unsigned net_poll(struct net *n);

/* The way to a destination: which interface, what MTU, which local address speaks. */
struct net_path {
    uint16_t interface;
    uint16_t port;
    uint16_t mtu;
    struct ip_addr next_hop;
    struct ip_addr source; /* of the same family as the destination; zero when there is none */
};

/* Looks the way up; false: no route, or `dst` is no host (a group, a broadcast, nobody). Pure with
 * respect to the wire. */
bool net_path_find(struct net *n, const struct ip_addr *dst, struct net_path *ret);

/* What is remembered of the way to a destination. */
struct net_path_mtu {
    uint16_t mtu;     /* of packets that arrive, at most the interface's */
    bool is_told;     /* by a router; else found out by what arrived and what did not */
    uint32_t left_ms; /* so long it is believed */
};

/* What earlier connections to `dst` learned; false: nothing, so the interface's MTU is as good a
 * guess as any. For who begins a connection. Cost: a hash and two lines. */
bool net_path_mtu_find(struct net *n, const struct ip_addr *dst, struct net_path_mtu *ret);

/* News from tcp, which must be sure of them: packets to `dst` of more than `mtu` bytes do not
 * arrive, as a router told, or as was found out. Remembered for NET_PATH_MTU_US, as
 * NET_PATH_MTU_MIN at least. */
void net_path_mtu_learn(struct net *n, const struct ip_addr *dst, uint16_t mtu, bool is_told);

/* News from tcp: a packet of `bytes` has arrived at `dst`; the interface takes `link_mtu`. */
void net_path_mtu_passed(struct net *n, const struct ip_addr *dst, uint16_t bytes,
                         uint16_t link_mtu);

/* Advice of tcp: the way to `dst` seems dead. The next hop is asked at once whether it is there,
 * and forgotten if not (RFC 9293, 3.8.3; RFC 4861, 7.3.3). */
void net_doubt(struct net *n, const struct ip_addr *dst);

/* News from tcp: what was sent to `dst` got there. That proves the next hop as an answer of its own
 * would (RFC 4861, section 7.3.1). Cost: two loads, unless a neighbour waits for a proof; then a
 * look-up, once a NET_CONFIRM_INTERVAL_US at most. */
void net_confirm(struct net *n, const struct ip_addr *dst);

/* The hop limit (TTL) of TCP segments from now on; 64 at first. */
void net_set_hop_limit(struct net *n, uint8_t hop_limit);

/* Is it an address of ours that is in use (VIPs too)? */
bool net_is_local(const struct net *n, const struct ip_addr *addr);

/* Is it an address of ours, in use or asked for, and not the master's of a pair (VRRP)? */
bool net_is_ours(const struct net *n, const struct ip_addr *addr);

/*
 * Adds IP and ethernet headers in front of `m` (L4 header and payload, possibly chained) and sends
 * it. The first segment belongs to the caller alone, holds the L4 header whole and has
 * NET_HEADER_BYTES of headroom. Resolves the neighbour; while that takes, the packet waits in a
 * bounded queue. Takes ownership, always; a drop is counted.
 *
 * L4 checksum: with RTE_MBUF_F_TX_TCP_CKSUM or RTE_MBUF_F_TX_UDP_CKSUM in ol_flags (only that one
 * flag; l4_len set) net does all of it: the device where the port can, else in software; what the
 * field holds does not matter. Without the flag it is the caller's and is sent as it is. With
 * RTE_MBUF_F_TX_TCP_SEG too, on a port that can, `m` is a row of segments of tso_segsz bytes, at
 * most 64 KB in all, which the device cuts.
 *
 * `flow_label`, of 20 bits, goes into the IPv6 header (RFC 6437); 0: the packet is of no flow.
 */
void net_output(struct net *n, struct rte_mbuf *m, const struct ip_addr *src,
                const struct ip_addr *dst, uint8_t proto, uint8_t tos, uint32_t flow_label);
