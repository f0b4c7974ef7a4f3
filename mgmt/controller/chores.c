/* SPDX-License-Identifier: Apache-2.0 */
/* Objects that have to be looked at, and the calls that come of it. See chores.h. */
#include "controller/chores.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/siphash.h"
#include "loop/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* 5,000 routes: short chains. A power of two. */
#define BUCKETS 4096u

struct chores {
    struct chores_config config;
    struct loop_task task;
    struct list_node turns; /* marked, in the order of marking */
    struct list_node buckets[BUCKETS];
    struct siphash_key key;
    unsigned n_calls;
    unsigned n_pending;
};

/* ---- the table ---- */

static struct list_node *bucket_of(struct chores *c, enum kind kind, const char *namespace_,
                                   const char *name)
{
    char key[CHORE_KEY_BYTES];
    int n = snprintf(key, sizeof(key), "%d/%s/%s", (int)kind, namespace_, name);
    ASSERT(n > 0 && (size_t)n < sizeof(key));
    return &c->buckets[siphash(&c->key, key, (size_t)n) % BUCKETS];
}

static bool is_it(const struct chore *c, enum kind kind, const char *namespace_, const char *name)
{
    return c->kind == kind && strcmp(c->name, name) == 0 && strcmp(c->namespace_, namespace_) == 0;
}

static void on_backed_off(struct wheel_timer *timer, uint64_t now_us);

static struct chore *make(struct chores *c, struct list_node *bucket, enum kind kind,
                          const char *namespace_, const char *name)
{
    struct chore *chore = calloc(1, sizeof(*chore));
    if (chore == NULL) {
        return NULL;
    }
    chore->chores = c;
    chore->kind = kind;
    snprintf(chore->namespace_, sizeof(chore->namespace_), "%s", namespace_);
    snprintf(chore->name, sizeof(chore->name), "%s", name);
    chore->timer.on_expire = on_backed_off;
    list_push_back(bucket, &chore->link);
    return chore;
}

static bool is_idle(const struct chore *c)
{
    return c->call == NULL && !list_is_linked(&c->turn) && !wheel_timer_is_armed(&c->timer);
}

static void drop(struct chore *chore)
{
    struct chores *c = chore->chores;
    if (!is_idle(chore)) {
        c->n_pending--;
    }
    if (chore->call != NULL) {
        kube_call_cancel(chore->call);
        c->n_calls--;
    }
    if (list_is_linked(&chore->turn)) {
        list_remove(&chore->turn);
    }
    loop_timer_disarm(c->config.loop, &chore->timer);
    list_remove(&chore->link);
    json_decref(chore->latest);
    json_decref(chore->before);
    free(chore);
}

/* ---- the newer of two ---- */

/* Versions are numbers in every server there is; one that is none is older than any. */
static unsigned long long version_of(const json_t *object)
{
    return strtoull(kube_text_at(object, "metadata.resourceVersion"), NULL, 10);
}

static bool is_same_object(const json_t *a, const json_t *b)
{
    return strcmp(kube_text_at(a, "metadata.uid"), kube_text_at(b, "metadata.uid")) == 0;
}

/* Has the cache what the last call brought, or something newer? */
static bool has_caught_up(const struct chore *c, const json_t *cached)
{
    return c->latest == NULL || cached == NULL || !is_same_object(cached, c->latest) ||
           version_of(cached) >= version_of(c->latest);
}

json_t *chore_object(const struct chore *c)
{
    json_t *cached = source_get(c->chores->config.source, c->kind, c->namespace_, c->name);
    return has_caught_up(c, cached) ? cached : c->latest;
}

void chore_keep(struct chore *c, json_t *object)
{
    json_incref(object);
    json_decref(c->latest);
    c->latest = object;
}

/* ---- turns ---- */

static void queue(struct chore *chore)
{
    struct chores *c = chore->chores;
    if (is_idle(chore)) {
        c->n_pending++;
    }
    if (!list_is_linked(&chore->turn)) {
        list_push_back(&c->turns, &chore->turn);
    }
    if (c->n_calls < CHORES_CALLS_MAX) {
        loop_task_program(c->config.loop, &c->task);
    }
}

static void on_backed_off(struct wheel_timer *timer, uint64_t now_us)
{
    struct chore *chore = container_of(timer, struct chore, timer);
    chore->chores->n_pending--;
    queue(chore);
}

static uint64_t back_off_us(const struct chore *chore, uint64_t wanted_ms)
{
    unsigned doublings = chore->failures < 16 ? chore->failures : 16;
    uint64_t ms = (uint64_t)CHORES_BACKOFF_MS_MIN << doublings;
    uint64_t half = (ms < CHORES_BACKOFF_MS_MAX ? ms : CHORES_BACKOFF_MS_MAX) * 500;
    uint64_t chance = 0;
    if (getrandom(&chance, sizeof(chance), 0) != sizeof(chance)) {
        chance = 0;
    }
    uint64_t us = half + chance % half;
    return wanted_ms * 1000 > us ? wanted_ms * 1000 : us;
}

static void wait_a_while(struct chore *chore, uint64_t wanted_ms)
{
    struct chores *c = chore->chores;
    if (is_idle(chore)) {
        c->n_pending++;
    }
    loop_timer_arm(c->config.loop, &chore->timer, back_off_us(chore, wanted_ms));
    chore->failures++;
}

/* Nothing to do now: forgotten, unless it knows more than the cache. */
static void rest(struct chore *chore)
{
    struct chores *c = chore->chores;
    json_t *cached = source_get(c->config.source, chore->kind, chore->namespace_, chore->name);
    if (is_idle(chore) && has_caught_up(chore, cached)) {
        drop(chore);
    }
}

static void on_turns(struct loop_task *task)
{
    struct chores *c = container_of(task, struct chores, task);
    for (unsigned i = 0; i < CHORES_LOOKS_PER_ROUND && c->n_calls < CHORES_CALLS_MAX; i++) {
        if (list_is_empty(&c->turns)) {
            return;
        }
        struct chore *chore = container_of(c->turns.next, struct chore, turn);
        ASSERT(chore->call == NULL);
        list_remove(&chore->turn);
        loop_timer_disarm(c->config.loop, &chore->timer);
        c->n_pending--;
        c->config.look(c->config.owner, chore);
        rest(chore);
    }
    if (!list_is_empty(&c->turns) && c->n_calls < CHORES_CALLS_MAX) {
        loop_task_program(c->config.loop, &c->task);
    }
}

/* ---- calls ---- */

static void on_answer(void *owner, const struct kube_answer *answer)
{
    struct chore *chore = owner;
    struct chores *c = chore->chores;
    chore->call = NULL;
    c->n_calls--;
    c->n_pending--;
    bool is_again = chore->is_again;
    chore->is_again = false;
    enum chore_next next = c->config.on_done(c->config.owner, chore, answer);
    if (next != CHORE_LATER) {
        chore->failures = next == CHORE_OVER ? 0 : chore->failures;
    }
    if (chore->call != NULL) { /* on_done() sent another one */
        chore->is_again = is_again;
    } else if (next == CHORE_LATER) {
        wait_a_while(chore, answer->retry_after_ms);
    } else if (next == CHORE_AGAIN || is_again) {
        queue(chore);
    } else {
        rest(chore);
    }
    if (!list_is_empty(&c->turns)) {
        loop_task_program(c->config.loop, &c->task);
    }
}

int chore_send(struct chore *chore, const char *method, const char *path, const char *content_type,
               const json_t *body)
{
    struct chores *c = chore->chores;
    struct kube_request request = {
        .method = method,
        .path = path,
        .body = body,
        .content_type = content_type,
        .on_done = on_answer,
        .owner = chore,
    };
    ASSERT(chore->call == NULL);
    int error = kube_call(source_kube(c->config.source), &request, &chore->call);
    if (error != 0) {
        chore->call = NULL;
        wait_a_while(chore, 0);
        return error;
    }
    c->n_calls++;
    c->n_pending++;
    return 0;
}

/* ---- all ---- */

int chores_new(const struct chores_config *config, struct chores **ret)
{
    struct chores *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return -ENOMEM;
    }
    ASSERT(config->look != NULL && config->on_done != NULL);
    c->config = *config;
    c->task.run = on_turns;
    list_init(&c->turns);
    for (unsigned i = 0; i < BUCKETS; i++) {
        list_init(&c->buckets[i]);
    }
    if (getrandom(&c->key, sizeof(c->key), 0) != sizeof(c->key)) {
        free(c);
        return -EIO;
    }
    *ret = c;
    return 0;
}

void chores_drop_all(struct chores *c)
{
    for (unsigned i = 0; i < BUCKETS; i++) {
        LIST_EACH_SAFE (it, next, &c->buckets[i]) {
            drop(container_of(it, struct chore, link));
        }
    }
    ASSERT(c->n_calls == 0 && c->n_pending == 0);
}

void chores_free(struct chores *c)
{
    if (c == NULL) {
        return;
    }
    chores_drop_all(c);
    loop_task_cancel(c->config.loop, &c->task);
    free(c);
}

int chores_mark(struct chores *c, enum kind kind, const char *namespace_, const char *name)
{
    struct list_node *bucket = bucket_of(c, kind, namespace_, name);
    struct chore *chore = NULL;
    LIST_EACH (it, bucket) {
        struct chore *each = container_of(it, struct chore, link);
        if (is_it(each, kind, namespace_, name)) {
            chore = each;
            break;
        }
    }
    chore = chore != NULL ? chore : make(c, bucket, kind, namespace_, name);
    if (chore == NULL) {
        return -ENOMEM;
    }
    if (chore->call != NULL) {
        chore->is_again = true;
    } else if (!wheel_timer_is_armed(&chore->timer)) {
        queue(chore);
    }
    return 0;
}

unsigned chores_pending(const struct chores *c)
{
    return c->n_pending;
}
