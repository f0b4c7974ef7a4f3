/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sluicectl's way to the management API: one HTTPS connection (libcurl), JSON in and out, errors as
 * the Status objects that the server gives, and which path a kind has, learnt from the server's
 * discovery.
 *
 * Owner: sluicectl's main. Thread: one. Bound: an answer has at most CLIENT_ANSWER_BYTES_MAX bytes,
 * a call CLIENT_TIMEOUT_MS.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define CLIENT_ANSWER_BYTES_MAX (256u << 20) /* a list of everything that a box can hold */
#define CLIENT_TIMEOUT_MS 60000L
#define CLIENT_PATH_MAX 1024u

struct client_config {
    const char *server;  /* https://host:port */
    const char *token;   /* bearer token; NULL: none is sent */
    const char *ca_file; /* PEM; NULL: the system's */
};

struct client;

/* Makes a client; opens nothing yet. 0, or -EINVAL (not an https URL), -ENOMEM. */
int client_new(const struct client_config *config, struct client **ret);

/* Closes the connection and forgets the token. NULL is fine. */
void client_free(struct client *c);

/*
 * One request. `body` may be NULL. Returns the HTTP status code (>= 100) with the answer's JSON in
 * *ret_answer (NULL when it had none), or a negative errno with a message for a person in
 * client_error(): -ECONNREFUSED (no connection), -EPROTO (TLS or HTTP trouble, or an answer that is
 * not JSON), -ETIMEDOUT, -EFBIG.
 */
int client_call(struct client *c, const char *method, const char *path, const char *content_type,
                const json_t *body, json_t **ret_answer);

/* What went wrong in the last call, in words. Valid until the next one. */
const char *client_error(const struct client *c);

/* A resource as discovery names it. */
struct client_resource {
    char api_version[128]; /* "v1", "gateway.networking.k8s.io/v1" */
    char kind[64];
    char plural[64];
    bool namespaced;
};

/* Finds a resource by kind, plural, singular or short name, without case; `api_version` may be
 * NULL: the first that fits. 0, -ENOENT, or as client_call(). */
int client_resource_find(struct client *c, const char *word, const char *api_version,
                         struct client_resource *ret);

/* The URL path of a resource: of one object, or of the list when `name` is NULL; in all namespaces
 * when `namespace` is NULL. False: it does not fit,
 * or a name is no name of anything (empty, dots). */
bool client_resource_path(const struct client_resource *r, const char *namespace, const char *name,
                          char path[CLIENT_PATH_MAX]);
