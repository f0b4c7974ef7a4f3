# SPDX-License-Identifier: Apache-2.0
"""TransportPolicy on the wire: which connections have BBR, and what a change of policy does to those that are there."""
import contextlib
import json
import socket

import lab as labs
import objects
import suite

NS, HOST = "transport", "app.example.com"
FAR, NEAR = 80, 8080
BACKEND = f"{labs.backend_address(1)}:8080"


def lab():
    return labs.Lab("transport", backends=1, workers=2)


def prepare(l):
    objects.bring_up(l, "appliance.yaml", "transport.yaml")
    objects.wait_answer(l, vip(l), HOST, "backend-1")


def vip(l):
    return objects.gateway_address(l, NS, "gw")


def controls(l, *ends):
    """The congestion control of each established flow with such an end."""
    done = l.appliance.ctl("flows", "--json", "--state", "established", *ends)
    return [json.loads(line)["congestion_control"] for line in done.stdout.splitlines()]


def ask(client, path="/"):
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    assert client.recv(4096).startswith(b"HTTP/1.1 200")


@contextlib.contextmanager
def clients(l, port, n=1):
    """Connections that have had an answer and stay open."""
    address = vip(l)
    socks = l["client"].inside(lambda: [socket.create_connection((address, port), 5) for _ in range(n)])
    try:
        for s in socks:
            s.settimeout(5)
            ask(s)
        yield socks
    finally:
        for s in socks:
            s.close()


def flow_of(client):
    return f"{labs.CLIENT4}:{client.getsockname()[1]}"


def choose(l, congestion):
    """Changes the example's policy and waits until a new client of the far listener has it."""
    l.appliance.api.patch("TransportPolicy", "far", {"spec": {"congestionControl": congestion}}, NS)

    def is_there():
        with clients(l, FAR) as (s,):
            return controls(l, flow_of(s)) == [congestion.lower()]
    suite.eventually(is_there, f"new clients are sent with {congestion}")


@suite.test("#4")
def one_listener_and_the_service_have_bbr_and_the_other_listener_has_not(l):
    with clients(l, FAR, 8) as far, clients(l, NEAR, 8) as near:
        assert [controls(l, flow_of(s)) for s in far] == [["bbr"]] * 8
        assert [controls(l, flow_of(s)) for s in near] == [["cubic"]] * 8
        backends = controls(l, BACKEND)
        assert backends and set(backends) == {"bbr"}, backends
    status = l.appliance.api.get("TransportPolicy", "far", NS)["status"]
    assert [objects.condition(a, "Accepted")["status"] for a in status["ancestors"]] == ["True", "True"], status


@suite.test("#4")
def explain_tells_what_a_request_is_sent_with(l):
    for port, wanted in ((FAR, "BBR"), (NEAR, "Cubic")):
        done = l.appliance.ctl("explain", "GET", f"http://{HOST}:{port}/", "-o", "json")
        status = json.loads(done.stdout)["status"]
        assert status["congestionControl"] == wanted, status
        assert [b["congestionControl"] for b in status["backends"]] == ["BBR"], status


@suite.test("#4")
def a_change_of_policy_is_for_new_connections_and_closes_none(l):
    with clients(l, FAR, 4) as old:
        before = l.appliance.counters()
        choose(l, "Cubic")
        assert [controls(l, flow_of(s)) for s in old] == [["bbr"]] * 4
        for s in old:
            ask(s)
        assert "cubic" in controls(l, BACKEND)
        after = l.appliance.counters()
        for name in ("upstream_aborted", "upstream_broken", "proxy_conns_unbound", "proxy_retries"):
            assert after[name] == before[name], (name, before[name], after[name])
    suite.eventually(lambda: set(controls(l, BACKEND)) <= {"cubic"}, "idle backend connections with BBR age and go", 10)
    choose(l, "BBR")


@suite.test("#4")
def who_shares_the_port_with_an_older_policy_is_told_so(l):
    api = l.appliance.api
    gateway = api.get("Gateway", "gw", NS)
    listeners = [dict(x, hostname=HOST) if x["name"] == "far" else x for x in gateway["spec"]["listeners"]]
    other = {"name": "other", "port": FAR, "protocol": "HTTP", "hostname": "other.example.com"}
    api.patch("Gateway", "gw", {"spec": {"listeners": [*listeners, other]}}, NS)
    target = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw", "sectionName": "other"}
    api.put({"apiVersion": "sluice.internal/v1", "kind": "TransportPolicy",
             "metadata": {"namespace": NS, "name": "later"},
             "spec": {"targetRefs": [target], "congestionControl": "Cubic"}})

    def told():
        status = api.get("TransportPolicy", "later", NS)["status"]
        return objects.condition(status["ancestors"][0], "Accepted")
    said = suite.eventually(told, "the later policy has a status")
    assert (said["status"], said["reason"]) == ("False", "Conflicted"), said
    assert f"shares {vip(l)} port {FAR} with listener far" in said["message"], said
    assert f"TransportPolicy {NS}/far" in said["message"], said
    with clients(l, FAR) as (s,):
        assert controls(l, flow_of(s)) == ["bbr"]
    api.delete("TransportPolicy", "far", NS)
    suite.eventually(lambda: told()["status"] == "True", "the later policy decides when the other is gone")
