/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets of forwarded flows, TCP and UDP, by NAT, IPIP and GUE, both families: what clients and
 * endpoints send, whole, in pieces, chained, with options, damaged; ICMP errors about what was sent
 * on; images and endpoints that come and go; time. What leaves is what l4_check.h says, and
 * afterwards nothing is left.
 *
 *   deed (byte % 10; 128 or more: a packet's burst goes on)  then
 *   0..2  a client's packet    who, port and protocol (1), flags of TCP (1), length (1), shape (1)
 *   3..4  an endpoint's        answer to which (1), flags (1), length (1), shape (1)
 *   5     ICMP error           about which of the sent (1), type (1), code (1), MTU (2), quote (1),
 *                              patch (2), who tells (1)
 *   6     time                 t: 4 t^3 microseconds
 *   7     image                which (1)
 *   8     endpoints            of which group, who is there (1), who is leaving (1)
 *   9     any frame            length (2), bytes; checksums are made right
 */
#include "base/assert.h"
#include "base/container.h"
#include "cursor.h"
#include "frame.h"
#include "fuzz.h"
#include "l4_check.h"
#include "l4_cookies.h"
#include "l4_packet.h"
#include "l4_world.h"
#include "net/net_wire.h"
#include "seed.h"
#include "stack.h"

#include <string.h>

#define DEEDS_MAX 60u

/* Bytes behind the transport's header: nothing, a word, what just fits each of the ways, more. */
static uint32_t payload_bytes(uint8_t byte)
{
    static const uint16_t lengths[] = {0,    4,    5,    12,   100,  1212, 1232, 1240,
                                       1252, 1260, 1272, 1400, 1424, 1432, 1440, 1452,
                                       1460, 1464, 1468, 1472, 1473, 1800, 2500, 2960};
    return byte < 192 ? lengths[byte % array_len(lengths)] : (byte - 192u) * 45u;
}

static void take_shape(struct cursor *c, struct l4_shape *ret)
{
    ret->flags = take8(c);
    ret->payload_bytes = payload_bytes(take8(c));
    ret->bits = take8(c);
    if ((ret->bits & L4_SHAPE_MORE) != 0) {
        ret->kind = take8(c);
        ret->amount = take8(c);
    }
}

/* The client has got a cookie: its next segment. One in eight is wrong. False: none has. */
static bool give_back(struct l4_shape *shape, struct flow_tuple *ret_ends)
{
    const struct l4_cookie *k = l4_cookies_last(shape->amount % 32);
    if (k == NULL)
        return false;
    const struct flow_tuple *box = &k->client;
    *ret_ends = (struct flow_tuple){box->remote, box->local, box->remote_port, box->local_port};
    shape->has_seq = shape->has_ack = true;
    shape->seq = k->iss + 1;
    shape->ack = k->number + 1 + (shape->amount >= 224);
    return true;
}

static void client_packet(struct cursor *c, bool goes_on)
{
    uint8_t who = take8(c);
    struct l4_shape shape = {.goes_on = goes_on};
    unsigned client = (who & 31) % L4_WORLD_CLIENTS;
    struct ip_addr src = l4_world_client(client);
    struct flow_tuple ends = {src, l4_world_vip(!ip_addr_is_v4(&src)),
                              (uint16_t)(L4_WORLD_CLIENT_PORT + (who >> 5 & 1)), STACK_PORT};
    shape.proto = (who & 128) != 0 ? IPPROTO_NUM_TCP : IPPROTO_NUM_UDP;
    take_shape(c, &shape);
    if ((who & 64) != 0)
        ends.local_port = (uint16_t)(ends.local_port + 2);
    if (shape.proto == IPPROTO_NUM_TCP && l4_packet_is_kind(&shape, L4_SHAPE_COOKIE) &&
        !give_back(&shape, &ends))
        return;
    l4_packet_give(&ends, &shape);
}

static void endpoint_packet(struct cursor *c, bool goes_on)
{
    struct flow_tuple server;
    struct l4_shape shape = {.goes_on = goes_on};
    bool is_there = l4_oracle_up(take8(c) % 16, &server, &shape.proto);
    take_shape(c, &shape);
    if (!is_there)
        return;
    const struct l4_cookie *asked = l4_cookies_of_server(&server);
    if (asked != NULL && l4_packet_is_kind(&shape, L4_SHAPE_COOKIE)) {
        shape.has_ack = true;
        shape.ack = asked->iss + 1;
    }
    struct flow_tuple ends = {server.remote, server.local, server.remote_port, server.local_port};
    l4_packet_give(&ends, &shape);
}

/* From whoever it was sent to, or somebody on the way; about any frame, a little wrong. */
static void icmp_error(struct cursor *c)
{
    static const uint8_t types[2][4] = {{3, 11, 12, 3}, {2, 1, 3, 4}};
    uint8_t frame[FRAME_BYTES_MAX], quote[512];
    struct stack_sent *sent = stack_sent(take8(c) % STACK_SENT_MAX);
    uint8_t type = take8(c), code = take8(c);
    uint32_t mtu = take16(c);
    size_t bytes = take8(c) * 2u;
    uint8_t at = take8(c), what = take8(c), teller = take8(c);
    bool is_v4 = false;
    uint8_t *ip = sent == NULL ? NULL : frame_find_ip(sent->bytes, sent->len, &is_v4);
    if (ip == NULL || sent->len < 14 + 40)
        return;
    bytes = bytes < sent->len - 14 ? bytes : sent->len - 14;
    memcpy(quote, ip, bytes);
    quote[at] ^= at < bytes ? what : 0;
    struct ip_addr src = is_v4 ? ip_addr_from_v4(ip + 12) : ip_addr_from_v6(ip + 8);
    struct ip_addr dst = is_v4 ? ip_addr_from_v4(ip + 16) : ip_addr_from_v6(ip + 24);
    struct frame_ends ends = stack_ends(!is_v4, L4_WORLD_ROUTER);
    ends.dst = src;
    if ((teller & 1) == 0)
        ends.src = dst;
    type = type < 200 ? types[!is_v4][type % 4] : type;
    if (!l4_world_is_ours(&src))
        return; /* a report to routers */
    stack_frame(frame, frame_make_icmp(frame, &ends, type, code, mtu, quote, bytes));
}

static void any_frame(struct cursor *c)
{
    uint8_t frame[FRAME_BYTES_MAX];
    size_t len;
    const uint8_t *piece = take_piece(c, take16(c) % (FRAME_BYTES_MAX + 1), &len);
    if (len == 0)
        return;
    memcpy(frame, piece, len);
    frame_close(frame, len);
    l4_oracle_be_lenient();
    stack_frame(frame, len);
}

static void do_deed(struct cursor *c)
{
    uint8_t deed = take8(c);
    bool goes_on = deed >= 128;
    uint64_t t;
    switch (deed % 10) {
    case 0:
    case 1:
    case 2:
        client_packet(c, goes_on);
        break;
    case 3:
    case 4:
        endpoint_packet(c, goes_on);
        break;
    case 5:
        icmp_error(c);
        break;
    case 6:
        t = take8(c);
        stack_pass(4 * t * t * t + 1);
        break;
    case 7:
        l4_world_set_image(take8(c));
        break;
    case 8: {
        uint8_t there = take8(c);
        uint8_t leaving = take8(c);
        l4_world_set_endpoints(goes_on, there, leaving);
        break;
    }
    default:
        any_frame(c);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor c = {data, size};
    l4_world_up();
    for (unsigned i = 0; i < DEEDS_MAX && !cursor_is_done(&c); i++)
        do_deed(&c);
    stack_pass(1); /* a burst that did not end */
    l4_oracle_count();
    l4_world_down();
    return 0;
}

/* --- seeds --- */

#define TCP_BIT 128u /* of who */
#define V6 6u        /* the first client of IPv6 */
#define LEN_SHORT 4u /* places in payload_bytes()'s list */
#define LEN_FULL 19u /* a packet of 1,500 bytes of IPv4 */
#define LEN_LONG 23u
#define FIN 1u
#define SYN 2u
#define RST 4u
#define ACK 16u

static void put_client(struct seed *s, unsigned who, unsigned flags, unsigned len, unsigned bits)
{
    const uint8_t deed[] = {0, (uint8_t)who, (uint8_t)flags, (uint8_t)len, (uint8_t)bits};
    seed_bytes(s, deed, sizeof(deed));
}

static void put_answer(struct seed *s, unsigned flags, unsigned len, unsigned bits)
{
    const uint8_t deed[] = {3, 0, (uint8_t)flags, (uint8_t)len, (uint8_t)bits};
    seed_bytes(s, deed, sizeof(deed));
}

static void put_kind(struct seed *s, enum l4_shape_kind kind, unsigned amount)
{
    seed_byte(s, kind);
    seed_byte(s, amount);
}

static void put_image(struct seed *s, unsigned n)
{
    seed_byte(s, 7);
    seed_byte(s, n);
}

static void put_error(struct seed *s, unsigned type, unsigned mtu)
{
    const uint8_t deed[] = {5, 0, (uint8_t)type, 4, (uint8_t)(mtu >> 8), (uint8_t)mtu, 50, 0, 0, 0};
    seed_bytes(s, deed, sizeof(deed));
}

/* Questions and answers of UDP, short and long, of both families. */
static void seed_datagrams(struct seed *s, unsigned image)
{
    put_image(s, image);
    for (unsigned who = 0; who < 12; who += 3) {
        put_client(s, who, 0, LEN_SHORT, 0);
        put_answer(s, 0, LEN_SHORT, 0);
        put_client(s, who, 0, LEN_FULL, 0);
        put_client(s, who, 0, LEN_FULL, L4_SHAPE_CUTTABLE | L4_SHAPE_TOS);
        put_answer(s, 0, LEN_LONG, 0);
        put_client(s, who, 0, LEN_LONG, 0);
    }
    seed_time(s, 200);
}

/* Connections that begin, talk and end, one of them by a reset; and one that begins again. */
static void seed_connections(struct seed *s, unsigned image)
{
    static const uint8_t says[][2] = {{0, SYN},       {1, SYN | ACK}, {0, ACK}, {1, ACK},
                                      {0, FIN | ACK}, {1, FIN | ACK}, {0, ACK}, {0, SYN},
                                      {1, RST | ACK}, {0, SYN}};
    put_image(s, image);
    for (unsigned who = 0; who < 12; who += V6) {
        for (unsigned i = 0; i < array_len(says); i++) {
            if (says[i][0] == 0)
                put_client(s, TCP_BIT | who, says[i][1], LEN_SHORT, 0);
            else
                put_answer(s, says[i][1], LEN_SHORT, 0);
        }
    }
}

/* Connections that begin with a cookie, and what is said on them. */
static void seed_cookies(struct seed *s, unsigned image)
{
    put_image(s, image);
    for (unsigned who = 0; who < 12; who += V6) {
        for (unsigned wrong = 0; wrong < 2; wrong++) {
            put_client(s, TCP_BIT | who, SYN, 0, 0);
            put_client(s, TCP_BIT, ACK, wrong * LEN_SHORT, L4_SHAPE_MORE);
            put_kind(s, L4_SHAPE_COOKIE, wrong * 224);
        }
        put_client(s, TCP_BIT, ACK, 0, L4_SHAPE_MORE);
        put_kind(s, L4_SHAPE_COOKIE, 0);
        put_answer(s, SYN | ACK, 0, L4_SHAPE_MORE);
        put_kind(s, L4_SHAPE_COOKIE, 0);
        put_client(s, TCP_BIT | who, ACK, LEN_SHORT, 0);
        put_answer(s, ACK, LEN_SHORT, L4_SHAPE_TOS);
        put_client(s, TCP_BIT | who, ACK, LEN_FULL, 0);
        put_answer(s, ACK, LEN_LONG, 0);
        put_error(s, 0, 1280);
        put_answer(s, FIN | ACK, 0, 0);
        put_client(s, TCP_BIT | who, FIN | ACK, 0, 0);
    }
    put_client(s, TCP_BIT, SYN, 0, 0);
    put_client(s, TCP_BIT, ACK, 0, L4_SHAPE_MORE);
    put_kind(s, L4_SHAPE_COOKIE, 0);
    seed_time(s, 100);
    put_answer(s, RST | ACK, 0, L4_SHAPE_MORE);
    put_kind(s, L4_SHAPE_COOKIE, 0);
}

/* Everything that can be special about a packet. */
static void seed_shapes(struct seed *s, unsigned who)
{
    for (unsigned kind = 0; kind < L4_SHAPE_KINDS; kind++) {
        put_client(s, who, SYN, LEN_SHORT, L4_SHAPE_MORE);
        put_kind(s, kind, 61);
        put_client(s, who, ACK, LEN_SHORT, L4_SHAPE_MORE | L4_SHAPE_CUTTABLE);
        put_kind(s, kind, 1);
        put_answer(s, SYN | ACK, LEN_SHORT, L4_SHAPE_MORE);
        put_kind(s, kind, 30);
    }
}

/* Errors about what went to the endpoint and to the client. */
static void seed_errors(struct seed *s, unsigned who)
{
    put_client(s, who, SYN, LEN_SHORT, 0);
    put_error(s, 0, 1280);
    put_error(s, 1, 0);
    put_answer(s, SYN | ACK, LEN_SHORT, 0);
    put_error(s, 0, 1300);
    put_error(s, 2, 0);
}

/* An endpoint that does not answer; endpoints and images that come and go; a burst. */
static void seed_changes(struct seed *s)
{
    for (unsigned i = 0; i < 5; i++) {
        put_client(s, TCP_BIT, SYN, 0, 0);
        seed_time(s, 50);
    }
    const uint8_t deeds[] = {8, 0x03, 0x01, 138, 0x0c, 0, 7, 3, 8, 0xc0, 0, 7, 7};
    for (unsigned i = 0; i + 1 < sizeof(deeds); i += deeds[i] % 10 == 7 ? 2 : 3) {
        seed_bytes(s, deeds + i, deeds[i] % 10 == 7 ? 2 : 3);
        for (unsigned who = 0; who < 12; who += 5) {
            seed_byte(s, 130); /* % 10 is 0: its burst goes on */
            seed_bytes(s, (const uint8_t[]){(uint8_t)who, 0, LEN_SHORT, 0}, 4);
        }
        put_client(s, TCP_BIT | V6, SYN, 0, 0);
    }
}

size_t fuzz_seed(unsigned n, uint8_t *ret)
{
    struct seed s = {ret, 0};
    if (n < L4_WORLD_IMAGES)
        seed_datagrams(&s, n);
    else if (n < 2 * L4_WORLD_IMAGES)
        seed_connections(&s, n - L4_WORLD_IMAGES);
    else if (n == 2 * L4_WORLD_IMAGES)
        seed_changes(&s);
    else if (n <= 2 * L4_WORLD_IMAGES + 4)
        seed_shapes(&s, (n % 2) * TCP_BIT + (n % 4 < 2) * V6);
    else if (n <= 2 * L4_WORLD_IMAGES + 8)
        seed_errors(&s, (n % 2) * TCP_BIT + (n % 4 < 2) * V6);
    else if (n <= 2 * L4_WORLD_IMAGES + 10)
        seed_cookies(&s, L4_WORLD_IMAGE_COOKIES + n % 2);
    return s.len;
}
