# SPDX-License-Identifier: Apache-2.0
"""TCPRoutes whose packets go on without a connection of the box's (forwarding: NAT, which they have without a word):
what test_l4.py asks of connections, and what is another way then."""
import json
import socket
import struct

import lab as labs
import suite
import test_access_log as log
import test_l4
from test_l4 import (a_tcp_route_leads_a_port_to_its_backend_and_either_side_may_speak_first,  # noqa: F401
                     large_bodies_go_both_ways_whole, of_two_tcp_routes_the_older_has_the_listener,
                     tls_is_terminated_and_what_is_in_it_is_passed_on,
                     what_is_passed_on_is_encrypted_again_where_a_policy_says_so,
                     whoever_ends_first_may_still_be_told_something)
from test_l4 import (NS, ask, breaks_off, connect, counted, forwarding, is_more, l4_route, objects, of_route,
                     put_service, says)

BOX = f"{labs.BACK4}.1"


def lab():
    return labs.Lab("forwarding", backends=2, workers=2)


def prepare(l):
    test_l4.prepare_routes(l)


def of_pod(l):
    """The connections that backend-1 has."""
    return l["backend-1"].run("ss", "-Htn", "state", "established", "sport = :8080").stdout.split("\n")[:-1]


@suite.test("S6")
def a_pod_sees_the_box_and_the_box_has_no_connection(l):
    opened, accepted = counted(l, "l4_opened_tcp"), counted(l, "tcp_accepts")
    with connect(l, 5000) as s:
        assert ask(s, "name") == f"backend-1 ::ffff:{BOX}"
        assert (counted(l, "l4_opened_tcp"), counted(l, "tcp_accepts")) == (opened + 1, accepted)


@suite.test("S6")
def a_reset_and_a_refusal_come_from_the_pod(l):
    with connect(l, 5000) as s:
        breaks_off(s)
    s = connect(l, 5000)
    assert ask(s, "a") == "a" and of_pod(l)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
    suite.eventually(lambda: not of_pod(l), "the client's reset")
    l.appliance.api.put(l4_route("TCPRoute", "shared", "tcp-5003", objects.to("closed", port=9)))

    def is_refused():
        try:
            connect(l, 5003).close()
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    suite.eventually(is_refused, "nobody is at the pod's port")
    l.appliance.api.delete("TCPRoute", "shared", NS)


@suite.test("S6")
def connections_are_shared_by_weight(l):
    l.appliance.api.put(l4_route("TCPRoute", "shared", "tcp-5003", objects.to(("talk", 3), ("second", 1))))
    suite.eventually(lambda: says(l, 5003, "name").startswith("backend-"), "it serves")
    names = [says(l, 5003, "name").split()[0] for _ in range(120)]
    assert 16 <= names.count("backend-2") <= 46, names
    l.appliance.api.delete("TCPRoute", "shared", NS)


@suite.test("S6 S9")
def what_has_begun_stays_where_it_is_when_endpoints_and_policies_change(l):
    api = l.appliance.api
    api.put(l4_route("TCPRoute", "shared", "tcp-5003", objects.to("talk")))
    suite.eventually(lambda: says(l, 5003, "name").startswith("backend-1 "), "it serves")
    with connect(l, 5003) as old:
        assert ask(old, "name") == f"backend-1 ::ffff:{BOX}"
        api.put(objects.slice_of(NS, "talk", labs.backend_address(2)))
        suite.eventually(lambda: says(l, 5003, "name").startswith("backend-2 "), "new ones go elsewhere")
        before = counted(l, "l4_opened_tcp")
        api.put(forwarding("Proxy", "talk"))

        def is_proxied():
            n = counted(l, "l4_opened_tcp")
            return says(l, 5003, "name").startswith("backend-2 ") and counted(l, "l4_opened_tcp") == n >= before
        suite.eventually(is_proxied, "new ones are the box's")
        assert ask(old, "name") == f"backend-1 ::ffff:{BOX}"
    api.delete("TransportPolicy", "ways", NS)
    api.put(objects.slice_of(NS, "talk", labs.backend_address(1)))
    api.delete("TCPRoute", "shared", NS)
    opened = counted(l, "l4_opened_tcp")
    suite.eventually(lambda: says(l, 5000, "name").startswith("backend-1 ") and counted(l, "l4_opened_tcp") > opened,
                     "as before")


@suite.test("S6 S9 S15")
def a_policy_that_cannot_be_is_refused_in_its_status(l):
    """Beside a BackendTLSPolicy, whose connections are the box's."""
    api = l.appliance.api
    api.put(test_l4.backend_policy("any.example"))
    api.put(forwarding("NAT", "secret"))

    def refused():
        ancestors = api.get("TransportPolicy", "ways", NS).get("status", {}).get("ancestors", [])
        said = objects.condition(ancestors[0], "Accepted") if ancestors else {}
        secured = f"BackendTLSPolicy {NS}/secret secures its connections"
        return said.get("reason") == "Invalid" and secured in said["message"]
    suite.eventually(refused, "the status says why")
    api.delete("BackendTLSPolicy", "secret", NS)
    suite.eventually(lambda: not refused(), "it is in effect when the other is gone")
    api.delete("TransportPolicy", "ways", NS)


@suite.test("S19")
def explain_tells_how_packets_go_on(l):
    said = json.loads(l.appliance.ctl("explain", f"tcp://{l.vip}:5000", "-o", "json").stdout)["status"]
    backend = said["backends"][0]
    assert (said["kind"], backend["name"], backend["forwarding"], backend["balancing"], backend["hashOn"]) == (
        "TCPRoute", f"{NS}/talk:8080/tcp", "NAT", "Maglev", {"type": "Connection"}), said


def flows(l, *args):
    """The flows that sluicectl shows as JSON."""
    return [json.loads(line) for line in l.appliance.ctl("flows", "--json", *args).stdout.splitlines()]


@suite.test("S6 S8")
def a_flow_is_shown_with_its_ends_and_what_moved_and_chosen_by_either(l):
    with connect(l, 5000) as s, connect(l, 5000) as other:
        assert ask(s, "hello") == "hello" and ask(other, "x") == "x"
        port = s.getsockname()[1]
        shown = flows(l, f"{labs.CLIENT4}:{port}")
        assert len(shown) == 1, shown
        f = shown[0]
        assert (f["client"], f["client_port"], f["vip"], f["vip_port"]) == (labs.CLIENT4, port, l.vip, 5000), f
        assert (f["source"], f["endpoint"], f["endpoint_port"]) == (BOX, labs.backend_address(1), 8080), f
        assert (f["protocol"], f["forwarding"], f["state"]) == ("TCP", "NAT", "FORWARD_OPEN"), f
        assert f["up_packets"] >= 3 and f["down_packets"] >= 2 and f["up_bytes"] > 3 * 40 and f["answer_us"] > 0, f
        assert f["idle_ms"] <= f["age_ms"] and f["kept_ms"] == 7440 * 1000, f
        assert flows(l, f"{labs.backend_address(1)}:8080,{BOX}:{f['source_port']}"), "as the endpoint sees it"
        found = flows(l, f"{l.vip}:5000", "--state", "forward_open")
        assert {port, other.getsockname()[1]} <= {f["client_port"] for f in found}, found
        assert not flows(l, f"{labs.CLIENT4}:{port}", "--state", "established")
        text = l.appliance.ctl("flows", f"{labs.CLIENT4}:{port}").stdout
        assert f"{l.vip}:5000 - {labs.CLIENT4}:{port} FORWARD_OPEN, TCP by NAT" in text, text


def said_of(l, port):
    """How packets of the port go on, and what they are told apart by."""
    said = json.loads(l.appliance.ctl("explain", f"tcp://{l.vip}:{port}", "-o", "json").stdout)["status"]
    return said["backends"][0]["forwarding"], said["backends"][0]["hashOn"]


def is_counted(now, before, **by):
    """What `sluicectl routes` says now is more by that."""
    return all(now[k] - before.get(k, 0) >= n for k, n in by.items())


@suite.test("S6 S8")
def flows_are_counted_with_their_route_while_they_live_and_by_how_they_end(l):
    before = of_route(l, "talk")
    with connect(l, 5000) as s:
        assert ask(s, "name").startswith("backend-1 ")
        now = suite.eventually(lambda: is_more(of_route(l, "talk"), before), "it is counted")
        suite.eventually(lambda: is_counted(of_route(l, "talk"), before, upPackets=3, downPackets=2, upBytes=3 * 40,
                                            downBytes=2 * 40), "so is what moved, while it is open", 15)
        assert now["ended"] == before["ended"] or not before["ended"], (now, before)
        breaks_off(s)
    ended = suite.eventually(
        lambda: [e for e, n in of_route(l, "talk")["ended"].items() if n > before["ended"].get(e, 0)], "its end is")
    assert ended in (["client"], ["backend"]), ended
    text = l.appliance.ctl("routes", f"{NS}/talk").stdout
    assert "PACKETS-UP" in text and f"\n{NS}/talk " in text, text


@suite.test("S6 S9")
def connections_of_a_client_reach_one_endpoint_where_its_address_alone_is_hashed(l):
    api = l.appliance.api
    put_service(l, "both", 8080, 1, 2)
    api.put(l4_route("TCPRoute", "shared", "tcp-5003", objects.to("both")))
    suite.eventually(lambda: says(l, 5003, "name").startswith("backend-"), "it serves")

    def reached():
        return {says(l, 5003, "name").split()[0] for _ in range(16)}
    assert reached() == {"backend-1", "backend-2"}
    policy = {**forwarding("Proxy", "both"), "metadata": {"namespace": NS, "name": "hashed"}}
    api.put(policy)
    suite.eventually(lambda: said_of(l, 5003) == ("Proxy", {"type": "Connection"}), "they are the box's")
    suite.eventually(lambda: reached() == {"backend-1", "backend-2"}, "which shares them, too", 10)
    policy["spec"].update(balancing="Maglev", hashOn={"type": "ClientAddress"})
    for way in ("NAT", "Proxy"):
        policy["spec"]["forwarding"] = way
        api.put(policy)
        suite.eventually(lambda way=way: said_of(l, 5003) == (way, {"type": "ClientAddress"}), f"it is so, by {way}")
        suite.eventually(lambda: len(reached()) == 1, "all reach one", 10)
    api.delete("TransportPolicy", "hashed", NS)
    api.delete("TCPRoute", "shared", NS)


@suite.test("S6 S9")
def an_endpoint_that_refuses_connections_is_ejected_by_a_health_policy(l):
    """Nobody asks it: what its connections come to says it."""
    api = l.appliance.api
    put_service(l, "half", 8080, 1, 2)
    api.put(l4_route("TCPRoute", "shared", "tcp-5003", objects.to("half")))
    api.put({"apiVersion": "sluice.internal/v1", "kind": "HealthPolicy",
             "metadata": {"namespace": NS, "name": "seen"},
             "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": "half"}],
                      "passive": {"consecutiveFailures": 2, "baseEjectionTime": "10m", "maxEjectionTime": "1h"}}})
    suite.eventually(lambda: {says(l, 5003, "name").split()[0] for _ in range(8)} == {"backend-1", "backend-2"},
                     "both serve")
    ejected = counted(l, "upstream_ejected")
    l.backends[1].process.end()

    def answered():
        try:
            return says(l, 5003, "name").startswith("backend-1 ")
        except OSError:
            return False
    suite.eventually(lambda: all(answered() for _ in range(12)), "only the other one is tried", 20)
    assert counted(l, "upstream_ejected") == ejected + 1
    l.backends[1].start()
    l.backends[1].wait_ready()
    api.delete("HealthPolicy", "seen", NS)
    api.delete("TCPRoute", "shared", NS)


@suite.test("S6")
def a_connection_whose_packets_went_on_is_a_line_of_the_access_log(l):
    before = len(log.lines(l.log))
    with connect(l, 5000) as s:
        port = s.getsockname()[1]
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert ask(s, "x") == "x"
    line = log.line_of_connection(l, before, 5000, port, 90)
    assert (line["route"], line["backend"]) == (f"{NS}/talk", f"{NS}/talk:8080/tcp") and line["end"], line
