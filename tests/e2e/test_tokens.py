# SPDX-License-Identifier: Apache-2.0
"""Tokens that AccessPolicies ask for (JWT), signed by openssl: good ones, each kind of bad one, and keys that
change."""
import concurrent.futures
import time

import lab as labs
import objects
import suite
import tokens

NS, HOST, ISSUER = "tokens", "app.example.com", "https://issuer.example.com"
WORKERS = 2
keys = {}


def lab():
    return labs.Lab("tokens", backends=1, workers=WORKERS)


def prepare(l):
    for kid, alg in (("rsa", "RS256"), ("ec", "ES256"), ("stranger", "ES256")):
        keys[kid] = tokens.Key(l.logs, kid, alg)
    objects.bring_up(l, "appliance.yaml")
    api = l.appliance.api
    api.put(objects.namespace(NS))
    api.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": NS, "name": "keys"},
             "data": {"jwks.json": tokens.key_set(keys["rsa"], keys["ec"])}})
    api.put({"apiVersion": "sluice.internal/v1", "kind": "AccessPolicy", "metadata": {"namespace": NS, "name": "api"},
             "spec": {"jwt": {"issuer": ISSUER, "audiences": ["app"], "realm": "the api",
                              "jwks": {"configMapRef": {"name": "keys"}}}}})
    api.put(objects.gateway(NS, "gw"))
    api.put(objects.service(NS, "one"))
    api.put(objects.slice_of(NS, "one", labs.backend_address(1)))
    guarded = {"filters": [{"type": "ExtensionRef", "extensionRef": {"group": "sluice.internal", "kind": "AccessPolicy",
                                                                     "name": "api"}}], **objects.to("one")}
    api.put(objects.route(NS, "app", [f"{NS}/gw"], [objects.matching({"path": {"value": "/public"}}, objects.to("one")),
                                                    guarded], HOST))
    objects.wait_answer(l, vip(l), HOST, "backend-1", path="/public")


def vip(l):
    return objects.gateway_address(l, NS, "gw")


def claims(**changes):
    now = int(time.time())
    return {"iss": ISSUER, "aud": "app", "sub": "ada", "iat": now, "exp": now + 600, **changes}


def ask(l, token, path="/", address=None):
    return l.curl(f"http://{HOST}{path}", "-H", f"Authorization: Bearer {token}", address=address or vip(l))[0]


def set_keys(l, *names):
    before = l.appliance.generation()
    l.appliance.api.patch("ConfigMap", "keys", {"data": {"jwks.json": tokens.key_set(*(keys[n] for n in names))}}, NS)
    suite.eventually(lambda: l.appliance.generation() > before, "the keys are in effect as changed")


@suite.test("S23")
def good_tokens_come_in_and_who_has_none_is_asked(l):
    for kid in ("rsa", "ec"):
        token = keys[kid].token(claims())
        assert [ask(l, token) for _ in range(4)] == [200] * 4, kid
    assert ask(l, keys["ec"].token(claims(aud=["x", "app"]), typ="at+jwt")) == 200
    status, headers, _ = l.curl(f"http://{HOST}/", address=vip(l))
    assert status == 401 and headers["www-authenticate"] == 'Bearer realm="the api"', headers
    status, headers, _ = l.curl(f"http://{HOST}/", "-H", "Authorization: Bearer x", address=vip(l))
    assert status == 401 and headers["www-authenticate"] == 'Bearer realm="the api", error="invalid_token"', headers
    assert l.curl(f"http://{HOST}/", "-u", "ada:secret", address=vip(l))[0] == 401
    assert l.curl(f"http://{HOST}/public", address=vip(l))[0] == 200


@suite.test("S23")
def each_kind_of_bad_token_is_refused(l):
    rsa, ec, now = keys["rsa"], keys["ec"], int(time.time())
    good = rsa.token(claims())
    head, payload, signature = good.split(".")
    bad = {
        "expired": ec.token(claims(exp=now - 3600)),
        "not yet": ec.token(claims(nbf=now + 3600)),
        "without an end": ec.token({k: v for k, v in claims().items() if k != "exp"}),
        "of another issuer": ec.token(claims(iss=ISSUER + "/")),
        "for others": ec.token(claims(aud="other")),
        "of a key that is not there": keys["stranger"].token(claims()),
        "of a key that says it is another": keys["stranger"].token(claims(), kid="ec"),
        "signed by nobody": tokens.unsigned(claims()),
        "signed by what everybody knows": rsa.forged(claims()),
        "with other claims": f"{head}.{tokens.part(claims(sub='eve'))}.{signature}",
        "cut": good[:-1],
        "without a signature": f"{head}.{payload}.",
        "with a critical extension": ec.token(claims(), crit=["b64"], b64=False),
        "too long": ec.token(claims(fill="x" * 4096)),
    }
    assert ask(l, good) == 200
    got = {why: ask(l, token) for why, token in bad.items()}
    assert set(got.values()) == {401}, got
    twice = ["-H", f"Authorization: Bearer {good}"] * 2
    assert l.curl(f"http://{HOST}/", *twice, address=vip(l))[0] == 401
    assert ask(l, good) == 200


@suite.test("S23")
def many_tokens_at_once_are_each_looked_at_and_others_go_on(l):
    to, before = {"address": vip(l)}, l.appliance.counters()
    good = [keys["ec"].token(claims(jti=str(n))) for n in range(16)]
    bad = [keys["stranger"].token(claims(jti=str(n)), kid="ec") for n in range(16)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        asked = [[pool.submit(ask, l, t, **to) for t in tokens_] for tokens_ in (good, bad)]
        plain = [pool.submit(ask, l, "x", "/public", **to) for _ in range(16)]
        good, bad, plain = ([f.result() for f in fs] for fs in (*asked, plain))
    assert set(good) <= {200, 503} and set(bad) <= {401, 503} and set(plain) == {200}, (good, bad, plain)
    after = l.appliance.counters()
    assert after["proxy_end_unauthenticated"] - before["proxy_end_unauthenticated"] == bad.count(401)
    assert after["proxy_verifications"] - before["proxy_verifications"] <= 32


@suite.test("S23")
def a_key_that_is_changed_holds_for_the_next_request(l):
    old, new = keys["ec"].token(claims()), keys["stranger"].token(claims())
    assert ask(l, old) == 200 and ask(l, new) == 401
    set_keys(l, "rsa", "ec", "stranger")
    assert ask(l, old) == 200 and ask(l, new) == 200
    set_keys(l, "rsa", "stranger")
    assert ask(l, old) == 401 and ask(l, new) == 200
    set_keys(l, "rsa", "ec")
    assert ask(l, old) == 200 and ask(l, new) == 401


@suite.test("S23")
def keys_of_no_use_are_told_by_their_place(l):
    api = l.appliance.api
    api.patch("ConfigMap", "keys", {"data": {"jwks.json": '{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}'}}, NS)
    objects.wait_answer(l, vip(l), HOST, 500)
    said = objects.parent_condition(l, NS, "app", "PartiallyInvalid")
    assert said["status"] == "True" and "keys[0] has private parts" in said["message"], said
    assert "c2VjcmV0" not in said["message"]
    api.delete("ConfigMap", "keys", NS)
    suite.eventually(lambda: f"ConfigMap {NS}/keys does not exist" in objects.parent_condition(
        l, NS, "app", "ResolvedRefs").get("message", ""), "the status says what is not there")
    assert l.curl(f"http://{HOST}/public", address=vip(l))[0] == 200, "other rules go on"
    api.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": NS, "name": "keys"},
             "data": {"jwks.json": tokens.key_set(keys["ec"])}})
    suite.eventually(lambda: ask(l, keys["ec"].token(claims())) == 200, "tokens are good again")
