/* SPDX-License-Identifier: Apache-2.0 */
/* Merge patch and JSON patch, with their RFCs' own examples. */
#include "test_api.h"

#include "api/api_priv.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>

static json_t *json(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    REQUIRE(value != NULL);
    return value;
}

static void check_same(json_t *got, const char *wanted)
{
    json_t *w = json(wanted);
    char *text = json_dumps(got, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!json_equal(got, w))
        CHECK_STR(text, wanted);
    free(text);
    json_decref(w);
}

/* RFC 7386, appendix A, those whose patch is an object and whose target is one, too. */
void merge_patch_does_the_examples_of_its_rfc(void)
{
    static const char *const rows[][3] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
        {"{\"a\":\"b\"}", "{\"a\":{\"x\":{\"y\":1},\"z\":2},\"q\":3}",
         "{\"a\":{\"x\":{\"y\":1},\"z\":2},\"q\":3}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *target = json(rows[i][0]);
        json_t *patch = json(rows[i][1]);
        CHECK_EQ(patch_merge(target, patch), 0);
        check_same(target, rows[i][2]);
        json_decref(target);
        json_decref(patch);
    }
}

void merge_patch_as_deep_as_a_body_may_be(void)
{
    json_t *patch = json_pack("{s:i}", "end", 1);
    for (unsigned i = 1; i < API_DEPTH_MAX; i++)
        patch = json_pack("{s:o}", "k", patch);
    json_t *target = json_object();
    CHECK_EQ(patch_merge(target, patch), 0);
    CHECK(json_equal(target, patch));
    json_decref(target);
    json_decref(patch);
}

void json_patch_does_each_operation(void)
{
    static const char *const rows[][3] = {
        {"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]",
         "{\"baz\":\"qux\",\"foo\":\"bar\"}"},
        {"{\"foo\":[\"bar\",\"baz\"]}", "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"qux\"}]",
         "{\"foo\":[\"bar\",\"qux\",\"baz\"]}"},
        {"{\"foo\":[\"bar\"]}", "[{\"op\":\"add\",\"path\":\"/foo/-\",\"value\":[\"x\"]}]",
         "{\"foo\":[\"bar\",[\"x\"]]}"},
        {"{\"foo\":[\"bar\",\"qux\",\"baz\"]}", "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]",
         "{\"foo\":[\"bar\",\"baz\"]}"},
        {"{\"foo\":[1,2,3]}", "[{\"op\":\"replace\",\"path\":\"/foo/0\",\"value\":9}]",
         "{\"foo\":[9,2,3]}"},
        {"{\"foo\":{\"bar\":\"baz\",\"waldo\":\"fred\"},\"qux\":{}}",
         "[{\"op\":\"move\",\"from\":\"/foo/waldo\",\"path\":\"/qux/thud\"}]",
         "{\"foo\":{\"bar\":\"baz\"},\"qux\":{\"thud\":\"fred\"}}"},
        {"{\"foo\":[\"all\",\"grass\",\"cows\",\"eat\"]}",
         "[{\"op\":\"move\",\"from\":\"/foo/1\",\"path\":\"/foo/3\"}]",
         "{\"foo\":[\"all\",\"cows\",\"eat\",\"grass\"]}"},
        {"{\"/\":9,\"~1\":10}",
         "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":10},"
         "{\"op\":\"remove\",\"path\":\"/~1\"}]",
         "{\"~1\":10}"},
        {"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"\",\"value\":{\"b\":2}}]", "{\"b\":2}"},
        {"{\"\":1}", "[{\"op\":\"replace\",\"path\":\"/\",\"value\":2}]", "{\"\":2}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *target = json(rows[i][0]);
        json_t *patch = json(rows[i][1]);
        json_t *result = NULL;
        const char *error = "";
        CHECK_EQ(patch_json(target, patch, &result, &error), 0);
        check_same(result, rows[i][2]);
        check_same(target, rows[i][0]);
        json_decref(target);
        json_decref(patch);
        json_decref(result);
    }
}

void json_patch_refuses_what_does_not_apply(void)
{
    static const char *const patches[] = {
        "[{\"op\":\"test\",\"path\":\"/a\",\"value\":\"1\"}]",
        "[{\"op\":\"add\",\"path\":\"/a/b\",\"value\":1}]",
        "[{\"op\":\"add\",\"path\":\"/l/3\",\"value\":1}]",
        "[{\"op\":\"add\",\"path\":\"/l/01\",\"value\":1}]",
        "[{\"op\":\"add\",\"path\":\"/l/-1\",\"value\":1}]",
        "[{\"op\":\"add\",\"path\":\"a\",\"value\":1}]",
        "[{\"op\":\"add\",\"path\":\"/a~2\",\"value\":1}]",
        "[{\"op\":\"add\",\"path\":\"/x\"}]",
        "[{\"op\":\"remove\",\"path\":\"/l/-\"}]",
        "[{\"op\":\"remove\",\"path\":\"\"}]",
        "[{\"op\":\"replace\",\"path\":\"/x\",\"value\":1}]",
        "[{\"op\":\"copy\",\"path\":\"/x\"}]",
        "[{\"op\":\"move\",\"from\":\"\",\"path\":\"/x\"}]",
        "[{\"path\":\"/x\",\"value\":1}]",
        "[7]",
    };
    json_t *target = json("{\"a\":1,\"l\":[1,2]}");
    for (size_t i = 0; i < sizeof(patches) / sizeof(patches[0]); i++) {
        json_t *patch = json(patches[i]);
        json_t *result = NULL;
        const char *error = NULL;
        CHECK_EQ(patch_json(target, patch, &result, &error), -EINVAL);
        CHECK(error != NULL && result == NULL);
        json_decref(patch);
    }
    check_same(target, "{\"a\":1,\"l\":[1,2]}");
    json_decref(target);
}

void strategic_merge_knows_lists_with_keys(void)
{
    static const char *const rows[][3] = {
        {"{\"ports\":[{\"port\":80,\"name\":\"a\"},{\"port\":81}]}",
         "{\"$setElementOrder/ports\":[{\"port\":82}],\"ports\":[{\"port\":82},"
         "{\"port\":81,\"$patch\":\"delete\"},{\"port\":80,\"name\":\"b\"}]}",
         "{\"ports\":[{\"port\":80,\"name\":\"b\"},{\"port\":82}]}"},
        {"{\"finalizers\":[\"a\",\"b\"]}", "{\"finalizers\":[\"b\",\"c\"]}",
         "{\"finalizers\":[\"a\",\"b\",\"c\"]}"},
        {"{\"finalizers\":[\"a\",\"b\"]}",
         "{\"$deleteFromPrimitiveList/finalizers\":[\"a\",\"x\"]}", "{\"finalizers\":[\"b\"]}"},
        {"{\"a\":{\"x\":1,\"y\":2}}", "{\"a\":{\"x\":null,\"z\":3}}", "{\"a\":{\"y\":2,\"z\":3}}"},
        {"{\"a\":{\"x\":1}}", "{\"a\":{\"$patch\":\"replace\",\"z\":3}}", "{\"a\":{\"z\":3}}"},
        {"{\"a\":{\"x\":1}}", "{\"a\":{\"$patch\":\"delete\"}}", "{}"},
        {"{\"l\":[1,2]}", "{\"l\":[3]}", "{\"l\":[3]}"},
        {"{}", "{\"ports\":[{\"port\":1,\"$patch\":\"delete\"}]}", "{\"ports\":[]}"},
        {"{\"ports\":[{\"port\":1}]}",
         "{\"ports\":[{\"port\":1,\"x\":1},{\"port\":1,\"$patch\":\"delete\"}]}", "{\"ports\":[]}"},
        {"{\"ports\":7}", "{\"ports\":[5,5]}", "{\"ports\":[5,5]}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *target = json(rows[i][0]);
        json_t *patch = json(rows[i][1]);
        CHECK_EQ(patch_strategic(target, patch), 0);
        check_same(target, rows[i][2]);
        json_decref(target);
        json_decref(patch);
    }
}

void strategic_merge_of_too_many_elements_is_refused(void)
{
    json_t *elements = json_array();
    for (int i = 0; i < (int)API_DEPTH_MAX * 2; i++)
        json_array_append_new(elements, json_pack("{s:i,s:i}", "port", i, "x", 1));
    json_t *target = json_pack("{s:o}", "ports", json_deep_copy(elements));
    json_t *patch = json_pack("{s:o}", "ports", elements);
    CHECK_EQ(patch_strategic(target, patch), -EINVAL);
    json_decref(target);
    json_decref(patch);
}
