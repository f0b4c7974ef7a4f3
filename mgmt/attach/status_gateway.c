/* SPDX-License-Identifier: Apache-2.0 */
/* Statuses of GatewayClass and Gateway. Programmed is True only when is_served says so. */
#include "attach/status.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

json_t *status_of_class(const struct attach *a, const struct at_class *c, const json_t *obj,
                        const char *now)
{
    const struct wanted wanted[] = {
        {"Accepted", c->accepted},
        {"SupportedVersion",
         VERDICT("True", "SupportedVersion", "Gateway API v1.6, experimental channel")},
    };
    static const char *const features[] = {
#define FEATURE(name) #name,
#include "attach/features.def"
#undef FEATURE
    };
    json_t *list = json_array();
    for (size_t i = 0; i < COUNT(features); i++) {
        json_array_append_new(list, json_pack("{s:s}", "name", features[i]));
    }
    return json_pack("{s:o, s:o}", "conditions",
                     conditions_merge(at_path(obj, "status", "conditions"), wanted, COUNT(wanted),
                                      c->meta.generation, now),
                     "supportedFeatures", list);
}

static json_t *addresses_of(const struct at_gateway *g)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < g->n_addresses; i++) {
        char text[IP_ADDR_TEXT_MAX];
        json_array_append_new(list, json_pack("{s:s, s:s}", "type", "IPAddress", "value",
                                              ip_addr_format(&g->addresses[i], text)));
    }
    return list;
}

static struct verdict gateway_programmed(const struct at_gateway *g, bool is_served)
{
    if (g->not_programmed.reason != NULL) {
        return g->not_programmed;
    }
    if (!is_served) {
        return VERDICT("Unknown", "Pending", "not every worker has confirmed it yet");
    }
    return VERDICT("True", "Programmed", "every worker serves it");
}

static struct verdict gateway_resolved(const struct at_gateway *g)
{
    if (g->no_identity.reason != NULL) {
        return g->no_identity;
    }
    for (uint32_t i = 0; i < g->n_listeners; i++) {
        if (strcmp(g->listeners[i].resolved.status, "True") != 0) {
            return VERDICT("False", "ListenersNotResolved", g->listeners[i].resolved.message);
        }
    }
    return VERDICT("True", "ResolvedRefs", "all references are resolved");
}

json_t *status_of_gateway(const struct attach *a, const struct at_gateway *g, const json_t *obj,
                          const char *now, bool is_served)
{
    const struct wanted wanted[] = {
        {"Accepted", g->accepted},
        {"Programmed", gateway_programmed(g, is_served)},
        {"ResolvedRefs", gateway_resolved(g)},
        {"InsecureFrontendValidationMode", clients_insecure(g)},
    };
    json_t *listeners =
        status_of_listeners(g->listeners, g->n_listeners, at_path(obj, "status", "listeners"),
                            g->meta.generation, now, is_served);
    return json_pack("{s:o, s:o, s:o, s:i}", "addresses", addresses_of(g), "conditions",
                     conditions_merge(at_path(obj, "status", "conditions"), wanted, COUNT(wanted),
                                      g->meta.generation, now),
                     "listeners", listeners, "attachedListenerSets", (int)g->n_sets);
}
