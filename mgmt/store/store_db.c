/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disk side: SQLite in WAL mode with synchronous=FULL, so that a commit that returned is on the
 * disk. A new database is made under another name, filled, and renamed: a store.db that is there
 * was complete once, so an empty or foreign file is damage and never a reason to begin anew.
 *
 * SQLite checks its pages' structure and not their content; each object's row has a checksum for
 * that, and store_load.c checks it.
 */
#include "store/store_priv.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/siphash.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION_ID 0x534c5543 /* "SLUC" */
#define FORMAT_VERSION 1

static const char schema_sql[] =
    "PRAGMA application_id = 0x534c5543;"
    "PRAGMA user_version = 1;"
    "BEGIN;"
    "CREATE TABLE object(resource TEXT NOT NULL, key TEXT NOT NULL, sum INTEGER NOT NULL,"
    " body BLOB NOT NULL, UNIQUE(resource, key));"
    "CREATE TABLE value(key TEXT PRIMARY KEY, body BLOB NOT NULL);"
    "CREATE TABLE endpoint_group(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " released INTEGER NOT NULL);"
    "CREATE TABLE counter(name TEXT PRIMARY KEY, n INTEGER NOT NULL);"
    "INSERT INTO counter VALUES('version', 1);"
    "COMMIT;";

static const char *const statement_sql[STATEMENTS] = {
    [STATEMENT_PUT] = "INSERT INTO object VALUES(?1, ?2, ?3, ?4) ON CONFLICT(resource, key)"
                      " DO UPDATE SET sum = ?3, body = ?4",
    [STATEMENT_REMOVE] = "DELETE FROM object WHERE resource = ?1 AND key = ?2",
    [STATEMENT_VERSION] = "UPDATE counter SET n = ?1 WHERE name = 'version'",
    [STATEMENT_VALUE_PUT] = "INSERT INTO value VALUES(?1, ?2) ON CONFLICT(key)"
                            " DO UPDATE SET body = ?2",
    [STATEMENT_VALUE_REMOVE] = "DELETE FROM value WHERE key = ?1",
    [STATEMENT_GROUP] = "INSERT INTO endpoint_group VALUES(?1, ?2, ?3) ON CONFLICT(id)"
                        " DO UPDATE SET name = ?2, released = ?3",
    [STATEMENT_GROUP_DROP] = "DELETE FROM endpoint_group WHERE id = ?1 AND name <> ?2",
};

int64_t store_db_row_sum(const char *resource, const char *key, const void *body, size_t len)
{
    static const struct siphash_key no_secret; /* against damage, not against an enemy */
    uint64_t parts[3] = {
        siphash(&no_secret, resource, strlen(resource)),
        siphash(&no_secret, key, strlen(key)),
        siphash(&no_secret, body, len),
    };
    return (int64_t)siphash(&no_secret, parts, sizeof(parts));
}

int store_db_fail(struct store *store, int result, const char *doing)
{
    const char *text = store->db != NULL ? sqlite3_errmsg(store->db) : sqlite3_errstr(result);
    int error = -EIO;
    switch (result & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        error = -EUCLEAN;
        break;
    case SQLITE_FULL:
        error = -ENOSPC;
        break;
    case SQLITE_NOMEM:
        error = -ENOMEM;
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        error = -EBUSY;
        break;
    case SQLITE_READONLY:
        error = -EROFS;
        break;
    }
    return store_fail(store, error, "%s: %s", doing, text);
}

static int run_sql(struct store *store, const char *sql, const char *doing)
{
    int result = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    return result == SQLITE_OK ? 0 : store_db_fail(store, result, doing);
}

/* -EBUSY if another process has the store. The kernel gives the lock back when we die. */
static int take_lock(struct store *store, const char *state_dir)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/store.lock", state_dir) >= (int)sizeof(path))
        return store_fail(store, -ENAMETOOLONG, "the path of the state directory is too long");
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock_fd < 0)
        return store_fail(store, -errno, "%s: %s", path, strerror(errno));
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return store_fail(store, -EBUSY, "another process has the store in %s open", state_dir);
    return 0;
}

static int sync_dir(struct store *store, const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = fd < 0 || fsync(fd) != 0;
    int error = errno;
    if (fd >= 0)
        close(fd);
    return failed ? store_fail(store, -error, "%s: %s", dir, strerror(error)) : 0;
}

/* Makes a complete, empty database under `path`. */
static int make_database(struct store *store, const char *state_dir, const char *path)
{
    char fresh[PATH_MAX];
    if (snprintf(fresh, sizeof(fresh), "%s.new", path) >= (int)sizeof(fresh))
        return store_fail(store, -ENAMETOOLONG, "the path of the state directory is too long");
    unlink(fresh);
    int result =
        sqlite3_open_v2(fresh, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    int error = result == SQLITE_OK ? run_sql(store, "PRAGMA synchronous = FULL;", "new store")
                                    : store_db_fail(store, result, fresh);
    if (error == 0)
        error = run_sql(store, schema_sql, "new store");
    sqlite3_close(store->db);
    store->db = NULL;
    if (error == 0 && rename(fresh, path) != 0)
        error = store_fail(store, -errno, "%s: %s", path, strerror(errno));
    return error == 0 ? sync_dir(store, state_dir) : error;
}

static int read_integer(struct store *store, const char *sql, int64_t *ret)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        *ret = sqlite3_column_int64(statement, 0);
    int error = result == SQLITE_ROW ? 0 : store_db_fail(store, result, "reading the store");
    sqlite3_finalize(statement);
    return error;
}

/* Is it our file, of a format that we know, and whole? */
static int check_database(struct store *store, const char *path)
{
    int64_t id = 0;
    int64_t format = 0;
    int error = read_integer(store, "PRAGMA application_id", &id);
    if (error == 0)
        error = read_integer(store, "PRAGMA user_version", &format);
    if (error != 0)
        return error;
    if (id != APPLICATION_ID)
        return store_fail(store, -EUCLEAN, "%s is damaged or is not a store of sluice-mgmtd", path);
    if (format != FORMAT_VERSION)
        return store_fail(store, -EUCLEAN, "%s has format %lld; this program knows format %d", path,
                          (long long)format, FORMAT_VERSION);
    int64_t problems = 0;
    error = read_integer(store, "SELECT count(*) FROM pragma_quick_check WHERE quick_check <> 'ok'",
                         &problems);
    if (error == 0 && problems != 0)
        error = store_fail(store, -EUCLEAN, "%s is damaged: the quick check failed", path);
    return error;
}

static int open_existing(struct store *store, const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && st.st_size == 0)
        return store_fail(store, -EUCLEAN, "%s is damaged: it is empty", path);
    int result = sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE, NULL);
    if (result != SQLITE_OK)
        return store_db_fail(store, result, path);
    sqlite3_extended_result_codes(store->db, 1);
    int error = run_sql(store,
                        "PRAGMA locking_mode = EXCLUSIVE;"
                        "PRAGMA journal_mode = WAL;"
                        "PRAGMA synchronous = FULL;"
                        "PRAGMA trusted_schema = OFF;",
                        path);
    if (error == 0)
        error = check_database(store, path);
    for (size_t i = 0; error == 0 && i < STATEMENTS; i++) {
        result = sqlite3_prepare_v3(store->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                    &store->statements[i], NULL);
        if (result != SQLITE_OK)
            error = store_db_fail(store, result, path);
    }
    return error;
}

int store_db_open(struct store *store, const char *state_dir)
{
    char path[PATH_MAX];
    char wal[PATH_MAX];
    int error = take_lock(store, state_dir);
    if (error != 0)
        return error;
    if (snprintf(path, sizeof(path), "%s/store.db", state_dir) >= (int)sizeof(path) ||
        snprintf(wal, sizeof(wal), "%s/store.db-wal", state_dir) >= (int)sizeof(wal))
        return store_fail(store, -ENAMETOOLONG, "the path of the state directory is too long");
    if (access(path, F_OK) != 0) {
        if (errno != ENOENT)
            return store_fail(store, -errno, "%s: %s", path, strerror(errno));
        if (access(wal, F_OK) == 0)
            return store_fail(store, -EUCLEAN, "%s is missing, but its log %s is there", path, wal);
        error = make_database(store, state_dir, path);
    }
    return error == 0 ? open_existing(store, path) : error;
}

void store_db_close(struct store *store)
{
    for (size_t i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(store->statements[i]);
    if (store->db != NULL)
        sqlite3_close(store->db);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
}

/* Runs a bound statement and makes it ready for the next one. */
static int step(struct store *store, enum store_statement which)
{
    sqlite3_stmt *statement = store->statements[which];
    int result = sqlite3_step(statement);
    int error = result == SQLITE_DONE ? 0 : store_db_fail(store, result, "writing the store");
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return error;
}

static int write_object(struct store *store, const struct store_pending *p)
{
    sqlite3_stmt *s = store->statements[p->is_removal ? STATEMENT_REMOVE : STATEMENT_PUT];
    const char *key = strchr(p->row.key, '/') + 1;
    sqlite3_bind_text(s, 1, p->resource->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, key, -1, SQLITE_STATIC);
    if (p->is_removal)
        return step(store, STATEMENT_REMOVE);
    sqlite3_bind_int64(s, 3, store_db_row_sum(p->resource->name, key, p->text, p->bytes));
    sqlite3_bind_blob(s, 4, p->text, (int)p->bytes, SQLITE_STATIC);
    return step(store, STATEMENT_PUT);
}

static int write_value(struct store *store, const struct store_value *v)
{
    enum store_statement which = v->len == 0 ? STATEMENT_VALUE_REMOVE : STATEMENT_VALUE_PUT;
    sqlite3_bind_text(store->statements[which], 1, v->row.key, -1, SQLITE_STATIC);
    if (v->len != 0)
        sqlite3_bind_blob(store->statements[which], 2, v->bytes, (int)v->len, SQLITE_STATIC);
    return step(store, which);
}

static int write_group(struct store *store, const struct store_group *g)
{
    static const enum store_statement order[] = {STATEMENT_GROUP_DROP, STATEMENT_GROUP};
    for (size_t i = 0; i < array_len(order); i++) {
        sqlite3_stmt *s = store->statements[order[i]];
        sqlite3_bind_int64(s, 1, g->id);
        sqlite3_bind_text(s, 2, g->row.key, -1, SQLITE_STATIC);
        if (order[i] == STATEMENT_GROUP)
            sqlite3_bind_int64(s, 3, (int64_t)g->released);
        int error = step(store, order[i]);
        if (error != 0)
            return error;
    }
    return 0;
}

static int write_all(struct store *store, const struct store_txn *txn)
{
    int error = 0;
    for (size_t i = 0; error == 0 && i < txn->pending.n; i++)
        error = write_object(store, (struct store_pending *)txn->pending.rows[i]);
    for (size_t i = 0; error == 0 && i < txn->values.n; i++)
        error = write_value(store, (struct store_value *)txn->values.rows[i]);
    for (size_t i = 0; error == 0 && i < txn->groups.n; i++)
        error = write_group(store, (struct store_group *)txn->groups.rows[i]);
    if (error == 0) {
        sqlite3_bind_int64(store->statements[STATEMENT_VERSION], 1, (int64_t)txn->version);
        error = step(store, STATEMENT_VERSION);
    }
    return error;
}

int store_db_write(struct store *store, const struct store_txn *txn)
{
    int error = run_sql(store, "BEGIN IMMEDIATE", "writing the store");
    if (error != 0)
        return error;
    error = write_all(store, txn);
    if (error == 0)
        error = run_sql(store, "COMMIT", "writing the store");
    if (error != 0 && sqlite3_get_autocommit(store->db) == 0)
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return error;
}
