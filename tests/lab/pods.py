# SPDX-License-Identifier: Apache-2.0
"""What a cluster does around manifests, without a cluster: each pod of a Deployment becomes a process in a backend
namespace of its own, and a Service that selects such pods gets an EndpointSlice with their addresses."""
import dataclasses
import re

import lab as labs

PORT = 3000  # of the echo server (tests/peers/conformance)
READY_S = 20
GRPC = "GRPC_ECHO_SERVER"  # with that the echo server speaks gRPC
# What a container's environment has to be for the protocol; one with more is another server.
ENVIRONMENTS = {"http": {"POD_NAME", "NAMESPACE"}, "grpc": {"POD_NAME", "NAMESPACE", GRPC}}


def documents(text):
    """The documents of a YAML stream, as text."""
    return [d for d in re.split(r"^---.*$", text, flags=re.MULTILINE) if kind_of(d)]


def kind_of(document):
    found = re.search(r"^kind: *(\w+)", document, re.MULTILINE)
    return found[1] if found else None


def field(document, name):
    """The first value of that name two columns in: of the metadata, or of the spec."""
    found = re.search(rf"^  {name}: *(\S+)", document, re.MULTILINE)
    return found[1] if found else None


@dataclasses.dataclass
class Deployment:
    """As much of one as matters here."""
    namespace: str
    name: str
    app: str
    replicas: int
    protocol: str

    def pods(self):
        """Names as a cluster gives them: two more words behind the Deployment's."""
        return [f"{self.name}-lab-{n}" for n in range(1, self.replicas + 1)]


def deployments(text, protocol="http"):
    """The Deployments of a YAML stream whose containers are plain servers of that protocol."""
    found = []
    for document in documents(text):
        environment = set(re.findall(r"^ +- name: ([A-Z_]+)$", document, re.MULTILINE))
        if kind_of(document) == "Deployment" and environment == ENVIRONMENTS[protocol]:
            app = re.search(r"^    matchLabels:\n +app: (\S+)", document, re.MULTILINE)
            found.append(Deployment(field(document, "namespace"), field(document, "name"), app[1],
                                    int(field(document, "replicas") or 1), protocol))
    return found


def slice_with(service, endpoints, family=4):
    """The Service's EndpointSlice with these endpoints; None: there are none."""
    meta = service["metadata"]
    ports = [{"name": p.get("name", ""), "port": p.get("targetPort", p["port"]), "protocol": p.get("protocol", "TCP")}
             for p in service["spec"]["ports"]]
    return endpoints and {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                          "metadata": {"namespace": meta["namespace"], "name": f"{meta['name']}-ipv{family}",
                                       "labels": {"kubernetes.io/service-name": meta["name"]}},
                          "addressType": f"IPv{family}", "ports": ports, "endpoints": endpoints} or None


class Pods:
    """The pods of these Deployments; the lab has a backend namespace for each."""

    def __init__(self, lab, program, wanted):
        self.lab = lab
        self.addresses = {}  # (namespace, app): [the number of each pod's backend namespace]
        self.names = {}      # (namespace, app): [pod]
        started, numbers = [], iter(range(1, lab.n_backends + 1))
        for deployment in wanted:
            key = (deployment.namespace, deployment.app)
            self.names[key] = deployment.pods()
            self.addresses[key] = [next(numbers) for _ in self.names[key]]
            started += [self.run(program, deployment, pod, n)
                        for pod, n in zip(self.names[key], self.addresses[key])]
        for process, n in started:
            process.wait_ready(lambda n=n: self.is_listening(n), f"port {PORT}", READY_S)

    def run(self, program, deployment, pod, number):
        environment = {"POD_NAME": pod, "NAMESPACE": deployment.namespace}
        if deployment.protocol == "grpc":
            environment[GRPC] = "1"
        return self.lab.start(pod, f"backend-{number}", program, environment=environment), number

    def is_listening(self, number):
        try:
            self.lab[f"backend-{number}"].connect("127.0.0.1", PORT, timeout=1).close()
            return True
        except OSError:
            return False

    def endpoints(self, namespace, app, family=4):
        """As an EndpointSlice lists them; none when nothing runs that is called so."""
        return [{"addresses": [labs.backend_address(n, family)], "conditions": {"ready": True}}
                for n in self.addresses.get((namespace, app), [])]

    def slice_of(self, service):
        """The EndpointSlice of a Service that selects pods; None for one that does not, or none that run."""
        app = service["spec"].get("selector", {}).get("app")
        return slice_with(service, self.endpoints(service["metadata"]["namespace"], app))

    def log_lines(self, namespace, app):
        """What these pods have said so far."""
        found = []
        for pod in self.names[namespace, app]:
            with open(f"{self.lab.logs}/{pod}.log", encoding="utf-8", errors="replace") as f:
                found += f.read().splitlines()
        return found
