/* SPDX-License-Identifier: Apache-2.0 */
/* The builder's clients that are told from others, and the binds that some of them have of their
 * own, which finish hangs on everybody's. */
#include "compile/image_builder_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint32_t image_builder_client_set(struct image_builder *b, const char *name)
{
    struct image_client_set entry = {0};
    if (image_arg(name).len == 0 || !image_arg_is(name, IMAGE_TEXT_NAME) ||
        !image_builder_string(b, image_arg(name), &entry.name) ||
        !image_vec_append(b, SECTION(b, CLIENT_SETS), &entry, 1))
        return IMAGE_NONE;
    return SECTION(b, CLIENT_SETS)->count - 1;
}

int image_builder_client(struct image_builder *b, const struct ip_addr *addr, uint32_t set)
{
    struct image_vec *vec = SECTION(b, CLIENTS);
    const struct image_client entry = {.addr = *addr, .set = set};
    const struct image_client *last = ENTRIES(b, CLIENTS, const struct image_client);
    if (set >= SECTION(b, CLIENT_SETS)->count ||
        (vec->count > 0 &&
         memcmp(last[vec->count - 1].addr.bytes, addr->bytes, sizeof(addr->bytes)) >= 0))
        return -EINVAL;
    if (vec->count == vec->count_max)
        return -ENOSPC;
    return image_vec_append(b, vec, &entry, 1) ? 0 : b->error;
}

/* A bind of some clients, and everybody's at its place. */
struct choice {
    uint32_t all;
    uint32_t set;
    uint32_t bind;
};

static int compare_choices(const void *x, const void *y)
{
    const struct choice *a = x, *b = y;
    if (a->all != b->all)
        return a->all < b->all ? -1 : 1;
    return a->set < b->set ? -1 : a->set > b->set;
}

/* Gives each bind its part of CHOICES, which are in order. */
static void put_choices(struct image_builder *b, const struct choice *choices, uint32_t n)
{
    struct image_bind *binds = ENTRIES(b, BINDS, struct image_bind);
    uint32_t next = 0;
    SECTION(b, CHOICES)->count = 0; /* it may be finished again */
    for (uint32_t i = 0; i < SECTION(b, BINDS)->count && b->error == 0; i++) {
        binds[i].first_choice = next;
        for (; next < n && choices[next].all == i; next++)
            image_vec_append(b, SECTION(b, CHOICES), &choices[next].bind, 1);
        binds[i].n_choices = next - binds[i].first_choice;
    }
}

void image_builder_write_choices(struct image_builder *b)
{
    const struct image_bind *binds = ENTRIES(b, BINDS, const struct image_bind);
    uint32_t n_binds = SECTION(b, BINDS)->count, n = 0;
    struct choice *choices = calloc(n_binds + 1, sizeof(*choices));
    if (choices == NULL) {
        b->error = -ENOMEM;
        return;
    }
    for (uint32_t i = 0; i < n_binds; i++) {
        if (binds[i].set != IMAGE_NONE)
            choices[n++] = (struct choice){image_builder_all_of(b, i), binds[i].set, i};
    }
    qsort(choices, n, sizeof(*choices), compare_choices);
    put_choices(b, choices, n);
    free(choices);
}
