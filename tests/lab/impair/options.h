/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of the impairment link. Thread: one. */
#pragma once

#include "decide.h"

#include <stdbool.h>

struct impair_options {
    const char *interface[2];
    struct impair_config config;
};

/* Parses the arguments; on a fault says which on stderr, with the usage, and returns false. */
bool impair_options_parse(int argc, char **argv, struct impair_options *ret);
