# SPDX-License-Identifier: Apache-2.0
"""Bad input to the management API: a clear Status error each, nothing stored, nothing crashed."""
import copy
import json
import os
import socket

import api as api_paths
import lab as labs
import objects
import suite
from objects import NS1, NS2

HUGE = 100 << 20


def lab():
    return labs.Lab("bad-input", backends=2)


def prepare(l):
    objects.bring_up(l, *objects.OVERVIEW)


def sound_route(name="new"):
    return objects.route(NS2, name, [f"{NS1}/foo-gateway"], [objects.to("foo-svc")])


def refused(l, body, codes, *words, method="POST", kind="HTTPRoute", name=None, **how):
    """The answer is a Status with one of these codes whose message has these words."""
    status, headers, text = l.appliance.api.raw(method, api_paths.path(kind, NS2, name), body, **how)
    said = json.loads(text)
    assert status in codes, (status, said)
    assert (said["kind"], said["apiVersion"], said["status"], said["code"]) == ("Status", "v1", "Failure", status), said
    assert said["reason"] and said["message"], said
    for word in words:
        assert word in said["message"], (word, said["message"])
    return said


def require_untouched(l):
    """Nothing was stored, both programs run, traffic flows."""
    assert [o["metadata"]["name"] for o in l.appliance.api.list("HTTPRoute", NS2)] == ["my-route"]
    assert l.appliance.mgmtd.is_running() and l.appliance.dataplane.is_running()
    address = objects.gateway_address(l, NS1, "foo-gateway")
    assert objects.answers(l, address, "foo.example.com") in {"backend-1", "backend-2"}


@suite.test("#7")
def unknown_fields_are_refused_by_name(l):
    bad = sound_route()
    bad["spec"]["hostNames"] = ["typo.example.com"]
    status, _, text = l.appliance.api.raw("POST", api_paths.path("HTTPRoute", NS2) + "?fieldValidation=Strict", bad)
    said = json.loads(text)
    assert status in (400, 422) and said["kind"] == "Status" and "hostNames" in said["message"], said
    require_untouched(l)


@suite.test("#7")
def wrong_types_and_values_are_refused_with_the_field_s_path(l):
    for change, field in ((lambda s: s.update(rules="all"), "spec.rules"),
                          (lambda s: s["rules"][0]["backendRefs"][0].update(port="http"), "port"),
                          (lambda s: s["rules"][0]["backendRefs"][0].update(port=70000), "port"),
                          (lambda s: s["rules"][0]["backendRefs"][0].update(weight=-1), "weight"),
                          (lambda s: s.update(hostnames=["not a host"]), "hostnames"),
                          (lambda s: s["rules"][0].update(matches=[{"path": {"type": "Best", "value": "/"}}]), "type")):
        bad = sound_route()
        change(bad["spec"])
        refused(l, bad, (400, 422), field)
    require_untouched(l)


@suite.test("#7")
def a_name_that_is_taken_is_refused_and_the_object_stays(l):
    before = l.appliance.api.get("HTTPRoute", "my-route", NS2)
    said = refused(l, sound_route("my-route"), (409,), "already exists")
    assert said["reason"] == "AlreadyExists", said
    bad = sound_route("My_Route!")
    refused(l, bad, (422,), "metadata.name")
    assert l.appliance.api.get("HTTPRoute", "my-route", NS2) == before
    require_untouched(l)


@suite.test("#7")
def a_stale_resource_version_is_a_conflict(l):
    stale = l.appliance.api.get("HTTPRoute", "my-route", NS2)
    l.appliance.api.patch("HTTPRoute", "my-route", {"metadata": {"annotations": {"touched": "once"}}}, NS2)
    changed = copy.deepcopy(stale)
    changed["metadata"]["annotations"] = {"touched": "late"}
    said = refused(l, changed, (409,), method="PUT", name="my-route")
    assert said["reason"] == "Conflict", said
    assert l.appliance.api.get("HTTPRoute", "my-route", NS2)["metadata"]["annotations"] == {"touched": "once"}


@suite.test("#7")
def broken_json_and_strange_content_types_are_refused(l):
    for body in (b"{", b'{"kind": "HTTPRoute"', b"[1, 2]", b'"text"', b"\x00\xff\xfe", b"", b"{" * 100000,
                 b'{"a":' * 50000 + b"1" + b"}" * 50000):
        refused(l, body, (400, 413, 422))
    refused(l, b"a: b\n", (400, 415, 422), content_type="text/plain")
    refused(l, sound_route(), (400, 404, 405, 415), method="PATCH", name="my-route",
            content_type="application/x-unknown")
    require_untouched(l)


@suite.test("#7")
def a_body_of_100_mb_is_refused_without_being_held_in_memory(l):
    before = l.appliance.mgmtd.rss_bytes()
    api = l.appliance.new_api()
    try:
        api.connect()
        sock = api.connection.sock
        sock.sendall((f"POST {api_paths.path('HTTPRoute', NS2)} HTTP/1.1\r\nHost: localhost\r\n"
                      f"Content-Type: application/json\r\nAuthorization: Bearer {api.token}\r\n"
                      f"Content-Length: {HUGE}\r\n\r\n").encode())
        sent, piece = 0, b" " * 65536
        try:
            while sent < HUGE:
                sock.sendall(piece)
                sent += len(piece)
        except OSError:
            pass  # it may well stop listening: it has answered already
        sock.settimeout(5)
        answer = b""
        try:
            while b"}\n" not in answer and (more := sock.recv(65536)):
                answer += more
        except (OSError, socket.timeout):
            pass
    finally:
        api.close()
    assert b" 413 " in answer.split(b"\r\n")[0], answer[:200]
    assert l.appliance.mgmtd.rss_bytes() - before < 50 << 20, "it kept the body"
    require_untouched(l)


@suite.test("#7")
def a_wrong_token_or_none_is_401_and_tells_nothing(l):
    said = refused(l, sound_route(), (401,), token="wrong")
    assert said["reason"] == "Unauthorized", said
    for url in ("/api/v1/secrets", "/apis", "/api/v1/namespaces/none-such"):
        status, _, text = l.appliance.api.raw("GET", url, token="wrong")
        assert status == 401 and b"none-such" not in text, (url, status, text)
    require_untouched(l)


@suite.test("#7")
def invalid_yaml_is_refused_by_sluicectl_with_its_line(l):
    path = os.path.join(l.dir, "bad.yaml")
    for text, word in (("a: [1, 2\nb: }\n", "bad.yaml:2:"), ("kind: HTTPRoute\n\tname: x\n", "bad.yaml:2:"),
                       ("just text\n", "bad.yaml"),
                       ("a: &x [*x]\n", "bad.yaml"),
                       ("kind: Nothing\napiVersion: none/v1\nmetadata: {name: x}\n", "Nothing")):
        with open(path, "w") as f:
            f.write(text)
        done = l.appliance.ctl("apply", "-f", path, check=False)
        assert done.returncode != 0 and word in done.stderr, (text, done.returncode, done.stderr)
    require_untouched(l)


@suite.test("#7")
def one_bad_object_does_not_keep_the_others_from_working(l):
    bad = sound_route("broken")
    bad["spec"]["rules"][0]["backendRefs"][0]["name"] = "no-such-service"
    l.appliance.api.put(bad)
    suite.eventually(lambda: objects.parent_condition(l, NS2, "broken", "ResolvedRefs")["status"] == "False",
                     "it says so")
    l.appliance.api.delete("HTTPRoute", "broken", NS2)
    require_untouched(l)


@suite.test("#7")
def random_bytes_on_the_api_s_port_do_no_harm(l):
    for junk in (b"\x00" * 1000, b"GET / HTTP/1.1\r\n\r\n", os.urandom(5000), b"\x16\x03\x01\xff\xff" + b"A" * 300):
        sock = l["admin"].connect("198.18.3.1", 8443)
        sock.settimeout(2)
        try:
            sock.sendall(junk)
            sock.recv(100)
        except OSError:
            pass
        sock.close()
    require_untouched(l)
