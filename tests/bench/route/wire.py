# SPDX-License-Identifier: Apache-2.0
"""From a call of the management API to its effect on the wire, with a table of routes: the real programs in the lab.

    endpoint_to_wire   an EndpointSlice names another backend -> the first answer of that backend
    route_to_wire      a route sets another response header -> the first answer that carries it

A client asks without pause on one connection; what is told is when the first such answer had arrived, counted from
before the call.
"""
import statistics
import sys
import tempfile
import threading
import time

import lab as labs
import mgmt
import objects
import table

CHANGES = 15
PAUSE_S = 0.2  # between changes: what one leaves to do is not the next one's
LOAD_LIMIT_S = 600
VIP = "198.18.0.100"


class Asking:
    """Asks for a route all the time; tells when an answer had something for the first time."""

    def __init__(self, l, address, route):
        self.socket = l["client"].connect(address, 80)
        self.request = f"GET {route.request} HTTP/1.1\r\nHost: {route.host}\r\n\r\n".encode()
        self.wanted, self.seen, self.over = None, threading.Event(), False
        self.thread = threading.Thread(target=self.ask)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join()
        self.socket.close()

    def answer(self):
        """One whole answer; its body is as long as it says."""
        got = b""
        while b"\r\n\r\n" not in got:
            got += self.receive()
        head, _, body = got.partition(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                      if line.startswith(b"content-length:"))
        while len(body) < length:
            body += self.receive()
        return head + body

    def receive(self):
        got = self.socket.recv(65536)
        assert got, "the connection was closed"
        return got

    def ask(self):
        while not self.over:
            self.socket.sendall(self.request)
            answer = self.answer()
            wanted = self.wanted
            if wanted and wanted in answer:
                self.when, self.wanted = time.monotonic(), None
                self.seen.set()

    def until(self, wanted, change):
        """Milliseconds from the call of `change` to the first answer that has `wanted`."""
        self.seen.clear()
        self.wanted = wanted
        began = time.monotonic()
        change()
        assert self.seen.wait(30), f"no answer has {wanted}"
        return 1e3 * (self.when - began)


def bring_up(l, routes):
    l.start_backends()
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    every = [objects.namespace(table.NS), objects.gateway(table.NS, "gw", VIP),
             *table.objects_of(routes, labs.backend_address(1))]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        table.write_list(f.name, every)
        l.appliance.ctl("apply", "-f", f.name, timeout=LOAD_LIMIT_S)
    objects.wait_answer(l, VIP, routes[-1].host, "backend-1", path=routes[-1].request, limit_s=60)


def some_endpoint(n):
    return {"endpoints": [{"addresses": [labs.backend_address(1 + n % 2)], "conditions": {"ready": True}}]}


def some_rule(route, n):
    sign = {"type": "ResponseHeaderModifier",
            "responseHeaderModifier": {"set": [{"name": "X-Change", "value": f"change-{n}."}]}}
    return {"spec": {"rules": [{**objects.matching(route.match(), objects.to(table.service_name(0))),
                                "filters": [sign]}]}}


def wait_quiet(l):
    """Until no run follows the one before."""
    runs, before = 0, -1
    while runs != before:
        time.sleep(3)
        before, runs = runs, mgmt.metrics(l)["sluice_reconcile_runs_total"]


def measure(n):
    """(milliseconds of endpoint changes, of route changes) at `n` routes."""
    routes = table.routes(n, False)
    with labs.Lab(f"bench-route-{n}", backends=2) as l:
        bring_up(l, routes)
        wait_quiet(l)
        endpoint, route = [], []
        api = l.appliance.api
        with Asking(l, VIP, routes[0]) as asking:
            for i in range(1, CHANGES + 1):
                endpoint.append(asking.until(b"backend-%d" % (1 + i % 2), lambda: api.patch(
                    "EndpointSlice", f"{table.service_name(0)}-ipv4", some_endpoint(i), table.NS)))
                time.sleep(PAUSE_S)
            for i in range(1, CHANGES + 1):
                route.append(asking.until(b"change-%d." % i, lambda: api.patch(
                    "HTTPRoute", "route-0", some_rule(routes[0], i), table.NS)))
                time.sleep(PAUSE_S)
    return endpoint, route


def main(argv):
    """By itself: python3 wire.py ROUTES..."""
    for n in map(int, argv):
        for name, took in zip(("endpoint_to_wire", "route_to_wire"), measure(n)):
            print(f"{name}_ms {n} median {statistics.median(took):.2f} min {min(took):.2f} max {max(took):.2f}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
