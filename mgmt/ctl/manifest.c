/* SPDX-License-Identifier: Apache-2.0 */
/* Manifest files in, refusals out: what apply and delete share. Owner: sluicectl; thread: one. */
#include "base/assert.h"
#include "ctl/client.h"
#include "ctl/ctl.h"
#include "yaml/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANIFEST_BYTES_MAX (64u << 20) /* far above what a person writes */

const char *ctl_text_at(const json_t *object, const char *path)
{
    char key[64];
    while (object != NULL && *path != '\0') {
        size_t len = strcspn(path, ".");
        ASSERT(len < sizeof(key));
        memcpy(key, path, len);
        key[len] = '\0';
        object = json_object_get(object, key);
        path += len + (path[len] == '.');
    }
    const char *text = json_string_value(object);
    return text != NULL ? text : "";
}

/* The whole file; NULL with errno. */
static char *read_all(FILE *f, size_t *ret_len)
{
    size_t len = 0;
    size_t size = 65536;
    char *data = malloc(size);
    while (data != NULL && len < MANIFEST_BYTES_MAX) {
        size_t n = fread(data + len, 1, size - len, f);
        len += n;
        if (n == 0)
            break;
        if (len == size) {
            char *grown = realloc(data, size *= 2);
            if (grown == NULL)
                free(data);
            data = grown;
        }
    }
    if (data != NULL && (ferror(f) || len >= MANIFEST_BYTES_MAX)) {
        errno = ferror(f) ? EIO : EFBIG;
        free(data);
        return NULL;
    }
    *ret_len = len;
    return data;
}

static bool append_object(json_t *objects, json_t *document)
{
    size_t i;
    json_t *item;
    const char *kind = ctl_text_at(document, "kind");
    if (!json_is_object(document) || kind[0] == '\0')
        return false;
    if (strcmp(kind, "List") != 0)
        return json_array_append(objects, document) == 0;
    json_array_foreach(json_object_get(document, "items"), i, item)
    {
        if (!json_is_object(item) || json_array_append(objects, item) != 0)
            return false;
    }
    return true;
}

static json_t *flatten(const char *file, json_t *documents)
{
    size_t i;
    json_t *document;
    json_t *objects = json_array();
    json_array_foreach(documents, i, document)
    {
        if (append_object(objects, document))
            continue;
        fprintf(stderr, "sluicectl: %s: document %zu is not an object with a kind\n", file, i + 1);
        json_decref(objects);
        return NULL;
    }
    return objects;
}

json_t *ctl_manifests_read(const char *file)
{
    struct yaml_error error;
    json_t *documents;
    size_t len;
    FILE *f = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
    char *data = f != NULL ? read_all(f, &len) : NULL;
    if (f != NULL && f != stdin)
        fclose(f);
    if (data == NULL) {
        fprintf(stderr, "sluicectl: %s: %s\n", file, strerror(errno));
        return NULL;
    }
    int result = yaml_load(data, len, &documents, &error);
    free(data);
    if (result != 0) {
        fprintf(stderr, "sluicectl: %s:%zu:%zu: %s\n", file, error.line, error.column, error.text);
        return NULL;
    }
    json_t *objects = flatten(file, documents);
    json_decref(documents);
    return objects;
}

void ctl_print_refusal(const struct client *c, const char *subject, int status,
                       const json_t *answer)
{
    if (status < 0) {
        fprintf(stderr, "%s: %s\n", subject, client_error(c));
        return;
    }
    const char *message = ctl_text_at(answer, "message");
    const char *reason = ctl_text_at(answer, "reason");
    fprintf(stderr, "%s: refused (%d %s): %s\n", subject, status, reason, message);
    size_t i;
    const json_t *cause;
    json_array_foreach(json_object_get(json_object_get(answer, "details"), "causes"), i, cause)
    {
        fprintf(stderr, "  %s: %s\n", ctl_text_at(cause, "field"), ctl_text_at(cause, "message"));
    }
}
