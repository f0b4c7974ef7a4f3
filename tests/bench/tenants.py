# SPDX-License-Identifier: Apache-2.0
"""./dev bench tenants: one Gateway with a thousand ListenerSets of ten listeners, and what a change of one costs."""
import json
import os
import tempfile
import time

import mgmt
import objects
from lab import backend_address

SCALE = float(os.environ.get("SCALE", "1"))
SETS, PER_SET, TIMED = int(1000 * SCALE), 10, 50
NS, SHARED = "tenants", "shared"
POOL = "198.18.12.0-198.18.13.255"
LIMIT_S = 900


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


def wait_programmed(api, kind):
    """Until all of the kind are; how long it took."""
    began = time.monotonic()
    while any(objects.condition(o.get("status", {}), "Programmed")["status"] != "True"
              for o in api.list(kind, NS)):
        assert time.monotonic() - began < LIMIT_S, f"{kind}s do not become Programmed"
        time.sleep(0.1)
    return time.monotonic() - began


def cpu_s(program):
    """What a program of the lab has used."""
    with open(f"/proc/{program.pid}/stat", encoding="ascii") as f:
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
    tell("tenants_programmed", wait_programmed(l.appliance.api, "ListenerSet"), "s")
    mgmt.tell_size(l, tell, "tenants_loaded")
    before, took = cpu_s(l.appliance.mgmtd), []
    for n in range(TIMED):
        took.append(change_one(l, n * SETS // TIMED, 1))
    tell("tenants_change_cpu", 1e3 * (cpu_s(l.appliance.mgmtd) - before) / TIMED, "ms")
    for name, at in (("answered", 0), ("programmed", 1)):
        times = sorted(t[at] for t in took)
        tell(f"tenants_change_{name}_median", 1e3 * times[len(times) // 2], "ms")
        tell(f"tenants_change_{name}_max", 1e3 * times[-1], "ms")
    mgmt.tell_size(l, tell, "tenants_changed")
    address = objects.gateway_address(l, NS, SHARED)
    last = (TIMED - 1) * SETS // TIMED
    objects.wait_answer(l, address, hosts_of(last, 1)[0], "backend-1")
    objects.wait_answer(l, address, hosts_of(last)[0], 404)
