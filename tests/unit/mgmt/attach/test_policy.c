/* SPDX-License-Identifier: Apache-2.0 */
/* TransportPolicies over time: what comes and goes with them, in the plan and in their statuses. */
#include "test_change.h"

#include "fixture.h"
#include "scenario.h"

#define T0 "2026-11-23T09:00:00Z"
#define T1 "2026-11-23T09:00:01Z"

static json_t *ancestor(struct scenario *s, const char *which, size_t i)
{
    return json_array_get(json_object_get(scenario_status(s, which), "ancestors"), i);
}

static void set(struct scenario *s, const char *which, const char *path, const char *text)
{
    fixture_set_new(scenario_find(s, which), path, json_string(text));
}

void the_next_policy_decides_when_one_goes(void)
{
    struct scenario s;
    scenario_open(&s, "policies.yaml");
    scenario_reconcile(&s, true, T0);
    CHECK(!scenario_plan_has(&s, "congestion BBR on 192.0.2.18\n"));
    set(&s, "TransportPolicy ns/c1-older", "metadata.deletionTimestamp", T0);
    set(&s, "TransportPolicy ns/b1-whole", "metadata.deletionTimestamp", T0);
    set(&s, "TransportPolicy ns/s1-whole", "metadata.deletionTimestamp", T0);
    CHECK(scenario_plan_has(&s, "congestion BBR on 192.0.2.18\n"));
    CHECK(!scenario_plan_has(&s, "congestion BBR on 192.0.2.17\n"));
    CHECK(scenario_plan_has(&s, "group ns/s-parts:80\n"));
    scenario_reconcile(&s, true, T1);
    const json_t *now_first = ancestor(&s, "TransportPolicy ns/c2-younger", 0);
    CHECK_STR(scenario_field(now_first, "Accepted", "reason"), "Accepted");
    CHECK_STR(scenario_field(now_first, "Accepted", "lastTransitionTime"), T1);
    const json_t *no_longer = ancestor(&s, "TransportPolicy ns/c3-agrees", 0);
    CHECK_STR(scenario_field(no_longer, "Accepted", "reason"), "Conflicted");
    scenario_close(&s);
}

void a_policy_follows_its_target(void)
{
    struct scenario s;
    scenario_open(&s, "policies.yaml");
    static const char policy[] = "TransportPolicy ns/a-fast";
    CHECK(scenario_plan_has(&s, "listener fast HTTP 80 any served\n    congestion BBR"));
    set(&s, policy, "spec.targetRefs[0].sectionName", "plain");
    CHECK(scenario_plan_has(&s, "listener fast HTTP 80 any served\n    route"));
    CHECK(scenario_plan_has(&s, "listener plain HTTP 8080 any served\n    congestion BBR"));
    set(&s, "Gateway ns/a-two", "metadata.deletionTimestamp", T0);
    scenario_reconcile(&s, true, T0);
    CHECK_STR(scenario_field(ancestor(&s, policy, 0), "Accepted", "reason"), "TargetNotFound");
    scenario_close(&s);
}

void a_policy_that_leaves_us_loses_our_entry_and_keeps_that_of_others(void)
{
    struct scenario s;
    scenario_open(&s, "policies.yaml");
    static const char policy[] = "TransportPolicy ns/b2-part";
    json_t *theirs = json_pack("{s:{s:s}, s:s, s:[]}", "ancestorRef", "name", "theirs",
                               "controllerName", "example.com/theirs", "conditions");
    json_object_set_new(scenario_find(&s, policy), "status",
                        json_pack("{s:[O]}", "ancestors", theirs));
    json_object_set_new(json_object_get(scenario_find(&s, policy), "metadata"), "generation",
                        json_integer(7));
    scenario_reconcile(&s, true, T0);
    CHECK(json_equal(ancestor(&s, policy, 0), theirs));
    const json_t *accepted = scenario_condition(ancestor(&s, policy, 1), "Accepted");
    CHECK_EQ(json_integer_value(json_object_get(accepted, "observedGeneration")), 7);
    json_t *ref =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "group", "gateway.networking.k8s.io", "kind",
                  "Gateway", "namespace", "ns", "name", "b-parts", "sectionName", "y");
    CHECK(json_equal(json_object_get(ancestor(&s, policy, 1), "ancestorRef"), ref));
    json_decref(ref);

    set(&s, policy, "spec.targetRefs[0].name", "g-theirs");
    scenario_reconcile(&s, true, T1);
    CHECK(json_equal(ancestor(&s, policy, 0), theirs));
    CHECK(ancestor(&s, policy, 1) == NULL);
    json_decref(theirs);
    scenario_close(&s);
}
