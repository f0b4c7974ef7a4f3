/* SPDX-License-Identifier: Apache-2.0 */
/* stats: asks the dataplane itself for its telemetry segment and prints it. Owner: sluicectl;
 * thread: one. */
#include "ctl/ctl.h"
#include "ctl/telemetry.h"

#include <inttypes.h>
#include <stdio.h>

static void print_histogram(uint32_t worker, const char *kind, const struct stats_histogram *h)
{
    for (unsigned i = 0; i < STATS_ROUND_BUCKETS; i++) {
        if (h->buckets[i] == 0)
            continue;
        if (i + 1 < STATS_ROUND_BUCKETS)
            printf("worker%" PRIu32 ".round_%s_ns_to_%" PRIu64 " %" PRIu64 "\n", worker, kind,
                   stats_round_bound_ns(i), h->buckets[i]);
        else
            printf("worker%" PRIu32 ".round_%s_ns_beyond %" PRIu64 "\n", worker, kind,
                   h->buckets[i]);
    }
}

static void print_longest(uint32_t worker, const char *of, const struct stats_longest *longest)
{
    printf("worker%" PRIu32 ".round_longest_%s_ns %" PRIu64 "\n", worker, of, longest->ns);
    for (unsigned i = 0; i < STATS_ROUND_PARTS && longest->ns > 0; i++)
        printf("worker%" PRIu32 ".round_longest_%s_%s %" PRIu64 "\n", worker, of,
               stats_round_part_name((enum stats_round_part)i), longest->done[i]);
}

/* How long the rounds of a worker took: only what there was. */
static void print_rounds(const struct stats_map *map, uint32_t worker)
{
    struct stats_rounds rounds;
    if (!stats_map_rounds(map, worker, &rounds))
        return;
    print_histogram(worker, "busy", &rounds.busy);
    print_histogram(worker, "idle", &rounds.idle);
    for (unsigned i = 0; i < STATS_LONGEST_COUNT; i++)
        print_longest(worker, stats_longest_name((enum stats_longest_of)i), &rounds.longest[i]);
}

static void print_all(const struct stats_map *map)
{
    for (uint32_t i = 0; i < map->header.n_counters; i++)
        printf("%s %" PRIu64 "\n", stats_map_name(map, i), stats_map_sum(map, i));
    for (uint32_t w = 0; w < map->header.n_workers; w++) {
        for (uint32_t i = 0; i < map->header.n_counters; i++)
            printf("worker%" PRIu32 ".%s %" PRIu64 "\n", w, stats_map_name(map, i),
                   stats_map_value(map, w, i));
        print_rounds(map, w);
    }
}

enum ctl_exit ctl_stats(const struct ctl_options *o)
{
    struct stats_map map;
    if (!ctl_telemetry_open(o, &map))
        return CTL_FAILED;
    print_all(&map);
    stats_map_close(&map);
    return CTL_DONE;
}
