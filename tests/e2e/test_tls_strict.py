# SPDX-License-Identifier: Apache-2.0
"""What a client must not do in TLS: each case by hand (tlswire.py), with the alert or end that the RFCs ask for, the
counter of our own that tells of it, and an honest client beside it that notices nothing."""
import os
import socket
import ssl
import struct
import time

import backend
import certs
import lab as labs
import objects
import suite
import tlswire as t

NS, HOST = "strict", "strict.example.com"
FLOOD = 200  # records or messages one after the other that carry nothing
ENDS = ("full", "resumed", "unknown_name", "no_common", "peer_alert", "no_certificate", "bad_certificate", "garbage",
        "broken", "slow", "shed", "lost")


def lab():
    return labs.Lab("tlsstrict", backends=2)


def prepare(l):
    backend.Origin(l, "backend-1").wait_ready()
    l.recorder = backend.Recorder(l, "backend-2")
    l.recorder.wait_ready()
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    l.authority = certs.Authority(l.dir)
    api = l.appliance.api
    api.put(objects.namespace(NS))
    api.put(objects.tls_secret(NS, "cert", *l.authority.server("cert", HOST)))
    made = objects.gateway(NS, "gw")
    made["spec"]["listeners"] = [objects.https("app", "cert", hostname=HOST)]
    api.put(made)
    for n, name in enumerate(("app", "recorded")):
        api.put(objects.service(NS, name))
        api.put(objects.slice_of(NS, name, labs.backend_address(n + 1)))
    api.put(objects.route(NS, "app", [f"{NS}/gw"], [
        objects.matching({"path": {"value": "/recorded"}}, objects.to("recorded")), objects.to("app")], HOST))
    l.vip = objects.gateway_address(l, NS, "gw")
    suite.eventually(lambda: l.curl(f"https://{HOST}/", "--cacert", l.authority.ca, address=l.vip)[0] == 200,
                     "it serves")
    l.honest = Honest(l)


class Honest:
    """A client of Python's on a connection that it keeps from the first test to the last."""

    def __init__(self, l):
        context = ssl.create_default_context(cafile=l.authority.ca)
        self.sock = context.wrap_socket(l["client"].connect(l.vip, 443), server_hostname=HOST)

    def ask(self):
        self.sock.sendall(f"GET /status/204 HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        got = b""
        while not got.endswith(b"\r\n\r\n"):
            more = self.sock.recv(4096)
            assert more, "the honest client's connection was ended"
            got += more
        assert got.startswith(b"HTTP/1.1 204"), got


def ends(l):
    """How many handshakes ended in which way."""
    counters = l.appliance.counters()
    return {name: counters[f"proxy_tls_{name}"] for name in ENDS}


def client(l):
    return t.Client(l["client"].connect(l.vip, 443))


def judge(l, cases, end):
    """Each case ends in one of its alerts (None: an end without one) and the handshake as `end` says."""
    for name, (attack, *wanted) in cases.items():
        before, c = ends(l), client(l)
        try:
            attack(c)
            alert = c.end()
        except t.Alerted as e:
            alert = e.code
        except t.Ended:
            alert = None
        assert alert in wanted, f"{name}: {alert}, not one of {wanted}"
        c.sock.close()
        suite.eventually(lambda b=before: sum(ends(l).values()) > sum(b.values()), f"{name} is counted")
        grown = {k: n - before[k] for k, n in ends(l).items() if n != before[k]}
        assert grown == {end: 1}, f"{name}: {grown}"
        l.honest.ask()


def hello(**how):
    return t.Hello(HOST, **how)


def saying(h):
    """Says a hello, which is all."""
    return lambda c: c.send(t.record(t.HANDSHAKE, h.bytes(), t.TLS10))


def changed(**parts):
    """Says a hello with other parts."""
    h = hello()
    for name, value in parts.items():
        setattr(h, name, value)
    return saying(h)


def extended(**extensions):
    """Says a hello with these extensions in place of its own; None: without."""
    h = hello()
    h.extensions = {k: v for k, v in (h.extensions | extensions).items() if v is not None}
    return saying(h)


def sending(data):
    return lambda c: c.send(data)


# A record of 16 KB has begun, and in it a hello of 128 KB.
LONG_HEAD = struct.pack(">BHHB", t.HANDSHAKE, t.TLS10, 16384, t.CLIENT_HELLO) + b"\1\xff\0"


def in_pieces(data, n, between=b""):
    pieces = [t.record(t.HANDSHAKE, data[at:at + n]) for at in range(0, len(data), n)]
    return between.join(pieces)


@suite.test("S20")
def what_is_no_tls_is_told_apart(l):
    v2 = struct.pack(">BHHHH", 1, 0x0303, 3, 0, 16) + b"\x00\xc0\x2b" + os.urandom(16)
    judge(l, {
        "plain text": (sending(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), None, t.VERSION),
        "another major version": (sending(t.record(t.HANDSHAKE, hello().bytes(), 0x0403)), None, t.VERSION),
    }, "garbage")
    judge(l, {
        "a hello of SSL 2": (sending(struct.pack(">H", 0x8000 | len(v2)) + v2), t.UNRECOGNIZED_NAME, t.FAILURE,
                             t.VERSION, t.UNEXPECTED, None),
    }, "unknown_name")


@suite.test("S20")
def a_hello_that_cannot_be_read_ends_in_an_alert(l):
    whole = hello()
    name = t.extension(t.SERVER_NAME, t.vector(b"\0" + t.vector(HOST.encode(), 2), 2) + b"\0")
    judge(l, {
        "session id of 33 bytes": (changed(session=bytes(33)), t.DECODE, t.ILLEGAL),
        "no suites": (changed(suites=t.vector(b"", 2)), t.DECODE, t.ILLEGAL),
        "half a suite": (changed(suites=t.vector(b"\x13\x03\x13", 2)), t.DECODE),
        "no compression": (changed(compression=b"\0"), t.DECODE, t.ILLEGAL),
        "bytes behind the extensions": (changed(tail=b"\0"), t.DECODE),
        "extensions longer than the hello": (extended(more=b"\xff\xff\0\x09"), t.DECODE),
        "the same extension twice": (extended(more=whole.extensions["groups"]), t.ILLEGAL, t.DECODE),
        "a byte behind the name": (extended(name=name), t.DECODE),
        "groups of odd length": (extended(groups=t.extension(t.GROUPS, t.vector(b"\0\x1d\0", 2))), t.DECODE),
        "versions of odd length": (extended(versions=t.extension(t.VERSIONS, b"\x03\x03\x04\x03")), t.DECODE,
                                   t.VERSION),  # OpenSSL's
        "a share of 31 bytes": (extended(share=t.shares((t.X25519, bytes(31)))), t.ILLEGAL, t.DECODE),
        "a share of zeros": (extended(share=t.shares((t.X25519, bytes(32)))), t.ILLEGAL, t.INTERNAL),
        "a key of before that is not last": (extended(psk=t.extension(t.PSK, bytes(8)),
                                                      more=t.extension(t.PSK_MODES, b"\1\1")), t.ILLEGAL),
        "compression in 1.3": (changed(compression=b"\2\1\0"), t.ILLEGAL),
        "no way to sign in 1.3": (extended(signatures=None), t.MISSING),
    }, "broken")


@suite.test("S20")
def what_is_old_or_weak_has_nothing_in_common_with_us(l):
    def old(version):
        return saying(hello(versions=(version,), suites=(0xc009, 0xc02b)))

    weak = (0x0005, 0x000a, 0x002f, 0x009c, 0xc009, 0xc023, 0xc011)  # RC4, 3DES, RSA without ECDHE, CBC
    judge(l, {
        "SSL 3": (old(t.SSL3), t.VERSION, t.FAILURE),  # it has not the first
        "TLS 1.0": (old(t.TLS10), t.VERSION),
        "TLS 1.1": (old(t.TLS11), t.VERSION),
        "1.1 among supported versions": (extended(versions=t.extension(t.VERSIONS, t.u16s((t.TLS11,), 1))), t.VERSION),
        "weak suites": (saying(hello(versions=(t.TLS12,), suites=weak)), t.FAILURE),
        "no suite of 1.3": (saying(hello(versions=(t.TLS13,), suites=weak)), t.FAILURE),
        "no group": (saying(hello(versions=(t.TLS12,), groups=(0x0013,))), t.FAILURE),
        "no groups in 1.3": (extended(groups=None, share=None), t.MISSING),
        "another protocol": (extended(alpn=t.extension(t.ALPN, t.vector(b"\x04spdy", 2))), t.NO_PROTOCOL),
    }, "no_common")
    judge(l, {"an unknown name": (saying(t.Hello("other.example.com")), t.UNRECOGNIZED_NAME)}, "unknown_name")
    fallback = hello(versions=(t.TLS12,), suites=(t.SUITE12, t.FALLBACK))
    judge(l, {"a fallback that is none": (saying(fallback), t.FALLBACK_REFUSED)}, "broken")


@suite.test("S20")
def records_that_may_not_be_there_end_the_handshake(l):
    h = hello().bytes()
    one = t.record(t.HANDSHAKE, h)
    judge(l, {
        "a record of an unknown type": (sending(t.record(99, b"x" * 16)), t.UNEXPECTED),
        "data before the handshake": (sending(t.record(t.DATA, b"GET / HTTP/1.1\r\n\r\n")), t.UNEXPECTED),
        "a heartbeat": (sending(t.record(t.HEARTBEAT, b"\1\x40\0")), t.UNEXPECTED),
        "a change of ciphers first": (sending(t.record(t.CCS, b"\1")), t.UNEXPECTED),
        "a change of ciphers within the hello": (sending(in_pieces(h, 100, t.record(t.CCS, b"\1"))), t.UNEXPECTED),
        "an alert within the hello": (sending(in_pieces(h, 100, t.record(t.ALERT, b"\2\x28"))), t.UNEXPECTED),
        "a record that is too long": (sending(t.record(t.HANDSHAKE, bytes(16385))), t.OVERFLOW),
        "another first message": (sending(t.record(t.HANDSHAKE, t.message(t.FINISHED, bytes(32)))), t.UNEXPECTED),
        "a hello of 128 KB, by its first bytes": (sending(LONG_HEAD), t.ILLEGAL),
        "the same behind a warning": (sending(t.record(t.ALERT, bytes([1, t.USER_CANCELED])) + LONG_HEAD),
                                      t.UNEXPECTED),
        "a hello of 256 KiB": (sending(in_pieces(t.message(t.CLIENT_HELLO, bytes(1 << 18)), 16384)), t.ILLEGAL,
                               t.DECODE, None),
    }, "broken")
    judge(l, {"the end within the hello": (lambda c: (c.send(one[:50]), c.sock.shutdown(socket.SHUT_WR)), None,
                                           t.DECODE)}, "lost")


@suite.test("S20")
def a_hello_in_any_pieces_and_with_any_version_in_its_records_is_taken(l):
    for n in (1, 2, 5, 100):
        c, h = client(l), hello()
        c.hello, c.transcript = h, h.bytes()
        c.send(in_pieces(h.bytes(), n))
        c.read_server_hello()
        c.read_flight13()
        c.open13()
        assert c.ask(HOST) == 204
    for version in (t.SSL3, t.TLS10, t.TLS12, 0x03ff):
        c, h = client(l), hello()
        c.hello, c.transcript = h, h.bytes()
        c.send(t.record(t.HANDSHAKE, h.bytes(), version))
        c.read_server_hello()
        c.read_flight13()
        c.send(t.record(t.CCS, b"\1") * 2)  # as middleboxes like it (RFC 8446, appendix D.4)
        c.open13()
        assert c.ask(HOST) == 204, version


def at_12(*parts, version=(t.TLS12,)):
    """Takes the server's flight of 1.2, then does these parts of the client's."""
    def attack(c):
        c.flight12(hello(versions=version))
        for part in parts:
            part(c)
    return attack


def at_13(attack):
    def whole(c):
        c.say_hello(hello())
        c.read_server_hello()
        c.read_flight13()
        attack(c)
    return whole


def spoiled(whole):
    return whole[:-1] + bytes([whole[-1] ^ 1])


@suite.test("S20")
def a_client_that_leaves_the_order_is_ended(l):
    certificate = t.message(t.CERTIFICATE, b"\0" + t.vector(b"", 3))
    judge(l, {
        "1.2: another Finished": (at_12(t.Client.exchange12, t.Client.change12,
                                        lambda c: c.say(spoiled(c.finished12()))), t.DECRYPT),
        "1.2: no Finished in the clear": (at_12(t.Client.exchange12, lambda c: c.say(c.finished12())), t.UNEXPECTED),
        "1.2: a change of ciphers before the exchange": (at_12(lambda c: c.write(t.CCS, b"\1")), t.UNEXPECTED),
        "1.2: two changes of ciphers": (at_12(t.Client.exchange12, t.Client.change12, lambda c: c.write(t.CCS, b"\1")),
                                        t.UNEXPECTED),
        "1.2: data before Finished": (at_12(t.Client.exchange12, t.Client.change12,
                                            lambda c: c.write(t.DATA, b"GET /")), t.UNEXPECTED),
        "1.2: a certificate nobody asked for": (at_12(lambda c: c.say(t.message(t.CERTIFICATE, t.vector(b"", 3)))),
                                                t.UNEXPECTED),
        "1.2: a record that cannot be opened": (at_12(t.Client.exchange12, t.Client.change12,
                                                      lambda c: c.send(t.record(t.HANDSHAKE, bytes(40)))), t.BAD_MAC),
        "1.3: another Finished": (at_13(lambda c: c.write(t.HANDSHAKE, spoiled(c.finished13()))), t.DECRYPT),
        "1.3: data before Finished": (at_13(lambda c: c.write(t.DATA, b"GET /")), t.UNEXPECTED),
        "1.3: a certificate nobody asked for": (at_13(lambda c: c.say(certificate)), t.UNEXPECTED),
        "1.3: a heartbeat": (at_13(lambda c: c.send(t.record(t.HEARTBEAT, b"\1\x40\0"))), t.UNEXPECTED),
        "1.3: another change of ciphers": (at_13(lambda c: c.send(t.record(t.CCS, b"\2"))), t.UNEXPECTED,
                                           t.ILLEGAL),  # OpenSSL's
        "1.3: in the clear": (at_13(lambda c: c.send(t.record(t.HANDSHAKE, c.finished13()))), t.UNEXPECTED),
        "1.3: a record that cannot be opened": (at_13(lambda c: c.send(t.record(t.DATA, bytes(40)))), t.BAD_MAC),
        "1.3: an empty message": (at_13(lambda c: c.write(t.HANDSHAKE, b"")), t.UNEXPECTED),
        "1.3: KeyUpdate before Finished": (at_13(lambda c: c.update(True)), t.UNEXPECTED),
    }, "broken")


@suite.test("S20")
def a_client_that_gives_up_is_believed(l):
    judge(l, {"1.2": (at_12(lambda c: c.write(t.ALERT, b"\2\x2a")), None),
              "1.3": (at_13(lambda c: c.write(t.ALERT, b"\2\x2a")), None)}, "peer_alert")


@suite.test("S20")
def a_second_hello_has_to_be_what_was_asked_for(l):
    def first(c):
        h = hello()
        h.extensions["share"] = t.shares()
        c.say_hello(h)
        assert c.read_server_hello() == t.RETRY

    def second(**extensions):
        def attack(c):
            first(c)
            c.hello.extensions |= extensions
            c.say(c.hello.bytes())
        return attack

    judge(l, {
        "again without a share": (second(), t.ILLEGAL, t.FAILURE),
        "with a share of another group": (second(share=t.shares((t.P256, b"\4" + bytes(64)))), t.ILLEGAL, t.FAILURE),
        "of 128 KB, by its first bytes": (lambda c: (first(c), c.send(t.record(t.CCS, b"\1") + LONG_HEAD)), t.ILLEGAL),
    }, "broken")
    older = t.extension(t.VERSIONS, t.u16s((t.TLS12,), 1))
    judge(l, {"of an older version": (second(versions=older), t.ILLEGAL, t.VERSION)}, "no_common")
    c = client(l)
    first(c)
    c.hello.extensions["share"] = t.shares((t.X25519, t.x25519(c.hello.secret)))
    c.say(c.hello.bytes())
    c.read_server_hello()
    c.read_flight13()
    c.open13()
    assert c.ask(HOST) == 204


@suite.test("S20")
def an_older_version_says_that_it_is_one(l):
    c = client(l)
    c.handshake12(hello(versions=(t.TLS12,)))
    assert c.server_random.endswith(t.SENTINEL12)
    c = client(l)
    c.handshake13(hello())
    assert not c.server_random.endswith(t.SENTINEL12)


def after(l, handshake, attack):
    """The alert that ends an established connection; None: an end without one."""
    c = client(l)
    handshake(c)
    assert c.ask(HOST) == 204
    try:
        attack(c)
        return c.end()
    except t.Alerted as e:
        return e.code
    except t.Ended:
        return None


def as_12(c):
    c.handshake12(hello(versions=(t.TLS12,)))


def as_13(c):
    c.handshake13(hello())


@suite.test("S20")
def an_established_connection_is_ended_by_what_may_not_come(l):
    again = hello(versions=(t.TLS12,)).bytes()
    for name, handshake, attack, *wanted in (
            ("1.2: renegotiation", as_12, lambda c: c.write(t.HANDSHAKE, again), t.NO_RENEGOTIATION),
            ("1.2: a change of ciphers", as_12, lambda c: c.write(t.CCS, b"\1"), t.UNEXPECTED),
            ("1.2: a record that cannot be opened", as_12, lambda c: c.send(t.record(t.DATA, bytes(40))), t.BAD_MAC),
            ("1.3: another hello", as_13, lambda c: c.write(t.HANDSHAKE, hello().bytes()), t.UNEXPECTED),
            ("1.3: a change of ciphers", as_13, lambda c: c.send(t.record(t.CCS, b"\1")), t.UNEXPECTED),
            ("1.3: a record that cannot be opened", as_13, lambda c: c.send(t.record(t.DATA, bytes(40))), t.BAD_MAC),
            ("1.3: a heartbeat", as_13, lambda c: c.write(t.HEARTBEAT, b"\1\x40\0"), t.UNEXPECTED),
            ("1.3: a record without a type", as_13, lambda c: c.write(0, bytes(8)), t.UNEXPECTED),
            ("1.3: KeyUpdate of another kind", as_13,
             lambda c: c.write(t.HANDSHAKE, t.message(t.KEY_UPDATE, b"\2")), t.ILLEGAL, t.DECODE),
            ("1.3: a certificate nobody asked for", as_13,
             lambda c: c.write(t.HANDSHAKE, t.message(t.CERTIFICATE, bytes(4))), t.UNEXPECTED)):
        alert = after(l, handshake, attack)
        assert alert in wanted, f"{name}: {alert}, not {wanted}"
        l.honest.ask()


@suite.test("S20")
def floods_of_what_carries_nothing_are_bounded(l):
    def flood(one):
        def attack(c):
            for _ in range(FLOOD):
                one(c)
        return attack

    def updating(c):
        for _ in range(FLOOD):
            c.update(True)

    again = hello(versions=(t.TLS12,)).bytes()

    for name, handshake, attack, *wanted in (
            ("1.2: renegotiation", as_12, flood(lambda c: c.write(t.HANDSHAKE, again)), t.NO_RENEGOTIATION, None),
            ("1.2: empty records", as_12, flood(lambda c: c.write(t.DATA, b"")), t.UNEXPECTED, None),
            ("1.2: warnings", as_12, flood(lambda c: c.write(t.ALERT, bytes([1, t.USER_CANCELED]))), t.UNEXPECTED,
             None),
            ("1.3: empty records", as_13, flood(lambda c: c.write(t.DATA, b"")), t.UNEXPECTED, None),
            ("1.3: KeyUpdates", as_13, updating, None)):
        before = l.appliance.counters()["proxy_tls_floods"]
        alert = after(l, handshake, attack)
        assert alert in wanted, f"{name}: {alert}, not {wanted}"
        l.honest.ask()
        if attack is updating or "renegotiation" in name:
            assert l.appliance.counters()["proxy_tls_floods"] == before + 1


@suite.test("S20")
def key_updates_between_requests_are_fine(l):
    c = client(l)
    as_13(c)
    for n in range(20):
        c.update(False)
        assert c.ask(HOST) == 204, n


@suite.test("S20")
def early_data_is_refused_and_its_client_served_by_what_follows(l):
    c = client(l)
    as_13(c)
    ticket = c.ticket()
    c.sock.close()
    c = client(l)
    h = hello()
    h.extensions["early"] = t.extension(t.EARLY_DATA)
    t.resuming(h, *ticket, age_ms=10)
    c.say_hello(h)
    c.is_13, c.writing = True, t.early_keys(h)
    c.write(t.DATA, f"GET /recorded HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    c.writing = None
    c.read_server_hello()
    extensions = c.read_flight13()
    assert c.is_psk(), "the session goes on"
    assert struct.pack(">HH", t.EARLY_DATA, 0) not in extensions
    c.open13()
    assert c.ask(HOST) == 204
    assert not l.recorder.recorded(), "the early request reached nobody"


@suite.test("S20")
def a_body_that_is_cut_without_close_notify_never_counts_as_whole(l):
    c = client(l)
    as_13(c)
    head = f"POST /recorded HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n"
    c.write(t.DATA, f"{head}5\r\nhello\r\n".encode())
    c.sock.shutdown(socket.SHUT_WR)
    assert c.end() in (None, t.CLOSE_NOTIFY, t.DECODE)  # the last is OpenSSL's
    seen = suite.eventually(l.recorder.recorded, "the backend's connection ends")
    assert [set(r) for r in seen] == [{"cut", "bytes"}] and seen[0]["bytes"].endswith("hello\r\n"), seen
    l.honest.ask()


@suite.test("S20")
def a_handshake_that_never_ends_is_given_up(l):
    before, held = ends(l)["slow"], [client(l) for _ in range(3)]
    held[1].send(t.record(t.HANDSHAKE, hello().bytes()[:50]))
    held[2].say_hello(hello())
    until = time.monotonic() + 60
    while ends(l)["slow"] < before + len(held) and time.monotonic() < until:
        l.honest.ask()
        time.sleep(0.2)
    assert ends(l)["slow"] == before + len(held)
    assert [c.end() for c in held] == [None] * len(held)
