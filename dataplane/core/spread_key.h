/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key that frames are hashed by, one for all ports of the process: where software spreads, and
 * in every NIC that takes it. It is drawn by chance, so that nobody outside can aim flows at one
 * worker, and then DPDK writes a bit sequence of its own over the part that the destination port
 * meets ("predictable RSS", rte_thash.h): for any tuple the last SPREAD_BUCKET_BITS of its hash can
 * be brought to any value by changing as many bits of that port, and a table says which.
 *
 * Owner: the process. Thread: made by the composer before the workers start, read by all.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rte_thash_subtuple_helper;

#define SPREAD_KEY_BYTES 40u   /* enough for IPv6 with ports: 36 bytes and a window of 4 */
#define SPREAD_BUCKET_BITS 11u /* of the hash's end that choose the bucket: 2,048 of them */

struct spread_key {
    uint8_t bytes[SPREAD_KEY_BYTES];
    /* DPDK's tables for the destination port of IPv4 and IPv6 tuples; NULL: there are none. */
    struct rte_thash_subtuple_helper *ip4_port;
    struct rte_thash_subtuple_helper *ip6_port;
};

/* Microsoft's key, which the published test vectors are for: what spread_key() is before
 * spread_key_make(). */
extern const struct spread_key spread_default_key;

/* Draws the key of this process by `seed`. Called once, after the EAL's start and before any port.
 * Seeds DPDK's chance too, of which rte_thash takes its sequence: the same seed, the same key.
 * False: no memory. */
bool spread_key_make(uint64_t seed);

/* Forgets it: the default key again. Nothing that refers to it may be left. */
void spread_key_forget(void);

/* The key of this process. */
const struct spread_key *spread_key(void);
