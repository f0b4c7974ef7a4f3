/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of status share. */
#pragma once

#include "controller/chores.h"
#include "controller/merge.h"
#include "controller/status.h"

struct status {
    struct status_config config;
    struct chores *chores;
    struct status_stats stats;
    bool is_leader;
};

/* What the status of a kind looks like; false: it has none of ours. */
bool status_shape(enum kind kind, enum merge_shape *ret);

/* The status that the object has to have, new reference; NULL: nothing to write. */
json_t *status_wanted(struct status *s, enum kind kind, const json_t *object);

/* The finalizers that a GatewayClass has to have, new reference; NULL: it has them. */
json_t *status_class_finalizers(const struct status *s, const json_t *object);

/* Events for what has changed between two versions of an object's status. */
void status_tell(const struct status *s, enum kind kind, const json_t *old, const json_t *now);
