/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that go on within others (IPIP, GUE), seen from the wire. */
#include "box.h"

#include "base/container.h"

#include <rte_ip.h>
#include <string.h>

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10

static const char *const one4[] = {BACK4, NULL};
static const char *const two4[] = {BACK4, BACK4B, NULL};

static bool is_between(const struct seen *s, const char *src, const char *dst)
{
    struct ip_addr a = addr_of(src), b = addr_of(dst);
    return ip_addr_eq(&s->src, &a) && ip_addr_eq(&s->dst, &b);
}

/* Is what lies there the packet that was given, with a hop less? */
static bool is_packet(const uint8_t *inner, unsigned bytes, const struct packet *given)
{
    const uint8_t *ip = given->bytes + given->ip_at;
    unsigned len = given->len - given->ip_at;
    bool is_ip4 = ip[0] >> 4 == 4;
    unsigned hops_at = is_ip4 ? 8 : 7;
    if (bytes != len || inner[hops_at] != ip[hops_at] - 1)
        return false;
    if (is_ip4 && rte_raw_cksum(inner, 20) != 0xffff)
        return false;
    unsigned from = is_ip4 ? 12 : 8; /* addresses and all behind them */
    return memcmp(inner + from, ip + from, len - from) == 0;
}

TEST(a_datagram_goes_on_as_it_came_within_ip)
{
    static const struct {
        const char *client;
        const char *vip;
        uint8_t proto;
    } rows[] = {{CLIENT4, VIP4, 4}, {CLIENT6, VIP6, 41}};
    struct box *b = box_up_by(IMAGE_FORWARDING_IPIP, one4);
    for (unsigned i = 0; i < array_len(rows); i++) {
        struct packet p = datagram(rows[i].client, 4000, rows[i].vip, PORT, "question");
        box_give(b, &p); /* the first finds its endpoint's neighbour */
        box_forget(b);
        box_give(b, &p);
        REQUIRE(b->n_seen == 1);
        const struct seen *s = &b->seen[0];
        CHECK(is_between(s, OURS4, BACK4));
        CHECK_EQ(s->proto, rows[i].proto);
        CHECK(is_packet(s->upper, s->upper_bytes, &p));
    }
    CHECK_EQ(box_stat(b, STAT_l4_flows_now), 2);
    box_down(b);
}

TEST(within_udp_a_flow_keeps_its_source_port)
{
    struct box *b = box_up_by(IMAGE_FORWARDING_GUE, one4);
    uint16_t ports[2][2];
    for (unsigned k = 0; k < 2; k++) {
        for (unsigned i = 0; i < 2; i++) {
            struct packet p = datagram(CLIENT4, (uint16_t)(4000 + k), VIP4, PORT, "question");
            box_forget(b);
            box_give(b, &p);
            REQUIRE(b->n_seen == 1);
            const struct seen *s = &b->seen[0];
            CHECK(is_between(s, OURS4, BACK4) && s->proto == 17 && s->is_cksum_good);
            CHECK_EQ(s->dst_port, 6080);
            CHECK(s->upper[8] == 0 && s->upper[9] == 4 && s->upper[10] == 0 && s->upper[11] == 0);
            if (i == 1) /* the first one's header was made anew */
                CHECK(is_packet(s->upper + 12, s->upper_bytes - 12, &p));
            ports[k][i] = s->src_port;
        }
    }
    CHECK_EQ(ports[0][0], ports[0][1]);
    CHECK(ports[0][0] != ports[1][0] && ports[0][0] >= 49152);
    box_down(b);
}

TEST(a_connection_that_another_box_had_goes_on_at_the_same_endpoint)
{
    struct box *b = box_up_by(IMAGE_FORWARDING_IPIP, two4);
    struct ip_addr chosen[20];
    for (unsigned i = 0; i < array_len(chosen); i++) {
        struct packet p = segment(CLIENT4, (uint16_t)(4000 + i), VIP4, PORT, SYN, "");
        box_forget(b);
        box_give(b, &p);
        REQUIRE(b->n_seen == 1);
        chosen[i] = b->seen[0].dst;
    }
    box_down(b);
    b = box_up_by(IMAGE_FORWARDING_IPIP, two4);
    for (unsigned i = 0; i < array_len(chosen); i++) {
        struct packet p = segment(CLIENT4, (uint16_t)(4000 + i), VIP4, PORT, ACK, "in the middle");
        box_forget(b);
        box_give(b, &p);
        REQUIRE(b->n_seen == 1);
        CHECK(ip_addr_eq(&b->seen[0].dst, &chosen[i]));
    }
    CHECK_EQ(box_stat(b, STAT_l4_opened_tcp), array_len(chosen));
    struct packet p = segment(CLIENT4, 5000, VIP4, PORT, RST, ""); /* that alone is no flow */
    box_forget(b);
    box_give(b, &p);
    CHECK_EQ(b->n_seen, 0);
    box_down(b);
}

TEST(a_connection_is_forgotten_a_while_after_its_client_ended_it)
{
    struct box *b = box_up_by(IMAGE_FORWARDING_IPIP, one4);
    static const uint8_t steps[] = {SYN, ACK, ACK, FIN | ACK, ACK};
    for (unsigned i = 0; i < array_len(steps); i++) {
        struct packet p = segment(CLIENT4, 4000, VIP4, PORT, steps[i], "");
        box_give(b, &p);
    }
    CHECK_EQ(b->n_seen, array_len(steps));
    CHECK_EQ(box_stat(b, STAT_l4_flows_now), 1);
    box_wait_ms(b, 61000);
    CHECK_EQ(box_stat(b, STAT_l4_end_idle), 1);
    box_down(b);
}

/* All ways in which a packet can go within another. */
static const struct way {
    enum image_forwarding forwarding;
    const char *client;
    const char *vip;
    const char *back;
    const char *ours;
    unsigned around; /* bytes */
} ways[] = {
    {IMAGE_FORWARDING_IPIP, CLIENT4, VIP4, BACK4, OURS4, 20},
    {IMAGE_FORWARDING_IPIP, CLIENT4, VIP4, BACK6, OURS6, 40},
    {IMAGE_FORWARDING_IPIP, CLIENT6, VIP6, BACK4, OURS4, 20},
    {IMAGE_FORWARDING_IPIP, CLIENT6, VIP6, BACK6, OURS6, 40},
    {IMAGE_FORWARDING_GUE, CLIENT4, VIP4, BACK4, OURS4, 32},
    {IMAGE_FORWARDING_GUE, CLIENT4, VIP4, BACK6, OURS6, 52},
    {IMAGE_FORWARDING_GUE, CLIENT6, VIP6, BACK4, OURS4, 32},
    {IMAGE_FORWARDING_GUE, CLIENT6, VIP6, BACK6, OURS6, 52},
};

static struct box *box_of(const struct way *w)
{
    const char *const list[] = {w->back, NULL};
    return box_up_by(w->forwarding, list);
}

static bool is_ip4(const char *text)
{
    struct ip_addr a = addr_of(text);
    return ip_addr_is_v4(&a);
}

/* A datagram to the VIP that is a packet of so many bytes, and may not be cut. */
static struct packet long_datagram(const struct way *w, unsigned packet_bytes)
{
    static const char text[1500];
    struct packet p = packet_eth(BOX_MAC, PEER_MAC);
    unsigned headers = (is_ip4(w->client) ? 20 : 40) + 8;
    if (is_ip4(w->client))
        packet_ip4(&p, w->client, w->vip, 17);
    else
        packet_ip6(&p, w->client, w->vip, 64);
    packet_udp(&p, 4000, PORT, text, packet_bytes - headers);
    if (is_ip4(w->client))
        p.bytes[p.ip_at + 6] |= 0x40; /* don't fragment */
    packet_close(&p);
    return p;
}

/* Is it what a client is told whose packets have to be shorter than this? */
static bool is_told(const struct seen *s, const struct way *w, unsigned mtu)
{
    const uint8_t *icmp = s->upper, *quote = icmp + 8 + (is_ip4(w->client) ? 20 : 40);
    const uint8_t ports[] = {4000 >> 8, 4000 & 0xff, 0, PORT};
    if (!is_between(s, w->vip, w->client) || memcmp(quote, ports, sizeof(ports)) != 0)
        return false;
    if (is_ip4(w->client))
        return s->proto == 1 && icmp[0] == 3 && icmp[1] == 4 &&
               (icmp[6] << 8 | icmp[7]) == (int)mtu;
    return s->proto == 58 && icmp[0] == 2 && icmp[4] == 0 && icmp[5] == 0 &&
           (icmp[6] << 8 | icmp[7]) == (int)mtu;
}

TEST(who_sends_what_is_too_long_with_its_wrapping_is_told_what_fits)
{
    for (unsigned i = 0; i < array_len(ways); i++) {
        const struct way *w = &ways[i];
        struct box *b = box_of(w);
        struct packet p = datagram(w->client, 4000, w->vip, PORT, "?");
        box_give(b, &p);
        box_forget(b);
        p = long_datagram(w, 1500 - w->around + 1);
        box_give(b, &p);
        REQUIRE(b->n_seen == 1);
        CHECK(is_told(&b->seen[0], w, 1500 - w->around));
        CHECK_EQ(box_stat(b, STAT_l4_drop_too_big), 1);
        box_forget(b);
        p = long_datagram(w, 1500 - w->around);
        box_give(b, &p);
        REQUIRE(b->n_seen == 1);
        CHECK(is_between(&b->seen[0], w->ours, w->back) && b->seen[0].ip_bytes == 1500);
        box_down(b);
    }
}

/* A router's word that the packet which went to the endpoint was too long for its way. */
static struct packet error_about(const struct seen *s, const struct way *w, unsigned mtu)
{
    struct packet p = packet_eth(BOX_MAC, PEER_MAC);
    if (is_ip4(w->back)) {
        packet_ip4(&p, BACK4B, w->ours, 1);
        packet_icmp(&p, 3, 4, mtu);
    } else {
        packet_ip6(&p, "2001:db8::99", w->ours, 64);
        packet_icmp(&p, 2, 0, mtu);
    }
    packet_bytes(&p, s->frame + 14, 128);
    packet_close(&p);
    return p;
}

TEST(a_router_on_the_way_to_the_endpoint_who_says_so_is_believed_for_a_flow_that_there_is)
{
    for (unsigned i = 0; i < array_len(ways); i++) {
        const struct way *w = &ways[i];
        struct box *b = box_of(w);
        struct packet p = long_datagram(w, 1400);
        box_give(b, &p);
        REQUIRE(b->n_seen == 1);
        struct seen up = b->seen[0];
        box_forget(b);
        p = error_about(&up, w, 1380);
        box_give(b, &p);
        REQUIRE(b->n_seen == 1);
        CHECK(is_told(&b->seen[0], w, 1380 - w->around));
        CHECK_EQ(box_stat(b, STAT_l4_icmp_passed), 1);
        unsigned inner = 14 + w->around;
        up.frame[inner + (is_ip4(w->client) ? 21 : 41)] ^= 1; /* another port: no such flow */
        box_forget(b);
        p = error_about(&up, w, 1380);
        box_give(b, &p);
        CHECK_EQ(b->n_seen, 0);
        CHECK_EQ(box_stat(b, STAT_l4_icmp_passed), 1);
        box_down(b);
    }
}

TEST(what_its_sender_cannot_make_shorter_goes_in_pieces_on_a_way_that_a_router_called_narrow)
{
    for (unsigned i = 0; i < array_len(ways); i++) {
        const struct way *w = &ways[i];
        struct box *b = box_of(w);
        struct packet p = long_datagram(w, 1280);
        box_give(b, &p);
        REQUIRE(b->n_seen == 1);
        struct packet error = error_about(&b->seen[0], w, 1290);
        box_give(b, &error);
        box_forget(b);
        if (is_ip4(w->client)) { /* of IPv6 nobody may ask for less */
            p.bytes[p.ip_at + 6] &= 0xbf;
            packet_close(&p);
        }
        box_give(b, &p);
        REQUIRE(b->n_seen == 2);
        for (unsigned k = 0; k < 2; k++) {
            CHECK(is_between(&b->seen[k], w->ours, w->back) && b->seen[k].is_fragment);
            CHECK(b->seen[k].ip_bytes <= 1290);
        }
        box_down(b);
    }
}

TEST(what_may_be_cut_goes_in_pieces_and_has_a_right_checksum)
{
    for (unsigned i = 0; i < array_len(ways); i++) {
        const struct way *w = &ways[i];
        if (!is_ip4(w->client))
            continue;
        struct box *b = box_of(w);
        struct packet p = long_datagram(w, 1490);
        p.bytes[p.ip_at + 6] &= 0xbf;
        packet_close(&p);
        box_give(b, &p);
        REQUIRE(b->n_seen == 2);
        unsigned fragment = is_ip4(w->back) ? 0 : 8;
        unsigned bytes[2];
        uint8_t whole[3000];
        for (unsigned k = 0; k < 2; k++) {
            const struct seen *s = &b->seen[k];
            CHECK(is_between(s, w->ours, w->back) && s->is_fragment && s->ip_bytes <= 1500);
            bytes[k] = s->upper_bytes - fragment;
            memcpy(whole + (k == 0 ? 0 : bytes[0]), s->upper + fragment, bytes[k]);
        }
        unsigned gue = w->forwarding == IMAGE_FORWARDING_GUE ? 12 : 0;
        CHECK_EQ(bytes[0] + bytes[1], gue + 1490);
        CHECK(memcmp(whole + gue + 12, p.bytes + p.ip_at + 12, 1490 - 12) == 0);
        if (gue > 0) {
            struct rte_ipv6_hdr h6 = {.proto = 17, .payload_len = rte_cpu_to_be_16(1502)};
            struct rte_ipv4_hdr h4 = {
                .next_proto_id = 17, .version_ihl = 0x45, .total_length = rte_cpu_to_be_16(1522)};
            memcpy(&h4.src_addr, b->seen[0].src.bytes + 12, 4);
            memcpy(&h4.dst_addr, b->seen[0].dst.bytes + 12, 4);
            memcpy(&h6.src_addr, b->seen[0].src.bytes, 16);
            memcpy(&h6.dst_addr, b->seen[0].dst.bytes, 16);
            CHECK_EQ(is_ip4(w->back) ? rte_ipv4_udptcp_cksum_verify(&h4, whole)
                                     : rte_ipv6_udptcp_cksum_verify(&h6, whole),
                     0);
        }
        box_down(b);
    }
}

/* A datagram of `bytes` of UDP and more, in pieces. */
static void give_in_pieces(struct box *b, const struct way *w, unsigned bytes)
{
    for (unsigned at = 0; at < bytes; at += 1400) {
        unsigned here = bytes - at < 1400 ? bytes - at : 1400;
        uint8_t piece[1400] = {0};
        if (at == 0) {
            const uint8_t udp[] = {4000 >> 8, 4000 & 0xff,           0,
                                   PORT,      (uint8_t)(bytes >> 8), (uint8_t)bytes};
            memcpy(piece, udp, sizeof(udp));
            piece[7] = 0;
        }
        struct packet p = packet_eth(BOX_MAC, PEER_MAC);
        packet_ip4(&p, w->client, w->vip, 17);
        packet_bytes(&p, piece, here);
        unsigned field = at / 8 | (at + here < bytes ? 0x2000u : 0);
        packet_close(&p);
        p.bytes[p.ip_at + 5] = 77;
        p.bytes[p.ip_at + 6] = (uint8_t)(field >> 8);
        p.bytes[p.ip_at + 7] = (uint8_t)field;
        p.bytes[p.ip_at + 10] = p.bytes[p.ip_at + 11] = 0;
        uint16_t sum = (uint16_t)~rte_raw_cksum(p.bytes + p.ip_at, 20);
        memcpy(p.bytes + p.ip_at + 10, &sum, 2);
        box_give(b, &p);
    }
}

TEST(what_is_longer_than_any_packet_with_its_wrapping_is_dropped)
{
    for (unsigned i = 0; i < array_len(ways); i++) {
        const struct way *w = &ways[i];
        if (!is_ip4(w->client) || !is_ip4(w->back))
            continue;
        struct box *b = box_of(w);
        give_in_pieces(b, w, 65535 - 20); /* the longest that there is */
        CHECK_EQ(box_stat(b, STAT_net_reassembled), 1);
        CHECK_EQ(b->n_seen, 0);
        CHECK_EQ(box_stat(b, STAT_net_drop_tx_too_big), 1);
        give_in_pieces(b, w, 65535 - 20 - w->around);
        CHECK_EQ(b->n_seen, 45);
        box_down(b);
    }
}

UNIT_MAIN(
    "l4/carry", T(a_datagram_goes_on_as_it_came_within_ip),
    T(within_udp_a_flow_keeps_its_source_port),
    T(a_connection_that_another_box_had_goes_on_at_the_same_endpoint),
    T(a_connection_is_forgotten_a_while_after_its_client_ended_it),
    T(who_sends_what_is_too_long_with_its_wrapping_is_told_what_fits),
    T(a_router_on_the_way_to_the_endpoint_who_says_so_is_believed_for_a_flow_that_there_is),
    T(what_its_sender_cannot_make_shorter_goes_in_pieces_on_a_way_that_a_router_called_narrow),
    T(what_may_be_cut_goes_in_pieces_and_has_a_right_checksum),
    T(what_is_longer_than_any_packet_with_its_wrapping_is_dropped))
