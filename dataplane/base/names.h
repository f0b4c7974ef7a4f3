/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts of a list that is an X-macro, as a table by the enum that was made of the same list:
 *
 *   static const char *const names[] = {TCP_STATE_LIST(X_NAME)};
 *   static const char *const helps[] = {TLS_FAULT_LIST(X_TEXT)};
 */
#pragma once

/* The entry's name, as it is written in the list. */
#define X_NAME(name, ...) #name,

/* The text in the entry's second column. */
#define X_TEXT(name, text, ...) text,
