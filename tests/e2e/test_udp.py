# SPDX-License-Identifier: Apache-2.0
"""UDPRoutes: a real name server asked by a real resolver, datagrams of every size, and what of them is counted, shared
and kept together; ports of UDP beside those of TCP with the same number."""
import collections
import errno
import json
import os
import socket
import time

import backend
import lab as labs
import objects
import suite

NS = "udp"
ZONE = "lab.example"
NAME_SERVERS = (1, 2)    # whose backend is dnsmasq
ECHOES = (3, 4, 5)       # whose backend is datagrams.py
ECHO_PORT = 7000
BIG = [c * 250 for c in "abcdef"]  # texts of one record: more than a datagram of EDNS takes
BOX4 = f"{labs.BACK4}.1"
IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_RECVERR, IP_MTU = 10, 2, 11, 14  # of linux/in.h
WAIT_S = 2               # somebody who has got nothing so long gets nothing


class NameServer(backend.Server):
    """dnsmasq, which has nothing to ask others for: "who" is its own name."""

    def start(self):
        texts = [f"--txt-record=who.{ZONE},{self.name}", f"--txt-record=big.{ZONE},{','.join(BIG)}"]
        self.process = self.lab.start(f"dnsmasq-{self.name}", self.name, "/usr/sbin/dnsmasq", "--keep-in-foreground",
                                      "--conf-file=/dev/null", "--pid-file=", "--no-resolv", "--no-hosts",
                                      "--user=root", "--log-facility=-", "--edns-packet-max=1232",
                                      f"--host-record=host.{ZONE},192.0.2.7", *texts)

    def is_listening(self):
        try:
            self.lab[self.name].connect("127.0.0.1", 53, timeout=1).close()
            return True
        except OSError:
            return False


class Echo(backend.Server):
    """datagrams.py"""

    def start(self):
        program = os.path.join(labs.TOP, "tests", "lab", "datagrams.py")
        self.process = self.lab.start(f"datagrams-{self.name}", self.name, "python3", program, self.name,
                                      str(ECHO_PORT))

    def is_listening(self):
        try:
            self.lab[self.name].connect("127.0.0.1", ECHO_PORT, timeout=1).close()
            return True
        except OSError:
            return False


def lab():
    return labs.Lab("udp", backends=len(NAME_SERVERS) + len(ECHOES), workers=2)


def listener(name, port, protocol="UDP"):
    return {"name": name, "port": port, "protocol": protocol}


def route(name, section, rule, kind="UDPRoute"):
    made = objects.route(NS, name, [{"name": "gw", "sectionName": section}], [rule])
    return {**made, "kind": kind}


def service(name, *ports):
    """`ports`: (name, number, protocol)"""
    made = objects.service(NS, name)
    made["spec"]["ports"] = [dict(zip(("name", "port", "protocol"), p)) for p in ports]
    return made


def slice_of(name, *addresses, ports):
    made = objects.slice_of(NS, name, *addresses)
    made["ports"] = [dict(zip(("name", "port", "protocol"), p)) for p in ports]
    return made


def put_service(l, name, numbers, ports, families=(4,)):
    l.appliance.api.put(service(name, *ports))
    for family in families:
        l.appliance.api.put(slice_of(name, *[labs.backend_address(n, family) for n in numbers], ports=ports))


def prepare(l):
    for n in NAME_SERVERS:
        l.backends.append(NameServer(l, f"backend-{n}"))
    for n in ECHOES:
        l.backends.append(Echo(l, f"backend-{n}"))
    for b in l.backends:
        b.wait_ready()
    l.log = os.path.join(l.dir, "access.log")
    l.appliance.options = ["--access-log", l.log]
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    api = l.appliance.api
    api.put(objects.namespace(NS))
    gateway = objects.gateway(NS, "gw")
    gateway["spec"]["listeners"] = [
        listener("web", 80, "HTTP"), listener("web-udp", 80), listener("dns", 53), listener("dns-tcp", 53, "TCP"),
        listener("echo", 7000), listener("shared", 7001), listener("nowhere", 7002), listener("gone", 7003),
        listener("later", 7004), listener("checked", 7005), listener("kept", 7006), listener("seen", 7007),
        listener("narrow", 7008)]
    api.put(gateway)
    put_service(l, "dns", NAME_SERVERS, [("udp", 53, "UDP"), ("tcp", 53, "TCP")])
    echo = [("echo", ECHO_PORT, "UDP")]
    put_service(l, "all", ECHOES, echo)
    for n in ECHOES:
        put_service(l, f"echo-{n}", [n], echo)
    l.appliance.api.put(slice_of("echo-3", labs.backend_address(3, 6), ports=echo))
    for made in (route("dns", "dns", objects.to("dns", port=53)),
                 route("dns", "dns-tcp", objects.to("dns", port=53), "TCPRoute"),
                 route("echo", "echo", objects.to("echo-3", port=ECHO_PORT)),
                 route("web-udp", "web-udp", objects.to("echo-4", port=ECHO_PORT))):
        api.put(made)
    l.vip = objects.gateway_address(l, NS, "gw")
    suite.eventually(lambda: told(l, ECHO_PORT, b"?"), "it serves")


def socket_to(l, address, port):
    """A client's, which hears of that peer only."""
    def made():
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.settimeout(WAIT_S)
        s.connect((address, port))
        return s
    return l["client"].inside(made)


def ask(s, data):
    """((name, address, port) that the backend tells of, the bytes that came back); None: nothing came."""
    s.send(data)
    try:
        head, _, rest = s.recv(65535).partition(b"\n")
    except OSError:
        return None
    name, address, port = head.decode().split(" ")
    return (name, address, int(port)), rest


def told(l, port, data, address=None):
    with socket_to(l, address or l.vip, port) as s:
        return ask(s, data)


def who(l, port):
    """The backend that answers at the port; None: nobody does."""
    answer = told(l, port, b"x")
    return answer and answer[0][0]


def dig(l, *words):
    """What dig prints."""
    done = l["client"].run("dig", f"@{l.vip}", "+tries=1", "+timeout=2", *words)
    return done.stdout


def put_and_await(l, *made):
    """Applies routes, and waits until all are resolved and attached."""
    for o in made:
        l.appliance.api.put(o)
    for o in made:
        def is_there(o=o):
            found = l.appliance.api.get(o["kind"], o["metadata"]["name"], NS)
            parents = found.get("status", {}).get("parents", [])
            return parents and all(objects.condition(p, "Accepted").get("observedGeneration") ==
                                   found["metadata"]["generation"] for p in parents)
        suite.eventually(is_there, f"{o['metadata']['name']} is judged")


# ---- DNS

@suite.test("S6")
def a_name_is_asked_for_by_udp_and_the_answer_comes_from_the_asked(l):
    assert dig(l, f"host.{ZONE}", "+short").strip() == "192.0.2.7"
    assert dig(l, f"who.{ZONE}", "TXT", "+short").strip().strip('"') in ("backend-1", "backend-2")
    assert f"SERVER: {l.vip}#53" in dig(l, f"host.{ZONE}")
    assert "status: REFUSED" in dig(l, "elsewhere.example") or "status: NXDOMAIN" in dig(l, f"no.{ZONE}")


@suite.test("S6")
def an_answer_that_is_too_long_is_asked_for_again_by_tcp_at_the_same_port(l):
    """dnsmasq truncates it; dig comes again by TCP, where a TCPRoute has the port."""
    cut = dig(l, f"big.{ZONE}", "TXT", "+ignore", "+bufsize=1232")
    assert " tc" in next(x for x in cut.splitlines() if "flags:" in x), cut
    whole = dig(l, f"big.{ZONE}", "TXT", "+bufsize=1232")
    assert all(text in whole for text in BIG) and "Truncated, retrying in TCP mode" in whole, whole


@suite.test("S6")
def many_questions_are_shared_by_all_name_servers(l):
    who = collections.Counter(dig(l, f"who.{ZONE}", "TXT", "+short").strip().strip('"') for _ in range(30))
    assert set(who) == {"backend-1", "backend-2"}, who


# ---- datagrams

@suite.test("S6")
def datagrams_of_every_size_come_back_whole(l):
    with socket_to(l, l.vip, ECHO_PORT) as s:
        for size in (0, 1, 2, 7, 8, 100, 511, 512, 1000, 1400):
            data = os.urandom(size)
            assert ask(s, data)[1] == data, size


@suite.test("S6")
def datagrams_of_ip_version_6_go_on_by_whichever_version_the_pod_has(l):
    address = objects.gateway_address(l, NS, "gw", 6)
    data = os.urandom(900)
    (name, source, _), rest = suite.eventually(lambda: told(l, ECHO_PORT, data, address), "an answer")
    assert (name, rest) == ("backend-3", data) and source.startswith((labs.BACK4, labs.BACK6)), (name, source)


def error_of(s, data):
    """The error that a datagram brings."""
    s.send(data)
    try:
        return "no error", s.recv(100)
    except OSError as e:
        return e.errno


@suite.test("S6")
def who_begins_with_what_is_too_long_for_the_way_or_on_its_last_hop_is_told_so(l):
    """The pod has only IPv6: 1,500 bytes are 1,520 there."""
    put_service(l, "six", [5], [("echo", ECHO_PORT, "UDP")], families=(6,))
    put_and_await(l, route("six", "narrow", objects.to("six", port=ECHO_PORT)))
    suite.eventually(lambda: who(l, 7008), "it serves")
    with socket_to(l, l.vip, 7008) as s:
        s.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
        assert error_of(s, b"x") == errno.EHOSTUNREACH
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 2)
        assert ask(s, b"x")[1] == b"x"
    with socket_to(l, l.vip, 7008) as s:
        s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        assert error_of(s, bytes(1472)) == errno.EMSGSIZE
        assert s.getsockopt(socket.IPPROTO_IP, IP_MTU) == 1480
        assert ask(s, bytes(1452))[1] == bytes(1452)


@suite.test("S6")
def a_pod_sees_the_box_and_a_clients_port_keeps_its_endpoint(l):
    put_and_await(l, route("shared", "shared", objects.to("all", port=ECHO_PORT)))
    suite.eventually(lambda: who(l, 7001), "it serves")
    seen = set()
    for _ in range(20):
        with socket_to(l, l.vip, 7001) as s:
            peers = {ask(s, b"x")[0] for _ in range(5)}
            assert len(peers) == 1, peers
            name, source, port = peers.pop()
            assert source == BOX4, source
            seen.add((name, port))
    assert len({name for name, _ in seen}) == len(ECHOES), seen


@suite.test("S6")
def one_question_may_have_many_answers(l):
    with socket_to(l, l.vip, ECHO_PORT) as s:
        assert ask(s, b"5 more")[1] == b"5 more"
        assert [s.recv(100) for _ in range(5)] == [f"backend-3 {i}".encode() for i in range(1, 6)]


@suite.test("S6 S9")
def clients_are_shared_by_weight_and_what_leads_nowhere_gets_nothing(l):
    rule = {"backendRefs": [{"name": "echo-3", "port": ECHO_PORT, "weight": 7},
                            {"name": "echo-4", "port": ECHO_PORT, "weight": 3},
                            {"name": "echo-5", "port": ECHO_PORT, "weight": 0}]}
    put_and_await(l, route("shared", "shared", rule))

    def shares():
        got = collections.Counter(who(l, 7001) for _ in range(300))
        return set(got) == {"backend-3", "backend-4"} and abs(got["backend-3"] / 300 - 0.7) < 0.1
    suite.eventually(shares, "seven of ten go to backend-3, and none to backend-5")
    put_and_await(l, route("nowhere", "nowhere", objects.to("absent", port=ECHO_PORT)))
    assert told(l, 7002, b"x") is None


@suite.test("S6 S15")
def of_two_udp_routes_the_older_has_the_listener(l):
    put_and_await(l, route("first", "later", objects.to("echo-3", port=ECHO_PORT)))
    suite.eventually(lambda: who(l, 7004), "it serves")
    time.sleep(1.1)  # an object's age is told in whole seconds
    put_and_await(l, route("a-second", "later", objects.to("echo-4", port=ECHO_PORT)))
    assert objects.attached_routes(l, NS, "gw")["later"] == 2
    assert {who(l, 7004) for _ in range(20)} == {"backend-3"}
    l.appliance.api.delete("UDPRoute", "first", NS)
    suite.eventually(lambda: who(l, 7004) == "backend-4", "the next one has it")


@suite.test("S6")
def a_number_is_one_port_of_udp_and_another_of_tcp(l):
    assert who(l, 80) == "backend-4"
    status, _, _ = l.curl("http://nobody.example/", address=l.vip)
    assert status == 404, status  # by HTTP, without a route


@suite.test("S6 S9")
def an_endpoint_that_goes_gets_no_new_clients(l):
    put_and_await(l, route("gone", "gone", objects.to("all", port=ECHO_PORT)))
    suite.eventually(lambda: who(l, 7003), "it serves")
    echo = [("echo", ECHO_PORT, "UDP")]
    l.appliance.api.put(slice_of("all", labs.backend_address(4), ports=echo))
    suite.eventually(lambda: {who(l, 7003) for _ in range(20)} == {"backend-4"}, "one is left")
    l.appliance.api.put(slice_of("all", *[labs.backend_address(n) for n in ECHOES], ports=echo))
    suite.eventually(lambda: len({who(l, 7003) for _ in range(40)}) == len(ECHOES), "all are back")


@suite.test("S6")
def a_health_check_by_tcp_keeps_clients_from_a_server_that_is_gone(l):
    """Nobody is asked by UDP: a port of TCP tells."""
    api = l.appliance.api
    echo = [("echo", ECHO_PORT, "UDP")]
    put_service(l, "checked", (3, 4), echo)
    api.put({"apiVersion": "sluice.internal/v1", "kind": "HealthPolicy",
             "metadata": {"namespace": NS, "name": "checked"},
             "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": "checked"}],
                      "active": {"type": "TCP", "port": ECHO_PORT, "interval": "1s", "timeout": "500ms",
                                 "unhealthyThreshold": 1, "healthyThreshold": 1}}})
    put_and_await(l, route("checked", "checked", objects.to("checked", port=ECHO_PORT)))

    def names():
        return {who(l, 7005) for _ in range(10)}
    suite.eventually(lambda: names() == {"backend-3", "backend-4"}, "both answer", 10)
    l.backends[3].process.end()
    try:
        suite.eventually(lambda: names() == {"backend-3"}, "one is left", 20)
    finally:
        l.backends[3].start()
        l.backends[3].wait_ready()
    suite.eventually(lambda: names() == {"backend-3", "backend-4"}, "it is back", 20)


def flows(l, *args):
    """The flows that sluicectl shows as JSON."""
    return [json.loads(line) for line in l.appliance.ctl("flows", "--json", *args).stdout.splitlines()]


def policy(kind, service, **spec):
    return {"apiVersion": "sluice.internal/v1", "kind": kind, "metadata": {"namespace": NS, "name": service},
            "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": service}], **spec}}


@suite.test("S6 S8")
def a_flow_of_datagrams_is_shown_and_counted_with_its_route(l):
    def counts():
        lines = l.appliance.ctl("routes", f"{NS}/echo", "--json").stdout.splitlines()
        return json.loads(lines[0])["connections"]
    before = counts()
    with socket_to(l, l.vip, ECHO_PORT) as s:
        assert ask(s, b"12345")[1] == b"12345"
        me = f"{labs.CLIENT4}:{s.getsockname()[1]}"
        shown = flows(l, me)
        assert len(shown) == 1, shown
        f = shown[0]
        assert (f["protocol"], f["state"], f["up_packets"], f["up_bytes"]) == ("UDP", "FORWARD_HALF", 1, 33), f
        assert f["endpoint"] in [labs.backend_address(3, family) for family in (4, 6)], f
        assert (f["endpoint_port"], f["vip_port"]) == (ECHO_PORT, ECHO_PORT), f
        ask(s, b"more")
        assert flows(l, me)[0]["state"] == "FORWARD_OPEN"
        suite.eventually(lambda: counts()["upPackets"] >= before["upPackets"] + 2, "its route has what moved", 15)
    now = counts()
    assert now["begun"] > before["begun"] and now["upBytes"] >= before["upBytes"] + 33 + 32, (now, before)


@suite.test("S6 S9")
def a_policy_says_how_long_datagrams_keep_their_way_and_whose_go_together(l):
    put_service(l, "kept", ECHOES, [("echo", ECHO_PORT, "UDP")])
    l.appliance.api.put(policy("TransportPolicy", "kept", balancing="Maglev", hashOn={"type": "ClientAddress"},
                               udp={"idleTimeout": "1s"}))
    put_and_await(l, route("kept", "kept", objects.to("kept", port=ECHO_PORT)))
    suite.eventually(lambda: who(l, 7006), "it serves")
    assert len({who(l, 7006) for _ in range(12)}) == 1, "all of a client reach one"
    with socket_to(l, l.vip, 7006) as s:
        first = ask(s, b"x")[0]
        assert first and flows(l, f"{labs.CLIENT4}:{s.getsockname()[1]}")[0]["kept_ms"] == 1000
        me = f"{labs.CLIENT4}:{s.getsockname()[1]}"
        suite.eventually(lambda: not flows(l, me), "it is forgotten", 10)
        name, source, port = ask(s, b"x")[0]
        assert (name, source) == first[:2] and port != first[2], "it is another flow to the same endpoint"


@suite.test("S6 S9")
def an_endpoint_whose_port_is_closed_is_ejected_by_what_datagrams_come_to(l):
    """Its host says that nobody listens: nobody has to ask."""
    put_service(l, "seen", ECHOES, [("echo", ECHO_PORT, "UDP")])
    l.appliance.api.put(policy("HealthPolicy", "seen", passive={
        "consecutiveFailures": 2, "baseEjectionTime": "10m", "maxEjectionTime": "1h"}))
    put_and_await(l, route("seen", "seen", objects.to("seen", port=ECHO_PORT)))
    suite.eventually(lambda: len({who(l, 7007) for _ in range(30)}) == len(ECHOES), "all serve")
    objects.require_policy(l, "HealthPolicy", "seen", NS)
    ejected = l.appliance.counters()["upstream_ejected"]
    l.backends[4].process.end()
    try:
        suite.eventually(lambda: all(who(l, 7007) in ("backend-3", "backend-4") for _ in range(15)) and
                         l.appliance.counters()["upstream_ejected"] > ejected, "the others have its clients", 40)
        now = {k: n for k, n in l.appliance.counters().items() if k.startswith("upstream_") and n}
        assert now["upstream_ejected"] == ejected + 1, (ejected, now)
    finally:
        l.backends[4].start()
        l.backends[4].wait_ready()


@suite.test("S15 S19")
def explain_tells_who_gets_datagrams_and_how(l):
    said = l.appliance.ctl("explain", f"udp://{l.vip}:53", "--address", l.vip).stdout
    assert "kind: UDPRoute" in said and f"route: {NS}/dns" in said and "forwarding: NAT" in said, said
    said = l.appliance.ctl("explain", f"tcp://{l.vip}:53", "--address", l.vip).stdout
    assert "kind: TCPRoute" in said and f"name: {NS}/dns:53/tcp" in said, said
