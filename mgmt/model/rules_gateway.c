/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of Gateway and GatewayClass. See rules.h. */
#include "model/rules_priv.h"
#include "model/text.h"

#include <string.h>

/* No value twice among the addresses of type `a`. */
bool rule_unique_addresses(const struct rule *rule, const json_t *self, const json_t *old)
{
    for (size_t i = 0; i < json_array_size(self); i++) {
        const json_t *first = json_array_get(self, i);
        if (!rule_is(first, "type", rule->a) || !rule_has(first, "value")) {
            continue;
        }
        for (size_t j = i + 1; j < json_array_size(self); j++) {
            const json_t *other = json_array_get(self, j);
            if (rule_is(other, "type", rule->a) && rule_has(other, "value") &&
                strcmp(rule_text(first, "value"), rule_text(other, "value")) == 0) {
                return false;
            }
        }
    }
    return true;
}

bool rule_address_hostname(const struct rule *rule, const json_t *self, const json_t *old)
{
    return !rule_is(self, "type", "Hostname") || !rule_has(self, "value") ||
           text_is_hostname(rule_text(self, "value"));
}

bool rule_address_ip(const struct rule *rule, const json_t *self, const json_t *old)
{
    struct ip_addr addr;
    return !rule_is(self, "type", "IPAddress") || !rule_has(self, "value") ||
           ip_addr_parse(rule_text(self, "value"), &addr);
}

bool rule_keys_are_qualified(const struct rule *rule, const json_t *self, const json_t *old)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)self, key, value)
    {
        if (!text_is_qualified_name(key)) {
            return false;
        }
    }
    return true;
}

bool rule_key_prefixes_are_short(const struct rule *rule, const json_t *self, const json_t *old)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)self, key, value)
    {
        if (strcspn(key, "/") >= 253) {
            return false;
        }
    }
    return true;
}

static bool is_cleartext(const json_t *listener)
{
    return rule_is(listener, "protocol", "HTTP") || rule_is(listener, "protocol", "TCP") ||
           rule_is(listener, "protocol", "UDP");
}

bool rule_listeners_without_tls(const struct rule *rule, const json_t *self, const json_t *old)
{
    size_t i;
    const json_t *l;
    json_array_foreach(self, i, l)
    {
        if (is_cleartext(l) && rule_has(l, "tls")) {
            return false;
        }
    }
    return true;
}

bool rule_listeners_https_terminate(const struct rule *rule, const json_t *self, const json_t *old)
{
    size_t i;
    const json_t *l;
    json_array_foreach(self, i, l)
    {
        const json_t *tls = json_object_get(l, "tls");
        if (rule_is(l, "protocol", "HTTPS") && tls != NULL && !rule_is(tls, "mode", "") &&
            !rule_is(tls, "mode", "Terminate")) {
            return false;
        }
    }
    return true;
}

bool rule_listeners_tls_mode(const struct rule *rule, const json_t *self, const json_t *old)
{
    size_t i;
    const json_t *l;
    json_array_foreach(self, i, l)
    {
        if (rule_is(l, "protocol", "TLS") && rule_is(json_object_get(l, "tls"), "mode", "")) {
            return false;
        }
    }
    return true;
}

bool rule_listeners_without_hostname(const struct rule *rule, const json_t *self, const json_t *old)
{
    size_t i;
    const json_t *l;
    json_array_foreach(self, i, l)
    {
        if ((rule_is(l, "protocol", "TCP") || rule_is(l, "protocol", "UDP")) &&
            !rule_is(l, "hostname", "")) {
            return false;
        }
    }
    return true;
}

static bool is_same_listener(const json_t *a, const json_t *b)
{
    const json_t *host_a = json_object_get(a, "hostname");
    const json_t *host_b = json_object_get(b, "hostname");
    bool same_host =
        host_a == host_b || (host_a != NULL && host_b != NULL && json_equal(host_a, host_b));
    return same_host && json_equal(json_object_get(a, "port"), json_object_get(b, "port")) &&
           json_equal(json_object_get(a, "protocol"), json_object_get(b, "protocol"));
}

bool rule_unique_listeners(const struct rule *rule, const json_t *self, const json_t *old)
{
    for (size_t i = 0; i < json_array_size(self); i++) {
        for (size_t j = i + 1; j < json_array_size(self); j++) {
            if (is_same_listener(json_array_get(self, i), json_array_get(self, j))) {
                return false;
            }
        }
    }
    return true;
}

bool rule_terminate_has_certificates(const struct rule *rule, const json_t *self, const json_t *old)
{
    return !rule_is(self, "mode", "Terminate") ||
           json_array_size(json_object_get(self, "certificateRefs")) > 0 ||
           json_object_size(json_object_get(self, "options")) > 0;
}
