/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The insides of a source, in the order of its life: discovery.c (which kinds are served, which
 * cluster this is), reflector.c (list and watch of a kind), named.c (kinds that are read one by
 * one; named_watch.c: and watched so), shelf.c (the objects of a kind, and which of them are held).
 */
#pragma once

#include "base/rng.h"
#include "base/wheel.h"
#include "controller/source.h"

#define KEY_BYTES 512u
#define VERSION_BYTES 96u
#define UID_BYTES 64u

/* ---- shelf.c: objects of one kind ---- */

/*
 * An object on the shelf is one of:
 *   seen        in the latest list, or by the watch
 *   held        it was seen, and then a list was without it; since when, `held` says
 *   remembered  as held, but known only from its copy
 */
struct shelf {
    json_t *objects;    /* key -> object */
    json_t *held;       /* key -> integer: loop's milliseconds when it was first missed */
    json_t *remembered; /* key -> true; each is in `held`, too */
};

/* An empty one. 0; -ENOMEM. */
int shelf_init(struct shelf *s);

/* Frees what is in it. */
void shelf_done(struct shelf *s);

/* "namespace/name"; "/name" of a cluster-wide kind. Returns ret. */
const char *shelf_key(const char *namespace_, const char *name, char ret[KEY_BYTES]);

/* The key of an object. False: it has no name, or one that is no name. */
bool shelf_key_of(const json_t *object, char ret[KEY_BYTES]);

/* ---- the kind ---- */

struct reflector {
    struct source *source;
    enum kind kind;
    enum reflector_state {
        REFLECTOR_ABSENT,
        REFLECTOR_WAITING, /* for `timer`: then it lists, or watches if `version` is known */
        REFLECTOR_LISTING,
        REFLECTOR_VERIFYING, /* the list is there and lacks something: is this our cluster? */
        REFLECTOR_WATCHING,
    } state;
    bool is_synced;
    bool is_whole; /* the next list comes in one page: a page's token had expired */
    char api_version[VERSION_BYTES];
    char version[VERSION_BYTES]; /* resourceVersion up to which all was seen; "" list anew */
    uint64_t version_seen_max;   /* as a number, for telling an older list; 0: none */
    struct shelf shelf;
    json_t *fresh; /* key -> object, of the list that is being read */
    char list_version[VERSION_BYTES];
    struct kube_call *call;
    struct verify *verify;
    struct kube_watch *watch;
    struct wheel_timer timer; /* WAITING: the next try; WATCHING: the list that confirms */
    unsigned failures;        /* in a row */
    bool is_sound;            /* the latest list that lacked something was of our cluster, of now */
    size_t held_told;         /* how many were held when it was told last */
    uint64_t watch_begun_us;
    uint64_t window_us; /* since when deletions are counted, */
    size_t window_size; /* of how many, */
    size_t window_n;    /* how many */
};

/* A kind that is read one by one: who wants what. */
struct named {
    struct source *source;
    enum kind kind;
    struct shelf shelf;
    void *wanted; /* tree of struct named_one */
    size_t n_wanted;
    unsigned n_watches;
    bool is_watch_refused;   /* that was told */
    uint64_t watch_again_us; /* not before, after a refusal */
};

/* A watch of one of them. */
struct named_watch {
    struct named *named;
    struct kube_watch *watch; /* NULL: none now */
    /* Is this the resourceVersion that was read? */
    bool (*is_known)(struct named_watch *w, const char *version);
    void (*on_news)(struct named_watch *w); /* it has to be read */
};

struct source {
    struct loop *loop;
    struct kube *kube;
    char *label_selector;
    bool reads_named;
    bool watches_named;
    unsigned idle_ms_max;
    struct source_hold hold;
    void *owner;
    void (*on_change)(void *owner, struct source *source, const struct source_change *change);
    void (*on_state)(void *owner, struct source *source, enum kind kind);
    void (*on_trouble)(void *owner, struct source *source, enum kind kind, const char *text);
    struct reflector reflectors[KIND_COUNT]; /* of named kinds only the version is used */
    struct named named[KIND_COUNT];          /* of others unused */
    char uid[UID_BYTES];                     /* of the cluster that answers; "" not known */
    char uid_expected[UID_BYTES]; /* of the cluster that the objects are of; "" not known */
    struct discovery *discovery;
    int server_trouble; /* with all kinds alike: told once, not by every kind; 0: none */
    struct rng rng;
    struct source_stats stats;
};

/* ---- discovery.c ---- */

/* Begins to look. 0; -ENOMEM. */
int discovery_new(struct source *s);

/* Ends it. NULL is fine. */
void discovery_free(struct discovery *d);

/* Looks again soon: a kind was answered 404. */
void discovery_hurry(struct discovery *d);

struct verify;

/* Asks which cluster this is and whether the kind is still served whole (a CRD that is being
 * removed takes no new objects), and calls back, once. Errors as kube_call(). */
int verify_begin(struct source *s, enum kind kind, void (*on_done)(void *owner, bool is_sound),
                 void *owner, struct verify **ret);

/* Ends it without a callback. */
void verify_cancel(struct verify *v);

/* ---- reflector.c, named.c ---- */

/* A kind of which nothing is known yet. */
int reflector_init(struct reflector *r, struct source *s, enum kind kind);

/* Ends it without a callback. */
void reflector_done(struct reflector *r);

/* Discovery says: served in this version; NULL: not served. */
void reflector_set_version(struct reflector *r, const char *api_version);

/* Something is held that was not: a list is due. */
void reflector_list_soon(struct reflector *r);

/* Has waited long enough: what is held goes. */
void reflector_confirm(struct reflector *r);

/* A kind of which nothing is wanted yet. */
int named_init(struct named *n, struct source *s, enum kind kind);

/* Ends it without a callback. */
void named_done(struct named *n);

/* As source_want(). */
int named_want(struct named *n, const char *namespace_, const char *name);

/* As source_drop(). */
void named_drop(struct named *n, const char *namespace_, const char *name);

/* Is this one wanted by anybody? */
bool named_is_wanted(struct named *n, const char *key);

/* What is held goes. */
void named_confirm(struct named *n);

/* ---- named_watch.c ---- */

/* Opens it if it is not open and may be; else nothing, until the next try. */
void named_watch_open(struct named_watch *w, const char *namespace_, const char *name);

/* Ends it without a callback. */
void named_watch_close(struct named_watch *w);

/* ---- source.c ---- */

/* Is the kind read one by one here? */
bool source_is_named(const struct source *s, enum kind kind);

/* Puts an object on the shelf, seen, and tells. `object` is kept by reference, slimmed. */
void source_put(struct source *s, enum kind kind, struct shelf *shelf, const char *key,
                json_t *object);

/* Takes it off and tells. */
void source_remove(struct source *s, enum kind kind, struct shelf *shelf, const char *key);

/* From now on missing (as if `head_ms` ago); false: it was already. */
bool source_hold_object(struct source *s, struct shelf *shelf, const char *key, unsigned head_ms);

/* How long an object has been missing, in ms. */
uint64_t source_held_ms(const struct source *s, const struct shelf *shelf, const char *key);

/* Is it a mass: `n` missing of `of`? */
bool source_is_mass(const struct source *s, size_t n, size_t of);

/* `base` ms doubled `failures` times up to `max`, half of it by chance; in microseconds. */
uint64_t source_backoff_us(struct source *s, unsigned failures);

/* A call or a watch failed: tells, of a server that does not answer only the first. */
void source_tell_failure(struct source *s, enum kind kind, const char *what,
                         const struct kube_answer *answer);

/* It answers. */
void source_tell_alive(struct source *s);

/* Calls on_state. */
void source_tell_state(struct source *s, enum kind kind);

/* Calls on_trouble. */
__attribute__((format(printf, 3, 4))) void source_tell_trouble(struct source *s, enum kind kind,
                                                               const char *format, ...);
