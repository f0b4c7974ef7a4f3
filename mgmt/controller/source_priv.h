/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The insides of a source, in the order of its life: discovery.c (which kinds are served, which
 * cluster this is), reflector.c (list and watch of a kind), hold.c (when an object of it goes),
 * verify.c (whether what is missing may be believed to be gone), named.c (kinds that are read one
 * by one; named_watch.c: and watched so), shelf.c (the objects of a kind, and which of them are
 * held).
 */
#pragma once

#include "base/rng.h"
#include "base/wheel.h"
#include "controller/source.h"

#define KEY_BYTES 512u
#define VERSION_BYTES 96u
#define UID_BYTES 64u
#define TIMESTAMP_BYTES 32u

/* ---- shelf.c: objects of one kind ---- */

/*
 * An object on the shelf is one of:
 *   seen        in the latest list, or by the watch
 *   held        it was seen, and then a list was without it, or its deletion was told and may be
 *               that of its kind; since when, `held` says
 *   told        as held: a watch has told of its deletion, and whether that may be believed is
 *               being asked, by the check whose number is the value
 *   remembered  as held, but known only from its copy
 */
struct shelf {
    json_t *objects;    /* key -> object */
    json_t *held;       /* key -> integer: loop's milliseconds when it was first missed */
    json_t *told;       /* key -> integer; each is in `held`, too */
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
    struct verify *verify; /* VERIFYING: of the list; WATCHING: of deletions that were told */
    json_int_t n_checks;   /* of told deletions, begun */
    struct kube_watch *watch;
    struct wheel_timer timer; /* WAITING: the next try; WATCHING: the list that confirms */
    unsigned failures;        /* in a row, */
    int failed_status;        /* and what the last one was answered */
    bool is_for_good;         /* some of what is held waits for an operator */
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
    bool has_mesh;
    unsigned idle_ms_max;
    struct source_hold hold;
    void *owner;
    void (*on_change)(void *owner, struct source *source, const struct source_change *change);
    void (*on_state)(void *owner, struct source *source, enum kind kind);
    void (*on_trouble)(void *owner, struct source *source, enum kind kind, const char *text);
    void (*on_held)(void *owner, struct source *source, enum kind kind, const char *text);
    struct reflector reflectors[KIND_COUNT]; /* of named kinds only the version is used */
    struct named named[KIND_COUNT];          /* of others unused */
    char uid[UID_BYTES];                     /* of the cluster that answers; "" not known */
    char uid_expected[UID_BYTES]; /* of the cluster that the objects are of; "" not known */
    json_t *copies_of;            /* uid -> true: clusters that copies say to be of */
    bool is_confirmed;            /* an operator has said which it is */
    struct discovery *discovery;
    int server_trouble; /* with all kinds alike: told once, not by every kind; 0: none */
    bool has_told_late; /* that definitions may not be read */
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

/* The cluster that answers is the right one. */
void discovery_confirm(struct discovery *d);

/* Where the oldest namespace is: of a cluster, or (`is_default`) of an appliance. */
const char *discovery_identity_path(bool is_default);

/* ---- verify.c ---- */

/* What is to be thought of a list of a kind that lacks something, or of told deletions. */
struct verdict {
    const char *doubt;                /* why they may not be believed, in words; NULL: they may */
    bool is_late;                     /* it may be a moment behind: only discovery could be asked */
    char kind_since[TIMESTAMP_BYTES]; /* the kind's definition was created; "" not known */
};

typedef void (*verify_done_fn)(void *owner, const struct verdict *verdict);

struct verify;

/* Asks which cluster this is, and whether the kind is there and stays; calls back, once, not from
 * within. Errors as kube_call(). */
int verify_list(struct source *s, enum kind kind, verify_done_fn on_done, void *owner,
                struct verify **ret);

/* Asks only the latter: what a watch tells of is of the cluster that had it. */
int verify_deletion(struct source *s, enum kind kind, verify_done_fn on_done, void *owner,
                    struct verify **ret);

/* Ends it without a callback. */
void verify_cancel(struct verify *v);

/* Did the object go with an earlier definition of its kind? */
bool verdict_is_of_former_kind(const struct verdict *verdict, const json_t *object);

/* ---- hold.c ---- */

/* The list in `fresh` is on the shelf: what it lacks is held (or goes, of who holds nothing). */
void hold_missing(struct reflector *r);

/* What the list that lacks something is worth: takes off what has been missing long enough. */
void hold_judge(struct reflector *r, const struct verdict *verdict);

/* A deletion that the watch told. */
void hold_deletion(struct reflector *r, const char *key);

/* The watch ends: what was told is for the next list to judge. */
void hold_end_watch(struct reflector *r);

/* The kind is not served: all its objects are held. */
void hold_all(struct reflector *r);

/* It is again: a list has to lack them first. */
void hold_renew(struct reflector *r);

/* Watching: arms the timer for the list that confirms, if anything is held. */
void hold_arm(struct reflector *r);

/* Says once that nothing is held any more, if it was told that something is. */
void hold_tell_end(struct reflector *r);

/* An operator says: what is held goes. */
void hold_confirm(struct reflector *r);

/* ---- reflector.c, named.c ---- */

/* A kind of which nothing is known yet. */
int reflector_init(struct reflector *r, struct source *s, enum kind kind);

/* Ends it without a callback. */
void reflector_done(struct reflector *r);

/* Discovery says: served in this version; NULL: not served. */
void reflector_set_version(struct reflector *r, const char *api_version);

/* Something is held that was not: a list is due. */
void reflector_list_soon(struct reflector *r);

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

/* Which cluster the objects are of, by what is known now. */
void source_expect_cluster(struct source *s);

/* Is the kind read one by one here? */
bool source_is_named(const struct source *s, enum kind kind);

/* Is the kind none of our business here, whether it is served or not? */
bool source_leaves_out(const struct source *s, enum kind kind);

/* Takes off what is large and says nothing to us. */
void source_slim(enum kind kind, json_t *object);

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

/* Calls on_trouble, and on_held with how many of the kind are held. */
__attribute__((format(printf, 3, 4))) void source_tell_held(struct source *s, enum kind kind,
                                                            const char *format, ...);

/* Calls on_trouble. */
__attribute__((format(printf, 3, 4))) void source_tell_trouble(struct source *s, enum kind kind,
                                                               const char *format, ...);
