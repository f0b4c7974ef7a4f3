# SPDX-License-Identifier: Apache-2.0
"""Conformance: UDPRoutes. The pods are the suite's echo servers of datagrams, and dnsmasq in the place of CoreDNS."""
import collections
import json
import socket
import time

import conformance
import lab as labs
import objects
import pods
import suite
from conformance_names import APP, INFRA

DNS = "udp"  # as the suite calls the name server's pods
GRANTED = "udp-echo-reference-grant"
ECHOES = ("udp-attach-backend-1", "udp-attach-backend-2", "udp-echo-attach-all", "udp-echo-by-port",
          "udp-echo-by-section", "udp-echo-by-section-and-port", "udp-backend-v1", "udp-backend-v2", "udp-backend-v3",
          GRANTED)
PORT = 8080   # of the echo servers
WAIT_S = 2    # as the suite's clients
REQUESTS = 200


class Pods(pods.Pods):
    """A pod for each of these."""

    def __init__(self, l, program):
        self.lab = l
        self.addresses, self.names = {}, {}
        for number, name in enumerate(ECHOES, 1):
            namespace = APP if name == GRANTED else INFRA
            self.addresses[namespace, name] = [number]
            l.start(name, f"backend-{number}", program, environment={
                "UDP_ECHO_SERVER": "1", "POD_NAME": f"{name}-lab-1", "NAMESPACE": namespace, "SERVICE_NAME": name})
            suite.eventually(lambda n=number: self.echo(f"backend-{n}", "127.0.0.1", PORT), f"{name} answers",
                             pods.READY_S)
        number = len(ECHOES) + 1
        self.addresses[INFRA, DNS] = [number]
        l.start("dnsmasq", f"backend-{number}", "/usr/sbin/dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null",
                "--pid-file=", "--no-resolv", "--no-hosts", "--user=root", "--log-facility=-",
                "--host-record=foo.bar.com,192.0.2.7")

    def echo(self, where, address, port):
        """What the one who answers says of itself; None: nobody does."""
        def ask():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(WAIT_S)
                s.connect((address, port))
                s.send(b"a question\n")
                return s.recv(4096)
        try:
            return json.loads(self.lab[where].inside(ask))
        except OSError:
            return None


def lab():
    return labs.Lab("conformance-udp", backends=len(ECHOES) + 1)


def prepare(l):
    l.pods = Pods(l, conformance.build.build("conformance"))
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    base = pods.documents(conformance.text_of("base/manifests.yaml"))
    conformance.apply(l, "base", [d for d in base if pods.kind_of(d) != "Deployment"])
    l.vips = {}


def applied(l, name):
    return conformance.applied(l, name, kind="udproute-")


def echo(l, address, port):
    return l.pods.echo("client", address, port)


def answers(l, address, port, backend, namespace=INFRA):
    """Waits until a datagram is answered by that backend's pod."""
    def is_right():
        said = echo(l, address, port)
        return said and (said["service"], said["namespace"], said["pod"]) == (backend, namespace, f"{backend}-lab-1")
    suite.eventually(is_right, f"{backend} answers at port {port}", conformance.STATUS_S)


def port_of(l, gateway, listener):
    listeners = l.appliance.api.get("Gateway", gateway, INFRA)["spec"]["listeners"]
    return next(x["port"] for x in listeners if x["name"] == listener)


def has_listener(l, gateway, name, n_routes):
    """Waits until the listener is good, takes UDPRoutes, and has so many."""
    def has():
        found = l.appliance.api.get("Gateway", gateway, INFRA)
        listener = next(x for x in found["status"]["listeners"] if x["name"] == name)
        conformance.are_current(found, listener["conditions"])
        conditions = {c["type"]: c["status"] for c in listener["conditions"]}
        kinds = [k["kind"] for k in listener["supportedKinds"]]
        return (conditions["Accepted"], conditions["ResolvedRefs"], kinds, listener["attachedRoutes"]) == (
            "True", "True", ["UDPRoute"], n_routes)
    suite.eventually(has, f"{gateway}/{name} has {n_routes} routes", conformance.STATUS_S)


@conformance.test("UDPRoute")
def udp_route(l):
    with applied(l, "simple"):
        address = conformance.accepted(l, "udp-gateway", "UDPRoute:udp-coredns")

        def answered():
            done = l["client"].run("dig", f"@{address}", "-p", "5300", "+tries=1", "+timeout=2", "+short",
                                   "foo.bar.com.")
            return done.stdout.strip() == "192.0.2.7"
        suite.eventually(answered, "the name server answers", conformance.STATUS_S)


@conformance.test("UDPRouteInvalidBackendRefNonexistent")
def udp_route_invalid_backend_ref_nonexistent(l):
    with applied(l, "invalid-backendref-nonexistent"):
        conformance.has_condition(l, "UDPRoute:udp-route-invalid-backend-ref-nonexistent",
                                  "udp-gateway-invalid-backend", "ResolvedRefs", "False", "BackendNotFound")


@conformance.test("UDPRouteInvalidCrossNamespaceBackendRef")
def udp_route_invalid_cross_namespace_backend_ref(l):
    with applied(l, "invalid-cross-namespace-backend-ref"):
        route, gateway = ("UDPRoute:udp-route-invalid-cross-namespace-backend-ref",
                          "udp-gateway-invalid-cross-namespace-backend-ref")
        conformance.accepted(l, gateway, route, are_resolved=False)
        conformance.has_condition(l, route, gateway, "ResolvedRefs", "False", "RefNotPermitted")


@conformance.test("UDPRouteMultipleRoutesAttachment")
def udp_route_multiple_routes_attachment(l):
    with applied(l, "multiple-routes-attachment"):
        gateway = "udp-multi-route-attach-gateway"
        address = conformance.accepted(l, gateway, "UDPRoute:udproute-attach-older")
        time.sleep(1.1)  # an object's age is told in whole seconds
        newer = objects.route(INFRA, "udproute-attach-newer", [{"name": gateway, "sectionName": "udp"}],
                              [objects.to("udp-attach-backend-2", port=PORT)])
        l.appliance.api.put({**newer, "kind": "UDPRoute"})
        conformance.accepted(l, gateway, "UDPRoute:udproute-attach-newer")
        has_listener(l, gateway, "udp", 2)
        answers(l, address, 5301, "udp-attach-backend-1")
        assert {echo(l, address, 5301)["pod"] for _ in range(20)} == {"udp-attach-backend-1-lab-1"}
        l.appliance.api.delete("UDPRoute", "udproute-attach-newer", INFRA)


@conformance.test("UDPRouteNotAllowedByListeners")
def udp_route_not_allowed_by_listeners(l):
    with applied(l, "not-allowed-by-listeners"):
        conformance.is_refused(l, "UDPRoute:udproute-not-allowed-by-listeners", "udproute-tls-only-gateway",
                               "NotAllowedByListeners")


@conformance.test("UDPRouteParentRefAttachAllListeners")
def udp_route_parent_ref_attach_all_listeners(l):
    with applied(l, "parentref-attach-all-listeners"):
        gateway = "udp-attach-all-listeners-gateway"
        address = conformance.accepted(l, gateway, "UDPRoute:udp-route-attach-all")
        for listener in ("udp-1", "udp-2", "udp-3"):
            has_listener(l, gateway, listener, 1)
            answers(l, address, port_of(l, gateway, listener), "udp-echo-attach-all")


@conformance.test("UDPRouteParentRefPortAndSectionName")
def udp_route_parent_ref_port_and_section_name(l):
    with applied(l, "parentref-port-and-section-name"):
        gateway = "udp-multi-listener-gateway"
        for name in ("by-port", "by-section", "by-section-and-port"):
            address = conformance.accepted(l, gateway, f"UDPRoute:udp-route-{name}")
            answers(l, address, port_of(l, gateway, name), f"udp-echo-{name}")


@conformance.test("UDPRouteReferenceGrant")
def udp_route_reference_grant(l):
    with applied(l, "reference-grant"):
        gateway, route = "udp-gateway-reference-grant", "UDPRoute:udp-route-reference-grant"
        address = conformance.accepted(l, gateway, route)
        answers(l, address, 5300, GRANTED, namespace=APP)
        l.appliance.api.delete("ReferenceGrant", "udp-reference-grant", APP)
        conformance.has_condition(l, route, gateway, "ResolvedRefs", "False", "RefNotPermitted")


@conformance.test("UDPRouteWeightedRouting")
def udp_route_weighted_routing(l):
    with applied(l, "weighted-routing"):
        address = conformance.accepted(l, "udp-weighted-gateway", "UDPRoute:udp-weighted-route")
        suite.eventually(lambda: echo(l, address, 5300), "it serves", conformance.STATUS_S)

        def is_right():
            """A hash decides of each flow, so that now and then two hundred of them are further off."""
            found = collections.Counter(echo(l, address, 5300)["service"] for _ in range(REQUESTS))
            assert set(found) == {"udp-backend-v1", "udp-backend-v2"}, found
            return abs(found["udp-backend-v1"] / REQUESTS - 0.7) < 0.08
        suite.eventually(is_right, "seven of ten go to the first", 20)
