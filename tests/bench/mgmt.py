# SPDX-License-Identifier: Apache-2.0
"""./dev bench mgmt: the management plane with many objects. SCALE=0.1 for a tenth of them."""
import json
import os
import tempfile
import time

import beside
import objects

SCALE = float(os.environ.get("SCALE", "1"))
GATEWAYS, ROUTES, CHANGES = (int(n * SCALE) for n in (500, 5000, 5000))
NS = "scale"
POOL = "198.18.8.0-198.18.11.255"
LOAD_LIMIT_S = 900
MIB = 1 << 20


def some_service(n):
    return objects.service(NS, f"svc-{n}")


def some_slice(n, change=0):
    return objects.slice_of(NS, f"svc-{n}", f"198.18.1.{11 + (n + change) % 2}")


def some_route(n, change=0):
    rule = objects.to(f"svc-{n}")
    if change:
        rule = {**rule, "matches": [{"path": {"type": "PathPrefix", "value": f"/{change}"}}]}
    return objects.route(NS, f"route-{n}", [f"{NS}/gw-{n % GATEWAYS}"], [rule], f"host-{n}.example.com")


def some_objects():
    yield objects.namespace(NS)
    yield {"apiVersion": "sluice.internal/v1", "kind": "AddressPool", "metadata": {"name": NS},
           "spec": {"addresses": [POOL]}}
    for n in range(GATEWAYS):
        yield objects.gateway(NS, f"gw-{n}")
    for n in range(ROUTES):
        yield some_service(n)
        yield some_slice(n)
        yield some_route(n)


def metrics(l):
    text = l.appliance.new_api().raw("GET", "/metrics")[2].decode()
    return {name: float(value) for name, value in
            (line.split(" ") for line in text.splitlines() if not line.startswith("#"))}


def rss_mib(l):
    return l.appliance.mgmtd.rss_bytes() / MIB


class Latency(beside.Beside):
    """How long a small GET takes while a block runs."""

    def __init__(self, l):
        super().__init__(self.ask)
        self.api, self.took = l.appliance.new_api(), []

    def ask(self):
        while not self.over.wait(0.02):
            began = time.monotonic()
            self.api.get("GatewayClass", "foo-lb")
            self.took.append(time.monotonic() - began)

    def tell(self, tell, name):
        took = sorted(self.took)
        tell(f"{name}_get_p50", 1e3 * took[len(took) // 2], "ms")
        tell(f"{name}_get_p99", 1e3 * took[len(took) * 99 // 100], "ms")
        tell(f"{name}_get_max", 1e3 * took[-1], "ms")


def load(l, tell):
    """sluicectl apply of one file, until every Gateway is Programmed."""
    many = list(some_objects())
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump({"apiVersion": "v1", "kind": "List", "items": many}, f)
        f.flush()
        began = time.monotonic()
        with Latency(l) as latency:
            l.appliance.ctl("apply", "-f", f.name, timeout=LOAD_LIMIT_S)
        tell("mgmt_load", len(many) / (time.monotonic() - began), "objects_a_second")
    tell("mgmt_objects", len(many), "count")
    latency.tell(tell, "mgmt_load")
    while any(objects.condition(g.get("status", {}), "Programmed")["status"] != "True"
              for g in l.appliance.api.list("Gateway", NS)):
        assert time.monotonic() - began < LOAD_LIMIT_S, "Gateways do not become Programmed"
        time.sleep(0.2)
    tell("mgmt_load_programmed", time.monotonic() - began, "s")


def change(l, tell):
    """Routes and endpoints in turn, one at a time."""
    api = l.appliance.new_api()
    began = time.monotonic()
    with Latency(l) as latency:
        for n in range(CHANGES):
            kind, item = ("HTTPRoute", some_route) if n % 2 else ("EndpointSlice", some_slice)
            made = item(n % ROUTES, n + 1)
            patch = {"spec": made["spec"]} if kind == "HTTPRoute" else {"endpoints": made["endpoints"]}
            api.patch(kind, made["metadata"]["name"], patch, NS)
    tell("mgmt_change", CHANGES / (time.monotonic() - began), "changes_a_second")
    latency.tell(tell, "mgmt_change")


def tell_size(l, tell, name):
    said = metrics(l)
    tell(f"{name}_rss", rss_mib(l), "mib")
    tell(f"{name}_dataplane_rss", l.appliance.dataplane.rss_bytes() / MIB, "mib")
    tell(f"{name}_image", said["sluice_reconcile_image_bytes"] / MIB, "mib")
    tell(f"{name}_run", said["sluice_reconcile_run_us_last"] / 1e3, "ms")
    tell(f"{name}_failures", said["sluice_reconcile_failures_total"], "count")


def mgmt(l, tell, change_effect):
    """`change_effect`: what measures the time from a PATCH to the wire."""
    tell("mgmt_empty_rss", rss_mib(l), "mib")
    load(l, tell)
    tell_size(l, tell, "mgmt_loaded")
    change_effect()
    change(l, tell)
    time.sleep(3)
    tell_size(l, tell, "mgmt_changed")
