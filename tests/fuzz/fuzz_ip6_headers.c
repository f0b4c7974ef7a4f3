/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chains of IPv6 extension headers in front of a SYN, an echo request or a UDP datagram: each
 * packet ends in one counter, none makes more than one answer, and honest clients are served.
 *
 *   input: records of   what stands behind (1), number of headers (1), then for each header
 *                       kind (1), length (1), bytes of content
 */
#include "base/assert.h"
#include "cursor.h"
#include "frame.h"
#include "fuzz.h"
#include "stack.h"
#include "tcp/tcp_types.h"

#include <string.h>

#define PACKETS_MAX 32u
#define HEADERS_MAX 16u
#define IP6_AT 14u
#define IP6_BYTES 40u

/* Any number, but those that are walked more often than others. */
static uint8_t kind_of(uint8_t byte)
{
    static const uint8_t known[] = {0, 43, 44, 60, 51, 135, 59, 50};
    return byte < 200 ? known[byte % sizeof(known)] : byte;
}

/* The final header as a frame of its own; returns its length. */
static size_t make_inner(uint8_t what, uint8_t *frame)
{
    struct frame_ends ends = stack_ends(true, 9);
    struct frame_tcp syn = {.src_port = (uint16_t)(1024 + what),
                            .dst_port = STACK_PORT,
                            .flags = TCP_SYN,
                            .window = 1000};
    switch (what % 3) {
    case 0:
        return frame_make_tcp(frame, &ends, &syn);
    case 1:
        return frame_make_icmp(frame, &ends, 128, 0, 7, "echo", 4);
    default:
        return frame_make_ip(frame, &ends, 17, "\x10\x00\x10\x00\x00\x08\x00\x00", 8);
    }
}

/* One header of what the input says; returns its length. */
static size_t put_header(struct cursor *c, uint8_t *at, size_t room, uint8_t next,
                         uint8_t *ret_kind)
{
    uint8_t head[2] = {take8(c), take8(c)};
    size_t content;
    const uint8_t *piece = take_piece(c, 6 + head[1] % 4 * 8u, &content);
    size_t bytes = (2 + content + 7) / 8 * 8;
    if (bytes > room)
        return 0;
    memset(at, 0, bytes);
    *ret_kind = kind_of(head[0]);
    at[0] = next;
    /* Mostly the right length; else what the input says. */
    at[1] = *ret_kind == 44 ? 0 : head[1] < 200 ? (uint8_t)(bytes / 8 - 1) : head[1];
    if (content > 0)
        memcpy(at + 2, piece, content);
    return bytes;
}

/* The chain is built from the last header to the first, each in front of what is there. */
static void send_packet(struct cursor *c)
{
    uint8_t inner[FRAME_BYTES_MAX];
    uint8_t chain[FRAME_BYTES_MAX];
    uint8_t frame[FRAME_BYTES_MAX];
    size_t inner_bytes = make_inner(take8(c), inner) - IP6_AT - IP6_BYTES;
    uint8_t next = inner[IP6_AT + 6];
    memcpy(chain, inner + IP6_AT + IP6_BYTES, inner_bytes);
    size_t len = inner_bytes;
    for (unsigned n = take8(c) % (HEADERS_MAX + 1); n > 0; n--) {
        uint8_t header[64];
        uint8_t kind = 0;
        size_t bytes = put_header(c, header, sizeof(header), next, &kind);
        if (bytes == 0 || IP6_AT + IP6_BYTES + len + bytes > sizeof(frame))
            break;
        memmove(chain + bytes, chain, len);
        memcpy(chain, header, bytes);
        len += bytes;
        next = kind;
    }
    memcpy(frame, inner, IP6_AT + IP6_BYTES);
    frame[IP6_AT + 6] = next;
    frame_put16(frame + IP6_AT + 4, (uint32_t)len);
    memcpy(frame + IP6_AT + IP6_BYTES, chain, len);
    frame_close(frame, IP6_AT + IP6_BYTES + len);
    stack_frame(frame, IP6_AT + IP6_BYTES + len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor c = {data, size};
    stack_up();
    for (unsigned i = 0; i < PACKETS_MAX && !cursor_is_done(&c); i++) {
        unsigned sent = stack.n_sent;
        send_packet(&c);
        /* At most an answer, and a question for its sender's MAC before the first. */
        ASSERT(stack.n_sent - sent <= 2);
    }
    stack_expect_service();
    stack_down();
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *ret)
{
    static const struct {
        uint8_t len;
        uint8_t bytes[48];
    } seeds[] = {
        {2, {0, 0}},
        {10, {0, 1, 0, 0, 1, 4, 0, 0, 0, 0}},                         /* hop by hop, PadN */
        {18, {1, 2, 3, 0, 1, 4, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}}, /* options, routing */
        {10, {2, 1, 2, 0, 0, 0, 0, 0, 0, 1}},                         /* an atomic fragment */
        {10, {0, 1, 2, 0, 0, 1, 0, 0, 0, 1}},                         /* a first fragment */
        {16, {0, 1, 3, 1, 5, 2, 0, 0, 1, 8, 0, 0, 0, 0, 0, 0}},       /* longer options */
        {26, {0, 3, 3, 0, 1, 4, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0, 0, 3, 0, 0xc2, 4, 0, 0, 0, 0}},
    };
    if (n >= sizeof(seeds) / sizeof(seeds[0]))
        return 0;
    memcpy(ret, seeds[n].bytes, seeds[n].len);
    return seeds[n].len;
}
