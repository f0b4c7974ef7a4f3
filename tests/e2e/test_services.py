# SPDX-License-Identifier: Apache-2.0
"""Services as parents, beyond the suite: by both families, by clients of several namespaces, by routes of several
kinds, and what becomes of traffic when what decides about it goes."""
import json
import os
import socket
import sys

import conformance
import mesh
import objects
import pods
import suite
from exchange import Case, expect
from mesh import CONSUMER, MESH, V1, V2

DATAGRAMS = 5300
SERVICE = {"group": "", "kind": "Service", "namespace": MESH}


def lab():
    return mesh.lab("services")


def prepare(l):
    mesh.prepare(l)
    l["client"].ip("route", "add", f"{mesh.SERVICES4}.0/24", "via", "198.18.0.1")


def answers(header=None, backend=V1, **more):
    """Echo answers, with X-By as a route sets it; without one no route did."""
    said = {"answer": {"X-By": header}} if header else {"answer_absent": ("X-By",)}
    return Case("/", backend, namespace=MESH, **said, **more)


def marked(header, backend=V1, port=80):
    """A rule to a Service of MESH whose answers show that they came by it."""
    return {"filters": [{"type": "ResponseHeaderModifier",
                         "responseHeaderModifier": {"set": [{"name": "X-By", "value": header}]}}],
            "backendRefs": [{"name": backend, "namespace": MESH, "port": port}]}


def route(namespace, name, *rules, kind="HTTPRoute", service=V1, **parent):
    return {**objects.route(namespace, name, [{**SERVICE, "name": service, **parent}], list(rules)), "kind": kind}


class Applied:
    """The objects, until the block ends."""

    def __init__(self, l, *put):
        self.api, self.put = l.appliance.api, put

    def __enter__(self):
        for o in self.put:
            self.api.put(o)

    def __exit__(self, *_):
        for o in self.put:
            self.api.delete(o["kind"], o["metadata"]["name"], o["metadata"].get("namespace"))


@suite.test("S21")
def clients_of_a_namespace_get_its_routes_and_all_others_those_of_the_service(l):
    address = l.services[MESH, V1][0]
    with Applied(l, route(MESH, "producer", marked("producer")), route(CONSUMER, "consumer", marked("consumer", V2))):
        expect(l.consumer, address, answers("consumer", V2))
        expect(l.v1, address, answers("producer"))
        expect(l, address, answers("producer"))  # a client that is no pod at all


@suite.test("S21")
def a_consumer_with_a_route_gets_nothing_of_the_services_own(l):
    address = l.services[MESH, V2][0]  # that of no other test: what goes there answers 404, too
    only = objects.matching({"path": {"value": "/mine"}}, marked("consumer"))
    with Applied(l, route(MESH, "producer", marked("producer", V2), service=V2),
                 route(CONSUMER, "consumer", only, service=V2, port=80)):
        expect(l.consumer, address, Case("/", status=404, is_echoed=False))
        expect(l.v1, address, answers("producer", V2))
        expect(l.consumer, address, answers("producer", V2), port=8080)  # where it has none


@suite.test("S21")
def by_either_family(l):
    v6 = l.services[MESH, V1][1]
    slice6 = l.pods.slice_of(mesh.ALL_PODS, family=6)
    with Applied(l, route(MESH, "producer", marked("producer")), route(CONSUMER, "consumer", marked("consumer")),
                 slice6):
        expect(l.consumer, v6, answers("consumer", host="echo"))
        expect(l.v1, v6, answers("producer", host="echo"))
    expect(l.v1, l.services[MESH, "echo"][1], Case("/", namespace=MESH, host="echo"))  # no route, endpoints of IPv4


@suite.test("S21")
def who_is_no_pod_of_the_namespace_any_more_gets_what_all_others_get(l):
    address = l.services[MESH, V1][0]
    with Applied(l, route(CONSUMER, "consumer", marked("consumer"))):
        expect(l.consumer, address, answers("consumer"))
        known = l.pods.slice_of(mesh.ALL_PODS)
        l.appliance.api.delete("EndpointSlice", known["metadata"]["name"], CONSUMER)
        expect(l.consumer, address, answers())
        l.appliance.api.put(known)
        expect(l.consumer, address, answers("consumer"))


@suite.test("S21")
def a_port_may_be_of_requests_for_some_and_of_connections_for_others(l):
    address = l.services[MESH, V1][0]
    to_v2 = {"backendRefs": [{"name": V2, "namespace": MESH, "port": 80}]}
    tcp = route(CONSUMER, "consumer", to_v2, kind="TCPRoute", port=80)
    with Applied(l, route(MESH, "producer", marked("producer")), tcp):
        expect(l.consumer, address, answers(backend=V2, seen_absent=("X-Forwarded-For",)))
        expect(l.v1, address, answers("producer"))


def of_datagrams(number):
    """A Service of MESH with a port of UDP, and its only endpoint, pod `number`."""
    name = f"datagrams-{number}"
    service = {"apiVersion": "v1", "kind": "Service",
               "metadata": {"namespace": MESH, "name": name, "labels": mesh.PROXY_LABEL},
               "spec": {"clusterIP": f"{mesh.SERVICES4}.{100 + number}",
                        "ports": [{"name": "udp", "port": 53, "protocol": "UDP", "targetPort": DATAGRAMS}]}}
    return [service, pods.slice_with(service, [{"addresses": [mesh.labs.backend_address(number)]}])]


def asked(where, address):
    """Who answers a datagram that comes from there; None: nobody."""
    def ask():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(1)
            s.sendto(b"who", (address, 53))
            return s.recv(4096).split()[0].decode()
    try:
        return where["client"].inside(ask)
    except OSError:
        return None


@suite.test("S21")
def datagrams_go_to_the_endpoints_or_where_routes_of_the_client_say(l):
    for number in (1, 2):
        l.start(f"datagrams-{number}", f"backend-{number}", sys.executable,
                os.path.join(mesh.labs.TOP, "tests", "lab", "datagrams.py"), f"pod-{number}", str(DATAGRAMS))
    address = f"{mesh.SERVICES4}.102"
    to_first = {"backendRefs": [{"name": "datagrams-1", "namespace": MESH, "port": 53}]}
    udp = route(CONSUMER, "consumer", to_first, kind="UDPRoute", service="datagrams-2")
    with Applied(l, *of_datagrams(1), *of_datagrams(2)):
        suite.eventually(lambda: asked(l.v1, address) == "pod-2", "pod-2 answers")
        suite.eventually(lambda: asked(l.consumer, address) == "pod-2", "pod-2 answers")
        with Applied(l, udp):
            suite.eventually(lambda: asked(l.consumer, address) == "pod-1", "pod-1 answers")
            assert asked(l.v1, address) == "pod-2"


def accepted(l, kind, namespace, name, service):
    return mesh.parent_of(l, kind, namespace, name, service)["Accepted"]


def becomes(l, wanted, *which):
    suite.eventually(lambda: accepted(l, *which) == wanted, f"{which} is {wanted}", conformance.STATUS_S)


@suite.test("S21")
def kinds_do_not_share_a_port(l):
    grpc = route(MESH, "calls", {"backendRefs": [{"name": V1, "port": 7070}]}, kind="GRPCRoute", port=7070)
    http = route(MESH, "requests", marked("producer"), port=7070)
    with Applied(l, grpc, http):
        becomes(l, ("True", "Accepted"), "GRPCRoute", MESH, "calls", V1)
        becomes(l, ("False", "Conflicted"), "HTTPRoute", MESH, "requests", V1)
        l.appliance.api.delete("GRPCRoute", "calls", MESH)
        becomes(l, ("True", "Accepted"), "HTTPRoute", MESH, "requests", V1)
        l.appliance.api.put(grpc)


@suite.test("S21")
def a_headless_service_is_no_parent(l):
    headless = {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": MESH, "name": "headless"},
                "spec": {"clusterIP": "None", "clusterIPs": ["None"], "ports": [{"port": 80}]}}
    with Applied(l, headless, route(MESH, "to-headless", marked("producer"), service="headless")):
        becomes(l, ("False", "NoMatchingParent"), "HTTPRoute", MESH, "to-headless", "headless")


@suite.test("S21")
def explain_says_whose_routes_a_client_gets(l):
    address = l.services[MESH, V1][0]
    with Applied(l, route(MESH, "producer", marked("producer")), route(CONSUMER, "consumer", marked("consumer"))):
        expect(l.consumer, address, answers("consumer"))

        def told(number):
            said = l.appliance.api.call("POST", "/apis/sluice.internal/v1/explain",
                                        {"spec": {"url": "http://echo/", "address": address,
                                                  "client": mesh.labs.backend_address(number)}})
            return said["status"]["route"], said["status"].get("clientNamespace")
        assert told(3) == (f"{CONSUMER}/consumer", CONSUMER), json.dumps(told(3))
        assert told(1) == (f"{MESH}/producer", None), json.dumps(told(1))


@suite.test("S21")
def nothing_is_answered_for_without_a_pool_of_the_addresses(l):
    address = l.services[MESH, "echo"][0]
    expect(l.v1, address, Case("/", namespace=MESH))
    with Applied(l, route(MESH, "producer", marked("producer"))):
        becomes(l, ("True", "Accepted"), "HTTPRoute", MESH, "producer", V1)
        l.appliance.api.delete("AddressPool", "cluster")

        def is_silent():
            try:
                l.v1["client"].connect(address, 80, timeout=0.3).close()
                return False
            except OSError:
                return True
        suite.eventually(is_silent, "nobody answers at the clusterIP")
        suite.eventually(lambda: conformance.parents(l, f"{MESH}/producer") == [], "the status says nothing of it")
        l.appliance.api.put(mesh.pool())
        expect(l.v1, address, Case("/", namespace=MESH))
