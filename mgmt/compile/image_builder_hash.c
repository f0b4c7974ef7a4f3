/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hash tables of the image, made last. A key may stand at most IMAGE_PROBES_MAX places from
 * home; when one does not fit, another seed is tried, then a table of twice the size. The seeds are
 * tried in a fixed order, so the same content gives the same bytes; somebody who chooses names so
 * that they collide under the first seeds has to find other names for each of them.
 */
#include "compile/image_builder_priv.h"

#include "base/assert.h"

#define SEEDS_PER_SIZE 4u

/* Makes a section hold `count` entries of all ones: free slots. */
static int resize_slots(struct image_builder *b, struct image_vec *vec, uint32_t count)
{
    if (!image_vec_reset(b, vec, count))
        return b->error;
    if (count != 0)
        memset(vec->bytes, 0xff, (size_t)count * vec->entry_size);
    return 0;
}

/* The first free of the places that a key may have; IMAGE_NONE: there is none. */
static uint32_t free_slot(const struct image_vec *vec, size_t node_offset, uint64_t hash)
{
    for (uint32_t i = 0; i < IMAGE_PROBES_MAX; i++) {
        uint32_t slot = ((uint32_t)hash + i) & (vec->count - 1);
        ASSERT(slot < vec->count);
        uint32_t taken;
        memcpy(&taken, vec->bytes + (size_t)slot * vec->entry_size + node_offset, sizeof(taken));
        if (taken == IMAGE_NONE)
            return slot;
    }
    return IMAGE_NONE;
}

/* Puts an index into a table of struct image_slot. False: there is no place near enough. */
static bool place_slot(struct image_vec *vec, uint64_t hash, uint32_t index)
{
    uint32_t at = free_slot(vec, offsetof(struct image_slot, node), hash);
    if (at == IMAGE_NONE)
        return false;
    struct image_slot *slots = (struct image_slot *)(void *)vec->bytes;
    slots[at] = (struct image_slot){(uint32_t)(hash >> 32), index};
    return true;
}

/* A free slot has tag 0. */
static void clear_free_tags(struct image_vec *vec)
{
    struct image_slot *slots = (struct image_slot *)(void *)vec->bytes;
    for (uint32_t i = 0; i < vec->count; i++) {
        if (slots[i].node == IMAGE_NONE)
            slots[i].tag = 0;
    }
}

static bool fill_guard_slots(struct image_builder *b, uint64_t seed)
{
    const struct image_answer *answers = ENTRIES(b, ANSWERS, const struct image_answer);
    for (uint32_t i = 0; i < SECTION(b, ANSWERS)->count; i++) {
        uint64_t hash =
            image_edge_hash(seed, answers[i].guard, image_builder_text(b, answers[i].value));
        if (!place_slot(SECTION(b, GUARD_SLOTS), hash, i))
            return false;
    }
    clear_free_tags(SECTION(b, GUARD_SLOTS));
    return true;
}

static bool fill_bind_slots(struct image_builder *b, uint64_t seed)
{
    const struct image_bind *binds = ENTRIES(b, BINDS, const struct image_bind);
    uint32_t *slots = ENTRIES(b, BIND_SLOTS, uint32_t);
    for (uint32_t i = 0; i < SECTION(b, BINDS)->count; i++) {
        if (binds[i].set != IMAGE_NONE)
            continue; /* everybody's leads to it */
        uint64_t hash =
            image_bind_hash(seed, &binds[i].addr, binds[i].port, image_is_udp_bind(binds[i].kind));
        uint32_t slot = free_slot(SECTION(b, BIND_SLOTS), 0, hash);
        if (slot == IMAGE_NONE)
            return false;
        slots[slot] = i;
    }
    return true;
}

/* The smallest power of two that leaves half of the table free; 0 for no keys. */
static uint32_t table_size(uint32_t keys)
{
    uint32_t size = keys == 0 ? 0 : 2;
    while (size < 2 * keys)
        size *= 2;
    return size;
}

struct table {
    enum image_section_type section;
    uint32_t size;
    bool (*fill)(struct image_builder *b, uint64_t seed);
};

#define TABLES 3u

/* Empties and fills all tables. Returns the first with a key too far from home; TABLES: none. */
static uint32_t fill_tables(struct image_builder *b, const struct table *tables, uint64_t seed)
{
    for (uint32_t i = 0; i < TABLES; i++) {
        if (resize_slots(b, &b->sections[tables[i].section], tables[i].size) != 0 ||
            !tables[i].fill(b, seed))
            return i;
    }
    return TABLES;
}

int image_builder_hash(struct image_builder *b, uint64_t *ret_seed)
{
    struct table tables[TABLES] = {
        {IMAGE_SECTION_NODES, table_size(b->nodes.count), image_builder_place_nodes},
        {IMAGE_SECTION_BIND_SLOTS, table_size(SECTION(b, BINDS)->count), fill_bind_slots},
        {IMAGE_SECTION_GUARD_SLOTS, table_size(SECTION(b, ANSWERS)->count), fill_guard_slots},
    };
    for (uint64_t seed = 0;; seed++) {
        uint32_t crowded = fill_tables(b, tables, seed);
        if (b->error != 0)
            return b->error;
        if (crowded == TABLES) {
            *ret_seed = seed;
            return 0;
        }
        if (seed % SEEDS_PER_SIZE == SEEDS_PER_SIZE - 1)
            tables[crowded].size *= 2;
    }
}
