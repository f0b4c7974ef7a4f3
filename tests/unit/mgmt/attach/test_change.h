/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of test_change.c, test_damage.c, test_identities.c, test_policy.c, test_set.c and
 * test_update.c, run by test_attach.c. */
#pragma once

void a_route_comes_and_goes_with_the_label_of_its_namespace(void);
void programmed_waits_until_every_worker_has_confirmed(void);
void every_condition_carries_the_generation_that_was_seen(void);
void what_other_controllers_wrote_is_kept(void);
void a_route_that_leaves_us_loses_our_entry(void);
void a_gateway_keeps_its_address_when_an_older_one_comes(void);
void nobody_takes_an_address_that_another_gateway_has(void);
void a_gateway_gives_its_address_up_when_the_pool_no_longer_has_it(void);
void a_class_has_the_finalizer_while_gateways_use_it(void);
void features_are_told_in_alphabetical_order(void);
void the_order_of_the_objects_does_not_matter(void);
void an_object_that_is_being_deleted_serves_no_more(void);
void a_route_loses_its_grant_and_gets_it_back(void);
void a_rule_follows_its_rate_limit(void);
void passwords_are_told_of_by_the_line_and_never_shown(void);
void keys_that_cannot_be_used_are_told_of_by_their_place(void);
void messages_say_what_to_do(void);
void damaged_objects_never_crash_a_run(void);
void an_update_gives_what_a_new_run_gives(void);
void routes_of_two_kinds_are_judged_anew_where_they_meet(void);
void listener_sets_are_judged_anew_where_they_meet(void);
void too_many_updates_ask_for_a_new_run(void);
void a_status_that_is_as_wanted_is_looked_at_again_after_an_update(void);
void the_next_policy_decides_when_one_goes(void);
void a_policy_follows_its_target(void);
void a_policy_that_leaves_us_loses_our_entry_and_keeps_that_of_others(void);
void a_listener_set_is_programmed_when_every_worker_has_confirmed(void);
void a_listener_set_leaves_with_the_label_of_its_namespace(void);
void nobody_is_told_what_others_have(void);
void clients_of_a_listener_set_show_what_its_gateway_asks_for(void);
void too_many_listeners_of_a_gateway_are_refused_by_age(void);
void too_many_listeners_of_all_gateways_are_refused_by_age(void);
void too_many_addresses_and_ports_are_refused_by_age(void);
void certificates_are_read_once_and_few_in_one_run(void);
void a_certificate_that_changed_is_read_alone(void);
void a_certificate_that_nobody_asks_for_is_forgotten(void);
