/* SPDX-License-Identifier: Apache-2.0 */
/* Small durable values by key. */
#include "store/store_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void drop_row(struct table *t, const char *key)
{
    size_t at = table_lower_bound(t, key);
    if (at == t->n || strcmp(t->rows[at]->key, key) != 0)
        return;
    struct row *row = t->rows[at];
    table_remove_at(t, at);
    free(row->key);
    free(row);
}

int store_value_put(struct store_txn *txn, const char *key, const void *value, size_t len)
{
    ASSERT(key[0] != '\0');
    if (len > STORE_VALUE_BYTES_MAX)
        return store_fail(txn->store, -E2BIG, "the value %.64s is too large", key);
    struct store_value *row = calloc(1, sizeof(*row) + len);
    char *own_key = strdup(key);
    if (row == NULL || own_key == NULL || table_reserve(&txn->values, 1) != 0) {
        free(row);
        free(own_key);
        return -ENOMEM;
    }
    row->row.key = own_key;
    row->len = len;
    if (len > 0)
        memcpy(row->bytes, value, len);
    drop_row(&txn->values, key);
    table_insert(&txn->values, &row->row);
    return 0;
}

const void *store_value_get(const struct store *store, const char *key, size_t *ret_len)
{
    const struct store_value *value = (struct store_value *)table_find(&store->values, key);
    if (value == NULL)
        return NULL;
    *ret_len = value->len;
    return value->bytes;
}

int store_value_reserve(struct store_txn *txn)
{
    return table_reserve(&txn->store->values, txn->values.n);
}

void store_value_commit(struct store_txn *txn)
{
    for (size_t i = 0; i < txn->values.n; i++) {
        struct store_value *value = (struct store_value *)txn->values.rows[i];
        drop_row(&txn->store->values, value->row.key);
        if (value->len > 0) {
            table_insert(&txn->store->values, &value->row);
        } else {
            free(value->row.key);
            free(value);
        }
    }
    table_done(&txn->values);
}

void store_value_drop(struct store_txn *txn)
{
    store_rows_free(&txn->values);
}
