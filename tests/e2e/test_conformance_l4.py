# SPDX-License-Identifier: Apache-2.0
"""Conformance: TLSRoutes and TCPRoutes. The pods are the suite's echo servers: of HTTP by TLS, and one that speaks a
little protocol of lines, by TCP and by TLS."""
import collections
import json
import socket
import ssl
import time

import certs
import conformance
import lab as labs
import objects
import pods
import suite
from conformance_names import INFRA, WEB
from exchange import Case, expect

ABC, OTHER, END = "abc.example.com", "other.example.com", "tls.example.com"
ECHO = "tcp-backend"
SECURE = ("tls-backend", "tls-backend-2")
LINES = (ECHO, "tcp-attach-backend-1", "tcp-attach-backend-2", "tcp-backend-v1", "tcp-backend-v2", "tcp-backend-v3",
         "tcp-echo-attach-all", "tcp-echo-one", "tcp-echo-two", "tcp-echo-three", "tcp-reference-grant-backend")
WELCOME = "Gateway API Test TCP Server\n"
REQUESTS = 200
NOTHING_S = 2  # a client that has got nothing so long will get nothing


class Pods(pods.Pods):
    """A pod for each of these."""

    def __init__(self, l, program, certificate, key):
        self.lab = l
        self.addresses, self.names = {}, {}
        for number, name in enumerate((*SECURE, *LINES), 1):
            namespace = WEB if name == LINES[-1] else INFRA
            self.addresses[namespace, name] = [number]
            environment = {"POD_NAME": f"{name}-lab-1", "NAMESPACE": namespace, "TLS_SERVER_CERT": certificate}
            if name in SECURE:
                environment["TLS_SERVER_PRIVKEY"] = key
            else:
                environment |= {"TLS_SERVER_PRIV_KEY": key, "TCP_ECHO_SERVER": "1"}
            process = l.start(name, f"backend-{number}", program, environment=environment)
            process.wait_ready(lambda n=number: self.is_listening(n), "the echo server", pods.READY_S)


def lab():
    return labs.Lab("conformance-l4", backends=len(SECURE) + len(LINES))


def prepare(l):
    authority = certs.Authority(l.dir, "tls-checks-ca")
    authority.server("backends", ABC, "*.example.com")
    l.pods = Pods(l, conformance.build.build("conformance"), authority.path("backends.crt"),
                  authority.path("backends.key"))
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    base = pods.documents(conformance.text_of("base/manifests.yaml"))
    conformance.apply(l, "base", [d for d in base if pods.kind_of(d) != "Deployment"])
    l.vips = {}
    conformance.server_context(l)
    l.appliance.api.put(objects.tls_secret(INFRA, "tls-terminate-checks-certificate", *authority.server("end", END)))
    l.trust = ssl.create_default_context(cafile=authority.ca)


def applied(l, name):
    return conformance.applied(l, name, kind="")


class Talk:
    """A conversation with the suite's server of lines."""

    def __init__(self, l, address, port, name=None):
        plain = l["client"].connect(address, port)
        plain.settimeout(10)
        self.sock = l.trust.wrap_socket(plain, server_hostname=name) if name else plain
        self.file = self.sock.makefile("r", encoding="utf-8")

    def __enter__(self):
        assert self.file.readline() == WELCOME
        return self

    def __exit__(self, *_):
        self.file.close()
        self.sock.close()

    def ask(self, line):
        self.sock.sendall(line.encode() + b"\n")
        return self.file.readline().rstrip("\n")


def talks(l, address, port, backend, name=None, is_tls=False, namespace=INFRA):
    """Waits until the conversation is with that backend, and holds it."""
    def is_right():
        with Talk(l, address, port, name) as t:
            assert t.ask("PING") == "PONG" and t.ask("IS_TLS") == str(is_tls).lower()
            said = json.loads(t.ask("TEST"))
        assert said["namespace"] == namespace and said["pod"].startswith(f"{backend}-"), said
        return not is_tls or said["tls"]["serverName"] == name
    suite.eventually(lambda: is_right(), f"{backend} answers at port {port}", conformance.STATUS_S)


def is_rejected(l, address, name, port=443):
    """No handshake with anybody."""
    def fails():
        try:
            with l.trust.wrap_socket(l["client"].connect(address, port, timeout=NOTHING_S), server_hostname=name):
                return False
        except OSError:
            return True
    suite.eventually(fails, f"{name} is rejected", conformance.STATUS_S)


def listener_of(l, gateway, name):
    """({type: (status, reason)}, kinds, attachedRoutes)"""
    found = l.appliance.api.get("Gateway", gateway, INFRA)
    listener = next(x for x in found["status"]["listeners"] if x["name"] == name)
    conformance.are_current(found, listener["conditions"])
    return ({c["type"]: (c["status"], c["reason"]) for c in listener["conditions"]},
            [k["kind"] for k in listener["supportedKinds"]], listener["attachedRoutes"])


def is_listener(l, gateway, name, kinds, **conditions):
    """Waits until the listener has these kinds and conditions."""
    def has():
        told, of, _ = listener_of(l, gateway, name)
        return of == kinds and {k: told[k] for k in conditions} == conditions
    suite.eventually(has, f"{gateway}/{name} says so", conformance.STATUS_S)


@conformance.test("TLSRouteSimpleSameNamespace")
def tls_route_simple_same_namespace(l):
    with applied(l, "tlsroute-simple-same-namespace"):
        address = conformance.accepted(l, "gateway-tlsroute", "TLSRoute:gateway-conformance-infra-test")
        talks(l, address, 443, ECHO, ABC, is_tls=True)


@conformance.test("TLSRouteTerminateSimpleSameNamespace")
def tls_route_terminate_simple_same_namespace(l):
    with applied(l, "tlsroute-terminate-simple-same-namespace"):
        address = conformance.accepted(l, "gateway-tlsroute-terminate", "TLSRoute:tlsroute-terminated-test")
        port = l.appliance.api.get("Gateway", "gateway-tlsroute-terminate", INFRA)["spec"]["listeners"][0]["port"]
        talks(l, address, port, ECHO, END)


@conformance.test("TLSRouteMixedTerminationSameNamespace")
def tls_route_mixed_termination_same_namespace(l):
    with applied(l, "tlsroute-mixed-termination-same-namespace"):
        gateway = "gateway-tlsroute-mixed-termination"
        address = conformance.accepted(l, gateway, "TLSRoute:gateway-conformance-mixed-terminateroute",
                                       "TLSRoute:gateway-conformance-mixed-passthroughroute")
        for name in ("tls-terminate", "tls-passthrough"):
            is_listener(l, gateway, name, ["TLSRoute"], Accepted=("True", "Accepted"))
            assert listener_of(l, gateway, name)[2] == 1, name
        talks(l, address, 8883, ECHO, END)
        talks(l, address, 8883, ECHO, ABC, is_tls=True)


@conformance.test("TLSRouteHostnameIntersection")
def tls_route_hostname_intersection(l):
    with applied(l, "tlsroute-hostname-intersection"):
        for number, gateway, routes, nobody in (
                (1, "exact-hostname", ["more-specific-wc-hostname"], "non.matching.com"),
                (2, "more-specific-wc-hostname", ["exact-hostname", "less-specific-wc-hostname"], "non.matching.com"),
                (3, "less-specific-wc-hostname", ["exact-hostname", "more-specific-wc-hostname"], "non.matching.com"),
                (4, "empty-hostname", ["exact-hostname", "less-specific-wc-hostname"], "non.matching.org")):
            address = conformance.accepted(l, f"gw-tlsroute-{gateway}-x-{number}",
                                           *[f"TLSRoute:tlsroute-{r}-x-{number}" for r in routes])
            cases = [Case("/", SECURE[0], host=ABC, server_name=ABC)]
            if number > 1:
                cases.append(Case("/", SECURE[1], host=OTHER, server_name=OTHER))
            expect(l, address, *cases, port=443, tls=l.trust)
            is_rejected(l, address, nobody)


@conformance.test("TLSRouteInvalidBackendRefNonexistent")
def tls_route_invalid_backend_ref_nonexistent(l):
    with applied(l, "tlsroute-invalid-backendref-nonexistent"):
        leads_nowhere(l, "gateway-tlsroute-invalid-backend-ref-nonexistent", "invalid-backend-ref-nonexistent",
                      "BackendNotFound")


@conformance.test("TLSRouteInvalidBackendRefUnknownKind")
def tls_route_invalid_backend_ref_unknown_kind(l):
    with applied(l, "tlsroute-invalid-backendref-unknown-kind"):
        leads_nowhere(l, "gateway-tlsroute-invalid-backend-ref-unknown-kind", "invalid-backend-ref-unknown-kind",
                      "InvalidKind")


def leads_nowhere(l, gateway, route, reason):
    address = conformance.accepted(l, gateway, f"TLSRoute:{route}", are_resolved=False)
    conformance.has_condition(l, f"TLSRoute:{route}", gateway, "ResolvedRefs", "False", reason)
    is_rejected(l, address, l.appliance.api.get("TLSRoute", route, INFRA)["spec"]["hostnames"][0])


@conformance.test("TLSRouteInvalidReferenceGrant")
def tls_route_invalid_reference_grant(l):
    with applied(l, "tlsroute-invalid-reference-grant"):
        route, gateway = "TLSRoute:gateway-conformance-infra-test", "gateway-tlsroute-referencegrant"
        conformance.accepted(l, gateway, route, are_resolved=False)
        conformance.has_condition(l, route, gateway, "ResolvedRefs", "False", "RefNotPermitted")


@conformance.test("TLSRouteInvalidNoMatchingListenerHostname")
def tls_route_invalid_no_matching_listener_hostname(l):
    with applied(l, "tlsroute-invalid-no-matching-listener-hostname"):
        for number, gateway in ((1, "exact"), (2, "wildcard")):
            conformance.is_refused(l, f"TLSRoute:tlsroute-hostname-mismatch-{number}",
                                   f"gateway-tls-{gateway}-hostname", "NoMatchingListenerHostname")


@conformance.test("TLSRouteInvalidNoMatchingListener")
def tls_route_invalid_no_matching_listener(l):
    with applied(l, "tlsroute-invalid-no-matching-listener"):
        for protocol in ("http", "https"):
            conformance.is_refused(l, f"TLSRoute:tlsroute-not-allowed-protocol-{protocol}",
                                   f"gateway-tlsroute-{protocol}-only", "NotAllowedByListeners")
        conformance.has_condition(l, "TLSRoute:tlsroute-no-matching-section-name",
                                  "gateway-tlsroute-tls-passthrough-only", "Accepted", "False", "NoMatchingParent")


@conformance.test("TLSRouteListenerPassthroughSupportedKinds")
def tls_route_listener_passthrough_supported_kinds(l):
    with applied(l, "tlsroute-listener-passthrough-supported-kinds"):
        is_listener(l, "gateway-tlsroute-passthrough-supported-kind", "tls-passthrough", ["TLSRoute"],
                    ResolvedRefs=("False", "InvalidRouteKinds"))


@conformance.test("TLSRouteListenerTerminateSupportedKinds")
def tls_route_listener_terminate_supported_kinds(l):
    with applied(l, "tlsroute-listener-terminate-supported-kinds"):
        is_listener(l, "gateway-tlsroute-terminate-supported", "tls-terminate", ["TLSRoute"],
                    Accepted=("True", "Accepted"))


@conformance.test("TLSRouteListenerTerminateNotSupported")
def tls_route_listener_terminate_not_supported(l):
    """Of those who can: it is."""
    with applied(l, "tlsroute-listener-terminate-not-supported"):
        is_listener(l, "gateway-tlsroute-terminate-unsupported", "tls-terminate", ["TLSRoute"],
                    Accepted=("True", "Accepted"))


@conformance.test("TLSRouteListenerMixedTerminationNotSupported")
def tls_route_listener_mixed_termination_not_supported(l):
    """Likewise."""
    with applied(l, "tlsroute-listener-mixed-termination-not-supported"):
        for name in ("tls-terminate", "tls-passthrough"):
            is_listener(l, "gateway-tlsroute-mixed-termination-not-supported", name, ["TLSRoute"],
                        Accepted=("True", "Accepted"))


@conformance.test("TCPRouteInvalidBackendRefNonexistent")
def tcp_route_invalid_backend_ref_nonexistent(l):
    with applied(l, "tcproute-invalid-backendref-nonexistent"):
        conformance.has_condition(l, "TCPRoute:tcp-route-invalid-backend-ref-nonexistent",
                                  "tcp-gateway-invalid-backend", "ResolvedRefs", "False", "BackendNotFound")


@conformance.test("TCPRouteInvalidCrossNamespaceBackendRef")
def tcp_route_invalid_cross_namespace_backend_ref(l):
    with applied(l, "tcproute-invalid-cross-namespace-backend-ref"):
        route, gateway = ("TCPRoute:tcp-invalid-cross-namespace-backend-ref",
                          "tcp-invalid-cross-namespace-backend-ref-gateway")
        conformance.accepted(l, gateway, route, are_resolved=False)
        conformance.has_condition(l, route, gateway, "ResolvedRefs", "False", "RefNotPermitted")


@conformance.test("TCPRouteInvalidNonTCPListener")
def tcp_route_invalid_non_tcp_listener(l):
    with applied(l, "tcproute-invalid-non-tcp-listener"):
        conformance.is_refused(l, "TCPRoute:tcp-route", "tcp-mixed-protocol-gateway", "NotAllowedByListeners")


@conformance.test("TCPRouteMultipleRoutesAttachment")
def tcp_route_multiple_routes_attachment(l):
    with applied(l, "tcproute-multiple-routes-attachment"):
        gateway = "tcp-multi-route-attach-gateway"
        address = conformance.accepted(l, gateway, "TCPRoute:tcproute-attach-older")
        time.sleep(1.1)  # an object's age is told in whole seconds
        newer = objects.route(INFRA, "tcproute-attach-newer", [{"name": gateway, "sectionName": "tcp"}],
                              [objects.to("tcp-attach-backend-2", port=3000)])
        l.appliance.api.put({**newer, "kind": "TCPRoute"})
        conformance.accepted(l, gateway, "TCPRoute:tcproute-attach-newer")
        is_listener(l, gateway, "tcp", ["TCPRoute"], Accepted=("True", "Accepted"))
        assert listener_of(l, gateway, "tcp")[2] == 2
        talks(l, address, 9310, "tcp-attach-backend-1")
        assert set(pods_of(l, address, 9310, 100)) == {"tcp-attach-backend-1-lab-1"}
        l.appliance.api.delete("TCPRoute", "tcproute-attach-newer", INFRA)


def pods_of(l, address, port, n):
    """{pod: how many of n connections it got}"""
    found = collections.Counter()
    for _ in range(n):
        with Talk(l, address, port) as t:
            found[json.loads(t.ask("TEST"))["pod"]] += 1
    return found


@conformance.test("TCPRouteWeightedRouting")
def tcp_route_weighted_routing(l):
    with applied(l, "tcproute-weighted-routing"):
        address = conformance.accepted(l, "tcp-weighted-gateway", "TCPRoute:tcp-weighted-route")
        suite.eventually(lambda: pods_of(l, address, 9300, 1), "it serves")

        def is_right():
            """A hash decides of each connection, so that two hundred of them are five points off now and then."""
            found = pods_of(l, address, 9300, REQUESTS)
            assert set(found) == {"tcp-backend-v1-lab-1", "tcp-backend-v2-lab-1"}, found
            return abs(found["tcp-backend-v1-lab-1"] / REQUESTS - 0.7) < 0.05
        suite.eventually(is_right, "seven of ten go to the first", 20)


def port_of(l, gateway, listener):
    listeners = l.appliance.api.get("Gateway", gateway, INFRA)["spec"]["listeners"]
    return next(x["port"] for x in listeners if x["name"] == listener)


@conformance.test("TCPRouteParentRefAttachAll")
def tcp_route_parent_ref_attach_all(l):
    with applied(l, "tcproute-parentref-attach-all"):
        gateway = "tcp-attach-all-gateway"
        address = conformance.accepted(l, gateway, "TCPRoute:tcp-route-attach-all")
        for listener in ("one", "two", "three", "four"):
            talks(l, address, port_of(l, gateway, listener), "tcp-echo-attach-all")


@conformance.test("TCPRouteParentRefPortAndSectionName")
def tcp_route_parent_ref_port_and_section_name(l):
    with applied(l, "tcproute-parentref-port-and-section-name"):
        gateway = "tcp-multi-listener-gateway"
        for route, listener in (("by-port", "one"), ("by-section", "two"), ("by-section-and-port", "three")):
            address = conformance.accepted(l, gateway, f"TCPRoute:tcp-route-{route}")
            talks(l, address, port_of(l, gateway, listener), f"tcp-echo-{listener}")


@conformance.test("TCPRouteReferenceGrant")
def tcp_route_reference_grant(l):
    with applied(l, "tcproute-reference-grant"):
        gateway, route = "tcp-reference-grant-gateway", "TCPRoute:tcp-reference-grant"
        address = conformance.accepted(l, gateway, route)
        talks(l, address, port_of(l, gateway, "tcp"), "tcp-reference-grant-backend", namespace=WEB)
        l.appliance.api.delete("ReferenceGrant", "tcp-reference-grant", WEB)
        conformance.has_condition(l, route, gateway, "ResolvedRefs", "False", "RefNotPermitted")
