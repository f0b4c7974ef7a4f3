# SPDX-License-Identifier: Apache-2.0
"""TCPRoutes whose packets go on without a connection of the box's, under a flood of SYNs that nobody stands behind:
what they get are cookies, and whoever gives one back is joined with a pod."""
import os
import socket

import abuse
import backend
import flood
import lab as labs
import objects
import routing
import suite
import test_l4
from test_l4 import NS, ask, connect, counted, l4_route, line_of, says

CONNS = 256                    # a worker: 1,024 flows, of which 65 of one listener may be half-open
FLOWS_MAX, HALF_OPEN_MAX = 4 * CONNS, CONNS // 2 + 1
WORKERS = 2
RATE = 4000                    # SYNs a second
HONEST = 60                    # connections one after the other, during the flood
PORTS = (5000, 5001, 5002, 5003)
WEB = 80                       # the proxy's own: nothing is behind it but an answer
MOST, TOGETHER = 5, 40         # connections that may be open, and that are begun at once
REFUSED_S = 10                 # until whoever is refused knows so


def lab():
    return labs.Lab("syn_flood", backends=1, workers=WORKERS)


def prepare(l):
    abuse.swallow(l)
    l.start_backends(Talker)
    l.appliance.options = ["--conns", str(CONNS)]
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    api = l.appliance.api
    api.put(objects.namespace(NS))
    gateway = objects.gateway(NS, "gw")
    gateway["spec"]["listeners"] = [{"name": f"tcp-{p}", "port": p, "protocol": "TCP"} for p in PORTS]
    gateway["spec"]["listeners"].append({"name": "web", "port": WEB, "protocol": "HTTP"})
    api.put(gateway)
    for name, port in (("talk", 8080), ("greet", 8081), ("digest", 8082)):
        test_l4.put_service(l, name, port, 1)
    api.put(objects.service(NS, "talk6"))
    api.put(objects.slice_of(NS, "talk6", labs.backend_address(1, 6)))
    for name, port, section in (("talk", 8080, 5000), ("greet", 8081, 5001), ("digest", 8082, 5002),
                                ("talk6", 8080, 5003)):
        api.put(l4_route("TCPRoute", name, f"tcp-{section}", objects.to(name, port=port)))
    l.vip, l.vip6 = objects.gateway_address(l, NS, "gw"), objects.gateway_address(l, NS, "gw", 6)
    for port in (5000, 5003):
        suite.eventually(lambda: says(l, port, "name").startswith("backend-1 "), f"{port} serves")
    l.captures = [routing.Capture(l, "capture-client", "client", "eth0", "tcp", "and", "(", "host", labs.CLIENT4, "or",
                                  "ip6", ")"),
                  routing.Capture(l, "capture-pod", "backend-1", "eth0", "tcp")]


class Talker(backend.Server):
    """talker.py without TLS."""

    def start(self):
        self.process = self.lab.start(f"talker-{self.name}", self.name, "python3",
                                      os.path.join(labs.TOP, "tests", "lab", "talker.py"), self.name)


def in_flood(l, ports, function):
    """Calls it while SYNs come and are answered by cookies."""
    attack = flood.Flood(l, l.vip, RATE, *ports)
    before = counted(l, "l4_cookies")
    suite.eventually(lambda: counted(l, "l4_cookies") > before + RATE // 4, "there are cookies")
    function()
    during = counted(l, "l4_cookies")
    suite.eventually(lambda: counted(l, "l4_cookies") > during, "the flood goes on")
    assert attack.end() > RATE // 4


def check_table(l):
    """Of the flood the table holds what is half-open, and no more."""
    flows, half_open = counted(l, "l4_flows_now"), counted(l, "l4_half_open_now")
    assert half_open <= WORKERS * HALF_OPEN_MAX and flows < WORKERS * FLOWS_MAX / 2, (flows, half_open)


@suite.test("S6")
def what_began_in_peace_goes_on_through_a_flood_and_after_it_there_is_peace_again(l):
    accepted = counted(l, "l4_cookies_accepted")
    with connect(l, 5000) as s:
        assert ask(s, "before") == "before"
        assert counted(l, "l4_cookies_accepted") == accepted
        in_flood(l, PORTS, lambda: [ask(s, "during") for _ in range(100)])
        assert ask(s, "after") == "after"
    suite.eventually(lambda: counted(l, "l4_half_open_now") == 0, "half-open flows are forgotten", 90)
    accepted = counted(l, "l4_cookies_accepted")
    assert says(l, 5000, "name").startswith("backend-1 ") and counted(l, "l4_cookies_accepted") == accepted


@suite.test("S6")
def during_a_flood_clients_connect_and_the_table_does_not_fill(l):
    accepted, route = counted(l, "l4_cookies_accepted"), test_l4.of_route(l, "talk")

    def connect_often():
        for _ in range(HONEST):
            assert says(l, 5000, "name").startswith("backend-1 ")
            check_table(l)
        assert counted(l, "l4_cookies_accepted") - accepted >= HONEST
        of_flood = test_l4.of_route(l, "talk")
        assert of_flood["cookies"] - route["cookies"] >= HONEST, of_flood
        assert of_flood["begun"] - route["begun"] >= HONEST, of_flood
        with connect(l, 5001) as s:  # a pod that speaks first
            assert line_of(s) == "hello from backend-1" and ask(s, "more") == "more"
    in_flood(l, PORTS, connect_often)
    assert counted(l, "l4_end_shed") == counted(l, "l4_drop_full") == counted(l, "tcp_accepts") == 0


@suite.test("S6")
def during_a_flood_large_bodies_go_both_ways_whole_and_others_end_as_they_should(l):
    accepted = counted(l, "l4_cookies_accepted")

    def move():
        test_l4.large_bodies_go_both_ways_whole(l)
        test_l4.whoever_ends_first_may_still_be_told_something(l)
        with connect(l, 5000) as s:
            test_l4.breaks_off(s)
    in_flood(l, PORTS, move)
    assert counted(l, "l4_cookies_accepted") >= accepted + 6


@suite.test("S6")
def during_a_flood_families_may_differ(l):
    accepted = counted(l, "l4_cookies_accepted")

    def ask_both():
        for vip in (l.vip, l.vip6):
            for port in (5000, 5003):
                with l["client"].connect(vip, port) as s:
                    assert ask(s, "name").startswith("backend-1 ")
                    s.sendall(b"send 300000\n")
                    got = bytearray()
                    while len(got) < 300_000:
                        got += s.recv(65536)
                    assert bytes(got[:256]) == bytes(range(256))
    in_flood(l, PORTS, ask_both)
    assert counted(l, "l4_cookies_accepted") >= accepted + 4


def connect_together(l, port):
    """The ends of so many connections that were begun at once: those that are open, and how many were refused."""
    def begin():
        made = [socket.socket() for _ in range(TOGETHER)]
        for s in made:
            s.setblocking(False)
            s.connect_ex((l.vip, port))
        return made
    opened = []
    for s in l["client"].inside(begin):
        s.settimeout(REFUSED_S)
        try:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" if port == WEB else b"name\n")
            opened += [s] if s.recv(100) else []
        except ConnectionError:
            s.close()
    return opened


@suite.test("S6")
def during_a_flood_no_more_connections_are_open_than_may_be_though_cookies_promised_them(l):
    """Those that the proxy has, and those that are forwarded."""
    generation = l.appliance.generation()
    l.appliance.api.put({"apiVersion": "sluice.internal/v1", "kind": "AccessPolicy",
                         "metadata": {"namespace": NS, "name": "few"},
                         "spec": {"targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway",
                                                  "name": "gw"}], "connections": {"max": MOST}}})
    suite.eventually(lambda: l.appliance.generation() > generation, "the limit is in effect")

    def connect_more():
        for port, by_cookie in ((WEB, "tcp_cookie_accepted"), (5000, "l4_cookies_accepted")):
            accepted, refused = counted(l, by_cookie), counted(l, "core_conns_refused")
            opened = connect_together(l, port)
            assert len(opened) == MOST, (port, len(opened))
            assert counted(l, by_cookie) - accepted >= MOST and counted(l, "core_conns_refused") > refused
            for s in opened:
                s.close()
    in_flood(l, (WEB, 5000), connect_more)
    l.appliance.api.delete("AccessPolicy", "few", NS)


@suite.test("S6")
def every_checksum_was_right(l):
    for capture in l.captures:
        capture.end()
        capture.options = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
        assert len(capture.fields("tcp.checksum.status == \"Good\"", "frame.number")) > 1000
        # 0xffff is as good as 0 to whoever verifies it, and Linux sends it; tshark calls it bad
        bad = capture.fields("ip.checksum.status == \"Bad\" or "
                             "(tcp.checksum.status == \"Bad\" and tcp.checksum != 0xffff)", "frame.number")
        assert not bad, bad[:5]
