/* SPDX-License-Identifier: Apache-2.0 */
/* The builder's life and the finished layout. See image_builder.h; image_builder_priv.h says what
 * is where. */
#include "compile/image_builder_priv.h"

#include "base/assert.h"

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
    b->nodes = (struct image_vec){.entry_size = sizeof(struct builder_node),
                                  .count_max = SECTION(b, NODES)->count_max / 2};
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
    b->patterns = (struct image_vec){.entry_size = sizeof(struct builder_pattern),
                                     .count_max = SECTION(b, PATTERNS)->count_max};
    b->databases = (struct image_vec){.entry_size = sizeof(struct builder_database),
                                      .count_max = SECTION(b, DATABASES)->count_max};
    b->gates = (struct image_vec){.entry_size = sizeof(struct builder_gate),
                                  .count_max = SECTION(b, GATE_USES)->count_max};
    memset(b->group_congestion, IMAGE_CONGESTION_CUBIC, sizeof(b->group_congestion));
    memset(b->group_health, 0xff, sizeof(b->group_health));
    memset(b->group_tls, 0xff, sizeof(b->group_tls));
    return b;
}

void image_builder_free(struct image_builder *b)
{
    if (b == NULL)
        return;
    for (uint32_t i = 0; i <= IMAGE_SECTION_COUNT; i++)
        free(b->sections[i].bytes);
    free(b->nodes.bytes);
    free(b->texts.bytes);
    free(b->matches.bytes);
    free(b->placements.bytes);
    free(b->attached.bytes);
    free(b->conditions.bytes);
    free(b->chosen.bytes);
    free(b->patterns.bytes);
    free(b->databases.bytes);
    free(b->gates.bytes);
    free(b->by_pattern.slots);
    free(b->by_database.slots);
    free(b->by_predicate_set.slots);
    free(b->by_access.slots);
    free(b->by_conn_limit.slots);
    free(b->by_text.slots);
    free(b->by_edge.slots);
    free(b->by_bind.slots);
    free(b->by_address.slots);
    free(b);
}

void image_builder_set_compiler(struct image_builder *b, image_compile_fn compile, void *arg)
{
    b->compile = compile;
    b->compile_arg = arg;
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
        end = image_section_begin(end, vec->entry_size);
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
    struct image_view image;
    image_view_init(&image, header);
    image_builder_name_places(b, &image);
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
        error = image_builder_order_addresses(b);
    if (error == 0)
        error = image_builder_patterns(b);
    if (error == 0)
        error = image_builder_guard(b);
    if (error == 0)
        error = image_builder_hash(b, &seed);
    if (error != 0)
        return error;
    image_builder_groups(b);
    image_builder_write_gates(b);
    image_builder_write_choices(b);
    if (b->error != 0)
        return b->error;
    image_builder_write_values(b);
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
        .path_ahead = image_builder_path_ahead(b),
    };
    write_image(b, table, header);
    *ret_data = header;
    *ret_len = length;
    return 0;
}
