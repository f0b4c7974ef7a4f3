/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of HTTPRoute's matches and filters. See rules.h. */
#include "model/rules_priv.h"

#include <string.h>

/* How many of the filters have the type. */
static size_t count_type(const json_t *filters, const char *type)
{
    size_t n = 0;
    size_t i;
    const json_t *f;
    json_array_foreach(filters, i, f)
    {
        n += rule_is(f, "type", type);
    }
    return n;
}

bool rule_redirect_or_rewrite(const struct rule *rule, const json_t *self, const json_t *old)
{
    return count_type(self, "RequestRedirect") == 0 || count_type(self, "URLRewrite") == 0;
}

bool rule_filter_once(const struct rule *rule, const json_t *self, const json_t *old)
{
    return count_type(self, rule->a) <= 1;
}

bool rule_star_is_alone(const struct rule *rule, const json_t *self, const json_t *old)
{
    if (json_array_size(self) <= 1) {
        return true;
    }
    size_t i;
    const json_t *item;
    json_array_foreach(self, i, item)
    {
        if (strcmp(json_string_value(item), "*") == 0) {
            return false;
        }
    }
    return true;
}

bool rule_percent_or_fraction(const struct rule *rule, const json_t *self, const json_t *old)
{
    return !rule_has(self, "percent") || !rule_has(self, "fraction");
}

bool rule_fraction_below_one(const struct rule *rule, const json_t *self, const json_t *old)
{
    return json_integer_value(json_object_get(self, "numerator")) <=
           json_integer_value(json_object_get(self, "denominator"));
}

/* The path's value if it is to be taken as a path, else NULL. */
static const char *plain_path(const json_t *self)
{
    bool is_plain = rule_is(self, "type", "Exact") || rule_is(self, "type", "PathPrefix");
    return is_plain ? rule_text(self, "value") : NULL;
}

bool rule_path_starts_with_slash(const struct rule *rule, const json_t *self, const json_t *old)
{
    const char *path = plain_path(self);
    return path == NULL || path[0] == '/';
}

bool rule_path_without(const struct rule *rule, const json_t *self, const json_t *old)
{
    const char *path = plain_path(self);
    return path == NULL || strstr(path, rule->a) == NULL;
}

bool rule_path_ends_not_with(const struct rule *rule, const json_t *self, const json_t *old)
{
    const char *path = plain_path(self);
    size_t tail = strlen(rule->a);
    return path == NULL || strlen(path) < tail || strcmp(path + strlen(path) - tail, rule->a) != 0;
}

bool rule_path_type(const struct rule *rule, const json_t *self, const json_t *old)
{
    return plain_path(self) != NULL || rule_is(self, "type", "RegularExpression");
}

bool rule_path_characters(const struct rule *rule, const json_t *self, const json_t *old)
{
    const char *p = plain_path(self);
    if (p == NULL) {
        return true;
    }
    if (*p == '\0') {
        return false;
    }
    for (; *p != '\0'; p++) {
        if (*p == '%') {
            if (strspn(p + 1, "0123456789abcdefABCDEF") < 1 ||
                strspn(p + 2, "0123456789abcdefABCDEF") < 1) {
                return false;
            }
            p += 2;
        } else if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                          "-/._~!$&'()*+,;=:@",
                          *p) == NULL) {
            return false;
        }
    }
    return true;
}
