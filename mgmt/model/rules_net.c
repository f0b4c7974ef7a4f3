/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of StaticRoutes and BgpPeers. What is no address or prefix is told of there, not here. See
 * rules.h. */
#include "model/rules_priv.h"
#include "model/text.h"

bool rule_route_has_next_hop(const struct rule *rule, const json_t *self, const json_t *old)
{
    return rule_has(self, "gateway") || rule_has(self, "gateways") || rule_has(self, "interface");
}

/* Are both of one family, as far as they can be read? */
static bool is_same_family(const char *cidr, const char *address)
{
    struct ip_addr net, addr;
    unsigned length;
    return !text_parse_cidr(cidr, &net, &length) || !ip_addr_parse(address, &addr) ||
           ip_addr_is_v4(&net) == ip_addr_is_v4(&addr);
}

bool rule_gateways_are_of_family(const struct rule *rule, const json_t *self, const json_t *old)
{
    const char *destination = rule_text(self, "destination");
    size_t i;
    const json_t *gateway;
    json_array_foreach(json_object_get(self, "gateways"), i, gateway)
    {
        if (!is_same_family(destination, json_string_value(gateway))) {
            return false;
        }
    }
    return !rule_has(self, "gateway") || is_same_family(destination, rule_text(self, "gateway"));
}

bool rule_accepted_length(const struct rule *rule, const json_t *self, const json_t *old)
{
    struct ip_addr net;
    unsigned length;
    json_int_t most = json_integer_value(json_object_get(self, "maxLength"));
    return !rule_has(self, "maxLength") ||
           !text_parse_cidr(rule_text(self, "prefix"), &net, &length) ||
           (most >= (json_int_t)length && most <= (ip_addr_is_v4(&net) ? 32 : 128));
}

bool rule_accepted_are_of_family(const struct rule *rule, const json_t *self, const json_t *old)
{
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(json_object_get(self, "accept"), "prefixes"), i, item)
    {
        if (!is_same_family(rule_text(item, "prefix"), rule_text(self, "address"))) {
            return false;
        }
    }
    return true;
}
