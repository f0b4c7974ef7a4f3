/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For who passes packets on instead of answering them (l4): what a received frame is, without any
 * of the stations that it would walk to one of us, and the way on for a packet that has its headers
 * already. What is not of the plain kind is for net_input(), which judges everything.
 *
 * Owner: the worker. Thread: the worker. Station on the path: before input; out: beside output.
 */
#pragma once

#include "core/port.h"
#include "net/net.h"
#include "net/plain.h"

#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;

/* On an mbuf: the frame was put together from fragments, so what is passed on of it may be cut
 * again. It is a flag for devices, which none sets: nobody asks one to direct flows. */
#define NET_MBUF_JOINED RTE_MBUF_F_RX_FDIR

/* Takes ethernet and padding away: `m`, of the plain kind, begins and ends with its packet. */
void net_plain_strip(struct rte_mbuf *m, const struct plain *at);

/* Is the frame of the plain kind, to a MAC of ours in a VLAN that we are in, and its header's
 * checksum right? Nothing is said of the addresses: a flow that has them was judged when it began.
 */
bool net_plain_find(const struct net *n, const struct rte_mbuf *m, struct plain *ret);

/* The way to a destination as far as ethernet needs it. Good as long as net_hops_version() is what
 * it was, and for NET_HOP_MS: then it is asked for again, which is how net hears that the neighbour
 * is in use. */
struct net_hop {
    struct ether_mac mac; /* the neighbour's, and behind it ours, as in the header */
    struct ether_mac own;
    uint8_t interface;
    uint8_t port;
};

#define NET_HOP_MS 2000u

/* False: there is no way, or the neighbour is not known yet: net_forward() asks for it. */
bool net_hop_find(struct net *n, const struct ip_addr *dst, struct net_hop *ret);

/* Changes when a way may have: a neighbour or a gateway is gone, or is back, or the configuration
 * is another. */
uint16_t net_hops_version(const struct net *n);

/* The longest packet that goes out by the interface of a net_hop of this version. */
uint16_t net_hop_mtu(const struct net *n, uint8_t interface);

/* Sends `m`, a whole IP packet that is no longer than the MTU, by the hop. Takes ownership. */
void net_hop_output(struct net *n, const struct net_hop *hop, bool is_ip4, struct rte_mbuf *m);

/* The longest packet that goes out by it; 0: frames have a tag there. */
uint16_t net_hop_plain_mtu(const struct net *n, const struct net_hop *hop);

/* Sends `m`, a whole frame with an ethernet header of the right type and no tag, by a hop of that
 * kind: only the header's addresses are written. Takes ownership. */
void net_hop_output_frame(struct net *n, const struct net_hop *hop, struct rte_mbuf *m);

/* The same without a hop: finds the way to `dst`, and waits for the neighbour where it has to. What
 * is too long, or leads nowhere, is dropped and counted. */
void net_forward(struct net *n, const struct ip_addr *dst, struct rte_mbuf *m);

/*
 * Tells e->remote, from the address e->local, of what befell a packet that he sent there and that
 * was passed on: the packet was of `proto`, between these ports, with this sequence number. By
 * net's rates for ICMP errors. Of kind OTHER nothing is told.
 */
void net_icmp_error_output(struct net *n, const struct net_icmp_error *e, uint8_t proto);

/* Like net_output(), in fragments that fit the way and are no longer than `mtu`. The checksum above
 * IP is right already. */
void net_output_pieces(struct net *n, struct rte_mbuf *m, const struct ip_addr *src,
                       const struct ip_addr *dst, uint8_t proto, uint8_t tos, uint16_t mtu);
