/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the paper measures of a table (base/maglev.h has it; section 5.3, figures 11 and 12): how
 * even it is among 1,000 nodes, and how much of it changes beyond what must when some of them fail
 * at once. For the unit test and for ./dev bench l4. Thread: one.
 */
#pragma once

#include <stdint.h>

#define FIGURES_NODES 1000u
#define FIGURES_PLACES_LARGE 655373u /* the paper's larger table; its smaller one is ours */

/* Of a table's nodes: how many percent the one with most places has beyond the mean (the paper's
 * over-provision factor), and how many the one with fewest is short of it. */
struct figures_balance {
    double over_percent;
    double under_percent;
};

/* Of a table of `size` places; sets of nodes with another `seed` have nothing in common. */
struct figures_balance figures_balance(uint64_t seed, uint32_t size);

/* `failed` nodes, chosen by chance, leave at once: the percentage of all places that change
 * although their node is still there. What those that left had comes on top, in any table. */
double figures_disruption(uint64_t seed, uint32_t size, uint32_t failed);
