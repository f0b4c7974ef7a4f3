# SPDX-License-Identifier: Apache-2.0
"""A lab in which the same manifests are applied twice, by the same kubectl: to a cluster, whose controller mirrors it
into one appliance, and to another appliance itself. What a user sees has to be the same.

    client, backends ---- front, back ---- appliance ---- admin: kube-apiserver, sluice-controller
                                  \\------- box ---------/        kubectl
"""
import dataclasses
import json
import os
import re

import programs  # first: it tells where the lab's modules are
import api
import appliance
import backend
import certs
import fake_cluster
import lab as labs
import namespace
import process
import rig
import suite

HERE = os.path.dirname(os.path.abspath(__file__))
MANIFESTS = os.path.join(HERE, "kubectl")
BOX_ADMIN4 = "198.18.5"
POOLS = {"appliance": (20, 129), "box": (130, 249)}  # last bytes of Gateways' addresses
DATAGRAMS, ECHO = 7000, 3000  # ports of backend-3 and backend-4; the others are at 8080
HTTP, SECURE, UDP, CALLS = 1, 2, 3, 4  # which backend is what
SAME_S, KUBECTL_S = 60, 120
ADDRESS = re.compile(r"\b198\.18\.0\.\d+\b|\b2001:db8::[0-9a-f]+\b")
OWN_FEATURE = "GatewayInfrastructurePropagation"  # what the controller adds to a class: it concerns clusters alone
KNOWN = {  # what has to differ, and why
    "ListenerSet kc-apps/orphan": "in a cluster another controller may have the Gateway that is not there",
}
WITH_STATUS = ("GatewayClass", "Gateway", "ListenerSet", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute",
               "DNSRoute", "BackendTLSPolicy", "TransportPolicy", "HealthPolicy", "AccessPolicy", "Backend")


class Datagrams(backend.Server):
    """datagrams.py"""

    def start(self):
        program = os.path.join(labs.TOP, "tests", "lab", "datagrams.py")
        self.process = self.lab.start("datagrams", self.name, "python3", program, self.name, str(DATAGRAMS))


class Both(rig.Rig):
    """`with Both() as l: l.bring_up()`; then `l.sides` are the two."""

    def __init__(self, name):
        super().__init__(name, backends=4)

    def namespace_names(self):
        return [*super().namespace_names(), "box"]

    def wire(self):
        super().wire()
        switch, box, admin = self["switch"], self["box"], self["admin"]
        for port, bridge in (("p0", "front"), ("p1", "back")):
            namespace.link(box, port, switch, f"{bridge}-box")
            namespace.attach(switch, bridge, f"{bridge}-box")
            box.sysctl(**{f"net__ipv6__conf__{port}__disable_ipv6": 1})
        namespace.link(admin, "box0", box, "mgmt0")
        admin.address("box0", f"{BOX_ADMIN4}.10/24")
        box.address("mgmt0", f"{BOX_ADMIN4}.1/24")

    def add_appliances(self):
        super().add_appliances()
        os.makedirs(os.path.join(self.dir, "box"), mode=0o700)
        self.box = appliance.Appliance(self, self.workers, "box", f"{BOX_ADMIN4}.1")

    def bring_up(self, pods=False):
        self.start_servers()
        api.KINDS.update(fake_cluster.KINDS)
        self.start_cluster(pods)
        self.start_appliance()
        self.give(self.box, 2, POOLS["box"])
        self.install_own()
        self.start_controller()
        self.sides = [Side("cluster", self, self.cluster.api, self.cluster.config, self.appliance),
                      Side("box", self, self.box.api, self.box_config(), self.box)]
        self.box.api.put({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
                          "metadata": {"name": rig.CLASS}, "spec": {"controllerName": rig.CONTROLLER}})

    def start_appliance(self):
        self.give(self.appliance, 1, POOLS["appliance"])

    def give(self, box, number, pool):
        """Starts it, with ports and addresses of its own."""
        box.start()
        for o in rig.ports_and_pool(number, pool):
            box.api.put(o)

    def install_own(self):
        self.cluster.define(os.path.join(rig.CHART, "crds"))

    def start_servers(self):
        """What answers behind the Services of the manifests."""
        self.authority = certs.Authority(self.dir)
        self.authority.server("inner", "inner.example")
        backend.SecureOrigin.certificates = {f"backend-{SECURE}": self.authority.pair("inner")}
        self.backends = [kind(self, f"backend-{n}") for n, kind in (
            (HTTP, backend.Nginx), (SECURE, backend.SecureOrigin), (UDP, Datagrams))]
        for b in self.backends[:2]:
            b.wait_ready()
        environment = {"POD_NAME": "calls", "NAMESPACE": "kc-apps", "GRPC_ECHO_SERVER": "1"}
        self.start("calls", f"backend-{CALLS}", programs.build.build("conformance"), environment=environment)

    def box_config(self):
        """A kubeconfig for the appliance."""
        return self.cluster.write("box.kubeconfig", json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "box",
            "clusters": [{"name": "box", "cluster": {
                "server": f"https://{self.box.api_address}:{appliance.API_PORT}",
                "certificate-authority": self.box.ca_file}}],
            "users": [{"name": "ian", "user": {"token": self.box.token}}],
            "contexts": [{"name": "box", "context": {"cluster": "box", "user": "ian", "namespace": "default"}}]}))


@dataclasses.dataclass
class Said:
    """What a kubectl came to."""
    status: int
    out: str
    err: str


class Side:
    """One of the two as a user of kubectl has it. `box` is the appliance that serves its Gateways."""

    def __init__(self, name, lab, client, config, box):
        self.name, self.lab, self.api, self.config, self.box = name, lab, client, config, box
        self.cache = os.path.join(lab.dir, f"kubectl-{name}")

    def kubectl(self, *arguments, input=None, check=True):
        done = self.lab["admin"].run(self.lab.cluster.programs["kubectl"], "--kubeconfig", self.config, "--cache-dir",
                                     self.cache, *arguments, input=input, timeout=KUBECTL_S)
        if check and done.returncode != 0:
            raise process.Failed(f"{self.name}: kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return Said(done.returncode, done.stdout, done.stderr)

    def seen(self):
        """{"Kind namespace/name": its status, without what has to differ} of all that have one."""
        found = {}
        for kind in WITH_STATUS:
            for o in self.api.list(kind):
                meta = o["metadata"]
                found[f"{kind} {meta.get('namespace', '')}/{meta['name']}"] = without_what_differs(o.get("status", {}))
        return {name: status for name, status in found.items() if name not in KNOWN}

    def address(self, ns, name, family=4):
        """Of a Gateway, by its status."""
        status = self.api.get("Gateway", name, ns)["status"]
        return next(a["value"] for a in status["addresses"] if (":" in a["value"]) == (family == 6))


def without_what_differs(status):
    """Times, addresses of the pools, and the feature that the controller adds."""
    def walk(value):
        if isinstance(value, list):
            return [walk(v) for v in value if v != {"name": OWN_FEATURE}]
        if isinstance(value, dict):
            return {k: walk(v) for k, v in value.items() if k != "lastTransitionTime"}
        return ADDRESS.sub("ADDRESS", value) if isinstance(value, str) else value
    return walk(status)


def differences(one, other, path=""):
    """Each place in which two values differ, as text."""
    if isinstance(one, dict) and isinstance(other, dict):
        found = []
        for key in sorted({*one, *other}):
            if key not in one or key not in other:
                found.append(f"{path}.{key}: {one.get(key, 'missing')!r} / {other.get(key, 'missing')!r}")
            else:
                found += differences(one[key], other[key], f"{path}.{key}")
        return found
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [d for i, pair in enumerate(zip(one, other)) for d in differences(*pair, f"{path}[{i}]")]
    return [] if one == other else [f"{path}: {one!r} / {other!r}"]


def become_same(l, what, ask=Side.seen, limit_s=SAME_S):
    """Waits until both sides say the same; what they say."""
    last = {}

    def is_same():
        last["said"] = [ask(side) for side in l.sides]
        return last["said"][0] == last["said"][1]
    try:
        suite.eventually(is_same, what, limit_s)
    except AssertionError:
        found = differences(*last["said"])
        raise AssertionError(f"{what}: {len(found)} differences (cluster / box):\n" + "\n".join(found)) from None
    return last["said"][0]
