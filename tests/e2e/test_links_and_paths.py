# SPDX-License-Identifier: Apache-2.0
"""IPv6 on the link and on the path, with Linux at the other end: duplicates, groups, flow labels, path MTUs."""
import json
import os
import select
import socket
import struct

import backend
import lab as labs
import namespace
import objects
import suite

NS = "paths"
HOST = "paths.example"
VIP4, VIP6, SHORT6 = "198.18.0.143", "2001:db8::143", "2001:db8::148"
ETH_P_IPV6 = 0x86dd


def lab():
    return labs.Lab("paths", backends=1)


def prepare(l):
    objects.bring_up(l, "appliance.yaml")
    with open(os.path.join(l.dir, "files", "page"), "wb") as f:
        f.write(os.urandom(100000))
    objects.serve_one(l, NS, HOST, VIP4, VIP6)


def own(kind, name, **spec):
    return {"apiVersion": "sluice.internal/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def link_local_of(mac):
    """RFC 4291, appendix A."""
    b = [int(x, 16) for x in mac.split(":")]
    b[0] ^= 2
    return socket.inet_ntop(socket.AF_INET6, bytes([0xfe, 0x80] + [0] * 6 + b[:3] + [0xff, 0xfe] + b[3:]))


@suite.test("#4")
def a_switch_that_snoops_hears_of_groups_that_come_and_go(l):
    switch, api = l["switch"], l.appliance.api
    group = "ff02::1:ff00:148"

    def is_member():
        return group in switch.run("bridge", "mdb", "show", "dev", "front", check=True).stdout
    switch.ip("link", "set", "front", "type", "bridge", "mcast_snooping", "1")
    switch.run("bridge", "link", "set", "dev", "front-p0", "fastleave", "on", check=True)
    try:
        api.put(objects.gateway(NS, "short", SHORT6))
        suite.eventually(is_member, "the switch knows the group", 5)
        api.delete("Gateway", "short", NS)
        suite.eventually(lambda: not is_member(), "the switch has forgotten the group", 5)  # it takes minutes unasked
    finally:
        switch.ip("link", "set", "front", "type", "bridge", "mcast_snooping", "0")


def labels(sock):
    """The flow labels of the TCP segments from VIP6 that wait in a packet socket: a set for each port of the client."""
    found = {}
    while select.select([sock], [], [], 0.5)[0]:
        frame = sock.recv(65535)
        if frame[20] == socket.IPPROTO_TCP and frame[22:38] == socket.inet_pton(socket.AF_INET6, VIP6):
            port = struct.unpack_from("!H", frame, 14 + 40 + 2)[0]
            found.setdefault(port, set()).add(struct.unpack_from("!I", frame, 14)[0] & 0xfffff)
    return found


@suite.test("#4")
def each_connection_over_ip6_has_a_flow_label_of_its_own(l):
    sock = l["client"].inside(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IPV6)))
    with sock:
        for _ in range(8):
            assert objects.answers(l, VIP6, HOST) == "backend-1"
        found = labels(sock)
    assert len(found) == 8, found
    assert all(len(of_flow) == 1 for of_flow in found.values()), "a flow has one label"
    seen = {label for of_flow in found.values() for label in of_flow}
    assert len(seen) == 8 and 0 not in seen, seen


@suite.test("#4")
def what_a_router_tells_of_a_path_is_known_to_the_next_connection(l):
    client, api = l["client"], l.appliance.api
    far = namespace.Namespace(l.prefix, "far")
    l.undo.add("far", far.remove)
    namespace.link(client, "far0", far, "eth0")
    client.ip("link", "set", "far0", "mtu", "1400")
    client.address("far0", "198.18.5.1/24", "2001:db8:5::1/64")
    far.address("eth0", "198.18.5.10/24", "2001:db8:5::10/64")
    client.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
    far.ip("route", "add", "default", "via", "198.18.5.1")
    far.ip("-6", "route", "add", "default", "via", "2001:db8:5::1")
    api.put(own("StaticRoute", "far4", destination="198.18.5.0/24", gateway=labs.CLIENT4))
    api.put(own("StaticRoute", "far6", destination="2001:db8:5::/64", gateway=labs.CLIENT6))
    try:
        for vip in (VIP4, VIP6):
            suite.eventually(lambda: far.run("ping", "-c1", "-W1", vip).returncode == 0, f"{vip} is reached", 10)
            before = l.appliance.counters()
            told = []
            for _ in range(2):
                status, _, body = backend.curl(far, f"http://{HOST}/files/page", address=vip)
                assert status == 200 and len(body) == 100000
                told.append(l.appliance.counters()["tcp_icmp_too_big"] - before["tcp_icmp_too_big"])
            assert told == [1, 1], f"{vip}: too big once, and then never again: {told}"
            assert l.appliance.counters()["net_path_mtu_used"] == before["net_path_mtu_used"] + 1
    finally:
        api.delete("StaticRoute", "far4")
        api.delete("StaticRoute", "far6")


@suite.test("#4")
def a_link_local_address_that_linux_has_is_left_to_it(l):
    client, api = l["client"], l.appliance.api
    mac = json.loads(l["appliance"].ip("-j", "link", "show", "p0"))[0]["address"]
    front = own("Interface", "front", port="p0", addresses=["198.18.0.1/24", "2001:db8::1/64"])

    def conflicts():
        return l.appliance.counters()["net_addresses_conflict_now"]

    def make_anew():
        api.delete("Interface", "front")
        suite.eventually(lambda: l.curl(f"http://{HOST}/", address=VIP4, timeout=1)[0] == 0, "it is gone", 10)
        api.put(front)
    client.address("eth0", f"{link_local_of(mac)}/64")
    try:
        make_anew()
        suite.eventually(lambda: conflicts() == 1, "the duplicate is found", 5)
        for vip in (VIP4, VIP6):
            objects.wait_answer(l, vip, HOST, "backend-1", limit_s=10)  # the interface goes on without it
        assert conflicts() == 1
    finally:
        client.ip("address", "del", f"{link_local_of(mac)}/64", "dev", "eth0")
    make_anew()
    objects.wait_answer(l, VIP6, HOST, "backend-1", limit_s=10)
    assert conflicts() == 0
