/* SPDX-License-Identifier: Apache-2.0 */
/* What can be seen of flows from outside: counts of their routes, and a dump. */
#include "box.h"

#include "base/container.h"
#include "obs/obs_limits.h"

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10

static const char *const one4[] = {BACK4, NULL};
static const char *const nobody[] = {NULL};

static void client_says(struct box *b, uint16_t port, uint8_t flags, const char *text)
{
    struct packet p = segment(CLIENT4, port, VIP4, PORT, flags, text);
    box_give(b, &p);
}

/* A connection that is open; what its SYN became. */
static struct seen open_one(struct box *b, uint16_t port)
{
    struct packet p = segment(CLIENT4, port, VIP4, PORT, SYN, "");
    box_forget(b);
    box_give(b, &p);
    REQUIRE(b->n_seen == 1);
    struct seen up = b->seen[0];
    p = answer_to(&up, SYN | ACK, "");
    box_give(b, &p);
    client_says(b, port, ACK, "");
    return up;
}

TEST(a_route_hears_of_what_moved_within_seconds_and_of_ends_at_once)
{
    struct box *b = box_up(7, one4);
    struct seen up = open_one(b, 4000);
    client_says(b, 4000, ACK, "hello");
    const struct stats_connections *c = box_counts("ns/a-tcp");
    REQUIRE(c != NULL);
    CHECK_EQ(c->begun, 1);
    box_wait_ms(b, 11000);
    CHECK_EQ(c->up_packets, 3);
    CHECK_EQ(c->up_bytes, 2 * 40 + 45);
    CHECK_EQ(c->down_packets, 1);
    CHECK_EQ(c->down_bytes, 40);
    box_wait_ms(b, 100000); /* a long silence: its timer is one of hours */
    client_says(b, 4000, ACK, "hello again");
    box_wait_ms(b, 11000);
    CHECK_EQ(c->up_bytes, 2 * 40 + 45 + 51);
    struct packet p = answer_to(&up, RST, "");
    box_give(b, &p);
    CHECK_EQ(c->ended[STATS_ROUTE_END_backend], 1);
    CHECK_EQ(c->down_packets, 2);
    box_down(b);
}

TEST(what_does_not_get_through_does_not_keep_the_rest_from_being_told)
{
    struct box *b = box_up(7, one4);
    open_one(b, 4000);
    const struct stats_connections *c = box_counts("ns/a-tcp");
    box_wait_ms(b, 19500); /* its timer comes in half a second, and finds nothing */
    struct packet p = segment(CLIENT4, 4000, VIP4, PORT, ACK, "");
    p.bytes[p.ip_at + 8] = 1; /* its last hop */
    packet_close(&p);
    box_give(b, &p);
    CHECK_EQ(box_stat(b, STAT_l4_drop_hop_limit), 1);
    box_wait_ms(b, 1000);
    client_says(b, 4000, ACK, "x");
    box_wait_ms(b, 11000);
    CHECK_EQ(c->up_bytes, 2 * 40 + 41);
    box_down(b);
}

TEST(a_connection_ends_as_whoever_ended_it_did)
{
    struct box *b = box_up(7, one4);
    struct seen up = open_one(b, 4000);
    client_says(b, 4000, FIN | ACK, "");
    struct packet p = answer_to(&up, FIN | ACK, "");
    box_give(b, &p);
    open_one(b, 4001);
    client_says(b, 4001, RST, "");
    p = segment(CLIENT4, 4002, VIP4, PORT, SYN, "");
    box_forget(b);
    box_give(b, &p);
    p = answer_to(&b->seen[0], RST | ACK, "");
    box_give(b, &p);
    p = segment(CLIENT4, 4003, VIP4, PORT, SYN, "");
    box_give(b, &p);
    const struct stats_connections *c = box_counts("ns/a-tcp");
    CHECK_EQ(c->begun, 4);
    CHECK_EQ(c->ended[STATS_ROUTE_END_complete], 1);
    CHECK_EQ(c->ended[STATS_ROUTE_END_client], 1);
    CHECK_EQ(c->ended[STATS_ROUTE_END_unreached], 1);
    box_wait_ms(b, 16000);
    CHECK_EQ(c->ended[STATS_ROUTE_END_unreached], 2);
    box_down(b);
}

static void two_a_second(struct l4_config *config)
{
    config->opens_per_s = 2;
}

TEST(what_begins_no_flow_is_counted_with_its_route)
{
    struct box *b = box_up_with(7, one4, two_a_second);
    for (uint16_t i = 0; i < 5; i++) {
        struct packet p = datagram(CLIENT4, (uint16_t)(4000 + i), VIP4, PORT, "?");
        box_give(b, &p);
    }
    const struct stats_connections *c = box_counts("ns/b-udp");
    CHECK_EQ(c->begun, 5);
    CHECK_EQ(c->ended[STATS_ROUTE_END_refused], 3);
    box_wait_ms(b, 2000);
    box_set_endpoints(b, nobody);
    struct packet p = datagram(CLIENT4, 4100, VIP4, PORT, "?");
    box_give(b, &p);
    CHECK_EQ(c->ended[STATS_ROUTE_END_unreached], 1);
    box_wait_ms(b, 11000);
    CHECK_EQ(c->ended[STATS_ROUTE_END_idle], 2);
    box_down(b);
}

TEST(a_dump_tells_each_flow_with_its_ends_and_what_moved)
{
    struct observe_forwarded told[4];
    struct box *b = box_up(7, one4);
    struct seen up = open_one(b, 4000);
    client_says(b, 4000, ACK, "hello");
    struct packet p = datagram(CLIENT4, 4001, VIP4, PORT, "?");
    box_give(b, &p);
    box_wait_ms(b, 1500);
    REQUIRE(box_flows(b, 0, 0, told, array_len(told)) == 2);
    struct ip_addr client = addr_of(CLIENT4), vip = addr_of(VIP4), back = addr_of(BACK4),
                   ours = addr_of(OURS4);
    const struct observe_forwarded *f = &told[told[0].client_port == 4000 ? 0 : 1];
    CHECK(ip_addr_eq(&f->client, &client) && ip_addr_eq(&f->vip, &vip));
    CHECK(ip_addr_eq(&f->source, &ours) && ip_addr_eq(&f->endpoint, &back));
    CHECK_EQ(f->client_port, 4000);
    CHECK_EQ(f->vip_port, PORT);
    CHECK_EQ(f->source_port, up.src_port);
    CHECK_EQ(f->endpoint_port, 5353);
    CHECK_EQ(f->state, FLOW_FORWARD_OPEN);
    CHECK_EQ(f->protocol, 6);
    CHECK_EQ(f->forwarding, IMAGE_FORWARDING_NAT);
    CHECK_EQ(f->up_packets, 3);
    CHECK_EQ(f->up_bytes, 125);
    CHECK_EQ(f->down_packets, 1);
    CHECK(f->age_ms >= 1500 && f->idle_ms >= 1500 && f->idle_ms <= f->age_ms);
    CHECK_EQ(f->ends_ms, f->kept_ms - f->idle_ms);
    CHECK_EQ(box_flows(b, 1u << FLOW_FORWARD_OPENING, 0, told, array_len(told)), 1);
    CHECK_EQ(told[0].protocol, 17);
    CHECK_EQ(box_flows(b, 0, 4000, told, array_len(told)), 1);
    CHECK_EQ(box_flows(b, 0, 5353, told, array_len(told)), 2); /* as their endpoint has it */
    CHECK_EQ(box_flows(b, 1u << FLOW_ESTABLISHED, 0, told, array_len(told)), 0);
    box_down(b);
}

TEST(many_flows_are_told_a_few_a_round)
{
    struct observe_forwarded told[1];
    struct box *b = box_up(7, one4);
    for (uint16_t i = 0; i < 3 * OBS_FLOWS_PER_ROUND_MAX; i++) {
        struct packet p = datagram(CLIENT4, (uint16_t)(4000 + i), VIP4, PORT, "?");
        box_give(b, &p);
    }
    uint64_t polls = box_stat(b, STAT_core_polls);
    CHECK_EQ(box_flows(b, 0, 0, told, 1), 3 * OBS_FLOWS_PER_ROUND_MAX);
    CHECK(box_stat(b, STAT_core_polls) - polls >= 3);
    box_down(b);
}

UNIT_MAIN("l4/seen", T(a_route_hears_of_what_moved_within_seconds_and_of_ends_at_once),
          T(what_does_not_get_through_does_not_keep_the_rest_from_being_told),
          T(a_connection_ends_as_whoever_ended_it_did),
          T(what_begins_no_flow_is_counted_with_its_route),
          T(a_dump_tells_each_flow_with_its_ends_and_what_moved),
          T(many_flows_are_told_a_few_a_round))
