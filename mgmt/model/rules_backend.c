/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of Backends. See rules.h. */
#include "model/rules_priv.h"

#include "base/ip_addr.h"

#include <string.h>

bool rule_address_is_reachable(const struct rule *rule, const json_t *self, const json_t *old)
{
    struct ip_addr addr;
    return ip_addr_parse(rule_text(self, "address"), &addr) && ip_addr_is_reachable(&addr);
}

bool rule_tls_without_udp(const struct rule *rule, const json_t *self, const json_t *old)
{
    bool has_udp = false;
    size_t i;
    const json_t *protocol;
    json_array_foreach(json_object_get(self, "protocols"), i, protocol)
    {
        has_udp |= strcmp(json_string_value(protocol), "UDP") == 0;
    }
    return !has_udp || !rule_has(self, "tls");
}
