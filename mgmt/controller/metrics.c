/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of the parts' headers as OpenMetrics. A row of a list is a metric family. */
#include "base/container.h"
#include "controller/events.h"
#include "controller/infra.h"
#include "controller/lease.h"
#include "controller/probe.h"
#include "controller/status.h"
#include "controller/writers.h"

#define PREFIX "sluice_controller_"

struct metric {
    const char *name, *kind, *help;
    uint64_t value;
};

static void put(FILE *out, const struct metric *m)
{
    probe_family(out, m->name, m->kind, m->help);
    probe_sample(out, m->name, m->kind, NULL, m->value);
}

static void put_source(FILE *out, const struct source *source)
{
    struct source_stats s;
    source_stats(source, &s);
    const struct metric all[] = {
#define X(name, help) {PREFIX "cluster_" #name, "counter", help, s.name},
        SOURCE_STATS_LIST(X)
#undef X
            {PREFIX "cluster_holding", "gauge", "objects that are held now",
             source_held_all(source)},
    };
    for (size_t i = 0; i < array_len(all); i++) {
        put(out, &all[i]);
    }
}

/* A family has a sample an appliance. */
static void put_mirror(FILE *out, const struct mirror *mirror)
{
    struct mirror_stats s[MIRROR_APPLIANCES_MAX];
    size_t n = mirror_appliance_count(mirror);
    for (size_t i = 0; i < n; i++) {
        mirror_stats(mirror, i, &s[i]);
    }
#define X(name, kind, help)                                                                        \
    probe_family(out, PREFIX "mirror_" #name, #kind, help);                                        \
    for (size_t i = 0; i < n; i++) {                                                               \
        probe_sample(out, PREFIX "mirror_" #name, #kind, mirror_appliance_name(mirror, i),         \
                     s[i].name);                                                                   \
    }
    MIRROR_STATS_LIST(X)
#undef X
}

static void put_writers(FILE *out, const struct writers *w)
{
    struct status_stats status;
    struct infra_stats infra;
    struct events_stats events;
    status_stats(w->status, &status);
    infra_stats(w->infra, &infra);
    events_stats(w->events, &events);
    const struct metric all[] = {
#define X(name, kind, help) {PREFIX "status_" #name, #kind, help, status.name},
        STATUS_STATS_LIST(X)
#undef X
#define X(name, kind, help) {PREFIX "infrastructure_" #name, #kind, help, infra.name},
            INFRA_STATS_LIST(X)
#undef X
#define X(name, kind, help) {PREFIX "events_" #name, #kind, help, events.name},
                EVENTS_STATS_LIST(X)
#undef X
                    {PREFIX "leader", "gauge", "1: this one leads", writers_may(w) ? 1 : 0},
    };
    for (size_t i = 0; i < array_len(all); i++) {
        put(out, &all[i]);
    }
}

void metrics_write(void *owner, FILE *out)
{
    const struct writers *w = owner;
    put_source(out, w->controller->source);
    put_mirror(out, w->controller->mirror);
    put_writers(out, w);
}
