# SPDX-License-Identifier: Apache-2.0
"""TCPRoutes and TLSRoutes: connections that are passed on, by port, or by the name in a TLS hello that is passed
through or terminated; all of it beside HTTPS on one port. TCPRoutes by connections of the box's here (forwarding:
Proxy), without them in test_forwarding.py."""
import hashlib
import json
import os
import socket
import ssl
import struct
import threading
import time

import backend
import certs
import lab as labs
import objects
import suite
import test_access_log as log

NS = "l4"
WEB, PASS, END = "www.l4.example", "db.pass.example", "db.end.example"
BYTES = 3_000_001
ALERT_UNRECOGNIZED_NAME = 112


class Talker(backend.Server):
    """talker.py, with a certificate of its own for what is passed through."""

    def start(self):
        program = os.path.join(labs.TOP, "tests", "lab", "talker.py")
        self.lab.authority.server(self.name, PASS)
        self.process = self.lab.start(f"talker-{self.name}", self.name, "python3", program, self.name,
                                      self.lab.authority.path(f"{self.name}.crt"),
                                      self.lab.authority.path(f"{self.name}.key"))


def lab():
    return labs.Lab("l4", backends=2, workers=2)


def tls(name, mode, hostname=None, port=443, **more):
    listener = {"name": name, "port": port, "protocol": "TLS", "tls": {"mode": mode, **more}}
    return {**listener, "hostname": hostname} if hostname else listener


def gateway():
    made = objects.gateway(NS, "gw")
    ends = {"certificateRefs": [{"name": "end"}]}
    made["spec"]["listeners"] = [
        objects.https("web", "web", hostname=WEB),
        tls("pass", "Passthrough", "*.pass.example"), tls("end", "Terminate", "*.end.example", **ends),
        tls("digest", "Passthrough", port=8443), tls("any", "Terminate", port=9443, **ends),
        *({"name": f"tcp-{port}", "port": port, "protocol": "TCP"} for port in (5000, 5001, 5002, 5003, 5004))]
    return made


def l4_route(kind, name, section, rule, *hostnames):
    made = objects.route(NS, name, [{"name": "gw", "sectionName": section}], [rule], *hostnames)
    return {**made, "kind": kind}


def put_service(l, name, port, *backends):
    l.appliance.api.put(objects.service(NS, name, port))
    l.appliance.api.put(objects.slice_of(NS, name, *[labs.backend_address(n) for n in backends], port=port))


def forwarding(way, *services):
    """The policy "ways", of these Services."""
    return {"apiVersion": "sluice.internal/v1", "kind": "TransportPolicy",
            "metadata": {"namespace": NS, "name": "ways"},
            "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": s} for s in services], "forwarding": way}}


def prepare(l):
    prepare_routes(l, forwarding("Proxy", "talk", "greet", "digest", "second", "secret", "empty", "closed"))


def prepare_routes(l, *policies):
    l.authority = certs.Authority(l.dir)
    l.log = os.path.join(l.dir, "access.log")
    l.appliance.options = ["--access-log", l.log]
    l.start_backends(Talker)
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    api = l.appliance.api
    api.put(objects.namespace(NS))
    for name, host in (("web", WEB), ("end", END)):
        api.put(objects.tls_secret(NS, name, *l.authority.server(name, host)))
    api.put(gateway())
    for name, port in (("talk", 8080), ("greet", 8081), ("digest", 8082), ("secret", 8443)):
        put_service(l, name, port, 1)
    put_service(l, "second", 8080, 2)
    put_service(l, "empty", 8080)
    put_service(l, "closed", 9, 1)
    for policy in policies:
        api.put(policy)
    for route in (
            l4_route("TLSRoute", "pass", "pass", objects.to("secret", port=8443), PASS),
            l4_route("TLSRoute", "end", "end", objects.to("talk"), "*.end.example"),
            l4_route("TLSRoute", "digest", "digest", objects.to("digest", port=8082), "*.pass.example"),
            l4_route("TCPRoute", "any", "any", objects.to("greet", port=8081)),
            l4_route("TCPRoute", "talk", "tcp-5000", objects.to("talk")),
            l4_route("TCPRoute", "greet", "tcp-5001", objects.to("greet", port=8081)),
            l4_route("TCPRoute", "digest", "tcp-5002", objects.to("digest", port=8082)),
            objects.route(NS, "web", [{"name": "gw", "sectionName": "web"}], [objects.to("talk")], WEB)):
        api.put(route)
    l.vip = objects.gateway_address(l, NS, "gw")
    suite.eventually(lambda: says(l, 5000, "name").startswith("backend-1 "), "it serves")


def connect(l, port):
    return l["client"].connect(l.vip, port)


def ask(sock, line):
    """Says a line; the line that comes back, "" at the end."""
    sock.sendall(line.encode() + b"\n")
    return line_of(sock)


def line_of(sock):
    got = b""
    while not got.endswith(b"\n"):
        more = sock.recv(1)
        if not more:
            break
        got += more
    return got.decode().rstrip("\n")


def says(l, port, line):
    try:
        with connect(l, port) as s:
            return ask(s, line)
    except OSError as e:
        return f"({e})"


def rest(sock):
    """Everything until the end."""
    got = bytearray()
    while more := sock.recv(65536):
        got += more
    return bytes(got)


def within(l, name, port=443, alpn=None):
    """A client of Python's ssl that asks for the name."""
    context = ssl.create_default_context(cafile=l.authority.ca)
    context.check_hostname = name is not None
    if alpn:
        context.set_alpn_protocols(alpn)
    return context.wrap_socket(connect(l, port), server_hostname=name)


def shown(l, name, *options, port=443, say=""):
    """What openssl says of a handshake."""
    sni = ["-servername", name] if name else ["-noservername"]
    done = l["client"].run("openssl", "s_client", "-connect", f"{l.vip}:{port}", *sni, "-CAfile", l.authority.ca,
                           *options, input=say, timeout=20)
    return done.stdout + done.stderr


def hello(name):
    """A client hello that Python's ssl writes for the name."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def in_records(wire, size):
    """The same message in records of that size."""
    message = wire[5:]
    return b"".join(struct.pack("!BHH", 22, 0x0301, len(part)) + part
                    for part in (message[i:i + size] for i in range(0, len(message), size)))


def cut(wire, size):
    return [wire[i:i + size] for i in range(0, len(wire), size)]


def condition(l, kind, name, which):
    """A condition of a route at its parent."""
    return objects.condition(objects.told(l, kind, name, NS)["parents"][0], which)


def is_reset(l, port, say=b"is anybody there?\n"):
    """The connection is broken off without a byte."""
    try:
        with connect(l, port) as s:
            s.sendall(say)
            got = s.recv(1)
    except (ConnectionResetError, BrokenPipeError):
        return True
    raise AssertionError(f"not a reset: {got!r}")


def counted(l, name):
    return l.appliance.counters()[name]


@suite.test("S6")
def a_tcp_route_leads_a_port_to_its_backend_and_either_side_may_speak_first(l):
    with connect(l, 5000) as s:
        assert ask(s, "name").startswith("backend-1 ")
        assert ask(s, "GET / HTTP/1.1") == "GET / HTTP/1.1"
    with connect(l, 5001) as s:
        assert line_of(s) == "hello from backend-1"
        assert ask(s, "more") == "more"


@suite.test("S6")
def whoever_ends_first_may_still_be_told_something(l):
    with connect(l, 5000) as s:
        assert ask(s, "a") == "a"
        s.shutdown(socket.SHUT_WR)
        assert rest(s) == b"over\n"
    with connect(l, 5002) as s:
        s.sendall(b"x" * 1000)
        s.shutdown(socket.SHUT_WR)
        assert line_of(s) == f"1000 {hashlib.sha256(b'x' * 1000).hexdigest()}"
    with connect(l, 5000) as s:
        s.sendall(b"bye\n")
        assert s.recv(1) == b""
        s.sendall(b"nobody reads this\n")


@suite.test("S6")
def large_bodies_go_both_ways_whole(l):
    pattern = (bytes(range(256)) * (BYTES // 256 + 1))[:BYTES]
    with connect(l, 5002) as s:
        s.sendall(pattern)
        s.shutdown(socket.SHUT_WR)
        assert line_of(s) == f"{BYTES} {hashlib.sha256(pattern).hexdigest()}"
    with connect(l, 5000) as s:  # and both at once
        sender = threading.Thread(target=lambda: s.sendall(f"send {BYTES}\n".encode() + b"y" * 999 + b"\n"))
        sender.start()
        s.settimeout(20)
        got = bytearray()
        while len(got) < BYTES + 1000:
            got += s.recv(65536)
        sender.join()
        assert bytes(got[:65536]) == bytes(range(256)) * 256 and got[-1000:] == b"y" * 999 + b"\n"


def breaks_off(s):
    """The backend is asked to reset the connection: no end in good order comes of it."""
    s.sendall(b"reset\n")
    try:
        assert s.recv(1) == b"", "it got something"
        raise AssertionError("an end in good order")
    except ConnectionResetError:
        pass


@suite.test("S6")
def a_reset_of_one_side_is_one_for_the_other(l):
    with connect(l, 5000) as s:
        breaks_off(s)
    before = counted(l, "proxy_l4_end_client")
    s = connect(l, 5000)
    assert ask(s, "a") == "a"
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
    suite.eventually(lambda: counted(l, "proxy_l4_end_client") == before + 1, "the client's reset is counted")


@suite.test("S6")
def connections_are_shared_by_weight_and_what_leads_nowhere_is_reset(l):
    api = l.appliance.api
    api.put(l4_route("TCPRoute", "shared", "tcp-5003", objects.to(("talk", 3), ("second", 1))))
    suite.eventually(lambda: says(l, 5003, "name").startswith("backend-"), "it serves")

    def is_shared():
        """A hash decides of each, so that now and then eighty are further off."""
        names = [says(l, 5003, "name").split()[0] for _ in range(80)]
        return 12 <= names.count("backend-2") <= 28
    suite.eventually(is_shared, "one of four goes to the second", 20)
    for backends, why in ((objects.to("empty"), "no_endpoint"), (objects.to("closed", port=9), "backend_refused"),
                          (objects.to("nobody"), "rule_fault"), (objects.to(("talk", 0)), "rule_fault")):
        before = counted(l, f"proxy_l4_end_{why}")
        api.put(l4_route("TCPRoute", "shared", "tcp-5003", backends))
        suite.eventually(lambda: is_reset(l, 5003) and counted(l, f"proxy_l4_end_{why}") > before,
                         f"{why}: a reset")
    assert condition(l, "TCPRoute", "shared", "Accepted")["status"] == "True"
    api.put(l4_route("TCPRoute", "shared", "tcp-5003", objects.to("nobody")))
    suite.eventually(lambda: condition(l, "TCPRoute", "shared", "ResolvedRefs")["reason"] == "BackendNotFound",
                     "the status tells")
    api.delete("TCPRoute", "shared", NS)
    before = counted(l, "proxy_l4_end_no_route")
    suite.eventually(lambda: is_reset(l, 5003) and counted(l, "proxy_l4_end_no_route") > before, "no route: a reset")


@suite.test("S6")
def of_two_tcp_routes_the_older_has_the_listener(l):
    api = l.appliance.api
    for name, service in (("a-first", "talk"), ("b-second", "second")):
        api.put(l4_route("TCPRoute", name, "tcp-5004", objects.to(service)))
    suite.eventually(lambda: api.get("Gateway", "gw", NS)["status"]["listeners"][-1]["attachedRoutes"] == 2,
                     "both are on it")
    assert {says(l, 5004, "name").split()[0] for _ in range(20)} == {"backend-1"}
    with connect(l, 5004) as s:
        assert ask(s, "a") == "a"
        api.delete("TCPRoute", "a-first", NS)
        suite.eventually(lambda: says(l, 5004, "name").startswith("backend-2 "), "the younger one has it now")
        assert ask(s, "name").startswith("backend-1 ")  # what was begun goes on
    api.delete("TCPRoute", "b-second", NS)


def of_route(l, name):
    """What `sluicectl routes` says of its connections, and that /metrics/routes says the same."""
    lines = l.appliance.ctl("routes", f"{NS}/{name}", "--json").stdout.splitlines()
    told = json.loads(lines[0])["connections"] if lines else {"begun": 0, "upBytes": 0, "downBytes": 0,
                                                                    "upPackets": 0, "downPackets": 0, "cookies": 0,
                                                                    "ended": {}}
    status, _, text = l.appliance.api.raw("GET", f"/metrics/routes?match={NS}/{name}")
    samples = dict(line.rsplit(" ", 1) for line in text.decode().splitlines() if not line.startswith("#"))
    label = f'route="{NS}/{name}"'
    assert status == 200 and not any(sample.startswith("sluice_route_requests") for sample in samples), text
    for end, n in told["ended"].items():
        assert int(samples[f'sluice_route_connections_ended_total{{{label},end="{end}"}}']) >= n, (told, samples)
    assert int(samples.get(f"sluice_route_cookies_total{{{label}}}", 0)) >= told["cookies"], (told, samples)
    return told


@suite.test("S6 S8")
def connections_are_counted_with_their_route_while_they_live_and_by_how_they_end(l):
    before = of_route(l, "talk")
    with connect(l, 5000) as s:
        assert ask(s, "name").startswith("backend-1 ")
        now = suite.eventually(lambda: is_more(of_route(l, "talk"), before), "it is counted")
        assert now["upBytes"] - before["upBytes"] == len("name\n") and now["downBytes"] > before["downBytes"], now
        assert now["ended"].get("complete", 0) == before["ended"].get("complete", 0)
    suite.eventually(lambda: of_route(l, "talk")["ended"]["complete"] == before["ended"].get("complete", 0) + 1,
                     "its end is counted")
    passed = of_route(l, "pass")
    with within(l, PASS) as s:
        assert ask(s, "name").startswith("backend-1 ")
    suite.eventually(lambda: of_route(l, "pass")["begun"] == passed["begun"] + 1, "so is a TLSRoute's")
    text = l.appliance.ctl("routes", f"{NS}/talk").stdout
    assert "CONNECTIONS" in text and f"\n{NS}/talk " in text, text


def is_more(now, before):
    return now if now["begun"] == before["begun"] + 1 else None


@suite.test("S5 S8")
def tls_is_passed_through_by_name_and_the_backend_shows_its_own_certificate(l):
    said = shown(l, PASS)
    assert "subject=CN = backend-1" in said and "Verify return code: 0" in said, said
    with within(l, PASS, alpn=["odd/1"]) as s:
        assert ask(s, "name").startswith("backend-1 ")
        assert ask(s, "tls") == f"{PASS} odd/1 {s.version()}"
        s.sendall(f"send {BYTES}\n".encode())
        got = 0
        while got < BYTES:
            got += len(s.recv(65536))
        assert got == BYTES


@suite.test("S5 S8 S20")
def tls_is_terminated_and_what_is_in_it_is_passed_on(l):
    said = shown(l, END)
    assert "subject=CN = end" in said and "Verify return code: 0" in said, said
    for alpn in (None, ["mqtt"], ["h2", "http/1.1"]):
        with within(l, END, alpn=alpn) as s:
            assert ask(s, "name").startswith("backend-1 ") and s.selected_alpn_protocol() is None, alpn
            s.sendall(f"send {BYTES}\n".encode())
            got = 0
            while got < BYTES:
                got += len(s.recv(65536))
            assert got == BYTES
    with within(l, END, 9443) as s:  # a TCPRoute there, whose backend speaks first
        assert line_of(s) == "hello from backend-1"
        assert ask(s, "x" * 5000) == "x" * 5000
    with within(l, None, 9443) as s:  # it has every name, and none
        assert line_of(s) == "hello from backend-1"


@suite.test("S5 S8")
def who_ends_within_a_hello_is_let_go_at_once(l):
    """The box waits 15 s for the rest of one; nothing of it comes behind a FIN."""
    before = counted(l, "proxy_hello_cut")
    for is_apart in (False, True):
        with connect(l, 443) as s:
            s.sendall(b"\x16\x03\x01\x00\x80\x01\x00\x00\x7c\x03\x03")
            if is_apart:
                time.sleep(0.2)
            s.shutdown(socket.SHUT_WR)
            s.settimeout(10)
            try:
                assert s.recv(1) == b""
            except ConnectionResetError:
                pass
    suite.eventually(lambda: counted(l, "proxy_hello_cut") == before + 2, "it is counted")


@suite.test("S5 S8")
def both_modes_and_https_share_a_port_and_a_request_for_what_is_passed_on_is_421(l):
    assert "subject=CN = web" in shown(l, WEB) and "subject=CN = backend-1" in shown(l, PASS)
    assert "subject=CN = end" in shown(l, END)
    with within(l, WEB) as s:
        s.sendall(f"GET / HTTP/1.1\r\nHost: {PASS}\r\n\r\n".encode())
        assert line_of(s).startswith("HTTP/1.1 421 ")
    with within(l, WEB) as s:
        s.sendall(f"GET / HTTP/1.1\r\nHost: {END}\r\n\r\n".encode())
        assert line_of(s).startswith("HTTP/1.1 421 ")
    before = counted(l, "proxy_requests")
    with within(l, END) as s:
        assert ask(s, f"GET / HTTP/1.1 Host: {WEB}").startswith("GET / ")  # nobody reads it here
    assert counted(l, "proxy_requests") == before
    assert l.curl(f"https://{WEB}/", "--cacert", l.authority.ca, address=l.vip)[0] == 502  # talker is no HTTP server


@suite.test("S5")
def a_hello_may_come_in_any_number_of_records_and_segments_and_no_byte_is_touched(l):
    plain = hello(PASS)
    shapes = {"whole": [plain], "byte by byte": [bytes([b]) for b in plain],
              "records of 100": [in_records(plain, 100)],
              "records of 7 in segments of 11": cut(in_records(plain, 7), 11),
              "records of a byte": [in_records(plain, 1)]}
    for what, parts in shapes.items():
        sent = b"".join(parts) + b"and what follows it"
        with connect(l, 8443) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for part in parts:
                s.sendall(part)
            s.sendall(b"and what follows it")
            s.shutdown(socket.SHUT_WR)
            assert line_of(s) == f"{len(sent)} {hashlib.sha256(sent).hexdigest()}", what


def alert_of(l, say, port=443):
    """The alert that answers these bytes."""
    with connect(l, port) as s:
        s.sendall(say)
        got = rest(s)
    assert got[:1] == b"\x15", got
    return got[6]


@suite.test("S5")
def a_name_of_nobody_gets_an_alert_as_does_none_and_what_is_no_tls(l):
    for name in ("nobody.example", "pass.example", "nobody.pass.example", "db.pass.example.nobody"):
        assert alert_of(l, hello(name)) == ALERT_UNRECOGNIZED_NAME, name
    assert "unrecognized name" in shown(l, "")
    before = counted(l, "proxy_hello_foreign")
    with connect(l, 443) as s:
        s.sendall(b"GET / HTTP/1.1\r\n\r\n")
        rest(s)
    assert counted(l, "proxy_hello_foreign") == before + 1
    cut = in_records(hello(PASS), 50)
    assert alert_of(l, cut[:55] + b"\x17" + cut[56:]) not in (0, ALERT_UNRECOGNIZED_NAME)
    suite.eventually(lambda: counted(l, "proxy_hello_record") >= 1, "a record of another type is counted")


@suite.test("S5")
def where_all_tls_is_passed_on_all_else_is_reset(l):
    """Nobody speaks TLS there who could say an alert."""
    before = counted(l, "proxy_hello_nobody")
    for say in (hello("nobody.example"), hello("pass.example"), b"GET / HTTP/1.1\r\n\r\n"):
        assert is_reset(l, 8443, say), say
    assert counted(l, "proxy_hello_nobody") == before + 3


@suite.test("S5 S6")
def a_connection_that_was_passed_on_is_a_line_of_the_access_log(l):
    before = len(log.lines(l.log))
    with within(l, PASS) as s:
        by_tls = s.getsockname()[1]
        assert ask(s, "name").startswith("backend-1 ")
    with connect(l, 5000) as s:
        by_tcp = s.getsockname()[1]
        s.sendall(b"x\n")
        s.shutdown(socket.SHUT_WR)
        assert rest(s) == b"x\nover\n"

    line = log.line_of_connection(l, before, 443, by_tls)
    assert (line["protocol"], line["host"], line["status"]) == ("TLS", PASS, None), line
    assert (line["listener"], line["route"]) == (f"{NS}/gw/pass", f"{NS}/pass") and line["request_bytes"] > 200, line
    line = log.line_of_connection(l, before, 5000, by_tcp)
    assert (line["protocol"], line["host"], line["end"]) == ("TCP", "", "l4_end_complete"), line
    assert (line["request_bytes"], line["response_bytes"], line["backend"]) == (2, 7, f"{NS}/talk:8080/tcp"), line
    assert line["endpoint"] == f"{labs.backend_address(1)}:8080" and line["tries"] == 1, line


def backend_policy(hostname):
    """Who the backends of `secret` have to be."""
    cas = [{"group": "", "kind": "ConfigMap", "name": "cas"}]
    return {"apiVersion": objects.GATEWAY_V1, "kind": "BackendTLSPolicy",
            "metadata": {"namespace": NS, "name": "secret"},
            "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": "secret"}],
                     "validation": {"hostname": hostname, "caCertificateRefs": cas}}}


@suite.test("S6 S9")
def what_is_passed_on_is_encrypted_again_where_a_policy_says_so(l):
    api = l.appliance.api
    api.put(objects.config_map(NS, "cas", ca_crt=l.authority.text()))
    api.put(backend_policy(PASS))
    api.put(l4_route("TCPRoute", "again", "tcp-5003", objects.to("secret", port=8443)))
    suite.eventually(lambda: says(l, 5003, "tls").startswith(f"{PASS} None TLSv1."), "by TCP, it arrives by TLS")
    api.put(l4_route("TLSRoute", "end", "end", objects.to("secret", port=8443), "*.end.example"))

    def ended_and_begun_again():
        with within(l, END) as s:
            return ask(s, "tls").startswith(f"{PASS} None ")
    suite.eventually(ended_and_begun_again, "by TLS, it arrives by other TLS")
    with within(l, PASS) as s:  # but what is passed through is the client's
        assert ask(s, "tls") == f"{PASS} None {s.version()}"
    api.put(backend_policy("somebody.else.example"))
    suite.eventually(lambda: is_reset(l, 5003), "a backend that is another gets nothing")
    api.delete("BackendTLSPolicy", "secret", NS)
    api.delete("TCPRoute", "again", NS)
    api.put(l4_route("TLSRoute", "end", "end", objects.to("talk"), "*.end.example"))
    suite.eventually(lambda: within(l, END).close() is None, "as before")


@suite.test("S5 S19")
def explain_tells_which_route_has_a_name(l):
    told = json.loads(l.appliance.ctl("explain", "GET", f"https://{PASS}/", "-o", "json").stdout)["status"]
    assert (told["kind"], told["route"], told["listener"]) == ("TLSRoute", f"{NS}/pass", f"{NS}/gw/pass"), told


@suite.test("S15")
def routes_of_another_kind_are_not_let_in(l):
    api = l.appliance.api
    api.put(l4_route("TCPRoute", "wrong", "pass", objects.to("talk")))
    api.put(l4_route("TLSRoute", "wrong", "tcp-5000", objects.to("talk"), PASS))
    for kind in ("TCPRoute", "TLSRoute"):
        suite.eventually(lambda: condition(l, kind, "wrong", "Accepted")["reason"] == "NotAllowedByListeners", kind)
        api.delete(kind, "wrong", NS)
    listeners = {x["name"]: [k["kind"] for k in x["supportedKinds"]]
                 for x in api.get("Gateway", "gw", NS)["status"]["listeners"]}
    assert listeners["pass"] == ["TLSRoute"] and listeners["end"] == ["TLSRoute", "TCPRoute"], listeners
    assert listeners["tcp-5000"] == ["TCPRoute"] and listeners["web"] == ["HTTPRoute", "GRPCRoute"], listeners


@suite.test("S5 S6")
def a_backend_that_goes_ends_what_was_passed_on_to_it(l):
    with connect(l, 5001) as s, within(l, END) as t:
        assert line_of(s) == "hello from backend-1" and ask(t, "a") == "a"
        l.backends[0].process.end()
        for sock in (s, t):
            try:
                assert sock.recv(1) == b""
            except (ConnectionResetError, ssl.SSLError):
                pass
    assert is_reset(l, 5000)
    l.backends[0].start()
    l.backends[0].wait_ready()
    suite.eventually(lambda: says(l, 5000, "name").startswith("backend-1 "), "it is back")
