/* SPDX-License-Identifier: Apache-2.0 */
/* Packets of clients and endpoints for the l4 target: made as told, noted in the oracle, given. */
#pragma once

#include "core/flow_table.h"

#include <stdbool.h>
#include <stdint.h>

/* Bits of a shape. */
#define L4_SHAPE_MORE 1u     /* it has a kind */
#define L4_SHAPE_CUTTABLE 2u /* IPv4: may be cut on its way */
#define L4_SHAPE_TOS 4u
#define L4_SHAPE_KEPT 0xf8u /* the rest: of the payload */

/* What is special about it. */
enum l4_shape_kind {
    L4_SHAPE_PIECES,    /* `amount`: how many, which comes first, which is missing */
    L4_SHAPE_CHAINED,   /* behind so many bytes */
    L4_SHAPE_OPTIONS,   /* of IPv4, or an extension header of IPv6 */
    L4_SHAPE_PADDED,    /* by so many bytes */
    L4_SHAPE_BAD_CKSUM, /* of the transport */
    L4_SHAPE_BAD_IP,    /* header's checksum, length, version or MAC */
    L4_SHAPE_LENGTHS,   /* UDP's length, or TCP's data offset, is `amount` */
    L4_SHAPE_NO_CKSUM,  /* UDP over IPv4 */
    L4_SHAPE_HOPS,      /* has so many left */
    L4_SHAPE_COOKIE,    /* TCP: gives a cookie back, the `amount`-th last; or is for its SYN */
    L4_SHAPE_KINDS
};

struct l4_shape {
    uint8_t proto;
    uint8_t flags; /* of TCP */
    uint8_t bits;
    uint8_t kind; /* enum l4_shape_kind, modulo L4_SHAPE_KINDS */
    uint8_t amount;
    bool goes_on; /* the burst is not over */
    bool has_seq; /* of TCP, as has_ack: the number is this, and not the packet's */
    bool has_ack;
    uint32_t seq;
    uint32_t ack;
    uint32_t payload_bytes;
};

/* Is it special like that? */
bool l4_packet_is_kind(const struct l4_shape *shape, enum l4_shape_kind kind);

/* Gives it to the stack. `ends`: local is the sender's. */
void l4_packet_give(const struct flow_tuple *ends, const struct l4_shape *shape);
