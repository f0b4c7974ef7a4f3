/* SPDX-License-Identifier: Apache-2.0 */
/* See maglev_figures.h. */
#include "maglev_figures.h"

#include "base/assert.h"
#include "base/maglev.h"
#include "base/rng.h"
#include "base/siphash.h"

#include <stdbool.h>
#include <string.h>

static uint16_t before[FIGURES_PLACES_LARGE], after[FIGURES_PLACES_LARGE];

/* Fills with the nodes of the set that have not failed. */
static void fill(uint64_t seed, const bool *has_failed, uint16_t *table, uint32_t size)
{
    struct maglev_node nodes[FIGURES_NODES];
    struct siphash_key key = {.k0 = seed};
    uint32_t n = 0;
    ASSERT(size <= FIGURES_PLACES_LARGE);
    for (uint16_t i = 0; i < FIGURES_NODES; i++) {
        if (!has_failed[i])
            nodes[n++] =
                (struct maglev_node){.key = siphash(&key, &i, sizeof(i)), .weight = 1, .id = i};
    }
    maglev_fill(nodes, n, table, size);
}

struct figures_balance figures_balance(uint64_t seed, uint32_t size)
{
    static const bool nobody[FIGURES_NODES];
    uint32_t counts[FIGURES_NODES] = {0};
    uint32_t most = 0, fewest = UINT32_MAX;
    fill(seed, nobody, before, size);
    for (uint32_t i = 0; i < size; i++)
        counts[before[i]]++;
    for (uint32_t i = 0; i < FIGURES_NODES; i++) {
        most = counts[i] > most ? counts[i] : most;
        fewest = counts[i] < fewest ? counts[i] : fewest;
    }
    double mean = (double)size / FIGURES_NODES;
    return (struct figures_balance){100 * (most / mean - 1), 100 * (1 - fewest / mean)};
}

double figures_disruption(uint64_t seed, uint32_t size, uint32_t failed)
{
    bool has_failed[FIGURES_NODES] = {false};
    struct rng rng = {.state = seed + 1};
    ASSERT(failed < FIGURES_NODES);
    fill(seed, has_failed, before, size);
    for (uint32_t n = 0; n < failed;) {
        uint32_t i = rng_below(&rng, FIGURES_NODES);
        n += !has_failed[i];
        has_failed[i] = true;
    }
    fill(seed, has_failed, after, size);
    uint32_t changed = 0;
    for (uint32_t i = 0; i < size; i++)
        changed += !has_failed[before[i]] && before[i] != after[i];
    return 100.0 * changed / size;
}
