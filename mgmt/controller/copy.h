/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the copy of an object looks like: its contents as they are in the cluster, without what
 * belongs to the cluster's server (status, owners, finalizers, annotations), with our label and
 * annotations (mirror.h). Of several clusters each has a prefix, "NAME-", before its namespaces and
 * the names of what is cluster-wide, and in every reference to them, so that none can meet another.
 * Pure.
 */
#pragma once

#include "controller/kinds.h"
#include "controller/mirror.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct copy_names {
    char cluster[MIRROR_CLUSTER_BYTES_MAX + 1]; /* the label's value */
    char prefix[MIRROR_CLUSTER_BYTES_MAX + 2];  /* "NAME-", or "" */
};

/* A name there. False: too long. */
bool copy_name_there(const struct copy_names *names, const char *here, char ret[254]);

/* A name here. False: it is not of this cluster. */
bool copy_name_here(const struct copy_names *names, const char *there, char ret[254]);

/* Namespace and name of an object there. */
bool copy_key_there(const struct copy_names *names, enum kind kind, const char *namespace_,
                    const char *name, char ret_namespace[254], char ret_name[254]);

/* Namespace and name of an object here. */
bool copy_key_here(const struct copy_names *names, enum kind kind, const char *namespace_,
                   const char *name, char ret_namespace[254], char ret_name[254]);

/* The copy of an object, to be written; `api_version` is the appliance's. A new reference; NULL: no
 * memory, or a name is too long there. */
json_t *copy_make(const struct copy_names *names, enum kind kind, json_t *object,
                  const char *api_version, const char *cluster_uid);

/* A copy that is to be written says how old the object is: age decides between routes that
 * conflict. */
void copy_set_age(json_t *copy, const json_t *object);

/* The object that a copy is of, as far as the copy tells: names and references as in the cluster.
 * A new reference; NULL as above. */
json_t *copy_back(const struct copy_names *names, enum kind kind, const json_t *copy);

/* Is the copy there what is wanted? By the hash that it was written with, and by its contents: all
 * that is wanted is there (the appliance may have added defaults). */
bool copy_is_current(enum kind kind, const json_t *wanted, const json_t *there);

/* A cluster's own kinds may have fields that the appliance does not know and that say nothing to it
 * (it is told to leave them out); of the Gateway API's kinds an unknown field is a refusal. */
bool copy_may_lose_fields(enum kind kind);
