/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kinds of objects there are, and what a valid object is. Pure on jansson values: no store, no
 * clock, no socket.
 *
 * The schemas are the Gateway API's own CRDs (mgmt/model/schema), and hand-written ones in the same
 * format for the core kinds and for ours; they are compiled into the program. An object is refused
 * with the same field paths and, for the CRDs' rules, the same messages as by a cluster.
 *
 * The way of an object that comes in by the API:
 *
 *   json_loads -> model_type_find_kind -> model_normalize -> model_default -> model_validate ->
 * store
 *
 * Owner: one for the process, made by model_init(). Thread: the one of mgmtd (no locks).
 * Bound: MODEL_DEPTH_MAX levels, MODEL_ERRORS_MAX errors an object.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Levels of nesting in an object; deeper ones are refused. The deepest valid HTTPRoute has 14. */
#define MODEL_DEPTH_MAX 48
/* Errors told about one object; more are counted only. */
#define MODEL_ERRORS_MAX 64
/* Longest text of a field path and of a message; longer ones are cut. */
#define MODEL_PATH_MAX 256
#define MODEL_MESSAGE_MAX 512

/*
 * One served resource: what the URL /apis/<group>/<version>/<plural> stands for. A kind that is
 * served in several versions has several of these; they share one set of objects, kept in the store
 * under `stored` (conversion between versions only changes apiVersion).
 */
struct resource_type {
    const char *group;       /* "" for core */
    const char *version;     /* "v1" */
    const char *api_version; /* "gateway.networking.k8s.io/v1"; "v1" for core */
    const char *kind;
    const char *plural;
    const char *singular;
    const char *list_kind;
    const char *short_names[4]; /* NULL-terminated */
    bool namespaced;
    bool has_status; /* has the /status subresource: writes elsewhere leave status alone */
    const struct resource_type *stored; /* itself, or the version under which the store keeps it */
};

/* Why a value is refused. The names are Kubernetes' StatusCause reasons (CauseType). */
#define MODEL_REASON_LIST(X)                                                                       \
    X(INVALID, "FieldValueInvalid")                                                                \
    X(REQUIRED, "FieldValueRequired")                                                              \
    X(DUPLICATE, "FieldValueDuplicate")                                                            \
    X(NOT_SUPPORTED, "FieldValueNotSupported")                                                     \
    X(FORBIDDEN, "FieldValueForbidden")                                                            \
    X(TOO_LONG, "FieldValueTooLong")                                                               \
    X(TOO_MANY, "FieldValueTooMany")                                                               \
    X(TYPE, "FieldValueTypeInvalid")                                                               \
    X(UNKNOWN_FIELD, "UnknownField") /* a cluster answers 400 BadRequest: strict decoding error */

enum model_reason {
#define X(name, text) MODEL_##name,
    MODEL_REASON_LIST(X)
#undef X
};

struct model_error {
    enum model_reason reason;
    char field[MODEL_PATH_MAX];      /* "spec.listeners[0].port"; "" is the whole object */
    char message[MODEL_MESSAGE_MAX]; /* "Invalid value: 70000: ..." without the field */
};

/* Zeroed by the caller before the first use (`struct model_errors e = {0}`); big: not for deep
 * stacks. */
struct model_errors {
    size_t n;      /* told, in the order found */
    size_t n_more; /* found after the list was full */
    struct model_error items[MODEL_ERRORS_MAX];
};

/* Parses the embedded schemas. Errors: -ENOMEM; a broken embedded schema is our bug (assert).
 * Called once before anything else here. */
int model_init(void);

/* Gives back what model_init() took. */
void model_done(void);

/* How many resources are served. */
size_t model_type_count(void);

/* The i-th of them in the order of discovery: 0 <= i < model_type_count(). */
const struct resource_type *model_type_at(size_t i);

/* The resource of a URL: group ("" for core), version, plural. NULL: not served. */
const struct resource_type *model_type_find(const char *group, const char *version,
                                            const char *plural);

/* The resource of an object: its apiVersion and kind. NULL: not served. */
const struct resource_type *model_type_find_kind(const char *api_version, const char *kind);

/* The OpenAPI v3 schema of the whole object, with `spec`, `status`, as embedded. Borrowed. */
const json_t *model_type_schema(const struct resource_type *type);

/*
 * Brings a decoded object into the one form that is stored: drops metadata.managedFields and
 * metadata.selfLink, `null` where the field may not be null, and turns Secret.stringData into data.
 * In place. Errors: -EINVAL when it is no JSON object.
 */
int model_normalize(const struct resource_type *type, json_t *obj);

/*
 * Fills in what is not given: the schema's defaults, the API server's own for core kinds (Service
 * types and ports, ...), the label kubernetes.io/metadata.name of a Namespace, and for CRDs with a
 * status the "Unknown, Pending" conditions that they start with. In place; idempotent.
 * The caller removes `status` of clients' bodies first where the type has_status.
 */
int model_default(const struct resource_type *type, json_t *obj);

/*
 * Checks a whole defaulted object: apiVersion and kind fit the type, metadata, schema, the rules
 * that span fields, and, with `old` not NULL, what may not change (name, namespace, uid,
 * creationTimestamp, immutable fields). Returns 0, or -EINVAL with the errors appended.
 * A missing metadata.namespace of a namespaced type is an error: the api sets it from the URL.
 */
int model_validate(const struct resource_type *type, const json_t *obj, const json_t *old,
                   struct model_errors *ret_errors);

/* "FieldValueInvalid" and so on. */
const char *model_reason_name(enum model_reason reason);
