/* SPDX-License-Identifier: Apache-2.0 */
/* What flows tell of their endpoints' health, and what they do not. */
#include "box.h"

#include <string.h>

#define SYN 0x02
#define RST 0x04
#define ACK 0x10

static const char *const two4[] = {BACK4, BACK4B, NULL};

static struct box *begin(void)
{
    struct box *b = box_up(7, two4);
    b->failures = 2;
    box_set_route(b, true);
    return b;
}

/* Gives SYNs, or datagrams, of ports from there on until one goes to BACK4; what was seen of it. */
static struct seen until_first(struct box *b, uint16_t *port, bool is_udp)
{
    struct ip_addr back = addr_of(BACK4);
    unsigned tries = 0;
    do {
        struct packet p = is_udp ? datagram(CLIENT4, ++*port, VIP4, PORT, "?")
                                 : segment(CLIENT4, ++*port, VIP4, PORT, SYN, "");
        box_forget(b);
        box_give(b, &p);
        REQUIRE(b->n_seen == 1 && ++tries < 64);
    } while (!ip_addr_eq(&b->seen[0].dst, &back));
    return b->seen[0];
}

/* How many of 20 new flows go to BACK4. */
static unsigned count_first(struct box *b, uint16_t *port)
{
    struct ip_addr back = addr_of(BACK4);
    unsigned n = 0;
    for (unsigned i = 0; i < 20; i++) {
        struct packet p = datagram(CLIENT4, ++*port, VIP4, PORT, "?");
        box_forget(b);
        box_give(b, &p);
        REQUIRE(b->n_seen == 1);
        n += ip_addr_eq(&b->seen[0].dst, &back);
    }
    return n;
}

static void give_answer(struct box *b, const struct seen *up, uint8_t flags)
{
    struct packet p = answer_to(up, flags, "!");
    box_give(b, &p);
}

TEST(who_resets_connections_is_ejected_and_one_that_is_answered_begins_anew)
{
    struct box *b = begin();
    uint16_t port = 4000;
    static const uint8_t answers[] = {RST | ACK, SYN | ACK, RST | ACK};
    for (unsigned i = 0; i < 3; i++) {
        struct seen up = until_first(b, &port, false);
        give_answer(b, &up, answers[i]);
    }
    CHECK_EQ(box_stat(b, STAT_upstream_failures), 2);
    CHECK_EQ(box_stat(b, STAT_upstream_ejected), 0);
    CHECK(count_first(b, &port) > 0);
    struct seen up = until_first(b, &port, false);
    give_answer(b, &up, RST | ACK);
    CHECK_EQ(box_stat(b, STAT_upstream_ejected), 1);
    CHECK_EQ(count_first(b, &port), 0);
    box_down(b);
}

TEST(a_reset_of_what_was_open_says_nothing_of_the_endpoint)
{
    struct box *b = begin();
    uint16_t port = 4000;
    for (unsigned i = 0; i < 4; i++) {
        struct seen up = until_first(b, &port, false);
        give_answer(b, &up, SYN | ACK);
        give_answer(b, &up, RST | ACK);
    }
    CHECK_EQ(box_stat(b, STAT_upstream_failures), 0);
    box_down(b);
}

TEST(who_does_not_answer_connections_is_ejected)
{
    struct box *b = begin();
    uint16_t port = 4000;
    until_first(b, &port, false);
    until_first(b, &port, false);
    box_wait_ms(b, 16000);
    CHECK(box_stat(b, STAT_upstream_failures) >= 2);
    CHECK_EQ(box_stat(b, STAT_upstream_ejected), 1); /* one of two, not both */
    box_down(b);
}

TEST(three_syns_without_an_answer_are_a_failure)
{
    struct box *b = begin();
    struct packet p = segment(CLIENT4, 4000, VIP4, PORT, SYN, "");
    for (unsigned i = 0; i < 4; i++)
        box_give(b, &p);
    CHECK_EQ(box_stat(b, STAT_l4_retargeted), 1);
    CHECK_EQ(box_stat(b, STAT_upstream_failures), 1);
    give_answer(b, &b->seen[3], SYN | ACK);
    box_wait_ms(b, 16000);
    CHECK_EQ(box_stat(b, STAT_upstream_failures), 1);
    box_down(b);
}

TEST(a_port_of_udp_where_nobody_listens_is_a_failure_and_the_client_finds_another_endpoint)
{
    struct box *b = begin();
    uint16_t port = 4000;
    for (unsigned i = 0; i < 2; i++) {
        struct seen up = until_first(b, &port, true);
        struct packet p = refusal_of(&up);
        box_give(b, &p);
        CHECK_EQ(b->seen[1].proto, 1); /* the client hears of it */
    }
    CHECK_EQ(box_stat(b, STAT_l4_end_refused), 2);
    CHECK_EQ(box_stat(b, STAT_upstream_ejected), 1);
    CHECK_EQ(box_counts("ns/b-udp")->ended[STATS_ROUTE_END_unreached], 2);
    struct packet again = datagram(CLIENT4, port, VIP4, PORT, "?");
    box_forget(b);
    box_give(b, &again);
    struct ip_addr other = addr_of(BACK4B);
    REQUIRE(b->n_seen == 1);
    CHECK(ip_addr_eq(&b->seen[0].dst, &other));
    box_down(b);
}

TEST(only_the_endpoint_itself_can_say_so_and_only_before_it_has_answered)
{
    struct box *b = begin();
    uint16_t port = 4000;
    for (unsigned i = 0; i < 4; i++) {
        struct seen up = until_first(b, &port, true);
        struct packet p = packet_eth(BOX_MAC, PEER_MAC);
        packet_ip4(&p, "198.18.0.77", OURS4, 1);
        packet_icmp(&p, 3, 3, 0);
        packet_bytes(&p, up.frame + 14, 28);
        packet_close(&p);
        box_give(b, &p);
        CHECK_EQ(b->seen[1].proto, 1); /* the client hears of it all the same */
        give_answer(b, &up, 0);
        p = refusal_of(&up);
        box_give(b, &p);
    }
    CHECK_EQ(box_stat(b, STAT_upstream_failures), 0);
    CHECK_EQ(box_stat(b, STAT_l4_end_refused), 0);
    box_down(b);
}

TEST(an_answer_by_udp_is_a_success_and_silence_is_neither)
{
    struct box *b = begin();
    uint16_t port = 4000;
    struct seen up = until_first(b, &port, true);
    struct packet p = refusal_of(&up);
    box_give(b, &p);
    up = until_first(b, &port, true);
    give_answer(b, &up, 0);
    up = until_first(b, &port, true);
    p = refusal_of(&up);
    box_give(b, &p);
    until_first(b, &port, true);
    box_wait_ms(b, 11000);
    CHECK_EQ(box_stat(b, STAT_upstream_failures), 2);
    CHECK_EQ(box_stat(b, STAT_upstream_ejected), 0);
    box_down(b);
}

TEST(a_client_whose_own_port_is_closed_says_nothing_of_the_endpoint)
{
    struct box *b = begin();
    uint16_t port = 4000;
    for (unsigned i = 0; i < 4; i++) {
        struct seen up = until_first(b, &port, true);
        give_answer(b, &up, 0);
        REQUIRE(b->n_seen == 2);
        struct packet p = refusal_of(&b->seen[1]);
        box_give(b, &p);
    }
    CHECK_EQ(box_stat(b, STAT_upstream_failures), 0);
    CHECK_EQ(box_stat(b, STAT_l4_end_refused), 0);
    box_down(b);
}

/* A SYN with these four bytes of options, from a port. */
static struct packet odd_syn(uint16_t port, const char *option)
{
    struct packet p = segment(CLIENT4, port, VIP4, PORT, SYN, "xxxx");
    p.bytes[p.l4_at + 12] = 6 << 4;
    memcpy(&p.bytes[p.l4_at + 20], option, 4);
    packet_close(&p);
    return p;
}

TEST(syns_that_a_sound_endpoint_drops_are_held_against_nobody)
{
    struct box *b = begin();
    for (uint16_t i = 0; i < 8; i++) {
        struct packet p = odd_syn((uint16_t)(4000 + i), "\x13\x04\x00\x00"); /* a signature */
        box_give(b, &p);
    }
    CHECK_EQ(box_stat(b, STAT_l4_opened_tcp), 8);
    struct packet p = odd_syn(4100, "\x02\x07\x00\x00"); /* an option that leads out */
    box_give(b, &p);
    CHECK_EQ(box_stat(b, STAT_tcp_drop_options), 1);
    p = segment(CLIENT4, 4101, VIP4, PORT, SYN, "xxxx");
    p.bytes[p.len - 1] ^= 1;
    box_give(b, &p);
    CHECK_EQ(box_stat(b, STAT_tcp_drop_cksum), 1);
    CHECK_EQ(box_stat(b, STAT_l4_opened_tcp), 8);
    box_wait_ms(b, 16000);
    CHECK_EQ(box_stat(b, STAT_l4_end_unanswered), 8);
    CHECK_EQ(box_stat(b, STAT_upstream_failures), 0);
    box_down(b);
}

UNIT_MAIN("l4/judged", T(who_resets_connections_is_ejected_and_one_that_is_answered_begins_anew),
          T(a_reset_of_what_was_open_says_nothing_of_the_endpoint),
          T(who_does_not_answer_connections_is_ejected),
          T(three_syns_without_an_answer_are_a_failure),
          T(a_port_of_udp_where_nobody_listens_is_a_failure_and_the_client_finds_another_endpoint),
          T(only_the_endpoint_itself_can_say_so_and_only_before_it_has_answered),
          T(an_answer_by_udp_is_a_success_and_silence_is_neither),
          T(a_client_whose_own_port_is_closed_says_nothing_of_the_endpoint),
          T(syns_that_a_sound_endpoint_drops_are_held_against_nobody))
