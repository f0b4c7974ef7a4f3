/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that are forwarded by NAT, seen from the wire. */
#include "box.h"

#include "base/container.h"

#include <string.h>

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10

static const char *const one4[] = {BACK4, NULL};
static const char *const one6[] = {BACK6, NULL};
static const char *const two4[] = {BACK4, BACK4B, NULL};
static const char *const nobody[] = {NULL};

static bool is_between(const struct seen *s, const char *src, const char *dst)
{
    struct ip_addr a = addr_of(src), b = addr_of(dst);
    return ip_addr_eq(&s->src, &a) && ip_addr_eq(&s->dst, &b);
}

/* A question and its answer through the box, between these families. */
static void ask(const char *client, const char *vip, const char *back, const char *ours)
{
    const char *const list[] = {back, NULL};
    struct box *b = box_up(7, list);
    struct packet p = datagram(client, 4000, vip, PORT, "question");
    box_give(b, &p);
    REQUIRE(b->n_seen == 1);
    struct seen *up = &b->seen[0];
    CHECK(is_between(up, ours, back));
    CHECK_EQ(up->dst_port, 5353);
    CHECK(up->src_port >= 10240 && up->is_cksum_good);
    CHECK(memcmp(up->upper + 8, "question", 8) == 0);
    p = answer_to(up, 0, "the answer");
    box_give(b, &p);
    REQUIRE(b->n_seen == 2);
    struct seen *down = &b->seen[1];
    CHECK(is_between(down, vip, client));
    CHECK(down->src_port == PORT && down->dst_port == 4000 && down->is_cksum_good);
    CHECK(memcmp(down->upper + 8, "the answer", 10) == 0);
    CHECK_EQ(box_stat(b, STAT_l4_opened_udp), 1);
    box_down(b);
}

TEST(a_datagram_goes_to_an_endpoint_and_its_answer_comes_back)
{
    ask(CLIENT4, VIP4, BACK4, OURS4);
    ask(CLIENT6, VIP6, BACK6, OURS6);
}

TEST(client_and_endpoint_may_be_of_different_families)
{
    ask(CLIENT4, VIP4, BACK6, OURS6);
    ask(CLIENT6, VIP6, BACK4, OURS4);
}

TEST(a_connection_passes_and_is_forgotten_a_while_after_both_sides_ended_it)
{
    struct box *b = box_up(7, one4);
    struct packet p = segment(CLIENT4, 4000, VIP4, PORT, SYN, "");
    box_give(b, &p);
    REQUIRE(b->n_seen == 1);
    struct seen up = b->seen[0];
    CHECK(is_between(&up, OURS4, BACK4) && up.tcp_flags == SYN && up.is_cksum_good);
    p = answer_to(&up, SYN | ACK, "");
    box_give(b, &p);
    uint64_t slow = box_stat(b, STAT_l4_rx_slow);
    static const struct {
        bool is_client;
        uint8_t flags;
        const char *text;
    } steps[] = {{true, ACK, ""},           {true, ACK, "hello"}, {false, ACK, "hello to you"},
                 {false, FIN | ACK, "bye"}, {true, ACK, ""},      {true, FIN | ACK, ""},
                 {false, ACK, ""}};
    for (unsigned i = 0; i < array_len(steps); i++) {
        box_forget(b);
        p = steps[i].is_client
                ? segment(CLIENT4, 4000, VIP4, PORT, steps[i].flags, steps[i].text)
                : segment(BACK4, 5353, OURS4, up.src_port, steps[i].flags, steps[i].text);
        box_give(b, &p);
        REQUIRE(b->n_seen == 1);
        const struct seen *s = &b->seen[0];
        CHECK(s->is_cksum_good && s->tcp_flags == steps[i].flags && s->hop_limit == 63);
        CHECK(
            is_between(s, steps[i].is_client ? OURS4 : VIP4, steps[i].is_client ? BACK4 : CLIENT4));
        CHECK(memcmp(s->upper + 20, steps[i].text, strlen(steps[i].text)) == 0);
    }
    CHECK_EQ(box_stat(b, STAT_l4_rx_slow), slow); /* all of them straight */
    CHECK_EQ(box_stat(b, STAT_tcp_opens), 0);
    CHECK_EQ(box_stat(b, STAT_l4_flows_now), 1);
    box_wait_ms(b, 61000);
    CHECK_EQ(box_stat(b, STAT_l4_end_closed), 1);
    box_down(b);
}

TEST(where_a_port_puts_segments_together_connections_are_the_proxys)
{
    struct box *b = box_up_with_lro(one4);
    struct packet p = segment(CLIENT4, 4000, VIP4, PORT, SYN, "");
    box_give(b, &p);
    REQUIRE(b->n_seen == 1);
    CHECK_EQ(b->seen[0].tcp_flags, SYN | ACK);
    CHECK_EQ(box_stat(b, STAT_l4_opened_tcp), 0);
    p = datagram(CLIENT4, 4000, VIP4, PORT, "?");
    box_give(b, &p);
    CHECK_EQ(box_stat(b, STAT_l4_opened_udp), 1);
    box_down(b);
}

TEST(a_silent_connection_is_kept_for_two_hours)
{
    struct box *b = box_up(7, one4);
    struct packet p = segment(CLIENT4, 4000, VIP4, PORT, SYN, "");
    box_give(b, &p);
    p = answer_to(&b->seen[0], SYN | ACK, "");
    box_give(b, &p);
    p = segment(CLIENT4, 4000, VIP4, PORT, ACK, "");
    box_give(b, &p);
    for (unsigned i = 0; i < 62; i++)
        box_wait_ms(b, 118 * 1000);
    CHECK_EQ(box_stat(b, STAT_l4_flows_now), 1);
    for (unsigned i = 0; i < 4; i++)
        box_wait_ms(b, 60 * 1000);
    CHECK_EQ(box_stat(b, STAT_l4_end_idle), 1);
    box_down(b);
}

TEST(whoever_calls_again_between_the_same_ends_gets_a_new_flow)
{
    struct box *b = box_up(7, one4);
    struct packet p = segment(CLIENT4, 4000, VIP4, PORT, SYN, "");
    box_give(b, &p);
    struct seen up = b->seen[0];
    p = answer_to(&up, RST | ACK, "");
    box_give(b, &p);
    CHECK_EQ(b->seen[1].tcp_flags, RST | ACK);
    p = segment(CLIENT4, 4000, VIP4, PORT, SYN, "");
    box_give(b, &p);
    CHECK_EQ(box_stat(b, STAT_l4_end_again), 1);
    CHECK_EQ(box_stat(b, STAT_l4_opened_tcp), 2);
    CHECK(b->seen[2].src_port != up.src_port); /* the endpoint may remember the other */
    box_down(b);
}

TEST(what_has_something_unusual_about_it_passes_too)
{
    struct box *b = box_up(7, one6);
    struct packet whole = packet_eth(BOX_MAC, PEER_MAC);
    char text[1700];
    memset(text, 'x', sizeof(text));
    packet_ip6(&whole, CLIENT6, VIP6, 64);
    packet_udp(&whole, 4000, PORT, text, sizeof(text));
    packet_close(&whole);
    unsigned payload = whole.len - whole.l4_at;
    struct packet first = packet_fragment(&whole, 77, 0, 1200, true);
    struct packet last = packet_fragment(&whole, 77, 1200, payload, false);
    box_give(b, &last);
    CHECK_EQ(b->n_seen, 0);
    box_give(b, &first);
    REQUIRE(b->n_seen == 2); /* it is too long for one packet, as it was */
    CHECK(b->seen[0].is_fragment && b->seen[1].is_fragment);
    CHECK(is_between(&b->seen[0], OURS6, BACK6));
    CHECK_EQ(b->seen[0].upper_bytes + b->seen[1].upper_bytes, payload + 2 * 8);
    CHECK_EQ(box_stat(b, STAT_net_tx_cut), 1);
    CHECK_EQ(box_stat(b, STAT_net_tx_pieces), 2);
    box_down(b);
}

/* A packet of an open flow, and the same with a bit that the shortcut leaves to the long way, which
 * clears it. */
static void check_both_ways(bool is_tcp)
{
    struct box *b = box_up(7, one4);
    struct packet first = is_tcp ? segment(CLIENT4, 4000, VIP4, PORT, 0x02, "")
                                 : datagram(CLIENT4, 4000, VIP4, PORT, "a");
    struct packet p = is_tcp ? segment(CLIENT4, 4000, VIP4, PORT, 0x18, "some bytes")
                             : datagram(CLIENT4, 4000, VIP4, PORT, "some bytes");
    box_give(b, &first);
    REQUIRE(b->n_seen == 1);
    struct packet answer = answer_to(&b->seen[0], 0x12, "");
    box_give(b, &answer);
    box_give(b, &p); /* it is open now */
    box_forget(b);
    box_give(b, &p);
    p.bytes[14 + 6] |= 0x80;
    packet_close(&p);
    box_give(b, &p);
    REQUIRE(b->n_seen == 2);
    CHECK_EQ(b->seen[0].hop_limit, 63);
    CHECK(b->seen[0].is_cksum_good && b->seen[1].is_cksum_good);
    CHECK_EQ(b->seen[0].ip_bytes, b->seen[1].ip_bytes);
    CHECK(memcmp(b->seen[0].frame, b->seen[1].frame, 14 + b->seen[0].ip_bytes) == 0);
    box_down(b);
}

TEST(the_shortcut_gives_what_the_long_way_gives)
{
    check_both_ways(false);
    check_both_ways(true);
}

TEST(every_box_sends_the_same_client_to_the_same_endpoint)
{
    uint8_t chosen[2][40];
    for (unsigned k = 0; k < 2; k++) {
        struct box *b = box_up(1000 + k, two4);
        for (unsigned i = 0; i < array_len(chosen[k]); i++) {
            box_forget(b);
            struct packet p = datagram(CLIENT4, (uint16_t)(4000 + i), VIP4, PORT, "?");
            box_give(b, &p);
            REQUIRE(b->n_seen == 1);
            chosen[k][i] = b->seen[0].dst.bytes[15];
        }
        box_down(b);
    }
    CHECK(memcmp(chosen[0], chosen[1], sizeof(chosen[0])) == 0);
    CHECK(memchr(chosen[0], 201, sizeof(chosen[0])) != NULL);
    CHECK(memchr(chosen[0], 202, sizeof(chosen[0])) != NULL);
}

TEST(a_flow_stays_with_its_endpoint_when_others_come_and_it_goes)
{
    static const char *const other[] = {BACK4B, NULL};
    struct box *b = box_up(7, one4);
    struct packet p = datagram(CLIENT4, 4000, VIP4, PORT, "?");
    box_give(b, &p);
    box_set_endpoints(b, other);
    box_give(b, &p);
    CHECK(is_between(&b->seen[1], OURS4, BACK4));
    box_set_route(b, false);
    box_give(b, &p);
    CHECK(is_between(&b->seen[2], OURS4, BACK4));
    struct packet late = datagram(CLIENT4, 4001, VIP4, PORT, "?");
    box_give(b, &late);
    CHECK_EQ(b->n_seen, 3);
    CHECK_EQ(box_stat(b, STAT_l4_drop_no_route), 1);
    box_set_route(b, true);
    box_give(b, &late);
    CHECK(is_between(&b->seen[3], OURS4, BACK4B));
    box_down(b);
}

TEST(an_endpoint_that_does_not_answer_a_third_syn_is_left_for_another)
{
    struct box *b = box_up(7, two4);
    struct packet p = segment(CLIENT4, 4000, VIP4, PORT, SYN, "");
    for (unsigned i = 0; i < 4; i++) {
        box_give(b, &p);
        box_wait_ms(b, 1000);
    }
    REQUIRE(b->n_seen == 4);
    CHECK(ip_addr_eq(&b->seen[1].dst, &b->seen[0].dst));
    CHECK_EQ(b->seen[1].src_port, b->seen[0].src_port);
    CHECK(!ip_addr_eq(&b->seen[3].dst, &b->seen[0].dst));
    CHECK_EQ(box_stat(b, STAT_l4_retargeted), 1);
    p = answer_to(&b->seen[3], SYN | ACK, "");
    box_give(b, &p);
    CHECK(is_between(&b->seen[4], VIP4, CLIENT4) && b->seen[4].is_cksum_good);
    box_down(b);
}

TEST(without_an_endpoint_nothing_is_sent_and_without_a_flow_a_segment_is_reset)
{
    struct box *b = box_up(7, nobody);
    struct packet p = datagram(CLIENT4, 4000, VIP4, PORT, "?");
    box_give(b, &p);
    CHECK_EQ(b->n_seen, 0);
    CHECK_EQ(box_stat(b, STAT_l4_drop_no_endpoint), 1);
    p = segment(CLIENT4, 4000, VIP4, PORT, SYN, "");
    box_give(b, &p);
    REQUIRE(b->n_seen == 1); /* the proxy has it, and resets it when it is open */
    CHECK_EQ(b->seen[0].tcp_flags, SYN | ACK);
    box_forget(b);
    p = segment(CLIENT4, 4001, VIP4, PORT, ACK, "late");
    box_give(b, &p);
    REQUIRE(b->n_seen == 1);
    CHECK((b->seen[0].tcp_flags & RST) != 0);
    p = datagram(CLIENT4, 4000, VIP4, 54, "?");
    box_give(b, &p);
    REQUIRE(b->n_seen == 2 && b->seen[1].proto == 1);
    CHECK(b->seen[1].upper[0] == 3 && b->seen[1].upper[1] == 3); /* port unreachable */
    box_down(b);
}

TEST(an_error_about_a_packet_reaches_whoever_sent_it_in_his_own_words)
{
    struct box *b = box_up(7, one4);
    struct packet p = datagram(CLIENT6, 4000, VIP6, PORT, "?");
    box_give(b, &p);
    REQUIRE(b->n_seen == 1);
    struct seen up = b->seen[0];
    struct packet error = refusal_of(&up);
    box_give(b, &error);
    REQUIRE(b->n_seen == 2);
    const struct seen *told = &b->seen[1];
    CHECK(is_between(told, VIP6, CLIENT6) && told->proto == 58);
    CHECK(told->upper[0] == 1 && told->upper[1] == 4); /* port unreachable (RFC 4443, 3.1) */
    struct ip_addr client = addr_of(CLIENT6), vip = addr_of(VIP6);
    CHECK(memcmp(told->upper + 8 + 8, client.bytes, 16) == 0);
    CHECK(memcmp(told->upper + 8 + 24, vip.bytes, 16) == 0);
    const uint8_t ports[] = {4000 >> 8, 4000 & 0xff, 0, PORT};
    CHECK(memcmp(told->upper + 8 + 40, ports, sizeof(ports)) == 0);
    CHECK_EQ(box_stat(b, STAT_l4_icmp_passed), 1);
    box_down(b);
}

/* 1,498 bytes of IPv4, 1,518 of IPv6. */
static struct packet long_datagram(uint16_t port, bool may_be_cut)
{
    char text[1470];
    memset(text, 'y', sizeof(text));
    struct packet p = packet_eth(BOX_MAC, PEER_MAC);
    packet_ip4(&p, CLIENT4, VIP4, 17);
    packet_udp(&p, port, PORT, text, sizeof(text));
    if (!may_be_cut)
        p.bytes[p.ip_at + 6] |= 0x40;
    packet_close(&p);
    return p;
}

/* Is it what this client is told of a datagram from that port, and nothing else? */
static bool is_told(const struct box *b, const char *client, uint16_t port, uint8_t type,
                    uint8_t code)
{
    const struct seen *s = &b->seen[0];
    const uint8_t ports[] = {(uint8_t)(port >> 8), (uint8_t)port, 0, PORT};
    bool is_ip4 = strchr(client, '.') != NULL;
    const uint8_t *quote = s->upper + 8 + (is_ip4 ? 20 : 40);
    return b->n_seen == 1 && s->proto == (is_ip4 ? 1 : 58) && s->upper[0] == type &&
           s->upper[1] == code && is_between(s, is_ip4 ? VIP4 : VIP6, client) &&
           memcmp(quote, ports, sizeof(ports)) == 0;
}

/* The first packet of a flow, and those that come later. */
TEST(what_is_too_long_for_its_way_is_cut_if_it_may_be_else_told_so)
{
    struct box *b = box_up(7, one6);
    for (uint64_t i = 1; i <= 2; i++) {
        struct packet p = long_datagram(4000, false);
        box_forget(b);
        box_give(b, &p);
        REQUIRE(is_told(b, CLIENT4, 4000, 3, 4));
        CHECK_EQ(b->seen[0].upper[6] << 8 | b->seen[0].upper[7], 1480);
        CHECK_EQ(box_stat(b, STAT_l4_drop_too_big), i);
        p = long_datagram(4001, true);
        box_forget(b);
        box_give(b, &p);
        CHECK_EQ(b->n_seen, 2);
        CHECK(b->seen[0].is_fragment && b->seen[1].is_fragment);
    }
    CHECK_EQ(box_stat(b, STAT_l4_opened_udp), 2);
    box_down(b);
}

TEST(what_is_on_its_last_hop_goes_no_further_and_its_sender_hears_of_it)
{
    static const struct {
        const char *client, *vip;
        unsigned hops_at;
        uint8_t type;
    } ways[] = {{CLIENT4, VIP4, 8, 11}, {CLIENT6, VIP6, 7, 3}};
    struct box *b = box_up(7, one4);
    for (unsigned i = 0; i < array_len(ways); i++) {
        for (unsigned k = 1; k <= 2; k++) { /* the first, and one of a flow that is there */
            struct packet p = datagram(ways[i].client, 4000, ways[i].vip, PORT, "?");
            p.bytes[p.ip_at + ways[i].hops_at] = 1;
            packet_close(&p);
            box_forget(b);
            box_give(b, &p);
            CHECK(is_told(b, ways[i].client, 4000, ways[i].type, 0));
            CHECK_EQ(box_stat(b, STAT_l4_drop_hop_limit), 2 * i + k);
        }
        struct packet p = datagram(ways[i].client, 4001, ways[i].vip, PORT, "?");
        p.bytes[p.ip_at + ways[i].hops_at] = 7;
        packet_close(&p);
        box_forget(b);
        box_give(b, &p);
        REQUIRE(b->n_seen == 1);
        CHECK_EQ(b->seen[0].hop_limit, 6);
    }
    box_down(b);
}

/* Options, and a datagram that is shorter than its packet. */
TEST(a_header_that_cannot_go_on_is_made_anew_and_says_the_same_of_cuts_and_hops)
{
    struct box *b = box_up(7, one6);
    for (unsigned i = 0; i < 4; i++) {
        bool may_be_cut = i % 2 == 1, is_spent = i == 3;
        struct packet p = packet_eth(BOX_MAC, PEER_MAC);
        static const uint8_t options[] = {1, 1, 1, 0};
        char text[1464];
        memset(text, 'z', sizeof(text));
        packet_ip4(&p, CLIENT4, VIP4, 17);
        packet_bytes(&p, options, sizeof(options));
        p.bytes[p.ip_at] = 0x46;
        p.l4_at = p.ip_at + 24;
        packet_udp(&p, (uint16_t)(4000 + i), PORT, text, i == 2 ? 100 : sizeof(text));
        p.bytes[p.ip_at + 6] |= may_be_cut ? 0 : 0x40;
        p.bytes[p.ip_at + 8] = is_spent ? 1 : 64;
        packet_close(&p);
        box_forget(b);
        box_give(b, &p);
        static const unsigned seen[] = {1, 2, 1, 1};
        REQUIRE(b->n_seen == seen[i]);
        CHECK(i == 0   ? is_told(b, CLIENT4, 4000, 3, 4)
              : i == 3 ? is_told(b, CLIENT4, 4003, 11, 0)
                       : true);
        CHECK(i == 2 ? is_between(&b->seen[0], OURS6, BACK6) && b->seen[0].is_cksum_good : true);
    }
    box_down(b);
}

TEST(a_damaged_header_goes_no_further_and_other_damage_stays)
{
    struct box *b = box_up(7, one4);
    struct packet p = datagram(CLIENT4, 4000, VIP4, PORT, "?");
    box_give(b, &p);
    p.bytes[p.ip_at + 8] = 63; /* its checksum says otherwise */
    box_give(b, &p);
    CHECK_EQ(box_stat(b, STAT_net_drop_rx_ip4_cksum), 1);
    CHECK_EQ(b->n_seen, 1);
    p = datagram(CLIENT4, 4000, VIP4, PORT, "?");
    p.bytes[p.len - 1] ^= 1; /* damaged before us: whoever it is for has to see that */
    box_give(b, &p);
    REQUIRE(b->n_seen == 2);
    CHECK(!b->seen[1].is_cksum_good);
    box_down(b);
}

static void few_flows(struct l4_config *config)
{
    config->flows_max = 4;
}

TEST(a_full_table_makes_room_by_what_was_never_answered_and_by_nothing_else)
{
    struct box *b = box_up_with(7, one4, few_flows);
    for (uint16_t i = 0; i < 4; i++) {
        struct packet p = datagram(CLIENT4, (uint16_t)(4000 + i), VIP4, PORT, "?");
        box_give(b, &p);
        if (i > 0) { /* the first is left without an answer */
            p = answer_to(&b->seen[b->n_seen - 1], 0, "!");
            box_give(b, &p);
        }
    }
    struct packet p = datagram(CLIENT4, 4004, VIP4, PORT, "?");
    box_give(b, &p);
    CHECK_EQ(box_stat(b, STAT_l4_end_shed), 1);
    p = answer_to(&b->seen[b->n_seen - 1], 0, "!");
    box_give(b, &p);
    p = datagram(CLIENT4, 4005, VIP4, PORT, "?");
    box_give(b, &p);
    CHECK_EQ(box_stat(b, STAT_l4_drop_full), 1);
    CHECK_EQ(box_stat(b, STAT_l4_flows_now), 4);
    box_wait_ms(b, 11000); /* one question and one answer are soon forgotten */
    CHECK_EQ(box_stat(b, STAT_l4_flows_now), 0);
    CHECK_EQ(box_stat(b, STAT_l4_end_idle), 4);
    box_down(b);
}

static void slow_opens(struct l4_config *config)
{
    config->opens_per_s = 8;
    config->opens_per_src_s = 5;
}

TEST(new_flows_have_a_rate_and_each_source_has_one)
{
    struct box *b = box_up_with(7, one4, slow_opens);
    static const char *const clients[] = {CLIENT4, "198.18.0.11"};
    for (unsigned k = 0; k < 2; k++) {
        for (uint16_t i = 0; i < 6; i++) {
            struct packet p = datagram(clients[k], (uint16_t)(4000 + i), VIP4, PORT, "?");
            box_give(b, &p);
        }
    }
    CHECK_EQ(box_stat(b, STAT_l4_opened_udp), 8);
    CHECK_EQ(box_stat(b, STAT_l4_drop_source_rate), 2);
    CHECK_EQ(box_stat(b, STAT_l4_drop_rate), 2);
    box_down(b);
}

UNIT_MAIN("l4/nat", T(a_datagram_goes_to_an_endpoint_and_its_answer_comes_back),
          T(client_and_endpoint_may_be_of_different_families),
          T(a_connection_passes_and_is_forgotten_a_while_after_both_sides_ended_it),
          T(where_a_port_puts_segments_together_connections_are_the_proxys),
          T(a_silent_connection_is_kept_for_two_hours),
          T(whoever_calls_again_between_the_same_ends_gets_a_new_flow),
          T(what_has_something_unusual_about_it_passes_too),
          T(the_shortcut_gives_what_the_long_way_gives),
          T(every_box_sends_the_same_client_to_the_same_endpoint),
          T(a_flow_stays_with_its_endpoint_when_others_come_and_it_goes),
          T(an_endpoint_that_does_not_answer_a_third_syn_is_left_for_another),
          T(without_an_endpoint_nothing_is_sent_and_without_a_flow_a_segment_is_reset),
          T(an_error_about_a_packet_reaches_whoever_sent_it_in_his_own_words),
          T(what_is_too_long_for_its_way_is_cut_if_it_may_be_else_told_so),
          T(what_is_on_its_last_hop_goes_no_further_and_its_sender_hears_of_it),
          T(a_header_that_cannot_go_on_is_made_anew_and_says_the_same_of_cuts_and_hops),
          T(a_damaged_header_goes_no_further_and_other_damage_stays),
          T(a_full_table_makes_room_by_what_was_never_answered_and_by_nothing_else),
          T(new_flows_have_a_rate_and_each_source_has_one))
