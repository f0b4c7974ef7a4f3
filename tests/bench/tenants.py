# SPDX-License-Identifier: Apache-2.0
"""./dev bench tenants: one Gateway with a thousand ListenerSets of ten listeners, and what a change of one costs.
./dev bench steady: 500 Gateways and ListenerSets, 5,000 routes, 100 endpoint changes a second under load: failed
requests, and memory as time goes by."""
import json
import os
import tempfile
import time

import load
import mgmt
import objects
from lab import backend_address

SCALE = float(os.environ.get("SCALE", "1"))
SETS, PER_SET, TIMED = int(1000 * SCALE), 10, 50
GATEWAYS, ROUTES = int(250 * SCALE), int(5000 * SCALE)
CHANGES_A_SECOND = 100
STEADY_S = int(os.environ.get("SECONDS", "600"))
TOLD_EVERY_S = 60
NS, SHARED, HOST = "tenants", "shared", "steady.example.com"
POOL = "198.18.12.0-198.18.13.255"
LIMIT_S = 900
MIB = 1 << 20


def listener_set(name, gateway, hosts):
    """With a listener for each of the hosts."""
    listeners = [{"name": f"l{i}", "port": 80, "protocol": "HTTP", "hostname": h} for i, h in enumerate(hosts)]
    return {"apiVersion": objects.GATEWAY_V1, "kind": "ListenerSet", "metadata": {"namespace": NS, "name": name},
            "spec": {"parentRef": {"name": gateway}, "listeners": listeners}}


def open_gateway(name, *addresses, **listener):
    made = objects.gateway(NS, name, *addresses, **listener)
    made["spec"]["allowedListeners"] = {"namespaces": {"from": "Same"}}
    return made


def on_set(name, listener_set_name, service, *hosts):
    return objects.route(NS, name, [{"kind": "ListenerSet", "name": listener_set_name}], [objects.to(service)], *hosts)


def hosts_of(n, change=0):
    return [f"h{i}-{change}.t{n}.example.com" if i == 0 else f"h{i}.t{n}.example.com" for i in range(PER_SET)]


def apply_all(l, many):
    """By `sluicectl apply` of one file; how long it took."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump({"apiVersion": "v1", "kind": "List", "items": many}, f)
        f.flush()
        began = time.monotonic()
        l.appliance.ctl("apply", "-f", f.name, timeout=LIMIT_S)
    return time.monotonic() - began


def wait_programmed(l, kind):
    """Until all of the kind are; how long it took."""
    began = time.monotonic()
    while any(objects.condition(o.get("status", {}), "Programmed")["status"] != "True"
              for o in l.appliance.api.list(kind, NS)):
        assert time.monotonic() - began < LIMIT_S, f"{kind}s do not become Programmed"
        time.sleep(0.1)
    return time.monotonic() - began


def cpu_s(l):
    with open(f"/proc/{l.appliance.mgmtd.pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_programmed(l, name, generation):
    found = l.appliance.api.get("ListenerSet", name, NS)
    said = objects.condition(found["status"], "Programmed")
    return said["status"] == "True" and said["observedGeneration"] == generation


def change_one(l, n, change):
    """Another hostname of one ListenerSet: until it is answered there, and until its status says so."""
    name, hosts = f"t{n}", hosts_of(n, change)
    began = time.monotonic()
    spec = listener_set(name, SHARED, hosts)["spec"]
    made = l.appliance.api.patch("ListenerSet", name, {"spec": {"listeners": spec["listeners"]}}, NS)
    answered = time.monotonic() - began
    while not is_programmed(l, name, made["metadata"]["generation"]):
        assert time.monotonic() - began < LIMIT_S, "it is not Programmed"
        time.sleep(0.02)  # asking is work, too
    return answered, time.monotonic() - began


def tenants(l, tell):
    """`tell(name, number, unit)`"""
    many = [objects.namespace(NS), objects.service(NS, "one"), objects.slice_of(NS, "one", backend_address(1)),
            {"apiVersion": "sluice.internal/v1", "kind": "AddressPool", "metadata": {"name": NS},
             "spec": {"addresses": [POOL]}}, open_gateway(SHARED)]
    for n in range(SETS):
        many += [listener_set(f"t{n}", SHARED, hosts_of(n)), on_set(f"r{n}", f"t{n}", "one")]
    tell("tenants_load", apply_all(l, many), "s")
    tell("tenants_programmed", wait_programmed(l, "ListenerSet"), "s")
    mgmt.tell_size(l, tell, "tenants_loaded")
    before, took = cpu_s(l), []
    for n in range(TIMED):
        took.append(change_one(l, n * SETS // TIMED, 1))
    tell("tenants_change_cpu", 1e3 * (cpu_s(l) - before) / TIMED, "ms")
    for name, at in (("answered", 0), ("programmed", 1)):
        times = sorted(t[at] for t in took)
        tell(f"tenants_change_{name}_median", 1e3 * times[len(times) // 2], "ms")
        tell(f"tenants_change_{name}_max", 1e3 * times[-1], "ms")
    mgmt.tell_size(l, tell, "tenants_changed")
    address = objects.gateway_address(l, NS, SHARED)
    last = (TIMED - 1) * SETS // TIMED
    objects.wait_answer(l, address, hosts_of(last, 1)[0], "backend-1")
    objects.wait_answer(l, address, hosts_of(last)[0], 404)


def steady_objects():
    yield objects.namespace(NS)
    yield {"apiVersion": "sluice.internal/v1", "kind": "AddressPool", "metadata": {"name": NS},
           "spec": {"addresses": [POOL]}}
    for n in range(GATEWAYS):
        yield open_gateway(f"gw-{n}")
        yield listener_set(f"set-{n}", f"gw-{n}", [f"*.set-{n}.example.com"])
    for n in range(ROUTES):
        yield objects.service(NS, f"svc-{n}")
        yield slice_of(n, 0)
        gateway = n % GATEWAYS
        yield on_set(f"route-{n}", f"set-{gateway}", f"svc-{n}", f"r{n}.set-{gateway}.example.com") if n % 2 else \
            objects.route(NS, f"route-{n}", [f"{NS}/gw-{gateway}"], [objects.to(f"svc-{n}")],
                          HOST if n == 0 else f"host-{n}.example.com")


def slice_of(n, change):
    return objects.slice_of(NS, f"svc-{n}", backend_address(1 + (n + change) % 2))


def keep_changing(l, until, counts):
    """So many endpoint changes a second, the load's own Service among them; how late the latest was."""
    api = l.appliance.new_api()
    began, n = time.monotonic(), 0
    while time.monotonic() < until:
        which = 0 if n % 10 == 0 else n % ROUTES
        made = slice_of(which, n)
        asked = time.monotonic()
        api.patch("EndpointSlice", made["metadata"]["name"], {"endpoints": made["endpoints"]}, NS)
        counts["slowest"] = max(counts["slowest"], time.monotonic() - asked)
        n += 1
        time.sleep(max(0.0, began + n / CHANGES_A_SECOND - time.monotonic()))
    counts["changes"] += n


def steady(l, tell):
    tell("steady_load", apply_all(l, list(steady_objects())), "s")
    tell("steady_programmed", wait_programmed(l, "Gateway") + wait_programmed(l, "ListenerSet"), "s")
    address = objects.gateway_address(l, NS, "gw-0")
    objects.wait_answer(l, address, HOST, {"backend-1", "backend-2"})
    counts, until, before = {"changes": 0, "slowest": 0.0}, time.monotonic() + STEADY_S, cpu_s(l)
    tell("steady_rss_at_0", mgmt.rss_mib(l), "mib")
    with load.Load(l, address, HOST) as running:
        for minute in range(1, STEADY_S // TOLD_EVERY_S + 1):
            keep_changing(l, min(until, time.monotonic() + TOLD_EVERY_S), counts)
            tell(f"steady_rss_at_{minute * TOLD_EVERY_S}", mgmt.rss_mib(l), "mib")
            tell(f"steady_dataplane_rss_at_{minute * TOLD_EVERY_S}", l.appliance.dataplane.rss_bytes() / MIB, "mib")
        running.end()
    tell("steady_changes", counts["changes"] / STEADY_S, "changes_a_second")
    tell("steady_change_slowest", 1e3 * counts["slowest"], "ms")
    tell("steady_cpu", 100 * (cpu_s(l) - before) / STEADY_S, "percent")
    tell("steady_requests", running.result["ok"], "count")
    tell("steady_failed", running.result["failed"], "count")
    for failure in running.result["told"]:
        print(f"  (failed: {failure})", flush=True)
    mgmt.tell_size(l, tell, "steady_end")
