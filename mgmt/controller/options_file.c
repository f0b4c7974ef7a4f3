/* SPDX-License-Identifier: Apache-2.0 */
/* The appliances' file: YAML in, appliances out. */
#include "controller/options_file.h"

#include "base/container.h"
#include "controller/kubeconfig.h"
#include "yaml/yaml.h"

#include <errno.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    const char *file;
    size_t number; /* of the appliance, from 0 */
};

__attribute__((format(printf, 2, 3))) static int complain(const struct reading *r,
                                                          const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "sluice-controller: %s: appliances[%zu]", r->file, r->number);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return -EINVAL;
}

/* A file's name, from our file's folder on. */
static char *beside(const struct reading *r, const char *name)
{
    char *path = NULL;
    char *copy = strdup(r->file);
    int n = copy == NULL     ? -1
            : name[0] == '/' ? asprintf(&path, "%s", name)
                             : asprintf(&path, "%s/%s", dirname(copy), name);
    free(copy);
    return n < 0 ? NULL : path;
}

/* Where a field goes, and whether it is a file to be read. */
struct field {
    const char *key;
    char **to;
    enum { TEXT, PATH, CONTENT } what;
};

static int take_field(const struct reading *r, const struct field *f, const char *text)
{
    if (f->what == TEXT) {
        *f->to = strdup(text);
        return *f->to != NULL ? 0 : complain(r, ": no memory");
    }
    char *path = beside(r, text);
    if (path == NULL)
        return complain(r, ": no memory");
    if (f->what == PATH) {
        *f->to = path;
        return 0;
    }
    int error = kubeconfig_read_file(path, f->to);
    free(path);
    return error == 0 ? 0 : complain(r, ".%s: %s: %s", f->key, text, strerror(-error));
}

static int take_appliance(const struct reading *r, const json_t *item, struct kube_access *a,
                          char **name)
{
    const struct field fields[] = {
        {"name", name, TEXT},
        {"server", &a->server, TEXT},
        {"serverName", &a->server_name, TEXT},
        {"caFile", &a->ca_pem, CONTENT},
        {"tokenFile", &a->token_file, PATH},
        {"certificateFile", &a->certificate_pem, CONTENT},
        {"keyFile", &a->key_pem, CONTENT},
    };
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)item, key, value)
    {
        size_t i = 0;
        while (i < array_len(fields) && strcmp(fields[i].key, key) != 0)
            i++;
        if (i == array_len(fields))
            return complain(r, ".%s: there is no such field", key);
        if (!json_is_string(value))
            return complain(r, ".%s: must be a text", key);
        int error = take_field(r, &fields[i], json_string_value(value));
        if (error != 0)
            return error;
    }
    if (a->server == NULL || strncmp(a->server, "https://", 8) != 0)
        return complain(r, ".server: an https URL is required");
    if (*name == NULL)
        *name = strdup(a->server + 8);
    return *name != NULL ? 0 : complain(r, ": no memory");
}

static int take_all(const char *file, const json_t *config, struct options *o)
{
    struct reading r = {.file = file};
    const json_t *list = json_object_get(config, "appliances");
    const json_t *item;
    if (!json_is_array(list) || json_object_size(config) != 1)
        return complain(&r, ": the file has one field, appliances, a list");
    json_array_foreach(list, r.number, item)
    {
        if (o->n_appliances == MIRROR_APPLIANCES_MAX)
            return complain(&r, ": there are more than %u", MIRROR_APPLIANCES_MAX);
        size_t i = o->n_appliances++;
        int error = take_appliance(&r, item, &o->accesses[i], &o->names[i]);
        if (error != 0)
            return error;
    }
    return 0;
}

int options_file_read(const char *file, struct options *o)
{
    struct yaml_error fault;
    json_t *documents = NULL;
    char *text = NULL;
    int error = kubeconfig_read_file(file, &text);
    if (error != 0) {
        fprintf(stderr, "sluice-controller: %s: %s\n", file, strerror(-error));
        return -EINVAL;
    }
    error = yaml_load(text, strlen(text), &documents, &fault);
    free(text);
    if (error != 0) {
        fprintf(stderr, "sluice-controller: %s:%zu:%zu: %s\n", file, fault.line, fault.column,
                fault.text);
        return -EINVAL;
    }
    error = take_all(file, json_array_get(documents, 0), o);
    json_decref(documents);
    return error;
}
