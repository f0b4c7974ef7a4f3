/* SPDX-License-Identifier: Apache-2.0 */
/* List and watch, with an API server that the test plays: what comes into the cache, and above all
 * what does not leave it. */
#include "controller/source.h"
#include "fake_kube.h"
#include "loop/loop.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIND KIND_HTTP_ROUTE
#define ROUNDS_MAX 2000

static struct loop *loop;
static struct kube *kube;
static struct source *source;
static unsigned n_added, n_changed, n_gone, n_troubles, n_held;
static bool is_watching_named;

static void on_change(void *owner, struct source *s, const struct source_change *change)
{
    CHECK(change->old != NULL || change->object != NULL);
    n_added += change->old == NULL;
    n_changed += change->old != NULL && change->object != NULL;
    n_gone += change->object == NULL;
}

static void on_trouble(void *owner, struct source *s, enum kind kind, const char *text)
{
    n_troubles += 1;
}

static void on_held(void *owner, struct source *s, enum kind kind, const char *text)
{
    n_held += 1;
}
static bool has_mesh; /* of what begin() makes */

static void begin(void)
{
    const struct source_config config = {
        .loop = loop,
        .kube = kube,
        .reads_named = true,
        .watches_named = is_watching_named,
        .has_mesh = has_mesh,
        .hold = {.is_on = true, .count_max = 3, .percent_max = 20, .mass_ms = 60, .few_ms = 20},
        .on_change = on_change,
        .on_trouble = on_trouble,
        .on_held = on_held,
    };
    n_added = n_changed = n_gone = n_troubles = n_held = 0;
    REQUIRE(source_new(&config, &source) == 0);
}

static void open_all(void)
{
    REQUIRE(loop_new(&loop) == 0);
    kube = fake_new();
}

static void close_all(void)
{
    source_free(source);
    fake_free(kube);
    loop_free(loop);
}

/* Goes on until the condition holds. */
#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        for (int round_ = 0; !(condition) && round_ < ROUNDS_MAX; round_++)                        \
            fake_run(loop);                                                                        \
        REQUIRE(condition);                                                                        \
    } while (0)

static json_t *route(const char *name, unsigned version)
{
    return fake_object(KIND, "ns", name, version);
}

static void put(unsigned n)
{
    char name[16];
    for (unsigned i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "r%u", i);
        fake_put(KIND, route(name, 0));
    }
}

static bool has(const char *name)
{
    return source_get(source, KIND, "ns", name) != NULL;
}

/* The watch is lost together with its place: the next is a list. */
static void relist(void)
{
    unsigned before = server.n_lists;
    UNTIL(fake_is_watched(KIND));
    CHECK(fake_end_watch(KIND, 410));
    UNTIL(server.n_lists > before && fake_is_watched(KIND));
}

TEST(a_list_in_pages_is_put_together_and_then_watched)
{
    open_all();
    put(7);
    server.page = 3;
    begin();
    UNTIL(source_is_all_synced(source) && fake_is_watched(KIND));
    CHECK_EQ(source_count(source, KIND), 7);
    CHECK_EQ(source_state(source, KIND), SOURCE_WATCHING);
    CHECK_EQ(n_added, 7);
    CHECK_STR(source_cluster_uid(source), "uid-1");
    CHECK_STR(source_api_version(source, KIND), "gateway.networking.k8s.io/v1");
    close_all();
}

TEST(pods_are_read_only_for_a_mesh_and_what_is_kept_of_them_is_their_addresses)
{
    static const char text[] =
        "{\"spec\": {\"hostNetwork\": true, \"containers\": [{}]},"
        " \"status\": {\"phase\": \"Running\", \"podIPs\": [{\"ip\": \"192.0.2.1\"}],"
        "  \"conditions\": [{}]}}";
    for (int i = 0; i <= 1; i++) {
        has_mesh = i == 1;
        open_all();
        json_t *pod = fake_object(KIND_POD, "ns", "pod", 0);
        json_t *more = json_loads(text, 0, NULL);
        json_object_update(pod, more);
        fake_put(KIND_POD, pod);
        begin();
        UNTIL(source_is_all_synced(source) && fake_is_watched(KIND));
        CHECK_EQ(source_state(source, KIND_POD), has_mesh ? SOURCE_WATCHING : SOURCE_ABSENT);
        CHECK_EQ(fake_is_watched(KIND_POD), has_mesh);
        const json_t *kept = source_get(source, KIND_POD, "ns", "pod");
        CHECK_EQ(kept != NULL, has_mesh);
        CHECK_EQ(json_object_size(json_object_get(kept, "spec")), has_mesh ? 1 : 0);
        CHECK_EQ(json_object_size(json_object_get(kept, "status")), has_mesh ? 2 : 0);
        json_decref(more);
        close_all();
    }
    has_mesh = false;
}

TEST(events_change_the_cache_and_bookmarks_move_the_watch_on)
{
    open_all();
    put(2);
    begin();
    UNTIL(fake_is_watched(KIND));
    CHECK(fake_event(KIND, "ADDED", route("new", 101)));
    CHECK(fake_event(KIND, "MODIFIED", route("r0", 102)));
    CHECK(fake_event(KIND, "DELETED", route("r1", 103)));
    CHECK(has("new") && has("r0"));
    UNTIL(!has("r1"));
    CHECK_EQ(n_changed, 1);
    CHECK_EQ(n_gone, 1);
    CHECK(fake_event(KIND, "MODIFIED", route("r0", 102))); /* the same again is no change */
    CHECK_EQ(n_changed, 1);
    CHECK(
        fake_event(KIND, "BOOKMARK", json_pack("{s:{s:s}}", "metadata", "resourceVersion", "777")));
    unsigned lists = server.n_lists;
    CHECK(fake_end_watch(KIND, -EPROTO));
    UNTIL(fake_is_watched(KIND));
    CHECK_STR(server.watch_version, "777");
    CHECK_EQ(server.n_lists, lists);
    close_all();
}

TEST(a_stale_watch_is_made_anew_where_it_was)
{
    struct source_stats stats;
    open_all();
    put(1);
    begin();
    UNTIL(fake_is_watched(KIND));
    CHECK(fake_event(KIND, "MODIFIED", route("r0", 140)));
    CHECK(fake_end_watch(KIND, -ETIMEDOUT));
    UNTIL(fake_is_watched(KIND));
    CHECK_STR(server.watch_version, "140");
    source_stats(source, &stats);
    CHECK_EQ(stats.stale, 1);
    close_all();
}

TEST(a_watch_whose_place_has_expired_lists_anew)
{
    open_all();
    put(1);
    begin();
    UNTIL(fake_is_watched(KIND));
    unsigned lists = server.n_lists;
    CHECK(fake_event(KIND, "ERROR", json_pack("{s:i,s:s}", "code", 410, "message", "too old")));
    UNTIL(server.n_lists == lists + 1 && fake_is_watched(KIND));
    fake_put(KIND, route("r9", 0));
    relist();
    CHECK(has("r9"));
    close_all();
}

TEST(a_list_whose_page_has_expired_comes_in_one)
{
    open_all();
    put(5);
    server.page = 2;
    server.fail_pages = 410;
    begin();
    UNTIL(fake_is_watched(KIND));
    CHECK(server.n_whole_lists > 0);
    CHECK_EQ(source_count(source, KIND), 5);
    close_all();
}

TEST(answers_that_fail_or_are_no_lists_change_nothing)
{
    static const int statuses[] = {-ECONNREFUSED, -ETIMEDOUT, -EFBIG, 401, 403, 404, 429, 500, 200};
    static const char *const bodies[] = {
        "{}",
        "[]",
        "{\"items\": []}",
        "{\"metadata\": {\"resourceVersion\": \"1\"}}",
        "{\"metadata\": {\"resourceVersion\": \"1\"}, \"items\": [{}]}",
        "{\"metadata\": {\"resourceVersion\": \"1\"}, \"items\": [7]}",
        "{\"metadata\": {\"resourceVersion\": 1}, \"items\": []}",
        "{\"metadata\": {\"resourceVersion\": \"1\"}, \"items\": [{\"metadata\": {\"name\": "
        "\"a/b\"}}]}",
    };
    open_all();
    put(4);
    begin();
    UNTIL(fake_is_watched(KIND));
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        size_t n = statuses[i] == 200 ? sizeof(bodies) / sizeof(bodies[0]) : 1;
        for (size_t j = 0; j < n; j++) {
            unsigned before = server.n_lists;
            server.fail_status = statuses[i];
            server.fail_body = json_loads(bodies[j], 0, NULL);
            CHECK(fake_end_watch(KIND, 410));
            UNTIL(server.n_lists > before);
            CHECK_EQ(source_count(source, KIND), 4);
            CHECK_EQ(source_state(source, KIND), SOURCE_LISTING);
            server.fail_status = 0;
            json_decref(server.fail_body);
            server.fail_body = NULL;
            UNTIL(fake_is_watched(KIND));
        }
    }
    CHECK_EQ(n_gone, 0);
    close_all();
}

TEST(what_one_list_lacks_goes_when_a_second_one_lacks_it_too)
{
    open_all();
    put(10);
    begin();
    UNTIL(fake_is_watched(KIND));
    fake_remove(KIND, "r3");
    relist();
    CHECK(has("r3"));
    CHECK_EQ(source_held(source, KIND), 1);
    UNTIL(!has("r3"));
    CHECK_EQ(source_count(source, KIND), 9);
    CHECK_EQ(source_held(source, KIND), 0);
    close_all();
}

TEST(what_is_back_in_the_second_list_stays)
{
    open_all();
    put(10);
    begin();
    UNTIL(fake_is_watched(KIND));
    fake_remove(KIND, "r3");
    relist();
    CHECK_EQ(source_held(source, KIND), 1);
    put(10);
    UNTIL(source_held(source, KIND) == 0);
    CHECK(has("r3"));
    CHECK_EQ(n_gone, 0);
    close_all();
}

TEST(a_mass_that_a_list_lacks_is_told_and_waits_longer)
{
    struct source_stats stats;
    open_all();
    put(20);
    begin();
    UNTIL(fake_is_watched(KIND));
    json_array_clear(server.objects[KIND]);
    relist();
    CHECK_EQ(source_held(source, KIND), 20);
    CHECK_EQ(n_troubles, 1);
    UNTIL(source_count(source, KIND) == 0);
    source_stats(source, &stats);
    CHECK_EQ(stats.confirmed, 20);
    close_all();
}

/* Nothing goes, however often it is listed, until an operator says so. */
static void stays_until_confirmed(void)
{
    unsigned before = server.n_lists;
    UNTIL(server.n_lists > before + 3);
    CHECK(has("r3"));
    CHECK_EQ(n_gone, 0);
    source_confirm(source);
    CHECK(!has("r3"));
}

TEST(a_cluster_that_is_another_one_takes_nothing_away_until_an_operator_confirms)
{
    open_all();
    put(10);
    begin();
    UNTIL(fake_is_watched(KIND));
    server.uid = "uid-2";
    fake_remove(KIND, "r3");
    fake_put(KIND, route("young", 0));
    relist();
    CHECK(has("young"));
    CHECK_STR(source_cluster_uid(source), "uid-1");
    stays_until_confirmed();
    UNTIL(strcmp(source_cluster_uid(source), "uid-2") == 0);
    close_all();
}

TEST(a_kind_that_is_being_removed_takes_no_object_along)
{
    open_all();
    put(10);
    begin();
    UNTIL(fake_is_watched(KIND));
    server.going_after = 0;
    fake_remove(KIND, "r3");
    relist();
    stays_until_confirmed();
    close_all();
}

TEST(where_the_definition_may_not_be_read_discovery_tells_that_the_kind_is_being_removed)
{
    open_all();
    put(10);
    begin();
    UNTIL(fake_is_watched(KIND));
    server.definition = 403;
    server.is_creatable = false;
    fake_remove(KIND, "r3");
    relist();
    stays_until_confirmed();
    close_all();
}

TEST(a_list_older_than_what_was_seen_takes_nothing_away)
{
    open_all();
    put(10);
    begin();
    UNTIL(fake_is_watched(KIND));
    CHECK(fake_event(KIND, "MODIFIED", route("r0", 500)));
    fake_remove(KIND, "r3");
    relist();
    stays_until_confirmed();
    close_all();
}

TEST(deletions_that_a_watch_tells_are_done_but_a_mass_waits_for_a_list)
{
    char name[16];
    open_all();
    put(10);
    begin();
    UNTIL(fake_is_watched(KIND));
    for (unsigned i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "r%u", i);
        CHECK(fake_event(KIND, "DELETED", route(name, 110 + i)));
    }
    UNTIL(n_gone == 3);
    CHECK_EQ(source_held(source, KIND), 5);
    CHECK_EQ(n_troubles, 1);
    CHECK_EQ(n_held, 1);
    server.version = 200;
    for (unsigned i = 0; i < 7; i++) { /* the last one is there again */
        snprintf(name, sizeof(name), "r%u", i);
        fake_remove(KIND, name);
    }
    UNTIL(source_count(source, KIND) == 3);
    CHECK(has("r7") && has("r8") && has("r9"));
    close_all();
}

static void delete_told(const char *name, unsigned version)
{
    fake_remove(KIND, name);
    CHECK(fake_event(KIND, "DELETED", route(name, version)));
}

TEST(a_deletion_is_done_when_the_definition_was_looked_at_and_waits_for_no_list)
{
    open_all();
    put(10);
    begin();
    UNTIL(fake_is_watched(KIND));
    unsigned lists = server.n_lists;
    delete_told("r3", 110);
    CHECK(has("r3"));
    UNTIL(!has("r3"));
    CHECK_EQ(server.n_definition_gets, 1);
    server.has_none = true; /* as an appliance */
    delete_told("r4", 111);
    UNTIL(!has("r4"));
    CHECK_EQ(server.n_lists, lists);
    CHECK_EQ(n_troubles, 0);
    close_all();
}

TEST(a_deletion_of_a_kind_that_is_built_in_is_done_at_once)
{
    open_all();
    fake_put(KIND_SERVICE, fake_object(KIND_SERVICE, "ns", "s", 0));
    begin();
    UNTIL(fake_is_watched(KIND_SERVICE));
    CHECK(fake_event(KIND_SERVICE, "DELETED", fake_object(KIND_SERVICE, "ns", "s", 110)));
    CHECK_EQ(source_count(source, KIND_SERVICE), 0);
    CHECK_EQ(server.n_definition_gets, 0);
    close_all();
}

TEST(a_deletion_that_is_told_while_the_definition_is_looked_at_is_for_the_next_look)
{
    open_all();
    put(10);
    begin();
    UNTIL(fake_is_watched(KIND));
    server.going_after = 1; /* the second look sees it going */
    server.is_creatable = false;
    delete_told("r3", 110);
    delete_told("r4", 111);
    UNTIL(server.n_definition_gets == 2);
    CHECK(!has("r3") && has("r4"));
    CHECK_EQ(n_gone, 1);
    CHECK_EQ(n_held, 1);
    close_all();
}

/* The kind goes with all its objects, each told as deleted; then it is made anew, empty. */
static void remove_kind(void)
{
    server.going_after = 0;
    delete_told("r0", 110);
    delete_told("r1", 111);
    UNTIL(n_held == 1);
    json_array_clear(server.objects[KIND]);
    server.definition = 404;
    server.is_served[KIND] = false;
    CHECK(fake_end_watch(KIND, 200));
    UNTIL(source_state(source, KIND) == SOURCE_ABSENT);
    CHECK_EQ(n_held, 2);
    CHECK_EQ(source_held(source, KIND), 10);
    server.definition = 200;
    server.definition_since = "2026-03-01T00:00:00Z";
    server.going_after = -1;
    server.is_served[KIND] = true;
    server.version = 200;
    CHECK(fake_end_watch(KIND_GATEWAY, 404)); /* which has discovery look again, soon */
    UNTIL(fake_is_watched(KIND));
}

static void put_old(unsigned n)
{
    put(n);
    for (unsigned i = 0; i < n; i++)
        json_object_set_new(json_object_get(json_array_get(server.objects[KIND], i), "metadata"),
                            "creationTimestamp", json_string("2026-01-15T00:00:00Z"));
}

TEST(what_goes_with_the_definition_of_its_kind_stays_until_an_operator_confirms)
{
    open_all();
    put_old(10);
    begin();
    UNTIL(fake_is_watched(KIND));
    remove_kind();
    stays_until_confirmed();
    CHECK_EQ(source_count(source, KIND), 0);
    close_all();
}

TEST(what_is_back_after_its_kind_was_removed_is_as_it_was_and_can_be_deleted)
{
    open_all();
    put_old(10);
    begin();
    UNTIL(fake_is_watched(KIND));
    remove_kind();
    unsigned told = n_held;
    for (unsigned i = 0; i < 10; i++) {
        char name[16];
        snprintf(name, sizeof(name), "r%u", i);
        json_t *again = route(name, 210 + i);
        json_object_set_new(json_object_get(again, "metadata"), "creationTimestamp",
                            json_string("2026-03-02T00:00:00Z"));
        fake_put(KIND, again);
        CHECK(fake_event(KIND, "ADDED", json_deep_copy(again)));
    }
    CHECK_EQ(source_held(source, KIND), 0);
    CHECK_EQ(n_held, told + 1); /* that nothing is held any more */
    CHECK_EQ(n_gone, 0);
    delete_told("r3", 230);
    UNTIL(!has("r3"));
    CHECK_EQ(source_count(source, KIND), 9);
    close_all();
}

TEST(a_definition_made_anew_between_a_deletion_and_the_look_takes_nothing_along)
{
    open_all();
    put_old(10);
    begin();
    UNTIL(fake_is_watched(KIND));
    server.definition_since = "2026-03-01T00:00:00Z";
    delete_told("r3", 110);
    UNTIL(n_held == 1);
    stays_until_confirmed();
    close_all();
}

TEST(where_the_definition_may_not_be_read_a_deletion_waits_for_a_list)
{
    open_all();
    put(10);
    begin();
    UNTIL(fake_is_watched(KIND));
    server.definition = 403;
    server.version = 200;
    unsigned lists = server.n_lists;
    delete_told("r3", 110);
    UNTIL(!has("r3"));
    CHECK(server.n_lists > lists);
    CHECK_EQ(n_troubles, 1);
    CHECK_EQ(n_held, 0);
    server.is_creatable = false; /* and now the kind goes */
    server.version = 300;
    delete_told("r4", 210);
    UNTIL(n_held == 1);
    CHECK(has("r4"));
    close_all();
}

TEST(a_watch_that_ends_while_the_definition_is_looked_at_leaves_it_to_the_list)
{
    open_all();
    put(10);
    begin();
    UNTIL(fake_is_watched(KIND));
    server.version = 200;
    delete_told("r3", 110);
    CHECK(fake_end_watch(KIND, 410));
    UNTIL(fake_is_watched(KIND));
    CHECK(has("r3"));
    CHECK_EQ(source_held(source, KIND), 1);
    UNTIL(!has("r3"));
    CHECK_EQ(source_count(source, KIND), 9);
    close_all();
}

TEST(a_kind_that_is_not_served_is_waited_for)
{
    open_all();
    server.is_served[KIND] = false;
    put(2);
    begin();
    UNTIL(source_is_all_synced(source));
    CHECK_EQ(source_state(source, KIND), SOURCE_ABSENT);
    CHECK(source_api_version(source, KIND) == NULL);
    server.is_served[KIND] = true;
    CHECK(fake_end_watch(KIND_GATEWAY, 404)); /* which has discovery look again, soon */
    UNTIL(fake_is_watched(KIND));
    CHECK_EQ(source_count(source, KIND), 2);
    close_all();
}

TEST(a_kind_that_is_no_longer_served_keeps_its_objects)
{
    open_all();
    put(4);
    begin();
    UNTIL(fake_is_watched(KIND));
    server.is_served[KIND] = false;
    CHECK(fake_end_watch(KIND, 404));
    UNTIL(source_state(source, KIND) == SOURCE_ABSENT);
    CHECK_EQ(source_count(source, KIND), 4);
    CHECK_EQ(source_held(source, KIND), 4);
    CHECK_EQ(source_held_all(source), 4);
    CHECK_EQ(n_held, 1);
    for (int round = 0; round < 50; round++) /* longer than few_ms */
        fake_run(loop);
    fake_remove(KIND, "r3");
    server.is_served[KIND] = true;
    CHECK(fake_end_watch(KIND_GATEWAY, 404));
    UNTIL(fake_is_watched(KIND));
    CHECK_EQ(source_count(source, KIND), 4); /* one list is no list */
    CHECK(source_is_held(source, KIND, "ns", "r3") && !source_is_held(source, KIND, "ns", "r2"));
    CHECK_EQ(n_gone, 0);
    UNTIL(!has("r3"));
    CHECK_EQ(n_held, 2);
    close_all();
}

TEST(what_is_no_event_ends_the_watch_and_not_the_cache)
{
    static const char *const objects[] = {
        "{}",
        "{\"metadata\": 7}",
        "{\"metadata\": {\"name\": 7}}",
        "{\"metadata\": {\"name\": \"\"}}",
        "{\"metadata\": {\"name\": \"a/b\"}}",
        "{\"metadata\": {\"name\": \"..\", \"namespace\": \"x/y\"}}",
    };
    open_all();
    put(4);
    begin();
    for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        static const char *const types[] = {"ADDED",    "MODIFIED", "DELETED",
                                            "NONSENSE", "",         "added"};
        UNTIL(fake_is_watched(KIND));
        CHECK(fake_event(KIND, types[i], json_loads(objects[i], 0, NULL)));
        CHECK(!fake_is_watched(KIND));
        CHECK_EQ(source_count(source, KIND), 4);
    }
    CHECK_EQ(n_gone, 0);
    close_all();
}

TEST(what_is_remembered_stays_until_the_lists_agree_that_it_is_gone)
{
    open_all();
    put(10);
    begin();
    json_t *old = route("old", 5);
    json_t *seen = route("r1", 5);
    CHECK_EQ(source_remember(source, KIND, old, "uid-1"), 0);
    CHECK_EQ(source_remember(source, KIND, seen, "uid-1"), 0);
    CHECK(has("old") && source_is_remembered(source, KIND, "ns", "old"));
    UNTIL(fake_is_watched(KIND));
    CHECK(has("old"));
    CHECK(!source_is_remembered(source, KIND, "ns", "r1"));
    UNTIL(!has("old"));
    CHECK_EQ(source_count(source, KIND), 10);
    json_decref(old);
    json_decref(seen);
    close_all();
}

TEST(what_is_remembered_of_another_cluster_stays)
{
    open_all();
    put(10);
    begin();
    json_t *old = route("r3", 5);
    fake_remove(KIND, "r3");
    CHECK_EQ(source_remember(source, KIND, old, "uid-0"), 0);
    UNTIL(fake_is_watched(KIND));
    n_gone = 0;
    stays_until_confirmed();
    json_decref(old);
    close_all();
}

TEST(copies_tell_of_which_cluster_they_are_also_when_another_has_answered_before)
{
    open_all();
    begin();
    UNTIL(fake_is_watched(KIND)); /* an empty one answers */
    CHECK_STR(source_cluster_uid(source), "uid-1");
    json_t *old = route("r3", 5);
    CHECK_EQ(source_remember(source, KIND, old, "uid-0"), 0);
    CHECK_STR(source_cluster_uid(source), "uid-0");
    n_gone = 0;
    stays_until_confirmed();
    json_decref(old);
    close_all();
}

TEST(of_copies_of_several_clusters_those_count_that_are_of_the_one_that_answers)
{
    open_all();
    put(10);
    begin();
    json_t *old = route("old", 5);
    json_t *seen = route("r1", 5);
    CHECK_EQ(source_remember(source, KIND, old, "uid-0"), 0);
    CHECK_EQ(source_remember(source, KIND, seen, "uid-1"), 0);
    UNTIL(fake_is_watched(KIND));
    CHECK_STR(source_cluster_uid(source), "uid-1");
    UNTIL(!has("old"));
    CHECK_EQ(source_count(source, KIND), 10);
    json_decref(old);
    json_decref(seen);
    close_all();
}

TEST(a_deletion_in_a_cluster_that_is_another_one_is_followed)
{
    open_all();
    put(10);
    begin();
    UNTIL(fake_is_watched(KIND));
    server.uid = "uid-2";
    relist(); /* it has all of them */
    delete_told("r3", 110);
    UNTIL(!has("r3"));
    CHECK_EQ(n_held, 0);
    close_all();
}

static unsigned version_of(const char *name)
{
    return (unsigned)strtoul(
        kube_text_at(source_get(source, KIND, "ns", name), "metadata.resourceVersion"), NULL, 10);
}

TEST(an_answer_that_comes_after_the_watch_told_more_takes_nothing_back)
{
    open_all();
    begin();
    UNTIL(fake_is_watched(KIND));
    CHECK(fake_event(KIND, "ADDED", route("r", 101)));
    CHECK(fake_event(KIND, "MODIFIED", route("r", 103)));
    json_t *answer = route("r", 101);
    source_note(source, KIND, "ns", "r", answer);
    CHECK_EQ(version_of("r"), 103);
    json_decref(answer);
    answer = route("r", 104);
    source_note(source, KIND, "ns", "r", answer);
    CHECK_EQ(version_of("r"), 104);
    json_decref(answer);
    source_note(source, KIND, "ns", "r", NULL);
    CHECK(!has("r"));
    close_all();
}

static bool has_secret(const char *name)
{
    return source_get(source, KIND_SECRET, "ns", name) != NULL;
}

TEST(secrets_are_read_one_by_one_while_they_are_wanted)
{
    open_all();
    fake_put(KIND_SECRET, fake_object(KIND_SECRET, "ns", "mine", 0));
    fake_put(KIND_SECRET, fake_object(KIND_SECRET, "ns", "other", 0));
    begin();
    UNTIL(source_is_all_synced(source));
    CHECK(!fake_is_watched(KIND_SECRET));
    CHECK_EQ(source_count(source, KIND_SECRET), 0);
    CHECK_EQ(source_want(source, KIND_SECRET, "ns", "mine"), 0);
    CHECK_EQ(source_want(source, KIND_SECRET, "ns", "mine"), 0);
    UNTIL(has_secret("mine"));
    CHECK_EQ(source_count(source, KIND_SECRET), 1);
    source_drop(source, KIND_SECRET, "ns", "mine");
    CHECK(has_secret("mine"));
    source_drop(source, KIND_SECRET, "ns", "mine");
    CHECK(!has_secret("mine"));
    close_all();
}

static unsigned version_of_secret(const char *name)
{
    const json_t *object = source_get(source, KIND_SECRET, "ns", name);
    return (unsigned)strtoul(kube_text_at(object, "metadata.resourceVersion"), NULL, 10);
}

static void want_watched(const char *name)
{
    fake_put(KIND_SECRET, fake_object(KIND_SECRET, "ns", name, 7));
    CHECK_EQ(source_want(source, KIND_SECRET, "ns", name), 0);
    UNTIL(has_secret(name));
}

static void open_watching(void)
{
    open_all();
    is_watching_named = true;
    begin();
    is_watching_named = false;
    UNTIL(source_is_all_synced(source));
}

TEST(a_secret_that_is_watched_is_read_when_there_is_news_of_it)
{
    open_watching();
    want_watched("mine");
    UNTIL(fake_is_watched(KIND_SECRET));
    unsigned n_gets = server.n_gets;
    CHECK(fake_event(KIND_SECRET, "ADDED", fake_object(KIND_SECRET, "ns", "mine", 7)));
    CHECK(fake_event(KIND_SECRET, "BOOKMARK", fake_object(KIND_SECRET, "ns", "mine", 9)));
    for (int i = 0; i < 5; i++)
        fake_run(loop);
    CHECK_EQ(server.n_gets, n_gets);
    fake_put(KIND_SECRET, fake_object(KIND_SECRET, "ns", "mine", 8));
    CHECK(fake_event(KIND_SECRET, "MODIFIED", fake_object(KIND_SECRET, "ns", "mine", 8)));
    UNTIL(version_of_secret("mine") == 8);
    CHECK_EQ(server.n_gets, n_gets + 1);
    CHECK(fake_event(KIND_SECRET, "DELETED", fake_object(KIND_SECRET, "ns", "mine", 8)));
    UNTIL(server.n_gets > n_gets + 1);
    CHECK(has_secret("mine")); /* what a watch says takes nothing away */
    source_drop(source, KIND_SECRET, "ns", "mine");
    CHECK(!fake_is_watched(KIND_SECRET));
    close_all();
}

TEST(who_may_not_watch_secrets_reads_them_and_is_told_once)
{
    open_watching();
    want_watched("mine");
    UNTIL(fake_is_watched(KIND_SECRET));
    CHECK(fake_end_watch(KIND_SECRET, 403));
    CHECK_EQ(n_troubles, 1);
    unsigned n_watches = server.n_watches;
    want_watched("other");
    for (int i = 0; i < 5; i++)
        fake_run(loop);
    CHECK_EQ(server.n_watches, n_watches);
    CHECK(has_secret("mine"));
    close_all();
}

TEST(of_many_secrets_some_are_watched_and_all_are_read)
{
    char name[16];
    open_watching();
    unsigned before = server.n_watches;
    for (unsigned i = 0; i < SOURCE_NAMED_WATCHES_MAX + 3; i++) {
        snprintf(name, sizeof(name), "s%u", i);
        want_watched(name);
    }
    CHECK_EQ(server.n_watches - before, SOURCE_NAMED_WATCHES_MAX);
    CHECK_EQ(source_count(source, KIND_SECRET), SOURCE_NAMED_WATCHES_MAX + 3);
    close_all();
}

UNIT_MAIN("controller/source", T(a_list_in_pages_is_put_together_and_then_watched),
          T(pods_are_read_only_for_a_mesh_and_what_is_kept_of_them_is_their_addresses),
          T(events_change_the_cache_and_bookmarks_move_the_watch_on),
          T(a_stale_watch_is_made_anew_where_it_was), T(a_watch_whose_place_has_expired_lists_anew),
          T(a_list_whose_page_has_expired_comes_in_one),
          T(answers_that_fail_or_are_no_lists_change_nothing),
          T(what_one_list_lacks_goes_when_a_second_one_lacks_it_too),
          T(what_is_back_in_the_second_list_stays),
          T(a_mass_that_a_list_lacks_is_told_and_waits_longer),
          T(a_cluster_that_is_another_one_takes_nothing_away_until_an_operator_confirms),
          T(a_kind_that_is_being_removed_takes_no_object_along),
          T(a_list_older_than_what_was_seen_takes_nothing_away),
          T(deletions_that_a_watch_tells_are_done_but_a_mass_waits_for_a_list),
          T(a_deletion_is_done_when_the_definition_was_looked_at_and_waits_for_no_list),
          T(a_deletion_of_a_kind_that_is_built_in_is_done_at_once),
          T(a_deletion_that_is_told_while_the_definition_is_looked_at_is_for_the_next_look),
          T(what_goes_with_the_definition_of_its_kind_stays_until_an_operator_confirms),
          T(what_is_back_after_its_kind_was_removed_is_as_it_was_and_can_be_deleted),
          T(a_definition_made_anew_between_a_deletion_and_the_look_takes_nothing_along),
          T(where_the_definition_may_not_be_read_a_deletion_waits_for_a_list),
          T(a_watch_that_ends_while_the_definition_is_looked_at_leaves_it_to_the_list),
          T(where_the_definition_may_not_be_read_discovery_tells_that_the_kind_is_being_removed),
          T(a_kind_that_is_not_served_is_waited_for),
          T(a_kind_that_is_no_longer_served_keeps_its_objects),
          T(what_is_no_event_ends_the_watch_and_not_the_cache),
          T(what_is_remembered_stays_until_the_lists_agree_that_it_is_gone),
          T(what_is_remembered_of_another_cluster_stays),
          T(copies_tell_of_which_cluster_they_are_also_when_another_has_answered_before),
          T(of_copies_of_several_clusters_those_count_that_are_of_the_one_that_answers),
          T(a_deletion_in_a_cluster_that_is_another_one_is_followed),
          T(an_answer_that_comes_after_the_watch_told_more_takes_nothing_back),
          T(secrets_are_read_one_by_one_while_they_are_wanted),
          T(a_secret_that_is_watched_is_read_when_there_is_news_of_it),
          T(who_may_not_watch_secrets_reads_them_and_is_told_once),
          T(of_many_secrets_some_are_watched_and_all_are_read))
