# SPDX-License-Identifier: Apache-2.0
"""Changes under a constant load of keep-alive requests: no failed request, no reset connection.
And what a status says is in effect."""
import signal

import lab as labs
import load
import objects
import suite
from objects import NS1, NS2

CHANGES = 1000
REQUESTS_MIN = 100  # of the load's 400 a second: a thousand changes take less than one
HOST = "foo.example.com"
SLICE = "foo-svc-1"


def lab():
    return labs.Lab("churn", backends=2)


def prepare(l):
    objects.bring_up(l, *objects.OVERVIEW)
    objects.wait_answer(l, objects.gateway_address(l, NS1, "foo-gateway"), HOST, {"backend-1", "backend-2"})


def rule_with_sign(n):
    """my-route's rule, with a response header that tells which change is in effect."""
    sign = {"type": "ResponseHeaderModifier",
            "responseHeaderModifier": {"set": [{"name": "X-Change", "value": str(n)}]}}
    return {"spec": {"rules": [{**objects.to("foo-svc"), "filters": [sign]}]}}


def endpoints(*numbers):
    return {"endpoints": [{"addresses": [labs.backend_address(n)], "conditions": {"ready": True}} for n in numbers]}


@suite.test("#3")
def a_thousand_route_changes_in_a_row_fail_no_request(l):
    address = objects.gateway_address(l, NS1, "foo-gateway")
    with load.Load(l, address, HOST) as running:
        for n in range(1, CHANGES + 1):
            l.appliance.api.patch("HTTPRoute", "my-route", rule_with_sign(n), NS2)
        suite.eventually(lambda: l.curl(f"http://{HOST}/", address=address)[1].get("x-change") == str(CHANGES),
                         "the last change is in effect")
        running.require_clean(at_least=REQUESTS_MIN)


@suite.test("#3")
def a_thousand_routes_come_and_go_without_a_failed_request(l):
    api, address = l.appliance.api, objects.gateway_address(l, NS1, "foo-gateway")
    with load.Load(l, address, HOST) as running:
        for n in range(CHANGES // 2):
            api.create(objects.route(NS2, f"extra-{n}", [f"{NS1}/foo-gateway"], [objects.to("foo-svc")],
                                     f"extra-{n}.example.com"))
            if n >= 20:
                api.delete("HTTPRoute", f"extra-{n - 20}", NS2)
        last = CHANGES // 2 - 1
        objects.wait_answer(l, address, f"extra-{last}.example.com", {"backend-1", "backend-2"})
        suite.eventually(lambda: objects.attached_routes(l, NS1, "foo-gateway") == {"prod-web": 21}, "21 are attached")
        for n in range(last - 19, last + 1):
            api.delete("HTTPRoute", f"extra-{n}", NS2)
        running.require_clean(at_least=REQUESTS_MIN)


@suite.test("#3")
def a_thousand_endpoint_changes_in_a_row_fail_no_request(l):
    address = objects.gateway_address(l, NS1, "foo-gateway")
    turns = ((1,), (2,), (1, 2), (2, 1))
    with load.Load(l, address, HOST) as running:
        for n in range(CHANGES):
            l.appliance.api.patch("EndpointSlice", SLICE, endpoints(*turns[n % len(turns)]), NS2)
        l.appliance.api.patch("EndpointSlice", SLICE, endpoints(2), NS2)
        objects.wait_answer(l, address, HOST, "backend-2")
        suite.eventually(lambda: all(objects.answers(l, address, HOST) == "backend-2" for _ in range(8)),
                         "only the endpoint that is left answers")
        l.appliance.api.patch("EndpointSlice", SLICE, endpoints(1, 2), NS2)
        running.require_clean(at_least=REQUESTS_MIN)
        assert set(running.result["bodies"]) == {"backend-1", "backend-2"}, running.result["bodies"]


def my_route_is_told(l, generation):
    """Does its status speak of this generation?"""
    status = l.appliance.api.get("HTTPRoute", "my-route", NS2)["status"]
    return all(c["observedGeneration"] == generation for p in status["parents"] for c in p["conditions"])


@suite.test("#8")
def a_status_of_a_route_waits_for_workers_that_stand_still(l):
    api, address = l.appliance.api, objects.gateway_address(l, NS1, "foo-gateway")
    runs = l.appliance.metric("sluice_reconcile_runs_total")
    l.appliance.dataplane.popen.send_signal(signal.SIGSTOP)
    try:
        made = api.patch("HTTPRoute", "my-route", rule_with_sign("held"), NS2)["metadata"]["generation"]
        suite.eventually(lambda: l.appliance.metric("sluice_reconcile_runs_total") > runs, "the change was looked at")
        assert not my_route_is_told(l, made), "a status came before its effect"
    finally:
        l.appliance.dataplane.popen.send_signal(signal.SIGCONT)
    suite.eventually(lambda: my_route_is_told(l, made), "its status came")
    assert l.curl(f"http://{HOST}/", address=address)[1].get("x-change") == "held"


@suite.test("#8")
def what_the_status_of_a_route_says_is_in_effect_at_once(l):
    address = objects.gateway_address(l, NS1, "foo-gateway")
    for n in range(CHANGES // 20):
        made = l.appliance.api.patch("HTTPRoute", "my-route", rule_with_sign(f"told-{n}"), NS2)
        suite.eventually(lambda: my_route_is_told(l, made["metadata"]["generation"]), "its status came")
        assert l.curl(f"http://{HOST}/", address=address)[1].get("x-change") == f"told-{n}", "its status came too early"


@suite.test("#3")
def applying_the_same_objects_again_changes_nothing(l):
    address = objects.gateway_address(l, NS1, "foo-gateway")
    l.appliance.apply(*[objects.example(m) for m in objects.OVERVIEW])
    suite.eventually(lambda: "x-change" not in l.curl(f"http://{HOST}/", address=address)[1],
                     "my-route is as in the file")
    before = l.appliance.api.get("HTTPRoute", "my-route", NS2)["metadata"]["resourceVersion"]
    generation = l.appliance.generation()
    l.appliance.apply(*[objects.example(m) for m in objects.OVERVIEW])
    assert l.appliance.api.get("HTTPRoute", "my-route", NS2)["metadata"]["resourceVersion"] == before
    assert l.appliance.generation() == generation
