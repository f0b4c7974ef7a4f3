# SPDX-License-Identifier: Apache-2.0
"""VRRP: keepalived in the exception path's namespace, and a Linux host with keepalived as the other of the pair."""
import time

import lab as labs
import namespace
import objects
import routing
import suite

NS, HOST = "vrrp", "app.example"
VIP4, VIP6 = "198.18.0.141", "2001:db8::141"
SHARED4, SHARED6 = "198.18.0.200", "fe80::51"  # what the advertisements say
PAIR4, PAIR6 = "198.18.0.2", "2001:db8::2"
BOX4 = "198.18.0.1"
PAIR = f"""
global_defs {{ router_id pair
}}
vrrp_instance v4 {{
    version 3
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 50
    advert_int 0.1
    virtual_ipaddress {{
        {SHARED4}/32
    }}
    virtual_ipaddress_excluded {{
        {VIP4}/32
    }}
}}
vrrp_instance v6 {{
    version 3
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 50
    advert_int 0.1
    virtual_ipaddress {{
        {SHARED6}/128
    }}
    virtual_ipaddress_excluded {{
        {VIP6}/128
    }}
}}
"""
ANSWER = """
import http.server, socket
class Pair(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"pair answers")
class Six(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
Six(("::", 80), Pair).serve_forever()
"""


def lab():
    return labs.Lab("vrrp", backends=1, workers=2)


def prepare(l):
    routing.add_control(l, "p0")
    routing.add_keepalived_to_mgmtd(l)
    pair = routing.add_namespace(l, "pair")
    namespace.link(pair, "eth0", l["switch"], "pair")
    namespace.attach(l["switch"], "front", "pair")
    pair.address("eth0", f"{PAIR4}/24", f"{PAIR6}/64")
    pair.sysctl(net__ipv6__conf__all__accept_dad=0, net__ipv6__conf__eth0__accept_dad=0)
    l.capture = routing.Capture(l, "capture", "client", "eth0", "proto", "112", "or", "arp", "or", "icmp6")
    objects.bring_up(l, "appliance.yaml")
    objects.serve_one(l, NS, HOST, VIP4, VIP6)
    l.start("answer-pair", "pair", "python3", "-c", ANSWER)


def router(l, **spec):
    l.appliance.api.put(routing.sluice("VirtualRouter", "front", **{
        "interface": "front", "routerID": 51, "addresses": [SHARED4, SHARED6], "priority": 150,
        "advertisementIntervalMilliseconds": 100, **spec}))


def masters(l):
    return l.appliance.counters()["core_vrrp_masters_now"]


def wait_who(l, who, vip, limit_s=10):
    """Until `who` answers at the VIP; how long that took."""
    began = time.monotonic()
    suite.eventually(lambda: answers(l, vip) == who, f"{vip} is answered by {who}", limit_s)
    return time.monotonic() - began


def adverts_of(l, family):
    """The box's advertisements that the client's link has seen."""
    return l.capture.fields(f"{family} && vrrp.prio == 150", "frame.number")


def answers(l, vip):
    where = f"[{vip}]" if ":" in vip else vip
    done = l["client"].run("curl", "-s", "-m", "0.3", "-H", f"Host: {HOST}", f"http://{where}/")
    return done.stdout.split(" ")[0]


@suite.test("#7")
def without_a_master_nobody_has_the_vips(l):
    router(l)
    suite.eventually(lambda: answers(l, VIP4) == "" and answers(l, VIP6) == "", "the VIPs are given up", 5)
    done = l["client"].run("ping", "-c", "1", "-W", "1", BOX4)
    assert " 0% packet loss" in done.stdout, done.stdout  # its own addresses it keeps
    assert objects.condition(l.appliance.api.get("Gateway", "gw", NS)["status"], "Programmed")["status"] == "True"


@suite.test("#7")
def keepalived_makes_the_box_the_master_of_both_families(l):
    l.keepalived = routing.Keepalived(l, "keepalived-box", "control", path=l.keepalived_config, pid=l.keepalived_pid)
    for vip in (VIP4, VIP6):
        wait_who(l, "backend-1", vip)
    assert masters(l) == 2
    status = l.appliance.api.get("VirtualRouter", "front")["status"]
    assert objects.condition(status, "Accepted")["status"] == "True", status


@suite.test("#7")
def the_other_of_the_pair_takes_over_when_the_dataplane_dies_and_gives_back(l):
    routing.Keepalived(l, "keepalived-pair", "pair", config=PAIR)
    for vip in (VIP4, VIP6):
        assert wait_who(l, "backend-1", vip) < 5
    l.appliance.dataplane.kill()
    for vip in (VIP4, VIP6):
        print(f"  {vip} answered by the pair {wait_who(l, 'pair', vip):.3f} s later (dead after 0.38 s of silence)")
    l.keepalived.kill()  # it goes and comes with the dataplane (docs/ian.md)
    l.appliance.start_dataplane()
    l.keepalived = routing.Keepalived(l, "keepalived-box", "control", path=l.keepalived_config, pid=l.keepalived_pid)
    for vip in (VIP4, VIP6):
        print(f"  {vip} back {wait_who(l, 'backend-1', vip, 20):.3f} s after the dataplane was ready")
    suite.eventually(lambda: masters(l) == 2, "it is master of both", 5)
    for family in ("ip", "ipv6"):  # on the new TAP, too
        before = len(adverts_of(l, family))
        suite.eventually(lambda: len(adverts_of(l, family)) > before + 3, f"it goes on to say so ({family})", 10)


@suite.test("#7")
def the_pair_takes_over_when_only_keepalived_dies(l):
    l.keepalived.kill()
    for vip in (VIP4, VIP6):
        wait_who(l, "pair", vip)
    suite.eventually(lambda: masters(l) == 0, "nobody says that the box is master", 5)
    l.keepalived = routing.Keepalived(l, "keepalived-box", "control", path=l.keepalived_config, pid=l.keepalived_pid)
    for vip in (VIP4, VIP6):
        wait_who(l, "backend-1", vip)


@suite.test("#7")
def a_change_that_makes_no_other_master_takes_no_vip_away(l):
    router(l, priority=140)
    router(l, priority=150)
    changes = l.appliance.counters()["core_vrrp_changes"]
    suite.eventually(lambda: "priority 150" in open(l.keepalived_config).read(), "it is configured", 5)
    for _ in range(10):
        for vip in (VIP4, VIP6):
            assert answers(l, vip) == "backend-1", vip
    assert masters(l) == 2 and l.appliance.counters()["core_vrrp_changes"] == changes


@suite.test("#7")
def a_lower_priority_hands_the_vips_over_without_a_restart(l):
    router(l, priority=20)
    for vip in (VIP4, VIP6):
        wait_who(l, "pair", vip)
    router(l, priority=150)
    for vip in (VIP4, VIP6):
        wait_who(l, "backend-1", vip)


@suite.test("#7")
def the_wire_shows_advertisements_and_who_announced_the_vips(l):
    l.capture.end()
    adverts = l.capture.fields("vrrp.virt_rtr_id == 51", "ip.src", "ip.ttl", "vrrp.prio", "ipv6.hlim")
    assert {("198.18.0.1", "255", "150", ""), (PAIR4, "255", "50", "")} <= {tuple(row) for row in adverts}, adverts[:5]
    assert any(row[3] == "255" and row[2] == "150" for row in adverts), adverts[:5]
    box = l["control"].run("cat", "/sys/class/net/p0/address").stdout.strip()
    pair = l["pair"].run("cat", "/sys/class/net/eth0/address").stdout.strip()
    said = [row[0] for row in l.capture.fields(f"arp.src.proto_ipv4 == {VIP4} && arp.isgratuitous == 1",
                                               "arp.src.hw_mac")]
    changes = [mac for i, mac in enumerate(said) if i == 0 or said[i - 1] != mac]
    assert changes.count(box) >= 3 and changes.count(pair) >= 2, changes
    advertised = l.capture.fields(f"icmpv6.type == 136 && icmpv6.nd.na.target_address == {VIP6}", "eth.src")
    assert {box, pair} <= {row[0] for row in advertised}, advertised


@suite.test("#7")
def a_second_router_on_the_interface_says_that_it_is_not_in_effect(l):
    api = l.appliance.api
    api.put(routing.sluice("VirtualRouter", "second", interface="front", routerID=52, addresses=[SHARED4]))
    api.put(routing.sluice("VirtualRouter", "third", interface="none", routerID=53, addresses=[SHARED4]))
    for name, reason in (("second", "Conflict"), ("third", "NoInterface")):
        suite.eventually(lambda: objects.condition(api.get("VirtualRouter", name)["status"], "Accepted")["reason"] ==
                         reason, f"{name}: {reason}", 5)
        api.delete("VirtualRouter", name)


@suite.test("#7")
def without_the_virtual_router_the_vips_are_the_box_s_own(l):
    l.keepalived.end()
    wait_who(l, "pair", VIP4)
    l["switch"].ip("link", "set", "pair", "down")
    l.appliance.api.delete("VirtualRouter", "front")
    for vip in (VIP4, VIP6):
        wait_who(l, "backend-1", vip)
