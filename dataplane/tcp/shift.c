/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in a header moved by distances. */
#include "tcp/shift.h"

#include "base/assert.h"
#include "base/cksum.h"
#include "tcp/options.h"
#include "tcp/wire.h"

#include <string.h>

/* Options may begin anywhere. */
static void add_to(uint8_t *p, uint32_t distance)
{
    be32_t v;
    memcpy(&v, p, sizeof(v));
    v = be32(be32_host(v) + distance);
    memcpy(p, &v, sizeof(v));
}

static void shift_option(uint8_t *p, unsigned len, bool is_ack, const struct tcp_shift *by)
{
    if (p[0] == TCP_OPTION_TIMESTAMPS && len == 10) {
        add_to(p + 2, by->ts_value);
        if (is_ack)
            add_to(p + 6, by->ts_echo);
    } else if (p[0] == TCP_OPTION_SACK && is_ack) {
        for (unsigned at = 2; at + 4 <= len; at += 4)
            add_to(p + at, by->ack);
    }
}

/* As far as they can be read. */
static void shift_options(uint8_t *p, unsigned bytes, bool is_ack, const struct tcp_shift *by)
{
    for (unsigned at = 0; at + 1 < bytes && p[at] != TCP_OPTION_END;) {
        unsigned len = p[at] == TCP_OPTION_NOP ? 1 : p[at + 1];
        if (len == 0 || at + len > bytes)
            return;
        if (len > 2)
            shift_option(p + at, len, is_ack, by);
        at += len;
    }
}

uint16_t tcp_window_shift(uint16_t window, int bits)
{
    ASSERT_HOT(bits >= -(int)TCP_WSCALE_MAX && bits <= (int)TCP_WSCALE_MAX);
    if (bits < 0) {
        uint32_t less = (uint32_t)window >> -bits;
        return (uint16_t)(less == 0 && window != 0 ? 1 : less);
    }
    uint32_t more = (uint32_t)window << bits;
    return (uint16_t)(more > UINT16_MAX ? UINT16_MAX : more);
}

void tcp_header_shift(uint8_t *header, unsigned bytes, const struct tcp_shift *by)
{
    struct tcp_wire *h = (void *)header;
    ASSERT(bytes >= sizeof(*h) && bytes <= sizeof(*h) + TCP_OPTIONS_BYTES_MAX);
    bool is_ack = (h->flags & TCP_ACK) != 0;
    uint32_t before = cksum_add(0, header, bytes);
    h->seq = be32(be32_host(h->seq) + by->seq);
    if (is_ack)
        h->ack = be32(be32_host(h->ack) + by->ack);
    h->window = be16(tcp_window_shift(be16_host(h->window), by->window));
    shift_options(header + sizeof(*h), bytes - (unsigned)sizeof(*h), is_ack, by);
    uint32_t after = cksum_add(0, header, bytes);
    uint64_t sum = (uint64_t)(uint16_t)~h->cksum.wire + after + (uint16_t)~before;
    h->cksum = cksum_close(cksum_fold(sum));
}
