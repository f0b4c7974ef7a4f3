/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that writes to the cluster, who leads, and what is told of it: status, infrastructure,
 * events, the lease, and the metrics' and health's port, put together for main.
 *
 * Owner: main(). Thread: the loop's.
 */
#pragma once

#include "controller/controller.h"

#include <stdio.h>

struct events;
struct infra;
struct lease;
struct probe;
struct status;

struct writers {
    struct controller *controller;
    struct events *events;
    struct status *status;
    struct infra *infra;
    struct lease *lease; /* NULL: there is one controller only */
    struct probe *probe; /* NULL: not served */
    void (*on_left)(struct controller *c);
};

/* Makes them; the cluster's source and the mirror are there. Negative errno; has said why on
 * stderr. writers_free() in any case. */
int writers_new(struct controller *c, struct writers **ret);

/* NULL is fine. */
void writers_free(struct writers *w);

/* May anything be written now, to the cluster or an appliance? */
bool writers_may(const struct writers *w);

/* What main hears from the cluster's source: changes, */
void writers_on_change(struct writers *w, const struct source_change *change);

/* changes of state, */
void writers_on_state(struct writers *w);

/* what is held, which an Event on each GatewayClass of ours tells; */
void writers_on_held(struct writers *w, enum kind kind, const char *text);

/* and from the mirror. */
void writers_on_news(struct writers *w, enum kind kind, const char *namespace_, const char *name);

/* Stops writing and gives the lease back; `on_left` comes when that is done. */
void writers_leave(struct writers *w, void (*on_left)(struct controller *c));

/* Is the controller of use: has it seen all of the cluster, and each appliance? If not, why. */
bool writers_are_ready(void *owner, char *text, size_t size);

/* All counters, as OpenMetrics lines. `owner`: struct writers. */
void metrics_write(void *owner, FILE *out);
