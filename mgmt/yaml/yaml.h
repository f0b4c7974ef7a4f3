/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML to JSON values and back, by libyaml, for manifests that people write.
 *
 * Read: YAML 1.2 core schema (true/false/null/integers/floats; `yes` is a string), as many
 * documents as there are, empty ones skipped. Refused with line and column: duplicate keys, keys
 * that are not strings, unknown tags, nesting beyond YAML_DEPTH_MAX, more than YAML_NODES_MAX nodes
 * with aliases expanded (so that a few lines of aliases cannot fill the memory), invalid UTF-8.
 * Pure but for the heap; thread: any.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#define YAML_DEPTH_MAX 64u      /* deeper than any Kubernetes object */
#define YAML_NODES_MAX 1000000u /* about 100 MiB of values at the most */

struct yaml_error {
    size_t line;   /* from 1; 0: not known */
    size_t column; /* from 1 */
    char text[160];
};

/* Reads all documents of `data` into a new JSON array in *ret_documents. 0, -EINVAL with *ret_error
 * filled, or -ENOMEM. */
int yaml_load(const void *data, size_t len, json_t **ret_documents, struct yaml_error *ret_error);

/* Text of one value in block style; NUL-terminated, freed by the caller. NULL: no memory. */
char *yaml_dump(json_t *value);
