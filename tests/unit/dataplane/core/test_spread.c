/* SPDX-License-Identifier: Apache-2.0 */
/* dataplane/core/spread: the published Toeplitz vectors, and what counts as which flow. */
#include "base/container.h"
#include "base/rng.h"
#include "core/spread.h"
#include "unit.h"

#include <rte_thash.h>
#include <string.h>

/* "Verifying the RSS Hash Calculation", Microsoft: destination, source, hashes with ports. */
static const struct {
    const char *src;
    const char *dst;
    uint16_t src_port;
    uint16_t dst_port;
    uint32_t hash;
} vectors[] = {
    {"66.9.149.187", "161.142.100.80", 2794, 1766, 0x51ccc178},
    {"199.92.111.2", "65.69.140.83", 14230, 4739, 0xc626b0ea},
    {"24.19.198.95", "12.22.207.184", 12898, 38024, 0x5c2b394a},
    {"38.27.205.30", "209.142.163.6", 48228, 2217, 0xafc7327f},
    {"153.39.163.191", "202.188.127.2", 44251, 1303, 0x10e828a2},
    {"3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 2794, 1766, 0x40207d3d},
    {"3ffe:501:8::260:97ff:fe40:efab", "ff02::1", 14230, 4739, 0xdde51bbf},
    {"3ffe:1900:4545:3:200:f8ff:fe21:67cf", "fe80::200:f8ff:fe21:67cf", 44251, 38024, 0x02d1feef},
};

TEST(the_published_vectors_give_their_buckets)
{
    uint8_t worker_of[256];
    struct spread s;
    for (unsigned i = 0; i < sizeof(worker_of); i++)
        worker_of[i] = (uint8_t)i; /* as if there were 256 workers: the worker is the hash's end */
    spread_init_device(&s, spread_default_key.bytes, worker_of, sizeof(worker_of));
    for (unsigned i = 0; i < array_len(vectors); i++) {
        struct ip_addr src;
        struct ip_addr dst;
        struct spread_tuple t;
        REQUIRE(ip_addr_parse(vectors[i].src, &src) && ip_addr_parse(vectors[i].dst, &dst));
        spread_tuple_of(&src, &dst, vectors[i].src_port, vectors[i].dst_port, &t);
        CHECK_EQ(spread_worker(&s, &t), vectors[i].hash & 0xff);
        CHECK_EQ(spread_hash(&s, &t), vectors[i].hash);
        CHECK_EQ(rte_softrss(t.words, t.n, spread_default_key.bytes), vectors[i].hash);
    }
}

TEST(every_worker_gets_its_share_of_random_flows)
{
    for (unsigned workers = 1; workers <= 7; workers++) {
        struct spread s;
        struct rng rng = {.state = workers};
        unsigned got[8] = {0};
        spread_init(&s, workers);
        for (unsigned i = 0; i < 7000; i++) {
            uint32_t random[2] = {(uint32_t)rng_next(&rng), (uint32_t)rng_next(&rng)};
            struct ip_addr src = ip_addr_from_v4(&random[0]);
            struct ip_addr dst = ip_addr_from_v4("\x0a\x00\x00\x01");
            struct spread_tuple t;
            spread_tuple_of(&src, &dst, (uint16_t)random[1], 80, &t);
            got[spread_worker(&s, &t)]++;
        }
        for (unsigned i = 0; i < workers; i++)
            CHECK(got[i] > 7000 / workers * 8 / 10 && got[i] < 7000 / workers * 12 / 10 + 1);
    }
}

/* A frame under construction. */
struct frame {
    uint8_t bytes[256];
    size_t len;
};

static void add(struct frame *f, const char *bytes, size_t len)
{
    memcpy(f->bytes + f->len, bytes, len);
    f->len += len;
}

#define ADD(f, literal) add(f, literal, sizeof(literal) - 1)
#define MACS "\x02\0\0\0\0\1\x02\0\0\0\0\2"
#define IP4(frag, proto)                                                                           \
    "\x45\0\0\x28\0\0" frag "\x40" proto "\0\0"                                                    \
    "\x42\x09\x95\xbb\xa1\x8e\x64\x50"
#define PORTS "\x0a\xea\x06\xe6"
#define IP6(next)                                                                                  \
    "\x60\0\0\0\0\x20" next "\x40"                                                                 \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"                                                     \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2"

static enum spread_class classify(const struct frame *f, struct spread_tuple *ret)
{
    return spread_classify(f->bytes, f->len, ret);
}

TEST(a_tag_or_two_do_not_change_the_tuple)
{
    static const char tags[] = "\x88\xa8\0\5\x81\0\0\7";
    struct spread_tuple want;
    struct ip_addr src;
    struct ip_addr dst;
    ip_addr_parse("66.9.149.187", &src);
    ip_addr_parse("161.142.100.80", &dst);
    spread_tuple_of(&src, &dst, 2794, 1766, &want);
    for (unsigned n_tags = 0; n_tags <= 2; n_tags++) {
        struct frame f = {.len = 0};
        struct spread_tuple t;
        ADD(&f, MACS);
        add(&f, tags, n_tags * 4);
        ADD(&f, "\x08\0" IP4("\x40\0", "\6") PORTS);
        CHECK_EQ(classify(&f, &t), SPREAD_FLOW);
        CHECK_EQ(t.n, 3);
        CHECK(memcmp(t.words, want.words, 12) == 0);
    }
}

TEST(all_fragments_of_a_packet_meet_at_one_worker)
{
    struct frame first = {.len = 0};
    struct frame last = {.len = 0};
    struct spread_tuple a;
    struct spread_tuple b;
    ADD(&first, MACS "\x08\0" IP4("\x20\0", "\x11") PORTS);
    ADD(&last, MACS "\x08\0" IP4("\0\x10", "\x11") "abcd");
    CHECK_EQ(classify(&first, &a), SPREAD_FLOW);
    CHECK_EQ(classify(&last, &b), SPREAD_FLOW);
    CHECK_EQ(a.n, 2);
    CHECK_EQ(b.n, 2);
    CHECK(memcmp(a.words, b.words, 8) == 0);

    struct frame six = {.len = 0};
    ADD(&six, MACS "\x86\xdd" IP6("\x2c") "\6\0\0\1\0\0\0\1" PORTS);
    CHECK_EQ(classify(&six, &a), SPREAD_FLOW);
    CHECK_EQ(a.n, 8);
}

TEST(ports_are_found_behind_ipv6_extension_headers)
{
    struct frame f = {.len = 0};
    struct spread_tuple t;
    ADD(&f, MACS "\x86\xdd" IP6("\0") "\x3c\0\1\4\0\0\0\0"
                                      "\6\1\1\4\0\0\0\0\0\0\0\0\0\0\0\0" PORTS);
    CHECK_EQ(classify(&f, &t), SPREAD_FLOW);
    CHECK_EQ(t.n, 9);
    CHECK_EQ(t.words[8], 2794u << 16 | 1766);
}

TEST(arp_and_neighbour_discovery_are_to_learn_from)
{
    struct frame arp = {.len = 0};
    struct spread_tuple t;
    ADD(&arp, MACS "\x08\x06\0\1");
    CHECK_EQ(classify(&arp, &t), SPREAD_LEARN);
    for (unsigned type = 0; type < 256; type++) {
        struct frame nd = {.len = 0};
        ADD(&nd, MACS "\x86\xdd" IP6("\x3a") "\0\0\0\0\0\0\0\0");
        nd.bytes[54] = (uint8_t)type;
        bool is_learned = type == 130 || (type >= 133 && type <= 137);
        CHECK_EQ(classify(&nd, &t), is_learned ? SPREAD_LEARN : SPREAD_STAY);
    }
}

/* The tuple of 66.9.149.187:2794 -> 161.142.100.80:1766, as a frame of it would give. */
static void flow_tuple(struct spread_tuple *ret)
{
    struct frame f = {.len = 0};
    ADD(&f, MACS "\x08\0" IP4("\0\0", "\6") PORTS);
    CHECK_EQ(classify(&f, ret), SPREAD_FLOW);
}

TEST(an_icmp_error_goes_where_the_flow_goes_that_it_quotes)
{
    struct spread_tuple want;
    struct spread_tuple t;
    flow_tuple(&want);
    for (unsigned type = 0; type < 256; type++) {
        struct frame f = {.len = 0};
        ADD(&f, MACS "\x08\0" IP4("\0\0", "\1") "\0\4\0\0\0\0\5\0");
        f.bytes[34] = (uint8_t)type;
        /* What we sent: from 161.142.100.80:1766. */
        ADD(&f, "\x45\0\0\x28\0\0\x40\0\x40\6\0\0"
                "\xa1\x8e\x64\x50\x42\x09\x95\xbb"
                "\x06\xe6\x0a\xea\0\0\0\0");
        bool is_error = type == 3 || type == 11 || type == 12;
        CHECK_EQ(classify(&f, &t), is_error ? SPREAD_QUOTE : SPREAD_STAY);
        CHECK(!is_error || (t.n == want.n && memcmp(t.words, want.words, 12) == 0));
    }
}

TEST(an_icmpv6_error_goes_where_the_flow_goes_that_it_quotes)
{
    struct frame flow = {.len = 0};
    struct frame error = {.len = 0};
    struct spread_tuple want;
    struct spread_tuple t;
    ADD(&flow, MACS "\x86\xdd" IP6("\6") PORTS);
    CHECK_EQ(classify(&flow, &want), SPREAD_FLOW);
    ADD(&error, MACS "\x86\xdd" IP6("\x3a") "\2\0\0\0\0\0\5\0");
    ADD(&error, "\x60\0\0\0\0\x20\6\x40"
                "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
                "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
                "\x06\xe6\x0a\xea\0\0\0\0");
    CHECK_EQ(classify(&error, &t), SPREAD_QUOTE);
    CHECK_EQ(t.n, want.n);
    CHECK(memcmp(t.words, want.words, 36) == 0);
    for (error.len = 54; error.len < 106; error.len++) /* the quote is cut */
        CHECK_EQ(classify(&error, &t), SPREAD_STAY);
}

/* A quote of a packet to 10.0.0.9 from 10.0.0.1, of `proto`. */
#define OUTER(proto)                                                                               \
    "\x45\0\0\x60\0\0\x40\0\x40" proto "\0\0"                                                      \
    "\x0a\0\0\1\x0a\0\0\x09"

TEST(an_error_about_a_packet_that_carried_another_goes_where_the_flow_of_that_one_goes)
{
    static const struct {
        const char *outer;
        size_t bytes;
    } ways[] = {
        {OUTER("\x04"), 20}, {OUTER("\x11") "\xc0\1\x17\xc0\0\x4c\0\0\0\4\0\0", 32}, /* GUE */
    };
    struct spread_tuple want, t;
    flow_tuple(&want);
    for (unsigned i = 0; i < array_len(ways); i++) {
        struct frame f = {.len = 0};
        ADD(&f, MACS "\x08\0" IP4("\0\0", "\1") "\3\4\0\0\0\0\5\0");
        add(&f, ways[i].outer, ways[i].bytes);
        ADD(&f, "\x45\0\0\x28\0\0\x40\0\x40\6\0\0"
                "\x42\x09\x95\xbb\xa1\x8e\x64\x50" PORTS);
        CHECK_EQ(classify(&f, &t), SPREAD_QUOTE);
        CHECK(t.n == want.n && memcmp(t.words, want.words, 12) == 0);
        f.len = 34 + 8 + ways[i].bytes + 20 + 3; /* the ports are cut */
        CHECK(classify(&f, &t) == SPREAD_STAY || t.words[0] != want.words[0]);
    }
}

TEST(other_protocols_and_cut_frames_stay_where_they_are)
{
    struct frame icmp = {.len = 0};
    struct frame tcp = {.len = 0};
    struct frame six = {.len = 0};
    struct spread_tuple t;
    ADD(&icmp, MACS "\x08\0" IP4("\0\0", "\1") "\x08\0\0\0");
    CHECK_EQ(classify(&icmp, &t), SPREAD_STAY);
    ADD(&tcp, MACS "\x81\0\0\7\x08\0" IP4("\0\0", "\6") PORTS);
    for (tcp.len = 0; tcp.len < 42; tcp.len++)
        CHECK_EQ(classify(&tcp, &t), SPREAD_STAY);
    ADD(&six, MACS "\x86\xdd" IP6("\0") "\6\0\1\4\0\0\0\0" PORTS);
    for (six.len = 0; six.len < 66; six.len++)
        CHECK_EQ(classify(&six, &t), SPREAD_STAY);
}

TEST(random_bytes_never_read_past_the_end)
{
    struct rng rng = {.state = 99};
    static const uint8_t types[][2] = {{8, 0}, {8, 6}, {0x86, 0xdd}, {0x81, 0}};
    for (unsigned round = 0; round < 200000; round++) {
        uint8_t bytes[128]; /* the sanitizers watch its end */
        size_t len = rng_below(&rng, sizeof(bytes) + 1);
        struct spread_tuple t;
        for (size_t i = 0; i < sizeof(bytes); i += 8) {
            uint64_t r = rng_next(&rng);
            memcpy(bytes + i, &r, 8);
        }
        memcpy(bytes + 12, types[rng_below(&rng, 4)], 2);
        if (round % 2 == 0)
            bytes[14] = bytes[12] == 8 ? 0x45 : 0x60;
        uint8_t *tail = bytes + sizeof(bytes) - len;
        memmove(tail, bytes, len);
        enum spread_class class = spread_classify(tail, len, &t);
        CHECK(class != SPREAD_FLOW || t.n == 2 || t.n == 3 || t.n == 8 || t.n == 9);
        CHECK(class != SPREAD_QUOTE || t.n == 3 || t.n == 9);
    }
}

UNIT_MAIN("spread", T(the_published_vectors_give_their_buckets),
          T(every_worker_gets_its_share_of_random_flows), T(a_tag_or_two_do_not_change_the_tuple),
          T(all_fragments_of_a_packet_meet_at_one_worker),
          T(ports_are_found_behind_ipv6_extension_headers),
          T(arp_and_neighbour_discovery_are_to_learn_from),
          T(an_icmp_error_goes_where_the_flow_goes_that_it_quotes),
          T(an_icmpv6_error_goes_where_the_flow_goes_that_it_quotes),
          T(an_error_about_a_packet_that_carried_another_goes_where_the_flow_of_that_one_goes),
          T(other_protocols_and_cut_frames_stay_where_they_are),
          T(random_bytes_never_read_past_the_end))
