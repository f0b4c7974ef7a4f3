/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of client addresses in front of a worker, seen from the wire. */
#include "box.h"

#include "base/container.h"

#include <string.h>

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10
#define STRANGER4 "198.18.0.66"
#define STRANGER6 "2001:db8::66"
#define NOBODY_LISTENS 54

static const char *const one4[] = {BACK4, NULL};
static const char *const nobody[] = {NULL};

static struct image_range strangers[2];

/* Before all that the box has stands a list that denies the strangers. */
static void deny_strangers(struct box *b)
{
    strangers[0] = (struct image_range){addr_of(STRANGER4), addr_of(STRANGER4)};
    strangers[1] = (struct image_range){addr_of(STRANGER6), addr_of(STRANGER6)};
    b->lists = (struct image_access_spec){.name = "box", .denied = strangers, .n_denied = 2};
    box_set_route(b, true);
}

/* Nobody else may come in but the clients. */
static void allow_clients(struct box *b)
{
    static struct image_range clients[2];
    clients[0] = (struct image_range){addr_of(CLIENT4), addr_of(CLIENT4)};
    clients[1] = (struct image_range){addr_of(CLIENT6), addr_of(CLIENT6)};
    b->lists = (struct image_access_spec){.name = "ns/who", .allowed = clients, .n_allowed = 2};
    box_set_route(b, true);
}

static struct packet echo(const char *src, const char *dst)
{
    struct ip_addr a = addr_of(src);
    bool is_v4 = ip_addr_is_v4(&a);
    struct packet p = packet_eth(BOX_MAC, PEER_MAC);
    if (is_v4)
        packet_ip4(&p, src, dst, 1);
    else
        packet_ip6(&p, src, dst, 64);
    packet_icmp(&p, is_v4 ? 8 : 128, 0, 0x00010001);
    packet_close(&p);
    return p;
}

/* How many packets come of it. */
static unsigned count_of(struct box *b, struct packet p)
{
    box_forget(b);
    box_give(b, &p);
    return b->n_seen;
}

/* Is all that this client can send let in, or none of it? */
static void check_all(struct box *b, const char *client, const char *vip, unsigned wanted)
{
    CHECK_EQ(count_of(b, datagram(client, 4000, vip, PORT, "?")), wanted);
    CHECK_EQ(count_of(b, segment(client, 4000, vip, PORT, SYN, "")), wanted);
    CHECK_EQ(count_of(b, segment(client, 4001, vip, NOBODY_LISTENS, SYN, "")), wanted);
    CHECK_EQ(count_of(b, echo(client, vip)), wanted);
}

TEST(who_is_denied_gets_no_answer_of_any_kind_and_others_do)
{
    struct box *b = box_up(7, one4);
    deny_strangers(b);
    check_all(b, CLIENT4, VIP4, 1);
    check_all(b, CLIENT6, VIP6, 1);
    CHECK_EQ(box_stat(b, STAT_gate_drop_denied), 0);
    check_all(b, STRANGER4, VIP4, 0);
    check_all(b, STRANGER6, VIP6, 0);
    CHECK_EQ(box_stat(b, STAT_gate_drop_denied), 8);
    CHECK_EQ(box_stat(b, STAT_l4_drop_rate) + box_stat(b, STAT_net_echo_limited), 0);
    box_down(b);
}

TEST(where_some_are_allowed_others_are_not)
{
    struct box *b = box_up(7, one4);
    allow_clients(b);
    check_all(b, CLIENT4, VIP4, 1);
    check_all(b, CLIENT6, VIP6, 1);
    check_all(b, STRANGER4, VIP4, 0);
    check_all(b, STRANGER6, VIP6, 0);
    CHECK_EQ(box_stat(b, STAT_gate_drop_not_allowed), 8);
    box_down(b);
}

TEST(what_is_not_for_a_vip_is_not_asked_about)
{
    struct box *b = box_up(7, one4);
    deny_strangers(b);
    CHECK_EQ(count_of(b, echo(STRANGER4, OURS4)), 1);
    CHECK_EQ(count_of(b, echo(STRANGER6, OURS6)), 1);
    struct packet p = packet_eth(BOX_MAC, PEER_MAC);
    packet_ip6(&p, STRANGER6, VIP6, 255);
    packet_nd(&p, 135, 0, VIP6, PEER_MAC);
    packet_close(&p);
    uint64_t before = box_stat(b, STAT_net_rx_nd);
    box_give(b, &p);
    CHECK_EQ(box_stat(b, STAT_net_rx_nd), before + 1);
    CHECK_EQ(box_stat(b, STAT_gate_drop_denied), 0);
    box_down(b);
}

/* "Port unreachable" from a router about the last packet that went to a client. */
static struct packet error_from(const char *router, const struct seen *down)
{
    struct packet error = packet_eth(BOX_MAC, PEER_MAC);
    packet_ip4(&error, router, VIP4, 1);
    packet_icmp(&error, 3, 3, 0);
    packet_bytes(&error, down->frame + 14, 28);
    packet_close(&error);
    return error;
}

TEST(a_routers_error_comes_in_unless_the_router_is_denied)
{
    struct box *b = box_up(7, one4);
    allow_clients(b);
    REQUIRE(count_of(b, datagram(CLIENT4, 4000, VIP4, PORT, "?")) == 1);
    struct packet answer = answer_to(&b->seen[0], 0, "!");
    REQUIRE(count_of(b, answer) == 1);
    struct seen down = b->seen[0];
    count_of(b, error_from("198.18.0.99", &down));
    CHECK_EQ(box_stat(b, STAT_l4_icmp_passed), 1);
    deny_strangers(b);
    count_of(b, error_from(STRANGER4, &down));
    CHECK_EQ(box_stat(b, STAT_l4_icmp_passed), 1);
    CHECK_EQ(box_stat(b, STAT_gate_drop_denied), 1);
    box_down(b);
}

TEST(pieces_of_a_packet_are_judged_when_they_come_or_when_its_port_is_known)
{
    struct box *b = box_up(7, one4);
    deny_strangers(b);
    char text[64];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    for (unsigned only_ports = 0; only_ports < 2; only_ports++) {
        b->is_gate_of_ports_only = only_ports != 0;
        box_set_route(b, true);
        uint64_t dropped = box_stat(b, STAT_gate_drop_denied);
        uint64_t whole_ones = box_stat(b, STAT_net_reassembled);
        struct packet whole = datagram(STRANGER4, 4000, VIP4, PORT, text);
        struct packet first = packet_fragment(&whole, 7 + only_ports, 0, 32, true),
                      last = packet_fragment(&whole, 7 + only_ports, 32, 71, false);
        CHECK_EQ(count_of(b, first) + count_of(b, last), 0);
        CHECK_EQ(box_stat(b, STAT_gate_drop_denied) - dropped, only_ports ? 1 : 2);
        CHECK_EQ(box_stat(b, STAT_net_reassembled) - whole_ones, only_ports);
        whole = datagram(CLIENT4, 4000, VIP4, PORT, text);
        first = packet_fragment(&whole, 9 + only_ports, 0, 32, true);
        last = packet_fragment(&whole, 9 + only_ports, 32, 71, false);
        CHECK_EQ(count_of(b, first) + count_of(b, last), 1);
    }
    box_down(b);
}

TEST(a_listeners_list_does_not_stand_before_the_rest_of_its_address)
{
    struct box *b = box_up(7, one4);
    b->is_gate_of_ports_only = true;
    deny_strangers(b);
    CHECK_EQ(count_of(b, datagram(STRANGER4, 4000, VIP4, PORT, "?")), 0);
    CHECK_EQ(count_of(b, segment(STRANGER4, 4000, VIP4, PORT, SYN, "")), 0);
    CHECK_EQ(count_of(b, echo(STRANGER4, VIP4)), 1);
    box_down(b);
}

TEST(flows_of_a_client_that_is_denied_end_and_those_of_others_stay)
{
    struct box *b = box_up(7, one4);
    REQUIRE(count_of(b, datagram(STRANGER4, 4000, VIP4, PORT, "?")) == 1);
    struct seen up = b->seen[0];
    REQUIRE(count_of(b, segment(STRANGER4, 4000, VIP4, PORT, SYN, "")) == 1);
    REQUIRE(count_of(b, datagram(CLIENT4, 4000, VIP4, PORT, "?")) == 1);
    struct seen other = b->seen[0];
    CHECK_EQ(box_stat(b, STAT_l4_flows_now), 3);
    deny_strangers(b);
    box_wait_ms(b, 10);
    CHECK_EQ(box_stat(b, STAT_l4_flows_now), 1);
    CHECK_EQ(box_stat(b, STAT_l4_end_denied), 2);
    CHECK_EQ(box_stat(b, STAT_gate_cut_flows), 2);
    CHECK_EQ(count_of(b, answer_to(&other, 0, "!")), 1);
    count_of(b, answer_to(&up, 0, "!"));
    for (unsigned i = 0; i < b->n_seen; i++) {
        struct ip_addr stranger = addr_of(STRANGER4);
        CHECK(!ip_addr_eq(&b->seen[i].dst, &stranger));
    }
    box_down(b);
}

TEST(a_connection_of_a_client_that_is_denied_is_reset)
{
    struct box *b = box_up(7, nobody); /* without an endpoint they are the proxy's */
    REQUIRE(count_of(b, segment(STRANGER4, 4000, VIP4, PORT, SYN, "")) == 1);
    CHECK_EQ(b->seen[0].tcp_flags, SYN | ACK);
    REQUIRE(count_of(b, segment(CLIENT4, 4000, VIP4, PORT, SYN, "")) == 1);
    box_forget(b);
    deny_strangers(b);
    box_wait_ms(b, 10);
    REQUIRE(b->n_seen == 1);
    struct ip_addr stranger = addr_of(STRANGER4);
    CHECK((b->seen[0].tcp_flags & RST) != 0 && ip_addr_eq(&b->seen[0].dst, &stranger));
    CHECK_EQ(box_stat(b, STAT_gate_cut_conns), 1);
    CHECK_EQ(count_of(b, segment(STRANGER4, 4000, VIP4, PORT, ACK, "")), 0);
    b->lists.name = NULL;
    box_set_route(b, true);
    CHECK_EQ(count_of(b, segment(STRANGER4, 4001, VIP4, PORT, SYN, "")), 1);
    box_down(b);
}

TEST(no_more_flows_are_open_than_may_be_and_one_that_ends_makes_room)
{
    struct box *b = box_up(7, one4);
    b->limit = (struct image_conn_limit_spec){"ns/few", 3, 2};
    box_set_route(b, true);
    CHECK_EQ(count_of(b, datagram(CLIENT4, 4000, VIP4, PORT, "?")), 1);
    CHECK_EQ(count_of(b, segment(CLIENT4, 4000, VIP4, PORT, SYN, "")), 1);
    CHECK_EQ(count_of(b, datagram(CLIENT4, 4000, VIP4, PORT, "more")), 1); /* of a flow */
    CHECK_EQ(count_of(b, datagram(CLIENT4, 4001, VIP4, PORT, "?")), 0);
    CHECK_EQ(box_stat(b, STAT_l4_drop_limit), 1);
    CHECK_EQ(box_stat(b, STAT_core_conns_refused_client), 1);
    REQUIRE(count_of(b, segment(CLIENT4, 4001, VIP4, PORT, SYN, "")) == 1);
    CHECK((b->seen[0].tcp_flags & RST) != 0 && b->seen[0].src_port == PORT);
    CHECK_EQ(box_stat(b, STAT_tcp_drop_not_admitted), 1);
    CHECK_EQ(box_stat(b, STAT_core_conns_refused_client), 2);
    CHECK_EQ(count_of(b, datagram(STRANGER4, 4000, VIP4, PORT, "?")), 1);
    CHECK_EQ(count_of(b, datagram(CLIENT6, 4000, VIP6, PORT, "?")), 1); /* the third at the port */
    CHECK_EQ(count_of(b, datagram("198.18.0.67", 4000, VIP4, PORT, "?")), 0);
    CHECK_EQ(box_stat(b, STAT_core_conns_refused), 1);
    box_wait_ms(b, 16000); /* none was answered: they are forgotten */
    CHECK_EQ(box_stat(b, STAT_l4_flows_now), 0);
    CHECK_EQ(count_of(b, datagram(CLIENT4, 4001, VIP4, PORT, "?")), 1);
    b->limit.conns_max = 1;
    b->limit.client_conns_max = 0;
    box_set_route(b, true); /* what is open stays, and counts */
    CHECK_EQ(count_of(b, datagram(CLIENT4, 4001, VIP4, PORT, "?")), 1);
    CHECK_EQ(count_of(b, datagram(STRANGER4, 4000, VIP4, PORT, "?")), 0);
    box_down(b);
}

TEST(a_connection_counts_until_its_endpoint_ends_it)
{
    struct box *b = box_up(7, one4);
    b->limit = (struct image_conn_limit_spec){"ns/one", 1, 0};
    box_set_route(b, true);
    REQUIRE(count_of(b, segment(CLIENT4, 4000, VIP4, PORT, SYN, "")) == 1);
    struct seen up = b->seen[0];
    count_of(b, answer_to(&up, SYN | ACK, ""));
    count_of(b, segment(CLIENT4, 4000, VIP4, PORT, RST, "")); /* maybe it goes on */
    REQUIRE(count_of(b, segment(CLIENT4, 4001, VIP4, PORT, SYN, "")) == 1);
    CHECK((b->seen[0].tcp_flags & RST) != 0);
    count_of(b, answer_to(&up, RST, ""));
    REQUIRE(count_of(b, segment(CLIENT4, 4001, VIP4, PORT, SYN, "")) == 1);
    up = b->seen[0];
    CHECK_EQ(up.tcp_flags, SYN);
    count_of(b, answer_to(&up, SYN | ACK, ""));
    count_of(b, segment(CLIENT4, 4001, VIP4, PORT, FIN | ACK, ""));
    REQUIRE(count_of(b, segment(CLIENT4, 4002, VIP4, PORT, SYN, "")) == 1);
    CHECK((b->seen[0].tcp_flags & RST) != 0);
    count_of(b, answer_to(&up, FIN | ACK, ""));
    REQUIRE(count_of(b, segment(CLIENT4, 4002, VIP4, PORT, SYN, "")) == 1);
    CHECK_EQ(b->seen[0].tcp_flags, SYN);
    box_down(b);
}

UNIT_MAIN("gate", T(a_connection_counts_until_its_endpoint_ends_it),
          T(no_more_flows_are_open_than_may_be_and_one_that_ends_makes_room),
          T(who_is_denied_gets_no_answer_of_any_kind_and_others_do),
          T(where_some_are_allowed_others_are_not), T(what_is_not_for_a_vip_is_not_asked_about),
          T(a_routers_error_comes_in_unless_the_router_is_denied),
          T(pieces_of_a_packet_are_judged_when_they_come_or_when_its_port_is_known),
          T(a_listeners_list_does_not_stand_before_the_rest_of_its_address),
          T(flows_of_a_client_that_is_denied_end_and_those_of_others_stay),
          T(a_connection_of_a_client_that_is_denied_is_reset))
