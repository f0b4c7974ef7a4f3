/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the API share. One struct api_conn is one connection; it has one request at a
 * time, whose state is its struct api_call. Words: a target is what a URL names; a feed is an
 * answer that is made piece by piece while it is sent (lists and watches), so that no answer is
 * ever held whole.
 */
#pragma once

#include "api/api.h"
#include "base/container.h"
#include "base/list.h"
#include "base/siphash.h"
#include "http/http_server.h"
#include "loop/loop.h"
#include "loop/sock.h"
#include "model/model.h"
#include "store/resource.h"
#include "store/store.h"
#include "tls/digest.h"

#define NAME_BYTES 254 /* of an object or namespace, with its NUL */
#define SCOPE_BYTES 34 /* a cluster's name (the Token's schema: 32), "-" and NUL */

enum api_verb {
    VERB_NONE,
    VERB_GET,
    VERB_LIST,
    VERB_WATCH,
    VERB_CREATE,
    VERB_UPDATE,
    VERB_PATCH,
    VERB_DELETE,
};

enum target_kind {
    TARGET_UNKNOWN,
    TARGET_OBJECTS, /* type, perhaps namespace and name */
    TARGET_HEALTH,  /* /livez, /readyz, /healthz */
    TARGET_VERSION,
    TARGET_CORE_VERSIONS, /* /api */
    TARGET_GROUPS,        /* /apis */
    TARGET_GROUP,         /* /apis/<group> */
    TARGET_RESOURCES,     /* /api/v1, /apis/<group>/<version> */
    TARGET_OPENAPI_INDEX, /* /openapi/v3 */
    TARGET_OPENAPI,       /* /openapi/v3/<as for resources> */
    TARGET_OPENAPI_V2,    /* /openapi/v2 */
    TARGET_CHANGESET,
    TARGET_EXTRA,
};

struct api_params {
    char *text; /* decoded names and values, NUL-separated; owned */
    unsigned n;
    const char *names[API_PARAMS_MAX];
    const char *values[API_PARAMS_MAX];
};

struct target {
    enum target_kind kind;
    enum api_verb verb;
    const struct resource_type *type;
    const struct api_extra *extra;
    char group[NAME_BYTES];
    char version[64];
    char namespace_[NAME_BYTES]; /* "": all, or cluster-scoped */
    char name[NAME_BYTES];       /* "": none */
    bool is_status;
    bool is_method_wrong;
};

struct identity {
    enum api_role role;
    char name[NAME_BYTES];   /* of the Token */
    json_t *namespaces;      /* of the Token; a reference; NULL: none */
    char scope[SCOPE_BYTES]; /* "CLUSTER-" of a Token that is bound to one; "": it is not */
};

struct selector; /* selector.h */

/* An answer that is made while it is sent. */
struct feed {
    struct list_node link; /* watches: in api->watches */
    struct api_conn *conn;
    const struct resource_type *type;
    bool is_watch;
    bool is_started;
    bool is_over;
    bool wants_bookmarks;
    bool wants_end_mark; /* a bookmark of its own behind what is there at a watch's start */
    bool is_table;
    char namespace_[NAME_BYTES];
    char name[NAME_BYTES];   /* fieldSelector metadata.name; "": any */
    char scope[SCOPE_BYTES]; /* of who asks: nothing else is shown */
    struct selector *labels;
    json_t **objects; /* references: the list, or what is there at a watch's start */
    size_t n, at;
    char *list_tail; /* what comes after the last item */
    uint64_t cursor; /* watch: the last version that was looked at */
    uint64_t ends_us;
    uint64_t bookmark_us;
    struct wheel_timer timer;
};

struct api_call {
    struct api *api;
    struct target target;
    struct api_params params;
    struct identity who;
    struct ip_addr source;
    json_t *body;
    bool is_strategic;   /* the body is a strategic merge patch */
    const char *warning; /* for the Warning field; NULL: none */
    bool is_dry_run;
    /* the answer */
    int code; /* 0: not answered yet */
    json_t *answer;
    char *text; /* instead of `answer` */
    const char *content_type;
    struct feed *feed; /* instead of both */
};

struct api_conn {
    struct list_node link;
    struct api *api;
    struct http_server http;
    struct wheel_timer timer;
    struct api_call call;
    bool is_receiving; /* the body */
    uint8_t *body;
    size_t body_len, body_capacity;
    size_t body_max;
    char *out; /* being sent; owned */
    size_t out_len, out_at;
};

struct login_source {
    struct ip_addr addr;
    uint32_t failures;
    uint64_t since_us; /* of the last refill */
};

struct token_entry {
    uint8_t digest[DIGEST_BYTES];
    char name[NAME_BYTES];
    char uid[40];
    uint64_t used_us; /* 0: free */
};

struct auth {
    uint8_t key[DIGEST_BYTES]; /* of this process: a digest is worth nothing elsewhere */
    struct token_entry cache[API_TOKEN_CACHE_MAX];
    struct login_source sources[API_LOGIN_SOURCES_MAX];
    unsigned sources_n;
};

struct api {
    struct loop *loop;
    struct store *store;
    struct tls_context *tls;
    struct sock_listener *listener;
    struct http_env env;
    struct wheel_timer second; /* the date */
    struct list_node conns;
    struct list_node watches;
    struct store_listener on_store;
    struct loop_task watch_task;
    struct api_extra extras[API_EXTRAS_MAX];
    unsigned extras_n;
    size_t bodies_bytes;
    char *audit_path;
    int audit_fd; /* -1: not open */
    uint64_t audit_bytes;
    struct auth auth;
    struct api_stats stats;
    struct model_errors errors; /* scratch of one request: too big for a stack */
};

/* The connection of a call. */
static inline struct api_conn *call_conn(struct api_call *call)
{
    return container_of(call, struct api_conn, call);
}

/* ---- target.c ---- */

/* What method and path ask for; false and an answer in `call`: it is not there, or not allowed. */
bool target_find(struct api_call *call, const struct http_head *head);

/* The verb in words: "list". */
const char *target_verb_name(enum api_verb verb);

/* ---- params.c ---- */

/* Decodes a query. False: malformed or too many. */
bool params_parse(struct api_params *p, struct slice query);

/* Frees what params_parse() took. */
void params_done(struct api_params *p);

/* The value; NULL: not given. */
const char *params_get(const struct api_params *p, const char *name);

/* Is it given and "true" or "1"? */
bool params_is_true(const struct api_params *p, const char *name);

/* ---- auth.c, role.c ---- */

/* Who sends this Authorization? False and an answer in `call`: 401 or 429. */
bool auth_check(struct api_call *call, const struct http_head *head);

/* May `call->who` do what `call->target` says? False and an answer in `call`: 403. */
bool role_check(struct api_call *call);

/* The same for one object of a change set, without an answer. */
bool role_may(const struct identity *who, enum api_verb verb, const struct resource_type *type,
              const char *namespace_, bool is_status);

/* 403 in Kubernetes' words for one verb on one object. */
void role_refuse(struct api_call *call, enum api_verb verb, const struct resource_type *type,
                 const char *namespace_, const char *name);

/* ---- scope.c: tokens that are bound to a cluster ---- */

/* Is the object within the scope ("": everything is)? */
bool scope_has(const char *scope, const struct resource_type *type, const char *namespace_,
               const char *name);

/* Is what the URL names within the scope of who asks? Of a list or a new object that may not be
 * known yet: true. */
bool scope_may(const struct identity *who, const struct target *t);

/* Is the object that is to be written within the scope of who writes it, and all that it refers to?
 * False and an answer in `call`: 403. */
bool scope_admit(struct api_call *call, const struct resource_type *type, const char *namespace_,
                 const json_t *object, const char *prefix);

/* Of a Token: is its cluster's scope apart from those of all others? False and an answer in `call`:
 * 422. */
bool scope_admit_token(struct api_call *call, const struct store_txn *txn, const json_t *token);

/* ---- token.c ---- */

/* Makes a secret for the Token `name` and puts its hash into `txn`. *ret: the token as its owner
 * sends it, to be freed by token_forget(). */
int token_issue(struct store_txn *txn, const char *name, char **ret);

/* Removes a Token's hash. */
int token_revoke(struct store_txn *txn, const char *name);

/* Wipes and frees. */
void token_forget(char *token);

/* Does `token` fit the stored hash of the Token `name`? Costs an argon2id. */
bool token_verify(const struct store *store, const char *name, struct slice token);

/* The name within a token that we made; false: it has another form. */
bool token_name(struct slice token, char ret[NAME_BYTES]);

/* Would there still be an unexpired infrastructure-provider without the Token `name`? */
bool token_is_last_provider(const struct store_txn *txn, const char *name);

/* ---- body.c ---- */

/* Is the Content-Type one that this verb takes? False and an answer in `call`. */
bool body_check_type(struct api_call *call, const struct http_head *head);

/* Parses the bytes into call->body. False and an answer in `call`. */
bool body_parse(struct api_call *call, const struct http_head *head, const uint8_t *bytes,
                size_t len);

/* ---- protobuf.c ---- */

/* An object in Kubernetes' protobuf as JSON, a new reference. NULL: it is broken, of a kind that is
 * not read in this form, or says what we do not know. */
json_t *protobuf_read(struct slice bytes);

/* ---- what is done ---- */

/* Does what the target says and answers. */
void call_run(struct api_call *call, const struct http_head *head);

/* Answers which groups, versions and resources there are, /version among them. */
void discovery_run(struct api_call *call);

/* GET of the OpenAPI documents. */
void openapi_run(struct api_call *call, const struct http_head *head);

/* GET of one object. */
void get_run(struct api_call *call);

/* GET of a collection. */
void list_run(struct api_call *call);

/* GET of a collection's changes as they come. */
void watch_run(struct api_call *call);

/* POST of an object. */
void create_run(struct api_call *call);

/* PUT or PATCH of an object or its status. */
void update_run(struct api_call *call);

/* DELETE of one object. */
void delete_run(struct api_call *call);

/* POST of many objects, all applied or none. */
void changeset_run(struct api_call *call);

/* Is it the type of the API's own tokens? */
bool is_token_type(const struct resource_type *type);

/* Ends the transaction (a dry run: without a change). 0, or the error, answered. */
int call_commit(struct api_call *call, struct store_txn *txn);

/* Is `old` the one that the client means ("" : any)? False and an answer in `call`: 409. */
bool check_preconditions(struct api_call *call, const struct resource_type *type, const json_t *old,
                         const char *uid, const char *version);

/* ---- admit.c: from a client's body to an object that may be stored ---- */

/*
 * Checks names and versions against the URL, fills in defaults, validates; changes `object` in
 * place. `old`: what is there; NULL: a new one. `prefix` comes before the field paths
 * ("items[3]."). False and an answer in `call`.
 */
bool admit(struct api_call *call, const struct resource_type *type, const char *namespace_,
           json_t *object, const json_t *old, const char *prefix);

/* Is the namespace there, and not on its way out? False and an answer in `call`. */
bool admit_namespace(struct api_call *call, const struct store_txn *txn,
                     const struct resource_type *type, const char *namespace_);

/* The object as a client of `type`'s version sees it: a new reference. */
json_t *object_as(const struct resource_type *type, json_t *stored);

/* A member of metadata as text; "" if it is not there. */
const char *meta_text(const json_t *object, const char *key);

/* ---- remove.c ---- */

/* Deletes with finalizers honoured, a Namespace with all that is in it. *ret: the last or the
 * terminating state, borrowed from the transaction. Negative errno. */
int remove_object(struct store_txn *txn, const struct resource_type *type, const char *namespace_,
                  const char *name, json_t **ret);

/* After a write: an object that is terminating and has no finalizer left goes; so does the
 * namespace that waited for it. *ret_gone: it went. */
int remove_if_finished(struct store_txn *txn, const struct resource_type *type, json_t *object,
                       bool *ret_gone);

/* ---- patch.c ---- */

/* RFC 7386. `target` is changed in place. -ENOMEM. */
int patch_merge(json_t *target, json_t *patch);

/* Kubernetes' strategic merge patch, for the core kinds that have lists with merge keys. As
 * patch_merge(). */
int patch_strategic(json_t *target, json_t *patch);

/* RFC 6902: a new document. -EINVAL with *ret_error (static) if an operation does not apply. */
int patch_json(const json_t *target, const json_t *operations, json_t **ret,
               const char **ret_error);

/* ---- feed.c ---- */

/* A feed for call's target and selectors. NULL and an answer in `call`. */
struct feed *feed_new(struct api_call *call);

/* Collects the objects that are there, at most `limit` (0: all). *ret_version is the list's; later
 * pages have the first one's, so that a watch from there misses nothing. False: answered. */
bool feed_gather(struct api_call *call, struct feed *feed, size_t limit, bool *ret_has_more,
                 uint64_t *ret_version);

/* Makes the feed the call's answer; `first` (taken, may be NULL) is sent before its pieces. */
void feed_answer(struct api_call *call, struct feed *feed, char *first);

/* Frees it with all that it holds. */
void feed_free(struct feed *feed);

/* The next piece of text, malloc'ed; NULL: none now (is_over: for good). */
char *feed_next(struct feed *feed);

/* Does an object belong to the feed? */
bool feed_takes(const struct feed *feed, const json_t *object);

/* A watch's next piece, as feed_next(). */
char *watch_next(struct feed *feed);

/* ---- table.c ---- */

/* Does the client ask for a Table (Accept: ...;as=Table)? */
bool table_is_wanted(const struct http_head *head);

/* Column definitions of a type. */
json_t *table_columns(const struct resource_type *type);

/* One row. */
json_t *table_row(const struct resource_type *type, json_t *object);

/* ---- status.c ---- */

/* A Status object; `causes` (may be NULL) is taken. */
json_t *status_make(int code, const char *reason, const char *message, json_t *details);

/* details of an object: its resource and name. */
json_t *status_details(const struct resource_type *type, const char *name);

/* As api_call_fail(), with details (taken). */
__attribute__((format(printf, 5, 6))) void call_fail_with(struct api_call *call, int code,
                                                          const char *reason, json_t *details,
                                                          const char *format, ...);

/* Answers for an error of the store. */
void call_fail_store(struct api_call *call, int error);

/* 404 for an object that is not there. */
void call_fail_missing(struct api_call *call, const struct resource_type *type, const char *name);

/* The object that the URL names, the store's. NULL: there is none, and that is answered. */
json_t *call_find_object(struct api_call *call);

/* Answers with what the model found wrong. */
void call_fail_invalid(struct api_call *call, const struct resource_type *type, const char *name,
                       const struct model_errors *errors, const char *prefix);

/* ---- audit.c ---- */

/* Opens api->audit_path. Negative errno. */
int audit_open(struct api *api);

/* One line for what changed something, or was refused. */
void audit_write(struct api_call *call);

/* ---- conn.c ---- */

/* A new connection's TLS stream is handed over; called by the listener. */
void conn_accept(void *owner, struct stream *s);

/* Sends what can be sent. May end the connection: the last thing to do with it. */
void conn_pump(struct api_conn *conn);

/* Begins to send what the call has for an answer. */
void conn_answer(struct api_conn *conn);

/* What the connection waits for must come within this time; replaces what it waited for before. */
void conn_arm(struct api_conn *conn, uint64_t delay_ms);

/* Lets go of the request's body, also of one that is still on its way. */
void conn_drop_body(struct api_conn *conn);

/* Ends the connection at once and frees it. */
void conn_abort(struct api_conn *conn);

/* Gives back what a request held. */
void call_done(struct api_call *call);
