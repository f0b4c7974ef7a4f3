# SPDX-License-Identifier: Apache-2.0
"""WebSocket through the appliance: a real client and a real server, and bytes where either should be."""
import json
import os
import socket
import struct

import lab as labs
import objects
import suite
import test_access_log as log

NS, VIP, HOST = "ws", "198.18.0.144", "ws.example"
PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers", "websocket")
PYTHON = "/usr/bin/python3"  # has the library
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
AT_ONCE = 1000
LARGE_BYTES = 8 << 20
FLOOD_BYTES = 16 << 20


def lab():
    return labs.Lab("websocket", backends=2)


def prepare(l):
    l.log = os.path.join(l.dir, "access.log")
    l.appliance.options = ["--access-log", l.log]
    for n, program in ((1, "server.py"), (2, "raw.py")):
        started = l.start(program, f"backend-{n}", PYTHON, os.path.join(PEERS, program), "8080")
        started.wait_ready(lambda n=n: is_listening(l[f"backend-{n}"]), "port 8080", 20)
    objects.bring_up(l, "appliance.yaml")
    api = l.appliance.api
    api.put(objects.namespace(NS))
    api.put(objects.gateway(NS, "gw", VIP))
    for n, name in ((1, "server"), (2, "raw")):
        service = objects.service(NS, name)
        if name == "server":
            service["spec"]["ports"][0]["appProtocol"] = "kubernetes.io/ws"
        api.put(service)
        api.put(objects.slice_of(NS, name, labs.backend_address(n)))
    publish(l)
    objects.gateway_address(l, NS, "gw")
    suite.eventually(lambda: done(l, "/plain", "refused") == {"status": 200}, "it serves")


def is_listening(namespace):
    try:
        namespace.connect("127.0.0.1", 8080, timeout=1).close()
        return True
    except OSError:
        return False


def publish(l, *more):
    l.appliance.api.put(objects.route(NS, "ws", [f"{NS}/gw"], [
        objects.matching({"path": {"type": "PathPrefix", "value": "/raw"}}, objects.to("raw")),
        objects.to("server"), *more], HOST))


def done(l, path, what, *n, timeout=90):
    """What the client says that came of it."""
    program = os.path.join(PEERS, "client.py")
    ran = l["client"].run(PYTHON, program, VIP, HOST, path, what, *map(str, n), timeout=timeout)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def head(path, *fields, key=KEY):
    lines = [f"GET {path} HTTP/1.1", f"Host: {HOST}", "Connection: Upgrade", "Upgrade: websocket",
             "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", *fields]
    return "".join(line + "\r\n" for line in [*lines, ""]).encode()


def read_head(sock):
    """The answer's head, and what came behind it."""
    got = b""
    while b"\r\n\r\n" not in got:
        more = sock.recv(4096)
        assert more, got
        got += more
    first, _, rest = got.partition(b"\r\n\r\n")
    return first, rest


def read_all(sock, got=b""):
    got = bytearray(got)
    while more := sock.recv(65536):
        got += more
    return bytes(got)


def opened(l, path):
    """A tunnel to the raw backend, and what came already."""
    sock = l["client"].connect(VIP, 80)
    sock.settimeout(20)
    sock.sendall(head(f"/raw/{path}"))
    answer, rest = read_head(sock)
    assert answer.startswith(b"HTTP/1.1 101 ") and ACCEPT in answer, answer
    return sock, rest


def counted(l, name):
    return l.appliance.counters()[f"proxy_{name}"]


def ends(l, name, before, more=1):
    suite.eventually(lambda: counted(l, f"end_{name}") == before + more, f"{more} more end by {name}")


@suite.test("#3")
def messages_of_all_sizes_come_back(l):
    before = counted(l, "end_tunnel")
    assert done(l, "/echo", "echo", LARGE_BYTES) == {"closed": 1000}
    ends(l, "tunnel", before)
    assert counted(l, "tunnel_bytes_up") > LARGE_BYTES < counted(l, "tunnel_bytes_down")


@suite.test("#3")
def pings_and_closes_go_both_ways(l):
    before = counted(l, "end_tunnel")
    assert done(l, "/ping", "ping") == {"said": "ponged"}
    assert done(l, "/bye", "bye") == {"said": "going", "closed": 1001, "reason": "away"}
    ends(l, "tunnel", before, 2)


@suite.test("#3")
def a_thousand_at_once_on_one_worker(l):
    before = counted(l, "end_tunnel")
    assert done(l, "/echo", "many", AT_ONCE, timeout=120) == {"right": AT_ONCE, "closed": [1000]}
    ends(l, "tunnel", before, AT_ONCE)
    assert counted(l, "tunnels_now") == 0


@suite.test("#3")
def an_answer_that_is_no_101_is_an_answer(l):
    assert done(l, "/plain", "refused") == {"status": 200}
    assert done(l, "/missing", "refused") == {"status": 404}


@suite.test("#3")
def a_101_that_does_not_fit_the_key_is_502(l):
    assert done(l, "/raw/fake", "refused") == {"status": 502}
    before = counted(l, "tunnels")
    with l["client"].connect(VIP, 80) as sock:
        sock.settimeout(5)
        sock.sendall(head("/raw/fake") + b"GET /raw/asked HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_head(sock)[0].startswith(b"HTTP/1.1 502 ")
    assert counted(l, "tunnels") == before


@suite.test("#3")
def what_comes_behind_the_request_waits_for_the_101(l):
    second = f"GET /raw/asked?second HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
    with l["client"].connect(VIP, 80) as sock:
        sock.settimeout(5)
        sock.sendall(head("/raw/early") + second)
        got = read_all(sock)
    assert b"early: 0" in got and b"GET /raw/asked?second HTTP/1.1" in got, got
    assert got.count(b"HTTP/1.1 200 OK") == 2, got
    with l["client"].connect(VIP, 80) as sock:  # behind a 101 it is the tunnel's
        sock.settimeout(5)
        sock.sendall(head("/raw/count") + second)
        sock.shutdown(socket.SHUT_WR)
        got = read_all(sock)
    assert got.endswith(b"\r\n\r\n%d bytes" % len(second)), got


@suite.test("#3")
def only_a_whole_handshake_for_websocket_goes_on(l):
    def seen(*fields, without=""):
        raw = head("/raw/asked", *fields, "X-End: 1").replace(without.encode(), b"") if without else \
            head("/raw/asked", *fields, "X-End: 1")
        with l["client"].connect(VIP, 80) as sock:
            sock.settimeout(5)
            sock.sendall(raw)
            return read_head(sock)[1].lower()
    assert b"connection: upgrade\r\nupgrade: websocket\r\n" in seen()
    for fields, without in ((("Upgrade: h2c",), ""), (("Content-Length: 0",), ""), ((), "Connection: Upgrade\r\n"),
                            ((), "Upgrade: websocket\r\n"), ((), "Sec-WebSocket-Version: 13\r\n"),
                            (("Connection: close",), ""), ((f"Sec-WebSocket-Key: {KEY}",), "")):
        asked = seen(*fields, without=without)
        assert b"x-end: 1" in asked and b"upgrade" not in asked, (fields, without, asked)


@suite.test("#3")
def each_side_may_end_first(l):
    before = counted(l, "end_tunnel")
    sock, rest = opened(l, "count")
    sock.sendall(b"x" * 100000)
    sock.shutdown(socket.SHUT_WR)
    assert read_all(sock, rest) == b"100000 bytes"
    sock.close()
    sock, rest = opened(l, "first")
    assert read_all(sock, rest) == b"last words"
    sock.sendall(b"y" * 50000)
    sock.close()
    with open(os.path.join(l.logs, "raw.py.log"), encoding="utf-8") as f:
        suite.eventually(lambda: f.seek(0) == 0 and "after the end: 50000" in f.read(), "the backend has all of it")
    ends(l, "tunnel", before, 2)


@suite.test("#3")
def a_reset_is_passed_on(l):
    by_client, by_backend = counted(l, "end_tunnel_client"), counted(l, "end_tunnel_backend")
    sock, _ = opened(l, "rest")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    ends(l, "tunnel_client", by_client)
    sock, _ = opened(l, "reset")
    sock.sendall(b"now")
    try:
        assert sock.recv(1) == b"", "more came"
        raise AssertionError("it ended in good order")
    except ConnectionResetError:
        pass
    ends(l, "tunnel_backend", by_backend)


@suite.test("#3")
def who_reads_slowly_gets_all_of_it(l):
    sock, rest = opened(l, "flood")
    suite.eventually(lambda: stands_still(l), "the tunnel is full")
    assert len(read_all(sock, rest)) == FLOOD_BYTES


def stands_still(l):
    """Less than all has been moved, and for a while no more."""
    before = counted(l, "tunnel_bytes_down")
    l["client"].run("sleep", "0.3")
    return counted(l, "tunnel_bytes_down") == before


@suite.test("#3")
def changes_of_the_configuration_cut_no_tunnel(l):
    sock, _ = opened(l, "count")
    sock.sendall(b"before")
    api = l.appliance.api
    api.put(objects.slice_of(NS, "raw"))
    for n in range(12):  # more than there may be images at a time
        served = l.appliance.generation()
        publish(l, objects.matching({"path": {"value": f"/more/{n}"}}, objects.to("server")))
        suite.eventually(lambda before=served: l.appliance.generation() > before, "it is in use")
    suite.eventually(lambda: ask_status(l, "/raw/asked") == 503, "the endpoint is gone")
    sock.sendall(b"after")
    sock.shutdown(socket.SHUT_WR)
    assert read_all(sock) == b"11 bytes"
    api.put(objects.slice_of(NS, "raw", labs.backend_address(2)))
    suite.eventually(lambda: ask_status(l, "/raw/asked") == 200, "it is back")


def ask_status(l, path):
    return l.curl(f"http://{HOST}{path}", address=VIP)[0]


@suite.test("#3")
def the_access_log_has_a_line_at_the_end(l):
    sock, rest = opened(l, "line/count")
    sock.sendall(b"x" * 1000)
    sock.shutdown(socket.SHUT_WR)
    got = read_all(sock, rest)
    sock.close()
    r = suite.eventually(lambda: [r for r in log.lines(l.log) if r["path"] == "/raw/line/count"], "a line")[0]
    assert (r["status"], r["end"], r["tries"]) == (101, "tunnel", 1), r
    assert (r["request_bytes"], r["response_bytes"]) == (1000, len(got)), r
    assert r["backend"] == f"{NS}/raw:8080" and r["endpoint"] == f"{labs.backend_address(2)}:8080", r
    assert 0 < r["head_us"] <= r["total_us"], r


@suite.test("#3")
def no_request_was_lost_from_the_books(l):
    c = suite.eventually(lambda: (c := l.appliance.counters())["proxy_exchanges_now"] == 0 and c, "all have ended")
    ended = sum(v for name, v in c.items() if name.startswith("proxy_end_"))
    assert ended == c["proxy_requests"] and c["proxy_tunnels_now"] == 0, c
