/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of merge share. */
#pragma once

#include "controller/merge.h"
#include "model/arena.h"
#include "model/at.h"
#include "model/condition.h"

/* What an appliance says, with a refusal put into the shape of a status. */
struct merge_said {
    const char *appliance;
    const json_t *status;
    bool is_refusal;
};

/* One merging. */
struct merge {
    const struct merge_question *q;
    struct arena *arena; /* of texts */
    json_t *held;        /* references to what was made on the way */
    int64_t generation;  /* of the object */
    const char *pending; /* the appliances that have nothing to say yet, "b, c"; NULL: none */
    uint32_t n;
    struct merge_said said[MERGE_VOICES_MAX];
};

/* Of the conditions that each of m->said has in this place (lists[i], may be NULL) the worst of
 * each type, merged into `old`. New reference. */
json_t *merge_conditions(struct merge *m, const json_t *const lists[MERGE_VOICES_MAX],
                         const json_t *old);

/* Status of a GatewayClass; new reference, as are the next two. */
json_t *merge_class(struct merge *m);

/* Of a Gateway or ListenerSet. */
json_t *merge_gateway(struct merge *m);

/* Of a route or policy; NULL: there are, were and need to be no entries of ours. */
json_t *merge_entries(struct merge *m);

/* Name of the list with an entry a controller: "parents", "ancestors". */
const char *merge_list(enum merge_shape shape);

/* Name of what an entry refers to: "parentRef", "ancestorRef". */
const char *merge_ref_key(enum merge_shape shape);

/* What a refusal is in the shape of a status. New reference. */
json_t *merge_refusal(const struct merge *m, const struct merge_voice *v);
