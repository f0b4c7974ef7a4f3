# SPDX-License-Identifier: Apache-2.0
"""HealthPolicies as clients see them: who fails is left alone, who is new begins slowly, a rollout fails nobody."""
import time

import backend
import lab as labs
import load
import objects
import suite

NS, WORKERS = "health", 2
PODS = 3  # of a Deployment; the other backends are those that it is rolled out to
GRACE_S = 0.5


def lab():
    return labs.Lab("health", backends=2 * PODS, workers=WORKERS)


class Sick(backend.Nginx):
    """Takes connections and requests, and says that it cannot work."""
    location = 'return 503 "{name} is sick\\n";'


def prepare(l):
    objects.bring_up(l, "appliance.yaml", "health.yaml")
    objects.wait_answer(l, objects.gateway_address(l, NS, "gw"), host_of("app"), names(1, 2, 3))


def host_of(app):
    return f"{app}.example.com"


def names(*numbers):
    return {f"backend-{n}" for n in numbers}


def serve(l, app, *numbers, **policy):
    """An app on these backends with that HealthPolicy; the address of its Gateway once it is answered."""
    api = l.appliance.api
    api.put(objects.service(NS, app))
    api.put(objects.slice_of(NS, app, *[labs.backend_address(n) for n in numbers]))
    api.put({"apiVersion": "sluice.internal/v1", "kind": "HealthPolicy", "metadata": {"namespace": NS, "name": app},
             "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": app}], **policy}})
    api.put(objects.route(NS, app, [f"{NS}/gw"], [objects.to(app)], host_of(app)))
    address = objects.gateway_address(l, NS, "gw")
    objects.wait_answer(l, address, host_of(app), names(*numbers) | {503})
    objects.require_policy(l, "HealthPolicy", app, NS)
    return address


def ask(l, app, n):
    """Who answered each of n requests."""
    address = objects.gateway_address(l, NS, "gw")
    return [objects.answers(l, address, host_of(app)) for _ in range(n)]


def counted(l, name):
    return l.appliance.counters()[name]


def ask_until_more(l, app, name, before):
    """Asks until the counter is above that."""
    suite.eventually(lambda: ask(l, app, 4) and counted(l, name) > before, f"{name} is above {before}", 20)


def replace_backend(l, n, kind):
    l.backends[n - 1].process.end()
    l.backends[n - 1] = kind(l, f"backend-{n}")
    l.backends[n - 1].wait_ready()


@suite.test("-")
def the_example_serves_and_its_policy_is_accepted(l):
    objects.require_policy(l, "HealthPolicy", "app", NS)
    assert set(ask(l, "app", 30)) == names(1, 2, 3)


@suite.test("-")
def an_endpoint_that_answers_503_is_left_alone(l):
    replace_backend(l, 1, Sick)
    before = counted(l, "upstream_ejected")
    serve(l, "sick", 1, 2, 3, passive={"consecutiveFailures": 3, "baseEjectionTime": "10m", "maxEjectionTime": "1h"})
    ask_until_more(l, "sick", "upstream_ejected", before)
    assert set(ask(l, "sick", 30)) == names(2, 3)  # of all workers, whichever found out
    assert counted(l, "upstream_ejected") == before + 1
    suite.eventually(lambda: counted(l, "upstream_ejected_now") == 1, "one endpoint rests")
    replace_backend(l, 1, backend.Nginx)


@suite.test("-")
def an_endpoint_that_refuses_connections_comes_back_when_its_time_is_over(l):
    l.backends[0].process.end()
    before = counted(l, "upstream_ejected")
    serve(l, "refusing", 1, 2, 3, passive={"consecutiveFailures": 2, "baseEjectionTime": "1s", "maxEjectionTime": "1s"})
    ask_until_more(l, "refusing", "upstream_ejected", before)
    replace_backend(l, 1, backend.Nginx)
    suite.eventually(lambda: "backend-1" in ask(l, "refusing", 6), "backend-1 gets requests again", 20)
    assert set(ask(l, "refusing", 30)) == names(1, 2, 3)


@suite.test("-")
def when_all_fail_requests_still_reach_them(l):
    for n in (1, 2, 3):
        replace_backend(l, n, Sick)
    before = {name: counted(l, name) for name in ("upstream_ejected", "upstream_panic", "upstream_no_endpoint")}
    address = serve(l, "all-fail", 1, 2, 3, passive={"consecutiveFailures": 1, "baseEjectionTime": "10m",
                                                     "maxEjectionTime": "1h", "maxEjectedPercent": 100})
    ask_until_more(l, "all-fail", "upstream_ejected", before["upstream_ejected"] + 2)
    heard = {l.curl(f"http://{host_of('all-fail')}/", address=address)[2].decode() for _ in range(30)}
    assert heard == {f"{name} is sick\n" for name in names(1, 2, 3)}, heard
    assert counted(l, "upstream_panic") > before["upstream_panic"]
    assert counted(l, "upstream_no_endpoint") == before["upstream_no_endpoint"]
    for n in (1, 2, 3):
        replace_backend(l, n, backend.Nginx)


def endpoint(n, is_going=False):
    return {"addresses": [labs.backend_address(n)],
            "conditions": {"ready": not is_going, "serving": True, "terminating": is_going}}


def roll_out(l, app, olds, news):
    """Replaces one pod after the other, as a Deployment does, and ends the processes of the old ones."""
    def tell(going=()):
        l.appliance.api.patch("EndpointSlice", f"{app}-ipv4",
                              {"endpoints": [endpoint(n, n in going) for n in sorted(running)]}, NS)
    running = set(olds)
    for old, new in zip(olds, news):
        running.add(new)
        tell()
        tell(going={old})
        time.sleep(GRACE_S)  # what a pod finishes in
        l.backends[old - 1].process.end()
        running.remove(old)
        tell()
    for old in olds:
        replace_backend(l, old, backend.Nginx)


@suite.test("-")
def a_rollout_of_all_pods_under_load_fails_no_request(l):
    olds, news = list(range(1, PODS + 1)), list(range(PODS + 1, 2 * PODS + 1))
    address = serve(l, "rolled", *olds, passive={"consecutiveFailures": 1}, slowStart="2s")
    with load.Load(l, address, host_of("rolled")) as running:
        suite.eventually(lambda: set(ask(l, "rolled", 6)) == names(*olds), "all pods are asked", 20)
        roll_out(l, "rolled", olds, news)
        suite.eventually(lambda: set(ask(l, "rolled", 20)) == names(*news), "all new pods are asked", 20)
        roll_out(l, "rolled", news, olds)
        suite.eventually(lambda: set(ask(l, "rolled", 20)) == names(*olds), "all old pods are asked again", 20)
        running.require_clean(at_least=300)
        assert set(running.result["bodies"]) == names(*olds, *news), running.result["bodies"]


def shares(l, app, address):
    """How many requests of a load each backend gets."""
    before = counted(l, "proxy_end_complete")
    with load.Load(l, address, host_of(app)) as running:
        suite.eventually(lambda: counted(l, "proxy_end_complete") > before + 400, "the load asks", 30)
    assert running.result["failed"] == 0, running.result
    return running.result["bodies"]


@suite.test("-")
def a_new_endpoint_begins_slowly(l):
    api, app = l.appliance.api, "slow"
    address = serve(l, app, 1, 2, slowStart="10m")
    api.put(objects.slice_of(NS, app, *[labs.backend_address(n) for n in (1, 2, 3)]))
    suite.eventually(lambda: "backend-3" in ask(l, app, 8), "backend-3 gets requests", 30)
    had = shares(l, app, address)
    assert 0 < had["backend-3"] < (had["backend-1"] + had["backend-2"]) / 4, had  # half of theirs
    before = l.appliance.generation()
    api.delete("HealthPolicy", app, NS)
    suite.eventually(lambda: l.appliance.generation() > before, "the policy is gone")
    had = shares(l, app, address)
    assert had["backend-3"] > (had["backend-1"] + had["backend-2"]) / 4, had
