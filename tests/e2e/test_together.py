# SPDX-License-Identifier: Apache-2.0
"""Features that meet: TLS behind a PROXY header, WebSocket by TLS, policies about clients that a header tells,
passwords while the configuration changes, kept bodies by TLS, keys of Maglev whose pod is ill, what routes count."""
import concurrent.futures
import contextlib
import hashlib
import json
import os
import socket
import ssl
import struct

import backend
import certs
import lab as labs
import objects
import suite
import test_proxy_protocol as told
import test_retry_body as again
import test_route_times as times
import test_websocket as websocket

NS, HOST, PAIR, OTHER = "together", "app.example.com", "hashed.example.com", "other.example.net"
WS, LOCKED = "ws.example.com", "locked.example.com"
SECURE, BEHIND, TURNING = 443, 8443, 8080
APP, SERVER, HASHED = 1, 2, (1, 3, 4)  # backends
KEYS, WORKERS = 40, 2
CLIENT, STRANGER = "203.0.113.9", "203.0.113.77"
HASH = "$2b$10$abcdefghijklmnopqrstuuqflPDzB6gcMhKa1rZqKiun2YGL5sa2u"  # of "secret"
WAIT_S = 20


def lab():
    return labs.Lab("together", backends=4, workers=WORKERS)


def line(client=CLIENT):
    return told.LINE.replace(CLIENT.encode(), client.encode())


def own(kind, name, **spec):
    return {"apiVersion": "sluice.internal/v1", "kind": kind, "metadata": {"namespace": NS, "name": name}, "spec": spec}


def transport(name, target, **spec):
    group = "gateway.networking.k8s.io" if target["kind"] == "Gateway" else ""
    return own("TransportPolicy", name, targetRefs=[{"group": group, **target}], **spec)


def required(listener):
    return transport(listener, {"kind": "Gateway", "name": "gw", "sectionName": listener},
                     proxyProtocol={"accept": "Require"})


def gateway(*turning):
    made = objects.gateway(NS, "gw")
    made["spec"]["listeners"] = [
        objects.https("secure", "wild", hostname="*.example.com"),
        objects.https("other", "wild", hostname=OTHER),
        objects.https("behind", "wild", hostname="*.example.com", port=BEHIND), *turning]
    return made


def by(kind, name, rule):
    ref = {"type": "ExtensionRef", "extensionRef": {"group": "sluice.internal", "kind": kind, "name": name}}
    return {"filters": [ref], **rule}


def below(path, rule):
    return objects.matching({"path": {"type": "PathPrefix", "value": path}}, rule)


def put_route(l, *more):
    """What the application is asked; another rule makes another image."""
    tried = {**objects.to("app"), "retry": {"attempts": 3, "codes": [503], "backoff": "10ms"}}
    l.appliance.api.put(objects.route(NS, "app", [f"{NS}/gw"], [
        below("/echo/office", by("AccessPolicy", "office", objects.to("app"))),
        below("/echo/books", by("AccessPolicy", "readers", objects.to("app"))),
        below("/echo/once", by("RateLimit", "once", objects.to("app"))),
        below("/busy-first", tried), below("/reset-first", tried), *more, objects.to("app")], HOST))


def prepare(l):
    l.backends = [backend.Origin(l, f"backend-{n}") for n in HASHED]
    program = os.path.join(websocket.PEERS, "server.py")
    l.start("server.py", f"backend-{SERVER}", websocket.PYTHON, program, "8080").wait_ready(
        lambda: websocket.is_listening(l[f"backend-{SERVER}"]), "port 8080", 20)
    for b in l.backends:
        b.wait_ready()
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    l.authority = certs.Authority(l.dir)
    api = l.appliance.api
    api.put(objects.namespace(NS))
    rotate(l)
    api.put(gateway({"name": "turning", "port": TURNING, "protocol": "HTTP"}))
    for name, numbers in (("app", [APP]), ("ws", [SERVER]), ("hashed", HASHED)):
        api.put(objects.service(NS, name))
        api.put(objects.slice_of(NS, name, *map(labs.backend_address, numbers)))
    api.put({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": NS, "name": "readers"},
             "stringData": {".htpasswd": f"ada:{HASH}\n"}})
    for o in (required("behind"), required("turning"),
              own("AccessPolicy", "office", addresses={"allow": [CLIENT]}),
              own("AccessPolicy", "readers", basic={"secretRef": {"name": "readers"}}),
              own("RateLimit", "once", requests=1, per="24h", key={"type": "ClientAddress"}),
              transport("hashed", {"kind": "Service", "name": "hashed"}, balancing="Maglev",
                        hashOn={"type": "Header", "name": "X-Key"}),
              own("HealthPolicy", "hashed", targetRefs=[{"group": "", "kind": "Service", "name": "hashed"}],
                  panicThresholdPercent=0, active={"type": "TCP", "interval": "250ms", "timeout": "200ms",
                                                   "healthyThreshold": 2, "unhealthyThreshold": 2})):
        api.put(o)
    put_route(l)
    retry = {"retry": {"attempts": 3, "codes": [503], "backoff": "10ms"}}
    for name, rule, host in (("ws", objects.to("ws"), WS), ("hashed", {**objects.to("hashed"), **retry}, PAIR),
                             ("locked", by("AccessPolicy", "readers", objects.to("ws")), LOCKED)):
        api.put(objects.route(NS, name, [f"{NS}/gw"], [rule], host))
    l.vip = objects.gateway_address(l, NS, "gw")
    for host, path in ((HOST, "/echo"), (PAIR, "/echo"), (WS, "/plain")):
        suite.eventually(lambda: curl(l, host, path)[0] == 200, f"{host} is served", WAIT_S)
    suite.eventually(lambda: curl(l, LOCKED, "/plain")[0] == 401, f"{LOCKED} is served", WAIT_S)
    suite.eventually(lambda: l.appliance.counters()["health_probes_now"] == len(HASHED), "all are checked", WAIT_S)


def rotate(l):
    pair = l.authority.server("wild", "*.example.com", OTHER)
    l.appliance.api.put(objects.tls_secret(NS, "wild", *pair))


def curl(l, host, path, *options, port=SECURE):
    return l.curl(f"https://{host}:{port}{path}", "--cacert", l.authority.ca, *options, address=l.vip)


def counted(l, *names):
    now = l.appliance.counters()
    return [now[name] for name in names]


def grows(l, name, before, by_=1):
    suite.eventually(lambda: counted(l, name)[0] == before + by_, f"{name} grows by {by_}", WAIT_S)


def publish(l):
    """Another image, of which the workers know."""
    before = l.appliance.generation()
    l.n_published = getattr(l, "n_published", 0) + 1
    put_route(l, below(f"/more/{l.n_published}", objects.to("app")))
    suite.eventually(lambda: l.appliance.generation() > before, "another image is served", WAIT_S)


class Secure:
    """A client of TLS that hands out its bytes, so that a test says how they are sent."""

    def __init__(self, l, host=HOST):
        context = ssl.create_default_context(cafile=l.authority.ca)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=host)
        self.sock = None
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        self.hello = self.outgoing.read()

    def shake(self, sock):
        """The rest of the handshake, when the hello has been sent."""
        self.sock = sock
        self._until(self.tls.do_handshake)

    def _until(self, call):
        while True:
            try:
                done = call()
                self.sock.sendall(self.outgoing.read())
                return done
            except ssl.SSLWantReadError:
                self.sock.sendall(self.outgoing.read())
                got = self.sock.recv(65536)
                assert got, "it ended within the handshake or an answer"
                self.incoming.write(got)

    def ask(self, path, host=HOST):
        """(status, body)"""
        self.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        return self.answer()

    def send(self, data):
        """A record, and so a segment."""
        self._until(lambda: self.tls.write(data))

    def answer(self):
        got = b""
        while not told.is_whole(got):
            got += self._until(lambda: self.tls.read(65536))
        status, _, body = backend.split_answer(got)
        return status, body


@contextlib.contextmanager
def connection(l, port):
    s = l["client"].connect(l.vip, port, timeout=15)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with s:
        yield s


@contextlib.contextmanager
def behind(l, header, port=BEHIND):
    """A connection by TLS that begins with the header."""
    with connection(l, port) as s:
        client = Secure(l)
        s.sendall(header)
        s.sendall(client.hello)
        client.shake(s)
        yield client


def is_reset(s):
    """It is, and not a byte came."""
    got = b"?"
    with contextlib.suppress(ConnectionResetError):
        got = s.recv(4096)
    assert got == b"?", got


@suite.test("#4")
def before_tls_a_header_tells_the_client_in_both_versions_however_it_is_cut(l):
    for header, client in ((told.LINE, CLIENT), (told.BINARY, CLIENT), (told.BINARY6, "2001:db8:9::9")):
        for cuts in ((), (len(header),), (5, len(header) - 3), (len(header) + 40,), tuple(range(1, len(header) + 9))):
            secure = Secure(l)
            whole = header + secure.hello
            with connection(l, BEHIND) as s:
                for start, end in zip((0, *cuts), (*cuts, len(whole))):
                    s.sendall(whole[start:end])
                secure.shake(s)
                for _ in range(2):
                    status, body = secure.ask("/echo")
                    assert status == 200 and told.forwarded_for(body) == client, (header, cuts, status, body)
    fields = {n.lower(): v for n, v in backend.echoed(body)["headers"]}
    assert fields["x-forwarded-proto"] == "https", fields


@suite.test("#4")
def tls_without_its_header_is_reset_before_a_byte_of_tls(l):
    before = counted(l, "proxy_header_foreign", "proxy_tls_handshakes")
    with connection(l, BEHIND) as s:
        s.sendall(Secure(l).hello)
        is_reset(s)
    grows(l, "proxy_header_foreign", before[0])
    with connection(l, BEHIND) as s:  # cut within
        s.sendall(told.LINE[:-1])
        s.shutdown(socket.SHUT_WR)
        is_reset(s)
    assert counted(l, "proxy_tls_handshakes")[0] == before[1]
    with connection(l, SECURE) as s:  # where none is required one is no TLS
        s.sendall(told.LINE + Secure(l).hello)
        assert s.recv(4096)[:1] in (b"", b"\x15")


@suite.test("#4")
def a_header_may_come_late_while_the_configuration_changes(l):
    with connection(l, BEHIND) as silent, connection(l, BEHIND) as slow:
        slow.sendall(told.LINE[:20])
        for _ in range(3):
            publish(l)
            rotate(l)
        for s, rest in ((silent, told.LINE), (slow, told.LINE[20:])):
            secure = Secure(l)
            s.sendall(rest + secure.hello)
            secure.shake(s)
            status, body = secure.ask("/echo")
            assert status == 200 and told.forwarded_for(body) == CLIENT, body


@suite.test("#4")
def who_waits_on_a_listener_that_turns_to_tls_speaks_tls_then(l):
    with connection(l, TURNING) as waits, connection(l, TURNING) as speaks:
        waits.sendall(told.LINE[:20])
        assert told.forwarded_for(told.ask(speaks, "/echo", told.LINE)) == CLIENT
        l.appliance.api.put(gateway(objects.https("turning", "wild", hostname="*.example.com", port=TURNING)))

        def turned():
            with contextlib.suppress(ConnectionError, ssl.SSLError), behind(l, told.LINE, TURNING) as c:
                return c.ask("/echo")[0] == 200
        suite.eventually(turned, "the listener speaks TLS")
        secure = Secure(l)
        waits.sendall(told.LINE[20:] + secure.hello)
        secure.shake(waits)
        status, body = secure.ask("/echo")
        assert status == 200 and told.forwarded_for(body) == CLIENT, body
        with contextlib.suppress(ConnectionError):
            assert not speaks.recv(4096), "who spoke in plain text is closed"


@suite.test("#4")
def a_listener_by_tls_takes_headers_as_long_as_its_policy_says(l):
    with behind(l, told.LINE) as old:
        assert told.forwarded_for(old.ask("/echo")[1]) == CLIENT
        for _ in range(2):
            l.appliance.api.delete("TransportPolicy", "behind", NS)
            suite.eventually(lambda: curl(l, HOST, "/echo", port=BEHIND)[0] == 200, "none is required", WAIT_S)
            l.appliance.api.put(required("behind"))
            suite.eventually(lambda: curl(l, HOST, "/echo", port=BEHIND)[0] == 0, "one is required", WAIT_S)
        assert told.forwarded_for(old.ask("/echo")[1]) == CLIENT, "it stays what it was"
    with behind(l, told.LINE) as c:
        assert c.ask("/echo")[0] == 200


@suite.test("#4 S23")
def policies_about_addresses_are_about_the_client_that_the_header_tells(l):
    with behind(l, line()) as c:
        assert c.ask("/echo/office")[0] == 200
        assert [c.ask("/echo/once")[0] for _ in range(2)] == [200, 429]
    with behind(l, line(STRANGER)) as c:
        assert c.ask("/echo/office")[0] == 403
        assert [c.ask("/echo/once")[0] for _ in range(2)] == [200, 429]
    assert curl(l, HOST, "/echo/office")[0] == 403
    before = sum(counted(l, "proxy_end_limited"))
    with behind(l, line()) as c:  # on another connection, maybe on the other worker
        seen = [c.ask("/echo/once")[0] for _ in range(3)]
    assert seen[1:] == [429, 429], seen
    assert counted(l, "proxy_end_limited")[0] >= before + 2


def done(l, host, path, what, n=0):
    return json.loads(run_client(l, host, path, what, n).stdout)


def run_client(l, host, path, what, n=0):
    program = os.path.join(websocket.PEERS, "client.py")
    ran = l["client"].run(websocket.PYTHON, program, l.vip, host, path, what, str(n), l.authority.ca, timeout=90)
    assert ran.returncode == 0, ran.stderr
    return ran


@suite.test("#3")
def websocket_by_tls_in_all_sizes_and_each_side_closes(l):
    before = counted(l, "proxy_end_tunnel")[0]
    assert done(l, WS, "/echo", "echo", 1 << 20) == {"closed": 1000}
    assert done(l, WS, "/ping", "ping") == {"said": "ponged"}
    assert done(l, WS, "/bye", "bye") == {"said": "going", "closed": 1001, "reason": "away"}
    grows(l, "proxy_end_tunnel", before, 3)
    assert done(l, WS, "/echo", "many", 100) == {"right": 100, "closed": [1000]}


@suite.test("#3")
def a_rotated_certificate_cuts_no_tunnel(l):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        stays = pool.submit(done, l, WS, "/echo", "stay")
        suite.eventually(lambda: counted(l, "proxy_tunnels_now")[0] == 1, "the tunnel is there", WAIT_S)
        for _ in range(3):
            rotate(l)
            publish(l)
        assert counted(l, "proxy_tunnels_now")[0] == 1
        with open(l.authority.ca + ".echo", "w", encoding="ascii"):
            pass
        assert stays.result(60) == {"closed": 1000}


@suite.test("#3 S23")
def a_websocket_behind_a_password_is_opened_by_who_has_it(l):
    assert done(l, LOCKED, "/echo", "refused") == {"status": 401}
    assert done(l, f"ada:guess@{LOCKED}", "/echo", "refused") == {"status": 401}
    assert done(l, f"ada:secret@{LOCKED}", "/echo", "echo", 100000) == {"closed": 1000}
    assert done(l, f"ada:secret@{LOCKED}", "/echo", "refused") == {"status": 101}


@suite.test("S23")
def passwords_by_tls_while_routes_change_and_clients_reset(l):
    def ask(password):
        return curl(l, HOST, "/echo/books", "-u", f"ada:{password}")[0]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        wrong = [pool.submit(ask, f"wrong {n}") for n in range(12)]
        right = [pool.submit(ask, "secret") for _ in range(4)]
        for _ in range(4):
            publish(l)
        assert {f.result() for f in wrong} <= {401, 503}
        assert {f.result() for f in right} <= {200, 503}
    with contextlib.ExitStack() as stack:
        clients = []
        for n in range(6):
            sock = stack.enter_context(connection(l, SECURE))
            secure = Secure(l)
            sock.sendall(secure.hello)
            secure.shake(sock)
            clients.append(secure)
        before = counted(l, "proxy_verifications")[0]
        for n, c in enumerate(clients):
            head = f"GET /echo/books HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Basic YWRhOmd1ZXNz{n}w==\r\n\r\n"
            c.send(head.encode())
        suite.eventually(lambda: counted(l, "proxy_verifications")[0] > before, "passwords are looked at")
        for c in clients:
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            c.sock.close()
    suite.eventually(lambda: counted(l, "proxy_exchanges_now")[0] == 0, "all are over", WAIT_S)
    suite.eventually(lambda: ask("secret") == 200, "the right one is good", 30)


def post(l, host, path, body, *options, method="POST"):
    name = os.path.join(l.dir, "body")
    with open(name, "wb") as f:
        f.write(body)
    status, _, got = curl(l, host, path, "-X", method, "--data-binary", f"@{name}", *options)
    return status, json.loads(got) if status == 200 else got


@suite.test("#5")
def a_body_by_tls_is_sent_again_whole(l):
    for kind in ("reset-first", "busy-first"):
        for n, expect in ((1, "Expect:"), (2, "Expect: 100-continue")):
            for length in (1, 3000, again.LIMIT):
                body = os.urandom(length)
                # a reset behind a 100 came within an answer: only what may come twice goes again
                method = "PUT" if kind == "reset-first" and n == 2 else "POST"
                status, facts = post(l, HOST, f"/{kind}/{n}?{length}", body, "-H", expect, method=method)
                assert status == 200 and again.is_whole(facts, body), (kind, length, expect, status, facts)
                assert facts["before"] == [length] * n, (kind, length, expect, facts)
    assert post(l, HOST, "/reset-first/1?100", b"once", "-H", "Expect: 100-continue")[0] == 502


@suite.test("#5")
def a_body_in_many_records_with_the_next_request_behind_it_is_sent_again_whole(l):
    body = os.urandom(again.LIMIT)
    sha = hashlib.sha256(body).hexdigest()
    sock = l["client"].connect(l.vip, SECURE, timeout=15)
    with sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = Secure(l)
        sock.sendall(client.hello)
        client.shake(sock)
        for n in range(3):
            head = f"POST /busy-first/1?records{n} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(body)}\r\n\r\n"
            client.send(head.encode())
            for at in range(0, len(body), 1024):
                client.send(body[at:at + 1024])
            status, got = client.answer()
            facts = json.loads(got)
            assert status == 200 and facts["sha256"] == sha and facts["before"] == [len(body)], (n, status, facts)
        following = f"GET /echo HTTP/1.1\r\nHost: {HOST}\r\n\r\n"
        client.send(head.encode().replace(b"records2", b"all") + body + following.encode())
        status, got = client.answer()
        assert status == 200 and json.loads(got)["before"] == [len(body)], got


def who(l, key):
    status, _, body = curl(l, PAIR, "/echo", "-H", f"X-Key: {key}")
    assert status == 200, (key, status, body)
    return backend.echoed(body)["backend"]


def all_keys(l):
    return {key: who(l, key) for key in range(KEYS)}


@suite.test("#4 health")
def only_the_keys_of_an_ill_pod_move_and_they_come_back(l):
    before = all_keys(l)
    assert set(before.values()) == {f"backend-{n}" for n in HASHED}, before
    ill = l.backends[1]
    ill.process.kill()
    suite.eventually(lambda: counted(l, "health_unhealthy_now")[0] == 1, "it is found to be ill", WAIT_S)
    retries = counted(l, "proxy_retries")
    after = all_keys(l)
    assert ill.name not in after.values(), after
    assert {k: v for k, v in after.items() if before[k] != ill.name} == \
           {k: v for k, v in before.items() if v != ill.name}
    assert all_keys(l) == after, "the others of its keys stay where they went"
    assert counted(l, "proxy_retries") == retries, "nobody asks it"
    key = next(k for k, v in before.items() if v == ill.name)
    for kind in ("busy-first", "reset-first"):
        body = os.urandom(5000)
        status, facts = post(l, PAIR, f"/{kind}/1?ill", body, "-H", f"X-Key: {key}")
        assert status == 200 and again.is_whole(facts, body), (kind, status, facts)
    ill.start()
    ill.wait_ready()
    suite.eventually(lambda: counted(l, "health_unhealthy_now")[0] == 0, "it is well again", WAIT_S)
    suite.eventually(lambda: all_keys(l) == before, "keys are where they were", WAIT_S)


@suite.test("#5")
def routes_count_tunnels_refusals_and_what_was_misdirected(l):
    def classes(name):
        return times.requests(times.scrape(l, f"{NS}/{name}"), f"{NS}/{name}")

    def grown(name, before, **by_):
        def check():
            now = classes(name)
            return {k: now[k] - before.get(k, 0) for k in now if now[k] != before.get(k, 0)} == by_
        suite.eventually(check, f"{name} has {by_} more", WAIT_S)
    ws, locked, app = classes("ws"), classes("locked"), classes("app")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        os.remove(l.authority.ca + ".echo")
        stays = pool.submit(done, l, WS, "/echo", "stay")
        grown("ws", ws, **{"1xx": 1})
        assert counted(l, "proxy_tunnels_now")[0] == 1, "it is counted at its beginning"
        with open(l.authority.ca + ".echo", "w", encoding="ascii"):
            pass
        stays.result(60)
    suite.eventually(lambda: counted(l, "proxy_tunnels_now")[0] == 0, "the tunnel is over")
    grown("ws", ws, **{"1xx": 1})
    assert done(l, LOCKED, "/echo", "refused") == {"status": 401}
    grown("locked", locked, **{"4xx": 1})
    assert curl(l, HOST, "/echo/office")[0] == 403
    grown("app", app, **{"4xx": 1})
    sock = l["client"].connect(l.vip, SECURE, timeout=15)
    with sock:
        client = Secure(l, OTHER)
        sock.sendall(client.hello)
        client.shake(sock)
        assert client.ask("/echo")[0] == 421
    grown("app", app, **{"4xx": 2})


@suite.test("#5")
def no_request_was_lost_from_the_books(l):
    websocket.no_request_was_lost_from_the_books(l)
