/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator's command line; see README.md. */
#include "sim.h"
#include "sim_jobs.h"

#include "base/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
    uint64_t first;
    uint64_t seeds;
    uint64_t jobs;
    enum sim_world world;
    bool is_verbose;
    bool is_twice;
};

static const char usage[] =
    "usage: sim [--first SEED] [--seeds N] [--jobs N] [--world NAME] [--verbose] [--twice]\n"
    "  --first    the first seed (1)\n"
    "  --seeds    how many, one after the other (1)\n"
    "  --jobs     processes among which the seeds are dealt out (1)\n"
    "  --world    all in this world, instead of the one that the seed picks\n"
    "  --verbose  tells the story of each run, and its digest\n"
    "  --twice    runs each seed twice: the digest must be the same\n"
    "worlds:\n";

static void print_usage(void)
{
    static const char *const helps[] = {SIM_WORLD_LIST(X_TEXT)};
    fputs(usage, stdout);
    for (unsigned i = 0; i < SIM_WORLD_COUNT; i++)
        printf("  %-12s %s\n", sim_world_name(i), helps[i]);
}

static bool find_world(const char *name, enum sim_world *ret)
{
    for (unsigned i = 0; i < SIM_WORLD_COUNT; i++) {
        if (strcmp(name, sim_world_name(i)) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

/* The options that take a number. */
static uint64_t *number_of(struct arguments *a, const char *option)
{
    if (strcmp(option, "--first") == 0)
        return &a->first;
    if (strcmp(option, "--seeds") == 0)
        return &a->seeds;
    return strcmp(option, "--jobs") == 0 ? &a->jobs : NULL;
}

static bool parse(int argc, char **argv, struct arguments *a)
{
    *a = (struct arguments){.first = 1, .seeds = 1, .jobs = 1, .world = SIM_WORLD_COUNT};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        uint64_t *number = number_of(a, argv[i]);
        char *end;
        if (strcmp(argv[i], "--verbose") == 0) {
            a->is_verbose = true;
        } else if (strcmp(argv[i], "--twice") == 0) {
            a->is_twice = true;
        } else if (number != NULL) {
            *number = strtoull(value, &end, 0);
            if (*value == '\0' || *end != '\0')
                return false;
            i++;
        } else if (strcmp(argv[i], "--world") == 0 && find_world(value, &a->world)) {
            i++;
        } else {
            return false;
        }
    }
    return a->seeds > 0 && a->jobs > 0 && a->jobs <= SIM_JOBS_MAX;
}

static void print_result(uint64_t seed, const struct sim_result *r)
{
    printf("seed %" PRIu64 " world %s: %s, %.3f s virtual, %" PRIu64 " steps, %" PRIu64
           " frames, digest %016" PRIx64 ";",
           seed, sim_world_name(r->world), r->is_good ? "good" : "FAILED",
           (double)r->virtual_us / 1e6, r->steps, r->frames, r->digest);
    for (unsigned i = 0; i < SIM_OUTCOME_COUNT; i++) {
        if (r->outcomes[i] > 0)
            printf(" %u %s", r->outcomes[i], sim_outcome_name(i));
    }
    putchar('\n');
}

/* Runs one seed; with --twice a second time. */
static bool run_seed(const void *arguments, uint64_t seed, struct sim_result *ret)
{
    const struct arguments *a = arguments;
    sim_run(seed, a->world, a->is_verbose, ret);
    if (a->is_verbose)
        print_result(seed, ret);
    if (!ret->is_good) {
        printf("seed %" PRIu64 " world %s: %s\n", seed, sim_world_name(ret->world), ret->failure);
        return false;
    }
    if (!a->is_twice)
        return true;
    struct sim_result again;
    sim_run(seed, a->world, false, &again);
    if (again.digest == ret->digest && again.steps == ret->steps)
        return true;
    printf("seed %" PRIu64 ": a second run went another way (%016" PRIx64 ", %016" PRIx64 ")\n",
           seed, ret->digest, again.digest);
    return false;
}

int main(int argc, char **argv)
{
    struct arguments a;
    if (!parse(argc, argv, &a)) {
        print_usage();
        return 2;
    }
    struct sim_totals totals;
    sim_jobs_run((unsigned)a.jobs, a.first, a.seeds, run_seed, &a, &totals);
    printf("requests:");
    for (unsigned o = 0; o < SIM_OUTCOME_COUNT; o++)
        printf(" %" PRIu64 " %s", totals.outcomes[o], sim_outcome_name(o));
    printf("\nsim: %" PRIu64 " passed, %" PRIu64 " failed\n", totals.passed, totals.failed);
    return totals.failed == 0 && totals.passed == a.seeds ? 0 : 1;
}
