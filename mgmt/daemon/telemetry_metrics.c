/* SPDX-License-Identifier: Apache-2.0 */
/* See daemon/telemetry_metrics.h. The last block is housekeeping's, and is labelled so. */
#include "daemon/telemetry_metrics.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define LABEL_BYTES 24u

static const char *worker_label(const struct stats_map *map, uint32_t worker, char buf[LABEL_BYTES])
{
    if (worker + 1 == map->header.n_workers)
        snprintf(buf, LABEL_BYTES, "housekeeping");
    else
        snprintf(buf, LABEL_BYTES, "%" PRIu32, worker);
    return buf;
}

static bool is_gauge(const char *name)
{
    size_t len = strlen(name);
    return len > 4 && strcmp(name + len - 4, "_now") == 0;
}

static void write_counter(FILE *to, const struct stats_map *map, uint32_t i)
{
    const char *name = stats_map_name(map, i);
    const char *help = stat_help_of(name); /* NULL: a dataplane of another release */
    bool gauge = is_gauge(name);
    char label[LABEL_BYTES];
    fprintf(to, "# TYPE sluice_dataplane_%s %s\n", name, gauge ? "gauge" : "counter");
    if (help != NULL)
        fprintf(to, "# HELP sluice_dataplane_%s %s.\n", name, help);
    for (uint32_t w = 0; w < map->header.n_workers; w++)
        fprintf(to, "sluice_dataplane_%s%s{worker=\"%s\"} %" PRIu64 "\n", name,
                gauge ? "" : "_total", worker_label(map, w, label), stats_map_value(map, w, i));
}

static void write_histogram(FILE *to, const char *worker, const char *kind,
                            const struct stats_histogram *h)
{
    uint64_t count = 0;
    const char *name = "sluice_dataplane_round_seconds";
    for (unsigned i = 0; i < STATS_ROUND_BUCKETS; i++) {
        count += h->buckets[i];
        if (i + 1 < STATS_ROUND_BUCKETS)
            fprintf(to, "%s_bucket{worker=\"%s\",kind=\"%s\",le=\"%.9g\"} %" PRIu64 "\n", name,
                    worker, kind, (double)stats_round_bound_ns(i) / 1e9, count);
        else
            fprintf(to, "%s_bucket{worker=\"%s\",kind=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name,
                    worker, kind, count);
    }
    fprintf(to, "%s_count{worker=\"%s\",kind=\"%s\"} %" PRIu64 "\n", name, worker, kind, count);
    fprintf(to, "%s_sum{worker=\"%s\",kind=\"%s\"} %.9f\n", name, worker, kind,
            (double)h->sum_ns / 1e9);
}

static void write_rounds(FILE *to, const struct stats_map *map)
{
    char label[LABEL_BYTES];
    struct stats_rounds rounds;
    fputs("# TYPE sluice_dataplane_round_seconds histogram\n"
          "# UNIT sluice_dataplane_round_seconds seconds\n"
          "# HELP sluice_dataplane_round_seconds How long rounds of the worker loop took.\n",
          to);
    for (uint32_t w = 0; w + 1 < map->header.n_workers; w++) {
        if (!stats_map_rounds(map, w, &rounds))
            continue;
        write_histogram(to, worker_label(map, w, label), "busy", &rounds.busy);
        write_histogram(to, worker_label(map, w, label), "idle", &rounds.idle);
    }
    fputs("# TYPE sluice_dataplane_round_longest_seconds gauge\n"
          "# UNIT sluice_dataplane_round_longest_seconds seconds\n"
          "# HELP sluice_dataplane_round_longest_seconds The longest round, lately or ever.\n",
          to);
    for (uint32_t w = 0; w + 1 < map->header.n_workers; w++) {
        if (!stats_map_rounds(map, w, &rounds))
            continue;
        for (unsigned i = 0; i < STATS_LONGEST_COUNT; i++)
            fprintf(to, "sluice_dataplane_round_longest_seconds{worker=\"%s\",of=\"%s\"} %.9f\n",
                    worker_label(map, w, label), stats_longest_name(i),
                    (double)rounds.longest[i].ns / 1e9);
    }
}

void telemetry_metrics_write(FILE *to, const struct stats_map *map)
{
    for (uint32_t i = 0; i < map->header.n_counters; i++)
        write_counter(to, map, i);
    write_rounds(to, map);
}
