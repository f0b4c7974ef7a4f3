/* SPDX-License-Identifier: Apache-2.0 */
/* Honest peers of the stack under a fuzz target. */
#include "stack.h"

#include "base/assert.h"
#include "frame.h"
#include "tcp/tcp_types.h"

#include <string.h>

#define HONEST_PEER 100u
#define TRIALS 3u /* ports: a fuzzer may have taken one */
#define PEER_ISS 7000u

struct frame_ends stack_ends(bool is_v6, uint8_t peer)
{
    struct frame_ends ends = {.src_mac = {{2, 0, 0, 0, 1, peer}}, .dst_mac = {{2, 0, 0, 0, 0, 1}}};
    ip_addr_parse(is_v6 ? "2001:db8::" : "198.18.0.0", &ends.src);
    ip_addr_parse(is_v6 ? "2001:db8::1" : "198.18.0.1", &ends.dst);
    ends.src.bytes[15] = peer;
    return ends;
}

/* The last segment that was sent to this port of the peer; false: none that is kept. */
static bool find_reply(const struct frame_ends *ends, uint16_t port, struct frame_view *ret)
{
    struct stack_sent *sent;
    for (unsigned back = 0; (sent = stack_sent(back)) != NULL; back++) {
        if (!frame_look(sent->bytes, sent->len, ret) || ret->proto != 6)
            continue;
        unsigned bytes = ret->is_v4 ? 4 : 16;
        const uint8_t *dst = ret->ip + (ret->is_v4 ? 16 : 24);
        if (memcmp(dst, &ends->src.bytes[16 - bytes], bytes) == 0 &&
            frame_get16(ret->l4 + 2) == port)
            return true;
    }
    return false;
}

static void send_segment(const struct frame_ends *ends, const struct frame_tcp *tcp)
{
    uint8_t frame[FRAME_BYTES_MAX];
    stack_frame(frame, frame_make_tcp(frame, ends, tcp));
}

/* The stream that was accepted from this peer; NULL: there is none. */
static struct stream *find_stream(const struct frame_ends *ends, uint16_t port)
{
    for (unsigned i = 0; i < STACK_STREAMS_MAX; i++) {
        struct stream_addrs addrs;
        if (stack.streams[i] == NULL)
            continue;
        stream_addrs(stack.streams[i], &addrs);
        if (addrs.remote_port == port && ip_addr_eq(&addrs.remote, &ends->src))
            return stack.streams[i];
    }
    return NULL;
}

struct stream *stack_connect(bool is_v6, uint8_t peer, uint16_t port, uint32_t *ret_seq,
                             uint32_t *ret_ack)
{
    static const uint8_t options[] = {2, 4, 0x05, 0xb4, 4, 2, 1, 3, 3, 5};
    struct frame_ends ends = stack_ends(is_v6, peer);
    struct frame_view reply;
    struct frame_tcp tcp = {.src_port = port,
                            .dst_port = STACK_PORT,
                            .seq = PEER_ISS,
                            .flags = TCP_SYN,
                            .window = 65535,
                            .options = options,
                            .options_bytes = sizeof(options)};
    send_segment(&ends, &tcp);
    if (!find_reply(&ends, port, &reply) || reply.l4[13] != (TCP_SYN | TCP_ACK) ||
        frame_get32(reply.l4 + 8) != PEER_ISS + 1)
        return NULL;
    tcp.seq = *ret_seq = PEER_ISS + 1;
    tcp.ack = *ret_ack = frame_get32(reply.l4 + 4) + 1;
    tcp.flags = TCP_ACK;
    tcp.options_bytes = 0;
    send_segment(&ends, &tcp);
    return find_stream(&ends, port);
}

/* A client asks, is answered, and goes. False: it was not let in. */
static bool is_served(bool is_v6, uint16_t port)
{
    struct slice v;
    struct frame_view reply;
    struct frame_ends ends = stack_ends(is_v6, HONEST_PEER);
    struct frame_tcp tcp = {.src_port = port,
                            .dst_port = STACK_PORT,
                            .flags = TCP_ACK | TCP_PSH,
                            .window = 2000,
                            .payload = "hello",
                            .payload_bytes = 5};
    struct stream *s = stack_connect(is_v6, HONEST_PEER, port, &tcp.seq, &tcp.ack);
    if (s == NULL)
        return false;
    send_segment(&ends, &tcp);
    ASSERT(stream_peek(s, &v, 1) == 1 && v.len == 5 && memcmp(v.ptr, "hello", 5) == 0);
    stream_consume(s, 5);
    v = slice_of("world", 5);
    ASSERT(stream_write(s, &v, 1) == 5);
    stack_pass(1);
    ASSERT(find_reply(&ends, port, &reply) && reply.l4_bytes >= 25);
    ASSERT(memcmp(reply.l4 + reply.l4_bytes - 5, "world", 5) == 0);
    tcp.seq += 5;
    tcp.flags = TCP_RST;
    tcp.payload_bytes = 0;
    send_segment(&ends, &tcp);
    ASSERT(find_stream(&ends, port) == NULL);
    return true;
}

void stack_expect_service(void)
{
    for (unsigned i = 0; i < STACK_STREAMS_MAX; i++) { /* the application finds time for others */
        if (stack.streams[i] != NULL)
            stream_abort(stack.streams[i]);
    }
    stack_pass(1);
    for (int is_v6 = 0; is_v6 < 2; is_v6++) {
        bool is_in = false;
        for (uint16_t i = 0; i < TRIALS && !is_in; i++)
            is_in = is_served(is_v6, (uint16_t)(61001 + i));
        ASSERT(is_in);
    }
}
