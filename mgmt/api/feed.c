/* SPDX-License-Identifier: Apache-2.0 */
/*
 * get and list. A list holds references to the objects of one moment and becomes text object by
 * object while it is sent, so a slow client costs pointers, not copies.
 */
#include "api/api_priv.h"
#include "api/selector.h"

#include "base/assert.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* fieldSelector: metadata.name and metadata.namespace, "=" or "==". False: not one of these. */
static bool read_field(struct feed *feed, const char *term, size_t len)
{
    static const char *const fields[] = {"metadata.name=", "metadata.namespace="};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(fields[i]);
        char *to = i == 0 ? feed->name : feed->namespace_;
        if (len <= n || strncmp(term, fields[i], n) != 0)
            continue;
        n += term[n] == '=' ? 1 : 0;
        if (len == n || len - n >= NAME_BYTES)
            return false; /* an empty word would take away what the URL says */
        bool is_said =
            to[0] != '\0'; /* the URL's namespace is what the caller may see: never another */
        if (is_said && (strlen(to) != len - n || memcmp(to, term + n, len - n) != 0))
            return false;
        memcpy(to, term + n, len - n);
        to[len - n] = '\0';
        return true;
    }
    return false;
}

static bool read_fields(struct feed *feed, const char *text)
{
    while (text != NULL && text[0] != '\0') {
        size_t len = strcspn(text, ",");
        if (!read_field(feed, text, len))
            return false;
        text += len + (text[len] == ',' ? 1 : 0);
    }
    return true;
}

struct feed *feed_new(struct api_call *call)
{
    struct feed *feed = calloc(1, sizeof(*feed));
    const char *labels = params_get(&call->params, "labelSelector");
    const char *wanted = NULL;
    if (feed == NULL) {
        api_call_fail(call, 500, "InternalError", "out of memory");
        return NULL;
    }
    feed->type = call->target.type;
    memcpy(feed->namespace_, call->target.namespace_, NAME_BYTES);
    memcpy(feed->scope, call->who.scope, SCOPE_BYTES);
    if (!read_fields(feed, params_get(&call->params, "fieldSelector")))
        wanted = "fieldSelector: metadata.name=NAME and metadata.namespace=NAME are supported";
    else if (labels != NULL && selector_parse(labels, &feed->labels) != 0)
        wanted = "labelSelector: it cannot be understood";
    if (wanted == NULL)
        return feed;
    feed_free(feed);
    api_call_fail(call, 400, "BadRequest", "%s", wanted);
    return NULL;
}

void feed_free(struct feed *feed)
{
    for (size_t i = feed->at; i < feed->n; i++)
        json_decref(feed->objects[i]);
    if (list_is_linked(&feed->link)) {
        list_remove(&feed->link);
        feed->conn->api->stats.watches -= 1;
        loop_timer_disarm(feed->conn->api->loop, &feed->timer);
    }
    free(feed->objects);
    free(feed->list_tail);
    selector_free(feed->labels);
    free(feed);
}

bool feed_takes(const struct feed *feed, const json_t *object)
{
    if (feed->name[0] != '\0' && strcmp(meta_text(object, "name"), feed->name) != 0)
        return false;
    if (feed->namespace_[0] != '\0' &&
        strcmp(meta_text(object, "namespace"), feed->namespace_) != 0)
        return false;
    if (!scope_has(feed->scope, feed->type, meta_text(object, "namespace"),
                   meta_text(object, "name")))
        return false;
    return selector_matches(feed->labels, object);
}

struct gather {
    struct feed *feed;
    size_t capacity, limit;
    bool has_more;
    bool has_failed;
};

static bool gather_one(void *arg, json_t *object)
{
    struct gather *g = arg;
    struct feed *feed = g->feed;
    if (!feed_takes(feed, object))
        return true;
    if (g->limit != 0 && feed->n == g->limit) {
        g->has_more = true;
        return false;
    }
    if (feed->n == g->capacity) {
        g->capacity = g->capacity == 0 ? 64 : 2 * g->capacity;
        json_t **objects = realloc(feed->objects, g->capacity * sizeof(objects[0]));
        g->has_failed = objects == NULL;
        if (objects == NULL)
            return false;
        feed->objects = objects;
    }
    feed->objects[feed->n++] = json_incref(object);
    return true;
}

/* "version:namespace:name" of the last object of the page before. False: not ours. */
static bool parse_continue(const char *text, uint64_t *ret_version, char namespace_[NAME_BYTES],
                           char name[NAME_BYTES])
{
    char *end = NULL;
    *ret_version = strtoull(text, &end, 10);
    const char *colon = *end == ':' ? strchr(end + 1, ':') : NULL;
    if (colon == NULL || colon - end - 1 >= (long)NAME_BYTES || strlen(colon + 1) >= NAME_BYTES)
        return false;
    snprintf(namespace_, NAME_BYTES, "%.*s", (int)(colon - end - 1), end + 1);
    snprintf(name, NAME_BYTES, "%s", colon + 1);
    return name[0] != '\0';
}

bool feed_gather(struct api_call *call, struct feed *feed, size_t limit, bool *ret_has_more,
                 uint64_t *ret_version)
{
    const struct store *store = call->api->store;
    char resource[RESOURCE_NAME_BYTES_MAX];
    char after_namespace[NAME_BYTES];
    char after_name[NAME_BYTES];
    const char *from = params_get(&call->params, "continue");
    const char *namespace_ = feed->namespace_[0] != '\0' ? feed->namespace_ : NULL;
    struct gather g = {.feed = feed, .limit = limit};
    resource_name(feed->type, resource);
    *ret_version = store_version(store);
    if (from == NULL || from[0] == '\0') {
        store_foreach(store, resource, namespace_, gather_one, &g);
    } else if (parse_continue(from, ret_version, after_namespace, after_name)) {
        store_foreach_after(store, resource, namespace_, after_namespace, after_name, gather_one,
                            &g);
    } else {
        api_call_fail(call, 400, "BadRequest", "continue: not a token of this server");
        return false;
    }
    if (g.has_failed)
        api_call_fail(call, 500, "InternalError", "out of memory");
    *ret_has_more = g.has_more;
    return !g.has_failed;
}

/* Everything of a list around its items, as text up to and from "items". */
static bool frame_list(struct feed *feed, bool has_more, uint64_t version, char **ret_head)
{
    json_t *metadata =
        json_pack("{s:o}", "resourceVersion", json_sprintf("%llu", (unsigned long long)version));
    if (has_more) {
        const json_t *last = feed->objects[feed->n - 1];
        json_object_set_new(metadata, "continue",
                            json_sprintf("%llu:%s:%s", (unsigned long long)version,
                                         meta_text(last, "namespace"), meta_text(last, "name")));
    }
    char *text = json_dumps(metadata, JSON_COMPACT);
    json_decref(metadata);
    char *columns = NULL;
    if (feed->is_table) {
        json_t *definitions = table_columns(feed->type);
        columns = json_dumps(definitions, JSON_COMPACT);
        json_decref(definitions);
    }
    int n = feed->is_table
                ? asprintf(ret_head,
                           "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":%s,"
                           "\"columnDefinitions\":%s,\"rows\":[",
                           text, columns)
                : asprintf(ret_head,
                           "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":%s,\"items\":[",
                           feed->type->list_kind, feed->type->api_version, text);
    feed->list_tail = strdup("]}\n");
    bool failed =
        n < 0 || text == NULL || feed->list_tail == NULL || (feed->is_table && columns == NULL);
    free(text);
    free(columns);
    return !failed;
}

void feed_answer(struct api_call *call, struct feed *feed, char *first)
{
    struct api_conn *conn = call_conn(call);
    feed->conn = conn;
    call->feed = feed;
    call->code = 200;
    conn->out = first;
    conn->out_len = first != NULL ? strlen(first) : 0;
    conn->out_at = 0;
}

void list_run(struct api_call *call)
{
    struct feed *feed = feed_new(call);
    if (feed == NULL)
        return;
    const char *limit = params_get(&call->params, "limit");
    struct api_conn *conn = call_conn(call);
    uint64_t version = 0;
    char *head = NULL;
    feed->is_table = table_is_wanted(&conn->http.request->head);
    bool has_more = false;
    size_t max = limit != NULL ? strtoul(limit, NULL, 10) : 0;
    if (!feed_gather(call, feed, max, &has_more, &version)) {
        feed_free(feed);
        return;
    }
    if (!frame_list(feed, has_more, version, &head)) {
        feed_free(feed);
        api_call_fail(call, 500, "InternalError", "out of memory");
        return;
    }
    feed_answer(call, feed, head);
}

/* Puts `lead` before a text that is malloc'ed. */
static char *with_lead(const char *lead, char *text)
{
    char *both = NULL;
    if (text == NULL || asprintf(&both, "%s%s", lead, text) < 0)
        both = NULL;
    free(text);
    return both;
}

char *feed_next(struct feed *feed)
{
    if (feed->is_watch)
        return watch_next(feed);
    if (feed->at == feed->n) {
        char *tail = feed->list_tail;
        feed->list_tail = NULL;
        feed->is_over = tail == NULL;
        return tail;
    }
    json_t *stored = feed->objects[feed->at++];
    json_t *item = feed->is_table ? table_row(feed->type, stored) : object_as(feed->type, stored);
    char *text = item != NULL ? json_dumps(item, JSON_COMPACT) : NULL;
    bool is_first = feed->at == 1;
    json_decref(item);
    json_decref(stored);
    return with_lead(is_first ? "" : ",", text);
}

void get_run(struct api_call *call)
{
    const struct target *t = &call->target;
    struct api_conn *conn = call_conn(call);
    json_t *object = call_find_object(call);
    if (object == NULL)
        return;
    if (!table_is_wanted(&conn->http.request->head)) {
        api_call_answer(call, 200, object_as(t->type, object));
        return;
    }
    json_t *table =
        json_pack("{s:s,s:s,s:{s:s},s:o,s:[o]}", "kind", "Table", "apiVersion", "meta.k8s.io/v1",
                  "metadata", "resourceVersion", meta_text(object, "resourceVersion"),
                  "columnDefinitions", table_columns(t->type), "rows", table_row(t->type, object));
    api_call_answer(call, 200, table);
}
