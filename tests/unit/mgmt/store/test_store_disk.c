/* SPDX-License-Identifier: Apache-2.0 */
/* What the disk can do to us: damage, no room, two processes; and the fixture. */
#include "test_store_disk.h"
#include "test_store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

const char *fixture_dir(void)
{
    return dir;
}

static struct store *open_or_die(void)
{
    struct store *store = NULL;
    const char *error = "";
    int result = store_open(dir, &store, &error);
    if (result != 0) {
        fprintf(stderr, "store_open: %s\n", error);
        abort();
    }
    return store;
}

struct store *fixture_open(void)
{
    strcpy(dir, "/tmp/sluice-test-store.XXXXXX");
    if (mkdtemp(dir) == NULL)
        abort();
    return open_or_die();
}

struct store *fixture_reopen(struct store *store)
{
    store_close(store);
    return open_or_die();
}

static void remove_dir(void)
{
    static const char *const names[] = {"store.db", "store.db-wal", "store.db-shm", "store.lock",
                                        "store.db.new"};
    char path[128];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

void fixture_close(struct store *store)
{
    if (store != NULL)
        store_close(store);
    remove_dir();
}

static const char *db_path(void)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/store.db", dir);
    return path;
}

static int open_result(void)
{
    struct store *store = NULL;
    const char *error = "";
    int result = store_open(dir, &store, &error);
    if (result == 0)
        store_close(store);
    else
        CHECK(error[0] != '\0');
    return result;
}

static void run_sql_on_file(const char *sql)
{
    sqlite3 *db = NULL;
    REQUIRE(sqlite3_open(db_path(), &db) == SQLITE_OK);
    CHECK_EQ(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

void failed_write_leaves_memory_as_it_was(void)
{
    struct store *store = fixture_open();
    CHECK_EQ(put_one(store, "a", "x", 1), 0);
    uint64_t version = store_version(store);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit old;
    getrlimit(RLIMIT_FSIZE, &old);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 8192, .rlim_max = old.rlim_max});
    CHECK(put_one(store, "a", "x", 2) < 0);
    CHECK(put_one(store, "a", "y", 1) < 0);
    CHECK(store_error(store)[0] != '\0');
    setrlimit(RLIMIT_FSIZE, &old);
    CHECK_EQ(store_version(store), version);
    CHECK(store_get(store, PODS, "a", "y") == NULL);
    json_t *x = store_get(store, PODS, "a", "x");
    CHECK_EQ(json_integer_value(json_object_get(json_object_get(x, "spec"), "n")), 1);
    CHECK_EQ(put_one(store, "a", "y", 1), 0);
    store = fixture_reopen(store);
    CHECK(store_get(store, PODS, "a", "y") != NULL);
    CHECK_EQ(store_count(store, PODS), 2);
    fixture_close(store);
}

void damaged_row_is_reported_and_nothing_is_emptied(void)
{
    struct store *store = fixture_open();
    CHECK_EQ(put_one(store, "a", "x", 1), 0);
    store_close(store);
    run_sql_on_file("UPDATE object SET body = CAST(replace(CAST(body AS TEXT), '\"n\":1',"
                    " '\"n\":3') AS BLOB)");
    CHECK_EQ(open_result(), -EUCLEAN);
    run_sql_on_file("UPDATE object SET body = CAST(replace(CAST(body AS TEXT), '\"n\":3',"
                    " '\"n\":1') AS BLOB)");
    CHECK_EQ(open_result(), 0);
    fixture_close(NULL);
}

void empty_or_foreign_file_is_damage_and_not_a_new_store(void)
{
    store_close(fixture_open());
    CHECK_EQ(truncate(db_path(), 0), 0);
    CHECK_EQ(open_result(), -EUCLEAN);
    int fd = open(db_path(), O_WRONLY);
    for (int i = 0; i < 512; i++)
        CHECK_EQ(write(fd, "not a database. ", 16), 16);
    close(fd);
    CHECK_EQ(open_result(), -EUCLEAN);
    fixture_close(NULL);
}

void log_without_its_database_is_damage(void)
{
    store_close(fixture_open());
    char wal[160];
    snprintf(wal, sizeof(wal), "%s-wal", db_path());
    CHECK_EQ(rename(db_path(), wal), 0);
    CHECK_EQ(open_result(), -EUCLEAN);
    fixture_close(NULL);
}

void newer_format_is_refused(void)
{
    store_close(fixture_open());
    run_sql_on_file("PRAGMA user_version = 2");
    CHECK_EQ(open_result(), -EUCLEAN);
    fixture_close(NULL);
}

void second_opener_is_refused(void)
{
    struct store *store = fixture_open();
    CHECK_EQ(open_result(), -EBUSY);
    fixture_close(store);
}

void each_flipped_byte_is_noticed_or_harmless(void)
{
    struct store *store = fixture_open();
    CHECK_EQ(put_one(store, "a", "x", 1), 0);
    store_close(store);
    int fd = open(db_path(), O_RDWR);
    struct stat st;
    REQUIRE(fstat(fd, &st) == 0);
    for (off_t at = 0; at < st.st_size; at += 61) {
        unsigned char byte;
        REQUIRE(pread(fd, &byte, 1, at) == 1);
        unsigned char flipped = byte ^ 0x10;
        REQUIRE(pwrite(fd, &flipped, 1, at) == 1);
        struct store *again = NULL;
        const char *error = "";
        if (store_open(dir, &again, &error) == 0) {
            json_t *x = store_get(again, PODS, "a", "x");
            CHECK_EQ(json_integer_value(json_object_get(json_object_get(x, "spec"), "n")), 1);
            store_close(again);
        }
        REQUIRE(pwrite(fd, &byte, 1, at) == 1);
    }
    close(fd);
    fixture_close(NULL);
}
