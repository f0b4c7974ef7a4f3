/* SPDX-License-Identifier: Apache-2.0 */
/* Attach over time: what one run after another does to plan and statuses. */
#include "test_change.h"

#include "fixture.h"
#include "model/types.h"
#include "scenario.h"

#define T0 "2026-11-23T09:00:00Z"
#define T1 "2026-11-23T09:00:01Z"
#define T2 "2026-11-23T09:00:02Z"

static json_t *member(const json_t *object, const char *key)
{
    return json_object_get(object, key);
}

/* The first parent entry of a route. */
static json_t *parent(struct scenario *s, const char *which)
{
    return json_array_get(member(scenario_status(s, which), "parents"), 0);
}

void a_route_comes_and_goes_with_the_label_of_its_namespace(void)
{
    struct scenario s;
    scenario_open(&s, "overview-2.yaml");
    json_t *labels = member(member(scenario_find(&s, "Namespace hidden"), "metadata"), "labels");
    CHECK(!scenario_plan_has(&s, "route hidden/app on any"));
    json_object_set_new(labels, "expose-apps", json_string("true"));
    CHECK(scenario_plan_has(&s, "route hidden/app on any"));
    scenario_reconcile(&s, true, T0);
    CHECK_STR(scenario_field(parent(&s, "HTTPRoute hidden/app"), "Accepted", "status"), "True");

    json_object_del(labels, "expose-apps");
    CHECK(!scenario_plan_has(&s, "route hidden/app on any"));
    scenario_reconcile(&s, true, T1);
    const json_t *p = parent(&s, "HTTPRoute hidden/app");
    CHECK_STR(scenario_field(p, "Accepted", "reason"), "NotAllowedByListeners");
    CHECK_STR(scenario_field(p, "Accepted", "lastTransitionTime"), T1);
    CHECK_STR(scenario_field(p, "ResolvedRefs", "lastTransitionTime"), T0);
    scenario_close(&s);
}

void programmed_waits_until_every_worker_has_confirmed(void)
{
    struct scenario s;
    scenario_open(&s, "overview-1.yaml");
    static const char gateway[] = "Gateway gateway-api-example-ns1/foo-gateway";
    CHECK(scenario_reconcile(&s, false, T0) > 0);
    CHECK_STR(scenario_field(scenario_status(&s, gateway), "Programmed", "status"), "Unknown");
    CHECK_STR(scenario_field(scenario_status(&s, gateway), "Programmed", "reason"), "Pending");
    const json_t *listener = json_array_get(member(scenario_status(&s, gateway), "listeners"), 0);
    CHECK_STR(scenario_field(listener, "Programmed", "status"), "Unknown");
    CHECK_EQ(scenario_reconcile(&s, false, T1), 0);

    CHECK_EQ(scenario_reconcile(&s, true, T2), 1);
    CHECK_STR(scenario_field(scenario_status(&s, gateway), "Programmed", "status"), "True");
    CHECK_STR(scenario_field(scenario_status(&s, gateway), "Programmed", "lastTransitionTime"), T2);
    CHECK_STR(scenario_field(scenario_status(&s, gateway), "Accepted", "lastTransitionTime"), T0);
    scenario_close(&s);
}

void every_condition_carries_the_generation_that_was_seen(void)
{
    struct scenario s;
    scenario_open(&s, "overview-1.yaml");
    static const char route[] = "HTTPRoute gateway-api-example-ns2/my-route";
    json_object_set_new(member(scenario_find(&s, route), "metadata"), "generation",
                        json_integer(7));
    scenario_reconcile(&s, true, T0);
    const json_t *accepted = scenario_condition(parent(&s, route), "Accepted");
    CHECK_EQ(json_integer_value(member(accepted, "observedGeneration")), 7);
    json_object_set_new(member(scenario_find(&s, route), "metadata"), "generation",
                        json_integer(8));
    CHECK_EQ(scenario_reconcile(&s, true, T1), 1);
    accepted = scenario_condition(parent(&s, route), "Accepted");
    CHECK_EQ(json_integer_value(member(accepted, "observedGeneration")), 8);
    CHECK_STR(scenario_field(parent(&s, route), "Accepted", "lastTransitionTime"), T0);
    scenario_close(&s);
}

void what_other_controllers_wrote_is_kept(void)
{
    struct scenario s;
    scenario_open(&s, "overview-1.yaml");
    static const char route[] = "HTTPRoute gateway-api-example-ns2/my-route";
    json_t *theirs = json_pack("{s:{s:s}, s:s, s:[{s:s, s:s}]}", "parentRef", "name", "their-gw",
                               "controllerName", "example.com/theirs", "conditions", "type",
                               "Accepted", "status", "True");
    json_t *stale = json_pack("{s:{s:s}, s:s, s:[]}", "parentRef", "name", "left-long-ago",
                              "controllerName", ATTACH_CONTROLLER_NAME, "conditions");
    json_object_set_new(scenario_find(&s, route), "status",
                        json_pack("{s:[O, o]}", "parents", theirs, stale));
    scenario_reconcile(&s, true, T0);
    const json_t *parents = member(scenario_status(&s, route), "parents");
    CHECK_EQ(json_array_size(parents), 2);
    CHECK(json_equal(json_array_get(parents, 0), theirs));
    CHECK_STR(scenario_field(json_array_get(parents, 1), "Accepted", "status"), "True");
    json_decref(theirs);

    /* A condition of another's type on our Gateway. */
    static const char gateway[] = "Gateway gateway-api-example-ns1/foo-gateway";
    json_t *foreign = json_pack("{s:s, s:s}", "type", "example.com/Audited", "status", "True");
    json_array_insert(member(scenario_status(&s, gateway), "conditions"), 0, foreign);
    json_object_set_new(member(scenario_find(&s, gateway), "metadata"), "generation",
                        json_integer(2));
    scenario_reconcile(&s, true, T1);
    CHECK(
        json_equal(json_array_get(member(scenario_status(&s, gateway), "conditions"), 0), foreign));
    json_decref(foreign);
    scenario_close(&s);
}

void a_route_that_leaves_us_loses_our_entry(void)
{
    struct scenario s;
    scenario_open(&s, "overview-1.yaml");
    static const char route[] = "HTTPRoute gateway-api-example-ns2/my-route";
    scenario_reconcile(&s, true, T0);
    CHECK_EQ(json_array_size(member(scenario_status(&s, route), "parents")), 1);
    fixture_set_new(scenario_find(&s, route), "spec.parentRefs[0].name", json_string("elsewhere"));
    scenario_reconcile(&s, true, T1);
    CHECK_EQ(json_array_size(member(scenario_status(&s, route), "parents")), 0);
    CHECK_EQ(scenario_reconcile(&s, true, T2), 0);
    scenario_close(&s);
}

void a_gateway_keeps_its_address_when_an_older_one_comes(void)
{
    struct scenario s;
    scenario_open(&s, "teams.yaml");
    scenario_reconcile(&s, true, T0);
    CHECK(scenario_plan_has(&s, "gateway infra/shared-gw 192.0.2.16\n"));
    json_t *older = json_deep_copy(scenario_find(&s, "Gateway infra/second-gw"));
    fixture_set_new(older, "metadata.name", json_string("oldest-gw"));
    fixture_set_new(older, "metadata.creationTimestamp", json_string("2026-01-01T00:00:00Z"));
    json_object_del(older, "status");
    scenario_add(&s, older);
    json_decref(older);
    CHECK(scenario_plan_has(&s, "gateway infra/oldest-gw 192.0.2.19\n"));
    CHECK(scenario_plan_has(&s, "gateway infra/shared-gw 192.0.2.16\n"));
    CHECK(scenario_plan_has(&s, "gateway infra/second-gw 192.0.2.17\n"));
    scenario_close(&s);
}

void nobody_takes_an_address_that_another_gateway_has(void)
{
    struct scenario s;
    scenario_open(&s, "teams.yaml");
    scenario_reconcile(&s, true, T0);
    json_t *thief = json_deep_copy(scenario_find(&s, "Gateway infra/second-gw"));
    fixture_set_new(thief, "metadata.name", json_string("thief"));
    fixture_set_new(thief, "metadata.creationTimestamp", json_string("2026-01-01T00:00:00Z"));
    fixture_set_new(thief, "spec.addresses", json_pack("[{s:s}]", "value", "192.0.2.16"));
    json_object_del(thief, "status");
    scenario_add(&s, thief);
    json_decref(thief);
    scenario_reconcile(&s, true, T1);
    CHECK(scenario_plan_has(&s, "gateway infra/shared-gw 192.0.2.16\n"));
    CHECK(scenario_plan_has(&s, "gateway infra/thief\n"));
    CHECK_STR(scenario_field(scenario_status(&s, "Gateway infra/thief"), "Programmed", "message"),
              "spec.addresses[0]: 192.0.2.16 cannot be used: it was given to Gateway "
              "infra/shared-gw");
    scenario_close(&s);

    /* Also not an older one that asks later than a younger one. */
    scenario_open(&s, "addresses.yaml");
    scenario_reconcile(&s, true, T0);
    json_t *older = json_deep_copy(scenario_find(&s, "Gateway ns/g1-asks"));
    fixture_set_new(older, "metadata.name", json_string("g0"));
    fixture_set_new(older, "metadata.creationTimestamp", json_string("2026-01-01T00:00:00Z"));
    json_object_del(older, "status");
    scenario_add(&s, older);
    json_decref(older);
    CHECK(scenario_plan_has(&s, "gateway ns/g1-asks 192.0.2.5\n"));
    CHECK(scenario_plan_has(&s, "gateway ns/g0\n"));
    scenario_close(&s);
}

void a_gateway_gives_its_address_up_when_the_pool_no_longer_has_it(void)
{
    struct scenario s;
    scenario_open(&s, "overview-1.yaml");
    scenario_reconcile(&s, true, T0);
    fixture_set_new(scenario_find(&s, "AddressPool public"), "spec.addresses[0]",
                    json_string("192.0.2.100"));
    CHECK(scenario_plan_has(&s, "foo-gateway 192.0.2.100\n"));
    scenario_close(&s);
}

/* Collects what is asked for the class's finalizer. */
static int note_finalizer(void *arg, const struct attach_status *status)
{
    if (status->type == model_type(MODEL_GATEWAY_CLASS)) {
        *(enum attach_finalizer *)arg = status->finalizer;
    }
    return 0;
}

static enum attach_finalizer wanted_finalizer(struct scenario *s)
{
    struct attach *a = NULL;
    struct attach_input in = {.source = &s->source};
    REQUIRE(attach_run(&in, &a) == 0);
    struct attach_status_input status = {.source = &s->source, .now = T0};
    enum attach_finalizer finalizer = ATTACH_FINALIZER_KEEP;
    attach_status_foreach(a, &status, note_finalizer, &finalizer);
    attach_free(a);
    return finalizer;
}

void a_class_has_the_finalizer_while_gateways_use_it(void)
{
    struct scenario s;
    scenario_open(&s, "overview-1.yaml");
    json_t *class = scenario_find(&s, "GatewayClass foo-lb");
    CHECK_EQ(wanted_finalizer(&s), ATTACH_FINALIZER_ADD);
    json_object_set_new(member(class, "metadata"), "finalizers",
                        json_pack("[s]", ATTACH_CLASS_FINALIZER));
    CHECK_EQ(wanted_finalizer(&s), ATTACH_FINALIZER_KEEP);
    json_object_set_new(member(class, "metadata"), "deletionTimestamp", json_string(T0));
    CHECK_EQ(wanted_finalizer(&s), ATTACH_FINALIZER_KEEP);
    CHECK(scenario_plan_has(&s, "listener prod-web HTTP 80 any served"));
    fixture_set_new(scenario_find(&s, "Gateway gateway-api-example-ns1/foo-gateway"),
                    "spec.gatewayClassName", json_string("another"));
    CHECK_EQ(wanted_finalizer(&s), ATTACH_FINALIZER_REMOVE);
    json_object_del(member(class, "metadata"), "finalizers");
    CHECK_EQ(wanted_finalizer(&s), ATTACH_FINALIZER_KEEP);
    scenario_close(&s);
}

void features_are_told_in_alphabetical_order(void)
{
    struct scenario s;
    scenario_open(&s, "overview-1.yaml");
    scenario_reconcile(&s, true, T0);
    const json_t *features =
        member(scenario_status(&s, "GatewayClass foo-lb"), "supportedFeatures");
    CHECK(json_array_size(features) > 10);
    for (size_t i = 1; i < json_array_size(features); i++) {
        CHECK(strcmp(json_string_value(member(json_array_get(features, i - 1), "name")),
                     json_string_value(member(json_array_get(features, i), "name"))) < 0);
    }
    scenario_close(&s);
}

void the_order_of_the_objects_does_not_matter(void)
{
    static const char *const files[] = {"teams.yaml", "backends.yaml",      "addresses.yaml",
                                        "rules.yaml", "listeners.yaml",     "policies.yaml",
                                        "sets.yaml",  "sets-addresses.yaml"};
    for (size_t f = 0; f < sizeof(files) / sizeof(files[0]); f++) {
        struct scenario s;
        scenario_open(&s, files[f]);
        char *forward = scenario_plan(&s);
        json_t *reversed = json_array();
        for (size_t i = json_array_size(s.objects); i-- > 0;) {
            json_array_append(reversed, json_array_get(s.objects, i));
        }
        json_decref(s.objects);
        s.objects = reversed;
        char *backward = scenario_plan(&s);
        CHECK_STR(backward, forward);
        free(forward);
        free(backward);
        scenario_close(&s);
    }
}

void an_object_that_is_being_deleted_serves_no_more(void)
{
    struct scenario s;
    scenario_open(&s, "teams.yaml");
    json_object_set_new(member(scenario_find(&s, "HTTPRoute b/app"), "metadata"),
                        "deletionTimestamp", json_string(T0));
    CHECK(!scenario_plan_has(&s, "route b/app"));
    CHECK(scenario_plan_has(&s, "route a/app"));
    json_object_set_new(member(scenario_find(&s, "Gateway infra/shared-gw"), "metadata"),
                        "deletionTimestamp", json_string(T0));
    CHECK(!scenario_plan_has(&s, "gateway infra/shared-gw"));
    scenario_close(&s);
}

void a_route_loses_its_grant_and_gets_it_back(void)
{
    struct scenario s;
    scenario_open(&s, "backends.yaml");
    json_t *grant = scenario_find(&s, "ReferenceGrant shared/open");
    CHECK(scenario_plan_has(&s, "group shared/open:80\n"));
    fixture_set_new(grant, "spec.from[0].namespace", json_string("another"));
    CHECK(!scenario_plan_has(&s, "group shared/open:80\n"));
    scenario_reconcile(&s, true, T0);
    const json_t *p = parent(&s, "HTTPRoute ns/r5-granted");
    CHECK_STR(scenario_field(p, "ResolvedRefs", "reason"), "RefNotPermitted");
    CHECK_STR(scenario_field(p, "ResolvedRefs", "message"),
              "rules[0].backendRefs[0]: no ReferenceGrant in shared lets HTTPRoutes of ns use "
              "Service open");
    fixture_set_new(grant, "spec.from[0].namespace", json_string("ns"));
    CHECK(scenario_plan_has(&s, "group shared/open:80\n"));
    scenario_close(&s);
}

void a_rule_follows_its_rate_limit(void)
{
    struct scenario s;
    scenario_open(&s, "limits.yaml");
    scenario_reconcile(&s, true, T0);
    CHECK_STR(scenario_field(parent(&s, "HTTPRoute ns/b-missing"), "ResolvedRefs", "message"),
              "rules[0].filters[0].extensionRef: RateLimit ns/gone does not exist, requests are "
              "answered 500");
    CHECK_STR(scenario_field(parent(&s, "HTTPRoute ns/c-unknown"), "ResolvedRefs", "message"),
              "rules[0].filters[0].extensionRef: kind Ratelimit of group \"sluice.internal\" is no "
              "filter that is supported, RateLimit and AccessPolicy of sluice.internal are");
    json_t *limit = scenario_find(&s, "RateLimit ns/all");
    fixture_set_new(limit, "spec.requests", json_integer(5));
    CHECK(scenario_plan_has(&s, "limit ns/all 5 in 1000 ms burst 5 for the route\n"));
    fixture_set_new(limit, "metadata.name", json_string("gone"));
    scenario_reconcile(&s, true, T1);
    CHECK_STR(scenario_field(parent(&s, "HTTPRoute ns/a-good"), "ResolvedRefs", "reason"),
              "BackendNotFound");
    CHECK(!scenario_plan_has(&s, "rule 1 -\n    match prefix /moved\n"));
    CHECK(scenario_plan_has(&s, "match prefix /gone\n    limit ns/gone 5 in"));
    scenario_close(&s);
}

void passwords_are_told_of_by_the_line_and_never_shown(void)
{
    struct scenario s;
    scenario_open(&s, "access.yaml");
    scenario_reconcile(&s, true, T0);
    json_t *route = parent(&s, "HTTPRoute ns/c-basic");
    CHECK_STR(scenario_field(route, "ResolvedRefs", "message"),
              "rules[5].filters[0].extensionRef: AccessPolicy ns/lost has spec.basic.secretRef: "
              "Secret ns/nowhere does not exist, requests are answered 500");
    const char *dropped = scenario_field(route, "PartiallyInvalid", "message");
    CHECK(strstr(dropped, "rules[1]: filters[0]: AccessPolicy ns/weak has spec.basic.secretRef: "
                          "Secret ns/weak line 2 of .htpasswd has no bcrypt, SHA-256, SHA-512 or "
                          "yescrypt hash within the limits of cost") != NULL);
    CHECK(strstr(dropped, "two lines of .htpasswd have the same name") != NULL);
    CHECK(strstr(dropped, "line 3 of .htpasswd has no colon") != NULL);
    CHECK(strstr(dropped, "5en6G6") == NULL && strstr(dropped, "eve") == NULL);
    CHECK(!scenario_plan_has(&s, "$2b$") && !scenario_plan_has(&s, "$6$"));
    scenario_close(&s);
}

void keys_that_cannot_be_used_are_told_of_by_their_place(void)
{
    struct scenario s;
    scenario_open(&s, "tokens.yaml");
    scenario_reconcile(&s, true, T0);
    json_t *route = parent(&s, "HTTPRoute ns/tokens");
    CHECK_STR(scenario_field(route, "ResolvedRefs", "message"),
              "rules[6].filters[0].extensionRef: AccessPolicy ns/lost has "
              "spec.jwt.jwks.configMapRef: ConfigMap ns/nowhere does not exist, requests are "
              "answered 500");
    const char *dropped = scenario_field(route, "PartiallyInvalid", "message");
    CHECK(strstr(dropped, "rules[2]: filters[0]: AccessPolicy ns/index has "
                          "spec.jwt.jwks.configMapRef: ConfigMap ns/other keys[1] has private "
                          "parts") != NULL);
    CHECK(strstr(dropped, "keys[1] has the kid of another") != NULL);
    CHECK(strstr(dropped, "ConfigMap ns/garbage is no JSON (line 1)") != NULL);
    CHECK(strstr(dropped, "ConfigMap ns/no-keys has no keys") != NULL);
    json_t *map = scenario_find(&s, "ConfigMap ns/keys");
    fixture_set_new(map, "metadata.name", json_string("nowhere"));
    scenario_reconcile(&s, true, T1);
    CHECK(scenario_plan_has(&s, "access ns/lost jwt \"restricted\" issuer https://issuer key one"));
    CHECK(!scenario_plan_has(&s, "access ns/good"));
    scenario_close(&s);
}

void messages_say_what_to_do(void)
{
    struct scenario s;
    scenario_open(&s, "rules.yaml");
    scenario_reconcile(&s, true, T0);
    CHECK_STR(scenario_field(parent(&s, "HTTPRoute ns/wholly"), "Accepted", "message"),
              "no rule can be carried out, requests are answered 500: rules[0]: filters[0]: kind "
              "Guard of group \"example.com\" is no filter that is supported, RateLimit and "
              "AccessPolicy of sluice.internal are");
    const char *dropped =
        scenario_field(parent(&s, "HTTPRoute ns/partly"), "PartiallyInvalid", "message");
    CHECK(strncmp(dropped, "Dropped Rule", strlen("Dropped Rule")) == 0);
    CHECK(strstr(dropped, "rules[1]: matches[0]: RegularExpression \"/(?<=r).*\": nobody looks "
                          "behind") != NULL);
    CHECK(strstr(dropped, "rules[8]: retry.attempts of more than 100 are not supported") != NULL);
    CHECK(strstr(dropped, "rules[11]: sessionPersistence.sessionName \"__Host-sid\" cannot be the "
                          "name of a cookie without TLS") != NULL);
    CHECK(strstr(dropped, "rules[12]: sessionPersistence.sessionName \"Content-Length\" cannot be "
                          "the name of a session's header") != NULL);
    CHECK(strstr(dropped, "rules[14]: sessionPersistence.absoluteTimeout has to be more than "
                          "zero") != NULL);
    scenario_close(&s);
    scenario_open(&s, "addresses.yaml");
    scenario_reconcile(&s, true, T0);
    CHECK_STR(
        scenario_field(scenario_status(&s, "Gateway ns/g3-collides"), "Programmed", "message"),
        "spec.addresses[0]: 192.0.2.5 cannot be used: Gateway ns/g1-asks has it, and their "
        "listeners cannot be told apart");
    scenario_close(&s);
}
