/* SPDX-License-Identifier: Apache-2.0 */
/* Memory within a block: pieces do not overlap, come back, and are whole again. */
#include "http2/h2_priv.h"
#include "unit.h"

#include <string.h>

enum { BLOCK_BYTES = 4096, PIECES = 64 };

static _Alignas(64) uint8_t block[BLOCK_BYTES + 64];

static void begin(void)
{
    memset(block, 0xa5, sizeof(block));
    h2_block_init(block, BLOCK_BYTES);
}

TEST(a_block_is_one_piece_before_and_after)
{
    begin();
    CHECK(h2_block_take(block, BLOCK_BYTES, BLOCK_BYTES) == NULL);
    CHECK(h2_block_take(block, BLOCK_BYTES, SIZE_MAX) == NULL);
    for (unsigned i = 0; i < 3; i++) {
        void *all = h2_block_take(block, BLOCK_BYTES, BLOCK_BYTES - 16);
        REQUIRE(all != NULL);
        CHECK_EQ(h2_block_length(all), BLOCK_BYTES - 16);
        CHECK(h2_block_take(block, BLOCK_BYTES, 0) == NULL);
        h2_block_give(all);
    }
}

TEST(pieces_that_are_free_side_by_side_become_one)
{
    begin();
    void *pieces[4];
    for (unsigned i = 0; i < 4; i++)
        REQUIRE((pieces[i] = h2_block_take(block, BLOCK_BYTES, 1000)) != NULL);
    CHECK(h2_block_take(block, BLOCK_BYTES, 1000) == NULL);
    h2_block_give(pieces[2]);
    h2_block_give(pieces[1]);
    CHECK(h2_block_take(block, BLOCK_BYTES, 2100) == NULL);
    CHECK(h2_block_take(block, BLOCK_BYTES, 2000) == pieces[1]);
}

/* Each piece is filled with its number: nobody else may write to it. */
TEST(pieces_of_all_sizes_keep_what_is_in_them)
{
    static struct {
        uint8_t *at;
        size_t bytes;
    } held[PIECES];
    uint32_t chance = 1, n_taken = 0;
    begin();
    memset(held, 0, sizeof(held));
    for (unsigned step = 0; step < 20000; step++) {
        chance = chance * 1664525u + 1013904223u;
        unsigned i = (chance >> 8) % PIECES;
        if (held[i].at != NULL) {
            for (size_t k = 0; k < held[i].bytes; k++)
                REQUIRE(held[i].at[k] == (uint8_t)i);
            h2_block_give(held[i].at);
            held[i].at = NULL;
            continue;
        }
        held[i].bytes = (chance >> 16) % 300;
        held[i].at = h2_block_take(block, BLOCK_BYTES, held[i].bytes);
        if (held[i].at == NULL)
            continue;
        n_taken++;
        CHECK((uintptr_t)held[i].at % 16 == 0);
        CHECK(held[i].at + held[i].bytes <= block + BLOCK_BYTES);
        memset(held[i].at, (int)i, held[i].bytes);
    }
    CHECK(n_taken > 5000);
    for (unsigned i = 0; i < PIECES; i++) {
        if (held[i].at != NULL)
            h2_block_give(held[i].at);
    }
    CHECK(h2_block_take(block, BLOCK_BYTES, BLOCK_BYTES - 16) != NULL);
    for (unsigned i = BLOCK_BYTES; i < sizeof(block); i++)
        CHECK_EQ(block[i], 0xa5);
}

UNIT_MAIN("http2/block", T(a_block_is_one_piece_before_and_after),
          T(pieces_that_are_free_side_by_side_become_one),
          T(pieces_of_all_sizes_keep_what_is_in_them))
