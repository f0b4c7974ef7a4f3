/* SPDX-License-Identifier: Apache-2.0 */
/* See tls_crypto.h. A step itself is in tls_handshake.c. */
#include "tls/tls_crypto.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/siphash.h"
#include "tls/tls_priv.h"

#include <stdlib.h>

/* At the end of a worker: a device that does not answer so often never will. */
#define LAST_TRIES_MAX 100000u

/* New handshakes of one network, or of several. */
struct turn_queue {
    struct list_node link; /* in `active`, while anybody waits */
    struct list_node waiting;
    uint32_t n;
};

struct tls_crypto {
    struct list_node begun;  /* due: handshakes of which a step was taken */
    struct list_node active; /* queues of all others that are due, the next one first */
    struct list_node paused; /* a device is at their step, which the worker began */
    struct list_node owing;  /* begun, of clients, and not due; who has waited longest first */
    uint32_t n_owing;
    struct tls_crypto_counts counts;
    uint32_t n_paused;
    uint64_t stepped_us; /* when a round began that took a step; 0: the last one did not */
    uint64_t owed_us;    /* by rounds that follow */
    unsigned n_lanes, turn;
    struct job_lane *lanes[TLS_LANES_MAX];
    struct siphash_key key;
    struct turn_queue queues[TLS_QUEUES];
};

struct tls_crypto *tls_crypto_new(struct job_lane *const *lanes, unsigned n,
                                  const struct siphash_key *key)
{
    ASSERT(n <= TLS_LANES_MAX);
    struct tls_crypto *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    list_init(&c->begun);
    list_init(&c->active);
    list_init(&c->paused);
    list_init(&c->owing);
    for (unsigned i = 0; i < TLS_QUEUES; i++)
        list_init(&c->queues[i].waiting);
    c->key = *key;
    c->n_lanes = n;
    for (unsigned i = 0; i < n; i++)
        c->lanes[i] = lanes[i];
    return c;
}

void tls_use_crypto(struct stream *s, struct tls_crypto *c)
{
    struct tls_stream *t = tls_of(s);
    ASSERT(t->state == TLS_HANDSHAKE && t->steps == 0 && !t->is_away);
    t->crypto = c;
    if (c != NULL && t->context->front == NULL && tls_device_is_open())
        SSL_set_mode(t->ssl, SSL_MODE_ASYNC); /* a front's is set when its hello is over */
}

/* A client with IPv6 has a network of 64 bits to itself. */
static struct turn_queue *queue_of(struct tls_crypto *c, const struct tls_stream *t)
{
    const struct ip_addr *client = &t->addrs.remote;
    size_t len = ip_addr_is_v4(client) ? sizeof(client->bytes) : sizeof(client->bytes) / 2;
    return &c->queues[siphash(&c->key, client->bytes, len) % TLS_QUEUES];
}

static struct tls_stream *of_due(struct list_node *node)
{
    return container_of(node, struct tls_stream, due);
}

/* Refuses the last one of the longest queue, for one of `queue`. False: none is longer. */
static bool make_room(struct tls_crypto *c, const struct turn_queue *queue)
{
    struct turn_queue *longest = &c->queues[0];
    for (unsigned i = 1; i < TLS_QUEUES; i++)
        longest = c->queues[i].n > longest->n ? &c->queues[i] : longest;
    if (longest->n <= queue->n)
        return false;
    tls_step_shed(of_due(longest->waiting.prev));
    return true;
}

static void end_owing(struct tls_stream *t)
{
    if (!list_is_linked(&t->owing))
        return;
    list_remove(&t->owing);
    t->crypto->n_owing--;
}

void tls_crypto_await(struct tls_stream *t)
{
    struct tls_crypto *c = t->crypto;
    if (c == NULL || t->context->front == NULL || list_is_linked(&t->owing))
        return;
    list_push_back(&c->owing, &t->owing);
    if (c->n_owing++ >= TLS_OWING_MAX * (1 + c->n_lanes))
        tls_step_shed(container_of(list_peek_front(&c->owing), struct tls_stream, owing));
}

bool tls_crypto_enter(struct tls_stream *t)
{
    struct tls_crypto *c = t->crypto;
    ASSERT(!t->is_away && !list_is_linked(&t->due));
    end_owing(t);
    if (t->steps > 0) {
        list_push_back(&c->begun, &t->due);
        c->counts.due_now++;
        return true;
    }
    struct turn_queue *queue = queue_of(c, t);
    if (c->counts.due_now >= TLS_DUE_MAX && !make_room(c, queue))
        return false;
    list_push_back(&queue->waiting, &t->due);
    if (queue->n++ == 0)
        list_push_back(&c->active, &queue->link);
    c->counts.due_now++;
    return true;
}

/* It leaves its queue, whose turn is over if it got what it waited for. */
static void leave_queue(struct tls_crypto *c, struct turn_queue *queue, bool is_served)
{
    ASSERT(queue->n > 0);
    queue->n--;
    if (queue->n == 0 || is_served)
        list_remove(&queue->link);
    if (queue->n > 0 && is_served)
        list_push_back(&c->active, &queue->link);
}

static void leave(struct tls_crypto *c, struct tls_stream *t, bool is_served)
{
    list_remove(&t->due);
    c->counts.due_now--;
    if (t->steps == 0)
        leave_queue(c, queue_of(c, t), is_served);
}

void tls_crypto_leave(struct tls_stream *t)
{
    end_owing(t);
    if (t->is_away)
        job_give_up(&t->job);
    else if (list_is_linked(&t->due))
        leave(t->crypto, t, false);
}

static struct tls_stream *first_due(struct tls_crypto *c)
{
    if (!list_is_empty(&c->begun))
        return of_due(list_peek_front(&c->begun));
    if (list_is_empty(&c->active))
        return NULL;
    struct turn_queue *next = container_of(list_peek_front(&c->active), struct turn_queue, link);
    return of_due(list_peek_front(&next->waiting));
}

static struct tls_stream *of_job(struct job *job)
{
    return container_of(job, struct tls_stream, job);
}

/* The emptiest lane, the next one in turn of several. */
static struct job_lane *lane_for_next(struct tls_crypto *c)
{
    struct job_lane *best = c->lanes[c->turn++ % c->n_lanes];
    for (unsigned i = 0; i < c->n_lanes; i++) {
        if (job_lane_count(c->lanes[i]) < job_lane_count(best))
            best = c->lanes[i];
    }
    return best;
}

static unsigned give(struct tls_crypto *c)
{
    unsigned n = 0;
    for (struct tls_stream *t; (t = first_due(c)) != NULL; n++) {
        struct job_lane *lane = lane_for_next(c);
        if (job_lane_count(lane) == JOBS_PER_LANE_MAX)
            break;
        leave(c, t, true);
        if (!tls_step_pack(t))
            continue; /* it is over: no memory */
        t->is_away = true;
        c->counts.away_now++;
        bool is_given = job_lane_give(lane, &t->job);
        ASSERT(is_given);
    }
    return n;
}

static unsigned take(struct tls_crypto *c)
{
    unsigned n = 0;
    for (unsigned i = 0; i < c->n_lanes; i++) {
        for (struct job *job; (job = job_lane_take(c->lanes[i])) != NULL; n++) {
            c->counts.away++;
            c->counts.away_ns += job->spent_ns;
            c->counts.away_now--;
            job->spent_ns = 0;
            tls_step_done(of_job(job));
        }
    }
    return n;
}

/* A step that the worker takes, the first time or again. */
static void step_here(struct tls_crypto *c, struct tls_stream *t)
{
    if (t->job.run(&t->job) == JOB_AGAIN) {
        t->is_away = true;
        list_push_back(&c->paused, &t->due);
        c->n_paused++;
        return;
    }
    c->counts.here++;
    tls_step_done(t);
}

/* One look at each step that a device is at. */
static unsigned look_at_paused(struct tls_crypto *c)
{
    uint32_t n = c->n_paused;
    for (uint32_t i = 0; i < n; i++) {
        struct tls_stream *t = container_of(list_take_front(&c->paused), struct tls_stream, due);
        c->n_paused--;
        step_here(c, t);
    }
    return n - c->n_paused;
}

/* What the last step's round took beyond its share is paid back, by rounds that have other work. */
static bool is_allowed(struct tls_crypto *c, uint64_t now_us, bool is_loaded)
{
    uint64_t took_us = c->stepped_us != 0 ? now_us - c->stepped_us : 0;
    c->stepped_us = 0;
    if (took_us > TLS_HERE_US_MAX)
        c->owed_us += took_us - TLS_HERE_US_MAX;
    if (!is_loaded)
        c->owed_us = 0;
    bool is_free = c->owed_us == 0;
    c->owed_us -= c->owed_us < TLS_HERE_US_MAX ? c->owed_us : TLS_HERE_US_MAX;
    return is_free;
}

static unsigned run_here(struct tls_crypto *c, uint64_t now_us, bool is_loaded)
{
    unsigned n = look_at_paused(c);
    struct tls_stream *t = first_due(c);
    if (!is_allowed(c, now_us, is_loaded) || t == NULL || c->n_paused == TLS_PAUSED_MAX)
        return n;
    leave(c, t, true);
    c->stepped_us = now_us;
    step_here(c, t);
    return n + 1;
}

unsigned tls_crypto_poll(struct tls_crypto *c, uint64_t now_us, bool is_loaded)
{
    if (c->n_lanes == 0)
        return run_here(c, now_us, is_loaded);
    unsigned n = take(c);
    return n + give(c);
}

uint64_t tls_crypto_next_us(const struct tls_crypto *c, uint64_t now_us)
{
    bool is_away = c->counts.away_now > 0 || c->n_paused > 0;
    if (c->counts.due_now > 0 && (c->n_lanes == 0 || !is_away))
        return now_us;
    return is_away ? now_us + TLS_AWAY_SLEEP_US_MAX : UINT64_MAX;
}

void tls_crypto_counts(const struct tls_crypto *c, struct tls_crypto_counts *ret)
{
    *ret = c->counts;
    ret->away_now += c->n_paused;
}

void tls_crypto_free(struct tls_crypto *c)
{
    if (c == NULL)
        return;
    for (unsigned i = 0; i < c->n_lanes; i++) {
        for (struct job *job; (job = job_lane_get(c->lanes[i])) != NULL;)
            job_lane_put(c->lanes[i], job); /* never begun */
    }
    take(c);
    for (unsigned i = 0; i < LAST_TRIES_MAX && c->n_paused > 0; i++)
        look_at_paused(c);
    ASSERT(c->counts.due_now == 0);
    free(c);
}
