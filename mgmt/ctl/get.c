/* SPDX-License-Identifier: Apache-2.0 */
/* get: objects as a table, JSON, YAML or names. Owner: sluicectl; thread: one. */
#include "base/assert.h"
#include "ctl/client.h"
#include "ctl/ctl.h"
#include "yaml/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_yaml(json_t *value)
{
    char *text = yaml_dump(value);
    ASSERT(text != NULL);
    fputs(text, stdout);
    free(text);
}

/* "True"/"False"/"Unknown" of a condition, from the object's own or, for routes, each parent's; "-"
 * if none. */
static void condition_text(const json_t *object, const char *type, char *text, size_t size)
{
    const json_t *status = json_object_get(object, "status");
    const json_t *parents = json_object_get(status, "parents");
    size_t n = parents != NULL ? json_array_size(parents) : 1;
    size_t len = 0;
    for (size_t p = 0; p < n && len < size; p++) {
        const json_t *holder = parents != NULL ? json_array_get(parents, p) : status;
        size_t i;
        const json_t *condition;
        json_array_foreach(json_object_get(holder, "conditions"), i, condition)
        {
            if (len < size && strcmp(ctl_text_at(condition, "type"), type) == 0)
                len += (size_t)snprintf(text + len, size - len, "%s%s", len > 0 ? "," : "",
                                        ctl_text_at(condition, "status"));
        }
    }
    if (len == 0)
        snprintf(text, size, "-");
}

/* Of a Gateway, or of a Backend; "" if it has none. */
static const char *address_text(const json_t *object)
{
    const json_t *address =
        json_array_get(json_object_get(json_object_get(object, "status"), "addresses"), 0);
    const char *value = ctl_text_at(address, "value");
    return value[0] != '\0' ? value : ctl_text_at(address, "address");
}

static void print_row(const json_t *object)
{
    char accepted[128];
    char programmed[128];
    condition_text(object, "Accepted", accepted, sizeof(accepted));
    condition_text(object, "Programmed", programmed, sizeof(programmed));
    printf("%-24s %-28s %-10s %-11s %s\n", ctl_text_at(object, "metadata.namespace"),
           ctl_text_at(object, "metadata.name"), accepted, programmed, address_text(object));
}

static void print_objects(const struct ctl_options *o, const struct client_resource *r,
                          json_t *answer)
{
    json_t *items = json_object_get(answer, "items");
    size_t n = items != NULL ? json_array_size(items) : 1;
    if (o->output == CTL_JSON) {
        json_dumpf(answer, stdout, JSON_INDENT(2));
        putchar('\n');
        return;
    }
    if (o->output == CTL_YAML) {
        print_yaml(answer);
        return;
    }
    if (o->output == CTL_TABLE)
        printf("%-24s %-28s %-10s %-11s %s\n", "NAMESPACE", "NAME", "ACCEPTED", "PROGRAMMED",
               "ADDRESS");
    for (size_t i = 0; i < n; i++) {
        const json_t *object = items != NULL ? json_array_get(items, i) : answer;
        if (o->output == CTL_NAME)
            printf("%s/%s\n", r->kind, ctl_text_at(object, "metadata.name"));
        else
            print_row(object);
    }
}

enum ctl_exit ctl_get(struct client *c, const struct ctl_options *o)
{
    struct client_resource r;
    char path[CLIENT_PATH_MAX];
    json_t *answer = NULL;
    if (o->n_words < 1 || o->n_words > 2) {
        fprintf(stderr, "sluicectl: get wants KIND [NAME]\n");
        return CTL_USAGE;
    }
    if (client_resource_find(c, o->words[0], NULL, &r) != 0) {
        fprintf(stderr, "sluicectl: %s\n", client_error(c));
        return CTL_FAILED;
    }
    const char *name = o->n_words == 2 ? o->words[1] : NULL;
    const char *namespace = o->namespace != NULL ? o->namespace : "default";
    if (!client_resource_path(&r, o->all_namespaces && name == NULL ? NULL : namespace, name,
                              path)) {
        fprintf(stderr, "sluicectl: there can be no such name or namespace\n");
        return CTL_USAGE;
    }
    int status = client_call(c, "GET", path, NULL, NULL, &answer);
    if (status == 200)
        print_objects(o, &r, answer);
    else
        ctl_print_refusal(c, path, status, answer);
    json_decref(answer);
    return status == 200 ? CTL_DONE : CTL_FAILED;
}
