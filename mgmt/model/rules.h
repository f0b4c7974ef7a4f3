/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of the CRDs that span fields (x-kubernetes-validations). A cluster runs them as CEL
 * expressions; here each is a C function, found by the rule's message (rules.def), which is also
 * what the user is told.
 *
 * Private to model. Pure. A rule sees only values that already fit their schema, so it need not
 * check types.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct rule {
    const char *message;
    /* Does it hold for the value `self`? `a` and `b` are the row's arguments; `old` the value
     * before, or NULL. */
    bool (*holds)(const struct rule *rule, const json_t *self, const json_t *old);
    const char *a;
    const char *b;
};

/* The rule with this message, or NULL. */
const struct rule *rule_find(const char *message);

/* The i-th rule, for the test that none is unused. */
const struct rule *rule_at(size_t i);

/* How many there are. */
size_t rule_count(void);

/* The functions named in rules.def. */
#define RULE_FUNCTION(name)                                                                        \
    bool rule_##name(const struct rule *rule, const json_t *self, const json_t *old)
RULE_FUNCTION(immutable);
RULE_FUNCTION(unique_addresses);
RULE_FUNCTION(address_hostname);
RULE_FUNCTION(address_ip);
RULE_FUNCTION(keys_are_qualified);
RULE_FUNCTION(key_prefixes_are_short);
RULE_FUNCTION(listeners_without_tls);
RULE_FUNCTION(listeners_https_terminate);
RULE_FUNCTION(listeners_tls_mode);
RULE_FUNCTION(listeners_without_hostname);
RULE_FUNCTION(unique_by);
RULE_FUNCTION(unique_listeners);
RULE_FUNCTION(terminate_has_certificates);
RULE_FUNCTION(parents_are_told_apart);
RULE_FUNCTION(parents_are_unique);
RULE_FUNCTION(matches_in_sum);
RULE_FUNCTION(hostnames_are_no_addresses);
RULE_FUNCTION(hostnames_are_names);
RULE_FUNCTION(hostnames_have_their_wildcard_first);
RULE_FUNCTION(redirect_without_backends);
RULE_FUNCTION(prefix_replaced_with_prefix_match);
RULE_FUNCTION(backend_prefix_replaced_with_prefix_match);
RULE_FUNCTION(service_has_port);
RULE_FUNCTION(redirect_or_rewrite);
RULE_FUNCTION(filter_once);
RULE_FUNCTION(member_only_with_type);
RULE_FUNCTION(member_given_for_type);
RULE_FUNCTION(member_given_for_protocol);
RULE_FUNCTION(member_only_with_protocol);
RULE_FUNCTION(star_is_alone);
RULE_FUNCTION(percent_or_fraction);
RULE_FUNCTION(fraction_below_one);
RULE_FUNCTION(path_starts_with_slash);
RULE_FUNCTION(path_without);
RULE_FUNCTION(path_ends_not_with);
RULE_FUNCTION(path_type);
RULE_FUNCTION(path_characters);
RULE_FUNCTION(service_or_method);
RULE_FUNCTION(exact_name);
RULE_FUNCTION(permanent_cookie_has_timeout);
RULE_FUNCTION(cookie_config_with_cookie);
RULE_FUNCTION(backend_timeout_within_request);
RULE_FUNCTION(route_has_next_hop);
RULE_FUNCTION(gateways_are_of_family);
RULE_FUNCTION(accepted_length);
RULE_FUNCTION(accepted_are_of_family);
RULE_FUNCTION(target_is_gateway);
RULE_FUNCTION(target_takes_transport);
RULE_FUNCTION(target_is_backend);
RULE_FUNCTION(duration_between);
RULE_FUNCTION(duration_within);
RULE_FUNCTION(start_before_end);
RULE_FUNCTION(cas_not_both);
RULE_FUNCTION(cas_given);
RULE_FUNCTION(not_both);
RULE_FUNCTION(just_one);
RULE_FUNCTION(some_of);
RULE_FUNCTION(target_needs);
RULE_FUNCTION(only_with);
RULE_FUNCTION(is_of_controller);
RULE_FUNCTION(limit_burst);
RULE_FUNCTION(limit_header);
RULE_FUNCTION(member_is_of_backends);
RULE_FUNCTION(sends_header_by_proxy);
RULE_FUNCTION(hash_with_maglev);
RULE_FUNCTION(hash_name);
RULE_FUNCTION(hash_header);
RULE_FUNCTION(accept_is_of_gateways);
RULE_FUNCTION(send_is_of_backends);
RULE_FUNCTION(proxy_protocol_says_something);
RULE_FUNCTION(trust_needs_accept);
RULE_FUNCTION(address_is_reachable);
RULE_FUNCTION(tls_without_udp);
#undef RULE_FUNCTION
