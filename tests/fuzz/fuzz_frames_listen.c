/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames into a stack that listens, on two families, a VLAN, and with a handshake that the fuzzer
 * may finish: whatever comes, nothing is left of it, and honest clients are served afterwards.
 */
#include "fuzz.h"
#include "seed.h"
#include "stack.h"
#include "talk.h"
#include "tcp/tcp_types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    stack_up();
    talk(data, size);
    stack_expect_service();
    stack_down();
    return 0;
}

/* A SYN as a frame, then the fuzzer's own answers to what comes back. */
static void handshake(struct seed *s, bool is_v6, uint16_t vlan, bool to_vip)
{
    static const uint8_t options[] = {2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0,
                                      1, 0, 0,    0,    0, 0, 3, 3,  5};
    struct frame_ends ends = stack_ends(is_v6, 9);
    ends.vlan = vlan;
    if (vlan != 0) {
        ip_addr_parse("198.18.1.9", &ends.src);
        ip_addr_parse("198.18.1.1", &ends.dst);
    } else if (to_vip) {
        ip_addr_parse(is_v6 ? "2001:db8:9::80" : "198.18.9.80", &ends.dst);
    }
    struct frame_tcp syn = {.src_port = 40000,
                            .dst_port = STACK_PORT,
                            .seq = 100,
                            .flags = TCP_SYN,
                            .window = 65535,
                            .options = options,
                            .options_bytes = to_vip ? sizeof(options) : 4};
    seed_tcp(s, &ends, &syn);
    seed_answer(s, TCP_ACK, 0, 0, 0);
    seed_answer(s, TCP_ACK | TCP_PSH, 0, 0, 40);
    seed_time(s, 100);
    seed_answer(s, TCP_ACK | TCP_FIN, 0, 0, 0);
    seed_time(s, 200);
}

size_t fuzz_seed(unsigned n, uint8_t *ret)
{
    struct seed s = {.bytes = ret};
    struct frame_ends ends = stack_ends((n & 1) != 0, 9);
    uint8_t frame[FRAME_BYTES_MAX];
    switch (n) {
    case 0:
    case 1:
        handshake(&s, n == 1, 0, false);
        break;
    case 2:
        handshake(&s, false, 7, false);
        break;
    case 3:
    case 4:
        handshake(&s, n == 3, 0, true);
        break;
    case 5: /* a question for our MAC, an echo request, a datagram nobody wants */
        seed_frame(&s, frame, frame_make_nd(frame, &ends, 135, 0, &ends.dst));
        seed_frame(&s, frame, frame_make_icmp(frame, &ends, 128, 0, 1, "ping", 4));
        seed_frame(&s, frame, frame_make_ip(frame, &ends, 17, "\0\7\0\7\0\14\0\0abcd", 12));
        break;
    case 6:
        seed_frame(&s, frame, frame_make_arp(frame, &ends, 1));
        seed_frame(&s, frame, frame_make_icmp(frame, &ends, 8, 0, 1, "ping", 4));
        seed_frame(&s, frame, frame_make_fragment(frame, &ends, 17, 5, 0, true, NULL, 64));
        seed_frame(&s, frame, frame_make_fragment(frame, &ends, 17, 5, 64, false, NULL, 9));
        break;
    }
    return s.len;
}
