/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors, and the list of tests. */
#include "test_api.h"

#include "api/selector.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool selects(const char *text, const json_t *object)
{
    struct selector *s = NULL;
    REQUIRE(selector_parse(text, &s) == 0);
    bool result = selector_matches(s, object);
    selector_free(s);
    return result;
}

TEST(selectors_match_labels)
{
    json_t *o =
        json_pack("{s:{s:{s:s,s:s,s:s}}}", "metadata", "labels", "app", "web", "in", "x", "e", "");
    static const char *const yes[] = {"",
                                      "app",
                                      "app=web",
                                      "app==web",
                                      " app = web ",
                                      "!none",
                                      "none!=web",
                                      "in",
                                      "in=x",
                                      "in in (x)",
                                      "app in (a, web)",
                                      "e=",
                                      "app,in",
                                      "none notin (a)",
                                      "app!=x",
                                      "app notin (a,b),!none,in=x",
                                      "app in(web)"};
    static const char *const no[] = {
        "none",         "!app",  "app=api", "app!=web",    "in in ()", "app notin (web)",
        "app=web,none", "none=", "e=x",     "app in (a,b)"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        CHECK(selects(yes[i], o));
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        CHECK(!selects(no[i], o));
    CHECK(selector_matches(NULL, o));
    json_decref(o);
}

TEST(selectors_that_break_the_grammar_are_refused)
{
    static const char *const bad[] = {"=",     "a in b", "a in (b",    "a,",        ",a",
                                      "a=b c", "a b",    "a!b",        "a in (b))", "!",
                                      "a=b=c", "a>1",    "a in (b;c)", "\x01",      "a,,b"};
    struct selector *s = NULL;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_EQ(selector_parse(bad[i], &s), -EINVAL);
        CHECK(s == NULL);
    }
}

TEST(selectors_have_limits)
{
    char text[4 * SELECTOR_VALUES_MAX + 32] = "";
    struct selector *s = NULL;
    for (unsigned i = 0; i < SELECTOR_TERMS_MAX; i++)
        strcat(text, i > 0 ? ",a" : "a");
    CHECK_EQ(selector_parse(text, &s), 0);
    selector_free(s);
    strcat(text, ",a");
    CHECK_EQ(selector_parse(text, &s), -EINVAL);
    strcpy(text, "a in (");
    for (unsigned i = 0; i <= SELECTOR_VALUES_MAX; i++)
        strcat(text, i > 0 ? ",b" : "b");
    strcat(text, ")");
    CHECK_EQ(selector_parse(text, &s), -EINVAL);
}

UNIT_MAIN("mgmt/api-unit", T(selectors_match_labels),
          T(selectors_that_break_the_grammar_are_refused), T(selectors_have_limits),
          T(merge_patch_does_the_examples_of_its_rfc), T(merge_patch_as_deep_as_a_body_may_be),
          T(json_patch_does_each_operation), T(json_patch_refuses_what_does_not_apply),
          T(strategic_merge_knows_lists_with_keys),
          T(strategic_merge_of_too_many_elements_is_refused), T(each_role_has_just_its_rights),
          T(developer_sees_nothing_without_a_namespace),
          T(status_is_written_by_provider_and_controller_only), T(paths_name_their_targets),
          T(paths_that_are_none_are_not_found), T(methods_that_do_not_fit_are_405),
          T(queries_are_decoded), T(broken_queries_are_refused),
          T(issued_token_verifies_and_others_do_not), T(token_says_its_name),
          T(bootstrap_happens_once_and_keeps_the_file_private), T(last_provider_is_known))
