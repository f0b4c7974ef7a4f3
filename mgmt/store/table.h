/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sorted array of rows by a string key: the store's only index. Lookup is a binary search; an
 * insert moves the rows behind it, which at STORE_OBJECTS_MAX rows is 2.4 MB of pointers, a tenth
 * of the cost of the disk write that comes with it. A tree would save that and give up the plain
 * walk in order that every list does; it would be right for ten times as many objects.
 *
 * Owner: struct store. Thread: the mgmt loop.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Every row begins with its key. The table does not own rows. */
struct row {
    char *key;
};

struct table {
    struct row **rows;
    size_t n;
    size_t capacity;
};

/* The row of `key`; NULL if there is none. Cost: log n. */
struct row *table_find(const struct table *t, const char *key);

/* Where the first row with a key >= `key` stands; t->n if there is none. */
size_t table_lower_bound(const struct table *t, const char *key);

/* Makes room for `more` further inserts, which then cannot fail. -ENOMEM. */
int table_reserve(struct table *t, size_t more);

/* Puts a row in; its key is not there yet and there is room for it. */
void table_insert(struct table *t, struct row *row);

/* Takes the row at `index` out. */
void table_remove_at(struct table *t, size_t index);

/* Frees the array, not the rows. */
void table_done(struct table *t);
