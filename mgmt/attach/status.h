/* SPDX-License-Identifier: Apache-2.0 */
/* Statuses of the kinds. Private to attach. `obj` is the object as it is now; new references. */
#pragma once

#include "attach/attach_priv.h"

#define STATUS_ENTRY_CONDITIONS_MAX 3u /* a route has as many; a policy one */

/* What we say of one object that a route or policy refers to. */
struct status_entry {
    const json_t *ref;
    struct wanted wanted[STATUS_ENTRY_CONDITIONS_MAX]; /* type NULL: no more */
};

/* A list of such entries in a status; others may have theirs in it. */
struct status_entries {
    const char *list;    /* "parents", "ancestors" */
    const char *ref_key; /* "parentRef", "ancestorRef" */
    size_t n_max;        /* of all entries: Gateway API's bound */
    uint32_t n;          /* ours, at most 64 */
    const struct status_entry *entries;
    int64_t generation; /* that they speak of */
};

/* The status with our entries put in: in place where the reference is there already, else at the
 * end. Entries of other controllers are kept as and where they are; of ours those that are not
 * wanted any more go. NULL: there are, were and need to be none of ours. */
json_t *status_merge(const struct attach *a, const struct status_entries *wanted, const json_t *obj,
                     const char *now);

/* Of a GatewayClass of ours. */
json_t *status_of_class(const struct attach *a, const struct at_class *c, const json_t *obj,
                        const char *now);

/* `is_served`: every worker serves an image made of this generation, so it is Programmed. */
json_t *status_of_gateway(const struct attach *a, const struct at_gateway *g, const json_t *obj,
                          const char *now, bool is_served);

/* Of a ListenerSet; `is_served`: the same, with its Gateway. */
json_t *status_of_set(const struct at_set *set, const json_t *obj, const char *now, bool is_served);

/* Of listeners of one object of that generation, as its status had them, from `old`; an array. */
json_t *status_of_listeners(const struct at_listener *listeners, uint32_t n, const json_t *old,
                            int64_t generation, const char *now, bool is_served);

/* NULL: the route has, had and needs no status of ours. */
json_t *status_of_route(const struct attach *a, const struct at_route *r, const json_t *obj,
                        const char *now);

/* NULL: the policy has, had and needs no status of ours. */
json_t *status_of_policy(struct attach *a, const struct at_policy *p, const json_t *obj,
                         const char *now);

/* Every Backend has one. */
json_t *status_of_backend(const struct at_backend *b, const json_t *obj, const char *now);

/* The same of a BackendTLSPolicy; after policy_tls_find_gateways(). */
json_t *status_of_tls_policy(struct attach *a, const struct at_policy *p, const json_t *obj,
                             const char *now);
