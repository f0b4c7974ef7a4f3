# SPDX-License-Identifier: Apache-2.0
"""TLS libraries that are not OpenSSL's as clients, and scanners that look for what should not be there."""
import json
import os
import re
import ssl
import subprocess
import sys
import xml.etree.ElementTree as xml

import backend
import certs
import lab as labs
import objects
import suite

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import build  # noqa: E402 (its folder is known only now)

NS, HOST = "clients", "tls.example.com"


def lab():
    return labs.Lab("tlsclients", backends=1)


def prepare(l):
    backend.Origin(l, "backend-1").wait_ready()
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    l.authority = certs.Authority(l.dir)
    api = l.appliance.api
    api.put(objects.namespace(NS))
    for kind in ("ec", "rsa"):
        api.put(objects.tls_secret(NS, kind, *l.authority.server(kind, HOST, key=kind)))
    made = objects.gateway(NS, "gw")
    made["spec"]["listeners"] = [objects.https("both", "ec", "rsa", hostname=HOST),
                                 objects.https("any", "rsa")]  # the scanner asks for no name
    api.put(made)
    api.put(objects.service(NS, "app"))
    api.put(objects.slice_of(NS, "app", labs.backend_address(1)))
    api.put(objects.route(NS, "app", [f"{NS}/gw"], [objects.to("app")]))
    l.vip = objects.gateway_address(l, NS, "gw")
    suite.eventually(lambda: l.curl(f"https://{HOST}/", "--cacert", l.authority.ca, address=l.vip)[0] == 200,
                     "it serves")


# Of sslyze
SCANS = ("sslv2", "sslv3", "tlsv1", "tlsv1_1", "tlsv1_2", "tlsv1_3", "compression", "heartbleed", "openssl_ccs",
         "robot", "reneg", "fallback", "ems", "early_data")
REQUEST = f"GET /status/204 HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"


def gnutls(l, priority, *options):
    """What gnutls-cli prints of a request."""
    done = l["client"].run("gnutls-cli", "--x509cafile", l.authority.ca, "--sni-hostname", HOST, "--verify-hostname",
                           HOST, "--priority", priority, "-p", "443", *options, l.vip, input=REQUEST, timeout=20)
    return done.stdout + done.stderr


@suite.test("S20")
def gnutls_gets_an_answer_by_either_version_and_kind_of_key(l):
    for version in ("TLS1.3", "TLS1.2"):
        for kind in ("ECDHE-ECDSA", "ECDHE-RSA") if version == "TLS1.2" else ("",):
            only = f":-KX-ALL:+{kind}" if kind else ""
            said = gnutls(l, f"NORMAL:-VERS-ALL:+VERS-{version}{only}")
            assert "HTTP/1.1 204" in said and f"({version}" in said, said
            assert "The certificate is trusted" in said, said


@suite.test("S20")
def gnutls_is_refused_what_is_old_or_weak(l):
    for only in ("TLS1.1", "TLS1.0", "TLS1.2:-KX-ALL:+RSA", "TLS1.2:-CIPHER-ALL:+AES-128-CBC"):
        said = gnutls(l, f"NORMAL:-VERS-ALL:+VERS-{only}")
        assert "HTTP/1.1 204" not in said and "Received alert" in said, (only, said)


@suite.test("S20")
def gnutls_resumes_its_session(l):
    assert "This is a resumed session" in gnutls(l, "NORMAL", "--resume", "--waitresumption")


def nss_database(l):
    """NSS keeps what it trusts in a database."""
    folder = os.path.join(l.dir, "nss")
    if not os.path.isdir(folder):
        os.makedirs(folder)
        for argv in (["-N", "--empty-password"], ["-A", "-n", "ca", "-t", "C,,", "-a", "-i", l.authority.ca]):
            subprocess.run(["certutil", "-d", f"sql:{folder}", *argv], check=True, capture_output=True, timeout=30)
    return f"sql:{folder}"


@suite.test("S20")
def nss_gets_an_answer_by_either_version(l):
    asked = os.path.join(l.dir, "request")
    with open(asked, "w", encoding="ascii") as f:
        f.write(REQUEST)
    for versions in ("tls1.3:tls1.3", "tls1.2:tls1.2"):
        done = l["client"].run("tstclnt", "-d", nss_database(l), "-h", l.vip, "-p", "443", "-a", HOST, "-V", versions,
                               "-A", asked, timeout=20)
        assert "HTTP/1.1 204" in done.stdout, (versions, done.stdout, done.stderr)


def rustls(l, version, alpn="-", count=1, host=HOST, ca=None):
    """What it says of each request."""
    der = l.authority.path("ca.der")
    with open(der, "wb") as f:
        f.write(ssl.PEM_cert_to_DER_cert(ca or l.authority.text()))
    done = l["client"].run(build.build("rustls"), l.vip, "443", host, der, version, alpn, str(count), timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@suite.test("S20")
def rustls_gets_an_answer_by_either_version_and_resumes_its_session(l):
    for version, name in (("1.3", "TLSv1_3"), ("1.2", "TLSv1_2")):
        before = l.appliance.counters()
        said = rustls(l, version, "http/1.1", count=3)
        seen = [(s.get("status"), s.get("version"), s.get("alpn")) for s in said]
        assert seen == [("204", name, "http/1.1")] * 3, said
        after = l.appliance.counters()
        grown = {end: after[f"proxy_tls_{end}"] - before[f"proxy_tls_{end}"] for end in ("full", "resumed")}
        assert grown == {"full": 1, "resumed": 2}, (version, grown)


@suite.test("S20")
def rustls_and_we_refuse_each_other_for_a_reason(l):
    stranger = certs.Authority(l.dir, "stranger").text()
    before = l.appliance.counters()
    assert "UnknownIssuer" in rustls(l, "1.3", ca=stranger)[0]["fault"]
    assert "NotValidForName" in rustls(l, "1.3", host="other.example.com")[0]["fault"]
    assert "NoApplicationProtocol" in rustls(l, "1.3", "spdy")[0]["fault"]
    after = l.appliance.counters()
    assert after["proxy_tls_peer_alert"] - before["proxy_tls_peer_alert"] == 2
    assert after["proxy_tls_no_common"] - before["proxy_tls_no_common"] == 1


@suite.test("S20")
def an_attack_with_a_name_finds_nothing(l):
    report = os.path.join(l.dir, "testssl.json")
    done = l["client"].run("testssl", "--quiet", "--warnings", "off", "--nodns", "none", "--ip", l.vip, "-p", "-U",
                           "--jsonfile", report, f"{HOST}:443", timeout=400)
    with open(report, encoding="utf-8") as f:
        found = {x["id"]: x for x in json.load(f)}
    wanted = {"SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2", "TLS1_3", "heartbleed", "CCS", "ticketbleed", "ROBOT",
              "secure_renego", "secure_client_renego", "CRIME_TLS", "BREACH", "POODLE_SSL", "SWEET32", "FREAK", "DROWN",
              "LOGJAM", "BEAST", "LUCKY13", "RC4"}
    assert wanted <= set(found), (wanted - set(found), done.stdout, done.stderr)
    of_the_scanner = ("engine_problem",)  # what its own OpenSSL lacks
    bad = {name: x["finding"] for name, x in found.items()
           if x["severity"] not in ("OK", "INFO") and name not in of_the_scanner}
    assert not bad, bad


@suite.test("S20")
def another_scanner_finds_what_is_recommended_and_nothing_else(l):
    report = os.path.join(l.dir, "sslyze.json")
    done = l["client"].run(*build.sslyze(), f"--json_out={report}", f"--sni={HOST}", "--mozilla_config=disable",
                           *(f"--{x}" for x in SCANS), f"{l.vip}:443", timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    with open(report, encoding="utf-8") as f:
        results, = json.load(f)["server_scan_results"]
    found = {name: x["result"] for name, x in results["scan_result"].items()}
    accepted = {name: {s["cipher_suite"]["name"] for s in found[name]["accepted_cipher_suites"]}
                for name in found if name.endswith("_cipher_suites")}
    assert {name for name, suites in accepted.items() if suites} == {"tls_1_2_cipher_suites", "tls_1_3_cipher_suites"}
    assert all(re.match("TLS_ECDHE_.*_(GCM|POLY1305)_", s) for s in accepted["tls_1_2_cipher_suites"]), accepted
    assert not found["tls_compression"]["supports_compression"]
    assert not found["heartbleed"]["is_vulnerable_to_heartbleed"]
    assert not found["openssl_ccs_injection"]["is_vulnerable_to_ccs_injection"]
    assert found["robot"]["robot_result"].startswith("NOT_VULNERABLE"), found["robot"]
    assert not found["session_renegotiation"]["is_vulnerable_to_client_renegotiation_dos"]
    assert found["session_renegotiation"]["supports_secure_renegotiation"]
    assert found["tls_fallback_scsv"]["supports_fallback_scsv"]
    assert not found["tls_1_3_early_data"]["supports_early_data"]
    assert found["tls_extended_master_secret"]["supports_ems_extension"]


@suite.test("S20")
def a_scanner_finds_nothing_to_complain_of(l):
    report = os.path.join(l.dir, "sslscan.xml")
    done = l["client"].run("sslscan", f"--xml={report}", "--no-colour", f"--sni-name={HOST}", f"{l.vip}:443",
                           timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    found = xml.parse(report).getroot().find("ssltest")
    enabled = {p.get("type") + p.get("version") for p in found.iter("protocol") if p.get("enabled") == "1"}
    assert enabled == {"tls1.2", "tls1.3"}, enabled
    for finding, bad in (("compression", "supported"), ("heartbleed", "vulnerable")):
        assert not [x for x in found.iter(finding) if x.get(bad) != "0"], (finding, done.stdout)
    assert not [x for x in found.iter("renegotiation") if x.get("supported") == "1" and x.get("secure") != "1"]
    suites = {c.get("cipher") for c in found.iter("cipher")}
    assert suites and all(re.match("TLS_|ECDHE-.*(GCM|POLY1305)", c) for c in suites), suites
