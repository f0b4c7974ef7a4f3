/* SPDX-License-Identifier: Apache-2.0 */
/* Statuses of GatewayClass, Gateway and ListenerSet. See merge.h. */
#include "controller/merge_priv.h"

#include <string.h>

/* The CRD's bound on status.addresses. */
#define ADDRESSES_MAX 16u

/* The first appliance that did not refuse; NULL: all did. */
static const json_t *first_status(const struct merge *m)
{
    for (uint32_t i = 0; i < m->n; i++) {
        if (!m->said[i].is_refusal) {
            return m->said[i].status;
        }
    }
    return NULL;
}

/* What a status begins with: an appliance's words, or where all refused what was there. */
static json_t *base_of(const struct merge *m)
{
    const json_t *first = first_status(m);
    const json_t *base = first != NULL ? first : json_object_get(m->q->object, "status");
    return base != NULL ? json_copy((json_t *)(uintptr_t)base) : json_object();
}

static void put_conditions(struct merge *m, json_t *status)
{
    const json_t *lists[MERGE_VOICES_MAX];
    for (uint32_t i = 0; i < m->n; i++) {
        lists[i] = json_object_get(m->said[i].status, "conditions");
    }
    json_object_set_new(status, "conditions",
                        merge_conditions(m, lists, at_path(m->q->object, "status", "conditions")));
}

/* The member of a list of objects that has this text there; NULL: none. */
static const json_t *find_by(const json_t *list, const char *key, const char *text)
{
    size_t i;
    const json_t *member;
    json_array_foreach(list, i, member)
    {
        if (strcmp(text_at(member, key), text) == 0) {
            return member;
        }
    }
    return NULL;
}

static json_t *put_listener(struct merge *m, const json_t *listener)
{
    const json_t *lists[MERGE_VOICES_MAX];
    const char *name = text_at(listener, "name");
    int64_t attached = int_at(listener, "attachedRoutes");
    for (uint32_t i = 0; i < m->n; i++) {
        const json_t *l = find_by(json_object_get(m->said[i].status, "listeners"), "name", name);
        lists[i] = json_object_get(l, "conditions");
        if (l != NULL && int_at(l, "attachedRoutes") < attached) {
            attached = int_at(l, "attachedRoutes");
        }
    }
    const json_t *old = find_by(at_path(m->q->object, "status", "listeners"), "name", name);
    json_t *ret = json_copy((json_t *)(uintptr_t)listener);
    json_object_set_new(ret, "attachedRoutes", json_integer(attached));
    json_object_set_new(ret, "conditions",
                        merge_conditions(m, lists, json_object_get(old, "conditions")));
    return ret;
}

/* All appliances have the same listeners, for they have the same generation. */
static void put_listeners(struct merge *m, json_t *status)
{
    const json_t *first = json_object_get(first_status(m), "listeners");
    size_t i;
    const json_t *listener;
    if (first == NULL) {
        return;
    }
    json_t *list = json_array();
    json_array_foreach(first, i, listener)
    {
        json_array_append_new(list, put_listener(m, listener));
    }
    json_object_set_new(status, "listeners", list);
}

static bool has_equal(const json_t *list, const json_t *member)
{
    size_t i;
    const json_t *m;
    json_array_foreach(list, i, m)
    {
        if (json_equal(m, member)) {
            return true;
        }
    }
    return false;
}

static void put_addresses(const struct merge *m, json_t *status)
{
    json_t *all = json_array();
    bool is_said = false;
    for (uint32_t v = 0; v < m->n; v++) {
        const json_t *list = json_object_get(m->said[v].status, "addresses");
        size_t i;
        json_t *address;
        is_said = is_said || list != NULL;
        json_array_foreach(list, i, address)
        {
            if (json_array_size(all) < ADDRESSES_MAX && !has_equal(all, address)) {
                json_array_append(all, address);
            }
        }
    }
    if (is_said) {
        json_object_set(status, "addresses", all);
    }
    json_decref(all);
}

json_t *merge_gateway(struct merge *m)
{
    json_t *status = base_of(m);
    put_conditions(m, status);
    put_listeners(m, status);
    put_addresses(m, status);
    return status;
}

/* Puts one more in; the list is sorted by name and stays so. */
static void insert_feature(json_t *list, const char *name)
{
    size_t at = 0;
    while (at < json_array_size(list) &&
           strcmp(text_at(json_array_get(list, at), "name"), name) < 0) {
        at++;
    }
    if (at == json_array_size(list) ||
        strcmp(text_at(json_array_get(list, at), "name"), name) != 0) {
        json_array_insert_new(list, at, json_pack("{s:s}", "name", name));
    }
}

/* A class has a feature if every appliance has it. */
static void put_features(const struct merge *m, json_t *status)
{
    const json_t *first = json_object_get(first_status(m), "supportedFeatures");
    size_t at;
    json_t *feature;
    if (first == NULL) {
        return;
    }
    json_t *list = json_array();
    json_array_foreach(first, at, feature)
    {
        bool is_everywhere = true;
        for (uint32_t i = 0; i < m->n; i++) {
            const json_t *theirs = json_object_get(m->said[i].status, "supportedFeatures");
            is_everywhere = is_everywhere && (m->said[i].is_refusal || has_equal(theirs, feature));
        }
        if (is_everywhere) {
            json_array_append(list, feature);
        }
    }
    if (m->q->own_feature != NULL) {
        insert_feature(list, m->q->own_feature);
    }
    json_object_set_new(status, "supportedFeatures", list);
}

json_t *merge_class(struct merge *m)
{
    json_t *status = base_of(m);
    put_conditions(m, status);
    put_features(m, status);
    return status;
}
