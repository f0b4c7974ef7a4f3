/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status of a policy of our own: an entry for each target that is ours to speak of. The ancestor is
 * the target itself, with its section: what a policy comes to is the same by whichever Gateway a
 * Service is reached, and a Service that no route names has it, too. Those of Gateway API are in
 * status_tls.c.
 */
#include "attach/status.h"

#include <string.h>

/* Gateway API's bound on status.ancestors, and on spec.targetRefs. */
#define ANCESTORS_MAX 16u

/* A ParentReference; new reference. */
static json_t *ancestor_ref(const struct at_policy *p, const struct at_policy_target *t)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s*}", "group", text_at(t->ref, "group"), "kind",
                     text_at(t->ref, "kind"), "namespace", p->meta.namespace, "name", t->name,
                     "sectionName", t->section);
}

json_t *status_of_policy(struct attach *a, const struct at_policy *p, const json_t *obj,
                         const char *now)
{
    struct status_entry entries[ANCESTORS_MAX];
    json_t *refs[ANCESTORS_MAX];
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n_targets; i++) {
        const struct at_policy_target *t = &p->targets[i];
        if (t->accepted.reason != NULL && n < ANCESTORS_MAX) {
            refs[n] = ancestor_ref(p, t);
            entries[n] =
                (struct status_entry){.ref = refs[n], .wanted = {{"Accepted", t->accepted}}};
            n++;
        }
    }
    const struct status_entries wanted = {
        .list = "ancestors",
        .ref_key = "ancestorRef",
        .n_max = ANCESTORS_MAX,
        .n = n,
        .entries = entries,
        .generation = p->meta.generation,
    };
    json_t *status = status_merge(a, &wanted, obj, now);
    for (uint32_t i = 0; i < n; i++) {
        json_decref(refs[i]);
    }
    return status;
}
