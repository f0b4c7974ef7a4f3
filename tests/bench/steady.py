#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev bench steady [--cluster]: 250 Gateways, 250 ListenerSets, 5,000 routes, and 100 endpoint changes a second under
load for SECONDS (600): failed requests, how long a change was under way, and what each program has of memory and disk
as time goes by. By the appliance's own API; with --cluster by a real kube-apiserver and sluice-controller (the rig of
tests/conformance).

    steady_change_*_ms           from a PATCH of an EndpointSlice to its answer, by who is asked
    steady_taken                 versions that the appliance's objects went through, a second: as many as changes
    steady_PROGRAM_rss_at_S_mib  resident memory after S seconds; `disk` is what the appliance keeps besides its
                                 audit log, which has a line a change and files that are bounded
"""
import collections
import concurrent.futures
import os
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", f) for f in ("conformance", "lab", "e2e")]

import cleanup  # noqa: E402 (its folder is known only now)
import load  # noqa: E402
import mgmt  # noqa: E402
import objects  # noqa: E402
import tenants  # noqa: E402
from lab import backend_address  # noqa: E402
from told import tell  # noqa: E402

GATEWAYS, ROUTES = int(250 * tenants.SCALE), int(5000 * tenants.SCALE)
CHANGES_A_SECOND, CHANGERS = 100, 4  # an API server alone takes some ms for one
SECONDS = int(os.environ.get("SECONDS", "600"))
TOLD_EVERY_S = min(60, SECONDS)
NS, HOST = tenants.NS, "steady.example.com"
POOL = {"apiVersion": "sluice.internal/v1", "kind": "AddressPool", "metadata": {"name": NS},
        "spec": {"addresses": [tenants.POOL]}}
LIMIT_S = 900
MIB = 1 << 20


class Direct:
    """All is told to the appliance itself."""

    gateway_class = "foo-lb"

    def __init__(self, l):
        self.l, self.api, self.new_api = l, l.appliance.api, l.appliance.new_api
        self.programs = {"mgmtd": l.appliance.mgmtd, "dataplane": l.appliance.dataplane}

    def create(self, many):
        tenants.apply_all(self.l, many)


class ByCluster:
    """All is told to the cluster."""

    gateway_class = "sluice"

    def __init__(self, l):
        self.l, self.api, self.new_api = l, l.cluster.api, l.cluster.new_api
        self.programs = {"mgmtd": l.appliance.mgmtd, "dataplane": l.appliance.dataplane,
                         "controller": l.controller.program}

    def create(self, many):
        """The Namespace first, then many at a time: kubectl makes 50 a second."""
        self.api.create(many[0])
        shares = [many[1 + k::CHANGERS] for k in range(CHANGERS)]
        with concurrent.futures.ThreadPoolExecutor(CHANGERS) as pool:
            for done in [pool.submit(self.create_each, share) for share in shares]:
                done.result()

    def create_each(self, many):
        api = self.new_api()
        for made in many:
            api.create(made)


def some_objects(gateway_class):
    yield objects.namespace(NS)
    for n in range(GATEWAYS):
        gateway = tenants.open_gateway(f"gw-{n}")
        gateway["spec"]["gatewayClassName"] = gateway_class
        yield gateway
        yield tenants.listener_set(f"set-{n}", f"gw-{n}", [f"*.set-{n}.example.com"])
    for n in range(ROUTES):
        yield objects.service(NS, f"svc-{n}")
        yield slice_of(n, 0)
        gateway = n % GATEWAYS
        yield tenants.on_set(f"route-{n}", f"set-{gateway}", f"svc-{n}", f"r{n}.set-{gateway}.example.com") if n % 2 \
            else objects.route(NS, f"route-{n}", [f"{NS}/gw-{gateway}"], [objects.to(f"svc-{n}")],
                               HOST if n == 0 else f"host-{n}.example.com")


def slice_of(n, change):
    return objects.slice_of(NS, f"svc-{n}", backend_address(1 + (n + change) % 2))


class Changing:
    """So many endpoint changes a second until the block ends, every tenth of the load's own Service."""

    def __init__(self, way):
        self.over, self.took, self.failures = threading.Event(), [], []
        self.turns = collections.Counter()  # of each Service: the same again would be no change
        self.threads = [threading.Thread(target=self.change, args=(way.new_api(), k)) for k in range(CHANGERS)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for t in self.threads:
            t.join()

    def change(self, api, k):
        """One of those who do it: the first of them has the load's Service."""
        n, until = k, time.monotonic()
        try:
            while not self.over.is_set():
                is_loads = k == 0 and n % (10 * CHANGERS) < 4 * CHANGERS
                which = 0 if is_loads else n % ROUTES
                self.turns[which] += 1
                made = slice_of(which, self.turns[which])
                began = time.monotonic()
                api.patch("EndpointSlice", made["metadata"]["name"], {"endpoints": made["endpoints"]}, NS)
                self.took.append(time.monotonic() - began)
                n += CHANGERS
                until += CHANGERS / CHANGES_A_SECOND
                self.over.wait(max(0.0, until - time.monotonic()))
        except Exception as e:  # told at the end: the load goes on
            self.failures.append(f"{type(e).__name__}: {e}")


def bytes_below(folder):
    """(all but the audit log, the audit log)"""
    sizes = {False: 0, True: 0}
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                sizes[name.startswith("audit.log")] += os.path.getsize(os.path.join(where, name))
            except FileNotFoundError:
                pass  # one that was replaced
    return sizes[False], sizes[True]


def tell_sizes(way, at_s):
    for name, program in way.programs.items():
        tell(f"steady_{name}_rss_at_{at_s}", program.rss_bytes() / MIB, "mib")
    disk, audit = bytes_below(way.l.appliance.state_dir)
    tell(f"steady_disk_at_{at_s}", disk / MIB, "mib")
    tell(f"steady_audit_at_{at_s}", audit / MIB, "mib")
    tell(f"steady_logs_at_{at_s}", sum(os.path.getsize(p.log) for p in way.programs.values()) / MIB, "mib")


def tell_changes(took):
    took = sorted(took)
    tell("steady_changes", len(took) / SECONDS, "changes_a_second")
    for name, share in (("median", 50), ("p99", 99)):
        tell(f"steady_change_{name}", 1e3 * took[len(took) * share // 100], "ms")
    tell("steady_change_slowest", 1e3 * took[-1], "ms")


def steady(l, way):
    way.l.appliance.api.put(POOL)
    began = time.monotonic()
    way.create(list(some_objects(way.gateway_class)))
    tell("steady_load", time.monotonic() - began, "s")
    for kind in ("Gateway", "ListenerSet"):
        tenants.wait_programmed(way.api, kind)
    tell("steady_programmed", time.monotonic() - began, "s")
    found = way.api.get("Gateway", "gw-0", NS)["status"]["addresses"]
    address = next(a["value"] for a in found if ":" not in a["value"])
    objects.wait_answer(l, address, HOST, {"backend-1", "backend-2"}, limit_s=LIMIT_S)
    before = {name: tenants.cpu_s(p) for name, p in way.programs.items()}
    version = l.appliance.metric("sluice_store_version")
    tell_sizes(way, 0)
    with load.Load(l, address, HOST) as running:
        with Changing(way) as changing:
            began = time.monotonic()
            for at_s in range(TOLD_EVERY_S, SECONDS + 1, TOLD_EVERY_S):
                time.sleep(max(0.0, began + at_s - time.monotonic()))
                tell_sizes(way, at_s)
        running.end()
    tell_changes(changing.took)
    tell("steady_taken", (l.appliance.metric("sluice_store_version") - version) / SECONDS, "versions_a_second")
    for name, program in way.programs.items():
        tell(f"steady_{name}_cpu", 100 * (tenants.cpu_s(program) - before[name]) / SECONDS, "percent")
    tell("steady_requests", running.result["ok"], "count")
    tell("steady_failed", running.result["failed"], "count")
    tell("steady_slowest_answer", 1e3 * running.result["slowest_s"], "ms")
    mgmt.tell_size(l, tell, "steady_end")
    for failure in running.result["told"] + changing.failures:
        print(f"  (failed: {failure})", flush=True)
    print(f"  (answers: {running.result['bodies']})", flush=True)


def main():
    import rig
    cleanup.end_on_signals()
    with rig.Rig("bench-steady", backends=2) as l:
        l.start_backends()
        l.bring_up(pods=False)
        steady(l, ByCluster(l))
    return 0


if __name__ == "__main__":
    sys.exit(main())
