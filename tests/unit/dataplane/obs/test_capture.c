/* SPDX-License-Identifier: Apache-2.0 */
/* The capture's side of the worker: whose frame it is, and the copy that is made of it. */
#include "obs/capture.h"
#include "obs/hub.h"
#include "unit.h"
#include "unit_eal.h"

#include <netinet/in.h>
#include <rte_mbuf.h>
#include <string.h>

/* An ethernet frame in the making. */
static uint8_t frame[256];
static size_t len;

static void put(const void *bytes, size_t n)
{
    memcpy(frame + len, bytes, n);
    len += n;
}

static void ether(unsigned tags, uint16_t type)
{
    uint8_t tag[4] = {0x81, 0, 0, 5};
    uint8_t type_bytes[2] = {(uint8_t)(type >> 8), (uint8_t)type};
    len = 0;
    put("\x02\0\0\0\0\x01\x02\0\0\0\0\x02", 12);
    for (unsigned i = 0; i < tags; i++)
        put(tag, 4);
    put(type_bytes, 2);
}

static void ip4(uint8_t protocol, uint16_t offset)
{
    uint8_t ip[20] = {0x45,
                      0,
                      0,
                      40,
                      0,
                      0,
                      (uint8_t)(offset >> 8),
                      (uint8_t)offset,
                      64,
                      protocol,
                      0,
                      0,
                      198,
                      18,
                      0,
                      1,
                      198,
                      18,
                      0,
                      2};
    put(ip, sizeof(ip));
}

static void ip6(uint8_t next)
{
    uint8_t ip[40] = {0x60, 0, 0, 0, 0, 20, next, 64, 0x20, 0x01, 0x0d, 0xb8};
    ip[23] = 1;
    memcpy(ip + 24, ip + 8, 16);
    ip[39] = 2;
    put(ip, sizeof(ip));
}

static void ports(void)
{
    put("\x9c\x40\0\x50", 4); /* 40000 to 80 */
}

static bool read_frame(struct obs_frame *ret)
{
    return obs_frame_read(frame, len, ret);
}

TEST(addresses_ports_and_protocol_are_found_behind_tags_and_extension_headers)
{
    struct obs_frame f;
    for (unsigned tags = 0; tags <= 2; tags++) {
        ether(tags, 0x0800);
        ip4(IPPROTO_TCP, 0);
        ports();
        REQUIRE(read_frame(&f));
        CHECK(f.protocol == IPPROTO_TCP && f.src_port == 40000 && f.dst_port == 80);
        CHECK(f.src.bytes[15] == 1 && f.dst.bytes[15] == 2);
        ether(tags, 0x86dd);
        ip6(IPPROTO_HOPOPTS);
        put("\x3c\0\0\0\0\0\0\0", 8);                    /* then destination options */
        put("\x11\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16); /* then UDP */
        ports();
        REQUIRE(read_frame(&f));
        CHECK(f.protocol == IPPROTO_UDP && f.src_port == 40000 && f.dst_port == 80);
        CHECK(f.src.bytes[15] == 1 && f.dst.bytes[15] == 2);
    }
}

TEST(later_fragments_and_icmp_have_no_ports_and_arp_is_no_ip)
{
    struct obs_frame f;
    ether(0, 0x0800);
    ip4(IPPROTO_UDP, 100);
    ports();
    CHECK(read_frame(&f) && f.src_port == 0 && f.protocol == IPPROTO_UDP);
    ether(0, 0x0800);
    ip4(IPPROTO_ICMP, 0);
    ports();
    CHECK(read_frame(&f) && f.src_port == 0 && f.protocol == IPPROTO_ICMP);
    ether(0, 0x86dd);
    ip6(IPPROTO_FRAGMENT);
    put("\x06\0\x01\0\0\0\0\0", 8);
    ports();
    CHECK(read_frame(&f) && f.src_port == 0 && f.protocol == IPPROTO_TCP);
    ether(0, 0x0806);
    CHECK(!read_frame(&f));
}

TEST(a_frame_that_is_cut_anywhere_is_read_within_its_end)
{
    struct obs_frame f;
    ether(1, 0x86dd);
    ip6(IPPROTO_HOPOPTS);
    put("\x06\0\0\0\0\0\0\0", 8);
    ports();
    for (size_t n = 0; n <= len; n++) {
        uint8_t *exact = malloc(n + 1); /* a sanitizer sees each byte beyond */
        memcpy(exact, frame, n);
        bool is_ip = obs_frame_read(exact, n, &f);
        CHECK_EQ(is_ip, n >= 58);
        CHECK_EQ(f.src_port, n == len ? 40000 : 0);
        free(exact);
    }
}

static struct obs_hub *hub;
static struct obs eye;
static struct rte_mempool *pool;

static struct control_observe request_of(uint16_t port, uint32_t snap_bytes)
{
    struct control_observe r = {.kind = OBSERVE_CAPTURE,
                                .workers = 1,
                                .ports = UINT32_MAX,
                                .snap_bytes = snap_bytes,
                                .records_max = UINT64_MAX,
                                .bytes_max = UINT64_MAX,
                                .ms_max = 1000,
                                .n_matches = port != 0};
    r.matches[0].a.port = port;
    return r;
}

static unsigned begin(const struct control_observe *request)
{
    unsigned slot = 99;
    REQUIRE(obs_hub_begin(hub, request, &slot));
    obs_poll(&eye);
    return slot;
}

static void up(void)
{
    unit_eal_init();
    if (pool == NULL)
        pool = rte_pktmbuf_pool_create("capture", 63, 0, 0, 2048, SOCKET_ID_ANY);
    REQUIRE(pool != NULL);
    hub = obs_hub_new(1);
    obs_join(hub, 0, &eye);
}

static void down(void)
{
    CHECK_EQ(rte_mempool_avail_count(pool), 63); /* nothing was kept or freed twice */
    obs_hub_free(hub);
}

/* The frame in the making as a chain of two. */
static struct rte_mbuf *chained(void)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    struct rte_mbuf *rest = rte_pktmbuf_alloc(pool);
    memcpy(rte_pktmbuf_append(m, 60), frame, 60);
    memcpy(rte_pktmbuf_append(rest, (uint16_t)(len - 60)), frame + 60, len - 60);
    rte_pktmbuf_chain(m, rest);
    return m;
}

static void tcp_frame(void)
{
    ether(0, 0x0800);
    ip4(IPPROTO_TCP, 0);
    ports();
    for (unsigned i = 0; i < 100; i++)
        frame[len++] = (uint8_t)i;
}

TEST(a_copy_is_whole_or_as_long_as_was_asked_and_the_frame_stays_as_it_is)
{
    up();
    struct control_observe all = request_of(80, OBSERVE_SNAP_BYTES_MAX);
    struct control_observe head = request_of(0, 70);
    unsigned slots[2] = {begin(&all), begin(&head)};
    tcp_frame();
    struct rte_mbuf *m = chained();
    obs_capture(&eye, m, 3, true, 1234);
    CHECK_EQ(m->pkt_len, len);
    rte_pktmbuf_free(m);
    for (unsigned i = 0; i < 2; i++) {
        const struct observe_frame *f = (const struct observe_frame *)obs_hub_peek(hub, slots[i]);
        REQUIRE(f != NULL);
        CHECK_EQ(f->head.time_us, 1234);
        CHECK_EQ(f->frame_bytes, len);
        CHECK_EQ(f->captured_bytes, i == 0 ? len : 70);
        CHECK(f->port == 3 && f->is_out == 1);
        CHECK_EQ(memcmp(f->data, frame, f->captured_bytes), 0);
    }
    down();
}

/* Is a received frame on port 0 captured? */
static bool is_captured(const struct control_observe *request)
{
    unsigned slot = begin(request);
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    memcpy(rte_pktmbuf_append(m, (uint16_t)len), frame, len);
    obs_capture(&eye, m, 0, false, 1);
    rte_pktmbuf_free(m);
    bool has = obs_hub_peek(hub, slot) != NULL;
    obs_hub_release(hub, slot);
    obs_poll(&eye);
    return has;
}

TEST(port_protocol_and_match_choose)
{
    up();
    tcp_frame();
    struct control_observe r = request_of(80, 100);
    CHECK(is_captured(&r));
    r.protocol = IPPROTO_UDP;
    CHECK(!is_captured(&r));
    r.protocol = IPPROTO_TCP;
    CHECK(is_captured(&r));
    r.ports = 1u << 1;
    CHECK(!is_captured(&r));
    r = request_of(81, 100);
    CHECK(!is_captured(&r));
    ether(0, 0x0806); /* ARP: for those who ask for everything */
    put("\0\x01\x08\0\x06\x04\0\x01\x02\0\0\0\0\x02\xc6\x12\0\x01\0\0\0\0\0\0\xc6\x12\0\x02", 28);
    r = request_of(80, 100);
    CHECK(!is_captured(&r));
    r = request_of(0, 100);
    CHECK(is_captured(&r));
    r.protocol = IPPROTO_TCP;
    CHECK(!is_captured(&r));
    down();
}

UNIT_MAIN("obs/capture",
          T(addresses_ports_and_protocol_are_found_behind_tags_and_extension_headers),
          T(later_fragments_and_icmp_have_no_ports_and_arp_is_no_ip),
          T(a_frame_that_is_cut_anywhere_is_read_within_its_end),
          T(a_copy_is_whole_or_as_long_as_was_asked_and_the_frame_stays_as_it_is),
          T(port_protocol_and_match_choose))
