/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kinds that are read one by one: Secrets and ConfigMaps, of which only those are asked for that
 * something of ours refers to. So the controller needs the right to `get` them and no other, and
 * holds none in memory that it has no use for. Read again and again, sooner while it is missing,
 * and at once when a watch of it (named_watch.c) has news.
 */
#include "controller/source_priv.h"

#include "base/assert.h"
#include "base/container.h"
#include "loop/loop.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* With many of them each is read more rarely: this is the time between two reads of any. */
#define SPACING_MS 20u
/* How often a missing one is looked for in a hurry. */
#define HURRIES_MAX 60u

/* One that is wanted. */
struct named_one {
    struct named *named;
    struct kube_call *call;
    struct verify *verify;
    struct named_watch watch;
    bool has_news; /* while it was being read: read it once more */
    struct wheel_timer timer;
    unsigned n_wants;
    unsigned failures;      /* in a row */
    unsigned misses;        /* in a row */
    const char *namespace_; /* in `text`, as `name` */
    const char *name;
    char key[KEY_BYTES];
    char text[KEY_BYTES]; /* namespace and name, NUL after each */
};

static int compare(const void *a, const void *b)
{
    const struct named_one *x = a;
    const struct named_one *y = b;
    return strcmp(x->key, y->key);
}

static struct named_one *find(struct named *n, const char *key)
{
    struct named_one wanted;
    snprintf(wanted.key, sizeof(wanted.key), "%s", key);
    void *found = tfind(&wanted, &n->wanted, compare);
    return found != NULL ? *(struct named_one **)found : NULL;
}

bool named_is_wanted(struct named *n, const char *key)
{
    return find(n, key) != NULL;
}

/* ---- reading ---- */

static void arm(struct named_one *one)
{
    struct source *s = one->named->source;
    bool is_missing = one->misses > 0 && one->misses < HURRIES_MAX;
    uint64_t ms = is_missing ? SOURCE_NAMED_MISSING_MS : SOURCE_NAMED_MS;
    if (ms < one->named->n_wanted * SPACING_MS)
        ms = one->named->n_wanted * SPACING_MS;
    uint64_t us = one->failures > 0 ? source_backoff_us(s, one->failures)
                                    : ms * 900 + rng_below(&s->rng, (uint32_t)(ms * 200));
    loop_timer_arm(s->loop, &one->timer, one->has_news ? 0 : us);
    one->has_news = false;
}

static bool is_known(struct named_watch *w, const char *version)
{
    const struct named_one *one = container_of(w, struct named_one, watch);
    const json_t *object = json_object_get(w->named->shelf.objects, one->key);
    return strcmp(kube_text_at(object, "metadata.resourceVersion"), version) == 0;
}

static void on_news(struct named_watch *w)
{
    struct named_one *one = container_of(w, struct named_one, watch);
    if (one->call != NULL || one->verify != NULL)
        one->has_news = true;
    else
        loop_timer_arm(w->named->source->loop, &one->timer, 0);
}

/* Twice missing with time between, in the right cluster: gone. */
static void on_verified(void *owner, const struct verdict *verdict)
{
    struct named_one *one = owner;
    struct named *n = one->named;
    struct source *s = n->source;
    size_t held = json_object_size(n->shelf.held);
    bool is_mass = held > s->hold.count_max && source_is_mass(s, held, n->n_wanted);
    one->verify = NULL;
    uint64_t wait_ms = is_mass ? s->hold.mass_ms : s->hold.few_ms;
    if (verdict->doubt == NULL && source_held_ms(s, &n->shelf, one->key) >= wait_ms) {
        s->stats.confirmed += 1;
        source_remove(s, n->kind, &n->shelf, one->key);
    }
    arm(one);
}

static void take_missing(struct named_one *one)
{
    struct named *n = one->named;
    struct source *s = n->source;
    one->misses += 1;
    if (json_object_get(n->shelf.objects, one->key) == NULL) {
        arm(one);
        return;
    }
    if (!s->hold.is_on) {
        source_remove(s, n->kind, &n->shelf, one->key);
        arm(one);
        return;
    }
    s->stats.held += source_hold_object(s, &n->shelf, one->key, 0);
    if (verify_list(s, n->kind, on_verified, one, &one->verify) != 0)
        arm(one);
}

static void on_read(void *owner, const struct kube_answer *answer)
{
    struct named_one *one = owner;
    struct named *n = one->named;
    char key[KEY_BYTES];
    one->call = NULL;
    if (answer->status == 404 &&
        strcmp(kube_text_at(answer->body, "details.name"), one->name) == 0) {
        one->failures = 0;
        take_missing(one);
        return;
    }
    bool is_it =
        answer->status == 200 && shelf_key_of(answer->body, key) && strcmp(key, one->key) == 0;
    one->failures = is_it ? 0 : one->failures + 1;
    if (is_it) {
        one->misses = 0;
        source_put(n->source, n->kind, &n->shelf, one->key, answer->body);
        named_watch_open(&one->watch, one->namespace_, one->name);
    } else {
        n->source->stats.failures += 1;
        if (one->failures == 1)
            source_tell_trouble(n->source, n->kind, "%s cannot be read (%d): %s", one->key,
                                answer->status, answer->text);
    }
    arm(one);
}

static void read_it(struct wheel_timer *timer, uint64_t now_us)
{
    struct named_one *one = container_of(timer, struct named_one, timer);
    struct source *s = one->named->source;
    char path[KUBE_PATH_MAX];
    const struct kube_request request = {
        .method = "GET", .path = path, .on_done = on_read, .owner = one};
    if (!source_path(s, one->named->kind, one->namespace_, one->name, NULL, path) ||
        kube_call(s->kube, &request, &one->call) != 0) {
        one->failures += 1;
        arm(one);
    }
}

/* ---- who wants what ---- */

static void forget(struct named_one *one)
{
    struct named *n = one->named;
    loop_timer_disarm(n->source->loop, &one->timer);
    named_watch_close(&one->watch);
    if (one->call != NULL)
        kube_call_cancel(one->call);
    if (one->verify != NULL)
        verify_cancel(one->verify);
    n->n_wanted -= 1;
    free(one);
}

int named_want(struct named *n, const char *namespace_, const char *name)
{
    char key[KEY_BYTES];
    if (strlen(namespace_) > 253 || strlen(name) > 253)
        return -EINVAL;
    struct named_one *one = find(n, shelf_key(namespace_, name, key));
    if (one != NULL) {
        one->n_wants += 1;
        return 0;
    }
    one = calloc(1, sizeof(*one));
    if (one == NULL)
        return -ENOMEM;
    one->named = n;
    one->watch = (struct named_watch){.named = n, .is_known = is_known, .on_news = on_news};
    one->n_wants = 1;
    one->timer.on_expire = read_it;
    memcpy(one->key, key, KEY_BYTES);
    memcpy(one->text, key, KEY_BYTES);
    char *slash = strchr(one->text, '/');
    *slash = '\0';
    one->namespace_ = one->text;
    one->name = slash + 1;
    if (tsearch(one, &n->wanted, compare) == NULL) {
        free(one);
        return -ENOMEM;
    }
    n->n_wanted += 1;
    loop_timer_arm(n->source->loop, &one->timer, 0);
    return 0;
}

void named_drop(struct named *n, const char *namespace_, const char *name)
{
    char key[KEY_BYTES];
    struct named_one *one = find(n, shelf_key(namespace_, name, key));
    if (one == NULL || --one->n_wants > 0)
        return;
    tdelete(one, &n->wanted, compare);
    forget(one);
    source_remove(n->source, n->kind, &n->shelf, key);
}

int named_init(struct named *n, struct source *s, enum kind kind)
{
    n->source = s;
    n->kind = kind;
    return shelf_init(&n->shelf);
}

static void forget_node(void *one)
{
    forget(one);
}

void named_done(struct named *n)
{
    tdestroy(n->wanted, forget_node);
    n->wanted = NULL;
    shelf_done(&n->shelf);
}

void named_confirm(struct named *n)
{
    const char *key;
    json_t *since;
    void *next;
    json_object_foreach_safe(n->shelf.held, next, key, since)
    {
        source_remove(n->source, n->kind, &n->shelf, key);
    }
}
