/* SPDX-License-Identifier: Apache-2.0 */
/* Queries of DNSRoutes: each by itself, and what of them goes nowhere. */
#include "box.h"

#include "dns/dns.h"

#include <string.h>

#define HEADER_BYTES 8u /* of UDP */

static const char *const one4[] = {BACK4, NULL};
static const char *const nobody[] = {NULL};

struct bytes {
    uint8_t at[64];
    unsigned len;
};

/* A query for "x.LABEL.example". */
static struct bytes query(uint16_t id, char label)
{
    struct bytes b = {.at = {(uint8_t)(id >> 8), (uint8_t)id, 1, 0, 0, 1}, .len = 12};
    const char name[] = {1, 'x', 1, label, 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0, 0, 1, 0, 1};
    memcpy(b.at + b.len, name, sizeof(name));
    b.len += sizeof(name);
    return b;
}

static struct box *up(const char *const *endpoints)
{
    struct box *b = box_up(3, endpoints);
    b->has_dns = true;
    box_set_route(b, true);
    return b;
}

/* The client asks from this port; what the box sent then is in b->seen. */
static void ask(struct box *b, uint16_t port, const struct bytes *q)
{
    struct packet p = message(CLIENT4, port, VIP4, DNS_PORT, q->at, q->len);
    box_forget(b);
    box_give(b, &p);
}

/* The endpoint says this to what was seen. */
static void say(struct box *b, const struct seen *s, const struct bytes *what)
{
    char from[IP_ADDR_TEXT_MAX], to[IP_ADDR_TEXT_MAX];
    ip_addr_format(&s->dst, from);
    ip_addr_format(&s->src, to);
    struct packet p = message(from, s->dst_port, to, s->src_port, what->at, what->len);
    box_forget(b);
    box_give(b, &p);
}

/* A query as its answer. */
static struct bytes answer(struct bytes q)
{
    q.at[2] |= 0x80;
    return q;
}

/* Is it for the client, at that port, from the VIP, and these bytes? */
static void check_told(const struct box *b, uint16_t port, const struct bytes *what)
{
    struct ip_addr client = addr_of(CLIENT4), vip = addr_of(VIP4);
    REQUIRE(b->n_seen == 1);
    const struct seen *s = &b->seen[0];
    CHECK(ip_addr_eq(&s->dst, &client) && ip_addr_eq(&s->src, &vip));
    CHECK(s->is_cksum_good);
    CHECK_EQ(s->hop_limit, 63);
    CHECK_EQ(s->src_port, DNS_PORT);
    CHECK_EQ(s->dst_port, port);
    REQUIRE(s->upper_bytes == HEADER_BYTES + what->len);
    CHECK(memcmp(s->upper + HEADER_BYTES, what->at, what->len) == 0);
}

TEST(queries_of_one_socket_are_flows_of_their_own_and_end_with_their_answers)
{
    struct box *b = up(one4);
    struct bytes first = query(1, 'a'), second = query(2, 'a');
    ask(b, 4000, &first);
    REQUIRE(b->n_seen == 1);
    struct seen one = b->seen[0];
    ask(b, 4000, &second);
    REQUIRE(b->n_seen == 1);
    struct seen two = b->seen[0];
    CHECK(one.src_port != two.src_port && one.dst_port == 5353);
    CHECK_EQ(one.upper_bytes, HEADER_BYTES + first.len);
    CHECK_EQ(box_stat(b, STAT_l4_flows_now), 2);
    struct bytes told = answer(second);
    say(b, &two, &told);
    check_told(b, 4000, &told);
    told = answer(first);
    say(b, &one, &told);
    check_told(b, 4000, &told);
    CHECK_EQ(box_stat(b, STAT_l4_flows_now), 0);
    CHECK_EQ(box_stat(b, STAT_l4_end_answered), 2);
    say(b, &one, &told); /* again: nobody asked */
    CHECK_EQ(box_stat(b, STAT_l4_end_answered), 2);
    const struct stats_connections *c = box_counts("ns/c-dns");
    REQUIRE(c != NULL);
    CHECK_EQ(c->begun, 2);
    CHECK_EQ(c->ended[STATS_ROUTE_END_complete], 2);
    box_down(b);
}

TEST(an_answer_to_another_query_does_not_get_through_and_ends_nothing)
{
    struct box *b = up(one4);
    struct bytes q = query(7, 'a');
    ask(b, 4000, &q);
    REQUIRE(b->n_seen == 1);
    struct seen s = b->seen[0];
    struct bytes wrong = answer(query(8, 'a')), no_answer = q, cut = {.at = {0, 7, 0x80}, .len = 4};
    say(b, &s, &wrong);
    CHECK_EQ(b->n_seen, 0);
    say(b, &s, &no_answer);
    CHECK_EQ(b->n_seen, 0);
    say(b, &s, &cut);
    CHECK_EQ(b->n_seen, 0);
    CHECK_EQ(box_stat(b, STAT_l4_drop_dns_stray), 3);
    struct bytes right = answer(q);
    say(b, &s, &right);
    check_told(b, 4000, &right);
    box_down(b);
}

TEST(answers_get_through_whatever_their_bytes_and_checksums_are)
{
    struct box *b = up(one4);
    for (uint16_t id = 0; id < 1000; id++) {
        struct bytes q = query(id, 'a');
        ask(b, 4000, &q);
        REQUIRE(b->n_seen == 1);
        struct seen s = b->seen[0];
        struct bytes told = answer(q);
        say(b, &s, &told);
        check_told(b, 4000, &told);
    }
    CHECK_EQ(box_stat(b, STAT_l4_end_answered), 1000);
    box_down(b);
}

TEST(a_query_that_nobody_answers_is_forgotten)
{
    struct box *b = up(one4);
    struct bytes q = query(7, 'a');
    ask(b, 4000, &q);
    box_wait_ms(b, 11000);
    CHECK_EQ(box_stat(b, STAT_l4_flows_now), 0);
    CHECK_EQ(box_stat(b, STAT_l4_end_unanswered), 1);
    box_down(b);
}

/* The rcode of what the box answered itself. */
static int rcode(const struct box *b)
{
    REQUIRE(b->n_seen == 1);
    CHECK(b->seen[0].is_cksum_good && (b->seen[0].upper[HEADER_BYTES + 2] & 0x80) != 0);
    return b->seen[0].upper[HEADER_BYTES + 3] & 0xf;
}

TEST(what_leads_nowhere_is_answered_by_the_box_without_a_flow)
{
    struct box *b = up(one4);
    struct bytes q = query(7, 'b');
    ask(b, 4000, &q);
    CHECK_EQ(rcode(b), DNS_RCODE_REFUSED);
    q = query(7, 'c');
    ask(b, 4000, &q);
    CHECK_EQ(rcode(b), DNS_RCODE_SERVFAIL);
    box_set_endpoints(b, nobody);
    q = query(7, 'a');
    ask(b, 4000, &q);
    CHECK_EQ(rcode(b), DNS_RCODE_SERVFAIL);
    q.at[12] = 0xc0;
    ask(b, 4000, &q);
    CHECK_EQ(rcode(b), DNS_RCODE_FORMERR);
    q.len = 11;
    ask(b, 4000, &q);
    CHECK_EQ(b->n_seen, 0);
    CHECK_EQ(box_stat(b, STAT_l4_answered), 4);
    CHECK_EQ(box_stat(b, STAT_l4_drop_dns_unanswered), 1);
    CHECK_EQ(box_stat(b, STAT_l4_opened_udp), 0);
    box_down(b);
}

TEST(an_endpoint_that_is_not_there_ends_its_query)
{
    struct box *b = up(one4);
    struct bytes q = query(7, 'a');
    ask(b, 4000, &q);
    REQUIRE(b->n_seen == 1);
    struct packet p = refusal_of(&b->seen[0]);
    box_give(b, &p);
    CHECK_EQ(box_stat(b, STAT_l4_end_refused), 1);
    CHECK_EQ(box_stat(b, STAT_l4_flows_now), 0);
    box_down(b);
}

UNIT_MAIN("l4/dns", T(queries_of_one_socket_are_flows_of_their_own_and_end_with_their_answers),
          T(an_answer_to_another_query_does_not_get_through_and_ends_nothing),
          T(answers_get_through_whatever_their_bytes_and_checksums_are),
          T(a_query_that_nobody_answers_is_forgotten),
          T(what_leads_nowhere_is_answered_by_the_box_without_a_flow),
          T(an_endpoint_that_is_not_there_ends_its_query))
