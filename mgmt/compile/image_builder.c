/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The builder's storage and the finished layout. See image_builder.h; tries and hash tables are in
 * image_builder_trie.c, network and listeners in image_builder_net.c, routes in
 * image_builder_route.c.
 */
#include "compile/image_builder_priv.h"

#include "base/assert.h"
#include "base/siphash.h"

#include <errno.h>
#include <stdlib.h>

struct image_builder *image_builder_new(void)
{
    struct image_builder *b = calloc(1, sizeof(*b));
    if (b == NULL)
        return NULL;
#define X(name, member, type, max, help)                                                           \
    *SECTION(b, name) = (struct image_vec){.entry_size = sizeof(type), .count_max = (max)};
    IMAGE_SECTION_LIST(X)
#undef X
    uint32_t matches_max = SECTION(b, MATCHES)->count_max;
    b->texts = (struct image_vec){.entry_size = sizeof(struct image_string),
                                  .count_max = IMAGE_BYTES_MAX / sizeof(struct image_string)};
    b->matches =
        (struct image_vec){.entry_size = sizeof(struct builder_match), .count_max = matches_max};
    b->placements = (struct image_vec){.entry_size = sizeof(struct builder_placement),
                                       .count_max = matches_max};
    b->attached = (struct image_vec){.entry_size = sizeof(uint32_t),
                                     .count_max = SECTION(b, HOSTS)->count_max};
    b->conditions = (struct image_vec){
        .entry_size = sizeof(struct builder_condition),
        .count_max = matches_max,
    };
    b->chosen = b->conditions;
    return b;
}

void image_builder_free(struct image_builder *b)
{
    if (b == NULL)
        return;
    for (uint32_t i = 0; i <= IMAGE_SECTION_COUNT; i++)
        free(b->sections[i].bytes);
    free(b->texts.bytes);
    free(b->matches.bytes);
    free(b->placements.bytes);
    free(b->attached.bytes);
    free(b->conditions.bytes);
    free(b->chosen.bytes);
    free(b->by_text.slots);
    free(b->by_edge.slots);
    free(b->by_bind.slots);
    free(b);
}

/* Room for `extra` entries more, doubling. */
static bool vec_reserve(struct image_builder *b, struct image_vec *vec, uint32_t extra)
{
    ASSERT(vec->entry_size != 0);
    if (b->error != 0)
        return false;
    if (extra > vec->count_max - vec->count) {
        b->error = -E2BIG;
        return false;
    }
    if (extra <= vec->capacity - vec->count)
        return true;
    uint64_t capacity = vec->capacity < 16 ? 16 : 2 * (uint64_t)vec->capacity;
    if (capacity < (uint64_t)vec->count + extra)
        capacity = (uint64_t)vec->count + extra;
    uint8_t *bytes = realloc(vec->bytes, capacity * vec->entry_size);
    if (bytes == NULL) {
        b->error = -ENOMEM;
        return false;
    }
    vec->bytes = bytes;
    vec->capacity = (uint32_t)capacity;
    return true;
}

void *image_vec_push(struct image_builder *b, struct image_vec *vec)
{
    if (!vec_reserve(b, vec, 1))
        return NULL;
    uint8_t *entry = vec->bytes + (size_t)vec->count++ * vec->entry_size;
    memset(entry, 0, vec->entry_size);
    return entry;
}

uint32_t image_index_find(const struct image_builder *b, const struct image_index *ix,
                          const struct image_index_key *key)
{
    uint32_t mask = ix->n_slots - 1;
    if (ix->n_slots == 0)
        return IMAGE_NONE;
    for (uint32_t i = (uint32_t)key->hash & mask;; i = (i + 1) & mask) {
        if (ix->slots[i] == IMAGE_NONE || key->is_equal(b, ix->slots[i], key->key))
            return ix->slots[i];
    }
}

static void index_place(struct image_index *ix, uint64_t hash, uint32_t index)
{
    uint32_t mask = ix->n_slots - 1;
    uint32_t i = (uint32_t)hash & mask;
    while (ix->slots[i] != IMAGE_NONE)
        i = (i + 1) & mask;
    ix->slots[i] = index;
    ix->used++;
}

/* Keeps at least half of the slots free, so that a search ends. */
static bool index_grow(struct image_builder *b, struct image_index *ix,
                       const struct image_index_key *key)
{
    if (2 * (ix->used + 1) <= ix->n_slots)
        return true;
    struct image_index bigger = {.n_slots = ix->n_slots == 0 ? 64 : 2 * ix->n_slots};
    bigger.slots = malloc(bigger.n_slots * sizeof(uint32_t));
    if (bigger.slots == NULL) {
        b->error = -ENOMEM;
        return false;
    }
    memset(bigger.slots, 0xff, bigger.n_slots * sizeof(uint32_t));
    for (uint32_t i = 0; i < ix->n_slots; i++) {
        if (ix->slots[i] != IMAGE_NONE)
            index_place(&bigger, key->rehash(b, ix->slots[i]), ix->slots[i]);
    }
    ASSERT(bigger.used == ix->used);
    free(ix->slots);
    *ix = bigger;
    return true;
}

bool image_index_add(struct image_builder *b, struct image_index *ix,
                     const struct image_index_key *key, uint32_t index)
{
    if (!index_grow(b, ix, key))
        return false;
    index_place(ix, key->hash, index);
    return true;
}

static uint64_t text_hash(struct slice text)
{
    return siphash(&(struct siphash_key){0, 0}, text.ptr, text.len);
}

static struct slice text_at(const struct image_builder *b, uint32_t index)
{
    const struct image_string *texts = (const void *)b->texts.bytes;
    return image_builder_text(b, texts[index]);
}

static bool is_text_equal(const struct image_builder *b, uint32_t index, const void *key)
{
    return slice_eq(text_at(b, index), *(const struct slice *)key);
}

static uint64_t text_rehash(const struct image_builder *b, uint32_t index)
{
    return text_hash(text_at(b, index));
}

struct slice image_builder_text(const struct image_builder *b, struct image_string s)
{
    return slice_of(s.length == 0 ? (const uint8_t *)"" : SECTION(b, STRINGS)->bytes + s.offset,
                    s.length);
}

bool image_builder_string(struct image_builder *b, struct slice text, struct image_string *ret)
{
    if (text.len == 0) {
        *ret = (struct image_string){0};
        return b->error == 0;
    }
    ASSERT(text.len <= IMAGE_STRING_BYTES_MAX);
    struct image_index_key key = {text_hash(text), &text, is_text_equal, text_rehash};
    uint32_t index = image_index_find(b, &b->by_text, &key);
    if (index != IMAGE_NONE) {
        *ret = ((const struct image_string *)(const void *)b->texts.bytes)[index];
        return b->error == 0;
    }
    struct image_vec *strings = SECTION(b, STRINGS);
    struct image_string s = {strings->count, (uint32_t)text.len};
    if (!vec_reserve(b, strings, s.length) || !vec_reserve(b, &b->texts, 1))
        return false;
    memcpy(strings->bytes + strings->count, text.ptr, text.len);
    strings->count += s.length;
    memcpy(image_vec_push(b, &b->texts), &s, sizeof(s));
    *ret = s;
    return image_index_add(b, &b->by_text, &key, b->texts.count - 1);
}

static size_t align_up(size_t n)
{
    return (n + IMAGE_ALIGN - 1) & ~(size_t)(IMAGE_ALIGN - 1);
}

/* Offsets of all sections into `table`; returns the length of the image. */
static uint64_t lay_out(const struct image_builder *b, struct image_section *table)
{
    uint64_t end = sizeof(struct image_header) + IMAGE_SECTION_COUNT * sizeof(*table);
    for (uint32_t type = 1; type <= IMAGE_SECTION_COUNT; type++) {
        const struct image_vec *vec = &b->sections[type];
        end = align_up(end);
        table[type - 1] = (struct image_section){type, vec->entry_size, (uint32_t)end, vec->count};
        end += (uint64_t)vec->count * vec->entry_size;
    }
    return align_up(end);
}

static void write_image(const struct image_builder *b, const struct image_section *table,
                        struct image_header *header)
{
    uint8_t *bytes = (uint8_t *)header;
    memcpy(header + 1, table, IMAGE_SECTION_COUNT * sizeof(*table));
    for (uint32_t type = 1; type <= IMAGE_SECTION_COUNT; type++) {
        const struct image_vec *vec = &b->sections[type];
        if (vec->count != 0)
            memcpy(bytes + table[type - 1].offset, vec->bytes,
                   (size_t)vec->count * vec->entry_size);
    }
    image_seal(header, header->length);
}

int image_builder_finish(struct image_builder *b, uint64_t generation, void **ret_data,
                         size_t *ret_len)
{
    ASSERT(generation != 0);
    struct image_section table[IMAGE_SECTION_COUNT];
    uint64_t seed = 0;
    int error = b->error != 0 ? b->error : image_builder_order(b);
    if (error == 0)
        error = image_builder_guard(b);
    if (error == 0)
        error = image_builder_hash(b, &seed);
    if (error != 0)
        return error;
    uint64_t length = lay_out(b, table);
    if (length > IMAGE_BYTES_MAX)
        return -E2BIG;
    struct image_header *header = calloc(1, length);
    if (header == NULL)
        return -ENOMEM;
    *header = (struct image_header){
        .magic = IMAGE_MAGIC,
        .version = IMAGE_VERSION,
        .generation = generation,
        .length = length,
        .hash_seed = seed,
        .n_sections = IMAGE_SECTION_COUNT,
    };
    write_image(b, table, header);
    *ret_data = header;
    *ret_len = length;
    return 0;
}
