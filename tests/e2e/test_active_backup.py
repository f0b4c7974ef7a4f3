# SPDX-License-Identifier: Apache-2.0
"""A port of two kernel interfaces, of which one at a time is used, at two switches: read from the wire."""
import os
import threading

import lab as labs
import namespace
import objects
import routing
import suite

NS, HOST, VIP = "backup", "app.example", "198.18.0.142"
MEMBERS = ("p0a", "p0b")


def lab():
    return labs.Lab("backup", backends=1, workers=2)


def prepare(l):
    switch, box = l["switch"], l["appliance"]
    switch.ip("link", "set", "front-p0", "nomaster")
    for member in MEMBERS:
        namespace.link(box, member, switch, f"to-{member}")
        namespace.attach(switch, "front", f"to-{member}")
        box.sysctl(**{f"net__ipv6__conf__{member}__disable_ipv6": 1})
    l.captures = {m: routing.Capture(l, f"capture-{m}", "switch", f"to-{m}") for m in MEMBERS}
    l.appliance.port_kinds["p0"] = "driver=active-backup,members=" + ":".join(MEMBERS)
    objects.bring_up(l, "appliance.yaml")
    objects.serve_one(l, NS, HOST, VIP)


def sent(l, member, *what):
    """Frames with the VIP's answers that the box sent by this member."""
    return len(l.captures[member].fields(" && ".join((f"ip.src == {VIP}", *what)), "frame.number"))


def announced(l, member):
    return len(l.captures[member].fields(f"arp.src.proto_ipv4 == {VIP} && arp.isgratuitous", "frame.number"))


@suite.test("#7")
def the_first_member_alone_is_sent_by(l):
    for _ in range(10):
        assert objects.answers(l, VIP, HOST) == "backend-1"
    suite.eventually(lambda: sent(l, "p0a"), "the box sends by the first", 5)
    assert sent(l, "p0b") == 0


@suite.test("#7")
def a_download_goes_on_by_the_other_member_when_the_cable_is_pulled(l):
    body = os.urandom(20000000)
    with open(os.path.join(l.dir, "files", "large"), "wb") as f:
        f.write(body)
    got = []
    download = threading.Thread(target=lambda: got.append(
        l.curl(f"http://{HOST}/files/large", "--limit-rate", "3M", address=VIP)))
    download.start()
    suite.eventually(lambda: sent(l, "p0a", "tcp.len > 1000") > 100, "the download has begun", 10)
    before = announced(l, "p0b")  # copies of what was said by the first
    l["switch"].ip("link", "set", "to-p0a", "down")
    download.join(60)
    assert got and (got[0][0], got[0][2]) == (200, body), got and (got[0][0], len(got[0][2]))
    suite.eventually(lambda: sent(l, "p0b", "tcp.len > 1000") > 100, "the rest came by the second", 5)
    assert announced(l, "p0b") > before
    counters = l.appliance.counters()
    assert counters["core_link_changes"] == 1 and counters["core_links_down_now"] == 1, counters


@suite.test("#7")
def the_port_stays_with_the_other_member_when_the_first_is_back(l):
    l["switch"].ip("link", "set", "to-p0a", "up")
    suite.eventually(lambda: l.appliance.counters()["core_links_down_now"] == 0, "it is seen again", 5)
    before = sent(l, "p0a")
    for _ in range(10):
        assert objects.answers(l, VIP, HOST) == "backend-1"
    assert sent(l, "p0a") == before


@suite.test("#7")
def and_turns_back_when_that_one_loses_its_carrier(l):
    l["switch"].ip("link", "set", "to-p0b", "down")
    suite.eventually(lambda: l.appliance.counters()["core_link_changes"] == 2, "it is seen", 5)
    for _ in range(10):
        assert objects.answers(l, VIP, HOST) == "backend-1"
    l["switch"].ip("link", "set", "to-p0b", "up")
