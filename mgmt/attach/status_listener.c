/* SPDX-License-Identifier: Apache-2.0 */
/* Statuses of listeners, and of ListenerSets, which are little else (GEP-1713). */
#include "attach/status.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct verdict judge_fault(const struct at_listener *l)
{
    bool by_refs =
        l->fault == PLAN_LISTENER_INVALID_REFS || l->fault == PLAN_LISTENER_INVALID_KINDS;
    const char *message = by_refs ? l->resolved.message : l->accepted.message;
    /* who stands back for another has to be told so here, too */
    return VERDICT("False", l->is_late ? l->accepted.reason : "Invalid", message);
}

static struct verdict judge_programmed(const struct at_listener *l, bool is_served)
{
    if (l->fault != PLAN_LISTENER_OK) {
        return judge_fault(l);
    }
    if (!listener_is_served(l)) {
        return VERDICT("False", "Pending",
                       l->set != NULL ? "the Gateway is not served"
                                      : l->gateway->not_programmed.message);
    }
    if (!is_served) {
        return VERDICT("Unknown", "Pending", "not every worker has confirmed it yet");
    }
    return VERDICT("True", "Programmed", "every worker serves it");
}

/* The status that the listener had; NULL: none. */
static const json_t *find_old(const json_t *listeners, const char *name)
{
    size_t i;
    const json_t *l;
    json_array_foreach(listeners, i, l)
    {
        if (strcmp(text_at(l, "name"), name) == 0) {
            return l;
        }
    }
    return NULL;
}

static json_t *status_of_listener(const struct at_listener *l, const json_t *old,
                                  int64_t generation, const char *now, bool is_served)
{
    const struct wanted wanted[] = {
        {"Accepted", l->accepted},
        {"Programmed", judge_programmed(l, is_served)},
        {"ResolvedRefs", l->resolved},
        {"Conflicted", l->conflicted},
    };
    json_t *kinds = json_array();
    for (uint32_t i = 0; i < l->n_kinds; i++) {
        json_array_append_new(kinds,
                              json_pack("{s:s, s:s}", "group", protocol_kind_group(l->kinds[i]),
                                        "kind", l->kinds[i]));
    }
    return json_pack("{s:s, s:i, s:o, s:o}", "name", l->name, "attachedRoutes",
                     (int)l->n_attached_routes, "supportedKinds", kinds, "conditions",
                     conditions_merge(json_object_get(old, "conditions"), wanted, COUNT(wanted),
                                      generation, now));
}

json_t *status_of_listeners(const struct at_listener *listeners, uint32_t n, const json_t *old,
                            int64_t generation, const char *now, bool is_served)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++) {
        const struct at_listener *l = &listeners[i];
        json_array_append_new(
            list, status_of_listener(l, find_old(old, l->name), generation, now, is_served));
    }
    return list;
}

static struct verdict set_programmed(const struct at_set *set, bool is_served)
{
    if (set->not_programmed.reason != NULL) {
        return set->not_programmed;
    }
    if (!is_served) {
        return VERDICT("Unknown", "Pending", "not every worker has confirmed it yet");
    }
    return VERDICT("True", "Programmed", "every worker serves it");
}

json_t *status_of_set(const struct at_set *set, const json_t *obj, const char *now, bool is_served)
{
    const struct wanted wanted[] = {
        {"Accepted", set->accepted},
        {"Programmed", set_programmed(set, is_served)},
    };
    json_t *conditions = conditions_merge(at_path(obj, "status", "conditions"), wanted,
                                          COUNT(wanted), set->meta.generation, now);
    json_t *listeners =
        status_of_listeners(set->listeners, set->n_listeners, at_path(obj, "status", "listeners"),
                            set->meta.generation, now, is_served);
    return json_pack("{s:o, s:o}", "conditions", conditions, "listeners", listeners);
}
