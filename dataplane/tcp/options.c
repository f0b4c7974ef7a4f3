/* SPDX-License-Identifier: Apache-2.0 */
/* Parse and build of TCP options: RFC 9293 (3.2), RFC 7323, RFC 2018. */
#include "tcp/options.h"

#include "base/assert.h"

#include <string.h>

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
    return p + 4;
}

/* SACK: as many blocks as there are; empty or turned ones are nonsense and left out. */
static void parse_sack(const uint8_t *p, unsigned len, struct tcp_options *o)
{
    o->n_sack = 0;
    for (unsigned at = 2; at + 8 <= len && o->n_sack < TCP_SACK_BLOCKS_MAX; at += 8) {
        struct tcp_sack_block b = {{get32(p + at)}, {get32(p + at + 4)}};
        if (seq_lt(b.start, b.end))
            o->sack[o->n_sack++] = b;
    }
}

/* One option with a length byte; a known one of a wrong length is skipped like an unknown one. */
static void parse_one(const uint8_t *p, unsigned len, struct tcp_options *o)
{
    if (p[0] == TCP_OPTION_MSS && len == 4) {
        o->has_mss = true;
        o->mss = get16(p + 2);
    } else if (p[0] == TCP_OPTION_WSCALE && len == 3) {
        o->has_wscale = true;
        o->wscale = p[2] > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : p[2]; /* RFC 7323, 2.3 */
    } else if (p[0] == TCP_OPTION_SACK_PERMITTED && len == 2) {
        o->has_sack_permitted = true;
    } else if (p[0] == TCP_OPTION_TIMESTAMPS && len == 10) {
        o->has_timestamps = true;
        o->ts_value = get32(p + 2);
        o->ts_echo = get32(p + 6);
    } else if (p[0] == TCP_OPTION_SACK && len >= 10) {
        parse_sack(p, len, o);
    }
}

bool tcp_options_parse(const uint8_t *p, unsigned bytes, struct tcp_options *ret)
{
    ASSERT_HOT(bytes <= TCP_OPTIONS_BYTES_MAX);
    struct tcp_options o = {0};
    for (unsigned at = 0; at < bytes;) {
        if (p[at] == TCP_OPTION_END)
            break;
        if (p[at] == TCP_OPTION_NOP) {
            at++;
            continue;
        }
        if (at + 1 >= bytes)
            return false;
        unsigned len = p[at + 1];
        if (len < 2 || at + len > bytes)
            return false;
        parse_one(p + at, len, &o);
        at += len;
    }
    *ret = o;
    return true;
}

/* How many SACK blocks have room beside the other options. */
static unsigned sack_fits(const struct tcp_options *o, unsigned used)
{
    if (o->n_sack == 0 || used + 4 + 8 > TCP_OPTIONS_BYTES_MAX)
        return 0;
    unsigned room = (TCP_OPTIONS_BYTES_MAX - used - 4) / 8;
    return o->n_sack < room ? o->n_sack : room;
}

unsigned tcp_options_bytes(const struct tcp_options *o)
{
    unsigned used = (o->has_mss ? 4 : 0) + (o->has_wscale ? 4 : 0) +
                    (o->has_timestamps       ? 12
                     : o->has_sack_permitted ? 4
                                             : 0);
    unsigned blocks = sack_fits(o, used);
    used += blocks > 0 ? 4 + 8 * blocks : 0;
    ASSERT_HOT(used <= TCP_OPTIONS_BYTES_MAX && used % 4 == 0);
    return used;
}

/* Two NOPs (or one) in front keep what follows aligned to 4, as all stacks send them; SACK
 * permitted takes the place of the two in front of timestamps. */
unsigned tcp_options_build(uint8_t *p, const struct tcp_options *o)
{
    uint8_t *at = p;
    if (o->has_mss)
        at = put32(at, (uint32_t)TCP_OPTION_MSS << 24 | 4u << 16 | o->mss);
    uint32_t pair = o->has_sack_permitted ? TCP_OPTION_SACK_PERMITTED << 8 | 2u
                                          : TCP_OPTION_NOP << 8 | TCP_OPTION_NOP;
    if (o->has_sack_permitted && !o->has_timestamps)
        at = put32(at, TCP_OPTION_NOP << 24 | TCP_OPTION_NOP << 16 | pair);
    if (o->has_timestamps) {
        at = put32(at, pair << 16 | TCP_OPTION_TIMESTAMPS << 8 | 10);
        at = put32(at, o->ts_value);
        at = put32(at, o->ts_echo);
    }
    if (o->has_wscale)
        at = put32(at, TCP_OPTION_NOP << 24 | TCP_OPTION_WSCALE << 16 | 3 << 8 | o->wscale);
    unsigned blocks = sack_fits(o, (unsigned)(at - p));
    if (blocks > 0)
        at = put32(at, TCP_OPTION_NOP << 24 | TCP_OPTION_NOP << 16 | TCP_OPTION_SACK << 8 |
                           (2 + 8 * blocks));
    for (unsigned i = 0; i < blocks; i++) {
        at = put32(at, o->sack[i].start.v);
        at = put32(at, o->sack[i].end.v);
    }
    ASSERT_HOT((unsigned)(at - p) == tcp_options_bytes(o));
    return (unsigned)(at - p);
}
