/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of GRPCRoute's matches. See rules.h. */
#include "model/rules_priv.h"

#include <ctype.h>
#include <string.h>

bool rule_service_or_method(const struct rule *rule, const json_t *self, const json_t *old)
{
    return !rule_has(self, "type") || rule_has(self, "service") || rule_has(self, "method");
}

/* The end of the identifier that the text begins with; NULL: it begins with none. */
static const char *after_identifier(const char *text)
{
    if (*text != '_' && !isalpha((unsigned char)*text)) {
        return NULL;
    }
    while (*text == '_' || isalnum((unsigned char)*text)) {
        text++;
    }
    return text;
}

/* Is member `a`, if it is meant literally, an identifier, or for a service several with dots? */
bool rule_exact_name(const struct rule *rule, const json_t *self, const json_t *old)
{
    if (!rule_has(self, rule->a) || (rule_has(self, "type") && !rule_is(self, "type", "Exact"))) {
        return true;
    }
    bool has_dots = strcmp(rule->a, "service") == 0;
    const char *text = rule_text(self, rule->a);
    const char *end = after_identifier(has_dots && *text == '.' ? text + 1 : text);
    while (has_dots && end != NULL && *end == '.') {
        end = after_identifier(end + 1);
    }
    return end != NULL && *end == '\0';
}
