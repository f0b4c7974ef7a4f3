/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds a frame from the outside in, and closes it: lengths and checksums are filled in at the
 * end, innermost first. A test then breaks what it wants broken:
 *
 *   struct packet p = packet_eth(MAC_US, MAC_PEER);
 *   packet_ip4(&p, PEER4, US4, 6);
 *   packet_tcp(&p, 1024, 80, "hello");
 *   packet_close(&p);
 *   p.bytes[p.ip_at + 8] = 0;
 */
#pragma once

#include "base/ip_addr.h"
#include "core/port.h"

#define PACKET_BYTES_MAX 9000u

struct packet {
    uint8_t bytes[PACKET_BYTES_MAX];
    unsigned len;
    unsigned type_at;  /* where the next header writes its ethertype */
    unsigned ip_at;    /* of the IP header; 0: none */
    unsigned next_at;  /* where the next extension header or protocol writes its number; 0: IPv4 */
    unsigned l4_at;    /* of ARP, ICMP or TCP */
    unsigned cksum_at; /* of the L4 checksum; 0: none */
    uint8_t proto;
};

/* Ethernet header, its type still open. */
struct packet packet_eth(const char *dst, const char *src);

/* 802.1Q tag. */
void packet_vlan(struct packet *p, uint16_t id);

/* ARP for ethernet and IPv4; `operation` 1 asks, 2 answers. */
void packet_arp(struct packet *p, uint16_t operation, const char *sender_mac, const char *sender,
                const char *target);

/* IPv4 header with the protocol's number. */
void packet_ip4(struct packet *p, const char *src, const char *dst, uint8_t proto);

/* IPv6 header; extension headers and the protocol are added after it. */
void packet_ip6(struct packet *p, const char *src, const char *dst, uint8_t hop_limit);

/* An IPv6 extension header `proto` of `bytes` (a multiple of 8), all zero but its length. Returns
 * its place in p->bytes. */
unsigned packet_ext(struct packet *p, uint8_t proto, unsigned bytes);

/* TCP header with a SYN and `payload`. */
void packet_tcp(struct packet *p, uint16_t src_port, uint16_t dst_port, const char *payload);

/* UDP header and `payload`. */
void packet_udp(struct packet *p, uint16_t src_port, uint16_t dst_port, const void *payload,
                unsigned len);

/* `whole`, closed, as a fragment: the bytes first..end of what is behind its IP header, which has
 * no options and no extension headers; `has_more` as told. */
struct packet packet_fragment(const struct packet *whole, uint32_t id, unsigned first, unsigned end,
                              bool has_more);

/* ICMP (of the family of the IP header): type, code, the four bytes after the checksum. */
void packet_icmp(struct packet *p, uint8_t type, uint8_t code, uint32_t rest);

/* ND: a solicitation (135) or an advertisement (136) about `target`, with a link-layer address
 * option of the kind that belongs to it; `mac` NULL: no option. */
void packet_nd(struct packet *p, uint8_t type, uint32_t flags, const char *target, const char *mac);

/* More payload. */
void packet_bytes(struct packet *p, const void *data, unsigned len);

/* Fills in lengths and checksums. */
void packet_close(struct packet *p);

/* The MAC of a text like "02:00:00:00:00:01". */
struct ether_mac mac_of(const char *text);

/* The address of a text. */
struct ip_addr addr_of(const char *text);
