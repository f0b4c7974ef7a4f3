/* SPDX-License-Identifier: Apache-2.0 */
/* The sorted array of table.h. */
#include "store/table.h"

#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

size_t table_lower_bound(const struct table *t, const char *key)
{
    size_t low = 0;
    size_t high = t->n;
    /* Invariant: rows before low are < key, rows from high on are >= key. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(t->rows[middle]->key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct row *table_find(const struct table *t, const char *key)
{
    size_t at = table_lower_bound(t, key);
    if (at < t->n && strcmp(t->rows[at]->key, key) == 0)
        return t->rows[at];
    return NULL;
}

int table_reserve(struct table *t, size_t more)
{
    if (t->capacity - t->n >= more)
        return 0;
    size_t wanted = t->capacity < 64 ? 64 : t->capacity + t->capacity / 2;
    if (wanted < t->n + more)
        wanted = t->n + more;
    struct row **rows = realloc(t->rows, wanted * sizeof(rows[0]));
    if (rows == NULL)
        return -ENOMEM;
    t->rows = rows;
    t->capacity = wanted;
    return 0;
}

void table_insert(struct table *t, struct row *row)
{
    ASSERT(t->n < t->capacity);
    size_t at = table_lower_bound(t, row->key);
    ASSERT(at == t->n || strcmp(t->rows[at]->key, row->key) != 0);
    memmove(&t->rows[at + 1], &t->rows[at], (t->n - at) * sizeof(t->rows[0]));
    t->rows[at] = row;
    t->n += 1;
}

void table_remove_at(struct table *t, size_t index)
{
    ASSERT(index < t->n);
    t->n -= 1;
    memmove(&t->rows[index], &t->rows[index + 1], (t->n - index) * sizeof(t->rows[0]));
}

void table_done(struct table *t)
{
    free(t->rows);
    *t = (struct table){0};
}
