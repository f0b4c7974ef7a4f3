# SPDX-License-Identifier: Apache-2.0
"""The same manifests, by the same kubectl, to a cluster and to an appliance itself: the same statuses, the same
traffic, the same answers."""
import itertools
import json
import os
import re
import socket
import time

import both  # first: it tells where the lab's modules are
import api
import objects
import pods
import rig
import suite
from programs import build

KINDS = "gatewayclasses,gateways,listenersets,httproutes,grpcroutes,tlsroutes,tcproutes,udproutes,dnsroutes," \
        "backendtlspolicies,transportpolicies,healthpolicies,accesspolicies,backends"
NS = "kc-words"
BATCH = 12  # files of the suite at once
NOT_AS_IT_IS = "gateway-static-addresses.yaml"  # the suite writes addresses into it
NAMESPACES = ("kc-infra", "kc-apps", "kc-other")


def lab():
    return both.Both("kubectl-same")


def prepare(l):
    l.bring_up()


def manifest(name):
    return os.path.join(both.MANIFESTS, name)


def secrets(l):
    """What the manifests name and no file can hold."""
    cert = l.authority.server("cert", "secure.example", "granted.example")
    broken = objects.tls_secret("kc-infra", "broken", "no certificate", "no key")
    ca = objects.config_map("kc-infra", "ca", ca_crt=l.authority.text())
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [
        *[objects.tls_secret(ns, "cert", *cert) for ns in NAMESPACES], broken, ca,
        {**ca, "metadata": {**ca["metadata"], "namespace": "kc-apps"}}]})


def apply(l, *arguments, input=None):
    """By both; what it says has to be the same, too."""
    said = [side.kubectl("apply", *arguments, input=input) for side in l.sides]
    assert sorted(said[0].out.splitlines()) == sorted(said[1].out.splitlines()), said
    return said[0].out


@suite.test("#8")
def the_same_manifests_give_the_same_statuses(l):
    apply(l, "-f", manifest("1-base.yaml"))
    apply(l, "-f", "-", input=secrets(l))
    apply(l, "-f", manifest("2-routes.yaml"))
    seen = both.become_same(l, "statuses of what was applied")
    time.sleep(1.1)  # ages have whole seconds
    apply(l, "-f", manifest("3-younger.yaml"))
    seen = both.become_same(l, "statuses of what is younger")
    assert_is_not_empty(seen)


def assert_is_not_empty(seen):
    """Two that say nothing say the same: each status says something, and not all say that all is well."""
    silent = {"HTTPRoute kc-apps/of-a-service", "AccessPolicy kc-apps/nobody-in", "AccessPolicy kc-apps/readers"}
    said = {name: json.dumps(status) for name, status in seen.items()}
    empty = [name for name, text in said.items() if '"type"' not in text and name not in silent]
    assert not empty, empty
    reasons = {c["reason"] for status in seen.values() for c in conditions_of(status)}
    wanted = {"Accepted", "Programmed", "ResolvedRefs", "BackendNotFound", "RefNotPermitted", "InvalidKind",
              "NoMatchingParent", "NotAllowedByListeners", "NoMatchingListenerHostname", "InvalidCertificateRef",
              "UnsupportedProtocol", "InvalidRouteKinds", "ProtocolConflict", "HostnameConflict", "InvalidParameters",
              "UnsupportedAddress", "Conflicted", "NotAllowed", "TargetNotFound"}
    assert wanted <= reasons, (wanted - reasons, reasons)


def conditions_of(status):
    """All of them, wherever they are."""
    found = list(status.get("conditions", []))
    for key in ("listeners", "parents", "ancestors"):
        for part in status.get(key, []):
            found += part["conditions"]
    return found


@suite.test("#8")
def kubectl_shows_the_same_objects(l):
    """As YAML and as JSON they are what was applied, with the same defaults; what only a cluster has is named here."""
    shown = []
    for side in l.sides:
        items = json.loads(side.kubectl("get", KINDS, "-A", "-o", "json").out)["items"]
        shown.append({f"{o['kind']} {o['metadata'].get('namespace', '')}/{o['metadata']['name']}":
                      (o["spec"], o["metadata"]["generation"], o["metadata"].get("labels", {})) for o in items})
    assert len(shown[0]) > 40 and not both.differences(*shown), "\n".join(both.differences(*shown))


# ---- traffic


KEPT = ("location", "x-rule", "x-backend", "retry-after", "www-authenticate")


def http(host, path="/", *options, port=80, gateway="main", tls=False):
    """A question to each side: the answer as far as it can be the same."""
    def ask(side):
        scheme = "https" if tls else "http"
        at = "" if port == (443 if tls else 80) else f":{port}"
        status, headers, body = side.lab.curl(f"{scheme}://{host}{at}{path}", *options, "--cacert",
                                              side.lab.authority.ca, address=side.address("kc-infra", gateway))
        kept = {k: v for k, v in headers.items() if k in KEPT}
        text = body.decode(errors="replace").split(" ")[0] if headers.get("x-backend") else ""
        return status, kept, text
    return ask


def call(host, path, port=80):
    """A gRPC call with an empty message: the code that came of it, and its message."""
    def ask(side):
        literal = side.address("kc-infra", "main")
        done = side.lab["client"].run(
            "curl", "-sS", "--http2-prior-knowledge", "-D", "-", "-o", os.devnull, "-H",
            "content-type: application/grpc", "-H", "te: trailers", "--data-binary", "@-", "--resolve",
            f"{host}:{port}:{literal}",
            f"http://{host}:{port}/{path}", input="\0\0\0\0\0")
        return [line for line in done.stdout.lower().splitlines() if line.startswith(("grpc-status", "grpc-message"))]
    return ask


def stream(port, send):
    """Who answers at a port of TCP."""
    def ask(side):
        with side.lab["client"].connect(side.address("kc-infra", "main"), port, timeout=5) as sock:
            sock.sendall(send)
            return [line for line in sock.recv(65536).split(b"\r\n") if line.startswith((b"HTTP", b"X-Backend"))]
    return ask


def passed(name, port):
    """Whose certificate is shown at a port of TLS."""
    def ask(side):
        done = side.lab["client"].run("openssl", "s_client", "-connect", f"{side.address('kc-infra', 'main')}:{port}",
                                      "-servername", name, "-CAfile", side.lab.authority.ca, input="", timeout=20)
        return [line for line in done.stdout.splitlines() if "subject=" in line or "Verify return" in line]
    return ask


def datagram(text):
    def ask(side):
        with side.lab["client"].inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
            sock.settimeout(2)
            for _ in range(3):
                sock.sendto(text, (side.address("kc-infra", "main"), 5300))
                try:
                    got = sock.recv(2048)
                except socket.timeout:
                    continue
                return got.split(b" ")[0], got.split(b"\n")[1]
        return "nothing"
    return ask


ECHO = "gateway_api_conformance.echo_basic.grpcecho.GrpcEcho/Echo"
EXACT = ("good.example", "/exact?q=1", "-H", "X-A: a")
REQUESTS = {  # what: (a question, the status or what else has to be in the answer)
    "plain": (http("good.example"), 200),
    "box": (http("good.example", "/box"), 200),
    "all matches": (http(*EXACT), 200),
    "not all matches": (http("good.example", "/exact?q=2", "-H", "X-A: a"), 200),
    "redirect": (http("good.example", "/moved"), 301),
    "no endpoints": (http("good.example", "/empty"), 503),
    "by port": (http("good.example", port=8080), 200),
    "no such host": (http("nobody.example"), 404),
    "TLS": (http("secure.example", port=443, tls=True), 200),
    "TLS, granted": (http("granted.example", port=443, tls=True), 200),
    "TLS, no certificate": (http("missing.example", port=443, tls=True), 0),
    "to TLS": (http("to-tls.example", "/echo"), 200),
    "to TLS without a CA": (http("to-tls.example", "/distrusted"), 500),
    "to TLS of a Backend without a CA": (http("to-tls.example", "/backend"), 500),
    **{f"wrong backend, {name}": (http("wrong.example", f"/{name}"), status) for name, status in (
        ("nobody", 500), ("kind", 500), ("private", 500), ("shared", 200), ("port", 500), ("name", 500), ("half", 500),
        ("none", 500))},
    **{f"filter, {name}": (http("filters.example", f"/{name}"), status) for name, status in (
        ("unknown", 500), ("lost", 500), ("closed", 403), ("readers", 500), ("mirrored", 200))},
    "unknown filter alone": (http("unknown.example"), 500),
    "a regular expression": (http("re.example", "/v1/x"), 200),
    "ListenerSet": (http("ls.example", port=8090), 200),
    "the younger ListenerSet": (http("ls.example", port=8094), 404),
    "no parent": (http("parents.example"), 404),
    "a call": (call("calls.example", ECHO), "grpc-status: 0"),
    "a call by a listener for them": (call("calls.example", ECHO, 8082), "grpc-status: 0"),
    "a call to nobody": (call("calls.example", "wrong.Service/X"), "grpc-status: 14"),
    "a call that nobody takes": (call("calls.example", "other.Service/X"), "grpc-status: 12"),
    "TCP": (stream(9300, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), b"X-Backend: backend-1"),
    "TLS passed on": (passed("inner.example", 8443), "subject=CN = inner"),
    "TLS ended for TCP": (passed("secure.example", 9443), "subject=CN = cert"),
    "UDP": (datagram(b"hello"), b"backend-3"),
}


@suite.test("#8")
def the_same_requests_get_the_same_answers(l):
    left = dict(REQUESTS)

    def all_are_right():
        wrong = {}
        for what, (ask, wanted) in left.items():
            answers = [asked(ask, side) for side in l.sides]
            if answers[0] != answers[1] or not has(answers[0], wanted):
                wrong[what] = (wanted, *answers)
        left.clear()
        left.update({what: REQUESTS[what] for what in wrong})
        assert not wrong, "\n".join(f"{what}: wanted {w!r}, cluster {a!r}, box {b!r}"
                                    for what, (w, a, b) in wrong.items())
        return True
    try:
        suite.eventually(all_are_right, "", 20)
    except AssertionError as e:
        raise AssertionError(str(e).replace("\\n", "\n")) from None


def asked(ask, side):
    try:
        return ask(side)
    except (OSError, AssertionError, KeyError, StopIteration) as e:
        return [repr(e)]


def has(answer, wanted):
    """The status, or a text in one of the lines."""
    return any(wanted == part or (isinstance(part, type(wanted)) and not isinstance(part, int) and wanted in part)
               for part in answer)


@suite.test("#8")
def rates_hold_on_both(l):
    key = ("filters.example", "/few", "-H", "X-Key: a")
    said = [[http(*key)(side)[0] for _ in range(4)] for side in l.sides]
    assert said[0] == said[1] == [200, 200, 429, 429], said


@suite.test("#8")
def a_change_by_kubectl_gives_the_same_again(l):
    for side in l.sides:
        side.kubectl("-n", "kc-apps", "patch", "httproute", "wrong-backends", "--type=json", "-p",
                     '[{"op": "remove", "path": "/spec/rules/0"}]')
        side.kubectl("-n", "kc-other", "delete", "referencegrant", "services")
        side.kubectl("label", "namespace", "kc-apps", "may-")
        side.kubectl("-n", "kc-infra", "delete", "secret", "cert")
    both.become_same(l, "statuses after changes")
    answers = [http("wrong.example", "/shared")(side)[0] for side in l.sides]
    assert answers == [500, 500], answers
    for side in l.sides:
        side.kubectl("label", "namespace", "kc-apps", "may=attach")
    apply(l, "-f", "-", input=secrets(l))
    apply(l, "-f", manifest("1-base.yaml"), "-f", manifest("2-routes.yaml"))
    both.become_same(l, "statuses as before")


@suite.test("#8")
def what_is_deleted_is_gone_from_both(l):
    for side in l.sides:
        side.kubectl("delete", "--ignore-not-found", "--wait=false", *[w for name in ("3-younger", "2-routes", "1-base")
                                                for w in ("-f", manifest(f"{name}.yaml"))])
    seen = both.become_same(l, "nothing is left", limit_s=90)
    assert all(not name.split(" ")[1].startswith("kc-") for name in seen), seen
    suite.eventually(lambda: all(not o["metadata"]["namespace"].startswith("kc-") for kind in ("Gateway", "HTTPRoute")
                                 for o in l.appliance.api.list(kind)), "no copy is left", 30)


# ---- the official suite's manifests


def of_the_suite(part, *names):
    """Its files as one text, without what an appliance has no kind for."""
    texts = []
    for name in names:
        with open(os.path.join(build.suite_files(), part, name), encoding="utf-8") as f:
            texts.append(f.read().replace("{GATEWAY_CLASS_NAME}", rig.CLASS)
                         .replace("{GATEWAY_CONTROLLER_NAME}", rig.CONTROLLER))
    documents = [d for text in texts for d in pods.documents(text) if pods.kind_of(d) in api.KINDS]
    return "\n---\n".join(documents)


def try_batch(l, text):
    """Applied, the same, and gone again; the statuses."""
    try:
        apply(l, "-f", "-", input=text)
        return both.become_same(l, "statuses of the suite's manifests", limit_s=20)
    finally:
        for side in l.sides:
            side.kubectl("delete", "--ignore-not-found", "--wait=false", "-f", "-", input=text)
        both.become_same(l, "the suite's manifests are gone", names_of, limit_s=60)


def names_of(side):
    return set(side.seen())


def batches():
    """Names of the suite's files; those of one kind of route together, for kinds get in each other's way."""
    files = sorted(f for f in os.listdir(os.path.join(build.suite_files(), "tests"))
                   if f.endswith(".yaml") and f != NOT_AS_IT_IS)
    for _, found in itertools.groupby(files, lambda f: f.split("-")[0]):
        alike = list(found)
        yield from (alike[at:at + BATCH] for at in range(0, len(alike), BATCH))


@suite.test("#8")
def the_official_suite_s_manifests_give_the_same_statuses(l):
    apply(l, "-f", "-", input=of_the_suite("base", "manifests.yaml"))
    wrong, seen = [], set()
    for files in batches():
        text = of_the_suite("tests", *files)
        for last in (False, True):  # once more: age counts, and two made in one second here may be made in two there
            try:
                seen |= set(try_batch(l, text))
                break
            except AssertionError as e:
                if last:
                    wrong.append(f"{files}: {e}")
    assert not wrong, "\n".join(wrong)
    assert len(seen) > 200, len(seen)


# ---- kubectl's other words


def route(**spec):
    made = objects.route(NS, "r", [{"name": "gw"}], [objects.to("one")], "a.example")
    return json.dumps({**made, "spec": {**made["spec"], **spec}})


UNLIKE = (  # what differs between any two servers, and the value of what breaks a rule: some versions show it
    (r"\d{4}-\d\d-\d\d[T ][\d:.]+(Z| \+0000)?", "TIME"), (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID"),
    (r"(?i)(resource ?version: +)\S+", r"\1N"), (r'Invalid value: "(array|object|string)": ', "Invalid value: "),
    (r"\b\d+[smh]\b", "AGE"), (r"\nEvents:(.|\n)*", ""))  # an appliance has no Events: statuses say it


def text_of(said):
    text = f"{said.status}\n{said.out}\n{said.err}"
    for pattern, by in UNLIKE:
        text = re.sub(pattern, by, text)
    return text.strip()


def same(l, *words, status=0, input=None):
    """Said to both, answered alike, with that status; what was answered."""
    said = [side.kubectl(*words, input=input, check=False) for side in l.sides]
    assert text_of(said[0]) == text_of(said[1]), f"kubectl {' '.join(words)}\n{said[0]}\n{said[1]}"
    assert said[0].status == status, said[0]
    return said[0]


@suite.test("#8")
def waiting_and_showing_are_the_same(l):
    apply(l, "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": [
        objects.namespace(NS), objects.service(NS, "one"), {**objects.gateway(NS, "gw"), "spec": {
            **objects.gateway(NS, "gw")["spec"], "gatewayClassName": rig.CLASS}}, json.loads(route())]}))
    same(l, "wait", "-n", NS, "--for=condition=Programmed", "gateway/gw", "--timeout=30s")
    same(l, "wait", "-n", NS, "--for=jsonpath={.status.parents[0].conditions[0].status}=True", "httproute/r",
         "--timeout=30s")
    for words in ("get httproute -o name", "get gtw gw -o jsonpath={.status.conditions[*].reason}",
                  "get httproute r -o custom-columns=N:.metadata.name,H:.spec.hostnames",
                  "get httproute r -o go-template={{.spec.hostnames}}", "get httproute -l a=b",
                  "get gateway-api -o name",
                  "describe httproute r", "get httproute --field-selector metadata.name=r -o name",
                  "get httproute --sort-by=.metadata.name -o name"):
        same(l, "-n", NS, *words.split(" "))
    for side in l.sides:
        wide = side.kubectl("get", "gateway", "gw", "-n", NS, "-o", "wide").out.splitlines()
        assert {"CLASS", "ADDRESS", "PROGRAMMED"} <= set(wide[0].split()), wide
        assert {rig.CLASS, "True"} <= set(wide[1].split()) and "198.18.0." in wide[1], wide
        said = side.kubectl("version")
        assert "exceeds the supported" not in said.err, said
    for kind in ("httproute.spec.rules", "gateway.spec.listeners", "healthpolicy.spec.active"):
        fields = [re.findall(r"^  (\w+\t<.*>)", side.kubectl("explain", kind).out, re.M) for side in l.sides]
        assert fields[0] == fields[1] != [], fields


@suite.test("#8")
def changing_is_the_same_and_so_are_conflicts(l):
    changed = route(hostnames=["b.example"])
    said = [side.kubectl("diff", "-f", "-", input=changed, check=False) for side in l.sides]
    lines = [[d for d in s.out.splitlines() if re.match(r"[-+] ", d)] for s in said]
    assert said[0].status == said[1].status == 1 and lines[0] == lines[1] != [], said
    same(l, "apply", "--dry-run=server", "-f", "-", input=changed)
    same(l, "-n", NS, "get", "httproute", "r", "-o", "jsonpath={.spec.hostnames[0]}")
    stale = [json.loads(side.kubectl("get", "httproute", "r", "-n", NS, "-o", "json").out) for side in l.sides]
    for words in ("label httproute r a=b", "annotate httproute r x=y",
                  'patch httproute r --type=merge -p {"spec":{"hostnames":["c.example"]}}',
                  'patch httproute r --type=json -p [{"op":"replace","path":"/spec/hostnames/0","value":"d.example"}]',
                  'patch svc one -p {"spec":{"ports":[{"port":8080,"name":"http"}]}}'):
        same(l, "-n", NS, *words.split(" "))
    for side, old in zip(l.sides, stale):
        old["spec"]["hostnames"] = ["e.example"]
        said = side.kubectl("replace", "-f", "-", input=json.dumps(old), check=False)
        assert said.status == 1 and "the object has been modified" in said.err, said
    same(l, "-n", NS, "get", "httproute", "r", "-o", "jsonpath={.spec.hostnames[0]}")
    same(l, "replace", "-f", "-", input=changed)
    both.become_same(l, "statuses after all of it")


@suite.test("#8")
def what_is_wrong_is_refused_in_the_same_words(l):
    same(l, "create", "-f", "-", input=route(), status=1)
    for spec in ({"hostnames": ["_"]}, {"rules": [{"matches": [{"path": {"value": "x"}}]}]},
                 {"parentRefs": [{"name": "gw"}, {"name": "gw"}]}):
        said = same(l, "replace", "-f", "-", input=route(**spec), status=1)
        assert "spec." in said.err, said
    same(l, "apply", "-f", "-", input=route().replace('"r"', '"s"').replace(NS, "kc-nobody"), status=1)
    same(l, "apply", "-f", "-", input=route().replace("/v1", "/v9"), status=1)
    for words in ("get httproute nobody", "get fancy", "delete httproute nobody", "rollout restart httproute/r"):
        same(l, "-n", NS, *words.split(" "), status=1)
    for side in l.sides:
        said = side.kubectl("apply", "-f", "-", input=route(nonsense=1), check=False)
        assert said.status == 1 and 'unknown field "spec.nonsense"' in said.err, said
        assert side.kubectl("-n", NS, "scale", "httproute", "r", "--replicas=2", check=False).status == 1
    said = l.sides[1].kubectl("apply", "--server-side", "-f", "-", input=route(), check=False)
    assert said.status == 1 and "Server-side apply not available on the server" in said.err, said


@suite.test("#8")
def what_kubectl_makes_by_itself_is_the_same(l):
    """It sends protobuf then."""
    crt, key = l.authority.pair("inner")
    for words in (f"create namespace {NS}-2", f"-n {NS}-2 create configmap m --from-literal=a=b",
                  f"-n {NS}-2 create secret generic s --from-literal=a=b",
                  f"-n {NS}-2 create secret tls t --cert={crt} --key={key}",
                  f"-n {NS}-2 create service clusterip c --tcp=80:8080",
                  f"-n {NS}-2 get secret t -o jsonpath={{.data}}",
                  f"-n {NS}-2 get configmap m -o jsonpath={{.data}}",
                  f"-n {NS}-2 get service c -o jsonpath={{.spec.ports}}",
                  f"delete namespace {NS}-2 --timeout=60s"):
        same(l, *words.split(" "))


@suite.test("#8")
def deleting_is_the_same(l):
    same(l, "-n", NS, "delete", "httproute", "r", "--timeout=30s")
    same(l, "delete", "namespace", NS, "--timeout=60s")
    same(l, "get", "namespace", NS, status=1)


@suite.test("#8")
def the_controller_and_the_second_appliance_end_in_good_order(l):
    l.controller.end_in_good_order()
    l.box.end_in_good_order()
