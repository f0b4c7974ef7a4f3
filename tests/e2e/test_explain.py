# SPDX-License-Identifier: Apache-2.0
"""`sluicectl explain` of a rule that does much: time limits, retries, rate limits, sessions, mirrors."""
import json

import lab as labs
import objects
import suite

NS, HOST, VIP = "explained", "full.example", "198.18.0.145"
KEYS = ("timeouts", "retry", "rateLimits", "sessionPersistence", "mirrors")
RULE = {**objects.to("web"), "timeouts": {"request": "10s", "backendRequest": "1500ms"},
        "retry": {"attempts": 2, "codes": [503], "backoff": "100ms"}, "sessionPersistence": {"sessionName": "sid"},
        "filters": [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "next", "port": 8080},
                                                                "percent": 10}},
                    {"type": "ExtensionRef",
                     "extensionRef": {"group": "sluice.internal", "kind": "RateLimit", "name": "slow"}}]}


def lab():
    return labs.Lab("explain", backends=1)


def prepare(l):
    objects.bring_up(l, "appliance.yaml")
    api = l.appliance.api
    api.put(objects.namespace(NS))
    api.put(objects.gateway(NS, "gw", VIP))
    for name in ("web", "next"):
        api.put(objects.service(NS, name))
        api.put(objects.slice_of(NS, name, labs.backend_address(1)))
    api.put({"apiVersion": "sluice.internal/v1", "kind": "RateLimit", "metadata": {"namespace": NS, "name": "slow"},
             "spec": {"requests": 500, "per": "1m", "key": {"type": "ClientAddress"}}})
    plain = objects.matching({"path": {"type": "PathPrefix", "value": "/plain"}}, objects.to("web"))
    api.put(objects.route(NS, "all", [f"{NS}/gw"], [RULE, plain], HOST))
    objects.gateway_address(l, NS, "gw")
    objects.wait_answer(l, VIP, HOST, "backend-1")


def explained(l, path, *options):
    return l.appliance.ctl("explain", "GET", f"http://{HOST}{path}", *options).stdout


@suite.test("#5")
def a_rule_that_does_much_is_told_with_all_that_it_does(l):
    status = json.loads(explained(l, "/x", "-o", "json"))["status"]
    assert {k: status.get(k) for k in KEYS} == {
        "timeouts": {"request": "10s", "backendRequest": "1500ms"},
        "retry": {"attempts": 2, "codes": [503], "backoff": "100ms"},
        "rateLimits": [{"name": f"{NS}/slow", "requests": 500, "per": "1m", "burst": 500,
                        "key": {"type": "ClientAddress", "ipv4PrefixLength": 32, "ipv6PrefixLength": 64}}],
        "sessionPersistence": {"type": "Cookie", "sessionName": "sid", "cookiePath": "/", "lifetimeType": "Session"},
        "mirrors": [{"name": f"{NS}/next:8080", "share": "10%"}]}, status
    text = explained(l, "/x")
    for words in ("timeouts:\n", "rateLimits:\n", "sessionPersistence:\n", "mirrors:\n", "attempts: 2\n", "share: "):
        assert words in text, text


@suite.test("#5")
def a_rule_that_does_nothing_of_it_tells_nothing_of_it(l):
    status = json.loads(explained(l, "/plain/x", "-o", "json"))["status"]
    assert status["rule"] == 1 and not set(KEYS) & set(status), status
