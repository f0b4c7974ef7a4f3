/* SPDX-License-Identifier: Apache-2.0 */
/* Segments that another box hands over to this one, which is drained. */
#include "base/container.h"
#include "net_fixture.h"

#include <string.h>

#define CLIENT4 "203.0.113.9"
#define CLIENT6 "2001:db8:9::9"
#define VIP4 "203.0.113.80"
#define VIP6 "2001:db8:5::80"
#define VLAN_PEER4 "198.51.100.9"
#define VLAN_US4 "198.51.100.1"
#define IPIP 4
#define IP6 41

/* The fixture, drained on each of its links. */
static struct net_fixture *up(void)
{
    static const char *const own[] = {US4, VLAN_US4, "10.9.0.1"};
    struct net_fixture *f = net_up(0);
    struct net_config config = *net_fixture_config();
    struct net_interface interfaces[array_len(own)];
    REQUIRE(config.n_interfaces == array_len(own));
    for (unsigned i = 0; i < array_len(own); i++) {
        interfaces[i] = config.interfaces[i];
        interfaces[i].drained = addr_of(own[i]);
    }
    config.interfaces = interfaces;
    net_configure(f->net, &config);
    return f;
}

/* A client's segment. */
static struct packet segment(bool is_v4)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    if (is_v4)
        packet_ip4(&p, CLIENT4, VIP4, 6);
    else
        packet_ip6(&p, CLIENT6, VIP6, 60);
    packet_tcp(&p, 4000, 80, "hello");
    packet_close(&p);
    return p;
}

/* It, or another packet, in one from a neighbour. */
static struct packet wrapped(const struct packet *inner, const char *src, const char *dst,
                             uint8_t proto)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    if (strcmp(dst, VLAN_US4) == 0)
        packet_vlan(&p, 7);
    packet_ip4(&p, src, dst, proto);
    packet_bytes(&p, &inner->bytes[inner->ip_at], inner->len - inner->ip_at);
    packet_close(&p);
    return p;
}

TEST(a_segment_that_is_handed_over_is_taken_as_if_it_had_come_itself)
{
    struct net_fixture *f = up();
    for (unsigned i = 0; i < 4; i++) {
        bool is_v4 = i % 2 == 0;
        struct ip_addr src = addr_of(is_v4 ? CLIENT4 : CLIENT6);
        struct ip_addr dst = addr_of(is_v4 ? VIP4 : VIP6);
        struct packet inner = segment(is_v4);
        struct packet p =
            wrapped(&inner, i < 2 ? PEER4 : VLAN_PEER4, i < 2 ? US4 : VLAN_US4, is_v4 ? IPIP : IP6);
        net_receive(f, &p, 0);
        CHECK_EQ(f->n_segments, i + 1);
        CHECK(ip_addr_eq(&f->segment_src, &src) && ip_addr_eq(&f->segment_dst, &dst));
        CHECK_EQ(f->segment_bytes, 25);
        CHECK(memcmp(f->segment, &inner.bytes[inner.l4_at], 25) == 0);
    }
    CHECK_EQ(net_stat(f, STAT_net_rx_handover), 4);
    CHECK_EQ(f->n_respread, 4);
    net_down(f);
}

TEST(it_goes_to_the_worker_that_has_its_connection)
{
    struct net_fixture *f = up();
    struct packet inner = segment(true);
    struct packet p = wrapped(&inner, PEER4, US4, IPIP);
    f->respreads_away = true;
    net_receive(f, &p, 0);
    CHECK_EQ(f->n_segments, 0);
    REQUIRE(f->respread.len == inner.len);
    CHECK(memcmp(f->respread.bytes, inner.bytes, inner.len) == 0);
    net_down(f);
}

TEST(what_is_damaged_within_is_judged_as_ever)
{
    struct net_fixture *f = up();
    struct packet inner = segment(true);
    inner.bytes[inner.ip_at + 10] ^= 1;
    struct packet p = wrapped(&inner, PEER4, US4, IPIP);
    net_receive(f, &p, 0);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_ip4_cksum), 1);
    inner = segment(true);
    inner.bytes[inner.ip_at + 16] = 192; /* to somebody else */
    p = wrapped(&inner, PEER4, US4, IPIP);
    net_receive(f, &p, 0);
    CHECK_EQ(f->n_segments, 0);
    CHECK_EQ(net_stat(f, STAT_net_rx_handover), 2);
    net_down(f);
}

TEST(nothing_but_a_whole_segment_is_handed_over)
{
    struct net_fixture *f = up();
    struct packet inner = segment(true);
    struct packet bad[5] = {inner, inner, inner, wrapped(&inner, PEER4, US4, IPIP), inner};
    bad[0].bytes[bad[0].ip_at + 9] = 17;
    bad[1].bytes[bad[1].ip_at + 6] |= 0x20; /* one of several pieces */
    bad[2].len = bad[2].ip_at + 30;
    bad[4].bytes[bad[4].ip_at] = 0x65;
    for (unsigned i = 0; i < array_len(bad); i++) {
        struct packet p = wrapped(&bad[i], PEER4, US4, IPIP);
        net_receive(f, &p, 0);
        CHECK_EQ(net_stat(f, STAT_net_drop_rx_handover), i + 1);
    }
    struct packet p = wrapped(&inner, PEER4, US4, IP6); /* it is not of that family */
    net_receive(f, &p, 0);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_handover), array_len(bad) + 1);
    CHECK_EQ(f->n_segments, 0);
    net_down(f);
}

TEST(only_neighbours_may_and_only_while_the_box_is_drained)
{
    struct packet inner = segment(true);
    struct net_fixture *f = up();
    struct packet from_afar = wrapped(&inner, "198.18.0.9", US4, IPIP);
    struct packet to_vip = wrapped(&inner, PEER4, VIP4, IPIP);
    net_receive(f, &from_afar, 0);
    net_receive(f, &to_vip, 0);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_ip4_protocol), 2);
    net_down(f);
    f = net_up(0);
    struct packet p = wrapped(&inner, PEER4, US4, IPIP);
    net_receive(f, &p, 0);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_ip4_protocol), 1);
    CHECK_EQ(f->n_segments, 0);
    net_down(f);
}

UNIT_MAIN("net/handover", T(a_segment_that_is_handed_over_is_taken_as_if_it_had_come_itself),
          T(it_goes_to_the_worker_that_has_its_connection),
          T(what_is_damaged_within_is_judged_as_ever),
          T(nothing_but_a_whole_segment_is_handed_over),
          T(only_neighbours_may_and_only_while_the_box_is_drained))
