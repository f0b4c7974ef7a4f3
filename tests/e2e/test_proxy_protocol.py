# SPDX-License-Identifier: Apache-2.0
"""PROXY protocol: HAProxy and curl before the appliance, HAProxy behind it; and what is no header.

Backend 1 says what it was asked (origin.py); backend 2 is an HAProxy that wants a header, and says who it was told.
"""
import contextlib
import json
import os
import socket
import struct

import backend
import lab as labs
import objects
import suite

NS, HOST = "proxied", "app.example.com"
BEHIND, OPEN = 80, 8080
OTHER = "127.0.0.2"  # where HAProxy's clients come from
V1_PORT, V2_PORT, CHECKED_PORT = 9001, 9002, 9003
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LINE = b"PROXY TCP4 203.0.113.9 198.51.100.1 1234 443\r\n"
BINARY = SIGNATURE + b"\x21\x11\0\x0c" + b"".join(map(socket.inet_aton, ("203.0.113.9", "198.51.100.1")))
BINARY += struct.pack(">HH", 1234, 443)
BINARY6 = SIGNATURE + b"\x21\x21\0\x24" + b"".join(
    socket.inet_pton(socket.AF_INET6, a) for a in ("2001:db8:9::9", "2001:db8:9::1"))
BINARY6 += struct.pack(">HH", 1234, 443)

DEFAULTS = """
global
    nbthread 1
defaults
    timeout connect 5s
    timeout client 60s
    timeout server 60s
"""
RECEIVER = DEFAULTS + """
frontend told
    mode http
    bind :::8080 v4v6 accept-proxy
    http-request return status 200 content-type text/plain lf-string "%ci %cp %fi %fp"
"""
SENDER = DEFAULTS + """
listen v1
    mode tcp
    bind 127.0.0.1:{v1}
    server box {vip}:80 send-proxy
listen v2
    mode tcp
    bind 127.0.0.1:{v2}
    server box {vip}:80 send-proxy-v2
listen checked
    mode tcp
    bind 127.0.0.1:{checked}
    server box {vip}:80 send-proxy-v2 proxy-v2-options crc32c,authority
"""


def haproxy(l, name, where, config):
    path = os.path.join(l.dir, f"{name}.conf")
    with open(path, "w") as f:
        f.write(config)
    return l.start(name, where, "haproxy", "-db", "-f", path)


class Told(backend.Server):
    """An HAProxy that answers with the ends that the header told it."""

    def start(self):
        self.process = haproxy(self.lab, f"haproxy-{self.name}", self.name, RECEIVER)


def lab():
    return labs.Lab("proxy-protocol", backends=2, workers=2)


def prepare(l):
    l.backends = [backend.Origin(l, "backend-1"), Told(l, "backend-2")]
    for b in l.backends:
        b.wait_ready()
    objects.bring_up(l, "appliance.yaml", "proxy-protocol.yaml")
    address = vip(l)
    url = f"http://{HOST}:{OPEN}/echo"
    suite.eventually(lambda: l.curl(url, address=address)[0] == 200, "the open listener serves")
    config = SENDER.format(vip=address, v1=V1_PORT, v2=V2_PORT, checked=CHECKED_PORT)
    haproxy(l, "haproxy-sender", "client", config)
    url = f"http://127.0.0.1:{V2_PORT}/"
    suite.eventually(lambda: l.curl(url, "-H", f"Host: {HOST}")[0], "HAProxy passes on")


def vip(l, family=4):
    return objects.gateway_address(l, NS, "gw", family)


@contextlib.contextmanager
def connection(l, port=BEHIND, family=4):
    s = l["client"].connect(vip(l, family), port, timeout=5)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        yield s
    finally:
        s.close()


def request(path):
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


def is_whole(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return bool(lengths) and len(body) >= lengths[0]


def ask(s, path, before=b""):
    """The body of the answer to a request on the connection, after these bytes."""
    raw = backend.request_bytes(s, before + request(path), is_whole)
    assert raw.startswith(b"HTTP/1.1 200"), raw[:200]
    return backend.split_answer(raw)[2]


def forwarded_for(echo):
    return next(value for name, value in backend.echoed(echo)["headers"] if name.lower() == "x-forwarded-for")


def counters(l, *names):
    now = l.appliance.counters()
    return [now[name] for name in names]


@suite.test("#4")
def clients_of_an_haproxy_before_us_are_told_in_both_versions_and_with_a_checksum(l):
    for port in (V1_PORT, V2_PORT, CHECKED_PORT):
        url = f"http://127.0.0.1:{port}/echo"
        status, _, body = l.curl(url, "--interface", OTHER, "-H", f"Host: {HOST}")
        assert status == 200, (port, status, body)
        assert forwarded_for(body) == OTHER, (port, body)


@suite.test("#4")
def curl_tells_itself(l):
    status, _, body = l.curl(f"http://{HOST}/echo", "--haproxy-protocol", address=vip(l))
    assert status == 200 and forwarded_for(body) == labs.CLIENT4, (status, body)


@suite.test("#4")
def a_header_may_come_byte_by_byte_and_holds_for_all_requests_of_its_connection(l):
    for header, client in ((LINE, "203.0.113.9"), (BINARY, "203.0.113.9"), (BINARY6, "2001:db8:9::9")):
        with connection(l) as s:
            for byte in header:
                s.sendall(bytes([byte]))
            for _ in range(3):
                assert forwarded_for(ask(s, "/echo")) == client
        with connection(l, family=6) as s:
            assert forwarded_for(ask(s, "/echo", header)) == client


@suite.test("#4")
def a_header_that_tells_nothing_leaves_the_client_as_it_is(l):
    for header in (b"PROXY UNKNOWN\r\n", SIGNATURE + b"\x20\0\0\0"):
        with connection(l) as s:
            assert forwarded_for(ask(s, "/echo", header)) == labs.CLIENT4


@suite.test("#4")
def what_is_no_header_is_reset_and_never_answered(l):
    rows = {
        b"": "foreign",
        LINE.replace(b"PROXY ", b"proxy "): "foreign",
        LINE.replace(b"\r\n", b"\n"): "line_end",
        LINE.replace(b" 443", b" 0443"): "port",
        LINE.replace(b"203.0.113.9", b"203.0.113.009"): "address",
        LINE.replace(b" 1234", b""): "fields",
        b"PROXY UNKNOWN " + b"x" * 100: "long",
        BINARY.replace(b"\x21\x11", b"\x31\x11"): "version",
        BINARY.replace(b"\x21\x11", b"\x22\x11"): "command",
        BINARY.replace(b"\x21\x11\x00\x0c", b"\x21\x11\x00\x0b"): "short",
        BINARY.replace(b"\x21\x11\x00\x0c", b"\x21\x11\xff\xff"): "long",
    }
    for header, why in rows.items():
        name = f"proxy_header_{why}"
        before = counters(l, name, "proxy_requests")
        with connection(l) as s:
            s.sendall(header + request("/echo"))
            got = b"?"
            with contextlib.suppress(ConnectionResetError):
                got = s.recv(4096)
            assert got == b"?", (header, got)
        suite.eventually(lambda: counters(l, name, "proxy_requests") == [before[0] + 1, before[1]],
                         f"{header!r} is counted as {name}, and as no request")
    url = f"http://{HOST}/echo"
    status, _, reason = l.curl(url, address=vip(l))
    assert status == 0 and b"reset" in reason, (status, reason)


@suite.test("#4")
def who_says_nothing_or_not_all_is_reset_when_its_time_is_over(l):
    with connection(l) as silent, connection(l) as slow:
        slow.sendall(LINE[:-1])
        for s in (silent, slow):
            s.settimeout(60)
            got = b"?"
            with contextlib.suppress(ConnectionResetError):
                got = s.recv(4096)
            assert got == b"?", got
    with connection(l) as s:
        s.sendall(LINE[:-1])
        s.shutdown(socket.SHUT_WR)
        got = b"?"
        with contextlib.suppress(ConnectionResetError):
            got = s.recv(4096)
        assert got == b"?", got


@suite.test("#4")
def an_haproxy_behind_us_is_told_the_client_in_both_versions(l):
    address = vip(l)
    for path in ("/told", "/told-v1"):
        with connection(l, OPEN) as s:
            port = s.getsockname()[1]
            wanted = f"{labs.CLIENT4} {port} {address} {OPEN}"
            before = counters(l, "upstream_opened", "proxy_retries")
            for _ in range(3):
                assert ask(s, path).decode() == wanted
            opened, retries = counters(l, "upstream_opened", "proxy_retries")
            assert opened - before[0] == 1 + retries - before[1], "the client's requests share a connection"


@suite.test("#4")
def what_we_were_told_is_told_further(l):
    rows = {LINE: "203.0.113.9 1234 198.51.100.1 443", BINARY6: "2001:db8:9::9 1234 2001:db8:9::1 443"}
    for header, wanted in rows.items():
        for path in ("/told", "/told-v1"):
            with connection(l) as s:
                assert ask(s, path, header).decode() == wanted
    with connection(l, OPEN, family=6) as s:
        assert ask(s, "/told").decode() == f"{labs.CLIENT6} {s.getsockname()[1]} {vip(l, 6)} {OPEN}"


@suite.test("#4")
def two_clients_never_share_a_connection_to_a_backend_that_is_told(l):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connection(l, OPEN)) for _ in range(12)]
        for _ in range(4):
            for s in clients:
                assert ask(s, "/told").decode().split()[1] == str(s.getsockname()[1])


@suite.test("#4")
def explain_tells_who_requires_a_header_and_who_is_sent_one(l):
    for port, wanted in ((BEHIND, "Require"), (OPEN, "")):
        done = l.appliance.ctl("explain", "GET", f"http://{HOST}:{port}/told", "-o", "json")
        status = json.loads(done.stdout)["status"]
        assert status.get("proxyProtocol", "") == wanted, status
        assert [b.get("proxyProtocol") for b in status["backends"]] == ["V2"], status


@suite.test("#4")
def who_is_not_trusted_is_reset_whatever_it_says(l):
    api = l.appliance.api

    def trust(*prefixes):
        generation = l.appliance.generation()
        api.patch("TransportPolicy", "behind", {"spec": {"proxyProtocol": {"trustedPrefixes": list(prefixes)}}}, NS)
        suite.eventually(lambda: l.appliance.generation() > generation, f"{prefixes} are trusted")

    trust("198.51.100.0/24", "::/0")
    before = counters(l, "proxy_conns_untrusted", "proxy_conns_accepted")
    for data in (LINE + request("/echo"), b""):
        got = b"?"
        with contextlib.suppress(ConnectionError), connection(l) as s:
            s.sendall(data)
            got = s.recv(4096) or b"?"
        assert got == b"?", got
    assert counters(l, "proxy_conns_untrusted", "proxy_conns_accepted") == [before[0] + 2, before[1]]
    with connection(l, family=6) as s:
        assert forwarded_for(ask(s, "/echo", LINE)) == "203.0.113.9", "IPv6 is trusted"
    trust(f"{labs.CLIENT4}/32")
    with connection(l) as s:
        assert forwarded_for(ask(s, "/echo", LINE)) == "203.0.113.9"


@suite.test("#4")
def a_listener_that_requires_no_header_any_more_takes_none(l):
    api = l.appliance.api
    with connection(l) as old:
        assert forwarded_for(ask(old, "/echo", LINE)) == "203.0.113.9"
        api.delete("TransportPolicy", "behind", NS)
        url = f"http://{HOST}/echo"
        suite.eventually(lambda: l.curl(url, address=vip(l))[0] == 200, "clients need no header any more")
        assert forwarded_for(ask(old, "/echo")) == "203.0.113.9", "a connection stays what it was"
    status, _, _ = l.curl(f"http://{HOST}/echo", "--haproxy-protocol", address=vip(l))
    assert status == 400, status
