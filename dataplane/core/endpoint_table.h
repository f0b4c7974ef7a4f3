/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which endpoints stand behind each group now. A group's list is immutable once it is published; an
 * update puts another in its place and frees the old one when every worker has let go (core/rcu.h).
 *
 * Readers: workers, within one poll: a list may be gone at the next. Writer: housekeeping.
 */
#pragma once

#include "abi/endpoints.h"

#include <stdbool.h>

struct rcu;
struct endpoint_health;
struct endpoint_table;

/* Lists that wait for workers to let go. Reason: workers poll at least every 500 us, and no more
 * updates than this come in that time. Beyond: the update waits. */
#define ENDPOINT_RETIRED_MAX 1024u

struct endpoint_group {
    uint32_t group;
    uint32_t count;
    uint64_t change;                /* endpoint_table_change() when it was published */
    struct endpoint_health *health; /* of each endpoint, by the same index: endpoint_health.h */
    struct endpoint endpoints[];
};

/* An empty table. `rcu` is the workers'. NULL: no memory. */
struct endpoint_table *endpoint_table_new(struct rcu *rcu);

/* Frees it with all its lists; no worker reads it any more. NULL: nothing. */
void endpoint_table_free(struct endpoint_table *t);

/* The group's list, for use within this poll; NULL: never heard of the group. Cost: a load. */
const struct endpoint_group *endpoint_group_get(const struct endpoint_table *t, uint32_t group);

/* The index of the endpoint in the group's list; UINT32_MAX: it is not listed. Linear. */
uint32_t endpoint_group_find(const struct endpoint_group *g, const struct ip_addr *addr,
                             uint16_t port);

/* A number that grows with each change of the table. Thread: any. Cost: a load. */
uint64_t endpoint_table_change(const struct endpoint_table *t);

/*
 * Publishes a record that endpoints_check() accepted; what is known of the health of an endpoint
 * that stays goes on (endpoint_health_carry()). `now_us`: the workers' time. *ret_fault is OK, or
 * STALE: not newer than what this manager sent before. False only when ENDPOINT_RETIRED_MAX lists
 * wait, or memory is short: nothing changed, try again after endpoint_table_reap(). Thread:
 * housekeeping.
 */
bool endpoint_table_put(struct endpoint_table *t, const struct endpoint_record *record,
                        uint64_t now_us, enum endpoints_fault *ret_fault);

/* A new manager counts versions anew, of all groups. Thread: housekeeping. */
void endpoint_table_forget_versions(struct endpoint_table *t);

/* The same for one group. Thread: housekeeping. */
void endpoint_table_forget_version(struct endpoint_table *t, uint32_t group);

/* Frees the lists that every worker has let go. Returns how many still wait. Thread: housekeeping.
 */
unsigned endpoint_table_reap(struct endpoint_table *t);
