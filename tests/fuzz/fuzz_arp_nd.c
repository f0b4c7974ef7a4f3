/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ARP and neighbour discovery from anybody about anything: tables stay within their bounds, none of
 * our addresses is anybody else's, and honest clients are served.
 *
 *   input: records of 8 bytes: kind, sender address, target address, sender MAC, flags, patch (2),
 *          time
 */
#include "base/assert.h"
#include "cursor.h"
#include "frame.h"
#include "fuzz.h"
#include "net/neighbour.h"
#include "net/net_priv.h"
#include "stack.h"

#include <string.h>

#define RECORDS_MAX 200u

/* Ours, peers, the gateway's, off the link, groups, nobody. */
static struct ip_addr address(bool is_v6, uint8_t byte)
{
    static const char *const v4[] = {"198.18.0.1", "198.18.9.80", "198.18.0.0", "198.18.0.255",
                                     "198.18.1.1", "224.0.0.1",   "0.0.0.0",    "127.0.0.1"};
    static const char *const v6[] = {
        "2001:db8::1", "2001:db8:9::80", "fe80::ff:fe00:1", "fe80::9", "ff02::1",
        "::",          "ff02::1:ff00:1", "2001:db8:7::1"};
    struct ip_addr a = stack_ends(is_v6, byte).src; /* somebody on the link */
    if (byte >= 192)
        ip_addr_parse((is_v6 ? v6 : v4)[byte % 8], &a);
    return a;
}

static void send_one(struct cursor *c)
{
    uint8_t frame[FRAME_BYTES_MAX];
    uint8_t kind = take8(c);
    bool is_v6 = (kind & 1) != 0;
    struct frame_ends ends = stack_ends(is_v6, 9);
    ends.src = address(is_v6, take8(c));
    ends.dst = address(is_v6, take8(c));
    uint8_t mac = take8(c);
    ends.src_mac.bytes[5] = mac;
    if (mac >= 250)
        memset(&ends.src_mac, mac == 250 ? 0xff : mac == 251 ? 0 : 1, sizeof(ends.src_mac));
    if ((kind & 2) != 0)
        memset(&ends.dst_mac, 0xff, sizeof(ends.dst_mac));
    uint32_t flags = (uint32_t)take8(c) << 24;
    size_t len;
    if (is_v6) {
        struct ip_addr target = ends.dst;
        if ((kind & 8) != 0)
            target = ends.src;
        len = frame_make_nd(frame, &ends, (kind & 4) != 0 ? 135 : 136, flags, &target);
    } else {
        len = frame_make_arp(frame, &ends, (kind & 4) != 0 ? 1 : 2);
    }
    uint8_t at = take8(c);
    uint8_t what = take8(c);
    if (at != 0)
        frame[at % len] = what;
    frame_close(frame, len);
    stack_frame(frame, len);
    uint64_t t = take8(c);
    stack_pass(t * t * t);
}

/* Nobody else has an address of ours. */
static void check_ours(void)
{
    for (uint32_t i = 0; i < stack.net->now->n_ifaces; i++) {
        for (unsigned b = 192; b < 195; b++) {
            for (int is_v6 = 0; is_v6 < 2; is_v6++) {
                struct ip_addr a = address(is_v6, (uint8_t)b);
                if (net_is_local(stack.net, &a))
                    ASSERT(neighbour_find(stack.net, &stack.net->now->ifaces[i], &a) == NULL);
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor c = {data, size};
    stack_up();
    for (unsigned i = 0; i < RECORDS_MAX && !cursor_is_done(&c); i++)
        send_one(&c);
    check_ours();
    stack_expect_service();
    stack_down();
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *ret)
{
    static const uint8_t seeds[][24] = {
        {4, 9, 192, 9, 0, 0, 0, 0, 0, 9, 192, 9, 0, 0, 0, 200},      /* ask, answer */
        {5, 9, 192, 9, 0, 0, 0, 0, 9, 9, 192, 9, 0x60, 0, 0, 200},   /* the same, IPv6 */
        {0, 192, 9, 66, 0, 0, 0, 0, 9, 192, 9, 66, 0x20, 0, 0, 100}, /* claims our address */
        {4, 50, 192, 50, 0, 0, 0, 0, 0, 50, 192, 51, 0, 0, 0, 0, 0, 50, 192, 52, 0, 0, 0, 250},
        {13, 197, 192, 9, 0, 0, 0, 0, 13, 195, 198, 9, 0, 46, 2, 0, 9, 9, 196, 9, 0xa0, 54, 8, 9},
    };
    if (n >= sizeof(seeds) / sizeof(seeds[0]))
        return 0;
    memcpy(ret, seeds[n], sizeof(seeds[n]));
    return sizeof(seeds[n]);
}
