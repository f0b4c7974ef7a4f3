/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statuses out of what appliances say: each document of merge.yaml is a case, run as a test of its
 * own name would be:
 *
 *   case: what is true
 *   shape: gateway | class | route | policy
 *   object: the cluster's          voices: [{appliance, copy, refusal, current}]
 *   own: a feature of the controller itself
 *   ours: [names of parents that lead to us; all without it]
 *   wanted: the status; null: nothing is written
 *
 * An "observedGeneration: G" or "lastTransitionTime: T" that a condition is without is filled in:
 * the object's generation, and OLD where the case says nothing.
 */
#include "controller/merge.h"
#include "fixture.h"
#include "model/at.h"

#define NOW "2026-11-28T19:00:00Z"
#define OLD "2026-11-01T00:00:00Z"
#define OURS "sluice.internal/gateway-controller"

static bool is_ours(void *ctx, const json_t *ref)
{
    const json_t *names = ctx;
    size_t i;
    const json_t *name;
    json_array_foreach(names, i, name)
    {
        if (strcmp(json_string_value(name), text_at(ref, "name")) == 0) {
            return true;
        }
    }
    return names == NULL;
}

/* The appliance calls the cluster's namespaces "east-...". */
static bool name_here(void *ctx, const char *there, char ret[MERGE_NAME_BYTES])
{
    if (strncmp(there, "east-", 5) != 0) {
        return false;
    }
    snprintf(ret, MERGE_NAME_BYTES, "%s", there + 5);
    return true;
}

/* Fills in what every condition has, in all lists of conditions below `at`. */
static void complete(json_t *at, int64_t generation, const char *since)
{
    const char *key;
    size_t i;
    json_t *value;
    json_array_foreach(at, i, value)
    {
        complete(value, generation, since);
    }
    json_object_foreach(at, key, value)
    {
        complete(value, generation, since);
    }
    if (json_object_get(at, "type") == NULL || json_object_get(at, "status") == NULL) {
        return;
    }
    if (json_object_get(at, "observedGeneration") == NULL) {
        json_object_set_new(at, "observedGeneration", json_integer(generation));
    }
    if (json_object_get(at, "lastTransitionTime") == NULL) {
        json_object_set_new(at, "lastTransitionTime", json_string(since));
    }
    if (json_object_get(at, "reason") == NULL) {
        json_object_set(at, "reason", json_object_get(at, "type"));
    }
    if (json_object_get(at, "message") == NULL) {
        json_object_set_new(at, "message", json_string("m"));
    }
}

static enum merge_shape shape_of(const char *name)
{
    static const char *const names[] = {"class", "gateway", "route", "policy"};
    enum merge_shape shape = MERGE_CLASS;
    while (strcmp(names[shape], name) != 0) {
        REQUIRE(shape < MERGE_ANCESTORS);
        shape++;
    }
    return shape;
}

static uint32_t take_voices(json_t *list, struct merge_voice voices[MERGE_VOICES_MAX])
{
    size_t i;
    json_t *voice;
    json_array_foreach(list, i, voice)
    {
        json_t *copy = json_object_get(voice, "copy");
        int64_t generation = int_at(json_object_get(copy, "metadata"), "generation");
        complete(json_object_get(copy, "status"), generation, "2026-01-01T00:00:00Z");
        voices[i] = (struct merge_voice){
            .appliance = text_at(voice, "appliance"),
            .copy = copy,
            .refusal = json_string_value(json_object_get(voice, "refusal")),
            .is_current = !json_is_false(json_object_get(voice, "current")) && copy != NULL,
        };
    }
    return (uint32_t)json_array_size(list);
}

static void check_case(json_t *test)
{
    const char *name = text_at(test, "case");
    json_t *object = json_object_get(test, "object");
    json_t *wanted = json_object_get(test, "wanted");
    struct merge_voice voices[MERGE_VOICES_MAX];
    int64_t generation = int_at(json_object_get(object, "metadata"), "generation");
    complete(json_object_get(object, "status"), generation, OLD);
    complete(wanted, generation, OLD);
    struct merge_question q = {
        .shape = shape_of(text_at(test, "shape")),
        .object = object,
        .controller_name = OURS,
        .now = NOW,
        .own_feature = json_string_value(json_object_get(test, "own")),
        .voices = voices,
        .n_voices = take_voices(json_object_get(test, "voices"), voices),
        .is_ours = is_ours,
        .name_here = name_here,
        .ctx = json_object_get(test, "ours"),
    };
    json_t *status = merge_status(&q);
    bool is_right = json_is_null(wanted) ? status == NULL : json_equal(status, wanted);
    if (!is_right) {
        char *said = status != NULL ? yaml_dump(status) : NULL;
        char *want = yaml_dump(wanted);
        fprintf(stderr, "%s\n--- said\n%s\n--- wanted\n%s", name, said != NULL ? said : "nothing",
                want);
        free(said);
        free(want);
    }
    CHECK_STR(is_right ? name : "not so", name);
    if (status != NULL) { /* what was written once is not written again */
        json_object_set(object, "status", status);
        CHECK(merge_status(&q) == NULL);
    }
    json_decref(status);
}

TEST(each_case_comes_to_what_it_says)
{
    json_t *cases = fixture_load("merge.yaml");
    size_t i;
    json_t *test;
    REQUIRE(json_array_size(cases) > 25);
    json_array_foreach(cases, i, test)
    {
        REQUIRE(json_object_get(test, "case") != NULL && json_object_get(test, "wanted") != NULL);
        check_case(test);
    }
    json_decref(cases);
}

TEST(a_route_has_at_most_as_many_parents_as_the_crd_takes)
{
    json_t *others = json_array();
    for (int i = 0; i < 31; i++) {
        json_array_append_new(others,
                              json_pack("{s:{s:s}, s:s, s:[]}", "parentRef", "name", "x",
                                        "controllerName", "example.com/other", "conditions"));
    }
    json_t *object =
        json_pack("{s:{s:i}, s:{s:o}}", "metadata", "generation", 1, "status", "parents", others);
    json_t *copy = json_pack(
        "{s:{s:i}, s:{s:[{s:{s:s}, s:s, s:[{s:s, s:s, s:s, s:s, s:i}]}, {s:{s:s}, s:s, s:[{s:s, "
        "s:s, s:s, s:s, s:i}]}]}}",
        "metadata", "generation", 1, "status", "parents", "parentRef", "name", "a",
        "controllerName", OURS, "conditions", "type", "Accepted", "status", "True", "reason",
        "Accepted", "message", "m", "observedGeneration", 1, "parentRef", "name", "b",
        "controllerName", OURS, "conditions", "type", "Accepted", "status", "True", "reason",
        "Accepted", "message", "m", "observedGeneration", 1);
    REQUIRE(object != NULL && copy != NULL);
    struct merge_voice voice = {.appliance = "a", .copy = copy, .is_current = true};
    struct merge_question q = {.shape = MERGE_PARENTS,
                               .object = object,
                               .controller_name = OURS,
                               .now = NOW,
                               .voices = &voice,
                               .n_voices = 1,
                               .is_ours = is_ours};
    json_t *status = merge_status(&q);
    CHECK_EQ(json_array_size(json_object_get(status, "parents")), 32);
    json_decref(status);
    json_decref(copy);
    json_decref(object);
}

TEST(a_long_refusal_is_cut_where_a_character_ends)
{
    char text[9001];
    for (size_t i = 0; i < 9000; i += 3) {
        memcpy(text + i, "\xe2\x82\xac", 3); /* a euro sign */
    }
    text[9000] = '\0';
    json_t *object = json_pack("{s:{s:i}}", "metadata", "generation", 1);
    struct merge_voice voice = {.appliance = "a", .refusal = text};
    struct merge_question q = {.shape = MERGE_GATEWAY,
                               .object = object,
                               .controller_name = OURS,
                               .now = NOW,
                               .voices = &voice,
                               .n_voices = 1,
                               .is_ours = is_ours};
    json_t *status = merge_status(&q);
    const json_t *first = json_array_get(json_object_get(status, "conditions"), 0);
    size_t n = strlen(text_at(first, "message"));
    CHECK(n > 4000 && n <= 4096 && n % 3 == 0);
    json_decref(status);
    json_decref(object);
}

UNIT_MAIN("controller/merge", T(each_case_comes_to_what_it_says),
          T(a_route_has_at_most_as_many_parents_as_the_crd_takes),
          T(a_long_refusal_is_cut_where_a_character_ends))
