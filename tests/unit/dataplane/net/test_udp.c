/* SPDX-License-Identifier: Apache-2.0 */
/* UDP: what the listener is given, what it never sees, and what it sends. */
#include "base/container.h"
#include "net_fixture.h"

#include <rte_ip.h>
#include <rte_mbuf.h>
#include <string.h>

static struct packet datagram(bool is_v4, uint16_t port, const char *text)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    if (is_v4)
        packet_ip4(&p, PEER4, US4, 17);
    else
        packet_ip6(&p, PEER6, US6, 64);
    packet_udp(&p, 4000, port, text, (unsigned)strlen(text));
    packet_close(&p);
    return p;
}

static void check_dropped(const struct packet *p, enum stat_id why)
{
    struct net_fixture *f = net_up(0);
    net_receive(f, p, 0);
    CHECK_EQ(net_stat(f, why), 1);
    CHECK_EQ(f->n_datagrams, 0);
    net_down(f);
}

TEST(a_datagram_reaches_whoever_listens)
{
    struct net_fixture *f = net_up(0);
    for (unsigned is_v4 = 0; is_v4 < 2; is_v4++) {
        struct packet p = datagram(is_v4, UDP_PORT, "query");
        if (is_v4)
            p.bytes[p.ip_at + 1] = 0x2e;
        packet_close(&p);
        packet_bytes(&p, "padding", 7);
        net_receive(f, &p, 0);
        struct ip_addr src = addr_of(is_v4 ? PEER4 : PEER6);
        struct ip_addr dst = addr_of(is_v4 ? US4 : US6);
        CHECK_EQ(f->n_datagrams, is_v4 + 1);
        CHECK_EQ(f->datagram_bytes, 5);
        CHECK(memcmp(f->datagram, "query", 5) == 0);
        CHECK(ip_addr_eq(&f->datagram_header.src, &src));
        CHECK(ip_addr_eq(&f->datagram_header.dst, &dst));
        CHECK_EQ(f->datagram_header.src_port, 4000);
        CHECK_EQ(f->datagram_header.dst_port, UDP_PORT);
        CHECK_EQ(f->datagram_header.tos, is_v4 ? 0x2e : 0);
    }
    CHECK_EQ(net_stat(f, STAT_net_rx_udp), 2);
    net_down(f);
}

TEST(an_empty_datagram_is_one_and_what_lies_behind_its_length_is_not_read)
{
    struct net_fixture *f = net_up(0);
    struct packet p = datagram(true, UDP_PORT, "");
    net_receive(f, &p, 0);
    CHECK_EQ(f->n_datagrams, 1);
    CHECK_EQ(f->datagram_bytes, 0);
    p = datagram(true, UDP_PORT, "short, and more");
    p.bytes[p.l4_at + 5] = 8 + 5; /* IP says more than UDP */
    p.bytes[p.cksum_at] = p.bytes[p.cksum_at + 1] = 0;
    net_receive(f, &p, 0);
    CHECK_EQ(f->datagram_bytes, 5);
    net_down(f);
}

TEST(broken_datagrams_are_dropped)
{
    for (unsigned is_v4 = 0; is_v4 < 2; is_v4++) {
        struct packet p = datagram(is_v4, UDP_PORT, "query");
        p.bytes[p.len - 1] ^= 1;
        check_dropped(&p, STAT_net_drop_rx_udp_cksum);
        p = datagram(is_v4, UDP_PORT, "query");
        p.bytes[p.l4_at + 5] = 7; /* shorter than its header */
        packet_close(&p);
        check_dropped(&p, STAT_net_drop_rx_udp_invalid);
        p = datagram(is_v4, UDP_PORT, "query");
        p.bytes[p.l4_at + 5] = 8 + 6; /* longer than the packet */
        packet_close(&p);
        check_dropped(&p, STAT_net_drop_rx_udp_invalid);
        p = datagram(is_v4, 0, "query");
        check_dropped(&p, STAT_net_drop_rx_udp_invalid);
        p = datagram(is_v4, UDP_PORT, "");
        p.len -= 1;
        p.cksum_at = 0;
        packet_close(&p);
        check_dropped(&p, STAT_net_drop_rx_udp_invalid);
    }
}

TEST(only_ip4_may_leave_out_the_checksum)
{
    struct packet p = datagram(false, UDP_PORT, "query");
    p.bytes[p.cksum_at] = p.bytes[p.cksum_at + 1] = 0;
    check_dropped(&p, STAT_net_drop_rx_udp_cksum);
    struct net_fixture *f = net_up(0);
    p = datagram(true, UDP_PORT, "query");
    p.bytes[p.cksum_at] = p.bytes[p.cksum_at + 1] = 0;
    net_receive(f, &p, 0);
    CHECK_EQ(f->n_datagrams, 1);
    net_down(f);
}

TEST(without_a_listener_nobody_listens)
{
    struct net_fixture *f = net_up(0);
    f->net->udp_ops = NULL;
    struct packet p = datagram(true, UDP_PORT, "query");
    net_receive(f, &p, 0);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_udp_no_listener), 1);
    CHECK_EQ(net_stat(f, STAT_net_tx_icmp_unreachable), 1);
    net_down(f);
}

static void meet(struct net_fixture *f, const char *peer, const char *us, uint16_t port)
{
    struct packet p = packet_eth(port == 0 ? MAC_US : "02:00:00:00:00:02", MAC_PEER);
    packet_arp(&p, 1, MAC_PEER, peer, us);
    net_receive(f, &p, port);
    net_forget_sent(f);
}

/* Sends `bytes` of `fill` to port 53 of `dst`. */
static void send_udp(struct net_fixture *f, const char *src, const char *dst, unsigned bytes,
                     uint8_t fill)
{
    struct net_udp_header h = {addr_of(src), addr_of(dst), UDP_PORT, 4000, 0x2e};
    struct rte_mbuf *m = rte_pktmbuf_alloc(f->core.mbufs);
    REQUIRE(m != NULL);
    void *body = rte_pktmbuf_append(m, (uint16_t)bytes);
    REQUIRE(body != NULL);
    memset(body, fill, bytes);
    net_udp_output(f->net, m, &h);
}

TEST(a_datagram_is_sent_as_it_is_received)
{
    struct net_fixture *f = net_up(0);
    meet(f, PEER4, US4, 0);
    send_udp(f, US4, PEER4, 501, 0x5a);
    REQUIRE(f->n_sent == 1);
    const struct sent *s = &f->sent[0];
    const struct rte_ipv4_hdr *ip = (const void *)&s->bytes[14];
    CHECK_EQ(s->len, 14 + 20 + 8 + 501);
    CHECK_EQ(ip->next_proto_id, 17);
    CHECK_EQ(ip->type_of_service, 0x2e);
    CHECK_EQ(rte_ipv4_udptcp_cksum_verify(ip, &s->bytes[34]), 0);
    static const uint8_t header[] = {0, UDP_PORT, 4000 >> 8, 4000 & 0xff, 509 >> 8, 509 & 0xff};
    CHECK(memcmp(&s->bytes[34], header, sizeof(header)) == 0);
    CHECK_EQ(s->ol_flags & RTE_MBUF_F_TX_L4_MASK, 0);
    net_down(f);
}

TEST(a_checksum_of_zero_is_sent_as_all_ones)
{
    struct net_fixture *f = net_up(0);
    meet(f, PEER4, US4, 0);
    bool was_ones = false;
    struct net_udp_header h = {addr_of(US4), addr_of(PEER4), UDP_PORT, 4000, 0};
    for (unsigned i = 0; i < 65536 && !was_ones; i++) {
        struct rte_mbuf *m = rte_pktmbuf_alloc(f->core.mbufs);
        REQUIRE(m != NULL);
        uint8_t *body = (void *)rte_pktmbuf_append(m, 2);
        body[0] = (uint8_t)(i >> 8);
        body[1] = (uint8_t)i;
        net_udp_output(f->net, m, &h);
        uint16_t cksum;
        memcpy(&cksum, &f->sent[0].bytes[34 + 6], 2);
        CHECK(cksum != 0);
        was_ones = cksum == 0xffff;
        net_forget_sent(f);
    }
    CHECK(was_ones);
    net_down(f);
}

TEST(a_port_with_offload_is_asked_for_the_udp_checksum)
{
    struct net_fixture *f = net_up(0);
    meet(f, "10.9.0.9", "10.9.0.1", 1);
    send_udp(f, "10.9.0.1", "10.9.0.9", 100, 1);
    REQUIRE(f->n_sent == 1);
    const struct rte_ipv4_hdr *ip = (const void *)&f->sent[0].bytes[14];
    uint16_t pseudo;
    memcpy(&pseudo, &f->sent[0].bytes[34 + 6], 2);
    CHECK_EQ(f->sent[0].ol_flags,
             RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM);
    CHECK_EQ(pseudo, rte_ipv4_phdr_cksum(ip, 0));
    net_down(f);
}

TEST(what_does_not_fit_is_not_sent)
{
    struct net_fixture *f = net_up(0);
    meet(f, PEER4, US4, 0);
    send_udp(f, US4, PEER4, 1472, 1);
    send_udp(f, US4, PEER4, 1473, 1);
    CHECK_EQ(f->n_sent, 1);
    CHECK_EQ(net_stat(f, STAT_net_drop_tx_too_big), 1);
    struct net_udp_header h = {addr_of(US4), addr_of(PEER4), UDP_PORT, 4000, 0};
    struct rte_mbuf *m = rte_pktmbuf_alloc(f->core.mbufs);
    REQUIRE(m != NULL && rte_pktmbuf_prepend(m, rte_pktmbuf_headroom(m)) != NULL);
    net_udp_output(f->net, m, &h);
    CHECK_EQ(net_stat(f, STAT_net_drop_tx_headroom), 1);
    struct rte_mbuf *head = NULL; /* more than IP can carry */
    for (unsigned i = 0; i < 34; i++) {
        m = rte_pktmbuf_alloc(f->core.mbufs);
        REQUIRE(m != NULL && rte_pktmbuf_append(m, 2000) != NULL);
        if (head == NULL)
            head = m;
        else
            REQUIRE(rte_pktmbuf_chain(head, m) == 0);
    }
    net_udp_output(f->net, head, &h);
    CHECK_EQ(net_stat(f, STAT_net_drop_tx_too_big), 2);
    net_down(f);
}

TEST(errors_about_our_datagrams_are_told_to_the_listener)
{
    struct net_fixture *f = net_up(0);
    struct packet quoted = packet_eth(MAC_PEER, MAC_US);
    packet_ip4(&quoted, US4, "8.8.8.8", 17);
    packet_udp(&quoted, UDP_PORT, 4321, "answer", 6);
    packet_close(&quoted);
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip4(&p, "192.0.2.254", US4, 1);
    packet_icmp(&p, 3, 4, 1400);
    packet_bytes(&p, &quoted.bytes[quoted.ip_at], 28);
    packet_close(&p);
    net_receive(f, &p, 0);
    CHECK_EQ(f->n_errors, 0);
    CHECK_EQ(f->n_udp_errors, 1);
    CHECK_EQ(f->udp_error.kind, NET_ICMP_TOO_BIG);
    CHECK_EQ(f->udp_error.mtu, 1400);
    CHECK_EQ(f->udp_error.local_port, UDP_PORT);
    CHECK_EQ(f->udp_error.remote_port, 4321);
    CHECK_EQ(f->udp_error.seq, 0);
    net_down(f);
}

UNIT_MAIN("net/udp", T(a_datagram_reaches_whoever_listens),
          T(an_empty_datagram_is_one_and_what_lies_behind_its_length_is_not_read),
          T(broken_datagrams_are_dropped), T(only_ip4_may_leave_out_the_checksum),
          T(without_a_listener_nobody_listens), T(a_datagram_is_sent_as_it_is_received),
          T(a_checksum_of_zero_is_sent_as_all_ones),
          T(a_port_with_offload_is_asked_for_the_udp_checksum), T(what_does_not_fit_is_not_sent),
          T(errors_about_our_datagrams_are_told_to_the_listener))
