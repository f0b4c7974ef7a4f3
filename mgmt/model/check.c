/* SPDX-License-Identifier: Apache-2.0 */
/* Objects and arrays against their schema, and the walk over all of a value. See check.h. */
#include "model/check.h"

#include "model/check_priv.h"
#include "model/errors.h"
#include "model/rules.h"

#include <stdio.h>
#include <stdlib.h>

static void check_object(const struct walk_at *at, struct model_errors *e)
{
    const struct schema *s = at->schema;
    int64_t n = (int64_t)json_object_size(at->value);
    for (uint32_t i = 0; i < s->n_required; i++) {
        if (json_object_get(at->value, s->required[i]) == NULL) {
            model_error_required(e, at->path, s->required[i]);
        }
    }
    if (n > s->length_max) {
        model_error_add(e, MODEL_TOO_MANY, at->path, "Too many: %lld: must have at most %lld items",
                        (long long)n, (long long)s->length_max);
    }
    if (n < s->length_min) {
        check_bound_error(at, e, "have at least", s->length_min, " properties");
    }
}

/* What makes two items of the list the same, as text; the caller frees it. */
static char *item_key(const struct schema *s, const json_t *item)
{
    if (s->list == SCHEMA_LIST_SET) {
        return json_dumps(item, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    }
    json_t *key = json_object();
    size_t i;
    const json_t *name;
    json_array_foreach(s->list_keys, i, name)
    {
        json_object_set(key, json_string_value(name),
                        json_object_get(item, json_string_value(name)));
    }
    char *text = json_dumps(key, JSON_COMPACT);
    json_decref(key);
    return text;
}

static void check_duplicates(const struct walk_at *at, struct model_errors *e)
{
    json_t *seen = json_object();
    size_t i;
    const json_t *item;
    json_array_foreach(at->value, i, item)
    {
        char *key = item_key(at->schema, item);
        if (key != NULL && json_object_get(seen, key) != NULL) {
            char path[MODEL_PATH_MAX + 24];
            snprintf(path, sizeof(path), "%s[%zu]", at->path, i);
            model_error_duplicate(e, path, key);
        } else if (key != NULL) {
            json_object_set_new(seen, key, json_true());
        }
        free(key);
    }
    json_decref(seen);
}

static void check_array(const struct walk_at *at, struct model_errors *e)
{
    const struct schema *s = at->schema;
    int64_t n = (int64_t)json_array_size(at->value);
    if (n > s->length_max) {
        model_error_add(e, MODEL_TOO_MANY, at->path, "Too many: %lld: must have at most %lld items",
                        (long long)n, (long long)s->length_max);
        return;
    }
    if (n < s->length_min) {
        check_bound_error(at, e, "have at least", s->length_min, " items");
    }
    if (s->list != SCHEMA_LIST_ATOMIC) {
        check_duplicates(at, e);
    }
}

/* The visitor: one value. */
static bool check_value(void *arg, const struct walk_at *at)
{
    struct model_errors *e = arg;
    const struct schema *s = at->schema;
    if (s == NULL) {
        model_error_add(e, MODEL_UNKNOWN_FIELD, at->path, "unknown field \"%s\"", at->path);
        return false;
    }
    if (json_is_null(at->value) && s->nullable) {
        return false;
    }
    if (!check_type(at, e)) {
        return false;
    }
    if (s->values != NULL) {
        check_enum(at, e);
    }
    if (json_is_object(at->value)) {
        check_object(at, e);
    } else if (json_is_array(at->value)) {
        check_array(at, e);
        return (int64_t)json_array_size(at->value) <= s->length_max;
    } else if (json_is_string(at->value)) {
        check_string(at, e);
    } else if (json_is_integer(at->value)) {
        check_integer(at, e);
    }
    return s->type != SCHEMA_ANY;
}

void check_structure(const struct schema *schema, const json_t *value, struct model_errors *e)
{
    model_walk(schema, (json_t *)(uintptr_t)value, NULL, check_value, e);
}

static bool check_value_rules(void *arg, const struct walk_at *at)
{
    struct model_errors *e = arg;
    for (uint32_t i = 0; at->schema != NULL && i < at->schema->n_rules; i++) {
        const struct rule *rule = at->schema->rules[i];
        if (!rule->holds(rule, at->value, at->old)) {
            model_error_invalid(e, at->path, at->value, rule->message);
        }
    }
    return true;
}

void check_rules(const struct schema *schema, const json_t *value, const json_t *old,
                 struct model_errors *e)
{
    model_walk(schema, (json_t *)(uintptr_t)value, old, check_value_rules, e);
}
