/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The management API: Kubernetes' own conventions over HTTP/1.1 over TLS, so that kubectl, GitOps
 * tools and client libraries work against the box itself. Discovery, list, get, create, update,
 * merge and JSON patch, delete, watch, /status, dry run, Status errors, change sets; what is served
 * is what the model knows. A change that was answered 2xx is on the disk.
 *
 * Way of a request (the files in this order): conn -> target -> auth -> role -> body -> get, write
 * or watch -> status or feed -> conn; audit on the way out.
 *
 * Owner: the daemon. Thread: the mgmt loop; nothing here blocks but for the disk and for one
 * argon2id at a client's first request.
 */
#pragma once

#include "base/ip_addr.h"
#include "base/slice.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Connections at once: people, tools, controllers, and room for some that hang. */
#define API_CONNS_MAX 512u
/* Watches at once, of these connections. */
#define API_WATCHES_MAX 256u
/* A request's body: what a cluster accepts; and a change set's. */
#define API_BODY_BYTES_MAX (3u * 1024u * 1024u)
#define API_CHANGESET_BYTES_MAX (32u * 1024u * 1024u)
/* Bodies of all connections that are being received; above it: 503. */
#define API_BODIES_BYTES_MAX (128u * 1024u * 1024u)
/* Nesting of a body: the model's limit is lower, this one saves the parsers. */
#define API_DEPTH_MAX 64u
/* Parameters of a query; more are 400. */
#define API_PARAMS_MAX 24u
/* Between requests; a head; a body; after our own end. */
#define API_IDLE_MS_MAX 75000u
#define API_HEAD_MS_MAX 10000u
#define API_BODY_MS_MAX 60000u
#define API_DRAIN_MS_MAX 5000u
/* An answer or a watch whose client takes nothing for so long is cut off. */
#define API_STALL_MS_MAX 30000u
/* Between bookmarks of a watch that asked for them. */
#define API_BOOKMARK_MS 30000u
/* How long a watch lasts unless it asks for less: then the client begins anew. */
#define API_WATCH_S_MAX 3600u
/* Paths that others register. */
#define API_EXTRAS_MAX 16u
/* Wrong tokens from one source (IPv6: one /64) in a row; then one more every API_LOGIN_REFILL_MS.
 */
#define API_LOGIN_FAILURES_MAX 10u
#define API_LOGIN_REFILL_MS 6000u
/* Sources that are counted; the one that was quiet longest is forgotten. */
#define API_LOGIN_SOURCES_MAX 1024u
/* The audit log: a file of this size is renamed to audit.log.1 and so on, this many are kept. A
 * line has about 250 bytes: two million changes. */
#define API_AUDIT_BYTES_MAX (64u * 1024u * 1024u)
#define API_AUDIT_FILES_MAX 8u
/* Tokens that were verified and need no argon2id again. */
#define API_TOKEN_CACHE_MAX 256u

/* Who may do what: X(NAME, text, help). The rights are in role.c. */
#define API_ROLE_LIST(X)                                                                           \
    X(PROVIDER, "infrastructure-provider", "everything, the appliance itself too")                 \
    X(OPERATOR, "cluster-operator", "Gateways, namespaces, secrets, routes and services")          \
    X(DEVELOPER, "application-developer", "routes and services in the token's namespaces")         \
    X(CONTROLLER, "controller", "what a cluster's mirror writes: all but the appliance itself")

enum api_role {
#define X(name, text, help) API_##name,
    API_ROLE_LIST(X)
#undef X
        API_ROLES
};

/* Sets of roles are bits. */
#define API_ROLE_BIT(role) (1u << (role))
#define API_ROLES_ALL ((1u << API_ROLES) - 1u)

struct api;
struct api_call;
struct loop;
struct store;
struct tls_context;

struct api_config {
    struct loop *loop;
    struct store *store;
    struct tls_context *tls;
    const char *state_dir; /* for audit.log */
    struct ip_addr addr;
    uint16_t port;
};

/* What the API counts: X(name, kind, help). A counter only grows, a gauge is what is now. */
#define API_STATS_LIST(X)                                                                          \
    X(requests, counter, "requests whose head was understood")                                     \
    X(failures, counter, "requests answered 4xx or 5xx")                                           \
    X(logins_failed, counter, "wrong, expired or unknown tokens")                                  \
    X(logins_limited, counter, "tokens not looked at: too many wrong ones from there")             \
    X(watches_slow, counter, "watches ended: the client did not take its events")                  \
    X(bodies_refused, counter, "bodies that were too large, or too many at once")                  \
    X(faults, counter, "requests that are no HTTP")                                                \
    X(conns_refused, counter, "connections above the limit")                                       \
    X(audit_lost, counter, "lines of the audit log that could not be written")                     \
    X(conns, gauge, "connections that are open")                                                   \
    X(watches, gauge, "watches that are open")

struct api_stats {
#define X(name, kind, help) uint64_t name;
    API_STATS_LIST(X)
#undef X
};

/* Opens the audit log and listens. Negative errno; *ret_error says what failed (static). */
int api_new(const struct api_config *config, struct api **ret, const char **ret_error);

/* Ends all connections and frees it. */
void api_free(struct api *api);

/* The port that it listens on. */
uint16_t api_port(const struct api *api);

/* What it counted. */
void api_stats(const struct api *api, struct api_stats *ret);

/* "cluster-operator" and so on. */
const char *api_role_name(enum api_role role);

/*
 * First boot: if there is no Token yet, makes one for an infrastructure-provider, named
 * "bootstrap". `file` (may be NULL): if it is there, its first line is the token, at least
 * API_BOOTSTRAP_BYTES_MIN long; if not, the token is written to it, mode 0600. Prints a token that
 * it made on `console` (a FILE *), once. Errors: negative errno, *ret_error says what failed.
 */
int api_bootstrap(struct store *store, const char *file, void *console, const char **ret_error);
#define API_BOOTSTRAP_BYTES_MIN 32u

/* ---- paths of others ---- */

/* What another module serves under a path of its own. */
struct api_extra {
    const char *method; /* "GET" or "POST"; a POST has a JSON body */
    const char *path;   /* whole, "/apis/sluice.internal/v1/explain" */
    unsigned roles;     /* set of API_ROLE_BIT: who may */
    void (*handle)(void *owner, struct api_call *call); /* must answer before it returns */
    void *owner;
};

/* Registers; copies `extra`, whose strings must live on. -ENOSPC. */
int api_register(struct api *api, const struct api_extra *extra);

/* The request's JSON body, borrowed; NULL: none. */
json_t *api_call_body(const struct api_call *call);

/* The value of a query parameter, decoded, borrowed; NULL: it was not given. */
const char *api_call_param(const struct api_call *call, const char *name);

/* Who asks. */
enum api_role api_call_role(const struct api_call *call);

/* May the caller read objects of this namespace? For handlers that show parts of objects. */
bool api_call_may_read(const struct api_call *call, const char *namespace_);

/* Answers with a JSON object; takes it. */
void api_call_answer(struct api_call *call, int code, json_t *object);

/* Answers with a text; takes it (malloc'ed). `content_type` must live on. */
void api_call_answer_text(struct api_call *call, int code, const char *content_type, char *text);

/* Answers with a Status: `reason` in Kubernetes' words, "BadRequest". */
__attribute__((format(printf, 4, 5))) void
api_call_fail(struct api_call *call, int code, const char *reason, const char *format, ...);
