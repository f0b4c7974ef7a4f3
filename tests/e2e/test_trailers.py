# SPDX-License-Identifier: Apache-2.0
"""Trailers (RFC 9110, section 6.5) from either HTTP to either, both ways; what may not be one ends at the proxy."""
import json
import os

import lab as labs
import objects
import suite

NS, HOST = "trailers", "trailers.example.com"
LAB = os.path.dirname(labs.__file__)
FORBIDDEN = ("Content-Length", "Transfer-Encoding", "Host", "Authorization", "Cookie", "X-Forwarded-For", "Set-Cookie",
             "Content-Type", "Connection", "Proxy-Authorization", "Sec-WebSocket-Key", "If-Match")


def lab():
    return labs.Lab("trailers", backends=2)


def prepare(l):
    l.start("trailing", "backend-1", "/usr/bin/python3", os.path.join(LAB, "trailing.py"), "8080")
    l.files = os.path.join(l.dir, "files")
    os.makedirs(l.files)
    for name in ("one", "body"):
        with open(os.path.join(l.files, name), "w", encoding="ascii") as f:
            f.write("x")
    l.start("nghttpd", "backend-2", "nghttpd", "-v", "--no-tls", "--trailer=x-sum: 7", "-d", l.files, "8080")
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    api = l.appliance.api
    api.put(objects.namespace(NS))
    api.put(objects.gateway(NS, "gw"))
    for n, name in ((1, "h1"), (2, "h2c")):
        service = objects.service(NS, name)
        if name == "h2c":
            service["spec"]["ports"][0]["appProtocol"] = "kubernetes.io/h2c"
        api.put(service)
        api.put(objects.slice_of(NS, name, labs.backend_address(n)))
    api.put(objects.route(NS, "all", [f"{NS}/gw"], [
        objects.matching({"path": {"value": "/one"}}, objects.to("h2c")), objects.to("h1")], HOST))
    l.vip = objects.gateway_address(l, NS, "gw")
    for path in ("/", "/one"):
        suite.eventually(lambda path=path: l.curl(f"http://{HOST}{path}", address=l.vip)[0] == 200, "it serves")


def talk(l, *parts):
    """What comes for these bytes on a connection, until it ends."""
    with l["client"].connect(l.vip, 80) as sock:
        sock.settimeout(10)
        sock.sendall(b"".join(parts))
        got = bytearray()
        while more := sock.recv(65536):
            got += more
    return bytes(got)


def head(method, path, *fields):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", *fields, "Connection: close, TE", "", ""]
    return "\r\n".join(lines).encode()


def body_and_trailers(answer):
    """Of one answer, which is chunked, with nothing behind."""
    first, _, rest = answer.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200 ") and b"transfer-encoding: chunked" in first.lower(), answer
    body = b""
    while True:
        line, _, rest = rest.partition(b"\r\n")
        size = int(line, 16)
        if size == 0:
            break
        body, rest = body + rest[:size], rest[size + 2:]
    assert rest.endswith(b"\r\n"), answer
    lines = [] if rest == b"\r\n" else rest[:-4].split(b"\r\n")
    return body, [tuple(line.decode().split(": ", 1)) for line in lines]


QUERY = "X-Sum=7&x-empty=&" + "&".join(f"{n}=evil" for n in FORBIDDEN)


@suite.test("#6")
def of_an_answer_they_reach_a_client_of_http_1_1_that_wants_some(l):
    body, trailers = body_and_trailers(talk(l, head("GET", f"/?{QUERY}", "TE: trailers")))
    assert trailers == [("x-sum", "7"), ("x-empty", "")], trailers
    fields = {n.lower(): v for n, v in json.loads(body)["fields"]}
    assert fields["te"] == "trailers" and fields["connection"].lower() == "te", fields
    body, trailers = body_and_trailers(talk(l, head("GET", f"/?{QUERY}")))
    assert trailers == [], trailers
    assert "te" not in {n.lower() for n, _ in json.loads(body)["fields"]}


@suite.test("#6")
def of_an_answer_they_reach_a_client_of_http_2_that_wants_some(l):
    for more, wanted in ((["-H", "te: trailers"], True), ([], False)):
        done = l["client"].run("nghttp", "-nv", f"http://{l.vip}/?{QUERY}", "-H", f":authority: {HOST}", *more,
                               timeout=15)
        assert ("x-sum: 7" in done.stdout) == wanted and "evil" not in done.stdout.replace("=evil", ""), done.stdout


@suite.test("#6")
def of_an_answer_by_http_2_they_reach_a_client_of_http_1_1_that_wants_some(l):
    assert body_and_trailers(talk(l, head("GET", "/one", "TE: trailers"))) == (b"x", [("x-sum", "7")])
    first, _, body = talk(l, head("GET", "/one")).partition(b"\r\n\r\n")
    assert b"x-sum" not in first + body, (first, body)


def sent_chunked(l, trailers):
    answer = talk(l, head("POST", "/", "Transfer-Encoding: chunked"), b"5\r\nhello\r\n0\r\n",
                  *(f"{n}: {v}\r\n".encode() for n, v in trailers), b"\r\n")
    return json.loads(body_and_trailers(answer)[0])


@suite.test("#6")
def of_a_request_they_reach_a_backend_of_http_1_1(l):
    assert sent_chunked(l, [("X-Req", " a b "), ("x-two", "2")])["trailers"] == [["x-req", "a b"], ["x-two", "2"]]
    assert sent_chunked(l, [(n, "evil") for n in FORBIDDEN])["trailers"] == []
    many = [(f"x-{n}", "v" * 20) for n in range(100)]
    assert sent_chunked(l, many)["trailers"] == [list(t) for t in many]


@suite.test("#6")
def of_a_request_by_http_2_they_reach_a_backend_of_http_1_1(l):
    body = os.path.join(l.files, "body")
    done = l["client"].run("nghttp", f"http://{l.vip}/", "-H", f":authority: {HOST}", "-d", body, "--no-content-length",
                           "--trailer", "x-req: 1", "--trailer", "authorization: evil", timeout=15)
    assert json.loads(done.stdout)["trailers"] == [["x-req", "1"]], done.stdout


@suite.test("#6")
def of_a_request_they_reach_a_backend_of_http_2(l):
    talk(l, head("POST", "/one", "Transfer-Encoding: chunked"),
         b"5\r\nhello\r\n0\r\nX-Req: here\r\nCookie: evil\r\n\r\n")
    with open(os.path.join(l.logs, "nghttpd.log"), encoding="utf-8") as f:
        suite.eventually(lambda: f.seek(0) == 0 and "x-req: here" in f.read(), "the backend has it")
        f.seek(0)
        assert "evil" not in f.read()


@suite.test("#6")
def connections_are_good_for_more_afterwards(l):
    one = head("POST", "/", "Transfer-Encoding: chunked").replace(b"close, ", b"") + b"1\r\nx\r\n0\r\nX-A: 1\r\n\r\n"
    answer = talk(l, one, one, head("GET", "/?x-sum=1", "TE: trailers"))
    assert answer.count(b"HTTP/1.1 200 OK") == 3 and answer.endswith(b"0\r\nx-sum: 1\r\n\r\n"), answer


@suite.test("#6")
def no_buffer_is_kept(l):
    suite.eventually(lambda: l.appliance.counters()["proxy_exchanges_now"] == 0, "all have ended")
    assert l.appliance.counters()["proxy_trailers_dropped"] == 0
