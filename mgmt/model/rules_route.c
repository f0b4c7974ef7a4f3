/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of routes: parents, rules, backends, timeouts. See rules.h. */
#include "model/rules_priv.h"
#include "model/text.h"

#include <string.h>

/* Gateway API's bound on the matches of all rules of a route. */
#define ROUTE_MATCHES_MAX 128

/* Do two members have the same text; not given is "". */
static bool is_same(const json_t *a, const json_t *b, const char *key)
{
    return strcmp(rule_text(a, key), rule_text(b, key)) == 0;
}

static json_int_t port_of(const json_t *ref)
{
    return json_integer_value(json_object_get(ref, "port"));
}

static bool is_same_parent(const json_t *a, const json_t *b)
{
    return is_same(a, b, "group") && is_same(a, b, "kind") && is_same(a, b, "name") &&
           is_same(a, b, "namespace");
}

/* References to one parent either all name a section or none does; so with ports. */
static bool is_told_apart(const json_t *a, const json_t *b)
{
    return rule_is(a, "sectionName", "") == rule_is(b, "sectionName", "") &&
           (port_of(a) == 0) == (port_of(b) == 0);
}

bool rule_parents_are_told_apart(const struct rule *rule, const json_t *self, const json_t *old)
{
    for (size_t i = 0; i < json_array_size(self); i++) {
        for (size_t j = i + 1; j < json_array_size(self); j++) {
            const json_t *a = json_array_get(self, i);
            const json_t *b = json_array_get(self, j);
            if (is_same_parent(a, b) && !is_told_apart(a, b)) {
                return false;
            }
        }
    }
    return true;
}

bool rule_parents_are_unique(const struct rule *rule, const json_t *self, const json_t *old)
{
    for (size_t i = 0; i < json_array_size(self); i++) {
        for (size_t j = i + 1; j < json_array_size(self); j++) {
            const json_t *a = json_array_get(self, i);
            const json_t *b = json_array_get(self, j);
            if (is_same_parent(a, b) && is_same(a, b, "sectionName") && port_of(a) == port_of(b)) {
                return false;
            }
        }
    }
    return true;
}

bool rule_matches_in_sum(const struct rule *rule, const json_t *self, const json_t *old)
{
    size_t sum = 0;
    size_t i;
    const json_t *r;
    json_array_foreach(self, i, r)
    {
        sum += json_array_size(json_object_get(r, "matches"));
    }
    return sum <= ROUTE_MATCHES_MAX;
}

bool rule_redirect_without_backends(const struct rule *rule, const json_t *self, const json_t *old)
{
    if (json_array_size(json_object_get(self, "backendRefs")) == 0) {
        return true;
    }
    size_t i;
    const json_t *f;
    json_array_foreach(json_object_get(self, "filters"), i, f)
    {
        if (rule_has(f, "requestRedirect")) {
            return false;
        }
    }
    return true;
}

/* Has one of the filters a member `member` whose path replaces the matched prefix? */
static bool replaces_prefix(const json_t *filters, const char *member)
{
    size_t i;
    const json_t *f;
    json_array_foreach(filters, i, f)
    {
        const json_t *path = json_object_get(json_object_get(f, member), "path");
        if (rule_is(path, "type", "ReplacePrefixMatch") && rule_has(path, "replacePrefixMatch")) {
            return true;
        }
    }
    return false;
}

/* Exactly one match, by prefix: only then it is clear which prefix is replaced. */
static bool has_one_prefix_match(const json_t *rule)
{
    const json_t *matches = json_object_get(rule, "matches");
    const json_t *path = json_object_get(json_array_get(matches, 0), "path");
    return json_array_size(matches) == 1 && rule_is(path, "type", "PathPrefix");
}

bool rule_prefix_replaced_with_prefix_match(const struct rule *rule, const json_t *self,
                                            const json_t *old)
{
    return !replaces_prefix(json_object_get(self, "filters"), rule->a) ||
           has_one_prefix_match(self);
}

bool rule_backend_prefix_replaced_with_prefix_match(const struct rule *rule, const json_t *self,
                                                    const json_t *old)
{
    size_t i;
    const json_t *b;
    json_array_foreach(json_object_get(self, "backendRefs"), i, b)
    {
        if (replaces_prefix(json_object_get(b, "filters"), rule->a)) {
            return has_one_prefix_match(self);
        }
    }
    return true;
}

bool rule_service_has_port(const struct rule *rule, const json_t *self, const json_t *old)
{
    return !rule_is(self, "group", "") || !rule_is(self, "kind", "Service") ||
           rule_has(self, "port");
}

bool rule_permanent_cookie_has_timeout(const struct rule *rule, const json_t *self,
                                       const json_t *old)
{
    return !rule_is(json_object_get(self, "cookieConfig"), "lifetimeType", "Permanent") ||
           rule_has(self, "absoluteTimeout");
}

bool rule_cookie_config_with_cookie(const struct rule *rule, const json_t *self, const json_t *old)
{
    return !rule_has(self, "cookieConfig") || rule_is(self, "type", "Cookie");
}

bool rule_backend_timeout_within_request(const struct rule *rule, const json_t *self,
                                         const json_t *old)
{
    uint64_t request;
    uint64_t backend;
    if (!text_parse_duration(rule_text(self, "request"), &request) ||
        !text_parse_duration(rule_text(self, "backendRequest"), &backend)) {
        return true;
    }
    return request == 0 || backend <= request;
}
