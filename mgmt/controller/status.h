/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status write-back: what the appliances say of their copies becomes the status of the cluster's
 * GatewayClasses, Gateways, ListenerSets, routes and policies. merge.h says how; here is when: an
 * object is looked at when it or a copy of it changed, and written only if its status differs.
 *
 * Lists with an entry a controller are atomic, so server-side apply could not keep others' entries:
 * each write is a merge patch with the resourceVersion and uid that it was made of. A conflict has
 * the object read again. A GatewayClass of ours has a finalizer while Gateways name it.
 *
 * Nothing is written before all kinds were listed, nor by who does not lead.
 *
 * Owner: main(). Thread: the loop's.
 */
#pragma once

#include "controller/mirror.h"

/* Of a GatewayClass while Gateways use it (Gateway API, GatewayClass). */
#define STATUS_CLASS_FINALIZER "gateway-exists-finalizer.gateway.networking.k8s.io"
/* Whose fields they are in managedFields. */
#define STATUS_FIELD_MANAGER "sluice-controller"

struct events;
struct status;

struct status_config {
    struct loop *loop;
    struct source *source; /* of the cluster */
    struct mirror *mirror;
    struct events *events;       /* NULL: nothing is told */
    const char *controller_name; /* must live on */
};

/* What happened, for metrics: X(name, kind, help). */
#define STATUS_STATS_LIST(X)                                                                       \
    X(writes, counter, "statuses written")                                                         \
    X(conflicts, counter, "writes that met another writer and were done anew")                     \
    X(failures, counter, "writes that failed and are tried again")                                 \
    X(refusals, counter, "writes that the API server refused")                                     \
    X(finalizers, counter, "finalizers of GatewayClasses added and removed")                       \
    X(pending, gauge, "objects whose status is to be looked at or written")

struct status_stats {
#define X(name, kind, help) uint64_t name;
    STATUS_STATS_LIST(X)
#undef X
};

/* Makes it; it writes nothing until status_lead(). 0; -ENOMEM. */
int status_new(const struct status_config *config, struct status **ret);

/* NULL is fine. */
void status_free(struct status *s);

/* We lead (every object is looked at), or do so no more (what is in flight is cancelled). */
void status_lead(struct status *s, bool is_leader);

/* To be called for each change of the cluster's source, */
void status_on_change(struct status *s, const struct source_change *change);

/* each change of state there, */
void status_on_state(struct status *s);

/* and the news of the mirror. */
void status_on_news(struct status *s, enum kind kind, const char *namespace_, const char *name);

/* What happened since the start. */
void status_stats(const struct status *s, struct status_stats *ret);
