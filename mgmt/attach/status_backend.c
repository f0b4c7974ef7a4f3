/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status of a Backend: whether it can be used, where it is, and with a name what DNS says of it.
 * Its conditions are its own, not those of a Gateway: what a Backend comes to is the same by each.
 */
#include "attach/status.h"

#include <stdio.h>
#include <string.h>

#define TEXT_BYTES 512u

/* What of the addresses is to be said besides. */
static void add_unfit(const struct at_backend *b, char *text, size_t room)
{
    size_t len = strlen(text);
    if (b->n_unfit > 0) {
        snprintf(text + len, room - len,
                 "; %u more are left out, for no other host can be reached by them", b->n_unfit);
    }
}

/* The last good answer stands, or there was none yet. */
static struct verdict judge_silence(const struct at_backend *b, char text[TEXT_BYTES])
{
    const char *why = resolve_fault_text(b->fault);
    if (b->state == RESOLVE_STALE || b->is_remembered) {
        snprintf(text, TEXT_BYTES, "%s: %s; the last good answer is used", b->dns_name, why);
        return VERDICT("False", "Stale", text);
    }
    snprintf(text, TEXT_BYTES, "%s: %s; requests are answered 503", b->dns_name, why);
    return VERDICT("False", "ResolutionFailed", text);
}

/* Reason NULL: it has no name. */
static struct verdict judge_name(const struct at_backend *b, char text[TEXT_BYTES])
{
    bool is_silent = b->state == RESOLVE_STALE || b->state == RESOLVE_PENDING;
    if (b->dns_name == NULL) {
        return (struct verdict){0};
    }
    if (is_silent && b->fault != RESOLVE_FAULT_NONE) {
        return judge_silence(b, text);
    }
    if (is_silent) {
        snprintf(text, TEXT_BYTES, "%s: there was no answer yet", b->dns_name);
        return VERDICT("Unknown", "Pending", text);
    }
    if (b->state == RESOLVE_ABSENT) {
        snprintf(text, TEXT_BYTES,
                 "%s: DNS says that there is no such name, or that it has no address; requests are "
                 "answered 503",
                 b->dns_name);
        add_unfit(b, text, TEXT_BYTES);
        return VERDICT("False", "NameNotFound", text);
    }
    snprintf(text, TEXT_BYTES, "%s has %u addresses", b->dns_name, b->n_endpoints);
    add_unfit(b, text, TEXT_BYTES);
    return VERDICT("True", "Resolved", text);
}

/* Only TLS refers to something, and can have nobody who is let in. */
static struct verdict judge_use(const struct at_backend *b)
{
    bool is_unmet = b->has_tls && b->secured.unmet.reason != NULL;
    return is_unmet ? b->secured.unmet : VERDICT("True", "Accepted", "the Backend can be used");
}

static json_t *addresses_of(const struct at_backend *b)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < b->n_endpoints; i++) {
        char text[IP_ADDR_TEXT_MAX];
        json_array_append_new(list, json_pack("{s:s, s:i}", "address",
                                              ip_addr_format(&b->endpoints[i].addr, text), "port",
                                              (int)b->endpoints[i].port));
    }
    return list;
}

json_t *status_of_backend(const struct at_backend *b, const json_t *obj, const char *now)
{
    char text[TEXT_BYTES];
    const json_t *old = json_object_get(obj, "status");
    const struct wanted wanted[] = {
        {"Accepted", judge_use(b)},
        {"ResolvedRefs", b->has_tls ? b->secured.resolved
                                    : VERDICT("True", "ResolvedRefs", "it refers to nothing")},
        {"Resolved", judge_name(b, text)},
    };
    /* A new mgmtd says of a name what its predecessor said, until DNS has spoken. */
    bool is_as_before =
        b->is_remembered && b->state == RESOLVE_PENDING && b->fault == RESOLVE_FAULT_NONE;
    json_t *conditions = conditions_merge(json_object_get(old, "conditions"), wanted,
                                          is_as_before ? 2 : 3, b->meta.generation, now);
    return json_pack("{s:o, s:o, s:s*}", "conditions", conditions, "addresses", addresses_of(b),
                     "dnsName", b->dns_name);
}
