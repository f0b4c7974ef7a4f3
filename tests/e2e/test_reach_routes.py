# SPDX-License-Identifier: Apache-2.0
"""Pods behind nodes by StaticRoutes, with one gateway or several, and by Nodes' podCIDRs; both families."""
import json

import api
import nodes
import lab as labs
import namespace
import objects
import reach
import routing
import suite

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
SHARED4 = "198.18.48"  # pods behind both nodes


def lab():
    return labs.Lab("reach-routes", backends=2, workers=2)


def prepare(l):
    nodes.add_nodes(l)
    objects.bring_up(l, "appliance.yaml")
    reach.apply_objects(l)


def ways(*numbers):
    """StaticRoutes to the pods of these nodes."""
    return [routing.sluice("StaticRoute", f"pods-{n}-ipv{f}", destination=nodes.pod_cidr(n, f),
                           gateway=nodes.node_address(n, f)) for n in numbers for f in (4, 6)]


@suite.test("#8")
def a_pod_that_no_way_leads_to_is_not_reached(l):
    reach.wait_unreached(l)


@suite.test("#8")
def static_routes_lead_to_pods_and_stop_doing_so_when_they_go(l):
    box = l.appliance.api
    for way in ways(1, 2):
        box.put(way)
    reach.wait_reached(l)
    for way in ways(1):
        box.delete("StaticRoute", way["metadata"]["name"])
    reach.wait_unreached(l, (1, 4), (1, 6))
    reach.wait_reached(l, (2, 4), (2, 6))
    for way in ways(2):
        box.delete("StaticRoute", way["metadata"]["name"])
    reach.wait_unreached(l)


@suite.test("#8")
def a_route_with_two_families_is_refused_with_the_field_named(l):
    bad = routing.sluice("StaticRoute", "bad", destination=nodes.pod_cidr(1), gateways=[nodes.node_address(1, 6)])
    try:
        l.appliance.api.put(bad)
    except api.Refused as e:
        assert e.status == 422 and "gateways must be of the family of destination" in str(e), e
    else:
        raise AssertionError("it was taken")


def add_shared_pods(l):
    """Pods that both nodes lead to: addresses of backend-1, which gets a link to node-2, too."""
    pod, second = l["backend-1"], l["node-2"]
    namespace.link(pod, "eth1", second, "shared")
    second.sysctl(net__ipv4__conf__shared__rp_filter=0)
    pod.address("eth1", "198.18.49.10/24")
    second.address("shared", "198.18.49.1/24")
    for i in range(1, 17):
        pod.address("lo", f"{SHARED4}.{i}/32")
    l["node-1"].ip("route", "add", f"{SHARED4}.0/24", "via", nodes.pod_address(1))
    second.ip("route", "add", f"{SHARED4}.0/24", "via", "198.18.49.10")
    for n in (1, 2):  # counts what it forwards there
        rules = f"""
table ip count {{
  chain f {{ type filter hook forward priority 0; ip daddr {SHARED4}.0/24 tcp flags & (syn | ack) == syn counter; }}
}}
"""
        l[f"node-{n}"].run("nft", "-f", "-", input=rules, check=True)


def carried(l, n):
    """How many connections node-n has led to the shared pods."""
    said = l[f"node-{n}"].run("nft", "list", "table", "ip", "count", check=True).stdout
    return int(said.split("counter packets ")[1].split()[0])


@suite.test("#8")
def several_gateways_share_and_one_that_is_silent_is_left_out(l):
    box = l.appliance.api
    add_shared_pods(l)
    box.put(objects.service(reach.NS, "shared"))
    box.put(objects.slice_of(reach.NS, "shared", *[f"{SHARED4}.{i}" for i in range(1, 17)]))
    box.put({"apiVersion": "sluice.internal/v1", "kind": "TransportPolicy",
             "metadata": {"namespace": reach.NS, "name": "turns"},
             "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": "shared"}], "balancing": "RoundRobin"}})
    box.put(objects.route(reach.NS, "shared", [f"{reach.NS}/gw"], [objects.to("shared")], "shared.example"))
    box.put(routing.sluice("StaticRoute", "shared", destination=f"{SHARED4}.0/24",
                           gateways=[nodes.node_address(1), nodes.node_address(2)]))
    objects.wait_answer(l, reach.VIP, "shared.example", "backend-1")
    for _ in range(48):
        assert objects.answers(l, reach.VIP, "shared.example") == "backend-1"
    before = [carried(l, n) for n in (1, 2)]
    assert min(before) > 0, f"one gateway carried all: {before}"
    l["switch"].ip("link", "set", "n2", "down")
    in_turn = 0  # sixteen pods one after the other: none of them is behind the silent gateway any more

    def all_answered():
        nonlocal in_turn
        in_turn = in_turn + 1 if objects.answers(l, reach.VIP, "shared.example") == "backend-1" else 0
        return in_turn > 48
    suite.eventually(all_answered, "all pods are reached by the gateway that is left", 60)
    l["switch"].ip("link", "set", "n2", "up")
    box.delete("StaticRoute", "shared")
    box.delete("HTTPRoute", "shared", reach.NS)


@suite.test("#8")
def nodes_are_the_way_to_their_pods_where_a_cluster_network_says_so(l):
    box = l.appliance.api
    for n in (1, 2):
        box.put(nodes.node(n))
    reach.wait_unreached(l)
    box.put(routing.sluice("ClusterNetwork", "here", podRoutes="Node"))
    reach.wait_reached(l)
    box.put(nodes.node(2, ready="Unknown", cordoned=True))  # pods of such a node are reached by it all the same
    reach.wait_reached(l, (2, 4), (2, 6))
    box.delete("Node", "node-1")
    reach.wait_unreached(l, (1, 4), (1, 6))
    reach.wait_reached(l, (2, 4), (2, 6))
    box.put(nodes.node(1))
    reach.wait_reached(l)


@suite.test("#8")
def a_node_that_moves_its_pods_is_followed(l):
    box = l.appliance.api
    box.put({**nodes.node(1), "spec": {"podCIDRs": ["198.18.77.0/24"]}})
    reach.wait_unreached(l, (1, 4), (1, 6))
    box.put(nodes.node(1))
    reach.wait_reached(l, (1, 4), (1, 6))


@suite.test("#8")
def what_changes_of_a_node_otherwise_makes_no_new_image(l):
    box = l.appliance.api
    generation = l.appliance.generation()
    for i in range(10):
        box.put(nodes.node(1, ready="False" if i % 2 else "True", labels={"beat": str(i)}))
    box.put(nodes.node(1))
    marker = objects.route(reach.NS, "marker", [f"{reach.NS}/gw"], [objects.to("pod-1-ipv4")], "marker.example")
    box.put(marker)
    objects.wait_answer(l, reach.VIP, "marker.example", "backend-1")
    assert l.appliance.generation() == generation + 1


@suite.test("#8")
def the_nodes_are_told_as_kubectl_would(l):
    table = kubectl(l, "nodes")
    addresses, pods = "198.18.1.101,2001:db8:1::101", "198.18.16.0/24,2001:db8:f:1::/64"
    assert table["node-1"] == ["node-1", "Ready", addresses, pods], table
    assert table["node-2"][1] == "NotReady,SchedulingDisabled", table
    assert kubectl(l, "clusternetworks")["here"] == ["here", "", "Pod", "Node"]


def kubectl(l, plural):
    """The rows that kubectl would show, without their ages, by name."""
    prefix = "/api/v1" if plural == "nodes" else "/apis/sluice.internal/v1"
    _, _, body = l.appliance.api.raw("GET", f"{prefix}/{plural}", Accept=TABLE)
    return {row["cells"][0]: row["cells"][:-1] for row in json.loads(body)["rows"]}
