/* SPDX-License-Identifier: Apache-2.0 */
/* JSON values to YAML text, by libyaml's emitter. Owner: the caller; thread: any. */
#include "yaml/yaml.h"

#include "base/assert.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct text {
    char *data;
    size_t len;
};

static int append_text(void *arg, unsigned char *buffer, size_t size)
{
    struct text *t = arg;
    char *grown = realloc(t->data, t->len + size + 1);
    if (grown == NULL)
        return 0;
    memcpy(grown + t->len, buffer, size);
    t->data = grown;
    t->len += size;
    t->data[t->len] = '\0';
    return 1;
}

/* Would a plain scalar of this text be read as something else than a string? Asked of the reader
 * itself. */
static bool needs_quotes(const char *text)
{
    struct yaml_error error;
    json_t *documents;
    if (text[0] == '\0' || yaml_load(text, strlen(text), &documents, &error) != 0)
        return true;
    const json_t *value = json_array_get(documents, 0);
    bool is_same = json_is_string(value) && strcmp(json_string_value(value), text) == 0;
    json_decref(documents);
    return !is_same;
}

static bool emit_scalar(yaml_emitter_t *e, const char *text, bool is_string)
{
    yaml_event_t event;
    yaml_scalar_style_t style = YAML_PLAIN_SCALAR_STYLE;
    if (is_string && strchr(text, '\n') != NULL)
        style = YAML_LITERAL_SCALAR_STYLE;
    else if (is_string && needs_quotes(text))
        style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    return yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text,
                                        (int)strlen(text), 1, 1, style) &&
           yaml_emitter_emit(e, &event);
}

static bool emit_value(yaml_emitter_t *e, json_t *value);

static bool emit_object(yaml_emitter_t *e, json_t *value)
{
    yaml_event_t event;
    yaml_mapping_style_t style =
        json_object_size(value) == 0 ? YAML_FLOW_MAPPING_STYLE : YAML_BLOCK_MAPPING_STYLE;
    if (!yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, style) ||
        !yaml_emitter_emit(e, &event))
        return false;
    const char *key;
    json_t *member;
    json_object_foreach(value, key, member)
    {
        if (!emit_scalar(e, key, true) || !emit_value(e, member))
            return false;
    }
    return yaml_mapping_end_event_initialize(&event) && yaml_emitter_emit(e, &event);
}

static bool emit_array(yaml_emitter_t *e, json_t *value)
{
    yaml_event_t event;
    yaml_sequence_style_t style =
        json_array_size(value) == 0 ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE;
    if (!yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, style) ||
        !yaml_emitter_emit(e, &event))
        return false;
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!emit_value(e, json_array_get(value, i)))
            return false;
    }
    return yaml_sequence_end_event_initialize(&event) && yaml_emitter_emit(e, &event);
}

static bool emit_value(yaml_emitter_t *e, json_t *value)
{
    char number[64];
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return emit_object(e, value);
    case JSON_ARRAY:
        return emit_array(e, value);
    case JSON_STRING:
        return emit_scalar(e, json_string_value(value), true);
    case JSON_INTEGER:
        snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return emit_scalar(e, number, false);
    case JSON_REAL:
        snprintf(number, sizeof(number), "%.17g", json_real_value(value));
        return emit_scalar(e, number, false);
    case JSON_TRUE:
        return emit_scalar(e, "true", false);
    case JSON_FALSE:
        return emit_scalar(e, "false", false);
    case JSON_NULL:
        return emit_scalar(e, "null", false);
    }
    ASSERT(!"a JSON type that does not exist");
    return false;
}

static bool emit_document(yaml_emitter_t *e, json_t *value)
{
    yaml_event_t event;
    return yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING) &&
           yaml_emitter_emit(e, &event) &&
           yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1) &&
           yaml_emitter_emit(e, &event) && emit_value(e, value) &&
           yaml_document_end_event_initialize(&event, 1) && yaml_emitter_emit(e, &event) &&
           yaml_stream_end_event_initialize(&event) && yaml_emitter_emit(e, &event);
}

char *yaml_dump(json_t *value)
{
    struct text t = {0};
    yaml_emitter_t emitter;
    if (!yaml_emitter_initialize(&emitter))
        return NULL;
    yaml_emitter_set_output(&emitter, append_text, &t);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1);
    bool is_done = emit_document(&emitter, value);
    yaml_emitter_delete(&emitter);
    if (!is_done) {
        free(t.data);
        return NULL;
    }
    return t.data;
}
