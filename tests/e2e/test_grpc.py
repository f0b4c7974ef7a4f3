# SPDX-License-Identifier: Apache-2.0
"""GRPCRoutes: calls of every kind between a real client and real servers, in the clear and over TLS."""
import os

import calls
import certs
import lab as labs
import objects
import suite

NS, HOST, PORT, TLS_PORT = "calls", "grpc.example.com", 9000, 9443
INNER = "grpc.internal.example"  # in the certificate of the server that speaks TLS
SILENT = "198.18.1.250"  # nobody has the address
SERVICE = "grpc.testing.TestService"
EMPTY = f"/{SERVICE}/EmptyCall"
SERVERS = {"one": 1, "two": 2, "three": 3}  # which backend namespace each runs in
CASES = ("empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream",
         "timeout_on_sleeping", "cancel_after_begin", "cancel_after_first_response", "custom_metadata",
         "status_code_and_message", "special_status_message", "unimplemented_method")


def lab():
    return labs.Lab("grpc", backends=len(SERVERS), workers=2)


def prepare(l):
    l.grpc = calls.program()
    for name, n in SERVERS.items():
        started = l.start(name, f"backend-{n}", l.grpc, "serve", str(PORT), name)
        started.wait_ready(lambda n=n: is_listening(l[f"backend-{n}"]), f"port {PORT}", 20)
    l.authority = certs.Authority(l.dir)
    l.authority.server("server", INNER)
    l.start("secure", "backend-1", l.grpc, "serve", str(TLS_PORT), "secure", *l.authority.pair("server"))
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    api = l.appliance.api
    api.put(objects.namespace(NS))
    api.put(objects.tls_secret(NS, "cert", *l.authority.server("cert", HOST)))
    gateway = objects.gateway(NS, "gw")
    gateway["spec"]["listeners"].append(objects.https("tls", "cert", hostname=HOST))
    api.put(gateway)
    for name, n in SERVERS.items():
        api.put(objects.service(NS, name, PORT))
        api.put(objects.slice_of(NS, name, labs.backend_address(n), port=PORT))
    api.put(objects.service(NS, "nobody", PORT))
    put(l, "all", [to("one")], HOST)
    l.vip = objects.gateway_address(l, NS, "gw")
    goes_to(l, "one")


def is_listening(namespace):
    try:
        namespace.connect("127.0.0.1", PORT, timeout=1).close()
        return True
    except OSError:
        return False


def to(*services, **more):
    return {**objects.to(*services, port=PORT), **more}


def route(name, rules, *hostnames):
    return {**objects.route(NS, name, [f"{NS}/gw"], rules, *hostnames), "kind": "GRPCRoute"}


def put(l, name, rules, *hostnames):
    l.appliance.api.put(route(name, rules, *hostnames))


def options(host=HOST, *more):
    return ["-authority", host, *more]


def ask(l, *metadata, method=EMPTY, host=HOST, more=()):
    return calls.one(l, f"{l.vip}:80", method, *metadata, options=options(host, *more))


def server(said):
    """Who served the call; what it ended with, if nobody did."""
    return said["header"]["served-by"][0] if said["code"] == "OK" else said["code"]


def goes_to(l, wanted, *metadata, **how):
    suite.eventually(lambda: server(ask(l, *metadata, **how)) == wanted, f"{how} {metadata} goes to {wanted}")


def lines(l, name, text):
    """How many lines with the text the server has written."""
    with open(os.path.join(l.logs, f"{name}.log"), encoding="utf-8") as f:
        return sum(text in line for line in f)


@suite.test("GRPCRoute")
def calls_of_every_kind_end_as_they_do_without_a_box_between(l):
    done = l["client"].run(l.grpc, "case", *options(), f"{l.vip}:80", *CASES, timeout=120)
    assert done.stdout.split() == [w for c in CASES for w in ("ok", c)], done.stdout + done.stderr


@suite.test("GRPCRoute")
def a_thousand_calls_one_after_the_other_go_on_one_connection(l):
    """gRPC's libraries ask with a PING after each: to us, and the backends' as well."""
    before = l.appliance.counters()
    said = calls.call(l, f"{l.vip}:80", EMPTY, options=options(HOST, "-times", "1000"))
    assert {s["code"] for s in said} == {"OK"} and len(said) == 1000
    after = l.appliance.counters()
    assert after["h2_session_end_calm"] == before["h2_session_end_calm"], "somebody was told to calm down"
    assert after["h2_sessions_accepted"] - before["h2_sessions_accepted"] == 1


@suite.test("GRPCRoute")
def calls_of_every_kind_go_over_tls_too(l):
    done = l["client"].run(l.grpc, "case", *options(HOST, "-ca", l.authority.ca), f"{l.vip}:443", *CASES, timeout=120)
    assert done.stdout.split() == [w for c in CASES for w in ("ok", c)], done.stdout + done.stderr


@suite.test("GRPCRoute")
def calls_of_every_kind_go_to_a_server_that_speaks_tls(l):
    host, api = "secure.example.com", l.appliance.api
    api.put(objects.config_map(NS, "cas", ca_crt=l.authority.text()))
    api.put({"apiVersion": objects.GATEWAY_V1, "kind": "BackendTLSPolicy",
             "metadata": {"namespace": NS, "name": "secure"},
             "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": "secure"}],
                      "validation": {"hostname": INNER,
                                     "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "cas"}]}}})
    api.put(objects.service(NS, "secure", TLS_PORT))
    api.put(objects.slice_of(NS, "secure", labs.backend_address(1), port=TLS_PORT))
    put(l, "secure", [objects.to("secure", port=TLS_PORT)], host)
    goes_to(l, "secure", host=host)
    done = l["client"].run(l.grpc, "case", *options(host), f"{l.vip}:80", *CASES, timeout=120)
    assert done.stdout.split() == [w for c in CASES for w in ("ok", c)], done.stdout + done.stderr


@suite.test("GRPCRoute")
def a_call_is_matched_by_service_method_and_metadata(l):
    host = "match.example.com"
    other = "/a.Other/EmptyCall"
    put(l, "match", [
        {"matches": [{"method": {"method": "EmptyCall"}}], **to("two")},
        {"matches": [{"method": {"service": SERVICE}}], **to("one")},
        {"matches": [{"method": {"service": SERVICE, "method": "EmptyCall"},
                      "headers": [{"name": "Version", "value": "2"}]}], **to("three")},
        {"matches": [{"method": {"type": "RegularExpression", "service": r"grpc\.testing\..*", "method": "Un.*"}}],
         **to("two")}], host)
    goes_to(l, "one", host=host)
    goes_to(l, "three", "version:2", host=host)
    goes_to(l, "one", "version:22", host=host)
    before = lines(l, "two", other), lines(l, "two", "UnimplementedCall")
    for method in (other, f"/{SERVICE}/UnimplementedCall"):  # unknown to the server, which says so by itself
        assert ask(l, method=method, host=host)["code"] == "Unimplemented"
    explained = l.appliance.ctl("explain", "POST", f"http://{host}{other}")
    assert "kind: GRPCRoute" in explained.stdout and "rule: 0" in explained.stdout, explained.stdout
    assert before == (0, 0)


@suite.test("GRPCRoute")
def what_is_no_call_is_answered_404(l):
    for method, path in (("GET", EMPTY), ("POST", "/"), ("POST", EMPTY + "/more"), ("POST", "/" + SERVICE)):
        for version in ("--http1.1", "--http2-prior-knowledge"):
            status, _, _ = l.curl(f"http://{HOST}{path}", version, "-X", method, address=l.vip)
            assert status == 404, (method, path, version, status)


@suite.test("GRPCRoute")
def what_the_box_answers_itself_is_a_status_of_grpc(l):
    host = "faults.example.com"
    limit = {"apiVersion": "sluice.internal/v1", "kind": "RateLimit", "metadata": {"name": "one", "namespace": NS},
             "spec": {"requests": 1, "per": "24h", "burst": 1, "key": {"type": "Header", "name": "who"}}}
    policy = {"apiVersion": "sluice.internal/v1", "kind": "AccessPolicy", "metadata": {"name": "none", "namespace": NS},
              "spec": {"addresses": {"allow": ["192.0.2.1"]}}}
    l.appliance.api.put(limit)
    l.appliance.api.put(policy)

    def by(name, rule):
        return {"matches": [{"headers": [{"name": "case", "value": name}]}], **rule}

    def extension(kind, name):
        return [{"type": "ExtensionRef", "extensionRef": {"group": "sluice.internal", "kind": kind, "name": name}}]

    put(l, "faults", [by("missing", to("missing")), by("empty", to("nobody")), by("none", {}),
                      by("limited", to("one", filters=extension("RateLimit", "one"))),
                      by("refused", to("one", filters=extension("AccessPolicy", "none"))),
                      by("unknown", to("one", filters=extension("RateLimit", "missing")))], host)
    for case, code in (("missing", "Unavailable"), ("empty", "Unavailable"), ("none", "Unavailable"),
                       ("unknown", "Unavailable"), ("refused", "PermissionDenied"), ("other", "Unimplemented")):
        suite.eventually(lambda case=case, code=code: ask(l, f"case:{case}", host=host)["code"] == code,
                         f"{case}: {code}")
    assert ask(l, host="nowhere.example.com")["code"] == "Unimplemented"
    suite.eventually(lambda: ask(l, "case:limited", "who:x", host=host)["code"] == "Unavailable", "a limit")


@suite.test("GRPCRoute")
def filters_change_metadata_of_calls_and_answers(l):
    host = "filters.example.com"
    put(l, "filters", [to("one", filters=[
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "who", "value": "the-route"}]}},
        {"type": "ResponseHeaderModifier",
         "responseHeaderModifier": {"add": [{"name": "x-route", "value": "filters"}]}}])], host)
    suite.eventually(lambda: ask(l, host=host)["header"].get("x-route") == ["filters"], "the answer's metadata")
    before = lines(l, "one", f"{EMPTY} the-route")
    assert server(ask(l, "who:me", host=host)) == "one"
    assert lines(l, "one", f"{EMPTY} the-route") == before + 1


@suite.test("GRPCRoute")
def each_call_is_mirrored_also_the_first_on_a_connection(l):
    host = "mirror.example.com"
    api = l.appliance.api
    api.put(objects.service(NS, "mirror", PORT))  # one that no connection leads to yet
    api.put(objects.slice_of(NS, "mirror", labs.backend_address(2), port=PORT))
    put(l, "mirror", [to("one", filters=[
        {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "mirror", "port": PORT}}}])], host)
    goes_to(l, "one", host=host)
    before = lines(l, "two", f"{EMPTY} mirrored")
    for n in range(1, 4):
        assert server(ask(l, "who:mirrored", host=host)) == "one"
        suite.eventually(lambda n=n: lines(l, "two", f"{EMPTY} mirrored") == before + n, f"{n} copies have come")


@suite.test("GRPCRoute")
def calls_that_are_given_up_before_their_backend_answers_leave_nothing(l):
    host = "silent.example.com"
    api = l.appliance.api
    api.put(objects.service(NS, "silent", PORT))
    api.put(objects.slice_of(NS, "silent", SILENT, port=PORT))
    silent = {"name": "silent", "port": PORT}
    put(l, "silent", [{"matches": [{"headers": [{"name": "case", "value": "mirror"}]}],
                       **to("one", filters=[{"type": "RequestMirror", "requestMirror": {"backendRef": silent}}])},
                      to("silent")], host)
    suite.eventually(lambda: ask(l, host=host, more=("-timeout", "300ms"))["code"] == "DeadlineExceeded",
                     "it is given up")
    goes_to(l, "one", "case:mirror", host=host)
    for case, limit, code in (("mirror", "5s", "OK"), ("none", "50ms", "DeadlineExceeded")) * 3:
        said = calls.call(l, f"{l.vip}:80", EMPTY, f"case:{case}",
                          options=options(host, "-times", "5", "-timeout", limit))
        assert {s["code"] for s in said} == {code}, said
    goes_to(l, "one")


@suite.test("GRPCRoute")
def a_long_stream_outlives_changes_of_routes_and_new_calls_follow_them(l):
    host = "long.example.com"
    put(l, "long", [to("one")], host)
    goes_to(l, "one", host=host)
    with calls.Stream(l, f"{l.vip}:80", *options(host)) as stream:
        assert stream.asks(10) == 10
        for name in ("two", "three"):
            put(l, "long", [to(name)], host)
            goes_to(l, name, host=host)
            assert stream.asks(70000) == 70000
        l.appliance.api.delete("GRPCRoute", "long", NS)
        suite.eventually(lambda: ask(l, host=host)["code"] == "Unimplemented", "the route is gone")
        assert stream.asks(1) == 1
        said = stream.ends()
    assert (said["code"], said["header"]["served-by"]) == ("OK", ["one"]), said


@suite.test("GRPCRoute")
def a_host_is_for_calls_or_for_requests_and_the_older_route_has_it(l):
    api = l.appliance.api
    api.put(objects.route(NS, "page", [f"{NS}/gw"], [objects.to("one", port=PORT)], HOST))
    suite.eventually(lambda: objects.parent_condition(l, NS, "page", "Accepted")["reason"] == "HostnameConflict",
                     "the younger route is refused")
    goes_to(l, "one")
    api.delete("HTTPRoute", "page", NS)
