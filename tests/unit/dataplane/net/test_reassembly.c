/* SPDX-License-Identifier: Apache-2.0 */
/* Packets in pieces: every order, every contradiction, every bound. */
#include "base/container.h"
#include "net/reassembly.h"
#include "net_fixture.h"

#include <stdio.h>
#include <string.h>

#define PAYLOAD 4000u

static uint8_t payload[65536];

/* A datagram to the fixture's listener whose bytes tell their place. */
static struct packet datagram(bool is_v4, unsigned bytes)
{
    for (unsigned i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)(i * 7 + i / 256);
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    if (is_v4)
        packet_ip4(&p, PEER4, US4, 17);
    else
        packet_ip6(&p, PEER6, US6, 64);
    packet_udp(&p, 4000, UDP_PORT, payload, bytes);
    packet_close(&p);
    return p;
}

static void check_whole(struct net_fixture *f, unsigned n, unsigned bytes)
{
    CHECK_EQ(f->n_datagrams, n);
    CHECK_EQ(f->datagram_bytes, bytes);
    CHECK(memcmp(f->datagram, payload, bytes) == 0);
    CHECK_EQ(net_stat(f, STAT_net_reassembled), n);
}

/* Nothing of it is left but what time will take. */
static void check_gone(const struct net_fixture *f)
{
    CHECK_EQ(net_stat(f, STAT_net_reassemblies_now), 0);
    CHECK_EQ(net_stat(f, STAT_net_reassembly_mbufs_now), 0);
    CHECK_EQ(net_stat(f, STAT_net_reassembly_begun), net_stat(f, STAT_net_reassembled) +
                                                         net_stat(f, STAT_net_reassembly_timeouts) +
                                                         net_stat(f, STAT_net_reassembly_evicted));
    CHECK_EQ(net_stat(f, STAT_net_rx_fragment),
             net_stat(f, STAT_net_fragments_joined) + net_stat(f, STAT_net_fragments_lost));
}

TEST(three_fragments_in_any_order_become_one_packet)
{
    static const unsigned cuts[] = {0, 1480, 2960, PAYLOAD + 8};
    static const uint8_t orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                        {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    struct net_fixture *f = net_up(0);
    unsigned n = 0;
    for (unsigned i = 0; i < 2 * array_len(orders); i++) {
        struct packet whole = datagram(i % 2 == 0, PAYLOAD);
        for (unsigned j = 0; j < 3; j++) {
            CHECK_EQ(f->n_datagrams, n);
            unsigned k = orders[i / 2][j];
            struct packet p = packet_fragment(&whole, i, cuts[k], cuts[k + 1], k < 2);
            net_receive(f, &p, 0);
        }
        check_whole(f, ++n, PAYLOAD);
    }
    CHECK_EQ(net_stat(f, STAT_net_rx_fragment), 3 * n);
    CHECK_EQ(net_stat(f, STAT_net_rx_udp), n);
    check_gone(f);
    net_down(f);
}

TEST(a_segment_in_a_vlan_is_put_together_for_tcp)
{
    struct net_fixture *f = net_up(0);
    struct packet whole = packet_eth(MAC_US, MAC_PEER);
    packet_vlan(&whole, 7);
    packet_ip4(&whole, "198.51.100.9", "198.51.100.1", 6);
    packet_tcp(&whole, 1024, 80, "a segment in two pieces");
    packet_close(&whole);
    struct packet p = packet_fragment(&whole, 1, 24, 20 + 23, false);
    net_receive(f, &p, 0);
    p = packet_fragment(&whole, 1, 0, 24, true);
    net_receive(f, &p, 0);
    CHECK_EQ(f->n_segments, 1);
    CHECK_EQ(f->segment_bytes, 20 + 23);
    CHECK(memcmp(f->segment, &whole.bytes[whole.l4_at], 20 + 23) == 0);
    net_down(f);
}

TEST(extension_headers_around_the_fragment_header_are_walked_once_each)
{
    struct net_fixture *f = net_up(0);
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, PEER6, US6, 64);
    packet_ext(&p, 0, 8);
    unsigned frag = packet_ext(&p, 44, 8);
    p.bytes[frag + 1] = 0;
    p.bytes[frag + 3] = 1; /* the first of more */
    packet_ext(&p, 60, 16);
    packet_tcp(&p, 1024, 80, "12345678-12345678-12");
    struct packet closed = p;
    packet_close(&closed);
    struct packet first = closed;
    first.len = first.l4_at + 24;
    first.cksum_at = 0;
    packet_close(&first);
    net_receive(f, &first, 0);
    struct packet last = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&last, PEER6, US6, 64);
    frag = packet_ext(&last, 44, 8);
    last.bytes[frag + 1] = 0;
    last.bytes[frag + 3] = 16 + 24;
    packet_bytes(&last, &closed.bytes[closed.l4_at + 24], 16);
    packet_close(&last);
    net_receive(f, &last, 0);
    CHECK_EQ(f->segment_bytes, 40);
    CHECK(memcmp(f->segment, &closed.bytes[closed.l4_at], 40) == 0);
    net_down(f);
}

TEST(a_whole_packet_goes_to_the_worker_of_its_flow_as_a_frame)
{
    struct net_fixture *f = net_up(0);
    f->respreads_away = true;
    struct packet whole = datagram(false, 2000);
    struct packet p = packet_fragment(&whole, 9, 1448, 2008, false);
    net_receive(f, &p, 0);
    p = packet_fragment(&whole, 9, 0, 1448, true);
    net_receive(f, &p, 0);
    CHECK_EQ(f->n_respread, 1);
    CHECK_EQ(f->n_datagrams, 0);
    CHECK_EQ(f->respread.len, whole.len);
    CHECK(memcmp(f->respread.bytes, whole.bytes, whole.len) == 0);
    check_gone(f);
    net_down(f);
}

TEST(what_is_not_fragmented_is_never_spread_again)
{
    struct net_fixture *f = net_up(0);
    struct packet p = datagram(true, 100);
    net_receive(f, &p, 0);
    CHECK_EQ(f->n_datagrams, 1);
    CHECK_EQ(f->n_respread, 0);
    net_down(f);
}

/* Two good fragments of three; the third comes with `first`, `end` and `has_more`. Then the middle
 * one that was missing. Nothing may come out. */
static void check_contradiction(bool is_v4, unsigned first, unsigned end, bool has_more)
{
    struct net_fixture *f = net_up(0);
    struct packet whole = datagram(is_v4, PAYLOAD);
    struct packet p = packet_fragment(&whole, 1, 0, 1480, true);
    net_receive(f, &p, 0);
    p = packet_fragment(&whole, 1, 2960, PAYLOAD + 8, false);
    net_receive(f, &p, 0);
    p = packet_fragment(&whole, 1, first, end, has_more);
    net_receive(f, &p, 0);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_fragment_overlap), 1);
    CHECK_EQ(net_stat(f, STAT_net_reassembly_killed), 1);
    CHECK_EQ(net_stat(f, STAT_net_reassembly_mbufs_now), 0);
    p = packet_fragment(&whole, 1, 1480, 2960, true); /* also those that come after (RFC 5722) */
    net_receive(f, &p, 0);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_fragment_overlap), 2);
    CHECK_EQ(f->n_datagrams, 0);
    net_wait_ms(f, NET_REASSEMBLY_US / 1000 + 100);
    CHECK_EQ(f->n_sent, 0); /* it is given up without a word */
    check_gone(f);
    net_down(f);
}

TEST(fragments_that_overlap_end_the_packet_for_good)
{
    static const struct {
        unsigned first, end;
        bool has_more;
    } cases[] = {
        {1472, 2960, true},  /* over the end of the one before */
        {1480, 2968, true},  /* over the begin of the one after */
        {0, 8, true},        /* inside the first */
        {0, 1472, true},     /* its begin again */
        {0, 2960, true},     /* all of it and more */
        {8, 3000, true},     /* across */
        {1480, 2960, false}, /* a second end */
        {2960, 3000, true},  /* the end is no end */
    };
    for (unsigned i = 0; i < 2 * array_len(cases); i++)
        check_contradiction(i % 2 == 0, cases[i / 2].first, cases[i / 2].end,
                            cases[i / 2].has_more);
}

TEST(an_end_in_front_of_what_is_here_ends_the_packet)
{
    struct net_fixture *f = net_up(0);
    struct packet whole = datagram(true, PAYLOAD);
    struct packet p = packet_fragment(&whole, 1, 2960, 4000, true);
    net_receive(f, &p, 0);
    p = packet_fragment(&whole, 1, 1480, 2960, false);
    net_receive(f, &p, 0);
    CHECK_EQ(net_stat(f, STAT_net_reassembly_killed), 1);
    p = packet_fragment(&whole, 2, 1480, 2960, false);
    net_receive(f, &p, 0);
    p = packet_fragment(&whole, 2, 2960, 4000, true); /* the other way round */
    net_receive(f, &p, 0);
    CHECK_EQ(net_stat(f, STAT_net_reassembly_killed), 2);
    net_down(f);
}

TEST(a_fragment_that_came_twice_does_no_harm_but_only_if_it_is_the_same)
{
    struct net_fixture *f = net_up(0);
    struct packet whole = datagram(true, PAYLOAD);
    struct packet a = packet_fragment(&whole, 1, 0, 1480, true);
    struct packet b = packet_fragment(&whole, 1, 1480, 2960, true);
    struct packet c = packet_fragment(&whole, 1, 2960, PAYLOAD + 8, false);
    const struct packet *all[] = {&a, &c, &a, &c, &b};
    for (unsigned i = 0; i < array_len(all); i++)
        net_receive(f, all[i], 0);
    check_whole(f, 1, PAYLOAD);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_fragment_copy), 2);
    net_receive(f, &a, 0);
    a.bytes[a.len - 1] ^= 1;
    net_receive(f, &a, 0);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_fragment_overlap), 1);
    net_down(f);
}

TEST(fragments_of_other_packets_do_not_mix)
{
    struct net_fixture *f = net_up(0);
    struct packet whole = datagram(true, 100);
    struct packet first = packet_fragment(&whole, 1, 0, 56, true);
    struct packet last = packet_fragment(&whole, 2, 56, 108, false); /* another id */
    net_receive(f, &first, 0);
    net_receive(f, &last, 0);
    last = packet_fragment(&whole, 1, 56, 108, false);
    last.bytes[last.ip_at + 9] = 6; /* another protocol */
    packet_close(&last);
    net_receive(f, &last, 0);
    last = packet_fragment(&whole, 1, 56, 108, false);
    last.bytes[last.ip_at + 15] ^= 3; /* another source */
    packet_close(&last);
    net_receive(f, &last, 0);
    CHECK_EQ(f->n_datagrams, 0);
    CHECK_EQ(net_stat(f, STAT_net_reassemblies_now), 4);
    net_down(f);
}

/* `p` ends in `why`, and no packet is begun for it. */
static void check_refused(const struct packet *p, enum stat_id why, unsigned errors)
{
    struct net_fixture *f = net_up(0);
    struct packet arp = packet_eth(MAC_US, MAC_PEER);
    packet_arp(&arp, 1, MAC_PEER, PEER4, US4);
    net_receive(f, &arp, 0);
    net_receive(f, p, 0);
    CHECK_EQ(net_stat(f, why), 1);
    CHECK_EQ(net_stat(f, STAT_net_reassembly_begun), 0);
    CHECK_EQ(net_stat(f, STAT_net_tx_icmp_parameter), errors);
    net_down(f);
}

TEST(fragments_that_cannot_be_are_refused)
{
    for (unsigned is_v4 = 0; is_v4 < 2; is_v4++) {
        struct packet whole = datagram(is_v4, PAYLOAD);
        struct packet p = packet_fragment(&whole, 1, 0, 1479, true); /* no multiple of 8 */
        check_refused(&p, STAT_net_drop_rx_fragment_invalid, !is_v4);
        p = packet_fragment(&whole, 1, 8, 8, false); /* empty */
        check_refused(&p, STAT_net_drop_rx_fragment_invalid, 0);
        p = packet_fragment(&whole, 1, 0, 1480, true); /* ends behind 65,535 */
        unsigned at = is_v4 ? p.ip_at + 6 : p.ip_at + 40 + 2;
        p.bytes[at] = is_v4 ? 0x3f : 0xff;
        p.bytes[at + 1] = is_v4 ? 0xff : 0xf9;
        packet_close(&p);
        check_refused(&p, STAT_net_drop_rx_fragment_invalid, !is_v4);
    }
}

TEST(a_first_fragment_must_hold_all_headers)
{
    for (unsigned is_v4 = 0; is_v4 < 2; is_v4++) {
        struct packet whole = packet_eth(MAC_US, MAC_PEER);
        if (is_v4)
            packet_ip4(&whole, PEER4, US4, 6);
        else
            packet_ip6(&whole, PEER6, US6, 64);
        packet_tcp(&whole, 1024, 80, "a segment in three pieces");
        packet_close(&whole);
        struct packet p = packet_fragment(&whole, 1, 0, 16, true); /* no room for all of TCP */
        check_refused(&p, STAT_net_drop_rx_fragment_tiny, !is_v4);
        if (!is_v4)
            continue;
        p = packet_fragment(&whole, 1, 8, 16,
                            true); /* would fill or replace the flags (RFC 3128) */
        check_refused(&p, STAT_net_drop_rx_fragment_tiny, 0);
    }
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, PEER6, US6, 64);
    unsigned frag = packet_ext(&p, 44, 8);
    p.bytes[frag + 1] = 0;
    p.bytes[frag + 3] = 1;
    packet_ext(&p, 60, 8); /* and then nothing of TCP */
    p.bytes[p.next_at] = 6;
    packet_close(&p);
    check_refused(&p, STAT_net_drop_rx_fragment_tiny, 1);
}

TEST(fragments_of_fragments_and_of_neighbour_discovery_are_refused)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, PEER6, US6, 255);
    unsigned frag = packet_ext(&p, 44, 8);
    p.bytes[frag + 1] = 0;
    p.bytes[frag + 3] = 1;
    struct packet nested = p;
    frag = packet_ext(&nested, 44, 8);
    nested.bytes[frag + 1] = 0;
    packet_tcp(&nested, 1024, 80, "1234");
    packet_close(&nested);
    check_refused(&nested, STAT_net_drop_rx_fragment_tiny, 1);
    packet_nd(&p, 135, 0, US6, MAC_PEER);
    packet_close(&p);
    check_refused(&p, STAT_net_drop_rx_nd_invalid, 0);
    p = packet_eth(MAC_US, MAC_PEER); /* in one piece, but with the header: RFC 6980 */
    packet_ip6(&p, PEER6, US6, 255);
    frag = packet_ext(&p, 44, 8);
    p.bytes[frag + 1] = 0;
    packet_nd(&p, 135, 0, US6, MAC_PEER);
    packet_close(&p);
    check_refused(&p, STAT_net_drop_rx_nd_invalid, 0);
}

TEST(one_congestion_mark_marks_the_packet)
{
    static const struct {
        uint8_t first, last;
        unsigned n;
        uint8_t tos;
    } cases[] = {
        {2, 3, 1, 3}, {3, 2, 1, 3}, {3, 3, 1, 3}, {2, 2, 1, 2},
        {0, 0, 1, 0}, {0, 3, 0, 0}, {3, 0, 0, 0}, /* a mark on what could not be marked */
    };
    for (unsigned i = 0; i < array_len(cases); i++) {
        struct net_fixture *f = net_up(0);
        struct packet whole = datagram(true, 100);
        struct packet p = packet_fragment(&whole, 1, 0, 56, true);
        p.bytes[p.ip_at + 1] = cases[i].first;
        packet_close(&p);
        net_receive(f, &p, 0);
        p = packet_fragment(&whole, 1, 56, 108, false);
        p.bytes[p.ip_at + 1] = cases[i].last;
        packet_close(&p);
        net_receive(f, &p, 0);
        CHECK_EQ(f->n_datagrams, cases[i].n);
        CHECK_EQ(f->datagram_header.tos, cases[i].tos);
        net_down(f);
    }
}

/* The peer is known, so that errors leave at once. */
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

TEST(when_the_time_is_over_the_sender_hears_of_it_if_the_first_fragment_came)
{
    struct net_fixture *f = net_up(0);
    meet_peer(f);
    for (unsigned i = 0; i < 4; i++) {
        bool is_v4 = i % 2 == 0;
        bool has_first = i < 2;
        struct packet whole = datagram(is_v4, PAYLOAD);
        struct packet p = has_first ? packet_fragment(&whole, 1, 0, 1480, true)
                                    : packet_fragment(&whole, 1, 1480, 2960, true);
        net_receive(f, &p, 0);
        net_wait_ms(f, NET_REASSEMBLY_US / 1000 - 100);
        CHECK_EQ(net_stat(f, STAT_net_reassembly_timeouts), i);
        net_forget_sent(f); /* probes of the neighbour */
        net_wait_ms(f, 200);
        CHECK_EQ(net_stat(f, STAT_net_reassembly_timeouts), i + 1);
        CHECK_EQ(net_stat(f, STAT_net_tx_icmp_time), has_first ? i + 1 : 2);
        check_gone(f);
        if (!has_first)
            continue;
        REQUIRE(f->n_sent == 1);
        const struct sent *s = &f->sent[0];
        unsigned icmp = 14 + (is_v4 ? 20 : 40);
        unsigned quote = is_v4 ? 548 : 1232; /* RFC 1812, 4.3.2.3; RFC 4443, 2.4 (c) */
        CHECK_EQ(s->bytes[icmp], is_v4 ? 11 : 3);
        CHECK_EQ(s->bytes[icmp + 1], 1);
        CHECK_EQ(s->len, icmp + 8 + quote);
        CHECK(memcmp(&s->bytes[icmp + 8], &p.bytes[p.ip_at], quote) == 0);
    }
    net_down(f);
}

TEST(a_timeout_about_an_address_or_interface_that_is_gone_is_not_told)
{
    struct net_fixture *f = net_up(0);
    meet_peer(f);
    struct packet whole = datagram(true, PAYLOAD);
    struct packet p = packet_fragment(&whole, 1, 0, 1480, true);
    net_receive(f, &p, 0);
    struct net_config nothing = {0};
    net_configure(f->net, &nothing);
    net_wait_ms(f, NET_REASSEMBLY_US / 1000 + 100);
    CHECK_EQ(net_stat(f, STAT_net_reassembly_timeouts), 1);
    CHECK_EQ(net_stat(f, STAT_net_tx_icmp_time), 0);
    net_down(f);
}

TEST(a_packet_of_too_many_pieces_is_given_up)
{
    struct net_fixture *f = net_up(0);
    struct packet whole = datagram(true, PAYLOAD);
    for (unsigned i = 0; i <= NET_FRAGMENTS_PER_DATAGRAM_MAX; i++) {
        CHECK_EQ(net_stat(f, STAT_net_reassembly_mbufs_now), i);
        struct packet p = packet_fragment(&whole, 1, i * 16, i * 16 + 8, true);
        net_receive(f, &p, 0);
    }
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_fragment_limit), 1);
    CHECK_EQ(net_stat(f, STAT_net_reassembly_killed), 1);
    CHECK_EQ(net_stat(f, STAT_net_reassembly_mbufs_now), 0);
    net_down(f);
}

TEST(the_largest_packet_of_all_fits)
{
    struct net_fixture *f = net_up(0);
    datagram(true, 0); /* fills the payload */
    for (unsigned first = 0, piece = 1480; first < 65512; first += piece) {
        unsigned bytes = first + piece < 65512 ? piece : 65512 - first;
        struct packet p = packet_eth(MAC_US, MAC_PEER);
        packet_ip4(&p, PEER4, US4, 17);
        uint8_t udp[8] = {0x10, 0, 0, UDP_PORT, 65512 >> 8, 65512 & 0xff};
        if (first == 0)
            packet_bytes(&p, udp, 8);
        packet_bytes(&p, payload + (first == 0 ? 0 : first - 8), bytes - (first == 0 ? 8 : 0));
        p.bytes[p.ip_at + 6] = (uint8_t)(first / 8 >> 8 | (first + piece < 65512 ? 0x20 : 0));
        p.bytes[p.ip_at + 7] = (uint8_t)(first / 8);
        packet_close(&p);
        net_receive(f, &p, 0);
    }
    check_whole(f, 1, 65512 - 8);
    check_gone(f);
    net_down(f);
}

/* The first of two fragments from the source with that number; the second if `is_last`. */
static void receive_from(struct net_fixture *f, unsigned source, unsigned id, bool is_last)
{
    struct packet whole = datagram(true, 100);
    struct packet p = is_last ? packet_fragment(&whole, id, 56, 108, false)
                              : packet_fragment(&whole, id, 0, 56, true);
    p.bytes[p.ip_at + 12] = 11;
    p.bytes[p.ip_at + 13] = (uint8_t)(source >> 8);
    p.bytes[p.ip_at + 14] = (uint8_t)source;
    packet_close(&p);
    net_receive(f, &p, 0);
}

TEST(a_source_that_floods_fights_with_itself)
{
    struct net_fixture *f = net_up(0);
    receive_from(f, 1, 1, false);
    for (unsigned i = 0; i < 5000; i++)
        receive_from(f, 2, i, false);
    CHECK_EQ(net_stat(f, STAT_net_reassemblies_now), NET_DATAGRAMS_PER_SHARE_MAX + 1);
    CHECK_EQ(net_stat(f, STAT_net_reassembly_evicted), 5000 - NET_DATAGRAMS_PER_SHARE_MAX);
    CHECK_EQ(net_stat(f, STAT_net_reassembly_timeouts), 0);
    net_wait_ms(f, NET_REASSEMBLY_US / 1000 + 100);
    check_gone(f);
    net_down(f);
}

TEST(a_flood_of_all_sources_takes_no_more_than_its_room_and_the_newest_get_through)
{
    struct net_fixture *f = net_up(0);
    for (unsigned i = 0; i < 3000; i++) {
        receive_from(f, i, 1, false);
        CHECK(net_stat(f, STAT_net_reassemblies_now) <= NET_DATAGRAMS_MAX);
        CHECK(net_stat(f, STAT_net_reassembly_mbufs_now) <= f->net->reassembly->mbufs_max);
    }
    CHECK(net_stat(f, STAT_net_reassembly_evicted) > 2700);
    struct packet whole = datagram(true, 100);
    struct packet p = packet_fragment(&whole, 7, 0, 56, true);
    net_receive(f, &p, 0);
    for (unsigned i = 0; i < 20; i++)
        receive_from(f, 4000 + i, 1, false);
    p = packet_fragment(&whole, 7, 56, 108, false);
    net_receive(f, &p, 0);
    CHECK_EQ(f->n_datagrams, 1); /* whoever sends its pieces in a row is served */
    net_down(f);
}

TEST(memory_is_bounded_a_share_and_in_all)
{
    struct net_fixture *f = net_up(0);
    struct packet whole = datagram(true, PAYLOAD);
    /* Packets of 40 pieces, none of them whole: three are more than a share may hold. */
    for (unsigned id = 0; id < 4; id++) {
        for (unsigned i = 0; i < 40; i++) {
            struct packet p = packet_fragment(&whole, id, i * 16, i * 16 + 8, true);
            net_receive(f, &p, 0);
            CHECK(net_stat(f, STAT_net_reassembly_mbufs_now) <= NET_FRAGMENT_MBUFS_PER_SHARE_MAX);
            CHECK(net_stat(f, STAT_net_reassembly_mbufs_now) <= f->net->reassembly->mbufs_max);
        }
    }
    CHECK(net_stat(f, STAT_net_reassembly_evicted) >= 1);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_fragment_limit), 0);
    net_wait_ms(f, NET_REASSEMBLY_US / 1000 + 100);
    f->net->reassembly->mbufs_max = 10; /* a box with hardly any memory */
    for (unsigned i = 0; i < 40; i++) {
        struct packet p = packet_fragment(&whole, 9, i * 16, i * 16 + 8, true);
        net_receive(f, &p, 0);
    }
    CHECK_EQ(net_stat(f, STAT_net_reassembly_mbufs_now), 10);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_fragment_limit), 30);
    net_down(f);
}

/* Cuts at random, sends the pieces in random order, some twice, and leaves one out if told so. */
static void receive_shuffled(struct net_fixture *f, struct rng *rng, const struct packet *whole,
                             uint32_t id, unsigned bytes, bool is_complete)
{
    unsigned cuts[NET_FRAGMENTS_PER_DATAGRAM_MAX + 1] = {0};
    uint8_t order[2 * NET_FRAGMENTS_PER_DATAGRAM_MAX];
    unsigned n = 0;
    while (cuts[n] < bytes) {
        unsigned piece = 24 + 8 * rng_below(rng, 180);
        cuts[n + 1] = cuts[n] + piece < bytes && n < 50 ? cuts[n] + piece : bytes;
        n++;
    }
    unsigned left_out = is_complete ? n : rng_below(rng, n);
    unsigned n_order = 0;
    for (unsigned i = 0; i < n; i++) {
        order[n_order++] = (uint8_t)i;
        if (i > 0 && rng_below(rng, 4) == 0) /* not the first: it would be whole twice */
            order[n_order++] = (uint8_t)i;
    }
    for (unsigned i = n_order; i > 1; i--) {
        unsigned j = rng_below(rng, i);
        uint8_t t = order[i - 1];
        order[i - 1] = order[j];
        order[j] = t;
    }
    for (unsigned i = 0; i < n_order; i++) {
        unsigned k = order[i];
        if (k == left_out)
            continue;
        struct packet p = packet_fragment(whole, id, cuts[k], cuts[k + 1], cuts[k + 1] < bytes);
        net_receive(f, &p, 0);
    }
}

TEST(whatever_the_order_the_packet_is_what_was_sent_or_nothing)
{
    struct net_fixture *f = net_up(0);
    struct rng rng = {4711};
    unsigned n = 0;
    for (unsigned i = 0; i < 2000; i++) {
        unsigned bytes = 9 + rng_below(&rng, 8000);
        bool is_complete = rng_below(&rng, 3) > 0;
        struct packet whole = datagram(rng_below(&rng, 2) == 0, bytes - 8);
        f->datagram_bytes = 0;
        receive_shuffled(f, &rng, &whole, i, bytes, is_complete);
        n += is_complete;
        REQUIRE(f->n_datagrams == n || !is_complete);
        if (!is_complete)
            CHECK_EQ(f->n_datagrams, n);
        else
            CHECK(f->datagram_bytes == bytes - 8 && memcmp(f->datagram, payload, bytes - 8) == 0);
    }
    net_wait_ms(f, NET_REASSEMBLY_US / 1000 + 100);
    check_gone(f);
    net_down(f);
}

UNIT_MAIN("net/reassembly", T(three_fragments_in_any_order_become_one_packet),
          T(a_segment_in_a_vlan_is_put_together_for_tcp),
          T(extension_headers_around_the_fragment_header_are_walked_once_each),
          T(a_whole_packet_goes_to_the_worker_of_its_flow_as_a_frame),
          T(what_is_not_fragmented_is_never_spread_again),
          T(fragments_that_overlap_end_the_packet_for_good),
          T(an_end_in_front_of_what_is_here_ends_the_packet),
          T(a_fragment_that_came_twice_does_no_harm_but_only_if_it_is_the_same),
          T(fragments_of_other_packets_do_not_mix), T(fragments_that_cannot_be_are_refused),
          T(a_first_fragment_must_hold_all_headers),
          T(fragments_of_fragments_and_of_neighbour_discovery_are_refused),
          T(one_congestion_mark_marks_the_packet),
          T(when_the_time_is_over_the_sender_hears_of_it_if_the_first_fragment_came),
          T(a_timeout_about_an_address_or_interface_that_is_gone_is_not_told),
          T(a_packet_of_too_many_pieces_is_given_up), T(the_largest_packet_of_all_fits),
          T(a_source_that_floods_fights_with_itself),
          T(a_flood_of_all_sources_takes_no_more_than_its_room_and_the_newest_get_through),
          T(memory_is_bounded_a_share_and_in_all),
          T(whatever_the_order_the_packet_is_what_was_sent_or_nothing))
