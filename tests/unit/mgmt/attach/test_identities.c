/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates that one run hands on to the next: what is read when, and that the plan is the same
 * as without. */
#include "attach/attach.h"
#include "attach/identity_cache.h"
#include "scenario.h"
#include "test_change.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { SECRETS = 3 }; /* that listeners.yaml's references lead to */

static bool any_pattern(void *arg, const char *pattern, const char **ret_why)
{
    return true;
}

/* One run that may read so many; NULL: there were more. The one before it goes. */
static struct attach *run(struct scenario *s, struct identity_cache *c, unsigned reads,
                          struct attach *before)
{
    struct attach *a;
    struct attach_input in = {.source = &s->source, .is_pattern = any_pattern, .identities = c};
    identity_cache_allow(c, reads);
    int result = attach_run(&in, &a);
    CHECK(result == 0 || result == -EAGAIN);
    if (result != 0)
        return NULL;
    attach_free(before);
    identity_cache_trim(c);
    return a;
}

static void check_plan(const struct attach *a, struct scenario *s)
{
    char *text = NULL, *wanted = scenario_plan(s);
    size_t len;
    FILE *out = open_memstream(&text, &len);
    plan_dump(attach_plan(a), out);
    fclose(out);
    CHECK_STR(text, wanted);
    free(text);
    free(wanted);
}

/* Another object with the same in it, as a store has after a replacement. */
static void replace(struct scenario *s, const char *which)
{
    json_t *old = scenario_find(s, which);
    size_t i;
    json_t *object;
    json_array_foreach(s->objects, i, object)
    {
        if (object == old) {
            json_array_set_new(s->objects, i, json_deep_copy(object));
            return;
        }
    }
}

void certificates_are_read_once_and_few_in_one_run(void)
{
    struct scenario s;
    scenario_open(&s, "listeners.yaml");
    struct identity_cache *c = identity_cache_new();
    struct attach *a = run(&s, c, 0, NULL);
    CHECK(a == NULL);
    for (unsigned i = 0; i < SECRETS - 1; i++)
        CHECK(run(&s, c, 1, NULL) == NULL);
    a = run(&s, c, 1, NULL);
    REQUIRE(a != NULL);
    check_plan(a, &s);
    a = run(&s, c, 0, a);
    REQUIRE(a != NULL);
    a = run(&s, c, 0, a); /* the bad one is known, too */
    REQUIRE(a != NULL);
    check_plan(a, &s);
    attach_free(a);
    identity_cache_free(c);
    scenario_close(&s);
}

void a_certificate_that_changed_is_read_alone(void)
{
    struct scenario s;
    scenario_open(&s, "listeners.yaml");
    struct identity_cache *c = identity_cache_new();
    struct attach *a = run(&s, c, SECRETS, NULL);
    REQUIRE(a != NULL);
    replace(&s, "Secret certs/good");
    CHECK(run(&s, c, 0, NULL) == NULL);
    check_plan(a, &s); /* of before, which still has all that it needs */
    a = run(&s, c, 1, a);
    REQUIRE(a != NULL);
    check_plan(a, &s);
    attach_free(a);
    identity_cache_free(c);
    scenario_close(&s);
}

void a_certificate_that_nobody_asks_for_is_forgotten(void)
{
    struct scenario s;
    scenario_open(&s, "listeners.yaml");
    struct identity_cache *c = identity_cache_new();
    struct attach *a = run(&s, c, SECRETS, NULL);
    REQUIRE(a != NULL);
    json_t *secret = scenario_find(&s, "Secret certs/good");
    identity_cache_trim(c); /* as after a run without any */
    identity_cache_allow(c, 0);
    attach_free(a);
    CHECK(identity_cache_read(c, secret) == NULL);
    identity_cache_free(c);
    scenario_close(&s);
}
