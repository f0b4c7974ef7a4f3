/* SPDX-License-Identifier: Apache-2.0 */
/* Which endpoint a flow gets, and how long it is kept where a policy says so. */
#include "box.h"

#include "base/container.h"

#define SYN 0x02
#define ACK 0x10

static const char *const one4[] = {BACK4, NULL};
static const char *const four4[] = {BACK4, BACK4B, "198.18.0.203", "198.18.0.204", NULL};

/* The bits of the endpoints (by their last byte, from 201) that 20 flows of a client get. */
static unsigned endpoints_of(struct box *b, const char *client)
{
    unsigned got = 0;
    for (uint16_t i = 0; i < 20; i++) {
        struct packet p = i % 2 == 0 ? datagram(client, (uint16_t)(4000 + i), VIP4, PORT, "?")
                                     : segment(client, (uint16_t)(4000 + i), VIP4, PORT, SYN, "");
        box_forget(b);
        box_give(b, &p);
        REQUIRE(b->n_seen == 1);
        got |= 1u << (b->seen[0].dst.bytes[15] - 201);
    }
    box_wait_ms(b, 16000); /* they are forgotten: a table of half-open ones would have cookies */
    return got;
}

TEST(flows_of_a_client_are_shared_unless_it_is_told_apart_by_its_address)
{
    struct box *b = box_up(7, four4);
    CHECK(__builtin_popcount(endpoints_of(b, CLIENT4)) > 1);
    b->hash_key = IMAGE_HASH_KEY_CLIENT;
    box_set_route(b, true);
    unsigned all = 0;
    for (unsigned i = 0; i < 20; i++) {
        char client[32];
        snprintf(client, sizeof(client), "198.18.0.%u", 20 + i);
        unsigned got = endpoints_of(b, client);
        CHECK_EQ(__builtin_popcount(got), 1);
        all |= got;
    }
    CHECK_EQ(all, 0xf);
    box_down(b);
}

TEST(what_requests_say_is_not_to_be_seen_in_packets_so_their_client_tells)
{
    struct box *b = box_up(7, four4);
    b->hash_key = IMAGE_HASH_KEY_CLIENT;
    box_set_route(b, true);
    unsigned by_client = endpoints_of(b, "198.18.0.30");
    b->hash_key = IMAGE_HASH_KEY_COOKIE;
    box_set_route(b, true);
    box_wait_ms(b, 16000); /* they are forgotten */
    CHECK_EQ(endpoints_of(b, "198.18.0.30"), by_client);
    box_down(b);
}

/* A flow that was answered, and answered again, is there after `kept_s` and gone a second later. */
static void check_kept(uint32_t idle_ms, bool is_udp, unsigned kept_s)
{
    struct box *b = box_up(7, one4);
    b->idle_ms = idle_ms;
    box_set_route(b, true);
    struct packet p = is_udp ? datagram(CLIENT4, 4000, VIP4, PORT, "?")
                             : segment(CLIENT4, 4000, VIP4, PORT, SYN, "");
    box_give(b, &p);
    REQUIRE(b->n_seen == 1);
    struct packet answer = answer_to(&b->seen[0], SYN | ACK, "");
    box_give(b, &answer);
    p = is_udp ? datagram(CLIENT4, 4000, VIP4, PORT, "?")
               : segment(CLIENT4, 4000, VIP4, PORT, ACK, "?");
    box_give(b, &p);
    box_wait_ms(b, (kept_s - 1) * 1000);
    CHECK_EQ(box_stat(b, STAT_l4_flows_now), 1);
    box_wait_ms(b, 2000);
    CHECK_EQ(box_stat(b, STAT_l4_flows_now), 0);
    CHECK_EQ(box_stat(b, STAT_l4_end_idle), 1);
    box_down(b);
}

TEST(a_flow_is_kept_as_long_as_its_policy_says)
{
    check_kept(0, true, 120);
    check_kept(3000, true, 3);
    check_kept(300000, true, 300);
    check_kept(5000, false, 5);
}

TEST(one_question_and_its_answer_are_kept_as_long_where_a_policy_says_so)
{
    struct box *b = box_up(7, one4);
    b->idle_ms = 40000;
    box_set_route(b, true);
    struct packet p = datagram(CLIENT4, 4000, VIP4, PORT, "?");
    box_give(b, &p);
    p = answer_to(&b->seen[0], 0, "!");
    box_give(b, &p);
    p = datagram(CLIENT4, 4001, VIP4, PORT, "?"); /* which nobody answers */
    box_give(b, &p);
    box_wait_ms(b, 39000);
    CHECK_EQ(box_stat(b, STAT_l4_end_unanswered), 1);
    CHECK_EQ(box_stat(b, STAT_l4_flows_now), 1);
    box_wait_ms(b, 2000);
    CHECK_EQ(box_stat(b, STAT_l4_flows_now), 0);
    box_down(b);
}

UNIT_MAIN("l4/choice", T(flows_of_a_client_are_shared_unless_it_is_told_apart_by_its_address),
          T(what_requests_say_is_not_to_be_seen_in_packets_so_their_client_tells),
          T(a_flow_is_kept_as_long_as_its_policy_says),
          T(one_question_and_its_answer_are_kept_as_long_where_a_policy_says_so))
