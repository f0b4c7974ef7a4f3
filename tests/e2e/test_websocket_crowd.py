# SPDX-License-Identifier: Apache-2.0
"""Ten thousand WebSockets at once on one worker: by HTTP/1.1 and HTTP/2, in the clear and over TLS."""
import os
import sys

import certs
import crowd
import lab as labs
import objects
import suite

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import build  # noqa: E402 (its folder is known only now)

NS, HOST = "crowd", "crowd.example.com"
N = 10000
CONNS = 24576            # of the worker: 7/16 of them may be tunnels
TUNNELS_MAX = CONNS - CONNS // 2 - CONNS // 16
STREAMS = 100            # of a client's connection of HTTP/2
LOCALS = [f"{labs.FRONT4}.{n}" for n in range(20, 24)]  # so that no pair of addresses runs out of ports
WAIT_S = 60              # for ten thousand of anything, on a slow machine
GROWTH_BYTES_MAX = 16 << 20
WAYS = {"h1": (80, 0), "h1 over TLS": (443, 0), "h2": (80, STREAMS), "h2 over TLS": (443, STREAMS)}
GAUGES = ("proxy_tunnels_now", "proxy_exchanges_now", "proxy_conns_now", "upstream_busy_now", "h2_streams_now",
          "h2_sessions_now", "h2_heap_bytes_now", "tcp_conns_now")


def lab():
    return labs.Lab("websocket_crowd", backends=2)


def prepare(l, *options):
    crowd.raise_file_limit()
    l.program = build.build("crowd")
    l["client"].address("eth0", *(f"{a}/24" for a in LOCALS))
    for n in (1, 2):
        l.start(f"server-{n}", f"backend-{n}", l.program, "serve", "8080")
    l.appliance.options = ["--conns", str(CONNS), *options]
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    l.authority = certs.Authority(l.dir)
    api = l.appliance.api
    api.put(objects.namespace(NS))
    api.put(objects.tls_secret(NS, "cert", *l.authority.server("cert", HOST)))
    made = objects.gateway(NS, "gw")
    made["spec"]["listeners"] += [objects.https("secure", "cert", hostname=HOST)]
    api.put(made)
    api.put(objects.service(NS, "server"))
    put_endpoints(l, 1, 2)
    put_route(l)
    l.vip = objects.gateway_address(l, NS, "gw")
    suite.eventually(lambda: l.curl(f"http://{HOST}/", address=l.vip)[0] == 200, "it serves")


def put_endpoints(l, *numbers):
    l.appliance.api.put(objects.slice_of(NS, "server", *(labs.backend_address(n) for n in numbers)))


def put_route(l, *more):
    l.appliance.api.put(objects.route(NS, "ws", [f"{NS}/gw"], [objects.to("server"), *more], HOST))


def start(l, way, path="/"):
    """A client that opens WebSockets that way."""
    port, streams = WAYS[way]
    secure = ["-ca", l.authority.ca] if port == 443 else []
    return l.start("crowd-" + way.replace(" ", "-"), "client", l.program, "ask", "-address", f"{l.vip}:{port}",
                   "-host", HOST, "-path", path, "-streams", str(streams), "-locals", ",".join(LOCALS), *secure,
                   pipe=True, kind=crowd.Crowd)


def counters(l):
    return l.appliance.counters()


def counted(l, name):
    return counters(l)[f"proxy_{name}"]


def all_right(n):
    return {"right": n, "wrong": []}


def comes_to(l, what, gauges=GAUGES):
    """Nothing of it is left."""
    def is_gone():
        found = counters(l)
        left = {g: found[g] for g in gauges if found[g] != 0}
        assert not left, left
        return True
    suite.eventually(is_gone, what, WAIT_S)


def change_the_configuration(l):
    """Routes and endpoints, until it is served; one of the endpoints that have WebSockets goes, and comes back."""
    put_endpoints(l, 1)
    for n in range(3):
        before = l.appliance.generation()
        put_route(l, objects.matching({"path": {"value": f"/more/{n}"}}, objects.to("server")))
        suite.eventually(lambda before=before: l.appliance.generation() > before, "it is in use", WAIT_S)
    put_endpoints(l, 1, 2)


def ten_thousand(l, way):
    """The whole life of so many; what the dataplane's memory was when all were gone."""
    ends, idle = counted(l, "end_tunnel"), counted(l, "end_tunnel_idle")
    client = start(l, way)
    said = client.tell("open", N)
    assert said == all_right(N), said
    assert counted(l, "tunnels_now") == N
    change_the_configuration(l)
    said = client.tell("echo", "again")
    assert said == all_right(N), said
    said = client.tell("half")
    assert said == all_right(N), said
    suite.eventually(lambda: counted(l, "end_tunnel") == ends + N, "each ended in good order", WAIT_S)
    assert counted(l, "end_tunnel_idle") == idle
    client.tell("close")
    comes_to(l, "all is given back")
    client.end()
    return l.appliance.dataplane.rss_bytes()


@suite.test("#6")
def ten_thousand_by_http_1_1(l):
    l.memory = {"h1": ten_thousand(l, "h1")}


@suite.test("#6")
def ten_thousand_by_http_1_1_over_tls(l):
    ten_thousand(l, "h1 over TLS")


@suite.test("#6")
def ten_thousand_by_http_2(l):
    ten_thousand(l, "h2")


@suite.test("#6")
def ten_thousand_by_http_2_over_tls(l):
    l.memory["h2 over TLS"] = ten_thousand(l, "h2 over TLS")


@suite.test("#6")
def memory_does_not_grow_from_one_crowd_to_the_next(l):
    grown = ten_thousand(l, "h2 over TLS") - l.memory["h2 over TLS"]
    assert grown < GROWTH_BYTES_MAX, grown


@suite.test("#6")
def beyond_the_limit_of_tunnels_is_503_and_the_others_live_on(l):
    full = counted(l, "end_tunnels_full")
    client = start(l, "h2")
    said = client.tell("open", TUNNELS_MAX)
    assert said == all_right(TUNNELS_MAX), said
    said = client.tell("open", 10)
    assert said == {"right": 0, "wrong": ["10: status 503"]}, said
    assert counted(l, "end_tunnels_full") == full + 10
    assert l.curl(f"http://{HOST}/", address=l.vip)[0] == 200, "plain requests have room"
    said = client.tell("chat", TUNNELS_MAX, "on")
    assert said == all_right(TUNNELS_MAX), said
    client.end()
    comes_to(l, "all is given back")


def books_balance(l):
    c = counters(l)
    ended = {name: v for name, v in c.items() if name.startswith("proxy_end_") and v}
    assert sum(ended.values()) == c["proxy_requests"], ended


@suite.test("#6")
def no_request_was_lost_from_the_books(l):
    books_balance(l)
