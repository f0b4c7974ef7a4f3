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
#include "core/spread_key.h"

#include <stddef.h>
#include <stdint.h>

/* The largest redirection table in use among today's NICs. */
#define SPREAD_BUCKETS_MAX (1u << SPREAD_BUCKET_BITS)

#define SPREAD_TUPLE_WORDS_MAX 9u /* IPv6 with ports */
#define SPREAD_VLAN_TAGS_MAX 2u   /* QinQ */
#define SPREAD_IP6_HEADERS_MAX                                                                     \
    8u /* extension headers walked before a frame counts as having no ports */

/* A key and a table. A device's smaller table stands in here as often as it fits: its bucket is the
 * hash's last bits too. Cost of a hash: a look into `parts` for each half byte of the tuple. */
struct spread {
    const struct spread_key *key; /* spread_key(), if it is that one: foretells ports; or NULL */
    uint8_t worker_of[SPREAD_BUCKETS_MAX];
    uint16_t bucket[SPREAD_BUCKETS_MAX];   /* by worker, in order: */
    uint16_t first_bucket[UINT8_MAX + 2u]; /* position of a worker's first one in `bucket` */
    uint32_t parts[SPREAD_TUPLE_WORDS_MAX * 8][16]; /* what each half byte adds to the hash */
};

/* The hash's input: addresses, then ports where there are any; host byte order, 2, 3, 8 or 9 words.
 */
struct spread_tuple {
    uint32_t words[SPREAD_TUPLE_WORDS_MAX];
    uint8_t n;
};

/* What to do with a received frame. */
enum spread_class {
    SPREAD_STAY,  /* neither TCP nor UDP: the receiving worker handles it */
    SPREAD_FLOW,  /* belongs to the worker of its tuple */
    SPREAD_QUOTE, /* an ICMP error: belongs to the worker of the flow that it quotes; no device
                     spreads these so */
    SPREAD_LEARN, /* ARP, neighbour discovery, MLD queries: every worker learns from it */
};

/* Spreading evenly over `workers` by the key of this process. */
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

/* Toeplitz's hash of the tuple, as NICs compute it. */
uint32_t spread_hash(const struct spread *s, const struct spread_tuple *tuple);

/* The worker that owns the tuple. */
unsigned spread_worker(const struct spread *s, const struct spread_tuple *tuple);
