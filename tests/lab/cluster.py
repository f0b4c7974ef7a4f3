# SPDX-License-Identifier: Apache-2.0
"""A cluster as sluice-controller sees it, played by a sluice-mgmtd without a dataplane in the admin namespace (its API
is a cluster's), and the controller itself."""
import json
import os
import secrets

import api
import appliance
import lab as labs
import process

ADDRESS, PORT = f"{labs.ADMIN4}.10", 9443
READY_LIMIT_S = 20


def token_of(client, name, role, **spec):
    """Makes a Token of this role; its secret."""
    made = client.create({"apiVersion": "sluice.internal/v1", "kind": "Token", "metadata": {"name": name},
                          "spec": {"role": role, **spec}})
    return made["status"]["token"]


def private(path, flags):
    """For open(): nobody else may read it."""
    return os.open(path, flags, 0o600)


def write_secret(path, text):
    """Whole or not at all, as the kubelet does it."""
    fresh = path + ".new"
    with open(fresh, "w", opener=private) as f:
        f.write(text)
    os.replace(fresh, path)
    return path


class Cluster:
    """The mgmtd that stands for the cluster."""

    def __init__(self, lab, name="cluster", port=PORT):
        self.lab, self.name, self.port = lab, name, port
        self.dir = os.path.join(lab.dir, name)
        self.number = 0  # of its lives with a state of its own
        self.token_file = os.path.join(self.dir, "controller.token")
        self.kubeconfig = os.path.join(self.dir, "kubeconfig")
        os.makedirs(self.dir, mode=0o700)
        self.program = self._api = None
        self.new_state()

    def new_state(self):
        """From the next start on it is a cluster that has nothing; who could log in before still can."""
        self.number += 1
        self.state_dir = os.path.join(self.dir, f"state-{self.number}")
        self.run_dir = os.path.join(self.dir, f"run-{self.number}")
        self.bootstrap_file = os.path.join(self.dir, f"bootstrap-{self.number}")
        for d in (self.state_dir, self.run_dir):
            os.makedirs(d, mode=0o700)
        if self.number > 1:
            old, new = os.path.join(self.dir, "state-1", "tls"), os.path.join(self.state_dir, "tls")
            os.makedirs(new, mode=0o700)
            for name in os.listdir(old):
                self.copy_file(os.path.join(old, name), os.path.join(new, name))
        self.token = secrets.token_urlsafe(32)
        write_secret(self.bootstrap_file, self.token + "\n")

    @staticmethod
    def copy_file(old, new):
        with open(old, "rb") as f, open(new, "wb", opener=private) as to:
            to.write(f.read())

    def start(self):
        self._api = None
        self.program = self.lab.start(
            self.name, "admin", os.path.join(self.lab.build, "mgmt", "daemon", "sluice-mgmtd"), "--run-dir",
            self.run_dir, "--state-dir", self.state_dir, "--listen", f"{ADDRESS}:{self.port}", "--bootstrap-token-file",
            self.bootstrap_file, "--controller-name", "example.com/nobody", environment=appliance.SANITIZERS)
        self.program.wait_ready(self.is_ready, "/readyz", READY_LIMIT_S)

    def is_ready(self):
        try:
            return self.api.raw("GET", "/readyz")[0] == 200
        except (OSError, api.http.client.HTTPException):
            self._api = None
            return False

    @property
    def ca_file(self):
        return os.path.join(self.state_dir, "tls", "server.crt")

    @property
    def api(self):
        """An administrator's client."""
        if self._api is None:
            self._api = api.Api(self.lab["admin"], ADDRESS, self.port, self.token, self.ca_file)
        return self._api

    def let_in(self, role="controller", **spec):
        """A token for the controller, into its file."""
        write_secret(self.token_file, token_of(self.api, f"controller-{secrets.token_hex(4)}", role, **spec) + "\n")

    def write_kubeconfig(self, **user):
        """How the controller gets here: JSON is YAML."""
        said = {
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "default"}}],
            "clusters": [{"name": "k", "cluster": {"server": f"https://{ADDRESS}:{self.port}",
                                                   "certificate-authority": self.ca_file}}],
            "users": [{"name": "u", "user": user or {"tokenFile": self.token_file}}]}
        return write_secret(self.kubeconfig, json.dumps(said))


class Controller:
    """sluice-controller between a cluster and appliances. `options` are those of its command line besides both ends."""

    def __init__(self, cluster, appliances, *options, name="controller"):
        self.cluster, self.appliances, self.options, self.name = cluster, appliances, options, name
        self.others = []  # Clusters that stand for appliances without a dataplane
        self.token_spec = {}  # of the Token that is made for it, besides the role
        self.lab = cluster.lab
        self.program = None

    def argv(self):
        argv = [os.path.join(self.lab.build, "mgmt", "controller", "sluice-controller"), "--kubeconfig",
                self.cluster.write_kubeconfig()]
        ends = [(box, f"{box.api_address}:{appliance.API_PORT}") for box in self.appliances]
        ends += [(box, f"{ADDRESS}:{box.port}") for box in self.others]
        for box, where in ends:
            argv += ["--appliance", f"https://{where}", "--appliance-ca", box.ca_file, "--appliance-token-file",
                     self.token_file(box)]
        return [*argv, "--no-lease", "--listen", "none", *self.options]

    def token_file(self, box):
        """Of a token with the role that the controller has there; made at the first time."""
        path = os.path.join(box.dir, f"{self.name}.token")
        if not os.path.exists(path):
            write_secret(path, token_of(box.api, self.name, "controller", **self.token_spec) + "\n")
        return path

    def start(self):
        self.program = self.lab.start(self.name, "admin", *self.argv(), environment=appliance.SANITIZERS)

    def log(self):
        with open(self.program.log, errors="replace") as f:
            return f.read()

    def end_in_good_order(self):
        """Tells it to end. AssertionError if it ended before, ends badly, or complained on its way."""
        p = self.program
        assert p.is_running(), f"{p.name} ended by itself with status {p.popen.returncode}\n{p.log_end()}"
        status = p.end()
        said = self.log()
        if status != 0 or any(c in said for c in appliance.COMPLAINTS):
            raise process.Failed(f"{p.name} ended with status {status}:\n{p.log_end()}")
