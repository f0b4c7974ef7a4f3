/* SPDX-License-Identifier: Apache-2.0 */
/* The tests of test_store_disk.c. */
#pragma once

void failed_write_leaves_memory_as_it_was(void);
void damaged_row_is_reported_and_nothing_is_emptied(void);
void empty_or_foreign_file_is_damage_and_not_a_new_store(void);
void log_without_its_database_is_damage(void);
void newer_format_is_refused(void);
void second_opener_is_refused(void);
void each_flipped_byte_is_noticed_or_harmless(void);
