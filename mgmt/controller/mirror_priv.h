/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The insides of the mirror: mirror.c (the cluster's side: which objects, and who is told),
 * appliance.c (an appliance's side: what is to be written, in which order), flight.c (one write and
 * what its answer means).
 *
 * A copy, of each object in each appliance, is in one of three states:
 *   IDLE    nothing to do, or nothing that can be done now (then it has a trouble, and `retry` is
 *           armed)
 *   QUEUED  to be looked at when its kind's turn comes
 *   FLYING  a call is under way; what changes meanwhile makes it `is_stale`, to be looked at again
 *
 * A copy is idle or queued without a memory of what is to be done: that follows from what the
 * cluster has, and what the appliance has, when its turn comes.
 */
#pragma once

#include "base/list.h"
#include "base/rng.h"
#include "base/wheel.h"
#include "controller/copy.h"
#include "controller/graph.h"
#include "controller/mirror.h"
#include "loop/loop.h"

struct appliance;
struct mirrored;

enum copy_state {
    COPY_IDLE,
    COPY_QUEUED,
    COPY_FLYING,
};

struct copy {
    struct list_node link; /* of its appliance's queue */
    struct mirrored *object;
    struct appliance *appliance;
    enum copy_state state;
    bool is_stale;
    bool is_removal; /* which queue it is in, or what flies */
    bool is_urgent;  /* flies outside of the order */
    bool is_there;   /* pins the node */
    unsigned guard;  /* of a Namespace that is to be removed: the kind that is asked for now */
    bool is_single;  /* a batch was refused because of it: it flies alone */
    bool is_foreign; /* a Namespace of somebody else's does for ours */
    struct kube_call *call;
    int64_t generation; /* of the object, when it took off */
    struct mirror_trouble *trouble;
    struct wheel_timer retry;
    unsigned failures; /* in a row */
};

/* What hangs on a node of the graph. */
struct mirrored {
    struct list_node news_link; /* looked at after the next walk */
    struct graph_node *node;
    bool was_told;        /* relevant, as far as on_news was told */
    bool is_wanted;       /* of the cluster's source (named kinds); pins the node */
    struct copy copies[]; /* an appliance each */
};

struct appliance {
    struct mirror *mirror;
    size_t index;
    char *name;
    struct kube *kube;
    struct source *source;
    bool is_seeded; /* all that is there is known, and remembered for the cluster */
    struct list_node writes[KIND_COUNT];
    struct list_node removals[KIND_COUNT];
    unsigned flying_writes[KIND_COUNT], flying_removals[KIND_COUNT];
    unsigned n_flying;        /* those in the order */
    struct wheel_timer pause; /* armed: it was told to come later */
    unsigned failures;        /* in a row */
    struct batch *batch;      /* in the air; NULL */
    size_t batch_max;         /* fewer after one was refused */
    struct loop_task pump;
    struct mirror_stats stats;
};

struct mirror {
    struct mirror_config config; /* texts and appliances of it are not kept */
    struct loop *loop;
    struct source *source;
    struct graph *graph;
    struct copy_names names;
    struct rng rng;
    struct list_node news;
    bool needs_walk;
    struct loop_task settle;
    size_t n_appliances;
    struct appliance appliances[MIRROR_APPLIANCES_MAX];
};

/* ---- mirror.c ---- */

/* What hangs on the node, made if need be. NULL: no memory. */
struct mirrored *mirror_object(struct mirror *m, struct graph_node *node);

/* Finds relevance anew if that is due, and looks at what has changed. */
void mirror_settle(struct mirror *m);

/* Calls on_news. */
void mirror_tell(struct mirror *m, enum mirror_news news, const struct appliance *a,
                 const struct graph_node *node);

/* ---- appliance.c ---- */

/* Opens the client and the cache; in case of an error appliance_done() is still due. */
int appliance_init(struct appliance *a, struct mirror *m, const struct mirror_appliance *config);

/* Ends both. No copy of it may be left. */
void appliance_done(struct appliance *a);

/* A copy may have to be written or removed. `is_news`: what it is of has changed, so that a trouble
 * is worth another try. */
void copy_look(struct copy *c, bool is_news);

/* Takes it out of its queue; it is idle. */
void copy_unqueue(struct copy *c);

/* The appliance said that it cannot do it now, or nothing at all: told, and all waits. */
void appliance_tell_later(struct appliance *a, enum kind kind, const struct kube_answer *answer);

/* Takes it out of everything; before its object goes. */
void copy_done(struct copy *c);

/* The appliance cannot be spoken to now: all waits. */
void appliance_pause(struct appliance *a, uint64_t at_least_ms);

/* What there is for the copy in the appliance; NULL: nothing. */
json_t *copy_there(const struct copy *c);

enum copy_action {
    COPY_NOTHING,
    COPY_CREATE,
    COPY_UPDATE,
    COPY_REMOVE,
};

/* What is to be done now; of CREATE and UPDATE with the new copy in *ret_body (a new reference), or
 * with NULL and a trouble to be set when it cannot be made. */
enum copy_action copy_decide(const struct copy *c, json_t **ret_body);

/* ---- flight.c ---- */

/* Is it an answer that says nothing of the object: the appliance cannot do it now? */
bool flight_is_for_later(int status);

/* Sends a call for a copy in the air: to its own path, or for POST to that of its kind. Errors as
 * kube_call(); -ENOTSUP: the appliance does not serve the kind. */
int flight_send(struct copy *c, const char *method, const json_t *body, kube_done_fn on_done);

/* Lands it; all of the appliance waits. */
void flight_come_later(struct copy *c, const struct kube_answer *answer);

/* Sends the removal of what is there. Errors as flight_send(). */
int flight_remove(struct copy *c);

/* It is in the air: counted, and its node pinned. */
void copy_take_off(struct copy *c, bool is_removal);

/* It is no longer. The copy and its object may be gone afterwards. */
void copy_land(struct copy *c, bool look_again);

/* The object that the appliance has now; NULL: none. */
void copy_note(struct copy *c, json_t *object);

/* The versions that a change is based on, so that it meets no other. */
void copy_set_base(json_t *body, const json_t *there);

/* Does what is to be done. False: nothing was, the copy is idle. */
bool copy_fly(struct copy *c);

/* The trouble is over, or was none. */
void copy_clear_trouble(struct copy *c);

/* ---- guard.c ---- */

/* Removes a Namespace in which nothing of somebody else's is; else it is given up. */
void guard_begin(struct copy *c);

/* ---- batch.c ---- */

/* Copies that go together, in one transaction of the appliance; fewer go one by one. */
#define BATCH_MAX 128u
#define BATCH_MIN 8u

/* If many copies of the list are waiting, starts one batch of them; else nothing. */
void batch_fly(struct appliance *a, struct list_node *list);

/* Ends what is in the air, without a look at its copies. */
void batch_cancel(struct appliance *a);
