# SPDX-License-Identifier: Apache-2.0
"""Conformance: hostnames, ports, several Gateways, and routes from other namespaces."""
import conformance
import objects
import suite
from conformance_names import INFRA, V1, V2, V3, WEB
from exchange import Case, expect

HTTPROUTE = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}


def lab():
    return conformance.lab("hosts")


def prepare(l):
    conformance.prepare(l)


def intersection_cases():
    """What is asked of the Gateway whose listeners are very.specific.com, *.wildcard.io and *.anotherwildcard.io."""
    served = {"/s1": (V1, ["very.specific.com", "very.specific.com:1234"]),
              "/s2": (V2, ["foo.wildcard.io", "bar.wildcard.io", "foo.bar.wildcard.io"]),
              "/s3": (V3, ["very.specific.com"]),
              "/s4": (V1, ["foo.anotherwildcard.io", "bar.anotherwildcard.io", "foo.bar.anotherwildcard.io"])}
    unserved = {"/s1": ["non.matching.com", "foo.nonmatchingwildcard.io", "foo.wildcard.io"],
                "/s2": ["non.matching.com", "wildcard.io", "very.specific.com"],
                "/s3": ["non.matching.com", "foo.specific.com", "foo.wildcard.io"],
                "/s4": ["anotherwildcard.io", "foo.wildcard.io", "very.specific.com"],
                "/non-matching-prefix": ["very.specific.com", "foo.wildcard.io", "foo.anotherwildcard.io"]}
    return [Case(path, backend, host=host) for path, (backend, hosts) in served.items() for host in hosts] + \
        [Case(path, status=404, host=host) for path, hosts in unserved.items() for host in hosts]


def listeners_are(l, gateway, attached):
    """Waits until these listeners have so many routes, take HTTPRoutes, and are accepted."""
    def as_wanted():
        found = l.appliance.api.get("Gateway", gateway, INFRA)
        conformance.are_current(found, found["status"]["conditions"])
        listeners = found["status"]["listeners"]
        are_good = all(objects.condition(x, kind)["status"] == "True" for x in listeners
                       for kind in ("Accepted", "ResolvedRefs"))
        return are_good and all(HTTPROUTE in x["supportedKinds"] for x in listeners) and \
            {x["name"]: x["attachedRoutes"] for x in listeners} == attached
    suite.eventually(as_wanted, f"the listeners of {gateway} have {attached} routes", conformance.STATUS_S)


@conformance.test("HTTPRouteHostnameIntersection")
def httproute_hostname_intersection(l):
    gateway, every = "httproute-hostname-intersection", "httproute-hostname-intersection-all"
    routes = [f"{kind}-host-matches-listener-{other}-host" for kind in ("specific", "wildcard")
              for other in ("specific", "wildcard")]
    with conformance.applied(l, "hostname-intersection"):
        address = conformance.accepted(l, gateway, *routes)
        expect(l, address, *intersection_cases())
        conformance.has_condition(l, "no-intersecting-hosts", gateway, "Accepted", "False",
                                  "NoMatchingListenerHostname")
        expect(l, address, Case("/s5", status=404, host="specific.but.wrong.com"),
               Case("/s5", status=404, host="wildcard.io"))
        listeners_are(l, gateway, {"listener-1": 2, "listener-2": 1, "listener-3": 1})
        expect(l, conformance.accepted(l, every, every),
               *[Case("/", V2, host=h) for h in ("first.com", "sub.first.com", "second.com", "sub.second.com")],
               *[Case("/", status=404, host=h) for h in ("third.com", "sub.third.com")])


@conformance.test("HTTPRouteListenerHostnameMatching")
def httproute_listener_hostname_matching(l):
    gateway = "httproute-listener-hostname-matching"
    third = ("baz.bar.com", "boo.bar.com", "multiple.prefixes.bar.com", "multiple.prefixes.foo.com")
    with conformance.applied(l, "listener-hostname-matching"):
        conformance.accepted(l, gateway, "backend-v1", sections=["listener-1"])
        conformance.accepted(l, gateway, "backend-v2", sections=["listener-2"])
        expect(l, conformance.accepted(l, gateway, "backend-v3", sections=["listener-3", "listener-4"]),
               Case("/", V1, host="bar.com"), Case("/", V2, host="foo.bar.com"),
               *[Case("/", V3, host=h) for h in third],
               *[Case("/", status=404, host=h) for h in ("foo.com", "no.matching.host")])


@conformance.test("HTTPRouteListenerPortMatching")
def httproute_listener_port_matching(l):
    gateway = "httproute-listener-port-matching"
    with conformance.applied(l, "listener-port-matching"):
        conformance.accepted(l, gateway, "backend-v1", "backend-v2")
        address = conformance.accepted(l, gateway, "backend-v3", sections=["listener-4"])
        expect(l, address, Case("/", V1, host="foo.com"))
        expect(l, address, Case("/", V2, host="foo.com:8080"), Case("/", V2, host="bar.com:8080"), port=8080)
        expect(l, address, Case("/", V3, host="foo.com:8090"), Case("/", status=404, host="bar.com:8090"), port=8090)


@conformance.test("HTTPRouteMultipleGateways")
def httproute_multiple_gateways(l):
    with conformance.applied(l, "multiple-gateways"):
        for gateway, backend in (("same-namespace", V2), ("all-namespaces", V3)):
            expect(l, conformance.accepted(l, gateway, "multiple-gateways-shared-route", f"{gateway}-dedicated-route"),
                   Case("/shared", V1), Case("/", backend))


@conformance.test("HTTPRouteCrossNamespace")
def httproute_cross_namespace(l):
    with conformance.applied(l, "cross-namespace"):
        expect(l, conformance.accepted(l, "backend-namespaces", f"{WEB}/cross-namespace"),
               Case("/", "web-backend", namespace=WEB))


@conformance.test("HTTPRouteReferenceGrant")
def httproute_reference_grant(l):
    with conformance.applied(l, "reference-grant"):
        address = conformance.accepted(l, "same-namespace", "reference-grant")
        expect(l, address, Case("/", "web-backend", namespace=WEB))
        l.appliance.api.delete("ReferenceGrant", "reference-grant", WEB)
        expect(l, address, Case("/", status=500))


@conformance.test("HTTPRouteServiceTypes")
def httproute_service_types(l):
    manual = ("manual-endpointslices", "headless-manual-endpointslices")
    with conformance.applied(l, "service-types"):
        address = conformance.accepted(l, "same-namespace", "service-types")
        for name, family in ((name, family) for name in manual for family in (4, 6)):
            l.appliance.api.patch("EndpointSlice", f"{name}-ip{family}",
                                  {"endpoints": l.pods.endpoints(INFRA, V1, family)}, INFRA)
        expect(l, address, *[Case(f"/{service}", V1) for service in (*manual, "headless")])


@conformance.test("HTTPRouteObservedGenerationBump")
def httproute_observed_generation_bump(l):
    route, gateway = "observed-generation-bump", "same-namespace"
    api = l.appliance.api
    with conformance.applied(l, "observed-generation-bump"):
        conformance.accepted(l, gateway, route)
        before = api.get("HTTPRoute", route, INFRA)
        rules = before["spec"]["rules"]
        rules[0]["backendRefs"][0]["name"] = V2
        api.patch("HTTPRoute", route, {"spec": {"rules": rules}}, INFRA)
        address = conformance.accepted(l, gateway, route)
        after = api.get("HTTPRoute", route, INFRA)
        assert after["metadata"]["generation"] == before["metadata"]["generation"] + 1, after["metadata"]
        expect(l, address, Case("/", V2))
