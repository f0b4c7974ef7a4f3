#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The management API of a real sluice-mgmtd, over TLS: python3 tests/mgmt/api_test.py [BUILD] [NAME...]."""
import json
import os
import socket
import subprocess
import sys
import threading
import time
import traceback

import mgmtd

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
GATEWAY, SLUICE = "/apis/gateway.networking.k8s.io/v1", "/apis/sluice.internal/v1"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PROTOBUF = "application/vnd.kubernetes.protobuf"
HUGE = 100 << 20
TESTS = []


def test(f):
    TESTS.append(f)
    return f


def maps(ns="apps", name=None):
    return f"/api/v1/namespaces/{ns}/configmaps" + (f"/{name}" if name else "")


def routes(ns="apps", name=None):
    return f"{GATEWAY}/namespaces/{ns}/httproutes" + (f"/{name}" if name else "")


def namespace(name, **labels):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def config_map(name, labels=None, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels or {}}, "data": data}


def route(name, **spec):
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name},
            "spec": {"parentRefs": [{"name": "gw"}], "rules": [{"backendRefs": [{"name": "svc", "port": 80}]}], **spec}}


def gateway(name, *listeners):
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": name},
            "spec": {"gatewayClassName": "c", "listeners": [{"name": n, "port": 80 + i, "protocol": "HTTP"}
                                                            for i, n in enumerate(listeners)]}}


def policies(ns="apps", name=None):
    return f"{SLUICE}/namespaces/{ns}/transportpolicies" + (f"/{name}" if name else "")


def target(kind, name, section=None):
    return {"group": "" if kind == "Service" else "gateway.networking.k8s.io", "kind": kind, "name": name,
            **({"sectionName": section} if section else {})}


def policy(name, congestion, *targets):
    return {"apiVersion": "sluice.internal/v1", "kind": "TransportPolicy", "metadata": {"name": name},
            "spec": {"targetRefs": list(targets), "congestionControl": congestion}}


def token(name, role, *namespaces):
    return {"apiVersion": "sluice.internal/v1", "kind": "Token", "metadata": {"name": name},
            "spec": {"role": role, **({"namespaces": list(namespaces)} if namespaces else {})}}


def version(obj):
    return obj["metadata"]["resourceVersion"]


def names(listed):
    return [i["metadata"]["name"] for i in listed["items"]]


def issue(m, name, role, *namespaces):
    """A client with a new token."""
    made = m.client().ok("POST", f"{SLUICE}/tokens", token(name, role, *namespaces))
    return m.client(made["status"]["token"])


# ---- discovery and health


@test
def health_and_version_need_no_token(m, c):
    for path in ("/livez", "/readyz", "/healthz", "/version"):
        assert m.client(token=None).raw("GET", path)[0] == 200


@test
def discovery_names_every_kind_with_its_verbs(m, c):
    groups = {g["name"]: g for g in c.ok("GET", "/apis")["groups"]}
    assert set(groups) == {"gateway.networking.k8s.io", "discovery.k8s.io", "sluice.internal"}
    assert groups["gateway.networking.k8s.io"]["preferredVersion"]["version"] == "v1"
    assert c.ok("GET", "/api")["versions"] == ["v1"]
    assert c.ok("GET", "/apis/sluice.internal")["kind"] == "APIGroup"
    seen = set()
    for path in ("/api/v1", GATEWAY, SLUICE, "/apis/discovery.k8s.io/v1", "/apis/gateway.networking.k8s.io/v1beta1"):
        for r in c.ok("GET", path)["resources"]:
            seen.add(r["name"])
            if "/" not in r["name"]:
                assert "watch" in r["verbs"] and r["kind"], r
                assert (r.get("categories") == ["gateway-api"]) == ("gateway.networking" in path), r
                assert c.raw("GET", f"{path}/{r['name']}")[0] == 200, r
    assert {"gateways", "listenersets", "listenersets/status", "httproutes", "httproutes/status", "grpcroutes",
            "grpcroutes/status",
            "tlsroutes", "tcproutes", "udproutes", "udproutes/status", "secrets", "tokens", "endpointslices",
            "transportpolicies",
            "transportpolicies/status", "healthpolicies", "healthpolicies/status", "ratelimits",
            "accesspolicies", "bgppeers", "bgppeers/status", "drains", "virtualrouters",
            "virtualrouters/status", "backends", "backends/status", "dnsroutes",
            "dnsroutes/status"} <= seen


@test
def unknown_paths_are_404_and_wrong_methods_405(m, c):
    for path in ("/", "/api/v2", "/apis/none", f"{GATEWAY}/none", "/api/v1/namespaces/default/namespaces",
                 "/api/v1/configmaps/x", f"{GATEWAY}/namespaces/default/gatewayclasses", "/api/v1/secrets/a/b/c/d",
                 maps(name="a") + "/status", "/a/b/c/d/e/f/g/h/i/j/k", "/api/v1/%2e%2e/none", "/%00"):
        assert c.raw("GET", path)[0] in (400, 404), path
    for method, path in (("DELETE", maps("default")), ("PUT", maps("default")), ("POST", maps("default", "x")),
                         ("POST", "/api/v1/configmaps"), ("GET", f"{SLUICE}/changesets"), ("POST", "/apis")):
        status, headers, text = c.raw(method, path, {} if method != "GET" else None)
        assert status == 405 and headers["Allow"] and json.loads(text)["reason"] == "MethodNotAllowed", (method, path)


@test
def metrics_are_openmetrics_for_providers_and_operators(m, c):
    status, headers, text = c.raw("GET", "/metrics")
    lines = text.decode().splitlines()
    assert status == 200 and headers["Content-Type"].startswith("application/openmetrics-text") and lines[-1] == "# EOF"
    values = dict(line.split() for line in lines if not line.startswith("#"))
    assert int(values["sluice_api_requests_total"]) >= 2 and int(values["sluice_api_conns"]) >= 1, values
    developer = issue(m, "ana", "application-developer", "apps")
    developer.refused(403, "Forbidden", "GET", "/metrics")
    developer.refused(403, "Forbidden", "GET", "/metrics/routes?match=apps/*")
    c.refused(400, "BadRequest", "GET", "/metrics/routes")
    status, _, text = c.raw("GET", "/metrics/routes?match=*")
    assert status == 200 and b"sluice_routes_left_out 0\n# EOF\n" in text  # no dataplane, no routes


# ---- create, get, list, update, delete


@test
def objects_are_made_read_changed_and_deleted(m, c):
    made = c.ok("POST", maps(), config_map("a", k="1"))
    meta = made["metadata"]
    assert meta["namespace"] == "apps" and len(meta["uid"]) == 36 and meta["creationTimestamp"].endswith("Z")
    assert c.ok("GET", maps(name="a")) == made
    changed = c.ok("PUT", maps(name="a"), {**made, "data": {"k": "2"}})
    assert int(version(changed)) > int(version(made))
    assert changed["metadata"]["uid"] == meta["uid"]
    assert c.ok("DELETE", maps(name="a"))["status"] == "Success"
    c.refused(404, "NotFound", "GET", maps(name="a"))
    c.refused(404, "NotFound", "DELETE", maps(name="a"))
    c.refused(404, "NotFound", "PUT", maps(name="a"), config_map("a"))


@test
def an_identical_object_changes_nothing(m, c):
    made = c.ok("POST", maps(), config_map("a", k="1"))
    before = version(c.ok("GET", maps()))
    assert c.ok("PUT", maps(name="a"), made) == made
    assert c.ok("PUT", maps(name="a"), config_map("a", k="1")) == made
    assert c.ok("PATCH", maps(name="a"), {"data": {"k": "1"}}, MERGE) == made
    assert version(c.ok("GET", maps())) == before


@test
def a_taken_name_and_a_stale_version_are_conflicts(m, c):
    made = c.ok("POST", maps(), config_map("a", k="1"))
    said = c.refused(409, "AlreadyExists", "POST", maps(), config_map("a", k="2"))
    assert said["details"] == {"name": "a", "kind": "configmaps"}, said
    c.ok("PATCH", maps(name="a"), {"data": {"k": "3"}}, MERGE)
    c.refused(409, "Conflict", "PUT", maps(name="a"), {**made, "data": {"k": "4"}})
    c.refused(409, "Conflict", "PATCH", maps(name="a"), {"metadata": {"resourceVersion": version(made)}}, MERGE)
    c.refused(409, "Conflict", "PUT", maps(name="a"), {**config_map("a"), "metadata": {"name": "a", "uid": "other"}})
    assert c.ok("GET", maps(name="a"))["data"] == {"k": "3"}


@test
def generated_names_are_unique(m, c):
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "x-"}}
    made = {c.ok("POST", maps(), body)["metadata"]["name"] for _ in range(10)}
    assert len(made) == 10 and all(n.startswith("x-") and len(n) == 7 for n in made)


@test
def server_metadata_is_the_server_s(m, c):
    lie = config_map("a")
    lie["metadata"].update(uid="1", creationTimestamp="2000-01-01T00:00:00Z", generation=99, selfLink="x",
                           deletionTimestamp="2000-01-01T00:00:00Z")
    meta = c.ok("POST", maps(), lie)["metadata"]
    assert meta["uid"] != "1" and not meta["creationTimestamp"].startswith("2000") and meta["generation"] == 1
    assert "deletionTimestamp" not in meta
    c.refused(400, "BadRequest", "POST", maps(),
              {**config_map("b"), "metadata": {"name": "b", "resourceVersion": "5"}})


@test
def names_in_body_and_url_must_agree(m, c):
    c.ok("POST", maps(), config_map("a"))
    c.refused(400, "BadRequest", "PUT", maps(name="a"), config_map("b"))
    other = config_map("c")
    other["metadata"]["namespace"] = "default"
    c.refused(400, "BadRequest", "POST", maps(), other)
    c.refused(400, "BadRequest", "POST", maps(), namespace("x"))
    c.refused(400, "BadRequest", "POST", maps(), {**config_map("d"), "apiVersion": "v9"})
    c.refused(404, "NotFound", "POST", maps("nowhere"), config_map("a"))


@test
def lists_are_filtered_and_paged(m, c):
    for i in range(7):
        c.ok("POST", maps(), config_map(f"m{i}", {"parity": "odd" if i % 2 else "even", "n": str(i)}))
    c.ok("POST", maps("default"), config_map("m0"))
    for query, wanted in (("labelSelector=parity%3Dodd", 3), ("labelSelector=parity!=odd", 4), ("labelSelector=n", 7),
                          ("labelSelector=!n", 0), ("labelSelector=n+in+(1,2,9)", 2),
                          ("labelSelector=n+notin+(1,2),parity=odd", 2), ("fieldSelector=metadata.name%3Dm3", 1),
                          ("fieldSelector=metadata.namespace=other", None)):
        if wanted is None:
            continue
        assert len(c.ok("GET", f"{maps()}?{query}")["items"]) == wanted, query
    for query in ("labelSelector=%3D", "labelSelector=a+in+b", "labelSelector=a,,b", "fieldSelector=data.x=1",
                  "labelSelector=%zz"):
        c.refused(400, "BadRequest", "GET", f"{maps()}?{query}")
    page, seen = c.ok("GET", "/api/v1/configmaps?limit=3"), []
    first = version(page)
    while True:
        seen += [(i["metadata"]["namespace"], i["metadata"]["name"]) for i in page["items"]]
        assert version(page) == first
        if "continue" not in page["metadata"]:
            break
        page = c.ok("GET", f"/api/v1/configmaps?limit=3&continue={page['metadata']['continue']}")
    assert len(seen) == 8 and seen == sorted(seen)
    c.refused(400, "BadRequest", "GET", "/api/v1/configmaps?continue=nonsense")


@test
def a_long_list_comes_whole(m, c):
    wanted = {f"big{i:03}" for i in range(60)}
    for name in sorted(wanted):
        c.ok("POST", maps(), config_map(name, text="x" * 50000))
    listed = c.ok("GET", maps())
    assert set(names(listed)) == wanted and all(len(i["data"]["text"]) == 50000 for i in listed["items"])


@test
def both_versions_of_a_kind_are_one_object(m, c):
    c.ok("POST", routes(), route("r"))
    beta = c.ok("GET", "/apis/gateway.networking.k8s.io/v1beta1/namespaces/apps/httproutes/r")
    assert beta["apiVersion"] == "gateway.networking.k8s.io/v1beta1"
    beta["spec"]["hostnames"] = ["beta.example.com"]
    c.ok("PUT", "/apis/gateway.networking.k8s.io/v1beta1/namespaces/apps/httproutes/r", beta)
    now = c.ok("GET", routes(name="r"))
    assert now["apiVersion"] == "gateway.networking.k8s.io/v1" and now["spec"]["hostnames"] == ["beta.example.com"]


@test
def status_is_a_subresource(m, c):
    made = c.ok("POST", routes(), {**route("r"), "status": {"parents": []}})
    condition = {"type": "Accepted", "status": "True", "reason": "Accepted", "message": "",
                 "lastTransitionTime": "2026-01-01T00:00:00Z"}
    status = {"parents": [{"parentRef": {"name": "gw"}, "controllerName": "example.com/x", "conditions": [condition]}]}
    said = c.ok("PUT", routes(name="r") + "/status", {**made, "spec": {"rules": []}, "status": status})
    assert said["spec"] == made["spec"] and said["status"]["parents"][0]["controllerName"] == "example.com/x"
    assert said["metadata"]["generation"] == 1
    kept = c.ok("PUT", routes(name="r"), {**route("r", hostnames=["a.example.com"]), "status": {"parents": []}})
    assert kept["metadata"]["generation"] == 2
    assert [p["controllerName"] for p in kept["status"]["parents"]] == ["example.com/x"]
    c.refused(405, "MethodNotAllowed", "DELETE", routes(name="r") + "/status")


@test
def dry_run_changes_nothing(m, c):
    before = version(c.ok("GET", maps()))
    made = c.ok("POST", f"{maps()}?dryRun=All", config_map("a", k="1"))
    assert made["metadata"]["uid"] and "resourceVersion" not in made["metadata"]
    c.refused(404, "NotFound", "GET", maps(name="a"))
    stored = c.ok("POST", maps(), config_map("a", k="1"))
    patched = c.ok("PATCH", f"{maps(name='a')}?dryRun=All", {"data": {"k": "2"}}, MERGE)
    assert patched["data"] == {"k": "2"} and version(patched) == version(stored), patched
    c.ok("DELETE", f"{maps(name='a')}?dryRun=All")
    c.ok("DELETE", maps(name="a"), {"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]})
    assert c.ok("GET", maps(name="a"))["data"] == {"k": "1"}
    c.refused(400, "BadRequest", "POST", f"{maps()}?dryRun=Some", config_map("b"))
    assert int(version(c.ok("GET", maps()))) == int(before) + 1


@test
def patches_follow_their_rfcs(m, c):
    c.ok("POST", maps(), config_map("a", x="1", y="2"))
    assert c.ok("PATCH", maps(name="a"), {"data": {"x": None, "z": "3"}}, MERGE)["data"] == {"y": "2", "z": "3"}
    said = c.ok("PATCH", maps(name="a"), [
        {"op": "test", "path": "/data/y", "value": "2"}, {"op": "remove", "path": "/data/y"},
        {"op": "add", "path": "/data/w", "value": "4"}, {"op": "copy", "from": "/data/w", "path": "/data/v"},
        {"op": "move", "from": "/data/z", "path": "/data/u"}, {"op": "replace", "path": "/data/w", "value": "5"}],
        JSON_PATCH)
    assert said["data"] == {"w": "5", "v": "4", "u": "3"}
    for patch in ([{"op": "test", "path": "/data/w", "value": "no"}], [{"op": "remove", "path": "/data/none"}],
                  [{"op": "boil", "path": "/data/w", "value": 1}], [{"op": "replace", "path": "", "value": 3}], [5]):
        c.refused(422, "Invalid", "PATCH", maps(name="a"), patch, JSON_PATCH)
    c.refused(400, "BadRequest", "PATCH", maps(name="a"), [1], MERGE)
    c.refused(400, "BadRequest", "PATCH", maps(name="a"), {"metadata": {"name": "b"}}, MERGE)
    assert c.ok("GET", maps(name="a"))["data"] == said["data"]
    for kind in ("application/apply-patch+yaml", "application/json",
                 "text/x"):
        c.refused(415, "UnsupportedMediaType", "PATCH", maps(name="a"), {"data": {}}, kind)


@test
def strategic_merge_is_for_core_kinds(m, c):
    strategic = "application/strategic-merge-patch+json"
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
               "spec": {"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 81}]}}
    path = "/api/v1/namespaces/apps/services"
    c.ok("POST", path, service)
    said = c.ok("PATCH", path + "/s", {"spec": {"ports": [{"port": 80, "$patch": "delete"},
                                                          {"name": "c", "port": 82}]}}, strategic)
    assert [p["port"] for p in said["spec"]["ports"]] == [81, 82], said
    c.ok("POST", routes(), route("r"))
    c.refused(415, "UnsupportedMediaType", "PATCH", routes(name="r"), {}, strategic)


def pb(number, value):
    """A field of protobuf: a text, bytes, a number, or a message (a list of fields)."""
    def varint(n):
        return bytes([n & 127 | 128]) + varint(n >> 7) if n > 127 else bytes([n])
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = b"".join(value) if isinstance(value, list) else value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def in_protobuf(kind, *fields):
    return b"k8s\0" + pb(1, [pb(1, "v1"), pb(2, kind)]) + pb(2, list(fields)) + pb(3, "") + pb(4, "")


@test
def bodies_may_be_protobuf_as_kubectl_create_sends_them(m, c):
    def send(path, body):
        return c.call("POST", path, body, PROTOBUF)

    def meta(name, *more):
        return pb(1, [pb(1, name), pb(2, ""), pb(3, ""), pb(4, ""), pb(5, ""), pb(6, ""), pb(7, 0), pb(8, []), *more])
    status, said = send("/api/v1/namespaces", in_protobuf("Namespace", meta("made"), pb(2, []), pb(3, [pb(1, "")])))
    assert status == 201 and said["metadata"]["name"] == "made", said
    label = pb(11, [pb(1, "a"), pb(2, "b")])
    status, said = send(maps(), in_protobuf("ConfigMap", meta("m", label), pb(2, [pb(1, "k"), pb(2, "v" * 200)]),
                                            pb(3, [pb(1, "bin"), pb(2, b"\xff\0")]), pb(4, 1)))
    assert status == 201 and said["data"] == {"k": "v" * 200} and said["immutable"] is True, said
    assert said["binaryData"] == {"bin": "/wA="} and said["metadata"]["labels"] == {"a": "b"}, said
    secrets = "/api/v1/namespaces/apps/secrets"
    status, said = send(secrets, in_protobuf("Secret", meta("s"), pb(2, [pb(1, "k"), pb(2, b"\0\1\2")]),
                                             pb(3, "Opaque")))
    assert status == 201 and said["data"] == {"k": "AAEC"} and said["type"] == "Opaque", said

    def port(number, target):
        return pb(1, [pb(1, f"p{number}"), pb(2, "TCP"), pb(3, number), pb(4, target), pb(5, 0)])
    spec = [port(80, [pb(1, 0), pb(2, 8080), pb(3, "")]), port(81, [pb(1, 1), pb(2, 0), pb(3, "http")]),
            port(82, [pb(1, 0), pb(2, 0), pb(3, "")]), pb(2, [pb(1, "app"), pb(2, "x")]), pb(3, ""), pb(4, "ClusterIP"),
            pb(7, ""), pb(8, ""), pb(10, ""), pb(11, ""), pb(12, 0), pb(13, 0), pb(20, 0)]
    services = "/api/v1/namespaces/apps/services"
    status, said = send(services, in_protobuf("Service", meta("svc"), pb(2, spec), pb(3, [pb(1, [])])))
    assert status == 201, said
    assert [p["targetPort"] for p in said["spec"]["ports"]] == [8080, "http", 82], said
    assert said["spec"]["selector"] == {"app": "x"} and said["spec"]["type"] == "ClusterIP", said
    assert said["spec"]["allocateLoadBalancerNodePorts"] is False and "nodePort" not in said["spec"]["ports"][0], said
    gone = b"k8s\0" + pb(1, [pb(1, "v1"), pb(2, "DeleteOptions")]) + pb(2, pb(2, pb(1, "another")))
    status, said = c.call("DELETE", maps(name="m"), gone, PROTOBUF)
    assert status == 409, said
    whole = in_protobuf("ConfigMap", meta("n"), pb(2, [pb(1, "k"), pb(2, "v")]))
    wrong = [whole[:n] for n in range(len(whole) - 4)] + [
        in_protobuf("Pod", meta("n")), in_protobuf("ConfigMap", meta("n"), pb(9, "new")),
        in_protobuf("ConfigMap", meta("n"), pb(2, [pb(1, "k"), pb(2, b"\xff")])), in_protobuf("ConfigMap", pb(1, 7)),
        whole + b"\x0b", b"k8s\0" + b"\xff" * 40, in_protobuf("ConfigMap", pb(1, pb(1, "a\0b")))]
    for body in wrong:
        status, said = send(maps(), body)
        assert 400 <= status < 500, (body, said)
    for target_port in ([pb(1, 1), pb(3, b"\xff")], [pb(1, 2)]):
        status, said = send(services, in_protobuf("Service", meta("n"), pb(2, [port(1, target_port)])))
        assert status == 400 and "no protobuf" in said["message"], said
    assert names(c.ok("GET", maps())) == ["m"]
    status, said = send(maps(), in_protobuf("Secret", meta("s")))
    assert status == 400 and "the request is for a ConfigMap" in said["message"], said
    assert c.call("PATCH", maps(name="m"), whole, PROTOBUF)[0] == 415


@test
def openapi_has_every_kind_and_says_that_fields_are_checked(m, c):
    for path, entry in c.ok("GET", "/openapi/v3")["paths"].items():
        document = c.ok("GET", entry["serverRelativeURL"])
        assert document["openapi"].startswith("3.") and document["components"]["schemas"]
        patches = [o["patch"] for o in document["paths"].values() if "patch" in o]
        assert patches and all("fieldValidation" in [p["name"] for p in o["parameters"]] for o in patches), path
    wanted = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"  # what kubectl asks for when it has a List
    status, headers, text = c.raw("GET", "/openapi/v2", Accept=wanted)
    assert status == 200 and headers["Content-Type"].endswith("+protobuf"), headers
    assert text == b"\x0a\x032.0\x12\x0c\x0a\x06Sluice\x12\x02v1", text
    assert c.ok("GET", "/openapi/v2")["swagger"] == "2.0"
    assert c.raw("GET", "/openapi/v2/x")[0] == c.raw("GET", "/openapi/v1")[0] == 404


@test
def deletion_honours_preconditions_and_finalizers(m, c):
    made = c.ok("POST", maps(), config_map("a"))
    for wrong in ({"uid": "x"}, {"resourceVersion": "1"}):
        c.refused(409, "Conflict", "DELETE", maps(name="a"), {"preconditions": wrong})
    c.ok("DELETE", maps(name="a"), {"preconditions": {"uid": made["metadata"]["uid"]}})
    held = config_map("b")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    c.ok("POST", maps(), held)
    marked = c.ok("DELETE", maps(name="b"))
    assert marked["metadata"]["deletionTimestamp"]
    assert c.ok("DELETE", maps(name="b"))["metadata"]["deletionTimestamp"] == marked["metadata"]["deletionTimestamp"]
    c.ok("PATCH", maps(name="b"), {"data": {"still": "here"}}, MERGE)
    c.ok("PATCH", maps(name="b"), {"metadata": {"finalizers": None}}, MERGE)
    c.refused(404, "NotFound", "GET", maps(name="b"))


@test
def a_namespace_takes_its_content_along(m, c):
    c.ok("POST", "/api/v1/namespaces", namespace("gone"))
    c.ok("POST", maps("gone"), config_map("a"))
    held = config_map("b")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    c.ok("POST", maps("gone"), held)
    assert c.ok("DELETE", "/api/v1/namespaces/gone")["status"]["phase"] == "Terminating"
    c.refused(404, "NotFound", "GET", maps("gone", "a"))
    c.refused(403, "Forbidden", "POST", maps("gone"), config_map("c"))
    c.ok("PATCH", maps("gone", "b"), {"metadata": {"finalizers": []}}, MERGE)
    c.refused(404, "NotFound", "GET", "/api/v1/namespaces/gone")
    c.refused(403, "Forbidden", "DELETE", "/api/v1/namespaces/default")


@test
def tables_are_for_kubectl_get(m, c):
    c.ok("POST", routes(), route("r"))
    table = c.ok("GET", routes(), Accept=TABLE)
    assert table["kind"] == "Table" and [d["name"] for d in table["columnDefinitions"]][0] == "Name"
    assert len(table["rows"][0]["cells"]) == len(table["columnDefinitions"])
    assert c.ok("GET", routes(name="r"), Accept=TABLE)["rows"][0]["cells"][0] == "r"
    gateways = f"{GATEWAY}/namespaces/apps/gateways"
    c.ok("POST", gateways, gateway("gw", "web"))
    addresses = [{"value": "192.0.2.1"}, {"value": "2001:db8::1"}]
    c.ok("PATCH", f"{gateways}/gw/status", {"status": {"addresses": addresses}}, MERGE)
    table = c.ok("GET", gateways, Accept=TABLE)
    assert [d["name"] for d in table["columnDefinitions"]][:3] == ["Name", "Class", "Address"], table
    assert table["rows"][0]["cells"][:3] == ["gw", "c", "192.0.2.1,2001:db8::1"], table
    hosts = [f"{i:02}{'x' * 40}.example.com" for i in range(16)]
    c.ok("PATCH", routes(name="r"), {"spec": {"hostnames": hosts}}, MERGE)
    cell = c.ok("GET", routes(name="r"), Accept=TABLE)["rows"][0]["cells"][1]
    assert cell == ",".join(hosts[:4]) + ",...", cell


# ---- policies


@test
def a_transport_policy_is_refused_with_the_field_named(m, c):
    service = target("Service", "svc")
    for field, spec in (("spec.congestionControl", {"congestionControl": "bbr"}),
                        ("spec", {"proxyProtocol": {"accept": "Require"}}),
                        ("spec.forwarding", {"forwarding": "Tunnel"}),
                        ("spec", {"forwarding": "NAT", "proxyProtocol": {"send": "V2"}}),
                        ("spec", {"forwarding": "IPIP", "targetRefs": [target("Gateway", "gw")]}),
                        ("spec.proxyProtocol", {"proxyProtocol": {"send": "V1", "trustedPrefixes": ["10.0.0.0/8"]}}),
                        ("spec.proxyProtocol.send", {"proxyProtocol": {"send": "V3"}}),
                        ("spec.targetRefs", {"targetRefs": []}),
                        ("spec.targetRefs", {"targetRefs": [target("Service", f"s{i}") for i in range(17)]}),
                        ("spec.targetRefs", {"targetRefs": [service, service]}),
                        ("spec.targetRefs", {"targetRefs": [service, target("Service", "svc", "http")]}),
                        ("spec.targetRefs[1]", {"targetRefs": [service, target("HTTPRoute", "r")]})):
        wrong = policy("p", "BBR", service)
        wrong["spec"].update(spec)
        said = c.refused(422, "Invalid", "POST", policies(), wrong)
        assert [cause["field"] for cause in said["details"]["causes"]] == [field], (spec, said)
    said = c.refused(422, "Invalid", "POST", policies(), policy("p", "Reno", service))
    assert '"Reno": supported values: "Cubic", "BBR"' in said["message"], said
    elsewhere = policy("p", "BBR", {**service, "namespace": "default"})
    assert "targetRefs[0].namespace" in c.refused(400, "BadRequest", "POST", policies(), elsewhere)["message"]
    c.refused(404, "NotFound", "GET", policies(name="p"))


@test
def a_transport_policy_learns_what_became_of_it(m, c):
    c.ok("POST", f"{GATEWAY}/gatewayclasses", {
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "c"},
        "spec": {"controllerName": "sluice.internal/gateway-controller"}})
    c.ok("POST", f"{GATEWAY}/namespaces/apps/gateways", gateway("gw", "web", "api"))
    made = c.ok("POST", policies(), policy("p", "BBR", target("Gateway", "gw", "web"), target("Gateway", "none")))
    c.ok("POST", policies(), policy("q", "Cubic", target("Gateway", "gw", "web")))
    status = told(c, "p")["status"]
    assert [a["ancestorRef"] for a in status["ancestors"]] == [
        {"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "apps", **ref}
        for ref in ({"name": "gw", "sectionName": "web"}, {"name": "none"})], status
    assert {a["controllerName"] for a in status["ancestors"]} == {"sluice.internal/gateway-controller"}
    said = [(x["type"], x["status"], x["reason"]) for a in status["ancestors"] for x in a["conditions"]]
    assert said == [("Accepted", "True", "Accepted"), ("Accepted", "False", "TargetNotFound")], said
    generation = made["metadata"]["generation"]
    assert {x["observedGeneration"] for a in status["ancestors"] for x in a["conditions"]} == {generation}
    loser = told(c, "q")["status"]["ancestors"][0]["conditions"][0]
    assert (loser["status"], loser["reason"]) == ("False", "Conflicted") and "apps/p" in loser["message"], loser
    silent = policy("r", "Cubic", target("Service", "none"))  # it need not say how congestion is controlled: Cubic
    silent["spec"] = {"targetRefs": silent["spec"]["targetRefs"], "proxyProtocol": {"send": "V2"}}
    c.ok("POST", policies(), silent)
    told(c, "r")
    table = c.ok("GET", policies(), Accept=TABLE)
    assert [d["name"] for d in table["columnDefinitions"]] == ["Name", "Congestion Control", "Accepted", "Age"]
    rows = [row["cells"][:3] for row in table["rows"]]
    assert rows == [["p", "BBR", "True,False"], ["q", "Cubic", "False"], ["r", "Cubic", "False"]], table


def told(c, name, where=None):
    """The policy, once it has a status."""
    w = c.watch(where or policies(), timeoutSeconds=20)
    while True:
        event = w.next()
        assert event is not None, f"policy {name} has no status"
        if event[1]["metadata"]["name"] == name and event[1].get("status"):
            w.close()
            return event[1]


@test
def a_transport_policy_is_an_operators(m, c):
    chihiro, ana = issue(m, "chihiro", "cluster-operator"), issue(m, "ana", "application-developer", "apps")
    mirror = issue(m, "mirror", "controller")
    for i, client in enumerate((chihiro, mirror)):
        client.ok("POST", policies(), policy(f"p{i}", "BBR", target("Service", f"s{i}")))
    assert names(ana.ok("GET", policies())) == ["p0", "p1"]
    ana.refused(403, "Forbidden", "POST", policies(), policy("a", "BBR", target("Service", "svc")))
    chihiro.refused(403, "Forbidden", "PUT", policies(name="p0") + "/status", policy("p0", "BBR"))


# ---- health policies

def healths(ns="apps", name=None):
    return f"{SLUICE}/namespaces/{ns}/healthpolicies" + (f"/{name}" if name else "")


def health(name, *targets, **spec):
    return {"apiVersion": "sluice.internal/v1", "kind": "HealthPolicy", "metadata": {"name": name},
            "spec": {"targetRefs": list(targets), **spec}}


@test
def a_health_policy_says_all_that_holds_and_learns_what_became_of_it(m, c):
    c.ok("POST", "/api/v1/namespaces/apps/services", {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "svc"}, "spec": {"ports": [{"port": 80}]}})
    ana = issue(m, "ana", "application-developer", "apps")
    asked = {"type": "HTTP", "http": {}}
    made = ana.ok("POST", healths(), health("p", target("Service", "svc"), active=asked, passive={}))
    assert made["spec"] == {
        "targetRefs": [target("Service", "svc")],
        "active": {"type": "HTTP", "interval": "5s", "timeout": "1s", "healthyThreshold": 2, "unhealthyThreshold": 3,
                   "http": {"path": "/", "expectedStatuses": [{"start": 200, "end": 399}]}},
        "passive": {"consecutiveFailures": 5, "baseEjectionTime": "30s", "maxEjectionTime": "5m",
                    "maxEjectedPercent": 50},
        "panicThresholdPercent": 50}, made["spec"]
    said = c.refused(422, "Invalid", "POST", healths(), health("q", target("Gateway", "gw")))
    assert [cause["field"] for cause in said["details"]["causes"]] == ["spec.targetRefs[0]"], said
    ana.refused(403, "Forbidden", "POST", healths("default"), health("p", target("Service", "svc")))
    ancestor = told(c, "p", healths())["status"]["ancestors"][0]
    assert [(x["type"], x["status"], x["reason"]) for x in ancestor["conditions"]] == [("Accepted", "True", "Accepted")]
    table = c.ok("GET", healths(), Accept=TABLE)
    assert [d["name"] for d in table["columnDefinitions"]] == ["Name", "Check", "Accepted", "Age"]
    assert [row["cells"][:3] for row in table["rows"]] == [["p", "HTTP", "True"]], table


# ---- rate limits


def limits(ns="apps", name=None):
    return f"{SLUICE}/namespaces/{ns}/ratelimits" + (f"/{name}" if name else "")


def limit(name, requests=10, per="1s", key=None, **more):
    return {"apiVersion": "sluice.internal/v1", "kind": "RateLimit", "metadata": {"name": name},
            "spec": {"requests": requests, "per": per, "key": key or {"type": "Route"}, **more}}


@test
def a_rate_limit_is_refused_with_the_field_named(m, c):
    for field, wrong in (("spec.requests", limit("l", 0)), ("spec.requests", limit("l", 1000001)),
                         ("spec.per", limit("l", per="999ms")), ("spec.per", limit("l", per="25h")),
                         ("spec", limit("l", 1, "24h", burst=366)), ("spec.burst", limit("l", burst=0)),
                         ("spec.key.type", limit("l", key={"type": "Cookie"})),
                         ("spec.key", limit("l", key={"type": "Header"})),
                         ("spec.key", limit("l", key={"type": "Route", "name": "X-Key"})),
                         ("spec.key.name", limit("l", key={"type": "Header", "name": "Host"})),
                         ("spec.key.ipv4PrefixLength",
                          limit("l", key={"type": "ClientAddress", "ipv4PrefixLength": 0}))):
        said = c.refused(422, "Invalid", "POST", limits(), wrong)
        assert [cause["field"] for cause in said["details"]["causes"]] == [field], (field, said)
    assert "spec.statusCode" in c.refused(400, "BadRequest", "POST", limits(), limit("l", statusCode=503))["message"]


@test
def a_rate_limit_is_its_teams_and_is_shown_as_a_table(m, c):
    ana = issue(m, "ana", "application-developer", "apps")
    ana.ok("POST", limits(), limit("a", 100, "1m"))
    ana.ok("POST", limits(), limit("b", 5, "1s", {"type": "Header", "name": "X-Key"}, burst=7))
    ana.refused(403, "Forbidden", "POST", limits("default"), limit("c"))
    table = ana.ok("GET", limits(), Accept=TABLE)
    assert [d["name"] for d in table["columnDefinitions"]] == ["Name", "Requests", "Per", "Burst", "Key", "Age"]
    assert [row["cells"][:5] for row in table["rows"]] == [["a", "100", "1m", "100", "Route"],
                                                           ["b", "5", "1s", "7", "Header X-Key"]], table


# ---- access policies


@test
def an_access_policy_is_refused_with_the_field_named(m, c):
    ana = issue(m, "ana", "application-developer", "apps")
    path = f"{SLUICE}/namespaces/apps/accesspolicies"

    def policy(name, **spec):
        return {"apiVersion": "sluice.internal/v1", "kind": "AccessPolicy", "metadata": {"name": name}, "spec": spec}
    for field, wrong in (("spec.addresses.allow[1]", {"allow": ["10.0.0.0/8", "10.0.0.0/33"]}),
                         ("spec.addresses.deny[0]", {"deny": ["example.com"]}),
                         ("spec.addresses.deny", {"deny": []}),
                         ("spec.addresses.deny", {"deny": [f"10.0.{i // 256}.{i % 256}" for i in range(8193)]})):
        said = ana.refused(422, "Invalid", "POST", path, policy("p", addresses=wrong))
        assert [cause["field"] for cause in said["details"]["causes"]] == [field], (field, said)
    ana.ok("POST", path, policy("p", addresses={"allow": ["10.0.0.0/8", "2001:db8::/32"]}))
    ana.refused(403, "Forbidden", "POST", path.replace("apps", "default"), policy("p"))


# ---- watch


def calls(ns="apps", name=None):
    return f"{GATEWAY}/namespaces/{ns}/grpcroutes" + (f"/{name}" if name else "")


def call_route(name, *rules, **spec):
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GRPCRoute", "metadata": {"name": name},
            "spec": {"parentRefs": [{"name": "gw"}], **spec, "rules": list(rules)}}


@test
def a_grpc_route_is_kept_as_a_cluster_would_and_refused_with_the_field_named(m, c):
    c.ok("POST", calls(), call_route("r", {"matches": [{"method": {"service": "a.B", "method": "C"}}],
                                           "backendRefs": [{"name": "svc", "port": 80}]}))
    rule = c.ok("GET", calls(name="r"))["spec"]["rules"][0]
    assert rule["matches"][0]["method"] == {"type": "Exact", "service": "a.B", "method": "C"}, rule
    assert rule["backendRefs"][0]["weight"] == 1 and rule["backendRefs"][0]["kind"] == "Service", rule
    for match, field, message in (
            ({"method": {"service": "a/b"}}, "matches[0].method", "service must only contain valid characters"),
            ({"method": {"method": "a.b"}}, "matches[0].method", "method must only contain valid characters"),
            ({"method": {}}, "matches[0].method", "One or both of 'service' or 'method' must be specified"),
            ({"path": {"value": "/"}}, "matches[0].path", "unknown field"),
            ({"headers": [{"name": "a", "value": "b", "type": "Prefix"}]}, "matches[0].headers[0].type",
             "Unsupported value")):
        said = c.refused(400 if "unknown" in message else 422, "BadRequest" if "unknown" in message else "Invalid",
                         "POST", calls(), call_route("bad", {"matches": [match]}))
        assert f"spec.rules[0].{field}" in json.dumps(said) and message in json.dumps(said), said


@test
def a_host_of_a_listener_is_for_requests_or_for_calls(m, c):
    c.ok("POST", f"{GATEWAY}/gatewayclasses", {
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "c"},
        "spec": {"controllerName": "sluice.internal/gateway-controller"}})
    c.ok("POST", f"{GATEWAY}/namespaces/apps/gateways", gateway("gw", "web"))

    def accepted(path):
        parents = c.ok("GET", path).get("status", {}).get("parents", [])
        return [(x["status"], x["reason"]) for p in parents for x in p["conditions"] if x["type"] == "Accepted"]

    def becomes(path, *wanted):
        deadline = time.monotonic() + 10
        while accepted(path) != [wanted]:
            assert time.monotonic() < deadline, (path, accepted(path))
            time.sleep(0.02)

    c.ok("POST", routes(), route("a", hostnames=["*.example.com"]))
    becomes(routes(name="a"), "True", "Accepted")
    c.ok("POST", calls(), call_route("b", hostnames=["grpc.example.com"]))
    becomes(calls(name="b"), "False", "HostnameConflict")
    c.ok("PUT", routes(name="a"), route("a", hostnames=["www.example.com"]))
    becomes(calls(name="b"), "True", "Accepted")
    listener = c.ok("GET", f"{GATEWAY}/namespaces/apps/gateways/gw")["status"]["listeners"][0]
    assert [k["kind"] for k in listener["supportedKinds"]] == ["HTTPRoute", "GRPCRoute"], listener
    table = c.ok("GET", calls(), Accept=TABLE)
    names = [d["name"] for d in table["columnDefinitions"]]
    assert names == ["Name", "Hostnames", "Accepted", "Programmed", "Age"], table


@test
def ports_of_udp_stand_beside_those_of_tcp_and_each_route_finds_its_own(m, c):
    c.ok("POST", f"{GATEWAY}/gatewayclasses", {
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "c"},
        "spec": {"controllerName": "sluice.internal/gateway-controller"}})
    both = gateway("gw", "tcp", "udp")
    for listener, protocol in zip(both["spec"]["listeners"], ("TCP", "UDP")):
        listener |= {"port": 53, "protocol": protocol}
    c.ok("POST", f"{GATEWAY}/namespaces/apps/gateways", both)
    twice = gateway("twice", "a", "b")
    for listener in twice["spec"]["listeners"]:
        listener |= {"port": 53, "protocol": "UDP"}
    c.refused(422, "Invalid", "POST", f"{GATEWAY}/namespaces/apps/gateways", twice)
    c.ok("POST", "/api/v1/namespaces/apps/services", {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "svc"},
        "spec": {"ports": [{"name": "tcp", "port": 53}, {"name": "udp", "port": 53, "protocol": "UDP"},
                           {"name": "web", "port": 80}]}})

    def put(kind, name, port):
        c.ok("POST", f"{GATEWAY}/namespaces/apps/{kind.lower()}s", {
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "metadata": {"name": name},
            "spec": {"parentRefs": [{"name": "gw"}], "rules": [{"backendRefs": [{"name": "svc", "port": port}]}]}})

    def becomes(kind, name, *wanted):
        deadline = time.monotonic() + 10
        while True:
            found = c.ok("GET", f"{GATEWAY}/namespaces/apps/{kind.lower()}s/{name}")
            parents = found.get("status", {}).get("parents", [])
            got = {x["type"]: x["reason"] for p in parents for x in p["conditions"]}
            if (got.get("Accepted"), got.get("ResolvedRefs")) == wanted:
                return
            assert time.monotonic() < deadline, (kind, name, got)
            time.sleep(0.02)

    for kind, name, port, resolved in (("UDPRoute", "r", 53, "ResolvedRefs"), ("TCPRoute", "r", 53, "ResolvedRefs"),
                                       ("UDPRoute", "web", 80, "BackendNotFound"),
                                       ("TCPRoute", "web", 80, "ResolvedRefs")):
        put(kind, name, port)
        becomes(kind, name, "Accepted", resolved)
    listeners = c.ok("GET", f"{GATEWAY}/namespaces/apps/gateways/gw")["status"]["listeners"]
    assert [[k["kind"] for k in x["supportedKinds"]] for x in listeners] == [["TCPRoute"], ["UDPRoute"]], listeners


@test
def a_watch_tells_each_change_in_order(m, c):
    c.ok("POST", maps(), config_map("old"))
    start = version(c.ok("GET", maps()))
    w = c.watch(maps(), resourceVersion=start, timeoutSeconds=20)
    c.ok("POST", maps(), config_map("a", k="1"))
    c.ok("PATCH", maps(name="a"), {"data": {"k": "2"}}, MERGE)
    c.ok("POST", maps("default"), config_map("elsewhere"))
    c.ok("DELETE", maps(name="a"))
    got = [w.next() for _ in range(3)]
    assert [(t, o["metadata"]["name"]) for t, o in got] == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")], got
    assert got[1][1]["data"] == {"k": "2"}
    assert sorted({int(version(o)) for _, o in got}) == [int(version(o)) for _, o in got]
    w.close()
    again = c.watch(maps(), resourceVersion=version(got[0][1]), timeoutSeconds=20)
    assert again.next()[0] == "MODIFIED"
    again.close()


@test
def a_watch_without_a_version_begins_with_what_is_there(m, c):
    c.ok("POST", maps(), config_map("a", {"x": "1"}))
    c.ok("POST", maps(), config_map("b", {"x": "2"}))
    w = c.watch(maps(), labelSelector="x%3D1", timeoutSeconds=20)
    assert w.next()[1]["metadata"]["name"] == "a"
    c.ok("PATCH", maps(name="b"), {"metadata": {"labels": {"x": "1"}}}, MERGE)
    assert [w.next()[0]] == ["ADDED"]
    c.ok("PATCH", maps(name="a"), {"metadata": {"labels": {"x": "3"}}}, MERGE)
    event = w.next()
    assert (event[0], event[1]["metadata"]["name"]) == ("DELETED", "a"), event
    w.close()


@test
def a_list_by_a_watch_ends_with_a_mark(m, c):
    """As client libraries list: sendInitialEvents."""
    wanted = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    for name in ("a", "b"):
        c.ok("POST", maps(), config_map(name))
    now = version(c.ok("GET", maps()))
    for start in ("", "0", "1", now):
        w = c.watch(maps(), timeoutSeconds=20, resourceVersion=start, **wanted)
        got = [w.next() for _ in range(3)]
        assert [t for t, _ in got] == ["ADDED", "ADDED", "BOOKMARK"], got
        meta = got[2][1]["metadata"]
        assert meta == {"resourceVersion": now, "annotations": {"k8s.io/initial-events-end": "true"}}, meta
        w.close()
    w = c.watch(maps("default"), timeoutSeconds=20, **wanted)
    assert w.next()[0] == "BOOKMARK", "there is nothing"
    c.ok("POST", maps("default"), config_map("c"))
    assert w.next()[0] == "ADDED"
    w.close()
    none = {**wanted, "sendInitialEvents": "false"}
    w = c.watch(maps(), timeoutSeconds=20, **none)
    c.ok("POST", maps(), config_map("d"))
    kind, obj = w.next()
    assert (kind, obj["metadata"]["name"]) == ("ADDED", "d"), obj
    w.close()
    for left_out in ("sendInitialEvents", "resourceVersionMatch", "allowWatchBookmarks"):
        query = "&".join(f"{k}={v}" for k, v in wanted.items() if k != left_out)
        said = c.refused(422, "Invalid", "GET", f"{maps()}?watch=true&{query}")
        assert "Forbidden" in said["message"], said
    later = int(version(c.ok("GET", maps()))) + 100
    query = "&".join(f"{k}={v}" for k, v in wanted.items())
    c.refused(410, "Expired", "GET", f"{maps()}?watch=true&resourceVersion={later}&{query}")


@test
def a_watch_ends_when_asked_and_expired_versions_are_410(m, c):
    began = time.monotonic()
    w = c.watch(maps(), resourceVersion=version(c.ok("GET", maps())), timeoutSeconds=1)
    assert w.next() is None and 0.9 < time.monotonic() - began < 5
    c.ok("POST", maps(), config_map("a"))
    m.stop()
    m.start()
    for wrong in (1, int(version(c.ok("GET", maps()))) - 1, 10 ** 12):
        c.refused(410, "Expired", "GET", f"{maps()}?watch=1&resourceVersion={wrong}")
    c.refused(400, "BadRequest", "GET", f"{maps()}?watch=1&resourceVersion=abc")


@test
def a_slow_watcher_stops_nobody_and_is_let_go(m, c):
    slow = c.watch(maps(), resourceVersion=version(c.ok("GET", maps())), timeoutSeconds=60)
    before = m.rss_bytes()
    text = "x" * 1000000
    c.ok("POST", maps(), config_map("a", text=text))
    for i in range(120):
        c.ok("PATCH", maps(name="a"), {"data": {"text": f"{i}" + text}}, MERGE)
    assert m.rss_bytes() - before < 600 << 20, "the watcher's events pile up"
    kinds = []
    while (event := slow.next()) is not None:
        kinds.append(event[0])
        if event[0] == "ERROR":
            assert event[1]["code"] == 410, event
            break
    assert kinds[-1] == "ERROR" and len(kinds) < 120, kinds
    slow.close()


@test
def a_gone_watcher_leaves_nothing(m, c):
    for _ in range(40):
        c.watch(maps(), timeoutSeconds=60).close()
    c.ok("POST", maps(), config_map("a"))
    deadline = time.monotonic() + 20
    while (open_files := len(os.listdir(f"/proc/{m.process.pid}/fd"))) >= 40:
        assert time.monotonic() < deadline, open_files
        time.sleep(0.05)


# ---- limits


@test
def watches_have_a_limit_and_the_rest_works_on(m, c):
    start = version(c.ok("GET", maps()))
    watches = [c.watch(maps(), resourceVersion=start, timeoutSeconds=60) for _ in range(256)]
    c.refused(429, "TooManyRequests", "GET", f"{maps()}?watch=1")
    c.ok("POST", maps(), config_map("a"))
    assert all(w.next()[0] == "ADDED" for w in watches)
    watches.pop().close()
    deadline = time.monotonic() + 5
    while c.raw("GET", f"{maps()}?watch=1&timeoutSeconds=1")[0] != 200:
        assert time.monotonic() < deadline, "a closed watch still counts"
    for w in watches:
        w.close()


@test
def connections_have_a_limit_and_those_that_are_there_work_on(m, c):
    c.ok("GET", "/api")
    idle = [socket.create_connection((mgmtd.HOST, m.port), timeout=5) for _ in range(530)]
    deadline = time.monotonic() + 20

    def refused():
        metrics = c.raw("GET", "/metrics")[2].decode()
        return int(metrics.split("sluice_api_conns_refused_total ")[1].split()[0])
    while refused() < 15:
        assert time.monotonic() < deadline, refused()
        time.sleep(0.05)
    assert refused() <= 25, refused()
    for s in idle:
        s.close()
    while True:
        try:
            assert m.client().raw("GET", "/api")[0] == 200
            break
        except OSError:
            assert time.monotonic() < deadline, "no room again"
            time.sleep(0.1)


# ---- bad input


@test
def unknown_fields_are_refused_unless_asked_otherwise(m, c):
    bad = route("r", hostNames=["typo.example.com"])
    for query in ("", "?fieldValidation=Strict"):
        said = c.refused(400, "BadRequest", "POST", routes() + query, bad)
        assert "spec.hostNames" in said["message"], said
        assert said["details"]["causes"][0]["field"] == "spec.hostNames", said
    status, headers, text = c.raw("POST", routes() + "?fieldValidation=Warn", bad)
    assert status == 201 and headers["Warning"].startswith("299") and "hostNames" not in json.loads(text)["spec"]
    c.refused(400, "BadRequest", "POST", routes() + "?fieldValidation=Maybe", bad)


@test
def wrong_values_are_refused_with_their_field(m, c):
    for bad, field in ((route("r", rules="all"), "spec.rules"),
                       (route("r", hostnames=["not a host"]), "spec.hostnames"),
                       (route("r", rules=[{"backendRefs": [{"name": "s", "port": 70000}]}]), "port"),
                       (route("r", rules=[{"matches": [{"path": {"type": "Best", "value": "/"}}]}]), "type"),
                       (route("Not_A_Name!"), "metadata.name")):
        said = c.refused(422, "Invalid", "POST", routes(), bad)
        assert any(field in cause["field"] for cause in said["details"]["causes"]), said
    said = c.refused(422, "Invalid", "POST", f"{GATEWAY}/namespaces/apps/gateways", gateway("g", "web", "web"))
    assert any("listeners" in cause["field"] for cause in said["details"]["causes"]), said
    assert names(c.ok("GET", routes())) == []


@test
def broken_bodies_are_refused(m, c):
    for body in (b"{", b"[]", b'"x"', b"1", b"null", b"\xff\xfe", b'{"kind": "\xff"}', b'{"a": 1, "a": 2}', b"{} {}",
                 b"{" * 100000, b'{"a":' * 5000 + b"1" + b"}" * 5000, b"[" * 70 + b"]" * 70, b'{"a": "\\u0000"}', b"{}",
                 b'{"apiVersion": "v1", "kind": "ConfigMap"}', b'{"apiVersion": 1, "kind": [], "metadata": 5}',
                 b'{"apiVersion": "v1", "kind": "ConfigMap", "metadata": []}'):
        c.refused(400, "BadRequest", "POST", maps(), body)
    c.refused(400, "BadRequest", "POST", maps(), b"")
    c.refused(422, "Invalid", "POST", maps(), {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": 5}})
    c.refused(415, "UnsupportedMediaType", "POST", maps(), b"<x/>", "application/xml")
    assert names(c.ok("GET", maps())) == []


@test
def yaml_bodies_are_taken_and_broken_ones_refused_with_their_line(m, c):
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: y\ndata:\n  k: 'yes'\n"
    assert c.ok("POST", maps(), text, "application/yaml")["data"] == {"k": "yes"}
    for bad in (b"a: [1, 2\nb: }\n", b"a: 1\na: 2\n", b"a: 1\n---\nb: 2\n", b"a: &x [*x]\n", b"- 1\n", b"\xff"):
        c.refused(400, "BadRequest", "POST", maps(), bad, "application/yaml")


@test
def a_body_of_100_mb_is_refused_without_being_held(m, c):
    before = m.rss_bytes()
    for chunked in (False, True):
        connection = c.connect()
        connection.putrequest("POST", maps())
        connection.putheader("Authorization", f"Bearer {c.token}")
        connection.putheader("Content-Type", "application/json")
        connection.putheader(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(HUGE))))
        connection.endheaders()
        piece = (b"10000\r\n" + b" " * 65536 + b"\r\n") if chunked else b" " * 65536
        sent, refused_at = 0, None
        try:
            while sent < HUGE:
                connection.send(piece)
                sent += 65536
        except OSError:
            refused_at = sent
        assert refused_at is None or refused_at < 16 << 20, refused_at
        answer = b""
        try:
            while not answer.endswith(b"}\n"):
                more = connection.sock.recv(65536)
                if not more:
                    break
                answer += more
        except OSError:
            pass
        assert answer.startswith(b"HTTP/1.1 413 "), answer[:300]
        c.close()
    assert m.rss_bytes() - before < 30 << 20, "it kept the body"
    assert c.ok("GET", maps())["items"] == []


@test
def a_large_object_is_refused_and_one_that_fits_is_kept(m, c):
    c.ok("POST", maps(), config_map("fits", text="x" * 900000))
    said = c.call("POST", maps(), config_map("large", text="x" * 2000000))
    assert said[0] in (413, 422), said[0]
    assert names(c.ok("GET", maps())) == ["fits"]


@test
def garbage_on_the_port_does_no_harm(m, c):
    for junk in (b"\x00" * 1000, b"GET / HTTP/1.1\r\n\r\n", os.urandom(5000), b"\x16\x03\x01\xff\xff" + b"A" * 300,
                 b""):
        with socket.create_connection((mgmtd.HOST, m.port), timeout=5) as s:
            try:
                s.sendall(junk)
                s.shutdown(socket.SHUT_WR)
                s.recv(100)
            except OSError:
                pass
    connection = c.connect()
    connection.sock.sendall(b"NONSENSE\r\n\r\n")
    assert b" 400 " in connection.sock.recv(1000)
    c.close()
    assert c.ok("GET", maps())["items"] == []


@test
def pipelined_requests_are_answered_in_order(m, c):
    connection = c.connect()
    one = f"GET {{}} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {c.token}\r\n\r\n"
    connection.sock.sendall("".join(one.format(p) for p in ("/version", "/api", "/none")).encode())
    text, deadline = b"", time.monotonic() + 10
    while text.count(b"HTTP/1.1 ") < 3 and time.monotonic() < deadline:
        text += connection.sock.recv(65536)
    assert [s[:3] for s in text.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200", b"404"], text
    c.close()


# ---- change sets


@test
def a_change_set_is_applied_whole(m, c):
    items = [{**config_map("a"), "metadata": {"name": "a", "namespace": "fresh"}}, namespace("fresh"),
             {**route("r"), "metadata": {"name": "r", "namespace": "fresh"}}]
    said = c.ok("POST", f"{SLUICE}/changesets", {"apiVersion": "v1", "kind": "List", "items": items})
    assert names(said) == ["a", "fresh", "r"] and all(version(i) for i in said["items"])
    again = c.ok("POST", f"{SLUICE}/changesets", {"apiVersion": "v1", "kind": "List", "items": items})
    assert [version(i) for i in again["items"]] == [version(i) for i in said["items"]]


@test
def a_change_set_with_one_bad_item_changes_nothing(m, c):
    def place(o, ns="apps"):
        return {**o, "metadata": {**o["metadata"], "namespace": ns}}
    before = version(c.ok("GET", maps()))
    good = place(config_map("a"))
    for bad, code, word in ((place(route("r", hostNames=["x"])), 400, "items[1].spec.hostNames"),
                            (place(route("r", rules="x")), 422, "items[1].spec.rules"),
                            (place(config_map("b"), "nowhere"), 404, "nowhere"), (config_map("b"), 422, "items[1]"),
                            (good, 422, "Duplicate"), ({"kind": "What"}, 400, "items[1]"), (5, 400, "items[1]"),
                            (token("t", "cluster-operator"), 400, "items[1]")):
        status, said = c.call("POST", f"{SLUICE}/changesets",
                              {"apiVersion": "v1", "kind": "List", "items": [good, bad]})
        assert status == code and word in json.dumps(said), (bad, status, said)
    c.refused(400, "BadRequest", "POST", f"{SLUICE}/changesets", good)
    assert version(c.ok("GET", maps())) == before


# ---- who may do what


@test
def no_token_and_wrong_tokens_are_401_for_every_path(m, c):
    for wrong in (None, "wrong", "slt1.bootstrap." + "A" * 43, "slt1.nobody." + "A" * 43, "x" * 4000):
        stranger = m.client(token=wrong)
        for path in ("/apis", "/api/v1/secrets", "/api/v1/namespaces/none-such", "/none"):
            status, headers, text = stranger.raw("GET", path)
            assert status in (401, 429) and b"none-such" not in text, (wrong, path, status)
            assert status == 429 or headers["WWW-Authenticate"] == "Bearer"
    assert c.raw("GET", "/apis")[0] == 200, "who is known is not limited"


@test
def guessing_is_limited(m, c):
    codes = [m.client(token="slt1.bootstrap." + f"{i:043}").raw("GET", "/apis")[0] for i in range(14)]
    assert codes[:8] == [401] * 8 and codes[-1] == 429, codes


@test
def roles_have_just_their_rights(m, c):
    ana = issue(m, "ana", "application-developer", "apps")
    chihiro = issue(m, "chihiro", "cluster-operator")
    mirror = issue(m, "mirror", "controller")
    gateways = f"{GATEWAY}/namespaces/%s/gateways"
    c.ok("POST", gateways % "default", gateway("gw", "web"))
    c.ok("POST", gateways % "apps", gateway("own", "web"))
    allowed = [(ana, "GET", routes()), (ana, "GET", "/api/v1/namespaces/apps/services"),
               (ana, "GET", gateways % "apps"), (chihiro, "GET", f"{GATEWAY}/gateways"),
               (chihiro, "GET", f"{GATEWAY}/gatewayclasses"), (chihiro, "GET", "/api/v1/secrets"),
               (mirror, "GET", f"{GATEWAY}/gatewayclasses"), (mirror, "GET", "/api/v1/secrets"), (ana, "GET", "/apis")]
    for who, method, path in allowed:
        assert who.raw(method, path)[0] == 200, path
    refused = [(ana, "GET", routes("default")), (ana, "GET", f"{GATEWAY}/httproutes"),
               (ana, "GET", gateways % "default"),
               (ana, "GET", gateways % "default" + "/gw"), (ana, "DELETE", gateways % "apps" + "/own"),
               (ana, "GET", "/api/v1/namespaces/apps/secrets"), (ana, "GET", "/api/v1/namespaces"),
               (ana, "GET", f"{SLUICE}/interfaces"), (ana, "GET", f"{SLUICE}/tokens"),
               (ana, "GET", f"{GATEWAY}/gatewayclasses"),
               (chihiro, "GET", f"{SLUICE}/interfaces"), (chihiro, "GET", f"{SLUICE}/tokens"),
               (chihiro, "DELETE", f"{GATEWAY}/gatewayclasses/x"), (mirror, "GET", f"{SLUICE}/addresspools"),
               (mirror, "GET", f"{SLUICE}/tokens")]
    for who, method, path in refused:
        said = who.refused(403, "Forbidden", method, path)
        assert "cannot" in said["message"] and who.token.split(".")[1] in said["message"], said
    ana.ok("POST", routes(), route("r"))
    ana.refused(403, "Forbidden", "PUT", routes(name="r") + "/status", route("r"))
    chihiro.refused(403, "Forbidden", "PUT", routes(name="r") + "/status", route("r"))
    mirror.ok("PATCH", routes(name="r") + "/status", {"status": {"parents": []}}, MERGE)
    ana.refused(403, "Forbidden", "POST", routes("default"), route("r"))
    ana.refused(403, "Forbidden", "POST", f"{SLUICE}/changesets",
                {"apiVersion": "v1", "kind": "List", "items": [{**route("x"), "metadata": {"name": "x",
                                                                                           "namespace": "default"}}]})
    ana.ok("POST", f"{SLUICE}/changesets",
           {"apiVersion": "v1", "kind": "List", "items": [{**route("x"), "metadata": {"name": "x",
                                                                                      "namespace": "apps"}}]})


@test
def a_token_s_secret_is_shown_once_and_works_until_it_is_removed(m, c):
    made = c.ok("POST", f"{SLUICE}/tokens", token("ops", "cluster-operator"))
    secret = made["status"]["token"]
    ops = m.client(secret)
    assert ops.raw("GET", "/apis")[0] == 200
    for text in (c.raw("GET", f"{SLUICE}/tokens")[2], c.raw("GET", f"{SLUICE}/tokens/ops")[2]):
        assert secret.encode() not in text and b"argon2" not in text and b'"status"' not in text
    c.ok("PATCH", f"{SLUICE}/tokens/ops", {"spec": {"role": "application-developer", "namespaces": ["apps"]}}, MERGE)
    assert ops.raw("GET", "/api/v1/secrets")[0] == 403
    c.ok("PATCH", f"{SLUICE}/tokens/ops", {"spec": {"expiresAt": "2020-01-01T00:00:00Z"}}, MERGE)
    assert ops.raw("GET", "/apis")[0] == 401
    c.ok("PATCH", f"{SLUICE}/tokens/ops", {"spec": {"expiresAt": None}}, MERGE)
    assert ops.raw("GET", "/apis")[0] == 200
    c.ok("DELETE", f"{SLUICE}/tokens/ops")
    assert ops.raw("GET", "/apis")[0] == 401
    again = c.ok("POST", f"{SLUICE}/tokens", token("ops", "cluster-operator"))
    assert ops.raw("GET", "/apis")[0] == 401 and m.client(again["status"]["token"]).raw("GET", "/apis")[0] == 200
    c.refused(422, "Invalid", "POST", f"{SLUICE}/tokens", token("x", "king"))


@test
def the_last_provider_cannot_lock_everybody_out(m, c):
    c.refused(409, "Conflict", "DELETE", f"{SLUICE}/tokens/bootstrap")
    c.refused(409, "Conflict", "PATCH", f"{SLUICE}/tokens/bootstrap", {"spec": {"role": "controller"}}, MERGE)
    second = issue(m, "second", "infrastructure-provider")
    c.ok("DELETE", f"{SLUICE}/tokens/bootstrap")
    assert second.raw("GET", "/apis")[0] == 200 and c.raw("GET", "/apis")[0] == 401


@test
def the_audit_log_says_who_did_what_and_no_secrets(m, c):
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "hush-hush-value"}}
    c.ok("POST", "/api/v1/namespaces/apps/secrets", secret)
    c.refused(422, "Invalid", "POST", "/api/v1/namespaces/apps/secrets",
              {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "t"}, "data": {"k": "hush-hush!"}})
    issue(m, "ana", "application-developer", "apps").raw("GET", "/api/v1/secrets")
    m.client(token="wrong-wrong-wrong-wrong-wrong-wrong").raw("GET", "/apis")
    lines = m.audit()
    assert any(e["verb"] == "create" and e["resource"] == "secrets" and e["name"] == "s" and e["code"] == 201
               and e["token"] == "bootstrap" and e["source"] == mgmtd.HOST for e in lines), lines
    assert any(e.get("token") == "ana" and e["code"] == 403 for e in lines)
    assert any(e["code"] == 401 and "token" not in e for e in lines)
    with open(os.path.join(m.state_dir, "audit.log")) as f:
        text = f.read() + m.log()
    for hidden in ("hush-hush", "aHVzaC1odXNo", "wrong-wrong"):
        assert hidden not in text, hidden
    assert os.stat(os.path.join(m.state_dir, "audit.log")).st_mode & 0o77 == 0
    assert os.stat(m.token_file).st_mode & 0o77 == 0


@test
def a_full_audit_log_makes_room_and_is_kept(m, c):
    path = os.path.join(m.state_dir, "audit.log")
    m.stop()
    os.truncate(path, 64 << 20)
    m.start()
    c.close()
    c.ok("POST", maps(), config_map("a"))
    assert os.path.getsize(path) < 1000 and os.path.getsize(path + ".1") == 64 << 20


# ---- durability


@test
def what_was_answered_survives_kill_9(m, c):
    answered, stop = {}, threading.Event()

    def write(worker):
        client, i = m.client(), 0
        while not stop.is_set():
            name = f"w{worker}-{i}"
            try:
                status, said = client.call("POST", maps(), config_map(name, n=str(i)))
                if status == 201:
                    answered[name] = version(said)
                if i % 3 == 2:
                    client.ok("PATCH", maps(name=f"w{worker}-{i - 1}"), {"data": {"changed": "yes"}}, MERGE)
                    answered[f"w{worker}-{i - 1}"] = "changed"
            except (OSError, mgmtd.http.client.HTTPException, AssertionError):
                time.sleep(0.01)
                client.close()
                continue
            i += 1

    for _ in range(4):
        stop.clear()
        threads = [threading.Thread(target=write, args=(f"{_}{w}",)) for w in range(2)]
        for t in threads:
            t.start()
        time.sleep(0.7)
        m.kill()
        stop.set()
        for t in threads:
            t.join()
        m.start()
        c.close()
        there = {i["metadata"]["name"]: i for i in c.ok("GET", maps())["items"]}
        for name, what in list(answered.items()):
            assert name in there, f"{name} was answered and is gone"
            if what == "changed":
                assert there[name]["data"].get("changed") == "yes", name
            elif there[name]["data"].get("changed") is None:
                assert version(there[name]) == what, name
    assert len(answered) > 40, len(answered)


@test
def everything_is_the_same_after_an_orderly_restart(m, c):
    c.ok("POST", routes(), route("r"))
    issued = issue(m, "ops", "cluster-operator")
    before = [c.raw("GET", p)[2] for p in (routes(), "/api/v1/namespaces", f"{SLUICE}/tokens")]
    assert m.stop() == 0, m.log()
    m.start()
    c.close()
    issued.close()
    assert [c.raw("GET", p)[2] for p in (routes(), "/api/v1/namespaces", f"{SLUICE}/tokens")] == before
    assert issued.raw("GET", "/apis")[0] == 200
    assert m.log().count("first boot") == 1


@test
def a_damaged_store_is_reported_and_left_alone(m, c):
    c.ok("POST", maps(), config_map("a"))
    assert m.stop() == 0
    path = os.path.join(m.state_dir, "store.db")
    with open(path, "rb") as f:
        sound = f.read()
    with open(path, "wb") as f:
        f.write(sound[:100] + bytes(4000) + sound[4100:])
    done = subprocess.run([m.program, "--run-dir", m.dir, "--state-dir", m.state_dir, "--listen", f"{mgmtd.HOST}:0"],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "store" in done.stderr, done
    with open(path, "wb") as f:
        f.write(sound)
    m.start()
    c.close()
    assert names(c.ok("GET", maps())) == ["a"]


@test
def a_given_bootstrap_token_is_taken_and_a_short_one_refused(m, c):
    fresh = mgmtd.Mgmtd(m.program)
    try:
        with open(fresh.token_file, "w") as f:
            f.write("short\n")
        try:
            fresh.start()
            raise AssertionError("it took a short token")
        except RuntimeError as e:
            assert "32 characters" in str(e), e
        with open(fresh.token_file, "w") as f:
            f.write("a-token-that-somebody-has-chosen-for-it\n")
        fresh.start()
        assert fresh.client().raw("GET", "/apis")[0] == 200
        assert "a-token-that" not in fresh.log()
    finally:
        fresh.remove()


def run_one(f, program):
    m = mgmtd.Mgmtd(program)
    try:
        m.start()
        c = m.client()
        c.ok("POST", "/api/v1/namespaces", namespace("apps"))
        f(m, c)
        assert m.process.poll() is None, f"it ended by itself: {m.log()}"
        assert m.stop() == 0, m.log()
        assert "ERROR: " not in m.log() and "runtime error" not in m.log(), m.log()
        return True
    except Exception:
        traceback.print_exc(file=sys.stdout)
        print(m.log()[-3000:])
        return False
    finally:
        m.remove()


def run_all(tests, suite):
    """(passed, failed) of those that the command line names; all, if it names none."""
    build = sys.argv[1] if len(sys.argv) > 1 else os.path.join(TOP, "build")
    program = os.path.join(build, "mgmt", "daemon", "sluice-mgmtd")
    wanted = sys.argv[2:]
    failed = 0
    chosen = [f for f in tests if not wanted or f.__name__ in wanted]
    for f in chosen:
        began = time.monotonic()
        good = run_one(f, program)
        print(f"{'ok    ' if good else 'FAILED'} {f.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
        failed += not good
    print(f"{suite}: {len(chosen) - failed} passed, {failed} failed")
    return len(chosen) - failed, failed


def main(tests, suite):
    passed, failed = run_all(tests, suite)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(TESTS, "mgmt/api"))
