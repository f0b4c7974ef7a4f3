/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens against a real store in a directory of its own. */
#include "test_api.h"

#include "api/api_priv.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static struct store *open_store(void)
{
    struct store *store = NULL;
    const char *error = "";
    strcpy(dir, "/tmp/sluice-test-token.XXXXXX");
    REQUIRE(mkdtemp(dir) != NULL);
    REQUIRE(store_open(dir, &store, &error) == 0);
    return store;
}

static const char *file_path(const char *name)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void close_store(struct store *store)
{
    static const char *const files[] = {"store.db", "store.db-wal", "store.lock", "token",
                                        "console"};
    store_close(store);
    for (size_t i = 0; i < array_len(files); i++)
        unlink(file_path(files[i]));
    rmdir(dir);
}

void issued_token_verifies_and_others_do_not(void)
{
    struct store *store = open_store();
    struct store_txn *txn = NULL;
    char *token = NULL;
    REQUIRE(store_begin(store, &txn) == 0);
    CHECK_EQ(token_issue(txn, "a.b", &token), 0);
    CHECK_EQ(store_commit(txn), 0);
    struct slice good = slice_of_str(token);
    CHECK(token_verify(store, "a.b", good));
    CHECK(!token_verify(store, "a", good));
    CHECK(!token_verify(store, "a.b", slice_of(good.ptr, good.len - 1)));
    token[good.len - 1] ^= 1;
    CHECK(!token_verify(store, "a.b", good));
    token[good.len - 1] ^= 1;
    REQUIRE(store_begin(store, &txn) == 0);
    CHECK_EQ(token_revoke(txn, "a.b"), 0);
    CHECK_EQ(store_commit(txn), 0);
    CHECK(!token_verify(store, "a.b", good));
    token_forget(token);
    close_store(store);
}

void token_says_its_name(void)
{
    static const char secret[] = "0123456789012345678901234567890123456789abc";
    char text[400];
    char name[NAME_BYTES];
    snprintf(text, sizeof(text), "slt1.a.b-c.%s", secret);
    CHECK(token_name(slice_of_str(text), name));
    CHECK_STR(name, "a.b-c");
    snprintf(text, sizeof(text), "slt1.a-%s", secret);
    CHECK(!token_name(slice_of_str(text), name));
    CHECK(token_name(SLICE_LIT("something that a person has chosen"), name));
    CHECK_STR(name, "bootstrap");
    CHECK(!token_name(SLICE_LIT("short"), name));
    memset(text, 'a', sizeof(text) - 1);
    memcpy(text, "slt1.", 5);
    text[sizeof(text) - 1] = '\0';
    text[sizeof(text) - 1 - 44] = '.';
    CHECK(!token_name(slice_of_str(text), name)); /* a name that is too long */
}

static int bootstrap(struct store *store, const char *file, size_t *ret_printed)
{
    const char *error = "";
    FILE *console = fopen(file_path("console"), "w+");
    REQUIRE(console != NULL);
    int result = api_bootstrap(store, file, console, &error);
    *ret_printed = (size_t)ftell(console);
    fclose(console);
    return result;
}

void bootstrap_happens_once_and_keeps_the_file_private(void)
{
    char file[128];
    char token[128] = "";
    size_t printed = 0;
    struct stat st;
    struct store *store = open_store();
    strcpy(file, file_path("token"));
    CHECK_EQ(bootstrap(store, file, &printed), 0);
    CHECK(printed > 40);
    CHECK_EQ(stat(file, &st), 0);
    CHECK_EQ(st.st_mode & 0777, 0600);
    FILE *f = fopen(file, "r");
    REQUIRE(f != NULL && fgets(token, sizeof(token), f) != NULL);
    fclose(f);
    token[strcspn(token, "\n")] = '\0';
    CHECK(token_verify(store, "bootstrap", slice_of_str(token)));
    CHECK_EQ(store_count(store, "tokens.sluice.internal"), 1);
    CHECK_EQ(bootstrap(store, file, &printed), 0);
    CHECK_EQ(printed, 0);
    CHECK(token_verify(store, "bootstrap", slice_of_str(token)));
    close_store(store);
    store = open_store();
    strcpy(file, file_path("token"));
    f = fopen(file, "w");
    fputs("too short\n", f);
    fclose(f);
    CHECK_EQ(bootstrap(store, file, &printed), -EINVAL);
    CHECK_EQ(store_count(store, "tokens.sluice.internal"), 0);
    close_store(store);
}

void last_provider_is_known(void)
{
    size_t printed = 0;
    struct store *store = open_store();
    struct store_txn *txn = NULL;
    CHECK_EQ(bootstrap(store, NULL, &printed), 0);
    REQUIRE(store_begin(store, &txn) == 0);
    CHECK(!token_is_last_provider(txn, ""));
    CHECK(token_is_last_provider(txn, "bootstrap"));
    json_t *second =
        json_pack("{s:{s:s},s:{s:s,s:s}}", "metadata", "name", "second", "spec", "role",
                  "infrastructure-provider", "expiresAt", "2030-01-01T00:00:00Z");
    CHECK_EQ(store_put(txn, "tokens.sluice.internal", second, NULL), 0);
    CHECK(token_is_last_provider(txn, "bootstrap")); /* one that expires does not count */
    json_object_del(json_object_get(second, "spec"), "expiresAt");
    CHECK_EQ(store_put(txn, "tokens.sluice.internal", second, NULL), 0);
    CHECK(!token_is_last_provider(txn, "bootstrap"));
    json_decref(second);
    store_rollback(txn);
    close_store(store);
}
