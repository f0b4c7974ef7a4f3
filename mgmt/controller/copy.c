/* SPDX-License-Identifier: Apache-2.0 */
/* Copies made, and read back. */
#include "controller/copy.h"

#include "base/container.h"
#include "base/siphash.h"
#include "controller/refs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Levels that are compared; objects have at most 48. */
#define COMPARE_DEPTH_MAX 64u

/* ---- names ---- */

bool copy_name_there(const struct copy_names *names, const char *here, char ret[254])
{
    return snprintf(ret, 254, "%s%s", names->prefix, here) < 254;
}

bool copy_name_here(const struct copy_names *names, const char *there, char ret[254])
{
    size_t n = strlen(names->prefix);
    if (strncmp(there, names->prefix, n) != 0 || there[n] == '\0')
        return false;
    return snprintf(ret, 254, "%s", there + n) < 254;
}

typedef bool (*rename_fn)(const struct copy_names *names, const char *from, char ret[254]);

static bool rename_key(rename_fn rename, const struct copy_names *names, enum kind kind,
                       const char *namespace_, const char *name, char ret_namespace[254],
                       char ret_name[254])
{
    ret_namespace[0] = '\0';
    if (!kind_info(kind)->is_namespaced)
        return rename(names, name, ret_name);
    return snprintf(ret_name, 254, "%s", name) < 254 && rename(names, namespace_, ret_namespace);
}

bool copy_key_there(const struct copy_names *names, enum kind kind, const char *namespace_,
                    const char *name, char ret_namespace[254], char ret_name[254])
{
    return rename_key(copy_name_there, names, kind, namespace_, name, ret_namespace, ret_name);
}

bool copy_key_here(const struct copy_names *names, enum kind kind, const char *namespace_,
                   const char *name, char ret_namespace[254], char ret_name[254])
{
    return rename_key(copy_name_here, names, kind, namespace_, name, ret_namespace, ret_name);
}

/* ---- references ---- */

struct renaming {
    const struct copy_names *names;
    rename_fn rename;
    bool has_failed;
};

/* Renames the text member of an object, if it is there. */
static void rename_member(struct renaming *r, json_t *object, const char *key)
{
    char name[254];
    const char *old = json_string_value(json_object_get(object, key));
    if (old == NULL || old[0] == '\0')
        return;
    if (!r->rename(r->names, old, name) || json_object_set_new(object, key, json_string(name)) != 0)
        r->has_failed = true;
}

static void rename_ref(void *owner, const struct ref *ref)
{
    struct renaming *r = owner;
    bool is_wide = ref->kind != KIND_COUNT && !kind_info(ref->kind)->is_namespaced;
    rename_member(r, ref->at, is_wide ? "name" : "namespace");
}

#define NAMESPACE_NAME_LABEL "kubernetes.io/metadata.name"

/* A selector of namespaces may name them. */
static void rename_selector(struct renaming *r, json_t *selector)
{
    size_t i, j;
    json_t *term;
    const json_t *old;
    rename_member(r, json_object_get(selector, "matchLabels"), NAMESPACE_NAME_LABEL);
    json_array_foreach(json_object_get(selector, "matchExpressions"), i, term)
    {
        json_t *values = json_object_get(term, "values");
        if (strcmp(kube_text_at(term, "key"), NAMESPACE_NAME_LABEL) != 0)
            continue;
        json_array_foreach(values, j, old)
        {
            char name[254];
            if (!json_is_string(old) || !r->rename(r->names, json_string_value(old), name) ||
                json_array_set_new(values, j, json_string(name)) != 0)
                r->has_failed = true;
        }
    }
}

/* Who may attach: allowedRoutes of each listener, and allowedListeners. */
static void rename_selectors(struct renaming *r, json_t *spec)
{
    size_t i;
    const json_t *listener;
    const json_t *allowed = json_object_get(spec, "allowedListeners");
    rename_selector(r, json_object_get(json_object_get(allowed, "namespaces"), "selector"));
    json_array_foreach(json_object_get(spec, "listeners"), i, listener)
    {
        allowed = json_object_get(listener, "allowedRoutes");
        rename_selector(r, json_object_get(json_object_get(allowed, "namespaces"), "selector"));
    }
}

/* All names of namespaces and of what is cluster-wide in the contents of an object that is ours to
 * change. */
static bool rename_contents(const struct copy_names *names, rename_fn rename, enum kind kind,
                            json_t *object)
{
    struct renaming r = {names, rename, false};
    json_t *spec = json_object_get(object, "spec");
    size_t i;
    json_t *item;
    if (names->prefix[0] == '\0')
        return true;
    refs_each(object, rename_ref, &r);
    if (kind == KIND_GATEWAY)
        rename_member(&r, spec, "gatewayClassName");
    if (kind == KIND_GATEWAY || kind == KIND_LISTENER_SET)
        rename_selectors(&r, spec);
    if (kind == KIND_REFERENCE_GRANT) {
        json_array_foreach(json_object_get(spec, "from"), i, item)
            rename_member(&r, item, "namespace");
    }
    if (kind == KIND_ENDPOINT_SLICE) {
        json_array_foreach(json_object_get(object, "endpoints"), i, item)
            rename_member(&r, item, "nodeName");
    }
    return !r.has_failed;
}

/* ---- making ---- */

/* What balancing needs to know of a Node, and not its heartbeats and images: then those are no
 * change. */
static json_t *project_node(const json_t *node)
{
    static const char *const kept[] = {"podCIDR", "podCIDRs", "unschedulable"};
    json_t *spec = json_object();
    json_t *conditions = json_array();
    const json_t *status = json_object_get(node, "status");
    json_t *addresses = json_object_get(status, "addresses");
    size_t i;
    const json_t *condition;
    for (i = 0; i < array_len(kept); i++) {
        json_t *value = json_object_get(json_object_get(node, "spec"), kept[i]);
        if (value != NULL)
            json_object_set(spec, kept[i], value);
    }
    json_array_foreach(json_object_get(status, "conditions"), i, condition)
    {
        if (strcmp(kube_text_at(condition, "type"), "Ready") == 0)
            json_array_append_new(conditions, json_pack("{s:s,s:s}", "type", "Ready", "status",
                                                        kube_text_at(condition, "status")));
    }
    json_t *fresh_status = json_pack("{s:o}", "conditions", conditions);
    if (addresses != NULL)
        json_object_set(fresh_status, "addresses", addresses);
    return json_pack("{s:o,s:o}", "spec", spec, "status", fresh_status);
}

/* All but what belongs to the server, deep, so that it may be changed. */
static json_t *contents_of(enum kind kind, const json_t *object)
{
    static const char *const left_out[] = {"status", "apiVersion", "kind", "metadata"};
    if (kind == KIND_NODE)
        return project_node(object);
    json_t *copy = kind == KIND_NAMESPACE ? json_object() : json_copy((json_t *)(uintptr_t)object);
    for (size_t i = kind == KIND_POD; i < array_len(left_out); i++) /* a Pod's is its addresses */
        json_object_del(copy, left_out[i]);
    return copy;
}

static json_t *labels_of(const struct copy_names *names, const json_t *object)
{
    json_t *labels = json_copy(json_object_get(json_object_get(object, "metadata"), "labels"));
    if (labels == NULL)
        labels = json_object();
    json_object_del(labels, NAMESPACE_NAME_LABEL); /* the appliance sets it, to the name there */
    json_object_set_new(labels, MIRROR_LABEL, json_string(names->cluster));
    return labels;
}

static json_t *metadata_of(const struct copy_names *names, enum kind kind, const json_t *object,
                           const char *cluster_uid)
{
    char namespace_[254];
    char name[254];
    const json_t *old = json_object_get(object, "metadata");
    if (!copy_key_there(names, kind, kube_text_at(old, "namespace"), kube_text_at(old, "name"),
                        namespace_, name))
        return NULL;
    json_t *metadata =
        json_pack("{s:s,s:o,s:{s:s,s:o,s:s}}", "name", name, "labels", labels_of(names, object),
                  "annotations", MIRROR_UID, kube_text_at(old, "uid"), MIRROR_GENERATION,
                  json_sprintf("%" JSON_INTEGER_FORMAT,
                               json_integer_value(json_object_get(old, "generation"))),
                  MIRROR_CLUSTER, cluster_uid);
    const char *created = kube_text_at(old, "creationTimestamp");
    if (created[0] != '\0')
        json_object_set_new(json_object_get(metadata, "annotations"), MIRROR_CREATED,
                            json_string(created));
    if (namespace_[0] != '\0')
        json_object_set_new(metadata, "namespace", json_string(namespace_));
    return metadata;
}

/* A hash of the text, wiped afterwards: it may be a Secret. */
static json_t *hash_of(const json_t *copy)
{
    static const struct siphash_key key = {0x736c756963652d63, 0x6f6e74726f6c6c65};
    char *text = json_dumps(copy, JSON_COMPACT | JSON_SORT_KEYS);
    if (text == NULL)
        return NULL;
    size_t n = strlen(text);
    uint64_t hash = siphash(&key, text, n);
    explicit_bzero(text, n);
    free(text);
    return json_sprintf("%016" PRIx64, hash);
}

json_t *copy_make(const struct copy_names *names, enum kind kind, json_t *object,
                  const char *api_version, const char *cluster_uid)
{
    json_t *copy = contents_of(kind, object);
    if (copy != NULL && names->prefix[0] != '\0') {
        json_t *deep = json_deep_copy(copy);
        json_decref(copy);
        copy = deep;
    }
    json_t *metadata = metadata_of(names, kind, object, cluster_uid);
    if (copy == NULL || metadata == NULL || json_object_set_new(copy, "metadata", metadata) != 0 ||
        !rename_contents(names, copy_name_there, kind, copy)) {
        json_decref(copy);
        return NULL;
    }
    json_t *hash = hash_of(copy);
    json_object_set_new(json_object_get(metadata, "annotations"), MIRROR_HASH, hash);
    json_object_set_new(copy, "apiVersion", json_string(api_version));
    json_object_set_new(copy, "kind", json_string(kind_info(kind)->name));
    return copy;
}

void copy_set_age(json_t *copy, const json_t *object)
{
    const char *created = kube_text_at(object, "metadata.creationTimestamp");
    if (created[0] != '\0')
        json_object_set_new(json_object_get(copy, "metadata"), "creationTimestamp",
                            json_string(created));
}

json_t *copy_back(const struct copy_names *names, enum kind kind, const json_t *copy)
{
    char namespace_[254];
    char name[254];
    json_t *object = json_deep_copy(copy);
    json_t *metadata = json_object_get(object, "metadata");
    if (object == NULL ||
        !copy_key_here(names, kind, kube_text_at(metadata, "namespace"),
                       kube_text_at(metadata, "name"), namespace_, name) ||
        !rename_contents(names, copy_name_here, kind, object)) {
        json_decref(object);
        return NULL;
    }
    json_object_set_new(metadata, "name", json_string(name));
    if (namespace_[0] != '\0')
        json_object_set_new(metadata, "namespace", json_string(namespace_));
    json_t *created = json_object_get(json_object_get(metadata, "annotations"), MIRROR_CREATED);
    if (created != NULL)
        json_object_set(metadata, "creationTimestamp", created);
    return object;
}

/* ---- comparing ---- */

bool copy_may_lose_fields(enum kind kind)
{
    return strchr(kind_info(kind)->group, '.') == NULL || kind == KIND_ENDPOINT_SLICE;
}

static const char *hash_in(const json_t *copy)
{
    const json_t *annotations = json_object_get(json_object_get(copy, "metadata"), "annotations");
    const char *hash = json_string_value(json_object_get(annotations, MIRROR_HASH));
    return hash != NULL ? hash : "";
}

/* Two values that are still to be compared. */
struct pair {
    const json_t *wanted, *there;
    void *iterator;
    size_t i;
};

/* The next two values on a level; both NULL: none is left. */
static struct pair next_pair(struct pair *p)
{
    json_t *wanted;
    json_t *there;
    if (json_is_array(p->wanted)) {
        if (p->i >= json_array_size(p->wanted))
            return (struct pair){0};
        wanted = json_array_get(p->wanted, p->i);
        there = json_array_get(p->there, p->i++);
    } else {
        if (p->iterator == NULL)
            return (struct pair){0};
        wanted = json_object_iter_value(p->iterator);
        there = json_object_get(p->there, json_object_iter_key(p->iterator));
        p->iterator = json_object_iter_next((json_t *)(uintptr_t)p->wanted, p->iterator);
    }
    return (struct pair){
        .wanted = wanted,
        .there = there,
        .iterator = json_is_object(wanted) ? json_object_iter(wanted) : NULL,
    };
}

/* Is a value there, as far as it can be said without going into it? */
static bool is_like(const json_t *wanted, const json_t *there, bool is_lenient)
{
    if (json_is_null(wanted) || (there == NULL && is_lenient))
        return true;
    if (json_is_array(wanted))
        return json_is_array(there) && json_array_size(wanted) == json_array_size(there);
    if (json_is_object(wanted))
        return json_is_object(there) || (there == NULL && json_object_size(wanted) == 0);
    return json_equal((json_t *)(uintptr_t)wanted, (json_t *)(uintptr_t)there);
}

bool copy_is_current(enum kind kind, const json_t *wanted, const json_t *there)
{
    struct pair stack[COMPARE_DEPTH_MAX];
    bool is_lenient = copy_may_lose_fields(kind);
    unsigned n = 0;
    if (strcmp(hash_in(wanted), hash_in(there)) != 0)
        return false;
    stack[n++] = (struct pair){.wanted = wanted,
                               .there = there,
                               .iterator = json_object_iter((json_t *)(uintptr_t)wanted)};
    while (n > 0) {
        struct pair below = next_pair(&stack[n - 1]);
        if (below.wanted == NULL) {
            n -= 1;
            continue;
        }
        if (!is_like(below.wanted, below.there, is_lenient))
            return false;
        bool is_container =
            below.there != NULL && (json_is_object(below.wanted) || json_is_array(below.wanted));
        if (is_container && n < COMPARE_DEPTH_MAX)
            stack[n++] = below;
    }
    return true;
}
