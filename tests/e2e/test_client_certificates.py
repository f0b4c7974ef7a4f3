# SPDX-License-Identifier: Apache-2.0
"""Client certificates: who is asked for one, who comes in with which, what is told and counted, rotation, tickets."""
import http.client
import os
import ssl
import threading

import backend
import certs
import lab as labs
import objects
import suite

NS, OTHER, HOST, OPEN = "mutual", "elsewhere", "app.example.com", "open.example.com"
STRICT, LAX, FREE = 443, 8443, 9443  # the default, AllowInsecureFallback, no validation


def lab():
    return labs.Lab("client-certificates", backends=1, workers=2)


def ref(name, **more):
    return {"group": "", "kind": "ConfigMap", "name": name, **more}


def validation(*refs, mode="AllowValidOnly"):
    return {"validation": {"caCertificateRefs": [ref(r) if isinstance(r, str) else r for r in refs], "mode": mode}}


def gateway(default=None, ports=None, name="gw"):
    """HTTPS on three ports."""
    made = objects.gateway(NS, name)
    made["spec"]["listeners"] = [objects.https(f"p{p}", "app", port=p) for p in (STRICT, LAX, FREE)]
    ports = {LAX: validation("clients", mode="AllowInsecureFallback"), FREE: {}} if ports is None else ports
    made["spec"]["tls"] = {"frontend": {"default": default or validation("clients"),
                                        "perPort": [{"port": p, "tls": t} for p, t in ports.items()]}}
    return made


def put_cas(l, name, *authorities, ns=NS):
    l.appliance.api.put(objects.config_map(ns, name, ca_crt="".join(a.text() for a in authorities)))


def prepare(l):
    l.start_backends(backend.Origin)
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    l.authority, l.ours, l.theirs = (certs.Authority(l.dir, name) for name in ("server-ca", "ours", "theirs"))
    api = l.appliance.api
    for name in (NS, OTHER):
        api.put(objects.namespace(name))
    api.put(objects.tls_secret(NS, "app", *l.authority.server("app", HOST)))
    l.good, l.bad = l.ours.client("good"), l.theirs.client("bad")
    put_cas(l, "clients", l.ours)
    api.put(gateway())
    api.put(objects.service(NS, "app"))
    api.put(objects.slice_of(NS, "app", labs.backend_address(1)))
    api.put(objects.route(NS, "app", [f"{NS}/gw"], [objects.to("app")]))
    l.vip = objects.gateway_address(l, NS, "gw")
    suite.eventually(lambda: ask(l, STRICT, *l.good) == 200, "who shows a certificate is answered")


def ask(l, port, *options):
    """The status, 0: no answer."""
    return l.curl(f"https://{HOST}:{port}/status/200", "--cacert", l.authority.ca, *options, address=l.vip)[0]


def shown(l, port, *options, say=""):
    """What openssl says of a handshake; behind it the server's alert, if one came."""
    done = l["client"].run("openssl", "s_client", "-connect", f"{l.vip}:{port}", "-servername", HOST, "-CAfile",
                           l.authority.ca, *options, input=say or f"HEAD /status/200 HTTP/1.1\r\nHost: {HOST}\r\n"
                           "Connection: close\r\n\r\n", timeout=20)
    return done.stdout + done.stderr


def conditions(l, listener=None, name="gw"):
    status = l.appliance.api.get("Gateway", name, NS)["status"]
    of = status if listener is None else next(x for x in status["listeners"] if x["name"] == listener)
    return {c["type"]: (c["status"], c["reason"]) for c in of["conditions"]}


@suite.test("S20")
def only_a_certificate_of_the_ca_comes_in_where_it_is_required(l):
    for version in (["--tlsv1.3"], ["--tls-max", "1.2"]):
        assert ask(l, STRICT, *version, *l.good) == 200, version
        assert ask(l, STRICT, *version) == 0, version
        assert ask(l, STRICT, *version, *l.bad) == 0, version


@suite.test("S20")
def the_alert_says_whether_there_was_none_or_a_bad_one(l):
    assert "certificate required" in shown(l, STRICT, "-tls1_3", "-ign_eof")
    bad = ["-cert", l.bad[1], "-key", l.bad[3], "-ign_eof"]
    assert "unknown ca" in shown(l, STRICT, "-tls1_3", *bad)
    assert "unknown ca" in shown(l, STRICT, "-tls1_2", *bad)
    assert "CN = ours" in shown(l, STRICT)  # the names of the CAs that it knows


@suite.test("S20")
def more_certificates_than_any_client_has_are_refused_unread(l):
    before = l.appliance.counters()["proxy_tls_broken"]
    for n, said in ((3, "HTTP/1.1 200"), (60, "alert illegal parameter")):
        chain = l.ours.path("chain.pem")
        with open(chain, "w") as f:
            f.write(l.theirs.text() * n)
        for version in ("-tls1_3", "-tls1_2"):
            found = shown(l, STRICT, version, "-cert", l.good[1], "-key", l.good[3], "-cert_chain", chain, "-ign_eof")
            # who still writes when the alert comes may hear of the end alone
            assert said in found or (n == 60 and "write:errno=" in found), (n, version, found)
    assert l.appliance.counters()["proxy_tls_broken"] == before + 2


@suite.test("S20")
def with_insecure_fallback_all_are_asked_and_all_come_in(l):
    for options in ([], l.good, l.bad):
        assert ask(l, LAX, *options) == 200, options
    assert "Acceptable client certificate CA names" in shown(l, LAX)
    assert conditions(l)["InsecureFrontendValidationMode"] == ("True", "ConfigurationChanged")


@suite.test("S20")
def a_port_that_asks_for_nothing_asks_for_nothing(l):
    assert ask(l, FREE) == 200 and ask(l, FREE, *l.bad) == 200
    assert "No client certificate CA names sent" in shown(l, FREE)


@suite.test("S20")
def the_condition_of_insecure_fallback_goes_with_it(l):
    l.appliance.api.put(gateway(ports={FREE: {}}))
    suite.eventually(lambda: "InsecureFrontendValidationMode" not in conditions(l), "the condition is gone")
    suite.eventually(lambda: ask(l, LAX) == 0 and ask(l, LAX, *l.good) == 200, "the default counts there, too")
    l.appliance.api.put(gateway())
    suite.eventually(lambda: ask(l, LAX) == 200, "fallback again")


def session_of(l, port, *options):
    """Saves the session that openssl got there; the file."""
    path = l.authority.path(f"session-{port}")
    shown(l, port, "-ign_eof", "-sess_out", path, *options)
    assert os.path.getsize(path) > 0
    return path


def resumes(l, port, saved, *options):
    """Is the session resumed? None: the handshake failed."""
    said = shown(l, port, "-ign_eof", "-sess_in", saved, *options)
    return "Reused, " in said if "HTTP/1.1 200" in said else None


@suite.test("S20")
def a_session_is_resumed_only_where_the_same_is_asked_of_clients(l):
    good = ["-cert", l.good[1], "-key", l.good[3]]
    for version in ("-tls1_3", "-tls1_2"):
        strict, lax, free = (session_of(l, p, version, *(good if p == STRICT else [])) for p in (STRICT, LAX, FREE))
        assert resumes(l, STRICT, strict, version), version  # it needs no certificate again
        assert resumes(l, LAX, lax, version) and resumes(l, FREE, free, version), version
        for saved in (lax, free):
            assert resumes(l, STRICT, saved, version) is None, version
            assert resumes(l, STRICT, saved, version, *good) is False, version
        assert resumes(l, LAX, free, version) is False and resumes(l, FREE, lax, version) is False, version


@suite.test("S20")
def after_a_change_of_the_ca_no_session_of_the_old_one_is_resumed(l):
    good = ["-cert", l.good[1], "-key", l.good[3]]
    saved = session_of(l, STRICT, "-tls1_3", *good)
    put_cas(l, "clients", l.theirs)
    suite.eventually(lambda: ask(l, STRICT, *l.bad) == 200, "the other CA counts", 10)
    assert resumes(l, STRICT, saved, "-tls1_3") is None
    assert ask(l, STRICT, *l.good) == 0
    put_cas(l, "clients", l.ours)
    suite.eventually(lambda: ask(l, STRICT, *l.good) == 200, "the first CA counts again", 10)


@suite.test("S20")
def the_ca_rotates_in_place_without_a_refused_client(l):
    failed, stop = [], threading.Event()
    new = certs.Authority(l.dir, "new")
    successor = new.client("successor")

    def load():
        while not stop.is_set():
            status = ask(l, STRICT, *l.good)
            if status != 200:
                failed.append(status)

    client = threading.Thread(target=load)
    client.start()
    try:
        for authorities in ((l.ours, new), (l.ours,), (new, l.ours)):
            put_cas(l, "clients", *authorities)
            wanted = 200 if new in authorities else 0
            suite.eventually(lambda w=wanted: ask(l, STRICT, *successor) == w, f"the new CA's client gets {wanted}", 10)
    finally:
        stop.set()
        client.join()
    assert not failed, failed[:3]
    put_cas(l, "clients", l.ours)


@suite.test("S20")
def several_references_count_together_and_a_bad_one_is_named(l):
    put_cas(l, "more", l.theirs)
    l.appliance.api.put(gateway(default=validation("clients", "more", "missing")))
    suite.eventually(lambda: ask(l, STRICT, *l.bad) == 200, "both CAs count", 10)
    assert ask(l, STRICT, *l.good) == 200 and ask(l, STRICT) == 0
    found = conditions(l, f"p{STRICT}")
    assert found["ResolvedRefs"] == ("False", "InvalidCACertificateRef") and found["Accepted"][0] == "True", found
    l.appliance.api.put(gateway())
    suite.eventually(lambda: ask(l, STRICT, *l.bad) == 0, "only the first counts", 10)


def is_refused(l, reference, reason):
    l.appliance.api.put(gateway(default=validation(reference)))
    wanted = {"ResolvedRefs": ("False", reason), "Accepted": ("False", "NoValidCACertificate")}
    suite.eventually(lambda: {**conditions(l, f"p{STRICT}"), **wanted} == conditions(l, f"p{STRICT}"),
                     f"{STRICT} is refused: {reason}")
    assert ask(l, STRICT) == 0 and ask(l, STRICT, *l.good) == 0
    assert ask(l, LAX) == 200 and ask(l, FREE) == 200


@suite.test("S20")
def a_listener_without_any_valid_ca_is_not_served_and_says_why(l):
    api = l.appliance.api
    api.put(objects.config_map(NS, "no-key", other="x"))
    api.put(objects.config_map(NS, "no-pem", ca_crt="no PEM"))
    for name in ("missing", "no-key", "no-pem"):
        is_refused(l, name, "InvalidCACertificateRef")
    is_refused(l, {"group": "", "kind": "Secret", "name": "app"}, "InvalidCACertificateKind")
    far = ref("far", namespace=OTHER)
    put_cas(l, "far", l.ours, ns=OTHER)
    is_refused(l, far, "RefNotPermitted")
    api.put(objects.grant(OTHER, "cas", "Gateway", NS, "ConfigMap"))
    suite.eventually(lambda: ask(l, STRICT, *l.good) == 200 and ask(l, STRICT) == 0, "it is permitted and served", 10)
    api.put(gateway())
    suite.eventually(lambda: conditions(l, f"p{STRICT}")["Accepted"][0] == "True", "it is as before")


@suite.test("S20")
def a_connection_from_before_is_no_way_around(l):
    """A client that came in when nobody was asked is told to come again."""
    context = ssl.create_default_context(cafile=l.authority.ca)
    c = http.client.HTTPConnection(HOST, timeout=10)
    c.sock = context.wrap_socket(l["client"].connect(l.vip, FREE), server_hostname=HOST)

    def status():
        c.request("GET", "/status/200")
        answer = c.getresponse()
        answer.read()
        return answer.status
    assert status() == 200
    l.appliance.api.put(gateway(ports={}))
    suite.eventually(lambda: ask(l, FREE) == 0, "certificates are required")
    assert status() == 421
    c.close()
    l.appliance.api.put(gateway())
    suite.eventually(lambda: ask(l, FREE) == 200, "it is as before")


@suite.test("S20")
def handshakes_that_fail_by_a_certificate_are_counted(l):
    before = l.appliance.counters()
    ask(l, STRICT)
    ask(l, STRICT, *l.bad)
    for name in ("no_certificate", "bad_certificate"):
        suite.eventually(lambda n=f"proxy_tls_{name}": l.appliance.counters()[n] - before[n] == 1, f"{name} is counted")


@suite.test("S20 #5")
def a_restarted_dataplane_asks_for_certificates_before_mgmtd_is_there(l):
    l.appliance.mgmtd.kill()
    l.appliance.dataplane.kill()
    l.appliance.start_dataplane()
    suite.eventually(lambda: ask(l, STRICT, *l.good) == 200, "it serves", 15)
    assert ask(l, STRICT) == 0 and ask(l, STRICT, *l.bad) == 0
    l.appliance.start_mgmtd()
    put_cas(l, "clients", l.theirs)
    suite.eventually(lambda: ask(l, STRICT, *l.bad) == 200, "mgmtd has taken over", 15)
    put_cas(l, "clients", l.ours)
    suite.eventually(lambda: ask(l, STRICT, *l.good) == 200, "and back", 15)


@suite.test("S20")
def a_listener_of_another_gateway_at_the_same_address_is_no_way_around(l):
    """Who came in under a name that asks for nothing may not ask for a host that does."""
    ours, other = gateway(), objects.gateway(NS, "beside", l.vip)
    ours["spec"]["addresses"] = other["spec"]["addresses"]
    l.appliance.api.put(ours)
    l.appliance.api.put(objects.tls_secret(NS, "open", *l.authority.server("open", OPEN)))
    other["spec"]["listeners"] = [objects.https("open", "open", port=STRICT, hostname=OPEN)]
    l.appliance.api.put(other)
    l.appliance.api.put(objects.route(NS, "open", [f"{NS}/beside"], [objects.to("app")], OPEN))

    def answer(host):
        return l.curl(f"https://{OPEN}:{STRICT}/status/200", "--cacert", l.authority.ca, "-H", f"Host: {host}",
                      address=l.vip)[0]
    suite.eventually(lambda: answer(OPEN) == 200, "the other Gateway is served", 10)
    assert answer(HOST) == 421
    assert ask(l, STRICT) == 0 and ask(l, STRICT, *l.good) == 200
    l.appliance.api.delete("Gateway", "beside", NS)
