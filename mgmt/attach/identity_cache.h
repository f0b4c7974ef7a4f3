/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Secrets of certificates hold, decoded, tried as the dataplane will read it, and kept from
 * one run to the next: reading one is public-key work, and there may be thousands, of which a
 * change touches one. Objects of the store never change, so an object is known by its address for
 * as long as the cache has a reference to it.
 *
 * Owner: reconcile; without one, a run has its own. Thread: mgmtd's. Bound: the Secrets that two
 * runs asked for; private keys are wiped when they go.
 */
#pragma once

#include "abi/keys.h"
#include "tls/tls.h"

#include <jansson.h>
#include <stdbool.h>

/* Secrets read anew in one run: some 60 ms, in which the API answers nobody. */
#define IDENTITY_CACHE_READS_MAX 256u

struct identity_cache;

/* A Secret of type kubernetes.io/tls. */
struct identity_reading {
    struct slice certificate; /* the chain, with the OCSP response behind it if that can be used */
    struct slice key;         /* one of both is empty: the Secret has not both */
    struct keys_id id;        /* with fault OK */
    enum tls_fault fault;
    bool is_staple_bad; /* it has an OCSP response that cannot be used */
};

/* An empty cache. NULL: no memory. */
struct identity_cache *identity_cache_new(void);

/* Nobody has a reading any more. NULL is fine. */
void identity_cache_free(struct identity_cache *c);

/* A run begins: it may read so many. */
void identity_cache_allow(struct identity_cache *c, unsigned reads);

/* What the Secret holds; stays until the second identity_cache_trim() from now, or longer. NULL:
 * this run has read as many anew as it may. Cost: 250 us if it was not known. */
const struct identity_reading *identity_cache_read(struct identity_cache *c, const json_t *secret);

/* The run is what counts from now on, and the one before it is gone: forgets what nobody asked for
 * since the last call. */
void identity_cache_trim(struct identity_cache *c);
