/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Gateway API's semantics, once and for all (API, CLI and cluster alike): which listeners are
 * valid and which conflict, which routes attach where, which backends resolve, what address a
 * Gateway gets, and what each status says. Pure: objects and the time in, a plan and statuses out.
 *
 *   store changed -> attach_run -> attach_plan -> compile -> publish
 *                              `-> attach_status_foreach -> status subresources that differ
 *   GENERATION acknowledged  ---> attach_status_foreach again: Programmed becomes True
 *
 * One object that is wrong never keeps another from working: what is wrong is in its own status.
 *
 * Thread: mgmtd's. Errors: negative errno (-ENOMEM, and -EAGAIN where it is said). Specification:
 * Gateway API v1.6.
 */
#pragma once

#include "attach/plan.h"
#include "model/model.h"
#include "resolve/answer.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define ATTACH_CONTROLLER_NAME "sluice.internal/gateway-controller"
/* On a GatewayClass while Gateways use it (specification: GatewayClass). */
#define ATTACH_CLASS_FINALIZER "gateway-exists-finalizer.gateway.networking.k8s.io"

/* Called for each object; anything but 0 ends the walk and is what `foreach` returns. `obj` is
 * borrowed. */
typedef int (*object_source_fn)(void *arg, const json_t *obj);

/* Where attach reads objects from: the store, or files in tests. Types are the stored ones
 * (type->stored == type). Objects are valid and defaulted; their order does not matter. */
struct object_source {
    void *ctx;
    /* NULL: no such object. Borrowed until the source changes. `namespace` is NULL for types that
     * are not namespaced. */
    const json_t *(*get)(void *ctx, const struct resource_type *type, const char *namespace,
                         const char *name);
    /* All of a type, in one namespace or (NULL) in all. */
    int (*foreach)(void *ctx, const struct resource_type *type, const char *namespace,
                   object_source_fn fn, void *arg);
};

/* Is the text a regular expression that the dataplane can have? If not, *ret_why says why; borrowed
 * for the time of the run. */
typedef bool (*attach_pattern_fn)(void *arg, const char *pattern, const char **ret_why);

/* What DNS says of a name (lower case); the addresses are borrowed for the call that asks. */
typedef struct resolve_answer (*attach_lookup_fn)(void *arg, const char *name,
                                                  enum resolve_family family);

struct identity_cache;

struct attach_input {
    const struct object_source *source;
    const char *controller_name;  /* NULL: ATTACH_CONTROLLER_NAME */
    struct slice system_cas;      /* well-known CA certificates, PEM; empty: there are none */
    attach_pattern_fn is_pattern; /* NULL: every text is one */
    void *is_pattern_arg;
    attach_lookup_fn lookup; /* NULL: nobody has answered yet */
    void *lookup_arg;
    struct identity_cache *identities; /* of runs before, outlives the result; NULL: none */
};

/* One run's result: the plan, and what the statuses need. */
struct attach;

/* Looks at all objects. The result borrows nothing from the source. -EAGAIN: more certificates are
 * new than `identities` allows to be read at once; those that were need not be again. */
int attach_run(const struct attach_input *in, struct attach **ret);

/* The plan of a run; lives as long as `a`. */
const struct plan *attach_plan(const struct attach *a);

/* Of a Gateway, those of its ListenerSets with its own: a thousand tenants with sixteen each. What
 * is beyond it is refused (TooManyListeners), the youngest ListenerSets' first. */
#define ATTACH_GATEWAY_LISTENERS_MAX 16384u
/* Likewise of all Gateways, and of all addresses and ports that they listen on: as in an image. */
#define ATTACH_LISTENERS_MAX 65536u
#define ATTACH_BINDS_MAX 65536u

/* Routes, ListenerSets and Nodes, since a run: old versions keep their memory, some KiB each. */
#define ATTACH_UPDATES_MAX 4096u

/*
 * Routes and ListenerSets changed, came or went, and nothing else did since the run: has the plan
 * and the statuses be what a new run would give. `versions` has each of these objects in every
 * version that it had since, in any order; what counts is what the source has now. Cost: these
 * objects, the routes that name such a ListenerSet, and some words for each route and listener that
 * there is. False: run anew (too many updates, an endpoint group is left that nobody needs, or
 * routes of two kinds, or listeners, are in each other's way); `a` may be used as before.
 */
bool attach_update(struct attach *a, const struct attach_input *in, const json_t *const *versions,
                   size_t n);

/* A group of the plan whose endpoints were read again; borrowed for the call. */
typedef void (*attach_group_fn)(void *arg, const struct plan_group *group);

/* The same for EndpointSlices, which change endpoints in the plan and nothing else, any number of
 * them. Tells each group of their Services, some maybe twice. Cost: these Services' slices. False:
 * run anew (they say whose clients are where); `a` is as it was. */
bool attach_update_slices(struct attach *a, const struct attach_input *in,
                          const json_t *const *versions, size_t n, attach_group_fn fn, void *arg);

/* A name of a Backend, and a family of its addresses that are wanted. */
typedef void (*attach_name_fn)(void *arg, const char *name, enum resolve_family family);

/* The names that DNS has to be asked for, some maybe twice. */
void attach_names_foreach(const struct attach *a, attach_name_fn fn, void *arg);

/* The same for what DNS says, which changes the endpoints of Backends in the plan, and their
 * statuses. Tells each group whose Backend has a name. Cost: these Backends. */
void attach_update_names(struct attach *a, const struct attach_input *in, attach_group_fn fn,
                         void *arg);
/* The same for Nodes, which are endpoints where a ClusterNetwork says so; nothing is told when what
 * changed of one is of no interest. Cost: all groups of such Services. False: run anew (too many
 * updates, or ways to pods changed). */
bool attach_update_nodes(struct attach *a, const struct attach_input *in,
                         const json_t *const *versions, size_t n, attach_group_fn fn, void *arg);

/* Gives it all back. NULL is fine. */
void attach_free(struct attach *a);

/* ------------------------------------------------------------------ status */

/* Has every worker acknowledged an image that was made when this Gateway or ListenerSet had this
 * generation? */
typedef bool (*attach_is_served_fn)(void *arg, const char *uid, int64_t generation);

enum attach_status_only {
    ATTACH_STATUS_ALL,
    ATTACH_STATUS_EARLY,    /* all but routes and policies: what says itself whether it is in
                               effect, or is in none */
    ATTACH_STATUS_GATEWAYS, /* what `is_served` decides of: Gateways and ListenerSets */
    ATTACH_STATUS_BACKENDS, /* what DNS decides of */
};

struct attach_status_input {
    const struct object_source *source; /* the objects as they are now, for their old status */
    const char *now;                    /* RFC 3339, UTC, seconds: "2026-11-23T09:00:00Z" */
    attach_is_served_fn is_served;      /* NULL: nothing is */
    void *is_served_arg;
    enum attach_status_only only;
};

enum attach_finalizer {
    ATTACH_FINALIZER_KEEP, /* as it is */
    ATTACH_FINALIZER_ADD,
    ATTACH_FINALIZER_REMOVE,
};

/* What an object's status should be. */
struct attach_status {
    const struct resource_type *type;
    const char *namespace; /* NULL: not namespaced */
    const char *name;
    const char *uid;
    json_t *status;                  /* whole; borrowed: incref to keep. NULL: no status at all */
    bool differs;                    /* from the one that the source has now */
    enum attach_finalizer finalizer; /* GatewayClass: ATTACH_CLASS_FINALIZER */
};

/* Anything but 0 ends the walk and is what attach_status_foreach() returns. */
typedef int (*attach_status_fn)(void *arg, const struct attach_status *status);

/*
 * The wanted status of every GatewayClass and Gateway of ours, of every ListenerSet of one (or of a
 * Gateway that is not there), of every route that names one of our Gateways or ListenerSets, of
 * every policy with a target that is ours (or if it still carries our status) and of every Backend.
 * lastTransitionTime is kept where a condition's status is the same as in the source's object;
 * parents, ancestors and conditions of other controllers are kept untouched; observedGeneration is
 * the generation that attach_run() saw. Objects that are gone since are left out, and so are
 * routes, Gateways and ListenerSets whose status is as wanted; those are not looked at again, until
 * an update names them or, of Gateways and ListenerSets, what is served or attached is another, or
 * of Gateways somebody wrote to them. `fn` may write to the store, but
 * must not free `a`.
 */
int attach_status_foreach(struct attach *a, const struct attach_status_input *in,
                          attach_status_fn fn, void *arg);

/* "BackendNotFound" and so on; "" for none. */
const char *plan_backend_fault_reason(enum plan_backend_fault fault);

/* "HostnameConflict" and so on; "" for none. */
const char *plan_listener_fault_reason(enum plan_listener_fault fault);

/* The plan as text, for diagnostics and tests. */
void plan_dump(const struct plan *plan, FILE *out);
