# SPDX-License-Identifier: Apache-2.0
"""AccessPolicies on the wire: clients by their addresses and by passwords, changes of the objects, and one that is not
there. Passwords are real: bcrypt of cost 10, some 50 ms each."""
import concurrent.futures

import lab as labs
import objects
import suite

NS, HOST = "access", "app.example.com"
WORKERS = 2
PRINTER4 = f"{labs.FRONT4}.205"
OTHER = ("$6$rounds=1000$saltsalt$"  # of "pass:word"
         "kF2jhmjjaYMFwyvHjGPaaYIXzg6he1ejETHRovgPV.NWWVvadW85.fyrVpYCuxrzvLPelwDHs8BD4NdLZSR1E0")
WEAK = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="


def lab():
    return labs.Lab("access-policy", backends=1, workers=WORKERS)


def prepare(l):
    l["client"].address("eth0", f"{PRINTER4}/24")
    objects.bring_up(l, "appliance.yaml", "access.yaml")
    objects.wait_answer(l, vip(l), HOST, "backend-1", path="/public")


def vip(l, family=4):
    return objects.gateway_address(l, NS, "gw", family)


def ask(l, path, *options, family=4, address=None):
    """The status of a request."""
    return l.curl(f"http://{HOST}{path}", *options, address=address or vip(l, family))[0]


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
def who_has_the_password_passes_and_others_are_asked_for_it(l):
    status, headers, _ = l.curl(f"http://{HOST}/books", address=vip(l))
    assert status == 401 and headers["www-authenticate"] == 'Basic realm="the library", charset="UTF-8"', headers
    assert ask(l, "/books", "-u", "ada:secret") == 200
    assert ask(l, "/books", "-u", "ada:guess") == 401
    assert ask(l, "/books", "-u", "eve:secret") == 401
    assert ask(l, "/public") == 200
    assert ask(l, "/books", "-u", "ada:secret", "-X", "POST", "-d", "x" * 100000) in (200, 405), "the body waits, too"


@suite.test("S23")
def requests_of_others_go_on_while_passwords_are_looked_at(l):
    """Wrong passwords by the dozen, all different, so each costs a hash; between them requests that need none, and
    those of who has the right one. On a machine that is busy with other things some wait too long, and are told so."""
    before, to = l.appliance.counters(), {"address": vip(l)}
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        wrong = [pool.submit(ask, l, "/books", "-u", f"ada:{n}", **to) for n in range(24)]
        plain = [pool.submit(ask, l, "/public", **to) for _ in range(24)]
        right = [pool.submit(ask, l, "/books", "-u", "ada:secret", **to) for _ in range(24)]
        wrong, plain, right = ([f.result() for f in fs] for fs in (wrong, plain, right))
    assert set(wrong) <= {401, 503} and set(right) <= {200, 503} and set(plain) == {200}, (wrong, right, plain)
    suite.eventually(lambda: ask(l, "/books", "-u", "ada:secret", **to) == 200, "the right password is good", 30)
    after = l.appliance.counters()
    assert after["proxy_end_unauthenticated"] - before["proxy_end_unauthenticated"] == wrong.count(401)
    looked = after["proxy_verifications"] - before["proxy_verifications"]
    assert 24 <= looked <= 24 + WORKERS, "the good password is looked at once a worker"


@suite.test("S23")
def a_password_that_is_changed_holds_for_the_next_request(l):
    api = l.appliance.api
    assert ask(l, "/books", "-u", "ada:secret") == 200
    before = l.appliance.generation()
    api.patch("Secret", "readers", {"stringData": {".htpasswd": f"ada:{OTHER}\n"}}, NS)
    suite.eventually(lambda: l.appliance.generation() > before, "the Secret is in effect as changed")
    status = ask(l, "/books", "-u", "ada:secret")
    assert status == 401, f"{status}, not 401"
    assert ask(l, "/books", "-u", "ada:pass:word") == 200


@suite.test("S23")
def a_weak_hash_is_refused_by_its_line_and_shown_nowhere(l):
    api = l.appliance.api
    api.patch("Secret", "readers", {"stringData": {".htpasswd": f"ada:{OTHER}\neve:{WEAK}\n"}}, NS)
    objects.wait_answer(l, vip(l), HOST, 500, path="/books")
    said = suite.eventually(lambda: whole(objects.parent_condition(l, NS, "app", "PartiallyInvalid")), "it is said")
    assert "line 2 of .htpasswd" in said["message"] and WEAK not in said["message"], said
    api.patch("Secret", "readers", {"stringData": {".htpasswd": f"ada:{OTHER}\n"}}, NS)
    suite.eventually(lambda: ask(l, "/books", "-u", "ada:pass:word") == 200, "the password is good again")
    for name in ("mgmtd", "dataplane"):
        with open(f"{l.logs}/{name}.log", encoding="utf-8", errors="replace") as log:
            text = log.read()
        assert OTHER not in text and WEAK not in text and "pass:word" not in text, name


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


def whole(condition):
    """The condition if it is True."""
    return condition if condition["status"] == "True" else None


def refusal(l):
    """What ResolvedRefs says when it is False."""
    said = objects.parent_condition(l, NS, "app", "ResolvedRefs")
    return said if said["status"] == "False" else None
