/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames as bytes, for those who make and change them: the simulator's wires and attackers, and
 * tests/fuzz. Written apart from dataplane/net's input on purpose. Pure; thread: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where in a frame things lie. */
struct frame_view {
    bool is_v4;
    uint8_t proto; /* behind the extension headers */
    uint8_t *ip;
    uint8_t *l4;
    uint16_t l4_bytes; /* as the IP header says; padding is not in it */
};

/* The IP packet behind the ethernet header and at most one VLAN tag; NULL: another protocol. */
uint8_t *frame_find_ip(uint8_t *frame, size_t len, bool *ret_is_v4);

/* Finds the transport header of an IP packet, behind at most one VLAN tag. False: there is none
 * that lies whole within the frame, or it is a fragment. */
bool frame_look(uint8_t *frame, size_t len, struct frame_view *ret);

/* Makes the checksum of an IPv4 header right. */
void frame_close_ip(uint8_t *frame, size_t len);

/* Makes the checksum of an IPv4 header right, and that of TCP, UDP or ICMP behind IPv4 or IPv6,
 * wherever frame_look() finds them. */
void frame_close(uint8_t *frame, size_t len);

/* Makes the TCP, UDP or ICMP checksum right. */
void frame_close_l4(const struct frame_view *v);

/* Wire integers at any place. */
static inline uint16_t frame_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}
static inline uint32_t frame_get32(const uint8_t *at)
{
    return (uint32_t)frame_get16(at) << 16 | frame_get16(at + 2);
}
static inline void frame_put16(uint8_t *at, uint32_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}
static inline void frame_put32(uint8_t *at, uint32_t v)
{
    frame_put16(at, v >> 16);
    frame_put16(at + 2, v);
}
