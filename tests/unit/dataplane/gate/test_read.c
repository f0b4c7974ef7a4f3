/* SPDX-License-Identifier: Apache-2.0 */
/* What gate reads of frames. */
#include "gate/gate_priv.h"

#include "base/container.h"
#include "packet.h"
#include "unit.h"
#include "unit_eal.h"

#include <rte_mbuf.h>
#include <string.h>

#define US "02:00:00:00:00:01"
#define PEER "02:00:00:00:00:02"

static struct rte_mempool *mbufs;

/* What is read of the first `len` bytes of the packet, with these flags of the mbuf. */
static bool look(const struct packet *p, unsigned len, uint64_t ol_flags, struct gate_look *ret)
{
    if (mbufs == NULL) {
        unit_eal_init();
        mbufs = unit_mbufs_new(63);
    }
    struct rte_mbuf *m = rte_pktmbuf_alloc(mbufs);
    memcpy(rte_pktmbuf_append(m, (uint16_t)len), p->bytes, len);
    m->ol_flags |= ol_flags;
    memset(ret, 0, sizeof(*ret));
    bool is_ip = gate_read(m, ret);
    rte_pktmbuf_free(m);
    return is_ip;
}

static struct packet tcp4(void)
{
    struct packet p = packet_eth(US, PEER);
    packet_ip4(&p, "198.18.0.10", "198.18.0.80", 6);
    packet_tcp(&p, 4000, 443, "hello");
    packet_close(&p);
    return p;
}

static bool is_from_to(const struct gate_look *l, const char *src, const char *dst)
{
    struct ip_addr a = addr_of(src), b = addr_of(dst);
    return ip_addr_eq(&l->src, &a) && ip_addr_eq(&l->dst, &b);
}

TEST(a_segment_has_its_ends_behind_tags_options_and_extension_headers)
{
    struct gate_look l;
    struct packet p = tcp4();
    REQUIRE(look(&p, p.len, 0, &l));
    CHECK(is_from_to(&l, "198.18.0.10", "198.18.0.80"));
    CHECK(l.has_port && l.port == 443 && l.proto == 6 && l.kind == GATE_PACKET);

    p = packet_eth(US, PEER);
    packet_vlan(&p, 7);
    packet_ip6(&p, "2001:db8::10", "2001:db8::80", 64);
    packet_ext(&p, 0, 8); /* hop by hop, with padding */
    packet_ext(&p, 60, 16);
    packet_udp(&p, 4000, 53, "?", 1);
    packet_close(&p);
    REQUIRE(look(&p, p.len, 0, &l));
    CHECK(is_from_to(&l, "2001:db8::10", "2001:db8::80"));
    CHECK(l.has_port && l.port == 53 && l.proto == 17);

    p = tcp4();
    memmove(p.bytes + p.l4_at + 4, p.bytes + p.l4_at, p.len - p.l4_at); /* four bytes of options */
    memset(p.bytes + p.l4_at, 1, 4);
    p.bytes[p.ip_at] = 0x46;
    REQUIRE(look(&p, p.len + 4, 0, &l));
    CHECK(l.has_port && l.port == 443);
}

TEST(pieces_of_packets_have_addresses_and_no_ports)
{
    struct gate_look l;
    struct packet whole = tcp4();
    struct packet p = packet_fragment(&whole, 1, 0, 24, true);
    REQUIRE(look(&p, p.len, 0, &l));
    CHECK(!l.has_port && l.kind == GATE_PACKET);
    CHECK(is_from_to(&l, "198.18.0.10", "198.18.0.80"));
    whole = packet_eth(US, PEER);
    packet_ip6(&whole, "2001:db8::10", "2001:db8::80", 64);
    packet_udp(&whole, 4000, 53, "question and more", 17);
    packet_close(&whole);
    p = packet_fragment(&whole, 1, 8, 25, false);
    REQUIRE(look(&p, p.len, 0, &l));
    CHECK(!l.has_port && is_from_to(&l, "2001:db8::10", "2001:db8::80"));
}

static enum gate_kind kind_of(bool is_v4, uint8_t type)
{
    struct gate_look l;
    struct packet p = packet_eth(US, PEER);
    if (is_v4)
        packet_ip4(&p, "198.18.0.10", "198.18.0.80", 1);
    else
        packet_ip6(&p, "2001:db8::10", "2001:db8::80", 255);
    packet_icmp(&p, type, 0, 0);
    packet_close(&p);
    REQUIRE(look(&p, p.len, 0, &l));
    CHECK(!l.has_port);
    return l.kind;
}

TEST(of_icmp_echo_is_a_clients_errors_are_anybodys_and_discovery_is_the_links)
{
    CHECK_EQ(kind_of(true, 8), GATE_PACKET);
    CHECK_EQ(kind_of(true, 3), GATE_ERROR);
    CHECK_EQ(kind_of(true, 135), GATE_ERROR); /* no discovery in IPv4 */
    CHECK_EQ(kind_of(false, 128), GATE_PACKET);
    CHECK_EQ(kind_of(false, 2), GATE_ERROR);
    for (uint8_t type = 130; type <= 137; type++)
        CHECK_EQ(kind_of(false, type), GATE_NEIGHBOR);
    CHECK_EQ(kind_of(false, 143), GATE_NEIGHBOR);
}

TEST(what_is_cut_short_or_not_ip_is_left_to_net)
{
    struct gate_look l;
    struct packet p = tcp4();
    for (unsigned len = 1; len < p.len; len++) {
        bool has_ip = len >= p.l4_at;
        CHECK_EQ(look(&p, len, 0, &l), has_ip);
        CHECK_EQ(has_ip && l.has_port, len >= p.l4_at + 4);
    }
    p = packet_eth(US, PEER);
    packet_vlan(&p, 7);
    packet_ip6(&p, "2001:db8::10", "2001:db8::80", 64);
    packet_tcp(&p, 4000, 443, "");
    packet_close(&p);
    for (unsigned len = 1; len < p.l4_at; len++)
        CHECK(!look(&p, len, 0, &l));
    p = packet_eth(US, PEER);
    packet_arp(&p, 1, PEER, "198.18.0.10", "198.18.0.80");
    packet_close(&p);
    CHECK(!look(&p, p.len, 0, &l));
    p = tcp4();
    p.bytes[p.ip_at] = 0x4f; /* longer than there is */
    CHECK(look(&p, p.l4_at + 8, 0, &l) && !l.has_port);
    p.bytes[p.ip_at] = 0x41; /* shorter than can be */
    CHECK(look(&p, p.len, 0, &l) && !l.has_port);
}

UNIT_MAIN("gate/read", T(a_segment_has_its_ends_behind_tags_options_and_extension_headers),
          T(pieces_of_packets_have_addresses_and_no_ports),
          T(of_icmp_echo_is_a_clients_errors_are_anybodys_and_discovery_is_the_links),
          T(what_is_cut_short_or_not_ip_is_left_to_net))
