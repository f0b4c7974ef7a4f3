/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a frame is, for the capture's filter; see obs/capture.h. It reads more leniently than the
 * stack: a frame that will be dropped is what somebody may be looking for. Pure. */
#include "obs/capture.h"

#include <netinet/in.h>

#define ETHER_BYTES 14u
#define ETHER_VLAN 0x8100u
#define ETHER_QINQ 0x88a8u
#define ETHER_IP4 0x0800u
#define ETHER_IP6 0x86ddu
#define TAGS_MAX 2u    /* QinQ, as core/spread.h has it */
#define HEADERS_MAX 8u /* extension headers, likewise */

static uint16_t read16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

/* The ports behind the IP header at `at`, if the protocol has some and they are there. */
static void read_ports(const uint8_t *frame, size_t len, size_t at, struct obs_frame *ret)
{
    bool has_ports = ret->protocol == IPPROTO_TCP || ret->protocol == IPPROTO_UDP ||
                     ret->protocol == IPPROTO_SCTP;
    if (!has_ports || at + 4 > len)
        return;
    ret->src_port = read16(frame + at);
    ret->dst_port = read16(frame + at + 2);
}

static bool read_ip4(const uint8_t *frame, size_t len, size_t at, struct obs_frame *ret)
{
    if (at + 20 > len)
        return false;
    const uint8_t *ip = frame + at;
    ret->src = ip_addr_from_v4(ip + 12);
    ret->dst = ip_addr_from_v4(ip + 16);
    ret->protocol = ip[9];
    bool is_later_fragment = (read16(ip + 6) & 0x1fff) != 0;
    if (!is_later_fragment)
        read_ports(frame, len, at + (size_t)(ip[0] & 0x0f) * 4, ret);
    return true;
}

/* The extension headers from `at` on; leaves the protocol, and ports if there are any. */
static void walk_ip6(const uint8_t *frame, size_t len, size_t at, struct obs_frame *ret)
{
    for (unsigned i = 0; i < HEADERS_MAX; i++) {
        bool is_walked = ret->protocol == IPPROTO_HOPOPTS || ret->protocol == IPPROTO_ROUTING ||
                         ret->protocol == IPPROTO_DSTOPTS || ret->protocol == IPPROTO_FRAGMENT;
        if (!is_walked)
            break;
        if (at + 8 > len)
            return;
        const uint8_t *header = frame + at;
        bool is_fragment = ret->protocol == IPPROTO_FRAGMENT;
        ret->protocol = header[0];
        if (is_fragment && (read16(header + 2) & 0xfff8) != 0)
            return; /* a later fragment: its ports are elsewhere */
        at += is_fragment ? 8 : ((size_t)header[1] + 1) * 8;
    }
    read_ports(frame, len, at, ret);
}

static bool read_ip6(const uint8_t *frame, size_t len, size_t at, struct obs_frame *ret)
{
    if (at + 40 > len)
        return false;
    ret->src = ip_addr_from_v6(frame + at + 8);
    ret->dst = ip_addr_from_v6(frame + at + 24);
    ret->protocol = frame[at + 6];
    walk_ip6(frame, len, at + 40, ret);
    return true;
}

bool obs_frame_read(const uint8_t *frame, size_t len, struct obs_frame *ret)
{
    *ret = (struct obs_frame){.protocol = 0};
    if (len < ETHER_BYTES)
        return false;
    size_t at = ETHER_BYTES;
    uint16_t type = read16(frame + 12);
    for (unsigned tag = 0; tag < TAGS_MAX; tag++) {
        if ((type != ETHER_VLAN && type != ETHER_QINQ) || at + 4 > len)
            break;
        type = read16(frame + at + 2);
        at += 4;
    }
    if (type == ETHER_IP4)
        return read_ip4(frame, len, at, ret);
    return type == ETHER_IP6 && read_ip6(frame, len, at, ret);
}
