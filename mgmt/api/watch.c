/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch: what is there (if no resourceVersion was given, or if it is asked for), then each change
 * as a line of JSON, as it comes. A watch holds no queue: it has a cursor into the store's log of
 * changes. Who reads too slowly falls out of the log's end and is told 410, or is cut off when he
 * takes nothing at all; so a slow client costs nothing and stops nobody.
 */
#include "api/api_priv.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

/* A list by a watch: client libraries ask for it first, and wait for this mark. */
#define INITIAL_EVENTS_END "k8s.io/initial-events-end"

static char *event_text(const char *type, json_t *object)
{
    json_t *event = json_pack("{s:s,s:o}", "type", type, "object", object);
    char *text = event != NULL ? json_dumps(event, JSON_COMPACT) : NULL;
    size_t len = text != NULL ? strlen(text) : 0;
    char *line = text != NULL ? realloc(text, len + 2) : NULL;
    json_decref(event);
    if (line == NULL) {
        free(text);
        return NULL;
    }
    memcpy(line + len, "\n", 2);
    return line;
}

/* The object in the form that the client asked for. */
static json_t *shown(const struct feed *feed, json_t *stored)
{
    if (!feed->is_table)
        return object_as(feed->type, stored);
    return json_pack("{s:s,s:s,s:{s:s},s:o,s:[o]}", "kind", "Table", "apiVersion", "meta.k8s.io/v1",
                     "metadata", "resourceVersion", meta_text(stored, "resourceVersion"),
                     "columnDefinitions", table_columns(feed->type), "rows",
                     table_row(feed->type, stored));
}

/* What a change is to this watch: an object may come into its selection, or leave it. NULL:
 * nothing. */
static const char *event_type(const struct feed *feed, const struct store_change *c)
{
    bool was_in = c->old != NULL && feed_takes(feed, c->old);
    bool is_in = c->kind != STORE_DELETED && feed_takes(feed, c->object);
    if (was_in && is_in)
        return "MODIFIED";
    return is_in ? "ADDED" : was_in ? "DELETED" : NULL;
}

/* The next change that concerns this watch; the cursor moves past those that do not. */
static char *next_change(struct feed *feed, const struct store *store)
{
    char resource[RESOURCE_NAME_BYTES_MAX];
    struct store_change c;
    resource_name(feed->type, resource);
    while (store_next_change(store, feed->cursor, resource, &c)) {
        const char *type = event_type(feed, &c);
        feed->cursor = c.version;
        if (type != NULL)
            return event_text(type, shown(feed, c.object));
    }
    feed->cursor = store_version(store);
    return NULL;
}

static char *expired(struct feed *feed)
{
    feed->is_over = true;
    feed->conn->api->stats.watches_slow += 1;
    return event_text("ERROR",
                      status_make(410, "Expired", "the watch fell behind: list anew", NULL));
}

/* With the annotation it says that all that was there has been told. */
static char *bookmark(struct feed *feed, uint64_t now_us)
{
    feed->bookmark_us = now_us + API_BOOKMARK_MS * 1000ull;
    json_t *version = json_sprintf("%llu", (unsigned long long)feed->cursor);
    json_t *metadata = json_pack("{s:o}", "resourceVersion", version);
    if (feed->wants_end_mark)
        json_object_set_new(metadata, "annotations",
                            json_pack("{s:s}", INITIAL_EVENTS_END, "true"));
    feed->wants_end_mark = false;
    return event_text("BOOKMARK", json_pack("{s:s,s:s,s:o}", "kind", feed->type->kind, "apiVersion",
                                            feed->type->api_version, "metadata", metadata));
}

char *watch_next(struct feed *feed)
{
    struct api *api = feed->conn->api;
    uint64_t now_us = loop_now_us(api->loop);
    ASSERT(feed->is_watch);
    feed->is_started = true;
    if (feed->is_over)
        return NULL;
    if (feed->at < feed->n) {
        json_t *stored = feed->objects[feed->at++];
        char *text = event_text("ADDED", shown(feed, stored));
        json_decref(stored);
        return text;
    }
    if (feed->wants_end_mark)
        return bookmark(feed, now_us);
    if (!store_can_watch_from(api->store, feed->cursor))
        return expired(feed);
    char *text = next_change(feed, api->store);
    if (text == NULL && feed->wants_bookmarks && now_us >= feed->bookmark_us)
        text = bookmark(feed, now_us);
    feed->is_over = text == NULL && now_us >= feed->ends_us;
    return text;
}

/* How a watch begins. */
struct beginning {
    uint64_t version;    /* changes after this one are told */
    bool with_state;     /* first what is there, */
    bool wants_end_mark; /* and that this is all of it */
};

/* sendInitialEvents and resourceVersionMatch; false: answered. */
static bool read_initial_events(struct api_call *call, const char *text, struct beginning *b)
{
    const char *wanted = params_get(&call->params, "sendInitialEvents");
    const char *match = params_get(&call->params, "resourceVersionMatch");
    bool is_asked = wanted != NULL && wanted[0] != '\0';
    b->with_state = is_asked ? params_is_true(&call->params, "sendInitialEvents")
                             : text[0] == '\0' || strcmp(text, "0") == 0;
    b->wants_end_mark = is_asked && b->with_state;
    bool is_right = is_asked ? match != NULL && strcmp(match, "NotOlderThan") == 0
                             : match == NULL || match[0] == '\0';
    if (is_right && !(b->wants_end_mark && !params_is_true(&call->params, "allowWatchBookmarks")))
        return true;
    api_call_fail(call, 422, "Invalid", "%s",
                  !is_asked
                      ? "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for"
                        " watch unless sendInitialEvents is provided"
                  : is_right ? "allowWatchBookmarks: Forbidden: sendInitialEvents requires setting"
                               " allowWatchBookmarks to true"
                             : "resourceVersionMatch: Forbidden: sendInitialEvents requires setting"
                               " resourceVersionMatch to NotOlderThan");
    return false;
}

/* Where the watch begins; false: answered. */
static bool read_beginning(struct api_call *call, struct beginning *ret)
{
    const char *given = params_get(&call->params, "resourceVersion");
    const char *text = given != NULL ? given : "";
    uint64_t now = store_version(call->api->store);
    char *end = NULL;
    uint64_t version = strtoull(text, &end, 10);
    ret->version = now;
    if (!read_initial_events(call, text, ret))
        return false;
    if (*end != '\0') {
        api_call_fail(call, 400, "BadRequest", "resourceVersion: not a number");
        return false;
    }
    if (version == 0 || (ret->with_state && version <= now))
        return true; /* what is there is not older */
    if (!store_can_watch_from(call->api->store, version)) {
        api_call_fail(call, 410, "Expired", "too old resource version: %s (%llu)", text,
                      (unsigned long long)now);
        return false;
    }
    ret->version = version;
    return true;
}

static void on_watch_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct feed *feed = container_of(timer, struct feed, timer);
    struct api_conn *conn = feed->conn;
    loop_timer_arm(conn->api->loop, &feed->timer, 1000000);
    if (conn->out == NULL)
        conn_pump(conn); /* bookmark, or its end */
}

void watch_run(struct api_call *call)
{
    struct api *api = call->api;
    struct beginning beginning = {0};
    if (api->stats.watches >= API_WATCHES_MAX) {
        api_call_fail(call, 429, "TooManyRequests", "%u watches are open already", API_WATCHES_MAX);
        return;
    }
    struct feed *feed = read_beginning(call, &beginning) ? feed_new(call) : NULL;
    if (feed == NULL)
        return;
    bool has_more;
    uint64_t now_version;
    if (beginning.with_state && !feed_gather(call, feed, 0, &has_more, &now_version)) {
        feed_free(feed);
        return;
    }
    const char *timeout = params_get(&call->params, "timeoutSeconds");
    uint64_t seconds = timeout != NULL ? strtoull(timeout, NULL, 10) : API_WATCH_S_MAX;
    if (seconds == 0 || seconds > API_WATCH_S_MAX)
        seconds = API_WATCH_S_MAX;
    uint64_t now_us = loop_now_us(api->loop);
    feed->is_watch = true;
    feed->is_table = table_is_wanted(&call_conn(call)->http.request->head);
    feed->cursor = beginning.version;
    feed->wants_end_mark = beginning.wants_end_mark;
    feed->ends_us = now_us + seconds * 1000000;
    feed->wants_bookmarks = params_is_true(&call->params, "allowWatchBookmarks");
    feed->bookmark_us = now_us + API_BOOKMARK_MS * 1000ull;
    feed->timer.on_expire = on_watch_timer;
    feed_answer(call, feed, NULL);
    list_push_back(&api->watches, &feed->link);
    api->stats.watches += 1;
    loop_timer_arm(api->loop, &feed->timer, 1000000);
}
