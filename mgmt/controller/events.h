/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events on the cluster's objects: what an owner of a route sees with `kubectl describe`. The same
 * thing said again counts up the Event that is there; and nobody can make us flood the API server:
 * a bucket an object, and one in all.
 *
 * Owner: main(). Thread: the loop's.
 */
#pragma once

#include "controller/kube.h"

struct loop;
struct events;

/* Said again within so long it is the same Event, counted up (the server keeps one for an hour). */
#define EVENTS_SAME_MS 600000u
/* Different things remembered; the one that was said longest ago is forgotten. */
#define EVENTS_REMEMBERED_MAX 4096u
/* Of one object: so many at once, then one in a while (client-go's figures). */
#define EVENTS_OBJECT_BURST 25u
#define EVENTS_OBJECT_MS 300000u
/* Of all: at once, and a second. */
#define EVENTS_BURST 200u
#define EVENTS_PER_S 20u
/* Calls in flight: nothing waits behind a flood of Events. */
#define EVENTS_CALLS_MAX 1u
/* The API server's bound on a message. */
#define EVENTS_MESSAGE_BYTES_MAX 1024u

/* What happened, for metrics: X(name, kind, help). */
#define EVENTS_STATS_LIST(X)                                                                       \
    X(written, counter, "events written")                                                          \
    X(limited, counter, "events not written: too many of one object, or of all")                   \
    X(failures, counter, "events that the API server did not take")

struct events_stats {
#define X(name, kind, help) uint64_t name;
    EVENTS_STATS_LIST(X)
#undef X
};

struct events_config {
    struct loop *loop;
    struct kube *kube;
    const char *component; /* "sluice-controller"; must live on */
    const char *instance;  /* which of them; must live on */
};

/* Makes it; opens nothing. 0; -ENOMEM, -EIO (no random bytes). */
int events_new(const struct events_config *config, struct events **ret);

/* Cancels what is in flight. NULL is fine. */
void events_free(struct events *e);

/* Says it on that object (apiVersion, kind and metadata are looked at). `type`: "Normal" or
 * "Warning". */
void events_say(struct events *e, const json_t *object, const char *type, const char *reason,
                const char *message);

/* What happened since the start. */
void events_stats(const struct events *e, struct events_stats *ret);
