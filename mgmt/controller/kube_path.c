/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of resources, and texts within objects. Pure. */
#include "controller/kube.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>

bool kube_path_append(char path[KUBE_PATH_MAX], const char *segment)
{
    static const char plain[] =
        "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    size_t n = strlen(path);
    if (segment[0] == '\0' || strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0)
        return false; /* they would name something else than an object */
    if (n + 1 + 3 * strlen(segment) >= KUBE_PATH_MAX)
        return false;
    path[n++] = '/';
    for (; *segment != '\0'; segment++) {
        if (strchr(plain, *segment) != NULL)
            path[n++] = *segment;
        else
            n += (size_t)sprintf(path + n, "%%%02X", (unsigned)(unsigned char)*segment);
    }
    path[n] = '\0';
    return true;
}

bool kube_path_add(char path[KUBE_PATH_MAX], const char *name, const char *value)
{
    char encoded[KUBE_PATH_MAX] = "";
    if (!kube_path_append(encoded, value))
        return false;
    size_t n = strlen(path);
    int len = snprintf(path + n, KUBE_PATH_MAX - n, "%c%s=%s", strchr(path, '?') ? '&' : '?', name,
                       encoded + 1);
    return len > 0 && n + (size_t)len < KUBE_PATH_MAX;
}

bool kube_path(char path[KUBE_PATH_MAX], const char *api_version, const char *plural,
               const char *namespace_, const char *name, const char *subresource)
{
    const char *root = strchr(api_version, '/') == NULL ? "/api" : "/apis";
    if (snprintf(path, KUBE_PATH_MAX, "%s/%s", root, api_version) >= (int)KUBE_PATH_MAX)
        return false;
    if (namespace_ != NULL &&
        (!kube_path_append(path, "namespaces") || !kube_path_append(path, namespace_)))
        return false;
    return kube_path_append(path, plural) && (name == NULL || kube_path_append(path, name)) &&
           (subresource == NULL || kube_path_append(path, subresource));
}

const char *kube_text_at(const json_t *object, const char *path)
{
    while (object != NULL && *path != '\0') {
        char key[64];
        size_t n = strcspn(path, ".");
        ASSERT(n < sizeof(key));
        memcpy(key, path, n);
        key[n] = '\0';
        object = json_object_get(object, key);
        path += path[n] == '.' ? n + 1 : n;
    }
    const char *text = json_string_value(object);
    return text != NULL ? text : "";
}
