# SPDX-License-Identifier: Apache-2.0
"""The exception path: the kernel's own BIRD speaks BGP and BFD on a port of the dataplane, in its own namespace."""
import re
import time

import lab as labs
import objects
import routing
import suite

NS, HOST = "exception", "app.example"
VIP4, VIP6 = "203.0.113.10", "2001:db8:ff::10"  # on no link: only BGP tells the way
BOX4, BOX6 = "198.18.0.1", "2001:db8::1"
VLAN_BOX4, VLAN_ROUTER4 = "198.18.7.1", "198.18.7.254"

COMMON = """
log stderr all;
protocol device { scan time 1; }
protocol bfd { interface "*" { min rx interval 200 ms; min tx interval 200 ms; multiplier 5; }; }
"""
BOX = f"""
router id {BOX4};
{COMMON}
protocol static vips4 {{ ipv4; route {VIP4}/32 blackhole; }}
protocol static vips6 {{ ipv6; route {VIP6}/128 blackhole; }}
template bgp peers {{ local as 65001; {routing.AGAIN}; bfd; }}
protocol bgp router4 from peers {{ neighbor {routing.ROUTER4} as 65000; ipv4 {{ import none; export all; }}; }}
protocol bgp router6 from peers {{ neighbor {routing.ROUTER6} as 65000; ipv6 {{ import none; export all; }}; }}
"""
ROUTER = f"""
router id {routing.ROUTER4};
{COMMON}
protocol kernel {{ ipv4 {{ export all; }}; }}
protocol kernel {{ ipv6 {{ export all; }}; }}
template bgp peers {{ local as 65000; hold time 90; {routing.AGAIN}; bfd; }}
protocol bgp box4 from peers {{ neighbor {BOX4} as 65001; ipv4 {{ import all; export none; }}; }}
protocol bgp box6 from peers {{ neighbor {BOX6} as 65001; ipv6 {{ import all; export none; }}; }}
"""

# A SYN in a frame with the tag 7: device, MACs to and from, addresses from and to, ports.
TAGGED_SYN = """
import socket, struct, sys
device, to, src, source, target, sport, dport = sys.argv[1:]
def total(b):
    n = sum(struct.unpack(f"!{len(b) // 2}H", b))
    while n >> 16:
        n = (n & 0xffff) + (n >> 16)
    return ~n & 0xffff
tcp = struct.pack("!HHIIBBHHH", int(sport), int(dport), 1, 0, 80, 2, 1000, 0, 0)
ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0x4000, 64, 6, 0, socket.inet_aton(source), socket.inet_aton(target))
ip = ip[:10] + struct.pack("!H", total(ip)) + ip[12:]
mac = lambda text: bytes.fromhex(text.replace(":", ""))
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((device, 0))
s.send(mac(to) + mac(src) + struct.pack("!HHH", 0x8100, 7, 0x0800) + ip + tcp)
"""


def lab():
    return labs.Lab("exception", backends=1, workers=2)


def prepare(l):
    routing.add_control(l, "p0")
    routing.add_router(l)
    l.capture = routing.Capture(l, "capture", "router", "eth0")
    objects.bring_up(l, "appliance.yaml")
    api = l.appliance.api
    api.put(routing.sluice("Interface", "seven", port="p0", vlan=7, addresses=[f"{VLAN_BOX4}/24"]))
    api.put(routing.sluice("AddressPool", "routed", addresses=[f"{VIP4}-{VIP4}", f"{VIP6}-{VIP6}"], interface="front"))
    api.put(routing.sluice("StaticRoute", "far4", destination=f"{routing.FAR4}.0/24", gateway=routing.ROUTER4))
    api.put(routing.sluice("StaticRoute", "far6", destination=f"{routing.FAR6}::/64", gateway=routing.ROUTER6))
    l["client"].ip("route", "add", f"{VIP4}/32", "via", BOX4)  # so that it can look whether the Gateway works
    objects.serve_one(l, NS, HOST, VIP4, VIP6)
    l.router = routing.Bird(l, "bird-router", "router", ROUTER)
    l.box = routing.Bird(l, "bird-box", "control", BOX)


@suite.test("#7")
def the_kernel_s_side_has_the_interfaces_addresses_and_routes_and_no_vips(l):
    said = l["control"].ip("address", "show")
    for wanted in (f"{BOX4}/24", f"{BOX6}/64"):
        assert wanted in said, said
    assert VIP4 not in said and VIP6 not in said, said
    mac = re.search(r"p0: .*?link/ether ([0-9a-f:]+)", said, re.S)[1]
    assert mac in l["appliance"].ip("link", "show", "p0"), said
    assert f"{routing.FAR4}.0/24 via {routing.ROUTER4}" in l["control"].ip("route", "show")
    assert f"{routing.FAR6}::/64 via {routing.ROUTER6}" in l["control"].ip("-6", "route", "show")


@suite.test("#7")
def bird_in_the_exception_namespace_speaks_bgp_on_both_families(l):
    for protocol in ("router4", "router6"):
        l.box.wait_established(protocol)


@suite.test("#7")
def clients_behind_the_router_reach_vips_that_only_bgp_announced(l):
    for vip in (VIP4, VIP6):
        suite.eventually(lambda: routing.far_answer(l, HOST, vip) == "backend-1", f"{vip} answers the far client", 10)


@suite.test("#7")
def bfd_is_up_on_both_families(l):
    def is_up():
        rows = [row for row in l.box.ask("show", "bfd", "sessions").splitlines() if routing.ROUTER4 in row or
                routing.ROUTER6 in row]
        return len(rows) == 2 and all(" Up " in row for row in rows)
    suite.eventually(is_up, "both sessions of BFD are up", 10)


@suite.test("#7")
def an_operator_in_the_namespace_can_ping_the_router(l):
    for address in (routing.ROUTER4, routing.ROUTER6):
        done = l["control"].run("ping", "-c", "3", "-i", "0.2", "-W", "2", address, timeout=20)
        assert " 0% packet loss" in done.stdout, done.stdout


@suite.test("#7")
def the_wire_shows_bgp_s_updates_and_bfd_s_states(l):
    capture = l.capture
    capture.end()
    updates = capture.fields("bgp.type == 2", "ip.src", "ipv6.src", "bgp.nlri_prefix", "bgp.mp_reach_nlri_ipv6_prefix")
    assert any(row[0] == BOX4 and VIP4 in row[2] for row in updates), updates
    assert any(row[1] == BOX6 and VIP6 in row[3] for row in updates), updates
    ups = {row[0] for row in capture.fields("bfd.sta == 3 && ip", "ip.src", "ip.ttl") if row[1] == "255"}
    assert {BOX4, routing.ROUTER4} <= ups, ups
    answers = capture.fields(f"arp.opcode == 2 && arp.src.proto_ipv4 == {BOX4}", "arp.src.hw_mac")
    assert len({row[0] for row in answers}) == 1, answers  # one box, one MAC, whoever of the two answered


@suite.test("#7")
def a_flood_of_syns_to_bgp_s_port_ends_no_session(l):
    before = l.appliance.counters()
    sender = ("import random,socket,struct;s=socket.socket(socket.AF_INET,socket.SOCK_RAW,socket.IPPROTO_TCP);"
              f"[s.sendto(struct.pack('!HHIIBBHHH',random.randrange(1024,65535),179,1,0,80,2,1000,0,0),('{BOX4}',0))"
              " for _ in range(20000)]")
    l["far"].run("python3", "-c", sender, check=True)
    l["client"].run("python3", "-c", sender, check=True)
    after = l.appliance.counters()
    assert after["net_punt_limited_bgp_open"] > before["net_punt_limited_bgp_open"] + 10000, after
    assert after["net_punt_bgp_open"] < before["net_punt_bgp_open"] + 1000, after
    for protocol in ("router4", "router6"):
        assert l.box.is_established(protocol), l.box.ask("show", "protocols")


@suite.test("#7")
def when_the_dataplane_dies_bfd_tells_the_router_and_when_it_is_back_so_are_the_routes(l):
    assert l.router.has_route(f"{VIP4}/32")
    began = time.monotonic()
    l.appliance.dataplane.kill()
    suite.eventually(lambda: not l.router.has_route(f"{VIP4}/32"), "the VIP is withdrawn", 5)
    print(f"  withdrawn {time.monotonic() - began:.3f} s after the dataplane was killed (BFD, 5 times 200 ms)")
    l.appliance.start_dataplane()
    suite.eventually(lambda: l.router.has_route(f"{VIP4}/32"), "the VIP is back", 30)
    suite.eventually(lambda: routing.far_answer(l, HOST, VIP4) == "backend-1", "the far client is answered", 10)


@suite.test("#7")
def frames_of_a_vlan_go_to_the_tap_and_back_with_their_tag(l):
    """The lab's kernel may have no VLANs of its own (8021q): a packet socket at each end speaks instead of daemons."""
    there = routing.Capture(l, "capture-vlan", "control", "p0", "vlan", "7")
    back = routing.Capture(l, "capture-vlan-router", "router", "eth0", "vlan", "7", "and", "tcp", "port", "179")
    mac = l["control"].run("cat", "/sys/class/net/p0/address").stdout.strip()
    from_router = l["router"].run("cat", "/sys/class/net/eth0/address").stdout.strip()
    for where, to, src, source, target, ports in (
            ("router", mac, from_router, VLAN_ROUTER4, VLAN_BOX4, (40000, 179)),
            ("control", from_router, mac, VLAN_BOX4, VLAN_ROUTER4, (179, 40000))):
        device = "eth0" if where == "router" else "p0"
        l[where].run("python3", "-c", TAGGED_SYN, device, to, src, source, target, *map(str, ports), check=True)
    suite.eventually(lambda: there.fields(f"vlan.id == 7 && ip.src == {VLAN_ROUTER4}", "frame.number"), "it came", 5)
    suite.eventually(lambda: back.fields(f"vlan.id == 7 && ip.src == {VLAN_BOX4}", "frame.number"), "it went", 5)
    there.end()
    back.end()


@suite.test("#7")
def an_address_that_is_gone_is_gone_in_the_kernel_too(l):
    api = l.appliance.api
    front = routing.sluice("Interface", "front", **api.get("Interface", "front")["spec"])
    front["spec"]["addresses"].append("198.18.9.1/24")
    api.put(front)
    suite.eventually(lambda: "198.18.9.1/24" in l["control"].ip("address", "show"), "the address is there", 5)
    front["spec"]["addresses"].remove("198.18.9.1/24")
    api.put(front)
    suite.eventually(lambda: "198.18.9.1/24" not in l["control"].ip("address", "show"), "the address is gone", 5)
    assert BOX4 in l["control"].ip("address", "show")
