/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the store share.
 *
 * An object's key in its resource's table is namespace, KEY_SEPARATOR, name: the separator is below
 * every character of a name, so the order of keys is the order of (namespace, name), and one
 * namespace is one run of rows.
 */
#pragma once

#include "abi/endpoints.h"
#include "store/store.h"
#include "store/table.h"

#include <sqlite3.h>

#define KEY_SEPARATOR '\x01'
#define KEY_BYTES_MAX (2 * (STORE_NAME_BYTES_MAX + 1) + 1)
/* Resources that the store can tell apart: the model has about 20. */
#define STORE_RESOURCES_MAX 64u

struct store_object {
    struct row row;
    json_t *object;
    size_t bytes; /* of its JSON text */
};

struct store_resource {
    char *name;
    struct table objects; /* of struct store_object */
};

struct store_value {
    struct row row;
    size_t len;
    unsigned char bytes[];
};

struct store_group {
    struct row row;
    uint32_t id;
    uint64_t released; /* 0: in use; else which release it was, counting up */
};

struct store_event {
    struct store_change change; /* holds references of its own */
    size_t bytes;
};

/* One object's change within a transaction. Its row.key is the object's key behind the resource's
 * number, so that one table holds those of all resources. */
struct store_pending {
    struct row row;
    struct store_resource *resource;
    struct store_object *fresh; /* the row to insert, made in advance; NULL: not an insert */
    json_t *old;                /* committed object; NULL: none */
    json_t *now;                /* after the change; for a removal its last state */
    char *text;                 /* of `now`; NULL: a removal */
    size_t bytes;
    uint64_t version;
    bool is_removal;
};

struct store_txn {
    struct store *store;
    uint64_t version;     /* given out last */
    struct table pending; /* of struct store_pending, by key */
    size_t added, removed;
    struct table values; /* of struct store_value; len 0: removal */
    struct table groups; /* of struct store_group, as they will be */
    uint32_t groups_next;
    uint64_t releases;
};

enum store_statement {
    STATEMENT_PUT,
    STATEMENT_REMOVE,
    STATEMENT_VERSION,
    STATEMENT_VALUE_PUT,
    STATEMENT_VALUE_REMOVE,
    STATEMENT_GROUP,
    STATEMENT_GROUP_DROP,
    STATEMENTS
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    int lock_fd;
    uint64_t version;
    struct store_resource *resources[STORE_RESOURCES_MAX];
    size_t resources_n;
    size_t objects_n;
    struct table values;
    struct table groups; /* by name, released ones too */
    uint32_t groups_next;
    uint64_t releases;
    struct store_event *events; /* ring of STORE_EVENTS_MAX */
    size_t events_first, events_n, events_bytes;
    uint64_t events_floor; /* changes after this version are all in the ring */
    struct list_node listeners;
    struct store_txn *txn; /* the open one */
    bool is_notifying;
    char error[256];
};

/* ---- store.c ---- */

/* Writes "namespace SEPARATOR name" into `buf`. False: a part is empty where it must not be, too
 * long, or has control characters. */
bool store_key(char buf[KEY_BYTES_MAX], const char *namespace_, const char *name);

/* The resource of that name; NULL: nothing was ever stored in it. */
struct store_resource *store_resource_find(const struct store *store, const char *name);

/* As above, made if need be; NULL: no room or no memory. */
struct store_resource *store_resource_get(struct store *store, const char *name);

/* Where a namespace's (NULL: every) rows begin and end. */
void store_range(const struct table *t, const char *namespace_, size_t *ret_from, size_t *ret_to);

/* Remembers the text of an error and returns `error`. */
__attribute__((format(printf, 3, 4))) int store_fail(struct store *store, int error,
                                                     const char *format, ...);

/* ---- store_db.c: SQLite; nothing else in mgmt knows it ---- */

/* Opens or makes the database in `state_dir` and checks that it is ours. */
int store_db_open(struct store *store, const char *state_dir);

/* Closes it and gives up the lock. */
void store_db_close(struct store *store);

/* Writes a transaction and makes it durable; nothing of it is there on failure. */
int store_db_write(struct store *store, const struct store_txn *txn);

/* Negative errno of a SQLite result, its text kept as the store's error. */
int store_db_fail(struct store *store, int result, const char *doing);

/* The checksum that a row must carry: SQLite has none of its own. */
int64_t store_db_row_sum(const char *resource, const char *key, const void *body, size_t len);

/* ---- store_load.c ---- */

/* Reads everything into memory. */
int store_load(struct store *store);

/* ---- store_meta.c ---- */

/* A copy of `object` with the metadata that only the store may set. `old` NULL: it is new. NULL: no
 * memory. */
json_t *store_meta_copy(const json_t *object, const json_t *old);

/* `old` with its status replaced by a copy of `status`. NULL: no memory. */
json_t *store_meta_with_status(const json_t *old, const json_t *status);

/* A copy of `object` that has only its own metadata and shares all else. NULL: no memory. */
json_t *store_meta_own(const json_t *object);

/* Writes the resourceVersion into an object that nobody else holds. -ENOMEM. */
int store_meta_set_version(json_t *object, uint64_t version);

/* Do two states differ in nothing but status and resourceVersion? */
bool store_meta_is_status_only(const json_t *old, const json_t *now);

/* ---- store_log.c ---- */

/* Allocates the ring; everything until now is before its floor. */
int store_log_init(struct store *store);

/* Drops all events. */
void store_log_done(struct store *store);

/* Remembers a change, forgetting the oldest ones beyond the limits. Cannot fail. */
void store_log_add(struct store *store, const struct store_change *change, size_t bytes);

/* Calls the listeners. */
void store_log_notify(struct store *store, const struct store_change *changes, size_t n);

/* ---- store_value.c, store_group.c: their part of a transaction ---- */

/* Makes room for the transaction's values, so that the commit cannot fail. -ENOMEM: no memory. */
int store_value_reserve(struct store_txn *txn);

/* Puts the transaction's values into the store. Cannot fail. */
void store_value_commit(struct store_txn *txn);

/* Frees the transaction's values. */
void store_value_drop(struct store_txn *txn);

/* Makes room for the transaction's groups, so that the commit cannot fail. -ENOMEM: no memory. */
int store_group_reserve(struct store_txn *txn);

/* Puts the transaction's groups into the store. Cannot fail. */
void store_group_commit(struct store_txn *txn);

/* Frees the transaction's groups. */
void store_group_drop(struct store_txn *txn);

/* Frees every row of a table, and the table. */
void store_rows_free(struct table *t);
