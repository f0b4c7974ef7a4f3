/* SPDX-License-Identifier: Apache-2.0 */
/* The ICMP errors that we send: about what, to whom, how many. */
#include "base/container.h"
#include "net/cksum.h"
#include "net_fixture.h"
#include "unit_eal.h"

#include <rte_ip.h>
#include <string.h>

/* The peer is known, so that errors leave at once. */
static void meet_peer(struct net_fixture *f)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_arp(&p, 1, MAC_PEER, PEER4, US4);
    net_receive(f, &p, 0);
    for (unsigned i = 0; i < 2; i++) {
        p = packet_eth(MAC_US, MAC_PEER);
        packet_ip6(&p, i == 0 ? PEER6 : "fe80::9", US6, 255);
        packet_nd(&p, 135, 0, US6, MAC_PEER);
        packet_close(&p);
        net_receive(f, &p, 0);
    }
    net_forget_sent(f);
}

/* A datagram to a port where nobody listens. */
static struct packet stray(bool is_v4, unsigned bytes)
{
    static const uint8_t zero[1400];
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    if (is_v4)
        packet_ip4(&p, PEER4, US4, 17);
    else
        packet_ip6(&p, PEER6, US6, 64);
    packet_udp(&p, 4000, 9, zero, bytes);
    packet_close(&p);
    return p;
}

/* `p` is answered by one error with this type, code and word behind the checksum, which comes from
 * where `p` went to, and quotes it. */
static void check_told(const struct packet *p, uint8_t type, uint8_t code, uint32_t rest)
{
    struct net_fixture *f = net_up(0);
    meet_peer(f);
    net_receive(f, p, 0);
    REQUIRE(f->n_sent == 1);
    const struct sent *s = &f->sent[0];
    bool is_v4 = p->next_at == 0;
    unsigned at = p->ip_at + (is_v4 ? 20 : 40);
    unsigned quote = RTE_MIN(p->len - p->ip_at, is_v4 ? 548u : 1232u);
    uint8_t want[8] = {type,
                       code,
                       s->bytes[at + 2],
                       s->bytes[at + 3],
                       (uint8_t)(rest >> 24),
                       (uint8_t)(rest >> 16),
                       (uint8_t)(rest >> 8),
                       (uint8_t)rest};
    CHECK_EQ(s->len, at + 8 + quote);
    CHECK(memcmp(&s->bytes[at], want, 8) == 0);
    CHECK(memcmp(&s->bytes[at + 8], &p->bytes[p->ip_at], quote) == 0);
    unsigned addr = is_v4 ? 4 : 16;
    unsigned src_at = p->ip_at + (is_v4 ? 12 : 8);
    CHECK(memcmp(&s->bytes[src_at], &p->bytes[src_at + addr], addr) == 0);
    CHECK(memcmp(&s->bytes[src_at + addr], &p->bytes[src_at], addr) == 0);
    uint32_t sum = 0;
    if (!is_v4) {
        struct ip_addr src = ip_addr_from_v6(&s->bytes[src_at]);
        struct ip_addr dst = ip_addr_from_v6(&s->bytes[src_at + 16]);
        sum = cksum_add_pseudo(0, &src, &dst, 58, s->len - at);
    }
    CHECK(cksum_is_good(cksum_add(sum, &s->bytes[at], s->len - at)));
    net_down(f);
}

TEST(a_port_where_nobody_listens_is_unreachable)
{
    for (unsigned bytes = 0; bytes < 1401; bytes += 700) {
        struct packet p = stray(true, bytes);
        check_told(&p, 3, 3, 0);
        p = stray(false, bytes);
        check_told(&p, 1, 4, 0);
    }
}

TEST(a_protocol_that_nobody_speaks_is_unreachable)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip4(&p, PEER4, US4, 47);
    packet_bytes(&p, "GRE?", 4);
    packet_close(&p);
    check_told(&p, 3, 2, 0);
    p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, PEER6, US6, 64);
    packet_ext(&p, 60, 8);
    packet_ext(&p, 47, 8);
    packet_close(&p);
    check_told(&p, 4, 1, 40); /* where the destination options name it */
    p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, PEER6, US6, 64);
    packet_ext(&p, 60, 8);
    packet_ext(&p, 0, 8); /* hop-by-hop out of place */
    packet_close(&p);
    check_told(&p, 4, 1, 40);
}

TEST(headers_that_cannot_be_read_are_told_with_their_place)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip4(&p, PEER4, US4, 17);
    p.bytes[p.ip_at] = 0x46;
    packet_bytes(&p, "\1\7\2\0", 4);
    p.l4_at = p.len;
    packet_udp(&p, 4000, 9, "", 0);
    packet_close(&p);
    check_told(&p, 12, 0, 21u << 24);
    p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, PEER6, US6, 64);
    unsigned ext = packet_ext(&p, 43, 8);
    p.bytes[ext + 3] = 1;
    packet_close(&p);
    check_told(&p, 4, 0, 42);
    p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, PEER6, US6, 64);
    ext = packet_ext(&p, 60, 8);
    p.bytes[ext + 2] = 0xc1;
    p.bytes[ext + 3] = 4;
    packet_close(&p);
    check_told(&p, 4, 2, 42);
}

TEST(a_link_local_sender_is_told_by_its_link)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, "fe80::9", LL6, 64);
    packet_udp(&p, 4000, 9, "", 0);
    packet_close(&p);
    check_told(&p, 1, 4, 0);
}

/* `p` is dropped without a word. */
static void check_silence(const struct packet *p, unsigned withheld)
{
    struct net_fixture *f = net_up(0);
    meet_peer(f);
    net_receive(f, p, 0);
    CHECK_EQ(f->n_sent, 0);
    CHECK_EQ(net_stat(f, STAT_net_icmp_withheld), withheld);
    net_down(f);
}

/* A packet to `dst` with an unknown option of `type`, and `proto` behind it. */
static struct packet with_option(const char *mac, const char *dst, uint8_t type)
{
    struct packet p = packet_eth(mac, MAC_PEER);
    packet_ip6(&p, PEER6, dst, 64);
    unsigned ext = packet_ext(&p, 60, 8);
    p.bytes[ext + 2] = type;
    p.bytes[ext + 3] = 4;
    packet_close(&p);
    return p;
}

TEST(a_group_is_not_answered_but_about_an_option_that_says_so)
{
    struct packet p = with_option(MAC_GROUP6, GROUP6, 0xc1);
    check_silence(&p, 1);
    p = with_option(MAC_GROUP6, GROUP6, 0x81);
    struct net_fixture *f = net_up(0);
    meet_peer(f);
    net_receive(f, &p, 0);
    REQUIRE(f->n_sent == 1);
    struct ip_addr us = addr_of(US6); /* no group can speak */
    CHECK(memcmp(&f->sent[0].bytes[14 + 8], us.bytes, 16) == 0);
    CHECK_EQ(f->sent[0].bytes[54], 4);
    net_down(f);
}

TEST(an_error_is_never_answered_by_an_error)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip4(&p, PEER4, US4, 1);
    p.bytes[p.ip_at] = 0x46;
    packet_bytes(&p, "\1\7\2\0", 4); /* a broken option */
    p.l4_at = p.len;
    packet_icmp(&p, 3, 3, 0);
    packet_close(&p);
    check_silence(&p, 1);
    p.bytes[p.l4_at] = 8; /* about a ping it is told */
    packet_close(&p);
    check_told(&p, 12, 0, 21u << 24);
    p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, PEER6, US6, 64);
    unsigned ext = packet_ext(&p, 60, 8);
    p.bytes[ext + 2] = 0x81;
    p.bytes[ext + 3] = 4;
    packet_icmp(&p, 1, 4, 0);
    packet_close(&p);
    check_silence(&p, 1);
    p.bytes[p.l4_at] = 128;
    packet_close(&p);
    check_told(&p, 4, 2, 42);
}

TEST(a_later_fragment_and_no_next_header_are_not_answered)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip4(&p, PEER4, US4, 47);
    p.bytes[p.ip_at + 7] = 2;
    packet_bytes(&p, "GRE?", 4);
    packet_close(&p);
    check_silence(&p, 1);
    p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, PEER6, US6, 64);
    packet_close(&p); /* 59: RFC 8200, 4.7 */
    check_silence(&p, 0);
}

TEST(one_destination_gets_no_more_than_its_share_and_all_no_more_than_the_rate)
{
    struct net_fixture *f = net_up(0);
    meet_peer(f);
    struct packet p = stray(true, 4);
    for (unsigned i = 0; i < 1000; i++)
        net_receive(f, &p, 0);
    CHECK_EQ(net_stat(f, STAT_net_tx_icmp_unreachable), NET_ICMP_ERRORS_PER_SHARE_BURST_MAX);
    CHECK_EQ(net_stat(f, STAT_net_icmp_limited), 1000 - NET_ICMP_ERRORS_PER_SHARE_BURST_MAX);
    p = stray(false, 4);
    net_receive(f, &p, 0); /* another one is served all the same */
    CHECK_EQ(net_stat(f, STAT_net_tx_icmp_unreachable), NET_ICMP_ERRORS_PER_SHARE_BURST_MAX + 1);
    net_forget_sent(f);
    for (unsigned i = 0; i < 5000; i++) {
        p = stray(true, 4);
        p.bytes[p.ip_at + 12] = 9;
        p.bytes[p.ip_at + 14] = (uint8_t)(i >> 8);
        p.bytes[p.ip_at + 15] = (uint8_t)i;
        p.cksum_at = 0;
        packet_close(&p);
        p.bytes[p.l4_at + 6] = p.bytes[p.l4_at + 7] = 0;
        net_receive(f, &p, 0);
        net_forget_sent(f);
    }
    uint64_t told = net_stat(f, STAT_net_tx_icmp_unreachable);
    CHECK(told <= NET_ICMP_ERRORS_BURST_MAX && told > NET_ICMP_ERRORS_BURST_MAX / 2);
    net_down(f);
}

TEST(without_mbufs_an_error_is_left_out_and_counted)
{
    struct net_fixture *f = net_up(0);
    meet_peer(f);
    struct rte_mempool *enough = f->core.mbufs;
    struct rte_mempool *none = unit_mbufs_new(1);
    struct rte_mbuf *taken = rte_pktmbuf_alloc(none);
    f->core.mbufs = none;
    struct packet p = stray(true, 4);
    net_receive(f, &p, 0);
    CHECK_EQ(net_stat(f, STAT_net_answer_no_mbuf), 1);
    f->core.mbufs = enough;
    rte_pktmbuf_free(taken);
    net_down(f);
    rte_mempool_free(none);
}

UNIT_MAIN("net/icmp_send", T(a_port_where_nobody_listens_is_unreachable),
          T(a_protocol_that_nobody_speaks_is_unreachable),
          T(headers_that_cannot_be_read_are_told_with_their_place),
          T(a_link_local_sender_is_told_by_its_link),
          T(a_group_is_not_answered_but_about_an_option_that_says_so),
          T(an_error_is_never_answered_by_an_error),
          T(a_later_fragment_and_no_next_header_are_not_answered),
          T(one_destination_gets_no_more_than_its_share_and_all_no_more_than_the_rate),
          T(without_mbufs_an_error_is_left_out_and_counted))
