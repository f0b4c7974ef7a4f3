#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev bench controller [--routes N...] [--changes N] [--churn N...]: from a change at a real kube-apiserver to its
effect on the wire, by sluice-controller (the rig of tests/conformance, without the suite).

    cluster_answered_ms    a PATCH of a route goes out -> the API server's answer: its part of the next two
    cluster_to_wire_ms     -> the first answer on the wire that carries the new header
    cluster_to_status_ms   -> the route's status at the cluster is of the new generation
    kubectl_to_wire_ms     `kubectl apply` is called -> the same answer on the wire: kubectl's own start is most of it
    status_before_wire     how often the status was there while a request that was sent later still had the old answer

`churn`: so many endpoint changes a second meanwhile, of other Services.
"""
import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "route"), *(os.path.join(HERE, "..", f) for f in ("conformance", "lab", "e2e"))]

import programs  # noqa: E402 (its folder is known only now)
import cleanup  # noqa: E402
import lab as labs  # noqa: E402
import objects  # noqa: E402
import rig  # noqa: E402
import suite  # noqa: E402
import table  # noqa: E402
import wire  # noqa: E402

ROUTES, CHANGES, CHURN = (1, 5000), 100, (0, 100)
KUBECTLS = 10
PAUSE_S = 0.1
LOAD_LIMIT_S, ANSWER_S = 900, 60
ROUTE = "route-0"


class Asking(wire.Asking):
    """As its base; `old_sent` is when the last request went out whose answer was not the wanted one."""

    old_sent = 0.0

    def ask(self):
        while not self.over:
            wanted, sent = self.wanted, time.monotonic()
            self.socket.sendall(self.request)
            answer = self.answer()
            if wanted and wanted in answer:
                self.when, self.wanted = time.monotonic(), None
                self.seen.set()
            elif wanted:
                self.old_sent = sent


class Watching:
    """Watches the route at the cluster; tells when its status was of a generation."""

    def __init__(self, c):
        self.api = c.new_api()
        self.seen = {}  # generation: when
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        self.api.connect()
        self.api.connection.request(
            "GET", f"/apis/gateway.networking.k8s.io/v1/namespaces/{table.NS}/httproutes?watch=1"
            f"&fieldSelector=metadata.name%3D{ROUTE}", headers={"Authorization": f"Bearer {self.api.token}"})
        for line in self.api.connection.getresponse():
            now = time.monotonic()
            for parent in json.loads(line)["object"].get("status", {}).get("parents", []):
                with self.changed:
                    self.seen.setdefault(min(c["observedGeneration"] for c in parent["conditions"]), now)
                    self.changed.notify()

    def until(self, generation):
        """When its status was of this generation."""
        with self.changed:
            assert self.changed.wait_for(lambda: generation in self.seen, ANSWER_S), f"no status of {generation}"
            return self.seen[generation]


class Churn:
    """So many endpoint changes a second, of Services other than the first, until the block ends."""

    def __init__(self, c, services, rate):
        self.api, self.services, self.rate = c.new_api(), services, rate
        self.over, self.done = threading.Event(), 0
        self.thread = threading.Thread(target=self.change)

    def __enter__(self):
        if self.rate:
            self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        if self.rate:
            self.thread.join()

    def change(self):
        until = time.monotonic()
        while not self.over.is_set():
            self.done += 1
            name = table.service_name(1 + self.done % (self.services - 1))
            self.api.patch("EndpointSlice", f"{name}-ipv4", wire.some_endpoint(self.done), table.NS)
            until += 1 / self.rate
            self.over.wait(max(0.0, until - time.monotonic()))


def bring_up(l, routes):
    l.start_backends()
    l.bring_up(pods=False)
    gateway = objects.gateway(table.NS, "gw")
    gateway["spec"]["gatewayClassName"] = rig.CLASS
    every = [objects.namespace(table.NS), gateway, *table.objects_of(routes, labs.backend_address(1))]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        table.write_list(f.name, every)
        l.cluster.kubectl("create", "-f", f.name, timeout=LOAD_LIMIT_S)
    found = suite.eventually(lambda: l.cluster.api.get("Gateway", "gw", table.NS)["status"].get("addresses"),
                             "the Gateway has an address", ANSWER_S)
    l.vip = next(a["value"] for a in found if ":" not in a["value"])
    objects.wait_answer(l, l.vip, routes[-1].host, "backend-1", path=routes[-1].request, limit_s=LOAD_LIMIT_S)


def change(l, asking, route, n, by_kubectl):
    """(milliseconds to the wire, to the API server's answer, the new generation)."""
    wanted, patch = b"change-%d." % n, wire.some_rule(route, n)
    told, answered = {}, 0.0

    def by_api():
        nonlocal answered
        began = time.monotonic()
        told.update(l.cluster.api.patch("HTTPRoute", ROUTE, patch, table.NS))
        answered = 1e3 * (time.monotonic() - began)

    def by_command():
        made = {**objects.route(table.NS, ROUTE, [f"{table.NS}/gw"], patch["spec"]["rules"], route.host)}
        l.cluster.kubectl("apply", "-f", "-", input=json.dumps(made))
        told.update(l.cluster.api.get("HTTPRoute", ROUTE, table.NS))

    took = asking.until(wanted, by_command if by_kubectl else by_api)
    return took, answered, told["metadata"]["generation"]


def tell(name, took, **params):
    took = sorted(took)
    said = " ".join(f"{k} {v}" for k, v in params.items())
    print(f"{name} {said} median {statistics.median(took):.1f} p99 {took[len(took) * 99 // 100]:.1f} "
          f"max {took[-1]:.1f} of {len(took)}", flush=True)


def measure(l, routes, changes, rate):
    """The lines of one size and one churn."""
    params = {"routes": len(routes), "churn": rate}
    watching = Watching(l.cluster)
    numbers = iter(range(1000 * (1 + rate), 1000 * (2 + rate)))
    to_answer, to_wire, to_status, by_kubectl, early = [], [], [], [], 0
    with Churn(l.cluster, len(table.services(len(routes))), rate) as churn, Asking(l, l.vip, routes[0]) as asking:
        for _ in range(changes):
            began = time.monotonic()
            took, answered, generation = change(l, asking, routes[0], next(numbers), False)
            told = watching.until(generation)
            to_answer.append(answered)
            to_wire.append(took)
            to_status.append(1e3 * (told - began))
            early += asking.old_sent > told
            time.sleep(PAUSE_S)
        for _ in range(KUBECTLS):
            by_kubectl.append(change(l, asking, routes[0], next(numbers), True)[0])
    tell("cluster_answered_ms", to_answer, **params)
    tell("cluster_to_wire_ms", to_wire, **params)
    tell("cluster_to_status_ms", to_status, **params)
    tell("kubectl_to_wire_ms", by_kubectl, **params)
    print(f"status_before_wire routes {len(routes)} churn {rate}: {early} of {changes}")
    if rate:
        print(f"endpoint_changes routes {len(routes)} churn {rate}: {churn.done}")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench controller")
    parser.add_argument("--routes", type=int, nargs="+", default=ROUTES)
    parser.add_argument("--changes", type=int, default=CHANGES)
    parser.add_argument("--churn", type=int, nargs="+", default=CHURN, help="endpoint changes a second")
    asked = parser.parse_args()
    cleanup.end_on_signals()
    programs.cluster()
    for n in asked.routes:
        routes = table.routes(n, 0)
        with rig.Rig(f"bench-controller-{n}", backends=2) as l:
            bring_up(l, routes)
            for rate in asked.churn:
                if rate == 0 or len(table.services(n)) > 1:
                    measure(l, routes, asked.changes, rate)
    return 0


if __name__ == "__main__":
    sys.exit(main())
