/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A structural schema (OpenAPI v3 as CRDs may use it) compiled from JSON into a tree that is quick
 * to walk. Only what the engine enforces can be compiled: a keyword that it does not know is an
 * assertion, so that no rule of a refreshed schema is passed over in silence.
 *
 * Private to model. Read-only after schema_compile(). Thread: mgmtd's.
 */
#pragma once

#include "model/arena.h"
#include "model/pattern.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct rule;

enum schema_type {
    SCHEMA_ANY, /* x-kubernetes-preserve-unknown-fields: not looked into */
    SCHEMA_OBJECT,
    SCHEMA_ARRAY,
    SCHEMA_STRING,
    SCHEMA_INTEGER,
    SCHEMA_NUMBER,
    SCHEMA_BOOLEAN,
    SCHEMA_INT_OR_STRING,
};

/* What a string or integer must be beyond its type; "ip", "ip-range" are our own. */
#define SCHEMA_FORMAT_LIST(X)                                                                      \
    X(NONE, "")                                                                                    \
    X(INT32, "int32")                                                                              \
    X(INT64, "int64")                                                                              \
    X(DATE_TIME, "date-time")                                                                      \
    X(BYTE, "byte")                                                                                \
    X(IP, "ip")                                                                                    \
    X(CIDR, "cidr")                                                                                \
    X(IP_RANGE, "ip-range")

enum schema_format {
#define X(name, text) SCHEMA_FORMAT_##name,
    SCHEMA_FORMAT_LIST(X)
#undef X
};

enum schema_list {
    SCHEMA_LIST_ATOMIC,
    SCHEMA_LIST_SET, /* no value twice */
    SCHEMA_LIST_MAP, /* no two items with the same keys */
};

struct schema_property {
    const char *name;
    struct schema *schema;
};

struct schema {
    enum schema_type type;
    enum schema_format format;
    bool nullable;
    /* bounds; absent ones are 0 and INT64_MAX, or INT64_MIN and INT64_MAX for values */
    int64_t length_min, length_max; /* characters, items, or properties, by type */
    int64_t value_min, value_max;
    const json_t *default_value; /* NULL: none */
    const json_t *values;        /* enum: array of strings, NULL: any */
    const struct pattern *pattern;
    /* objects */
    uint32_t n_properties;
    uint32_t n_required;
    struct schema_property *properties; /* sorted by name */
    const char **required;
    struct schema *additional; /* NULL: other fields are unknown */
    /* arrays */
    struct schema *items;
    enum schema_list list;
    const json_t *list_keys; /* array of strings */
    /* rules that span fields */
    uint32_t n_rules;
    const struct rule **rules;
    /* while compiling */
    const json_t *source;
    struct schema *next;
};

/* Compiles `json`, which must live as long as the result. Memory comes from `a`, patterns from
 * `patterns`. */
const struct schema *schema_compile(struct arena *a, struct pattern_cache *patterns,
                                    const json_t *json);

/* The schema of a field of an object, or NULL: unknown. O(log fields). */
const struct schema *schema_property(const struct schema *s, const char *name);
