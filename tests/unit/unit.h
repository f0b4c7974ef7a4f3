/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The little that unit tests share, on top of CUnit. A program is one suite:
 *
 *   TEST(third_duplicate_ack_enters_recovery) { CHECK(...); CHECK_EQ(a, b); }
 *   UNIT_MAIN("tcp/sack", T(third_duplicate_ack_enters_recovery), ...)
 *
 * It prints each failed check with file and line at the end of its test, and ends with "SUITE: N
 * passed, N failed"; the exit status is 0 only if none failed and at least one ran. Arguments pick
 * tests by name.
 */
#pragma once

#include <CUnit/CUnit.h>
#include <stddef.h>

struct unit_test {
    const char *name;
    void (*run)(void);
};

#define TEST(name) static void name(void)
#define T(test) ((struct unit_test){.name = #test, .run = test})
#define CHECK(cond) CU_assertImplementation(!!(cond), __LINE__, #cond, __FILE__, "", CU_FALSE)
/* Ends the test when it does not hold. */
#define REQUIRE(cond) CU_assertImplementation(!!(cond), __LINE__, #cond, __FILE__, "", CU_TRUE)
#define CHECK_EQ(a, b)                                                                             \
    unit_check_eq((long long)(a), (long long)(b), #a " == " #b, __FILE__, __LINE__)
#define CHECK_STR(a, b) unit_check_str((a), (b), #a " == " #b, __FILE__, __LINE__)

/* Both values are printed when they differ. */
void unit_check_eq(long long a, long long b, const char *text, const char *file, unsigned line);
void unit_check_str(const char *a, const char *b, const char *text, const char *file,
                    unsigned line);

/* Runs the tests that the arguments name (none: all). Returns the exit status. */
int unit_run(const char *suite, const struct unit_test *tests, size_t n, int argc, char **argv);

#define UNIT_MAIN(suite, ...)                                                                      \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        static const struct unit_test tests[] = {__VA_ARGS__};                                     \
        return unit_run(suite, tests, sizeof(tests) / sizeof(tests[0]), argc, argv);               \
    }
