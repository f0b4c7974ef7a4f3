/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, closing and reading. Reading never touches the disk. */
#include "store/store_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a store that could not be opened: there is no struct store to ask any more. */
static char open_error[sizeof(((struct store *)0)->error)];

int store_open(const char *state_dir, struct store **ret, const char **ret_error)
{
    struct store *store = calloc(1, sizeof(*store));
    if (store == NULL)
        return -ENOMEM;
    store->lock_fd = -1;
    store->version = 1;
    list_init(&store->listeners);
    int error = store_db_open(store, state_dir);
    if (error == 0)
        error = store_load(store);
    if (error == 0)
        error = store_log_init(store);
    if (error != 0) {
        memcpy(open_error, store->error, sizeof(open_error));
        *ret_error = open_error;
        store_close(store);
        return error;
    }
    *ret = store;
    return 0;
}

static void resource_free(struct store_resource *resource)
{
    for (size_t i = 0; i < resource->objects.n; i++) {
        struct store_object *object = (struct store_object *)resource->objects.rows[i];
        json_decref(object->object);
        free(object->row.key);
        free(object);
    }
    table_done(&resource->objects);
    free(resource->name);
    free(resource);
}

void store_rows_free(struct table *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->rows[i]->key);
        free(t->rows[i]);
    }
    table_done(t);
}

void store_close(struct store *store)
{
    ASSERT(store->txn == NULL);
    ASSERT(!store->is_notifying);
    store_log_done(store);
    for (size_t i = 0; i < store->resources_n; i++)
        resource_free(store->resources[i]);
    store_rows_free(&store->values);
    store_rows_free(&store->groups);
    store_db_close(store);
    free(store);
}

const char *store_error(const struct store *store)
{
    return store->error;
}

int store_fail(struct store *store, int error, const char *format, ...)
{
    ASSERT(error < 0);
    va_list args;
    va_start(args, format);
    vsnprintf(store->error, sizeof(store->error), format, args);
    va_end(args);
    return error;
}

static bool is_name(const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] <= ' ' || text[i] == '/')
            return false;
    }
    return len > 0 && len <= STORE_NAME_BYTES_MAX;
}

bool store_key(char buf[KEY_BYTES_MAX], const char *namespace_, const char *name)
{
    bool has_namespace = namespace_ != NULL && namespace_[0] != '\0';
    if (name == NULL || !is_name(name) || (has_namespace && !is_name(namespace_)))
        return false;
    snprintf(buf, KEY_BYTES_MAX, "%s%c%s", has_namespace ? namespace_ : "", KEY_SEPARATOR, name);
    return true;
}

struct store_resource *store_resource_find(const struct store *store, const char *name)
{
    for (size_t i = 0; i < store->resources_n; i++) {
        if (strcmp(store->resources[i]->name, name) == 0)
            return store->resources[i];
    }
    return NULL;
}

struct store_resource *store_resource_get(struct store *store, const char *name)
{
    struct store_resource *resource = store_resource_find(store, name);
    if (resource != NULL)
        return resource;
    if (store->resources_n == STORE_RESOURCES_MAX || !is_name(name))
        return NULL;
    resource = calloc(1, sizeof(*resource));
    if (resource == NULL)
        return NULL;
    resource->name = strdup(name);
    if (resource->name == NULL) {
        free(resource);
        return NULL;
    }
    store->resources[store->resources_n++] = resource;
    return resource;
}

json_t *store_get(const struct store *store, const char *resource, const char *namespace_,
                  const char *name)
{
    char key[KEY_BYTES_MAX];
    const struct store_resource *r = store_resource_find(store, resource);
    if (r == NULL || !store_key(key, namespace_, name))
        return NULL;
    const struct store_object *found = (struct store_object *)table_find(&r->objects, key);
    return found != NULL ? found->object : NULL;
}

void store_range(const struct table *t, const char *namespace_, size_t *ret_from, size_t *ret_to)
{
    *ret_from = 0;
    *ret_to = t->n;
    if (namespace_ == NULL)
        return;
    char edge[KEY_BYTES_MAX];
    snprintf(edge, sizeof(edge), "%s%c", namespace_, KEY_SEPARATOR);
    *ret_from = table_lower_bound(t, edge);
    snprintf(edge, sizeof(edge), "%s%c", namespace_, KEY_SEPARATOR + 1);
    *ret_to = table_lower_bound(t, edge);
}

static void visit_range(const struct table *t, size_t from, size_t to, store_visit_fn visit,
                        void *arg)
{
    size_t n = t->n;
    for (size_t i = from; i < to; i++) {
        if (!visit(arg, ((struct store_object *)t->rows[i])->object))
            return;
        ASSERT(t->n == n); /* the visitor must not change the store */
    }
}

void store_foreach(const struct store *store, const char *resource, const char *namespace_,
                   store_visit_fn visit, void *arg)
{
    const struct store_resource *r = store_resource_find(store, resource);
    if (r == NULL)
        return;
    size_t from;
    size_t to;
    store_range(&r->objects, namespace_, &from, &to);
    visit_range(&r->objects, from, to, visit, arg);
}

void store_foreach_after(const struct store *store, const char *resource, const char *namespace_,
                         const char *after_namespace, const char *after_name, store_visit_fn visit,
                         void *arg)
{
    char key[KEY_BYTES_MAX];
    const struct store_resource *r = store_resource_find(store, resource);
    if (r == NULL || !store_key(key, after_namespace, after_name))
        return;
    size_t from;
    size_t to;
    store_range(&r->objects, namespace_, &from, &to);
    size_t after = table_lower_bound(&r->objects, key);
    if (after < r->objects.n && strcmp(r->objects.rows[after]->key, key) == 0)
        after += 1;
    visit_range(&r->objects, after > from ? after : from, to, visit, arg);
}

size_t store_count(const struct store *store, const char *resource)
{
    const struct store_resource *r = store_resource_find(store, resource);
    return r != NULL ? r->objects.n : 0;
}

uint64_t store_version(const struct store *store)
{
    return store->version;
}

uint64_t store_object_version(const json_t *object)
{
    const json_t *metadata = json_object_get(object, "metadata");
    const char *text = json_string_value(json_object_get(metadata, "resourceVersion"));
    return text != NULL ? strtoull(text, NULL, 10) : 0;
}
