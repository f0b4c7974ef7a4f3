/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of AccessPolicies and Tokens. See rules.h. */
#include "model/rules_priv.h"

bool rule_not_both(const struct rule *rule, const json_t *self, const json_t *old)
{
    return !(rule_has(self, rule->a) && rule_has(self, rule->b));
}

bool rule_just_one(const struct rule *rule, const json_t *self, const json_t *old)
{
    return rule_has(self, rule->a) != rule_has(self, rule->b);
}

bool rule_some_of(const struct rule *rule, const json_t *self, const json_t *old)
{
    return rule_has(self, rule->a) || rule_has(self, rule->b);
}

bool rule_target_needs(const struct rule *rule, const json_t *self, const json_t *old)
{
    return !rule_has(self, "targetRefs") || rule_some_of(rule, self, old);
}

bool rule_only_with(const struct rule *rule, const json_t *self, const json_t *old)
{
    return !rule_has(self, rule->a) || rule_has(self, rule->b);
}

bool rule_is_of_controller(const struct rule *rule, const json_t *self, const json_t *old)
{
    return !rule_has(self, "cluster") || rule_is(self, "role", "controller");
}
