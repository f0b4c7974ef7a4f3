/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Lease as one candidate sees it, and what follows: pure, with the time as a value. Private to
 * lease.
 *
 * Times in the Lease are its writer's and never compared with ours: a lease is free when we have
 * not seen it change for its duration by our own clock.
 */
#pragma once

#include "controller/lease.h"

#define LEASE_TIME_BYTES 40u

struct lease_view {
    bool is_there;    /* the object is */
    uint64_t seen_us; /* by our clock, when it was last seen to change */
    uint64_t duration_us;
    int64_t transitions;
    char holder[LEASE_IDENTITY_BYTES]; /* "": nobody */
    char acquire_time[LEASE_TIME_BYTES];
    char renew_time[LEASE_TIME_BYTES];
    char version[64]; /* metadata.resourceVersion */
};

/* The object was read or written; NULL: there is none. */
void lease_view_take(struct lease_view *v, const json_t *object, uint64_t now_us);

/* May `identity` take or renew it? */
bool lease_view_is_ours_to_take(const struct lease_view *v, const char *identity, uint64_t now_us);

/* The object to be written: `identity` holds it from now on, or goes on holding it; "": gives it
 * back. `unix_us`: what the time is for those who read it. New reference. */
json_t *lease_view_claim(const struct lease_view *v, const char *namespace_, const char *name,
                         const char *identity, unsigned duration_ms, int64_t unix_us);
