/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiles JSON schemas. The nodes made but not yet compiled are a list that grows while it is
 * worked off, so there is no recursion; each keyword has its own function in a table.
 */
#include "model/schema.h"

#include "base/assert.h"
#include "base/names.h"
#include "model/rules.h"

#include <stdlib.h>
#include <string.h>

struct compiler {
    struct arena *arena;
    struct pattern_cache *patterns;
    struct schema *last; /* of the list of nodes to compile */
};

/* A node for `json`, put at the end of the list. */
static struct schema *add_node(struct compiler *c, const json_t *json)
{
    ASSERT(json_is_object(json));
    struct schema *s = ARENA_NEW(c->arena, struct schema);
    s->source = json;
    s->length_max = s->value_max = INT64_MAX;
    s->value_min = INT64_MIN;
    if (c->last != NULL) {
        c->last->next = s;
    }
    c->last = s;
    return s;
}

static void on_type(struct compiler *c, struct schema *s, const json_t *v)
{
    static const struct {
        const char *name;
        enum schema_type type;
    } types[] = {
        {"object", SCHEMA_OBJECT},   {"array", SCHEMA_ARRAY},   {"string", SCHEMA_STRING},
        {"integer", SCHEMA_INTEGER}, {"number", SCHEMA_NUMBER}, {"boolean", SCHEMA_BOOLEAN},
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(types[i].name, json_string_value(v)) == 0) {
            s->type = types[i].type;
            return;
        }
    }
    ASSERT(!"unknown type in a schema");
}

static void on_format(struct compiler *c, struct schema *s, const json_t *v)
{
    static const char *const formats[] = {SCHEMA_FORMAT_LIST(X_TEXT)};
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (strcmp(formats[i], json_string_value(v)) == 0) {
            s->format = (enum schema_format)i;
            return;
        }
    }
    ASSERT(!"unknown format in a schema");
}

static int compare_properties(const void *a, const void *b)
{
    return strcmp(((const struct schema_property *)a)->name,
                  ((const struct schema_property *)b)->name);
}

static void on_properties(struct compiler *c, struct schema *s, const json_t *v)
{
    s->properties = ARENA_ARRAY(c->arena, struct schema_property, json_object_size(v));
    const char *key;
    json_t *sub;
    json_object_foreach((json_t *)(uintptr_t)v, key, sub)
    {
        s->properties[s->n_properties++] =
            (struct schema_property){.name = key, .schema = add_node(c, sub)};
    }
    qsort(s->properties, s->n_properties, sizeof(s->properties[0]), compare_properties);
}

static void on_required(struct compiler *c, struct schema *s, const json_t *v)
{
    s->required = ARENA_ARRAY(c->arena, const char *, json_array_size(v));
    size_t i;
    const json_t *name;
    json_array_foreach(v, i, name)
    {
        s->required[s->n_required++] = json_string_value(name);
    }
}

static void on_additional(struct compiler *c, struct schema *s, const json_t *v)
{
    s->additional = add_node(c, v);
}

static void on_items(struct compiler *c, struct schema *s, const json_t *v)
{
    s->items = add_node(c, v);
}

static void on_list_type(struct compiler *c, struct schema *s, const json_t *v)
{
    const char *name = json_string_value(v);
    s->list = strcmp(name, "map") == 0   ? SCHEMA_LIST_MAP
              : strcmp(name, "set") == 0 ? SCHEMA_LIST_SET
                                         : SCHEMA_LIST_ATOMIC;
}

static void on_list_keys(struct compiler *c, struct schema *s, const json_t *v)
{
    s->list_keys = v;
}

static void on_default(struct compiler *c, struct schema *s, const json_t *v)
{
    s->default_value = v;
}

static void on_enum(struct compiler *c, struct schema *s, const json_t *v)
{
    s->values = v;
}

static void on_pattern(struct compiler *c, struct schema *s, const json_t *v)
{
    s->pattern = pattern_get(c->patterns, json_string_value(v));
}

static void on_length_min(struct compiler *c, struct schema *s, const json_t *v)
{
    s->length_min = json_integer_value(v);
}

static void on_length_max(struct compiler *c, struct schema *s, const json_t *v)
{
    s->length_max = json_integer_value(v);
}

static void on_minimum(struct compiler *c, struct schema *s, const json_t *v)
{
    ASSERT(json_is_integer(v));
    s->value_min = json_integer_value(v);
}

static void on_maximum(struct compiler *c, struct schema *s, const json_t *v)
{
    ASSERT(json_is_integer(v));
    s->value_max = json_integer_value(v);
}

static void on_nullable(struct compiler *c, struct schema *s, const json_t *v)
{
    s->nullable = json_is_true(v);
}

static void on_int_or_string(struct compiler *c, struct schema *s, const json_t *v)
{
    s->type = SCHEMA_INT_OR_STRING;
}

static void on_preserve(struct compiler *c, struct schema *s, const json_t *v)
{
    s->type = SCHEMA_ANY;
}

static void on_rules(struct compiler *c, struct schema *s, const json_t *v)
{
    s->rules = ARENA_ARRAY(c->arena, const struct rule *, json_array_size(v));
    size_t i;
    const json_t *rule;
    json_array_foreach(v, i, rule)
    {
        const struct rule *bound = rule_find(json_string_value(json_object_get(rule, "message")));
        ASSERT(bound != NULL);
        s->rules[s->n_rules++] = bound;
    }
}

/* Merging is left to the api (server-side apply); here a map is an object like any other. */
static void on_map_type(struct compiler *c, struct schema *s, const json_t *v)
{
    ASSERT(json_is_string(v));
}

static const struct keyword {
    const char *name;
    void (*on)(struct compiler *c, struct schema *s, const json_t *value);
} keywords[] = {
    {"type", on_type},
    {"format", on_format},
    {"properties", on_properties},
    {"required", on_required},
    {"additionalProperties", on_additional},
    {"items", on_items},
    {"default", on_default},
    {"enum", on_enum},
    {"pattern", on_pattern},
    {"minLength", on_length_min},
    {"maxLength", on_length_max},
    {"minItems", on_length_min},
    {"maxItems", on_length_max},
    {"minProperties", on_length_min},
    {"maxProperties", on_length_max},
    {"minimum", on_minimum},
    {"maximum", on_maximum},
    {"nullable", on_nullable},
    {"x-kubernetes-int-or-string", on_int_or_string},
    {"x-kubernetes-preserve-unknown-fields", on_preserve},
    {"x-kubernetes-list-type", on_list_type},
    {"x-kubernetes-list-map-keys", on_list_keys},
    {"x-kubernetes-map-type", on_map_type},
    {"x-kubernetes-validations", on_rules},
};

static const struct keyword *find_keyword(const char *name)
{
    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
        if (strcmp(keywords[i].name, name) == 0) {
            return &keywords[i];
        }
    }
    return NULL;
}

static void compile_node(struct compiler *c, struct schema *s)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)s->source, key, value)
    {
        const struct keyword *k = find_keyword(key);
        ASSERT(k != NULL);
        k->on(c, s, value);
    }
    ASSERT(s->list != SCHEMA_LIST_MAP || json_array_size(s->list_keys) > 0);
    ASSERT(s->length_min <= s->length_max && s->value_min <= s->value_max);
}

const struct schema *schema_compile(struct arena *a, struct pattern_cache *patterns,
                                    const json_t *json)
{
    struct compiler c = {.arena = a, .patterns = patterns};
    struct schema *root = add_node(&c, json);
    for (struct schema *s = root; s != NULL; s = s->next) {
        compile_node(&c, s);
    }
    return root;
}

const struct schema *schema_property(const struct schema *s, const char *name)
{
    struct schema_property key = {.name = name};
    const struct schema_property *found =
        s->n_properties == 0 ? NULL
                             : bsearch(&key, s->properties, s->n_properties,
                                       sizeof(s->properties[0]), compare_properties);
    return found != NULL ? found->schema : NULL;
}
