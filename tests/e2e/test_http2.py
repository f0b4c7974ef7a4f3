# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 from real clients and from raw frames, in the clear and over TLS, to backends of HTTP/1.1 and of HTTP/2."""
import os
import socket
import struct
import sys
import threading
import xml.etree.ElementTree as xml

import backend
import certs
import h2wire as h2
import lab as labs
import objects
import origin
import routing
import suite

PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers")
sys.path.insert(0, PEERS)
import build  # noqa: E402 (its folder is known only now)

NS, HOST = "h2", "h2.example.com"
H2C_PORT, FULL_PORT = 8081, 8082
# RFC 7540's priorities, which RFC 9113 has no more (SETTINGS_NO_RFC7540_PRIORITIES).
OBSOLETE = {("5.3.1", 2): "a stream may depend on itself: nobody reads on whom it depends"}
LARGE_BYTES = 8 << 20
# h2spec's tests that we answer otherwise: (section, number within it), and why.
STRICTER = {
    ("3.5", 2): "a connection in the clear that does not begin as HTTP/2 does is one of HTTP/1.1, and gets its 400",
}


def lab():
    return labs.Lab("http2", backends=3)


def listeners():
    made = objects.gateway(NS, "gw")
    made["spec"]["listeners"] += [objects.https("secure", "cert", hostname=HOST), objects.https("any", "cert")]
    return made


def prepare(l):
    backend.Origin(l, "backend-1").wait_ready()
    serve_files(l)
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    l.authority = certs.Authority(l.dir)
    api = l.appliance.api
    api.put(objects.namespace(NS))
    api.put(objects.tls_secret(NS, "cert", *l.authority.server("cert", HOST)))
    api.put(listeners())
    api.put(objects.service(NS, "h1"))
    api.put(objects.slice_of(NS, "h1", labs.backend_address(1)))
    put_h2c(l, "h2c", H2C_PORT, 2)
    put_h2c(l, "full", FULL_PORT, 3)
    api.put(objects.service(NS, "ws"))
    api.put(objects.service(NS, "none"))
    api.put(objects.slice_of(NS, "ws", labs.backend_address(3)))
    api.put(objects.route(NS, "all", [f"{NS}/gw"], [
        objects.matching({"path": {"type": "PathPrefix", "value": "/files"}}, objects.to("h2c", port=H2C_PORT)),
        objects.matching({"path": {"value": "/refused"}}, objects.to("none")),
        objects.matching({"path": {"value": "/full"}}, objects.to("full", port=FULL_PORT)),
        objects.matching({"path": {"value": "/socket"}}, objects.to("ws")), objects.to("h1")], HOST))
    api.put(objects.route(NS, "any", [f"{NS}/gw"], [objects.to("h1")]))
    l.vip = objects.gateway_address(l, NS, "gw")
    suite.eventually(lambda: ask(l, "/echo")[0] == 200, "it serves HTTP/1.1 backends")
    suite.eventually(lambda: ask(l, "/files/one")[0] == 200, "it serves HTTP/2 backends")


def serve_files(l):
    """nghttpd on the second backend: HTTP/2 with prior knowledge, and nothing else."""
    folder = os.path.join(l.dir, "files", "files")
    os.makedirs(folder)
    for name, size in (("one", 1), ("large", LARGE_BYTES)):
        with open(os.path.join(folder, name), "wb") as f:
            f.write(pattern(size))
    l.start("websocket", "backend-3", "/usr/bin/python3", os.path.join(PEERS, "websocket", "server.py"), "8080")
    started = l.start("nghttpd", "backend-2", "nghttpd", "--no-tls", "--echo-upload", "--trailer=x-sum: 1",
                      "-d", os.path.dirname(folder), str(H2C_PORT))
    started.wait_ready(lambda: is_listening(l), f"port {H2C_PORT}", 20)


def pattern(size):
    return b"".join(origin.pieces(size))


def is_listening(l):
    try:
        l["backend-2"].connect("127.0.0.1", H2C_PORT, timeout=1).close()
        return True
    except OSError:
        return False


def put_h2c(l, name, number, backend_number):
    service = objects.service(NS, name)
    port = {"name": "h2c", "port": number, "protocol": "TCP"}
    service["spec"]["ports"] = [{**port, "appProtocol": "kubernetes.io/h2c"}]
    l.appliance.api.put(service)
    endpoints = objects.slice_of(NS, name, labs.backend_address(backend_number))
    endpoints["ports"] = [port]
    l.appliance.api.put(endpoints)


class Full:
    """A backend on the third that refuses streams unseen as often as it is told, and answers the others."""

    def __init__(self, l):
        self.refusals, self.streams = 0, 0
        self.socket = l["backend-3"].inside(lambda: socket.create_server(("", FULL_PORT)))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        """One connection after the other, until the socket is shut."""
        while True:
            try:
                with self.socket.accept()[0] as s:
                    self.serve_one(s)
            except OSError:
                return

    def serve_one(self, s):
        s.sendall(h2.settings())
        s.recv(len(h2.PREFACE), socket.MSG_WAITALL)
        reader = h2.Reader(s)
        while (frame := reader.next()) is not None:
            if frame[0] == h2.SETTINGS and not frame[1] & h2.ACK:
                s.sendall(h2.frame(h2.SETTINGS, h2.ACK, 0))
            if frame[0] == h2.HEADERS:
                s.sendall(self.answer(frame[2]))

    def answer(self, stream):
        self.streams += 1
        if self.refusals > 0:
            self.refusals -= 1
            return h2.reset(stream, h2.REFUSED_STREAM)
        return h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, stream, b"\x88")

    def end(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def ask(l, path, *options, **how):
    return l.curl(f"http://{HOST}{path}", "--http2-prior-knowledge", *options, address=l.vip, **how)


def ask_tls(l, path, *options, **how):
    return l.curl(f"https://{HOST}{path}", "--cacert", l.authority.ca, *options, address=l.vip, **how)


def counters(l, *names):
    found = l.appliance.counters()
    return [found[n] for n in names]


def connect(l, *more):
    """A connection whose first bytes are said."""
    sock = l["client"].connect(l.vip, 80, timeout=20)
    sock.sendall(h2.PREFACE + h2.settings() + b"".join(more))
    return sock, h2.Reader(sock)


def get(stream, path="/echo", *more, end=True, method="GET"):
    """The frame that begins a request."""
    flags = h2.END_HEADERS | (h2.END_STREAM if end else 0)
    return h2.frame(h2.HEADERS, flags, stream, h2.block(*h2.request(HOST, path, *more, method=method)))


def answers(reader, stream):
    """Is there an answer on that stream, whole?"""
    found = reader.until(lambda f: f[2] == stream and f[1] & h2.END_STREAM and f[0] in (h2.HEADERS, h2.DATA))
    return found is not None


@suite.test("S19")
def what_the_client_asks_by_http2_the_backend_hears_by_http1(l):
    status, _, body = ask(l, "/echo/a?b=c", "-d", "body", "-H", "X-One: 1", "-H", "Cookie: a=1; b=2")
    asked = backend.echoed(body)
    fields = {n.lower(): v for n, v in asked["headers"]}
    assert (status, asked["method"], asked["path"], asked["length"]) == (200, "POST", "/echo/a?b=c", 4), asked
    assert asked["version"] == "HTTP/1.1" and fields["host"] == HOST and fields["x-one"] == "1", asked
    assert fields["cookie"] == "a=1; b=2" and fields["via"] == "2 sluice", asked


@suite.test("S20")
def over_tls_both_sides_choose_http2_where_the_client_offers_it(l):
    for option, version in (("--http2", "2"), ("--http1.1", "1.1")):
        done = l["client"].run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{http_version}", option,
                               "--cacert", l.authority.ca, "--resolve", f"{HOST}:443:{l.vip}", f"https://{HOST}/echo",
                               timeout=15)
        assert done.stdout == f"200 {version}", done


@suite.test("S4")
def large_bodies_go_both_ways_to_either_kind_of_backend(l):
    for asker in (ask, ask_tls):
        status, _, body = asker(l, f"/bytes/{LARGE_BYTES}", timeout=60)
        assert status == 200 and body == pattern(LARGE_BYTES)
        status, _, body = asker(l, "/files/large", timeout=60)
        assert status == 200 and body == pattern(LARGE_BYTES)
        sent = os.path.join(l.dir, "files", "files", "large")
        status, _, body = asker(l, "/upload", "--data-binary", f"@{sent}", timeout=60)
        assert status == 200 and backend.echoed(body)["length"] == LARGE_BYTES, body[:200]
        status, _, body = asker(l, "/files/upload", "--data-binary", f"@{sent}", timeout=60)
        assert status == 200 and body == pattern(LARGE_BYTES)


@suite.test("S4")
def head_and_answers_without_a_body_end_at_once(l):
    for path, option, status in (("/bytes/5000", "-I", 200), ("/status/204", "-s", 204), ("/status/304", "-s", 304),
                                 ("/files/one", "-I", 200), ("/files/none", "-s", 404)):
        assert ask(l, path, option)[0] == status, path


@suite.test("S4")
def trailers_of_an_answer_reach_a_client_of_http2(l):
    done = l["client"].run("nghttp", "-nv", f"http://{l.vip}/files/one", "-H", f":authority: {HOST}", timeout=15)
    assert "x-sum: 1" in done.stdout, done.stdout
    assert ask(l, "/files/one")[0] == 200
    status, _, body = l.curl(f"http://{HOST}/files/one", address=l.vip)  # HTTP/1.1 does without
    assert (status, len(body)) == (200, 1)


def ends_in_order(l, requests, then=b""):
    """Streams in the order in which their answers end, on a connection whose window opens bit by bit; each answer is
    longer than what goes without it."""
    sock, reader = connect(l, h2.settings((4, 1 << 20)), *requests)
    with sock:
        got, ended = 0, []
        while got < 65535:  # all that the connection's window lets through
            got += len(reader.until(lambda f: f[0] == h2.DATA)[3])
        l["client"].run("sleep", "0.3")  # backends have said enough for each to want more
        sock.sendall(then)
        while len(ended) < len(requests):
            sock.sendall(h2.window_update(0, 16384))
            left = 16384
            while left > 0 and len(ended) < len(requests):
                frame = reader.until(lambda f: f[0] == h2.DATA)
                left -= len(frame[3])
                ended += [frame[2]] if frame[1] & h2.END_STREAM else []
        return ended


@suite.test("S19")
def who_is_urgent_is_answered_first(l):
    def asked(stream, *priority):
        return get(stream, "/bytes/300000", *(("priority", p) for p in priority))
    assert ends_in_order(l, [asked(1, "u=5"), asked(3), asked(5, "u=1")]) == [5, 3, 1]
    assert ends_in_order(l, [asked(1, "u=5"), asked(3, "u=5"), asked(5, "u=5")]) == [1, 3, 5]
    changed = h2.priority_update(5, "u=0") + h2.priority_update(1, "u=7, i")
    assert ends_in_order(l, [asked(1, "u=5"), asked(3, "u=5"), asked(5, "u=5")], changed) == [5, 3, 1]
    early = h2.priority_update(5, "u=0")
    assert ends_in_order(l, [early + asked(1, "u=5"), asked(3, "u=5"), asked(5, "u=5")]) == [5, 1, 3]


@suite.test("S19")
def priorities_are_agreed_upon_and_passed_on(l):
    sock, reader = connect(l)
    with sock:
        said = reader.until(lambda f: f[0] == h2.SETTINGS and not f[1] & h2.ACK)[3]
        pairs = dict(struct.unpack(">HI", said[n:n + 6]) for n in range(0, len(said), 6))
        assert pairs[9] == 1, pairs  # SETTINGS_NO_RFC7540_PRIORITIES
    asked = backend.echoed(ask(l, "/echo", "-H", "priority: u=1, i")[2])
    assert dict((n.lower(), v) for n, v in asked["headers"])["priority"] == "u=1, i", asked


@suite.test("S7")
def what_we_say_ourselves_to_grpc_is_a_status_of_grpc(l):
    call = ["-X", "POST", "-H", "content-type: application/grpc+proto", "-H", "te: trailers", "-d", ""]
    status, fields, body = ask(l, "/refused/Call", *call)
    assert (status, fields["grpc-status"], fields["content-type"], body) == (200, "14", "application/grpc", b""), fields
    status, fields, _ = ask(l, "/refused/Call", *call[:2], "-H", "content-type: application/grpcx", "-d", "")
    assert status == 503 and "grpc-status" not in fields, fields


@suite.test("S19")
def thousands_of_requests_on_a_few_connections_are_all_answered(l):
    before = counters(l, "upstream_opened")[0]
    for scheme, port, path in (("http", 80, "/echo"), ("http", 80, "/files/one"), ("https", 443, "/files/one")):
        url = f"{scheme}://{HOST}{path}"
        done = l["client"].run("h2load", "-n", "3000", "-c", "4", "-m", "50", f"--connect-to={l.vip}:{port}", url,
                               timeout=60)
        assert "3000 succeeded, 0 failed, 0 errored" in done.stdout, (url, done.stdout, done.stderr)
    opened = counters(l, "upstream_opened")[0] - before
    assert opened < 600, opened


@suite.test("S19")
def a_request_that_a_backend_refuses_unseen_is_asked_again_whatever_its_method(l):
    """RFC 9113, section 8.7; the first on a connection that is new."""
    full = Full(l)
    for method in ("POST", "GET", "POST"):
        full.refusals, before = 1, full.streams
        assert ask(l, "/full", "-X", method)[0] == 200, method
        assert full.streams == before + 2, (method, full.streams, before)
    full.refusals, before = 9, full.streams
    assert ask(l, "/full")[0] == 502
    assert full.streams == before + 2, "and not for ever"
    full.end()


@suite.test("S19")
def a_stream_that_nobody_reads_holds_up_no_other(l):
    sock, reader = connect(l, h2.window_update(0, 1 << 24), get(1, f"/bytes/{LARGE_BYTES}"), get(3, "/files/large"))
    with sock:
        reader.until(lambda f: f[0] == h2.DATA and f[2] == 3)
        for stream in (5, 7, 9):
            sock.sendall(get(stream))
            assert answers(reader, stream)
        assert ask(l, "/files/one")[0] == 200, "another connection, the same one to the backend"


@suite.test("S19")
def an_upload_that_stands_still_holds_up_no_other(l):
    sock, reader = connect(l, get(1, "/upload", ("content-length", str(LARGE_BYTES)), end=False, method="POST"))
    with sock:
        for _ in range(16):  # as much as the window has room for
            sock.sendall(h2.frame(h2.DATA, 0, 1, bytes(4000)))
        for stream in (3, 5):
            sock.sendall(get(stream))
            assert answers(reader, stream)


@suite.test("S19")
def a_listener_that_goes_says_goodbye_and_finishes_what_it_has(l):
    sock, reader = connect(l, get(1))
    with sock:
        assert answers(reader, 1)
        made = listeners()
        made["spec"]["listeners"][0]["port"] = 8080
        l.appliance.api.put(made)
        try:
            assert reader.goodbye() == h2.NO_ERROR
        finally:
            l.appliance.api.put(listeners())
            suite.eventually(lambda: ask(l, "/echo")[0] == 200, "it is back")


class Asker(threading.Thread):
    """A client that asks on, and comes again by another connection when it is told to go. What was refused by the last
    stream that a GOAWAY names may be asked again; all else has to be answered."""

    def __init__(self, l):
        super().__init__()
        self.lab, self.is_over, self.answered, self.goodbyes, self.lost = l, threading.Event(), 0, 0, []
        self.start()

    def run(self):
        while not self.is_over.is_set():
            sock, reader = connect(self.lab)
            with sock:
                self.use(sock, reader)

    def use(self, sock, reader):
        last, stream = 1 << 31, 1
        while last == 1 << 31 and not self.is_over.is_set():
            sock.sendall(get(stream))
            while (frame := reader.next()) is not None and not (frame[2] == stream and frame[1] & h2.END_STREAM):
                if frame[0] == h2.GOAWAY:
                    last = struct.unpack(">I", frame[3][:4])[0]
            if frame is None and stream <= last:
                self.lost.append((stream, last))
            self.answered += frame is not None
            stream += 2
        self.goodbyes += last != 1 << 31

    def end(self):
        self.is_over.set()
        self.join()
        return self.answered, self.goodbyes, self.lost


def is_goaway(frame):
    return frame[0] == h2.GOAWAY


@suite.test("#7 S19")
def when_a_drain_begins_clients_are_told_to_go_at_once_and_no_request_is_lost(l):
    """Who rests, who is in the middle of an answer, who asks on."""
    idle, resting = connect(l, get(1))
    busy, reading = connect(l, get(1, f"/bytes/{LARGE_BYTES}"))
    askers = [Asker(l) for _ in range(4)]
    with idle, busy:
        assert answers(resting, 1) and reading.until(lambda f: f[0] == h2.DATA)
        before = counters(l, "proxy_conns_drained")[0]
        l.appliance.api.put(routing.sluice("Drain", "upgrade"))
        try:
            warning = resting.until(is_goaway)
            assert warning[3][:8] == struct.pack(">II", (1 << 31) - 1, h2.NO_ERROR), warning
            idle.sendall(get(3))  # it was under way
            assert answers(resting, 3)
            idle.sendall(h2.frame(h2.PING, h2.ACK, 0, bytes(8)))
            assert resting.goodbye() == h2.NO_ERROR
            assert reading.until(is_goaway)
            busy.sendall(h2.window_update(0, LARGE_BYTES) + h2.window_update(1, LARGE_BYTES))
            assert answers(reading, 1) and reading.goodbye() == h2.NO_ERROR
            suite.eventually(lambda: all(a.goodbyes > 1 for a in askers), "those who ask on come and go")
            assert counters(l, "proxy_conns_drained")[0] >= before + 2 + len(askers)
        finally:
            l.appliance.api.delete("Drain", "upgrade")
            ended = [a.end() for a in askers]
    assert all(answered > 0 and not lost for answered, _, lost in ended), ended


def refused(l, *fields, body=b""):
    """(status, "") of a request with just these fields, or (0, how the stream or the connection ended)."""
    sock, reader = connect(l)
    with sock:
        flags = h2.END_HEADERS | (0 if body else h2.END_STREAM)
        sock.sendall(h2.frame(h2.HEADERS, flags, 1, h2.block(*fields)))
        if body:
            sock.sendall(h2.frame(h2.DATA, h2.END_STREAM, 1, body))
        got = reader.until(lambda f: f[0] in (h2.GOAWAY, h2.RST_STREAM) or (f[0] == h2.HEADERS and f[2] == 1))
        if got is None:
            return 0, "closed"
        if got[0] == h2.HEADERS:
            return h2.status_of(got[3]), ""
        return 0, "reset" if got[0] == h2.RST_STREAM else "goodbye"


@suite.test("S19")
def nothing_is_smuggled_through_fields_of_http2(l):
    good = h2.request(HOST, "/echo")
    cases = {
        "line ends in a value": [*good, ("x", "a\r\nx-smuggled: 1")],
        "a line feed in a value": [*good, ("x", "a\nx-smuggled: 1")],
        "NUL in a value": [*good, ("x", "a\0b")],
        "line ends in a name": [*good, ("x: 1\r\nx-smuggled", "1")],
        "a colon in a name": [*good, ("x-smuggled: 1", "2")],
        "an upper case name": [*good, ("X-Upper", "1")],
        "an empty name": [*good, ("", "1")],
        "Transfer-Encoding": [*good, ("transfer-encoding", "chunked")],
        "Connection": [*good, ("connection", "close")],
        "Upgrade": [*good, ("upgrade", "websocket")],
        "TE of another kind": [*good, ("te", "gzip")],
        "two lengths": [*good, ("content-length", "1"), ("content-length", "2")],
        "a length that is none": [*good, ("content-length", "+0")],
        "a length without a body": [*good, ("content-length", "5")],
        "line ends in the path": h2.request(HOST, "/echo HTTP/1.1\r\nx-smuggled: 1\r\n\r\n"),
        "a space in the path": h2.request(HOST, "/echo HTTP/1.1"),
        "a path without a slash": h2.request(HOST, "echo"),
        "an absolute path": h2.request(HOST, "http://other.example/echo"),
        "an empty path": h2.request(HOST, ""),
        "a space in the method": h2.request(HOST, "/echo", method="GET /x HTTP/1.1\r\nHost: a\r\n\r\nGET"),
        "another host": [*good, ("host", "other.example")],
        "two hosts": [*good, ("host", HOST), ("host", HOST)],
        "no host": [f for f in good if f[0] != ":authority"],
        "line ends in the host": h2.request(HOST + "\r\nx-smuggled: 1", "/echo"),
        "user info in the host": h2.request("user@" + HOST, "/echo"),
        "another scheme": h2.request(HOST, "/echo", scheme="ftp"),
        "no scheme": [f for f in good if f[0] != ":scheme"],
        "no method": [f for f in good if f[0] != ":method"],
        "two methods": [(":method", "GET"), *good],
        "a pseudo field of an answer": [*good[:4], (":status", "200")],
        "a pseudo field behind others": [*good[:3], ("x", "1"), good[3]],
        "CONNECT": [(":method", "CONNECT"), (":authority", HOST)],
        "CONNECT for another protocol": [*h2.request(HOST, "/echo", method="CONNECT"), (":protocol", "connect-udp")],
    }
    taken = {name: got for name, fields in cases.items() if 200 <= (got := refused(l, *fields))[0] < 300}
    assert not taken, taken
    assert refused(l, *good)[0] == 200
    for field in (("cookie", "a=1"), ("te", "trailers"), ("x-ok", "a\tb")):
        assert refused(l, *good, field)[0] == 200, field
    assert refused(l, *h2.request(HOST, "/upload", ("content-length", "3"), method="POST"), body=b"abcd")[0] != 200


@suite.test("S19")
def heads_have_limits(l):
    assert ask(l, "/echo", "-H", f"X-Long: {'a' * 9000}")[0] == 200
    assert ask(l, "/echo", *[o for n in range(140) for o in ("-H", f"X-{n}: 1")])[0] == 431
    assert ask(l, "/echo", "-H", f"X-Long: {'a' * 17000}")[0] == 431
    assert ask(l, "/" + "a" * 9000)[0] == 414


def calmed(l, *said):
    """The error with which the connection ends, if we hear of it; others are served meanwhile."""
    sock, reader = connect(l)
    with sock:
        try:
            for bytes_more in said:
                sock.sendall(bytes_more)
            assert ask(l, "/echo")[0] == 200
            return reader.goodbye()
        except ConnectionError:
            return None  # it ended while we still wrote


@suite.test("S19")
def floods_are_told_to_calm_down(l):
    number = list(range(1, 4001, 2))
    head = h2.block(*h2.request(HOST, "/echo"))
    floods = {
        "rapid reset (CVE-2023-44487)": [get(n) + h2.reset(n) for n in number],
        "PING (CVE-2019-9512)": [h2.frame(h2.PING, 0, 0, bytes(8))] * 5000,
        "SETTINGS (CVE-2019-9515)": [h2.settings()] * 5000,
        "empty DATA (CVE-2019-9518)": [get(1, end=False, method="POST"), *[h2.frame(h2.DATA, 0, 1)] * 5000],
        "PRIORITY (CVE-2019-9513)": [h2.frame(h2.PRIORITY, 0, 1, bytes([0, 0, 0, 0, 9]))] * 5000,
        "WINDOW_UPDATE": [h2.window_update(0, 1)] * 5000,
        "CONTINUATION (CVE-2024-27316)": [h2.frame(h2.HEADERS, 0, 1, head), *[h2.frame(h2.CONTINUATION, 0, 1)] * 5000],
        "fields without end": [h2.frame(h2.HEADERS, 0, 1, head),
                               *[h2.frame(h2.CONTINUATION, 0, 1, h2.literal("x", "y" * 8000))] * 40],
        "HPACK bomb": [h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, 1, head +
                                b"\x40" + h2.literal("x", "y" * 4000)[1:] + b"\xbe" * 12000)],
    }
    ended = lambda: counters(l, "h2_session_end_calm", "h2_session_end_fault")
    before = ended()
    ends = {name: calmed(l, *said) for name, said in floods.items()}
    calm, fault = (b - a for a, b in zip(before, ended()))
    print("  ", ends, f"{calm} were told to calm down, {fault} broke the protocol")
    assert calm + fault == len(floods) and fault <= 2, (calm, fault)


@suite.test("S19")
def a_slow_head_is_not_waited_for_for_ever(l):
    head = h2.block(*h2.request(HOST, "/echo"))
    sock, reader = connect(l, h2.frame(h2.HEADERS, h2.END_STREAM, 1, head))
    with sock:
        sock.settimeout(30)
        assert reader.goodbye() == h2.ENHANCE_YOUR_CALM


@suite.test("S4")
def websocket_goes_over_a_stream(l):
    fields = [*h2.request(HOST, "/echo-socket", method="CONNECT"), (":protocol", "websocket"),
              ("sec-websocket-version", "13")]
    assert refused(l, *fields) == (502, ""), "a backend that does not speak it must not seem to consent"
    sock, reader = connect(l, h2.frame(h2.HEADERS, h2.END_HEADERS, 1, h2.block(
        *[(n, "/socket" if n == ":path" else v) for n, v in fields])))
    with sock:
        head = reader.until(lambda f: f[0] == h2.HEADERS and f[2] == 1)
        assert h2.status_of(head[3]) == 200 and not head[1] & h2.END_STREAM
        for n in range(3):
            sock.sendall(h2.frame(h2.DATA, 0, 1, bytes([0x81, 0x85, 0, 0, 0, 0]) + b"hell%d" % n))
            assert reader.until(lambda f: f[0] == h2.DATA and f[3])[3] == bytes([0x81, 5]) + b"hell%d" % n
        sock.sendall(h2.frame(h2.DATA, 0, 1, bytes([0x88, 0x82, 0, 0, 0, 0, 3, 232])))
        assert answers(reader, 1), "the close is answered, and the stream ends"


def h2spec(l, *options):
    """The tests that failed, as {(section, number)}."""
    report = os.path.join(l.dir, "h2spec.xml")
    done = l["client"].run(build.build("h2spec"), "-h", l.vip, "-P", "/echo", "-o", "4", "-j", report, *options,
                           timeout=300)
    failed, passed = set(), 0
    for group in xml.parse(report).getroot().iter("testsuite"):
        for n, case in enumerate(group.iter("testcase"), 1):
            bad = case.find("failure") is not None or case.find("error") is not None
            passed += not bad
            if bad:
                failed.add((group.get("package").split("/")[-1], n))
    print(f"   {passed} passed, {sorted(failed)} failed;", done.stdout.strip().splitlines()[-1])
    return failed


@suite.test("S19")
def h2spec_passes_in_the_clear(l):
    assert h2spec(l, "-p", "80") <= {*STRICTER, *OBSOLETE}


@suite.test("S20")
def h2spec_passes_over_tls(l):
    assert h2spec(l, "-p", "443", "-t", "-k") <= set(OBSOLETE)
