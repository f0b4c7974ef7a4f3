/* SPDX-License-Identifier: Apache-2.0 */
/* Types, strings, integers and enums against their schema. See check_priv.h. */
#include "model/check_priv.h"

#include "base/names.h"

#include "model/errors.h"
#include "model/text.h"

#include <stdio.h>
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

bool check_type(const struct walk_at *at, struct model_errors *e)
{
    bool ok = has_type(at->schema, at->value);
    if (!ok) {
        add_type_error(at, e);
    }
    return ok;
}

void check_bound_error(const struct walk_at *at, struct model_errors *e, const char *what,
                       int64_t limit, const char *unit)
{
    char detail[MODEL_MESSAGE_MAX];
    snprintf(detail, sizeof(detail), "%s in body should %s %lld%s", at->path, what,
             (long long)limit, unit);
    model_error_invalid(e, at->path, at->value, detail);
}

void check_enum(const struct walk_at *at, struct model_errors *e)
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
    static const char *const names[] = {SCHEMA_FORMAT_LIST(X_TEXT)};
    return names[format];
}

void check_string(const struct walk_at *at, struct model_errors *e)
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
        check_bound_error(at, e, "be at least", s->length_min, " chars long");
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

void check_integer(const struct walk_at *at, struct model_errors *e)
{
    const struct schema *s = at->schema;
    json_int_t value = json_integer_value(at->value);
    if (value < s->value_min) {
        check_bound_error(at, e, "be greater than or equal to", s->value_min, "");
    }
    if (value > s->value_max) {
        check_bound_error(at, e, "be less than or equal to", s->value_max, "");
    }
    if (s->format == SCHEMA_FORMAT_INT32 && (value < INT32_MIN || value > INT32_MAX)) {
        char detail[MODEL_MESSAGE_MAX];
        snprintf(detail, sizeof(detail), "%s in body must be of type int32", at->path);
        model_error_invalid(e, at->path, at->value, detail);
    }
}
