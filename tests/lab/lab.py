# SPDX-License-Identifier: Apache-2.0
"""A lab: the network that the appliance stands in, made of namespaces, and everything that runs in it.

    client ---- [impair] ---- front (switch) ---- p0 appliance p1 ---- back (switch) ---- backend-1, backend-2, ...
                                                    mgmt0 |
                                                        admin

    with lab.Lab("name") as l: l.start_backends(); l.appliance.start(); ...

All of it is gone when the block ends, however it ends (cleanup.py). Addresses are those set aside for benchmarks
and documentation (RFC 2544, RFC 3849); labs do not see each other, so all use the same ones.
"""
import os
import shutil
import tempfile
import threading

import appliance
import backend
import cleanup
import link
import namespace
import process

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("SLUICE_BUILD", os.path.join(TOP, "build"))

EXAMPLES = os.path.join(TOP, "docs", "examples")

FRONT4, FRONT6 = "198.18.0", "2001:db8"  # clients and Gateways
BACK4, BACK6 = "198.18.1", "2001:db8:1"    # backends
ADMIN4 = "198.18.3"                        # management
CLIENT4, CLIENT6 = f"{FRONT4}.10", f"{FRONT6}::10"
BACKENDS_MAX = 20

_numbers = iter(range(1000))
_number_lock = threading.Lock()


def backend_address(n, family=4):
    """Of backend-n, n from 1."""
    return f"{BACK4}.{10 + n}" if family == 4 else f"{BACK6}::{10 + n:x}"


class Lab:
    """`backends` namespaces backend-1.. are made; `impair` is an argument list for the link at the client's side."""

    def __init__(self, name, backends=2, workers=1, impair=None, build=BUILD):
        assert backends <= BACKENDS_MAX
        with _number_lock:
            number = next(_numbers)
        self.name = name
        self.build = build
        self.n_backends = backends
        self.impair_options = impair
        self.prefix = f"sluice-lab-{os.getpid()}-{number}"
        self.undo = cleanup.Cleanup()
        self.namespaces = {}
        self.logs = os.path.join(TOP, "out", "lab", name)
        self.workers = workers
        self.impair = None
        self.backends = []

    def __enter__(self):
        cleanup.sweep()
        try:
            self.make()
        except BaseException:
            self.undo.run()
            raise
        return self

    def __exit__(self, *_):
        self.undo.run()

    def make(self):
        shutil.rmtree(self.logs, ignore_errors=True)
        os.makedirs(self.logs)
        self.dir = tempfile.mkdtemp(prefix=self.prefix + "-", dir=cleanup.RUN_ROOT)
        self.undo.add(self.dir, shutil.rmtree, self.dir)
        for name in self.namespace_names():
            self.namespaces[name] = namespace.Namespace(self.prefix, name)
            self.undo.add(name, self.namespaces[name].remove)
        self.wire()
        self.add_appliances()

    def add_appliances(self):
        self.appliance = appliance.Appliance(self, self.workers)

    def namespace_names(self):
        return ["client", "switch", "appliance", "admin"] + [f"backend-{n + 1}" for n in range(self.n_backends)]

    def __getitem__(self, name):
        """The namespace called so."""
        return self.namespaces[name]

    def wire(self):
        switch, box = self["switch"], self["appliance"]
        namespace.link(self["client"], "eth0", switch, "client")
        self["client"].address("eth0", f"{CLIENT4}/24", f"{CLIENT6}/64")
        namespace.link(box, "p0", switch, "front-p0")
        namespace.link(box, "p1", switch, "back-p1")
        for port in ("p0", "p1"):  # the dataplane's own: the kernel says nothing there
            box.sysctl(**{f"net__ipv6__conf__{port}__disable_ipv6": 1})
        backends = []
        for n in range(1, self.n_backends + 1):
            namespace.link(self[f"backend-{n}"], "eth0", switch, f"b{n}")
            self[f"backend-{n}"].address("eth0", f"{backend_address(n)}/24", f"{backend_address(n, 6)}/64")
            backends.append(f"b{n}")
        namespace.bridge(switch, "back", "back-p1", *backends)
        namespace.bridge(switch, "front", "front-p0", "client")
        if self.impair_options is not None:
            self.insert_link("client", "front")
            self.start_impairment(*self.impair_options)
        namespace.link(self["admin"], "eth0", box, "mgmt0")
        self["admin"].address("eth0", f"{ADMIN4}.10/24")
        box.address("mgmt0", f"{ADMIN4}.1/24")

    def insert_link(self, near, bridge):
        """Cuts the wire from the interface `near` to a switch: near <-> link <-> near-in = near-out <-> switch. What
        carries over the gap is start_link()'s."""
        switch = self["switch"]
        switch.ip("link", "set", near, "nomaster")
        namespace.link(switch, f"{near}-in", switch, f"{near}-out")
        namespace.attach(switch, bridge, f"{near}-out")
        for interface in (near, f"{near}-in"):
            switch.sysctl(**{f"net__ipv6__conf__{interface}__disable_ipv6": 1})

    def start_impairment(self, *options):
        """(Re)starts the link with these options of tests/lab/impair."""
        if self.impair:
            self.impair.end()
        self.impair = self.start_link("client", *options)

    def start_link(self, near, *options):
        """The link that carries where insert_link() cut, from `near` on, with these options of tests/lab/impair."""
        program = os.path.join(self.build, "tests", "lab", "impair", "impair")
        argv = [program, *options, near, f"{near}-in"]
        started = self.start(f"impair-{near}", "switch", *argv, pipe=True, kind=link.Link)
        started.wait_carrying()
        return started

    def start(self, name, where, *argv, environment=None, pipe=False, kind=process.Process):
        """Starts a program in a namespace; it ends with the lab."""
        log = os.path.join(self.logs, f"{name}.log")
        started = kind(name, self[where].argv(*argv), log, environment, pipe)
        self.undo.add(name, started.end)
        return started

    def start_backends(self, kind=backend.Nginx):
        """One backend of this kind on port 8080 in each backend namespace, both families."""
        self.backends = [kind(self, f"backend-{n}") for n in range(1, self.n_backends + 1)]
        for b in self.backends:
            b.wait_ready()
        return self.backends

    def curl(self, url, *options, address=None, timeout=15):
        """curl in the client's namespace; `address` stands in for DNS. Returns (status, headers, body)."""
        return backend.curl(self["client"], url, *options, address=address, timeout=timeout)
