# SPDX-License-Identifier: Apache-2.0
"""Lists of client addresses before everything: AccessPolicies of Gateways and listeners, SourceLists of the box. Asked
by every protocol, in both families, from outside; and what is there when a list comes."""
import concurrent.futures
import re
import socket
import ssl

import backend
import certs
import lab as labs
import objects
import suite
from test_udp import Echo, ECHO_PORT

NS, HOST = "lists", "lists.example"
STRANGER4, STRANGER6 = f"{labs.FRONT4}.205", f"{labs.FRONT6}::205"
FRIEND = {4: labs.CLIENT4, 6: labs.CLIENT6}
STRANGER = {4: STRANGER4, 6: STRANGER6}
WAIT_S = 1.5  # who has got nothing so long gets nothing
LIST_MAX = 8192
REQUEST = f"GET /echo/x HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


def lab():
    return labs.Lab("source-lists", backends=2, workers=2)


def listener(name, port, protocol, **more):
    return {"name": name, "port": port, "protocol": protocol, **more}


def prepare(l):
    l["client"].address("eth0", f"{STRANGER4}/24", f"{STRANGER6}/64")
    l.authority = certs.Authority(l.dir)
    l.backends = [backend.Origin(l, "backend-1"), Echo(l, "backend-2")]
    for b in l.backends:
        b.wait_ready()
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    api = l.appliance.api
    api.put(objects.namespace(NS))
    api.put(objects.tls_secret(NS, "cert", *l.authority.server("cert", HOST)))
    gateway = objects.gateway(NS, "gw")
    gateway["spec"]["listeners"] = [
        listener("web", 80, "HTTP"), objects.https("secure", "cert", hostname=HOST), listener("nat", 5000, "TCP"),
        listener("own", 5001, "TCP"), listener("dgram", ECHO_PORT, "UDP"), listener("told", 8000, "HTTP")]
    api.put(gateway)
    for family in (4, 6):
        for service in ("origin", "passed"):
            api.put(objects.slice_of(NS, service, labs.backend_address(1, family)))
    for service in ("origin", "passed"):
        api.put(objects.service(NS, service))
    api.put({**objects.service(NS, "echo"), "spec": {"ports": [{"port": ECHO_PORT, "protocol": "UDP"}]}})
    api.put({**objects.slice_of(NS, "echo", labs.backend_address(2)),
             "ports": [{"port": ECHO_PORT, "protocol": "UDP"}]})
    api.put(policy("TransportPolicy", "own", [("", "Service", "passed")], forwarding="Proxy"))
    api.put(policy("TransportPolicy", "told", gateway_target("told"), proxyProtocol={"accept": "Require"}))
    api.put(objects.route(NS, "web", [{"name": "gw", "sectionName": s} for s in ("web", "secure", "told")],
                          [objects.to("origin")]))
    for name, kind, port, service in (("nat", "TCPRoute", 8080, "origin"), ("own", "TCPRoute", 8080, "passed"),
                                      ("dgram", "UDPRoute", ECHO_PORT, "echo")):
        made = objects.route(NS, name, [{"name": "gw", "sectionName": name}], [objects.to(service, port=port)])
        api.put({**made, "kind": kind})
    l.vip = {f: objects.gateway_address(l, NS, "gw", f) for f in (4, 6)}
    for family in (4, 6):
        for way in WAYS:
            suite.eventually(lambda w=way, f=family: reaches(l, w, f, FRIEND), f"{way} serves IPv{family}", 10)


def policy(kind, name, targets, **spec):
    """`targets`: (group, kind, name) or (group, kind, name, section)."""
    refs = [dict(zip(("group", "kind", "name", "sectionName"), t)) for t in targets]
    return {"apiVersion": "sluice.internal/v1", "kind": kind, "metadata": {"namespace": NS, "name": name},
            "spec": {"targetRefs": refs, **spec}}


def gateway_target(*section):
    return [("gateway.networking.k8s.io", "Gateway", "gw", *section)]


def source_list(name, **spec):
    return {"apiVersion": "sluice.internal/v1", "kind": "SourceList", "metadata": {"name": name}, "spec": spec}


# ---- ways in

def dial(l, family, source, port, kind=socket.SOCK_STREAM):
    """A client's socket from one of its addresses."""
    def made():
        s = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, kind)
        s.settimeout(WAIT_S)
        s.bind((source, 0))
        s.connect((l.vip[family], port))
        return s
    return l["client"].inside(made)


def answer_of(s):
    """What comes back; of HTTP the whole answer, so that nothing of it is left for who asks next."""
    got = s.recv(65535)
    while got.startswith(b"HTTP/1.1 "):
        head, end, body = got.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if end and len(body) >= int(length[1] if length else 0):
            break
        more = s.recv(65535)
        if not more:
            break
        got += more
    return got


def asked(s, question, answer):
    """Does what comes back begin so?"""
    s.sendall(question)
    return answer_of(s).startswith(answer)


def http(port):
    def way(l, family, source):
        with dial(l, family, source, port) as s:
            return asked(s, REQUEST, b"HTTP/1.1 200")
    return way


def secured(l, s):
    context = ssl.create_default_context(cafile=l.authority.ca)
    return context.wrap_socket(s, server_hostname=HOST)


def tls(l, family, source):
    with secured(l, dial(l, family, source, 443)) as s:
        return asked(s, REQUEST, b"HTTP/1.1 200")


def datagram(l, family, source):
    with dial(l, family, source, ECHO_PORT, socket.SOCK_DGRAM) as s:
        return asked(s, b"x", b"backend-2 ")


def ping(l, family, source):
    return l["client"].run("ping", "-c1", f"-W{WAIT_S}", "-I", source, l.vip[family]).returncode == 0


def closed_port(l, family, source):
    """A port that nobody listens on says so."""
    try:
        dial(l, family, source, 9).close()
        return True
    except ConnectionRefusedError:
        return True


WAYS = {"http": http(80), "tls": tls, "nat": http(5000), "own": http(5001), "datagram": datagram, "ping": ping,
        "closed port": closed_port}


def reaches(l, way, family, who):
    try:
        return WAYS[way](l, family, who[family])
    except OSError:
        return False


def reached(l, who):
    """The ways by which that client gets an answer, in both families, asked together."""
    asks = [(way, family) for way in WAYS for family in (4, 6)]
    with concurrent.futures.ThreadPoolExecutor(len(asks)) as pool:
        found = list(pool.map(lambda a: reaches(l, *a, who), asks))
    return {ask for ask, is_reached in zip(asks, found) if is_reached}


EVERY_WAY = {(way, family) for way in WAYS for family in (4, 6)}


def in_effect(l, *made):
    """Puts the objects and waits until the workers have what came of them."""
    before = l.appliance.generation()
    for o in made:
        l.appliance.api.put(o)
    suite.eventually(lambda: l.appliance.generation() > before, "the lists are in effect")


def gone(l, kind, name):
    before = l.appliance.generation()
    l.appliance.api.delete(kind, name, *((NS,) if kind == "AccessPolicy" else ()))
    suite.eventually(lambda: l.appliance.generation() > before, f"{name} is gone")


def accepted(l, name):
    status = l.appliance.api.get("AccessPolicy", name, NS).get("status", {})
    return [objects.condition(a, "Accepted") for a in status.get("ancestors", [])]


# ---- tests

@suite.test("S6")
def who_a_gateways_policy_denies_reaches_nothing_by_any_protocol(l):
    before = l.appliance.counters()
    in_effect(l, policy("AccessPolicy", "front", gateway_target(), addresses={"deny": [STRANGER4, f"{STRANGER6}/128"]}))
    assert reached(l, STRANGER) == set()
    assert reached(l, FRIEND) == EVERY_WAY
    said = accepted(l, "front")
    assert [c["status"] for c in said] == ["True"], said
    after = l.appliance.counters()
    assert after["gate_drop_denied"] - before["gate_drop_denied"] >= len(EVERY_WAY)
    gone(l, "AccessPolicy", "front")
    assert reached(l, STRANGER) == EVERY_WAY


@suite.test("S6")
def where_some_are_allowed_nobody_else_is(l):
    before = l.appliance.counters()
    in_effect(l, policy("AccessPolicy", "front", gateway_target(),
                        addresses={"allow": [f"{labs.FRONT4}.8/29", labs.CLIENT6]}))
    assert reached(l, STRANGER) == set()
    assert reached(l, FRIEND) == EVERY_WAY
    after = l.appliance.counters()
    assert after["gate_drop_not_allowed"] - before["gate_drop_not_allowed"] >= len(EVERY_WAY)
    gone(l, "AccessPolicy", "front")


@suite.test("S6")
def a_listeners_policy_stands_before_that_listener_only(l):
    in_effect(l, policy("AccessPolicy", "parts", gateway_target("web") + gateway_target("dgram"),
                        addresses={"deny": [STRANGER4, STRANGER6]}))
    shut = {(way, family) for way in ("http", "datagram") for family in (4, 6)}
    assert reached(l, STRANGER) == EVERY_WAY - shut
    assert reached(l, FRIEND) == EVERY_WAY
    gone(l, "AccessPolicy", "parts")


@suite.test("S6")
def a_list_of_the_box_stands_before_all_gateways_of_its_classes_and_takes_nobody_elses_place(l):
    in_effect(l, source_list("bad", deny=[STRANGER4, STRANGER6]))
    in_effect(l, policy("AccessPolicy", "front", gateway_target(), addresses={"allow": ["0.0.0.0/0", "::/0"]}))
    assert reached(l, STRANGER) == set(), "nobody opens what another one has shut"
    assert reached(l, FRIEND) == EVERY_WAY
    in_effect(l, source_list("bad", deny=[STRANGER4, STRANGER6], gatewayClassNames=["another"]))
    assert reached(l, STRANGER) == EVERY_WAY
    gone(l, "AccessPolicy", "front")
    l.appliance.api.delete("SourceList", "bad")


@suite.test("S6")
def connections_of_a_client_that_is_denied_are_cut_off_and_those_of_others_go_on(l):
    before = l.appliance.counters()
    strangers, friends = [], []
    for port in (80, 443, 5000, 5001):
        for who, sockets in ((STRANGER, strangers), (FRIEND, friends)):
            s = dial(l, 4, who[4], port)
            sockets.append(secured(l, s) if port == 443 else s)
            assert asked(sockets[-1], REQUEST, b"HTTP/1.1 200")
    with dial(l, 6, STRANGER6, ECHO_PORT, socket.SOCK_DGRAM) as dgram:
        assert asked(dgram, b"x", b"backend-2 ")
        in_effect(l, policy("AccessPolicy", "front", gateway_target(), addresses={"deny": [STRANGER4, STRANGER6]}))
        suite.eventually(lambda: l.appliance.counters()["gate_cut_flows"] - before["gate_cut_flows"] >= 2,
                         "the flows are ended")
        assert not is_answered(dgram, b"x")
    for n, s in enumerate(strangers):
        is_forwarded = n == 2  # whose packets went to the pod: it may be left alone
        assert is_answered(s, REQUEST) in ((False, None) if is_forwarded else (None,)), f"connection {n} is cut off"
    for s in friends:
        assert is_answered(s, REQUEST)
    after = l.appliance.counters()
    assert after["gate_cut_conns"] - before["gate_cut_conns"] >= 3
    assert after["l4_end_denied"] - before["l4_end_denied"] >= 2
    for s in strangers + friends:
        s.close()
    gone(l, "AccessPolicy", "front")


def is_answered(s, question):
    """None: the connection was reset."""
    try:
        s.sendall(question)
        return len(answer_of(s)) > 0
    except TimeoutError:
        return False
    except OSError:
        return None


@suite.test("S6")
def where_a_header_tells_the_client_the_lists_are_asked_of_whom_it_tells(l):
    """The load balancer before us may be on no list; whose connection it hands on is."""
    def told(source, client):
        with dial(l, 4, source, 8000) as s:
            header = f"PROXY TCP4 {client} {l.vip[4]} 4000 8000\r\n".encode()
            return is_answered(s, header + REQUEST)
    before = l.appliance.counters()
    in_effect(l, policy("AccessPolicy", "front", gateway_target("told"), addresses={"allow": ["192.0.2.0/24"]}))
    assert told(STRANGER4, "192.0.2.7") is True
    assert told(STRANGER4, "203.0.113.7") is None
    assert l.appliance.counters()["proxy_header_denied"] - before["proxy_header_denied"] == 1
    with dial(l, 4, STRANGER4, 8000) as s:
        assert is_answered(s, f"PROXY TCP4 192.0.2.7 {l.vip[4]} 4000 8000\r\n".encode() + REQUEST)
        in_effect(l, policy("AccessPolicy", "front", gateway_target("told"), addresses={"deny": ["192.0.2.7"]}))
        suite.eventually(lambda: is_answered(s, REQUEST) is not True, "it is cut off")
    gone(l, "AccessPolicy", "front")


@suite.test("S6")
def a_list_may_be_long_and_its_limit_is_told(l):
    api = l.appliance.api
    many = [f"10.{n // 256}.{n % 256}.0/24" for n in range(LIST_MAX // 2 - 1)]
    many += [f"2001:db8:{n:x}::/48" for n in range(1, LIST_MAX // 2)] + [STRANGER4, f"{STRANGER6}/128"]
    assert len(many) == LIST_MAX
    in_effect(l, source_list("long", deny=many))
    assert reached(l, STRANGER) == set()
    assert reached(l, FRIEND) == EVERY_WAY
    try:
        api.put(source_list("long", deny=many + ["10.255.0.0/24"]))
        raise AssertionError("it was taken")
    except Exception as e:  # pylint: disable=broad-except
        assert "spec.deny" in str(e) and str(LIST_MAX) in str(e), e
    gone(l, "SourceList", "long")
    assert reached(l, STRANGER) == EVERY_WAY
