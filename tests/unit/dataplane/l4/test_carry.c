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

TEST(what_is_too_long_with_its_wrapping_is_told_so_or_goes_in_pieces)
{
    struct box *b = box_up_by(IMAGE_FORWARDING_IPIP, one4);
    char text[1460];
    memset(text, 'y', sizeof(text));
    struct packet p = datagram(CLIENT4, 4000, VIP4, PORT, "?");
    box_give(b, &p);
    box_forget(b);
    p = packet_eth(BOX_MAC, PEER_MAC);
    packet_ip4(&p, CLIENT4, VIP4, 17);
    packet_udp(&p, 4000, PORT, text, sizeof(text)); /* 1,488 bytes, and 20 more around them */
    p.bytes[p.ip_at + 6] |= 0x40;                   /* don't fragment */
    packet_close(&p);
    box_give(b, &p);
    REQUIRE(b->n_seen == 1);
    CHECK(is_between(&b->seen[0], VIP4, CLIENT4) && b->seen[0].proto == 1);
    CHECK_EQ(b->seen[0].upper[6] << 8 | b->seen[0].upper[7], 1480);
    p.bytes[p.ip_at + 6] &= 0xbf;
    packet_close(&p);
    box_forget(b);
    box_give(b, &p);
    REQUIRE(b->n_seen == 2);
    CHECK(is_between(&b->seen[0], OURS4, BACK4) && b->seen[0].is_fragment);
    CHECK_EQ(b->seen[0].upper_bytes + b->seen[1].upper_bytes, 1488);
    box_down(b);
}

UNIT_MAIN("l4/carry", T(a_datagram_goes_on_as_it_came_within_ip),
          T(within_udp_a_flow_keeps_its_source_port),
          T(a_connection_that_another_box_had_goes_on_at_the_same_endpoint),
          T(a_connection_is_forgotten_a_while_after_its_client_ended_it),
          T(what_is_too_long_with_its_wrapping_is_told_so_or_goes_in_pieces))
