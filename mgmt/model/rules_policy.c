/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of policies. See rules.h. Those on lists of targets are the parents' (rules_route.c). */
#include "model/rules_priv.h"

#include <strings.h>

bool rule_target_is_gateway(const struct rule *rule, const json_t *self, const json_t *old)
{
    return rule_is(self, "group", "gateway.networking.k8s.io") && rule_is(self, "kind", "Gateway");
}

bool rule_target_takes_transport(const struct rule *rule, const json_t *self, const json_t *old)
{
    return rule_target_is_gateway(rule, self, old) || rule_target_is_backend(rule, self, old);
}

bool rule_target_is_backend(const struct rule *rule, const json_t *self, const json_t *old)
{
    return (rule_is(self, "group", "") && rule_is(self, "kind", "Service")) ||
           (rule_is(self, "group", "sluice.internal") && rule_is(self, "kind", "Backend"));
}

/* Ranges of statuses. */
bool rule_start_before_end(const struct rule *rule, const json_t *self, const json_t *old)
{
    return json_integer_value(json_object_get(self, "start")) <=
           json_integer_value(json_object_get(self, "end"));
}

/* Are all targets Gateways, or is none? (What else a target can be has backends.) */
static bool has_targets_of(const json_t *spec, bool of_gateways)
{
    size_t i;
    const json_t *target;
    json_array_foreach(json_object_get(spec, "targetRefs"), i, target)
    {
        if (rule_is(target, "kind", "Gateway") != of_gateways) {
            return false;
        }
    }
    return true;
}

bool rule_member_is_of_backends(const struct rule *rule, const json_t *self, const json_t *old)
{
    return !rule_has(self, rule->a) || has_targets_of(self, false);
}

bool rule_sends_header_by_proxy(const struct rule *rule, const json_t *self, const json_t *old)
{
    return !rule_has(self, "forwarding") || rule_is(self, "forwarding", "Proxy") ||
           !rule_has(json_object_get(self, "proxyProtocol"), "send");
}

bool rule_accept_is_of_gateways(const struct rule *rule, const json_t *self, const json_t *old)
{
    return !rule_has(json_object_get(self, "proxyProtocol"), "accept") ||
           has_targets_of(self, true);
}

bool rule_send_is_of_backends(const struct rule *rule, const json_t *self, const json_t *old)
{
    return !rule_has(json_object_get(self, "proxyProtocol"), "send") || has_targets_of(self, false);
}

bool rule_proxy_protocol_says_something(const struct rule *rule, const json_t *self,
                                        const json_t *old)
{
    return rule_has(self, "accept") || rule_has(self, "send");
}

bool rule_trust_needs_accept(const struct rule *rule, const json_t *self, const json_t *old)
{
    return !rule_has(self, "trustedPrefixes") || rule_has(self, "accept");
}

bool rule_hash_with_maglev(const struct rule *rule, const json_t *self, const json_t *old)
{
    return !rule_has(self, "hashOn") || rule_is(self, "balancing", "Maglev");
}

bool rule_hash_name(const struct rule *rule, const json_t *self, const json_t *old)
{
    return rule_has(self, "name") == !rule_is(self, "type", "ClientAddress");
}

bool rule_hash_header(const struct rule *rule, const json_t *self, const json_t *old)
{
    return !rule_is(self, "type", "Header") || strcasecmp(rule_text(self, "name"), "Host") != 0;
}

/* Which of its two ways to name CAs a validation uses; an empty list is none. */
static bool has_ca_refs(const json_t *validation)
{
    return json_array_size(json_object_get(validation, "caCertificateRefs")) > 0;
}

static bool has_well_known_cas(const json_t *validation)
{
    return !rule_is(validation, "wellKnownCACertificates", "");
}

bool rule_cas_not_both(const struct rule *rule, const json_t *self, const json_t *old)
{
    return !(has_ca_refs(self) && has_well_known_cas(self));
}

bool rule_cas_given(const struct rule *rule, const json_t *self, const json_t *old)
{
    return has_ca_refs(self) || has_well_known_cas(self);
}
