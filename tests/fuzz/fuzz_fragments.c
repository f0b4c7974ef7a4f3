/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fragments of echo requests, some of them of another content, from several senders, in any order:
 * what is put together is one datagram as its sender made it, or nothing. An echo reply shows what
 * was put together. Memory is bounded, and honest clients are served meanwhile.
 *
 *   input: records of 4 bytes: who, which datagram and whether it lies | offset / 8 | length / 8 |
 *                              what else (more fragments, time, length off by)
 */
#include "base/assert.h"
#include "base/cksum.h"
#include "cursor.h"
#include "frame.h"
#include "fuzz.h"
#include "stack.h"

#include <string.h>

#define RECORDS_MAX 120u
#define DATAGRAM_BYTES 1200u /* of ICMP, header included */
#define ECHO4 8u
#define ECHO6 128u

/* The whole datagram number `id`; a liar's differs in every byte behind the header. */
static void make_datagram(uint8_t *ret, const struct frame_ends *ends, uint8_t id, bool is_lie)
{
    uint8_t frame[FRAME_BYTES_MAX];
    uint8_t payload[DATAGRAM_BYTES - 8];
    bool is_v4 = ip_addr_is_v4(&ends->src);
    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)((i * 7 + id * 31 + (i >> 8)) ^ (is_lie ? 0xff : 0));
    size_t len =
        frame_make_icmp(frame, ends, is_v4 ? ECHO4 : ECHO6, 0, id, payload, sizeof(payload));
    memcpy(ret, frame + len - DATAGRAM_BYTES, DATAGRAM_BYTES);
}

/* Every echo reply among the frames since `from` is of one datagram, honest or a lie as a whole. */
static void check_replies(const struct frame_ends *ends, unsigned from)
{
    struct frame_view v;
    for (unsigned back = 0; back < stack.n_sent - from && back < STACK_SENT_MAX; back++) {
        struct stack_sent *sent = stack_sent(back);
        if (!frame_look(sent->bytes, sent->len, &v) || v.l4_bytes != DATAGRAM_BYTES ||
            (v.l4[0] != 0 && v.l4[0] != 129))
            continue;
        uint8_t honest[DATAGRAM_BYTES];
        uint8_t lie[DATAGRAM_BYTES];
        make_datagram(honest, ends, v.l4[7], false);
        make_datagram(lie, ends, v.l4[7], true);
        ASSERT(memcmp(v.l4 + 8, honest + 8, DATAGRAM_BYTES - 8) == 0 ||
               memcmp(v.l4 + 8, lie + 8, DATAGRAM_BYTES - 8) == 0);
    }
}

static void send_piece(struct cursor *c)
{
    uint8_t frame[FRAME_BYTES_MAX];
    uint8_t datagram[DATAGRAM_BYTES];
    uint8_t who = take8(c);
    uint32_t offset = take8(c) % (DATAGRAM_BYTES / 8) * 8u;
    uint32_t bytes = take8(c) * 8u;
    uint8_t rest = take8(c);
    if (rest >= 0xf0) {
        stack_pass((uint64_t)(rest & 15u) * 3000000); /* timeouts of reassembly */
        return;
    }
    struct frame_ends ends = stack_ends((who & 1) != 0, (uint8_t)(9 + (who >> 1 & 3)));
    uint8_t id = who >> 3 & 15;
    make_datagram(datagram, &ends, id, (who & 0x80) != 0);
    bool has_more = offset + bytes < DATAGRAM_BYTES;
    if (!has_more)
        bytes = DATAGRAM_BYTES - offset;
    if ((rest & 7) == 7)
        has_more = !has_more;
    if ((rest & 0x38) == 0x38 && bytes > 3)
        bytes -= 3; /* no multiple of 8 */
    unsigned sent = stack.n_sent;
    stack_frame(frame, frame_make_fragment(frame, &ends, (who & 1) != 0 ? 58 : 1, id, offset,
                                           has_more, datagram + offset, bytes));
    check_replies(&ends, sent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor c = {data, size};
    stack_up();
    for (unsigned i = 0; i < RECORDS_MAX && !cursor_is_done(&c); i++)
        send_piece(&c);
    stack_expect_service();
    stack_down();
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *ret)
{
    static const struct {
        uint8_t len;
        uint8_t bytes[40];
    } seeds[] = {
        {12, {0, 0, 50, 0, 0, 50, 50, 0, 0, 100, 50, 0}},                 /* in order */
        {12, {1, 100, 50, 0, 1, 50, 50, 0, 1, 0, 50, 0}},                 /* backwards */
        {16, {0, 0, 50, 0, 0, 40, 50, 0, 0, 50, 50, 0, 0, 100, 50, 0}},   /* overlap */
        {16, {1, 0, 50, 0, 0x81, 0, 50, 0, 1, 50, 50, 0, 1, 100, 50, 0}}, /* a liar */
        {20, {0, 0, 50, 0, 2, 0, 50, 0, 0, 50, 255, 0, 2, 50, 255, 0, 9, 0, 255, 0}},
        {12, {0, 0, 75, 0, 0, 0, 0, 0xff, 0, 75, 75, 0}}, /* too late */
        {12, {8, 0, 50, 0x38, 8, 50, 100, 0, 8, 0, 150, 7}},
    };
    if (n >= sizeof(seeds) / sizeof(seeds[0]))
        return 0;
    memcpy(ret, seeds[n].bytes, seeds[n].len);
    return seeds[n].len;
}
