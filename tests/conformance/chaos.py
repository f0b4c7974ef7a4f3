#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev test chaos [--seconds N] [--seed S]: mishaps of a real cluster by chance, one after the other in the order and
with the figures of the seed, under load and changes. In the end no request has failed, nothing that the cluster has was
removed at the appliance, every status is of its own generation and true, and the last changes are on the wire."""
import argparse
import collections
import os
import random
import re
import shutil
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", folder) for folder in ("e2e", "lab")]

import programs  # noqa: E402 (its folder is known only now)
import api  # noqa: E402
import cleanup  # noqa: E402
import kubernetes  # noqa: E402
import rig  # noqa: E402
import shop  # noqa: E402
import suite  # noqa: E402

SECONDS = 600
HOLD = ("--hold-mass-seconds", "5", "--hold-few-seconds", "1")  # an impatient operator's: what is not safe shows
GROUP = "gateway.networking.k8s.io"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
IN_ETCD = b"/registry/apiextensions.k8s.io/customresourcedefinitions/"
RIGHTS = (f"{RBAC}/clusterrolebindings", f"{RBAC}/namespaces/{rig.WHERE}/rolebindings")
KINDS = {"gatewayclasses": "GatewayClass", "gateways": "Gateway", "httproutes": "HTTPRoute"}  # as they are put back
BOTH_OR_ONE = ((0,), (1,), (0, 1))
APPEAR_S = 90


class Mishaps:
    """What can happen to a cluster. Each method is one mishap from its beginning to the end of it, and takes its
    figures from `rng`."""

    def __init__(self, l, rng, changes):
        self.l, self.cluster, self.rng, self.changes = l, l.cluster, rng, changes
        self.api = l.cluster.new_api()
        self.n_amid = 0  # controllers killed amid another mishap
        self.files = {m[1]: f for f in programs.crds() if (m := re.search(rf"/{GROUP}_([a-z]+)\.yaml$", f))}

    def insist(self, method, url, body=None):
        return shop.insist(lambda: self.api.call(method, url, body), f"{method} {url}", APPEAR_S)

    def api_server_killed(self):
        away_s = self.rng.uniform(0.2, 6)
        self.cluster.apiserver.kill()
        self.amid(away_s)
        self.cluster.start_apiserver()

    def api_server_empty(self):
        """As after a restore that went wrong: the same API server on an etcd without anything, for a while."""
        empty_s = self.rng.uniform(2, 8)
        self.restart_with("etcd-empty")
        self.amid(empty_s)
        self.restart_with("etcd")
        shutil.rmtree(self.cluster.path("etcd-empty"))

    def restart_with(self, data):
        self.cluster.apiserver.kill()
        self.cluster.etcd.end()
        self.cluster.start_etcd(data)
        self.cluster.start_apiserver()

    def definitions_lost(self):
        """Not deleted but gone, from etcd; their objects stay there, and are seen again when they are back."""
        lost_s = self.rng.uniform(2, 8)
        lost = {k: v for k, v in self.cluster.stored(IN_ETCD).items() if k.endswith(GROUP.encode())}
        for key in lost:
            self.cluster.etcd_ask("kv/deleterange", key=key)
        self.amid(lost_s)
        for key, value in lost.items():
            self.cluster.etcd_ask("kv/put", key=key, value=value)

    def definition_deleted(self):
        """With all objects of the kind, or those of all kinds; then made anew, and the objects put back."""
        plurals, gone_s = self.rng.choice((["httproutes"], ["gateways"], sorted(self.files))), self.rng.uniform(1, 8)
        with self.changes.pause:
            kept = shop.insist(lambda: self.objects_of(plurals), f"lists of {plurals}", APPEAR_S)
            self.delete_definitions(plurals)
        self.amid(gone_s)
        self.make_definitions(plurals)
        self.put_back(kept)

    def objects_of(self, plurals):
        return [o for plural, kind in KINDS.items() if plural in plurals for o in self.api.list(kind)]

    def delete_definitions(self, plurals):
        urls = [f"{kubernetes.DEFINITIONS}/{plural}.{GROUP}" for plural in plurals]
        for url in urls:
            self.insist("DELETE", url)

        def is_gone(url):
            try:
                return self.api.call("GET", url) is None
            except api.Refused as e:
                return e.status == 404
        for url in urls:
            suite.eventually(lambda: is_gone(url), f"{url} is gone", APPEAR_S)

    def make_definitions(self, plurals):
        self.cluster.define(*[self.files[p] for p in plurals])

    def put_back(self, kept):
        for o in kept:
            shop.insist(lambda: self.api.put(shop.bare(o)), f"{o['kind']} {o['metadata']['name']}", APPEAR_S)

    def rights_revoked(self):
        """Now and then the API server is started anew meanwhile: then watches are refused, too."""
        without_s, is_restarted = self.rng.uniform(3, 15), self.rng.random() < 0.5
        kept = {url: self.insist("GET", f"{url}/sluice-controller") for url in RIGHTS}
        for url in RIGHTS:
            self.insist("DELETE", f"{url}/sluice-controller")
        if is_restarted:
            self.cluster.apiserver.kill()
            self.cluster.start_apiserver()
        self.amid(without_s)
        for url, binding in kept.items():
            self.insist("POST", url, shop.bare(binding))

    def etcd_stopped(self):
        stopped_s = self.rng.uniform(2, 12)
        os.kill(self.cluster.etcd.pid, signal.SIGSTOP)
        self.amid(stopped_s)
        os.kill(self.cluster.etcd.pid, signal.SIGCONT)

    def etcd_slow(self):
        """It runs in moments of milliseconds."""
        until = time.monotonic() + self.rng.uniform(5, 12)
        moments = random.Random(self.rng.random())  # how many there are is up to the machine
        while time.monotonic() < until:
            os.kill(self.cluster.etcd.pid, signal.SIGSTOP)
            time.sleep(moments.uniform(0.05, 0.5))
            os.kill(self.cluster.etcd.pid, signal.SIGCONT)
            time.sleep(moments.uniform(0.01, 0.1))

    def controller_killed(self):
        """One of the two, or both."""
        self.kill_controllers(self.rng.choice(BOTH_OR_ONE), self.rng.uniform(0, 5))

    def kill_controllers(self, which, away_s):
        for n in which:
            self.l.controllers[n].program.kill()
        time.sleep(away_s)
        for n in which:
            self.l.controllers[n].start()

    def amid(self, seconds):
        """Waits so long; one time of three controllers are killed meanwhile, and begin anew in the midst of it."""
        is_so, share, which = self.rng.random() < 1 / 3, self.rng.random(), self.rng.choice(BOTH_OR_ONE)
        time.sleep(seconds * share)
        if is_so:
            self.n_amid += 1
            self.kill_controllers(which, 0)
        time.sleep(seconds * (1 - share))


ALL = sorted(name for name, f in vars(Mishaps).items()
             if name.endswith(("_killed", "_empty", "_lost", "_deleted", "_revoked", "_stopped", "_slow")))


def forever(rng):
    """Names of mishaps: all in one order, then all in another."""
    while True:
        names = list(ALL)
        rng.shuffle(names)
        yield from names


def run(l, s, seconds, seed):
    """Mishaps for so long in the open shop `s`; prints what happened. AssertionError when something was not as it has
    to be."""
    print(f"chaos: seed {seed}, {seconds} s", flush=True)
    rng, happened, began = random.Random(seed), collections.Counter(), time.monotonic()
    with s.traffic():
        with s.changes(seed) as changes:
            mishaps = Mishaps(l, rng, changes)
            for name in forever(rng):
                if time.monotonic() - began >= seconds:
                    break
                at = time.monotonic()
                getattr(mishaps, name)()
                happened[name] += 1
                print(f"  {at - began:6.1f} s  {name}, {time.monotonic() - at:.1f} s", flush=True)
                require_running(l)
                time.sleep(rng.uniform(0.5, 4))
        began_settling = time.monotonic()
        s.settle()
        settled_s = time.monotonic() - began_settling
        s.require_untouched()
        ok, failed, closed = s.requests()
    told = {**{name: happened[name] for name in ALL}, "mishaps": sum(happened.values()),
            "controller_killed_amid": mishaps.n_amid, "changes_taken": changes.taken,
            "changes_refused": changes.refused, "settled_s": f"{settled_s:.1f}", "requests_ok": ok,
            "requests_failed": failed, "connections_closed": closed}
    print("\n".join(f"{name} {value}" for name, value in told.items()), flush=True)


def require_running(l):
    for p in (l.appliance.mgmtd, l.appliance.dataplane, *[c.program for c in l.controllers]):
        assert p.is_running(), f"{p.name} ended by itself with status {p.popen.returncode}\n{p.log_end()}"


def bring_up(l):
    """The cluster as it is installed, two controllers, the appliance, and the open shop."""
    l.start_backends()
    l.start_cluster(pods=False)
    l.install()
    l.start_appliance()
    l.start_pair(*HOLD)
    s = shop.Shop(l)
    s.open()
    return s


def main():
    parser = argparse.ArgumentParser(prog="./dev test chaos", description=__doc__)
    parser.add_argument("--seconds", type=int, default=SECONDS, help=f"of mishaps ({SECONDS})")
    parser.add_argument("--seed", type=int, help="the same again (by chance)")
    asked = parser.parse_args()
    cleanup.end_on_signals()
    programs.cluster()
    seed = random.randrange(10 ** 6) if asked.seed is None else asked.seed

    def no_request_fails_nothing_is_deleted_and_all_converges():
        with rig.Rig("chaos", backends=2) as l:
            run(l, bring_up(l), asked.seconds, seed)
            for c in l.controllers:
                c.end_in_good_order()
            l.appliance.end_in_good_order()
    runner = suite.Runner()
    no_request_fails_nothing_is_deleted_and_all_converges.rows = "#8"
    try:
        runner.one(no_request_fails_nothing_is_deleted_and_all_converges)
    except cleanup.Ended:
        return 130
    print(f"chaos: {runner.passed} passed, {runner.failed} failed")
    return 1 if runner.failed else 0


if __name__ == "__main__":
    sys.exit(main())
