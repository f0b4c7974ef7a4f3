/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One Kubernetes-style API server as a client sees it: calls and watches over HTTPS, all of them
 * asynchronous, by libcurl's multi interface in the mgmt loop. The same code speaks to a cluster's
 * kube-apiserver and to an appliance's sluice-mgmtd.
 *
 * HTTP/1.1 on purpose: a watch has a connection of its own, so one that hangs stops only itself.
 * Callbacks come from the loop, never from within kube_call(), kube_watch_open() or a close; in a
 * callback anything may be called, kube_free() of this client excepted.
 *
 * Owner: whoever made it. Thread: the loop's. Errors: negative errno with a text for a person.
 * Bounds: below; what is above them ends the call or the watch with -EFBIG, never the process.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct kube;
struct kube_call;
struct kube_watch;

/* A URL's path with its query. */
#define KUBE_PATH_MAX 1024u
/* What went wrong, in words. */
#define KUBE_TEXT_MAX 512u
/* Calls in flight at once to one server; more wait in their order. */
#define KUBE_CALLS_MAX 8u
/* Calls that wait; above it kube_call() says -EAGAIN. */
#define KUBE_WAITING_MAX 4096u
/* An answer: a page of a list (SOURCE_PAGE objects of a few KiB; the largest may have 3 MiB). */
#define KUBE_ANSWER_BYTES_MAX (64u << 20)
/* One event of a watch: the largest object that an API server takes, escaped. */
#define KUBE_LINE_BYTES_MAX (8u << 20)
/* A call without a deadline of its own; the connecting part of any. */
#define KUBE_CALL_MS_DEFAULT 30000u
#define KUBE_CONNECT_MS_MAX 5000u
/* Between two tries with a token that was answered 401: a server counts them. All else is answered
 * 401 at once, until the token's file has changed or a try was answered otherwise. */
#define KUBE_REFUSED_MS 6000u

/* How to reach a server and who we are there. Strings are owned (kube_access_free), may be NULL. */
struct kube_access {
    char *server;          /* https://host:port[/prefix] */
    char *server_name;     /* the name in its certificate; NULL: the host of `server` */
    char *ca_pem;          /* whom to trust, PEM text; NULL: the system's */
    char *certificate_pem; /* ours, with key_pem */
    char *key_pem;
    char *token;      /* bearer token */
    char *token_file; /* read anew when it changes, and after a 401; wins over `token` */
    char *namespace_; /* of the kubeconfig's context, or our own in a cluster */
    bool is_insecure; /* the server's certificate is not looked at; somebody asked for that aloud */
};

/* Frees the strings, secrets wiped, and zeroes it. */
void kube_access_free(struct kube_access *access);

struct kube_config {
    struct loop *loop;
    const struct kube_access *access; /* copied */
    const char *user_agent;           /* "sluice-controller/1"; copied */
};

/* Makes a client; opens nothing yet. 0; -EINVAL (not an https URL), -ENOMEM. */
int kube_new(const struct kube_config *config, struct kube **ret);

/* Ends everything without a call of any callback. NULL is fine. */
void kube_free(struct kube *k);

/* The server's URL, for messages. */
const char *kube_server(const struct kube *k);

/* What a call came to. `status` >= 100: HTTP's, and `body` its JSON (borrowed; NULL: none).
 * < 0: -ECONNREFUSED (no connection), -ETIMEDOUT, -EPROTO (TLS, HTTP or JSON trouble), -EFBIG. */
struct kube_answer {
    int status;
    json_t *body;
    const char *text;        /* for a person: the Status' message, or what failed; never NULL */
    uint64_t retry_after_ms; /* Retry-After, 0: the server did not say */
};

typedef void (*kube_done_fn)(void *owner, const struct kube_answer *answer);

struct kube_request {
    const char *method;       /* "GET" */
    const char *path;         /* "/api/v1/namespaces?limit=500" */
    const json_t *body;       /* NULL: none; made into text before kube_call() returns */
    const char *content_type; /* NULL: application/json */
    const char *accept;       /* NULL: application/json, the object as it is */
    unsigned deadline_ms;     /* from when it is sent; 0: KUBE_CALL_MS_DEFAULT */
    bool is_urgent;           /* goes before those that wait */
    kube_done_fn on_done;
    void *owner;
};

/* Sends a request (or has it wait for its turn); on_done comes once, unless it is cancelled.
 * *ret (may be NULL) is valid until then. 0; -EAGAIN: too many wait; -EINVAL: the path is too long;
 * -ENOMEM. */
int kube_call(struct kube *k, const struct kube_request *request, struct kube_call **ret);

/* Ends it; on_done does not come. */
void kube_call_cancel(struct kube_call *call);

/* Calls in flight and waiting. */
unsigned kube_pending(const struct kube *k);

/* One event: {"type": "ADDED", "object": {...}}, borrowed. */
typedef void (*kube_event_fn)(void *owner, json_t *event);

struct kube_watch_request {
    const char *path; /* with ?watch=true&... */
    /* Nothing heard for so long (bookmarks are something): the watch is stale and ends with
     * -ETIMEDOUT. */
    unsigned idle_ms_max;
    void (*on_open)(void *owner); /* 200 was answered; may be NULL */
    kube_event_fn on_event;       /* may close the watch */
    /* It is over by itself (never after kube_watch_close): `status` 200: ended in order; another
     * status: refused; < 0: as in kube_answer; -EBADMSG: a line that is no event. */
    kube_done_fn on_end;
    void *owner;
};

/* Opens a watch. Errors as kube_call(). */
int kube_watch_open(struct kube *k, const struct kube_watch_request *request,
                    struct kube_watch **ret);

/* Ends it; nothing comes after. NULL is fine. */
void kube_watch_close(struct kube_watch *watch);

/* ---- paths ---- */

/* Appends "/segment", percent-encoding what is not unreserved (RFC 3986, section 2.3). False: too
 * long, or it is no name of anything (empty, dots). */
bool kube_path_append(char path[KUBE_PATH_MAX], const char *segment);

/* Appends a query's parameter, percent-encoded. False: too long, or no value. */
bool kube_path_add(char path[KUBE_PATH_MAX], const char *name, const char *value);

/* The path of a resource: `api_version` "v1" or "group/version"; in `namespace_` (NULL: all, or
 * cluster-wide); of one object when `name` is given; `subresource` ("status") may be NULL. */
bool kube_path(char path[KUBE_PATH_MAX], const char *api_version, const char *plural,
               const char *namespace_, const char *name, const char *subresource);

/* The string at a path like "metadata.name"; "" if there is none. */
const char *kube_text_at(const json_t *object, const char *path);
