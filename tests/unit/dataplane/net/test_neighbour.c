/* SPDX-License-Identifier: Apache-2.0 */
/* ARP and ND, seen from the wire: who is asked, who is believed, how long. */
#include "base/container.h"
#include "net/cksum.h"
#include "net_fixture.h"
#include "unit_eal.h"

#include <stdio.h>
#include <string.h>

static struct packet arp(const char *dst, uint16_t operation, const char *mac, const char *sender,
                         const char *target)
{
    struct packet p = packet_eth(dst, mac);
    packet_arp(&p, operation, mac, sender, target);
    return p;
}

static struct packet nd(const char *dst_mac, const char *src, const char *dst, uint8_t type,
                        uint32_t flags, const char *target, const char *mac)
{
    struct packet p = packet_eth(dst_mac, MAC_PEER);
    packet_ip6(&p, src, dst, 255);
    packet_nd(&p, type, flags, target, mac);
    packet_close(&p);
    return p;
}

/* What is known of a neighbour on interface 0; -1: nothing. */
static int state_of(const struct net_fixture *f, const char *addr)
{
    struct ip_addr a = addr_of(addr);
    const struct neighbour *e = neighbour_find(f->net, &f->net->now->ifaces[0], &a);
    return e == NULL ? -1 : (int)e->state;
}

static bool was_sent_to(const struct net_fixture *f, unsigned i, const char *mac)
{
    struct ether_mac want = mac_of(mac);
    return i < f->n_sent && memcmp(f->sent[i].bytes, &want, 6) == 0;
}

/* The peer asks for us, so we know it; what we answered is forgotten. */
static void meet(struct net_fixture *f)
{
    struct packet p = arp(MAC_ALL, 1, MAC_PEER, PEER4, US4);
    net_receive(f, &p, 0);
    p = nd(MAC_GROUP6, PEER6, GROUP6, 135, 0, US6, MAC_PEER);
    net_receive(f, &p, 0);
    net_forget_sent(f);
}

TEST(an_arp_request_for_us_is_answered)
{
    struct net_fixture *f = net_up(0);
    struct packet p = arp(MAC_ALL, 1, MAC_PEER, PEER4, US4);
    net_receive(f, &p, 0);
    struct packet want = arp(MAC_PEER, 2, MAC_US, US4, PEER4);
    struct ether_mac target = mac_of(MAC_PEER);
    memcpy(&want.bytes[want.l4_at + 18], &target, 6);
    REQUIRE(f->n_sent == 1);
    CHECK_EQ(f->sent[0].len, want.len);
    CHECK(memcmp(f->sent[0].bytes, want.bytes, want.len) == 0);
    CHECK_EQ(state_of(f, PEER4), NEIGHBOUR_STALE);
    net_down(f);
}

TEST(a_neighbour_that_tcp_doubts_is_asked_at_once_and_forgotten_if_silent)
{
    struct net_fixture *f = net_up(0);
    struct ip_addr peer4 = addr_of(PEER4);
    net_doubt(f->net, &peer4); /* of one that nobody knows there is nothing to doubt */
    CHECK_EQ(f->n_sent, 0);
    struct packet p = arp(MAC_ALL, 1, MAC_PEER, PEER4, US4);
    net_receive(f, &p, 0);
    net_forget_sent(f);
    net_doubt(f->net, &peer4);
    net_doubt(f->net, &peer4); /* once is enough */
    CHECK_EQ(f->n_sent, 1);
    CHECK(was_sent_to(f, 0, MAC_PEER));
    CHECK_EQ(state_of(f, PEER4), NEIGHBOUR_PROBE);
    net_wait_ms(f, 4000);
    CHECK_EQ(net_stat(f, STAT_net_neighbours_now), 0);
    net_down(f);
}

TEST(an_arp_request_for_a_vip_is_answered_but_not_for_another_interface)
{
    struct net_fixture *f = net_up(0);
    struct packet p = arp(MAC_ALL, 1, MAC_PEER, PEER4, "203.0.113.80");
    net_receive(f, &p, 0);
    CHECK_EQ(f->n_sent, 1);
    p = arp(MAC_ALL, 1, MAC_PEER, PEER4, "10.9.0.1");
    net_receive(f, &p, 0);
    CHECK_EQ(f->n_sent, 1);
    net_down(f);
}

TEST(an_answer_leaves_by_the_vlan_that_the_question_came_from)
{
    struct net_fixture *f = net_up(0);
    struct packet p = packet_eth(MAC_ALL, MAC_PEER);
    packet_vlan(&p, 7);
    packet_arp(&p, 1, MAC_PEER, "198.51.100.9", "198.51.100.1");
    net_receive(f, &p, 0);
    REQUIRE(f->n_sent == 1);
    static const uint8_t tag[] = {0x81, 0x00, 0x00, 0x07, 0x08, 0x06};
    CHECK(memcmp(&f->sent[0].bytes[12], tag, sizeof(tag)) == 0);
    net_down(f);
}

TEST(an_arp_probe_for_our_address_is_answered_and_nothing_is_learned)
{
    struct net_fixture *f = net_up(0);
    struct packet p = arp(MAC_ALL, 1, MAC_PEER, "0.0.0.0", US4);
    net_receive(f, &p, 0);
    CHECK(was_sent_to(f, 0, MAC_PEER));
    CHECK_EQ(net_stat(f, STAT_net_neighbours_now), 0);
    net_down(f);
}

TEST(a_copy_is_learned_from_but_not_answered)
{
    struct net_fixture *f = net_up(1);
    struct packet p = arp(MAC_ALL, 1, MAC_PEER, PEER4, US4);
    net_receive_copy(f, &p);
    p = nd(MAC_GROUP6, PEER6, GROUP6, 135, 0, US6, MAC_PEER);
    net_receive_copy(f, &p);
    CHECK_EQ(f->n_sent, 0);
    CHECK_EQ(state_of(f, PEER4), NEIGHBOUR_STALE);
    CHECK_EQ(state_of(f, PEER6), NEIGHBOUR_STALE);
    net_down(f);
}

TEST(an_answer_that_another_worker_received_resolves_ours_but_makes_no_new_one)
{
    struct net_fixture *f = net_up(1);
    struct packet p = arp(MAC_US, 2, MAC_PEER, PEER4, US4);
    net_receive_copy(f, &p);
    p = nd(MAC_US, PEER6, US6, 136, ND_FLAG_SOLICITED, PEER6, MAC_PEER);
    net_receive_copy(f, &p); /* nobody here asked: anybody can send it */
    CHECK_EQ(net_stat(f, STAT_net_neighbours_now), 0);
    net_send(f, PEER6, 20);
    net_receive_copy(f, &p);
    CHECK_EQ(state_of(f, PEER6), NEIGHBOUR_REACHABLE);
    CHECK_EQ(net_stat(f, STAT_net_tx_packets), 1);
    net_down(f);
}

TEST(nobody_can_claim_our_address)
{
    struct net_fixture *f = net_up(0);
    meet(f);
    struct packet p = arp(MAC_ALL, 1, MAC_OTHER, US4, US4);
    net_receive(f, &p, 0);
    p = arp(MAC_US, 2, MAC_OTHER, "203.0.113.80", US4);
    net_receive(f, &p, 0);
    p = nd("33:33:00:00:00:01", PEER6, "ff02::1", 136, ND_FLAG_OVERRIDE, US6, MAC_OTHER);
    net_receive(f, &p, 0);
    p = nd("33:33:00:00:00:01", PEER6, "ff02::1", 136, ND_FLAG_OVERRIDE, LL6, MAC_OTHER);
    net_receive(f, &p, 0);
    CHECK_EQ(net_stat(f, STAT_net_address_conflicts), 4);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_arp_spoof), 2);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_nd_spoof), 2);
    CHECK_EQ(f->n_sent, 4); /* each is defended */
    CHECK_EQ(net_stat(f, STAT_net_address_defences), 4);
    net_down(f);
}

TEST(a_group_mac_is_nobodys)
{
    struct net_fixture *f = net_up(0);
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_arp(&p, 1, "03:00:00:00:00:01", PEER4, US4);
    net_receive(f, &p, 0);
    p = nd(MAC_GROUP6, PEER6, GROUP6, 135, 0, US6, "33:33:00:00:00:01");
    net_receive(f, &p, 0);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_arp_spoof), 1);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_nd_spoof), 1);
    CHECK_EQ(net_stat(f, STAT_net_neighbours_now), 0);
    net_down(f);
}

TEST(an_answer_that_nobody_asked_for_is_not_learned)
{
    struct net_fixture *f = net_up(0);
    struct packet p = arp(MAC_US, 2, MAC_PEER, PEER4, US4);
    net_receive(f, &p, 0);
    p = nd(MAC_US, PEER6, US6, 136, ND_FLAG_SOLICITED, PEER6, MAC_PEER);
    net_receive(f, &p, 0);
    CHECK_EQ(net_stat(f, STAT_net_neighbours_now), 0);
    net_down(f);
}

TEST(packets_wait_for_the_arp_answer_and_leave_in_order)
{
    struct net_fixture *f = net_up(0);
    net_send(f, PEER4, 21);
    net_send(f, PEER4, 22);
    REQUIRE(f->n_sent == 1);
    CHECK(was_sent_to(f, 0, MAC_ALL));
    struct packet want = arp(MAC_ALL, 1, MAC_US, US4, PEER4);
    CHECK(memcmp(f->sent[0].bytes, want.bytes, want.len) == 0);
    net_forget_sent(f);
    struct packet p = arp(MAC_US, 2, MAC_PEER, PEER4, US4);
    net_receive(f, &p, 0);
    REQUIRE(f->n_sent == 2);
    CHECK(was_sent_to(f, 0, MAC_PEER) && was_sent_to(f, 1, MAC_PEER));
    CHECK_EQ(f->sent[0].len, 14 + 20 + 21);
    CHECK_EQ(f->sent[1].len, 14 + 20 + 22);
    CHECK_EQ(state_of(f, PEER4), NEIGHBOUR_REACHABLE);
    CHECK_EQ(net_stat(f, STAT_net_tx_packets), 2);
    net_down(f);
}

TEST(packets_wait_for_the_advertisement)
{
    struct net_fixture *f = net_up(0);
    net_send(f, PEER6, 21);
    REQUIRE(f->n_sent == 1);
    CHECK(was_sent_to(f, 0, "33:33:ff:00:00:09"));
    struct packet want = packet_eth("33:33:ff:00:00:09", MAC_US);
    packet_ip6(&want, US6, "ff02::1:ff00:9", 255);
    packet_nd(&want, 135, 0, PEER6, MAC_US);
    packet_close(&want);
    CHECK_EQ(f->sent[0].len, want.len);
    CHECK(memcmp(f->sent[0].bytes, want.bytes, want.len) == 0);
    net_forget_sent(f);
    struct packet p =
        nd(MAC_US, PEER6, US6, 136, ND_FLAG_SOLICITED | ND_FLAG_OVERRIDE, PEER6, MAC_PEER);
    net_receive(f, &p, 0);
    CHECK(was_sent_to(f, 0, MAC_PEER));
    CHECK_EQ(state_of(f, PEER6), NEIGHBOUR_REACHABLE);
    net_down(f);
}

TEST(what_is_not_on_link_goes_to_the_gateway)
{
    struct net_fixture *f = net_up(0);
    net_send(f, "8.8.8.8", 20);
    struct packet want = arp(MAC_ALL, 1, MAC_US, US4, "192.0.2.254");
    REQUIRE(f->n_sent == 1);
    CHECK(memcmp(f->sent[0].bytes, want.bytes, want.len) == 0);
    net_down(f);
}

TEST(a_request_is_repeated_and_then_given_up)
{
    struct net_fixture *f = net_up(0);
    net_send(f, PEER4, 20);
    net_send(f, PEER6, 20);
    net_wait_ms(f, 2500);
    CHECK_EQ(net_stat(f, STAT_net_neighbour_requests), 2 * NET_NEIGHBOUR_TRIES_MAX);
    CHECK_EQ(net_stat(f, STAT_net_neighbours_now), 2);
    net_wait_ms(f, 600);
    CHECK_EQ(net_stat(f, STAT_net_neighbours_now), 0);
    CHECK_EQ(net_stat(f, STAT_net_drop_tx_neighbour_failed), 2);
    net_down(f);
}

/* Resolved by an answer, then left alone until it is STALE. */
static void resolve(struct net_fixture *f)
{
    net_send(f, PEER4, 20);
    struct packet p = arp(MAC_US, 2, MAC_PEER, PEER4, US4);
    net_receive(f, &p, 0);
    CHECK_EQ(state_of(f, PEER4), NEIGHBOUR_REACHABLE);
    net_wait_ms(f, 46000);
    CHECK_EQ(state_of(f, PEER4), NEIGHBOUR_STALE);
    net_forget_sent(f);
}

TEST(a_stale_neighbour_is_used_and_then_asked_directly)
{
    struct net_fixture *f = net_up(0);
    resolve(f);
    net_send(f, PEER4, 20);
    CHECK(was_sent_to(f, 0, MAC_PEER));
    CHECK_EQ(state_of(f, PEER4), NEIGHBOUR_DELAY);
    net_wait_ms(f, 5100);
    CHECK_EQ(state_of(f, PEER4), NEIGHBOUR_PROBE);
    CHECK(was_sent_to(f, 1, MAC_PEER)); /* the request, to the MAC that we know */
    struct packet p = arp(MAC_US, 2, MAC_PEER, PEER4, US4);
    net_receive(f, &p, 0);
    CHECK_EQ(state_of(f, PEER4), NEIGHBOUR_REACHABLE);
    net_down(f);
}

TEST(progress_of_tcp_proves_a_neighbour_so_that_it_is_not_asked)
{
    struct net_fixture *f = net_up(0);
    struct ip_addr peer4 = addr_of(PEER4);
    struct ip_addr beyond = addr_of("8.8.8.8");
    resolve(f);
    net_confirm(f->net, &peer4);
    CHECK_EQ(state_of(f, PEER4), NEIGHBOUR_STALE); /* nobody waits for a proof */
    net_send(f, PEER4, 20);
    net_forget_sent(f);
    net_confirm(f->net, &beyond); /* this is about the gateway */
    CHECK_EQ(state_of(f, PEER4), NEIGHBOUR_DELAY);
    net_confirm(f->net, &peer4);
    CHECK_EQ(state_of(f, PEER4), NEIGHBOUR_DELAY); /* too soon after the last */
    net_wait_ms(f, 10);
    net_confirm(f->net, &peer4);
    CHECK_EQ(state_of(f, PEER4), NEIGHBOUR_REACHABLE);
    CHECK_EQ(net_stat(f, STAT_net_neighbour_confirmed), 1);
    net_wait_ms(f, 10000);
    CHECK_EQ(f->n_sent, 0);
    net_down(f);
}

TEST(an_answer_that_nobody_asked_for_proves_nothing)
{
    struct net_fixture *f = net_up(0);
    meet(f);
    struct packet p = arp(MAC_US, 2, MAC_PEER, PEER4, US4);
    net_receive(f, &p, 0);
    p = nd(MAC_US, PEER6, US6, 136, ND_FLAG_SOLICITED | ND_FLAG_OVERRIDE, PEER6, MAC_PEER);
    net_receive(f, &p, 0);
    CHECK_EQ(state_of(f, PEER4), NEIGHBOUR_STALE);
    CHECK_EQ(state_of(f, PEER6), NEIGHBOUR_STALE);
    net_down(f);
}

TEST(a_claim_with_another_mac_makes_us_ask_the_one_that_we_know)
{
    struct net_fixture *f = net_up(0);
    meet(f);
    for (unsigned i = 0; i < 100; i++) {
        struct packet p = packet_eth(i % 2 == 0 ? MAC_ALL : MAC_US, MAC_OTHER);
        packet_arp(&p, 1 + i % 2, MAC_OTHER, PEER4, i % 2 == 0 ? PEER4 : US4);
        net_receive(f, &p, 0);
        p = nd(MAC_US, PEER6, US6, 136, ND_FLAG_SOLICITED | ND_FLAG_OVERRIDE, PEER6, MAC_OTHER);
        net_receive(f, &p, 0);
    }
    CHECK_EQ(net_stat(f, STAT_net_neighbour_claims), 200);
    CHECK_EQ(net_stat(f, STAT_net_neighbour_disputes), 2);
    CHECK_EQ(f->n_sent, 2);
    CHECK(was_sent_to(f, 0, MAC_PEER) && was_sent_to(f, 1, MAC_PEER));
    struct packet p = arp(MAC_US, 2, MAC_PEER, PEER4, US4);
    net_receive(f, &p, 0);
    p = nd(MAC_US, PEER6, US6, 136, ND_FLAG_SOLICITED, PEER6, MAC_PEER);
    net_receive(f, &p, 0);
    CHECK_EQ(state_of(f, PEER4), NEIGHBOUR_REACHABLE);
    CHECK_EQ(state_of(f, PEER6), NEIGHBOUR_REACHABLE);
    p = arp(MAC_ALL, 1, MAC_OTHER, PEER4, PEER4);
    net_receive(f, &p, 0);
    CHECK_EQ(net_stat(f, STAT_net_neighbour_disputes), 2); /* once a second */
    net_forget_sent(f);
    net_send(f, PEER4, 20);
    CHECK(was_sent_to(f, 0, MAC_PEER));
    net_wait_ms(f, 1000);
    net_receive(f, &p, 0);
    CHECK_EQ(net_stat(f, STAT_net_neighbour_disputes), 3);
    net_down(f);
}

TEST(whoever_sent_what_waited_hears_that_the_neighbour_does_not_answer)
{
    struct net_fixture *f = net_up(0);
    static const char *const peers[] = {PEER4, PEER6};
    for (unsigned i = 0; i < 2; i++) {
        net_send(f, peers[i], 20);
        net_send(f, peers[i], 20);
        net_send(f, peers[i], 7); /* too short to say whose it is */
        net_wait_ms(f, 2900);
        CHECK_EQ(f->n_errors, 2 * i);
        net_wait_ms(f, 200);
        struct ip_addr local = addr_of(i == 0 ? US4 : US6);
        struct ip_addr remote = addr_of(peers[i]);
        CHECK_EQ(f->n_errors, 2 * i + 2);
        CHECK_EQ(f->error.kind, NET_ICMP_UNREACHABLE);
        CHECK(ip_addr_eq(&f->error.local, &local) && ip_addr_eq(&f->error.remote, &remote));
        CHECK_EQ(f->error.local_port, 0x5a5a);
        CHECK_EQ(f->error.remote_port, 0x5a5a);
        CHECK_EQ(f->error.seq, 0x5a5a5a5a);
    }
    CHECK_EQ(net_stat(f, STAT_net_neighbour_failures), 2);
    CHECK_EQ(net_stat(f, STAT_net_drop_tx_neighbour_failed), 6);
    net_down(f);
}

TEST(a_neighbour_that_does_not_answer_probes_is_forgotten)
{
    struct net_fixture *f = net_up(0);
    resolve(f);
    net_send(f, PEER4, 20);
    net_wait_ms(f, 5000 + 3000 + 100);
    CHECK_EQ(state_of(f, PEER4), -1);
    net_down(f);
}

TEST(an_unused_neighbour_is_forgotten_in_the_end)
{
    struct net_fixture *f = net_up(0);
    resolve(f);
    net_wait_ms(f, 601000);
    CHECK_EQ(state_of(f, PEER4), -1);
    CHECK_EQ(f->n_sent, 0);
    net_down(f);
}

TEST(a_neighbour_that_moved_is_found_in_a_third_of_a_second)
{
    struct net_fixture *f = net_up(0);
    net_send(f, PEER4, 20);
    struct packet p = arp(MAC_US, 2, MAC_PEER, PEER4, US4);
    net_receive(f, &p, 0);
    p = arp(MAC_ALL, 1, MAC_OTHER, PEER4, PEER4); /* gratuitous, as after a failover */
    net_receive(f, &p, 0);
    CHECK_EQ(state_of(f, PEER4), NEIGHBOUR_PROBE);
    net_wait_ms(f, 350); /* the old one is silent */
    CHECK_EQ(state_of(f, PEER4), -1);
    net_forget_sent(f);
    net_send(f, PEER4, 20);
    CHECK(was_sent_to(f, 0, MAC_ALL));
    p = arp(MAC_US, 2, MAC_OTHER, PEER4, US4);
    net_receive(f, &p, 0);
    CHECK(was_sent_to(f, 1, MAC_OTHER));
    net_down(f);
}

TEST(a_solicitation_is_answered_to_whoever_asked)
{
    struct net_fixture *f = net_up(0);
    struct packet p = nd(MAC_GROUP6, PEER6, GROUP6, 135, 0, US6, MAC_PEER);
    net_receive(f, &p, 0);
    struct packet want = packet_eth(MAC_PEER, MAC_US);
    packet_ip6(&want, US6, PEER6, 255);
    packet_nd(&want, 136, ND_FLAG_SOLICITED | ND_FLAG_OVERRIDE, US6, MAC_US);
    packet_close(&want);
    REQUIRE(f->n_sent == 1);
    CHECK_EQ(f->sent[0].len, want.len);
    CHECK(memcmp(f->sent[0].bytes, want.bytes, want.len) == 0);
    net_down(f);
}

TEST(our_address_is_defended_against_whoever_wants_it)
{
    struct net_fixture *f = net_up(0);
    struct packet p = nd(MAC_GROUP6, "::", GROUP6, 135, 0, US6, NULL);
    net_receive(f, &p, 0);
    struct packet want = packet_eth("33:33:00:00:00:01", MAC_US);
    packet_ip6(&want, US6, "ff02::1", 255);
    packet_nd(&want, 136, ND_FLAG_OVERRIDE, US6, MAC_US);
    packet_close(&want);
    REQUIRE(f->n_sent == 1);
    CHECK(memcmp(f->sent[0].bytes, want.bytes, want.len) == 0);
    net_down(f);
}

static void check_invalid_nd(struct net_fixture *f, const struct packet *p)
{
    uint64_t before = net_stat(f, STAT_net_drop_rx_nd_invalid);
    net_receive(f, p, 0);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_nd_invalid), before + 1);
}

TEST(nd_messages_that_break_a_rule_are_dropped)
{
    struct net_fixture *f = net_up(0);
    struct packet p = nd(MAC_GROUP6, PEER6, GROUP6, 135, 0, US6, MAC_PEER);
    p.bytes[p.ip_at + 7] = 254; /* came over a router */
    packet_close(&p);
    check_invalid_nd(f, &p);
    p = nd(MAC_GROUP6, PEER6, GROUP6, 135, 0, US6, MAC_PEER);
    p.bytes[p.l4_at + 1] = 1; /* code */
    packet_close(&p);
    check_invalid_nd(f, &p);
    p = nd(MAC_GROUP6, PEER6, GROUP6, 135, 0, US6, MAC_PEER);
    p.bytes[p.l4_at + 25] = 0; /* an option of length 0 */
    packet_close(&p);
    check_invalid_nd(f, &p);
    p = nd(MAC_GROUP6, PEER6, GROUP6, 135, 0, "ff02::1", MAC_PEER);
    check_invalid_nd(f, &p);
    p = nd(MAC_GROUP6, "::", GROUP6, 135, 0, US6, MAC_PEER); /* nobody has a MAC */
    check_invalid_nd(f, &p);
    p = nd(MAC_US, "::", US6, 135, 0, US6, NULL); /* a probe goes to the group */
    check_invalid_nd(f, &p);
    p = nd("33:33:00:00:00:01", PEER6, "ff02::1", 136, ND_FLAG_SOLICITED, PEER6, MAC_PEER);
    check_invalid_nd(f, &p); /* an answer to all */
    CHECK_EQ(f->n_sent, 0);
    net_down(f);
}

TEST(a_flood_of_unresolved_neighbours_does_not_push_out_the_known)
{
    struct net_fixture *f = net_up(0);
    meet(f);
    for (unsigned i = 1; i < 65000; i += 13) {
        char addr[IP_ADDR_TEXT_MAX];
        snprintf(addr, sizeof(addr), "2001:db8::1:%x", i);
        net_send(f, addr, 20);
        net_forget_sent(f);
    }
    CHECK_EQ(f->net->neighbours.n_unresolved, NET_NEIGHBOURS_UNRESOLVED_MAX);
    CHECK_EQ(net_stat(f, STAT_net_neighbours_now), NET_NEIGHBOURS_UNRESOLVED_MAX + 2);
    CHECK(net_stat(f, STAT_net_neighbour_evictions) > 4000);
    CHECK_EQ(state_of(f, PEER4), NEIGHBOUR_STALE);
    CHECK_EQ(state_of(f, PEER6), NEIGHBOUR_STALE);
    net_down(f);
}

/* Number `i` asks for us. */
static void asked_by(struct net_fixture *f, unsigned i, bool is_answered)
{
    char addr[IP_ADDR_TEXT_MAX];
    snprintf(addr, sizeof(addr), "2001:db8::1:%x", i);
    struct packet p = nd(MAC_GROUP6, addr, GROUP6, 135, 0, US6, MAC_PEER);
    net_receive(f, &p, 0);
    if (is_answered)
        net_send(f, addr, 20); /* not only its question: something that it is sent */
    net_forget_sent(f);
}

TEST(whoever_only_asks_for_us_does_not_push_out_whom_we_speak_to)
{
    struct net_fixture *f = net_up(0);
    meet(f);
    net_send(f, PEER4, 20);
    for (unsigned i = 0; i < 5000; i++)
        asked_by(f, i, false);
    CHECK_EQ(f->net->neighbours.n_heard, NET_NEIGHBOURS_HEARD_MAX);
    CHECK_EQ(net_stat(f, STAT_net_neighbours_now), NET_NEIGHBOURS_HEARD_MAX + 1);
    CHECK_EQ(state_of(f, PEER4), NEIGHBOUR_DELAY);
    CHECK_EQ(state_of(f, PEER6), -1);
    net_down(f);
}

TEST(whoever_tcp_vouches_for_is_passed_over_when_place_is_made)
{
    struct net_fixture *f = net_up(0);
    struct ip_addr peer4 = addr_of(PEER4);
    meet(f);
    net_send(f, PEER4, 20);
    net_send(f, PEER6, 20);
    net_confirm(f->net, &peer4);
    for (unsigned i = 0; i < NET_NEIGHBOURS_MAX; i++)
        asked_by(f, i, true);
    CHECK_EQ(net_stat(f, STAT_net_neighbours_now), NET_NEIGHBOURS_MAX);
    CHECK_EQ(state_of(f, PEER6), -1);
    CHECK_EQ(state_of(f, PEER4), NEIGHBOUR_REACHABLE);
    for (unsigned i = 0; i < NET_NEIGHBOURS_MAX; i++)
        asked_by(f, NET_NEIGHBOURS_MAX + i, true);
    CHECK_EQ(state_of(f, PEER4), -1); /* once only */
    net_down(f);
}

TEST(the_least_used_neighbour_makes_place_in_a_full_table)
{
    struct net_fixture *f = net_up(0);
    meet(f);
    for (unsigned i = 0; i < NET_NEIGHBOURS_MAX + 10; i++) {
        asked_by(f, i, true);
        net_send(f, PEER6, 20); /* in use all the time */
        net_forget_sent(f);
    }
    CHECK_EQ(net_stat(f, STAT_net_neighbours_now), NET_NEIGHBOURS_MAX);
    CHECK(state_of(f, PEER6) != -1);
    CHECK_EQ(state_of(f, PEER4), -1);
    net_down(f);
}

TEST(without_mbufs_a_question_is_left_unanswered_and_counted)
{
    struct net_fixture *f = net_up(0);
    struct rte_mempool *none = unit_mbufs_new(1);
    struct rte_mbuf *taken = rte_pktmbuf_alloc(none);
    struct rte_mempool *enough = f->core.mbufs;
    f->core.mbufs = none;
    struct packet p = arp(MAC_ALL, 1, MAC_PEER, PEER4, US4);
    net_receive(f, &p, 0);
    CHECK_EQ(net_stat(f, STAT_net_answer_no_mbuf), 1);
    CHECK_EQ(net_stat(f, STAT_core_mbuf_exhausted), 1);
    f->core.mbufs = enough;
    rte_pktmbuf_free(taken);
    net_down(f);
    rte_mempool_free(none);
}

UNIT_MAIN("net/neighbour", T(a_neighbour_that_tcp_doubts_is_asked_at_once_and_forgotten_if_silent),
          T(an_arp_request_for_us_is_answered),
          T(an_arp_request_for_a_vip_is_answered_but_not_for_another_interface),
          T(an_answer_leaves_by_the_vlan_that_the_question_came_from),
          T(an_arp_probe_for_our_address_is_answered_and_nothing_is_learned),
          T(a_copy_is_learned_from_but_not_answered),
          T(an_answer_that_another_worker_received_resolves_ours_but_makes_no_new_one),
          T(nobody_can_claim_our_address), T(a_group_mac_is_nobodys),
          T(an_answer_that_nobody_asked_for_is_not_learned),
          T(packets_wait_for_the_arp_answer_and_leave_in_order),
          T(packets_wait_for_the_advertisement), T(what_is_not_on_link_goes_to_the_gateway),
          T(a_request_is_repeated_and_then_given_up),
          T(a_stale_neighbour_is_used_and_then_asked_directly),
          T(a_neighbour_that_does_not_answer_probes_is_forgotten),
          T(an_unused_neighbour_is_forgotten_in_the_end),
          T(a_neighbour_that_moved_is_found_in_a_third_of_a_second),
          T(a_solicitation_is_answered_to_whoever_asked),
          T(our_address_is_defended_against_whoever_wants_it),
          T(nd_messages_that_break_a_rule_are_dropped),
          T(a_flood_of_unresolved_neighbours_does_not_push_out_the_known),
          T(whoever_only_asks_for_us_does_not_push_out_whom_we_speak_to),
          T(whoever_tcp_vouches_for_is_passed_over_when_place_is_made),
          T(progress_of_tcp_proves_a_neighbour_so_that_it_is_not_asked),
          T(an_answer_that_nobody_asked_for_proves_nothing),
          T(a_claim_with_another_mac_makes_us_ask_the_one_that_we_know),
          T(whoever_sent_what_waited_hears_that_the_neighbour_does_not_answer),
          T(the_least_used_neighbour_makes_place_in_a_full_table),
          T(without_mbufs_a_question_is_left_unanswered_and_counted))
