# SPDX-License-Identifier: Apache-2.0
"""Backends that are no Services (S22): fixed endpoints, and names that a real name server (dnsmasq) answers, changes,
forgets and falls silent about; every kind of route, TLS of their own, policies that target them."""
import os
import signal

import api
import backend
import certs
import lab as labs
import objects
import suite
import test_udp

NS, HOST, VIP = "backends", "shop.example.com", "198.18.0.147"
ZONE = "lab.example"
NAME = "shop.internal.example"
WEB, OTHER, SECURE, H2C, DNS, ECHO, RECORDER = range(1, 8)  # backends, by what they are
RESOLVER_PORT = 5353
SLUICE_V1 = "sluice.internal/v1"
NAME_S = 20  # until a changed answer holds: its time to live, at least five seconds
H2C_PORT = 8081


def lab():
    return labs.Lab("backend-kind", backends=7, workers=2)


# ---- the name server that mgmtd asks


def hosts(l, **names):
    """What it says from now on: lists of addresses by name; names that are not here are not there."""
    with open(l.hosts, "w", encoding="ascii") as f:
        f.writelines(f"{address} {name}.{ZONE}\n" for name, addresses in names.items() for address in addresses)
    if l.resolver is not None:
        l.resolver.popen.send_signal(signal.SIGHUP)


def start_resolver(l):
    l.resolver = l.start("resolver", "admin", "/usr/sbin/dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null",
                         "--pid-file=", "--no-resolv", "--no-hosts", "--user=root", "--log-facility=-",
                         f"--port={RESOLVER_PORT}", f"--addn-hosts={l.hosts}", "--local-ttl=1", f"--local=/{ZONE}/")


# ---- objects


def made_backend(name, *endpoints, ns=NS, **spec):
    """`endpoints`: (address, port)"""
    if endpoints:
        spec["endpoints"] = [{"address": a, "port": p} for a, p in endpoints]
    return {"apiVersion": SLUICE_V1, "kind": "Backend", "metadata": {"namespace": ns, "name": name}, "spec": spec}


def at(n, port=backend.PORT, family=4):
    return labs.backend_address(n, family), port


def named(name, dns_name, port=backend.PORT, **dns):
    return made_backend(name, dns={"name": f"{dns_name}.{ZONE}", "port": port, **dns})


def ref(name, ns=None, **more):
    return {"group": "sluice.internal", "kind": "Backend", "name": name, **({"namespace": ns} if ns else {}), **more}


def to(*refs):
    return {"backendRefs": [ref(r) if isinstance(r, str) else r for r in refs]}


def put(l, *objs):
    for o in objs:
        l.appliance.api.put(o)


def web_route(l, name, *refs, filters=None):
    """A route of its own host: NAME.example."""
    rule = {**to(*refs), **({"filters": filters} if filters else {})}
    put(l, objects.route(NS, name, [{"name": "gw", "sectionName": "web"}], [rule], f"{name}.example"))


def l4_route(l, kind, name, section, *refs, hostnames=()):
    made = objects.route(NS, name, [{"name": "gw", "sectionName": section}], [to(*refs)], *hostnames)
    put(l, {**made, "kind": kind})


def prepare(l):
    l.hosts, l.resolver = os.path.join(l.dir, "hosts"), None
    hosts(l, shop=[labs.backend_address(WEB)])
    start_resolver(l)
    l.authority = certs.Authority(l.dir, "ours")
    l.strangers = certs.Authority(l.dir, "strangers")
    l.authority.server("right", NAME)

    class Secure(backend.SecureOrigin):
        certificates = {f"backend-{SECURE}": l.authority.pair("right")}
    l.files = os.path.join(l.dir, "files")
    os.makedirs(l.files, exist_ok=True)
    with open(os.path.join(l.files, "index.html"), "w", encoding="ascii") as f:
        f.write("h2c\n")
    l.backends = [backend.Nginx(l, f"backend-{n}") for n in (WEB, OTHER)]
    l.backends += [Secure(l, f"backend-{SECURE}"), test_udp.NameServer(l, f"backend-{DNS}"),
                   test_udp.Echo(l, f"backend-{ECHO}"), backend.Recorder(l, f"backend-{RECORDER}")]
    l.start("nghttpd", f"backend-{H2C}", "nghttpd", "--no-tls", "-d", l.files, str(H2C_PORT))
    for b in l.backends:
        b.wait_ready()
    l.appliance.mgmtd_options = ["--resolver", f"{labs.ADMIN4}.10:{RESOLVER_PORT}"]
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    gateway = objects.gateway(NS, "gw", VIP)
    gateway["spec"]["listeners"] = [
        {"name": "web", "port": 80, "protocol": "HTTP"},
        {"name": "tls", "port": 443, "protocol": "TLS", "tls": {"mode": "Passthrough"}},
        *({"name": n, "port": p, "protocol": kind} for n, p, kind in (
            ("tcp", 5000, "TCP"), ("dns", 53, "UDP"), ("dns-tcp", 53, "TCP"), ("echo", 7000, "UDP")))]
    put(l, objects.namespace(NS), objects.namespace("others"), gateway,
        objects.config_map(NS, "cas", ca_crt=l.authority.text()),
        objects.config_map(NS, "strange", ca_crt=l.strangers.text()))
    put(l, made_backend("fixed", at(WEB)), named("shop", "shop"))
    web_route(l, "fixed", "fixed")
    web_route(l, "shop", "shop")
    objects.gateway_address(l, NS, "gw")
    serves(l, "fixed", "backend-1")


# ---- questions


def serves(l, name, wanted, limit_s=5):
    return objects.wait_answer(l, VIP, f"{name}.example", wanted, limit_s=limit_s)


def answer(l, name):
    return objects.answers(l, VIP, f"{name}.example")


def status_of(l, name, ns=NS):
    return l.appliance.api.get("Backend", name, ns).get("status", {})


def says(l, name, kind, status, reason, limit_s=5):
    """Waits for a condition of a Backend; its message."""
    def found():
        c = objects.condition(status_of(l, name), kind)
        return c if (c["status"], c.get("reason")) == (status, reason) else None
    return suite.eventually(found, f"{name} says {kind}={status} {reason}", limit_s)["message"]


def addresses(l, name):
    return [a["address"] for a in status_of(l, name).get("addresses", [])]


def becomes(l, name, address):
    """Waits until the status says that it is there and nowhere else."""
    suite.eventually(lambda: addresses(l, name) == [address], f"{name} is at {address}", NAME_S)


def resolved_refs(l, name):
    c = objects.parent_condition(l, NS, name, "ResolvedRefs")
    return c["status"], c.get("reason")


# ---- fixed endpoints


@suite.test("S22")
def fixed_endpoints_of_both_families_serve(l):
    put(l, made_backend("both", at(WEB), at(OTHER, family=6)),
        {"apiVersion": SLUICE_V1, "kind": "TransportPolicy", "metadata": {"namespace": NS, "name": "turns"},
         "spec": {"targetRefs": [ref("both")], "balancing": "RoundRobin"}})
    web_route(l, "both", "both")
    serves(l, "both", {"backend-1", "backend-2"})
    assert {answer(l, "both") for _ in range(20)} == {"backend-1", "backend-2"}
    assert sorted(addresses(l, "both")) == sorted([labs.backend_address(WEB), labs.backend_address(OTHER, 6)])
    says(l, "both", "Accepted", "True", "Accepted")
    ancestor = suite.eventually(
        lambda: l.appliance.api.get("TransportPolicy", "turns", NS)["status"]["ancestors"][0], "it has a status")
    assert ancestor["ancestorRef"]["kind"] == "Backend" and ancestor["conditions"][0]["status"] == "True", ancestor


@suite.test("S22")
def a_backend_that_is_not_there_is_told_and_answered_500_until_it_comes(l):
    web_route(l, "later", "later")
    serves(l, "later", 500)
    suite.eventually(lambda: resolved_refs(l, "later") == ("False", "BackendNotFound"), "the route says so")
    put(l, made_backend("later", at(OTHER)))
    serves(l, "later", "backend-2")
    suite.eventually(lambda: resolved_refs(l, "later") == ("True", "ResolvedRefs"), "the route says so")
    put(l, made_backend("later", at(WEB)))
    serves(l, "later", "backend-1")
    l.appliance.api.delete("Backend", "later", NS)
    serves(l, "later", 500)


@suite.test("S22")
def another_namespace_has_to_grant_it(l):
    put(l, made_backend("theirs", at(OTHER), ns="others"))
    web_route(l, "theirs", ref("theirs", "others"))
    serves(l, "theirs", 500)
    suite.eventually(lambda: resolved_refs(l, "theirs") == ("False", "RefNotPermitted"), "the route says so")
    grant = objects.grant("others", "to-us", "HTTPRoute", NS, "Backend")
    grant["spec"]["to"][0]["group"] = "sluice.internal"
    put(l, grant)
    serves(l, "theirs", "backend-2")


@suite.test("S22")
def a_name_and_tls_of_a_backend_are_told_by_explain_and_tables(l):
    explained = l.appliance.ctl("explain", "GET", "http://fixed.example/").stdout
    assert f"Backend:{NS}/fixed" in explained, explained
    says(l, "shop", "Resolved", "True", "Resolved", NAME_S)
    rows = [r.split() for r in l.appliance.ctl("get", "backends", "-n", NS).stdout.splitlines()]
    assert [NS, "shop", "True", "-", labs.backend_address(WEB)] in rows, rows


# ---- names


@suite.test("S22")
def a_name_is_followed_where_dns_moves_it(l):
    serves(l, "shop", "backend-1", NAME_S)
    hosts(l, shop=[labs.backend_address(OTHER)])
    serves(l, "shop", "backend-2", NAME_S)
    becomes(l, "shop", labs.backend_address(OTHER))
    hosts(l, shop=[labs.backend_address(WEB), labs.backend_address(OTHER, 6)])
    suite.eventually(lambda: len(addresses(l, "shop")) == 2, "both families count", NAME_S)
    put(l, named("six", "shop", family="IPv6"))
    web_route(l, "six", "six")
    serves(l, "six", "backend-2", NAME_S)
    assert addresses(l, "six") == [labs.backend_address(OTHER, 6)]


@suite.test("S22")
def addresses_that_would_lead_into_the_box_are_left_out(l):
    hosts(l, shop=[labs.backend_address(OTHER)], inward=["127.0.0.1", labs.backend_address(WEB)])
    put(l, named("inward", "inward"))
    web_route(l, "inward", "inward")
    serves(l, "inward", "backend-1", NAME_S)
    assert "1 more are left out" in says(l, "inward", "Resolved", "True", "Resolved")


@suite.test("S22")
def the_last_good_answer_serves_while_the_name_server_is_away_also_after_a_restart(l):
    becomes(l, "shop", labs.backend_address(OTHER))
    l.resolver.end()
    says(l, "shop", "Resolved", "False", "Stale", 60)
    assert answer(l, "shop") == "backend-2", answer(l, "shop")
    assert l.appliance.metric("sluice_resolve_stale") > 0
    assert l.appliance.metric("sluice_resolve_failures_total") > 0
    since = objects.condition(status_of(l, "shop"), "Resolved")["lastTransitionTime"]
    l.appliance.mgmtd.end()
    l.appliance.start_mgmtd()
    suite.eventually(lambda: l.appliance.metric("sluice_resolve_failures_total") > 0, "the new mgmtd has asked", 60)
    assert answer(l, "shop") == "backend-2" and addresses(l, "shop") == [labs.backend_address(OTHER)]
    says(l, "shop", "Resolved", "False", "Stale", 60)
    assert objects.condition(status_of(l, "shop"), "Resolved")["lastTransitionTime"] == since
    start_resolver(l)
    says(l, "shop", "Resolved", "True", "Resolved", 90)
    suite.eventually(lambda: l.appliance.metric("sluice_resolve_stale") == 0, "nothing is stale", 90)


@suite.test("S22")
def a_name_that_dns_takes_away_is_answered_503_until_it_is_back(l):
    becomes(l, "shop", labs.backend_address(OTHER))
    hosts(l)
    serves(l, "shop", 503, NAME_S)
    says(l, "shop", "Resolved", "False", "NameNotFound")
    assert addresses(l, "shop") == []
    hosts(l, shop=[labs.backend_address(WEB)])
    serves(l, "shop", "backend-1", NAME_S)


# ---- what is spoken to them


def secured(name, ca="cas", hostname=NAME):
    return made_backend(name, at(SECURE), appProtocol="https", tls={
        "hostname": hostname, "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": ca}]})


@suite.test("S22 S9")
def tls_meets_whom_the_backend_says_and_nobody_else(l):
    put(l, secured("secured"))
    web_route(l, "secured", "secured")

    def seen():
        status, _, body = l.curl("http://secured.example/echo", address=VIP)
        return status == 200 and backend.echoed(body)["tls"]
    tls = suite.eventually(seen, "it is reached by TLS")
    assert tls["server_name"] == NAME, tls
    put(l, secured("secured", "strange"))
    serves(l, "secured", 502)
    put(l, secured("secured", hostname="another.example"))
    serves(l, "secured", 502)
    put(l, secured("secured", "nothing"))
    serves(l, "secured", 500)
    assert "nothing" in says(l, "secured", "ResolvedRefs", "False", "InvalidCACertificateRef")
    says(l, "secured", "Accepted", "False", "NoValidCACertificate")
    put(l, secured("secured"))
    suite.eventually(seen, "it is reached again")
    says(l, "secured", "Accepted", "True", "Accepted")


@suite.test("S22")
def http2_without_tls_is_spoken_where_app_protocol_says_so(l):
    put(l, made_backend("h2c", at(H2C, H2C_PORT), appProtocol="kubernetes.io/h2c"))
    web_route(l, "h2c", "h2c")
    suite.eventually(lambda: l.curl("http://h2c.example/", address=VIP)[2] == b"h2c\n", "nghttpd answers")


@suite.test("S22")
def tcp_udp_and_tls_routes_lead_there_too(l):
    put(l, made_backend("dns", at(DNS, 53), protocols=["TCP", "UDP"]),
        made_backend("echo", at(ECHO, test_udp.ECHO_PORT), protocols=["UDP"]), made_backend("plain", at(SECURE)))
    l4_route(l, "UDPRoute", "dns", "dns", "dns")
    l4_route(l, "TCPRoute", "dns", "dns-tcp", "dns")
    l4_route(l, "TCPRoute", "web", "tcp", "fixed")
    l4_route(l, "TLSRoute", "tls", "tls", "plain", hostnames=[NAME])

    def asked(*options):
        done = l["client"].run("dig", f"@{VIP}", "+tries=1", "+timeout=2", "+short", f"who.{test_udp.ZONE}", "TXT",
                               *options)
        return done.stdout.strip()
    for options in ((), ("+tcp",)):
        suite.eventually(lambda o=options: asked(*o) == f'"backend-{DNS}"', f"dig {options} is answered")
    suite.eventually(lambda: l.curl(f"http://{HOST}:5000/", address=VIP)[2].startswith(b"backend-1"), "TCP goes there")
    suite.eventually(lambda: l.curl(f"https://{NAME}/echo", "--cacert", l.authority.ca, address=VIP)[0] == 200,
                     "TLS goes there untouched")
    l4_route(l, "UDPRoute", "echo", "echo", "fixed")
    suite.eventually(lambda: objects.condition(
        l.appliance.api.get("UDPRoute", "echo", NS)["status"]["parents"][0], "ResolvedRefs").get("reason") ==
        "UnsupportedProtocol", "a Backend that is not for UDP is told")


@suite.test("S22")
def requests_are_mirrored_there(l):
    put(l, made_backend("copies", at(RECORDER)))
    web_route(l, "mirrored", "fixed",
              filters=[{"type": "RequestMirror", "requestMirror": {"backendRef": ref("copies", port=backend.PORT)}}])
    serves(l, "mirrored", "backend-1")
    recorder = l.backends[-1]

    def copied():
        l.curl("http://mirrored.example/copy", address=VIP)
        return any("/copy" in str(r) for r in recorder.recorded())
    suite.eventually(copied, "a copy came")


@suite.test("S22")
def health_checks_are_asked_there(l):
    put(l, made_backend("half", at(WEB), at(OTHER, 9)),  # nobody listens at that port
        {"apiVersion": SLUICE_V1, "kind": "HealthPolicy", "metadata": {"namespace": NS, "name": "half"},
         "spec": {"targetRefs": [ref("half")], "active": {"type": "TCP", "interval": "200ms", "timeout": "200ms"}}})
    web_route(l, "half", "half")
    serves(l, "half", "backend-1")
    suite.eventually(lambda: {answer(l, "half") for _ in range(20)} == {"backend-1"}, "the other one is left out")


@suite.test("S22 S1")
def what_is_wrong_with_one_is_refused_with_its_field(l):
    for spec, field in (({"endpoints": [{"address": "127.0.0.1", "port": 80}]}, "spec.endpoints[0]"),
                        ({"endpoints": [{"address": "shop", "port": 80}]}, "spec.endpoints[0].address"),
                        ({}, "exactly one of endpoints and dns"),
                        ({"dns": {"name": "a b", "port": 80}}, "spec.dns.name")):
        said = ""
        try:
            put(l, {**made_backend("wrong"), "spec": spec})
        except api.Refused as e:
            said = str(e)
        assert field in said, (field, said)
