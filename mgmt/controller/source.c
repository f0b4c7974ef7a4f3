/* SPDX-License-Identifier: Apache-2.0 */
/* What an API server has: the kinds put together, and what all of them do with their objects. */
#include "controller/source_priv.h"

#include "base/assert.h"
#include "base/container.h"
#include "loop/loop.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

int source_new(const struct source_config *config, struct source **ret)
{
    struct source *s = calloc(1, sizeof(*s));
    int error = 0;
    if (s == NULL)
        return -ENOMEM;
    s->loop = config->loop;
    s->kube = config->kube;
    s->reads_named = config->reads_named;
    s->watches_named = config->watches_named;
    s->has_mesh = config->has_mesh;
    s->idle_ms_max = config->idle_ms_max != 0 ? config->idle_ms_max : SOURCE_IDLE_MS_DEFAULT;
    s->hold = config->hold;
    s->owner = config->owner;
    s->on_change = config->on_change;
    s->on_state = config->on_state;
    s->on_trouble = config->on_trouble;
    s->on_held = config->on_held;
    if (getrandom(&s->rng, sizeof(s->rng), GRND_NONBLOCK) != (ssize_t)sizeof(s->rng))
        s->rng.state = loop_now_us(s->loop);
    if (config->label_selector != NULL &&
        (s->label_selector = strdup(config->label_selector)) == NULL)
        error = -ENOMEM;
    s->copies_of = json_object();
    error = s->copies_of == NULL ? -ENOMEM : error;
    for (unsigned i = 0; i < KIND_COUNT && error == 0; i++) {
        error = reflector_init(&s->reflectors[i], s, (enum kind)i);
        if (error == 0 && source_is_named(s, (enum kind)i))
            error = named_init(&s->named[i], s, (enum kind)i);
    }
    if (error == 0)
        error = discovery_new(s);
    if (error != 0) {
        source_free(s);
        return error;
    }
    *ret = s;
    return 0;
}

void source_free(struct source *s)
{
    if (s == NULL)
        return;
    discovery_free(s->discovery);
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        if (s->reflectors[i].source != NULL)
            reflector_done(&s->reflectors[i]);
        if (s->named[i].source != NULL)
            named_done(&s->named[i]);
    }
    json_decref(s->copies_of);
    free(s->label_selector);
    free(s);
}

struct kube *source_kube(const struct source *s)
{
    return s->kube;
}

bool source_is_named(const struct source *s, enum kind kind)
{
    return s->reads_named && kind_info(kind)->is_named;
}

bool source_leaves_out(const struct source *s, enum kind kind)
{
    return !s->has_mesh && kind_info(kind)->is_of_mesh;
}

static struct shelf *shelf_of(const struct source *s, enum kind kind)
{
    ASSERT((unsigned)kind < KIND_COUNT);
    struct source *mine = (struct source *)(uintptr_t)s;
    return source_is_named(s, kind) ? &mine->named[kind].shelf : &mine->reflectors[kind].shelf;
}

/* ---- questions ---- */

const char *source_api_version(const struct source *s, enum kind kind)
{
    const char *version = s->reflectors[kind].api_version;
    return version[0] != '\0' ? version : NULL;
}

bool source_path(const struct source *s, enum kind kind, const char *namespace_, const char *name,
                 const char *subresource, char path[KUBE_PATH_MAX])
{
    const struct kind_info *info = kind_info(kind);
    const char *version = source_api_version(s, kind);
    if (version == NULL)
        return false;
    return kube_path(path, version, info->plural, info->is_namespaced ? namespace_ : NULL, name,
                     subresource);
}

json_t *source_get(const struct source *s, enum kind kind, const char *namespace_, const char *name)
{
    char key[KEY_BYTES];
    return json_object_get(shelf_of(s, kind)->objects, shelf_key(namespace_, name, key));
}

void source_foreach(const struct source *s, enum kind kind, void (*fn)(void *owner, json_t *object),
                    void *owner)
{
    const char *key;
    json_t *object;
    json_object_foreach(shelf_of(s, kind)->objects, key, object) fn(owner, object);
}

size_t source_count(const struct source *s, enum kind kind)
{
    return json_object_size(shelf_of(s, kind)->objects);
}

size_t source_held(const struct source *s, enum kind kind)
{
    return json_object_size(shelf_of(s, kind)->held);
}

size_t source_held_all(const struct source *s)
{
    size_t n = 0;
    for (unsigned i = 0; i < KIND_COUNT; i++)
        n += source_held(s, (enum kind)i);
    return n;
}

enum source_state source_state(const struct source *s, enum kind kind)
{
    const struct reflector *r = &s->reflectors[kind];
    if (r->api_version[0] == '\0')
        return SOURCE_ABSENT;
    if (source_is_named(s, kind) || r->state == REFLECTOR_WATCHING)
        return SOURCE_WATCHING;
    return SOURCE_LISTING;
}

bool source_is_synced(const struct source *s, enum kind kind)
{
    return s->reflectors[kind].is_synced;
}

bool source_is_all_synced(const struct source *s)
{
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        if (!s->reflectors[i].is_synced)
            return false;
    }
    return true;
}

const char *source_cluster_uid(const struct source *s)
{
    return s->uid_expected;
}

bool source_is_held(const struct source *s, enum kind kind, const char *namespace_,
                    const char *name)
{
    char key[KEY_BYTES];
    return json_object_get(shelf_of(s, kind)->held, shelf_key(namespace_, name, key)) != NULL;
}

bool source_is_remembered(const struct source *s, enum kind kind, const char *namespace_,
                          const char *name)
{
    char key[KEY_BYTES];
    return json_object_get(shelf_of(s, kind)->remembered, shelf_key(namespace_, name, key)) != NULL;
}

void source_stats(const struct source *s, struct source_stats *ret)
{
    *ret = s->stats;
}

/* ---- what all kinds do with objects ---- */

/* Leaves the object the members of that name, and no others. */
static void keep(json_t *object, const char *member, const char *const *names, size_t n)
{
    json_t *old = json_object_get(object, member);
    json_t *kept = json_object();
    for (size_t i = 0; i < n; i++) {
        json_t *value = json_object_get(old, names[i]);
        if (value != NULL) {
            json_object_set(kept, names[i], value);
        }
    }
    json_object_set_new(object, member, kept);
}

/* Whose addresses are whose: there are many Pods, and the rest of them is long. */
static void slim_pod(json_t *pod)
{
    static const char *const spec[] = {"hostNetwork"};
    static const char *const status[] = {"phase", "podIPs"};
    keep(pod, "spec", spec, array_len(spec));
    keep(pod, "status", status, array_len(status));
}

void source_slim(enum kind kind, json_t *object)
{
    json_t *metadata = json_object_get(object, "metadata");
    json_object_del(metadata, "managedFields");
    json_object_del(json_object_get(metadata, "annotations"), LAST_APPLIED);
    if (kind == KIND_POD) {
        slim_pod(object);
    }
}

static void tell(struct source *s, enum kind kind, const char *key, json_t *old, json_t *object)
{
    char namespace_[KEY_BYTES];
    snprintf(namespace_, sizeof(namespace_), "%s", key);
    char *slash = strchr(namespace_, '/');
    ASSERT(slash != NULL);
    *slash = '\0';
    const struct source_change change = {
        .kind = kind,
        .namespace_ = namespace_,
        .name = slash + 1,
        .old = old,
        .object = object,
    };
    s->on_change(s->owner, s, &change);
}

/* The same object in the same version? */
static bool is_same(const json_t *a, const json_t *b)
{
    const char *version = kube_text_at(a, "metadata.resourceVersion");
    return version[0] != '\0' &&
           strcmp(version, kube_text_at(b, "metadata.resourceVersion")) == 0 &&
           strcmp(kube_text_at(a, "metadata.uid"), kube_text_at(b, "metadata.uid")) == 0;
}

void source_put(struct source *s, enum kind kind, struct shelf *shelf, const char *key,
                json_t *object)
{
    json_t *old = json_object_get(shelf->objects, key);
    bool was_held = json_object_del(shelf->held, key) == 0;
    json_object_del(shelf->told, key);
    json_object_del(shelf->remembered, key);
    if (old != NULL && !was_held && is_same(old, object))
        return;
    source_slim(kind, object);
    json_incref(old);
    json_object_set(shelf->objects, key, object);
    tell(s, kind, key, old, object);
    json_decref(old);
}

void source_remove(struct source *s, enum kind kind, struct shelf *shelf, const char *key_)
{
    char key[KEY_BYTES];
    snprintf(key, sizeof(key), "%s", key_); /* it may be the entry's own */
    json_t *old = json_incref(json_object_get(shelf->objects, key));
    json_object_del(shelf->held, key);
    json_object_del(shelf->told, key);
    json_object_del(shelf->remembered, key);
    if (old == NULL)
        return;
    json_object_del(shelf->objects, key);
    tell(s, kind, key, old, NULL);
    json_decref(old);
}

bool source_hold_object(struct source *s, struct shelf *shelf, const char *key, unsigned head_ms)
{
    if (json_object_get(shelf->held, key) != NULL)
        return false;
    json_int_t since = (json_int_t)(loop_now_us(s->loop) / 1000) - (json_int_t)head_ms;
    json_object_set_new(shelf->held, key, json_integer(since));
    return true;
}

uint64_t source_held_ms(const struct source *s, const struct shelf *shelf, const char *key)
{
    const json_t *since = json_object_get(shelf->held, key);
    return since != NULL ? loop_now_us(s->loop) / 1000 - (uint64_t)json_integer_value(since) : 0;
}

bool source_is_mass(const struct source *s, size_t n, size_t of)
{
    return n == of || (n > s->hold.count_max && n * 100 > (size_t)s->hold.percent_max * of);
}

uint64_t source_backoff_us(struct source *s, unsigned failures)
{
    uint64_t ms = SOURCE_BACKOFF_MS_MIN;
    for (unsigned i = 1; i < failures && ms < SOURCE_BACKOFF_MS_MAX; i++)
        ms *= 2;
    if (ms > SOURCE_BACKOFF_MS_MAX)
        ms = SOURCE_BACKOFF_MS_MAX;
    return (ms / 2 + rng_below(&s->rng, (uint32_t)(ms / 2 + 1))) * 1000;
}

void source_tell_state(struct source *s, enum kind kind)
{
    if (s->on_state != NULL)
        s->on_state(s->owner, s, kind);
}

/* What is wrong with the server as a whole: its status, one for all that is no answer; 0: nothing,
 * it is this kind's own trouble. */
static int server_trouble(int status)
{
    if (status == -ECONNREFUSED || status == -EPROTO || status == -ETIMEDOUT)
        return -ECONNREFUSED;
    return status == 401 || status == 429 || status >= 500 ? status : 0;
}

void source_tell_failure(struct source *s, enum kind kind, const char *what,
                         const struct kube_answer *answer)
{
    int trouble = server_trouble(answer->status);
    s->stats.failures += 1;
    if (trouble != 0 && trouble == s->server_trouble)
        return;
    if (trouble != 0)
        s->server_trouble = trouble;
    source_tell_trouble(s, kind, "%s failed (%d): %s", what, answer->status, answer->text);
}

void source_tell_alive(struct source *s)
{
    s->server_trouble = 0;
}

static void tell_text(struct source *s, enum kind kind, bool is_held, const char *format,
                      va_list args)
{
    char text[KUBE_TEXT_MAX];
    vsnprintf(text, sizeof(text), format, args);
    if (s->on_trouble != NULL)
        s->on_trouble(s->owner, s, kind, text);
    if (is_held && s->on_held != NULL)
        s->on_held(s->owner, s, kind, text);
}

void source_tell_trouble(struct source *s, enum kind kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tell_text(s, kind, false, format, args);
    va_end(args);
}

void source_tell_held(struct source *s, enum kind kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tell_text(s, kind, true, format, args);
    va_end(args);
}

/* ---- named kinds, earlier lives, the operator ---- */

int source_want(struct source *s, enum kind kind, const char *namespace_, const char *name)
{
    return source_is_named(s, kind) ? named_want(&s->named[kind], namespace_, name) : 0;
}

void source_drop(struct source *s, enum kind kind, const char *namespace_, const char *name)
{
    if (source_is_named(s, kind))
        named_drop(&s->named[kind], namespace_, name);
}

/*
 * Copies know which cluster they are of; who answers now may be another one, or empty, and answers
 * so before the copies are seen. Copies of several there are when an operator has confirmed a new
 * one: those that were not written since are of the old one.
 */
void source_expect_cluster(struct source *s)
{
    const char *first = json_object_iter_key(json_object_iter(s->copies_of));
    if (s->is_confirmed)
        return;
    if (json_object_get(s->copies_of, s->uid) != NULL ||
        (first == NULL && s->uid_expected[0] == '\0'))
        snprintf(s->uid_expected, sizeof(s->uid_expected), "%s", s->uid);
    else if (first != NULL && json_object_get(s->copies_of, s->uid_expected) == NULL)
        snprintf(s->uid_expected, sizeof(s->uid_expected), "%s", first);
}

int source_remember(struct source *s, enum kind kind, json_t *object, const char *cluster_uid)
{
    char key[KEY_BYTES];
    struct shelf *shelf = shelf_of(s, kind);
    if (!shelf_key_of(object, key))
        return -EINVAL;
    if (cluster_uid != NULL && cluster_uid[0] != '\0') {
        json_object_set_new(s->copies_of, cluster_uid, json_true());
        source_expect_cluster(s);
    }
    if (json_object_get(shelf->objects, key) != NULL ||
        (source_is_named(s, kind) && !named_is_wanted(&s->named[kind], key)))
        return 0;
    if (json_object_set(shelf->objects, key, object) != 0 ||
        json_object_set_new(shelf->remembered, key, json_true()) != 0)
        return -ENOMEM;
    source_hold_object(s, shelf, key, 0);
    s->stats.held += 1;
    tell(s, kind, key, NULL, object);
    if (!source_is_named(s, kind))
        reflector_list_soon(&s->reflectors[kind]);
    return 0;
}

/* Both versions are numbers, and the first is the lesser one? */
static bool is_older(const json_t *object, const json_t *than)
{
    char *end = NULL;
    char *end_than = NULL;
    const char *text = kube_text_at(object, "metadata.resourceVersion");
    const char *text_than = kube_text_at(than, "metadata.resourceVersion");
    uint64_t version = strtoull(text, &end, 10);
    uint64_t version_than = strtoull(text_than, &end_than, 10);
    return end != text && *end == '\0' && end_than != text_than && *end_than == '\0' &&
           version < version_than;
}

void source_note(struct source *s, enum kind kind, const char *namespace_, const char *name,
                 json_t *object)
{
    char key[KEY_BYTES];
    shelf_key(namespace_, name, key);
    if (object != NULL && is_older(object, json_object_get(shelf_of(s, kind)->objects, key)))
        return; /* the watch was faster than the answer, and knows what came after */
    if (object != NULL)
        source_put(s, kind, shelf_of(s, kind), key, object);
    else
        source_remove(s, kind, shelf_of(s, kind), key);
}

void source_confirm(struct source *s)
{
    discovery_confirm(s->discovery);
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        if (source_is_named(s, (enum kind)i))
            named_confirm(&s->named[i]);
        else
            hold_confirm(&s->reflectors[i]);
    }
}
