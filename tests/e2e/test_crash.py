# SPDX-License-Identifier: Apache-2.0
"""kill -9: traffic does not notice mgmtd's death, and the dataplane comes back from the last good image alone."""
import time

import api as api_paths
import lab as labs
import load
import objects
import suite
from objects import NS1

HOST = "foo.example.com"
BOTH = {"backend-1", "backend-2"}


def lab():
    return labs.Lab("crash", backends=2)


def prepare(l):
    objects.bring_up(l, *objects.OVERVIEW, "foo-route.yaml")
    objects.wait_answer(l, objects.gateway_address(l, NS1, "foo-gateway"), HOST, BOTH)


def everything(l):
    """All objects of all kinds, statuses included."""
    return {kind: l.appliance.api.list(kind) for kind in api_paths.KINDS}


@suite.test("#4")
def killing_mgmtd_under_load_fails_no_request_and_loses_no_object(l):
    address = objects.gateway_address(l, NS1, "foo-gateway")
    suite.eventually(lambda: (a := everything(l)) == everything(l) and a, "the statuses have settled")
    before = everything(l)
    generation = l.appliance.generation()
    with load.Load(l, address, HOST) as running:
        time.sleep(0.5)
        l.appliance.mgmtd.kill()
        time.sleep(1.0)
        assert objects.answers(l, address, HOST) in BOTH, "without mgmtd"
        l.appliance.start_mgmtd()
        time.sleep(0.5)
        running.require_clean(at_least=300)
    after = everything(l)
    for kind, items in before.items():
        assert after[kind] == items, f"{kind}: before {items}, after {after[kind]}"
    assert l.appliance.generation() >= generation


@suite.test("#4")
def a_write_that_was_answered_survives_kill_9_the_next_instant(l):
    for n in range(5):
        l.appliance.api.put(objects.namespace(f"durable-{n}", written="yes"))
        l.appliance.mgmtd.kill()
        l.appliance.start_mgmtd()
        assert l.appliance.api.get("Namespace", f"durable-{n}")["metadata"]["labels"]["written"] == "yes"


@suite.test("#4")
def mgmtd_killed_amid_changes_leaves_the_dataplane_serving_and_takes_up_again(l):
    address, api = objects.gateway_address(l, NS1, "foo-gateway"), l.appliance.api
    with load.Load(l, address, HOST) as running:
        for n in range(6):
            for i in range(10 + n):
                api.patch("EndpointSlice", "foo-svc-1", {"metadata": {"annotations": {"n": f"{n}.{i}"}}}, objects.NS2)
                hosts = [HOST, f"n{n}-{i}.example.com"]
                api.patch("HTTPRoute", "foo-route", {"spec": {"hostnames": hosts}}, objects.NS2)
            l.appliance.mgmtd.kill()
            l.appliance.start_mgmtd()
            api = l.appliance.api
        objects.wait_answer(l, address, "n5-14.example.com", BOTH)
        running.require_clean(at_least=200)


def is_answered(l, address):
    """One request that does not wait long: a SYN to nobody would be sent again only after a second."""
    return l.curl(f"http://{HOST}/", "--connect-timeout", "0.1", address=address, timeout=1)[0] == 200


@suite.test("#4")
def the_dataplane_serves_again_before_mgmtd_is_started(l):
    """In less than two seconds, as it prints, where nobody else keeps the machine busy."""
    address = objects.gateway_address(l, NS1, "foo-gateway")
    objects.wait_answer(l, address, HOST, BOTH)
    l.appliance.mgmtd.kill()
    l.appliance.dataplane.kill()
    assert not is_answered(l, address), "nobody can answer now"
    started = time.monotonic()
    l.appliance.start_dataplane(wait=False)
    suite.eventually(lambda: is_answered(l, address), "it serves from the image on disk", 20)
    took = time.monotonic() - started
    print(f"         served {took:.2f} s after the start", flush=True)
    assert l.appliance.generation() > 0
    for path, wanted in (("/login", "backend-1"), ("/", BOTH)):
        objects.wait_answer(l, address, HOST, wanted, path)
    l.appliance.start_mgmtd()
    objects.wait_answer(l, address, HOST, BOTH)


@suite.test("#4")
def after_the_dataplane_s_restart_changes_take_effect_again(l):
    address = objects.gateway_address(l, NS1, "foo-gateway")
    l.appliance.dataplane.kill()
    l.appliance.start_dataplane()
    l.appliance.api.put(objects.route(objects.NS2, "after", [f"{NS1}/foo-gateway"], [objects.to("foo-login")],
                                      "after.example.com"))
    objects.wait_answer(l, address, "after.example.com", "backend-1", limit_s=10)
    assert objects.gateway_address(l, NS1, "foo-gateway") == address


@suite.test("#2")
def sluicectl_stats_prints_name_value_lines_also_while_mgmtd_is_down(l):
    l.appliance.mgmtd.kill()
    said = l.appliance.ctl("stats").stdout
    l.appliance.start_mgmtd()
    counters = dict(line.split() for line in said.splitlines() if line and not line.startswith("#"))
    for name in ("core_rx_packets", "core_polls_busy", "core_cycles_total", "core_cycles_busy", "core_cycles_io",
                 "proxy_requests"):
        assert int(counters[name]) > 0, (name, said[:500])
