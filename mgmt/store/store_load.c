/* SPDX-License-Identifier: Apache-2.0 */
/* Reading everything into memory at start. One row that is damaged stops the start: to go on
 * without it would take it for deleted, and the traffic that it stands for would be taken down. */
#include "store/store_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef int (*row_fn)(struct store *store, sqlite3_stmt *row);

static int each_row(struct store *store, const char *sql, row_fn fn)
{
    sqlite3_stmt *statement = NULL;
    int error = 0;
    int result = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_step(statement);
    while (result == SQLITE_ROW && error == 0) {
        error = fn(store, statement);
        if (error == 0)
            result = sqlite3_step(statement);
    }
    if (error == 0 && result != SQLITE_DONE)
        error = store_db_fail(store, result, "reading the store");
    sqlite3_finalize(statement);
    return error;
}

static const char *column_text(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    return text != NULL ? text : "";
}

/* Does the object's own metadata say what its row says? */
static bool is_object_of_key(const json_t *object, const char *key)
{
    char own[KEY_BYTES_MAX];
    const json_t *metadata = json_object_get(object, "metadata");
    const char *name = json_string_value(json_object_get(metadata, "name"));
    const char *namespace_ = json_string_value(json_object_get(metadata, "namespace"));
    return store_key(own, namespace_, name) && strcmp(own, key) == 0;
}

/* Takes `object`. */
static int add_object(struct store *store, struct store_resource *resource, const char *key,
                      json_t *object, size_t bytes)
{
    struct store_object *row = calloc(1, sizeof(*row));
    char *own_key = strdup(key);
    if (row == NULL || own_key == NULL || table_reserve(&resource->objects, 1) != 0) {
        free(row);
        free(own_key);
        json_decref(object);
        return store_fail(store, -ENOMEM, "out of memory while loading the store");
    }
    *row = (struct store_object){.row.key = own_key, .object = object, .bytes = bytes};
    table_insert(&resource->objects, &row->row);
    store->objects_n += 1;
    return 0;
}

static int load_object(struct store *store, sqlite3_stmt *row)
{
    const char *resource = column_text(row, 0);
    const char *key = column_text(row, 1);
    const void *body = sqlite3_column_blob(row, 3);
    size_t len = (size_t)sqlite3_column_bytes(row, 3);
    json_error_t where;
    json_t *object = NULL;
    if (store_db_row_sum(resource, key, body, len) == sqlite3_column_int64(row, 2))
        object = json_loadb(body, len, 0, &where);
    if (object == NULL || !is_object_of_key(object, key)) {
        json_decref(object);
        return store_fail(store, -EUCLEAN, "the store is damaged: %.64s %.128s", resource, key);
    }
    struct store_resource *r = store_resource_get(store, resource);
    if (r == NULL) {
        json_decref(object);
        return store_fail(store, -ENOMEM, "no room for resource %s", resource);
    }
    return add_object(store, r, key, object, len);
}

static int load_value(struct store *store, sqlite3_stmt *row)
{
    size_t len = (size_t)sqlite3_column_bytes(row, 1);
    struct store_value *value = calloc(1, sizeof(*value) + len);
    char *key = strdup(column_text(row, 0));
    if (value == NULL || key == NULL || table_reserve(&store->values, 1) != 0) {
        free(value);
        free(key);
        return store_fail(store, -ENOMEM, "out of memory while loading the store");
    }
    value->row.key = key;
    value->len = len;
    if (len > 0)
        memcpy(value->bytes, sqlite3_column_blob(row, 1), len);
    table_insert(&store->values, &value->row);
    return 0;
}

static int load_group(struct store *store, sqlite3_stmt *row)
{
    int64_t id = sqlite3_column_int64(row, 0);
    int64_t released = sqlite3_column_int64(row, 2);
    if (id < 0 || id >= (int64_t)ENDPOINT_GROUPS_MAX || released < 0)
        return store_fail(store, -EUCLEAN, "the store is damaged: endpoint group %lld",
                          (long long)id);
    struct store_group *group = calloc(1, sizeof(*group));
    char *key = strdup(column_text(row, 1));
    if (group == NULL || key == NULL || table_reserve(&store->groups, 1) != 0) {
        free(group);
        free(key);
        return store_fail(store, -ENOMEM, "out of memory while loading the store");
    }
    *group =
        (struct store_group){.row.key = key, .id = (uint32_t)id, .released = (uint64_t)released};
    table_insert(&store->groups, &group->row);
    if (group->id >= store->groups_next)
        store->groups_next = group->id + 1;
    if (group->released > store->releases)
        store->releases = group->released;
    return 0;
}

static int load_version(struct store *store, sqlite3_stmt *row)
{
    store->version = (uint64_t)sqlite3_column_int64(row, 0);
    if (store->version == 0)
        return store_fail(store, -EUCLEAN, "the store is damaged: its version is 0");
    return 0;
}

int store_load(struct store *store)
{
    ASSERT(store->objects_n == 0);
    store->version = 0;
    int error = each_row(store, "SELECT n FROM counter WHERE name = 'version'", load_version);
    if (error == 0 && store->version == 0)
        error = store_fail(store, -EUCLEAN, "the store is damaged: it has no version");
    if (error == 0)
        error =
            each_row(store, "SELECT resource, key, sum, body FROM object ORDER BY resource, key",
                     load_object);
    if (error == 0)
        error = each_row(store, "SELECT key, body FROM value ORDER BY key", load_value);
    if (error == 0)
        error = each_row(store, "SELECT id, name, released FROM endpoint_group ORDER BY name",
                         load_group);
    return error;
}
