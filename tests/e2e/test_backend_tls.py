# SPDX-License-Identifier: Apache-2.0
"""BackendTLSPolicy: TLS to backends, whom they have to be, who we are to them, and which connections are used again."""
import hashlib
import json
import os
import threading

import backend
import certs
import lab as labs
import objects
import origin
import suite
import test_proxy_protocol as proxied
import test_websocket as websocket

NS, HOST, NAME = "btls", "shop.example.com", "shop.internal.example"
SPIFFE = "spiffe://internal.example/shop"
RIGHT, STRANGE, ASKING, PLAIN = 1, 2, 3, 4  # backends: of our CA, of another, asks us for a certificate, speaks none
BEHIND = 5  # HAProxy, which ends TLS: before what says whom a PROXY header tells, and before a WebSocket server
HAPROXY = proxied.DEFAULTS + """
    mode http
frontend told
    bind :::8080 v4v6 accept-proxy ssl crt {pem}
    http-request return status 200 content-type text/plain lf-string "%ci %fi "
listen websocket
    bind :::8081 v4v6 ssl crt {pem}
    timeout tunnel 60s
    server one 127.0.0.1:9001
"""


def lab():
    return labs.Lab("backend-tls", backends=5, workers=2)


def policy(name, service, hostname=NAME, cas=("cas",), sans=(), section=None, **validation):
    target = {"group": "", "kind": "Service", "name": service, **({"sectionName": section} if section else {})}
    if cas:
        validation["caCertificateRefs"] = [{"group": "", "kind": "ConfigMap", "name": c} for c in cas]
    if sans:
        validation["subjectAltNames"] = [{"type": "URI", "uri": s} if "://" in s else
                                         {"type": "Hostname", "hostname": s} for s in sans]
    return {"apiVersion": objects.GATEWAY_V1, "kind": "BackendTLSPolicy", "metadata": {"namespace": NS, "name": name},
            "spec": {"targetRefs": [target], "validation": {"hostname": hostname, **validation}}}


def gateway(name="gw", identity=None):
    made = objects.gateway(NS, name)
    if identity:
        made["spec"]["tls"] = {"backend": {"clientCertificateRef": {"name": identity}}}
    return made


def put(l, *made):
    for m in made:
        l.appliance.api.put(m)


def delete(l, *policies):
    for p in policies:
        l.appliance.api.delete("BackendTLSPolicy", p, NS)


def put_cas(l, name, *authorities):
    put(l, objects.config_map(NS, name, ca_crt="".join(a.text() for a in authorities)))


def prepare(l):
    l.ours, l.theirs, l.callers = (certs.Authority(l.dir, n) for n in ("ours", "theirs", "callers"))
    for label, authority in (("right", l.ours), ("strange", l.theirs), ("asking", l.ours)):
        authority.server(label, NAME, SPIFFE)
    files = {n: (l.ours.path(f"{label}.crt"), l.ours.path(f"{label}.key"))
             for n, label in ((RIGHT, "right"), (STRANGE, "strange"), (ASKING, "asking"))}

    class Mixed(backend.SecureOrigin):
        certificates = {f"backend-{n}": pair for n, pair in files.items()} | {f"backend-{PLAIN}": ()}
        client_ca = {f"backend-{ASKING}": l.callers.ca}
    l.appliance.mgmtd_options = ["--system-ca", l.theirs.ca]
    l.backends = [Mixed(l, f"backend-{n}") for n in (RIGHT, STRANGE, ASKING, PLAIN)]
    for b in l.backends:
        b.wait_ready()
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    put(l, objects.namespace(NS), gateway())
    for label in ("caller", "other-caller"):
        put(l, objects.tls_secret(NS, label, *l.callers.server(label, f"{label}.example")))
    put_cas(l, "cas", l.ours)
    put_cas(l, "their-cas", l.theirs)
    for n in (RIGHT, STRANGE, ASKING, PLAIN):
        put(l, objects.service(NS, f"s{n}"), objects.slice_of(NS, f"s{n}", labs.backend_address(n)))
    put(l, objects.route(NS, "shop", [f"{NS}/gw"], [rule(n) for n in (RIGHT, STRANGE, ASKING, PLAIN)], HOST))
    put(l, policy("p1", "s1"))
    l.vip = objects.gateway_address(l, NS, "gw")
    suite.eventually(lambda: ask(l, RIGHT) == 200, "a backend is reached by TLS")


def rule(n):
    """What is below /sN goes to that backend."""
    rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
    return objects.matching({"path": {"type": "PathPrefix", "value": f"/s{n}"}}, {
        **objects.to(f"s{n}"), "filters": [{"type": "URLRewrite", "urlRewrite": rewrite}]})


def curl(l, n, path="/echo", *options, vip=None):
    return l.curl(f"http://{HOST}/s{n}{path}", *options, address=vip or l.vip)


def ask(l, n, path="/status/200"):
    return curl(l, n, path)[0]


def tls(l, n, vip=None):
    """What the backend saw of TLS."""
    status, _, body = curl(l, n, vip=vip)
    assert status == 200, (status, body)
    return backend.echoed(body)["tls"]


def becomes(l, n, status, what):
    suite.eventually(lambda: all(ask(l, n) == status for _ in range(4)), f"{what}: {status}", 10)  # by both workers


def conditions(l, name, gateway_name="gw"):
    """What the policy's status says of a Gateway; {}: nothing."""
    status = l.appliance.api.get("BackendTLSPolicy", name, NS).get("status", {})
    found = [a["conditions"] for a in status.get("ancestors", []) if a["ancestorRef"]["name"] == gateway_name]
    return {c["type"]: (c["status"], c["reason"]) for c in (found[0] if found else [])}


@suite.test("S9")
def the_backend_is_asked_by_its_name_and_speaks_tls(l):
    seen = tls(l, RIGHT)
    assert (seen["server_name"], seen["alpn"], seen["version"]) == (NAME, "http/1.1", "TLSv1.3"), seen
    assert conditions(l, "p1") == {"Accepted": ("True", "Accepted"), "ResolvedRefs": ("True", "ResolvedRefs")}


@suite.test("S9")
def bodies_go_both_ways(l):
    body = b"0123456789abcdef" * (1 << 18)
    path = l.ours.path("body")
    with open(path, "wb") as f:
        f.write(body)
    status, _, answer = curl(l, RIGHT, "/upload", "--data-binary", f"@{path}", "-H", "Expect:")
    assert status == 200 and json.loads(answer)["sha256"] == hashlib.sha256(body).hexdigest(), (status, answer)
    for kind in ("bytes", "chunked"):
        status, _, answer = curl(l, RIGHT, f"/{kind}/{len(body)}")
        assert status == 200 and hashlib.sha256(answer).hexdigest() == origin.expected_sha256(len(body)), (kind, status)


@suite.test("S9")
def a_service_without_a_policy_is_spoken_to_in_the_clear(l):
    assert tls(l, PLAIN) is None


@suite.test("S9")
def a_backend_of_another_ca_is_refused_and_counted(l):
    before = l.appliance.counters()["proxy_end_backend_tls"]
    put(l, policy("p2", "s2"))
    becomes(l, STRANGE, 502, "its CA is not ours")
    assert l.appliance.counters()["proxy_end_backend_tls"] > before
    put(l, policy("p2", "s2", cas=("their-cas",)))
    becomes(l, STRANGE, 200, "its CA is named")
    put(l, policy("p2", "s2", cas=("cas", "their-cas")))
    assert ask(l, STRANGE) == 200
    put(l, policy("p2", "s2"))
    becomes(l, STRANGE, 502, "its CA is not ours")
    l.appliance.api.delete("BackendTLSPolicy", "p2", NS)
    put(l, policy("p2", "s2", cas=(), wellKnownCACertificates="System"))
    becomes(l, STRANGE, 200, "its CA is well-known")
    assert tls(l, STRANGE)["server_name"] == NAME
    delete(l, "p2")


@suite.test("S9")
def a_backend_with_another_name_is_refused(l):
    put(l, policy("p1", "s1", hostname="other.internal.example"))
    becomes(l, RIGHT, 502, "it has another name")
    put(l, policy("p1", "s1"))
    becomes(l, RIGHT, 200, "it has the name")


@suite.test("S9")
def subject_alt_names_count_in_place_of_the_hostname(l):
    for sans, status in (((SPIFFE,), 200), (("spiffe://internal.example/other",), 502), ((NAME,), 200),
                         (("other.example", SPIFFE), 200), (("other.example", "spiffe://x/y"), 502)):
        put(l, policy("p1", "s1", hostname="asked.example", sans=sans))
        becomes(l, RIGHT, status, f"{sans}")
    put(l, policy("p1", "s1", hostname="asked.example", sans=(SPIFFE,)))
    suite.eventually(lambda: tls(l, RIGHT)["server_name"] == "asked.example", "the hostname is what is asked for")
    put(l, policy("p1", "s1"))
    becomes(l, RIGHT, 200, "as before")


@suite.test("S9")
def a_backend_that_speaks_no_tls_is_not_spoken_to_in_the_clear(l):
    put(l, policy("p4", f"s{PLAIN}"))
    becomes(l, PLAIN, 502, "it speaks no TLS")
    delete(l, "p4")
    becomes(l, PLAIN, 200, "without the policy")


@suite.test("S9")
def the_gateway_shows_its_certificate_to_backends_that_ask(l):
    put(l, policy("p3", "s3"))
    becomes(l, ASKING, 502, "we have no certificate")
    put(l, gateway(identity="caller"))
    becomes(l, ASKING, 200, "we have one")
    assert "caller" in tls(l, ASKING)["client"]
    assert tls(l, RIGHT)["client"] == []  # which does not ask
    put(l, objects.tls_secret(NS, "caller", *l.callers.server("successor", "successor.example")))
    suite.eventually(lambda: "successor" in tls(l, ASKING)["client"], "the certificate rotates", 10)


@suite.test("S9")
def a_connection_of_one_gateway_is_never_used_for_another(l):
    """Both are the same to TCP and to the backend's policy, but not to the backend."""
    other = gateway("other", identity="other-caller")
    put(l, other, objects.route(NS, "other", [f"{NS}/other"], [objects.matching(
        {"path": {"type": "PathPrefix", "value": "/s3"}}, objects.to("s3"))], HOST))
    vip = objects.gateway_address(l, NS, "other")
    suite.eventually(lambda: "other-caller" in tls(l, ASKING, vip)["client"], "the other Gateway shows its own", 10)
    for _ in range(10):
        assert "successor" in tls(l, ASKING)["client"]
        assert "other-caller" in tls(l, ASKING, vip)["client"]
    suite.eventually(lambda: conditions(l, "p3", "other") == conditions(l, "p3"), "the status has both Gateways")
    l.appliance.api.delete("HTTPRoute", "other", NS)
    l.appliance.api.delete("Gateway", "other", NS)
    suite.eventually(lambda: conditions(l, "p3", "other") == {}, "the status has lost one")


@suite.test("S9")
def a_client_certificate_that_cannot_be_used_is_told_of(l):
    def resolved():
        status = l.appliance.api.get("Gateway", "gw", NS)["status"]
        return objects.condition(status, "ResolvedRefs")["reason"], objects.condition(status, "Accepted")["status"]
    put(l, gateway(identity="missing"))
    suite.eventually(lambda: resolved() == ("InvalidClientCertificateRef", "True"), "it is missing")
    becomes(l, ASKING, 502, "we have no certificate")
    assert ask(l, RIGHT) == 200
    put(l, gateway())
    suite.eventually(lambda: resolved() == ("ResolvedRefs", "True"), "none is wanted")
    delete(l, "p3")


@suite.test("S9")
def after_a_rotation_new_cas_verify_new_connections(l):
    assert ask(l, RIGHT) == 200  # a connection rests
    put_cas(l, "cas", l.theirs)
    becomes(l, RIGHT, 502, "a connection of the old CA is not used")
    put_cas(l, "cas", l.theirs, l.ours)
    becomes(l, RIGHT, 200, "both count")
    put_cas(l, "cas", l.ours)
    becomes(l, RIGHT, 200, "one counts")


@suite.test("S9")
def no_request_fails_while_the_ca_rotates(l):
    failed, stop = [], threading.Event()

    def load():
        while not stop.is_set():
            status = ask(l, RIGHT)
            if status != 200:
                failed.append(status)
    clients = [threading.Thread(target=load) for _ in range(2)]
    for c in clients:
        c.start()
    try:
        for authorities in ((l.ours, l.theirs), (l.theirs, l.ours), (l.ours,)):
            opened = l.appliance.counters()["upstream_opened"]
            put_cas(l, "cas", *authorities)
            suite.eventually(lambda o=opened: l.appliance.counters()["upstream_opened"] > o, "a new connection", 10)
    finally:
        stop.set()
        for c in clients:
            c.join()
    assert not failed, failed[:3]


@suite.test("S9")
def connections_are_used_again(l):
    before = l.appliance.counters()
    for _ in range(20):
        assert ask(l, RIGHT) == 200
    now = l.appliance.counters()
    assert now["upstream_reused"] - before["upstream_reused"] >= 15, (before, now)


@suite.test("S9")
def a_policy_without_a_valid_ca_answers_500_and_says_why(l):
    put(l, objects.config_map(NS, "no-pem", ca_crt="no PEM"))
    for name in ("missing", "no-pem"):
        put(l, policy("p1", "s1", cas=(name,)))
        becomes(l, RIGHT, 500, name)
        suite.eventually(lambda: conditions(l, "p1") == {
            "Accepted": ("False", "NoValidCACertificate"),
            "ResolvedRefs": ("False", "InvalidCACertificateRef")}, "it says so")
    kind = policy("p1", "s1")
    kind["spec"]["validation"]["caCertificateRefs"] = [{"group": "", "kind": "Secret", "name": "caller"}]
    put(l, kind)
    suite.eventually(lambda: conditions(l, "p1")["ResolvedRefs"] == ("False", "InvalidKind"), "it is another kind")
    assert ask(l, RIGHT) == 500
    put(l, policy("p1", "s1", cas=("missing", "cas")))
    becomes(l, RIGHT, 200, "one is enough")
    suite.eventually(lambda: conditions(l, "p1") == {"Accepted": ("True", "Accepted"), "ResolvedRefs": (
        "False", "InvalidCACertificateRef")}, "it says which is not")
    put(l, policy("p1", "s1"))


@suite.test("S9")
def of_two_policies_the_one_that_names_the_port_decides_then_the_older(l):
    put(l, policy("p1b", "s1", hostname="other.internal.example"))
    suite.eventually(lambda: conditions(l, "p1b").get("Accepted") == ("False", "Conflicted"), "the second has lost")
    assert ask(l, RIGHT) == 200 and conditions(l, "p1")["Accepted"] == ("True", "Accepted")
    delete(l, "p1b")
    service = objects.service(NS, "s1")
    service["spec"]["ports"][0]["name"] = "web"
    slice_ = objects.slice_of(NS, "s1", labs.backend_address(RIGHT))
    slice_["ports"][0]["name"] = "web"
    put(l, service, slice_, policy("p1c", "s1", hostname="other.internal.example", section="web"))
    becomes(l, RIGHT, 502, "the port's policy decides")
    delete(l, "p1c")
    becomes(l, RIGHT, 200, "the Service's decides")


@suite.test("S9")
def https_by_app_protocol_needs_a_policy(l):
    service = objects.service(NS, "s1")
    service["spec"]["ports"][0] |= {"name": "web", "appProtocol": "https"}
    put(l, service)
    assert ask(l, RIGHT) == 200
    delete(l, "p1")
    becomes(l, RIGHT, 500, "nobody says whom to expect")
    suite.eventually(lambda: objects.parent_condition(l, NS, "shop", "ResolvedRefs")["reason"] == "UnsupportedProtocol",
                     "the route says so")
    put(l, policy("p1", "s1"))
    becomes(l, RIGHT, 200, "with a policy")


@suite.test("S9")
def mirrored_requests_are_secured_too(l):
    mirrored = {**objects.to(f"s{PLAIN}"), "filters": [{"type": "RequestMirror", "requestMirror": {
        "backendRef": {"name": "s1", "port": 8080}}}]}
    mirror = objects.matching({"path": {"type": "PathPrefix", "value": "/m"}}, mirrored)
    put(l, objects.route(NS, "mirror", [f"{NS}/gw"], [mirror], HOST))
    before = l.appliance.counters()["proxy_mirror_end_complete"]
    suite.eventually(lambda: l.curl(f"http://{HOST}/m", address=l.vip)[0] == 200, "the rule is served")
    suite.eventually(lambda: l.appliance.counters()["proxy_mirror_end_complete"] > before, "a mirror is answered")
    l.appliance.api.delete("HTTPRoute", "mirror", NS)


def start_haproxy(l):
    """Backend 5, and Services s5 and s6 for its two ports."""
    pem = l.ours.path("haproxy.pem")
    with open(pem, "w", encoding="ascii") as f:
        f.write("".join(l.ours.server("haproxy", NAME)))
    where = f"backend-{BEHIND}"
    server = l.start("websocket-server", where, websocket.PYTHON, os.path.join(websocket.PEERS, "server.py"), "9001")
    haproxy = proxied.haproxy(l, "haproxy-behind", where, HAPROXY.format(pem=pem))
    for process, port in ((server, 9001), (haproxy, 8080), (haproxy, 8081)):
        is_there = ["sh", "-c", f"ss -ltn | grep -q :{port}"]
        process.wait_ready(lambda argv=is_there: l[where].run(*argv).returncode == 0, f"port {port}", 20)
    for name, port in (("s5", 8080), ("s6", 8081)):
        put(l, objects.service(NS, name), objects.slice_of(NS, name, labs.backend_address(BEHIND), port=port),
            policy(f"p-{name}", name))


@suite.test("S9")
def health_checks_by_http_are_secured_too(l):
    """And find out who does not prove who he is, before a request does."""
    put(l, {"apiVersion": "sluice.internal/v1", "kind": "HealthPolicy", "metadata": {"namespace": NS, "name": "asked"},
            "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": "s1"}], "panicThresholdPercent": 0,
                     "active": {"type": "HTTP", "interval": "500ms", "timeout": "500ms", "unhealthyThreshold": 2,
                                "http": {"path": "/status/204"}}}})

    def grown(name, before):
        suite.eventually(lambda: l.appliance.counters()[name] > before + 2, f"{name} grows", 10)
    grown("health_end_ok", l.appliance.counters()["health_end_ok"])
    becomes(l, RIGHT, 200, "it is well")
    before = l.appliance.counters()["health_end_fault"]
    put(l, policy("p1", "s1", hostname="other.internal.example"))
    grown("health_end_fault", before)
    becomes(l, RIGHT, 503, "nobody is well")
    put(l, policy("p1", "s1"))
    becomes(l, RIGHT, 200, "well again")
    l.appliance.api.delete("HealthPolicy", "asked", NS)


@suite.test("S9 #3")
def a_proxy_header_goes_before_the_handshake_and_web_sockets_within_tls(l):
    start_haproxy(l)
    put(l, {"apiVersion": "sluice.internal/v1", "kind": "TransportPolicy",
            "metadata": {"namespace": NS, "name": "told"},
            "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": "s5"}], "proxyProtocol": {"send": "V2"}}})
    rules = [objects.matching({"path": {"type": "PathPrefix", "value": "/told"}}, objects.to("s5")), objects.to("s6")]
    put(l, objects.route(NS, "haproxy", [f"{NS}/gw"], rules, "haproxy.example"))

    def told(*options):
        return l.curl("http://haproxy.example/told", *options, address=l.vip)
    suite.eventually(lambda: told()[0] == 200, "it is served", 10)
    before = l.appliance.counters()["upstream_reused"]
    for _ in range(3):
        assert told()[2].split() == [labs.CLIENT4.encode(), l.vip.encode()], told()
    twice = l["client"].run("curl", "-s", "--resolve", f"haproxy.example:80:{l.vip}",
                            *["http://haproxy.example/told"] * 3, timeout=20).stdout
    assert twice.split() == [labs.CLIENT4, l.vip] * 3, twice  # on one connection of the client's, which keeps its own
    assert l.appliance.counters()["upstream_reused"] - before >= 2
    program = os.path.join(websocket.PEERS, "client.py")
    for path, what, wanted in (("/echo", "echo", {"closed": 1000}), ("/ping", "ping", {"said": "ponged"})):
        ran = l["client"].run(websocket.PYTHON, program, l.vip, "haproxy.example", path, what, "1000000", timeout=60)
        assert ran.returncode == 0 and json.loads(ran.stdout) == wanted, ran


@suite.test("S9")
def a_tcp_route_s_connections_are_secured_too(l):
    """The client speaks in the clear; a PROXY header, where one is sent, goes before the handshake."""
    made = objects.gateway(NS, "l4", port=9000, protocol="TCP")
    del made["spec"]["listeners"][0]["allowedRoutes"]
    put(l, made, {"apiVersion": objects.GATEWAY_V1, "kind": "TCPRoute",
                  "metadata": {"namespace": NS, "name": "raw"},
                  "spec": {"parentRefs": [{"name": "l4"}], "rules": [{"backendRefs": [{"name": "s1", "port": 8080}]}]}})
    vip = objects.gateway_address(l, NS, "l4")

    def asked():
        status, _, body = l.curl(f"http://{HOST}:9000/echo", address=vip)
        return backend.echoed(body)["tls"] if status == 200 else status
    suite.eventually(lambda: (asked() or {}).get("server_name") == NAME, "it is passed on by TLS", 10)
    assert asked()["alpn"] is None and ask(l, RIGHT) == 200
    put(l, policy("p1", "s1", hostname="other.internal.example"))
    suite.eventually(lambda: asked() == 0, "it is refused", 10)
    put(l, policy("p1", "s1"))
    becomes(l, RIGHT, 200, "as before")
    for kind, name in (("TCPRoute", "raw"), ("Gateway", "l4")):
        l.appliance.api.delete(kind, name, NS)


@suite.test("S9")
def tls_that_is_passed_on_is_not_put_into_tls(l):
    made = objects.gateway(NS, "passed", port=9443, protocol="TLS", tls={"mode": "Passthrough"})
    del made["spec"]["listeners"][0]["allowedRoutes"]
    put(l, made, {**objects.route(NS, "passed", [f"{NS}/passed"], [objects.to("s1")], NAME), "kind": "TLSRoute"})
    vip = objects.gateway_address(l, NS, "passed")

    def asked():
        return l.curl(f"https://{NAME}:9443/echo", "--cacert", l.ours.ca, address=vip)
    suite.eventually(lambda: asked()[0] == 200, "it is passed on as it is", 10)
    assert backend.echoed(asked()[2])["tls"]["server_name"] == NAME
    for kind in ("TLSRoute", "Gateway"):
        l.appliance.api.delete(kind, "passed", NS)


@suite.test("S9 #5")
def a_restarted_dataplane_secures_before_mgmtd_is_there(l):
    l.appliance.mgmtd.kill()
    l.appliance.dataplane.kill()
    l.appliance.start_dataplane()
    suite.eventually(lambda: tls(l, RIGHT)["server_name"] == NAME, "it serves by TLS", 15)
    l.appliance.start_mgmtd()
    put(l, policy("p1", "s1", hostname="other.internal.example"))
    becomes(l, RIGHT, 502, "mgmtd has taken over")
    put(l, policy("p1", "s1"))
    becomes(l, RIGHT, 200, "and back")


@suite.test("S9")
def no_key_of_ours_is_in_the_image(l):
    with open(os.path.join(l.appliance.state_dir, "dataplane", "image"), "rb") as f:
        content = f.read()
    assert NAME.encode() in content and b"PRIVATE KEY" not in content
