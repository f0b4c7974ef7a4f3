# SPDX-License-Identifier: Apache-2.0
"""The Gateway API overview, applied unchanged, on the wire."""
import lab as labs
import objects
import suite
from objects import NS1, NS2

THIRD = "gateway-api-example-ns3"
BOTH = {"backend-1", "backend-2"}


def lab():
    return labs.Lab("overview", backends=3)


def prepare(l):
    objects.bring_up(l, *objects.OVERVIEW)


def foo_address(l):
    return objects.gateway_address(l, NS1, "foo-gateway")


@suite.test("S16 S18")
def my_route_attaches_to_foo_gateway_and_reaches_foo_svc(l):
    address = foo_address(l)
    objects.wait_answer(l, address, "foo.example.com", BOTH)
    objects.await_parent_condition(l, NS2, "my-route", "Accepted")
    objects.await_parent_condition(l, NS2, "my-route", "ResolvedRefs")
    assert objects.attached_routes(l, NS1, "foo-gateway") == {"prod-web": 1}


@suite.test("S16")
def all_endpoints_of_foo_svc_answer(l):
    address = foo_address(l)
    seen = {objects.answers(l, address, "foo.example.com") for _ in range(20)}
    assert seen == BOTH, seen


@suite.test("S2 S3")
def class_and_gateway_say_what_they_are(l):
    api = l.appliance.api
    said = api.get("GatewayClass", "foo-lb")["status"]
    assert objects.condition(said, "Accepted")["status"] == "True", said
    gateway = api.get("Gateway", "foo-gateway", NS1)
    said = gateway["status"]
    for kind in ("Accepted", "Programmed"):
        c = objects.condition(said, kind)
        assert (c["status"], c["observedGeneration"]) == ("True", gateway["metadata"]["generation"]), c
    assert said["listeners"][0]["supportedKinds"] == [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}]


@suite.test("S14 S16")
def the_same_route_from_a_third_namespace_is_refused_and_its_status_says_why(l):
    api = l.appliance.api
    api.put(objects.namespace(THIRD))
    api.put(objects.service(THIRD, "foo-svc"))
    api.put(objects.slice_of(THIRD, "foo-svc", labs.backend_address(3)))
    api.put(objects.route(THIRD, "my-route", [f"{NS1}/foo-gateway"], [objects.to("foo-svc")]))

    def refusal():
        said = objects.parent_condition(l, THIRD, "my-route", "Accepted")
        return said if said["status"] == "False" else None
    said = suite.eventually(refusal, "the route from the third namespace is refused")
    assert said["reason"] == "NotAllowedByListeners" and said["message"], said
    assert objects.attached_routes(l, NS1, "foo-gateway") == {"prod-web": 1}
    seen = {objects.answers(l, foo_address(l), "foo.example.com") for _ in range(20)}
    assert "backend-3" not in seen, seen


@suite.test("S17 S14")
def prod_gateway_takes_routes_in_with_the_label_and_drops_them_without_it(l):
    api = l.appliance.api
    l.appliance.apply(objects.example("overview-prod-gateway.yaml"))
    address = objects.gateway_address(l, NS1, "prod-gateway")
    assert address != foo_address(l), "two Gateways, one address"
    api.put(objects.route(THIRD, "exposed", [f"{NS1}/prod-gateway"], [objects.to("foo-svc")]))
    objects.wait_answer(l, address, "any.example.com", 404)
    for label, wanted, accepted in (("true", "backend-3", "True"), (None, 404, "False"), ("true", "backend-3", "True"),
                                    ("false", 404, "False")):
        api.patch("Namespace", THIRD, {"metadata": {"labels": {"expose-apps": label}}})
        objects.wait_answer(l, address, "any.example.com", wanted)
        suite.eventually(lambda: objects.parent_condition(l, THIRD, "exposed", "Accepted")["status"] == accepted,
                         f"with expose-apps={label} the status says Accepted={accepted}")
        suite.eventually(lambda: objects.attached_routes(l, NS1, "prod-gateway") ==
                         {"prod-web": 1 if accepted == "True" else 0}, "attachedRoutes follows")


@suite.test("S10 S11")
def teams_a_and_b_share_shared_gw_and_dedicated_gw_is_team_c_s_alone(l):
    api = l.appliance.api
    l.appliance.apply(objects.example("teams.yaml"))
    shared, dedicated = (objects.gateway_address(l, ns, name)
                         for ns, name in (("infra", "shared-gw"), ("c", "dedicated-gw")))
    objects.wait_answer(l, shared, "a.example.com", "backend-1")
    objects.wait_answer(l, shared, "b.example.com", "backend-2")
    objects.wait_answer(l, dedicated, "c.example.com", "backend-3")
    assert objects.answers(l, shared, "c.example.com") == 404
    assert objects.answers(l, dedicated, "a.example.com") == 404
    api.put(objects.route("a", "intruder", ["c/dedicated-gw"], [objects.to("app", port=80)]))
    suite.eventually(lambda: objects.parent_condition(l, "a", "intruder", "Accepted").get("reason") ==
                     "NotAllowedByListeners", "team A is refused by dedicated-gw")
    assert objects.answers(l, dedicated, "a.example.com") == 404
    api.put(objects.route("c", "intruder", ["infra/shared-gw"], [objects.to("app", port=80)]))
    suite.eventually(lambda: objects.parent_condition(l, "c", "intruder", "Accepted").get("reason") ==
                     "NotAllowedByListeners", "team C is refused by shared-gw")


@suite.test("S10 S12")
def one_route_attaches_to_two_gateways_at_once(l):
    api = l.appliance.api
    api.patch("Namespace", "c", {"metadata": {"labels": {"shared-gateway": "true"}}})
    api.put(objects.route("c", "both", ["infra/shared-gw", "c/dedicated-gw"], [objects.to("app", port=80)],
                          "both.example.com"))
    for ns, name in (("infra", "shared-gw"), ("c", "dedicated-gw")):
        objects.wait_answer(l, objects.gateway_address(l, ns, name), "both.example.com", "backend-3")
    for parent in (0, 1):
        objects.await_parent_condition(l, "c", "both", "Accepted", parent=parent)


@suite.test("S12")
def section_name_and_port_choose_listeners_and_both_must_hold(l):
    api = l.appliance.api
    gw = objects.gateway("infra", "two-doors")
    gw["spec"]["listeners"] = [{"name": "one", "port": 80, "protocol": "HTTP"},
                               {"name": "two", "port": 8080, "protocol": "HTTP"}]
    api.put(gw)
    api.put(objects.service("infra", "app"))
    api.put(objects.slice_of("infra", "app", labs.backend_address(1)))
    address = objects.gateway_address(l, "infra", "two-doors")
    for host, choice, on_80, on_8080 in (
            ("all", {}, "backend-1", "backend-1"), ("section", {"sectionName": "two"}, 404, "backend-1"),
            ("port", {"port": 80}, "backend-1", 404), ("both", {"sectionName": "two", "port": 8080}, 404, "backend-1"),
            ("neither", {"sectionName": "two", "port": 80}, 404, 404)):
        parent = {"namespace": "infra", "name": "two-doors", **choice}
        api.put(objects.route("infra", f"by-{host}", [parent], [objects.to("app")], f"{host}.example.com"))
        objects.wait_answer(l, address, f"{host}.example.com", on_80)
        objects.wait_answer(l, address, f"{host}.example.com:8080", on_8080)
    said = objects.parent_condition(l, "infra", "by-neither", "Accepted")
    assert (said["status"], said["reason"]) == ("False", "NoMatchingParent"), said


@suite.test("S13")
def listener_and_route_hostnames_must_intersect(l):
    api = l.appliance.api
    api.put(objects.gateway("infra", "named", hostname="*.shop.example"))
    address = objects.gateway_address(l, "infra", "named")
    api.put(objects.route("infra", "cart", ["infra/named"], [objects.to("app")], "cart.shop.example", "cart.other"))
    api.put(objects.route("infra", "other", ["infra/named"], [objects.to("app")], "cart.other"))
    objects.wait_answer(l, address, "cart.shop.example", "backend-1")
    assert objects.answers(l, address, "cart.other") == 404
    suite.eventually(lambda: objects.parent_condition(l, "infra", "other", "Accepted").get("reason") ==
                     "NoMatchingListenerHostname", "a route without a common hostname is refused")


@suite.test("S15")
def a_listener_that_allows_other_kinds_takes_no_httproute(l):
    api = l.appliance.api
    gw = objects.gateway("infra", "grpc-only")
    gw["spec"]["listeners"][0]["allowedRoutes"]["kinds"] = [{"kind": "GRPCRoute"}]
    api.put(gw)
    api.put(objects.route("infra", "wrong-kind", ["infra/grpc-only"], [objects.to("app")]))
    suite.eventually(lambda: objects.parent_condition(l, "infra", "wrong-kind", "Accepted")["status"] == "False",
                     "an HTTPRoute is refused where only GRPCRoute is allowed")


@suite.test("S19")
def the_request_flow_s_six_steps_hold(l):
    l.appliance.apply(objects.example("foo-route.yaml"))
    address = foo_address(l)

    def ask(path, *options, host="foo.example.com"):
        return l.curl(f"http://{host}{path}", *options, address=address)

    suite.eventually(lambda: ask("/")[1].get("x-route") == "foo-route", "foo-route serves")
    assert b"My-Header: set-by-the-route" in ask("/", "-H", "My-Header: mine")[2]
    assert ask("/login/form")[2].startswith(b"backend-1 answers GET /login/form")
    assert ask("/", "-H", "env: canary")[2].startswith(b"backend-2")
    assert ask("/", "-H", "env: other")[1]["x-route"] == "foo-route"
    assert ask("/loginless")[1]["x-route"] == "foo-route"
    assert "x-route" not in ask("/", host="other.example.com")[1]
    explained = l.appliance.ctl("explain", "GET", "http://foo.example.com/login").stdout
    assert "foo-route" in explained, explained
