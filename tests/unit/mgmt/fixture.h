/* SPDX-License-Identifier: Apache-2.0 */
/* YAML fixtures of the management plane's tests. */
#pragma once

#include "unit.h"
#include "yaml/yaml.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All documents of a file of the folder FIXTURE_DIR; the test ends if it cannot be read. */
static inline json_t *fixture_load(const char *name)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", FIXTURE_DIR, name);
    FILE *file = fopen(path, "rb");
    REQUIRE(file != NULL);
    char *text = NULL;
    size_t len = 0;
    ssize_t n = getdelim(&text, &len, '\0', file);
    fclose(file);
    REQUIRE(n > 0);
    json_t *documents = NULL;
    struct yaml_error error = {0};
    int rc = yaml_load(text, (size_t)n, &documents, &error);
    if (rc != 0) {
        fprintf(stderr, "%s:%zu:%zu: %s\n", path, error.line, error.column, error.text);
    }
    free(text);
    REQUIRE(rc == 0);
    return documents;
}

/* Sets what stands at "spec.listeners[0].port" of `root` to `value`; null removes it. */
static inline void fixture_set(json_t *root, const char *path, json_t *value)
{
    char part[256];
    json_t *at = root;
    while (*path != '\0') {
        size_t n = strcspn(path + (*path == '['), path[0] == '[' ? "]" : ".[");
        snprintf(part, sizeof(part), "%.*s", (int)n, path + (*path == '['));
        bool is_index = *path == '[';
        path += n + (is_index ? 2 : 0);
        path += *path == '.';
        bool is_last = *path == '\0';
        if (is_index && is_last) {
            json_array_set(at, (size_t)atoi(part), value);
        } else if (is_index) {
            at = json_array_get(at, (size_t)atoi(part));
        } else if (is_last && json_is_null(value)) {
            json_object_del(at, part);
        } else if (is_last) {
            json_object_set(at, part, value);
        } else {
            at = json_object_get(at, part);
        }
        REQUIRE(at != NULL);
    }
}

/* The same with a new value, which it takes over. */
static inline void fixture_set_new(json_t *root, const char *path, json_t *value)
{
    fixture_set(root, path, value);
    json_decref(value);
}
