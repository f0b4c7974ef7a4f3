# SPDX-License-Identifier: Apache-2.0
"""What a rule with `retry` tries again besides answers (GEP-1731): connections that were not made or were lost, and
backends that do not answer within `timeouts.backendRequest`. The suite names features for both and has tests of
neither."""
import backend
import lab as labs
import objects
import suite

NS, HOST, VIP = "retries", "retries.example", "198.18.0.147"
CLOSED_PORT = 8089  # nobody listens


def lab():
    return labs.Lab("retries", backends=1, workers=2)


def rule_of(path, service, more):
    return objects.matching({"path": {"type": "PathPrefix", "value": path}}, {**objects.to(service), **more})


def prepare(l):
    l.start_backends(backend.Origin)
    objects.bring_up(l, "appliance.yaml")
    api = l.appliance.api
    again = {"retry": {"attempts": 3, "backoff": "10ms"}}
    in_time = {"timeouts": {"backendRequest": "400ms", "request": "30s"}}
    api.put(objects.namespace(NS))
    api.put(objects.gateway(NS, "gw", VIP))
    for name, ports in (("one", [backend.PORT]), ("closed", [CLOSED_PORT]), ("half", [backend.PORT, CLOSED_PORT])):
        api.put(objects.service(NS, name))
        for port in ports:
            endpoints = objects.slice_of(NS, name, labs.backend_address(1), port=port)
            endpoints["metadata"]["name"] += f"-{port}"
            api.put(endpoints)
    api.put(objects.route(NS, "all", [f"{NS}/gw"], [
        rule_of("/reset-first", "one", again),
        rule_of("/mute-first", "one", {**again, **in_time}),
        rule_of("/upload", "half", {"retry": {"attempts": 20, "backoff": "1ms"}}),
    ], HOST))
    api.put(objects.route(NS, "plain", [f"{NS}/gw"], [rule_of("/mute-first", "one", in_time),
                                                      rule_of("/upload", "closed", {})], f"plain.{HOST}"))
    objects.gateway_address(l, NS, "gw")
    suite.eventually(lambda: ask(l, "/reset-first/0?first") == 200, "it serves")


def ask(l, path, *options, host=HOST):
    return l.curl(f"http://{host}{path}", *options, address=VIP)[0]


@suite.test("S4")
def connections_that_are_refused_or_lost_are_tried_again(l):
    for method in ("GET", "POST"):
        before = l.appliance.counters()["proxy_retries"]
        assert ask(l, f"/reset-first/2?{method}", "-X", method) == 200
        assert l.appliance.counters()["proxy_retries"] == before + 2
        assert ask(l, f"/reset-first/4?{method}", "-X", method) == 502, "it has three tries more"
    refused = l.appliance.counters()["proxy_retries"]
    assert {ask(l, "/upload", "-X", "POST", "-d", "x") for _ in range(20)} == {200}
    assert l.appliance.counters()["proxy_retries"] > refused, "nobody was sent to where nobody listens"
    assert ask(l, "/upload", host=f"plain.{HOST}") == 502, "without a retry somebody answers there"


@suite.test("S4")
def a_backend_that_does_not_answer_in_time_is_asked_again(l):
    before = l.appliance.counters()["proxy_retries"]
    assert ask(l, "/mute-first/2?again") == 200
    assert l.appliance.counters()["proxy_retries"] == before + 2
    assert ask(l, "/mute-first/9?always") == 504, "it has three tries more"
    assert ask(l, "/mute-first/1?plain", host=f"plain.{HOST}") == 504, "without a retry"
    assert ask(l, "/mute-first/1?post", "-X", "POST") == 504, "twice may not be once: a POST is not idempotent"
