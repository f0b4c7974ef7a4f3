/* SPDX-License-Identifier: Apache-2.0 */
/* dataplane/base/rendezvous: shares by weight, and that no key moves that need not. */
#include "base/rendezvous.h"
#include "base/siphash.h"
#include "unit.h"

#include <stdbool.h>

#define KEYS 100000u
#define NODES 10u

static uint64_t hash_of(uint64_t kind, uint64_t n)
{
    struct siphash_key key = {.k0 = kind};
    return siphash(&key, &n, sizeof(n));
}

/* Who has the key, of the nodes of some weight. */
static unsigned holder(uint64_t key, const uint32_t *weights)
{
    uint64_t least = UINT64_MAX;
    unsigned best = NODES;
    for (unsigned i = 0; i < NODES; i++) {
        if (weights[i] == 0)
            continue;
        uint64_t draw = rendezvous_draw(hash_of(1, key), hash_of(2, i), weights[i]);
        if (draw < least) {
            least = draw;
            best = i;
        }
    }
    return best;
}

TEST(the_logarithm_is_near_and_never_grows)
{
    uint64_t last = UINT64_MAX;
    for (uint64_t u = 1; u < UINT64_MAX / 3; u += u / 50 + 1) {
        uint64_t log = rendezvous_log(u);
        CHECK(log <= last);
        last = log;
    }
    CHECK_EQ(rendezvous_log(1ull << 63), 1u << 26);
    CHECK_EQ(rendezvous_log(1ull << 60), 4u << 26);
    double third = (double)rendezvous_log(UINT64_MAX / 3) / (1u << 26);
    CHECK(third > 1.584 - 0.01 && third < 1.585 + 0.01);
}

static void check_shares(const uint32_t *weights)
{
    unsigned counts[NODES] = {0};
    double total = 0;
    for (uint64_t k = 0; k < KEYS; k++)
        counts[holder(k, weights)]++;
    for (unsigned i = 0; i < NODES; i++)
        total += weights[i];
    for (unsigned i = 0; i < NODES; i++) {
        double share = (double)KEYS * weights[i] / total;
        CHECK(counts[i] >= share * 0.95 - 20 && counts[i] <= share * 1.05 + 20);
    }
}

TEST(keys_are_shared_by_weight)
{
    check_shares((uint32_t[NODES]){1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
    check_shares((uint32_t[NODES]){1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
    check_shares((uint32_t[NODES]){65535 * 64, 65535 * 64, 65535 * 32, 1, 1, 1, 1, 1, 1, 1});
}

TEST(when_a_node_goes_only_its_keys_move)
{
    uint32_t weights[NODES] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, less[NODES];
    for (unsigned gone = 0; gone < NODES; gone++) {
        for (unsigned i = 0; i < NODES; i++)
            less[i] = i == gone ? 0 : weights[i];
        for (uint64_t k = 0; k < KEYS / 20; k++) {
            unsigned before = holder(k, weights), after = holder(k, less);
            CHECK(after != gone && (before == gone || before == after));
        }
    }
}

UNIT_MAIN("rendezvous", T(the_logarithm_is_near_and_never_grows), T(keys_are_shared_by_weight),
          T(when_a_node_goes_only_its_keys_move))
