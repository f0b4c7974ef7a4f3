# SPDX-License-Identifier: Apache-2.0
"""Pods whose network nobody routes, by the Nodes' ports: who is asked when Nodes are cordoned, not ready, without a pod
of the Service, ill; both families, requests and datagrams."""
import os
import socket

import nodes
import lab as labs
import objects
import routing
import suite

NS, HOST, VIP = "nodes", "app.example", "198.18.0.100"
HOST6 = "six.example"
WAIT_S = 15
TRIES = 24  # with two endpoints in turn, both would answer


def lab():
    return labs.Lab("reach-nodes", backends=2, workers=2)


def service(name, families, policy="Cluster", node_port=nodes.NODE_PORT, **spec):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": NS, "name": name},
            "spec": {"type": "NodePort", "ipFamilies": families, "externalTrafficPolicy": policy,
                     "ports": [{"port": 8080, "targetPort": 8080, "nodePort": node_port}], **spec}}


def turns(name):
    return {"apiVersion": "sluice.internal/v1", "kind": "TransportPolicy", "metadata": {"namespace": NS, "name": name},
            "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": name}], "balancing": "RoundRobin"}}


def prepare(l):
    nodes.add_nodes(l)
    objects.bring_up(l, "appliance.yaml")
    api = l.appliance.api
    for n in (1, 2):
        nodes.open_node_port(l, n)
        api.put(nodes.node(n))
    api.put(objects.namespace(NS))
    api.put(objects.gateway(NS, "gw", VIP))
    for name, host, families in (("four", HOST, ["IPv4"]), ("six", HOST6, ["IPv6"])):
        api.put(service(name, families))
        api.put(turns(name))
        for one in nodes.slices(NS, name, 1, 2):
            api.put(one)
        api.put(objects.route(NS, name, [f"{NS}/gw"], [objects.to(name)], host))
    objects.gateway_address(l, NS, "gw")


def who(l, host):
    return {objects.answers(l, VIP, host) for _ in range(TRIES)}


def wait_who(l, *numbers, hosts=(HOST, HOST6)):
    wanted = {f"backend-{n}" for n in numbers}
    for host in hosts:
        suite.eventually(lambda: who(l, host) == wanted, f"{host} is answered by {wanted}", WAIT_S)


@suite.test("#8")
def pods_are_not_reached_until_the_cluster_network_says_how(l):
    for host in (HOST, HOST6):
        suite.eventually(lambda: who(l, host) <= {502, 503, 504}, f"{host} is not reached", WAIT_S)


@suite.test("#8")
def services_are_reached_by_their_ports_of_all_nodes(l):
    l.appliance.api.put(routing.sluice("ClusterNetwork", "here", endpoints="Node"))
    wait_who(l, 1, 2)


@suite.test("#8")
def a_node_that_is_cordoned_or_not_ready_or_excluded_gets_nothing_and_no_image_is_made(l):
    api = l.appliance.api
    generation = l.appliance.generation()
    for change in ({"cordoned": True}, {"ready": "False"}, {"ready": "Unknown"},
                   {"labels": {"node.kubernetes.io/exclude-from-external-load-balancers": ""}}):
        api.put(nodes.node(1, **change))
        wait_who(l, 2)
        api.put(nodes.node(1))
        wait_who(l, 1, 2)
    assert l.appliance.generation() == generation


@suite.test("#8")
def when_all_are_cordoned_they_are_used_nevertheless(l):
    api = l.appliance.api
    for n in (1, 2):
        api.put(nodes.node(n, cordoned=True))
    wait_who(l, 1, 2)
    for n in (1, 2):
        api.put(nodes.node(n))


@suite.test("#8")
def a_node_that_goes_is_asked_no_more_and_one_that_comes_is(l):
    api = l.appliance.api
    api.delete("Node", "node-2")
    wait_who(l, 1)
    api.put(nodes.node(2))
    wait_who(l, 1, 2)


@suite.test("#8")
def with_the_policy_local_only_nodes_with_a_ready_pod_are_asked(l):
    api = l.appliance.api
    for name, families in (("four", ["IPv4"]), ("six", ["IPv6"])):
        api.put(service(name, families, "Local"))
    wait_who(l, 1, 2)
    for name in ("four", "six"):
        for one in nodes.slices(NS, name, 2):
            api.put(one)
    wait_who(l, 2)
    for name, families in (("four", ["IPv4"]), ("six", ["IPv6"])):
        for one in nodes.slices(NS, name, 1, 2):
            api.put(one)
        api.put(service(name, families))
    wait_who(l, 1, 2)


@suite.test("#8")
def a_health_policy_asks_the_nodes_ports(l):
    api = l.appliance.api
    api.put({"apiVersion": "sluice.internal/v1", "kind": "HealthPolicy", "metadata": {"namespace": NS, "name": "four"},
             "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": "four"}],
                      "active": {"type": "HTTP", "interval": "250ms", "timeout": "200ms", "healthyThreshold": 2,
                                 "unhealthyThreshold": 2, "http": {"path": "/"}}}})
    wait_who(l, 1, 2)
    nodes.close_node_port(l, 1)
    wait_who(l, 2, hosts=(HOST,))
    nodes.open_node_port(l, 1)
    wait_who(l, 1, 2)
    api.delete("HealthPolicy", "four", NS)


def echo(vip):
    """Who answers a datagram from a port of its own; None: nobody."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        s.sendto(b"who", (vip, 5353))
        try:
            return s.recv(1000).split()[0].decode()
        except TimeoutError:
            return None


@suite.test("#8")
def datagrams_go_to_the_nodes_ports_too(l):
    api, vip = l.appliance.api, "198.18.0.102"
    program = os.path.join(labs.TOP, "tests", "lab", "datagrams.py")
    for n in (1, 2):
        l.start(f"datagrams-{n}", f"backend-{n}", "python3", program, f"backend-{n}", "5353")
        nodes.open_node_port(l, n, protocol="udp", node_port=30053, port=5353)
    api.put(objects.gateway(NS, "datagrams", vip, port=5353, protocol="UDP"))
    ports = [{"port": 5353, "protocol": "UDP", "nodePort": 30053}]
    api.put({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": NS, "name": "datagrams"},
             "spec": {"type": "NodePort", "ipFamilies": ["IPv4"], "ports": ports}})
    api.put({"apiVersion": objects.GATEWAY_V1, "kind": "UDPRoute", "metadata": {"namespace": NS, "name": "datagrams"},
             "spec": {"parentRefs": [{"name": "datagrams"}],
                      "rules": [{"backendRefs": [{"name": "datagrams", "port": 5353}]}]}})
    objects.gateway_address(l, NS, "datagrams")

    def all_answer():
        return {l["client"].inside(echo, vip) for _ in range(TRIES)}
    suite.eventually(lambda: all_answer() == {"backend-1", "backend-2"}, "both answer", WAIT_S)
    api.put(nodes.node(2, ready="False"))
    suite.eventually(lambda: all_answer() == {"backend-1"}, "the node that is left answers", WAIT_S)
    api.put(nodes.node(2))


@suite.test("#8")
def a_service_without_a_node_port_says_so(l):
    api = l.appliance.api
    api.put(objects.service(NS, "inner"))
    api.put(objects.route(NS, "inner", [f"{NS}/gw"], [objects.to("inner")], "inner.example"))
    suite.eventually(lambda: objects.parent_condition(l, NS, "inner", "ResolvedRefs")["status"] == "False",
                     "ResolvedRefs is False")
    c = objects.parent_condition(l, NS, "inner", "ResolvedRefs")
    assert c["reason"] == "BackendNotFound" and "has no nodePort" in c["message"] and \
        "ClusterNetwork here" in c["message"], c
    objects.wait_answer(l, VIP, "inner.example", 500)
    api.put(service("inner", ["IPv4"]))
    objects.wait_answer(l, VIP, "inner.example", {"backend-1", "backend-2"})
    objects.await_parent_condition(l, NS, "inner", "ResolvedRefs")


@suite.test("#8")
def clusters_are_told_apart_by_their_names(l):
    api = l.appliance.api
    api.put(routing.sluice("ClusterNetwork", "west", namePrefix="west-", endpoints="Node"))
    api.put(objects.namespace("west-apps"))
    other = service("app", ["IPv4"])
    other["metadata"]["namespace"] = "west-apps"
    api.put(other)
    api.put(nodes.node(2, name="west-1"))
    gw = objects.gateway("west-apps", "gw", "198.18.0.101")
    api.put(gw)
    api.put(objects.route("west-apps", "app", ["west-apps/gw"], [objects.to("app")], HOST))
    objects.gateway_address(l, "west-apps", "gw")
    suite.eventually(lambda: {objects.answers(l, "198.18.0.101", HOST) for _ in range(TRIES)} == {"backend-2"},
                     "only the node of that cluster is asked", WAIT_S)
    wait_who(l, 1, 2)
