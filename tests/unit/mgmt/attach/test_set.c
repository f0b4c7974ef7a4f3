/* SPDX-License-Identifier: Apache-2.0 */
/* ListenerSets: what changes from one run to the next, what others are told, and how many there may
 * be. Who comes first is in scenarios/sets.yaml. */
#include "test_change.h"

#include "fixture.h"
#include "scenario.h"

#include <string.h>

#define T0 "2026-11-23T09:00:00Z"
#define T1 "2026-11-23T09:00:01Z"
#define LISTENERS_PER_SET 64u

static const json_t *listener_status(struct scenario *s, const char *which, const char *name)
{
    size_t i;
    const json_t *l;
    json_array_foreach(json_object_get(scenario_status(s, which), "listeners"), i, l)
    {
        if (strcmp(json_string_value(json_object_get(l, "name")), name) == 0) {
            return l;
        }
    }
    REQUIRE(!"it has no such listener");
    return NULL;
}

void a_listener_set_is_programmed_when_every_worker_has_confirmed(void)
{
    struct scenario s;
    scenario_open(&s, "sets.yaml");
    fixture_set_new(scenario_find(&s, "ListenerSet a/first"), "metadata.generation",
                    json_integer(7));
    scenario_reconcile(&s, false, T0);
    const json_t *status = scenario_status(&s, "ListenerSet a/first");
    CHECK_STR(scenario_field(status, "Accepted", "status"), "True");
    CHECK_STR(scenario_field(status, "Programmed", "status"), "Unknown");
    CHECK_STR(
        scenario_field(listener_status(&s, "ListenerSet a/first", "web"), "Programmed", "status"),
        "Unknown");
    scenario_reconcile(&s, true, T1);
    status = scenario_status(&s, "ListenerSet a/first");
    CHECK_STR(scenario_field(status, "Programmed", "status"), "True");
    CHECK_EQ(json_integer_value(
                 json_object_get(scenario_condition(status, "Programmed"), "observedGeneration")),
             7);
    scenario_close(&s);
}

void a_listener_set_leaves_with_the_label_of_its_namespace(void)
{
    struct scenario s;
    scenario_open(&s, "sets.yaml");
    scenario_reconcile(&s, true, T0);
    CHECK(scenario_plan_has(&s, "listener a/first/web HTTP 80 a.example.com served\n"));
    CHECK(scenario_plan_has(&s, "listener b/second/taken-host HTTP 80 a.example.com Hostname"));
    fixture_set_new(scenario_find(&s, "Namespace a"), "metadata.labels.tenant", json_string("no"));
    scenario_reconcile(&s, true, T1);
    CHECK(!scenario_plan_has(&s, "listener a/first/"));
    CHECK_STR(scenario_field(scenario_status(&s, "ListenerSet a/first"), "Accepted", "reason"),
              "NotAllowed");
    CHECK_EQ(
        json_array_size(json_object_get(scenario_status(&s, "ListenerSet a/first"), "listeners")),
        0);
    /* who waited behind it has its place, with the route that waited there */
    CHECK(scenario_plan_has(&s, "listener b/second/taken-host HTTP 80 a.example.com served\n"
                                "    route b/on-late on any\n"));
    scenario_close(&s);
}

void nobody_is_told_what_others_have(void)
{
    struct scenario s;
    scenario_open(&s, "sets.yaml");
    scenario_reconcile(&s, true, T0);
    CHECK_STR(scenario_field(listener_status(&s, "ListenerSet b/second", "taken-host"),
                             "Conflicted", "message"),
              "a listener of another ListenerSet that is older has the same port 80 and the same "
              "hostname");
    CHECK_STR(scenario_field(listener_status(&s, "ListenerSet b/second", "taken-port"),
                             "Conflicted", "message"),
              "a listener of the Gateway has the same port 443 and another protocol");
    CHECK_STR(scenario_field(listener_status(&s, "ListenerSet b/second", "either"), "Conflicted",
                             "message"),
              "listener or has the same port 8080 and another protocol");
    CHECK_STR(
        scenario_field(listener_status(&s, "ListenerSet a/first", "its-gateways"), "ResolvedRefs",
                       "message"),
        "tls.certificateRefs[0]: no ReferenceGrant in certs lets ListenerSets of a use Secret "
        "good");
    CHECK_STR(scenario_field(scenario_status(&s, "ListenerSet d/stranger"), "Accepted", "message"),
              "spec.parentRef: Gateway infra/shared lets no ListenerSets of namespace d in "
              "(allowedListeners)");
    scenario_close(&s);
}

void clients_of_a_listener_set_show_what_its_gateway_asks_for(void)
{
    struct scenario s;
    scenario_open(&s, "sets.yaml");
    fixture_set_new(scenario_find(&s, "Gateway infra/shared"), "spec.tls",
                    json_pack("{s:{s:{s:{s:s, s:[{s:s, s:s, s:s}]}}}}", "frontend", "default",
                              "validation", "mode", "AllowValidOnly", "caCertificateRefs", "group",
                              "", "kind", "ConfigMap", "name", "missing"));
    scenario_reconcile(&s, true, T0);
    const json_t *own = listener_status(&s, "ListenerSet a/first", "own");
    CHECK_STR(scenario_field(own, "Accepted", "reason"), "NoValidCACertificate");
    CHECK_STR(scenario_field(own, "Accepted", "message"),
              "the Gateway wants client certificates and has no valid CA of them");
    CHECK_STR(scenario_field(own, "ResolvedRefs", "status"), "True");
    CHECK(scenario_plan_has(&s, "listener a/first/web HTTP 80 a.example.com served\n"));
    scenario_close(&s);
}

/* A ListenerSet of the Gateway with as many listeners as it may have, on one port with hostnames of
 * their own or (first_port > 0) on ports of their own. */
static json_t *large_set(const char *gateway, unsigned number, unsigned first_port)
{
    char name[32], host[32];
    json_t *listeners = json_array();
    for (unsigned i = 0; i < LISTENERS_PER_SET; i++) {
        snprintf(name, sizeof(name), "l%u", i);
        snprintf(host, sizeof(host), "h%u-%u.example.com", number, i);
        json_array_append_new(listeners, json_pack("{s:s, s:i, s:s, s:s}", "name", name, "port",
                                                   first_port > 0 ? (int)(first_port + i) : 80,
                                                   "protocol", "HTTP", "hostname", host));
    }
    snprintf(name, sizeof(name), "%s-%04u", gateway, number);
    return json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:s, s:i}, s:{s:{s:s, s:s, s:s}, s:o}}",
                     "apiVersion", "gateway.networking.k8s.io/v1", "kind", "ListenerSet",
                     "metadata", "name", name, "namespace", "ns", "uid", name, "creationTimestamp",
                     "2026-11-23T06:00:00Z", "generation", 1, "spec", "parentRef", "group",
                     "gateway.networking.k8s.io", "kind", "Gateway", "name", gateway, "listeners",
                     listeners);
}

/* The first listener of the ListenerSet is refused with these words. */
static void check_refused(struct scenario *s, const char *which, const char *message)
{
    const json_t *status = scenario_status(s, which);
    CHECK_STR(scenario_field(status, "Accepted", "reason"), "ListenersNotValid");
    const json_t *refused = json_array_get(json_object_get(status, "listeners"), 0);
    CHECK_STR(scenario_field(refused, "Accepted", "reason"), "TooManyListeners");
    CHECK_STR(scenario_field(refused, "Programmed", "reason"), "TooManyListeners");
    CHECK_STR(scenario_field(refused, "Accepted", "message"), message);
    CHECK_STR(scenario_field(refused, "Conflicted", "status"), "False");
}

void too_many_listeners_of_a_gateway_are_refused_by_age(void)
{
    struct scenario s;
    scenario_open(&s, "sets-addresses.yaml");
    unsigned n = ATTACH_GATEWAY_LISTENERS_MAX / LISTENERS_PER_SET;
    for (unsigned i = 0; i <= n; i++) {
        json_array_append_new(s.objects, large_set("one", i, 0));
    }
    scenario_reconcile(&s, true, T0);
    char which[64];
    snprintf(which, sizeof(which), "ListenerSet ns/one-%04u", n - 2);
    CHECK_STR(scenario_field(scenario_status(&s, which), "Accepted", "reason"), "Accepted");
    snprintf(which, sizeof(which), "ListenerSet ns/one-%04u", n);
    check_refused(&s, which, "the Gateway has as many listeners as one can have");
    /* another Gateway's are not concerned */
    CHECK(scenario_plan_has(&s, "listener ns/of-two/freer HTTP 80 freer.example.com served\n"));
    scenario_close(&s);
}

/* Another Gateway that lets ListenerSets in. */
static json_t *another_gateway(struct scenario *s, const char *name)
{
    json_t *g = json_deep_copy(scenario_find(s, "Gateway ns/one"));
    fixture_set_new(g, "metadata.name", json_string(name));
    fixture_set_new(g, "metadata.uid", json_string(name));
    json_object_del(json_object_get(g, "spec"), "addresses");
    return g;
}

void too_many_listeners_of_all_gateways_are_refused_by_age(void)
{
    struct scenario s;
    scenario_open(&s, "sets-addresses.yaml");
    fixture_set_new(scenario_find(&s, "AddressPool public"), "spec.addresses[0]",
                    json_string("192.0.2.0/24"));
    unsigned n = ATTACH_LISTENERS_MAX / ATTACH_GATEWAY_LISTENERS_MAX;
    unsigned n_sets = ATTACH_GATEWAY_LISTENERS_MAX / LISTENERS_PER_SET;
    for (unsigned g = 0; g <= n; g++) {
        char name[8];
        snprintf(name, sizeof(name), "g%u", g);
        json_array_append_new(s.objects, another_gateway(&s, name));
        for (unsigned i = 0; i < (g < n ? n_sets : 1); i++) {
            json_array_append_new(s.objects, large_set(name, i, 0));
        }
    }
    scenario_reconcile(&s, true, T0);
    char which[64];
    snprintf(which, sizeof(which), "ListenerSet ns/g%u-0000", n);
    check_refused(&s, which, "the appliance has as many listeners as it can have");
    CHECK_STR(scenario_field(scenario_status(&s, "ListenerSet ns/g3-0000"), "Accepted", "reason"),
              "Accepted");
    scenario_close(&s);
}

void too_many_addresses_and_ports_are_refused_by_age(void)
{
    enum { ADDRESSES = 16 };
    struct scenario s;
    scenario_open(&s, "sets-addresses.yaml");
    fixture_set_new(scenario_find(&s, "AddressPool public"), "spec.addresses[0]",
                    json_string("192.0.2.0/24"));
    json_t *wide = another_gateway(&s, "wide");
    json_t *addresses = json_array();
    for (int i = 0; i < ADDRESSES; i++) {
        json_array_append_new(addresses, json_pack("{s:s, s:o}", "type", "IPAddress", "value",
                                                   json_sprintf("192.0.2.%d", 100 + i)));
    }
    fixture_set_new(wide, "spec.addresses", addresses);
    json_array_append_new(s.objects, wide);
    unsigned n = ATTACH_BINDS_MAX / ADDRESSES / LISTENERS_PER_SET;
    for (unsigned i = 0; i <= n; i++) {
        json_array_append_new(s.objects, large_set("wide", i, 1000 + i * LISTENERS_PER_SET));
    }
    scenario_reconcile(&s, true, T0);
    char which[64];
    snprintf(which, sizeof(which), "ListenerSet ns/wide-%04u", n);
    check_refused(&s, which, "the appliance listens at as many addresses and ports as it can");
    CHECK_STR(scenario_field(scenario_status(&s, "ListenerSet ns/wide-0000"), "Accepted", "reason"),
              "Accepted");
    scenario_close(&s);
}
