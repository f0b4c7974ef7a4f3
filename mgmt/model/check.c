/* SPDX-License-Identifier: Apache-2.0 */
/* One value against its schema, keyword by keyword. See check.h. */
#include "model/check.h"

#include "model/errors.h"
#include "model/rules.h"
#include "model/text.h"
#include "model/walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *type_name(enum schema_type type)
{
    static const char *const names[] = {
        [SCHEMA_ANY] = "any",         [SCHEMA_OBJECT] = "object",
        [SCHEMA_ARRAY] = "array",     [SCHEMA_STRING] = "string",
        [SCHEMA_INTEGER] = "integer", [SCHEMA_NUMBER] = "number",
        [SCHEMA_BOOLEAN] = "boolean", [SCHEMA_INT_OR_STRING] = "integer or string",
    };
    return names[type];
}

static bool has_type(const struct schema *s, const json_t *v)
{
    switch (s->type) {
    case SCHEMA_ANY:
        return true;
    case SCHEMA_OBJECT:
        return json_is_object(v);
    case SCHEMA_ARRAY:
        return json_is_array(v);
    case SCHEMA_STRING:
        return json_is_string(v);
    case SCHEMA_INTEGER:
        return json_is_integer(v);
    case SCHEMA_NUMBER:
        return json_is_number(v);
    case SCHEMA_BOOLEAN:
        return json_is_boolean(v);
    case SCHEMA_INT_OR_STRING:
        return json_is_integer(v) || json_is_string(v);
    }
    return false;
}

static void add_type_error(const struct walk_at *at, struct model_errors *e)
{
    static const char *const json_names[] = {
        [JSON_OBJECT] = "object",   [JSON_ARRAY] = "array", [JSON_STRING] = "string",
        [JSON_INTEGER] = "integer", [JSON_REAL] = "number", [JSON_TRUE] = "boolean",
        [JSON_FALSE] = "boolean",   [JSON_NULL] = "null",
    };
    char text[MODEL_VALUE_TEXT_MAX];
    model_error_add(e, MODEL_TYPE, at->path,
                    "Invalid value: %s: %s in body must be of type %s: \"%s\"",
                    model_value_text(at->value, text), at->path, type_name(at->schema->type),
                    json_names[json_typeof(at->value)]);
}

/* Writes "Invalid value: ...: PATH in body should be WHAT LIMIT UNIT". */
static void add_bound_error(const struct walk_at *at, struct model_errors *e, const char *what,
                            int64_t limit, const char *unit)
{
    char detail[MODEL_MESSAGE_MAX];
    snprintf(detail, sizeof(detail), "%s in body should %s %lld%s", at->path, what,
             (long long)limit, unit);
    model_error_invalid(e, at->path, at->value, detail);
}

static void check_enum(const struct walk_at *at, struct model_errors *e)
{
    char list[MODEL_MESSAGE_MAX] = "";
    size_t i;
    const json_t *value;
    json_array_foreach(at->schema->values, i, value)
    {
        if (json_equal(value, at->value)) {
            return;
        }
        char text[MODEL_VALUE_TEXT_MAX];
        size_t n = strlen(list);
        snprintf(list + n, sizeof(list) - n, "%s%s", n > 0 ? ", " : "",
                 model_value_text(value, text));
    }
    char text[MODEL_VALUE_TEXT_MAX];
    model_error_add(e, MODEL_NOT_SUPPORTED, at->path, "Unsupported value: %s: supported values: %s",
                    model_value_text(at->value, text), list);
}

static bool has_format(enum schema_format format, const char *text)
{
    struct ip_addr a;
    struct ip_addr b;
    unsigned length;
    switch (format) {
    case SCHEMA_FORMAT_DATE_TIME:
        return text_is_date_time(text);
    case SCHEMA_FORMAT_IP:
        return ip_addr_parse(text, &a);
    case SCHEMA_FORMAT_CIDR:
        return text_parse_cidr(text, &a, &length);
    case SCHEMA_FORMAT_IP_RANGE:
        return text_parse_range(text, &a, &b);
    case SCHEMA_FORMAT_NONE:
    case SCHEMA_FORMAT_INT32:
    case SCHEMA_FORMAT_INT64:
    case SCHEMA_FORMAT_BYTE:
        break;
    }
    return true;
}

static const char *format_name(enum schema_format format)
{
    static const char *const names[] = {
#define X(name, text) text,
        SCHEMA_FORMAT_LIST(X)
#undef X
    };
    return names[format];
}

static void check_string(const struct walk_at *at, struct model_errors *e)
{
    const struct schema *s = at->schema;
    const char *text = json_string_value(at->value);
    int64_t length = (int64_t)text_characters(text);
    if (length > s->length_max) {
        model_error_add(e, MODEL_TOO_LONG, at->path, "Too long: may not be more than %lld bytes",
                        (long long)s->length_max);
        return;
    }
    if (length < s->length_min) {
        add_bound_error(at, e, "be at least", s->length_min, " chars long");
    }
    if (s->pattern != NULL && !pattern_matches(s->pattern, text, strlen(text))) {
        char detail[MODEL_MESSAGE_MAX];
        snprintf(detail, sizeof(detail), "%s in body should match '%s'", at->path,
                 pattern_text(s->pattern));
        model_error_invalid(e, at->path, at->value, detail);
    }
    if (s->format == SCHEMA_FORMAT_BYTE && !text_is_base64(text)) {
        /* It may be a secret: never shown. */
        model_error_add(e, MODEL_INVALID, at->path, "Invalid value: must be base64");
    } else if (!has_format(s->format, text)) {
        char detail[MODEL_MESSAGE_MAX];
        snprintf(detail, sizeof(detail), "%s in body must be of type %s", at->path,
                 format_name(s->format));
        model_error_invalid(e, at->path, at->value, detail);
    }
}

static void check_integer(const struct walk_at *at, struct model_errors *e)
{
    const struct schema *s = at->schema;
    json_int_t value = json_integer_value(at->value);
    if (value < s->value_min) {
        add_bound_error(at, e, "be greater than or equal to", s->value_min, "");
    }
    if (value > s->value_max) {
        add_bound_error(at, e, "be less than or equal to", s->value_max, "");
    }
    if (s->format == SCHEMA_FORMAT_INT32 && (value < INT32_MIN || value > INT32_MAX)) {
        char detail[MODEL_MESSAGE_MAX];
        snprintf(detail, sizeof(detail), "%s in body must be of type int32", at->path);
        model_error_invalid(e, at->path, at->value, detail);
    }
}

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
        add_bound_error(at, e, "have at least", s->length_min, " properties");
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
        add_bound_error(at, e, "have at least", s->length_min, " items");
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
    if (!has_type(s, at->value)) {
        add_type_error(at, e);
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
