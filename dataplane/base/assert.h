/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assertions: for our own bugs only. What comes from the wire, from mgmt or from hardware is never
 * asserted, it is an error result with a reason.
 *
 * ASSERT stays on in release. ASSERT_HOT is for per-packet paths: on in debug, sanitizer and
 * simulator builds (-DSLUICE_ASSERT_HOT=1).
 */
#pragma once

#include <assert.h> /* static_assert */
#include <stdnoreturn.h>

/* Prints "file:line: function: assertion `text` failed" to stderr and aborts. Thread: any. */
noreturn void assert_fail(const char *text, const char *file, int line, const char *function);

/* What must hold if there is no bug of ours. Stays in release. */
#define ASSERT(cond)                                                                               \
    (__builtin_expect(!!(cond), 1) ? (void)0 : assert_fail(#cond, __FILE__, __LINE__, __func__))

/* As ASSERT(), for where each packet passes: only in debug, sanitizer and simulator builds. */
#ifdef SLUICE_ASSERT_HOT
#define ASSERT_HOT(cond) ASSERT(cond)
#else
#define ASSERT_HOT(cond) ((void)sizeof(!!(cond)))
#endif
