# SPDX-License-Identifier: Apache-2.0
"""Pods by routes that nodes tell by BGP: a BIRD on each node, and what becomes of its routes; both families."""
import nodes
import lab as labs
import objects
import reach
import routing
import suite

BOX4, BOX6 = "198.18.1.1", "2001:db8:1::1"
PODS4, PODS6 = "198.18.0.0/17", "2001:db8:f::/48"


def lab():
    return labs.Lab("reach-bgp", backends=2, workers=2)


def node_config(n, *more4):
    """BIRD of node-n, which tells its pods and `more4`."""
    others = " ".join(f"route {net} blackhole;" for net in more4)
    common = f"{routing.AGAIN}; bfd {{ interval 200 ms; multiplier 5; }}"
    return f"""
router id {nodes.node_address(n)};
log stderr all;
protocol device {{ scan time 1; }}
protocol bfd {{ }}
protocol static pods4 {{ ipv4; route {nodes.pod_cidr(n)} blackhole; {others} }}
protocol static pods6 {{ ipv6; route {nodes.pod_cidr(n, 6)} blackhole; }}
protocol bgp box4 {{ local as {65100 + n}; neighbor {BOX4} as 65001; {common};
  ipv4 {{ import none; export where source = RTS_STATIC; next hop self; }}; }}
protocol bgp box6 {{ local as {65100 + n}; neighbor {BOX6} as 65001; {common};
  ipv6 {{ import none; export where source = RTS_STATIC; next hop self; }}; }}
"""


def peer(n, family, **accept):
    accept = accept or {"prefixes": [{"prefix": PODS4, "maxLength": 24} if family == 4 else {"prefix": PODS6}]}
    return routing.sluice("BgpPeer", f"node-{n}-ipv{family}", address=nodes.node_address(n, family),
                          peerASN=65100 + n, localASN=65001, connectRetrySeconds=1,
                          bfd={"intervalMilliseconds": 200, "multiplier": 5},
                          accept=accept)


def prepare(l):
    nodes.add_nodes(l)
    routing.add_control(l, "p1")
    routing.add_bird_to_mgmtd(l)
    objects.bring_up(l, "appliance.yaml")
    l.box = routing.Bird(l, "bird-box", "control", path=l.bird_config)
    reach.apply_objects(l)
    # what is too long, and what is not asked for, is not taken
    l.nodes = {n: routing.Bird(l, f"bird-node-{n}", f"node-{n}",
                               node_config(n, f"198.18.100.{128 * (n - 1)}/25", "203.0.113.0/24")) for n in (1, 2)}


def status(l, n, family):
    return l.appliance.api.get("BgpPeer", f"node-{n}-ipv{family}").get("status", {})


def condition(l, n, family, kind):
    c = objects.condition(status(l, n, family), kind)
    return c["status"], c.get("reason")


def wait_told(l, n, family, *wanted, limit_s=20):
    suite.eventually(lambda: sorted(r["destination"] for r in status(l, n, family).get("routes", [])) == sorted(wanted),
                     f"node-{n} has told {wanted}", limit_s)


@suite.test("#8")
def without_accept_nothing_is_taken(l):
    api = l.appliance.api
    for n in (1, 2):
        for family in (4, 6):
            plain = peer(n, family)
            del plain["spec"]["accept"]
            api.put(plain)
            suite.eventually(lambda: condition(l, n, family, "Established") == ("True", "Established"),
                             f"node-{n} is established by IPv{family}", 30)
    reach.wait_unreached(l)
    assert "routes" not in status(l, 1, 4)


@suite.test("#8")
def what_nodes_tell_within_accept_is_the_way_to_their_pods(l):
    for n in (1, 2):
        for family in (4, 6):
            l.appliance.api.put(peer(n, family))
    for n in (1, 2):
        for family in (4, 6):
            wait_told(l, n, family, nodes.pod_cidr(n, family))
            assert status(l, n, family)["routes"][0]["gateway"] == nodes.node_address(n, family)
            assert condition(l, n, family, "RoutesLearned") == ("True", "Learned")
    reach.wait_reached(l)


@suite.test("#8")
def what_was_learned_is_not_told_to_others(l):
    said = l.nodes[2].ask("show", "route", "all")
    assert nodes.pod_cidr(1) not in said and nodes.pod_cidr(1, 6) not in said, said


@suite.test("#8")
def routes_of_a_session_that_ends_are_withdrawn_and_the_others_stay(l):
    l.nodes[1].kill()
    wait_told(l, 1, 4)
    wait_told(l, 1, 6)
    reach.wait_unreached(l, (1, 4), (1, 6))
    assert reach.answer(l, 2, 4) == "backend-2" and reach.answer(l, 2, 6) == "backend-2"
    l.nodes[1] = routing.Bird(l, "bird-node-1", "node-1", node_config(1))
    reach.wait_reached(l, (1, 4), (1, 6), limit_s=30)


@suite.test("#8")
def routes_stay_when_mgmtd_restarts_and_while_bird_does_not_answer(l):
    l.appliance.mgmtd.kill()
    assert reach.answer(l, 1, 4) == "backend-1"
    l.appliance.start_mgmtd()
    assert nodes.pod_cidr(1) in str(status(l, 1, 4))
    assert reach.answer(l, 1, 4) == "backend-1" and reach.answer(l, 1, 6) == "backend-1"
    l.box.kill()
    suite.eventually(lambda: condition(l, 1, 4, "RoutesLearned") == ("Unknown", "NoDaemon"), "BIRD is missed", 10)
    assert reach.answer(l, 1, 4) == "backend-1" and nodes.pod_cidr(1) in str(status(l, 1, 4))
    l.box = routing.Bird(l, "bird-box", "control", path=l.bird_config)
    wait_told(l, 1, 4, nodes.pod_cidr(1), limit_s=40)
    reach.wait_reached(l, limit_s=40)


@suite.test("#8")
def more_than_the_limit_is_not_taken_and_told_of(l):
    l.nodes[1].kill()
    more = [f"198.18.{i}.0/24" for i in range(100, 110)]
    l.nodes[1] = routing.Bird(l, "bird-node-1", "node-1", node_config(1, *more))
    l.appliance.api.put(peer(1, 4, prefixes=[{"prefix": PODS4, "maxLength": 24}], limit=4))
    suite.eventually(lambda: condition(l, 1, 4, "RoutesLearned") == ("False", "LimitReached"), "the limit is told", 40)
    assert len(status(l, 1, 4)["routes"]) == 4
    l.appliance.api.put(peer(1, 4))
    wait_told(l, 1, 4, nodes.pod_cidr(1), *more, limit_s=40)
    assert condition(l, 1, 4, "RoutesLearned") == ("True", "Learned")


@suite.test("#8")
def a_peer_that_is_deleted_takes_its_routes_along(l):
    l.appliance.api.delete("BgpPeer", "node-2-ipv4")
    reach.wait_unreached(l, (2, 4))
    reach.wait_reached(l, (2, 6))
