/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A watch of one named object, beside its reading: it only tells that there is something new to be
 * read, so nothing of what a read means (and a failed one does not) is said twice. It asks for one
 * name, which is all that RBAC has to let it see; who may not watch, or wants more than
 * SOURCE_NAMED_WATCHES_MAX, has the reads alone.
 */
#include "controller/source_priv.h"

#include "loop/loop.h"

#include <stdio.h>
#include <string.h>

static void on_event(void *owner, json_t *event)
{
    struct named_watch *w = owner;
    const json_t *object = json_object_get(event, "object");
    const char *type = kube_text_at(event, "type");
    const char *version = kube_text_at(object, "metadata.resourceVersion");
    if (strcmp(type, "BOOKMARK") == 0 || (strcmp(type, "DELETED") != 0 && w->is_known(w, version)))
        return;
    w->on_news(w);
}

static void on_end(void *owner, const struct kube_answer *answer)
{
    struct named_watch *w = owner;
    struct named *n = w->named;
    w->watch = NULL;
    n->n_watches -= 1;
    if (answer->status != 403)
        return; /* opened again with the next read */
    n->watch_again_us = loop_now_us(n->source->loop) + SOURCE_NAMED_REFUSED_MS * 1000ull;
    if (!n->is_watch_refused)
        source_tell_trouble(n->source, n->kind, "watch failed (403), read from time to time: %s",
                            answer->text);
    n->is_watch_refused = true;
}

static bool make_path(struct named_watch *w, const char *namespace_, const char *name,
                      char path[KUBE_PATH_MAX])
{
    struct source *s = w->named->source;
    char seconds[16];
    char field[KEY_BYTES];
    snprintf(seconds, sizeof(seconds), "%u",
             SOURCE_WATCH_S / 2 + rng_below(&s->rng, SOURCE_WATCH_S / 2));
    snprintf(field, sizeof(field), "metadata.name=%s", name);
    return source_path(s, w->named->kind, namespace_, NULL, NULL, path) &&
           kube_path_add(path, "watch", "true") &&
           kube_path_add(path, "allowWatchBookmarks", "true") &&
           kube_path_add(path, "timeoutSeconds", seconds) &&
           kube_path_add(path, "fieldSelector", field);
}

void named_watch_open(struct named_watch *w, const char *namespace_, const char *name)
{
    struct named *n = w->named;
    struct source *s = n->source;
    char path[KUBE_PATH_MAX];
    if (!s->watches_named || w->watch != NULL || n->n_watches == SOURCE_NAMED_WATCHES_MAX ||
        loop_now_us(s->loop) < n->watch_again_us || !make_path(w, namespace_, name, path))
        return;
    const struct kube_watch_request request = {
        .path = path,
        .idle_ms_max = s->idle_ms_max,
        .on_event = on_event,
        .on_end = on_end,
        .owner = w,
    };
    s->stats.watches += 1;
    if (kube_watch_open(s->kube, &request, &w->watch) == 0)
        n->n_watches += 1;
    else
        w->watch = NULL;
}

void named_watch_close(struct named_watch *w)
{
    if (w->watch == NULL)
        return;
    kube_watch_close(w->watch);
    w->watch = NULL;
    w->named->n_watches -= 1;
}
