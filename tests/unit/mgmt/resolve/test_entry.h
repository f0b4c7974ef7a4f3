/* SPDX-License-Identifier: Apache-2.0 */
/* The tests of test_entry.c. */
#pragma once

void an_answer_counts_for_its_time_within_bounds(void);
void addresses_in_another_order_are_no_change(void);
void addresses_that_no_other_host_can_have_are_left_out_and_counted(void);
void the_last_good_answer_stands_while_nobody_answers(void);
void a_name_that_is_gone_takes_its_addresses_along(void);
void questions_that_fail_come_ever_more_seldom(void);
