/* SPDX-License-Identifier: Apache-2.0 */
/* Headers as they lie on the wire. All fields are in network order; all structs are unaligned. */
#pragma once

#include "base/be.h"
#include "core/port.h"

#include <stdint.h>

#define ETHERTYPE_IP4 0x0800u
#define ETHERTYPE_ARP 0x0806u
#define ETHERTYPE_VLAN 0x8100u
#define ETHERTYPE_IP6 0x86ddu
#define ETHERTYPE_QINQ 0x88a8u /* IEEE 802.1ad: a tag around tags */

#define IPPROTO_NUM_HOP_BY_HOP 0u
#define IPPROTO_NUM_ICMP4 1u
#define IPPROTO_NUM_IGMP 2u
#define IPPROTO_NUM_IPIP 4u /* IPv4 within (RFC 2003, RFC 2473) */
#define IPPROTO_NUM_TCP 6u
#define IPPROTO_NUM_UDP 17u
#define IPPROTO_NUM_IP6 41u /* IPv6 within (RFC 2473, RFC 4213) */
#define IPPROTO_NUM_ROUTING 43u
#define IPPROTO_NUM_FRAGMENT 44u
#define IPPROTO_NUM_ICMP6 58u
#define IPPROTO_NUM_NOTHING 59u
#define IPPROTO_NUM_DEST_OPTIONS 60u
#define IPPROTO_NUM_VRRP 112u /* RFC 5798, section 5.1.1.4 */

struct wire_eth {
    struct ether_mac dst;
    struct ether_mac src;
    be16_t type;
} __attribute__((packed));

/* IEEE 802.1Q: follows the addresses, whose type field is then ETHERTYPE_VLAN. */
struct wire_vlan_tag {
    be16_t tci; /* low 12 bits: VLAN id */
    be16_t type;
} __attribute__((packed));

/* RFC 826 for ethernet and IPv4. */
struct wire_arp {
    be16_t hardware; /* 1: ethernet */
    be16_t protocol; /* ETHERTYPE_IP4 */
    uint8_t hardware_bytes;
    uint8_t protocol_bytes;
    be16_t operation; /* ARP_REQUEST, ARP_REPLY */
    struct ether_mac sender_mac;
    uint8_t sender_ip[4];
    struct ether_mac target_mac;
    uint8_t target_ip[4];
} __attribute__((packed));

#define ARP_HARDWARE_ETHERNET 1u
#define ARP_REQUEST 1u
#define ARP_REPLY 2u

/* RFC 791. */
struct wire_ip4 {
    uint8_t version_ihl;
    uint8_t tos;
    be16_t total_bytes;
    be16_t id;
    be16_t fragment; /* IP4_* flags, offset in units of 8 bytes */
    uint8_t ttl;
    uint8_t proto;
    be16_t cksum;
    uint8_t src[4];
    uint8_t dst[4];
} __attribute__((packed));

#define IP4_DONT_FRAGMENT 0x4000u
#define IP4_MORE_FRAGMENTS 0x2000u
#define IP4_FRAGMENT_OFFSET 0x1fffu
#define IP4_FRAGMENT_MASK (IP4_MORE_FRAGMENTS | IP4_FRAGMENT_OFFSET)

/* RFC 8200. */
struct wire_ip6 {
    be32_t version_class_flow;
    be16_t payload_bytes;
    uint8_t next;
    uint8_t hop_limit;
    uint8_t src[16];
    uint8_t dst[16];
} __attribute__((packed));

#define IP6_FLOW_LABEL_MAX 0xfffffu
#define IP6_PAYLOAD_BYTES_AT 4u /* place of the field, as ICMP errors point at it */
#define IP6_NEXT_AT 6u

struct wire_ip6_fragment {
    uint8_t next;
    uint8_t reserved;
    be16_t offset_more; /* IP6_FRAGMENT_*; the offset is in bytes */
    be32_t id;
} __attribute__((packed));

#define IP6_FRAGMENT_OFFSET 0xfff8u
#define IP6_FRAGMENT_MORE 0x0001u
#define IP6_FRAGMENT_OFFSET_AT 2u

/* RFC 792, RFC 4443: the first eight bytes of every message. */
struct wire_icmp {
    uint8_t type;
    uint8_t code;
    be16_t cksum;
    union {
        struct {
            be16_t unused;
            be16_t mtu; /* fragmentation needed (RFC 1191) */
        };
        be32_t mtu6; /* packet too big; echo: id and sequence */
    } __attribute__((packed));
} __attribute__((packed));

#define ICMP4_ECHO_REPLY 0u
#define ICMP4_UNREACHABLE 3u
#define ICMP4_CODE_HOST 1u
#define ICMP4_CODE_PROTOCOL 2u
#define ICMP4_CODE_PORT 3u
#define ICMP4_CODE_FRAGMENTATION_NEEDED 4u
#define ICMP4_REDIRECT 5u
#define ICMP4_ECHO 8u
#define ICMP4_TIME_EXCEEDED 11u
#define ICMP4_CODE_REASSEMBLY 1u
#define ICMP4_PARAMETER 12u
#define ICMP4_TIMESTAMP 13u
#define ICMP4_TIMESTAMP_REPLY 14u

#define ICMP6_UNREACHABLE 1u
#define ICMP6_CODE_ADDRESS 3u
#define ICMP6_CODE_PORT 4u
#define ICMP6_TOO_BIG 2u
#define ICMP6_TIME_EXCEEDED 3u
#define ICMP6_CODE_REASSEMBLY 1u
#define ICMP6_PARAMETER 4u
#define ICMP6_CODE_FIELD 0u
#define ICMP6_CODE_NEXT 1u
#define ICMP6_CODE_OPTION 2u
#define ICMP6_CODE_CHAIN 3u /* RFC 7112 */
#define ICMP6_ECHO 128u     /* the first that is no error */
#define ICMP6_ECHO_REPLY 129u
#define ICMP6_MLD_QUERY 130u
#define ICMP6_MLD_REPORT_V1 131u
#define ICMP6_MLD_DONE 132u
#define ICMP6_ROUTER_SOLICIT 133u
#define ICMP6_ROUTER_ADVERT 134u
#define ICMP6_SOLICIT 135u
#define ICMP6_ADVERT 136u
#define ICMP6_REDIRECT 137u
#define ICMP6_MLD_REPORT_V2 143u

/* RFC 4861, sections 4.3 and 4.4: solicitation and advertisement, options follow. */
struct wire_nd {
    uint8_t type;
    uint8_t code;
    be16_t cksum;
    be32_t flags; /* ND_FLAG_*; a solicitation has none */
    uint8_t target[16];
} __attribute__((packed));

#define ND_FLAG_SOLICITED 0x40000000u
#define ND_FLAG_OVERRIDE 0x20000000u
#define ND_HOP_LIMIT 255u

/* RFC 4861, section 4.6.1, for ethernet. */
struct wire_nd_lladdr_option {
    uint8_t type;   /* ND_OPTION_* */
    uint8_t length; /* in units of 8 bytes: 1 */
    struct ether_mac mac;
} __attribute__((packed));

#define ND_OPTION_SOURCE_LLADDR 1u
#define ND_OPTION_TARGET_LLADDR 2u

/* RFC 2710, section 3; a query of RFC 3810 goes on behind it. */
struct wire_mld {
    uint8_t type;
    uint8_t code;
    be16_t cksum;
    be16_t delay_ms;
    be16_t reserved;
    uint8_t group[16];
} __attribute__((packed));

#define MLD_HOP_LIMIT 1u
#define MLD_QUERY_V2_BYTES 28u /* at least; a query of RFC 2710 is 24 */

/* RFC 3810, section 5.2: without sources. */
struct wire_mld_record {
    uint8_t type; /* MLD_* */
    uint8_t aux_words;
    be16_t n_sources;
    uint8_t group[16];
} __attribute__((packed));

#define MLD_MODE_IS_EXCLUDE 2u
#define MLD_CHANGE_TO_INCLUDE 3u
#define MLD_CHANGE_TO_EXCLUDE 4u

/* RFC 768. */
struct wire_udp {
    be16_t src_port;
    be16_t dst_port;
    be16_t bytes; /* header and payload */
    be16_t cksum; /* 0: none, IPv4 only */
} __attribute__((packed));

#define UDP_PORT_GUE 6080u /* IANA: gue */

/* draft-ietf-intarea-gue, section 3: variant 0, no control message, no options. */
struct wire_gue {
    uint8_t version_length; /* 0: variant 0, a header of four bytes */
    uint8_t proto;
    be16_t flags;
} __attribute__((packed));

/* The ports and the sequence number of a TCP header: what an ICMP error quotes at least. */
struct wire_tcp_quote {
    be16_t src_port;
    be16_t dst_port;
    be32_t seq;
} __attribute__((packed));

_Static_assert(sizeof(struct wire_eth) == 14, "IEEE 802.3");
_Static_assert(sizeof(struct wire_arp) == 28, "RFC 826");
_Static_assert(sizeof(struct wire_ip4) == 20, "RFC 791");
_Static_assert(sizeof(struct wire_ip6) == 40, "RFC 8200");
_Static_assert(sizeof(struct wire_ip6_fragment) == 8, "RFC 8200");
_Static_assert(sizeof(struct wire_icmp) == 8, "RFC 792");
_Static_assert(sizeof(struct wire_udp) == 8, "RFC 768");
_Static_assert(sizeof(struct wire_gue) == 4, "draft-ietf-intarea-gue");
_Static_assert(sizeof(struct wire_mld) == 24, "RFC 2710");
_Static_assert(sizeof(struct wire_mld_record) == 20, "RFC 3810");
_Static_assert(sizeof(struct wire_nd) == 24, "RFC 4861");
_Static_assert(sizeof(struct wire_nd_lladdr_option) == 8, "RFC 4861");
