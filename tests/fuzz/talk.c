/* SPDX-License-Identifier: Apache-2.0 */
/* Deeds, one after the other. */
#include "talk.h"

#include "base/assert.h"
#include "cursor.h"
#include "frame.h"
#include "stack.h"
#include "tcp/tcp_types.h"

#include <string.h>

#define DEEDS_MAX 100u /* fewer than half-open connections and the stack's other bounds */
#define PAST_MAX 8u    /* frames kept for "again" */

struct past {
    size_t len;
    uint8_t bytes[FRAME_BYTES_MAX];
};

static struct past past[PAST_MAX];
static unsigned n_past;

static void send(const uint8_t *frame, size_t len)
{
    if (len == 0)
        return;
    struct past *p = &past[n_past++ % PAST_MAX];
    p->len = len;
    memcpy(p->bytes, frame, len);
    stack_frame(frame, len);
}

static void send_bytes(struct cursor *c, bool is_closed)
{
    uint8_t frame[FRAME_BYTES_MAX];
    size_t len;
    const uint8_t *piece = take_piece(c, take16(c) % (FRAME_BYTES_MAX + 1), &len);
    if (len > 0)
        memcpy(frame, piece, len);
    if (is_closed)
        frame_close(frame, len);
    send(frame, len);
}

/* A number beside the right one: near for small bytes, some segments away for large ones. */
static uint32_t distance(uint8_t byte)
{
    int32_t d = (int8_t)byte;
    int32_t far = d > 16 ? d - 16 : d < -16 ? d + 16 : 0;
    return (uint32_t)(d + far * 362);
}

/* What follows the last thing that the stack said there. */
static bool template_of(const struct stack_sent *sent, struct frame_ends *ends,
                        struct frame_tcp *tcp)
{
    struct frame_view v;
    if (sent == NULL || !frame_look((uint8_t *)(uintptr_t)sent->bytes, sent->len, &v) ||
        v.proto != 6 || v.l4_bytes < 20)
        return false;
    memcpy(&ends->dst_mac, sent->bytes + 6, 6);
    memcpy(&ends->src_mac, sent->bytes, 6);
    ends->src = v.is_v4 ? ip_addr_from_v4(v.ip + 16) : ip_addr_from_v6(v.ip + 24);
    ends->dst = v.is_v4 ? ip_addr_from_v4(v.ip + 12) : ip_addr_from_v6(v.ip + 8);
    ends->vlan = frame_get16(sent->bytes + 12) == 0x8100 ? frame_get16(sent->bytes + 14) : 0;
    uint32_t len = v.l4_bytes - (v.l4[12] >> 4) * 4u + ((v.l4[13] & (TCP_SYN | TCP_FIN)) != 0);
    *tcp = (struct frame_tcp){.src_port = frame_get16(v.l4 + 2),
                              .dst_port = frame_get16(v.l4),
                              .seq = frame_get32(v.l4 + 8),
                              .ack = frame_get32(v.l4 + 4) + len};
    return true;
}

static void answer(struct cursor *c)
{
    uint8_t frame[FRAME_BYTES_MAX];
    struct frame_ends ends = {.vlan = 0};
    struct frame_tcp tcp;
    bool has_template = template_of(stack_sent(take8(c) % STACK_SENT_MAX), &ends, &tcp);
    if (!has_template)
        return;
    tcp.flags = take8(c);
    tcp.seq += distance(take8(c));
    tcp.ack += distance(take8(c));
    tcp.window = take16(c);
    tcp.payload_bytes = take8(c) * 8u;
    tcp.options = take_piece(c, take8(c) % 41, &tcp.options_bytes);
    size_t len = frame_make_tcp(frame, &ends, &tcp);
    for (unsigned patches = take8(c) % 4; patches > 0; patches--) {
        uint8_t at = take8(c);
        frame[at % len] = take8(c);
    }
    frame_close(frame, len);
    send(frame, len);
}

/* What the application may do at any time. */
static void act(struct cursor *c)
{
    static const uint8_t bytes[255 * 64];
    uint8_t what = take8(c);
    struct slice v = slice_of(bytes, take8(c) * 64u);
    struct stream *s = stack.streams[what % STACK_STREAMS_MAX];
    if (s == NULL)
        return;
    size_t readable = stream_readable(s);
    switch (what / STACK_STREAMS_MAX % 6) {
    case 0:
        stream_shutdown(s);
        break;
    case 1:
        stream_abort(s);
        break;
    case 2:
        stack.streams[what % STACK_STREAMS_MAX] = NULL;
        stream_release(s);
        break;
    case 3:
        stream_consume(s, v.len < readable ? v.len : readable);
        break;
    default:
        stream_write(s, &v, 1);
        break;
    }
    stack_pass(1);
}

static void do_one(struct cursor *c)
{
    switch (take8(c) % 8) {
    case 0:
        send_bytes(c, true);
        break;
    case 1:
        send_bytes(c, false);
        break;
    case 5: {
        uint64_t t = take8(c);
        stack_pass(t * t * t);
        break;
    }
    case 6:
        act(c);
        break;
    case 7: {
        const struct past *p = &past[take8(c) % PAST_MAX];
        if (p->len > 0)
            stack_frame(p->bytes, p->len);
        break;
    }
    default:
        answer(c);
        break;
    }
}

void talk(const uint8_t *data, size_t size)
{
    struct cursor c = {data, size};
    memset(past, 0, sizeof(past));
    n_past = 0;
    for (unsigned i = 0; i < DEEDS_MAX && !cursor_is_done(&c); i++)
        do_one(&c);
}
