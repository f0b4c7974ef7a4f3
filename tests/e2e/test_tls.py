# SPDX-License-Identifier: Apache-2.0
"""Listeners that terminate TLS: who is shown which certificate, what is refused, rotation, a restart."""
import contextlib
import hashlib
import http.client
import json
import os
import re
import resource
import signal
import socket
import ssl
import subprocess
import threading

import backend
import certs
import lab as labs
import objects
import origin
import suite

NS, OTHER, HOST = "secure", "secrets", "app.example.com"


def lab():
    return labs.Lab("tls", backends=1, workers=2)


def listeners(*more):
    return [objects.https("app", "app", hostname=HOST), objects.https("wild", "wild", hostname="*.example.org"), *more]


def gateway(*more):
    made = objects.gateway(NS, "gw")
    made["spec"]["listeners"] = listeners(*more)
    return made


def prepare(l):
    l.start_backends(backend.Origin)
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    l.authority = certs.Authority(l.dir)
    api = l.appliance.api
    for name in (NS, OTHER):
        api.put(objects.namespace(name))
    put_certificate(l, "app", HOST)
    put_certificate(l, "wild", "*.example.org", key="rsa")
    api.put(gateway())
    api.put(objects.service(NS, "app"))
    api.put(objects.slice_of(NS, "app", labs.backend_address(1)))
    api.put(objects.route(NS, "app", [f"{NS}/gw"], [objects.to("app")]))
    l.vip = objects.gateway_address(l, NS, "gw")
    suite.eventually(lambda: curl(l, HOST)[0] == 200, f"https://{HOST} is answered")


def put_certificate(l, name, *names, ns=NS, key="ec"):
    l.appliance.api.put(objects.tls_secret(ns, name, *l.authority.server(name, *names, key=key)))


def curl(l, host, *options, path="/"):
    return l.curl(f"https://{host}{path}", "--cacert", l.authority.ca, *options, address=l.vip)


def shown(l, name, *options, port=443, say=""):
    """What openssl says of a handshake in which the client asks for that name; its output."""
    sni = ["-servername", name] if name else ["-noservername"]
    done = l["client"].run("openssl", "s_client", "-connect", f"{l.vip}:{port}", *sni, "-CAfile", l.authority.ca,
                           *options, input=say, timeout=20)
    return done.stdout + done.stderr


@contextlib.contextmanager
def connection(l):
    """A client of http.client on one connection by TLS."""
    context = ssl.create_default_context(cafile=l.authority.ca)
    c = http.client.HTTPConnection(HOST, timeout=10)
    c.sock = context.wrap_socket(l["client"].connect(l.vip, 443), server_hostname=HOST)
    try:
        yield c
    finally:
        c.close()


def serial(l, name):
    """The certificate that is shown."""
    with_text = shown(l, name, "-showcerts")
    pem = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", with_text, re.DOTALL).group()
    return ssl.PEM_cert_to_DER_cert(pem)


def status_of(l, listener):
    status = l.appliance.api.get("Gateway", "gw", NS)["status"]["listeners"]
    found = {x["name"]: x["conditions"] for x in status}
    return {c["type"]: (c["status"], c["reason"]) for c in found[listener]}


@suite.test("S20")
def curl_gets_an_answer_by_tls_1_3_and_1_2_and_the_backend_hears_of_it(l):
    for version, options in (("TLSv1.3", ["--tlsv1.3"]), ("TLSv1.2", ["--tls-max", "1.2"])):
        status, _, body = curl(l, HOST, *options, path="/echo")
        fields = {n.lower(): v for n, v in backend.echoed(body)["headers"]}
        assert status == 200 and fields["x-forwarded-proto"] == "https", (version, status, fields)
        assert fields["forwarded"].endswith("proto=https"), fields
        assert version in shown(l, HOST, f"-{version.lower().replace('v', '').replace('.', '_')}"), version
    assert "ALPN protocol: h2" in shown(l, HOST, "-alpn", "http/1.1,h2")
    assert "ALPN protocol: http/1.1" in shown(l, HOST, "-alpn", "http/1.1")


@suite.test("S20")
def the_server_name_chooses_the_certificate(l):
    assert "subject=CN = app" in shown(l, HOST) and "Verify return code: 0" in shown(l, HOST)
    assert "subject=CN = app" in shown(l, HOST.upper())
    for name in ("x.example.org", "a.b.example.org"):
        assert "subject=CN = wild" in shown(l, name), name
    assert curl(l, "x.example.org")[0] == 200


@suite.test("S20")
def a_name_that_no_listener_has_is_told_so(l):
    for name in ("example.org", "unknown.example", ""):
        assert "unrecognized name" in shown(l, name), shown(l, name)


@suite.test("S20")
def old_versions_weak_suites_and_plain_text_are_refused(l):
    for options in (["-tls1"], ["-tls1_1"], ["-tls1_2", "-cipher", "AES128-SHA:ECDHE-ECDSA-AES128-SHA@SECLEVEL=0"]):
        out = shown(l, HOST, *options)
        assert "Cipher is (NONE)" in out or "no protocols available" in out or "alert" in out, (options, out)
    with l["client"].connect(l.vip, 443) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n")
        answer = s.recv(100)
        assert answer[:1] in (b"", b"\x15"), answer  # an alert, or nothing


@suite.test("S20")
def large_bodies_go_both_ways(l):
    body = b"0123456789abcdef" * (1 << 19)
    path = l.authority.path("body")
    with open(path, "wb") as f:
        f.write(body)
    status, _, answer = curl(l, HOST, "--data-binary", f"@{path}", "-H", "Expect:", path="/upload")
    assert status == 200 and json.loads(answer)["sha256"] == hashlib.sha256(body).hexdigest(), (status, answer)
    for kind in ("bytes", "chunked"):
        status, _, answer = curl(l, HOST, path=f"/{kind}/{len(body)}")
        assert status == 200 and hashlib.sha256(answer).hexdigest() == origin.expected_sha256(len(body)), (kind, status)


@suite.test("S20")
def two_thousand_small_requests_go_over_one_connection(l):
    with connection(l) as c:
        for n in range(2000):
            c.request("GET", f"/status/{200 + n % 2 * 4}")
            answer = c.getresponse()
            answer.read()
            assert answer.status == 200 + n % 2 * 4, (n, answer.status)


@suite.test("S20")
def a_rotated_certificate_is_shown_to_new_connections_and_old_ones_live_on(l):
    before = serial(l, HOST)
    with connection(l) as c:
        c.request("GET", "/bytes/10000")
        assert len(c.getresponse().read()) == 10000
        put_certificate(l, "app", HOST)
        suite.eventually(lambda: serial(l, HOST) != before, "the new certificate is shown", 10)
        c.request("GET", "/bytes/10000")
        assert len(c.getresponse().read()) == 10000


@suite.test("S20")
def no_request_fails_while_certificates_rotate(l):
    failed, stop = [], threading.Event()

    def load():
        while not stop.is_set():
            status, _, body = curl(l, HOST)
            if status != 200:
                failed.append((status, body))

    clients = [threading.Thread(target=load) for _ in range(2)]
    for c in clients:
        c.start()
    try:
        for _ in range(10):
            before = serial(l, HOST)
            put_certificate(l, "app", HOST)
            suite.eventually(lambda was=before: serial(l, HOST) != was, "the new certificate is shown", 10)
    finally:
        stop.set()
        for c in clients:
            c.join()
    assert not failed, failed[:3]


@suite.test("S20")
def a_certificate_of_another_namespace_needs_a_grant(l):
    put_certificate(l, "far", "far.example.net", ns=OTHER)
    far = objects.https("far", {"name": "far", "namespace": OTHER}, hostname="far.example.net")
    l.appliance.api.put(gateway(far))
    suite.eventually(lambda: status_of(l, "far")["ResolvedRefs"] == ("False", "RefNotPermitted"), "it is not permitted")
    assert "unrecognized name" in shown(l, "far.example.net")
    l.appliance.api.put({"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
                         "metadata": {"namespace": OTHER, "name": "certificates"},
                         "spec": {"from": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": NS}],
                                  "to": [{"group": "", "kind": "Secret"}]}})
    suite.eventually(lambda: curl(l, "far.example.net")[0] == 200, "it is permitted and served")
    assert status_of(l, "far")["ResolvedRefs"] == ("True", "ResolvedRefs")


@suite.test("S20")
def a_secret_that_cannot_be_used_is_named_and_harms_nobody_else(l):
    certificate, _ = l.authority.server("one", "bad.example.net")
    _, key = l.authority.server("two", "bad.example.net")
    for pair in ((certificate, key), (certificate, "no key"), ("no certificate", key)):
        l.appliance.api.put(objects.tls_secret(NS, "bad", *pair))
        l.appliance.api.put(gateway(objects.https("bad", "bad", hostname="bad.example.net")))
        suite.eventually(lambda: status_of(l, "bad")["ResolvedRefs"] == ("False", "InvalidCertificateRef"), "it is bad")
        assert "unrecognized name" in shown(l, "bad.example.net")
        assert curl(l, HOST)[0] == 200
    l.appliance.api.put(gateway())


def message_of(l, listener):
    status = l.appliance.api.get("Gateway", "gw", NS)["status"]["listeners"]
    conditions = next(x["conditions"] for x in status if x["name"] == listener)
    return next(c["message"] for c in conditions if c["type"] == "ResolvedRefs")


@suite.test("S20")
def an_ocsp_response_is_shown_to_clients_that_ask_for_one(l):
    certificate, key = l.authority.server("app", HOST)
    with open(l.authority.ca, encoding="ascii") as f:
        pair = certificate + f.read(), key  # curl wants the issuer in the chain
    old = l.authority.staple("app")
    assert "OCSP response: no response sent" in shown(l, HOST, "-status")
    l.appliance.api.put(objects.tls_secret(NS, "app", *pair, staple=old))
    for version in ("-tls1_3", "-tls1_2"):
        suite.eventually(lambda v=version: "OCSP Response Status: successful" in shown(l, HOST, "-status", v), "shown",
                         10)
    assert "OCSP response:" not in shown(l, HOST)
    assert curl(l, HOST, "--cert-status")[0] == 200
    pair = l.authority.server("app", HOST)  # a new certificate, and still the old one's response
    l.appliance.api.put(objects.tls_secret(NS, "app", *pair, staple=old))
    told = "tls.ocsp-staple of Secret secure/app is not shown"
    suite.eventually(lambda: told in message_of(l, "app"), "that is told")
    suite.eventually(lambda: "OCSP response: no response sent" in shown(l, HOST, "-status"), "it is not shown", 10)
    assert status_of(l, "app")["ResolvedRefs"] == ("True", "ResolvedRefs") and curl(l, HOST)[0] == 200
    put_certificate(l, "app", HOST)


def ends(l):
    """How handshakes have ended so far."""
    return {n.removeprefix("proxy_tls_"): v for n, v in l.appliance.counters().items() if n.startswith("proxy_tls_")}


def resumes(l, n, *options):
    """Of `n` handshakes with the session that one got before them, as openssl saves it: how many were resumed."""
    saved = l.authority.path("session")
    shown(l, HOST, "-sess_out", saved, "-ign_eof", *options, say=f"GET /status/204 HTTP/1.1\r\nHost: {HOST}\r\n"
          "Connection: close\r\n\r\n")
    return sum("Reused, " in shown(l, HOST, "-sess_in", saved, *options) for _ in range(n))


@suite.test("S20")
def sessions_are_resumed_by_every_worker_and_after_a_restart(l):
    before = ends(l)
    for version in ("-tls1_3", "-tls1_2"):
        assert resumes(l, 8, version) == 8, version
    assert ends(l)["resumed"] - before["resumed"] == 16
    saved = l.authority.path("session")
    l.appliance.dataplane.kill()
    l.appliance.start_dataplane()
    suite.eventually(lambda: "Reused, " in shown(l, HOST, "-sess_in", saved, "-tls1_2"), "it is resumed", 10)


@suite.test("S20")
def each_handshake_is_counted_by_its_end(l):
    before = ends(l)
    shown(l, HOST)
    shown(l, "unknown.example")
    shown(l, HOST, "-tls1_2", "-cipher", "AES128-SHA")
    assert l.curl(f"https://{HOST}/", address=l.vip)[0] == 0  # it does not know the CA
    with l["client"].connect(l.vip, 443) as s:
        s.sendall(b"GET / HTTP/1.1\r\n\r\n")
        s.settimeout(5)
        s.recv(100)
    wanted = {"handshakes": 5, "full": 1, "unknown_name": 1, "no_common": 1, "refused": 1, "garbage": 1}

    def grown():
        now = ends(l)
        by = {n: now[n] - before[n] for n in now if now[n] != before[n]}
        by["refused"] = by.pop("peer_alert", 0) + by.pop("lost", 0)  # curl's reset may overtake its alert
        return by
    suite.eventually(lambda: grown() == wanted, f"they have grown by {wanted}")


@suite.test("S20 #5")
def a_restarted_dataplane_serves_tls_before_mgmtd_is_there(l):
    shown_before = serial(l, HOST)
    l.appliance.mgmtd.kill()
    l.appliance.dataplane.kill()
    l.appliance.start_dataplane()
    suite.eventually(lambda: serial(l, HOST) == shown_before and curl(l, HOST)[0] == 200, "the same is served", 15)
    l.appliance.start_mgmtd()
    put_certificate(l, "app", HOST)
    suite.eventually(lambda: serial(l, HOST) != shown_before, "mgmtd has taken over", 15)


@suite.test("S20")
def no_private_key_is_in_the_image_or_the_logs(l):
    certificate, key = l.authority.server("app", HOST)
    before = serial(l, HOST)
    l.appliance.api.put(objects.tls_secret(NS, "app", certificate, key))
    suite.eventually(lambda: serial(l, HOST) != before, "the new certificate is shown", 10)
    lines = [line for line in key.splitlines() if "-----" not in line]
    path = os.path.join(l.appliance.state_dir, "dataplane", "image")
    with open(path, "rb") as f:
        content = f.read()
    assert HOST.encode() in content and b"PRIVATE KEY" not in content
    assert not any(line.encode() in content for line in lines)
    assert os.stat(path.replace("image", "keys")).st_mode & 0o777 == 0o600
    for program in (l.appliance.dataplane, l.appliance.mgmtd):
        assert "PRIVATE KEY" not in program.log_end(10000)


def leaves_a_core(program):
    """Aborts it, with no limit for such a file."""
    cwd = os.readlink(f"/proc/{program.pid}/cwd")
    before = set(os.listdir(cwd))
    resource.prlimit(program.pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    os.kill(program.pid, signal.SIGABRT)
    program.wait()
    made = {f for f in set(os.listdir(cwd)) - before if f.startswith("core")}
    for f in made:
        os.remove(os.path.join(cwd, f))
    return bool(made)


@suite.test("S20")
def who_holds_keys_leaves_no_core_file(l):
    """The library's copies are in common memory, whatever is locked of ours."""
    with open("/proc/sys/kernel/core_pattern") as f:
        others_do = leaves_a_core(subprocess.Popen(["sleep", "60"], cwd=l.dir)) or f.read()[0] in "|/"
    assert others_do
    assert not leaves_a_core(l.appliance.mgmtd.popen) and not leaves_a_core(l.appliance.dataplane.popen)
    l.appliance.start_dataplane()
    l.appliance.start_mgmtd()


@suite.test("S20")
def secrets_of_handshakes_are_logged_by_debug_builds_only(l):
    path, program = os.path.join(l.dir, "keylog"), os.readlink(f"/proc/{l.appliance.dataplane.pid}/exe")
    with open(program, "rb") as f:
        is_debug = b"__asan_" in f.read()
    os.environ["SSLKEYLOGFILE"] = path
    try:
        l.appliance.dataplane.end()
        l.appliance.start_dataplane()
    finally:
        del os.environ["SSLKEYLOGFILE"]  # curl would write to it, too
    suite.eventually(lambda: curl(l, HOST)[0] == 200, "it serves", 10)
    assert is_debug == os.path.exists(path)
    l.appliance.dataplane.end()
    l.appliance.start_dataplane()


@suite.test("S20")
def a_listener_that_turns_to_tls_answers_nobody_in_plain_text(l):
    plain = {"name": "turns", "port": 8080, "protocol": "HTTP"}
    l.appliance.api.put(gateway(plain))
    suite.eventually(lambda: l.curl(f"http://{HOST}:8080/", address=l.vip)[0] == 200, "it is served in plain text")
    c = http.client.HTTPConnection(HOST, timeout=10)
    c.sock = l["client"].connect(l.vip, 8080)
    c.request("GET", "/status/204")
    answer = c.getresponse()
    answer.read()
    assert answer.status == 204
    l.appliance.api.put(gateway(objects.https("turns", "app", port=8080, hostname="turned.example.com")))
    suite.eventually(lambda: "subject=CN = app" in shown(l, "turned.example.com", port=8080), "it is served by TLS")
    try:
        c.request("GET", "/status/204")
        assert c.getresponse().status == 404
    except (http.client.HTTPException, OSError):
        pass  # closed meanwhile: as good
    c.close()
    l.appliance.api.put(gateway())


def half_open(l):
    """A client that connects and says nothing, and one that stops in the middle of its first message."""
    silent = l["client"].connect(l.vip, 443)
    partial = l["client"].connect(l.vip, 443)
    partial.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    return silent, partial


@suite.test("S20")
def who_never_ends_a_handshake_is_cut_off(l):
    clients = half_open(l)
    for s in clients:
        s.settimeout(20)
        try:
            assert s.recv(100)[:1] in (b"", b"\x15")
        except (ConnectionResetError, socket.timeout) as e:
            assert isinstance(e, ConnectionResetError), e
        s.close()
    assert curl(l, HOST)[0] == 200
