/* SPDX-License-Identifier: Apache-2.0 */
/*
 * List and watch of one kind.
 *
 *   absent -> (discovery) -> listing -> [verifying] -> watching -> ... -> waiting -> listing
 *
 * A list is read in pages without a resourceVersion, so that it comes from the store and not from a
 * cache that lags. The watch goes on where the list or the last event was; a bookmark moves it on
 * without an object. 410 means list anew; everything else that ends a watch means watch on, after a
 * while. Whatever fails, the objects stay where they are.
 */
#include "controller/source_priv.h"

#include "base/assert.h"
#include "base/container.h"
#include "loop/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A watch that lasted so long was none that failed. */
#define SOUND_WATCH_US 5000000u

static void begin_list(struct reflector *r);
static void begin_watch(struct reflector *r);

static void set_state(struct reflector *r, enum reflector_state state)
{
    if (r->state == state)
        return;
    r->state = state;
    source_tell_state(r->source, r->kind);
}

/* ---- failures ---- */

static void wait_for_next_try(struct reflector *r)
{
    loop_timer_arm(r->source->loop, &r->timer, source_backoff_us(r->source, r->failures));
    set_state(r, REFLECTOR_WAITING);
}

/* Something failed: says so, the same in a row once, and tries again later. */
static void fail(struct reflector *r, const char *what, const struct kube_answer *answer)
{
    bool is_news = r->failures == 0 || r->failed_status != answer->status;
    r->failures += 1;
    r->failed_status = answer->status;
    if (is_news)
        source_tell_failure(r->source, r->kind, what, answer);
    else
        r->source->stats.failures += 1;
    json_decref(r->fresh);
    r->fresh = NULL;
    if (answer->status == 404)
        discovery_hurry(r->source->discovery);
    wait_for_next_try(r);
}

/* ---- list ---- */

static uint64_t number_of(const char *version)
{
    char *end;
    unsigned long long n = strtoull(version, &end, 10);
    return *end == '\0' && end != version ? n : 0;
}

/* All that was listed is on the shelf: from here on by watch. */
static void end_list(struct reflector *r)
{
    snprintf(r->version, sizeof(r->version), "%s", r->list_version);
    json_decref(r->fresh);
    r->fresh = NULL;
    r->failures = 0;
    r->is_whole = false;
    bool is_news = !r->is_synced;
    r->is_synced = true;
    hold_tell_end(r);
    begin_watch(r);
    if (is_news)
        source_tell_state(r->source, r->kind);
}

static void on_verified(void *owner, const struct verdict *verdict)
{
    struct reflector *r = owner;
    struct verdict v = *verdict;
    r->verify = NULL;
    uint64_t version = number_of(r->list_version);
    if (version != 0 && version < r->version_seen_max)
        v.doubt = "this is an older state of the cluster";
    hold_judge(r, &v);
    end_list(r);
}

/* The list is whole. */
static void take_list(struct reflector *r)
{
    const char *key;
    json_t *object;
    json_object_foreach(r->fresh, key, object)
        source_put(r->source, r->kind, &r->shelf, key, object);
    hold_missing(r);
    if (json_object_size(r->shelf.held) == 0) {
        end_list(r);
        return;
    }
    set_state(r, REFLECTOR_VERIFYING);
    if (verify_list(r->source, r->kind, on_verified, r, &r->verify) != 0)
        on_verified(r, &(struct verdict){.doubt = "the API server could not be asked"});
}

/* Puts the items of a page with the others. False: it is no list. */
static bool add_page(struct reflector *r, const json_t *page)
{
    char key[KEY_BYTES];
    const json_t *items = json_object_get(page, "items");
    const char *version = kube_text_at(page, "metadata.resourceVersion");
    size_t i;
    json_t *item;
    if (version[0] == '\0' || strlen(version) >= sizeof(r->list_version))
        return false;
    if (!json_is_array(items) && !json_is_null(items)) /* null: Go's empty list */
        return false;
    json_array_foreach(items, i, item)
    {
        source_slim(r->kind, item); /* before the next page comes */
        if (!shelf_key_of(item, key) || json_object_set(r->fresh, key, item) != 0)
            return false;
    }
    snprintf(r->list_version, sizeof(r->list_version), "%s", version);
    return true;
}

static void get_page(struct reflector *r, const char *token);

static void on_page(void *owner, const struct kube_answer *answer)
{
    struct reflector *r = owner;
    r->call = NULL;
    if (answer->status == 200)
        source_tell_alive(r->source);
    if (answer->status == 410) { /* the list took longer than the server keeps its token */
        r->is_whole = true;
        r->source->stats.expired += 1;
    }
    if (answer->status != 200) {
        fail(r, "list", answer);
        return;
    }
    if (!add_page(r, answer->body)) {
        fail(r, "list", &(struct kube_answer){.status = -EPROTO, .text = "the answer is no list"});
        return;
    }
    const char *token = kube_text_at(answer->body, "metadata.continue");
    if (token[0] != '\0')
        get_page(r, token);
    else
        take_list(r);
}

/* The path of the whole kind with our selection. */
static bool make_path(const struct reflector *r, char path[KUBE_PATH_MAX])
{
    const struct source *s = r->source;
    return source_path(s, r->kind, NULL, NULL, NULL, path) &&
           (s->label_selector == NULL || kube_path_add(path, "labelSelector", s->label_selector));
}

static void get_page(struct reflector *r, const char *token)
{
    char path[KUBE_PATH_MAX];
    char limit[16];
    snprintf(limit, sizeof(limit), "%u", r->is_whole ? 0 : SOURCE_PAGE);
    bool fits = make_path(r, path) && kube_path_add(path, "limit", limit) &&
                (token == NULL || kube_path_add(path, "continue", token));
    const struct kube_request request = {
        .method = "GET", .path = path, .on_done = on_page, .owner = r};
    int error = fits ? kube_call(r->source->kube, &request, &r->call) : -EINVAL;
    if (error != 0)
        fail(r, "list", &(struct kube_answer){.status = error, .text = strerror(-error)});
}

static void begin_list(struct reflector *r)
{
    ASSERT(r->call == NULL && r->verify == NULL && r->watch == NULL);
    loop_timer_disarm(r->source->loop, &r->timer);
    json_decref(r->fresh);
    r->fresh = json_object();
    r->version[0] = '\0';
    r->source->stats.lists += 1;
    set_state(r, REFLECTOR_LISTING);
    get_page(r, NULL);
}

/* ---- watch ---- */

static void keep_version(struct reflector *r, const json_t *object)
{
    const char *version = kube_text_at(object, "metadata.resourceVersion");
    size_t len = strlen(version);
    if (len == 0 || len >= sizeof(r->version))
        return;
    memcpy(r->version, version, len + 1);
    uint64_t n = number_of(version);
    if (n > r->version_seen_max)
        r->version_seen_max = n;
}

/* And what is asked because of it. */
static void close_watch(struct reflector *r)
{
    kube_watch_close(r->watch);
    r->watch = NULL;
    hold_end_watch(r);
}

/* The watch is closed; next a list, now or later. */
static void list_anew(struct reflector *r, bool now)
{
    close_watch(r);
    r->version[0] = '\0';
    if (now)
        begin_list(r);
    else
        wait_for_next_try(r);
}

static void take_error_event(struct reflector *r, const json_t *status)
{
    json_int_t code = json_integer_value(json_object_get(status, "code"));
    if (code == 410) {
        r->source->stats.expired += 1;
        list_anew(r, true);
        return;
    }
    close_watch(r);
    fail(r, "watch",
         &(struct kube_answer){.status = (int)code, .text = kube_text_at(status, "message")});
}

static void on_event(void *owner, json_t *event)
{
    struct reflector *r = owner;
    char key[KEY_BYTES];
    const char *type = kube_text_at(event, "type");
    json_t *object = json_object_get(event, "object");
    r->source->stats.events += 1;
    source_tell_alive(r->source);
    if (strcmp(type, "ERROR") == 0) {
        take_error_event(r, object);
        return;
    }
    bool is_bookmark = strcmp(type, "BOOKMARK") == 0;
    bool is_deletion = strcmp(type, "DELETED") == 0;
    bool is_known =
        is_bookmark || is_deletion || strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0;
    if (!is_known || (!is_bookmark && !shelf_key_of(object, key))) {
        source_tell_trouble(r->source, r->kind, "an event of type \"%.20s\" is no event", type);
        list_anew(r, false);
        return;
    }
    r->failures = 0;
    keep_version(r, object);
    if (is_deletion)
        hold_deletion(r, key);
    else if (!is_bookmark)
        source_put(r->source, r->kind, &r->shelf, key, object);
    hold_tell_end(r);
}

static void on_watch_open(void *owner)
{
    const struct reflector *r = owner;
    source_tell_alive(r->source);
}

static void on_watch_end(void *owner, const struct kube_answer *answer)
{
    struct reflector *r = owner;
    struct source *s = r->source;
    bool was_sound = loop_now_us(s->loop) - r->watch_begun_us >= SOUND_WATCH_US;
    r->watch = NULL;
    hold_end_watch(r);
    if (answer->status == -ETIMEDOUT)
        s->stats.stale += 1;
    if (answer->status == 410 || answer->status == -EBADMSG || answer->status == 404)
        r->version[0] = '\0';
    if (answer->status == 410) {
        s->stats.expired += 1;
        begin_list(r);
    } else if (answer->status == 200 && was_sound) {
        begin_watch(r);
    } else {
        fail(r, "watch", answer);
    }
}

static void begin_watch(struct reflector *r)
{
    struct source *s = r->source;
    char path[KUBE_PATH_MAX];
    char seconds[16];
    ASSERT(r->watch == NULL && r->version[0] != '\0');
    snprintf(seconds, sizeof(seconds), "%u",
             SOURCE_WATCH_S / 2 + rng_below(&s->rng, SOURCE_WATCH_S / 2));
    bool fits = make_path(r, path) && kube_path_add(path, "watch", "true") &&
                kube_path_add(path, "allowWatchBookmarks", "true") &&
                kube_path_add(path, "resourceVersion", r->version) &&
                kube_path_add(path, "timeoutSeconds", seconds);
    const struct kube_watch_request request = {
        .path = path,
        .idle_ms_max = s->idle_ms_max,
        .on_open = on_watch_open,
        .on_event = on_event,
        .on_end = on_watch_end,
        .owner = r,
    };
    s->stats.watches += 1;
    r->watch_begun_us = loop_now_us(s->loop);
    int error = fits ? kube_watch_open(s->kube, &request, &r->watch) : -EINVAL;
    if (error != 0) {
        fail(r, "watch", &(struct kube_answer){.status = error, .text = strerror(-error)});
        return;
    }
    set_state(r, REFLECTOR_WATCHING);
    hold_arm(r);
}

/* ---- life ---- */

static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct reflector *r = container_of(timer, struct reflector, timer);
    if (r->state == REFLECTOR_WATCHING)
        list_anew(r, true); /* is what is held still missing? */
    else if (r->state == REFLECTOR_WAITING && r->version[0] != '\0')
        begin_watch(r);
    else if (r->state == REFLECTOR_WAITING)
        begin_list(r);
}

int reflector_init(struct reflector *r, struct source *s, enum kind kind)
{
    r->source = s;
    r->kind = kind;
    r->timer.on_expire = on_timer;
    return shelf_init(&r->shelf);
}

/* Whatever is under way ends. */
static void stop(struct reflector *r)
{
    loop_timer_disarm(r->source->loop, &r->timer);
    if (r->call != NULL)
        kube_call_cancel(r->call);
    json_decref(r->fresh);
    r->call = NULL;
    r->fresh = NULL;
    close_watch(r);
}

void reflector_done(struct reflector *r)
{
    stop(r);
    shelf_done(&r->shelf);
}

void reflector_set_version(struct reflector *r, const char *api_version)
{
    bool is_named = source_is_named(r->source, r->kind);
    const char *version = api_version != NULL ? api_version : "";
    if (strcmp(version, r->api_version) == 0 && (version[0] != '\0' || r->is_synced))
        return;
    stop(r);
    snprintf(r->api_version, sizeof(r->api_version), "%s", version);
    r->failures = 0;
    if (version[0] == '\0')
        hold_all(r);
    else
        hold_renew(r);
    if (version[0] == '\0' || is_named) {
        r->is_synced = true;
        r->state = version[0] == '\0' ? REFLECTOR_ABSENT : REFLECTOR_WATCHING;
        source_tell_state(r->source, r->kind);
        return;
    }
    begin_list(r);
}

void reflector_list_soon(struct reflector *r)
{
    if (r->state == REFLECTOR_WATCHING)
        loop_timer_arm(r->source->loop, &r->timer, 0);
}
