#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Attempts to get past the roles, the limits and the TLS of the API.

    python3 tests/mgmt/attack_test.py [BUILD] [NAME...]
"""
import os
import socket
import ssl
import subprocess
import sys
import time

import api_test
import mgmtd
from api_test import GATEWAY, MERGE, SLUICE, config_map, issue, maps, names, namespace, route, routes

TESTS = []
SLOW_CLIENTS = 100


def test(f):
    TESTS.append(f)
    return f


def changes(*items):
    return {"apiVersion": "v1", "kind": "List", "items": list(items)}


def placed(obj, ns):
    return {**obj, "metadata": {**obj["metadata"], "namespace": ns}}


@test
def no_selector_leads_out_of_a_developer_s_namespaces(m, c):
    for ns in ("apps-2", "other"):
        c.ok("POST", "/api/v1/namespaces", namespace(ns))
    for ns in ("apps", "apps-2", "other"):
        c.ok("POST", routes(ns), route(f"in-{ns}"))
    ana = issue(m, "ana", "application-developer", "apps-2")
    for selector in ("metadata.namespace%3D", "metadata.namespace%3D%3D", "metadata.namespace%3Dapps",
                     "metadata.namespace%3Dother",
                     "metadata.namespace%3D%3Dapps", "metadata.namespace%3Dapps-2,metadata.namespace%3Dapps",
                     "metadata.name%3Din-apps,metadata.namespace%3D%3D", "metadata.namespace%3Da",
                     "metadata.namespace!%3Dapps-2",
                     "metadata.namespace%3Dapps-2,metadata.namespace%3D%3D", "metadata.name%3D", "metadata.name%3D%3D"):
        status, said = ana.call("GET", f"{routes('apps-2')}?fieldSelector={selector}")
        assert status == 400 or set(names(said)) <= {"in-apps-2"}, (selector, said)
        status, _, text = ana.raw("GET", f"{routes('apps-2')}?watch=1&timeoutSeconds=1&fieldSelector={selector}")
        assert b'"in-apps"' not in text and b'"in-other"' not in text, (selector, text)
    listed = c.ok("GET", f"{GATEWAY}/httproutes?fieldSelector=metadata.namespace%3Dapps")
    assert names(listed) == ["in-apps"]


@test
def no_spelling_of_a_path_leads_out_of_a_developer_s_namespaces(m, c):
    c.ok("POST", "/api/v1/namespaces", namespace("other"))
    c.ok("POST", routes("other"), route("theirs"))
    ana = issue(m, "ana", "application-developer", "apps")
    for path in (f"{GATEWAY}/namespaces//httproutes", f"{GATEWAY}/httproutes", f"{GATEWAY}/namespaces/*/httproutes",
                 f"{GATEWAY}/namespaces/apps/../other/httproutes", f"{GATEWAY}/namespaces/apps/..%2fother/httproutes",
                 f"{GATEWAY}/namespaces/apps/%2e%2e/other/httproutes", f"{GATEWAY}/namespaces/apps%00/httproutes",
                 f"{GATEWAY}/namespaces/other/httproutes/theirs",
                 f"{GATEWAY}/namespaces/other/httproutes/theirs/status", f"{GATEWAY}/namespaces/APPS/httproutes",
                 f"{GATEWAY}/namespaces/other/httproutes?namespace=apps", f"//apis/x{GATEWAY}/httproutes",
                 f"{GATEWAY}/watch/namespaces/other/httproutes",
                 f"{GATEWAY}/namespaces/other/httproutes#/namespaces/apps",
                 f"/apis/gateway.networking.k8s.io/v1/../../sluice.internal/v1/tokens", f"{SLUICE}/tokens/",
                 f"{SLUICE}//tokens", "/api/v1/namespaces/apps/secrets", "/api/v1/namespaces/apps/configmaps",
                 "/metrics", "/metrics?x", "//metrics", "/metrics/"):
        for method in ("GET", "HEAD", "DELETE", "POST", "PUT", "PATCH"):
            status, _, text = ana.raw(method, path, {} if method in ("POST", "PUT", "PATCH") else None)
            assert status >= 300 and b"theirs\",\"namespace" not in text, (method, path, status, text)
    assert c.ok("GET", routes("other", "theirs"))


@test
def bodies_cannot_say_another_namespace_or_kind_than_the_url(m, c):
    c.ok("POST", "/api/v1/namespaces", namespace("other"))
    ana = issue(m, "ana", "application-developer", "apps")
    ana.refused(400, "BadRequest", "POST", routes(), placed(route("x"), "other"))
    status, _ = ana.call("POST", routes(), config_map("x"))
    assert status in (400, 422), status
    for items in ([placed(route("ok"), "apps"), placed(route("bad"), "other")], [placed(config_map("cm"), "apps")],
                  [placed(route("ok"), "apps"), namespace("mine")], [placed(route("ok"), "")]):
        status, said = ana.call("POST", f"{SLUICE}/changesets", changes(*items))
        assert status in (403, 422), said
    assert names(ana.ok("GET", routes())) == []
    for items in ([api_test.token("king", "infrastructure-provider")], [changes()], [7], [None], [{}], [[]]):
        status, said = c.call("POST", f"{SLUICE}/changesets", changes(*items))
        assert 400 <= status < 500, said


@test
def nobody_but_a_provider_makes_or_changes_tokens(m, c):
    for role in ("cluster-operator", "application-developer", "controller"):
        who = issue(m, f"t-{role}", role, *(["apps"] if role == "application-developer" else []))
        own = f"{SLUICE}/tokens/t-{role}"
        for method, path, body in (("POST", f"{SLUICE}/tokens", api_test.token("k", "infrastructure-provider")),
                                   ("GET", own, None),
                                   ("PATCH", own, {"spec": {"role": "infrastructure-provider"}}), ("DELETE", own, None),
                                   ("PATCH", own + "/status", {"status": {}})):
            status, said = who.call(method, path, body, MERGE if method == "PATCH" else "application/json")
            assert status in (403, 404), (role, method, said)


@test
def credentials_count_only_as_one_bearer_token(m, c):
    good = m.token
    for value in ("", "Bearer", "Bearer ", f"Basic {good}", good, f"Bearer {good}x", f"Bearer {good[:-1]}",
                  f"Bearer {good} x",
                  "Bearer " + "a" * 5000, f"Bearer {good.upper()}", "Bearer slt1..", "Bearer slt1.bootstrap.",
                  "Bearer slt1.%s." % ("n" * 300), f"Bearer slt1.nobody.{good.split('.')[2]}"):
        status = m.client(token=None).raw("GET", "/apis", Authorization=value)[0]
        assert status in (400, 401, 429, 431), (value[:60], status)
    with m.client().connect().sock as sock:
        sock.sendall(b"GET /apis HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n"
                     b"Authorization: Bearer " + good.encode() +
                     b"\r\nConnection: close\r\n\r\n")
        assert b" 200 " not in sock.recv(65536).split(b"\r\n")[0]


@test
def what_only_the_server_says_cannot_be_said_by_others(m, c):
    forged = config_map("x", a="1")
    forged["metadata"].update(uid="11111111-1111-1111-1111-111111111111", creationTimestamp="2001-01-01T00:00:00Z",
                              generation=99, deletionTimestamp="2001-01-01T00:00:00Z", deletionGracePeriodSeconds=0,
                              selfLink="/x")
    made = c.ok("POST", maps(), forged)
    meta = made["metadata"]
    assert meta["uid"] != forged["metadata"]["uid"], meta
    assert meta["creationTimestamp"] > "2020" and "deletionTimestamp" not in meta, meta
    assert meta.get("generation", 1) != 99
    other = {**made, "metadata": {**meta, "uid": "11111111-1111-1111-1111-111111111111"}}
    c.refused(409, "Conflict", "PUT", maps(name="x"), other)
    for version in ("999999999", "-1", "0x10", "1e3", "18446744073709551616", " ", "1 "):
        status, _ = c.call("PUT", maps(name="x"), {**made, "metadata": {**meta, "resourceVersion": version}})
        assert status in (400, 409, 422), (version, status)
    c.ok("PATCH", maps(name="x"), {"metadata": {"finalizers": ["a.example/hold"]}}, MERGE)
    c.ok("DELETE", maps(name="x"))
    held = c.ok("GET", maps(name="x"))
    assert "deletionTimestamp" in held["metadata"]
    again = c.call("PATCH", maps(name="x"), {"metadata": {"deletionTimestamp": None}}, MERGE)
    assert "deletionTimestamp" in c.ok("GET", maps(name="x"))["metadata"], again
    c.ok("PATCH", maps(name="x"), {"metadata": {"finalizers": []}}, MERGE)
    c.refused(404, "NotFound", "GET", maps(name="x"))


@test
def versions_that_cannot_be_are_no_versions_to_watch_from(m, c):
    for version in ("999999999", "-1", "abc", "18446744073709551616", "1e3", "%00", "0x1"):
        began = time.monotonic()
        status, _, text = c.raw("GET", f"{maps()}?watch=1&timeoutSeconds=1&resourceVersion={version}")
        assert status in (200, 400, 410, 504) and time.monotonic() - began < 10, (version, status)
        assert status != 200 or not text or b'"ERROR"' in text or version == "999999999", (version, text)
    for query in ("limit=-1", "limit=99999999999999999999", "continue=%ff%00", "continue=" + "A" * 3000,
                  "labelSelector=%28%28",
                  "labelSelector=" + "a," * 2000, "&" * 100, "a=b&" * 100, "watch=1&watch=0&timeoutSeconds=1"):
        status, _, _ = c.raw("GET", f"{maps()}?{query}")
        assert status in (200, 400, 410, 414, 431), (query[:60], status)


@test
def odd_json_is_refused_or_kept_as_it_is(m, c):
    head = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},'
    for tail in (b'"data":{"a":' + b"9" * 5000 + b"}}", b'"data":{"a":1e99999}}', b'"data":{"a":"\xff"}}',
                 b'"data":{"a":"\\ud800"}}',
                 b'"data":{"a":"\\u0000"}}', b'"data":' + b"[" * 100000,
                 b'"data":' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
                 b'"data":{"a":"1","a":"2"}}', b'"data":{"a\\u0000b":"1"}}', b'"data":{"a":-0}}', b'"data":{"a":NaN}}',
                 b'"data":{"a":"1"}}{}', b'"data":{"a":"1"}} x'):
        status, said = c.call("POST", maps(), head + tail)
        assert 400 <= status < 500, (tail[:40], status, said)
    for code in (b"\xef\xbb\xbf", b"\xff\xfe", b"\x00"):
        status, _ = c.call("POST", maps(), code + head + b'"data":{}}')
        assert 400 <= status < 500, code
    assert names(c.ok("GET", maps())) == []


def handshake(m, *options):
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{m.port}", *options], input=b"",
                          capture_output=True,
                          timeout=20)
    return (done.stdout + done.stderr).decode(errors="replace")


@test
def tls_is_new_enough_and_nothing_else(m, c):
    for old in ("-tls1", "-tls1_1"):
        said = handshake(m, old, "-cipher", "ALL:@SECLEVEL=0")
        assert "Cipher is (NONE)" in said or "no protocols available" in said, said[-1500:]
    for good in ("-tls1_2", "-tls1_3"):
        said = handshake(m, good)
        assert "Cipher is (NONE)" not in said and "Compression: NONE" in said, said[-1500:]
    for weak in ("NULL:@SECLEVEL=0", "aNULL:@SECLEVEL=0", "3DES:@SECLEVEL=0", "AES128-SHA:@SECLEVEL=0",
                 "AES256-GCM-SHA384:@SECLEVEL=0"):
        said = handshake(m, "-tls1_2", "-cipher", weak)
        assert "Cipher is (NONE)" in said or "no cipher match" in said, (weak, said[-1500:])
    done = subprocess.run(["sh", "-c", f"(sleep 0.3; echo R; sleep 0.7) | timeout 10 openssl s_client -tls1_2 -connect "
                                       f"127.0.0.1:{m.port}"], capture_output=True, timeout=20)
    said = (done.stdout + done.stderr).decode(errors="replace")
    refusals = ("no renegotiation", "handshake failure", ":error:")
    assert "RENEGOTIATING" not in said or any(word in said for word in refusals), said[-1500:]


@test
def slow_clients_do_not_keep_others_waiting(m, c):
    context = ssl.create_default_context(cafile=m.ca_file)
    slow = []
    try:
        for i in range(SLOW_CLIENTS):
            sock = socket.create_connection((mgmtd.HOST, m.port), timeout=10)
            if i % 2:
                sock = context.wrap_socket(sock, server_hostname="localhost")
                sock.sendall(b"GET /apis HTTP/1.1\r\nHost: a\r\nX-")
            else:
                sock.sendall(b"\x16\x03\x01")
            slow.append(sock)
        began = time.monotonic()
        for _ in range(50):
            c.ok("GET", "/apis")
        assert time.monotonic() - began < 10
        for sock in slow:
            sock.settimeout(30)
            try:
                while sock.recv(4096):
                    pass
            except (ConnectionError, ssl.SSLError):
                pass
        assert time.monotonic() - began < 40, "slow clients are kept for ever"
    finally:
        for sock in slow:
            sock.close()


@test
def what_is_kept_on_disk_is_for_the_owner_s_eyes(m, c):
    c.ok("POST", maps(), config_map("x", a="1"))
    for folder, _, files in os.walk(m.state_dir):
        for name in [".", *files]:
            path = os.path.join(folder, name)
            assert os.stat(path).st_mode & 0o77 == 0 or name.endswith(".crt"), path
    assert os.stat(m.token_file).st_mode & 0o77 == 0


if __name__ == "__main__":
    sys.exit(api_test.main(TESTS, "mgmt/attack"))
