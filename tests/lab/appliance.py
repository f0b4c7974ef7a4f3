# SPDX-License-Identifier: Apache-2.0
"""The appliance's two programs in their namespace, and the ways to ask them."""
import os
import secrets

import api
import control
import process

API_ADDRESS, API_PORT = "198.18.3.1", 8443
READY_LIMIT_S = 20
COMPLAINTS = ("ERROR: ", "runtime error", "assertion", "Sanitizer")
SANITIZERS = {"LSAN_OPTIONS": "print_suppressions=0:suppressions=" + os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "leaks.supp"), "UBSAN_OPTIONS": "print_stacktrace=1"}
PORTS = ("p0", "p1")


class Appliance:
    """sluice-dataplane and sluice-mgmtd with directories of their own under the lab's. Of several each has a
    namespace and an address of its own."""

    def __init__(self, lab, workers, where=None, api_address=API_ADDRESS):
        self.lab = lab
        self.workers = workers
        self.where = where or "appliance"
        self.suffix = f"-{where}" if where else ""  # of its programs' names
        self.dir = os.path.join(lab.dir, where) if where else lab.dir
        self.api_address = api_address
        self.port_kinds = {}  # by port: "driver=KIND,..."; else AF_XDP on the interface of its name
        self.port_options = {}  # by port: ",key=value" besides those that it always has
        self.options = []  # of the dataplane, besides those that it always has
        self.run_dir = os.path.join(self.dir, "run")
        self.state_dir = os.path.join(self.dir, "state")
        self.token_file = os.path.join(self.dir, "token")
        self.ca_file = os.path.join(self.state_dir, "tls", "server.crt")
        for d in (self.run_dir, self.state_dir):
            os.makedirs(d, mode=0o700)
        self.token = secrets.token_urlsafe(32)
        with open(self.token_file, "w", opener=lambda p, flags: os.open(p, flags, 0o600)) as f:
            f.write(self.token + "\n")
        self.dataplane = self.mgmtd = self._api = None
        self.mgmtd_options = []  # besides those that it always has

    def program(self, *parts):
        return os.path.join(self.lab.build, *parts)

    def start(self):
        """Both, ready."""
        self.start_dataplane()
        self.start_mgmtd()

    def start_dataplane(self, wait=True):
        argv = [self.program("dataplane", "sluice-dataplane"), "--run-dir", self.run_dir, "--state-dir",
                self.state_dir, "--workers", str(self.workers), "--idle", "adaptive"]
        for port in PORTS:
            kind = self.port_kinds.get(port, f"driver=af_xdp,iface={port}")
            argv += ["--port", f"name={port},{kind}{self.port_options.get(port, '')}"]
        argv += self.options
        self.dataplane = self.lab.start(f"dataplane{self.suffix}", self.where, *argv, environment=SANITIZERS)
        if wait:
            self.dataplane.wait_ready(lambda: control.hello(self.run_dir), "WELCOME", READY_LIMIT_S)

    def start_mgmtd(self, wait=True):
        self.mgmtd = self.lab.start(
            f"mgmtd{self.suffix}", self.where, self.program("mgmt", "daemon", "sluice-mgmtd"), "--run-dir",
            self.run_dir, "--state-dir", self.state_dir, "--listen", f"{self.api_address}:{API_PORT}",
            "--bootstrap-token-file", self.token_file, *self.mgmtd_options, environment=SANITIZERS)
        if wait:
            self.mgmtd.wait_ready(self.is_api_ready, "/readyz", READY_LIMIT_S)

    def end_in_good_order(self):
        """Tells both to end. AssertionError if one ended before, ends badly, or complained on its way."""
        for p in (self.mgmtd, self.dataplane):
            if p is None:
                continue
            assert p.is_running(), f"{p.name} ended by itself with status {p.popen.returncode}\n{p.log_end()}"
            status = p.end()
            with open(p.log, errors="replace") as f:
                said = f.read()
            assert status == 0, f"{p.name} ended with status {status}\n{p.log_end()}"
            assert not any(c in said for c in COMPLAINTS), f"{p.name} complained:\n{said[-3000:]}"

    def is_api_ready(self):
        try:
            return self.api.raw("GET", "/readyz")[0] == 200
        except (OSError, api.http.client.HTTPException):
            self._api = None
            return False

    @property
    def api(self):
        """The client that the tests share."""
        if self._api is None:
            self._api = self.new_api()
        return self._api

    def new_api(self):
        """A client with a connection of its own. FileNotFoundError (an OSError) before the first boot's certificate."""
        return api.Api(self.lab["admin"], self.api_address, API_PORT, self.token, self.ca_file)

    def ctl(self, *args, check=True, input=None, timeout=60):
        """sluicectl, as an operator calls it from the management network."""
        done = self.lab["admin"].run(
            self.program("mgmt", "ctl", "sluicectl"), "--server", f"https://{self.api_address}:{API_PORT}",
            "--token-file", self.token_file, "--ca-file", self.ca_file, "--run-dir", self.run_dir, *args, input=input,
            timeout=timeout)
        if check and done.returncode != 0:
            raise process.Failed(f"sluicectl {' '.join(args)}: {done.stderr.strip() or done.stdout.strip()}")
        return done

    def apply(self, *files):
        for f in files:
            self.ctl("apply", "-f", f)

    def counters(self):
        """The dataplane's counters, summed over its workers."""
        return control.hello(self.run_dir).telemetry.total()

    def metric(self, name):
        """A number of mgmtd's own /metrics, one without labels."""
        text = self.api.raw("GET", "/metrics")[2].decode()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))

    def generation(self):
        """What every worker serves; 0: nothing yet, or nobody answers."""
        said = control.hello(self.run_dir)
        return said.generation if said else 0
