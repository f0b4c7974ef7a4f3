/* SPDX-License-Identifier: Apache-2.0 */
/* Echo and ICMP errors of both families. */
#include "base/container.h"
#include "net/cksum.h"
#include "net_fixture.h"

#include <rte_ip.h>
#include <string.h>

/* The peer is known, so that answers leave at once. */
static void meet_peer(struct net_fixture *f)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_arp(&p, 1, MAC_PEER, PEER4, US4);
    net_receive(f, &p, 0);
    p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, PEER6, US6, 255);
    packet_nd(&p, 135, 0, US6, MAC_PEER);
    packet_close(&p);
    net_receive(f, &p, 0);
    net_forget_sent(f);
}

static struct packet echo4(unsigned payload)
{
    static const uint8_t bytes[1500];
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip4(&p, PEER4, US4, 1);
    packet_icmp(&p, 8, 0, 0x12345678);
    packet_bytes(&p, bytes, payload);
    packet_close(&p);
    return p;
}

static struct packet echo6(const char *src, const char *dst)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, src, dst, 64);
    packet_icmp(&p, 128, 0, 0x12345678);
    packet_bytes(&p, "ping", 4);
    packet_close(&p);
    return p;
}

TEST(an_ip4_echo_comes_back_as_it_was)
{
    struct net_fixture *f = net_up(0);
    meet_peer(f);
    struct packet p = echo4(1472); /* a full frame */
    net_receive(f, &p, 0);
    REQUIRE(f->n_sent == 1);
    const struct sent *s = &f->sent[0];
    struct ether_mac peer = mac_of(MAC_PEER);
    CHECK_EQ(s->len, p.len);
    CHECK(memcmp(s->bytes, &peer, 6) == 0);
    CHECK(memcmp(&s->bytes[26], &p.bytes[30], 4) == 0); /* addresses change places */
    CHECK(memcmp(&s->bytes[30], &p.bytes[26], 4) == 0);
    CHECK_EQ(s->bytes[34], 0);
    CHECK_EQ((uint16_t)~rte_raw_cksum(&s->bytes[14], 20), 0);
    CHECK_EQ((uint16_t)~rte_raw_cksum(&s->bytes[34], s->len - 34), 0);
    CHECK(memcmp(&s->bytes[38], &p.bytes[38], s->len - 38) == 0);
    CHECK_EQ(net_stat(f, STAT_net_echo_replies), 1);
    net_down(f);
}

static void check_echo6(struct net_fixture *f, const struct packet *p)
{
    net_receive(f, p, 0);
    REQUIRE(f->n_sent == 1);
    const struct sent *s = &f->sent[0];
    CHECK_EQ(s->len, p->len);
    CHECK(memcmp(&s->bytes[22], &p->bytes[38], 16) == 0);
    CHECK(memcmp(&s->bytes[38], &p->bytes[22], 16) == 0);
    CHECK_EQ(s->bytes[54], 129);
    struct ip_addr src = ip_addr_from_v6(&s->bytes[22]);
    struct ip_addr dst = ip_addr_from_v6(&s->bytes[38]);
    uint32_t sum = cksum_add_pseudo(0, &src, &dst, 58, s->len - 54);
    CHECK(cksum_is_good(cksum_add(sum, &s->bytes[54], s->len - 54)));
    CHECK(memcmp(&s->bytes[58], &p->bytes[58], s->len - 58) == 0);
    net_forget_sent(f);
}

TEST(an_ip6_echo_comes_back_as_it_was)
{
    struct net_fixture *f = net_up(0);
    meet_peer(f);
    struct packet p = echo6(PEER6, US6);
    check_echo6(f, &p);
    net_down(f);
}

TEST(a_link_local_echo_goes_back_to_its_link)
{
    struct net_fixture *f = net_up(0);
    struct packet ask = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&ask, "fe80::9", LL6, 255);
    packet_nd(&ask, 135, 0, LL6, MAC_PEER);
    packet_close(&ask);
    net_receive(f, &ask, 0);
    CHECK_EQ(net_stat(f, STAT_net_nd_adverts), 1);
    net_forget_sent(f);
    struct packet p = echo6("fe80::9", LL6);
    check_echo6(f, &p);
    net_down(f);
}

TEST(a_vip_answers_echo)
{
    struct net_fixture *f = net_up(0);
    meet_peer(f);
    struct packet p = echo6(PEER6, "2001:db8:5::80");
    check_echo6(f, &p);
    net_down(f);
}

TEST(echo_to_a_group_is_not_answered)
{
    struct net_fixture *f = net_up(0);
    meet_peer(f);
    struct packet p = packet_eth(MAC_GROUP6, MAC_PEER);
    packet_ip6(&p, PEER6, "ff02::1", 64);
    packet_icmp(&p, 128, 0, 0);
    packet_close(&p);
    net_receive(f, &p, 0);
    CHECK_EQ(f->n_sent, 0);
    CHECK_EQ(net_stat(f, STAT_net_icmp_ignored), 1);
    net_down(f);
}

TEST(a_flood_of_echo_gets_no_more_than_its_rate)
{
    struct net_fixture *f = net_up(0);
    meet_peer(f);
    struct packet p = echo4(8);
    for (unsigned i = 0; i < 3 * NET_ECHO_BURST_MAX; i++)
        net_receive(f, &p, 0);
    CHECK_EQ(net_stat(f, STAT_net_echo_replies), NET_ECHO_BURST_MAX);
    CHECK_EQ(net_stat(f, STAT_net_echo_limited), 2 * NET_ECHO_BURST_MAX);
    net_wait_ms(f, 50);
    net_receive(f, &p, 0);
    CHECK_EQ(net_stat(f, STAT_net_echo_replies), NET_ECHO_BURST_MAX + 1);
    net_down(f);
}

TEST(other_icmp_is_ignored)
{
    struct net_fixture *f = net_up(0);
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip4(&p, PEER4, US4, 1);
    packet_icmp(&p, 13, 0, 0); /* timestamp */
    packet_close(&p);
    net_receive(f, &p, 0);
    p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, PEER6, US6, 255);
    packet_icmp(&p, 134, 0, 0); /* router advertisement */
    packet_close(&p);
    net_receive(f, &p, 0);
    p.bytes[p.l4_at] = 137;
    packet_close(&p);
    net_receive(f, &p, 0);
    p = packet_eth(MAC_US, MAC_PEER);
    packet_ip4(&p, "192.0.2.254", US4, 1);
    packet_icmp(&p, 5, 1, 0xc0000207);
    packet_close(&p);
    net_receive(f, &p, 0);
    CHECK_EQ(net_stat(f, STAT_net_icmp_ignored), 1);
    CHECK_EQ(net_stat(f, STAT_net_routers_ignored), 1);
    CHECK_EQ(net_stat(f, STAT_net_redirects_ignored), 2);
    CHECK_EQ(f->n_sent, 0);
    net_down(f);
}

TEST(an_echo_that_came_in_pieces_is_answered_as_far_as_a_packet_goes)
{
    struct net_fixture *f = net_up(0);
    meet_peer(f);
    struct packet whole = packet_eth(MAC_US, MAC_PEER);
    packet_ip4(&whole, PEER4, US4, 1);
    packet_icmp(&whole, 8, 0, 0x12345678);
    static const uint8_t bytes[3000] = {[0] = 1, [2999] = 2};
    packet_bytes(&whole, bytes, sizeof(bytes));
    packet_close(&whole);
    struct packet p = packet_fragment(&whole, 1, 0, 1480, true);
    net_receive(f, &p, 0);
    p = packet_fragment(&whole, 1, 1480, 2960, true);
    net_receive(f, &p, 0);
    p = packet_fragment(&whole, 1, 2960, 3008, false);
    net_receive(f, &p, 0);
    REQUIRE(f->n_sent == 1); /* RFC 1122, 3.2.2.6 */
    const struct sent *s = &f->sent[0];
    CHECK_EQ(s->len, 14 + 1500);
    CHECK_EQ((uint16_t)~rte_raw_cksum(&s->bytes[34], s->len - 34), 0);
    CHECK(memcmp(&s->bytes[38], &whole.bytes[whole.l4_at + 4], 1476) == 0);
    net_down(f);
}

/* An IPv4 error that quotes a packet from `src`. */
static struct packet error4(uint8_t type, uint8_t code, uint32_t rest, const char *src,
                            uint8_t proto)
{
    struct packet quoted = packet_eth(MAC_PEER, MAC_US);
    packet_ip4(&quoted, src, "8.8.8.8", proto);
    packet_tcp(&quoted, 80, 4321, "");
    packet_close(&quoted);
    quoted.bytes[quoted.ip_at + 9] = proto;
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip4(&p, "192.0.2.254", US4, 1);
    packet_icmp(&p, type, code, rest);
    packet_bytes(&p, &quoted.bytes[quoted.ip_at], 28); /* as little as RFC 792 asks for */
    packet_close(&p);
    return p;
}

TEST(errors_about_our_segments_are_told_to_tcp)
{
    static const struct {
        uint8_t type, code;
        uint32_t rest;
        enum net_icmp_kind kind;
        uint16_t mtu;
    } cases[] = {
        {3, 4, 1400, NET_ICMP_TOO_BIG, 1400},    {3, 4, 0, NET_ICMP_TOO_BIG, 0},
        {3, 4, 67, NET_ICMP_TOO_BIG, 0},         {3, 1, 0, NET_ICMP_UNREACHABLE, 0},
        {3, 3, 0xffff, NET_ICMP_UNREACHABLE, 0}, {11, 0, 0, NET_ICMP_TIME, 0},
        {12, 0, 0, NET_ICMP_OTHER, 0},
    };
    struct net_fixture *f = net_up(0);
    for (unsigned i = 0; i < array_len(cases); i++) {
        struct packet p = error4(cases[i].type, cases[i].code, cases[i].rest, US4, 6);
        net_receive(f, &p, 0);
        struct ip_addr local = addr_of(US4);
        struct ip_addr remote = addr_of("8.8.8.8");
        CHECK_EQ(f->n_errors, i + 1);
        CHECK_EQ(f->error.kind, cases[i].kind);
        CHECK_EQ(f->error.mtu, cases[i].mtu);
        CHECK(ip_addr_eq(&f->error.local, &local) && ip_addr_eq(&f->error.remote, &remote));
        CHECK_EQ(f->error.local_port, 80);
        CHECK_EQ(f->error.remote_port, 4321);
        CHECK_EQ(f->error.seq, 0x01020304);
    }
    CHECK_EQ(net_stat(f, STAT_net_icmp_errors), array_len(cases));
    net_down(f);
}

TEST(an_ip6_packet_too_big_is_told_to_tcp)
{
    struct packet quoted = packet_eth(MAC_PEER, MAC_US);
    packet_ip6(&quoted, US6, "2001:db8:9::1", 64);
    packet_tcp(&quoted, 80, 4321, "");
    packet_close(&quoted);
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, "2001:db8::fe", US6, 64);
    packet_icmp(&p, 2, 0, 70000);
    packet_bytes(&p, &quoted.bytes[quoted.ip_at], quoted.len - quoted.ip_at);
    packet_close(&p);
    struct net_fixture *f = net_up(0);
    net_receive(f, &p, 0);
    CHECK_EQ(f->n_errors, 1);
    CHECK_EQ(f->error.mtu, 65535);
    CHECK_EQ(f->error.remote_port, 4321);
    net_down(f);
}

TEST(an_ip6_error_of_any_type_is_told_to_tcp)
{
    struct packet quoted = packet_eth(MAC_PEER, MAC_US);
    packet_ip6(&quoted, US6, "2001:db8:9::1", 64);
    packet_tcp(&quoted, 80, 4321, "");
    packet_close(&quoted);
    struct net_fixture *f = net_up(0);
    static const uint8_t types[] = {4, 5, 127};
    for (unsigned i = 0; i < array_len(types); i++) {
        struct packet p = packet_eth(MAC_US, MAC_PEER);
        packet_ip6(&p, "2001:db8::fe", US6, 64);
        packet_icmp(&p, types[i], 1, 40);
        packet_bytes(&p, &quoted.bytes[quoted.ip_at], quoted.len - quoted.ip_at);
        packet_close(&p);
        net_receive(f, &p, 0);
        CHECK_EQ(f->n_errors, i + 1);
        CHECK_EQ(f->error.kind, NET_ICMP_OTHER);
    }
    net_down(f);
}

TEST(errors_about_what_we_never_sent_are_only_counted)
{
    struct net_fixture *f = net_up(0);
    struct packet p = error4(3, 4, 1400, "192.0.2.2", 6);
    net_receive(f, &p, 0);
    p = error4(3, 4, 1400, US4, 132);
    net_receive(f, &p, 0);
    CHECK_EQ(f->n_errors, 0);
    CHECK_EQ(net_stat(f, STAT_net_icmp_errors_foreign), 2);
    net_down(f);
}

UNIT_MAIN("net/icmp", T(an_ip4_echo_comes_back_as_it_was), T(an_ip6_echo_comes_back_as_it_was),
          T(a_link_local_echo_goes_back_to_its_link), T(a_vip_answers_echo),
          T(echo_to_a_group_is_not_answered), T(a_flood_of_echo_gets_no_more_than_its_rate),
          T(other_icmp_is_ignored), T(errors_about_our_segments_are_told_to_tcp),
          T(an_ip6_packet_too_big_is_told_to_tcp), T(an_ip6_error_of_any_type_is_told_to_tcp),
          T(errors_about_what_we_never_sent_are_only_counted),
          T(an_echo_that_came_in_pieces_is_answered_as_far_as_a_packet_goes))
