# SPDX-License-Identifier: Apache-2.0
"""Gateway API's conformance suite on our lab: its manifests over our API, its echo server as the pods, the ideas of its
tests on the wire. The manifests come from the suite's module (tests/peers/conformance); what its tests expect
is written again in test_conformance_*.py, a function a test:

    @conformance.test("HTTPRouteMatching")
    def httproute_matching(l): ...
"""
import contextlib
import os
import re
import ssl
import sys

import certs
import lab as labs
import objects
import pods
import suite
from conformance_names import INFRA, NOT_YET

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import build  # noqa: E402 (its folder is known only now)

CLASS = "foo-lb"  # of docs/examples/appliance.yaml
CONTROLLER = "sluice.internal/gateway-controller"
GROUP = "gateway.networking.k8s.io"
STATUS_S = 30
HTTPS_GATEWAY = "same-namespace-with-https-listener"


def name_of(short_name):
    """What the test of that name is called here."""
    kind, rest = re.fullmatch("(HTTPRoute|GRPCRoute|)(.*)", short_name).groups()
    words = re.findall(r"[A-Z0-9]+(?![a-z])|[A-Z][a-z]+", rest)
    return "_".join(w.lower() for w in [kind, *words] if w)


def test(short_name, rows="S4"):
    """Marks the test of the suite's test `short_name`. It runs unless NOT_YET has it."""
    def mark(function):
        assert function.__name__ == name_of(short_name), f"{function.__name__}: not {name_of(short_name)}"
        function.short_name = short_name
        return function if short_name in NOT_YET else suite.test(rows)(function)
    return mark


def text_of(path):
    """A file of the suite, ready to apply."""
    with open(os.path.join(build.suite_files(), path), encoding="utf-8") as f:
        return f.read().replace("{GATEWAY_CLASS_NAME}", CLASS)


def lab(name, protocol="http"):
    """A lab with a backend namespace for each pod that speaks the protocol."""
    wanted = pods.deployments(text_of("base/manifests.yaml"), protocol)
    return labs.Lab(f"conformance-{name}", backends=sum(d.replicas for d in wanted))


def prepare(l, protocol="http"):
    """Both programs, the base manifests, and these pods; `l.vips` are the base Gateways' addresses."""
    base = text_of("base/manifests.yaml")
    l.pods = pods.Pods(l, build.build("conformance"), pods.deployments(base, protocol))
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    apply(l, "base", [d for d in pods.documents(base) if pods.kind_of(d) != "Deployment"])
    l.vips = {name: objects.gateway_address(l, INFRA, name)
              for name in ("same-namespace", "all-namespaces", "backend-namespaces")}


def apply(l, name, documents):
    """Applies the documents and what a cluster makes of them; returns the file, and the objects that we added."""
    path = os.path.join(l.dir, f"{name}.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n---\n".join(documents))
    l.appliance.apply(path)
    slices = [l.pods.slice_of(l.appliance.api.get("Service", pods.field(d, "name"), pods.field(d, "namespace")))
              for d in documents if pods.kind_of(d) == "Service"]
    slices = [s for s in slices if s]
    for s in slices:
        l.appliance.api.put(s)
    return path, slices


@contextlib.contextmanager
def applied(l, name, kind="httproute-"):
    """The suite's tests/httproute-NAME.yaml (or of another kind), until the block ends."""
    documents = [d for d in pods.documents(text_of(f"tests/{kind}{name}.yaml")) if pods.kind_of(d) != "Deployment"]
    path, slices = apply(l, name, documents)
    try:
        yield
    finally:
        for s in slices:
            l.appliance.api.delete("EndpointSlice", s["metadata"]["name"], s["metadata"]["namespace"])
        l.appliance.ctl("delete", "--ignore-not-found", "-f", path)


def split(route):
    """("Kind", "namespace", "name") of "Kind:namespace/name"; kind and namespace may be left out."""
    kind, _, full = route.rpartition(":")
    namespace, _, name = full.rpartition("/")
    return kind or "HTTPRoute", namespace or INFRA, name


def parents(l, route):
    """What we say in the route's status about its parents; AssertionError while it is not about its current spec."""
    kind, namespace, name = split(route)
    found = l.appliance.api.get(kind, name, namespace)
    ours = [p for p in found["status"].get("parents", []) if p["controllerName"] == CONTROLLER]
    for parent in ours:
        are_current(found, parent["conditions"])
    return ours


def are_current(of, conditions):
    late = [c["type"] for c in conditions if c["observedGeneration"] != of["metadata"]["generation"]]
    assert not late, f"{late} are of another generation"


def of_conditions(conditions):
    return {c["type"]: (c["status"], c["reason"]) for c in conditions}


def conditions_of(l, route, parent, section=None):
    """{type: (status, reason)} that the route has at the Gateway (or "ListenerSet:NAME"), by this section when there is
    one to name."""
    kind, _, name = parent.rpartition(":")
    wanted = {"group": GROUP, "kind": kind or "Gateway", "name": name}  # the suite wants all in a parentRef
    of_parent = [p for p in parents(l, route) if {**p["parentRef"], **wanted} == p["parentRef"] and
                 section in (None, p["parentRef"].get("sectionName"))]
    return of_conditions(of_parent[0]["conditions"])


def has_condition(l, route, gateway, kind, status, reason, section=None):
    """Waits until it has."""
    suite.eventually(lambda: conditions_of(l, route, gateway, section)[kind] == (status, reason),
                     f"{route} at {gateway}: {kind}={status}, {reason}", STATUS_S)


def has_resolved_refs(l, route, gateway, section=None):
    has_condition(l, route, gateway, "ResolvedRefs", "True", "ResolvedRefs", section)


def accepted(l, gateway, *routes, sections=(None,), are_resolved=True):
    """Waits until the Gateway has an address and takes the routes, by each of the sections; the address."""
    address = l.vips.get(gateway) or objects.gateway_address(l, INFRA, gateway)
    for route in routes:
        for section in sections:
            has_condition(l, route, gateway, "Accepted", "True", "Accepted", section)
            if are_resolved:
                has_resolved_refs(l, route, gateway, section)
    return address


def server_context(l):
    """Puts the certificate that the suite's HTTPS listeners show, with the names that the suite's has; what a client
    of them trusts."""
    authority = certs.Authority(l.dir, "suite")
    names = ("example.org", "second-example.org", "third-example.wildcard.org", "fourth-example.wildcard.org", "*.org")
    l.appliance.api.put(objects.tls_secret(INFRA, "tls-validity-checks-certificate", *authority.server("org", *names)))
    context = ssl.create_default_context(cafile=authority.ca)
    context.check_hostname = False  # names of two labels below the wildcard are asked for, too
    return context


def https(l, *routes):
    """Waits until the HTTPS Gateway takes the routes; its address, and what a client trusts."""
    context = server_context(l)
    return accepted(l, HTTPS_GATEWAY, *routes), context


def is_refused(l, route, gateway, reason):
    """The route is not accepted by its only parent, and the Gateway has at most one listener, without routes."""
    has_condition(l, route, gateway, "Accepted", "False", reason)
    assert len(parents(l, route)) == 1, parents(l, route)
    found = l.appliance.api.get("Gateway", gateway, INFRA)
    are_current(found, found["status"]["conditions"])
    assert [x["attachedRoutes"] for x in found["status"].get("listeners", [])] in ([], [0]), found["status"]
