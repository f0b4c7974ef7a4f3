/* SPDX-License-Identifier: Apache-2.0 */
/* What tcp hears of a burst before it is handled: dataplane/net/input.c. */
#include "base/container.h"
#include "net/net_limits.h"
#include "net_fixture.h"

#define BURST_MAX (NET_TOGETHER_MAX + 3)

static struct packet packets[BURST_MAX];

static struct packet segment4(uint16_t port)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip4(&p, PEER4, US4, 6);
    packet_tcp(&p, port, 80, "hello");
    packet_close(&p);
    return p;
}

static struct packet segment6(uint16_t port)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(&p, PEER6, US6, 64);
    packet_tcp(&p, port, 80, "hello");
    packet_close(&p);
    return p;
}

/* Was tcp asked this, as the `at`th question? */
static bool was_asked(const struct net_fixture *f, unsigned at, char what, uint64_t flow_hash)
{
    return at < f->n_asked && f->asked[at].what == what && f->asked[at].flow_hash == flow_hash;
}

/* How many questions of a kind. */
static unsigned n_asked(const struct net_fixture *f, char what)
{
    unsigned n = 0;
    for (unsigned i = 0; i < f->n_asked; i++)
        n += f->asked[i].what == what;
    return n;
}

TEST(segments_of_a_burst_are_expected_then_prefetched_then_handled)
{
    struct net_fixture *f = net_up(0);
    packets[0] = segment4(1024);
    packets[1] = segment6(1025);
    packets[2] = segment4(1026);
    net_receive_burst(f, packets, 3);
    CHECK_EQ(f->n_asked, 9);
    for (unsigned i = 0; i < 3; i++) {
        CHECK(was_asked(f, i, 'e', 1024 + i));
        CHECK(was_asked(f, 3 + i, 'p', 1024 + i));
        CHECK(was_asked(f, 6 + i, 'i', 1024 + i)); /* with the hash of its own flow */
    }
    net_down(f);
}

TEST(a_segment_alone_is_handled_at_once)
{
    struct net_fixture *f = net_up(0);
    packets[0] = segment4(1024);
    net_receive_burst(f, packets, 1);
    CHECK_EQ(f->n_asked, 1);
    CHECK(was_asked(f, 0, 'i', 0));
    net_down(f);
}

TEST(a_long_burst_is_foreseen_in_parts)
{
    struct net_fixture *f = net_up(0);
    for (unsigned i = 0; i < BURST_MAX; i++)
        packets[i] = segment4((uint16_t)(1 + i));
    net_receive_burst(f, packets, BURST_MAX);
    CHECK_EQ(n_asked(f, 'e'), BURST_MAX);
    CHECK_EQ(n_asked(f, 'p'), BURST_MAX);
    unsigned handled = 0, prefetched = 0, expected = 0;
    for (unsigned i = 0; i < f->n_asked; i++) {
        unsigned *n = f->asked[i].what == 'e'   ? &expected
                      : f->asked[i].what == 'p' ? &prefetched
                                                : &handled;
        CHECK_EQ(f->asked[i].flow_hash, ++*n);
        CHECK(expected <= handled + NET_TOGETHER_MAX);
        CHECK(handled <= prefetched && prefetched <= expected);
        CHECK(handled % NET_TOGETHER_MAX == 0 || prefetched == expected); /* all before the first */
    }
    CHECK_EQ(handled, BURST_MAX);
    net_down(f);
}

TEST(what_is_not_a_plain_segment_is_handled_without_a_hash)
{
    struct net_fixture *f = net_up(0);
    struct packet whole = segment4(1024);
    struct packet *p = packets;
    *p++ = packet_fragment(&whole, 7, 0, 24, true);
    *p++ = packet_fragment(&whole, 7, 24, 25, false); /* now it is whole, and tcp's */
    *p = packet_eth(MAC_US, MAC_PEER);
    packet_ip6(p, PEER6, US6, 64);
    packet_ext(p, 60, 8);
    packet_tcp(p, 1025, 80, "");
    packet_close(p++);
    *p = packet_eth(MAC_US, MAC_PEER);
    packet_ip4(p, PEER4, US4, 17);
    packet_udp(p, 1026, 80, "", 0);
    packet_close(p++);
    *p = packet_eth(MAC_US, MAC_PEER);
    packet_arp(p++, 1, MAC_PEER, PEER4, US4);
    *p = segment4(1027);
    p++->len = 14 + 20 + 19; /* its header is not whole */
    *p++ = segment6(1028);
    net_receive_burst(f, packets, (unsigned)(p - packets));
    CHECK_EQ(n_asked(f, 'e'), 1);
    CHECK_EQ(n_asked(f, 'p'), 1);
    CHECK_EQ(n_asked(f, 'i'), 3);
    CHECK(was_asked(f, 2, 'i', 0) && was_asked(f, 3, 'i', 0));
    CHECK(was_asked(f, 4, 'i', 1028));
    net_down(f);
}

/* The frames end where their memory does: a sanitizer sees who reads on. */
TEST(frames_that_end_anywhere_are_looked_at_up_to_there)
{
    struct packet whole[] = {segment4(1024), segment6(1024)};
    for (unsigned i = 0; i < array_len(whole); i++) {
        struct net_fixture *f = net_up(0);
        for (unsigned len = 0; len < whole[i].len; len++) {
            packets[0] = packets[1] = whole[i];
            packets[0].len = packets[1].len = len;
            net_receive_burst(f, packets, 2);
        }
        CHECK_EQ(f->n_asked, 0);
        net_down(f);
    }
}

UNIT_MAIN("net/burst", T(segments_of_a_burst_are_expected_then_prefetched_then_handled),
          T(a_segment_alone_is_handled_at_once), T(a_long_burst_is_foreseen_in_parts),
          T(what_is_not_a_plain_segment_is_handled_without_a_hash),
          T(frames_that_end_anywhere_are_looked_at_up_to_there))
