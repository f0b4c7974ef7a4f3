/* SPDX-License-Identifier: Apache-2.0 */
/* The files of schema/, compiled into the program by schema/embed. Private to model. */
#pragma once

#include <stddef.h>

struct schema_file {
    const char *name; /* without ".json" */
    const char *text;
};

extern const struct schema_file schema_files[];
extern const size_t schema_files_count;
