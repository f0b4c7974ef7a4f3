/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which worker owns a frame: the Toeplitz hash of its tuple, through a table of buckets, as NICs do
 * it (receive side scaling). The same arithmetic serves a NIC's own spreading (key and table read
 * back from the device), spreading in software, and the choice of source ports: a frame and its
 * forecast cannot disagree.
 *
 * Pure values; thread: any after init. Cost: one pass over the headers and 12 or 36 bytes of hash.
 */
#pragma once

#include "base/ip_addr.h"

#include <stddef.h>
#include <stdint.h>

#define SPREAD_KEY_BYTES 40u     /* enough for IPv6 with ports: 36 bytes and a window of 4 */
#define SPREAD_BUCKETS_MAX 2048u /* largest redirection table in use among today's NICs */
#define SPREAD_VLAN_TAGS_MAX 2u  /* QinQ */
#define SPREAD_IP6_HEADERS_MAX                                                                     \
    8u /* extension headers walked before a frame counts as having no ports */

struct spread {
    uint32_t key[SPREAD_KEY_BYTES / 4]; /* as rte_convert_rss_key() leaves it */
    uint32_t bucket_mask;               /* buckets - 1; a power of two of them */
    uint8_t worker_of[SPREAD_BUCKETS_MAX];
};

/* The hash's input: addresses, then ports where there are any; host byte order, 2, 3, 8 or 9 words.
 */
struct spread_tuple {
    uint32_t words[9];
    uint8_t n;
};

/* What to do with a received frame. */
enum spread_class {
    SPREAD_STAY,  /* neither TCP nor UDP: the receiving worker handles it */
    SPREAD_FLOW,  /* belongs to the worker of its tuple */
    SPREAD_QUOTE, /* an ICMP error: belongs to the worker of the flow that it quotes; no device
                     spreads these so */
    SPREAD_LEARN, /* ARP or neighbour discovery: every worker learns from it */
};

/* The key that software spreading uses and that is programmed into NICs: Microsoft's, which the
 * published test vectors are for. */
extern const uint8_t spread_default_key[SPREAD_KEY_BYTES];

/* Spreading evenly over `workers` with the default key. */
void spread_init(struct spread *s, unsigned workers);

/* Spreading as a device does it: its key, and the worker of each of its `n_buckets` (a power of
 * two). */
void spread_init_device(struct spread *s, const uint8_t key[SPREAD_KEY_BYTES],
                        const uint8_t *worker_of, unsigned n_buckets);

/* Reads an ethernet frame's first `len` bytes. For SPREAD_FLOW *ret is its tuple; a fragment's has
 * no ports, also the first one's, so that all of a packet meet at one worker. For SPREAD_QUOTE it
 * is the tuple of the quoted flow as we receive it: the quote is of what we sent. */
enum spread_class spread_classify(const uint8_t *frame, size_t len, struct spread_tuple *ret);

/* The tuple of a flow as it is seen on the wire; both addresses are of one family. */
void spread_tuple_of(const struct ip_addr *src, const struct ip_addr *dst, uint16_t src_port,
                     uint16_t dst_port, struct spread_tuple *ret);

/* The worker that owns the tuple. */
unsigned spread_worker(const struct spread *s, const struct spread_tuple *tuple);
