/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP errors of a narrow hop. Pure. */
#include "sim_icmp.h"

#include "base/assert.h"
#include "net/cksum.h"
#include "net/net_wire.h"

#include <stdio.h>
#include <string.h>

static struct ip_addr router_of(unsigned lan, bool is_v4)
{
    char text[IP_ADDR_TEXT_MAX];
    struct ip_addr a;
    snprintf(text, sizeof(text), is_v4 ? "198.18.%u.254" : "2001:db8:%u::254", lan);
    bool is_good = ip_addr_parse(text, &a);
    ASSERT(is_good);
    return a;
}

/* The ICMP message behind the IP header; returns its length. */
static uint16_t put_icmp(uint8_t *at, const uint8_t *packet, uint16_t len, bool is_v4, uint16_t mtu)
{
    struct wire_icmp icmp = {.type = ICMP6_TOO_BIG, .mtu6 = be32(mtu)};
    if (is_v4)
        icmp = (struct wire_icmp){
            .type = ICMP4_UNREACHABLE, .code = ICMP4_CODE_FRAGMENTATION_NEEDED, .mtu = be16(mtu)};
    uint16_t quote = len < SIM_QUOTE_BYTES ? len : SIM_QUOTE_BYTES;
    memcpy(at, &icmp, sizeof(icmp));
    memcpy(at + sizeof(icmp), packet, quote);
    return (uint16_t)(sizeof(icmp) + quote);
}

static void put_cksum(uint8_t *icmp, uint32_t sum, uint16_t len)
{
    be16_t cksum = cksum_close(cksum_add(sum, icmp, len));
    memcpy(icmp + 2, &cksum, sizeof(cksum));
}

static uint16_t too_big4(const uint8_t *packet, uint16_t len, unsigned lan, uint16_t mtu,
                         uint8_t *ret)
{
    struct wire_ip4 in;
    memcpy(&in, packet, sizeof(in));
    struct ip_addr router = router_of(lan, true);
    uint16_t icmp_bytes = put_icmp(ret + sizeof(in), packet, len, true, mtu);
    put_cksum(ret + sizeof(in), 0, icmp_bytes);
    struct wire_ip4 out = {.version_ihl = 0x45,
                           .total_bytes = be16((uint16_t)(sizeof(out) + icmp_bytes)),
                           .ttl = 64,
                           .proto = IPPROTO_NUM_ICMP4};
    memcpy(out.src, &router.bytes[12], 4);
    memcpy(out.dst, in.src, 4);
    out.cksum = cksum_close(cksum_add(0, &out, sizeof(out)));
    memcpy(ret, &out, sizeof(out));
    return (uint16_t)(sizeof(out) + icmp_bytes);
}

static uint16_t too_big6(const uint8_t *packet, uint16_t len, unsigned lan, uint16_t mtu,
                         uint8_t *ret)
{
    struct wire_ip6 in;
    memcpy(&in, packet, sizeof(in));
    struct ip_addr router = router_of(lan, false);
    struct ip_addr sender = ip_addr_from_v6(in.src);
    uint16_t icmp_bytes = put_icmp(ret + sizeof(in), packet, len, false, mtu);
    put_cksum(ret + sizeof(in),
              cksum_add_pseudo(0, &router, &sender, IPPROTO_NUM_ICMP6, icmp_bytes), icmp_bytes);
    struct wire_ip6 out = {.version_class_flow = be32(6u << 28),
                           .payload_bytes = be16(icmp_bytes),
                           .next = IPPROTO_NUM_ICMP6,
                           .hop_limit = 64};
    memcpy(out.src, router.bytes, 16);
    memcpy(out.dst, sender.bytes, 16);
    memcpy(ret, &out, sizeof(out));
    return (uint16_t)(sizeof(out) + icmp_bytes);
}

uint16_t sim_too_big(const uint8_t *frame, uint16_t len, unsigned lan, uint16_t mtu, uint8_t *ret)
{
    struct wire_eth in;
    ASSERT(len > sizeof(in) + mtu);
    memcpy(&in, frame, sizeof(in));
    struct wire_eth out = {
        .dst = in.src, .src = {{0x02, 0x53, 0x49, 0x4d, 0xfe, (uint8_t)lan}}, .type = in.type};
    memcpy(ret, &out, sizeof(out));
    const uint8_t *packet = frame + sizeof(in);
    uint16_t packet_bytes = (uint16_t)(len - sizeof(in));
    bool is_v4 = be16_host(in.type) == ETHERTYPE_IP4;
    return (uint16_t)(sizeof(out) +
                      (is_v4 ? too_big4(packet, packet_bytes, lan, mtu, ret + sizeof(out))
                             : too_big6(packet, packet_bytes, lan, mtu, ret + sizeof(out))));
}
