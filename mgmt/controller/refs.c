/* SPDX-License-Identifier: Apache-2.0 */
/* The walk over a spec, and what a reference's name says of its kind. */
#include "controller/refs.h"

#include "base/container.h"

#include <string.h>

#define GATEWAY "gateway.networking.k8s.io"

/* A value on the way down: an object by its iterator, a list by its index. */
struct level {
    json_t *value;
    void *iterator;
    size_t i;
    const char *key; /* of the member that it is, for lists of references */
};

static bool has_ending(const char *text, const char *ending)
{
    size_t n = strlen(text);
    size_t m = strlen(ending);
    return n >= m && strcmp(text + n - m, ending) == 0;
}

static bool is_ref_key(const char *key)
{
    return has_ending(key, "Ref") || has_ending(key, "Refs");
}

/* What a reference means that does not say so. */
static void guess(const char *key, const char **group, const char **kind)
{
    static const struct {
        const char *part, *group, *kind;
    } habits[] = {
        {"parent", GATEWAY, "Gateway"},     {"backend", "", "Service"},
        {"caCertificate", "", "ConfigMap"}, {"ertificate", "", "Secret"},
        {"secret", "", "Secret"},           {"configMap", "", "ConfigMap"},
    };
    for (size_t i = 0; i < array_len(habits); i++) {
        if (strstr(key, habits[i].part) == NULL)
            continue;
        if (*group == NULL)
            *group = habits[i].group;
        if (*kind == NULL)
            *kind = habits[i].kind;
        return;
    }
}

static bool is_join(const char *key)
{
    return strncmp(key, "parentRef", 9) == 0 || strncmp(key, "targetRef", 9) == 0;
}

static void tell(json_t *at, const char *key, void (*fn)(void *owner, const struct ref *ref),
                 void *owner)
{
    const char *name = json_string_value(json_object_get(at, "name"));
    const char *group = json_string_value(json_object_get(at, "group"));
    const char *kind = json_string_value(json_object_get(at, "kind"));
    if (name == NULL || name[0] == '\0')
        return;
    guess(key, &group, &kind);
    struct ref ref = {
        .at = at,
        .key = key,
        .kind = kind != NULL ? kind_find(group != NULL ? group : "", kind) : KIND_COUNT,
        .namespace_ = json_string_value(json_object_get(at, "namespace")),
        .name = name,
        .is_join = is_join(key),
    };
    if (ref.kind != KIND_COUNT && !kind_info(ref.kind)->is_namespaced)
        ref.namespace_ = "";
    fn(owner, &ref);
}

/* The next value below; NULL: none left. */
static json_t *next(struct level *at, const char **ret_key)
{
    json_t *value;
    *ret_key = at->key;
    if (json_is_array(at->value))
        return json_array_get(at->value, at->i++);
    if (at->iterator == NULL)
        return NULL;
    *ret_key = json_object_iter_key(at->iterator);
    value = json_object_iter_value(at->iterator);
    at->iterator = json_object_iter_next(at->value, at->iterator);
    return value;
}

void refs_each(json_t *object, void (*fn)(void *owner, const struct ref *ref), void *owner)
{
    struct level levels[REFS_DEPTH_MAX];
    unsigned depth = 0;
    json_t *spec = json_object_get(object, "spec");
    if (!json_is_object(spec))
        return;
    levels[depth++] =
        (struct level){.value = spec, .iterator = json_object_iter(spec), .key = "spec"};
    while (depth > 0) {
        const char *key;
        json_t *value = next(&levels[depth - 1], &key);
        if (value == NULL) {
            depth -= 1;
            continue;
        }
        if (!json_is_object(value) && !json_is_array(value))
            continue;
        if (json_is_object(value) && is_ref_key(key))
            tell(value, key, fn, owner);
        if (depth < REFS_DEPTH_MAX)
            levels[depth++] =
                (struct level){.value = value, .iterator = json_object_iter(value), .key = key};
    }
}
