/* SPDX-License-Identifier: Apache-2.0 */
/* Events for transitions of conditions: what whoever wrote an object wants to hear without asking
 * for it. See events.h. */
#include "controller/events.h"
#include "controller/status_priv.h"

#include "model/at.h"

#include <stdio.h>
#include <string.h>

/* Types that are told, and whether their good news is. */
static const struct {
    const char *type;
    bool is_good_told;
} told[] = {{"Accepted", true}, {"Programmed", true}, {"ResolvedRefs", false}};

static const json_t *find_condition(const json_t *conditions, const char *type)
{
    size_t i;
    const json_t *c;
    json_array_foreach(conditions, i, c)
    {
        if (strcmp(text_at(c, "type"), type) == 0) {
            return c;
        }
    }
    return NULL;
}

static void tell_change(const struct status *s, const json_t *object, const char *about,
                        const json_t *old, const json_t *now, bool is_good_told)
{
    char message[EVENTS_MESSAGE_BYTES_MAX];
    const char *status = text_at(now, "status");
    bool is_good = strcmp(status, "True") == 0;
    bool is_same = strcmp(text_at(old, "status"), status) == 0 &&
                   (is_good || strcmp(text_at(old, "message"), text_at(now, "message")) == 0);
    if (now == NULL || is_same || strcmp(status, "Unknown") == 0 || (is_good && !is_good_told)) {
        return;
    }
    snprintf(message, sizeof(message), "%s%s%s", about, about[0] != '\0' ? ": " : "",
             text_at(now, "message"));
    events_say(s->config.events, object, is_good ? "Normal" : "Warning", text_at(now, "reason"),
               message);
}

static void tell_conditions(const struct status *s, const json_t *object, const char *about,
                            const json_t *old, const json_t *now)
{
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        tell_change(s, object, about, find_condition(old, told[i].type),
                    find_condition(now, told[i].type), told[i].is_good_told);
    }
}

/* Our entry of that reference; NULL: none. */
static const json_t *find_entry(const struct status *s, const json_t *list, const char *ref_key,
                                const json_t *ref)
{
    size_t i;
    const json_t *entry;
    json_array_foreach(list, i, entry)
    {
        if (strcmp(text_at(entry, "controllerName"), s->config.controller_name) == 0 &&
            json_equal(json_object_get(entry, ref_key), ref)) {
            return entry;
        }
    }
    return NULL;
}

static void tell_entries(const struct status *s, const json_t *object, const char *list_name,
                         const char *ref_key, const json_t *old)
{
    const json_t *before = at_path(old, "status", list_name);
    size_t i;
    const json_t *entry;
    json_array_foreach(at_path(object, "status", list_name), i, entry)
    {
        char about[400];
        const json_t *ref = json_object_get(entry, ref_key);
        const char *section = text_at(ref, "sectionName");
        if (strcmp(text_at(entry, "controllerName"), s->config.controller_name) != 0) {
            continue;
        }
        const char *kind = text_at(ref, "kind");
        snprintf(about, sizeof(about), "%s %s%s%s", kind[0] != '\0' ? kind : "Gateway",
                 text_at(ref, "name"), section[0] != '\0' ? ", " : "", section);
        tell_conditions(s, object, about,
                        json_object_get(find_entry(s, before, ref_key, ref), "conditions"),
                        json_object_get(entry, "conditions"));
    }
}

void status_tell(const struct status *s, enum kind kind, const json_t *old, const json_t *now)
{
    enum merge_shape shape;
    if (s->config.events == NULL || !status_shape(kind, &shape)) {
        return;
    }
    if (shape == MERGE_PARENTS) {
        tell_entries(s, now, "parents", "parentRef", old);
    } else if (shape == MERGE_ANCESTORS) {
        tell_entries(s, now, "ancestors", "ancestorRef", old);
    } else {
        tell_conditions(s, now, "", at_path(old, "status", "conditions"),
                        at_path(now, "status", "conditions"));
    }
}
