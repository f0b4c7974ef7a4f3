# SPDX-License-Identifier: Apache-2.0
"""A bond by LACP: two members of the box at a port group of a switch (tests/lab/lacp.py), read from the wire."""
import os
import signal
import time

import lab as labs
import namespace
import objects
import routing
import suite

NS, HOST, VIP = "bond", "app.example", "198.18.0.141"
MEMBERS = ("p0a", "p0b")
UP = "DCSG"  # distributing, collecting, in sync, aggregation: what both ends have to say in the end


def lab():
    return labs.Lab("bond", backends=1, workers=2)


def prepare(l):
    switch, box = l["switch"], l["appliance"]
    switch.ip("link", "set", "front-p0", "nomaster")
    for member in MEMBERS:
        namespace.link(box, member, switch, f"to-{member}")
        for where, interface in ((box, member), (switch, f"to-{member}")):
            where.sysctl(**{f"net__ipv6__conf__{interface}__disable_ipv6": 1})
    namespace.link(switch, "lag", switch, "lag-up")
    namespace.attach(switch, "front", "lag-up")
    l.captures = [routing.Capture(l, f"capture-{m}", "switch", f"to-{m}") for m in MEMBERS]
    l.group = l.start("lacp", "switch", "python3", os.path.join(labs.TOP, "tests", "lab", "lacp.py"), "lag",
                      *(f"to-{m}" for m in MEMBERS))
    l.appliance.options += ["--mem", "128", "--conns", "2048"]
    l.appliance.port_kinds["p0"] = "driver=bond,members=" + ":".join(MEMBERS)
    objects.bring_up(l, "appliance.yaml")
    objects.serve_one(l, NS, HOST, VIP)


def states(capture):
    """What the box said of itself last, and what of its partner."""
    told = capture.fields("lacp && lacp.actor.sysid != 02:00:5e:00:aa:aa", "lacp.actor.state_str",
                          "lacp.partner.state_str")
    return told[-1] if told else None


def data_frames(capture, *what):
    return capture.fields(" && ".join(("tcp.port == 80",) + what), "frame.number")


@suite.test("#7")
def both_members_come_up_by_lacp(l):
    for capture in l.captures:
        suite.eventually(lambda: states(capture) and all(UP in s for s in states(capture)), "in sync", 15)


@suite.test("#7")
def the_members_are_one_port_to_clients_and_share_the_flows(l):
    for _ in range(40):
        assert objects.answers(l, VIP, HOST) == "backend-1"
    for capture in l.captures:
        suite.eventually(lambda: data_frames(capture, f"ip.src == {VIP}"), "the box sends by it", 5)


@suite.test("#7")
def a_large_answer_comes_whole_over_the_bond(l):
    body = os.urandom(1000000)
    with open(os.path.join(l.dir, "files", "large"), "wb") as f:
        f.write(body)
    status, _, got = l.curl(f"http://{HOST}/files/large", address=VIP)
    assert (status, got) == (200, body), (status, len(got))


@suite.test("#7")
def a_member_that_the_switch_takes_out_is_not_sent_by_and_comes_back(l):
    l.group.popen.send_signal(signal.SIGUSR1)
    suite.eventually(lambda: "D" not in states(l.captures[1])[0], "it distributes there no more", 5)
    before = len(data_frames(l.captures[1], f"ip.src == {VIP}"))
    for _ in range(20):
        assert objects.answers(l, VIP, HOST) == "backend-1"
    assert len(data_frames(l.captures[1], f"ip.src == {VIP}")) == before
    come_back(l)


def come_back(l):
    before = len(data_frames(l.captures[1], f"ip.src == {VIP}"))
    l.group.popen.send_signal(signal.SIGUSR2)
    suite.eventually(lambda: all(UP in s for s in states(l.captures[1])), "in sync again", 10)

    def is_used():
        objects.answers(l, VIP, HOST)
        return len(data_frames(l.captures[1], f"ip.src == {VIP}")) > before
    suite.eventually(is_used, "the box sends by it again", 20)


@suite.test("#7")
def a_cable_that_is_cut_without_a_word_is_found_by_its_silence(l):
    """The box asks for a frame each second, and waits for three; LACP's slow rate would take 90 seconds."""
    assert "GSA" in states(l.captures[1])[0]  # aggregation, short time-out, active
    began = time.monotonic()
    l.group.popen.send_signal(signal.SIGHUP)
    suite.eventually(lambda: "D" not in states(l.captures[1])[0], "it distributes there no more", 30)
    print(f"  found after {time.monotonic() - began:.1f} s")
    before = len(data_frames(l.captures[1], f"ip.src == {VIP}"))
    for _ in range(20):
        assert objects.answers(l, VIP, HOST) == "backend-1"
    assert len(data_frames(l.captures[1], f"ip.src == {VIP}")) == before
    come_back(l)
