/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where an assertion ends the process. Owner: none; thread: any. */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

noreturn void assert_fail(const char *text, const char *file, int line, const char *function)
{
    fprintf(stderr, "%s:%d: %s: assertion `%s` failed\n", file, line, function, text);
    abort();
}
