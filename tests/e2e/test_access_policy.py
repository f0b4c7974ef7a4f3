# SPDX-License-Identifier: Apache-2.0
"""AccessPolicies on the wire: clients by their addresses, changes of the object, and one that is not there."""
import lab as labs
import objects
import suite

NS, HOST = "access", "app.example.com"
PRINTER4, STRANGER6 = f"{labs.FRONT4}.205", f"{labs.FRONT6}:ffff::10"


def lab():
    return labs.Lab("access-policy", backends=1, workers=2)


def prepare(l):
    l["client"].address("eth0", f"{PRINTER4}/24")
    objects.bring_up(l, "appliance.yaml", "access.yaml")
    objects.wait_answer(l, vip(l), HOST, "backend-1", path="/public")


def vip(l, family=4):
    return objects.gateway_address(l, NS, "gw", family)


def ask(l, path, *options, family=4):
    """The status of a request."""
    return l.curl(f"http://{HOST}{path}", *options, address=vip(l, family))[0]


def change(l, spec):
    """Changes the AccessPolicy and waits until the workers have what came of it."""
    before = l.appliance.generation()
    l.appliance.api.patch("AccessPolicy", "office", {"spec": spec}, NS)
    suite.eventually(lambda: l.appliance.generation() > before, "the AccessPolicy is in effect as changed")


@suite.test("S23")
def who_is_allowed_passes_and_who_is_denied_gets_403(l):
    before = l.appliance.counters()
    assert ask(l, "/", "--interface", labs.CLIENT4) == 200
    assert ask(l, "/", "--interface", PRINTER4) == 403
    assert ask(l, "/public", "--interface", PRINTER4) == 200, "other rules take everybody"
    assert ask(l, "/", family=6) == 200
    assert ask(l, "/", "--interface", PRINTER4, "-H", f"X-Forwarded-For: {labs.CLIENT4}") == 403
    after = l.appliance.counters()
    assert after["proxy_end_denied"] - before["proxy_end_denied"] == 2


@suite.test("S23")
def a_policy_that_is_changed_holds_for_the_next_request(l):
    change(l, {"addresses": {"allow": [PRINTER4], "deny": None}})
    assert ask(l, "/", "--interface", labs.CLIENT4) == 403
    assert ask(l, "/", "--interface", PRINTER4) == 200
    assert ask(l, "/", family=6) == 403
    change(l, {"addresses": {"allow": ["::/0"]}})
    assert ask(l, "/", family=6) == 200
    assert ask(l, "/", "--interface", PRINTER4) == 403, "no IPv4 address is one of IPv6"
    change(l, {"addresses": {"allow": None, "deny": ["0.0.0.0/0"]}})
    assert ask(l, "/", family=6) == 200
    assert ask(l, "/", "--interface", labs.CLIENT4) == 403
    change(l, {"addresses": None})
    assert ask(l, "/", "--interface", PRINTER4) == 200, "a policy that says nothing takes everybody"


@suite.test("S23")
def without_its_policy_a_rule_answers_500_and_the_status_says_why(l):
    api = l.appliance.api
    policy = api.get("AccessPolicy", "office", NS)
    api.delete("AccessPolicy", "office", NS)
    objects.wait_answer(l, vip(l), HOST, 500)
    assert objects.answers(l, vip(l), HOST, "/public") == "backend-1", "other rules go on"
    said = suite.eventually(lambda: refusal(l), "ResolvedRefs is False")
    assert said["reason"] == "BackendNotFound" and f"AccessPolicy {NS}/office does not exist" in said["message"], said
    api.put({"apiVersion": policy["apiVersion"], "kind": policy["kind"], "spec": policy["spec"],
             "metadata": {"namespace": NS, "name": "office"}})
    objects.wait_answer(l, vip(l), HOST, "backend-1")
    suite.eventually(lambda: refusal(l) is None, "ResolvedRefs is True again")


def refusal(l):
    """What ResolvedRefs says when it is False."""
    said = objects.parent_condition(l, NS, "app", "ResolvedRefs")
    return said if said["status"] == "False" else None
