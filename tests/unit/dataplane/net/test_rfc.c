/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences of the RFCs that no other test shows, as docs/rfc lists them. */
#include "net_fixture.h"

/* A segment for us, its header changed at `at`. */
static struct packet segment_with(unsigned at, uint8_t value)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip4(&p, PEER4, US4, 6);
    packet_tcp(&p, 1024, 80, "x");
    p.bytes[p.ip_at + at] = value;
    packet_close(&p);
    return p;
}

TEST(the_time_to_live_is_no_reason_to_drop)
{
    struct net_fixture *f = net_up(0);
    for (uint8_t ttl = 0; ttl < 2; ttl++) {
        struct packet p = segment_with(8, ttl);
        net_receive(f, &p, 0);
        CHECK_EQ(f->n_segments, ttl + 1u);
    }
    net_down(f);
}

TEST(the_identification_of_an_atomic_packet_says_nothing)
{
    struct net_fixture *f = net_up(0);
    for (unsigned i = 0; i < 3; i++) {
        struct packet p = segment_with(5, 7); /* the same one each time */
        net_receive(f, &p, 0);
        CHECK_EQ(f->n_segments, i + 1);
    }
    net_down(f);
}

/* A solicitation for our address with `options` behind it, its reserved field not zero. */
static struct packet solicitation(const void *options, unsigned bytes)
{
    struct packet p = packet_eth(MAC_GROUP6, MAC_PEER);
    packet_ip6(&p, PEER6, GROUP6, 255);
    packet_nd(&p, 135, 0x1fffffff, US6, NULL);
    packet_bytes(&p, options, bytes);
    packet_close(&p);
    return p;
}

TEST(reserved_fields_and_unknown_options_of_nd_are_ignored_in_any_order)
{
    static const uint8_t mac_last[24] = {14, 1, 1, 2, 3, 4, 5, 6, 200, 1, 0, 0,
                                         0,  0, 0, 0, 1, 1, 2, 0, 0,   0, 0, 0x99};
    static const uint8_t mac_first[24] = {1, 1, 2, 0, 0,   0, 0, 0x99, 14, 1, 1, 2,
                                          3, 4, 5, 6, 200, 1, 0, 0,    0,  0, 0, 0};
    for (unsigned i = 0; i < 2; i++) {
        struct net_fixture *f = net_up(0);
        struct packet p = solicitation(i == 0 ? mac_last : mac_first, 24);
        net_receive(f, &p, 0);
        CHECK_EQ(net_stat(f, STAT_net_nd_adverts), 1);
        CHECK_EQ(f->n_sent, 1);
        net_send(f, PEER6, 100); /* the MAC was learned: nothing waits for it */
        CHECK_EQ(f->n_sent, 2);
        net_down(f);
    }
}

/* An ICMP message that quotes a segment of ours. */
static struct packet about_us(uint8_t type, uint8_t code)
{
    struct packet quoted = packet_eth(MAC_PEER, MAC_US);
    packet_ip4(&quoted, US4, "8.8.8.8", 6);
    packet_tcp(&quoted, 80, 4321, "");
    packet_close(&quoted);
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip4(&p, "8.8.4.4", US4, 1);
    packet_icmp(&p, type, code, 0);
    packet_bytes(&p, quoted.bytes + quoted.ip_at, 28);
    packet_close(&p);
    return p;
}

TEST(source_quench_and_unknown_types_reach_nobody)
{
    static const uint8_t types[] = {4, 1, 2, 7, 15, 17, 41, 255};
    struct net_fixture *f = net_up(0);
    struct packet heard = about_us(3, 1);
    net_receive(f, &heard, 0);
    CHECK_EQ(f->n_errors, 1); /* what is quoted is good */
    for (unsigned i = 0; i < array_len(types); i++) {
        struct packet p = about_us(types[i], 0);
        net_receive(f, &p, 0);
    }
    CHECK_EQ(f->n_errors, 1);
    CHECK_EQ(net_stat(f, STAT_net_icmp_ignored), array_len(types));
    CHECK_EQ(f->n_sent, 0);
    net_down(f);
}

TEST(no_form_of_broadcast_is_an_address_of_ours)
{
    static const char *const forms[] = {"255.255.255.255", "192.0.2.255", "192.0.2.0", "0.0.0.0"};
    struct net_fixture *f = net_up(0);
    for (unsigned i = 0; i < array_len(forms); i++) {
        struct packet p = packet_eth(i % 2 ? MAC_ALL : MAC_US, MAC_PEER);
        packet_ip4(&p, PEER4, forms[i], 6);
        packet_tcp(&p, 1024, 80, "x");
        packet_close(&p);
        net_receive(f, &p, 0);
    }
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_ip4_not_ours), array_len(forms));
    CHECK_EQ(f->n_segments, 0);
    CHECK_EQ(f->n_sent, 0);
    net_down(f);
}

UNIT_MAIN("net/rfc", T(the_time_to_live_is_no_reason_to_drop),
          T(the_identification_of_an_atomic_packet_says_nothing),
          T(reserved_fields_and_unknown_options_of_nd_are_ignored_in_any_order),
          T(source_quench_and_unknown_types_reach_nobody),
          T(no_form_of_broadcast_is_an_address_of_ours))
