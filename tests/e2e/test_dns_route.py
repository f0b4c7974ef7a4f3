# SPDX-License-Identifier: Apache-2.0
"""DNSRoutes (S24): queries by name and type to real name servers (dnsmasq), asked by dig and by hand, by UDP and TCP;
what no route has, what is no query, and what a socket asks at once."""
import contextlib
import json
import re
import socket
import struct

import lab as labs
import objects
import suite
import test_udp

NS = "dns-route"
SLUICE_V1 = "sluice.internal/v1"
PROTOCOL = "sluice.internal/DNS"
ONE, TWO, THREE = 1, 2, 3
ZONES = ("a.example", "deep.a.example", "only.example", "below.only.example", "b.example", "other.example",
         "theirs.example", "direct.example")
TXT, A, AAAA = 16, 1, 28
REFUSED, SERVFAIL, FORMERR, NOTIMP = 5, 2, 1, 4
WAIT_S = 2


class NameServer(test_udp.NameServer):
    """dnsmasq: "who" in each zone is its own name, "host" has addresses that tell it, too."""

    def start(self):
        n = self.name.rsplit("-", 1)[1]
        records = [o for zone in ZONES for o in (
            f"--txt-record=who.{zone},{self.name}", f"--host-record=host.{zone},192.0.2.{n},2001:db8::{n}")]
        self.process = self.lab.start(f"dnsmasq-{self.name}", self.name, "/usr/sbin/dnsmasq", "--keep-in-foreground",
                                      "--conf-file=/dev/null", "--pid-file=", "--no-resolv", "--no-hosts",
                                      "--user=root", "--log-facility=-", "--edns-packet-max=1232",
                                      f"--txt-record=big.a.example,{','.join(test_udp.BIG)}", *records)


def lab():
    return labs.Lab("dns-route", backends=3, workers=2)


def matching(value=None, kind="Suffix", type=None):
    name = {"name": {"type": kind, "value": value}} if value else {}
    return {**name, **({"type": type} if type else {})}


def route(name, *rules, ns=NS):
    """`rules`: (service or backendRef, match...)"""
    made = [{"backendRefs": [to if isinstance(to, dict) else {"name": to, "port": 53}],
             **({"matches": list(matches)} if matches else {})} for to, *matches in rules]
    return {"apiVersion": SLUICE_V1, "kind": "DNSRoute", "metadata": {"namespace": ns, "name": name},
            "spec": {"parentRefs": [{"name": "gw", "namespace": NS, "sectionName": "dns"}], "rules": made}}


def put_name_server(l, n, ns=NS):
    ports = [("dns", 53, "UDP")]
    made, slices = test_udp.service(f"ns{n}", *ports), test_udp.slice_of(f"ns{n}", labs.backend_address(n), ports=ports)
    for o in (made, slices):
        o["metadata"]["namespace"] = ns
        l.appliance.api.put(o)


def prepare(l):
    l.backends = [NameServer(l, f"backend-{n}") for n in (ONE, TWO, THREE)]
    for b in l.backends:
        b.wait_ready()
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    api = l.appliance.api
    gateway = objects.gateway(NS, "gw")
    gateway["spec"]["listeners"] = [{"name": "dns", "port": 53, "protocol": PROTOCOL,
                                     "allowedRoutes": {"namespaces": {"from": "All"}}}]
    for o in (objects.namespace(NS), objects.namespace("others"), gateway):
        api.put(o)
    for n in (ONE, TWO, THREE):
        put_name_server(l, n)
    api.put(route("names", ("ns1", matching("a.example")), ("ns2", matching("b.example")),
                  ("ns3", matching("deep.a.example")), ("ns3", matching("who.only.example", "Exact"))))
    l.vip = objects.gateway_address(l, NS, "gw")
    l.vip6 = objects.gateway_address(l, NS, "gw", 6)
    suite.eventually(lambda: who(l, "a.example") == "backend-1", "it serves")


# ---- dig


def dig(l, name, type="TXT", *options, address=None):
    """(status, [answers])"""
    done = l["client"].run("dig", f"@{address or l.vip}", "+tries=1", f"+timeout={WAIT_S}", name, type, *options)
    status = re.search(r"status: (\w+)", done.stdout)
    answers = re.findall(rf"^\S+\s+\d+\s+IN\s+{type}\s+(.*)$", done.stdout, re.MULTILINE)
    return status[1] if status else None, [a.strip('"') for a in answers]


def who(l, zone, *options, address=None):
    """The name server that answers for the zone; or the status when none does."""
    status, answers = dig(l, f"who.{zone}", "TXT", *options, address=address)
    return answers[0] if answers else status


def becomes(l, zone, wanted, *options):
    suite.eventually(lambda: who(l, zone, *options) == wanted, f"{zone} is answered by {wanted}")


# ---- by hand


def query(number, name, type=TXT, flags=0x0100):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack(">6H", number, flags, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", type, 1)


def by_udp(l, *messages, answers=None):
    """What comes back to these datagrams of one socket, by its number."""
    def ask():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(WAIT_S)
            s.connect((l.vip, 53))
            for m in messages:
                s.send(m)
            found = {}
            try:
                for _ in range(len(messages) if answers is None else answers):
                    got = s.recv(4096)
                    found[struct.unpack(">H", got[:2])[0]] = got
            except TimeoutError:
                pass
            return found
    return l["client"].inside(ask)


def by_tcp(l, *messages):
    """The answers on one connection, until all are there or it ends, as a reset does, too."""
    found = []
    with l["client"].connect(l.vip, 53, timeout=WAIT_S) as s, contextlib.suppress(ConnectionResetError):
        s.sendall(b"".join(struct.pack(">H", len(m)) + m for m in messages))
        with s.makefile("rb") as f:
            while len(found) < len(messages):
                head = f.read(2)
                if len(head) < 2:
                    break
                found.append(f.read(struct.unpack(">H", head)[0]))
    return found


def rcode(message):
    return message[3] & 15


def counter(l, name):
    return l.appliance.counters()[name]


def accepted(l, name, kind="Accepted", ns=NS):
    c = objects.condition(objects.told(l, "DNSRoute", name, ns)["parents"][0], kind)
    return c["status"], c.get("reason")


@suite.test("S24")
def queries_go_by_the_longest_suffix_of_their_name(l):
    for options in ((), ("+noedns",), ("+tcp",)):
        assert who(l, "a.example", *options) == "backend-1", options
        assert who(l, "b.example", *options) == "backend-2", options
        assert who(l, "deep.a.example", *options) == "backend-3", options
        assert who(l, "A.eXample", *options) == "backend-1", options
    assert who(l, "deep.a.example", address=l.vip6) == "backend-3"
    assert accepted(l, "names") == ("True", "Accepted")
    assert accepted(l, "names", "ResolvedRefs") == ("True", "ResolvedRefs")


@suite.test("S24")
def an_exact_name_is_that_name_alone(l):
    assert who(l, "only.example") == "backend-3"
    assert who(l, "below.only.example") == "REFUSED"
    assert dig(l, "host.only.example", "A")[0] == "REFUSED"


@suite.test("S24")
def a_type_may_go_elsewhere_than_the_others_of_its_name(l):
    l.appliance.api.put(route("types", ("ns1", matching("other.example")),
                              ("ns2", matching("other.example", type="AAAA")), ("ns3", matching(type="TYPE65"))))
    suite.eventually(lambda: dig(l, "host.other.example", "AAAA")[1] == ["2001:db8::2"], "AAAA goes to the second")
    assert dig(l, "host.other.example", "A")[1] == ["192.0.2.1"]
    assert who(l, "other.example") == "backend-1"
    assert dig(l, "nobody.example", "TYPE65")[0] in ("NOERROR", "REFUSED")  # dnsmasq's word, which has no such name
    assert dig(l, "nobody.example", "A")[0] == "REFUSED"


@suite.test("S24")
def what_no_route_has_is_refused_by_the_box(l):
    before = counter(l, "l4_dns_refused")
    plain = query(7, "who.nowhere.example")
    answer = by_udp(l, plain)[7]
    assert rcode(answer) == REFUSED and answer[12:] == plain[12:] and answer[2] & 0x81 == 0x81, answer
    edns = plain[:10] + b"\0\1" + plain[12:] + b"\0\0\x29\x10\0\0\0\x80\0\0\0"
    answer = by_udp(l, edns)[7]
    assert rcode(answer) == REFUSED and answer[-11:-8] == b"\0\0\x29" and len(answer) == len(edns), answer
    assert [rcode(m) for m in by_tcp(l, plain)] == [REFUSED]
    assert counter(l, "l4_dns_refused") >= before + 2 and counter(l, "proxy_dns_refused") > 0


@suite.test("S24")
def one_socket_asks_for_many_names_at_once_and_each_is_answered(l):
    zones = {"a.example": "backend-1", "b.example": "backend-2", "deep.a.example": "backend-3"}
    asked = {n: list(zones)[n % 3] for n in range(60)}
    found = {}

    def all_are_answered():
        """A datagram may be lost where so many come at once to a server that is busy: it is asked again."""
        found.update(by_udp(l, *[query(n, f"who.{zone}") for n, zone in asked.items() if n not in found]))
        return set(found) == set(asked)
    suite.eventually(all_are_answered, "each has its answer", 20)
    for n, zone in asked.items():
        assert zones[zone].encode() in found[n], (n, zone, found[n])
    before = counter(l, "l4_end_answered")
    twice = by_udp(l, query(1, "who.a.example"), query(1, "who.b.example"), answers=2)
    assert len(twice) == 1, twice  # of one number, so the second overwrote the first here; both came
    suite.eventually(lambda: counter(l, "l4_end_answered") == before + 2, "both flows have ended")
    suite.eventually(lambda: counter(l, "l4_flows_now") == 0, "no flow is left", 60)


@suite.test("S24")
def what_is_no_query_is_told_so_or_dropped(l):
    good = query(9, "who.a.example")
    assert rcode(by_udp(l, good[:12] + b"\3who\xc0\x0c\0\x10\0\1")[9]) == FORMERR
    assert rcode(by_udp(l, good[:5] + b"\2" + good[6:])[9]) == FORMERR
    assert rcode(by_udp(l, query(9, "who.a.example", flags=0x2800))[9]) == NOTIMP
    assert by_udp(l, query(9, "who.a.example", flags=0x8180), good[:11], answers=1) == {}
    assert rcode(by_tcp(l, good[:12] + b"\xc0\x0c\0\x10\0\1")[0]) == FORMERR
    assert by_tcp(l, b"short") == []
    assert counter(l, "l4_drop_dns_unanswered") == 2 and counter(l, "l4_dns_malformed") == 3
    assert who(l, "a.example") == "backend-1"


@suite.test("S24")
def the_first_query_of_a_connection_decides_for_the_rest(l):
    answers = by_tcp(l, query(1, "who.a.example"), query(2, "who.b.example"))
    assert [b"backend-1" in a for a in answers] == [True, True], answers


@suite.test("S24")
def an_answer_that_is_too_long_comes_by_tcp(l):
    status, answers = dig(l, "big.a.example", "TXT")
    assert status == "NOERROR" and all(t in answers[0] for t in test_udp.BIG), (status, answers)


@suite.test("S24")
def a_route_without_a_backend_that_answers_is_told_by_servfail(l):
    l.appliance.api.put(route("broken", ("nobody", matching("broken.example"))))
    becomes(l, "broken.example", "SERVFAIL")
    assert accepted(l, "broken", "ResolvedRefs") == ("False", "BackendNotFound")
    l.appliance.api.put({**test_udp.service("empty", ("dns", 53, "UDP")),
                         "metadata": {"namespace": NS, "name": "empty"}})
    l.appliance.api.put(route("broken", ("empty", matching("empty.example"))))
    becomes(l, "empty.example", "SERVFAIL")
    assert counter(l, "l4_dns_failed") > 0
    l.appliance.api.delete("DNSRoute", "broken", NS)
    becomes(l, "empty.example", "REFUSED")


@suite.test("S24 S22")
def a_backend_of_another_kind_and_another_namespace_takes_queries(l):
    put_name_server(l, THREE, "others")
    ref = {"name": "ns3", "namespace": "others", "port": 53}
    l.appliance.api.put(route("theirs", (ref, matching("theirs.example"))))
    becomes(l, "theirs.example", "SERVFAIL")
    assert accepted(l, "theirs", "ResolvedRefs") == ("False", "RefNotPermitted")
    grant = objects.grant("others", "dns", "DNSRoute", NS, "Service")
    grant["spec"]["from"][0]["group"] = "sluice.internal"
    l.appliance.api.put(grant)
    becomes(l, "theirs.example", "backend-3")
    l.appliance.api.put({"apiVersion": SLUICE_V1, "kind": "Backend", "metadata": {"namespace": NS, "name": "direct"},
                         "spec": {"endpoints": [{"address": labs.backend_address(TWO), "port": 53}],
                                  "protocols": ["UDP"]}})
    l.appliance.api.put(route("direct", ({"group": "sluice.internal", "kind": "Backend", "name": "direct"},
                                         matching("direct.example"))))
    becomes(l, "direct.example", "backend-2")
    becomes(l, "direct.example", "backend-2", "+tcp")


@suite.test("S24 S14 S15")
def a_route_is_let_in_as_others_are_and_counted(l):
    l.appliance.api.put(route("foreign", ("ns3", matching("b.example", type="A")), ns="others"))
    suite.eventually(lambda: dig(l, "host.b.example", "A")[1] == ["192.0.2.3"], "a route of another namespace counts")
    listener = l.appliance.api.get("Gateway", "gw", NS)["status"]["listeners"][0]
    assert listener["supportedKinds"] == [{"group": "sluice.internal", "kind": "DNSRoute"}], listener
    routes = l.appliance.ctl("routes").stdout
    assert f"{NS}/names" in routes, routes
    l.appliance.api.delete("DNSRoute", "foreign", "others")
    suite.eventually(lambda: dig(l, "host.b.example", "A")[1] == ["192.0.2.2"], "it is gone")


@suite.test("S24")
def explain_tells_whose_a_name_is(l):
    def explained(*what):
        return json.loads(l.appliance.ctl("explain", *what, "-o", "json").stdout)["status"]
    told = explained("TXT", "dns://gw/who.deep.a.example")
    assert told["route"] == f"{NS}/names" and told["rule"] == 2, told
    assert [b["name"] for b in told["backends"]] == [f"{NS}/ns3:53/dns"], told
    assert explained("A", "dns://gw/nowhere.example")["outcome"] == "NO_RULE"


@suite.test("S24")
def a_port_of_dns_is_one_of_both_protocols(l):
    gateway = objects.gateway(NS, "mixed")
    gateway["spec"]["listeners"] = [{"name": "dns", "port": 5353, "protocol": PROTOCOL},
                                    {"name": "udp", "port": 5353, "protocol": "UDP"},
                                    {"name": "named", "port": 5354, "protocol": PROTOCOL, "hostname": "a.example"},
                                    {"name": "good", "port": 5355, "protocol": PROTOCOL}]
    l.appliance.api.put(gateway)

    def judged():
        listeners = l.appliance.api.get("Gateway", "mixed", NS).get("status", {}).get("listeners", [])
        return {x["name"]: objects.condition(x, "Accepted").get("reason") for x in listeners}
    suite.eventually(lambda: judged() == {"dns": "ProtocolConflict", "udp": "ProtocolConflict",
                                          "named": "UnsupportedProtocol", "good": "Accepted"}, "each says what it is")
