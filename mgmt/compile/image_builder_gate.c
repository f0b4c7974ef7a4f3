/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The builder's lists before binds and VIPs. They are told one by one and in any order; finish puts
 * those of a place together. Places with the same lists, as those of a box mostly are, share them.
 */
#include "compile/image_builder_priv.h"

#include <errno.h>
#include <stdlib.h>

int image_builder_gate(struct image_builder *b, const struct ip_addr *addr, uint16_t port,
                       bool is_udp, const struct image_access_spec *spec)
{
    if (ip_addr_is_zero(addr) || spec->basic != NULL || spec->jwt != NULL ||
        !image_builder_has_lists(spec))
        return -EINVAL;
    uint32_t access = image_builder_access_entry(b, spec);
    struct builder_gate *gate = access == IMAGE_NONE ? NULL : image_vec_push(b, &b->gates);
    if (gate == NULL)
        return b->error;
    *gate = (struct builder_gate){*addr, port, is_udp, access};
    return 0;
}

/* By place: those of an address before those of its binds. */
static int compare_places(const struct builder_gate *x, const struct builder_gate *y)
{
    int by_addr = memcmp(x->addr.bytes, y->addr.bytes, sizeof(x->addr.bytes));
    if (by_addr != 0)
        return by_addr;
    if (x->port != y->port)
        return x->port < y->port ? -1 : 1;
    return x->is_udp - y->is_udp;
}

static int compare(const void *x, const void *y)
{
    const struct builder_gate *a = x, *b = y;
    int by_place = compare_places(a, b);
    if (by_place != 0)
        return by_place;
    return a->access < b->access ? -1 : a->access > b->access;
}

/* Writes the accesses of one place, each once. Returns how many there are. */
static uint32_t push_uses(struct image_builder *b, const struct builder_gate *gates, uint32_t n)
{
    uint32_t pushed = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0 && gates[i - 1].access == gates[i].access)
            continue;
        uint32_t *use = image_vec_push(b, SECTION(b, GATE_USES));
        if (use == NULL)
            return 0;
        *use = gates[i].access;
        pushed++;
    }
    return pushed;
}

/* Where uses lie. */
struct uses {
    uint32_t first;
    uint32_t n;
};

/* Writes those of one place, or finds that they are those of `last`. */
static struct uses uses_of(struct image_builder *b, const struct builder_gate *gates, uint32_t n,
                           struct uses last)
{
    struct image_vec *all = SECTION(b, GATE_USES);
    struct uses uses = {all->count, push_uses(b, gates, n)};
    const uint32_t *entries = ENTRIES(b, GATE_USES, const uint32_t);
    if (uses.n == 0 || uses.n != last.n ||
        memcmp(entries + uses.first, entries + last.first, uses.n * sizeof(*entries)) != 0)
        return uses;
    all->count = uses.first;
    return last;
}

static void put(struct image_builder *b, const struct builder_gate *place, struct uses uses)
{
    if (place->port == 0) {
        struct image_gate gate = {place->addr, uses.first, uses.n};
        image_vec_append(b, SECTION(b, GATES), &gate, 1);
        return;
    }
    struct image_bind *bind = image_builder_find_bind(b, &place->addr, place->port, place->is_udp);
    if (bind != NULL) {
        bind->first_gate = uses.first;
        bind->n_gates = uses.n;
    }
}

void image_builder_write_gates(struct image_builder *b)
{
    struct builder_gate *gates = (void *)b->gates.bytes;
    struct uses last = {0, 0};
    uint32_t n = b->gates.count, first = 0;
    if (n > 0)
        qsort(gates, n, sizeof(*gates), compare);
    while (first < n && b->error == 0) {
        uint32_t end = first + 1;
        while (end < n && compare_places(&gates[first], &gates[end]) == 0)
            end++;
        last = uses_of(b, &gates[first], end - first, last);
        if (b->error == 0)
            put(b, &gates[first], last);
        first = end;
    }
}

static bool is_limit_equal(const struct image_builder *b, uint32_t index, const void *key)
{
    const struct image_conn_limit *e =
        &ENTRIES(b, CONN_LIMITS, const struct image_conn_limit)[index];
    return slice_eq(image_builder_text(b, e->name), *(const struct slice *)key);
}

/* The limit's entry, made if it is not there; IMAGE_NONE: b->error is set. */
static uint32_t limit_of(struct image_builder *b, const struct image_conn_limit *limit,
                         struct slice name)
{
    struct image_index_key key = {limit->id, &name, is_limit_equal};
    uint32_t known = image_index_find(b, &b->by_conn_limit, &key);
    struct image_conn_limit entry = *limit;
    if (known != IMAGE_NONE)
        return known;
    if (!image_builder_string(b, name, &entry.name) ||
        !image_vec_append(b, SECTION(b, CONN_LIMITS), &entry, 1))
        return IMAGE_NONE;
    uint32_t index = SECTION(b, CONN_LIMITS)->count - 1;
    return image_index_add(b, &b->by_conn_limit, &key, index) ? index : IMAGE_NONE;
}

int image_builder_bind_limit(struct image_builder *b, const struct ip_addr *addr, uint16_t port,
                             bool is_udp, const struct image_conn_limit_spec *spec)
{
    struct image_conn_limit limit = {.id = image_route_id(image_arg(spec->name)),
                                     .conns_max = spec->conns_max,
                                     .client_conns_max = spec->client_conns_max};
    struct image_bind *bind = image_builder_find_bind(b, addr, port, is_udp);
    if (!image_is_conn_limit(&limit) || !image_arg_is(spec->name, IMAGE_TEXT_NAME))
        return -EINVAL;
    if (bind == NULL)
        return -ENOENT;
    if (bind->limit == IMAGE_NONE)
        bind->limit = limit_of(b, &limit, image_arg(spec->name));
    return b->error;
}
