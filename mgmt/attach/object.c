/* SPDX-License-Identifier: Apache-2.0 */
/* Reading objects from the source. See attach_priv.h. */
#include "attach/attach_priv.h"

#include "base/assert.h"
#include "model/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

bool port_is_tcp(const json_t *port)
{
    const char *protocol = text_at(port, "protocol");
    return protocol[0] == '\0' || strcmp(protocol, "TCP") == 0;
}

bool port_is_udp(const json_t *port)
{
    return strcmp(text_at(port, "protocol"), "UDP") == 0;
}

uint32_t ms_at(const json_t *object, const char *key)
{
    uint64_t ms;
    return text_parse_duration(text_at(object, key), &ms) ? (uint32_t)ms : 0;
}

const char *lower_of(struct attach *a, const char *text)
{
    char *copy = arena_strdup(a->arena, text);
    for (char *p = copy; *p != '\0'; p++) {
        *p = (char)tolower((unsigned char)*p);
    }
    return copy;
}

void hold(struct attach *a, const json_t *obj)
{
    int rc = json_array_append(a->held, (json_t *)(uintptr_t)obj);
    ASSERT(rc == 0);
}

void meta_read(struct attach *a, struct at_meta *ret, const json_t *obj)
{
    const json_t *meta = json_object_get(obj, "metadata");
    ret->obj = obj;
    ret->namespace = text_at(meta, "namespace");
    ret->name = text_at(meta, "name");
    ret->uid = text_at(meta, "uid");
    ret->created = text_at(meta, "creationTimestamp");
    ret->generation = int_at(meta, "generation");
    ret->full_name = arena_printf(a->arena, "%s/%s", ret->namespace, ret->name);
}

int meta_compare(const struct at_meta *x, const struct at_meta *y)
{
    int by_age = strcmp(x->created, y->created);
    return by_age != 0 ? by_age : strcmp(x->full_name, y->full_name);
}

bool is_going(const json_t *obj)
{
    return at_path(obj, "metadata", "deletionTimestamp") != NULL;
}

/* A growing array in the arena. */
struct collection {
    struct attach *attach;
    bool with_going; /* also those that are being deleted */
    const json_t **items;
    uint32_t n;
    uint32_t room;
};

static int add_object(void *arg, const json_t *obj)
{
    struct collection *c = arg;
    if (is_going(obj) && !c->with_going) {
        return 0;
    }
    if (c->n == c->room) {
        uint32_t room = c->room == 0 ? 64 : c->room * 2;
        const json_t **items = ARENA_ARRAY(c->attach->arena, const json_t *, room);
        if (c->n > 0) {
            memcpy(items, c->items, c->n * sizeof(items[0]));
        }
        c->items = items;
        c->room = room;
    }
    hold(c->attach, obj);
    c->items[c->n++] = obj;
    return 0;
}

const json_t **collect(struct attach *a, enum model_type_id type, uint32_t *ret_n)
{
    /* A class that is being deleted serves on until the last Gateway is gone: so its finalizer. */
    struct collection c = {.attach = a, .with_going = type == MODEL_GATEWAY_CLASS};
    a->source->foreach(a->source->ctx, model_type(type), NULL, add_object, &c);
    *ret_n = c.n;
    return c.items;
}

const json_t *find_object(struct attach *a, enum model_type_id type, const char *namespace,
                          const char *name)
{
    const json_t *obj = a->source->get(a->source->ctx, model_type(type), namespace, name);
    if (obj != NULL) {
        hold(a, obj);
    }
    return obj;
}

static int compare_names(const void *x, const void *y)
{
    const json_t *const *a = x;
    const json_t *const *b = y;
    return strcmp(text_at(json_object_get(*a, "metadata"), "name"),
                  text_at(json_object_get(*b, "metadata"), "name"));
}

const json_t **collect_by_name(struct attach *a, enum model_type_id type, uint32_t *ret_n)
{
    const json_t **objects = collect(a, type, ret_n);
    if (*ret_n > 0) {
        qsort(objects, *ret_n, sizeof(objects[0]), compare_names);
    }
    return objects;
}
