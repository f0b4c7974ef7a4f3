/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mirror: objects of the cluster that matter to us (graph.h says which) are copied into each
 * appliance, kept equal there, and removed there when they go.
 *
 * A copy carries the label MIRROR_LABEL with the cluster's name: only such objects are ever changed
 * or removed. What else is in the appliance is left alone; a name that somebody else has there is a
 * trouble of that one object. Annotations of a copy tell where it comes from:
 *
 *   sluice.internal/source-uid         metadata.uid in the cluster
 *   sluice.internal/source-generation  metadata.generation there, "0" if the kind has none
 *   sluice.internal/source-created     metadata.creationTimestamp there; a copy outlives its object
 *                                      when that is deleted with its kind and made anew
 *   sluice.internal/source-hash        of what was written, so that nothing is written twice
 *   sluice.internal/source-cluster     the uid of the cluster (source_cluster_uid)
 *
 * A status in an appliance speaks of the copy's own generation. When its observedGeneration equals
 * the copy's metadata.generation, it speaks of the annotated generation of the source object.
 *
 * Owner: main(). Thread: the loop's.
 */
#pragma once

#include "controller/source.h"

#define MIRROR_LABEL "sluice.internal/cluster"
#define MIRROR_UID "sluice.internal/source-uid"
#define MIRROR_GENERATION "sluice.internal/source-generation"
#define MIRROR_CREATED "sluice.internal/source-created"
#define MIRROR_HASH "sluice.internal/source-hash"
#define MIRROR_CLUSTER "sluice.internal/source-cluster"
/* Appliances of one controller. */
#define MIRROR_APPLIANCES_MAX 16u
/* The cluster's name where the operator gave none; then names are not prefixed. */
#define MIRROR_CLUSTER_DEFAULT "default"
#define MIRROR_CLUSTER_BYTES_MAX 32u
/* A refused object is tried again after so long, even if nothing changed. */
#define MIRROR_RETRY_REFUSED_MS 300000u

struct mirror;

/* Where a copy comes from. Strings are the copy's. */
struct mirror_origin {
    const char *uid;
    int64_t generation;              /* of the source object when this copy was written */
    int64_t copy_generation;         /* metadata.generation of the copy itself */
    char namespace_[254], name[254]; /* in the cluster */
};

/* Why an object is not in an appliance as it should be. */
struct mirror_trouble {
    int status;         /* HTTP's: 422, 409, 403 ...; < 0: negative errno */
    int64_t generation; /* of the object in the cluster that was refused */
    char reason[64];    /* "Invalid", "AlreadyExists" */
    char field[256];    /* "spec.rules[0].backendRefs[0].port"; "" */
    char text[KUBE_TEXT_MAX];
};

enum mirror_news {
    MIRROR_COPY_CHANGED, /* a copy in an appliance is new, changed (its status, too) or gone */
    MIRROR_REFUSED,      /* mirror_trouble_of() says why */
    MIRROR_CLEARED,      /* the trouble is over */
    MIRROR_RELEVANT,     /* the object in the cluster has become ours, */
    MIRROR_IRRELEVANT,   /* or is no longer: its entries of ours may go from its status */
};

struct mirror_appliance {
    const char *name;                 /* for logs and metrics; copied */
    const struct kube_access *access; /* copied */
};

struct mirror_config {
    struct loop *loop;
    const char *cluster;         /* NULL: MIRROR_CLUSTER_DEFAULT, without prefix */
    const char *controller_name; /* of the GatewayClasses that are ours */
    struct mirror_appliance appliances[MIRROR_APPLIANCES_MAX];
    size_t n_appliances;
    bool has_mesh; /* routes whose parent is a Service are mirrored, too */
    void *owner;
    /* Who does not lead writes nothing; NULL: always. mirror_resume() when it has become true. */
    bool (*may_write)(void *owner);
    /* A line for the log. May be NULL. */
    void (*on_trouble)(void *owner, size_t appliance, enum kind kind, const char *text);
    /* `appliance` is an index; of MIRROR_RELEVANT and _IRRELEVANT it means nothing. Names are those
     * in the cluster. May be NULL. */
    void (*on_news)(void *owner, enum mirror_news news, size_t appliance, enum kind kind,
                    const char *namespace_, const char *name);
};

/* What happened, for metrics, an appliance each: X(name, kind, help). */
#define MIRROR_STATS_LIST(X)                                                                       \
    X(writes, counter, "copies created or changed")                                                \
    X(removals, counter, "copies removed")                                                         \
    X(refusals, counter, "copies that the appliance refused")                                      \
    X(conflicts, counter, "writes that met another writer and were done anew")                     \
    X(failures, counter, "calls that failed or were told to come later")                           \
    X(copies, gauge, "copies there")                                                               \
    X(pending, gauge, "copies to be written or removed")                                           \
    X(troubled, gauge, "objects that are refused now")

struct mirror_stats {
#define X(name, kind, help) uint64_t name;
    MIRROR_STATS_LIST(X)
#undef X
};

/* Makes it and begins to read the appliances. 0; -EINVAL (too many, a name too long), -ENOMEM. */
int mirror_new(const struct mirror_config *config, struct mirror **ret);

/* Ends all without a callback; what is in the air may or may not be done. NULL is fine. */
void mirror_free(struct mirror *m);

/* The cluster; once, before the loop runs. */
void mirror_attach(struct mirror *m, struct source *source);

/* To be called by the on_change of the cluster's source. */
void mirror_on_change(struct mirror *m, const struct source_change *change);

/* may_write() says yes now. */
void mirror_resume(struct mirror *m);

/* Are routes mirrored whose parent is a Service? */
bool mirror_has_mesh(const struct mirror *m);

/* How many appliances there are. */
size_t mirror_appliance_count(const struct mirror *m);

/* The name of one. */
const char *mirror_appliance_name(const struct mirror *m, size_t appliance);

/* The cache of the copies there, with their status. */
struct source *mirror_appliance_source(const struct mirror *m, size_t appliance);

/* The copy of an object of the cluster in an appliance; NULL: none. */
json_t *mirror_copy(const struct mirror *m, size_t appliance, enum kind kind,
                    const char *namespace_, const char *name);

/* Where a copy comes from; false: it is none of this cluster's. */
bool mirror_origin_of(const struct mirror *m, const json_t *copy, struct mirror_origin *ret);

/* Is the object of the cluster one that is mirrored? */
bool mirror_is_relevant(const struct mirror *m, enum kind kind, const char *namespace_,
                        const char *name);

/* Why it is not there as it should be; NULL: no trouble. */
const struct mirror_trouble *mirror_trouble_of(const struct mirror *m, size_t appliance,
                                               enum kind kind, const char *namespace_,
                                               const char *name);

/* Every object that is mirrored. */
void mirror_foreach(const struct mirror *m, void (*fn)(void *owner, enum kind kind, json_t *object),
                    void *owner);

/* What happened since the start, and what is now. */
void mirror_stats(const struct mirror *m, size_t appliance, struct mirror_stats *ret);

/* The name there of a namespace, or of what is cluster-wide: prefixed when the cluster was named.
 * False: it is too long. */
bool mirror_name_there(const struct mirror *m, const char *here, char ret[254]);

/* And back. False: it is not of this cluster. */
bool mirror_name_here(const struct mirror *m, const char *there, char ret[254]);
