/* SPDX-License-Identifier: Apache-2.0 */
/* dataplane/base/pool: bounds, identity, exhaustion, and a long random walk against a model. */
#include "base/pool.h"
#include "base/rng.h"
#include "unit.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void *memory_for(uint32_t object_bytes, uint32_t capacity)
{
    return aligned_alloc(64, pool_bytes(object_bytes, capacity));
}

TEST(objects_are_rounded_to_cache_lines)
{
    CHECK_EQ(pool_bytes(1, 10), 640);
    CHECK_EQ(pool_bytes(64, 10), 640);
    CHECK_EQ(pool_bytes(65, 10), 1280);
    CHECK_EQ(pool_bytes(8, 0), 0);
    CHECK_EQ(pool_bytes(1u << 20, 1u << 20), 1LL << 40);
}

TEST(a_pool_of_none_gives_none)
{
    struct pool p;
    pool_init(&p, NULL, 100, 0);
    CHECK(pool_get(&p) == NULL);
    CHECK_EQ(p.used, 0);
}

TEST(an_empty_pool_gives_null_until_something_comes_back)
{
    struct pool p;
    void *memory = memory_for(100, 3);
    pool_init(&p, memory, 100, 3);
    void *a = pool_get(&p);
    void *b = pool_get(&p);
    void *c = pool_get(&p);
    CHECK(a != NULL && b != NULL && c != NULL);
    CHECK(pool_get(&p) == NULL);
    CHECK_EQ(p.used, 3);
    pool_put(&p, b);
    CHECK_EQ(p.used, 2);
    CHECK(pool_get(&p) == b);
    CHECK(pool_get(&p) == NULL);
    free(memory);
}

TEST(index_and_at_are_inverse_and_objects_do_not_overlap)
{
    enum { N = 257 };
    struct pool p;
    void *memory = memory_for(72, N);
    pool_init(&p, memory, 72, N);
    for (unsigned i = 0; i < N; i++) {
        uint8_t *object = pool_get(&p);
        REQUIRE(object != NULL);
        CHECK_EQ(pool_index(&p, object), i);
        CHECK(pool_at(&p, i) == object);
        memset(object, (int)i, 72);
    }
    for (unsigned i = 0; i < N; i++) {
        const uint8_t *object = pool_at(&p, i);
        CHECK_EQ(object[0], (uint8_t)i);
        CHECK_EQ(object[71], (uint8_t)i);
    }
    free(memory);
}

TEST(a_random_walk_never_gives_an_object_twice)
{
    enum { N = 64, STEPS = 200000 };
    struct rng rng = {.state = 7};
    struct pool p;
    bool out[N] = {false};
    unsigned n_out = 0;
    void *memory = memory_for(8, N);
    pool_init(&p, memory, 8, N);
    for (unsigned step = 0; step < STEPS; step++) {
        uint32_t pick = rng_below(&rng, N);
        if (out[pick] && rng_below(&rng, 2) == 0) {
            pool_put(&p, pool_at(&p, pick));
            out[pick] = false;
            n_out--;
            continue;
        }
        void *object = pool_get(&p);
        REQUIRE((object == NULL) == (n_out == N));
        if (object == NULL)
            continue;
        uint32_t index = pool_index(&p, object);
        REQUIRE(!out[index]);
        out[index] = true;
        n_out++;
        memset(object, 0xee, 8);
        REQUIRE(p.used == n_out);
    }
    free(memory);
}

UNIT_MAIN("pool", T(objects_are_rounded_to_cache_lines), T(a_pool_of_none_gives_none),
          T(an_empty_pool_gives_null_until_something_comes_back),
          T(index_and_at_are_inverse_and_objects_do_not_overlap),
          T(a_random_walk_never_gives_an_object_twice))
