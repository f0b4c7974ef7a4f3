/* SPDX-License-Identifier: Apache-2.0 */
/* Attach: scenarios from files, and what changes from one run to the next. */
#include "fixture.h"
#include "scenario.h"
#include "test_change.h"

TEST(first_example_of_the_overview_attaches_and_only_that)
{
    scenario_check("overview-1.yaml");
}

TEST(second_example_of_the_overview_takes_in_labelled_namespaces)
{
    scenario_check("overview-2.yaml");
}

TEST(teams_share_a_gateway_and_one_has_its_own)
{
    scenario_check("teams.yaml");
}

TEST(parent_references_select_listeners_by_name_and_port)
{
    scenario_check("parents.yaml");
}

TEST(a_drain_is_of_this_box_or_of_a_neighbour)
{
    scenario_check("drains.yaml");
    scenario_check("drained.yaml");
}

TEST(hostnames_of_listener_and_route_intersect)
{
    scenario_check("hostnames.yaml");
}

TEST(a_route_keeps_its_own_hostname_on_a_narrower_listener)
{
    struct scenario s;
    scenario_open(&s, "hostnames.yaml");
    CHECK(scenario_plan_has(&s, "route ns/r1-exact-exact on very.specific.com\n"));
    CHECK(scenario_plan_has(&s, "route ns/r3-wildcard-over-exact on *.specific.com\n"));
    CHECK(scenario_plan_has(&s, "route ns/r5-any on any\n"));
    scenario_close(&s);
}

TEST(a_wrong_listener_says_why_and_leaves_the_others_alone)
{
    scenario_check("listeners.yaml");
}

TEST(listener_sets_come_behind_their_gateway_by_age)
{
    scenario_check("sets.yaml");
    scenario_check("sets-addresses.yaml");
}

TEST(a_gateway_asks_clients_for_certificates_by_port)
{
    scenario_check("clients.yaml");
}

TEST(backends_are_secured_as_their_policies_say)
{
    scenario_check("backend-tls.yaml");
}

TEST(a_wrong_backend_says_why_and_keeps_its_share)
{
    scenario_check("backends.yaml");
}

TEST(pods_are_reached_by_ways_or_by_their_nodes)
{
    scenario_check("reach.yaml");
}

TEST(calls_are_matched_by_path_and_share_no_host_with_requests)
{
    scenario_check("grpc.yaml");
}

TEST(connections_are_passed_on_by_port_and_by_server_name)
{
    scenario_check("l4.yaml");
}

TEST(routes_attach_to_services_for_all_clients_or_those_of_a_namespace)
{
    scenario_check("services.yaml");
}

TEST(services_are_nobodys_parents_without_a_pool_of_their_addresses)
{
    struct scenario s;
    scenario_open(&s, "services.yaml");
    json_t *pool = scenario_find(&s, "AddressPool cluster");
    json_object_set_new(json_object_get(pool, "spec"), "use", json_string("Gateways"));
    scenario_reconcile(&s, true, "2026-11-23T09:00:00Z");
    CHECK(!scenario_plan_has(&s, "service "));
    CHECK(!scenario_plan_has(&s, "client "));
    CHECK_EQ(
        json_array_size(json_object_get(scenario_status(&s, "HTTPRoute shop/r07-both"), "parents")),
        1);
    const json_t *route = scenario_find(&s, "HTTPRoute shop/r01-all");
    CHECK(json_object_get(json_object_get(route, "status"), "parents") == NULL);
    scenario_close(&s);
}

TEST(datagrams_and_packets_go_on_as_ports_and_policies_say)
{
    scenario_check("udp.yaml");
}

TEST(rules_are_typed_and_never_served_without_a_part)
{
    scenario_check("rules.yaml");
}

TEST(a_match_keeps_its_number_behind_one_that_is_no_pattern)
{
    struct scenario s;
    scenario_open(&s, "rules.yaml");
    CHECK(scenario_plan_has(&s, "rule 1 - UNSUPPORTED\n    match 1 prefix /literal\n"));
    scenario_close(&s);
}

TEST(a_header_that_is_ignored_need_not_be_a_pattern)
{
    struct scenario s;
    scenario_open(&s, "rules.yaml");
    json_t *rules =
        json_object_get(json_object_get(scenario_find(&s, "HTTPRoute ns/full"), "spec"), "rules");
    json_t *match = json_array_get(json_object_get(json_array_get(rules, 0), "matches"), 0);
    json_array_append_new(json_object_get(match, "headers"),
                          json_pack("{s:s,s:s,s:s}", "name", "X-VERSION", "type",
                                    "RegularExpression", "value", "(?<=a)b"));
    CHECK(scenario_plan_has(&s, "match exact /exact/ method POST header x-version=2 query Q=1"));
    CHECK(!scenario_plan_has(&s, "rule 0 matches timeouts 90000 500 UNSUPPORTED"));
    scenario_close(&s);
}

TEST(addresses_are_given_kept_shared_and_refused)
{
    scenario_check("addresses.yaml");
}

TEST(access_policies_are_found_in_the_routes_namespace_and_never_skipped)
{
    scenario_check("access.yaml");
    scenario_check("lists.yaml");
    scenario_check("tokens.yaml");
}

TEST(rate_limits_are_found_in_the_routes_namespace_and_never_skipped)
{
    scenario_check("limits.yaml");
}

TEST(policies_decide_by_section_age_and_name_and_agree_on_each_port)
{
    scenario_check("policies.yaml");
}

TEST(health_policies_decide_of_ports_and_services_and_only_if_they_are_supported)
{
    scenario_check("health.yaml");
}

TEST(who_shares_the_port_of_a_listener_that_requires_a_proxy_header_requires_it_too)
{
    scenario_check("proxied.yaml");
}

TEST(backends_that_are_no_services_are_where_they_say_or_where_dns_says)
{
    scenario_check("backend-kind.yaml");
}

struct told {
    unsigned n;
    unsigned n_endpoints;
};

static void note_group(void *arg, const struct plan_group *group)
{
    struct told *told = arg;
    told->n++;
    told->n_endpoints += group->n_endpoints;
}

static void count_name(void *arg, const char *name, enum resolve_family family)
{
    *(unsigned *)arg += 1;
}

TEST(what_dns_says_changes_endpoints_without_a_run)
{
    struct scenario s;
    struct attach *a;
    struct told told = {0};
    unsigned n_names = 0;
    scenario_open(&s, "backend-kind.yaml");
    struct attach_input in = scenario_input(&s);
    REQUIRE(attach_run(&in, &a) == 0);
    attach_names_foreach(a, count_name, &n_names);
    CHECK_EQ(n_names, 13); /* seven names, one of them of IPv6 alone */
    fixture_set_new(s.expected, "dns",
                    json_pack("{s:{s:{s:s,s:[s,s]}}}", "silent.example.com", "IPv6", "state",
                              "good", "addresses", "2001:db8::a", "2001:db8::b"));
    attach_update_names(a, &in, note_group, &told);
    CHECK_EQ(told.n, 7);
    CHECK_EQ(told.n_endpoints, 4); /* two of these, and two that a status remembers */
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    plan_dump(attach_plan(a), out);
    fclose(out);
    char *anew = scenario_plan(&s);
    CHECK_STR(text, anew);
    free(text);
    free(anew);
    attach_free(a);
    scenario_close(&s);
}

TEST(queries_are_matched_by_name_and_type_on_listeners_of_their_own)
{
    scenario_check("dns.yaml");
}

TEST(classes_of_others_are_left_alone)
{
    scenario_check("classes.yaml");
}

static const struct unit_test tests[] = {
    T(first_example_of_the_overview_attaches_and_only_that),
    T(second_example_of_the_overview_takes_in_labelled_namespaces),
    T(teams_share_a_gateway_and_one_has_its_own),
    T(parent_references_select_listeners_by_name_and_port),
    T(a_drain_is_of_this_box_or_of_a_neighbour),
    T(hostnames_of_listener_and_route_intersect),
    T(a_route_keeps_its_own_hostname_on_a_narrower_listener),
    T(a_gateway_asks_clients_for_certificates_by_port),
    T(a_wrong_listener_says_why_and_leaves_the_others_alone),
    T(listener_sets_come_behind_their_gateway_by_age),
    T(a_listener_set_is_programmed_when_every_worker_has_confirmed),
    T(a_listener_set_leaves_with_the_label_of_its_namespace),
    T(nobody_is_told_what_others_have),
    T(clients_of_a_listener_set_show_what_its_gateway_asks_for),
    T(too_many_listeners_of_a_gateway_are_refused_by_age),
    T(too_many_listeners_of_all_gateways_are_refused_by_age),
    T(too_many_addresses_and_ports_are_refused_by_age),
    T(pods_are_reached_by_ways_or_by_their_nodes),
    T(calls_are_matched_by_path_and_share_no_host_with_requests),
    T(backends_are_secured_as_their_policies_say),
    T(connections_are_passed_on_by_port_and_by_server_name),
    T(routes_attach_to_services_for_all_clients_or_those_of_a_namespace),
    T(services_are_nobodys_parents_without_a_pool_of_their_addresses),
    T(datagrams_and_packets_go_on_as_ports_and_policies_say),
    T(backends_that_are_no_services_are_where_they_say_or_where_dns_says),
    T(what_dns_says_changes_endpoints_without_a_run),
    T(queries_are_matched_by_name_and_type_on_listeners_of_their_own),
    T(a_wrong_backend_says_why_and_keeps_its_share),
    T(rules_are_typed_and_never_served_without_a_part),
    T(a_match_keeps_its_number_behind_one_that_is_no_pattern),
    T(a_header_that_is_ignored_need_not_be_a_pattern),
    T(addresses_are_given_kept_shared_and_refused),
    T(access_policies_are_found_in_the_routes_namespace_and_never_skipped),
    T(rate_limits_are_found_in_the_routes_namespace_and_never_skipped),
    T(policies_decide_by_section_age_and_name_and_agree_on_each_port),
    T(health_policies_decide_of_ports_and_services_and_only_if_they_are_supported),
    T(who_shares_the_port_of_a_listener_that_requires_a_proxy_header_requires_it_too),
    T(classes_of_others_are_left_alone),
    T(a_route_comes_and_goes_with_the_label_of_its_namespace),
    T(programmed_waits_until_every_worker_has_confirmed),
    T(every_condition_carries_the_generation_that_was_seen),
    T(what_other_controllers_wrote_is_kept),
    T(a_route_that_leaves_us_loses_our_entry),
    T(a_gateway_keeps_its_address_when_an_older_one_comes),
    T(nobody_takes_an_address_that_another_gateway_has),
    T(a_gateway_gives_its_address_up_when_the_pool_no_longer_has_it),
    T(a_class_has_the_finalizer_while_gateways_use_it),
    T(features_are_told_in_alphabetical_order),
    T(the_order_of_the_objects_does_not_matter),
    T(an_object_that_is_being_deleted_serves_no_more),
    T(a_route_loses_its_grant_and_gets_it_back),
    T(a_rule_follows_its_rate_limit),
    T(passwords_are_told_of_by_the_line_and_never_shown),
    T(keys_that_cannot_be_used_are_told_of_by_their_place),
    T(messages_say_what_to_do),
    T(damaged_objects_never_crash_a_run),
    T(an_update_gives_what_a_new_run_gives),
    T(routes_of_two_kinds_are_judged_anew_where_they_meet),
    T(listener_sets_are_judged_anew_where_they_meet),
    T(too_many_updates_ask_for_a_new_run),
    T(endpoints_may_change_without_end_and_leave_nothing_behind),
    T(statuses_that_come_early_are_not_those_of_routes),
    T(the_status_of_a_gateway_is_looked_at_again_when_something_may_have_changed_it),
    T(a_status_that_is_as_wanted_is_looked_at_again_after_an_update),
    T(the_next_policy_decides_when_one_goes),
    T(a_policy_follows_its_target),
    T(a_policy_that_leaves_us_loses_our_entry_and_keeps_that_of_others),
    T(certificates_are_read_once_and_few_in_one_run),
    T(a_certificate_that_changed_is_read_alone),
    T(a_certificate_that_nobody_asks_for_is_forgotten),
};

int main(int argc, char **argv)
{
    if (model_init() != 0) {
        return 1;
    }
    int rc = unit_run("mgmt/attach", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
    model_done();
    return rc;
}
