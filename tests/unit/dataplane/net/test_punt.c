/* SPDX-License-Identifier: Apache-2.0 */
/* The exception path: what the kernel's daemons get, how much of it, and what they may send. */
#include "base/container.h"
#include "net_fixture.h"

#include <stdio.h>
#include <string.h>

#define VIP4 "203.0.113.80"
#define VIP6 "2001:db8:5::80"
#define MAC_VRRP4 "01:00:5e:00:00:12"
#define MAC_VRRP6 "33:33:00:00:00:12"

static struct packet ip4(const char *mac, const char *dst, uint8_t proto)
{
    struct packet p = packet_eth(mac, MAC_PEER);
    packet_ip4(&p, PEER4, dst, proto);
    return p;
}

static struct packet tcp4(const char *dst, uint16_t src_port, uint16_t dst_port)
{
    struct packet p = ip4(MAC_US, dst, 6);
    packet_tcp(&p, src_port, dst_port, "");
    packet_close(&p);
    return p;
}

/* The same in a connection that stands. */
static struct packet tcp4_later(const char *dst, uint16_t src_port, uint16_t dst_port)
{
    struct packet p = tcp4(dst, src_port, dst_port);
    p.bytes[p.l4_at + 13] = 0x10;
    packet_close(&p);
    return p;
}

static struct packet udp4(const char *dst, uint16_t dst_port)
{
    struct packet p = ip4(MAC_US, dst, 17);
    packet_udp(&p, 49152, dst_port, "bfd", 3);
    packet_close(&p);
    return p;
}

static struct packet ip6(const char *mac, const char *src, const char *dst)
{
    struct packet p = packet_eth(mac, MAC_PEER);
    packet_ip6(&p, src, dst, 255);
    return p;
}

static struct packet tcp6(const char *src, const char *dst, uint16_t dst_port)
{
    struct packet p = ip6(MAC_US, src, dst);
    packet_tcp(&p, 1024, dst_port, "");
    packet_close(&p);
    return p;
}

static struct packet raw4(const char *mac, const char *dst, uint8_t proto)
{
    struct packet p = ip4(mac, dst, proto);
    packet_bytes(&p, "\x21\1\x64\1\0\0\0\0", 8);
    packet_close(&p);
    return p;
}

/* Is the frame given to the kernel, as it came? */
static bool is_punted(struct net_fixture *f, const struct packet *p)
{
    unsigned before = f->n_to_tap;
    net_receive(f, p, 0);
    if (f->n_to_tap == before)
        return false;
    CHECK_EQ(f->n_to_tap, before + 1);
    CHECK_EQ(f->to_tap.port, 0);
    CHECK_EQ(f->to_tap.len, p->len);
    CHECK(memcmp(f->to_tap.bytes, p->bytes, p->len) == 0);
    CHECK_EQ(f->to_tap.ol_flags & ~(RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT), 0);
    return true;
}

TEST(bgp_and_bfd_to_the_boxs_own_addresses_go_to_the_kernel_as_they_came)
{
    struct net_fixture *f = net_up_with_tap(1);
    const struct packet frames[] = {
        tcp4(US4, 1024, 179),      tcp4_later(US4, 179, 1024),
        udp4(US4, 3784),           udp4(US4, 3785),
        udp4(US4, 4784),           tcp6(PEER6, US6, 179),
        tcp6("fe80::9", LL6, 179),
    };
    for (size_t i = 0; i < array_len(frames); i++)
        CHECK(is_punted(f, &frames[i]));
    CHECK_EQ(net_stat(f, STAT_net_rx_punted), array_len(frames));
    CHECK_EQ(net_stat(f, STAT_net_punt_bfd), 3);
    CHECK_EQ(net_stat(f, STAT_net_punt_bgp), 1);
    CHECK_EQ(net_stat(f, STAT_net_punt_bgp_open), 3);
    CHECK_EQ(f->n_segments, 0);
    CHECK_EQ(f->n_sent, 0);
    net_down(f);
}

TEST(all_else_stays_with_the_dataplane)
{
    struct net_fixture *f = net_up_with_tap(0);
    const struct packet frames[] = {
        tcp4(US4, 1024, 80), tcp4(VIP4, 1024, 179), tcp6(PEER6, VIP6, 179), udp4(US4, 53),
        udp4(VIP4, 3784),    udp4(US4, 3786),       raw4(MAC_US, US4, 89),
    };
    for (size_t i = 0; i < array_len(frames); i++)
        CHECK(!is_punted(f, &frames[i]));
    CHECK_EQ(net_stat(f, STAT_net_rx_punted), 0);
    CHECK_EQ(f->n_segments, 3);
    net_down(f);
}

TEST(a_port_without_a_tap_punts_nothing)
{
    struct net_fixture *f = net_up(0);
    struct packet p = tcp4(US4, 1024, 179);
    CHECK(!is_punted(f, &p));
    p = raw4(MAC_VRRP4, "224.0.0.18", 112);
    CHECK(!is_punted(f, &p));
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_eth_not_ours), 1);
    p = ip6(MAC_VRRP6, "fe80::9", "ff02::12");
    packet_ext(&p, 112, 8);
    packet_close(&p);
    CHECK(!is_punted(f, &p));
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_ip6_not_ours), 1);
    CHECK_EQ(f->n_segments, 1);
    net_down(f);
}

TEST(groups_of_vrrp_and_igmp_go_to_the_kernel_and_no_others)
{
    struct net_fixture *f = net_up_with_tap(0);
    struct packet p = raw4(MAC_VRRP4, "224.0.0.18", 112);
    CHECK(is_punted(f, &p));
    p = raw4("01:00:5e:00:00:01", "224.0.0.1", 2);
    CHECK(is_punted(f, &p));
    p = raw4(MAC_US, US4, 112); /* pairs without multicast */
    CHECK(is_punted(f, &p));
    CHECK_EQ(net_stat(f, STAT_net_punt_vrrp), 2);
    CHECK_EQ(net_stat(f, STAT_net_punt_group), 1);
    const struct packet others[] = {
        raw4("01:00:5e:00:00:05", "224.0.0.5", 89), raw4("01:00:5e:00:00:12", "224.0.0.18", 6),
        raw4("01:00:5e:01:01:01", "239.1.1.1", 2), raw4("01:00:5e:00:00:12", US4, 112)};
    for (size_t i = 0; i < array_len(others); i++)
        CHECK(!is_punted(f, &others[i]));
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_ip4_not_ours), array_len(others));
    net_down(f);
}

TEST(vrrp_over_ip6_goes_to_the_kernel)
{
    struct net_fixture *f = net_up_with_tap(0);
    struct packet p = ip6(MAC_VRRP6, "fe80::9", "ff02::12");
    p.proto = 112;
    p.bytes[p.next_at] = 112;
    packet_bytes(&p, "\x31\1\x64\1\0\0\0\0", 8);
    packet_close(&p);
    p.bytes[p.ip_at + 6] = 112;
    CHECK(is_punted(f, &p));
    CHECK_EQ(net_stat(f, STAT_net_punt_vrrp), 1);
    net_down(f);
}

TEST(the_kernel_learns_neighbours_from_copies_of_answers_and_is_asked_nothing)
{
    struct net_fixture *f = net_up_with_tap(0);
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_arp(&p, 2, MAC_PEER, PEER4, US4);
    CHECK(is_punted(f, &p));
    p = packet_eth(MAC_US, MAC_PEER);
    packet_arp(&p, 1, MAC_PEER, PEER4, US4);
    CHECK(!is_punted(f, &p)); /* answered by us */
    CHECK_EQ(net_stat(f, STAT_net_arp_replies), 1);
    p = ip6(MAC_US, PEER6, US6);
    packet_nd(&p, 136, ND_FLAG_SOLICITED, PEER6, MAC_PEER);
    packet_close(&p);
    CHECK(is_punted(f, &p));
    p = ip6(MAC_US, PEER6, US6);
    packet_nd(&p, 135, 0, US6, MAC_PEER);
    packet_close(&p);
    CHECK(!is_punted(f, &p));
    CHECK_EQ(net_stat(f, STAT_net_nd_adverts), 1);
    CHECK_EQ(net_stat(f, STAT_net_punt_neighbour), 2);
    net_down(f);
}

TEST(a_copy_for_another_worker_is_not_given_to_the_kernel_again)
{
    struct net_fixture *f = net_up_with_tap(1);
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_arp(&p, 2, MAC_PEER, PEER4, US4);
    net_receive_copy(f, &p);
    CHECK_EQ(f->n_to_tap, 0);
    CHECK_EQ(net_stat(f, STAT_net_rx_arp), 1);
    net_down(f);
}

TEST(somebody_elses_claim_of_our_address_does_not_reach_the_kernel)
{
    struct net_fixture *f = net_up_with_tap(0);
    struct packet p = packet_eth(MAC_US, MAC_OTHER);
    packet_arp(&p, 2, MAC_OTHER, US4, US4);
    CHECK(!is_punted(f, &p));
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_arp_spoof), 1);
    net_down(f);
}

TEST(answers_to_echo_and_errors_about_daemons_packets_reach_the_kernel)
{
    struct net_fixture *f = net_up_with_tap(0);
    struct packet p = ip4(MAC_US, US4, 1);
    packet_icmp(&p, 0, 0, 0x12345678);
    packet_close(&p);
    CHECK(is_punted(f, &p));
    CHECK_EQ(net_stat(f, STAT_net_echo_punted), 1);
    for (unsigned is_bgp = 0; is_bgp < 2; is_bgp++) {
        struct packet quoted = packet_eth(MAC_PEER, MAC_US);
        packet_ip4(&quoted, US4, PEER4, 6);
        packet_tcp(&quoted, 1024, is_bgp ? 179 : 80, "");
        packet_close(&quoted);
        p = ip4(MAC_US, US4, 1);
        packet_icmp(&p, 3, 1, 0);
        packet_bytes(&p, quoted.bytes + quoted.ip_at, 28);
        packet_close(&p);
        CHECK_EQ(is_punted(f, &p), is_bgp);
    }
    CHECK_EQ(net_stat(f, STAT_net_icmp_errors), 2);
    net_down(f);
}

TEST(a_frame_of_a_vlan_has_its_tag_whether_the_device_took_it_or_not)
{
    struct net_fixture *f = net_up_with_tap(0);
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_vlan(&p, 7);
    packet_ip4(&p, "198.51.100.9", "198.51.100.1", 6);
    packet_tcp(&p, 1024, 179, "");
    packet_close(&p);
    CHECK(is_punted(f, &p));
    CHECK_EQ(f->to_tap.bytes[12], 0x81);
    net_down(f);
}

/* The frame comes `n` times. Returns how many got through. */
static unsigned flood(struct net_fixture *f, const struct packet *p, unsigned n)
{
    unsigned before = f->n_to_tap;
    for (unsigned i = 0; i < n; i++)
        net_receive(f, p, 0);
    return f->n_to_tap - before;
}

TEST(a_flood_of_one_source_ends_in_the_rate_of_its_share)
{
    struct net_fixture *f = net_up_with_tap(0);
    struct packet syn = tcp4(US4, 1024, 179);
    CHECK_EQ(flood(f, &syn, 100), 10); /* the burst of PUNT_LIST */
    CHECK_EQ(net_stat(f, STAT_net_punt_limited_bgp_open), 90);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_punt_limited), 90);
    struct packet bfd = udp4(US4, 3784);
    CHECK_EQ(flood(f, &bfd, 10), 10); /* other kinds have rates of their own */
    struct packet later = tcp4_later(US4, 179, 1024);
    CHECK_EQ(flood(f, &later, 10), 10); /* and so has a session that stands */
    f->core.now_us += 1000000;
    CHECK_EQ(flood(f, &syn, 100), 10);
    net_down(f);
}

TEST(floods_from_afar_leave_neighbours_theirs)
{
    struct net_fixture *f = net_up_with_tap(0);
    unsigned through = 0;
    for (unsigned i = 0; i < 1000; i++) {
        char source[32];
        snprintf(source, sizeof(source), "10.%u.%u.9", i / 250, i % 250);
        struct packet p = packet_eth(MAC_US, MAC_PEER);
        packet_ip4(&p, source, US4, 17);
        packet_udp(&p, 49152, 4784, "bfd", 3);
        packet_close(&p);
        through += is_punted(f, &p);
    }
    CHECK_EQ(through, NET_PUNT_BURST_MAX);
    struct packet near = udp4(US4, 3784);
    CHECK_EQ(flood(f, &near, 10), 10);
    net_down(f);
}

TEST(what_the_kernel_sends_goes_out_as_it_is)
{
    struct net_fixture *f = net_up_with_tap(0);
    struct packet p = packet_eth(MAC_PEER, MAC_US);
    packet_ip4(&p, US4, PEER4, 6);
    packet_tcp(&p, 179, 1024, "open");
    packet_close(&p);
    net_receive_from_tap(f, &p);
    REQUIRE(f->n_sent == 1);
    CHECK_EQ(f->sent[0].port, 0);
    CHECK_EQ(f->sent[0].len, p.len);
    CHECK(memcmp(f->sent[0].bytes, p.bytes, p.len) == 0);
    p = packet_eth(MAC_PEER, MAC_US);
    packet_vlan(&p, 7);
    packet_ip4(&p, "198.51.100.1", "198.51.100.9", 6);
    packet_tcp(&p, 179, 1024, "");
    packet_close(&p);
    net_receive_from_tap(f, &p);
    CHECK_EQ(f->n_sent, 2);
    CHECK_EQ(net_stat(f, STAT_net_injected), 2);
    net_down(f);
}

TEST(the_kernel_speaks_only_as_the_port_and_on_vlans_that_have_an_interface)
{
    struct net_fixture *f = net_up_with_tap(0);
    struct packet p = packet_eth(MAC_PEER, MAC_OTHER);
    packet_ip4(&p, US4, PEER4, 6);
    packet_close(&p);
    net_receive_from_tap(f, &p);
    CHECK_EQ(net_stat(f, STAT_net_inject_drop_source), 1);
    p = packet_eth(MAC_PEER, MAC_US);
    packet_vlan(&p, 8);
    packet_ip4(&p, US4, PEER4, 6);
    packet_close(&p);
    net_receive_from_tap(f, &p);
    CHECK_EQ(net_stat(f, STAT_net_inject_drop_vlan), 1);
    p = packet_eth(MAC_PEER, MAC_US);
    p.len = 13;
    net_receive_from_tap(f, &p);
    p = packet_eth(MAC_PEER, MAC_US);
    packet_ip4(&p, US4, PEER4, 6);
    p.len = 1519;
    net_receive_from_tap(f, &p);
    CHECK_EQ(net_stat(f, STAT_net_inject_drop_short), 2);
    CHECK_EQ(f->n_sent, 0);
    net_down(f);
}

TEST(other_workers_leave_the_taps_alone)
{
    struct net_fixture *f = net_up_with_tap(1);
    CHECK_EQ(net_inject(f->net), 0);
    net_down(f);
}

UNIT_MAIN("net/punt", T(bgp_and_bfd_to_the_boxs_own_addresses_go_to_the_kernel_as_they_came),
          T(all_else_stays_with_the_dataplane), T(a_port_without_a_tap_punts_nothing),
          T(groups_of_vrrp_and_igmp_go_to_the_kernel_and_no_others),
          T(vrrp_over_ip6_goes_to_the_kernel),
          T(the_kernel_learns_neighbours_from_copies_of_answers_and_is_asked_nothing),
          T(a_copy_for_another_worker_is_not_given_to_the_kernel_again),
          T(somebody_elses_claim_of_our_address_does_not_reach_the_kernel),
          T(answers_to_echo_and_errors_about_daemons_packets_reach_the_kernel),
          T(a_frame_of_a_vlan_has_its_tag_whether_the_device_took_it_or_not),
          T(a_flood_of_one_source_ends_in_the_rate_of_its_share),
          T(floods_from_afar_leave_neighbours_theirs), T(what_the_kernel_sends_goes_out_as_it_is),
          T(the_kernel_speaks_only_as_the_port_and_on_vlans_that_have_an_interface),
          T(other_workers_leave_the_taps_alone))
