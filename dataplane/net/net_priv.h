/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of net: the worker's state and the hand-overs between the stations. A received frame
 * walks input -> eth -> arp | ip4_in -> icmp4 | ip6_in -> icmp6 -> nd, always forward; each station
 * owns the mbuf that it is given, and either hands it on or counts and frees it. A packet to send
 * walks output -> neighbour -> eth.
 *
 * Owner: the worker. Thread: the worker.
 */
#pragma once

#include "core/core.h"
#include "core/port.h"
#include "net/addresses.h"
#include "net/bucket.h"
#include "net/local.h"
#include "net/mld.h"
#include "net/mld_leave.h"
#include "net/neighbour.h"
#include "net/net.h"
#include "net/net_limits.h"
#include "net/net_wire.h"
#include "net/path.h"
#include "net/path_mtu.h"
#include "net/punt.h"

#include <rte_mbuf.h>

#define VLAN_IDS 4096u
#define IFACE_NONE UINT8_MAX
static_assert(NET_INTERFACES_MAX < IFACE_NONE, "an interface fits the map's byte");

struct net_iface {
    uint16_t index;
    uint16_t port;
    uint16_t vlan;
    uint16_t mtu;
    struct ether_mac mac;
    struct ip_addr link_local; /* fe80:: and the EUI-64 of mac (RFC 4291, 2.5.6) */
    bool is_held;              /* it is not to be used (addresses.h) */
    uint8_t virtual_router;    /* 0: none */
    bool has_tap;              /* the kernel's daemons speak on it (punt.h) */
    struct ip_addr drained;    /* see handover.c; zero: no box is */
};

/* Everything that a configuration says, so that a new one is built beside the old one. */
struct net_tables {
    uint32_t n_routes; /* as configured, for is_as_it_was() */
    struct net_route routes[NET_ROUTES_MAX];
    uint32_t n_ifaces;
    struct net_iface ifaces[NET_INTERFACES_MAX];
    uint8_t iface_of[PORTS_MAX][VLAN_IDS]; /* index; IFACE_NONE: nobody */
    struct local_table local;
    struct address_life lives[NET_ADDRESSES_MAX + NET_INTERFACES_MAX]; /* of `local`, of `ifaces` */
    struct path_table paths;
};

struct net {
    struct core *core;
    void *tcp; /* the owner of tcp_ops */
    const struct net_tcp_ops *tcp_ops;
    void *udp;
    const struct net_udp_ops *udp_ops;
    net_denies_fn denies; /* NULL: nobody does */
    void *denies_owner;
    struct net_tables *now;
    struct net_tables *spare; /* what net_configure() builds into */
    struct neighbour_table neighbours;
    struct path_mtus *path_mtus;
    struct reassembly *reassembly;
    struct rte_mbuf *whole; /* a frame put together from fragments, or that was handed over, until
                               eth_input() takes it */
    uint64_t confirm_us;    /* when net_confirm() looks again */
    struct bucket echo;
    struct bucket errors; /* ICMP errors that we send; a share's besides */
    struct bucket error_shares[NET_ICMP_ERROR_SHARES_MAX];
    struct punt *punt;     /* rates of what the kernel gets */
    uint16_t hops_version; /* see net_hops_version() */
    uint8_t hop_limit;     /* of what tcp sends */
    struct mld mld;
    struct mld_leave mld_leave;
    struct wheel_timer gateway_timer; /* armed while a gateway is down */
    enum net_probe probe;
    struct wheel_timer address_timer;
    uint64_t address_due_us; /* the first step that the walk so far found */
    uint32_t address_next;   /* where the walk along now->lives stands; at its end: it rests */
    uint32_t address_resume; /* where it goes on when the timer ends its rest */
    uint64_t unsettled_us;   /* since when there are tentative ones */
    uint32_t n_tentative;    /* addresses in that state */
    uint32_t n_conflict;
    uint32_t masters_seen;    /* masters_version() when addresses were looked at */
    uint32_t links_seen;      /* links_version(), likewise */
    uint8_t links[PORTS_MAX]; /* the device that each port used then */
};

/* What the stations after eth know of the frame. */
struct net_frame {
    const struct net_iface *iface;
    struct ether_mac src_mac;
    struct ether_mac dst_mac;
    bool is_multicast;  /* sent to a group of MACs, not to us alone */
    uint64_t flow_hash; /* what tcp made of the flow; 0: it was not asked */
};

/* What the stations after IP know of the packet. */
struct net_packet {
    struct net_frame frame;
    struct ip_addr src;
    struct ip_addr dst;
    uint32_t header_bytes; /* of IP, taken off `m`, in front of which they still lie */
    uint8_t hop_limit;
    uint8_t tos;
    bool has_fragment; /* a fragment header was on it, though it is whole */
};

/* Counts why and frees. */
void net_drop(struct net *n, struct rte_mbuf *m, enum stat_id why);

/* Cuts the chain `m` to its first `bytes` <= its length. */
void net_mbuf_cut(struct rte_mbuf *m, uint32_t bytes);

/* eth.c: one frame; `flow_hash` as in struct net_frame. Takes ownership. */
void eth_input(struct net *n, struct rte_mbuf *m, uint64_t flow_hash);

/* eth.c: puts the ethernet header (and the VLAN tag) in front and gives the frame to the port. */
void eth_output(struct net *n, const struct net_iface *iface, const struct ether_mac *dst,
                uint16_t type, struct rte_mbuf *m);

/* handover.c: is the packet, of this protocol, one in which a neighbour hands another over? */
bool handover_is(const struct net *n, const struct net_packet *p, uint8_t proto);

/* handover.c: such a packet; `m` begins with the one that is handed over, which net->whole becomes.
 * Takes ownership. */
void handover_input(struct net *n, const struct net_packet *p, uint8_t proto, struct rte_mbuf *m);

/* A multicast or broadcast MAC, or none at all? Nobody can be that. */
static inline bool ether_mac_is_nobody(const struct ether_mac *mac)
{
    static const struct ether_mac zero;
    return (mac->bytes[0] & 1) != 0 || __builtin_memcmp(mac, &zero, sizeof(zero)) == 0;
}

/* arp.c: `m` starts at the ARP header. */
void arp_input(struct net *n, const struct net_frame *f, struct rte_mbuf *m);

/* arp.c: asks for `target`; `to` NULL: everybody. False: no mbuf. */
bool arp_request(struct net *n, const struct net_iface *iface, const struct ip_addr *target,
                 const struct ether_mac *to);

/* arp.c: tells everybody that `addr` is here (RFC 5227, section 3). False: no mbuf. */
bool arp_announce(struct net *n, const struct net_iface *iface, const struct ip_addr *addr);

/* arp.c: asks whether somebody has `addr`, before it is used (RFC 5227, section 2.1.1). False: no
 * mbuf. */
bool arp_probe(struct net *n, const struct net_iface *iface, const struct ip_addr *addr);

/* nd.c: a solicitation or an advertisement that icmp6 checked; `m` starts at the ICMPv6 header. */
void nd_input(struct net *n, const struct net_packet *p, struct rte_mbuf *m);

/* nd.c: asks for `target`; `to` NULL: its solicited-node group. False: no mbuf, or no address on
 * the interface to ask from. */
bool nd_request(struct net *n, const struct net_iface *iface, const struct ip_addr *target,
                const struct ether_mac *to);

/* nd.c: tells everybody that `addr` is here (RFC 4861, section 7.2.6). False: no mbuf. */
bool nd_announce(struct net *n, const struct net_iface *iface, const struct ip_addr *addr);

/* nd.c: asks whether somebody has `addr`, before it is used (RFC 4862, section 5.4.2). False: no
 * mbuf. */
bool nd_probe(struct net *n, const struct net_iface *iface, const struct ip_addr *addr);

/* nd.c: ff02::1:ffXX:XXXX with the last three bytes of `addr` (RFC 4291, section 2.7.1). */
struct ip_addr nd_solicited_node(const struct ip_addr *addr);

/* nd.c: the MAC of an IPv6 group (RFC 2464, section 7). */
struct ether_mac nd_group_mac(const struct ip_addr *group);

/* Is it the solicited-node group of an address that is ours on the interface, or all nodes (RFC
 * 4291, sections 2.7.1 and 2.8)? */
bool nd_is_group_of_ours(const struct net *n, const struct net_iface *iface,
                         const struct ip_addr *group);

/* ip4_in.c: `m` starts at the IPv4 header. */
void ip4_input(struct net *n, const struct net_frame *f, struct rte_mbuf *m);

/* ip6_in.c: `m` starts at the IPv6 header. */
void ip6_input(struct net *n, const struct net_frame *f, struct rte_mbuf *m);

/* icmp4.c: `m` starts at the ICMP header and ends with the IP packet. */
void icmp4_input(struct net *n, const struct net_packet *p, struct rte_mbuf *m);

/* icmp6.c: `m` starts at the ICMPv6 header and ends with the IP packet. */
void icmp6_input(struct net *n, const struct net_packet *p, struct rte_mbuf *m);

/* icmp6.c: a type of neighbour discovery (RFC 4861, section 4)? */
bool icmp6_is_discovery(uint8_t type);

/* What is wrong with a packet that we tell its sender of. */
enum icmp_fault {
    ICMP_FAULT_PORT,            /* nobody listens */
    ICMP_FAULT_PROTOCOL,        /* nobody speaks it; IPv6: `pointer` names it */
    ICMP_FAULT_FIELD,           /* the value at `pointer` */
    ICMP_FAULT_OPTION,          /* IPv6: an unknown option at `pointer` */
    ICMP_FAULT_OPTION_IN_GROUP, /* the same, told even if a group was addressed */
    ICMP_FAULT_CHAIN,           /* IPv6: the first fragment does not hold all headers */
    ICMP_FAULT_REASSEMBLY,      /* the other fragments did not come in time */
};

/* icmp_send.c: tells the sender of the packet that `m` begins with what is wrong, if that may be
 * told (RFC 1122, 3.2.2; RFC 4443, 2.4 (e)) and the rate allows. `m` stays the caller's. */
void icmp_tell(struct net *n, const struct net_packet *p, const struct rte_mbuf *m,
               enum icmp_fault fault, uint32_t pointer);

/* icmp_send.c: may another error be sent to `dst`? Takes the tokens for it. */
bool icmp_has_tokens(struct net *n, const struct ip_addr *dst);

/* icmp_send.c: the same for `m` behind p->header_bytes of its headers; then counts and frees. */
void icmp_tell_and_drop(struct net *n, const struct net_packet *p, struct rte_mbuf *m,
                        enum icmp_fault fault, uint32_t pointer, enum stat_id why);

/* icmp_error.c: an error that quotes a packet of ours: `quote` bytes of `m` lie before the quoted
 * IP header. Takes ownership. */
void icmp_error_input(struct net *n, const struct net_packet *p, struct rte_mbuf *m, uint32_t quote,
                      enum net_icmp_kind kind, uint32_t mtu);

/* icmp_error.c: likewise, of kind UNREACHABLE; `is_port`: the host is there. */
void icmp_unreachable_input(struct net *n, const struct net_packet *p, struct rte_mbuf *m,
                            uint32_t quote, bool is_port);

/* icmp_error.c: `m`, a packet of ours from the IP header on, does not reach its next hop: who sent
 * it hears of it. `m` stays the caller's. */
void icmp_error_own(struct net *n, const struct rte_mbuf *m);

/* ip4_in.c: may it be the sender of a packet to us? Not a group, not unspecified, not loopback,
 * not ourselves. */
bool ip4_is_sender(const struct net *n, const struct ip_addr *src);

/* ip6_in.c: the same for IPv6, on this interface. */
bool ip6_is_sender(const struct net *n, const struct net_iface *iface, const struct ip_addr *src);

/* What an IP header of ours says. */
struct output_header {
    const struct ip_addr *src;
    const struct ip_addr *dst;
    uint32_t flow_label; /* of IPv6; 0: of no flow */
    uint8_t proto;
    uint8_t tos;
    uint8_t hop_limit;
};

/* output.c: like net_output(), where interface and next hop are known. */
void output_on(struct net *n, const struct net_iface *iface, const struct ip_addr *next_hop,
               struct rte_mbuf *m, const struct output_header *h);

/* output.c: sends `m` from `src`, an address of ours, to the sender of `p`; to a link-local one by
 * the link that it came from. */
void output_answer(struct net *n, const struct net_packet *p, struct rte_mbuf *m,
                   const struct ip_addr *src, uint8_t proto);

/* output.c: puts the IP header in front. False: no room. */
bool output_ip_header(struct rte_mbuf *m, const struct output_header *h);

/* output.c: an empty mbuf with NET_HEADER_BYTES of headroom and `bytes` of body at *ret_body; NULL:
 * none left, counted. */
struct rte_mbuf *output_new(struct net *n, uint32_t bytes, void **ret_body);

/* net.c: tcp hears that addresses are ours no longer. */
void net_tell_gone(struct net *n);

/* net.c: hands a segment to tcp; `m` starts at the TCP header and ends with the IP packet. */
void net_deliver_tcp(struct net *n, const struct net_packet *p, struct rte_mbuf *m);

/* Is it the interface's own, and in use? */
static inline bool iface_is_own(const struct net_iface *iface, const struct ip_addr *addr)
{
    return ip_addr_eq(addr, &iface->link_local) && !iface->is_held;
}

/* net.c: an address of ours on this interface (or its own) that is in use? */
bool net_is_on_iface(const struct net *n, const struct net_iface *iface,
                     const struct ip_addr *addr);

/* net.c: may `addr` be a neighbour on this interface? */
bool net_is_neighbour(const struct net *n, const struct net_iface *iface,
                      const struct ip_addr *addr);

/* net.c: the way to `dst`, by a gateway that answers if there is one; NULL: none. */
const struct path_entry *net_way(const struct net *n, const struct ip_addr *dst);

/* fe80::/10? */
static inline bool ip6_is_link_local(const struct ip_addr *a)
{
    return a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}
