/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames cut off at every length, and with every byte changed. The frames lie in memory of just
 * their size: under AddressSanitizer a read past the end ends the test.
 */
#include "base/container.h"
#include "net_fixture.h"

#include <string.h>

static struct packet tcp4_in_vlan(void)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_vlan(&p, 7);
    packet_ip4(&p, "198.51.100.9", "198.51.100.1", 6);
    packet_tcp(&p, 1024, 80, "payload");
    return p;
}

static struct packet tcp6_extended(void)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, PEER6, US6, 64);
    packet_ext(&p, 0, 16);
    packet_ext(&p, 43, 8);
    packet_ext(&p, 60, 8);
    packet_tcp(&p, 1024, 80, "payload");
    return p;
}

static struct packet arp_request_for_us(void)
{
    struct packet p = packet_eth(MAC_ALL, MAC_PEER);
    packet_arp(&p, 1, MAC_PEER, PEER4, US4);
    return p;
}

static struct packet solicitation(void)
{
    struct packet p = packet_eth(MAC_GROUP6, MAC_PEER);
    packet_ip6(&p, PEER6, GROUP6, 255);
    packet_nd(&p, 135, 0, US6, MAC_PEER);
    return p;
}

static struct packet echo4(void)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip4(&p, PEER4, US4, 1);
    packet_icmp(&p, 8, 0, 0x00010001);
    packet_bytes(&p, "abcdefg", 7);
    return p;
}

static struct packet fragment6(void)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, PEER6, US6, 64);
    packet_ext(&p, 60, 8);
    unsigned at = packet_ext(&p, 44, 8);
    p.bytes[at + 1] = 0;
    p.bytes[at + 3] = 1;
    packet_udp(&p, 4000, UDP_PORT, "8 bytes.8 bytes.", 16);
    return p;
}

static struct packet fragment4(void)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip4(&p, PEER4, US4, 17);
    p.bytes[p.ip_at + 6] = 0x20;
    packet_udp(&p, 4000, UDP_PORT, "8 bytes.8 bytes.", 16);
    p.cksum_at = 0;
    return p;
}

static struct packet udp4_with_options(void)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip4(&p, PEER4, US4, 17);
    p.bytes[p.ip_at] = 0x47;
    packet_bytes(&p, "\x44\6\5\0\0\0\1\0", 8);
    packet_udp(&p, 4000, UDP_PORT, "query", 5);
    return p;
}

/* "Too big" about a segment of ours. */
static struct packet too_big(void)
{
    struct packet quoted = packet_eth(MAC_PEER, MAC_US);
    packet_ip6(&quoted, US6, PEER6, 64);
    packet_tcp(&quoted, 80, 1024, "");
    packet_close(&quoted);
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, "2001:db8::fe", US6, 64);
    packet_icmp(&p, 2, 0, 1280);
    packet_bytes(&p, &quoted.bytes[quoted.ip_at], quoted.len - quoted.ip_at);
    return p;
}

typedef struct packet (*make_fn)(void);

static const make_fn makers[] = {tcp4_in_vlan, tcp6_extended, arp_request_for_us,
                                 solicitation, echo4,         too_big,
                                 fragment6,    fragment4,     udp4_with_options};

/* Every frame that came in has one end. */
static uint64_t ends(const struct net_fixture *f)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < STAT_COUNT; i++) {
        const char *name = stat_name(i);
        if (strncmp(name, "net_rx_", 7) == 0 || strncmp(name, "net_drop_rx_", 12) == 0)
            sum += net_stat(f, i);
    }
    return sum - net_stat(f, STAT_net_reassembled); /* which have an end of their own */
}

/* Gives `p` to a fresh net and counts its ends. Lets go what was sent so far. */
static void receive_once(struct net_fixture *f, const struct packet *p)
{
    uint64_t before = ends(f);
    net_receive(f, p, 0);
    CHECK_EQ(ends(f), before + 1);
    net_forget_sent(f);
}

/* Cut off on the wire: the headers still speak of the whole. */
TEST(frames_cut_at_every_length_have_one_end_each)
{
    struct net_fixture *f = net_up(0);
    for (unsigned i = 0; i < array_len(makers); i++) {
        struct packet p = makers[i]();
        packet_close(&p);
        for (unsigned len = 0; len <= p.len; len++) {
            struct packet cut = p;
            cut.len = len;
            receive_once(f, &cut);
        }
    }
    net_down(f);
}

/* Cut off by the sender: lengths and checksums fit what is left. */
TEST(packets_closed_at_every_length_have_one_end_each)
{
    struct net_fixture *f = net_up(0);
    for (unsigned i = 0; i < array_len(makers); i++) {
        struct packet p = makers[i]();
        for (unsigned len = p.l4_at; len <= p.len; len++) {
            struct packet cut = p;
            cut.len = len;
            if (cut.cksum_at + 2 > len)
                cut.cksum_at = 0;
            packet_close(&cut);
            receive_once(f, &cut);
        }
    }
    net_down(f);
}

TEST(frames_with_any_byte_changed_have_one_end_each)
{
    static const uint8_t flips[] = {0x01, 0x80, 0xff};
    struct net_fixture *f = net_up(0);
    for (unsigned i = 0; i < array_len(makers); i++) {
        struct packet p = makers[i]();
        packet_close(&p);
        for (unsigned at = 0; at < p.len; at++) {
            for (unsigned flip = 0; flip < array_len(flips); flip++) {
                struct packet bad = p;
                bad.bytes[at] ^= flips[flip];
                receive_once(f, &bad);
                if (at > p.ip_at + 11 || p.ip_at == 0)
                    packet_close(&bad); /* once more with a checksum that fits */
                receive_once(f, &bad);
            }
        }
    }
    net_down(f);
}

UNIT_MAIN("net/truncated", T(frames_cut_at_every_length_have_one_end_each),
          T(packets_closed_at_every_length_have_one_end_each),
          T(frames_with_any_byte_changed_have_one_end_each))
