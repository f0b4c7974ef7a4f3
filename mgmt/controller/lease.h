/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leader election by a Lease (coordination.k8s.io/v1), with client-go's rules: who holds the lease
 * renews it; who does not, takes it when it was not renewed for its duration as seen by our own
 * clock since we saw its last change, so clocks that differ do no harm. Who cannot renew within the
 * deadline stops leading, before anybody else can begin: nobody writes who does not lead.
 *
 * Owner: main(). Thread: the loop's. Bound: one call in flight.
 */
#pragma once

#include "controller/kube.h"

/* client-go's defaults. */
#define LEASE_DURATION_MS 15000u
#define LEASE_RENEW_DEADLINE_MS 10000u
#define LEASE_RETRY_MS 2000u
#define LEASE_IDENTITY_BYTES 254u

struct lease;

struct lease_config {
    struct loop *loop;
    struct kube *kube;
    const char *namespace_; /* copied, as are the next two */
    const char *name;
    const char *identity; /* NULL: the host's name and a random number */
    /* 0: the defaults. Duration > deadline > 1.2 times retry, or -EINVAL. */
    unsigned duration_ms, renew_deadline_ms, retry_ms;
    void *owner;
    void (*on_change)(void *owner, bool is_leader); /* never from within lease_new() */
};

/* Begins to ask for the lease. 0; -EINVAL, -ENOMEM. */
int lease_new(const struct lease_config *config, struct lease **ret);

/* Ends it; the lease stays as it is. NULL is fine. */
void lease_free(struct lease *l);

/* Do we lead, now? Looks at the clock: true of nobody whose deadline has passed. */
bool lease_is_leader(const struct lease *l);

/* Who holds it as far as we saw; "" nobody. */
const char *lease_holder(const struct lease *l);

/* Our own name. */
const char *lease_identity(const struct lease *l);

/* Stops leading at once (on_change) and gives the lease back, so that the next one need not wait;
 * `on_done` comes when that is done or has failed, at most LEASE_RETRY_MS later. */
void lease_release(struct lease *l, void (*on_done)(void *owner));
