# SPDX-License-Identifier: Apache-2.0
"""Balancing Maglev with real backends: a key stays at its pod on every worker, and few keys move when a pod goes."""
import control
import lab as labs
import objects
import suite

NS, HOST = "maglev", "app.example.com"
N_BACKENDS, WORKERS, KEYS = 4, 2, 60
ALL = range(1, N_BACKENDS + 1)


def lab():
    return labs.Lab("maglev", backends=N_BACKENDS, workers=WORKERS)


def prepare(l):
    l.start_backends()
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    for o in (objects.namespace(NS), objects.gateway(NS, "gw"), objects.service(NS, "app"),
              objects.slice_of(NS, "app", *map(labs.backend_address, ALL)),
              objects.route(NS, "app", [f"{NS}/gw"], [objects.to("app")], HOST)):
        l.appliance.api.put(o)
    objects.wait_answer(l, vip(l), HOST, {f"backend-{n}" for n in ALL})


def vip(l):
    return objects.gateway_address(l, NS, "gw")


def balance(l, **hash_on):
    """Puts the policy, and waits until every worker serves it: an image of what it was is not one more."""
    before = l.appliance.generation()
    spec = {"targetRefs": [{"group": "", "kind": "Service", "name": "app"}],
            "balancing": "Maglev", **({"hashOn": hash_on} if hash_on else {})}
    l.appliance.api.put({"apiVersion": "sluice.internal/v1", "kind": "TransportPolicy",
                         "metadata": {"namespace": NS, "name": "hashed"}, "spec": spec})
    if hash_on != getattr(l, "hash_on", None):
        suite.eventually(lambda: l.appliance.generation() > before, "the policy is served", 10)
    l.hash_on = hash_on
    assert l.appliance.counters()["core_maglevs_now"] == 1


def endpoints(l, numbers):
    """Puts the Service's endpoints, and waits until the dataplane has them."""
    before = l.appliance.counters()["core_endpoints_accepted"]
    l.appliance.api.put(objects.slice_of(NS, "app", *map(labs.backend_address, numbers)))
    suite.eventually(lambda: l.appliance.counters()["core_endpoints_accepted"] > before, "the endpoints are in use", 10)


def ask(l, *options):
    status, _, body = l.curl(f"http://{HOST}/", *options, address=vip(l))
    assert status == 200, (status, body)
    return body.split(b" ")[0].decode()


def by_header(l):
    """Who answers each value of the header; each asked over a connection of its own."""
    return {n: ask(l, "-H", f"X-Tenant: tenant-{n}") for n in range(KEYS)}


def asked_by_worker(l):
    telemetry = control.hello(l.appliance.run_dir).telemetry
    return [telemetry.worker(n)["upstream_asked"] for n in range(WORKERS)]


@suite.test("#4")
def a_client_reaches_the_same_pod_on_every_worker(l):
    balance(l)
    before = asked_by_worker(l)
    assert len({ask(l, "-H", f"X-Tenant: {n}") for n in range(40)}) == 1
    suite.eventually(lambda: all(now > then for now, then in zip(asked_by_worker(l), before)),
                     "both workers have asked a pod", 10)
    objects.require_policy(l, "TransportPolicy", "hashed", NS)


@suite.test("#4")
def a_header_reaches_the_same_pod_and_few_move_when_another_pod_goes(l):
    balance(l, type="Header", name="X-Tenant")
    before = by_header(l)
    assert by_header(l) == before
    assert set(before.values()) == {f"backend-{n}" for n in ALL}, before
    gone = before[0]
    endpoints(l, [n for n in ALL if f"backend-{n}" != gone])
    after = by_header(l)
    assert gone not in after.values(), after
    moved = [n for n in range(KEYS) if before[n] not in (gone, after[n])]
    print(f"{len(moved)} of {KEYS} keys moved besides the {list(before.values()).count(gone)} of {gone}")
    assert len(moved) <= KEYS // 10, moved
    endpoints(l, ALL)
    assert by_header(l) == before


@suite.test("#4")
def a_cookie_reaches_the_same_pod_and_without_it_the_client_does(l):
    balance(l, type="Cookie", name="tenant")
    plain = ask(l)
    assert {ask(l, "-H", "X-Tenant: 1", "-b", f"Tenant={n}") for n in range(10)} == {plain}
    first = {n: ask(l, "-b", f"tenant={n}") for n in range(20)}
    assert {n: ask(l, "-b", f"a=b; tenant={n}; c=d") for n in first} == first
    assert len(set(first.values())) > 1, first


@suite.test("#4")
def a_restart_of_the_dataplane_moves_no_key(l):
    balance(l, type="Header", name="X-Tenant")
    before = by_header(l)
    l.appliance.dataplane.kill()
    l.appliance.start_dataplane()
    objects.wait_answer(l, vip(l), HOST, {f"backend-{n}" for n in ALL}, limit_s=10)
    assert by_header(l) == before
    assert l.appliance.counters()["upstream_maglev_none"] == 0


@suite.test("#4")
def a_key_whose_pod_refuses_connections_goes_to_another_and_the_others_stay(l):
    balance(l, type="Header", name="X-Tenant")
    before = by_header(l)
    victim = l.backends[int(before[0].removeprefix("backend-")) - 1]
    victim.process.kill()
    after = by_header(l)
    assert before[0] not in after.values(), after
    assert {n: who for n, who in after.items() if before[n] != before[0]} == \
           {n: who for n, who in before.items() if who != before[0]}
    victim.start()
    victim.wait_ready()
    suite.eventually(lambda: by_header(l) == before, "keys are where they were", 20)
