/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What has to be true of l4 whatever comes: of its flows and tables (l4_check.c), and of each frame
 * that leaves (l4_oracle.c). The second knows of each packet that was given what its sender meant,
 * finds it again in what was sent by a number that it carries, and keeps a book of its own of who
 * talks to whom.
 */
#pragma once

#include "core/flow_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct l4_fwd;

#define L4_UPPER_BYTES_MAX 3200u
#define L4_SERIAL 0x51c30000u  /* the upper half of the number of a packet */
#define L4_SERIAL_BITS_FREE 3u /* the next numbers are nobody's: what follows upon a SYN has one */

/* A packet that was given to the stack, from its transport header on. */
struct l4_given {
    uint32_t serial;
    struct ip_addr src;
    struct ip_addr dst;
    uint8_t proto;
    uint8_t tos;
    uint8_t hops;
    bool is_cksum_bad;  /* of the transport: it has to stay bad, or to be seen */
    bool has_no_cksum;  /* of UDP, over IPv4 */
    bool is_odd;        /* its lengths contradict each other: it may be cut */
    bool may_not_leave; /* nobody may take it */
    bool may_be_cut;    /* on its way: its sender lets it, or has cut it himself */
    uint16_t bytes;
    uint8_t upper[L4_UPPER_BYTES_MAX];
};

/* Flows, tables, lists and timers. */
void check_l4_deep(const struct l4_fwd *f);

/* A new input begins: nothing was given. */
void l4_oracle_begin(void);

/* Room for the next packet, with its number in it. */
struct l4_given *l4_oracle_give(void);

/* From now on frames are given that nobody knows. */
void l4_oracle_be_lenient(void);

/* A frame was sent. */
void l4_oracle_see(const uint8_t *frame, size_t len);

/* As many packets of flows left as l4 says. After everything is settled. */
void l4_oracle_count(void);

/* The `back`-th last packet that went to an endpoint, by NAT: its ends as the box has them. False:
 * there was none. */
bool l4_oracle_up(unsigned back, struct flow_tuple *ret, uint8_t *ret_proto);
