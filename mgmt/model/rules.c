/* SPDX-License-Identifier: Apache-2.0 */
/* The table of rules, and those that any kind may have. See rules.h. */
#include "model/rules.h"

#include "model/rules_priv.h"
#include "model/text.h"

#include <string.h>

static const struct rule rules[] = {
#define RULE(text, function, first, second)                                                        \
    {.message = (text), .holds = rule_##function, .a = (first), .b = (second)},
#include "model/rules.def"
#undef RULE
};

size_t rule_count(void)
{
    return sizeof(rules) / sizeof(rules[0]);
}

const struct rule *rule_at(size_t i)
{
    return &rules[i];
}

const struct rule *rule_find(const char *message)
{
    for (size_t i = 0; i < rule_count(); i++) {
        if (strcmp(rules[i].message, message) == 0) {
            return &rules[i];
        }
    }
    return NULL;
}

const char *rule_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

bool rule_is(const json_t *object, const char *key, const char *text)
{
    return strcmp(rule_text(object, key), text) == 0;
}

bool rule_has(const json_t *object, const char *key)
{
    return json_object_get(object, key) != NULL;
}

bool rule_immutable(const struct rule *rule, const json_t *self, const json_t *old)
{
    return old == NULL || json_equal(self, old);
}

/* Items are told apart by member `a`; items without it do not count. */
bool rule_unique_by(const struct rule *rule, const json_t *self, const json_t *old)
{
    for (size_t i = 0; i < json_array_size(self); i++) {
        const json_t *first = json_object_get(json_array_get(self, i), rule->a);
        for (size_t j = i + 1; first != NULL && j < json_array_size(self); j++) {
            if (json_equal(first, json_object_get(json_array_get(self, j), rule->a))) {
                return false;
            }
        }
    }
    return true;
}

/* Discriminated unions: member `a` belongs to type `b`. */
bool rule_member_only_with_type(const struct rule *rule, const json_t *self, const json_t *old)
{
    return !rule_has(self, rule->a) || rule_is(self, "type", rule->b);
}

bool rule_member_given_for_type(const struct rule *rule, const json_t *self, const json_t *old)
{
    return !rule_is(self, "type", rule->b) || rule_has(self, rule->a);
}

bool rule_member_only_with_protocol(const struct rule *rule, const json_t *self, const json_t *old)
{
    return !rule_has(self, rule->a) || rule_is(self, "protocol", rule->b);
}

bool rule_member_given_for_protocol(const struct rule *rule, const json_t *self, const json_t *old)
{
    return !rule_is(self, "protocol", rule->b) || rule_has(self, rule->a);
}

/* Durations from `a` to `b`. */
bool rule_duration_between(const struct rule *rule, const json_t *self, const json_t *old)
{
    uint64_t ms, least_ms, most_ms;
    return text_parse_duration(rule->a, &least_ms) && text_parse_duration(rule->b, &most_ms) &&
           text_parse_duration(json_string_value(self), &ms) && ms >= least_ms && ms <= most_ms;
}

/* Member `a` is no longer than member `b`. */
bool rule_duration_within(const struct rule *rule, const json_t *self, const json_t *old)
{
    uint64_t ms, most_ms;
    return !text_parse_duration(rule_text(self, rule->a), &ms) ||
           !text_parse_duration(rule_text(self, rule->b), &most_ms) || ms <= most_ms;
}
