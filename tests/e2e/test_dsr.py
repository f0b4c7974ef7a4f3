# SPDX-License-Identifier: Apache-2.0
"""TCPRoutes and UDPRoutes whose packets go to pods as they came, within others (forwarding IPIP and GUE): pods see who
the client is, and answer it without the box."""
import json
import os
import socket

import backend
import lab as labs
import namespace
import objects
import suite
from test_l4 import ask, line_of, rest

NS = "dsr"
TALK, GREET, DIGEST, ECHO = 8080, 8081, 8082, 7000  # listeners have them, too: nothing in the packets changes
BYTES = 400_001


class Pod(backend.Server):
    """talker.py and datagrams.py, in a namespace that has the Gateway's address and a way of its own to clients."""

    def start(self):
        lab_dir = os.path.join(labs.TOP, "tests", "lab")
        self.lab.start(f"datagrams-{self.name}", self.name, "python3", os.path.join(lab_dir, "datagrams.py"), self.name,
                       str(ECHO))
        self.lab.start(f"unpack-{self.name}", self.name, "python3", os.path.join(lab_dir, "unpack.py"))
        self.process = self.lab.start(f"talker-{self.name}", self.name, "python3", os.path.join(lab_dir, "talker.py"),
                                      self.name)

    def has(self, address, n):
        """Is told which address is the Gateway's."""
        inside, switch = self.lab[self.name], self.lab["switch"]
        suite.eventually(lambda: inside.run("ip", "link", "show", "unpacked").returncode == 0, "it unpacks")
        inside.sysctl(net__ipv4__conf__all__arp_ignore=1, net__ipv4__conf__all__arp_announce=2,
                      net__ipv4__conf__all__rp_filter=0, net__ipv4__conf__default__rp_filter=0,
                      net__ipv4__conf__unpacked__rp_filter=0)
        namespace.link(inside, "eth1", switch, f"front-{n}")
        namespace.attach(switch, "front", f"front-{n}")
        inside.sysctl(net__ipv4__conf__eth1__rp_filter=0)
        inside.address("eth1", f"{labs.FRONT4}.{200 + n}/24")
        inside.ip("link", "set", "unpacked", "up")
        inside.address("lo", f"{address}/32")


def lab():
    return labs.Lab("dsr", backends=2, workers=2)


def policy(way):
    return {"apiVersion": "sluice.internal/v1", "kind": "TransportPolicy",
            "metadata": {"namespace": NS, "name": "ways"},
            "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": "pods"}], "forwarding": way}}


def prepare(l):
    l.start_backends(Pod)
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    api = l.appliance.api
    api.put(objects.namespace(NS))
    numbers = [("talk", TALK, "TCP"), ("greet", GREET, "TCP"), ("digest", DIGEST, "TCP"), ("echo", ECHO, "UDP")]
    gateway = objects.gateway(NS, "gw")
    gateway["spec"]["listeners"] = [dict(zip(("name", "port", "protocol"), n)) for n in numbers]
    service = objects.service(NS, "pods")
    service["spec"]["ports"] = [dict(zip(("name", "port", "protocol"), n)) for n in numbers]
    pods = objects.slice_of(NS, "pods", labs.backend_address(1), labs.backend_address(2))
    pods["ports"] = service["spec"]["ports"]
    for made in (gateway, service, pods, policy("IPIP")):
        api.put(made)
    for name, port, protocol in numbers:
        made = objects.route(NS, name, [{"name": "gw", "sectionName": name}], [objects.to("pods", port=port)])
        api.put({**made, "kind": f"{protocol}Route"})
    l.vip = objects.gateway_address(l, NS, "gw")
    for n, pod in enumerate(l.backends, 1):
        pod.has(l.vip, n)
    suite.eventually(lambda: says(l) and echoed(l), "it serves", 10)


def says(l):
    try:
        with l["client"].connect(l.vip, TALK, timeout=2) as s:
            return ask(s, "name")
    except OSError:
        return None


def echoed(l, data=b"x"):
    """(the pod, address and port that it saw, the client's port, the bytes); None: nothing came."""
    def talk():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(2)
            s.connect((l.vip, ECHO))
            s.send(data)
            head, _, back = s.recv(65535).partition(b"\n")
            name, address, port = head.decode().split(" ")
            return name, address, int(port), s.getsockname()[1], back
    try:
        return l["client"].inside(talk)
    except OSError:
        return None


def counted(l, name):
    return l.appliance.counters()[name]


def goes_by(l, way):
    """Waits until new flows do, whatever there was before."""
    l.appliance.api.put(policy(way))

    def is_so():
        said = l.appliance.ctl("explain", f"tcp://{l.vip}:{TALK}").stdout
        return f"forwarding: {way}" in said and says(l) and echoed(l)
    suite.eventually(is_so, f"by {way}", 10)


def both_see_the_client(l, way):
    goes_by(l, way)
    down = counted(l, "l4_bytes_down")
    for _ in range(5):
        assert says(l).endswith(f" ::ffff:{labs.CLIENT4}"), says(l)
        name, address, seen, own, back = echoed(l, b"datagram")
        assert (address, seen, back) == (labs.CLIENT4, own, b"datagram") and name.startswith("backend-")
    assert counted(l, "l4_bytes_down") == down, "answers came by the box"
    shown = l.appliance.ctl("flows", "--json", f"{l.vip}:{ECHO}").stdout.splitlines()
    mine = [f for f in map(json.loads, shown) if f["client_port"] == own]
    assert len(mine) == 1 and (mine[0]["forwarding"], mine[0]["client"]) == (way, labs.CLIENT4), shown
    assert (mine[0]["up_packets"], mine[0]["down_packets"], mine[0]["source_port"]) == (1, 0, 0), mine


@suite.test("S6")
def by_ipip_pods_see_the_client_and_answer_without_the_box(l):
    both_see_the_client(l, "IPIP")


@suite.test("S6")
def by_gue_pods_see_the_client_and_answer_without_the_box(l):
    both_see_the_client(l, "GUE")


@suite.test("S6")
def what_is_too_long_with_another_header_is_told_and_all_arrives(l):
    """Of TCP the client is told of a narrower way; of UDP, what may be cut by IPIP."""
    for way in ("IPIP", "GUE"):
        goes_by(l, way)
        with l["client"].connect(l.vip, DIGEST, timeout=10) as s:
            s.sendall(b"z" * BYTES)
            s.shutdown(socket.SHUT_WR)
            assert line_of(s).startswith(f"{BYTES} "), way
        with l["client"].connect(l.vip, GREET, timeout=10) as s:  # whose answers are as long as they want to be
            assert line_of(s).startswith("hello from backend-")
            s.sendall(f"send {BYTES}\n".encode())
            s.shutdown(socket.SHUT_WR)
            assert len(rest(s)) == BYTES + len(b"over\n"), way


@suite.test("S6")
def many_clients_are_shared_by_both_pods(l):
    goes_by(l, "IPIP")
    assert {echoed(l)[0] for _ in range(30)} == {"backend-1", "backend-2"}
    assert {says(l).split()[0] for _ in range(30)} == {"backend-1", "backend-2"}


@suite.test("S6")
def what_goes_by_address_translation_again_comes_back_by_the_box(l):
    goes_by(l, "NAT")
    assert says(l).endswith(f" ::ffff:{labs.BACK4}.1")
    assert echoed(l)[1] == f"{labs.BACK4}.1"
