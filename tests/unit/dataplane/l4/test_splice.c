/* SPDX-License-Identifier: Apache-2.0 */
/* Connections by NAT that begin with a cookie, seen from the wire. */
#include "box.h"

#include "base/be.h"
#include "base/container.h"
#include "tcp/options.h"
#include "tcp/syncookie.h"
#include "tcp/wire.h"

#include <string.h>

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10

#define ISS 1000000u        /* the client's first number, */
#define SERVER_ISS 77u      /* and the endpoint's */
#define SERVER_TS 123456u   /* its clock, */
#define CLIENT_TS 987654321 /* and the client's */
#define SERVER_PORT 5353
#define CLIENT_PORT 4000

static const char *const one4[] = {BACK4, NULL};
static const char *const two4[] = {BACK4, BACK4B, NULL};

/* A segment, as it is said or heard. */
struct said {
    uint8_t flags;
    uint32_t seq;
    uint32_t ack;
    uint16_t window;
    struct tcp_options o;
    const char *text;
    unsigned n; /* of the text */
};

static struct packet packet_of(const char *src, uint16_t src_port, const char *dst,
                               uint16_t dst_port, const struct said *s)
{
    struct packet p = segment(src, src_port, dst, dst_port, s->flags, "");
    uint8_t options[TCP_OPTIONS_BYTES_MAX];
    unsigned n = tcp_options_build(options, &s->o);
    packet_bytes(&p, options, n);
    if (s->text != NULL)
        packet_bytes(&p, s->text, s->n != 0 ? s->n : (unsigned)strlen(s->text));
    struct tcp_wire *w = (void *)&p.bytes[p.l4_at];
    w->seq = be32(s->seq);
    w->ack = be32(s->ack);
    w->window = be16(s->window);
    w->offset = (uint8_t)((5 + n / 4) << 4);
    packet_close(&p);
    return p;
}

/* The last that was sent, or the one before. */
static struct said heard(const struct seen *s)
{
    struct said h = {0};
    const struct tcp_wire *w = (const void *)s->upper;
    unsigned bytes = (unsigned)(w->offset >> 4) * 4;
    CHECK(s->is_cksum_good);
    CHECK(tcp_options_parse(s->upper + sizeof(*w), bytes - (unsigned)sizeof(*w), &h.o));
    h.flags = w->flags;
    h.seq = be32_host(w->seq);
    h.ack = be32_host(w->ack);
    h.window = be16_host(w->window);
    h.text = (const char *)s->upper + bytes;
    h.n = s->upper_bytes - bytes;
    return h;
}

/* Who talks to whom, and what is known of it by now. */
struct talk {
    struct box *box;
    const char *client;
    const char *vip;
    const char *back;
    const char *ours;
    uint16_t port;   /* of ours towards the endpoint */
    uint32_t cookie; /* the number of the SYN-ACK, */
    uint32_t cookie_ts;
};

static const struct talk of4 = {NULL, CLIENT4, VIP4, BACK4, OURS4, 0, 0, 0};

static void client_says(struct talk *t, const struct said *s)
{
    struct packet p = packet_of(t->client, CLIENT_PORT, t->vip, PORT, s);
    box_forget(t->box);
    box_give(t->box, &p);
}

static void server_says(struct talk *t, const struct said *s)
{
    struct packet p = packet_of(t->back, SERVER_PORT, t->ours, t->port, s);
    box_forget(t->box);
    box_give(t->box, &p);
}

static bool is_between(const struct seen *s, const char *src, const char *dst)
{
    struct ip_addr a = addr_of(src), b = addr_of(dst);
    return ip_addr_eq(&s->src, &a) && ip_addr_eq(&s->dst, &b);
}

/* What of the one segment that was sent, to the endpoint or to the client. */
static struct said only(struct talk *t, bool is_up)
{
    REQUIRE(t->box->n_seen == 1);
    const struct seen *s = &t->box->seen[0];
    CHECK(is_up ? is_between(s, t->ours, t->back) : is_between(s, t->vip, t->client));
    CHECK_EQ(s->dst_port, is_up ? SERVER_PORT : CLIENT_PORT);
    return heard(s);
}

static void always(struct l4_config *config)
{
    config->half_open_max = 0;
}

static const struct tcp_options usual = {.has_mss = true,
                                         .mss = 1400,
                                         .has_wscale = true,
                                         .wscale = 9,
                                         .has_sack_permitted = true,
                                         .has_timestamps = true,
                                         .ts_value = CLIENT_TS};

/* SYN and cookie. */
static void ask(struct talk *t, const struct tcp_options *o)
{
    client_says(t, &(struct said){.flags = SYN, .seq = ISS, .window = 64000, .o = *o});
    struct said s = only(t, false);
    CHECK_EQ(s.flags, SYN | ACK);
    CHECK_EQ(s.ack, ISS + 1);
    CHECK_EQ(s.window, 0);
    CHECK_EQ(s.o.mss, 1440); /* whatever the endpoint's family is */
    CHECK_EQ(s.o.has_timestamps, o->has_timestamps);
    CHECK_EQ(s.o.has_wscale, o->has_timestamps && o->has_wscale);
    CHECK_EQ(s.o.has_sack_permitted, o->has_timestamps && o->has_sack_permitted);
    CHECK_EQ(s.o.ts_echo, o->has_timestamps ? CLIENT_TS : 0);
    t->cookie = s.seq;
    t->cookie_ts = s.o.ts_value;
}

/* The options of the client's segments when it has the cookie. */
static struct tcp_options stamped(const struct talk *t, uint32_t after)
{
    return (struct tcp_options){
        .has_timestamps = true, .ts_value = CLIENT_TS + after, .ts_echo = t->cookie_ts};
}

/* It comes back: the endpoint's SYN. */
static struct said prove(struct talk *t)
{
    client_says(
        t,
        &(struct said){
            .flags = ACK, .seq = ISS + 1, .ack = t->cookie + 1, .window = 100, .o = stamped(t, 5)});
    struct said s = only(t, true);
    t->port = t->box->seen[0].src_port;
    CHECK_EQ(s.flags, SYN);
    CHECK_EQ(s.seq, ISS);
    return s;
}

static struct said answer_of(uint8_t wscale)
{
    return (struct said){.flags = SYN | ACK,
                         .seq = SERVER_ISS,
                         .ack = ISS + 1,
                         .window = 65000,
                         .o = {.has_mss = true,
                               .mss = 1400,
                               .has_wscale = true,
                               .wscale = wscale,
                               .has_sack_permitted = true,
                               .has_timestamps = true,
                               .ts_value = SERVER_TS,
                               .ts_echo = CLIENT_TS + 5}};
}

/* A connection between these families that has begun so, its ends joined. */
static void begin(struct talk *t, uint8_t wscale)
{
    t->box = box_up_with(7, (const char *const[]){t->back, NULL}, always);
    ask(t, &usual);
    prove(t);
    server_says(t, &(struct said){.flags = 0}); /* nonsense says nothing */
    CHECK_EQ(t->box->n_seen, 0);
    struct said answer = answer_of(wscale);
    server_says(t, &answer);
    REQUIRE(t->box->n_seen == 2);
}

static void check_join(struct talk *t)
{
    CHECK(is_between(&t->box->seen[0], t->ours, t->back));
    CHECK(is_between(&t->box->seen[1], t->vip, t->client));
    struct said up = heard(&t->box->seen[0]), down = heard(&t->box->seen[1]);
    CHECK_EQ(up.flags, ACK);
    CHECK_EQ(up.seq, ISS + 1);
    CHECK_EQ(up.ack, SERVER_ISS + 1);
    CHECK_EQ(up.window, 100);
    CHECK_EQ(up.o.ts_value, CLIENT_TS + 5);
    CHECK_EQ(up.o.ts_echo, SERVER_TS);
    CHECK_EQ(down.flags, ACK);
    CHECK_EQ(down.seq, t->cookie + 1);
    CHECK_EQ(down.ack, ISS + 1);
    CHECK_EQ(down.window, 65000 >> 7);
    CHECK_EQ(down.o.ts_value, t->cookie_ts);
    CHECK_EQ(down.o.ts_echo, CLIENT_TS + 5);
}

/* Numbers, SACK blocks, timestamps and windows of both directions. */
static void check_translation(struct talk *t)
{
    struct tcp_options o = stamped(t, 9);
    o.n_sack = 2;
    o.sack[0] = (struct tcp_sack_block){{t->cookie + 101}, {t->cookie + 201}};
    o.sack[1] = (struct tcp_sack_block){{t->cookie + 301}, {t->cookie + 401}};
    client_says(t, &(struct said){ACK, ISS + 1, t->cookie + 1, 200, o, "hello", 0});
    struct said s = only(t, true);
    CHECK_EQ(s.seq, ISS + 1);
    CHECK_EQ(s.ack, SERVER_ISS + 1);
    CHECK_EQ(s.window, 200);
    CHECK_EQ(s.o.n_sack, 2);
    CHECK_EQ(s.o.sack[0].start.v, SERVER_ISS + 101);
    CHECK_EQ(s.o.sack[0].end.v, SERVER_ISS + 201);
    CHECK_EQ(s.o.sack[1].end.v, SERVER_ISS + 401);
    CHECK_EQ(s.o.ts_value, CLIENT_TS + 9);
    CHECK_EQ(s.o.ts_echo, SERVER_TS);
    CHECK(s.n == 5 && memcmp(s.text, "hello", 5) == 0);
    o = (struct tcp_options){.has_timestamps = true,
                             .ts_value = SERVER_TS + 30,
                             .ts_echo = CLIENT_TS + 9,
                             .n_sack = 1,
                             .sack = {{{ISS + 11}, {ISS + 21}}}};
    server_says(t, &(struct said){ACK, SERVER_ISS + 1, ISS + 6, 501, o, "hello to you", 0});
    s = only(t, false);
    CHECK_EQ(s.seq, t->cookie + 1);
    CHECK_EQ(s.ack, ISS + 6);
    CHECK_EQ(s.o.sack[0].start.v, ISS + 11);
    CHECK_EQ(s.o.sack[0].end.v, ISS + 21);
    CHECK_EQ(s.o.ts_value, t->cookie_ts + 30);
    CHECK_EQ(s.o.ts_echo, CLIENT_TS + 9);
    CHECK(s.n == 12 && memcmp(s.text, "hello to you", 12) == 0);
}

TEST(who_gives_a_cookie_back_gets_a_flow_whose_numbers_are_shifted)
{
    static const struct talk all[] = {{NULL, CLIENT4, VIP4, BACK4, OURS4, 0, 0, 0},
                                      {NULL, CLIENT6, VIP6, BACK6, OURS6, 0, 0, 0},
                                      {NULL, CLIENT4, VIP4, BACK6, OURS6, 0, 0, 0},
                                      {NULL, CLIENT6, VIP6, BACK4, OURS4, 0, 0, 0}};
    for (unsigned i = 0; i < array_len(all); i++) {
        struct talk t = all[i];
        begin(&t, 7);
        check_join(&t);
        check_translation(&t);
        CHECK_EQ(box_stat(t.box, STAT_l4_cookies_accepted), 1);
        CHECK_EQ(box_stat(t.box, STAT_tcp_rx_syn_cookie), 1);
        CHECK_EQ(box_stat(t.box, STAT_l4_rx_fast), 2); /* what was translated came straight */
        CHECK_EQ(box_stat(t.box, STAT_l4_half_open_now), 0);
        box_down(t.box);
    }
}

TEST(the_endpoint_is_asked_with_all_that_the_client_offered)
{
    struct talk t = of4;
    t.box = box_up_with(7, one4, always);
    ask(&t, &usual);
    CHECK_EQ(box_stat(t.box, STAT_l4_flows_now), 0);
    struct said syn = prove(&t);
    CHECK_EQ(syn.o.mss, 1400);
    CHECK(syn.o.has_wscale && syn.o.has_sack_permitted && syn.o.has_timestamps);
    CHECK_EQ(syn.o.wscale, 9);
    CHECK_EQ(syn.o.ts_value, CLIENT_TS + 5);
    CHECK_EQ(syn.window, 100 << 9);
    box_down(t.box);
}

TEST(a_client_without_timestamps_gets_what_its_mss_allows)
{
    struct talk t = of4;
    struct tcp_options o = {.has_mss = true, .mss = 1460, .has_wscale = true, .wscale = 9};
    t.box = box_up_with(7, one4, always);
    ask(&t, &o);
    client_says(&t,
                &(struct said){.flags = ACK, .seq = ISS + 1, .ack = t.cookie + 1, .window = 60000});
    struct said s = only(&t, true);
    t.port = t.box->seen[0].src_port;
    CHECK(s.flags == SYN && s.o.mss == 1460 && s.window == 60000);
    CHECK(!s.o.has_wscale && !s.o.has_timestamps && !s.o.has_sack_permitted);
    server_says(&t, &(struct said){.flags = SYN | ACK,
                                   .seq = SERVER_ISS,
                                   .ack = ISS + 1,
                                   .window = 65000,
                                   .o = {.has_mss = true, .mss = 1460}});
    REQUIRE(t.box->n_seen == 2);
    CHECK_EQ(heard(&t.box->seen[0]).window, 60000);
    CHECK_EQ(heard(&t.box->seen[1]).window, 65000);
    server_says(&t, &(struct said){ACK, SERVER_ISS + 1, ISS + 1, 65000, {0}, "hello", 0});
    CHECK_EQ(only(&t, false).window, 65000);
    box_down(t.box);
}

/* An endpoint that scales its windows so, or not at all, and what is made of them. */
static void windows(uint8_t wscale, bool is_scaled, uint16_t up_to_be, uint16_t down_to_be)
{
    struct talk t = of4;
    t.box = box_up_with(7, one4, always);
    ask(&t, &usual);
    prove(&t);
    struct said answer = answer_of(wscale);
    answer.o.has_wscale = is_scaled;
    server_says(&t, &answer);
    client_says(&t, &(struct said){ACK, ISS + 1, t.cookie + 1, 90, stamped(&t, 9), "x", 0});
    CHECK_EQ(only(&t, true).window, up_to_be);
    answer = (struct said){ACK, SERVER_ISS + 1, ISS + 2, 1000, {0}, "y", 0};
    server_says(&t, &answer);
    CHECK_EQ(only(&t, false).window, down_to_be);
    answer.window = 1;
    server_says(&t, &answer);
    CHECK(only(&t, false).window > 0); /* however little, it is not nothing */
    answer.window = 0;
    server_says(&t, &answer);
    CHECK_EQ(only(&t, false).window, 0);
    box_down(t.box);
}

TEST(windows_are_told_in_the_scale_that_each_side_knows)
{
    windows(7, true, 90, 1000);
    windows(10, true, 90, 8000);
    windows(14, true, 90, UINT16_MAX); /* more than there are words for */
    windows(3, true, 90, 1000 >> 4);
    windows(0, false, 90 << 9, 1000 >> 7); /* it knows no scale: the client's is not for it */
}

static void two_half_open(struct l4_config *config)
{
    config->half_open_max = 100;
    config->half_open_listener_max = 2;
}

TEST(from_its_limit_on_a_listener_gets_cookies_and_what_is_there_goes_on_as_it_came)
{
    struct box *b = box_up_with(7, one4, two_half_open);
    struct seen ups[3];
    for (uint16_t i = 0; i < 3; i++) {
        struct packet p = segment(CLIENT4, (uint16_t)(5000 + i), VIP4, PORT, SYN, "");
        box_forget(b);
        box_give(b, &p);
        REQUIRE(b->n_seen == 1);
        ups[i] = b->seen[0];
        if (i < 2) /* that the endpoint answers makes no difference: it answers everybody */
            p = answer_to(&ups[i], SYN | ACK, "");
        box_give(b, &p);
    }
    CHECK(ups[0].tcp_flags == SYN && ups[1].tcp_flags == SYN);
    CHECK_EQ(ups[2].tcp_flags, SYN | ACK);
    CHECK_EQ(box_stat(b, STAT_l4_half_open_now), 2);
    CHECK_EQ(box_stat(b, STAT_l4_flows_now), 2);
    struct said ack = {ACK, 1, 2, 3, {0}, "x", 0};
    struct packet p = packet_of(CLIENT4, 5000, VIP4, PORT, &ack);
    box_forget(b);
    box_give(b, &p);
    REQUIRE(b->n_seen == 1);
    CHECK(heard(&b->seen[0]).seq == 1 && heard(&b->seen[0]).ack == 2);
    CHECK_EQ(heard(&b->seen[0]).window, 3);
    CHECK_EQ(box_stat(b, STAT_l4_half_open_now), 1);
    p = segment(CLIENT4, 5003, VIP4, PORT, SYN, "");
    box_forget(b);
    box_give(b, &p);
    CHECK_EQ(b->seen[0].tcp_flags, SYN); /* there is room again */
    box_wait_ms(b, 16000);
    CHECK_EQ(box_stat(b, STAT_l4_half_open_now), 0);
    CHECK_EQ(box_stat(b, STAT_l4_end_half_open), 1);
    CHECK_EQ(box_stat(b, STAT_l4_end_unanswered), 1);
    box_down(b);
}

static void eight_flows(struct l4_config *config)
{
    config->flows_max = 8;
    config->half_open_max = config->half_open_listener_max = 100;
}

TEST(the_last_share_of_the_table_is_for_who_gave_a_cookie_back)
{
    struct talk t = of4;
    t.box = box_up_with(7, one4, eight_flows);
    for (uint16_t i = 0; i < 7; i++) {
        struct packet p = segment(CLIENT4, (uint16_t)(5000 + i), VIP4, PORT, SYN, "");
        box_give(t.box, &p);
    }
    CHECK_EQ(box_stat(t.box, STAT_l4_flows_now), 7);
    ask(&t, &usual);
    prove(&t);
    CHECK_EQ(box_stat(t.box, STAT_l4_flows_now), 8);
    CHECK_EQ(box_stat(t.box, STAT_l4_end_shed), 0);
    box_down(t.box);
}

TEST(what_gives_no_cookie_back_is_reset_and_makes_no_flow)
{
    struct talk t = of4;
    t.box = box_up_with(7, one4, always);
    ask(&t, &usual);
    struct said wrong[] = {{ACK, ISS + 1, t.cookie + 2, 100, stamped(&t, 1), NULL, 0},
                           {ACK, ISS + 3, t.cookie + 1, 100, stamped(&t, 1), NULL, 0},
                           {ACK, ISS + 1, t.cookie + 1, 100, {0}, NULL, 0}};
    for (unsigned i = 0; i < array_len(wrong); i++) {
        client_says(&t, &wrong[i]);
        REQUIRE(t.box->n_seen == 1);
        CHECK_EQ(t.box->seen[0].tcp_flags, RST);
    }
    struct said late = {ACK, ISS + 1, t.cookie + 1, 100, stamped(&t, 1), NULL, 0};
    box_wait_ms(t.box, 65000);
    client_says(&t, &late);
    CHECK_EQ(t.box->seen[0].tcp_flags, RST);
    CHECK_EQ(box_stat(t.box, STAT_l4_opened_tcp), 0);
    ask(&t, &usual);
    late.ack = t.cookie + 1;
    late.o = stamped(&t, 1);
    struct packet damaged = packet_of(CLIENT4, CLIENT_PORT, VIP4, PORT, &late);
    damaged.bytes[damaged.l4_at + 16] ^= 1;
    box_give(t.box, &damaged);
    CHECK_EQ(box_stat(t.box, STAT_l4_opened_tcp), 0);
    CHECK_EQ(box_stat(t.box, STAT_tcp_drop_cksum), 1);
    box_down(t.box);
}

TEST(a_probe_of_the_closed_window_or_data_bring_a_cookie_too_and_the_data_wait)
{
    for (unsigned i = 0; i < 2; i++) {
        struct talk t = of4;
        t.box = box_up_with(7, one4, always);
        ask(&t, &usual);
        client_says(&t, &(struct said){.flags = ACK,
                                       .seq = i == 0 ? ISS : ISS + 1,
                                       .ack = t.cookie + 1,
                                       .window = 100,
                                       .o = stamped(&t, 5),
                                       .text = i == 0 ? NULL : "x"});
        CHECK_EQ(only(&t, true).seq, ISS);
        CHECK_EQ(box_stat(t.box, STAT_l4_drop_early), i);
        client_says(&t, &(struct said){ACK, ISS + 1, t.cookie + 1, 9, stamped(&t, 6), "xy", 0});
        CHECK_EQ(t.box->n_seen, 0);
        CHECK_EQ(box_stat(t.box, STAT_l4_drop_early), i + 1);
        box_down(t.box);
    }
}

TEST(a_silent_endpoint_is_asked_again_then_another_and_then_the_client_is_reset)
{
    struct talk t = of4;
    t.box = box_up_with(7, two4, always);
    ask(&t, &usual);
    client_says(
        &t, &(struct said){.flags = ACK, .seq = ISS + 1, .ack = t.cookie + 1, .o = stamped(&t, 5)});
    box_wait_ms(t.box, 14000);
    REQUIRE(t.box->n_seen == 4);
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQ(t.box->seen[i].tcp_flags, SYN);
    CHECK(ip_addr_eq(&t.box->seen[0].dst, &t.box->seen[2].dst));
    CHECK_EQ(t.box->seen[0].src_port, t.box->seen[2].src_port);
    CHECK(!ip_addr_eq(&t.box->seen[0].dst, &t.box->seen[3].dst));
    CHECK_EQ(box_stat(t.box, STAT_l4_retargeted), 1);
    CHECK_EQ(box_stat(t.box, STAT_l4_splice_syns), 4);
    box_forget(t.box);
    box_wait_ms(t.box, 2000);
    struct said s = only(&t, false);
    CHECK_EQ(s.flags, RST | ACK);
    CHECK_EQ(s.seq, t.cookie + 1);
    CHECK_EQ(s.ack, ISS + 1);
    CHECK_EQ(box_stat(t.box, STAT_l4_end_unanswered), 1);
    CHECK_EQ(box_stat(t.box, STAT_l4_flows_now), 0);
    box_down(t.box);
}

TEST(an_endpoint_that_refuses_and_a_client_that_leaves_end_it)
{
    struct talk t = of4;
    t.box = box_up_with(7, one4, always);
    ask(&t, &usual);
    prove(&t);
    server_says(&t, &(struct said){.flags = RST | ACK, .ack = ISS});
    CHECK_EQ(t.box->n_seen, 0); /* not of this connection */
    server_says(&t, &(struct said){.flags = RST | ACK, .ack = ISS + 1});
    struct said s = only(&t, false);
    CHECK(s.flags == (RST | ACK) && s.seq == t.cookie + 1 && s.ack == ISS + 1);
    CHECK_EQ(box_stat(t.box, STAT_l4_flows_now), 0);
    ask(&t, &usual);
    prove(&t);
    client_says(&t, &(struct said){.flags = RST, .seq = ISS + 2});
    CHECK_EQ(box_stat(t.box, STAT_l4_flows_now), 1);
    client_says(&t, &(struct said){.flags = RST, .seq = ISS + 1});
    CHECK_EQ(t.box->n_seen, 0);
    CHECK_EQ(box_stat(t.box, STAT_l4_flows_now), 0);
    CHECK_EQ(box_stat(t.box, STAT_l4_end_closed), 2);
    box_down(t.box);
}

TEST(an_endpoint_that_remembers_another_connection_is_reset_and_asked_again)
{
    struct talk t = of4;
    t.box = box_up_with(7, one4, always);
    ask(&t, &usual);
    prove(&t);
    server_says(&t, &(struct said){.flags = ACK, .seq = 5, .ack = 12345});
    struct said s = only(&t, true);
    CHECK(s.flags == RST && s.seq == 12345);
    box_forget(t.box);
    box_wait_ms(t.box, 1100);
    CHECK_EQ(only(&t, true).flags, SYN);
    box_down(t.box);
}

TEST(a_syn_ack_that_comes_again_is_acknowledged_again)
{
    struct talk t = of4;
    begin(&t, 7);
    struct said answer = answer_of(7);
    server_says(&t, &answer);
    struct said s = only(&t, true);
    CHECK(s.flags == ACK && s.seq == ISS + 1 && s.ack == SERVER_ISS + 1);
    CHECK(s.o.ts_value == CLIENT_TS + 5 && s.o.ts_echo == SERVER_TS);
    check_translation(&t);
    box_down(t.box);
}

TEST(a_new_connection_between_the_same_ends_has_its_own_numbers)
{
    struct talk t = of4;
    begin(&t, 7);
    client_says(&t, &(struct said){.flags = SYN, .seq = 5 * ISS}); /* the old one is not over */
    CHECK_EQ(only(&t, true).seq, 5 * ISS);
    server_says(&t, &(struct said){.flags = SYN | ACK, .seq = 99, .ack = 5 * ISS + 1});
    CHECK_EQ(only(&t, false).seq, 99);
    client_says(&t, &(struct said){.flags = ACK, .seq = 5 * ISS + 1, .ack = 100});
    CHECK_EQ(only(&t, true).ack, 100);
    box_down(t.box);
}

TEST(a_reset_and_the_end_of_both_sides_are_what_they_are_without_cookies)
{
    struct talk t = of4;
    begin(&t, 7);
    client_says(&t, &(struct said){.flags = FIN | ACK, .seq = ISS + 1, .ack = t.cookie + 1});
    CHECK_EQ(only(&t, true).flags, FIN | ACK);
    server_says(&t, &(struct said){.flags = FIN | ACK, .seq = SERVER_ISS + 1, .ack = ISS + 2});
    CHECK_EQ(only(&t, false).seq, t.cookie + 1);
    client_says(&t, &(struct said){.flags = RST, .seq = ISS + 2, .ack = 0});
    CHECK_EQ(only(&t, true).ack, 0); /* it acknowledges nothing */
    box_wait_ms(t.box, 61000);
    CHECK_EQ(box_stat(t.box, STAT_l4_end_closed), 1);
    box_down(t.box);
}

TEST(an_error_quotes_the_number_that_its_reader_knows)
{
    struct talk t = of4;
    begin(&t, 7);
    server_says(&t, &(struct said){ACK, SERVER_ISS + 1, ISS + 1, 501, {0}, "too long", 0});
    struct seen down = t.box->seen[0];
    struct packet error = packet_eth(BOX_MAC, PEER_MAC);
    packet_ip4(&error, CLIENT4, VIP4, 1);
    packet_icmp(&error, 3, 4, 1300);
    packet_bytes(&error, down.frame + 14, 28);
    packet_close(&error);
    box_forget(t.box);
    box_give(t.box, &error);
    REQUIRE(t.box->n_seen == 1 && is_between(&t.box->seen[0], OURS4, BACK4));
    be32_t seq;
    memcpy(&seq, t.box->seen[0].upper + 8 + 20 + 4, sizeof(seq));
    CHECK_EQ(be32_host(seq), SERVER_ISS + 1);
    box_down(t.box);
}

TEST(what_is_longer_than_the_endpoint_takes_is_told_so)
{
    struct talk t = of4;
    char text[1400];
    t.box = box_up_with(7, one4, always);
    ask(&t, &usual);
    prove(&t);
    struct said answer = answer_of(7);
    answer.o.mss = 1300;
    server_says(&t, &answer);
    memset(text, 'x', sizeof(text));
    struct said long_one = {ACK, ISS + 1, t.cookie + 1, 200, stamped(&t, 9), text, 1300};
    struct packet p = packet_of(CLIENT4, CLIENT_PORT, VIP4, PORT, &long_one);
    p.bytes[p.ip_at + 6] |= 0x40; /* don't fragment */
    packet_close(&p);
    box_forget(t.box);
    box_give(t.box, &p);
    REQUIRE(t.box->n_seen == 1 && t.box->seen[0].proto == 1);
    const uint8_t *told = t.box->seen[0].upper;
    CHECK_EQ(told[6] << 8 | told[7], 1340);
    CHECK_EQ(box_stat(t.box, STAT_l4_drop_too_big), 1);
    long_one.n = 1288; /* with timestamps these are 1300 */
    p = packet_of(CLIENT4, CLIENT_PORT, VIP4, PORT, &long_one);
    p.bytes[p.ip_at + 6] |= 0x40;
    packet_close(&p);
    box_forget(t.box);
    box_give(t.box, &p);
    CHECK_EQ(only(&t, true).n, 1288);
    box_down(t.box);
}

TEST(a_header_that_is_not_whole_goes_no_further)
{
    struct talk t = of4;
    begin(&t, 7);
    struct said s = {ACK, ISS + 1, t.cookie + 1, 200, {0}, NULL, 0};
    struct packet p = packet_of(CLIENT4, CLIENT_PORT, VIP4, PORT, &s);
    p.bytes[p.l4_at + 12] = 0x40; /* 16 bytes */
    packet_close(&p);
    box_give(t.box, &p);
    p.bytes[p.l4_at + 12] = 0xf0; /* 60 */
    packet_close(&p);
    box_give(t.box, &p);
    CHECK_EQ(box_stat(t.box, STAT_l4_drop_header), 2);
    box_down(t.box);
}

TEST(damage_on_the_way_stays_damage)
{
    struct talk t = of4;
    begin(&t, 7);
    struct said s = {ACK, ISS + 1, t.cookie + 1, 200, stamped(&t, 9), "hello", 0};
    struct packet p = packet_of(CLIENT4, CLIENT_PORT, VIP4, PORT, &s);
    p.bytes[p.len - 1] ^= 1;
    box_forget(t.box);
    box_give(t.box, &p);
    REQUIRE(t.box->n_seen == 1);
    CHECK(!t.box->seen[0].is_cksum_good);
    box_down(t.box);
}

TEST(a_route_has_the_syns_that_got_cookies_and_begins_with_what_comes_back)
{
    struct talk t = of4;
    t.box = box_up_with(7, one4, always);
    for (unsigned i = 0; i < 3; i++)
        ask(&t, &usual);
    const struct stats_connections *c = box_counts("ns/a-tcp");
    REQUIRE(c != NULL);
    CHECK_EQ(c->cookies, 3);
    CHECK_EQ(c->begun, 0);
    prove(&t);
    CHECK_EQ(c->cookies, 3);
    CHECK_EQ(c->begun, 1);
    box_down(t.box);
}

TEST(who_gives_a_cookie_back_when_no_more_may_be_open_is_reset)
{
    struct talk first = of4, second = of4;
    struct box *b = box_up_with(7, one4, always);
    first.box = second.box = b;
    second.client = "198.18.0.11";
    b->limit = (struct image_conn_limit_spec){"ns/one", 1, 0};
    box_set_route(b, true);
    ask(&first, &usual);
    ask(&second, &usual); /* none is open yet */
    prove(&first);
    client_says(&second, &(struct said){.flags = ACK,
                                        .seq = ISS + 1,
                                        .ack = second.cookie + 1,
                                        .o = stamped(&second, 5)});
    struct said s = only(&second, false);
    CHECK_EQ(s.flags, RST);
    CHECK_EQ(s.seq, second.cookie + 1);
    CHECK_EQ(box_stat(b, STAT_core_conns_refused), 1);
    CHECK_EQ(box_stat(b, STAT_l4_drop_limit), 1);
    CHECK_EQ(box_stat(b, STAT_l4_flows_now), 1);
    box_down(b);
}

TEST(what_is_carried_gets_no_cookies)
{
    struct box *b = box_up_with(7, one4, always);
    b->forwarding = IMAGE_FORWARDING_IPIP;
    box_set_route(b, true);
    struct packet p = segment(CLIENT4, CLIENT_PORT, VIP4, PORT, SYN, "");
    box_give(b, &p);
    REQUIRE(b->n_seen == 1);
    CHECK_EQ(b->seen[0].proto, 4);
    CHECK_EQ(box_stat(b, STAT_l4_cookies), 0);
    box_down(b);
}

UNIT_MAIN("l4/splice", T(who_gives_a_cookie_back_gets_a_flow_whose_numbers_are_shifted),
          T(the_endpoint_is_asked_with_all_that_the_client_offered),
          T(a_client_without_timestamps_gets_what_its_mss_allows),
          T(windows_are_told_in_the_scale_that_each_side_knows),
          T(from_its_limit_on_a_listener_gets_cookies_and_what_is_there_goes_on_as_it_came),
          T(the_last_share_of_the_table_is_for_who_gave_a_cookie_back),
          T(what_gives_no_cookie_back_is_reset_and_makes_no_flow),
          T(a_probe_of_the_closed_window_or_data_bring_a_cookie_too_and_the_data_wait),
          T(a_silent_endpoint_is_asked_again_then_another_and_then_the_client_is_reset),
          T(an_endpoint_that_refuses_and_a_client_that_leaves_end_it),
          T(an_endpoint_that_remembers_another_connection_is_reset_and_asked_again),
          T(a_syn_ack_that_comes_again_is_acknowledged_again),
          T(a_new_connection_between_the_same_ends_has_its_own_numbers),
          T(a_reset_and_the_end_of_both_sides_are_what_they_are_without_cookies),
          T(an_error_quotes_the_number_that_its_reader_knows),
          T(what_is_longer_than_the_endpoint_takes_is_told_so),
          T(a_header_that_is_not_whole_goes_no_further), T(damage_on_the_way_stays_damage),
          T(a_route_has_the_syns_that_got_cookies_and_begins_with_what_comes_back),
          T(who_gives_a_cookie_back_when_no_more_may_be_open_is_reset),
          T(what_is_carried_gets_no_cookies))
