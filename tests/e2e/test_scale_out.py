# SPDX-License-Identifier: Apache-2.0
"""Three boxes at once behind a router's ECMP: one dies, one comes, backends change, one is drained; what of a thousand
flows of each kind breaks, beside what has to."""
import collections
import json
import os
import socket
import ssl
import subprocess

import backend
import boxes
import certs
import crowd
import flows
import lab as labs
import load
import maglev
import objects
import process
import routing
import suite

NS, SITE, PASSED = "scale", "www.scale.example", "db.scale.example"
PODS, WEB = (1, 2, 3, 4), 5  # backends with flows; the one with HTTP
LINES, DATAGRAMS, SECRETS, IPERF = 8080, 7000, 8443, 5201
IPERF_S = 5
N, N6 = 1000, 300  # of a kind, of IPv4 and of IPv6
CONNECTIONS = ("TCP by NAT", "TCP by NAT, steady", "TLS passed through", "TCP6 by NAT")  # whose state is one box's
KEPT_ALIVE, ASKED, ASKED_A_SECOND = 10, 40, 10


class Pod(backend.Server):
    """many.py and datagrams.py, with the Gateway's addresses beside its own: packets within others are for it, too."""

    def start(self):
        def run(name, *argv):
            return self.lab.start(f"{name}-{self.name}", self.name, *argv)

        def program(name):
            return "python3", os.path.join(labs.TOP, "tests", "lab", f"{name}.py")
        inside = self.lab[self.name]
        inside.address("lo", f"{boxes.VIP}/32", f"{boxes.STEADY_VIP}/32", f"{boxes.VIP6}/128")
        run("unpack", *program("unpack"))
        run("datagrams", *program("datagrams"), self.name, str(DATAGRAMS))
        run("iperf3", "iperf3", "-s", "-p", str(IPERF))
        run("dnsmasq", "/usr/sbin/dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=",
            "--no-resolv", "--no-hosts", "--user=root", "--log-facility=-", f"--host-record={SITE},192.0.2.7")
        self.process = run("many", *program("many"), self.name, str(LINES), str(SECRETS),
                           *self.lab.authority.pair("pods"))

    def wait_ready(self):
        super().wait_ready()
        inside = self.lab[self.name]
        suite.eventually(lambda: inside.run("ip", "link", "show", "unpacked").returncode == 0, "it unpacks", 10)
        inside.sysctl(**{f"net__ipv4__conf__{name}__rp_filter": 0 for name in ("all", "eth0", "eth1", "unpacked")})
        inside.ip("link", "set", "unpacked", "up")


class Told(process.Process):
    """A program that is told lines, and says some."""

    stdin = subprocess.PIPE

    def ask(self, line):
        self.popen.stdin.write(line.encode() + b"\n")
        self.popen.stdin.flush()
        return self.popen.stdout.readline().decode().split(" ")[0]


def lab():
    crowd.raise_file_limit()
    return boxes.BoxesLab("scale_out", backends=WEB)


def service(name, *ports):
    """`ports`: (name, number, protocol); a backend has the same."""
    made = objects.service(NS, name)
    made["spec"]["ports"] = [dict(zip(("name", "port", "protocol"), p)) for p in ports]
    return made


def slice_of(made, numbers):
    """The endpoints of that Service."""
    found = objects.slice_of(NS, made["metadata"]["name"], *map(labs.backend_address, numbers))
    return {**found, "ports": made["spec"]["ports"]}


def policy(name, way):
    return {"apiVersion": "sluice.internal/v1", "kind": "TransportPolicy", "metadata": {"namespace": NS, "name": name},
            "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": name}], "forwarding": way}}


def services():
    return [service("ipip", ("lines", LINES, "TCP")), service("gue", ("datagrams", DATAGRAMS, "UDP")),
            service("nat", ("lines", LINES, "TCP"), ("datagrams", DATAGRAMS, "UDP")),
            service("passed", ("secrets", SECRETS, "TCP")), service("dns", ("dns", 53, "UDP"))]


def listeners():
    plain = (("ipip", LINES, "TCP"), ("gue", DATAGRAMS, "UDP"), ("nat", 9080, "TCP"), ("nat-udp", 9000, "UDP"),
             ("dns", 53, "UDP"), ("iperf", IPERF, "TCP"), ("web", 80, "HTTP"))
    made = [dict(zip(("name", "port", "protocol"), p)) for p in plain]
    passed = {"name": "passed", "port": SECRETS, "protocol": "TLS", "tls": {"mode": "Passthrough"}}
    return [*made, passed, objects.https("secure", "web", hostname=SITE)]


def routes():
    def route(kind, section, rule, *hosts):
        return {**objects.route(NS, section, [{"name": "gw", "sectionName": section}], [rule], *hosts), "kind": kind}
    return [route("TCPRoute", "ipip", objects.to("ipip", port=LINES)),
            route("UDPRoute", "gue", objects.to("gue", port=DATAGRAMS)),
            route("TCPRoute", "nat", objects.to("nat", port=LINES)),
            route("UDPRoute", "nat-udp", objects.to("nat", port=DATAGRAMS)),
            route("TLSRoute", "passed", objects.to("passed", port=SECRETS), PASSED),
            route("UDPRoute", "dns", objects.to("dns", port=53)),
            route("TCPRoute", "iperf", objects.to("iperf", port=IPERF)),
            route("HTTPRoute", "web", objects.to("web")), route("HTTPRoute", "secure", objects.to("web"))]


def configuration(authority):
    """What all boxes are given."""
    gateway = objects.gateway(NS, "gw", boxes.VIP, boxes.STEADY_VIP, boxes.VIP6)
    gateway["spec"]["listeners"] = listeners()
    iperf = service("iperf", ("iperf", IPERF, "TCP"))
    gateway_class = {"apiVersion": objects.GATEWAY_V1, "kind": "GatewayClass", "metadata": {"name": "foo-lb"},
                     "spec": {"controllerName": "sluice.internal/gateway-controller"}}
    made = [gateway_class, objects.namespace(NS), gateway, policy("ipip", "IPIP"), policy("gue", "GUE"),
            policy("iperf", "IPIP"), objects.tls_secret(NS, "web", *authority.server("web", SITE)),
            iperf, slice_of(iperf, PODS[:1]), objects.service(NS, "web"),
            objects.slice_of(NS, "web", labs.backend_address(WEB))]
    return made + services() + [slice_of(s, PODS) for s in services()] + routes()


def prepare(l):
    l.authority = certs.Authority(l.dir)
    l.authority.server("pods", PASSED)
    l.backends = [Pod(l, f"backend-{n}") for n in PODS] + [backend.Nginx(l, f"backend-{WEB}")]
    l.start_boxes()
    for b in l.backends:
        b.wait_ready()
    l.put(*configuration(l.authority))
    l.wait_ways(*l.numbers)
    trusting = ssl.create_default_context(cafile=l.authority.ca)
    kinds = [flows.Kind("TCP by IPIP", "tcp", boxes.VIP, LINES), flows.Kind("UDP by GUE", "udp", boxes.VIP, DATAGRAMS),
             flows.Kind("UDP by NAT", "udp", boxes.VIP, 9000), flows.Kind("TCP by NAT", "tcp", boxes.VIP, 9080),
             flows.Kind("TCP by NAT, steady", "tcp", boxes.STEADY_VIP, 9080),
             flows.Kind("TLS passed through", "tcp", boxes.VIP, SECRETS, (trusting, PASSED)),
             flows.Kind("TCP6 by IPIP", "tcp", boxes.VIP6, LINES),
             flows.Kind("UDP6 by GUE", "udp", boxes.VIP6, DATAGRAMS),
             flows.Kind("UDP6 by NAT", "udp", boxes.VIP6, 9000), flows.Kind("TCP6 by NAT", "tcp", boxes.VIP6, 9080)]
    l.flows = [flows.Flows(l["client"], k, N6 if ":" in k.vip else N, 10000 + 3700 * i) for i, k in enumerate(kinds)]
    for f in l.flows:
        f.fill()
        l.undo.add(f.kind.name, f.close)


# ---- what is measured

def boxes_now(l):
    """{flow: the box that the router gives it to}"""
    every = [(f.kind, one) for f in l.flows for one in f.flows]
    found = l.boxes_of([(kind.vip, kind.protocol, one.port, kind.port) for kind, one in every])
    return dict(zip((one for _, one in every), found))


class Row:
    """What an event did to the flows of a kind."""

    def __init__(self, f, before, after, gone):
        self.kind, self.before = f.kind.name, before
        self.broken = f.find_broken()
        self.moved = [one for one in f.flows if before[one] != after[one]]
        self.of_gone = [one for one in f.flows if before[one] in gone]
        self.faults = collections.Counter(one.fault for one in self.broken)


def begin_anew(l):
    """All flows that no box has alone: boxes that had one once remember where it went."""
    for f in l.flows:
        if f.kind.name not in CONNECTIONS:
            f.close()
            f.flows = []


def measure(l, event, change, gone=(), part=0):
    """Fills up, lets `change` happen, and asks all flows; prints a row a kind. `gone`: boxes that go; `part`: of
    Maglev's table has changed. So has to break what was only the box's, or moves and finds another backend."""
    for f in l.flows:
        f.fill()
        if f.is_udp:  # only of who has said something twice much is remembered: longer than this takes
            assert not f.find_broken() and not f.find_broken(), f.kind.name
    before = boxes_now(l)
    change()
    after = boxes_now(l)
    print(f"  {event}\n    {'':22}moved by the router  broken  has to      of")
    rows = {}
    for f in l.flows:
        row = rows[f.kind.name] = Row(f, before, after, gone)
        least = len(row.of_gone) if row.kind in CONNECTIONS else part * len(row.moved)
        how = ", ".join(f"{n} {fault}" for fault, n in row.faults.items())
        print(f"    {row.kind:22}{len(row.moved):19}{len(row.broken):8}{least:8.0f}{f.n:8}   {how}", flush=True)
    return rows


def port_by(l, protocol, port, box, taken):
    """A port of the client's whose flow to the VIP's port goes by that box."""
    asked = range(5000 + taken, 5064 + taken)
    found = l.boxes_of([(boxes.VIP, protocol, p, port) for p in asked])
    return asked[found.index(box)]


def expect_only_state_is_lost(rows):
    """Nothing that goes on by Maglev's choice alone; of what is one box's just what went elsewhere, and that was told
    by a reset, not by silence."""
    for row in rows.values():
        if row.kind in CONNECTIONS:
            assert set(row.broken) == set(row.moved), (row.kind, row.faults, len(row.moved))
            assert set(row.faults) <= {"reset"}, (row.kind, row.faults)
        else:
            assert not row.broken, (row.kind, row.faults)
    steady = rows["TCP by NAT, steady"]
    assert set(steady.broken) == set(steady.of_gone), (len(steady.broken), len(steady.of_gone))


# ---- tests

@suite.test("#7")
def every_box_gives_a_flow_to_the_same_backend_and_each_gets_its_share(l):
    for f in l.flows:
        who = collections.Counter(one.who for one in f.flows)
        assert set(who) == {f"backend-{n}" for n in PODS} and min(who.values()) > f.n / 8, (f.kind.name, who)
    found = boxes_now(l)
    for f in l.flows:
        by = collections.Counter(found[one] for one in f.flows)
        assert set(by) == set(l.numbers) and min(by.values()) > f.n / 6, (f.kind.name, by)
        if "NAT" in f.kind.name or f.kind.tls:  # what the router says of itself is so
            odd = [(one.seen, found[one]) for one in f.flows if one.seen != l.boxes[found[one] - 1].back]
            assert not odd, (f.kind.name, len(odd), odd[:5])


@suite.test("#7")
def a_box_dies_and_only_what_was_its_alone_breaks(l):
    """With iperf3, ncat and dig under way by that box."""
    client, dead = l["client"], l.boxes[2]
    ports = [port_by(l, "tcp", port, 3, i * 100) for i, port in enumerate((IPERF, LINES, 9080))]
    running = []
    carried, translated = (
        l.start(f"ncat-{port}", "client", "ncat", "-p", str(source), boxes.VIP, str(port), pipe=True, kind=Told)
        for source, port in zip(ports[1:], (LINES, 9080)))
    who = carried.ask("who")
    assert who.startswith("backend-") and translated.ask("who").startswith("backend-")

    def die():
        running.append(l.start("iperf3", "client", "iperf3", "-c", boxes.VIP, "-p", str(IPERF), "--cport",
                               str(ports[0]), "-b", "10M", "-t", str(IPERF_S), "-J", pipe=True))
        suite.eventually(lambda: f":{ports[0]}" in l[f"backend-{PODS[0]}"].run("ss", "-Htn").stdout, "iperf3 runs")
        dead.kill()
        for _ in range(20):  # while the router still believes in the box, too
            done = client.run("dig", f"@{boxes.VIP}", SITE, "+short", "+tries=4", "+timeout=1")
            assert done.stdout.strip().endswith("192.0.2.7"), done.stdout
        l.wait_ways(1, 2)
    expect_only_state_is_lost(measure(l, "one of three boxes dies", die, gone={3}))
    assert carried.ask("still there?") == who
    assert translated.ask("still there?") == "" and translated.popen.wait(10) != 0, "ncat hears of the reset"
    told = json.loads(running[0].popen.stdout.read())
    assert "error" not in told and told["intervals"][-1]["sum"]["bytes"] > 0, told.get("error")


@suite.test("#7")
def a_box_comes_and_takes_its_share_over(l):
    def come():
        l.boxes[2].start()
        l.wait_ways(1, 2, 3)
    expect_only_state_is_lost(measure(l, "a third box comes", come))


@suite.test("#7")
def backends_change_and_no_flow_moves_until_its_box_dies(l):
    """Then the other box looks into the new table."""
    whole, left = ([(labs.backend_address(n), LINES) for n in numbers] for numbers in (PODS, PODS[:-1]))
    part = maglev.changed(maglev.table(*whole), maglev.table(*left))
    gone = f"backend-{PODS[-1]}"

    def change(numbers):
        def awaited():
            before = [box.counters()["core_endpoints_accepted"] for box in l.boxes]
            l.put(*[slice_of(s, numbers) for s in services()])
            suite.eventually(lambda: all(box.counters()["core_endpoints_accepted"] >= was + len(services())
                                         for box, was in zip(l.boxes, before)), "the endpoints are in use", 10)
        return awaited

    def die():
        l.boxes[2].kill()
        l.wait_ways(1, 2)
    begin_anew(l)
    rows = measure(l, "one of four backends goes from the list, and still works", change(PODS[:-1]))
    assert not any(row.broken for row in rows.values()), {row.kind: row.faults for row in rows.values()}
    print(f"  Maglev's table: {100 * part:.2f} % of its places have changed")
    rows = measure(l, "then one of the boxes dies", die, gone={3}, part=part)
    for row in rows.values():
        if row.kind not in CONNECTIONS:
            had_to = {one for one in row.moved if one.who == gone}
            assert had_to <= set(row.broken) <= set(row.moved), (row.kind, row.faults)
            assert len(row.broken) - len(had_to) <= 0.02 * len(row.moved) + 2, (row.kind, len(row.broken), len(had_to))
    l.boxes[2].start()
    change(PODS)()
    l.wait_ways(1, 2, 3)


@suite.test("#7")
def a_box_is_drained_without_a_lost_connection(l):
    """The others hand over what is the drained box's; clients of HTTP are told to come again, and so it is empty soon.
    Then it ends, and only who would not end is reset."""
    box = l.boxes[1]
    line = "%{http_code} %{num_connects}\\n"
    running = []

    def drain():
        running.append(load.Load(l, boxes.VIP, SITE, connections=KEPT_ALIVE, rate=10 * KEPT_ALIVE))
        running.extend(l.start(f"curl-{i}", "client", "curl", "-s", "-o", "/dev/null", "-w", line, "--rate",
                               f"{ASKED_A_SECOND}/s", f"http://{boxes.VIP}/?[1-{ASKED}]", pipe=True)
                       for i in range(KEPT_ALIVE))
        suite.eventually(lambda: all(b.counters()["proxy_end_complete"] > before[b] for b in l.boxes),
                         "all boxes have clients of HTTP", 10)
        for one in (box, l.boxes[0], l.boxes[2]):  # it waits for the others
            one.api.put(routing.sluice("Drain", "upgrade", appliance=box.front))
        l.wait_ways(1, 3)
    before = {b: b.counters()["proxy_end_complete"] for b in l.boxes}
    rows = measure(l, "one of three boxes is drained", drain)
    assert not any(row.broken for row in rows.values()), {row.kind: row.faults for row in rows.values()}
    asked = running[0].end()
    assert asked["failed"] == 0 and asked["ok"] > 100 and asked["closed"] > 0, asked
    answers = [one.split() for p in running[1:] for one in p.popen.stdout.read().decode().splitlines()]
    assert len(answers) == KEPT_ALIVE * ASKED and {code for code, _ in answers} == {"200"}, answers
    again = sum(int(n) for _, n in answers) - KEPT_ALIVE
    handed_over = sum(b.counters()["l4_handed_over"] for b in l.boxes)
    print(f"  HTTP: no failed request of {asked['ok'] + len(answers)}; {asked['closed']} connections that were told to "
          f"end, {again} that curl opened again; {handed_over} segments handed over")
    box.end_in_good_order()
    for other in (l.boxes[0], l.boxes[2]):
        other.api.delete("Drain", "upgrade")
    for f in l.flows:
        broken, row = set(f.find_broken()), rows[f.kind.name]
        left = {one for one in f.flows if row.before[one] == 2} if row.kind in CONNECTIONS else set()
        assert broken == left, (row.kind, len(broken), len(left))
        assert {one.fault for one in broken} <= {"reset"}, {one.fault for one in broken}


@suite.test("#7")
def a_client_goes_on_with_its_tls_session_at_another_box(l):
    l.wait_ways(1, 3)
    context = ssl.create_default_context(cafile=l.authority.ca)
    session = None
    for i, number in enumerate((1, 3, 1, 3)):
        port = port_by(l, "tcp", 443, number, 1000 + 100 * i)

        def ask(port=port):
            raw = socket.socket()
            raw.bind(("0.0.0.0", port))
            raw.settimeout(10)
            raw.connect((boxes.VIP, 443))
            with context.wrap_socket(raw, server_hostname=SITE, session=session) as s:
                s.sendall(f"GET / HTTP/1.1\r\nHost: {SITE}\r\n\r\n".encode())
                assert s.recv(4096).startswith(b"HTTP/1.1 200")
                return s.session, s.session_reused
        is_first = session is None
        session, is_reused = l["client"].inside(ask)
        assert is_first or is_reused, f"box {number}"


@suite.test("#7")
def the_other_boxes_end_in_good_order(l):
    l.boxes[2].end_in_good_order()
