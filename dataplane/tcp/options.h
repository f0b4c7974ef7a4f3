/* SPDX-License-Identifier: Apache-2.0 */
/* TCP options on the wire: MSS, window scale, SACK permitted, SACK, timestamps. Pure. */
#pragma once

#include "base/seq.h"
#include "tcp/tcp_limits.h"

#include <stdbool.h>
#include <stdint.h>

#define TCP_OPTIONS_BYTES_MAX 40u /* RFC 9293: a header is at most 60 bytes */

enum tcp_option_kind {
    TCP_OPTION_END = 0,
    TCP_OPTION_NOP = 1,
    TCP_OPTION_MSS = 2,
    TCP_OPTION_WSCALE = 3,
    TCP_OPTION_SACK_PERMITTED = 4,
    TCP_OPTION_SACK = 5,
    TCP_OPTION_TIMESTAMPS = 8,
};

/* A range that the receiver holds: [start, end). */
struct tcp_sack_block {
    seq_t start;
    seq_t end;
};

/* What a segment's options say, or shall say. */
struct tcp_options {
    bool has_mss;
    bool has_wscale;
    bool has_sack_permitted;
    bool has_timestamps;
    uint8_t wscale; /* <= TCP_WSCALE_MAX */
    uint8_t n_sack; /* <= TCP_SACK_BLOCKS_MAX */
    uint16_t mss;
    uint32_t ts_value;
    uint32_t ts_echo;
    struct tcp_sack_block sack[TCP_SACK_BLOCKS_MAX];
};

/* Reads `bytes` of options. Unknown ones are skipped (RFC 9293, 3.1); false: a length that leads
 * out of the header or cannot be. Options that belong to a SYN are told as they are found: the
 * caller looks at them only there. */
bool tcp_options_parse(const uint8_t *p, unsigned bytes, struct tcp_options *ret);

/* Writes them, padded to a multiple of 4; SACK blocks that do not fit are left out. `p` has
 * TCP_OPTIONS_BYTES_MAX bytes. Returns how many were written. */
unsigned tcp_options_build(uint8_t *p, const struct tcp_options *o);

/* How many bytes tcp_options_build() would write. */
unsigned tcp_options_bytes(const struct tcp_options *o);
