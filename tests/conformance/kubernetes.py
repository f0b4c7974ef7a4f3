# SPDX-License-Identifier: Apache-2.0
"""A cluster's control plane in a namespace of a lab: etcd, kube-apiserver, kube-controller-manager, and a node that
runs pods as processes (cluster/node). Real ones: what a test asks of them, it asks of Kubernetes.

    with lab.Lab("name") as l:
        c = kubernetes.Cluster(l)
        c.start()
        c.apply(FILE); c.kubectl("get", "pods", "-A"); c.api.get("Gateway", NAME, NAMESPACE)
        c.apiserver.kill(); c.start_apiserver()

Nothing of it outlives the lab. Other namespaces reach the API server by `addresses`; a kubeconfig for them and for
other users is `kubeconfig(...)`'s.
"""
import base64
import http.client
import json
import os
import secrets
import shutil

import programs  # first: it tells where the lab's modules are
import api
import certs
import lab as labs
import process
import suite

ETCD_PORT, PORT = 2379, 6443
READY_S = 40
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DEFINED_S = 90
CLUSTER_IPS = "198.19.0.0/16,2001:db8:2::/112"
MASTERS = "system:masters"
CONTROLLERS = ("deployment-controller", "replicaset-controller", "endpointslice-controller", "namespace-controller",
               "garbage-collector-controller", "serviceaccount-controller", "job-controller",
               "clusterrole-aggregation-controller")
USERS = {"admin": (MASTERS,), "system:kube-controller-manager": (MASTERS,), "node": (MASTERS,)}


class Cluster:
    """One control plane, in the lab's namespace `where`. `addresses` are those by which other namespaces reach it;
    the first is the node's."""

    def __init__(self, lab, where="admin", addresses=(f"{labs.ADMIN4}.10",)):
        self.lab, self.where, self.addresses = lab, where, list(addresses)
        self.dir = os.path.join(lab.dir, "cluster")
        os.makedirs(self.dir, mode=0o700)
        self.programs = programs.cluster()
        self.tokens = {user: secrets.token_hex(16) for user in USERS}
        self.authority = certs.Authority(self.dir, "cluster-ca")
        self.etcd = self.apiserver = self.controller_manager = self.node = self._api = None
        self.apiserver_options = []  # besides those that it always has
        self.write_keys()

    def path(self, name):
        return os.path.join(self.dir, name)

    def write_keys(self):
        """Certificates and keys, users' tokens, and a kubeconfig for each who is in the namespace."""
        self.authority.server("apiserver", "localhost", "kubernetes", "kubernetes.default.svc",
                              addresses=["127.0.0.1", *self.addresses])
        certs.openssl("genrsa", "-out", self.path("accounts.key"), "2048")
        certs.openssl("rsa", "-in", self.path("accounts.key"), "-pubout", "-out", self.path("accounts.pub"))
        self.write("tokens.csv", "".join(
            f'{self.tokens[user]},{user},{user},"{",".join(groups)}"\n' for user, groups in USERS.items()))
        self.config = self.kubeconfig("admin")

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(text)
        return self.path(name)

    def kubeconfig(self, user, address="127.0.0.1", token=None, name=None):
        """The path of one; `token` is of a user that the cluster knows by itself, as of a ServiceAccount."""
        return self.write(f"{name or user}.kubeconfig".replace(":", "-"), json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "lab",
            "clusters": [{"name": "lab", "cluster": {
                "server": f"https://{address}:{PORT}", "certificate-authority": self.authority.ca}}],
            "users": [{"name": user, "user": {"token": token or self.tokens[user]}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": user, "namespace": "default"}}]}))

    def write_kubeconfig(self):
        """The controller's: an administrator's."""
        return self.config

    # ---- programs

    def start(self, pods=True):
        """All of it, ready; without `pods` no node runs any."""
        self.start_etcd()
        self.start_apiserver()
        self.start_controller_manager()
        if pods:
            self.start_node()

    def start_etcd(self, data="etcd"):
        """With what is in this folder, which may be another cluster's or not be there yet."""
        url = f"http://127.0.0.1:{ETCD_PORT}"
        self.etcd = self.lab.start("etcd", self.where, "etcd", "--data-dir", self.path(data), "--logger", "zap",
                                   "--listen-client-urls", url, "--advertise-client-urls", url)
        self.etcd.wait_ready(lambda: self.is_listening(ETCD_PORT), f"port {ETCD_PORT}", READY_S)

    def is_listening(self, port):
        try:
            self.lab[self.where].connect("127.0.0.1", port, timeout=1).close()
            return True
        except OSError:
            return False

    def start_apiserver(self, wait=True):
        crt, key = self.authority.pair("apiserver")
        self.apiserver = self.lab.start(
            "apiserver", self.where, self.programs["kube-apiserver"],
            "--etcd-servers", f"http://127.0.0.1:{ETCD_PORT}", "--secure-port", str(PORT),
            "--advertise-address", self.addresses[0], "--service-cluster-ip-range", CLUSTER_IPS,
            "--tls-cert-file", crt, "--tls-private-key-file", key, "--token-auth-file", self.path("tokens.csv"),
            "--authorization-mode", "RBAC", "--allow-privileged=true",
            "--service-account-issuer", "https://kubernetes.default.svc.cluster.local",
            "--service-account-key-file", self.path("accounts.pub"),
            "--service-account-signing-key-file", self.path("accounts.key"),
            "--disable-admission-plugins", "ServiceAccount,TaintNodesByCondition",  # tokens are no pod's; no taints
            "--kubelet-preferred-address-types", "InternalIP", "--endpoint-reconciler-type", "none",
            "--profiling=false", *self.apiserver_options)
        if wait:
            self.apiserver.wait_ready(self.is_ready, "/readyz", READY_S)

    def is_ready(self):
        try:
            return self.api.raw("GET", "/readyz")[0] == 200
        except (OSError, api.http.client.HTTPException):
            return False

    def start_controller_manager(self):
        self.controller_manager = self.lab.start(
            "controller-manager", self.where, self.programs["kube-controller-manager"],
            "--kubeconfig", self.kubeconfig("system:kube-controller-manager"),
            "--service-account-private-key-file", self.path("accounts.key"), "--root-ca-file", self.authority.ca,
            "--controllers", ",".join(CONTROLLERS), "--leader-elect=false", "--secure-port", "0",
            "--kube-api-qps", "500", "--kube-api-burst", "1000")

    def start_node(self):
        """Its pods are on the lab's switch "back", beside the backends."""
        self.node = self.lab.start(
            "node", self.where, self.programs["node"], "--kubeconfig", self.kubeconfig("node"),
            "--address", self.addresses[0], "--switch", self.lab["switch"].full, "--bridge", "back",
            "--prefix", f"{self.lab.prefix}-pod", "--folder", self.path("node"),
            "--pods4", f"{labs.BACK4}.0/24", "--pods6", f"{labs.BACK6}::/64", "--first",
            str(11 + labs.BACKENDS_MAX), "--images", self.images())
        self.node.wait_ready(lambda: "ready\n" in self.node.log_end(), "the Node object", READY_S)

    def images(self):
        """A copy of the roots that stand in for images: pods' roots are made of it by hard links."""
        copy = self.path("images")
        shutil.copytree(programs.images(), copy)
        for end, text in zip(("crt", "key"), self.authority.server("echo", "echo")):  # the image brings its own
            with open(os.path.join(copy, "echo-advanced", f"cert.{end}"), "w", encoding="ascii") as f:
                f.write(text)
        return copy

    # ---- behind the API server's back

    def etcd_ask(self, what, **fields):
        """etcd's own API: "kv/range", "kv/put" and the like."""
        connection = http.client.HTTPConnection("127.0.0.1", ETCD_PORT)
        connection.sock = self.lab[self.where].connect("127.0.0.1", ETCD_PORT)
        connection.request("POST", f"/v3/{what}", json.dumps(
            {name: base64.b64encode(value).decode() for name, value in fields.items()}))
        answer = connection.getresponse()
        said = json.loads(answer.read())
        connection.close()
        if answer.status != 200:
            raise process.Failed(f"etcd {what}: {said}")
        return said

    def stored(self, prefix):
        """{key: value} in etcd."""
        end = prefix[:-1] + bytes([prefix[-1] + 1])
        return {base64.b64decode(kv["key"]): base64.b64decode(kv["value"])
                for kv in self.etcd_ask("kv/range", key=prefix, range_end=end).get("kvs", [])}

    # ---- asking

    @property
    def api(self):
        """A client of it as an administrator: the lab's, of which kinds of both are known."""
        if self._api is None:
            self._api = self.new_api()
        return self._api

    def new_api(self):
        """A client with a connection of its own."""
        return api.Api(self.lab[self.where], "127.0.0.1", PORT, self.tokens["admin"], self.authority.ca)

    def kubectl(self, *arguments, check=True, input=None, timeout=60, config=None):
        """What it says; process.Failed when it says that something went wrong."""
        done = self.lab[self.where].run(self.programs["kubectl"], "--kubeconfig", config or self.config, *arguments,
                                        input=input, timeout=timeout)
        if check and done.returncode != 0:
            raise process.Failed(f"kubectl {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def apply(self, *files):
        """By the server, as kubectl apply --server-side: some definitions are too large for an annotation."""
        self.kubectl("apply", "--server-side", "--force-conflicts", *[w for f in files for w in ("-f", f)])

    def define(self, *files):
        """Custom resource definitions, in effect. Not by kubectl wait: it fails at one that has no condition yet."""
        self.apply(*files)
        asked = self.new_api()  # others may be at the cluster's own from threads of theirs

        def are_established():
            found = [o.get("status", {}).get("conditions") or [] for o in asked.call("GET", DEFINITIONS)["items"]]
            return all(any((c["type"], c["status"]) == ("Established", "True") for c in each) for each in found)
        suite.eventually(are_established, "all definitions are in effect", DEFINED_S)

    def install_gateway_api(self, channel="experimental"):
        self.define(*programs.crds(channel))

    def account_token(self, namespace, name):
        """A token of a ServiceAccount, for an hour."""
        return self.kubectl("create", "token", name, "-n", namespace, "--duration", "1h").strip()
