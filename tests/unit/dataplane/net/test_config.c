/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations: announcements, what a new one keeps and what it ends; and packets out. */
#include "base/container.h"
#include "net/cksum.h"
#include "net/forward.h"
#include "net_fixture.h"

#include <rte_ip.h>
#include <string.h>

static const struct net_interface one_port = {.port = 0};

/* A configuration with a prefix and one VIP. */
static void configure_vip(struct net_fixture *f, const char *vip)
{
    struct net_address addresses[] = {
        {addr_of(US4), 120, 0, 0}, {addr_of(US6), 64, 0, 0}, {addr_of(vip), 128, 1, 0}};
    struct net_config config = {&one_port, 1, addresses, array_len(addresses), NULL, 0};
    net_configure(f->net, &config);
}

TEST(a_new_address_is_announced_twice_by_worker_0)
{
    struct net_fixture *f = net_up(0);
    configure_vip(f, "203.0.113.99");
    net_wait_ms(f, 20);
    REQUIRE(f->n_sent == 1); /* the two that stay are not announced again */
    struct packet want = packet_eth(MAC_ALL, MAC_US);
    packet_arp(&want, 1, MAC_US, "203.0.113.99", "203.0.113.99");
    CHECK(memcmp(f->sent[0].bytes, want.bytes, want.len) == 0);
    net_wait_ms(f, 1900);
    CHECK_EQ(f->n_sent, 1);
    net_wait_ms(f, 200);
    CHECK_EQ(f->n_sent, 2);
    net_wait_ms(f, 10000);
    CHECK_EQ(f->n_sent, 2);
    CHECK_EQ(f->core.wheel.armed, 0);
    net_down(f);
}

TEST(a_new_ip6_address_is_announced_to_all_nodes)
{
    struct net_fixture *f = net_up(0);
    configure_vip(f, "2001:db8:7::1");
    net_wait_ms(f, 20);
    struct packet want = packet_eth("33:33:00:00:00:01", MAC_US);
    packet_ip6(&want, "2001:db8:7::1", "ff02::1", 255);
    packet_nd(&want, 136, ND_FLAG_OVERRIDE, "2001:db8:7::1", MAC_US);
    packet_close(&want);
    REQUIRE(f->n_sent == 1);
    CHECK(memcmp(f->sent[0].bytes, want.bytes, want.len) == 0);
    net_down(f);
}

TEST(other_workers_announce_nothing)
{
    struct net_fixture *f = net_up(1);
    configure_vip(f, "203.0.113.99");
    net_wait_ms(f, 3000);
    CHECK_EQ(f->n_sent, 0);
    net_down(f);
}

/* As many VIPs as there can be, 203.0.0.0 and so on. */
static const struct net_config *most_vips(void)
{
    static struct net_address addresses[NET_ADDRESSES_MAX];
    static struct net_config config = {&one_port, 1, addresses, array_len(addresses), NULL, 0};
    for (unsigned i = 0; i < array_len(addresses); i++) {
        addresses[i] = (struct net_address){addr_of("203.0.0.0"), 128, 1, 0};
        addresses[i].addr.bytes[14] = (uint8_t)(i >> 8);
        addresses[i].addr.bytes[15] = (uint8_t)i;
    }
    return &config;
}

TEST(ten_thousand_new_addresses_are_announced_a_few_each_millisecond)
{
    struct net_fixture *f = net_up(0);
    uint64_t before = net_stat(f, STAT_net_announcements);
    net_configure(f->net, most_vips());
    uint64_t began_us = f->core.now_us, took_us = 0;
    for (unsigned sent = 0; sent < NET_ADDRESSES_MAX && took_us < 2000000;) {
        unsigned n = net_poll(f->net);
        CHECK(n <= NET_ANNOUNCE_BURST_MAX);
        sent += n;
        f->core.now_us += NET_ANNOUNCE_PAUSE_US / 4;
        wheel_run(&f->core.wheel, f->core.now_us, 1000);
        took_us = f->core.now_us - began_us;
        net_forget_sent(f);
    }
    CHECK_EQ(net_stat(f, STAT_net_announcements) - before, NET_ADDRESSES_MAX);
    CHECK(took_us >= (NET_ADDRESSES_MAX / NET_ANNOUNCE_BURST_MAX - 1) * NET_ANNOUNCE_PAUSE_US);
    net_down(f);
}

TEST(ten_thousand_addresses_that_go_together_are_told_once)
{
    struct net_fixture *f = net_up(0);
    net_configure(f->net, most_vips());
    unsigned before = f->n_gone;
    configure_vip(f, "203.0.113.80");
    CHECK_EQ(f->n_gone, before + 1);
    net_down(f);
}

TEST(an_image_that_leaves_the_network_alone_leaves_its_ways_alone)
{
    struct net_fixture *f = net_up(0);
    uint16_t version = net_hops_version(f->net);
    net_configure(f->net, net_fixture_config());
    CHECK_EQ(net_hops_version(f->net), version);
    CHECK_EQ(net_poll(f->net), 0);
    struct net_config other = *net_fixture_config();
    other.n_routes--;
    net_configure(f->net, &other);
    CHECK(net_hops_version(f->net) != version);
    net_down(f);
}

TEST(tcp_hears_of_an_address_that_is_gone)
{
    struct net_fixture *f = net_up(0);
    configure_vip(f, "203.0.113.80");
    struct ip_addr vip = addr_of("203.0.113.80");
    unsigned before = f->n_gone; /* those of the fixture's other interfaces */
    CHECK(net_is_local(f->net, &vip));
    configure_vip(f, "203.0.113.81");
    CHECK_EQ(f->n_gone, before + 1);
    CHECK(!net_is_local(f->net, &vip) && !net_is_ours(f->net, &vip));
    net_down(f);
}

TEST(neighbours_survive_a_new_configuration_if_they_still_are_some)
{
    struct net_fixture *f = net_up(0);
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_arp(&p, 1, MAC_PEER, PEER4, US4);
    net_receive(f, &p, 0);
    net_send(f, "198.51.100.20", 20); /* waits on the VLAN that is about to go */
    CHECK_EQ(net_stat(f, STAT_net_neighbours_now), 2);
    configure_vip(f, "203.0.113.80");
    CHECK_EQ(net_stat(f, STAT_net_neighbours_now), 1);
    CHECK_EQ(net_stat(f, STAT_net_drop_tx_neighbour_evicted), 1);
    net_forget_sent(f);
    net_send(f, PEER4, 20);
    struct ether_mac peer = mac_of(MAC_PEER);
    CHECK(f->n_sent == 1 && memcmp(f->sent[0].bytes, &peer, 6) == 0);
    net_down(f);
}

TEST(the_way_tells_source_and_mtu)
{
    static const struct {
        const char *dst, *source, *next_hop;
        uint16_t interface, mtu;
    } ways[] = {
        {"192.0.2.50", US4, "192.0.2.50", 0, 1500},
        {"8.8.8.8", US4, "192.0.2.254", 0, 1500},
        {"2001:db8::50", US6, "2001:db8::50", 0, 1500},
        {"2001:470::1", US6, "2001:db8::fe", 0, 1500},
        {"198.51.100.50", "198.51.100.1", "198.51.100.50", 1, 1500},
        {"10.9.200.1", "10.9.0.1", "10.9.200.1", 2, 8000},
    };
    struct net_fixture *f = net_up(0);
    for (unsigned i = 0; i < array_len(ways); i++) {
        struct ip_addr dst = addr_of(ways[i].dst);
        struct ip_addr source = addr_of(ways[i].source);
        struct ip_addr next_hop = addr_of(ways[i].next_hop);
        struct net_path path;
        REQUIRE(net_path_find(f->net, &dst, &path));
        CHECK(ip_addr_eq(&path.source, &source));
        CHECK(ip_addr_eq(&path.next_hop, &next_hop));
        CHECK_EQ(path.interface, ways[i].interface);
        CHECK_EQ(path.mtu, ways[i].mtu);
    }
    net_down(f);
}

static const char GATEWAY_A[] = "192.0.2.254";
static const char GATEWAY_B[] = "192.0.2.253";

/* Two default gateways, the first of them twice. */
static void configure_gateways(struct net_fixture *f)
{
    struct net_address addresses[] = {{addr_of(US4), 120, 0, 0}};
    struct net_route routes[] = {{addr_of("0.0.0.0"), 96, 0, 0, addr_of(GATEWAY_A)},
                                 {addr_of("0.0.0.0"), 96, 0, 0, addr_of(GATEWAY_B)},
                                 {addr_of("0.0.0.0"), 96, 0, 0, addr_of(GATEWAY_A)},
                                 {addr_of("203.0.113.0"), 120, 0, 0, addr_of(GATEWAY_B)}};
    struct net_config config = {&one_port, 1, addresses, 1, routes, array_len(routes), false};
    net_configure(f->net, &config);
    CHECK_EQ(f->net->now->paths.n, 4);
}

static bool goes_by(struct net_fixture *f, const char *dst, const char *gateway)
{
    struct ip_addr to = addr_of(dst);
    struct ip_addr want = addr_of(gateway);
    struct net_path path;
    return net_path_find(f->net, &to, &path) && ip_addr_eq(&path.next_hop, &want);
}

TEST(when_a_gateway_is_silent_the_next_one_is_used_until_it_is_back)
{
    struct net_fixture *f = net_up(0);
    configure_gateways(f);
    CHECK(goes_by(f, "8.8.8.8", GATEWAY_A));
    CHECK(goes_by(f, "203.0.113.9", GATEWAY_B));
    net_send(f, "8.8.8.8", 20);
    net_wait_ms(f, 3200);
    CHECK_EQ(net_stat(f, STAT_net_gateway_failures), 1);
    CHECK(goes_by(f, "8.8.8.8", GATEWAY_B));
    net_send(f, "203.0.113.9", 20); /* now the other is silent, too: back to the first */
    net_wait_ms(f, 3200);
    CHECK_EQ(net_stat(f, STAT_net_gateway_failures), 2);
    CHECK(goes_by(f, "8.8.8.8", GATEWAY_A));
    struct packet p = packet_eth(MAC_ALL, MAC_OTHER); /* the second is back */
    packet_arp(&p, 1, MAC_OTHER, GATEWAY_B, US4);
    net_receive(f, &p, 0);
    CHECK(goes_by(f, "8.8.8.8", GATEWAY_B));
    net_forget_sent(f);
    net_wait_ms(f, 7000); /* the first is asked whether it is back */
    struct packet want = packet_eth(MAC_ALL, MAC_US);
    packet_arp(&want, 1, MAC_US, US4, GATEWAY_A);
    REQUIRE(f->n_sent >= 1);
    CHECK(memcmp(f->sent[0].bytes, want.bytes, want.len) == 0);
    p = packet_eth(MAC_US, MAC_PEER);
    packet_arp(&p, 2, MAC_PEER, GATEWAY_A, US4);
    net_receive(f, &p, 0);
    CHECK(goes_by(f, "8.8.8.8", GATEWAY_A));
    net_wait_ms(f, 20000);
    CHECK(!wheel_timer_is_armed(&f->net->gateway_timer));
    net_down(f);
}

TEST(no_way_leads_to_what_is_not_a_host)
{
    static const char *const nobody[] = {
        "224.0.0.1", "239.1.2.3",   "255.255.255.255",
        "0.0.0.0",   "0.1.2.3",     "127.0.0.1",
        "240.0.0.1", "192.0.2.255", /* all of a prefix of ours */
        "ff02::1",   "ff0e::1",     "::",
        "::1",
    };
    struct net_fixture *f = net_up(0); /* it has default routes */
    struct net_path path;
    for (unsigned i = 0; i < array_len(nobody); i++) {
        struct ip_addr dst = addr_of(nobody[i]);
        CHECK(!net_path_find(f->net, &dst, &path));
    }
    struct ip_addr far = addr_of("203.0.112.255"); /* may be a host of somebody else's prefix */
    CHECK(net_path_find(f->net, &far, &path));
    net_down(f);
}

TEST(the_hop_limit_can_be_set)
{
    struct net_fixture *f = net_up(0);
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_arp(&p, 1, MAC_PEER, PEER4, US4);
    net_receive(f, &p, 0);
    net_forget_sent(f);
    net_send(f, PEER4, 20);
    net_set_hop_limit(f->net, 9);
    net_send(f, PEER4, 20);
    REQUIRE(f->n_sent == 2);
    CHECK_EQ(f->sent[0].bytes[14 + 8], NET_HOP_LIMIT);
    CHECK_EQ(f->sent[1].bytes[14 + 8], 9);
    net_down(f);
}

/* A chained segment with the checksum asked for: header and odd-sized payload apart. */
static void send_chained(struct net_fixture *f, const char *src, const char *dst)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(f->core.mbufs);
    struct rte_mbuf *rest = rte_pktmbuf_alloc(f->core.mbufs);
    REQUIRE(m != NULL && rest != NULL);
    memset(rte_pktmbuf_append(m, 20 + 3), 0x35, 20 + 3);
    memset(rte_pktmbuf_append(rest, 777), 0x36, 777);
    REQUIRE(rte_pktmbuf_chain(m, rest) == 0);
    m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
    m->l4_len = 20;
    struct ip_addr from = addr_of(src);
    struct ip_addr to = addr_of(dst);
    net_output(f->net, m, &from, &to, 6, 0x12, 0xabcde);
}

TEST(a_port_without_offload_gets_good_checksums)
{
    struct net_fixture *f = net_up(0);
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_arp(&p, 1, MAC_PEER, PEER4, US4);
    net_receive(f, &p, 0);
    net_forget_sent(f);
    send_chained(f, US4, PEER4);
    REQUIRE(f->n_sent == 1);
    const struct sent *s = &f->sent[0];
    CHECK_EQ(s->len, 14 + 20 + 800);
    CHECK_EQ(s->ol_flags & (RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IP_CKSUM), 0);
    const struct rte_ipv4_hdr *ip = (const void *)&s->bytes[14];
    CHECK_EQ((uint16_t)~rte_raw_cksum(ip, 20), 0);
    CHECK_EQ(rte_ipv4_udptcp_cksum_verify(ip, &s->bytes[34]), 0);
    CHECK_EQ(ip->type_of_service, 0x12);
    CHECK_EQ(rte_be_to_cpu_16(ip->fragment_offset), 0x4000);
    net_down(f);
}

TEST(a_port_with_offload_gets_what_the_device_needs)
{
    struct net_fixture *f = net_up(0);
    struct packet p = packet_eth("02:00:00:00:00:02", MAC_PEER);
    packet_arp(&p, 1, MAC_PEER, "10.9.0.9", "10.9.0.1");
    net_receive(f, &p, 1);
    net_forget_sent(f);
    send_chained(f, "10.9.0.1", "10.9.0.9");
    REQUIRE(f->n_sent == 1);
    const struct sent *s = &f->sent[0];
    CHECK_EQ(s->port, 1);
    CHECK_EQ(s->ol_flags, RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM);
    const struct rte_ipv4_hdr *ip = (const void *)&s->bytes[14];
    uint16_t pseudo;
    memcpy(&pseudo, &s->bytes[34 + 16], 2);
    CHECK_EQ(ip->hdr_checksum, 0);
    CHECK_EQ(pseudo, rte_ipv4_phdr_cksum(ip, 0));
    net_down(f);
}

TEST(ip6_out_is_right_too)
{
    struct net_fixture *f = net_up(0);
    struct packet p = packet_eth(MAC_GROUP6, MAC_PEER);
    packet_ip6(&p, PEER6, GROUP6, 255);
    packet_nd(&p, 135, 0, US6, MAC_PEER);
    packet_close(&p);
    net_receive(f, &p, 0);
    net_forget_sent(f);
    send_chained(f, US6, PEER6);
    REQUIRE(f->n_sent == 1);
    const struct rte_ipv6_hdr *ip = (const void *)&f->sent[0].bytes[14];
    CHECK_EQ(rte_be_to_cpu_16(ip->payload_len), 800);
    CHECK_EQ(ip->hop_limits, 64);
    CHECK_EQ(rte_be_to_cpu_32(ip->vtc_flow), 0x612abcde);
    CHECK_EQ(rte_ipv6_udptcp_cksum_verify(ip, &f->sent[0].bytes[54]), 0);
    net_down(f);
}

UNIT_MAIN("net/config", T(when_a_gateway_is_silent_the_next_one_is_used_until_it_is_back),
          T(no_way_leads_to_what_is_not_a_host), T(the_hop_limit_can_be_set),
          T(a_new_address_is_announced_twice_by_worker_0),
          T(a_new_ip6_address_is_announced_to_all_nodes), T(other_workers_announce_nothing),
          T(ten_thousand_new_addresses_are_announced_a_few_each_millisecond),
          T(ten_thousand_addresses_that_go_together_are_told_once),
          T(an_image_that_leaves_the_network_alone_leaves_its_ways_alone),
          T(tcp_hears_of_an_address_that_is_gone),
          T(neighbours_survive_a_new_configuration_if_they_still_are_some),
          T(the_way_tells_source_and_mtu), T(a_port_without_offload_gets_good_checksums),
          T(a_port_with_offload_gets_what_the_device_needs), T(ip6_out_is_right_too))
