/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The link: ethernet around IP packets, and the one neighbour who has every address but the
 * stack's own. Announcements and probes of the stack's addresses are nobody's business here.
 */
#include "stage_priv.h"

#include "base/assert.h"
#include "drivers/net/mem.h"
#include "net/cksum.h"
#include "net/net_wire.h"

#include <rte_mbuf.h>
#include <string.h>

static const struct ether_mac neighbour = {{0x02, 0x53, 0x43, 0x52, 0, 2}};
static const struct ether_mac stack = {{0x02, 0x53, 0x43, 0x52, 0, 1}};

/* Puts a frame with this content on the wire to the stack. */
static void send_frame(struct stage *s, uint16_t ethertype, const void *content, size_t bytes)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(s->world_pool);
    ASSERT(m != NULL);
    ASSERT(sizeof(struct wire_eth) + bytes <= MBUF_DATA_BYTES);
    struct wire_eth *eth = (void *)rte_pktmbuf_append(m, (uint16_t)(sizeof(*eth) + bytes));
    *eth = (struct wire_eth){stack, neighbour, be16(ethertype)};
    memcpy(eth + 1, content, bytes);
    bool is_sent = mem_world_send(STAGE_PORT, 0, m);
    ASSERT(is_sent);
}

void stage_receive(struct stage *s, const void *packet, size_t bytes)
{
    ASSERT(bytes > 0);
    bool is_v6 = *(const uint8_t *)packet >> 4 == 6;
    send_frame(s, is_v6 ? ETHERTYPE_IP6 : ETHERTYPE_IP4, packet, bytes);
}

/* Who has it? We do, unless the stack asks for its own address: that announces or probes it. */
static void answer_arp(struct stage *s, const struct wire_arp *asked)
{
    static const uint8_t unspecified[4];
    if (be16_host(asked->operation) != ARP_REQUEST ||
        memcmp(asked->sender_ip, asked->target_ip, 4) == 0 ||
        memcmp(asked->sender_ip, unspecified, 4) == 0)
        return;
    struct wire_arp answer = *asked;
    answer.operation = be16(ARP_REPLY);
    answer.sender_mac = neighbour;
    memcpy(answer.sender_ip, asked->target_ip, 4);
    answer.target_mac = asked->sender_mac;
    memcpy(answer.target_ip, asked->sender_ip, 4);
    send_frame(s, ETHERTYPE_ARP, &answer, sizeof(answer));
}

/* The same for IPv6 (RFC 4861, 7.2.4); a solicitation from :: is a probe (RFC 4862). */
static void answer_solicitation(struct stage *s, const struct wire_ip6 *ip)
{
    const struct wire_nd *asked = (const void *)(ip + 1);
    struct ip_addr from = ip_addr_from_v6(ip->src);
    struct ip_addr target = ip_addr_from_v6(asked->target);
    if (ip_addr_is_zero(&from))
        return;
    struct {
        struct wire_ip6 ip;
        struct wire_nd nd;
        struct wire_nd_lladdr_option option;
    } answer = {
        .ip = {.version_class_flow = be32(6u << 28),
               .payload_bytes = be16(sizeof(answer) - sizeof(answer.ip)),
               .next = IPPROTO_NUM_ICMP6,
               .hop_limit = ND_HOP_LIMIT},
        .nd = {.type = ICMP6_ADVERT, .flags = be32(ND_FLAG_SOLICITED | ND_FLAG_OVERRIDE)},
        .option = {.type = ND_OPTION_TARGET_LLADDR, .length = 1, .mac = neighbour},
    };
    memcpy(answer.ip.src, target.bytes, 16);
    memcpy(answer.ip.dst, from.bytes, 16);
    memcpy(answer.nd.target, target.bytes, 16);
    uint32_t bytes = sizeof(answer) - sizeof(answer.ip);
    uint32_t sum = cksum_add_pseudo(0, &target, &from, IPPROTO_NUM_ICMP6, bytes);
    answer.nd.cksum = cksum_close(cksum_add(sum, &answer.nd, bytes));
    send_frame(s, ETHERTYPE_IP6, &answer, sizeof(answer));
}

/* Neighbour discovery and multicast housekeeping belong to the link. True: it was that. */
static bool is_links_own(struct stage *s, const uint8_t *packet, size_t bytes)
{
    const struct wire_ip6 *ip = (const void *)packet;
    if (packet[0] >> 4 != 6 || bytes < sizeof(*ip))
        return false;
    if (ip->next == IPPROTO_NUM_HOP_BY_HOP)
        return true; /* multicast listener reports: the only ones that carry it */
    if (ip->next != IPPROTO_NUM_ICMP6 || bytes < sizeof(*ip) + sizeof(struct wire_icmp))
        return false;
    uint8_t type = packet[sizeof(*ip)];
    if (type == ICMP6_SOLICIT && bytes >= sizeof(*ip) + sizeof(struct wire_nd))
        answer_solicitation(s, ip);
    return type >= 130 && type <= 143 && type != ICMP6_ECHO_REPLY;
}

/* Keeps an IP packet for whoever plays. */
static void keep(struct stage *s, const uint8_t *packet, size_t bytes)
{
    ASSERT(s->n < STAGE_OUT_MAX && bytes <= STAGE_PACKET_BYTES_MAX);
    struct stage_packet *p = &s->out[(s->first + s->n++) % STAGE_OUT_MAX];
    p->at_us = s->core.now_us;
    p->bytes = (uint32_t)bytes;
    memcpy(p->data, packet, bytes);
}

static void take_frame(struct stage *s, struct rte_mbuf *m)
{
    int is_failed = rte_pktmbuf_linearize(m);
    ASSERT(is_failed == 0 && m->data_len > sizeof(struct wire_eth));
    const struct wire_eth *eth = rte_pktmbuf_mtod(m, const struct wire_eth *);
    const uint8_t *content = (const uint8_t *)(eth + 1);
    size_t bytes = m->data_len - sizeof(*eth);
    if (be16_host(eth->type) == ETHERTYPE_ARP)
        answer_arp(s, (const void *)content);
    else if (!is_links_own(s, content, bytes))
        keep(s, content, bytes);
    rte_pktmbuf_free(m);
}

unsigned stage_collect(struct stage *s)
{
    struct rte_mbuf *frames[PORT_BURST];
    unsigned total = 0;
    unsigned n;
    while ((n = mem_world_receive(STAGE_PORT, 0, frames, PORT_BURST)) > 0) {
        for (unsigned i = 0; i < n; i++)
            take_frame(s, frames[i]);
        total += n;
    }
    return total;
}

const struct stage_packet *stage_peek(const struct stage *s)
{
    return s->n == 0 ? NULL : &s->out[s->first];
}

void stage_drop(struct stage *s)
{
    ASSERT(s->n > 0);
    s->first = (s->first + 1) % STAGE_OUT_MAX;
    s->n--;
}
