/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of reconcile share. */
#pragma once

#include "abi/endpoints.h"
#include "attach/attach.h"
#include "store/resource.h"
#include "store/store.h"

#include <jansson.h>

struct publish;

/* The store's committed objects as attach reads them. */
struct object_source store_source(struct store *store);

/* ---- endpoint groups (groups.c) ---- */

/* What the dataplane was told of each group; one checksum a group. */
struct group_table {
    uint64_t sent
        [ENDPOINT_GROUPS_MAX]; /* checksum of the list; 0: nothing was sent on this connection */
};

/*
 * Gives every group of the plan its id for life: ret_ids[i] is the id of plan->groups[i];
 * IMAGE-wide ids of abi/endpoints.h. Writes to the store only if a group is new. -ENOSPC: more
 * groups than there are ids.
 */
int groups_number(struct store *store, const struct plan *plan, uint32_t *ret_ids);

/* Sends the lists that differ from what was sent. */
int groups_publish(struct group_table *table, struct publish *publish, const struct plan *plan,
                   const uint32_t *ids);

/* Sends the list of one group, if it has its number and the list differs. */
int groups_publish_one(struct group_table *table, struct publish *publish, struct store *store,
                       const struct plan_group *group);

/* The list of a group was refused: the next groups_publish() sends it again. */
void groups_forget(struct group_table *table, uint64_t group);

/* Every worker serves an image made of `plan`: groups that it does not name are told to be empty,
 * and their ids are released (the store gives them out again last of all). */
int groups_release(struct group_table *table, struct publish *publish, struct store *store,
                   const struct plan *plan);

/* ---- statuses (status.c) ---- */

/* Writes the statuses that differ, and the finalizers that attach wants; many in a transaction, so
 * after an error some are written. `served` maps the uid of a Gateway or ListenerSet to the
 * generation that every worker serves. */
int statuses_write(struct store *store, struct attach *attach, const json_t *served,
                   enum attach_status_only which);
