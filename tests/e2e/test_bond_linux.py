# SPDX-License-Identifier: Apache-2.0
"""A bond by LACP whose other end is Linux' own: a virtual machine with two interfaces, a backend of the box."""
import hashlib
import os
import sys

import lab as labs
import machine
import objects
import routing
import suite

sys.path.insert(0, os.path.join(labs.TOP, "tests", "peers"))
import build  # noqa: E402 (its folder is known only now)

NS, HOST, VIP = "linuxbond", "app.example", "198.18.0.143"
MEMBERS = ("p1a", "p1b")
UP = "DCSG"  # distributing, collecting, in sync, aggregation: what both ends have to say in the end
OURS, THEIRS = "lacp.actor.sysid != 02:00:5e:00:bb:01", "lacp.actor.sysid == 02:00:5e:00:bb:01"
NUMBERS = "".join(f"{n}\n" for n in range(1, 200001)).encode()  # as init makes them
BACKEND = labs.backend_address(1)


def lab():
    return labs.Lab("bond_linux", backends=1, workers=2)


def prepare(l):
    box, where = l["appliance"], l["backend-1"]
    where.ip("link", "delete", "eth0")
    l["switch"].ip("link", "set", "back-p1", "nomaster")
    taps = [machine.wire(l, box, member, where) for member in MEMBERS]
    l.captures = [routing.Capture(l, f"capture-{m}", "backend-1", f"to-{m}") for m in MEMBERS]
    l.machine = machine.Machine(l, "machine", "backend-1", build.build("linux"), taps, f"{BACKEND}/24",
                                f"{labs.backend_address(1, 6)}/64")
    l.machine.wait_booted()
    l.backends = [l.machine]
    l.appliance.options += ["--mem", "128", "--conns", "2048"]
    l.appliance.port_kinds["p1"] = "driver=bond,members=" + ":".join(MEMBERS)
    objects.bring_up(l, "appliance.yaml")


def states(capture, whose):
    """What that end said of itself last, and what of its partner."""
    told = capture.fields(f"lacp && {whose}", "lacp.actor.state_str", "lacp.partner.state_str")
    return told[-1] if told else ("nothing", "nothing")


def is_up(capture):
    return all(UP in s for whose in (OURS, THEIRS) for s in states(capture, whose))


def frames(capture, what):
    return len(capture.fields(f"tcp.port == 8080 && {what}", "frame.number"))


def sent(capture):
    """Frames of the box to the machine."""
    return frames(capture, f"ip.dst == {BACKEND}")


def answered(capture):
    return frames(capture, f"ip.src == {BACKEND}")


def ask_many(l):
    for _ in range(20):
        assert objects.answers(l, VIP, HOST) == "backend-1"


def aggregate(l):
    """How many ports Linux has in use as one, and what it says of everything."""
    said = l.machine.ask("cat /proc/net/bonding/bond0")
    active = said.split("Active Aggregator Info:")[1].split("Slave Interface:")[0]
    return int(active.split("Number of ports: ")[1].split()[0]), said


@suite.test("#7")
def linux_and_the_box_aggregate_both_links(l):
    for capture in l.captures:
        suite.eventually(lambda: is_up(capture), "in sync, by both ends' word", 60)
    suite.eventually(lambda: aggregate(l)[0] == 2, "Linux uses both as one", 30)
    said = aggregate(l)[1]
    print("  " + said.strip().replace("\n", "\n  "))
    assert "IEEE 802.3ad Dynamic link aggregation" in said and "Partner Mac Address: 00:00:00:00:00:00" not in said


@suite.test("#7")
def requests_go_by_both_links_in_both_directions(l):
    objects.serve_one(l, NS, HOST, VIP)
    for capture in l.captures:
        suite.eventually(lambda: ask_many(l) or sent(capture), "the box sends by it", 60)
        suite.eventually(lambda: ask_many(l) or answered(capture), "Linux answers by it", 60)


@suite.test("#7")
def a_large_answer_comes_whole(l):
    status, _, got = l.curl(f"http://{HOST}/numbers", address=VIP, timeout=60)
    assert (status, hashlib.sha256(got).digest()) == (200, hashlib.sha256(NUMBERS).digest()), (status, len(got))


@suite.test("#7")
def a_link_that_linux_takes_out_is_not_sent_by_and_comes_back(l):
    out = l.captures[1]
    l.machine.ask("echo -eth1 >/sys/class/net/bond0/bonding/slaves")
    suite.eventually(lambda: "D" not in states(out, OURS)[0], "the box distributes there no more", 30)
    assert aggregate(l)[0] == 1
    before, other = sent(out), sent(l.captures[0])
    ask_many(l)
    assert sent(out) == before and sent(l.captures[0]) > other
    l.machine.ask("echo +eth1 >/sys/class/net/bond0/bonding/slaves")
    suite.eventually(lambda: is_up(out) and aggregate(l)[0] == 2, "both use it again", 60)
    suite.eventually(lambda: ask_many(l) or sent(out) > before, "the box sends by it again", 60)


@suite.test("#7")
def linux_answers_by_the_other_link_when_one_is_cut(l):
    """Either end asks the other for LACP's frames each second, and notices their absence."""
    cut, other = l.captures
    l["backend-1"].ip("link", "set", "vm-p1a", "down")
    suite.eventually(lambda: aggregate(l)[0] == 1, "Linux has noticed", 60)
    before, there = answered(cut), answered(other)

    def is_answered():
        return objects.answers(l, VIP, HOST) == "backend-1" and answered(other) > there
    suite.eventually(is_answered, "an answer by the other link", 60)
    assert answered(cut) == before
    l["backend-1"].ip("link", "set", "vm-p1a", "up")
    suite.eventually(lambda: is_up(cut) and aggregate(l)[0] == 2, "both use it again", 120)
    ask_many(l)
