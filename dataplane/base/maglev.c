/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the paper's section 3.4, with turns by weight. See maglev.h. */
#include "base/maglev.h"

#include "base/assert.h"
#include "base/siphash.h"

#include <stdlib.h>
#include <string.h>

#define PLACE_FREE UINT16_MAX

/* Who has first pick among equals: any order will do that is the same for all. */
static int compare_nodes(const void *x, const void *y)
{
    const struct maglev_node *a = x, *b = y;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return a->weight < b->weight ? -1 : a->weight > b->weight;
}

/* Where the node's permutation begins and how it goes on: two hashes that know nothing of each
 * other, or nodes that begin at one place would get into each other's way all along. */
static void begin(struct maglev_node *node, uint32_t size)
{
    static const struct siphash_key of_skips = {.k0 = 1};
    ASSERT(node->weight > 0 && node->id != PLACE_FREE);
    uint64_t other = siphash(&of_skips, &node->key, sizeof(node->key));
    node->next = maglev_place(node->key, size);
    node->skip = (uint32_t)(other % (size - 1)) + 1;
    node->credit = 0;
}

/* The node's next place that nobody has. */
static void take_place(struct maglev_node *node, uint16_t *table, uint32_t size)
{
    uint32_t place;
    do {
        place = node->next;
        node->next += node->skip;
        if (node->next >= size)
            node->next -= size;
    } while (table[place] != PLACE_FREE);
    table[place] = node->id;
}

void maglev_fill(struct maglev_node *nodes, uint32_t n, uint16_t *table, uint32_t size)
{
    uint32_t heaviest = 0, taken = 0;
    ASSERT(n > 0 && n < PLACE_FREE && size >= 3);
    qsort(nodes, n, sizeof(*nodes), compare_nodes);
    for (uint32_t i = 0; i < n; i++) {
        begin(&nodes[i], size);
        heaviest = nodes[i].weight > heaviest ? nodes[i].weight : heaviest;
    }
    memset(table, 0xff, size * sizeof(*table)); /* PLACE_FREE everywhere */
    while (taken < size) {
        for (uint32_t i = 0; i < n && taken < size; i++) {
            nodes[i].credit += nodes[i].weight;
            if (nodes[i].credit < heaviest)
                continue;
            nodes[i].credit -= heaviest;
            take_place(&nodes[i], table, size);
            taken++;
        }
    }
}
