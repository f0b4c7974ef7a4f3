/* SPDX-License-Identifier: Apache-2.0 */
/* Events: the same once, and never too many. See events.h. */
#include "controller/events.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/list.h"
#include "base/siphash.h"
#include "loop/loop.h"
#include "model/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define BUCKETS 1024u
#define NAME_BYTES 254u
/* Of the object's name in the Event's, which adds a dot and 16 digits. */
#define NAME_PART_MAX 230

/* What was said, and of which object something was. The first ones of the lists are the oldest. */
struct memory {
    struct list_node by_age;
    struct list_node bucket;
    uint64_t hash;
    uint64_t at_us; /* when it was touched last */
};

struct said {
    struct memory memory;
    struct events *events;
    struct list_node turn; /* of those that wait to be sent */
    struct kube_call *call;
    json_t *object; /* the Event */
    bool is_there;  /* the server has it */
    bool is_again;  /* said while its call was in flight */
};

struct about {
    struct memory memory;
    uint64_t tokens_us; /* time that was saved up: EVENTS_OBJECT_MS buys one */
};

struct memories {
    struct list_node by_age;
    struct list_node buckets[BUCKETS];
    unsigned n;
};

struct events {
    struct events_config config;
    struct siphash_key key;
    struct memories said;
    struct memories about;
    uint64_t tokens_us; /* as of an object, for all: a second buys EVENTS_PER_S */
    uint64_t at_us;
    struct list_node turns;
    unsigned n_calls;
    struct events_stats stats;
};

/* ---- memory ---- */

static void init_memories(struct memories *m)
{
    list_init(&m->by_age);
    for (unsigned i = 0; i < BUCKETS; i++) {
        list_init(&m->buckets[i]);
    }
}

static struct memory *recall(struct memories *m, uint64_t hash)
{
    LIST_EACH (it, &m->buckets[hash % BUCKETS]) {
        struct memory *each = container_of(it, struct memory, bucket);
        if (each->hash == hash) {
            return each;
        }
    }
    return NULL;
}

static void remember(struct memories *m, struct memory *what, uint64_t hash)
{
    what->hash = hash;
    list_push_back(&m->by_age, &what->by_age);
    list_push_back(&m->buckets[hash % BUCKETS], &what->bucket);
    m->n++;
}

static void touch(struct memories *m, struct memory *what, uint64_t now_us)
{
    what->at_us = now_us;
    list_remove(&what->by_age);
    list_push_back(&m->by_age, &what->by_age);
}

static void forget(struct memories *m, struct memory *what)
{
    list_remove(&what->by_age);
    list_remove(&what->bucket);
    m->n--;
}

static void forget_said(struct events *e, struct said *s)
{
    forget(&e->said, &s->memory);
    if (s->call != NULL) {
        kube_call_cancel(s->call);
        e->n_calls--;
    }
    if (list_is_linked(&s->turn)) {
        list_remove(&s->turn);
    }
    json_decref(s->object);
    free(s);
}

static void forget_about(struct events *e, struct about *a)
{
    forget(&e->about, &a->memory);
    free(a);
}

/* ---- buckets ---- */

/* Saves up the time since `*at_us`, at most `burst` times `price_us`, and spends one price. */
static bool spend(uint64_t *saved_us, uint64_t *at_us, uint64_t now_us, uint64_t price_us,
                  unsigned burst)
{
    uint64_t saved = *saved_us + (now_us - *at_us);
    saved = saved < burst * price_us ? saved : burst * price_us;
    bool is_enough = saved >= price_us;
    *saved_us = is_enough ? saved - price_us : saved;
    *at_us = now_us;
    return is_enough;
}

static bool may_say(struct events *e, const char *uid, uint64_t now_us)
{
    const uint64_t price_us = EVENTS_OBJECT_MS * UINT64_C(1000);
    uint64_t hash = siphash(&e->key, uid, strlen(uid));
    struct memory *found = recall(&e->about, hash);
    struct about *a = found != NULL ? container_of(found, struct about, memory) : NULL;
    if (a == NULL) {
        a = calloc(1, sizeof(*a));
        if (a == NULL) {
            return false;
        }
        if (e->about.n >= EVENTS_REMEMBERED_MAX) {
            forget_about(e, container_of(e->about.by_age.next, struct about, memory.by_age));
        }
        a->tokens_us = EVENTS_OBJECT_BURST * price_us;
        a->memory.at_us = now_us;
        remember(&e->about, &a->memory, hash);
    }
    uint64_t at_us = a->memory.at_us;
    touch(&e->about, &a->memory, now_us);
    return spend(&a->tokens_us, &at_us, now_us, price_us, EVENTS_OBJECT_BURST) &&
           spend(&e->tokens_us, &e->at_us, now_us, 1000000u / EVENTS_PER_S, EVENTS_BURST);
}

/* ---- one Event ---- */

static json_t *make_event(struct events *e, uint64_t hash, const json_t *object, const char *type,
                          const char *reason, const char *message)
{
    char now[TEXT_TIME_BYTES];
    char name[NAME_BYTES];
    char text[EVENTS_MESSAGE_BYTES_MAX];
    const char *namespace_ = kube_text_at(object, "metadata.namespace");
    uint64_t chance = hash;
    text_of_time(time(NULL), now);
    if (getrandom(&chance, sizeof(chance), 0) != sizeof(chance)) {
        chance = hash;
    }
    snprintf(name, sizeof(name), "%.*s.%016llx", NAME_PART_MAX,
             kube_text_at(object, "metadata.name"), (unsigned long long)chance);
    snprintf(text, sizeof(text), "%s", message);
    text_trim(text);
    return json_pack(
        "{s:s, s:s, s:{s:s, s:s}, s:{s:s, s:s, s:s, s:s, s:s, s:s}, s:s, s:s, s:s, s:s, s:s, s:i, "
        "s:{s:s}, s:s, s:s}",
        "apiVersion", "v1", "kind", "Event", "metadata", "name", name, "namespace",
        namespace_[0] != '\0' ? namespace_ : "default", "involvedObject", "apiVersion",
        kube_text_at(object, "apiVersion"), "kind", kube_text_at(object, "kind"), "namespace",
        namespace_, "name", kube_text_at(object, "metadata.name"), "uid",
        kube_text_at(object, "metadata.uid"), "resourceVersion",
        kube_text_at(object, "metadata.resourceVersion"), "type", type, "reason", reason, "message",
        text, "firstTimestamp", now, "lastTimestamp", now, "count", 1, "source", "component",
        e->config.component, "reportingComponent", e->config.component, "reportingInstance",
        e->config.instance);
}

/* ---- sending ---- */

static void send_next(struct events *e);

static void on_done(void *owner, const struct kube_answer *answer)
{
    struct said *s = owner;
    struct events *e = s->events;
    s->call = NULL;
    e->n_calls--;
    if (answer->status < 200 || answer->status > 299) {
        e->stats.failures++;
        forget_said(e, s); /* said again, it is a new one */
    } else {
        e->stats.written++;
        s->is_there = true;
        if (s->is_again) {
            s->is_again = false;
            list_push_back(&e->turns, &s->turn);
        }
    }
    send_next(e);
}

/* The whole Event, or what has changed of it since. False: it cannot be sent. */
static bool send(struct said *s)
{
    char path[KUBE_PATH_MAX];
    json_t *patch = s->is_there
                        ? json_pack("{s:O, s:O}", "count", json_object_get(s->object, "count"),
                                    "lastTimestamp", json_object_get(s->object, "lastTimestamp"))
                        : NULL;
    struct kube_request request = {
        .method = s->is_there ? "PATCH" : "POST",
        .path = path,
        .body = s->is_there ? patch : s->object,
        .content_type = s->is_there ? "application/merge-patch+json" : NULL,
        .on_done = on_done,
        .owner = s,
    };
    const char *name = s->is_there ? kube_text_at(s->object, "metadata.name") : NULL;
    bool is_sent = kube_path(path, "v1", "events", kube_text_at(s->object, "metadata.namespace"),
                             name, NULL) &&
                   kube_call(s->events->config.kube, &request, &s->call) == 0;
    json_decref(patch);
    s->call = is_sent ? s->call : NULL;
    s->events->n_calls += is_sent;
    return is_sent;
}

static void send_next(struct events *e)
{
    while (e->n_calls < EVENTS_CALLS_MAX && !list_is_empty(&e->turns)) {
        struct said *s = container_of(e->turns.next, struct said, turn);
        list_remove(&s->turn);
        if (!send(s)) {
            e->stats.failures++;
            forget_said(e, s);
        }
    }
}

static void say_again(struct events *e, struct said *s, uint64_t now_us)
{
    char now[TEXT_TIME_BYTES];
    text_of_time(time(NULL), now);
    touch(&e->said, &s->memory, now_us);
    json_object_set_new(s->object, "count",
                        json_integer(json_integer_value(json_object_get(s->object, "count")) + 1));
    json_object_set_new(s->object, "lastTimestamp", json_string(now));
    if (s->call != NULL) {
        s->is_again = true;
    } else if (!list_is_linked(&s->turn)) {
        list_push_back(&e->turns, &s->turn);
        send_next(e);
    }
}

static uint64_t hash_of(const struct events *e, const char *uid, const char *type,
                        const char *reason, const char *message)
{
    char text[2 * EVENTS_MESSAGE_BYTES_MAX];
    int n = snprintf(text, sizeof(text), "%s\n%s\n%s\n%s", uid, type, reason, message);
    size_t len = (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
    return siphash(&e->key, text, len);
}

void events_say(struct events *e, const json_t *object, const char *type, const char *reason,
                const char *message)
{
    const char *uid = kube_text_at(object, "metadata.uid");
    uint64_t now_us = loop_now_us(e->config.loop);
    uint64_t hash = hash_of(e, uid, type, reason, message);
    struct memory *found = recall(&e->said, hash);
    struct said *s = found != NULL ? container_of(found, struct said, memory) : NULL;
    if (!may_say(e, uid, now_us)) {
        e->stats.limited++;
        return;
    }
    if (s != NULL && now_us < s->memory.at_us + EVENTS_SAME_MS * UINT64_C(1000)) {
        say_again(e, s, now_us);
        return;
    }
    if (s != NULL) {
        forget_said(e, s);
    } else if (e->said.n >= EVENTS_REMEMBERED_MAX) {
        forget_said(e, container_of(e->said.by_age.next, struct said, memory.by_age));
    }
    s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return;
    }
    s->events = e;
    s->object = make_event(e, hash, object, type, reason, message);
    s->memory.at_us = now_us;
    remember(&e->said, &s->memory, hash);
    if (s->object == NULL) { /* a text that is no UTF-8 */
        forget_said(e, s);
        return;
    }
    list_push_back(&e->turns, &s->turn);
    send_next(e);
}

/* ---- all ---- */

int events_new(const struct events_config *config, struct events **ret)
{
    struct events *e = calloc(1, sizeof(*e));
    if (e == NULL) {
        return -ENOMEM;
    }
    if (getrandom(&e->key, sizeof(e->key), 0) != sizeof(e->key)) {
        free(e);
        return -EIO;
    }
    e->config = *config;
    e->at_us = loop_now_us(config->loop);
    e->tokens_us = (uint64_t)EVENTS_BURST * (1000000u / EVENTS_PER_S);
    list_init(&e->turns);
    init_memories(&e->said);
    init_memories(&e->about);
    *ret = e;
    return 0;
}

void events_free(struct events *e)
{
    if (e == NULL) {
        return;
    }
    LIST_EACH_SAFE (it, next, &e->said.by_age) {
        forget_said(e, container_of(it, struct said, memory.by_age));
    }
    LIST_EACH_SAFE (it, next, &e->about.by_age) {
        forget_about(e, container_of(it, struct about, memory.by_age));
    }
    free(e);
}

void events_stats(const struct events *e, struct events_stats *ret)
{
    *ret = e->stats;
}
