/* SPDX-License-Identifier: Apache-2.0 */
/* What may leave, and what it has to look like: see l4_check.h. */
#include "base/assert.h"
#include "base/cksum.h"
#include "frame.h"
#include "l4_book.h"
#include "l4_check.h"
#include "l4_cookies.h"
#include "l4_world.h"
#include "net/net_wire.h"

#include <string.h>

#define GIVEN_MAX 512u    /* of an input; more than it has deeds */
#define WHOLE_BYTES 4096u /* of a packet that left in pieces */
#define GUE_PORT 6080u
#define TCP_CKSUM_AT 16u
#define UDP_CKSUM_AT 6u
#define HOPS_OURS 64u
#define IP6_MTU_MIN 1280u

/* A packet that was sent, whole. */
struct packet {
    struct ip_addr src;
    struct ip_addr dst;
    uint8_t proto;
    uint8_t tos;
    uint8_t hops;
    bool was_cut; /* it left in pieces */
    const uint8_t *upper;
    uint32_t bytes;
};

/* Pieces of the packet that is being put together; they come in their order. */
struct pieces {
    struct packet packet;
    uint32_t id;
    uint32_t end; /* bytes so far; 0: none */
    uint8_t upper[WHOLE_BYTES];
};

static struct l4_given given[GIVEN_MAX];
static uint32_t n_given;
static bool is_lenient;
static uint64_t n_seen;  /* packets of flows that left, */
static uint64_t n_maybe; /* and others that looked like them: tcp's own, or a client's */
static struct pieces pieces;

void l4_oracle_begin(void)
{
    n_given = 0;
    n_seen = n_maybe = 0;
    is_lenient = false;
    pieces.end = 0;
    l4_book_begin();
    l4_cookies_begin();
}

struct l4_given *l4_oracle_give(void)
{
    struct l4_given *g = &given[n_given % GIVEN_MAX];
    *g = (struct l4_given){.serial = L4_SERIAL | ++n_given << L4_SERIAL_BITS_FREE};
    ASSERT(n_given < 0x10000 >> L4_SERIAL_BITS_FREE);
    return g;
}

void l4_oracle_be_lenient(void)
{
    is_lenient = true;
}

/* The packet with that number; NULL: there was none. */
static const struct l4_given *given_at(uint8_t proto, uint32_t serial)
{
    uint32_t n = (serial & 0xffff) >> L4_SERIAL_BITS_FREE;
    if ((serial & 0xffff0000u) != L4_SERIAL || n == 0 || n > n_given || n + GIVEN_MAX <= n_given)
        return NULL;
    const struct l4_given *g = &given[(n - 1) % GIVEN_MAX];
    return g->serial == serial && g->proto == proto ? g : NULL;
}

/* The packet that this one was, by the number that it has: of TCP the sequence number, of UDP the
 * first word. NULL: it has none. */
static const struct l4_given *find_given(uint8_t proto, const uint8_t *upper, uint32_t bytes)
{
    uint32_t at = proto == IPPROTO_NUM_TCP ? 4 : 8;
    return bytes < at + 4 ? NULL : given_at(proto, frame_get32(upper + at));
}

/* The sum of a transport's packet with its pseudo header; 0xffff: it is right. */
static uint32_t sum_of(const struct packet *p)
{
    be32_t tail[2] = {be32(p->bytes), be32(p->proto)};
    uint32_t sum = cksum_add(0, p->upper, p->bytes);
    if (p->proto == IPPROTO_NUM_ICMP4)
        return sum;
    size_t from = ip_addr_is_v4(&p->src) ? 12 : 0;
    sum = cksum_add(sum, p->src.bytes + from, 16 - from);
    sum = cksum_add(sum, p->dst.bytes + from, 16 - from);
    return cksum_add(sum, tail, sizeof(tail));
}

static bool is_cksum_good(const struct packet *p)
{
    bool has_none =
        p->proto == IPPROTO_NUM_UDP && p->bytes >= 8 && frame_get16(p->upper + UDP_CKSUM_AT) == 0;
    return has_none ? ip_addr_is_v4(&p->src) : cksum_is_good(sum_of(p));
}

/* The same bytes but for what NAT changes: ports and checksum. */
static bool has_same_bytes(const struct packet *p, const struct l4_given *g)
{
    uint32_t at = g->proto == IPPROTO_NUM_TCP ? TCP_CKSUM_AT : UDP_CKSUM_AT;
    return p->bytes == g->bytes && memcmp(p->upper + 4, g->upper + 4, at - 4) == 0 &&
           memcmp(p->upper + at + 2, g->upper + at + 2, g->bytes - at - 2) == 0;
}

/* Likewise of a connection that began with a cookie: numbers, windows and times change, too. */
static bool has_same_text(const struct packet *p, const struct l4_given *g)
{
    uint32_t header = (uint32_t)(g->upper[12] >> 4) * 4;
    return p->bytes == g->bytes && header <= g->bytes && p->upper[12] == g->upper[12] &&
           p->upper[13] == g->upper[13] &&
           memcmp(p->upper + header, g->upper + header, g->bytes - header) == 0;
}

/* What holds of a packet that was passed on, by NAT or within another. */
static void check_passed(const struct packet *p, const struct l4_given *g)
{
    ASSERT(!g->may_not_leave);
    ASSERT(p->tos == g->tos);
    ASSERT(g->hops > 1);
    ASSERT(p->hops == HOPS_OURS || p->hops == g->hops - 1);
    ASSERT(!p->was_cut || g->may_be_cut);
    if (g->is_odd)
        return;
    ASSERT(is_cksum_good(p) == !g->is_cksum_bad);
}

static struct flow_tuple ends_of(const struct packet *p)
{
    return (struct flow_tuple){p->src, p->dst, frame_get16(p->upper), frame_get16(p->upper + 2)};
}

/* The ends of its sender's, as the box has them. */
static struct flow_tuple ends_given(const struct l4_given *g)
{
    return (struct flow_tuple){g->dst, g->src, frame_get16(g->upper + 2), frame_get16(g->upper)};
}

/* To an endpoint, under an address and port of ours. */
static void see_up(const struct packet *p)
{
    const struct l4_given *g = find_given(p->proto, p->upper, p->bytes);
    struct flow_tuple server = ends_of(p);
    ASSERT(l4_world_is_ours(&p->src) && server.remote_port == L4_WORLD_BACK_PORT);
    const struct l4_cookie *joined =
        p->proto == IPPROTO_NUM_TCP ? l4_cookies_up(&server, p->upper) : NULL;
    if (joined != NULL) {
        ASSERT(is_lenient || is_cksum_good(p));
        n_maybe++;
        l4_book_note(p->proto, &joined->client, &server);
        return;
    }
    if (g == NULL && p->proto == IPPROTO_NUM_TCP) {
        /* tcp's own, to an endpoint that nobody asked, or a client's answer to a cookie that met a
         * flow between the same ends */
        ASSERT(is_lenient || is_cksum_good(p));
        n_maybe++;
        return;
    }
    n_seen++;
    if (g == NULL) {
        l4_book_forget(p->proto, &server);
        return;
    }
    struct flow_tuple client = ends_given(g);
    ASSERT(l4_world_is_client(&g->src) || is_lenient);
    check_passed(p, g);
    bool may_shift = p->proto == IPPROTO_NUM_TCP && l4_cookies_of_client(&client) != NULL;
    ASSERT(g->is_odd || has_same_bytes(p, g) || (may_shift && has_same_text(p, g)));
    l4_book_note(p->proto, &client, &server);
}

/* What an endpoint said to this client; NULL: none said anything like it. */
static const struct l4_given *find_said(const struct packet *p, const struct flow_tuple *client)
{
    const struct l4_given *g = find_given(p->proto, p->upper, p->bytes);
    if (g != NULL && l4_world_is_endpoint(&g->src) && (g->is_odd || has_same_bytes(p, g)))
        return g;
    const struct l4_cookie *k = l4_cookies_of_client(client);
    if (p->proto != IPPROTO_NUM_TCP || k == NULL)
        return NULL;
    g = given_at(p->proto, frame_get32(p->upper + 4) - k->delta);
    bool is_it = g != NULL && l4_world_is_endpoint(&g->src) && (g->is_odd || has_same_text(p, g));
    return is_it ? g : NULL;
}

/* To a client, from the VIP: what an endpoint said. False: none said anything like it. */
static bool see_down(const struct packet *p)
{
    struct flow_tuple client = ends_of(p);
    const struct l4_given *g = find_said(p, &client);
    if (g == NULL)
        return false;
    struct flow_tuple server = ends_given(g);
    n_seen++;
    check_passed(p, g);
    l4_book_check_down(p->proto, &client, &server);
    return true;
}

/* A client's packet within another to the endpoint. */
static void see_carried(const struct packet *outer, const uint8_t *inner, uint32_t bytes)
{
    bool is_v4 = inner[0] >> 4 == 4;
    uint32_t header = is_v4 ? sizeof(struct wire_ip4) : sizeof(struct wire_ip6);
    ASSERT(l4_world_is_ours(&outer->src) && outer->hops == HOPS_OURS);
    ASSERT(bytes > header && (is_v4 || inner[0] >> 4 == 6));
    ASSERT(!is_v4 || (inner[0] == 0x45 && cksum_is_good(cksum_add(0, inner, header))));
    ASSERT((is_v4 ? frame_get16(inner + 2) : frame_get16(inner + 4) + header) == bytes);
    struct packet p = {.src = is_v4 ? ip_addr_from_v4(inner + 12) : ip_addr_from_v6(inner + 8),
                       .dst = is_v4 ? ip_addr_from_v4(inner + 16) : ip_addr_from_v6(inner + 24),
                       .proto = is_v4 ? inner[9] : inner[6],
                       .tos = is_v4 ? inner[1] : (uint8_t)(frame_get16(inner) >> 4),
                       .hops = is_v4 ? inner[8] : inner[7],
                       .upper = inner + header,
                       .bytes = bytes - header};
    const struct l4_given *g = find_given(p.proto, p.upper, p.bytes);
    ASSERT(outer->tos == p.tos);
    n_seen++;
    if (g == NULL)
        return;
    struct flow_tuple client = ends_given(g);
    struct flow_tuple server = {outer->src, outer->dst, 0, 0};
    ASSERT(!outer->was_cut || g->may_be_cut || (!is_v4 && bytes <= IP6_MTU_MIN));
    ASSERT(ip_addr_eq(&p.src, &g->src) && ip_addr_eq(&p.dst, &g->dst));
    check_passed(&p, g);
    ASSERT(g->is_odd || (p.bytes == g->bytes && memcmp(p.upper, g->upper, g->bytes) == 0));
    l4_book_note(p.proto, &client, &server);
}

/* What is told quotes what its receiver sent to whom it comes from. */
static void see_error(const struct packet *p)
{
    bool is_v4 = ip_addr_is_v4(&p->src);
    uint8_t type = p->upper[0];
    const uint8_t *quote = p->upper + 8;
    ASSERT(p->bytes >= 8 && is_cksum_good(p));
    if (is_v4 ? (type != 3 && type != 11 && type != 12) : type == 0 || type > 4)
        return;
    ASSERT(p->bytes >= 8 + (is_v4 ? 28 : 48));
    struct ip_addr src = is_v4 ? ip_addr_from_v4(quote + 12) : ip_addr_from_v6(quote + 8);
    struct ip_addr dst = is_v4 ? ip_addr_from_v4(quote + 16) : ip_addr_from_v6(quote + 24);
    ASSERT(ip_addr_eq(&src, &p->dst) && (ip_addr_eq(&dst, &p->src) || is_lenient));
    if (is_v4 && type == 3 && p->upper[1] == 4)
        ASSERT(frame_get16(p->upper + 6) >= 68);
    if (!is_v4 && type == 2)
        ASSERT(frame_get32(p->upper + 4) >= 1280);
}

static void see_gue(const struct packet *p)
{
    ASSERT(p->bytes > 12 && frame_get16(p->upper + 4) == p->bytes && is_cksum_good(p));
    ASSERT(frame_get16(p->upper) >= 49152 && frame_get16(p->upper + UDP_CKSUM_AT) != 0);
    ASSERT(p->upper[8] == 0 && (p->upper[9] == 4 || p->upper[9] == 41));
    ASSERT(frame_get16(p->upper + 10) == 0 && (p->upper[9] == 4) == (p->upper[12] >> 4 == 4));
    see_carried(p, p->upper + 12, p->bytes - 12);
}

/* Segments of tcp's own, and datagrams that are too short for a number. */
static void see_unknown(const struct packet *p)
{
    bool is_short = p->proto == IPPROTO_NUM_UDP && p->bytes < 12;
    n_seen += is_short;
    if (p->proto == IPPROTO_NUM_TCP) {
        struct flow_tuple client = ends_of(p);
        l4_cookies_down(&client, p->upper);
    }
    ASSERT(is_lenient || is_short || (p->proto == IPPROTO_NUM_TCP && is_cksum_good(p)));
}

static void see_whole(const struct packet *p)
{
    bool is_to_back = l4_world_is_endpoint(&p->dst);
    bool is_tcp = p->proto == IPPROTO_NUM_TCP, is_udp = p->proto == IPPROTO_NUM_UDP;
    ASSERT(l4_world_is_ours(&p->src) || p->proto == IPPROTO_NUM_ICMP6);
    if (p->proto == IPPROTO_NUM_ICMP4 || p->proto == IPPROTO_NUM_ICMP6) {
        see_error(p);
        return;
    }
    if (is_to_back && (p->proto == 4 || p->proto == 41)) {
        see_carried(p, p->upper, p->bytes);
        return;
    }
    ASSERT(is_tcp || is_udp); /* nothing else is ever sent */
    ASSERT(p->bytes >= (is_tcp ? 20 : 8));
    uint16_t dst_port = frame_get16(p->upper + 2);
    if (is_to_back && is_udp && dst_port == GUE_PORT)
        see_gue(p);
    else if (is_to_back && dst_port == L4_WORLD_BACK_PORT && !see_down(p))
        see_up(p);
    else if (!is_to_back && !see_down(p))
        see_unknown(p);
}

/* One more piece; the last one makes it whole. Others than the next end it. */
static void see_piece(const struct packet *p, uint32_t id, uint32_t offset, bool has_more)
{
    bool is_next = offset == pieces.end && pieces.id == id && offset > 0 &&
                   ip_addr_eq(&p->src, &pieces.packet.src) &&
                   ip_addr_eq(&p->dst, &pieces.packet.dst) && p->proto == pieces.packet.proto;
    if (offset == 0) {
        pieces.packet = *p;
        pieces.id = id;
        pieces.end = 0;
        is_next = true;
    }
    if (!is_next || pieces.end + p->bytes > WHOLE_BYTES) {
        pieces.end = 0;
        is_lenient = true; /* it is not seen whole, and so not counted */
        return;
    }
    ASSERT(!has_more || p->bytes % 8 == 0);
    memcpy(pieces.upper + pieces.end, p->upper, p->bytes);
    pieces.end += p->bytes;
    if (has_more)
        return;
    pieces.packet.upper = pieces.upper;
    pieces.packet.bytes = pieces.end;
    pieces.packet.was_cut = true;
    pieces.end = 0;
    see_whole(&pieces.packet);
}

static void see_ip4(const uint8_t *ip, size_t len)
{
    ASSERT(len >= 20 && ip[0] == 0x45 && cksum_is_good(cksum_add(0, ip, 20)));
    ASSERT(frame_get16(ip + 2) == len);
    struct packet p = {.src = ip_addr_from_v4(ip + 12),
                       .dst = ip_addr_from_v4(ip + 16),
                       .proto = ip[9],
                       .tos = ip[1],
                       .hops = ip[8],
                       .upper = ip + 20,
                       .bytes = (uint32_t)len - 20};
    uint32_t field = frame_get16(ip + 6);
    if ((field & IP4_FRAGMENT_MASK) != 0)
        see_piece(&p, frame_get16(ip + 4), (field & IP4_FRAGMENT_OFFSET) * 8,
                  (field & IP4_MORE_FRAGMENTS) != 0);
    else
        see_whole(&p);
}

static void see_ip6(const uint8_t *ip, size_t len)
{
    ASSERT(len >= 40 && ip[0] >> 4 == 6 && frame_get16(ip + 4) + 40u == len);
    struct packet p = {.src = ip_addr_from_v6(ip + 8),
                       .dst = ip_addr_from_v6(ip + 24),
                       .proto = ip[6],
                       .tos = (uint8_t)(frame_get16(ip) >> 4),
                       .hops = ip[7],
                       .upper = ip + 40,
                       .bytes = (uint32_t)len - 40};
    bool is_discovery = p.proto == IPPROTO_NUM_ICMP6 && p.upper[0] >= 130;
    if (is_discovery || p.proto == IPPROTO_NUM_HOP_BY_HOP) /* and reports of groups */
        return;
    if (p.proto != IPPROTO_NUM_FRAGMENT) {
        see_whole(&p);
        return;
    }
    uint32_t field = frame_get16(p.upper + 2);
    uint32_t id = frame_get32(p.upper + 4);
    p.proto = p.upper[0];
    p.upper += 8;
    p.bytes -= 8;
    see_piece(&p, id, field & IP6_FRAGMENT_OFFSET, (field & 1) != 0);
}

void l4_oracle_see(const uint8_t *frame, size_t len)
{
    uint16_t type = frame_get16(frame + 12);
    if (type == ETHERTYPE_ARP)
        return;
    ASSERT(type == ETHERTYPE_IP4 || type == ETHERTYPE_IP6);
    ASSERT(len - 14 <= l4_world_mtu() || is_lenient);
    if ((frame[0] & 1) == 0) {
        struct ip_addr to =
            type == ETHERTYPE_IP4 ? ip_addr_from_v4(frame + 30) : ip_addr_from_v6(frame + 38);
        ASSERT(is_lenient || (frame[4] == 1 && frame[5] == l4_world_next_hop(&to)));
    }
    if (type == ETHERTYPE_IP4)
        see_ip4(frame + 14, len - 14);
    else
        see_ip6(frame + 14, len - 14);
}

void l4_oracle_count(void)
{
    uint64_t sent = stack_stat(STAT_l4_tx), lost = stack_stat(STAT_net_tx_waiting_now);
    for (unsigned id = 0; id < STAT_COUNT; id++) {
        if (strncmp(stat_name(id), "net_drop_tx_", 12) == 0)
            lost += stack_stat(id);
    }
    ASSERT(is_lenient || (n_seen <= sent && n_seen + n_maybe + lost >= sent));
}
