/* SPDX-License-Identifier: Apache-2.0 */
/* Runs one suite by CUnit and prints the result in the form that ./dev test adds up. */
#include "unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void unit_check_eq(long long a, long long b, const char *text, const char *file, unsigned line)
{
    char with_values[512];
    snprintf(with_values, sizeof(with_values), "%s (%lld, %lld)", text, a, b);
    CU_assertImplementation(a == b, line, with_values, file, "", CU_FALSE);
}

void unit_check_str(const char *a, const char *b, const char *text, const char *file, unsigned line)
{
    char with_values[512];
    snprintf(with_values, sizeof(with_values), "%s (\"%s\", \"%s\")", text, a ? a : "NULL",
             b ? b : "NULL");
    CU_assertImplementation(a != NULL && b != NULL && strcmp(a, b) == 0, line, with_values, file,
                            "", CU_FALSE);
}

static bool is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return true;
    }
    return argc <= 1;
}

/* What failed is said at once: the next test may not come to its end. */
static void on_complete(const CU_pTest test, const CU_pSuite suite,
                        const CU_pFailureRecord failures)
{
    for (CU_pFailureRecord f = failures; f != NULL; f = f->pNext) {
        printf("  FAILED %s at %s:%u: %s\n", f->pTest != NULL ? f->pTest->pName : "-",
               f->strFileName != NULL ? f->strFileName : "-", f->uiLineNumber, f->strCondition);
    }
    fflush(stdout);
}

int unit_run(const char *suite, const struct unit_test *tests, size_t n, int argc, char **argv)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    CU_pSuite s = CU_add_suite(suite, NULL, NULL);
    for (size_t i = 0; i < n; i++) {
        if (is_wanted(tests[i].name, argc, argv))
            CU_add_test(s, tests[i].name, tests[i].run);
    }
    CU_set_test_complete_handler(on_complete);
    CU_run_all_tests();
    unsigned failed = CU_get_number_of_tests_failed();
    unsigned passed = CU_get_number_of_tests_run() - failed;
    printf("%s: %u passed, %u failed\n", suite, passed, failed);
    CU_cleanup_registry();
    return failed == 0 && passed > 0 ? 0 : 1;
}
