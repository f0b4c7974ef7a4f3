/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dataplane/base/maglev: the figures of the paper's section 5.3 (how even, how stable) with tables
 * of both of its sizes and 1,000 nodes, weights, and that the order of the list does not matter.
 */
#include "base/maglev.h"
#include "base/rng.h"
#include "base/siphash.h"
#include "unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NODES 1000u
#define LARGE 655373u /* the paper's other size */

static uint16_t before[LARGE], after[LARGE];
static uint32_t counts[NODES];

/* Node `id` of a set: all with the same `seed` are of one set. */
static struct maglev_node node(uint64_t seed, uint16_t id, uint32_t weight)
{
    struct siphash_key key = {.k0 = seed};
    return (struct maglev_node){.key = siphash(&key, &id, sizeof(id)), .weight = weight, .id = id};
}

/* Fills with nodes 0..n-1 but the `n_gone` from `gone` on. */
static void fill(uint64_t seed, uint32_t n, uint32_t gone, uint32_t n_gone, uint16_t *table,
                 uint32_t size)
{
    struct maglev_node nodes[NODES];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i < gone || i >= gone + n_gone)
            nodes[kept++] = node(seed, (uint16_t)i, 1);
    }
    maglev_fill(nodes, kept, table, size);
}

static void count(const uint16_t *table, uint32_t size)
{
    memset(counts, 0, sizeof(counts));
    for (uint32_t i = 0; i < size; i++) {
        REQUIRE(table[i] < NODES);
        counts[table[i]]++;
    }
}

/* The most loaded of n has this many percent more than the mean. */
static double excess(uint32_t n, uint32_t size)
{
    uint32_t most = 0, fewest = UINT32_MAX;
    for (uint32_t i = 0; i < n; i++) {
        most = counts[i] > most ? counts[i] : most;
        fewest = counts[i] < fewest ? counts[i] : fewest;
    }
    CHECK(most - fewest <= 1);
    return 100.0 * most * n / size - 100;
}

TEST(a_thousand_nodes_have_as_many_places_as_each_other)
{
    static const uint32_t sizes[] = {MAGLEV_PLACES_MAX, LARGE};
    static const double bounds[] = {1.0, 0.2};
    for (unsigned s = 0; s < 2; s++) {
        fill(1, NODES, 0, 0, before, sizes[s]);
        count(before, sizes[s]);
        double percent = excess(NODES, sizes[s]);
        printf("%u places, %u nodes: the most loaded has %.2f %% more than the mean\n", sizes[s],
               NODES, percent);
        CHECK(percent <= bounds[s]);
    }
}

/* The percentage of places that changed their node although it is still there. */
static double moved(uint32_t gone, uint32_t n_gone, uint32_t size)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < size; i++) {
        bool had_to = before[i] >= gone && before[i] < gone + n_gone;
        n += !had_to && before[i] != after[i];
    }
    return 100.0 * n / size;
}

/* The paper's figure on resilience: the share of places that change as more nodes fail at once. */
TEST(few_places_move_beyond_those_whose_node_went)
{
    static const struct {
        uint32_t size;
        uint32_t n_gone;
        double percent_max;
    } rows[] = {{MAGLEV_PLACES_MAX, 1, 1},
                {MAGLEV_PLACES_MAX, 10, 3},
                {MAGLEV_PLACES_MAX, 30, 4},
                {LARGE, 1, 0.5},
                {LARGE, 10, 1},
                {LARGE, 30, 1}};
    for (unsigned r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        double worst = 0, sum = 0;
        for (uint64_t seed = 0; seed < 3; seed++) {
            fill(seed, NODES, 0, 0, before, rows[r].size);
            fill(seed, NODES, 500, rows[r].n_gone, after, rows[r].size);
            double percent = moved(500, rows[r].n_gone, rows[r].size);
            worst = percent > worst ? percent : worst;
            sum += percent;
        }
        printf("%u places, %u of %u nodes gone: %.2f %% of the places move besides theirs "
               "(worst %.2f)\n",
               rows[r].size, rows[r].n_gone, NODES, sum / 3, worst);
        CHECK(worst <= rows[r].percent_max);
    }
}

TEST(of_a_few_nodes_hardly_any_place_moves_that_need_not)
{
    for (uint32_t n = 2; n <= 10; n++) {
        fill(7, n, 0, 0, before, MAGLEV_PLACES_MAX);
        for (uint32_t gone = 0; gone < n; gone++) {
            fill(7, n, gone, 1, after, MAGLEV_PLACES_MAX);
            CHECK(moved(gone, 1, MAGLEV_PLACES_MAX) <= 5);
        }
    }
}

TEST(a_node_that_comes_back_restores_the_table)
{
    fill(3, 50, 0, 0, before, MAGLEV_PLACES_MAX);
    fill(3, 50, 20, 1, after, MAGLEV_PLACES_MAX);
    CHECK(memcmp(before, after, MAGLEV_PLACES_MAX * sizeof(before[0])) != 0);
    fill(3, 50, 0, 0, after, MAGLEV_PLACES_MAX);
    CHECK(memcmp(before, after, MAGLEV_PLACES_MAX * sizeof(before[0])) == 0);
}

TEST(the_order_of_the_nodes_does_not_matter)
{
    struct maglev_node nodes[100];
    struct rng rng = {.state = 5};
    for (unsigned round = 0; round < 20; round++) {
        for (uint16_t i = 0; i < 100; i++)
            nodes[i] = node(9, i, 1 + i % 7);
        for (uint32_t i = 99; round > 0 && i > 0; i--) {
            uint32_t k = rng_below(&rng, i + 1);
            struct maglev_node other = nodes[k];
            nodes[k] = nodes[i];
            nodes[i] = other;
        }
        maglev_fill(nodes, 100, round == 0 ? before : after, MAGLEV_PLACES_MAX);
        if (round > 0)
            CHECK(memcmp(before, after, MAGLEV_PLACES_MAX * sizeof(before[0])) == 0);
    }
}

TEST(places_go_by_weight)
{
    static const uint32_t weights[] = {1, 2, 3, 10, 65535};
    for (uint16_t n = 2; n <= 5; n++) {
        struct maglev_node nodes[5];
        uint64_t total = 0;
        for (uint16_t i = 0; i < n; i++) {
            nodes[i] = node(4, i, weights[i]);
            total += weights[i];
        }
        maglev_fill(nodes, n, before, MAGLEV_PLACES_MAX);
        count(before, MAGLEV_PLACES_MAX);
        for (uint16_t i = 0; i < n; i++) {
            double share = (double)MAGLEV_PLACES_MAX * weights[i] / (double)total;
            CHECK(counts[i] >= share - 1 && counts[i] <= share + 1 + n);
        }
    }
}

TEST(one_node_has_all_places)
{
    struct maglev_node one = node(1, 7, 3);
    maglev_fill(&one, 1, before, 3);
    for (unsigned i = 0; i < 3; i++)
        CHECK_EQ(before[i], 7);
    CHECK_EQ(maglev_place(UINT64_MAX, MAGLEV_PLACES_MAX), UINT64_MAX % 65537);
}

UNIT_MAIN("maglev", T(a_thousand_nodes_have_as_many_places_as_each_other),
          T(few_places_move_beyond_those_whose_node_went),
          T(of_a_few_nodes_hardly_any_place_moves_that_need_not),
          T(a_node_that_comes_back_restores_the_table), T(the_order_of_the_nodes_does_not_matter),
          T(places_go_by_weight), T(one_node_has_all_places))
