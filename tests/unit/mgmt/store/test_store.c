/* SPDX-License-Identifier: Apache-2.0 */
/* Objects, transactions, events, values and groups. */
#include "test_store.h"

#include "abi/endpoints.h"
#include "test_store_disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *object_of(const char *namespace_, const char *name, int n)
{
    json_t *o = json_pack("{s:{s:s},s:{s:i}}", "metadata", "name", name, "spec", "n", n);
    if (namespace_ != NULL)
        json_object_set_new(json_object_get(o, "metadata"), "namespace", json_string(namespace_));
    return o;
}

int put_one(struct store *store, const char *namespace_, const char *name, int n)
{
    struct store_txn *txn = NULL;
    json_t *object = object_of(namespace_, name, n);
    int error = store_begin(store, &txn);
    if (error == 0) {
        error = store_put(txn, PODS, object, NULL);
        if (error == 0)
            error = store_commit(txn);
        else
            store_rollback(txn);
    }
    json_decref(object);
    return error;
}

static int remove_one(struct store *store, const char *namespace_, const char *name)
{
    struct store_txn *txn = NULL;
    int error = store_begin(store, &txn);
    if (error == 0)
        error = store_remove(txn, PODS, namespace_, name, NULL);
    if (error == 0)
        return store_commit(txn);
    store_rollback(txn);
    return error;
}

const char *meta_text(const json_t *object, const char *key)
{
    const char *t = json_string_value(json_object_get(json_object_get(object, "metadata"), key));
    return t != NULL ? t : "";
}

static json_int_t generation_of(const json_t *object)
{
    return json_integer_value(json_object_get(json_object_get(object, "metadata"), "generation"));
}

TEST(new_object_gets_uid_time_generation_and_version)
{
    struct store *store = fixture_open();
    CHECK_EQ(put_one(store, "a", "x", 1), 0);
    json_t *x = store_get(store, PODS, "a", "x");
    CHECK_EQ(strlen(meta_text(x, "uid")), 36);
    CHECK_EQ(meta_text(x, "uid")[14], '4');
    CHECK_EQ(strlen(meta_text(x, "creationTimestamp")), 20);
    CHECK_EQ(generation_of(x), 1);
    CHECK_EQ(store_object_version(x), store_version(store));
    CHECK(store_get(store, PODS, "b", "x") == NULL);
    CHECK(store_get(store, PODS, NULL, "x") == NULL);
    fixture_close(store);
}

TEST(change_keeps_uid_and_grows_version_and_generation)
{
    struct store *store = fixture_open();
    put_one(store, "a", "x", 1);
    json_t *first = json_incref(store_get(store, PODS, "a", "x"));
    put_one(store, "a", "x", 2);
    json_t *second = store_get(store, PODS, "a", "x");
    CHECK_STR(meta_text(first, "uid"), meta_text(second, "uid"));
    CHECK(store_object_version(second) > store_object_version(first));
    CHECK_EQ(generation_of(second), 2);
    CHECK_EQ(generation_of(first), 1);
    json_decref(first);
    fixture_close(store);
}

TEST(identical_object_changes_nothing)
{
    struct store *store = fixture_open();
    put_one(store, "a", "x", 1);
    uint64_t version = store_version(store);
    CHECK_EQ(put_one(store, "a", "x", 1), 0);
    CHECK_EQ(store_version(store), version);
    CHECK_EQ(store_object_version(store_get(store, PODS, "a", "x")), version);
    fixture_close(store);
}

TEST(status_change_keeps_generation_and_same_status_is_no_change)
{
    struct store *store = fixture_open();
    put_one(store, "a", "x", 1);
    json_t *status = json_pack("{s:b}", "ready", 1);
    for (int i = 0; i < 2; i++) {
        struct store_txn *txn = NULL;
        REQUIRE(store_begin(store, &txn) == 0);
        CHECK_EQ(store_put_status(txn, PODS, "a", "x", status), 0);
        CHECK_EQ(store_put_status(txn, PODS, "a", "y", status), -ENOENT);
        CHECK_EQ(store_commit(txn), 0);
    }
    json_t *x = store_get(store, PODS, "a", "x");
    CHECK_EQ(generation_of(x), 1);
    CHECK_EQ(store_object_version(x), 3);
    struct store_change change;
    REQUIRE(store_next_change(store, 2, PODS, &change));
    CHECK(change.is_status_only);
    json_decref(status);
    fixture_close(store);
}

TEST(everything_is_there_after_reopen)
{
    struct store *store = fixture_open();
    char name[16];
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        CHECK_EQ(put_one(store, i % 2 ? "a" : NULL, name, i), 0);
    }
    CHECK_EQ(remove_one(store, "a", "p7"), 0);
    char *before = json_dumps(store_get(store, PODS, "a", "p9"), JSON_SORT_KEYS);
    uint64_t version = store_version(store);
    store = fixture_reopen(store);
    char *after = json_dumps(store_get(store, PODS, "a", "p9"), JSON_SORT_KEYS);
    CHECK_STR(before, after);
    CHECK_EQ(store_count(store, PODS), 299);
    CHECK(store_get(store, PODS, "a", "p7") == NULL);
    CHECK_EQ(store_version(store), version);
    CHECK(store_can_watch_from(store, version));
    CHECK(!store_can_watch_from(store, version - 1));
    free(before);
    free(after);
    fixture_close(store);
}

static bool append_name(void *arg, json_t *object)
{
    strcat(arg, meta_text(object, "namespace"));
    strcat(arg, "/");
    strcat(arg, meta_text(object, "name"));
    strcat(arg, " ");
    return true;
}

TEST(objects_come_in_order_of_namespace_and_name)
{
    struct store *store = fixture_open();
    put_one(store, "a-b", "x", 1);
    put_one(store, "a", "y", 1);
    put_one(store, "a", "x-1", 1);
    put_one(store, "a", "x", 1);
    char all[256] = "";
    store_foreach(store, PODS, NULL, append_name, all);
    CHECK_STR(all, "a/x a/x-1 a/y a-b/x ");
    char one[256] = "";
    store_foreach(store, PODS, "a", append_name, one);
    CHECK_STR(one, "a/x a/x-1 a/y ");
    char rest[256] = "";
    store_foreach_after(store, PODS, NULL, "a", "x-0", append_name, rest);
    CHECK_STR(rest, "a/x-1 a/y a-b/x ");
    char last[256] = "";
    store_foreach_after(store, PODS, "a", "a", "x-1", append_name, last);
    CHECK_STR(last, "a/y ");
    fixture_close(store);
}

TEST(rolled_back_transaction_leaves_nothing)
{
    struct store *store = fixture_open();
    put_one(store, "a", "x", 1);
    struct store_txn *txn = NULL;
    struct store_txn *second = NULL;
    REQUIRE(store_begin(store, &txn) == 0);
    CHECK_EQ(store_begin(store, &second), -EBUSY);
    json_t *y = object_of("a", "y", 1);
    uint32_t id;
    CHECK_EQ(store_put(txn, PODS, y, NULL), 0);
    CHECK_EQ(store_remove(txn, PODS, "a", "x", NULL), 0);
    CHECK_EQ(store_group_take(txn, "g", &id), 0);
    CHECK_EQ(store_value_put(txn, "k", "v", 1), 0);
    CHECK(store_txn_get(txn, PODS, "a", "x") == NULL);
    CHECK(store_txn_get(txn, PODS, "a", "y") != NULL);
    CHECK(store_get(store, PODS, "a", "y") == NULL);
    char seen[64] = "";
    store_txn_foreach(txn, PODS, "a", append_name, seen);
    CHECK_STR(seen, "a/y ");
    store_rollback(txn);
    size_t len;
    CHECK(store_get(store, PODS, "a", "x") != NULL);
    CHECK(store_get(store, PODS, "a", "y") == NULL);
    CHECK_EQ(store_group_find(store, "g", &id), -ENOENT);
    CHECK(store_value_get(store, "k", &len) == NULL);
    CHECK_EQ(store_version(store), 2);
    json_decref(y);
    fixture_close(store);
}

TEST(object_that_came_and_went_in_a_transaction_is_no_event)
{
    struct store *store = fixture_open();
    struct store_txn *txn = NULL;
    json_t *y = object_of("a", "y", 1);
    REQUIRE(store_begin(store, &txn) == 0);
    CHECK_EQ(store_put(txn, PODS, y, NULL), 0);
    CHECK_EQ(store_remove(txn, PODS, "a", "y", NULL), 0);
    CHECK_EQ(store_remove(txn, PODS, "a", "y", NULL), -ENOENT);
    CHECK_EQ(store_commit(txn), 0);
    struct store_change change;
    CHECK(!store_next_change(store, 1, NULL, &change));
    CHECK_EQ(store_count(store, PODS), 0);
    json_decref(y);
    fixture_close(store);
}

TEST(object_made_anew_has_another_uid)
{
    struct store *store = fixture_open();
    put_one(store, "a", "x", 1);
    json_t *first = json_incref(store_get(store, PODS, "a", "x"));
    remove_one(store, "a", "x");
    put_one(store, "a", "x", 1);
    CHECK(strcmp(meta_text(first, "uid"), meta_text(store_get(store, PODS, "a", "x"), "uid")) != 0);
    json_decref(first);
    fixture_close(store);
}

TEST(changes_are_told_in_order_with_old_and_new)
{
    struct store *store = fixture_open();
    put_one(store, "a", "x", 1);
    put_one(store, "a", "x", 2);
    remove_one(store, "a", "x");
    static const enum store_change_kind kinds[] = {STORE_ADDED, STORE_MODIFIED, STORE_DELETED};
    struct store_change change = {.version = 1};
    for (int i = 0; i < 3; i++) {
        REQUIRE(store_next_change(store, change.version, PODS, &change));
        CHECK_EQ(change.kind, kinds[i]);
        CHECK_EQ(change.version, 2 + i);
        CHECK_EQ(store_object_version(change.object), 2 + i);
        CHECK_EQ(change.old == NULL, i == 0);
    }
    CHECK(!store_next_change(store, change.version, PODS, &change));
    CHECK(!store_next_change(store, 1, "others", &change));
    fixture_close(store);
}

TEST(oldest_changes_are_forgotten_at_the_limit)
{
    struct store *store = fixture_open();
    struct store_txn *txn = NULL;
    char name[16];
    REQUIRE(store_begin(store, &txn) == 0);
    for (unsigned i = 0; i < STORE_EVENTS_MAX + 10; i++) {
        snprintf(name, sizeof(name), "p%u", i);
        json_t *o = object_of("a", name, 1);
        CHECK_EQ(store_put(txn, PODS, o, NULL), 0);
        json_decref(o);
    }
    CHECK_EQ(store_commit(txn), 0);
    CHECK(!store_can_watch_from(store, 1));
    CHECK(!store_can_watch_from(store, 10));
    CHECK(store_can_watch_from(store, 11));
    CHECK(store_can_watch_from(store, store_version(store)));
    CHECK(!store_can_watch_from(store, store_version(store) + 1));
    fixture_close(store);
}

TEST(transaction_has_a_limit_of_changes)
{
    struct store *store = fixture_open();
    struct store_txn *txn = NULL;
    char name[16];
    int error = 0;
    REQUIRE(store_begin(store, &txn) == 0);
    for (unsigned i = 0; i <= STORE_TXN_CHANGES_MAX; i++) {
        CHECK_EQ(error, 0);
        snprintf(name, sizeof(name), "p%u", i);
        json_t *o = object_of("a", name, 1);
        error = store_put(txn, PODS, o, NULL);
        json_decref(o);
    }
    CHECK_EQ(error, -ENOSPC);
    store_rollback(txn);
    CHECK_EQ(store_count(store, PODS), 0);
    fixture_close(store);
}

TEST(store_has_a_limit_of_objects)
{
    struct store *store = fixture_open();
    char name[16];
    unsigned i = 0;
    int error = 0;
    while (error == 0) {
        struct store_txn *txn = NULL;
        REQUIRE(store_begin(store, &txn) == 0);
        for (unsigned end = i + STORE_TXN_CHANGES_MAX; error == 0 && i < end; i++) {
            snprintf(name, sizeof(name), "p%06u", i);
            json_t *o = object_of("a", name, 1);
            error = store_put(txn, PODS, o, NULL);
            json_decref(o);
        }
        CHECK_EQ(store_commit(txn), 0);
    }
    CHECK_EQ(error, -ENOSPC);
    CHECK_EQ(store_count(store, PODS), STORE_OBJECTS_MAX);
    CHECK_EQ(put_one(store, "a", "p000000", 2), 0); /* what is there may change */
    CHECK_EQ(remove_one(store, "a", "p000001"), 0);
    CHECK_EQ(put_one(store, "a", "x", 2), 0);
    CHECK_EQ(put_one(store, "a", "y", 2), -ENOSPC);
    fixture_close(store);
}

TEST(object_above_the_size_limit_is_refused)
{
    struct store *store = fixture_open();
    struct store_txn *txn = NULL;
    json_t *o = object_of("a", "x", 1);
    char *big = malloc(STORE_OBJECT_BYTES_MAX + 1);
    memset(big, 'x', STORE_OBJECT_BYTES_MAX);
    big[STORE_OBJECT_BYTES_MAX] = '\0';
    json_object_set_new(o, "data", json_string(big));
    free(big);
    REQUIRE(store_begin(store, &txn) == 0);
    CHECK_EQ(store_put(txn, PODS, o, NULL), -E2BIG);
    CHECK(store_txn_get(txn, PODS, "a", "x") == NULL);
    CHECK_EQ(store_commit(txn), 0);
    CHECK_EQ(store_count(store, PODS), 0);
    json_decref(o);
    fixture_close(store);
}

TEST(bad_names_are_refused)
{
    struct store *store = fixture_open();
    CHECK_EQ(put_one(store, "a", "", 1), -EINVAL);
    CHECK_EQ(put_one(store, "a", "x\x01y", 1), -EINVAL);
    CHECK_EQ(put_one(store, "a/b", "x", 1), -EINVAL);
    char longer[STORE_NAME_BYTES_MAX + 2];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    CHECK_EQ(put_one(store, "a", longer, 1), -EINVAL);
    CHECK(store_get(store, PODS, "a", longer) == NULL);
    fixture_close(store);
}

struct counting {
    struct store_listener listener;
    size_t calls, changes;
};

static void count_changes(struct store_listener *l, const struct store_change *changes, size_t n)
{
    struct counting *c = container_of(l, struct counting, listener);
    c->calls += 1;
    c->changes += n;
}

TEST(listeners_hear_each_commit_once_and_no_empty_ones)
{
    struct store *store = fixture_open();
    struct counting c = {.listener.on_commit = count_changes};
    store_listen(store, &c.listener);
    put_one(store, "a", "x", 1);
    put_one(store, "a", "x", 1);
    struct store_txn *txn = NULL;
    uint32_t id;
    REQUIRE(store_begin(store, &txn) == 0);
    CHECK_EQ(store_group_take(txn, "g", &id), 0);
    CHECK_EQ(store_commit(txn), 0);
    CHECK_EQ(c.calls, 1);
    CHECK_EQ(c.changes, 1);
    store_unlisten(store, &c.listener);
    put_one(store, "a", "x", 2);
    CHECK_EQ(c.calls, 1);
    fixture_close(store);
}

TEST(values_are_kept_replaced_and_removed)
{
    struct store *store = fixture_open();
    static const char *const values[] = {"one", "three", ""};
    for (int i = 0; i < 3; i++) {
        struct store_txn *txn = NULL;
        REQUIRE(store_begin(store, &txn) == 0);
        CHECK_EQ(store_value_put(txn, "m.k", values[i], strlen(values[i])), 0);
        CHECK_EQ(store_commit(txn), 0);
        store = fixture_reopen(store);
        size_t len = 0;
        const void *value = store_value_get(store, "m.k", &len);
        CHECK_EQ(len, strlen(values[i]));
        CHECK(len == 0 ? value == NULL : memcmp(value, values[i], len) == 0);
    }
    fixture_close(store);
}

static uint32_t take(struct store *store, const char *name, int *ret_error)
{
    struct store_txn *txn = NULL;
    uint32_t id = UINT32_MAX;
    REQUIRE(store_begin(store, &txn) == 0);
    *ret_error = store_group_take(txn, name, &id);
    CHECK_EQ(store_commit(txn), 0);
    return id;
}

static void release(struct store *store, const char *name)
{
    struct store_txn *txn = NULL;
    REQUIRE(store_begin(store, &txn) == 0);
    CHECK_EQ(store_group_release(txn, name), 0);
    CHECK_EQ(store_group_release(txn, name), -ENOENT);
    CHECK_EQ(store_commit(txn), 0);
}

TEST(group_ids_are_for_life_and_not_given_on_early)
{
    struct store *store = fixture_open();
    int error;
    CHECK_EQ(take(store, "a", &error), 0);
    CHECK_EQ(take(store, "b", &error), 1);
    CHECK_EQ(take(store, "a", &error), 0);
    release(store, "a");
    store = fixture_reopen(store);
    CHECK_EQ(take(store, "c", &error), 2);
    CHECK_EQ(take(store, "a", &error), 0);
    uint32_t id;
    CHECK_EQ(store_group_find(store, "b", &id), 0);
    CHECK_EQ(id, 1);
    fixture_close(store);
}

TEST(released_group_ids_come_back_longest_released_first_when_all_are_used)
{
    struct store *store = fixture_open();
    struct store_txn *txn = NULL;
    char name[16];
    uint32_t id;
    int error;
    REQUIRE(store_begin(store, &txn) == 0);
    for (unsigned i = 0; i < ENDPOINT_GROUPS_MAX; i++) {
        snprintf(name, sizeof(name), "g%06u", i);
        CHECK_EQ(store_group_take(txn, name, &id), 0);
        CHECK_EQ(id, i);
    }
    CHECK_EQ(store_group_take(txn, "more", &id), -ENOSPC);
    CHECK_EQ(store_commit(txn), 0);
    release(store, "g000005");
    release(store, "g000003");
    CHECK_EQ(take(store, "x", &error), 5);
    CHECK_EQ(take(store, "y", &error), 3);
    take(store, "z", &error);
    CHECK_EQ(error, -ENOSPC);
    store = fixture_reopen(store);
    CHECK_EQ(store_group_find(store, "x", &id), 0);
    CHECK_EQ(id, 5);
    CHECK_EQ(store_group_find(store, "g000005", &id), -ENOENT);
    fixture_close(store);
}

UNIT_MAIN("mgmt/store", T(new_object_gets_uid_time_generation_and_version),
          T(change_keeps_uid_and_grows_version_and_generation), T(identical_object_changes_nothing),
          T(status_change_keeps_generation_and_same_status_is_no_change),
          T(everything_is_there_after_reopen), T(objects_come_in_order_of_namespace_and_name),
          T(rolled_back_transaction_leaves_nothing),
          T(object_that_came_and_went_in_a_transaction_is_no_event),
          T(object_made_anew_has_another_uid), T(changes_are_told_in_order_with_old_and_new),
          T(oldest_changes_are_forgotten_at_the_limit), T(transaction_has_a_limit_of_changes),
          T(store_has_a_limit_of_objects), T(object_above_the_size_limit_is_refused),
          T(bad_names_are_refused), T(listeners_hear_each_commit_once_and_no_empty_ones),
          T(values_are_kept_replaced_and_removed), T(group_ids_are_for_life_and_not_given_on_early),
          T(released_group_ids_come_back_longest_released_first_when_all_are_used),
          T(failed_write_leaves_memory_as_it_was),
          T(damaged_row_is_reported_and_nothing_is_emptied),
          T(empty_or_foreign_file_is_damage_and_not_a_new_store),
          T(log_without_its_database_is_damage), T(newer_format_is_refused),
          T(second_opener_is_refused), T(each_flipped_byte_is_noticed_or_harmless))
