# SPDX-License-Identifier: Apache-2.0
"""Routes attached to Services, on our lab: the mesh of Gateway API's conformance suite. Each of its pods is a backend
namespace with the suite's echo server, and a client, too: its way to the clusterIPs leads by the appliance."""
import os
import re

import conformance
import lab as labs
import pods
import suite

MESH, CONSUMER = "gateway-conformance-mesh", "gateway-conformance-mesh-consumer"
V1, V2 = "echo-v1", "echo-v2"
PODS = [(MESH, V1, "v1"), (MESH, V2, "v2"), (CONSUMER, V1, "v1")]  # namespace, Deployment, label; backend-1..
SERVICES4, SERVICES6 = "203.0.113", "2001:db8:5"
WAY4, WAY6 = f"{labs.BACK4}.1", f"{labs.BACK6}::1"  # the appliance's, at the pods' side
HTTP, GRPC = 8080, 7070  # where the echo servers of a pod listen
PROXY_LABEL = {"service.kubernetes.io/service-proxy-name": "sluice.internal"}
# The suite's consumer namespace has a pod that no Service selects: this one makes it known.
ALL_PODS = {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": CONSUMER, "name": "all-pods"},
            "spec": {"clusterIP": "None", "clusterIPs": ["None"], "selector": {"app": "echo"},
                     "ports": [{"port": HTTP}]}}
READY_S = 20


def pool(name="cluster", **more):
    """That the clusterIPs are ours to answer for."""
    return {"apiVersion": "sluice.internal/v1", "kind": "AddressPool", "metadata": {"name": name},
            "spec": {"addresses": [f"{SERVICES4}.0/24", f"{SERVICES6}::/64"], "use": "Services", **more}}


class Pods:
    """The pods; `lab` has a backend namespace for each."""

    def __init__(self, lab, program):
        self.lab = lab
        started = []
        for number, (namespace, name, _) in enumerate(PODS, 1):
            where = lab[f"backend-{number}"]
            where.ip("route", "add", f"{SERVICES4}.0/24", "via", WAY4)
            where.ip("-6", "route", "add", f"{SERVICES6}::/64", "via", WAY6)
            environment = {"POD_NAME": f"{name}-lab-1", "NAMESPACE": namespace}
            for port, more in ((HTTP, {}), (GRPC, {pods.GRPC: "1"})):
                process = lab.start(f"{namespace}-{name}-{port}", where.name, program,
                                    environment={**environment, **more, "HTTP_PORT": str(port)})
                started.append((process, where, port))
        for process, where, port in started:
            process.wait_ready(lambda where=where, port=port: is_listening(where, port), f"port {port}", READY_S)

    def slice_of(self, service, family=4):
        """The EndpointSlice that a cluster makes of the Service; None: it selects no pod."""
        selector = service["spec"].get("selector", {})
        endpoints = [{"addresses": [labs.backend_address(n, family)], "conditions": {"ready": True},
                      "targetRef": {"kind": "Pod", "namespace": namespace, "name": f"{name}-lab-1"}}
                     for n, (namespace, name, version) in enumerate(PODS, 1)
                     if namespace == service["metadata"]["namespace"] and selector and
                     selector.items() <= {"app": "echo", "version": version}.items()]
        return pods.slice_with(service, endpoints, family)


def is_listening(where, port):
    try:
        where.connect("127.0.0.1", port, timeout=1).close()
        return True
    except OSError:
        return False


class From:
    """The lab as a pod sees it: `client` is the pod's namespace, by its number in PODS."""

    def __init__(self, lab, number):
        self.lab, self.number = lab, number

    def __getitem__(self, name):
        return self.lab[f"backend-{self.number}" if name == "client" else name]

    def __getattr__(self, name):
        return getattr(self.lab, name)


def with_addresses(documents):
    """The Services get what an API server gives them, and the label by which kube-proxy leaves them to us; the
    documents, and {(namespace, name): (IPv4, IPv6)}."""
    made, addresses = [], {}
    for document in documents:
        if pods.kind_of(document) == "Service":
            n = len(addresses) + 1
            both = (f"{SERVICES4}.{n}", f"{SERVICES6}::{n:x}")
            addresses[pods.field(document, "namespace"), pods.field(document, "name")] = both
            document = re.sub(r"^spec:\n", f"spec:\n  clusterIP: {both[0]}\n  clusterIPs: [{both[0]}, '{both[1]}']\n",
                              document, flags=re.MULTILINE)
            label = "".join(f"    {name}: {value}\n" for name, value in PROXY_LABEL.items())
            document = re.sub(r"^metadata:\n", f"metadata:\n  labels:\n{label}", document, flags=re.MULTILINE)
        made.append(document)
    return made, addresses


def lab(name):
    return labs.Lab(f"mesh-{name}", backends=len(PODS))


def prepare(l):
    """Both programs, the pods, and the suite's mesh; `l.services` are the clusterIPs, `l.v1` and `l.consumer` the lab
    as a pod of either namespace sees it."""
    l.pods = Pods(l, conformance.build.build("conformance"))
    l.appliance.start()
    l.appliance.apply(os.path.join(labs.EXAMPLES, "appliance.yaml"))
    l.appliance.api.put(pool())
    documents = pods.documents(conformance.text_of("mesh/manifests.yaml"))
    documents, l.services = with_addresses([d for d in documents if pods.kind_of(d) != "Deployment"])
    conformance.apply(l, "mesh", documents)
    for o in (ALL_PODS, l.pods.slice_of(ALL_PODS)):
        l.appliance.api.put(o)
    l.v1, l.consumer = From(l, 1), From(l, 3)


def applied(l, name):
    """The suite's tests/mesh/NAME.yaml, until the block ends."""
    return conformance.applied(l, name, "mesh/")


def parent_of(l, kind, namespace, name, service):
    """What the route's status says of the Service: {type: (status, reason)}."""
    found = conformance.parents(l, f"{kind}:{namespace}/{name}")
    ours = [p for p in found if p["parentRef"]["kind"] == "Service" and p["parentRef"]["name"] == service]
    assert ours, found
    return {c["type"]: (c["status"], c["reason"]) for c in ours[0]["conditions"]}


def attached(l, service, *routes, kind="HTTPRoute", namespace=MESH, are_resolved=True):
    """Waits until the Service, one of MESH, takes the routes; its IPv4 address."""
    wanted = {"Accepted": ("True", "Accepted")}
    if are_resolved:
        wanted["ResolvedRefs"] = ("True", "ResolvedRefs")
    for route in routes:
        suite.eventually(lambda route=route: wanted.items() <= parent_of(l, kind, namespace, route, service).items(),
                         f"{route} is on Service {service}", conformance.STATUS_S)
    return l.services[MESH, service][0]
