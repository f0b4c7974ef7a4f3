/* SPDX-License-Identifier: Apache-2.0 */
/* Errors in a cluster's words. See errors.h. */
#include "model/errors.h"

#include "base/names.h"

#include "model/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void model_error_add(struct model_errors *e, enum model_reason reason, const char *field,
                     const char *format, ...)
{
    if (e->n == MODEL_ERRORS_MAX) {
        e->n_more++;
        return;
    }
    struct model_error *item = &e->items[e->n++];
    item->reason = reason;
    snprintf(item->field, sizeof(item->field), "%s", field);
    text_trim(item->field);
    va_list args;
    va_start(args, format);
    vsnprintf(item->message, sizeof(item->message), format, args);
    va_end(args);
    text_trim(item->message);
}

/* Escaped to ASCII, so that it can be cut anywhere. */
static const char *key_text(const char *key, char buf[MODEL_VALUE_TEXT_MAX])
{
    json_t *value = json_string(key);
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    snprintf(buf, MODEL_VALUE_TEXT_MAX, "%s", text != NULL ? text : "\"\"");
    if (text != NULL && strlen(text) >= MODEL_VALUE_TEXT_MAX) {
        snprintf(buf + MODEL_VALUE_TEXT_MAX - 5, 5, "...\"");
    }
    free(text);
    json_decref(value);
    return buf;
}

const char *model_value_text(const json_t *value, char buf[MODEL_VALUE_TEXT_MAX])
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        return key_text(json_string_value(value), buf);
    case JSON_INTEGER:
        snprintf(buf, MODEL_VALUE_TEXT_MAX, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        snprintf(buf, MODEL_VALUE_TEXT_MAX, "%g", json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        snprintf(buf, MODEL_VALUE_TEXT_MAX, json_is_true(value) ? "true" : "false");
        break;
    case JSON_OBJECT:
        snprintf(buf, MODEL_VALUE_TEXT_MAX, "\"object\"");
        break;
    case JSON_ARRAY:
        snprintf(buf, MODEL_VALUE_TEXT_MAX, "\"array\"");
        break;
    case JSON_NULL:
        snprintf(buf, MODEL_VALUE_TEXT_MAX, "null");
        break;
    }
    return buf;
}

void model_error_invalid(struct model_errors *e, const char *field, const json_t *value,
                         const char *detail)
{
    char text[MODEL_VALUE_TEXT_MAX];
    model_error_add(e, MODEL_INVALID, field, "Invalid value: %s: %s", model_value_text(value, text),
                    detail);
}

void model_error_invalid_key(struct model_errors *e, const char *field, const char *key,
                             const char *detail)
{
    char text[MODEL_VALUE_TEXT_MAX];
    model_error_add(e, MODEL_INVALID, field, "Invalid value: %s: %s", key_text(key, text), detail);
}

void model_error_required(struct model_errors *e, const char *field, const char *name)
{
    char path[MODEL_PATH_MAX];
    snprintf(path, sizeof(path), "%s%s%s", field, field[0] != '\0' && name[0] != '\0' ? "." : "",
             name);
    model_error_add(e, MODEL_REQUIRED, path, "Required value");
}

void model_error_duplicate(struct model_errors *e, const char *field, const char *text)
{
    model_error_add(e, MODEL_DUPLICATE, field, "Duplicate value: %.200s", text);
}

const char *model_reason_name(enum model_reason reason)
{
    static const char *const names[] = {MODEL_REASON_LIST(X_TEXT)};
    return (size_t)reason < sizeof(names) / sizeof(names[0]) ? names[reason] : "";
}
