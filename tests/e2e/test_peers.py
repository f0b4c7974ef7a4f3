# SPDX-License-Identifier: Apache-2.0
"""TCPs that are neither ours nor Linux': gVisor's netstack and lwIP, as clients and as backends of the appliance."""
import json
import os
import sys

import backend
import lab as labs
import namespace
import objects
import origin
import suite

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import build  # noqa: E402 (its folder is known only now)

NS, GATEWAY = "peers", "peers"
LINUX = "linux"  # backend-1: origin.py
BACKENDS = {LINUX: 1, "gvisor": 2, "lwip": 3}
CLIENTS = {"gvisor": 30, "lwip": 31}  # last byte of the client's addresses
BODY_BYTES, BODY_BYTES_BAD = 4 << 20, 1 << 20
BAD = ["--seed", "5", "--loss", "1", "--reorder", "3", "--reorder_ms", "3", "--duplicate", "1", "--corrupt", "0.1",
       "--delay_ms", "5"]
LINKS = {"clean": (["--seed", "1"], BODY_BYTES), "bad": (BAD, BODY_BYTES_BAD)}
LIMIT_S = 60  # of a transfer


def host(server, family):
    return f"{server}-v{family}.example.com"


class PeerLab(labs.Lab):
    """A namespace and a link for each peer on either side; the kernels of those namespaces have no address."""

    def __init__(self):
        super().__init__("peers", backends=len(BACKENDS))

    def namespace_names(self):
        return super().namespace_names() + [f"client-{name}" for name in CLIENTS]

    def wire(self):
        super().wire()
        for name in CLIENTS:
            client, server = self[f"client-{name}"], self[f"backend-{BACKENDS[name]}"]
            namespace.link(client, "eth0", self["switch"], f"c-{name}")
            self.insert_link(f"c-{name}", "front")
            self.insert_link(f"b{BACKENDS[name]}", "back")
            for peer in (client, server):
                peer.ip("address", "flush", "dev", "eth0")
                peer.sysctl(net__ipv6__conf__eth0__disable_ipv6=1)


def lab():
    return PeerLab()


def apply_objects(l):
    made = [objects.namespace(NS), objects.gateway(NS, GATEWAY)]
    for name, n in BACKENDS.items():
        for family in (4, 6):
            service = f"{name}-v{family}"
            made += [objects.service(NS, service), objects.slice_of(NS, service, labs.backend_address(n, family)),
                     objects.route(NS, service, [f"{NS}/{GATEWAY}"], [objects.to(service)], host(name, family))]
    l.appliance.apply(objects.example("appliance.yaml"))
    for o in made:
        l.appliance.api.create(o)


def prepare(l):
    l.programs = {name: build.build(name) for name in CLIENTS}
    l.backends = [backend.Origin(l, "backend-1")]
    l.backends[0].wait_ready()
    l.appliance.start()
    apply_objects(l)
    l.addresses = {family: objects.gateway_address(l, NS, GATEWAY, family) for family in (4, 6)}
    for name in CLIENTS:
        n = BACKENDS[name]
        argv = [l.programs[name], "eth0", f"{labs.backend_address(n)}/24", f"{labs.backend_address(n, 6)}/64", "serve"]
        server = l.start(f"{name}-server", f"backend-{n}", *argv, str(backend.PORT))
        server.wait_ready(lambda s=server: "ready" in s.log_end(), "ready", 10)
    suite.eventually(lambda: l.curl(f"http://{host(LINUX, 4)}/echo", address=l.addresses[4])[0] == 200, "it serves", 10)


def ask(l, name, *request):
    """One run of the client's program; what it printed."""
    last = CLIENTS[name]
    done = l[f"client-{name}"].run(l.programs[name], "eth0", f"{labs.FRONT4}.{last}/24", f"{labs.FRONT6}::{last:x}/64",
                                   *request, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def as_client(l, name, kind):
    """Down and up through the appliance, from and to Linux."""
    options, n = LINKS[kind]
    link = l.start_link(f"c-{name}", *options)
    for family, address in l.addresses.items():
        url = f"http://{host(LINUX, family)}"
        got = ask(l, name, "get", f"{url}/bytes/{n}", address, "80")
        assert got == {"status": 200, "length": n, "intact": True}, (family, got)
        put = ask(l, name, "post", f"{url}/upload", address, "80", str(n))
        assert put == {"length": n, "sha256": origin.expected_sha256(n)}, (family, put)
    link.end()


def as_backend(l, name, kind):
    """Down and up through the appliance, for curl."""
    options, n = LINKS[kind]
    link = l.start_link(f"b{BACKENDS[name]}", *options)
    source = os.path.join(l.dir, "upload")
    with open(source, "wb") as f:
        f.writelines(origin.pieces(n))
    with open(source, "rb") as f:
        wanted = f.read()
    for family, address in l.addresses.items():
        url = f"http://{host(name, family)}"
        status, _, body = l.curl(f"{url}/bytes/{n}", address=address, timeout=LIMIT_S)
        assert status == 200 and body == wanted, (family, status, len(body))
        status, _, body = l.curl(f"{url}/upload", "-T", source, address=address, timeout=LIMIT_S)
        assert status == 200 and json.loads(body) == {"length": n, "intact": True}, (family, status, body)
    link.end()


@suite.test("#3")
def gvisor_as_a_client_moves_bodies_intact(l):
    as_client(l, "gvisor", "clean")


@suite.test("#3")
def gvisor_as_a_client_behind_a_bad_link_moves_bodies_intact(l):
    as_client(l, "gvisor", "bad")


@suite.test("#3")
def gvisor_as_a_backend_moves_bodies_intact(l):
    as_backend(l, "gvisor", "clean")


@suite.test("#3")
def gvisor_as_a_backend_behind_a_bad_link_moves_bodies_intact(l):
    as_backend(l, "gvisor", "bad")


@suite.test("#3")
def lwip_as_a_client_moves_bodies_intact(l):
    as_client(l, "lwip", "clean")


@suite.test("#3")
def lwip_as_a_client_behind_a_bad_link_moves_bodies_intact(l):
    as_client(l, "lwip", "bad")


@suite.test("#3")
def lwip_as_a_backend_moves_bodies_intact(l):
    as_backend(l, "lwip", "clean")


@suite.test("#3")
def lwip_as_a_backend_behind_a_bad_link_moves_bodies_intact(l):
    as_backend(l, "lwip", "bad")
