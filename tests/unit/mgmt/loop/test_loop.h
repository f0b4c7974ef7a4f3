/* SPDX-License-Identifier: Apache-2.0 */
/* The tests of test_sock.c. */
#pragma once

void bytes_arrive_in_order_and_intact_through_full_buffers(void);
void peer_that_is_not_consumed_from_is_held_back(void);
void end_of_peer_is_told_and_orderly_close_comes_after_both_ends(void);
void release_sends_what_was_written_then_ends(void);
void release_with_unread_bytes_is_a_reset(void);
void abort_is_told_by_the_loop_and_resets_the_peer(void);
void connect_to_closed_port_is_refused(void);
void listener_closes_what_is_above_its_limit_and_counts_it(void);
