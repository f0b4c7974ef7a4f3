/* SPDX-License-Identifier: Apache-2.0 */
/* Frames in: what reaches tcp, what is dropped and why. Ends with: every reason was reached. */
#include "base/container.h"
#include "net/reassembly.h"
#include "net_fixture.h"

#include <stdio.h>
#include <string.h>

/* A TCP segment to us, as it should be. */
static struct packet good4(void)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip4(&p, PEER4, US4, 6);
    packet_tcp(&p, 1024, 80, "hello");
    packet_close(&p);
    return p;
}

static struct packet good6(void)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, PEER6, US6, 64);
    packet_tcp(&p, 1024, 80, "hello");
    packet_close(&p);
    return p;
}

/* `p` ends in `why` and nowhere else. */
static void check_dropped(const struct packet *p, enum stat_id why)
{
    struct net_fixture *f = net_up(0);
    uint64_t before = net_stat(f, why);
    net_receive(f, p, 0);
    CHECK_EQ(net_stat(f, why), before + 1);
    CHECK_EQ(f->n_segments, 0);
    net_down(f);
}

TEST(a_segment_reaches_tcp_without_headers_and_padding)
{
    struct net_fixture *f = net_up(0);
    struct packet p = good4();
    p.bytes[p.ip_at + 1] = 0x03;
    packet_close(&p);
    packet_bytes(&p, "padding", 7);
    net_receive(f, &p, 0);
    struct ip_addr src = addr_of(PEER4);
    struct ip_addr dst = addr_of(US4);
    CHECK_EQ(f->n_segments, 1);
    CHECK_EQ(f->segment_bytes, 25);
    CHECK(memcmp(f->segment + 20, "hello", 5) == 0);
    CHECK(ip_addr_eq(&f->segment_src, &src) && ip_addr_eq(&f->segment_dst, &dst));
    CHECK_EQ(f->segment_tos, 3);
    CHECK_EQ(net_stat(f, STAT_net_rx_tcp), 1);
    net_down(f);
}

TEST(a_segment_in_a_vlan_reaches_tcp)
{
    struct net_fixture *f = net_up(0);
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_vlan(&p, 7);
    packet_ip4(&p, "198.51.100.9", "198.51.100.1", 6);
    packet_tcp(&p, 1024, 80, "");
    packet_close(&p);
    net_receive(f, &p, 0);
    CHECK_EQ(f->n_segments, 1);
    net_down(f);
}

TEST(a_priority_tag_is_no_vlan)
{
    struct net_fixture *f = net_up(0);
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_vlan(&p, 0xe000);
    packet_ip6(&p, PEER6, US6, 64);
    packet_tcp(&p, 1024, 80, "");
    packet_close(&p);
    net_receive(f, &p, 0);
    CHECK_EQ(f->n_segments, 1);
    net_down(f);
}

TEST(ip4_options_are_skipped)
{
    struct net_fixture *f = net_up(0);
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip4(&p, PEER4, US4, 6);
    p.bytes[p.ip_at] = 0x46;
    packet_bytes(&p, "\1\1\1\0", 4);
    packet_tcp(&p, 1024, 80, "xy");
    packet_close(&p);
    net_receive(f, &p, 0);
    CHECK_EQ(f->segment_bytes, 22);
    net_down(f);
}

TEST(ip6_extension_headers_are_walked)
{
    struct net_fixture *f = net_up(0);
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, PEER6, US6, 64);
    packet_ext(&p, 0, 8);
    packet_ext(&p, 60, 24);
    packet_ext(&p, 43, 8);
    unsigned fragment = packet_ext(&p, 44, 8);
    p.bytes[fragment + 1] = 0;
    packet_tcp(&p, 1024, 80, "atomic");
    packet_close(&p);
    net_receive(f, &p, 0);
    CHECK_EQ(f->segment_bytes, 26);
    net_down(f);
}

TEST(a_segment_to_a_vip_reaches_tcp_on_every_interface)
{
    struct net_fixture *f = net_up(0);
    struct packet p = packet_eth("02:00:00:00:00:02", MAC_PEER);
    packet_ip4(&p, "10.9.3.3", "203.0.113.80", 6);
    packet_tcp(&p, 1024, 80, "");
    packet_close(&p);
    net_receive(f, &p, 1);
    CHECK_EQ(f->n_segments, 1);
    net_down(f);
}

TEST(broken_frames_are_dropped)
{
    struct packet p = good4();
    p.len = 13;
    check_dropped(&p, STAT_net_drop_rx_eth_short);
    p = packet_eth(MAC_US, MAC_PEER);
    packet_vlan(&p, 7);
    p.len -= 1;
    check_dropped(&p, STAT_net_drop_rx_eth_short);
    p = good4();
    p.bytes[5] ^= 1;
    check_dropped(&p, STAT_net_drop_rx_eth_not_ours);
    p = good4();
    p.bytes[6] |= 1;
    check_dropped(&p, STAT_net_drop_rx_eth_source);
    p = good4();
    p.bytes[p.type_at + 1] = 0x99;
    check_dropped(&p, STAT_net_drop_rx_eth_type);
    p = packet_eth(MAC_US, MAC_PEER);
    packet_vlan(&p, 8);
    packet_ip4(&p, PEER4, US4, 6);
    packet_close(&p);
    check_dropped(&p, STAT_net_drop_rx_vlan_unknown);
}

TEST(broken_ip4_is_dropped)
{
    static const struct {
        unsigned at;
        uint8_t value;
        enum stat_id why;
    } cases[] = {
        {0, 0x55, STAT_net_drop_rx_ip4_invalid}, /* version */
        {0, 0x44, STAT_net_drop_rx_ip4_invalid}, /* header too short */
        {0, 0x4f, STAT_net_drop_rx_ip4_invalid}, /* header longer than the packet */
        {2, 0x40, STAT_net_drop_rx_ip4_invalid}, /* longer than the frame */
        {3, 19, STAT_net_drop_rx_ip4_invalid},   /* shorter than its header */
        {9, 47, STAT_net_drop_rx_ip4_protocol},  /* GRE */
        {12, 0, STAT_net_drop_rx_ip4_source},    /* 0.x */
        {12, 127, STAT_net_drop_rx_ip4_source},  /* loopback */
        {12, 224, STAT_net_drop_rx_ip4_source},  /* a group */
        {15, 1, STAT_net_drop_rx_ip4_source},    /* ourselves */
        {15, 255, STAT_net_drop_rx_ip4_source},  /* everybody in our prefix */
        {16, 193, STAT_net_drop_rx_ip4_not_ours},
    };
    for (unsigned i = 0; i < array_len(cases); i++) {
        struct packet p = good4();
        bool keeps_length = cases[i].at != 2 && cases[i].at != 3 && cases[i].at != 0;
        p.bytes[p.ip_at + cases[i].at] = cases[i].value;
        if (keeps_length)
            packet_close(&p);
        check_dropped(&p, cases[i].why);
    }
    struct packet p = good4();
    p.bytes[p.ip_at + 10] ^= 1;
    check_dropped(&p, STAT_net_drop_rx_ip4_cksum);
    p = packet_eth(MAC_ALL, MAC_PEER);
    packet_ip4(&p, PEER4, US4, 6);
    packet_tcp(&p, 1024, 80, "");
    packet_close(&p);
    check_dropped(&p, STAT_net_drop_rx_ip4_not_ours);
}

/* good6() with another source or destination. */
static struct packet addressed6(const char *mac, const char *src, const char *dst)
{
    struct packet p = packet_eth(mac, MAC_PEER);
    packet_ip6(&p, src, dst, 64);
    packet_tcp(&p, 1024, 80, "");
    packet_close(&p);
    return p;
}

TEST(broken_ip6_is_dropped)
{
    struct packet p = good6();
    p.bytes[p.ip_at] = 0x50;
    check_dropped(&p, STAT_net_drop_rx_ip6_invalid);
    p = good6();
    p.bytes[p.ip_at + 5] += 1;
    check_dropped(&p, STAT_net_drop_rx_ip6_invalid);
    p = addressed6(MAC_US, "ff02::1", US6);
    check_dropped(&p, STAT_net_drop_rx_ip6_source);
    p = addressed6(MAC_US, "::1", US6);
    check_dropped(&p, STAT_net_drop_rx_ip6_source);
    p = addressed6(MAC_US, US6, US6);
    check_dropped(&p, STAT_net_drop_rx_ip6_source);
    p = addressed6(MAC_US, LL6, US6);
    check_dropped(&p, STAT_net_drop_rx_ip6_source);
    p = addressed6(MAC_US, PEER6, "2001:db8::2");
    check_dropped(&p, STAT_net_drop_rx_ip6_not_ours);
    p = addressed6(MAC_GROUP6, PEER6, US6);
    check_dropped(&p, STAT_net_drop_rx_ip6_not_ours);
    p = addressed6(MAC_GROUP6, PEER6, "ff02::2");
    check_dropped(&p, STAT_net_drop_rx_ip6_not_ours);
    p = addressed6(MAC_GROUP6, PEER6, GROUP6);
    check_dropped(&p, STAT_net_drop_rx_ip6_protocol);
    p = addressed6(MAC_US, "::", US6);
    check_dropped(&p, STAT_net_drop_rx_ip6_protocol);
    p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, PEER6, US6, 64);
    packet_close(&p);
    check_dropped(&p, STAT_net_drop_rx_ip6_protocol);
}

/* A TCP segment behind one extension header whose byte `at` is `value`. */
static struct packet extended(uint8_t proto, unsigned at, uint8_t value)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, PEER6, US6, 64);
    unsigned ext = packet_ext(&p, proto, 8);
    packet_tcp(&p, 1024, 80, "");
    packet_close(&p);
    p.bytes[ext + at] = value;
    return p;
}

TEST(broken_extension_headers_are_dropped)
{
    struct packet p = extended(0, 1, 200); /* longer than the packet */
    check_dropped(&p, STAT_net_drop_rx_ip6_extension);
    p = extended(0, 2, 0x80); /* an option that we must know */
    check_dropped(&p, STAT_net_drop_rx_ip6_extension);
    p = extended(60, 3, 9); /* an option longer than the header: its type is the pad of byte 2 */
    p.bytes[p.l4_at - 6] = 1;
    check_dropped(&p, STAT_net_drop_rx_ip6_extension);
    p = extended(43, 3, 1); /* a route that still has segments */
    check_dropped(&p, STAT_net_drop_rx_ip6_extension);
}

TEST(too_many_extension_headers_are_dropped)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, PEER6, US6, 64);
    for (unsigned i = 0; i <= NET_IP6_EXTENSIONS_MAX; i++)
        packet_ext(&p, 60, 8);
    packet_tcp(&p, 1024, 80, "");
    packet_close(&p);
    check_dropped(&p, STAT_net_drop_rx_ip6_extension);
    p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, PEER6, US6, 64);
    packet_ext(&p, 60, 8);
    packet_ext(&p, 0, 8); /* hop-by-hop is only allowed first */
    packet_tcp(&p, 1024, 80, "");
    packet_close(&p);
    check_dropped(&p, STAT_net_drop_rx_ip6_extension);
}

TEST(before_there_is_a_tcp_segments_are_dropped)
{
    struct net_fixture *f = net_up(0);
    f->net->tcp_ops = NULL;
    struct packet p = good4();
    net_receive(f, &p, 0);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_no_tcp), 1);
    net_down(f);
}

TEST(packets_that_cannot_be_sent_are_dropped)
{
    struct net_fixture *f = net_up(0);
    net_send(f, PEER4, 1481);
    CHECK_EQ(net_stat(f, STAT_net_drop_tx_too_big), 1);
    net_send(f, "ff02::1", 20); /* no route leads to a group */
    struct net_config nothing = {0};
    net_configure(f->net, &nothing);
    net_send(f, PEER4, 20);
    CHECK(net_stat(f, STAT_net_drop_tx_no_route) >= 1);
    net_down(f);
}

TEST(a_packet_without_headroom_is_dropped)
{
    struct net_fixture *f = net_up(0);
    struct ip_addr src = addr_of(US4);
    struct ip_addr dst = addr_of(PEER4);
    struct rte_mbuf *m = rte_pktmbuf_alloc(f->core.mbufs);
    REQUIRE(m != NULL);
    REQUIRE(rte_pktmbuf_prepend(m, (uint16_t)(rte_pktmbuf_headroom(m) - NET_HEADER_BYTES + 1)));
    net_output(f->net, m, &src, &dst, 6, 0, 0);
    CHECK_EQ(net_stat(f, STAT_net_drop_tx_headroom), 1);
    net_down(f);
}

/* ARP, ND and ICMP have suites of their own; here only that their reasons are reached. */
TEST(broken_arp_nd_and_icmp_are_dropped)
{
    struct packet p = packet_eth(MAC_ALL, MAC_PEER);
    packet_arp(&p, 3, MAC_PEER, PEER4, US4);
    check_dropped(&p, STAT_net_drop_rx_arp_invalid);
    p = packet_eth(MAC_ALL, MAC_PEER);
    packet_arp(&p, 1, MAC_PEER, "10.0.0.1", US4);
    check_dropped(&p, STAT_net_drop_rx_arp_off_link);
    p = packet_eth(MAC_ALL, MAC_PEER);
    packet_arp(&p, 1, MAC_PEER, US4, PEER4);
    check_dropped(&p, STAT_net_drop_rx_arp_spoof);
    p = packet_eth(MAC_US, MAC_PEER);
    packet_ip4(&p, PEER4, US4, 1);
    packet_icmp(&p, 8, 0, 1);
    packet_close(&p);
    p.bytes[p.cksum_at] ^= 1;
    check_dropped(&p, STAT_net_drop_rx_icmp_invalid);
    p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, PEER6, US6, 254);
    packet_nd(&p, 135, 0, US6, MAC_PEER);
    packet_close(&p);
    check_dropped(&p, STAT_net_drop_rx_nd_invalid);
    p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, "2001:db9::9", US6, 255);
    packet_nd(&p, 135, 0, US6, MAC_PEER);
    packet_close(&p);
    check_dropped(&p, STAT_net_drop_rx_nd_off_link);
    p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, PEER6, US6, 255);
    packet_nd(&p, 136, 0, US6, MAC_PEER);
    packet_close(&p);
    check_dropped(&p, STAT_net_drop_rx_nd_spoof);
}

/* Fragments and UDP have suites of their own, too. */
TEST(fragments_and_datagrams_that_are_refused_are_dropped)
{
    struct packet whole = good4();
    whole.proto = 17;
    whole.cksum_at = 0;
    whole.bytes[whole.ip_at + 9] = 17;
    packet_close(&whole);
    struct packet a = packet_fragment(&whole, 1, 0, 16, true);
    struct net_fixture *f = net_up(0);
    net_receive(f, &a, 0);
    net_receive(f, &a, 0);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_fragment_copy), 1);
    struct packet b = packet_fragment(&whole, 1, 8, 24, true);
    net_receive(f, &b, 0);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_fragment_overlap), 1);
    f->net->reassembly->mbufs_max = 0;
    b = packet_fragment(&whole, 2, 8, 24, true);
    net_receive(f, &b, 0);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_fragment_limit), 1);
    net_down(f);
    a = packet_fragment(&whole, 1, 8, 25, true);
    check_dropped(&a, STAT_net_drop_rx_fragment_invalid);
    whole = good4();
    a = packet_fragment(&whole, 1, 0, 8, true);
    check_dropped(&a, STAT_net_drop_rx_fragment_tiny);
    a = packet_eth(MAC_US, MAC_PEER);
    packet_ip4(&a, PEER4, US4, 17);
    packet_udp(&a, 1, 2, "", 0);
    packet_close(&a);
    check_dropped(&a, STAT_net_drop_rx_udp_no_listener);
    a.bytes[a.cksum_at] ^= 1;
    check_dropped(&a, STAT_net_drop_rx_udp_cksum);
    a.bytes[a.l4_at + 5] = 9;
    check_dropped(&a, STAT_net_drop_rx_udp_invalid);
}

TEST(options_that_are_refused_are_dropped)
{
    static const struct {
        const char *bytes;
        enum stat_id why;
    } cases[] = {{"\x83\3\4", STAT_net_drop_rx_ip4_source_route},
                 {"\x83\5\4", STAT_net_drop_rx_ip4_options}};
    for (unsigned i = 0; i < array_len(cases); i++) {
        struct packet p = packet_eth(MAC_US, MAC_PEER);
        packet_ip4(&p, PEER4, US4, 6);
        p.bytes[p.ip_at] = 0x46;
        packet_bytes(&p, cases[i].bytes, 4);
        packet_tcp(&p, 1024, 80, "xy");
        packet_close(&p);
        check_dropped(&p, cases[i].why);
    }
}

TEST(a_tag_inside_a_tag_is_dropped)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_vlan(&p, 7);
    packet_vlan(&p, 7);
    packet_ip4(&p, "198.51.100.9", "198.51.100.1", 6);
    packet_tcp(&p, 1024, 80, "");
    packet_close(&p);
    check_dropped(&p, STAT_net_drop_rx_vlan_nested);
    p.bytes[12] = 0x88; /* 802.1ad outside */
    p.bytes[13] = 0xa8;
    check_dropped(&p, STAT_net_drop_rx_vlan_nested);
}

TEST(packets_for_neighbours_that_do_not_answer_are_dropped)
{
    struct net_fixture *f = net_up(0);
    for (unsigned i = 0; i <= NET_NEIGHBOUR_QUEUE_MAX; i++)
        net_send(f, PEER4, 20);
    CHECK_EQ(net_stat(f, STAT_net_drop_tx_neighbour_queue), 1);
    net_wait_ms(f, 4000);
    CHECK_EQ(net_stat(f, STAT_net_drop_tx_neighbour_failed), NET_NEIGHBOUR_QUEUE_MAX);
    net_send(f, PEER4, 20);
    net_down(f); /* its packet is given back with the neighbour */
    CHECK(net_total(STAT_net_drop_tx_neighbour_evicted) > 0);
}

TEST(packets_for_the_kernel_over_their_rate_are_dropped)
{
    struct net_fixture *f = net_up_with_tap(0);
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip4(&p, PEER4, US4, 6);
    packet_tcp(&p, 1024, 179, "");
    packet_close(&p);
    for (unsigned i = 0; i < 100; i++)
        net_receive(f, &p, 0);
    CHECK(net_stat(f, STAT_net_drop_rx_punt_limited) > 0);
    net_down(f);
}

TEST(what_another_box_hands_over_and_is_no_segment_is_dropped)
{
    struct net_fixture *f = net_up(0);
    struct net_config config = *net_fixture_config();
    struct net_interface drained = config.interfaces[0];
    drained.drained = addr_of(US4);
    config.interfaces = &drained;
    config.n_interfaces = 1;
    config.n_addresses = 1;
    config.n_routes = 0;
    net_configure(f->net, &config);
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip4(&p, PEER4, US4, 4);
    packet_bytes(&p, "no packet", 9);
    packet_close(&p);
    net_receive(f, &p, 0);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_handover), 1);
    net_down(f);
}

TEST(every_reason_for_a_drop_was_reached)
{
    for (unsigned i = 0; i < STAT_COUNT; i++) {
        if (strncmp(stat_name(i), "net_drop_", 9) != 0)
            continue;
        CHECK(net_total(i) > 0);
        if (net_total(i) == 0)
            printf("  never reached: %s\n", stat_name(i));
    }
}

UNIT_MAIN("net/input", T(a_segment_reaches_tcp_without_headers_and_padding),
          T(a_segment_in_a_vlan_reaches_tcp), T(a_priority_tag_is_no_vlan),
          T(ip4_options_are_skipped), T(ip6_extension_headers_are_walked),
          T(a_segment_to_a_vip_reaches_tcp_on_every_interface), T(broken_frames_are_dropped),
          T(broken_ip4_is_dropped), T(broken_ip6_is_dropped),
          T(broken_extension_headers_are_dropped), T(too_many_extension_headers_are_dropped),
          T(before_there_is_a_tcp_segments_are_dropped), T(packets_that_cannot_be_sent_are_dropped),
          T(a_packet_without_headroom_is_dropped), T(broken_arp_nd_and_icmp_are_dropped),
          T(fragments_and_datagrams_that_are_refused_are_dropped),
          T(options_that_are_refused_are_dropped), T(a_tag_inside_a_tag_is_dropped),
          T(packets_for_neighbours_that_do_not_answer_are_dropped),
          T(packets_for_the_kernel_over_their_rate_are_dropped),
          T(what_another_box_hands_over_and_is_no_segment_is_dropped),
          T(every_reason_for_a_drop_was_reached))
