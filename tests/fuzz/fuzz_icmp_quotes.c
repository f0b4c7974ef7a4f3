/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP errors about segments of an established connection with data in flight: too big,
 * unreachable, time exceeded, anything, with quotes that are right, a little wrong, short. The
 * connection lives, its path MTU has a floor, and all its bytes arrive.
 *
 *   input: family (1); records of  type, code, MTU or the four bytes (2), which of the sent (1),
 *          bytes of quote (1), seq off by (1), patches (2), time (1)
 */
#include "base/assert.h"
#include "cursor.h"
#include "frame.h"
#include "fuzz.h"
#include "stack.h"
#include "tcp/tcp_priv.h"

#include <string.h>

#define RECORDS_MAX 60u
#define BYTES 20000u
#define PEER 9u
#define PEER_PORT 40000u

static struct stream *stream;
static uint32_t peer_seq;
static uint32_t acked; /* the peer has all before this number */

static void send_error(struct cursor *c, bool is_v6)
{
    static const uint8_t types[2][4] = {{3, 11, 12, 4}, {2, 1, 3, 4}};
    uint8_t frame[FRAME_BYTES_MAX];
    uint8_t quote[256] = {0};
    struct frame_ends ends = stack_ends(is_v6, 120); /* a router */
    uint8_t type = take8(c);
    uint8_t code = take8(c);
    uint32_t mtu = take16(c);
    struct stack_sent *sent = stack_sent(take8(c) % STACK_SENT_MAX);
    size_t bytes = take8(c);
    if (sent == NULL)
        return;
    if (bytes > sent->len - 14)
        bytes = sent->len - 14;
    memcpy(quote, sent->bytes + 14, bytes);
    unsigned seq_at = (is_v6 ? 40 : 20) + 4;
    int8_t off = (int8_t)take8(c);
    if (bytes >= seq_at + 4)
        frame_put32(quote + seq_at, frame_get32(quote + seq_at) + (uint32_t)(off * off * off));
    uint8_t at = take8(c);
    uint8_t what = take8(c);
    if (at != 0)
        quote[at] = what;
    type = type < 200 ? types[is_v6][type % 4] : type;
    /* IPv4 has the MTU in the lower half (RFC 1191); in IPv6 it is all of the four bytes. */
    size_t len = frame_make_icmp(frame, &ends, type, code, mtu, quote, bytes);
    stack_frame(frame, len);
    uint64_t t = take8(c) % 100; /* less than a second: the peer is slow, not gone */
    stack_pass(t * t * t);
}

/* The peer acknowledges what is next in order of what was sent, whatever its size. */
static bool acknowledge(bool is_v6)
{
    bool has_moved = false;
    struct stack_sent *sent;
    struct frame_view v;
    for (unsigned back = STACK_SENT_MAX; back-- > 0;) {
        sent = stack_sent(back);
        if (sent == NULL || !frame_look(sent->bytes, sent->len, &v) || v.proto != 6)
            continue;
        uint32_t end = frame_get32(v.l4 + 4) + v.l4_bytes - (v.l4[12] >> 4) * 4u;
        if (frame_get16(v.l4 + 2) == PEER_PORT && (int32_t)(frame_get32(v.l4 + 4) - acked) <= 0 &&
            (int32_t)(end - acked) > 0) {
            acked = end;
            has_moved = true;
        }
    }
    uint8_t frame[FRAME_BYTES_MAX];
    struct frame_ends ends = stack_ends(is_v6, PEER);
    struct frame_tcp tcp = {.src_port = PEER_PORT,
                            .dst_port = STACK_PORT,
                            .seq = peer_seq,
                            .ack = acked,
                            .flags = TCP_ACK,
                            .window = 8 * 1024 / 32}; /* eight segments: all of them are kept */
    stack_frame(frame, frame_make_tcp(frame, &ends, &tcp));
    return has_moved;
}

/* In the end everything has arrived. */
static void finish(bool is_v6, uint32_t end)
{
    for (unsigned i = 0; acked != end; i++) {
        ASSERT(i < 1000);
        if (!acknowledge(is_v6))
            stack_pass(100000);
    }
    const struct tcp_conn *c = tcp_conn_of(stream);
    ASSERT(c->state == TCP_ESTABLISHED && c->sndq.bytes == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t bytes[BYTES];
    struct cursor c = {data, size};
    bool is_v6 = (take8(&c) & 1) != 0;
    stack_up();
    stream = stack_connect(is_v6, PEER, PEER_PORT, &peer_seq, &acked);
    ASSERT(stream != NULL);
    uint32_t end = acked + BYTES;
    struct slice v = slice_of(bytes, BYTES);
    ASSERT(stream_write(stream, &v, 1) == BYTES);
    stack_pass(1);
    for (unsigned i = 0; i < RECORDS_MAX && !cursor_is_done(&c); i++) {
        send_error(&c, is_v6);
        const struct tcp_conn *conn = tcp_conn_of(stream);
        ASSERT(conn->state == TCP_ESTABLISHED); /* no stranger ends it */
        ASSERT(conn->path_mtu >= (is_v6 ? TCP_PMTU_MIN_6 : TCP_PMTU_MIN_4));
    }
    finish(is_v6, end);
    stack_expect_service();
    stack_down();
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *ret)
{
    static const uint8_t seeds[][25] = {
        {0, 0, 4, 4, 0, 0, 28, 0, 0, 0, 0},                                 /* 1,024 bytes, IPv4 */
        {1, 0, 0, 5, 20, 0, 60, 0, 0, 0, 9},                                /* 1,300 bytes, IPv6 */
        {0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 0, 1, 0, 0, 0, 0, 28, 0, 0, 0, 99}, /* unreachable, time */
        {0, 0, 4, 0, 68, 3, 28, 100, 0, 0, 0, 0, 4, 0, 0, 0, 28, 0, 0, 0, 9}, /* lies */
        {1, 0, 0, 0, 100, 0, 255, 0, 40, 7, 0, 1, 4, 0, 0, 2, 80, 0, 0, 0, 0},
    };
    if (n >= sizeof(seeds) / sizeof(seeds[0]))
        return 0;
    memcpy(ret, seeds[n], sizeof(seeds[n]));
    return sizeof(seeds[n]);
}
