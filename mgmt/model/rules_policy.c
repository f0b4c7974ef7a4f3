/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of policies. See rules.h. Those on lists of targets are the parents' (rules_route.c). */
#include "model/rules_priv.h"

bool rule_target_takes_transport(const struct rule *rule, const json_t *self, const json_t *old)
{
    bool is_gateway =
        rule_is(self, "group", "gateway.networking.k8s.io") && rule_is(self, "kind", "Gateway");
    return is_gateway || rule_target_is_service(rule, self, old);
}

bool rule_target_is_service(const struct rule *rule, const json_t *self, const json_t *old)
{
    return rule_is(self, "group", "") && rule_is(self, "kind", "Service");
}

/* Ranges of statuses. */
bool rule_start_before_end(const struct rule *rule, const json_t *self, const json_t *old)
{
    return json_integer_value(json_object_get(self, "start")) <=
           json_integer_value(json_object_get(self, "end"));
}

bool rule_balancing_is_of_services(const struct rule *rule, const json_t *self, const json_t *old)
{
    size_t i;
    const json_t *target;
    json_array_foreach(json_object_get(self, "targetRefs"), i, target)
    {
        if (rule_has(self, "balancing") && !rule_is(target, "kind", "Service")) {
            return false;
        }
    }
    return true;
}
