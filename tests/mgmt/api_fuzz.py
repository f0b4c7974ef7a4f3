#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Damaged requests against a real sluice-mgmtd: python3 tests/mgmt/api_fuzz.py [BUILD] [SEED] [SECONDS].

Takes good requests and damages method, path, query, fields and body by a seed. The daemon must answer or close, never
end, never say 5xx, and at the end still serve and be the same after a restart. Best with a sanitizer build."""
import http.client
import json
import os
import random
import sys
import time

import api_test
import mgmtd

GOOD = [
    ("POST", api_test.maps(), api_test.config_map("a", k="1"), "application/json"),
    ("PUT", api_test.maps(name="a"), api_test.config_map("a", {"l": "x"}, k="2"), "application/json"),
    ("PATCH", api_test.maps(name="a"), {"data": {"k": None, "z": "1"}}, api_test.MERGE),
    ("PATCH", api_test.maps(name="a"), [{"op": "add", "path": "/data/q", "value": "1"},
                                        {"op": "move", "from": "/data/q", "path": "/data/r"}], api_test.JSON_PATCH),
    ("PATCH", "/api/v1/namespaces/apps/services/s", {"spec": {"ports": [{"port": 80, "$patch": "delete"}]}},
     "application/strategic-merge-patch+json"),
    ("POST", "/api/v1/namespaces/apps/services", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
                                                  "spec": {"ports": [{"port": 80}]}}, "application/json"),
    ("POST", api_test.routes(), api_test.route("r", hostnames=["a.example.com"]), "application/json"),
    ("PATCH", api_test.routes(name="r") + "/status", {"status": {"parents": []}}, api_test.MERGE),
    ("POST", f"{api_test.GATEWAY}/namespaces/apps/gateways", api_test.gateway("g", "a", "b"), "application/json"),
    ("POST", f"{api_test.SLUICE}/changesets", {"apiVersion": "v1", "kind": "List", "items": [
        api_test.namespace("n"), {**api_test.config_map("c"), "metadata": {"name": "c", "namespace": "n"}}]},
     "application/json"),
    ("DELETE", api_test.maps(name="a"), {"preconditions": {"resourceVersion": "7"}}, "application/json"),
    ("DELETE", "/api/v1/namespaces/n", None, None),
    ("GET", api_test.maps() + "?labelSelector=l%3Dx,y+in+(a,b),!z&limit=2&continue=5:apps:a", None, None),
    ("GET", api_test.maps() + "?watch=1&timeoutSeconds=1&resourceVersion=0&allowWatchBookmarks=true", None, None),
    ("GET", "/openapi/v3/apis/gateway.networking.k8s.io/v1", None, None),
    ("POST", f"{api_test.SLUICE}/explain", {"apiVersion": "sluice.internal/v1", "kind": "Explain",
                                            "spec": {"method": "GET", "url": "http://a.example.com/x"}},
     "application/json"),
]
SCALARS = [None, True, False, 0, -1, 1 << 62, 1.5, "", "a", "x" * 300, "\u20ac", "-", "..", [], {}, [[]], {"": {}}]


def damage_json(r, value):
    """A copy with one place changed."""
    places = [([], value)]
    for path, v in places:
        for k, child in (v.items() if isinstance(v, dict) else enumerate(v) if isinstance(v, list) else ()):
            places.append((path + [k], child))
    path, old = r.choice(places)
    new = r.choice(SCALARS + [[old], {"x": old}, [old, old]])
    if not path:
        return new
    copy = json.loads(json.dumps(value))
    at = copy
    for k in path[:-1]:
        at = at[k]
    if r.random() < 0.2 and isinstance(at, dict):
        at[r.choice(["extra", "status", "$patch", "metadata", "finalizers"])] = new
    elif r.random() < 0.2:
        del at[path[-1]]
    else:
        at[path[-1]] = new
    return copy


def damage_bytes(r, data):
    data = bytearray(data)
    for _ in range(r.choice((1, 1, 2, 8))):
        at = r.randrange(len(data) + 1)
        how = r.randrange(4)
        if how == 0 and data:
            data[at % len(data)] ^= 1 << r.randrange(8)
        elif how == 1:
            del data[at:at + r.randrange(20)]
        elif how == 2:
            data[at:at] = bytes(r.randrange(256) for _ in range(r.randrange(10)))
        else:
            data[at:at] = data[:r.randrange(40)]
    return bytes(data)


def make(r, token):
    """The bytes of one request."""
    method, path, body, kind = r.choice(GOOD)
    if "watch=1" in path and r.random() < 0.9:
        return make(r, token)  # each takes a second
    for _ in range(r.choice((0, 1, 1, 2, 3)) if body is not None else 0):
        body = damage_json(r, body)
    data = json.dumps(body).encode() if body is not None else b""
    if r.random() < 0.15:
        data = damage_bytes(r, data)
    if r.random() < 0.1:
        kind = r.choice(("application/yaml", "application/json", api_test.MERGE, api_test.JSON_PATCH, "x"))
    if r.random() < 0.2:
        path = damage_bytes(r, path.encode()).decode("latin-1")
    if r.random() < 0.1:
        path += r.choice(("?", "&")) + r.choice(("dryRun=All", "fieldValidation=Ignore", "dryRun=x", "watch=1", "%"))
    if r.random() < 0.1:
        method = r.choice(("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "X"))
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    head += f"Content-Type: {kind}\r\n" if kind else ""
    head += "Accept: application/json;as=Table;v=v1\r\n" if r.random() < 0.1 else ""
    if data and r.random() < 0.2:
        head += "Transfer-Encoding: chunked\r\n\r\n"
        cut = r.randrange(len(data))
        chunks = [c for c in (data[:cut], data[cut:]) if c]
        data = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"
    else:
        head += f"Content-Length: {len(data)}\r\n\r\n"
    raw = head.encode("latin-1") + data
    return damage_bytes(r, raw) if r.random() < 0.1 else raw


def answer_to(client, raw):
    """The status of the first answer; None: it was closed, or nothing came."""
    connection = client.connection or client.connect()
    try:
        connection.sock.sendall(raw)
        connection.sock.settimeout(0.5)
        answer = http.client.HTTPResponse(connection.sock)
        answer.begin()
        answer.read()
        if answer.will_close:
            client.close()
        return answer.status
    except (OSError, http.client.HTTPException):
        client.close()
        return None


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else os.path.join(api_test.TOP, "build")
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 20
    r = random.Random(seed)
    m = mgmtd.Mgmtd(os.path.join(build, "mgmt", "daemon", "sluice-mgmtd")).start()
    failed, n, statuses = 0, 0, {}
    try:
        client = m.client()
        client.ok("POST", "/api/v1/namespaces", api_test.namespace("apps"))
        end = time.monotonic() + seconds
        while time.monotonic() < end and not failed:
            raw = make(r, client.token)
            status = answer_to(client, raw)
            statuses[status] = statuses.get(status, 0) + 1
            n += 1
            if m.process.poll() is not None or (status or 0) >= 500 and status not in (503, 501, 505):
                print(f"FAILED: seed {seed}, request {n}, status {status}: {raw!r}")
                failed = 1
        if not failed:
            client.close()
            before = client.ok("GET", "/api/v1/configmaps")
            assert m.stop() == 0, "it did not end well"
            m.start()
            client.close()
            assert client.ok("GET", "/api/v1/configmaps") == before, "a restart changes objects"
            assert m.stop() == 0, "it did not end well"
    except AssertionError as e:
        print(f"FAILED: seed {seed}: {e}")
        failed = 1
    if failed:
        print(m.log()[-6000:])
    m.remove()
    print(f"{n} requests, answers {dict(sorted(statuses.items(), key=str))}")
    print(f"mgmt/api-fuzz: {1 - failed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main())
