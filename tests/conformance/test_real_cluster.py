# SPDX-License-Identifier: Apache-2.0
"""sluice-controller at a real API server whose life is hard: nothing that it does not say takes away what serves."""
import itertools
import os
import shutil
import signal
import time

import load
import lab as labs
import objects
import rig
import suite

NS, HOST = "shop", "shop.example.com"
WAIT_S, LONG_S = 20, 60
versions = itertools.count(1)


def lab():
    return rig.Rig("real-cluster", backends=2)


def prepare(l):
    l.start_backends()
    l.bring_up(pods=False)
    for o in (objects.namespace(NS), gateway(), objects.service(NS, "one"),
              objects.slice_of(NS, "one", labs.backend_address(1)), route("first")):
        l.cluster.api.put(o)
    l.vip = gateway_address(l)
    until_serves(l, "first")


def gateway():
    made = objects.gateway(NS, "gw")
    made["spec"]["gatewayClassName"] = rig.CLASS
    return made


def gateway_address(l):
    """By the status that the controller wrote to the cluster."""
    def found():
        status = l.cluster.api.get("Gateway", "gw", NS).get("status", {})
        if objects.condition(status, "Programmed")["status"] != "True":
            return None
        return next((a["value"] for a in status["addresses"] if ":" not in a["value"]), None)
    return suite.eventually(found, "the Gateway is Programmed and has an address", WAIT_S)


def route(version):
    rule = objects.to("one")
    rule["filters"] = [{"type": "ResponseHeaderModifier",
                        "responseHeaderModifier": {"set": [{"name": "X-Version", "value": version}]}}]
    return objects.route(NS, "shop", [f"{NS}/gw"], [rule], HOST)


def until_serves(l, version, limit_s=WAIT_S):
    def is_so():
        status, headers, _ = l.curl(f"http://{HOST}/", address=l.vip)
        return status == 200 and headers.get("x-version") == version
    suite.eventually(is_so, f"version {version} of the route serves", limit_s)


def a_change_arrives(l, limit_s=WAIT_S):
    """The path from the API server to the wire is whole."""
    version = f"v{next(versions)}"
    l.cluster.api.put(route(version))
    until_serves(l, version, limit_s)


def loaded(l):
    return load.Load(l, l.vip, HOST, rate=100)


def copies(l):
    return {(kind, o["metadata"]["name"]) for kind in ("Gateway", "HTTPRoute", "Service", "EndpointSlice")
            for o in l.appliance.api.list(kind, NS)}


@suite.test("#8")
def status_at_the_cluster_is_of_its_own_generation(l):
    a_change_arrives(l)

    def is_current():
        found = l.cluster.api.get("HTTPRoute", "shop", NS)
        conditions = found["status"]["parents"][0]["conditions"]
        return all(c["observedGeneration"] == found["metadata"]["generation"] and c["status"] == "True"
                   for c in conditions)
    suite.eventually(is_current, "Accepted and ResolvedRefs", WAIT_S)


@suite.test("#8")
def an_api_server_that_is_killed_is_not_missed(l):
    with loaded(l) as traffic:
        l.cluster.apiserver.kill()
        time.sleep(3)  # requests go on meanwhile, and the controller tries again and again
        l.cluster.start_apiserver()
        a_change_arrives(l, LONG_S)
    traffic.require_clean(200)


@suite.test("#8")
def an_etcd_that_stands_still_is_not_missed(l):
    with loaded(l) as traffic:
        os.kill(l.cluster.etcd.pid, signal.SIGSTOP)
        time.sleep(8)
        os.kill(l.cluster.etcd.pid, signal.SIGCONT)
        a_change_arrives(l, LONG_S)
    traffic.require_clean(500)


@suite.test("#8")
def a_controller_that_is_killed_again_and_again_goes_on_where_it_was(l):
    with loaded(l) as traffic:
        for pause_s in (0.1, 0.5, 1.5, 3):
            l.controller.program.kill()
            l.controller.start()
            time.sleep(pause_s)
        a_change_arrives(l, LONG_S)
    traffic.require_clean(200)


@suite.test("#8")
def a_cluster_that_comes_back_empty_takes_nothing_away(l):
    """As after a restore that went wrong: the same API server on an etcd without anything. The controller is impatient,
    and has to begin anew when the other cluster answers already."""
    before = copies(l)
    l.controller.options += ("--hold-mass-seconds", "3", "--hold-few-seconds", "1")
    with loaded(l) as traffic:
        for program in (l.cluster.apiserver, l.cluster.etcd):
            program.end()
        shutil.rmtree(l.cluster.path("etcd"))
        l.cluster.start_etcd()
        l.cluster.start_apiserver()
        for _ in range(2):
            time.sleep(8)
            assert copies(l) == before, copies(l)
            l.controller.program.kill()
            l.controller.start()
        l.cluster.install_gateway_api()  # and no object: the kinds are there, younger than what was in them
        time.sleep(12)
        assert copies(l) == before, copies(l)
    traffic.require_clean(500)
