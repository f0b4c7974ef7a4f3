/* SPDX-License-Identifier: Apache-2.0 */
/* Segments of no connection here, while another box is drained, seen from the wire. */
#include "box.h"

#include "base/container.h"

#include <rte_ip.h>
#include <string.h>

#define SYN 0x02
#define RST 0x04
#define ACK 0x10
#define OTHER4 "198.18.0.2" /* the box that is drained */

static const char *const one4[] = {BACK4, NULL};

/* A box that knows of another one that is drained, or of itself. */
static struct box *up(const char *drained, enum image_forwarding forwarding)
{
    struct box *b = box_up_by(forwarding, one4);
    b->drained = drained;
    box_set_route(b, true);
    return b;
}

static void give(struct box *b, const char *src, const char *dst, uint16_t port, uint8_t flags)
{
    struct packet p = segment(src, 4000, dst, port, flags, "in the middle");
    box_forget(b);
    box_give(b, &p);
}

static bool is_between(const struct seen *s, const char *src, const char *dst)
{
    struct ip_addr a = addr_of(src), b = addr_of(dst);
    return ip_addr_eq(&s->src, &a) && ip_addr_eq(&s->dst, &b);
}

TEST(what_is_of_no_connection_here_goes_to_the_box_that_is_drained)
{
    static const struct {
        const char *client;
        const char *vip;
        uint8_t proto;
        unsigned hops_at;
    } rows[] = {{CLIENT4, VIP4, 4, 8}, {CLIENT6, VIP6, 41, 7}};
    struct box *b = up(OTHER4, IMAGE_FORWARDING_NAT);
    for (unsigned i = 0; i < array_len(rows); i++) {
        struct packet p = segment(rows[i].client, 4000, rows[i].vip, PORT, ACK, "in the middle");
        box_forget(b);
        box_give(b, &p);
        REQUIRE(b->n_seen == 1);
        const struct seen *s = &b->seen[0];
        CHECK(is_between(s, OURS4, OTHER4));
        CHECK_EQ(s->proto, rows[i].proto);
        CHECK_EQ(s->upper_bytes, p.len - p.ip_at);
        CHECK_EQ(s->upper[rows[i].hops_at], p.bytes[p.ip_at + rows[i].hops_at] - 1);
        CHECK(rows[i].proto != 4 || rte_raw_cksum(s->upper, 20) == 0xffff);
        CHECK(memcmp(s->upper + p.l4_at - p.ip_at, &p.bytes[p.l4_at], p.len - p.l4_at) == 0);
    }
    give(b, CLIENT4, VIP4, PORT, RST); /* the end of one, too */
    CHECK_EQ(b->n_seen, 1);
    CHECK_EQ(box_stat(b, STAT_l4_handed_over), 3);
    CHECK_EQ(box_stat(b, STAT_l4_flows_now), 0);
    box_down(b);
}

TEST(what_begins_here_stays_here)
{
    struct box *b = up(OTHER4, IMAGE_FORWARDING_NAT);
    give(b, CLIENT4, VIP4, PORT, SYN);
    REQUIRE(b->n_seen == 1);
    CHECK(is_between(&b->seen[0], OURS4, BACK4));
    give(b, CLIENT4, VIP4, PORT, ACK); /* it is not answered yet */
    REQUIRE(b->n_seen == 1);
    CHECK(is_between(&b->seen[0], OURS4, BACK4));
    struct packet question = datagram(CLIENT4, 4000, VIP4, PORT, "?");
    box_forget(b);
    box_give(b, &question);
    REQUIRE(b->n_seen == 1);
    CHECK(is_between(&b->seen[0], OURS4, BACK4));
    CHECK_EQ(box_stat(b, STAT_l4_handed_over), 0);
    box_down(b);
}

TEST(connections_of_the_proxy_stay_here)
{
    struct box *b = up(OTHER4, IMAGE_FORWARDING_PROXY);
    give(b, CLIENT4, VIP4, PORT, SYN);
    REQUIRE(b->n_seen == 1);
    CHECK_EQ(b->seen[0].tcp_flags, SYN | ACK);
    give(b, CLIENT4, VIP4, PORT, ACK);
    CHECK_EQ(box_stat(b, STAT_l4_handed_over), 0);
    box_down(b);
}

TEST(what_is_carried_goes_on_from_here)
{
    struct box *b = up(OTHER4, IMAGE_FORWARDING_IPIP);
    give(b, CLIENT4, VIP4, PORT, ACK);
    REQUIRE(b->n_seen == 1);
    CHECK(is_between(&b->seen[0], OURS4, BACK4));
    CHECK_EQ(box_stat(b, STAT_l4_handed_over), 0);
    box_down(b);
}

TEST(what_nobody_listens_for_is_reset_as_ever)
{
    struct box *b = up(OTHER4, IMAGE_FORWARDING_NAT);
    give(b, CLIENT4, VIP4, PORT + 1, ACK);
    REQUIRE(b->n_seen == 1);
    CHECK((b->seen[0].tcp_flags & RST) != 0);
    give(b, BACK4, OURS4, PORT, ACK); /* as an endpoint's of a flow that is forgotten */
    REQUIRE(b->n_seen == 1);
    CHECK((b->seen[0].tcp_flags & RST) != 0);
    CHECK_EQ(box_stat(b, STAT_l4_handed_over), 0);
    box_down(b);
}

TEST(the_drained_box_itself_hands_nothing_over)
{
    struct box *b = up(OURS4, IMAGE_FORWARDING_NAT);
    give(b, CLIENT4, VIP4, PORT, ACK);
    REQUIRE(b->n_seen == 1);
    CHECK((b->seen[0].tcp_flags & RST) != 0);
    CHECK_EQ(box_stat(b, STAT_l4_handed_over), 0);
    box_down(b);
}

TEST(the_drained_box_goes_on_with_its_flows)
{
    struct box *b = up(OURS4, IMAGE_FORWARDING_NAT);
    give(b, CLIENT4, VIP4, PORT, SYN);
    REQUIRE(b->n_seen == 1);
    struct seen first = b->seen[0];
    struct packet answer = answer_to(&first, SYN | ACK, "");
    box_give(b, &answer);
    struct packet inner = segment(CLIENT4, 4000, VIP4, PORT, ACK, "handed over");
    struct packet p = packet_eth(BOX_MAC, PEER_MAC);
    packet_ip4(&p, OTHER4, OURS4, 4);
    packet_bytes(&p, &inner.bytes[inner.ip_at], inner.len - inner.ip_at);
    packet_close(&p);
    box_forget(b);
    box_give(b, &p);
    REQUIRE(b->n_seen == 1);
    CHECK(is_between(&b->seen[0], OURS4, BACK4) && b->seen[0].is_cksum_good);
    CHECK_EQ(b->seen[0].src_port, first.src_port);
    box_down(b);
}

TEST(the_sender_of_what_is_too_long_with_another_header_is_told)
{
    struct box *b = up(OTHER4, IMAGE_FORWARDING_NAT);
    char text[1460];
    memset(text, 'y', sizeof(text));
    text[sizeof(text) - 1] = 0;
    struct packet p = segment(CLIENT4, 4000, VIP4, PORT, ACK, text);
    box_give(b, &p);
    REQUIRE(b->n_seen == 1);
    const struct seen *s = &b->seen[0];
    CHECK(is_between(s, VIP4, CLIENT4));
    CHECK(s->proto == 1 && s->upper[0] == 3 && s->upper[1] == 4);
    CHECK_EQ(s->upper[6] << 8 | s->upper[7], 1480);
    CHECK(memcmp(s->upper + 28, &p.bytes[p.l4_at], 8) == 0); /* the port's and the number's bytes */
    CHECK_EQ(box_stat(b, STAT_l4_drop_too_big), 1);
    box_down(b);
}

UNIT_MAIN("l4/handover", T(what_is_of_no_connection_here_goes_to_the_box_that_is_drained),
          T(what_begins_here_stays_here), T(connections_of_the_proxy_stay_here),
          T(what_is_carried_goes_on_from_here), T(what_nobody_listens_for_is_reset_as_ever),
          T(the_drained_box_itself_hands_nothing_over), T(the_drained_box_goes_on_with_its_flows),
          T(the_sender_of_what_is_too_long_with_another_header_is_told))
