# SPDX-License-Identifier: Apache-2.0
"""A cluster as sluice-controller sees it, played by apiserver.py in the admin namespace: with Leases, Events and faults
to order, which the sluice-mgmtd of cluster.py does not have."""
import http.client
import json
import os
import secrets
import sys

import api
import appliance
import certs
import cluster

KINDS = {  # besides those of api.py
    "Lease": ("/apis/coordination.k8s.io/v1", "leases", True),
    "Event": (api.CORE, "events", True),
}
PORT = 9444


class FakeCluster:
    """The program, an administrator's client, and what cluster.Controller asks of a cluster."""

    def __init__(self, lab, name="fake"):
        self.lab, self.name = lab, name
        self.dir = os.path.join(lab.dir, name)
        os.makedirs(self.dir, mode=0o700)
        self.authority = certs.Authority(self.dir)
        self.authority.server("server", "localhost")
        self.token = secrets.token_hex(16)  # never begins as an option does
        self.token_file = cluster.write_secret(os.path.join(self.dir, "token"), self.token + "\n")
        self.program = self._api = None
        api.KINDS.update(KINDS)

    def start(self):
        cert, key = self.authority.pair("server")
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "apiserver.py")
        self.program = self.lab.start(
            self.name, "admin", sys.executable, program,
            "--listen", f"{cluster.ADDRESS}:{PORT}", "--cert", cert, "--key", key, "--token", self.token)
        self.program.wait_ready(self.is_ready, "/readyz", cluster.READY_LIMIT_S)

    def is_ready(self):
        try:
            return self.api.raw("GET", "/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            self._api = None
            return False

    @property
    def api(self):
        """An administrator's client."""
        if self._api is None:
            self._api = api.Api(self.lab["admin"], cluster.ADDRESS, PORT, self.token, self.authority.ca)
        return self._api

    def write_kubeconfig(self, name="kubeconfig"):
        said = {
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "default"}}],
            "clusters": [{"name": "k", "cluster": {"server": f"https://{cluster.ADDRESS}:{PORT}", "tls-server-name":
                                                   "localhost", "certificate-authority": self.authority.ca}}],
            "users": [{"name": "u", "user": {"tokenFile": self.token_file}}]}
        return cluster.write_secret(os.path.join(self.dir, name), json.dumps(said))

    # ---- faults, and what was asked ----

    def order(self, match, code=500, times=1, delay_s=0):
        self.api.call("POST", "/fake/faults", {"match": match, "code": code, "times": times, "delay_s": delay_s})

    def heal(self):
        self.api.call("DELETE", "/fake/faults")

    def requests(self, method=None, part="", agent="sluice-controller"):
        """What was asked by that client since forget_requests()."""
        return [r for r in self.api.call("GET", "/fake/requests") if agent in r["agent"] and part in r["path"]
                and method in (None, r["method"])]

    def forget_requests(self):
        self.api.call("DELETE", "/fake/requests")


class Controller(cluster.Controller):
    """With a Lease, and a port of its own for metrics and health."""

    def __init__(self, a_cluster, appliances, *options, name="controller", port=8080):
        super().__init__(a_cluster, appliances, *options, name=name)
        self.port = port

    def argv(self):
        return [*[a for a in super().argv() if a != "--no-lease"], "--identity", self.name, "--listen",
                f"{cluster.ADDRESS}:{self.port}"]

    def ask(self, path):
        """(status, text) of its own port."""
        connection = http.client.HTTPConnection(cluster.ADDRESS, self.port)
        connection.sock = self.lab["admin"].connect(cluster.ADDRESS, self.port)
        connection.request("GET", path)
        answer = connection.getresponse()
        said = answer.status, answer.read().decode()
        connection.close()
        return said

    def is_ready(self):
        try:
            return self.ask("/readyz")[0] == 200
        except OSError:
            return False

    def metrics(self):
        """{name with labels: value}"""
        lines = self.ask("/metrics")[1].splitlines()
        return {name: int(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}
