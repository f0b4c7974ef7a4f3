/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several gateways for one prefix (RFC 1122, sections 3.3.1.2 to 3.3.1.6): the first that is
 * configured carries all while it answers. When it does not (its neighbour failed), the next one
 * does, until the first is heard again; for that it is asked every NET_GATEWAY_RETRY_US.
 *
 * Owner: struct net. Thread: the worker; each finds out by itself.
 */
#pragma once

struct ip_addr;
struct net;
struct net_iface;

/* Nothing is down. */
void gateways_init(struct net *n);

/* A neighbour does not answer: if it is a gateway, the next is used from now on. */
void gateway_is_down(struct net *n, const struct net_iface *iface, const struct ip_addr *addr);

/* A neighbour spoke: if it is a gateway that was down, it is used again. */
void gateway_is_up(struct net *n, const struct net_iface *iface, const struct ip_addr *addr);
