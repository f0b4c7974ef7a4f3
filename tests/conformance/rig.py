# SPDX-License-Identifier: Apache-2.0
"""The lab in which Gateway API's conformance suite runs: a cluster whose pods are processes, the appliance before it,
and the suite as the client of both.

    client (suite) ---- front (switch) ---- p0 appliance p1 ---- back (switch) ---- pod, pod, ...
      |                                       mgmt0 |                  |
      +-------------------------------------- admin (etcd, kube-apiserver, ..., node, sluice-controller)
"""
import json
import os

import api
import cluster as controllers
import fake_cluster
import kubernetes
import lab as labs
import namespace
import process
import programs
import suite

CLASS = "sluice"
CONTROLLER = "sluice.internal/gateway-controller"
API4 = "198.18.4"  # between the client and the API server
NODE = 250         # the node's last byte on the pods' network, from which it probes them
POOL = (20, 249)   # last bytes of the addresses that Gateways get: some 95 in a run, 20 at once
OF_MESH = ("{sluice.internal/mesh: enabled}", "{gateway-conformance: mesh}")  # namespaces: as Ian has them, and here
USABLE, UNUSABLE = f"{labs.FRONT4}.249", "203.0.113.249"
ACCEPTED_S = 30
HOLD_COUNT = 1000  # deletions in 10 s that are no accident yet: the suite deletes what each test made
DEPLOY = os.path.join(labs.TOP, "mgmt", "controller", "deploy")
CHART, MESH = os.path.join(DEPLOY, "chart"), os.path.join(DEPLOY, "mesh.yaml")
WHERE = "sluice-system"  # what the manifest installs


class Installed:
    """The cluster as the ServiceAccount of the manifest sees it; each of these has a token of its own."""

    def __init__(self, cluster, name="account"):
        self.cluster, self.lab, self.name, self.token = cluster, cluster.lab, name, None

    def write_kubeconfig(self):
        self.token = self.token or self.cluster.account_token(WHERE, "sluice-controller")
        return self.cluster.kubeconfig(self.name, token=self.token)


def sluice_object(kind, name, spec):
    return {"apiVersion": "sluice.internal/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def ports_and_pool(number=1, pool=POOL):
    """The objects of an appliance whose own addresses end in `number`."""
    first, last = pool
    front = [f"{labs.FRONT4}.{number}/24", f"{labs.FRONT6}::{number}/64"]
    back = [f"{labs.BACK4}.{number}/24", f"{labs.BACK6}::{number}/64"]
    given = [f"{labs.FRONT4}.{first}-{labs.FRONT4}.{last}", f"{labs.FRONT6}::{first:x}-{labs.FRONT6}::{last:x}"]
    return [{"apiVersion": "sluice.internal/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
            for kind, name, spec in (("Interface", "front", {"port": "p0", "addresses": front}),
                                     ("Interface", "back", {"port": "p1", "addresses": back}),
                                     ("AddressPool", "front", {"addresses": given}))]


class Rig(labs.Lab):
    """`with Rig() as r: r.bring_up()`; then there are `r.cluster`, `r.appliance`, `r.controller`, and the GatewayClass
    is accepted."""

    def __init__(self, name="conformance", backends=0, **kw):
        super().__init__(name, backends=backends, **kw)

    def wire(self):
        super().wire()
        admin, client = self["admin"], self["client"]
        namespace.link(client, "api0", admin, "api0")
        client.address("api0", f"{API4}.10/24")
        admin.address("api0", f"{API4}.1/24")
        namespace.link(admin, "pods0", self["switch"], "node")
        admin.address("pods0", f"{labs.BACK4}.{NODE}/24", f"{labs.BACK6}::{NODE:x}/64")
        namespace.attach(self["switch"], "back", "node")

    def bring_up(self, pods=True):
        """All of it; without `pods` nothing runs the cluster's pods."""
        self.start_cluster(pods)
        self.leave_services_to_appliance()
        self.start_appliance()
        self.start_controller()

    def make_cluster(self):
        self.cluster = kubernetes.Cluster(self, addresses=(f"{labs.ADMIN4}.10", f"{API4}.1"))

    def start_cluster(self, pods=True):
        self.make_cluster()
        self.cluster.start(pods)
        self.cluster.install_gateway_api()

    def leave_services_to_appliance(self):
        """What Ian does for a mesh: the appliance takes kube-proxy's place for the suite's namespaces of it."""
        with open(MESH, encoding="utf-8") as f:
            text = f.read().replace(*OF_MESH)
        probe = {"apiVersion": "v1", "kind": "Namespace", "metadata": {
            "name": "mesh-probe", "labels": {"gateway-conformance": "mesh"}}}
        self.cluster.kubectl("apply", "-f", "-", input=f"{text}---\n{json.dumps(probe)}")
        suite.eventually(self.is_service_ours, "new Services are the appliance's", ACCEPTED_S)
        self.cluster.kubectl("delete", "namespace", "mesh-probe", "--wait=false")

    def is_service_ours(self):
        return "service-proxy-name" in self.cluster.kubectl(
            "create", "service", "clusterip", "probe", "--tcp=80", "-n", "mesh-probe", "--dry-run=server", "-o", "yaml")

    def helm(self, *arguments):
        """What Helm says, as the cluster's administrator; process.Failed when it says that something went wrong."""
        done = self[self.cluster.where].run(programs.helm(), "--kubeconfig", self.cluster.config, *arguments,
                                            timeout=90)
        if done.returncode != 0:
            raise process.Failed(f"helm {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def install_by_helm(self):
        """The chart."""
        self.helm("install", "sluice", CHART, "--namespace", WHERE, "--create-namespace")
        api.KINDS.update(fake_cluster.KINDS)

    def install(self):
        """What the manifest has, with our CRDs."""
        self.cluster.kubectl("create", "namespace", WHERE)
        self.cluster.define(os.path.join(CHART, "crds"))
        self.cluster.apply(os.path.join(DEPLOY, "sluice-controller.yaml"))
        api.KINDS.update(fake_cluster.KINDS)

    def start_appliance(self):
        """What Ian does: ports, addresses of their own, and those that Gateways may have."""
        self.appliance.start()
        services = {"addresses": kubernetes.CLUSTER_IPS.split(","), "use": "Services"}
        for o in (*ports_and_pool(), sluice_object("AddressPool", "services", services)):
            self.appliance.api.put(o)

    def start_controller(self):
        """sluice-controller, and the GatewayClass, which it accepts."""
        self.controller = controllers.Controller(self.cluster, [self.appliance], "--mesh", "--lease-namespace",
                                                 "default", "--hold-count", str(HOLD_COUNT))
        self.controller.start()
        self.cluster.kubectl("apply", "-f", "-", input=json.dumps({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": CLASS},
            "spec": {"controllerName": CONTROLLER}}))
        suite.eventually(self.is_class_accepted, f"the GatewayClass {CLASS} is accepted", ACCEPTED_S)

    def start_pair(self, *options):
        """Two controllers as they are installed, of which one leads."""
        self.controllers = [
            fake_cluster.Controller(Installed(self.cluster, f"account-{n}"), [self.appliance], "--lease-namespace",
                                    WHERE, *options, name=f"controller-{n}", port=8080 + n) for n in (1, 2)]
        for c in self.controllers:
            c.start()
        suite.eventually(self.is_class_accepted, f"the GatewayClass {CLASS} is accepted", ACCEPTED_S)

    def leaders(self):
        """Those of the pair that say that they lead."""
        return [c for c in self.controllers if c.is_ready() and c.metrics()["sluice_controller_leader"] == 1]

    def is_class_accepted(self):
        found = self.cluster.api.get("GatewayClass", CLASS)
        return any(c["type"] == "Accepted" and c["status"] == "True" and
                   c.get("observedGeneration") == found["metadata"]["generation"]
                   for c in found.get("status", {}).get("conditions", []))

    def client_config(self):
        """The kubeconfig of the suite."""
        return self.cluster.kubeconfig("admin", address=f"{API4}.1", name="suite")

    def pod_logs(self):
        return os.path.join(self.cluster.dir, "node", "logs")
