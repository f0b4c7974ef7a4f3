/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that the appliance is told, kept for good: objects, endpoint-group
 * ids and small values. All of it lies in memory, indexed; every change goes to
 * SQLite (WAL, synchronous=FULL) before it is seen in memory, so what was
 * committed survives the next instant's power cut and a failed write leaves
 * memory as it was.
 *
 * Words:
 *  - A resource is named as Kubernetes names it, plural and group:
 * "gateways.gateway.networking. k8s.io", "services" (the core group has no
 * dot). The store knows nothing else of types.
 *  - An object is a jansson object with metadata.name, and metadata.namespace
 * unless it is cluster-scoped. Objects in the store are immutable: a change
 * puts a new one in its place. Whoever wants to keep one beyond the next commit
 * takes a reference (json_incref).
 *  - Each change of an object gets its own resourceVersion, from one counter
 * that only grows.
 *
 * Owner: the daemon. Thread: the mgmt loop. Errors: negative errno; the text of
 * the last one is store_error().
 */
#pragma once

#include "base/list.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An object's JSON text: what etcd accepts in a request, so what fits a cluster
 * fits us. */
#define STORE_OBJECT_BYTES_MAX (1536u * 1024u)
/* Objects of all resources: five times the largest configuration that we
 * measure (20,000 routes with a Service and an EndpointSlice each), and about 1
 * GiB of memory at 4 KiB an object. */
#define STORE_OBJECTS_MAX 300000u
/* Changes in one transaction: a change set of a whole installation. */
#define STORE_TXN_CHANGES_MAX 20000u
/* Changes remembered for watches that come back, and the bytes of the objects
 * that they hold. */
#define STORE_EVENTS_MAX 16384u
#define STORE_EVENT_BYTES_MAX (64u * 1024u * 1024u)
/* A value of the key/value part: small state of modules, never objects. */
#define STORE_VALUE_BYTES_MAX 65536u
/* Longest metadata.name, metadata.namespace (RFC 1123 subdomain) and resource.
 */
#define STORE_NAME_BYTES_MAX 253u
/* Longest name of an endpoint group: "namespace/name/port" and what compile
 * adds to it. */
#define STORE_GROUP_NAME_BYTES_MAX 800u

struct store;
struct store_txn;

/* ---- open and close ---- */

/*
 * Opens (or makes) <state_dir>/store.db and loads all of it. -EUCLEAN: the
 * database is damaged or of a newer format; nothing was changed, *ret_error
 * says what is wrong (static until the next call). Two processes cannot open
 * the same store: -EBUSY.
 */
int store_open(const char *state_dir, struct store **ret, const char **ret_error);

/* Closes; no transaction may be open. Objects that others hold references to
 * stay valid. */
void store_close(struct store *store);

/* The text of the last error of this store; "" if there was none. */
const char *store_error(const struct store *store);

/* ---- read ---- */

/* The object, borrowed, or NULL. `namespace_` is NULL or "" for cluster-scoped
 * ones. */
json_t *store_get(const struct store *store, const char *resource, const char *namespace_,
                  const char *name);

/* Return false to stop. */
typedef bool (*store_visit_fn)(void *arg, json_t *object);

/* Visits the objects of a resource in the order of (namespace, name);
 * `namespace_` NULL: of all namespaces. The visitor must not change the store.
 */
void store_foreach(const struct store *store, const char *resource, const char *namespace_,
                   store_visit_fn visit, void *arg);

/* As store_foreach(), but from the first object after (after_namespace,
 * after_name): how a list is continued. */
void store_foreach_after(const struct store *store, const char *resource, const char *namespace_,
                         const char *after_namespace, const char *after_name, store_visit_fn visit,
                         void *arg);

/* How many objects a resource has. */
size_t store_count(const struct store *store, const char *resource);

/* The resourceVersion of the latest change; 1 in an empty store. */
uint64_t store_version(const struct store *store);

/* The resourceVersion of an object of the store; 0 if it has none. */
uint64_t store_object_version(const json_t *object);

/* ---- change ---- */

/*
 * Begins a transaction. There is one at a time: -EBUSY if another one is open
 * (then somebody forgot to end it: a bug). Nothing is visible to readers, and
 * nothing on disk, before store_commit().
 */
int store_begin(struct store *store, struct store_txn **ret);

/* As store_get(), but sees the transaction's own changes. */
json_t *store_txn_get(const struct store_txn *txn, const char *resource, const char *namespace_,
                      const char *name);

/* As store_foreach(), but sees the transaction's own changes. Cost: that of the
 * resource. */
void store_txn_foreach(const struct store_txn *txn, const char *resource, const char *namespace_,
                       store_visit_fn visit, void *arg);

/*
 * Puts an object, new or in place of the one of its name. `object` is borrowed
 * and not changed: the store keeps a copy with the metadata that only it may
 * set: uid and generation (grows when anything but metadata and status changed)
 * are those of the store whatever the object says; creationTimestamp is, too,
 * where the object has none; deletionTimestamp is taken from the object. An
 * object that changes nothing is no change: it keeps its resourceVersion and
 * nobody hears of it. *ret (may be NULL) is the object as it will be, borrowed,
 * valid until the transaction ends or the object changes again. Errors: -EINVAL
 * no name, bad name, not an object; -E2BIG larger than STORE_OBJECT_BYTES_MAX;
 * -ENOSPC STORE_OBJECTS_MAX or STORE_TXN_CHANGES_MAX reached; -ENOMEM.
 */
int store_put(struct store_txn *txn, const char *resource, const json_t *object, json_t **ret);

/* Puts only a new status into an object that is there; nothing else of it
 * changes. -ENOENT: it is not there. Not a change if it is the same. `status`
 * is borrowed. */
int store_put_status(struct store_txn *txn, const char *resource, const char *namespace_,
                     const char *name, const json_t *status);

/* Removes an object, whatever its finalizers say (those are the API's
 * business). -ENOENT. *ret (may be NULL): its last state, with the
 * resourceVersion of the removal, as store_put(). */
int store_remove(struct store_txn *txn, const char *resource, const char *namespace_,
                 const char *name, json_t **ret);

/*
 * Writes all of it to disk, then makes it visible and calls the listeners. 0:
 * durable. Negative: as if the transaction had never been (-EIO, -ENOSPC, ...).
 * Ends the transaction either way. A transaction without changes costs nothing.
 */
int store_commit(struct store_txn *txn);

/* Gives the transaction up. */
void store_rollback(struct store_txn *txn);

/* ---- what changed ---- */

enum store_change_kind {
    STORE_ADDED,
    STORE_MODIFIED,
    STORE_DELETED,
};

struct store_change {
    enum store_change_kind kind;
    uint64_t version;     /* resourceVersion of this change */
    const char *resource; /* lives as long as the store */
    json_t *object;       /* after the change; DELETED: the last state. Borrowed */
    json_t *old;          /* before the change; NULL for ADDED. Borrowed */
    bool is_status_only;  /* nothing but status and resourceVersion differ */
};

/* Embedded in whoever wants to hear. Called after each commit that changed
 * objects, in the order of registration, from inside store_commit(). It may
 * read the store, not change it: who must, programs a task of the loop. */
struct store_listener {
    struct list_node link;
    void (*on_commit)(struct store_listener *listener, const struct store_change *changes,
                      size_t n);
};

/* Registers a listener; it must outlive the store or be removed. */
void store_listen(struct store *store, struct store_listener *listener);

/* Unregisters a listener. */
void store_unlisten(struct store *store, struct store_listener *listener);

/* ---- changes since, for watches ---- */

/* Is every change after `version` still in the log? False: the watch must list
 * anew (410 Gone). */
bool store_can_watch_from(const struct store *store, uint64_t version);

/*
 * The first change after `version` of a resource (NULL: of any). False: none
 * yet. Borrowed until the next commit. Requires store_can_watch_from(version).
 * Cost: the log's length in between.
 */
bool store_next_change(const struct store *store, uint64_t version, const char *resource,
                       struct store_change *ret);

/* ---- small values ---- */

/* Sets a value; len 0 removes it. Keys are "module.name". -E2BIG: over
 * STORE_VALUE_BYTES_MAX. */
int store_value_put(struct store_txn *txn, const char *key, const void *value, size_t len);

/* The committed value, borrowed until it changes; NULL if there is none. */
const void *store_value_get(const struct store *store, const char *key, size_t *ret_len);

/* ---- endpoint-group ids ---- */

/*
 * The id of an endpoint group, given for life: the same name gets the same id
 * after any restart. New ids count up to ENDPOINT_GROUPS_MAX - 1; only then
 * those that were released are given out again, the longest released first.
 * -ENOSPC: all are in use.
 */
int store_group_take(struct store_txn *txn, const char *name, uint32_t *ret);

/* No image that may be in use names the group any more. -ENOENT: there is no
 * such group. */
int store_group_release(struct store_txn *txn, const char *name);

/* The committed id of a group that is not released. -ENOENT. */
int store_group_find(const struct store *store, const char *name, uint32_t *ret);

/* Visits the committed groups that are not released, in no order. */
void store_group_foreach(const struct store *store,
                         void (*visit)(void *arg, const char *name, uint32_t id), void *arg);
