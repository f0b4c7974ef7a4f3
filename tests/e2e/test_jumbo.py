# SPDX-License-Identifier: Apache-2.0
"""Jumbo frames (9,000 bytes) to and from Linux' TCP, by ports of libpcap: frames that lie in several packet buffers."""
import json
import os

import lab as labs
import objects
import routing
import suite

NS, HOST, VIP = "jumbo", "app.example", "198.18.0.143"
MTU = 9000


def lab():
    return labs.Lab("jumbo", backends=1, workers=2)


def prepare_links(l):
    """All links of the lab take jumbo frames, and so do the ports."""
    for ns in l.namespaces.values():
        for interface in json.loads(ns.run("ip", "-j", "link", "show").stdout):
            if interface["ifname"] != "lo":
                ns.ip("link", "set", interface["ifname"], "mtu", str(MTU))
    l.capture = routing.Capture(l, "capture", "switch", "front-p0")
    for port in ("p0", "p1"):
        l.appliance.port_kinds[port] = f"driver=pcap,iface={port}"


def prepare_interfaces(l):
    for name in ("front", "back"):
        l.appliance.api.patch("Interface", name, {"spec": {"mtu": MTU}})


def prepare(l):
    prepare_links(l)
    objects.bring_up(l, "appliance.yaml")
    prepare_interfaces(l)
    objects.serve_one(l, NS, HOST, VIP)


def long_frames(l, *what):
    return len(l.capture.fields(" && ".join((f"ip.addr == {VIP}", "frame.len > 8000") + what), "frame.number"))


@suite.test("#7")
def a_large_answer_and_a_large_request_come_whole_in_frames_of_9000_bytes(l):
    body = os.urandom(3000000)
    path = os.path.join(l.dir, "files", "large")
    with open(path, "wb") as f:
        f.write(body)
    status, _, got = l.curl(f"http://{HOST}/files/large", address=VIP)
    assert (status, got) == (200, body), (status, len(got))
    suite.eventually(lambda: long_frames(l, f"ip.src == {VIP}") > 100, "the box sends long frames", 5)
    status, _, answer = l.curl(f"http://{HOST}/upload", "--data-binary", f"@{path}", address=VIP)
    assert status == 200, (status, answer)
    suite.eventually(lambda: long_frames(l, f"ip.dst == {VIP}") > 100, "it receives them", 5)
    assert l.appliance.counters()["tcp_drop_cksum"] == 0


@suite.test("#7")
def what_comes_in_short_frames_goes_on_in_long_ones(l):
    for ns, interface in (("backend-1", "eth0"), ("switch", "b1")):
        l[ns].ip("link", "set", interface, "mtu", "1500")
    before = long_frames(l, f"ip.src == {VIP}")
    status, _, got = l.curl(f"http://{HOST}/files/large", address=VIP)
    with open(os.path.join(l.dir, "files", "large"), "rb") as f:
        assert (status, got) == (200, f.read()), (status, len(got))
    suite.eventually(lambda: long_frames(l, f"ip.src == {VIP}") > before + 100, "the box sends long frames", 5)
