/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of the cluster that have to be looked at, each once however often it was marked, and what
 * comes of it: one call at a time an object, so many in flight in all, and tries that failed again
 * after a while, doubled each time. Status and infrastructure are made of it.
 *
 *   mark -> (its turn) look -> nothing to do: over
 *                           -> chore_send -> done: over, or looked at again
 *                                         -> later: waits, then looked at again
 *
 * After a call an object may be newer than the cache, which its watch brings up to date a moment
 * later: `latest` is kept until the cache has it, and chore_object() gives the newer one.
 *
 * Owner: status, infrastructure. Thread: the loop's.
 */
#pragma once

#include "base/list.h"
#include "base/wheel.h"
#include "controller/source.h"

/* Calls in flight, of the KUBE_CALLS_MAX that the client has: two that work so and an Event leave
 * one to lists and leases. */
#define CHORES_CALLS_MAX 3u
/* Between tries: doubled from the first to the last, half of it by chance. */
#define CHORES_BACKOFF_MS_MIN 200u
#define CHORES_BACKOFF_MS_MAX 60000u
/* Objects looked at in a round of the loop. */
#define CHORES_LOOKS_PER_ROUND 64u
#define CHORE_KEY_BYTES 540u

struct chores;

struct chore {
    struct list_node link; /* of its bucket */
    struct list_node turn; /* of those whose turn comes */
    struct wheel_timer timer;
    struct chores *chores;
    struct kube_call *call; /* in flight; NULL: none */
    json_t *latest;         /* what the server answered last; NULL: nothing kept */
    json_t *before;         /* the owner's: the object that its call was made of */
    unsigned purpose;       /* the owner's: what its call is for */
    unsigned failures;      /* in a row */
    bool is_again;          /* marked while its call was in flight */
    enum kind kind;
    char namespace_[254], name[254];
};

/* What a call came to. */
enum chore_next {
    CHORE_OVER,
    CHORE_AGAIN, /* look at once */
    CHORE_LATER, /* after the back-off, or what the server asked for */
};

struct chores_config {
    struct loop *loop;
    struct source *source; /* of the cluster */
    void *owner;
    void (*look)(void *owner, struct chore *c); /* may call chore_send(), once */
    enum chore_next (*on_done)(void *owner, struct chore *c, const struct kube_answer *answer);
};

/* Makes it, empty. 0; -ENOMEM, -EIO (no random bytes). */
int chores_new(const struct chores_config *config, struct chores **ret);

/* Cancels what is in flight. NULL is fine. */
void chores_free(struct chores *c);

/* The object has to be looked at. -ENOMEM. */
int chores_mark(struct chores *c, enum kind kind, const char *namespace_, const char *name);

/* Forgets all, in flight or waiting: somebody else does it now. */
void chores_drop_all(struct chores *c);

/* Objects marked, in flight or waiting. */
unsigned chores_pending(const struct chores *c);

/* The object as the server had it last; borrowed; NULL: it is gone. */
json_t *chore_object(const struct chore *c);

/* The server answered with this object: the newest that there is. */
void chore_keep(struct chore *c, json_t *object);

/* Sends a request for this object; `body` is read before it returns. From look(), or from on_done()
 * that returns CHORE_AGAIN. Errors as kube_call(): then the chore is tried again later. */
int chore_send(struct chore *c, const char *method, const char *path, const char *content_type,
               const json_t *body);
