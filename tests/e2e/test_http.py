# SPDX-License-Identifier: Apache-2.0
"""HTTP/1 from curl and from raw sockets: what a client may do, and what is refused."""
import backend
import lab as labs
import objects
import suite
from objects import NS1

HOST = "foo.example.com"


def lab():
    return labs.Lab("http", backends=2)


def prepare(l):
    l.start_backends(backend.Origin)
    objects.bring_up(l, *objects.OVERVIEW)
    l.vip = objects.gateway_address(l, NS1, "foo-gateway")
    suite.eventually(lambda: ask(l, "/echo")[0] == 200, "it serves")


def ask(l, path, *options, **how):
    return l.curl(f"http://{HOST}{path}", *options, address=l.vip, **how)


def say(l, raw, until=None):
    """Sends raw bytes on a connection of its own; everything that comes back."""
    with l["client"].connect(l.vip, 80) as sock:
        sock.settimeout(5)
        return backend.request_bytes(sock, raw, until or (lambda got: False))


def status_of(answer):
    """Of the first answer in raw bytes; 0: none."""
    return int(answer.split(b" ")[1]) if answer.startswith(b"HTTP/1.") else 0


@suite.test("S19")
def keep_alive_carries_many_requests_on_one_connection(l):
    done = l["client"].run("curl", "-sS", "-o", "/dev/null", "-w", "%{num_connects}\n", "--resolve",
                           f"{HOST}:80:{l.vip}", f"http://{HOST}/echo?[1-20]", timeout=30)
    assert [int(n) for n in done.stdout.split()] == [1] + [0] * 19, done.stdout


@suite.test("S19")
def the_backend_sees_the_request_as_it_was_asked(l):
    asked = backend.echoed(ask(l, "/echo/a%20b?c=d&e=%2F", "-X", "PUT", "-d", "body", "-H", "X-One: 1")[2])
    assert (asked["method"], asked["path"]) == ("PUT", "/echo/a%20b?c=d&e=%2F"), asked
    assert asked["length"] == 4 and ["X-One", "1"] in asked["headers"], asked
    hosts = [v for n, v in asked["headers"] if n.lower() == "host"]
    assert hosts == [HOST] and asked["version"] == "HTTP/1.1", asked


@suite.test("S19")
def head_has_the_headers_and_no_body(l):
    status, headers, body = ask(l, "/bytes/5000", "-I")
    assert (status, headers["content-length"], body) == (200, "5000", b""), (status, headers)
    pair = say(l, (f"HEAD /bytes/5000 HTTP/1.1\r\nHost: {HOST}\r\n\r\nGET /status/204 HTTP/1.1\r\nHost: {HOST}\r\n"
                   "Connection: close\r\n\r\n").encode())
    assert pair.count(b"HTTP/1.1 ") == 2 and b" 204 " in pair, pair


@suite.test("S19")
def expect_100_continue_is_answered_before_the_body_is_sent(l):
    head = (f"POST /upload HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
            "Connection: close\r\n\r\n")
    with l["client"].connect(l.vip, 80) as sock:
        sock.settimeout(5)
        first = backend.request_bytes(sock, head.encode(), lambda got: b"\r\n\r\n" in got)
        assert status_of(first) == 100, first
        rest = backend.request_bytes(sock, b"hello", lambda got: b"sha256" in got)
        assert status_of(rest) == 200 and b'"length": 5' in rest, rest


@suite.test("S19")
def chunked_uploads_pass_and_chunked_answers_too(l):
    asked = backend.echoed(ask(l, "/echo", "-H", "Transfer-Encoding: chunked", "-d", "0123456789")[2])
    assert asked["length"] == 10, asked
    pieces = b"".join(b"%x;ext=1\r\n%b\r\n" % (n, b"z" * n) for n in (1, 2, 300)) + b"0\r\nX-Trailer: t\r\n\r\n"
    answer = say(l, f"POST /upload HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                 .encode() + pieces)
    assert status_of(answer) == 200 and b'"length": 303' in answer, answer
    status, headers, body = ask(l, "/chunked/70000")
    assert status == 200 and headers["transfer-encoding"] == "chunked" and len(body) == 70000, headers


@suite.test("S19")
def connection_close_is_obeyed_both_ways(l):
    answer = say(l, f"GET /echo HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
    assert status_of(answer) == 200 and b"connection: close" in answer.lower(), answer
    for _ in range(3):
        assert ask(l, "/close")[0] == 200
    status, _, body = ask(l, "/until-close/70000")
    assert (status, len(body)) == (200, 70000)


@suite.test("S19")
def pipelined_requests_are_answered_in_order(l):
    requests = b"".join(f"GET /echo/{n} HTTP/1.1\r\nHost: {HOST}\r\n{close}\r\n".encode()
                        for n, close in [(n, "") for n in range(9)] + [(9, "Connection: close\r\n")])
    answer = say(l, requests)
    assert answer.count(b"HTTP/1.1 200") == 10, answer
    places = [answer.find(b'"path": "/echo/%d"' % n) for n in range(10)]
    assert -1 not in places and places == sorted(places), places


@suite.test("S19")
def a_request_in_single_bytes_is_a_request(l):
    with l["client"].connect(l.vip, 80) as sock:
        sock.settimeout(5)
        raw = f"GET /echo HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
        for i in range(len(raw) - 1):
            sock.sendall(raw[i:i + 1])
        answer = backend.request_bytes(sock, raw[-1:], lambda got: False)
    assert status_of(answer) == 200, answer


@suite.test("S19")
def http_1_0_clients_are_served_and_the_connection_ends(l):
    answer = say(l, f"GET /echo HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
    assert status_of(answer) == 200 and b'"path": "/echo"' in answer, answer
    answer = say(l, f"GET /chunked/1000 HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
    assert b"transfer-encoding" not in answer.lower() and len(answer.partition(b"\r\n\r\n")[2]) == 1000, answer[:300]


@suite.test("S19")
def ambiguous_requests_are_400_and_the_connection_ends(l):
    host = f"Host: {HOST}\r\n"
    for what, raw in {
        "two lengths": f"POST / HTTP/1.1\r\n{host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "length with chunked":
            f"POST / HTTP/1.1\r\n{host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "bare LF": f"GET / HTTP/1.1\n{host}\r\n",
        "bare CR": f"GET / HTTP/1.1\r\n{host}A: b\rc\r\n\r\n",
        "obs-fold": f"GET / HTTP/1.1\r\n{host}A: b\r\n c\r\n\r\n",
        "space before the colon": f"GET / HTTP/1.1\r\n{host}A : b\r\n\r\n",
        "no Host": "GET / HTTP/1.1\r\n\r\n",
        "two Hosts": f"GET / HTTP/1.1\r\n{host}{host}\r\n",
        "userinfo in Host": "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
        "a header without a colon": f"GET / HTTP/1.1\r\n{host}nonsense\r\n\r\n",
        "an unknown transfer coding": f"POST / HTTP/1.1\r\n{host}Transfer-Encoding: xchunked\r\n\r\n",
        "a bad chunk size": f"POST /upload HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        "NUL in a header": f"GET / HTTP/1.1\r\n{host}A: \0\r\n\r\n",
        "a bad version": f"GET / HTTP/9.9\r\n{host}\r\n",
    }.items():
        answer = say(l, raw.encode("latin-1") + b"GET /status/204 HTTP/1.1\r\n" + host.encode() + b"\r\n")
        assert status_of(answer) in (400, 501, 505), (what, answer[:200])
        assert b" 204 " not in answer, f"{what}: what follows was taken as a request"


@suite.test("S19")
def headers_beyond_the_limit_are_431_and_a_long_target_414(l):
    answer = say(l, f"GET / HTTP/1.1\r\nHost: {HOST}\r\nA: {'x' * 200000}\r\n\r\n".encode())
    assert status_of(answer) == 431, answer[:200]
    answer = say(l, f"GET /{'x' * 200000} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    assert status_of(answer) in (414, 431), answer[:200]


@suite.test("S19")
def a_head_of_64_kb_is_431_and_holds_no_memory(l):
    fields = "".join(f"A{i}: {'x' * 1000}\r\n" for i in range(64))
    answer = say(l, f"GET / HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n".encode())
    assert status_of(answer) == 431, answer[:200]
    assert ask(l, "/echo")[0] == 200, "others are served"


@suite.test("S19")
def an_upgrade_that_is_no_handshake_is_not_taken_and_the_request_is_answered(l):
    status, headers, _ = ask(l, "/echo", "-H", "Connection: Upgrade", "-H", "Upgrade: websocket")
    assert status in (200, 400, 501) and "upgrade" not in headers, (status, headers)
    answer = say(l, b"CONNECT foo.example.com:443 HTTP/1.1\r\nHost: foo.example.com:443\r\n\r\n")
    assert 400 <= status_of(answer) < 600, answer[:200]


@suite.test("S19")
def hop_by_hop_headers_stay_on_their_hop(l):
    asked = backend.echoed(ask(l, "/echo", "-H", "Connection: keep-alive, X-Mine", "-H", "X-Mine: 1",
                               "-H", "Keep-Alive: 5", "-H", "TE: trailers", "-H", "Proxy-Connection: keep-alive")[2])
    names = {n.lower() for n, _ in asked["headers"]}
    assert not names & {"x-mine", "keep-alive", "proxy-connection"}, names


@suite.test("S19")
def a_backend_that_cuts_its_answer_cuts_the_client_s_too(l):
    status, _, why = ask(l, "/cut/100000")
    assert status == 0, "the client was told a whole answer"
    assert ask(l, "/reset")[0] in (502, 503), "no answer at all is a bad gateway"
    assert ask(l, "/echo")[0] == 200, why


@suite.test("S19")
def a_slow_answer_is_waited_for(l):
    assert ask(l, "/slow/1500")[0] == 200


@suite.test("S19")
def a_client_that_goes_away_harms_nobody(l):
    for _ in range(20):
        sock = l["client"].connect(l.vip, 80)
        sock.sendall(f"GET /bytes/10000000 HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        sock.recv(1000)
        sock.close()
    assert ask(l, "/echo")[0] == 200
    assert l.appliance.dataplane.is_running()


@suite.test("S19")
def wrk_s_hundred_connections_see_no_error(l):
    said = l["client"].run("wrk", "-t", "1", "-c", "100", "-d", "3", "-H", f"Host: {HOST}",
                           f"http://{l.vip}:80/status/200", timeout=30).stdout
    assert "requests in" in said and "Socket errors" not in said and "Non-2xx" not in said, said
