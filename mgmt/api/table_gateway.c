/* SPDX-License-Identifier: Apache-2.0 */
/* What `kubectl get` shows of Gateway API's kinds. See table_gateway.h. */
#include "api/table_gateway.h"

#include "base/container.h"
#include "model/at.h"

#include <stdio.h>
#include <string.h>

#define CELL_BYTES 256

static const struct shown {
    const char *kind, *name, *help;
    const char *part, *list; /* the text, or the list of texts, of the object's part */
    const char *member;      /* of objects in the list; NULL: they are texts */
} all[] = {
    {"GatewayClass", "Controller", "Who serves it", "spec", "controllerName", NULL},
    {"Gateway", "Class", "Which one it is of", "spec", "gatewayClassName", NULL},
    {"Gateway", "Address", "Where it is served", "status", "addresses", "value"},
    {"HTTPRoute", "Hostnames", "Whose requests", "spec", "hostnames", NULL},
    {"GRPCRoute", "Hostnames", "Whose calls", "spec", "hostnames", NULL},
    {"TLSRoute", "Hostnames", "Whose connections", "spec", "hostnames", NULL},
};

static bool is_of(const struct shown *s, const struct resource_type *type)
{
    return strcmp(s->kind, type->kind) == 0;
}

void table_gateway_columns(const struct resource_type *type, json_t *columns)
{
    for (size_t i = 0; i < array_len(all); i++) {
        if (is_of(&all[i], type))
            json_array_append_new(columns, json_pack("{s:s,s:s,s:s,s:s,s:i}", "name", all[i].name,
                                                     "type", "string", "format", "", "description",
                                                     all[i].help, "priority", 0));
    }
}

/* The text, or those of the list with commas between; what does not fit is left out whole. */
static json_t *cell_of(const struct shown *s, const json_t *object)
{
    char text[CELL_BYTES] = "";
    const json_t *value = at_path(object, s->part, s->list);
    size_t i;
    const json_t *item;
    if (json_is_string(value))
        return json_string(json_string_value(value));
    json_array_foreach(value, i, item)
    {
        const json_t *named = s->member != NULL ? json_object_get(item, s->member) : item;
        const char *word = json_string_value(named);
        size_t len = strlen(text);
        if (word == NULL || len + strlen(word) + sizeof(",...") > sizeof(text))
            return json_sprintf("%s%s...", text, len > 0 ? "," : "");
        snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? "," : "", word);
    }
    return json_string(text);
}

void table_gateway_cells(const struct resource_type *type, const json_t *object, json_t *cells)
{
    for (size_t i = 0; i < array_len(all); i++) {
        if (is_of(&all[i], type))
            json_array_append_new(cells, cell_of(&all[i], object));
    }
}
