# SPDX-License-Identifier: Apache-2.0
"""Rules of HTTPRoute on the wire: precedence, weights, and what is answered without a backend."""
import collections

import lab as labs
import objects
import suite

NS = "routing"


def lab():
    return labs.Lab("routing", backends=3)


def prepare(l):
    objects.bring_up(l, "appliance.yaml")
    api = l.appliance.api
    api.put(objects.namespace(NS))
    api.put(objects.gateway(NS, "gw", "198.18.0.140"))
    for n in (1, 2, 3):
        api.put(objects.service(NS, f"app-{n}"))
        api.put(objects.slice_of(NS, f"app-{n}", labs.backend_address(n)))
    assert objects.gateway_address(l, NS, "gw") == "198.18.0.140"


def put_route(l, name, host, *rules):
    l.appliance.api.put(objects.route(NS, name, [f"{NS}/gw"], list(rules), host))
    suite.eventually(lambda: objects.parent_condition(l, NS, name, "Accepted")["status"] == "True",
                     f"{name} is accepted")


def who(l, host, path="/", *options):
    status, _, body = l.curl(f"http://{host}{path}", *options, address="198.18.0.140")
    return body.split(b" ")[0].decode() if status == 200 else status


@suite.test("S3 S4")
def an_address_that_was_asked_for_is_given(l):
    status = l.appliance.api.get("Gateway", "gw", NS)["status"]
    assert [a["value"] for a in status["addresses"]] == ["198.18.0.140"], status["addresses"]


@suite.test("S4")
def the_most_specific_match_wins_whatever_the_order_of_the_rules(l):
    path = {"path": {"type": "PathPrefix", "value": "/a"}}
    put_route(l, "precedence", "order.example",
              objects.matching({"path": {"type": "PathPrefix", "value": "/"}}, objects.to("app-1")),
              objects.matching(path, objects.to("app-2")),
              objects.matching({"path": {"type": "Exact", "value": "/a/exact"}}, objects.to("app-3")),
              objects.matching({**path, "method": "POST"}, objects.to("app-3")),
              objects.matching({**path, "headers": [{"name": "x-team", "value": "red"}]}, objects.to("app-1")))
    suite.eventually(lambda: who(l, "order.example") == "backend-1", "the route serves")
    for wanted, options in (("backend-1", ["/b"]), ("backend-2", ["/a"]), ("backend-2", ["/a/b"]),
                            ("backend-1", ["/ab"]), ("backend-3", ["/a/exact"]),
                            ("backend-2", ["/a/exact/"]), ("backend-3", ["/a", "-d", "x"]),
                            ("backend-1", ["/a", "-H", "X-Team: red"]), ("backend-2", ["/a", "-H", "X-Team: blue"]),
                            ("backend-3", ["/a", "-d", "x", "-H", "x-team: red"])):
        assert who(l, "order.example", *options) == wanted, (options, who(l, "order.example", *options), wanted)


@suite.test("S4")
def regular_expressions_match_the_whole_of_paths_headers_and_queries(l):
    regex = {"type": "RegularExpression"}
    put_route(l, "regex", "regex.example",
              objects.matching({"path": {"type": "PathPrefix", "value": "/"}}, objects.to("app-1")),
              objects.matching({"path": {**regex, "value": "/v[0-9]+/users/[^/]+"}}, objects.to("app-2")),
              objects.matching({"path": {"type": "PathPrefix", "value": "/"},
                                "headers": [{**regex, "name": "x-team", "value": "(?i)red|blue"}]},
                               objects.to("app-3")),
              objects.matching({"path": {"type": "PathPrefix", "value": "/"},
                                "queryParams": [{**regex, "name": "id", "value": "[a-f0-9]{8}"}]},
                               objects.to("app-2")))
    suite.eventually(lambda: who(l, "regex.example") == "backend-1", "the route serves")
    for wanted, options in (("backend-2", ["/v12/users/ana"]), ("backend-1", ["/v12/users/"]),
                            ("backend-1", ["/v12/users/a/b"]), ("backend-1", ["/x/v1/users/a"]),
                            ("backend-3", ["/", "-H", "X-Team: Blue"]),
                            ("backend-1", ["/", "-H", "X-Team: bluer"]), ("backend-2", ["/?id=0123abcd"]),
                            ("backend-1", ["/?id=0123abcde"]), ("backend-2", ["/?x=1&id=%30123abcd"])):
        assert who(l, "regex.example", *options) == wanted, (options, who(l, "regex.example", *options), wanted)


@suite.test("S4")
def what_is_no_regular_expression_is_told_in_the_status_and_answered_500(l):
    api = l.appliance.api
    bad = objects.matching({"path": {"type": "RegularExpression", "value": "/(a)\\1"}}, objects.to("app-1"))
    good = objects.matching({"path": {"type": "RegularExpression", "value": "/goo+d"}}, objects.to("app-2"))
    api.put(objects.route(NS, "no-regex", [f"{NS}/gw"], [bad, good], "no-regex.example"))
    dropped = suite.eventually(lambda: objects.parent_condition(l, NS, "no-regex", "PartiallyInvalid").get("message"),
                               "the status tells")
    assert "matches[0]: RegularExpression" in dropped and "Back-references" in dropped, dropped
    suite.eventually(lambda: who(l, "no-regex.example", "/goood") == "backend-2", "the good rule serves")
    assert who(l, "no-regex.example", "/aa") == 404, "a match that cannot be carried out takes nothing"


@suite.test("S4")
def exact_hosts_beat_wildcards_and_wildcards_do_not_match_the_bare_name(l):
    put_route(l, "exact", "www.wild.example", objects.to("app-1"))
    put_route(l, "wild", "*.wild.example", objects.to("app-2"))
    suite.eventually(lambda: who(l, "x.wild.example") == "backend-2", "the wildcard serves")
    assert who(l, "www.wild.example") == who(l, "WWW.Wild.Example") == "backend-1"
    assert who(l, "a.b.wild.example") == "backend-2"
    assert who(l, "wild.example") == 404


@suite.test("S4")
def weights_come_out_within_five_points(l):
    put_route(l, "weights", "weights.example", objects.to(("app-1", 70), ("app-2", 30), ("app-3", 0)))
    suite.eventually(lambda: who(l, "weights.example") in ("backend-1", "backend-2"), "the route serves")
    done = l["client"].run("sh", "-c", "for i in $(seq 50); do curl -sS --max-time 10 -H 'Host: weights.example' "
                           "'http://198.18.0.140/[1-10]'; done", timeout=60)
    seen = collections.Counter(line.split()[0] for line in done.stdout.splitlines() if line.startswith("backend-"))
    assert sum(seen.values()) == 500, seen
    assert abs(seen["backend-1"] - 350) <= 25 and not seen["backend-3"], seen


@suite.test("S4")
def what_cannot_be_served_is_answered_as_the_specification_says(l):
    api = l.appliance.api
    assert who(l, "nobody.example") == 404
    put_route(l, "unresolved", "unresolved.example", objects.to("no-such-service"))
    suite.eventually(lambda: who(l, "unresolved.example") == 500, "a backend that does not exist: 500")
    said = objects.parent_condition(l, NS, "unresolved", "ResolvedRefs")
    assert (said["status"], said["reason"]) == ("False", "BackendNotFound"), said
    api.put(objects.service(NS, "empty"))
    put_route(l, "empty", "empty.example", objects.to("empty"))
    suite.eventually(lambda: who(l, "empty.example") == 503, "a Service without endpoints: 503")
    put_route(l, "zero", "zero.example", objects.to(("app-1", 0)))
    suite.eventually(lambda: who(l, "zero.example") == 500, "all weights zero: 500")
    api.put(objects.slice_of(NS, "empty", labs.backend_address(2)))
    suite.eventually(lambda: who(l, "empty.example") == "backend-2", "an endpoint comes: it is used")


@suite.test("S14 S4")
def a_backend_in_another_namespace_needs_a_reference_grant(l):
    api = l.appliance.api
    api.put(objects.namespace("stock"))
    api.put(objects.service("stock", "app"))
    api.put(objects.slice_of("stock", "app", labs.backend_address(3)))
    put_route(l, "borrows", "borrows.example",
              {"backendRefs": [{"name": "app", "namespace": "stock", "port": 8080}]})
    suite.eventually(lambda: who(l, "borrows.example") == 500, "without a grant: 500")
    objects.await_parent_condition(l, NS, "borrows", "ResolvedRefs", "RefNotPermitted")
    api.put({"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
             "metadata": {"namespace": "stock", "name": "lends"},
             "spec": {"from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": NS}],
                      "to": [{"group": "", "kind": "Service"}]}})
    suite.eventually(lambda: who(l, "borrows.example") == "backend-3", "with the grant it is served")
    api.delete("ReferenceGrant", "lends", "stock")
    suite.eventually(lambda: who(l, "borrows.example") == 500, "and no longer when the grant goes")


@suite.test("S4")
def redirects_and_rewrites_do_what_the_route_says(l):
    put_route(l, "redirect", "old.example",
              {"filters": [{"type": "RequestRedirect",
                            "requestRedirect": {"hostname": "new.example", "statusCode": 301}}]})
    suite.eventually(lambda: who(l, "old.example") == 301, "the redirect serves")
    _, headers, _ = l.curl("http://old.example/a?b=c", address="198.18.0.140")
    assert headers["location"] == "http://new.example/a?b=c", headers
    put_route(l, "rewrite", "rewrite.example", objects.matching(
        {"path": {"type": "PathPrefix", "value": "/old"}},
        {"filters": [{"type": "URLRewrite", "urlRewrite": {"hostname": "inner.example", "path": {
            "type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"}}}], **objects.to("app-1")}))
    suite.eventually(lambda: who(l, "rewrite.example", "/old") == "backend-1", "the rewrite serves")
    _, _, body = l.curl("http://rewrite.example/old/x?y=z", address="198.18.0.140")
    assert body.startswith(b"backend-1 answers GET /new/x?y=z for inner.example"), body
