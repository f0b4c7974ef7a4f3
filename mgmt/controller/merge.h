/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the status of a cluster's object has to be, from what the appliances say of their copies of
 * it. The appliances decide; here is only put together, and never said more than they do:
 *
 * - A copy counts when it was made of the object's current generation and its conditions speak of
 *   the copy's own. Nothing is written from one that does not; beside others that count it holds
 *   `Programmed` back, and the message names its appliance.
 * - An appliance that refused the generation says `Accepted: False` in its own words.
 * - Of several appliances the worst verdict counts; addresses are put together.
 * - observedGeneration is the cluster's, lastTransitionTime stays where the status is the same.
 * - In lists with an entry a controller (RouteStatus.parents, PolicyStatus.ancestors: atomic, so
 *   each writer writes all of it) others' entries stay as and where they are; ours go with the
 *   reference. A condition with a domain before its name ("example.com/Ready") is somebody else's.
 *
 * Pure: JSON in, JSON out. Thread: any.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* A name and its NUL. */
#define MERGE_NAME_BYTES 254u
/* Appliances that one object may have copies in. */
#define MERGE_VOICES_MAX 16u

/* What a kind's status looks like. */
enum merge_shape {
    MERGE_CLASS,     /* conditions, supportedFeatures: GatewayClass, Backend */
    MERGE_GATEWAY,   /* conditions, listeners, addresses: Gateway, ListenerSet */
    MERGE_PARENTS,   /* routes */
    MERGE_ANCESTORS, /* policies */
};

/* What one appliance says. */
struct merge_voice {
    const char *appliance; /* its name, for messages */
    const json_t *copy;    /* as the appliance has it, with its status; NULL: it has none */
    const char *refusal;   /* why it did not take the current generation; NULL: it did not refuse */
    bool is_current;       /* `copy` was made of the object's current generation */
};

struct merge_question {
    enum merge_shape shape;
    const json_t *object;        /* the cluster's, as it is now */
    const char *controller_name; /* of our entries, here and in the copies */
    const char *now;             /* RFC 3339 */
    const char *own_feature;     /* of a class: what the controller itself adds; NULL: nothing */
    const struct merge_voice *voices;
    uint32_t n_voices; /* 0: the object is nobody's copy, and has no entry of ours any more */
    /* Does this parentRef of the object lead to us? Asked of MERGE_PARENTS. */
    bool (*is_ours)(void *ctx, const json_t *parent_ref);
    /* What the cluster calls a namespace of the appliance; false: it is none of the cluster's.
     * NULL: the same. */
    bool (*name_here)(void *ctx, const char *there, char ret[MERGE_NAME_BYTES]);
    void *ctx;
};

/* The whole status that has to be written, a new reference; NULL: nothing has to be, since it says
 * that already or since nobody has decided yet. */
json_t *merge_status(const struct merge_question *q);
