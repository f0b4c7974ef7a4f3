/* SPDX-License-Identifier: Apache-2.0 */
/* The tests of the files beside this one. What needs a server is in tests/mgmt. */
#pragma once

void merge_patch_does_the_examples_of_its_rfc(void);
void merge_patch_as_deep_as_a_body_may_be(void);
void json_patch_does_each_operation(void);
void json_patch_refuses_what_does_not_apply(void);
void strategic_merge_knows_lists_with_keys(void);
void strategic_merge_of_too_many_elements_is_refused(void);

void each_role_has_just_its_rights(void);
void developer_sees_nothing_without_a_namespace(void);
void status_is_written_by_provider_and_controller_only(void);

void paths_name_their_targets(void);
void paths_that_are_none_are_not_found(void);
void methods_that_do_not_fit_are_405(void);
void queries_are_decoded(void);
void broken_queries_are_refused(void);

void issued_token_verifies_and_others_do_not(void);
void token_says_its_name(void);
void bootstrap_happens_once_and_keeps_the_file_private(void);
void last_provider_is_known(void);
