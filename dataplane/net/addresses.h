/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of our addresses (RFC 4862 section 5.4, RFC 5227): asked for before they are used, then
 * announced, then defended.
 *
 *   TENTATIVE  new: NET_PROBE_TIMES questions whether somebody has it. It is not answered for,
 *              nothing is taken for it or sent from it.      no answer: USED; somebody: CONFLICT
 *   USED       ours. Announced NET_ANNOUNCE_TIMES, defended against claims now and then, kept.
 *   CONFLICT   somebody else has it. As TENTATIVE, without questions. After NET_CONFLICT_US again
 *              TENTATIVE: when the other is gone, the address comes into use by itself.
 *
 *   STANDBY    a VIP of a virtual router (VRRP) of which another box is the master: kept from use.
 *              We become the master: USED, without questions, for the other is silent.
 *              Every VIP of the router goes back here when we are it no longer.
 *
 * An interface's own address (link-local, made of the MAC) walks the same states but is not
 * announced. While it is not in use nothing is taken for it, groups are reported from nobody's
 * address, and neighbours are asked from another address of the interface; without one they are not
 * asked. RFC 4862, section 5.4.5 would silence the whole interface where it is a duplicate; here
 * one frame of a neighbour does not switch the box off.
 *
 * Each worker walks the states by itself, at one pace: the questions are worker 0's, but the
 * answers are copied to all by the port facade. Whether a new address begins as TENTATIVE is
 * configured (net_set_probe()); those that were in use a moment ago, before a restart, begin as
 * USED.
 *
 * Owner: struct net. Thread: the worker. Bound: NET_ANNOUNCE_BURST_MAX steps
 * each NET_ANNOUNCE_PAUSE_US.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct ip_addr;
struct ether_mac;
struct net;
struct net_config;
struct net_frame;
struct net_tables;
struct rte_mbuf;

enum address_state {
    ADDRESS_TENTATIVE,
    ADDRESS_USED,
    ADDRESS_CONFLICT,
    ADDRESS_STANDBY,
};

/* Of the address at the same position of the table of local addresses; behind them, of the
 * interfaces' own. */
struct address_life {
    uint64_t due_us;      /* when the next step is due; UINT64_MAX: none */
    uint64_t defended_us; /* when it was defended last; 0: never */
    uint8_t state;
    uint8_t left; /* questions, or announcements */
};

/* Continues the lives of `then` in n->now, and begins those that are new. */
void addresses_configure(struct net *n, const struct net_tables *then, bool is_resumed);

/* Takes the steps that are due, a bounded number. Returns how many frames it made. */
unsigned addresses_poll(struct net *n);

/* No address waits for the answers to its questions. */
bool addresses_are_settled(const struct net *n);

/* Somebody with `mac` says that he has `addr`, or asks for it as one does before use. True: it is
 * an address of ours, so he may not; what had to be done is done. */
bool addresses_claimed(struct net *n, const struct net_frame *f, const struct ip_addr *addr,
                       const struct ether_mac *mac, bool is_question, bool may_answer);
