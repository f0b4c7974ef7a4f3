/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the builder grows in: arrays that double, hash tables of indices into them, and strings,
 * each of which is in the image once.
 */
#include "compile/image_builder_priv.h"

#include "base/assert.h"
#include "base/siphash.h"

#include <errno.h>
#include <stdlib.h>

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

bool image_vec_reset(struct image_builder *b, struct image_vec *vec, uint32_t count)
{
    vec->count = 0;
    if (!vec_reserve(b, vec, count))
        return false;
    vec->count = count;
    if (count != 0)
        memset(vec->bytes, 0, (size_t)count * vec->entry_size);
    return true;
}

bool image_vec_append(struct image_builder *b, struct image_vec *vec, const void *entries,
                      uint32_t n)
{
    if (!vec_reserve(b, vec, n))
        return false;
    memcpy(vec->bytes + (size_t)vec->count * vec->entry_size, entries, (size_t)n * vec->entry_size);
    vec->count += n;
    return true;
}

uint32_t image_index_find(const struct image_builder *b, const struct image_index *ix,
                          const struct image_index_key *key)
{
    uint32_t mask = ix->n_slots - 1;
    if (ix->n_slots == 0)
        return IMAGE_NONE;
    uint32_t hash = (uint32_t)key->hash;
    for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
        const struct image_index_slot *slot = &ix->slots[i];
        if (slot->index == IMAGE_NONE ||
            (slot->hash == hash && key->is_equal(b, slot->index, key->key)))
            return slot->index;
    }
}

static void index_place(struct image_index *ix, struct image_index_slot slot)
{
    uint32_t mask = ix->n_slots - 1;
    uint32_t i = slot.hash & mask;
    while (ix->slots[i].index != IMAGE_NONE)
        i = (i + 1) & mask;
    ix->slots[i] = slot;
    ix->used++;
}

/* Keeps at least half of the slots free, so that a search ends. */
static bool index_grow(struct image_builder *b, struct image_index *ix)
{
    if (2 * (ix->used + 1) <= ix->n_slots)
        return true;
    struct image_index bigger = {.n_slots = ix->n_slots == 0 ? 64 : 2 * ix->n_slots};
    bigger.slots = malloc(bigger.n_slots * sizeof(*bigger.slots));
    if (bigger.slots == NULL) {
        b->error = -ENOMEM;
        return false;
    }
    memset(bigger.slots, 0xff, bigger.n_slots * sizeof(*bigger.slots));
    for (uint32_t i = 0; i < ix->n_slots; i++) {
        if (ix->slots[i].index != IMAGE_NONE)
            index_place(&bigger, ix->slots[i]);
    }
    ASSERT(bigger.used == ix->used);
    free(ix->slots);
    *ix = bigger;
    return true;
}

bool image_index_add(struct image_builder *b, struct image_index *ix,
                     const struct image_index_key *key, uint32_t index)
{
    if (!index_grow(b, ix))
        return false;
    index_place(ix, (struct image_index_slot){(uint32_t)key->hash, index});
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
    struct image_index_key key = {text_hash(text), &text, is_text_equal};
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
