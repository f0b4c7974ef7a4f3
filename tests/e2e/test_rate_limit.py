# SPDX-License-Identifier: Apache-2.0
"""RateLimits on the wire: what passes of a burst, who counts as whom, changes of the object, and one that is not there.

The limits are by the day, so that no request comes back while a test runs.
"""
import collections
import contextlib
import http.client

import lab as labs
import objects
import suite

NS, HOST = "limits", "app.example.com"
BURST, KEY_REQUESTS, WORKERS = 20, 5, 2
CONNECTIONS = 200  # so many are on both workers, however their ports are spread


def lab():
    return labs.Lab("rate-limit", backends=1, workers=WORKERS)


def prepare(l):
    objects.bring_up(l, "appliance.yaml", "limits.yaml")
    objects.wait_answer(l, vip(l), HOST, "backend-1")


def vip(l):
    return objects.gateway_address(l, NS, "gw")


@contextlib.contextmanager
def connection(l):
    c = http.client.HTTPConnection(HOST)
    c.sock = l["client"].connect(vip(l), 80, timeout=5)
    try:
        yield c
    finally:
        c.close()


def ask(c, path, **headers):
    """(status, Retry-After) of one request on the connection."""
    c.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = c.getresponse()
    answer.read()
    return answer.status, answer.getheader("Retry-After")


def statuses(l, path, n, connections=1, **headers):
    """{status: how many} of n requests on each of so many connections."""
    seen = collections.Counter()
    for _ in range(connections):
        with connection(l) as c:
            seen.update(ask(c, path, **headers)[0] for _ in range(n))
    return seen


def change(l, name, **spec):
    """Changes a RateLimit and waits until the workers have what came of it."""
    before = l.appliance.generation()
    l.appliance.api.patch("RateLimit", name, {"spec": spec}, NS)
    suite.eventually(lambda: l.appliance.generation() > before, f"RateLimit {name} is in effect as changed")


@suite.test("S23")
def a_routes_burst_passes_in_sum_over_the_workers_and_not_one_request_more(l):
    before = l.appliance.counters()
    seen = statuses(l, "/all", 2, CONNECTIONS)
    assert seen == {200: BURST, 429: 2 * CONNECTIONS - BURST}, seen
    after = l.appliance.counters()
    assert after["proxy_end_limited"] - before["proxy_end_limited"] == seen[429]
    with connection(l) as c:
        status, wait = ask(c, "/all")
        assert status == 429 and 0 < int(wait) <= 24 * 3600 * WORKERS // 100, (status, wait)
        assert ask(c, "/")[0] == 200, "the connection is kept, and other rules are not limited"


@suite.test("S23")
def each_value_of_a_header_has_its_limit(l):
    for key in ("one", "two"):
        assert statuses(l, "/keys", 9, X_Api_Key=key) == {200: KEY_REQUESTS, 429: 9 - KEY_REQUESTS}
    without = statuses(l, "/keys", 2, CONNECTIONS)
    assert without[200] == KEY_REQUESTS, without


@suite.test("S23")
def a_change_of_something_else_does_not_fill_the_buckets_and_one_of_the_limit_does(l):
    with connection(l) as c:
        while ask(c, "/keys", X_Api_Key="three")[0] == 200:
            pass
        before = l.appliance.generation()
        l.appliance.api.put(objects.route(NS, "other", [f"{NS}/gw"], [objects.to("app", port=80)], "other.example.com"))
        suite.eventually(lambda: l.appliance.generation() > before, "an unrelated route is in effect")
        assert ask(c, "/keys", X_Api_Key="three")[0] == 429
        change(l, "keys", requests=8)
        assert [ask(c, "/keys", X_Api_Key="three")[0] for _ in range(9)] == [200] * 8 + [429]


@suite.test("S23")
def a_client_is_counted_by_its_address(l):
    change(l, "keys", requests=6, key={"type": "ClientAddress", "name": None})
    assert statuses(l, "/keys", 10) == {200: 6, 429: 4}
    seen = statuses(l, "/keys", 7, CONNECTIONS)
    assert seen[200] == 6 * (WORKERS - 1), "each worker lets the whole limit through, and no more"


@suite.test("S23")
def without_its_rate_limit_a_rule_answers_500_and_the_status_says_why(l):
    api = l.appliance.api
    limit = api.get("RateLimit", "all", NS)
    api.delete("RateLimit", "all", NS)
    objects.wait_answer(l, vip(l), HOST, 500, path="/all")
    assert objects.answers(l, vip(l), HOST) == "backend-1", "other rules go on"
    said = suite.eventually(lambda: refusal(l), "ResolvedRefs is False")
    assert said["reason"] == "BackendNotFound" and f"RateLimit {NS}/all does not exist" in said["message"], said
    objects.await_parent_condition(l, NS, "app", "Accepted")
    api.put({"apiVersion": limit["apiVersion"], "kind": limit["kind"], "spec": {**limit["spec"], "burst": 30},
             "metadata": {"namespace": NS, "name": "all"}})
    objects.wait_answer(l, vip(l), HOST, {"backend-1"}, path="/all")
    suite.eventually(lambda: refusal(l) is None, "ResolvedRefs is True again")


@suite.test("S23")
def an_unknown_kind_of_filter_answers_500_and_the_status_names_it(l):
    rules = l.appliance.api.get("HTTPRoute", "app", NS)["spec"]["rules"]
    rules[1]["filters"] = [{"type": "ExtensionRef",
                            "extensionRef": {"group": "sluice.internal", "kind": "Ratelimit", "name": "a"}}]
    l.appliance.api.patch("HTTPRoute", "app", {"spec": {"rules": rules}}, NS)
    objects.wait_answer(l, vip(l), HOST, 500, path="/keys")
    said = suite.eventually(lambda: refusal(l), "ResolvedRefs is False")
    assert said["reason"] == "InvalidKind" and "kind Ratelimit" in said["message"], said


def refusal(l):
    """What ResolvedRefs says when it is False."""
    said = objects.parent_condition(l, NS, "app", "ResolvedRefs")
    return said if said["status"] == "False" else None
