/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of api.h, reconcile's state and the dataplane's telemetry as OpenMetrics lines. */
#include "daemon/metrics.h"

#include "api/api.h"
#include "base/container.h"
#include "daemon/daemon.h"
#include "daemon/telemetry_metrics.h"
#include "reconcile/reconcile.h"
#include "resolve/resolve.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct metric {
    const char *name, *kind, *help;
    uint64_t value;
};

static void put(FILE *to, const struct metric *m)
{
    const char *suffix = strcmp(m->kind, "counter") == 0 ? "_total" : "";
    fprintf(to, "# TYPE sluice_%s %s\n# HELP sluice_%s %s.\nsluice_%s%s %" PRIu64 "\n", m->name,
            m->kind, m->name, m->help, m->name, suffix, m->value);
}

static void put_api(FILE *to, const struct api *api)
{
    struct api_stats s;
    api_stats(api, &s);
    const struct metric all[] = {
#define X(name, kind, help) {"api_" #name, #kind, help, s.name},
        API_STATS_LIST(X)
#undef X
    };
    for (size_t i = 0; i < array_len(all); i++)
        put(to, &all[i]);
}

static void put_names(FILE *to, const struct resolve *resolve)
{
    const struct resolve_counts c = resolve_counts(resolve);
    const struct metric all[] = {
        {"resolve_questions", "counter", "questions to name servers", c.questions},
        {"resolve_failures", "counter", "of them without an answer", c.failures},
        {"resolve_left_out", "counter", "names without room, each time they were wanted",
         c.left_out},
        {"resolve_names", "gauge", "names of Backends, once for each family", c.names},
        {"resolve_stale", "gauge", "of them with an answer of before", c.stale},
    };
    for (size_t i = 0; i < array_len(all); i++)
        put(to, &all[i]);
}

static void put_rest(FILE *to, const struct daemon *d)
{
    struct reconcile_state r;
    reconcile_state(d->reconcile, &r);
    const struct metric all[] = {
        {"store_version", "gauge", "resourceVersion of the latest change", store_version(d->store)},
        {"dataplane_connected", "gauge", "1: there is a dataplane", r.is_connected ? 1 : 0},
        {"generation_published", "gauge", "latest image that was sent", r.generation_published},
        {"generation_served", "gauge", "image that every worker serves", r.generation_served},
        {"reconcile_runs", "counter", "times that objects became an image", r.runs},
        {"reconcile_images_refused", "counter", "images that the dataplane refused",
         r.images_refused},
        {"reconcile_failures", "counter", "what failed or was refused, and was tried again",
         r.failures},
        {"reconcile_left_out", "gauge", "things that the latest image leaves out", r.left_out},
        {"reconcile_image_bytes", "gauge", "size of the latest image", r.image_bytes},
        {"reconcile_run_us_last", "gauge", "microseconds of the latest run", r.run_us_last},
    };
    for (size_t i = 0; i < array_len(all); i++)
        put(to, &all[i]);
    put_names(to, d->resolve);
    if (reconcile_telemetry(d->reconcile) != NULL)
        telemetry_metrics_write(to, reconcile_telemetry(d->reconcile));
    fputs("# EOF\n", to);
}

static void handle(void *owner, struct api_call *call)
{
    struct daemon *d = owner;
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    if (to != NULL) {
        put_api(to, d->api);
        put_rest(to, d);
    }
    if (to != NULL && fclose(to) == 0 && text != NULL)
        api_call_answer_text(call, 200, METRICS_TYPE, text);
    else
        api_call_fail(call, 500, "InternalError", "out of memory");
}

int metrics_register(struct daemon *d)
{
    struct api_extra extra = {
        .method = "GET",
        .path = "/metrics",
        .roles = API_ROLE_BIT(API_PROVIDER) | API_ROLE_BIT(API_OPERATOR),
        .handle = handle,
        .owner = d,
    };
    return api_register(d->api, &extra);
}
