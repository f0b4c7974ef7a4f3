/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stack of stack.h with l4 around it, as a worker has it: clients, VIPs, endpoints on the LAN
 * and behind gateways, and images and endpoint lists that come and go.
 *
 *   VIPs       198.18.9.80    2001:db8:9::80   port 80, of TCP and of UDP
 *   clients    198.18.0.10    2001:db8::10     and the five behind each; ports 4000 to 4003
 *   endpoints  198.18.0.101   2001:db8::65     and the one behind each, port 5353
 *              198.51.100.5   2001:db8:51::5   behind the gateways that end in 3
 *              198.18.0.200   2001:db8::c8     which are not there
 *
 * Owner: the program. Thread: one.
 */
#pragma once

#include "stack.h"

#include "l4/l4.h"

#define L4_WORLD_IMAGES 12u
#define L4_WORLD_IMAGE_COOKIES 10u /* from this one on each SYN gets a cookie */
#define L4_WORLD_ENDPOINTS 8u
#define L4_WORLD_CLIENTS 12u
#define L4_WORLD_BACK_PORT 5353u
#define L4_WORLD_CLIENT_PORT 4000u
#define L4_WORLD_CLIENT_PORTS 4u
#define L4_WORLD_ROUTER 120u /* last byte of who tells of packets under way */

/* Fresh, with image 0 and all endpoints. */
void l4_world_up(void);

/* Everything ends: see stack_down(). */
void l4_world_down(void);

/* Image number n % L4_WORLD_IMAGES is in effect. */
void l4_world_set_image(unsigned n);

/* The endpoints of TCP's and of UDP's group (`is_udp`) whose bits are set, `leaving` those that are
 * on their way out. */
void l4_world_set_endpoints(bool is_udp, uint8_t there, uint8_t leaving);

/* Addresses: of the VIP, of a client, of an endpoint, of whom else on the LAN; ours. */
struct ip_addr l4_world_vip(bool is_v6);
struct ip_addr l4_world_client(unsigned n);
struct ip_addr l4_world_endpoint(unsigned n);
struct ip_addr l4_world_peer(bool is_v6, uint8_t last);
struct ip_addr l4_world_ours(bool is_v6);

/* Is it one of them? */
bool l4_world_is_client(const struct ip_addr *a);
bool l4_world_is_endpoint(const struct ip_addr *a);
bool l4_world_is_ours(const struct ip_addr *a); /* VIPs, too */

/* The last byte of the MAC that packets to it have to go to. */
uint8_t l4_world_next_hop(const struct ip_addr *to);

/* The longest packet that the image of this moment lets out. */
uint16_t l4_world_mtu(void);
