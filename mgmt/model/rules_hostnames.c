/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of a TLSRoute's hostnames, which are server names (RFC 6066, section 3). See rules.h. */
#include "base/ip_addr.h"
#include "model/rules_priv.h"
#include "model/text.h"

#include <string.h>

bool rule_hostnames_are_no_addresses(const struct rule *rule, const json_t *self, const json_t *old)
{
    size_t i;
    const json_t *name;
    json_array_foreach(self, i, name)
    {
        struct ip_addr addr;
        if (ip_addr_parse(json_string_value(name), &addr)) {
            return false;
        }
    }
    return true;
}

bool rule_hostnames_are_names(const struct rule *rule, const json_t *self, const json_t *old)
{
    size_t i;
    const json_t *name;
    json_array_foreach(self, i, name)
    {
        const char *text = json_string_value(name);
        if (strchr(text, '*') == NULL && !text_is_dns_subdomain(text)) {
            return false;
        }
    }
    return true;
}

bool rule_hostnames_have_their_wildcard_first(const struct rule *rule, const json_t *self,
                                              const json_t *old)
{
    size_t i;
    const json_t *name;
    json_array_foreach(self, i, name)
    {
        const char *text = json_string_value(name);
        bool is_right = strncmp(text, "*.", 2) == 0 && text_is_dns_subdomain(text + 2);
        if (strchr(text, '*') != NULL && !is_right) {
            return false;
        }
    }
    return true;
}
