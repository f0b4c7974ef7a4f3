/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificates and private keys that the dataplane has, and the CAs that it believes, as mgmtd
 * sent them last (abi/keys.h), and those that images in memory still use. One that stays from one
 * segment to the next is not loaded again, and new ones are read in steps, for there may be
 * thousands. Housekeeping has it; workers read what an image has leased, and never see the ring.
 *
 * Owner, thread: housekeeping. Memory: the heap and the library's; about 4 KiB an identity.
 */
#pragma once

#include "abi/image.h"
#include "abi/keys.h"

#include <stdbool.h>
#include <stddef.h>

struct keyring;
struct tls_identity;
struct tls_trust;

/* What the identities and bundles of one image lead to. Read-only until it is given back. */
struct key_lease {
    const struct tls_identity **identities; /* by the image's index */
    const struct tls_trust **trusts;        /* by the image's index of bundles */
    uint32_t n_held;
    struct ring_entry **held; /* all of them, for the ring */
};

/* An empty ring. NULL: no memory. */
struct keyring *keyring_new(void);

/* Every lease was given back. NULL: nothing. */
void keyring_free(struct keyring *k);

/* Of one step of a taking: 8 ms of reading, within which housekeeping answers nobody. */
#define KEYRING_READS_PER_STEP 32u
/* And of what the ring has already: a millisecond. */
#define KEYRING_ENTRIES_PER_STEP 8192u

/* Begins to take over what a segment of `len` bytes holds in place of what was taken before, whole
 * or not at all; the segment stays until the taking has ended. None is under way. When it is
 * refused, it has ended and *ret_index is the entry at fault. */
enum keys_fault keyring_begin(struct keyring *k, const void *data, size_t len, uint32_t *ret_index);

/* Goes on with what was begun, by one step. True: it has ended, *ret_fault says how; when it is
 * refused, *ret_index is the entry at fault. Until then leases are of what was taken before. Cost:
 * 250 us for each identity that was not there. */
bool keyring_step(struct keyring *k, enum keys_fault *ret_fault, uint32_t *ret_index);

/* All steps at once, where nobody is kept waiting. */
enum keys_fault keyring_take(struct keyring *k, const void *data, size_t len, uint32_t *ret_index);

/* Gives up what was begun, if anything was. */
void keyring_give_up(struct keyring *k);

/* What the identities and bundles of a checked image lead to; a lease without any for one that
 * names none. NULL: *ret_missing is the name of the first one that the ring does not have, or
 * empty: there was no memory. */
struct key_lease *keyring_lease(struct keyring *k, const struct image_view *v,
                                struct image_string *ret_missing);

/* Gives it back; no worker looks at it any more. NULL: nothing. */
void keyring_return(struct key_lease *lease);

/* How many the ring has, without those that only images hold. */
uint32_t keyring_count(const struct keyring *k);

/* How many it ever read. */
uint64_t keyring_count_read(const struct keyring *k);
