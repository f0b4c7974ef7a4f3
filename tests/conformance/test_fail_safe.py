# SPDX-License-Identifier: Apache-2.0
"""Two controllers as they are installed, at a real cluster whose kinds, rights and leaders go and come back."""
import base64
import contextlib
import json
import os
import random
import signal
import time

import chaos
import lab as labs
import objects
import rig
import shop
import suite

TEAM, ROUTES = "team", 15
WAIT_S = 60
CHAOS_S, CHAOS_SEED = 75, 8
POLICY = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": [
    {"level": "None", "verbs": ["get", "list", "watch"]},
    {"level": "None", "resources": [{"group": "coordination.k8s.io"}]},
    {"level": "Metadata", "userGroups": [f"system:serviceaccounts:{rig.WHERE}"]}]}
it = {}


class Rig(rig.Rig):
    """Its API server keeps a list of who wrote what."""

    def make_cluster(self):
        super().make_cluster()
        self.audit = self.cluster.path("audit.log")
        self.cluster.apiserver_options = ["--audit-policy-file", self.cluster.write("audit.json", json.dumps(POLICY)),
                                          "--audit-log-path", self.audit]


def lab():
    return Rig("fail-safe", backends=2)


def prepare(l):
    it["shop"] = chaos.bring_up(l)
    it["mishaps"] = chaos.Mishaps(l, random.Random(1), it["shop"].changes(1))


def leader(l):
    """The one that leads, alone."""
    def one():
        found = l.leaders()
        return len(found) == 1 and found[0]
    return suite.eventually(one, "one of the two leads", WAIT_S)


def a_change_arrives(version):
    s = it["shop"]
    shop.insist(lambda: s.api.put(s.route("r0", version)), "the change is taken")
    s.settle()


def writes_at_cluster(l):
    """(when, which of the two) of each write but those of Leases, in order. A token has a number of its own."""
    who = {}
    for c in l.controllers:
        claims = c.cluster.token.split(".")[1]
        who["JTI=" + json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["jti"]] = c.name
    found = []
    with open(l.audit) as f:
        for event in map(json.loads, f):
            ids = event["user"].get("extra", {}).get("authentication.kubernetes.io/credential-id", [])
            found += [(event["requestReceivedTimestamp"], who[i]) for i in ids if i in who]
    return sorted(found)


def writes_at_appliance(l):
    """The same of the appliance, where each has a token of its own name."""
    with open(os.path.join(l.appliance.state_dir, "audit.log")) as f:
        lines = [json.loads(line) for line in f]
    names = {c.name for c in l.controllers}
    return [(e["time"], e["token"]) for e in lines if e.get("token") in names]


def require_in_turns(l, wanted):
    """Who wrote, one after the other, from the first on; and none of them came back."""
    for where, writes in (("cluster", writes_at_cluster(l)), ("appliance", writes_at_appliance(l))):
        turns = [name for n, (_, name) in enumerate(writes) if n == 0 or writes[n - 1][1] != name]
        assert turns == wanted, f"{where}: {turns}, wanted {wanted}; the last: {writes[-12:]}"


@suite.test("#8")
def of_two_controllers_one_leads_and_when_it_is_killed_the_other_takes_over(l):
    with it["shop"].traffic():
        first = leader(l)
        a_change_arrives("led")
        first.program.kill()
        second = leader(l)
        assert second is not first
        a_change_arrives("taken-over")
        first.start()
        suite.eventually(first.is_ready, "the first is back", WAIT_S)
        a_change_arrives("still-led")
        assert leader(l) is second
    it["turns"] = [first.name, second.name]
    require_in_turns(l, it["turns"])


@suite.test("#8")
def a_leader_that_stood_still_does_not_write_beside_the_one_that_took_over(l):
    first = leader(l)
    with it["shop"].traffic():
        os.kill(first.program.pid, signal.SIGSTOP)
        (other,) = [c for c in l.controllers if c is not first]
        suite.eventually(lambda: other.metrics()["sluice_controller_leader"] == 1, "the other takes over", WAIT_S)
        a_change_arrives("stood-still")
        os.kill(first.program.pid, signal.SIGCONT)
        for n in range(10):
            a_change_arrives(f"goes-on-{n}")
    assert leader(l) is other
    it["turns"].append(other.name)
    require_in_turns(l, it["turns"])


@suite.test("#8")
def rights_that_are_revoked_take_nothing_away_and_when_they_are_back_all_goes_on(l):
    """Of running watches (which the new API server has begin again), of the lists of a controller that begins, of
    statuses and the Lease."""
    s, kept = it["shop"], {}
    with s.traffic():
        for url in chaos.RIGHTS:
            kept[url] = shop.bare(l.cluster.api.call("GET", f"{url}/sluice-controller"))
            l.cluster.api.call("DELETE", f"{url}/sluice-controller")
        suite.eventually(lambda: not l.leaders(), "nobody leads: the Lease is forbidden", WAIT_S)
        l.cluster.apiserver.kill()
        l.cluster.start_apiserver()
        restarted, other = l.controllers
        restarted.program.kill()
        restarted.start()
        for c, what in ((restarted, "list failed (403)"), (other, "watch failed (403)")):
            suite.eventually(lambda: what in c.log(), f"{c.name}: {what}", WAIT_S)
        shop.insist(lambda: s.api.put(s.route("r0", "forbidden")), "a change meanwhile")
        s.require_untouched()
        for url, binding in kept.items():
            shop.insist(lambda: l.cluster.api.call("POST", url, binding), "the rights are back")
        s.settle()
        assert leader(l)
    s.require_untouched()


def held(l):
    return leader(l).metrics()["sluice_controller_cluster_holding"]


@contextlib.contextmanager
def without(l, plurals):
    """These definitions are deleted, and each object goes from the cluster as if somebody had deleted it; afterwards
    the definitions are made anew, and a while later the objects."""
    s, m = it["shop"], it["mishaps"]
    with s.traffic():
        kept = m.objects_of(plurals)
        m.delete_definitions(plurals)
        suite.eventually(lambda: held(l) >= len(kept), f"{len(kept)} objects are held", WAIT_S)
        yield
        m.make_definitions(plurals)
        time.sleep(8)  # longer than any hold of these controllers, and the lists are empty
        s.require_untouched()
        m.put_back(kept)
        s.settle()
        suite.eventually(lambda: held(l) == 0, "nothing is held any more", WAIT_S)
    s.require_untouched()


@suite.test("#8")
def a_definition_that_is_deleted_takes_nothing_away_and_an_event_tells_of_it(l):
    for plural in ("httproutes", "gateways"):
        with without(l, [plural]):
            events = suite.eventually(lambda: [e for e in l.cluster.api.list("Event", "default") if e["reason"] ==
                                               "DeletionsHeld" and plural in e["message"]], "an Event says so", WAIT_S)
            assert {e["involvedObject"]["name"] for e in events} == {rig.CLASS}, events


@suite.test("#8")
def all_definitions_that_are_deleted_at_once_take_nothing_away(l):
    """As by kubectl delete -f of the release. The class has a finalizer, which may not stop it."""
    with without(l, sorted(it["mishaps"].files)):
        it["shop"].require_untouched()


def there(l, kind, name, ns=None):
    return l.appliance.api.find(kind, name, ns)


def goes(l, kind, name, ns=None):
    suite.eventually(lambda: there(l, kind, name, ns) is None, f"{kind} {name} goes", WAIT_S)


@suite.test("#8")
def what_went_with_its_definition_goes_when_an_operator_confirms(l):
    s, m = it["shop"], it["mishaps"]
    s.api.put(s.route("extra-gone"))
    s.settle()
    kept = [o for o in l.cluster.api.list("HTTPRoute", shop.NS) if o["metadata"]["name"] != "extra-gone"]
    m.delete_definitions(["httproutes"])
    m.make_definitions(["httproutes"])
    m.put_back(kept)
    suite.eventually(lambda: held(l) == 1, "what alone did not come back is held", WAIT_S)
    assert there(l, "HTTPRoute", "extra-gone", shop.NS)
    for c in l.controllers:
        os.kill(c.program.pid, signal.SIGUSR1)
    goes(l, "HTTPRoute", "extra-gone", shop.NS)
    s.settle()
    s.require_untouched()


@suite.test("#8")
def a_deletion_is_followed_and_so_is_that_of_a_namespace_with_all_that_is_in_it(l):
    s = it["shop"]
    s.api.put(s.route("extra-one"))
    s.settle()
    with s.traffic():
        s.api.delete("HTTPRoute", "extra-one", shop.NS)
        goes(l, "HTTPRoute", "extra-one", shop.NS)
        for o in (objects.namespace(TEAM), objects.service(TEAM, "one"),
                  objects.slice_of(TEAM, "one", labs.backend_address(1)),
                  *[s.route(f"team-{n}", ns=TEAM) for n in range(ROUTES)]):
            s.api.put(o)
        last = shop.host(f"team-{ROUTES - 1}")
        objects.wait_answer(l, s.vip, last, "backend-1", limit_s=WAIT_S)
        l.cluster.api.delete("Namespace", TEAM)
        goes(l, "Namespace", TEAM)
        objects.wait_answer(l, s.vip, last, 404, limit_s=WAIT_S)
    s.settle()


@suite.test("#8")
def a_minute_of_mishaps_by_chance_is_not_missed(l):
    chaos.run(l, it["shop"], CHAOS_S, CHAOS_SEED)


@suite.test("#8")
def both_controllers_end_in_good_order(l):
    for c in l.controllers:
        c.end_in_good_order()
