# SPDX-License-Identifier: Apache-2.0
"""Conformance: ListenerSets (GEP-1713)."""
import itertools
import ssl

import certs
import conformance
import objects
import suite
from conformance import of_conditions
from conformance_names import INFRA, V1, V2, V3, WEB
from exchange import Case, expect

HTTPROUTE = {"group": conformance.GROUP, "kind": "HTTPRoute"}
GOOD = {"Accepted": ("True", "Accepted"), "Programmed": ("True", "Programmed"),
        "ResolvedRefs": ("True", "ResolvedRefs"), "Conflicted": ("False", "NoConflicts")}
ACCEPTED = {"Accepted": ("True", "Accepted"), "Programmed": ("True", "Programmed")}
NOT_ALLOWED = {"Accepted": ("False", "NotAllowed"), "Programmed": ("False", "NotAllowed")}
NOT_VALID = {"Accepted": ("False", "ListenersNotValid"), "Programmed": ("False", "ListenersNotValid")}
PARTLY_VALID = {"Accepted": ("True", "ListenersNotValid"), "Programmed": ("True", "Programmed")}


def lab():
    return conformance.lab("listener-sets")


def prepare(l):
    conformance.prepare(l)


def conflicted(reason):
    """What a listener says that stands back for another."""
    return {"Accepted": ("False", reason), "Programmed": ("False", reason), "ResolvedRefs": ("True", "ResolvedRefs"),
            "Conflicted": ("True", reason)}


def gateway_is(l, name, sets):
    """Waits until the Gateway is accepted and has so many ListenerSets; its address."""
    def as_wanted():
        found = l.appliance.api.get("Gateway", name, INFRA)
        conformance.are_current(found, found["status"]["conditions"])
        return of_conditions(found["status"]["conditions"])["Accepted"] == ("True", "Accepted") and \
            found["status"]["attachedListenerSets"] == sets
    suite.eventually(as_wanted, f"Gateway {name} is accepted and has {sets} ListenerSets", conformance.STATUS_S)
    return objects.gateway_address(l, INFRA, name)


def status_of(l, name):
    """The status of the ListenerSet "name" or "namespace/name"; AssertionError while it is not of its spec."""
    namespace, _, name = name.rpartition("/")
    found = l.appliance.api.get("ListenerSet", name, namespace or INFRA)
    conformance.are_current(found, found["status"]["conditions"])
    return found["status"]


def set_is(l, name, wanted):
    """Waits until the ListenerSet has these conditions."""
    suite.eventually(lambda: of_conditions(status_of(l, name)["conditions"]) == wanted,
                     f"ListenerSet {name} says {wanted}", conformance.STATUS_S)


def listener_is(l, name, listener, wanted):
    """Waits until its listener has these conditions."""
    def as_wanted():
        found = [x for x in status_of(l, name)["listeners"] if x["name"] == listener]
        return of_conditions(found[0]["conditions"]) == wanted
    suite.eventually(as_wanted, f"listener {listener} of ListenerSet {name} says {wanted}", conformance.STATUS_S)


def listeners_have(l, name, attached):
    """Waits until its listeners are good, take HTTPRoutes, and have so many routes."""
    def as_wanted():
        listeners = status_of(l, name)["listeners"]
        are_good = all(of_conditions(x["conditions"]) == GOOD and HTTPROUTE in x["supportedKinds"] for x in listeners)
        return are_good and {x["name"]: x["attachedRoutes"] for x in listeners} == attached
    suite.eventually(as_wanted, f"the listeners of ListenerSet {name} have {attached} routes", conformance.STATUS_S)


def accepted_by(l, name, *routes):
    """Waits until the ListenerSet takes the routes."""
    for route in routes:
        conformance.has_condition(l, route, f"ListenerSet:{name}", "Accepted", "True", "Accepted")


def applied(l, name):
    return conformance.applied(l, name, kind="listenerset-")


def unanswered(*hosts):
    """No listener has these hosts."""
    return [Case("/", status=404, host=h) for h in hosts]


# ---- who is let in

@conformance.test("ListenerSetAllowedNamespaceNone", "S3 S8")
def listener_set_allowed_namespace_none(l):
    with applied(l, "allowed-namespace-none"):
        address = gateway_is(l, "gateway-does-not-allow-listenerset", 0)
        set_is(l, "listenerset-not-allowed", NOT_ALLOWED)
        expect(l, address, *unanswered("listener-set-listener.com"))


@conformance.test("ListenerSetDefaultNotAllowed", "S3 S8")
def listener_set_default_not_allowed(l):
    with applied(l, "default-not-allowed"):
        address = gateway_is(l, "gateway-default-does-not-allow-listenerset", 0)
        set_is(l, "listenerset-default-not-allowed", NOT_ALLOWED)
        expect(l, address, *unanswered("listenerset-default-not-allowed-listener.com"))


@conformance.test("ListenerSetAllowedNamespaceSame", "S3 S8")
def listener_set_allowed_namespace_same(l):
    with applied(l, "allowed-namespace-same"):
        gateway_is(l, "gateway-allows-listenerset-in-same-namespace", 1)
        set_is(l, "listenerset-in-same-namespace", ACCEPTED)
        listener_is(l, "listenerset-in-same-namespace", "listenerset-in-same-namespace-listener", GOOD)
        set_is(l, "gateway-api-listenerset-not-allowed-ns/listenerset-in-different-namespace", NOT_ALLOWED)


@conformance.test("ListenerSetAllowedNamespaceSelector", "S3 S8")
def listener_set_allowed_namespace_selector(l):
    chosen = "gateway-api-listenerset-selector-allowed-ns/listenerset-in-selected-namespace"
    other = "gateway-api-listenerset-selector-not-allowed-ns/listenerset-not-in-selected-namespace"
    with applied(l, "allowed-namespace-selector"):
        gateway_is(l, "gateway-allows-listenerset-in-selected-namespace", 1)
        set_is(l, chosen, ACCEPTED)
        listener_is(l, chosen, "listenerset-in-selected-namespace-listener", GOOD)
        set_is(l, other, NOT_ALLOWED)
        # the suite does not ask: a label comes, and goes
        namespace = other.split("/", maxsplit=1)[0]
        for labels, wanted in (({"allowed": "ns"}, ACCEPTED), ({"allowed": None}, NOT_ALLOWED)):
            l.appliance.api.patch("Namespace", namespace, {"metadata": {"labels": labels}})
            set_is(l, other, wanted)


# ---- whose routes are let in

@conformance.test("ListenerSetAllowedRoutesNamespaces", "S3 S8")
def listener_set_allowed_routes_namespaces(l):
    name, cross = "listenerset-test-allowed-routes-namespaces", "gateway-api-ls-cross-ns"
    own, chosen, other = "route-in-same-namespace", "route-in-selected-namespace", "route-not-in-selected-namespace"
    host = "listener-set-listener-allowed-routes-{}.com".format
    with applied(l, "allowed-routes-namespaces"):
        address = gateway_is(l, "gateway-with-listener-sets-test-allowed-routes", 2)
        accepted_by(l, name, own, f"gateway-api-routes-allowed-ns/{chosen}",
                    f"gateway-api-routes-not-allowed-ns/{other}")
        prefix = "listener-set-listener-allowed-routes"
        listeners_have(l, name, {f"{prefix}-all": 3, f"{prefix}-same": 1, f"{prefix}-selector": 1})
        backends = {own: V1, chosen: V2, other: V3}
        served = {"all": (own, chosen, other), "same": (own,), "selector": (chosen,)}
        expect(l, address, *[
            Case(f"/{route}", backend, host=host(which)) if route in served[which]
            else Case(f"/{route}", status=404, host=host(which))
            for which, (route, backend) in itertools.product(served, backends.items())])
        # the ListenerSet's namespace counts, not its Gateway's
        crossing = "listenerset-test-allowed-routes-cross-ns"
        accepted_by(l, crossing, f"{cross}/route-in-listenerset-namespace")
        conformance.has_condition(l, "route-in-gateway-namespace", f"ListenerSet:{crossing}", "Accepted", "False",
                                  "NotAllowedByListeners")
        listeners_have(l, f"{cross}/{crossing}", {f"{prefix}-cross-ns-same": 1})
        expect(l, address, Case("/route-in-listenerset-namespace", V1, host=host("cross-ns-same")),
               Case("/route-in-gateway-namespace", status=404, host=host("cross-ns-same")))


@conformance.test("ListenerSetAllowedRoutesSupportedKinds", "S3 S8")
def listener_set_allowed_routes_supported_kinds(l):
    name, listener = "listenerset-test-allowed-routes-supported-kinds", "listener-set-listener-allowed-routes-tls-only"
    with applied(l, "allowed-routes-supported-kinds"):
        gateway_is(l, "gateway-with-listener-sets-test-supported-route-kinds", 0)
        listener_is(l, name, listener, {**GOOD, "ResolvedRefs": ("False", "InvalidRouteKinds"),
                                        "Programmed": ("False", "Invalid")})


# ---- which parent

@conformance.test("ListenerSetHTTPRouting", "S3 S8")
def listener_set_http_routing(l):
    gateway, one, two = ("gateway-with-listener-sets-http-routing", "listener-set-http-routing-1",
                         "listener-set-http-routing-2")
    hosts = {"gateway": ["gateway-listener-1", "gateway-listener-2"],
             one: [f"{one}-listener-1", f"{one}-listener-2"], two: [f"{two}-listener-1", f"{two}-listener-2"]}
    every = sum(hosts.values(), [])
    served = {"/route": (V1, every),
              "/gateway-route": (V2, hosts["gateway"]), "/gateway-section-route": (V3, hosts["gateway"][:1]),
              f"/{one}-route": (V2, hosts[one]), f"/{one}-section-route": (V3, hosts[one][:1]),
              f"/{two}-route": (V2, hosts[two])}
    with applied(l, "http-routing"):
        address = gateway_is(l, gateway, 2)
        conformance.accepted(l, gateway, "attaches-to-all-listeners", "gateway-route", "gateway-section-route")
        accepted_by(l, one, "attaches-to-all-listeners", f"{one}-route", f"{one}-section-route")
        accepted_by(l, two, "attaches-to-all-listeners", f"{two}-route")
        listeners_have(l, one, {f"{one}-listener-1": 3, f"{one}-listener-2": 2})
        listeners_have(l, two, {f"{two}-listener-1": 2, f"{two}-listener-2": 2})
        expect(l, address, *[
            Case(path, backend, host=f"{host}.com") if host in there else Case(path, status=404, host=f"{host}.com")
            for (path, (backend, there)), host in itertools.product(served.items(), every)])


@conformance.test("ListenerSetDualParentRefIndependence", "S3 S8")
def listener_set_dual_parent_ref_independence(l):
    gateway, name = "gateway-dual-parentref", "ls-dual-parentref"
    with applied(l, "dual-parentref-independence"):
        address = gateway_is(l, gateway, 1)
        listeners_have(l, name, {"ls-dual-parentref-listener": 2})
        conformance.has_condition(l, "route-dual-parentref-both", gateway, "Accepted", "True", "Accepted")
        accepted_by(l, name, "route-dual-parentref-both", "route-dual-parentref-one")
        conformance.has_condition(l, "route-dual-parentref-one", gateway, "Accepted", "False", "NoMatchingParent")
        expect(l, address, Case("/dualboth", V1, host="gw-dual.com"), Case("/dualboth", V1, host="ls-dual.com"),
               Case("/dualone", V2, host="ls-dual.com"), Case("/dualone", status=404, host="gw-dual.com"))


@conformance.test("ListenerSetGatewayParentSectionNameNotFound", "S3 S8")
def listener_set_gateway_parent_section_name_not_found(l):
    gateway, name = "gateway-section-name", "listenerset-section-name"
    with applied(l, "gateway-parent-section-name-not-found"):
        address = gateway_is(l, gateway, 1)
        accepted_by(l, name, "route-via-listenerset")
        conformance.has_condition(l, "route-via-gateway", gateway, "Accepted", "False", "NoMatchingParent")
        expect(l, address, Case("/goodsection", V1, host="ls-section-name.com"),
               Case("/badsection", status=404, host="gw-section.com"))


@conformance.test("ListenerSetRouteStatusScopedToParentRef", "S3 S8")
def listener_set_route_status_scoped_to_parent_ref(l):
    gateway, name = "gateway-parentref", "listenerset-parentref"
    with applied(l, "route-status-scoped-to-parentref"):
        address = gateway_is(l, gateway, 1)
        listeners_have(l, name, {"listenerset-parentref-listener": 1})
        conformance.has_condition(l, "route-parentref-gwonly", gateway, "Accepted", "True", "Accepted")
        accepted_by(l, name, "route-parentref-lsonly")
        for route, kind, parent in (("route-parentref-gwonly", "Gateway", gateway),
                                    ("route-parentref-lsonly", "ListenerSet", name)):
            refs = [p["parentRef"] for p in conformance.parents(l, route)]
            assert refs == [{"group": conformance.GROUP, "kind": kind, "name": parent, "namespace": INFRA}], refs
        expect(l, address, Case("/gwonly", V1, host="gw-parentref.com"),
               Case("/gwonly", status=404, host="listenerset-parentref.com"),
               Case("/lsonly", V2, host="listenerset-parentref.com"),
               Case("/lsonly", status=404, host="gw-parentref.com"))


# ---- who comes first

def precedence_holds(l, what, reason):
    """Two ListenerSets with a listener that stands back for the Gateway's, two for that of an older ListenerSet; one of
    each has others, too."""
    gateway = f"gateway-with-listenerset-{what}-conflict"
    behind_gateway, behind_set = f"{what}-conflict-with-gateway-listener", f"{what}-conflict-with-listener-set-listener"
    names = {f"listenerset-with-{what}-conflict-with-gateway": behind_gateway,
             f"listenerset-with-{what}-conflict-with-listener-set": behind_set}
    with applied(l, f"{what}-conflict"):
        address = gateway_is(l, gateway, 2)
        own = l.appliance.api.get("Gateway", gateway, INFRA)["status"]["listeners"]
        assert {x["name"]: of_conditions(x["conditions"]) for x in own} == {"gateway-listener": GOOD,
                                                                            behind_gateway: GOOD}, own
        for number, (name, listener) in enumerate(names.items(), 1):
            set_is(l, f"{name}-1", PARTLY_VALID)
            listener_is(l, f"{name}-1", f"listener-set-{number}-listener", GOOD)
            listener_is(l, f"{name}-1", listener, conflicted(reason))
            set_is(l, f"{name}-2", NOT_VALID)
            listener_is(l, f"{name}-2", listener, conflicted(reason))
        listener_is(l, f"listenerset-with-{what}-conflict-with-gateway-1", behind_set, GOOD)
        expect(l, address, *unanswered("gateway-listener.com"))
        # the suite does not ask: who waited has the place when the other goes
        l.appliance.api.delete("ListenerSet", f"listenerset-with-{what}-conflict-with-gateway-1", INFRA)
        if what == "hostname":
            set_is(l, f"listenerset-with-{what}-conflict-with-listener-set-1", ACCEPTED)


@conformance.test("ListenerSetHostnameConflict", "S3 S8")
def listener_set_hostname_conflict(l):
    precedence_holds(l, "hostname", "HostnameConflict")


@conformance.test("ListenerSetProtocolConflict", "S3 S8")
def listener_set_protocol_conflict(l):
    precedence_holds(l, "protocol", "ProtocolConflict")


# ---- certificates

@conformance.test("ListenerSetReferenceGrant", "S3 S8")
def listener_set_reference_grant(l):
    allowed, other = "listenerset-with-reference-grant", "listenerset-without-reference-grant"
    authority = certs.Authority(l.dir, "listener-sets")
    shown = authority.server("web", f"{allowed}-listener.com", f"{other}-listener-1.com")
    l.appliance.api.put(objects.tls_secret(WEB, "certificate", *shown))
    context = ssl.create_default_context(cafile=authority.ca)
    with applied(l, "reference-grant"):
        address = gateway_is(l, "gateway-with-listener-sets-test-reference-grant", 1)
        set_is(l, allowed, ACCEPTED)
        listener_is(l, allowed, f"{allowed}-listener", GOOD)
        name = f"gateway-api-listener-sets-test-reference-grant-ns/{other}"
        set_is(l, name, NOT_VALID)
        listener_is(l, name, f"{other}-listener", {**GOOD, "Programmed": ("False", "Invalid"),
                                                   "ResolvedRefs": ("False", "RefNotPermitted")})
        expect(l, address, Case("/", status=404, host=f"{allowed}-listener.com"), port=443, tls=context)
        try:
            with context.wrap_socket(l["client"].connect(address, 443, timeout=5),
                                     server_hostname=f"{other}-listener-1.com"):
                raise AssertionError("a certificate is shown that nobody may show")
        except ssl.SSLError as e:
            assert "UNRECOGNIZED_NAME" in str(e), e
