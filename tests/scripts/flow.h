/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection of the script as its peer sees it: where both sequence spaces and timestamp clocks
 * begin, so that scripts count from 0, and which bytes went by. Byte number i of either direction
 * is flow_byte(i), whatever happens to it on the way.
 */
#pragma once

#include "core/stream.h"
#include "script.h"

#include <stdbool.h>
#include <stdint.h>

struct flow {
    char name[16];
    uint16_t local_port; /* the stack's; 0: an open is yet to choose it */
    uint16_t remote_port;
    uint32_t peer_base; /* number 0 of the peer on the wire */
    uint32_t our_base;  /* number 0 of the stack; of its SYN */
    bool knows_our_base;
    uint32_t window; /* what the peer told last: told again where a line does not say */
    /* timestamps: both SYNs must carry them */
    bool has_peer_ts;
    bool has_our_ts;
    uint32_t ts_shift;    /* what is added to the peer's values on the wire */
    uint32_t ts_value;    /* the peer's value as written last ... */
    uint64_t ts_value_us; /* ... and when */
    uint32_t our_ts_base; /* the stack's first value */
    uint32_t our_ts_last;
    /* the socket's side */
    struct stream *stream; /* held by the script */
    unsigned events;       /* since last looked at */
    bool is_told_of_end;
    bool is_waiting; /* accepted by the stack, not yet by the script */
    uint32_t read;
    uint32_t written;
};

/* Byte number `i` of a direction; the first byte of text is number 1. */
static inline uint8_t flow_byte(uint32_t i)
{
    return (uint8_t)(i * 31 + (i >> 8) * 7);
}

/* A segment of the peer as written -> as on the wire, at `now_us`. What the line leaves out is
 * filled in: window, timestamps. */
void flow_to_wire(struct flow *f, uint64_t now_us, const struct script_segment *written,
                  struct script_segment *ret);

/* A segment of the stack as on the wire -> as scripts write it. Learns from SYNs. */
void flow_from_wire(struct flow *f, const struct script_segment *wire, struct script_segment *ret);

/* A new connection of the same ends: the peer's number 0 is now its number `peer`; the stack's is
 * that of its next SYN. */
void flow_reborn(struct flow *f, uint32_t peer);
