/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an API server has, by kind: list and watch (reflector.h) kept in a cache. There is one of a
 * cluster, and one of each appliance with the copies there; the same code.
 *
 * The cache of a cluster fails safe: an object leaves it only when its deletion was seen by a
 * healthy watch while the definition of its kind is there to stay, or when a consistent list of the
 * same cluster is without it; a mass of missing objects is held (still in the cache, told by
 * on_held) until a fresh list some time later says it again, and what went with the definition of
 * its kind until it is back, or an operator says so. Whoever reads the cache need not care.
 *
 * Owner: whoever made it. Thread: the loop's. Objects are borrowed and never changed: keep one with
 * json_incref().
 */
#pragma once

#include "controller/kinds.h"
#include "controller/kube.h"

/* Objects in a page of a list. */
#define SOURCE_PAGE 500u
/* Watches end after about so long and are made anew; jitter spreads them. */
#define SOURCE_WATCH_S 600u
/* A watch from which nothing came, not even a bookmark (a server sends one a minute), is stale. */
#define SOURCE_IDLE_MS_DEFAULT 150000u
/* Between tries after a failure: doubled from the first to the last, half of it by chance. */
#define SOURCE_BACKOFF_MS_MIN 250u
#define SOURCE_BACKOFF_MS_MAX 30000u
/* How often a missing CRD is looked for. */
#define SOURCE_DISCOVERY_MS 5000u
/* Named objects (Secrets, ConfigMaps): read again after so long; sooner while they are missing. */
#define SOURCE_NAMED_MS 10000u
#define SOURCE_NAMED_MISSING_MS 1000u
/* Those of a kind that are watched, too: a connection each. */
#define SOURCE_NAMED_WATCHES_MAX 32u
/* Who may not watch (403) tries again after so long. */
#define SOURCE_NAMED_REFUSED_MS 60000u

struct source;

/*
 * What a list is without is held until a second list, at least so much later, is without it, too;
 * both from the same cluster, not older than what was seen, and with the kind still served.
 * A mass (all of a kind, or more than `count_max` and more than `percent_max` of it) waits
 * `mass_ms`, what is less waits `few_ms`. A mass of deletions seen by a watch waits `few_ms`.
 *
 * A definition (CRD) that is deleted takes all of its objects along, one by one. So each deletion
 * of a custom kind waits until the definition was looked at (a round trip or two; verify.c). What
 * went with it is held for good: until it is in the cluster again, or an operator confirms.
 */
struct source_hold {
    bool is_on; /* false: a list is believed as it is (an appliance) */
    unsigned count_max;
    unsigned percent_max;
    unsigned mass_ms;
    unsigned few_ms;
};
#define SOURCE_HOLD_COUNT_DEFAULT 10u
#define SOURCE_HOLD_PERCENT_DEFAULT 20u
#define SOURCE_HOLD_MASS_MS_DEFAULT 120000u
#define SOURCE_HOLD_FEW_MS_DEFAULT 5000u
/* Deletions seen by a watch within so long are counted together. */
#define SOURCE_DELETIONS_MS 10000u

enum source_state {
    SOURCE_ABSENT,  /* the server does not serve the kind (its CRD is missing) */
    SOURCE_LISTING, /* or waiting to do so after a failure */
    SOURCE_WATCHING,
};

/* One change. `old` NULL: new; `object` NULL: gone. The first list comes as such changes, too. */
struct source_change {
    enum kind kind;
    const char *namespace_; /* "" of a cluster-wide kind */
    const char *name;
    json_t *old;
    json_t *object;
};

struct source_config {
    struct loop *loop;
    struct kube *kube;
    const char *label_selector; /* NULL: all; copied */
    bool reads_named;           /* named kinds are read one by one; false: watched, as the others */
    bool watches_named;         /* and each watched, as many as may be */
    bool has_mesh;              /* false: a mesh's kinds are as if they were not served */
    unsigned idle_ms_max;       /* of watches; 0: SOURCE_IDLE_MS_DEFAULT */
    struct source_hold hold;
    void *owner;
    void (*on_change)(void *owner, struct source *source, const struct source_change *change);
    /* The state of a kind has changed, is_synced too. May be NULL. */
    void (*on_state)(void *owner, struct source *source, enum kind kind);
    /* Something that an operator should know, once a change of it. May be NULL. */
    void (*on_trouble)(void *owner, struct source *source, enum kind kind, const char *text);
    /* Of these, that objects of the kind are held, and when none is any more (source_held() is
     * zero). May be NULL. */
    void (*on_held)(void *owner, struct source *source, enum kind kind, const char *text);
};

/* What happened, for metrics: X(name, help). */
#define SOURCE_STATS_LIST(X)                                                                       \
    X(lists, "lists begun")                                                                        \
    X(watches, "watches begun")                                                                    \
    X(events, "events of watches")                                                                 \
    X(failures, "lists and watches that failed")                                                   \
    X(expired, "watches answered 410")                                                             \
    X(stale, "watches ended because nothing came")                                                 \
    X(held, "objects held that a list was without, or that went in a mass or with their kind")     \
    X(confirmed, "objects of these whose absence was confirmed")

struct source_stats {
#define X(name, help) uint64_t name;
    SOURCE_STATS_LIST(X)
#undef X
};

/* Makes it and begins with discovery. 0; -ENOMEM. */
int source_new(const struct source_config *config, struct source **ret);

/* Ends it; no callbacks. NULL is fine. */
void source_free(struct source *s);

/* The client, for others that write there. */
struct kube *source_kube(const struct source *s);

/* "gateway.networking.k8s.io/v1": the version of the kind that this server serves; NULL: none or
 * not known yet. */
const char *source_api_version(const struct source *s, enum kind kind);

/* The path of an object there; false: the kind is not served, or the name is none. */
bool source_path(const struct source *s, enum kind kind, const char *namespace_, const char *name,
                 const char *subresource, char path[KUBE_PATH_MAX]);

/* The object; NULL: not in the cache. */
json_t *source_get(const struct source *s, enum kind kind, const char *namespace_,
                   const char *name);

/* Calls fn for each object of the kind; the cache may not be changed meanwhile. */
void source_foreach(const struct source *s, enum kind kind, void (*fn)(void *owner, json_t *object),
                    void *owner);

/* How many objects of the kind there are. */
size_t source_count(const struct source *s, enum kind kind);

/* How many of them are held. */
size_t source_held(const struct source *s, enum kind kind);

/* Of all kinds. */
size_t source_held_all(const struct source *s);

/* What is being done about the kind. */
enum source_state source_state(const struct source *s, enum kind kind);

/* True once the kind was listed whole (or is known to be absent), true for ever after. */
bool source_is_synced(const struct source *s, enum kind kind);

/* All kinds. */
bool source_is_all_synced(const struct source *s);

/* The uid of the cluster that the objects are of: that of the namespace kube-system (or, of an
 * appliance, default); "" not known. Another that answers for a while does not change it. */
const char *source_cluster_uid(const struct source *s);

/* Named kinds: this one is to be in the cache. Counted. -EINVAL, -ENOMEM. */
int source_want(struct source *s, enum kind kind, const char *namespace_, const char *name);

/* No longer; as often as it was wanted. */
void source_drop(struct source *s, enum kind kind, const char *namespace_, const char *name);

/* An object that was there in an earlier life (seen as a copy in an appliance): if the cache is
 * without it, it is held until a list says that it is gone, as any other. */
int source_remember(struct source *s, enum kind kind, json_t *object, const char *cluster_uid);

/* What a write was answered with: the cache has it at once, and not only when the watch tells; but
 * not in place of what the watch has told meanwhile. `object` NULL: it is gone. */
void source_note(struct source *s, enum kind kind, const char *namespace_, const char *name,
                 json_t *object);

/* Is it held: not in the cluster, as far as it says? What is remembered is held, too. */
bool source_is_held(const struct source *s, enum kind kind, const char *namespace_,
                    const char *name);

/* Is it only remembered: known from its copy, and not seen in the cluster in this life? */
bool source_is_remembered(const struct source *s, enum kind kind, const char *namespace_,
                          const char *name);

/* An operator says: what is held is really gone, and the cluster that answers is the right one. */
void source_confirm(struct source *s);

/* What happened since the start. */
void source_stats(const struct source *s, struct source_stats *ret);
