/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML documents to JSON values. libyaml composes a document as a table of nodes; aliases point to
 * nodes already there, so the walk counts what it makes and not what it reads. Owner: the caller;
 * thread: any.
 */
#include "yaml/yaml.h"

#include "base/assert.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct walk {
    yaml_document_t *document;
    struct yaml_error *error;
    size_t nodes;
    unsigned depth;
};

static json_t *fail(struct walk *w, const yaml_node_t *node, const char *text)
{
    w->error->line = node->start_mark.line + 1;
    w->error->column = node->start_mark.column + 1;
    snprintf(w->error->text, sizeof(w->error->text), "%s", text);
    return NULL;
}

static bool is_one_of(const char *text, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(text, words[i]) == 0)
            return true;
    }
    return false;
}

static bool has_only(const char *text, const char *chars)
{
    return text[0] != '\0' && text[strspn(text, chars)] == '\0';
}

/* An integer of the core schema: [-+]?[0-9]+ | 0o[0-7]+ | 0x[0-9a-fA-F]+, as far as it fits 64
 * bits. */
static bool parse_integer(const char *text, json_int_t *ret)
{
    int base = 10;
    const char *digits = text + (text[0] == '-' || text[0] == '+');
    const char *allowed = "0123456789";
    const char *start = text;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'o')) {
        base = text[1] == 'x' ? 16 : 8;
        allowed = text[1] == 'x' ? "0123456789abcdefABCDEF" : "01234567";
        digits = start = text + 2;
    }
    if (!has_only(digits, allowed))
        return false;
    errno = 0;
    json_int_t value = strtoll(start, NULL, base);
    if (errno != 0)
        return false;
    *ret = value;
    return true;
}

/* A float of the core schema; infinities and NaN have no JSON and stay strings. */
static bool parse_real(const char *text, double *ret)
{
    if (strpbrk(text, "0123456789") == NULL || !has_only(text, "0123456789+-.eE"))
        return false;
    char *end;
    double value = strtod(text, &end);
    if (*end != '\0' || !isfinite(value))
        return false;
    *ret = value;
    return true;
}

static json_t *plain_scalar(const char *text, size_t len)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    static const char *const trues[] = {"true", "True", "TRUE"};
    static const char *const falses[] = {"false", "False", "FALSE"};
    json_int_t integer;
    double real;
    if (is_one_of(text, nulls, 5))
        return json_null();
    if (is_one_of(text, trues, 3))
        return json_true();
    if (is_one_of(text, falses, 3))
        return json_false();
    if (parse_integer(text, &integer))
        return json_integer(integer);
    if (parse_real(text, &real))
        return json_real(real);
    return json_stringn(text, len);
}

static json_t *scalar_value(struct walk *w, const yaml_node_t *node)
{
    const char *text = (const char *)node->data.scalar.value;
    size_t len = node->data.scalar.length;
    if (strlen(text) != len)
        return fail(w, node, "a NUL character in a scalar");
    const char *tag = (const char *)node->tag;
    bool is_plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (tag != NULL && strcmp(tag, YAML_STR_TAG) != 0)
        return fail(w, node, "tags are not supported");
    /* libyaml gives every untagged scalar the string tag: the style tells them apart. */
    json_t *value = is_plain ? plain_scalar(text, len) : json_stringn(text, len);
    return value != NULL ? value : fail(w, node, "not valid UTF-8");
}

static json_t *node_value(struct walk *w, int index);

static json_t *sequence_value(struct walk *w, const yaml_node_t *node)
{
    json_t *array = json_array();
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        json_t *value = node_value(w, *item);
        if (value == NULL || json_array_append_new(array, value) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static bool add_pair(struct walk *w, json_t *object, const yaml_node_pair_t *pair)
{
    const yaml_node_t *key = yaml_document_get_node(w->document, pair->key);
    if (key->type != YAML_SCALAR_NODE)
        return fail(w, key, "a mapping's key must be a string") != NULL;
    const char *name = (const char *)key->data.scalar.value;
    if (strlen(name) != key->data.scalar.length)
        return fail(w, key, "a NUL character in a key") != NULL;
    if (json_object_get(object, name) != NULL) {
        char text[120];
        snprintf(text, sizeof(text), "duplicate key \"%.80s\"", name);
        return fail(w, key, text) != NULL;
    }
    json_t *value = node_value(w, pair->value);
    return value != NULL && json_object_set_new(object, name, value) == 0;
}

static json_t *mapping_value(struct walk *w, const yaml_node_t *node)
{
    json_t *object = json_object();
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        if (!add_pair(w, object, pair)) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

/* The depth bound makes this recursion finite, an alias to a parent included. */
static json_t *node_value(struct walk *w, int index)
{
    const yaml_node_t *node = yaml_document_get_node(w->document, index);
    ASSERT(node != NULL);
    if (++w->nodes > YAML_NODES_MAX)
        return fail(w, node, "too many values (aliases count each time)");
    if (w->depth >= YAML_DEPTH_MAX)
        return fail(w, node, "nested too deep");
    w->depth++;
    json_t *value = NULL;
    switch (node->type) {
    case YAML_SCALAR_NODE:
        value = scalar_value(w, node);
        break;
    case YAML_SEQUENCE_NODE:
        value = sequence_value(w, node);
        break;
    case YAML_MAPPING_NODE:
        value = mapping_value(w, node);
        break;
    case YAML_NO_NODE:
        break;
    }
    w->depth--;
    return value;
}

static void describe_parser_error(const yaml_parser_t *parser, struct yaml_error *ret)
{
    ret->line = parser->problem_mark.line + 1;
    ret->column = parser->problem_mark.column + 1;
    snprintf(ret->text, sizeof(ret->text), "%s", parser->problem ? parser->problem : "not YAML");
}

/* Adds the next document to `documents`. 0: added or skipped, 1: no more, -EINVAL. */
static int load_one(yaml_parser_t *parser, json_t *documents, struct yaml_error *error)
{
    yaml_document_t document;
    if (!yaml_parser_load(parser, &document)) {
        describe_parser_error(parser, error);
        return -EINVAL;
    }
    int result = 0;
    if (yaml_document_get_root_node(&document) == NULL) {
        result = 1;
    } else {
        struct walk w = {.document = &document, .error = error};
        json_t *value = node_value(&w, 1);
        if (value == NULL)
            result = -EINVAL;
        else if (json_is_null(value))
            json_decref(value); /* an empty document between two "---" */
        else
            json_array_append_new(documents, value);
    }
    yaml_document_delete(&document);
    return result;
}

int yaml_load(const void *data, size_t len, json_t **ret_documents, struct yaml_error *ret_error)
{
    struct yaml_error error = {.text = "out of memory"};
    yaml_parser_t parser;
    json_t *documents = json_array();
    if (documents == NULL || !yaml_parser_initialize(&parser)) {
        json_decref(documents);
        return -ENOMEM;
    }
    yaml_parser_set_input_string(&parser, data, len);
    int result;
    do {
        result = load_one(&parser, documents, &error);
    } while (result == 0);
    yaml_parser_delete(&parser);
    if (result < 0) {
        json_decref(documents);
        *ret_error = error;
        return result;
    }
    *ret_documents = documents;
    return 0;
}
