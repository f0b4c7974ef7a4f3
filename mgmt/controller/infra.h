/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands for a Gateway inside the cluster, though its traffic is elsewhere: a headless Service
 * without selector and an EndpointSlice with the Gateway's addresses, so that the Gateway has a
 * name in the cluster's DNS. Both carry spec.infrastructure's labels and annotations and
 * `gateway.networking.k8s.io/gateway-name` (GEP-1867), are named as GEP-1762 recommends, and belong
 * to the Gateway (ownerReferences): they go with it. A name that somebody else has is left alone
 * and told by an Event.
 *
 * Owner: main(). Thread: the loop's.
 */
#pragma once

#include "controller/mirror.h"

#define INFRA_GATEWAY_LABEL "gateway.networking.k8s.io/gateway-name"

struct events;
struct infra;

struct infra_config {
    struct loop *loop;
    struct source *source; /* of the cluster */
    struct mirror *mirror;
    struct events *events; /* NULL: nothing is told */
};

/* What happened, for metrics: X(name, kind, help). */
#define INFRA_STATS_LIST(X)                                                                        \
    X(writes, counter, "Services and EndpointSlices of Gateways written or removed")               \
    X(failures, counter, "writes that failed and are tried again")                                 \
    X(strangers, counter, "names that somebody else had")

struct infra_stats {
#define X(name, kind, help) uint64_t name;
    INFRA_STATS_LIST(X)
#undef X
};

/* Makes it; it writes nothing until infra_lead(). 0; -ENOMEM. */
int infra_new(const struct infra_config *config, struct infra **ret);

/* NULL is fine. */
void infra_free(struct infra *i);

/* We lead (every Gateway is looked at), or do so no more. */
void infra_lead(struct infra *i, bool is_leader);

/* To be called for each change of the cluster's source, */
void infra_on_change(struct infra *i, const struct source_change *change);

/* each change of state there, */
void infra_on_state(struct infra *i);

/* and the news of the mirror. */
void infra_on_news(struct infra *i, enum kind kind, const char *namespace_, const char *name);

/* What happened since the start. */
void infra_stats(const struct infra *i, struct infra_stats *ret);
