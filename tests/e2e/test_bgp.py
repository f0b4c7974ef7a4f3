# SPDX-License-Identifier: Apache-2.0
"""BgpPeers: VIPs are announced while they are served, and only then; BIRD and tshark at the router's side."""
import re
import time

import lab as labs
import objects
import routing
import suite

NS, HOST = "bgp", "app.example"
VIP4, VIP6, LATE4 = "203.0.113.10", "2001:db8:ff::10", "203.0.113.11"
BOX4, BOX6 = "198.18.0.1", "2001:db8::1"
PASSWORD = "s3cret-of-two"


def router(password=PASSWORD):
    common = f'local as 65000; {routing.AGAIN}; hold time 90; bfd {{ interval 200 ms; multiplier 5; }};'
    return f"""
router id {routing.ROUTER4};
log stderr all;
debug protocols {{ states, routes, events }};
protocol device {{ scan time 1; }}
protocol bfd {{ }}
protocol kernel {{ ipv4 {{ export all; }}; }}
protocol kernel {{ ipv6 {{ export all; }}; }}
protocol bgp box4 {{ {common} neighbor {BOX4} as 65001; password "{password}"; ipv4 {{ import all; export none; }}; }}
protocol bgp box6 {{ {common} neighbor {BOX6} as 65001; ipv6 {{ import all; export none; }}; }}
"""


def peer(name, address, **spec):
    return routing.sluice("BgpPeer", name, address=address, peerASN=65000, localASN=65001, connectRetrySeconds=1,
                          bfd={"intervalMilliseconds": 200, "multiplier": 5}, **spec)


def lab():
    return labs.Lab("bgp", backends=1, workers=2)


def prepare(l):
    routing.add_control(l, "p0")
    routing.add_router(l)
    routing.add_bird_to_mgmtd(l)
    l.capture = routing.Capture(l, "capture", "router", "eth0", "tcp", "port", "179")
    objects.bring_up(l, "appliance.yaml")
    api = l.appliance.api
    api.put(routing.sluice("AddressPool", "routed", addresses=[f"{VIP4}-{LATE4}", VIP6], interface="front"))
    api.put(routing.sluice("StaticRoute", "far4", destination=f"{routing.FAR4}.0/24", gateway=routing.ROUTER4))
    api.put(routing.sluice("StaticRoute", "far6", destination=f"{routing.FAR6}::/64", gateway=routing.ROUTER6))
    l.router = routing.Bird(l, "bird-router", "router", router())
    l.box = routing.Bird(l, "bird-box", "control", path=l.bird_config)
    l["client"].ip("route", "add", f"{VIP4}/32", "via", BOX4)  # so that it can look whether the Gateway works
    objects.serve_one(l, NS, HOST, VIP4, VIP6)
    api.put(objects.namespace("secrets"))
    api.put({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "secrets", "name": "router"},
             "data": {"password": objects.encoded(PASSWORD)}})


def conditions(l, name):
    status = l.appliance.api.get("BgpPeer", name).get("status", {})
    return {c["type"]: (c["status"], c["reason"]) for c in status.get("conditions", [])}


def wait_condition(l, name, kind, wanted, limit_s=15):
    suite.eventually(lambda: conditions(l, name).get(kind) == wanted, f"{name}: {kind} is {wanted}", limit_s)


def wait_route(l, vip, is_there=True, limit_s=10):
    """Until the router has the VIP's route, or has it no more; how long that took."""
    began = time.monotonic()
    prefix = f"{vip}/{128 if ':' in vip else 32}"
    suite.eventually(lambda: l.router.has_route(prefix) == is_there, f"the route to {vip}: {is_there}", limit_s)
    return time.monotonic() - began


@suite.test("#7")
def a_peer_with_password_and_bfd_is_established_and_gets_the_vips(l):
    api = l.appliance.api
    api.put(peer("router4", routing.ROUTER4, passwordSecretRef={"namespace": "secrets", "name": "router"}))
    api.put(peer("router6", routing.ROUTER6, communities=["65001:7"], prepend=1, multiExitDiscriminator=5))
    for name in ("router4", "router6"):
        wait_condition(l, name, "Accepted", ("True", "Accepted"))
        wait_condition(l, name, "Established", ("True", "Established"))
    wait_route(l, VIP4)
    wait_route(l, VIP6)
    said = l.router.ask("show", "route", f"{VIP6}/128", "all")
    assert "65001 65001" in said and "(65001,7)" in said and "BGP.med: 5" in said, said


@suite.test("#7")
def clients_behind_the_router_reach_the_vips(l):
    for vip in (VIP4, VIP6):
        suite.eventually(lambda: routing.far_answer(l, HOST, vip) == "backend-1", f"{vip} answers the far client", 10)


@suite.test("#7")
def the_wire_shows_signatures_updates_and_their_attributes(l):
    suite.eventually(lambda: l.capture.fields(f"tcp.options.md5 && ip.src == {BOX4}", "frame.number"),
                     "signed segments are in the file")
    updates = l.capture.fields("bgp.type == 2", "ip.src", "bgp.nlri_prefix", "bgp.mp_reach_nlri_ipv6_prefix",
                               "bgp.update.path_attribute.multi_exit_disc")
    assert any(row[0] == BOX4 and VIP4 in row[1] for row in updates), updates
    assert any(VIP6 in row[2] and row[3] == "5" for row in updates), updates


@suite.test("#7")
def a_vip_is_announced_when_its_gateway_is_programmed_and_withdrawn_when_it_goes(l):
    api = l.appliance.api
    api.put(objects.gateway(NS, "late", LATE4))
    print(f"  announced {wait_route(l, LATE4):.3f} s after the Gateway was created")
    api.delete("Gateway", "late", NS)
    print(f"  withdrawn {wait_route(l, LATE4, False):.3f} s after the Gateway was deleted")
    assert l.router.has_route(f"{VIP4}/32")


@suite.test("#7")
def a_gateway_that_is_not_programmed_is_not_announced(l):
    api = l.appliance.api
    api.put({**objects.gateway(NS, "elsewhere", LATE4), "spec": {
        **objects.gateway(NS, "elsewhere", "203.0.113.99")["spec"]}})
    suite.eventually(lambda: objects.condition(api.get("Gateway", "elsewhere", NS)["status"], "Programmed")["status"] ==
                     "False", "it is not programmed", 5)
    assert "203.0.113.99" not in open(l.bird_config).read()
    api.delete("Gateway", "elsewhere", NS)


@suite.test("#7")
def a_change_of_the_gateway_withdraws_nothing(l):
    api = l.appliance.api
    before = len(re.findall(r"removed .*203\.0\.113\.10/32|withdrawn", open(l.router.log).read()))
    for port in (8081, 8082, 8083):
        gw = objects.gateway(NS, "gw", VIP4, VIP6)
        gw["spec"]["listeners"].append({"name": "more", "port": port, "protocol": "HTTP"})
        api.put(gw)
        objects.gateway_address(l, NS, "gw")
    assert len(re.findall(r"removed .*203\.0\.113\.10/32|withdrawn", open(l.router.log).read())) == before
    assert routing.far_answer(l, HOST, VIP4) == "backend-1"


@suite.test("#7")
def another_interface_ends_no_session(l):
    """BIRD's id is an interface's address, and the first by name is another one now."""
    api = l.appliance.api
    since = l.box.ask("show", "protocols", "peer-router4").split()[-2]
    before = open(l.bird_config).readlines()
    api.put(routing.sluice("Interface", "a-first", port="p1", vlan=9, addresses=["198.18.9.1/24"]))
    api.put(peer("after", "198.18.9.77"))  # as soon as this is taken up, the interface has been, too
    wait_condition(l, "after", "Accepted", ("True", "Accepted"))
    suite.eventually(lambda: "198.18.9.77" in open(l.bird_config).read(), "it is in the file", 5)
    api.delete("BgpPeer", "after")
    assert l.box.ask("show", "protocols", "peer-router4").split()[-2] == since
    assert open(l.bird_config).readlines() == before
    api.delete("Interface", "a-first")


@suite.test("#7")
def peers_that_cannot_be_say_why(l):
    api = l.appliance.api
    api.put(peer("far", "192.0.2.77"))
    api.put(peer("link", "fe80::77"))
    api.put(peer("secret", "198.18.0.77", passwordSecretRef={"namespace": "secrets", "name": "none"}))
    for name, reason in (("far", "NotOnLink"), ("link", "NoInterface"), ("secret", "RefNotFound")):
        wait_condition(l, name, "Accepted", ("False", reason))
        wait_condition(l, name, "Established", ("False", "NotAccepted"))
        api.delete("BgpPeer", name)
    for name, address, more in (("silent", "198.18.0.77", {}), ("near", "fe80::77", {"interface": "front"})):
        api.put(peer(name, address, **more))  # BIRD takes it, but nobody is there
        wait_condition(l, name, "Established", ("False", "NotEstablished"))
        api.delete("BgpPeer", name)


@suite.test("#7")
def a_drain_makes_the_vips_the_last_choice_or_takes_them_back(l):
    api = l.appliance.api
    api.put(routing.sluice("Drain", "soft", method="Deprioritize", reason="upgrade"))
    suite.eventually(lambda: "(65535,0)" in l.router.ask("show", "route", f"{VIP4}/32", "all"), "GRACEFUL_SHUTDOWN", 5)
    assert "65001 65001 65001 65001" in l.router.ask("show", "route", f"{VIP4}/32", "all")
    api.put(routing.sluice("Drain", "hard", method="Withdraw"))
    print(f"  withdrawn {wait_route(l, VIP4, False):.3f} s after the Drain")
    wait_route(l, VIP6, False)
    assert objects.answers(l, VIP4, HOST) == "backend-1"  # who still comes is served
    api.delete("Drain", "hard")
    wait_route(l, VIP4)
    api.delete("Drain", "soft")
    suite.eventually(lambda: "(65535,0)" not in l.router.ask("show", "route", f"{VIP4}/32", "all"), "as before", 5)
    for name in ("router4", "router6"):
        wait_condition(l, name, "Established", ("True", "Established"))


@suite.test("#7")
def vips_stay_when_mgmtd_dies_and_go_when_the_dataplane_does(l):
    l.appliance.mgmtd.kill()
    assert l.router.has_route(f"{VIP4}/32") and routing.far_answer(l, HOST, VIP4) == "backend-1"
    l.appliance.dataplane.kill()
    print(f"  withdrawn {wait_route(l, VIP4, False, 5):.3f} s after the dataplane was killed (BFD, 5 times 200 ms)")
    l.appliance.start_dataplane()
    print(f"  announced {wait_route(l, VIP4, True, 30):.3f} s after the dataplane was ready, without mgmtd")
    suite.eventually(lambda: routing.far_answer(l, HOST, VIP4) == "backend-1", "the far client is answered", 10)
    l.appliance.start_mgmtd()
    wait_condition(l, "router4", "Established", ("True", "Established"))
    assert l.router.has_route(f"{VIP4}/32")


@suite.test("#7")
def a_peer_that_is_deleted_is_gone_in_bird(l):
    l.appliance.api.delete("BgpPeer", "router6")
    wait_route(l, VIP6, False)
    assert "peer-router6" not in l.box.ask("show", "protocols")
    assert l.router.has_route(f"{VIP4}/32")
