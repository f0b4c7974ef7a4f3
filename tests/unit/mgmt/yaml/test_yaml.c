/* SPDX-License-Identifier: Apache-2.0 */
/* YAML in and out: values, refusals with their place, and bounds. */
#include "unit.h"
#include "yaml/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *load(const char *text)
{
    struct yaml_error error;
    json_t *documents = NULL;
    REQUIRE(yaml_load(text, strlen(text), &documents, &error) == 0);
    return documents;
}

static void check_value(const char *yaml, const char *json)
{
    json_t *documents = load(yaml);
    char *text = json_dumps(json_array_get(documents, 0), JSON_COMPACT | JSON_ENCODE_ANY);
    CHECK_STR(text, json);
    free(text);
    json_decref(documents);
}

TEST(core_schema_decides_types)
{
    check_value("a: 1\nb: -2\nc: 0x10\nd: 0o17\ne: 1.5\n",
                "{\"a\":1,\"b\":-2,\"c\":16,\"d\":15,\"e\":1.5}");
    check_value("a: true\nb: yes\nc: \"true\"\nd: null\ne: ~\nf:\n",
                "{\"a\":true,\"b\":\"yes\",\"c\":\"true\",\"d\":null,\"e\":null,\"f\":null}");
    check_value("- 1.2.3\n- 99999999999999999999\n- 'x'\n- 1e3\n- +\n",
                "[\"1.2.3\",1e20,\"x\",1000.0,\"+\"]");
}

TEST(documents_are_separated_and_empty_ones_skipped)
{
    json_t *documents = load("---\na: 1\n---\n---\n# nothing\n---\nb: 2\n");
    CHECK_EQ(json_array_size(documents), 2);
    json_decref(documents);
    documents = load("");
    CHECK_EQ(json_array_size(documents), 0);
    json_decref(documents);
}

static void check_refused(const char *text, size_t line, const char *part)
{
    struct yaml_error error = {0};
    json_t *documents = NULL;
    CHECK_EQ(yaml_load(text, strlen(text), &documents, &error), -EINVAL);
    CHECK(documents == NULL);
    CHECK_EQ(error.line, line);
    CHECK(strstr(error.text, part) != NULL);
}

TEST(refusals_name_the_place)
{
    check_refused("a: 1\nb: 2\na: 3\n", 3, "duplicate key \"a\"");
    check_refused("a: 1\n? [x]\n: 2\n", 2, "key must be a string");
    check_refused("a: !thing 1\n", 1, "tags");
    check_refused("a: [1, 2\nb: 3\n", 2, "");
    check_refused("a: &x [*x]\n", 1, "deep");
}

TEST(nesting_and_aliases_are_bounded)
{
    char deep[300] = {0};
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    check_refused(deep, 1, "deep");
    /* 10 to the power of 9 values out of nine lines. */
    char laughs[2000] = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
    for (int i = 1; i < 9; i++) {
        size_t len = strlen(laughs);
        len += (size_t)snprintf(laughs + len, sizeof(laughs) - len, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++)
            len +=
                (size_t)snprintf(laughs + len, sizeof(laughs) - len, "%s*a%d", j ? "," : "", i - 1);
        snprintf(laughs + len, sizeof(laughs) - len, "]\n");
    }
    struct yaml_error error;
    json_t *documents = NULL;
    CHECK_EQ(yaml_load(laughs, strlen(laughs), &documents, &error), -EINVAL);
    CHECK(strstr(error.text, "too many") != NULL);
}

TEST(what_is_dumped_reads_back_the_same)
{
    static const char json[] =
        "{\"a\":\"1\",\"b\":\"true\",\"c\":\"\",\"d\":\"x: y\",\"e\":[],\"f\":{},\"g\":[1,-2,0.1],"
        "\"h\":\"two\\nlines\\n\",\"i\":null,\"j\":\"- x\",\"k\":\"#c\",\"l\":\"\\u00e9 "
        "\",\"m\":false}";
    json_t *value = json_loads(json, 0, NULL);
    char *text = yaml_dump(value);
    json_t *documents = load(text);
    CHECK(json_equal(json_array_get(documents, 0), value));
    json_decref(documents);
    json_decref(value);
    free(text);
}

TEST(every_prefix_of_a_manifest_is_accepted_or_refused)
{
    unsigned outcomes = 0;
    static const char text[] = "a: {b: [1, \"x\\u0041\", 'y'], c: &k |\n  t\n}\n--- \nd: *k\n";
    for (size_t n = 0; n < sizeof(text); n++) {
        char *exact = malloc(n ? n : 1); /* so that a read past the end is seen by ASan */
        memcpy(exact, text, n);
        json_t *documents = NULL;
        struct yaml_error error;
        int result = yaml_load(exact, n, &documents, &error);
        CHECK(result == 0 || (result == -EINVAL && error.text[0] != '\0'));
        CHECK_EQ(result == 0, documents != NULL);
        outcomes |= result == 0 ? 1u : 2u;
        json_decref(documents);
        free(exact);
    }
    CHECK_EQ(outcomes, 3);
}

UNIT_MAIN("mgmt/yaml", T(core_schema_decides_types),
          T(documents_are_separated_and_empty_ones_skipped), T(refusals_name_the_place),
          T(nesting_and_aliases_are_bounded), T(what_is_dumped_reads_back_the_same),
          T(every_prefix_of_a_manifest_is_accepted_or_refused))
